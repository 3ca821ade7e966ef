"""The feasible space of one model in three objectives (paper, Figs 4-20)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.mplot3d.art3d import Line3DCollection, Poly3DCollection

from ..core.arguments import typed
from ..core.arrays import FloatArray
from ..core.errors import MooInferError
from ..core.objectives import Limit, Objective
from ..decide.candidates import Candidates
from .style import (
    GREY,
    LIGHT,
    ScenarioCurve,
    axes_of,
    choice_handles,
    height,
    infeasible_label,
    label_of,
    limit_text,
    mark,
    note,
    notes_of,
    scenario_curve,
)

if TYPE_CHECKING:
    from ..report.report import Report

__all__ = ["space"]

COLOUR_MAP = "viridis"
PLANES = ("#0072B2", "#E69F00", "#009E73")  # one colour a limited objective
SHOWN = 1.6  # rows beyond this many times a limit are left out, so that the feasible box stays visible
NEAR = 4.0  # limits farther than this many times the farthest row are named, not drawn
MARGIN = 1.04  # an axis ends so many times its farthest row or limit, so that no marker is cut


@typed()
def space(
    report: "Report",
    *,
    model: str | None = None,
    aggregator: str | None = None,
    scenario: str | None = None,
    axes: Sequence[str] | None = None,
) -> Figure:
    """Draw the means of one (model, aggregator) over k, the limits, and what every selector chooses.

    Points are coloured by the volume of the box between them and the limits, the product over all objectives of
    1 - loss (what ``max-cube`` maximises). Rows far beyond a limit are left out, and limits far beyond the rows are
    named in the legend only; the picture says so.

    Args:
        report: whose table and choices.
        model, aggregator, scenario: whose space; what the report holds one of may be left out.
        axes: three different objectives; None for the first two but accuracy, and accuracy upwards.

    Raises:
        MooInferError: for names that the report does not have, and for a table of fewer than three objectives.

    >>> from moo_infer import Pipeline
    >>> figure = space(Pipeline(k_max=32).run("gpt-5", "essay-feedback"))
    >>> figure.axes[0].get_xlabel(), figure.axes[0].get_zlabel()
    ('cost (USD)', 'accuracy')
    """
    if axes is not None and len(axes) != 3:
        raise MooInferError(f"axes: must be three objectives, got {axes!r}")
    shown = scenario_curve(report, model, aggregator, scenario)
    objectives = axes_of(shown.table, [None, None, None] if axes is None else list(axes))
    frame = _Frame(shown, objectives)
    figure = Figure(figsize=(9.6, 6.4))
    box: Any = figure.add_axes((0.0, 0.07, 0.67, 0.87), projection="3d")
    handles = [*_trajectory(box, frame), *_limits(box, frame)]
    volume = frame.volume
    colours = ScalarMappable(Normalize(0.0, float(volume.max()) or 1.0), COLOUR_MAP)
    box.scatter(*frame.points.T, c=colours.to_rgba(volume[frame.rows]), s=14, depthshade=False, label="volume")
    chosen = [c for c in shown.choices if c.row is not None and shown.row_of(c) in frame.rows]
    spots = [[float(v[shown.row_of(c)]) for v in frame.values] for c in chosen]
    floor = frame.ends[2][0]
    for x, y, z in {tuple(spot) for spot in spots}:
        box.plot([x, x], [y, y], [floor, z], color=GREY, lw=0.8, ls=":")
    mark(box, report, chosen, spots)
    utopia = [o.best for o in objectives]
    box.scatter(*([v] for v in utopia), marker="*", s=190, c="black", depthshade=False, zorder=7, label="utopia point")
    _style(box, frame)
    handles.append(Line2D([], [], ls="none", marker="*", ms=13, color="black", label="utopia point: all ideal"))
    handles = [*choice_handles(report, shown.choices), *handles]
    size = min(9.0, 9.0 * (figure.get_figheight() - 1.3) / height(0.0, handles))  # the bar of colours stands below
    figure.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.67, 0.93), frameon=False, fontsize=size)
    bar = figure.colorbar(colours, cax=figure.add_axes((0.70, 0.17, 0.25, 0.025)), orientation="horizontal")
    bar.set_label("volume left within the limits,\nproduct of (1 - loss) of all objectives", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    figure.suptitle(shown.title, x=0.03, ha="left")
    note(figure, [*frame.notes, *notes_of(shown.choices)], 130)
    return figure


class _Frame:
    """Three columns of a curve, which rows fit into the picture, and how far each axis reaches."""

    def __init__(self, curve: ScenarioCurve, objectives: Sequence[Objective]) -> None:
        table = curve.table
        self.table, self.objectives, self.curve = table, objectives, curve
        self.values = [table.column(o.name) for o in objectives]
        self.limits = [[limit for limit in curve.scenario.limits if limit.objective == o.name] for o in objectives]
        self.volume = _volume(table, curve)
        away = [np.maximum(o.shortfall(v), 0.0) for o, v in zip(objectives, self.values, strict=True)]
        # How far the tightest limit on the mean is from the ideal: that is where the feasible box ends.
        ends = [
            min((o.shortfall(float(limit.worst)) for limit in limits if limit.statistic == "mean"), default=None)
            for o, limits in zip(objectives, self.limits, strict=True)
        ]
        near = np.ones(len(table), dtype=bool)
        for o, a, end in zip(objectives, away, ends, strict=True):
            near &= (a <= SHOWN * end) if end is not None and o.scale is None else True
        self.rows = np.flatnonzero(near if near.sum() >= 3 else np.ones(len(table), dtype=bool))
        self.points = np.stack([v[self.rows] for v in self.values], axis=1)
        reach = [float(a[self.rows].max()) for a in away]
        self.drawn = [end is not None and 0 < end <= NEAR * (r or end) for end, r in zip(ends, reach, strict=True)]
        reach = [max(r, end) if d and end else r for r, end, d in zip(reach, ends, self.drawn, strict=True)]
        worst = [MARGIN * r or o.scale or 1.0 for o, r in zip(objectives, reach, strict=True)]
        worst = [w if o.scale is None else min(w, o.scale) for o, w in zip(objectives, worst, strict=True)]
        #: per axis the ascending ends of the picture, and of the feasible box
        self.ends = [sorted((o.best, o.best + o.sign * w)) for o, w in zip(objectives, worst, strict=True)]
        self.box = [
            (o.best, o.best + o.sign * (end if d and end else w))
            for o, end, d, w in zip(objectives, ends, self.drawn, worst, strict=True)
        ]

    @property
    def notes(self) -> list[str]:
        """Notes on what the picture leaves out."""
        k = self.table.k
        if len(self.rows) == len(k):
            return []
        inside = k[self.rows]
        return [
            f"Shown: k = {inside.min()} to {inside.max()} of {k.min()} to {k.max()}; the rest is far beyond a limit."
        ]


def _volume(table: Candidates, curve: ScenarioCurve) -> FloatArray:
    """(n,) products over all objectives of 1 - loss under the limits of the scenario, also of infeasible rows."""
    scales = curve.outcome.scales
    left = [
        1.0 - o.shortfall(table.column(o.name)) / (scales[o.name] if scales[o.name] > 0 else 1.0)
        for o in table.objectives
    ]
    volume: FloatArray = np.prod(np.clip(left, 0.0, 1.0), axis=0)
    return volume


def _trajectory(box: Any, frame: _Frame) -> list[Artist]:
    """Draw the curve, its shadow on the floor, and crosses on the infeasible rows."""
    x, y, z = frame.points.T
    floor = np.full_like(z, frame.ends[2][0])
    box.plot(x, y, z, color=GREY, lw=1.0, label="means over k")
    box.plot(x, y, floor, color=LIGHT, lw=1.2, label="shadow")
    out = ~frame.curve.feasible[frame.rows]
    handles: list[Artist] = [
        Line2D([], [], color=GREY, lw=1.0, marker="o", ms=4, label=f"means, a point a k ({len(x)})"),
        Line2D([], [], color=LIGHT, lw=1.2, label="its shadow on the floor"),
    ]
    if out.any():
        box.scatter(x[out], y[out], z[out], marker="x", c="black", s=30, lw=0.9, depthshade=False, label="infeasible")
        text = infeasible_label(frame.curve.report)
        handles.append(Line2D([], [], ls="none", marker="x", color="black", ms=6, label=text))
    return handles


def _limits(box: Any, frame: _Frame) -> list[Artist]:
    """Draw the feasible box, and as its faces the planes of the limits."""
    handles: list[Artist] = []
    (x0, x1), (y0, y1), (z0, z1) = frame.box
    corners = np.array([[x, y, z] for x in (x0, x1) for y in (y0, y1) for z in (z0, z1)])
    edges = [(a, b) for i, a in enumerate(corners) for b in corners[i + 1 :] if (a != b).sum() == 1]
    if any(frame.drawn):
        box.add_collection3d(Line3DCollection(edges, colors="black", linewidths=0.7, label="feasible box"))
        handles.append(Line2D([], [], color="black", lw=0.7, label="feasible box"))
    for j, colour in enumerate(PLANES):
        tight = _tightest(frame.limits[j], frame.objectives[j])
        for limit in frame.limits[j]:
            text = limit_text(limit, frame.table)
            if limit is tight and frame.drawn[j]:
                face = _in_order(corners[corners[:, j] == frame.box[j][1]])
                plane = Poly3DCollection([face], facecolors=colour, alpha=0.16, edgecolors=colour, label=text)
                box.add_collection3d(plane)
                handles.append(Patch(facecolor=colour, alpha=0.35, edgecolor=colour, label=text))
            else:
                beyond = "beyond the picture" if limit.statistic == "mean" else "on a quantile: not drawn"
                beyond = "at the ideal" if limit.worst == frame.objectives[j].best else beyond
                handles.append(Line2D([], [], ls="none", label=f"{text}\n({beyond})"))
    names = [o.name for o in frame.objectives]
    rest = [limit for limit in frame.curve.scenario.limits if limit.objective not in names]
    return handles + [Line2D([], [], ls="none", label=f"{limit_text(limit, frame.table)}\n(no axis)") for limit in rest]


def _tightest(limits: Sequence[Limit], objective: Objective) -> Limit | None:
    means = [limit for limit in limits if limit.statistic == "mean"]
    return min(means, key=lambda limit: objective.shortfall(float(limit.worst)), default=None)


def _in_order(corners: FloatArray) -> Any:
    """Four corners of a rectangle, going around."""
    return corners[[0, 1, 3, 2]]


def _style(box: Any, frame: _Frame) -> None:
    setters = ((box.set_xlim, box.set_xlabel), (box.set_ylim, box.set_ylabel), (box.set_zlim, box.set_zlabel))
    for (set_limits, set_label), ends, objective in zip(setters, frame.ends, frame.objectives, strict=True):
        set_limits(*ends)
        set_label(label_of(objective), labelpad=8)
    for axis in (box.xaxis, box.yaxis, box.zaxis):
        axis.set_major_locator(MaxNLocator(5))
    box.tick_params(labelsize=8)
    box.view_init(elev=20, azim=-58)
    box.set_box_aspect((1, 1, 0.85), zoom=1.03)
