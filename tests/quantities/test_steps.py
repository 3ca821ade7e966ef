"""Exact quantiles over the questions of a log, against all subsets of their samples."""

import pickle
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_infer.core.cdf import AffineCdf, Cdf, NormalCdf, affine
from moo_infer.quantities.by_samples import SampleQuery
from moo_infer.quantities.samples import Samples
from moo_infer.quantities.steps import EvenSteps, LargestSteps

QUANTILES = (1e-6, 0.025, 0.25, 0.5, 0.75, 0.95, 0.999, 1 - 1e-6)


def log(counts, seed=0, ties=False):
    rng = np.random.default_rng(seed)
    question = np.repeat(np.arange(len(counts)), counts)
    seconds = rng.gamma(2.0, 1.0 + question)
    columns = {"latency_s": np.ceil(seconds) if ties else seconds, "output_tokens": rng.integers(1, 90, len(question))}
    return Samples("mine", [f"q{i}" for i in range(len(counts))], question, np.ones(len(question)), columns)


def drawn_weights(Q, seed):
    weights = np.random.default_rng(seed).exponential(size=Q)
    return weights / weights.sum()


def smallest(values, shares, q):
    """The smallest value at which the shares of all up to it reach q."""
    order = np.argsort(values, kind="stable")
    return values[order][np.flatnonzero(np.cumsum(shares[order]) >= q - 1e-12)[0]]


def over_all_subsets(values, question, weights, k, q, reduce=max):
    found, shares = [], []
    for i, weight in enumerate(weights):
        own = [reduce(subset) for subset in combinations(values[question == i].tolist(), k)]
        found += own
        shares += [weight / len(own)] * len(own)
    return smallest(np.array(found), np.array(shares), q)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("counts", [(6, 6, 6, 6), (4, 7, 5, 9, 4), (5,)])
def test_the_slowest_of_k_has_the_quantiles_of_all_subsets(counts, ties):
    samples = log(counts, ties=ties)
    k = np.arange(1, min(counts) + 1)
    cdf = LargestSteps(samples["latency_s"], samples.question, k)
    for seed in range(5):
        weights = drawn_weights(len(counts), seed)
        for q in QUANTILES:
            got = cdf.quantile(weights, q, np.zeros(len(k)), np.zeros(len(k)))
            expected = [over_all_subsets(samples["latency_s"], samples.question, weights, i, q) for i in k.tolist()]
            np.testing.assert_array_equal(got, expected)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.001, 0.999), st.sampled_from([1, 3, 40]))
def test_asked_for_again_with_other_weights_it_is_the_same_as_alone(seed, q, Q):
    samples = log(np.random.default_rng(seed).integers(5, 9, Q), seed)
    k = np.array([1, 2, 5])
    cdf = LargestSteps(samples["latency_s"], samples.question, k)
    for weights in [np.full(Q, 1 / Q)] * 2 + [drawn_weights(Q, seed + i) for i in range(4)] + list(np.eye(Q)[:3]):
        alone = LargestSteps(samples["latency_s"], samples.question, k)
        nothing = np.zeros(len(k))
        np.testing.assert_array_equal(
            cdf.quantile(weights, q, nothing, nothing), alone.quantile(weights, q, nothing, nothing)
        )


def test_a_share_that_reaches_q_but_for_rounding_is_enough():
    values = np.arange(20.0)  # of ten questions with two samples each: 0.9 is reached exactly
    cdf = LargestSteps(values, np.repeat(np.arange(10), 2), np.array([1]))
    assert cdf.quantile(np.full(10, 0.1), 0.9, np.zeros(1), np.zeros(1)) == [17.0]


def test_the_cdf_given_each_question_is_a_share_of_its_subsets():
    samples = log((4, 6, 5), ties=True)
    k = np.array([1, 3, 4])
    cdf = LargestSteps(samples["latency_s"], samples.question, k)
    at = np.array([2.0, 3.0, 5.0])
    for i in range(3):
        own = samples["latency_s"][samples.question == i].tolist()
        expected = [
            np.mean([max(c) <= x for c in combinations(own, size)]) for size, x in zip(k.tolist(), at, strict=True)
        ]
        np.testing.assert_allclose(cdf(at)[i], expected, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(cdf(np.tile(at, (3, 1)))[i], expected, rtol=1e-12, atol=1e-15)


def test_values_of_every_k_are_ranked_by_themselves():
    rng = np.random.default_rng(1)
    question = np.repeat(np.arange(4), (3, 50, 20, 7))
    given_values = rng.gamma(2.0, 1.0 + question[:, None] + np.arange(3))
    cdf, weights = EvenSteps(given_values, question), drawn_weights(4, 1)
    shares = (weights / np.bincount(question))[question]
    for q in (*QUANTILES, *QUANTILES):
        expected = [smallest(column, shares, q) for column in given_values.T]
        np.testing.assert_array_equal(cdf.quantile(weights, q, np.zeros(3), np.zeros(3)), expected)
    at = np.array([2.0, 4.0, 6.0])
    expected = [[np.mean(given_values[question == i, j] <= at[j]) for j in range(3)] for i in range(4)]
    np.testing.assert_allclose(cdf(at), expected, rtol=1e-12)


@pytest.mark.parametrize("k", [[1], [4]])
def test_a_total_of_one_or_of_all_samples_has_the_quantiles_of_all_subsets(k):
    samples = log((4, 4, 4))
    m = SampleQuery(samples)
    seconds, tokens = samples["latency_s"], samples["output_tokens"]
    total = 2 * (0.5 * m["latency_s"] + 0.1 * m.tokens_out + 1).sum(np.array(k)) + 3
    weights = drawn_weights(3, 2)
    expected = [
        over_all_subsets(seconds + 0.2 * tokens + 2, samples.question, weights, k[0], q, sum) + 3 for q in QUANTILES
    ]
    got = [total.cdf.quantile(weights, q, np.zeros(1), np.zeros(1))[0] for q in QUANTILES]
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_the_first_of_k_is_one_sample_whatever_k():
    samples = log((4, 6))
    first = (SampleQuery(samples)["latency_s"] * -1).first(np.array([1, 3]))
    weights = drawn_weights(2, 0)
    expected = over_all_subsets(-samples["latency_s"], samples.question, weights, 1, 0.3)
    np.testing.assert_array_equal(first.cdf.quantile(weights, 0.3, np.zeros(2), np.zeros(2)), [expected] * 2)


def test_sums_of_some_samples_and_numbers_of_k_have_no_cdf():
    m = SampleQuery(log((4, 6)))
    k = np.array([1, 2])
    assert m["latency_s"].sum(k).cdf is None
    assert m["latency_s"].sum(np.array([4])).cdf is None  # all samples of one question, but not of the other
    assert (m["latency_s"] * k).first(k).cdf is None
    assert (m["latency_s"].sum(np.array([2])) + m["latency_s"].first(np.array([2]))).cdf is None
    assert (-1 * m["latency_s"].max(k)).cdf is None


def test_what_is_moved_and_scaled_is_so_at_every_question():
    samples = log((4, 6, 5))
    k, weights = np.array([1, 3]), drawn_weights(3, 4)
    slowest = SampleQuery(samples)["latency_s"].max(k)
    mean, std = np.full(2, 5.0), np.full(2, 10.0)
    alike = slowest * np.array([2.0, 3.0]) + np.array([1.0, -1.0])
    for q in QUANTILES:
        once = slowest.cdf.quantile(weights, q, mean, std)
        np.testing.assert_allclose(alike.cdf.quantile(weights, q, mean, std), once * [2, 3] + [1, -1], rtol=1e-15)
    own = np.array([[0.0], [10.0], [20.0]])  # another shift for every question
    moved = slowest + own
    spread = np.sqrt(weights @ (moved.std**2 + (moved.mean - weights @ moved.mean) ** 2))
    for q in QUANTILES:
        got = moved.cdf.quantile(weights, q, weights @ moved.mean, spread)
        expected = [
            over_all_subsets(samples["latency_s"] + own[samples.question, 0], samples.question, weights, i, q)
            for i in k.tolist()
        ]
        np.testing.assert_allclose(got, expected, rtol=1e-8)


class Two(Cdf):
    """Half of it lies at 1, half at 3, at every k."""

    def __call__(self, x, /):
        return np.atleast_2d(0.5 * (x >= 1) + 0.5 * (x >= 3))


@pytest.mark.parametrize(("q", "expected"), [(0.01, 1), (0.5, 1), (0.5 + 1e-9, 3), (0.99, 3)])
def test_the_search_finds_steps_too(q, expected):
    got = Two().quantile(np.ones(1), q, np.array([2.0, 2.0]), np.array([1.0, 1.0]))
    np.testing.assert_allclose(got, expected, rtol=1e-8)


def test_the_search_finds_normal_quantiles():
    from scipy.special import ndtri

    mean, std = np.array([[1e6, -3.0, 0.0]]), np.array([[1.0, 100.0, 1e-6]])
    cdf = affine(affine(NormalCdf(mean, std), 2.0, 1.0), 0.5, np.array([0.0, 1.0, 2.0]))
    assert isinstance(cdf.of, NormalCdf)  # one step, however often it was moved
    for q in QUANTILES[1:-1]:
        at, spread = mean[0] + 0.5 + np.arange(3), std[0]
        got = cdf.quantile(np.ones(1), q, at, spread)
        np.testing.assert_allclose(got, at + spread * ndtri(q), rtol=2e-9, atol=1e-12)


def test_what_does_not_vary_is_what_it_is():
    flat = NormalCdf(np.array([[2.0], [2.0]]), np.zeros((2, 1)))
    assert flat.quantile(np.array([0.5, 0.5]), 0.9, np.array([2.0]), np.array([0.0])) == [2.0]
    never = AffineCdf(Two(), np.array([0.0, 1.0]), 1.0)  # at the first k no more than the shift
    np.testing.assert_array_equal(never(np.array([1.0, 1.0])), [[1.0, 0.0]])
    assert affine(Two(), -1.0, 0.0) is None
    assert affine(None, 1.0, 0.0) is None


def test_steps_pickle():
    samples = log((4, 6))
    cdf = affine(LargestSteps(samples["latency_s"], samples.question, np.array([1, 2])), 2.0, 1.0)
    weights = drawn_weights(2, 0)
    again = pickle.loads(pickle.dumps(cdf))
    for q in QUANTILES:
        nothing = np.zeros(2)
        np.testing.assert_array_equal(
            again.quantile(weights, q, nothing, nothing), cdf.quantile(weights, q, nothing, nothing)
        )
