"""Checks and types of the columns of the neutral table."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.arrays import BoolArray, FloatArray
from ..core.errors import MooInferError, by_accident, listed
from ..core.files import ends_open
from ..quantities.samples import CALL, COLUMNS, FINGERPRINT, KEYS, STARTED, TOKENS, VARIANT, WAVE, WHY
from .grading import Grading, Unreadable, advice, graded
from .labels import short_labels
from .rows import Raw

if TYPE_CHECKING:
    import polars as pl

__all__ = ["NEEDED", "checked", "meant"]

TEXTS = (*KEYS, VARIANT, "answer", "target", FINGERPRINT, CALL, WHY, STARTED)
WHOLE = ("sample", *TOKENS, WAVE, "requests")
NUMBERED = ("sample", WAVE)  # never blank: a row that does not say its wave may be one that answers decided on
OF_RUNS = (CALL, "requests", "lost_usd", WHY, STARTED)  # names that are often near those of other things
ALL, CACHED = "input_tokens", ("cached_input_tokens", "cache_write_tokens")  # of all, read from a cache and written
NEEDED = (*KEYS, "correct")  # samples are numbered where they have no numbers
LARGEST = 2**53  # beyond, whole numbers are not told apart by a float, and squares of others may overflow
LISTED = 30  # names of columns in a message
SHOWN = 100  # rows whose faults are put into words
MARKS = 2  # of text, of which one may say what is right
LOOKED_AT = 10_000  # samples for a median
LONG_S, SLOW_S = 600.0, 60.0  # seconds of a sample that are questioned, the second where a token takes more than one
COUNTED = re.compile(r"(n|num|number|count|total)([ _-]|$)", re.IGNORECASE)  # columns that are no score of one sample
ELSEWHERE = {  # what others call the columns that are needed
    "model": ("model_name", "model_id", "llm", "engine"),
    "question_id": ("prompt_id", "problem_id", "task_id", "item_id", "doc_id", "qid", "id", "question"),
    "correct": ("is_correct", "passed", "right", "success", "accuracy", "grade", "score"),
}


def checked(
    raw: Raw, grading: Grading, /, *, strict: bool = False, judged: Sequence[str] = ()
) -> "tuple[pl.DataFrame, list[str]]":
    """Return the columns of the neutral table that have values, typed and in range, and remarks on what is odd.

    Text is String, `correct` Boolean (Float64 where scores are grades), token counts and `sample` Int64, other numbers
    Float64; blanks are null. Behind them stand columns that may be labels, as text. Records that cannot be are left
    out, all of them named in one sentence. What is possible but odd is said in sentences.

    Args:
        raw: what a reader gave.
        grading: how its `correct` is read.
        strict: refuse what else would be left out.
        judged: further columns, of which each value is a number in [0, 1], true or false, or blank.

    Raises:
        MooInferError: for columns that are missing, and where more records would be left out than stay, or scores that
            cannot be read are no accident: naming rows (counted from 1) and columns, what is allowed and what was
            given.
    """
    import polars as pl

    frame, n = raw.frame, len(raw.frame)
    names = [*frame.columns, *([] if raw.scores is None else ["correct"])]
    if not n and raw.odd:
        raise MooInferError(listed(raw.odd))
    if names:
        _refuse_missing(names, frame)
    if not n:
        raise MooInferError("holds no samples")
    clean, faults = _typed(frame)
    grades, unread = graded(raw.scores, n, grading)
    bad = np.zeros(n, dtype=bool)
    bad[list(unread)] = True
    for fault in faults.values():
        bad |= fault
    left_out = _left_out(raw, clean, faults, unread, bad, strict=strict) if raw.odd or bad.any() else []
    grades, partly_right = _without_few_grades(grades, grading)
    correct = pl.Series("correct", grades, nan_to_null=True)
    is_graded = ((grades > 0) & (grades < 1)).any()
    clean = clean.with_columns(correct if is_graded else correct == 1, *_judgements(frame, judged))
    clean = clean.filter(pl.Series(~bad))
    remarks = [*left_out, *partly_right]
    if "sample" not in clean.columns:
        remarks.append("has no column sample: the rows of a question are numbered in their order")
        clean = clean.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).over(*KEYS).alias("sample"))
    there = [name for name in (*COLUMNS, FINGERPRINT, *judged) if name in clean.columns]
    clean = clean.select(name for name in there if name in (*NEEDED, "sample") or clean[name].null_count() < len(clean))
    labels = short_labels(frame.filter(pl.Series(~bad)).drop(judged, strict=False))
    odd = [*_misspelt([name for name in names if name not in judged]), *_odd(clean)]
    return pl.concat([clean, labels], how="horizontal"), [*remarks, *odd]


def _judgements(frame: "pl.DataFrame", names: Sequence[str]) -> "Iterator[pl.Series]":
    """How samples were judged otherwise, as numbers; raises MooInferError for what is no such judgement."""
    import polars as pl

    for name in (name for name in names if name in frame.columns):
        values, unread = graded(frame[name], len(frame), Grading())
        for row in unread:
            question, content = frame["question_id"][row], frame[name][row]
            raise MooInferError(
                f"row {row + 1} (question {str(question)!r:.60}): {name}: must be in [0, 1], true or false, or blank, "
                f"got {content!r:.60}"
            )
        yield pl.Series(name, values, nan_to_null=True)


def _left_out(
    raw: Raw,
    clean: "pl.DataFrame",
    faults: Mapping[str, BoolArray],
    unread: Mapping[int, Unreadable],
    bad: BoolArray,
    *,
    strict: bool,
) -> list[str]:
    """Say which records are left out, and refuse the file where that is no accident."""
    count, kept = len(raw.odd) + int(bad.sum()), int((~bad).sum())
    no_accident = raw.scores is not None and _no_accident(raw.scores, unread)
    one_kind = bool(unread) and (no_accident or len(unread) > kept)  # the scores, so that one will do
    helpful = _advice(unread, one_kind)
    rows = [*unread][:1] if one_kind else np.flatnonzero(bad)[:SHOWN]
    odd = [*([] if one_kind else raw.odd), *(_why(int(i), raw.frame, clean, faults, unread) for i in rows)]
    if strict or no_accident or count > kept:
        raise MooInferError(listed(odd, count) + helpful)
    if bad[-1] and raw.text is not None and ends_open(raw.text):
        raise MooInferError(f"is cut off: {_why(len(bad) - 1, raw.frame, clean, faults, unread)}")
    return [f"{count} of {count + kept} records are left out: {listed(odd, count)}{helpful}"]


def _without_few_grades(grades: FloatArray, grading: Grading) -> tuple[FloatArray, list[str]]:
    """Take few scores between 0 and 1 as wrong, and say so; where there are many a scale is needed, and asked for."""
    partly = (grades > 0) & (grades < 1)
    if grading.scale is not None or not partly.any():
        return grades, []
    if 2 * partly.sum() > np.isfinite(grades).sum():
        fault = (
            f"{partly.sum()} of {len(grades)} samples have scores between 0 and 1: they are graded, not right or wrong"
        )
        raise MooInferError(f"{fault}; {advice([0.0, 1.0])}")
    remark = f"{partly.sum()} samples are partly right and count as wrong; {advice([0.0, 1.0])}"
    return np.where(partly, 0.0, grades), [remark]


def _refuse_missing(names: Sequence[str], frame: "pl.DataFrame") -> None:
    """Say which columns are missing, which there are, and which of them may be meant."""
    missing = [name for name in NEEDED if name not in names]
    if not missing:
        return
    available = [
        name
        for name in names
        if name == "correct" or name not in (*COLUMNS, FINGERPRINT) or frame[name].null_count() < len(frame)
    ]
    advice = "".join(
        f"; is {close} meant? --column {name}={close}" for name in missing if (close := meant(name, available))
    )
    there = ", ".join(available[:LISTED]) + (", ..." if len(available) > LISTED else "")
    raise MooInferError(f"missing {', '.join(missing)}; columns: {there or 'none'}{advice}")


def meant(name: str, header: Sequence[str], /) -> str | None:
    """Return which of the columns of a file may be meant by a name of the neutral table, or None.

    >>> meant("question_id", ["Prompt ID", "answer"]), meant("correct", ["num_correct", "corect"])
    ('Prompt ID', 'corect')
    """
    if name == "correct":
        header = [column for column in header if not COUNTED.match(column.strip())]
    free = {
        column.strip().lower().replace(" ", "_").replace("-", "_"): column for column in header if column not in COLUMNS
    }
    near = [other for other in (name, *ELSEWHERE.get(name, ())) if other in free] or get_close_matches(name, free, n=1)
    return free[near[0]] if near else None


def _typed(frame: "pl.DataFrame") -> "tuple[pl.DataFrame, dict[str, BoolArray]]":
    """The columns with their types, and by column in which rows they cannot be."""
    import polars as pl

    kept = [
        name
        for name in (*COLUMNS, FINGERPRINT)
        if name in frame.columns and (name in KEYS or frame[name].null_count() < len(frame))
    ]
    values = {name: _value(name, frame.schema[name]) for name in kept}
    clean = frame.select(value.alias(name) for name, (value, _) in values.items())
    fault_frame = frame.select(fault.alias(name) for name, (_, fault) in values.items())
    faults = {name: fault_frame[name].to_numpy() for name in fault_frame.columns}
    cached = [name for name in CACHED if name in faults]
    if ALL in faults and cached:
        more = (pl.sum_horizontal(cached) > pl.col(ALL)).fill_null(False)
        faults[cached[0]] = faults[cached[0]] | clean.select(more).to_series().to_numpy()
    return clean, {name: fault for name, fault in faults.items() if fault.any()}


def _in_words(dtype: Any) -> str:
    """What a column of Parquet holds."""
    words = {"List": "lists", "Struct": "mappings", "Binary": "bytes", "Boolean": "true and false", "Date": "dates"}
    words |= {"Datetime": "dates with times", "Time": "times of day", "Duration": "durations", "Object": "objects"}
    return words.get(str(dtype.base_type()), "text")


def _value(name: str, dtype: Any) -> "tuple[pl.Expr, pl.Expr]":
    """The value of a column, and where it is refused."""
    import polars as pl

    column = pl.col(name)
    if name in TEXTS:
        if dtype.is_nested() or dtype in (pl.Binary, pl.Object, pl.Duration):
            raise MooInferError(f"{name}: must be text, got {_in_words(dtype)}")
        text = column.cast(pl.String)
        if name == CALL:  # two blanks are not one request
            text = text.str.strip_chars()
            text = pl.when(text != "").then(text)
        return text, (text.str.strip_chars() == "").fill_null(True) if name in KEYS else pl.lit(False)
    if dtype == pl.String:
        column = column.str.strip_chars()
        column = pl.when(column != "").then(column)
    if not (dtype.is_numeric() or dtype == pl.String):
        raise MooInferError(f"{name}: must be numbers, got {_in_words(dtype)}")
    number = column if dtype.is_integer() else column.cast(pl.Float64, strict=False)
    refused = number.is_null() if name in NUMBERED else column.is_not_null() & number.is_null()
    if name != "score":
        refused |= number < 0
    refused |= (number > LARGEST) | (number < -LARGEST)
    if not dtype.is_integer():
        refused |= ~number.is_finite()
        if name in WHOLE:
            refused |= number != number.floor()
    return number.cast(pl.Int64 if name in WHOLE else pl.Float64, strict=False), refused.fill_null(False)


def _no_accident(scores: "Sequence[object] | pl.Series", unread: Mapping[int, Unreadable]) -> bool:
    """Whether many of the scores that cannot be read are the same, as -1 is where it means wrong, or are numbers.

    Numbers differ where they count something, or are of a scale of which few use the other end.
    """
    times = Counter(repr(scores[row]) for row in unread)
    numbers = sum(error.score is not None and math.isfinite(error.score) for error in unread.values())
    return max(numbers, *times.values(), 0) > by_accident(len(scores))


def _advice(unread: Mapping[int, Unreadable], one_kind: bool) -> str:
    """Which options would help with scores that cannot be read; texts that are not of one kind are no marks."""
    numbers = [error.score for error in unread.values() if error.score is not None]
    texts = dict.fromkeys(error.advice for error in unread.values() if error.score is None and error.advice)
    sentences = [*([advice(numbers)] if numbers else []), *[*texts][: MARKS if one_kind else 0]]
    return "".join(f"; {text}" for text in sentences)


def _why(
    row: int,
    frame: "pl.DataFrame",
    clean: "pl.DataFrame",
    faults: Mapping[str, BoolArray],
    unread: Mapping[int, Unreadable],
) -> str:
    """Where a row stands, and what cannot be in it."""
    question = frame["question_id"][row]
    place = f"row {row + 1}" + ("" if question is None else f" (question {str(question)!r:.60})")
    if row in unread:
        return f"{place}: correct: {unread[row].reason}"
    name = next(name for name, fault in faults.items() if fault[row])
    content = frame[name][row]
    if content is None or not str(content).strip():
        return f"{place}: {name} is blank"
    parts = {column: tokens for column in CACHED if column in clean.columns and (tokens := clean[column][row])}
    tokens = clean[ALL][row] if ALL in clean.columns else None
    if name in CACHED and tokens is not None and sum(parts.values()) > tokens:
        sums = " and ".join(f"{column} = {of}" for column, of in parts.items())
        are = "is" if len(parts) == 1 else "are together"
        return f"{place}: {sums} {are} more than input_tokens = {tokens}, which are all of them, cached ones too"
    value = clean[name][row] if name not in TEXTS else None
    allowed = "a whole number from 0 to 2^53" if name in WHOLE else "a finite number" + " >= 0" * (name != "score")
    if name not in WHOLE and value is not None and LARGEST < abs(value) < np.inf:
        allowed = "a number of at most 2^53"
    return f"{place}: {name}: must be {allowed}, got {content!r:.60}"


def _misspelt(names: Sequence[str]) -> Iterator[str]:
    """Columns whose names are nearly those of columns that are not there."""
    absent = [name for name in COLUMNS if name not in (*names, *OF_RUNS)]
    for name in names:
        plain = name.strip().lower()
        begun = [column for column in absent if column.startswith(f"{plain}_")]
        if name not in COLUMNS and (close := begun or get_close_matches(plain, absent, n=1, cutoff=0.8)):
            yield f"column {name!r} is not read; is {close[0]} meant?"


def _odd(frame: "pl.DataFrame") -> Iterator[str]:
    """Compare columns with each other: say what is odd."""
    import polars as pl

    if {"reasoning_tokens", "output_tokens"} <= {*frame.columns}:
        more = frame.select((pl.col("reasoning_tokens") > pl.col("output_tokens")).fill_null(False)).to_series()
        if more.any():
            yield (
                f"{more.sum()} of {len(frame)} samples have more reasoning_tokens than output_tokens, which are all "
                "that are billed, reasoning too; were they counted apart?"
            )
    if "latency_s" in frame.columns:
        some = frame.gather_every(1 + len(frame) // LOOKED_AT)
        seconds = pl.col("latency_s")
        tokens = pl.col("output_tokens") if "output_tokens" in frame.columns else pl.lit(None, dtype=pl.Int64)
        median, each = some.select(seconds.median(), (seconds / tokens.clip(1)).median().alias("each")).row(0)
        if median is not None and (median > LONG_S or (median > SLOW_S and (each or 0) > 1)):
            rate = f", {each:.3g} s per output token" if each is not None else ""
            yield f"the median of latency_s is {median:.4g} s{rate}: were milliseconds written? Seconds are read."
