"""Another policy for each load: more samples while few queries come, fewer while many do."""

import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar

from ..core.day import LOAD
from ..core.errors import MooInferError, NothingPossible
from ..core.parts import NonNegative
from ..core.seen import Answer, Call, Seen
from ..hookspecs import hookimpl
from ..interfaces import Policy

__all__ = ["ByLoad", "UpTo"]


@dataclass(frozen=True)
class UpTo:
    """A policy up to a load.

    Args:
        up_to: queries a second at most, >= 0.
        policy: of queries that come then.
    """

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid", "arbitrary_types_allowed": True}

    up_to: NonNegative
    policy: Policy


@dataclass(frozen=True)
class ByLoad(Policy):
    """Another policy for each load, the queries a second when a query comes.

    The load is what is known of a query before as ``queries_per_second``: by the hours of a day (``day:`` in a file),
    or live by a label of each question, or a function that describes it. A table load -> k is one of ``fixed``
    policies.

    Args:
        loads: the policy up to each load; the one with the least load that is not below the query's is asked.
        otherwise: the policy beyond them.
        model: the model of those that leave it open; each of the run in turn where none is named.

    Raises:
        MooInferError: without loads, for one that is there twice, and for a policy that is asked at every arrival.

    >>> from moo_infer.builtin.policies import Fixed
    >>> policy = ByLoad((UpTo(0.2, Fixed(11)),), Fixed(1), model="small")
    >>> policy.decide(Seen(query={"queries_per_second": 0.2})), policy.decide(Seen(query={"queries_per_second": 1.0}))
    (Call(times={'small': 11}), Call(times={'small': 1}))
    """

    name = "by-load"

    loads: tuple[UpTo, ...]
    otherwise: Policy
    model: str = ""

    def __post_init__(self) -> None:
        ends = [of.up_to for of in self.loads]
        if not ends:
            raise MooInferError("loads: one at least is needed, got none")
        for end in ends:
            if ends.count(end) > 1:
                raise MooInferError(f"loads: up_to {end:g} is there {ends.count(end)} times")
        for policy in self._policies:
            if policy.arrivals:
                raise MooInferError(f"{policy.name} is asked at every arrival, which by-load is not")

    @property
    def _policies(self) -> tuple[Policy, ...]:
        return (*(of.policy for of in self.loads), self.otherwise)

    def at(self, load: float) -> Policy:
        """Return the policy at a load."""
        fitting = [of for of in self.loads if load <= of.up_to]
        policy: object = min(fitting, key=lambda of: of.up_to).policy if fitting else self.otherwise
        return self._of(policy)

    def _of(self, policy: object) -> Policy:
        is_open = dataclasses.is_dataclass(policy) and getattr(policy, "model", None) == ""
        part: Policy = dataclasses.replace(policy, model=self.model) if is_open else policy  # type: ignore[type-var,assignment]  # the same class
        return part

    @property
    def most(self) -> dict[str, int]:
        """The most that any of them calls each model."""
        most: dict[str, int] = {}
        for policy in self._policies:
            for model, calls in self._of(policy).most.items():
                most[model] = max(calls, most.get(model, 0))
        return most

    def decide(self, seen: Seen, /) -> Call | Answer:
        """Ask the policy of the load.

        Raises:
            NothingPossible: where the load is not known, or is no number >= 0.
        """
        if LOAD not in seen.query:
            known = ", ".join(seen.query) or "nothing"
            raise NothingPossible(
                f"by-load: {LOAD!r} is not known of a query before: give the file a day, or live each question a label "
                f"of that name; known: {known}"
            )
        load = _number(seen.query[LOAD])
        if isinstance(load, bool) or not isinstance(load, int | float) or not (math.isfinite(load) and load >= 0):
            raise NothingPossible(f"by-load: {LOAD!r} of a query must be a finite number >= 0, got {load!r:.40}")
        return self.at(load).decide(seen)


def _number(value: object) -> object:
    """A label, which is a text where it is whole, as the number that it says; anything else as it is."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


@hookimpl
def register_policies() -> list[type[Policy]]:
    """Register the policy by load."""
    return [ByLoad]
