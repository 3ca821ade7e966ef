"""Answers of several models to the same questions: which of them are the same, and whether that can be told."""

from dataclasses import replace
from functools import lru_cache

import numpy as np

from ..core.arrays import IntArray
from .samples import ANSWER_KEY, Samples

__all__ = ["coded_alike", "spelt_apart", "unlike_answers"]

# Of the questions that two models answer rightly, in which a right answer is the same text: nearly all, but a third
# where four choices are shuffled for each run.
LEAST = 0.5


@lru_cache(maxsize=16)
def coded_alike(logs: tuple[Samples, ...], /) -> tuple[Samples, ...]:
    """Return the samples of several models with codes of answers that are equal where the texts are.

    Those of a model whose texts are not known are equal to none of another model. They are made once for the same logs,
    so that all that is kept of them is kept once.

    >>> small = Samples("small", ["q"], np.zeros(1, int), np.ones(1), {"answer": [0], "answer_key": [77]})
    >>> given = {"answer": [0, -1, 1], "answer_key": [55, -1, 77]}
    >>> large = Samples("large", ["q"], np.zeros(3, int), np.ones(3), given)
    >>> plain = Samples("plain", ["q"], np.zeros(2, int), np.ones(2), {"answer": [0, 1]})
    >>> [log["answer"].tolist() for log in coded_alike((small, large, plain))]
    [[1], [0, -1, 1], [2, 3]]
    """
    given = [log[ANSWER_KEY] for log in logs if ANSWER_KEY in log]
    keys = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *given]))
    keys, coded = keys[keys >= 0], []
    free = len(keys)
    for log in logs:
        if "answer" not in log:
            coded.append(log)
            continue
        code = log["answer"] + free
        if ANSWER_KEY in log:
            code = np.searchsorted(keys, log[ANSWER_KEY])
        else:
            free += int(log["answer"].max(initial=-1)) + 1
        columns = {**log.columns, "answer": np.where(log.known("answer"), code, -1)}
        coded.append(replace(log, columns=columns))
    return tuple(coded)


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
    return len(both), len(np.unique(same // _codes(first, second)))


def _codes(first: Samples, second: Samples) -> int:
    return 2 * max(len(first), len(second))  # at most, of both


def _places(first: Samples, second: Samples) -> tuple[IntArray, IntArray]:
    """(N,) of each: numbers that are equal for equal answers to the same question."""
    _, answers = np.unique(np.concatenate([first[ANSWER_KEY], second[ANSWER_KEY]]), return_inverse=True)
    codes = _codes(first, second)
    return first.question * codes + answers[: len(first)], second.question * codes + answers[len(first) :]
