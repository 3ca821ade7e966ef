"""Quantities: numbers of one inference on one query, linear in named columns, and what k inferences do with them."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.cdf import Cdf, NormalCdf
from ..core.errors import MooInferError, NotExact
from ..core.moments import Algebra, Moments, normal_quantile
from .laws import Law

__all__ = ["Quantity", "Query", "Total"]

Factors = Mapping[str, Any]  # of columns: numbers, (n,) or (B, n) arrays


class Query(ABC):
    """One query, as a part sees it: its columns as quantities, whose k inferences are drawn in one way or another.

    By a law inferences are independent, and so are different columns (`LawQuery`). By the samples of a question k of
    them are drawn without replacement, and the columns of a sample belong together (`SampleQuery`). A part never asks
    which of the two it is given.
    """

    @abstractmethod
    def __getitem__(self, column: str) -> "Quantity":
        """Return a column as a quantity; raises NotExact where its law is not known, MissingColumn without samples."""

    @property
    def tokens_in(self) -> "Quantity":
        """Tokens of the prompt."""
        return self["tokens_in"]

    @property
    def tokens_out(self) -> "Quantity":
        """Generated tokens."""
        return self["tokens_out"]

    @property
    def accuracy(self) -> "Quantity":
        """What an inference is worth by itself, in [0, 1]."""
        return self["accuracy"]

    def varies(self, column: str, /) -> bool:
        """Whether the law of a column differs from query to query; who needs all queries together is not exact then."""
        return False

    def bending(self, **bends: Sequence[Any]) -> None:  # noqa: B027  # by samples there is nothing to be told apart
        """Say where what a part makes of a column bends or jumps, so that queries are told apart there.

        >>> from moo_infer import ClippedNormal
        >>> from moo_infer.quantities.by_law import LawQuery
        >>> LawQuery({"tokens_in": ClippedNormal(1000.0, 100.0)}).bending(tokens_in=[200_000])
        """

    @abstractmethod
    def total(self, k: IntArray, sums: Factors, firsts: Factors, shift: Any, /) -> "tuple[Any, Any, bool]":
        """Return mean, variance, and whether it is normal, of sums over k inferences and of the first one."""

    def total_cdf(self, k: IntArray, sums: Factors, firsts: Factors, shift: Any, /) -> Cdf | None:
        """Return the cdf of the same, where it is known though it is not normal."""
        return None

    @abstractmethod
    def largest(self, k: IntArray, quantity: "Quantity", /) -> Moments:
        """Return the moments of the largest of k."""

    def ranked(self, rank: int, k: IntArray, quantity: "Quantity", /) -> tuple[FloatArray, FloatArray]:
        """Return mean and mean square of the second, third, ... largest of k."""
        raise NotExact("the order of k inferences is not known")

    @abstractmethod
    def constant(self, quantity: "Quantity", /) -> bool:
        """Whether the quantity is the same for all inferences of the query."""

    def law(self, quantity: "Quantity", /) -> Law:
        """Return the law of a quantity; by samples there is none, as formulas that read one take independence."""
        raise NotExact("samples of a question have no law: they are drawn without replacement")

    @abstractmethod
    def any_right(self, k: IntArray, /) -> Moments:
        """Return the moments of whether one of k is right."""

    @abstractmethod
    def all_right(self, k: IntArray, /) -> Moments:
        """Return the moments of whether all of k are right."""

    @abstractmethod
    def majority(self, k: IntArray, /) -> Moments:
        """Return the moments of whether more than half of k are right, ties at random."""

    def plurality(self, k: IntArray, /) -> Moments:
        """Return the moments of whether the answer that most of k give is right."""
        raise NotExact("the law of the answers is not known")

    def top_score(self, k: IntArray, /) -> Moments:
        """Return the moments of what the one with the highest score of k is worth."""
        raise NotExact("the law of the scores is not known")


@dataclass(frozen=True, eq=False)
class Quantity(Algebra["Quantity"]):
    """A number of one inference: a constant, and a factor for every named column, so that ``q + q`` is ``2 * q``.

    Args:
        query: the query it belongs to.
        factors: by column.
        shift: the constant.
    """

    query: Query
    factors: Factors
    shift: Any = 0.0

    def __add__(self, other: Any) -> "Quantity":
        if not isinstance(other, Quantity):
            return Quantity(self.query, self.factors, self.shift + _number(other))
        if other.query is not self.query:
            raise MooInferError("quantities add where they belong to one query, but these belong to two")
        return Quantity(self.query, _added(self.factors, other.factors), self.shift + other.shift)

    def __mul__(self, factor: Any) -> "Quantity":
        c = _number(factor)
        return Quantity(self.query, _scaled(self.factors, c), c * self.shift)

    def sum(self, k: IntArray, /) -> "Total":
        """Return the total of k inferences."""
        return Total.of(self.query, k, self.factors, {}, k * np.asarray(self.shift))

    def first(self, k: IntArray, /) -> "Total":
        """Return that of the first inference, whatever k."""
        total = Total.of(self.query, k, {}, self.factors, np.asarray(self.shift) * np.ones(len(k)))
        if total.quantile is None:
            with suppress(NotExact):
                return replace(total, quantile=partial(_quantile_of_one, self.query.law(self), len(k)))
        return total

    def max(self, k: IntArray, /) -> Moments:
        """Return the moments of the largest of k.

        Raises:
            NotExact: for a negative factor, and by laws of which three vary and are not all normal.
        """
        if any(np.asarray(factor).min(initial=0.0) < 0 for factor in self.factors.values()):
            raise NotExact("the largest of a quantity that falls with one of its columns is not known")
        return self.query.largest(k, self)

    def ranked(self, rank: int, k: IntArray, /) -> tuple[FloatArray, FloatArray]:
        """Return mean and mean square of the `rank`-th largest of k, 1 for the largest; rank at most the smallest k.

        Raises:
            NotExact: where the law of the quantity is not known.
        """
        return self.query.ranked(rank, k, self)

    def any(self, k: IntArray, /) -> Moments:
        """Return whether one of k is right, for the accuracy."""
        return self._worth().any_right(k)

    def all(self, k: IntArray, /) -> Moments:
        """Return whether all of k are right, for the accuracy."""
        return self._worth().all_right(k)

    def majority(self, k: IntArray, /) -> Moments:
        """Return whether more than half of k are right, ties at random, for the accuracy."""
        return self._worth().majority(k)

    def plurality(self, k: IntArray, /) -> Moments:
        """Return whether the answer that most of k give is right, ties at random, for the accuracy."""
        return self._worth().plurality(k)

    def top(self, k: IntArray, /) -> Moments:
        """Return what the one with the highest score of k is worth, ties at random, for the accuracy."""
        return self._worth().top_score(k)

    @property
    def constant(self) -> bool:
        """Whether it is the same for all inferences of the query."""
        return self.query.constant(self)

    @property
    def depends_on_k(self) -> bool:
        """Whether a factor or the constant is another for every k: then it is no number of one inference."""
        shapes = (np.asarray(c).shape for c in (self.shift, *self.factors.values()))
        return any(len(shape) == 1 or shape[1:] not in ((), (1,)) for shape in shapes)

    @property
    def mean(self) -> Any:
        """The expectation, a number or (B, 1); NotExact by samples, as the four that follow."""
        return self.query.law(self).mean

    @property
    def std(self) -> Any:
        """The standard deviation, a number or (B, 1)."""
        return self.query.law(self).std

    @property
    def normal(self) -> bool:
        """Whether the law is normal up to a mass of 1e-12."""
        return self.query.law(self).normal

    def cdf(self, x: FloatArray, /) -> FloatArray:
        """P(X <= x), any shape."""
        return self.query.law(self).cdf(x)

    def quantile(self, q: FloatArray, /) -> FloatArray:
        """The smallest x with P(X <= x) >= q, any shape."""
        return self.query.law(self).quantile(q)

    def _worth(self) -> Query:
        (column, factor), *more = self.factors.items()
        if more or column != "accuracy" or np.any(np.asarray(factor) != 1) or np.any(np.asarray(self.shift) != 0):
            raise NotExact("votes and checks are of the accuracy itself, not of a quantity made from it")
        return self.query


@dataclass(frozen=True, eq=False)
class Total(Moments):
    """Moments of sums over k inferences, and of the first of them, that stay linear in the draws.

    Totals of one query add and scale, by a number, (n,) or (B, n), with exact mean and standard deviation, and
    quantiles where all of it is normal.
    """

    query: Query | None = field(default=None, repr=False)
    k: IntArray | None = field(default=None, repr=False)
    sums: Factors = field(default_factory=dict, repr=False)
    firsts: Factors = field(default_factory=dict, repr=False)
    shift: Any = field(default=0.0, repr=False)

    @classmethod
    def of(cls, query: Query, k: IntArray, sums: Factors, firsts: Factors, shift: Any) -> "Total":
        """Return the total with its moments."""
        mean, variance, normal = query.total(k, sums, firsts, shift)
        std = np.sqrt(variance)
        quantile = partial(normal_quantile, mean, std) if normal else None
        cdf = NormalCdf(mean, std) if normal else query.total_cdf(k, sums, firsts, shift)
        return cls(mean, std, quantile, cdf, query, k, sums, firsts, shift)

    def __add__(self, other: Any) -> Moments:
        assert self.query is not None
        assert self.k is not None
        if isinstance(other, Moments):
            if not (isinstance(other, Total) and other.query is self.query and _same(self.k, other.k)):
                return Moments.__add__(self, other)
            sums, firsts = _added(self.sums, other.sums), _added(self.firsts, other.firsts)
            return Total.of(self.query, self.k, sums, firsts, self.shift + other.shift)
        return Total.of(self.query, self.k, self.sums, self.firsts, self.shift + _number(other))

    def __mul__(self, factor: Any) -> Moments:
        assert self.query is not None
        assert self.k is not None
        c = _number(factor)
        return Total.of(self.query, self.k, _scaled(self.sums, c), _scaled(self.firsts, c), c * self.shift)


def _same(k: IntArray | None, other: IntArray | None) -> bool:
    return k is other or (k is not None and other is not None and np.array_equal(k, other))


def _quantile_of_one(law: Law, n: int, q: float) -> FloatArray:
    return law.quantile(np.asarray(q)) * np.ones(n)


def _added(factors: Factors, more: Factors) -> Factors:
    return {name: factors.get(name, 0.0) + more.get(name, 0.0) for name in {**factors, **more}}


def _number(given: Any) -> Any:
    """A number as it is, anything else as an array; NumPy takes ten times as long to multiply one number."""
    return given if type(given) is float else np.asarray(given, dtype=np.float64)


def _scaled(factors: Factors, c: Any) -> Factors:
    return {name: c * factor for name, factor in factors.items()}
