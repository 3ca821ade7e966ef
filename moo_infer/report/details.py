"""Every figure of every choice: a table for each row that is chosen, a line an objective."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from ..decide.choices import Choice
from ..decide.stability import ChoiceShare
from ..estimate.rows import Row
from .facts import Outcome
from .policies import does
from .wording import Block, Cell, TextTable, named

if TYPE_CHECKING:
    from .report import Report

__all__ = ["figures"]

OTHER, SAME, DRAWS, SIMULATION = "other questions", "these questions", "uncertain numbers", "simulation error"
LEGEND = {
    OTHER: "where the mean would be, had other questions been asked (95 %)",
    SAME: "the same for these questions, had they been answered again",
    DRAWS: "where it is in 95 % of the draws",
    SIMULATION: "Monte Carlo error of the mean",
}


def figures(report: "Report", outcome: Outcome) -> list[Block]:
    """Every figure: means and how sure they are, what single queries may see, and the consumption per right answer."""
    groups = {f"{model}, {aggregator}": of_curve for (model, aggregator), of_curve in outcome.choices.items()}
    if len(groups) > 1:
        groups["over all"] = tuple(choice for choice in outcome.pooled if choice.applicable)
    blocks = [block for label, group in groups.items() for block in _group(report, label, group)]
    rows = [choice.figures for group in groups.values() for choice in group if choice.figures]
    if not rows:
        return blocks
    columns = {column for block in blocks if isinstance(block, TextTable) for column in block.header}
    meaning = "; ".join(f"{column}: {text}" for column, text in LEGEND.items() if column in columns)
    tilde = "; ~ simulated" * any(row.simulated for row in rows)
    return [
        *blocks,
        "",
        f"{meaning}{'; ' * bool(meaning)}one query: standard deviation, [2.5 %, 97.5 %] of queries{tilde}.",
        "Per right answer: the mean of the k inferences over the mean accuracy; per sample: over k.",
    ]


def _group(report: "Report", label: str, group: Sequence[Choice]) -> Iterator[Block]:
    """The figures of one (model, aggregator), or of the choices over all; selectors with the same choice together."""
    alike: dict[int, list[Choice]] = {}
    reasons: dict[str, list[str]] = {}
    for choice in group:
        if choice.row is None:
            reasons.setdefault(choice.reason, []).append(choice.selector)
        else:
            alike.setdefault(choice.row, []).append(choice)
    yield from ("", label)
    for choices in alike.values():
        first = choices[0]
        whose = f"{first.model}, {first.aggregator}, " * first.pooled
        marked = [f"{choice.selector}{'*' * bool(choice.remarks)}" for choice in choices]
        yield ""
        yield _table(report, first, f"{whose}k = {first.k}: {named(marked)}")
        yield from (f"* {choice.selector}: {warning}." for choice in choices for warning in choice.warnings)
        yield from _per_right(report, first)
        if first.course:
            yield f"{first.course.policy}:{does(first)}"
    yield from (f"- {named(selectors)}: {reason}." for reason, selectors in reasons.items())
    for choice in group:
        if shares := report.shares(choice):
            yield f"{choice.selector}, how sure: {_largest(report, shares, choice.pooled)}."


def _table(report: "Report", choice: Choice, caption: str) -> TextTable:
    """A line an objective; columns that nothing is known for are left out."""
    row, objectives = choice.figures, report.candidates.objectives
    assert row is not None
    columns: dict[str, list[Cell]] = {"mean": [], OTHER: [], SAME: [], DRAWS: [], SIMULATION: [], "one query": []}
    for objective in objectives:
        s = row.objectives[objective.name]
        columns["mean"].append(_number(row, objective.name, "mean"))
        columns[OTHER].append(_range(s.interval))
        columns[SAME].append(_range(s.same_questions))
        columns[DRAWS].append(_range(report.drawn(choice, objective.name)))
        columns[SIMULATION].append(f"{s.stderr_simulation:.2g}" if math.isfinite(s.stderr_simulation) else "")
        columns["one query"].append(_spread(row, objective.name))
    if any(columns[OTHER]):
        columns.pop(DRAWS)  # of which these questions are a part
    columns = {name: cells for name, cells in columns.items() if any(cells)}
    labels = [f"{objective.name} {objective.unit}".strip() for objective in objectives]
    return TextTable(("", *columns), tuple(zip(labels, *columns.values(), strict=True)), caption=caption)


def _number(row: Row, objective: str, statistic: str) -> str:
    value = float(getattr(row.objectives[objective], statistic))
    tilde = "~" * (f"{objective}.{statistic}" in row.simulated)
    return f"{tilde}{value:.4g}" if math.isfinite(value) else "?"


def _spread(row: Row, objective: str) -> tuple[str, ...]:
    """What single queries may see."""
    low, high, std = (_number(row, objective, statistic) for statistic in ("low", "high", "std"))
    return f"± {std}", f"[{low}, {high}]"


def _range(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else f"[{ends[0]:.3g}, {ends[1]:.3g}]"


def _per_right(report: "Report", choice: Choice) -> list[Block]:
    """Write the consumption per right answer and per sample."""
    row, objectives = choice.figures, report.candidates.objectives
    assert row is not None
    units = {objective.name: objective.unit for objective in objectives}
    samples = choice.course.calls[0] if choice.course else row.k
    each = {o.name: row.objectives[o.name].mean / samples for o in objectives if o.scale is None and samples}
    return [
        f"Per {what}: {', '.join(amounts)}."
        for what, consumed in (("right answer", report.per_right(choice) or {}), ("sample", each))
        if (amounts := [_amount(name, value, units) for name, value in consumed.items() if math.isfinite(value)])
    ]


def _amount(name: str, value: float, units: Mapping[str, str]) -> str:
    return f"{name} {f'{value:.4g}' if value < 10_000 else f'{value:.0f}'} {units.get(name, '')}".rstrip()


def _largest(report: "Report", shares: Sequence[ChoiceShare], pooled: bool, most: int = 4) -> str:
    """The largest shares in words: k = 8 (92 %), 12 (8 %)."""
    several = len(report.candidates.aggregators) > 1

    def entry(share: ChoiceShare) -> str:
        whose = f"{share.model} {f'{share.aggregator} ' * several}k = " * pooled
        return f"{'nothing' if share.k is None else f'{whose}{share.k}'} ({100 * share.share:.3g} %)"

    rest = len(shares) - most
    return ("" if pooled else "k = ") + ", ".join(map(entry, shares[:most])) + (f", {rest} more" if rest > 0 else "")
