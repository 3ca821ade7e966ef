"""The cdf of a quantity at n values of k, given each of Q queries, and the quantiles of their mixture."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import FloatArray

__all__ = ["AffineCdf", "Cdf", "NormalCdf", "affine"]

ROUNDING = 1e-12  # of sums of shares: 0.95 of them may come out as 0.95 - 1e-16, which is enough
LEAST, MOST = 1e-300, 1 - 2**-53  # shares whose log odds are finite
CLOSE = 1e-10  # of the result, relative to the mean or the standard deviation, where the root is searched for


class Cdf(ABC):
    """P(X <= x) of a quantity at n values of k, given each of Q queries.

    Instances pickle: classes with fields, no functions made on the way.

    >>> cdf = NormalCdf(np.array([[0.0], [10.0]]), np.ones((2, 1)))
    >>> cdf(np.array([0.0])).round(6).tolist()
    [[0.5], [0.0]]
    >>> cdf.quantile(np.array([0.5, 0.5]), 0.75, np.array([5.0]), np.array([26**0.5])).round(6)
    array([10.])
    """

    @abstractmethod
    def __call__(self, x: FloatArray, /) -> FloatArray:
        """Return (Q, n) probabilities at x, which is (n,) or (Q, n)."""

    def quantile(self, weights: FloatArray, q: float, mean: FloatArray, std: FloatArray, /) -> FloatArray:
        """Return (n,) quantiles over queries: the smallest x with ``sum_q w_q F_q(x) >= q``, to nine digits.

        The search is that of Chandrupatla (Adv. Eng. Softw. 28, 1997, 145-149): inverse quadratic interpolation where
        the cdf is smooth, bisection where it is not. It starts from Cantelli's bounds of a quantile, and compares log
        odds of shares, which are closer to a line than shares are.

        Args:
            weights: (Q,), shares of the queries, >= 0, with the sum 1.
            q: in (0, 1).
            mean, std: (n,) over queries.
        """
        error = CLOSE * np.maximum(np.abs(mean), std)
        b, a = mean - std * np.sqrt((1 - q) / q) - error, mean + std * np.sqrt(q / (1 - q)) + error
        lowest, sought = b, q - ROUNDING

        def excess(x: FloatArray) -> FloatArray:
            share = np.clip(weights @ self(x), LEAST, MOST)
            return np.asarray(np.log(share / sought) - np.log((1 - share) / (1 - sought)))

        at_b, at_a = excess(b), np.maximum(excess(a), 0.0)  # Cantelli's upper bound reaches q but for rounding
        inside = (at_b < 0) & (std > 0)  # else there is nothing to search for
        c, at_c, t = b, at_b, np.full(np.shape(mean), 0.5)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # where interpolation is not taken
            while (inside & (np.abs(b - a) > 2 * error)).any():
                x = a + t * (b - a)
                at_x = excess(x)
                same = (at_x >= 0) == (at_a >= 0)
                c, at_c = np.where(same, a, b), np.where(same, at_a, at_b)
                b, at_b = np.where(same, b, a), np.where(same, at_b, at_a)
                a, at_a = x, at_x
                xi, phi = (a - b) / (c - b), (at_a - at_b) / (at_c - at_b)
                smooth = (phi**2 < xi) & ((1 - phi) ** 2 < 1 - xi)
                curved = at_a / (at_b - at_a) * at_c / (at_b - at_c)
                curved += (c - a) / (b - a) * at_a / (at_c - at_a) * at_b / (at_c - at_b)
                least = np.minimum(error / np.abs(b - a), 0.5)  # a step over the root closes the bracket
                t = np.clip(np.where(smooth & np.isfinite(curved), curved, 0.5), least, 1 - least)
        high = np.where(at_a >= 0, a, b)
        return np.where(std > 0, np.where(inside, high, lowest), mean)

    def quantiles(self, weights: FloatArray, q: float, mean: FloatArray, std: FloatArray, /) -> FloatArray:
        """Return (B, n) quantiles with each of B weights of the queries; a cdf may have a faster way for all of them.

        Args:
            weights: (B, Q), shares of the queries.
            q: as in `quantile`.
            mean, std: (B, n) over queries.
        """
        return np.stack([self.quantile(row, q, m, s) for row, m, s in zip(weights, mean, std, strict=True)])


@dataclass(frozen=True, eq=False)
class NormalCdf(Cdf):
    """Normal laws, given each query.

    Args:
        mean, std: (Q, n), or (n,) where all queries are alike; a standard deviation may be 0.
    """

    mean: FloatArray
    std: FloatArray

    def __call__(self, x: FloatArray, /) -> FloatArray:
        """Return the probabilities (Q, n) of normal laws."""
        from scipy.special import ndtr

        flat = self.std == 0
        inside = ndtr((x - self.mean) / np.where(flat, 1.0, self.std))
        return np.atleast_2d(np.where(flat, x >= self.mean, inside))


@dataclass(frozen=True, eq=False)
class AffineCdf(Cdf):
    """The cdf of ``factor * X + shift``.

    Args:
        of: that of X.
        factor: >= 0, a number, (n,) or (Q, n).
        shift: likewise, any sign.
    """

    of: Cdf
    factor: Any
    shift: Any

    def __call__(self, x: FloatArray, /) -> FloatArray:
        """Return the probabilities (Q, n) of X at what x was before it was moved."""
        flat = np.asarray(self.factor) == 0
        inside = self.of((x - self.shift) / np.where(flat, 1.0, self.factor))
        return np.where(flat, x >= self.shift, inside)

    def quantile(self, weights: FloatArray, q: float, mean: FloatArray, std: FloatArray, /) -> FloatArray:
        """Return that of X, moved, where all queries are moved alike; else search as other laws do."""
        if not self._alike:
            return Cdf.quantile(self, weights, q, mean, std)
        inner = self.of.quantile(weights, q, (mean - self.shift) / self.factor, std / self.factor)
        return np.asarray(self.factor * inner + self.shift)

    def quantiles(self, weights: FloatArray, q: float, mean: FloatArray, std: FloatArray, /) -> FloatArray:
        """Return those of X, moved, where all queries are moved alike."""
        if not self._alike:
            return Cdf.quantiles(self, weights, q, mean, std)
        inner = self.of.quantiles(weights, q, (mean - self.shift) / self.factor, std / self.factor)
        return np.asarray(self.factor * inner + self.shift)

    @property
    def _alike(self) -> bool:
        """Whether X of all queries is moved alike, by a factor above 0."""
        return np.ndim(self.factor) < 2 and np.ndim(self.shift) < 2 and bool(np.all(np.asarray(self.factor) > 0))


def affine(cdf: Cdf | None, factor: Any, shift: Any, /) -> Cdf | None:
    """Return the cdf of ``factor * X + shift``; None where that of X is not known, or the factor is negative."""
    if cdf is None or np.any(np.asarray(factor) < 0):
        return None
    if isinstance(cdf, AffineCdf):
        factor, shift, cdf = factor * cdf.factor, factor * cdf.shift + shift, cdf.of
    return AffineCdf(cdf, factor, shift)
