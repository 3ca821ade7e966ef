"""Logs larger than memory: their rows are written into a folder model by model, and read from there."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import MooInferError, unknown
from ..core.files import called_after, head, panics_as_errors
from ..quantities.samples import COLUMNS, FINGERPRINT, VARIANT, WAVE, WHY
from ..registry import Registry
from .bounds import refuse_large_parts
from .grading import Grading
from .joining import different_questions
from .judgements import several_targets
from .log import Log, Source
from .logs import read_log
from .neutral import meant
from .waves import CANCELLED

if TYPE_CHECKING:
    import polars as pl

__all__ = ["LogParts", "log_parts"]

ROWS = 2**19  # of a batch: some 100 MB with a dozen columns
LARGEST_PART = 2**62  # bytes, as the bounds of whole logs count them: what a model may have is not bounded by its file


@dataclass(frozen=True, eq=False)
class LogParts:
    """The rows of logs in a folder, model by model, in their order. Models are held in memory one at a time.

    Args:
        folder: with a folder a model, called by its place among the models.
        models: names, in the order in which they first appear.
        sources: where the rows come from.
        grading: how their `correct` is read.
        merge_right: take the right answers to a question as one.
        remarks: on what is odd among the models, in words.
    """

    folder: Path
    models: Sequence[str]
    sources: tuple[Source, ...]
    grading: Grading = field(default_factory=Grading)
    merge_right: bool = False
    remarks: Sequence[str] = ()

    def logs(self) -> Iterator[Log]:
        """Yield the log of each model, checked; records that cannot be are refused.

        Raises:
            MooInferError: as `read_log`; rows are counted among those of the model.

        Warns:
            UserWarning: of what is odd.
        """
        for number, model in enumerate(self.models):
            place = self.folder / f"{number}.parquet"
            _gathered(self.folder / str(number), place)
            try:
                log = read_log(
                    place,
                    "table",
                    Registry(entry_points=False),
                    grading=self.grading,
                    merge_right=self.merge_right,
                    max_log_bytes=LARGEST_PART,
                    strict=True,
                )
            except MooInferError as error:
                reason = str(error).removeprefix(f"{place}: ")
                file = self.files_of(model)[0].file
                raise MooInferError(f"{file}: {reason}; rows are counted among those of {model!r}") from None
            finally:
                place.unlink(missing_ok=True)
            yield Log(log.frame, tuple(self.files_of(model)))
            del log  # before the next one is read

    @property
    def refused(self) -> Mapping[str, str]:
        """Of which models nothing is estimated: of none, as logs of runs that decided are not read in parts."""
        return {}

    def files_of(self, model: str, /) -> list[Source]:
        """Return the file that a model's rows come from."""
        return [source for source in self.sources if model in source.models]


@contextmanager
def log_parts(
    paths: Sequence[str | Path],
    /,
    scanned: "Callable[[Path], pl.LazyFrame]",
    *,
    models: Sequence[str] = (),
    grading: Grading | None = None,
    merge_right: bool = False,
    max_log_bytes: int | None = None,
    rows: int = ROWS,
) -> Iterator[LogParts]:
    """Write the rows of tables into a temporary folder, model by model, and remove it at the end of the block.

    Rows may stand in any order. All samples of a model have to be in one file, and none may be of a run that decided
    what to call as answers came.

    Args:
        paths: tables in Parquet or CSV, not packed.
        scanned: reads them lazily, with the names of the neutral table.
        models: the only ones to read; none for all.
        grading: how scores are read that are not right or wrong as they stand.
        merge_right: take the right answers to a question as one.
        max_log_bytes: bytes of which a line, or a page of Parquet, may have a quarter; default 1 GiB.
        rows: how many are held at a time, >= 1.

    Raises:
        MooInferError: naming the file: for other formats, missing columns, rows without a model, models that stand in
            two files, and runs that decided.
    """
    with tempfile.TemporaryDirectory(prefix="moo-infer-") as folder:
        writer = _Writer(Path(folder), models=tuple(models))
        sources: list[Source] = []
        for path in map(Path, paths):
            try:
                if head(path).lstrip().startswith((b"{", b"[")):
                    raise MooInferError("is JSON, and what is read in parts (--stream) are tables in Parquet or CSV")
                refuse_large_parts(path, max_log_bytes)
                names, count = writer.write(_lazily(scanned, path), path, rows)
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
            except MooInferError as error:
                raise MooInferError(f"{path}: {error}") from error
            for other in sources:
                if twice := [name for name in names if name in other.models]:
                    raise MooInferError(
                        f"{path}: {twice[0]!r} stands in {other.file} too; read in parts (--stream), the samples of a "
                        "model must be in one file"
                    )
            sources.append(Source(str(path), digest, count, "table", tuple(names)))
        for model in models:
            if model not in writer.numbers:
                raise unknown("model", model, [*writer.numbers, *writer.others])
        remarks = writer.remarks()
        yield LogParts(Path(folder), [*writer.numbers], tuple(sources), grading or Grading(), merge_right, remarks)


def _lazily(scanned: "Callable[[Path], pl.LazyFrame]", path: Path) -> "pl.LazyFrame":
    """The columns of the neutral table that a file has, lazily."""
    frame = scanned(path)
    names = frame.collect_schema().names()
    if missing := [name for name in ("question_id", "correct") if name not in names]:
        raise MooInferError(f"missing {', '.join(missing)}; columns: {', '.join(names)}")
    return frame.select(name for name in names if name in (*COLUMNS, FINGERPRINT))


@dataclass
class _Writer:
    """Writes batches of rows into a folder a model.

    Args:
        folder: where these folders are.
        models: the only ones that are written; none for all.
        numbers: of the folders, by model.
        others: models that are not written.
        marks: what rows say of the questions themselves, each once.
    """

    folder: Path
    models: tuple[str, ...] = ()
    numbers: dict[str, int] = field(default_factory=dict)
    others: dict[str, None] = field(default_factory=dict)
    marks: "pl.DataFrame | None" = None

    def write(self, frame: "pl.LazyFrame", path: Path, rows: int) -> tuple[list[str], int]:
        """Write the rows of a file; return its models, and how many samples of them there are."""
        import polars as pl

        names: dict[str, None] = {}
        count = first = 0
        frame = _with_models(frame, path)
        try:
            with panics_as_errors():
                for batch in frame.collect_batches(chunk_size=rows, maintain_order=True):
                    _refuse(batch, first)
                    self._mark(batch)
                    for (model,), part in batch.group_by("model", maintain_order=True):
                        if self._put(str(model), part, first):
                            names[str(model)] = None
                            count += len(part)
                    first += len(batch)
        except (pl.exceptions.PolarsError, OSError) as error:
            reason = next(filter(None, str(error).splitlines()), type(error).__name__)
            raise MooInferError(f"cannot be read in parts: {reason:.200}") from error
        if not first:
            raise MooInferError("holds no samples")
        return [*names], count

    def _put(self, model: str, part: "pl.DataFrame", first: int) -> bool:
        """Write some rows of a model, where it is to be written."""
        if self.models and model not in self.models:
            self.others[model] = None
            return False
        number = self.numbers.setdefault(model, len(self.numbers))
        place = self.folder / str(number)
        place.mkdir(exist_ok=True)
        part.write_parquet(place / f"{first:020}.parquet", compression="lz4", statistics=False)
        return True

    def _mark(self, batch: "pl.DataFrame") -> None:
        """Keep what rows say of the questions themselves."""
        import polars as pl

        of = [name for name in ("target", FINGERPRINT) if name in batch.columns]
        if of:
            rows = batch.select(pl.col("model", "question_id", *of).cast(pl.String)).unique(maintain_order=True)
            both = rows if self.marks is None else pl.concat([self.marks, rows], how="diagonal")
            self.marks = both.unique(maintain_order=True)

    def remarks(self) -> list[str]:
        """Say where models, or samples, were not asked the same."""
        import polars as pl

        if self.marks is None:
            return []
        marks = self.marks.filter(pl.col("model").is_in([*self.numbers]))
        return [*several_targets(marks), *different_questions(marks)]


def _with_models(frame: "pl.LazyFrame", path: Path) -> "pl.LazyFrame":
    """Rows with the names of their models, variants in them; models of a file without names are called after it."""
    import polars as pl

    names = frame.collect_schema().names()
    if "model" not in names:
        if other := meant("model", names):
            raise MooInferError(f"missing model; is {other} meant? --column model={other}")
        frame = frame.with_columns(pl.lit(called_after(path)).alias("model"))
    model = pl.col("model").cast(pl.String)
    if VARIANT in names:
        variant = pl.col(VARIANT).cast(pl.String).str.strip_chars()
        model = pl.when(variant != "").then(model + "/" + variant).otherwise(model)
        frame = frame.with_columns(model.alias("model")).drop(VARIANT)
    return frame.with_columns(pl.col("model").cast(pl.String))


def _refuse(batch: "pl.DataFrame", first: int) -> None:
    """Refuse rows without a model, and those that answers decided on, which may decide on rows of other models."""
    import polars as pl

    blank = batch.select((pl.col("model").str.strip_chars() == "").fill_null(True)).to_series()
    if blank.any():
        raise MooInferError(f"row {first + (blank.arg_max() or 0) + 1}: model is blank")
    decided = pl.lit(False)
    if WAVE in batch.columns:
        decided |= (pl.col(WAVE).cast(pl.Float64, strict=False) > 0).fill_null(False)
    if WHY in batch.columns:
        decided |= (pl.col(WHY).cast(pl.String).str.strip_chars() == CANCELLED).fill_null(False)
    rows = batch.select(decided.any()).item()
    if rows:
        raise MooInferError(
            f"has later waves or cancelled calls ({WAVE}, {WHY}): answers decided on them; such logs are read whole, "
            "not in parts (--stream)"
        )


def _gathered(folder: Path, place: Path) -> None:
    """Write the rows of a model into one file, in their order."""
    import polars as pl

    files = sorted(folder.iterdir())
    if len(files) == 1:
        files[0].replace(place)
        return
    pl.concat([pl.scan_parquet(file, glob=False) for file in files]).sink_parquet(place, compression="lz4")
    for file in files:
        file.unlink()
