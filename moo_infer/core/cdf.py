"""The cdf of a quantity at n values of k, given each of Q queries, and the quantiles of their mixture."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import FloatArray

__all__ = ["AffineCdf", "Cdf", "NormalCdf", "affine"]

ROUNDING = 1e-12  # of sums of shares: 0.95 of them may come out as 0.95 - 1e-16, which is enough
CLOSE = 1e-10  # of the result, relative to the mean or the standard deviation, where the root is searched for
SLACK = 1  # searches take at most so many steps more than bisection: n0 of Oliveira and Takahashi


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

        The search is that of Oliveira and Takahashi (ACM Trans. Math. Softw. 47, 2020), which needs no more steps than
        bisection and far fewer where the cdf is smooth. It starts from Cantelli's bounds of a quantile.

        Args:
            weights: (Q,), shares of the queries, >= 0, with the sum 1.
            q: in (0, 1).
            mean, std: (n,) over queries.
        """
        error = CLOSE * np.maximum(np.abs(mean), std)
        low, high = mean - std * np.sqrt((1 - q) / q) - error, mean + std * np.sqrt(q / (1 - q)) + error
        scale = np.where(high > low, high - low, 1.0)
        below, above = weights @ self(low) - q, np.maximum(weights @ self(high) - q, 0.0)
        open_ends = (below < -ROUNDING) & (std > 0)  # else there is nothing to search for
        steps = int(np.ceil(np.log2(max((scale / np.maximum(2 * error, 1e-300)).max(), 2.0)))) + SLACK
        for step in range(steps):
            if not (open_ends & (high - low > 2 * error)).any():
                break
            middle, half = (low + high) / 2, (high - low) / 2
            straight = np.where(
                above > below, (above * low - below * high) / np.where(above > below, above - below, 1), middle
            )
            toward = np.sign(middle - straight)
            pushed = straight + toward * np.minimum(0.2 * (2 * half) ** 2 / scale, np.abs(middle - straight))
            reach = np.maximum(error * 2.0 ** (steps - step) - half, 0.0)
            x = np.where(np.abs(pushed - middle) <= reach, pushed, middle - toward * reach)
            found = weights @ self(x) - q
            enough = found >= -ROUNDING
            high, above = np.where(enough, x, high), np.where(enough, np.maximum(found, 0.0), above)
            low, below = np.where(enough, low, x), np.where(enough, below, found)
        return np.where(std > 0, np.where(open_ends, high, low), mean)


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
        if np.ndim(self.factor) > 1 or np.ndim(self.shift) > 1 or not np.all(np.asarray(self.factor) > 0):
            return Cdf.quantile(self, weights, q, mean, std)
        inner = self.of.quantile(weights, q, (mean - self.shift) / self.factor, std / self.factor)
        return np.asarray(self.factor * inner + self.shift)


def affine(cdf: Cdf | None, factor: Any, shift: Any, /) -> Cdf | None:
    """Return the cdf of ``factor * X + shift``; None where that of X is not known, or the factor is negative."""
    if cdf is None or np.any(np.asarray(factor) < 0):
        return None
    if isinstance(cdf, AffineCdf):
        factor, shift, cdf = factor * cdf.factor, factor * cdf.shift + shift, cdf.of
    return AffineCdf(cdf, factor, shift)
