"""Plurality votes of all subsets of k of n samples, by generating functions."""

import numpy as np
import numpy.typing as npt

__all__ = ["vote_shares"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CACHED = 2**15  # numbers at a time: 256 kB
HALVES = 1000  # C(n, k) / 2^n is a normal number for every k as long as n is no larger
TINY = 1e-280


def vote_shares(n: int, votes: IntArray, right: IntArray, k: IntArray) -> FloatArray:
    """Probability that a plurality vote of k of n samples is right; see `moo_infer.subsets.vote_at_k`.

    Args:
        n: samples of a question; those that are no vote are blank.
        votes: (Q, A), samples that give each answer, in descending order, 0 where a question has fewer answers.
        right: (Q, A), how many of these are right.
        k: (m,), in 1 ... n.

    Returns:
        (Q, m), in [0, 1].

    >>> vote_shares(4, np.array([[2, 1]]), np.array([[2, 0]]), np.array([1, 2, 4])).round(6)
    array([[0.5     , 0.666667, 1.      ]])
    """
    share = np.empty((len(votes), len(k)))
    # What is chosen with probability p each is, given its number, a subset of that size at random. With binomial
    # probabilities in place of C(a, y), nothing overflows, and what underflows does not matter where k is likely.
    left = np.unique(k)
    while len(left):
        p = 0.5 if n <= HALVES else left[0] / n
        likely = _binomial(np.array([n]), p, int(left[-1]))[n]
        done = left[likely[left] > TINY]
        asked = np.isin(k, done)
        share[:, asked] = (_shares(n, votes, right, p, int(done[-1])) / likely[: done[-1] + 1])[:, k[asked]]
        left = np.setdiff1d(left, done)
    return np.minimum(share, 1.0)


def _shares(n: int, votes: IntArray, right: IntArray, p: float, largest: int) -> FloatArray:
    """(Q, largest + 1), probability that so many samples are chosen and the vote is right."""
    blanks = n - votes.sum(axis=1)
    chosen = _binomial(np.unique(np.concatenate([votes.ravel(), blanks])), p, largest)
    result = np.zeros((len(votes), largest + 1))
    most = np.where(right > 0, votes, 0).max(axis=1, initial=0)  # votes a right answer can have
    order = np.argsort(-most, kind="stable")
    order = order[most[order] > 0]
    step = max(CACHED // (largest + 1), 1)
    for i in range(0, len(order), step):
        rows = order[i : i + step]
        worth = right[rows] / np.maximum(votes[rows], 1)
        # Degrees first, questions last, so that a product of polynomials is a sum of whole slices; right answers last.
        late = np.argsort(worth > 0, axis=1, kind="stable")
        counts, worth = np.take_along_axis(votes[rows], late, 1), np.take_along_axis(worth, late, 1)
        total = np.zeros((largest + 1, len(rows)))
        for x in range(1, min(int(most[rows[0]]), largest) + 1):
            active = int((most[rows] >= x).sum())  # the first: they are sorted
            total[:, :active] += _won_with(x, counts[:active], worth[:active], blanks[rows[:active]], chosen, largest)
        result[rows] = total.T
    return result
