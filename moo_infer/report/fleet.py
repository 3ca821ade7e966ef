"""What is said of a budget over classes of queries: sentences and tables, and its JSON form."""

import math
from collections.abc import Mapping
from typing import Any

from ..core.objectives import ACCURACY, COST
from ..decide.fleet import FleetAllocation, QueryClass
from .mixed import percent
from .wording import Block, TextTable

__all__ = ["blocks", "document"]

AS_WELL = 0.005  # of accuracy: less is no reason to tell classes apart, as it is none for a dearer row elsewhere
WIDE = 1.96  # standard deviations around the mean of a sum, in which 95 % of such sums are


def blocks(found: FleetAllocation) -> list[Block]:
    """Return the sentences and tables: which row each class takes, what more money buys, and what rows for all do."""
    asked = f"{found.queries:,} queries for at most {found.budget:g} USD"
    if found.allocation is None:
        return [f"{asked}: nothing fits: {found.reason}."]
    accuracy, usd = found.objectives[ACCURACY.name], float(found.usd.sum())
    head = f"{asked}: accuracy {accuracy:.4f}, {usd:.6g} USD, {usd / found.queries:.4g} USD a query."
    return [head, "", _table(found), "", *_sentences(found)]


def _table(found: FleetAllocation) -> TextTable:
    header = (
        "class",
        "queries",
        "model",
        "policy",
        "k",
        ACCURACY.name,
        "USD a query",
        "USD",
        "right answers for 1 USD",
    )
    rows = []
    for one, row, usd in zip(found.classes, found.rows, found.usd.tolist(), strict=True):
        model, policy, k = one.key(row)
        up = found.upgrades.get(one.name)
        figures = (one.table.column(name)[row] for name in (ACCURACY.name, COST.name))
        accuracy, cost = (float(figure) for figure in figures)
        more = "has its best row" if up is None else f"{up.rate:.3g} by {_named(one, up.row)}"
        cells = (f"{found.queries * one.share:,.0f}", model, policy, str(k), f"{accuracy:.4f}", f"{cost:.4g}")
        rows.append((one.name, *cells, f"{usd:.4g}", more))
    return TextTable(header, tuple(rows), 1)


def _sentences(found: FleetAllocation) -> list[Block]:
    said: list[Block] = []
    if found.upgrades:
        name, up = max(found.upgrades.items(), key=lambda item: item[1].rate)
        one = next(one for one in found.classes if one.name == name)
        said.append(
            f"Class {name} is worth a better row first: {_named(one, up.row)} takes {up.usd * found.queries:.4g} USD "
            f"more, for {up.gain * found.queries:.4g} more right answers."
        )
    said += [_compared(found), _proven(found)]
    if math.isfinite(spread := WIDE * found.usd_std) and spread > 0:
        said.append(
            f"Queries cost differently: in 95 % of the cases the bill is within {spread:.3g} USD of that, if profiles "
            "and shares are right."
        )
    return said


def _compared(found: FleetAllocation) -> str:
    """How rows for all classes alike compare."""
    plain = found.plain
    if plain is None:
        return (
            "Classes share no row within the budget, so there is none for all of them to compare with; a mapping "
            "(models: {small: small-easy}) names models alike in all classes."
        )
    ways = [
        f"{percent(share)} to {_way(key)}" if share < 1 else f"all to {_way(key)}"
        for key, share in zip(plain.keys, plain.shares, strict=True)
    ]
    less = found.objectives[ACCURACY.name] - plain.accuracy
    verdict = (
        f"{100 * less:.2g} points less" if less >= AS_WELL else "which does as well: classes need not be told apart"
    )
    return f"Without classes, {' and '.join(ways)}: accuracy {plain.accuracy:.4f}, {verdict}."


def _proven(found: FleetAllocation) -> str:
    """How far the choice may be from the best one."""
    of = found.allocation
    assert of is not None
    gap = "no choice is better" if of.gap == 0 else f"no choice is above {of.bound:.6f}, a gap of {of.gap:.2g}"
    more = of.mixture - of.value
    shared = f"; with one class shared by two rows it would be {of.mixture:.4f}" if more >= AS_WELL else ""
    return f"By {of.method}, {gap}{shared}. One more USD buys {of.shadow_prices[COST.name]:.3g} right answers."


def document(found: FleetAllocation, rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the JSON form.

    Args:
        found: the allocation.
        rows: by class, the chosen row as a report has it.
    """
    of, plain = found.allocation, found.plain if found.allocation else None
    return {
        "of": "queries",
        "queries": found.queries,
        "budget_usd": found.budget,
        "limits": [{"objective": x.objective, "statistic": x.statistic, "worst": float(x.worst)} for x in found.limits],
        "choices": {
            one.name: dict(rows[one.name])
            | {"share": one.share, "queries": found.queries * one.share, "usd": usd}
            | {"upgrade": _upgrade(found, one)}
            for one, usd in zip(found.classes, found.usd.tolist() if found.rows else (), strict=False)
        },
        "objectives": {name: {"mean": mean} for name, mean in found.objectives.items()} if of else None,
        "usd": float(found.usd.sum()) if of else None,
        "usd_std": _finite(found.usd_std) if of else None,
        "shadow_prices": dict(of.shadow_prices) if of else {},
        "bound": of and of.bound,
        "gap": of and of.gap,
        "method": of and of.method,
        "mixture": of and of.mixture,
        "plain": plain
        and {
            "accuracy": plain.accuracy,
            "rows": [{**_key(key), "weight": share} for key, share in zip(plain.keys, plain.shares, strict=True)],
        },
        "reason": found.reason or None,
    }


def _upgrade(found: FleetAllocation, one: QueryClass) -> dict[str, Any] | None:
    up = found.upgrades.get(one.name)
    return up and {
        **_key(one.key(up.row)),
        "gain": up.gain,
        "usd": up.usd * found.queries,
        "right_per_usd": _finite(up.rate),
    }


def _key(key: tuple[str, str, int]) -> dict[str, Any]:
    return dict(zip(("model", "aggregator", "k"), key, strict=True))


def _named(one: QueryClass, row: int) -> str:
    return _way(one.key(row))


def _way(key: tuple[str, str, int]) -> str:
    model, policy, k = key
    return f"{model}, {policy}, k = {k}"


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
