"""What a log says of its models, as people read it."""

import numpy as np

from ..core.arrays import IntArray
from ..report.wording import Block, Cell, TextTable
from .intervals import Interval
from .log_summary import LogSummary

__all__ = ["counted", "figure", "in_a_line", "one_call", "sentence", "shown_rows", "tabled"]

ABREAST = 4  # curves with their intervals in 80 columns

CURVES = {  # by the field of the estimates
    "pass_at_k": "pass@k",
    "all_at_k": "all@k",
    "best_at_k": "best@k",
    "vote_at_k": "vote@k",
    "best_scored_at_k": "by score",
    "slowest_of_k_s": "slowest, s",
}
MEANS = {
    "mean_input_tokens": "input tokens",
    "mean_output_tokens": "output tokens",
    "mean_latency_s": "s",
    "mean_cost_usd": "USD",
    "mean_energy_j": "J",
}


def tabled(estimates: LogSummary) -> list[Block]:
    """A table of the powers of two, and the largest k, with intervals; and what to know about it."""
    k, shown = estimates.k.tolist(), shown_rows(estimates.k)
    curves = {name: curve for field, name in CURVES.items() if isinstance(curve := getattr(estimates, field), Interval)}
    tables = []
    for start in range(0, len(curves), ABREAST):
        names = [*curves][start : start + ABREAST]
        rows: list[tuple[Cell, ...]] = [(str(k[i]), *(figure(curves[name], i) for name in names)) for i in shown]
        tables.append(TextTable(("k", *names), tuple(rows), 1))
    title = (
        f"{estimates.model}: {counted(estimates.questions, 'question')}, {counted(estimates.scored, 'scored sample')}, "
        f"{100 * estimates.confidence:g} % intervals: [had other questions been asked], (these questions in the long "
        "run)"
    )
    again = any(np.isfinite(curve.again_low).any() for curve in curves.values())
    second = "a second run of these questions, of the same size, falls into 1.4 times the width of ( )" * again
    said = [one_call(estimates), second, *estimates.remarks()]
    return [title, *tables, *(sentence(line) for line in said if line)]


def shown_rows(k: IntArray) -> list[int]:
    """Return which values of k (m,) are shown: powers of two, the first and the last."""
    return sorted({0, len(k) - 1, *(i for i, value in enumerate(k.tolist()) if value & (value - 1) == 0)})


def in_a_line(estimates: LogSummary) -> str:
    """How much there is, and what the smallest and the largest k are worth."""
    curves = {"pass": estimates.pass_at_k, "best": estimates.best_at_k, "vote": estimates.vote_at_k}
    worth = [
        f"{name}@{estimates.k[i]} {' '.join(figure(curve, i))}"
        for name, curve in curves.items()
        if curve is not None
        for i in sorted({0, len(estimates.k) - 1})
    ]
    there = f"{counted(estimates.questions, 'question')}, {counted(estimates.scored, 'scored sample')}"
    return f"{there}; in brackets {100 * estimates.confidence:g} % intervals: {', '.join(worth)}"


def counted(n: int, what: str) -> str:
    """Return ``1 question``, ``2 questions``."""
    return f"{n} {what}{'s' * (n != 1)}"


def sentence(note: str) -> str:
    """Return a note as a sentence; names of columns at its beginning stay as they are."""
    first = note.split(maxsplit=1)[0]
    return f"{note}." if "_" in first or "@" in first or first == "k" else f"{note[0].upper()}{note[1:]}."


def one_call(estimates: LogSummary) -> str:
    """What a call takes on average; nothing where the log does not say."""
    means = [(unit, getattr(estimates, field)) for field, unit in MEANS.items()]
    listed = [f"{' '.join(figure(mean))} {unit}" for unit, mean in means if mean is not None]
    return f"one call: {', '.join(listed)}" if listed else ""


def figure(estimated: Interval, i: int | tuple[()] = ()) -> tuple[str, ...]:
    """A number, and its intervals where there are some: [other questions], (these questions)."""
    if np.isnan(value := float(estimated.value[i])):
        return ("-",)
    intervals = (
        ("[{:.4g}, {:.4g}]", estimated.low[i], estimated.high[i]),
        ("({:.4g}, {:.4g})", estimated.same_low[i], estimated.same_high[i]),
    )
    return (f"{value:.4g}", *(form.format(low, high) for form, low, high in intervals if not np.isnan(low)))
