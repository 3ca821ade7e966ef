"""Expectations over one law of functions that bend or jump at known values: Gauss-Legendre panels between them."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ..core.arrays import FloatArray
from .laws import Law

__all__ = ["moments_of", "nodes"]

CLOSE_TO_ONE = 1 - 2**-53  # the largest probability below 1, where quantiles are still finite
NOTHING = 1e-15  # a probability that rounding makes
STEEP = 0.5 ** np.arange(40, 0, -1)  # quantiles of long tails are steep at the ends: panels down to 1e-12


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
        least, most = (np.asarray(law.quantile(np.asarray(q, dtype=np.float64))) for q in (0.0, CLOSE_TO_ONE))
    inside = [law.cdf(np.asarray(bend, dtype=np.float64)) for bend in bends]
    ends = [  # with a normal law there is no mass at the ends, which are infinite
        np.where(np.isfinite(least), law.cdf(np.where(np.isfinite(least), least, 0.0)), 0.0),
        law.cdf(np.nextafter(most, -np.inf)),
    ]
    edges = np.sort(np.stack(np.broadcast_arrays(*(np.asarray(e, dtype=np.float64) for e in (*inside, *ends)))), axis=0)
    q, weights = _graded([np.zeros_like(edges[0]), *edges, np.ones_like(edges[0])])
    values = np.asarray(law.quantile(np.clip(q, 1e-300, CLOSE_TO_ONE)))
    return values, weights


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


def _graded(edges: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights between edges, in panels that shrink towards each of them."""
    panels = np.concatenate([[0.0], STEEP, 1 - STEEP[-2::-1], [1.0]])
    x, w = np.polynomial.legendre.leggauss(8)
    width = np.diff(panels)[:, None]
    places, weights = (panels[:-1, None] + width * (x + 1) / 2).ravel(), (width * w / 2).ravel()
    spans = [(low, high - low) for low, high in pairwise(edges)]
    spans = [(low, span) for low, span in spans if np.any(span > NOTHING)]  # memory grows with every span
    ends = [np.atleast_1d(low) + np.atleast_1d(span) * places for low, span in spans]
    shares = [np.atleast_1d(span) * weights for _, span in spans]
    return np.concatenate(ends, axis=-1), np.concatenate(shares, axis=-1)
