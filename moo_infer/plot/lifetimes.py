"""Picture of a decision as a function of the number of queries."""

import numpy as np
from matplotlib.figure import Figure

from ..core.arguments import typed
from ..decide.lifetime import Lifetime
from .style import COLOURS, GREY, plain

__all__ = ["lifetime"]

DECADES = 2  # that are shown before the first break and after the last one
LABEL = 70  # characters of a name in the legend
POINTS = 400  # of a line, straight where axes are not logarithmic


@typed()
def lifetime(found: Lifetime) -> Figure:
    """Draw what each option takes over its life against the number of queries, the cheapest one bold.

    Args:
        found: what `moo_infer.decide.lifetime.lifetime` found.

    >>> import numpy as np
    >>> from moo_infer import COST, Candidates
    >>> from moo_infer.decide.lifetime import lifetime as decide
    >>> figure = lifetime(decide(Candidates.from_means([COST], [[2.0], [1.0]]), [], "cost"))
    >>> figure.axes[0].get_xlabel()
    'queries over the life'
    """
    breaks = [s.start for s in found.segments if s.start > 0]
    least, most = (min(breaks), max(breaks)) if breaks else (1e3, 1e3)
    R = np.geomspace(max(least / 10**DECADES, 1.0), max(most * 10**DECADES, 10.0), POINTS)
    figure = Figure(figsize=(9.6, 5.4), layout="constrained")
    axes = figure.subplots()
    chosen = list(dict.fromkeys(s.row for s in found.segments))
    for row in found.options:
        if row not in chosen:
            axes.plot(R, found.once[row] + R * found.each[row], color=GREY, lw=0.7, alpha=0.6)
    for i, row in enumerate(chosen):
        model, aggregator = found.candidates.curve(row).label
        colour = COLOURS[i % len(COLOURS)]
        total = found.once[row] + R * found.each[row]
        axes.plot(
            R, total, color=colour, lw=1.0, label=plain(f"{model}, {aggregator}, k = {found.candidates.k[row]}", LABEL)
        )
        for segment in (s for s in found.segments if s.row == row):
            inside = np.where((segment.start <= R) & (segment.end >= R), total, np.nan)
            axes.plot(R, inside, color=colour, lw=3.5, solid_capstyle="butt")
    for at in breaks:
        axes.axvline(at, color="black", lw=0.8, ls=":")
    axes.set_xscale("log")
    axes.set_yscale("log" if np.all(found.once + found.each > 0) else "linear")
    unit = found.candidates.objectives[found.candidates.index(found.objective)].unit
    axes.set_xlabel("queries over the life")
    axes.set_ylabel(f"{found.objective} over the life ({unit})")
    axes.spines[["top", "right"]].set_visible(False)
    if chosen:
        axes.legend(frameon=False, fontsize=9, loc="upper left")
    limits = ", ".join(map(str, found.limits)) or "no limits"
    figure.suptitle(
        f"The cheapest row for every number of queries: {plain(limits, 80)}", x=0.02, ha="left", fontsize=11
    )
    return figure
