import json
import re
from dataclasses import replace

import numpy as np
import pytest

from moo_infer import MonteCarlo, MooInferError, Pipeline, Scenario, builtin_models
from moo_infer.decide.infeasible import infeasible

STATISTICS = {"mean", "std", "low", "high", "stderr", "stderr_simulation"}


def test_json_is_the_public_contract(pipeline):
    document = json.loads(pipeline.run(None, "essay-feedback").to_json("moo-infer recommend"))
    assert list(document) == [
        "schema",
        "command",
        "version",
        "estimator",
        "simulation",
        "remarks",
        "notes",
        "volume",
        "models",
        "headline",
        "contenders",
        "scenarios",
        "rows",
        "recommended",
        "mixture",
        "shadow_prices",
        "by",
        "config",
    ]
    assert (document["schema"], document["command"], document["estimator"]) == (
        1,
        "moo-infer recommend",
        {"name": "exact"},
    )
    assert document["scenarios"] == [
        {
            "name": "essay-feedback",
            "limits": [
                {"objective": "cost", "statistic": "mean", "worst": 0.5},
                {"objective": "latency", "statistic": "mean", "worst": 60.0},
                {"objective": "accuracy", "statistic": "mean", "worst": 0.93},
            ],
            "scales": {"accuracy": 1.0, "cost": 0.5, "latency": 60.0},
            "loosened": document["scenarios"][0]["loosened"],
        }
    ]
    assert len(document["rows"]) == 9 * 5
    assert len(document["recommended"]) == 5
    for row in document["rows"] + document["recommended"]:
        assert list(row)[:6] == ["scenario", "model", "aggregator", "selector", "k", "parallelism"]
        if row["k"] is None:
            assert row["objectives"] is None
            assert row["reason"]
            assert row["stability"] is None
        else:
            assert list(row["objectives"]) == ["accuracy", "cost", "latency"]
            assert all(set(figures) == STATISTICS | {"interval"} for figures in row["objectives"].values())
            assert "reason" not in row


def test_json_of_monte_carlo_names_trials_and_seed_and_has_null_for_unknown():
    report = Pipeline(estimator=MonteCarlo(1, 7), selectors="utopia").run("gpt-5", Scenario("s"))
    document = json.loads(report.to_json())
    assert document["estimator"] == {"name": "monte-carlo", "trials": 1, "seed": 7}
    accuracy = document["rows"][0]["objectives"]["accuracy"]
    assert (accuracy["std"], accuracy["stderr"], accuracy["stderr_simulation"]) == (None, None, None)
    assert "accuracy.mean" in document["rows"][0]["simulated"]
    assert "?" in report.to_text(details=True)


def test_choices_are_found_by_name(pipeline):
    report = pipeline.run(["gpt-5", "qwen3-max"], "essay-feedback")
    assert report["gpt-5", "knee"].k == 8
    assert report["utopia"].model == report.choice("utopia", scenario="essay-feedback").model
    assert report["essay-feedback", "qwen3-max", "best-of-k", "knee"].k == 8
    assert report["knee"].reason == "needs one model under one aggregator, and here are 2"
    with pytest.raises(MooInferError, match="unknown selector 'asf'; available: cheapest-within, knee"):
        report["asf"]
    with pytest.raises(MooInferError, match="unknown scenario, model or aggregator 'gpt-6'; available: gpt-5"):
        report["gpt-6", "knee"]
    with pytest.raises(MooInferError, match="unknown model 'gpt-6'; available: gpt-5, qwen3-max"):
        report.choice("knee", model="gpt-6")


def test_what_is_ambiguous_is_said(pipeline):
    report = Pipeline(["best-of-k", "coverage"]).run(["gpt-5", "qwen3-max"])
    with pytest.raises(MooInferError, match="'knee' has 3 choices here; name the scenario as well"):
        report["knee"]
    with pytest.raises(MooInferError, match="'knee' has 6 choices here; name the scenario and the aggregator as well"):
        report["gpt-5", "knee"]
    assert report["gpt-5", "medical-ai", "coverage", "max-accuracy"].aggregator == "coverage"


def test_with_one_model_the_pool_is_that_model(pipeline):
    report = pipeline.run("gpt-5", "medical-ai")
    for selector in ("max-accuracy", "knee", "knee-chord"):
        assert report[selector].to_dict() == report["gpt-5", selector].to_dict()


def test_figures_are_attributes_of_a_choice(pipeline):
    report = pipeline.run("nemotron-ultra-253b", "essay-feedback")
    choice = report["max-accuracy"]
    assert choice.accuracy.mean == pytest.approx(0.98848, abs=1e-4)
    assert choice.latency.mean == pytest.approx(43.008)
    with pytest.raises(AttributeError, match="a choice has no attribute 'energy'"):
        _ = choice.energy
    with pytest.raises(AttributeError, match="there is no choice, so no accuracy: needs at least 3 Pareto rows"):
        _ = report["knee"].accuracy


@pytest.mark.parametrize("details", [False, True])
def test_the_text_opens_with_the_answer_and_fits_80_columns(details):
    report = Pipeline(["best-of-k", "majority-vote"], selectors=["max-accuracy", "utopia"]).run()
    text = report.to_text(details=details)
    first = "essay-feedback: use gpt-5-nano with k = 48 samples, majority-vote (4 at a time):"
    assert text.startswith(first)
    assert max(map(len, text.splitlines())) <= 80
    assert text == report.to_text(details=details)


def test_the_answer_is_what_a_budget_question_asks_for_unless_another_goal_is_named(pipeline):
    report = pipeline.run(None, "medical-ai")
    assert report.headline == "cheapest-within"
    assert "cheapest-within" not in {choice.selector for choice in (*report.rows, *report.recommended)}
    (headline,) = report.to_dict()["headline"]
    best = max(choice.accuracy.mean for choice in report.rows if choice.k)
    assert headline["objectives"]["accuracy"]["mean"] >= best - 0.005
    assert headline["judge"] == "if you can tell the best of 16"
    assert "if you can tell the best of 16" in str(report).replace("\n", " ")
    other = Pipeline(goal="utopia").run(None, "medical-ai")
    assert other.headline == "utopia"
    assert other.to_dict()["headline"][0]["k"] == other["utopia"].k


def test_contenders_are_what_the_goal_takes_of_every_curve_the_answer_first(pipeline):
    report = pipeline.run(None, "essay-feedback")
    document = report.to_dict()
    first, *others = document["contenders"]
    assert (first["model"], first["k"]) == (document["headline"][0]["model"], document["headline"][0]["k"])
    accuracies = [row["objectives"]["accuracy"]["mean"] for row in others]
    assert accuracies == sorted(accuracies, reverse=True)
    assert {row["model"] for row in document["contenders"]} == {*report.candidates.models}


def test_ten_contenders_are_shown_and_how_many_are_left_out_is_said(pipeline):
    lines = pipeline.run().to_text().splitlines()
    assert len(lines) <= 30
    assert "18 more contenders are left out; --json has all." in lines
    assert len([line for line in lines if line.startswith((" essay", " medical", " proposal"))]) == 9


def test_the_details_have_cost_and_seconds_per_inference(pipeline):
    text = pipeline.run("gpt-5", "essay-feedback").to_text(details=True)
    assert "Per sample: cost 0.02176 USD, latency 2.688 s." in text.replace("\n", " ")
    assert re.search(r"^ accuracy +0\.9684 +± 0\.01203$", text, re.M)
    assert "~" not in text


def test_the_details_mark_what_is_simulated():
    text = Pipeline("coverage", "max-cube").run("gpt-5", "essay-feedback").to_text(details=True)
    assert "[~" in text
    assert "~ simulated" in text


def test_more_selectors_than_fit_abreast_make_more_tables():
    every = ["max-accuracy", "max-cube", "utopia", "knee", "knee-chord", "min-cost", "min-latency", "asf"]
    text = Pipeline(selectors=every).run("gpt-5", "essay-feedback").to_text()
    assert "min-latency" in text
    assert max(map(len, text.splitlines())) <= 80


def test_long_and_strange_names_are_shown_as_they_are(profile):
    name = "[bold]org/a-model-with-a-name-that-goes-on-and-on-and-on-without-end[/bold] \u2603"
    text = Pipeline().run(profile(name), Scenario("[red]s[/red]")).to_text()
    assert "[red]s[/red]" in text
    assert "[bold]" in text
    assert max(map(len, text.splitlines())) <= 80


def test_an_objective_without_a_limit_says_its_scale(pipeline):
    text = pipeline.run("gpt-5", Scenario("s", {"latency": 60})).to_text()
    assert "s: scaled by the largest mean, as it has no limit: cost by 2.785 USD." in text


def test_nothing_feasible_says_which_limit_fails_by_how_much_and_what_would_do(pipeline):
    report = pipeline.run(["gpt-5", "gpt-5-nano"], Scenario("s", {"cost": 0.5, "latency": 1.0}))
    assert report["utopia"].k is None
    assert report["gpt-5", "utopia"].reason == (
        "nothing is feasible: latency <= 1 fails by 9.75 s (975 %); latency <= 10.76 would do (k = 4)"
    )
    assert report["utopia"].reason == (
        "nothing is feasible: latency <= 1 fails by 1.15 s (115 %); latency <= 2.151 would do (gpt-5-nano, best-of-k, k = 4)"
    )
    assert "s: no recommendation: nothing is feasible" in report.to_text()
    relaxed = pipeline.run("gpt-5", Scenario("s", {"cost": 0.5, "latency": 10.76}))
    assert relaxed["utopia"].k == 4


def test_two_limits_that_exclude_each_other_each_name_their_way_out(pipeline):
    report = pipeline.run("gpt-5", Scenario("s", {"latency": 20.0}, {"accuracy": 0.98}))
    reason = report["utopia"].reason
    assert "latency <= 20 fails by 55.3 s (276 %); latency <= 75.27 would do (k = 28)" in reason
    assert "or accuracy >= 0.98 fails by 0.0194 (2 %); accuracy >= 0.9605 would do (k = 4)" in reason
    for scenario in (
        Scenario("s", {"latency": 75.27}, {"accuracy": 0.98}),
        Scenario("s", {"latency": 20}, {"accuracy": 0.9605}),
    ):
        assert pipeline.run("gpt-5", scenario)["utopia"].k


def test_limits_that_all_have_to_give_name_the_nearest_row(pipeline):
    reason = pipeline.run("gpt-5", Scenario("s", {"latency": 1.0, "cost": 0.001}))["utopia"].reason
    assert reason.startswith(
        "nothing is feasible, and no limit alone can be loosened to change that: the nearest (k = 4)"
    )
    assert reason.endswith("latency <= 10.76 and cost <= 0.08704 would do")


def test_a_limit_of_zero_and_a_quantile_limit_are_explained(pipeline):
    table = pipeline.candidates("gpt-5")
    report = pipeline.run("gpt-5", Scenario("s", {"cost": 0, "latency": {"p95": 1}}))
    assert "cost <= 0 by 0.087 USD" in report["utopia"].reason
    assert "p95 latency <= 1 by" in report["utopia"].reason
    assert infeasible(table, Scenario("s", {"cost": 0}).limits).endswith("cost <= 0.08704 would do (k = 4)")


def test_python_and_numpy_numbers_both_serialise(pipeline):
    report = pipeline.run("gpt-5", Scenario("s", {"cost": np.float64(0.5), "latency": np.int64(60)}))
    assert json.loads(report.to_json())["scenarios"][0]["limits"][1]["worst"] == 60.0


def test_limited_quantiles_stand_in_the_json_and_say_where_they_come_from(profile):
    scenario = Scenario("s", {"latency": {"p95": 40}}, {"accuracy": {"p05": 0.5}})
    report = Pipeline(["best-of-k", "coverage"], "max-accuracy").run(profile(), scenario)
    exact, simulated = (json.loads(report.to_json())["rows"][i] for i in (0, 1))
    assert exact["objectives"]["latency"]["p95"] <= 40
    assert exact["objectives"]["accuracy"]["p05"] >= 0.5
    assert exact["simulated"] == []
    assert "accuracy.p05" in simulated["simulated"]
    assert "latency.p95" not in simulated["simulated"]
    assert "Limited quantiles are simulated, 10000 trials, seed 0." in report.to_text()


def test_two_models_with_the_same_figures_are_two_contenders():
    twin = replace(builtin_models()["gpt-5"], name="twin")
    report = Pipeline().run([builtin_models()["gpt-5"], twin], Scenario("s", {"cost": 1}))
    assert {row["model"] for row in report.to_dict()["contenders"]} == {"gpt-5", "twin"}


def test_selectors_of_one_curve_are_left_out_of_what_is_said_over_all(pipeline):
    report = pipeline.run(["gpt-5", "gpt-5-nano"], "essay-feedback")
    assert report["knee"].reason == "needs one model under one aggregator, and here are 2"
    for text in (report.to_text(by_selector=True), report.to_text(details=True), report.to_html()):
        assert "needs one model" not in text
    asked = Pipeline(goal="knee").run(["gpt-5", "gpt-5-nano"], "essay-feedback")
    assert asked.to_text().startswith("essay-feedback: no recommendation: needs one model")  # what was asked for


def test_json_does_not_go_through_all_models_for_each_row():
    class Watched(tuple):
        def __iter__(self):
            gone_through.append(1)
            return super().__iter__()

    times = []
    for names in (["gpt-5"], None):
        gone_through = []
        report = Pipeline(selectors="utopia").run(names, "essay-feedback")
        replace(report, profiles=Watched(report.profiles)).to_json()
        times.append(len(gone_through))
    assert times[0] == times[1]
