"""Maps of decisions over two budgets, compared with deciding under those budgets."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from moo_infer import (
    Candidates,
    CostModel,
    ModelProfile,
    MooInferError,
    NoSelection,
    Objective,
    Pipeline,
    Scenario,
    Selector,
    builtin_models,
    builtin_scenarios,
)
from moo_infer.builtin.costs import LinearCost, LinearLatency
from moo_infer.builtin.inference import Gaussian
from moo_infer.core.uncertainty import Uncertain
from moo_infer.decide.map import decision_map


@dataclass(frozen=True)
class Joules(CostModel):
    name = "joules"
    objective = Objective("energy", "J")

    def total(self, draws, /, *, parallelism):
        return np.cumsum(draws.tokens_out * 0.5, axis=1)


@dataclass(frozen=True)
class Odd(Selector):
    """Answers only where an odd number of rows is feasible, with the last one."""

    name = "odd"

    def select(self, candidates, /):
        if len(candidates) % 2 == 0:
            raise NoSelection("the rows are even")
        return len(candidates) - 1


def cells(found, count, seed=0):
    rng = np.random.default_rng(seed)
    return [tuple(rng.integers(n) for n in found.rows.shape) for _ in range(count)]


def same_as_deciding(found, pipeline, models, scenario, x_limit, y_limit, count=25):
    """Compare random cells with runs whose limits are those of the cell."""
    for j, i in cells(found, count):
        sides = {"max": {}, "min": {}}
        for limit in scenario.limits:
            sides[limit.sense].setdefault(limit.objective, {})[limit.statistic] = limit.worst
        for (sense, objective, statistic), value in (
            (x_limit, found.x_values[i]),
            (y_limit, found.y_values[j]),
        ):
            sides[sense].setdefault(objective, {})[statistic] = float(value)
        choice = pipeline.run(models, Scenario("cell", sides["max"], sides["min"]))[found.selector]
        assert found.rows[j, i] == (-1 if choice.row is None else choice.row)
        assert found.feasible[j, i] == (not choice.reason.startswith("nothing"))


@pytest.mark.parametrize("selector", ["max-accuracy", "max-cube", "utopia", "min-cost", "odd", "knee-chord"])
def test_every_cell_is_what_deciding_under_those_limits_gives(selector):
    pipeline = Pipeline(selectors=[Odd() if selector == "odd" else selector])
    report = pipeline.run(None, "medical-ai")
    found = decision_map(report, "cost", "latency", size=24)
    same_as_deciding(found, pipeline, None, report.scenarios[0], ("max", "cost", "mean"), ("max", "latency", "mean"))


def test_any_two_objectives_are_budgets_also_one_where_more_is_better():
    models = {n: replace(p, costs=(*p.costs, Joules())) for n, p in list(builtin_models().items())[:4]}
    pipeline = Pipeline(["best-of-k", "majority-vote"], "utopia", models=models, k_max=32)
    green = Scenario("green", {"cost": 0.4, "latency": 100, "energy": 20_000})
    report = pipeline.run(None, green)
    found = decision_map(report, "accuracy", "energy", size=12)
    same_as_deciding(found, pipeline, None, green, ("min", "accuracy", "mean"), ("max", "energy", "mean"))
    assert len(found.labels) >= 1


def test_a_limited_quantile_is_what_the_budgets_are_on_and_other_limits_stay():
    pipeline = Pipeline(selectors="max-accuracy")
    strict = Scenario("strict", {"cost": {"mean": 0.3, "p95": 0.5}, "latency": {"p95": 80}}, {"accuracy": 0.99})
    report = pipeline.run(None, strict)
    found = decision_map(report, "cost", "latency", size=15)
    assert found.statistics == ("mean", "p95")
    assert [str(limit) for limit in found.limits] == ["cost <= 0.3", "p95 latency <= 80"]
    same_as_deciding(found, pipeline, None, strict, ("max", "cost", "mean"), ("max", "latency", "p95"))


def test_confidence_is_asked_for_under_every_pair_of_budgets():
    profile = ModelProfile(
        "mine", Gaussian(1000, 50, 500, 50, 0.9, 0.05), (LinearCost(1e-5, 1e-5), LinearLatency(1e-3, 1e-3))
    )
    unsure = replace(
        profile,
        uncertain={"inference.accuracy_mean": Uncertain(se=0.02), "costs[0].usd_per_output_token": Uncertain(se=5e-6)},
    )
    pipeline = Pipeline(selectors="max-accuracy", confidence=0.9, draws=60, k_max=24)
    scenario = Scenario("s", {"cost": 0.1, "latency": 20}, {"accuracy": 0.95})
    found = decision_map(pipeline.run(unsure, scenario), "cost", "latency", size=15)
    plain = Pipeline(selectors="max-accuracy", k_max=24).run(unsure, scenario)
    assert (decision_map(plain, "cost", "latency", size=15).rows != found.rows).any()
    same_as_deciding(found, pipeline, unsure, scenario, ("max", "cost", "mean"), ("max", "latency", "mean"))


def test_budgets_reach_from_what_admits_anything_to_the_worst_candidate_and_hold_the_limit():
    report = Pipeline().run(None, "medical-ai")
    found = decision_map(report, "cost", "latency", size=30)
    cost, met = report.candidates.column("cost"), report.candidates.column("accuracy") >= 0.98
    assert found.x_values[0] == pytest.approx(cost[met].min(), rel=1e-12)
    assert found.x_values[-1] == pytest.approx(cost.max(), rel=1e-12)
    assert 0.95 in found.x_values
    assert found.y_values[-1] == 3600  # above the slowest candidate
    assert np.all(np.diff(found.x_values) > 0)
    ratios = found.x_values[1:6] / found.x_values[:5]
    assert np.allclose(ratios, ratios[0])  # more than a decade, so even in the logarithm


@pytest.mark.parametrize("selector", ["max-accuracy", "max-cube", "utopia", "knee"])
def test_under_the_scenarios_own_limits_it_is_the_reports_choice(selector):
    report = Pipeline().run()
    for scenario in report.scenarios:
        found = decision_map(report, "latency", "accuracy", scenario=scenario.name, selector=selector, size=9)
        x, y = (
            np.flatnonzero(values == limit.worst)[0]
            for values, limit in zip((found.x_values, found.y_values), found.limits, strict=True)
        )
        row = report.choice(selector, scenario=scenario.name).row
        assert found.rows[y, x] == (-1 if row is None else row)


def test_a_limit_beyond_every_candidate_widens_the_range():
    report = Pipeline().run("gpt-5", Scenario("rich", {"cost": 500, "latency": 60}))
    assert decision_map(report, "cost", "latency", size=5).x_values[-1] == 500


def test_one_model_and_one_k_still_make_a_map():
    report = Pipeline(k=[4], selectors="max-accuracy").run("gpt-5", Scenario("free"))
    found = decision_map(report, "cost", "accuracy", size=6)
    assert np.ptp(found.x_values) > 0
    assert np.ptp(found.y_values) > 0
    assert (found.rows == 0).all()
    assert found.labels == {("gpt-5", "best-of-k"): (4,)}
    assert found.limits == (None, None)


def test_a_map_of_nothing():
    report = Pipeline(selectors="utopia").run(
        "gpt-5", Scenario("none", {"cost": 1e-6, "latency": 1}, {"accuracy": 1.0})
    )
    found = decision_map(report, "cost", "latency", size=6)
    assert (found.rows == -1).all()
    assert not found.feasible.any()
    assert found.labels == {}


def test_no_answer_is_told_from_nothing_feasible():
    report = Pipeline(selectors="knee-chord").run(["gpt-5", "gpt-5-nano"], "essay-feedback")
    found = decision_map(report, "cost", "latency", size=20)
    silent = (found.rows == -1) & found.feasible
    assert silent.any()
    assert found.reason == "needs one model under one aggregator, and here are 2"


def test_scenario_and_selector_are_the_reports():
    report = Pipeline().run()
    pipeline_default = decision_map(report, "cost", "latency", scenario="medical-ai", size=4)
    assert (pipeline_default.scenario, pipeline_default.selector) == (
        builtin_scenarios()["medical-ai"],
        "cheapest-within",
    )
    assert decision_map(report, "cost", "latency", scenario="medical-ai", selector="max-cube", size=4).selector == (
        "max-cube"
    )


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (
            ("cost", "latency"),
            {},
            "the report holds 3 scenarios; name one of them: essay-feedback, medical-ai, proposal",
        ),
        (("cost", "latency"), {"scenario": "essay"}, "unknown scenario 'essay'; available: essay-feedback"),
        (
            ("cost", "price"),
            {"scenario": "medical-ai"},
            "unknown objective 'price'; available: accuracy, cost, latency",
        ),
        (("cost", "cost"), {"scenario": "medical-ai"}, "needs two different objectives, got 'cost' twice"),
        (
            ("cost", "latency"),
            {"scenario": "medical-ai", "selector": "asf"},
            "unknown selector 'asf'; available: cheapest",
        ),
        (("cost", "latency"), {"scenario": "medical-ai", "size": 1}, "size: must be >= 2, got 1"),
        (("cost", "latency"), {"scenario": "medical-ai", "size": "many"}, "size: must be a whole number"),
    ],
)
def test_what_it_cannot_map_it_refuses_in_a_sentence(arguments, options, message):
    report = Pipeline(k=[4, 8]).run()
    with pytest.raises(MooInferError, match=message):
        decision_map(report, *arguments, **options)


def test_limits_are_held_against_the_table_as_often_whatever_the_size(monkeypatch):
    report = Pipeline(selectors="utopia").run(["gpt-5", "gpt-5-nano"], "essay-feedback")
    asked, met = [], Candidates.met
    monkeypatch.setattr(Candidates, "met", lambda table, *limits: asked.append(1) or met(table, *limits))
    times = []
    for size in (3, 9):
        asked.clear()
        decision_map(report, "cost", "latency", size=size)
        times.append(len(asked))
    assert times[0] == times[1] > 0
