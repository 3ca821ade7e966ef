"""Reads logs of evaluations, whatever wrote them, into the neutral table."""

import csv
import hashlib
import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import MooInferError
from ..files import head, lines, records
from ..interfaces import LogReader
from ..parts import check
from ..registry import Registry
from ..samples import COLUMNS
from .logs import KEYS, Log, Source
from .neutral import checked, tabulated

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_log"]


def read_log(
    paths: str | Path | Sequence[str | Path], /, format: str | LogReader | None = None, registry: Registry | None = None
) -> Log:
    """Read the logs of evaluations with repeated samples.

    Args:
        paths: one or more files. ``NAME=FILE`` calls the model in the file so, as one model may be run in several
            settings.
        format: the name of a log reader, its parameters behind a colon (``lm-eval:filter=strict-match``), or a
            LogReader; default the one that recognises the file.
        registry: where log readers are looked up; default everything installed.

    Raises:
        MooInferError: naming the file and the place in it: for files that cannot be read or are of no known format (or
            of several), missing columns, values out of range, and samples that are there twice.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "log.csv"
    ...     _ = file.write_text("model,question_id,sample,correct\\nmine,q1,1,1\\nmine,q1,2,0\\nmine,q2,1,\\n")
    ...     log = read_log(file)
    >>> log.sources[0].rows, log.samples()[0].n.tolist()
    (3, [2, 1])
    """
    import polars as pl

    given = [paths] if isinstance(paths, str | Path) else list(paths)
    if not given:
        raise MooInferError("no log was given")
    registry = registry or Registry()
    reader = registry.get(LogReader, format) if isinstance(format, str) else format
    if reader is not None:
        check(reader, LogReader, "format")
    frames: list[pl.DataFrame] = []
    sources: list[Source] = []
    for item in given:
        name, path = _named(item)
        try:
            start = head(path)
            chosen = reader or _recognised(start, path, registry)
            frame, remarks = checked(_raw(chosen, path))
            called = ""
            if name is not None:
                called, frame = str(frame["model"][0]), _renamed(frame, name)
        except MooInferError as error:
            raise MooInferError(f"{path}: {error}") from error
        for remark in remarks:
            warnings.warn(f"{path}: {remark}", stacklevel=2)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        frames.append(frame)
        models = tuple(map(str, frame["model"].unique(maintain_order=True)))
        for model in models:
            others = {source.called or model for source in sources if model in source.models} - {called or model}
            if others:
                raise MooInferError(f"{path}: {model!r} is also the name given to {others.pop()!r}; names must differ")
        sources.append(Source(str(path), digest, len(frame), chosen.name, models, called))
    return _ordered(Log(pl.concat(frames, how="diagonal") if len(frames) > 1 else frames[0], tuple(sources)))


def _named(item: str | Path) -> tuple[str | None, Path]:
    """The new name of a model, if there is one, and the path."""
    name, equals, rest = str(item).partition("=")
    if isinstance(item, str) and equals and not Path(item).exists() and Path(rest).exists():
        if not name.strip():
            raise MooInferError(f"{item}: the name before = is blank")
        return name, Path(rest)
    return None, Path(item)


def _recognised(start: bytes, path: Path, registry: Registry) -> LogReader:
    readers = {}
    for name in registry.names(LogReader):
        with suppress(MooInferError):  # one whose parameters must be given is never recognised
            readers[name] = registry.get(LogReader, name)
    found = []
    for reader in readers.values():
        with _named_where_it_fails(reader):
            found += [reader] if reader.recognises(start, path) else []
    if len(found) == 1:
        return found[0]
    if found:
        raise MooInferError(f"may be {' or '.join(reader.name for reader in found)}; name its format")
    raise MooInferError(f"is of no known format ({_begin(start)}); formats: {', '.join(registry.names(LogReader))}")


def _begin(start: bytes) -> str:
    """What a file begins with, in words."""
    line = start.lstrip().split(b"\n")[0]
    with suppress(ValueError, RecursionError):
        if isinstance(document := json.loads(line), dict):
            return f"its keys: {', '.join(map(str, list(document)[:8])) or 'none'}"
    text = line[:80].decode("utf-8", errors="replace").strip()
    if not text.replace("\t", " ").isprintable():
        return "it is no text"
    columns = "; columns are separated by commas" if "," not in text and ("\t" in text or ";" in text) else ""
    return f"it begins {text!r}{columns}"


def _raw(reader: LogReader, path: Path) -> "pl.DataFrame":
    """What a reader gives, as a frame; columns that are not neutral stay as names."""
    import polars as pl

    try:
        with _named_where_it_fails(reader):
            read: Any = reader.read(path)
            if isinstance(read, pl.LazyFrame):
                names = read.collect_schema().names()
                frame = read.select(name for name in names if name in COLUMNS).collect()
                return frame.with_columns(pl.lit(None).alias(name) for name in names if name not in COLUMNS)
            if isinstance(read, Iterable) and not isinstance(read, str | bytes):
                return tabulated(read)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        _explain(path)
        reason = next(filter(None, str(error).splitlines()), type(error).__name__)
        raise MooInferError(f"cannot be read: {reason:.200}") from error
    raise MooInferError(f"log reader {reader.name!r} must return rows or a lazy frame, got {type(read).__name__}")


@contextmanager
def _named_where_it_fails(reader: LogReader) -> Iterator[None]:
    """Turn what a foreign part raises into a sentence; errors in words, of polars and of the file are for others."""
    import polars as pl

    try:
        yield
    except (MooInferError, pl.exceptions.PolarsError, OSError):
        raise
    except Exception as error:
        raise MooInferError(f"log reader {reader.name!r} fails: {type(error).__name__}: {error}") from error


def _explain(path: Path) -> None:
    """Look for what a fast parser stumbled over, line by line; raises MooInferError where it is found."""
    start = head(path)
    if start.startswith(b"PAR1"):
        return
    if start.lstrip().startswith(b"{"):
        for _ in records(path, nan=False):
            pass
        return
    for _ in lines(path):  # a file that is damaged says so before its fields are looked at
        pass
    rows = csv.reader((text for _, text in lines(path)), strict=True)
    try:
        width = len(next(rows))
        for row in rows:
            if len(row) > width:
                raise MooInferError(f"line {rows.line_num}: has {len(row)} fields, but the header names {width}")
    except csv.Error as error:
        raise MooInferError(f"line {rows.line_num}: is no CSV: {error}") from None


def _renamed(frame: "pl.DataFrame", name: str) -> "pl.DataFrame":
    import polars as pl

    if len(models := frame["model"].unique(maintain_order=True)) > 1:
        there = ", ".join(map(str, models[:4])) + (", ..." if len(models) > 4 else "")
        raise MooInferError(f"{name}= names one model, but the file has {len(models)}: {there}")
    return frame.with_columns(pl.lit(name).alias("model"))


def _ordered(log: Log) -> Log:
    """Bring rows of a question together, in the order of their numbers; refuse blank names and duplicates."""
    import polars as pl

    frame, runs = log.frame, log._runs
    for name in KEYS:
        blank = runs.filter(pl.col(name).is_null() | (pl.col(name).str.strip_chars() == ""))
        if len(blank):
            raise MooInferError(f"{_row(log, blank['start'][0])}: {name} is blank")
    starts, sample = runs["start"].to_numpy(), frame["sample"].to_numpy()
    step = np.diff(sample)
    step[starts[1:] - 1] = 1
    together = runs.select(KEYS).n_unique() == len(runs) and len(runs["model"].rle()) == runs["model"].n_unique()
    if together and (step > 0).all():
        return log
    questions = runs.select(KEYS).unique(maintain_order=True)
    models = questions.select("model").unique(maintain_order=True).with_row_index("of_model")
    questions = questions.join(models, on="model", how="left", maintain_order="left")
    questions = questions.sort("of_model", maintain_order=True).with_row_index("place")
    each = runs.join(questions, on=KEYS, how="left", maintain_order="left")["place"].to_numpy().astype(np.int64)
    place = np.repeat(each, np.diff(np.append(starts, len(frame))))
    order = np.lexsort((sample, place))
    place, sample = place[order], sample[order]
    twice = np.flatnonzero((np.diff(place) == 0) & (np.diff(sample) == 0))
    if len(twice):
        first, second = sorted(int(i) for i in order[twice[0] : twice[0] + 2])
        model, question, number = frame.select(*KEYS, "sample").row(first)
        raise MooInferError(
            f"{_row(log, second)}: model {model!r}, question {question!r:.60}, sample {number} stands in "
            f"{_row(log, first)} already, {len(twice)} such in all; NAME=FILE tells several runs of a model apart"
        )
    return Log(frame.select(pl.all().gather(pl.Series(order))), log.sources)


def _row(log: Log, row: int) -> str:
    """The file and the row in it, counted from 1, of a row of all files."""
    for source in log.sources[:-1]:
        if row < source.rows:
            return f"{source.file}: row {row + 1}"
        row -= source.rows
    return f"{log.sources[-1].file}: row {row + 1}"
