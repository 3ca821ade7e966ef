import math

import numpy as np
import pytest

from moo_infer import Limit, MooInferError, Objective
from moo_infer.core.objectives import ACCURACY

COST = Objective("cost", "USD")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Objective(""), "an objective needs a name"),
        (lambda: Objective("x", direction="up"), "direction must be min or max, got 'up'"),
        (lambda: Objective("x", ideal=math.inf), "ideal must be finite, got inf"),
        (lambda: Objective("x", scale=0.0), "scale must be finite and > 0, got 0.0"),
        (lambda: Limit("cost", math.nan, "max"), "limit on cost: must be finite, got nan"),
        (lambda: Limit("cost", math.inf, "max"), "limit on cost: must be finite, got inf"),
        (lambda: Limit("cost", True, "max"), "limit on cost: must be a number, got True"),
        (lambda: Limit("cost", "cheap", "max"), "limit on cost: must be a number, got 'cheap'"),
        (lambda: Limit("cost", 1.0, "most"), "must be a max or a min, got 'most'"),
        (lambda: Limit("cost", 1.0, "max", "p0"), "must be the mean or a percentile such as p95, got 'p0'"),
        (
            lambda: Limit("cost", 1.0, "max", "p100"),
            "must be the mean or a percentile such as p95, got 'p100'",
        ),
        (lambda: Limit("cost", 1.0, "max", "pxy"), "must be the mean or a percentile such as p95, got 'pxy'"),
        (lambda: Limit("cost", -1.0, "max").check(COST), r"limit on cost: must be in \[0, inf\), got -1"),
        (
            lambda: Limit("accuracy", 1.5, "min").check(ACCURACY),
            r"limit on accuracy: must be in \[0, 1\], got 1.5",
        ),
        (
            lambda: Limit("accuracy", -0.1, "min").check(ACCURACY),
            r"limit on accuracy: must be in \[0, 1\], got -0.1",
        ),
        (
            lambda: Limit("accuracy", 0.9, "max").check(ACCURACY),
            "higher is better, so it takes a min, got max 0.9",
        ),
        (lambda: Limit("cost", 1.0, "min").check(COST), "lower is better, so it takes a max, got min 1"),
    ],
)
def test_nonsense_is_refused_in_words(make, message):
    with pytest.raises(MooInferError, match=message):
        make()


def test_rounding_noise_does_not_break_a_limit():
    limit = Limit("cost", 0.08704, "max")
    assert limit.excess(np.array([4 * 0.02176, 0.08705])).tolist() == pytest.approx([0.0, 1e-5])
    assert 3 * 0.1 > 0.3
    assert Limit("cost", 0.3, "max").excess(np.array([3 * 0.1]))[0] == 0


def test_shortfall_counts_away_from_the_ideal_in_both_directions():
    assert COST.shortfall(2.0) == 2.0
    assert ACCURACY.shortfall(0.75) == 0.25
    assert Objective("throughput", "tok/s", "max", ideal=100.0).shortfall(np.array([40.0])).tolist() == [60.0]
