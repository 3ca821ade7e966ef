"""Exact evaluation by counts: the recursion over how many samples of each kind a policy may have seen."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.errors import NotExact
from ..core.objectives import ACCURACY, Objective
from ..core.seen import Answer, Call
from .by_question import Sums
from .call_sums import CallSums, singles
from .count_states import CountStates, worth_of_counts
from .counted import Counted
from .deployment import Deployment
from .kinds import LARGEST_KEY, NOISE, Kinds, kinds_of
from .memory import Called, Memory, Remember
from .pool import Pool, pool_of
from .recursion import PartNotExact
from .states import decisions

__all__ = ["Counting"]

LARGEST = 2**16  # states of a question with the same numbers of calls; a question with more of them is given up
IN_ALL = 2**21  # states of the questions that are gone through together

NOTHING: Called = frozenset()
Reached = tuple[int, tuple[int, ...], Called]  # how many waves, calls of each model, and which models are forgotten


@dataclass(frozen=True, eq=False)
class Counting:
    """One evaluation.

    Args:
        of: the policy with its models.
        objectives: those that are told by what each call takes alone.
        accuracy: whether what answers are worth is.
        memory: what is told apart.
        given_up: (Q,) the questions with too many states; filled in.
    """

    of: Deployment
    objectives: tuple[Objective, ...]
    accuracy: bool
    memory: Memory
    given_up: BoolArray
    _kinds: dict[Called, Kinds] = field(default_factory=dict)
    _sums: dict[tuple[Called, int, str], CallSums] = field(default_factory=dict)

    @cached_property
    def pools(self) -> list[Pool]:
        """The samples of each model."""
        assert self.of.samples is not None
        return [pool_of(samples) for samples in self.of.samples]

    @cached_property
    def sums(self) -> Sums:
        """What is found."""
        names = [objective.name for objective in self.objectives]
        return Sums(len(self.of.questions), [*names, *[ACCURACY.name] * self.accuracy])

    def run(self) -> None:
        """Add what happens to all questions, those with few states first."""
        few = np.argsort(self._most_states, kind="stable")
        batch = np.cumsum(np.minimum(self._most_states, LARGEST)[few]) // IN_ALL
        batch[1:] = np.maximum(batch[1:], 1)  # the first question alone: it shows what is looked at
        for number in np.unique(batch):
            self._go(np.sort(few[batch == number]))

    @cached_property
    def _most_states(self) -> FloatArray:
        """(Q,) bounds of the states of each question, as far as it is known what is told apart."""
        most = np.ones(len(self.of.questions))
        for j in range(len(self.pools)):
            kinds = kinds_of(self.pools, {j: self.memory.ever(j)}, self.interchangeable, self.memory.cuts)
            most = most * kinds.states
        return most

    def _go(self, questions: IntArray) -> None:
        open_ones: dict[Reached, list[Counted]] = {(0, (0,) * len(self.pools), NOTHING): [Counted.start(questions)]}
        while open_ones:
            reached = min(open_ones, key=lambda key: (sum(key[1]), key[0]))
            states, n = self._kept(Counted.joined(open_ones.pop(reached))), reached[1]
            if not len(states):
                continue
            shown = CountStates(self, states, n)
            for decided, rows in decisions(self.of.policy, shown, self.of.most):
                if isinstance(decided, Answer):
                    self._answer(decided, states[rows], reached)
                else:
                    key, following = self._call(decided, states[rows], reached)
                    open_ones.setdefault(key, []).append(following)

    def _kept(self, states: Counted) -> Counted:
        """Give questions with too many states up."""
        many = np.bincount(states.question, minlength=len(self.given_up)) > LARGEST
        self.given_up[many] = True
        return states[~self.given_up[states.question]] if self.given_up.any() else states

    def kinds(self, of: Called) -> Kinds:
        """Return what is told apart after these models were called."""
        if of not in self._kinds:
            columns = {j: self.memory.columns(of, j) for j in sorted(of)}
            self._kinds[of] = kinds_of(self.pools, columns, self.interchangeable, self.memory.cuts)
            self.given_up[self._kinds[of].digits[2] >= LARGEST_KEY] = True
        return self._kinds[of]

    @cached_property
    def interchangeable(self) -> dict[int, BoolArray]:
        """By model (N,), the samples whose answers no other model gives, and which were judged alike."""
        voting = [j for j in range(len(self.pools)) if "answer" in self.memory.ever(j) and not self.memory.named]
        free = {j: np.zeros(len(pool.samples), dtype=bool) for j, pool in enumerate(self.pools)}
        if not voting:
            return free
        samples = [self.pools[j].samples for j in voting]
        rows = [
            np.stack([log.question, log["answer"].astype(np.int64), np.full(len(log), i)], axis=1)
            for i, log in enumerate(samples)
        ]
        given, which = np.unique(np.concatenate(rows)[:, :2], axis=0, return_inverse=True)
        verdict = np.concatenate([log.correct for log in samples])
        by = np.concatenate(rows)[:, 2]
        which = which.ravel()
        alone = np.ones(len(given), dtype=bool)
        for values in (verdict, by):
            low, high = np.full(len(given), np.inf), np.full(len(given), -np.inf)
            np.minimum.at(low, which, values)
            np.maximum.at(high, which, values)
            alone &= low == high
        each = (alone & (given[:, 1] >= 0))[which]
        for j, part in zip(voting, np.split(each, np.cumsum([len(log) for log in samples])[:-1]), strict=True):
            free[j] = part
        return free

    def _call(self, call: Call, states: Counted, reached: Reached) -> tuple[Reached, Counted]:
        """Return the states that follow a call."""
        waves, n, forgotten = reached
        wave = tuple(int(call.times.get(model, 0)) for model in self.of.models)
        for objective in self.objectives if sum(wave) > 1 else ():
            if objective.along != "sum":
                raise PartNotExact(objective.name)
        after = tuple(a + b for a, b in zip(n, wave, strict=True))
        then, before = called(after), called(n)
        for j in (j for j in sorted(before) if wave[j]):
            if self.memory.ever(j) - self.memory.columns(then, j):
                raise Remember(then, j, self.memory.ever(j))  # what was seen of it says which samples are left
        if then != before:
            gone = {j for j in before if self.memory.columns(then, j) != self.memory.columns(before, j)}
            states = self._told(states, before, then, gone - forgotten)
            forgotten = forgotten | gone
        kinds = self.kinds(then)
        for j, times in enumerate(wave):
            for i in range(times):
                states = self._kept(states.drawn(kinds, j, self.pools[j].samples.n - n[j] - i))
        return (waves + 1, after, forgotten), states

    def _told(self, states: Counted, before: Called, then: Called, gone: Called) -> Counted:
        """Forget what is not looked at any more, and add what was spent on it."""
        if gone and self.objectives:
            states = states.spending(*self._spent(states, before, sorted(gone)))
        kinds = self.kinds(then)
        noisy = np.array([NOISE in self.memory.columns(then, j) for j in range(len(self.pools))])
        return self._kept(states).told(self.kinds(before), kinds, noisy)

    def _spent(self, states: Counted, of: Called, models: list[int]) -> tuple[FloatArray, FloatArray]:
        """Means and variances (S, J) of what was spent on some models."""
        each = [
            [self._call_sums(of, j, objective).moments(states.question, states.x) for j in models]
            for objective in self.objectives
        ]
        mean, variance = (
            np.stack([sum((moments[i] for moments in own), np.zeros(len(states))) for own in each], axis=1)
            for i in (0, 1)
        )
        return mean, variance

    def _call_sums(self, of: Called, j: int, objective: Objective) -> CallSums:
        key = (of, j, objective.name)
        if key not in self._sums:
            parts, P = self.of.costs[objective][j], self.of.setups[self.of.models[j]].parallelism
            try:
                values = singles(self.pools[j], parts, P, several=objective.along == "sum")
            except NotExact:
                raise PartNotExact(objective.name) from None
            self._sums[key] = CallSums(self.kinds(of), j, values, self.pools[j].samples.question)
        return self._sums[key]

    def _answer(self, answer: Answer, ended: Counted, reached: Reached) -> None:
        """Add queries that are answered."""
        waves, n, forgotten = reached
        of, aggregator = called(n), self.of.aggregator(answer)
        question = ended.question
        if self.objectives:
            for cost in aggregator.costs if of else ():
                raise PartNotExact(cost.objective.name)
            left = sorted(of - forgotten)
            spent = ended.spending(*self._spent(ended, of, left)) if left else ended
            first, second = spent.spent_so_far(len(self.objectives))
            for i, objective in enumerate(self.objectives):
                self.sums.add(objective.name, question, first[:, i], second[:, i])
        if self.accuracy:
            worth = np.zeros(len(ended))
            if of:
                try:
                    worth = worth_of_counts(self, answer, ended, n)
                except Remember:
                    raise
                except NotExact:
                    raise PartNotExact(ACCURACY.name) from None
            self.sums.add(ACCURACY.name, question, ended.chance * worth, ended.chance * worth**2)
        self.sums.end(question, ended.chance, n, waves)


def called(n: tuple[int, ...]) -> Called:
    """Return which models were called, by their calls."""
    return frozenset(j for j, calls in enumerate(n) if calls)
