"""The law of a sum of two independent quantities that are not both normal, by quadrature."""

import math
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np

from ..core.arrays import FloatArray, IntArray
from .laws import Law
from .quadrature import HIGH, LOW, SURE, panels

__all__ = ["SumLaw"]

# Where panels over one summand meet, as shares of what it can be: in its normal scores the cdf of the other is smooth,
# and steep at the ends alone. Cdfs are right to 1e-15; of two lognormal laws with a coefficient of variation of 2, to
# 2e-11.
PANELS, ORDER = (0.0, 0.02, 0.06, 0.15, 0.3, 0.45, 0.6, 0.75, 0.88, 0.95, 0.985, 0.997, 1.0), 16
OUTER = 24  # panels of a mean of the largest of k, as wide as the law is there
AT_ONCE = 2**17  # numbers in one go: a few arrays of 1 MiB, which a cache holds
LEAST = 1e-300  # a probability with a finite normal score
STEPS, CLOSE = 100, 1e-12  # of the search of a quantile, in normal scores


@dataclass(frozen=True, eq=False)
class SumLaw:
    """The law of X + Y, which are independent of each other; or of B of them at once.

    Args:
        narrow, wide: the laws of X and of Y. The quadrature runs over X, which should be the one that varies less.

    >>> from moo_infer.quantities.laws import ClippedNormal, Lognormal
    >>> law = SumLaw(ClippedNormal(1.0, 0.5, 0.0), Lognormal(3.0, 0.5))
    >>> print(round(law.mean, 6), law.quantile(np.array([0.5, 0.95])).round(6))
    4.004245 [3.726311 6.933384]
    """

    narrow: Law
    wide: Law

    @property
    def mean(self) -> Any:
        """The expectation, a number or (B, 1)."""
        return self.narrow.mean + self.wide.mean

    @property
    def std(self) -> Any:
        """The standard deviation, a number or (B, 1)."""
        return np.sqrt(np.square(self.narrow.std) + np.square(self.wide.std))

    @property
    def normal(self) -> bool:
        """Never: where both are normal, so is their sum, and needs no quadrature."""
        return False

    def cdf(self, x: FloatArray, /) -> FloatArray:
        """P(X + Y <= x), any shape; (B, N) of B laws at x of (N,) or (B, N)."""
        rows = np.broadcast_to(x, np.broadcast_shapes(np.shape(x), np.shape(self.mean)))
        flat = rows if np.ndim(self.mean) else rows.reshape(-1)
        step = max(1, AT_ONCE // (len(PANELS) * ORDER * max(1, flat[..., :1].size)))
        parts = [self._cdf(flat[..., i : i + step]) for i in range(0, flat.shape[-1], step)]
        return np.concatenate(parts, axis=-1).reshape(rows.shape)

    def _cdf(self, x: FloatArray) -> FloatArray:
        """Of x (N,), or (B, N): Y <= x - X surely holds where that is above all Y, and never where it is below."""
        from scipy.special import ndtr

        (low, high), (least, most) = self._ends
        below, above, first, last = self._masses
        start, end = (np.clip(_score(self.narrow.cdf(x - y)), first, last) for y in (most, least))
        t, weights = _nodes()
        span = (end - start)[..., None]
        z = start[..., None] + span * t
        given = self.narrow.quantile(ndtr(z).reshape(*x.shape[:-1], -1)).reshape(z.shape)
        other = self.wide.cdf((x[..., None] - given).reshape(*x.shape[:-1], -1)).reshape(z.shape)
        inside = np.vecdot(span * weights * np.exp(-0.5 * z**2), other) / math.sqrt(2 * math.pi)
        at_ends = below * self.wide.cdf(x - low) + above * self.wide.cdf(x - high)
        return np.asarray(np.clip(ndtr(start) - ndtr(first) + inside + at_ends, 0.0, 1.0))

    def quantile(self, q: FloatArray, /) -> FloatArray:
        """The smallest x with P(X + Y <= x) >= q, any shape; (B, N) of B laws at q of (N,) or (B, N)."""
        sought = np.broadcast_to(_score(np.asarray(q)), np.broadcast_shapes(np.shape(q), np.shape(self.mean)))
        a, b = np.full(sought.shape, LOW), np.full(sought.shape, HIGH)
        at_a, at_b = (_score(self.cdf(self._both(z))) - sought for z in (a, b))
        ends = at_a >= 0  # all of the mass that is sought lies at the lower end
        for i in range(STEPS):
            # A line between the ends, as scores are close to one; every third time the middle, where they are not.
            with np.errstate(invalid="ignore", divide="ignore"):
                line = b - at_b * (b - a) / (at_b - at_a)
            z = np.where(np.isfinite(line) & (i % 3 < 2), np.clip(line, a, b), (a + b) / 2)
            at_z = _score(self.cdf(self._both(z))) - sought
            high = at_z >= 0
            a, at_a = np.where(high, a, z), np.where(high, at_a, at_z)
            b, at_b = np.where(high, z, b), np.where(high, at_z, at_b)
            if (ends | (b - a <= CLOSE) | (np.abs(at_z) <= CLOSE)).all():
                break
        closest = np.where(np.abs(at_z) <= CLOSE, z, b)
        return np.where(ends, self._both(np.full(sought.shape, LOW)), self._both(closest))

    def largest(self, k: IntArray, /) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of the largest of k (n,) independent draws, (n,) or (B, n) each."""
        (low, high), (least, most) = self._ends
        rows = np.shape(self.mean)[:1]
        even = self._both(np.broadcast_to(np.linspace(LOW, HIGH, OUTER + 1), (*rows, OUTER + 1)))
        # Where one is at an end and the other at its other end, a density may begin or cease.
        bends = (
            np.broadcast_to(np.ravel(bend)[:, None] if rows else np.ravel(bend), (*rows, 1))
            for bend in (low + most, high + least)
        )
        edges = np.sort(np.concatenate([even, *bends], axis=-1), axis=-1)
        x, dx = panels(ORDER, edges)
        centre = even[..., OUTER // 2, None]
        with np.errstate(divide="ignore"):
            log = np.log(self.cdf(x))[..., None, :]
        power = k[:, None] * log
        right = (x > centre)[..., None, :]
        mass = np.where(right, -np.expm1(power), np.exp(power)) * dx[..., None, :]  # on either side what is beyond
        away = np.abs(x - centre)[..., None, :]
        shift = np.where(right, mass, -mass).sum(axis=-1)
        square = 2 * (mass * away).sum(axis=-1)
        return centre + shift, np.sqrt(np.maximum(square - shift**2, 0.0))

    @cached_property
    def _ends(self) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
        """The least and the most that X and Y can be."""
        from scipy.special import ndtr

        low, high = float(ndtr(LOW)), SURE
        return tuple(  # type: ignore[return-value]
            (law.quantile(np.asarray(low)[()]), law.quantile(np.asarray(high)[()])) for law in (self.narrow, self.wide)
        )

    @cached_property
    def _masses(self) -> tuple[Any, Any, Any, Any]:
        """What of X lies at its lower and upper end, and the normal scores between them."""
        (low, high), _ = self._ends
        below, all_but_high = self.narrow.cdf(low), self.narrow.cdf(np.nextafter(high, -np.inf))
        first = np.clip(_score(below), LOW, HIGH)
        return below, 1 - all_but_high, first, np.clip(_score(all_but_high), first, HIGH)

    def _both(self, z: FloatArray) -> FloatArray:
        """X + Y where both have the normal score z: from the least to the most that their sum can be."""
        from scipy.special import ndtr

        q = np.minimum(ndtr(z), SURE)
        return np.asarray(self.narrow.quantile(q) + self.wide.quantile(q))


@cache
def _nodes() -> tuple[FloatArray, FloatArray]:
    return panels(ORDER, PANELS)


def _score(q: Any) -> Any:
    """Normal scores of probabilities, finite."""
    from scipy.special import ndtri

    return ndtri(np.clip(q, LEAST, SURE))
