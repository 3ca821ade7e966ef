import numpy as np
import pytest

from moo_infer import COST, Candidates, Limit, MooInferError, Objective
from moo_infer.core.objectives import ACCURACY
from moo_infer.estimate.curves import Column, Curve, Trials


def table(means=((0.1, 0.6), (0.4, 0.95), (0.9, 0.99)), **given):
    return Candidates.from_means([COST, ACCURACY], means, **given)


def estimate(model, k, cost, trials=None):
    k = np.array(k)
    columns = {
        name: Column.constant(v) if trials is None else Column(None, Trials({name: trials}), name)
        for name, v in {"cost": np.array(cost), "accuracy": np.full(len(k), 0.5)}.items()
    }
    return Curve(model, "best-of-k", 2, k, columns)


def test_rows_are_ordered_by_k_then_model():
    both = Candidates([COST, ACCURACY], [estimate("b", [2, 4], [1.0, 2.0]), estimate("a", [1, 2], [3.0, 4.0])])
    assert both.k.tolist() == [1, 2, 2, 4]
    assert both.model.tolist() == ["a", "b", "a", "b"]
    assert both.column("cost").tolist() == [3.0, 1.0, 4.0, 2.0]
    assert [c.label for c in both.curves] == [("b", "best-of-k"), ("a", "best-of-k")]


def test_losses_are_shares_of_the_limit_and_distances_from_ideal():
    view = table().feasible([Limit("cost", 0.8, "max"), Limit("accuracy", 0.5, "min")])
    np.testing.assert_allclose(view.losses, [[0.125, 0.4], [0.5, 0.05]])
    assert view.rows.tolist() == [0, 1]


def test_without_a_limit_the_scale_is_the_largest_mean_of_the_whole_table():
    assert table().loss("cost").tolist() == pytest.approx([0.1 / 0.9, 0.4 / 0.9, 1.0])
    view = table().feasible([Limit("accuracy", 0.9, "min")])
    assert view.loss("cost").tolist() == pytest.approx([0.4 / 0.9, 1.0])
    only = Candidates([COST, ACCURACY], [estimate("b", [2], [1.0]), estimate("a", [2], [4.0])]).where(model="b")
    assert only.loss("cost").tolist() == [0.25]


def test_a_scale_of_zero_leaves_no_loss():
    free = table([(0.0, 0.5), (0.0, 0.6)])
    assert free.loss("cost").tolist() == [0.0, 0.0]
    assert free.feasible([Limit("cost", 0.0, "max")]).loss("cost").tolist() == [0.0, 0.0]


def test_equal_up_to_the_twelfth_digit_is_equal():
    assert table([(1 + 1e-14, 0.9), (1.0, 0.9)]).front.tolist() == [0]


def test_statistics_of_simulated_trials():
    trials = np.array([[1.0, 3.0], [3.0, 3.0]])
    got = Candidates([COST, ACCURACY], [estimate("a", [1, 2], [0, 0], trials / 4)])
    assert got.column("cost").tolist() == [0.5, 0.75]
    assert got.column("cost", "std").tolist() == pytest.approx([np.sqrt(2) / 4, 0])
    assert got.column("cost", "stderr_simulation").tolist() == pytest.approx([0.25, 0])
    assert np.isnan(got.column("cost", "stderr")).all()  # there is no log
    assert got.column("cost", "p50").tolist() == [0.5, 0.75]
    assert got.column("cost", "low")[0] == pytest.approx(0.25 + 0.5 * 0.025)
    assert got.trials.shape == (2, 2, 2)
    assert got.row(0).simulated[:4] == ("cost.mean", "cost.std", "cost.low", "cost.high")
    assert table().trials is None


def test_one_trial_tells_no_spread():
    got = Candidates([COST, ACCURACY], [estimate("a", [1, 2], [0, 0], np.array([[0.5, 0.6]]))])
    assert np.isnan(got.column("cost", "std")).all()
    assert np.isnan(got.column("cost", "stderr_simulation")).all()


def test_a_table_of_known_numbers_has_no_standard_errors():
    for statistic in ("stderr", "stderr_simulation"):
        assert np.isnan(table().column("cost", statistic)).all()


def test_limits_on_quantiles_hold_the_quantile():
    trials = np.array([[0.0, 0.0], [0.1, 0.9]])
    got = Candidates([COST, ACCURACY], [estimate("a", [1, 2], [0, 0], trials)])
    assert got.feasible([Limit("cost", 0.5, "max")]).k.tolist() == [1, 2]
    assert got.feasible([Limit("cost", 0.5, "max", "p95")]).k.tolist() == [1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: table().column("energy"), "unknown objective 'energy'; available: accuracy, cost"),
        (
            lambda: table().column("cost", "median"),
            "must be the mean or a percentile such as p95, got 'median'",
        ),
        (lambda: table().feasible([Limit("energy", 1, "max")]), "unknown objective 'energy'"),
        (lambda: table([(1, 2, 3)]), r"means must be \(n, 2\), a column an objective, got \(1, 3\)"),
        (lambda: table(k=[1, 2]), r"k must be \(3,\) like the rows of means, got \(2,\)"),
        (lambda: table([(np.nan, 0.5)]), "cost of model at k = 1 must be finite, got nan"),
        (lambda: Candidates.from_means([COST, COST], [[1, 2]]), "different names, got cost twice"),
        (lambda: Candidates([COST], []), "needs at least one curve"),
    ],
)
def test_nonsense_is_refused_in_words(call, message):
    with pytest.raises(MooInferError, match=message):
        call()


def test_given_arrays_are_left_alone():
    means = np.array([[0.1, 0.6], [0.4, 0.95]])
    before = means.copy()
    got = table(means)
    got.feasible([Limit("cost", 0.2, "max")])
    np.testing.assert_array_equal(means, before)
    means[:] = 0
    assert got.column("cost").tolist() == [0.1, 0.4]


def test_objectives_that_are_to_be_high_but_no_share():
    speed = Objective("throughput", "tok/s", "max", ideal=100.0)
    got = Candidates.from_means([speed], [[50.0], [80.0]])
    assert got.loss("throughput").tolist() == [1.0, 0.4]
    assert got.feasible([Limit("throughput", 60.0, "min")]).loss("throughput").tolist() == [0.5]


@pytest.mark.parametrize("name", ["means", "k", "rows", "losses", "front"])
def test_the_table_is_read_only(name):
    for got in (table(), table().feasible([Limit("cost", 0.5, "max")]), table().where(model="model")):
        with pytest.raises(ValueError, match="read-only"):
            getattr(got, name)[0] = 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: table(k=[0, 1, 2]), "k must be different whole numbers >= 1, at least one, got"),
        (lambda: table(k=[1.5, 2, 3]), "k must be different whole numbers >= 1, at least one, got"),
        (lambda: table(k=[1, 1, 2]), "k must be different whole numbers >= 1, at least one, got"),
        (
            lambda: Candidates.from_means([COST], np.empty((0, 1))),
            "k must be different whole numbers >= 1, at least one",
        ),
        (lambda: table().where(model="nobody"), "unknown model 'nobody'; available: model"),
        (lambda: table().column("cost", 0.95), "statistic: must be a name such as mean or p95, got 0.95"),
        (lambda: table([(-1.0, 0.5)]), "cost of model at k = 1 is -1, better than its ideal 0"),
        (
            lambda: Candidates.from_means([Objective("t", "tok/s", "max", 5.0)], [[10.0]]),
            "is 10, better than its ideal 5",
        ),
        (lambda: Objective("t", "tok/s", "max"), "where more is better, give the ideal"),
    ],
)
def test_more_nonsense_is_refused_in_words(call, message):
    with pytest.raises(MooInferError, match=message):
        call()


def test_the_tighter_of_two_limits_sets_the_scale():
    view = table().feasible([Limit("cost", 0.8, "max"), Limit("cost", 0.5, "max", "p95")])
    assert view.scales["cost"] == 0.5
    assert [str(limit) for limit in view.where(model="model").limits] == ["cost <= 0.8", "p95 cost <= 0.5"]
