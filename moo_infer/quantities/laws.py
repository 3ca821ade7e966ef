"""Probability laws of one quantity of one inference, for models that know theirs exactly."""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from ..core.arrays import FloatArray

__all__ = ["Bernoulli", "ClippedNormal", "Law", "Lognormal", "cut_to"]


class Law(Protocol):
    """The distribution of one quantity of one inference, independent of the other quantities and inferences.

    Between its ends the cdf is continuous; steps may stand at the two ends alone, as clipping makes them.
    """

    @property
    def mean(self) -> float:
        """The expectation."""

    @property
    def std(self) -> float:
        """The standard deviation."""

    @property
    def normal(self) -> bool:
        """Whether the law is normal up to a mass of 1e-12, so that sums of such laws are normal too."""

    def cdf(self, x: FloatArray, /) -> FloatArray:
        """P(X <= x), any shape."""

    def quantile(self, q: FloatArray, /) -> FloatArray:
        """The smallest x with P(X <= x) >= q, any shape."""


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

    loc: Any
    sigma: Any
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

    @cached_property
    def normal(self) -> bool:
        """Whether less than 1e-12 of the mass is clipped."""
        return bool(np.all(self._moments[2] < 1e-12))  # clipping so little moves mean and std by rounding alone

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

        return np.asarray(np.clip(self.loc + self.sigma * ndtri(q), self.low, self.high))


@dataclass(frozen=True, eq=False)
class Lognormal:
    """A lognormal law given by its mean and coefficient of variation; values above `cap` are cut to it.

    Args:
        mean_uncut: mean before the cut, >= 0; a number, or (B, 1) for B laws at once.
        cv: standard deviation per mean before the cut, >= 0; likewise. With 0 the law is a constant.
        cap: the largest value, > 0; likewise. Infinite where nothing is cut.

    >>> law = Lognormal(2000.0, 0.5, cap=4000.0)
    >>> print(round(law.mean, 3), round(law.std, 3), round(law.cut, 6), law.quantile(np.array([0.5, 0.99])).round(1))
    1958.671 866.823 0.044234 [1788.9 4000. ]
    """

    mean_uncut: Any
    cv: Any
    cap: Any = math.inf

    @cached_property
    def _sigma(self) -> Any:
        return np.sqrt(np.log1p(np.square(self.cv)))  # of the logarithm

    @cached_property
    def _moments(self) -> tuple[Any, Any, Any]:
        """Mean, standard deviation, and the mass that is cut."""
        from scipy.special import ndtr

        flat, sigma = np.asarray(self.cv) == 0, self._sigma
        scale = np.where(np.asarray(self.mean_uncut) > 0, self.mean_uncut, 1.0)
        cap = np.where(np.asarray(self.mean_uncut) > 0, self.cap / scale, math.inf)  # in units of the mean
        z = np.log(cap) / np.where(flat, 1.0, sigma) + sigma / 2
        share, kept, kept_square, cut = ndtr(z), ndtr(z - sigma), ndtr(z - 2 * sigma), ndtr(-z)
        at_cap = np.where(cut > 0, cap, 0.0)  # nothing sits on an infinite bound
        first = kept + at_cap * cut
        variance = np.square(self.cv) * kept_square + (kept_square + at_cap**2 * cut - first**2)
        # Where most is cut, what is missing to the cap is small, and so are its squares: nothing cancels.
        squares = at_cap**2 * share - 2 * at_cap * kept + (1 + np.square(self.cv)) * kept_square
        variance = np.where(cut > 0.5, squares - (at_cap * share - kept) ** 2, variance)
        mean = np.where(flat, np.minimum(self.mean_uncut, self.cap), self.mean_uncut * first)
        std = np.where(flat, 0.0, self.mean_uncut * np.sqrt(np.maximum(variance, 0.0)))
        return mean[()], std[()], np.where(flat, 1.0 * (cap < 1), cut)[()]

    @property
    def mean(self) -> float:
        """The expectation after the cut."""
        return self._moments[0]  # type: ignore[no-any-return]  # a number, or B of them

    @property
    def std(self) -> float:
        """The standard deviation after the cut."""
        return self._moments[1]  # type: ignore[no-any-return]  # a number, or B of them

    @property
    def cut(self) -> float:
        """The share of values above the cap, in [0, 1]."""
        return self._moments[2]  # type: ignore[no-any-return]  # a number, or B of them

    @property
    def normal(self) -> bool:
        """Whether it is a constant."""
        return not np.any(self.cv)

    def cdf(self, x: FloatArray, /) -> FloatArray:
        """P(X <= x), any shape."""
        from scipy.special import ndtr

        flat, sigma = np.asarray(self.cv) == 0, self._sigma
        with np.errstate(divide="ignore", invalid="ignore"):  # at x = 0, and where the mean is 0
            # Logarithms of x, which may be (n,), and of B means, not of as many quotients as they have pairs.
            apart = np.log(np.maximum(x, 0.0)) - np.log(self.mean_uncut)
            z = apart / np.where(flat, 1.0, sigma) + sigma / 2
        constant = flat | (np.asarray(self.mean_uncut) == 0)
        inside = np.where(constant, x >= self.mean, ndtr(z)) if constant.any() else ndtr(z)
        return inside if np.all(self.cap == math.inf) else np.where(x >= self.cap, 1.0, inside)

    def quantile(self, q: FloatArray, /) -> FloatArray:
        """The smallest x with P(X <= x) >= q, any shape."""
        from scipy.special import ndtri

        sigma = self._sigma
        return np.asarray(np.minimum(self.mean_uncut * np.exp(sigma * ndtri(q) - sigma**2 / 2), self.cap))


def cut_to(law: Law, most: Any, /) -> Law | None:
    """Return the law of ``min(X, most)``; None where it has no closed form here.

    Args:
        law: of X.
        most: a number, or (B, 1).

    >>> print(round(cut_to(Lognormal(2000.0, 0.5), 4000.0).mean, 3))
    1958.671
    """
    if isinstance(law, Lognormal) and np.all(np.asarray(most) > 0):
        return replace(law, cap=np.minimum(law.cap, most))
    return None


@dataclass(frozen=True, eq=False)
class Bernoulli:
    """1 with probability p, otherwise 0.

    Args:
        p: in [0, 1]; a number, or (B, 1) for B laws at once.

    >>> law = Bernoulli(0.2)
    >>> print(law.mean, law.std, law.cdf(np.array([0.0, 0.5, 1.0])), law.quantile(np.array([0.8, 0.9])))
    0.2 0.4 [0.8 0.8 1. ] [0. 1.]
    """

    p: Any

    @property
    def mean(self) -> float:
        """The expectation, p."""
        return self.p  # type: ignore[no-any-return]  # a number, or B of them

    @property
    def std(self) -> float:
        """The standard deviation, sqrt(p (1 - p))."""
        return np.sqrt(self.p * (1.0 - self.p))  # type: ignore[no-any-return]  # a number, or B of them

    @property
    def normal(self) -> bool:
        """Whether it is a constant."""
        return not np.any(self.std)

    def cdf(self, x: FloatArray, /) -> FloatArray:
        """P(X <= x), any shape."""
        return np.where(x >= 1.0, 1.0, np.where(x < 0.0, 0.0, 1.0 - self.p))

    def quantile(self, q: FloatArray, /) -> FloatArray:
        """The smallest x with P(X <= x) >= q, any shape."""
        return np.where(q > 1.0 - self.p, 1.0, 0.0)


def _density(z: Any) -> Any:
    return np.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
