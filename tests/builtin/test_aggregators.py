import itertools
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from moo_infer import Draws, InferenceModel, Queries
from moo_infer.builtin.aggregators import AllOfK, BestOfK, Coverage, MajorityVote
from moo_infer.builtin.inference import Gaussian

GPT_5 = Gaussian(1024, 64, 2048, 128, 0.94, 0.02)


def sure(p):
    """A model that is right with probability p in every inference."""
    return Gaussian(1024, 64, 2048, 128, p, 0.0)


@dataclass(frozen=True)
class Law(InferenceModel):
    """A model whose accuracy has a mean and a standard deviation, whatever its law."""

    name = "law"
    mean: float
    std: float

    def queries(self):
        return Queries(accuracy=self)

    def sample(self, rng, M, K, /):
        raise NotImplementedError


def Certain(p):
    """Inferences that are right with probability p, or wrong."""
    return Law(p, np.sqrt(p * (1 - p)))


def draws(accuracy):
    accuracy = np.atleast_2d(accuracy).astype(float)
    return Draws(np.ones(accuracy.shape), np.ones(accuracy.shape), accuracy)


def test_best_of_k_of_gpt_5_is_the_golden_figure():
    moments = BestOfK().exact(GPT_5.queries().query, np.array([4, 8, 16, 128]))
    golden = [0.9605569671, 0.9684110106, 0.9751981761, 0.9909553948]
    np.testing.assert_allclose(moments.mean, golden, atol=1e-9, rtol=0)
    assert moments.std[1] == pytest.approx(0.0120274209, abs=1e-9)


@pytest.mark.parametrize(("mean", "std"), [(0.94, 0.02), (0.91, 0.07), (0.5, 0.5), (0.02, 0.1), (0.999, 1e-4)])
def test_best_of_k_is_adaptive_quadrature_at_every_k(mean, std):
    ks = np.array([1, 2, 3, 16, 128, 10_000, 100_000])
    moments = BestOfK().exact(Gaussian(1, 0, 1, 0, mean, std).queries().query, ks)
    for k, got_mean, got_std in zip(ks, moments.mean, moments.std, strict=True):
        points = np.clip(stats.norm.ppf([0.5 ** (1 / k), 0.01 ** (1 / k), 0.99 ** (1 / k)]) * std + mean, 0, 1)

        def power(x, k=k):
            return stats.norm.cdf((x - mean) / std) ** k

        low, high = max(0, mean - 12 * std), min(1, mean + 12 * std)
        options = {"points": points, "epsabs": 1e-14, "epsrel": 1e-12, "limit": 500}
        first = high - integrate.quad(power, low, high, **options)[0]
        square = integrate.quad(lambda x: 2 * (1 - x) * power(x), low, high, **options)[0] + (1 - high) ** 2
        assert got_mean == pytest.approx(first, abs=1e-10)
        assert got_std == pytest.approx(np.sqrt(max(square - (1 - first) ** 2, 0)), abs=1e-8)


def test_best_of_k_quantiles_are_those_of_the_power_of_the_cdf():
    k = np.array([1, 4, 128])
    x = BestOfK().exact(GPT_5.queries().query, k).quantile(0.3)
    np.testing.assert_allclose(stats.norm.cdf((x - 0.94) / 0.02) ** k, 0.3, rtol=1e-9)


def test_best_of_k_without_spread_is_the_mean():
    moments = BestOfK().exact(sure(0.7).queries().query, np.array([1, 100]))
    assert moments.mean.tolist() == [0.7, 0.7]
    assert moments.std.tolist() == [0.0, 0.0]


def test_best_of_k_is_the_running_maximum():
    assert BestOfK().aggregate(draws([0.2, 0.5, 0.3, 0.9]), None).tolist() == [[0.2, 0.5, 0.5, 0.9]]


def test_coverage_is_one_minus_the_product_of_failures():
    assert Coverage().aggregate(draws([0.5, 0.5, 1.0]), None).tolist() == [[0.5, 0.75, 1.0]]
    moments = Coverage().exact(sure(0.4).queries().query, np.array([1, 8]))
    np.testing.assert_allclose(moments.mean, [0.4, 1 - 0.6**8], rtol=1e-14)
    assert moments.std.tolist() == [0.0, 0.0]


def test_coverage_spread_is_that_of_a_product_of_independent_failures():
    model = Gaussian(1, 0, 1, 0, 0.5, 0.1)
    law, k = model.queries().law("accuracy"), 7
    failure_squared = (1 - law.mean) ** 2 + law.std**2
    expected = np.sqrt(failure_squared**k - (1 - law.mean) ** (2 * k))
    assert Coverage().exact(model.queries().query, np.array([k])).std[0] == pytest.approx(expected, rel=1e-12)


def test_coverage_of_a_model_that_is_always_right():
    moments = Coverage().exact(sure(1.0).queries().query, np.array([1, 5]))
    assert (moments.mean.tolist(), moments.std.tolist()) == ([1.0, 1.0], [0.0, 0.0])


def test_all_of_k_is_the_product_of_what_is_right():
    assert AllOfK().aggregate(draws([0.5, 0.5, 1.0, 0.0]), None).tolist() == [[0.5, 0.25, 0.25, 0.0]]
    moments = AllOfK().exact(sure(0.4).queries().query, np.array([1, 8]))
    np.testing.assert_allclose(moments.mean, [0.4, 0.4**8], rtol=1e-14)
    assert moments.std.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("mean", [1e-310, 1e-9, 0.3, 0.999999])
def test_all_of_k_spread_does_not_cancel_and_is_that_of_right_or_wrong(mean):
    """Of inferences that are right or wrong the product is so too, so that p^k says all."""
    k = np.array([1, 2, 7, 100])
    moments = AllOfK().exact(Certain(mean).queries().query, k)
    p = mean ** k.astype(float)
    np.testing.assert_allclose(moments.mean, p, rtol=1e-13)
    np.testing.assert_allclose(moments.std, np.sqrt(p * -np.expm1(k * np.log(mean))), rtol=1e-9, atol=1e-160)


def test_all_of_k_of_a_small_spread_keeps_its_digits():
    """By the delta method, which is exact to 1e-10 here; mean^2k subtracted would leave no digit."""
    moments = AllOfK().exact(Law(0.7, 1e-9).queries().query, np.array([5]))
    assert moments.std[0] == pytest.approx(np.sqrt(5) * 0.7**4 * 1e-9, rel=1e-9)


@pytest.mark.parametrize(("mean", "std"), [(1.0, 0.0), (0.0, 0.0)])
def test_all_of_k_of_a_model_that_is_always_right_or_never(mean, std):
    moments = AllOfK().exact(sure(mean).queries().query, np.array([1, 5]))
    assert (moments.mean.tolist(), moments.std.tolist()) == ([mean] * 2, [0.0, 0.0])


def test_majority_vote_is_the_golden_figure():
    mean = MajorityVote().exact(sure(0.6).queries().query, np.array([3, 5, 11])).mean
    np.testing.assert_allclose(mean, [0.648, 0.68256, 0.753498], atol=5e-7)


def vote(ps):
    """The slow way: every way the inferences can turn out."""
    total = 0.0
    for right in itertools.product([0, 1], repeat=len(ps)):
        chance = np.prod([p if r else 1 - p for p, r in zip(ps, right, strict=True)])
        total += chance * (1.0 if 2 * sum(right) > len(ps) else 0.5 if 2 * sum(right) == len(ps) else 0.0)
    return total


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_majority_vote_counts_every_way_the_inferences_can_turn_out(ps):
    got = MajorityVote().aggregate(draws(ps), None)[0]
    np.testing.assert_allclose(got, [vote(ps[: i + 1]) for i in range(len(ps))], atol=1e-12)


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 0.6, 1.0])
def test_majority_vote_mean_is_the_binomial_tail_with_half_the_ties(p):
    k = np.arange(1, 40)
    expected = stats.binom.sf(k // 2, k, p) + np.where(k % 2 == 0, 0.5 * stats.binom.pmf(k // 2, k, p), 0.0)
    np.testing.assert_allclose(MajorityVote().exact(sure(p).queries().query, k).mean, expected, atol=1e-12)


def test_zeros_and_ones_vote_as_they_are():
    assert MajorityVote().aggregate(draws([1, 0, 0, 1, 1]), None).tolist() == [[1.0, 0.5, 0.0, 0.5, 1.0]]


@pytest.mark.parametrize("mean", [0.4, 0.999])
def test_coverage_at_very_large_k_neither_overflows_nor_loses_its_spread(mean):
    k = np.array([1, 10, 2000, 100_000])
    moments = Coverage().exact(Gaussian(1, 0, 1, 0, mean, 0.02).queries().query, k)
    law = Gaussian(1, 0, 1, 0, mean, 0.02).queries().law("accuracy")
    wrong = 1 - law.mean
    assert moments.std[0] == pytest.approx(law.std, rel=1e-12)
    assert moments.std[1] == pytest.approx(np.sqrt((wrong**2 + law.std**2) ** 10 - wrong**20), rel=1e-6)
    assert np.isfinite(moments.std).all()
    assert moments.std[-1] >= 0


def test_moments_of_many_laws_at_once_are_those_one_by_one():
    means, stds = np.array([[0.94], [0.5], [0.7]]), np.array([[0.02], [0.3], [0.0]])
    k = np.array([1, 7, 128])
    for aggregator in (BestOfK(), Coverage(), AllOfK(), MajorityVote()):
        together = aggregator.exact(Gaussian(1, 0, 1, 0, means, stds).queries().query, k)
        for b in range(3):
            alone = aggregator.exact(Gaussian(1, 0, 1, 0, float(means[b, 0]), float(stds[b, 0])).queries().query, k)
            np.testing.assert_allclose(together.mean[b], alone.mean, rtol=0, atol=1e-15)
            if alone.std is not None:
                np.testing.assert_allclose(together.std[b], alone.std, rtol=0, atol=1e-12)
