"""Probability laws of one quantity of one inference, for models that know theirs exactly."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["ClippedNormal"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClippedNormal:
    """A normal law whose values are clipped to [low, high]: the mass outside sits on the bounds.

    Args:
        loc: mean of the normal before clipping; a number, or (B, 1) for B laws at once.
        sigma: its standard deviation, >= 0; likewise.
        low, high: the bounds; infinite where there is none.

    >>> law = ClippedNormal(0.94, 0.02, 0.0, 1.0)
    >>> print(round(law.mean, 6), law.quantile(np.array([0.5])))
    0.939992 [0.94]
    """

    loc: float
    sigma: float
    low: float = -math.inf
    high: float = math.inf

    @cached_property
    def _moments(self) -> tuple[Any, Any, Any]:
        """Mean, standard deviation, and the mass that clipping moved."""
        from scipy.special import ndtr

        flat = np.asarray(self.sigma) == 0
        sigma = np.where(flat, 1.0, self.sigma)
        a, b = (self.low - self.loc) / sigma, (self.high - self.loc) / sigma
        below, above, density_a, density_b = ndtr(a), ndtr(-b), _density(a), _density(b)
        a, b = (np.where(np.isinf(bound), 0.0, bound) for bound in (a, b))  # nothing sits on an infinite bound
        first = density_a - density_b + a * below + b * above
        second = 1 - below - above + a * (density_a + a * below) - b * (density_b - b * above)
        still = np.clip(self.loc, self.low, self.high)
        mean = np.where(flat, still, self.loc + sigma * first)
        std = np.where(flat, 0.0, sigma * np.sqrt(np.maximum(second - first**2, 0.0)))
        return mean[()], std[()], np.where(flat, still != self.loc, below + above)

    @property
    def mean(self) -> float:
        """The expectation after clipping."""
        return self._moments[0]  # type: ignore[no-any-return]  # a number, or B of them

    @property
    def std(self) -> float:
        """The standard deviation after clipping."""
        return self._moments[1]  # type: ignore[no-any-return]  # a number, or B of them

    @property
    def normal(self) -> bool:
        """Whether less than 1e-12 of the mass is clipped."""
        return bool(np.all(self._moments[2] < 1e-12))

    def cdf(self, x: FloatArray, /) -> FloatArray:
        """P(X <= x), any shape."""
        from scipy.special import ndtr

        flat = np.asarray(self.sigma) == 0
        z = (x - self.loc) / np.where(flat, 1.0, self.sigma)
        inside = np.where(flat, x >= self.mean, ndtr(z))
        return np.where(x >= self.high, 1.0, np.where(x < self.low, 0.0, inside))

    def quantile(self, q: FloatArray, /) -> FloatArray:
        """The smallest x with P(X <= x) >= q, any shape."""
        from scipy.special import ndtri

        return np.clip(self.loc + self.sigma * ndtri(q), self.low, self.high)


def _density(z: Any) -> Any:
    return np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
