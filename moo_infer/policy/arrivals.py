"""Policies that are asked after every answer that arrives: which calls are cancelled, and what they cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.errors import NotExact
from ..core.objectives import Objective
from ..core.seen import Answer
from .dependence import refuse_unlike_alone
from .frontier import Frontier
from .launches import launched, never_answers, refuse_more, spent_share, timed
from .recursion import Recursion, SubsetStates
from .states import decisions

__all__ = ["run_arrivals"]

PROBED = 200  # queries whose calls are compared with all of them at once
BITS = 62  # of a number that says whose launch it is and which calls have been answered
MANY = 2**21  # states after an arrival, of which a few arrays have a number for every call


def run_arrivals(recursion: Recursion) -> None:
    """Add what happens to the queries of all questions: everything is called at once, answers arrive by their seconds.

    Every call counts as it does alone: its seconds say when it arrives, and those with the same seconds arrive in any
    order. A call that is cancelled is billed whole, by the share of its seconds that ran, or not at all, as the field
    `cancelled_billed` of the policy says; what else it takes, joules or FLOP, is the share that ran.

    Raises:
        NotExact: where too many arrive at the same time to go through all sets of them.
        MooInferError: where nothing says when answers arrive, a policy calls some more later on, and where a cost model
            makes several calls another thing than their sum (money) or the slowest of them (seconds).
    """
    of = recursion.of
    wave = launched(of)
    for size in np.unique(np.stack([pool.samples.n for pool in recursion.pools], axis=1), axis=0):
        sizes = np.stack([pool.samples.n for pool in recursion.pools], axis=1)
        questions = np.flatnonzero((sizes == size).all(axis=1))
        _Launch.of(recursion, questions, size, wave).run()


@dataclass(frozen=True, eq=False)
class _Arrived:
    """States of launches in which some answers have arrived.

    Args:
        launch: (S,), whose.
        calls: (S,), which of its calls have been answered: bits.
        chance: (S,), given the question.
    """

    launch: IntArray
    calls: IntArray
    chance: FloatArray

    def __getitem__(self, rows: IntArray) -> "_Arrived":
        return _Arrived(self.launch[rows], self.calls[rows], self.chance[rows])

    @classmethod
    def joined(cls, parts: "Sequence[_Arrived]") -> "_Arrived":
        """Put several into one."""
        launch, calls = (np.concatenate([getattr(part, name) for part in parts]) for name in ("launch", "calls"))
        return cls(launch, calls, np.concatenate([part.chance for part in parts]))


@dataclass(frozen=True, eq=False)
class _Launch:
    """Queries whose calls are all made at once: L of them, a question and which of its samples are drawn.

    Args:
        recursion: whose sums are added to.
        question: (L,).
        masks: (L, m), the samples of each model.
        chance: of each, given the question.
        wave: the calls of each model, T in all.
    """

    recursion: Recursion
    question: IntArray
    masks: IntArray
    chance: float
    wave: tuple[int, ...]

    @classmethod
    def of(cls, recursion: Recursion, questions: IntArray, size: IntArray, wave: tuple[int, ...]) -> "_Launch":
        """Draw all subsets of the samples of some questions, which have as many of each model."""
        each = [pool.subsets.of(int(n), w) for pool, n, w in zip(recursion.pools, size, wave, strict=True)]
        masks = np.array(list(product(*each)), dtype=np.int64)
        question = np.repeat(questions, len(masks))
        return cls(recursion, question, np.tile(masks, (len(questions), 1)), 1 / len(masks), wave)

    def run(self) -> None:
        """Let the answers arrive one by one, until the policy answers."""
        of, L = self.recursion.of, len(self.question)
        self._check()
        states = _Arrived(np.arange(L), np.zeros(L, dtype=np.int64), np.full(L, self.chance))
        for t in range(1, sum(self.wave) + 1):
            states = self._next(states)
            counts = np.stack([self._of_model(states, j).sum(axis=1) for j in range(len(self.wave))], axis=1)
            left = []
            for n in np.unique(counts, axis=0):
                alike = states[np.flatnonzero((counts == n).all(axis=1))]
                frontier = self._frontier(alike)
                seen = SubsetStates(self.recursion, frontier, tuple(n.tolist()))
                for decided, places in decisions(of.policy, seen, of.most):
                    if isinstance(decided, Answer):
                        self._answer(decided, frontier[places], alike[places], tuple(n.tolist()))
                    else:
                        refuse_more(of, decided, t)
                        left.append(alike[places])
            if not left:
                return
            states = _Arrived.joined(left)
        raise never_answers(of, sum(self.wave))

    def _next(self, states: _Arrived) -> _Arrived:
        """What follows when one more answer arrives: the soonest, and of those at the same time any of them.

        Nothing depends on the order in which they came, so states in which the same ones are there are one.
        """
        T = sum(self.wave)
        if T + len(self.question).bit_length() > BITS:
            raise NotExact("more calls at once than a number has bits to tell them apart")
        waited = np.where(self._there(states), np.inf, self.seconds[states.launch])
        soonest = waited == waited.min(axis=1, keepdims=True)
        row, call = np.nonzero(soonest)
        key = (states.launch[row] << T) | states.calls[row] | (1 << call)
        different, which = np.unique(key, return_inverse=True)
        chance = (states.chance / soonest.sum(axis=1))[row]
        if len(different) > MANY:
            raise NotExact("more sets of answers that arrive at the same time than can be gone through")
        chances: FloatArray = np.bincount(which, chance, len(different)).astype(np.float64)
        return _Arrived(different >> T, different & ((1 << T) - 1), chances)

    def _there(self, states: _Arrived) -> BoolArray:
        """(S, T), which calls have been answered."""
        there: BoolArray = (states.calls[:, None] >> np.arange(sum(self.wave))) & 1 == 1
        return there

    def _of_model(self, states: _Arrived, j: int) -> BoolArray:
        """(S, T), which calls of a model have been answered."""
        of_model: BoolArray = self._there(states) & (self.samples[0] == j)
        return of_model

    def _frontier(self, states: _Arrived) -> Frontier:
        """The same states by the samples that were seen."""
        members = self.samples[1][states.launch]
        masks = [(self._of_model(states, j) * (1 << members)).sum(axis=1) for j in range(len(self.wave))]
        none = np.zeros((len(states.launch), len(self.recursion.objectives)))
        return Frontier(self.question[states.launch], np.stack(masks, axis=1), states.chance, none, none)

    @cached_property
    def samples(self) -> tuple[IntArray, IntArray]:
        """(T,) the model of each call, and (L, T) which of its samples of the question it is."""
        model = np.repeat(np.arange(len(self.wave)), self.wave)
        members = [
            pool.subsets.members[self.masks[:, j], :w]
            for j, (pool, w) in enumerate(zip(self.recursion.pools, self.wave, strict=True))
        ]
        return model, np.concatenate(members, axis=1)

    def _alone(self, objective: Objective) -> FloatArray:
        """What each call takes by itself, (L, T)."""
        model, members = self.samples
        columns = [
            self.recursion.of_model(objective, int(j), self.question, 1 << members[:, i], 1, 0)
            for i, j in enumerate(model)
        ]
        return np.stack(columns, axis=1)

    @cached_property
    def alone(self) -> dict[str, FloatArray]:
        """(L, T) what each call takes by itself, by objective."""
        return {objective.name: self._alone(objective) for objective in self.recursion.objectives}

    @cached_property
    def seconds(self) -> FloatArray:
        """(L, T), when each call arrives: what it takes of the objective along the longest path."""
        return self.alone[timed(self.recursion.of, self.recursion.objectives)]

    def _answer(self, answer: Answer, ended: Frontier, states: _Arrived, n: tuple[int, ...]) -> None:
        recursion, sums = self.recursion, self.recursion.sums
        aggregator = recursion.of.aggregator(answer)
        there, seconds = self._there(states), self.seconds[states.launch]
        end = np.where(there, seconds, 0.0).max(axis=1)
        for objective in recursion.objectives:
            alone = self.alone[objective.name][states.launch]
            if objective.along == "longest-path":
                spent = np.where(there, alone, 0.0).max(axis=1)
            else:
                share = spent_share(recursion.of.policy, objective, end[:, None], seconds)
                spent = (alone * np.where(there, 1.0, share)).sum(axis=1)
            for cost in (cost for cost in aggregator.costs if cost.objective == objective):
                spent = spent + recursion.worth(cost, answer, ended.question, ended.masks, n, objective.name)
            sums.add(objective.name, ended.question, ended.chance * spent, ended.chance * spent**2)
        recursion.add_worths(answer, ended, n)
        sums.end(ended.question, ended.chance, n, 1)

    def _check(self) -> None:
        """Refuse cost models by which several calls take something else than each of them alone."""
        some = slice(None, None, max(1, len(self.question) // PROBED))
        for objective in self.recursion.objectives:
            each, model = self.alone[objective.name][some], self.samples[0]
            for j, w in enumerate(self.wave):
                if w < 2:
                    continue
                own = each[:, model == j]
                together = self.recursion.of_model(objective, j, self.question[some], self.masks[some, j], w, 0)
                refuse_unlike_alone(self.recursion.of, objective, j, own, together)
