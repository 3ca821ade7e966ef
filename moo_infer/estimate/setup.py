"""What one curve is estimated from, and what its parts have to say of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.draws import Draws
from ..core.errors import MooInferError, NothingPossible
from ..core.moments import Moments
from ..core.objectives import ACCURACY, Objective
from ..interfaces import AccuracyAggregator, CostModel, InferenceModel
from ..profiles import ModelProfile
from ..quantities.quantity import Query
from ..quantities.queries import Note, Queries
from ..quantities.samples import Samples
from .calls import Part, guarded
from .delivered import Delivered

__all__ = ["Notes", "Part", "Redrawn", "Setup", "common_objectives", "part_name"]


@dataclass(frozen=True, eq=False)
class Notes:
    """What the parts of a setup have to say.

    Args:
        texts: each sentence once.
        possible: (n,) which numbers of inferences can be had.
        bounded: whether that depends on more than how far the model goes.
        why: why not all can be had; empty where all can.
    """

    texts: tuple[str, ...]
    possible: BoolArray
    bounded: bool
    why: str


@dataclass(frozen=True, eq=False)
class Setup:
    """What one curve is estimated from: a profile and an aggregator at n values of k.

    Args:
        profile: the model.
        aggregator: how its inferences are combined.
        k: (n,) ascending numbers of inferences, >= 1.
        parallelism: P, how many inferences run at a time, >= 1.
    """

    profile: ModelProfile
    aggregator: AccuracyAggregator
    k: IntArray
    parallelism: int

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}  # what is computed is so again

    @property
    def name(self) -> str:
        """Name of the profile and of the aggregator."""
        return f"{self.profile.name} with {self.aggregator.name}"

    @property
    def parts(self) -> tuple[Part, ...]:
        """What says the worth of answers, and all cost models."""
        return (*self.worths.values(), *self._cost_models)

    @cached_property
    def worths(self) -> dict[Objective, AccuracyAggregator]:
        """What says how much an answer is worth, by objective: the accuracy, and how else the model's log is judged."""
        judged = {objective: Delivered(self.aggregator, objective.name) for objective in self.queries.judged}
        return {ACCURACY: self.aggregator, **judged}

    @property
    def _cost_models(self) -> tuple[CostModel, ...]:
        return (*self.profile.costs, *self.aggregator.costs)

    @cached_property
    def costs(self) -> dict[Objective, list[CostModel]]:
        """Cost models of the profile and of the aggregator, by objective.

        Raises:
            MooInferError: where a cost model claims what answers are worth, or two parts disagree about an objective.
        """
        parts: dict[Objective, list[CostModel]] = {}
        for part in self._cost_models:
            objective = part.objective
            for known in (*self.worths, *parts):
                if known.name == objective.name and (known in self.worths or known != objective):
                    raise MooInferError(
                        f"{self.profile.name}: cost model {part.name!r} has the objective {objective!r}, "
                        f"but {objective.name!r} is already {known!r}"
                    )
            parts.setdefault(objective, []).append(part)
        return parts

    @cached_property
    def queries(self) -> Queries:
        """The queries of the model."""
        return guarded(lambda: self.profile.queries, self.model_name)

    @property
    def model_name(self) -> str:
        """What errors call the inference model."""
        return f"inference model {self.profile.inference.name!r} of {self.profile.name!r}"

    def part_name(self, part: Part) -> str:
        """Return what errors call an aggregator or a cost model."""
        return f"{part_name(part)} on {self.profile.name!r}"

    def exact(self, part: Part, query: Query) -> Moments:
        """Ask a part for its exact moments given the query; it may raise what it likes."""
        if isinstance(part, AccuracyAggregator):
            return part.exact(query, self.k)
        return part.exact(query, self.k, parallelism=self.parallelism)

    @cached_property
    def notes(self) -> Notes:
        """What the parts have to say, and which k can be had."""
        notes = [*guarded(self.profile.inference.notes, self.model_name)]
        reasons: list[str] = []
        largest, supported = self._largest, self.profile.largest_k or self._largest
        if largest is not None and len(self.k) and self.k.max() > largest:
            why = "the largest that its source supports" if largest == supported else "as far as it is extrapolated"
            reasons.append(f"no k above {largest}, {why}")
            notes.append(Note(reasons[0]))
        if supported is not None and largest is not None and supported < min(largest, self.k.max(initial=0)):
            notes.append(Note(f"what is above k = {supported}, the largest that its source supports, is extrapolated"))
        possible = np.ones(len(self.k), dtype=bool) if largest is None else self.k <= largest
        k, bounded = self.k[possible], False
        for part in self._cost_models if len(k) else ():
            name = self.part_name(part)
            said = partial(part.notes, self.profile.inference, k, parallelism=self.parallelism)
            for note in guarded(said, name):
                notes.append(note)
                if note.excludes is not None:
                    bounded = True
                    excluded = _mask(note.excludes, k, name)
                    possible[np.isin(self.k, k[excluded])] = False
                    reasons += [note.text] * bool(excluded.any() and note.text)
        texts, why = dict.fromkeys(note.text for note in notes if note.text), "; ".join(dict.fromkeys(reasons))
        return Notes(tuple(texts), possible, bounded, why)

    @property
    def _largest(self) -> int | None:
        """The largest k that is a candidate, or None where there is no end."""
        ends = [self.queries.largest_k, self.profile.extrapolate_to or self.profile.largest_k]
        return min((end for end in ends if end is not None), default=None)

    def possible(self) -> "Setup":
        """Keep the k that can be had.

        Raises:
            NothingPossible: where there is none.
        """
        if self.notes.possible.all() and len(self.k):
            return self
        k = self.k[self.notes.possible]
        if not len(k):
            why = self.notes.why or "its cost models say no more"
            raise NothingPossible(f"{self.profile.name}: none of the numbers of inferences can be had: {why}")
        return replace(self, k=k)

    def with_values(self, values: Mapping[str, Any]) -> "Setup":
        """Return the setup with other numbers in its profile, by path; see `ModelProfile.with_values`."""
        return replace(self, profile=self.profile.with_values(values)) if values else self

    def with_weights(self, weights: FloatArray, pseudo: tuple[float, float] = (0.0, 0.0)) -> "Setup":
        """Return the setup with other shares of the questions of its log; arguments as in `Queries.reweighted`."""
        return self._with_queries(self.queries.reweighted(weights, pseudo))

    def with_samples(self, samples: Samples) -> "Setup":
        """Return the setup with other samples of the same questions of its log."""
        return self._with_queries(Queries.of_samples(samples, judged=self.queries.judged))

    def _with_queries(self, queries: Queries) -> "Setup":
        return replace(self, profile=self.profile.with_inference(Redrawn(self.profile.inference, queries)))


def part_name(part: Part) -> str:
    """Return the kind and the name of a part."""
    return f"{'aggregator' if isinstance(part, AccuracyAggregator) else 'cost model'} {part.name!r}"


def _mask(given: object, k: IntArray, name: str) -> BoolArray:
    mask = np.asarray(given)
    if mask.shape != k.shape or mask.dtype != bool:
        raise MooInferError(f"{name}: excludes must be {k.shape} of true and false, got {given!r:.80}")
    return mask


@dataclass(frozen=True, eq=False)
class Redrawn(InferenceModel):
    """A model that draws from a log, whose questions or samples are drawn anew.

    Args:
        model: the model.
        drawn: its questions, with other samples or weights.
    """

    name = "redrawn"

    model: InferenceModel
    drawn: Queries

    def queries(self) -> Queries:
        """Return the questions as they were drawn."""
        return self.drawn

    def notes(self) -> Sequence[Note]:
        """Return what the model has to say."""
        return self.model.notes()

    def sample(self, rng: np.random.Generator, M: int, K: int, /) -> Draws:
        """Draw questions by their weights."""
        return self.drawn.draw(rng, M, K)


def common_objectives(setups: Sequence[Setup]) -> tuple[Objective, ...]:
    """Collect the columns of a table: accuracy, the objectives of the cost models, and other judgements.

    Raises:
        MooInferError: where some lack a cost model or a judgement that others have, or an objective means two things.
    """
    found: dict[str, tuple[str, Objective]] = {}
    held = [(setup.name, [*setup.costs, *setup.queries.judged]) for setup in setups]
    for owner, objectives in held:
        for objective in objectives:
            other, known = found.setdefault(objective.name, (owner, objective))
            if known != objective:
                raise MooInferError(f"{objective.name!r} is {known!r} for {other}, but {objective!r} for {owner}")
    for owner, objectives in held:
        if missing := sorted(set(found) - {o.name for o in objectives}):
            what = "cost model for" if found[missing[0]][1].scale is None else "judgement of"
            raise MooInferError(
                f"{owner} has no {what} {', '.join(missing)}, which {found[missing[0]][0]} has; "
                f"candidates are compared in the same objectives"
            )
    return (ACCURACY, *(objective for _, objective in found.values()))
