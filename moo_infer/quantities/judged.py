"""What answers that are chosen from the samples of a question are worth by another column than ``correct``."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ..core.arrays import Array, FloatArray, IntArray
from ..core.errors import NotExact, NothingPossible
from ..core.moments import Moments
from .by_samples import SampleQuery
from .quantity import Quantity
from .samples import Samples
from .subsets import best_scored_of_k, votes_at_k

__all__ = ["JudgedQuery", "is_share"]


def is_share(values: Array, /) -> bool:
    """Whether all values are 0 or 1, so that a mean of them is a share.

    >>> is_share(np.array([0.0, 1.0])), is_share(np.array([0.0, 0.5]))
    (True, False)
    """
    return bool(((values == 0) | (values == 1)).all())


@dataclass(frozen=True, eq=False)
class JudgedQuery(SampleQuery):
    """The questions of a log, where the answer that is chosen is worth what another column says of it.

    Who takes an answer by votes, by scores or at random does not look at what is right, so what the answer is worth may
    be any column. Who takes the best or a right one takes it by ``correct`` as before; of several that are equally
    good each may be the answer. Where nothing is delivered, that is worth 0.

    Args:
        samples: all scored.
        column: of the samples, without gaps, in [0, 1].

    >>> log = Samples("mine", ["q"], np.zeros(3, int), np.array([1.0, 1, 0]), {"unsafe": np.array([1.0, 0, 0])})
    >>> JudgedQuery(log, "unsafe").accuracy.max(np.array([1, 2, 3])).mean  # one of the two that are right
    array([[0.33333333, 0.5       , 0.5       ]])
    """

    column: str

    @cached_property
    def judged(self) -> Samples:
        """The samples, judged so."""
        return replace(self.samples, correct=self.samples[self.column].astype(np.float64))

    def largest(self, k: IntArray, quantity: Quantity, /) -> Moments:
        """Return what one of the best of k is worth; NotExact for what is made from the accuracy."""
        if "accuracy" not in quantity.factors:
            return super().largest(k, quantity)
        quantity._worth()
        return self._by_score(self.judged, self.samples.correct, k)

    def any_right(self, k: IntArray, /) -> Moments:
        """Return what one of the right ones of k is worth."""
        self.samples.refuse_grades()
        right = replace(self.judged, correct=self.judged.correct * self.samples.correct)
        return self._by_score(right, self.samples.correct, k)

    def all_right(self, k: IntArray, /) -> Moments:
        """Raise NotExact: no answer is taken."""
        raise NotExact("who asks whether all are right takes no answer")

    def majority(self, k: IntArray, /) -> Moments:
        """Raise NotExact: no answer is taken."""
        raise NotExact("who counts right and wrong answers takes none")

    def plurality(self, k: IntArray, /) -> Moments:
        """Return what the answer that most of k give is worth; raises NothingPossible where there is no vote."""
        if reason := self.samples.no_choice("answer"):
            raise NothingPossible(f"{self.samples.model}: {reason}")
        return Moments(votes_at_k(self.judged.n, self.judged.answers, k))

    def top_score(self, k: IntArray, /) -> Moments:
        """Return what the one with the highest score is worth; raises NothingPossible where there is no choice."""
        if reason := self.samples.no_choice("score"):
            raise NothingPossible(f"{self.samples.model}: {reason}")
        return Moments(best_scored_of_k(self.judged, k))

    def constant(self, quantity: Quantity, /) -> bool:
        """Whether the samples of each question are alike; NotExact for the accuracy, which two columns stand for."""
        if "accuracy" in quantity.factors:
            raise NotExact("whether answers are alike, where they are judged by two columns")
        return super().constant(quantity)

    def _by_score(self, judged: Samples, score: FloatArray, k: IntArray) -> Moments:
        """What one with the highest score of k is worth."""
        return Moments(best_scored_of_k(replace(judged, columns={"score": score}), k))

    def _column(self, name: str) -> FloatArray:
        return self.judged.correct if name == "accuracy" else super()._column(name)
