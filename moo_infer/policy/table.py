"""The curves of all policies of a run, for every model they are tried for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..core.day import Day
from ..core.errors import MissingColumn, MooInferError, NothingPossible
from ..core.objectives import Limit, Objective
from ..core.tasks import Workers
from ..estimate.curves import Curve
from ..estimate.estimation import estimated
from ..estimate.grid import Grid
from ..estimate.monte_carlo import Estimator
from ..estimate.setup import Setup
from ..interfaces import AccuracyAggregator, Policy
from ..profiles import ModelProfile
from ..registry import Registry
from .curves import PolicySetup
from .day import DayPolicy
from .decisions import most_calls
from .deployment import Deployment
from .menu import menu
from .tried import TriedPolicy, text_of

__all__ = ["PolicyTable", "numbers_of_samples"]

NOTHING = (
    "the menu: none of its policies suits the models; votes that are cut short need answers that can be counted, and "
    "cascades logs of the same questions with prices that are eight times apart"
)


@dataclass(frozen=True, eq=False)
class _Made:
    """The curves of some models, and why some are missing."""

    curves: list[tuple[PolicySetup | DayPolicy, Curve]] = field(default_factory=list)
    left_out: list[MooInferError] = field(default_factory=list)
    of_menu: list[Curve] = field(default_factory=list)

    def add(
        self,
        one: TriedPolicy,
        each: Sequence[tuple[PolicySetup | DayPolicy | MooInferError, Curve | MooInferError]],
    ) -> None:
        """Add the curves of a policy, and why it has none for some models."""
        found = [
            (setup, curve)
            for setup, curve in each
            if not isinstance(setup, MooInferError) and not isinstance(curve, MooInferError)
        ]
        errors = [curve for _, curve in each if isinstance(curve, MooInferError)]
        if not (found or one.of_menu):
            raise errors[0]
        self.curves.extend(found)
        self.of_menu.extend(curve for _, curve in found if one.of_menu)
        self.left_out.extend([] if one.of_menu and one.open else errors)


@dataclass(frozen=True, eq=False)
class PolicyTable:
    """The curves of policies, each estimated once.

    Args:
        policies: those that are tried.
        registry: where aggregators are looked up.
        estimator: fills the curves.
        parallelism: P for every model; None for that of its profile.
        menu: whether those of the menu are tried as well.
        day: over whose loads curves are; None where the load is that of the profiles.
        workers: who estimates.
    """

    policies: tuple[TriedPolicy, ...]
    registry: Registry
    estimator: Estimator
    parallelism: int | None
    menu: bool = False
    day: Day | None = None
    workers: Workers = field(default_factory=Workers)
    _made: dict[tuple[ModelProfile, ...], _Made] = field(default_factory=dict, repr=False)

    def refuse_names(self, aggregators: Iterable[str], /) -> None:
        """Raise MooInferError where a policy of a file is called as an aggregator is, by which rows are told apart."""
        for name in {policy.name for policy in self.policies} & {*aggregators}:
            raise MooInferError(f"policy {name!r}: an aggregator of the run has that name; call it otherwise")

    def curves(
        self,
        profiles: Sequence[ModelProfile],
        grid: Grid,
        objectives: Sequence[Objective],
        limits: Sequence[Limit] = (),
        /,
    ) -> list[Curve]:
        """Return the curves over some models, with these columns; `limits` are on what will be asked of them.

        Raises:
            MooInferError: where a policy is refused, possible for none of them, or lacks a column.
        """
        curves = [curve for _, curve in self._of(profiles, grid, limits).curves]
        for curve in curves:
            if missing := [objective.name for objective in objectives if objective.name not in curve.columns]:
                raise MooInferError(
                    f"policy {curve.aggregator!r} of {curve.model} has no cost model for {missing[0]}, which "
                    "other rows have from their aggregators; candidates are compared in the same objectives"
                )
        return curves

    def setups(self, profiles: Sequence[ModelProfile], grid: Grid, /) -> list[PolicySetup | DayPolicy]:
        """Return what these curves are estimated from."""
        return [setup for setup, _ in self._of(profiles, grid).curves]

    def left_out(self, profiles: Sequence[ModelProfile], grid: Grid, /) -> list[MooInferError]:
        """Return why a policy is not possible for a model."""
        return self._of(profiles, grid).left_out

    def offers(self, profiles: Sequence[ModelProfile], grid: Grid, /) -> bool:
        """Whether policies of the menu are among the curves."""
        return bool(self._of(profiles, grid).of_menu)

    def _of(self, profiles: Sequence[ModelProfile], grid: Grid, limits: Sequence[Limit] = ()) -> _Made:
        key = tuple(profiles)
        if key not in self._made:
            named = {profile.name: profile for profile in profiles}
            asked = [
                (one, [self._possible(one, model, named, grid) for model in (named if one.open else [""])])
                for one in self._tried(profiles)
            ]
            setups = [setup for _, each in asked for setup in each if not isinstance(setup, MooInferError)]
            curves = estimated(setups, self.estimator, self.workers, limits)
            made = _Made()
            for one, each in asked:
                made.add(one, [(of, of if isinstance(of, MooInferError) else next(curves)) for of in each])
            if self.menu and not made.of_menu:
                made.left_out.append(NothingPossible(NOTHING))
            self._made[key] = made
        return self._made[key]

    def _possible(
        self, one: TriedPolicy, model: str, profiles: dict[str, ModelProfile], grid: Grid
    ) -> PolicySetup | DayPolicy | MooInferError:
        """What the curve of a policy is estimated from, or why there is none."""
        try:
            return self._setup(one, model, profiles, grid)
        except (NothingPossible, MissingColumn) as error:
            return error

    def _tried(self, profiles: Sequence[ModelProfile]) -> tuple[TriedPolicy, ...]:
        """Those that were named, and those of the menu that are no others."""
        if not self.menu:
            return self.policies
        placeholder, one = self.registry.get(AccuracyAggregator, "one-call"), np.ones(1, dtype=np.int64)
        setups = [Setup(p, placeholder, one, self.parallelism or p.parallelism) for p in profiles]
        names = [tried.name for tried in self.policies]
        known = [text_of(tried.policy) for tried in self.policies if not tried.every_k]
        more = []
        for name, text in menu(setups):
            policy = self.registry.get(Policy, text)
            if text_of(policy) not in known:
                more.append(TriedPolicy(policy, text_of(policy) if name in names else name, of_menu=True))
        return (*self.policies, *more)

    def _setup(
        self, one: TriedPolicy, model: str, profiles: dict[str, ModelProfile], grid: Grid
    ) -> PolicySetup | DayPolicy:
        each = one.at(model, numbers_of_samples(one, model, profiles, self.registry, self.parallelism, grid) or [1])
        if self.day is not None:
            run = self.parallelism, self.registry, self.estimator, self.day
            return DayPolicy.of(one.name, each, profiles, *run)
        deployments = [Deployment.of(policy, profiles, self.parallelism, self.registry) for policy, _ in each]
        return PolicySetup(one.name, tuple(deployments), tuple(text for _, text in each))


def numbers_of_samples(
    one: TriedPolicy,
    model: str,
    profiles: Mapping[str, ModelProfile],
    registry: Registry,
    parallelism: int | None,
    grid: Grid,
) -> list[int]:
    """Return at which k a policy is tried, where its own was left out; none where it was not.

    Args:
        one: the policy.
        model: in place of one that it leaves open; "" for none.
        profiles: by name; of a model that is not among them the deployment is refused.
        registry: where aggregators are looked up.
        parallelism: P for every model; None for that of its profile.
        grid: the numbers of inferences that are considered, by P.
    """
    profile = profiles.get(model or next(iter(most_calls(one.policy)))) if one.every_k else None
    if profile is None:
        return []
    P = parallelism or profile.parallelism
    placeholder = registry.get(AccuracyAggregator, "one-call")
    return [int(k) for k in Setup(profile, placeholder, grid(profile, P), P).possible().k]
