"""Pictures of the whole pool: the Pareto front over all models, and how sure a choice is."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..core.arguments import typed
from ..core.arrays import BoolArray, FloatArray
from ..core.errors import MooInferError, unknown
from ..decide.candidates import Candidates
from ..decide.choices import Choice
from ..decide.stability import ChoiceShare
from ..report.wording import uncertain
from .labels import place_texts
from .style import (
    COLOURS,
    GREY,
    LIGHT,
    SHAPES,
    axes_of,
    choice_handles,
    height,
    infeasible_label,
    limit_lines,
    mark,
    name_of,
    note,
    notes_of,
    plain,
    pool_title,
    scaled_for,
)

if TYPE_CHECKING:
    from ..report.report import Report

__all__ = ["front", "stability"]

BARS = 20  # more rows are summed up in one bar
NAMED = 14  # curves with a colour and a shape of their own: more are not told apart, nor is a longer legend read


@typed()
def front(report: "Report", *, scenario: str | None = None, x: str | None = None, y: str | None = None) -> Figure:
    """Draw the rows of the table in two objectives, and the Pareto front of the feasible ones over all models.

    The front is that of all objectives, so in two of them it need not be a staircase. Of a curve on which more samples
    are better in nothing, the first row is drawn. Of many curves, those with choices and most rows of the front have a
    colour and a name, the others are grey. Axes that span more than a
    decade are logarithmic; one of a share close to its ideal is so in the distance from the ideal.

    Args:
        report: whose table and pooled choices.
        scenario: may be left out where there is one.
        x, y: two different objectives; None for the first but accuracy, and for accuracy.

    Raises:
        MooInferError: for names that the report does not have, and for a table of fewer than two objectives.

    >>> from moo_infer import Pipeline
    >>> figure = front(Pipeline(k_max=16).run(["gpt-5", "gpt-5-nano"], "essay-feedback"))
    >>> figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()
    ('cost (USD)', 'accuracy')
    """
    outcome, table = report.outcome(scenario), report.candidates
    feasible, pool, limits = outcome.feasible, outcome.pool, outcome.scenario.limits
    objectives = axes_of(table, [x, y])
    on_front = np.zeros(len(table), dtype=bool)
    on_front[pool.rows[pool.front]] = True
    xs, ys = (table.column(o.name) for o in objectives)
    figure = Figure(figsize=(9.6, 5.8), layout="constrained")
    axes = figure.subplots()
    for axis, objective in ((axes.xaxis, objectives[0]), (axes.yaxis, objectives[1])):
        scaled_for(axis, objective, table, limits)
    handles: list[Artist] = [
        *choice_handles(report, outcome.pooled),
        Line2D([], [], ls="none", marker="o", mfc=GREY, mec="black", ms=7, label="on the Pareto front (how many rows)"),
        Line2D([], [], ls="none", marker="o", mfc="white", mec=GREY, ms=5, label="feasible, dominated"),
        Line2D([], [], ls="none", marker="x", color=LIGHT, ms=5, label=infeasible_label(report)),
        *_curves(axes, table, (xs, ys), feasible, on_front, [c.row for c in outcome.pooled if c.row is not None]),
        *limit_lines(axes, limits, table, (objectives[0].name, objectives[1].name)),
    ]
    chosen = [c for c in outcome.pooled if c.row is not None]
    spots = [(float(xs[c.row]), float(ys[c.row])) for c in chosen]
    mark(axes, report, chosen, spots)
    title = f"{pool_title(table, outcome.scenario.name)}\nfeasible rows and their Pareto front"
    figure.suptitle(title, x=0.02, ha="left")
    figure.set_figheight(height(figure.get_figheight(), handles))
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=9)
    note(figure, notes_of([choice for choice in outcome.pooled if choice.applicable]))
    texts = {
        spot: f"{name_of(table, *table.curve(int(c.row or 0)).label)}, k = {c.k}"
        for c, spot in zip(chosen, spots, strict=True)
    }
    for curve in table.curves:  # where the front enters and leaves it
        rows = np.flatnonzero(on_front & table.on(curve)).tolist()
        for row in rows[:1] + rows[-1:]:
            texts.setdefault((float(xs[row]), float(ys[row])), f"{name_of(table, *curve.label)}, k = {table.k[row]}")
    place_texts(figure, axes, texts, list(zip(xs.tolist(), ys.tolist(), strict=True)))
    return figure


def _curves(
    axes: Axes, table: Candidates, points: tuple[FloatArray, FloatArray], feasible: BoolArray, on_front: BoolArray,
    chosen: Sequence[int],
) -> list[Artist]:  # fmt: skip
    """Draw the rows of every curve, and return their legend entries."""
    xs, ys = points
    handles: list[Artist] = []
    worth = _worth_drawing(table) | on_front
    rows_of = {curve.label: table.on(curve) & worth for curve in table.curves}
    named = _named(table, on_front, chosen)
    for i, label in enumerate(named):
        of_curve, name = rows_of[label], name_of(table, *label)
        colour, shape = COLOURS[i % len(COLOURS)], SHAPES[i % len(SHAPES)]
        on, off = of_curve & on_front, of_curve & feasible & ~on_front
        text = f"{name}: dominated"
        axes.plot(xs[of_curve], ys[of_curve], color=colour, lw=0.5, alpha=0.5, zorder=1, label=f"{name}: curve")
        axes.scatter(xs[off], ys[off], 16, marker=shape, facecolors="white", edgecolors=colour, lw=0.8, label=text)
        axes.scatter(xs[on], ys[on], 40, marker=shape, c=colour, edgecolors="black", lw=0.5, zorder=3, label=name)
        style = {"mfc": colour, "mec": "black"} if on.any() else {"mfc": "white", "mec": colour}
        handles.append(Line2D([], [], ls="none", marker=shape, mew=0.6, ms=7, label=f"{name} ({on.sum()})", **style))  # type: ignore[arg-type]  # keywords
    others = [rows for label, rows in rows_of.items() if label not in named]
    if others:
        for rows in others:
            axes.plot(xs[rows], ys[rows], color=LIGHT, lw=0.4, zorder=0)
        rest = np.logical_or.reduce(others)
        on, off = rest & on_front, rest & feasible & ~on_front
        axes.scatter(xs[off], ys[off], 10, marker=".", c=GREY, lw=0, label="others: dominated")
        axes.scatter(xs[on], ys[on], 40, marker=".", c=GREY, edgecolors="black", lw=0.5, zorder=3, label="others")
        text = f"{len(others)} other curves ({on.sum()})"
        handles.append(Line2D([], [], marker=".", color=LIGHT, mfc=GREY, mec=GREY, lw=0.8, ms=6, label=text))
    out = ~feasible & worth
    axes.scatter(xs[out], ys[out], s=9, marker="x", c=LIGHT, lw=0.7, zorder=2, label="infeasible")
    return handles


def _worth_drawing(table: Candidates) -> BoolArray:
    """(n,) all rows but those of curves on which more samples are better in nothing: of these the first."""
    signs = np.array([objective.sign for objective in table.objectives])
    worth = np.ones(len(table), dtype=bool)
    for curve in table.curves:
        rows = np.flatnonzero(table.on(curve))
        signed = table.means[rows] * signs
        if (signed >= signed[0] - 1e-12 * np.abs(signed[0])).all():  # equal but for rounding is not better
            worth[rows[1:]] = False
    return worth


def _named(table: Candidates, on_front: BoolArray, chosen: Sequence[int]) -> list[tuple[str, str]]:
    """Labels of the curves that have a colour, in table order: those with choices, then with most rows of the front."""
    labels = [curve.label for curve in table.curves]
    if len(labels) <= NAMED:
        return labels
    with_choice = {table.curve(row).label for row in chosen}
    count = {curve.label: int((table.on(curve) & on_front).sum()) for curve in table.curves}
    ranked = [label for label in labels if count[label] or label in with_choice]
    ranked.sort(key=lambda label: (label not in with_choice, -count[label]))
    return [label for label in labels if label in ranked[:NAMED]]


@typed()
def stability(
    report: "Report",
    *,
    scenario: str | None = None,
    model: str | None = None,
    aggregator: str | None = None,
    selector: str | None = None,
) -> Figure:
    """Draw in which share of the draws a selector chose each row, or nothing.

    Args:
        report: one made by `Report.with_stability`.
        scenario: may be left out where there is one.
        model, aggregator: whose choice; without both, that over the pool.
        selector: a selector of the report; None for its headline.

    Raises:
        MooInferError: for names that the report does not have, and where nothing was drawn.

    >>> from moo_infer import MonteCarlo, Pipeline
    >>> report = Pipeline(estimator=MonteCarlo(300), k_max=32).run("gpt-5", "essay-feedback").with_stability(20)
    >>> stability(report, selector="knee").axes[0].get_xlabel()
    'share of 20 draws of the simulated trials (%)'
    """
    if report.stable is None:
        raise MooInferError(
            "the report does not say how sure its choices are; ask for that with Report.with_stability, or on the "
            "command line with --stability (where nothing is uncertain or simulated there is nothing to say)"
        )
    own, name = report.outcome(scenario).scenario, report.headline if selector is None else selector
    if name not in (names := [s.name for s in report.selectors]):
        raise unknown("selector", name, names)
    choice = report.choice(name, scenario=own.name, model=model, aggregator=aggregator)
    bars = _bars(report, choice)
    figure = Figure(figsize=(9.6, 1.8 + 0.32 * max(len(bars), 4)), layout="constrained")
    axes = figure.subplots()
    for i, (_, share, ours) in enumerate(bars):
        style = {"color": "#0072B2", "hatch": "//", "edgecolor": "white"} if ours else {"color": LIGHT}
        axes.barh(i, share, 0.7, **style)  # type: ignore[arg-type]  # a mapping of keywords
        axes.annotate(f"{share:.3g} %", (share, i), (4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(range(len(bars)), [text for text, *_ in bars])
    axes.set_ylim(max(len(bars), 4) - 0.5, -0.5)
    axes.set_xlim(0, 112)
    axes.set_xticks(range(0, 101, 20))
    source = "the simulated trials" if report.stable.source == "simulation" else uncertain(report)
    axes.set_xlabel(f"share of {report.stable.draws} draws of {source} (%)")
    axes.spines[["top", "right"]].set_visible(False)
    title = pool_title(report.candidates) if choice.pooled else f"{plain(choice.model)}, {plain(choice.aggregator)}"
    figure.suptitle(f"{title}: {plain(own.name)}\nhow sure is the choice of {plain(name)}?", x=0.02, ha="left")
    row_name = (
        f"{name_of(report.candidates, *report.candidates.curve(choice.row).label)}, "
        if choice.pooled and choice.row is not None
        else ""
    )
    k_text = "no choice" if choice.k is None else f"{row_name}k = {choice.k}"
    handles = [
        Patch(facecolor="#0072B2", hatch="//", edgecolor="white", label=f"the choice on the given values ({k_text})"),
        Patch(facecolor=LIGHT, label="another choice"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def _bars(report: "Report", choice: Choice) -> list[tuple[str, float, bool]]:
    """By row: its text, the share of the draws that chose it (%), and whether it is the choice; in table order."""
    table, shares = report.candidates, report.shares(choice)
    order = {curve.label: i for i, curve in enumerate(table.curves)}

    def table_order(share: ChoiceShare) -> tuple[bool, int, int]:
        return share.k is None, order.get((share.model or "", share.aggregator or ""), -1), share.k or 0

    mine = next((share for share in shares if share.row == choice.row), None)
    mine = mine or ChoiceShare(choice.row, choice.model, choice.aggregator, choice.k, 0.0)  # which no draw chose
    others = [share for share in shares if share.row != choice.row]
    bars, rest = [], others[BARS - 1 :]
    for share in sorted([mine, *others[: BARS - 1]], key=table_order):
        whose = f"{name_of(table, share.model or '', share.aggregator or '')}, " if choice.pooled else ""
        text = "no choice" if share.k is None else f"{whose}k = {share.k}"
        bars.append((text, 100 * share.share, share.row == choice.row))
    if rest:
        bars.append((f"{len(rest)} others", 100 * sum(s.share for s in rest), False))
    return bars
