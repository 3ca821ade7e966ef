"""What is seen in states that count samples of each kind, and what is made of them: no more than they tell apart."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from ..core.arrays import Array, BoolArray, FloatArray, IntArray
from ..core.errors import NotExact, NothingPossible
from ..quantities.by_samples import NAMES
from .counted import Counted, unique_rows
from .deployment import Deployment
from .kinds import NOISE, Kinds
from .looks import ComparedNoise
from .memory import Called, Memory, Remember
from .pool import Pool
from .states import Read, States

__all__ = ["CountStates", "Evaluation", "compared_noise", "samples_of"]


class Evaluation(Protocol):
    """Who goes through the states."""

    @property
    def of(self) -> Deployment:
        """The policy with its models."""
        ...

    @property
    def memory(self) -> Memory:
        """What is told apart."""
        ...

    @property
    def pools(self) -> list[Pool]:
        """The samples of each model."""
        ...


class CountStates(States):
    """States that count samples of each kind."""

    def __init__(self, evaluation: Evaluation, states: Counted, n: tuple[int, ...], kinds: Kinds) -> None:
        super().__init__(evaluation.of.models, n)
        self._evaluation, self._states = evaluation, states
        self._called = frozenset(j for j, calls in enumerate(n) if calls)
        self._of_kinds = kinds

    def __len__(self) -> int:
        return len(self._states)

    def _needs(self, model: int, column: str, *, named: bool) -> None:
        """Raise Remember where a column is not told apart."""
        memory = self._evaluation.memory
        if column not in memory.columns(self._called, model) or (named and not memory.named):
            raise Remember(self._called, model, [column], named=named)

    def counts(self, models: tuple[int, ...], wave: int | None, /) -> IntArray:
        """Return how many samples of some models gave equal answers, descending."""
        if wave is not None:
            raise NotExact("a policy looks at waves")
        key = (models, wave)
        if key not in self._counts:
            asked = [j for j in models if self.n[j] and len(self._evaluation.pools[j].samples["answer"])]
            if reason := self._evaluation.of.unlike(asked):
                raise NothingPossible(reason)
            for j in asked:
                self._needs(j, "answer", named=False)
            self._counts[key] = self._equal(asked) if asked else np.zeros((len(self), 0), dtype=np.int64)
        return self._counts[key]

    def _equal(self, models: list[int]) -> IntArray:
        kinds, question, L = self._of_kinds, self._states.question, self._of_kinds.cells
        columns, counted, moved = answers_of(kinds, self._evaluation.pools, models)
        x = self._states.x
        if len(columns) * L < x.shape[1]:
            x = x.reshape(len(self), len(kinds.model), L)[:, columns].sum(axis=2, dtype=np.uint32)
        x = np.where(counted[question], x, 0).astype(np.int64)
        for i, first in moved.items():
            to = first[question]
            own = np.where(to != i, x[:, i], 0)
            np.add.at(x, (np.arange(len(x)), to), own)
            x[:, i] -= own
        return -np.sort(-x, axis=1)

    def column(self, model: int, name: str, wave: int | None, /) -> Array:
        """Return a column (S, n) of the samples of a model."""
        if wave is not None:
            raise NotExact("a policy looks at waves")
        if name == NOISE:
            return self._noise(model)
        values = self._evaluation.pools[model].samples[NAMES.get(name, name)]
        self._needs(model, name, named=name == "answer")
        return values[samples_of(self._of_kinds, self._states, model, self.n[model])[0]]

    def _noise(self, model: int) -> Array:
        cell = samples_of(self._of_kinds, self._states, model, self.n[model])[1]
        values: object = compared_noise(self._evaluation, self._called, [model], self._of_kinds.noise[cell])
        return values  # type: ignore[return-value]  # an array as far as it may be looked at

    def codes(self, read: Read, /) -> IntArray:
        """Return (S,) integers: states in which what was looked at is the same have the same."""
        if read[0] == "column":
            _, model, name, wave = read
            if name == NOISE:
                return unique_rows(self._states.x)[1]
            values = self.columns(model, name, wave)
            return unique_rows(np.sort(np.unique(values, return_inverse=True)[1].reshape(values.shape), axis=1))[1]
        return super().codes(read)

    @property
    def question(self) -> IntArray:
        """(S,) which question each is about."""
        return self._states.question

    def spent(self, objective: str, /) -> FloatArray:
        """What was spent is not counted."""
        raise NotExact(f"what was spent of {objective} so far does not follow from counts")

    def known(self, state: int, /) -> Mapping[str, object]:
        """Return what is known of the question of a state before."""
        return self._evaluation.of.known[int(self._states.question[state])]


def answers_of(kinds: Kinds, pools: list[Pool], models: list[int]) -> tuple[IntArray, BoolArray, dict[int, IntArray]]:
    """Return which kinds are of some models, and (Q, K) which of these have an answer.

    Kinds of one answer, by other columns or of several models, are counted together: for each kind of which that is
    so, by its number, (Q,) the first one of its answer.
    """
    key = ("answers", *models)
    if key not in kinds.kept:
        columns = np.flatnonzero(np.isin(kinds.model, models))
        answers = [pools[j].samples["answer"] for j in kinds.model[columns].tolist()]
        given = np.stack([of[kinds.sample[:, i]] for of, i in zip(answers, columns, strict=True)], axis=1)
        given = np.where(kinds.size[:, columns] > 0, given, -1)
        _, at, which = np.unique(
            np.arange(len(given))[:, None] * (int(given.max()) + 2) + given, return_index=True, return_inverse=True
        )
        first = at[which].reshape(given.shape) % len(columns)
        first = np.where(given >= 0, first, np.arange(len(columns)))
        moved = {i: first[:, i] for i in range(len(columns)) if (first[:, i] != i).any()}
        kinds.kept[key] = columns, given >= 0, moved
    found: tuple[IntArray, BoolArray, dict[int, IntArray]] = kinds.kept[key]
    return found


def samples_of(kinds: Kinds, states: Counted, model: int, n: int) -> tuple[IntArray, IntArray]:
    """Return n samples of a model in each state (S, n): one of each kind as often as it was seen; and their cells."""
    S, L = len(states), kinds.cells
    columns = kinds.columns(model)
    times = states.x.reshape(S, len(kinds.model), L)[:, columns].reshape(-1)
    sample = np.repeat(kinds.sample[states.question][:, columns], L, axis=1).reshape(-1)
    cell = np.tile(np.arange(L), S * len(columns))
    return np.repeat(sample, times).reshape(S, n), np.repeat(cell, times).reshape(S, n)


def compared_noise(evaluation: Evaluation, of: Called, models: list[int], values: Array) -> ComparedNoise:
    """Noise of some models, which says where it is compared."""

    def compared(others: Array) -> None:
        cuts = set(np.unique(others).tolist())
        for j in models:
            if NOISE not in evaluation.memory.columns(of, j) or not cuts <= {*evaluation.memory.cuts}:
                raise Remember(of, j, [NOISE], cuts=cuts)

    return ComparedNoise(values, compared)
