"""Logs of evaluations as the neutral table, and where its rows come from."""

import gzip
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.arrays import IntArray
from ..core.errors import MooInferError, unknown
from ..core.files import atomic_write
from ..quantities.samples import ANSWER_KEY, CALL, KEYS, REQUIRED, STARTED, WHY, Samples
from .labels import label_names
from .waves import REASON, refusals, sentences

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Log", "Source", "ending_of_table"]

TEXTS = ("answer", "target", CALL, WHY, STARTED)  # none of them a number of a sample
SUFFIXES = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet")


@dataclass(frozen=True)
class Source:
    """Where rows come from.

    Args:
        file: the path, as it was given.
        sha256: of the file's bytes, in hexadecimal.
        rows: how many samples were read from it.
        format: the name of the log reader that read it.
        models: those in it, as they are called here.
        called: what its model is called in the file, where another name was given; otherwise "".
    """

    file: str
    sha256: str
    rows: int
    format: str
    models: tuple[str, ...] = ()
    called: str = ""

    def __str__(self) -> str:
        """Return the file, the beginning of its checksum, how many rows it has, and its format."""
        return f"{self.file} (sha256 {self.sha256[:12]}, {self.rows} rows, {self.format})"


@dataclass(frozen=True, eq=False)
class Log:
    """Samples of one or more models, in the neutral table.

    Args:
        frame: a polars frame, a row a sample: those columns of `COLUMNS` that say something, checked. Text is String,
            `correct` Boolean (null where the sample failed; Float64 in [0, 1] where scores are grades), `sample` and
            token counts Int64, other numbers Float64; unknown is null. Behind them stand labels of the questions
            (``task``), String, the same in all rows of a question. Models and their questions stand in the order in
            which they first appear, samples of a question in that of their numbers.
        sources: where the rows come from.
        left_out: rows that answers decided on, of which nothing is estimated: those of later waves, and of questions
            with a cancelled call; with their ``reason``. None for none.
    """

    frame: "pl.DataFrame"
    sources: tuple[Source, ...] = ()
    left_out: "pl.DataFrame | None" = None

    @cached_property
    def refused(self) -> Mapping[str, str]:
        """Of which models nothing is estimated, and why: their questions were chosen by answers."""
        return refusals(self.frame, self.left_out)

    @property
    def models(self) -> list[str]:
        """The names of the models that are left, in order."""
        return list(map(str, self.frame["model"].unique(maintain_order=True)))

    def samples(self) -> list[Samples]:
        """Return the samples of each model as arrays, models and questions in the order of the frame.

        Answers are integer codes within the model, without the white space around them; -1 is blank. ``answer_key``
        beside them is the same for the same text in every log. Unknown numbers are NaN, and a column or label of which
        a model has nothing is left out. Targets stay in the table. What was left out is said in the samples; models of
        which nothing is left are in `refused`.

        Raises:
            MooInferError: where nothing is left of any model.
        """
        import polars as pl

        if self.refused and not len(self.frame):
            raise MooInferError("; ".join(f"{model}: {why}" for model, why in self.refused.items()))
        frame, runs = self.frame, self._runs
        labels = label_names(frame)
        numbers = [name for name in frame.columns if name not in (*REQUIRED, *TEXTS, *labels)]
        numbered = [pl.col("correct", *numbers).cast(pl.Float64).fill_null(np.nan)]
        code = key = np.zeros(0, dtype=np.int64)
        if "answer" in frame.columns:
            code, key, which = _codes(frame["answer"])
            numbered.append(which)
        if CALL in frame.columns:
            numbered.append(_numbers_of(frame[CALL]))
        arrays = frame.select(numbered)
        correct, *others = (arrays[name].to_numpy() for name in ("correct", *numbers))
        answers = [of[arrays["answer"].to_numpy()] for of in (code, key)] if "answer" in frame.columns else []
        starts = np.append(runs["start"].to_numpy(), len(frame))
        of_runs = frame.select(pl.col(labels).fill_null("").gather(runs["start"])) if labels else frame.select()
        samples = []
        for (model,), part in runs.with_row_index("run").group_by("model", maintain_order=True):
            first, last = part["run"][0], part["run"][-1] + 1
            rows = slice(int(starts[first]), int(starts[last]))
            columns: dict[str, Any] = {
                name: array[rows]
                for name, array in zip(numbers, others, strict=True)
                if frame[name][rows].null_count() < rows.stop - rows.start
            }
            if answers and (answers[0][rows] >= 0).any():
                columns |= {"answer": _compact(answers[0][rows]), ANSWER_KEY: answers[1][rows]}
            if CALL in frame.columns and ((call := arrays[CALL].to_numpy()[rows]) >= 0).any():
                columns[CALL] = call
            question = np.repeat(np.arange(last - first), np.diff(starts[first : last + 1]))
            names, about = part["question_id"].to_list(), self._left_out(str(model))
            own = {name: of_runs[name][first:last].to_list() for name in labels}
            own = {name: values for name, values in own.items() if any(values)}
            samples.append(Samples(str(model), names, question, correct[rows], columns, about, own))
        return samples

    def _left_out(self, model: str) -> list[str]:
        """What of a model is left out, in words."""
        import polars as pl

        of_model = pl.col("model") == model
        if self.left_out is None:
            return []
        return sentences(self.frame.filter(of_model), self.left_out.filter(of_model))

    def with_models(self, models: Sequence[str], /) -> "Log":
        """Return the samples of some models; raises MooInferError for one that is not there."""
        import polars as pl

        there = [*self.frame["model"].unique(maintain_order=True).to_list(), *self.refused]
        for model in models:
            if model not in there:
                raise unknown("model", model, there)
        chosen = pl.col("model").is_in(list(models))
        left_out = None if self.left_out is None else self.left_out.filter(chosen)
        return Log(self.frame.filter(chosen), self.sources, left_out)

    def files_of(self, model: str, /) -> list[Source]:
        """Return the files that a model's rows come from."""
        return [source for source in self.sources if model in source.models]

    def write(self, path: str | Path, /) -> None:
        """Write the table to a file: .csv, .jsonl, either also with .gz, or .parquet; with what was left out.

        It is written beside the file first and then renamed, so that nothing half-written is ever found.

        Raises:
            MooInferError: for other endings, and where the file cannot be written.
        """
        with self.written(path):
            pass

    @contextmanager
    def written(self, path: str | Path, /) -> Iterator[None]:
        """Do what `write` does, but let the file appear at the end of the block, where nothing fails in it."""
        import polars as pl

        path = Path(path)
        ending = ending_of_table(path)
        names = {".parquet": "write_parquet", ".csv": "write_csv", ".jsonl": "write_ndjson"}
        rows = [self.frame] if self.left_out is None else [self.frame, self.left_out.drop(REASON)]
        write: Any = getattr(pl.concat(rows, how="diagonal"), names[ending.removesuffix(".gz")])
        with atomic_write(path) as target:
            with gzip.open(target, "wb") if ending.endswith(".gz") else target.open("wb") as file:
                try:
                    write(file)
                except pl.exceptions.PolarsError as error:  # as polars says that a disk is full
                    raise MooInferError(f"{path}: cannot be written: {str(error).splitlines()[0]:.200}") from None
            yield

    @cached_property
    def _runs(self) -> "pl.DataFrame":
        """Rows beside each other that belong to one question: model, question_id, and the number of the first row."""
        import polars as pl

        begins = np.zeros(len(self.frame) + 1, dtype=bool)
        begins[0] = True
        for name in KEYS:
            begins[np.cumsum(self.frame[name].rle().struct.field("len").to_numpy(), dtype=np.int64)] = True
        starts = np.flatnonzero(begins[:-1])
        return self.frame.select(pl.col(KEYS).gather(pl.Series(starts))).with_columns(start=starts)


def ending_of_table(path: Path, /) -> str:
    """Return how a file is called in which a neutral table is written.

    Raises:
        MooInferError: for other endings.

    >>> ending_of_table(Path("log.csv.gz"))
    '.csv.gz'
    """
    ending = next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), None)
    if ending is None:
        raise MooInferError(f"{path}: must end in one of {', '.join(SUFFIXES)}")
    return ending


def _codes(answers: "pl.Series") -> "tuple[IntArray, IntArray, pl.Expr]":
    """Codes and keys of the different answers without the white space around them, and which of them each answer is.

    Both are -1 where nothing is left, and at the end for no answer.
    """
    import polars as pl

    different = answers.drop_nulls().unique()
    stripped = different.str.strip_chars()
    kept = stripped.filter(stripped != "").unique().sort()
    code = stripped.cast(pl.Enum(kept), strict=False).to_physical().cast(pl.Int64).fill_null(-1).to_numpy()
    which = pl.col(answers.name).cast(pl.Enum(different)).to_physical().cast(pl.Int64).fill_null(len(different))
    keys = np.array([_key(text) for text in kept], dtype=np.int64)
    code = np.append(code, -1)
    return code, np.where(code < 0, -1, np.append(keys, -1)[code]), which


def _numbers_of(calls: "pl.Series") -> "pl.Expr":
    """Numbers of the different names of requests; -1 where there is none."""
    import polars as pl

    named = pl.col(calls.name).cast(pl.Enum(calls.drop_nulls().unique()))
    return named.to_physical().cast(pl.Int64).fill_null(-1)


def _key(text: str) -> int:
    """63 bits of a digest: among a million texts two have the same one with a chance of 1e-7."""
    return int.from_bytes(blake2b(text.encode("utf-8"), digest_size=8).digest(), "big") >> 1


def _compact(codes: IntArray) -> IntArray:
    """The same codes as 0, 1, ... without gaps; -1 stays."""
    used = np.bincount(codes + 1) > 0
    if used[1:].all():
        return codes
    used[0] = False
    compact: IntArray = np.where(codes < 0, -1, (np.cumsum(used) - 1)[codes + 1])
    return compact
