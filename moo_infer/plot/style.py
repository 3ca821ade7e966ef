"""Shared by all pictures: the curve to draw, colours that also differ in grey, names with units, legends, notes."""

import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullFormatter

from ..core.arrays import BoolArray, FloatArray
from ..core.errors import MooInferError, printable, unknown
from ..core.objectives import ACCURACY, Limit, Objective
from ..decide.candidates import Candidates
from ..decide.choices import Choice
from ..profiles import Scenario
from ..report.facts import Outcome

if TYPE_CHECKING:
    from ..report.report import Report


# Okabe and Ito's colours, which people with any kind of colour vision tell apart, without the yellow, too light here.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
SHAPES = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "h", "d")  # as many as are not a multiple of the colours
HATCHES = ("//", "\\\\", "..", "o", "*", "//..", "\\\\..", "//o", "\\\\*")  # no lines along the axes: those are borders
GREY, LIGHT = "#666666", "#BBBBBB"
SELECTOR_SHAPES = {"max-accuracy": "o", "max-cube": "^", "utopia": "D", "knee": "s", "knee-chord": "p"}
OTHER_SHAPES = ("v", "P", "X", "<", ">", "h", "d", (4, 1, 0), (6, 1, 0))  # the tuples are stars of 4 and 6 points
DECADE = 10.0  # what spans more is drawn on a logarithmic axis
NAME = 32  # longer names are cut
TITLE = 48  # characters of a line of a title
NEAR = 3.0  # a limit farther than this many times the spread of the rows is named, not drawn


def plain(text: object, width: int = NAME) -> str:
    """Return a name as matplotlib shall show it: on one line, not too long, not taken for a formula."""
    line = printable(str(text))
    line = line if len(line) <= width else f"{line[: width - 1]}…"
    return f"{' ' * line.startswith('_')}{line}".replace("$", r"\$")


def label_of(objective: Objective, statistic: str = "mean") -> str:
    """Return the label of an axis: ``cost (USD)``, ``p95 latency (s)``."""
    prefix = "" if statistic == "mean" else f"{statistic} "
    return plain(f"{prefix}{objective.name}{f' ({objective.unit})' if objective.unit else ''}")


def limit_text(limit: Limit, table: Candidates, prefix: str = "limit: ") -> str:
    """Return a limit with its unit, as matplotlib shall show it."""
    return plain(f"{prefix}{limit_words(limit, table)}", 60)


def limit_words(limit: Limit, table: Candidates) -> str:
    """Return a limit with its unit; a limit on the mean says so, next to those on quantiles."""
    unit = table.objectives[table.index(limit.objective)].unit
    mean = "mean " if limit.statistic == "mean" else ""
    sign = str(limit).replace("<=", "≤").replace(">=", "≥")
    return f"{mean}{sign} {unit}".rstrip()


def is_drawn(limit: Limit, table: Candidates) -> bool:
    """Whether a limit is drawn as a line: one on the mean, which is not far away from all rows."""
    values = table.column(limit.objective)
    low, high = float(values.min()), float(values.max())
    reach = NEAR * max(high - low, abs(high))
    return limit.statistic == "mean" and low - reach <= limit.worst <= high + reach


def limit_lines(axes: Axes, limits: Sequence[Limit], table: Candidates, names: tuple[str, str]) -> list[Artist]:
    """Draw limits on the means of two objectives as lines, and return the legend entries of these and of all others."""
    handles: list[Artist] = []
    for limit in limits:
        text = limit_text(limit, table)
        if limit.objective in names and is_drawn(limit, table):
            upright = limit.objective == names[0]
            style = "--" if upright else "-."
            (axes.axvline if upright else axes.axhline)(float(limit.worst), color="black", lw=1.2, ls=style, label=text)
            handles.append(Line2D([], [], color="black", lw=1.2, ls=style, label=text))
            continue
        why = "beyond the picture" if limit.statistic == "mean" else "on a quantile: not drawn"
        why = why if limit.objective in names else "no axis"
        handles.append(Line2D([], [], ls="none", label=f"{text}\n({why})"))
    return handles


def scaled_for(axis: Axis, objective: Objective, table: Candidates, limits: Sequence[Limit]) -> None:
    """Label and scale an axis for the rows of a table, and the limits that are drawn; see `scaled`."""
    ends = [float(limit.worst) for limit in limits if limit.objective == objective.name and is_drawn(limit, table)]
    scaled(axis, objective, np.append(table.column(objective.name), ends))


@dataclass(frozen=True)
class ScenarioCurve:
    """One (model, aggregator) of a report in one scenario.

    Args:
        report: whose.
        outcome: what was found in the scenario.
        table: its rows, by k.
    """

    report: "Report"
    outcome: Outcome
    table: Candidates

    @property
    def scenario(self) -> Scenario:
        """Whose limits."""
        return self.outcome.scenario

    @property
    def feasible(self) -> BoolArray:
        """(n,) which rows of `table` are feasible."""
        return self.outcome.feasible[self.table.rows]

    @property
    def choices(self) -> tuple[Choice, ...]:
        """One per selector."""
        return self.outcome.choices[self.table.curve(0).label]

    @property
    def title(self) -> str:
        """Model, aggregator and scenario."""
        model, aggregator = self.table.curve(0).label
        return f"{plain(model)}, {plain(aggregator)}: {plain(self.scenario.name)}"

    def row_of(self, choice: Choice) -> int:
        """Return the row of `table` that a choice took."""
        return int(np.flatnonzero(self.table.rows == choice.row)[0])


def scenario_curve(report: "Report", model: str | None, aggregator: str | None, scenario: str | None) -> ScenarioCurve:
    """Look up one (model, aggregator) and a scenario; what there is one of may be left out."""
    outcome = report.outcome(scenario)
    table = report.candidates
    names: dict[str, str] = {}
    for kind, name, options in (("model", model, table.models), ("aggregator", aggregator, table.aggregators)):
        if name is None and len(options) > 1:
            raise MooInferError(f"the report holds {len(options)} {kind}s; name one of them: {', '.join(options)}")
        if name is not None and name not in options:
            raise unknown(kind, name, options)
        names[kind] = name or options[0]
    return ScenarioCurve(report, outcome, table.where(**names))


def infeasible_label(report: "Report") -> str:
    """Return the legend text of rows that are not feasible."""
    if report.confidence is None:
        return "beyond a limit"
    return f"beyond a limit, or within in fewer\nthan {100 * report.confidence:g} % of the draws"


def height(least: float, handles: Sequence[Artist]) -> float:
    """Return how high a figure is (inches) that has a legend of so many lines beside the axes."""
    lines = sum(str(handle.get_label()).count("\n") + 1 for handle in handles)
    return max(least, 0.8 + 0.21 * lines)


def axes_of(table: Candidates, names: Sequence[str | None]) -> list[Objective]:
    """Return the objectives of the axes; None stands for the next but accuracy, and for accuracy at the end."""
    chosen = [name for name in names if name is not None]
    if len(set(chosen)) < len(chosen):
        raise MooInferError(f"the axes must be different objectives, got {', '.join(chosen)}")
    left = [o.name for o in table.objectives if o.name not in chosen]
    left.sort(key=lambda name: name == ACCURACY.name)
    if len(names) > len(table.objectives):
        raise MooInferError(
            f"this picture takes {len(names)} objectives, and the table has {len(table.objectives)}: "
            f"{', '.join(o.name for o in table.objectives)}"
        )
    ordered: list[str] = []
    for i, name in enumerate(names):
        last = i == len(names) - 1 and ACCURACY.name in left
        ordered.append(name if name is not None else left.pop(left.index(ACCURACY.name) if last else 0))
    return [table.objectives[table.index(name)] for name in ordered]


def spans_decades(values: FloatArray) -> bool:
    """Whether values are best shown on a logarithmic axis."""
    return bool(values.min() > 0 and values.max() > DECADE * values.min())


def selector_style(report: "Report", selector: str) -> dict[str, Any]:
    """Return shape and colour of a selector's marker, the same in every picture of a report."""
    builtin_names = list(SELECTOR_SHAPES)
    others = [s.name for s in report.selectors if s.name not in SELECTOR_SHAPES]
    index = builtin_names.index(selector) if selector in builtin_names else len(builtin_names) + others.index(selector)
    shapes = (*SELECTOR_SHAPES.values(), *OTHER_SHAPES)
    colours = ("#D55E00", "#009E73", "#0072B2", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
    return {"marker": shapes[index % len(shapes)], "edgecolors": colours[index % len(colours)]}


def sizes(choices: Sequence[Choice]) -> list[float]:
    """Areas of markers, so that hollow markers on the same row lie within each other."""
    ranks = [sum(other.row == choice.row for other in choices[:i]) for i, choice in enumerate(choices)]
    step = min(0.7, 2.1 / max([1, *ranks]))
    return [80.0 * (1 + step * rank) ** 2 for rank in ranks]


def choice_text(choice: Choice) -> str:
    """Return the text of a choice: ``knee: k = 8*``."""
    if choice.row is None:
        return f"{plain(choice.selector)}: no choice"
    return f"{plain(choice.selector)}: k = {choice.k}{'*' * bool(choice.remarks)}"


def choice_handles(report: "Report", choices: Iterable[Choice]) -> list[Artist]:
    """Legend entries of the selectors' choices, the headline's first; over a pool it is named as the answer.

    Where others choose, who does not is left to the notes (`notes_of`).
    """
    ordered = sorted(choices, key=lambda choice: choice.selector != report.headline)
    if any(choice.row is not None for choice in ordered):
        ordered = [choice for choice in ordered if choice.row is not None]
    handles: list[Artist] = []
    for choice in ordered:
        style, text = selector_style(report, choice.selector), choice_text(choice)
        if choice.pooled and choice.row is not None and choice.selector == report.headline:
            row = f"{name_of(choice.candidates, *choice.candidates.curve(choice.row).label)}, k = {choice.k}"
            text = f"the answer ({plain(choice.selector)}):\n{row}{'*' * bool(choice.remarks)}"
        handles.append(
            Line2D(
                [], [], ls="none", marker=style["marker"] if choice.row is not None else "none", mfc="none", mew=1.8,
                ms=8, mec=style["edgecolors"], label=text,
            )
        )  # fmt: skip
    return handles


def mark(axes: Any, report: "Report", choices: Sequence[Choice], points: Sequence[Sequence[float]]) -> None:
    """Put the selectors' markers at points, one per choice, of as many coordinates as the axes have."""
    for choice, point, size in zip(choices, points, sizes(choices), strict=True):
        style = selector_style(report, choice.selector)
        extra = {"depthshade": False} if len(point) == 3 else {"clip_on": False}
        axes.scatter(
            *([value] for value in point), s=size, facecolors="none", linewidths=1.8, zorder=6,
            label=choice_text(choice), **style, **extra,
        )  # fmt: skip


def notes_of(choices: Sequence[Choice]) -> list[str]:
    """Why selectors chose nothing, and what they warn of, each once."""
    reasons: dict[str, list[str]] = {}
    remarks: dict[str, list[str]] = {}
    for choice in choices:
        if choice.row is None:
            reasons.setdefault(choice.reason, []).append(choice.selector)
        for remark in choice.remarks:
            remarks.setdefault(remark.split(" (")[0], []).append(choice.selector)
    every = len({c.selector for c in choices})
    lines = [f"* {', '.join(selectors)}: {remark}." for remark, selectors in remarks.items()]
    for reason, selectors in reasons.items():
        whose = "" if len(selectors) == every else f" of {', '.join(selectors)}"
        lines.append(f"No choice{whose}: {reason}.")
    return lines


def note(figure: Figure, lines: Sequence[str], width: int = 110) -> None:
    """Write notes below the axes."""
    if lines:
        text = "\n".join(textwrap.fill(plain(line, 1000), width) for line in lines)
        figure.supxlabel(text, fontsize=8, x=0.02, ha="left", color="black")


CLOSEST = 1e-4  # to the ideal, of a share: no log tells 0.9999 from 1, and decades of nines would fill the picture


def scaled(axis: Axis, objective: Objective, values: FloatArray) -> None:
    """Label an axis, and make it logarithmic where values span more than a decade.

    Where more is better and the values come close to the ideal, it is the distance from the ideal that is logarithmic:
    0.9, 0.99 and 0.999 are equally far apart. What is closer to the ideal than anybody measures stands at the end.
    """
    axis.set_label_text(label_of(objective))
    away = np.maximum(objective.shortfall(values), CLOSEST)
    low = float(away.min())
    if objective.sign > 0 and objective.best == 0 and spans_decades(values):
        logarithmic(axis, values)
    elif objective.sign < 0 and spans_decades(away):
        last = -math.log10(low)  # beyond the ideal the axis goes on, evenly: that is the margin of marks at its end

        def forward(v: FloatArray) -> FloatArray:
            left = objective.best - np.asarray(v)
            return -np.log10(np.maximum(left, low)) + np.maximum(-left / low, 0.0)

        def back(u: FloatArray) -> FloatArray:
            past = np.asarray(u) - last
            return np.asarray(objective.best - np.where(past > 0, -low * past, 10.0 ** -np.asarray(u)))

        _set_scale(axis)("function", functions=(forward, back))
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(float(away.max()))) + 1)
        steps = (1, 2, 3, 5, 7) if len(decades) < 4 else (1, 2, 5) if len(decades) < 5 else (1,)
        ticks = [objective.best - step * 10.0**d for d in decades for step in steps]
        axis.set_major_locator(FixedLocator([t for t in ticks if values.min() * 0.98 <= t <= values.max()]))
        closest = objective.best - CLOSEST
        axis.set_major_formatter(FuncFormatter(lambda v, _: f"{'≥ ' * math.isclose(v, closest)}{v:.10g}"))


def logarithmic(axis: Axis, values: FloatArray) -> None:
    """Make an axis logarithmic, with plain numbers at its ticks."""
    _set_scale(axis)("log")
    axis.set_major_locator(LogLocator(subs=(1.0,) if values.max() > 1e3 * values.min() else (1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _set_scale(axis: Axis) -> Callable[..., None]:
    return axis.axes.set_xscale if axis is axis.axes.xaxis else axis.axes.set_yscale


def name_of(table: Candidates, model: str, aggregator: str) -> str:
    """A model, with its aggregator where the table has several; alone, a long one is left to the title."""
    if len(table.aggregators) == 1:
        return plain(model, _width(table.models))
    whose = "" if len(table.models) == 1 and len(model) > NAME else f"{plain(model, _width(table.models))}, "
    return f"{whose}{plain(aggregator, _width(table.aggregators))}"


@lru_cache(maxsize=16)
def _width(names: tuple[str, ...]) -> int:
    """How long names may be, so that they are told apart where they are cut."""
    return NAME if len({plain(name) for name in names}) == len(names) else 2 * NAME


def pool_title(table: Candidates, scenario: str = "") -> str:
    """Models and aggregators of a pool, and the scenario, in a title; in lines that end before a legend beside it."""
    models, aggregators = table.models, table.aggregators
    model_text = plain(models[0]) if len(models) == 1 else f"{len(models)} models"
    aggregator_text = plain(aggregators[0]) if len(aggregators) == 1 else f"{len(aggregators)} aggregators"
    title = f"{model_text}, {aggregator_text}{f': {plain(scenario)}' * bool(scenario)}"
    return textwrap.fill(title, TITLE, break_long_words=False, drop_whitespace=False)
