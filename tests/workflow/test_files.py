"""Workflows in files, on the command line and in pictures."""

import json
import math
from pathlib import Path

import pytest

from moo_infer import MooInferError, Pipeline, load_models, load_policies, load_workflows
from moo_infer.plot import gantt, save
from moo_infer.read.config import sections

EXAMPLE = Path(__file__).parents[2] / "examples" / "agent.yaml"
STAGES = "workflows: {agent: {right: last, stages: {%s}}}"
PLAN = "plan: {policy: {kind: fixed, model: small, k: 3}}"


@pytest.fixture(scope="module")
def report():
    models, named = load_models(EXAMPLE), load_policies(EXAMPLE)
    return Pipeline(models=models, named_policies=named, workflows=load_workflows(EXAMPLE), workflows_alone=True).run()


def test_the_file_of_the_issue_is_read(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text(STAGES % f"{PLAN}, search: {{tool: {{seconds: 2, usd: 0.001, success: 0.98}}, after: [plan]}}")
    (workflow,) = load_workflows(path).values()
    assert (workflow.names, workflow.right, workflow.last) == (("plan", "search"), "last", "search")
    plan, search = workflow.stages
    assert plan.policies == ({"kind": "fixed", "model": "small", "k": 3},)
    assert search.tool.amounts == {"cost": 0.001, "latency": 2.0}
    assert load_workflows(EXAMPLE)["agent"].stages[2].policies == ("one-wave", "two-waves", "until-tests-pass")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (STAGES % "a: {tool: {seconds: 2, usd: 0, success: 1}, after: [b]}, b: {tool: {seconds: 2, usd: 0, success: 1}, after: [a]}", "agent: stages: a -> b -> a is a circle; a stage cannot wait for itself"),
        (STAGES % f"{PLAN}, {PLAN}", "line 1: duplicate key 'plan'"),
        (STAGES % f"{PLAN}, b: {{policy: fixed, after: [plam]}}", "agent: stages: b: after: unknown stage 'plam'; available: plan, b"),
        (STAGES % "a: {policy: fixed, tool: {seconds: 2, usd: 0, success: 1}}", "agent: stages: a: must have a policy or a tool, got both"),
        (STAGES % "a: {after: []}", "agent: stages: a: must have a policy or a tool, got neither"),
        (STAGES % "a: {tool: {seconds: .nan, usd: 0, success: 1}}", "agent: stages: a: tool: seconds: must be finite, got nan"),
        (STAGES % "a: {tool: {seconds: 2, usd: 0, success: 1.5}}", "agent: stages: a: tool: success: must be <= 1, got 1.5"),
        (STAGES % "a: {tool: {seconds: 2, success: 1}}", "agent: stages: a: tool: a tool needs seconds, usd and success, or a log; missing usd"),
        (STAGES % "a: {tool: {second: 2}}", "agent: stages: a: tool: unknown key 'second'; keys: .*; did you mean seconds?"),
        (STAGES % "a: {tool: 3}", "agent: stages: a: tool: must be a mapping such as {seconds: 2, usd: 0.001, success: 0.98}, got 3"),
        (STAGES % "a: {policy: {kind: fixd}}", "agent: stages: a: policy: unknown policy 'fixd'"),
        (STAGES % "a: {policy: [{kind: fixed, k: 0}]}", r"agent: stages: a: policy: \[0\]: k: must be >= 1, got 0"),
        (STAGES % "a: {policy: []}", "agent: stages: a: policy: the list is empty; name one policy at least"),
        (STAGES % "a: {policy: 3}", "agent: stages: a: policy: must be a policy, its name, or a list of these, got 3"),
        (STAGES % "a: {policy: fixed, after: plan}", r"agent: stages: a: after: must be a list of names of stages such as \[plan\], got 'plan'"),
        ("workflows: {agent: {stages: {}}}", "agent: stages: must be a mapping of names, got {}"),
        ("workflows: {agent: {right: all}}", "agent: missing stages; keys: stages, right, cap_seconds"),
        ("workflows: {agent: {right: any, stages: {a: {policy: fixed}}}}", "agent: right: must be all or last"),
        ("workflows: {agent: {cap_seconds: 0, stages: {a: {policy: fixed}}}}", "agent: cap_seconds: must be > 0, got 0"),
    ],
)  # fmt: skip
def test_faults_of_files_are_refused_with_their_place(tmp_path, text, sentence):
    path = tmp_path / "my.yaml"
    path.write_text(text)
    with pytest.raises(MooInferError, match=sentence) as caught:
        load_workflows(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_recommend_takes_workflows_as_rows_beside_those_of_models(cli, tmp_path):
    code, out, _ = cli("recommend", "--models", EXAMPLE, "--model", "small", "--json")
    assert code == 2  # the workflow calls others, as a policy of the file would
    code, out, _ = cli("recommend", "--models", EXAMPLE, "--k", "1", "--aggregator", "one-call", "--json")
    assert code == 0
    names = {row["aggregator"] for row in json.loads(out)["rows"]}
    assert "one-call" in names
    assert sum(name.startswith("agent (plan plan-") for name in names) == 18


def test_recommend_decides_on_one_workflow(cli):
    code, out, err = cli("recommend", "--models", EXAMPLE, "--workflow", "agent", "--max-cost", "0.1", "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    (row,) = document["headline"]
    assert row["model"] == "plan: small, search: tool, code: coder, review: reviewer"
    assert row["aggregator"] == "agent (plan plan-7, code until-tests-pass, review fixed:k=5)"
    assert row["policy"].startswith("agent (plan: fixed:k=7,model=small; search: tool;")
    assert row["models"] == ["small", "coder", "reviewer"]
    stages = {stage["stage"]: stage for stage in row["stages"]}
    assert stages["code"]["means"]["accuracy"] == pytest.approx(1 - 0.6**8)
    assert stages["search"]["k"] == 0
    assert [stages[name]["after"] for name in ("plan", "code")] == [[], ["plan", "search"]]
    assert stages["code"]["critical"] == 1.0
    assert stages["search"]["critical"] == pytest.approx(math.exp(-4 / 3), abs=0.02)
    assert row["objectives"]["latency"]["mean"] == pytest.approx(4 + 3 * math.exp(-4 / 3) + 10 * (1 - 0.6**8) / 0.4 + 2)
    low, high = row["bounds"]
    assert low < row["objectives"]["accuracy"]["mean"] < high
    assert {row["policy"] for row in document["rows"]} & {row["policy"] for row in document["headline"]}
    assert document["config"]["workflows"]["agent"]["stages"]["search"]["tool"]["success"] == 0.98
    assert document["config"]["run"]["workflow"] == ["agent"]


def test_an_unknown_workflow_is_refused(cli):
    code, _, err = cli("recommend", "--models", EXAMPLE, "--workflow", "agnt")
    assert code == 2
    assert "--workflow: unknown workflow 'agnt'; available: agent" in err


def test_the_answer_is_said_with_its_stages_and_what_it_takes_for_granted(report):
    text = " ".join(report.to_text().split())
    assert "use agent (" in text
    assert "(coder, until-tests-pass) after plan and search, review (reviewer, fixed:k=5) after code" in text
    assert "But plan, search, code and review are taken as independent" in text


def test_logs_of_tools_start_where_the_file_is(tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "my.yaml").write_text(STAGES % "search: {tool: {log: search.csv}}")
    (workflow,) = load_workflows(tmp_path / "my.yaml").values()
    assert workflow.stages[0].tool.log == tmp_path / "search.csv"
    written = sections(tmp_path / "my.yaml", None, tmp_path / "runs")
    assert written["workflows"]["agent"]["stages"]["search"]["tool"]["log"] == "../search.csv"


def test_a_picture_shows_when_each_stage_runs(report):
    figure = gantt(report)
    (axes,) = figure.axes
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels == [
        "plan\nsmall, plan-7",
        "search\ntool",
        "code\ncoder, until-tests-pass",
        "review\nreviewer, fixed:k=5",
    ]
    title = figure.get_suptitle()
    assert title.startswith("agent: ")
    assert title.endswith("critical path plan → code → review")
    assert axes.get_xlabel() == "time since the query came (s), on average"
    assert next(text.get_text() for text in figure.legends[0].get_texts()).startswith("critical path")


def test_all_pictures_of_a_report_have_it_too(report, tmp_path):
    names = [path.name for path in save(report, tmp_path)]
    assert "no-limits_agent_stages.png" in names


def test_a_picture_of_no_workflow_is_refused(report, pipeline):
    with pytest.raises(MooInferError, match="unknown workflow 'x'; available: agent"):
        gantt(report, "x")
    with pytest.raises(MooInferError, match="the table has no workflows; they stand in a file under workflows:"):
        gantt(pipeline.run("gpt-5", "essay-feedback"))


def test_allocate_shares_what_a_query_may_take_among_the_stages(cli, tmp_path):
    code, out, err = cli("allocate", EXAMPLE, "--max-cost", "0.035", "--max-latency", "40", "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert {"schema", "command", "choices", "objectives", "shadow_prices", "bound", "gap"} <= {*document}
    chosen = {stage: row["policy"] for stage, row in document["choices"].items()}
    assert chosen == {
        "plan": "fixed:k=1,model=small",
        "search": "tool",
        "code": "first-accepted:k=8,model=coder",
        "review": "fixed:k=5,model=reviewer",
    }
    assert document["objectives"]["cost"]["mean"] <= 0.035
    assert document["objectives"]["accuracy"]["mean"] == pytest.approx(document["bound"])
    assert document["gap"] == 0
    assert document["shadow_prices"]["cost"] > 0
    assert document["choices"]["plan"]["upgrade"]["policy"] == "fixed:k=3,model=small"
    assert document["config"]["workflows"]
    code, out, _ = cli("allocate", EXAMPLE, "--max-cost", "0.035", "--plot", tmp_path / "pictures")
    assert code == 0
    assert (tmp_path / "pictures" / "agent_stages.png").exists()
    words = " ".join(out.split())
    assert "Worth a better policy first: plan (small, plan-3), 19.1 of accuracy for each USD of cost more." in words
    assert "The best mixture of plans within the limits would be worth 0.6815." in words


def test_less_money_alone_has_a_price_where_less_time_has_none():
    """Nothing is faster than this, and cheaper plans are as fast."""
    models, named = load_models(EXAMPLE), load_policies(EXAMPLE)
    pipeline = Pipeline(models=models, named_policies=named, workflows=load_workflows(EXAMPLE))
    found = pipeline.allocate({"cost": 0.048, "latency": 16.790791414347183}).allocation
    assert found.prices_below == pytest.approx({"cost": 21.208793088, "latency": math.inf}, rel=1e-6)
    assert found.shadow_prices == pytest.approx({"cost": 16.87532077, "latency": 0.0234474024}, rel=1e-6)


def test_allocate_says_what_the_cheapest_plan_takes_where_nothing_fits(cli):
    code, out, _ = cli("allocate", EXAMPLE, "--max-cost", "0.001", "--json")
    assert code == 3
    document = json.loads(out)
    assert (document["choices"], document["objectives"], document["gap"]) == ({}, None, None)
    assert document["reason"] == "cost <= 0.001 is below the cheapest plan, which takes 0.0285801"
    code, out, _ = cli("allocate", EXAMPLE, "--max-cost", "0.001")
    assert (code, " ".join(out.split())) == (3, f"agent: nothing fits: {document['reason']}.")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ([], "the stages of a workflow share what a query may take: give --max-cost, --max-latency or --max"),
        (["--max-latency", "p95=3"], "share a mean that a query may take at most, got p95 latency <= 3"),
        (["--min-accuracy", "0.5"], "share a mean that a query may take at most, got accuracy >= 0.5"),
        (["--max-cost", "1", "--workflow", "agnt"], "unknown workflow 'agnt'; available: agent"),
        (["--max", "energy=3"], "unknown objective 'energy'; available: cost, latency"),
    ],
)
def test_what_stages_cannot_share_is_refused(cli, options, sentence):
    code, _, err = cli("allocate", EXAMPLE, *options)
    assert code == 2
    assert sentence in err
