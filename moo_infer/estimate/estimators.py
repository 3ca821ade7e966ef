"""Estimators: from a profile and an aggregator to one curve of the table, exactly or by simulation."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial, reduce
from operator import add
from typing import ClassVar, TypeVar

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.draws import Draws
from ..core.errors import MissingColumn, MooInferError, NotExact, NothingPossible
from ..core.moments import Moments
from ..core.noise import with_noise
from ..core.objectives import ACCURACY
from ..core.parts import at_least_one
from ..core.streams import Streams
from ..interfaces import AccuracyAggregator, InferenceModel
from ..profiles import ModelProfile
from ..quantities.bootstrap import question_weights
from ..quantities.by_samples import draw_samples
from ..quantities.queries import Note, Queries
from .calls import AT_ONCE, MomentCache, agree, cost_models, guarded, known, noted, numbers
from .curves import Column, Estimate, MomentSource, Trials
from .mixture import summed_by_question

__all__ = ["Estimator", "Exact", "MonteCarlo"]

Result = TypeVar("Result")


# Trials drawn at a time: as many whatever K is, so that the same trials see the same numbers. A prime, because grids do
# not end there: where K is M, `Streams` cannot tell (M, K) from (K, M).
BLOCK = 251
LARGEST = 2**18  # inferences drawn at a time, few enough for a cache; from K = 1045 on trials are fewer
MOST_TOTALS = 2**29  # trials times values of k: four gigabytes an objective
MOST_DRAWN = 2**24  # inferences of one trial: a column of them takes 128 MiB


@dataclass(frozen=True)
class Estimator(ABC):
    """Fills the table; see `Exact` and `MonteCarlo`.

    Args:
        trials: M, how many trials are simulated, >= 1.
        seed: of the generator; every model starts one of its own from it, so adding a model changes no other.

    Raises:
        MooInferError: for fewer than one trial, or a seed that is no whole number >= 0.
    """

    name: ClassVar[str]

    trials: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "trials", at_least_one(self.trials, "trials"))
        if isinstance(self.seed, bool) or not hasattr(self.seed, "__index__") or self.seed < 0:
            raise MooInferError(f"seed: must be a whole number >= 0, got {self.seed!r}")
        object.__setattr__(self, "seed", int(self.seed))

    @abstractmethod
    def moments(
        self, profile: ModelProfile, aggregator: AccuracyAggregator, k: IntArray, parallelism: int
    ) -> dict[str, Moments | None]:
        """Return what is taken as known of every objective, without simulation."""

    def estimate(
        self, profile: ModelProfile, aggregator: AccuracyAggregator, k: IntArray, parallelism: int
    ) -> Estimate:
        """Estimate one curve.

        Args:
            profile: the model.
            aggregator: how its inferences are combined.
            k: (n,) ascending numbers of inferences, >= 1.
            parallelism: P, how many inferences run at a time, >= 1.

        Raises:
            NothingPossible: where the notes of the cost models exclude all of the numbers.
        """
        notes = noted(profile, aggregator, k, parallelism)
        k = k[notes.possible]
        if not len(k):
            why = "; ".join(notes.texts) or "its cost models say no more"
            raise NothingPossible(f"{profile.name}: none of the numbers of inferences can be had: {why}")
        source = MomentSource(partial(self.moments, profile, aggregator, k, parallelism))
        moments = {name: source.of(name) for name in source.moments}
        estimate = self._estimate(profile, aggregator, k, parallelism, moments)
        return replace(estimate, remarks=notes.texts, supported=profile.largest_k)

    def _estimate(
        self,
        profile: ModelProfile,
        aggregator: AccuracyAggregator,
        k: IntArray,
        parallelism: int,
        moments: dict[str, Moments | None],
        values: Mapping[str, float] | None = None,
    ) -> Estimate:
        missing = tuple(name for name, m in moments.items() if m is None or m.std is None or m.quantile is None)
        simulation = Simulation(profile, aggregator, k, parallelism, self.trials, self.seed, missing, values)
        columns = {name: Column(m, simulation, name) for name, m in moments.items()}
        return Estimate(profile.name, aggregator.name, parallelism, k, columns)


@dataclass(frozen=True)
class Exact(Estimator):
    """Exact moments where the parts know them; only what is missing is simulated, and listed as such.

    >>> Exact()
    Exact(trials=10000, seed=0)
    """

    name = "exact"

    def moments(
        self,
        profile: ModelProfile,
        aggregator: AccuracyAggregator,
        k: IntArray,
        parallelism: int,
        given: MomentCache | None = None,
        draws: int = 1,
    ) -> dict[str, Moments | None]:
        """Ask the parts.

        Args:
            profile, aggregator, k, parallelism: as in `estimate`.
            given: keeps what they say of every question of a log, for draws that weigh them anew.
            draws: B, where the profile holds (B, 1) numbers.
        """
        given = given or MomentCache()
        who = f"aggregator {aggregator.name!r} on {profile.name!r}"
        moments = {ACCURACY.name: known(aggregator, aggregator.exact, profile, k, ACCURACY, who, given, draws)}
        for objective, parts in cost_models(profile, aggregator).items():
            each = []
            for part in parts:
                who = f"cost model {part.name!r} on {profile.name!r}"
                exact = partial(part.exact, parallelism=parallelism)
                each.append(known(part, exact, profile, k, objective, who, given, draws))
            moments[objective.name] = summed_by_question(_sum(each), each)
        return moments

    def redraw(
        self, profile: ModelProfile, aggregator: AccuracyAggregator, k: IntArray, parallelism: int, B: int, seed: int
    ) -> Iterator[Estimate]:
        """Estimate one curve for B draws of the profile's uncertain numbers, all at once where the parts allow it."""
        values, queries = profile.draw(B, seed), profile.inference.queries()
        weights = question_weights(queries.questions, B, seed) if len(queries.questions) > 1 else None

        def values_of(b: int) -> dict[str, float]:
            return {path: float(v[b]) for path, v in values.items()}

        if not values and weights is None:
            estimate = self.estimate(profile, aggregator, k, parallelism)
            yield from (estimate for _ in range(B))
            return
        # As at the given values, so that all tables have the same rows.
        notes = noted(profile, aggregator, k, parallelism)
        k = k[notes.possible]

        def at(b: int) -> ModelProfile:
            drawn = profile.at(values_of(b))
            return drawn if weights is None else drawn.of(Reweighted(drawn.inference, weights[b]))

        given = MomentCache([aggregator, *profile.costs, *aggregator.costs])

        def one(b: int) -> Estimate:
            drawn = at(b)
            known = self.moments(drawn, aggregator, k, parallelism, given)
            source = MomentSource(partial(self.moments, drawn, aggregator, k, parallelism), known)
            moments = {name: source.of(name) for name in known}
            estimate = self._estimate(drawn, aggregator, k, parallelism, moments)
            had = noted(drawn, aggregator, k, parallelism).possible if notes.bounded else np.ones(len(k), dtype=bool)
            return replace(estimate, possible=had)

        largest = profile.at({path: float(v.max()) for path, v in values.items()}).inference  # a spread may start at 0
        if queries.differ or largest.queries().differ or notes.bounded:
            yield from map(one, range(B))
            return
        # Moments of all draws at once, a few hundred draws at a time so that memory stays bounded.
        chunk = max(1, AT_ONCE // len(k))
        for start in range(0, B, chunk):
            together = min(chunk, B - start)
            drawn = {path: v[start : start + together, None] for path, v in values.items()}
            try:
                at_once = guarded(partial(profile.at, drawn), profile.name)
                source = MomentSource(partial(self.moments, at_once, aggregator, k, parallelism, draws=together))
                known = source.moments
            except MooInferError:  # a part that takes no arrays
                yield from map(one, range(start, start + together))
                continue
            for b in {0, together - 1}:
                alone = self.moments(at(start + b), aggregator, k, parallelism)
                for name, m in known.items():
                    agree(m, b, together, alone[name], f"{name} of {profile.name!r}")
            for b in range(together):
                moments = {name: source.of(name, draw=b) for name in known}
                yield self._estimate(profile, aggregator, k, parallelism, moments, values_of(start + b))


@dataclass(frozen=True)
class MonteCarlo(Estimator):
    """Everything from simulation (the paper's way, eq 7), but one nested draw of (M, K) serves every k.

    >>> MonteCarlo(trials=300, seed=42)
    MonteCarlo(trials=300, seed=42)
    """

    name = "monte-carlo"

    def moments(
        self, profile: ModelProfile, aggregator: AccuracyAggregator, k: IntArray, parallelism: int
    ) -> dict[str, Moments | None]:
        """No exact moments: everything is simulated."""
        queries = profile.inference.queries()
        if queries.samples is not None and queries.samples.graded:
            with suppress(NotExact):  # it may refuse grades, which draws do not tell from right and wrong
                aggregator.exact(queries.query, k)
        objectives = [ACCURACY, *cost_models(profile, aggregator)]
        return {objective.name: None for objective in objectives}


@dataclass(frozen=True, eq=False)
class Simulation:
    """Trials of one curve, simulated when the first of them is asked for; arguments as in `simulate`.

    Args:
        values: numbers that take the place of the profile's, by path: those of a draw; None for its own.
    """

    profile: ModelProfile
    aggregator: AccuracyAggregator
    k: IntArray
    parallelism: int
    trials: int
    seed: int
    objectives: Sequence[str]
    values: Mapping[str, float] | None = None

    @cached_property
    def simulated(self) -> Trials:
        """The trials."""
        profile = self.profile.at(self.values) if self.values else self.profile
        return simulate(profile, self.aggregator, self.k, self.parallelism, self.trials, self.seed, self.objectives)

    def __getitem__(self, objective: str, /) -> FloatArray:
        """Return the (M, n) totals of an objective."""
        return self.simulated[objective]

    def stderr(self, objective: str, /) -> FloatArray:
        """(n,) standard errors of a mean over the questions of a log; NaN without one."""
        return self.simulated.stderr(objective)


def simulate(
    profile: ModelProfile,
    aggregator: AccuracyAggregator,
    k: IntArray,
    parallelism: int,
    trials: int,
    seed: int,
    objectives: Sequence[str],
) -> Trials:
    """Simulate totals (M, n) of the named objectives at the n values of `k`.

    Randomness of the model, of the aggregator and of the column ``noise`` come from separate streams of the same seed,
    so that all aggregators see the same inferences, whatever else is drawn. What is simulated at a k does not depend on
    the other values of `k`, up to 1044: the trials are drawn in the same blocks, and `Streams` give the first columns
    the same numbers whatever K is. Beyond that memory is bounded by smaller blocks.
    """
    K, places = int(k.max()), k - 1
    costs = {o.name: parts for o, parts in cost_models(profile, aggregator).items()}
    if trials * len(k) > MOST_TOTALS or K > MOST_DRAWN:
        raise MooInferError(
            f"{profile.name}: {trials:,} trials at {len(k):,} values of k up to {K:,} are too many to simulate; trials "
            f"times values of k may be {MOST_TOTALS:,}, and k {MOST_DRAWN:,}"
        )
    # Each k in one piece of memory: a sum over trials is then the same to the last bit, however many others there are.
    totals = {name: np.zeros((len(k), trials)).T for name in objectives}
    question: list[IntArray] = []
    most = min(BLOCK, max(1, LARGEST // K))
    for block, start in enumerate(range(0, trials, most)):
        M = min(most, trials - start)
        rng, aggregator_rng, noise_rng = (Streams(seed, (part, block), M) for part in (0, 1, 3))
        draws = with_noise(_sampled(profile, rng, M, K), noise_rng)
        question += [draws["question"][:, 0].copy()] if "question" in draws else []
        for name in objectives:
            if name == ACCURACY.name:
                who = f"aggregator {aggregator.name!r}"
                values = _values(partial(aggregator.aggregate, draws, aggregator_rng), (M, K), who, profile)
                if values.min() < -1e-9 or values.max() > 1 + 1e-9:
                    given = f"{values.min():g} to {values.max():g}"
                    raise MooInferError(f"{who} must give accuracies in [0, 1], got {given}")
                totals[name][start : start + M] = np.clip(values[:, places], 0.0, 1.0)
                continue
            for part in costs[name]:
                who = f"cost model {part.name!r}"
                values = _values(partial(part.total, draws, parallelism=parallelism), (M, K), who, profile)
                totals[name][start : start + M] += values[:, places]
        del draws, values  # before the next block is drawn: one block in memory, not two
    questions = len(profile.inference.queries().questions)
    return Trials(totals, np.concatenate(question) if question else None, questions)


def _sampled(profile: ModelProfile, rng: np.random.Generator, M: int, K: int) -> Draws:
    who = f"inference model {profile.inference.name!r} of {profile.name!r}"
    draws = guarded(partial(profile.inference.sample, rng, M, K), who)
    if not isinstance(draws, Draws):
        raise MooInferError(f"{who} must return Draws, got {type(draws).__name__}")
    if draws.accuracy.shape != (M, K):
        raise MooInferError(f"{who} must return draws of shape (M, K) = {(M, K)}, got {draws.accuracy.shape}")
    if "noise" in draws:
        raise MooInferError(f"{who} must not bring the column 'noise': estimators draw it for every model")
    for name, high in (("tokens_in", np.inf), ("tokens_out", np.inf), ("accuracy", 1.0)):
        if name not in draws:
            continue
        low, most = draws[name].min(), draws[name].max()
        if not (low >= 0 and most <= high and most < np.inf):
            allowed = "in [0, 1]" if high == 1.0 else "finite and >= 0"
            raise MooInferError(f"{who} must draw {name} {allowed}, got {low:g} to {most:g}")
    return draws


def _values(compute: Callable[[], FloatArray], shape: tuple[int, int], who: str, profile: ModelProfile) -> FloatArray:
    try:
        values = guarded(compute, who)
    except MissingColumn as error:
        model = f"inference model {profile.inference.name!r} of {profile.name!r}"
        raise MissingColumn(error.column, error.available, f"{who} from {model}") from None
    return numbers(values, shape, f"{who} must return (M, K)")


def _sum(moments: Sequence[Moments | None]) -> Moments | None:
    """Moments of the sum of parts that read the same draws; None where one is not known."""
    known = [m for m in moments if m is not None]
    return None if len(known) < len(moments) else reduce(add, known)


@dataclass(frozen=True, eq=False)
class Reweighted(InferenceModel):
    """A model that draws from a log, whose questions weigh otherwise: as another log of as many would have it.

    Args:
        model: the model.
        weights: (Q,), shares of its questions.
    """

    name = "reweighted"

    model: InferenceModel
    weights: FloatArray

    def queries(self) -> Queries:
        """The questions with their weights."""
        return self.model.queries().reweighted(self.weights)

    def notes(self) -> Sequence[Note]:
        """What the model has to say."""
        return self.model.notes()

    def sample(self, rng: np.random.Generator, M: int, K: int, /) -> Draws:
        """Draw questions by their weights."""
        samples = self.model.queries().samples
        assert samples is not None
        return draw_samples(samples, self.weights, rng, M, K)
