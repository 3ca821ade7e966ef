"""Policies as they are given, and the text that makes each again."""

import pytest

from moo_infer import MooInferError, Policy, Registry
from moo_infer.builtin.policies import Fixed, TwoThenMore, VoteUntilDecided
from moo_infer.builtin.stages import Cascade, FirstAccepted, Stage
from moo_infer.policy.tried import text_of, tried

REGISTRY = Registry(entry_points=False)
TEXTS = [
    "fixed:k=3",
    "fixed:k=3,aggregator=noisy-score:rho=0.5",
    'fixed:k=3,aggregator="a, b"',
    "fixed:k=2,aggregator={kind: top-score}",
    "two-then-more:k=8",
    "vote-until-decided:k=8,waves=[4, 4],model=small",
    "vote-until-decided:k=5,arrivals=true,cancelled_billed=none",
    "adaptive-consistency:threshold=0.8,k=40",
    "two-rounds",
    "cascade:first={model: small, k: 2},then={model: large, k: 1}",
    'cascade:first=[{model: a, k: 1}, {model: "b c", k: 1}],then={model: d, k: 3},agree=2',
    "first-accepted:stages=[{model: small/cot, k: 2}, {model: large, k: 1}],k=8",
    "by-label:label=task,policies={maths: {kind: fixed, k: 5}},otherwise={kind: two-then-more, k: 8}",
    "reservation:price=0.02,scores={low: 0.0, high: 1.0},k=8",
    "reservation:k=8,models=[{model: a, price: 0.1, k: 2}, {model: b, k: 1}]",
    "worth-it:value=2.0,prior=[0.5, 1.5],k=8",
]


@pytest.mark.parametrize("text", TEXTS)
def test_the_text_of_a_policy_makes_it_again(text):
    policy = REGISTRY.get(Policy, text)
    assert text_of(policy) == text
    assert REGISTRY.get(Policy, text_of(policy)) == policy


def test_a_k_that_is_left_out_is_every_k_of_the_run_and_one_that_is_given_is_that():
    given = tried(["two-then-more", "fixed:k=3", VoteUntilDecided(), "two-rounds"], REGISTRY, {})
    assert [one.every_k for one in given] == [True, False, False, False]
    assert [text for _, text in given[0].at("small", [2, 4])] == ["two-then-more:k=2", "two-then-more:k=4"]
    assert [policy for policy, _ in given[0].at("small", [4])] == [TwoThenMore(4, "small")]
    assert [one.open for one in given] == [True] * 4


def test_policies_that_name_their_models_are_tried_once():
    given = tried(
        [
            "fixed:k=3,model=small",
            "first-accepted:stages=[{model: a}]",
            Cascade(Stage("a"), Stage("b")),
            "first-accepted:model=a",
        ],
        REGISTRY,
        {},
    )
    assert [one.open for one in given] == [False] * 4
    assert [one.every_k for one in given] == [False, False, False, True]  # stages have numbers of their own


def test_names_of_a_file_go_before_kinds_and_may_leave_k_out_too():
    (quick, fixed) = tried(
        ["quick", "fixed"], REGISTRY, {"quick": {"kind": "two-then-more"}, "fixed": {"kind": "fixed", "k": 2}}
    )
    assert (quick.name, quick.every_k, quick.policy) == ("quick", True, TwoThenMore())
    assert (fixed.name, fixed.every_k, fixed.policy) == ("fixed", False, Fixed(2))


def test_the_same_name_with_other_fields_is_told_apart_by_them():
    given = tried(["fixed:k=2", "fixed:k=3", "fixed:aggregator=top-score", "two-then-more"], REGISTRY, {})
    assert [one.name for one in given] == ["fixed:k=2", "fixed:k=3", "fixed:aggregator=top-score", "two-then-more"]
    with pytest.raises(MooInferError, match="policy 'fixed:k=2' is given twice; policies must differ"):
        tried(["fixed:k=2", Fixed(2)], REGISTRY, {})


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("fixt", "unknown policy 'fixt'; available: fixed"),
        ("fixed:n=3", "policy 'fixed': unknown key 'n'; keys: k, aggregator, model"),
        ("fixed:k=0", "policy 'fixed': k: must be >= 1, got 0"),
        ("cascade:first={model: a},then={model: a}", "model 'a' has 2 stages"),
        (
            "cascade:first={model: a, k: 2},then={model: b},agree=3",
            "agree: must be <= 2, the samples that there are first, got 3",
        ),
        ("cascade:first=[],then={model: b}", "first: one model at least is needed"),
        ("cascade:first={model: a, n: 2},then={model: b}", "first"),
        ("vote-until-decided:waves=[]", "waves: one at least is needed"),
        (7, "policies: must be"),
        ([7], "policies: must be a Policy object, got 7"),
    ],
)
def test_what_is_no_policy_is_refused_in_a_sentence(given, reason):
    with pytest.raises(MooInferError, match=reason):
        tried(given, REGISTRY, {})


def test_stages_are_compared_by_their_models():
    assert FirstAccepted((Stage("a", 2), Stage("b"))).most == {"a": 2, "b": 1}
