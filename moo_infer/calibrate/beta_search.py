"""The most likely beta-binomial laws of many weightings of the same counts, all found at once by Newton's method."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from ..core.arrays import BoolArray, FloatArray, IntArray

__all__ = ["LARGEST", "NEXT_TO_NONE", "PRIOR_SD", "SMALLEST", "Counts", "Peak", "first_terms"]

LARGEST = 1e6  # concentration: p varies by less than 0.0005 around its mean
SMALLEST = 1e-3  # all but one in a thousand questions are always or never solved
NEXT_TO_NONE = 1e-12  # the least mean, and of those that are wrong, that is looked for at an end of the concentration
PRIOR_SD = 10.0  # of log a and log b: one standard deviation is a factor of 22,000, so that only ridges feel it
LOWS = np.array([-30.0, np.log(SMALLEST), 0.0])  # log-odds of the mean, log of the concentration, share never solved
HIGHS = np.array([30.0, np.log(LARGEST), 1 - 1e-9])  # at a share of 1, log(1 - u) is infinite
CONVERGED = 1e-9  # a step that moves no number by more: the next one, by Newton's method, moves none by 1e-17
STUCK = 1e-9  # a step that moves no number by more and gains nothing: what it would gain is lost to rounding
LONGEST = 2.0  # a step in log-odds or log s: beyond a factor of seven a parabola says nothing
MOST_STEPS = 300  # about ten are needed, on a ridge some dozens
AT_ONCE = 2**20  # terms of the likelihood at a time: eight megabytes for each of a dozen arrays
STEEPEST = 300.0  # the square of exp of more could overflow, where a share of 0 is compared with what is very unlikely
FLAT = 1e-10  # bend of a scaled direction in which the height is taken as a line


@dataclass(frozen=True, eq=False)
class Peak:
    """Laws where the likelihood times the prior is largest near a start, (B,) each.

    Args:
        mean, concentration, unsolvable: of the laws.
        height: logarithm of the likelihood times the prior, but for constants.
        log_likelihood: the same without the prior.
    """

    mean: FloatArray
    concentration: FloatArray
    unsolvable: FloatArray
    height: FloatArray
    log_likelihood: FloatArray


@dataclass(frozen=True, eq=False)
class _Ground:
    """What a search knows where it stands, in B draws.

    Args:
        height: (B,).
        slope: (B, 3), by log-odds of the mean, log s and the share.
        bend: (B, 3, 3), second derivatives.
        rises: (B,), whether the height rises with the share where that is 0.
    """

    height: FloatArray
    slope: FloatArray
    bend: FloatArray
    rises: BoolArray

    def put(self, rows: IntArray, other: Self, those: BoolArray) -> None:
        """Take over some rows of another one."""
        for name in self.__match_args__:
            getattr(self, name)[rows[those]] = getattr(other, name)[those]


@dataclass(frozen=True, eq=False)
class Counts:
    """Different counts of right answers, and in B draws how many questions have them.

    Args:
        n: (U,) samples of a question.
        right: (U,) how many of them are right.
        questions: (B, U), weights >= 0.

    >>> counts = Counts.of(np.array([8, 8, 4]), np.array([[7, 1, 2], [6, 6, 1]]), np.ones((2, 3)))
    >>> counts.peak(np.array([0.5, 0.65]), np.ones(2)).mean.round(3)
    array([0.5  , 0.641])
    """

    n: IntArray
    right: IntArray
    questions: FloatArray

    @classmethod
    def of(cls, n: IntArray, right: IntArray, weights: FloatArray) -> Self:
        """Count; n (Q,), right and weights (B, Q)."""
        (B, Q), most = weights.shape, int(n.max()) + 1
        kinds, kind = np.unique((n * most + right).ravel(), return_inverse=True)
        place = np.repeat(np.arange(B), Q) * len(kinds) + kind
        questions = np.bincount(place, weights.ravel(), B * len(kinds)).astype(np.float64).reshape(B, len(kinds))
        return cls(kinds // most, kinds % most, questions)

    def peak(self, mean: FloatArray, concentration: FloatArray, unsolvable: FloatArray | None = None) -> Peak:
        """Search from starts (B,); without `unsolvable` the share of questions that are never solved stays 0."""
        start = np.stack([np.log(mean / (1 - mean)), np.log(concentration), np.zeros(len(mean))], axis=1)
        highs = HIGHS * [1.0, 1.0, unsolvable is not None]
        if unsolvable is not None:
            start[:, 2] = unsolvable
        rows = max(1, AT_ONCE // (3 * int(self.n.max()) + 3))
        pieces = [slice(first, first + rows) for first in range(0, len(start), rows)]
        found = [self._peak(self.questions[piece], start[piece], highs) for piece in pieces]
        return Peak(*(np.concatenate([getattr(one, name) for one in found]) for name in Peak.__match_args__))

    def _peak(self, questions: FloatArray, at: FloatArray, highs: FloatArray) -> Peak:
        """Go on, step by step, with the rows that are not there yet."""
        ground, reach, rows = self._around(at, questions), np.ones(len(at)), np.arange(len(at))
        for _ in range(MOST_STEPS):
            step = _step(at[rows], ground.slope[rows], ground.bend[rows], highs)
            there = _within(at[rows], step * reach[rows, None], ground.rises[rows], highs)
            new = self._around(there, questions[rows])
            moved, better = np.abs(there - at[rows]).max(axis=1), new.height >= ground.height[rows]
            done = moved <= np.where(better, CONVERGED * reach[rows], STUCK)
            at[rows[better]] = there[better]
            ground.put(rows, new, better)
            reach[rows] = np.where(better, np.minimum(1.0, 4 * reach[rows]), reach[rows] / 4)
            rows = rows[~done]
            if not len(rows):
                break
        mean, concentration = 1 / (1 + np.exp(-at[:, 0])), np.exp(at[:, 1])
        prior = _prior(np.log(np.stack([mean * concentration, (1 - mean) * concentration], axis=1)))
        return Peak(mean, concentration, at[:, 2], ground.height, ground.height - prior)

    def _around(self, at: FloatArray, questions: FloatArray) -> _Ground:
        m, s, u = 1 / (1 + np.exp(-at[:, 0])), np.exp(at[:, 1]), at[:, 2, None]
        shape, zero = np.stack([m * s, (1 - m) * s], axis=1), self.right == 0
        rows, ones, squares = self._sums(np.column_stack([shape, s]))
        by_law = np.log1p(-u) + rows
        with np.errstate(divide="ignore"):
            total = np.where(zero, np.logaddexp(np.log(u), by_law), by_law)
        likely = np.exp(by_law - total)  # that the question is one of those that can be solved
        by_share = np.where(zero, -np.expm1(rows) * np.exp(np.minimum(-total, STEEPEST)), -1 / (1 - u))
        by_shape = shape[:, :, None] * (ones[:, :2] - ones[:, 2:])  # (B, 2, U), by log a and log b
        weights, logs = questions * likely, np.log(shape)
        first = by_shape @ weights[:, :, None] - logs[:, :, None] / PRIOR_SD**2  # (B, 2, 1)
        both = (squares[:, 2] * weights).sum(axis=1)
        second = shape[:, :, None] * shape[:, None, :] * both[:, None, None] - np.eye(2) / PRIOR_SD**2
        second[:, [0, 1], [0, 1]] += (first + logs[:, :, None] / PRIOR_SD**2)[:, :, 0]
        second[:, [0, 1], [0, 1]] -= shape**2 * (squares[:, :2] @ weights[:, :, None])[:, :, 0]
        # A question without a right sample is one of the law or not, which bends what else would be a sum.
        zeros, unsure = by_shape[:, :, zero], (weights * (1 - likely))[:, None, zero]
        second += (zeros * unsure) @ zeros.transpose(0, 2, 1)
        steep = np.exp(rows[:, zero] + np.minimum(-2 * total[:, zero], 2 * STEEPEST))
        crossed = -zeros @ (questions[:, zero] * steep)[:, :, None]
        turn = np.stack([np.stack([1 - m, -m], axis=1), np.ones((len(m), 2))], axis=1)  # to log-odds and log s
        bend = np.empty((len(m), 3, 3))
        bend[:, :2, :2] = turn @ second @ turn.transpose(0, 2, 1)
        bend[:, 0, 0] -= m * (1 - m) * first.sum(axis=(1, 2))
        bend[:, :2, 2] = bend[:, 2, :2] = (turn @ crossed)[:, :, 0]
        bend[:, 2, 2] = -(by_share**2 * questions).sum(axis=1)
        slope = np.column_stack([(turn @ first)[:, :, 0], (by_share * questions).sum(axis=1)])
        odds = np.where(zero, np.expm1(np.minimum(-rows, STEEPEST)), -1.0)
        return _Ground((questions * total).sum(axis=1) + _prior(logs), slope, bend, (odds * questions).sum(axis=1) > 0)

    def _sums(self, starts: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Log-likelihoods (B, U) of questions, and sums (B, 3, U) of 1 / x and 1 / x^2 over the terms a + i, ..."""
        terms = starts[:, :, None] + np.arange(self.n.max(), dtype=np.float64)
        upto = np.stack([self.right, self.n - self.right, self.n])
        logs = first_terms(np.log(terms), upto)
        inverse = 1 / terms
        return logs[:, 0] + logs[:, 1] - logs[:, 2], first_terms(inverse, upto), first_terms(inverse**2, upto)


def _prior(logs: FloatArray) -> FloatArray:
    """Logarithm (B,) of the prior of log a and log b (B, 2)."""
    return np.asarray(-(logs**2).sum(axis=1) / (2 * PRIOR_SD**2))


def _step(at: FloatArray, slope: FloatArray, bend: FloatArray, highs: FloatArray) -> FloatArray:
    """Newton's step (B, 3), uphill also where the height is not concave; what is pushed against a bound stays."""
    fixed = ((at <= LOWS) & (slope <= 0)) | ((at >= highs) & (slope >= 0))
    slope = np.where(fixed, 0.0, slope)
    bend = np.where(fixed[:, :, None] | fixed[:, None, :], 0.0, bend)
    scale = 1 / np.sqrt(np.maximum(np.abs(np.diagonal(bend, axis1=1, axis2=2)), 1e-12))  # any number will do for 0
    curves, ways = np.linalg.eigh(bend * scale[:, :, None] * scale[:, None, :])
    uphill = ways.transpose(0, 2, 1) @ (scale * slope)[:, :, None]
    step = scale * (ways @ (uphill / np.maximum(np.abs(curves), FLAT)[:, :, None]))[:, :, 0]
    longest = np.abs(step[:, :2]).max(axis=1, keepdims=True)
    return np.asarray(step / np.maximum(1.0, longest / LONGEST))


def _within(at: FloatArray, step: FloatArray, rises: BoolArray, highs: FloatArray) -> FloatArray:
    """Go a step, but not beyond the bounds.

    The share comes nearer to 1 by nine tenths at most, and to 0 as well where the height rises from there: so steeply
    that Newton's method would take many steps to come back.
    """
    there, share = np.clip(at + step, LOWS, highs), at[:, 2]
    there[:, 2] = np.clip(there[:, 2], np.where(rises, share / 10, 0.0), np.minimum(1 - (1 - share) / 10, highs[2]))
    return there


def first_terms(terms: FloatArray, upto: IntArray) -> FloatArray:
    """Sums (..., 3, U) of the first so many terms of each row (..., 3, N); how many are (3, U)."""
    sums = np.zeros((*terms.shape[:-1], terms.shape[-1] + 1))
    terms.cumsum(axis=-1, out=sums[..., 1:])
    return sums[..., np.arange(3)[:, None], upto]
