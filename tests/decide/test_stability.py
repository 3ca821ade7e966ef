"""How sure an answer is."""

import json
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
import pytest

from moo_infer import (
    CostModel,
    Exact,
    ModelProfile,
    MonteCarlo,
    MooInferError,
    Objective,
    Pipeline,
    Scenario,
    load_models,
)
from moo_infer.builtin.costs import LinearCost, LinearLatency
from moo_infer.builtin.inference import Gaussian
from moo_infer.core.uncertainty import Uncertain

SELECTORS = ["max-accuracy", "max-cube", "utopia", "knee", "min-cost"]


def uncertain(name, accuracy, cost, se=0.02):
    return ModelProfile(
        name,
        Gaussian(1024, 64, 2048, 128, accuracy, 0.03),
        (LinearCost(cost, cost), LinearLatency(1e-4, 1e-3)),
        4,
        uncertain={
            "inference.accuracy_mean": Uncertain(se=se),
            "costs[0].usd_per_output_token": Uncertain(low=0.5 * cost, high=1.5 * cost),
        },
    )


MODELS = [uncertain("a", 0.9, 1e-6), uncertain("b", 0.93, 5e-6), replace(uncertain("c", 0.8, 2e-7), uncertain={})]
SCENARIO = Scenario("s", {"cost": 0.3, "latency": {"p95": 40.0}}, {"accuracy": 0.95})


def brute_force(pipeline, models, scenario, B, seed):
    """A run of its own for every draw."""
    drawn = {profile.name: profile.draw(B, seed) for profile in models}
    counts = {}
    for b in range(B):
        at = [p.with_values({path: float(v[b]) for path, v in drawn[p.name].items()}) for p in models]
        report = Pipeline(pipeline.aggregators, pipeline.selectors).run(at, scenario)
        for c in (*report.rows, *report.recommended):
            chosen = (c.model, c.aggregator, c.k) if c.k else (None, None, None)
            counts.setdefault(c.key, Counter())[chosen] += 1
    return {key: {row: n / B for row, n in counter.items()} for key, counter in counts.items()}


@pytest.mark.parametrize("aggregators", [["best-of-k"], ["coverage", "majority-vote"]])
def test_stability_under_parameter_uncertainty_is_a_loop_over_the_same_draws(aggregators):
    pipeline = Pipeline(aggregators, SELECTORS)
    stability = pipeline.run(MODELS, SCENARIO).stability(40, seed=3)
    assert (stability.source, stability.draws) == ("parameters", 40)
    got = {key: {(s.model, s.aggregator, s.k): s.share for s in shares} for key, shares in stability.shares.items()}
    assert got == brute_force(pipeline, MODELS, SCENARIO, 40, 3)
    assert any(len(shares) > 1 for shares in got.values())


@dataclass(frozen=True)
class PerToken(CostModel):
    """A part that takes numbers alone, not arrays of them."""

    name = "per-token"
    objective = Objective("energy", "J")
    joules: float = 0.5

    def total(self, draws, /, *, parallelism):
        return np.cumsum(float(self.joules) * draws.tokens_out, axis=1)


def test_parts_that_take_no_arrays_are_asked_draw_by_draw():
    base = replace(MODELS[0], costs=(*MODELS[0].costs, PerToken()))
    profile = replace(base, uncertain={"costs[2].joules": Uncertain(se=0.1), **base.uncertain})
    pipeline = Pipeline(selectors="max-accuracy", estimator=Exact(trials=200), k=[4, 8, 12])
    limited = Scenario("s", {"energy": 9_000})
    shares = pipeline.run(profile, limited).stability(30).shares["s", "max-accuracy", None, None]
    assert {s.k for s in shares} <= {4, 8, 12, None}
    assert len(shares) > 1


def test_stability_of_a_simulation_is_a_bootstrap_of_its_trials():
    report = Pipeline(selectors=SELECTORS, estimator=MonteCarlo(300, 42)).run("gpt-5", "essay-feedback")
    stability = report.stability(200)
    assert stability.source == "simulation"
    for shares in stability.shares.values():
        assert sum(s.share for s in shares) == pytest.approx(1.0)
        assert [s.share for s in shares] == sorted((s.share for s in shares), reverse=True)
    again = report.stability(200)
    assert again.shares == stability.shares
    assert report.stability(200, seed=1).shares != stability.shares


def test_bootstrap_means_are_those_of_resampled_trials():
    from moo_infer.decide.stability import resample

    table = Pipeline(estimator=MonteCarlo(50), k=[4, 8]).candidates(["gpt-5", "qwen3-max"])
    weights = np.random.default_rng([7, 2]).multinomial(50, np.full(50, 1 / 50), size=3)
    for b, drawn in enumerate(resample(table, 3, seed=7)):
        rows = np.repeat(np.arange(50), weights[b])
        np.testing.assert_allclose(drawn.means, table.trials[rows].mean(axis=0), rtol=1e-12)
        np.testing.assert_allclose(drawn.column("cost", "p95"), np.quantile(table.trials[rows, :, 1], 0.95, axis=0))


def test_a_noisy_knee_is_seen_to_be_noisy():
    """The spread of a knee over the bootstrap warns of what one seed hides."""
    report = Pipeline(selectors="knee", estimator=MonteCarlo(300, 42)).run("gpt-5-nano", "medical-ai")
    shares = report.stability(200).shares["medical-ai", "knee", None, None]
    assert shares[0].k == 24
    assert shares[0].share < 0.6
    assert len(shares) > 5


def test_where_nothing_is_uncertain_there_is_nothing_to_say(pipeline):
    report = pipeline.run("gpt-5", "essay-feedback")
    assert report.stability(10) is None
    with pytest.warns(UserWarning, match="nothing is uncertain here: no model has a log or an uncertain number"):
        assert report.with_stability(10).to_dict()["rows"][0]["stability"] is None
    with pytest.raises(MooInferError, match="unknown source of uncertainty 'simulation'; available: none"):
        report.stability(10, source="simulation")
    with pytest.raises(MooInferError, match="draws: must be >= 1, got 0"):
        report.stability(0)


def test_json_and_text_of_stability():
    report = Pipeline(selectors=["utopia", "min-cost"]).run(MODELS, SCENARIO).with_stability(50)
    document = json.loads(report.to_json())
    for row in document["rows"] + document["recommended"]:
        assert row["stability"]["source"] == "parameters"
        assert row["stability"]["draws"] == 50
        assert set(row["stability"]["shares"][0]) == {"model", "aggregator", "k", "share"}
    text = report.to_text()
    assert "%)" in text
    assert "share of 50 draws of the uncertain parameters in which the same row was chosen" in text.replace("\n", " ")
    assert "how sure: " in report.to_text(details=True)
    assert max(map(len, text.splitlines())) <= 80


def test_confidence_keeps_only_rows_whose_limits_hold_surely():
    scenario = Scenario("s", {"cost": 0.9}, {"accuracy": 0.93})
    plain = Pipeline(selectors="min-cost").run(MODELS[:1], scenario)["min-cost"]
    sure = Pipeline(selectors="min-cost", confidence=0.95, draws=400).run(MODELS[:1], scenario)["min-cost"]
    assert sure.k > plain.k
    drawn, pipeline = MODELS[0].draw(400, 0), Pipeline(k=[sure.k - 4, sure.k])
    held = np.zeros(2)
    for b in range(400):
        profile = MODELS[0].with_values({path: float(v[b]) for path, v in drawn.items()})
        held += pipeline.candidates(profile).met(scenario.limits)
    assert held[1] / 400 >= 0.95 > held[0] / 400


def test_confidence_that_cannot_be_had_says_how_near_it_is():
    report = Pipeline(selectors="utopia", confidence=1.0, draws=200).run(MODELS[:1], Scenario("s", {"cost": 0.0125}))
    assert report["utopia"].k is None
    assert "nothing meets the limits in 100 % of the draws; the surest row does in" in report["utopia"].reason


def test_what_would_do_on_the_given_values_is_not_said_of_the_draws():
    """A limit at the mean is met in half of the draws."""
    pipeline = Pipeline(selectors="max-accuracy", confidence=0.95, draws=50)
    report = pipeline.run(MODELS[:1], Scenario("s", {"cost": 1e-6}))
    assert report["max-accuracy"].reason.endswith(" so on the given values, not in 95 % of the draws")
    assert report.outcome().relaxations == ()


def test_confidence_1_keeps_what_meets_the_limits_in_every_draw():
    scenario = Scenario("s", {"cost": 0.05})
    report = Pipeline(selectors="max-accuracy", confidence=1, draws=100).run(MODELS[:1], scenario)
    choice = report["max-accuracy"]
    drawn, pipeline = MODELS[0].draw(100, 0), Pipeline(k=[choice.k, choice.k + 4])
    met = [
        pipeline.candidates(MODELS[0].with_values({path: float(v[b]) for path, v in drawn.items()})).met(
            scenario.limits
        )
        for b in range(100)
    ]
    assert np.all(met, axis=0).tolist() == [True, False]
    assert np.mean(met, axis=0)[1] > 0.5  # what a smaller confidence would take
    assert report.outcome("s").sure.shares[choice.row] == 1.0


def test_confidence_changes_nothing_where_nothing_is_uncertain(pipeline):
    sure = Pipeline(confidence=0.99).run("gpt-5", "medical-ai")
    assert [c.k for c in sure.rows] == [c.k for c in pipeline.run("gpt-5", "medical-ai").rows]


@pytest.mark.parametrize("confidence", [0, 1.5, True, "0.9", float("nan")])
def test_confidence_is_a_share(confidence):
    with pytest.raises(MooInferError, match="confidence: must be > 0 and <= 1, got"):
        Pipeline(confidence=confidence)


@pytest.mark.parametrize("name", ["gpt-5", "qwen3-max"])
def test_nominal_95_percent_intervals_of_monte_carlo_means_cover_the_exact_value(name):
    """1000 repetitions of M = 300 trials, at k = 4, 32, 128, every objective."""
    k, M, repetitions = [4, 32, 128], 300, 1000
    exact = Pipeline(k=k).candidates(name).means
    trials = Pipeline(k=k, estimator=MonteCarlo(M * repetitions, seed=11)).candidates(name).trials
    trials = trials.reshape(repetitions, M, len(k), 3)
    error = np.abs(trials.mean(axis=1) - exact)
    covered = (error <= 1.959963984540054 * trials.std(axis=1, ddof=1) / np.sqrt(M)).mean(axis=0)
    assert ((covered >= 0.93) & (covered <= 0.97)).all(), covered


def test_draws_of_a_profile_are_its_own_and_reproducible():
    first, second = MODELS[0].draw(100, 1), MODELS[0].draw(100, 1)
    for path in first:
        np.testing.assert_array_equal(first[path], second[path])
    other = MODELS[1].draw(100, 1)["inference.accuracy_mean"]
    assert abs(np.corrcoef(first["inference.accuracy_mean"], other)[0, 1]) < 0.3
    assert first["inference.accuracy_mean"].std() == pytest.approx(0.02, rel=0.3)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("inference.accuracy", "a: uncertain: inference.accuracy: gaussian has no number called 'accuracy'"),
        ("costs[7].usd_per_input_token", r"unknown part 'costs\[7\]'; available: costs\[1\], costs\[0\], inference"),
        ("price", "a: uncertain: price: unknown part 'price'"),
    ],
)
def test_uncertainty_of_what_does_not_exist_is_refused(path, message):
    with pytest.raises(MooInferError, match=message):
        replace(MODELS[0], uncertain={path: Uncertain(se=0.1)})


def test_uncertainty_comes_from_the_file(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text("""
models:
  mine:
    inference: {kind: gaussian, tokens_in_mean: 10, tokens_in_std: 1, tokens_out_mean: 10, tokens_out_std: 1, accuracy_mean: {value: 0.8, se: 0.01}, accuracy_std: 0}
    costs: [{kind: linear-cost, usd_per_input_token: 1e-6, usd_per_output_token: {low: 1e-6, high: 2e-6}}]
""")
    assert load_models(path)["mine"].uncertain == {
        "inference.accuracy_mean": Uncertain(se=0.01),
        "costs[0].usd_per_output_token": Uncertain(low=1e-6, high=2e-6),
    }


@pytest.mark.parametrize("q", [0.05, 0.5, 0.95])
def test_exact_quantiles_on_the_nine_profiles(pipeline, q):
    """F^-1(q^(1/k)) for the best of k, and the normal's for totals; Monte Carlo agrees within sampling error."""
    from scipy import stats

    exact = pipeline.candidates()
    simulated = Pipeline(estimator=MonteCarlo(2000)).candidates()
    statistic = f"p{round(100 * q):02d}"
    for name, profile in pipeline.models.items():
        table, k = exact.where(model=name), exact.where(model=name).k
        model, (cost, latency) = profile.inference, profile.costs
        best = np.clip(stats.norm.ppf(q ** (1 / k)) * model.accuracy_std + model.accuracy_mean, 0, 1)
        np.testing.assert_allclose(table.column("accuracy", statistic), best, atol=1e-9, rtol=0)
        for objective, a, b, share in (
            ("cost", cost.usd_per_input_token, cost.usd_per_output_token, 1),
            ("latency", latency.seconds_per_input_token, latency.seconds_per_output_token, profile.parallelism),
        ):
            mean = k * (a * model.tokens_in_mean + b * model.tokens_out_mean) / share
            std = np.sqrt(k) * np.hypot(a * model.tokens_in_std, b * model.tokens_out_std) / share
            np.testing.assert_allclose(table.column(objective, statistic), mean + stats.norm.ppf(q) * std, rtol=1e-9)
            below = (
                simulated.where(model=name).trials[:, :, exact.index(objective)] <= mean + stats.norm.ppf(q) * std
            ).mean(axis=0)
            assert (np.abs(below - q) <= 5 * np.sqrt(q * (1 - q) / 2000)).all()


def test_progress_is_told():
    told = []
    Pipeline(selectors="utopia").run(MODELS[:1], SCENARIO).stability(3, progress=lambda *args: told.append(args))
    assert told == [(0, 3, "how sure"), (1, 3, "how sure"), (2, 3, "how sure")]


def test_draws_in_several_goes_are_the_same_draws(monkeypatch):
    """Limits on simulated quantiles too, which are simulated with the parameters of their own draw."""
    scenario = Scenario("s", {"cost": 0.3}, {"accuracy": {"p20": 0.97}})
    pipeline = Pipeline("coverage", "min-cost", estimator=Exact(trials=100), k=[1, 2, 3])
    once = pipeline.run(MODELS[:1], scenario).stability(30).shares
    monkeypatch.setattr("moo_infer.estimate.exact.AT_ONCE", 3 * 4)
    assert pipeline.run(MODELS[:1], scenario).stability(30).shares == once
    assert len(once["s", "min-cost", None, None]) > 1
