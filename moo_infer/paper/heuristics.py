"""Choices of rules that use one or two of the three dimensions: limits they break, accuracy they miss (claim 7)."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ..core.objectives import Limit
from ..profiles import Scenario
from .sources import Columns, PaperSource, choice_at

__all__ = ["HEURISTICS", "heuristics"]

FIXED_K = 16  # as in claim 7
HEURISTICS: Mapping[str, str | None] = {  # the one budget that each looks at
    f"fixed k = {FIXED_K}": None,
    "accuracy against cost alone": "cost",
    "accuracy against latency alone": "latency",
}


def heuristics(scenarios: Iterable[Scenario], sources: Iterable[PaperSource]) -> list[dict[str, Any]]:
    """Apply every rule to every scenario and model, on the values of each source that has whole curves.

    The rules in two dimensions take the highest accuracy that their one budget allows.
    """
    curves = {source.name: source.curves for source in sources if source.curves}
    models = next(iter(curves.values()))
    return [
        {"scenario": scenario.name, "model": model, "heuristic": rule}
        | {name: _outcome(rule, columns[model], scenario) for name, columns in curves.items()}
        for scenario in scenarios
        for model in models
        for rule in HEURISTICS
    ]


def _outcome(rule: str, columns: Columns, scenario: Scenario) -> dict[str, Any]:
    """Return the choice of a rule, the limits that it breaks, and else how much more accuracy was feasible."""
    budget = HEURISTICS[rule]
    if budget is None:
        index = int(np.flatnonzero(columns["k"] == FIXED_K)[0])
    else:
        limit = next(limit for limit in scenario.limits if limit.objective == budget)
        affordable = np.flatnonzero(limit.excess(columns[budget]) <= 0)
        # Accuracies that differ by less than this are equal but for rounding; the smallest k of them wins.
        index = int(affordable[np.argmax(np.round(columns["accuracy"][affordable], 12))])
    broken = [limit for limit in scenario.limits if limit.excess(columns[limit.objective])[index] > 0]
    met = np.all([limit.excess(columns[limit.objective]) <= 0 for limit in scenario.limits], axis=0)
    best = float(columns["accuracy"][met].max()) if met.any() else None
    choice = choice_at(columns, index)
    return {
        **asdict(choice),
        "breaks": [_broken(limit, columns, index) for limit in broken],
        "accuracy_left": None if broken or best is None else max(best - choice.accuracy, 0.0),
    }


def _broken(limit: Limit, columns: Columns, index: int) -> dict[str, Any]:
    excess = float(limit.excess(columns[limit.objective])[index])
    return {"objective": limit.objective, "worst": limit.worst, "excess": excess}
