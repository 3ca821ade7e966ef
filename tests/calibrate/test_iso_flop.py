"""Scores by training compute and length of answers: a plane, its t values, and a study of prompting strategies."""

import csv
import json
import math

import numpy as np
import pytest

from moo_infer import MooInferError
from moo_infer.calibrate import iso_flop
from moo_infer.report.text import laid_out

FLOPS, WORDS = np.array([1e20, 1e21, 1e22, 1e23, 1e24]), np.array([20.0, 60, 30, 10, 40])


def test_a_plane_is_found_again():
    fitted = iso_flop(FLOPS, WORDS, 0.02 * np.log(FLOPS) - 0.001 * WORDS - 0.5)
    assert [of.value for of in fitted.coefficients.values()] == pytest.approx([0.02, -0.001, -0.5])
    assert fitted.scatter == 0
    assert [of.t for of in fitted.coefficients.values()] == [math.inf, -math.inf, -math.inf]
    assert json.loads(json.dumps(fitted.to_dict(), allow_nan=False))["coefficients"]["beta"]["t"] is None


def test_words_that_bring_nothing_are_told_apart_from_0_in_5_of_100_cases():
    rng = np.random.default_rng(0)
    flops = np.exp(rng.uniform(46, 52, 8))
    found = []
    for _ in range(2000):
        scores = 0.006 * np.log(flops) + rng.normal(0, 0.005, 8)
        found.append(iso_flop(flops, rng.uniform(10, 80, 8), scores)["beta"].told_apart)
    assert np.mean(found) == pytest.approx(0.05, abs=0.017)  # 3.5 standard errors


@pytest.mark.parametrize(
    ("flops", "words", "scores", "message"),
    [
        (FLOPS[:3], WORDS[:3], [0.3, 0.4, 0.5], "a fit of 3 numbers needs at least 4 points, got 3"),
        ([], [], [], "needs at least 4 points, got 0"),
        (FLOPS, np.full(5, 20.0), [0.3] * 5, "do not tell alpha, beta, delta apart"),
        (np.full(5, 1e20), WORDS, [0.3] * 5, "do not tell alpha, beta, delta apart"),
        (FLOPS, np.zeros(5), [0.3] * 5, "do not tell alpha, beta, delta apart"),
        (FLOPS, np.log(FLOPS), [0.3] * 5, "do not tell alpha, beta, delta apart"),
        (FLOPS, -WORDS, [0.3] * 5, r"length\[1\]: must be >= 0, got -60.0"),
        (FLOPS, WORDS[:4], [0.3] * 5, r"length: must have the shape \(5,\), got \(4,\)"),
        (FLOPS, WORDS, [0.3, 0.3, math.nan, 0.3, 0.3], r"scores\[2\]"),
        (-FLOPS, WORDS, [0.3] * 5, r"flops\[0\]: must be > 0"),
    ],
)
def test_points_that_tell_nothing_are_refused(flops, words, scores, message):
    with pytest.raises(MooInferError, match=message):
        iso_flop(flops, words, scores)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
def test_what_rounding_leaves_of_a_coefficient_is_not_told_apart_from_0(scale):
    flops, words = [1e20, 1e21, 1e22, 1e23], [1, 5, 2, 7]
    alike = iso_flop(flops, words, [0.1 * scale] * 4)
    assert (alike["alpha"].value, alike["alpha"].told_apart, alike["beta"].told_apart) == (0, False, False)
    straight = iso_flop(flops, words, scale * 0.03 * np.log(flops))  # all of it is training
    assert straight["beta"].value == 0
    assert not straight["beta"].told_apart
    assert straight["alpha"].value == pytest.approx(0.03 * scale)
    assert straight["alpha"].told_apart


def test_people_read_a_row_a_coefficient():
    fitted = iso_flop(FLOPS, WORDS, [0.30, 0.37, 0.39, 0.44, 0.49])
    text = laid_out(fitted.blocks(), 100)
    assert "beta    0.000455782" in text
    assert "not told apart from 0" in text
    assert "5 points, R2 0.994" in text
    assert "<table" in fitted._repr_html_()


@pytest.mark.parametrize(
    ("strategy", "figures", "t"),
    [
        ("standard", ("0.00638985", "0.000684358", "-0.0214516"), (5.368, 1.856, -0.387)),
        ("cot", ("0.0079868", "-6.7901e-05", "-0.0838927"), (6.146, -0.860, -1.352)),
    ],
)
def test_both_strategies_of_the_study(data, strategy, figures, t):
    """Each by its own scores. The t values are those of the normal equations."""
    with (data / "strategies" / "options.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["strategy"] == strategy]
    columns = [[float(row[name]) for row in rows] for name in ("train_flops", "words_per_request", "score")]
    fitted = iso_flop(*columns)
    assert fitted.n == 8
    assert tuple(f"{of.value:.6g}" for of in fitted.coefficients.values()) == figures
    assert [of.t for of in fitted.coefficients.values()] == pytest.approx(t, abs=6e-4)
    assert [of.told_apart for of in fitted.coefficients.values()] == [True, False, False]
