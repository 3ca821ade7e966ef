"""Exact moments over all subsets of k of the n samples of a question: drawn without replacement, nothing simulated.

In all functions k is (m,), integers >= 1; results are (Q, m), a row a question, NaN where it has fewer than k samples.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from ..core.arguments import typed
from ..core.arrays import Array, BoolArray, FloatArray, IntArray
from ..core.errors import MooInferError
from ..core.numeric import numbers_of, whole_numbers
from .distinct import distinct_rows
from .hypergeometric import log_none
from .plurality import vote_shares
from .samples import Answers, Samples

__all__ = [
    "all_at_k",
    "best_scored_of_k",
    "largest_of_k",
    "mean_pass_at_k",
    "pass_at_k",
    "total_of_k",
    "vote_at_k",
    "vote_bounds_at_k",
]

BLOCK = 2**16  # numbers at a time: half a megabyte
LARGE_BLOCK = 2**22  # numbers at a time of weights of ranks, (n, m): 32 MiB


def pass_at_k(n: npt.ArrayLike, c: npt.ArrayLike, k: npt.ArrayLike) -> FloatArray:
    """Probability that at least one of k of n samples is right, when c of them are: 1 - C(n-c, k) / C(n, k).

    The unbiased estimate of Chen et al. (arXiv 2107.03374). The relative error is a few 1e-16 for every n below 2^53.

    Args:
        n: (Q,), samples of a question, >= 0.
        c: (Q,), how many of them are right, in 0 ... n.
        k: (m,), >= 1.

    Returns:
        (Q, m), in [0, 1]; NaN where n < k.

    Raises:
        MooInferError: for numbers out of range.

    >>> pass_at_k([4, 10_000_000], [1, 3], [1, 4, 1_000_000])
    array([[2.50000000e-01, 1.00000000e+00,            nan],
           [3.00000000e-07, 1.19999964e-06, 2.71000024e-01]])
    """
    n, c, k = _checked(n, c, k)
    return 0.0 - np.expm1(_log_table(n, c, k))


def all_at_k(n: npt.ArrayLike, c: npt.ArrayLike, k: npt.ArrayLike) -> FloatArray:
    """Probability that all k of n samples are right, when c of them are: C(c, k) / C(n, k).

    The unbiased estimate of pass^k of tau-bench (Yao et al., arXiv 2406.12045): how reliable a model is that has to be
    right every time. The relative error is a few 1e-16 for every n below 2^53, times the logarithm of the
    result where that is tiny.

    Arguments, shapes and errors are those of `pass_at_k`.

    >>> all_at_k([4, 10_000_000], [3, 9_999_997], [1, 2, 4, 1_000_000])
    array([[0.75      , 0.5       , 0.        ,        nan],
           [0.9999997 , 0.9999994 , 0.9999988 , 0.72899998]])
    """
    n, c, k = _checked(n, c, k)
    return np.exp(_log_table(n, n - c, k))  # none of those that are wrong


def mean_pass_at_k(n: npt.ArrayLike, c: npt.ArrayLike, k: npt.ArrayLike) -> FloatArray:
    """Mean of `pass_at_k` over the questions with at least k samples, for many k at once.

    Questions with the same n and c are counted once, and the table of all of them is never built.

    Args:
        n, c, k: as in `pass_at_k`.

    Returns:
        (m,), in [0, 1]; NaN where no question has k samples.

    Raises:
        MooInferError: for numbers out of range.

    >>> mean_pass_at_k([4, 4, 2], [1, 0, 1], [1, 2, 4, 8])
    array([0.25, 0.5 , 0.5 ,  nan])
    """
    n, c, k = _checked(n, c, k)
    pairs, times = np.unique(np.column_stack([n, c]), axis=0, return_counts=True)
    total = np.zeros(len(k))
    for rows, asked, none in _log_chances(pairs, k):
        total[asked] -= times[rows] @ np.expm1(none)
    questions = len(n) - np.searchsorted(np.sort(n), k)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / questions)


@typed()
def vote_at_k(samples: Samples, k: npt.ArrayLike) -> FloatArray:
    """Probability that the plurality vote of k samples is right: the answer that most of them give.

    Ties are broken at random, blank answers (-1) abstain, and where all are blank the vote is wrong. An answer is worth
    the mean of `correct` over the question's samples that give it. Samples that are neither right nor wrong do not
    count at all. All subsets of k are averaged, by their generating function: the answer j wins with x votes in

        C(a_j, x) z^x  int_0^1  prod_(i != j) (sum_(y < x) C(a_i, y) z^y + u C(a_i, x) z^x)  du,

    where a_i samples give the answer i, and u^t becomes the share 1 / (t + 1) of a winner tied with t others. All terms
    are positive, so that nothing cancels. More than 64 of over 1000 samples are read from its Fourier transform, to
    1e-12, and time grows as n sqrt(n).

    Args:
        samples: with a column ``answer``.
        k: (m,), >= 1. Of up to 1000 samples, time grows with the square of the largest, and with the votes that a right
            answer can have.

    Returns:
        (Q, m), in [0, 1]; NaN where a question has fewer than k samples.

    Raises:
        MissingColumn: where there are no answers.
        NothingPossible: where samples are graded.

    >>> answer = np.array([0, 0, 1, 2, -1])
    >>> samples = Samples("mine", ["q"], np.zeros(5, int), np.array([1.0, 1, 0, 0, 0]), {"answer": answer})
    >>> vote_at_k(samples, [1, 2, 3, 5]).round(6)
    array([[0.4     , 0.5     , 0.566667, 1.      ]])
    """
    samples.refuse_grades()
    return votes_at_k(samples.scored_n, samples.answers, whole_numbers(k, "k"))


@typed()
def vote_bounds_at_k(samples: Samples, k: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Bounds of `vote_at_k` where answers were judged both right and wrong: all of these wrong, and all right.

    Arguments, shapes and errors are those of `vote_at_k`.

    >>> samples = Samples("mine", ["q"], np.zeros(3, int), np.array([1.0, 0, 0]), {"answer": np.array([0, 0, 1])})
    >>> [bound.round(6) for bound in vote_bounds_at_k(samples, [1, 3])]
    [array([[0., 0.]]), array([[0.666667, 1.      ]])]
    """
    samples.refuse_grades()
    answers, k = samples.answers, whole_numbers(k, "k")
    both = answers.judged_both_ways
    wrong = replace(answers, right=np.where(both, 0.0, answers.right))
    right = replace(answers, right=np.where(both, answers.samples, answers.right))
    return votes_at_k(samples.scored_n, wrong, k), votes_at_k(samples.scored_n, right, k)


def votes_at_k(n: IntArray, answers: Answers, k: IntArray) -> FloatArray:
    """Return `vote_at_k` of questions with n (Q,) samples each, of which some gave the answers."""
    of, votes, right = answers.question, answers.samples, answers.right
    # A row a question: n, then its answers in the order of their votes, as votes and right votes, filled with zeros.
    order = np.lexsort((-right, -votes, of))
    place = np.arange(len(of)) - np.searchsorted(of, of)
    width = int(place.max(initial=-1)) + 1
    rows = np.zeros((len(n), 1 + 2 * width))
    rows[:, 0] = n
    rows[of, 1 + place], rows[of, 1 + width + place] = votes[order], right[order]
    first, inverse = distinct_rows(rows)
    alike = rows[first]
    share = np.full((len(alike), len(k)), np.nan)
    for count in np.unique(alike[:, 0]):
        chosen, asked = np.flatnonzero(alike[:, 0] == count), k <= count
        if asked.any():
            votes_of = alike[chosen, 1 : 1 + width].astype(np.int64)
            share[np.ix_(chosen, asked)] = vote_shares(int(count), votes_of, alike[chosen, 1 + width :], k[asked])
    return np.asarray(share[inverse])


@typed()
def best_scored_of_k(samples: Samples, k: npt.ArrayLike) -> FloatArray:
    """Expected correctness of the sample with the highest score among k; ties are broken at random.

    A sample of unknown score is chosen only where no other is there, and then counts as wrong. Samples that are
    neither right nor wrong do not count at all.

    Args:
        samples: with a column ``score``.
        k: (m,), >= 1.

    Returns:
        (Q, m), in [0, 1]; NaN where a question has fewer than k samples.

    Raises:
        MissingColumn: where there are no scores.

    >>> samples = Samples("mine", ["q"], np.zeros(3, int), np.array([1.0, 0, 0]), {"score": np.array([0.9, 0.5, 0.1])})
    >>> best_scored_of_k(samples, [1, 2, 3]).round(6)
    array([[0.333333, 0.666667, 1.      ]])
    """
    known = np.isfinite(samples.correct)
    question = samples.question[known]
    score = np.where(np.isnan(samples["score"][known]), -np.inf, samples["score"][known])
    worth = np.where(np.isnan(samples["score"][known]), 0.0, samples.correct[known])
    # Samples with the same score are equally likely to be chosen: each is worth their mean.
    _, tied = np.unique(np.column_stack([question, score]), axis=0, return_inverse=True)
    worth = (np.bincount(tied, worth) / np.maximum(np.bincount(tied), 1))[tied]
    order = np.lexsort((score, question))
    k = whole_numbers(k, "k")
    best = np.full((len(samples.questions), len(k)), np.nan)
    for rows, ranked in by_count(worth[order], question, len(samples.questions)):
        for part, weights in largest_weights(ranked.shape[1], k):
            best[rows, part] = ranked @ weights
    return best


def largest_of_k(values: Array, question: IntArray, k: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of the largest of k of a question's values: the seconds of the slowest call.

    Args:
        values: (N,); NaN = unknown, which does not count.
        question: (N,), whose they are, ascending, in 0 ... Q - 1 with Q = question[-1] + 1.
        k: (m,), >= 1.

    Returns:
        (Q, m) and (Q, m), in the unit of the values; NaN where a question has fewer than k of them.

    >>> mean, std = largest_of_k(np.array([1.0, 2.0, 6.0]), np.zeros(3, int), [1, 2, 3])
    >>> mean.round(6), std.round(6)
    (array([[3.      , 4.666667, 6.      ]]), array([[2.160247, 1.885618, 0.      ]]))
    """
    values, question, k = _by_question(values, question, k)
    questions = int(question[-1]) + 1 if len(question) else 0
    mean, std = np.full((2, questions, len(k)), np.nan)
    known = np.isfinite(values)
    values, question = values[known], question[known]
    for rows, ranked in by_count(values[np.lexsort((values, question))], question, questions):
        # Below the largest value of all, so that squares of what is far from 0 do not cancel.
        below = ranked - ranked[:, -1:]
        for part, weights in largest_weights(ranked.shape[1], k):
            first = below @ weights
            mean[rows, part] = ranked[:, -1:] + first
            std[rows, part] = np.sqrt(np.maximum(below**2 @ weights - first**2, 0.0))
    return mean, std


def total_of_k(values: Array, question: IntArray, k: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of the sum of k of a question's values: tokens, dollars, joules.

    Args:
        values, question, k: as in `largest_of_k`.

    Returns:
        (Q, m) and (Q, m), in the unit of the values; NaN where a question has fewer than k of them.

    >>> mean, std = total_of_k(np.array([1.0, 2.0, 6.0]), np.zeros(3, int), [1, 2, 3])
    >>> mean, std.round(6)
    (array([[3., 6., 9.]]), array([[2.160247, 2.160247, 0.      ]]))
    """
    values, question, k = _by_question(values, question, k)
    questions = int(question[-1]) + 1 if len(question) else 0
    mean, std = np.full((2, questions, len(k)), np.nan)
    known = np.isfinite(values)
    for rows, own in by_count(values[known], question[known], questions):
        n = own.shape[1]
        # Of a finite population, by its variance with the divisor n.
        left = np.where(k <= n, (n - k) / max(n - 1, 1), np.nan)
        mean[rows] = own.mean(axis=1)[:, None] * np.where(k <= n, k, np.nan)
        std[rows] = np.sqrt(own.var(axis=1)[:, None] * k * left)
    return mean, std


def _by_question(values: object, question: object, k: npt.ArrayLike) -> tuple[FloatArray, IntArray, IntArray]:
    """Values (N,), whose they are, and k as arrays."""
    numbers, whose = numbers_of(values, "values"), whole_numbers(question, "question", 0)
    if numbers.shape != whose.shape or (whose[1:] < whose[:-1]).any():
        raise MooInferError(f"question: must be ascending, one for each of {numbers.size} values, got {len(whose)}")
    return numbers, whose, whole_numbers(k, "k")


def _checked(n: npt.ArrayLike, c: npt.ArrayLike, k: npt.ArrayLike) -> tuple[IntArray, IntArray, IntArray]:
    n, c, k = whole_numbers(n, "n", 0), whole_numbers(c, "c", 0), whole_numbers(k, "k")
    if n.shape != c.shape:
        raise MooInferError(f"n and c must be as many, got {len(n)} and {len(c)}")
    if (c > n).any():
        i = int(np.argmax(c > n))
        raise MooInferError(f"c must be <= n, got {c[i]} of {n[i]}")
    return n, c, k


def _log_table(n: IntArray, c: IntArray, k: IntArray) -> FloatArray:
    """(Q, m), `log_none` of every question, NaN where n < k; questions with the same n and c are counted once."""
    first, kind = distinct_rows(np.column_stack([n, c]))
    pairs = np.column_stack([n, c])[first]
    table = np.full((len(pairs), len(k)), np.nan)
    for rows, asked, none in _log_chances(pairs, k):
        table[rows, asked] = none
    return np.asarray(table[kind])


def _log_chances(pairs: IntArray, k: IntArray) -> Iterator[tuple[slice, BoolArray, FloatArray]]:
    """`log_none` of pairs (n, c) in ascending order: rows, which k are <= n, and the values, a block at a time."""
    starts = np.flatnonzero(np.diff(pairs[:, 0], prepend=-1))
    for start, end in pairwise([*starts, len(pairs)]):
        n = int(pairs[start, 0])
        asked = k <= n
        step = max(BLOCK // max(len(k), 1), 1)
        for i in range(start, end, step):
            rows = slice(i, min(i + step, end))
            yield rows, asked, log_none(n, pairs[rows, 1], k[asked])


def largest_weights(n: int, k: IntArray) -> Iterator[tuple[slice, FloatArray]]:
    """(n, m), how likely the value of each rank is the largest of k of n, NaN for k > n; some k at a time."""
    step = max(LARGE_BLOCK // n, 1)
    for part in (slice(i, i + step) for i in range(0, len(k), step)):
        asked = k[part] <= n
        weights = np.full((n, len(asked)), np.nan)
        at_most = np.exp(log_none(n, np.arange(n, -1, -1), k[part][asked]))  # of rank 0 ... n
        weights[:, asked] = np.diff(at_most, axis=0)
        yield part, weights


def by_count(
    values: FloatArray, question: IntArray, questions: int
) -> Iterator[tuple[npt.NDArray[np.intp], FloatArray]]:
    """Questions with the same number n of values, n >= 1: their rows and their values (rows, n)."""
    n = np.bincount(question, minlength=questions)
    start = np.cumsum(n) - n
    for count in np.unique(n[n > 0]):
        rows = np.flatnonzero(n == count)
        yield rows, values[start[rows, None] + np.arange(count)]
