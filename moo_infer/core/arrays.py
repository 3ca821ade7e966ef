"""Aliases of array types for annotations; docstrings give the shapes."""

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Array", "BoolArray", "ComplexArray", "FloatArray", "IntArray", "Rows"]

Array = npt.NDArray[Any]  # any dtype
BoolArray = npt.NDArray[np.bool_]
ComplexArray = npt.NDArray[np.complex128]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]  # row numbers of a table, which index its columns
