"""Exact evaluation on models of laws whose inferences are right or wrong: the recursion over how many are right."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from ..core.arrays import FloatArray, IntArray
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
from .law_states import Branch, LawKinds, LawStates, Waves
from .memory import Remember
from .pool import NoisyDraws, asked
from .states import WavesMerged, decisions

__all__ = ["ByLaw", "evaluated_by_law", "moments_by_law"]

COLUMNS = ("tokens_in", "tokens_out", "accuracy")
ROUNDING = 1e-9  # of totals, relative: sums in another order


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


@dataclass(frozen=True, eq=False)
class _Recursion:
    """One evaluation over the Q queries of a model that stand for all; of several models, all queries are alike.

    Args:
        of: the policy with its models.
        weights: (Q,), shares of the queries.
        p: (m, Q), how likely an inference of each model is right.
        kinds: of inferences.
        waves_apart: whether states are told apart by what the last wave brought.
        together: the waves.
        made: by model, its calls of a wave and those before it, (Q,) how many queries make it.
        answered: what is answered by whom: the states and their shares of all queries.
        read: columns that were looked at.
    """

    of: Deployment
    weights: FloatArray
    p: FloatArray
    kinds: LawKinds
    waves_apart: bool
    made: dict[tuple[int, int, int], FloatArray] = field(default_factory=dict)
    answered: list[tuple[Answer, LawStates, FloatArray]] = field(default_factory=list)
    together: list[tuple[int, ...]] = field(default_factory=list)
    waves: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    endings: dict[tuple[int, ...], float] = field(default_factory=lambda: defaultdict(float))
    read: set[str] = field(default_factory=set)

    def run(self) -> None:
        """Go through all waves."""
        m, models = len(self.of.models), self.of.models
        start = Branch.start(m, self.kinds, len(self.weights))
        open_ones: dict[tuple[Waves, tuple[int, ...]], list[Branch]] = {((), (0,) * m): [start]}
        while open_ones:
            waves, n = min(open_ones, key=lambda key: (sum(key[1]), len(key[0])))
            branch = Branch.joined(open_ones.pop((waves, n)))
            branch = branch if self.waves_apart else branch.merged()
            last = branch.last if self.waves_apart else None
            apart = waves if self.waves_apart else None
            states = LawStates(models, self.kinds, branch.x, last, n, apart, self.of.situation)
            for decided, rows in decisions(self.of.policy, states, self.of.most):
                self.read.update(states.read)
                some = branch[rows]
                if isinstance(decided, Answer):
                    share = some.chance @ self.weights
                    self.answered.append((decided, LawStates(models, self.kinds, some.x, None, n, None), share))
                    self.waves[len(waves)] += float(share.sum())
                    self.endings[n] += float(share.sum())
                    continue
                wave = tuple(int(decided.times.get(model, 0)) for model in models)
                for j, w in enumerate(wave):
                    key = (j, w, n[j])
                    self.made[key] = self.made.get(key, 0.0) + some.chance.sum(axis=0)
                after = tuple(a + b for a, b in zip(n, wave, strict=True))
                seen = ((*waves, wave) if self.waves_apart else ((),) * (len(waves) + 1), after)
                open_ones.setdefault(seen, []).append(some.merged().followed(wave, self.kinds, self.p))
                self.together.append(wave)

    def accuracy(self) -> float:
        """What the answers are worth; raises NotExact where it depends on more than what is right."""
        total = 0.0
        for answer, states, share in self.answered:
            models = answer.of or self.of.models
            taken = [j for j, model in enumerate(self.of.models) if states.n[j] and model in models]
            if taken:
                aggregator, kinds = self.of.aggregator(answer), states.kinds(taken)
                try:
                    shown = self._shown(states, kinds)
                    worth, other = asked(aggregator, shown), asked(aggregator, self._shown(states, kinds[:, ::-1]))
                    self.read.update(shown.read)
                except MissingColumn as error:
                    raise NotExact(str(error)) from None
                if not np.allclose(worth, other):
                    raise NotExact(f"{aggregator.name} by a law")
                total += float(share @ worth)
        return total

    def _shown(self, states: LawStates, kinds: IntArray) -> NoisyDraws:
        wrong = kinds >= self.kinds.number // 2
        columns = {"accuracy": 1.0 - wrong, "answer": wrong.astype(np.int64)}
        return NoisyDraws.of(Draws(columns=columns), states.noise(kinds))

    def spent(self, objective: Objective, axes: Sequence[Axis], laws: Sequence[Mapping[str, Law]]) -> float:
        """Return the mean of what is consumed; raises NotExact where a wave's is not known."""
        for answer, *_ in self.answered:
            if any(cost.objective == objective for cost in self.of.aggregator(answer).costs):
                raise NotExact(f"what the answers take of {objective.name}, by a law")
        if objective.along != "sum" and any(sum(map(bool, wave)) > 1 for wave in self.together):
            raise NotExact(f"{objective.name} of several models at once, by a law")
        return sum(self._of_model(objective, j, axes[j], laws[j]) for j in range(len(axes)))

    def _of_model(self, objective: Objective, j: int, axis: Axis, laws: Mapping[str, Law]) -> float:
        made = {(w, n): queries for (i, w, n), queries in self.made.items() if i == j and w}
        setup, Q = self.of.setups[self.of.models[j]], len(axis.weights)
        sizes = np.unique([w for w, _ in made] + [n for _, n in made] + [w + n for w, n in made]).astype(np.int64)
        sizes = sizes[sizes > 0]
        query = LawQuery({**laws, **axis.laws})
        total = np.zeros((Q, len(sizes)))
        for part in self.of.costs[objective][j] if len(sizes) else ():
            compute = partial(part.exact, query, sizes, parallelism=setup.parallelism)
            total = total + checked_moments(compute, sizes, part, setup.part_name(part), Q).mean
        place = {int(k): i for i, k in enumerate(sizes)}
        for w, n in made:
            if n and objective.along != "sum" and _told_apart(self.of, objective, j):
                raise NotExact(f"{objective.name} of later waves, by a law")
            if n and objective.along == "sum":
                alone, later, together = (total[:, place[k]] for k in (n, w, n + w))
                if not np.allclose(alone + later, together, rtol=ROUNDING, atol=0.0):
                    raise NotExact(f"{objective.name} of several waves, by a law")  # `total` knows of calls before
        # Where there are several models all queries are equally likely to make a call, Q is 1 in `queries` then.
        return float(sum(axis.weights @ (queries * total[:, place[w]]) for (w, _), queries in made.items()))


def evaluated_by_law(of: Deployment) -> ByLaw:
    """Evaluate a policy exactly on models of laws.

    Answers are two, right and wrong, as for `majority-vote`: all wrong ones count as one.

    Raises:
        NotExact: where inferences are not right or wrong, or the policy looks at more than how many are.
        MooInferError: where it decides what it may not, and where a cost model is not known in several waves.
    """
    if of.policy.arrivals:
        raise NotExact("arrivals by a law")
    axes = [_axis(of, model) for model in of.models]
    p = [_p(of, model, axis) for model, axis in zip(of.models, axes, strict=True)]
    several = len(p) > 1
    if several and any(np.ptp(own) > 0 for own in p):
        raise NotExact("several models whose queries differ in difficulty")
    chances = np.array([own[:1] for own in p]) if several else np.array(p)
    weights = np.ones(1) if several else axes[0].weights
    kinds, apart = LawKinds(), False
    while True:
        recursion = _Recursion(of, weights, chances, kinds, apart)
        found = ByLaw(waves=recursion.waves, endings=recursion.endings)
        try:
            recursion.run()
            with _unknown():
                found.mean[ACCURACY.name] = recursion.accuracy()
        except WavesMerged:
            apart = True
        except Remember as need:
            kinds = LawKinds(tuple(sorted({*kinds.cuts, *need.cuts})))
        else:
            break
    laws = [of.setups[model].queries.laws for model in of.models]
    for objective in of.costs:
        with suppress(NotExact):
            found.mean[objective.name] = recursion.spent(objective, axes, laws)
    return replace(found, of_two="answer" in recursion.read)


@contextmanager
def _unknown() -> Iterator[None]:
    """Leave out what is not exact, unless something more has to be told apart."""
    try:
        yield
    except Remember:
        raise
    except NotExact:
        pass


def _axis(of: Deployment, model: str) -> Axis:
    """The queries of a model; raises NotExact where its inferences are more than right or wrong."""
    setup = of.setups[model]
    draws = setup.profile.inference.sample(np.random.default_rng(0), 1, of.most[model])
    _refuse(of, model, with_noise(draws, np.random.default_rng(0)))
    if "answer" in draws or "score" in draws:
        raise NotExact("inferences that are more than right or wrong")
    return setup.queries.product({*COLUMNS}, {}) or Axis(np.ones(1), {})


def _p(of: Deployment, model: str, axis: Axis) -> FloatArray:
    """(Q,) how likely an inference is right; raises NotExact where it is more than right or wrong."""
    law = axis.laws.get("accuracy", of.setups[model].queries.laws.get("accuracy"))
    if not isinstance(law, Bernoulli):
        raise NotExact("inferences that are more than right or wrong")
    return np.broadcast_to(np.ravel(law.p), axis.weights.shape)


def _told_apart(of: Deployment, objective: Objective, j: int) -> bool:
    """Whether cost models of a model take something else for a call after others, which `exact` is not told of."""
    setup = of.setups[of.models[j]]
    rng = np.random.default_rng(0)
    draws = with_noise(setup.profile.inference.sample(rng, 1, 1), rng)

    def totals(before: int) -> FloatArray:
        wave = Draws(columns={**draws, BEFORE: np.full(draws.accuracy.shape, before)})
        return sum((part.total(wave, parallelism=setup.parallelism) for part in of.costs[objective][j]), np.zeros(1))

    return not np.array_equal(totals(0), totals(1))


def _refuse(of: Deployment, model: str, draws: Draws) -> None:
    """Let every cost model refuse to be asked in a policy, as it does where it is asked for the totals of a wave."""
    setup, j = of.setups[model], of.models.index(model)
    wave = Draws(columns={**draws, BEFORE: np.zeros(draws.accuracy.shape, dtype=np.int64)})
    for part in (part for parts in of.costs.values() for part in parts[j]):
        guarded(partial(part.total, wave, parallelism=setup.parallelism), setup.part_name(part))
