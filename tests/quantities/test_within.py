"""Variances within questions: by leaving out each sample in turn, slowly, and against logs drawn again and again."""

import numpy as np
import pytest

from moo_infer.quantities.bootstrap import resampled
from moo_infer.quantities.samples import Samples
from moo_infer.quantities.subsets import all_at_k, largest_of_k, pass_at_k, vote_at_k
from moo_infer.quantities.within import (
    all_variance,
    largest_variance,
    pass_variance,
    ratio_variance,
    vote_variance,
)

K = np.array([1, 2, 3, 5, 6])


def log(seed=0, Q=6, least=2, most=9):
    rng = np.random.default_rng(seed)
    n = rng.integers(least, most, Q)
    question = np.repeat(np.arange(Q), n)
    answer = rng.integers(-1, 4, len(question))
    correct = np.where(answer == 0, 1.0, np.where(answer == 1, rng.integers(0, 2, len(answer)), 0.0))
    seconds = rng.lognormal(size=len(question))
    return Samples("mine", [f"q{i}" for i in range(Q)], question, correct, {"answer": answer, "latency_s": seconds})


def left_out(samples, estimate):
    """(Q, m), the jackknife as it is defined: every sample left out in turn."""
    found = np.full((len(samples.questions), len(K)), np.nan)
    for q in range(len(samples.questions)):
        rows = np.flatnonzero(samples.question == q)
        each = np.array([estimate(samples.where(np.isin(np.arange(len(samples)), rows[rows != i])))[0] for i in rows])
        found[q] = (len(rows) - 1) * each.var(axis=0)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_every_variance_is_that_of_leaving_out_each_sample_in_turn(seed):
    samples = log(seed)
    compared = {
        "pass": (pass_variance(samples.n, samples.right, K), lambda s: pass_at_k(s.n, s.right, K)),
        "all": (all_variance(samples.n, samples.right, K), lambda s: all_at_k(s.n, s.right, K)),
        "vote": (vote_variance(samples, K), lambda s: vote_at_k(s, K)),
        "slowest": (
            largest_variance(samples["latency_s"], samples.question, K),
            lambda s: largest_of_k(s["latency_s"], s.question, K)[0],
        ),
    }
    for name, (fast, estimate) in compared.items():
        np.testing.assert_allclose(fast, left_out(samples, estimate), rtol=1e-9, atol=1e-15, err_msg=name)


def test_a_share_of_right_samples_varies_as_a_binomial_does():
    assert pass_variance([9], [4], [1])[0, 0] == pytest.approx((4 / 9) * (5 / 9) / 8)
    assert np.isnan(pass_variance([3], [1], [3])).all()  # none can be left out


def test_the_mean_of_all_values_varies_as_those_of_its_questions_do():
    samples = log(most=6)
    n, values = samples.n, samples["latency_s"]
    each = [values[samples.question == q].var(ddof=1) / n[q] for q in range(len(n))]
    expected = sum(v * (n[q] / n.sum()) ** 2 for q, v in enumerate(each))
    assert ratio_variance(values, samples.question, len(n)) == pytest.approx(expected)
    assert np.isnan(ratio_variance(np.ones(3), np.array([0, 0, 1]), 2))  # one value says nothing of its spread


@pytest.mark.parametrize("k", [1, 2, 4])
def test_logs_of_the_same_questions_vary_as_much_as_is_said(k):
    p, n, logs = np.array([0.1, 0.5, 0.9, 0.7]), 12, 4000
    right = np.random.default_rng(1).binomial(n, p, (logs, 4)).ravel()
    drawn = pass_at_k(np.full(len(right), n), right, [k]).reshape(logs, 4).mean(axis=1)
    said = pass_variance(np.full(len(right), n), right, [k]).reshape(logs, 4).sum(axis=1) / 16
    assert 0.97 <= np.mean(said) / np.var(drawn) <= 1.2  # on average the jackknife is not too small


def test_samples_drawn_again_are_those_of_their_question():
    samples = log()
    again = resampled(samples, np.random.default_rng(3))
    assert again.n.tolist() == samples.n.tolist()
    for q in range(len(samples.questions)):
        rows = samples.question == q
        assert {*again["latency_s"][rows]} <= {*samples["latency_s"][rows]}
    assert (again["answer"] != samples["answer"]).any()
