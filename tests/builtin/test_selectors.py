import warnings

import numpy as np
import pytest

from moo_infer import COST, LATENCY, Candidates, Limit, NoSelection, Objective, Registry, SelectionWarning, Selector
from moo_infer.builtin.scalarisations import AchievementScalarisation, PseudoWeights
from moo_infer.builtin.selectors import Knee, KneeChord, MaxAccuracy, MaxCube, MinCost, MinLatency, Utopia
from moo_infer.core.errors import MooInferError
from moo_infer.core.objectives import ACCURACY

PAPER = ["max-accuracy", "max-cube", "utopia", "knee", "knee-chord"]


def table(cost, latency, accuracy, limits=(), k=None):
    means = np.stack([cost, latency, accuracy], axis=1)
    return Candidates.from_means([COST, LATENCY, ACCURACY], means, k=k).feasible(limits)


K = np.arange(1, 21)
LIMITS = (Limit("cost", 40.0, "max"), Limit("latency", 10.0, "max"), Limit("accuracy", 0.5, "min"))
CURVE = table(K * 1.0, K**1.2 / 4, 1 - 0.4 * np.exp(-K / 3), LIMITS, K)


@pytest.mark.parametrize(
    ("scenario", "expected"),
    [
        ("essay-feedback", [20, 4, 4, 8, 8]),
        ("medical-ai", [40, 28, 28, 32, 32]),
        ("proposal-writing", [28, 4, 4, 8, 12]),
    ],
)
def test_gpt_5_on_exact_values(pipeline, scenario, expected):
    report = pipeline.run("gpt-5", scenario)
    assert [report[name].k for name in PAPER] == expected
    assert "largest at the edge of the feasible range" in report["knee"].warnings[0]


def test_knee_chord_in_essay_feedback(pipeline):
    report = pipeline.run(None, "essay-feedback")
    got = [report[model, "knee-chord"].k for model in pipeline.models]
    assert got == [8, 16, 28, None, 12, 20, 8, 12, 16]
    assert report["nemotron-ultra-253b", "knee-chord"].reason == "needs at least 3 Pareto rows, and there are 2"


def test_the_exact_knee_is_the_second_feasible_k_in_every_cell(pipeline):
    report = pipeline.run()
    knees = [c for c in report.rows if c.selector == "knee" and c.k]
    assert len(knees) == 26
    for knee in knees:
        limits = pipeline.scenarios[knee.scenario].limits
        feasible = report.candidates.where(model=knee.model).feasible(limits)
        assert knee.k == feasible.k[1]


def test_max_accuracy_takes_the_smallest_of_equal_k():
    assert MaxAccuracy().select(table([1, 2, 3], [1, 2, 3], [0.5, 0.9, 0.9])) == 1


def test_max_cube_is_the_volume_written_out():
    means = CURVE.means
    volume = (1 - means[:, 0] / 40) * (1 - means[:, 1] / 10) * means[:, 2]
    assert MaxCube().select(CURVE) == np.argmax(volume)


def test_utopia_is_the_distance_written_out():
    means = CURVE.means
    distance = (means[:, 0] / 40) ** 2 + (means[:, 1] / 10) ** 2 + (1 - means[:, 2]) ** 2
    assert Utopia().select(CURVE) == np.argmin(distance)


def test_curvature_in_three_dimensions_is_the_cross_product():
    points = np.stack([CURVE.means[:, 0] / 40, CURVE.means[:, 1] / 10, CURVE.means[:, 2]], axis=1)
    first, second = np.gradient(points, axis=0)[1:-1], points[2:] - 2 * points[1:-1] + points[:-2]
    curvature = np.linalg.norm(np.cross(first, second), axis=1) / np.linalg.norm(first, axis=1) ** 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelectionWarning)
        assert Knee().select(CURVE) == 1 + np.argmax(curvature)


def test_the_knee_of_a_corner_is_the_corner_whatever_the_grid():
    """Two straight legs: the bend is where they meet, on a regular grid and on one that thins out."""
    for k in (np.arange(1, 16), np.array([1, 2, 3, 5, 8, 11, 12, 15])):
        accuracy = np.where(k <= 8, 0.5 + 0.05 * k, 0.9 + 0.002 * (k - 8))
        corner = table(k / 10, k / 10, accuracy, k=k)
        for selector in (Knee(), KneeChord()):
            assert corner.k[selector.select(corner)] == 8


def test_the_knee_warns_at_the_edge():
    steep = table(K * 1.0, K * 1.0, 1 - 0.1 * np.exp(-K), k=K)
    with pytest.warns(SelectionWarning, match=r"k = 2 of 1 to 20"):
        assert steep.k[Knee().select(steep)] == 2


@pytest.mark.parametrize("selector", [Knee(), KneeChord()])
def test_a_curve_selector_says_why_it_has_no_answer(selector, pipeline):
    with pytest.raises(NoSelection, match="needs at least 3 Pareto rows, and there are 2"):
        selector.select(table([1, 2], [1, 2], [0.5, 0.6]))
    with pytest.raises(NoSelection, match="needs at least 3 Pareto rows, and there is 1"):
        selector.select(table([1, 2, 3], [1, 2, 3], [0.6, 0.6, 0.6]))
    with pytest.raises(NoSelection, match="needs a bend, and the front is a straight line"):
        selector.select(table([1, 2, 3, 4], [2, 4, 6, 8], [0.1, 0.2, 0.3, 0.4]))
    pool = pipeline.candidates(["gpt-5", "qwen3-max"])
    with pytest.raises(NoSelection, match="needs one model under one aggregator, and here are 2"):
        selector.select(pool)


def test_the_two_minima():
    two = table([2, 1, 3], [3, 3, 1], [0.5, 0.5, 0.5])
    assert (MinCost().select(two), MinLatency().select(two)) == (1, 2)
    with pytest.raises(NoSelection, match="needs the objective cost, which the table does not have"):
        MinCost().select(Candidates.from_means([ACCURACY], [[0.5]]))


def test_asf_is_the_least_of_the_largest_weighted_losses():
    for weights in ({}, {"cost": 5.0}, {"accuracy": 30.0, "latency": 0.1}):
        w = np.array([weights.get(name, 1.0) for name in ("cost", "latency", "accuracy")])
        expected = np.argmin((w * CURVE.losses).max(axis=1))
        assert AchievementScalarisation(weights).select(CURVE) == expected


def test_pseudo_weights_follow_deb():
    losses = CURVE.losses
    strength = (losses.max(axis=0) - losses) / np.ptp(losses, axis=0)
    strength /= strength.sum(axis=1, keepdims=True)
    for weights in ({}, {"cost": 2.0}, {"accuracy": 6.0}):
        w = np.array([weights.get(name, 1.0) for name in ("cost", "latency", "accuracy")])
        expected = np.argmin(np.abs(strength - w / w.sum()).sum(axis=1))
        assert PseudoWeights(weights).select(CURVE) == expected


@pytest.mark.parametrize("cls", [AchievementScalarisation, PseudoWeights])
def test_weights_of_unknown_objectives_are_refused(cls):
    with pytest.raises(
        MooInferError, match=f"{cls.name}: weights: unknown objective 'energy'; available: accuracy, cost"
    ):
        cls({"energy": 1.0}).select(CURVE)


def test_every_selector_works_in_any_number_of_objectives():
    rng = np.random.default_rng(0)
    for m in (1, 2, 5):
        objectives = [ACCURACY, *(Objective(f"o{i}", "u") for i in range(m - 1))]
        means = np.column_stack([1 - np.exp(-K / 5), *(K * (i + 1) + rng.random(20) for i in range(m - 1))])
        many = Candidates.from_means(objectives, means, k=K, stderr={"accuracy": np.full(20, 0.01)})
        for name, cls in Registry().classes(Selector).items():
            if name in ("min-cost", "min-latency", "net-value", "cheapest-within"):
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SelectionWarning)
                try:
                    assert 0 <= cls().select(many) < 20
                except NoSelection as reason:
                    assert m == 1, reason


@pytest.mark.parametrize("k", [np.arange(1, 12), np.array([1, 2, 4, 5, 8, 9, 11])])
def test_curvature_of_a_parabola_is_exact_on_any_grid(k):
    """Differences of second order are exact for a parabola: where it bends most is known, whatever the grid."""
    for vertex in (5.0, 8.0):
        objectives = [Objective("x", scale=1.0), Objective("y", scale=1.0)]
        # Falling in y and rising in x, so that every row is on the front; the bend is where |p'| is least.
        y = (12.0 - k) ** 2 / 40 / (1 + vertex / 10)
        got = Candidates.from_means(objectives, np.stack([k / 4, y], axis=1), k=k)
        speed = (1 / 16) + (2 * (12.0 - k[1:-1]) / 40 / (1 + vertex / 10)) ** 2
        expected = k[1:-1][np.argmin(speed)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SelectionWarning)
            assert got.k[Knee().select(got)] == expected


def test_the_knee_warns_at_the_upper_edge_too():
    late = table(K * 1.0, K * 1.0, 0.5 + 0.01 * np.minimum(K, 19) + 1e-5 * K, k=K)
    with pytest.warns(SelectionWarning, match=r"largest at the edge.*k = 19 of 1 to 20"):
        assert late.k[Knee().select(late)] == 19


def test_of_rows_that_tie_the_one_that_nothing_dominates_wins():
    """A dear model and a cheap one, both always right."""
    tie = table([9.0, 1.0, 5.0], [9.0, 1.0, 5.0], [1.0, 1.0, 0.9])
    assert MaxAccuracy().select(tie) == 1
    free = table([0.0, 0.0], [1.0, 1.0], [0.5, 0.9])
    assert MinCost().select(free) == 1


def test_knee_chord_scales_every_objective_by_its_own_range():
    """A bend in latency alone counts as much as one in cost, however small its range."""
    latency = np.where(K <= 8, 1.0, 1.0 + 1e-3 * (K - 8))
    bent = table(K * 1.0, latency, 0.5 + 0.01 * K, k=K)
    assert bent.k[KneeChord().select(bent)] == 8


def test_curvature_of_a_hyperbola_on_a_grid_with_a_gap():
    """p(k) = (k / a, c / k) bends most where its curvature, known in closed form, is largest."""
    k, a, c = np.array([1, 3, 5, 15, 16, 18, 19]), 38.0, 2.2
    objectives = [Objective("x", scale=1.0), Objective("y", scale=1.0)]
    got = Candidates.from_means(objectives, np.stack([k / a, c / k], axis=1), k=k)
    curvature = (2 * c / k**3 / a) / ((1 / a) ** 2 + (c / k**2) ** 2) ** 1.5
    expected = k[1:-1][np.argmax(curvature[1:-1])]
    assert expected == 15
    assert got.k[Knee().select(got)] == expected


@pytest.mark.parametrize("limit", [1.0, 1e3, 1e9, 1e15, 1e290])
@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_a_limit_that_is_none_makes_nothing_tie(limit, unit):
    cost, latency = np.array([5.5e-5, 1.1e-4, 2.2e-4]) * unit, np.array([1.0, 2.0, 4.0]) * 1e-6 * unit
    limits = [Limit("cost", limit * unit, "max"), Limit("latency", limit * unit, "max")]
    rows = table(cost[::-1], latency[::-1], np.array([0.97, 0.96, 0.95]), limits)
    assert (len(rows.front), MinCost().select(rows), MinLatency().select(rows)) == (3, 2, 2)
    assert Registry().get(Selector, "cheapest-within:within=0.01").select(rows) == 1


def test_values_that_are_equal_but_for_rounding_tie():
    rows = table(np.array([0.1 + 0.2, 0.3]), np.ones(2), np.array([0.9, 0.9]), [Limit("cost", 1e9, "max")])
    assert rows.front.tolist() == [0]
    assert Utopia().select(rows) == 0


def test_losses_far_below_the_limits_still_tell_rows_apart():
    """Squares of 1e-7 are far below 1e-12."""
    limits = [Limit("cost", 1.0, "max"), Limit("latency", 1.0, "max")]
    rows = table(np.array([2.0, 1.0]) * 1e-7, np.ones(2) * 1e-7, 1 - np.array([1.0, 1.1]) * 1e-7, limits)
    assert Utopia().select(rows) == 1


@pytest.mark.parametrize("constant", [0.0, 1.0, 7.0])
def test_an_objective_in_which_all_rows_agree_does_not_decide(constant):
    accuracy = np.array([0.5, 0.7, 0.6])
    assert MaxCube().select(table(np.full(3, constant), np.ones(3), accuracy)) == 1
    at_the_limit = [Limit("cost", max(constant, 0.1), "max"), Limit("latency", 1.0, "max")]
    assert MaxCube().select(table(np.full(3, constant), np.ones(3), accuracy, at_the_limit)) == 1
    assert MaxCube().select(table(np.ones(3), np.ones(3), np.full(3, 0.5))) == 0


def test_rows_that_each_stand_at_a_limit_tie_and_none_that_is_dominated_is_taken():
    limits = [Limit("cost", 1.0, "max"), Limit("latency", 1.0, "max")]
    rows = table(np.array([1.0, 1.0, 0.5]), np.array([1.0, 0.5, 1.0]), np.array([0.9, 0.9, 0.9]), limits)
    assert MaxCube().select(rows) == 1
