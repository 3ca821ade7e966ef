"""Simulated totals question by question, each question once, for draws that weigh the questions anew."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..core.arrays import FloatArray
from ..core.moments import Moments
from ..quantities.steps import EvenSteps
from .curves import Column
from .mixture import QuestionMoments, over_questions
from .monte_carlo import simulate
from .setup import Setup

__all__ = ["QuestionTrials", "ReweighedColumn"]

FEWEST = 20  # trials of a question, however many questions there are: their own noise counts a twentieth of a variance


@dataclass(frozen=True, eq=False)
class QuestionTrials:
    """Trials of a curve on a log, as many of every question, simulated when the first of them is asked for.

    Args:
        setup: whose questions all weigh the same.
        trials: M, how many trials there are at least.
        seed: as in `simulate`, of streams that no other simulation has.
        objectives: which ones are simulated.
    """

    setup: Setup
    trials: int
    seed: int
    objectives: tuple[str, ...]

    @property
    def each(self) -> int:
        """How many trials every question has."""
        return max(FEWEST, -(-self.trials // len(self.setup.queries.questions)))

    @cached_property
    def moments(self) -> dict[str, Moments]:
        """Mean, standard deviation and cdf (Q, n) over the trials of each question, by objective."""
        Q, each = len(self.setup.queries.questions), self.each
        question = np.tile(np.arange(Q), each)
        totals = simulate(self.setup, Q * each, self.seed, self.objectives, question).totals
        found = {}
        for name in self.objectives:
            own = totals[name].reshape(each, Q, -1)
            std = own.std(axis=0, ddof=1)
            found[name] = Moments(own.mean(axis=0), std, cdf=EvenSteps(totals[name], question))
        return found

    def knows(self, objective: str, setup: Setup, /) -> bool:
        """Whether an objective is simulated here as it would be in a draw, which may change numbers of its parts."""
        if objective not in self.objectives or setup.queries.samples is not self.setup.queries.samples:
            return False
        drawn, own = ({o.name: of for o, of in {**each.worths, **each.costs}.items()} for each in (setup, self.setup))
        return bool(drawn[objective] == own[objective])

    def mixed(self, objective: str, setup: Setup, /) -> QuestionMoments:
        """Return moments with the weights that the questions have in a draw."""
        moments, queries = self.moments[objective], setup.queries
        assert queries.samples is not None
        share, pseudo = queries.is_share(objective), queries.pseudo_of(objective)
        return over_questions(
            queries.weights, moments.mean, moments.std, pseudo, queries.questions, cdf=moments.cdf, share=share
        )


class ReweighedColumn(Column):
    """A column of a draw of the questions: exact where known, by the same trials in all draws where not.

    Args:
        column: exact where known, and simulated by itself.
        trials: of each question.
        mix: gives their moments with the weights that the questions have in the draw.
    """

    def __init__(self, column: Column, trials: QuestionTrials, mix: Callable[[], QuestionMoments]) -> None:
        super().__init__(column._moments, column._source, column._objective)
        self._by_question, self._mix = trials, mix

    @cached_property
    def _mixed(self) -> QuestionMoments:
        return self._mix()

    @cached_property
    def mean(self) -> FloatArray:
        """(n,) expectations."""
        return self._moments.mean if self._moments else self._mixed.mean

    @cached_property
    def std(self) -> FloatArray:
        """(n,) standard deviations over trials."""
        known = self._moments.std if self._moments else None
        if known is None:
            known = self._mixed.std
            assert known is not None
        return known

    @cached_property
    def stderr(self) -> FloatArray:
        """(n,) standard errors of the mean over the questions, without what their trials add; NaN where that is all."""
        if self._moments:
            return super().stderr
        weights, error = self._mixed.weights, self._mixed.stderr
        freedom = 1.0 - weights @ weights
        noise = (weights * (1 - weights)) @ self._variances / freedom / len(weights)
        with np.errstate(invalid="ignore"):
            return np.where(error**2 > noise, np.sqrt(error**2 - noise), np.nan)

    @cached_property
    def stderr_simulation(self) -> FloatArray:
        """(n,) Monte Carlo standard errors of a simulated mean; NaN where it is exact."""
        if self._moments:
            return super().stderr_simulation
        return np.asarray(np.sqrt(self._mixed.weights**2 @ self._variances))

    @property
    def _variances(self) -> FloatArray:
        """(Q, n) of the means of the trials of each question."""
        std = self._by_question.moments[self._objective].std
        assert std is not None
        return np.asarray(std**2 / self._by_question.each)

    def quantile(self, q: float, /) -> FloatArray:
        """(n,) quantiles over trials."""
        if self._moments and self._moments.quantile:
            return super().quantile(q)
        if q not in self._quantiles:
            assert self._mixed.quantile is not None
            self._quantiles[q] = self._mixed.quantile(q)
        return self._quantiles[q]
