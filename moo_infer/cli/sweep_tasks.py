"""The tasks of a sweep: what is decided at each point of its grid, planned here, done by whoever does tasks."""

import inspect
import json
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..core.errors import MooInferError, in_one_line
from ..core.naming import look_up
from ..pipeline import GOAL, Pipeline
from ..policy.mixture import MIXTURE
from ..profiles import ModelProfile, Scenario
from ..read.config import anchored
from ..report.report import Report
from ..sweep.decisions import Columns, decisions, refusal
from .options import PluginFiles, grouped, registry_with
from .recommend_options import (
    CertaintyOptions,
    GridOptions,
    LimitOptions,
    NameOptions,
    PartOptions,
    VolumeOptions,
    pipeline_of,
)
from .runs import LIMITS

__all__ = ["Batch", "Decider", "Group", "Plan", "Point", "Rows", "batches", "parameters", "planned"]

# Batches of a sweep at least, and points of a batch at most: enough for several workers, and little that a kill costs.
# Where draws say how sure choices are, each batch draws anew, which takes as long as some ten points.
PLAIN, DRAWN = (16, 500), (4, 250)
Rows = list[dict[str, Any]]
Asked = Scenario | tuple[str, ...] | None  # limits, names of scenarios, or all there are


@dataclass(frozen=True, eq=False)
class Plan:
    """What decides at some points of a grid: all of them read the same table.

    Args:
        pipeline: which decides.
        models: names; None for all.
        certainty: how sure choices are.
        seed: of the draws.
        by_selector: whether what every selector chooses was asked for, and not the answer alone.
    """

    pipeline: Pipeline
    models: list[str] | None
    certainty: CertaintyOptions
    seed: int
    by_selector: bool

    @property
    def profiles(self) -> tuple[ModelProfile, ...]:
        """The models."""
        return look_up(ModelProfile, self.pipeline.models, self.models, "model")

    def scenarios(self, asked: Asked) -> list[Scenario] | None:
        """Return the scenarios of a point; None where those of the pipeline judge, if any."""
        if asked is None or isinstance(asked, Scenario):
            return None if asked is None else [asked]
        return list(look_up(Scenario, self.pipeline.scenarios, list(asked), "scenario"))

    def report(self, scenarios: Sequence[Scenario] | None) -> Report:
        """Decide, with how sure that is."""
        report = self.pipeline.run(self.models, scenarios)
        if draws := self.certainty.draws(report):
            return report.with_stability(draws, self.seed, over_all=True)
        return report


@grouped
def plan(
    *,
    models: Path | None = None,
    names: NameOptions,
    parts: PartOptions,
    grid: GridOptions,
    certainty: CertaintyOptions,
    life: VolumeOptions,
    plugin_files: PluginFiles = None,
) -> Plan:
    """Return what decides as options of `recommend` say.

    Raises:
        MooInferError: as `recommend` does before it estimates anything.
    """
    by_selector = bool(parts.selector)
    if not by_selector:  # nobody reads what the others choose
        mixed = parts.goal == MIXTURE
        parts = replace(parts, selector=[GOAL if mixed else parts.goal or GOAL], goal=MIXTURE if mixed else None)
    pipeline = pipeline_of(models, parts, grid, certainty, life, registry_with(plugin_files))
    return Plan(pipeline, names.model or None, certainty, parts.seed, by_selector)


@cache
def parameters() -> frozenset[str]:
    """Return the names of the options of `recommend` that make a plan, the scenario among them, and limits."""
    return frozenset(inspect.signature(plan).parameters) - {"models"} | LIMITS


@dataclass(frozen=True)
class Point:
    """A point of the grid.

    Args:
        number: of its place in it.
        settings: by key of the grid, its value.
        limits: by name of the option, what is said of limits and scenarios.
        key: of the task.
    """

    number: int
    settings: Mapping[str, Any]
    limits: Mapping[str, Any]
    key: str

    @property
    def asked(self) -> Asked:
        """What it asks for.

        Raises:
            MooInferError: for limits that are none.
        """
        given = {name: value for name, value in self.limits.items() if name in LIMITS}
        named = self.limits.get("scenario")
        return LimitOptions(**given).scenario(named) or (tuple(named) if named else None)


@dataclass(frozen=True, eq=False)
class Group:
    """Points that differ in limits and scenarios alone.

    Args:
        document: the sections of the file, as JSON; paths start from the folder of the file.
        options: by name, what else `recommend` is told.
        points: in the order of the grid.
    """

    document: str
    options: Mapping[str, Any]
    points: list[Point] = field(default_factory=list)

    @property
    def drawn(self) -> bool:
        """Whether draws may say how sure choices are."""
        return self.options.get("stability") != 0 or "confidence" in self.options


@dataclass(frozen=True)
class Batch:
    """Points of a group that are decided together: a task of whoever does tasks."""

    document: str
    options: Mapping[str, Any]
    points: tuple[Point, ...]


def batches(groups: Iterable[Group], done: set[str]) -> Iterator[Batch]:
    """Yield what is left to do. Where it is cut does not depend on what is done, nor on who does it."""
    groups = list(groups)
    for group in groups:
        fewest, most = DRAWN if group.drawn else PLAIN
        count = max(math.ceil(fewest / len(groups)), math.ceil(len(group.points) / most))
        size = math.ceil(len(group.points) / count)
        for start in range(0, len(group.points), size):
            if left := [point for point in group.points[start : start + size] if point.key not in done]:
                yield Batch(group.document, group.options, tuple(left))


@dataclass(frozen=True, eq=False)
class Decider:
    """Decides at the points of a batch.

    Args:
        folder: of the file, from which paths in it start.
        columns: of the rows that come out.
        classes: of all parts, so that a worker that lacks the package of one says so.
    """

    folder: str
    columns: Columns
    classes: tuple[type, ...]

    def __call__(self, batch: Batch) -> Rows:
        """Return the rows of all points, in their order."""
        found: dict[str, Rows] = {}
        made = planned(batch.document, json.dumps(batch.options), self.folder)
        asked = [(point, point.asked) for point in batch.points]
        together = [(point, made.scenarios(what)) for point, what in asked if what is not None]
        try:
            found |= self._decided(made, together) if together else {}
        except MooInferError:  # of one of them; which one is seen below
            found = {}
        for point, what in asked:
            if point.key not in found:
                found |= self._alone(made, point, made.scenarios(what))
        return [row for point in batch.points for row in found[point.key]]

    def _alone(self, made: Plan, point: Point, scenarios: list[Scenario] | None) -> dict[str, Rows]:
        try:
            return self._decided(made, [(point, scenarios)])
        except MooInferError as error:
            return {point.key: [self.columns.row(point.key, point.settings, refusal(in_one_line(error)))]}

    def _decided(self, made: Plan, points: Sequence[tuple[Point, list[Scenario] | None]]) -> dict[str, Rows]:
        """By key the rows of points, decided on one table."""
        listed = [(point, of) for point, scenarios in points for of in scenarios or ()]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", UserWarning)
            if len({of.name for _, of in listed}) < len(listed):  # a report tells scenarios apart by their names
                renamed = [replace(of, name=str(i)) for i, (_, of) in enumerate(listed)]
            else:
                renamed = [of for _, of in listed]
            report = made.report(renamed or None)
            remarks = list(dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, UserWarning)))
            whose = [(point, of.name) for point, of in listed]
            whose = whose or [(points[0][0], outcome.scenario.name) for outcome in report.outcomes]
            found: dict[str, Rows] = {point.key: [] for point, _ in points}
            for outcome, (point, name) in zip(report.outcomes, whose, strict=True):
                for cells in decisions(report, outcome, self.columns, remarks, by_selector=made.by_selector):
                    found[point.key].append(self.columns.row(point.key, point.settings, cells | {"scenario": name}))
        return found


@lru_cache(maxsize=1)
def planned(document: str, options: str, folder: str) -> Plan:
    """Return what decides on a document, kept for the next batch of the same group.

    Args:
        document, options: of a group, as JSON.
        folder: from which paths start.
    """
    given = json.loads(options)
    plugin_files = [Path(folder, path) for path in given.pop("plugin_files", ())]
    registry = registry_with(plugin_files)
    moved = anchored(json.loads(document), registry, lambda path: str(Path(folder, path)))
    defaults = {name: of.default for name, of in inspect.signature(plan).parameters.items() if name not in given}
    with TemporaryDirectory(prefix="moo-infer-") as place:
        file = Path(place, "sweep.json")
        file.write_text(json.dumps(moved), encoding="utf-8")
        try:
            made: Plan = plan(**{**defaults, **given, "models": file, "plugin_files": plugin_files})
        except MooInferError as error:
            raise MooInferError(str(error).replace(f"{file}: ", "")) from None
    return made
