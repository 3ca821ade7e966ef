"""Quantities: what k inferences do with a number of one, by laws and by the samples of questions."""

import copy
import pickle
from itertools import combinations

import numpy as np
import pytest

from moo_infer import ClippedNormal, Lognormal, MissingColumn, Moments, MooInferError, Samples
from moo_infer.core.errors import NotExact, NothingPossible
from moo_infer.quantities.by_law import LawQuery
from moo_infer.quantities.by_samples import SampleQuery

K = np.array([1, 2, 4])
LAWS = {
    "tokens_in": ClippedNormal(1000.0, 50.0, low=1.0),
    "tokens_out": ClippedNormal(400.0, 30.0, low=1.0),
    "accuracy": ClippedNormal(0.8, 0.1, 0.0, 1.0),
}
BY_LAW = LawQuery(LAWS)
SKEWED = LawQuery(
    {
        "tokens_in": Lognormal(500.0, 0.4),
        "tokens_out": Lognormal(900.0, 0.5, 2500.0),
        "accuracy": Lognormal(0.3, 0.5, 1.0),
    }
)
RNG = np.random.default_rng(4)
COUNTS = (5, 6)
QUESTION = np.repeat([0, 1], COUNTS)
LOG = Samples(
    "mine",
    ["q1", "q2"],
    QUESTION,
    np.array([1.0, 0, 1, 0, 0, 1, 1, 1, 0, 1, 1]),
    {
        "input_tokens": np.repeat([100.0, 200.0], COUNTS),
        "output_tokens": RNG.integers(10, 99, 11),
        "latency_s": RNG.gamma(2.0, 3.0, 11),
        "answer": np.array([0, 1, 0, 2, 1, 0, 0, 0, 1, 0, 0]),
        "score": RNG.normal(size=11),
    },
)
BY_SAMPLES = SampleQuery(LOG)


def over_subsets(of):
    """(Q, n) means and standard deviations of a function of the row numbers of a subset, by going through all."""
    rows = [np.flatnonzero(q == QUESTION) for q in range(2)]
    values = [[[of(list(s)) for s in combinations(own, int(k))] for k in K] for own in rows]
    return np.array([[np.mean(v) for v in q] for q in values]), np.array([[np.std(v) for v in q] for q in values])


def test_a_quantity_added_to_itself_is_twice_as_much():
    for query in (BY_LAW, BY_SAMPLES):
        q = 0.3 + 2.0 * query.tokens_in + query.tokens_out
        for once, twice in (((q + q).sum(K), (2 * q).sum(K)), (q.sum(K) + q.sum(K), 2 * q.sum(K))):
            np.testing.assert_allclose(once.mean, twice.mean, rtol=1e-15)
            np.testing.assert_allclose(once.std, twice.std, rtol=1e-12)


def test_totals_of_one_query_add_with_what_they_share():
    m = BY_LAW
    both = (m.tokens_in.sum(K) + 3 * m.tokens_out.sum(K)) - m.tokens_in.first(K)
    law_in, law_out = LAWS["tokens_in"], LAWS["tokens_out"]
    np.testing.assert_allclose(both.mean, (K - 1) * law_in.mean + 3 * K * law_out.mean)
    np.testing.assert_allclose(both.std, np.sqrt((K - 1) * law_in.std**2 + 9 * K * law_out.std**2))
    np.testing.assert_allclose(both.quantile(0.5), both.mean)
    np.testing.assert_allclose((m.tokens_out.sum(K) - m.tokens_out.sum(K)).std, 0, atol=1e-12)


def test_samples_of_a_question_are_drawn_without_replacement():
    total = 0.5 + 0.01 * BY_SAMPLES.tokens_out
    values = 0.5 + 0.01 * LOG["output_tokens"]
    mean, std = over_subsets(lambda s: values[s].sum())
    np.testing.assert_allclose(total.sum(K).mean, mean)
    np.testing.assert_allclose(total.sum(K).std, std, atol=1e-12)
    mean, std = over_subsets(lambda s: values[s].max())
    np.testing.assert_allclose(total.max(K).mean, mean)
    np.testing.assert_allclose(total.max(K).std, std, atol=1e-12)


def test_columns_of_a_sample_belong_together():
    m = BY_SAMPLES
    seconds, tokens = LOG["latency_s"], LOG["output_tokens"].astype(float)
    mean, std = over_subsets(lambda s: (2 * seconds[s] + tokens[s]).sum())
    total = 2 * m["latency_s"].sum(K) + m.tokens_out.sum(K)
    np.testing.assert_allclose(total.mean, mean)
    np.testing.assert_allclose(total.std, std, atol=1e-10)


def test_the_first_of_k_is_any_sample_and_correlated_with_their_sum():
    m = BY_SAMPLES
    seconds = LOG["latency_s"]
    total = 3 * m["latency_s"].first(K) + m["latency_s"].sum(K)
    one = [[[3 * seconds[i] + seconds[list(s)].sum() for s in combinations(own, int(k)) for i in s] for k in K]
           for own in (np.flatnonzero(q == QUESTION) for q in range(2))]  # fmt: skip
    np.testing.assert_allclose(total.mean, [[np.mean(v) for v in q] for q in one])
    np.testing.assert_allclose(total.std, [[np.std(v) for v in q] for q in one], atol=1e-10)


@pytest.mark.parametrize("query", [BY_LAW, SKEWED], ids=["normal", "lognormal"])
def test_by_a_law_inferences_are_independent(query):
    q = 0.2 + 0.01 * query.tokens_out
    rng = np.random.default_rng(1)
    draws = q.quantile(rng.random((100_000, 4)))
    for moments, values in ((q.sum(K), np.cumsum(draws, axis=1)), (q.max(K), np.maximum.accumulate(draws, axis=1))):
        assert moments.mean == pytest.approx(values[:, K - 1].mean(axis=0), rel=5e-3)
        assert moments.std == pytest.approx(values[:, K - 1].std(axis=0), rel=2e-2)
    assert q.max(K).quantile(0.9) == pytest.approx(np.quantile(np.maximum.accumulate(draws, axis=1)[:, K - 1], 0.9, axis=0), rel=1e-2)  # fmt: skip


def test_what_is_right_of_k_samples():
    right = LOG.correct
    for moments, of in (
        (BY_SAMPLES.accuracy.any(K), lambda s: right[s].max()),
        (BY_SAMPLES.accuracy.all(K), lambda s: right[s].min()),
        (BY_SAMPLES.accuracy.max(K), lambda s: right[s].max()),
        (BY_SAMPLES.accuracy.majority(K), lambda s: np.sign(2 * right[s].sum() - len(s)) / 2 + 0.5),
        (BY_SAMPLES.accuracy.top(K), lambda s: right[s][LOG["score"][s].argmax()]),
    ):
        mean, _ = over_subsets(of)
        np.testing.assert_allclose(moments.mean, mean)


def test_what_is_right_by_a_law():
    p = BY_LAW.accuracy.mean
    np.testing.assert_allclose(BY_LAW.accuracy.any(K).mean, 1 - (1 - p) ** K)
    np.testing.assert_allclose(BY_LAW.accuracy.all(K).mean, p**K)
    np.testing.assert_allclose(BY_LAW.accuracy.majority(np.array([3])).mean, p**3 + 3 * p**2 * (1 - p))


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda: BY_LAW["latency_s"], "the law of latency_s is not known"),
        (lambda: (-1 * BY_LAW.tokens_out).max(K), "falls with one of its columns"),
        (lambda: (SKEWED.tokens_in + SKEWED.tokens_out + SKEWED.accuracy).max(K), "grows with two of them"),
        (lambda: (2 * BY_LAW.accuracy).any(K), "of the accuracy itself"),
        (lambda: BY_LAW.accuracy.plurality(K), "the law of the answers is not known"),
        (lambda: BY_SAMPLES.tokens_out.mean, "without replacement"),
        (lambda: BY_SAMPLES.tokens_out.cdf(1.0), "without replacement"),
    ],
)
def test_what_is_not_known_is_refused(ask, reason):
    with pytest.raises(NotExact, match=reason):
        ask()


def test_a_column_that_a_log_lacks_is_named():
    with pytest.raises(MissingColumn, match="no column 'cost_usd', needed by the samples of mine"):
        BY_SAMPLES["cost_usd"]
    with pytest.raises(NothingPossible, match="no vote"):
        SampleQuery(Samples("mine", ["q"], np.zeros(2, int), np.ones(2), {"answer": np.arange(2)})).accuracy.plurality(
            K
        )


def test_constants_are_constant_whatever_rounding_leaves():
    odd = Samples("m", ["q"], np.zeros(3, int), np.ones(3), {"latency_s": np.full(3, 0.1 + 0.2)})
    assert SampleQuery(odd)["latency_s"].constant
    assert BY_SAMPLES.tokens_in.constant
    assert not BY_SAMPLES.tokens_out.constant
    assert (0 * BY_LAW.tokens_out + 1).constant
    assert not BY_LAW.tokens_out.constant


def test_moments_of_the_same_draws_add_as_far_as_one_varies():
    varying = BY_LAW.tokens_out.max(K)
    still = Moments(np.array([1.0, 2.0, 3.0]), np.full(3, 1e-17))
    total = still + varying + 5
    np.testing.assert_allclose(total.mean, varying.mean + still.mean + 5)
    np.testing.assert_array_equal(total.std, varying.std)
    np.testing.assert_allclose(total.quantile(0.3), varying.quantile(0.3) + still.mean + 5)
    both = varying + BY_LAW.tokens_out.sum(K)
    assert both.std is None
    assert both.quantile is None
    assert (-2 * varying).quantile is None
    np.testing.assert_allclose((-2 * varying).std, 2 * varying.std)


def test_arrays_scale_from_the_left():
    prices = np.array([[1.0], [2.0]])
    total = (prices * BY_LAW.tokens_out).sum(K)
    assert total.mean.shape == (2, 3)
    np.testing.assert_allclose(total.mean[1], 2 * total.mean[0])
    np.testing.assert_allclose((K * BY_LAW.tokens_out.first(K)).mean, K * BY_LAW.tokens_out.mean)


@pytest.mark.parametrize("of", ["sum", "max", "first"])
def test_moments_pickle_with_their_quantiles(of):
    moments = getattr(0.3 + 0.01 * BY_LAW.tokens_out, of)(K) * 2 + 1
    for again in (pickle.loads(pickle.dumps(moments)), copy.deepcopy(moments)):
        np.testing.assert_array_equal(again.quantile(0.9), moments.quantile(0.9))


def test_totals_of_other_k_add_as_moments_do():
    one, every = BY_LAW.tokens_out.sum(np.array([1])), BY_LAW.tokens_out.sum(K)
    np.testing.assert_allclose((one + every).mean, (K + 1) * BY_LAW.tokens_out.mean)
    assert (one + every).std is None


def test_quantities_of_two_queries_do_not_add():
    with pytest.raises(MooInferError, match="one query"):
        BY_LAW.tokens_out + SKEWED.tokens_out


@pytest.mark.parametrize("query", [BY_LAW, BY_SAMPLES], ids=["law", "samples"])
def test_what_depends_on_k_is_no_number_of_one_inference(query):
    """Two values of k might be taken for the two ends of a law, and as many as there are samples for these."""
    for k in (np.array([1, 2]), np.arange(1, 12)):
        q = k * query.tokens_out + 1
        with pytest.raises(NotExact, match="depend on k"):
            q.max(k)
