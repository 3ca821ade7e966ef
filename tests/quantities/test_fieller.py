"""Ratios of uncertain numbers: closed forms, a search over ratios, and how often the interval holds."""

import math

import numpy as np
import pytest

from moo_infer import MooInferError
from moo_infer.quantities.fieller import Estimate, fieller, student


def test_with_a_certain_denominator_it_is_the_interval_of_the_numerator():
    found = fieller(3.0, -2.0, (0.25, 0.0), quantile=1.96)
    assert (found.value, found.low, found.high) == pytest.approx((-1.5, -1.5 - 0.49, -1.5 + 0.49))


@pytest.mark.parametrize("covariance", [0.0, 0.3, -0.3])
def test_the_ends_are_where_numerator_less_ratio_times_denominator_is_told_apart_from_0(covariance):
    """Found by a search over all ratios."""
    found = fieller(2.0, 5.0, (1.0, 0.5), covariance, quantile=1.96)
    ratios = np.linspace(-3, 3, 600_001)
    z = np.abs(2.0 - ratios * 5.0) / np.sqrt(1.0 - 2 * ratios * covariance + ratios**2 * 0.5)
    held = ratios[z <= 1.96]
    assert (found.low, found.high) == pytest.approx((held.min(), held.max()), abs=2e-5)


def test_with_a_denominator_that_may_be_0_no_end_is_known():
    assert fieller(2.0, 1.0, (0.1, 0.2604), quantile=1.96).to_dict() == {"value": 2.0, "low": None, "high": None}
    assert math.isfinite(fieller(2.0, 1.0, (0.1, 0.2603), quantile=1.96).high)


def test_nothing_is_divided_by_0():
    with pytest.raises(MooInferError, match="must not be 0"):
        fieller(2.0, 0.0, (0.1, 0.1), quantile=1.96)


@pytest.mark.parametrize("scale", [1e-15, 1.0, 1e15])
def test_units_do_not_matter(scale):
    found = fieller(2.0 * scale, 5.0 * scale, (scale**2, 0.5 * scale**2), 0.2 * scale**2, quantile=1.96)
    same = fieller(2.0, 5.0, (1.0, 0.5), 0.2, quantile=1.96)
    assert (found.low, found.high) == pytest.approx((same.low, same.high), rel=1e-12)


def test_the_interval_holds_the_true_ratio_in_95_of_100_cases():
    """The denominator is 5 standard errors from 0, so that hardly ever no end is known, which would hold all."""
    rng = np.random.default_rng(0)
    drawn = rng.multivariate_normal([2.0, 5.0], [[1.0, 0.5], [0.5, 1.0]], 4000)
    held = [fieller(x, y, (1.0, 1.0), 0.5, quantile=1.959964).holds(0.4) for x, y in drawn]
    assert np.mean(held) == pytest.approx(0.95, abs=0.012)  # 3.5 standard errors


def test_quantiles_are_those_of_tables():
    assert [student(0.95, n) for n in (1, 3, 30)] == pytest.approx([12.7062, 3.1824, 2.0423], abs=1e-4)
    assert student(0.9) == pytest.approx(1.6449, abs=1e-4)
    for confidence in (0.0, 1.0, -1.0, math.nan):
        with pytest.raises(MooInferError, match="confidence: must be between 0 and 1"):
            student(confidence, 3)


def test_powers_beyond_floats_are_infinite_and_null_in_json():
    found = Estimate(1.0, -math.inf, 1e4).exp()
    assert (found.value, found.low, found.high) == (math.e, 0.0, math.inf)
    assert found.to_dict() == {"value": math.e, "low": 0.0, "high": None}
