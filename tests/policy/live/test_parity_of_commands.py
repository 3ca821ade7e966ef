"""From the command line: what run wrote is calibrated, and recommend says of the same policy what it has done."""

import json

import numpy as np
import pytest
import yaml
from logged_models import LoggedModels, small_log

from moo_infer.builtin.policies import Fixed, TwoThenMore
from moo_infer.builtin.stopping import WorthIt
from moo_infer.policy.deployment import Deployment
from moo_infer.read.profiles import load_models

PRICE = (1e-6, 4e-6)


@pytest.fixture(scope="module")
def log():
    return LoggedModels([row for row in small_log() if row["model"] == "small"], {"small": PRICE})


@pytest.fixture
def circle(cli, tmp_path, log):
    """Run a policy, calibrate what it wrote, and evaluate the policy: the lines of answers, and a row of the report."""

    def go(policy, *options):
        questions, models, out, answers, calibrated = (
            tmp_path / name for name in ("q.jsonl", "models.yaml", "out.jsonl", "answers.jsonl", "calibrated.yaml")
        )
        targets = {row["question_id"]: row["target"] for row in log.rows}
        lines = [{**question.fields, "target": targets[question.id]} for question in log.questions]
        questions.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        with log.served() as fake:
            call = {"base_url": fake.base_url, "max_tokens": 10**6}
            cost = {"kind": "linear-cost", "usd_per_input_token": PRICE[0], "usd_per_output_token": PRICE[1]}
            models.write_text(yaml.safe_dump({"models": {"small": {"call": call, "costs": [cost]}}}))
            named = ("--policy", f"{policy},model=small", "--out", out, "--answers", answers, *options)
            code, printed, said = cli("run", questions, "--models", models, *named, "--json")
            assert (code, fake.requests) == (0, json.loads(printed)["requests"]), said
            assert json.loads(printed)["spent_usd"] == pytest.approx(fake.billed_usd(log.prices), rel=1e-9)
        code, _, said = cli("calibrate", out, "--models", models, "--out", calibrated)
        assert code == 0, said
        code, printed, said = cli("recommend", "--models", calibrated, "--policy", policy, "--json")
        assert code == 0, said
        rows = [row for row in json.loads(printed)["rows"] if row["policy"]]
        return [json.loads(line) for line in answers.read_text().splitlines()], rows[0]

    return go


def test_a_static_row_is_evaluated_as_it_went(circle, log, registry):
    answers, row = circle("fixed:k=6")
    told = log.replayed(Fixed(6, model="small"), registry)
    means = {name: part["mean"] for name, part in row["objectives"].items()}
    assert means["accuracy"] == pytest.approx(told.totals["accuracy"].mean(), abs=1e-12)
    assert means["cost"] == pytest.approx(told.totals["cost"].mean(), rel=1e-9)
    assert means["cost"] == pytest.approx(np.mean([line["cost_usd"] for line in answers]), rel=1e-9)
    assert means["latency"] == pytest.approx(np.mean([line["latency_s"] for line in answers]), rel=1e-9)
    by_name = dict(zip(log.names, told.totals["accuracy"], strict=True))
    assert all(
        line["correct"] == by_name[line["question_id"]] for line in answers if by_name[line["question_id"]] in (0, 1)
    )


def test_a_policy_is_evaluated_from_questions_that_were_explored(circle, log, registry):
    """All six samples of each are there: over all pairs that may come first, the policy is worth what the log says."""
    answers, row = circle("two-then-more:k=6", "--explore", "1")
    assert {line["calls"] for line in answers} == {6}
    samples = log.profiles["small"].queries.samples
    means = {name: part["mean"] for name, part in row["objectives"].items()}
    whole = log.replayed(Fixed(6, model="small"), registry).totals
    worths, calls = [], []
    for q in range(len(log.names)):
        own = samples.question == q
        answer, right = samples["answer"][own], samples.correct[own]
        for i in range(6):
            for j in range(i):
                agree = answer[i] == answer[j] >= 0
                worths.append(right[i] if agree else whole["accuracy"][q])
                calls.append(2 if agree else 6)
    assert means["accuracy"] == pytest.approx(np.mean(worths), abs=1e-12)
    assert row["calls"]["mean"] == pytest.approx(np.mean(calls), rel=1e-12)
    assert TwoThenMore(6, "small").most == {"small": row["k"]}


def test_numbers_that_a_policy_leaves_open_are_those_that_it_is_evaluated_with(cli, tmp_path, log, registry):
    """Price and prior of worth-it come from the calibrated profile, in recommend and in run."""
    questions, models, first, out, answers, calibrated = (
        tmp_path / name for name in ("q.jsonl", "m.yaml", "first.jsonl", "out.jsonl", "a.jsonl", "calibrated.yaml")
    )
    targets = {row["question_id"]: row["target"] for row in log.rows}
    lines = [{**question.fields, "target": targets[question.id]} for question in log.questions]
    questions.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    with log.served() as fake:
        call = {"base_url": fake.base_url, "max_tokens": 10**6}
        cost = {"kind": "linear-cost", "usd_per_input_token": PRICE[0], "usd_per_output_token": PRICE[1]}
        models.write_text(yaml.safe_dump({"models": {"small": {"call": call, "costs": [cost]}}}))
        policy = ("--policy", "worth-it:value=0.05,k=6", "--out", out, "--answers", answers)
        code, _, said = cli("run", questions, "--models", models, *policy)
        assert (code, "the prior of what is right are not known" in said) == (2, True)
        assert cli("sample", questions, "--models", models, "--samples", 6, "--out", first, "--yes")[0] == 0
        assert cli("calibrate", first, "--models", models, "--out", calibrated)[0] == 0
        fake.clear()
        code, _, said = cli("run", questions, "--models", calibrated, *policy)
        assert code == 0, said
    deployment = Deployment.of(WorthIt(0.05, k=6, model="small"), load_models(calibrated, registry), None, registry)
    told = log.replayed(deployment.policy, registry)
    calls = {line["question_id"]: line["calls"] for line in map(json.loads, answers.read_text().splitlines())}
    assert [calls[name] for name in log.names] == told.n[:, 0].tolist()
    assert len({*calls.values()}) > 1
