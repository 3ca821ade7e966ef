"""The answer: what is said of how sure it is, and that a looser limit never makes it worse."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_infer import ModelProfile, Pipeline, Samples, Scenario
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.cli.app import run

YAML = """
models:
  mine:
    inference: {kind: gaussian, tokens_in_mean: 100, tokens_in_std: 0, tokens_out_mean: 500, tokens_out_std: 0,
                accuracy_mean: %s, accuracy_std: 0}
    costs:
    - {kind: linear-cost, usd_per_input_token: 1e-6, usd_per_output_token: 1e-5}
    - {kind: linear-latency, seconds_per_input_token: 0.001, seconds_per_output_token: 0.01}
"""


def log(name, rng, Q=12, n=6):
    question = np.repeat(np.arange(Q), n)
    answer = np.where(rng.random(Q * n) < rng.beta(1, 1, Q)[question], 0, rng.integers(1, 4, Q * n))
    columns = {"answer": answer, "cost_usd": rng.lognormal(-4, 1) * rng.lognormal(0, 0.3, Q * n)}
    columns["latency_s"] = rng.lognormal(2, 1) * rng.lognormal(0, 0.5, Q * n)
    return Samples(name, [f"q{i}" for i in range(Q)], question, (answer == 0) * 1.0, columns)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**30), st.floats(0.1, 3), st.floats(0.1, 3), st.sampled_from(["cost", "latency"]), st.floats(1, 9)
)
def test_a_looser_limit_never_makes_the_answer_worse_by_more_than_its_tolerance(seed, usd, seconds, loosened, times):
    rng = np.random.default_rng(seed)
    models = [
        ModelProfile(name, Empirical(log(name, rng)), (LoggedCost(), LoggedLatency()), parallelism=6)
        for name in ("a", "b", "c")
    ]
    limits = {"cost": 0.05 * usd, "latency": 15.0 * seconds}
    tight = Scenario("tight", max=limits)
    loose = Scenario("loose", max={**limits, loosened: limits[loosened] * times})
    report = Pipeline(k=range(1, 7)).run(models, [tight, loose])
    table = report.candidates
    before, after = (report.choice("cheapest-within", scenario=name) for name in ("tight", "loose"))
    if before.row is None:
        return
    assert after.row is not None
    met = np.flatnonzero(table.met(loose.limits))
    best = met[np.argmax(table.column("accuracy")[met])]
    tolerance = table.paired_stderr("accuracy", int(best))[after.row] / 2
    assert after.accuracy.mean >= before.accuracy.mean - tolerance - 1e-12


@pytest.fixture
def command(tmp_path, capsys):
    (tmp_path / "certain.yaml").write_text(YAML % "0.6")
    (tmp_path / "uncertain.yaml").write_text(YAML % "{value: 0.6, se: 0.05}")

    def call(name, *more):
        assert run(["recommend", "--models", str(tmp_path / f"{name}.yaml"), "--k-max", "4", *more]) == 0
        return capsys.readouterr()

    return call


def test_how_sure_an_answer_is_stands_there_unasked_where_a_number_is_uncertain(command):
    assert "of 200 draws" in command("uncertain").out
    assert "draws" not in command("uncertain", "--stability", "0").out
    assert "of 50 draws" in command("uncertain", "--stability", "50").out
    assert "draws" not in command("certain").out


def test_what_is_said_unasked_is_about_the_answer_alone(command):
    unasked, asked = (json.loads(command("uncertain", "--json", *more).out) for more in ((), ("--stability", "200")))
    assert unasked["headline"][0]["stability"] == asked["headline"][0]["stability"]
    assert {row["stability"] for row in unasked["rows"]} == {None}
    assert None not in [row["stability"] for row in asked["rows"]]


def test_where_nothing_is_uncertain_that_is_said(command):
    shown = command("certain", "--stability", "20")
    assert "nothing is uncertain here" in shown.err
    assert "draws" not in shown.out


def test_the_interval_of_uncertain_numbers_is_shown_beside_the_mean(command):
    headline = json.loads(command("uncertain", "--aggregator", "one-call", "--json").out)["headline"][0]
    interval = headline["objectives"]["accuracy"]["interval"]
    assert interval["other_questions"] is None
    assert interval["same_questions"] is None
    low, high = interval["draws"]
    assert (low, high) == (pytest.approx(0.5, abs=0.04), pytest.approx(0.7, abs=0.04))
    assert f"accuracy 0.600 [{low:.3f}, {high:.3f}]" in command("uncertain", "--aggregator", "one-call").out
    assert "uncertain numbers" in command("uncertain", "--aggregator", "one-call", "--details").out
    assert json.loads(command("certain", "--json").out)["headline"][0]["objectives"]["cost"]["interval"] is None


def test_json_has_both_intervals_of_a_log():
    models = [ModelProfile("a", Empirical(log("a", np.random.default_rng(0))), (LoggedCost(),))]
    report = Pipeline(k=[1, 3]).run(models, Scenario("any")).to_dict()
    interval = report["headline"][0]["objectives"]["accuracy"]["interval"]
    assert interval["other_questions"][0] < interval["same_questions"][0]
    assert interval["same_questions"][1] < interval["other_questions"][1]
    assert interval["draws"] is None
