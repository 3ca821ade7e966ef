"""What the explorer opens with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.errors import unknown
from ..interfaces import AccuracyAggregator, Selector
from ..pipeline import AGGREGATORS, ESTIMATORS, K_MAX, SELECTORS
from ..profiles import ModelProfile, Scenario, refuse_not_measured
from ..read.profiles import builtin_models, builtin_scenarios, named_inputs, named_policies, named_workflows
from ..registry import Registry

__all__ = ["Start", "named_parts", "refuse_unknown", "untried"]

OWN = "limits of the run"  # the scenario of limits that no scenario has


@dataclass(frozen=True, kw_only=True)
class Start:
    """The controls of an explorer as it opens, each as the command ``recommend`` has it.

    Args:
        model: the one that is shown; "" for all.
        scenario: the one whose limits are set; "" for the first, or for limits where they are given.
        max, min: limits of one's own, as a `Scenario` has them.
        aggregators, selectors: names, perhaps with parameters.
        estimator: its name.
        trials, seed: of what is simulated.
        k_max: the largest k, >= 1.
        parallelism: P, >= 1; 0 for the profile's.
    """

    model: str = ""
    scenario: str = ""
    max: Mapping[str, float | Mapping[str, float]] = field(default_factory=dict)
    min: Mapping[str, float | Mapping[str, float]] = field(default_factory=dict)
    aggregators: Sequence[str] = AGGREGATORS
    selectors: Sequence[str] = SELECTORS
    estimator: str = "exact"
    trials: int = 10_000
    seed: int = 0
    k_max: int = K_MAX
    parallelism: int = 0

    def scenarios(self, there: Mapping[str, Scenario]) -> dict[str, Scenario]:
        """Return the scenarios to choose from, limits of one's own first, else the one that is named."""
        own = {OWN: Scenario(OWN, self.max, self.min)} if self.max or self.min else {}
        named = {self.scenario: there[self.scenario]} if self.scenario in there else {}
        return own | named | dict(there)

    @property
    def statistic(self) -> str:
        """What the sliders limit: the quantile of limits of one's own, where there is one."""
        own = Scenario(OWN, self.max, self.min).limits
        return next((limit.statistic for limit in own if limit.statistic != "mean"), "mean")


def named_parts(
    models: str | Path | Mapping[str, ModelProfile] | None, registry: Registry
) -> tuple[Mapping[str, ModelProfile], Mapping[str, Scenario]]:
    """Return profiles and scenarios by name: of a file, as they are given, or the built-in ones.

    Profiles that only say how they are called are left out; raises MooInferError where no other is left.
    """
    if models is None:
        return builtin_models(registry), builtin_scenarios()
    own, scenarios = (models, None) if isinstance(models, Mapping) else named_inputs(Path(models), registry)
    measured = {name: profile for name, profile in (own or {}).items() if profile.measured}
    if own and not measured:
        refuse_not_measured([*own.values()])
    return measured or builtin_models(registry), scenarios or builtin_scenarios()


def untried(models: str | Path | Mapping[str, ModelProfile] | None, registry: Registry) -> list[str]:
    """Say which rows of a file the explorer does not try, as `recommend` does unasked; nothing where there are none."""
    if not isinstance(models, str | Path):
        return []
    there = {"policies": named_policies(Path(models), registry), "workflows": named_workflows(Path(models), registry)}
    named = " and ".join(name for name, of in there.items() if of)
    return [f"The {named} of the file are not tried here; moo-infer recommend tries them."] if named else []


def refuse_unknown(start: Start, models: Mapping[str, Any], scenarios: Mapping[str, Any], registry: Registry) -> None:
    """Raise where the controls are to be set to what there is not."""
    for what, name, there in (("model", start.model, models), ("scenario", start.scenario, scenarios)):
        if name and name not in there:
            raise unknown(what, name, there)
    if start.estimator not in ESTIMATORS:
        raise unknown("estimator", start.estimator, ESTIMATORS)
    for name in start.aggregators:
        registry.get(AccuracyAggregator, name)
    for name in start.selectors:
        registry.get(Selector, name)
