"""Nodes and weights of all quadratures, and expectations over one law of functions that bend or jump somewhere."""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.arrays import FloatArray
from .laws import Law

__all__ = [
    "HIGH",
    "LOW",
    "RARE",
    "SURE",
    "even_panels",
    "hermite",
    "jacobi",
    "legendre",
    "moments_of",
    "nodes",
    "panels",
]

RARE, SURE = 1e-18, 1 - 2**-53  # probabilities that stand for 0 and 1, where quantiles are still finite
LOW, HIGH = -8.757290348782316, 8.209536151601387  # their normal scores
NOTHING = 1e-15  # a probability that rounding makes
STEEP = 0.5 ** np.arange(40, 0, -1)  # quantiles of long tails are steep at the ends: panels down to 1e-12
ORDER = 8  # nodes a panel: means to 1e-14 with a normal law, to 1e-11 with a lognormal of cv 2; 6: 1e-11, 1e-10


@cache
def legendre(order: int, /) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on [0, 1], (order,) each: exact for polynomials of degree 2 order - 1.

    >>> x, weights = legendre(2)
    >>> print(round(float(weights @ x**3), 12))
    0.25
    """
    x, weights = np.polynomial.legendre.leggauss(order)
    return _shared((x + 1) / 2, weights / 2)


def panels(order: int, edges: npt.ArrayLike, /) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights in panels side by side, (P order,) each, or (..., P order).

    Args:
        order: nodes in each panel.
        edges: (P + 1,) where the panels meet, ascending; or (..., P + 1) of several rows of panels.

    >>> x, weights = panels(2, [0.0, 1.0, 3.0])
    >>> print(round(float(weights @ np.abs(x - 1)), 12))
    2.5
    """
    x, weights = legendre(order)
    meet = np.asarray(edges, dtype=np.float64)
    start, width, shape = meet[..., :-1, None], np.diff(meet, axis=-1)[..., None], (*meet.shape[:-1], -1)
    return (start + width * x).reshape(shape), (width * weights).reshape(shape)


@cache
def even_panels(order: int, count: int, /) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights in `count` equal panels of [0, 1], (count order,) each; see `panels`.

    >>> x, weights = even_panels(2, 2)
    >>> print(round(float(weights @ np.abs(x - 0.5)), 12))
    0.25
    """
    return _shared(*panels(order, np.linspace(0, 1, count + 1)))


@cache
def hermite(order: int, /) -> tuple[FloatArray, FloatArray]:
    """Gauss-Hermite nodes and weights of the standard normal law, (order,) each; the weights have the sum 1.

    >>> z, weights = hermite(3)
    >>> print(round(float(weights @ z**4), 12))
    3.0
    """
    z, weights = np.polynomial.hermite_e.hermegauss(order)
    return _shared(z, weights / weights.sum())


@lru_cache(maxsize=64)
def jacobi(order: int, a: float, b: float, /) -> tuple[FloatArray, FloatArray]:
    """Gauss-Jacobi nodes and weights of the law Beta(a, b), (order,) each; the weights have the sum 1.

    By Golub and Welsch: nodes are the eigenvalues of the recurrence. The weights are squares of components of unit
    vectors, so that no gamma function can overflow.

    >>> p, weights = jacobi(2, 1.0, 3.0)
    >>> print(round(float(weights @ p), 12))
    0.25
    """
    from scipy.linalg import eigh_tridiagonal

    n = np.arange(1.0, order)
    twice = 2 * n + a + b - 2  # of the polynomials on [-1, 1] for (1 - x)^(b - 1) (1 + x)^(a - 1)
    diagonal = np.concatenate([[(a - b) / (a + b)], (a - b) * (a + b - 2) / (twice * (twice + 2))])
    first = 4 * a * b / ((a + b) ** 2 * (a + b + 1))
    rest = n[1:] * (n[1:] + a - 1) * (n[1:] + b - 1) * (n[1:] + a + b - 2)
    beside = np.concatenate([[first], 4 * rest / (twice[1:] ** 2 * (twice[1:] ** 2 - 1))])
    x, vectors = eigh_tridiagonal(diagonal, np.sqrt(beside), lapack_driver="stemr")  # six times as fast as the default
    return _shared(np.clip((1 + x) / 2, 0.0, 1.0), vectors[0] ** 2)


def nodes(law: Law, bends: Sequence[Any]) -> tuple[FloatArray, FloatArray]:
    """Return values of a law, and their weights, for functions that are smooth between the bends.

    Where the law itself has a mass at one of its ends, as clipping makes it, that is a bend too.

    Args:
        law: of one quantity; its parameters may be (B, 1) arrays.
        bends: values at which the function bends or jumps, numbers or (B, 1) arrays.

    Returns:
        Values and weights, (T,) each, or (B, T).

    >>> from moo_infer.quantities.laws import ClippedNormal
    >>> tokens, weights = nodes(ClippedNormal(1000.0, 100.0), [1000.0])
    >>> print(round(float(np.sum(weights * np.where(tokens > 1000, 2 * tokens, tokens))), 6))
    1539.894228
    """
    with np.errstate(invalid="ignore"):  # a constant at the quantile 0, where NaN is as good as an infinite end
        least, most = (np.asarray(law.quantile(np.asarray(q, dtype=np.float64))) for q in (0.0, SURE))
    finite = np.isfinite(least)  # with a normal law there is no mass at the ends, which are infinite
    least = np.where(finite, least, 0.0)
    high = law.cdf(np.nextafter(most, -np.inf))
    low = np.where(finite, np.minimum(law.cdf(least), high), 0.0)  # all mass of a constant lies at its upper end
    inside = [np.clip(law.cdf(np.asarray(bend, dtype=np.float64)), low, high) for bend in bends]
    edges = np.sort(np.stack(np.broadcast_arrays(*(np.asarray(e, dtype=np.float64) for e in (low, *inside, high)))), 0)
    q, weights = _graded(edges)
    values = [np.asarray(law.quantile(np.clip(q, 1e-300, SURE)))]  # at 0 and 1 quantiles may be infinite
    shares = [weights]
    for end, mass in ((least, edges[0]), (most, 1 - edges[-1])):  # of one node each: there the law has one value
        if np.any(mass > NOTHING):
            shares.append(np.atleast_1d(mass))
            values.append(np.broadcast_to(end, shares[-1].shape))
    return np.concatenate(values, axis=-1), np.concatenate(shares, axis=-1)


def moments_of(
    function: Callable[[FloatArray], FloatArray], law: Law, bends: Sequence[Any]
) -> tuple[FloatArray, FloatArray]:
    """Return mean and standard deviation of a function of one quantity, () or (B, 1); see `nodes`.

    >>> from moo_infer.quantities.laws import ClippedNormal
    >>> mean, std = moments_of(lambda x: np.minimum(x, 1000.0), ClippedNormal(1000.0, 100.0), [1000.0])
    >>> print(round(float(mean), 6), round(float(std), 6))
    960.105772 58.381937
    """
    values, weights = nodes(law, bends)
    results = function(values)
    mean = np.sum(weights * results, axis=-1, keepdims=values.ndim == 2)
    around = results - (mean if values.ndim == 2 else mean[()])
    return mean, np.sqrt(np.sum(weights * around**2, axis=-1, keepdims=values.ndim == 2))


def _graded(edges: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights between edges, in panels that shrink towards each of them."""
    places, weights = panels(ORDER, np.concatenate([[0.0], STEEP, 1 - STEEP[-2::-1], [1.0]]))
    spans = [(np.atleast_1d(low), np.atleast_1d(high - low)) for low, high in pairwise(edges)]
    none = np.empty((*spans[0][1].shape[:-1], 0))
    spans = [(low, span) for low, span in spans if np.any(span > NOTHING)]  # memory grows with every span
    ends = [low + span * places for low, span in spans]
    shares = [span * weights for _, span in spans]
    return np.concatenate([none, *ends], axis=-1), np.concatenate([none, *shares], axis=-1)


def _shared(x: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Read-only arrays, since a cache gives the same ones to all."""
    x.flags.writeable = weights.flags.writeable = False
    return x, weights
