"""What is seen in states that count samples of each kind, and what is made of them: no more than they tell apart."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from ..core.arrays import Array, FloatArray, IntArray
from ..core.draws import Draws
from ..core.errors import NotExact
from ..core.seen import Answer
from ..estimate.setup import part_name
from ..quantities.by_samples import NAMES
from .counted import Counted, unique_rows
from .deployment import Deployment
from .kinds import NOISE, Kinds
from .looks import ComparedNoise
from .memory import Called, Memory, Remember
from .pool import Pool, Recorded, asked, joined
from .states import Read, States

__all__ = ["CountStates", "Evaluation", "worth_of_counts"]

PROBED = 200  # states whose samples are put into another order, and whose answers are renamed
ROUNDING = 1e-9  # of what an answer is worth
ROWS = 2**22  # samples that an aggregator is shown at once


class Evaluation(Protocol):
    """Who goes through the states."""

    of: Deployment
    memory: Memory

    @property
    def pools(self) -> list[Pool]:
        """The samples of each model."""
        ...

    def kinds(self, of: Called) -> Kinds:
        """What is told apart after these models were called."""
        ...


class CountStates(States):
    """States that count samples of each kind."""

    def __init__(self, evaluation: Evaluation, states: Counted, n: tuple[int, ...]) -> None:
        super().__init__(evaluation.of.models, n)
        self._evaluation, self._states = evaluation, states
        self._called = frozenset(j for j, calls in enumerate(n) if calls)
        self._of_kinds = evaluation.kinds(self._called)

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
            for j in models:
                if self.n[j]:
                    self._needs(j, "answer", named=False)
            asked = [j for j in models if self.n[j]]
            self._counts[key] = self._equal(asked) if asked else np.zeros((len(self), 0), dtype=np.int64)
        return self._counts[key]

    def _equal(self, models: list[int]) -> IntArray:
        kinds, question, L = self._of_kinds, self._states.question, self._of_kinds.cells
        columns = np.flatnonzero(np.isin(kinds.model, models))
        x = self._states.x.reshape(len(self), len(kinds.model), L)[:, columns].sum(axis=2, dtype=np.uint32)
        answers = [self._evaluation.pools[j].samples["answer"] for j in kinds.model[columns].tolist()]
        given = np.stack([of[kinds.sample[:, i]] for of, i in zip(answers, columns, strict=True)], axis=1)
        given = np.where(kinds.size[:, columns] > 0, given, -1)
        x = np.where(given[question] >= 0, x, 0)
        # Kinds of one answer, by other columns or of several models, are counted together: in the first of them.
        first = np.argmax(given[:, :, None] == given[:, None, :], axis=2)
        for i in np.flatnonzero(((first != np.arange(len(columns))) & (given >= 0)).any(axis=0)):
            to = first[question, i]
            moved = np.where((to != i) & (given[question, i] >= 0), x[:, i], 0)
            x[np.arange(len(x)), to] += moved
            x[:, i] -= moved
        return -np.sort(-x.astype(np.int64), axis=1)

    def column(self, model: int, name: str, wave: int | None, /) -> Array:
        """Return a column (S, n) of the samples of a model."""
        if wave is not None:
            raise NotExact("a policy looks at waves")
        if name == NOISE:
            return self._noise(model)
        self._needs(model, name, named=name == "answer")
        pool = self._evaluation.pools[model]
        return pool.samples[NAMES.get(name, name)][samples_of(self._of_kinds, self._states, model, self.n[model])[0]]

    def _noise(self, model: int) -> Array:
        cell = samples_of(self._of_kinds, self._states, model, self.n[model])[1]
        values: object = _compared(self._evaluation, self._called, [model], self._of_kinds.noise[cell])
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


def samples_of(kinds: Kinds, states: Counted, model: int, n: int) -> tuple[IntArray, IntArray]:
    """Return n samples of a model in each state (S, n): one of each kind as often as it was seen; and their cells."""
    S, L = len(states), kinds.cells
    columns = kinds.columns(model)
    times = states.x.reshape(S, len(kinds.model), L)[:, columns].reshape(-1)
    sample = np.repeat(kinds.sample[states.question][:, columns], L, axis=1).reshape(-1)
    cell = np.tile(np.arange(L), S * len(columns))
    return np.repeat(sample, times).reshape(S, n), np.repeat(cell, times).reshape(S, n)


def _compared(evaluation: Evaluation, of: Called, models: list[int], values: Array) -> ComparedNoise:
    """Noise of some models, which says where it is compared."""

    def compared(others: Array) -> None:
        cuts = set(np.unique(others).tolist())
        for j in models:
            if NOISE not in evaluation.memory.columns(of, j) or not cuts <= {*evaluation.memory.cuts}:
                raise Remember(of, j, [NOISE], cuts=cuts)

    return ComparedNoise(values, compared)


def worth_of_counts(evaluation: Evaluation, answer: Answer, ended: Counted, n: tuple[int, ...]) -> FloatArray:
    """Return what an answer is worth in states (S,).

    Raises:
        Remember: where the aggregator looks at what they do not tell apart.
        NotExact: where it heeds the order of samples, or draws random numbers.
    """
    of, aggregator = evaluation.of, evaluation.of.aggregator(answer)
    taken = [j for j, model in enumerate(of.models) if n[j] and model in (answer.of or of.models)]
    if not taken:
        return np.zeros(len(ended))
    called = frozenset(j for j, calls in enumerate(n) if calls)
    kinds, memory = evaluation.kinds(called), evaluation.memory
    first, which = _alike(evaluation, kinds, ended, taken)
    some = ended[first]

    def ask(states: Counted, *, turned: bool = False, renamed: bool = False) -> tuple[FloatArray, set[str]]:
        draws = Shown.of(evaluation, kinds, states, taken, n, turned=turned, renamed=renamed)
        return asked(aggregator, draws), draws.read

    few = some[:: max(1, len(some) // PROBED)]
    worth, read = ask(few)
    for j in taken:
        missing = {NAMES.get(name, name) for name in read - {"question", NOISE}} - memory.columns(called, j)
        if missing:
            raise Remember(called, j, missing)
    if not np.allclose(worth, ask(few, turned=True)[0], rtol=ROUNDING, atol=0):
        raise NotExact(f"{part_name(aggregator)} heeds the order of samples")
    if "answer" in read and not memory.named and not np.allclose(worth, ask(few, renamed=True)[0], rtol=ROUNDING, atol=0):
        raise Remember(called, taken[0], ["answer"], named=True)
    step = max(1, ROWS // sum(n[j] for j in taken))
    each = [ask(some[slice(i, i + step)])[0] for i in range(0, len(some), step)]
    return np.concatenate(each)[which]


def _alike(evaluation: Evaluation, kinds: Kinds, states: Counted, taken: list[int]) -> tuple[IntArray, IntArray]:
    """Places of states in which an answer is worth different things, and for each state which of these it is like."""
    every = np.arange(len(states))
    if len(taken) > 1 or evaluation.memory.named or kinds.cells > 1:
        return every, every
    columns = kinds.columns(taken[0])
    pool = evaluation.pools[taken[0]]
    names = evaluation.memory.ever(taken[0]) - {"answer", NOISE}
    label = np.zeros(kinds.size[:, columns].shape, dtype=np.int64)
    for values in [pool.samples[name] for name in sorted(names)]:
        own = np.unique(values, return_inverse=True)[1]
        label = label * (int(own.max()) + 1) + own[kinds.sample[:, columns]]
    if "answer" in evaluation.memory.ever(taken[0]):
        given = pool.samples["answer"][kinds.sample[:, columns]]
        given = np.where(kinds.size[:, columns] > 0, given, -1)
        same = (given[:, :, None] == given[:, None, :]) & (given[:, :, None] >= 0)
        if (same.sum(axis=2) > 1).any():
            return every, every  # an answer that was judged both ways
        label = 2 * label + (given >= 0)
    width = int(label.max(initial=0)) + 1
    x = states.x[:, columns].astype(np.int64)
    return unique_rows(np.sort(np.where(x > 0, x * width + label[states.question], 0), axis=1))


class Shown(Recorded):
    """Samples in states, as an aggregator is shown them."""

    noisy: ComparedNoise | None = None

    @classmethod
    def of(
        cls,
        evaluation: Evaluation,
        kinds: Kinds,
        states: Counted,
        models: list[int],
        n: tuple[int, ...],
        *,
        turned: bool,
        renamed: bool,
    ) -> "Shown":
        """Take one sample of each kind as often as it was seen; in the other order, or with other names of answers."""
        each = [samples_of(kinds, states, j, n[j]) for j in models]
        order = slice(None, None, -1) if turned else slice(None)
        rows, cells = [rows[:, order] for rows, _ in each], [cell[:, order] for _, cell in each]
        draws = joined([evaluation.pools[j] for j in models], rows, states.question)
        columns = dict(draws)
        if renamed and "answer" in columns:
            columns["answer"] = np.where(columns["answer"] >= 0, columns["answer"].max() - columns["answer"], -1)
        shown = cls.watched(Draws(columns=columns))
        called = frozenset(j for j, calls in enumerate(n) if calls)
        noise = kinds.noise[np.concatenate(cells, axis=1)]
        object.__setattr__(shown, "noisy", _compared(evaluation, called, models, noise))
        return shown

    def __getitem__(self, column: str) -> Array:
        if column == NOISE and self.noisy is not None:
            shown: object = self.noisy
            return shown  # type: ignore[return-value]  # an array as far as it may be looked at
        return super().__getitem__(column)
