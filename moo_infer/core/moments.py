"""Exact moments of a quantity at n values of k, with sums and multiples."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar, cast

import numpy as np

from .arrays import FloatArray
from .cdf import Cdf, affine

__all__ = ["CONSTANT", "Algebra", "Moments", "is_constant", "normal_quantile"]

Result = TypeVar("Result")

CONSTANT = 1e-9  # standard deviation per mean that is rounding: of equal floats it may come out as 1e-17


class Algebra(ABC, Generic[Result]):
    """Base of objects that can be added to each other and to numbers, and multiplied by numbers, from both sides."""

    __array_ufunc__ = None  # else an array on the left makes an array of objects

    @abstractmethod
    def __add__(self, other: Any) -> Result: ...

    @abstractmethod
    def __mul__(self, factor: Any) -> Result: ...

    def __radd__(self, other: Any) -> Result:
        return self.__add__(other)

    def __rmul__(self, factor: Any) -> Result:
        return self.__mul__(factor)

    def __neg__(self) -> Result:
        return self.__mul__(-1.0)

    def __sub__(self, other: Any) -> Result:
        return self.__add__(-other)

    def __rsub__(self, other: Any) -> Result:
        return cast(Result, self.__neg__() + other)

    def __truediv__(self, divisor: Any) -> Result:
        return self.__mul__(1.0 / np.asarray(divisor, dtype=np.float64))


@dataclass(frozen=True, eq=False)
class Moments(Algebra["Moments"]):
    """Exact moments of a quantity at n values of k; a statistic that is None is simulated when it is needed.

    Moments of parts **that read the same draws** add: the means add; the standard deviation and the quantiles are known
    where all but one of the parts are constant. A factor scales the standard deviation by its size; quantiles are gone
    where it is negative. Quantiles over queries that differ do not follow from those given each: for these there is the
    cdf.

    Args:
        mean: (n,), the expectation; or (B, n) for B queries or draws at once.
        std: likewise, the standard deviation over trials, or None.
        quantile: takes q in (0, 1), gives (n,) quantiles over trials; or None.
        cdf: (B, n) probabilities, given each of B queries; or None.

    >>> total = 2 * Moments(np.array([1.0, 2.0]), np.array([0.5, 0.5])) + 10
    >>> total.mean, total.std
    (array([12., 14.]), array([1., 1.]))
    >>> print((total + total).std)  # the same draws: not told from mean and standard deviation alone
    None
    """

    mean: FloatArray
    std: FloatArray | None = None
    quantile: Callable[[float], FloatArray] | None = None
    cdf: Cdf | None = None

    def __add__(self, other: Any) -> "Moments":
        if not isinstance(other, Moments):
            return _moved(self, np.asarray(other, dtype=np.float64), self.mean + other)
        varying = [part for part in (self, other) if not is_constant(part)]
        mean = self.mean + other.mean
        if len(varying) > 1:
            return Moments(mean)
        part = varying[0] if varying else self
        return _moved(part, mean - part.mean, mean)

    def __mul__(self, factor: Any) -> "Moments":
        c = np.asarray(factor, dtype=np.float64)
        std = None if self.std is None else np.abs(c) * self.std
        has_quantile = self.quantile is not None and not np.any(c < 0)
        quantile = partial(_affine, self.quantile, c, 0.0) if has_quantile else None
        return Moments(c * self.mean, std, quantile, affine(self.cdf, c, 0.0))


def is_constant(moments: Moments, /) -> bool:
    """Whether the standard deviation is nothing but rounding; not where it is unknown."""
    return moments.std is not None and not np.any(moments.std > CONSTANT * np.abs(moments.mean))


def normal_quantile(mean: FloatArray, std: FloatArray, q: float, /) -> FloatArray:
    """Return the quantile of a normal law.

    >>> normal_quantile(np.array([1.0]), np.array([2.0]), 0.5)
    array([1.])
    """
    from scipy.special import ndtri

    return np.asarray(mean + std * float(ndtri(q)))


def _moved(moments: Moments, shift: Any, mean: FloatArray) -> Moments:
    """Return moments shifted to a mean."""
    quantile = moments.quantile
    moved = None if quantile is None else partial(_affine, quantile, 1.0, shift)
    return Moments(mean, moments.std, moved, affine(moments.cdf, 1.0, shift))


def _affine(quantile: Any, factor: Any, shift: Any, q: float) -> FloatArray:
    """Return the quantile of ``factor * X + shift``, factor >= 0: a function by name, so that moments pickle."""
    return np.asarray(factor * quantile(q) + shift)
