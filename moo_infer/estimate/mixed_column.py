"""Columns of mixtures: a share of the queries goes to each of some rows, at random."""

from collections.abc import Sequence
from functools import cached_property
from typing import cast

import numpy as np

from ..core.arrays import FloatArray
from ..core.moments import Moments
from .curves import STATISTICS, Column
from .mixture import QuestionMoments

__all__ = ["MixedColumn", "share_within"]

BISECTIONS = 24  # of a share: to 6e-8, a hundredth of what 10,000 trials tell at best
CLOSE = 1e-12  # of a quantile, relative: values as close count as equal where they are held against a limit
ROUNDING = 1e-12  # of sums of shares: 0.95 of them may come out as 0.95 - 1e-16, which is enough


def share_within(column: Column, place: int, x: float, /, q: float = 0.5) -> tuple[float, float]:
    """Invert the quantiles of a row: the share of trials that are at most x, and what it is less than at least.

    Args:
        column: whose quantiles.
        place: which of its n rows.
        x: in the unit of the column.
        q: in (0, 1), the share that is tried first, so that the answer tells surely on which side of it it is.

    Returns:
        Two shares: the quantiles up to the first are at most x; those from the second on are above.

    >>> share_within(Column.constant(np.array([1.0, 2.0])), 0, 1.5)[0] > 0.9999999
    True
    """
    if "low" in column.simulated:
        return _share_of_trials(column.trials[:, place], x)
    least, most = 0.0, 1.0
    for _ in range(BISECTIONS):
        if column.quantile(q)[place] <= x:
            least = q
        else:
            most = q
        q = (least + most) / 2
    return least, most


def _share_of_trials(trials: FloatArray, x: float) -> tuple[float, float]:
    """Invert the quantiles of M trials (M,), between which numpy interpolates."""
    values = np.sort(trials)
    count = int(np.searchsorted(values, x, side="right"))
    if count in (0, len(values)):
        return float(count > 0), float(count > 0)
    below, above = values[count - 1], values[count]
    share = float((count - 1 + (x - below) / (above - below)) / (len(values) - 1))
    return share, share


class MixedColumn(Column):
    """One objective of a mixture, a column of one row: exact as far as its parts are.

    Means by question are mixed question by question, so that the intervals of a mixture know that hard questions are
    hard for all of its parts. They are there where all parts are of the same questions.

    Args:
        parts: r columns, and which of the rows of each it is.
        weights: (r,), > 0, with the sum 1.

    >>> one, five = Column.constant(np.array([1.0, 3.0])), Column.constant(np.array([5.0]))
    >>> mixed = MixedColumn([(one, 0), (five, 0)], [0.75, 0.25])
    >>> print(mixed.mean, mixed.std.round(3), mixed.quantile(0.74), mixed.quantile(0.76))
    [2.] [1.732] [1.] [5.]
    """

    def __init__(self, parts: Sequence[tuple[Column, int]], weights: Sequence[float] | FloatArray) -> None:
        self.parts, self.weights = tuple(parts), np.asarray(weights, dtype=np.float64)
        mean = self.weights @ [column.mean[place] for column, place in parts]
        super().__init__(_by_question(parts, self.weights, mean) or Moments(np.array([mean])))

    @cached_property
    def std(self) -> FloatArray:
        """(1,) standard deviation over trials."""
        std, mean = (np.array([getattr(c, name)[place] for c, place in self.parts]) for name in ("std", "mean"))
        return np.sqrt([self.weights @ (std**2 + (mean - self.mean) ** 2)])

    @cached_property
    def stderr_simulation(self) -> FloatArray:
        """(1,) Monte Carlo standard error, at most: all parts draw from the same numbers; NaN where it is exact."""
        errors = np.array([column.stderr_simulation[place] for column, place in self.parts])
        known = np.isfinite(errors)
        return np.array([self.weights[known] @ errors[known] if known.any() else np.nan])

    def quantile(self, q: float, /) -> FloatArray:
        """(1,) quantiles over trials, by bisection: the smallest x that a share q of all queries does not exceed."""
        if q not in self._quantiles:
            self._quantiles[q] = np.array([self._quantile(q)])
        return self._quantiles[q]

    def _quantile(self, q: float) -> float:
        ends = [float(column.quantile(q)[place]) for column, place in self.parts]
        low, high = min(ends), max(ends)  # of each part a share q is at most the larger end

        def enough(x: float) -> bool:
            shares = [share_within(column, place, x, q)[0] for column, place in self.parts]
            return bool(self.weights @ shares >= q - ROUNDING)

        if enough(low):
            return low
        while high - low > CLOSE * max(abs(low), abs(high)):
            x = (low + high) / 2
            if x in (low, high):
                break
            low, high = (low, x) if enough(x) else (x, high)
        # Where a cdf steps, its step lies between the two: a value that trials have, not one that is close to it.
        shares = [share_within(column, place, high, q)[0] for column, place in self.parts]
        steps = [float(c.quantile(s)[i]) for (c, i), s in zip(self.parts, shares, strict=True) if 0 < s < 1]
        return max((step for step in steps if low < step <= high), default=high)

    @property
    def simulated(self) -> tuple[str, ...]:
        """The statistics that come from simulation, in one of the parts at least."""
        names = {name for column, _ in self.parts for name in column.simulated}
        return tuple(name for name in STATISTICS if name in names)


def _by_question(parts: Sequence[tuple[Column, int]], weights: FloatArray, mean: float) -> QuestionMoments | None:
    """Mix means question by question; None where the parts are not of the same questions."""
    moments = [column._moments for column, _ in parts]
    if not all(isinstance(of, QuestionMoments) for of in moments):
        return None
    first, *_ = asked = cast(list[QuestionMoments], moments)
    mixed = np.zeros(len(first.weights))
    for of, (_, place), weight in zip(asked, parts, weights, strict=True):
        if sorted(of.questions) != sorted(first.questions) or len(of.weights) != len(first.weights):
            return None
        at = {name: i for i, name in enumerate(of.questions)}
        order = [at[name] for name in first.questions] or slice(None)
        if not np.allclose(of.weights[order], first.weights, rtol=1e-9, atol=0):
            return None
        mixed += weight * of.by_question[order, place]
    return QuestionMoments(
        np.array([mean]),
        weights=first.weights,
        by_question=mixed[:, None],
        questions=first.questions,
        share=first.share,
    )
