"""Cost models and aggregators of the packages beside this one, in policies, without a change."""

import numpy as np
import pytest

from moo_infer import ModelProfile, Pipeline, Registry, Samples
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency

energy = pytest.importorskip("moo_infer_energy")
verifier = pytest.importorskip("moo_infer_verifier")


def samples():
    rng = np.random.default_rng(0)
    right = rng.random(60) < 0.6
    columns = {name: rng.random(60) for name in ("latency_s", "cost_usd")}
    columns |= {name: rng.integers(100, 900, 60).astype(float) for name in ("input_tokens", "output_tokens")}
    questions = [f"q{i}" for i in range(10)]
    return Samples("m", questions, np.repeat(np.arange(10), 6), right * 1.0, columns | {"answer": 1 - right})


TOKENS = energy.TokenEnergy(0.1, 0.4)
BATCH = energy.BatchEnergy(joules_per_output_token=0.07, joules_per_decode_step=3)
COSTS = (LoggedCost(), LoggedLatency())
JUDGE = "verifier:tpr=0.9,fpr=0.1,usd_per_input_token=1e-6"


def table(joules, policy):
    models = {name: ModelProfile(name, Empirical(samples()), (*COSTS, part)) for name, part in joules.items()}
    registry = Registry(energy, verifier, entry_points=False)
    return Pipeline(JUDGE, k=[1, 4], models=models, policies=policy, registry=registry).candidates()


@pytest.mark.parametrize("joules", [TOKENS, BATCH], ids=["tokens", "batch"])
def test_joules_and_a_verifier_are_in_a_policy_what_they_are_in_static_rows(joules):
    rows = table({"m": joules}, f'fixed:aggregator="{JUDGE}"')
    fixed, static = (rows.where(aggregator=name) for name in ("fixed", "verifier"))
    for objective in ("accuracy", "cost", "latency", "energy"):
        each = [np.nan_to_num(of.column(objective, "stderr_simulation")) for of in (fixed, static)]
        apart = np.abs(fixed.column(objective) - static.column(objective))
        assert (apart <= 4 * np.hypot(*each) + 1e-12).all(), objective


def test_joules_of_a_batch_are_no_sum_of_waves_and_those_of_tokens_are():
    reason = "left out: policy 'two-then-more': 'batch-energy' of batch: 2 calls and then 2 more take .* J, all at once"
    with pytest.warns(UserWarning, match=reason):
        rows = table({"batch": BATCH, "tokens": TOKENS}, "two-then-more:k=4")
    assert rows.where(aggregator="two-then-more").models == ("tokens",)
