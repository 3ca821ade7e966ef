"""Finds the log reader for a file."""

from contextlib import suppress
from pathlib import Path

from ..core.errors import MooInferError
from ..core.files import panics_as_errors
from ..interfaces import LogReader
from ..registry import Registry
from .json_files import beginnings, first_record
from .neutral import NEEDED, meant

__all__ = ["PARQUET", "failure", "recognised"]

PARQUET = b"PAR1"  # such a file begins so
LISTED = 30  # keys in a message
BEGUN = 80  # characters of a text in a message


def recognised(start: bytes, path: Path, registry: Registry, table: LogReader, /, *, named: bool) -> LogReader:
    """Return the one reader that recognises a file.

    Args:
        start: its first bytes.
        path: the file.
        registry: where readers are looked up.
        table: takes the place of the reader of the same name.
        named: whether its columns were named, so that it reads what no reader knows, and says what is wrong with them.

    Raises:
        MooInferError: where none does, or several do; or where a reader fails.
    """
    readers = {}
    for name in registry.names(LogReader):
        with suppress(MooInferError):  # one whose parameters must be given is never recognised
            readers[name] = registry.get(LogReader, name)
    readers[table.name] = table
    matching = [reader for reader in readers.values() if _recognises(reader, start, path)]
    if len(matching) == 1:
        return matching[0]
    names = [reader.name for reader in matching]
    if matching:
        raise MooInferError(f"may be {' or '.join(names)}; name its format: --format {names[0]} (format={names[0]!r})")
    if named:
        return table
    raise MooInferError(
        f"is of no known format ({_begin(start, path)}); where it is one of these, --format NAME (format=) reads it: "
        f"{', '.join(registry.names(LogReader))}; of a table with other names, say what they mean: "
        f"{_named_columns(start, path)}"
    )


def _recognises(reader: LogReader, start: bytes, path: Path) -> bool:
    try:
        return bool(reader.recognises(start, path))
    except Exception as error:  # whatever a part raises
        raise failure(reader, error) from error


def failure(reader: LogReader, error: Exception, /) -> MooInferError:
    """Return what to say of an error that a reader did not put into words: of our own readers, the file is at fault."""
    if type(reader).__module__.startswith("moo_infer."):
        return MooInferError(f"is not as the format {reader.name} has it: a part of it is of another kind")
    return MooInferError(f"log reader {reader.name!r} fails: {type(error).__name__}: {error}")


def _begin(start: bytes, path: Path) -> str:
    """What a file begins with, in words."""
    if keys := _names(start, path):
        return f"its keys: {', '.join(keys[:LISTED])}" + (", ..." if len(keys) > LISTED else "")
    text = _first_line(start)[:BEGUN].strip()
    if not text.replace("\t", " ").isprintable():
        return "it is no text"
    columns = "; columns are separated by commas" if "," not in text and ("\t" in text or ";" in text) else ""
    return f"it begins {text!r}{columns}"


def _names(start: bytes, path: Path) -> list[str]:
    """The keys of the first records, or the columns of Parquet."""
    import polars as pl

    if start.startswith(PARQUET):
        with suppress(pl.exceptions.PolarsError, OSError), panics_as_errors():
            return pl.scan_parquet(path, glob=False).collect_schema().names()
    for begun in beginnings(start, path):
        if keys := list(map(str, first_record(begun))):
            return keys
    return []


def _named_columns(start: bytes, path: Path) -> str:
    """How to name the columns of a table: those that may be meant, or how that is written."""
    names = _names(start, path) or _first_line(start).strip().split(",")
    close = {name: other for name in NEEDED if (other := meant(name, names))}
    return " ".join(f"--column {name}={other}" for name, other in (close or {"question_id": "NAME"}).items())


def _first_line(start: bytes) -> str:
    return start.lstrip().split(b"\n")[0].decode("utf-8", errors="replace")
