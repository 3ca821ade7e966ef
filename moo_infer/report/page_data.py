"""Data of the pictures of a page: curves, choices, fronts and maps."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.objectives import Limit
from ..decide.choices import Choice
from ..decide.map import DecisionMap, decision_map
from ..decide.stability import ChoiceShare
from ..profiles import Scenario
from .facts import Outcome

if TYPE_CHECKING:
    from .report import Report

__all__ = ["limit_with_unit", "pictures", "summary"]

FIGURES, LEAST = 80_000, 40  # how many figures all curves have together, and points each at least
MAP_SIZE, MAP_LEAST, MAP_WORK = 40, 12, 10_000_000  # budgets a side of a map, and rows looked at in one
TIGHT = 1e-9  # of a share: that close to 0 and to 1 it is these
SPOT = 0.012  # regions of a map from this share on carry their k
SHARES = 6  # rows listed with their shares of the draws; the others are summed up

# By selector: plotly's symbol, and the letter that looks like it for tables and 3-D, where plotly lacks the shape.
SHAPES = {
    "max-accuracy": ("circle-open", "○"),
    "max-cube": ("triangle-up-open", "△"),
    "utopia": ("diamond-open", "◇"),
    "knee": ("square-open", "□"),
    "knee-chord": ("pentagon-open", "⬠"),
}
OTHER_SHAPES = (
    ("triangle-down-open", "▽"),
    ("star-open", "☆"),
    ("cross-thin-open", "✛"),
    ("hexagon-open", "⬡"),
    ("x-thin-open", "✕"),
    ("triangle-left-open", "◁"),
    ("triangle-right-open", "▷"),
)


def pictures(report: "Report") -> dict[str, Any]:
    """Collect what the script of the page draws: numbers and names, ready for JSON.

    Rows are row numbers of the report's table; what is unknown is None. Of long curves a part is drawn, with every
    choice among it.
    """
    shown = _shown(report)
    several = len(report.candidates.aggregators) > 1
    selectors = [
        {"name": s.name, "summary": summary(s), "symbol": symbol, "glyph": glyph}
        for s, (symbol, glyph) in zip(report.selectors, _shapes([s.name for s in report.selectors]), strict=True)
    ]
    return {
        "objectives": [
            {"name": o.name, "unit": o.unit, "up": o.direction == "max", "ideal": o.best}
            for o in report.candidates.objectives
        ],
        "axes": _axes(len(report.candidates.objectives)),
        "selectors": selectors,
        "curves": _curves(report, shown, several),
        "scenarios": [_scenario(report, outcome, shown) for outcome in report.outcomes],
        "first": _first(report),
    }


def limit_with_unit(report: "Report", limit: Limit) -> str:
    """Write a limit with its unit."""
    unit = report.candidates.objectives[report.candidates.index(limit.objective)].unit
    return f"{limit} {unit}".rstrip()


def summary(part: object) -> str:
    """Say what a part is: the first line of its docstring."""
    return (type(part).__doc__ or "").strip().partition("\n")[0].replace("``", "")


def _shapes(names: list[str]) -> list[tuple[str, str]]:
    others = [name for name in names if name not in SHAPES]
    return [SHAPES.get(name) or OTHER_SHAPES[others.index(name) % len(OTHER_SHAPES)] for name in names]


def _axes(m: int) -> list[int]:
    """Numbers of what is drawn to the right, to the back and upwards; m stands for k.

    The first objective points upwards. What k alone can show of one objective, its curve does.
    """
    return [] if m < 2 else [1, 2, 0]


def _first(report: "Report") -> int:
    """The curve that is drawn first: that of the answer."""
    for outcome in report.outcomes:
        choice = next(c for c in outcome.pooled if c.selector == report.headline)
        if choice.row is not None:
            return report.candidates.curves.index(report.candidates.curve(choice.row))
    return 0


def _shown(report: "Report") -> list[IntArray]:
    """By curve the row numbers that are drawn: all of short curves, of long ones few, and every choice."""
    table = report.candidates
    figures = 3 * len(table.objectives) + len(report.scenarios)  # of a point: mean, low, high; feasible or not
    most = max(LEAST, FIGURES // (figures * len(table.curves)))
    chosen = {c.row for o in report.outcomes for c in (*o.of_curves, *o.pooled) if c.row is not None}
    shown = []
    for curve in table.curves:
        rows = np.flatnonzero(table.on(curve))
        if len(rows) > most:
            half = most // 2
            spaced = [np.linspace(0, len(rows) - 1, half), np.geomspace(1, len(rows), half) - 1]
            keep = np.zeros(len(rows), dtype=bool)
            keep[np.concatenate(spaced).round().astype(int)] = True
            rows = rows[keep | np.isin(rows, list(chosen))]
        shown.append(rows)
    return shown


def _curves(report: "Report", shown: list[IntArray], several: bool) -> list[dict[str, Any]]:
    table = report.candidates
    columns = {
        statistic: [table.column(o.name, statistic).copy() for o in table.objectives]
        for statistic in ("mean", "low", "high")
    }
    entries = []
    for curve, rows in zip(table.curves, shown, strict=True):
        for low, high, objective in zip(columns["low"], columns["high"], table.objectives, strict=True):
            if objective.scale is not None and (low[rows] < TIGHT).all() and (high[rows] > 1 - TIGHT).all():
                low[rows] = high[rows] = np.nan  # each query is right or wrong, so that the band would say nothing
        entries.append(
            {
                "label": ", ".join(curve.label) if several else curve.model,
                "parallelism": int(curve.parallelism),
                "rows": rows.tolist(),
                "k": table.k[rows].tolist(),
                "simulated": [bool(curve.columns[o.name].simulated) for o in table.objectives],
                "other": [
                    _band(curve.columns[o.name].other_questions[:, np.isin(curve.k, table.k[rows])])
                    for o in table.objectives
                ],
            }
            | {statistic: [_numbers(values[rows]) for values in of] for statistic, of in columns.items()}
        )
    return entries


def _band(ends: FloatArray) -> list[list[float | None]] | None:
    """The ends of intervals (2, n), or None where there are none."""
    return [_numbers(side) for side in ends] if np.isfinite(ends).any() else None


def _scenario(report: "Report", outcome: Outcome, shown: list[IntArray]) -> dict[str, Any]:
    names = [o.name for o in report.candidates.objectives]
    pool, scenario = outcome.pool, outcome.scenario
    front = pool.rows[pool.front] if len(pool) else pool.rows
    drawn = np.concatenate(shown)
    plane = _map(report, scenario)
    return {
        "name": scenario.name,
        "limits": [
            {
                "objective": names.index(limit.objective),
                "worst": float(limit.worst),
                "statistic": limit.statistic,
                "text": limit_with_unit(report, limit),
            }
            for limit in scenario.limits
        ],
        "feasible": [outcome.feasible[rows].astype(int).tolist() for rows in shown],
        "front": front[np.isin(front, drawn)].tolist(),
        "choices": [_choice(report, choice) for choice in (*outcome.of_curves, *outcome.pooled)],
        "map": _plane(report, plane) if plane else None,
    }


def _choice(report: "Report", choice: Choice) -> dict[str, Any]:
    several = len(report.candidates.aggregators) > 1

    def words(share: ChoiceShare) -> str:
        if share.k is None:
            return "nothing"
        row_name = [share.model or "", *[share.aggregator or ""] * several] * choice.pooled
        return ", ".join([*row_name, f"k = {share.k}"])

    shares = sorted(report.shares(choice), key=lambda share: share.row != choice.row)  # its own row is always listed
    rest = shares[SHARES:]
    listed = [
        {"text": words(s), "share": s.share, "same": s.row == choice.row}
        for s in sorted(shares[:SHARES], key=lambda share: -share.share)
    ]
    if rest:
        listed.append({"text": f"{len(rest)} others", "share": sum(s.share for s in rest), "same": False})
    labels = [curve.label for curve in report.candidates.curves]
    return {
        "selector": [s.name for s in report.selectors].index(choice.selector),
        "curve": None if choice.pooled else labels.index((str(choice.model), str(choice.aggregator))),
        "row": choice.row,
        "shares": listed,
    }


def _map(report: "Report", scenario: Scenario) -> DecisionMap | None:
    """What the headline's selector chooses under other limits on what the axes show; coarser for a long table."""
    axes = _axes(len(report.candidates.objectives))
    names = [report.candidates.objectives[j].name for j in axes if j < len(report.candidates.objectives)]
    if len(names) < 2:
        return None
    size = min(MAP_SIZE, max(MAP_LEAST, math.isqrt(MAP_WORK // len(report.candidates))))
    return decision_map(report, names[0], names[1], scenario=scenario.name, size=size)


def _plane(report: "Report", plane: DecisionMap) -> dict[str, Any]:
    """The regions of a map: a (curve, k) each, or nothing."""
    table = report.candidates
    codes = np.where((plane.rows < 0) & plane.feasible, -2, plane.rows)
    cells = np.zeros(codes.shape, dtype=int)
    regions: list[dict[str, Any]] = []
    for code in sorted(set(codes.ravel().tolist())):
        inside = codes == code
        cells[inside] = len(regions)
        if code < 0:
            regions.append({"curve": None, "k": None, "feasible": code == -2, "spot": None, "tone": 0.0})
            continue
        curve, k = table.curve(code), int(table.k[code])
        ks = plane.labels[curve.label]
        regions.append(
            {
                "curve": table.curves.index(curve),
                "k": k,
                "feasible": True,
                "spot": _spot(inside),
                "tone": (ks.index(k) + 1) / len(ks),
            }
        )
    names = [o.name for o in table.objectives]
    return {
        "x": names.index(plane.x),
        "y": names.index(plane.y),
        "x_values": _numbers(plane.x_values),
        "y_values": _numbers(plane.y_values),
        "cells": cells.tolist(),
        "regions": regions,
        "limits": [None if limit is None else float(limit.worst) for limit in plane.limits],
        "statistics": list(plane.statistics),
        "reason": plane.reason,
    }


def _spot(inside: BoolArray) -> list[int] | None:
    """Where the name of a region goes: its cell (i, j) nearest to its middle; None where it is too small."""
    where = np.argwhere(inside)
    if len(where) < SPOT * inside.size:
        return None
    middle = where[np.argmin(((where - where.mean(axis=0)) ** 2).sum(axis=1))]
    return [int(middle[1]), int(middle[0])]


def _numbers(values: FloatArray) -> list[float | None]:
    """Six digits are more than a picture shows; what is unknown is null."""
    return [float(f"{v:.6g}") if math.isfinite(v) else None for v in values.tolist()]
