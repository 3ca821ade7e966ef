"""Moments over queries that differ, from those given the query; and what other questions would have changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import add

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.cdf import Cdf
from ..core.moments import Moments
from ..quantities.bootstrap import QuestionDraws

__all__ = ["QuestionMoments", "between_questions", "mixed", "over_questions", "summed_by_question"]


@dataclass(frozen=True, eq=False, kw_only=True)
class QuestionMoments(Moments):
    """Moments over the questions of a log, which keep the means of each.

    Args:
        weights: (Q,), shares of the questions.
        by_question: (Q, n), expectations given each.
        questions: Q names.
        share: whether they are shares of right answers, which are redrawn with pseudo-questions.
    """

    weights: FloatArray
    by_question: FloatArray
    questions: Sequence[str] = ()
    share: bool = False

    def intervals(self, level: float, B: int = 1000, seed: int = 0) -> FloatArray | None:
        """Return (2, n) ends of the intervals of the means, had other questions been asked.

        None without the names of the questions, or with one.
        """
        if len(self.questions) < 2:
            return None
        draws = QuestionDraws(self.questions, B, seed)
        drawn = draws.shares(self.by_question) if self.share else draws.weights @ self.by_question
        low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
        if self.share:  # of which all or none are right, the pseudo-questions say less than the log
            low, high = np.minimum(low, self.mean), np.maximum(high, self.mean)
        return np.stack([low, high])

    def paired_stderr(self, other: "QuestionMoments", place: int) -> FloatArray:
        """Return the (n,) standard errors of the differences of these means from one of another's.

        Differences are taken question by question, on those that both have; NaN with fewer than two.
        """
        mine, theirs = _common(tuple(self.questions), tuple(other.questions))
        weights, ours, against = self.weights, self.by_question, other.by_question[:, place : place + 1]
        if mine is not None:  # else all of both, in the same order
            weights, ours, against = weights[mine], ours[mine], against[theirs]
        if len(weights) < 2:
            return np.full(ours.shape[1], np.nan)
        return _stderr(weights / weights.sum(), ours - against)

    @property
    def stderr(self) -> FloatArray:
        """(n,) standard errors of the mean: as many other questions might have been asked; NaN with one question.

        The unbiased variance of the means by question, over Q. Where questions weigh otherwise (in a draw of the
        bootstrap), it is that of reliability weights.
        """
        return _stderr(self.weights, self.by_question)


@lru_cache(maxsize=256)  # tables of draws have the same questions, a thousand times over
def _common(mine: tuple[str, ...], theirs: tuple[str, ...]) -> tuple[IntArray | None, IntArray | None]:
    """Return where the questions that two logs have in common stand in each; None where both have the same ones."""
    if mine == theirs:
        return None, None
    places = {name: i for i, name in enumerate(theirs)}
    there = np.array([i for i, name in enumerate(mine) if name in places], dtype=np.int64)
    return there, np.array([places[mine[i]] for i in there], dtype=np.int64)


def _stderr(weights: FloatArray, by_question: FloatArray) -> FloatArray:
    """(n,) standard errors of weighted means over questions (Q, n); NaN with one question."""
    freedom = 1.0 - weights @ weights  # (Q - 1) / Q where all weigh the same
    if freedom <= 1e-12:  # rounding of 1 - 1
        return np.full(by_question.shape[1], np.nan)
    apart = by_question - by_question[0]  # exactly 0 where all questions are alike
    apart -= weights @ apart
    variance = weights @ np.square(apart, out=apart) / freedom
    return np.asarray(np.sqrt(variance / len(weights)))


@dataclass(frozen=True, eq=False)
class MixedQuantile:
    """Quantiles (n,) over queries.

    Args:
        cdf: given each of Q queries.
        weights: (Q,), shares of the queries.
        mean, std: (n,), over these.
        pseudo: weights of two questions beside these, at which all is 0 and all is 1, the bounds of the values.
    """

    cdf: Cdf
    weights: FloatArray
    mean: FloatArray
    std: FloatArray
    pseudo: tuple[float, float] = (0.0, 0.0)

    def __call__(self, q: float, /) -> FloatArray:
        low, high = self.pseudo
        q = q * (1 + low + high) - low  # of what is not about these two
        if q <= 0 or q >= 1:
            return np.full(self.mean.shape, 0.0 if q <= 0 else 1.0)
        return self.cdf.quantile(self.weights, q, self.mean, self.std)


def mixed(weights: FloatArray, mean: FloatArray, std: FloatArray | None) -> Moments:
    """Return moments over queries.

    Args:
        weights: (Q,), shares of the queries.
        mean, std: (Q, n) given the query; `std` may be None.

    >>> moments = mixed(np.array([0.5, 0.5]), np.array([[1.0], [3.0]]), np.array([[0.0], [0.0]]))
    >>> moments.mean, moments.std
    (array([2.]), array([1.]))
    """
    total = weights @ mean
    return Moments(total, None if std is None else np.sqrt(weights @ (std**2 + (mean - total) ** 2)))


def over_questions(
    weights: FloatArray,
    mean: FloatArray,
    std: FloatArray | None,
    pseudo: tuple[float, float] = (0.0, 0.0),
    questions: Sequence[str] = (),
    *,
    cdf: Cdf | None = None,
    share: bool = False,
) -> QuestionMoments:
    """Return moments over the questions of a log, from those given each: arguments as in `mixed`.

    Args:
        pseudo: weights of two questions beside these, at which all is 0 and all is 1.
        questions: names of these, Q or none.
        cdf: given each question; None where it is not known.
        share: whether means are shares of right answers.

    >>> over_questions(np.array([0.5, 0.5]), np.array([[1.0], [3.0]]), None).stderr
    array([1.])
    """
    none = np.zeros((1, mean.shape[1]))
    moments = mixed(
        np.concatenate([weights, pseudo]) / (1 + sum(pseudo)),
        np.concatenate([mean, none, none + 1]),
        None if std is None else np.concatenate([std, none, none]),
    )
    quantile = None
    if cdf is not None and std is not None:
        own = mixed(weights, mean, std) if any(pseudo) else moments
        assert own.std is not None
        quantile = MixedQuantile(cdf, weights, own.mean, own.std, pseudo)
    return QuestionMoments(
        moments.mean, moments.std, quantile, weights=weights, by_question=mean, questions=questions, share=share
    )


def summed_by_question(parts: Sequence[Moments | None]) -> Moments | None:
    """Return the moments of the sum of parts that read the same draws, with the means by question where all have them.

    None where those of one part are not known.
    """
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or len(parts) == 1:
        return parts[0] if len(parts) == 1 else None
    total = reduce(add, known)
    asked = [part for part in known if isinstance(part, QuestionMoments)]
    if len(asked) < len(parts):
        return total
    by_question = np.sum([part.by_question for part in asked], axis=0)
    of = {"weights": asked[0].weights, "questions": asked[0].questions}
    return QuestionMoments(total.mean, total.std, total.quantile, by_question=by_question, **of)  # type: ignore[arg-type]


def between_questions(trials: FloatArray, question: IntArray, Q: int) -> FloatArray:
    """Return what `QuestionMoments.stderr` is, where the means by question are only simulated.

    The variance between questions is its component in a one-way analysis of variance (Searle, Casella and McCulloch
    1992, Variance Components, section 3.6), so that the spread of trials about the same question is not counted.

    Args:
        trials: (M, n), simulated totals.
        question: (M,), which question each trial is about.
        Q: how many questions there are, drawn or not.

    Returns:
        (n,), above 0; NaN where the trials show no variance between questions, or are too few to tell.
    """
    _, group, count = np.unique(question, return_inverse=True, return_counts=True)
    M, groups = len(trials), len(count)
    error = np.full(trials.shape[1], np.nan)
    if groups < 2 or groups == M:
        return error
    per_question = (M - count @ count / M) / (groups - 1)  # trials of a question, where all have as many
    for i, total in enumerate(trials.T):
        mean = np.bincount(group, total) / count
        between = count @ (mean - total.mean()) ** 2 / (groups - 1)
        within = ((total - mean[group]) ** 2).sum() / (M - groups)
        if between > within:
            error[i] = np.sqrt((between - within) / per_question / Q)
    return error
