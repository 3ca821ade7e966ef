"""What is said of a decision as a function of the number of queries: sentences and tables, and its JSON form."""

import math
from typing import Any

from ..core.objectives import ACCURACY
from ..decide.lifetime import BreakEven, Lifetime, Segment
from .wording import Block, TextTable

__all__ = ["blocks", "document"]

NOTHING = "No row meets the limits, however many queries there are."
HINT = "No cost model says what is paid once (fixed-cost: per_deployment), so the number of queries changes nothing."


def blocks(found: Lifetime) -> list[Block]:
    """Return the sentences and tables: which row is the cheapest for how many queries, and when options break even."""
    limits = ", ".join(map(str, found.limits)) or "no limits"
    if not found.segments:
        return [f"{found.objective}, {limits}: {NOTHING}"]
    shown: list[Block] = [f"Least {found.objective} over the life, {limits}:"]
    shown += [_sentence(found, segment) for segment in found.segments]
    shown += [HINT] if not found.once.any() else []
    return [*shown, "", *_options(found)] if len(found.options) > 1 else shown


def _sentence(found: Lifetime, segment: Segment) -> str:
    start, end = segment.start, segment.end
    of = f"{_named(found, segment.row)}, k = {found.candidates.k[segment.row]}"
    if start <= 0:
        return f"{of}, at every number of queries." if end == math.inf else f"{of}, up to {end:.7g} queries."
    return f"{of}, from {start:.7g} queries on{'' if end == math.inf else f' up to {end:.7g}'}."


def _named(found: Lifetime, row: int) -> str:
    model, aggregator = found.candidates.curve(row).label
    return f"{model}, {aggregator}"


def _options(found: Lifetime) -> list[Block]:
    """A table of the options, beside when each breaks even with the one that is the cheapest for few queries."""
    first = found.segments[0].row
    known = first in found.options
    unit = found.candidates.objectives[found.candidates.index(found.objective)].unit
    header: tuple[str, ...] = ("model", "aggregator", "k", f"once ({unit})", f"a query ({unit})", ACCURACY.name)
    header += ("breaks even at",) if known else ()
    rows = []
    for row in sorted(found.options, key=lambda i: (found.once[i], found.each[i])):
        model, aggregator = found.candidates.curve(row).label
        cells = (
            f"{found.once[row]:.4g}",
            f"{found.each[row]:.4g}",
            f"{found.candidates.column(ACCURACY.name)[row]:.4f}",
        )
        even = ("" if row == first else _queries(found.pair(first, row), row),) if known else ()
        rows.append((model, aggregator, str(found.candidates.k[row]), *cells, *even))
    caption = f"Queries at which each breaks even with {_named(found, first)}:" if known else ""
    return [TextTable(header, tuple(rows), 2, caption)]


def _queries(even: BreakEven, row: int) -> str:
    """When a row breaks even with another, and between which ends that is in the draws."""

    def text(queries: float) -> str:
        return "never" if queries == math.inf else f"{queries:.3g}"

    if even.queries == 0 and even.then != row:  # it takes as much once, and more of every query
        return text(math.inf)
    if even.interval is None or even.interval[0] == even.interval[1]:
        return text(even.queries)
    low, high = map(text, even.interval)
    return f"{text(even.queries)} [{low}, {high}]"


def document(found: Lifetime) -> dict[str, Any]:
    """Return the JSON form; numbers of queries without an end, and break-evens that never come, are None."""
    return {
        "of": found.objective,
        "unit": found.candidates.objectives[found.candidates.index(found.objective)].unit,
        "limits": [{"objective": x.objective, "statistic": x.statistic, "worst": float(x.worst)} for x in found.limits],
        "segments": [
            {"from": s.start, "to": _finite(s.end), "row": _row(found, s.row)} | _break(found, before, s)
            for before, s in zip([None, *found.segments], found.segments, strict=False)
        ],
        "options": [_row(found, row) for row in found.options],
        "break_even": [
            {"first": _row(found, even.first), "then": _row(found, even.then)} | _even(even)
            for even in found.break_evens
        ],
    }


def _row(found: Lifetime, row: int) -> dict[str, Any]:
    table = found.candidates
    curve = table.curve(row)
    course = curve.course(int(table.k[row]))
    return {
        "model": curve.model,
        "aggregator": curve.aggregator,
        "k": int(table.k[row]),
        "parallelism": curve.parallelism,
        "policy": course and course.policy,
        "per_deployment": float(found.once[row]),
        "per_query": float(found.each[row]),
        "objectives": {o.name: {"mean": float(table.means[row, j])} for j, o in enumerate(table.objectives)},
    }


def _break(found: Lifetime, before: Segment | None, segment: Segment) -> dict[str, Any]:
    """The interval of where a segment begins, where that is the break-even of two options."""
    if before is None or not {before.row, segment.row} <= {*found.options} or before.end != segment.start:
        return {"interval": None}
    even = found.pair(before.row, segment.row)
    return {"interval": _even(even)["interval"] if math.isclose(even.queries, segment.start, rel_tol=1e-9) else None}


def _even(even: BreakEven) -> dict[str, Any]:
    interval = None if even.interval is None else [_finite(end) for end in even.interval]
    return {"queries": _finite(even.queries), "interval": interval}


def _finite(queries: float) -> float | None:
    return queries if math.isfinite(queries) else None
