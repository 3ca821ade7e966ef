"""Sums of two quantities that are not both normal, against closed forms, fine trapezia and trials."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr

from moo_infer.quantities.laws import ClippedNormal, Lognormal
from moo_infer.quantities.sum_law import SumLaw

K = np.array([1, 4, 32])
PAIRS = {
    "both cut at 0": (ClippedNormal(3.0, 2.0, 0.0), ClippedNormal(8.0, 4.0, 0.0)),
    "mostly cut": (ClippedNormal(0.1, 0.5, 0.0), ClippedNormal(-1.0, 4.0, 0.0)),
    "cut on both sides": (ClippedNormal(3.0, 1.0, 1.0, 4.0), ClippedNormal(8.0, 4.0, 0.0, 10.0)),
    "one lognormal": (ClippedNormal(1.0, 0.5, 0.0), Lognormal(3.0, 1.0)),
    "long tails": (Lognormal(1.0, 1.5), Lognormal(1.0, 2.0)),
    "with a cap": (Lognormal(1.0, 0.7, 1.5), Lognormal(3.0, 1.0, 4.0)),
    "one hardly varies": (ClippedNormal(1.0, 1e-3, 0.0), Lognormal(3.0, 0.5)),
}
pairs = pytest.mark.parametrize("pair", PAIRS.values(), ids=list(PAIRS))


def by_trapezia(pair, x):
    """P(X + Y <= x), by the middles of two million equal shares of X."""
    n = 2_000_000
    return float(pair[1].cdf(x - pair[0].quantile((np.arange(n) + 0.5) / n)).mean())


@pairs
def test_the_cdf_is_that_of_a_sum(pair):
    law = SumLaw(*pair)
    for x in law.mean + law.std * np.array([-0.9, 0.0, 1.5, 4.0]):
        assert float(law.cdf(np.asarray(x))) == pytest.approx(by_trapezia(pair, x), abs=2e-7)


def test_two_normal_laws_make_one():
    law, sd = SumLaw(ClippedNormal(3.0, 0.4), ClippedNormal(5.0, 1.2)), np.hypot(0.4, 1.2)
    x = np.linspace(2.0, 14.0, 25)
    np.testing.assert_allclose(law.cdf(x), ndtr((x - 8.0) / sd), rtol=1e-12, atol=1e-15)
    largest = [ClippedNormal(8.0, sd).mean, 8.0 + 1.029375373003964 * sd]  # of four: David and Nagaraja, Table 3.2
    np.testing.assert_allclose(law.largest(np.array([1, 4]))[0], largest, rtol=1e-12)


@pairs
def test_moments_of_one_are_those_of_both(pair):
    law = SumLaw(*pair)
    mean, std = law.largest(np.array([1]))
    assert mean[0] == pytest.approx(pair[0].mean + pair[1].mean, rel=1e-9)
    assert std[0] == pytest.approx(np.hypot(pair[0].std, pair[1].std), rel=1e-6)


@pairs
def test_the_largest_of_k_is_that_of_trials(pair):
    law, rng, M = SumLaw(*pair), np.random.default_rng(0), 40_000
    drawn = sum(one.quantile(rng.random((M, K[-1]))) for one in pair)
    largest = np.maximum.accumulate(drawn, axis=1)[:, K - 1]
    mean, _ = law.largest(K)
    assert (np.abs(mean - largest.mean(axis=0)) <= 4 * largest.std(axis=0) / np.sqrt(M)).all()


def test_the_largest_of_k_by_another_integral():
    law = SumLaw(*PAIRS["both cut at 0"])
    for k in (2, 30):
        mean = 60 - quad(lambda x, k=k: float(law.cdf(np.asarray(x))) ** k, 0, 60, epsabs=1e-10, limit=300)[0]
        assert law.largest(np.array([k]))[0][0] == pytest.approx(mean, rel=1e-10)


@pairs
def test_quantiles_are_the_least_that_are_enough(pair):
    law, q = SumLaw(*pair), np.array([0.001, 0.05, 0.5, 0.9, 0.99, 0.9999])
    x = law.quantile(q)
    assert (law.cdf(x + 1e-9 * law.std) >= q - 1e-9).all()
    assert (law.cdf(x - 1e-9 * law.std) <= q + 1e-9).all()


def test_what_is_cut_has_the_cut_as_its_quantile():
    law = SumLaw(*PAIRS["mostly cut"])  # both are 0 with .25
    np.testing.assert_allclose(law.quantile(np.array([0.0, 0.1, 0.2])), 0.0)
    assert law.cdf(np.array([-1e-9, 0.0])).round(6).tolist() == [0.0, round(ndtr(-0.2) * ndtr(0.25), 6)]


def test_several_laws_at_once_are_each_alone():
    loc, cv = np.array([[1.0], [4.0], [2.0]]), np.array([[0.3], [1.0], [2.0]])
    together, x = SumLaw(ClippedNormal(loc, 0.8, 0.0), Lognormal(3.0, cv)), np.linspace(0.5, 20.0, 7)
    both = zip(loc[:, 0], cv[:, 0], strict=True)
    alone = [SumLaw(ClippedNormal(a, 0.8, 0.0), Lognormal(3.0, b)) for a, b in both]
    for got, expected in (
        (together.cdf(x), [law.cdf(x) for law in alone]),
        (together.quantile(x / 21), [law.quantile(x / 21) for law in alone]),
        (together.largest(K)[0], [law.largest(K)[0] for law in alone]),
        (together.largest(K)[1], [law.largest(K)[1] for law in alone]),
    ):
        np.testing.assert_allclose(got, np.array(expected), rtol=1e-9)
