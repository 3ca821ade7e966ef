"""Stages that answered the same questions: exact question by question; what that leaves open is said."""

import pickle
from itertools import combinations, permutations, product

import numpy as np
import pytest

from moo_infer import Exact, ModelProfile, MooInferError, Pipeline, Samples, Stage, Tool, Uncertain, Workflow
from moo_infer.builtin.empirical import Empirical
from moo_infer.policy.workflow.paths import Graph
from moo_infer.policy.workflow.plans import Plans
from moo_infer.policy.workflow.rightness import Rightness, frechet_bounds
from moo_infer.policy.workflow.table import stage_options

from .conftest import certain, logged

EASY_AND_HARD = np.array([[1, 1, 1], [1, 1, 0], [0, 1, 0], [0, 0, 0]])
ALIKE = np.array([[1, 1, 1], [1, 0, 1], [1, 0, 0], [0, 0, 0]])
A, B = logged("a", EASY_AND_HARD, 1), logged("b", ALIKE, 2)
MODELS = {"a": A, "b": B}


def either(right):
    return right["plan"] or right["code"]


def two(first, second, *, series=True, **rules):
    """A plan by one policy and code by another."""
    return Workflow([Stage("plan", A, first), Stage("code", B, second, ["plan"] if series else [])], **rules)


def table_of(workflow, **options):
    given = {"models": MODELS, "workflows_alone": True} | options
    return Pipeline(workflows={"agent": workflow}, **given).candidates()


def worth(profile, k):
    """Mean accuracy of a vote of k of each question, over all subsets; ties are shared."""
    samples = profile.queries.samples
    found = []
    for q in range(4):
        answers = samples["answer"][samples.question == q]
        each = []
        for subset in combinations(answers, k):
            counts = {a: subset.count(a) for a in subset}
            best = [a for a, n in counts.items() if n == max(counts.values())]
            each.append((0 in best) / len(best))
        found.append(np.mean(each))
    return np.array(found)


@pytest.mark.parametrize("k", [(1, 1), (3, 2), (2, 3)])
def test_what_is_right_together_is_known_question_by_question(k):
    table = table_of(two(f"fixed:k={k[0]}", f"fixed:k={k[1]}"))
    p, q = worth(A, k[0]), worth(B, k[1])
    assert table.means[0, 0] == pytest.approx((p * q).mean(), abs=1e-12)
    assert (p * q).mean() > p.mean() * q.mean() + 0.05  # what is hard for one is hard for the other
    assert not table.row(0).warnings
    assert "accuracy.mean" not in table.row(0).simulated
    anyone = table_of(two(f"fixed:k={k[0]}", f"fixed:k={k[1]}", right=either))
    assert anyone.means[0, 0] == pytest.approx((1 - (1 - p) * (1 - q)).mean(), abs=1e-12)
    last = table_of(two(f"fixed:k={k[0]}", f"fixed:k={k[1]}", right="last"))
    assert last.means[0, 0] == pytest.approx(q.mean(), abs=1e-12)


def test_money_and_seconds_of_a_series_add_up_with_their_spread():
    table = table_of(two("fixed:k=1", "fixed:k=1"))
    row = table.row(0)
    for name, column in (("cost", "cost_usd"), ("latency", "latency_s")):
        values = [[p.queries.samples[column][p.queries.samples.question == q] for q in range(4)] for p in (A, B)]
        both = np.array([a + b for q in range(4) for a, b in product(values[0][q], values[1][q])])
        assert row.objectives[name].mean == pytest.approx(both.mean(), rel=1e-12)
        assert row.objectives[name].std == pytest.approx(both.std(), rel=1e-12)
        assert row.objectives[name].quantile(0.5) == pytest.approx(np.median(both), rel=0.05)  # replayed


def test_seconds_of_branches_that_vary_are_replayed_with_their_error():
    table = table_of(two("fixed:k=1", "fixed:k=1", series=False))
    row = table.row(0)
    seconds = [[p.queries.samples["latency_s"][p.queries.samples.question == q] for q in range(4)] for p in (A, B)]
    slower = np.mean([max(a, b) for q in range(4) for a, b in product(seconds[0][q], seconds[1][q])])
    assert "latency.mean" in row.simulated
    assert row.objectives["latency"].mean == pytest.approx(slower, abs=4 * row.objectives["latency"].stderr_simulation)


def test_a_replay_agrees_with_what_is_exact():
    workflow = two("two-then-more:k=3", "fixed:k=3")
    exact, drawn = table_of(workflow), table_of(workflow, estimator="monte-carlo")
    for name in ("accuracy", "cost", "latency"):
        error = drawn.row(0).objectives[name].stderr_simulation
        assert drawn.column(name)[0] == pytest.approx(exact.column(name)[0], abs=4 * error)


def test_two_stages_that_share_a_log_take_samples_of_their_own():
    """The plan takes one sample and the check two others: never the same one twice."""
    shared = Workflow([Stage("plan", A, "fixed:k=1"), Stage("check", A, "fixed:k=2,aggregator=coverage", ["plan"])])
    table = table_of(shared)
    row = table.row(0)
    orders = [list(permutations(question)) for question in EASY_AND_HARD.tolist()]
    both = np.mean([[o[0] * max(o[1], o[2]) for o in each] for each in orders])
    assert "accuracy.mean" in row.simulated
    assert "cost.mean" not in row.simulated
    assert row.objectives["accuracy"].mean == pytest.approx(both, abs=4 * row.objectives["accuracy"].stderr_simulation)
    with pytest.raises(
        MooInferError, match="its stages call a up to 4 times in all, each with samples of its own, and"
    ):
        table_of(Workflow([Stage("plan", A, "fixed:k=2"), Stage("check", A, "fixed:k=2", ["plan"])]))


def test_logs_of_some_common_questions_are_compared_on_these():
    other = logged("b", ALIKE, 2, ["q2", "q3", "q8", "q9"])
    workflow = Workflow([Stage("plan", A, "fixed:k=1"), Stage("code", other, "fixed:k=1", ["plan"])])
    table = table_of(workflow)
    assert table.means[0, 0] == pytest.approx(np.mean([1 / 3 * 1.0, 0.0 * 2 / 3]), abs=1e-12)
    assert any("2 questions that the logs of its stages have in common" in said for said in table.curve(0).remarks)


def test_logs_of_other_questions_are_taken_as_independent_and_that_is_said():
    other = logged("b", ALIKE, 2, ["q5", "q6", "q8", "q9"])
    workflow = Workflow([Stage("plan", A, "fixed:k=1"), Stage("code", other, "fixed:k=1", ["plan"])])
    table = table_of(workflow)
    p, q = EASY_AND_HARD.mean(), ALIKE.mean()
    assert table.means[0, 0] == pytest.approx(p * q, abs=1e-12)
    (warning,) = table.row(0).warnings
    assert warning.startswith("plan and code are taken as independent: no logs of the same questions say")
    assert table.curve(0).courses[0].bounds == pytest.approx((max(0, p + q - 1), min(p, q)))
    assert any("have no question in common" in said for said in table.curve(0).remarks)


def test_a_tool_is_independent_of_the_questions_of_a_log_unless_it_has_one():
    stages = two("fixed:k=1", "fixed:k=1").stages
    p, q = worth(A, 1), worth(B, 1)
    table = table_of(Workflow([*stages, Stage("search", tool=Tool(1.0, 0.0, 0.9))]))
    assert table.means[0, 0] == pytest.approx(0.9 * (p * q).mean(), abs=1e-12)
    assert "plan with code and search are taken as independent" in table.row(0).warnings[0]
    low, high = table.curve(0).courses[0].bounds
    assert (low, high) == pytest.approx(((p * q).mean() + 0.9 - 1, (p * q).mean()))
    runs = np.array([[1, 1], [0, 1], [1, 1], [0, 0]])
    tool = Tool(log=logged("search", runs, 4).queries.samples)
    table = table_of(Workflow([*stages, Stage("search", tool=tool)]))
    assert table.means[0, 0] == pytest.approx((p * q * runs.mean(axis=1)).mean(), abs=1e-12)
    assert not table.row(0).warnings
    empty = Samples("search", [f"q{i}" for i in range(4)], np.arange(4), np.ones(4))
    with pytest.raises(MooInferError, match="workflows: agent: stages: search: tool: log: has neither cost_usd nor"):
        table_of(Workflow([*stages, Stage("search", tool=Tool(log=empty))]))


def test_bounds_of_a_function_are_those_of_a_linear_program_and_of_frechet():
    names, p = ("a", "b", "c"), (0.7, 0.8, 0.9)
    groups = [([i], np.array([1 - q, q])) for i, q in enumerate(p)]
    given = Rightness(names, "all", 2), Rightness(names, lambda right: all(right.values()), 2)
    for rule in given:
        assert frechet_bounds(rule, groups) == pytest.approx((0.4, 0.7), abs=1e-12)
    anyone = Rightness(names, lambda right: any(right.values()), 2)
    assert frechet_bounds(anyone, groups) == pytest.approx((0.9, 1.0), abs=1e-12)
    assert anyone.of([np.array([q]) for q in p])[0] == pytest.approx(1 - 0.3 * 0.2 * 0.1, abs=1e-12)
    together = [([0, 1], np.array([0.25, 0.05, 0.05, 0.65])), ([2], np.array([0.1, 0.9]))]
    assert frechet_bounds(given[1], together) == pytest.approx((0.55, 0.65), abs=1e-12)
    with pytest.raises(MooInferError, match="right: the function must say True or False, got 0.5"):
        Rightness(names, lambda right: 0.5, 2).of([np.array([0.5])] * 3)
    with pytest.raises(MooInferError, match="right: the function fails for .*: KeyError: 'z'"):
        Rightness(names, lambda right: right["z"], 2).of([np.array([0.5])] * 3)


def test_intervals_and_draws_are_those_of_the_questions():
    """With all questions right or wrong alike, the workflow is the row of its one stage, drawn as that is."""
    alone = Workflow([Stage("plan", A, "fixed:k=2"), Stage("search", tool=Tool(1.0, 0.0, 1.0), after=["plan"])])
    pipeline = Pipeline(workflows={"agent": alone}, models={"a": A}, k=[2], policies="fixed:k=2,model=a")
    report = pipeline.run()
    table = report.candidates
    workflow, policy = (next(i for i in range(len(table)) if table.aggregator[i] == n) for n in ("agent", "fixed"))
    mine, theirs = (table.row(i).objectives["accuracy"] for i in (workflow, policy))
    assert mine.mean == pytest.approx(theirs.mean, abs=1e-12)
    assert mine.interval == pytest.approx(theirs.interval, abs=1e-12)
    assert mine.by_question == pytest.approx(theirs.by_question)
    for questions in ("other", "same"):
        redraw = (
            Pipeline(
                workflows={"agent": alone}, models={"a": A}, k=[2], policies="fixed:k=2,model=a", questions=questions
            )
            .run()
            .redraw
        )
        for drawn in redraw(5, 0):
            assert drawn.means[workflow, 0] == pytest.approx(drawn.means[policy, 0], abs=1e-12)


def test_numbers_of_a_tool_may_be_uncertain(agent_models):
    search = Stage("search", tool=Tool(2.0, 0.001, 0.9), uncertain={"success": Uncertain(se=0.05)})
    workflow = Workflow([search, Stage("plan", agent_models["planner"], "fixed:k=1", ["search"])])
    report = Pipeline(workflows={"agent": workflow}, workflows_alone=True, models=agent_models).run()
    drawn = np.array([table.means[0] for table in report.redraw(200, 0)])
    assert drawn[:, 0].std() == pytest.approx(0.7 * 0.05, rel=0.3)
    assert np.ptp(drawn[:, 1:], axis=0).max() < 1e-12
    stable = report.with_stability(50)
    assert stable.to_dict()["headline"][0]["objectives"]["accuracy"]["interval"]["draws"][0] < 0.6


def test_a_report_of_workflows_pickles():
    workflow = Workflow(
        [*two("fixed:k=1", "fixed:k=2").stages, Stage("search", tool=Tool(1.0, 0.0, 0.9, law="exponential"))]
    )
    report = Pipeline(workflows={"agent": workflow}, models=MODELS).run()
    again = pickle.loads(pickle.dumps(report))
    assert again.to_dict() == report.to_dict()


def test_stages_are_priced_in_the_same_objectives(agent_models):
    free = ModelProfile("free", Empirical(A.queries.samples), A.costs[:1])
    stages = [Stage("plan", A, "fixed:k=1"), Stage("code", free, "fixed:k=1")]
    with pytest.raises(
        MooInferError, match="workflows: agent: stages: code: free has no cost model for latency, which a"
    ):
        table_of(Workflow(stages))


def test_of_a_tool_other_objectives_are_given_or_said_to_be_left_out():
    joules = logged("a", EASY_AND_HARD, 1).queries.samples
    samples = Samples(
        "a", joules.questions, joules.question, joules.correct, {**joules.columns, "energy_j": np.ones(12)}
    )
    from moo_infer.builtin.empirical import LoggedCost, LoggedEnergy

    model = ModelProfile("a", Empirical(samples), (LoggedCost(), LoggedEnergy()))
    for spends, energy, remark in (({}, 1.0, True), ({"energy": 3.0}, 4.0, False)):
        tool = Stage("search", tool=Tool(1.0, 0.5, 1.0, spends=spends))
        table = table_of(Workflow([Stage("plan", model, "fixed:k=1"), tool]), models={"a": model})
        assert table.column("energy")[0] == pytest.approx(energy)
        said = [text for text in table.curve(0).remarks if "of search nothing is known of energy" in text]
        assert bool(said) is remark
        assert [o.name for o in table.objectives] == ["accuracy", "cost", "energy"]
    tool = Stage("search", tool=Tool(1.0, 0.5, 1.0, spends={"watts": 1.0}))
    with pytest.raises(MooInferError, match="search: tool: spends: unknown objective 'watts'; available: cost, energy"):
        table_of(Workflow([Stage("plan", model, "fixed:k=1"), tool]))


def test_every_combination_of_what_stages_may_do_is_a_row(agent_models):
    small, large = certain("small", 0.7, 0.002, 4.0, 99), certain("large", 0.9, 0.02, 4.0, 99)
    models = {"small": small, "large": large}
    workflow = Workflow(
        [
            Stage("plan", policy=["wide", {"kind": "fixed", "k": 1, "model": "large"}]),
            Stage("code", policy="fixed:k=3", after=["plan"]),
        ]
    )
    named = {"wide": {"kind": "fixed", "k": 5, "model": "small"}}
    table = Pipeline(
        workflows={"agent": workflow}, workflows_alone=True, models=models, named_policies=named
    ).candidates()
    assert [(c.model, c.aggregator, c.k[0]) for c in table.curves] == [
        ("plan: small, code: small", "agent (plan wide, code fixed:k=3)", 8),
        ("plan: small, code: large", "agent (plan wide, code fixed:k=3)", 8),
        ("plan: large, code: small", "agent (plan fixed:k=1, code fixed:k=3)", 4),
        ("plan: large, code: large", "agent (plan fixed:k=1, code fixed:k=3)", 4),
    ]
    every = Workflow([Stage(n, policy={"kind": "fixed", "model": "small"}) for n in ("plan", "code")])
    few = Pipeline(workflows={"x": every}, workflows_alone=True, models=models, k=[1, 3]).candidates()
    assert few.k.tolist() == [2, 4, 4, 6]
    with pytest.raises(
        MooInferError, match=r"workflows: x: its stages may do 30 x 30 = 900 things together, of which 500"
    ):
        Pipeline(workflows={"x": every}, workflows_alone=True, models=models, k=range(1, 31)).candidates()


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        ("wide", "workflows: agent: stages: plan: policy: unknown policy 'wide'; available: "),
        ({"kind": "fixed", "k": 0}, "workflows: agent: stages: plan: policy: k: must be >= 1, got 0"),
        (
            "fixed:k=1,model=smal",
            "workflows: agent: stages: plan: policy: policy 'fixed': unknown model 'smal'; available: a",
        ),
        (["fixed:k=1,model=a"] * 2, "workflows: agent: stages: plan: policy: fixed:k=1 of a is given twice; policies"),
        (
            "fixed:k=9,model=a",
            "workflows: agent: stages: plan: policy: policy 'fixed' calls a up to 9 times, and its log",
        ),
    ],
)
def test_what_a_stage_cannot_do_is_refused_with_its_place(policy, sentence):
    with pytest.raises(MooInferError, match=f"^{sentence}"):
        table_of(Workflow([Stage("plan", policy=policy)]))


def test_a_graph_knows_its_paths_and_its_times():
    diamond = Graph(((), (0,), (0,), (1, 2)), (0, 1, 2, 3))
    assert diamond.paths == [(0, 1, 3), (0, 2, 3)]
    assert diamond.fold(["a", "b", "c", "d"], lambda x, y: x + y, lambda x, y: f"({x}|{y})") == "a(b|c)d"


def test_workflows_are_a_mapping_of_names():
    with pytest.raises(MooInferError, match="workflows: must be a mapping from names, got"):
        Pipeline(workflows=[1])
    with pytest.raises(MooInferError, match="workflows: agent: must be a Workflow, got 3"):
        Pipeline(workflows={"agent": 3})
    with pytest.raises(MooInferError, match="workflows_alone: there are no workflows"):
        Pipeline(workflows_alone=True)
    assert Exact().trials == 10_000


@pytest.mark.parametrize(
    ("rules", "series"),
    [({}, True), ({"right": "last"}, True), ({"right": either}, True), ({}, False), ({"right": either}, False)],
)
def test_plans_are_worth_and_take_what_their_rows_do(registry, rules, series):
    """Composed together where that goes: a series; replayed one by one where branches vary."""
    votes = ["fixed:k=1", "fixed:k=2", "two-then-more:k=3"]
    workflow = two(votes, votes[:2], series=series, **rules)
    options, objectives = stage_options("agent", workflow, {}, {}, registry, None, None)
    plans = Plans("agent", workflow, options, objectives, Exact(2000))
    every = np.array(list(product(range(3), range(2))))
    found = plans.means(every)
    for plan, means in zip(every.tolist(), found, strict=True):
        row = plans.row(plan)
        known, drawn = row.known(2000, 0), row.replay(2000, 0).totals
        for name, mean in zip(("accuracy", "cost", "latency"), means, strict=True):
            alone = row.weights @ known.mean[name] if name in known.mean else drawn[name].mean()
            assert mean == pytest.approx(alone, rel=1e-12)
        assert ("latency" in known.mean) is series


@pytest.mark.parametrize("first", ["ab", "ba"])
def test_plans_share_the_samples_of_a_log_whichever_option_is_named_first(registry, first):
    """Two calls of a model are two samples of its log: right together in 1/3 of the questions, not in 0.389."""
    policies = [{"kind": "fixed", "k": 1, "aggregator": "one-call", "model": model} for model in first]
    workflow = Workflow([Stage("plan", [A, B], policies), Stage("code", [A, B], policies[1:], ["plan"])])
    options, objectives = stage_options("agent", workflow, {}, {}, registry, None, None)
    found = Plans("agent", workflow, options, objectives, Exact(4000)).means(np.array([[0, 0], [1, 0]]))
    assert found[:, 0] == pytest.approx([7 / 18, 1 / 3], abs=0.03)


def test_a_function_of_stages_with_a_log_and_without_one():
    workflow = Workflow(
        [Stage("tool", tool=Tool(1.0, 0.0, 0.9)), Stage("code", B, "fixed:k=1", ["tool"])],
        lambda r: r["tool"] or r["code"],
    )
    table = table_of(workflow)
    alone = Pipeline(models={"b": B}, policies=["fixed:k=1,model=b"]).candidates()
    right = next(row for row in alone if row.aggregator == "fixed").objectives["accuracy"].mean
    assert table.row(0).objectives["accuracy"].mean == pytest.approx(1 - 0.1 * (1 - right))
