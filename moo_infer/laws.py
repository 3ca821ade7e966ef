"""Probability laws of one quantity of one inference, for models that know theirs exactly."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

__all__ = ["ClippedNormal"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ClippedNormal:
    """A normal law whose values are clipped to [low, high]: the mass outside sits on the bounds.

    Args:
        loc: mean of the normal before clipping.
        sigma: its standard deviation, >= 0.
        low, high: the bounds; infinite where there is none.

    >>> law = ClippedNormal(0.94, 0.02, 0.0, 1.0)
    >>> round(law.mean, 6), law.quantile(np.array([0.5])).tolist()
    (0.939992, [0.94])
    """

    loc: float
    sigma: float
    low: float = -math.inf
    high: float = math.inf

    @cached_property
    def _moments(self) -> tuple[float, float, float]:
        """Mean, standard deviation, and the mass that clipping moved."""
        if self.sigma == 0:
            mean = min(max(self.loc, self.low), self.high)
            return mean, 0.0, float(mean != self.loc)
        a, b = (self.low - self.loc) / self.sigma, (self.high - self.loc) / self.sigma
        below, above = _cdf(a), _cdf(-b)
        first = _density(a) - _density(b) + _times(a, below) + _times(b, above)
        second = 1 - below - above + _times(a, _density(a) + a * below) - _times(b, _density(b) - b * above)
        return (
            self.loc + self.sigma * first,
            self.sigma * math.sqrt(max(second - first**2, 0.0)),
            below + above,
        )

    @property
    def mean(self) -> float:
        """The expectation after clipping."""
        return self._moments[0]

    @property
    def std(self) -> float:
        """The standard deviation after clipping."""
        return self._moments[1]

    @property
    def normal(self) -> bool:
        """Whether less than 1e-12 of the mass is clipped."""
        return self._moments[2] < 1e-12

    def cdf(self, x: FloatArray, /) -> FloatArray:
        """P(X <= x), any shape."""
        from scipy.special import ndtr

        with np.errstate(divide="ignore", invalid="ignore"):
            z = (x - self.loc) / self.sigma if self.sigma > 0 else np.where(x >= self.mean, np.inf, -np.inf)
        inside: FloatArray = ndtr(z)
        return np.where(x >= self.high, 1.0, np.where(x < self.low, 0.0, inside))

    def quantile(self, q: FloatArray, /) -> FloatArray:
        """The smallest x with P(X <= x) >= q, any shape."""
        from scipy.special import ndtri

        return np.clip(
            self.loc + self.sigma * ndtri(q) if self.sigma > 0 else np.full(np.shape(q), self.loc),
            self.low,
            self.high,
        )


def _cdf(z: float) -> float:
    return 0.5 * math.erfc(-z / math.sqrt(2))


def _density(z: float) -> float:
    return math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)


def _times(bound: float, mass: float) -> float:
    """Multiply a bound by the mass on it, 0 where the bound is infinite and so nothing sits there."""
    return 0.0 if math.isinf(bound) else bound * mass
