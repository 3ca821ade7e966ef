"""Budgets in runs of every kind: what the server bills is never above them, and nothing is asked twice."""

import random
import socket
from collections import Counter

import pytest
from live_runs import Runs, lines, profile, quick, right_or_wrong

from moo_infer.builtin.policies import AdaptiveConsistency, Fixed, TwoThenMore, VoteUntilDecided
from moo_infer.policy.live.run import AtOnce
from moo_infer.testing import FakeEndpoint
from moo_infer.testing.fake_replies import Reply

PARTS = 4  # of 50 runs
FAULTS = ("429", "500", "503", "408", "307", "dropped", "dropped-body", "truncated-json", "no-usage")
FAULTS += ("negative-usage", "text-usage", "no-prompt-tokens", "fewer-choices", "one-choice", "empty-choices")
FAULTS += ("no-content", "refusal", "echo-400", "echo-422")


@pytest.fixture(autouse=True)
def in_no_time():
    with quick():
        yield


def policies(draw):
    """A policy over small and large, and whether it cancels."""
    k = draw.randint(1, 5)
    arrivals = draw.random() < 0.5
    return draw.choice(
        [
            (Fixed(k, model="small"), False),
            (TwoThenMore(max(k, 2), "small"), False),
            (VoteUntilDecided(k, (2, 1), model="small"), False),
            (VoteUntilDecided(k, arrivals=arrivals, model="small"), arrivals),
            (AdaptiveConsistency(0.8, k, (1, 2), model="small"), False),
            (AtOnce({"small": k, "large": draw.randint(1, 2)}), False),
        ]
    )


def drawn(seed, folder, base_url):
    """A run with prices, a policy and settings at random, and whether it cancels calls."""
    draw = random.Random(seed)
    policy, cancels = policies(draw)

    def priced(name):
        usd = (10 ** draw.uniform(-7, -4), 10 ** draw.uniform(-6, -4))
        settings = {
            "shape": draw.choice(["n", "parallel"]),
            "tries": draw.randint(1, 3),
            "max_tokens": draw.choice([1, 4, 40]),
        }
        return profile(base_url, name, usd, **settings)

    options = {"parallelism": draw.randint(1, 6), "seed": seed, "explore": draw.choice([0, 0, 0.5])}
    runs = Runs(folder, (priced("small"), priced("large")), policy, draw.randint(1, 4), options)
    if draw.random() < 0.4:
        options["most_usd"] = runs.largest_usd() * draw.choice([0.5, 1, 2, 4])
    return runs, cancels


def faults(seed):
    """Some faults, of up to half of the requests."""
    draw = random.Random(-seed)
    names = draw.sample(FAULTS, draw.randint(0, 4))
    return {name: draw.uniform(0, 0.5) / len(names) for name in names}


@pytest.mark.parametrize("part", range(PARTS))
def test_the_bill_is_within_the_budget_whatever_happens(part, tmp_path):
    ends = Counter()
    for seed in range(part * 50, (part + 1) * 50):
        (folder := tmp_path / str(seed)).mkdir()
        with FakeEndpoint(
            right_or_wrong(0.6, seed),
            faults(seed),
            elsewhere="http://127.0.0.1:9",
            retry_after_s=0.01,
            bills_500=bool(seed % 2),
            delay_s=0.002 * (seed % 3),
        ) as fake:
            ends[one(seed, folder, fake)] += 1
    assert ends["budget"] > 10
    assert ends[None] > 10


def one(seed, folder, fake):
    """Run within a budget, with more money, and to the end; return why it stopped first."""
    runs, cancels = drawn(seed, folder, fake.base_url)
    where, largest = f"seed {seed}", runs.largest_usd()
    budget = largest * random.Random(seed + 1).choice([0.5, 1, 2, 5, 10, 30])
    first = None
    for step, money in enumerate((budget, 2 * budget, None, None)):
        before = fake.requests
        result = runs.go(budget=money)
        bill, report, rows = runs.bill(fake), result.to_dict(), runs.rows
        assert result.stopped in (None, "budget") or (result.stopped == "endpoint" and not fake.answered), where
        assert money is None or bill <= money * (1 + 1e-9), where
        assert result.spent_usd >= bill * (1 - 1e-9), where
        if result.stopped == "budget":
            assert money - result.spent_usd < largest * (1 + 1e-9), where
        counted = sum(row["requests"] for row in rows) + report["lost"]["requests"]
        assert counted == report["requests"], where
        assert counted >= fake.requests if cancels else counted == fake.requests, where
        assert len({(row["question_id"], row["model"], row["sample"]) for row in rows}) == len(rows), where
        assert Counter(line["question_id"] for line in runs.answers) == Counter(f"q{i}" for i in range(runs.n)), where
        assert step < 3 or fake.requests == before, where
        if most := runs.options.get("most_usd"):
            assert max(by_question(rows, lines(runs.journal)).values(), default=0) <= most * (1 + 1e-9), where
        first = result.stopped if step == 0 else first
    assert result.stopped is None, where
    assert len(lines(runs.journal)) > runs.n or not fake.requests, where
    return first


@pytest.mark.parametrize(("read", "written"), [(10**400, 1), (1, 10**400), (10**17, 1), (True, 1), (5, "1"), (0, 1)])
def test_usage_that_is_none_counts_as_much_as_it_can_be(read, written, tmp_path):
    usage = {"prompt_tokens": read, "completion_tokens": written}
    with FakeEndpoint(lambda request: Reply(("42",), usage=usage)) as fake:
        runs = Runs(tmp_path, (profile(fake.base_url),), Fixed(1, model="small"), n=3)
        result = runs.go(budget=1.0)
    assert (result.stopped, result.spent_usd) == (None, pytest.approx(3 * runs.largest_usd()))
    assert {row["why"] for row in runs.rows} == {"the response says no usage, so that its largest price counts"}


def test_a_server_that_bills_more_than_it_may_stops_the_run(tmp_path):
    with FakeEndpoint(right_or_wrong(), faults=[None, "too-many-tokens"]) as fake:
        runs = Runs(tmp_path, (profile(fake.base_url),), n=50)
        result = runs.go(budget=1.0)
        assert (result.stopped, result.spent_usd) == ("endpoint", pytest.approx(runs.bill(fake)))
        assert "the server bills" in result.sentence
        assert fake.requests < 6


def test_a_budget_below_one_request_makes_no_call(tmp_path):
    with FakeEndpoint(right_or_wrong()) as fake:
        runs = Runs(tmp_path, (profile(fake.base_url),))
        result = runs.go(budget=0.99 * runs.largest_usd())
        assert (result.stopped, result.spent_usd, fake.requests) == ("budget", 0.0, 0)
        assert result.to_dict()["unanswered"] == ["q0", "q1", "q2", "q3"]
        assert [line["ending"] for line in runs.answers] == ["stopped"] * 4


def test_a_question_that_is_explored_and_ended_by_its_money_is_answered(tmp_path):
    with FakeEndpoint(right_or_wrong(1.0)) as fake:
        runs = Runs(tmp_path, (profile(fake.base_url),), n=2, options={"explore": 1.0})
        runs.options["most_usd"] = 1.05 * runs.largest_usd()
        assert runs.go().to_dict()["answered"] == 2
        assert {line["ending"] for line in runs.answers} == {"money"}


@pytest.mark.parametrize("billed", [True, False])
def test_a_request_that_took_too_long_counts_unless_its_provider_stops_billing(billed, tmp_path):
    with FakeEndpoint(right_or_wrong(), faults=["time-out"]) as fake:
        own = profile(fake.base_url, timeout_s=0.2, tries=2, billed_when_cancelled=billed)
        runs = Runs(tmp_path, (own,), Fixed(1, model="small"), n=1)
        result = runs.go()
        assert (fake.requests, result.to_dict()["requests"], len(runs.rows)) == (2, 2, 1)
        assert runs.rows[0]["lost_usd"] == pytest.approx(billed * runs.largest_usd())


def test_where_there_is_no_server_nothing_is_spent(tmp_path):
    with socket.socket() as taken:  # and nobody listens
        taken.bind(("127.0.0.1", 0))
        runs = Runs(tmp_path, (profile(f"http://127.0.0.1:{taken.getsockname()[1]}/v1"),))
        result = runs.go(budget=runs.largest_usd())
    assert (result.stopped, result.spent_usd) == ("endpoint", 0.0)
    assert "there is no connection" in result.sentence


def by_question(rows, journal):
    """What every question has spent: its rows, and what its calls without a row may have cost."""
    usd, question, brought = Counter(), {}, {row["call"] for row in rows}
    for row in rows:
        usd[row["question_id"]] += (row["cost_usd"] or 0) + row["lost_usd"]
    for line in journal[1:]:
        if line["call"] not in brought and "largest_usd" in line:
            question[line["call"]] = line["question_id"]
            usd[line["question_id"]] += (last := line["largest_usd"])
        elif line["call"] not in brought:
            usd[question[line["call"]]] += line["lost_usd"] - last
    return usd
