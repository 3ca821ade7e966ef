"""A fourth objective is a fourth cost model, and nothing else changes."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from moo_infer import (
    CostModel,
    Moments,
    MonteCarlo,
    MooInferError,
    Objective,
    Pipeline,
    Registry,
    Scenario,
    Selector,
    builtin_models,
)


@dataclass(frozen=True)
class FlatEnergy(CostModel):
    name = "flat-energy"
    objective = Objective("energy", unit="J")
    joules: float = 100.0

    def total(self, draws, /, *, parallelism):
        return np.cumsum(np.full(draws.accuracy.shape, self.joules), axis=1)

    def exact(self, model, k, /, *, parallelism):
        return Moments(k * self.joules, 0.0 * k, lambda q: k * self.joules)


@pytest.fixture(scope="module")
def models():
    return {name: replace(p, costs=(*p.costs, FlatEnergy())) for name, p in builtin_models().items()}


@pytest.mark.parametrize("estimator", ["exact", MonteCarlo(200)])
def test_every_selector_reads_four_columns(models, estimator):
    every = Registry().names(Selector)
    report = Pipeline(selectors=every, estimator=estimator, models=models).run()
    assert [o.name for o in report.candidates.objectives] == ["accuracy", "cost", "latency", "energy"]
    for choice in report.rows:
        if choice.k:
            assert choice.energy.mean == 100.0 * choice.k
    assert "energy 400 J" in report.to_text()
    energy = report.to_dict()["rows"][0]["objectives"]["energy"]
    assert (energy["stderr"], energy["stderr_simulation"]) == (None, None if estimator == "exact" else 0.0)


def test_a_limit_on_it_limits(models):
    report = Pipeline(selectors="max-accuracy", models=models).run("gpt-5", Scenario("s", {"energy": 1250}))
    assert report["max-accuracy"].k == 12
    assert "energy <= 1250 J" in report.to_text()


def test_it_moves_the_losses_of_every_selector_that_weighs(models):
    tight = Scenario("s", {"cost": 1, "latency": 600, "energy": 900})
    loose = Scenario("s", {"cost": 1, "latency": 600, "energy": 90_000})
    pipeline = Pipeline(selectors=["utopia", "max-cube"], models=models)
    before, after = (pipeline.run("gpt-5-nano", s) for s in (loose, tight))
    for name in ("utopia", "max-cube"):
        assert after[name].k < before[name].k


def test_candidates_must_share_their_objectives(models):
    mixed = [models["gpt-5"], builtin_models()["qwen3-max"]]
    with pytest.raises(MooInferError, match="qwen3-max with best-of-k has no cost model for energy, which gpt-5"):
        Pipeline().run(mixed)


def test_a_limit_without_a_column_is_refused():
    with pytest.raises(MooInferError, match="scenario 's': unknown objective 'energy'; available: accuracy, cost"):
        Pipeline().run("gpt-5", Scenario("s", {"energy": 1}))
