"""Numbers where they come in, as arrays."""

from numbers import Number

import numpy as np

from .arrays import FloatArray, IntArray
from .errors import MooInferError, located

__all__ = ["numbers_of", "whole_numbers"]

LARGEST_WHOLE = 2**53  # beyond, floats leave some out


def numbers_of(given: object, where: str = "") -> FloatArray:
    """Return numbers as an array of any shape, or raise MooInferError for what is none: text, None, ragged lists."""
    try:
        array = np.asarray(given)
        if array.dtype.kind in "biuf" or (array.dtype.kind == "O" and all(isinstance(x, Number) for x in array.flat)):
            return array.astype(np.float64, copy=False)
    except (TypeError, ValueError, OverflowError):
        pass
    raise MooInferError(located(where, f"must be numbers, got {given!r:.80}"))


def whole_numbers(given: object, where: str, least: int = 1) -> IntArray:
    """Return whole numbers (n,), or raise MooInferError for what is none (1.5, True); n = 1 for one number."""
    array = np.atleast_1d(numbers_of(given, where))
    shown = np.asarray(given)
    fits = array.ndim == 1 and shown.dtype.kind != "b"
    if not fits or not ((array >= least) & (array <= LARGEST_WHOLE) & (array == np.floor(array))).all():
        raise MooInferError(f"{where}: must be a list of whole numbers >= {least}, got {np.array2string(shown):.80}")
    return array.astype(np.int64)
