"""Objectives of one model against k (paper, Figs 5-21)."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ..core.objectives import ACCURACY
from .style import (
    GREY,
    LIGHT,
    ScenarioCurve,
    choice_handles,
    height,
    infeasible_label,
    label_of,
    limit_text,
    mark,
    note,
    notes_of,
    plain,
    scenario_curve,
)

if TYPE_CHECKING:
    from ..report.report import Report

__all__ = ["curve", "page"]

COLOUR = "#0072B2"
LIMITS = ("--", ":", "-.", (0, (6, 2, 1, 2, 1, 2)))
NEAR = 3.0  # a limit farther from the curve than this many times its height is named, not drawn


def curve(
    report: "Report",
    objective: str = ACCURACY.name,
    *,
    model: str | None = None,
    aggregator: str | None = None,
    scenario: str | None = None,
) -> Figure:
    """Draw an objective of one (model, aggregator) against k, its limits, and what every selector chooses.

    The band holds 95 % of queries: it reaches from the 2.5 % to the 97.5 % quantile over trials.

    Args:
        report: whose table and choices.
        objective: any objective of the table.
        model, aggregator, scenario: whose curve; what the report holds one of may be left out.

    Raises:
        MooInferError: for names that the report does not have.

    >>> from moo_infer import Pipeline
    >>> figure = curve(Pipeline(k_max=16).run("gpt-5", "essay-feedback"))
    >>> figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()
    ('number of samples k', 'accuracy')
    """
    shown = scenario_curve(report, model, aggregator, scenario)
    shown.table.index(objective)
    return _figure(report, shown, [objective])


def page(
    report: "Report", *, model: str | None = None, aggregator: str | None = None, scenario: str | None = None
) -> Figure:
    """Draw every objective of one (model, aggregator) against k, below each other; see `curve`.

    >>> from moo_infer import Pipeline
    >>> [axes.get_ylabel() for axes in page(Pipeline(k_max=16).run("gpt-5", "essay-feedback")).axes]
    ['accuracy', 'cost (USD)', 'latency (s)']
    """
    shown = scenario_curve(report, model, aggregator, scenario)
    return _figure(report, shown, [o.name for o in shown.table.objectives])


def _figure(report: "Report", shown: ScenarioCurve, objectives: Sequence[str]) -> Figure:
    figure = Figure(figsize=(9.6, 4.8 if len(objectives) == 1 else 1.2 + 2.3 * len(objectives)), layout="constrained")
    panels = figure.subplots(len(objectives), 1, sharex=True, squeeze=False)[:, 0]
    handles: list[Artist] = []
    for axes, objective in zip(panels, objectives, strict=True):
        handles += [handle for handle in _panel(axes, shown, objective) if _new(handle, handles)]
    panels[-1].set_xlabel("number of samples k")
    panels[-1].xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 5, 10], integer=True))
    if len(shown.table) == 1:
        panels[-1].set_xlim(float(shown.table.k[0]) - 2, float(shown.table.k[0]) + 2)
    figure.suptitle(shown.title, x=0.02, ha="left")
    handles = [*choice_handles(report, shown.choices), *handles]
    figure.set_figheight(height(figure.get_figheight(), handles))
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=9)
    note(figure, notes_of(shown.choices))
    return figure


def _panel(axes: Axes, shown: ScenarioCurve, objective: str) -> list[Artist]:
    """Draw one objective against k; return its legend entries."""
    table, j = shown.table, shown.table.index(objective)
    k, values = table.k, table.means[:, j]
    low, high = table.column(objective, "low"), table.column(objective, "high")
    axes.fill_between(k, low, high, color=COLOUR, alpha=0.2, lw=0, label="band")
    if len(k) == 1:  # a band has no width there
        axes.vlines(k, low, high, color=COLOUR, alpha=0.2, lw=8)
    curve = table.curve(0)
    supported = k <= (curve.supported or k[-1])
    axes.plot(k[supported], values[supported], color=COLOUR, lw=1.4, label="mean")
    simulated = curve.columns[objective].simulated
    mean, band = (f" ({objective} simulated)" * (statistic in simulated) for statistic in ("mean", "low"))
    handles: list[Artist] = [
        Line2D([], [], color=COLOUR, lw=1.4, marker="o", ms=4, label=plain(f"mean{mean}", 60)),
        Patch(facecolor=COLOUR, alpha=0.2, label=plain(f"95 % of queries{band}", 60)),
    ]
    if not supported.all():
        start = max(int(supported.sum()) - 1, 0)  # from the last supported point on
        axes.plot(k[start:], values[start:], color=COLOUR, lw=1.4, ls=":", label="extrapolated")
        text = f"mean, extrapolated beyond k = {curve.supported}"
        handles.append(Line2D([], [], color=COLOUR, lw=1.4, ls=":", label=text))
    for inside, face, text in ((shown.feasible, COLOUR, "feasible"), (~shown.feasible, "white", "beyond a limit")):
        axes.scatter(k[inside], values[inside], s=18, facecolors=face, edgecolors=COLOUR, zorder=4, label=text)
        if inside.any() and face == "white":
            text = f"mean, {infeasible_label(shown.report)}"
            handles.append(Line2D([], [], ls="none", marker="o", ms=4, mfc=face, mec=COLOUR, label=text))
    chosen = [c for c in shown.choices if c.row is not None]
    for k_chosen in sorted({c.k for c in chosen if c.k is not None}):
        axes.axvline(k_chosen, color=LIGHT, lw=0.8, zorder=0)
    mark(axes, shown.report, chosen, [(float(c.k or 0), float(values[shown.row_of(c)])) for c in chosen])
    handles += _limits(axes, shown, objective)
    axes.set_ylabel(label_of(table.objectives[j]))
    axes.margins(x=0.03)
    return handles


def _limits(axes: Axes, shown: ScenarioCurve, objective: str) -> list[Artist]:
    """Draw the limits on an objective, and the quantiles that are limited; far limits are only named."""
    table, handles = shown.table, list[Artist]()
    bottom, top = axes.get_ylim()
    reach = NEAR * (top - bottom)
    limits = [limit for limit in shown.scenario.limits if limit.objective == objective]
    for limit, style in zip(limits, itertools.cycle(LIMITS), strict=False):
        text = limit_text(limit, table)
        if limit.statistic != "mean":
            quantile = table.column(objective, limit.statistic)
            axes.plot(table.k, quantile, color=GREY, lw=1.2, ls=style, label=limit.statistic)
            handles.append(
                Line2D([], [], color=GREY, lw=1.2, ls=style, label=plain(f"{limit.statistic} of {objective}"))
            )
        if bottom - reach <= limit.worst <= top + reach:
            axes.axhline(float(limit.worst), color="black", lw=1.3, ls=style, label=text)
            handles.append(Line2D([], [], color="black", lw=1.3, ls=style, label=text))
        else:
            side = "above" if limit.worst > top else "below"
            handles.append(Line2D([], [], ls="none", label=f"{text}\n({side} the picture)"))
    return handles


def _new(handle: Artist, handles: Sequence[Artist]) -> bool:
    return handle.get_label() not in [h.get_label() for h in handles]
