import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from moo_infer.quantities.laws import Bernoulli, ClippedNormal, Lognormal, cut_to
from moo_infer.quantities.quadrature import moments_of


def reference(law):
    """Mean and standard deviation by adaptive quadrature over the unclipped part, and the mass on the bounds."""
    normal = stats.norm(law.loc, law.sigma)
    low, high = max(law.low, law.loc - 12 * law.sigma), min(law.high, law.loc + 12 * law.sigma)

    def expect(f):
        inside = (
            integrate.quad(lambda x: f(x) * normal.pdf(x), low, high, epsabs=1e-13, limit=200)[0] if high > low else 0
        )
        below = f(law.low) * normal.cdf(law.low) if math.isfinite(law.low) else 0.0
        above = f(law.high) * normal.sf(law.high) if math.isfinite(law.high) else 0.0
        return inside + below + above

    mean = expect(lambda x: x)
    return mean, math.sqrt(expect(lambda x: (x - mean) ** 2))


@pytest.mark.parametrize(
    "law",
    [
        ClippedNormal(0.94, 0.02, 0, 1),
        ClippedNormal(0.91, 0.07, 0, 1),
        ClippedNormal(0.5, 0.6, 0, 1),
        ClippedNormal(5, 20, 1),
        ClippedNormal(0, 1),
        ClippedNormal(3, 1, 4, 5),
    ],
    ids=repr,
)
def test_moments_are_those_of_quadrature(law):
    mean, std = reference(law)
    assert law.mean == pytest.approx(mean, abs=1e-9)
    assert law.std == pytest.approx(std, rel=1e-7)


def test_a_law_without_spread_is_its_clipped_mean():
    for loc, expected in ((0.4, 0.4), (1.5, 1.0), (-2.0, 0.0)):
        law = ClippedNormal(loc, 0.0, 0, 1)
        assert (law.mean, law.std) == (expected, 0.0)
        assert law.quantile(np.array([0.1, 0.9])).tolist() == [expected] * 2
        assert law.cdf(np.array([expected - 1e-9, expected])).tolist() == [0.0, 1.0]


def test_normal_up_to_the_twelfth_digit():
    assert ClippedNormal(1024, 64, 1).normal
    assert not ClippedNormal(0.94, 0.02, 0, 1).normal
    assert not ClippedNormal(400, 80, 1).normal  # 3e-7 of its mass is clipped
    assert not ClippedNormal(1.5, 0, 0, 1).normal


@given(
    st.floats(-2, 3),
    st.just(0.0) | st.floats(1e-6, 2),
    st.floats(0.001, 0.999),
    st.floats(-1, 1),
    st.floats(0, 2),
)
def test_quantile_is_the_smallest_value_whose_cdf_reaches_q(loc, sigma, q, low, width):
    law = ClippedNormal(loc, sigma, low, low + width)
    x = law.quantile(np.array([q]))
    assert low <= x[0] <= low + width
    assert law.cdf(x)[0] >= q - 1e-9
    below = np.nextafter(x, -np.inf) - 1e-6 * max(1.0, abs(x[0]))
    assert law.cdf(below)[0] <= q + 1e-9


def cut_reference(law):
    """Mean, standard deviation and mass above the cap by adaptive quadrature over the logarithm."""
    sigma = math.sqrt(math.log1p(law.cv**2))
    mu = math.log(law.mean_uncut) - sigma**2 / 2
    bend = (math.log(law.cap) - mu) / sigma if math.isfinite(law.cap) else 0.0

    def expect(f):
        inside = [
            integrate.quad(
                lambda z: f(min(math.exp(mu + sigma * z), law.cap)) * stats.norm.pdf(z), *ends, epsabs=0, limit=200
            )[0]
            for ends in ((-14, max(bend, -14)), (max(bend, -14), 20))
        ]
        return sum(inside)

    mean = expect(lambda x: x)
    return mean, math.sqrt(expect(lambda x: (x - mean) ** 2)), stats.norm.sf(bend) if math.isfinite(law.cap) else 0.0


@pytest.mark.parametrize(
    "law",
    [
        Lognormal(2000, 0.24),
        Lognormal(2000, 1.5),
        Lognormal(2000, 0.5, 4000),
        Lognormal(2000, 0.5, 2000),
        Lognormal(2000, 1.0, 500),
        Lognormal(0.7, 0.01, 0.71),
    ],
    ids=repr,
)
def test_moments_after_the_cut_are_those_of_quadrature(law):
    mean, std, cut = cut_reference(law)
    assert law.mean == pytest.approx(mean, rel=1e-9)
    assert law.std == pytest.approx(std, rel=1e-7)
    assert law.cut == pytest.approx(cut, abs=1e-12)


def test_without_a_cut_the_cv_is_the_one_given():
    law = Lognormal(2000.0, 0.24)
    assert (law.mean, law.cut) == (2000.0, 0.0)
    assert law.std == pytest.approx(480.0, rel=1e-14)
    assert Lognormal(1.0, 1e-7, 5.0).std == pytest.approx(1e-7, rel=1e-9)


@pytest.mark.parametrize(
    ("mean", "cap", "expected", "cut"), [(300.0, math.inf, 300.0, 0), (300.0, 200.0, 200.0, 1), (0.0, 9.0, 0.0, 0)]
)
def test_a_lognormal_law_without_spread_is_a_constant(mean, cap, expected, cut):
    law = Lognormal(mean, 0.0, cap)
    assert (law.mean, law.std, law.cut, law.normal) == (expected, 0.0, cut, True)
    assert law.quantile(np.array([0.1, 0.9])).tolist() == [expected] * 2
    assert law.cdf(np.array([expected - 1e-9, expected])).tolist() == [0.0, 1.0]


def test_nothing_varies_around_no_tokens():
    law = Lognormal(0.0, 0.5, 100.0)
    assert (law.mean, law.std, law.cut) == (0.0, 0.0, 0.0)
    assert law.cdf(np.array([-1.0, 0.0, 1.0])).tolist() == [0.0, 1.0, 1.0]
    assert not law.normal


@given(
    st.floats(0.1, 1e5),
    st.just(0.0) | st.floats(1e-3, 3),
    st.floats(0.001, 0.999),
    st.just(math.inf) | st.floats(1, 1e5),
)
def test_a_lognormal_quantile_is_the_smallest_value_whose_cdf_reaches_q(mean, cv, q, cap):
    law = Lognormal(mean, cv, cap)
    x = law.quantile(np.array([q]))
    assert 0 <= x[0] <= cap
    assert law.cdf(x * (1 + 1e-12))[0] >= q - 1e-9
    assert law.cdf(x * (1 - 1e-9))[0] <= q + 1e-6


@given(st.just(0.0) | st.just(1.0) | st.floats(1e-6, 1 - 1e-6), st.floats(0.001, 0.999))
def test_right_or_wrong(p, q):
    law, values = Bernoulli(p), stats.bernoulli(p)
    x = np.array([-0.5, 0.0, 0.3, 1.0, 1.5])
    assert (law.mean, law.std) == (pytest.approx(values.mean()), pytest.approx(values.std()))
    np.testing.assert_allclose(law.cdf(x), values.cdf(x))
    assert law.quantile(np.array([q]))[0] == (0.0 if q <= 1 - p else 1.0)
    assert law.normal == (p in (0, 1))
    assert Bernoulli(0.25).quantile(np.array([0.75, 0.7500001])).tolist() == [0.0, 1.0]


@pytest.mark.parametrize(
    ("law", "fields"),
    [
        (Lognormal, ([0.0, 500.0, 2000.0], [0.3, 0.0, 1.0], [100.0, 400.0, math.inf])),
        (Bernoulli, ([0.0, 0.25, 1.0],)),
        (ClippedNormal, ([0.0, 0.5, 2.0], [0.0, 0.2, 1.0])),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_many_laws_at_once_are_those_one_by_one(law, fields):
    together = law(*(np.array(values)[:, None] for values in fields))
    for b, values in enumerate(zip(*fields, strict=True)):
        alone, x, q = law(*values), np.array([-1.0, 0.0, 0.5, 100.0, 700.0]), np.array([0.1, 0.5, 0.99])
        assert together.mean[b, 0] == pytest.approx(alone.mean, rel=1e-14)
        assert together.std[b, 0] == pytest.approx(alone.std, rel=1e-14)
        np.testing.assert_allclose(together.cdf(x)[b], alone.cdf(x), rtol=1e-14)
        np.testing.assert_allclose(together.quantile(q)[b], alone.quantile(q), rtol=1e-14)


@pytest.mark.parametrize("cv", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("mean", [300.0, 1500.0, 2000.0, 5000.0, 20000.0])
def test_a_lognormal_law_that_is_cut_again_has_the_moments_of_a_quadrature(mean, cv):
    """Also where nearly all of it is cut, and little varies."""
    law = Lognormal(mean, cv, 3000.0)
    once = cut_to(law, 2000.0)
    expected = moments_of(lambda x: np.minimum(x, 2000.0), law, [2000.0])
    np.testing.assert_allclose(once.mean, expected[0], rtol=1e-11)
    if once.cut < 1 - 1e-12:  # of less the quadrature takes no notice
        np.testing.assert_allclose(once.std, expected[1], rtol=1e-9)
    q = np.array([0.01, 0.5, 0.999])
    np.testing.assert_array_equal(once.quantile(q), np.minimum(law.quantile(q), 2000.0))


def test_laws_without_a_closed_form_are_not_cut():
    assert cut_to(ClippedNormal(1.0, 1.0), 2.0) is None
    assert cut_to(Lognormal(1.0, 1.0), np.array([[1.0], [-1.0]])) is None
