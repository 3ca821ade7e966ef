"""The JSON form of a report (schema 1)."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..core.objectives import Limit, quantile_of
from ..core.version import __version__
from ..decide.choices import Choice
from ..decide.infeasible import Relaxation
from ..decide.volume import fixed_costs
from ..estimate.rows import Statistics
from .answer import answer, contenders, judge, sure
from .mixed import mixture

if TYPE_CHECKING:
    from .facts import Outcome
    from .report import Report

__all__ = ["SCHEMA", "document", "row"]

SCHEMA = 1


def document(report: "Report", command: str | None = None, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the JSON form of a report; unknown figures are None.

    Args:
        report: the report.
        command: the command line that made it, or None.
        config: what repeats it, as a file has it, or None.
    """
    drawn = {"trials": report.estimator.trials, "seed": report.estimator.seed}
    simulated = bool(report.simulated) or any(tokens.simulated for tokens in report.tokens.values())
    return {
        "schema": SCHEMA,
        "command": command,
        "version": __version__,
        "estimator": {"name": report.estimator.name} | (drawn if report.estimator.name != "exact" else {}),
        "simulation": drawn if simulated else None,
        "remarks": [
            {"model": curve.model, "aggregator": curve.aggregator, "remark": remark}
            for curve in report.candidates.curves
            for remark in curve.remarks
        ],
        "notes": list(report.notes),
        "volume": report.volume and report.volume.to_dict(),
        "models": [
            {"name": p.name, "source": p.source, "largest_k": p.largest_k, "extrapolate_to": p.extrapolate_to}
            | p.to_dict()
            for p in report.profiles
        ],
        "headline": [_headline(report, outcome) for outcome in report.outcomes],
        "contenders": [row(report, outcome, c) for outcome in report.outcomes for c in contenders(report, outcome)],
        "scenarios": [_scenario(outcome) for outcome in report.outcomes],
        "rows": [row(report, report.outcome(choice.scenario), choice) for choice in report.rows],
        "recommended": [row(report, report.outcome(choice.scenario), choice) for choice in report.recommended],
        **mixture(report),
        "by": report.by and report.by.to_dict(),
        "config": config,
    }


def row(report: "Report", outcome: "Outcome", choice: Choice) -> dict[str, Any]:
    """Return the JSON form of a choice, with its stability and the quantiles that are limited."""
    each = report.per_right(choice)
    fields = choice.to_dict() | {
        "per_right": None if each is None else {n: v if math.isfinite(v) else None for n, v in each.items()},
        "stability": report.stable.to_dict(choice.key) if report.stable else None,
    }
    if each and any(
        t.simulated for t in (report.tokens.get(str(c.model)) for c, _ in choice.parts if not c.course) if t
    ):
        fields["simulated"].append("per_right.tokens")
    for name, once in _once(report, choice).items() if choice.figures else ():
        share = once / report.volume.queries if report.volume else 0.0
        fields["objectives"][name] |= {"per_deployment": once, "per_query": fields["objectives"][name]["mean"] - share}
    for name, statistics in choice.figures.objectives.items() if choice.figures else ():
        fields["objectives"][name]["interval"] = _intervals(statistics, report.drawn(choice, name))
    for limit in outcome.scenario.limits:
        if limit.statistic != "mean" and choice.figures:
            value = choice.figures.objectives[limit.objective].quantile(quantile_of(limit.statistic))
            fields["objectives"][limit.objective][limit.statistic] = value
            if f"{limit.objective}.low" in fields["simulated"]:
                fields["simulated"].append(f"{limit.objective}.{limit.statistic}")
    return fields


def _once(report: "Report", choice: Choice) -> dict[str, float]:
    """What the models of a choice take once, before the first query, by objective."""
    models = {model for part, _ in choice.parts for model in (part.course.models if part.course else [part.model])}
    places = sorted(report.places[name] for name in models if name in report.places)
    return fixed_costs(report.profiles[place] for place in places)


def _intervals(statistics: Statistics, draws: tuple[float, float] | None) -> dict[str, Any] | None:
    """The intervals of a mean, or None where there is none."""
    other, same = statistics.interval, statistics.same_questions
    if other is None and draws is None:
        return None
    return {
        "other_questions": other and [*other],
        "same_questions": same and [*same],
        "draws": draws and [*draws],
        "level": 0.95,
    }


def _headline(report: "Report", outcome: "Outcome") -> dict[str, Any]:
    """The answer of a scenario: as a row, with how sure it is, and what it takes for granted."""
    choice = answer(report, outcome)
    fields = row(report, outcome, choice) | {"sure": sure(report, choice), "judge": judge(choice)}
    optimism = outcome.optimism and outcome.optimism.to_dict()
    return fields | {"optimism": optimism, "by_question": _by_question(choice)}


def _by_question(choice: Choice) -> dict[str, Any] | None:
    """The means given each question, by objective, beside the names of the questions; None without a log."""
    statistics = choice.figures.objectives if choice.figures else {}
    known = {name: each for name, of in statistics.items() if (each := of.by_question)}
    questions = sorted(set.intersection(*(set(each) for each in known.values()))) if known else []
    named = {name: [each[question] for question in questions] for name, each in known.items()}
    return {"questions": questions, **named} if known else None


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
