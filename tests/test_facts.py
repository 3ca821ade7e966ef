"""What a run found is computed once, whoever reads it."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from moo_infer import Candidates, MooInferError, Pipeline, Samples, Scenario, builtin_models
from moo_infer.calibrate import summarise
from moo_infer.core.uncertainty import Uncertain
from moo_infer.report import facts


@pytest.fixture
def calls(monkeypatch):
    """Counts calls of `Candidates.feasible` and of `relaxations`."""
    counts = {"feasible": 0, "relaxations": 0}

    def counted(name, call):
        def counting(*given, **named):
            counts[name] += 1
            return call(*given, **named)

        return counting

    monkeypatch.setattr(Candidates, "feasible", counted("feasible", Candidates.feasible))
    monkeypatch.setattr(facts, "relaxations", counted("relaxations", facts.relaxations))
    return counts


def test_text_json_page_notebook_and_frame_of_the_papers_table_need_a_pool_a_scenario(calls, sketches):
    report = Pipeline().run()
    assert calls == {"feasible": 3, "relaxations": 0}
    for write in (report.to_text, report.to_json, report.to_html, report._repr_html_, report.to_frame):
        write()
    report.to_text(details=True)
    assert calls == {"feasible": 3, "relaxations": 3}


def test_the_pictures_need_no_pool_of_their_own(calls):
    from moo_infer import plot

    report = Pipeline(k_max=16).run("gpt-5", "essay-feedback")
    plot.front(report)
    plot.page(report)
    plot.space(report)
    assert calls["feasible"] == 1


def test_an_outcome_is_what_the_limits_leave(pipeline):
    report = pipeline.run(["gpt-5", "gpt-5-nano"], ["essay-feedback", "medical-ai"])
    for outcome in report.outcomes:
        pool = report.candidates.feasible(outcome.scenario.limits)
        assert np.flatnonzero(outcome.feasible).tolist() == pool.rows.tolist() == outcome.pool.rows.tolist()
        assert outcome.scales == pool.scales
        assert list(outcome.choices) == [c.label for c in report.candidates.curves]
    assert report.outcome("medical-ai") is report.outcomes[1]
    with pytest.raises(MooInferError, match="holds 2 scenarios; name one of them: essay-feedback, medical-ai"):
        report.outcome()
    with pytest.raises(MooInferError, match="unknown scenario 'x'; available: essay-feedback, medical-ai"):
        report.outcome("x")


def test_a_pool_under_confidence_is_what_is_sure_enough():
    dear = replace(builtin_models()["gpt-5"], uncertain={"costs[0].usd_per_output_token": Uncertain(se=2e-6)})
    scenario = Scenario("s", {"cost": 0.5})
    outcome = Pipeline(confidence=0.95, draws=50).run(dear, scenario).outcome()
    assert outcome.pool.rows.tolist() == np.flatnonzero(outcome.sure.shares >= 0.95).tolist()
    assert len(outcome.pool) < len(Pipeline().run(dear, scenario).outcome().pool)


def test_every_completion_of_a_key_names_a_choice_and_every_choice_has_one():
    for report in (
        Pipeline().run("gpt-5", "essay-feedback"),
        Pipeline(["best-of-k", "coverage"], ["utopia", "knee"], k_max=16).run(["gpt-5", "qwen3-max"]),
    ):
        keys = report._ipython_key_completions_()
        choices = [report[key] for key in keys]
        assert [id(c) for c in choices] == [id(c) for c in (*report.recommended, *report.rows)]
        assert all(isinstance(key, str | tuple) for key in keys)
    assert keys[0] == ("essay-feedback", "utopia")
    assert keys[-1] == ("proposal-writing", "qwen3-max", "coverage", "knee")


def test_what_is_ambiguous_over_the_pool_is_the_scenario_alone(pipeline):
    with pytest.raises(MooInferError, match="'utopia' has 3 choices here; name the scenario as well"):
        _ = pipeline.run()["utopia"]


# Frames


def test_a_frame_of_candidates_has_every_row_and_figure(pipeline):
    table = pipeline.candidates(["gpt-5", "gpt-5-nano"])
    frame = table.to_frame(["mean", "low", "p95"])
    assert frame["row"].to_list() == list(range(len(table)))
    assert frame["model"].to_list() == table.model.tolist()
    assert frame["latency.p95"].to_list() == table.column("latency", "p95").tolist()
    assert frame["cost.low"].to_list() == table.column("cost", "low").tolist()
    assert frame["simulated"].unique().to_list() == [""]
    view = table.feasible(pipeline.scenarios["essay-feedback"].limits)
    assert view.to_frame()["row"].to_list() == view.rows.tolist()
    assert view.to_frame()["accuracy.stderr"].null_count() == len(view)  # without a log it is not known


def test_a_frame_says_what_is_simulated_and_extrapolated():
    frame = Pipeline("majority-vote", k=[1, 3]).candidates("gpt-5").to_frame(["mean"])
    assert frame["simulated"].to_list() == ["accuracy.std, accuracy.low, accuracy.high"] * 2
    assert frame.schema["extrapolated"] == pl.Boolean


def test_a_frame_of_choices_holds_what_the_json_holds():
    scenario = Scenario("s", {"latency": {"p95": 40}})
    report = Pipeline(selectors=["max-accuracy", "knee"], k_max=32).run(["gpt-5", "gpt-5-nano"], scenario)
    document, frame = json.loads(report.to_json()), report.to_frame()
    for row, entry in zip([*document["rows"], *document["recommended"]], frame.rows(named=True), strict=True):
        for name in ("scenario", "model", "aggregator", "selector", "k", "parallelism"):
            assert entry[name] == row[name], name
        for objective, figures in (row["objectives"] or {}).items():
            for statistic, value in figures.items():
                if statistic == "interval":
                    continue
                assert entry[f"{objective}.{statistic}"] == value, (objective, statistic)
        assert entry["reason"] == row.get("reason")
        for name, value in (row["per_right"] or {}).items():
            assert entry[f"per_right.{name}"] == value
    assert frame["recommended"].sum() == 2
    assert frame.filter("answer").select("selector", "k").rows() == [("max-accuracy", document["headline"][0]["k"])]
    assert frame["latency.p95"].max() <= 40


def test_a_frame_holds_the_answer_a_mixture_too():
    scenarios = [Scenario("s", {"cost": 0.02, "latency": {"p95": 1e3}}), Scenario("none", {"cost": 1e-9})]
    report = Pipeline(goal="mixture", k_max=8).run(["gpt-5", "gpt-5-nano"], scenarios)
    plain = Pipeline(k_max=8).run(["gpt-5", "gpt-5-nano"], scenarios[0]).to_frame()
    assert plain.filter("answer").select("selector", "recommended").rows() == [("cheapest-within", True)]
    document, frame = json.loads(report.to_json()), report.to_frame().filter("answer")
    assert frame["scenario"].to_list() == ["s", "none"]
    (own, reason), (entry, nothing) = document["headline"], frame.rows(named=True)
    assert len(own["mixture"]) == 2
    for name in ("model", "aggregator", "selector", "k", "parallelism"):
        assert entry[name] == own[name], name
    for objective, figures in own["objectives"].items():
        for statistic in {*figures} - {"interval"}:
            assert entry[f"{objective}.{statistic}"] == figures[statistic], (objective, statistic)
    assert f"{own['mixture'][0]['weight']!r} of {own['mixture'][0]['model']}, best-of-k, k = " in entry["mixture"]
    assert (nothing["reason"], nothing["cost.mean"], nothing["k"]) == (reason["reason"], None, None)


def test_a_frame_of_a_report_without_a_choice_has_its_columns_and_reasons():
    frame = Pipeline(selectors="utopia", k_max=8).run("gpt-5", Scenario("s", {"cost": 1e-9})).to_frame()
    assert frame["k"].null_count() == frame["accuracy.mean"].null_count() == len(frame) == 2
    assert all(reason.startswith("nothing is feasible") for reason in frame["reason"])


def test_a_frame_says_how_sure_a_choice_is():
    dear = replace(builtin_models()["gpt-5"], uncertain={"costs[0].usd_per_output_token": Uncertain(se=2e-6)})
    report = Pipeline(selectors="max-accuracy").run(dear, Scenario("s", {"cost": 0.5})).with_stability(20)
    choice = report["max-accuracy"]
    (share,) = (s.share for s in report.shares(choice) if s.k == choice.k)
    assert report.to_frame().filter("recommended")["stability"].to_list() == [share]


def test_a_frame_of_estimates_has_a_row_a_k():
    samples = Samples("mine", ["q1", "q2"], np.array([0, 0, 0, 1, 1]), np.array([1.0, 0, 0, 1, 1]))
    summary = summarise(samples)
    frame = summary.to_frame()
    assert frame["k"].to_list() == [1, 2]
    assert frame["pass_at_k.value"].to_list() == summary.pass_at_k.value.tolist()
    assert frame["pass_at_k.low"].to_list() == summary.pass_at_k.low.tolist()
    assert frame["vote_at_k.value"].to_list() == [None, None]
    assert len(pl.concat([frame, frame])) == 4


def test_notebooks_show_a_table_with_every_name_escaped():
    table = Candidates.from_means(Pipeline().candidates("gpt-5").objectives[:1], [[0.5]], model="<b>m</b>")
    html = table._repr_html_()
    assert "<table" in html
    assert "<b>m" not in html
    assert "0.5" in html
