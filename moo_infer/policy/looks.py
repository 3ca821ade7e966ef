"""Arrays that a policy or an aggregator is shown, which say how they are looked at."""

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from ..core.arrays import Array, IntArray
from ..core.errors import NotExact

__all__ = ["ComparedNoise", "CountedVotes"]

FIRST = 2  # numbers of votes that are asked for one by one: those that decide a vote


class CountedVotes(NDArrayOperatorsMixin):
    """How many samples gave equal answers, descending: an array that is counted only as far as it is looked at.

    Args:
        one: returns one of the first two numbers.
        every: returns all.
    """

    def __init__(self, one: Callable[[int], int], every: Callable[[], IntArray]) -> None:
        self._one, self._every = one, every

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, int | np.integer) and 0 <= place < FIRST:
            return self._one(int(place))
        return self._every()[place]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> IntArray:
        return np.array(self._every(), dtype=dtype)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        plain = [value._every() if isinstance(value, CountedVotes) else value for value in inputs]
        return getattr(ufunc, method)(*plain, **options)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._every())

    def __len__(self) -> int:
        return len(self._every())

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._every(), name)

    def __repr__(self) -> str:
        return repr(self._every())


class ComparedNoise(NDArrayOperatorsMixin):
    """Uniform numbers that may be compared with others, and nothing else: what they are compared with is known then.

    Args:
        values: in [0, 1), one of each part of that range in which comparisons so far come out the same.
        compared: is told what they are compared with.
    """

    def __init__(self, values: Array, compared: Callable[[Array], None]) -> None:
        self._values, self._compared = values, compared

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if ufunc not in (np.less, np.less_equal, np.greater, np.greater_equal) or method != "__call__":
            raise NotExact(f"noise in {ufunc.__name__}")
        for value in inputs:
            if not isinstance(value, ComparedNoise):
                self._compared(np.asarray(value, dtype=np.float64))
        plain = [value._values if isinstance(value, ComparedNoise) else value for value in inputs]
        return ufunc(*plain, **options)

    def __getitem__(self, place: Any) -> "ComparedNoise":
        return ComparedNoise(self._values[place], self._compared)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        raise NotExact("the values of noise")

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the values."""
        return tuple(self._values.shape)
