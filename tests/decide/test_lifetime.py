"""The decision as a function of how many queries there will be."""

import math
from itertools import combinations, product

import numpy as np
import pytest

from moo_infer import ACCURACY, COST, Candidates, Limit, ModelProfile, MooInferError, Pipeline, Uncertain
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.fixed import FixedCost
from moo_infer.builtin.inference import Gaussian
from moo_infer.decide.lifetime import break_even, lifetime, segments


def lines(*pairs, starts=None):
    once, each = np.array(pairs, dtype=float).T
    found = segments(once, each, np.zeros(len(once)) if starts is None else np.array(starts, dtype=float))
    return [(s.start, s.end, s.row) for s in found]


def test_two_lines_cross_where_both_cost_the_same():
    assert lines((0, 2), (10, 1)) == [(0, 10, 0), (10, math.inf, 1)]
    assert float(break_even(0, 2, 10, 1)) == 10


@pytest.mark.parametrize("case", [((0, 1, 10, 1)), ((0, 1, 10, 2)), ((0, 1, 0, 1))])
def test_what_costs_more_once_and_no_less_a_query_never_pays(case):
    assert break_even(*case) == np.inf


def test_of_equal_lines_the_first_is_taken_and_of_equal_starts_the_flatter():
    assert lines((0, 1), (0, 1)) == [(0, math.inf, 0)]
    assert lines((0, 2), (0, 1)) == [(0, math.inf, 1)]


def test_three_lines_through_one_point_make_one_break():
    assert lines((0, 3), (10, 2), (20, 1)) == [(0, 10, 0), (10, math.inf, 2)]


def test_a_line_counts_from_its_start_on():
    assert lines((0, 2), (10, 1), starts=[5, 20]) == [(5, 20, 0), (20, math.inf, 1)]
    assert lines((0, 2), (10, 1), starts=[math.inf, math.inf]) == []
    # The steeper line is open later, cheaper for a while, and then overtaken.
    assert lines((0, 2), (30, 1), starts=[20, 10]) == [(10, 20, 1), (20, 30, 0), (30, math.inf, 1)]


def test_lines_that_come_in_together_but_for_rounding_are_all_there():
    """Against the least of all open lines, for round numbers that make one start: F / (limit - c)."""
    others = 0
    for R, limit in product((1e3, 1e4, 1e5, 3e5), (0.01, 0.03, 0.05)):
        for shares in combinations(np.arange(1, 10) / 10, 2):
            each = np.array([round(limit * (1 - share), 6) for share in shares])
            once = np.array([round(limit * share * R, 6) for share in shares])
            starts = once / (limit - each)
            assert starts == pytest.approx([R, R], rel=1e-12)
            others += starts[0] < starts[1]
            found = segments(once, each, starts)
            for volume in (1.001 * R, 2 * R, 50 * R):
                (row,) = [s.row for s in found if s.start <= volume < s.end]
                assert once[row] + volume * each[row] == pytest.approx((once + volume * each).min(), rel=1e-9)
    assert others > 20  # starts that differ by rounding


def test_the_envelope_is_the_least_of_all_lines_at_every_volume():
    rng = np.random.default_rng(0)
    for _ in range(200):
        n = int(rng.integers(1, 8))
        once, each = rng.integers(0, 5, n) * 10.0, rng.integers(1, 6, n) / 2
        starts = rng.choice([0.0, 3.0, 12.0, math.inf], n)
        found = segments(once, each, starts)
        for R in rng.uniform(0, 60, 50):
            open_ones = starts <= R
            here = [s.row for s in found if s.start <= R < s.end]
            assert len(here) == open_ones.any()
            if here:
                assert once[here[0]] + R * each[here[0]] == pytest.approx((once + R * each)[open_ones].min())


def model(name, usd, once, accuracy=0.5, **more):
    inference = Gaussian(0, 0, 1, 0, accuracy, 0)
    return ModelProfile(name, inference, [LinearCost(0, usd), FixedCost(per_deployment=once)], **more)


def decided(*profiles, limits=(), draws=0):
    report = Pipeline("one-call", k=[1]).run(profiles)
    found = lifetime(report.candidates, profiles, "cost", limits, report.redraw, draws=draws)
    return found, [(s.start, s.end, str(found.candidates.model[s.row])) for s in found.segments]


def test_limits_leave_out_rows_and_a_budget_of_a_query_needs_a_number_of_them():
    profiles = [model("a", 0.03, 0), model("b", 0.01, 1000), model("c", 0.001, 1e6, accuracy=0.4)]
    _, found = decided(*profiles, limits=[Limit("accuracy", 0.45, "min")])
    assert found == [(0, pytest.approx(50_000), "a"), (pytest.approx(50_000), math.inf, "b")]
    _, found = decided(*profiles, limits=[Limit("accuracy", 0.45, "min"), Limit("cost", 0.02, "max", "p95")])
    assert found == [(pytest.approx(1e5), math.inf, "b")]
    _, found = decided(*profiles, limits=[Limit("cost", 0.0005, "max")])
    assert found == []


def test_break_evens_have_an_interval_of_what_is_uncertain():
    bought = model("a", 0.03, 0)
    trained = model("b", 0.01, 1000, uncertain={"costs[1].per_deployment": Uncertain(low=500.0, high=1500.0)})
    found, _ = decided(bought, trained, draws=2000)
    (pair,) = found.break_evens
    assert pair.queries == pytest.approx(50_000)
    assert pair.interval == pytest.approx((26_250, 73_750), rel=0.02)
    assert found.pair(pair.then, pair.first) is pair


def test_an_interval_may_end_with_never():
    bought = model("a", 0.011, 0)
    trained = model("b", 0.01, 1000, uncertain={"costs[0].usd_per_output_token": Uncertain(low=0.008, high=0.012)})
    (pair,) = decided(bought, trained, draws=500)[0].break_evens
    assert pair.interval[1] == math.inf


def test_an_interval_begins_with_0_where_the_dearer_one_at_the_start_may_take_less_once():
    at_once = "costs[1].per_deployment"
    one = model("a", 0.03, 1000, uncertain={at_once: Uncertain(low=500.0, high=1500.0)})
    two = model("b", 0.01, 1100, uncertain={at_once: Uncertain(low=600.0, high=1600.0)})
    (pair,) = decided(one, two, draws=2000)[0].break_evens
    more = np.random.default_rng(0).uniform((600, 500), (1600, 1500), (100_000, 2)) @ [1, -1]
    assert pair.interval == (0, pytest.approx(np.quantile(np.maximum(more, 0), 0.975) / 0.02, rel=0.05))


def test_shares_of_what_is_paid_once_are_not_counted_twice():
    profiles = [model("a", 0.03, 0), model("b", 0.01, 1000)]
    table = Pipeline("one-call", k=[1], volume=100).candidates(profiles)
    with pytest.raises(MooInferError, match="made without volume"):
        lifetime(table, profiles, "cost")


def test_only_what_is_spent_has_a_lifetime():
    table = Candidates.from_means([COST, ACCURACY], [[1.0, 0.5]])
    with pytest.raises(MooInferError, match="of what is spent, cost or compute, got 'accuracy'"):
        lifetime(table, [], "accuracy")
    with pytest.raises(MooInferError, match="compute"):
        lifetime(table, [], "compute")
