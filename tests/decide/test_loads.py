"""The best row for each load: printed figures, all plans one by one, and the policy that it makes."""

from itertools import product

import numpy as np
import pytest

from moo_infer import ACCURACY, COST, LATENCY, Candidates, Limit, ModelProfile, MooInferError, NoSelection, Pipeline
from moo_infer.builtin.difficulty import DifficultyClasses
from moo_infer.builtin.erlang import ErlangC
from moo_infer.core.objectives import judged_objective
from moo_infer.decide.loads import best_by_load
from moo_infer.estimate.at_load import at_load
from moo_infer.policy.tried import text_of

MODEL = DifficultyClasses(shares=(1.0,), p=(0.7,), tokens_in_mean=100, tokens_out_mean=100)
SMALL = ModelProfile("small", MODEL, [ErlangC(0.5, slots=32, seconds=10.0)])
SHARES = {0.2: 0.7, 1.0: 0.3}


def seconds(worst, statistic="mean"):
    return Limit("latency", worst, "max", statistic)


@pytest.fixture(scope="module")
def tables():
    """Odd k at two loads on 32 slots, 10 s a request; those that cannot be served are no rows."""
    return {load: Pipeline("majority-vote", k=range(1, 32, 2)).candidates(at_load(SMALL, load)) for load in SHARES}


def test_k_by_load_buys_seven_points_over_one_k(tables):
    found = best_by_load(tables, SHARES, [seconds(25)])
    assert found.k == {0.2: 11, 1.0: 1}
    assert found.means["accuracy"] == pytest.approx(0.855242646, abs=1e-8)
    assert found.means["latency"] == pytest.approx(24.16058, abs=1e-4)
    one = {k: [0.7 * tables[0.2].column(name)[i] + 0.3 * tables[1.0].column(name)[i] for name in ("accuracy", "latency")]
           for i, k in enumerate((1, 3))}  # fmt: skip
    assert one[3] == pytest.approx([0.784, 19.2787], abs=1e-4)
    assert one[3][1] <= 25  # from 5 on more arrives at one query a second than 32 slots serve
    assert tables[1.0].k.tolist() == [1, 3]


def slow(tables, limit):
    """All plans, one by one; quantiles by the shares of exact laws that scan seconds."""
    best = None
    for rows in product(*(range(len(tables[load])) for load in SHARES)):
        parts = list(zip(SHARES.items(), rows, strict=True))
        accuracy = sum(share * tables[load].column("accuracy")[row] for (load, share), row in parts)
        if limit.statistic == "mean":
            value = sum(share * tables[load].column("latency")[row] for (load, share), row in parts)
        else:
            beyond = 0.0
            for (load, share), row in parts:
                k = int(tables[load].k[row])
                queue = at_load(SMALL, load).costs[0]._queue(np.array([k]))
                beyond += share * float(queue.tail(np.array([limit.worst]))[0])
            value = limit.worst if beyond <= 0.05 else np.inf
        if value <= limit.worst and (best is None or accuracy > best[0]):
            best = accuracy, {load: int(tables[load].k[row]) for (load, _), row in parts}
    return best


@pytest.mark.parametrize("limit", [seconds(25), seconds(14), seconds(60, "p95"), seconds(48, "p95")], ids=str)
def test_no_other_table_is_more_accurate_within_the_limit(tables, limit):
    found, (accuracy, k) = best_by_load(tables, SHARES, [limit]), slow(tables, limit)
    assert (found.k, found.means["accuracy"]) == (k, pytest.approx(accuracy, rel=1e-12))
    assert found.allocation.gap == 0.0


def test_without_limits_it_is_the_most_accurate_and_where_accuracy_is_limited_the_cheapest(tables):
    assert best_by_load(tables, SHARES).k == {load: int(table.k[-1]) for load, table in tables.items()}
    few = Candidates.from_means([COST, ACCURACY], [[1.0, 0.7], [3.0, 0.8]], k=[1, 3])
    found = best_by_load({1.0: few, 2.0: few}, {1.0: 0.5, 2.0: 0.5}, [Limit("accuracy", 0.75, "min")])
    assert found.means == {"cost": 2.0, "accuracy": pytest.approx(0.75)}


def test_an_accuracy_that_is_just_met_is_within_the_limit():
    """The limit is the mean of the better rows, of which one is hardly above the limit."""
    for a, less, share in product((0.3, 0.48, 0.93), (1e-4, 1e-5, 1e-6), (0.05, 0.1, 0.3, 0.7, 0.95)):
        b = round(a - less, 7)
        one, other = (Candidates.from_means([COST, ACCURACY], [[1.0, best], [0.5, 0.1]]) for best in (a, b))
        limit = Limit("accuracy", round(share * a + (1 - share) * b, 12), "min")
        found = best_by_load({1.0: one, 2.0: other}, {1.0: share, 2.0: 1 - share}, [limit])
        assert found.rows == {1.0: 0, 2.0: 0}
        over = Limit("accuracy", limit.worst + 1e-9, "min")
        with pytest.raises(NoSelection):
            best_by_load({1.0: one, 2.0: other}, {1.0: share, 2.0: 1 - share}, [over])


def test_where_accuracy_is_limited_what_is_consumed_is_least():
    """Not a judgement that is there before it, of which less is better or worse."""
    rows = [[0.9, 7.0, 0.8], [0.2, 9.0, 0.8]]
    for better in ("up", "down"):
        some = Candidates.from_means([judged_objective("form", better), LATENCY, ACCURACY], rows)
        found = best_by_load({1.0: some}, {1.0: 1.0}, [Limit("accuracy", 0.7, "min")])
        assert found.means["latency"] == 7.0


def test_it_makes_the_policy_that_is_tried_by_load(tables):
    policy = best_by_load(tables, SHARES, [seconds(25)]).policy()
    assert text_of(policy) == (
        "by-load:loads=[{up_to: 0.2, policy: {kind: fixed, k: 11, aggregator: majority-vote, model: small}}],"
        "otherwise={kind: fixed, k: 1, aggregator: majority-vote, model: small}"
    )
    assert policy.most == {"small": 11}


def table(*rows):
    return Candidates.from_means([LATENCY, ACCURACY], rows)


@pytest.mark.parametrize(
    ("tables", "shares", "sentence"),
    [
        ({}, {}, "must be of the same loads"),
        ({1.0: table([1.0, 0.5])}, {2.0: 1.0}, r"must be of the same loads, got \[1.0\] and \[2.0\]"),
        ({1.0: table([1.0, 0.5])}, {1.0: 0.5}, r"shares: must be >= 0 with the sum 1, got \[0.5\]"),
        ({1.0: table([1.0, 0.5])}, {1.0: float("nan")}, "shares: must be >= 0"),
        ({1.0: table([1.0, 0.5])}, {1.0: "all"}, r"shares: 1.0: must be a number, got 'all'"),
        ({"low": table([1.0, 0.5])}, {"low": 1.0}, "tables: a key: must be a number, got 'low'"),
        ({1.0: Candidates.from_means([LATENCY], [[1.0]])}, {1.0: 1.0}, "unknown objective|needs the objective accuracy"),
    ],
)  # fmt: skip
def test_what_is_refused(tables, shares, sentence):
    with pytest.raises((MooInferError, NoSelection), match=sentence):
        best_by_load(tables, shares)


def test_where_nothing_is_within_the_limits_that_is_said():
    with pytest.raises(NoSelection, match="no row for each load meets latency <= 1 over all queries"):
        best_by_load({1.0: table([2.0, 0.5])}, {1.0: 1.0}, [seconds(1)])
    with pytest.raises(MooInferError, match="there is one load alone, 1"):
        best_by_load({1.0: table([2.0, 0.5])}, {1.0: 1.0}).policy()
