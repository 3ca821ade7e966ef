"""Selectors by preference: a price for answers and time, a margin that is enough, a bound, weights, a second rule."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import numpy as np
from annotated_types import Gt, Lt

from ..core.arrays import FloatArray
from ..core.errors import MooInferError, NoSelection, SelectionWarning
from ..core.moments import normal_quantile
from ..core.objectives import ACCURACY, COST, LATENCY
from ..core.parts import NonNegative, Positive
from ..core.rounding import DECIMALS, significant
from ..hookspecs import hookimpl
from ..interfaces import Selector
from .fronts import Front, FrontSelector, least
from .scalarisations import objective_weights
from .selectors import Knee, MaxCube, Utopia, require

if TYPE_CHECKING:
    from ..decide.candidates import Candidates

__all__ = ["CheapestWithin", "FallBack", "MaxLowerBound", "NetValue", "WeightedSum"]

HALF_WIDTH = 1.959963984540054  # standard errors, of a normal 95 % interval


@dataclass(frozen=True)
class NetValue(Selector):
    """The largest V A - U (1 - A) - C - W T: what right answers bring, less what wrong ones, calls and time take.

    The net benefit of cost-benefit analysis (Boardman et al. 2018, Cost-Benefit Analysis, ch. 1), per query. Nothing is
    chosen where asking brings less than it takes. Adding a model cannot reverse the order of the others.

    Args:
        usd_per_right_answer: V, what a right answer is worth, USD, > 0.
        usd_per_second: W, what a second of waiting costs, USD, >= 0.
        usd_per_wrong_answer: U, what a wrong answer costs whoever repairs it, USD, >= 0. No answer counts as a wrong
            one: the table does not tell them apart.

    >>> from moo_infer import Candidates
    >>> table = Candidates.from_means([COST, ACCURACY], [[0.01, 0.6], [0.02, 0.8], [0.03, 0.805]])
    >>> NetValue(usd_per_right_answer=1.0).select(table), NetValue(1.0, usd_per_wrong_answer=2.0).select(table)
    (1, 2)
    """

    name = "net-value"

    usd_per_right_answer: Positive = 1.0
    usd_per_second: NonNegative = 0.0
    usd_per_wrong_answer: NonNegative = 0.0

    def select(self, candidates: "Candidates", /) -> int:
        """Return the row of largest net value; raises NoSelection where none is above 0."""
        require(candidates, COST.name, *([LATENCY.name] if self.usd_per_second else []))
        accuracy = candidates.column(ACCURACY.name)
        worth = self.usd_per_right_answer * accuracy
        price = candidates.column(COST.name) + self.usd_per_wrong_answer * (1 - accuracy)
        if self.usd_per_second:
            price = price + self.usd_per_second * candidates.column(LATENCY.name)
        net = significant(worth - price, np.maximum(worth, price))
        best = int(candidates.front[np.argmax(net[candidates.front])])
        if net[best] <= 0:
            least = int(np.argmin(candidates.k))
            samples = "one sample is" if candidates.k[least] == 1 else f"k = {candidates.k[least]} is"
            and_wrong = " and its wrong answers" if self.usd_per_wrong_answer else ""
            raise NoSelection(
                f"{samples} not worth its price{and_wrong} ({worth[least]:.4g} USD for {price[least]:.4g} USD), nor is "
                "any other k"
            )
        return best


@dataclass(frozen=True)
class CheapestWithin(FrontSelector):
    """The cheapest row whose accuracy is close to the best: what a budget question asks for.

    Close is within half a standard error of the difference, taken question by question, where a log knows it: the
    one-standard-error rule (Breiman et al. 1984, Classification and Regression Trees, section 3.4.3), with a paired
    error, and half of it so that little accuracy is given up. Where nothing is known of questions it is within 0.005.
    Where accuracy alone is limited, the cheapest row that meets the limit is taken. Adding a model can reverse the
    order of the others: a better one narrows what is close.

    Args:
        within: how much accuracy may be given up where no paired error is known, as a share, >= 0.
        standard_errors: how many standard errors of the difference to the best row, >= 0; None for `within` throughout.
        by: the objective that is to be small: ``cost``, ``latency``, ``energy``, or another one but accuracy.

    >>> from moo_infer import Candidates
    >>> table = Candidates.from_means([COST, ACCURACY], [[0.01, 0.6], [0.02, 0.8], [0.03, 0.805]])
    >>> CheapestWithin(within=0.01).select(table), CheapestWithin().select(table)
    (1, 1)
    """

    name = "cheapest-within"

    within: NonNegative = 0.005
    standard_errors: NonNegative | None = 0.5
    by: str = COST.name

    def __post_init__(self) -> None:
        if self.by == ACCURACY.name:
            raise MooInferError(f"{self.name}: by: must be another objective than {self.by}, which is to be large")

    def select(self, candidates: "Candidates", /) -> int:
        """Return the row of least cost among those that are close; raises NoSelection without a cost."""
        return least(self, candidates)

    def scores(self, front: Front, /) -> FloatArray:
        """Losses of cost, (..., F); infinite where the row is not close to the best."""
        cost = front.loss(self.by)
        if front.limited == {ACCURACY.name}:
            return cost
        worse = front.loss(ACCURACY.name)
        best = worse.argmin(axis=-1)
        margin: FloatArray | float = self.within
        if self.standard_errors is not None:
            error = front.paired_stderr(ACCURACY.name, best)
            margin = np.where(np.isnan(error), margin, self.standard_errors * error)
        behind = worse - worse.min(axis=-1, keepdims=True) - margin
        return np.where(behind.round(DECIMALS) <= 0, cost, np.inf)


@dataclass(frozen=True)
class MaxLowerBound(Selector):
    """The highest lower bound of accuracy, for who would rather be sure: a lower mean that is better known can win.

    The bound is mean - z stderr, the lower end of a normal two-sided interval. The standard error is that of the mean
    over the questions of a log, had others been asked, with that of the simulation where the mean is simulated. Where
    all questions of the log are alike it cannot be measured, and the width of the 95 % interval of reports stands for
    it. Uncertain numbers of a profile are not in it. A row that is worse than another in every mean can be chosen.
    Adding a model cannot reverse the order of the others, but one of unknown error leaves no answer.

    Args:
        confidence: of the two-sided interval, in (0, 1): at 0.95 the truth lies below the bound in 2.5 % of cases.

    >>> from moo_infer import Candidates
    >>> table = Candidates.from_means([ACCURACY], [[0.90], [0.88]], stderr={"accuracy": [0.03, 0.005]})
    >>> MaxLowerBound().select(table), MaxLowerBound().bounds(table).round(4)
    (1, array([0.8412, 0.8702]))
    """

    name = "max-lower-bound"

    confidence: Annotated[float, Gt(0), Lt(1)] = 0.95

    def bounds(self, candidates: "Candidates") -> FloatArray:
        """(n,) lower bounds of accuracy; raises NoSelection where the standard error of a row is not known."""
        require(candidates, ACCURACY.name)
        mean = candidates.column(ACCURACY.name)
        error = candidates.column(ACCURACY.name, "stderr").copy()
        for i in np.flatnonzero(error == 0).tolist():
            if interval := candidates.row(i).objectives[ACCURACY.name].interval:
                error[i] = (mean[i] - interval[0]) / HALF_WIDTH
        error = np.hypot(error, np.nan_to_num(candidates.column(ACCURACY.name, "stderr_simulation")))
        if (unknown := np.flatnonzero(np.isnan(error))).size:
            raise NoSelection(
                f"needs the standard error of accuracy, which is not known of {candidates.model[unknown[0]]}: it takes "
                "a log with two questions or more, and does not count uncertain numbers of a profile"
            )
        return normal_quantile(mean, error, (1 - self.confidence) / 2)

    def select(self, candidates: "Candidates", /) -> int:
        """Return the row of the highest bound; raises NoSelection where the standard error of a row is not known."""
        bounds = significant(self.bounds(candidates), 1.0)
        tied = np.flatnonzero(bounds == bounds.max())
        return int(tied[np.argmin(significant(candidates.losses[tied].sum(axis=1)))])  # none of them dominates it


@dataclass(frozen=True)
class WeightedSum(Selector):
    """The least weighted sum of losses (Zadeh 1963): simple, but blind to the hollow parts of a front.

    Adding a model cannot reverse the order of the others where every objective has a limit; without one, the scale is
    the largest mean of the table, and a worse model can change it.

    Args:
        weights: importance of an objective by name, > 0; those not named weigh 1.

    >>> from moo_infer import Candidates
    >>> table = Candidates.from_means([COST, ACCURACY], [[0.1, 0.6], [0.4, 0.95], [0.9, 0.99]])
    >>> WeightedSum().select(table), WeightedSum({"accuracy": 20}).select(table)
    (1, 2)
    """

    name = "weighted-sum"

    weights: Mapping[str, Positive] = field(default_factory=dict)

    def select(self, candidates: "Candidates", /) -> int:
        """Return the row of the least sum; raises MooInferError for weights of unknown objectives."""
        weights = objective_weights(self.weights, candidates, self.name)
        return int(candidates.front[np.argmin(significant(candidates.losses[candidates.front] @ weights))])


@dataclass(frozen=True)
class FallBack(Selector):
    """The first of several selectors that has an answer; the paper takes utopia or the cube where there is no knee.

    Whether adding a model can reverse the order of the others is as with the selector that answers; and a second model
    makes a pool, on which curve selectors have none.

    Args:
        selectors: what to ask, in order, at least one.

    >>> from moo_infer import Candidates
    >>> table = Candidates.from_means([COST, ACCURACY], [[0.1, 0.6], [0.4, 0.95]])
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", SelectionWarning)
    ...     FallBack((Knee(), MaxCube())).select(table)
    0
    """

    name = "fall-back"

    selectors: tuple[Selector, ...] = (Knee(), Utopia(), MaxCube())

    def select(self, candidates: "Candidates", /) -> int:
        """Return the first answer, with a warning where it is not the first selector's; raises NoSelection without."""
        reasons = []
        for selector in self.selectors:
            try:
                row = selector.select(candidates)
            except NoSelection as reason:
                reasons.append(f"{selector.name} {reason}")
                continue
            if reasons:
                warnings.warn(f"the answer is that of {selector.name} ({'; '.join(reasons)})", SelectionWarning, 2)
            return row
        raise NoSelection(f"has no answer: {'; '.join(reasons) or 'there is no selector to ask'}")


@hookimpl
def register_selectors() -> list[type[Selector]]:
    """Register the selectors."""
    return [NetValue, CheapestWithin, MaxLowerBound, WeightedSum, FallBack]
