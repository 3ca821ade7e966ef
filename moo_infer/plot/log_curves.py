"""The picture of a log: what k calls of its model are worth, with both intervals."""

from typing import TYPE_CHECKING

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..core.arguments import typed
from .style import COLOURS, plain

if TYPE_CHECKING:
    from ..calibrate.log_summary import LogSummary

__all__ = ["log_curves"]

NAMES = {  # by the field of a summary, in two panels: shares and grades, and seconds
    "pass_at_k": "one of k is right (pass@k)",
    "vote_at_k": "the vote of k is right (vote@k)",
    "best_scored_at_k": "the best-scored of k is right",
    "all_at_k": "all k are right (all@k)",
    "best_at_k": "best grade of k",
    "slowest_of_k_s": "slowest of k calls",
}


@typed()
def log_curves(summary: "LogSummary") -> Figure:
    """Draw what k calls are worth by a log, and how long the slowest takes, against k.

    The wide bands are the intervals for other questions, the narrow ones those for these questions in the long run.

    Args:
        summary: what `moo_infer.calibrate.summarise` says of a model.

    >>> import numpy as np
    >>> from moo_infer.calibrate import summarise
    >>> from moo_infer.quantities.samples import Samples
    >>> log = Samples("mine", ["a", "b"], np.repeat([0, 1], 4), np.array([1.0, 0, 1, 1, 0, 0, 1, 0]))
    >>> [axes.get_ylabel() for axes in log_curves(summarise(log)).axes]
    ['share of questions']
    """
    curves = {name: curve for name in NAMES if (curve := getattr(summary, name)) is not None}
    graded = "best_at_k" in curves
    panels = [[name for name in curves if name != "slowest_of_k_s"]]
    panels += [["slowest_of_k_s"]] if "slowest_of_k_s" in curves else []
    figure = Figure(figsize=(9.6, 4.8 if len(panels) == 1 else 7.6), layout="constrained")
    for axes, names in zip(figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0], panels, strict=True):
        for name in names:
            colour, curve = COLOURS[list(NAMES).index(name) % len(COLOURS)], curves[name]
            axes.fill_between(summary.k, curve.low, curve.high, color=colour, alpha=0.12, lw=0)
            axes.fill_between(summary.k, curve.same_low, curve.same_high, color=colour, alpha=0.35, lw=0)
            axes.plot(summary.k, curve.value, color=colour, lw=1.4, marker="o", ms=3.5, label=NAMES[name])
        seconds = names == ["slowest_of_k_s"]
        axes.set_ylabel("seconds" if seconds else "grade" if graded else "share of questions")
        axes.set_ylim(bottom=0) if seconds else axes.set_ylim(-0.02, 1.02)
        axes.legend(frameon=False, fontsize=9, loc="best")
        axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("number of samples k")
    axes.xaxis.set_major_locator(MaxNLocator(10, steps=[1, 2, 5, 10], integer=True))
    level = f"{100 * summary.confidence:g} %"
    figure.suptitle(
        f"{plain(summary.model)}: {summary.questions} questions, {summary.scored} samples\n"
        f"{level} intervals: light, had other questions been asked; dark, these questions in the long run",
        x=0.02,
        ha="left",
        fontsize=11,
    )
    return figure
