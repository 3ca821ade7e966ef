"""The same command goes on; which changes of it make another run, and which do not."""

import json
import os
import re

import pytest
import yaml
from live_runs import lines, quick, right_or_wrong

from moo_infer.testing import FakeEndpoint

PYTHON = "def last(text):\n    return text.split()[-1]\n\n\ndef right(answer, question):\n    return answer == '42'\n"


@pytest.fixture(scope="module")
def fake():
    with FakeEndpoint(right_or_wrong()) as fake:
        yield fake


@pytest.fixture
def live(cli, tmp_path, fake, monkeypatch):
    """Runs a command, with models, questions and options as they are changed, and tells how it ended."""
    monkeypatch.chdir(tmp_path)
    call = {"base_url": fake.base_url, "max_tokens": 10, "extract": "mine.py:last"}
    usd = {"kind": "linear-cost", "usd_per_input_token": 1e-6, "usd_per_output_token": 1e-5}
    (tmp_path / "mine.py").write_text(PYTHON)
    (tmp_path / "other.py").write_text(PYTHON)

    def run(change=lambda models: None, options=(), *, command="run", question="2 + 2?", comment="", seed=0):
        models = {name: {"call": dict(call), "costs": [dict(usd)]} for name in ("small", "large")}
        change(models)
        (tmp_path / "my.yaml").write_text(comment + yaml.safe_dump({"models": models}))
        asked = [{"question_id": "q0", "question": question, "target": "42", "task": "sums"}]
        (tmp_path / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in asked))
        given = {"--models": "my.yaml", "--out": "log.jsonl", "--seed": str(seed)}
        given |= {"run": {"--policy": "two-then-more:k=3,model=small"}, "sample": {"--samples": "2"}}[command]
        given |= dict(zip(options[::2], options[1::2], strict=True))
        arguments = [entry for pair in given.items() for entry in pair]
        with quick():
            return cli(command, "questions.jsonl", *arguments, "--json", *(["--yes"] if command == "sample" else []))

    return run


def call(**changes):
    """Change how the model is called."""
    return lambda models: models["small"]["call"].update(changes)


def cost(**changes):
    return lambda models: models["small"]["costs"][0].update(changes)


def refused(answer):
    code, out, err = answer
    assert (code, out) == (2, ""), err
    return "holds another run" in err


SAME = {
    "nothing": {},
    "a comment": {"comment": "# mine\n"},
    "a budget": {"options": ["--budget", "5"]},
    "P": {"options": ["--parallelism", "3"]},
    "answers": {"options": ["--answers", "a.jsonl"]},
    "patience": {"change": call(timeout_s=9.0, tries=2, requests_per_minute=1000, tokens_per_minute=1e6)},
    "another model": {"change": lambda models: models["large"]["call"].update(max_tokens=7)},
    "the same function in another file": {"change": call(extract="other.py:last")},
    "the same number": {"change": call(max_tokens=10.0)},
    "the same address": {"change": lambda models: call(base_url=models["small"]["call"]["base_url"] + "/")(models)},
}
ANOTHER = {
    "questions": {"question": "3 + 3?"},
    "max_tokens": {"change": call(max_tokens=11)},
    "temperature": {"change": call(temperature=0.5)},
    "system": {"change": call(system="Think.")},
    "template": {"change": call(template="{question}!")},
    "model": {"change": call(model="tiny")},
    "shape": {"change": call(shape="n")},
    "extra": {"change": call(extra={"seed": 1})},
    "extra_query": {"change": call(extra_query={"v": "1"})},
    "extract of the model": {"change": call(extract="letter")},
    "another function of extract": {"change": call(extract="mine.py:right")},
    "a price": {"change": cost(usd_per_output_token=2e-5)},
    "a price given": {"options": ["--price", "small=1,11"]},
    "policy": {"options": ["--policy", "two-then-more:k=4,model=small"]},
    "model of the policy": {"options": ["--policy", "two-then-more:k=3,model=large"]},
    "seed": {"seed": 1},
    "extract": {"options": ["--extract", "letter"]},
    "check": {"options": ["--check", "mine.py:right"]},
    "explore": {"options": ["--explore", "0.5"]},
    "money of a question": {"options": ["--max-cost", "1"]},
    "seconds of a question": {"options": ["--max-latency", "90"]},
    "how questions share a budget": {"options": ["--budget", "5", "--spread", "front"]},
    "command": {"command": "sample"},
}


@pytest.mark.parametrize("what", SAME)
def test_a_run_goes_on_with_another(what, live, fake):
    assert live()[0] == 0
    requests = fake.requests
    code, out, err = live(**SAME[what])
    assert code == 0, err
    assert json.loads(out)["resumed"]
    assert fake.requests == requests


def test_another_run_does_not_go_on(live, fake, tmp_path):
    assert live()[0] == 0
    log, requests = lines(tmp_path / "log.jsonl"), fake.requests
    assert {what: refused(live(**change)) for what, change in ANOTHER.items()} == dict.fromkeys(ANOTHER, True)
    assert lines(tmp_path / "log.jsonl") == log
    assert fake.requests == requests
    assert live()[0] == 0


@pytest.mark.parametrize(
    "options", [["--extract", "mine.py:last"], ["--check", "mine.py:right"], []], ids=["extract", "check", "profile"]
)
def test_another_function_in_the_same_file_makes_another_run(options, live, tmp_path):
    assert live(options=options)[0] == 0
    (tmp_path / "mine.py").write_text(PYTHON + "# changed\n")
    assert refused(live(options=options))


def test_a_check_that_fails_is_said(live, tmp_path):
    (tmp_path / "mine.py").write_text(f"{PYTHON}\ndef broken(answer, question):\n    raise ValueError\n")
    code, out, err = live(options=["--check", "mine.py:broken"])
    assert (code, json.loads(out)["accuracy"]) == (0, None)
    assert re.search(r"--check judged no answer to \d+ questions, .* accuracy is over the other 0", err)


def test_how_many_samples_and_of_which_models_make_another_sample(live):
    assert live(command="sample", options=["--model", "small"])[0] == 0
    assert live(command="sample", options=["--model", "small"])[0] == 0
    assert refused(live(command="sample", options=["--model", "small", "--samples", "3"]))
    assert refused(live(command="sample", options=["--model", "large"]))
    assert refused(live(command="sample"))


def test_a_log_of_another_folder_goes_on_where_its_journal_does(live, tmp_path):
    assert live()[0] == 0
    for name in ("log.jsonl", "log.jsonl.journal"):
        os.rename(tmp_path / name, tmp_path / f"moved-{name}")
    assert live(options=["--out", "moved-log.jsonl"])[0] == 0


def test_questions_share_a_budget_in_one_way_and_only_where_there_is_one(live, fake):
    code, out, err = live(options=["--budget", "5", "--spread", "front"])
    assert code == 0, err
    assert (json.loads(out)["spread"], json.loads(out)["budget_usd"]) == ("front", 5)
    assert live(options=["--budget", "6", "--spread", "front"])[0] == 0
    assert refused(live(options=["--budget", "5", "--spread", "back"]))
    requests = fake.requests
    assert "--spread: questions share a budget; give --budget USD, above 0" in live(options=["--spread", "front"])[2]
    assert "above 0" in live(options=["--budget", "0", "--spread", "front"])[2]
    assert "unknown --spread 'even'; available: back, " in live(options=["--budget", "5", "--spread", "even"])[2]
    assert fake.requests == requests
