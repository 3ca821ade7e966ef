"""What a sweep has to do: the points of the grid of a file, checked before anything is estimated, and their tasks."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any

from ..core.errors import MooInferError, unknown
from ..core.version import __version__
from ..profiles import ModelProfile
from ..read.config import anchored, sections
from ..read.profiles import read_document
from ..registry import Registry
from ..sweep.decisions import Columns
from ..sweep.grid import Grid, changed
from .run_options import Option, options
from .runs import LIMITS, SIDES, RunCommand, left
from .sweep_tasks import Batch, Decider, Group, Plan, Point, batches, parameters, planned

__all__ = ["Sweep"]

APART = {*LIMITS, "scenario"}  # options by which points of one group may differ
KEY = 16  # hexadecimal digits of a task: of a million tasks two share one with a chance of 1 in 4e7
BLOCK = 2**20  # bytes of a file at a time


@dataclass(frozen=True, eq=False)
class Sweep:
    """The sweep that a file describes.

    Args:
        file: where it stands.
        command: `recommend`, whose options a grid may name.
        said: of these what the file says under ``run:``, by parameter.
        plugin_files: which are loaded beside what is installed.
        registry: with these.
    """

    file: Path
    command: RunCommand
    said: Mapping[str, Any]
    plugin_files: tuple[Path, ...]
    registry: Registry

    @property
    def folder(self) -> Path:
        """From which the paths in the file start."""
        return self.file.parent.absolute()

    @cached_property
    def _sections(self) -> dict[str, Any]:
        return sections(self.file, self.registry, self.file.parent)

    @cached_property
    def _options(self) -> dict[str, Option]:
        """The options that a grid may name, by key."""
        there = parameters() - {"plugin_files"}
        return {of.key: of for name, of in options(self.command).items() if name in there}

    @cached_property
    def grid(self) -> Grid:
        """What is varied.

        Raises:
            MooInferError: for a file without a grid, and for what no grid may hold.
        """
        document = read_document(self.file)
        if "grid" not in document:
            raise MooInferError(f"{self.file}: missing grid; keys: {', '.join(map(str, document)) or 'none'}")
        if "by" in self.said:
            raise MooInferError(f"{self.file}: run: by: a sweep decides for all queries alike; leave it out")
        return Grid.of(document["grid"], self._sections, self._options, f"{self.file}: grid")

    @cached_property
    def groups(self) -> list[Group]:
        """The points, by what they read.

        Raises:
            MooInferError: naming the setting, what is allowed and what was given.
        """
        from .run_section import accepted_options  # with pydantic, which takes longer to import than other commands

        where = f"{self.file}: grid"
        accepted = [
            [accepted_options(self.command, {key: value} if key in self._options else {}, where) for value in values]
            for key, values in self.grid.values.items()
        ]
        found: dict[tuple[str, str], Group] = {}
        documents: dict[str, str] = {}
        for number, (settings, given) in enumerate(zip(self.grid.points(), product(*accepted), strict=True)):
            paths = {key: settings[key] for key in self.grid.paths}
            name = json.dumps(paths)
            if name not in documents:
                documents[name] = json.dumps(changed(self._sections, paths, where))
            told = self._told({parameter: value for of in given for parameter, value in of.items()})
            apart = {key: told.pop(key) for key in APART & {*told}}
            key = documents[name], json.dumps(told, sort_keys=True)
            group = found.setdefault(key, Group(documents[name], told))
            group.points.append(Point(number, settings, apart, ""))
        return [self._keyed(group) for group in found.values()]

    def _told(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What is told at a point: its own settings, which win, and what the file says beside them."""
        said = {name: value for name, value in self.said.items() if name in parameters() - {"plugin_files"}}
        kept = left(said, {*given}, given)
        both = {side: [*kept.get(side, ()), *given.get(side, ())] for side in SIDES if side in {*kept, *given}}
        return {**kept, **given, **both}

    def _keyed(self, group: Group) -> Group:
        """A group whose points have the keys of their tasks: of all that their decisions depend on."""
        files: dict[str, str] = {}
        anchored(json.loads(group.document), self.registry, lambda path: self._noted(path, files))
        for path in self.plugin_files:
            self._noted(str(path.absolute()), files)
        hashes = sorted(files.values())
        digest = hashlib.sha256(json.dumps([__version__, group.document, group.options, hashes]).encode())
        points = []
        for point in group.points:
            own = digest.copy()
            own.update(json.dumps(point.limits, sort_keys=True).encode())
            points.append(Point(point.number, point.settings, point.limits, own.hexdigest()[:KEY]))
        options_of = dict(group.options) | {"plugin_files": [str(path.absolute()) for path in self.plugin_files]}
        return Group(group.document, options_of, points)

    def _noted(self, path: str, files: dict[str, str]) -> str:
        files[path] = self._digest(self.folder / path)
        return path

    def _digest(self, path: Path) -> str:
        if path not in self._digests:
            try:
                with path.open("rb") as file:
                    self._digests[path] = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError:  # whoever reads it says what is wrong with it
                self._digests[path] = ""
        return self._digests[path]

    @cached_property
    def _digests(self) -> dict[Path, str]:
        return {}

    @cached_property
    def keys(self) -> set[str]:
        """The keys of all tasks."""
        return {point.key for group in self.groups for point in group.points}

    def decider(self, each: Callable[[int, int], None] | None = None) -> Decider:
        """Return what does the tasks, all of whose settings were tried, but for what only estimates show.

        Args:
            each: told (done, total) before the settings of every group.

        Raises:
            MooInferError: for settings that `recommend` refuses before it estimates anything.
        """
        objectives: dict[str, None] = {}
        quantiles: dict[str, dict[str, None]] = {}
        classes: dict[type, None] = {}
        for done, group in enumerate(self.groups):
            if each:
                each(done, len(self.groups))
            for objective, statistics in self._tried(group, classes).items():
                objectives[objective] = None
                quantiles.setdefault(objective, {}).update(dict.fromkeys(statistics))
        limited = {name: tuple(of) for name, of in quantiles.items()}
        return Decider(str(self.folder), Columns(self.grid.values, tuple(objectives), limited), tuple(classes))

    def _tried(self, group: Group, classes: dict[type, None]) -> dict[str, list[str]]:
        """By objective the quantiles that a group limits; the classes of its parts are added to those of others."""
        point = group.points[0]
        try:
            made = planned(group.document, json.dumps(group.options), str(self.folder))
            profiles = made.profiles
            there = {objective.name: objective for objective in made.pipeline.objectives(profiles)}
            classes |= dict.fromkeys(_classes(made, profiles))
            found: dict[str, list[str]] = {name: [] for name in there}
            for point in group.points:
                for scenario in made.scenarios(point.asked) or made.pipeline.scenarios.values():
                    for limit in scenario.limits:
                        if limit.objective in there:
                            limit.check(there[limit.objective])
                            found[limit.objective] += [limit.statistic] * (limit.statistic != "mean")
                        elif point.asked is not None:
                            raise unknown("objective", limit.objective, there)
        except MooInferError as error:
            shown = ", ".join(f"{key} = {value}" for key, value in point.settings.items())
            raise MooInferError(f"{self.file}: grid: at {shown:.200}: {error}") from None
        return found

    @property
    def config(self) -> dict[str, Any]:
        """What repeats the sweep, as a file beside its own has it."""
        run = {
            of.key: self.said[name] for name, of in options(self.command).items() if name in {*self.said} & parameters()
        }
        return {**self._sections, "run": run, "grid": {key: [*values] for key, values in self.grid.values.items()}}

    def batches(self, done: set[str]) -> Iterator[Batch]:
        """Yield what is left to do."""
        return batches(self.groups, done)


def _classes(made: Plan, profiles: tuple[ModelProfile, ...]) -> Iterator[type]:
    """The classes of all parts that decide."""
    pipeline = made.pipeline
    parts: list[object] = [*(pipeline.aggregators or ()), *pipeline.selectors, pipeline.goal, *pipeline.policies]
    parts += [part for profile in profiles for part in (profile.inference, *profile.costs)]
    return (type(part) for part in parts)
