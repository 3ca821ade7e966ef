"""A run that is killed again and again, and goes on each time."""

import json
import os
import random
import signal
import time
from collections import Counter

import pytest
import yaml
from forks import WITHIN, Forks
from live_runs import MAX_TOKENS, USD, lines, right_or_wrong

from moo_infer.testing import FakeEndpoint

QUESTIONS, K = 60, 6
P = 3


@pytest.fixture
def fake():
    with FakeEndpoint(right_or_wrong(0.5), {"no-usage": 0.05}, delay_s=0.03) as fake:
        yield fake


@pytest.fixture
def forks(tmp_path, fake):
    """Starts commands in a folder with questions and models."""
    models = {
        name: {
            "call": {"base_url": fake.base_url, "max_tokens": MAX_TOKENS, "shape": shape},
            "costs": [{"kind": "linear-cost", "usd_per_input_token": USD[0], "usd_per_output_token": USD[1]}],
        }
        for name, shape in (("several", "n"), ("single", "parallel"))
    }
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({"models": models}))
    asked = [{"question_id": f"q{i}", "question": f"How many of {i}?", "target": "42"} for i in range(QUESTIONS)]
    (tmp_path / "questions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in asked))
    with Forks(tmp_path) as forks:
        yield forks


def command(model, parallelism):
    """The command line of a run that is stopped and goes on."""
    policy = f"two-then-more:k={K},model={model}"
    said = f"run questions.jsonl --models my.yaml --policy {policy} --out log.jsonl --answers answers.jsonl --json"
    return [*said.split(), "--parallelism", str(parallelism)]


def until(condition, forks):
    """Wait until something holds, or the process has ended."""
    end = time.monotonic() + WITHIN
    while forks.running and not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.parametrize(("model", "kills"), [("single", 20), ("several", 6)])
def test_a_run_that_is_killed_again_and_again_pays_for_nothing_twice(model, kills, forks, fake, tmp_path):
    draw = random.Random(model)
    for _ in range(kills):
        before, more = fake.requests, draw.randint(0, 4)
        number = forks.start(*command(model, P))
        until(lambda: fake.requests > before + more, forks)
        time.sleep(draw.uniform(0, 0.05))
        os.kill(number, signal.SIGKILL)
        assert forks.ended()[0] == -signal.SIGKILL
    report = finished(forks, command(model, 2 * P))
    rows, answers, requests = lines(tmp_path / "log.jsonl"), lines(tmp_path / "answers.jsonl"), fake.requests
    assert report["resumed"]
    assert report["answered"] == QUESTIONS
    assert Counter(line["question_id"] for line in answers) == Counter(f"q{i}" for i in range(QUESTIONS))
    assert sum(line["calls"] for line in answers) == len(rows)
    adds_up(report, rows, lines(tmp_path / "log.jsonl.journal"), fake)
    again = finished(forks, command(model, P))
    assert fake.requests == requests
    assert lines(tmp_path / "log.jsonl") == rows
    assert sorted(lines(tmp_path / "answers.jsonl"), key=str) == sorted(answers, key=str)
    assert again["spent_usd"] == pytest.approx(report["spent_usd"], abs=0)


def finished(forks, arguments):
    """The JSON of a command that comes to its end."""
    forks.start(*arguments)
    code, out, err = forks.ended()
    assert (code, "Traceback" in err) == (0, False), err
    return json.loads(out)


def adds_up(report, rows, journal, fake):
    """Rows, requests and money add up."""
    assert len({(row["question_id"], row["sample"]) for row in rows}) == len(rows)
    started = [line for line in journal if "largest_usd" in line]
    assert len({line["call"] for line in started}) == len(started)  # nothing was tried again
    brought = {row["call"] for row in rows}
    killed = [line["largest_usd"] for line in started if line["call"] not in brought]
    assert report["lost"] == {"requests": len(killed), "usd": pytest.approx(sum(killed))}
    assert report["requests"] == sum(row["requests"] for row in rows) + len(killed) == len(started)
    assert fake.requests <= report["requests"]
    of_rows = sum(row["cost_usd"] + row["lost_usd"] for row in rows)
    assert report["spent_usd"] == pytest.approx(of_rows + sum(killed))
    bill = fake.billed_usd(dict.fromkeys(("single", "several"), USD))
    assert report["billed_usd"] < bill < report["spent_usd"]
    assert bill - report["billed_usd"] <= sum(killed) + sum(row["cost_usd"] for row in rows if row["why"])
