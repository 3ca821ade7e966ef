"""Plurality votes of all subsets of k of n samples, by generating functions."""

import numpy as np

from ..core.arrays import FloatArray, IntArray
from .large_votes import large_vote_shares
from .quadrature import legendre

__all__ = ["vote_shares"]

CACHED = 2**15  # numbers at a time: 256 kB
MANY = 1000  # C(n, k) / 2^n is a normal number for every k as long as n is no larger; beyond, time would grow as n^3
FEW = 64  # k for which polynomials are fast whatever n is; FEW / 2 chosen in the mean make all of these likely enough


def vote_shares(n: int, votes: IntArray, right: FloatArray, k: IntArray) -> FloatArray:
    """Probability that a plurality vote of k of n samples is right; see `moo_infer.quantities.subsets.vote_at_k`.

    Args:
        n: samples of a question; those that are no vote are blank.
        votes: (Q, A), samples that give each answer, in descending order, 0 where a question has fewer answers.
        right: (Q, A), how many of these are right; or what they are worth together, in 0 ... votes.
        k: (m,), in 1 ... n.

    Returns:
        (Q, m), in [0, 1].

    >>> vote_shares(4, np.array([[2, 1]]), np.array([[2, 0]]), np.array([1, 2, 4])).round(6)
    array([[0.5     , 0.666667, 1.      ]])
    """
    share = np.empty((len(votes), len(k)))
    few = k <= (n if n <= MANY else FEW)
    if few.any():
        # What is chosen with probability p each is, given its number, a subset of that size at random. With binomial
        # probabilities in place of C(a, y), nothing overflows.
        p, largest = 0.5 if n <= MANY else FEW / 2 / n, int(k[few].max())
        likely = _binomial(np.array([n]), p, largest)[0]
        share[:, few] = _jointly(n, votes, right, p, largest)[:, k[few]] / likely[k[few]]
    if not few.all():
        share[:, ~few] = [large_vote_shares(n, *of_one, k[~few]) for of_one in zip(votes, right, strict=True)]
    return np.minimum(share, 1.0)


def _jointly(n: int, votes: IntArray, right: FloatArray, p: float, largest: int) -> FloatArray:
    """(Q, largest + 1), probability that so many samples are chosen and their vote is right."""
    blanks = n - votes.sum(axis=1)
    sizes = np.unique(np.concatenate([votes.ravel(), blanks]))
    chosen = _binomial(sizes, p, largest)
    result = np.zeros((len(votes), largest + 1))
    most = np.where(right > 0, votes, 0).max(axis=1, initial=0)  # votes that a right answer can have
    order = np.argsort(-most, kind="stable")[: int((most > 0).sum())]
    step = max(CACHED // (largest + 1), 1)
    for i in range(0, len(order), step):
        rows = order[i : i + step]
        worth = right[rows] / np.maximum(votes[rows], 1)
        late = np.argsort(worth > 0, axis=1, kind="stable")  # right answers last
        counts, worth = np.take_along_axis(votes[rows], late, 1), np.take_along_axis(worth, late, 1)
        laws = chosen[np.searchsorted(sizes, counts)].transpose(1, 2, 0)  # of each answer, (A, largest + 1, R)
        blank = chosen[np.searchsorted(sizes, blanks[rows])].T
        total = np.zeros((largest + 1, len(rows)))
        for x in range(1, min(int(most[rows[0]]), largest) + 1):
            active = int((most[rows] >= x).sum())  # the first ones: they are in the order of their votes
            part = _won_with(x, counts[:active], worth[:active], laws[..., :active], blank[:, :active])
            total[: len(part), :active] += part
        result[rows] = total.T
    return result


def _won_with(x: int, counts: IntArray, worth: FloatArray, laws: FloatArray, blank: FloatArray) -> FloatArray:
    """(degrees, R), probability that so many are chosen and a right answer wins with x votes.

    Degrees come first and questions last, so that a product of polynomials is a sum of whole slices.
    """
    largest = len(blank) - 1
    tied = max(min(int((counts >= x).sum(axis=1).max()), largest // x) - 1, 0)  # others, and the degree in u
    # Half as many nodes are exact; of many, 20 + 4 sqrt(tied) keep twelve digits, and 10 + 2 sqrt(tied) nine.
    u, weights = legendre(min(tied // 2 + 1, 20 + int(4 * tied**0.5)))
    degree = min(int(np.flatnonzero(blank.any(axis=1))[-1]), largest)
    lost = np.repeat(blank[: degree + 1, None, :], len(u), axis=1)
    won: FloatArray | None = None
    answers = np.flatnonzero(counts.any(axis=0))
    for i in answers:
        top = min(x, int(counts[:, i].max()))
        law = np.repeat(laws[i, : top + 1, None, :], len(u), axis=1)
        winning = law[x] * worth[:, i] if top == x else None
        if top == x:
            law[x] *= u[:, None]
        grown = None if won is None else _times(won, law, largest)
        if winning is not None and worth[:, i].any():
            if grown is None:
                grown = np.zeros((min(len(lost) + top, largest + 1), *lost.shape[1:]))
            grown[x : x + len(lost)] += lost[: len(grown) - x] * winning
        won = grown
        if i != answers[-1]:
            lost = _times(lost, law, largest)
    return np.zeros((1, len(counts))) if won is None else np.einsum("dur,u->dr", won, weights)


def _times(polynomial: FloatArray, law: FloatArray, largest: int) -> FloatArray:
    """Product of polynomials, without the degrees above the largest."""
    product = np.zeros((min(len(polynomial) + len(law) - 1, largest + 1), *polynomial.shape[1:]))
    for y in range(len(law)):
        product[y : y + len(polynomial)] += polynomial[: len(product) - y] * law[y]
    return product


def _binomial(sizes: IntArray, p: float, largest: int) -> FloatArray:
    """(len(sizes), largest + 1), binomial probabilities for ascending sizes, each to the last few digits."""
    law = np.zeros(largest + 1)
    law[0] = 1.0
    laws, size = np.empty((len(sizes), largest + 1)), 0
    for i, wanted in enumerate(sizes):
        for _ in range(size, int(wanted)):
            law[1:] = (1 - p) * law[1:] + p * law[:-1]
            law[0] *= 1 - p
        laws[i], size = law, int(wanted)
    return laws
