"""Workflows as they are given: what is refused, in one sentence that says where."""

import math

import pytest

from moo_infer import MooInferError, Stage, Tool, Uncertain, Workflow

TOOL = Tool(2.0, 0.001, 0.98)


def stage(name, *after):
    return Stage(name, tool=TOOL, after=after)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Workflow([]), "stages: a workflow needs one at least, got none"),
        (lambda: Workflow("ab"), "stages: must be a list of stages, got 'ab'"),
        (lambda: Workflow([stage("a", "b"), stage("b", "a")]), "stages: a -> b -> a is a circle; a stage cannot wait"),
        (lambda: Workflow([stage("a", "a")]), "stages: a -> a is a circle; a stage cannot wait for itself"),
        (
            lambda: Workflow([stage("x"), stage("c", "b"), stage("b", "a"), stage("a", "c", "x")]),
            "stages: c -> a -> b -> c is a circle",
        ),
        (lambda: Workflow([stage("a"), stage("a")]), "stages: 'a' is there twice; stages must have different names"),
        (
            lambda: Workflow([stage("plan"), stage("b", "plam")]),
            "stages: b: after: unknown stage 'plam'; available: plan, b",
        ),
        (lambda: Workflow([stage("a")], right="any"), "right: must be all or last .*, got 'any'"),
        (lambda: Workflow([stage("a"), stage("b")], right="last"), "right: last: no stage waits for a or b, so that"),
        (
            lambda: Workflow([stage(f"s{i}") for i in range(13)], right=lambda right: True),
            "right: a function is asked for all ways .* 12 stages at most, and there are 13",
        ),
        (lambda: Workflow([stage("a")], cap_seconds=0), "cap_seconds: must be a number > 0, got 0"),
        (lambda: Workflow([stage("a")], cap_seconds=math.nan), "cap_seconds: must be a number > 0, got nan"),
        (lambda: Stage("a"), "stages: a: must have a policy or a tool, got neither"),
        (lambda: Stage("a", policy="fixed", tool=TOOL), "stages: a: must have a policy or a tool, got both"),
        (lambda: Stage(" ", tool=TOOL), "a stage needs a name, got ' '"),
        (lambda: Stage("a", policy=[]), "stages: a: policy: the list is empty; name one at least"),
        (lambda: Stage("a", policy=3), "stages: a: policy: must be a policy, its name or a list of them, got 3"),
        (lambda: Stage("a", "small", "fixed"), "stages: a: deployment: must be a ModelProfile or several, got 'small'"),
        (lambda: Stage("a", tool=TOOL, after="b"), "stages: a: after: must be a list of names of stages, got 'b'"),
        (
            lambda: Stage("a", tool=TOOL, uncertain={"succes": Uncertain(se=0.1)}),
            "stages: a: uncertain: unknown number 'succes'; available: success, seconds, usd",
        ),
        (lambda: Stage("a", tool="search"), "stages: a: tool: must be a Tool, got 'search'"),
        (lambda: Tool(2.0, 0.001, 1.2), "success: must be <= 1, got 1.2"),
        (lambda: Tool(2.0, 0.001, math.nan), "success: must be finite, got nan"),
        (lambda: Tool(-1.0, 0.001, 0.5), "seconds: must be >= 0, got -1.0"),
        (lambda: Tool(2.0, success=0.5), "a tool needs seconds, usd and success, or a log; missing usd"),
        (lambda: Tool(2.0, 0.001, 0.5, spends={"cost": 1.0}), "spends: cost is said by usd, seconds or success"),
        (lambda: Tool(2.0, 0.001, 0.5, spends={"energy": -1.0}), "spends: energy: must be >= 0, got -1.0"),
        (lambda: Tool(2.0, 0.001, 0.5, model="m"), "model is of a log, and there is none; got 'm'"),
    ],
)
def test_what_is_no_workflow_is_refused_in_one_sentence(make, sentence):
    with pytest.raises(MooInferError, match=f"^{sentence}"):
        make()


def test_a_tool_may_stand_in_the_place_of_a_policy():
    assert Stage("search", None, TOOL, ("plan",)).tool is TOOL


def test_stages_may_be_given_in_any_order():
    workflow = Workflow([stage("c", "a", "b"), stage("b", "a"), stage("a")])
    assert workflow.order == (2, 1, 0)
    assert workflow.last == "c"
