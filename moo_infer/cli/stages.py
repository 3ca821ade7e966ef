"""The part of ``moo-infer allocate`` that is about the stages of a workflow."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import MooInferError, NoSelection
from ..core.objectives import Limit
from ..decide.stages import StageAllocation
from ..pipeline import K_MAX, Pipeline
from ..read.profiles import named_inputs, named_policies, named_workflows
from ..registry import Registry
from ..report.stages import blocks, document, nothing
from ..report.wording import Block
from .recommend import GridOptions, LimitOptions

__all__ = ["StageAnswer", "allocated_stages"]


@dataclass(frozen=True)
class StageAnswer:
    """What each stage of a workflow does, or why nothing fits.

    Args:
        workflow: its name.
        limits: on the means of a query.
        found: None where nothing fits.
        reason: why that is; "" where something does.
    """

    workflow: str
    limits: tuple[Limit, ...]
    found: StageAllocation | None
    reason: str = ""

    @property
    def document(self) -> dict[str, Any]:
        """The JSON form."""
        if self.found is None:
            return nothing(self.workflow, self.limits, self.reason)
        return document(self.found, self.limits)

    @property
    def blocks(self) -> list[Block]:
        """Sentences and a table."""
        if self.found is None:
            return [f"{self.workflow}: nothing fits: {self.reason}."]
        return blocks(self.found, self.limits)

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        """A row a stage."""
        return [*self.document["choices"].values()]


def allocated_stages(
    path: Path, registry: Registry, limits: LimitOptions, grid: GridOptions, workflow: str | None
) -> StageAnswer:
    """Choose what each stage of a workflow of a file does, within limits of one query.

    Args:
        path: the file.
        registry: where parts are looked up.
        limits: the most that a query may take on average.
        grid: the k of policies that leave theirs out.
        workflow: its name; may be left out where there is one.

    Raises:
        MooInferError: without limits, for limits that are no means or no maxima, and for faults of the file.
    """
    scenario = limits.scenario()
    given = scenario.limits if scenario else ()
    if not given:
        raise MooInferError("the stages of a workflow share what a query may take: give --max-cost, --max-latency")
    for limit in given:
        if limit.sense != "max" or limit.statistic != "mean":
            raise MooInferError(f"the stages of a workflow share a mean that a query may take at most, got {limit}")
    workflows, (profiles, _) = named_workflows(path, registry), named_inputs(path, registry)
    pipeline = Pipeline(
        k=grid.values(),
        k_max=K_MAX if grid.k_max is None else grid.k_max,
        k_step=grid.k_step,
        parallelism=grid.parallelism,
        models=profiles,
        registry=registry,
        named_policies=named_policies(path, registry),
        workflows=workflows,
    )
    name = workflow or ", ".join(workflows)
    try:
        found = pipeline.allocate({limit.objective: float(limit.worst) for limit in given}, workflow)
    except NoSelection as error:
        return StageAnswer(name, given, None, str(error))
    return StageAnswer(found.name, given, found)
