"""Results of a run, each computed once; every text, page, picture and file of a report reads them here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..core.arrays import BoolArray
from ..decide.candidates import Candidates
from ..decide.choices import Choice, FeasibleShares
from ..decide.crossfit import Optimism
from ..decide.infeasible import Relaxation, relaxations
from ..decide.mixed import MixedChoice
from ..profiles import Scenario

if TYPE_CHECKING:
    from .report import Report

__all__ = ["Outcome", "shortest_names"]


@dataclass(frozen=True, eq=False)
class Outcome:
    """The results of one scenario.

    Args:
        scenario: whose limits.
        candidates: the whole table, before limits.
        pool: its feasible rows, with the limits as scales of the losses.
        choices: by (model, aggregator), a choice a selector.
        pooled: a choice a selector, over all models and aggregators.
        sure: how surely rows meet the limits, where a confidence was asked for.
        mixture: of rows of the whole table, where that is the goal.
        optimism: of the choice that opens the report, where it was made among the policies of the menu.

    >>> from moo_infer import Pipeline
    >>> (outcome,) = Pipeline(selectors="max-accuracy", k_max=32).run("gpt-5", "essay-feedback").outcomes
    >>> outcome.pool.k.tolist(), outcome.pooled[0].k, outcome.scales["cost"]
    ([4, 8, 12, 16, 20], 20, 0.5)
    """

    scenario: Scenario
    candidates: Candidates = field(repr=False)
    pool: Candidates = field(repr=False)
    choices: Mapping[tuple[str, str], tuple[Choice, ...]] = field(repr=False)
    pooled: tuple[Choice, ...] = field(repr=False)
    sure: FeasibleShares | None = field(default=None, repr=False)
    mixture: MixedChoice | None = field(default=None, repr=False)
    optimism: Optimism | None = field(default=None, repr=False)

    @cached_property
    def feasible(self) -> BoolArray:
        """(n,) which rows of the whole table are feasible, with the requested confidence, if any."""
        feasible = np.zeros(len(self.candidates), dtype=bool)
        feasible[self.pool.rows] = True
        feasible.flags.writeable = False
        return feasible

    @property
    def decided(self) -> bool:
        """Whether anything keeps the limits: a row, or the mixture of rows that was asked for."""
        return len(self.pool) > 0 or (self.mixture is not None and self.mixture.k is not None)

    @property
    def over_all(self) -> tuple[Choice, ...]:
        """The choices over all models and aggregators, the mixture among them where that is the goal."""
        return (*self.pooled, *([self.mixture] if self.mixture else []))

    @property
    def of_curves(self) -> tuple[Choice, ...]:
        """The choices of all curves, one after the other."""
        return tuple(choice for choices in self.choices.values() for choice in choices)

    @property
    def scales(self) -> dict[str, float]:
        """The scale of each objective, by which losses are divided, in its unit."""
        return self.pool.scales

    @cached_property
    def relaxations(self) -> tuple[Relaxation, ...]:
        """For each limit, the effect of loosening it alone, over the whole table.

        None where rows have to meet limits in a share of the draws: what would do in so many is not known.
        """
        return () if self.sure else tuple(relaxations(self.candidates, self.scenario.limits))

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """Notes of this scenario alone: the scales of objectives without a limit."""
        limited = {limit.objective for limit in self.scenario.limits}
        free = [o for o in self.candidates.objectives if o.scale is None and o.name not in limited]
        listed = ", ".join(f"{o.name} by {self.scales[o.name]:.4g} {o.unit}".rstrip() for o in free)
        return (f"{self.scenario.name}: scaled by the largest mean, as it has no limit: {listed}.",) if free else ()


def shortest_names(report: "Report") -> list[str | tuple[str, ...]]:
    """The shortest names of every choice, by which ``report[...]`` finds it."""
    several = len(report.outcomes) > 1, len(report.candidates.aggregators) > 1
    keys: list[str | tuple[str, ...]] = []
    for c in (*report.recommended, *report.rows):
        whose = () if c.pooled else (c.key[2], *[c.key[3]] * several[1])
        names = tuple(map(str, (*[c.scenario] * several[0], *whose)))
        keys.append((*names, c.selector) if names else c.selector)
    return keys
