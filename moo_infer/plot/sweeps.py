"""Pictures of a sweep: what is chosen, and what that gives, as settings change."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..core.arrays import FloatArray
from ..core.errors import MooInferError
from ..core.objectives import ACCURACY, COMPUTE, COST, ENERGY, LATENCY
from ..report.sweeps import settings_of
from .files import Picture
from .style import COLOURS, DECADE, GREY, SHAPES, label_of, logarithmic, plain

if TYPE_CHECKING:
    import polars

__all__ = ["MOST", "sweep", "sweep_pictures"]

MOST = 100  # pictures: nobody looks at more
FEW = 12  # choices of a line whose k can be written beside them
WIDE = 60  # characters of the name of a setting
COLUMNS = 3  # of the legend
LINE = 0.22  # inches of a line in it
SAME = ("scenario", "selector")  # columns of which a picture has one value
KNOWN = {objective.name: objective for objective in (ACCURACY, COST, LATENCY, ENERGY, COMPUTE)}  # whose units are known
Places = Callable[["polars.DataFrame"], FloatArray]


def sweep_pictures(frame: "polars.DataFrame") -> list[Picture]:
    """Return the pictures of a sweep: along the setting with the most values, a line for each value of another.

    Args:
        frame: what `moo_infer.read_sweep` gives.

    Raises:
        MooInferError: where there would be more than 100.
    """
    x, by, others = _settings(frame)
    several = [*others, *(name for name in SAME if frame[name].drop_nulls().n_unique() > 1)]
    there = frame.filter(frame["state"] != "refused")
    parts = list(there.group_by(*SAME, *others, maintain_order=True))
    if len(parts) > MOST:
        raise MooInferError(f"--plot: {len(parts):,} pictures would be drawn, at most {MOST} are; sweep fewer settings")
    pictures: list[Picture] = []
    for values, part in parts:
        same = dict(zip((*SAME, *others), values, strict=True))
        pictures.append((["sweep", *(str(same[name]) for name in several)], partial(sweep, part, x, by, same)))
    return pictures


def _settings(frame: "polars.DataFrame") -> tuple[str, str | None, list[str]]:
    """The setting along which a picture goes, the one that has a line for each value, and the others."""
    settings = settings_of(frame)
    counts = {name: frame[name].n_unique() for name in settings}
    varied = [name for name in settings if counts[name] > 1] or settings[:1]
    varied.sort(key=lambda name: (not frame[name].dtype.is_numeric(), -counts[name]))
    x, *rest = varied
    by = max((name for name in rest if counts[name] <= len(COLOURS)), key=lambda name: counts[name], default=None)
    return x, by, [name for name in rest if name != by]


def sweep(frame: "polars.DataFrame", x: str, by: str | None, same: Mapping[str, Any]) -> Figure:
    """Draw the accuracy and the consumption of what is chosen along a setting.

    Args:
        frame: rows of a sweep, one for each value of `x` and `by`.
        x: the setting along which it goes.
        by: the setting that has a line for each of its values; None for one line.
        same: what is the same for all rows, by column.

    >>> import polars
    >>> cells = {"task": ["a", "b"], "max_cost": [0.1, 0.2], "state": ["decided"] * 2, "model": ["m"] * 2, "k": [1, 2]}
    >>> figures = {f"accuracy.{name}": [0.5, 0.7] for name in ("mean", "interval_low", "interval_high")}
    >>> sweep(polars.DataFrame(cells | figures), "max_cost", None, {}).axes[0].get_xlabel()
    'max_cost'
    """
    names = [column.removesuffix(".mean") for column in frame.columns if column.endswith(".mean")]
    consumed = [name for name in names if name != ACCURACY.name and frame[f"{name}.mean"].count()]
    rows = [ACCURACY.name, *consumed[:2]]
    figure = Figure(figsize=(9.6, 1.6 + 2.1 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
    lines = list(zip(frame[by].unique(maintain_order=True).to_list() if by else [None], COLOURS, strict=False))
    models = dict(zip(frame["model"].drop_nulls().unique(maintain_order=True).to_list(), cycle(SHAPES), strict=False))
    places = _places(frame, x)
    for axes, name in zip(panels, rows, strict=True):
        for value, colour in lines:
            part = frame.filter(frame[by].eq_missing(value)) if by else frame
            _line(axes, part, places(part), name, colour, models)
        axes.set_ylabel(f"{label_of(KNOWN[name]) if name in KNOWN else plain(name)}\nof the choice")
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(y=0.12)
        _scaled(axes.yaxis, frame[f"{name}.mean"].drop_nulls().to_numpy(), logarithms=name != ACCURACY.name)
    _named(panels[-1], frame, x)
    handles = _legend(frame, by, lines, models)
    figure.legend(handles=handles, loc="outside lower left", ncols=COLUMNS, frameon=False, fontsize=9)
    figure.set_figheight(figure.get_figheight() + LINE * -(-len(handles) // COLUMNS))
    told = ", ".join(f"{name} = {_value(value)}" for name, value in same.items())
    figure.suptitle(f"What is chosen along {plain(x, WIDE)}\n{plain(told, 2 * WIDE)}", x=0.02, ha="left", fontsize=11)
    return figure


def _places(frame: "polars.DataFrame", x: str) -> Places:
    """What gives the places of rows along the axis: numbers as they are, other values one after the other."""
    if _numbers(frame, x):
        return lambda part: part[x].cast(float).to_numpy()
    order = {value: i for i, value in enumerate(frame[x].unique(maintain_order=True).to_list())}
    return lambda part: np.array([order[value] for value in part[x].to_list()], dtype=float)


def _numbers(frame: "polars.DataFrame", x: str) -> bool:
    """Whether all values of a setting are numbers: one that is left out at some points has no place among them."""
    return frame[x].dtype.is_numeric() and not frame[x].null_count()


def _value(value: Any) -> str:
    """The text of a value of a setting."""
    return "left out" if value is None else str(value)


def _named(axes: Axes, frame: "polars.DataFrame", x: str) -> None:
    """The axis of a setting: its name, and its values where they are no numbers."""
    axes.set_xlabel(plain(x, WIDE))
    if _numbers(frame, x):
        _scaled(axes.xaxis, frame[x].cast(float).to_numpy())
    else:
        values = frame[x].unique(maintain_order=True).to_list()
        axes.set_xticks(range(len(values)), [plain(_value(value)) for value in values])


def _scaled(axis: Axis, values: FloatArray, *, logarithms: bool = True) -> None:
    """Make an axis logarithmic where its values span more than a decade."""
    if logarithms and len(values) and 0 < values.min() < values.max() / DECADE:
        logarithmic(axis, values)


def _line(
    axes: Axes, part: "polars.DataFrame", at: FloatArray, name: str, colour: str, models: Mapping[str, Any]
) -> None:
    """One line with the interval of its means, and a mark for the model of each choice, with its k."""
    order = np.argsort(at, kind="stable")
    part, at = part[order.tolist()], at[order]
    mean, low, high = (
        part[f"{name}.{end}"].fill_null(np.nan).to_numpy() for end in ("mean", "interval_low", "interval_high")
    )
    axes.plot(at, mean, color=colour, lw=1.5, alpha=0.8)
    axes.fill_between(at, low, high, color=colour, alpha=0.12, lw=0)
    chosen = part["model"].to_list()
    for model, shape in models.items():
        mine = np.array([of == model for of in chosen])
        axes.plot(at[mine], mean[mine], color=colour, ls="none", marker=shape, ms=5.5)
    none = np.array([of is None for of in chosen])
    if none.any():  # without a point the layout would have no end
        bottom: dict[str, Any] = {"transform": axes.get_xaxis_transform(), "clip_on": False}
        axes.plot(at[none], np.zeros(none.sum()), color=colour, ls="none", marker="x", ms=6, **bottom)
    if name == ACCURACY.name and len(part) <= FEW:
        for place, value, k in zip(at, mean, part["k"].to_list(), strict=True):
            if k is not None:
                beside: dict[str, Any] = {
                    "textcoords": "offset points",
                    "xytext": (0, 6),
                    "ha": "center",
                    "fontsize": 8,
                }
                axes.annotate(f"k = {k}", (place, value), color=colour, **beside)


def _legend(
    frame: "polars.DataFrame", by: str | None, lines: Sequence[tuple[Any, str]], models: Mapping[str, Any]
) -> list[Artist]:
    """What lines, marks and crosses mean."""
    handles: list[Artist] = []
    if by:
        name = by.rpartition(".")[2]  # of a path, which is long
        handles += [
            Line2D([], [], color=colour, lw=2, label=plain(f"{name} = {_value(value)}")) for value, colour in lines
        ]
    for model, shape in models.items():
        handles.append(Line2D([], [], color=GREY, ls="none", marker=shape, label=f"chosen: {plain(model)}"))
    if frame["model"].null_count():
        reasons = frame["reason"].filter(frame["model"].is_null()).unique()
        why = f": {reasons[0]}" if len(reasons) == 1 else ""
        handles.append(Line2D([], [], color=GREY, ls="none", marker="x", label=plain(f"no choice{why}", WIDE)))
    return handles
