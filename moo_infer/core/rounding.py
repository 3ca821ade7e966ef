"""Rounds values before they are compared, so that what is equal but for rounding errors ties."""

import sys

import numpy as np
import numpy.typing as npt

from .arrays import FloatArray

__all__ = ["DECIMALS", "TINY", "significant"]

TINY = sys.float_info.min  # in place of 0 where a logarithm or a quotient is taken
DECIMALS = 12  # values are compared after rounding to this, so that ties are ties: far above the errors of sums


def significant(values: npt.ArrayLike, least: npt.ArrayLike = 0.0) -> FloatArray:
    """Round values (any shape) to twelve significant digits, so that what is equal but for rounding errors ties.

    Args:
        values: what is compared.
        least: the size below which differences are rounding errors of larger terms; 0 where there are none.

    >>> significant([4 * 0.1, 0.4 + 1e-16, 4e-14 + 1e-30]) == significant([0.4, 0.4, 4e-14])
    array([ True,  True,  True])
    """
    numbers = np.asarray(values, dtype=np.float64)
    size = np.maximum(np.maximum(np.abs(numbers), least), TINY)  # 0 has no logarithm
    power = 10.0 ** np.ceil(np.log10(size))
    return np.asarray((numbers / power).round(DECIMALS) * power)
