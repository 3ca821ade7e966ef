"""Policies that stop where the next call is not worth its price, and another policy for each kind of query."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import ClassVar

import numpy as np

from ..core.errors import MooInferError, NothingPossible
from ..core.parts import AtLeastOne, Positive, Share
from ..core.seen import Answer, Call, Seen
from ..hookspecs import hookimpl
from ..interfaces import Policy
from .stages import Checked

__all__ = ["Box", "ByLabel", "Reservation", "ScoreLaw", "WorthIt", "reserve"]


@dataclass(frozen=True)
class ScoreLaw:
    """The law of the score of one inference: uniform between two values, normal, or that of values that were seen.

    Args:
        low, high: of a uniform law.
        mean, std: of a normal law.
        values: as likely as each other.

    Raises:
        MooInferError: where it is none of these.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    low: float | None = None
    high: float | None = None
    mean: float | None = None
    std: Positive | None = None
    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        uniform, normal = (self.low, self.high), (self.mean, self.std)
        ways = [None not in uniform, None not in normal, bool(self.values)]
        given = sum(each is not None for each in (*uniform, *normal))
        if sum(ways) != 1 or given != 2 * (ways[0] or ways[1]):
            raise MooInferError("scores: a law has low and high, or mean and std, or values")
        if self.low is not None and self.high is not None and not self.low < self.high:
            raise MooInferError(f"scores: low must be < high, got {self.low:g} and {self.high:g}")

    def excess(self, z: float, /) -> float:
        """Return the mean of what a score is above z: E[(X - z)+].

        >>> ScoreLaw(low=0.0, high=1.0).excess(0.8), round(ScoreLaw(mean=0.0, std=1.0).excess(0.0), 6)
        (0.02, 0.398942)
        """
        if self.low is not None and self.high is not None:
            above = min(max(self.high - z, 0.0), self.high - self.low)
            return round(above**2 / 2 / (self.high - self.low) + max(self.low - z, 0.0), 15)
        if self.mean is not None and self.std is not None:
            from scipy.special import ndtr

            t = (self.mean - z) / self.std
            density = np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi)
            return float(self.std * (density + t * ndtr(t)))
        return float(np.maximum(np.array(self.values) - z, 0.0).mean())

    @property
    def ends(self) -> tuple[float, float]:
        """Values far below and above the middle of the law."""
        if self.mean is not None and self.std is not None:
            return self.mean - 40 * self.std, self.mean + 40 * self.std
        low = min(self.values) if self.low is None else self.low
        high = max(self.values) if self.high is None else self.high
        return low, high


@lru_cache(maxsize=256)
def reserve(scores: ScoreLaw, price: float) -> float:
    """Return the reserve of an inference: the best score so far at which one more is just not worth its price.

    E[(X - z)+] = price (Weitzman, Optimal Search for the Best Alternative, Econometrica 47, 1979, eq. 7).

    >>> round(reserve(ScoreLaw(low=0.0, high=1.0), 0.02), 9), round(reserve(ScoreLaw(mean=0.94, std=0.02), 0.001), 9)
    (0.8, 0.965111634)
    """
    from scipy.optimize import brentq

    low, high = scores.ends
    low = min(low, low - (price - scores.excess(low))) - 1.0  # there the excess is above the price: its slope is -1
    return float(brentq(lambda z: scores.excess(z) - price, low, high, xtol=1e-14))


@dataclass(frozen=True)
class Box:
    """A model that may be called for a score.

    Args:
        model: its name.
        price: of a call, in the unit of the scores, > 0; None for the mean USD of its cost models.
        k: calls at most, >= 1.
        scores: the law of its scores, or values that are as likely as each other; None for those of its log.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    model: str
    price: Positive | None = None
    k: AtLeastOne = 1
    scores: ScoreLaw | tuple[float, ...] | None = None

    @property
    def reserve(self) -> float:
        """The best score at which it is not called any more."""
        if self.price is None or self.scores is None:
            raise MooInferError(f"{self.model}: its price and the law of its scores are not known")
        return reserve(self.scores if isinstance(self.scores, ScoreLaw) else ScoreLaw(values=self.scores), self.price)


@dataclass(frozen=True)
class Reservation(Policy):
    """The best of scored answers: one call at a time, until the best score exceeds what one more is worth.

    Of several models those with higher reserves are called first, which no other order beats where scores are
    independent (Weitzman 1979).

    Args:
        price: of a call, in the unit of the scores, > 0; None for the mean USD of the cost models.
        scores: the law of the score of a call, or values that are as likely as each other; None for those of the log.
        k: calls at most, >= 1.
        models: in place of these, several models with numbers of their own.
        model: the model; each of the run in turn where none is named.

    Raises:
        MooInferError: for a model that is there twice.

    >>> policy = Reservation(0.02, ScoreLaw(low=0.0, high=1.0), model="small")
    >>> policy.decide(Seen({"small": {"score": [0.3, 0.7]}})), policy.decide(Seen({"small": {"score": [0.3, 0.9]}}))
    (Call(times={'small': 1}), Answer(by='top-score', of=()))
    """

    name = "reservation"

    price: Positive | None = None
    scores: ScoreLaw | tuple[float, ...] | None = None
    k: AtLeastOne = 8
    models: tuple[Box, ...] = ()
    model: str = ""

    def __post_init__(self) -> None:
        names = [box.model for box in self.models]
        if twice := [name for name in names if names.count(name) > 1]:
            raise MooInferError(f"models: {twice[0]!r} is there {names.count(twice[0])} times")

    @cached_property
    def _boxes(self) -> tuple[Box, ...]:
        return self.models or (Box(self.model, self.price, self.k, self.scores),)

    @cached_property
    def _in_turn(self) -> list[tuple[float, Box]]:
        return sorted(((box.reserve, box) for box in self._boxes), key=lambda each: -each[0])

    @property
    def most(self) -> dict[str, int]:
        """The calls of all models."""
        return {box.model: box.k for box in self._boxes}

    def decide(self, seen: Seen, /) -> Call | Answer:
        """Call the model with the highest reserve, unless the best score is above it."""
        scores = np.concatenate([seen.column(box.model, "score") for box in self._boxes])
        best = float(np.max(scores[np.isfinite(scores)], initial=-np.inf))
        for needed, box in self._in_turn:
            if best >= needed:
                break
            if seen.n(box.model) < box.k:
                return Call({box.model: 1})
        return Answer("top-score")


@dataclass(frozen=True)
class WorthIt(Checked):
    """One call at a time until a checker accepts one, as long as the next is worth its price.

    Before any call the chance p that an inference is right follows Beta(a, b); after n that were not accepted the next
    is right with probability a / (a + b + n), and called where that times the value of a right answer exceeds its
    price.

    Args:
        value: USD of a right answer, > 0.
        prior: a and b, > 0; None for those of the log.
        price: USD of a call, > 0; None for the mean of the cost models.
        k: calls at most, >= 1.
        score_above, true_positive, false_positive: the checker; see `FirstAccepted`.
        model: the model; each of the run in turn where none is named.

    >>> policy = WorthIt(1.0, (0.5, 1.5), 0.005, k=200, model="small")
    >>> [type(policy.decide(Seen({"small": {"correct": np.zeros(n)}}))).__name__ for n in (97, 98)]
    ['Call', 'Answer']
    """

    name = "worth-it"

    value: Positive
    prior: tuple[Positive, Positive] | None = None
    price: Positive | None = None
    k: AtLeastOne = 8
    score_above: float | None = None
    true_positive: Share | None = None
    false_positive: Share | None = None
    model: str = ""

    @property
    def most(self) -> dict[str, int]:
        """At most k calls."""
        return {self.model: self.k}

    def decide(self, seen: Seen, /) -> Call | Answer:
        """Call where it is worth it."""
        if self.prior is None or self.price is None:
            raise MooInferError("the price of a call and the prior of what is right are not known")
        n, (a, b) = seen.n(self.model), self.prior
        worth = self.value * a / (a + b + n) > self.price
        if n < self.k and worth and not self.accepted(seen, self.model):
            return Call({self.model: 1})
        return Answer(self.accepting)


@dataclass(frozen=True)
class ByLabel(Policy):
    """Another policy for each label of the query: of its task, or what else is known before.

    Args:
        label: what is known of a query, for example ``task``.
        policies: by the value of the label.
        otherwise: the policy of queries with another value.
        model: the model of those that leave it open; each of the run in turn where none is named.

    >>> from moo_infer.builtin.policies import Fixed
    >>> policy = ByLabel("task", {"maths": Fixed(5)}, Fixed(1), model="small")
    >>> policy.decide(Seen(query={"task": "maths"})), policy.decide(Seen(query={"task": "law"}))
    (Call(times={'small': 5}), Call(times={'small': 1}))
    """

    name = "by-label"

    label: str
    policies: Mapping[str, Policy]
    otherwise: Policy
    model: str = ""

    def __post_init__(self) -> None:
        for policy in (*self.policies.values(), self.otherwise):
            if policy.arrivals:
                raise MooInferError(f"{policy.name} is asked at every arrival, which by-label is not")

    def _of(self, policy: Policy) -> Policy:
        part: object = policy
        if dataclasses.is_dataclass(part) and not isinstance(part, type) and getattr(policy, "model", None) == "":
            return dataclasses.replace(part, model=self.model)  # type: ignore[return-value]  # the same class
        return policy

    @property
    def most(self) -> dict[str, int]:
        """The most that any of them calls each model."""
        most: dict[str, int] = {}
        for policy in (*self.policies.values(), self.otherwise):
            for model, calls in self._of(policy).most.items():
                most[model] = max(calls, most.get(model, 0))
        return most

    def decide(self, seen: Seen, /) -> Call | Answer:
        """Ask the policy of the label."""
        if self.label not in seen.query:
            known = ", ".join(seen.query) or "nothing"
            raise NothingPossible(f"by-label: {self.label!r} is not known of a query before; known: {known}")
        policy = self.policies.get(str(seen.query[self.label]), self.otherwise)
        return self._of(policy).decide(seen)


@hookimpl
def register_policies() -> list[type[Policy]]:
    """Register the policies that weigh a call against its price, and those by label."""
    return [Reservation, WorthIt, ByLabel]
