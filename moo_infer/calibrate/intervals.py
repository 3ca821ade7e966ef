"""Means over the questions of a log, and their intervals: for other questions, and for these."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..core.arrays import Array, FloatArray, IntArray
from ..core.moments import normal_quantile
from ..quantities.bootstrap import DIFFERENCE, SHARE, QuestionDraws
from ..quantities.distinct import distinct_rows
from ..quantities.samples import Samples
from ..quantities.subsets import largest_of_k
from ..quantities.within import largest_variance, ratio_variance

__all__ = ["Interval", "QuestionMeans"]

BLOCK = 2**20  # numbers at a time
Counted = Callable[[IntArray, IntArray, IntArray], FloatArray]  # of samples, right ones and k


def _unknown() -> FloatArray:
    return np.asarray(np.nan)


@dataclass(frozen=True, eq=False)
class Interval:
    """Numbers estimated from a log with their intervals, all of the same shape: (m,) at m values of k, or () for one.

    Args:
        value: the estimate; NaN where no question has enough samples.
        low, high: **other questions**, the interval for what others like these would give; NaN with fewer than two.
        stderr: standard deviation over the bootstrap of that, or NaN.
        same_low, same_high: **these questions**, the interval for what they would give in the long run; NaN where a
            question has no more than k samples.
        again_low, again_high: **a second run** of these questions of the same size falls into that interval, which is
            sqrt 2 times as wide; NaN as there.
    """

    value: FloatArray
    low: FloatArray
    high: FloatArray
    stderr: FloatArray
    same_low: FloatArray = field(default_factory=_unknown)
    same_high: FloatArray = field(default_factory=_unknown)
    again_low: FloatArray = field(default_factory=_unknown)
    again_high: FloatArray = field(default_factory=_unknown)

    def __post_init__(self) -> None:
        for name in self.__match_args__:
            object.__setattr__(self, name, np.broadcast_to(getattr(self, name), np.shape(self.value)))


@dataclass(frozen=True, eq=False)
class QuestionMeans:
    """Means over the questions of a log at k (m,), with their intervals.

    Args:
        log: samples that are right or wrong or graded, all of them.
        draws: of the bootstrap over its questions.
        k: (m,), ascending, >= 1.
        confidence: of the intervals, in (0, 1).
    """

    log: Samples
    draws: QuestionDraws
    k: IntArray
    confidence: float

    def counted(self, chance: Counted, variance: Counted) -> Interval:
        """A curve of what depends on the counts of a question alone, its samples and how many of them are right.

        Questions with the same counts are one row, with their weights added up.
        """
        pairs, grouped, times = self._by_counts
        step = max(BLOCK // len(pairs), 1)
        parts = []
        for k in (self.k[i : i + step] for i in range(0, len(self.k), step)):
            table = chance(pairs[:, 0], pairs[:, 1], k)
            within = variance(pairs[:, 0], pairs[:, 1], k)
            parts.append(replace(self, k=k)._mean(table, grouped, times, SHARE, within))
        return Interval(*(np.concatenate([getattr(part, of) for part in parts]) for of in Interval.__match_args__))

    @cached_property
    def _by_counts(self) -> tuple[IntArray, FloatArray, IntArray]:
        """The D different counts of questions (D, 2), the weights (B, D) of the questions with each, how many (D,)."""
        counts = np.column_stack([self.log.n, self.log.right])
        first, kind = distinct_rows(counts)
        order = np.argsort(kind, kind="stable")
        starts = np.searchsorted(kind[order], np.arange(len(first)))
        # The weights of all questions in another order are as large as these: some draws at a time.
        parts = np.array_split(self.draws.weights, self.draws.weights.size // BLOCK + 1)
        grouped = np.concatenate([np.add.reduceat(part[:, order], starts, axis=1) for part in parts])
        return counts[first], grouped, np.bincount(kind)

    def share(self, table: FloatArray, within: FloatArray | None = None, *, grades: bool = False) -> Interval:
        """A curve of shares of right answers (Q, m); or of grades, for which no pseudo-questions stand."""
        once = np.ones(len(table), dtype=np.int64)
        return self._mean(table, self.draws.weights, once, 0.0 if grades else SHARE, within)

    def difference(self, table: FloatArray) -> Interval:
        """The mean of differences of such shares (Q,)."""
        of_one = self._mean(table[:, None], self.draws.weights, np.ones(len(table), dtype=np.int64), DIFFERENCE)
        return Interval(*(getattr(of_one, name)[0] for name in Interval.__match_args__))

    def largest(self, column: str) -> Interval:
        """The largest of k values of a column: the best grade, or the seconds of the slowest call.

        Where values have gaps, every k that not all questions with values have is left out: means would not compare.
        """
        log, weights = self.log, self.draws.weights
        table, _ = largest_of_k(log[column], log.question, self.k)
        within = largest_variance(log[column], log.question, self.k)
        known = np.bincount(log.question[np.isfinite(log[column])], minlength=len(log.questions))
        if column != "correct" and (known != log.n).any():
            table = np.where(self.k <= known[known > 0].min(), table, np.nan)
        return self._mean(table, weights, np.ones(len(table), dtype=np.int64), 0.0, within)

    def of_samples(self, column: str) -> Interval | None:
        """The mean over the samples whose value is known, a ratio of sums over questions."""
        log = self.log
        known = log.known(column)
        if not known.any():
            return None
        values, question = log[column][known], log.question[known]
        total = np.bincount(question, values, minlength=len(log.questions))
        count = np.bincount(question, minlength=len(log.questions))
        draws = (self.draws.weights @ total) / (self.draws.weights @ count)
        within = np.asarray(ratio_variance(values, question, len(log.questions)))
        return self._interval(np.asarray(total.sum() / count.sum()), draws, np.asarray((count > 0).sum()), within)

    def _mean(
        self,
        table: FloatArray,
        weights: FloatArray,
        times: IntArray,
        pseudo: float,
        within: FloatArray | None = None,
    ) -> Interval:
        """Mean over the questions (Q, m) that have a value; a row may stand for several questions.

        Args:
            pseudo: weight of the pseudo-questions; 0 for none.
            within: (Q, m) variances given the question; None where they are not known.
        """
        known = np.isfinite(table)
        value, questions = np.where(known, table, 0.0), times @ known
        totals, counts = weights @ value, weights @ known
        if pseudo:
            of = self.draws.pseudo_differences if pseudo == DIFFERENCE else self.draws.pseudo
            low, high = of.T[:, :, None]
            totals, counts = totals + high - (low if pseudo == DIFFERENCE else 0.0), counts + low + high
        with np.errstate(invalid="ignore"):
            mean, draws = np.asarray(times @ value / questions), totals / counts
            variance = None if within is None else times @ np.where(known, within, 0.0) / questions**2
        return self._interval(mean, draws, questions, variance, share=pseudo == SHARE)

    def _interval(
        self,
        value: FloatArray,
        draws: FloatArray,
        questions: Array,
        variance: FloatArray | None,
        *,
        share: bool = False,
    ) -> Interval:
        """An estimate with its intervals, from draws (B, ...) for other questions and the variance given these."""
        low, high = np.quantile(draws, [(1 - self.confidence) / 2, (1 + self.confidence) / 2], axis=0)
        if share:  # of which all or none are right, the pseudo-questions say less than the log
            low, high = np.minimum(low, value), np.maximum(high, value)
        several = questions >= 2
        low, high, stderr = (np.where(several, end, np.nan) for end in (low, high, draws.std(axis=0)))
        if variance is None:
            return Interval(value, low, high, stderr)
        within = normal_quantile(np.zeros_like(value), np.sqrt(variance), (1 + self.confidence) / 2)
        if share:  # of N samples, each question's all alike, (1 - d)^N is the chance of that where d are otherwise
            unseen = 1 - (1 - self.confidence) ** (self.k / len(self.log))
            within = np.where(within == 0, unseen, within)
        ends = [value - within, value + within, value - 2**0.5 * within, value + 2**0.5 * within]
        return Interval(value, low, high, stderr, *(np.clip(end, 0, 1) if share else end for end in ends))
