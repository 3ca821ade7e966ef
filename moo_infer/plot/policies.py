"""Picture of what policies are worth: accuracy against money or seconds, beside static rows and their mixtures."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..core.arguments import typed
from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.errors import MooInferError
from ..core.objectives import ACCURACY
from ..decide.candidates import Candidates
from ..estimate.curves import Curve
from .labels import place_texts
from .style import COLOURS, GREY, LIGHT, SHAPES, axes_of, height, limit_lines, plain, scaled_for

if TYPE_CHECKING:
    from ..report.report import Report

__all__ = ["hull", "policies"]

STEPS = 40  # of a line between two rows, which is none where an axis is logarithmic


@typed()
def policies(report: "Report", *, scenario: str | None = None, x: str | None = None) -> Figure:
    """Draw accuracy against another objective: rows without a policy, mixtures of them, and policies.

    A policy above the line of mixtures is worth its trouble: below it, sending each query to one of two rows at random
    is as accurate at the same mean.

    Args:
        report: whose table.
        scenario: may be left out where there is one; its limits are drawn, or named where they are far away.
        x: an objective; None for the first but accuracy.

    Raises:
        MooInferError: for names that the report does not have, and for a table without policies.

    >>> from moo_infer import Pipeline
    >>> report = Pipeline(k=[1], policies="fixed:k=3,aggregator=best-of-k").run("gpt-5", "essay-feedback")
    >>> policies(report).axes[0].get_xlabel()
    'cost (USD)'
    """
    outcome, table = report.outcome(scenario), report.candidates
    made = np.array([bool(table.curve(i).courses) for i in range(len(table))], dtype=bool)
    if not made.any():
        raise MooInferError("the table has no policies; ask for some (--policy NAME, --policy menu)")
    objective, accuracy = axes_of(table, [x, ACCURACY.name])
    xs, ys = table.column(objective.name), table.column(accuracy.name)
    figure = Figure(figsize=(9.6, 5.8), layout="constrained")
    axes = figure.subplots()
    limits = outcome.scenario.limits
    scaled_for(axes.xaxis, objective, table, limits)
    scaled_for(axes.yaxis, accuracy, table, limits)
    handles: list[Artist] = [
        *_static(axes, table, (xs, ys), made),
        *_policies(axes, table, (xs, ys), made),
        *limit_lines(axes, limits, table, (objective.name, accuracy.name)),
    ]
    title = f"{plain(outcome.scenario.name)}: policies, rows without one, and mixtures of rows"
    figure.suptitle(title, x=0.02, ha="left")
    figure.set_figheight(height(figure.get_figheight(), handles))
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=9)
    everywhere = hull(xs, ys, np.arange(len(table)))
    texts = {(float(xs[i]), float(ys[i])): _name(table, int(i)) for i in everywhere}
    place_texts(figure, axes, texts, list(zip(xs.tolist(), ys.tolist(), strict=True)))
    return figure


def hull(xs: FloatArray, ys: FloatArray, rows: IntArray) -> IntArray:
    """Return which rows mixtures of two at most are made of: those on the upper hull, from the least x upwards.

    >>> hull(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.5, 0.5, 0.9, 0.8]), np.arange(4))
    array([0, 2])
    """
    if not len(rows):
        return rows
    order = rows[np.lexsort((-ys[rows], xs[rows]))]
    found = [int(order[0])]
    while True:
        at = found[-1]
        further = order[(xs[order] > xs[at]) & (ys[order] > ys[at])]
        if not len(further):
            return np.array(found)
        slopes = (ys[further] - ys[at]) / (xs[further] - xs[at])
        found.append(int(further[np.argmax(slopes)]))


def _static(axes: Axes, table: Candidates, points: tuple[FloatArray, FloatArray], made: BoolArray) -> list[Artist]:
    """Rows without a policy, and the line of their mixtures."""
    xs, ys = points
    for curve in table.curves:
        rows = table.on(curve) & ~made
        axes.plot(xs[rows], ys[rows], color=LIGHT, lw=0.8, zorder=1)
    axes.scatter(xs[~made], ys[~made], 14, c="white", edgecolors=GREY, lw=0.8, zorder=2)
    handles: list[Artist] = [
        Line2D([], [], color=LIGHT, marker="o", mfc="white", mec=GREY, ms=4, lw=0.8, label="rows without a policy")
    ]
    for of, colour, style, label in (
        (np.flatnonzero(~made), GREY, "-", "mixtures of these rows"),
        (np.arange(len(xs)), COLOURS[1], ":", "mixtures with policies"),
    ):
        corners = hull(xs, ys, of)
        if not len(corners):  # all rows are made by policies
            continue
        axes.plot(*_line(xs[corners], ys[corners]), color=colour, ls=style, lw=1.6, zorder=1)
        handles.append(Line2D([], [], color=colour, ls=style, lw=1.6, label=label))
    return handles


def _line(xs: FloatArray, ys: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points of the straight lines between corners."""
    places = np.linspace(0, len(xs) - 1, max(1, (len(xs) - 1) * STEPS + 1))
    return np.interp(places, np.arange(len(xs)), xs), np.interp(places, np.arange(len(ys)), ys)


def _policies(axes: Axes, table: Candidates, points: tuple[FloatArray, FloatArray], made: BoolArray) -> list[Artist]:
    """A shape and a colour for each policy, on all models."""
    xs, ys = points
    handles: list[Artist] = []
    for i, name in enumerate(_names(table)):
        rows = made & np.array([_made_by(table.curve(j)) == name for j in range(len(table))])
        colour, shape = COLOURS[i % len(COLOURS)], SHAPES[i % len(SHAPES)]
        axes.scatter(xs[rows], ys[rows], 46, marker=shape, c=colour, edgecolors="black", lw=0.5, zorder=3)
        style = {"ls": "none", "marker": shape, "mfc": colour, "mec": "black", "mew": 0.5, "ms": 7}
        handles.append(Line2D([], [], label=plain(name), **style))  # type: ignore[arg-type]  # keywords
    return handles


def _names(table: Candidates) -> Sequence[str]:
    return list(dict.fromkeys(_made_by(curve) for curve in table.curves if curve.courses))


def _made_by(curve: Curve) -> str:
    """The policy of a curve, or its workflow, of which every combination is a curve."""
    return (curve.courses[0].workflow if curve.courses else "") or curve.aggregator


def _name(table: Candidates, i: int) -> str:
    curve = table.curve(i)
    return plain(curve.model) if curve.courses else f"{plain(curve.model)}, k = {table.k[i]}"
