"""One decision carried out: what is called, what is waited for, and what is done with what goes wrong."""

import asyncio
from dataclasses import dataclass, field

import pytest

from moo_infer import Answer, Call, MooInferError, Policy
from moo_infer.builtin.policies import Fixed, TwoThenMore, VoteUntilDecided
from moo_infer.policy.live.inference import CANCELLED, Inference, Stopped
from moo_infer.policy.live.ledger import Ledger

QUESTION = {"question_id": "q1", "question": "What is 3 + 4?", "target": "7"}


@dataclass
class Script:
    """An endpoint that gives texts in their order, one call after the other, at the seconds that are said.

    Args:
        texts: of the calls, as they are made.
        after_s: of each, seconds until it answers; it answers at once where there are none.
        ledger: the budget that each call takes a dollar of.
        paid: USD that a cancelled call costs; None for an endpoint that says nothing of it.
    """

    texts: tuple[str | None, ...]
    after_s: tuple[float, ...] = ()
    ledger: Ledger = field(default_factory=Ledger)
    paid: float | None = None
    calls: list[tuple[str, int]] = field(default_factory=list)

    def split(self, model, times, /):
        return [1] * times

    def within(self, most_usd, /):
        return Script(self.texts, self.after_s, Ledger(most_usd), self.paid, self.calls)

    async def __call__(self, model, question, times, /):
        number = len(self.calls)
        self.calls.append((model, times))
        await self.ledger.reserve(1.0)
        try:
            if self.after_s:
                await asyncio.sleep(self.after_s[number])
        except asyncio.CancelledError:
            if self.paid is None:
                raise
            return [Inference(why=CANCELLED, failed=True, lost_usd=self.paid)] * times
        finally:
            self.ledger.settle(1.0, 1.0)
        return [Inference(self.texts[number], cost_usd=1.0, latency_s=number + 1.0)] * times


def came(outcome):
    """By step what came of each call: its answer, or why there is none."""
    return [[sample.why or sample.answer for sample in step.samples] for step in outcome.trace]


@dataclass(frozen=True)
class Scripted(Policy):
    """A policy that decides the same after as many answers.

    Args:
        decisions: by the number of answers.
        arrivals: whether it is asked at every arrival.
    """

    name = "scripted"

    decisions: dict
    arrivals: bool = False

    @property
    def most(self):
        return {"m": 5}

    def decide(self, seen):
        return self.decisions.get(seen.n("m"), Call({}))


def test_a_budget_of_the_question_ends_it_with_what_there_is(live):
    outcome = live(TwoThenMore(8, "m"), Script(("1", "2", "3", "4", "5", "6", "7", "8")), most_usd=3.0)
    assert outcome.ending == "money"
    assert came(outcome) == [["1", "2"], ["3"]]
    assert outcome.spent["cost"] == 3.0


def test_a_budget_of_all_calls_is_none_of_the_question(live):
    """It stops whatever runs, so that no question is answered from less than its policy wanted."""
    for limits in ({}, {"most_usd": 100.0}):
        endpoint = Script(("1", "2", "3"), ledger=Ledger(2.0))
        endpoint.within = lambda usd, endpoint=endpoint: endpoint if usd != 100.0 else Both(endpoint)
        with pytest.raises(MooInferError, match=r"2 of 2 USD are spent, the next may cost 1"):
            live(Fixed(3, model="m"), endpoint, **limits)


@dataclass
class Both:
    """An endpoint within a budget of its own that never ends."""

    endpoint: Script
    ledger: Ledger = field(default_factory=Ledger)

    def split(self, model, times, /):
        return self.endpoint.split(model, times)

    async def __call__(self, model, question, times, /):
        return await self.endpoint(model, question, times)


def test_a_policy_that_waits_for_nothing_is_refused(live):
    waits = Scripted({0: Call({"m": 3})}, arrivals=True)
    with pytest.raises(MooInferError, match="'scripted' waits for more answers after all of them arrived"):
        live(waits, Script(("1", "2", "3")))


def test_a_policy_that_calls_more_while_others_are_on_their_way_is_refused(live):
    greedy = Scripted({0: Call({"m": 3}), 1: Call({"m": 1})}, arrivals=True)
    endpoint = Script(("1", "2", "3"), (0.0, 60.0, 60.0))
    with pytest.raises(MooInferError, match="'scripted' calls some more while others are on their way"):
        live(greedy, endpoint)


def test_a_policy_that_is_asked_at_every_arrival_cancels_the_rest(live):
    policy = VoteUntilDecided(5, arrivals=True, model="m")
    outcome = live(policy, Script(("7",) * 5, (0.0, 0.0, 0.0, 60.0, 60.0), paid=0.5), QUESTION)
    assert came(outcome) == [["7", "7", "7", CANCELLED, CANCELLED]]
    assert outcome.seen.n("m") == 3
    assert outcome.correct is True
    assert outcome.spent["cost"] == 4.0
    assert outcome.spent["latency"] == 3.0


def test_a_cancelled_call_that_says_nothing_is_a_row_too(live):
    policy = VoteUntilDecided(3, arrivals=True, model="m")
    outcome = live(policy, Script(("7",) * 3, (0.0, 0.0, 60.0)))
    assert came(outcome) == [["7", "7", CANCELLED]]
    assert outcome.trace[0].samples[2].inference.requests == 0


@pytest.mark.parametrize("arrivals", [False, True])
def test_a_limit_of_seconds_cancels_what_is_on_its_way(live, arrivals):
    policy = VoteUntilDecided(3, (3,), arrivals=arrivals, model="m")
    outcome = live(policy, Script(("7",) * 3, (0.0, 60.0, 60.0)), most_seconds=0.3)
    assert outcome.ending == "seconds"
    assert came(outcome) == [["7", CANCELLED, CANCELLED]]
    assert outcome.answer == "7"


@pytest.mark.parametrize("arrivals", [False, True])
def test_a_question_that_a_limit_of_seconds_ended_ends_again_when_it_is_resumed(live, arrivals):
    policy = VoteUntilDecided(3, (3,), arrivals=arrivals, model="m")
    first = live(policy, Script(("7",) * 3, (0.0, 60.0, 60.0)), most_seconds=0.3)
    endpoint = Script(("8",) * 3)
    again = live(policy, endpoint, before=first.trace[0].samples, most_seconds=60.0)
    assert (again.ending, came(again), again.answer) == ("seconds", came(first), "7")
    assert endpoint.calls == []


def test_what_raises_stops_the_question_and_cancels_the_others(live):
    cancelled = []

    async def endpoint(model, question, times, /):
        if model == "small":
            raise Stopped("endpoint", "the key is refused")
        try:
            await asyncio.sleep(60.0)
        except asyncio.CancelledError as error:
            cancelled.append(error.args)
            raise

    class BothAtOnce(Scripted):
        @property
        def most(self):
            return {"small": 1, "large": 1}

        def decide(self, seen):
            return Answer() if seen.n("small") else Call(self.most)

    with pytest.raises(Stopped, match="the key is refused"):
        live(BothAtOnce({}), endpoint, most_seconds=0.3)
    assert cancelled == [(CANCELLED,)]


def test_fewer_inferences_than_asked_for_are_asked_for_again_in_the_same_wave(live):
    asked = []

    async def two_at_most(model, question, times, /):
        asked.append(times)
        return [Inference(str(times))] * min(times, 2)

    outcome = live(Fixed(5, model="m"), two_at_most)
    assert asked == [5, 3, 1]
    assert came(outcome) == [["5", "5", "3", "3", "1"]]
    assert [sample.number for sample in outcome.trace[0].samples] == [0, 1, 2, 3, 4]


def test_more_inferences_than_asked_for_are_left_out(live):
    async def generous(model, question, times, /):
        return [Inference(str(i)) for i in range(times + 2)]

    assert came(live(Fixed(3, model="m"), generous)) == [["0", "1", "2"]]


@pytest.mark.parametrize("nothing", [[], (), None])
def test_an_endpoint_that_brings_nothing_is_named(live, nothing):
    async def silent(model, question, times, /):
        return nothing

    with pytest.raises(MooInferError, match="the endpoint brought nothing for 3 calls of 'm'"):
        live(Fixed(3, model="m"), silent)


def test_what_came_is_recorded_before_the_next_decision(live):
    recorded = []

    class Looks(Scripted):
        def decide(self, seen):
            assert len(recorded) == seen.n("m")
            return Answer() if seen.n("m") == 3 else Call({"m": 1})

    live(Looks({}), Script(("1", "2", "3")), record=lambda question, samples: recorded.extend(samples))
    assert [(sample.answer, sample.wave, sample.number) for sample in recorded] == [
        ("1", 0, 0),
        ("2", 1, 1),
        ("3", 2, 2),
    ]


def test_an_answer_that_was_paid_for_is_read_to_its_end_although_nobody_waits(live):
    """A slow check is under way when the limit of seconds comes: what it says still stands in the log."""
    checking = []

    def check(answer, question):
        checking.append(answer)
        import time

        time.sleep(0.5)
        return True

    outcome = live(Fixed(1, model="m"), Script(("7",)), check=check, most_seconds=0.2)
    assert checking == ["7"]
    assert came(outcome) == [["7"]]
    assert outcome.trace[0].samples[0].correct is True
