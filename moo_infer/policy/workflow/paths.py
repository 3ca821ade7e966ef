"""Longest paths through a graph of stages: of numbers, of laws whose mean is known, and of counts."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import TypeVar

import numpy as np

from ...core.arrays import BoolArray, FloatArray
from ...core.cdf import Cdf
from ...core.errors import NotExact

__all__ = ["Graph", "Span", "counts_added", "largest_count"]

Value = TypeVar("Value")
ERROR = 1e-10  # of an integral, relative to the mean; what is not that sure is simulated
NOTHING = 1e-14  # of an integral, relative to its range: the rest is rounding
TAIL = 1e-16  # of a law that an integral leaves out
REACHES = np.array([-8.0, -3.0, -1.0, 0.0, 1.0, 3.0, 8.0])  # in standard deviations: where cdfs are steep
DOUBLINGS = 60  # of the end of an integral, until the tail is left


@dataclass(frozen=True)
class Graph:
    """Stages by number, and which of them each waits for.

    Args:
        after: by stage, the numbers of those that it waits for.
        order: the numbers, each after those that it waits for.

    >>> diamond = Graph(((), (0,), (0,), (1, 2)), (0, 1, 2, 3))
    >>> start, finish = diamond.times([np.array([1.0]), np.array([5.0]), np.array([2.0]), np.array([1.0])])
    >>> finish[3].tolist(), [float(of[0]) for of in diamond.slack(start, finish)]
    ([7.0], [0.0, 0.0, 3.0, 0.0])
    """

    after: tuple[tuple[int, ...], ...]
    order: tuple[int, ...]

    def times(self, seconds: Sequence[FloatArray]) -> tuple[list[FloatArray], list[FloatArray]]:
        """Return when each stage starts and when it is done, any shape, from how long it takes."""
        start = [np.zeros_like(own) for own in seconds]
        finish = list(start)
        for i in self.order:
            start[i] = reduce(np.maximum, (finish[j] for j in self.after[i]), np.zeros(np.shape(seconds[i])))
            finish[i] = start[i] + seconds[i]
        return start, finish

    def longest(self, seconds: Sequence[FloatArray]) -> FloatArray:
        """Return when the last stage is done."""
        return reduce(np.maximum, self.times(seconds)[1])

    def slack(self, start: Sequence[FloatArray], finish: Sequence[FloatArray]) -> list[FloatArray]:
        """Return by how much each stage could be later and the whole would be as early; 0 on the critical path."""
        end = reduce(np.maximum, finish)
        latest = [end for _ in finish]
        for i in reversed(self.order):
            for j in self.after[i]:
                latest[j] = np.minimum(latest[j], latest[i] - (finish[i] - start[i]))
        return [late - done for late, done in zip(latest, finish, strict=True)]

    @property
    def paths(self) -> list[tuple[int, ...]]:
        """All paths from a stage that waits for none to one that none waits for."""
        waited_for = {j for after in self.after for j in after}
        to: dict[int, list[tuple[int, ...]]] = {}
        for i in self.order:
            to[i] = [(*path, i) for j in self.after[i] for path in to[j]] or [(i,)]
        return [path for i in self.order if i not in waited_for for path in to[i]]

    def fold(
        self,
        leaves: Sequence[Value],
        series: Callable[[Value, Value], Value],
        parallel: Callable[[Value, Value], Value],
    ) -> Value:
        """Return what stages make together, one after the other or at the same time.

        Raises:
            NotExact: where the graph is not made of series and branches alone.
        """
        return self._folded(tuple(range(len(self.after))), leaves, series, parallel)

    def _folded(
        self,
        stages: tuple[int, ...],
        leaves: Sequence[Value],
        series: Callable[[Value, Value], Value],
        parallel: Callable[[Value, Value], Value],
    ) -> Value:
        if len(stages) == 1:
            return leaves[stages[0]]
        before = self._before[np.ix_(stages, stages)]
        ordered = before | before.T
        for linked, combine in ((ordered, parallel), (~ordered & ~np.eye(len(stages), dtype=bool), series)):
            parts = [tuple(stages[i] for i in part) for part in _components(linked)]
            if len(parts) > 1:
                return reduce(combine, (self._folded(part, leaves, series, parallel) for part in parts))
        raise NotExact("stages that are neither a series nor branches")

    @property
    def _before(self) -> BoolArray:
        """(n, n) whether a stage has to be done, directly or not, before another starts."""
        before = np.zeros((len(self.after),) * 2, dtype=bool)
        for i in self.order:
            for j in self.after[i]:
                before[:, i] |= before[:, j]
                before[j, i] = True
        return before


def _components(linked: BoolArray) -> Iterator[list[int]]:
    """The connected parts of a graph (n, n)."""
    left = set(range(len(linked)))
    while left:
        part, open_ones = [], [min(left)]
        while open_ones:
            i = open_ones.pop()
            if i in left:
                left.remove(i)
                part.append(i)
                open_ones += [j for j in left if linked[i, j]]
        yield sorted(part)


@dataclass(frozen=True, eq=False)
class Span:
    """How long something takes, given each of Q questions.

    Args:
        mean: (Q,).
        variance: (Q,); None where it is not known.
        cdf: of laws, takes x, gives P(X <= x), both (n,); None where it is not known.
    """

    mean: FloatArray
    variance: FloatArray | None = None
    cdf: Callable[[FloatArray], FloatArray] | None = None

    @classmethod
    def of(cls, mean: FloatArray, variance: FloatArray | None, cdf: Cdf | None = None) -> "Span":
        """Make it of what is known of a stage."""
        if cdf is None:
            return cls(mean, variance)
        return cls(mean, variance, lambda x: np.array([np.ravel(cdf(np.array([v])))[0] for v in x]))

    @property
    def constant(self) -> bool:
        """Whether nothing varies."""
        return self.variance is not None and not self.variance.any()

    def __add__(self, other: "Span") -> "Span":
        variance = None if self.variance is None or other.variance is None else self.variance + other.variance
        mean = self.mean + other.mean
        for one, shift in ((self, other), (other, self)):
            if shift.constant and one.cdf is not None and mean.size == 1:
                return Span(mean, variance, _shifted(one.cdf, float(shift.mean[0])))
        return Span(mean, variance)

    def __or__(self, other: "Span") -> "Span":
        """Return the longer of two that are independent; raises NotExact where its mean is not known."""
        if self.constant and other.constant:
            mean = np.maximum(self.mean, other.mean)
            return Span(mean, np.zeros_like(mean))
        steps = [float(one.mean[0]) if one.constant and one.mean.size == 1 else None for one in (self, other)]
        cdfs = [one.cdf if step is None else _step(step) for one, step in zip((self, other), steps, strict=True)]
        if any(cdf is None for cdf in cdfs) or self.mean.size > 1 or other.mean.size > 1:
            raise NotExact("the longer of two that vary")

        def cdf(x: FloatArray) -> FloatArray:
            return cdfs[0](x) * cdfs[1](x)  # type: ignore[misc]  # not None

        places = [float(one.mean[0]) + REACHES * np.sqrt(_variance(one)) for one in (self, other)]
        return _integrated(cdf, np.concatenate(places), max((step for step in steps if step is not None), default=0.0))


def _shifted(cdf: Callable[[FloatArray], FloatArray], by: float) -> Callable[[FloatArray], FloatArray]:
    return lambda x: cdf(x - by)


def _step(at: float) -> Callable[[FloatArray], FloatArray]:
    return lambda x: np.where(x >= at, 1.0, 0.0)


def _variance(span: Span) -> float:
    return 0.0 if span.variance is None else float(span.variance[0])


def _integrated(cdf: Callable[[FloatArray], FloatArray], bends: FloatArray, low: float) -> Span:
    """The mean and variance of what is >= low, from its cdf: low + the integral of what is left of it."""
    from scipy.integrate import quad  # takes 0.1 s to import

    high = float(max(bends.max(), low, 1e-12))
    for _ in range(DOUBLINGS):
        if 1.0 - cdf(np.array([high]))[0] <= TAIL:
            break
        high *= 1.3
    else:
        raise NotExact("a tail that does not end")
    edges = np.unique(np.concatenate([[low, high], bends[(bends > low) & (bends < high)]]))
    sums, error = np.zeros(2), 0.0
    for a, b in pairwise(edges.tolist()):
        for power in (0, 1):

            def left(x: float, power: int = power) -> float:
                return (2 * x) ** power * (1.0 - float(cdf(np.array([x]))[0]))

            value, off, *_ = quad(left, a, b, epsabs=NOTHING * high ** (1 + power), limit=200, full_output=1)
            sums[power] += value
            error += off if power == 0 else 0.0
    mean = low + sums[0]
    if error > ERROR * mean:
        raise NotExact("an integral that does not converge")
    variance = max(low**2 + sums[1] - mean**2, 0.0)
    return Span(np.array([mean]), np.array([variance]), cdf)


def counts_added(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the chances (Q, a + b - 1) of sums of two counts, from those of each, (Q, a) and (Q, b).

    >>> counts_added(np.array([[0.5, 0.5]]), np.array([[0.0, 1.0]])).tolist()
    [[0.0, 0.5, 0.5]]
    """
    sums = np.zeros((np.broadcast_shapes(a.shape[:1], b.shape[:1])[0], a.shape[1] + b.shape[1] - 1))
    for i in range(a.shape[1]):
        sums[:, i : i + b.shape[1]] += a[:, i : i + 1] * b
    return sums


def largest_count(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return the chances of the larger of two counts, likewise.

    >>> largest_count(np.array([[0.5, 0.5]]), np.array([[0.5, 0.5]])).tolist()
    [[0.25, 0.75]]
    """
    wide = max(a.shape[1], b.shape[1])
    below = [np.cumsum(np.pad(of, ((0, 0), (0, wide - of.shape[1]))), axis=1) for of in (a, b)]
    return np.diff(below[0] * below[1], axis=1, prepend=0.0)
