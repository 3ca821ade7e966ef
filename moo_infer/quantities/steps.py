"""The cdf of what takes one of finitely many values, given each question, and exact quantiles over questions."""

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..core.arrays import Array, BoolArray, FloatArray, IntArray
from ..core.cdf import ROUNDING, Cdf
from .hypergeometric import log_none

__all__ = ["EvenSteps", "LargestSteps", "Steps"]

# Other weights of a bootstrap move a share of the questions by at most so many standard deviations, but for one draw of
# ten thousand: then all values are gone through.
FAR = 4.0
HEADS = 2**20  # numbers in the table of what lies before each block of a window: 8 MiB
AT_ONCE = 2**18  # values that are gone through in one go: a few arrays of 2 MiB


@dataclass(frozen=True, eq=False)
class _Window:
    """Values between which a quantile lies where questions weigh about the same: L of them at each of n values of k.

    Args:
        values: (L, n), ascending.
        question: (L, n), whose they are.
        mass: (L, n), how likely each is, given its question; 0 beyond the last.
        below: (Q, n), how likely what lies before them is.
    """

    values: FloatArray
    question: IntArray
    mass: FloatArray
    below: FloatArray

    @cached_property
    def step(self) -> int:
        """How many values a block has: about as many as there are blocks, or more where their table was too large."""
        L, blocks = len(self.values), HEADS // self.below.size
        return -(-L // max(1, min(blocks, math.isqrt(L))))

    @cached_property
    def heads(self) -> FloatArray:
        """(P, Q, n), how likely what lies before each of P blocks is."""
        L, n = self.values.shape
        Q, P = len(self.below), -(-L // self.step)
        block, j = np.arange(L)[:, None] // self.step, np.arange(n)
        place = (block * Q + self.question) * n + j
        each = np.bincount(place.ravel(), self.mass.ravel(), P * Q * n).reshape(P, Q, n)
        return np.asarray(np.cumsum(np.concatenate([self.below[None], each[:-1]]), axis=0))

    def quantiles(self, weights: FloatArray, share: float, /) -> tuple[FloatArray, BoolArray]:
        """Return (B, n) the first values up to which the shares of all reach one, and whether it lies here.

        First the block is looked for, then the value in it.
        """
        before = np.tensordot(weights, self.heads, axes=([1], [1]))  # (B, P, n)
        B, P, n = before.shape
        block = np.maximum((before < share).sum(axis=1) - 1, 0)  # (B, n): the last one before which it is not reached
        start = np.take_along_axis(before, block[:, None], axis=1)[:, 0]
        row = (block * self.step)[:, None] + np.arange(self.step)[:, None]  # (B, step, n)
        inside, j = np.minimum(row, len(self.values) - 1), np.arange(n)
        mass = np.where(row < len(self.values), self.mass[inside, j], 0.0)
        each = mass * weights[np.arange(B)[:, None, None], self.question[inside, j]]
        enough = start[:, None] + np.cumsum(each, axis=1) >= share
        place = np.where(enough[:, -1], enough.argmax(axis=1), self.step - 1)  # beyond by rounding: the last of it
        found = self.values[np.minimum(block * self.step + place, len(self.values) - 1), j]
        first = before[:, 0]
        return found, (enough[:, -1] | (block < P - 1)) & ((first < share) | (first <= 0))


@dataclass(frozen=True, eq=False)
class Steps(Cdf):
    """The cdf of values of questions, each with a probability given its question at n values of k.

    Quantiles over questions are values themselves: the smallest at which the shares of all up to it reach q. Where they
    are asked for again, with other weights, only values near the quantile are gone through.
    """

    _windows: dict[float, _Window | None] = field(default_factory=dict, init=False, repr=False)

    @property
    @abstractmethod
    def questions(self) -> int:
        """Q, how many questions there are."""

    @property
    @abstractmethod
    def n(self) -> int:
        """How many values of k there are."""

    @abstractmethod
    def ranked(self, j: int, /) -> tuple[FloatArray, IntArray]:
        """Return the values (N,) at the j-th k, ascending, and whose they are."""

    @abstractmethod
    def mass(self, j: int, rows: slice, /) -> FloatArray:
        """Return how likely some of the ranked values at the j-th k are, given their questions."""

    def __call__(self, x: FloatArray, /) -> FloatArray:
        """Return the probabilities (Q, n) of what is at most x."""
        x = np.broadcast_to(x, (self.questions, self.n))
        chance = np.empty(x.shape)
        for j in range(self.n):
            values, question = self.ranked(j)
            reached = values <= x[question, j]
            chance[:, j] = np.bincount(question[reached], self.mass(j, slice(None))[reached], self.questions)
        return chance

    def quantile(self, weights: FloatArray, q: float, mean: FloatArray, std: FloatArray, /) -> FloatArray:
        """Return (n,) quantiles over questions, values themselves; arguments as in `Cdf.quantile`."""
        if q not in self._windows:
            self._windows[q] = None  # a window pays where it is asked for more than once
            return np.array([self._at(j, weights, q) for j in range(self.n)])
        return np.asarray(self.quantiles(weights[None], q, mean, std)[0])

    def quantiles(self, weights: FloatArray, q: float, mean: FloatArray, std: FloatArray, /) -> FloatArray:
        """Return (B, n) quantiles over questions with each of B weights of them (B, Q); see `quantile`."""
        window = self._windows.get(q)
        if window is None:
            window = self._windows[q] = self._window(q)
        found, here = np.empty((len(weights), self.n)), np.empty((len(weights), self.n), dtype=bool)
        step = max(1, AT_ONCE // (self.n * window.step))
        for start in range(0, len(weights), step):
            some = slice(start, start + step)
            found[some], here[some] = window.quantiles(weights[some], q - ROUNDING)
        for b, j in np.argwhere(~here).tolist():
            found[b, j] = self._at(j, weights[b], q)
        return found

    def _at(self, j: int, weights: FloatArray, q: float) -> float:
        """The quantile at the j-th k."""
        values, question = self.ranked(j)
        enough: BoolArray = np.cumsum(weights[question] * self.mass(j, slice(None))) >= q - ROUNDING
        return float(values[int(enough.argmax()) if enough[-1] else -1])

    def _window(self, q: float) -> _Window:
        Q, n = self.questions, self.n
        apart = FAR * np.sqrt(q * (1 - q) / Q)
        starts, ends = np.empty((2, n), dtype=np.int64)
        below = np.zeros((Q, n))
        for j in range(n):
            _, question = self.ranked(j)
            mass = self.mass(j, slice(None))
            share = np.cumsum(mass) / Q
            starts[j] = np.searchsorted(share, q - apart)
            ends[j] = np.searchsorted(share, q + apart) + 1
            before = slice(0, starts[j])
            below[:, j] = np.bincount(question[before], mass[before], Q)
        L = int((np.minimum(ends, len(share)) - starts).max())
        values, of, likely = np.zeros((L, n)), np.zeros((L, n), dtype=np.int64), np.zeros((L, n))
        for j, start in enumerate(starts.tolist()):
            rows = slice(start, start + L)
            ranked, question = self.ranked(j)
            count = len(ranked[rows])
            values[:count, j], of[:count, j] = ranked[rows], question[rows]
            likely[:count, j] = self.mass(j, rows)
        return _Window(values, of, likely, below)


@dataclass(frozen=True, eq=False)
class LargestSteps(Steps):
    """The cdf of the largest of k of a question's values, over all subsets: P(<= x) = C(#(<= x), k) / C(n, k).

    Args:
        given: (N,), at least k for every question.
        question: (N,) whose they are, ascending, in 0 ... Q - 1.
        k: (n,), >= 1; of one of them, each is as likely.

    >>> cdf = LargestSteps(np.array([1.0, 2.0, 6.0]), np.zeros(3, int), np.array([1, 2, 3]))
    >>> cdf(np.array([2.0, 2.0, 2.0])).round(6)
    array([[0.666667, 0.333333, 0.      ]])
    >>> cdf.quantile(np.ones(1), 0.5, np.zeros(3), np.zeros(3))
    array([2., 6., 6.])
    """

    given: Array
    question: IntArray
    k: IntArray

    @property
    def questions(self) -> int:
        """Q, how many questions there are."""
        return int(self.question[-1]) + 1

    @property
    def n(self) -> int:
        """How many values of k there are."""
        return len(self.k)

    def ranked(self, j: int, /) -> tuple[FloatArray, IntArray]:
        """Return the values (N,), ascending, and whose they are: the same at every k."""
        return self._ranked[:2]

    def mass(self, j: int, rows: slice, /) -> FloatArray:
        """Return how likely some of the ranked values are the largest of k."""
        return np.asarray(self._mass[self._ranked[2][rows], j])

    @cached_property
    def _counts(self) -> IntArray:
        return np.bincount(self.question)

    @cached_property
    def _ranked(self) -> tuple[FloatArray, IntArray, IntArray]:
        """Values, questions, and rows of the table of `_mass`, all (N,), in ascending order of the values."""
        own = np.lexsort((self.given, self.question))  # a question after the other, ascending within each
        first = np.cumsum(self._counts) - self._counts
        kinds, kind = np.unique(self._counts, return_inverse=True)
        row = (np.cumsum(kinds) - kinds)[kind[self.question]] + np.arange(len(own)) - first[self.question]
        values = self.given[own].astype(np.float64)
        order = np.argsort(values, kind="stable")
        return values[order], self.question[order], row[order]

    @cached_property
    def _mass(self) -> FloatArray:
        """How likely the value of each rank is the largest of k: a block of rows for every number of values."""
        at_most = [np.exp(log_none(n, np.arange(n, -1, -1), self.k)) for n in np.unique(self._counts).tolist()]
        return np.concatenate([np.diff(table, axis=0) for table in at_most])


@dataclass(frozen=True, eq=False)
class EvenSteps(Steps):
    """The cdf of what takes each of a question's values with the same probability: simulated totals, or one constant.

    Args:
        given: (N, n), at n values of k.
        question: (N,) whose they are, in 0 ... Q - 1, each with at least one value.

    >>> cdf = EvenSteps(np.array([[1.0], [3.0], [9.0]]), np.array([0, 0, 1]))
    >>> cdf.quantile(np.array([0.6, 0.4]), 0.5, np.zeros(1), np.zeros(1))
    array([3.])
    """

    given: FloatArray
    question: IntArray

    @property
    def questions(self) -> int:
        """Q, how many questions there are."""
        return len(self._counts)

    @property
    def n(self) -> int:
        """How many values of k there are."""
        return int(self.given.shape[1])

    def ranked(self, j: int, /) -> tuple[FloatArray, IntArray]:
        """Return the values (N,) at the j-th k, ascending, and whose they are."""
        order = self._order[j]
        return self.given[order, j], self.question[order]

    def mass(self, j: int, rows: slice, /) -> FloatArray:
        """Return one over how many values the question has."""
        return np.asarray(1.0 / self._counts[self.question[self._order[j][rows]]])

    @cached_property
    def _counts(self) -> IntArray:
        return np.bincount(self.question)

    @cached_property
    def _order(self) -> IntArray:
        """(n, N) places of the values in ascending order."""
        return np.argsort(self.given.T, axis=1, kind="stable")
