"""The largest of k independent draws of a law, by quadrature."""

import math
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.cdf import Cdf
from ..core.moments import Moments
from .laws import Bernoulli, Law, Lognormal
from .quadrature import HIGH, LOW, RARE, SURE, even_panels
from .sum_law import SumLaw

__all__ = ["LargestCdf", "largest"]

NOTHING = -700.0  # logarithm of a probability that is taken as 0; of smaller ones np.exp takes three times as long
AT_ONCE = 2**15  # laws, times values of k, times nodes in one go: a few arrays of 256 KiB, which a cache holds
# Phi(z)^k is steep, further right for larger k, and equal panels resolve it anywhere. Means are right to 1e-11
# for k up to 10^4 and to 2e-9 up to 10^7; with half the panels, to 1e-8 and 1e-5.
PANELS, ORDER = 24, 16


@dataclass(frozen=True, eq=False)
class LargestCdf(Cdf):
    """The cdf of the largest of k independent draws: F(x)^k.

    Args:
        law: of one draw; or B laws at once, with (B, 1) parameters.
        k: (n,), >= 1.
    """

    law: Law
    k: IntArray

    def __call__(self, x: FloatArray, /) -> FloatArray:
        """Return the probabilities (B, n)."""
        return np.atleast_2d(self.law.cdf(x) ** self.k)


def largest(law: Law, k: IntArray, /) -> Moments:
    """Moments of the largest of k independent draws, exact by quadrature.

    Between its ends the quantile function of the law should be smooth; steps at the ends are exact.

    Args:
        law: of one draw; or B laws at once, with (B, 1) parameters.
        k: (n,) how many draws, >= 1.

    Returns:
        Moments (n,), or (B, n): mean, standard deviation, cdf, and quantiles ``F^-1(q^(1/k))``.

    >>> from moo_infer import ClippedNormal
    >>> print(largest(ClippedNormal(0.0, 1.0), np.array([1, 2])).mean.round(6) + 0.0)
    [0.      0.56419]
    """
    cdf, quantile = LargestCdf(law, k), partial(_quantile, law, k)
    if isinstance(law, Lognormal) and np.size(law.cv) == 1 and np.all(law.cap == math.inf):
        mean, std = _of_unit_mean(float(np.ravel(law.cv)[0]), tuple(k.tolist()))  # the others are multiples of it
        return Moments(law.mean_uncut * mean, law.mean_uncut * std, quantile, cdf)
    if isinstance(law, Bernoulli):
        with np.errstate(divide="ignore"):  # p = 1
            log_none = k * np.log1p(-np.asarray(law.p, dtype=np.float64))
        any_of_k = -np.expm1(log_none)
        return Moments(any_of_k, np.sqrt(any_of_k * np.exp(log_none)), quantile, cdf)
    mean, std = law.largest(k) if isinstance(law, SumLaw) else _by_quadrature(law, k)
    return Moments(mean, std, quantile, cdf)


@lru_cache(maxsize=16)
def _of_unit_mean(cv: float, k: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation (n,) of the largest of lognormal draws with the mean 1."""
    return _by_quadrature(Lognormal(1.0, cv), np.array(k))


def _by_quadrature(law: Law, k: IntArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation, (n,) or (B, n) each."""
    from scipy.special import log_ndtr, ndtr, ndtri

    bounds = law.quantile(np.array([RARE, SURE]))
    low, high = bounds[..., :1], bounds[..., 1:]
    # With x = F^-1(Phi(z)), E max = int x d Phi(z)^k over what lies between the steps at the ends, and the steps.
    within = law.cdf(np.concatenate([low, np.nextafter(high, -np.inf)], axis=-1))
    scores = np.clip(ndtri(within), LOW, HIGH)
    start = scores[..., :1]
    end = np.maximum(scores[..., 1:], start)
    t, weights = even_panels(ORDER, PANELS)
    z, weights = start + (end - start) * t, (end - start) * weights
    x = np.atleast_2d(np.concatenate([low, law.quantile(ndtr(z)), high], axis=-1))
    density = np.atleast_2d(weights * np.exp(-0.5 * z**2) / math.sqrt(2 * math.pi))
    inside, below, above = (np.atleast_2d(log_ndtr(score)) for score in (z, start, end))
    mean, variance = np.empty((2, len(x), len(k)))
    pairs = max(1, AT_ONCE // x.shape[1])
    for laws in _slices(len(x), max(1, pairs // len(k))):
        for some in _slices(len(k), pairs):
            n = k[some, None].astype(np.float64)
            # To the power n - 1, of which what is below e^NOTHING is 0.
            mass = np.empty((len(inside[laws]), len(n), x.shape[1]))
            powers = np.multiply(n - 1, inside[laws, None], out=mass[..., 1:-1])
            np.exp(np.maximum(powers, NOTHING, out=powers), out=powers)
            powers -= np.exp(NOTHING)
            powers *= n
            powers *= density[laws, None]
            mass[..., :1], mass[..., -1:] = np.exp(n * below[laws, None]), -np.expm1(n * above[laws, None])
            mean[laws, some] = np.vecdot(mass, x[laws, None])
            deviation = x[laws, None] - mean[laws, some, None]
            variance[laws, some] = np.vecdot(mass, np.square(deviation, out=deviation))
    flat, shape = np.asarray(law.std) == 0, (*bounds.shape[:-1], len(k))
    return (
        np.where(flat, law.mean, mean).reshape(shape),
        np.where(flat, 0.0, np.sqrt(variance)).reshape(shape),
    )


def _slices(size: int, step: int) -> list[slice]:
    return [slice(i, i + step) for i in range(0, size, step)]


def _quantile(law: Law, k: IntArray, q: float) -> Any:
    return law.quantile(q ** (1 / k))
