"""A policy is rehearsed before money is spent: what a live run would lack is said before the first call."""

from dataclasses import dataclass

import pytest

from moo_infer import Answer, Call, MooInferError, Policy
from moo_infer.builtin.answers import PluralityVote
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.policies import Fixed, TwoThenMore, VoteUntilDecided
from moo_infer.builtin.stages import Cascade, FirstAccepted, Stage
from moo_infer.builtin.stopping import ByLabel, Reservation, WorthIt
from moo_infer.policy.live.outcome import judges
from moo_infer.policy.live.question import Question
from moo_infer.policy.live.rehearsal import rehearse

PLAIN = {"question_id": "q1", "question": "What is 3 + 4?"}
WITH_TARGET = {**PLAIN, "target": "7"}


def scored(answer, question):
    return {"correct": answer == "7", "score": 0.5}


@pytest.fixture
def rehearsed(registry):
    def run(policy, *questions, check=None):
        rehearse(policy, [Question.of(of) for of in questions], judges(policy.most, None, check), registry)

    return run


@pytest.mark.parametrize(
    "policy",
    [
        Fixed(3, model="m"),
        TwoThenMore(5, "m"),
        VoteUntilDecided(5, arrivals=True, model="m"),
        Cascade(Stage("m", 2), Stage("large")),
    ],
    ids=lambda policy: policy.name,
)
def test_votes_need_nothing(rehearsed, policy):
    rehearsed(policy, PLAIN)


def test_a_checker_needs_targets_or_a_check(rehearsed):
    with pytest.raises(MooInferError, match=r"'q1': a live run has no 'correct', which .* give targets or --check"):
        rehearsed(FirstAccepted(k=2, model="m"), PLAIN)
    rehearsed(FirstAccepted(k=2, model="m"), WITH_TARGET)
    rehearsed(FirstAccepted(k=2, model="m"), PLAIN, check=scored)


def test_more_calls_than_memory_holds_are_refused(rehearsed):
    with pytest.raises(
        MooInferError, match="'fixed' may make 1,000,000,000 calls a question; a run makes 10,000 at most"
    ):
        rehearsed(Fixed(10**9, model="m"), PLAIN)


def test_every_kind_of_question_is_rehearsed(rehearsed):
    with pytest.raises(MooInferError, match="question 'q2'"):
        rehearsed(FirstAccepted(k=2, model="m"), WITH_TARGET, {**PLAIN, "question_id": "q2"})


@pytest.mark.parametrize("policy", [Fixed(3, "top-score", model="m"), Reservation(0.1, (0.2, 0.8), model="m")])
def test_scores_need_a_check_that_gives_them(rehearsed, policy):
    with pytest.raises(MooInferError, match=r"has no 'score', which .* needs; give a --check that gives scores"):
        rehearsed(policy, WITH_TARGET)
    rehearsed(policy, WITH_TARGET, check=scored)


def test_labels_that_a_question_lacks_are_named(rehearsed):
    policy = ByLabel("level", {"easy": Fixed(1)}, Fixed(2), "m")
    rehearsed(policy, {**PLAIN, "level": "easy"})
    with pytest.raises(MooInferError, match="'level' is not known of a query before; known: load, question, task"):
        rehearsed(policy, PLAIN)


def test_an_aggregator_that_spends_something_itself_is_refused(rehearsed):
    """A live run counts what calls cost, and would be silent about the rest."""

    class Judged(PluralityVote):
        costs = (LinearCost(1e-6, 1e-6),)

    with pytest.raises(MooInferError, match="'plurality-vote' spends cost itself, which a live run does not count"):
        rehearsed(Fixed(2, Judged(), model="m"), WITH_TARGET)


def test_a_checker_that_errs_is_simulated_and_cannot_run(rehearsed):
    with pytest.raises(MooInferError, match="has no 'noise', which a policy needs"):
        rehearsed(FirstAccepted(k=2, true_positive=0.9, false_positive=0.1, model="m"), WITH_TARGET)


def test_numbers_that_the_log_would_give_are_asked_for(rehearsed):
    with pytest.raises(MooInferError, match="the price of a call and the prior of what is right are not known"):
        rehearsed(WorthIt(1.0, model="m"), WITH_TARGET)


@dataclass(frozen=True)
class Wrong(Policy):
    """A policy that decides what it may not.

    Args:
        decided: after the first answers.
        arrivals: whether it is asked at every arrival.
    """

    name = "wrong"

    decided: object
    arrivals: bool = False

    @property
    def most(self):
        return {"m": 3}

    def decide(self, seen):
        return self.decided if seen.n("m") else Call({"m": 2})


@pytest.mark.parametrize(
    ("decided", "said"),
    [
        (Call({"m": 2}), "does not end within its most"),
        (Call({"other": 1}), "calls a model that is none of its own"),
        (Call({}), "calls nothing and does not answer"),
        ("seven", "must decide with a Call or an Answer"),
        (Answer("no-such-vote"), "no-such-vote"),
    ],
)
def test_what_a_policy_may_not_decide_is_refused_before_the_first_call(rehearsed, decided, said):
    with pytest.raises(MooInferError, match=said):
        rehearsed(Wrong(decided), PLAIN)


def test_a_policy_that_waits_although_all_came_is_refused(rehearsed):
    with pytest.raises(MooInferError, match="'wrong' waits for more answers after all of them arrived"):
        rehearsed(Wrong(Call({}), arrivals=True), PLAIN)
