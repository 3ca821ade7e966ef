"""The rows of all workflows of a run: one for every combination of what their stages may do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import Any

from ...core.day import Day
from ...core.errors import MissingColumn, MooInferError, NothingPossible, located, unknown
from ...core.objectives import ACCURACY, LATENCY, Limit, Objective
from ...core.tasks import Workers
from ...estimate.curves import Curve
from ...estimate.estimation import estimated
from ...estimate.grid import Grid
from ...estimate.monte_carlo import Estimator
from ...profiles import ModelProfile
from ...registry import Registry
from ...workflows import Workflow
from .curves import WorkflowSetup
from .options import StageOption, options_of, tool_option
from .plans import MOST_ROWS, TOGETHER, Plans
from .rows import WorkflowRow

__all__ = ["WorkflowTable", "stage_options", "workflows_of"]


@dataclass(frozen=True, eq=False)
class WorkflowTable:
    """The curves of workflows, one for every combination of what their stages may do, each estimated once.

    Args:
        workflows: by name.
        named: policies of a file, each a mapping with its kind and fields, by name.
        registry: where kinds are looked up.
        estimator: fills the curves.
        parallelism: P for every model; None for that of its profile.
        workers: who estimates.
    """

    workflows: Mapping[str, Workflow]
    named: Mapping[str, Mapping[str, Any]]
    registry: Registry
    estimator: Estimator
    parallelism: int | None
    workers: Workers = field(default_factory=Workers)
    _made: dict[tuple[ModelProfile, ...], list[tuple[WorkflowSetup, Curve]]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        workflows: object,
        named: Mapping[str, Mapping[str, Any]],
        registry: Registry,
        estimator: Estimator,
        parallelism: int | None,
        day: Day | None,
        alone: bool,
        workers: Workers,
    ) -> "WorkflowTable":
        """Return the table; raises MooInferError for what are no workflows, and for some of them over a day."""
        checked = workflows_of(workflows, alone=alone)
        if checked and day is not None:
            raise MooInferError(
                f"workflows: {next(iter(checked))}: no workflow is evaluated over the loads of a day; leave out day or "
                "workflows"
            )
        return cls(checked, dict(named), registry, estimator, parallelism, workers)

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
            MooInferError: where a workflow is refused, has too many combinations, or lacks a column.
        """
        curves = [curve for _, curve in self._of(profiles, grid, limits)]
        for curve in curves:
            if missing := [objective.name for objective in objectives if objective.name not in curve.columns]:
                raise MooInferError(
                    f"workflow {curve.aggregator!r} has no cost model for {missing[0]}, which other rows have; "
                    "candidates are compared in the same objectives"
                )
        return curves

    def setups(self, profiles: Sequence[ModelProfile], grid: Grid, /) -> list[WorkflowSetup]:
        """Return what these curves are estimated from."""
        return [setup for setup, _ in self._of(profiles, grid)]

    def objectives(
        self, profiles: Sequence[ModelProfile], grid: Grid, limits: Sequence[Limit] = (), /
    ) -> tuple[Objective, ...]:
        """Return the columns of the first workflow, for a table of workflows alone; `limits` as in `curves`."""
        return (ACCURACY, *self._of(profiles, grid, limits)[0][0].row.objectives)

    def plans(self, workflow: str | None, profiles: Sequence[ModelProfile], grid: Grid, /) -> Plans:
        """Return all that the stages of a workflow may do, however much it is.

        Raises:
            MooInferError: for an unknown name, and without one where there are several workflows.
        """
        if workflow is None and len(self.workflows) == 1:
            (workflow,) = self.workflows
        if workflow is None:
            raise MooInferError(f"there are {len(self.workflows)} workflows; name one: {', '.join(self.workflows)}")
        if workflow not in self.workflows:
            raise unknown("workflow", workflow, self.workflows)
        named, given = {profile.name: profile for profile in profiles}, self.workflows[workflow]
        options = stage_options(workflow, given, named, self.named, self.registry, self.parallelism, grid)
        return Plans(workflow, given, *options, self.estimator, self.workers)

    def _of(
        self, profiles: Sequence[ModelProfile], grid: Grid, limits: Sequence[Limit] = ()
    ) -> list[tuple[WorkflowSetup, Curve]]:
        key = tuple(profiles)
        if key not in self._made:
            named = {profile.name: profile for profile in profiles}
            setups = [s for name in self.workflows for s in self._setups(name, named, grid)]
            made = []
            curves = estimated(setups, self.estimator, self.workers, limits, together=TOGETHER)
            for setup, curve in zip(setups, curves, strict=True):
                if isinstance(curve, MooInferError):
                    raise curve
                made.append((setup, curve))
            self._made[key] = made
        return self._made[key]

    def _setups(self, name: str, profiles: Mapping[str, ModelProfile], grid: Grid) -> Iterator[WorkflowSetup]:
        """Every combination of what the stages of a workflow may do."""
        workflow, where = self.workflows[name], f"workflows: {name}"
        options, objectives = stage_options(name, workflow, profiles, self.named, self.registry, self.parallelism, grid)
        several = [len(each) > 1 for each in options]
        if (combinations := prod(map(len, options))) > MOST_ROWS:
            counts = " x ".join(str(len(each)) for each in options)
            raise MooInferError(
                f"{where}: its stages may do {counts} = {combinations:,} things together, of which {MOST_ROWS} are "
                "allowed as rows; name fewer policies or values of k (moo-infer allocate chooses among more)"
            )
        for chosen in product(*options):
            model = ", ".join(f"{o.stage}: {' > '.join(o.models) or 'tool'}" for o in chosen)
            named = ", ".join(f"{o.stage} {o.label}" for o, among in zip(chosen, several, strict=True) if among)
            label = model, f"{name} ({named})" if named else name
            yield WorkflowSetup(label, WorkflowRow(name, workflow, chosen, objectives))


def workflows_of(given: object, /, *, alone: bool) -> Mapping[str, Workflow]:
    """Return workflows by name, checked.

    Args:
        given: what is given as such.
        alone: whether there are no other rows, so that one is needed.

    Raises:
        MooInferError: for what is no mapping of names to workflows.
    """
    if not isinstance(given, Mapping) or not all(isinstance(name, str) and name.strip() for name in given):
        raise MooInferError(f"workflows: must be a mapping from names, got {given!r:.80}")
    for name, workflow in given.items():
        if not isinstance(workflow, Workflow):
            raise MooInferError(f"workflows: {name}: must be a Workflow, got {workflow!r:.80}")
    if alone and not given:
        raise MooInferError("workflows_alone: there are no workflows")
    return dict(given)


def stage_options(
    name: str,
    workflow: Workflow,
    profiles: Mapping[str, ModelProfile],
    named: Mapping[str, Mapping[str, Any]],
    registry: Registry,
    parallelism: int | None,
    grid: Grid,
) -> tuple[list[list[StageOption]], tuple[Objective, ...]]:
    """Return what each stage of a workflow may do, and the objectives that all of it is counted in.

    Args:
        name: of the workflow.
        workflow: the workflow.
        profiles: the models of the run, by name.
        named, registry, parallelism, grid: as in `options_of`.

    Raises:
        MooInferError: for unknown policies and models, and where stages are not priced in the same objectives.
    """
    where = f"workflows: {name}"
    try:
        by_stage = {
            stage.name: options_of(stage, profiles, named, registry, parallelism, grid)
            for stage in workflow.stages
            if stage.tool is None
        }
        objectives = _common([option for each in by_stage.values() for option in each])
        for stage in workflow.stages:
            if stage.tool is not None:
                by_stage[stage.name] = [tool_option(stage, objectives, registry)]
    except MissingColumn:
        raise
    except NothingPossible as error:
        raise NothingPossible(located(where, str(error))) from None
    except MooInferError as error:
        raise MooInferError(located(where, str(error))) from None
    options = [by_stage[stage.name] for stage in workflow.stages]
    if not objectives:
        objectives = tuple(dict.fromkeys(o for each in options for option in each for o in option.deployment.costs))
    if workflow.cap_seconds is not None and LATENCY.name not in {objective.name for objective in objectives}:
        raise MooInferError(
            f"{where}: cap_seconds: no stage has {LATENCY.name}, so that nobody knows which runs end late"
        )
    for objective in objectives:
        if objective.direction != "min":
            raise MooInferError(
                f"{where}: {objective.name} is better where it is more, and its `along` says how what is consumed adds "
                "up; how it adds up over stages is not known"
            )
    return options, objectives


def _common(options: Sequence[StageOption]) -> tuple[Objective, ...]:
    """The objectives of all options with models; raises MooInferError where one lacks what another has."""
    found: dict[Objective, StageOption] = {}
    for option in options:
        for objective in option.deployment.costs:
            found.setdefault(objective, option)
    for option in options:
        for objective, other in found.items():
            if objective not in option.deployment.costs:
                raise MooInferError(
                    f"stages: {option.stage}: {' and '.join(option.models)} has no cost model for {objective.name}, "
                    f"which {' and '.join(other.models)} of {other.stage} has; all stages need the same"
                )
    return tuple(found)
