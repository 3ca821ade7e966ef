"""One option of each of many menus within limits of the whole: against all plans, linear programs and printed figures."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog

import moo_infer.decide.allocate as module
from moo_infer import MooInferError, NoSelection
from moo_infer.decide import relaxation
from moo_infer.decide.allocate import allocate, best_plan
from moo_infer.decide.samples_each import greedy


def by_hand(values, costs, limits, weights):
    """The best value over all plans, one after the other."""
    best = None
    for plan in itertools.product(*map(range, map(len, values))):
        spent = sum(w * np.atleast_1d(costs[g][o]) for g, (o, w) in enumerate(zip(plan, weights, strict=True)))
        if (spent <= np.array(limits) * (1 + 1e-12)).all():
            value = sum(w * values[g][o] for g, (o, w) in enumerate(zip(plan, weights, strict=True)))
            best = value if best is None else max(best, value)
    return best


def bound_by_linprog(values, costs, limit):
    """The value of the best mixture of options."""
    G, n = values.shape
    one = np.kron(np.eye(G), np.ones(n)) if G < 200 else None
    if one is None:
        from scipy.sparse import coo_array

        one = coo_array((np.ones(G * n), (np.repeat(np.arange(G), n), np.arange(G * n)))).tocsr()
    found = linprog(
        -values.ravel(), A_ub=costs.ravel()[None], b_ub=[limit], A_eq=one, b_eq=np.ones(G), method="highs-ipm"
    )
    return -found.fun


def random_menus(rng, G, m):
    sizes = rng.integers(1, 5, G)
    values = [np.round(rng.normal(0, 1, n), 1) for n in sizes]
    costs = [np.round(rng.uniform(0, 3, (n, m)), 1) for n in sizes]
    return values, costs


@pytest.mark.parametrize("m", [1, 2, 3])
@pytest.mark.parametrize("few", [True, False])
def test_every_way_to_the_best_plan_finds_what_a_look_at_all_plans_finds(m, few, monkeypatch):
    if not few:
        monkeypatch.setattr(module, "FEW", 0.5)
    rng = np.random.default_rng(m)
    methods = set()
    for _ in range(40 if few else 15):
        values, costs = random_menus(rng, int(rng.integers(1, 6)), m)
        weights = rng.uniform(0.1, 2, len(values)).round(1)
        worst = [
            sum(w * c[:, j].mean() for w, c in zip(weights, costs, strict=True)) * rng.uniform(0.8, 1.2)
            for j in range(m)
        ]
        best = by_hand(values, costs, worst, weights)
        limits = {f"limit {j}": bound for j, bound in enumerate(worst)}
        if best is None:
            with pytest.raises(NoSelection, match="no plan meets|below the cheapest plan"):
                allocate(values, costs, limits, weights, tolerance=1e-9)
            continue
        found = allocate(values, costs, limits, weights, tolerance=1e-9)
        methods.add(found.method)
        assert found.value == pytest.approx(best, abs=1e-9)
        assert found.gap <= 1e-6 * (m > 1)
        assert all(found.spent[name] <= bound * (1 + 1e-12) for name, bound in limits.items())
        assert found.mixture >= found.bound - 1e-9 >= best - 2e-9
        of = list(zip(weights, values, costs, found.choices, strict=True))
        assert found.value == pytest.approx(sum(w * v[o] for w, v, _, o in of))
        assert found.spent["limit 0"] == pytest.approx(sum(w * c[o, 0] for w, _, c, o in of))
    assert methods <= ({"enumeration"} if few else {"milp", "dual"})


def test_the_bound_of_5000_menus_of_20_is_that_of_the_linear_program_and_the_gap_is_small():
    rng = np.random.default_rng(0)
    values, costs = rng.random((5000, 20)), rng.random((5000, 20))
    found = allocate(values, costs, {"cost": 1500.0})
    assert found.method == "dual"
    assert found.bound == pytest.approx(bound_by_linprog(values, costs, 1500.0), rel=1e-9)
    assert 0 < found.gap <= 1e-4
    assert found.spent["cost"] <= 1500.0


def test_a_mixture_of_options_has_the_value_and_the_prices_of_a_linear_program_in_every_way():
    rng = np.random.default_rng(7)
    for _ in range(10):
        values, costs = rng.random((6, 4)), rng.random((6, 4, 1))
        limits = {"cost": float(costs.min(axis=1).sum() * 1.4)}
        by_hulls = allocate(values, costs, limits)
        twice = allocate(values, np.concatenate([costs, costs * 0], axis=2), limits | {"nothing": 1.0})
        plans = best_plan([4] * 6, lambda plans: (sums(values, plans), sums(costs[:, :, 0], plans)[:, None]), limits)  # noqa: B023
        linear = bound_by_linprog(values, costs, limits["cost"])
        for found in (by_hulls, twice, plans):
            assert found.mixture == pytest.approx(linear, abs=1e-9)
            assert found.shadow_prices["cost"] == pytest.approx(by_hulls.shadow_prices["cost"], rel=1e-6)
            assert found.choices.tolist() == by_hulls.choices.tolist()
        step = 1e-6
        looser = bound_by_linprog(values, costs, limits["cost"] + step)
        assert by_hulls.shadow_prices["cost"] == pytest.approx((looser - linear) / step, rel=1e-4)


def sums(of, plans):
    """What plans (C, G) add up to, of (G, n)."""
    return of[np.arange(len(of)), plans].sum(axis=1)


def mixture_by_linprog(values, costs, limits):
    """The value of the best mixture of all plans (C,) that take (C, m), None where none is within limits."""
    scale = np.where(limits > 0, limits, 1.0)
    found = linprog(
        -values,
        A_ub=(costs / scale).T,
        b_ub=limits / scale,
        A_eq=np.ones((1, len(values))),
        b_eq=[1],
        method="highs-ds",
    )
    return -found.fun if found.status == 0 else None


@pytest.mark.parametrize("m", [2, 3])
@pytest.mark.parametrize("as_sums", [True, False], ids=["options", "plans"])
def test_the_prices_of_several_limits_are_what_a_little_of_each_alone_buys(m, as_sums):
    rng = np.random.default_rng(m)
    for _ in range(25):
        G, n = 3, 4
        values, costs = rng.integers(0, 9, (G, n)) / 10, rng.integers(0, 5, (G, n, m)) / 10
        plans = np.array([*itertools.product(range(n), repeat=G)])
        each, spent = sums(values, plans), costs[np.arange(G), plans].sum(axis=1)
        if not as_sums:
            spent = costs[np.arange(G), plans].max(axis=1)
        worst = spent[rng.integers(len(plans))]
        limits = {f"limit {j}": float(bound) for j, bound in enumerate(worst)}
        index = {tuple(plan): i for i, plan in enumerate(plans.tolist())}

        def evaluate(asked, index=index, each=each, spent=spent):
            rows = [index[tuple(plan)] for plan in asked.tolist()]
            return each[rows], spent[rows]

        found = allocate(values, costs, limits) if as_sums else best_plan([n] * G, evaluate, limits)
        here = mixture_by_linprog(each, spent, worst)
        assert found.mixture == pytest.approx(here, abs=1e-6)
        for j, (name, bound) in enumerate(limits.items()):
            step = np.eye(m)[j] * (bound or spent[:, j].max() or 1.0) * 1e-5
            above = (mixture_by_linprog(each, spent, worst + step) - here) / step[j]
            assert found.shadow_prices[name] == pytest.approx(above, rel=1e-3, abs=1e-4)
            tighter = mixture_by_linprog(each, spent, worst - step) if bound else None
            below = math.inf if tighter is None else (here - tighter) / step[j]
            assert found.prices_below[name] == pytest.approx(below, rel=1e-3, abs=1e-4)


def test_a_limit_of_which_a_little_more_buys_nothing_has_no_price():
    """More of the third limit is of no use, as what is worth more takes more of the first or the second one too."""
    values = np.array([[0.26406031, 0.03424505, 0.13979769, 0.01685228]])
    costs = np.array(
        [[[1.01986784, 1.98766115, 2.49068184], [1, 1, 1], [0.81006972, 1.00202608, 2.54738417], [0.57, 1.08, 2.59]]]
    )
    found = allocate(values, costs, {"first": 1.0, "second": 1.0, "third": 1.0})
    assert found.shadow_prices == pytest.approx({"first": 0, "second": 0, "third": 0}, abs=1e-9)


def test_what_two_limits_buy_together_neither_buys_alone():
    found = allocate([[0, 1]], [[[1, 1], [2, 2]]], {"cost": 1, "latency": 1})
    assert found.shadow_prices == {"cost": 0, "latency": 0}
    assert found.prices_below == {"cost": math.inf, "latency": math.inf}
    assert allocate([[0, 1]], [[[1, 1], [2, 2]]], {"cost": 1, "latency": 5}).prices_below["latency"] == 0


def test_a_mixture_is_found_where_no_plan_to_begin_with_is_within_the_limits():
    """Less of the first limit is had by mixing the plan with two others, neither of which takes least of anything."""
    values, spent = np.array([1, 0.2, 0.2, 0.5, 0.6]), np.array([[1, 1], [0, 10], [10, 0], [0.1, 1.5], [1.5, 0.1]])
    found = best_plan([5], lambda plans: (values[plans[:, 0]], spent[plans[:, 0]]), {"a": 1.0, "b": 1.0})
    step = 1e-4
    for name, less in (("a", [step, 0.0]), ("b", [0.0, step])):
        tighter = mixture_by_linprog(values, spent, 1 - np.array(less))
        assert found.prices_below[name] == pytest.approx((1 - tighter) / step, rel=1e-6)


def test_where_one_way_to_solve_a_linear_program_fails_the_other_is_asked(monkeypatch):
    import scipy.optimize

    solve, asked = scipy.optimize.linprog, []

    def fails(*given, method, **named):
        asked.append(method)
        found = solve(*given, method=method, **named)
        if method == asked[0]:
            found.status, found.message = 4, "numerical difficulties"
        return found

    values, costs = [[0.0, 1.0], [0.0, 2.0]], [[[0, 0], [1, 2]], [[0, 0], [3, 1]]]
    limits = {"cost": 2.0, "latency": 2.5}
    wanted = allocate(values, costs, limits)
    monkeypatch.setattr(scipy.optimize, "linprog", fails)
    found = allocate(values, costs, limits)
    assert {*asked} == {"highs-ipm", "highs-ds"}
    assert asked[0] != asked[1]
    assert found.mixture == pytest.approx(wanted.mixture, rel=1e-9)
    assert found.shadow_prices == pytest.approx(wanted.shadow_prices, rel=1e-6)


def test_where_menus_bend_upwards_greedy_the_best_plan_and_the_bound_are_three_numbers():
    # Two samples of the first query are worth .5, of the second .4, one of either nothing; the third one bends down.
    values = np.array([[0, 0, 0.5, 0.5], [0, 0, 0.4, 0.4], [0, 0.1, 0.15, 0.16]])
    costs = np.tile(np.arange(4.0), (3, 1))
    by_steps = greedy(np.diff(values), 3)
    assert by_steps.tolist() == [0, 0, 3]
    assert values[np.arange(3), by_steps].sum() == pytest.approx(0.16)
    found = allocate(values, costs, {"samples": 3})
    assert found.choices.tolist() == [2, 0, 1]
    assert found.value == pytest.approx(0.6)
    assert found.mixture == pytest.approx(0.7) == bound_by_linprog(values, costs, 3)
    assert (found.bound, found.gap) == (found.value, 0.0)


def test_two_classes_share_a_mean_budget_as_printed():
    k = np.arange(0, 301)
    values = [1 - 0.7**k, 1 - 0.97**k]
    found = allocate(values, [k, k], {"samples": 50}, weights=[0.7, 0.3])
    assert found.choices.tolist() == [17, 127]
    assert found.value == pytest.approx(0.9921035501, abs=1e-10)
    assert found.spent["samples"] == pytest.approx(50)
    assert 0.7 * values[0][50] + 0.3 * values[1][50] == pytest.approx(0.9345803748, abs=1e-10)


def test_samples_of_two_models_for_one_query_multiply_their_misses_as_printed():
    a, b = np.arange(96), np.arange(10)
    found = allocate([-a * math.log(0.99), -b * math.log(0.9)], [a, 10 * b], {"cost": 95})
    assert found.choices.tolist() == [5, 9]
    assert 1 - math.exp(-found.value) == pytest.approx(0.6315669698, abs=1e-10)


def test_stages_that_must_all_be_right_are_given_as_logarithms_or_evaluated():
    p, usd = np.array([[0.6, 0.9], [0.7, 0.8]]), np.array([[1.0, 3.0], [1.0, 2.0]])
    limits = {"cost": 4.0}
    of_logs = allocate(np.log(p), usd, limits)
    evaluated = best_plan(
        [2, 2], lambda plans: (p[[0, 1], plans].prod(axis=1), usd[[0, 1], plans].sum(axis=1)[:, None]), limits
    )
    assert of_logs.choices.tolist() == evaluated.choices.tolist() == [1, 0]
    assert math.exp(of_logs.value) == pytest.approx(evaluated.value) == pytest.approx(0.63)
    assert of_logs.spent == evaluated.spent == {"cost": 4.0}
    # One more dollar: .9 .8 for .9 .7, and the first stage has its best already.
    assert evaluated.upgrades.tolist() == of_logs.upgrades.tolist() == [-1, 1]
    assert evaluated.rates == pytest.approx([0, 0.09])


def test_the_slowest_branch_is_limited_by_a_limit_for_each_path():
    p = np.array([[0.5, 0.9], [0.6, 0.8]])
    seconds = np.array([[1.0, 4.0], [2.0, 3.0]])
    costs = np.zeros((2, 2, 2))
    costs[0, :, 0], costs[1, :, 1] = seconds[0], seconds[1]
    found = allocate(np.log(p), costs, {"upper": 3.0, "lower": 3.0})
    assert found.choices.tolist() == [0, 1]


def test_what_costs_exactly_the_budget_is_affordable():
    assert 0.1 + 0.2 > 0.3
    found = allocate([[0, 1], [0, 1]], [[0, 0.1], [0, 0.2]], {"cost": 0.3})
    assert found.choices.tolist() == [1, 1]
    many = np.tile([0.0, 1.0], (1000, 1)), np.tile([0.0, 0.1], (1000, 1))
    assert allocate(*many, {"cost": 100.0}).choices.sum() == 1000
    assert allocate(*many, {"cost": 99.99}).choices.sum() == 999


@pytest.mark.parametrize("few", [True, False])
def test_of_plans_that_are_worth_the_same_the_cheapest_is_taken(few, monkeypatch):
    if not few:
        monkeypatch.setattr(module, "FEW", 0.5)
    assert 0.1 + 0.2 > 0.3
    found = allocate([[0.5, 0.1 + 0.2, 0.3], [0.0, 0.0]], [[5, 3, 2], [4, 1]], {"cost": 4})
    assert found.choices.tolist() == [2, 1]
    assert found.spent == {"cost": 3.0}
    assert allocate([[0.1 + 0.2, 0.3]], [[3, 2]], {"cost": 4}).choices.tolist() == [1]


def test_a_group_with_the_largest_weight_fills_the_budget_and_one_without_weight_takes_nothing():
    found = allocate([[0, 1], [0, 1]], [[0, 1], [0, 1]], {"cost": 2}, weights=[2, 0])
    assert found.choices.tolist() == [1, 0]
    assert found.spent == {"cost": 2.0}


def test_without_limits_every_group_has_its_best_option():
    values = np.random.default_rng(0).random((50, 9))
    found = allocate(values, np.zeros((50, 9, 0)), {})
    assert found.choices.tolist() == values.argmax(axis=1).tolist()
    assert (found.spent, found.shadow_prices, found.gap) == ({}, {}, 0.0)


def test_an_integer_program_closes_the_gap_of_the_dual_and_never_goes_above_the_limit():
    rng = np.random.default_rng(3)
    values, costs = rng.random((60, 6)), rng.integers(10, 40, (60, 6)).astype(float)
    rough = allocate(values, costs, {"cost": 900.0}, tolerance=1.0)
    fine = allocate(values, costs, {"cost": 900.0}, tolerance=1e-9)
    assert rough.method == "dual"
    assert rough.gap > 0
    assert fine.gap == 0
    assert fine.value >= rough.value
    assert fine.bound < rough.bound
    assert fine.spent["cost"] <= 900.0


def test_a_plan_of_the_integer_program_above_the_limit_is_sought_again_a_little_below_it(monkeypatch):
    rng = np.random.default_rng(3)
    values, costs = rng.random((60, 6)), rng.integers(10, 40, (60, 6)).astype(float)
    solved, asked = relaxation._integers, []

    def above(menus, tight, tolerance):
        asked.append(tight)
        return solved(replace(menus, limits={"cost": 905.0}) if tight == 1.0 else menus, tight, tolerance)

    monkeypatch.setattr(relaxation, "_integers", above)
    found = allocate(values, costs, {"cost": 900.0}, tolerance=1e-9)
    assert asked[0] == 1.0 > asked[1]
    assert found.spent["cost"] <= 900.0
    assert found.bound >= found.value


def test_a_gain_that_is_rounding_is_no_upgrade():
    values = [[0.1 + 0.2, 0.3], [0.3, 0.1 + 0.2]]  # 5.6e-17 apart
    found = allocate(values, [[0, 1], [0, 1]], {"cost": 1})
    evaluated = best_plan(
        [2, 2], lambda plans: (np.array(values)[[0, 1], plans].sum(axis=1), plans.sum(axis=1)[:, None]), {"cost": 1}
    )
    for one in (found, evaluated):
        assert one.choices.tolist() == [0, 0]
        assert one.upgrades.tolist() == [-1, -1]
        assert one.rates.tolist() == [0, 0]


def test_upgrades_name_what_each_group_would_take_with_more():
    found = allocate([[0.5, 0.6, 0.9], [0.5, 0.7]], [[0, 1, 2], [0, 4]], {"cost": 1}, weights=[1, 0.5])
    assert found.choices.tolist() == [1, 0]
    assert found.upgrades.tolist() == [2, 1]
    assert found.rates == pytest.approx([0.3, 0.05])


@pytest.mark.parametrize(
    ("values", "costs", "limits", "weights", "sentence"),
    [
        ([[0.5]], [[1.0]], {"cost": 0.5}, None, "cost <= 0.5 is below the cheapest plan, which takes 1$"),
        ([[0.5]], [[2 / 3]], {"cost": 0.1}, None, "below the cheapest plan, which takes 0.666667$"),
        ([[0.5]], [[1 / 3]], {"cost": 0.1}, None, "below the cheapest plan, which takes 0.333334$"),
        ([[0.5]], [[1.0]], {"cost": math.nan}, None, "limit on cost: must be a finite number >= 0, got nan"),
        ([[0.5]], [[1.0]], {"cost": -1}, None, "limit on cost: must be a finite number >= 0, got -1"),
        ([[0.5]], [[1.0]], {"cost": math.inf}, None, "limit on cost: must be a finite number >= 0, got inf"),
        ([[0.5, math.nan]], [[1.0, 1]], {"cost": 1}, None, "0: option 1: its value must be a finite number, got nan"),
        (
            [[0.5], [-math.inf]],
            [[1], [1]],
            {"cost": 1},
            None,
            "1: option 0: its value must be a finite number, got -inf",
        ),
        ([[0.5]], [[-1.0]], {"cost": 1}, None, "0: option 0: its cost must be a finite number >= 0, got -1.0"),
        ([[0.5]], [[math.inf]], {"cost": 1}, None, "0: option 0: its cost must be a finite number >= 0, got inf"),
        ([[0.5]], [[1e20]], {"cost": 1}, None, r"of an option its cost must be at most 1e\+15"),
        ([[0.5]], [[1, 2]], {"cost": 1}, None, "0: must have 1 costs for each of 1 options"),
        ([[]], [[]], {"cost": 1}, None, "0: must have options"),
        ([], [], {"cost": 1}, None, "there must be values and costs of each group, got 0 and 0"),
        ([["a"]], [[1]], {"cost": 1}, None, r"must be numbers, got \['a'\]"),
        ([[0.5]], [[1]], {"cost": 1}, [0], "weights: at least one must be above 0, got 0 for all"),
        ([[0.5]], [[1]], {"cost": 1}, [math.nan], "0: weight: must be a finite number >= 0, got nan"),
        ([[0.5]], [[1]], {"cost": 1}, [1, 2], "weights: there must be one for each of 1 groups"),
        (np.zeros((3, 0)), np.zeros((3, 0, 1)), {"c": 1}, None, r"each group must have options, got values of shape"),
        (np.ones((2, 2)), np.ones((2, 3)), {"c": 1}, None, r"costs must have the shape \(2, 2, 1\), got \(2, 3, 1\)"),
        (np.ones((2, 2)), np.ones((2, 4)), {"c": 1, "d": 1}, None, r"the shape \(2, 2, 2\), got \(2, 4\)"),
        ([[0.5]], [[1]], [1], None, r"limits: must be a mapping, got \[1\]"),
    ],
)
def test_what_cannot_be_allocated_is_refused_in_one_sentence(values, costs, limits, weights, sentence):
    with pytest.raises(MooInferError, match=sentence):
        allocate(values, costs, limits, weights)


def test_limits_that_can_be_met_alone_and_not_together_are_named(monkeypatch):
    values, costs = [[1.0, 2.0]], [[[0, 2], [2, 0]]]
    for few in (module.FEW, 0.5):
        monkeypatch.setattr(module, "FEW", few)
        with pytest.raises(NoSelection, match="no plan meets cost <= 0.5 and latency <= 0.5 together"):
            allocate(values, costs, {"cost": 0.5, "latency": 0.5})
    with pytest.raises(NoSelection, match="no plan meets cost <= 0.5 and latency <= 0.5 together"):
        best_plan(
            [2], lambda plans: (plans[:, 0], np.array([[0, 2], [2, 0]])[plans[:, 0]]), {"cost": 0.5, "latency": 0.5}
        )


@pytest.mark.parametrize(
    ("sizes", "evaluate", "sentence"),
    [
        ([], print, "1 to 1,000,000 plans"),
        ([0, 2], print, "sizes.0.: must be >= 1, got 0"),
        ([-2, -3], print, "sizes.0.: must be >= 1, got -2"),
        ([2, 1.5], print, "sizes.1.: must be a whole number >= 1, got 1.5"),
        ([2], lambda plans: (plans[:, 0],), "evaluate: must give what plans are worth and what they take"),
        ([2], lambda plans: ("x", plans), "evaluate: must be numbers, got 'x'"),
        ([101, 100, 100], print, "got 1,010,000"),
        ([2], lambda plans: (plans[:, 0] * math.nan, plans), "what plans are worth must be finite, got nan"),
        ([2], lambda plans: (plans[:, 0], plans * math.inf), "what plans take must be finite, got"),
        ([2], lambda plans: (plans, plans), r"what plans are worth must have the shape \(2,\), got \(2, 1\)"),
        ([2], lambda plans: (plans[:, 0], plans + 5), "cost <= 3 is below the cheapest plan, which takes 5"),
    ],
)
def test_plans_that_cannot_be_looked_at_are_refused_in_one_sentence(sizes, evaluate, sentence):
    with pytest.raises(MooInferError, match=sentence), np.errstate(invalid="ignore"):
        best_plan(sizes, evaluate, {"cost": 3})
