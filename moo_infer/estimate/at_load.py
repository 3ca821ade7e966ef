"""Models at a load: the cost models that know how many queries come, told how many do; and their curves over a day."""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.day import LOAD, Day
from ..core.draws import Draws
from ..core.errors import MooInferError, NothingPossible
from ..core.hints import hints, named_types
from ..core.moments import Moments
from ..core.objectives import Objective
from ..interfaces import CostModel
from ..profiles import ModelProfile
from ..quantities.quantity import Query
from .curve_draws import CurveDraws
from .curves import Curve
from .day_curve import at_levels, draws_over_day, over_day
from .exact import Asked, Exact
from .monte_carlo import Estimator
from .setup import Setup

__all__ = ["DaySetup", "at_load", "knows_load", "refuse_load", "without_load"]

CALLS = "calls_per_query"  # the field of cost models that says how often other queries call


def knows_load(cost: CostModel) -> bool:
    """Whether a cost model depends on how many queries come: whether it has the field `queries_per_second`."""
    return LOAD in _fields(cost)


def refuse_load(profiles: Iterable[ModelProfile], what: str) -> None:
    """Refuse cost models that know the load, where some of the queries go elsewhere, so that the load is another.

    Raises:
        MooInferError: naming the model, the cost model, and `what` sends queries elsewhere.
    """
    for profile in profiles:
        for cost in filter(knows_load, profile.costs):
            raise MooInferError(
                f"{profile.name}: {cost.name} is for a load that all queries bring; {what} sends some of them "
                "elsewhere, which changes the load of each row"
            )


def at_load(profile: ModelProfile, load: float, calls: float | None = None) -> ModelProfile:
    """Return a model while so many queries a second come; what the file says of that, uncertain or not, is replaced.

    Args:
        profile: the model.
        load: queries a second.
        calls: how often each of them calls the model on average; None where cost models are asked for a fixed k, which
            all of them call.

    Raises:
        NothingPossible: where a cost model needs a whole number of calls, all at once, and it is none.

    >>> from moo_infer.builtin.erlang import ErlangC
    >>> from moo_infer.builtin.inference import Gaussian
    >>> small = ModelProfile("small", Gaussian(1000, 0, 400, 0, 0.7, 0), [ErlangC(1.0, slots=32, seconds=10.0)])
    >>> at_load(small, 0.2).costs[0].queries_per_second
    0.2
    """
    costs, replaced = [], set()
    for i, cost in enumerate(profile.costs):
        changes: dict[str, Any] = {LOAD: load} if knows_load(cost) else {}
        if changes and calls is not None and CALLS in _fields(cost):
            changes[CALLS] = _calls(cost, calls)
        part: Any = cost
        costs.append(replace(part, **changes) if changes else cost)
        replaced |= {f"costs[{i}].{name}" for name in changes}
    uncertain = {path: of for path, of in profile.uncertain.items() if path not in replaced}
    return replace(profile, costs=tuple(costs), uncertain=uncertain) if replaced else profile


@dataclass(frozen=True)
class Instant(CostModel):
    """Nothing, of an objective that depends on a load which is not known yet."""

    name = "instant"

    objective: Objective  # type: ignore[misc]  # an object's own

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Zeros (M, K)."""
        return np.zeros(draws.shape)

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Zeros (n,)."""
        return Moments(np.zeros(len(k)), np.zeros(len(k)))


def without_load(profile: ModelProfile) -> ModelProfile:
    """Return a model whose cost models that know the load say nothing, to ask a policy how often it calls."""
    costs = tuple(Instant(cost.objective) if knows_load(cost) else cost for cost in profile.costs)
    kept = {path: of for path, of in profile.uncertain.items() if not path.startswith("costs[")}
    return replace(profile, costs=costs, uncertain=kept)


def _fields(cost: CostModel) -> list[str]:
    part: Any = cost
    return [field.name for field in dataclasses.fields(part)] if dataclasses.is_dataclass(cost) else []


def _calls(cost: CostModel, calls: float) -> float:
    """The calls of a query as the field has them: as a whole number where it holds one."""
    if int not in named_types(hints(type(cost))[CALLS]):
        return calls
    if calls != round(calls):
        raise NothingPossible(
            f"{cost.name}: every query is taken to make as many calls, all at once, and here they are {calls:.4g} on "
            "average"
        )
    return round(calls)


@dataclass(frozen=True, eq=False)
class DaySetup:
    """What a curve over a day is estimated from.

    Args:
        setup: what it is estimated from at one load.
        day: the loads.
    """

    setup: Setup
    day: Day

    @property
    def profiles(self) -> list[ModelProfile]:
        """The model."""
        return [self.setup.profile]

    @property
    def questions(self) -> tuple[str, ...]:
        """The questions of its log; none without one."""
        return tuple(self.setup.profile.queries.questions)

    @property
    def _levels(self) -> list[Setup]:
        profile = self.setup.profile
        profiles = [at_load(profile, level.queries_per_second) for level in self.day.levels]
        return [replace(self.setup, profile=profile).possible() for profile in profiles]

    def curve(self, estimator: Estimator, /) -> Curve:
        """Estimate the curve."""
        each = zip(at_levels(estimator, self.day), self._levels, strict=True)
        return over_day([of.curve(setup) for of, setup in each], self.day, estimator.trials)

    def redraw(self, estimator: Exact, B: int, seed: int, questions: Asked = "other") -> CurveDraws:
        """Estimate the curve for B draws of what is uncertain in it; arguments as in `Exact.redraw`."""
        each = zip(at_levels(estimator, self.day), self._levels, strict=True)
        drawn = [Exact(of.trials, of.seed).redraw(setup, B, seed, questions) for of, setup in each]
        return draws_over_day(drawn, self.day, estimator.trials)
