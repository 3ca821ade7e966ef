"""Figures that are known: of the issue that asked for workflows, and of formulas."""

import json
import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from moo_infer import CostModel, Exact, MooInferError, NoSelection, Objective, Pipeline, Stage, Tool, Workflow
from moo_infer.builtin.policies import Fixed
from moo_infer.core.objectives import Limit
from moo_infer.decide import stages as stages_module
from moo_infer.decide.stages import allocate_stages
from moo_infer.policy.workflow.plans import Plans
from moo_infer.policy.workflow.table import stage_options
from moo_infer.report.stages import blocks, document

from .conftest import certain

KNOWN = [  # budget in USD, k of plan, code and review, accuracy, USD, seconds
    (0.013, (1, 1, 1), 0.224, 0.013, 16),
    (0.04, (3, 3, 3), 0.550731776, 0.039, 16),
    (0.06, (7, 4, 5), 0.716638622, 0.059, 16),
    (0.1, (15, 6, 9), 0.887930623, 0.099, 26),
]


def agent(models, plan, code, review):
    """Plan by a vote, code with tests, review by a vote, one after the other, with some numbers of samples."""
    return Workflow(
        [
            Stage("plan", models["planner"], [f"fixed:k={k}" for k in plan]),
            Stage("code", models["coder"], [f"fixed:k={k},aggregator=coverage" for k in code], ["plan"]),
            Stage("review", models["reviewer"], [f"fixed:k={k}" for k in review], ["code"]),
        ]
    )


def means(workflow, models=None, **options):
    """The row of a workflow without choices, and the table."""
    given = {"models": models} if models else {}
    table = Pipeline(workflows={"agent": workflow}, workflows_alone=True, **given, **options).candidates()
    assert len(table) == 1
    return dict(zip([o.name for o in table.objectives], table.means[0].tolist(), strict=True)), table


@pytest.mark.parametrize(("budget", "k", "accuracy", "usd", "seconds"), KNOWN)
def test_an_agent_of_three_stages(agent_models, budget, k, accuracy, usd, seconds):
    found, table = means(agent(agent_models, *([n] for n in k)), agent_models)
    assert found == pytest.approx({"accuracy": accuracy, "cost": usd, "latency": seconds}, abs=1e-9)
    assert not {f"{name}.mean" for name in found} & {*table.row(0).simulated}


@pytest.fixture(scope="module")
def plans(agent_models, registry):
    workflow = agent(agent_models, range(1, 20, 2), range(1, 9), range(1, 20, 2))
    options, objectives = stage_options("agent", workflow, {}, {}, registry, None, None)
    return Plans("agent", workflow, options, objectives, Exact())


@pytest.mark.parametrize(("budget", "k", "accuracy", "usd", "seconds"), KNOWN)
@pytest.mark.parametrize("most", [10**6, 10], ids=["all plans", "logarithms"])
def test_money_goes_to_the_stages_where_it_buys_most(plans, budget, k, accuracy, usd, seconds, most, monkeypatch):
    monkeypatch.setattr(stages_module, "MOST_PLANS", most)
    found = allocate_stages(plans, {"cost": budget})
    assert tuple(option.k for option in found.options) == k
    assert found.objectives == pytest.approx({"accuracy": accuracy, "cost": usd, "latency": seconds}, abs=1e-9)
    assert found.allocation.value == pytest.approx(accuracy, abs=1e-9)
    assert found.allocation.bound == pytest.approx(accuracy, abs=1e-9)
    assert found.allocation.gap == pytest.approx(0.0, abs=1e-12)


@pytest.fixture(scope="module")
def branches(registry):
    """Plans of a workflow whose second and third stage run at the same time."""
    models = [
        certain(f"m{i}", p, 0.001 + 0.0003 * i, s, 1)
        for i, (p, s) in enumerate(zip((0.7, 0.8, 0.75, 0.72), (2, 3, 2, 1), strict=True))
    ]
    after = [(), ("s0",), ("s0",), ("s1", "s2")]
    policies = [f"fixed:k={k}" for k in (1, 3, 5, 7)]
    workflow = Workflow([Stage(f"s{i}", models[i], policies, after[i]) for i in range(4)])
    options, objectives = stage_options("agent", workflow, {}, {}, registry, None, None)
    return Plans("agent", workflow, options, objectives, Exact())


@pytest.mark.parametrize(
    "limits", [{"cost": 0.013}, {"latency": 20.0}, {"latency": 20.0, "cost": 0.02}, {"latency": 13.0}]
)
def test_logarithms_give_the_upgrades_of_whole_plans_and_nothing_of_mixtures(branches, limits, monkeypatch):
    by_plans = allocate_stages(branches, limits)
    monkeypatch.setattr(stages_module, "MOST_PLANS", 10)
    found = allocate_stages(branches, limits)
    for of in (by_plans, found):
        json.dumps(document(of, []), allow_nan=False)
    assert found.allocation.choices.tolist() == by_plans.allocation.choices.tolist()
    assert found.allocation.upgrades.tolist() == by_plans.allocation.upgrades.tolist()
    assert found.allocation.rates == pytest.approx(by_plans.allocation.rates, rel=1e-9)
    assert found.upgrades == {
        stage: (option, pytest.approx(rate)) for stage, (option, rate) in by_plans.upgrades.items()
    }
    assert found.allocation.bound >= by_plans.allocation.value - 1e-12
    assert math.isnan(found.allocation.mixture)
    assert found.allocation.shadow_prices == found.allocation.prices_below == {}
    shown = blocks(found, [Limit(name, worst, "max") for name, worst in limits.items()])
    assert not any("mix" in block for block in shown if isinstance(block, str))
    assert document(found, [])["mixture"] is None


def test_a_limit_on_seconds_is_kept_too(plans):
    found = allocate_stages(plans, {"cost": 0.1, "latency": 16})
    assert found.objectives["latency"] <= 16
    assert found.objectives["accuracy"] < 0.887930623
    assert "independent" in found.remarks[0]


def test_a_budget_below_the_cheapest_plan_says_what_that_takes(plans):
    with pytest.raises(NoSelection, match=r"cost <= 0.001 is below the cheapest plan, which takes 0.013"):
        allocate_stages(plans, {"cost": 0.001})
    with pytest.raises(MooInferError, match="unknown objective 'watts'; available: cost, latency"):
        allocate_stages(plans, {"watts": 1.0})


def ten(p, weak, votes):
    """Ten steps in series, the last of which may be weaker, with a vote of so many on each."""
    models = [certain(f"m{i}", p if i < 9 else weak, 0.01, 1.0, 99) for i in range(10)]
    names = [f"s{i}" for i in range(10)]
    each = zip(models, names, votes, strict=True)
    return Workflow([Stage(n, m, Fixed(k, "majority-vote"), names[i - 1 : i]) for i, (m, n, k) in enumerate(each)])


@pytest.mark.parametrize(
    ("weak", "votes", "accuracy", "times"),
    [
        (0.95, [1] * 10, 0.598737, 1.0),
        (0.95, [3] * 10, 0.929820, 3.0),
        (0.8, [1] * 10, None, 1.0),
        (0.8, [1] * 9 + [3], None, 1.2),
    ],
)
def test_ten_steps(weak, votes, accuracy, times):
    p = 0.95 if weak == 0.95 else 0.99
    wanted = accuracy or {1: 0.730814, 3: 0.818511}[votes[-1]]
    found, _ = means(ten(p, weak, votes))
    assert found["accuracy"] == pytest.approx(wanted, abs=5e-7)
    assert found["cost"] == pytest.approx(0.1 * times, rel=1e-12)


def exponential(*seconds):
    return [Stage(f"s{i}", tool=Tool(s, 0.0, 1.0, law="exponential")) for i, s in enumerate(seconds)]


def test_the_mean_of_the_slower_of_two_branches_is_not_the_slower_mean():
    found, table = means(Workflow(exponential(4.0, 10.0)))
    a, b = 4.0, 10.0
    assert found["latency"] == pytest.approx(11.142857142857, abs=1e-8)
    assert found["latency"] == pytest.approx(a + b - 1 / (1 / a + 1 / b), rel=1e-10)
    assert not {"latency.mean", "latency.std"} & {*table.row(0).simulated}
    second = 2 * (a**2 + b**2 - (1 / (1 / a + 1 / b)) ** 2)
    assert table.row(0).objectives["latency"].std == pytest.approx(math.sqrt(second - found["latency"] ** 2), rel=1e-8)


def test_three_branches_and_what_is_before_and_behind_them():
    a, b, c = 4.0, 10.0, 1.0
    first, last = Tool(3.0, 0.0, 1.0), Tool(5.0, 0.0, 1.0)
    middle = [Stage(s.name, tool=s.tool, after=["first"]) for s in exponential(a, b, c)]
    last = Stage("last", tool=last, after=[s.name for s in middle])
    found, _ = means(Workflow([Stage("first", tool=first), *middle, last]))

    def least(*each):
        return 1 / sum(1 / mean for mean in each)

    longest = a + b + c - least(a, b) - least(a, c) - least(b, c) + least(a, b, c)
    assert found["latency"] == pytest.approx(3 + longest + 5, rel=1e-9)


def test_a_branch_that_takes_a_constant_time():
    stages = [*exponential(4.0), Stage("fixed", tool=Tool(6.0, 0.0, 1.0))]
    assert means(Workflow(stages))[0]["latency"] == pytest.approx(6 + 4 * math.exp(-6 / 4), rel=1e-9)


def test_what_is_neither_a_series_nor_branches_is_simulated_and_listed():
    """Two that wait for two others, one of which both wait for: no series of branches, nor branches of series."""
    a, b, c, d = exponential(4.0, 10.0, 1.0, 2.0)
    crossed = [
        a, b, Stage("s2", tool=c.tool, after=["s0"]), Stage("s3", tool=d.tool, after=["s0", "s1"])
    ]  # fmt: skip
    found, table = means(Workflow(crossed))
    row = table.row(0)
    assert "latency.mean" in row.simulated
    rng = np.random.default_rng(5)
    x = rng.exponential([4.0, 10.0, 1.0, 2.0], (200_000, 4))
    slow = np.maximum(x[:, 0] + x[:, 2], np.maximum(x[:, 0], x[:, 1]) + x[:, 3])
    error = row.objectives["latency"].stderr_simulation
    assert found["latency"] == pytest.approx(slow.mean(), abs=4 * math.hypot(error, slow.std() / 447))


def test_what_does_not_vary_is_exact_in_any_graph():
    seconds = {"a": 4.0, "b": 10.0, "c": 1.0, "d": 2.0}
    after = {"c": ["a"], "d": ["a", "b"]}
    stages = [Stage(n, tool=Tool(s, 0.1, 1.0), after=after.get(n, ())) for n, s in seconds.items()]
    found, table = means(Workflow(stages))
    assert found == pytest.approx({"accuracy": 1.0, "cost": 0.4, "latency": 12.0}, rel=1e-12)
    assert table.row(0).simulated == ()


def test_a_row_says_when_each_stage_runs_and_which_are_waited_for():
    seconds = {"a": 4.0, "b": 10.0, "c": 1.0, "d": 2.0}
    after = {"c": ["a"], "d": ["a", "b"]}
    stages = [Stage(n, tool=Tool(s, 0.1, 1.0), after=after.get(n, ())) for n, s in seconds.items()]
    _, table = means(Workflow(stages))
    (course,) = table.curve(0).courses
    timed = {s.name: (s.start, s.finish, s.slack, s.critical) for s in course.stages}
    assert timed == {"a": (0, 4, 6, 0), "b": (0, 10, 0, 1), "c": (4, 5, 7, 0), "d": (10, 12, 0, 1)}
    assert course.waves == (2.0, 2.0)


def test_a_run_over_its_cap_has_failed_and_is_paid_for(agent_models):
    workflow = agent(agent_models, [3], [5], [3])  # two waves of code: 26 s
    free, _ = means(workflow, agent_models)
    for cap, right, seconds in [(26.0, free["accuracy"], 26.0), (25.0, 0.0, 25.0)]:
        found, table = means(Workflow(workflow.stages, cap_seconds=cap), agent_models)
        assert found == pytest.approx({"accuracy": right, "cost": free["cost"], "latency": seconds})
        assert "latency.mean" not in table.row(0).simulated


@pytest.mark.parametrize("law", ["constant", "exponential"])
def test_a_run_that_takes_just_as_long_as_its_cap_has_not_failed(law):
    """0.1 + 0.2 is above 0.3 by rounding."""
    first, then = Tool(0.1, 0.0, 1.0), Tool(0.2, 0.0, 1.0)
    beside = Tool(1e-9, 0.0, 1.0, law=law)
    stages = [Stage("a", tool=first), Stage("b", tool=then, after=["a"]), Stage("c", tool=beside)]
    found, _ = means(Workflow(stages, cap_seconds=0.3))
    assert found == pytest.approx({"accuracy": 1.0, "cost": 0.0, "latency": 0.3})


def test_a_cap_on_what_varies_is_simulated():
    found, table = means(Workflow([Stage("a", tool=Tool(4.0, 0.5, 0.9, law="exponential"))], cap_seconds=6.0))
    assert {"accuracy.mean", "latency.mean"} <= {*table.row(0).simulated}
    assert found["accuracy"] == pytest.approx(0.9 * (1 - math.exp(-6 / 4)), abs=0.02)
    assert found["latency"] == pytest.approx(4 * (1 - math.exp(-6 / 4)), abs=0.1)
    assert found["cost"] == 0.5


def test_a_loop_is_a_policy_in_a_stage_whose_retries_cost_what_they_cost(agent_models):
    again = Stage("code", agent_models["coder"], "first-accepted:k=4", ["plan"])
    workflow = Workflow([Stage("plan", tool=Tool(1.0, 0.001, 1.0)), again])
    found, table = means(workflow, agent_models)
    tries = sum(0.6**i for i in range(4))
    wanted = {"accuracy": 1 - 0.6**4, "cost": 0.001 + 0.01 * tries, "latency": 1 + 10 * tries}
    assert found == pytest.approx(wanted, rel=1e-12)
    assert table.curve(0).courses[0].calls == pytest.approx((tries, 4.0))


@dataclass(frozen=True)
class Praise(CostModel):
    """What judges say of an answer, of which more is better."""

    name = "praise"
    objective = Objective("praise", direction="max", ideal=10.0)

    def total(self, draws, /, *, parallelism):
        return np.full(draws.shape, 5.0)


def test_what_is_better_where_it_is_more_is_no_sum_over_stages(agent_models):
    judged = replace(agent_models["planner"], costs=(Praise(),))
    workflow = Workflow([Stage("plan", judged, "fixed:k=1")])
    with pytest.raises(
        MooInferError, match="workflows: agent: praise is better where it is more, and its `along` says"
    ):
        means(workflow, {"planner": judged})


def test_a_cap_needs_seconds(agent_models):
    free = replace(agent_models["planner"], costs=agent_models["planner"].costs[:1])
    workflow = Workflow([Stage("plan", free, "fixed:k=1")], cap_seconds=5)
    with pytest.raises(
        MooInferError, match="workflows: agent: cap_seconds: no stage has latency, so that nobody knows"
    ):
        means(workflow, {"planner": free})
