"""Files that commands read and write: no output takes the place of an input or of another output."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from ..core.errors import MooInferError

__all__ = ["keep_apart", "named_files"]


def keep_apart(read: Iterable[Path | None], *written: Mapping[str, Path | None]) -> None:
    """Refuse to write to a file that is read, or to one file twice.

    Args:
        read: paths of inputs.
        written: paths of outputs, by the option that names them.

    Raises:
        MooInferError: naming the option and the path.
    """
    taken = {_place(path): "what is read" for path in read if path is not None}
    for outputs in written:
        for option, path in outputs.items():
            if path is None:
                continue
            if _place(path) in taken:
                raise MooInferError(f"{option}: {path}: would overwrite {taken[_place(path)]}")
            taken[_place(path)] = "what else is written"


def named_files(texts: Iterable[str], /) -> list[Path]:
    """Return the files that texts may name, as FILE or as NAME=FILE.

    >>> named_files(["log.csv", "mine=log.csv"])
    [PosixPath('log.csv'), PosixPath('mine=log.csv'), PosixPath('log.csv')]
    """
    return [Path(name) for text in texts for name in dict.fromkeys((text, text.partition("=")[2] or text))]


def _place(path: Path) -> str:
    try:
        return os.path.realpath(path)
    except ValueError:
        raise MooInferError(f"{path}: is no name of a file, it holds a NUL") from None
