"""Answers of several models to the same questions: which of them are the same, and whether that can be told."""

from functools import lru_cache

import numpy as np

from ..core.arrays import IntArray
from .samples import ANSWER_KEY, Samples

__all__ = ["dense", "spelt_apart", "unlike_answers"]

# Of the questions that two models answer rightly, in which a right answer is the same text: nearly all, but a third
# where four choices are shuffled for each run.
LEAST = 0.5


def dense(keys: IntArray, /) -> IntArray:
    """Return codes 0, 1, ... that are equal where keys are; -1 stays.

    >>> dense(np.array([[77, -1, 2**62], [5, 77, 5]]))
    array([[ 1, -1,  2],
           [ 0,  1,  0]])
    """
    different, code = np.unique(keys, return_inverse=True)
    return np.asarray(code.reshape(keys.shape) - int(np.count_nonzero(different < 0)))


@lru_cache(maxsize=256)
def unlike_answers(first: Samples, second: Samples, /) -> str:
    """Say why it is not known which answers of two models are the same; "" where it is.

    Args:
        first, second: on the same questions.
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
    same = np.intersect1d(*(place[right] for place, right in zip(_places(first, second), rights, strict=True)))
    codes = max(len(first), len(second)) * 2  # of both, at most
    return len(both), len(np.unique(same // codes))


def _places(first: Samples, second: Samples) -> tuple[IntArray, IntArray]:
    """(N,) of each: numbers that are equal for equal answers to the same question."""
    codes = max(len(first), len(second)) * 2
    answers = dense(np.concatenate([first[ANSWER_KEY], second[ANSWER_KEY]]))
    return first.question * codes + answers[: len(first)], second.question * codes + answers[len(first) :]
