"""Answers of several models to the same questions: which of them are the same, and whether that can be told."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from ..core.arrays import IntArray
from .samples import ANSWER_KEY, Samples

__all__ = ["coded_alike", "spelt_apart", "unlike_answers"]

# Of the questions that two models answer rightly, in which a right answer is the same text: nearly all, but a third
# where four choices are shuffled for each run.
LEAST = 0.5


def coded_alike(logs: Sequence[Samples], /) -> tuple[Samples, ...]:
    """Return the samples of several models with codes that are equal where the texts of their answers are.

    Those whose texts are not known are returned as they are.

    >>> small = Samples("small", ["q"], np.array([0]), np.ones(1), {"answer": [0], "answer_key": [77]})
    >>> large = Samples("large", ["q"], np.zeros(2, int), np.ones(2), {"answer": [0, 1], "answer_key": [55, 77]})
    >>> [log["answer"].tolist() for log in coded_alike([small, large])]
    [[1], [0, 1]]
    """
    keyed = [log[ANSWER_KEY] for log in logs if ANSWER_KEY in log]
    if len(keyed) < 2:
        return tuple(logs)
    different = np.unique(np.concatenate(keyed))
    different = different[different >= 0]
    return tuple(_recoded(log, different) if ANSWER_KEY in log else log for log in logs)


def _recoded(log: Samples, keys: IntArray) -> Samples:
    code = np.where(log.known("answer"), np.searchsorted(keys, log[ANSWER_KEY]), -1)
    return replace(log, columns={**log.columns, "answer": code})


@lru_cache(maxsize=256)
def unlike_answers(first: Samples, second: Samples, /) -> str:
    """Say why it is not known which answers of two models are the same; "" where it is.

    Args:
        first, second: on the same questions, coded alike.
    """
    for log in (first, second):
        if ANSWER_KEY not in log:
            return f"the answers of {log.model} are numbers of its own, without the texts that they stand for"
    common, alike = _rights_alike(first, second)
    if alike < LEAST * common:
        return (
            f"in {alike} of the {common} questions that both answer rightly is a right answer of {first.model} written "
            f"as one of {second.model}: they are spelt in other ways, or choices are shuffled"
        )
    return ""


@lru_cache(maxsize=256)
def spelt_apart(first: Samples, second: Samples, /) -> str:
    """Say in how many questions the right answers of two models are spelt in different ways; "" in none."""
    if not (ANSWER_KEY in first and ANSWER_KEY in second):
        return ""
    common, alike = _rights_alike(first, second)
    if alike == common:
        return ""
    return (
        f"in {common - alike} of the {common} questions that both answer rightly, no right answer of {first.model} is "
        f"written as one of {second.model}: that they agree is a lower bound"
    )


def _rights_alike(first: Samples, second: Samples) -> tuple[int, int]:
    """In how many questions both have right answers, and in how many of these some are the same."""
    rights = [log.known("answer") & (log.correct == 1) for log in (first, second)]
    both = np.intersect1d(*(log.question[right] for log, right in zip((first, second), rights, strict=True)))
    same = np.intersect1d(*(places[right] for places, right in zip(_places(first, second), rights, strict=True)))
    return len(both), len(np.unique(same // _codes(first, second)))


def _codes(first: Samples, second: Samples) -> int:
    return 1 + max(int(log["answer"].max(initial=0)) for log in (first, second))


def _places(first: Samples, second: Samples) -> list[IntArray]:
    """(N,) of each: numbers that are equal for equal answers to the same question."""
    codes = _codes(first, second)
    return [log.question * codes + log["answer"].astype(np.int64) for log in (first, second)]
