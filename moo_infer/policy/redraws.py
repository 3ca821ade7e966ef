"""What curves of policies and of workflows share where questions, samples and numbers are drawn anew."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.cdf import Cdf
from ..estimate.curves import Curve
from ..quantities.steps import EvenSteps

__all__ = ["QuestionReplays", "ReplayedCdf", "centre"]

FEWEST = 20  # replayed queries of each question, however many questions there are


@dataclass(frozen=True, eq=False)
class QuestionReplays:
    """Trials of a curve, as many of every question, replayed when the first of them is asked for.

    Args:
        replay: takes (M,) questions, gives totals (M, n) by objective.
        Q: how many questions there are.
        trials: M, how many trials there are at least.
    """

    replay: Callable[[IntArray], Mapping[str, FloatArray]]
    Q: int
    trials: int
    _kept: dict[str, Mapping[str, FloatArray]] = field(default_factory=dict, repr=False)
    _cdfs: dict[str, EvenSteps] = field(default_factory=dict, repr=False)

    @property
    def _question(self) -> IntArray:
        return np.tile(np.arange(self.Q), max(FEWEST, -(-self.trials // self.Q)))

    def totals(self, objective: str, /) -> FloatArray:
        """Return (trials of a question, Q, n) totals."""
        if not self._kept:
            self._kept["totals"] = self.replay(self._question)
        totals = self._kept["totals"][objective]
        return totals.reshape(-1, self.Q, totals.shape[1])

    def cdf(self, objective: str, /) -> EvenSteps:
        """Return the cdf given the question, made once."""
        if objective not in self._cdfs:
            totals = self.totals(objective)
            self._cdfs[objective] = EvenSteps(totals.reshape(-1, totals.shape[2]), self._question)
        return self._cdfs[objective]


@dataclass(frozen=True, eq=False)
class ReplayedCdf(Cdf):
    """The cdf of an objective given each question, replayed where it is asked for."""

    trials: QuestionReplays
    objective: str

    def __call__(self, x: FloatArray, /) -> FloatArray:
        """Return (Q, n) probabilities at x."""
        return self.trials.cdf(self.objective)(x)

    def quantile(self, weights: FloatArray, q: float, mean: FloatArray, std: FloatArray, /) -> FloatArray:
        """Return (n,) quantiles over questions; arguments as in `Cdf.quantile`."""
        return self.trials.cdf(self.objective).quantile(weights, q, mean, std)


def centre(curves: Sequence[Curve], given: Curve, shares: Container[str], /) -> None:
    """Move the means of curves, whose samples were drawn with replacement, to have that of the log itself.

    Args:
        curves: of the draws.
        given: of the log.
        shares: objectives that stay in [0, 1].
    """
    for name, column in given.columns.items():
        shift = column.mean - np.mean([drawn.columns[name].mean for drawn in curves], axis=0)
        for each in curves:
            moved = each.columns[name].mean + shift
            each.columns[name].mean = np.clip(moved, 0.0, 1.0) if name in shares else moved
