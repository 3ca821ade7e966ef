"""Training that would bring what a strategy brings: closed forms, simulation, and a study of prompting strategies."""

import csv
import json
import math

import numpy as np
import pytest

from moo_infer import MooInferError
from moo_infer.calibrate import compute_trend
from moo_infer.calibrate.regression import regression
from moo_infer.report.text import laid_out

FLOPS = np.array([1e20, 1e21, 1e22, 1e23])
SCORES = [0.30, 0.36, 0.39, 0.45]


@pytest.fixture(scope="module")
def options(data):
    with (data / "strategies" / "options.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def column(rows, name):
    return np.array([float(row[name]) for row in rows])


def test_a_regression_is_that_of_the_normal_equations():
    rng = np.random.default_rng(0)
    x, w, y = rng.normal(50, 3, 12), rng.normal(20, 5, 12), rng.normal(size=12)
    fitted = regression({"x": x, "w": w, "one": np.ones(12)}, y)
    table = np.column_stack([x, w, np.ones(12)])
    inverse = np.linalg.inv(table.T @ table)
    values = inverse @ table.T @ y
    left = y - table @ values
    errors = np.sqrt(np.diag(inverse) * (left @ left) / 9)
    found = [*fitted.coefficients.values()]
    assert [of.value for of in found] == pytest.approx(values)
    assert [of.stderr for of in found] == pytest.approx(errors)
    assert [of.t for of in found] == pytest.approx(values / errors)
    assert fitted.r2 == pytest.approx(np.corrcoef(y, table @ values)[0, 1] ** 2)
    assert [of.high - of.low for of in found] == pytest.approx(2 * 2.262157 * errors)
    assert [of.told_apart for of in found] == [(abs(t) > 2.262157) for t in values / errors]


def test_a_line_without_scatter_is_inverted_exactly():
    line = compute_trend(FLOPS, 0.1 + 0.005 * np.log(FLOPS))
    found = line.equivalent(0.1 + 0.005 * math.log(3e21), had=1e21, gain=(0.005 * math.log(2), 0.0))
    assert found.flops.to_dict() == pytest.approx(dict.fromkeys(("value", "low", "high"), 3e21))
    assert found.ratio.value == pytest.approx(3)
    assert found.gain_only.value == pytest.approx(2)
    assert (found.told_apart, found.gain_told_apart) == (True, True)
    assert "lie on a line" in " ".join(found.notes)


def test_noise_of_items_counts_where_it_is_larger_than_the_scatter_and_not_twice():
    exact, noisy = compute_trend(FLOPS, SCORES), compute_trend(FLOPS, SCORES, [0.001] * 4)
    assert exact.equivalent(0.4, had=1e22).flops == noisy.equivalent(0.4, had=1e22, stderr=0.001).flops
    wider = compute_trend(FLOPS, SCORES, [0.02] * 4).equivalent(0.4, had=1e22).flops
    assert wider.value == exact.equivalent(0.4, had=1e22).flops.value
    assert wider.low < exact.equivalent(0.4, had=1e22).flops.low
    assert exact.equivalent(0.4, had=1e22, stderr=0.03).flops.high > exact.equivalent(0.4, had=1e22).flops.high


def test_the_interval_is_the_compute_whose_predicted_scores_are_not_told_apart_from_the_score():
    """Found by a search: the usual prediction interval of a regression, turned around."""
    trend = compute_trend(FLOPS, SCORES)
    found = trend.equivalent(0.4, had=1e22).flops
    x, grid = np.log(FLOPS), np.linspace(math.log(1e18), math.log(1e26), 400_001)
    error = trend.fit.scatter * np.sqrt(1 + 1 / 4 + (grid - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum())
    held = grid[np.abs(0.4 - trend.intercept - trend.slope * grid) <= 4.302653 * error]
    assert (math.log(found.low), math.log(found.high)) == pytest.approx((held.min(), held.max()), abs=1e-3)


def test_both_intervals_hold_the_truth_as_often_as_they_say():
    """Five checkpoints scatter about a line; the strategy is asked on the last, with noise of items of its own."""
    rng, x, slope = np.random.default_rng(0), np.log(FLOPS[0]) + np.arange(5) * 1.5, 0.006
    held, alone = [], []
    while len(held) < 1500:
        y = 0.01 + slope * x + rng.normal(0, 0.004, 5)
        score = 0.01 + slope * (x[-1] + 1) + rng.normal(0, 0.004)
        gain = slope + rng.normal(0, 0.003)
        try:
            found = compute_trend(np.exp(x), y).equivalent(score, had=math.exp(x[-1]), gain=(gain, 0.003))
        except MooInferError:  # falls, or lies too far out: about one in a hundred
            continue
        held.append(found.flops.holds(math.exp(x[-1] + 1)))
        alone.append(found.gain_only.holds(math.e))
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)
    assert np.mean(alone) >= 0.95 - 0.015  # Student's quantile for both variances is on the safe side


def test_what_is_beyond_the_points_is_said_and_what_is_far_beyond_is_refused():
    trend = compute_trend(FLOPS, SCORES)
    assert "extrapolated: the score is reached 2.74 times above the largest of the points" in " ".join(
        trend.equivalent(0.42 + trend.slope * math.log(10), had=1e23).notes
    )
    assert "below the smallest" in " ".join(trend.equivalent(0.29, had=1e20).notes)
    assert not any("extrapolated" in note for note in trend.equivalent(0.38, had=1e22).notes)
    with pytest.raises(MooInferError, match=r"10\^8\.. above the points \(1e\+23 FLOP\), further than these span"):
        trend.equivalent(0.85, had=1e22)
    with pytest.raises(MooInferError, match=r"10\^\S+ below the points \(1e\+20 FLOP\)"):
        trend.equivalent(0.05, had=1e22)
    with pytest.raises(MooInferError, match="by the gain alone it is reached"):
        trend.equivalent(0.4, had=1e22, gain=(0.4, 0.01))
    assert "had lie beyond the points" in " ".join(trend.equivalent(0.4, had=1e24).notes)


def test_a_family_that_does_not_grow_has_no_equivalent():
    for scores in ([0.3, 0.3, 0.3, 0.3], SCORES[::-1]):
        with pytest.raises(MooInferError, match="do not grow with compute"):
            compute_trend(FLOPS, scores).equivalent(0.3, had=1e22)


def test_where_growth_may_be_chance_no_end_is_known_and_nothing_is_told_apart():
    found = compute_trend(FLOPS, [0.31, 0.30, 0.35, 0.33]).equivalent(0.34, had=1e22, gain=(0.01, 0.001))
    assert found.to_dict()["flops"] == {"value": pytest.approx(found.flops.value), "low": 0.0, "high": None}
    assert found.to_dict()["gain_only"]["high"] is None
    assert (found.told_apart, found.gain_told_apart) == (False, False)
    assert "not told apart from chance" in " ".join(found.notes)


@pytest.mark.parametrize(
    ("flops", "scores", "stderr", "message"),
    [
        ([1e20, 1e21], [0.3, 0.4], None, "at least 3 points with different FLOP, got 2"),
        ([1e20, 1e21, 1e21], [0.3, 0.4, 0.4], None, "at least 3 points with different FLOP, got 2"),
        ([], [], None, "got 0"),
        ([1e20, 0.0, 1e22], [0.3, 0.4, 0.5], None, r"flops\[1\]: must be > 0"),
        ([1e20, math.inf, 1e22], [0.3, 0.4, 0.5], None, r"flops\[1\]: must be > 0"),
        ([1e20, math.nan, 1e22], [0.3, 0.4, 0.5], None, r"flops\[1\]: must be > 0"),
        ([1e20, 1e21, 1e22], [0.3, math.nan, 0.5], None, r"scores\[1\]: must be a number"),
        ([1e20, 1e21, 1e22], [0.3, 0.4], None, r"scores: must have the shape \(3,\), got \(2,\)"),
        ([1e20, 1e21, 1e22], ["a", 0.4, 0.5], None, r"scores\[0\]: must be a number, got 'a'"),
        ([1e20, 1e21, 1e22], [0.3, 0.4, 0.5], [0.1, -0.1, 0.1], "stderr: must be >= 0, got -0.1"),
    ],
)
def test_points_that_are_not_allowed_are_refused(flops, scores, stderr, message):
    with pytest.raises(MooInferError, match=message):
        compute_trend(flops, scores, stderr)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"score": math.nan, "had": 1e22}, "score"),
        ({"score": 0.4, "had": 0.0}, "had"),
        ({"score": 0.4, "had": 1e22, "stderr": -1.0}, "stderr: must be >= 0"),
        ({"score": 0.4, "had": 1e22, "gain": (0.1, -1.0)}, "stderr: must be >= 0"),
        ({"score": 0.4, "had": 1e22, "gain": (0.1,)}, "gain: must have the shape"),
    ],
)
def test_questions_that_are_not_allowed_are_refused(arguments, message):
    with pytest.raises(MooInferError, match=message):
        compute_trend(FLOPS, SCORES).equivalent(**arguments)


def test_people_read_a_table_and_whether_it_is_more_than_nothing():
    found = compute_trend(FLOPS, SCORES).equivalent(0.42, had=1e22, gain=(0.03, 0.01))
    text = " ".join(laid_out(found.blocks(), 100).split())
    assert "Training that brings a score of 0.42 (the model had 1e+22 FLOP):" in text
    assert "Not told apart from nothing: the interval holds the 1e+22 FLOP that the model had." in text
    assert "<table" in found._repr_html_()
    sure = compute_trend(FLOPS, 0.1 + 0.005 * np.log(FLOPS)).equivalent(0.1 + 0.005 * math.log(3e20), had=1e21)
    assert "Told apart from nothing: less training than the model had." in laid_out(sure.blocks(), 100)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["trend"]["n"] == 4


def test_the_olmo_family_of_the_study(options):
    family = [row for row in options if row["family"] == "olmo" and row["strategy"] == "standard"]
    main = {row["strategy"]: row for row in options if (row["family"], row["checkpoint"]) == ("olmo", "main")}
    trend = compute_trend(column(family, "train_flops"), column(family, "score"), column(family, "score_se"))
    assert trend.slope == pytest.approx(0.00599092836, abs=2e-11)
    assert trend.intercept == pytest.approx(0.01140674759, abs=1e-9)
    assert trend.r2 == pytest.approx(0.84281036, abs=5e-9)
    (score, base), (noise, of_base) = (column([main["cot"], main["standard"]], name) for name in ("score", "score_se"))
    gain = (score - base, math.hypot(noise, of_base))
    found = trend.equivalent(score, had=1.83e22, stderr=noise, gain=gain)
    assert f"{found.flops.value:.6e}" == "1.554165e+23"
    assert (f"{found.flops.low:.2e}", f"{found.flops.high:.2e}") == ("2.40e+21", "2.07e+31")
    assert f"{found.ratio.value:.4f}" == "8.4927"
    assert f"{found.gain_only.value:.7f}" == "2.1320483"
    assert not found.told_apart
    assert not found.gain_told_apart
    assert "8.49 times above the largest of the points" in " ".join(found.notes)
    assert "the upper end of the interval is no forecast" in " ".join(found.notes)
