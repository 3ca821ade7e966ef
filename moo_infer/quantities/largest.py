"""The largest of k independent draws of a law, by quadrature."""

from functools import partial
from typing import Any

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.moments import Moments
from .laws import Law
from .quadrature import panels

__all__ = ["largest"]

RARE, SURE = 1e-18, 1 - 2**-53  # probabilities that stand for 0 and 1
AT_ONCE = 1024  # values of k in one go; bounds memory
# Phi(z)^k is steep, further right for larger k, and equal panels resolve it anywhere. Means are right to 1e-11
# for k up to 10^4 and to 2e-9 up to 10^7; with half the panels, to 1e-8 and 1e-5.
PANELS, ORDER = 24, 16


def largest(law: Law, k: IntArray, /) -> Moments:
    """Moments of the largest of k independent draws, exact by quadrature.

    Between its ends the quantile function of the law should be smooth; steps at the ends are exact.

    Args:
        law: of one draw; or B laws at once, with (B, 1) parameters.
        k: (n,) how many draws, >= 1.

    Returns:
        Moments (n,), or (B, n): mean, standard deviation, and quantiles ``F^-1(q^(1/k))``.

    >>> from moo_infer import ClippedNormal
    >>> print(largest(ClippedNormal(0.0, 1.0), np.array([1, 2])).mean.round(6) + 0.0)
    [0.      0.56419]
    """
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
    return Moments(mean, std, partial(_quantile, law, k))


def _quantile(law: Law, k: IntArray, q: float) -> Any:
    return law.quantile(q ** (1 / k))
