"""Samples for single queries: greedy on concave gains, against the figures as printed."""

import math

import numpy as np
import pytest

import moo_infer.decide.samples_each as samples_module
from moo_infer import MooInferError
from moo_infer.decide.samples_each import coverage_gains, greedy, samples_each

TEN = [0.9, 0.7, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001]


def test_ten_queries_share_50_and_200_samples_as_printed():
    found = samples_each(TEN, 50)
    assert found.choices.tolist() == [2, 3, 5, 7, 9, 12, 12, 0, 0, 0]
    assert found.value == pytest.approx(5.8923883479, abs=1e-10)
    assert sum(1 - (1 - p) ** 5 for p in TEN) == pytest.approx(5.2563682258, abs=1e-10)
    assert found.shadow_prices["budget"] == pytest.approx(0.02824295, abs=1e-8)
    assert found.prices_below["budget"] == pytest.approx(0.02844, abs=1e-8)
    assert samples_each(TEN, 200).choices.tolist() == [3, 4, 7, 11, 16, 26, 40, 54, 39, 0]


@pytest.mark.parametrize("budget", [0, 1, 50, 200, 999])
def test_for_samples_of_one_price_greedy_is_the_best_allocation(budget):
    gains = coverage_gains(TEN, 1000)
    by_steps = greedy(gains, budget)
    found = samples_each(TEN, budget)
    assert by_steps.tolist() == found.choices.tolist()
    assert found.gap == 0


def test_of_a_beta_distribution_gains_are_means_over_it():
    a, b = 2.0, 5.0
    p = (np.arange(200_000) + 0.5) / 200_000
    density = p ** (a - 1) * (1 - p) ** (b - 1)
    means = [(density * p * (1 - p) ** k).sum() / density.sum() for k in range(6)]
    assert coverage_gains([[a, b]], 6)[0] == pytest.approx(means, rel=1e-6)
    # As sure as known: a posterior of very many samples.
    assert coverage_gains([[3e6, 7e6]], 6)[0] == pytest.approx(coverage_gains([0.3], 6)[0], rel=1e-5)


@pytest.mark.parametrize(
    ("ask", "sentence"),
    [
        (lambda: coverage_gains([1.5], 3), "chances of success"),
        (lambda: coverage_gains([[0.0, 1.0]], 3), "chances of success"),
        (lambda: coverage_gains([], 3), "chances of success"),
        (lambda: greedy([[0.5]], math.nan), "budget: must be a finite number >= 0, got nan"),
        (lambda: greedy([[math.nan]], 1), "gains must be finite"),
        (lambda: greedy([[0.5]], 1, 0.0), "usd: must be above 0"),
        (lambda: samples_each([0.5], -1), "limit on budget: must be a finite number >= 0, got -1"),
        (lambda: samples_each([0.5, [0.1, 2]], 1), "chances of success: must be numbers"),
        (lambda: samples_each([0.5], 1, "x"), "usd: must be numbers, got 'x'"),
        (lambda: coverage_gains([0.5], -1), "K: must be >= 1, got -1"),
        (lambda: greedy([[0.5], [0.1, 0.2]], 1), "gains: must be numbers"),
        (lambda: greedy([[0.5]], "x"), "budget: must be a finite number >= 0, got 'x'"),
    ],
)
def test_single_queries_with_numbers_out_of_range_are_refused(ask, sentence):
    with pytest.raises(MooInferError, match=sentence):
        ask()


def by_money(success, budget, usd):
    """The most that samples at whole prices are worth, from queries and money one after the other."""
    best = np.zeros(budget + 1)
    for p, price in zip(success, usd, strict=True):
        plans = [best]
        for k in range(1, budget // price + 1):
            plans.append(np.full(budget + 1, -1.0))
            plans[-1][k * price :] = best[: budget + 1 - k * price] + 1 - (1 - p) ** k
        best = np.max(plans, axis=0)
    return best[-1]


@pytest.mark.parametrize(
    ("success", "budget", "usd"),
    [
        ([0.01, 0.9], 999, [1, 1000]),  # what is too dear leaves money for more samples than the price suggests
        ([0.05, 0.3], 119, [1, 120]),
        ([0.003, 0.01, 0.3], 292, [1, 7, 50]),
        ([0.05, 0.01], 306, [1, 120]),
        ([0.9, 0.9, 0.05], 207, [2, 7, 120]),  # small gains for money that an integer program leaves
    ],
)
def test_samples_of_different_prices_are_worth_as_much_as_those_of_a_search_over_money(success, budget, usd):
    found = samples_each(success, budget, usd)
    assert found.value == pytest.approx(by_money(success, budget, usd), rel=1e-9)
    assert found.gap == 0


def test_where_more_samples_than_were_looked_at_may_be_worth_more_the_bound_says_so(monkeypatch):
    monkeypatch.setattr(samples_module, "MOST_EXACTLY", 0)
    found = samples_each([0.01, 0.9], 999, [1, 1000])
    assert found.choices.tolist() == [256, 0]
    assert found.value < by_money([0.01, 0.9], 999, [1, 1000]) < found.bound


def test_single_queries_of_which_too_many_samples_would_be_looked_at_are_refused(monkeypatch):
    monkeypatch.setattr(samples_module, "MOST_GAINS", 1000)
    with pytest.raises(MooInferError, match="4 queries with up to 256 samples each are too many to be looked at"):
        samples_each([1e-7] * 4, 1e15)
