import numpy as np
import pytest
from scipy import special, stats

from moo_infer.quantities.laws import Bernoulli, ClippedNormal, Lognormal
from moo_infer.quantities.quadrature import (
    HIGH,
    LOW,
    RARE,
    SURE,
    hermite,
    jacobi,
    legendre,
    moments_of,
    nodes,
    panels,
)


@pytest.mark.parametrize("order", [1, 2, 8, 16, 150])
def test_legendre_integrates_polynomials_up_to_its_degree_exactly(order):
    x, weights = legendre(order)
    degrees = np.arange(2 * order)
    np.testing.assert_allclose(weights @ x[:, None] ** degrees, 1 / (degrees + 1), rtol=1e-11)


def test_panels_meet_at_their_edges_so_that_a_bend_there_costs_nothing():
    edges = [-1.0, 0.3, 0.4, 2.0]
    x, weights = panels(3, edges)
    assert ((x > -1.0) & (x < 2.0)).all()
    assert (np.diff(x) > 0).all()
    assert weights @ np.abs(x - 0.3) == pytest.approx((1.3**2 + 1.7**2) / 2, rel=1e-14)
    assert weights.sum() == pytest.approx(3.0, rel=1e-14)


def test_several_rows_of_panels_are_those_of_each_row():
    edges = np.array([[0.0, 1.0, 3.0], [-2.0, 0.5, 0.75]])
    for together, alone in zip(panels(4, edges), zip(*(panels(4, row) for row in edges), strict=True), strict=True):
        np.testing.assert_array_equal(together, alone)


def test_the_ends_of_normal_scores_are_those_of_the_probabilities_that_stand_for_0_and_1():
    assert special.ndtri([RARE, SURE]) == pytest.approx([LOW, HIGH], rel=1e-15)


def test_hermite_has_the_moments_of_the_standard_normal_law():
    z, weights = hermite(16)
    degrees = np.arange(2, 32, 2)
    np.testing.assert_allclose(weights @ z[:, None] ** degrees, special.factorial2(degrees - 1), rtol=1e-12)
    assert weights.sum() == pytest.approx(1.0, rel=1e-15)


@pytest.mark.parametrize(("a", "b"), [(0.5, 1.5), (2.0, 3.0), (1e-3, 20.0), (300.0, 700.0)])
def test_jacobi_has_the_moments_of_the_beta_law(a, b):
    p, weights = jacobi(20, a, b)
    degrees = np.arange(1, 40)
    expected = np.cumprod((a + degrees - 1) / (a + b + degrees - 1))
    np.testing.assert_allclose(weights @ p[:, None] ** degrees, expected, rtol=1e-10)
    assert weights.sum() == pytest.approx(1.0, rel=1e-12)
    assert weights @ (p - p @ weights) ** 2 == pytest.approx(stats.beta(a, b).var(), rel=1e-10)


@pytest.mark.parametrize("rule", [lambda: legendre(5), lambda: hermite(5), lambda: jacobi(5, 1.0, 2.0)])
def test_nodes_that_are_kept_cannot_be_overwritten(rule):
    for array in rule():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0


def column(*values):
    return np.array(values)[:, None]


@pytest.mark.parametrize(
    "law",
    [
        ClippedNormal(2.0, 3.0),
        ClippedNormal(2.0, 3.0, 0.0, 4.0),
        ClippedNormal(column(2.0, 9.0, -5.0), column(3.0, 0.0, 0.0), 0.0, 4.0),
        Lognormal(2000.0, 0.5),
        Lognormal(2000.0, 0.5, cap=3000.0),
        Lognormal(column(2000.0, 100.0, 0.0), column(0.5, 0.0, 1.0), column(3000.0, 50.0, 10.0)),
        Lognormal(7.0, 0.0),
        Bernoulli(column(0.0, 0.2, 1.0)),
    ],
)
@pytest.mark.parametrize("bends", [[], [0.0], [3.0, 1500.0], [3000.0, 1e6]])
def test_nodes_of_a_law_have_its_moments_whatever_lies_on_its_ends(law, bends):
    values, weights = nodes(law, bends)
    assert np.isfinite(values).all()
    assert weights.sum(axis=-1) == pytest.approx(1.0, rel=1e-14)
    mean, std = moments_of(lambda x: x, law, bends)
    scale = np.maximum(np.abs(law.mean), law.std)
    np.testing.assert_array_less(np.abs(mean - law.mean), 1e-11 * scale + 1e-13)
    np.testing.assert_array_less(np.abs(std - law.std), 1e-9 * scale + 1e-7)


def test_a_mass_on_an_end_of_a_law_is_one_node():
    law = ClippedNormal(2.0, 3.0, 0.0, 4.0)
    values, weights = nodes(law, [1.0, 4.0])
    for end, mass in ((0.0, special.ndtr(-2 / 3)), (4.0, special.ndtr(-2 / 3))):
        assert weights[values == end] == pytest.approx([mass], rel=1e-13)
