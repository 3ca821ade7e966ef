"""The option ``--out FILE`` of commands that report: a file is written as its ending says."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.errors import MooInferError, printable
from ..core.files import atomic_write
from ..core.files import refuse_unwritable as refuse_no_place
from ..report.markdown import to_markdown
from ..report.wording import Block
from .files import keep_apart
from .loudness import LOG

__all__ = [
    "ENDINGS",
    "Out",
    "Writer",
    "flat",
    "frame_writers",
    "refuse_unwritable",
    "report_writers",
    "text_writer",
    "write_all",
]

ENDINGS = (".json", ".csv", ".parquet", ".html", ".md")  # of reports

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


def report_writers(
    title: str, text: Callable[[], str], blocks: Callable[[], Iterable[Block]], rows: Callable[[], Iterable[Any]]
) -> dict[str, Writer]:
    """Return what writes a report of sentences and tables, by ending.

    Args:
        title: of a page.
        text: gives its JSON.
        blocks: gives what people read.
        rows: gives the rows of a frame, mappings; see `flat`.
    """

    def frame() -> Any:
        import polars

        return polars.DataFrame([flat(row) for row in rows()], infer_schema_length=None)

    return {
        ".json": text_writer(lambda: text() + "\n"),
        **frame_writers(frame),
        ".html": text_writer(lambda: _page(title, blocks())),
        ".md": text_writer(lambda: to_markdown(blocks())),
    }


def _page(title: str, blocks: Iterable[Block]) -> str:
    from ..report.html import plain_page

    return plain_page(title, blocks)


def flat(row: Mapping[str, Any], /, within: str = "") -> dict[str, Any]:
    """Return a mapping without mappings in it, as a table has it: an entry as ``a.b``, lists as texts.

    >>> flat({"a": {"b": 1}, "c": ["x", "y"], "ends": (0.1, 0.2)})
    {'a.b': 1, 'c': 'x; y', 'ends': '0.1; 0.2'}
    """
    columns: dict[str, Any] = {}
    for key, value in row.items():
        items = value if isinstance(value, list | tuple) else ()
        if any(isinstance(item, Mapping) for item in items):
            value = dict(enumerate(items))
        if isinstance(value, Mapping):
            columns |= flat(value, f"{within}{key}.")
        else:
            columns[f"{within}{key}"] = "; ".join(map(str, items)) if isinstance(value, list | tuple) else value
    return columns


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
