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
    Scenario,
    SelectionWarning,
    Selector,
)
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.inference import Gaussian
from moo_infer.builtin.preferences import CheapestWithin, FallBack, NetValue, WeightedSum
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
