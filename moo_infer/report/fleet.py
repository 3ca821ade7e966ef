"""What is said of a budget over classes of queries: sentences and tables, and its JSON form."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ..core.objectives import ACCURACY, COST
from ..decide.fleet import FleetAllocation, QueryClass
from .mixed import percent
from .wording import Block, TextTable

__all__ = ["blocks", "document"]

AS_WELL = 0.005  # of accuracy: less is no reason to tell classes apart, as it is none for a dearer row elsewhere
LEAST = 1e-6  # of the bill: a smaller spread is a rounding error, or not worth a sentence
WIDE = 1.96  # standard deviations around the mean of a sum, in which 95 % of such sums are


def blocks(found: FleetAllocation, notes: Sequence[str] = ()) -> list[Block]:
    """Return the sentences and tables: which row each class takes, what more money buys, and what rows for all do.

    Args:
        found: the allocation.
        notes: what parts say of the rows, in sentences.
    """
    asked = f"{found.queries:,} queries for at most {found.budget:g} USD"
    if found.allocation is None:
        return [f"{asked}: nothing fits: {found.reason}."]
    accuracy, usd = found.objectives[ACCURACY.name], float(found.usd.sum())
    head = f"{asked}: accuracy {accuracy:.4f}, {usd:.6g} USD, {usd / found.queries:.4g} USD a query."
    tables = [_choices(found), _upgrades(found)] if found.upgrades else [_choices(found)]
    return [head, *tables, _compared(found), _proven(found), *_shared(found), *_varies(found), *notes]


def _choices(found: FleetAllocation) -> TextTable:
    rows = []
    for one, row, usd in zip(found.classes, found.rows, found.usd.tolist(), strict=True):
        accuracy, cost = (float(one.table.column(name)[row]) for name in (ACCURACY.name, COST.name))
        queries = f"{found.queries * one.share:,.0f}"
        rows.append((one.name, queries, _way(one.key(row)), f"{accuracy:.4f}", f"{cost:.4g}", f"{usd:.4g}"))
    return TextTable(("class", "queries", "row", ACCURACY.name, "USD a query", "USD"), tuple(rows), 1)


def _upgrades(found: FleetAllocation) -> TextTable:
    """What more money buys in each class, first where a dollar buys most."""
    classes = {one.name: one for one in found.classes}
    rows = [
        (
            name,
            _way(classes[name].key(up.row)),
            f"{up.usd * found.queries:.4g}",
            f"{up.gain * found.queries:.4g}",
            f"{up.rate:.3g}",
        )
        for name, up in sorted(found.upgrades.items(), key=lambda item: -item[1].rate)
    ]
    header = ("class", "better row", "USD more", "right answers more", "for 1 USD")
    return TextTable(header, tuple(rows), 1, f"A better row is worth most in class {rows[0][0]}:")


def _varies(found: FleetAllocation) -> list[Block]:
    """By how much the bill differs from its mean, where that is known."""
    spread = WIDE * found.usd_std
    if not (math.isfinite(spread) and spread > LEAST * found.usd.sum()):
        return []
    return [
        f"Queries cost differently: in 95 % of the cases the bill is within {spread:.3g} USD of that, if profiles and "
        "shares are right."
    ]


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
    verdict = "which does as well: classes need not be told apart"
    if abs(less) >= AS_WELL:
        verdict = f"{100 * less:.2g} points less" if less > 0 else f"{-100 * less:.2g} points more, as all is spent"
    return f"Without classes, {' and '.join(ways)}: accuracy {plain.accuracy:.4f}, {verdict}."


def _proven(found: FleetAllocation) -> str:
    """How far the choice may be from the best one."""
    of = found.allocation
    assert of is not None
    proven = "No plan is better" if of.gap == 0 else f"No plan is above {of.bound:.6f}, a gap of {of.gap:.2g}"
    price = of.shadow_prices[COST.name]
    return f"{proven} ({of.method}). At the margin, one more USD buys {price:.3g} right answers."


def _shared(found: FleetAllocation) -> list[Block]:
    """What a mixture of rows in one class does better, where that is worth a sentence."""
    of = found.allocation
    if of is None or of.mixture - of.value < AS_WELL:
        return []
    ways = []
    for one in found.classes:
        parts = found.shared[one.name]
        shares = [f"{percent(share)} to " * (share < 1) + _way(one.key(row)) for row, share in parts]
        ways.append(f"{one.name} {' and '.join(shares)}")
    return [f"A class that two rows share at random spends all, for accuracy {of.mixture:.4f}: {'; '.join(ways)}."]


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
        "mixture": of
        and {
            "accuracy": of.mixture,
            "rows": {
                one.name: [{**_key(one.key(row)), "weight": share} for row, share in found.shared[one.name]]
                for one in found.classes
            },
        },
        "plain": plain
        and {
            "accuracy": plain.accuracy,
            "rows": [{**_key(key), "weight": share} for key, share in zip(plain.keys, plain.shares, strict=True)],
        },
        "reason": found.reason or None,
    }


def _upgrade(found: FleetAllocation, one: QueryClass) -> dict[str, Any] | None:
    up = found.upgrades.get(one.name)
    if up is None:
        return None
    more = {"gain": up.gain, "usd": up.usd * found.queries, "right_per_usd": _finite(up.rate)}
    return _key(one.key(up.row)) | more


def _key(key: tuple[str, str, int]) -> dict[str, Any]:
    return dict(zip(("model", "aggregator", "k"), key, strict=True))


def _way(key: tuple[str, str, int]) -> str:
    model, policy, k = key
    return f"{model}, {policy}, k = {k}"


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None
