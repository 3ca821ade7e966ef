"""Exact evaluation by counts: the recursion over how many samples of each kind a policy may have seen."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.errors import NotExact
from ..core.objectives import Objective
from ..core.seen import Answer, Call
from .by_question import Sums
from .call_sums import call_sums
from .count_states import CountStates
from .count_worth import CountWorth
from .counted import Counted
from .deployment import Deployment
from .first_waves import first_wave, most_states, wave_moments
from .kinds import LARGEST_KEY, NOISE, Kinds, Told, kinds_of
from .memory import Called, Memory, Remember
from .pool import Pool, pool_of
from .recursion import PartNotExact
from .states import decisions

__all__ = ["Counting"]

LARGEST = 2**16  # states of a question with the same numbers of calls; a question with more of them is given up
SPENT = 2**22  # states that were gone through, some seconds; from then on a question is given up with more than
LATER = 2**13
WIDE = 2**21  # states of a question times their kinds
IN_ALL = 2**25  # states times kinds of the questions that are gone through together: 32 MiB

NOTHING: Called = frozenset()
Reached = tuple[int, tuple[int, ...], Called]  # how many waves, calls of each model, and which models are forgotten


@dataclass(frozen=True, eq=False)
class Counting:
    """One evaluation.

    Args:
        of: the policy with its models.
        by_call: the objectives that are the sum of what each call takes alone.
        by_wave: those of which it is known what the first calls of a model take, all at once, if there are no others.
        worths: the objectives of what answers are worth that are known.
        memory: what is told apart.
        given_up: (Q,) the questions with too many states; filled in.
    """

    of: Deployment
    by_call: tuple[Objective, ...]
    by_wave: tuple[Objective, ...]
    worths: tuple[str, ...]
    memory: Memory
    given_up: BoolArray
    _kinds: dict[tuple[Called, Called], Kinds] = field(default_factory=dict)
    _visited: list[int] = field(default_factory=list)

    @cached_property
    def pools(self) -> list[Pool]:
        """The samples of each model."""
        assert self.of.samples is not None
        return [pool_of(samples) for samples in self.of.samples]

    @property
    def objectives(self) -> tuple[Objective, ...]:
        """Those that are known."""
        return (*self.by_call, *self.by_wave)

    @cached_property
    def sums(self) -> Sums:
        """What is found."""
        names = [objective.name for objective in self.objectives]
        return Sums(len(self.of.questions), [*names, *self.worths])

    def run(self) -> None:
        """Add what happens to all questions, those with few states first."""
        most, width = np.ones(len(self.of.questions)), 0
        for j in range(len(self.pools)):
            kinds = kinds_of(self.pools, [Told(j, self.memory.ever(j), True)], self.memory.cuts)
            most, width = most * kinds.states, width + len(kinds.model) * kinds.cells
        few = np.argsort(most, kind="stable")
        batch = np.cumsum(np.minimum(most, LARGEST)[few] * width) // IN_ALL
        for number in np.unique(batch):
            self._go(np.sort(few[batch == number]))

    def _go(self, questions: IntArray) -> None:
        open_ones: dict[Reached, list[Counted]] = {(0, (0,) * len(self.pools), NOTHING): [Counted.start(questions)]}
        while open_ones:
            reached = min(open_ones, key=lambda key: (sum(key[1]), key[0]))
            states = self._kept(Counted.joined(open_ones.pop(reached)))
            if not len(states):
                continue
            self._visited.append(len(states))
            _, n, forgotten = reached
            shown = CountStates(self, states, n, self.kinds(called(n), forgotten))
            for decided, rows in decisions(self.of.policy, shown, self.of.most):
                if isinstance(decided, Answer):
                    self._answer(decided, states[rows], reached)
                else:
                    key, following = self._call(decided, states[rows], reached)
                    open_ones.setdefault(key, []).append(following)

    def _kept(self, states: Counted) -> Counted:
        """Give questions with too many states up."""
        largest = min(LARGEST, LARGEST if sum(self._visited) < SPENT else LATER, WIDE // max(1, states.x.shape[1]))
        if len(states) > largest:
            self.given_up[np.bincount(states.question, minlength=len(self.given_up)) > largest] = True
        return states[~self.given_up[states.question]] if self.given_up.any() else states

    def kinds(self, of: Called, forgotten: Called) -> Kinds:
        """Return what is told apart after these models were called, some of which are forgotten."""
        if (of, forgotten) not in self._kinds:
            kinds = kinds_of(self.pools, self.memory.told(of, forgotten), self.memory.cuts)
            self.given_up[kinds.digits[2] >= LARGEST_KEY] = True
            self._kinds[of, forgotten] = kinds
        return self._kinds[of, forgotten]

    def _call(self, call: Call, states: Counted, reached: Reached) -> tuple[Reached, Counted]:
        """Return the states that follow a call."""
        waves, n, forgotten = reached
        wave = tuple(int(call.times.get(model, 0)) for model in self.of.models)
        self._refuse(wave, n)
        after = tuple(a + b for a, b in zip(n, wave, strict=True))
        then, before = called(after), called(n)
        for j in (j for j in sorted(before) if wave[j]):
            if self.memory.ever(j) - self.memory.columns(then, j):
                raise Remember(then, j, self.memory.ever(j))  # what was seen of it says which samples are left
        now = forgotten | {j for j in before if self.memory.columns(then, j) != self.memory.columns(before, j)}
        kinds = self.kinds(then, now)
        if then != before:
            states = self._told(states, n, (before, forgotten), (then, now))
        (j, *others) = np.flatnonzero(wave).tolist()
        alone = not others and not n[j] and [*kinds.of_sample] == [j]
        few = alone and most_states(kinds, j, self.pools[j], wave[j]) * states.x.shape[1] <= IN_ALL
        if few:  # else questions have to be given up on the way
            states = self._kept(states.followed(first_wave(kinds, j, self.pools[j], wave[j])))
        else:
            for model, times in enumerate(wave):
                for i in range(times):
                    states = self._kept(states.drawn(kinds, model, self.pools[model].samples.n - n[model] - i))
        if self.by_wave:
            states = self._waved(states, kinds, j, wave[j], self.memory.told(then, now))
        return (waves + 1, after, now), states

    def _refuse(self, wave: tuple[int, ...], n: tuple[int, ...]) -> None:
        """Raise PartNotExact for what is not known of a wave."""
        for objective in self.by_call if sum(wave) > 1 else ():
            if objective.along != "sum":
                raise PartNotExact(objective.name)
        several = sum(map(bool, wave)) > 1 or any(w and before for w, before in zip(wave, n, strict=True))
        for objective in self.by_wave if several else ():
            raise PartNotExact(objective.name)

    def _told(
        self, states: Counted, n: tuple[int, ...], before: tuple[Called, Called], then: tuple[Called, Called]
    ) -> Counted:
        """Forget what is not looked at any more, and add what was spent on it."""
        if (gone := then[1] - before[1]) and self.by_call:
            states = self._spent(states, before, sorted(gone))
        old, kinds = self.kinds(*before), self.kinds(*then)
        if not old.of_sample.keys() & kinds.of_sample.keys():
            return states.by_question().told_by(kinds)
        noisy = np.array([NOISE in self.memory.columns(then[0], j) for j in range(len(self.pools))])
        return self._kept(states).told(old, kinds, noisy)

    def _waved(self, states: Counted, kinds: Kinds, j: int, w: int, told: list[Told]) -> Counted:
        """Add what the first calls of a model take."""
        own = kinds
        if [*kinds.of_sample] != [j]:
            own = kinds_of(self.pools, [of for of in told if of.model == j], self.memory.cuts)
        x = kinds.part(states.x, j)
        alone = states if own is kinds else replace(states, x=x, key=own.keys(states.question, x))
        P = self.of.setups[self.of.models[j]].parallelism
        mean, variance = np.zeros((2, len(states), len(self.objectives)))
        code = own.codes(alone.question, alone.key)
        for i, objective in enumerate(self.by_wave, start=len(self.by_call)):
            parts = self.of.costs[objective][j]
            try:
                mean[:, i], variance[:, i] = wave_moments(own, j, self.pools[j], parts, w, P, code)
            except NotExact:
                raise PartNotExact(objective.name) from None
        return states.spending(mean, variance)

    def _spent(self, states: Counted, of: tuple[Called, Called], models: list[int]) -> Counted:
        """Add what each call of some models took, given what they brought."""
        mean, variance = np.zeros((2, len(states), len(self.objectives)))
        kinds = self.kinds(*of)
        for i, objective in enumerate(self.by_call):
            for j in models:
                parts, P = self.of.costs[objective][j], self.of.setups[self.of.models[j]].parallelism
                try:
                    several = objective.along == "sum"
                    sums = call_sums(kinds, j, self.pools[j], parts, P, several=several)
                except NotExact:
                    raise PartNotExact(objective.name) from None
                own = sums.moments(states.question, states.x)
                mean[:, i] += own[0]
                variance[:, i] += own[1]
        return states.spending(mean, variance)

    def _answer(self, answer: Answer, ended: Counted, reached: Reached) -> None:
        """Add queries that are answered."""
        waves, n, forgotten = reached
        of, aggregator = called(n), self.of.aggregator(answer)
        question = ended.question
        if self.objectives:
            for cost in aggregator.costs if of else ():
                raise PartNotExact(cost.objective.name)
            left = sorted(of - forgotten)
            spent = self._spent(ended, (of, forgotten), left) if left and self.by_call else ended
            first, second = spent.spent_so_far(len(self.objectives))
            for i, objective in enumerate(self.objectives):
                self.sums.add(objective.name, question, first[:, i], second[:, i])
        for name in self.worths:
            worth = self._worth(answer, name, ended, n, self.kinds(of, forgotten))
            self.sums.add(name, question, ended.chance * worth, ended.chance * worth**2)
        self.sums.end(question, ended.chance, n, waves)

    def _worth(self, answer: Answer, name: str, ended: Counted, n: tuple[int, ...], kinds: Kinds) -> FloatArray:
        """What answers are worth (S,) by an objective."""
        models = answer.of or self.of.models
        taken = tuple(j for j, model in enumerate(self.of.models) if n[j] and model in models)
        for j in (j for j in taken if j not in kinds.of_sample):
            raise Remember(called(n), j, ["correct"])  # it is forgotten
        if not taken:
            return np.zeros(len(ended))
        try:
            return CountWorth(self, kinds, self.of.worth(answer, name), taken, n).of(ended)
        except Remember:
            raise
        except NotExact:
            raise PartNotExact(name) from None


def called(n: tuple[int, ...]) -> Called:
    """Return which models were called, by their calls."""
    return frozenset(j for j, calls in enumerate(n) if calls)
