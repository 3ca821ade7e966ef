import numpy as np
import pytest

from moo_infer import ModelProfile, Registry, Samples
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.difficulty import DifficultyClasses
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.builtin.latencies import Slots


def certain(name, p, usd, seconds, slots):
    """A model whose calls are right with the chance p, cost so much and take so long, so many at a time."""
    costs = (LinearCost(0.0, usd), Slots(0.0, seconds))
    return ModelProfile(name, DifficultyClasses(shares=(1.0,), p=(p,), tokens_out_mean=1.0), costs, parallelism=slots)


def logged(name, right, seed, questions=None):
    """A model whose samples of each question are right or not, rows of them; seconds and money are drawn."""
    rng = np.random.default_rng(seed)
    right = np.asarray(right, dtype=np.float64)
    Q, n = right.shape
    names = questions or [f"q{i}" for i in range(Q)]
    columns = {
        "answer": np.where(right.ravel() == 1, 0, rng.integers(1, 4, Q * n)),
        "latency_s": rng.gamma(4.0, 1.0, Q * n),
        "cost_usd": rng.random(Q * n),
    }
    samples = Samples(name, names, np.repeat(np.arange(Q), n), right.ravel(), columns)
    return ModelProfile(name, Empirical(samples), (LoggedCost(), LoggedLatency()), parallelism=n)


@pytest.fixture(scope="session")
def registry():
    return Registry(entry_points=False)


@pytest.fixture(scope="session")
def agent_models():
    """The models of the issue's agent: its plan, its code in waves of four, its review."""
    planner, coder = certain("planner", 0.7, 0.002, 4.0, 99), certain("coder", 0.4, 0.01, 10.0, 4)
    return {"planner": planner, "coder": coder, "reviewer": certain("reviewer", 0.8, 0.001, 2.0, 99)}
