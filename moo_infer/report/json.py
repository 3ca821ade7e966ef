"""The JSON form of a report (schema 1)."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..core.objectives import Limit, quantile_of
from ..decide.choices import Choice
from ..decide.infeasible import Relaxation
from .answer import answer, contenders, judge, sure
from .mixed import mixture

if TYPE_CHECKING:
    from .facts import Outcome
    from .report import Report

__all__ = ["SCHEMA", "document", "row"]

SCHEMA = 1


def document(report: "Report", command: str | None = None) -> dict[str, Any]:
    """Return the JSON form of a report; unknown figures are None.

    Args:
        report: the report.
        command: the command line that made it, or None.
    """
    drawn = {"trials": report.estimator.trials, "seed": report.estimator.seed}
    simulated = bool(report.simulated) or any(tokens.simulated for tokens in report.tokens.values())
    return {
        "schema": SCHEMA,
        "command": command,
        "estimator": {"name": report.estimator.name} | (drawn if report.estimator.name != "exact" else {}),
        "simulation": drawn if simulated else None,
        "remarks": [
            {"model": curve.model, "aggregator": curve.aggregator, "remark": remark}
            for curve in report.candidates.curves
            for remark in curve.remarks
        ],
        "notes": list(report.notes),
        "models": [
            {"name": p.name, "source": p.source, "largest_k": p.largest_k, "extrapolate_to": p.extrapolate_to}
            for p in report.profiles
        ],
        "headline": [_headline(report, outcome) for outcome in report.outcomes],
        "contenders": [row(report, outcome, c) for outcome in report.outcomes for c in contenders(report, outcome)],
        "scenarios": [_scenario(outcome) for outcome in report.outcomes],
        "rows": [row(report, report.outcome(choice.scenario), choice) for choice in report.rows],
        "recommended": [row(report, report.outcome(choice.scenario), choice) for choice in report.recommended],
        **mixture(report),
    }


def row(report: "Report", outcome: "Outcome", choice: Choice) -> dict[str, Any]:
    """Return the JSON form of a choice, with its stability and the quantiles that are limited."""
    each = report.per_right(choice)
    fields = choice.to_dict() | {
        "per_right": None if each is None else {n: v if math.isfinite(v) else None for n, v in each.items()},
        "stability": report.stable.to_dict(choice.key) if report.stable else None,
    }
    if each and any(c.model in report.tokens and report.tokens[c.model].simulated for c, _ in choice.parts):
        fields["simulated"].append("per_right.tokens")
    for name, statistics in choice.figures.objectives.items() if choice.figures else ():
        ends = statistics.interval
        known = None if ends is None else {"other_questions": list(ends), "same_questions": None, "level": 0.95}
        fields["objectives"][name]["interval"] = known
    for limit in outcome.scenario.limits:
        if limit.statistic != "mean" and choice.figures:
            value = choice.figures.objectives[limit.objective].quantile(quantile_of(limit.statistic))
            fields["objectives"][limit.objective][limit.statistic] = value
            if f"{limit.objective}.low" in fields["simulated"]:
                fields["simulated"].append(f"{limit.objective}.{limit.statistic}")
    return fields


def _headline(report: "Report", outcome: "Outcome") -> dict[str, Any]:
    """The answer of a scenario: as a row, with how sure it is, and what it takes for granted."""
    choice = answer(report, outcome)
    return row(report, outcome, choice) | {"sure": sure(report, choice), "judge": judge(choice)}


def _scenario(outcome: "Outcome") -> dict[str, Any]:
    return {
        "name": outcome.scenario.name,
        "limits": [_limit(limit) for limit in outcome.scenario.limits],
        "scales": outcome.scales,
        "loosened": [_loosened(outcome, relaxation) for relaxation in outcome.relaxations],
    }


def _loosened(outcome: "Outcome", relaxation: Relaxation) -> Mapping[str, Any]:
    limit = _limit(relaxation.limit)
    if relaxation.row is None or relaxation.needs is None:
        return limit | {"needs": None, "model": None, "aggregator": None, "k": None, "buys": {}}
    model, aggregator = outcome.candidates.curve(relaxation.row).label
    return limit | {
        "needs": float(relaxation.needs.worst),
        "model": model,
        "aggregator": aggregator,
        "k": int(outcome.candidates.k[relaxation.row]),
        "buys": {name: {"now": now, "then": then} for name, (now, then) in relaxation.buys.items()},
    }


def _limit(limit: Limit) -> dict[str, Any]:
    return {"objective": limit.objective, "statistic": limit.statistic, "worst": float(limit.worst)}
