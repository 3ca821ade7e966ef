"""Picture of a budget over classes of queries."""

import numpy as np
from matplotlib.figure import Figure

from ..core.arguments import typed
from ..core.objectives import ACCURACY
from ..decide.fleet import FleetAllocation, by_budget
from .style import COLOURS, GREY, plain

__all__ = ["allocation"]

LABEL = 40  # characters of a name in the legend


@typed()
def allocation(found: FleetAllocation) -> Figure:
    """Draw accuracy against the budget, and what each class spends of it.

    Args:
        found: what `moo_infer.decide.fleet.allocate_classes` found.

    >>> from moo_infer import ACCURACY, COST, Candidates
    >>> from moo_infer.decide.fleet import QueryClass, allocate_classes
    >>> table = Candidates.from_means([COST, ACCURACY], [[0.01, 0.5], [0.02, 0.7]])
    >>> figure = allocation(allocate_classes([QueryClass("all", 1.0, table)], 200.0, 10_000))
    >>> [axes.get_ylabel() for axes in figure.axes]
    ['accuracy', 'spent (USD)']
    """
    each = [one for one in by_budget(found) if one.rows]
    usd = np.array([one.budget for one in each])
    figure = Figure(figsize=(9.6, 6.4), layout="constrained")
    above, below = figure.subplots(2, sharex=True, height_ratios=(3, 2))
    colour, mixed = COLOURS[0], [one.allocation.mixture for one in each if one.allocation]
    above.plot(usd, mixed, color=GREY, lw=1, ls=":", label="a class shared by two rows")
    above.step(usd, [one.objectives[ACCURACY.name] for one in each], color=colour, lw=2, where="post", label="by class")
    shared = [(one.budget, one.plain.accuracy) for one in each if one.plain]
    if shared:
        above.plot(*np.array(shared).T, color="black", lw=1, ls="--", label="one mixture for all")
    if found.rows:
        above.plot([found.budget], [found.objectives[ACCURACY.name]], "o", color=colour, ms=7)
    above.set_ylabel(ACCURACY.name)
    spent = np.array([one.usd for one in each]).T
    names = [plain(f"{one.name} ({100 * one.share:.3g} %)", LABEL) for one in found.classes]
    below.stackplot(
        usd, spent, labels=names, colors=[COLOURS[i % len(COLOURS)] for i in range(len(names))], step="post"
    )
    for axes in (above, below):
        axes.axvline(found.budget, color="black", lw=0.8, ls=":")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=9, loc="upper left")
    below.set_xlabel(f"budget for {found.queries:,} queries (USD)")
    below.set_ylabel("spent (USD)")
    figure.suptitle("Accuracy against the budget, and what each class spends of it", x=0.02, ha="left", fontsize=11)
    return figure
