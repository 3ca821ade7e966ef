"""What is said of a decision for every stage of a workflow: sentences and a table, and its JSON form."""

import math
from collections.abc import Sequence
from typing import Any

from ..core.objectives import ACCURACY, Limit
from ..decide.stages import StageAllocation
from ..estimate.course import StageCourse
from .wording import Block, TextTable

__all__ = ["blocks", "document", "nothing"]

AS_WELL = 0.001  # of accuracy: what a mixture of plans is worth more and nobody sees


def document(found: StageAllocation, limits: Sequence[Limit], /) -> dict[str, Any]:
    """Return the JSON form; `limits` are on the means of a query."""
    allocation = found.allocation
    return nothing(found.name, limits, "") | {
        "choices": {stage.name: stage.to_dict() | {"upgrade": _upgrade(found, stage)} for stage in found.course.stages},
        "objectives": {name: {"mean": mean} for name, mean in found.objectives.items()},
        "bounds": found.course.bounds and [*found.course.bounds],
        "shadow_prices": dict(allocation.shadow_prices),
        "bound": allocation.bound,
        "gap": allocation.gap,
        "method": allocation.method,
        "mixture": None if math.isnan(allocation.mixture) else allocation.mixture,
        "remarks": list(found.remarks),
    }


def nothing(workflow: str, limits: Sequence[Limit], reason: str, /) -> dict[str, Any]:
    """Return the JSON form where no plan meets the limits; the reason is null where it is none."""
    unknown = ("objectives", "bounds", "bound", "gap", "method", "mixture")
    return {
        "of": "stages",
        "workflow": workflow,
        "limits": [{"objective": x.objective, "statistic": x.statistic, "worst": float(x.worst)} for x in limits],
        "choices": {},
        "shadow_prices": {},
        **dict.fromkeys(unknown),
        "remarks": [],
        "reason": reason or None,
    }


def _upgrade(found: StageAllocation, stage: StageCourse) -> dict[str, Any] | None:
    if stage.name not in found.upgrades:
        return None
    option, rate = found.upgrades[stage.name]
    return {"policy": option.text, "models": list(option.models), "rate": rate if math.isfinite(rate) else None}


def blocks(found: StageAllocation, limits: Sequence[Limit], /) -> list[Block]:
    """Return the sentences and the table: what each stage does, and which is worth a better policy.

    Args:
        found: what was chosen.
        limits: on the means of a query.
    """
    units = {ACCURACY.name: "", **found.units}
    within = ", ".join(f"{limit} {units[limit.objective]}".rstrip() for limit in limits)
    worst = {limit.objective: float(limit.worst) for limit in limits}
    means = ", ".join(f"{name} {value:.4g} {units[name]}".rstrip() for name, value in found.objectives.items())
    shown: list[Block] = [f"{found.name}, within {within or 'no limits'}: {means} a query on average."]
    taken = [name for name in found.objectives if name != ACCURACY.name]
    header = ("stage", "does", "right", *(units[name] or name for name in taken), "critical")
    rows = [_cells(stage, taken) for stage in found.course.stages]
    shown += ["", TextTable(header, tuple(rows), 2), ""]
    allocation = found.allocation
    for name, price in allocation.shadow_prices.items():
        if gain := price * worst[name] / 100:
            shown.append(f"1 % more of {name} buys {gain:.2g} of {ACCURACY.name}, by mixing plans.")
    if limits and (upgrade := _next(found, f"{units[limits[0].objective] or 'unit'} of {limits[0].objective}")):
        shown.append(upgrade)
    if allocation.mixture - allocation.value < AS_WELL:
        shown.append(f"No mixture of plans is worth more by {AS_WELL:g}.")
    elif not math.isnan(allocation.mixture):  # which is not known of so many plans
        shown.append(f"The best mixture of plans within the limits would be worth {allocation.mixture:.4f}.")
    shown.append(f"Gap to the bound {allocation.bound:.6g}: {allocation.gap:.2g}.")
    return [*shown, *(f"But {remark}." for remark in found.remarks)]


def _cells(stage: StageCourse, taken: list[str]) -> tuple[str, ...]:
    models = f"{' > '.join(stage.models)}, " if stage.models else ""
    each = [f"{stage.means[name]:.4g}" for name in taken]
    return (
        stage.name,
        models + stage.label,
        f"{stage.means[ACCURACY.name]:.4g}",
        *each,
        f"{100 * stage.critical:.0f} %",
    )


def _next(found: StageAllocation, unit: str) -> str:
    """Say which stage is worth a better policy first; nothing where none is; `unit` is of the first limit."""
    if not found.upgrades:
        return ""
    stage, (option, rate) = max(found.upgrades.items(), key=lambda item: item[1][1])
    models = f"{' > '.join(option.models)}, " if option.models else ""
    gain = "for nothing more" if math.isinf(rate) else f"{rate:.3g} of {ACCURACY.name} for each {unit} more"
    return f"Worth a better policy first: {stage} ({models}{option.label}), {gain}."
