"""Simulation: trials of a curve, and the estimators that need them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import ClassVar

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.draws import Draws
from ..core.errors import MissingColumn, MooInferError, NotExact
from ..core.moments import Moments
from ..core.noise import with_noise
from ..core.parts import at_least_one
from ..core.streams import Streams
from ..interfaces import AccuracyAggregator
from ..profiles import ModelProfile
from ..quantities.by_samples import draw_samples
from .calls import guarded, numbers
from .curves import Column, Curve, MomentSource, Trials
from .same_questions import SameQuestions
from .setup import Part, Setup, part_name

__all__ = ["Estimator", "MonteCarlo", "sampled", "simulate"]


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
        if isinstance(self.seed, bool | np.ndarray) or not hasattr(self.seed, "__index__") or self.seed < 0:
            raise MooInferError(f"seed: must be a whole number >= 0, got {self.seed!r}")
        object.__setattr__(self, "seed", int(self.seed))

    @abstractmethod
    def moments(self, setup: Setup, /) -> dict[str, Moments | None]:
        """Return what is taken as known of every objective, without simulation."""

    def estimate(self, profile: ModelProfile, aggregator: AccuracyAggregator, k: IntArray, parallelism: int) -> Curve:
        """Estimate one curve; arguments as in `Setup`.

        Raises:
            NothingPossible: where the notes of the parts exclude all numbers of inferences.
        """
        return self.curve(Setup(profile, aggregator, k, parallelism))

    def curve(self, setup: Setup, /) -> Curve:
        """Estimate one curve, at the k that can be had; see `estimate`."""
        possible = setup.possible()
        curve = self._curve(possible, MomentSource(partial(self.moments, possible)))
        return replace(curve, remarks=setup.notes.texts, supported=setup.profile.largest_k)

    def _curve(
        self, setup: Setup, source: MomentSource, values: Mapping[str, float] | None = None, draw: int | None = None
    ) -> Curve:
        """The curve of moments; `values` are numbers of a draw, which is that row of the moments."""
        moments = {name: source.of(name, draw) for name in source.moments}
        missing = tuple(name for name, m in moments.items() if m is None or m.std is None or m.quantile is None)
        simulation = Simulation(setup, self.trials, self.seed, missing, values or {})
        again = None if setup.queries.samples is None else SameQuestions(setup, self.moments)
        columns = {name: Column(m, simulation, name, again) for name, m in moments.items()}
        return Curve(setup.profile.name, setup.aggregator.name, setup.parallelism, setup.k, columns)


@dataclass(frozen=True)
class MonteCarlo(Estimator):
    """Everything from simulation (the paper's way, eq 7), but one nested draw of (M, K) serves every k.

    >>> MonteCarlo(trials=300, seed=42)
    MonteCarlo(trials=300, seed=42)
    """

    name = "monte-carlo"

    def moments(self, setup: Setup, /) -> dict[str, Moments | None]:
        """No exact moments: everything is simulated."""
        queries = setup.queries
        if queries.samples is not None and queries.samples.graded:
            with suppress(NotExact):  # it may refuse grades, which draws do not tell from right and wrong
                setup.exact(setup.aggregator, queries.query)
        return {objective.name: None for objective in (*setup.worths, *setup.costs)}


@dataclass(frozen=True, eq=False)
class Simulation:
    """Trials of one curve, simulated when the first of them is asked for; arguments as in `simulate`.

    Args:
        values: numbers that take the place of the profile's, by path: those of a draw.
    """

    setup: Setup
    trials: int
    seed: int
    objectives: Sequence[str]
    values: Mapping[str, float]

    @cached_property
    def simulated(self) -> Trials:
        """The trials."""
        return simulate(self.setup.with_values(self.values), self.trials, self.seed, self.objectives)

    def __getitem__(self, objective: str, /) -> FloatArray:
        """Return the (M, n) totals of an objective, also of one whose quantiles turn out not to be known."""
        if objective in self.objectives:
            return self.simulated[objective]
        return simulate(self.setup.with_values(self.values), self.trials, self.seed, [objective])[objective]

    def stderr(self, objective: str, /) -> FloatArray:
        """(n,) standard errors of a mean over the questions of a log; NaN without one."""
        return self.simulated.stderr(objective)


def simulate(setup: Setup, trials: int, seed: int, objectives: Sequence[str], asked: IntArray | None = None) -> Trials:
    """Simulate totals (M, n) of the named objectives at the n values of k.

    Randomness of the model, of the aggregator and of the column ``noise`` come from separate streams of the same seed,
    so that all aggregators see the same inferences, whatever else is drawn. What is simulated at a k does not depend on
    the other values of k, up to 1044: the trials are drawn in the same blocks, and `Streams` give the first columns
    the same numbers whatever K is. Beyond that memory is bounded by smaller blocks.

    Where `asked` (trials,) says which question of a log each trial is about, the trials are others, from streams of
    their own.
    """
    k, K = setup.k, int(setup.k.max())
    if trials * len(k) > MOST_TOTALS or K > MOST_DRAWN:
        raise MooInferError(
            f"{setup.profile.name}: {trials:,} trials at {len(k):,} values of k up to {K:,} are too many to simulate; "
            f"trials times values of k may be {MOST_TOTALS:,}, and k {MOST_DRAWN:,}"
        )
    costs = {objective.name: parts for objective, parts in setup.costs.items()}
    worths = {objective.name: part for objective, part in setup.worths.items()}
    # Each k in one piece of memory: a sum over trials is then the same to the last bit, however many others there are.
    totals = {name: np.zeros((len(k), trials)).T for name in objectives}
    question: list[IntArray] = []
    most = min(BLOCK, max(1, LARGEST // K))
    for block, start in enumerate(range(0, trials, most)):
        M = min(most, trials - start)
        streams = (0, 1, 3) if asked is None else (6, 7, 8)
        rng, aggregator_rng, noise_rng = (Streams(seed, (part, block), M) for part in streams)
        about = None if asked is None else asked[start : start + M]
        draws = with_noise(sampled(setup, rng, M, K, about), noise_rng)
        question += [draws["question"][:, 0].copy()] if "question" in draws else []
        for name in objectives:
            if name in worths:
                own = _shares(setup, worths[name], partial(worths[name].aggregate, draws, aggregator_rng), M)
                totals[name][start : start + M] = _with_pseudo_questions(
                    own, setup.queries.pseudo_of(name), seed, block
                )
                continue
            for part in costs[name]:
                total = partial(part.total, draws, parallelism=setup.parallelism)
                totals[name][start : start + M] += _at_each_k(setup, part, total, M)
        del draws  # before the next block is drawn: one block in memory, not two
    return Trials(totals, np.concatenate(question) if question else None, len(setup.queries.questions))


def sampled(setup: Setup, rng: np.random.Generator, M: int, K: int, asked: IntArray | None = None) -> Draws:
    """Draw M trials of K inferences, checked; `asked` says which question of a log each is about."""
    name, samples = setup.model_name, setup.queries.samples
    if samples is not None and asked is not None:
        draws = draw_samples(samples, setup.queries.weights, rng, M, K, asked)
    else:
        draws = guarded(partial(setup.profile.inference.sample, rng, M, K), name)
    if not isinstance(draws, Draws):
        raise MooInferError(f"{name} must return Draws, got {type(draws).__name__}")
    if "accuracy" not in draws:
        raise MooInferError(f"{name} must draw accuracy, (M, K) numbers in [0, 1]; columns: {', '.join(draws)}")
    if draws.shape != (M, K):
        raise MooInferError(f"{name} must return draws of shape (M, K) = {(M, K)}, got {draws.shape}")
    if "noise" in draws:
        raise MooInferError(f"{name} must not bring the column 'noise': estimators draw it for every model")
    for column, high in (("tokens_in", np.inf), ("tokens_out", np.inf), ("accuracy", 1.0)):
        if column not in draws:
            continue
        low, most = draws[column].min(), draws[column].max()
        if not (low >= 0 and most <= high and most < np.inf):
            allowed = "in [0, 1]" if high == 1.0 else "finite and >= 0"
            raise MooInferError(f"{name} must draw {column} {allowed}, got {low:g} to {most:g}")
    return draws


def _shares(setup: Setup, part: AccuracyAggregator, compute: Callable[[], FloatArray], M: int) -> FloatArray:
    """What answers are worth by the draws, at the values of k (M, n)."""
    values = _at_each_k(setup, part, compute, M)
    low, high = float(values.min()), float(values.max())
    if low < -1e-9 or high > 1 + 1e-9:
        raise MooInferError(f"{part_name(part)} must give accuracies in [0, 1], got {low:g} to {high:g}")
    return np.clip(values, 0.0, 1.0)


def _with_pseudo_questions(accuracies: FloatArray, pseudo: tuple[float, float], seed: int, block: int) -> FloatArray:
    """Let some of the trials (M, n) be about a pseudo-question, at which all is wrong or right; see `QuestionDraws`."""
    low, high = pseudo
    if low or high:
        # Of a stream of its own: the same trials of all models.
        u = np.random.default_rng([seed, 4, block]).random(len(accuracies)) * (1 + low + high)
        accuracies[u < low] = 0.0
        accuracies[u > 1 + low] = 1.0
    return accuracies


def _at_each_k(setup: Setup, part: Part, compute: Callable[[], FloatArray], M: int) -> FloatArray:
    """What a part makes of draws (M, K), checked, at the values of k (M, n)."""
    try:
        values = guarded(compute, part_name(part))
    except MissingColumn as error:
        raise MissingColumn(error.column, error.available, f"{part_name(part)} from {setup.model_name}") from None
    return numbers(values, (M, int(setup.k.max())), f"{part_name(part)} must return (M, K)")[:, setup.k - 1]
