"""Objectives of one model against k (paper, Figs 5-21)."""

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from ..core.arguments import typed
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
QUERIES, OTHER, SAME = "#DDEAF4", "#A9C8E0", "#74A9CF"  # bands, from light to dark: told apart in grey too
LIMITS = ("--", ":", "-.", (0, (6, 2, 1, 2, 1, 2)))
NEAR = 3.0  # a limit farther from the curve than this many times its height is named, not drawn


@typed()
def curve(
    report: "Report",
    objective: str = ACCURACY.name,
    *,
    model: str | None = None,
    aggregator: str | None = None,
    scenario: str | None = None,
) -> Figure:
    """Draw an objective of one (model, aggregator) against k, its limits, and what every selector chooses.

    The light band holds 95 % of queries: it reaches from the 2.5 % to the 97.5 % quantile over trials, and is left out
    where queries are right or wrong and it holds all there is. On a log the dark bands are those of the mean: where it
    would be, had other questions been asked, or these ones again. Where numbers are uncertain and draws were made
    (`Report.with_stability`), bars show where the mean of what is chosen is in 95 % of them.

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


@typed()
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
    curve = table.curve(0)
    handles = _bands(axes, shown, objective)
    supported = k <= (curve.supported or k[-1])
    axes.plot(k[supported], values[supported], color=COLOUR, lw=1.4, label="mean")
    simulated = f" ({objective} simulated)" * ("mean" in curve.columns[objective].simulated)
    handles.insert(0, Line2D([], [], color=COLOUR, lw=1.4, marker="o", ms=4, label=plain(f"mean{simulated}", 60)))
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


def _bands(axes: Axes, shown: ScenarioCurve, objective: str) -> list[Artist]:
    """Draw what single queries may see, and where the mean may be; return their legend entries."""
    table = shown.table
    column = table.curve(0).columns[objective]
    spread = np.stack([table.column(objective, "low"), table.column(objective, "high")])
    share = table.objectives[table.index(objective)].scale is not None
    right_or_wrong = share and (spread[0] < 1e-9).all() and (spread[1] > 1 - 1e-9).all()
    if right_or_wrong:
        spread = np.full_like(spread, np.nan)
    simulated = f" ({objective} simulated)" * ("low" in column.simulated)
    bands = [
        (colour, ends, text)
        for colour, ends, text in (
            (QUERIES, spread, f"95 % of queries{simulated}"),
            (OTHER, column.other_questions, "mean, other questions (95 %)"),
            (SAME, column.same_questions, "mean, these questions again (95 %)"),
        )
        if np.isfinite(ends).any()
    ]
    for colour, (low, high), text in bands:
        axes.fill_between(table.k, low, high, color=colour, lw=0, label=text)
        if len(table) == 1:  # a band has no width there
            axes.vlines(table.k, low, high, color=colour, lw=8)
    handles: list[Artist] = [Patch(facecolor=colour, label=plain(text, 60)) for colour, _, text in bands]
    drawn = {
        float(c.k or 0): ends for c in shown.choices if (ends := shown.report.drawn(c, objective)) and ends[0] < ends[1]
    }
    if drawn and np.isnan(column.other_questions).all():
        axes.vlines(list(drawn), *zip(*drawn.values(), strict=True), color="black", lw=1.6, zorder=5, label="draws")
        text = f"mean in 95 % of {shown.report.stable.draws if shown.report.stable else 0} draws"
        handles.append(Line2D([], [], color="black", lw=1.6, ls="none", marker="|", ms=9, label=text))
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
