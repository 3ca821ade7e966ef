"""Laws of votes: how often a majority of k is right, where questions differ; it may rise with k and fall again.

A question is described by two candidates, the right answer and its strongest rival: a vote is for the right one with
probability p. With k votes (a tie is broken at random, so that an even k counts as k - 1) the majority is right with
probability I_p(h, h), the regularised incomplete beta function with h = ceil(k / 2). It rises to 1 where p > 1/2 and
falls to 0 where p < 1/2, so that the mean over questions may do both (Chen et al., arXiv 2403.02419).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from ..core.arrays import FloatArray, IntArray
from .beta_search import LARGEST, SMALLEST
from .scaling_laws import ScalingLaw

__all__ = ["BetaVote", "MixedVote"]

LONGEST = 2**20  # terms of the series; what is left beyond falls as 1 / k, to a millionth of itself
# Questions in 43 groups by p, closer where k tells them apart: 1/2 +- 0.01 takes k of some thousands.
AWAY = np.geomspace(0.01, 0.5, 20)
GRID = np.concatenate([0.5 - AWAY[::-1], [0.5], 0.5 + AWAY])
SUM = 1e3  # how much the sum of the shares counts: it is 1 to six digits, and made so afterwards


@dataclass(frozen=True)
class BetaVote(ScalingLaw):
    """Majority of k where the p of questions come from Beta(mean s, (1 - mean) s), s the concentration.

    From k = 2 i - 1 votes to 2 i + 1 it gains C(2i-1, i) E[(2p - 1) (p (1 - p))^i], so that it rises all the way where
    the mean is above 1/2, and falls where it is below.

    Args:
        mean, concentration: of the beta law, in (0, 1) and > 0.

    >>> law = BetaVote(0.7, 2.0)
    >>> print(law, law.predict([1, 5, 101]).round(4), round(law.limit, 4))
    majority of k with p from Beta(1.4, 0.6) [0.7    0.7388 0.761 ] 0.7625
    """

    name = "beta-vote"

    mean: float
    concentration: float

    def __str__(self) -> str:
        """Return the law in words."""
        a, b = self._shape
        return f"majority of k with p from Beta({a:.4g}, {b:.4g})"

    @property
    def _shape(self) -> tuple[float, float]:
        return self.mean * self.concentration, (1 - self.mean) * self.concentration

    @classmethod
    def through(cls, k: IntArray, accuracy: FloatArray) -> Self:
        """Return the law that is nearest to a curve, by least squares."""
        first = min(max(float(accuracy[0]), 1e-6), 1 - 1e-6)
        return cls._nearest(k, accuracy, [(first, 1.0), (first, 20.0)])

    def refitted(self, k: IntArray, accuracy: FloatArray) -> Self:
        """Return the law that is nearest to another curve."""
        return self._nearest(k, accuracy, [self.numbers])

    @classmethod
    def _nearest(cls, k: IntArray, accuracy: FloatArray, starts: Sequence[tuple[float, ...]]) -> Self:
        """The best of what is found from several means and concentrations."""
        from scipy.optimize import least_squares

        def numbers(at: FloatArray) -> tuple[float, float]:
            return float(1 / (1 + np.exp(-at[0]))), float(np.exp(at[1]))

        def off(at: FloatArray) -> FloatArray:
            return cls(*numbers(at)).predict(k) - accuracy

        bounds = (np.array([-30.0, np.log(SMALLEST)]), np.array([30.0, np.log(LARGEST)]))
        found = []
        for mean, s in starts:
            start = np.clip([np.log(mean / (1 - mean)), np.log(s)], *bounds)
            found.append(least_squares(off, start, bounds=bounds))
        return cls(*numbers(min(found, key=lambda one: float(one.cost)).x))

    def predict(self, k: npt.ArrayLike) -> FloatArray:
        """Return how often a majority of k (m,) is right."""
        h = (np.asarray(k, dtype=np.int64) + 1) // 2
        (a, b), s = self._shape, self.concentration
        i = np.arange(1.0, min(int(h.max(initial=1)), LONGEST))
        ratios = 2 * (2 * i + 1) / (i + 1) * (a + i) * (b + i) / ((s + 2 * i) * (s + 2 * i + 1))
        terms = a * b / (s * (s + 1)) * np.cumprod(np.concatenate([[1.0], ratios]))[: len(i)]
        curve = self.mean + np.concatenate([[0.0], np.cumsum(terms * (a - b) / (s + 2 * i))])
        beyond = np.maximum(h / LONGEST, 1.0)
        left = (curve[np.minimum(h, LONGEST) - 1] - self.limit) / beyond
        return np.asarray(np.clip(self.limit + left, 0.0, 1.0))

    @property
    def limit(self) -> float:
        """The share of questions with p > 1/2."""
        from scipy.special import betainc

        a, b = self._shape
        return float(betainc(b, a, 0.5))

    @property
    def numbers(self) -> tuple[float, ...]:
        """Mean and concentration."""
        return self.mean, self.concentration

    @classmethod
    def of(cls, *numbers: float) -> Self:
        """Return the law of these."""
        return cls(*numbers)


@dataclass(frozen=True)
class MixedVote(ScalingLaw):
    """Majority of k over groups of questions, each with a p of its own: any shape that such a mean can have.

    Args:
        p: of each group, in [0, 1].
        shares: of the questions in each, >= 0, with the sum 1.

    >>> law = MixedVote((0.85, 0.4), (0.6, 0.4))
    >>> print(law, law.predict([1, 5, 101]).round(4), law.limit)
    majority of k, p = 0.85 (60 %), 0.4 (40 %) [0.67   0.711  0.6084] 0.6
    """

    name = "mixed-vote"

    p: tuple[float, ...]
    shares: tuple[float, ...]

    def __str__(self) -> str:
        """Return the law in words."""
        groups = (f"{p:.3g} ({100 * share:.3g} %)" for p, share in zip(self.p, self.shares, strict=True))
        return f"majority of k, p = {', '.join(groups)}"

    @classmethod
    def through(cls, k: IntArray, accuracy: FloatArray) -> Self:
        """Return the law that is nearest to a curve, by least squares over shares that are not negative."""
        from scipy.optimize import nnls

        of_groups = np.vstack([_majority(k, GRID), np.full(len(GRID), SUM)])
        shares, _ = nnls(of_groups, np.append(accuracy, SUM))
        there = shares > 0
        return cls(tuple(GRID[there].tolist()), tuple((shares[there] / shares.sum()).tolist()))

    def predict(self, k: npt.ArrayLike) -> FloatArray:
        """Return how often a majority of k (m,) is right."""
        chance = _majority(np.asarray(k, dtype=np.int64), np.array(self.p)) @ np.array(self.shares)
        return np.asarray(np.clip(chance, 0.0, 1.0))  # the shares have the sum 1, but for rounding

    @property
    def limit(self) -> float:
        """The share of questions with p > 1/2, and half of those with p = 1/2."""
        return float(np.sign(np.array(self.p) - 0.5) @ np.array(self.shares) / 2 + 0.5)

    @property
    def numbers(self) -> tuple[float, ...]:
        """All p, then all shares."""
        return *self.p, *self.shares

    @classmethod
    def of(cls, *numbers: float) -> Self:
        """Return the law of these."""
        half = len(numbers) // 2
        return cls(tuple(numbers[:half]), tuple(numbers[half:]))


def _majority(k: IntArray, p: FloatArray) -> FloatArray:
    """(m, G), how often a majority of k is right where a vote is with probability p."""
    from scipy.special import betainc

    h = (k[:, None] + 1) // 2
    return np.asarray(betainc(h, h, p))
