"""States that count how many samples of each kind were seen, with their chances."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core.arrays import Array, BoolArray, FloatArray, IntArray
from .kinds import Kinds

__all__ = ["Counted", "unique_rows"]

AT_ONCE = 2**21  # numbers of states times kinds in one go: a few arrays of 16 MiB


@dataclass(frozen=True, eq=False)
class Counted:
    """S states of queries in which the same numbers of calls were made.

    Args:
        question: (S,).
        x: (S, K L), samples of each kind.
        key: (S,), what tells the states of a question apart.
        chance: (S,), given the question.
        spent: (S, 2 J), chance times what was spent of each objective on models whose samples are forgotten, then
            chance times its square; None where that is 0.
    """

    question: IntArray
    x: IntArray
    key: IntArray
    chance: FloatArray
    spent: FloatArray | None = None

    def __len__(self) -> int:
        return len(self.question)

    def __getitem__(self, rows: Array | slice) -> "Counted":
        spent = None if self.spent is None else self.spent[rows]
        return Counted(self.question[rows], self.x[rows], self.key[rows], self.chance[rows], spent)

    @classmethod
    def start(cls, questions: IntArray) -> "Counted":
        """Return queries before any call."""
        none = np.zeros(len(questions), dtype=np.int64)
        return cls(questions, none.reshape(-1, 1)[:, :0].astype(np.uint8), none, np.ones(len(questions)))

    @classmethod
    def joined(cls, parts: "Sequence[Counted]") -> "Counted":
        """Put several into one."""
        if len(parts) == 1:
            return parts[0]
        width = 0 if all(part.spent is None for part in parts) else max(_width(part) for part in parts)
        spent = [np.zeros((len(part), width)) if part.spent is None else part.spent for part in parts]
        return cls(
            np.concatenate([part.question for part in parts]),
            np.concatenate([part.x for part in parts]),
            np.concatenate([part.key for part in parts]),
            np.concatenate([part.chance for part in parts]),
            np.concatenate(spent) if width else None,
        ).merged()

    def merged(self) -> "Counted":
        """Return each state once."""
        first, which = _once(self.question, self.key)
        if len(first) == len(self):
            return self
        chance, spent = self.summed(which, len(first))
        return Counted(self.question[first], self.x[first], self.key[first], chance, spent)

    def summed(self, which: IntArray, S: int, share: FloatArray | None = None) -> tuple[FloatArray, FloatArray | None]:
        """Return chances (S,) and what was spent (S, 2 J), added up by which of S states each belongs to."""
        chance = np.bincount(which, self.chance if share is None else self.chance * share, S).astype(np.float64)
        if self.spent is None:
            return chance, None
        spent = self.spent if share is None else self.spent * share[:, None]
        return chance, np.stack([np.bincount(which, column, S) for column in spent.T], axis=1).astype(np.float64)

    def spending(self, mean: FloatArray, variance: FloatArray) -> "Counted":
        """Return the same where more was spent: means and variances (S, J), given the state."""
        first, second = self.spent_so_far(mean.shape[1])
        more = second + 2 * mean * first + self.chance[:, None] * (mean**2 + variance)
        return replace(self, spent=np.concatenate([first + self.chance[:, None] * mean, more], axis=1))

    def spent_so_far(self, J: int) -> tuple[FloatArray, FloatArray]:
        """Return chance times what was spent, and times its square (S, J)."""
        if self.spent is None:
            return np.zeros((len(self), J)), np.zeros((len(self), J))
        return self.spent[:, :J], self.spent[:, J:]

    def by_question(self) -> "Counted":
        """Return each question once, whatever was seen."""
        question, which = np.unique(self.question, return_inverse=True)
        chance, spent = self.summed(which, len(question))
        none = np.zeros(len(question), dtype=np.int64)
        return Counted(question, self.x[: len(question), :0], none, chance, spent)

    def told_by(self, kinds: Kinds) -> "Counted":
        """Return queries of which nothing was told apart so far, by kinds of which none was seen."""
        x = np.zeros((len(self), len(kinds.model) * kinds.cells), dtype=_least(kinds))
        return replace(self, x=x, key=np.zeros(len(self), dtype=np.int64))

    def told(self, before: Kinds, kinds: Kinds, noisy: BoolArray) -> "Counted":
        """Return the states by other kinds, which tell no more apart.

        Args:
            before: kinds of these states.
            kinds: the others.
            noisy: (m,) of which models noise is told apart from now on.
        """
        S, K, L = len(self), len(kinds.model), kinds.cells
        x = np.zeros((S, K, L), dtype=_least(kinds))
        own = self.x.reshape(S, len(before.model), before.cells)
        for i, j in enumerate(before.model.tolist()):
            if j not in kinds.of_sample:
                continue
            place = kinds.columns(j)[kinds.of_sample[j][before.sample[self.question, i]]]
            seen = np.flatnonzero(own[:, i].any(axis=1))  # else the sample of the kind means nothing
            for cell in range(before.cells):  # no two of which are one state and kind
                x[seen, place[seen], cell if noisy[j] else 0] += own[seen, i, cell]
        x = kinds.sorted(self.question, x.reshape(S, -1))
        key = kinds.keys(self.question, x)
        return replace(self, x=x, key=key).merged()

    def drawn(self, kinds: Kinds, model: int, left: IntArray) -> "Counted":
        """Return the states that follow one more sample of a model, of which (Q,) are left of each question."""
        columns, step = kinds.columns(model), max(1, AT_ONCE // max(1, self.x.shape[1]))
        if len(self) <= step:
            return self._followed_by_one(kinds, columns, left)
        order = np.argsort(self.question, kind="stable")  # states of two questions lead to none in common
        starts = np.flatnonzero(np.diff(self.question[order], prepend=-1))
        blocks = np.split(order, starts[1:][np.diff(starts // step) > 0])
        return Counted.joined([self[rows]._followed_by_one(kinds, columns, left) for rows in blocks])

    def _followed_by_one(self, kinds: Kinds, columns: IntArray, left: IntArray) -> "Counted":
        parent, slot, share = self._drawn(kinds, columns, left)
        base, grow, _ = kinds.digits
        question = self.question[parent]
        seen = self.x[parent, slot]
        step_of = grow[question, slot]
        raised = np.where(step_of > 1, step_of ** seen.astype(np.int64), 1) if (step_of > 1).any() else 1
        key = self.key[parent] + base[question, slot] * raised
        first, which = _once(question, key)
        chance, spent = self[parent].summed(which, len(first), share)
        x = self.x[parent[first]]
        x[np.arange(len(first)), slot[first]] += 1
        return Counted(question[first], x, key[first], chance, spent)

    def followed(self, wave: "Counted") -> "Counted":
        """Return the states that follow the first samples of a model, where nothing else is told apart of a question.

        Args:
            wave: what these samples may be, of all questions, with chances.
        """
        row = np.full(int(max(wave.question.max(), self.question.max())) + 1, -1)
        row[self.question] = np.arange(len(self))
        parent = row[wave.question]
        if (parent < 0).any():
            known = np.flatnonzero(parent >= 0)
            wave, parent = wave[known], parent[known]
        spent = None if self.spent is None else self.spent[parent] * wave.chance[:, None]
        return replace(wave, chance=wave.chance * self.chance[parent], spent=spent)

    def _drawn(self, kinds: Kinds, columns: IntArray, left: IntArray) -> tuple[IntArray, IntArray, FloatArray]:
        """Which kinds and cells may follow, and how likely: parents, slots and shares."""
        question, L = self.question, kinds.cells
        seen = self.x.reshape(len(question), len(kinds.model), L)[:, columns].astype(np.int32)
        total = seen.sum(axis=2)
        weight = (kinds.size[question][:, columns] - total).astype(np.float64)
        alike = kinds.alike[question][:, columns]
        if alike.any():
            level = np.zeros(alike.shape, dtype=bool)  # as many as of the kind before it, which stands for both
            level[:, 1:] = alike[:, 1:] & (total[:, 1:] == total[:, :-1])
            times = np.ones(alike.shape)
            for i in range(alike.shape[1] - 2, -1, -1):
                times[:, i] += level[:, i + 1] * times[:, i + 1]
            weight *= np.where(level, 0.0, times)
        chance = (weight[:, :, None] * kinds.share[columns]).reshape(len(question), len(columns) * L)
        parent, place = np.nonzero(chance)
        slot = columns[place // L] * L + place % L
        return parent, slot, chance[parent, place] / left[question[parent]]


def _width(part: Counted) -> int:
    return 0 if part.spent is None else part.spent.shape[1]


def _least(kinds: Kinds) -> "np.dtype[np.unsignedinteger]":
    """The smallest numbers that hold the samples of a kind."""
    return np.dtype(np.uint8 if kinds.size.max(initial=0) < 256 else np.uint32)


def _once(question: IntArray, key: IntArray) -> tuple[IntArray, IntArray]:
    """Return the places of different pairs, and for each pair which of these it is."""
    span = int(key.max(initial=0)) + 1
    lowest = int(question.min(initial=0))
    if (int(question.max(initial=0)) - lowest + 1) * span < 2**62:
        code = (question - lowest) * span + key
    else:  # numbers that are too large for both in one
        code = np.unique(key, return_inverse=True)[1] * (int(question.max()) + 1) + question
    _, first, which = np.unique(code, return_index=True, return_inverse=True)
    return first, which


def unique_rows(rows: Array) -> tuple[IntArray, IntArray]:
    """Return the places of rows that differ, and for each row which of these it is: by a hash, compared afterwards.

    >>> unique_rows(np.array([[1, 2], [3, 4], [1, 2]]))[1].tolist() in ([0, 1, 0], [1, 0, 1])
    True
    """
    for seed in range(1, 9):
        weights = np.random.default_rng(seed).integers(1, 2**62, rows.shape[1], dtype=np.uint64) | np.uint64(1)
        key = rows.astype(np.uint64) @ weights  # wraps around
        _, first, which = np.unique(key, return_index=True, return_inverse=True)
        if (rows[first][which] == rows).all():
            return first, which
    _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    return first, which.ravel()
