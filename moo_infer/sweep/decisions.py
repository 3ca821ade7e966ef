"""The decisions of a report as rows of a table whose columns are the same for every point of a grid."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ..core.documents import to_yaml
from ..core.objectives import quantile_of
from ..decide.choices import Choice
from ..decide.mixed import MixedChoice
from ..estimate.curves import STATISTICS
from ..report.answer import answer, sure
from ..report.facts import Outcome
from ..report.report import Report
from .results import TASK

__all__ = ["DECIDED", "INFEASIBLE", "REFUSED", "Columns", "decisions", "refusal"]

DECIDED, INFEASIBLE, REFUSED = "decided", "infeasible", "refused"
ENDS = ("interval_low", "interval_high")
WHOLE = 2**63  # whole numbers from here on do not fit into a column


@dataclass(frozen=True)
class Columns:
    """The columns of the decisions of a sweep.

    Args:
        settings: by key of the grid, its values.
        objectives: names of what rows are judged by.
        quantiles: by objective, the limited ones, such as ``p95``.
    """

    settings: Mapping[str, Sequence[Any]]
    objectives: tuple[str, ...]
    quantiles: Mapping[str, tuple[str, ...]]

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The type of every column."""
        import polars as pl

        row = {"model": pl.String, "aggregator": pl.String, "k": pl.Int64, "share": pl.Float64}
        types = {float: pl.Float64, int: pl.Int64, bool: pl.Boolean, str: pl.String}
        texts = dict.fromkeys(("state", "scenario", "selector", "model", "aggregator"), pl.String)
        schema: dict[str, Any] = texts | {"k": pl.Int64, "parallelism": pl.Int64, "policy": pl.String}
        schema |= {"calls": pl.Float64, "waves": pl.Float64, "reason": pl.String, "remarks": pl.String}
        schema |= {"sure": pl.Float64, "told_apart": pl.Boolean, "draws": pl.List(pl.Struct(row))}
        schema |= {"mixture": pl.List(pl.Struct(row)), "simulated": pl.String}
        schema |= dict.fromkeys(self._figures, pl.Float64)
        given = {(f"grid.{key}" if key in schema else key): types[_type(of)] for key, of in self.settings.items()}
        return {TASK: pl.String, **given, **schema}

    @property
    def _figures(self) -> list[str]:
        return [
            f"{name}.{statistic}"
            for name in self.objectives
            for statistic in (*STATISTICS, *ENDS, *self.quantiles.get(name, ()))
        ]

    def row(self, task: str, settings: Mapping[str, Any], cells: Mapping[str, Any]) -> dict[str, Any]:
        """Return a row of a task: its settings, and what is known of the decision."""
        given = [_cell(settings[key], _type(values)) for key, values in self.settings.items()]
        names = [*self.schema]
        row = {TASK: task, **dict(zip(names[1:], given, strict=False)), **cells}
        return {name: _known(row.get(name)) for name in names}

    def figures(self, choice: Choice) -> dict[str, float | None]:
        """Return the figures of a choice, by column."""
        found: dict[str, float | None] = {}
        for name, statistics in choice.figures.objectives.items() if choice.figures else ():
            found |= {f"{name}.{statistic}": getattr(statistics, statistic) for statistic in STATISTICS}
            quantiles = self.quantiles.get(name, ())
            found |= {f"{name}.{q}": statistics.quantile(quantile_of(q)) for q in quantiles}
        return found


def _type(values: Sequence[Any]) -> type:
    """The type of a column with these values; numbers may be written as texts, as YAML has 1e-3."""
    there = [value for value in values if value is not None]
    if there and all(isinstance(value, bool) for value in there):
        return bool
    if there and all(isinstance(value, int) and not isinstance(value, bool) and abs(value) < WHOLE for value in there):
        return int
    return float if there and all(_number(value) is not None for value in there) else str


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _cell(value: Any, kind: type) -> Any:
    if value is None or (isinstance(value, kind) and kind is not str):
        return value
    if kind is float:
        return _number(value)
    return value if isinstance(value, str) else json.dumps(value) if isinstance(value, bool) else to_yaml(value)


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def decisions(
    report: Report, outcome: Outcome, columns: Columns, remarks: Sequence[str], *, by_selector: bool
) -> Iterator[dict[str, Any]]:
    """Yield the decisions in a scenario: the answer, and what other selectors choose.

    Args:
        report: the report.
        outcome: of the scenario.
        columns: which figures.
        remarks: what holds for all of them.
        by_selector: whether to yield what every selector chooses that was asked for.
    """
    first = answer(report, outcome)
    named = [c for c in outcome.pooled if c.selector in report.asked] if by_selector else []
    for choice in [first, *(choice for choice in named if choice.selector != first.selector)]:
        course = choice.course
        known = sure(report, choice) or {}
        yield {
            "state": INFEASIBLE if choice.k is None else DECIDED,
            "scenario": choice.scenario,
            "selector": choice.selector,
            "model": choice.model,
            "aggregator": choice.aggregator,
            "k": choice.k,
            "parallelism": choice.parallelism,
            "policy": course and course.policy,
            "calls": course and course.calls[0],
            "waves": course and course.waves[0],
            "reason": choice.reason or None,
            "remarks": "; ".join([*remarks, *choice.warnings]) or None,
            "sure": known.get("share"),
            "told_apart": known.get("told_apart"),
            "draws": [_share(s.model, s.aggregator, s.k, s.share) for s in report.shares(choice)] or None,
            "mixture": _mixture(choice),
            "simulated": ", ".join(choice.figures.simulated) if choice.figures else None,
            **columns.figures(choice),
            **_intervals(report, choice),
        }


def _mixture(choice: Choice) -> list[dict[str, Any]] | None:
    if not isinstance(choice, MixedChoice) or choice.mixture is None:
        return None
    return [_share(part.model, part.aggregator, part.k, weight) for part, weight in choice.parts]


def _share(model: str | None, aggregator: str | None, k: int | None, share: float) -> dict[str, Any]:
    return {"model": model, "aggregator": aggregator, "k": k, "share": share}


def _intervals(report: Report, choice: Choice) -> dict[str, float]:
    """The 95 % intervals of means: over the questions of a log, else over draws of uncertain numbers."""
    found: dict[str, float] = {}
    for name, statistics in choice.figures.objectives.items() if choice.figures else ():
        if ends := statistics.interval or report.drawn(choice, name):
            found |= {f"{name}.{end}": value for end, value in zip(ENDS, ends, strict=True)}
    return found


def refusal(reason: object) -> dict[str, Any]:
    """Return the row of a point at which nothing can be decided, and why."""
    return {"state": REFUSED, "reason": str(reason)}
