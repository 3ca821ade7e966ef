"""Decisions by a label of the questions: each under the same limits, and what they buy, chosen and scored apart."""

import json
import pickle
import re

import numpy as np
import pytest

from moo_infer import ModelProfile, MooInferError, Pipeline, Samples, Scenario
from moo_infer.builtin.empirical import Empirical, LoggedCost
from moo_infer.builtin.fixed import FixedCost
from moo_infer.builtin.inference import Gaussian
from moo_infer.decide.crossfit import SPLITS
from moo_infer.quantities.bootstrap import QuestionHalves

Q, N = 120, 6
NAMES = [f"q{i}" for i in range(Q)]
TASKS = ["maths", "law", "art"] * (Q // 3)
SOLVED = np.random.default_rng(5).beta(0.8, 0.6, Q)


def profile(name, usd=1.0, seed=0, tasks=TASKS, **more):
    """A model that solves questions of a task more often by `more`."""
    rng, question = np.random.default_rng(seed), np.repeat(np.arange(Q), N)
    chance = np.clip(SOLVED + [more.get(task, 0.0) for task in tasks], 0, 1)
    right = (rng.random(Q * N) < chance[question]) * 1.0
    columns = {"cost_usd": usd * rng.gamma(20, 1 / 20, Q * N)}
    return ModelProfile(
        name, Empirical(Samples(name, NAMES, question, right, columns, labels={"task": tasks})), (LoggedCost(),)
    )


def decided(profiles, by="task", scenario=None, **given):
    options = {"aggregators": "one-call", "k": [1], "selectors": "max-accuracy"} | given
    return Pipeline(models={p.name: p for p in profiles}, **options).run(scenarios=scenario, by=by)


def text_of(report):
    return re.sub(r"\s+", " ", report.to_text())


@pytest.fixture(scope="module")
def apart():
    """Two models, each of which is better at one task."""
    return [profile("plain", 1.0, 1), profile("thinks", 1.2, 2, maths=0.35, law=-0.35)]


def test_every_value_is_decided_as_a_log_of_its_questions_alone(apart):
    report = decided(apart)
    assert [(of.value, of.questions, of.weight) for of in report.by.values] == [
        (task, 40, pytest.approx(1 / 3)) for task in ("maths", "law", "art")
    ]
    assert (report.by["maths"].choice.model, report.by["law"].choice.model) == ("thinks", "plain")
    for task in ("maths", "law", "art"):
        logs = [p.inference.samples for p in apart]
        asked = np.array([t == task for t in TASKS])
        alone = [ModelProfile(s.model, Empirical(s.where(asked[s.question])), (LoggedCost(),)) for s in logs]
        mine, theirs = report.by[task].choice, decided(alone, by=None)["max-accuracy"]
        assert (mine.model, mine.accuracy.mean, mine.cost.mean) == (
            theirs.model,
            theirs.accuracy.mean,
            theirs.cost.mean,
        )
        assert mine.accuracy.interval == theirs.accuracy.interval


def test_the_gain_is_that_of_choices_on_one_half_scored_on_the_other(apart):
    """Done slowly, by hand: the more accurate of two models is chosen."""
    worth = np.array([p.inference.samples.correct.reshape(Q, N).mean(axis=1) for p in apart])
    halves = QuestionHalves(NAMES, 2 * SPLITS, 0).weights > 0
    tasks, means, variances = np.array(TASKS), [], []
    for split in range(SPLITS):
        one, of = np.zeros(Q), np.zeros(Q)
        for chosen, scored in ((halves[2 * split], halves[2 * split + 1]), (halves[2 * split + 1], halves[2 * split])):
            one[scored] = worth[worth[:, chosen].mean(axis=1).round(12).argmax(), scored]
            for task in ("maths", "law", "art"):
                mine = tasks == task
                of[scored & mine] = worth[worth[:, chosen & mine].mean(axis=1).round(12).argmax(), scored & mine]
        means.append((one.mean(), of.mean()))
        variances.append((of - one).var(ddof=1) / Q)
    one, of = np.mean(means, axis=0)
    spread = np.array([b - a for a, b in means]) - (of - one)
    gain = decided(apart).by.gain
    found = gain.objectives["accuracy"]
    assert (found.one, found.by_label, found.value) == pytest.approx((one, of, of - one))
    assert found.stderr == pytest.approx(np.sqrt(np.mean(variances + spread**2)))
    assert (gain.halves, gain.questions, gain.undecided) == (2 * SPLITS, Q, 0)


def test_what_is_there_is_said_to_be_bought_and_what_is_not_is_noise(apart):
    assert "points of accuracy, told apart at 95 %" in text_of(decided(apart))
    alike = decided([profile("a", 1.0, 1), profile("b", 1.0, 2)])
    assert "The difference in accuracy is not told apart from noise: as far as this log tells" in text_of(alike)
    assert not alike.by.gain.objectives["accuracy"].told_apart


def test_limits_hold_for_every_value_by_itself(apart):
    report = decided(apart, scenario=Scenario("mine", min={"accuracy": 0.62}), goal="cheapest-within")
    maths, art = report.by["maths"].choice, report.by["art"].choice
    assert maths.accuracy.mean >= 0.62
    assert (art.k, art.model) == (None, None)
    text = text_of(report)
    assert "task art: no recommendation: nothing is feasible" in text
    assert "Limits hold for each task by itself." in text
    by = json.loads(report.to_json())["by"]
    assert by["values"][2]["k"] is None
    assert by["values"][2]["reason"].startswith("nothing is feasible")


def test_json_text_pages_and_frames_have_it(apart):
    report = decided(apart)
    by = json.loads(report.to_json())["by"]
    assert by["label"] == "task"
    assert by["values"][0].items() >= {"value": "maths", "questions": 40, "model": "thinks", "k": 1}.items()
    assert by["values"][0]["objectives"].keys() == {"accuracy", "cost"}
    assert by["gain"]["accuracy"].keys() >= {"one", "by_label", "value", "low", "high", "told_apart"}
    assert by["gain"]["cost"]["by_label"] > 0
    assert "one for all" in report.to_html()
    assert "one for all" in report._repr_html_()
    assert report.by.to_frame()["model"].to_list() == ["thinks", "plain", report.by["art"].choice.model]
    assert pickle.loads(pickle.dumps(report)).to_json() == report.to_json()
    assert json.loads(decided(apart, by=None).to_json())["by"] is None


def test_few_questions_and_a_single_one_are_said_and_do_not_break_it():
    tasks = ["lone", *["few"] * 9, *["many"] * (Q - 10)]
    report = decided([profile("a", 1.0, 1, tasks), profile("b", 1.0, 2, tasks)])
    assert report.by.gain.questions == Q - 1  # a single question cannot be chosen on and scored
    assert "2 of 3 values have fewer than 20 questions, and their choices are mostly chance." in text_of(report)


def test_questions_without_a_value_are_left_to_the_choice_for_all(apart):
    blank = ["", "", *TASKS[2:]]
    report = decided([profile("a", 1.0, 1, blank), profile("b", 1.0, 2, [*TASKS[:3], "law", *TASKS[4:]])])
    assert "2 of 120 questions have no task, or several" not in text_of(report)
    assert "1 of 120 questions have no task, or several: the choice for all serves them." in text_of(report)
    assert sum(of.questions for of in report.by.values) == Q - 1


def test_a_model_that_answered_nothing_of_a_value_is_no_candidate_there(apart):
    other = apart[1].inference.samples
    some = other.where(np.array([task != "law" for task in TASKS])[other.question])
    report = decided([apart[0], ModelProfile("thinks", Empirical(some), (LoggedCost(),))])
    assert report.by["law"].choice.model == "plain"
    assert {c.model for c in report.by["law"].report.rows} == {"plain"}


def test_what_cannot_be_decided_by_label_is_refused(apart):
    law = ModelProfile("law", Gaussian(1000, 50, 500, 50, 0.9, 0.05), (LoggedCost(),))
    once = ModelProfile("once", apart[0].inference, (LoggedCost(), FixedCost("cost", per_deployment=10)))
    limits = [Scenario("one"), Scenario("two")]
    for profiles, given, message in (
        (apart, {"by": "subject"}, "unknown label 'subject'; available: task"),
        (apart, {"scenario": limits}, "by task: is decided in one scenario, give one --scenario of one, two"),
        ([*apart, once], {"volume": 100}, "by task: several models each pay what is paid once"),
    ):
        with pytest.raises(MooInferError, match=message):
            decided(profiles, **given)
    with pytest.raises(MooInferError, match="needs the log of every model .empirical., and gpt-5 has none"):
        Pipeline().run("gpt-5", "essay-feedback", by="task")
    assert law.queries.samples is None
    with pytest.raises(MooInferError, match="unknown task 'music'; available: art, law, maths"):
        decided(apart).by["music"]


def test_the_command_decides_by_label_and_a_run_section_repeats_it(tmp_path, cli):
    lines = ["model,question_id,sample,correct,cost_usd,subject"]
    for i in range(60):
        for model, usd in (("a", 1), ("b", 2)):
            lines += [f"{model},q{i},{s},{int((i + s + usd) % 3 > 0)},{usd},{'xy'[i % 2]}" for s in range(2)]
    (tmp_path / "log.csv").write_text("\n".join(lines) + "\n")
    profiles, repeated = tmp_path / "profiles.yaml", tmp_path / "run.yaml"
    assert cli("calibrate", tmp_path / "log.csv", "--out", profiles, "--bootstrap", 50)[0] == 0
    code, text, _ = cli("recommend", "--models", profiles, "--by", "subject", "--write-run", repeated, "--stability", 0)
    assert code == 0
    assert "By subject:" in text
    assert "by: subject" in repeated.read_text()
    again = json.loads(cli("recommend", "--models", repeated, "--json")[1])
    assert [of["value"] for of in again["by"]["values"]] == ["x", "y"]
    code, _, error = cli("recommend", "--models", profiles, "--by", "task")
    assert (code, error.count("\n")) == (2, 1)
    assert "unknown label 'task'; available: subject" in error
