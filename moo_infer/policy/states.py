"""States of queries, many at once: what a policy sees in each, and which of them it cannot tell apart."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..core.arrays import Array, FloatArray, IntArray
from ..core.errors import MissingColumn, NotExact, NothingPossible, unknown
from ..core.seen import LIVE, Answer, Call, Seen
from ..interfaces import Policy
from .decisions import decision
from .looks import CountedVotes

__all__ = ["Known", "States", "WavesMerged", "decisions", "equal_counts"]

ALL = None  # in place of the number of a wave: all samples
Read = tuple[Any, ...]  # what a policy has looked at: the name of a method, its arguments, and the wave


class WavesMerged(NotExact):
    """A policy looks at waves, in states that do not know which sample came with which."""


class States(ABC):
    """S states of queries in which each model was called equally often.

    Args:
        models: names of the models.
        n: calls of each.
        waves: by wave the calls of each model, in order; None where states with other waves are among them.
    """

    def __init__(
        self, models: Sequence[str], n: tuple[int, ...], waves: Sequence[tuple[int, ...]] | None = None
    ) -> None:
        self.models, self.n, self.waves = tuple(models), n, waves
        self.lacking: NotExact | None = None  # what was looked at and is not known
        self._counts: dict[Read, IntArray] = {}
        self._columns: dict[Read, Array] = {}

    @abstractmethod
    def __len__(self) -> int:
        """Return S."""

    @abstractmethod
    def column(self, model: int, name: str, wave: int | None, /) -> Array:
        """Return a column (S, c) of the samples of a model, of all or of one wave; raises MissingColumn."""

    @abstractmethod
    def spent(self, objective: str, /) -> FloatArray:
        """Return what was spent (S,); raises NotExact where it is not known."""

    @property
    @abstractmethod
    def question(self) -> IntArray:
        """(S,) which query of a log each state is about: what is known before is the same for one."""

    @abstractmethod
    def known(self, state: int, /) -> Mapping[str, object]:
        """Return what is known of the query of a state before."""

    def unlike(self, models: Sequence[int], /) -> str:
        """Say why answers of some models cannot be compared; "" where they can, as those of one model can."""
        return ""

    def calls(self, model: int, wave: int | None, /) -> int:
        """Return the calls of a model, of all waves or of one."""
        return self.n[model] if wave is ALL else self.history[wave][model]

    @property
    def history(self) -> Sequence[tuple[int, ...]]:
        """By wave the calls of each model; raises WavesMerged where that is not known."""
        if self.waves is None:
            raise WavesMerged("which sample came with which call")
        return self.waves

    def columns(self, model: int, name: str, wave: int | None, /) -> Array:
        """Return `column`, made once for all states."""
        key = (model, name, wave)
        if key not in self._columns:
            self._columns[key] = self.column(*key)
        return self._columns[key]

    def totals(self, objective: str, /) -> FloatArray:
        """Return `spent`, made once for all states."""
        key = ("spent", objective)
        if key not in self._columns:
            self._columns[key] = self.spent(objective)
        return self._columns[key]

    def counts(self, models: tuple[int, ...], wave: int | None, /) -> IntArray:
        """Return how many samples of some models gave equal answers, (S, c), descending."""
        key = (models, wave)
        if key not in self._counts:
            called = [m for m in models if self.calls(m, wave)]
            if reason := self.unlike(called):
                raise NothingPossible(reason)
            answers = [self.columns(m, "answer", wave) for m in called]
            joined = np.concatenate(answers, axis=1) if answers else np.zeros((len(self), 0), dtype=np.int64)
            self._counts[key] = equal_counts(joined)
        return self._counts[key]

    def vote(self, models: tuple[int, ...], wave: int | None, place: int, /) -> IntArray:
        """Return one of these numbers (S,): the largest, the second; 0 where there are not so many."""
        counts = self.counts(models, wave)
        return counts[:, place] if place < counts.shape[1] else np.zeros(len(self), dtype=np.int64)

    def codes(self, read: Read, /) -> IntArray:
        """Return (S,) integers: states in which what was looked at is the same have the same."""
        method, *arguments = read
        if method == "votes":
            return _row_codes(self.counts(*arguments))
        if method == "vote":
            return self.vote(*arguments)
        if method == "spent":
            return np.unique(self.totals(*arguments), return_inverse=True)[1]
        if method == "query":
            _, first, which = np.unique(self.question, return_index=True, return_inverse=True)
            values = [repr(self.known(int(i)).get(arguments[0])) for i in first]
            return np.unique(np.array(values), return_inverse=True)[1][which]
        return np.arange(len(self))  # a column of samples: they differ


def equal_counts(answers: Array, /) -> IntArray:
    """Return how many answers of a row (S, c) are equal, (S, c): descending, then 0; blanks (-1) are left out.

    >>> equal_counts(np.array([[5, -1, 2, 5], [-1, -1, -1, 0]]))
    array([[2, 1, 0, 0],
           [1, 0, 0, 0]])
    """
    S, c = answers.shape
    if not c:
        return np.zeros((S, 0), dtype=np.int64)
    ordered = np.sort(answers, axis=1)
    run = np.zeros((S, c), dtype=np.int64)  # which of its row's different answers one is
    np.cumsum(ordered[:, 1:] != ordered[:, :-1], axis=1, out=run[:, 1:])
    place = (np.arange(S)[:, None] * c + run).ravel()
    counts = np.bincount(place, (ordered >= 0).ravel(), S * c).reshape(S, c)
    return -np.sort(-counts.astype(np.int64), axis=1)


def _row_codes(rows: IntArray) -> IntArray:
    """(S,) integers, the same for equal rows of counts."""
    c = rows.shape[1]
    if c * np.log2(c + 1) < 62:  # they fit into the digits of one number
        return np.asarray(rows @ (c + 1) ** np.arange(c))
    return np.asarray(np.unique(rows, axis=0, return_inverse=True)[1].ravel())


def decisions(policy: Policy, states: States, most: Mapping[str, int], /) -> Iterator[tuple[Call | Answer, IntArray]]:
    """Ask a policy about states: once for all in which what it looks at is the same.

    Yields:
        A decision, and the numbers of the states in which it is taken.
    """
    found: list[tuple[Call | Answer, list[IntArray]]] = []

    def add(decided: Call | Answer, rows: IntArray) -> None:
        for other, places in found:
            if other == decided:
                return places.append(rows)
        found.append((decided, [rows]))
        return None

    codes: dict[Read, IntArray] = {}
    open_ones: list[tuple[IntArray, int]] = [(np.arange(len(states)), 0)]
    while open_ones:
        rows, depth = open_ones.pop()
        seen = _Seen(states, int(rows[0]), {})
        decided = decision(policy, seen, most)
        if states.lacking:  # the policy went on all the same
            raise states.lacking
        reads = [*seen.reads]
        # What it looks at first it looks at in all of them; where that differs, it may look at something else next.
        while depth < len(reads) and len(rows) > 1:
            read = reads[depth]
            if read not in codes:
                codes[read] = states.codes(read)
            own = codes[read][rows]
            depth += 1
            if (own == own[0]).all():
                continue
            order = np.argsort(own, kind="stable")
            parts = np.split(rows[order], np.flatnonzero(np.diff(own[order])) + 1)
            open_ones += [(part, depth) for part in parts if part[0] != rows[0]]
            rows = next(part for part in parts if part[0] == rows[0])
        add(decided, rows)
    return ((decided, np.concatenate(places)) for decided, places in found)


@contextmanager
def _noted(states: States) -> Iterator[None]:
    """Note what is not known, as a policy may catch all errors."""
    try:
        yield
    except NotExact as error:
        states.lacking = error
        raise


class _Seen(Seen):
    """One of many states, which remembers what was looked at."""

    def __init__(self, states: States, state: int, reads: dict[Read, None], wave: int | None = ALL) -> None:
        self._states, self._state, self._wave = states, state, wave
        self.reads = reads

    @property
    def query(self) -> Mapping[str, object]:
        return Known(self._states.known(self._state), self.reads)

    @property
    def waves(self) -> Sequence[Seen]:
        with _noted(self._states):
            return [_Seen(self._states, self._state, self.reads, j) for j in range(len(self._states.history))]

    def n(self, model: str, /) -> int:
        return self._states.calls(self._number(model), self._wave)

    def votes(self, *models: str) -> IntArray:
        asked = tuple(map(self._number, models)) or tuple(range(len(self._states.models)))

        def every() -> IntArray:
            self.reads["votes", asked, self._wave] = None
            with _noted(self._states):
                counts = self._states.counts(asked, self._wave)[self._state]
            return np.append(counts[counts > 0], [0, 0])

        def one(place: int) -> int:
            self.reads["vote", asked, self._wave, place] = None
            with _noted(self._states):
                return int(self._states.vote(asked, self._wave, place)[self._state])

        votes: Any = CountedVotes(one, every)
        return votes  # type: ignore[no-any-return]  # an array, counted as far as it is looked at

    def column(self, model: str, name: str, /) -> Array:
        number = self._number(model)
        if not self._states.calls(number, self._wave):
            return np.zeros(0)
        self.reads["column", number, name, self._wave] = None
        with _noted(self._states):
            row: Array = self._states.columns(number, name, self._wave)[self._state]
        return row

    def spent(self, objective: str, /) -> float:
        if not any(self._states.n):
            return 0.0
        self.reads["spent", objective] = None
        with _noted(self._states):
            return float(self._states.totals(objective)[self._state])

    def _number(self, model: str) -> int:
        if model not in self._states.models:
            raise unknown("model", model, self._states.models, "a policy looks at a model that is none of its own")
        return self._states.models.index(model)


class Known(Mapping[str, object]):
    """What is known of a query, which remembers what was looked at.

    Args:
        known: by name.
        reads: what was looked at.
    """

    def __init__(self, known: Mapping[str, object], reads: dict[Read, None]) -> None:
        self._known, self._reads = known, reads

    def __getitem__(self, key: str) -> object:
        self._reads["query", key] = None
        if key not in self._known:
            if key in LIVE:  # no KeyError, for which `get` and `in` have an answer that would be none live
                known = ", ".join(self._known) or "nothing"
                raise NothingPossible(f"{key!r} of a query is known in a live run, and not here; known: {known}")
            raise MissingColumn(key, self._known, "a policy, of what is known of a query")
        return self._known[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)
