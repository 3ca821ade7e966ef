"""Plurality votes of all subsets of k of many samples, by characteristic functions of what is likely."""

from collections.abc import Sequence

import numpy as np

from ..core.arrays import ComplexArray, FloatArray, IntArray
from .quadrature import legendre

__all__ = ["large_vote_shares"]

UNLIKELY = 1e-17  # probabilities of counts that are left out: all of them together do not reach the 13th digit
SPREAD, PEAK = 2.5, 0.04  # how far from the likeliest number of samples some are read: standard deviations, and heights
APART = 12.0  # standard deviations between two numbers of samples that one frequency grid does not tell apart


class Answer:
    """Votes for an answer, each sample of it being chosen with probability p.

    Args:
        count: samples that give it.
        worth: what it is worth, in 0 ... 1.
        times: how many answers are like it.
        p: in (0, 1].
    """

    def __init__(self, count: int, worth: float, times: int, p: float) -> None:
        self.count, self.worth, self.times = count, worth, times
        self.law = _binomial(count, p)
        likely = np.flatnonzero(self.law > UNLIKELY)
        self.low, self.high = int(likely[0]), int(likely[-1])


def large_vote_shares(n: int, votes: IntArray, right: FloatArray, k: IntArray) -> FloatArray:
    """Probability that a plurality vote of k of the n samples of one question is right, to 1e-12.

    Each sample is chosen with probability p, so that answers are binomial and independent. The probability that so many
    are chosen and the vote is right is read from its Fourier transform, at the k that are likely for this p. For one p
    only as many frequencies, and only as many votes of a winner, matter as standard deviations have samples: time grows
    as n sqrt(n) for all k together.

    Args:
        n: samples, those that are no vote are blank.
        votes: (A,), samples that give each answer.
        right: (A,), what these are worth together, in 0 ... votes.
        k: (m,), in 1 ... n.

    Returns:
        (m,), in [0, 1].

    >>> large_vote_shares(4, np.array([2, 1]), np.array([2.0, 0.0]), np.array([1, 2, 4])).round(6)
    array([0.5     , 0.666667, 1.      ])
    """
    # Answers that are alike are one kind; those that are worth something come last.
    pairs = np.column_stack([right[votes > 0] / votes[votes > 0], votes[votes > 0]])
    kinds, times = np.unique(pairs, axis=0, return_counts=True)
    share, left = np.zeros(len(k)), np.unique(k)
    while kinds[:, 0].any() and len(left):
        first = float(left[0])
        middle = min(first + SPREAD * (first * (1 - first / n)) ** 0.5, (first + n) / 2)
        likely = _binomial(n, middle / n)
        read = left[likely[left] >= min(likely[left[0]], PEAK * likely.max())]
        answers = [Answer(int(c), w, int(t), middle / n) for (w, c), t in zip(kinds.tolist(), times, strict=True)]
        asked = np.isin(k, read)
        chances = _won(n, answers, middle / n, read) / likely[read]
        share[asked] = chances[np.searchsorted(read, k[asked])]
        left = np.setdiff1d(left, read)
    return np.clip(share, 0.0, 1.0)


def _won(n: int, answers: Sequence[Answer], p: float, k: IntArray) -> FloatArray:
    """(m,), probability that k samples are chosen, each with probability p, and their vote is right."""
    most = int(n * p + APART * (n * p * (1 - p)) ** 0.5) + 24  # of few samples, what is unlikely is farther off
    size = min(n + 1, most - int(n * p))
    roots = np.exp(-2j * np.pi * np.arange(size) / size)
    single = 1 - p + p * roots[: size // 2 + 1]  # transform of one sample
    low = max(1, *(answer.low for answer in answers))
    high = max(answer.high for answer in answers if answer.worth)
    total = np.zeros(len(single), dtype=np.complex128)
    while low <= high:
        x = np.arange(low, min(2 * low, high + 1))
        rivals = [answer for answer in answers if answer.high >= low]  # the others have fewer votes than the winner
        named = sum(answer.count * answer.times for answer in rivals)
        total += single ** (n - named) * _won_with(x, rivals, roots, most // low)
        low = int(x[-1]) + 1
    return np.asarray(np.fft.irfft(total, size)[k % size])


def _won_with(x: IntArray, rivals: Sequence[Answer], roots: ComplexArray, most: int) -> ComplexArray:
    """(R,), transform of how many samples of the rivals are chosen where a right one wins with x votes, summed over x.

    Args:
        x: (X,), votes of the winner.
        rivals: answers that can have so many.
        roots: (N,), of unity.
        most: how many answers can have so many at once.
    """
    tied = max(min(sum(rival.times for rival in rivals), most) - 1, 0)
    transforms = [_transforms(rival, x, roots) for rival in rivals]
    total = np.zeros(len(roots) // 2 + 1, dtype=np.complex128)
    # Half as many nodes are exact; of many, 20 + 4 sqrt(tied) keep twelve digits.
    for u, weight in zip(*legendre(min(tied // 2 + 1, 20 + int(4 * tied**0.5))), strict=True):
        lost, won = np.ones((1, 1), dtype=np.complex128), np.zeros((1, 1), dtype=np.complex128)
        for (below, equal), rival in zip(transforms, rivals, strict=True):
            one = below + u * equal
            rest = _power(one, rival.times - 1)
            if rival.worth:
                won = won * (rest * one) + lost * rest * equal * (rival.worth * rival.times)
            lost = lost * (rest * one)
        total += weight * won.sum(axis=0)
    return total


def _transforms(rival: Answer, x: IntArray, roots: ComplexArray) -> tuple[ComplexArray, ComplexArray]:
    """(X, R) and (X, R), of the votes of an answer where they are below x, and where they are x."""
    half = np.arange(len(roots) // 2 + 1)
    law = np.pad(rival.law, (0, max(int(x[-1]) + 1 - len(rival.law), 0)))
    equal = law[x, None] * roots[np.outer(x, half) % len(roots)]
    fewer = np.arange(rival.low, int(x[0]))
    below = np.empty_like(equal)
    below[0] = law[fewer] @ roots[np.outer(fewer, half) % len(roots)]
    below[1:] = below[0] + np.cumsum(equal[:-1], axis=0)
    return below, equal


def _power(base: ComplexArray, exponent: int) -> ComplexArray:
    """Integer power by squaring, which NumPy does not do."""
    power = np.ones((1, 1), dtype=np.complex128)
    while exponent:
        if exponent % 2:
            power = power * base
        exponent //= 2
        if exponent:
            base = base * base
    return power


def _binomial(n: int, p: float) -> FloatArray:
    """(n + 1,) probabilities of 0 ... n; from the likeliest one by ratios, which keeps the last few digits."""
    law = np.ones(n + 1)
    if p == 1:
        law[:n] = 0.0
        return law
    y, mode = np.arange(n), min(int((n + 1) * p), n)
    ratio = (n - y) / (y + 1) * (p / (1 - p))
    law[mode + 1 :] = np.cumprod(ratio[mode:])
    law[:mode] = np.cumprod(1 / ratio[:mode][::-1])[::-1]
    return np.asarray(law / law.sum())
