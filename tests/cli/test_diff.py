"""Two nights compared: what changed, whether it is more than noise, and the exit code."""

import csv
import json
import shutil
from collections import defaultdict
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_infer import MooInferError
from moo_infer.cli.app import run
from moo_infer.report.diff import diff, read_document

PRICES = "small:\n  usd_per_input_token: {small}\n  usd_per_output_token: {small}\nlarge:\n  usd_per_input_token: 1.0e-5\n  usd_per_output_token: 1.0e-5\n"


def log(path, seed=0, questions=range(40), p=(0.5, 0.8), seconds=2.0):
    """Two models on questions of the same difficulty in every log, answered by `seed`."""
    rng = np.random.default_rng(seed)
    difficulty = np.random.default_rng(99).normal(size=200)
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(
            ["model", "question_id", "sample", "correct", "answer", "input_tokens", "output_tokens", "latency_s"]
        )
        for model, share in zip(("small", "large"), p, strict=True):
            for question in questions:
                right = 1 / (1 + np.exp(-(np.log(share / (1 - share)) + 1.5 * difficulty[question])))
                for sample in range(6):
                    correct = int(rng.random() < right)
                    answer = "right" if correct else f"wrong{rng.integers(3)}"
                    tokens = int(200 * rng.lognormal(0, 0.2) * np.exp(0.2 * difficulty[question]))
                    rows.writerow(
                        [model, f"q{question}", sample, correct, answer, 100, tokens, seconds * rng.lognormal(0, 0.2)]
                    )
    return path


@pytest.fixture(scope="module")
def nights(tmp_path_factory):
    """Folders of nights, by what was asked of them: the same night is worked out once."""
    return defaultdict(partial(tmp_path_factory.mktemp, "night"))


@pytest.fixture
def night(nights, tmp_path, capsys, monkeypatch):
    """Calibrate, recommend, and return the two documents; all beside each other under a name."""

    def call(name, *more, small="1.0e-7", **given):
        folder = nights[name, more, small, repr(given)]
        if not any(folder.iterdir()):
            monkeypatch.chdir(folder)
            log(folder / f"{name}.csv", **given)
            Path(f"{name}-prices.yaml").write_text(PRICES.format(small=small))
            words = ["calibrate", f"{name}.csv", "--prices", f"{name}-prices.yaml", "--out", f"{name}.yaml", "--json"]
            assert run(words) == 0
            Path(f"{name}-calibrated.json").write_text(capsys.readouterr().out)
            run(["recommend", "--models", f"{name}.yaml", "--max-cost", "0.001", "--json", *more])
            Path(f"{name}.json").write_text(capsys.readouterr().out)
        monkeypatch.chdir(tmp_path)
        for file in folder.iterdir():
            shutil.copyfile(file, file.name)

    return call


def document(name):
    return json.loads(Path(f"{name}.json").read_text())


@pytest.fixture
def compared(capsys):
    def call(old, new, *more):
        code = run(["diff", f"{old}.json", f"{new}.json", "--json", *more])
        shown = capsys.readouterr()
        return code, json.loads(shown.out)

    return call


def test_the_same_data_with_another_seed_change_nothing(night, compared):
    night("old")
    night("new", "--seed", "7")
    code, found = compared("old", "new")
    assert (code, found["changed"], found["numbers"]) == (0, False, [])
    assert found["sentences"] == ["custom: still small, plurality-vote, k = 5; no number of it changed."]


def test_other_questions_are_noise_and_that_is_said(night, compared):
    night("old", questions=range(40), p=(0.9, 0.5))
    night("new", questions=range(60, 100), p=(0.9, 0.5), seed=5)
    code, found = compared("old", "new")
    accuracy = next(number for number in found["numbers"] if number["what"] == "accuracy")
    assert (accuracy["noise"], accuracy["paired"]) == (True, False)
    if code == 4:
        assert found["choices"][0]["noise"]
        code, _ = compared("old", "new", "--ignore-noise")
    assert code == 0


def test_a_price_that_changed_is_named_and_what_it_does_is_more_than_noise(night, compared, capsys):
    night("old")
    night("new", small="2.0e-7")
    code, found = compared("old", "new")
    assert code == 0
    changed = {s["where"]: (s["old"], s["new"]) for s in found["settings"]}
    assert changed["models.small.costs[0].usd_per_output_token"] == (1e-7, 2e-7)
    cost = next(number for number in found["numbers"] if number["what"] == "cost")
    assert (cost["noise"], cost["paired"], cost["new"]) == (False, True, pytest.approx(2 * cost["old"]))
    assert "more than noise: cost" in found["sentences"][0]
    night("dear", small="1.0e-4")  # nothing of it is within the budget then
    code, found = compared("old", "dear")
    assert (code, found["choices"][0]["new"]) == (4, None)
    assert found["choices"][0]["noise"] is False
    assert run(["diff", "old.json", "dear.json"]) == 4
    text = " ".join(capsys.readouterr().out.split())
    assert "custom: small, plurality-vote, k = 5 became no choice; in the new report nothing is chosen." in text
    assert "models.small.costs[0].usd_per_output_token: 1e-07 became 0.0001" in text


def test_a_better_model_changes_the_choice_by_more_than_noise(night, compared):
    night("old", "--max-cost", "1", p=(0.3, 0.9))
    night("new", "--max-cost", "1", p=(0.97, 0.2), seed=3)
    code, found = compared("old", "new")
    choice = found["choices"][0]
    assert (code, choice["old"]["model"], choice["new"]["model"], choice["noise"]) == (4, "large", "small", False)
    assert compared("old", "new", "--ignore-noise")[0] == 4


def test_the_same_questions_are_compared_question_by_question(night, compared):
    night("old")
    night("new", seed=1)
    _, found = compared("old", "new")
    (accuracy,) = [number for number in found["numbers"] if number["what"] == "accuracy"]
    old, new = (document(name)["headline"][0] for name in ("old", "new"))
    if found["choices"][0]["changed"]:
        return
    each = np.array(new["by_question"]["accuracy"]) - np.array(old["by_question"]["accuracy"])
    assert accuracy["paired"]
    assert accuracy["new"] - accuracy["old"] == pytest.approx(each.mean())
    width = (accuracy["high"] - accuracy["low"]) / (2 * 1.96 * each.std(ddof=1) / np.sqrt(len(each)))
    assert 0.8 < width < 1.3
    apart = [(i["other_questions"][1] - i["other_questions"][0]) for i in (old["objectives"]["accuracy"]["interval"],)]
    assert accuracy["high"] - accuracy["low"] < apart[0] * 2**0.5


def test_two_calibrations_show_what_drifts(night, compared, capsys):
    night("old")
    night("slow", seed=1, seconds=3.0)
    code, found = compared("old-calibrated", "slow-calibrated")
    assert (code, found["kind"], found["choices"]) == (0, "calibrate", [])
    verdicts = {(number["where"], number["what"]): number["noise"] for number in found["numbers"]}
    assert verdicts["small", "mean_latency_s"] is False
    assert verdicts["small", "pass at k = 1"] is True
    assert any("small: more than noise:" in said and "mean_latency_s" in said for said in found["sentences"])
    assert compared("old-calibrated", "old-calibrated")[1]["sentences"] == ["No number changed."]


def test_a_scenario_that_is_new_or_gone_is_another_choice(night, compared):
    night("old")
    old = document("old")
    more = [*old["headline"], old["headline"][0] | {"scenario": "night"}]
    Path("more.json").write_text(json.dumps(old | {"headline": more}))
    code, found = compared("old", "more")
    assert (code, found["choices"][1]["why"]) == (4, "in the old report there is no such scenario")
    assert compared("more", "old")[0] == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must be JSON"),
        ("[1, 2]", "must be what"),
        ('{"schema": 1}', "must be what"),
        ('{"schema": 2, "headline": []}', "must be what"),
        ('{"schema": 1, "headline": [NaN]}', "holds NaN"),
        ('{"schema": 1, "headline": [1e999]}', "holds 1e999"),
        ("[" * 100_000, "nested too deeply"),
        ("\udcff", "must be UTF-8"),
        ('{"schema": 1, "headline": [' + "[]," * 2**20 + "[]]}", "has more than 1,048,576 entries"),
    ],
)
def test_what_is_no_document_is_refused_in_a_sentence(text, said, tmp_path, capsys):
    path = tmp_path / "other.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert run(["diff", str(path), str(path)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err
    assert len(shown.err) < 400


def test_documents_of_different_commands_are_refused(night, capsys):
    night("old")
    assert run(["diff", "old.json", "old-calibrated.json"]) == 2
    assert "the old document is of `recommend`, the new one of `calibrate`" in capsys.readouterr().err
    assert run(["diff", "old.json", "missing.json"]) == 2
    assert "missing.json: no such file" in capsys.readouterr().err


# The characters that `st.text` takes by itself; it would try to encode each one there is, which takes seconds.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | TEXT | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_documents_that_were_tampered_with_give_an_answer_or_a_sentence(data):
    row = {"scenario": "s", "model": "m", "aggregator": "a", "k": 1, "stability": None, "by_question": None}
    row |= {"objectives": {"accuracy": {"mean": 0.5, "interval": None, "stderr_simulation": None}}}
    document = {"schema": 1, "headline": [row], "scenarios": [], "models": []}

    def tampered():
        place = data.draw(st.sampled_from(["headline", "scenarios", "models", *row, "mean", "interval"]))
        value = data.draw(VALUES)
        if place in document:
            return document | {place: value}
        figures = row["objectives"]["accuracy"]
        changed = {"objectives": {"accuracy": figures | {place: value}}} if place in figures else {place: value}
        return document | {"headline": [row | changed]}

    try:
        json.dumps(diff(document, tampered()).to_dict(), allow_nan=False)
        [*diff(tampered(), document).blocks()]
    except MooInferError as error:
        assert str(error)


def test_documents_are_read_as_they_are(tmp_path):
    path = tmp_path / "report.json"
    path.write_text('{"schema": 1, "headline": []}')
    assert read_document(path) == {"schema": 1, "headline": []}


def test_a_number_of_which_no_noise_is_known_is_not_called_noise():
    row = {"scenario": "s", "model": "m", "aggregator": "one-call", "k": 1}
    documents = [
        {
            "schema": 1,
            "models": [],
            "scenarios": [],
            "headline": [row | {"objectives": {"cost": {"mean": 1, "p95": p95}}}],
        }
        for p95 in (2.0, 9.0)
    ]
    found = diff(*documents)
    assert [(number.what, number.noise) for number in found.numbers] == [("p95 cost", None)]
    assert [*found.sentences()] == [
        "s: still m, one-call, k = 1; what changed in its numbers is within noise, as far as that is known."
    ]


def test_a_scenario_that_is_new_or_gone_is_a_change_also_where_nothing_is_feasible(night, compared):
    night("old")
    document = json.loads(Path("old.json").read_text())
    row = {**document["headline"][0], "scenario": "tight", "model": None, "aggregator": None, "k": None}
    limits = {**document["scenarios"][0], "name": "tight"}
    more = {"headline": [*document["headline"], row], "scenarios": [*document["scenarios"], limits]}
    Path("more.json").write_text(json.dumps(document | more))
    for old, new, which in (("more", "old", "new"), ("old", "more", "old")):
        code, found = compared(old, new)
        assert (code, found["choices"][1]["changed"]) == (4, True)
        assert found["sentences"][1] == f"tight: no choice; in the {which} report there is no such scenario."
    assert compared("more", "more")[0] == 0


def test_policies_and_options_that_changed_are_named(night, compared):
    night("old")
    document = json.loads(Path("old.json").read_text())
    config = document["config"]
    policies = {"cut": {"kind": "two-then-more", "k": 4}}
    other = {"config": {**config, "policies": policies, "run": {**config["run"], "goal": "knee", "out": ["x.json"]}}}
    Path("new.json").write_text(json.dumps(document | other))
    code, found = compared("old", "new")
    named = {s["where"]: s["new"] for s in found["settings"]}
    assert (code, named) == (0, {"policies.cut.kind": "two-then-more", "policies.cut.k": 4, "run.goal": "knee"})


def test_a_model_that_one_calibration_lacks_is_said():
    model = {"model": "a.b", "samples": 8, "questions": 2}
    old = {"schema": 1, "sources": [], "models": [model]}
    new = old | {"models": [{**model, "model": "c"}]}
    said = ["a.b: is in the old calibration alone.", "c: is in the new calibration alone.", "No other number changed."]
    assert list(diff(old, new).sentences()) == said
    assert list(diff(old, old).sentences()) == ["No number changed."]
