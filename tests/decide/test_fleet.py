"""One budget over classes of queries: against all plans, and against rows that all classes take."""

import itertools
import math

import numpy as np
import pytest

from moo_infer import ACCURACY, COST, LATENCY, Candidates, Limit, MooInferError, Objective
from moo_infer.decide.fleet import QueryClass, allocate_classes, budgets, by_budget

LINE = [[0.01, 0.5], [0.02, 0.7], [0.04, 0.8]]  # USD a query, accuracy


def table(*rows, objectives=(COST, ACCURACY)):
    return Candidates.from_means(objectives, rows or LINE)


def classes(shares, *tables):
    return [QueryClass(f"class {g}", share, of) for g, (share, of) in enumerate(zip(shares, tables, strict=True))]


def test_the_chosen_rows_are_the_best_of_all_plans():
    rng = np.random.default_rng(0)
    for _ in range(30):
        G, n = int(rng.integers(1, 4)), 5
        shares = rng.dirichlet(np.ones(G))
        means = rng.uniform(0.01, 1, (G, n, 2)).round(3)
        own = classes(shares, *(table(*rows) for rows in means))
        budget, queries = float(rng.uniform(0.2, 0.8)) * 1000, 1000
        best = max(
            (
                sum(s * means[g][i][1] for g, (s, i) in enumerate(zip(shares, plan, strict=True)))
                for plan in itertools.product(range(n), repeat=G)
                if sum(s * means[g][i][0] for g, (s, i) in enumerate(zip(shares, plan, strict=True))) * queries
                <= budget
            ),
            default=None,
        )
        found = allocate_classes(own, budget, queries)
        if best is None:
            assert "below the cheapest plan" in found.reason
            continue
        assert found.objectives["accuracy"] == pytest.approx(best)
        assert found.usd.sum() == pytest.approx(found.objectives["cost"] * queries)
        assert found.usd.sum() <= budget * (1 + 1e-12)


def test_the_shadow_price_is_right_answers_for_a_dollar():
    found = allocate_classes(classes([1.0], table()), 150.0, 10_000)
    assert found.rows == (0,)
    assert found.allocation.shadow_prices["cost"] == pytest.approx((0.7 - 0.5) / (0.02 - 0.01))
    up = found.upgrades["class 0"]
    assert (up.row, up.rate) == (1, pytest.approx(20.0))
    assert up.gain * 10_000 == pytest.approx(up.rate * up.usd * 10_000)


def test_a_class_without_a_better_row_has_no_upgrade():
    found = allocate_classes(classes([0.5, 0.5], table(), table([0.01, 0.9])), 1000.0, 10_000)
    assert found.rows == (2, 0)
    assert found.upgrades == {}
    assert found.allocation.shadow_prices == {"cost": 0.0}


def test_rows_beyond_limits_are_no_options():
    objectives = (COST, LATENCY, ACCURACY)
    of = table([0.01, 1.0, 0.5], [0.02, 9.0, 0.9], objectives=objectives)
    assert allocate_classes(classes([1.0], of), 1000.0, 1000).rows == (1,)
    limit = Limit("latency", 5.0, "max")
    assert allocate_classes(classes([1.0], of), 1000.0, 1000, [limit]).rows == (0,)
    nothing = allocate_classes(classes([1.0], of), 1000.0, 1000, [Limit("latency", 0.5, "max")])
    assert (nothing.rows, nothing.objectives) == ((), {})
    assert nothing.reason.startswith("class class 0: nothing is feasible: latency <= 0.5 fails by 0.5 s")


def test_a_budget_below_the_cheapest_plan_says_what_that_takes():
    found = allocate_classes(classes([0.7, 0.3], table(), table()), 99.0, 10_000)
    assert found.rows == ()
    assert found.reason == "the budget of 99 USD is below the cheapest plan, which takes 100 USD"
    assert allocate_classes(classes([0.7, 0.3], table(), table()), 100.0, 10_000).rows == (0, 0)


def test_without_classes_the_mixture_of_two_rows_spends_all():
    found = allocate_classes(classes([0.7, 0.3], table(), table()), 150.0, 10_000)
    assert {*found.plain.keys} == {("model", "aggregator", 1), ("model", "aggregator", 2)}
    assert found.plain.shares == pytest.approx((0.5, 0.5))
    assert found.plain.accuracy == pytest.approx(0.6)
    assert found.plain.accuracy == pytest.approx(
        found.allocation.mixture
    )  # classes that are alike need not be told apart


def test_without_classes_one_row_is_enough_where_more_money_buys_nothing():
    found = allocate_classes(classes([1.0], table([0.01, 0.9], [0.02, 0.8])), 150.0, 10_000)
    assert (found.plain.keys, found.plain.shares) == ((("model", "aggregator", 1),), (1.0,))


def test_the_plain_mixture_is_that_of_the_mixture_of_rows():
    from moo_infer.policy.mixture import mix

    rng = np.random.default_rng(3)
    for _ in range(20):
        a, b = rng.uniform(0.01, 1, (2, 6, 2))
        share = float(rng.uniform(0.2, 0.8))
        whole = share * a + (1 - share) * b
        limit = float(rng.uniform(whole[:, 0].min(), whole[:, 0].max()))
        found = allocate_classes(classes([share, 1 - share], table(*a), table(*b)), limit * 1000, 1000)
        mixture = mix(table(*whole), [Limit("cost", limit, "max")])
        assert found.plain.accuracy == pytest.approx(mixture.objectives["accuracy"].mean)
        assert [k - 1 for _, _, k in found.plain.keys] == mixture.rows.tolist()
        assert found.plain.shares == pytest.approx(mixture.weights)
        assert found.allocation.mixture >= found.plain.accuracy - 1e-9


def test_the_mixture_within_a_class_spends_all_and_is_worth_what_the_bound_says():
    rng = np.random.default_rng(4)
    for _ in range(30):
        means = rng.uniform(0.01, 1, (3, 6, 2))
        shares = rng.dirichlet(np.ones(3))
        own = classes(shares, *(table(*rows) for rows in means))
        found = allocate_classes(own, 400.0, 1000)
        if not found.rows:
            continue
        parts = [(one, row, share) for one in own for row, share in found.shared[one.name]]
        accuracy, cost = (
            sum(one.share * share * one.table.column(name)[row] for one, row, share in parts)
            for name in ("accuracy", "cost")
        )
        assert accuracy == pytest.approx(found.allocation.mixture)
        assert cost <= 0.4 * (1 + 1e-9)
        assert len(parts) <= 4
        assert all(sum(share for _, share in of) == pytest.approx(1) for of in found.shared.values())


def test_classes_whose_models_are_named_otherwise_share_no_row():
    other = Candidates.from_means((COST, ACCURACY), LINE, model="another")
    assert allocate_classes(classes([0.5, 0.5], table(), other), 500.0, 10_000).plain is None


def test_by_budget_accuracy_never_falls():
    found = allocate_classes(classes([0.7, 0.3], table(), table([0.02, 0.1], [0.03, 0.9])), 250.0, 10_000)
    usd = budgets(found)
    assert usd[0] == pytest.approx((0.7 * 0.01 + 0.3 * 0.02) * 10_000)
    assert usd[-1] == pytest.approx((0.7 * 0.04 + 0.3 * 0.03) * 10_000)
    each = by_budget(found)
    assert all(one.rows for one in each)
    assert (np.diff([one.objectives["accuracy"] for one in each]) >= 0).all()


def test_by_budget_begins_above_0_where_the_cheapest_plan_is_free():
    each = by_budget(allocate_classes(classes([1.0], table([0.0, 0.5], [0.02, 0.7])), 100.0, 10_000))
    assert 0 < each[0].budget < 10
    assert [each[0].rows, each[-1].rows] == [(0,), (1,)]


def test_objectives_that_not_all_classes_have_are_left_out():
    more = table([0.01, 2.0, 0.5], objectives=(COST, Objective("carbon", "gCO2"), ACCURACY))
    found = allocate_classes(classes([0.5, 0.5], more, table()), 1000.0, 1000)
    assert {*found.objectives} == {"cost", "accuracy"}


@pytest.mark.parametrize(
    ("shares", "tables", "budget", "queries", "sentence"),
    [
        ([0.5, 0.4], 2, 1.0, 1, "queries: the shares must sum to 1, got 0.9"),
        ([1.5], 1, 1.0, 1, "class class 0: share: must be > 0 and <= 1, got 1.5"),
        ([0.0, 1.0], 2, 1.0, 1, "class class 0: share: must be > 0 and <= 1, got 0.0"),
        ([math.nan], 1, 1.0, 1, "class class 0: share: must be > 0 and <= 1, got nan"),
        ([], 0, 1.0, 1, "queries: there must be one class at least, got none"),
        ([1.0], 1, 0.0, 1, "budget: must be a finite number of USD > 0, got 0.0"),
        ([1.0], 1, math.nan, 1, "budget: must be a finite number of USD > 0, got nan"),
        ([1.0], 1, 1.0, 0, "queries: must be a whole number of at least 1, got 0"),
        ([1.0], 1, 1.0, 10.5, "queries: must be a whole number of at least 1, got 10.5"),
        ([1.0], 1, 1.0, "10", "queries: must be a whole number of at least 1, got '10'"),
        ([1.0], 1, "1", 1, "budget: must be a finite number of USD > 0, got '1'"),
        (["1"], 1, 1.0, 1, "class class 0: share: must be > 0 and <= 1, got '1'"),
    ],
)
def test_what_is_no_fleet_is_refused_in_one_sentence(shares, tables, budget, queries, sentence):
    with pytest.raises(MooInferError, match=sentence):
        allocate_classes(classes(shares, *[table()] * tables), budget, queries)


def test_classes_have_different_names():
    with pytest.raises(MooInferError, match="queries: class easy is there twice; classes must have different names"):
        allocate_classes([QueryClass("easy", 0.5, table()), QueryClass("easy", 0.5, table())], 1.0, 1)


def test_shares_may_have_rounding_errors_and_rows_need_a_cost():
    assert sum([0.7, 0.2, 0.1]) != 1
    assert allocate_classes(classes([0.7, 0.2, 0.1], *[table()] * 3), 1e3, 1000).rows == (2, 2, 2)
    without = Candidates.from_means((LATENCY, ACCURACY), LINE)
    with pytest.raises(MooInferError, match="class class 0: its rows need cost, which no part of them says"):
        allocate_classes(classes([1.0], without), 1.0, 1)
