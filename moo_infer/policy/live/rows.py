"""A sample as a row of the log, and back."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from ...core.errors import MooInferError
from ...read.labels import as_label
from .course import Sample
from .inference import Inference
from .question import Question

__all__ = ["is_number", "is_text", "is_whole", "parsed", "row_of", "sample_of"]

Fits: TypeAlias = Callable[[Any], bool]


def is_text(value: object, /) -> bool:
    """Whether a value is text."""
    return isinstance(value, str)


def _finite(value: object) -> bool:
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def is_number(value: Any, /) -> bool:
    """Whether a value is a finite number >= 0."""
    return _finite(value) and value >= 0


def is_whole(value: object, /) -> bool:
    """Whether a value is a whole number >= 0."""
    return is_number(value) and isinstance(value, int)


def _or_none(fits: Fits) -> Fits:
    return lambda value: value is None or fits(value)


FIT: Mapping[str, Fits] = {  # what a row may hold
    **dict.fromkeys(("model", "question_id", "call", "why"), is_text),
    **dict.fromkeys(("variant", "answer", "started_at"), _or_none(is_text)),
    **dict.fromkeys(("sample", "wave", "requests"), is_whole),
    "correct": lambda value: value is None or isinstance(value, bool) or (is_number(value) and value <= 1),
    "score": _or_none(_finite),
    **dict.fromkeys(("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens"), _or_none(is_whole)),
    **dict.fromkeys(("latency_s", "cost_usd"), _or_none(is_number)),
    "lost_usd": is_number,
}


def row_of(question: Question, sample: Sample, variants: Mapping[str, str], /) -> dict[str, Any]:
    """Return the row of a sample: every key stands in every row, None where something is not known.

    Args:
        question: what was asked.
        sample: what came.
        variants: by profile the variant of a model that it is; "" for none.

    >>> row = row_of(Question.of("2 + 2?"), Sample("small/cot", Inference("4"), "4", True), {"small/cot": "cot"})
    >>> row["model"], row["variant"], row["answer"], row["correct"], row["wave"]
    ('small', 'cot', '4', True, 0)
    """
    variant = variants.get(sample.model, "")
    of, task = sample.inference, as_label(question.fields.get("task"))
    return {
        "model": sample.model.removesuffix(f"/{variant}") if variant else sample.model,
        "variant": variant or None,
        "question_id": question.id,
        "task": task if task and isinstance(task, str) else None,
        "sample": sample.number,
        "correct": sample.correct,
        "answer": sample.answer,
        "score": sample.score,
        "input_tokens": of.input_tokens,
        "cached_input_tokens": of.cached_input_tokens,
        "output_tokens": of.output_tokens,
        "reasoning_tokens": of.reasoning_tokens,
        "latency_s": of.latency_s,
        "cost_usd": of.cost_usd,
        "started_at": of.started_at,
        "wave": sample.wave,
        "call": of.call,
        "requests": of.requests,
        "lost_usd": of.lost_usd,
        "why": sample.why,
    }


def sample_of(row: Mapping[str, Any], /) -> Sample:
    """Return the sample of a row that a run wrote; its text is not kept.

    >>> question, sample = Question.of("2 + 2?"), Sample("small", Inference(cost_usd=0.1, call="a-1"), "4", True)
    >>> sample_of(row_of(question, sample, {})) == sample
    True

    Raises:
        MooInferError: for a row that no run wrote.
    """
    try:
        for name, fits in FIT.items():
            if not fits(row[name]):
                raise MooInferError(f"{name} of a row of a run is never {row[name]!r:.60}")
        model = row["model"] if row["variant"] is None else f"{row['model']}/{row['variant']}"
        names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "latency_s", "cost_usd")
        kept = {name: row[name] for name in (*names, "started_at", "call", "requests", "lost_usd")}
        unbilled = row["cost_usd"] is None and row["input_tokens"] is None
        failed = row["answer"] is None and row["correct"] is None and bool(row["why"]) and unbilled
        why = row["why"] if failed else ""
        inference = Inference(None, why, failed, score=None, billed=row["input_tokens"] is not None, **kept)
        return Sample(
            model, inference, row["answer"], row["correct"], row["score"], row["why"], row["wave"], row["sample"]
        )
    except KeyError as error:
        raise MooInferError(f"is no row of a run: it has no {error!s:.60}") from None


def parsed(line: bytes, /) -> dict[str, Any] | None:
    """Return the object of a line that a run wrote; None where it is none."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
