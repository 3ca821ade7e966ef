"""Majority votes of the first k inferences, against the count of every way they can turn out."""

import numpy as np
import pytest
from scipy.stats import binom

from moo_infer.quantities.majority import majority_of_first

RNG = np.random.default_rng(24)


def by_all_counts(right):
    count, shares = np.zeros((len(right) + 1, right.shape[1])), []
    count[0] = 1.0
    for k, p in enumerate(right, 1):
        count[1:] = (1 - p) * count[1:] + p * count[:-1]
        count[0] *= 1 - p
        tie = 0.5 * count[k // 2] if k % 2 == 0 else 0.0
        shares.append(count[k // 2 + 1 :].sum(axis=0) + tie)
    return np.array(shares)


LAWS = {
    "nearly always right": np.clip(RNG.normal(0.94, 0.02, (700, 9)), 0, 1),
    "nearly never right": np.clip(RNG.normal(0.06, 0.02, (700, 9)), 0, 1),
    "right half of the time": np.full((700, 9), 0.5),
    "anything": RNG.random((700, 200)),
    "easy and hard questions": np.repeat(np.linspace(0, 1, 200)[None], 700, axis=0),
    "right at first and wrong then": np.repeat(np.repeat([0.9, 0.05], [300, 400])[:, None], 9, axis=1),
    "fewer than one look": RNG.random((7, 9)),
}


@pytest.mark.parametrize("law", LAWS)
def test_the_vote_is_that_of_all_counts(law):
    np.testing.assert_allclose(majority_of_first(LAWS[law]), by_all_counts(LAWS[law]), rtol=0, atol=1e-13)


def test_a_vote_of_right_and_wrong_answers_is_counted_without_an_error():
    right = (RNG.random((900, 50)) < 0.5).astype(float)
    lead = np.cumsum(2 * right - 1, axis=0)
    np.testing.assert_array_equal(majority_of_first(right), (np.sign(lead) + 1) / 2)


def test_a_vote_of_four_thousand_is_the_binomial_tail():
    k, p = np.arange(1, 4001), np.array([0.48, 0.5, 0.53])
    tail = binom.sf(k[:, None] // 2, k[:, None], p) + 0.5 * (k % 2 == 0)[:, None] * binom.pmf(
        k[:, None] // 2, k[:, None], p
    )
    np.testing.assert_allclose(majority_of_first(np.repeat(p[None], 4000, axis=0)), tail, rtol=0, atol=1e-12)
