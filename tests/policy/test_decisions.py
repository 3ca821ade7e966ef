"""What a policy may decide, and the sentence that refuses what it may not."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pytest

from moo_infer import Answer, Call, MissingColumn, MooInferError, Policy, Seen
from moo_infer.policy.decisions import decision, most_calls, of_model

TWO = Seen({"small": {"answer": [3, -1]}}, spent={"cost": 0.5}, query={"task": "maths"})


@dataclass(frozen=True)
class Says(Policy):
    """Decides what it was told to."""

    name = "says"

    what: object = None
    model: str = ""

    @property
    def most(self):
        return {self.model: 4}

    def decide(self, seen, /):
        return self.what(seen) if callable(self.what) else self.what


def test_what_is_seen_is_counted_without_blanks_and_zeros_are_appended():
    assert TWO.votes().tolist() == [1, 0, 0]
    assert TWO.votes("large").tolist() == [0, 0]
    seen = Seen({"a": {"answer": [1, 1, 2]}, "b": {"answer": [2, 2]}})
    assert seen.votes().tolist() == [3, 2, 0, 0]
    assert seen.votes("b").tolist() == [2, 0, 0]
    assert (seen.n("a"), seen.n("c"), seen.column("c", "score").tolist()) == (3, 0, [])
    assert (TWO.spent("cost"), TWO.spent("latency"), TWO.query["task"]) == (0.5, 0.0, "maths")
    with pytest.raises(MissingColumn, match="no column 'score', needed by a policy; columns: answer"):
        TWO.column("small", "score")


def test_a_policy_over_one_model_is_tried_for_every_model_and_one_that_names_its_own_is_not():
    assert of_model(Says(), "small").model == "small"
    assert of_model(Says(model="large"), "small").model == "large"


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (None, "policy 'says' must decide with a Call or an Answer, got None"),
        (Call(["small"]), r"policy 'says' must decide with a Call or an Answer, got Call\(times=\['small'\]\)"),
        (
            Call({"small": 3}),
            "policy 'says' does not end within its most: after 2 of 'small', it asks for 3 more of 'small', of which 4 are the most",
        ),
        (
            Call({"huge": 1}),
            "policy 'says': calls a model that is none of its own: unknown model 'huge'; available: small",
        ),
        (Call({"small": 0}), "policy 'says' asks for 0 calls of 'small'"),
        (Call({"small": -1}), "policy 'says' asks for -1 calls of 'small'"),
        (Call({"small": 1.5}), "policy 'says': calls are whole numbers, got 1.5 of 'small'"),
        (Call({}), "policy 'says' calls nothing and does not answer, after 2 of 'small'"),
        (Answer(by=7), "policy 'says': an Answer is by an aggregator or its name, got 7"),
        (Answer(of=("huge",)), "policy 'says': answers from a model that is none of its own: unknown model 'huge'"),
        (lambda seen: seen.votes()[9], "policy 'says' fails: IndexError"),
    ],
)
def test_what_it_may_not_decide_is_refused_in_a_sentence_that_names_it(what, reason):
    with pytest.raises(MooInferError, match=reason):
        decision(Says(what, "small"), TWO, {"small": 4})


def test_before_any_call_there_is_nothing_after_which_to_call_nothing():
    with pytest.raises(MooInferError, match="policy 'says' calls nothing and does not answer, before any call"):
        decision(Says(Call({}), "small"), Seen(), {"small": 4})


def test_one_that_decides_otherwise_when_asked_twice_is_refused():
    told = iter([Call({"small": 1}), Answer()])
    with pytest.raises(MooInferError, match="policy 'says' decides otherwise when it is asked twice: Call"):
        decision(Says(lambda seen: next(told), "small"), TWO, {"small": 4})


@dataclass(frozen=True)
class Waits(Says):
    """Is asked at every arrival."""

    arrivals: ClassVar[bool] = True


def test_one_that_is_asked_at_every_arrival_waits_while_calls_may_be_on_their_way():
    assert decision(Waits(Call({}), "small"), TWO, {"small": 4}) == Call({})
    with pytest.raises(MooInferError, match="calls nothing and does not answer, after 2 of 'small'"):
        decision(Waits(Call({}), "small"), TWO, {"small": 2})


@dataclass(frozen=True)
class Most(Policy):
    """Goes as far as it was told to."""

    name = "most"

    calls: object = field(default_factory=dict)

    @property
    def most(self):
        return self.calls

    def decide(self, seen, /):
        return Answer()


@pytest.mark.parametrize("calls", [{}, None, 3, {"a": 0}, {"a": 1.5}, {"a": True}, {1: 1}])
def test_most_is_a_mapping_of_models_to_calls(calls):
    with pytest.raises(MooInferError, match="policy 'most': most must "):
        most_calls(Most(calls))


def test_numbers_of_numpy_are_numbers_of_calls():
    assert decision(Says(Call({"small": np.int64(2)}), "small"), TWO, {"small": 4}).times == {"small": 2}
