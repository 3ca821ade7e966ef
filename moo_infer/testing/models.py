"""Inference models that parts are tried on, and draws of them."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from ..builtin.difficulty import DifficultyClasses
from ..builtin.empirical import Empirical
from ..builtin.inference import Gaussian
from ..builtin.lengths import LognormalLengths
from ..core.draws import Draws
from ..core.errors import MissingColumn, NothingPossible
from ..core.noise import with_noise
from ..core.streams import Streams
from ..interfaces import InferenceModel
from ..quantities.queries import Note, Queries
from ..quantities.samples import Samples

__all__ = [
    "MODELS",
    "DrawnOnce",
    "aggregator_rng",
    "assert_some_model",
    "draws_of",
    "first_inferences",
    "label",
    "no_global_randomness",
    "sampled",
    "skipped_without_columns",
    "unchanged",
]

SHAPES = ((1, 1), (5, 1), (1, 2), (3, 3), (1, 6), (5, 6))  # of draws: (M, K)


def _log(seed: int, solved: Sequence[float], samples: Sequence[int]) -> Samples:
    """Questions that are solved so often, with so many samples and every column; answer 0 is the right one."""
    rng = np.random.default_rng(seed)
    Q, N = len(samples), sum(samples)
    given = [rng.choice(4, n, p=[p, *np.full(3, (1 - p) / 3)]) for p, n in zip(solved, samples, strict=True)]
    answer = np.concatenate(given)
    columns = {
        "answer": answer,
        "score": rng.normal(size=N) + (answer == 0),
        "input_tokens": np.repeat(rng.integers(50, 500, Q), samples),
        "output_tokens": rng.integers(50, 500, N),
        "latency_s": rng.gamma(2.0, 3.0, N),
        "cost_usd": rng.gamma(2.0, 0.01, N),
        "energy_j": rng.gamma(2.0, 50.0, N),
    }
    question = np.repeat(np.arange(Q), samples)
    return Samples("log", [f"q{i}" for i in range(Q)], question, (answer == 0) * 1.0, columns)


def _log_with_gaps() -> Samples:
    """A log as they are: some answers are blank (a few of these judged right), some scores missing, a sample failed."""
    log = _log(1, (0.95, 0.7, 0.5, 0.4, 0.2, 0.05), (24, 18, 30, 20, 17, 22))  # at least 16, the largest k tried
    lost = np.random.default_rng(2).random((2, len(log)))
    correct = log.correct.copy()
    correct[60] = np.nan  # of the question with 30
    gaps = {
        "answer": np.where(lost[0] < 0.15, -1, log["answer"]),
        "score": np.where(lost[1] < 0.25, np.nan, log["score"] - 0.5),
    }
    return Samples(log.model, log.questions, log.question, correct, {**log.columns, **gaps})


MODELS: Mapping[str, InferenceModel] = {
    "gaussian": Gaussian(1024, 64, 2048, 128, 0.94, 0.02),
    "lognormal": LognormalLengths(
        tokens_in_mean=500,
        tokens_in_cv=0.4,
        tokens_out_mean=900,
        tokens_out_cv_between=0.5,
        tokens_out_cv_within=0.3,
        max_tokens=2500,
        accuracy_mean=0.8,
        accuracy_std=0.1,
    ),
    "difficulty classes": DifficultyClasses(  # with lengths of a long tail, of which a quadrature may lose sight
        shares=(0.5, 0.3, 0.2), p=(0.9, 0.55, 0.1), tokens_in_mean=300, tokens_out_mean=90, tokens_out_cv_within=1.5
    ),
    "a log": Empirical(_log(0, (0.9, 0.7, 0.5, 0.3, 0.05), (24,) * 5)),
    "a log with gaps": Empirical(_log_with_gaps()),
}


def label(model: InferenceModel) -> str:
    """What a model is called in reasons and messages."""
    return next((name for name, known in MODELS.items() if known is model), f"{model!r:.100}")


def first_inferences(draws: Draws, k: int) -> Draws:
    """Return the draws of the first k inferences."""
    return Draws(columns={name: column[:, :k] for name, column in draws.items()})


@dataclass(frozen=True, eq=False)
class DrawnOnce(InferenceModel):
    """A model that draws once from the streams of an estimator: all parts are tried on the same draws, copies of them.

    Args:
        model: what draws.
    """

    name = "drawn-once"

    model: InferenceModel

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DrawnOnce) and self.model is other.model

    def __hash__(self) -> int:
        return id(self.model)

    def queries(self) -> Queries:
        """Return the queries of the model."""
        return self.model.queries()

    def notes(self) -> Sequence[Note]:
        """Return what the model has to say."""
        return self.model.notes()

    def sample(self, rng: np.random.Generator, M: int, K: int, /) -> Draws:
        """Return what the model draws from streams of which nothing was drawn."""
        seeded: Any = rng.bit_generator.seed_seq
        drawn = _drawn(self, seeded.entropy, seeded.spawn_key, M, K)
        return Draws(columns={name: column.copy("K") for name, column in drawn.items()})


@lru_cache(maxsize=256)  # 16 blocks of trials for each of the models of a contract, a quarter of a megabyte each
def _drawn(of: DrawnOnce, seed: int, key: tuple[int, ...], M: int, K: int) -> Draws:
    return of.model.sample(Streams(seed, key, M), M, K)


def sampled(model: InferenceModel, seed: int, M: int, K: int) -> Draws:
    """Draws as estimators make them, with what they add to them."""
    return with_noise(DrawnOnce(model).sample(Streams(seed, (0,), M), M, K), Streams(seed, (3,), M))


def aggregator_rng(draws: Draws, seed: int) -> np.random.Generator:
    """The generator that an aggregator gets from estimators."""
    return Streams(seed, (1,), len(draws.accuracy))


def draws_of(model: InferenceModel) -> Iterator[Draws]:
    """Draws of every shape, then such in which all inferences are equal."""
    for M, K in SHAPES:
        yield sampled(model, 0, M, K)
    draws = sampled(model, 0, 4, 5)
    for accuracy in (0.0, 0.5, 1.0):
        same = {name: np.repeat(column[:, :1], 5, axis=1) for name, column in draws.items()}
        yield Draws(accuracy=np.full((4, 5), accuracy), columns=same)


@contextmanager
def unchanged(draws: Draws) -> Iterator[None]:
    """Assert that nobody changes the draws meanwhile."""
    before = {name: column.copy() for name, column in draws.items()}
    yield
    for name, values in before.items():
        np.testing.assert_array_equal(
            draws[name], values, err_msg=f"draws are shared by all parts: {name} was modified"
        )


@contextmanager
def no_global_randomness() -> Iterator[None]:
    """Assert that nobody uses NumPy's or Python's global generators meanwhile."""
    before = _global_randomness()
    yield
    assert _global_randomness() == before, "all randomness comes from the generator given, not from a global one"


def _global_randomness() -> object:
    state = np.random.get_state()  # noqa: NPY002  # looked at
    return [np.asarray(part).tolist() for part in state], random.getstate()


@contextmanager
def skipped_without_columns(model: InferenceModel) -> Iterator[None]:
    """Skip the test where a part needs a column that the model does not have: raising MissingColumn is right then."""
    try:
        yield
    except (MissingColumn, NothingPossible) as error:
        pytest.skip(f"{label(model)}: {error}")


def assert_some_model(ask: Callable[[Draws], object]) -> None:
    """Assert that one of `MODELS` at least brings what a part needs."""
    reasons = []
    for name, model in MODELS.items():
        try:
            ask(sampled(model, 0, 3, 2))
        except (MissingColumn, NothingPossible) as error:
            reasons.append(f"{name}: {error}")
    advice = "no test asks the part for a figure; give the fixture 'model' an inference model that brings what it needs"
    assert len(reasons) < len(MODELS), f"{advice} ({'; '.join(reasons)})"
