"""Fixed costs and cold starts: what does not grow with tokens."""

import numpy as np
import pytest

from moo_infer import CostModel, Draws, ModelProfile, MooInferError, Pipeline, Registry, Scenario, Uncertain
from moo_infer.builtin.costs import LinearCost, LinearLatency
from moo_infer.builtin.difficulty import Beta, DifficultyClasses
from moo_infer.builtin.fixed import ColdStart, FixedCost
from moo_infer.builtin.gpus import GpuCost
from moo_infer.builtin.inference import Gaussian
from moo_infer.core.draws import BEFORE
from moo_infer.decide.volume import Volume


def coin(p):
    """A model whose inferences are worth p, with one token each."""
    return Gaussian(0, 0, 1, 0, p, 0)


def test_a_query_is_paid_for_once_and_every_batch_that_is_begun():
    draws = Draws(*np.ones((3, 1, 5)))
    part = FixedCost(per_query=6, per_batch=0.5, batch=2)
    np.testing.assert_allclose(part.total(draws, parallelism=1), [[6.5, 6.5, 7.0, 7.0, 7.5]])


def test_later_calls_for_a_query_find_it_paid_for_and_the_machine_warm():
    draws = Draws(columns={**Draws(*np.ones((3, 1, 2))), BEFORE: np.full((1, 2), 3)})
    assert FixedCost(per_query=6).total(draws, parallelism=1).tolist() == [[0.0, 0.0]]
    assert ColdStart(20).total(draws, parallelism=1).tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("estimator", ["exact", "monte-carlo"])
def test_a_policy_of_several_waves_pays_for_a_query_and_a_cold_start_once(estimator):
    costs = [LinearCost(0, 1), FixedCost(per_query=100), LinearLatency(0, 1), ColdStart(50)]
    model = Beta(a=2, b=1, tokens_in_mean=0, tokens_out_mean=1, wrong_agreement=1.0)
    table = Pipeline("one-call", k=[1], policies="two-then-more:k=5", estimator=estimator).candidates(
        ModelProfile("mine", model, costs)
    )
    (row,) = np.flatnonzero(table.aggregator == "two-then-more")
    course = table.curve(row).course(5)
    assert table.column("cost")[row] == pytest.approx(100 + course.calls[0])
    assert table.column("latency")[row] == pytest.approx(50 + course.calls[0])


@pytest.mark.parametrize("estimator", ["exact", "monte-carlo"])
def test_batches_that_waves_share_are_refused_by_name(estimator):
    model = Beta(a=2, b=1, tokens_in_mean=0, tokens_out_mean=1, wrong_agreement=1.0)
    profile = ModelProfile("mine", model, [FixedCost(per_batch=1, batch=8)])
    with pytest.raises(MooInferError, match="'fixed-cost' of mine: 2 calls and then 3 more take"):
        Pipeline("one-call", k=[1], policies="two-then-more:k=5", estimator=estimator).candidates(profile)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"objective": "money"}, "must be 'cost' or 'compute', got 'money'"),
        ({"per_batch": 1}, "per_batch needs batch"),
        ({"batch": 2}, "batch belongs to per_batch"),
        ({"per_deployment": 1e31}, "per_deployment: must be <= 1e[+]30"),
        ({"per_deployment": -1}, "per_deployment: must be >= 0"),
        ({"per_query": 1e16}, "per_query: must be at most 1e[+]15"),
        ({"reserved_gpu": True}, "reserved_gpu needs"),
        ({"reserved_gpu": True, "per_deployment": 1, "objective": "compute"}, "reserved_gpu needs"),
    ],
)
def test_what_makes_no_fixed_cost_is_refused(fields, why):
    with pytest.raises(MooInferError, match=why):
        Registry().build(CostModel, {"kind": "fixed-cost", **fields}, "here")


def test_a_gpu_is_not_paid_for_twice():
    by_hour = GpuCost(2.5, output_tokens_per_second=900)
    with pytest.raises(MooInferError, match="mine: costs: fixed-cost with reserved_gpu pays for the GPU"):
        ModelProfile("mine", coin(0.5), [FixedCost(per_deployment=20_000, reserved_gpu=True), by_hour])
    ModelProfile("mine", coin(0.5), [FixedCost(per_deployment=20_000), by_hour])  # training, and hours of a GPU


def spread(volume, **more):
    """Two models in a run: one that is trained and cheap, one that is dear."""
    models = [
        ModelProfile("trained", coin(0.5), [LinearCost(0, 0.01), FixedCost(per_deployment=1000)], **more),
        ModelProfile("bought", coin(0.5), [LinearCost(0, 0.03)]),
    ]
    return Pipeline("one-call", "min-cost", k=[1], volume=volume).run(models, Scenario("s", max={"cost": 0.02}))


def test_what_is_paid_once_is_spread_over_the_queries_and_limits_hold_for_that():
    assert spread(None)["min-cost"].cost.mean == pytest.approx(0.01)
    report = spread(100_000)
    assert report["min-cost"].cost.mean == pytest.approx(0.01 + 1000 / 100_000)
    assert report["min-cost"].cost.quantile(0.95) == pytest.approx(0.02)
    assert spread(99_999)["min-cost"].row is None
    figures = report.to_dict()["recommended"][0]["objectives"]["cost"]
    assert figures["per_deployment"] == 1000
    assert figures["per_query"] == pytest.approx(0.01)
    assert report.to_dict()["volume"] == {"queries": 1e5, "low": 1e5, "high": 1e5}
    assert spread(None).to_dict()["volume"] is None


def test_a_report_says_whether_what_is_paid_once_is_in_its_figures():
    assert "Paid once and in no figure: trained 1000 USD of cost; --volume" in spread(None).to_text(width=200)
    assert "Paid once and spread over 1e+06 queries: trained 1000 USD of cost." in spread(1e6).to_text(width=200)
    assert "2e+05 queries, the middle of 1e+05 to 3e+05:" in spread("1e5..3e5").to_text(width=200)


def test_draws_of_the_volume_are_the_same_for_all_models_and_those_of_its_own_cost():
    report = spread("1e5..3e5")
    costs = np.array([table.column("cost") for table in report.redraw(50, 3)])
    rows = {model: i for i, model in enumerate(report.candidates.model)}
    np.testing.assert_allclose(costs[:, rows["trained"]], 0.01 + 1000 / Volume(1e5, 3e5).draw(50, 3))
    np.testing.assert_allclose(costs[:, rows["bought"]], 0.03)
    uncertain = spread(1e5, uncertain={"costs[1].per_deployment": Uncertain(low=0.0, high=2000.0)})
    costs = np.array([table.column("cost") for table in uncertain.redraw(50, 3)])[:, rows["trained"]]
    assert costs.min() < 0.012
    assert costs.max() > 0.028


def test_a_policy_pays_once_for_all_its_models_whether_they_are_called_or_not():
    profiles = [
        ModelProfile(
            "small", DifficultyClasses(shares=(1.0,), p=(0.6,)), [LinearCost(0, 0), FixedCost(per_deployment=10)]
        ),
        ModelProfile(
            "large", DifficultyClasses(shares=(1.0,), p=(0.7,)), [LinearCost(0, 0), FixedCost(per_deployment=500)]
        ),
    ]
    policy = "cascade:first={model: small, k: 2},then={model: large}"
    table = Pipeline("one-call", k=[1], policies=policy, volume=100).candidates(profiles)
    (row,) = np.flatnonzero(table.aggregator == "cascade")
    assert table.column("cost")[row] == pytest.approx(5.1)


def test_a_mixture_takes_no_volume_where_something_is_paid_once():
    profile = ModelProfile("mine", coin(0.5), [FixedCost(per_deployment=10)])
    with pytest.raises(MooInferError, match="goal mixture takes no volume"):
        Pipeline("one-call", goal="mixture", k=[1], volume=10).run(profile)


@pytest.mark.parametrize(
    "given", [0, -1, float("nan"), float("inf"), True, "many", "5..1", "1..", "..", "", 1e19, "1,5"]
)
def test_a_volume_is_a_number_of_queries_or_a_range(given):
    with pytest.raises(MooInferError, match="volume: "):
        Volume.of(given)


@pytest.mark.parametrize(
    ("budget", "a", "b"), [(10, 10, 8), (11.5, 11, 11), (12, 12, 12), (12.5, 12, 13), (20, 20, 28), (5.9, 5, None)]
)
def test_whole_samples_are_bought_of_what_fixed_costs_leave(budget, a, b):
    """A takes 1 a sample, B 6 a query and 0.5 a sample; an answer is right once in ten."""
    each = [("A", 1.0, 0.0), ("B", 0.5, 6.0)]
    tenth = DifficultyClasses(shares=(1.0,), p=(0.1,), tokens_in_mean=0, tokens_out_mean=1)
    models = [ModelProfile(name, tenth, [LinearCost(0, usd), FixedCost(per_query=once)]) for name, usd, once in each]
    report = Pipeline("coverage", "max-accuracy", k=range(1, 41)).run(models, Scenario("s", max={"cost": budget}))
    choices = {model: report[model, "max-accuracy"] for model in "AB"}
    assert [choices[model].k for model in "AB"] == [a, b]
    for model, k in zip("AB", (a, b), strict=True):
        if k:
            assert choices[model].accuracy.mean == pytest.approx(1 - 0.9**k, rel=1e-6)


@pytest.mark.parametrize(("budget", "once", "usd"), [(1.0, 0.0, 0.1), (1.0, 0.3, 0.07)])
def test_rounding_takes_no_sample_away(budget, once, usd):
    model = ModelProfile("mine", coin(0.5), [LinearCost(0, usd), FixedCost(per_query=once)])
    table = Pipeline("best-of-k", k=range(1, 21)).candidates(model)
    assert max(table.feasible(Scenario("s", max={"cost": budget}).limits).k) == 10
