"""Files that commands read and write: no output takes the place of an input or of another output."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from .errors import MooInferError

__all__ = ["aside", "keep_apart"]


def keep_apart(read: Iterable[Path | None], *written: Mapping[str, Path | None]) -> None:
    """Refuse to write over what is read, or twice to the same place.

    Args:
        read: paths of inputs.
        written: paths of outputs, by the option that names them.

    Raises:
        MooInferError: naming the option and the path.
    """
    taken = {path.resolve(): "what is read" for path in read if path is not None}
    for outputs in written:
        for option, path in outputs.items():
            if path is None:
                continue
            if path.resolve() in taken:
                raise MooInferError(f"{option}: {path}: would overwrite {taken[path.resolve()]}")
            taken[path.resolve()] = "what else is written"


@contextmanager
def aside(option: str, place: Path) -> Iterator[Path]:
    """Give a path to write to, which takes its place when all that is done meanwhile went well.

    Raises:
        MooInferError: where nothing can be written there.
    """
    try:
        with TemporaryDirectory(prefix=".moo-infer-", dir=place.parent) as folder:
            yield Path(folder) / place.name
            (Path(folder) / place.name).replace(place)
    except OSError as error:
        raise MooInferError(f"{option}: {place}: cannot be written: {error.strerror}") from None
