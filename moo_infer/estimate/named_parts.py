"""The parts of a run as they are given: by name or as objects, one or many, each with a name of its own."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from typing import Any, TypeVar

from ..core.errors import MooInferError
from ..core.naming import listed_items, refuse_twice
from ..core.objectives import Objective
from ..core.parts import check
from ..interfaces import AccuracyAggregator, CostModel, Selector
from ..profiles import ModelProfile
from ..registry import Registry
from .calls import guarded

__all__ = ["AGGREGATORS", "ON_LOGS", "parts_of", "supported"]

# What aggregates where nothing is named: by laws the paper's best of k, which a perfect judge takes; on a log one call,
# and the vote where there are answers. A perfect judge of logged answers is there for those who name one.
AGGREGATORS = ("best-of-k",)
ON_LOGS = ("one-call", "plurality-vote")

Part = TypeVar("Part", AccuracyAggregator, Selector)


def parts_of(
    kind: type[Part], given: str | Part | Iterable[str | Part], what: str, registry: Registry
) -> tuple[Part, ...]:
    """Return the parts that are given; those of equal names get their parameters into them.

    Args:
        kind: their interface.
        given: names, with fields behind a colon, or objects.
        what: what they are, in messages.
        registry: where names are looked up.

    Raises:
        MooInferError: for unknown names, objects that are no such part, and two that are the same.
    """
    listed = [given] if isinstance(given, str | kind) else listed_items(given, f"{what}s")
    parts = tuple(
        registry.get(kind, part) if isinstance(part, str) else check(part, kind, f"{what}s") for part in listed
    )
    names = [part.name for part in parts]
    parts = tuple(_labelled(part) if names.count(part.name) > 1 else part for part in parts)
    refuse_twice([part.name for part in parts], what)
    for part in parts:
        _check_costs(part, f"{what} {part.name!r}")
    return parts


def supported(profile: ModelProfile, registry: Registry) -> tuple[AccuracyAggregator, ...]:
    """Return the aggregators of a model that its source supports, where none is named."""
    samples = profile.queries.samples
    names = AGGREGATORS if samples is None else ON_LOGS
    if samples is not None and (samples.graded or samples.no_choice("answer")):
        names = ON_LOGS[:1]
    return tuple(registry.get(AccuracyAggregator, name) for name in names)


def _labelled(part: Part) -> Part:
    """Return a part whose name tells it from others of its class: ``noisy-score:rho=0.5``."""
    given: list[str] = []
    cls: Any = type(part)
    for field in dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ():
        value = getattr(part, field.name)
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if value != default:
            entries = value.items() if isinstance(value, Mapping) else [("", value)]
            given += [f"{field.name}{'.' * bool(key)}{key}={entry}" for key, entry in entries]
    labelled = copy(part)
    object.__setattr__(labelled, "name", f"{part.name}:{','.join(given)}" if given else part.name)
    return labelled


def _check_costs(part: object, where: str) -> None:
    """Refuse what an aggregator spends where it is no list of cost models within their ranges."""
    if not isinstance(part, AccuracyAggregator):
        return
    costs = guarded(lambda: part.costs, f"{where}: costs")
    if not isinstance(costs, Sequence) or isinstance(costs, str):
        raise MooInferError(f"{where}: costs must be a property that gives a list of cost models, got {costs!r:.80}")
    for i, cost in enumerate(costs):
        check(cost, CostModel, f"{where}: costs[{i}]")
        if not isinstance(getattr(cost, "objective", None), Objective):
            raise MooInferError(f"{where}: costs[{i}]: needs a class attribute objective of type Objective")
