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
from .quadrature import panels

__all__ = ["LargestCdf", "largest"]

RARE, SURE = 1e-18, 1 - 2**-53  # probabilities that stand for 0 and 1
AT_ONCE = 1024  # values of k in one go; bounds memory
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
    mean, std = _by_quadrature(law, k)
    return Moments(mean, std, quantile, cdf)


@lru_cache(maxsize=16)
def _of_unit_mean(cv: float, k: tuple[int, ...]) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation (n,) of the largest of lognormal draws with the mean 1."""
    return _by_quadrature(Lognormal(1.0, cv), np.array(k))


def _by_quadrature(law: Law, k: IntArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation, (n,) or (B, n) each."""
    from scipy.special import log_ndtr, ndtr, ndtri

    low, high = np.split(law.quantile(np.array([RARE, SURE])), 2, axis=-1)
    # With x = F^-1(Phi(z)), E max = int x d Phi(z)^k over what lies between the steps at the ends, and the steps.
    start = np.clip(ndtri(law.cdf(low)), ndtri(RARE), ndtri(SURE))
    end = np.clip(ndtri(law.cdf(np.nextafter(high, -np.inf))), start, ndtri(SURE))
    t, weights = panels(ORDER, np.linspace(0, 1, PANELS + 1))
    z, weights = start + (end - start) * t, (end - start) * weights
    x = np.concatenate([low, law.quantile(ndtr(z)), high], axis=-1)[..., None, :]
    density = weights * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)

    def moments(n: FloatArray) -> tuple[FloatArray, FloatArray]:
        inside = n * np.exp((n - 1) * log_ndtr(z)[..., None, :]) * density[..., None, :]
        below, above = (n * log_ndtr(bound)[..., None, :] for bound in (start, end))
        mass = np.concatenate([np.exp(below), inside, -np.expm1(above)], axis=-1)
        mean = (mass * x).sum(axis=-1)
        variance = (mass * (x - mean[..., None]) ** 2).sum(axis=-1)
        flat = np.asarray(law.std) == 0
        return np.where(flat, law.mean, mean), np.where(flat, 0.0, np.sqrt(variance))

    parts = [moments(k[i : i + AT_ONCE, None].astype(np.float64)) for i in range(0, len(k), AT_ONCE)]
    mean, std = (np.concatenate(statistic, axis=-1) for statistic in zip(*parts, strict=True))
    return mean, std


def _quantile(law: Law, k: IntArray, q: float) -> Any:
    return law.quantile(q ** (1 / k))
