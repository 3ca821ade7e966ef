"""Brings the rows of one or more files together: in order, each sample once, several runs as further samples."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import MooInferError, by_accident
from ..quantities.samples import CALL, FINGERPRINT, KEYS
from .log import Log, Source

if TYPE_CHECKING:
    import polars as pl

__all__ = ["different_questions", "joined"]

PLACE = (*KEYS, "sample")
MEASURED = ("latency_s", "energy_j", "output_tokens", "reasoning_tokens")  # of an answer, not told by its question
SPREAD = 0.1  # by which they vary between two runs, at least: within a prompt lengths have a coefficient of 0.24
CHANCE = 0.01  # below it two runs do not agree by chance


def joined(
    frames: "Sequence[pl.DataFrame]", sources: Sequence[Source], /, *, strict: bool = False
) -> tuple[Log, list[str]]:
    """Return the log of all files, and remarks on how they belong together.

    Samples of one number that stand in several files are further samples of their question: a run each, with a seed of
    its own.

    Args:
        frames: the rows of each file, checked.
        sources: the files.
        strict: refuse a file that has some samples twice, though just the same.

    Raises:
        MooInferError: where a file has a sample twice, two files have the same rows, or what would become further
            samples are other questions, by their targets.
    """
    import polars as pl

    remarks: list[str] = []
    logs = [_ordered(Log(frame, (source,)), strict, remarks) for frame, source in zip(frames, sources, strict=True)]
    if len(logs) == 1:
        remarks += _repeated(logs[0].frame)
        return _without_fingerprints(logs[0], remarks)
    graded = any(log.frame["correct"].dtype == pl.Float64 for log in logs)
    whole = pl.concat(
        [
            (log.frame.cast({"correct": pl.Float64}) if graded else log.frame).with_columns(file=pl.lit(i, pl.Int64))
            for i, log in enumerate(logs)
        ],
        how="diagonal",
    )
    files = whole.group_by(PLACE, maintain_order=True).agg(pl.len().alias("files")).filter(pl.col("files") > 1)
    again = files["model"].unique(maintain_order=True).to_list()
    for model in again:
        remarks += _further(whole.filter(pl.col("model") == model), model, sources)
    if again:
        first = pl.col("sample").min().over(*KEYS)
        nth = pl.struct("file", "sample").rank("ordinal").over(*KEYS).cast(pl.Int64) - 1
        whole = whole.with_columns(
            pl.when(pl.col("model").is_in(again)).then(first + nth).otherwise("sample").alias("sample")
        )
    if CALL in whole.columns:  # requests of two files may have one name
        own = pl.when(pl.col("file").n_unique().over(*KEYS, CALL) > 1).then(pl.format("{}/{}", "file", CALL))
        whole = whole.with_columns(own.otherwise(CALL).alias(CALL))
    whole = whole.drop("file")
    remarks += _repeated(whole)
    return _without_fingerprints(_ordered(Log(whole, tuple(sources)), strict, remarks), remarks)


def _further(rows: "pl.DataFrame", model: str, sources: Sequence[Source]) -> list[str]:
    """Say that a model's files are further samples; refuse two with the same rows, or of other questions."""
    import polars as pl

    remarks = []
    parts = rows.partition_by("file", maintain_order=True)
    for j, later in enumerate(parts):
        for earlier in parts[:j]:
            both = later.join(earlier, on=PLACE, how="inner", suffix="_earlier")
            names = [name for name in later.columns if f"{name}_earlier" in both.columns and name != "file"]
            same = both.select(pl.all_horizontal(pl.col(name).eq_missing(pl.col(f"{name}_earlier")) for name in names))
            if len(both) and same.to_series().all():
                first, second = (sources[part["file"][0]].file for part in (earlier, later))
                agree = f"{second}: the {len(both)} samples of {model!r} that stand in {first} too are the same in both"
                chance = _chance(both, rows)
                if chance < CHANCE:
                    raise MooInferError(f"{agree}: one run twice is no further samples")
                remarks.append(
                    f"{agree}, as two runs are by chance in {100 * chance:.3g} % of such cases: they are further "
                    "samples all the same; was one run saved twice?"
                )
    several = rows.group_by(KEYS, maintain_order=True).agg(pl.col("file").n_unique()).filter(pl.col("file") > 1)
    for mark in (FINGERPRINT, "target"):
        if mark not in rows.columns:
            continue
        marked = rows.drop_nulls(mark).unique((*KEYS, mark), maintain_order=True)
        for (_, question), of in marked.group_by(KEYS, maintain_order=True):
            if of["file"].n_unique() > 1:
                first, second = (sources[of["file"][i]].file for i in (0, 1))
                raise MooInferError(
                    f"{second}: question {question!r:.60} of {model!r} is another one than in {first}: its text, its "
                    "choices or its target differ; give tasks names of their own, or tell runs apart by NAME=FILE"
                )
    further = (
        f"{len(several)} questions of {model} stand in {len(parts)} files: each file has further samples of them, "
        f"{len(rows)} in all; NAME=FILE tells runs apart that are not further samples"
    )
    return [*remarks, further]


def _repeated(frame: "pl.DataFrame") -> Iterator[str]:
    """Say of which models each sample is there several times, whatever its number, as independent ones are not."""
    import polars as pl

    measured = [name for name in MEASURED if name in frame.columns]
    if not measured:
        return
    if CALL in frame.columns:  # samples of one request share what they took
        frame = frame.filter(pl.col(CALL).is_null() | ~pl.struct(*KEYS, CALL).is_duplicated())
    content = pl.struct(pl.exclude("model", "sample"))
    # The first question of a model says no most often: few rows are copied, not those of every model.
    first = frame.group_by("model", maintain_order=True).agg(pl.col("question_id").first())
    questions = frame.join(first, on=KEYS, how="semi").group_by("model", maintain_order=True)
    for (model,), of_first in questions:
        if not of_first.select(content.is_duplicated().all()).item():
            continue
        rows = frame.filter(pl.col("model") == model)
        if not rows.select(content.is_duplicated().all()).item():
            continue
        if _chance(rows.filter(~content.is_first_distinct())) < CHANCE:
            yield (
                f"each sample of {model} is there twice or more, with the same {' and '.join(measured)}: where a run "
                "was written several times, or answers came from a cache, these are no further samples"
            )


def _chance(same: "pl.DataFrame", rows: "pl.DataFrame | None" = None) -> float:
    """The probability that samples are measured as others are by chance, and judged so among given rows, at most.

    Two samples are judged alike as often as any two of the model are, and a number that varies by a tenth agrees in
    one of as many cases as a tenth of it has steps, where it is written with so many digits. One that is the same in
    all samples, as outputs of a length that was asked for, does not vary.
    """
    judged = np.ones(1) if rows is None else rows["correct"].value_counts()["count"].to_numpy() / len(rows)
    chance = np.full(len(same), float((judged**2).sum()))
    for name in MEASURED:
        if name in same.columns and same[name].n_unique() > 1:
            steps = np.array([_steps(x) for x in same[name].fill_null(0)])
            chance = np.minimum(chance, 1 / np.maximum(SPREAD * steps, 1))
    return float(np.prod(chance))


def _steps(value: float) -> int:
    """How many steps of its last written digit a number has: 3.217 is 3217 of them.

    >>> [_steps(value) for value in (3.217, 0.5, 120)]
    [3217, 5, 120]
    """
    return value if isinstance(value, int) else int(f"{value:.15e}".partition("e")[0].replace(".", "").rstrip("0") or 0)


def _without_fingerprints(log: Log, earlier: Sequence[str]) -> tuple[Log, list[str]]:
    """The log without fingerprints of questions, and a remark where questions of one name differ."""
    if FINGERPRINT not in log.frame.columns:
        return log, [*earlier]
    return Log(log.frame.drop(FINGERPRINT), log.sources), [*earlier, *different_questions(log.frame)]


def different_questions(frame: "pl.DataFrame", /) -> Iterator[str]:
    """Say where questions of one name have several fingerprints."""
    import polars as pl

    if FINGERPRINT not in frame.columns:
        return
    marks = frame.group_by("question_id", maintain_order=True).agg(pl.col(FINGERPRINT).drop_nulls().n_unique())
    different = marks.filter(pl.col(FINGERPRINT) > 1)["question_id"]
    if len(different):
        yield (
            f"{len(different)} questions ({different[0]!r:.60} is one) are not the same everywhere: their text, their "
            "choices or their targets differ; who compares models compares them on different questions"
        )


def _ordered(log: Log, strict: bool, remarks: list[str]) -> Log:
    """Bring rows of a question together, in the order of their numbers; refuse duplicates, or say what is left out."""
    import polars as pl

    frame, runs = log.frame, log._runs
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
    position = np.repeat(each, np.diff(np.append(starts, len(frame))))
    order = np.lexsort((sample, position))
    position, sample = position[order], sample[order]
    twice = np.flatnonzero((np.diff(position) == 0) & (np.diff(sample) == 0))
    if not len(twice):
        return Log(frame.select(pl.all().gather(pl.Series(order))), log.sources)
    pairs = [sorted(int(i) for i in order[position : position + 2]) for position in twice]
    first, second = pairs[0]
    model, question, number = frame.select(*KEYS, "sample").row(first)
    fault = (
        f"{log.sources[0].file}: row {second + 1}: model {model!r}, question {question!r:.60}, sample {number} stands "
        f"in row {first + 1} already"
    )
    if strict or len(pairs) > by_accident(len(frame)) or any(frame.row(i) != frame.row(j) for i, j in pairs):
        raise MooInferError(
            f"{fault}, {len(pairs)} such in all; without a column sample, the rows of a question are numbered in their "
            "order"
        )
    remarks.append(f"{fault}, just the same, and is left out; {len(pairs)} such in all")
    left = np.delete(order, twice + 1)
    return Log(frame.select(pl.all().gather(pl.Series(left))), log.sources)
