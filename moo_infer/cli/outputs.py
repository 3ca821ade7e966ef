"""The option ``--out FILE`` of commands that report: a file is written as its ending says."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.errors import MooInferError, printable
from ..core.files import atomic_write
from ..core.files import refuse_unwritable as refuse_no_place
from .files import keep_apart
from .loudness import LOG

__all__ = ["Out", "Writer", "frame_writers", "refuse_unwritable", "text_writer", "write_all"]

Out = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE", help="Write the report to a file as well, by its ending; repeatable."),
]
Writer = Callable[[Path], Any]  # writes a whole file to a path


def text_writer(text: Callable[[], str]) -> Writer:
    """Return what writes a text that is made when it is asked for."""

    def write(path: Path) -> None:
        path.write_text(text(), encoding="utf-8", errors="replace", newline="\n")

    return write


def frame_writers(frame: Callable[[], Any]) -> dict[str, Writer]:
    """Return what writes a polars frame, by ending."""
    return {
        ".csv": lambda path: frame().write_csv(path),
        ".parquet": lambda path: frame().write_parquet(path),
    }


def refuse_unwritable(paths: Iterable[Path] | None, endings: Iterable[str], read: Iterable[Path | None] = ()) -> None:
    """Raise before the work starts where a file could not be written.

    Args:
        paths: the files.
        endings: those that the command knows.
        read: files that are read, which none may replace.

    Raises:
        MooInferError: for another ending, a folder, a folder that is not there, and a file that is read or named twice.
    """
    paths, endings = list(paths or ()), list(endings)
    keep_apart(read, *({f"--out {path}": path} for path in paths))
    for path in paths:
        if path.suffix.lower() not in endings:
            raise MooInferError(f"--out: {path}: must end in one of {', '.join(endings)}")
    if any(path.suffix.lower() == ".html" for path in paths):
        from ..report.html import refuse_missing

        refuse_missing()
    for path in paths:
        refuse_no_place(path)


def write_all(paths: Iterable[Path] | None, writers: Mapping[str, Writer]) -> None:
    """Write every file, each whole or not at all, and say so on standard error."""
    for path in paths or ():
        with atomic_write(path) as draft:
            writers[path.suffix.lower()](draft)
        LOG.warning("wrote %s", printable(str(path)))
