import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from moo_infer.laws import ClippedNormal


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
