"""What models of one log share: only that is compared, and what differs is said."""

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .profiles import Calibration

__all__ = ["comparable", "compared"]


def comparable(models: "list[Calibration]") -> "list[Calibration]":
    """Models in the same objectives: what one of them lacks is left out of all, and said."""
    every = {name for model in models for name in model.costs}
    common = {name for name in every if all(name in model.costs for model in models)}
    found = []
    for model in models:
        notes = list(model.notes)
        for name in sorted(every - common):
            without = [other.kept.model for other in models if name not in other.costs]
            notes.append(f"{name} is left out, because it is not known for {', '.join(without)}")
        costs = {name: part for name, part in model.costs.items() if name in common}
        if not costs:
            notes.append("the profile has no costs: without prices, seconds or joules only accuracy can be limited")
        found.append(replace(model, costs=costs, notes=notes))
    return found


def compared(models: "list[Calibration]") -> "list[Calibration]":
    """Models that answered different questions are told so: what differs may be the questions."""
    asked = [set(model.kept.scored.questions) for model in models]
    common = set.intersection(*asked) if asked else set()
    found = []
    for model, mine in zip(models, asked, strict=True):
        notes = list(model.notes)
        if others := len(mine - common):
            notes.append(f"{others} of its {len(mine)} questions were not put to all models, so compare with care")
        found.append(replace(model, notes=notes))
    return found
