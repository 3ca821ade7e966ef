import numpy as np
import pytest

from moo_infer import Draws
from moo_infer.builtin.costs import LinearCost, LinearLatency
from moo_infer.builtin.inference import Gaussian

GPT_5 = Gaussian(1024, 64, 2048, 128, 0.94, 0.02)
K = np.array([1, 4, 20])


def test_totals_are_running_sums_and_latency_is_shared_by_p():
    draws = Draws(np.array([[10.0, 20.0]]), np.array([[100.0, 300.0]]), np.ones((1, 2)))
    assert LinearCost(0.1, 0.01).total(draws, parallelism=9).tolist() == [[2.0, 7.0]]
    assert LinearLatency(0.1, 0.01).total(draws, parallelism=2).tolist() == [[1.0, 3.5]]


def test_latency_is_k_over_p_times_the_mean_of_the_inferences():
    draws = GPT_5.sample(np.random.default_rng(0), 3, 8)
    seconds = 0.0005 * draws.tokens_in + 0.005 * draws.tokens_out
    expected = [(k / 4) * seconds[:, :k].mean(axis=1) for k in range(1, 9)]
    np.testing.assert_allclose(LinearLatency(0.0005, 0.005).total(draws, parallelism=4), np.transpose(expected))


def test_exact_moments_of_gpt_5():
    cost = LinearCost(1.25e-6, 1e-5).exact(GPT_5.queries().query, K, parallelism=4)
    np.testing.assert_allclose(cost.mean, 0.02176 * K, rtol=1e-14)
    np.testing.assert_allclose(cost.std, np.sqrt(K) * np.hypot(1.25e-6 * 64, 1e-5 * 128), rtol=1e-14)
    np.testing.assert_allclose(cost.quantile(0.975), cost.mean + 1.959963984540054 * cost.std, rtol=1e-12)
    latency = LinearLatency(0.0005, 0.005).exact(GPT_5.queries().query, K, parallelism=4)
    np.testing.assert_allclose(latency.mean, 10.752 * K / 4, rtol=1e-14)


def test_quantiles_are_left_to_simulation_where_clipping_bites():
    short = Gaussian(2, 3, 5, 2, 0.9, 0.0)
    moments = LinearCost(1.0, 1.0).exact(short.queries().query, K, parallelism=1)
    assert moments.quantile is None
    assert moments.mean[0] > 7  # clipping at 1 from below raises the mean


@pytest.mark.parametrize("part", [LinearCost(0, 0), LinearLatency(0, 0)])
def test_free_is_a_price(part):
    moments = part.exact(GPT_5.queries().query, K, parallelism=1)
    assert moments.mean.tolist() == moments.std.tolist() == moments.quantile(0.9).tolist() == [0.0, 0.0, 0.0]


def test_whole_prices_of_whole_tokens_add_to_fractions_and_leave_the_draws_alone():
    draws = Draws(np.array([[10, 20]]), np.array([[100, 300]]), np.ones((1, 2)))
    assert LinearCost(0, 0.01).total(draws, parallelism=1).tolist() == [[1.0, 4.0]]
    assert draws.tokens_in.tolist() == [[10, 20]]
