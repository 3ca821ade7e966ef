"""Exact evaluation on models of laws whose inferences are right or wrong: the recursion over how many are right."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from ..core.arrays import Array, FloatArray, IntArray
from ..core.draws import BEFORE, Draws
from ..core.errors import MissingColumn, NotExact
from ..core.moments import Moments
from ..core.noise import with_noise
from ..core.objectives import ACCURACY, Objective
from ..core.seen import Answer
from ..estimate.calls import checked_moments, guarded
from ..quantities.by_law import LawQuery
from ..quantities.laws import Bernoulli, Law
from ..quantities.queries import Axis
from .deployment import Deployment
from .pool import RecordedDraws, asked
from .states import States, WavesMerged, decisions

__all__ = ["ByLaw", "evaluated_by_law", "moments_by_law"]

COLUMNS = ("tokens_in", "tokens_out", "accuracy")
ROUNDING = 1e-9  # of totals, relative: sums in another order
Waves = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class ByLaw:
    """Expectations over all queries of a model.

    Args:
        mean: by objective; without what is not known exactly.
        waves, endings: shares of the queries by how many waves they take, and after which calls they are answered.
        of_two: whether answers are compared, of which there are two: right ones and wrong ones.
    """

    mean: dict[str, float] = field(default_factory=dict)
    waves: Mapping[int, float] = field(default_factory=dict)
    endings: Mapping[tuple[int, ...], float] = field(default_factory=dict)
    of_two: bool = False


def moments_by_law(rows: Sequence[ByLaw], objective: str) -> Moments | None:
    """Return the means of n evaluations; None where one is not known."""
    if any(objective not in row.mean for row in rows):
        return None
    return Moments(np.array([row.mean[objective] for row in rows]))


class _Counts(States):
    """States of queries by how many of their inferences are right: S of them, whatever the query."""

    def __init__(
        self, of: Deployment, right: IntArray, n: int, waves: Waves | None, last: IntArray | None, read: set[str]
    ) -> None:
        super().__init__(of.models, (n,), waves)
        self.right, self._last, self._read = right, last, read

    def __len__(self) -> int:
        return len(self.right)

    def column(self, model: int, name: str, wave: int | None, /) -> Array:
        """Return answers, 0 right and 1 wrong, or which are right."""
        if name not in ("answer", "correct"):
            raise NotExact(f"the column {name}, by a law")
        right = self.right
        if wave is not None:
            if self._last is None or wave != len(self.history) - 1:
                raise NotExact("a policy looks at what calls before the last one brought")
            right = self._last
        wrong = np.arange(self.calls(model, wave)) >= right[:, None]
        self._read.add(name)
        return wrong.astype(np.int64) if name == "answer" else 1.0 - wrong

    def spent(self, objective: str, /) -> FloatArray:
        """Lengths are not known here."""
        raise NotExact(f"what was spent of {objective} so far, by a law")

    def known(self, state: int, /) -> Mapping[str, object]:
        """Nothing is known of a query before."""
        return {}


@dataclass(frozen=True, eq=False)
class _Branch:
    """States with their chances.

    Args:
        right: (S,), how many inferences are right.
        chance: (S, Q), given each query.
        last: (S,), how many of the last wave are right.
    """

    right: IntArray
    chance: FloatArray
    last: IntArray

    def merged(self) -> "_Branch":
        """Return each number of right ones once."""
        different, which = np.unique(self.right, return_inverse=True)
        chance = np.zeros((len(different), self.chance.shape[1]))
        np.add.at(chance, which, self.chance)
        return _Branch(different, chance, different)

    def followed(self, w: int, p: FloatArray) -> "_Branch":
        """Return the states that follow w more inferences, each right with probability p (Q,)."""
        from scipy.special import comb

        r = np.arange(w + 1)
        share = comb(w, r)[:, None] * p ** r[:, None] * (1 - p) ** (w - r[:, None])
        right = (self.right[:, None] + r).ravel()
        chance = (self.chance[:, None, :] * share).reshape(len(right), -1)
        return _Branch(right, chance, np.tile(r, len(self.right)))


@dataclass(frozen=True, eq=False)
class _Recursion:
    """One evaluation over the Q queries of a model that stand for all.

    Args:
        of: the policy with its model.
        weights: (Q,), shares of the queries.
        p: (Q,), how likely an inference is right.
        waves_apart: whether states are told apart by what the last wave brought.
        made: by wave, its calls and those before it, (Q,) how many queries make it.
        answered: by aggregator and calls: the states and their shares of all queries.
        read: columns that were looked at.
    """

    of: Deployment
    weights: FloatArray
    p: FloatArray
    waves_apart: bool
    made: dict[tuple[int, int], FloatArray] = field(default_factory=dict)
    answered: list[tuple[Answer, _Counts, FloatArray]] = field(default_factory=list)
    waves: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    endings: dict[tuple[int, ...], float] = field(default_factory=lambda: defaultdict(float))
    read: set[str] = field(default_factory=set)

    def run(self) -> None:
        """Go through all waves."""
        none = np.zeros(1, dtype=np.int64)
        open_ones: dict[tuple[Waves, int], list[_Branch]] = {((), 0): [_Branch(none, np.ones((1, len(self.p))), none)]}
        (model,) = self.of.models
        while open_ones:
            waves, n = min(open_ones, key=lambda key: (key[1], len(key[0])))
            parts = open_ones.pop((waves, n))
            branch = _Branch(
                np.concatenate([part.right for part in parts]),
                np.concatenate([part.chance for part in parts]),
                np.concatenate([part.last for part in parts]),
            )
            branch = branch if self.waves_apart else branch.merged()
            last = branch.last if self.waves_apart else None
            states = _Counts(self.of, branch.right, n, waves if self.waves_apart else None, last, self.read)
            for decided, rows in decisions(self.of.policy, states, self.of.most):
                some = _Branch(branch.right[rows], branch.chance[rows], branch.last[rows])
                if isinstance(decided, Answer):
                    share = some.chance @ self.weights
                    self.answered.append((decided, _Counts(self.of, some.right, n, None, None, set()), share))
                    self.waves[len(waves)] += float(share.sum())
                    self.endings[n,] += float(share.sum())
                    continue
                w = int(decided.times[model])
                self.made[w, n] = self.made.get((w, n), 0.0) + some.chance.sum(axis=0)
                key = ((*waves, (w,)) if self.waves_apart else ((),) * (len(waves) + 1), n + w)
                open_ones.setdefault(key, []).append(some.merged().followed(w, self.p))

    def accuracy(self) -> float:
        """What the answers are worth; raises NotExact where it depends on more than what is right."""
        total = 0.0
        for answer, states, share in self.answered:
            if states.n[0]:
                right = states.column(0, "correct", None)
                draws = RecordedDraws(accuracy=right, columns={"answer": (1 - right).astype(np.int64)})
                aggregator = self.of.aggregator(answer)
                try:
                    worth = asked(aggregator, draws)
                    self.read.update(draws.read)
                    turned = Draws(columns={name: column[:, ::-1] for name, column in draws.items()})
                    other = asked(aggregator, turned)
                except MissingColumn as error:
                    raise NotExact(str(error)) from None
                if not np.allclose(worth, other) or aggregator.costs:
                    raise NotExact(f"{aggregator.name} by a law")
                total += float(share @ worth)
        return total

    def spent(self, objective: Objective, axis: Axis, laws: Mapping[str, Law]) -> float:
        """Return the mean of what is consumed; raises NotExact where a wave's is not known."""
        (setup,) = self.of.setups.values()
        answering = (self.of.aggregator(answer) for answer, _, _ in self.answered)
        if any(cost.objective == objective for aggregator in answering for cost in aggregator.costs):
            raise NotExact(f"what finding the answer takes of {objective.name}, by a law")
        Q = len(self.weights)
        sizes = np.unique([w for w, _ in self.made] + [n for _, n in self.made] + [w + n for w, n in self.made])
        sizes = sizes[sizes > 0]
        query = LawQuery({**laws, **axis.laws})
        total = np.zeros((Q, len(sizes)))
        for part in self.of.costs[objective][0]:
            compute = partial(part.exact, query, sizes, parallelism=setup.parallelism)
            total = total + checked_moments(compute, sizes, objective, setup.part_name(part), Q).mean
        place = {int(k): i for i, k in enumerate(sizes)}
        for w, n in self.made:
            if n and objective.along == "sum":
                alone, later, together = (total[:, place[k]] for k in (n, w, n + w))
                if not np.allclose(alone + later, together, rtol=ROUNDING, atol=0.0):
                    raise NotExact(f"{objective.name} of several waves, by a law")  # `total` knows of calls before
        return float(sum(self.weights @ (queries * total[:, place[w]]) for (w, _), queries in self.made.items()))


def evaluated_by_law(of: Deployment) -> ByLaw:
    """Evaluate a policy exactly on a model of laws.

    Answers are two, right and wrong, as for `majority-vote`: all wrong ones count as one.

    Raises:
        NotExact: where inferences are not right or wrong, or the policy looks at more than how many are.
        MooInferError: where it decides what it may not, and where a cost model is not known in several waves.
    """
    (setup,) = of.setups.values()
    if of.policy.arrivals:
        raise NotExact("arrivals by a law")
    draws = setup.profile.inference.sample(np.random.default_rng(0), 1, 1)
    _refuse(of, with_noise(draws, np.random.default_rng(0)))
    queries = setup.queries
    axis = queries.product({*COLUMNS}, {}) or Axis(np.ones(1), {})
    law = axis.laws.get("accuracy", queries.laws.get("accuracy"))
    if not isinstance(law, Bernoulli) or "answer" in draws or "score" in draws:
        raise NotExact("inferences that are more than right or wrong")
    p = np.broadcast_to(np.ravel(law.p), axis.weights.shape)
    recursion = _Recursion(of, axis.weights, p, False)
    try:
        recursion.run()
    except WavesMerged:
        recursion = _Recursion(of, axis.weights, p, True)
        recursion.run()
    found = ByLaw(waves=dict(recursion.waves), endings=dict(recursion.endings))
    for objective in of.costs:
        with suppress(NotExact):
            found.mean[objective.name] = recursion.spent(objective, axis, queries.laws)
    with suppress(NotExact):
        found.mean[ACCURACY.name] = recursion.accuracy()
    return replace(found, of_two="answer" in recursion.read)


def _refuse(of: Deployment, draws: Draws) -> None:
    """Let every cost model refuse to be asked in a policy, as it does where it is asked for the totals of a wave."""
    (setup,) = of.setups.values()
    wave = Draws(columns={**draws, BEFORE: np.zeros(draws.accuracy.shape, dtype=np.int64)})
    for part in (part for parts in of.costs.values() for part in parts[0]):
        guarded(partial(part.total, wave, parallelism=setup.parallelism), setup.part_name(part))
