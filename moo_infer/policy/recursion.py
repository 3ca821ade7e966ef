"""Exact evaluation: the recursion over the subsets of a question's samples that a policy may have seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from math import comb

import numpy as np

from ..core.arrays import Array, FloatArray, IntArray
from ..core.errors import NotExact
from ..core.objectives import Objective
from ..core.seen import Answer, Call
from ..estimate.setup import Part
from .by_question import Sums
from .dependence import refuse_dependent
from .deployment import Deployment
from .frontier import Frontier
from .joint import SEEN, joint
from .kinds import NOISE
from .pool import Pool, asked, pool_of, refuse_order
from .states import States, decisions

__all__ = ["PartNotExact", "Recursion", "SubsetStates"]

Waves = tuple[tuple[int, ...], ...]

AT_ONCE = 2**20  # pairs of a state and what may follow it, a few arrays of 8 MiB
PROBED = 100  # states in which waves are compared with as many calls at once


class SubsetStates(States):
    """States that are sets of samples."""

    def __init__(
        self, recursion: "Recursion", frontier: Frontier, n: tuple[int, ...], waves: Waves | None = None
    ) -> None:
        super().__init__(recursion.of.models, n, waves)
        self._recursion, self._frontier = recursion, frontier

    def __len__(self) -> int:
        return len(self._frontier.question)

    def column(self, model: int, name: str, wave: int | None, /) -> Array:
        """Return a column of the samples; of waves only the last one's are known."""
        if name == NOISE:
            raise NotExact("what is random beside the samples")
        masks, n = self._frontier.masks, self.calls(model, wave)
        if wave is not None:
            if self._frontier.last is None or wave != len(self.history) - 1:
                raise NotExact("a policy looks at what calls before the last one brought")
            masks = self._frontier.last
        pool = self._recursion.pools[model]
        return pool.column(name, pool.rows(self._frontier.question, masks[:, model], n))

    def unlike(self, models: Sequence[int], /) -> str:
        """Say why answers of some models cannot be compared."""
        return self._recursion.of.unlike(models)

    def spent(self, objective: str, /) -> FloatArray:
        """Return what was spent, where it is the sum over samples."""
        frontier = self._frontier
        return self._recursion.spent(objective, frontier.question, frontier.masks, self.n)

    @property
    def question(self) -> IntArray:
        """(S,) which question each is about."""
        return self._frontier.question

    def known(self, state: int, /) -> Mapping[str, object]:
        """Return what is known of the question of a state before."""
        return self._recursion.of.known[int(self._frontier.question[state])]


class PartNotExact(NotExact):
    """A part does not tell what it makes of a set of samples."""

    def __init__(self, objective: str) -> None:
        super().__init__(objective)
        self.objective = objective


@dataclass(frozen=True, eq=False)
class Recursion:
    """One evaluation.

    Args:
        of: the policy with its models.
        objectives: those that are told by the set of samples of a wave.
        worths: the objectives of what answers are worth that are known.
        waves_apart: whether states are told apart by what the last call brought.
    """

    of: Deployment
    objectives: tuple[Objective, ...]
    worths: tuple[str, ...]
    waves_apart: bool

    @cached_property
    def pools(self) -> list[Pool]:
        """The samples of each model."""
        assert self.of.samples is not None
        return [pool_of(samples) for samples in self.of.samples]

    @cached_property
    def sums(self) -> Sums:
        """What is found."""
        names = [objective.name for objective in self.objectives]
        return Sums(len(self.of.questions), [*names, *self.worths])

    def run(self, questions: IntArray) -> None:
        """Add what happens to some questions."""
        m, S, J = len(self.of.models), len(questions), len(self.objectives)
        none = np.zeros((S, J))
        start = Frontier(questions, np.zeros((S, m), dtype=np.int64), np.ones(S), none, none)
        open_ones: dict[tuple[Waves, tuple[int, ...]], list[Frontier]] = {((), (0,) * m): [start]}
        while open_ones:
            waves, n = min(open_ones, key=lambda key: (sum(key[1]), len(key[0])))
            parts = open_ones.pop((waves, n))
            frontier = Frontier.joined(parts) if self.waves_apart else Frontier.joined(parts).merged(self._bits)
            states = SubsetStates(self, frontier, n, waves if self.waves_apart else None)
            for decided, rows in decisions(self.of.policy, states, self.of.most):
                if isinstance(decided, Answer):
                    self._answer(decided, frontier[rows], n, len(waves))
                else:
                    key, reached = self._call(decided, frontier[rows].merged(self._bits), waves, n)
                    open_ones.setdefault(key, []).extend(reached)

    @property
    def _bits(self) -> list[int]:
        return [pool.size for pool in self.pools]

    def _answer(self, answer: Answer, ended: Frontier, n: tuple[int, ...], waves: int) -> None:
        """Add queries that are answered."""
        aggregator = self.of.aggregator(answer)
        question, masks = ended.question, ended.masks
        first, second = ended.first, ended.second
        for j, objective in enumerate(self.objectives):
            spent, squares = first[:, j], second[:, j]
            for cost in (cost for cost in aggregator.costs if cost.objective == objective and any(n)):
                own = self.worth(cost, answer, question, masks, n, objective.name)
                spent, squares = spent + ended.chance * own, squares + 2 * own * spent + ended.chance * own**2
            self.sums.add(objective.name, question, spent, squares)
        self.add_worths(answer, ended, n)
        self.sums.end(question, ended.chance, n, waves)

    def add_worths(self, answer: Answer, ended: Frontier, n: tuple[int, ...]) -> None:
        """Add what the answers of queries are worth."""
        for name in self.worths:
            worth = np.zeros(len(ended.question))
            if any(n):
                worth = self.worth(self.of.worth(answer, name), answer, ended.question, ended.masks, n, name)
            self.sums.add(name, ended.question, ended.chance * worth, ended.chance * worth**2)

    def worth(
        self, part: Part, answer: Answer, question: IntArray, masks: IntArray, n: tuple[int, ...], objective: str
    ) -> FloatArray:
        """What a part makes of all samples that an answer is given from, (S,)."""
        taken = [j for j, model in enumerate(self.of.models) if n[j] and model in (answer.of or self.of.models)]
        if not taken:
            return np.zeros(len(question))
        P = max(self.of.setups[self.of.models[j]].parallelism for j in taken)
        try:
            if len(taken) == 1:
                (j,) = taken
                return self.pools[j].totals(part, question, masks[:, j], n[j], parallelism=P)
            rows = [self.pools[j].rows(question, masks[:, j], n[j]) for j in taken]
            worth = self._of_all(part, taken, question, rows, P)
            some = slice(None, None, max(1, len(question) // PROBED))
            turned = self._of_all(part, taken, question[some], [of[some, ::-1] for of in rows], P)
            refuse_order(part, worth[some], turned)
            return worth
        except NotExact:
            raise PartNotExact(objective) from None

    def _of_all(
        self, part: Part, taken: Sequence[int], question: IntArray, rows: Sequence[IntArray], parallelism: int
    ) -> FloatArray:
        """What a part makes of samples of several models together, (S,)."""
        draws = [self.pools[j].shown(question, of, SEEN) for j, of in zip(taken, rows, strict=True)]
        return asked(part, joint(draws, self.of.unlike(taken)), parallelism=parallelism)

    def _call(
        self, call: Call, frontier: Frontier, waves: Waves, n: tuple[int, ...]
    ) -> tuple[tuple[Waves, tuple[int, ...]], list[Frontier]]:
        """Return the states that follow a call, with the waves and the calls of each model so far."""
        wave = tuple(call.times.get(model, 0) for model in self.of.models)
        after = tuple(a + b for a, b in zip(n, wave, strict=True))
        key = ((*waves, wave) if self.waves_apart else ((),) * (len(waves) + 1), after)
        for j, w in enumerate(wave):
            for objective in self.objectives if w and n[j] else ():
                self._refuse_dependent(objective, j, frontier, n[j], w)
        reached = []
        sizes = np.stack([pool.samples.n[frontier.question] for pool in self.pools], axis=1)
        for size in np.unique(sizes, axis=0):
            some = frontier[(sizes == size).all(axis=1)]
            ways = int(np.prod([comb(s - a, w) for s, a, w in zip(size.tolist(), n, wave, strict=True)]))
            step = max(1, AT_ONCE // ways)
            for start in range(0, len(some.question), step):
                reached.append(self._reached(some[slice(start, start + step)], size, wave, n))
        return key, reached

    def _reached(self, frontier: Frontier, size: IntArray, wave: tuple[int, ...], n: tuple[int, ...]) -> Frontier:
        """All states that follow a wave, where all questions have as many samples of each model."""
        parent = np.arange(len(frontier.question))
        brought = np.zeros_like(frontier.masks)
        for j, w in enumerate(wave):
            if w:
                row, following = self.pools[j].subsets.extensions(int(size[j]), n[j], w)
                own = following[row[frontier.masks[parent, j]]]
                parent, brought = np.repeat(parent, own.shape[1]), np.repeat(brought, own.shape[1], axis=0)
                brought[:, j] = own.ravel()
        kept = frontier[parent]
        share = len(frontier.question) / max(len(parent), 1)
        first, second = kept.first.copy(), kept.second.copy()
        for i, objective in enumerate(self.objectives):
            spent = self._wave(objective, kept.question, brought, wave, n)
            second[:, i] += 2 * spent * first[:, i] + kept.chance * spent**2
            first[:, i] += kept.chance * spent
        last = brought if self.waves_apart else None
        return Frontier(kept.question, kept.masks | brought, kept.chance * share, first * share, second * share, last)

    def _wave(
        self, objective: Objective, question: IntArray, masks: IntArray, wave: tuple[int, ...], n: tuple[int, ...]
    ) -> FloatArray:
        """What a wave consumes, (S,): of each model in it, composed as the objective says."""
        each = [self.of_model(objective, j, question, masks[:, j], w, n[j]) for j, w in enumerate(wave) if w]
        return reduce(np.add if objective.along == "sum" else np.maximum, each)

    def of_model(
        self, objective: Objective, j: int, question: IntArray, masks: IntArray, w: int, before: int
    ) -> FloatArray:
        """What w samples of a model consume of an objective, after so many calls before, (S,)."""
        P, total = self.of.setups[self.of.models[j]].parallelism, np.zeros(len(question))
        for part in self.of.costs[objective][j]:
            try:
                total = total + self.pools[j].totals(part, question, masks, w, before=before, parallelism=P)
            except NotExact:
                raise PartNotExact(objective.name) from None
        return total

    def spent(self, objective: str, question: IntArray, masks: IntArray, n: tuple[int, ...]) -> FloatArray:
        """What the calls so far consumed, (S,), where it is the sum over samples."""
        known = [of for of in self.objectives if of.name == objective and of.along == "sum"]
        if not known:
            raise NotExact(f"what was spent of {objective} so far does not follow from the samples")
        total = np.zeros(len(question))
        for j, t in enumerate(n):
            if t:
                total += self.of_model(known[0], j, question, masks[:, j], t, 0)
        return total

    def _refuse_dependent(self, objective: Objective, j: int, frontier: Frontier, before: int, w: int) -> None:
        """Refuse a cost model where a wave costs another sum after other calls than it says."""
        if objective.along != "sum":
            return
        some = frontier[:: max(1, len(frontier.question) // PROBED)]
        size = int(self.pools[j].samples.n[some.question].min())
        kept = some[self.pools[j].samples.n[some.question] == size]
        row, following = self.pools[j].subsets.extensions(size, before, w)
        seen, then = kept.masks[:, j], following[row[kept.masks[:, j]], 0]
        alone = self.of_model(objective, j, kept.question, seen, before, 0)
        later = self.of_model(objective, j, kept.question, then, w, before)
        together = self.of_model(objective, j, kept.question, seen | then, before + w, 0)
        refuse_dependent(self.of, objective, j, (before, w), (alone, later, together))
