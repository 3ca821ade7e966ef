"""Plans of a workflow, each an option for every stage: what many of them are worth and take, at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from math import prod

import numpy as np

from ...core.arrays import FloatArray, IntArray
from ...core.errors import MooInferError
from ...core.objectives import ACCURACY, LATENCY, Objective
from ...core.tasks import Workers
from ...estimate.monte_carlo import Estimator
from ...workflows import Workflow
from .options import Known, StageOption
from .rows import WorkflowRow, ended

__all__ = ["MOST_ROWS", "TOGETHER", "Plans"]

MOST_ROWS = 500  # of a workflow: a report makes every choice on each of them, and bootstraps all 200 times
AT_ONCE = 2**21  # numbers of an array: plans times questions
TOGETHER = 32  # rows of a task: neighbours differ in one stage, and what they share is computed once


@dataclass(frozen=True, eq=False)
class Plans:
    """All plans of a workflow.

    Args:
        name: of the workflow.
        workflow: which stages wait for which, and what makes it right.
        options: by stage, what it may do.
        objectives: what the workflow consumes.
        estimator: of what is not known exactly its trials and its seed.
        workers: who estimates.
    """

    name: str
    workflow: Workflow
    options: Sequence[Sequence[StageOption]]
    objectives: tuple[Objective, ...]
    estimator: Estimator
    workers: Workers = field(default_factory=Workers)
    _means: dict[tuple[int, ...], FloatArray] = field(default_factory=dict, repr=False)

    def row(self, plan: Sequence[int]) -> WorkflowRow:
        """Return one plan as a row of a table."""
        chosen = tuple(options[i] for options, i in zip(self.options, plan, strict=True))
        return WorkflowRow(self.name, self.workflow, chosen, self.objectives)

    def means(self, plans: IntArray) -> FloatArray:
        """Return the means (C, 1 + m) of accuracy and of the objectives, from plans (C, G).

        Raises:
            MooInferError: where more plans have to be replayed than rows of a table are.
        """
        if self._composed:
            step = max(1, AT_ONCE // len(self._first.weights))
            return np.concatenate([self._together(plans[i : i + step]) for i in range(0, len(plans), step)])
        if (count := prod(map(len, self.options))) > MOST_ROWS:
            raise MooInferError(
                f"workflow {self.name!r}: its stages may do {count:,} things together, and the whole of each has to be "
                f"replayed, as branches that vary, logs that are shared and caps make it; {MOST_ROWS} are allowed then"
            )
        wanted = [tuple(plan) for plan in plans.tolist()]
        missing = [plan for plan in dict.fromkeys(wanted) if plan not in self._means]
        found = self.workers.run(_PlanMeans(self.estimator), map(self.row, missing), together=TOGETHER)
        self._means.update(zip(missing, found, strict=True))
        return np.stack([self._means[plan] for plan in wanted])

    @cached_property
    def _first(self) -> WorkflowRow:
        return self.row([0] * len(self.options))

    @cached_property
    def _known(self) -> list[list[Known]]:
        """By stage and option, what is known given each question."""
        trials, seed = self.estimator.trials, self.estimator.seed
        if self.workers.executor:
            all_of_them = [option for options in self.options for option in options]
            for option, made in zip(all_of_them, self.workers.run(_KnownOf(trials, seed), all_of_them), strict=True):
                option.keep(trials, seed, *made)
        each = []
        for i, options in enumerate(self.options):
            rows = [self.row([j if g == i else 0 for g in range(len(self.options))]) for j in range(len(options))]
            each.append([row.known_of_stages(trials, seed)[i] for row in rows])
        return each

    @cached_property
    def _composed(self) -> bool:
        """Whether all is known, and one formula holds for all plans."""
        alike = all(
            option.deployment.questions == options[0].deployment.questions and option.logged == options[0].logged
            for options in self.options
            for option in options
        )
        if not alike or self._shares_samples:
            return False
        seconds = [objective for objective in self.objectives if objective.name == LATENCY.name]
        capped = self.workflow.cap_seconds is not None
        return (
            all(ACCURACY.name in known.mean for options in self._known for known in options)
            and all(self._whole(o) and (self._adds_up(o) or self._constant(o)) for o in self.objectives)
            and not (capped and not all(map(self._constant, seconds)))
        )

    @property
    def _shares_samples(self) -> bool:
        """Whether options of two stages may draw from the same log."""
        called = [
            {model for option in options if option.logged and not option.is_tool for model in option.models}
            for options in self.options
        ]
        return any(one & other for one, other in combinations(called, 2))

    def _each(self, objective: Objective) -> list[Known]:
        """What is known of all options that take some of an objective."""
        known = [known for options in self._known for known in options]
        options = [option for options in self.options for option in options]
        return [k for k, option in zip(known, options, strict=True) if objective in option.deployment.costs]

    def _whole(self, objective: Objective) -> bool:
        """Whether the mean of an objective is known of all options."""
        return all(objective.name in known.mean for known in self._each(objective))

    def _adds_up(self, objective: Objective) -> bool:
        """Whether the means of stages add up: of what is consumed, and of seconds where no stages run at a time."""
        return objective.along == "sum" or len(self._first.graph.paths) == 1

    def _constant(self, objective: Objective) -> bool:
        """Whether an objective does not vary."""
        variances = [known.variance(objective.name) for known in self._each(objective)]
        return all(variance is not None and not variance.any() for variance in variances)

    def independent(self) -> tuple[list[FloatArray], dict[str, list[FloatArray]]] | None:
        """Return by stage how likely each option is right (n,), and by objective what it takes (n,).

        None where the whole is not right as often as the product of these, or not all is known.
        """
        if self.workflow.right != "all" or self.workflow.cap_seconds is not None or not self._composed:
            return None
        if len(self._first.weights) > 1 and sum(options[0].logged for options in self.options) > 1:
            return None
        names = [ACCURACY.name, *(objective.name for objective in self.objectives)]
        means = {name: [self._stacked(known, name) @ self._first.weights for known in self._known] for name in names}
        return means.pop(ACCURACY.name), means

    def paths(self, objective: str) -> list[tuple[int, ...]]:
        """Return along which stages an objective adds up: all of them, or those of each path."""
        along = next(o for o in self.objectives if o.name == objective).along
        return [tuple(range(len(self.options)))] if along == "sum" else self._first.graph.paths

    def _stacked(self, known: Sequence[Known], name: str) -> FloatArray:
        """(n, Q), the means of the options of a stage given each question."""
        return np.stack([np.broadcast_to(of.mean.get(name, 0.0), self._first.weights.shape) for of in known])

    def _together(self, plans: IntArray) -> FloatArray:
        """The means of plans that are composed by formula."""
        row = self._first

        def chosen(name: str) -> list[FloatArray]:
            return [self._stacked(known, name)[plans[:, g]] for g, known in enumerate(self._known)]

        found = []
        right = row.rightness.of(chosen(ACCURACY.name))
        for objective in self.objectives:
            parts = chosen(objective.name)
            total = np.sum(parts, axis=0) if self._adds_up(objective) else row.graph.longest(parts)
            cap = self.workflow.cap_seconds
            if cap is not None and objective.name == LATENCY.name:
                right, total = np.where(ended(total, cap), right, 0.0), np.minimum(total, cap)
            found.append(total @ row.weights)
        return np.stack([right @ row.weights, *found], axis=1)


@dataclass(frozen=True)
class _PlanMeans:
    """Gives the means (1 + m,) of accuracy and of objectives of one plan, replayed where they are not known."""

    estimator: Estimator

    def __call__(self, row: WorkflowRow) -> FloatArray:
        trials, seed = self.estimator.trials, self.estimator.seed
        known, names = row.known(trials, seed), [ACCURACY.name, *(o.name for o in row.objectives)]
        drawn = row.replay(trials, seed).totals if any(name not in known.mean for name in names) else {}
        means = [row.weights @ known.mean[n] if n in known.mean else drawn[n].mean() for n in names]
        return np.array(means, dtype=np.float64)


@dataclass(frozen=True)
class _KnownOf:
    """Gives what is known of an option of a stage, and who answered; arguments as in `StageOption.known`."""

    trials: int
    seed: int

    def __call__(self, option: StageOption) -> tuple[Known, set[str], set[tuple[int, int]]]:
        known = option.known(self.trials, self.seed)
        return known, option.deployment.answering, option.deployment.compared
