"""Policies that are asked after every answer that arrives: which calls are cancelled, and what they cost."""

from dataclasses import dataclass
from functools import cached_property
from itertools import chain, pairwise, permutations, product
from math import factorial, prod

import numpy as np

from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.errors import NotExact
from ..core.objectives import Objective
from ..core.seen import Answer
from .dependence import refuse_unlike_alone
from .frontier import Frontier
from .launches import billed_share, launched, never_answers, refuse_more, timed
from .recursion import Recursion, SubsetStates
from .states import decisions

__all__ = ["run_arrivals"]

PROBED = 200  # queries whose calls are compared with all of them at once
MANY = 2**18  # orders of arrival: their places take 2 MiB a call


def run_arrivals(recursion: Recursion) -> None:
    """Add what happens to the queries of all questions: everything is called at once, answers arrive by their seconds.

    Every call counts as it does alone: its seconds say when it arrives, and those with the same seconds arrive in any
    order. A call that is cancelled is billed whole, by the share of its seconds that ran, or not at all, as the field
    `cancelled_billed` of the policy says.

    Raises:
        NotExact: where too many arrive at the same time to go through all of their orders.
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
        of = self.recursion.of
        self._check()
        open_ones = np.arange(len(self.launch))
        for t in range(1, sum(self.wave) + 1):
            counts = np.stack([self._arrived(open_ones, t, j, counted=True) for j in range(len(self.wave))], axis=1)
            left = []
            for n in np.unique(counts, axis=0):
                rows = open_ones[(counts == n).all(axis=1)]
                masks = np.stack([self._arrived(rows, t, j) for j in range(len(self.wave))], axis=1)
                none = np.zeros((len(rows), len(self.recursion.objectives)))
                frontier = Frontier(self.question[self.launch[rows]], masks, self.chances[rows], none, none)
                states = SubsetStates(self.recursion, frontier, tuple(n.tolist()))
                for decided, places in decisions(of.policy, states, of.most):
                    if isinstance(decided, Answer):
                        self._answer(decided, frontier[places], rows[places], t, tuple(n.tolist()))
                    else:
                        refuse_more(of, decided, t)
                        left.append(rows[places])
            if not left:
                return
            open_ones = np.concatenate(left)
        raise never_answers(of, sum(self.wave))

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

    @cached_property
    def orders(self) -> tuple[IntArray, IntArray, FloatArray]:
        """All orders in which calls may arrive: whose (O,), the place of each call from 0 (O, T), and their chances."""
        soonest = np.argsort(self.seconds, axis=1, kind="stable")
        later = np.diff(np.take_along_axis(self.seconds, soonest, axis=1), axis=1) > 0
        alike, which = np.unique(later, axis=0, return_inverse=True)
        together = [_groups(each) for each in alike]
        ways = np.array([prod(factorial(len(group)) for group in groups) for groups in together])
        if ways[which].sum() > MANY:
            raise NotExact("more orders of answers that arrive at the same time than can be gone through")
        launch, place = [], []
        for i, groups in enumerate(together):
            rows = np.flatnonzero(which == i)
            among = np.array([[*chain(*each)] for each in product(*map(permutations, groups))], dtype=np.int64)
            launch.append(np.repeat(rows, len(among)))
            place.append(np.argsort(soonest[rows][:, among].reshape(-1, len(among[0])), axis=1))
        launched_by = np.concatenate(launch)
        return launched_by, np.concatenate(place), self.chance / ways[which[launched_by]]

    @property
    def launch(self) -> IntArray:
        """(O,), whose calls arrive in an order."""
        return self.orders[0]

    @property
    def place(self) -> IntArray:
        """(O, T), in which place each call arrives, from 0."""
        return self.orders[1]

    @property
    def chances(self) -> FloatArray:
        """(O,), of each order, given the question."""
        return self.orders[2]

    def _arrived(self, rows: IntArray, t: int, j: int, *, counted: bool = False) -> IntArray:
        """How many of the first t to arrive are of a model, or which of its samples these are: a mask."""
        model, members = self.samples
        there = (self.place[rows] < t) & (model == j)
        if counted:
            return np.asarray(there.sum(axis=1))
        return np.asarray((there * (1 << members[self.launch[rows]])).sum(axis=1))

    def _answer(self, answer: Answer, ended: Frontier, rows: IntArray, t: int, n: tuple[int, ...]) -> None:
        recursion, sums = self.recursion, self.recursion.sums
        aggregator = recursion.of.aggregator(answer)
        launch, place = self.launch[rows], self.place[rows]
        seconds = self.seconds[launch]
        end = np.where(place == t - 1, seconds, 0.0).sum(axis=1)
        for objective in recursion.objectives:
            if objective.along == "longest-path":
                spent = np.where(place < t, self.alone[objective.name][launch], 0.0).max(axis=1)
            else:
                share = np.where(place < t, 1.0, billed_share(recursion.of.policy, end[:, None], seconds))
                spent = (self.alone[objective.name][launch] * share).sum(axis=1)
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


def _groups(later: BoolArray) -> list[range]:
    """Places that arrive at the same time, one after the other: `later` (T - 1,) is whether one does after the last."""
    ends = [0, *(np.flatnonzero(later) + 1).tolist(), len(later) + 1]
    return [range(first, last) for first, last in pairwise(ends)]
