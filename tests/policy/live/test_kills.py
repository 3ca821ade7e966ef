"""A run that is killed again and again, and goes on each time."""

import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml
from forks import WITHIN, Forks
from live_runs import MAX_TOKENS, USD, lines, right_or_wrong

import moo_infer
from moo_infer.testing import FakeEndpoint

QUESTIONS, K = 50, 6
P = 3


@pytest.fixture
def fake():
    with FakeEndpoint(right_or_wrong(0.5), {"no-usage": 0.05}, delay_s=0.03) as fake:
        yield fake


@pytest.fixture(scope="module")
def forking():
    """Starts commands: to load what they need takes longer than most of them."""
    with Forks() as forks:
        yield forks


@pytest.fixture
def forks(tmp_path, fake, forking):
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
    forking.folder = tmp_path
    yield forking
    forking.clear()


def command(model, parallelism):
    """The command line of a run that is stopped and goes on."""
    policy = f"two-then-more:k={K},model={model}"
    said = f"run questions.jsonl --models my.yaml --policy {policy} --out log.jsonl --answers answers.jsonl --json"
    return [*said.split(), "--parallelism", str(parallelism)]


def until(fake, requests, forks):
    """Wait until so many requests have come, or the process has ended."""
    end = time.monotonic() + WITHIN
    while forks.running and fake.requests < requests:
        assert time.monotonic() < end
        time.sleep(0.001)


@pytest.mark.parametrize(("model", "kills"), [("single", 20), ("several", 3)])
def test_a_run_that_is_killed_again_and_again_pays_for_nothing_twice(model, kills, forks, fake, tmp_path):
    draw = random.Random(model)
    for _ in range(kills):
        requests = fake.requests + draw.randint(1, 5)
        number = forks.start(*command(model, P))
        until(fake, requests, forks)
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
    assert again["spent_usd"] == pytest.approx(report["spent_usd"], rel=1e-12)  # in another order


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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_command_softly_with_its_report(number, forks, fake, tmp_path):
    process = forks.start(*command("single", P))
    until(fake, 10, forks)
    os.kill(process, number)
    code, out, err = forks.ended()
    report = json.loads(out)
    assert (code, report["stopped"], report["lost"]) == (5, "signal", {"requests": 0, "usd": 0.0}), err
    assert "stopping: calls on their way are awaited for up to 30 s; a second signal ends that" in err
    assert report["requests"] == fake.requests == len(lines(tmp_path / "log.jsonl"))
    assert len(lines(tmp_path / "answers.jsonl")) == QUESTIONS
    assert finished(forks, command("single", 2 * P))["answered"] == QUESTIONS


def test_a_signal_at_any_moment_of_the_start_leaves_files_that_a_run_goes_on_with(forks, fake, tmp_path):
    draw = random.Random(1)
    for i in range(4):
        process = forks.start(*command("single", P))
        time.sleep(draw.uniform(0, 0.4))
        os.kill(process, draw.choice([signal.SIGINT, signal.SIGTERM]))
        code, out, err = forks.ended()
        # Python drops what is raised while it clears an object, and says so; the run goes on then.
        dropped = code == 0 and "Exception ignored in" in err and ("KeyboardInterrupt" in err or "Terminated" in err)
        assert dropped or code in (5, 130, 143, -signal.SIGINT, -signal.SIGTERM), (i, err)
        assert (code in (0, 5)) == (out != ""), (code, out)
        if dropped:
            break
        assert "Traceback" not in err or str(Path(moo_infer.__file__).parent) not in err, err  # before it begins
    report = finished(forks, command("single", 2 * P))
    assert report["answered"] == QUESTIONS
    assert report["requests"] >= fake.requests


def test_a_disk_that_takes_no_more_stops_a_command_and_the_same_one_goes_on(forks, fake, tmp_path):
    for most_bytes in (5_000, 20_000):
        forks.start(*command("single", P), most_bytes=most_bytes)
        code, out, err = forks.ended()
        report = json.loads(out)
        assert (code, report["stopped"]) == (5, "disk"), err
        assert "cannot be written: File too large" in err
        assert report["requests"] >= fake.requests
        assert report["spent_usd"] >= fake.billed_usd({"single": USD})
    assert finished(forks, command("single", 2 * P))["answered"] == QUESTIONS


def test_a_second_process_is_kept_out_while_the_first_one_runs(forks, fake, tmp_path, cli, monkeypatch):
    monkeypatch.chdir(tmp_path)
    process = forks.start(*command("single", P))
    until(fake, 5, forks)
    code, out, err = cli(*command("single", P))
    assert (code, out) == (2, "")
    assert "another process is running this" in err
    os.kill(process, signal.SIGKILL)
    forks.ended()
    code, out, err = cli(*command("single", 2 * P))
    assert code == 0, err
    assert json.loads(out)["answered"] == QUESTIONS
