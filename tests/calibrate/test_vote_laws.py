"""Laws of votes that may rise and fall with k."""

import numpy as np
import pytest
from scipy.stats import binom

from moo_infer import Exact, ModelProfile
from moo_infer.builtin.aggregators import MajorityVote
from moo_infer.builtin.difficulty import Beta, DifficultyClasses
from moo_infer.calibrate import BetaVote, MixedVote

K = np.array([1, 2, 3, 4, 9, 32, 101])


def exact(model, k=K):
    return Exact().estimate(ModelProfile("m", model, ()), MajorityVote(), k, 1).columns["accuracy"].mean


@pytest.mark.parametrize(("mean", "s"), [(0.7, 2.0), (0.3, 5.0), (0.5, 1.0), (0.9, 0.05), (0.55, 300.0)])
def test_a_beta_law_of_votes_is_the_exact_mixture(mean, s):
    """Three ways: the series, the quadrature of `majority-vote`, and a sum over a beta-binomial number of votes."""
    law = BetaVote(mean, s)
    assert law.predict(K) == pytest.approx(exact(Beta(mean=mean, concentration=s)), abs=1e-12)
    from scipy.stats import betabinom

    a, b = mean * s, (1 - mean) * s
    summed = [betabinom.sf(k // 2, k, a, b) + (betabinom.pmf(k // 2, k, a, b) / 2 if k % 2 == 0 else 0) for k in K]
    assert law.predict(K) == pytest.approx(summed, abs=1e-9)


def test_groups_of_questions_are_the_exact_mixture():
    law = MixedVote((0.85, 0.4, 0.5), (0.5, 0.3, 0.2))
    assert law.predict(K) == pytest.approx(exact(DifficultyClasses(shares=law.shares, p=law.p)), abs=1e-12)
    odd = [1, 5, 31]
    summed = sum(w * binom.sf(np.array(odd) // 2, odd, p) for p, w in zip(law.p, law.shares, strict=True))
    assert law.predict(odd) == pytest.approx(summed, abs=1e-12)


def test_a_vote_rises_and_falls_where_questions_whose_mode_is_wrong_are_close():
    curve = MixedVote((0.85, 0.4), (0.6, 0.4)).predict([1, 3, 5, 21, 101, 1001])
    assert curve[2] > curve[0] + 0.04
    assert (np.diff(curve)[2:] < 0).all()
    assert curve[-1] == pytest.approx(0.6, abs=1e-6)


@pytest.mark.parametrize("law", [BetaVote(0.7, 2.0), BetaVote(0.3, 0.4), BetaVote(0.5, 3.0)])
def test_far_out_a_vote_comes_to_the_share_of_questions_whose_mode_is_right(law):
    p = np.random.default_rng(0).beta(*law._shape, 400_000)
    assert law.limit == pytest.approx((p > 0.5).mean(), abs=0.003)
    far = law.predict([2**16, 2**21 - 1, 2**21 + 1, 2**24, 2**40])
    assert (np.abs(np.diff(far)) < 1e-4).all()
    assert far[-1] == pytest.approx(law.limit, abs=1e-9)
    assert abs(far[1] - far[2]) < 1e-9  # where the series ends


def test_of_a_tie_half_is_right():
    assert MixedVote((0.5, 0.9), (0.4, 0.6)).limit == pytest.approx(0.8)
    assert MixedVote((0.5,), (1.0,)).predict([1, 2, 99]) == pytest.approx(0.5)


@pytest.mark.parametrize("kind", [BetaVote, MixedVote])
@pytest.mark.parametrize(
    "curve", [[0.0] * 5, [1.0] * 5, [0.5] * 5, [0.2, 0.9, 0.1, 1.0, 0.0], [0.7, 0.75, 0.8, 0.75, 0.7]]
)
def test_no_law_of_votes_leaves_the_unit_interval(kind, curve):
    law = kind.through(np.array([1, 3, 5, 9, 17]), np.array(curve))
    predicted = law.predict([1, 2, 8, 1000, 10**6])
    assert ((predicted >= 0) & (predicted <= 1)).all()
    assert 0 <= law.limit <= 1
    assert kind.of(*law.numbers) == law


@pytest.mark.parametrize("law", [BetaVote(0.62, 1.7), BetaVote(0.2, 40.0)])
def test_a_beta_law_of_votes_is_found_again(law):
    k = np.arange(1, 20)
    assert BetaVote.through(k, law.predict(k)).numbers == pytest.approx(law.numbers, rel=1e-4)
    assert BetaVote(0.5, 5.0).refitted(k, law.predict(k)).numbers == pytest.approx(law.numbers, rel=1e-4)


def test_the_law_of_groups_comes_close_to_any_groups():
    rng, k = np.random.default_rng(0), np.arange(1, 30)
    for _ in range(20):
        curve = MixedVote(tuple(rng.random(3)), tuple(rng.dirichlet([1, 1, 1]))).predict(k)
        assert np.abs(MixedVote.through(k, curve).predict(k) - curve).max() < 5e-3
