"""Questions that share the budget of a run: each has its grant, what one leaves later ones get, and a run goes on so."""

import json
import math
import signal

import pytest
from live_runs import Runs, lines, profile, quick, right_or_wrong

from moo_infer import MooInferError
from moo_infer.builtin.policies import Fixed, TwoThenMore
from moo_infer.policy.budget import BudgetManager
from moo_infer.testing import FakeEndpoint

N = 6


@pytest.fixture(autouse=True)
def in_no_time():
    with quick():
        yield


@pytest.fixture
def fake():
    with FakeEndpoint(right_or_wrong(0.5)) as fake:
        yield fake


@pytest.fixture
def runs(tmp_path, fake):
    """Six questions of up to six single requests each, one question after the other."""
    policy = TwoThenMore(6, "small")
    return Runs(tmp_path, (profile(fake.base_url, shape="parallel"),), policy, N, {"parallelism": 1})


def grants(runs):
    """By question, what the journal says it was granted, in the order of the grants."""
    return {line["question_id"]: line["grant_usd"] for line in lines(runs.journal) if "grant_usd" in line}


def by_question(lines):
    """Lines of answers by question: several at a time end in any order, and their seconds are measured."""
    return {line["question_id"]: {**line, "latency_s": None} for line in lines}


def spent(rows):
    """By question, what the rows say it cost."""
    usd = dict.fromkeys((f"q{i}" for i in range(N)), 0.0)
    for row in rows:
        usd[row["question_id"]] += row["cost_usd"] + (row["lost_usd"] or 0.0)
    return usd


@pytest.mark.parametrize("spread", ["uniform", "front", "back"])
@pytest.mark.parametrize("parallelism", [1, 4])
def test_no_question_takes_more_than_its_grant_and_what_one_leaves_later_ones_get(spread, parallelism, runs, fake):
    budget = 30 * runs.largest_usd()
    runs.go(budget=budget, spread=spread, parallelism=parallelism)
    given, taken = grants(runs), spent(runs.rows)
    assert {*given} == {*taken}
    assert all(taken[name] <= given[name] * (1 + 1e-12) for name in given)
    assert math.fsum(taken.values()) <= budget
    assert runs.bill(fake) == pytest.approx(sum(taken.values()))
    if parallelism == 1:  # then the questions are those of a manager, one after the other
        manager = BudgetManager(budget, list(taken), spread)
        for name, usd in given.items():
            assert manager.grant(name) == pytest.approx(usd, rel=1e-12)
            manager.settle(name, taken[name])


def test_a_question_whose_grant_is_used_up_answers_from_what_there_is(runs):
    runs.policy = Fixed(40, model="small")
    usd = runs.largest_usd()
    runs.go(budget=N * 3 * usd, spread="uniform")
    assert grants(runs)["q0"] == pytest.approx(3 * usd)
    taken = spent(runs.rows)
    for line in runs.answers:
        assert line["ending"] == "money"
        assert 3 <= line["calls"] < 40
        assert taken[line["question_id"]] + usd > grants(runs)[line["question_id"]] - 1e-12


def test_a_limit_of_every_question_holds_below_its_grant(runs):
    runs.policy = Fixed(40, model="small")
    usd = runs.largest_usd()
    runs.go(budget=100 * usd, spread="uniform", most_usd=2 * usd)
    assert max(spent(runs.rows).values()) <= 2 * usd
    assert grants(runs)["q5"] > 40 * usd


@pytest.mark.parametrize("parallelism", [1, 4])
def test_a_run_that_has_ended_makes_no_call_and_says_the_same(parallelism, runs, fake):
    budget = 15 * runs.largest_usd()
    first = runs.go(budget=budget, spread="front", parallelism=parallelism)
    calls, answers, given = fake.requests, by_question(runs.answers), grants(runs)
    again = runs.go(budget=budget, spread="front")
    assert fake.requests == calls
    assert by_question(runs.answers) == answers
    assert grants(runs) == given
    assert sum("grant_usd" in line for line in lines(runs.journal)) == N
    assert again.spent_usd == pytest.approx(first.spent_usd)


@pytest.mark.parametrize("cut", range(1, 12, 2))
def test_a_run_that_was_killed_keeps_its_grants_and_never_exceeds_the_budget(cut, runs, fake):
    budget = 20 * runs.largest_usd()
    runs.go(budget=budget, spread="uniform")
    kept, whole = lines(runs.journal), grants(runs)
    # As if it had been killed after some of its requests: the last one has brought no row.
    sent = [i for i, line in enumerate(kept) if "largest_usd" in line]
    until = sent[min(cut, len(sent) - 1)]
    calls = {line["call"] for line in kept[:until] if "call" in line}
    runs.journal.write_text("".join(json.dumps(line) + "\n" for line in kept[: until + 1]))
    runs.out.write_text("".join(json.dumps(row) + "\n" for row in runs.rows if row["call"] in calls))
    before = grants(runs)
    result = runs.go(budget=budget, spread="uniform")
    after = grants(runs)
    assert {name: after[name] for name in before} == {name: whole[name] for name in before} == before
    assert {*after} == {f"q{i}" for i in range(N)}
    lost = kept[until]["largest_usd"]
    assert result.spent_usd == pytest.approx(sum(spent(runs.rows).values()) + lost)
    assert result.spent_usd <= budget
    stopped = kept[until]["question_id"]
    assert spent(runs.rows)[stopped] + lost <= after[stopped] * (1 + 1e-12)


def test_questions_that_a_stopped_run_did_not_begin_get_what_earlier_ones_leave(runs, interruptible):
    budget = 20 * runs.largest_usd()
    first = runs.go(budget=budget, spread="uniform", progress=lambda *_: signal.raise_signal(signal.SIGINT))
    assert first.stopped == "signal"
    assert {*grants(runs)} <= {"q0", "q1"}  # the second may have begun before the signal was heard
    assert runs.go(budget=budget, spread="uniform").stopped is None
    given, taken = grants(runs), spent(runs.rows)
    manager = BudgetManager(budget, list(taken), "uniform")
    for name, usd in given.items():
        assert manager.grant(name) == pytest.approx(usd, rel=1e-12)
        manager.settle(name, taken[name])


@pytest.mark.parametrize("parallelism", [1, 3])
def test_requests_that_fail_count_in_what_a_question_leaves(parallelism, tmp_path):
    with FakeEndpoint(right_or_wrong(0.5), {"500": 0.3, "dropped-body": 0.2}, seed=3) as fake:
        small = profile(fake.base_url, shape="parallel", tries=2)
        runs = Runs(tmp_path, (small,), TwoThenMore(6, "small"), N, {"parallelism": parallelism})
        budget = 12 * runs.largest_usd()
        result = runs.go(budget=budget, spread="back")
        assert runs.bill(fake) <= result.spent_usd <= budget
        calls = fake.requests
        assert runs.go(budget=budget, spread="back").spent_usd == pytest.approx(result.spent_usd)
        assert fake.requests == calls


def test_a_spread_without_a_budget_is_refused(runs):
    with pytest.raises(MooInferError, match="spread: there is no budget that questions could share"):
        runs.go(spread="uniform")


@pytest.mark.parametrize(
    "line", [{"question_id": "q0", "grant_usd": "much"}, {"question_id": 7, "grant_usd": 1.0}, {"grant_usd": 1.0}]
)
def test_a_grant_that_no_run_wrote_is_refused(line, runs):
    runs.go(budget=1.0, spread="uniform")
    with runs.journal.open("a") as file:
        file.write(json.dumps(line) + "\n")
    with pytest.raises(MooInferError, match="no run wrote this"):
        runs.go(budget=1.0, spread="uniform")
