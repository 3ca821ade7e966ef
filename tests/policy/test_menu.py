"""The menu: about ten policies that suit the models, and how much better the choice among them looks than it is."""

from dataclasses import replace

import numpy as np
import pytest

from moo_infer import Limit, ModelProfile, Pipeline, Policy, Samples, Scenario
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.builtin.selectors import MaxAccuracy
from moo_infer.core.parts import NAME
from moo_infer.decide.choices import decide
from moo_infer.decide.crossfit import cross_fitted
from moo_infer.quantities.bootstrap import QuestionHalves


def samples(model, usd=0.01, solved=0.5, Q=40, n=8, seed=0, **columns):
    rng = np.random.default_rng(seed)
    question = np.repeat(np.arange(Q), n)
    p = np.clip(solved + np.linspace(-0.4, 0.4, Q), 0, 1)
    right = rng.random(Q * n) < p[question]
    known = {"answer": np.where(right, 0, rng.integers(1, 4, Q * n)), "cost_usd": usd * (1 + rng.random(Q * n))}
    known |= {"latency_s": rng.random(Q * n)} | columns
    return Samples(model, [f"q{i}" for i in range(Q)], question, right * 1.0, known)


def profile(log):
    return ModelProfile(log.model, Empirical(log), (LoggedCost(), LoggedLatency()))


CHEAP = profile(samples("cheap", 0.001, 0.5))
DEAR = profile(samples("dear", 0.02, 0.7, seed=1))


def policies(models, registry, **given):
    table = Pipeline(
        "one-call", k=[1], models=models, policies=given.pop("policies", "menu"), registry=registry, **given
    )
    return {curve.label: curve.courses[0].policy for curve in table.candidates().curves if curve.courses}


def test_votes_are_cut_short_for_each_model_and_a_cheap_model_goes_before_the_most_accurate_one(registry):
    found = policies({"cheap": CHEAP, "dear": DEAR}, registry)
    votes = {
        "decided-in-waves": "vote-until-decided:k=8",
        "decided-as-they-come": "vote-until-decided:k=8,arrivals=true",
        "two-then-more": "two-then-more:k=8",
        "adaptive-consistency": "adaptive-consistency:k=8",
    }
    cascades = {
        "two-agree": "cascade:first={model: cheap, k: 2},then={model: dear, k: 1}",
        "three-agree": "cascade:first={model: cheap, k: 3},then={model: dear, k: 1}",
        "two-of-three-agree": "cascade:first={model: cheap, k: 3},then={model: dear, k: 1},agree=2",
    }
    assert found == {(model, name): text for model in ("cheap", "dear") for name, text in votes.items()} | {
        ("cheap > dear", name): text for name, text in cascades.items()
    }
    assert all(NAME.fullmatch(name) for _, name in found)
    assert all(registry.get(Policy, text) for text in found.values())


def test_a_cascade_is_tried_where_the_other_model_is_eight_times_as_dear(registry):
    near = replace(DEAR, inference=Empirical(samples("dear", 0.0072, 0.7, seed=1)))
    assert {model for model, _ in policies({"cheap": CHEAP, "dear": near}, registry)} == {"cheap", "dear"}


def test_prompts_of_a_cheap_model_and_its_scores_are_tried(registry):
    names = ("small/cot", "small/program")
    keys = {"answer_key": np.arange(4)}
    logs = [samples(name, 0.001, 0.5, seed=i, score=np.linspace(0, 1, 320)) for i, name in enumerate(names)]
    logs = [replace(log, columns={**log.columns, "answer_key": keys["answer_key"][log["answer"]]}) for log in logs]
    found = policies({log.model: profile(log) for log in logs} | {"dear": DEAR}, registry)
    first, second = sorted(names, key=lambda name: -logs[names.index(name)].correct.mean())
    assert found[f"{first} > {second} > dear", "two-prompts-agree"] == (
        f"cascade:first=[{{model: {first}, k: 1}}, {{model: {second}, k: 1}}],then={{model: dear, k: 1}}"
    )
    assert "score_above=0.5" in found[f"{first} > dear", "score-above-median"]
    assert len({name for _, name in found}) <= 11


def test_models_whose_answers_cannot_be_counted_have_no_votes(registry):
    plain = samples("plain")
    plain = replace(plain, columns={name: column for name, column in plain.columns.items() if name != "answer"})
    assert {model for model, _ in policies({"cheap": CHEAP, "plain": profile(plain)}, registry)} == {"cheap"}


def test_what_is_named_stays_beside_the_menu(registry):
    found = policies({"cheap": CHEAP}, registry, policies=["menu", "two-then-more:k=4", "adaptive-consistency:k=8"])
    assert found["cheap", "two-then-more"] == "two-then-more:k=4"
    assert found["cheap", "two-then-more:k=8"] == "two-then-more:k=8"
    assert list(found.values()).count("adaptive-consistency:k=8") == 1
    own = policies({"cheap": CHEAP}, registry, named_policies={"menu": {"kind": "fixed", "k": 3}})
    assert own == {("cheap", "menu"): "fixed:k=3"}


def test_halves_are_those_of_all_models_by_name():
    names = [f"q{i}" for i in range(50)]
    one, other = QuestionHalves(names, 6, 3), QuestionHalves(names[::-3], 6, 3)
    np.testing.assert_array_equal(one.weights[:, ::-3] > 0, other.weights > 0)
    np.testing.assert_allclose(one.weights.sum(axis=1), 1.0)
    assert ((one.weights[::2] > 0) ^ (one.weights[1::2] > 0)).all()
    assert not one.pseudo.any()


def test_the_optimism_is_that_of_logs_that_were_really_halved(registry):
    """The choice on a table of one half of the questions, scored on a table of the other, both made of half a log."""
    logs, seed = [samples("cheap", 0.001, 0.5), samples("dear", 0.02, 0.7, seed=1)], 0
    scenario = Scenario("s", {"cost": 0.01}, {})

    def table(kept):
        models = {log.model: profile(log.where(kept[log.question])) for log in logs}
        return Pipeline("plurality-vote", k=[1, 3, 5], models=models, policies="two-then-more:k=5", registry=registry)

    def choose(table):
        return decide(table, scenario, [MaxAccuracy()], explain=False, curves=False)[2][0]

    first = QuestionHalves(logs[0].questions, 40, seed).weights > 0
    expected = [tuple(table(kept).candidates() for kept in (first[i], ~first[i])) for i in (0, 2)]
    reference = cross_fitted(expected, scenario, choose)
    whole = table(np.ones(40, dtype=bool))
    whole.candidates()
    redraw = whole._redraw(tuple(whole.models.values()))
    found = cross_fitted(list(redraw.halves(20, seed))[:2], scenario, choose)
    assert found.accuracy == pytest.approx(reference.accuracy, rel=1e-9)
    assert found.ratios == pytest.approx(reference.ratios, rel=1e-9)
    assert (found.halves, found.broken) == (4, reference.broken)


@pytest.mark.parametrize("goal", [None, "mixture"])
def test_the_report_says_the_optimism(registry, goal):
    models = {"cheap": CHEAP, "dear": DEAR}
    report = Pipeline(k=[1], goal=goal, models=models, policies="menu", registry=registry).run(
        scenarios=Scenario("s", {"cost": 0.01}, {})
    )
    text = " ".join(report.to_text().split())
    (headline,) = report.to_dict()["headline"]
    known = headline["optimism"]
    assert known["halves"] == 40
    assert 0 <= known["limits_broken"] <= 1
    assert set(known["ratios"]) == {"cost", "latency"}
    assert f"Chosen on one half of the questions, accuracy is {abs(known['accuracy']):.3f} lower and cost" in text
    assert f"{100 * known['limits_broken']:.0f} % of the choices break a limit there." in text
    other = Pipeline(k=[1], goal=goal, models=models, policies="two-then-more:k=8", registry=registry).run()
    assert other.to_dict()["headline"][0]["optimism"] is None


def test_few_questions_are_not_halved(registry):
    with pytest.warns(
        UserWarning, match="is not cross-fitted: that takes logs with 20 questions at least, and here there are 12"
    ):
        Pipeline("one-call", k=[1], models={"m": profile(samples("m", Q=12))}, policies="menu", registry=registry).run()


def test_limits_of_a_choice_on_quantiles_count_on_the_other_half(registry):
    models = {"cheap": CHEAP}
    scenario = Scenario("s", {"latency": {"p95": 0.97}}, {})
    report = Pipeline("plurality-vote", k=[1, 3], models=models, policies="menu", registry=registry).run(
        scenarios=scenario
    )
    assert report.outcomes[0].scenario.limits[0] == Limit("latency", 0.97, "max", "p95")
    assert 0 < report.outcomes[0].optimism.broken < 1


def test_that_nothing_of_the_menu_suits_is_said(registry):
    plain = samples("plain")
    plain = replace(plain, columns={name: column for name, column in plain.columns.items() if name != "answer"})
    with pytest.warns(UserWarning, match="left out: the menu: none of its policies suits the models"):
        Pipeline("one-call", k=[1], models={"plain": profile(plain)}, policies="menu", registry=registry).run()
