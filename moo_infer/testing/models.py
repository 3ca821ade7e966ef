"""Inference models that parts are tried on, and draws of them."""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

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
from ..quantities.samples import Samples

__all__ = [
    "MODELS",
    "aggregator_rng",
    "draws_of",
    "first_inferences",
    "global_randomness",
    "sampled",
    "skipped_without_columns",
    "unchanged",
]

SHAPES = ((1, 1), (5, 1), (1, 2), (3, 3), (1, 6), (5, 6))  # of draws: (M, K)


def _log() -> Samples:
    """Five questions with 24 samples each and every column; answer 0 is the right one."""
    rng = np.random.default_rng(0)
    answer = np.concatenate([rng.choice(4, 24, p=[p, *np.full(3, (1 - p) / 3)]) for p in (0.9, 0.7, 0.5, 0.3, 0.05)])
    columns = {
        "answer": answer,
        "score": rng.normal(size=120) + (answer == 0),
        "input_tokens": np.repeat(rng.integers(50, 500, 5), 24),
        "output_tokens": rng.integers(50, 500, 120),
        "latency_s": rng.gamma(2.0, 3.0, 120),
        "cost_usd": rng.gamma(2.0, 0.01, 120),
        "energy_j": rng.gamma(2.0, 50.0, 120),
    }
    return Samples("log", [f"q{i}" for i in range(5)], np.repeat(np.arange(5), 24), (answer == 0) * 1.0, columns)


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
    "difficulty classes": DifficultyClasses(
        shares=(0.5, 0.3, 0.2), p=(0.9, 0.55, 0.1), tokens_in_mean=300, tokens_out_mean=90, tokens_out_cv_within=0.4
    ),
    "a log": Empirical(_log()),
}


def first_inferences(draws: Draws, k: int) -> Draws:
    """Return the draws of the first k inferences."""
    return Draws(columns={name: column[:, :k] for name, column in draws.items()})


def sampled(model: InferenceModel, seed: int, M: int, K: int) -> Draws:
    """Draws as estimators make them, with what they add to them."""
    return with_noise(model.sample(Streams(seed, (0,), M), M, K), Streams(seed, (3,), M))


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
        np.testing.assert_array_equal(draws[name], values, err_msg=f"{name} was modified")


def global_randomness() -> object:
    """The state of NumPy's and Python's global generators, which no part may use."""
    state = np.random.get_state()  # noqa: NPY002  # looked at
    return [np.asarray(part).tolist() for part in state], random.getstate()


@contextmanager
def skipped_without_columns() -> Iterator[None]:
    """Skip the test where a part needs a column that the model does not have: raising MissingColumn is right then."""
    try:
        yield
    except (MissingColumn, NothingPossible) as error:
        pytest.skip(str(error))
