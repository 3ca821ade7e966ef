"""Reads the neutral table, with any column names; and functions that all readers of logs use."""

import csv
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import islice, repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import MooInferError, by_accident, listed
from ..core.files import HEAD, csv_rows, head, panics_as_errors, whole_lines
from ..hookspecs import hookimpl
from ..interfaces import LogReader
from ..quantities.samples import COLUMNS, REQUIRED
from ..read.json_files import beginnings, entries, first_record
from ..read.labels import candidates, named_as_label

if TYPE_CHECKING:
    import polars

__all__ = ["Row", "Table", "each", "named_or_only"]

Row = dict[str, object]

PARQUET = b"PAR1"
FIRST = 100  # records whose keys are looked at
USUAL = 3  # records from which on others may be odd
SCALED = re.compile(r"(?P<column>.*\S)\s*(?P<sign>[*/])\s*(?P<number>[^*/]+)", re.DOTALL)


@dataclass(frozen=True)
class Table(LogReader):
    """The neutral table itself: CSV, JSON lines, a list in JSON (all also zipped by gzip) or Parquet.

    They are told apart by their content. The columns ``model``, ``question_id`` and ``correct`` are needed, other
    columns than those of the neutral table are not read. Without ``sample``, the rows of a question are numbered;
    without ``model``, it is called after the file.

    Args:
        columns: what the file calls a column of the neutral table; a number may multiply or divide it:
            ``{"question_id": "prompt_id", "latency_s": "latency_ms/1000"}``.
        judged: names of further columns, which say how else samples were judged.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "log.csv"
    ...     _ = file.write_text("model,prompt_id,sample,correct\\nmine,q1,1,true\\n")
    ...     table = Table({"question_id": "prompt_id"})
    ...     table.recognises(file.read_bytes(), file), table.read(file).collect().row(0, named=True)
    (True, {'model': 'mine', 'sample': '1', 'correct': 'true', 'question_id': 'q1'})
    """

    name = "table"

    columns: Mapping[str, str] = field(default_factory=dict)
    judged: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, column in self.columns.items():
            if name not in (*COLUMNS, *self.judged):
                known = ", ".join(COLUMNS)
                raise MooInferError(f"columns: {name!r} is no column of the neutral table; these are: {known}")
            if not column.strip():
                raise MooInferError(f"columns: {name}: must name a column of the file, is blank")

    def recognises(self, head: bytes, path: Path, /) -> bool:
        """Whether at least two of the four columns are there that say which sample this is and whether it is right."""
        for names in _columns(head, path):
            if sum(name in names or self._is_named(name, names) for name in REQUIRED) >= 2:
                return True
        return False

    def _is_named(self, name: str, names: list[str]) -> bool:
        column = self.columns.get(name)
        scaled = SCALED.fullmatch(column) if column else None
        return column is not None and (column in names or (scaled is not None and scaled["column"] in names))

    def read(self, path: Path, /) -> "polars.LazyFrame | Iterable[Row | MooInferError]":
        """Read the file, with texts as they are: a lazy frame, or rows one by one where records may be broken."""
        import polars as pl

        start = head(path)
        if start.startswith(PARQUET):
            with panics_as_errors():
                frame = pl.scan_parquet(path, glob=False)
                return self._selected(frame, frame.collect_schema().names())
        if start.lstrip().startswith(b"["):
            return self._rows(entries(path))
        of_json = start.lstrip().startswith(b"{")
        try:
            if of_json:
                first = [record for _, record in islice(entries(path), FIRST) if isinstance(record, dict)]
                names = list(dict.fromkeys(name for record in first for name in record))
                sources = {_source(name, column, names)[0] for name, column in self.columns.items()}
                labels = [name for name in names if named_as_label(name) and all(map(_plain, first, repeat(name)))]
                read = [name for name in (*COLUMNS, *self.judged, *sources) if name in names or name not in REQUIRED]
                frame = pl.scan_ndjson(Path(_literal(path)), schema=dict.fromkeys((*read, *labels), pl.String))
            else:
                frame, names = self._of_csv(path, start)
            with panics_as_errors():
                return self._selected(frame, names)
        except (pl.exceptions.PolarsError, OSError):
            return self._rows(entries(path) if of_json else _csv(path))

    def scanned(self, path: Path, /) -> "polars.LazyFrame":
        """Return the columns of the neutral table that a Parquet or CSV has, lazily; raises MooInferError without."""
        import polars as pl

        start = head(path)
        try:
            with panics_as_errors():
                parquet = start.startswith(PARQUET)
                frame = pl.scan_parquet(path, glob=False) if parquet else self._of_csv(path, start)[0]
                names = frame.collect_schema().names()
                return frame.select(value.alias(name) for name, value in self._chosen(frame, names).items())
        except (pl.exceptions.PolarsError, OSError) as error:
            reason = next(filter(None, str(error).splitlines()), type(error).__name__)
            raise MooInferError(f"cannot be read: {reason:.200}") from error

    def _of_csv(self, path: Path, start: bytes) -> "tuple[polars.LazyFrame, list[str]]":
        """The rows of a CSV as texts, and the names in its header."""
        import polars as pl

        names = next(_columns(start, path))
        _refuse_a_short_end(path, len(names))
        twice = [name for name, n in Counter(names).items() if n > 1 and name in (*COLUMNS, *self.judged)]
        if twice:
            raise MooInferError(f"the header has {twice[0]} twice")
        return pl.scan_csv(path, infer_schema=False, glob=False).rename(str.strip), names

    def _selected(self, frame: "polars.LazyFrame", names: list[str]) -> "polars.LazyFrame":
        """The columns of the neutral table, those that may be labels, and the others as names."""
        import polars as pl

        chosen = self._chosen(frame, names)
        neutral = frame.select(value.alias(name) for name, value in chosen.items()).collect()
        used = {*chosen, *(_source(name, column, names)[0] for name, column in self.columns.items())}
        return neutral.lazy().with_columns(pl.lit(None).alias(name) for name in names if name not in used)

    def _chosen(self, frame: "polars.LazyFrame", names: list[str]) -> "dict[str, polars.Expr]":
        """The columns of the neutral table, and those that may be labels, by name."""
        import polars as pl

        schema = frame.collect_schema()
        sources = {_source(name, column, names)[0] for name, column in self.columns.items()}
        labels = [name for name in candidates(frame, schema.names()) if name not in sources]
        chosen = {name: pl.col(name) for name in schema.names() if name in (*COLUMNS, *self.judged, *labels)}
        for name, column in self.columns.items():
            chosen[name] = self._expression(name, column, names, schema)
        return chosen

    def _expression(self, name: str, column: str, names: Iterable[str], schema: Mapping[str, Any]) -> "polars.Expr":
        """A column of the file as one of the neutral table; text that is no number stays as it is."""
        import polars as pl

        source, factor = _source(name, column, names)
        value = pl.col(source)
        if factor is None:
            return value
        scaled: pl.Expr = factor(value.cast(pl.Float64, strict=False))
        if schema[source] == pl.String:
            return pl.when(scaled.is_null()).then(value).otherwise(scaled.cast(pl.String))
        return scaled

    def _rows(self, entries: Iterable[tuple[str, dict[str, Any] | MooInferError]]) -> Iterator[Row | MooInferError]:
        """Rows one after the other, with the names of the neutral table."""
        records = list(entries)
        names = list(dict.fromkeys(name for _, record in records if isinstance(record, dict) for name in record))
        sources = {name: _source(name, column, names) for name, column in self.columns.items()}

        def renamed(record: dict[str, Any]) -> Iterator[Row]:
            row = dict(record)
            for name, (source, factor) in sources.items():
                value = record.get(source)
                row[name] = value if factor is None or (number := _float(value)) is None else factor(number)
            for name in row.keys() & {*COLUMNS, *self.judged} - {"correct"}:
                if isinstance(row[name], dict | list):
                    row[name] = json.dumps(row[name])
            yield row

        return each(records, renamed)


def _plain(record: Mapping[str, object], name: str) -> bool:
    """Whether an entry of a record is text or a number, which can be read as text."""
    return isinstance(record.get(name), str | int | None) and not isinstance(record.get(name), bool)


def _source(name: str, column: str, names: Iterable[str]) -> tuple[str, Callable[[Any], Any] | None]:
    """The column of the file that is meant, and what is done to its numbers."""
    there = [*names]
    if column in there:
        return column, None
    scaled = SCALED.fullmatch(column)
    if scaled is not None and scaled["column"] in there:
        try:
            number = float(scaled["number"])
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or number == 0:
            raise MooInferError(
                f"columns: {name}={column}: a column is multiplied or divided by a number that is not 0"
            )
        if scaled["sign"] == "*":
            return scaled["column"], lambda value: value * number
        return scaled["column"], lambda value: value / number
    close = get_close_matches(scaled["column"] if scaled else column, there, n=1)
    meant = f"; is {close[0]} meant?" if close else ";"
    raise MooInferError(f"columns: {name}={column}: the file has no such column{meant} columns: {', '.join(there)}")


def _float(value: object) -> float | None:
    """A number out of a record."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _literal(path: Path) -> str:
    """A pattern that this path alone matches."""
    return re.sub(r"[*?\[]", lambda match: f"[{match[0]}]", str(path))


def _columns(start: bytes, path: Path) -> Iterator[list[str]]:
    """The names of columns, as far as they can be seen at the beginning of a table, then as far as more of it shows."""
    import polars as pl

    if start.startswith(PARQUET):
        try:
            with panics_as_errors():
                names = pl.scan_parquet(path, glob=False).collect_schema().names()
            yield names
        except (pl.exceptions.PolarsError, OSError):  # cut off, but nothing else
            yield list(REQUIRED)
        return
    line = start.decode("utf-8", errors="replace").lstrip().split("\n")[0]
    if line.startswith(("{", "[")):
        yield from (list(first_record(begun)) for begun in beginnings(start, path))
        return
    try:
        yield [name.strip() for row in islice(csv.reader([line]), 1) for name in row]
    except csv.Error:  # no text
        yield []


def _refuse_a_short_end(path: Path, width: int) -> None:
    """Refuse a CSV whose last line does not end and lacks fields: it is cut off."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - HEAD))
        line = file.read().rpartition(b"\n")[2]
    if not line or path.name.endswith(".gz") or line.count(b'"') % 2 or b"\0" in line:
        return
    _, fields = next(csv_rows([(1, line.decode("utf-8", errors="replace"))]), (0, []))
    if not isinstance(fields, MooInferError) and len(fields) < width:
        raise MooInferError(f"is cut off: the last line has {len(fields)} fields, but the header names {width}")


def _csv(path: Path) -> Iterator[tuple[str, dict[str, Any] | MooInferError]]:
    """The records of a CSV, and what is wrong with those that are none; raises MooInferError where it is cut off."""
    rows = csv_rows(whole_lines(path))
    number, names = next(rows)
    if isinstance(names, MooInferError):
        raise MooInferError(f"line {number}: {names}")
    header = [name.strip() for name in names]
    for number, row in rows:
        where = f"line {number}"
        if isinstance(row, MooInferError):
            yield where, MooInferError(f"{where}: {row}")
        elif len(row) > len(header):
            yield where, MooInferError(f"{where}: has {len(row)} fields, but the header names {len(header)}")
        elif row:
            yield where, dict(zip(header, row, strict=False))


def each(
    records: Iterable[tuple[str, dict[str, Any] | MooInferError]], read: Callable[[dict[str, Any]], Iterable[Row]], /
) -> Iterator[Row | MooInferError]:
    """Yield the rows of every record, or the error that says where a record stands and why it cannot be read.

    Args:
        records: where each record stands, and the record.
        read: gives the rows of a record.

    Raises:
        MooInferError: where more records cannot be read than can.

    >>> [*map(str, each([("line 1", {"a": 5}), ("line 2", {})], lambda record: [{"sample": record["a"]}]))]
    ["{'sample': 5}", "line 2: 'a' is missing"]
    """
    odd, readable = list[MooInferError](), 0
    for where, record in records:
        if isinstance(record, MooInferError):
            odd.append(record)
            continue
        try:
            rows = [*read(record)]
        except MooInferError as error:
            odd.append(MooInferError(f"{where}: {error}"))
        except KeyError as error:
            odd.append(MooInferError(f"{where}: {error.args[0]!r} is missing"))
        except (TypeError, AttributeError, ValueError, LookupError, OverflowError, RecursionError):
            odd.append(MooInferError(f"{where}: has a value of another kind than this format has there"))
        else:
            readable += 1
            yield from rows
    if len(odd) > readable > 0:
        raise MooInferError(listed(odd))
    yield from odd


def named_or_only(asked: str, there: Iterable[str], noun: str, name: str) -> str:
    """Return the name that was asked for, or the only one; a name that a few odd records alone have does not count.

    Args:
        asked: the name that was asked for, or an empty text.
        there: the names that there are, once for every record.
        noun: what such a name is of, for messages: metric, filter or scorer.
        name: of the reader.

    Raises:
        MooInferError: listing those there are.
    """
    times = Counter(there)
    different = list(times)
    if not asked and len(different) > 1 and (most := max(times.values())) >= USUAL:
        different = [each for each in different if times[each] > by_accident(most)]
    if asked and asked not in different:
        raise MooInferError(f"has no {noun} {asked!r}; there are: {', '.join(different) or 'none'}")
    if not asked and len(different) != 1:
        several = (
            f"several {noun}s ({', '.join(different)}); name one: --format {name}:{noun}={different[0]}"
            if different
            else f"no {noun}"
        )
        raise MooInferError(f"has {several}")
    return asked or different[0]


@hookimpl
def register_log_readers() -> list[type[LogReader]]:
    """Register the reader."""
    return [Table]
