import re
import sys
import warnings

import numpy as np
import pytest

from moo_infer import (
    COST,
    LATENCY,
    Candidates,
    ModelProfile,
    MonteCarlo,
    MooInferError,
    NoSelection,
    Pipeline,
    Registry,
    Samples,
    Scenario,
    SelectionWarning,
    Selector,
)
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.empirical import Empirical
from moo_infer.builtin.inference import Gaussian
from moo_infer.builtin.preferences import CheapestWithin, FallBack, MaxLowerBound, NetValue, WeightedSum
from moo_infer.builtin.selectors import Knee, Kneedle, MaxCube, Utopia
from moo_infer.core.objectives import ACCURACY
from moo_infer.decide.infeasible import describe, relaxations


def table(cost, accuracy, latency=None, k=None):
    latency = np.asarray(cost) if latency is None else latency
    return Candidates.from_means([COST, LATENCY, ACCURACY], np.stack([cost, latency, accuracy], axis=1), k=k)


def coverage(p, c):
    """Every integer k of a model that is right with probability p and costs c a sample."""
    model = ModelProfile("m", Gaussian(1, 0, 1, 0, p, 0.0), (LinearCost(c, 0.0),))
    return Pipeline("coverage", NetValue(), k=range(1, 129)).run(model, Scenario("s"))["net-value"]


def test_net_value_is_the_golden_figure():
    choice = coverage(0.4, 0.01)
    assert choice.k == 8
    assert choice.accuracy.mean - choice.cost.mean == pytest.approx(0.903204, abs=5e-7)
    assert coverage(0.1, 0.02).k == 16
    nothing = coverage(0.005, 0.01)
    assert nothing.k is None
    assert nothing.reason == "one sample is not worth its price (0.005 USD for 0.01 USD), nor is any other k"


def test_net_value_charges_for_waiting():
    rows = table([0.1, 0.2], [0.5, 0.9], latency=[1.0, 5.0])
    assert NetValue().select(rows) == 1
    assert NetValue(usd_per_second=0.1).select(rows) == 0
    with pytest.raises(NoSelection, match="needs the objective cost"):
        NetValue().select(Candidates.from_means([ACCURACY], [[0.5]]))


def test_net_value_charges_for_wrong_answers():
    """V A - U (1 - A) - C by hand: 0.5 - 0.2 U and 0.4 - 0.1 U of the last two, which are equal at U = 1."""
    rows = table([0.1, 0.3, 0.5], [0.5, 0.8, 0.9])
    chosen = [NetValue(usd_per_wrong_answer=repair).select(rows) for repair in (0.0, 0.999, 1.001, 3.9)]
    assert chosen == [1, 1, 2, 2]
    assert NetValue(10.0, usd_per_wrong_answer=2.0).select(rows) == 2
    message = r"one sample is not worth its price and its wrong answers \(0.5 USD for 2.6 USD\), nor is any other k"
    with pytest.raises(NoSelection, match=message):
        NetValue(usd_per_wrong_answer=5.0).select(rows)


def bounded(mean, stderr, cost=None):
    cost = np.ones(len(mean)) if cost is None else cost
    return Candidates.from_means([COST, ACCURACY], np.stack([cost, mean], axis=1), stderr={"accuracy": stderr})


def test_what_is_better_known_wins_by_its_lower_bound():
    """The golden figures: .90 +- .03 and .88 +- .005; the mean takes the first, the bound the second."""
    rows = bounded([0.90, 0.88], [0.03, 0.005])
    assert Registry().get(Selector, "max-accuracy").select(rows) == 0
    assert MaxLowerBound().select(rows) == 1
    assert MaxLowerBound().bounds(rows).round(4).tolist() == [0.8412, 0.8702]
    assert MaxLowerBound(0.2).select(rows) == 0  # nearly the mean
    assert MaxLowerBound().select(bounded([0.90, 0.88], [0.03, 0.005], cost=[1.0, 9.0])) == 1  # dominated, and surer


def test_bounds_that_tie_go_to_what_is_better_in_everything_else():
    assert MaxLowerBound().select(bounded([0.8, 0.8, 0.8], [0.01] * 3, cost=[2.0, 1.0, 1.0])) == 1


def test_without_a_standard_error_there_is_no_lower_bound():
    message = "needs the standard error of accuracy, which is not known of model: it takes a log with two questions"
    with pytest.raises(NoSelection, match=message):
        MaxLowerBound().select(table([1.0, 2.0], [0.5, 0.9]))
    with pytest.raises(NoSelection, match="needs the objective accuracy"):
        MaxLowerBound().select(Candidates.from_means([COST], [[1.0]]))
    assert Pipeline(selectors="max-lower-bound").run("gpt-5", "essay-feedback")["max-lower-bound"].k is None


def log(right):
    Q, n = np.shape(right)
    return Samples("mine", [f"q{i}" for i in range(Q)], np.repeat(np.arange(Q), n), np.ravel(right).astype(float))


def test_of_a_log_the_bound_is_of_other_questions():
    right = np.random.default_rng(0).random((60, 4)) < np.linspace(0.1, 0.95, 60)[:, None]
    model = ModelProfile("mine", Empirical(log(right)), ())
    rows = Pipeline("coverage", "max-lower-bound").candidates(model)
    mean, error = rows.column("accuracy"), rows.column("accuracy", "stderr")
    assert MaxLowerBound().bounds(rows) == pytest.approx(mean - 1.959964 * error)
    assert error[0] == pytest.approx(right.mean(axis=1).std(ddof=1) / 60**0.5)


def test_questions_that_are_all_solved_leave_the_bound_below_one():
    model = ModelProfile("mine", Empirical(log(np.ones((20, 4)))), ())
    rows = Pipeline("one-call", "max-lower-bound").candidates(model)
    assert (rows.column("accuracy", "stderr") == 0).all()
    (low, _) = rows.row(0).objectives["accuracy"].interval
    assert MaxLowerBound().bounds(rows)[0] == pytest.approx(low)
    assert 0.8 < low < 0.99


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        ({"accuracy": [0.1]}, "stderr: accuracy: must be 2 finite numbers >= 0, got [0.1]"),
        ({"accuracy": [0.1, -0.1]}, "must be 2 finite numbers >= 0, got [0.1, -0.1]"),
        ({"accuracy": [0.1, float("nan")]}, "must be 2 finite numbers >= 0, got [0.1, nan]"),
        ({"latency": [0.1, 0.1]}, "unknown objective 'latency'"),
    ],
)
def test_standard_errors_that_are_none_are_refused(stderr, message):
    with pytest.raises(MooInferError, match=re.escape(message)):
        Candidates.from_means([COST, ACCURACY], [[1, 0.5], [2, 0.6]], stderr=stderr)


def test_cheapest_within_a_margin_or_standard_errors():
    rows = table([1.0, 2.0, 3.0], [0.90, 0.945, 0.95])
    assert [CheapestWithin(within).select(rows) for within in (0.0, 0.005, 0.01, 0.05)] == [2, 1, 1, 0]
    simulated = Pipeline(selectors=[CheapestWithin(0.0, standard_errors=1.0)], estimator=MonteCarlo(100))
    choice = simulated.run("gpt-5", "essay-feedback")["cheapest-within"]
    best = simulated.candidates("gpt-5").feasible(simulated.scenarios["essay-feedback"].limits)
    accuracy, stderr = best.column("accuracy"), best.column("accuracy", "stderr_simulation")
    top = int(np.argmax(accuracy))
    assert choice.k == best.k[np.flatnonzero(accuracy >= accuracy[top] - stderr[top])[0]]


def test_weighted_sum_is_the_sum_written_out():
    rows = table([0.1, 0.4, 0.9], [0.6, 0.95, 0.99])
    for weights in ({}, {"accuracy": 9.0}, {"cost": 3.0, "accuracy": 0.5}):
        w = np.array([weights.get(name, 1.0) for name in ("cost", "latency", "accuracy")])
        assert WeightedSum(weights).select(rows) == np.argmin(rows.losses @ w)
    with pytest.raises(MooInferError, match="weighted-sum: weights: unknown objective 'energy'"):
        WeightedSum({"energy": 1.0}).select(rows)


def test_fall_back_asks_the_next_and_says_so(pipeline):
    two = table([1.0, 2.0], [0.5, 0.9])
    with pytest.warns(SelectionWarning, match=r"the answer is that of utopia \(knee needs at least 3 Pareto rows"):
        assert FallBack().select(two) == Utopia().select(two)
    with pytest.raises(NoSelection, match="has no answer: knee needs at least 3"):
        FallBack((Knee(),)).select(two)
    with pytest.raises(NoSelection, match="there is no selector to ask"):
        FallBack(()).select(two)
    report = Pipeline(selectors="fall-back").run(["gpt-5", "qwen3-max"], "essay-feedback")
    assert report["fall-back"].k
    assert "the answer is that of utopia" in report["fall-back"].warnings[0]


def test_kneedle_sees_accuracy_along_k():
    k = np.arange(1, 30)
    rows = table(k * 1.0, 1 - 0.5 * np.exp(-k / 2.0), k=k)
    chosen = rows.k[Kneedle().select(rows)]
    assert 3 <= chosen <= 8
    with pytest.raises(NoSelection, match="needs one model under one aggregator"):
        Kneedle().select(Pipeline().candidates(["gpt-5", "qwen3-max"]))


def test_kneedle_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "kneed", None)
    with pytest.raises(MooInferError, match=r"needs the package kneed; install moo-infer with the extra \[kneed\]"):
        Kneedle().select(table([1.0, 2.0, 3.0], [0.5, 0.8, 0.85]))


def test_every_selector_says_whether_another_model_can_reverse_the_order():
    for name, cls in Registry(entry_points=False).classes(Selector).items():
        text = " ".join((cls.__doc__ or "").split())
        said = ("Adding a model can", "adding a model can", "a pool has no curve", "makes a pool")
        assert any(phrase in text for phrase in said), name


@pytest.mark.parametrize(
    "name", ["max-accuracy", "min-cost", "min-latency", "net-value", "max-cube", "utopia", "weighted-sum", "asf"]
)
def test_another_model_does_not_reverse_the_order_where_the_docstring_says_so(pipeline, name):
    """Whoever wins among two models wins among three, or the third does."""
    cls = Registry().get(Selector, name)
    two, three = ["gpt-5", "qwen3-max"], ["gpt-5", "qwen3-max", "gpt-5-nano"]
    for scenario in pipeline.scenarios:
        few, more = (Pipeline(selectors=cls).run(models, scenario)[name] for models in (two, three))
        assert (more.model, more.k) == (few.model, few.k) or more.model == "gpt-5-nano"


def test_parameters_behind_a_colon():
    registry = Registry()
    assert registry.get(Selector, "net-value:usd_per_right_answer=2,usd_per_second=1e-3") == NetValue(2.0, 0.001)
    weighted = registry.get(Selector, "asf:weights.accuracy=3,weights.cost=1e-1")
    for flow in ("{accuracy: 3, cost: 1e-1}", '{"accuracy": 3.0, "cost": "0.1"}', "{'accuracy': 3, cost: .1}"):
        assert registry.get(Selector, f"asf:weights={flow}") == weighted
    vikor = registry.get(Selector, "vikor:v=0.25,weights={cost: 2, accuracy: 1}")
    assert (vikor.v, vikor.weights) == (0.25, {"cost": 2.0, "accuracy": 1.0})
    assert weighted.weights == {"accuracy": 3.0, "cost": 0.1}
    for text, message in (
        ("net-value:usd=2", "selector 'net-value': unknown key 'usd'; keys: usd_per_right_answer, usd_per_second"),
        ("net-value:2", "parameters are NAME=VALUE, got '2'"),
        ("asf:weights=2", "weights: must be a mapping such as {NAME: VALUE}, got '2'"),
        ("asf:weights=[2, 3]", "weights: must be a mapping such as {NAME: VALUE}, got [2, 3]"),
        ("asf:weights={cost: 2, cost: 3}", "weights: line 1: duplicate key 'cost'"),
        ("asf:weights={cost: 2", "weights: line 2: did not find expected ',' or '}'"),
        ("asf:weights={cost: {a: 1}}", "weights.cost: must be a number, got {'a': 1}"),
        (
            "fall-back:selectors=[knee, utopia]",
            "selectors.0: must be a Selector object, which only Python can give, got 'knee'",
        ),
        ("net-value:usd_per_second=[1, 2]", "usd_per_second: must be a number, got [1, 2]"),
        (
            "net-value:usd_per_second=1,usd_per_second=2",
            "parameters are given once each, got 'usd_per_second=2' as well",
        ),
        (
            "asf:weights.accuracy=1,weights.accuracy=2",
            "parameters are given once each, got 'weights.accuracy=2' as well",
        ),
        ("asf:weights=1,weights.accuracy=2", "parameters are given once each, got 'weights.accuracy=2' as well"),
        ("cheapest-within:within.value=0.1", "within is a number, got 'within.value=0.1'"),
        ("asf:weights.=2", "parameters are NAME=VALUE, got 'weights.=2'"),
        ("asf:weights.accuracy=x", "selector 'asf': weights.accuracy: must be a number, got 'x'"),
        ("net-value:usd_per_second=-1", "usd_per_second: must be >= 0, got -1"),
        ("net-valu:x=1", "unknown selector 'net-valu'; available: net-value"),
    ):
        with pytest.raises(MooInferError, match=re.escape(message)):
            registry.get(Selector, text)


def test_what_loosening_a_limit_buys_is_there_when_it_is_loosened(pipeline):
    report = pipeline.run("gpt-5", "essay-feedback")
    cost, latency, accuracy = report.outcome().relaxations
    assert (cost.row, latency.row) == (None, None)  # k = 24 breaks both: neither alone buys anything
    assert describe(report.candidates, cost) == "cost <= 0.5: loosening only this limit changes nothing"
    assert accuracy.row is None
    tight = Scenario("s", {"cost": 0.3, "latency": 600}, {"accuracy": 0.95})
    cost = pipeline.run("gpt-5", tight).outcome().relaxations[0]
    assert (
        describe(report.candidates, cost) == "cost <= 0.3: at 0.3482 accuracy becomes 0.9752 instead of 0.9725 (k = 16)"
    )
    looser = Scenario("s", {"cost": cost.needs.worst, "latency": 600}, {"accuracy": 0.95})
    assert pipeline.run("gpt-5", looser)["max-accuracy"].k == 16


def test_near_misses_make_something_feasible(pipeline):
    scenario = Scenario("s", {"cost": 0.5, "latency": 1.0})
    report = pipeline.run(["gpt-5", "gpt-5-nano"], scenario)
    cost, latency = report.outcome().relaxations
    assert cost.row is None
    assert describe(report.candidates, latency) == (
        "latency <= 1: at 2.151 something is feasible (gpt-5-nano, best-of-k, k = 4)"
    )
    assert pipeline.run("gpt-5-nano", Scenario("s", {"cost": 0.5, "latency": latency.needs.worst}))["utopia"].k == 4
    lines = report.to_text().replace("\n", " ")
    assert "If one limit were loosened: " in lines
    loosened = report.to_dict()["scenarios"][0]["loosened"]
    assert [found["needs"] for found in loosened] == [None, 2.151]
    assert loosened[1]["model"] == "gpt-5-nano"


def test_shadow_prices_are_the_next_better_row_by_brute_force(pipeline):
    rows = pipeline.candidates(["gpt-5", "qwen3-max", "gpt-5-nano"])
    limits = Scenario("s", {"cost": 0.05, "latency": 40}, {"accuracy": 0.97}).limits
    met = rows.met(limits)
    for j, found in enumerate(relaxations(rows, limits)):
        others = rows.met([limit for i, limit in enumerate(limits) if i != j])
        wanted = None
        for row in np.argsort(limits[j].excess(rows.column(limits[j].objective)), kind="stable"):
            objectives = [i for i, o in enumerate(rows.objectives) if o.name != limits[j].objective]
            better = any(rows.losses[row, i] < rows.losses[met, i].min() for i in objectives)
            if others[row] and not met[row] and better:
                wanted = int(row)
                break
        assert found.row == wanted


def test_selection_warnings_stay_within():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Pipeline(selectors=["fall-back", MaxCube()]).run("gpt-5", "essay-feedback")
