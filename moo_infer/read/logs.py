"""Reads logs of evaluations, whatever wrote them, into the neutral table."""

import hashlib
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.arguments import typed
from ..core.errors import MooInferError
from ..core.files import called_after, head, panics_as_errors
from ..core.objectives import BETTER, judged_objective
from ..core.parts import check
from ..interfaces import LogReader
from ..quantities.samples import ANSWER_KEY, COLUMNS, FINGERPRINT, VARIANT
from ..registry import Registry
from .bounds import refuse_long_texts, refuse_more
from .grading import Grading, refuse_several
from .joining import joined
from .judgements import merged, settled, several_targets
from .labels import candidates, labelled
from .log import Log, Source
from .neutral import checked, meant
from .recognition import PARQUET, failure, recognised
from .rows import Raw, framed, tabulated
from .waves import marked, parted

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_log"]

TABLE = "table"  # the reader that takes names of columns


@typed()
def read_log(
    paths: str | Path | Iterable[str | Path],
    /,
    format: str | LogReader | None = None,
    registry: Registry | None = None,
    *,
    grading: Grading | None = None,
    columns: Mapping[str, str] | None = None,
    judged: Sequence[str] = (),
    merge_right: bool = False,
    max_log_bytes: int | None = None,
    strict: bool = False,
) -> Log:
    """Read the logs of evaluations with repeated samples.

    The samples that several files have of one question of a model are further samples of it, which a warning says; so
    the task is part of the name of a question in all readers. A record that cannot be read is left out, and all of them
    are named in a warning. Rows that earlier answers decided on (later waves, questions with a cancelled call) are kept
    apart from those that estimates are made from (`Log.left_out`).

    Args:
        paths: one or more files. ``NAME=FILE`` calls the model in the file so, as one model may be run in several
            settings.
        format: the name of a log reader, its parameters behind a colon (``lm-eval:filter=strict-match``), or a
            LogReader; default the one that recognises the file.
        registry: where log readers are looked up; default everything installed.
        grading: how scores are read that are not right or wrong as they stand.
        columns: what the columns of tables are called, by the name in the neutral table; a number may multiply or
            divide them: ``{"question_id": "prompt_id", "latency_s": "latency_ms/1000"}``.
        judged: names of further columns, which say how else answers were judged: in [0, 1], true or false, or blank.
        merge_right: take the answers to a question that were judged right as one, as where fractions are written in
            several ways: a vote then counts them together.
        max_log_bytes: how many bytes a file may have when it is unpacked; default 1 GiB, and for packed ones 40 times
            their size where that is less. Lines, and members of archives, may have a quarter of it.
        strict: refuse a file with a record that cannot be read.

    Raises:
        MooInferError: naming the file and the place in it: for files that cannot be read or are of no known format (or
            of several), missing columns, most records or scores that cannot be read, samples that are there twice, and
            two files with the same rows.

    Warns:
        UserWarning: of what is left out or odd.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "log.csv"
    ...     _ = file.write_text("model,question_id,sample,correct\\nmine,q1,1,1\\nmine,q1,2,0\\nmine,q2,1,\\n")
    ...     log = read_log(file)
    >>> log.sources[0].rows, log.samples()[0].n.tolist()
    (3, [2, 1])
    """
    items = [paths] if isinstance(paths, str | Path) else list(paths)
    if not items:
        raise MooInferError("no log was given")
    registry = registry or Registry()
    refuse_judged(judged)
    reader, table = _readers(format, columns, registry, judged)
    files = _Files(reader, table, registry, bool(columns), grading or Grading(), max_log_bytes, strict, tuple(judged))
    frames: list[pl.DataFrame] = []
    sources: list[Source] = []
    for item in items:
        frame, source, remarks = files.read(*_named(item))
        for remark in remarks:
            warnings.warn(f"{source.file}: {remark}", stacklevel=3)
        for other in sources:
            _refuse_same(source, other)
        frames.append(marked(frame))
        sources.append(source)
    log, joining = joined(frames, sources, strict=strict)
    files.refuse_without(log)
    several = several_targets(log.frame)
    frame, labels = labelled(log.frame)
    kept, left_out = parted(frame)
    frame, judged = settled(kept)
    if merge_right:
        frame, together = merged(frame)
        judged += together
    for remark in (*joining, *labels, *several, *judged):
        warnings.warn(remark, stacklevel=3)
    return Log(frame, log.sources, left_out)


def refuse_judged(names: Sequence[str]) -> None:
    """Raise MooInferError for names of judgements that mean something else, or are there twice."""
    for name in names:
        if name in (*COLUMNS, FINGERPRINT, ANSWER_KEY):
            raise MooInferError(f"judged: {name} is a column of the neutral table, which means something else")
        judged_objective(name, BETTER[0])
    if twice := [name for name, times in Counter(names).items() if times > 1]:
        raise MooInferError(f"judged: {twice[0]} is given twice")


def _readers(
    format: str | LogReader | None, columns: Mapping[str, str] | None, registry: Registry, judged: Sequence[str]
) -> tuple[LogReader | None, LogReader]:
    """The reader of all files, None for the one that recognises each; and that of tables, with their columns."""
    reader = registry.get(LogReader, format) if isinstance(format, str) else format
    if reader is not None:
        check(reader, LogReader, "format")
    refuse_several((columns or {}).get("correct", ""), "--column correct")
    if columns and reader is not None and reader.name != TABLE:
        raise MooInferError(f"--column names columns of tables, but the format is {reader.name}")
    named: dict[str, Any] = {"columns": dict(columns)} if columns else {}
    named |= {"judged": [*judged]} if judged else {}
    table = registry.build(LogReader, {"kind": TABLE, **named}, "--column" if columns else "log reader")
    return (table if (columns or judged) and reader is not None and reader.name == TABLE else reader), table


@dataclass(frozen=True)
class _Files:
    """How files are read.

    Args:
        reader: of all files; None for the one that recognises each.
        table: the reader of tables.
        registry: of the other readers.
        columns: whether columns of tables were named, so that there must be a table.
        grading: how scores are read.
        max_bytes: of a file when it is unpacked; None for the default.
        strict: refuse a file with a record that cannot be read.
        judged: names of further columns.
    """

    reader: LogReader | None
    table: LogReader
    registry: Registry
    columns: bool
    grading: Grading
    max_bytes: int | None
    strict: bool
    judged: tuple[str, ...] = ()
    _others: dict[str, None] = field(default_factory=dict, repr=False)  # columns that are not read

    def read(self, name: str | None, path: Path) -> "tuple[pl.DataFrame, Source, list[str]]":
        """Return the neutral table of a file, its model called `name` where one is given, and what is odd."""
        called = ""
        try:
            reader = self._reader(path)
            raw = _raw(reader, path, self.max_bytes, self.judged)
            self._others.update(dict.fromkeys(name for name in raw.frame.columns if name not in COLUMNS))
            _name_model(raw, name, path)
            frame, remarks = checked(raw, self.grading, strict=self.strict, judged=self.judged)
            if name is not None:
                called, frame = str(frame["model"][0]), _renamed(frame, name)
            frame = _with_variants(frame)
        except MooInferError as error:
            raise MooInferError(f"{path}: {error}") from error
        models = tuple(map(str, frame["model"].unique(maintain_order=True)))
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return frame, Source(str(path), digest, len(frame), reader.name, models, called), remarks

    def refuse_without(self, log: Log) -> None:
        """Raise MooInferError for a judgement that no file has."""
        for name in self.judged:
            if name not in log.frame.columns:
                others = ", ".join(other for other in self._others if other not in self.judged) or "none"
                raise MooInferError(f"judged: no sample has a value in a column {name!r}; columns beside: {others}")

    def _reader(self, path: Path) -> LogReader:
        start = head(path)
        refuse_more(path, self.max_bytes)
        reader = self.reader or recognised(start, path, self.registry, self.table, named=self.columns)
        if self.columns and reader is not self.table:
            raise MooInferError(f"--column names columns of tables, but this is {reader.name}")
        return reader


def _refuse_same(source: Source, other: Source) -> None:
    """Refuse a file with the same samples as another one, or with a name that means another model there."""
    for model in {*source.models} & {*other.models}:
        renamed = bool(source.called) != bool(other.called)
        if renamed and (source.called or model) != (other.called or model):
            name = other.called or source.called
            raise MooInferError(f"{source.file}: {model!r} is also the name given to {name!r}; names must differ")
        if source.sha256 == other.sha256:
            raise MooInferError(f"{source.file}: is the same as {other.file}: one run twice is no further samples")


def _named(item: str | Path) -> tuple[str | None, Path]:
    """The new name of a model, if there is one, and the path."""
    name, equals, rest = str(item).partition("=")
    if isinstance(item, str) and equals and not os.path.exists(item) and os.path.exists(rest):
        if not name.strip():
            raise MooInferError(f"{item}: the name before = is blank")
        return name, Path(rest)
    return None, Path(item)


def _raw(reader: LogReader, path: Path, most: int | None, judged: Sequence[str]) -> Raw:
    """The rows of a reader; columns that are neither neutral nor may be labels stay as names without values."""
    import polars as pl

    try:
        read: Any = reader.read(path)
        if isinstance(read, pl.LazyFrame):
            with panics_as_errors():
                names = read.collect_schema().names()
                there = {*COLUMNS, *judged, *candidates(read, names)}
                neutral = read.select(name for name in names if name in there)
                packed = head(path).startswith(PARQUET)
                if packed:
                    refuse_long_texts(neutral, most)
                frame = neutral.collect()
            others = (pl.lit(None).alias(name) for name in names if name not in there)
            return framed(frame.with_columns(others), None if packed else path)
        if isinstance(read, Iterable) and not isinstance(read, str | bytes):
            return tabulated(read, judged)
    except MooInferError:
        raise
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        reason = next(filter(None, str(error).splitlines()), type(error).__name__)
        raise MooInferError(f"cannot be read: {reason:.200}") from error
    except Exception as error:  # whatever a part raises
        raise failure(reader, error) from error
    raise MooInferError(f"log reader {reader.name!r} must return rows or a lazy frame, got {type(read).__name__}")


def _name_model(raw: Raw, name: str | None, path: Path) -> None:
    """Where rows do not name the model, it is called as it was named on the command line, or after the file."""
    import polars as pl

    frame = raw.frame
    if not len(frame) or ("model" in frame.columns and frame["model"].null_count() < len(frame)):
        return
    if name is None and (other := meant("model", frame.columns)):
        raise MooInferError(
            f"missing model; is {other} meant? --column model={other}; NAME=FILE names the model of a file"
        )
    raw.frame = frame.with_columns(pl.lit(name or called_after(path)).alias("model"))


def _renamed(frame: "pl.DataFrame", name: str) -> "pl.DataFrame":
    import polars as pl

    if len(models := frame["model"].unique(maintain_order=True)) > 1:
        there = ", ".join(map(str, models[:4])) + (", ..." if len(models) > 4 else "")
        raise MooInferError(f"{name}= names one model, but the file has {len(models)}: {there}")
    return frame.with_columns(pl.lit(name).alias("model"))


def _with_variants(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Name the models ``model/variant`` where a row has a variant; the column has then said all it has to say."""
    import polars as pl

    if VARIANT not in frame.columns:
        return frame
    variant = pl.col(VARIANT).str.strip_chars()
    named = pl.when(variant != "").then(pl.col("model") + "/" + variant).otherwise(pl.col("model"))
    return frame.with_columns(named.alias("model")).drop(VARIANT)
