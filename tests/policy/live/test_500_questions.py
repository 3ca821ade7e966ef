"""A run over many questions, through every fault that a network has."""

from collections import Counter

import pytest
from live_runs import Runs, profile, quick, right_or_wrong

from moo_infer.builtin.policies import TwoThenMore
from moo_infer.testing import FAULTS, FakeEndpoint

SHARE = 0.05
P = 128
COUNTED = ("429", "429-bare", "500", "time-out", "dropped", "truncated-json", "no-usage", "slow-stream", "one-choice")
COUNTED += ("307", "empty-choices", "refusal", "text-10mb")
OTHERS = tuple(sorted(set(FAULTS) - {*COUNTED, "echo-401", "echo-403", "too-many-tokens"}))


@pytest.mark.parametrize(
    ("names", "n", "shape"),
    [(COUNTED, 500, "n"), (COUNTED, 60, "parallel"), (OTHERS, 60, "n"), (OTHERS, 60, "parallel")],
    ids=["counted-n", "counted-parallel", "others-n", "others-parallel"],
)
def test_every_question_is_answered_or_named_and_every_request_is_counted(names, n, shape, tmp_path):
    share = min(SHARE, 0.9 / len(names))
    with (
        quick(),
        FakeEndpoint(lambda request: "never") as elsewhere,
        FakeEndpoint(
            right_or_wrong(0.7),
            dict.fromkeys(names, share),
            elsewhere=elsewhere.base_url,
            retry_after_s=0.01,
            slow_s=30.0,
            bills_500=True,
        ) as fake,
    ):
        own = profile(fake.base_url, shape=shape, timeout_s=3.0, tries=3)
        runs = Runs(tmp_path, (own,), TwoThenMore(3, "small"), n)
        result = runs.go(parallelism=P)
        report, rows, lines = result.to_dict(), runs.rows, runs.answers
        assert set(fake.faults) == set(names)
        requests, bill, before = fake.requests, runs.bill(fake), runs.out.read_bytes()
        again = runs.go(parallelism=P).to_dict()
        assert fake.requests == requests
    assert (elsewhere.requests, report["stopped"], again["stopped"]) == (0, None, None)
    assert sum(row["requests"] for row in rows) + report["lost"]["requests"] == report["requests"]
    assert report["requests"] >= requests  # one that timed out where the machine is busy may never have arrived
    assert report["spent_usd"] >= bill * (1 - 1e-9)
    assert report["spent_usd"] == pytest.approx(sum((row["cost_usd"] or 0) + row["lost_usd"] for row in rows))
    assert report["answered"] + len(report["unanswered"]) == n
    assert Counter(line["question_id"] for line in lines) == Counter(f"q{i}" for i in range(n))
    assert {line["question_id"] for line in lines if line["ending"] == "nothing"} == set(report["unanswered"])
    assert len({(row["question_id"], row["sample"]) for row in rows}) == len(rows)
    failed = [row for row in rows if row["correct"] is None]
    assert all(row["answer"] is None and row["why"] and row["cost_usd"] is None for row in failed)
    assert all(row["correct"] is False for row in rows if row["answer"] is None and row["cost_usd"] is not None)
    assert runs.out.read_bytes() == before
    assert {name: again[name] for name in ("answered", "unanswered", "requests")} == {
        name: report[name] for name in ("answered", "unanswered", "requests")
    }
