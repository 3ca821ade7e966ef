"""The jackknife within the questions of a log: what is known of any estimate from it, whatever part makes it."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..core.arrays import FloatArray, IntArray
from .samples import Samples

__all__ = ["LeftOut"]

# Samples in all that the questions without some of theirs may hold, about as many as a second reads. A log of 200
# questions with 36 samples stays below it; where it is longer, some samples are left out together.
AT_MOST = 2**18


@dataclass(frozen=True, eq=False)
class LeftOut:
    """Every question of a log several times, each time without some of its samples.

    The variance of an estimate that comes from the samples of a question is told by the estimates without some of them
    (Efron and Stein, Ann. Stat. 9, 1981, 586-596: on average not too small). Samples are left out one by one, or of
    long logs in parts of the same size.

    Args:
        log: the samples.

    >>> log = Samples("mine", ["a", "b"], np.array([0, 0, 0, 1, 1]), np.array([1.0, 0, 0, 1, 1]))
    >>> fewer = LeftOut(log)
    >>> fewer.samples.n, fewer.question
    (array([2, 2, 2, 1, 1]), array([0, 0, 0, 1, 1]))
    >>> pass_at_1 = np.bincount(fewer.samples.question, fewer.samples["correct"]) / fewer.samples.n
    >>> fewer.variance(pass_at_1[:, None]).ravel().round(6)  # p (1 - p) / (n - 1)
    array([0.111111, 0.      ])
    """

    log: Samples

    @cached_property
    def parts(self) -> IntArray:
        """(Q,) in how many parts the samples of a question are divided, each of which is left out once."""
        n = self.log.n
        return np.minimum(n, max(2, AT_MOST // max(1, len(self.log))))

    @cached_property
    def question(self) -> IntArray:
        """(V,) which question it is that lacks a part."""
        return np.repeat(np.arange(len(self.parts)), self.parts)

    @cached_property
    def samples(self) -> Samples:
        """The samples of these V, as if they were questions of their own."""
        log, parts, of = self.log, self.parts, self.question
        first, lengths = np.cumsum(log.n) - log.n, log.n[of]
        place = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        missing = np.arange(len(of)) - (np.cumsum(parts) - parts)[of]
        kept = place % np.repeat(parts[of], lengths) != np.repeat(missing, lengths)
        chosen = (np.repeat(first[of], lengths) + place)[kept]
        question = np.repeat(np.arange(len(of)), lengths)[kept]
        columns = {name: column[chosen] for name, column in log.columns.items()}
        return Samples(log.model, list(map(str, range(len(of)))), question, log.correct[chosen], columns)

    def variance(self, estimates: FloatArray) -> FloatArray:
        """Return (Q, n) variances of the estimates of every question, from those of the V that lack a part (V, n)."""
        Q, parts = len(self.parts), self.parts[:, None]

        def over(values: FloatArray) -> FloatArray:
            sums = np.zeros((Q, values.shape[1]))
            np.add.at(sums, self.question, values)
            return sums

        apart = estimates - (over(estimates) / parts)[self.question]
        return np.asarray((parts - 1) / parts * over(apart**2))
