"""The largest batch within a limit, and the cheapest where waiting has a price."""

import math

import numpy as np
import pytest

from moo_infer import MooInferError
from moo_infer.decide.batches import cheapest_batch, largest_batch


def test_the_largest_batch_within_two_seconds():
    found = largest_batch(2.0, 0.5, 0.05)
    assert (found.size, found.seconds, found.items_per_second) == (30, 2.0, 15.0)


def test_a_batch_that_takes_just_as_long_as_the_limit_meets_it():
    """Whatever rounding does to the quotient: limits are written with as many digits as the seconds of a batch."""
    rng = np.random.default_rng(0)
    for _ in range(3000):
        size, item, base = int(rng.integers(1, 500)), round(rng.uniform(0.001, 0.5), 3), round(rng.uniform(0, 2), 2)
        assert largest_batch(round(base + item * size, 6), base, item).size == size


def test_the_cheapest_batch():
    found = cheapest_batch(1.0, 0.1, 0.01, 5.0)
    assert (found.size, found.usd_per_item) == (32, pytest.approx(0.16225, abs=1e-12))


def test_no_other_batch_is_cheaper():
    """Against all batches up to 300, one after the other."""
    rng = np.random.default_rng(0)
    for _ in range(200):
        F, v, w, arrivals = (float(x) for x in rng.lognormal(0, 1, 4) * [1, 0.1, 0.05, 5])
        b = np.arange(1, 301)
        costs = F / b + v + w * (b - 1) / (2 * arrivals)
        found = cheapest_batch(F, v, w, arrivals, most=300)
        assert found.usd_per_item == pytest.approx(costs.min(), rel=1e-12)
        assert found.usd_per_item == pytest.approx(costs[found.size - 1])


def test_numbers_of_numpy_are_numbers():
    found = largest_batch(np.int64(2), np.float64(0.5), np.float64(0.05))
    assert found == largest_batch(2.0, 0.5, 0.05)
    assert type(found.seconds) is float
    assert cheapest_batch(np.int64(1), 0.1, 0.01, 5.0, most=np.int64(7)) == cheapest_batch(1.0, 0.1, 0.01, 5.0, most=7)


def test_of_two_batches_that_cost_the_same_the_smaller_is_taken():
    """Both cost the same where b (b + 1) = 2 lambda F / w."""
    assert cheapest_batch(2.7, 0.1, 0.3, 5.0, 10).size == 9
    for b in (1, 2, 9, 30, 999, 100_000):
        for w in (0.1, 0.3, 0.7):
            assert cheapest_batch(b * (b + 1) * w / 10, 0.1, w, 5.0).size == b
            assert cheapest_batch((b * (b + 1) + 1) * w / 10, 0.1, w, 5.0).size == b + 1


def test_a_limit_on_the_batch_counts_and_what_costs_nothing_decides():
    assert cheapest_batch(1.0, 0.1, 0.01, 5.0, most=30).size == 30
    assert cheapest_batch(0.0, 0.1, 0.01, 5.0).size == 1
    assert cheapest_batch(1.0, 0.1, 0.0, 5.0, most=30).size == 30


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: largest_batch(0.5, 0.5, 0.05), r"no batch is within 0.5 s: one item alone takes 0.5 \+ 0.05 = 0.55 s"),
        (lambda: largest_batch(math.nan, 0.5, 0.05), "within_s: must be > 0 and finite, got nan"),
        (lambda: largest_batch(2.0, -1.0, 0.05), "base_s: must be >= 0 and finite, got -1.0"),
        (lambda: largest_batch(2.0, 0.5, 0), "per_item_s: must be > 0 and finite, got 0"),
        (lambda: largest_batch(True, 0.5, 0.05), "within_s: must be > 0 and finite, got True"),
        (lambda: largest_batch(2.0**53, 0.0, 1.0), "per_item_s: a batch of more than 9007199254740992 items is within"),
        (lambda: cheapest_batch(1.0, 0.1, 0.0, 5.0), "waiting costs too little to end a batch; give most"),
        (lambda: cheapest_batch(1.0, 0.1, 0.01, math.inf), "items_per_second: must be > 0 and finite, got inf"),
        (lambda: cheapest_batch(1.0, 0.1, 0.01, 5.0, most=0), "most: must be a whole number from 1 to"),
    ],
)
def test_what_is_refused(call, sentence):
    with pytest.raises(MooInferError, match=sentence):
        call()
