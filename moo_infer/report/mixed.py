"""A mixture of rows in words and as JSON."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..core.objectives import ACCURACY
from ..decide.choices import Choice
from ..decide.mixed import MixedChoice
from ..policy.mixture import limit_name

if TYPE_CHECKING:
    from .facts import Outcome
    from .report import Report

__all__ = ["action", "bought", "mixture", "percent"]


def action(choice: Choice) -> str:
    """Say what to do: how to call which model, or which shares of the queries go where."""
    if len(choice.parts) == 1:
        (part, _), *_ = choice.parts
        if part.course and part.course.workflow:
            return f"use {part.course.workflow} ({part.course.calls[0]:.3g} of at most {part.k} calls)"
        at_a_time = f" ({part.parallelism} at a time)" * (part.parallelism != 1)
        return f"use {part.model} with {_way(part)}{at_a_time}"
    ways: list[str] = []
    for part, weight in choice.parts:
        share = f"{percent(weight)}{' of queries' * (not ways)}"
        at_a_time = f", {part.parallelism} at a time" * (part.parallelism != 1)
        ways.append(f"{share} to {part.model} ({_way(part)}{at_a_time})")
    return f"send {', '.join(ways[:-1])} and {ways[-1]}, at random"


def _way(choice: Choice) -> str:
    """How often a model is called and who answers, or by which policy."""
    if choice.course:
        return f"{choice.course.policy} ({choice.course.calls[0]:.3g} of at most {choice.k} calls)"
    return f"k = {choice.k} sample{'s' * (choice.k != 1)}, {choice.aggregator}"


def percent(share: float) -> str:
    """Write a share in percent, with as many digits as tell it from none and from all.

    >>> percent(0.7165), percent(0.00012), percent(0.99988), percent(1.0)
    ('72 %', '0.01 %', '99.99 %', '100 %')
    """
    if share > 0.99:
        return f"{100 - float(f'{100 * (1 - share):.1g}'):g} %"
    return f"{100 * share:.0f} %" if share >= 0.01 else f"{100 * share:.1g} %"


def bought(outcome: "Outcome", choice: Choice) -> str:
    """Say what loosening each limit of a mixture by 1 % buys, in sentences; nothing where it buys nothing."""
    mixture = choice.mixture if isinstance(choice, MixedChoice) else None
    if mixture is None:
        return ""
    units = {o.name: o.unit for o in outcome.candidates.objectives}
    sentences = []
    for limit in outcome.scenario.limits:
        gain = mixture.shadow_prices.get(limit_name(limit), 0.0) * abs(limit.worst) / 100
        if gain and mixture.cheapest:
            saves = f"{gain:.2g} {units[mixture.cheapest]}".rstrip()
            sentences.append(f" 1 % less of {limit_name(limit)} saves {saves} of {mixture.cheapest}.")
        elif gain:
            sentences.append(f" 1 % more of {limit_name(limit)} buys {gain:.2g} of {ACCURACY.name}.")
    return "".join(sentences)


def mixture(report: "Report") -> Mapping[str, Any]:
    """Return the JSON keys of the mixture of the scenario; where there are several, they stand in the headlines."""
    nothing: dict[str, Any] = {"mixture": None, "shadow_prices": {}}
    choices = [outcome.mixture for outcome in report.outcomes if outcome.mixture]
    return {key: choices[0].to_dict()[key] for key in nothing} if len(choices) == 1 else nothing
