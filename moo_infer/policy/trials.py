"""Queries that are drawn, and what a policy does with them, wave by wave."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial, reduce
from typing import Any

import numpy as np

from ..core.arrays import Array, FloatArray, IntArray
from ..core.draws import BEFORE, Draws
from ..core.objectives import Objective
from ..core.seen import Answer, Call
from ..estimate.calls import guarded, numbers
from ..estimate.setup import Part, part_name
from ..quantities.by_samples import NAMES
from .dependence import refuse_dependent
from .deployment import Deployment
from .joint import joint
from .states import States, decisions

__all__ = ["Run", "TrialStates", "part_of"]

COLUMNS = {name: column for column, name in NAMES.items()}  # what draws call a column of the neutral table


class TrialStates(States):
    """States of drawn queries, which know every wave."""

    def __init__(self, run: "Run", trials: IntArray, waves: tuple[tuple[int, ...], ...]) -> None:
        m = len(run.of.models)
        super().__init__(run.of.models, tuple(map(sum, zip(*waves, strict=True))) if waves else (0,) * m, waves)
        self._run, self.trials = run, trials

    def __len__(self) -> int:
        return len(self.trials)

    def column(self, model: int, name: str, wave: int | None, /) -> Array:
        """Return a column of the samples, those of a wave in their place."""
        start = sum(calls[model] for calls in self.history[: wave or 0])
        end = start + self.calls(model, wave)
        return self._run.draws[model][COLUMNS.get(name, name)][self.trials, start:end]

    def unlike(self, models: Sequence[int], /) -> str:
        """Say why answers of some models cannot be compared."""
        return self._run.of.unlike(models)

    def spent(self, objective: str, /) -> FloatArray:
        """Return what was spent so far."""
        known = self._run.totals.get(objective)
        return np.zeros(len(self)) if known is None else known[self.trials]

    @property
    def question(self) -> IntArray:
        """(S,) which question each is about."""
        question = self._run.question
        return np.zeros(len(self), dtype=np.int64) if question is None else question[self.trials]

    def known(self, state: int, /) -> Mapping[str, object]:
        """Return what is known of the question before."""
        question = self._run.question
        return self._run.of.situation if question is None else self._run.of.known[int(question[self.trials[state]])]


@dataclass(frozen=True, eq=False)
class Run:
    """One replay.

    Args:
        of: the policy with its models.
        draws: (M, K) of each model, in the order in which they are called.
        question: (M,), or None.
        rng: of aggregators.
    """

    of: Deployment
    draws: list[Draws]
    question: IntArray | None
    rng: np.random.Generator

    @cached_property
    def totals(self) -> dict[str, FloatArray]:
        """(M,) by objective, as they grow."""
        names = [*self.of.worths, *(objective.name for objective in self.of.costs)]
        return {name: np.zeros(len(self.waves)) for name in names}

    @cached_property
    def n(self) -> IntArray:
        """(M, m) calls of each model."""
        return np.zeros((len(self.waves), len(self.draws)), dtype=np.int64)

    @cached_property
    def waves(self) -> IntArray:
        """(M,) how many there were."""
        return np.zeros(len(self.draws[0].accuracy), dtype=np.int64)

    def go(self) -> None:
        """Go through all waves."""
        open_ones: dict[tuple[tuple[int, ...], ...], list[IntArray]] = {(): [np.arange(len(self.waves))]}
        while open_ones:
            waves = min(open_ones, key=len)
            states = TrialStates(self, np.concatenate(open_ones.pop(waves)), waves)
            following: dict[tuple[tuple[int, ...], ...], list[IntArray]] = defaultdict(list)
            for decided, places in decisions(self.of.policy, states, self.of.most):
                trials = states.trials[places]
                if isinstance(decided, Answer):
                    self.answer(decided, trials, states.n, len(waves))
                else:
                    following[(*waves, self._call(decided, trials, states.n))].append(trials)
            for key, parts in following.items():
                open_ones.setdefault(key, []).extend(parts)

    def _call(self, call: Call, trials: IntArray, n: tuple[int, ...]) -> tuple[int, ...]:
        wave = tuple(int(call.times.get(model, 0)) for model in self.of.models)
        for objective in self.of.costs:
            each = [self.total(objective, j, trials, n[j], n[j] + w) for j, w in enumerate(wave) if w]
            spent = reduce(np.add if objective.along == "sum" else np.maximum, each)
            self.totals[objective.name][trials] += spent
            for j, w in enumerate(wave):
                if w and n[j] and objective.along == "sum":
                    before, after = (self.total(objective, j, trials, 0, end) for end in (n[j], n[j] + w))
                    own = each[sum(map(bool, wave[:j]))]
                    refuse_dependent(self.of, objective, j, (n[j], w), (before, own, after))
        return wave

    def total(
        self, objective: Objective, j: int, trials: IntArray, start: int, end: int, before: int | None = None
    ) -> FloatArray:
        """Return what the calls of a model from one to another take, made at once, after so many before."""
        setup = self.of.setups[self.of.models[j]]
        draws = part_of(self.draws[j], (trials, slice(start, end)))
        draws = Draws(columns={**draws, BEFORE: np.full(draws.accuracy.shape, start if before is None else before)})
        total = np.zeros(len(trials))
        for part in self.of.costs[objective][j]:
            name = setup.part_name(part)
            values = guarded(partial(part.total, draws, parallelism=setup.parallelism), name)
            total = total + numbers(values, draws.accuracy.shape, f"{name} must return (M, K)")[:, -1]
        return total

    def answer(self, answer: Answer, trials: IntArray, n: tuple[int, ...], waves: int) -> None:
        """Add what the answers of queries are worth, and what is spent on finding them."""
        models = answer.of or self.of.models
        taken = [j for j, model in enumerate(self.of.models) if n[j] and model in models]
        self.n[trials], self.waves[trials] = n, waves
        if not taken:
            return
        draws = [part_of(self.draws[j], (trials, slice(0, n[j]))) for j in taken]
        whole = joint(draws, self.of.unlike(taken))
        aggregator = self.of.aggregator(answer)
        P = max(self.of.setups[self.of.models[j]].parallelism for j in taken)
        for name in self.of.worths:
            part = self.of.worth(answer, name)
            self._add(name, part, partial(part.aggregate, whole, self.rng), trials, whole)
        for cost in aggregator.costs:
            self._add(cost.objective.name, cost, partial(cost.total, whole, parallelism=P), trials, whole)

    def _add(self, name: str, part: Part, compute: Callable[[], FloatArray], trials: IntArray, draws: Draws) -> None:
        """Add what a part makes of all inferences of a trial."""
        values = numbers(
            guarded(compute, part_name(part)), draws.accuracy.shape, f"{part_name(part)} must return (M, K)"
        )
        self.totals[name][trials] += values[:, -1]


def part_of(draws: Draws, index: tuple[Any, ...]) -> Draws:
    """Return some of the inferences of draws, by an index of arrays (M, K)."""
    return Draws(columns={name: column[index] for name, column in draws.items()})
