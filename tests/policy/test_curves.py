"""Policies as rows of the table: beside static rows, under limits, with intervals and stability, in files and JSON."""

import json
import pickle

import numpy as np
import pytest

from moo_infer import (
    ModelProfile,
    MonteCarlo,
    MooInferError,
    Pipeline,
    Samples,
    Scenario,
    load_policies,
)
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.builtin.policies import Fixed, TwoThenMore, VoteUntilDecided
from moo_infer.builtin.prices import ApiCost
from moo_infer.builtin.queueing import Loaded
from moo_infer.policy.deployment import Deployment
from moo_infer.policy.exact import evaluated
from moo_infer.policy.replay import replayed

CASCADE = "cascade:first={model: small, k: 2},agree=all,then={model: large, k: 1}"


def log(name, Q=12, n=6, p=0.7):
    rng = np.random.default_rng([*name.encode()])
    question = np.repeat(np.arange(Q), n)
    answer = np.where(rng.random(Q * n) < np.repeat(rng.beta(2 * p, 2 - 2 * p, Q), n), 0, rng.integers(1, 4, Q * n))
    columns = {
        "answer": answer,
        "latency_s": rng.lognormal(size=Q * n),
        "cost_usd": rng.lognormal(size=Q * n) / 100,
        "input_tokens": np.full(Q * n, 2000.0),
        "output_tokens": rng.integers(100, 900, Q * n).astype(float),
    }
    return Samples(name, [f"q{i}" for i in range(Q)], question, (answer == 0) * 1.0, columns)


def on_log(name, p, costs=(LoggedCost(), LoggedLatency())):  # noqa: B008 - parts are values
    return ModelProfile(name, Empirical(log(name, p=p)), costs)


MODELS = {"small": on_log("small", 0.6), "large": on_log("large", 0.8)}


@pytest.fixture(scope="module")
def report(registry):
    pipeline = Pipeline(
        k=[1, 3, 5], models=MODELS, policies=["fixed", "vote-until-decided", CASCADE], registry=registry
    )
    return pipeline.run(scenarios=Scenario("chat", max={"latency": {"p95": 12.0}}))


def test_a_policy_is_tried_for_every_model_at_every_k_and_a_cascade_once(report):
    found = {curve.label: [course.policy for course in curve.courses] for curve in report.candidates.curves}
    assert found == {
        ("small", "one-call"): [],
        ("small", "plurality-vote"): [],
        ("large", "one-call"): [],
        ("large", "plurality-vote"): [],
        ("small", "fixed"): ["fixed:k=1", "fixed:k=3", "fixed:k=5"],
        ("large", "fixed"): ["fixed:k=1", "fixed:k=3", "fixed:k=5"],
        ("small", "vote-until-decided"): [f"vote-until-decided:k={k}" for k in (1, 3, 5)],
        ("large", "vote-until-decided"): [f"vote-until-decided:k={k}" for k in (1, 3, 5)],
        ("small > large", "cascade"): ["cascade:first={model: small, k: 2},then={model: large, k: 1}"],
    }
    assert report.candidates.where(aggregator="cascade").k.tolist() == [3]


@pytest.mark.parametrize("statistic", ["mean", "stderr"])
def test_fixed_has_the_figures_of_the_rows_that_no_policy_made(report, statistic):
    table = report.candidates
    for model in MODELS:
        fixed, vote = (table.where(model=model, aggregator=name) for name in ("fixed", "plurality-vote"))
        for objective in ("accuracy", "cost", "latency"):
            np.testing.assert_allclose(
                fixed.column(objective, statistic), vote.column(objective, statistic), rtol=1e-12
            )
            for i in range(3):
                ours, theirs = (view.row(i).objectives[objective].interval for view in (fixed, vote))
                np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_what_is_simulated_agrees_with_what_is_exact_within_its_error(report):
    table = report.candidates
    for curve in table.curves:
        if not curve.courses:
            continue
        for name, column in curve.columns.items():
            trials = column.trials
            error = column.std / np.sqrt(len(trials))
            assert (np.abs(trials.mean(axis=0) - column.mean) <= 4 * error + 1e-12).all(), (curve.label, name)
            np.testing.assert_allclose(trials.std(axis=0), column.std, rtol=0.15, atol=1e-9)
            assert column.simulated == ("low", "high")


def test_json_says_what_a_policy_does_with_queries(registry):
    document = json.loads(Pipeline(k=[3], models=MODELS, policies=CASCADE, registry=registry).run().to_json())
    rows = {(row["model"], row["aggregator"], row["k"]): row for row in document["contenders"]}
    cascade = rows["small > large", "cascade", 3]
    assert cascade["policy"] == "cascade:first={model: small, k: 2},then={model: large, k: 1}"
    assert cascade["models"] == ["small", "large"]
    kept = next(ending["share"] for ending in cascade["endings"] if ending["what"] == "2 samples of small")
    assert cascade["calls"]["mean"] == pytest.approx(2 * kept + 3 * (1 - kept))
    assert cascade["waves"]["mean"] == pytest.approx(kept + 2 * (1 - kept))
    assert [ending["what"] for ending in sorted(cascade["endings"], key=lambda e: e["what"])] == [
        "2 samples of small",
        "2 samples of small and 1 of large",
    ]
    assert cascade["per_right"]["tokens"] is None
    assert cascade["per_right"]["cost"] > 0
    static = next(row for row in document["contenders"] if row["aggregator"] == "one-call")
    assert [static[key] for key in ("policy", "models", "calls", "waves", "endings")] == [None] * 5
    labels = {(row["model"], row["aggregator"]) for row in document["rows"]}
    assert ("small > large", "cascade") in labels


def test_a_row_of_a_policy_competes_under_limits_on_quantiles(report):
    table = report.candidates
    seconds = table.column("latency", "p95")
    assert np.array_equal(table.met(report.scenarios[0].limits), seconds <= 12.0)


@pytest.mark.parametrize("questions", ["other", "same"])
def test_draws_weigh_policies_as_they_weigh_static_rows(registry, questions):
    pipeline = Pipeline(
        k=[3],
        models=MODELS,
        policies=["fixed:k=3", CASCADE],
        registry=registry,
        questions=questions,
        selectors="max-accuracy",
    )
    report = pipeline.run(scenarios=Scenario("chat", max={"latency": {"p95": 12.0}}))
    tables = list(report.redraw(20, 3))
    for table in tables:
        for model in MODELS:
            fixed, vote = (table.where(model=model, aggregator=name) for name in ("fixed", "plurality-vote"))
            for objective in ("accuracy", "cost", "latency"):
                tolerance = 1e-12 if questions == "other" else 1e-9
                np.testing.assert_allclose(fixed.column(objective), vote.column(objective), rtol=tolerance)
    spread = np.std([table.where(aggregator="cascade").column("accuracy")[0] for table in tables])
    assert spread > 0
    stable = report.with_stability(20)
    assert sum(share.share for share in stable.stable.shares["chat", "max-accuracy", None, None]) == pytest.approx(1.0)


def test_quantiles_of_draws_are_those_of_trials_weighed_anew(registry):
    pipeline = Pipeline(k=[3], models=MODELS, policies="two-then-more:k=4", registry=registry)
    report = pipeline.run()
    quantiles = [t.where(aggregator="two-then-more").column("latency", "p95") for t in report.redraw(100, 0)]
    (small, large) = np.median(quantiles, axis=0)
    expected = report.candidates.where(aggregator="two-then-more").column("latency", "p95")
    assert (small, large) == pytest.approx(tuple(expected), rel=0.25)
    assert np.std(quantiles, axis=0).min() > 0


def test_confidence_holds_for_rows_of_policies(registry):
    pipeline = Pipeline(
        k=[1, 3],
        models=MODELS,
        policies=["fixed", CASCADE],
        registry=registry,
        confidence=0.9,
        draws=50,
        selectors="max-accuracy",
    )
    report = pipeline.run(scenarios=Scenario("cheap", max={"cost": 0.05}))
    table, sure = report.candidates, report.outcome().sure
    for model in MODELS:
        fixed, vote = (table.where(model=model, aggregator=name).rows for name in ("fixed", "plurality-vote"))
        assert np.array_equal(sure.shares[fixed], sure.shares[vote])


def test_all_is_simulated_where_that_is_asked_for(registry):
    estimator = MonteCarlo(2000, 1)
    report = Pipeline(k=[3], models=MODELS, policies=[CASCADE], estimator=estimator, registry=registry).run()
    row = report.candidates.where(aggregator="cascade").row(0)
    assert "accuracy.mean" in row.simulated
    exact = Pipeline(k=[3], models=MODELS, policies=[CASCADE], registry=registry).run()
    other = exact.candidates.where(aggregator="cascade").row(0)
    for name, figures in row.objectives.items():
        assert abs(figures.mean - other.objectives[name].mean) <= 4 * figures.stderr_simulation


@pytest.mark.parametrize(
    "policy",
    [
        VoteUntilDecided(5, arrivals=True, model="small"),
        VoteUntilDecided(5, arrivals=True, cancelled_billed="full", model="small"),
        VoteUntilDecided(3, arrivals=True, cancelled_billed="none", model="small"),
    ],
)
def test_arrivals_that_are_drawn_are_those_that_are_counted(registry, policy):
    of = Deployment.of(policy, MODELS, None, registry)
    exact, drawn = evaluated(of), replayed(of, 20_000, 0)
    for name, totals in drawn.totals.items():
        assert abs(totals.mean() - exact.mean[name].mean()) <= 4 * totals.std() / np.sqrt(len(totals)) + 1e-12
    calls = sum(n * share.mean() for n, share in exact.calls.items())
    assert drawn.n.sum(axis=1).mean() == pytest.approx(calls, rel=0.02)


def test_a_model_whose_log_is_too_short_is_left_out_and_that_is_said(registry):
    models = {
        "small": MODELS["small"],
        "short": ModelProfile("short", Empirical(log("short", n=3)), (LoggedCost(), LoggedLatency())),
    }
    pipeline = Pipeline(k=[1, 3, 5], models=models, policies=["two-then-more:k=5", "fixed"], registry=registry)
    with pytest.warns(
        UserWarning, match="left out: policy 'two-then-more' calls short up to 5 times, and its log has 3"
    ):
        table = pipeline.candidates()
    assert table.where(aggregator="two-then-more").models == ("small",)
    assert table.where(model="short", aggregator="fixed").k.tolist() == [1, 3]
    with pytest.raises(MooInferError, match="'fixed' calls short up to 4 times"):
        Pipeline(k=[1], models=models, policies="fixed:k=4,model=short", registry=registry).candidates()


def test_cost_models_that_depend_on_calls_before_are_right_or_refused(registry):
    usd = {"usd_per_input_token": 1e-6, "usd_per_output_token": 4e-6, "usd_per_cached_input_token": 1e-7}
    api = ApiCost(calls="cached", usd_per_cache_write_token=1.25e-6, **usd)
    cached = {"small": on_log("small", 0.6, (api, LoggedLatency()))}
    of, at_once = (Deployment.of(p, cached, None, registry) for p in (TwoThenMore(6, "small"), Fixed(6, model="small")))
    always = Deployment.of(VoteUntilDecided(6, (3, 3), model="small"), cached, None, registry)
    # Where all six are made in two waves, the prompt is written once and read five times all the same.
    whole = evaluated(at_once)
    for known in (evaluated(of), evaluated(always)):
        assert (known.mean["cost"] <= whole.mean["cost"] + 1e-15).all()
        both = np.isclose(known.calls[6], 1.0)
        np.testing.assert_allclose(known.mean["cost"][both], whole.mean["cost"][both], rtol=1e-12)
    load = Loaded(0.01, 2000, 500, itl_base_s=0.007, itl_per_sequence_s=4e-5)
    loaded = {"small": on_log("small", 0.6, (LoggedCost(), load))}
    with pytest.raises(MooInferError, match="loaded: how busy the server is depends on how often all queries call it"):
        Pipeline(k=[1], models=loaded, policies="two-then-more:k=4", registry=registry).candidates()


def test_policies_of_a_file_are_tried_unasked_and_can_be_named(cli, tmp_path):
    (tmp_path / "my.csv").write_text(table_of(log("small")))
    (tmp_path / "my.yaml").write_text(
        """
models:
  small:
    inference: {kind: empirical, samples: my.csv}
    costs: [{kind: logged-cost}, {kind: logged-latency}]
policies:
  cautious: {kind: vote-until-decided, k: 5, waves: [3, 2]}
  quick: {kind: two-then-more}
"""
    )
    assert load_policies(tmp_path / "my.yaml") == {
        "cautious": {"kind": "vote-until-decided", "k": 5, "waves": [3, 2]},
        "quick": {"kind": "two-then-more"},
    }
    code, out, _ = cli("recommend", "--models", tmp_path / "my.yaml", "--k", "1,3", "--json")
    assert code == 0
    rows = json.loads(out)["contenders"]
    assert {row["policy"] for row in rows} >= {"vote-until-decided:k=5,waves=[3, 2]"}
    assert {row["aggregator"] for row in json.loads(out)["rows"]} == {"one-call", "plurality-vote", "cautious", "quick"}
    code, out, _ = cli(
        *("recommend", "--models", tmp_path / "my.yaml", "--k", "3"),
        *("--policy", "quick", "--policy", "vote-until-decided:waves=[2, 1]", "--policy", "fixed:k=2", "--json"),
    )
    assert code == 0
    found = {row["policy"] for row in json.loads(out)["rows"]}
    assert found == {None, "two-then-more:k=3", "vote-until-decided:k=3,waves=[2, 1]", "fixed:k=2"}
    code, out, _ = cli(
        "recommend", "--models", tmp_path / "my.yaml", "--k", "3", "--policy", "quick", "--goal", "min-cost"
    )
    assert code == 0
    assert "quick" in out


def table_of(samples):
    """The neutral table as CSV."""
    lines = ["model,question_id,sample,correct,answer,latency_s,cost_usd"]
    for i, q in enumerate(samples.question):
        row = (
            samples.questions[q],
            i,
            int(samples.correct[i]),
            samples["answer"][i],
            samples["latency_s"][i],
            samples["cost_usd"][i],
        )
        lines.append(",".join(map(str, (samples.model, *row))))
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--policy", "nope"], "unknown policy 'nope'; available: "),
        (["--policy", "fixed:k=none"], "policy 'fixed': k: must be a whole number"),
        (["--policy", "cascade:first={model: small},then={model: large, k: 1}"], "policy 'cascade': unknown model "),
    ],
)
def test_bad_policies_on_the_command_line_are_refused_in_a_sentence(cli, words, reason):
    code, _, err = cli("recommend", "--model", "gpt-5", *words)
    assert code == 2
    assert reason in err


def test_reports_with_policies_pickle(report):
    copied = pickle.loads(pickle.dumps(report))
    assert copied.to_json() == report.to_json()


def test_the_answer_names_the_policy_and_how_often_it_calls(registry):
    models = {"small": MODELS["small"]}
    pipeline = Pipeline("one-call", k=[1], models=models, policies="vote-until-decided:k=5", registry=registry)
    report = pipeline.run(scenarios=Scenario("good", min={"accuracy": 0.75}))
    mean = report.recommended[0].course.calls[0]
    text = " ".join(report.to_text().split())
    assert text.startswith(f"good: use small with vote-until-decided:k=5 ({mean:.3g} of at most 5 calls): accuracy 0.")
