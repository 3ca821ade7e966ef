"""One budget over many queries: printed figures, any order, refunds, what exceeds, and a process that is killed."""

import json
import math
import os
import random
import signal
import subprocess
import sys
import time
from fractions import Fraction

import pytest

from moo_infer import BudgetManager, MooInferError
from moo_infer.decide.samples_each import coverage_gains
from moo_infer.policy.budget import SPREADS, spread_weights, weights_at_price

FIVE = ["a", "b", "c", "d", "e"]


def test_front_loaded_over_five_is_as_printed():
    manager = BudgetManager(100, FIVE, "front")
    grants = [manager.grant(name) for name in FIVE]
    assert grants == pytest.approx([33.333333, 26.666667, 20, 13.333333, 6.666667], abs=5e-7)


def test_uniform_with_refunds_is_as_printed():
    manager = BudgetManager(100, FIVE)
    grants = []
    for name, wanted in zip(FIVE, (10, 30, 20, 5, math.inf), strict=True):  # a query has no more than its grant
        grants.append(manager.grant(name))
        manager.settle(name, min(wanted, grants[-1]))
    assert grants == [20, 22.5, 22.5, 23.75, 42.5]
    assert manager.left == 0


def test_without_refunds_a_grant_is_its_share_whatever_others_leave():
    manager = BudgetManager(100, FIVE, refunds=False)
    for name in FIVE:
        assert manager.grant(name) == 20
        manager.settle(name, 1)
    assert manager.left == 0


@pytest.mark.parametrize(
    ("spread", "ratio", "grants"),
    [
        ("back", None, [10, 20, 30, 40]),
        ("front-geometric", None, [53.333333, 26.666667, 13.333333, 6.666667]),
        ("back-geometric", None, [6.666667, 13.333333, 26.666667, 53.333333]),
        ("front-geometric", 1, [25, 25, 25, 25]),
        ([0, 1, 3, 0], None, [0, 25, 75, 0]),
    ],
)
def test_the_weights_of_a_spread_share_the_budget(spread, ratio, grants):
    manager = BudgetManager(100, range(4), spread, ratio=ratio)
    assert [manager.grant(i) for i in (3, 0, 2, 1)] == pytest.approx([grants[i] for i in (3, 0, 2, 1)], abs=1e-6)


def test_at_a_shadow_price_each_query_has_what_it_would_spend_at_that_price():
    chances = [0.9, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001]
    solved = [[sum(gains[:k]) for k in range(61)] for gains in coverage_gains(chances, 60)]
    weights = weights_at_price(solved, range(61), 0.0283)
    assert weights.tolist() == [2, 3, 5, 7, 9, 12, 12, 0, 0, 0]
    manager = BudgetManager(25, range(10), weights)
    assert [manager.grant(i) for i in range(10)] == pytest.approx([1, 1.5, 2.5, 3.5, 4.5, 6, 6, 0, 0, 0])


@pytest.mark.parametrize("seed", range(40))
def test_the_budget_is_never_exceeded_in_any_order(seed):
    rng = random.Random(seed)
    n = rng.randint(1, 200)
    spread = rng.choice([*SPREADS, [rng.choice([0.0, rng.random(), 1e-20, 1e9]) for _ in range(n - 1)] + [1.0]])
    budget, refunds = rng.choice([1e-6, 0.1, 1.0, 3e5]) * rng.random() + 1e-9, rng.random() < 0.7
    manager = BudgetManager(budget, range(n), spread, refunds=refunds)
    waiting, on_their_way = rng.sample(range(n), n), []
    weights = manager.weights
    while waiting or on_their_way:
        if waiting and (not on_their_way or rng.random() < 0.5):
            i = waiting.pop()
            left = budget - sum(manager.settled.values()) - sum(manager.open.values())
            usd = manager.grant(i)
            assert usd >= 0
            if refunds:
                share = weights[str(i)] / sum(weights[str(j)] for j in [i, *waiting]) if weights[str(i)] else 0
                assert usd == pytest.approx(max(left, 0) * share, rel=1e-6, abs=1e-12 * budget)
            on_their_way.append(i)
        else:
            i = on_their_way.pop(rng.randrange(len(on_their_way)))
            manager.settle(i, manager.granted[str(i)] * rng.choice([0, rng.random(), 1]))
        assert sum(map(Fraction, [*manager.settled.values(), *manager.open.values()])) <= Fraction(budget)
    assert manager.left == pytest.approx(
        budget - sum((manager.settled if refunds else manager.granted).values()), abs=1e-12 * budget
    )


def test_the_last_query_is_granted_all_that_is_left():
    manager = BudgetManager(0.3, range(3))
    for i in range(2):
        manager.settle(i, manager.grant(i))
    assert manager.grant(2) == pytest.approx(0.1)
    assert manager.left == 0


@pytest.mark.parametrize("refunds", [True, False])
def test_what_exceeds_a_grant_is_taken_from_later_ones_and_said(refunds):
    told = []
    manager = BudgetManager(100, FIVE, refunds=refunds, told=told.append)
    manager.grant("a")
    manager.settle("a", 60)
    assert told == ["query 'a' spent 60 of a grant of 20: 40 is taken from later grants"]
    assert manager.grant("b") == 10
    manager.settle("b", 90)
    assert told[1].endswith("and the budget of 100 is exceeded")
    assert [manager.grant(name) for name in "cde"] == [0, 0, 0]
    assert manager.left == 0


def test_what_exceeds_is_a_warning_where_nobody_is_told():
    manager = BudgetManager(1.0, ["a"])
    manager.grant("a")
    with pytest.warns(UserWarning, match="query 'a' spent 2 of a grant of 1: 1 is taken from later grants"):
        manager.settle("a", 2.0)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda m: m.grant("z"), "unknown query 'z'; available: a, b, c, d, e"),
        (lambda m: m.settle("z", 1), "unknown query 'z'"),
        (lambda m: m.settle("b", 1), "query 'b': has no grant that could be settled"),
        (lambda m: m.grant("a"), "query 'a': has its grant of 20 already, which may be spent by now"),
        (lambda m: (m.settle("a", 1), m.settle("a", 1)), "query 'a': is settled already, with 1"),
        (lambda m: m.settle("a", math.nan), "query 'a': spent: must be a finite number >= 0, got nan"),
        (lambda m: m.settle("a", -1), "query 'a': spent: must be a finite number >= 0, got -1"),
        (lambda m: m.settle("a", "1"), "query 'a': spent: must be a finite number >= 0, got '1'"),
    ],
)
def test_what_is_no_grant_and_no_settlement_is_refused_and_changes_nothing(ask, sentence, tmp_path):
    manager = BudgetManager(100, FIVE, journal=tmp_path / "budget.json")
    manager.grant("a")
    with pytest.raises(MooInferError, match=sentence):
        ask(manager)
    assert manager.granted == {"a": 20}
    assert manager.grant("b") == pytest.approx(99 / 4 if manager.settled else 20)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((0, ["a"]), "budget: must be a finite number > 0, got 0"),
        ((-1, ["a"]), "budget: must be a finite number > 0, got -1"),
        ((math.nan, ["a"]), "budget: must be a finite number > 0, got nan"),
        ((math.inf, ["a"]), "budget: must be a finite number > 0, got inf"),
        ((True, ["a"]), "budget: must be a finite number > 0, got True"),
        ((1, []), "names: at least one is needed, got none"),
        ((1, "abc"), "names: must be a list of names, got 'abc'"),
        ((1, ["a", "a"]), "query 'a' is given 2 times"),
        ((1, [1, "1"]), "query '1' is given 2 times"),
        ((1, ["a", "b"], [0, 0]), "spread: at least one weight must be above 0, got 0 for all"),
        ((1, ["a", "b"], [1, math.nan]), "query 'b': weight: must be a finite number >= 0, got nan"),
        ((1, ["a", "b"], [1, -1]), "query 'b': weight: must be a finite number >= 0, got -1"),
        ((1, ["a", "b"], [1]), "spread: there must be a weight for each of 2 queries, got 1"),
        ((1, ["a"], "middle"), "unknown spread 'middle'; available: back, back-geometric, front, front-geometric"),
        ((1, ["a"], "front", 0.5), "ratio: spread front has none, got 0.5"),
        ((1, ["a"], "front-geometric", 0), r"ratio: must be in \(0, 1\], got 0"),
        ((1, ["a"], "front-geometric", math.nan), r"ratio: must be in \(0, 1\], got nan"),
        ((1, ["a"], [1], 0.5), "ratio: weights that are given have none, got 0.5"),
    ],
)
def test_a_budget_that_cannot_be_is_refused_in_one_sentence(arguments, sentence):
    with pytest.raises(MooInferError, match=sentence):
        BudgetManager(*arguments)


@pytest.mark.parametrize("numbers", [([[math.nan]], [1], 1), ([[1]], [-1], 1), ([[1]], [1], math.nan), ([], [], 1)])
def test_prices_of_no_numbers_are_refused(numbers):
    with pytest.raises(MooInferError, match=r"values must be finite \(Q, n\), costs and price finite and >= 0"):
        weights_at_price(*numbers)


def test_weights_of_many_queries_may_vanish_and_share_the_budget_all_the_same():
    assert spread_weights("front-geometric", 2000)[-1] == 0
    manager = BudgetManager(1.0, range(2000), "back-geometric")
    assert sum(manager.grant(i) for i in range(2000)) == 1.0


def test_a_manager_goes_on_from_its_journal_and_what_is_not_settled_counts_as_spent(tmp_path):
    journal = tmp_path / "budget.json"
    first = BudgetManager(100, FIVE, journal=journal)
    first.grant("a")
    first.settle("a", 10)
    assert first.grant("b") == 22.5
    again = BudgetManager(100, FIVE, journal=journal)
    assert again.open == {"b": 22.5}
    assert again.grant("c") == 22.5
    again.settle("b", 2.5)  # whoever knows what it spent may say so
    assert BudgetManager(100, FIVE, journal=journal).grant("d") == pytest.approx((100 - 10 - 2.5 - 22.5) / 2)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda kept: kept | {"budget": 99.0}, "holds another budget: its budget differs; take another journal"),
        (lambda kept: kept | {"weights": {"a": 1.0}}, "holds another budget: its weights differs"),
        (lambda kept: kept | {"refunds": False}, "holds another budget: its refunds differs"),
        (lambda kept: {"models": {}}, "is no journal of a budget"),
        (lambda kept: [kept], "is no journal of a budget"),
        (lambda kept: kept | {"granted": {"z": 1.0}}, "is damaged"),
        (lambda kept: kept | {"settled": {"b": 1.0}}, "is damaged"),
        (
            lambda kept: kept | {"granted": {"a": -1.0}},
            "is damaged: query 'a': grant: must be a finite number >= 0, got -1.0",
        ),
        (lambda kept: {key: kept[key] for key in kept if key != "settled"}, "is damaged"),
    ],
)
def test_a_journal_of_something_else_is_refused(change, sentence, tmp_path):
    journal = tmp_path / "budget.json"
    BudgetManager(100, FIVE, journal=journal).grant("a")
    journal.write_text(json.dumps(change(json.loads(journal.read_text()))))
    with pytest.raises(MooInferError, match=sentence):
        BudgetManager(100, FIVE, journal=journal)


LOOP = r"""
import os, sys
from moo_infer import BudgetManager
manager = BudgetManager(1.0, range(60), "front", journal=sys.argv[1])
def say(*words):  # a line at once: a kill does not cut it, whether or not Python keeps back what is printed
    os.write(1, (" ".join(map(str, words)) + "\n").encode())
say("ready")
for i in range(60):
    if str(i) in manager.settled:
        continue
    if str(i) not in manager.granted:
        say("granted", i, repr(manager.grant(i)))
    manager.settle(i, manager.granted[str(i)] * (i % 3) / 2)
    say("settled", i, repr(manager.settled[str(i)]))
"""


def test_a_process_that_is_killed_between_any_two_calls_loses_nothing_and_never_exceeds_the_budget(tmp_path):
    journal, rng = tmp_path / "budget.json", random.Random(5)
    known = {"granted": {}, "settled": {}}
    for attempt in range(6):
        with subprocess.Popen([sys.executable, "-c", LOOP, str(journal)], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "ready\n"
            if attempt < 5:
                time.sleep(rng.uniform(0, 0.03))
                os.kill(process.pid, signal.SIGKILL)
            for line in process.stdout:
                what, name, usd = line.split()
                known[what][name] = float(usd)
        manager = BudgetManager(1.0, range(60), "front", journal=journal)
        for what, amounts in known.items():  # what was said is kept, and is said once
            kept = getattr(manager, what)
            assert {name: kept[name] for name in amounts} == amounts
        assert math.fsum([*manager.settled.values(), *manager.open.values()]) <= 1.0
    assert len(manager.settled) == 60
