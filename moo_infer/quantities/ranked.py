"""The second, third, ... largest of k: of independent draws of a law by quadrature, of samples over all subsets."""

import math
from dataclasses import astuple, dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from ..core.arrays import Array, FloatArray, IntArray
from ..core.errors import NotExact
from .laws import Law
from .quadrature import HIGH, LOW, RARE, SURE, even_panels

__all__ = ["ranked_of_law", "ranked_of_samples"]

# In normal scores the law of a middle rank of k is as narrow as 1.25 / sqrt(k), so panels become narrower with k. With
# these means and mean squares are right to 1e-12 up to k = 10^4; with 96 panels for every k, only to 1e-4 there.
LEAST_PANELS, PANELS_PER_ROOT, ORDER = 24, 2.0, 16
AT_ONCE = 2**22  # laws, times values of k, times nodes: 32 MiB an array
NOTHING = -700.0  # logarithm of a probability that is taken as 0


def ranked_of_law(law: Law, rank: int, k: IntArray, /) -> tuple[FloatArray, FloatArray]:
    """Mean and mean square of the `rank`-th largest of k independent draws.

    Args:
        law: of one draw; or B laws at once, with (B, 1) parameters.
        rank: 1 for the largest, at most the smallest k.
        k: (n,) how many draws.

    Returns:
        (n,) each, or (B, n).

    Raises:
        NotExact: for so many laws at once that simulation is faster.

    >>> from moo_infer import ClippedNormal
    >>> mean, square = ranked_of_law(ClippedNormal(0.0, 1.0), 2, np.array([2, 3]))
    >>> mean.round(6) + 0.0, square.round(6)
    (array([-0.56419,  0.     ]), array([1.      , 0.448671]))
    """
    try:
        return _known(_Asked((type(law), _parameters(law), rank, *k.tolist()), law, rank, k))
    except TypeError:  # parameters that are arrays have no hash
        return _ranked(law, rank, k)


def _parameters(law: Any) -> tuple[Any, ...]:
    return astuple(law)


@dataclass(frozen=True)
class _Asked:
    """What is asked of a law, which is the same for another of the same kind and parameters."""

    key: tuple[Any, ...]
    law: Law = field(compare=False)
    rank: int = field(compare=False)
    k: IntArray = field(compare=False)


@lru_cache(maxsize=1024)  # one law in all draws of what is uncertain, at up to some hundred ranks
def _known(asked: _Asked) -> tuple[FloatArray, FloatArray]:
    return _ranked(asked.law, asked.rank, asked.k)


def _ranked(law: Law, rank: int, k: IntArray) -> tuple[FloatArray, FloatArray]:
    from scipy.special import betainc, betaln, log_ndtr, ndtr, ndtri

    bounds = law.quantile(np.array([RARE, SURE]))
    low, high = bounds[..., :1], bounds[..., 1:]
    within = law.cdf(np.concatenate([low, np.nextafter(high, -np.inf)], axis=-1))
    scores = np.clip(ndtri(within), LOW, HIGH)
    start, end = scores[..., :1], np.maximum(scores[..., 1:], scores[..., :1])
    t, weights = even_panels(ORDER, max(LEAST_PANELS, math.ceil(PANELS_PER_ROOT * math.sqrt(k.max()))))
    if low.size * len(k) * len(t) > AT_ONCE:
        raise NotExact("the ranks of so many laws at once take longer than their simulation")
    z, weights = start + (end - start) * t, (end - start) * weights
    x = law.quantile(ndtr(z))
    above, below = rank - 1, k[:, None] - rank  # how many of the others are larger, and smaller
    log = below * log_ndtr(z)[..., None, :] + above * log_ndtr(-z)[..., None, :] - (z**2 / 2)[..., None, :]
    log -= betaln(below + 1, rank) + math.log(2 * math.pi) / 2
    density = weights[..., None, :] * np.exp(np.maximum(log, NOTHING))
    at_low = betainc(k - rank + 1, rank, ndtr(start)) * np.ones(low.shape)
    at_high = betainc(rank, k - rank + 1, ndtr(-end)) * np.ones(low.shape)

    def mean(power: int) -> FloatArray:
        inside = np.vecdot(density, x[..., None, :] ** power)
        varying = at_low * low**power + inside + at_high * high**power
        return np.where(np.asarray(law.std) == 0, np.asarray(law.mean) ** power, varying)

    return mean(1), mean(2)


def ranked_of_samples(values: Array, question: IntArray, rank: int, k: IntArray, /) -> tuple[FloatArray, FloatArray]:
    """Mean and mean square of the `rank`-th largest of k samples of a question, over all subsets: (Q, n) each.

    Args:
        values: (N,).
        question: (N,) whose they are, in 0 ... Q - 1.
        rank: 1 for the largest, at most the smallest k.
        k: (n,); NaN where a question has fewer samples.

    >>> ranked_of_samples(np.array([1.0, 2.0, 6.0]), np.zeros(3, int), 2, np.array([2, 3]))[0].round(6)
    array([[1.333333, 2.      ]])
    """
    counts = np.bincount(question)
    ordered = values[np.lexsort((values, question))].astype(np.float64)
    first = np.cumsum(counts) - counts
    mean, square = np.full((2, len(counts), len(k)), np.nan)
    for n in np.unique(counts).tolist():
        own = np.flatnonzero(counts == n)
        x = ordered[first[own, None] + np.arange(n)]
        i = np.arange(n)[:, None]
        all_of_k = np.where(k <= n, _log_choose(np.array(n), k), np.nan)
        weights = np.exp(_log_choose(i, k - rank) + _log_choose(n - 1 - i, np.array(rank - 1)) - all_of_k)
        mean[own], square[own] = x @ weights, x**2 @ weights
    return mean, square


def _log_choose(n: IntArray, k: IntArray) -> FloatArray:
    """Logarithm of how many subsets of k there are of n; -inf where there is none."""
    from scipy.special import gammaln

    inside = (k >= 0) & (k <= n)
    n, k = np.where(inside, n, 0), np.where(inside, k, 0)
    return np.where(inside, gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1), -np.inf)
