"""A policy with the models it calls: what one evaluation needs to know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import Any

import numpy as np

from ..core.errors import MooInferError, NothingPossible, unknown
from ..core.objectives import Objective
from ..core.seen import Answer
from ..estimate.setup import Setup
from ..interfaces import AccuracyAggregator, CostModel, Policy
from ..profiles import ModelProfile
from ..quantities.samples import Samples
from ..registry import Registry
from .decisions import most_calls
from .filling import filled

__all__ = ["Deployment"]


@dataclass(frozen=True, eq=False)
class Deployment:
    """A policy with the models it calls.

    Args:
        policy: who decides; its model is named.
        setups: by model, those it calls: profiles and how many of their calls run at a time.
        registry: where aggregators are looked up.
    """

    policy: Policy
    setups: Mapping[str, Setup]
    registry: Registry

    @classmethod
    def of(
        cls, policy: Policy, profiles: Mapping[str, ModelProfile], parallelism: int | None, registry: Registry
    ) -> "Deployment":
        """Find the models of a policy by their names.

        Raises:
            MooInferError: for a model that is not there, and for several that did not answer the same questions.
            NothingPossible: where a log has too few samples.
        """
        placeholder = registry.get(AccuracyAggregator, "one-call")  # the aggregators are those that the policy names
        setups = {}
        for model, calls in most_calls(policy).items():
            if model not in profiles:
                raise unknown("model", model, profiles, f"policy {policy.name!r}")
            profile = profiles[model]
            k = np.array([calls], dtype=np.int64)
            setups[model] = Setup(profile, placeholder, k, parallelism or profile.parallelism)
        made = cls(filled(policy, setups), setups, registry)
        made._check()
        return made

    def _check(self) -> None:
        for model, calls in self.most.items():
            largest = self.setups[model].queries.largest_k
            if largest is not None and calls > largest:
                raise NothingPossible(
                    f"{self.name} calls {model} up to {calls} times, and its log has {largest} samples of some question"
                )
        if len(self.setups) > 1:
            logs = [setup.queries.samples is not None for setup in self.setups.values()]
            for model, setup in self.setups.items() if any(logs) or self._differing else ():
                if setup.queries.samples is None:
                    raise MooInferError(
                        f"{self.name} calls several models, and {model} has no log: that hard questions are hard for "
                        "all of them is known from answers to the same questions alone"
                    )
            if any(logs) and not self.questions:
                raise MooInferError(f"{self.name}: the logs of {', '.join(self.setups)} have no question in common")

    @property
    def _differing(self) -> bool:
        """Whether queries of laws differ in difficulty."""
        axes = [axis for setup in self.setups.values() for axis in setup.queries.axes]
        return any("accuracy" in axis.laws and np.ptp(axis.laws["accuracy"].mean) > 0 for axis in axes)

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"policy {self.policy.name!r}"

    @cached_property
    def most(self) -> dict[str, int]:
        """The most calls of each model."""
        return most_calls(self.policy)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, in the order of `most`."""
        return tuple(self.setups)

    @cached_property
    def questions(self) -> tuple[str, ...]:
        """The questions that all logs have, in the order of the first; none without logs."""
        logs = [setup.queries.questions for setup in self.setups.values()]
        common = reduce(set.intersection, (set(questions) for questions in logs))
        return tuple(question for question in logs[0] if question in common)

    @cached_property
    def samples(self) -> tuple[Samples, ...] | None:
        """The samples of each model on these questions, in their order; None where there is no log."""
        logs = [setup.queries.samples for setup in self.setups.values()]
        known = [_on(log, self.questions) for log in logs if log is not None]
        return tuple(known) if len(known) == len(logs) else None

    @cached_property
    def known(self) -> list[dict[str, object]]:
        """What is known of each question before: its name, and the task in it, before a colon."""
        return [{"question": name, "task": name.partition(":")[0] if ":" in name else ""} for name in self.questions]

    @cached_property
    def costs(self) -> dict[Objective, tuple[list[CostModel], ...]]:
        """By objective the cost models of each model.

        Raises:
            MooInferError: where one has an objective that another lacks.
        """
        held = [setup.costs for setup in self.setups.values()]
        for setup, costs in zip(self.setups.values(), held, strict=True):
            if missing := [objective.name for objective in held[0] if objective not in costs] + [
                objective.name for objective in costs if objective not in held[0]
            ]:
                raise MooInferError(
                    f"{self.name}: {self.models[0]} and {setup.profile.name} are not priced in the same objectives; "
                    f"one of them has no {missing[0]}"
                )
        return {objective: tuple(costs[objective] for costs in held) for objective in held[0]}

    def aggregator(self, answer: Answer) -> AccuracyAggregator:
        """Return who answers."""
        if isinstance(answer.by, AccuracyAggregator):
            return answer.by
        if isinstance(answer.by, str):
            return self.registry.get(AccuracyAggregator, answer.by)
        return self.registry.build(AccuracyAggregator, answer.by, "aggregator")

    def with_values(self, values: Mapping[str, Mapping[str, Any]]) -> "Deployment":
        """Return the same with other numbers in the profiles, by model and path."""
        return replace(self, setups={m: setup.with_values(values.get(m, {})) for m, setup in self.setups.items()})

    def with_samples(self, samples: Sequence[Samples]) -> "Deployment":
        """Return the same with other samples of each model."""
        drawn = zip(self.setups.items(), samples, strict=True)
        return replace(self, setups={model: setup.with_samples(of) for (model, setup), of in drawn})


def _on(samples: Samples, questions: Sequence[str]) -> Samples:
    """The samples of some questions, in their order."""
    if tuple(samples.questions) == tuple(questions):
        return samples
    place = {name: i for i, name in enumerate(questions)}
    question = np.array([place.get(name, -1) for name in samples.questions])[samples.question]
    order = np.argsort(question, kind="stable")[np.count_nonzero(question < 0) :]
    columns = {name: column[order] for name, column in samples.columns.items()}
    return Samples(samples.model, questions, question[order], samples.correct[order], columns)
