"""How likely a subset drawn without replacement has none of some: the hypergeometric law at 0, to the last digits."""

from decimal import Context, Decimal, localcontext
from functools import lru_cache
from math import factorial

import numpy as np

from ..core.arrays import FloatArray, IntArray

__all__ = ["log_none"]

PI = Decimal("3.141592653589793238462643383279502884197")  # to the 40 digits that are computed with
SMALL = 16  # from here on Stirling's series, as cut below, is exact to the last digit


def log_none(n: int, c: IntArray, k: IntArray, /) -> FloatArray:
    """Log of C(n-c, k) / C(n, k), the share of subsets of k <= n without one of c: (P, m).

    Stirling's formula for the four factorials, arranged so that the terms are no larger than twice the result: then
    its relative error is that of the machine, and so is the absolute error of its exponential.

    >>> round(float(np.exp(log_none(4, np.array([2]), np.array([2])))[0, 0]), 12)  # 1 of the 6 pairs
    0.166666666667
    """
    N, c = n + 1, c[:, None]
    rest = N - c - k
    inside = np.maximum(rest, 1)
    # Where there are as many numbers to look up, what Stirling's formula lacks is computed once for each.
    lacking = _stirling(np.arange(N + 1))[inside] if rest.size > N else _stirling(inside)
    log = (c * (k / N)) / inside
    log = (inside - 0.5) * np.log1p(log, out=log)
    log += k * _log_rest(c, N) + c * _log_rest(k, N)
    log += _stirling(N - c) - _stirling(np.array(N)) + (_stirling(N - k) - lacking)
    return np.where(rest >= 1, np.minimum(log, 0.0, out=log), -np.inf)


def _log_rest(x: IntArray, N: int) -> FloatArray:
    """Log of (N - x) / N to the last digit, for x near 0 and near N alike."""
    return np.where(x > N // 2, np.log((N - x) / N), np.log1p(-x / N))


def _stirling(z: IntArray) -> FloatArray:
    """What Stirling's formula lacks of log Gamma(z), z >= 1."""
    r = 1.0 / np.maximum(z, SMALL)
    s = r * r
    series = r * (1 / 12 - s * (1 / 360 - s * (1 / 1260 - s * (1 / 1680 - s * (1 / 1188 - s * 691 / 360360)))))
    return np.where(z < SMALL, _small_stirling()[np.minimum(z, SMALL - 1)], series)


@lru_cache(maxsize=1)
def _small_stirling() -> FloatArray:
    """The same for z = 1 ... SMALL - 1, to the last digit; 0 for z = 0."""
    with localcontext(Context(prec=40)):
        lacking = [Decimal(0)]
        for z in range(1, SMALL):
            stirling = (z - Decimal("0.5")) * Decimal(z).ln() - z + (2 * PI).ln() / 2
            lacking.append(Decimal(factorial(z - 1)).ln() - stirling)
    return np.array(lacking, dtype=np.float64)
