"""Counts of right samples by question, as laws are fitted to them."""

import numpy as np
import numpy.typing as npt

from ..core.arrays import FloatArray, IntArray
from ..core.errors import MooInferError
from ..core.numeric import numbers_of

__all__ = ["counts_of"]


def counts_of(
    n: npt.ArrayLike, right: npt.ArrayLike, weights: npt.ArrayLike | None
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return samples of questions, how many of them are right, and weights, (Q,) each; without weights all have 1.

    Raises:
        MooInferError: for what are no whole numbers with 0 <= right <= n, and for weights that are not > 0.

    >>> counts_of([8, 8], [3, 9], None)
    Traceback (most recent call last):
    moo_infer.core.errors.MooInferError: question 1: right must be in 0 ... n = 8, got 9
    """
    samples, hits = _row("n, the samples of a question", n), _row("right, how many of them are", right, n)
    weight = np.ones(len(samples)) if weights is None else _row("weights of the questions", weights, n)
    for what, values in (("n", samples), ("right", hits)):
        if (odd := values != np.floor(values)).any():
            i = int(odd.argmax())
            raise MooInferError(f"question {i}: {what} must be a whole number, got {values[i]:g}")
    if (odd := (samples < hits) | (hits < 0)).any():
        i = int(odd.argmax())
        raise MooInferError(f"question {i}: right must be in 0 ... n = {samples[i]:g}, got {hits[i]:g}")
    if (odd := weight <= 0).any():
        i = int(odd.argmax())
        raise MooInferError(f"question {i}: its weight must be > 0, got {weight[i]:g}")
    return samples.astype(np.int64), hits.astype(np.int64), weight


def _row(what: str, given: npt.ArrayLike, beside: npt.ArrayLike | None = None) -> FloatArray:
    """Finite numbers (Q,), as many as those beside them."""
    values = numbers_of(given, what)
    if values.ndim != 1 or (beside is not None and len(values) != np.size(beside)):
        wanted = "(Q,)" if beside is None else f"({np.size(beside)},), one for each question"
        raise MooInferError(f"{what}: must have the shape {wanted}, got {values.shape}")
    if not np.isfinite(values).all():
        raise MooInferError(f"{what}: must be finite, got {values[~np.isfinite(values)][0]}")
    return values
