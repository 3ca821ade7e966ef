"""Rows of the log: a sample as a row and back, and what the rows of a run say together."""

import json
import random

import pytest
from live_runs import Runs, profile, quick

from moo_infer.builtin.policies import Fixed, VoteUntilDecided
from moo_infer.core.errors import MooInferError
from moo_infer.policy.live.course import Sample
from moo_infer.policy.live.inference import CANCELLED, Inference
from moo_infer.policy.live.question import Question
from moo_infer.policy.live.rows import parsed, row_of, sample_of
from moo_infer.testing import FakeEndpoint
from moo_infer.testing.fake_replies import Reply

KEYS = [
    "model",
    "variant",
    "question_id",
    "task",
    "sample",
    "correct",
    "answer",
    "score",
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "reasoning_tokens",
    "latency_s",
    "cost_usd",
    "started_at",
    "wave",
    "call",
    "requests",
    "lost_usd",
    "why",
]
QUESTION = Question.of({"question_id": "q1", "question": "2 + 2?", "target": "4", "task": "sums"})


def drawn(seed):
    """A sample as a run may record it: answered, blank, failed or cancelled."""
    draw = random.Random(seed)
    known = {"latency_s": draw.random(), "lost_usd": draw.random(), "call": f"ab-{seed}", "requests": seed % 3}
    known |= {"started_at": "2026-01-01T00:00:00.000+00:00"}
    place = {"wave": draw.randint(0, 3), "number": draw.randint(0, 9)}
    if draw.random() < 0.3:
        why = draw.choice([CANCELLED, "no response within 120 s"])
        return Sample("small/cot", Inference(why=why, failed=True, **known), why=why, **place)
    billed = draw.random() < 0.8
    tokens = {"input_tokens": 9, "output_tokens": 3, "reasoning_tokens": draw.choice([None, 1])} if billed else {}
    answer = draw.choice([None, "4", "é\u2028 5", ""])
    inference = Inference(None, cost_usd=draw.random(), billed=billed, **tokens, **known)
    correct = draw.choice([True, False, 0.25]) if answer else False
    return Sample(
        "small/cot", inference, answer, correct, draw.choice([None, -1.5]), "" if answer else "blank", **place
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_row_gives_its_sample_back_through_its_file(seed):
    sample = drawn(seed)
    row = row_of(QUESTION, sample, {"small/cot": "cot"})
    assert [*row] == KEYS
    assert (row["model"], row["variant"], row["task"]) == ("small", "cot", "sums")
    assert sample_of(json.loads(json.dumps(row, allow_nan=False))) == sample


def test_a_model_with_a_slash_in_its_name_is_no_variant():
    row = row_of(QUESTION, Sample("acme/small", Inference()), {"acme/small": ""})
    assert (row["model"], row["variant"], sample_of(row).model) == ("acme/small", None, "acme/small")
    row = row_of(QUESTION, Sample("acme/small/cot", Inference()), {"acme/small/cot": "cot"})
    assert (row["model"], row["variant"], sample_of(row).model) == ("acme/small", "cot", "acme/small/cot")


@pytest.mark.parametrize("name", KEYS)
def test_a_row_without_a_key_is_refused(name):
    row = row_of(QUESTION, drawn(1), {})
    del row[name]
    if name == "task":
        return
    with pytest.raises(MooInferError, match=name):
        sample_of(row)


@pytest.mark.parametrize("line", [b"", b"1", b"[]", b"\xff", b'{"a": ', b"[" * 100_000, b"1" * 5000])
def test_what_is_no_object_is_none(line):
    assert parsed(line) is None


def test_rows_of_a_request_of_several_share_its_tokens_and_dollars(tmp_path):
    reply = Reply(("42", "7", "42"), prompt_tokens=5, completion_tokens=11, reasoning_tokens=4, cached_tokens=2)
    with quick(), FakeEndpoint(lambda request: reply, faults=["500"]) as fake:
        runs = Runs(tmp_path, (profile(fake.base_url, shape="n"),), Fixed(3, model="small"), n=1)
        result = runs.go()
        rows = runs.rows
    names = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")
    assert [[row[name] for row in rows] for name in names] == [[2, 2, 1], [1, 1, 0], [4, 4, 3], [2, 1, 1]]
    assert len({row["call"] for row in rows}) == 1
    assert [row["requests"] for row in rows] == [2, 0, 0]
    assert [row["lost_usd"] for row in rows] == [pytest.approx(runs.largest_usd()), 0, 0]
    assert result.tally.billed_usd == pytest.approx(5e-6 + 11e-5) == sum(row["cost_usd"] for row in rows)


def test_a_cancelled_call_is_a_row_without_a_verdict(tmp_path):
    with quick(), FakeEndpoint(lambda r: Reply(("42",), delay_s=0 if r.total < 3 else 20.0)) as fake:
        policy = VoteUntilDecided(5, arrivals=True, model="small")
        runs = Runs(tmp_path, (profile(fake.base_url),), policy, n=1, options={"parallelism": 5})
        result = runs.go()
        rows, requests = runs.rows, fake.requests
        cancelled = [row for row in rows if row["why"] == CANCELLED]
        assert len(cancelled) == len(rows) - 3
        assert all((row["answer"], row["correct"], row["cost_usd"]) == (None, None, None) for row in cancelled)
        assert sum(row["lost_usd"] for row in cancelled) == pytest.approx(len(cancelled) * runs.largest_usd())
        assert result.to_dict()["answered"] == 1
        answers = runs.answers
        runs.go()
        assert (fake.requests, runs.answers) == (requests, answers)
