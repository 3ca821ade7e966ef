"""How far an estimate from the samples of a question may be off: variances within questions, by the jackknife.

The estimate from the n samples of a question is compared with those from all but one of them (Efron and Stein, Ann.
Stat. 9, 1981, 586-596: on average the variance is not too small). k is (m,), integers >= 1; results are (Q, m), a row a
question, NaN where a question has no more than k samples, because none can be left out then.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ..core.arrays import Array, FloatArray, IntArray
from .samples import Answers, Samples
from .subsets import all_at_k, by_count, largest_weights, pass_at_k, votes_at_k

__all__ = ["all_variance", "largest_variance", "pass_variance", "ratio_variance", "vote_variance"]

AT_ONCE = 2**18  # numbers in one go, in each of half a dozen arrays: a processor's cache holds some of them


def pass_variance(n: npt.ArrayLike, c: npt.ArrayLike, k: npt.ArrayLike) -> FloatArray:
    """Return variances of `pass_at_k`, whose arguments these are.

    >>> pass_variance([4], [2], [1, 2, 4]).round(6)  # at k = 1 it is p (1 - p) / (n - 1)
    array([[0.083333, 0.083333,      nan]])
    """
    return _counted(pass_at_k, n, c, k)


def all_variance(n: npt.ArrayLike, c: npt.ArrayLike, k: npt.ArrayLike) -> FloatArray:
    """Return variances of `all_at_k`, whose arguments these are."""
    return _counted(all_at_k, n, c, k)


def vote_variance(samples: Samples, k: npt.ArrayLike) -> FloatArray:
    """Return variances of `vote_at_k`, whose arguments these are.

    >>> answer = np.array([0, 0, 1, 2, -1])
    >>> samples = Samples("mine", ["q"], np.zeros(5, int), np.array([1.0, 1, 0, 0, 0]), {"answer": answer})
    >>> vote_variance(samples, [1, 3, 5]).round(6)
    array([[0.06    , 0.148889,      nan]])
    """
    samples.refuse_grades()
    n, answers = samples.scored_n, samples.answers
    k = np.asarray(k, dtype=np.int64)
    left_out, times, question = _left_out(n, answers)
    votes = votes_at_k(n[question] - 1, left_out, k)
    Q = len(n)

    def over(values: FloatArray) -> FloatArray:
        return np.stack([np.bincount(question, times * column, Q) for column in values.T], axis=1)

    with np.errstate(invalid="ignore", divide="ignore"):
        mean = over(votes) / n[:, None]
        return np.asarray(over((votes - mean[question]) ** 2) * ((n - 1) / n)[:, None])


def _left_out(n: IntArray, answers: Answers) -> tuple[Answers, IntArray, IntArray]:
    """Every question without one of its samples: the answers of V such, how many samples give each, whose it is.

    A question has one for the right samples of each of its answers, one for the wrong ones, and one for blanks. Those
    of a question lie together.
    """
    of, votes, right = answers.question, answers.samples, answers.right
    blanks = n - np.bincount(of, votes, len(n)).astype(np.int64)
    all_answers, none = np.arange(len(of)), np.full(len(n), -1)
    dropped = np.concatenate([all_answers, all_answers, none])  # which answer loses a sample
    times = np.concatenate([np.rint(right).astype(np.int64), votes - np.rint(right).astype(np.int64), blanks])
    fewer_right = np.repeat([1.0, 0.0, 0.0], [len(of), len(of), len(n)])
    question = np.concatenate([of, of, np.arange(len(n))])
    order = np.flatnonzero(times > 0)
    order = order[np.argsort(question[order], kind="stable")]
    dropped, times, fewer_right, question = (each[order] for each in (dropped, times, fewer_right, question))
    start, width = np.searchsorted(of, np.arange(len(n))), np.bincount(of, minlength=len(n))
    widths = width[question]
    variant = np.repeat(np.arange(len(question)), widths)
    place = np.arange(len(variant)) - np.repeat(np.cumsum(widths) - widths, widths)
    entry = start[question][variant] + place
    hit = entry == dropped[variant]
    made = Answers(variant, votes[entry] - hit, right[entry] - np.where(hit, fewer_right[variant], 0.0))
    return made, times, question.astype(np.int64)


def largest_variance(values: Array, question: IntArray, k: npt.ArrayLike) -> FloatArray:
    """Return variances of the mean of `largest_of_k`, whose arguments these are.

    >>> largest_variance(np.array([1.0, 2.0, 6.0]), np.zeros(3, int), [1, 2, 3]).round(6)
    array([[2.333333, 7.111111,      nan]])
    """
    k = np.asarray(k, dtype=np.int64)
    questions = int(question[-1]) + 1 if len(question) else 0
    variance = np.full((questions, len(k)), np.nan)
    known = np.isfinite(values)
    values, question = values[known], question[known]
    for rows, ranked in by_count(values[np.lexsort((values, question))], question, questions):
        n = ranked.shape[1]
        if n < 2:
            continue
        for part, weights in largest_weights(n - 1, k):
            step = max(AT_ONCE // weights.size, 1)
            for some in (slice(i, i + step) for i in range(0, len(rows), step)):
                variance[rows[some], part] = (n - 1) * _without_one(ranked[some], weights).var(axis=1)
    return variance


def _without_one(ranked: FloatArray, weights: FloatArray) -> FloatArray:
    """(Q, n, m), the mean of the largest of k of values (Q, n), ascending, without each of them.

    Without the i-th value those before it keep their rank among n - 1, those after it have one less.
    """
    before = np.cumsum(ranked[:, :-1, None] * weights, axis=1)
    after = np.cumsum((ranked[:, 1:, None] * weights)[:, ::-1], axis=1)[:, ::-1]
    none = np.zeros((len(ranked), 1, weights.shape[1]))
    return np.asarray(np.concatenate([none, before], axis=1) + np.concatenate([after, none], axis=1))


def ratio_variance(values: Array, question: IntArray, questions: int) -> float:
    """Return the variance of the mean of all values (N,), given the questions; NaN where one has a single value.

    >>> round(ratio_variance(np.array([1.0, 3.0, 5.0, 5.0]), np.array([0, 0, 1, 1]), 2), 6)
    0.25
    """
    n = np.bincount(question, minlength=questions)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(question, values, questions) / n
        around = np.bincount(question, (values - mean[question]) ** 2, questions)
        each = around / (n - 1) * n
    return float(each[n > 0].sum() / n.sum() ** 2)


def _counted(
    chance: Callable[[IntArray, IntArray, IntArray], FloatArray],
    n: npt.ArrayLike,
    c: npt.ArrayLike,
    k: npt.ArrayLike,
) -> FloatArray:
    """Variances of what depends on the counts of a question alone, its n samples and how many of them, c, are right."""
    n, c, k = (np.asarray(given, dtype=np.int64) for given in (n, c, k))
    fewer, share = np.maximum(n - 1, 0), (c / np.maximum(n, 1))[:, None]
    without_right, without_wrong = (chance(fewer, np.minimum(right, fewer), k) for right in (np.maximum(c - 1, 0), c))
    # A share of the leave-one-out estimates is without a right sample, the others are without a wrong one.
    return np.asarray(fewer[:, None] * share * (1 - share) * (without_right - without_wrong) ** 2)
