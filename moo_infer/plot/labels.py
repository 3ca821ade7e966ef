"""Placing texts beside points, so that none lies over another."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

__all__ = ["laid_out", "place_texts"]

# Where a text may stand, in points from its spot, the nearest first: right, left, above, below, then farther away, but
# not so far that its line crosses the picture.
DIRECTIONS = ((9, -9), (9, 9), (-9, -9), (-9, 9), (0, 13), (0, -13))
OFFSETS = [(dx * far, dy * far) for far in (1.0, 2.2, 4.0) for dx, dy in DIRECTIONS]


def laid_out(figure: Figure) -> RendererAgg:
    """Lay a figure out and return the renderer, which measures texts."""
    renderer: RendererAgg = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]  # without types
    if engine := figure.get_layout_engine():
        engine.execute(figure)  # that alone: drawing takes as long again, and moves nothing more
    else:
        figure.draw_without_rendering()
    return renderer


def place_texts(
    figure: Figure, axes: Axes, texts: Mapping[tuple[float, float], str], points: Sequence[tuple[float, float]]
) -> None:
    """Write texts beside points of the axes, within them, apart, and if possible clear of all points.

    Args:
        figure: the figure, complete but for the texts.
        axes: of the points.
        texts: by point, in data coordinates, the most important first; one that fits nowhere is left out.
        points: all points that are drawn.
    """
    renderer = laid_out(figure)
    inside = axes.get_window_extent(renderer)

    def around(point: tuple[float, float], size: float) -> Bbox:
        x, y = axes.transData.transform(point)
        return Bbox.from_bounds(x - size / 2, y - size / 2, size, size)

    taken = [around(point, 14) for point in texts]
    drawn = [around(point, 6) for point in points]
    for point, text in texts.items():
        written = axes.annotate(
            text, point, (0, 0), textcoords="offset points", fontsize=8, zorder=8, va="center",
            arrowprops={"arrowstyle": "-", "lw": 0.5, "color": "black", "shrinkA": 0, "shrinkB": 3},
            bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
        )  # fmt: skip

        def fits(written: Annotation, dx: float, dy: float, others: Sequence[Bbox]) -> bool:
            written.set_position((dx, dy))
            written.set_horizontalalignment("left" if dx > 0 else "right" if dx < 0 else "center")
            written.update_positions(renderer)
            box = Text.get_window_extent(written, renderer).padded(2)  # of the text, without its line
            within = inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
            return within and not any(box.overlaps(other) for other in others)

        tries = [(dx, dy, others) for others in ([*taken, *drawn], taken) for dx, dy in OFFSETS]
        if any(fits(written, dx, dy, others) for dx, dy, others in tries):
            taken.append(Text.get_window_extent(written, renderer).padded(2))
        else:
            written.remove()
