"""A pipeline whose curves and draws others compute: every figure is that of one process, to the last bit."""

import pickle
import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from typing import Any

import chores
import numpy as np
import pytest

from moo_infer import (
    COST,
    CostModel,
    Exact,
    ModelProfile,
    MonteCarlo,
    MooInferError,
    Pipeline,
    Samples,
    Scenario,
    Stage,
    Uncertain,
    Workflow,
)
from moo_infer.builtin.costs import LinearCost, LinearLatency
from moo_infer.builtin.difficulty import DifficultyClasses
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.builtin.inference import Gaussian
from moo_infer.builtin.latencies import SlowestOfK
from moo_infer.core.process_pool import ProcessPool

LIMITS = Scenario("mine", max={"latency": {"p95": 40.0, "mean": 30.0}, "cost": 0.5}, min={"accuracy": 0.3})
DRAWS = 66  # more than one task
TRIALS = 1500  # where sums are simulated: more than one block
SLOTS = LoggedLatency("slots")


def logged(model, seed, latency=SLOTS, Q=8, n=4):
    rng = np.random.default_rng(seed)
    question = np.repeat(np.arange(Q), n)
    right = rng.random(Q * n) < np.linspace(0.1, 0.9, Q)[question]
    columns = {"answer": np.where(right, 0, rng.integers(1, 4, Q * n)), "cost_usd": 0.01 * (1 + rng.random(Q * n))}
    columns |= {"latency_s": rng.lognormal(1.0, 0.6, Q * n)}
    samples = Samples(model, [f"q{i}" for i in range(Q)], question, right * 1.0, columns)
    return ModelProfile(model, Empirical(samples), (LoggedCost(), latency), parallelism=2)


def fitted(model, **uncertain):
    inference = DifficultyClasses(
        shares=(0.5, 0.5), p=(0.9, 0.2), tokens_in_mean=150, tokens_in_cv=0.4, tokens_out_mean=900,
        tokens_out_cv_between=0.7, tokens_out_cv_within=0.4,
    )  # fmt: skip
    given = {path.replace("__", "."): Uncertain(se=se) for path, se in uncertain.items()}
    costs = (LinearCost(1e-6, 4e-6), SlowestOfK(2e-4, 0.0077, 0.49))
    return ModelProfile(model, inference, costs, parallelism=4, uncertain=given)


def plain(model, std=100):
    costs = (LinearCost(1e-6, 4e-6), LinearLatency(1e-4, 1e-2))
    uncertain = {"inference.accuracy_mean": Uncertain(se=0.01)}
    return ModelProfile(model, Gaussian(1000, 50, 500, std, 0.8, 0.1), costs, parallelism=2, uncertain=uncertain)


LOGS = [logged("small", 0), logged("large", 1)]
PARALLEL = [logged("small", 0, LoggedLatency())]
STAGES = [
    Stage("plan", LOGS[0], ["fixed:k=1", "fixed:k=3"]),
    Stage("code", LOGS[1], ["fixed:k=1", "fixed:k=2"], ["plan"]),
]
RUNS: dict[str, tuple[list[ModelProfile], dict[str, Any]]] = {
    "logs": (LOGS, {"confidence": 0.3, "policies": ["two-then-more:k=4", "vote-until-decided:k=4"]}),
    "logs, the same questions again": (PARALLEL, {"questions": "same"}),
    "laws that are mixed": ([fitted("fitted", inference__tokens_out_mean=40.0)], {}),
    "numbers that are uncertain": ([plain("one"), plain("two", 50)], {}),  # p95 of sums: simulated, and exact
    "a policy by laws": ([plain("one")], {"policies": ["fixed:k=1,aggregator=best-of-k"], "k": [1]}),
    "simulated": ([plain("one")], {"estimator": MonteCarlo(200)}),
    "workflows": (LOGS, {"workflows": {"agent": Workflow(STAGES)}}),
}


def pipeline(name, executor):
    models, options = RUNS[name]
    given = {
        "k": [1, 2, 4],
        "draws": 9,
        "estimator": Exact(TRIALS),
        "scenarios": {"mine": LIMITS},
        "models": {m.name: m for m in models},
    }
    return Pipeline(**given | options, executor=executor)


def told(name, executor):
    """Everything that is said of a run."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        report = pipeline(name, executor).run().with_stability(DRAWS)
        return report.to_json(), str(report.stable), {str(warning.message) for warning in caught}


alone = cache(lambda name: told(name, None))


@pytest.fixture(scope="module")
def pool():
    with ProcessPool.of_size(2) as made:
        yield made


@pytest.mark.parametrize("name", RUNS)
def test_processes_give_what_one_gives(name, pool):
    assert told(name, pool) == alone(name)


@pytest.mark.parametrize("name", ["logs", "workflows", "laws that are mixed"])
def test_in_any_order(name):
    assert told(name, chores.Shuffled(3)) == alone(name)


@pytest.mark.parametrize("name", ["logs, the same questions again", "numbers that are uncertain"])
def test_threads_and_one_process_of_an_executor_of_ones_own(name):
    with ThreadPoolExecutor(3) as threads:
        assert told(name, threads) == alone(name)
    with ProcessPoolExecutor(1, get_context("spawn")) as one:
        assert told(name, one) == alone(name)


def test_what_a_workflow_does_within_limits_is_the_same(pool):
    def allocated(executor):
        found = pipeline("workflows", executor).allocate({"latency": 12.0})
        return found.course, found.objectives, found.allocation

    assert str(allocated(pool)) == str(allocated(None))


def test_a_report_of_others_is_kept_without_them(pool):
    report = pipeline("numbers that are uncertain", pool).run()
    assert str(pickle.loads(pickle.dumps(report)).stability(DRAWS)) == alone("numbers that are uncertain")[1]


@dataclass(frozen=True)
class Odd(CostModel):
    """Money by a rule that does not pickle."""

    rule: Any
    name = "odd-cost"
    objective = COST

    def total(self, draws, /, *, parallelism):
        return self.rule(np.cumsum(draws.tokens_out, axis=1))


def test_a_part_that_does_not_pickle_is_named(pool):
    mine = plain("one")
    odd = replace(mine, costs=(Odd(lambda tokens: 1e-6 * tokens), mine.costs[1]), uncertain={})
    with pytest.raises(MooInferError, match=r"^'odd-cost' cannot be sent to another process, as it does not pickle: "):
        Pipeline(models={"one": odd}, k=[1, 2], executor=pool).run()
    assert len(Pipeline(models={"one": odd}, k=[1, 2]).candidates())
