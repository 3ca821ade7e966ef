"""Widgets over exact tables, in a notebook or on a page of their own: the only importer of ipywidgets."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..core.arrays import FloatArray
from ..core.errors import MooInferError, printable
from ..core.objectives import Objective
from ..core.plugin_files import plugin_file
from ..interfaces import AccuracyAggregator, Selector
from ..pipeline import ESTIMATORS, SELECTORS, Pipeline
from ..profiles import ModelProfile, Scenario
from ..read.profiles import named_day
from ..registry import Registry
from ..report.answer import headline, tables
from ..report.report import Report
from ..report.wording import to_html

try:
    import ipywidgets as widgets
except ImportError:
    raise MooInferError("the explorer needs ipywidgets: pip install 'moo-infer[notebook]'") from None

from .. import plot
from ..plot.files import png
from .start import Start, named_parts, refuse_unknown, untried

__all__ = ["Explorer"]

EVERY, CUSTOM = "all models", "custom"
PICTURES: Mapping[str, Callable[..., Any]] = {
    "space": plot.space,
    "curves": plot.page,
    "front": plot.front,
    "decision map": partial(plot.decisions, size=30),  # a quarter of the cells, so that it follows a slider
}
OF_ONE_MODEL = ("space", "curves")
STATISTICS = ["mean", "p50", "p90", "p95", "p99"]
DRAWS = 200
STEPS = 100  # of a limit, from the least to the largest mean
DPI = 80  # lower than in files: a picture is drawn anew at every move of a slider
WIDE: Mapping[str, Any] = {"style": {"description_width": "7em"}, "layout": {"width": "25em"}}


class Explorer(widgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """Choose models, limits, k_max, estimator, aggregators and selectors; see what is chosen, and a picture of it.

    Moving a limit decides over a table that is there already; the other controls estimate anew.

    Args:
        models: a YAML file, profiles by name, or None for the nine of the paper. A file's scenarios are used too.
        plugin_files: Python files with plugins that are not packaged.
        start: what the controls are set to; None for the defaults.

    Raises:
        MooInferError: for files that cannot be read, and names that are not known.

    >>> explorer = Explorer()
    >>> explorer.model.value, explorer.limits["cost"].value = "gpt-5", 0.5
    >>> explorer.report["max-accuracy"].k
    20
    """

    def __init__(
        self,
        models: str | Path | Mapping[str, ModelProfile] | None = None,
        plugin_files: Sequence[str | Path] = (),
        start: Start | None = None,
    ) -> None:
        start = start or Start()
        self._registry = Registry(*(plugin_file(path) for path in plugin_files))
        self._models, there = named_parts(models, self._registry)
        self._day = named_day(Path(models)) if isinstance(models, str | Path) else None
        self._untried = untried(models, self._registry)
        refuse_unknown(start, self._models, there, self._registry)
        self._scenarios = start.scenarios(there)
        self._quiet = False
        self._made: Pipeline | None = None
        self._left = ("", "")  # the scenario that the sliders took over, and what they limited then
        self.limits: dict[str, Any] = {}
        self._limit_box = widgets.VBox()
        self._make_controls(start)
        table = (self.model, self.k_max, self.parallelism, self.estimator, self.trials, self.seed, self.aggregators)
        for control in (*table, self.selectors):
            control.observe(self._estimate, "value")
        self.statistic.observe(self._fit, "value")
        self.sure.observe(self._ask_how_sure, "value")
        self.scenario.observe(self._leave, "value")
        self.scenario.observe(self._fit, "value")
        self.picture.observe(self._draw, "value")
        super().__init__([self._page(table[1:])])
        self._estimate()

    def _make_controls(self, start: Start) -> None:
        """Make every control but the sliders of limits, each set to what it starts with."""
        aggregators = _makeable(self._registry, AccuracyAggregator, start.aggregators)
        selectors = _makeable(self._registry, Selector, [*dict.fromkeys([*start.selectors, *SELECTORS])])
        self.model = widgets.Dropdown(
            options=_labelled([EVERY, *self._models]), value=start.model or EVERY, description="model", **WIDE
        )
        self.scenario = widgets.Dropdown(options=_labelled([*self._scenarios, CUSTOM]), description="scenario", **WIDE)
        statistics = [*dict.fromkeys([*STATISTICS, start.statistic])]
        self.statistic = widgets.Dropdown(options=statistics, value=start.statistic, description="limits on", **WIDE)
        self.sure = widgets.Checkbox(False, description=f"how sure it is ({DRAWS} draws)", **WIDE)
        self.k_max = widgets.IntSlider(
            start.k_max, 1, max(512, start.k_max), description="largest k", continuous_update=False, **WIDE
        )
        self.parallelism = widgets.BoundedIntText(start.parallelism, 0, 4096, description="P (0: its own)", **WIDE)
        self.estimator = widgets.Dropdown(
            options=list(ESTIMATORS), value=start.estimator, description="estimator", **WIDE
        )
        self.trials = widgets.BoundedIntText(start.trials, 1, 10**6, description="trials", **WIDE)
        self.seed = widgets.BoundedIntText(start.seed, 0, 2**31 - 1, description="seed", **WIDE)
        self.aggregators = widgets.SelectMultiple(
            options=_labelled(aggregators),
            value=tuple(start.aggregators),
            rows=min(6, len(aggregators)),
            description="aggregators",
            **WIDE,
        )
        self.selectors = widgets.SelectMultiple(
            options=_labelled(selectors), value=tuple(start.selectors), rows=8, description="selectors", **WIDE
        )
        self.picture = widgets.ToggleButtons(options=list(PICTURES), style={"button_width": "9em"})
        self.answer, self.remark, self.tables = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.image = widgets.Image(format="png", layout={"max_width": "100%"})
        self.model.value, self.statistic.value = start.model or EVERY, start.statistic
        self.estimator.value = start.estimator

    def _page(self, controls: Sequence[Any]) -> Any:
        """Controls on the left, choices and picture on the right."""
        limits = [self.model, self.scenario, self._limit_box, self.statistic, self.sure]
        left = widgets.VBox([*limits, *controls, self.selectors], layout={"flex": "0 0 auto"})
        right = widgets.VBox(
            [self.answer, self.picture, self.remark, self.image, self.tables],
            layout={"flex": "1 1 30em", "min_width": "0"},
        )
        return widgets.HBox([left, right], layout={"flex_flow": "row wrap", "grid_gap": "1em"})

    @property
    def report(self) -> Report:
        """The report of what is chosen; raises MooInferError, in the words that are shown, where there is none."""
        if self.scenario.value != CUSTOM:
            return self._pipeline.run(self._names, self._scenarios[self.scenario.value])
        sides: dict[str, dict[str, Mapping[str, float]]] = {"min": {}, "max": {}}
        for objective in self._pipeline.candidates(self._names).objectives:
            held, value = self._unseen(objective), self.limits[objective.name].value
            held |= {self._limited(objective): value}
            if limits := {statistic: worst for statistic, worst in held.items() if np.isfinite(worst)}:
                sides[_side(objective)][objective.name] = limits
        return self._pipeline.run(self._names, Scenario(CUSTOM, sides["max"], sides["min"]))

    @property
    def _names(self) -> list[str]:
        return list(self._models) if self.model.value == EVERY else [self.model.value]

    @property
    def _pipeline(self) -> Pipeline:
        """What decides as the controls say; raises MooInferError, at every move, where they say what cannot be."""
        if self._made is None:
            # The default selectors as such, so that the headline is theirs too.
            selectors = SELECTORS if set(self.selectors.value) == set(SELECTORS) else self.selectors.value
            self._made = Pipeline(
                self.aggregators.value,
                selectors,
                ESTIMATORS[self.estimator.value](self.trials.value, self.seed.value),
                k_max=self.k_max.value,
                parallelism=self.parallelism.value or None,
                models=self._models,
                day=self._day,
                registry=self._registry,
            )
        return self._made

    def _estimate(self, _: object = None) -> None:
        """Fill the table, give every objective a slider, and decide."""
        self._made = None
        self._fit()

    def _fit(self, _: object = None) -> None:
        """Set every slider over the range of its objective, to the limit of the scenario or as it stands; decide."""
        if self._quiet:
            return
        with self._told():
            table, custom = self._pipeline.candidates(self._names), self.scenario.value == CUSTOM
            for objective in table.objectives:
                value = self._slider(objective).value if custom else self._own_limit(objective)
                self._set(objective, table.column(objective.name, self._limited(objective)), value)
            self._limit_box.children = [self.limits[objective.name] for objective in table.objectives]
            self._decide()

    def _slider(self, objective: Objective) -> Any:
        """Return the slider of an objective, made when its table is the first to have it."""
        if objective.name not in self.limits:
            own = self._own_limit(objective)
            name = printable(f"{_side(objective)} {objective.name}{f' ({objective.unit})' * bool(objective.unit)}")
            slider = widgets.SelectionSlider(options=[("", own)], description=name, continuous_update=False, **WIDE)
            slider.observe(self._limit_moved, "value")
            self.limits[objective.name] = slider
        return self.limits[objective.name]

    def _set(self, objective: Objective, means: FloatArray, value: float) -> None:
        """Set the slider of an objective; an infinite value is no limit."""
        none = math.inf if _side(objective) == "max" else -math.inf
        values = sorted({*_steps(means), value, none})
        slider, self._quiet = self._slider(objective), True
        slider.options = [
            (printable(f"{v:.10g} {objective.unit}".rstrip()) if v != none else "none", v) for v in values
        ]
        slider.value = value
        self._quiet = False

    def _own_limit(self, objective: Objective) -> float:
        """The limit of the chosen scenario on what the sliders limit, infinite where there is none."""
        limits = self._scenarios[self.scenario.value].limits if self.scenario.value != CUSTOM else ()
        named = (objective.name, self._limited(objective))
        worst = [limit.worst for limit in limits if (limit.objective, limit.statistic) == named]
        return float(worst[0]) if worst else math.inf if _side(objective) == "max" else -math.inf

    def _leave(self, change: Any) -> None:
        if change.new == CUSTOM:
            self._left = change.old, str(self.statistic.value)

    def _unseen(self, objective: Objective) -> dict[str, float]:
        """Limits of the scenario that the sliders took over which no slider shows, by statistic: they stay."""
        name, shown = self._left
        limits = self._scenarios[name].limits if name in self._scenarios else ()
        own = {limit.statistic: float(limit.worst) for limit in limits if limit.objective == objective.name}
        own.pop(shown if objective.scale is None else "mean", None)
        return own

    def _limit_moved(self, _: object) -> None:
        if self._quiet:
            return
        with self._told():
            self._quiet = True
            self.scenario.value = CUSTOM
            self._quiet = False
            self._decide()

    def _limited(self, objective: Objective) -> str:
        """The statistic of an objective that its slider limits: of accuracy always the mean."""
        return str(self.statistic.value) if objective.scale is None else "mean"

    def _ask_how_sure(self, _: object) -> None:
        with self._told():
            self._decide()

    def _decide(self) -> None:
        report = self.report
        if self.sure.value and report.redraw:
            report = report.with_stability(DRAWS, self.seed.value)
        (outcome,) = report.outcomes
        self.answer.value = to_html([headline(report, outcome)])
        self.tables.value = to_html([*tables(report, by_selector=False), *report.notes, *self._untried])
        self._show(report)

    def _draw(self, _: object) -> None:
        with self._told(self.remark):
            self._show(self.report)

    def _show(self, report: Report) -> None:
        """Draw the selected picture, of the selected or recommended model."""
        self.remark.value = ""
        with self._told(self.remark):
            best = report.choice(report.headline)
            first_model, first_aggregator = report.candidates.curve(0).label
            whose = {"model": best.model or first_model, "aggregator": best.aggregator or first_aggregator}
            given = whose if self.picture.value in OF_ONE_MODEL else {}
            self.image.value = png(partial(PICTURES[self.picture.value], report, **given), DPI)

    @contextmanager
    def _told(self, where: Any = None) -> Iterator[None]:
        """Show the message of an error in place of the answer."""
        try:
            yield
        except MooInferError as error:
            (where or self.answer).value = to_html([str(error)])
            self.image.value = b""
            if where is None:
                self.tables.value = ""


def _makeable(registry: Registry, kind: type[Any], first: Sequence[str]) -> list[str]:
    """Return the names of the parts that need no parameters, those named first in front."""
    makeable = []
    for name in [*first, *(name for name in registry.names(kind) if name not in first)]:
        try:
            registry.get(kind, name)
        except MooInferError:
            continue
        makeable.append(name)
    return makeable


def _labelled(names: Sequence[str]) -> Sequence[str | tuple[str, str]]:
    """Return names as options; where one is not printable, all are pairs of what is shown and the name."""
    return names if all(name.isprintable() for name in names) else [(printable(name), name) for name in names]


def _side(objective: Objective) -> str:
    return "max" if objective.direction == "min" else "min"


def _steps(means: FloatArray) -> list[float]:
    """Return round numbers from the least to the largest mean, evenly or by equal factors."""
    low, high = float(means.min()), float(means.max())
    spread = np.geomspace if low > 0 and high > 10 * low else np.linspace
    return sorted({float(f"{value:.4g}") for value in spread(low, high, STEPS)})
