"""Decision maps as labelled regions."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, PathPatch
from matplotlib.path import Path
from matplotlib.text import Text
from scipy.ndimage import distance_transform_edt, minimum_filter

from ..core.arguments import typed
from ..core.arrays import BoolArray, FloatArray
from ..decide.map import DecisionMap, decision_map
from .labels import laid_out
from .style import (
    HATCHES,
    axes_of,
    height,
    label_of,
    limit_text,
    limit_words,
    logarithmic,
    name_of,
    note,
    plain,
    pool_title,
    spans_decades,
)

if TYPE_CHECKING:
    from ..report.report import Report

__all__ = ["decisions"]

REGIONS = 8  # the rows that are chosen are grouped into about so many
FILLS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#555555")
HATCHING = "#7A7A7A"  # opaque: PDF knows no other hatching
POINT: dict[str, Any] = {"marker": "*", "ls": "none", "ms": 17, "mfc": "white", "mec": "black", "mew": 1.3, "zorder": 6}
BEHIND = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.75}
LIGHTEST, DARKEST = 0.80, 0.35  # shares of white in the colours of a model's smallest and largest k


@dataclass(frozen=True, eq=False)
class _Region:
    """(ny, nx) cells that are drawn alike, with their text and style."""

    cells: BoolArray
    text: str
    colour: Any
    hatch: str


@typed()
def decisions(
    report: "Report",
    *,
    x: str | None = None,
    y: str | None = None,
    scenario: str | None = None,
    selector: str | None = None,
    size: int = 60,
) -> Figure:
    """Draw which model and k a selector chooses under every pair of two budgets; see `decision_map`.

    A region is a (model, aggregator) with a k or a range of k: colour and hatching say whose it is, and a darker shade
    a larger k. Thin lines within a region show where k changes.

    Args:
        report: whose pooled table is decided over.
        x, y: two different objectives; None for the first ones but accuracy.
        scenario: whose other limits hold; may be left out where there is one.
        selector: a selector of the report; None for its headline.
        size: how many budgets of each, >= 2.

    Raises:
        MooInferError: for names that the report does not have, and for a table of fewer than two objectives.

    >>> from moo_infer import Pipeline
    >>> figure = decisions(Pipeline(selectors="max-accuracy", k_max=16).run("gpt-5", "essay-feedback"), size=12)
    >>> figure.axes[0].get_xlabel()
    'budget: mean cost (USD)'
    """
    names = [x, y] if y is not None or len(report.candidates.objectives) < 3 else [x, None, None]
    across, up = axes_of(report.candidates, names)[:2]  # rather a second budget than accuracy
    plane = decision_map(report, across.name, up.name, scenario=scenario, selector=selector, size=size)
    figure = Figure(figsize=(9.6, 5.8), layout="constrained")
    axes = figure.subplots()
    edges = _edges(plane.x_values), _edges(plane.y_values)
    for axis, values, objective, statistic in zip(
        (axes.xaxis, axes.yaxis), (plane.x_values, plane.y_values), (across, up), plane.statistics, strict=True
    ):
        axis.set_label_text(f"budget: {'mean ' * (statistic == 'mean')}{label_of(objective, statistic)}")
        if spans_decades(values):
            logarithmic(axis, values)
    axes.tick_params(pad=9)  # a point at the edge hides no number
    axes.set(xlim=edges[0][[0, -1]], ylim=edges[1][[0, -1]])
    regions = _regions(plane)
    owner = _filled(axes, edges, regions)
    _borders(axes, edges, plane.rows, 0.4)
    _borders(axes, edges, owner, 1.4)
    handles: list[Artist] = [
        Patch(facecolor=r.colour, hatch=r.hatch, edgecolor=HATCHING, label=r.text) for r in regions
    ]
    handles += _own(axes, plane)
    table = plane.candidates
    figure.suptitle(
        f"{pool_title(table, plane.scenario.name)}\nwhat {plain(plane.selector)} chooses under two budgets",
        x=0.02,
        ha="left",
    )
    figure.set_figheight(height(figure.get_figheight(), handles))
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=9)
    others = [limit_words(limit, table) for limit in plane.scenario.limits if limit not in plane.limits]
    notes = [f"Everywhere: {', '.join(others)}."] if others else []
    notes += [f"No choice: {plane.reason}."] if plane.reason else []
    notes += [f"* {sentence}." for sentence in _extrapolated(plane)]
    if report.confidence is not None:
        notes.append(f"Limits hold in {100 * report.confidence:g} % of the draws.")
    note(figure, notes)
    _write(figure, axes, plane, regions)
    return figure


def _filled(axes: Axes, edges: tuple[FloatArray, FloatArray], regions: list[_Region]) -> npt.NDArray[np.int_]:
    """Fill the regions, and return (ny, nx) which one each cell belongs to, -1 for none."""
    owner = np.full((len(edges[1]) - 1, len(edges[0]) - 1), -1)
    for i, region in enumerate(regions):
        axes.add_patch(
            PathPatch(
                _outline(region.cells, edges), facecolor=region.colour, hatch=region.hatch, edgecolor=HATCHING, lw=0,
                antialiased=False, label=region.text,
            )
        )  # fmt: skip
        owner[region.cells] = i
    return owner


def _regions(plane: DecisionMap) -> list[_Region]:
    """Group the chosen rows by (model, aggregator), and those by k, the largest groups being split first."""
    groups = plane.labels
    pieces = dict.fromkeys(groups, 1)
    while sum(pieces.values()) < REGIONS and any(len(ks) > pieces[label] for label, ks in groups.items()):
        pieces[max(groups, key=lambda label: len(groups[label]) / pieces[label])] += 1
    table, regions = plane.candidates, []
    for label, ks in groups.items():
        index = [curve.label for curve in table.curves].index(label)
        of_curve = table.on(table.curves[index])
        several = len(table.curves) > 1
        for i, part in enumerate(np.array_split(np.array(ks), pieces[label])):
            cells = (plane.rows >= 0) & (of_curve & np.isin(table.k, part))[plane.rows]
            beyond = table.extrapolated(int(np.flatnonzero(of_curve & (table.k == part[-1]))[0]))
            span = (f"k = {part[0]}" if len(part) == 1 else f"k = {part[0]} to {part[-1]}") + "*" * bool(beyond)
            white = LIGHTEST - (LIGHTEST - DARKEST) * i / max(pieces[label] - 1, 1)
            colour = (1 - white) * np.array(to_rgb(FILLS[index % len(FILLS)])) + white
            text = f"{name_of(table, *label)}, {span}" if several else span
            regions.append(_Region(cells, text, tuple(colour), HATCHES[index % len(HATCHES)]))
    for cells, text, grey, hatch in (
        ((plane.rows < 0) & plane.feasible, "no choice", "#E0E0E0", "..."),
        (~plane.feasible, "nothing is feasible", "white", "xxx"),
    ):
        if cells.any():
            regions.append(_Region(cells, text, grey, hatch))
    return regions


def _extrapolated(plane: DecisionMap) -> list[str]:
    """Remarks on extrapolated rows among those chosen, each once."""
    sentences = [plane.candidates.extrapolated(int(row)) for row in np.unique(plane.rows[plane.rows >= 0])]
    return list(dict.fromkeys(text.split(" (")[0] for text in sentences if text))


def _edges(values: FloatArray) -> FloatArray:
    """(n + 1,) where cells end: half way between the budgets, in their logarithm where the axis is logarithmic."""
    between = np.sqrt(values[1:] * values[:-1]) if spans_decades(values) else (values[1:] + values[:-1]) / 2
    return np.concatenate([values[:1], between, values[-1:]])


def _outline(cells: BoolArray, edges: tuple[FloatArray, FloatArray]) -> Path:
    """Cells as one path, a rectangle for every run of them in a row."""
    vertices: list[tuple[float, float]] = []
    for j, row in enumerate(cells):
        ends = np.flatnonzero(np.diff(np.concatenate([[False], row, [False]]).astype(int)))
        for start, stop in ends.reshape(-1, 2):
            x0, x1, y0, y1 = edges[0][start], edges[0][stop], edges[1][j], edges[1][j + 1]
            vertices += [(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)]
    codes = [Path.MOVETO, *([Path.LINETO] * 3), Path.CLOSEPOLY] * (len(vertices) // 5)
    return Path(np.array(vertices).reshape(-1, 2), codes)


def _borders(axes: Axes, edges: tuple[FloatArray, FloatArray], values: npt.NDArray[np.intp], width: float) -> None:
    """Draw the lines between cells of different values."""
    x, y = edges
    lines = [[(x[i + 1], y[j]), (x[i + 1], y[j + 1])] for j, i in np.argwhere(values[:, 1:] != values[:, :-1])]
    lines += [[(x[i], y[j + 1]), (x[i + 1], y[j + 1])] for j, i in np.argwhere(values[1:] != values[:-1])]
    axes.add_collection(LineCollection(lines, colors="black", linewidths=width, capstyle="round"), autolim=False)


def _own(axes: Axes, plane: DecisionMap) -> list[Artist]:
    """Mark the scenario's own limits: a point, or a line where it limits one of the two."""
    across, up = plane.limits
    texts = [limit_text(limit, plane.candidates, "") for limit in plane.limits if limit]
    text = f"limits of {plain(plane.scenario.name)}:\n" + "\n".join(texts)
    if across and up:
        axes.plot(across.worst, up.worst, label=text, clip_on=False, **POINT)
        return [Line2D([], [], label=text, **POINT)]
    line: dict[str, Any] = {"color": "black", "lw": 2.0, "ls": "--"}
    if across:
        axes.axvline(float(across.worst), label=text, **line)
    elif up:
        axes.axhline(float(up.worst), label=text, **line)
    return [Line2D([], [], label=text, **line)] if texts else []


def _write(figure: Figure, axes: Axes, plane: DecisionMap, regions: Sequence[_Region]) -> None:
    """Write the text of every region into it where it fits, or its k alone; the legend has all of them."""
    renderer = laid_out(figure)
    area = axes.get_window_extent(renderer)
    ny, nx = plane.rows.shape
    blocked = np.zeros(plane.rows.shape, dtype=bool)
    across, up = plane.limits
    if across and up:
        i, j = np.searchsorted(plane.x_values, across.worst), np.searchsorted(plane.y_values, up.worst)
        blocked[max(j - ny // 20, 0) : j + ny // 20 + 1, max(i - nx // 40, 0) : i + nx // 40 + 1] = True
    for region in regions:
        free = region.cells & ~blocked
        depth = distance_transform_edt(np.pad(free, 1))[1:-1, 1:-1]
        for text in (region.text, region.text.replace(", ", "\n"), region.text.split(", ")[-1]):
            written = axes.text(0, 0, text, fontsize=8, ha="center", va="center", zorder=5, bbox=BEHIND)
            box = Text.get_window_extent(written, renderer).padded(2)
            sides = box.height / area.height * ny, box.width / area.width * nx
            window = [2 * math.ceil(side / 2) + 1 for side in sides]  # odd, so that the text is in its middle
            fits = minimum_filter(free, window, mode="constant", cval=False)
            if fits.any():
                j, i = np.unravel_index(np.argmax(np.where(fits, depth, -1.0)), fits.shape)
                written.set_position((plane.x_values[i], plane.y_values[j]))
                break
            written.remove()
