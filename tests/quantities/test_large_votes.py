"""Votes of many samples by characteristic functions, against polynomials, closed forms and random orders."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from moo_infer.quantities.large_votes import large_vote_shares
from moo_infer.quantities.plurality import vote_shares


def polynomials(n, votes, right, k):
    order = np.argsort(-np.asarray(votes), kind="stable")
    return vote_shares(n, np.asarray(votes)[None, order], np.asarray(right, float)[None, order], k)[0]


counts = st.lists(st.tuples(st.integers(1, 60), st.floats(0, 1), st.booleans()), min_size=1, max_size=8)


@settings(deadline=None, max_examples=25)
@given(counts, st.integers(0, 40))
def test_transforms_give_what_polynomials_give(answers, blanks):
    votes = np.array([count for count, *_ in answers])
    right = np.array([count * worth * is_right for count, worth, is_right in answers])
    n = int(votes.sum()) + blanks
    k = np.arange(1, n + 1)
    np.testing.assert_allclose(large_vote_shares(n, votes, right, k), polynomials(n, votes, right, k), atol=2e-12)


def test_many_answers_of_one_sample_each_are_a_lottery():
    shares = large_vote_shares(2000, np.ones(2000, int), np.arange(2000) < 6.0, np.array([1, 10, 700, 2000]))
    np.testing.assert_allclose(shares, 0.003, atol=1e-12)


@pytest.mark.parametrize("right", [40, 2000, 2050, 4100 - 40])
def test_a_vote_between_two_answers_is_hypergeometric(right):
    n, k = 4100, np.array([1, 2, 64, 65, 66, 2000, 4099, 4100])
    law = hypergeom(n, right, k)
    expected = law.sf(k // 2) + 0.5 * np.where(k % 2 == 0, law.pmf(k // 2), 0.0)
    shares = vote_shares(n, np.array([sorted([right, n - right])[::-1]]), np.zeros((1, 2)), k)
    assert not shares.any()
    largest_first = right >= n - right
    votes, worth = ([right, n - right], [right, 0.0]) if largest_first else ([n - right, right], [0.0, right])
    shares = vote_shares(n, np.array([votes]), np.array([worth], float), k)[0]
    np.testing.assert_allclose(shares, expected, rtol=1e-9, atol=1e-11)


def test_a_vote_is_that_of_random_orders():
    votes, right = np.array([500, 480, 470, 30]), np.array([0.0, 480, 235, 30])
    rng = np.random.default_rng(3)
    k, orders = np.array([70, 400, 1200]), 4000
    answers = np.repeat(np.arange(5), [*votes, 20])
    seen = np.stack(
        [
            [np.bincount(order[:n], minlength=5)[:4] for n in k]
            for order in (rng.permutation(answers) for _ in range(orders))
        ]
    )
    won = seen == seen.max(axis=2, keepdims=True)
    worth = (won * (right / votes)).sum(axis=2) / won.sum(axis=2)
    error = worth.std(axis=0) / orders**0.5
    assert (np.abs(large_vote_shares(1500, votes, right, k) - worth.mean(axis=0)) < 4 * error).all()
