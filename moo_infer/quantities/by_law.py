"""Quantities by laws: inferences are independent of each other, and so are different columns."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.cdf import Cdf, affine
from ..core.errors import NotExact
from ..core.moments import Moments
from .largest import LargestCdf, largest
from .laws import ClippedNormal, Law
from .quantity import Factors, Quantity, Query
from .ranked import ranked_of_law
from .sum_law import SumLaw

__all__ = ["CdfQuery", "LawQuery"]


@dataclass(frozen=True, eq=False)
class LawQuery(Query):
    """A query whose columns follow known laws; or as many as their (B, 1) parameters say, each independent of others.

    Args:
        laws: by column.

    >>> m = LawQuery({"tokens_out": ClippedNormal(400.0, 100.0)})
    >>> seconds = 0.3 + 0.01 * m.tokens_out
    >>> seconds.sum(np.array([1, 4])).std.round(6), seconds.max(np.array([1, 4])).mean.round(6)
    (array([1., 2.]), array([4.3     , 5.329375]))
    >>> (seconds + seconds).sum(np.array([4])).std.round(6)  # the same draws: twice as much
    array([4.])
    """

    laws: Mapping[str, Law]

    def __getitem__(self, column: str) -> Quantity:
        if column not in self.laws:
            raise NotExact(f"the law of {column} is not known")
        return Quantity(self, {column: 1.0})

    def varies(self, column: str, /) -> bool:
        """Whether the law of a column differs from query to query."""
        return column in getattr(self.laws, "differing", ())

    def bending(self, **bends: Sequence[Any]) -> None:
        """Remember where a part bends, for whoever asks for its moments over all queries."""
        if (kept := getattr(self.laws, "bends", None)) is not None:
            kept.update({name: (*kept.get(name, ()), *at) for name, at in bends.items()})

    def law(self, quantity: Quantity, /) -> Law:
        """Return the law of a quantity of which one column varies, or two, or any number that are normal."""
        if quantity.depends_on_k:
            raise NotExact("a quantity whose factors depend on k has no law")
        counting = {name: c for name, c in quantity.factors.items() if _counts(c)} or quantity.factors
        names = self._varying(quantity) or [*counting][:1]
        rest = {name: c for name, c in counting.items() if name not in names}
        shift = quantity.shift + sum(c * self.laws[name].mean for name, c in rest.items())
        if len(names) == 1:
            (name,) = names
            law, c = self.laws[name], np.asarray(quantity.factors[name])
            if not (_counts(c - 1) or _counts(shift)):
                return law
            if np.any(c <= 0):
                raise NotExact(f"the law of a quantity that falls with {name} is not known")
            return _Affine(law, c, shift)
        if not all(self.laws[name].normal for name in names):
            return self._law_of_sum({name: np.asarray(quantity.factors[name]) for name in names}, shift)
        mean = sum(quantity.factors[name] * self.laws[name].mean for name in names)
        std = np.sqrt(sum(np.square(quantity.factors[name] * self.laws[name].std) for name in names))
        return ClippedNormal(mean + shift, std)

    def _law_of_sum(self, factors: Mapping[str, FloatArray], shift: Any) -> Law:
        """The law of a sum of columns that vary and are not all normal."""
        if len(factors) > 2 or any(np.any(c <= 0) for c in factors.values()):
            names = " and ".join(factors)
            raise NotExact(f"the law of a sum of {names} is known where it grows with two of them, or all are normal")
        laws = [_Affine(self.laws[name], c, 0.0) for name, c in factors.items()]
        narrow, wide = sorted(laws, key=lambda law: float(np.mean(law.std)))
        return SumLaw(narrow, replace(wide, shift=shift))

    def total(self, k: IntArray, sums: Factors, firsts: Factors, shift: Any, /) -> tuple[Any, Any, bool]:
        """Return mean, variance, and whether all of it is normal."""
        mean, mean_each, variance, variance_each, normal = shift, 0.0, 0.0, 0.0, True
        for name in dict.fromkeys([*sums, *firsts]):
            each, once = sums.get(name, 0.0), firsts.get(name, 0.0)
            if not (_counts(each) or _counts(once)):  # what does not count need not be known
                continue
            law = self.laws[name]
            mean, mean_each = mean + once * law.mean, mean_each + each * law.mean
            of_one = law.std * law.std
            variance = variance + (2 * each + once) * once * of_one
            variance_each = variance_each + each * each * of_one
            normal = normal and law.normal
        return mean + k * mean_each, variance + k * variance_each, normal

    def total_cdf(self, k: IntArray, sums: Factors, firsts: Factors, shift: Any, /) -> Cdf | None:
        """Return the cdf of one inference, where its law is known."""
        if k.max() > 1 and any(map(_counts, sums.values())):
            return None
        one = Quantity(self, {name: sums.get(name, 0.0) + firsts.get(name, 0.0) for name in {**sums, **firsts}})
        with suppress(NotExact):
            return affine(LargestCdf(self.law(one), np.ones_like(k)), 1.0, shift)
        return None

    def largest(self, k: IntArray, quantity: Quantity, /) -> Moments:
        """Return the moments of the largest of k, where the law of one follows from those of its columns."""
        if self.constant(quantity):
            return quantity.first(k)
        law = self.law(quantity)
        moments = largest(law.of, k) * law.factor + law.shift if isinstance(law, _Affine) else largest(law, k)
        return cast(Moments, moments)

    def ranked(self, rank: int, k: IntArray, quantity: Quantity, /) -> tuple[FloatArray, FloatArray]:
        """Return mean and mean square of the `rank`-th largest of k, where the law of one is known."""
        return ranked_of_law(self.law(quantity), rank, k)

    def constant(self, quantity: Quantity, /) -> bool:
        """Whether no column varies that counts."""
        return not self._varying(quantity)

    def _varying(self, quantity: Quantity) -> list[str]:
        """The columns that count and vary; of others the law is not read."""
        return [name for name, c in quantity.factors.items() if _counts(c) and _counts(c * self.laws[name].std)]

    def any_right(self, k: IntArray, /) -> Moments:
        """Return the moments of ``1 - prod(1 - A_i)``."""
        law = self.laws["accuracy"]
        wrong, std = _product(1.0 - law.mean, law.std, k)
        return Moments(1.0 - wrong, std)

    def all_right(self, k: IntArray, /) -> Moments:
        """Return the moments of ``prod(A_i)``."""
        law = self.laws["accuracy"]
        return Moments(*_product(law.mean, law.std, k))

    def majority(self, k: IntArray, /) -> Moments:
        """Return the mean, the regularised incomplete beta function I_p(h, h) with h = ceil(k / 2)."""
        from scipy.special import betainc

        half = (k + 1) // 2
        return Moments(np.asarray(betainc(half, half, self.laws["accuracy"].mean)))


class CdfQuery(LawQuery):
    """A query that is asked for cdfs alone: the other moments of the largest of k are those of one, which cost less."""

    def largest(self, k: IntArray, quantity: Quantity, /) -> Moments:
        """Return moments of which only the cdf is that of the largest of k."""
        if self.constant(quantity):
            return quantity.first(k)
        law, one = self.law(quantity), np.ones(len(k))
        cdf = LargestCdf(law.of if isinstance(law, _Affine) else law, k)
        moved = affine(cdf, law.factor, law.shift) if isinstance(law, _Affine) else cdf
        return Moments(law.mean * one, law.std * one, cdf=moved)


@dataclass(frozen=True, eq=False)
class _Affine:
    """The law of ``factor * X + shift``, factor >= 0."""

    of: Law
    factor: Any
    shift: Any

    @property
    def mean(self) -> Any:
        return self.factor * self.of.mean + self.shift

    @property
    def std(self) -> Any:
        return self.factor * self.of.std

    @property
    def normal(self) -> bool:
        return self.of.normal

    def cdf(self, x: FloatArray, /) -> FloatArray:
        return self.of.cdf((x - self.shift) / self.factor)

    def quantile(self, q: FloatArray, /) -> FloatArray:
        return np.asarray(self.factor * self.of.quantile(q) + self.shift)


def _counts(factor: Any) -> bool:
    """Whether a number, or one of an array, is not 0."""
    return bool(np.count_nonzero(factor))  # on numbers a tenth of the time of `np.any`


def _product(mean: Any, std: Any, k: IntArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of a product of k independent factors that are alike and not negative."""
    n = k.astype(np.float64)
    # Var prod = (mean^2 + std^2)^k - mean^2k, so that nothing cancels where the two are close.
    relative = std / np.where(mean > 0, mean, 1.0)  # always 0: no spread either
    with np.errstate(over="ignore"):  # nearly always 0: all of the variance is the first term
        variance = (mean**2 + std**2) ** n * -np.expm1(-n * np.log1p(relative**2))
    return mean**n, np.sqrt(variance)
