"""What a budget pays for: whole things, whatever floats make of prices."""

import math
from fractions import Fraction

import numpy as np
import pytest

from moo_infer import MooInferError
from moo_infer.core.budgets import affordable, pays


@pytest.mark.parametrize(
    ("budget", "price", "n"),
    [(1.0, 0.1, 10), (1 - 0.3, 0.07, 10), (0.999999, 0.1, 9), (0.3, 0.1, 3), (1e3, 1e-6, 10**9), (0.05, 0.1, 0)],
)
def test_floats_do_not_take_one_away(budget, price, n):
    assert affordable(budget, price) == n


def test_the_traps_are_there():
    """Or the tests above would show nothing."""
    assert 1.0 // 0.1 == 9
    assert math.floor((1 - 0.3) / 0.07) == 9


def test_what_is_written_in_cents_is_exact():
    """Against whole numbers of a hundredth of a cent, over ten thousand budgets, prices and fixed costs."""
    rng = np.random.default_rng(0)
    for _ in range(10_000):
        price, fixed, n = (int(x) for x in rng.integers(1, [5000, 50_000, 2000]))
        budget = fixed + n * price + int(rng.integers(0, price))
        assert affordable(budget / 1e4, price / 1e4, fixed / 1e4) == n


def test_what_is_affordable_is_paid_and_one_more_is_not():
    rng = np.random.default_rng(1)
    for budget, price, fixed in 10.0 ** rng.uniform(-6, 6, (2000, 3)):
        n = affordable(budget, price, fixed)
        exact = (Fraction(budget) * (1 + Fraction(1, 10**11)) - Fraction(fixed)) / Fraction(price)
        assert n == 0 or n <= exact
        assert not pays(budget, fixed + (n + 1) * price)


def test_a_budget_below_what_is_fixed_pays_for_nothing():
    assert affordable(5, 0.5, fixed=6) == 0
    assert affordable(6, 0.5, fixed=6) == 0
    assert affordable(0, 1) == 0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((1.0, 0.0), "price: must be finite and > 0, got 0.0"),
        ((-1.0, 1.0), "budget: must be finite and >= 0, got -1.0"),
        ((math.inf, 1.0), "budget: must be finite and >= 0, got inf"),
        ((1.0, math.nan), "price: must be finite and > 0, got nan"),
        ((1.0, 1.0, -1.0), "fixed: must be finite and >= 0, got -1.0"),
        ((1e300, 1e-300), "price: so small that more than 1e308 are affordable, got 1e-300"),
    ],
)
def test_amounts_that_are_none_are_refused(given, message):
    with pytest.raises(MooInferError, match=message):
        affordable(*given)


def solved(n, p=0.1):
    return 1 - (1 - p) ** n


def test_fixed_costs_and_whole_samples():
    """Issue 22: A takes 1 a sample, B takes 6 once and 0.5 a sample; a sample is right with probability 0.1."""

    def both(budget):
        return solved(affordable(budget, 1.0)), solved(affordable(budget, 0.5, fixed=6.0))

    assert both(10) == pytest.approx((0.65132156, 0.56953279), abs=5e-9)
    assert both(20) == pytest.approx((0.87842335, 0.94766524), abs=5e-9)
    for budget in (11.5, 11.75, 11.999, 12.0, 12.25, 12.499):
        a, b = both(budget)
        assert a == b
    assert both(11.499)[0] > both(11.499)[1]
    for budget in np.arange(12.5, 40, 0.1):
        assert both(budget)[1] > both(budget)[0]
