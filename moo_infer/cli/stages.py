"""The part of ``moo-infer allocate`` that is about the stages of a workflow."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..core.errors import MooInferError, NoSelection
from ..decide.stages import StageAllocation
from ..pipeline import K_MAX, Pipeline
from ..read.profiles import named_inputs, named_policies, named_workflows
from ..registry import Registry
from ..report.stages import blocks, document, nothing
from ..report.wording import Block
from .recommend_options import GridOptions, LimitOptions

__all__ = ["Decided", "stages_decided"]


@dataclass(frozen=True)
class Decided:
    """What the command writes.

    Args:
        document: its JSON form.
        blocks: gives what people read.
        rows: of a frame, mappings; none where nothing fits.
        picture: takes the room of pictures, gives the words of a file name and what draws it; None for none.
    """

    document: Mapping[str, Any]
    blocks: Callable[[], list[Block]]
    rows: Sequence[Mapping[str, Any]]
    picture: Callable[[Any], Any] | None = None


def stages_decided(
    path: Path,
    registry: Registry,
    limits: LimitOptions,
    grid: GridOptions,
    workflow: str | None,
    executor: Executor | None = None,
) -> Decided:
    """Choose what each stage of a workflow of a file does, within limits of one query.

    Args:
        path: the file.
        registry: where parts are looked up.
        limits: the most that a query may take on average.
        grid: the k of policies that leave theirs out.
        workflow: its name; may be left out where there is one.
        executor: who estimates; None for this process.

    Raises:
        MooInferError: without limits, for limits that are no means or no maxima, and for faults of the file.
    """
    scenario = limits.scenario()
    given = scenario.limits if scenario else ()
    if not given:
        raise MooInferError(
            "the stages of a workflow share what a query may take: give --max-cost, --max-latency or --max"
        )
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
        executor=executor,
    )
    try:
        found = pipeline.allocate({limit.objective: float(limit.worst) for limit in given}, workflow)
    except NoSelection as error:
        name, reason = workflow or next(iter(workflows)), str(error)
        return Decided(nothing(name, given, reason), lambda: [f"{name}: nothing fits: {reason}."], ())
    whole = document(found, given)
    return Decided(whole, partial(blocks, found, given), [*whole["choices"].values()], partial(_picture, found))


def _picture(found: StageAllocation, room: Any) -> Any:
    return (found.name, "stages"), partial(room.stages, found.course, found.objectives)
