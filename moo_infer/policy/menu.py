"""About ten policies that are sensible for the models of a run, where none is named."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..core.errors import NothingPossible
from ..core.objectives import COST
from ..estimate.setup import Setup
from ..quantities.samples import Samples
from .filling import price_of
from .tried import flow

__all__ = ["menu"]

VOTES, LONGEST = 8, 40  # samples at most of policies that vote, and of one that goes on while the vote is close
DEARER = 8.0  # times the price of a call, below which a cascade gained nothing over a mixture of its models
# How many of how many samples agree, of the most accurate of the cheap models and of the next one.
TWO, THREE, MOST = ("two-agree", 2, "all"), ("three-agree", 3, "all"), ("two-of-three-agree", 3, 2)
AGREE: Sequence[Sequence[tuple[str, int, str | int]]] = ((TWO, THREE, MOST), (TWO, THREE))


@dataclass(frozen=True)
class _Model:
    """A model with a log.

    Args:
        setup: one call.
        samples: its log.
    """

    setup: Setup
    samples: Samples

    @property
    def name(self) -> str:
        """Its name."""
        return self.setup.profile.name

    @property
    def n(self) -> int:
        """Samples of every question."""
        return self.samples.largest_k

    @property
    def votes(self) -> bool:
        """Whether its answers can be counted."""
        return not (self.samples.graded or self.samples.no_choice("answer"))

    @cached_property
    def accuracy(self) -> float:
        """Of one call."""
        by_question = np.bincount(self.samples.question, self.samples.correct) / self.samples.n
        return float(by_question @ self.setup.queries.weights)

    @cached_property
    def price(self) -> float:
        """Mean USD of a call; NaN where it is not known."""
        try:
            return price_of(self.setup, self.name)
        except NothingPossible:
            return float("nan")


def menu(setups: Sequence[Setup], /) -> list[tuple[str, str]]:
    """Return the policies to try for some models: what tables call each, and its text.

    Votes that are cut short for every model whose answers can be counted; and cascades from cheap models to the most
    accurate one, where that costs at least eight times as much.

    Args:
        setups: of the models, with one call each.
    """
    return [*_votes(setups), *_cascades(setups)]


def _votes(setups: Sequence[Setup]) -> Iterator[tuple[str, str]]:
    models = _logs(setups)
    n = min((model.n for model in models if model.votes), default=0)
    if len(models) < len(setups):
        n = min(n, VOTES) or VOTES  # of laws there are as many as wanted
    k = min(n, VOTES)
    if k < 3:
        return
    first = k // 2 + 1  # fewer cannot decide anything
    yield "decided-in-waves", f"vote-until-decided:k={k},waves=[{first}, {k - first}]"
    if all(any(o.along == "longest-path" for o in setup.costs) for setup in setups):
        yield "decided-as-they-come", f"vote-until-decided:k={k},arrivals=true"
    yield "two-then-more", f"two-then-more:k={k}"
    yield "adaptive-consistency", f"adaptive-consistency:k={min(n, LONGEST)}"


def _cascades(setups: Sequence[Setup]) -> Iterator[tuple[str, str]]:
    if not all(COST in setup.costs for setup in setups):
        return
    models = [model for model in _logs(setups) if model.price > 0]
    dear = max(models, key=lambda model: (model.accuracy, -model.price), default=None)
    if dear is None:
        return
    cheap = [model for model in models if model.votes and model.price * DEARER <= dear.price]
    cheap.sort(key=lambda model: -model.accuracy)
    then = {"model": dear.name, "k": 1}
    for model, ways in zip(cheap, AGREE, strict=False):
        for name, k, agree in ways:
            if model.n >= k:
                yield name, _text(first={"model": model.name, "k": k}, agree=agree, then=then)
    for model in cheap[:1]:
        base = model.name.partition("/")[0]
        variants = [{"model": other.name} for other in cheap if other.name.partition("/")[0] == base]
        if len(variants) > 1:
            yield "two-prompts-agree", _text(first=variants[:2], agree="all", then=then)
        known = model.samples.known("score")
        if known.any():
            middle = float(np.median(model.samples["score"][known]))
            yield "score-above-median", _text(first={"model": model.name, "k": 1}, score_above=middle, then=then)


def _logs(setups: Sequence[Setup]) -> list[_Model]:
    return [_Model(setup, setup.queries.samples) for setup in setups if setup.queries.samples is not None]


def _text(**fields: object) -> str:
    return "cascade:" + ",".join(f"{name}={flow(value)}" for name, value in fields.items())
