"""What policies do with queries, in words and cells; and how much better a choice among many looks than it is."""

import math
from typing import TYPE_CHECKING

from ..core.objectives import COST
from ..decide.choices import Choice

if TYPE_CHECKING:
    from .facts import Outcome
    from .wording import Cell

__all__ = ["courses", "does", "optimism", "way"]


def does(choice: Choice) -> str:
    """Say after how many calls the policies of a choice answer which shares of the queries; nothing without one."""
    sentences = []
    for part, _ in choice.parts:
        if part.course:
            who = "It" if len(choice.parts) == 1 else part.course.policy
            sentences.append(f" {who} {part.course.sentence}.")
    return "".join(sentences)


def way(choice: Choice) -> "Cell":
    """The model and the aggregator of a row; of a workflow its name and what was chosen for its stages."""
    if choice.course is None or not choice.course.workflow:
        return str(choice.model), str(choice.aggregator)
    name = choice.course.workflow
    return name, *str(choice.aggregator).removeprefix(f"{name} (").removesuffix(")").split(", ")


def courses(choice: Choice) -> "tuple[Cell, Cell]":
    """Calls and waves of each row of a choice, the mean and the 95 % quantile: k and one of a row without a policy."""
    calls, waves = [], []
    for part, _ in choice.parts:
        course = part.course
        calls.append(_mean_and_tail(*course.calls) if course else (str(part.k),))
        waves.append(_mean_and_tail(*course.waves) if course else ("1",))
    if len(choice.parts) == 1:
        return calls[0], waves[0]
    return tuple(" ".join(each) for each in calls), tuple(" ".join(each) for each in waves)


def optimism(outcome: "Outcome") -> str:
    """Say what was lost where choices were made on one half of the questions and scored on the other."""
    known = outcome.optimism
    if known is None:
        return ""
    dearer = f" and {COST.name} {known.ratios[COST.name]:.3g} times as high" if COST.name in known.ratios else ""
    limits = f"; {100 * known.broken:.0f} % of the choices break a limit there" if outcome.scenario.limits else ""
    loss = f"{abs(known.accuracy):.3f} {'lower' if known.accuracy >= 0 else 'higher'}"
    return (
        f" Chosen on one half of the questions, accuracy is {loss}{dearer} on the other half, on average of "
        f"{known.halves}{limits}."
    )


def _mean_and_tail(mean: float, tail: float) -> tuple[str, ...]:
    return (f"{mean:.3g}",) if math.isclose(mean, tail) else (f"{mean:.3g}", f"p95 {tail:g}")
