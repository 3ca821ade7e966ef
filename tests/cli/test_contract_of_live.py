"""What `run` and `sample` promise to the letter, asked of a server that has no part of the package in it."""

import json
import sys
from threading import Event

import pytest
from plain_server import completion, plain_server, write_files

COLUMNS = [
    *("model", "variant", "question_id", "task", "sample", "correct", "answer", "score"),
    *("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "latency_s", "cost_usd"),
    *("started_at", "wave", "call", "requests", "lost_usd", "why"),
]
RUN = ("run", "q.jsonl", "--models", "my.yaml", "--policy", "fixed:k=1", "--out", "log.jsonl", "--json")
SAMPLE = ("sample", "q.jsonl", "--models", "my.yaml", "--samples", "3", "--out", "log.jsonl", "--json")


def rows(path):
    """Return the objects of a file of lines."""
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize("budget", ["inf", "1e999"])
@pytest.mark.parametrize("command", [RUN, (*SAMPLE, "--yes")], ids=["run", "sample"])
def test_a_budget_without_end_is_refused_before_a_call(tmp_path, monkeypatch, cli, command, budget):
    monkeypatch.chdir(tmp_path)
    with plain_server(lambda body, number: completion("0")) as (url, requests):
        write_files(tmp_path, url)
        code, text, error = cli(*command, "--budget", budget)
    assert (code, text, requests) == (2, "", [])
    assert error == "moo-infer: --budget: must be a finite number of USD; without --budget nothing is bounded\n"
    assert {path.name for path in tmp_path.iterdir()} == {"my.yaml", "q.jsonl"}


@pytest.mark.parametrize("command", [RUN, (*SAMPLE, "--yes")], ids=["run", "sample"])
def test_a_key_that_is_not_set_leaves_no_file_behind(tmp_path, monkeypatch, cli, command):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("A_KEY", raising=False)
    with plain_server(lambda body, number: completion("0")) as (url, requests):
        write_files(tmp_path, url, call=", key_env: A_KEY")
        code, text, error = cli(*command)
        assert (code, text, requests) == (2, "", [])
        assert error == "moo-infer: small: call: key_env: the environment has no A_KEY\n"
        assert {path.name for path in tmp_path.iterdir()} == {"my.yaml", "q.jsonl"}
        monkeypatch.setenv("A_KEY", "a-marked-key")
        assert cli(*command)[0] == 0
    assert {of["headers"]["Authorization"] for of in requests} == {"Bearer a-marked-key"}
    assert not any(b"a-marked-key" in path.read_bytes() for path in tmp_path.iterdir())


def test_rows_of_one_request_share_its_tokens_and_dollars(tmp_path, monkeypatch, cli):
    monkeypatch.chdir(tmp_path)
    usage = {
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 7},
        "completion_tokens": 20,
    }
    with plain_server(lambda body, number: completion(*["0"] * body["n"], **usage)) as (url, requests):
        write_files(tmp_path, url, 1, ", shape: n", task=5)
        code, text, _ = cli(*SAMPLE, "--yes")
    report, log = json.loads(text), rows(tmp_path / "log.jsonl")
    assert (code, len(requests), report["requests"]) == (0, 1, 1)
    assert all([*row] == COLUMNS for row in log)
    assert [row["input_tokens"] for row in log] == [4, 3, 3]
    assert [row["output_tokens"] for row in log] == [7, 7, 6]
    assert [row["cached_input_tokens"] for row in log] == [2, 1, 1]
    assert [row["reasoning_tokens"] for row in log] == [3, 2, 2]
    assert [row["requests"] for row in log] == [1, 0, 0]
    assert [json.dumps(row["lost_usd"]) for row in log] == ["0.0"] * 3  # one kind of number, as a frame has it
    assert {row["call"] for row in log} == {log[0]["call"]}
    assert {row["task"] for row in log} == {"5"}  # as ids that are whole numbers
    assert sum(row["cost_usd"] for row in log) == pytest.approx(10e-6 + 20 * 2e-6, rel=1e-12)
    assert report["spent_usd"] == pytest.approx(report["billed_usd"], rel=1e-12)


def test_a_file_says_yes_in_the_words_of_yaml(tmp_path, monkeypatch, cli):
    monkeypatch.chdir(tmp_path)
    with plain_server(lambda body, number: completion("0")) as (url, requests):
        write_files(tmp_path, url)
        said = "run:\n  sample: {questions: q.jsonl, samples: 1, out: log.jsonl, yes: true}\n"
        (tmp_path / "run.yaml").write_text((tmp_path / "my.yaml").read_text() + said)
        assert cli("sample", "--models", "run.yaml")[0] == 0
        assert cli("sample", "--models", "run.yaml", "--no-yes")[0] == 2
    assert len(requests) == 2


@pytest.mark.parametrize(("bills", "usd"), [("true", 30 * 1e-6 + 50 * 2e-6), ("false", 0.0)])
def test_a_request_that_timed_out_counts_unless_its_provider_stops_billing(tmp_path, monkeypatch, cli, bills, usd):
    monkeypatch.chdir(tmp_path)
    late = Event()
    with plain_server(lambda body, number: late.wait(60) and completion("0")) as (url, requests):
        write_files(tmp_path, url, 1, f", timeout_s: 0.2, tries: 1, billed_when_cancelled: {bills}")
        report = json.loads(cli(*RUN)[1])
        late.set()
    assert (report["unanswered"], report["requests"], len(requests)) == (["q0"], 1, 1)
    assert report["spent_usd"] == pytest.approx(usd, rel=1e-12)


def test_the_extra_that_is_missing_is_named(tmp_path, monkeypatch, cli):
    monkeypatch.chdir(tmp_path)
    write_files(tmp_path, "http://127.0.0.1:9/v1")
    monkeypatch.setitem(sys.modules, "openai", None)
    monkeypatch.delitem(sys.modules, "moo_infer.policy.live.openai_endpoint", raising=False)
    code, out, err = cli(*RUN)
    assert (code, out) == (2, "")
    assert err.endswith("moo-infer: live calls need openai: pip install 'moo-infer[live]'\n")
    assert not (tmp_path / "log.jsonl").exists()
