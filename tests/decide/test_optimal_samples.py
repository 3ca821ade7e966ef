"""How many samples are worth their price."""

from itertools import product

import numpy as np
import pytest

from moo_infer import MooInferError
from moo_infer.calibrate import BetaBinomial, MixedVote
from moo_infer.calibrate.beta_binomial import BetaFit
from moo_infer.decide.optimal_samples import Checker, optimal_samples
from moo_infer.quantities.quadrature import jacobi

BETA = BetaFit(0.25, 2.0)  # Beta(0.5, 1.5)


def test_the_golden_figures():
    best = optimal_samples(0.4, 1.0, 0.01, 1000)
    assert best.N == 8
    assert best.net == pytest.approx(0.90320384, abs=5e-9)
    assert optimal_samples(0.1, 1.0, 0.02, 1000).N == 16
    assert optimal_samples(0.005, 1.0, 0.01, 1000).N == 0
    p, shares = jacobi(320, 0.5, 1.5)
    law = BetaBinomial(BETA, BETA)
    q, weights = law.difficulties()
    for best in (
        optimal_samples(p, 1.0, 0.005, 500, weights=shares),
        optimal_samples(q, 1.0, 0.005, 500, weights=weights),
        optimal_samples(law.predict, 1.0, 0.005, 500),
    ):
        assert best.N == 22
        assert best.net == pytest.approx(0.65599182, abs=5e-9)


@pytest.mark.parametrize("p", [0.0, 0.02, 0.4, 0.97, 1.0])
@pytest.mark.parametrize("price", [0.003, 0.05])
def test_the_optimum_is_where_the_next_sample_is_not_worth_its_price(p, price):
    """V p (1 - p)^N <= c, the first time: the gain of one more sample falls with N."""
    first = next(N for N in range(10_000) if p * (1 - p) ** N <= price)
    assert first == optimal_samples(p, 1.0, price, 10_000).N


def enumerated(p, N, t, f):
    """Every way in which N samples are right or wrong and accepted or not; the first accepted one is delivered."""
    right = wrong = 0.0
    for samples in product([(True, True), (True, False), (False, True), (False, False)], repeat=N):
        chance = 1.0
        for is_right, accepted in samples:
            rate = t if is_right else f
            chance *= (p if is_right else 1 - p) * (rate if accepted else 1 - rate)
        delivered = next((is_right for is_right, accepted in samples if accepted), None)
        right += chance * (delivered is True)
        wrong += chance * (delivered is False)
    return right, wrong


@pytest.mark.parametrize(("t", "f"), [(1.0, 0.0), (0.9, 0.1), (0.5, 0.5), (0.0, 0.3), (1.0, 1.0), (0.0, 0.0)])
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_what_a_checker_delivers_is_the_full_enumeration(p, t, f):
    right, wrong = Checker(t, f).delivers(p, np.arange(6))
    for N in range(6):
        assert (right[N], wrong[N]) == pytest.approx(enumerated(p, N, t, f), abs=1e-14)


def test_what_a_checker_delivers_is_the_simulation_over_queries_that_differ():
    rng, M = np.random.default_rng(0), 200_000
    p = rng.choice([0.1, 0.7], M, p=[0.75, 0.25])
    is_right = rng.random((M, 4)) < p[:, None]
    accepted = rng.random((M, 4)) < np.where(is_right, 0.8, 0.2)
    any_accepted, first = accepted.any(axis=1), accepted.argmax(axis=1)
    delivered = is_right[np.arange(M), first]
    right, wrong = Checker(0.8, 0.2).delivers([0.1, 0.7], [4], weights=[3, 1])
    assert right[0] == pytest.approx((any_accepted & delivered).mean(), abs=0.004)
    assert wrong[0] == pytest.approx((any_accepted & ~delivered).mean(), abs=0.004)


def test_a_checker_that_errs_changes_how_many_are_worth_it_and_wrong_answers_cost():
    perfect = optimal_samples(0.1, 1.0, 0.005, 1000)
    erring = optimal_samples(0.1, 1.0, 0.005, 1000, checker=Checker(0.9, 0.1))
    repaired = optimal_samples(0.1, 1.0, 0.005, 1000, checker=Checker(0.9, 0.1), usd_per_wrong_answer=2.0)
    assert erring.net < perfect.net
    assert erring.right == pytest.approx(erring.wrong)  # 0.1 * 0.9 and 0.9 * 0.1
    assert repaired.N == 0
    for best, repair in ((erring, 0.0), (perfect, 0.0)):
        assert best.net == pytest.approx(best.right - repair * best.wrong - 0.005 * best.N)


def test_free_samples_are_taken_until_no_digit_is_gained_or_no_more_are_allowed():
    enough = optimal_samples(0.4, 1.0, 0.0, 1000)
    assert 0.6**enough.N < 1e-12 < 0.6 ** (enough.N - 2)
    assert not enough.at_largest
    cut = optimal_samples(0.4, 1.0, 0.0, 10)
    assert (cut.N, cut.at_largest) == (10, True)
    assert optimal_samples([0.0, 1.0], 1.0, 0.0, 10).N == 1
    assert optimal_samples(0.4, 0.0, 0.0, 10).N == 0  # nothing is gained


def test_a_vote_that_falls_with_k_has_an_optimum_inside_even_where_samples_are_free():
    vote = MixedVote((0.85, 0.4), (0.6, 0.4))
    best = optimal_samples(vote.predict, 1.0, 0.0, 99)
    curve = vote.predict(np.arange(1, 100))
    assert best.N == 1 + np.argmax(curve) == 5
    assert (best.right, best.wrong) == pytest.approx((curve.max(), 1 - curve.max()))
    assert optimal_samples(vote.predict, 1.0, 0.0, 99, usd_per_wrong_answer=3.0).N == 0


@pytest.mark.parametrize(
    ("given", "more", "message"),
    [
        ((1.2, 1, 0.1, 9), {}, r"p: must be in \[0, 1\]"),
        (([], 1, 0.1, 9), {}, r"p: must be in \[0, 1\]"),
        ((float("nan"), 1, 0.1, 9), {}, r"p: must be in \[0, 1\]"),
        ((0.1, -1, 0.1, 9), {}, "value: must be a finite number >= 0, got -1"),
        ((0.1, 1, float("inf"), 9), {}, "price: must be a finite number >= 0, got inf"),
        ((0.1, 1, 0.1, 9), {"usd_per_wrong_answer": float("nan")}, "usd_per_wrong_answer: must be a finite number"),
        ((0.1, 1e300, 0.1, 9), {}, r"value: must be at most 1e\+15, got 1e\+300"),
        ((0.1, 1, 0.1, 1.5), {}, "largest: must be a whole number from 0 to 10000000, got 1.5"),
        ((0.1, 1, 0.1, -1), {}, "largest: must be a whole number"),
        ((0.1, 1, 0.1, 9), {"weights": [1, 2]}, "weights: must be 1 numbers >= 0"),
        (([0.1, 0.2], 1, 0.1, 9), {"weights": [0, 0]}, "weights: must be 2 numbers >= 0"),
        ((np.sqrt, 1, 0.1, 9), {}, r"a curve must stay in \[0, 1\], got 0 to 3"),
        ((np.sign, 1, 0.1, 9), {"checker": Checker()}, "a curve does not say how queries differ"),
        ((lambda N: [0.5], 1, 0.1, 9), {}, r"a curve of 9 numbers N must give as many, got shape \(1,\)"),
        ((lambda N: ["a"] * len(N), 1, 0.1, 9), {}, "accuracy: a curve: must be numbers"),
        (([[0.5], [0.1, 0.2]], 1, 0.1, 9), {}, "p: must be numbers"),
        ((0.1, 1, 0.1, 9), {"weights": "x"}, "weights: must be numbers, got 'x'"),
    ],
)
def test_what_is_no_number_of_the_kind_is_refused(given, more, message):
    with pytest.raises(MooInferError, match=message):
        optimal_samples(*given, **more)


def test_shares_of_a_checker_are_shares():
    with pytest.raises(MooInferError, match=r"false_positive: must be in \[0, 1\], got 1.5"):
        Checker(0.5, 1.5)
    with pytest.raises(MooInferError, match=r"true_positive: must be in \[0, 1\], got None"):
        Checker(None)


@pytest.mark.parametrize("N", [-1, np.nan, [[1, 2]]])
def test_numbers_of_samples_of_a_checker_are_not_negative(N):
    with pytest.raises(MooInferError, match="N: must be finite and >= 0, one number or several"):
        Checker().delivers(0.5, N)
