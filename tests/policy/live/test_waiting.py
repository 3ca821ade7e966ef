"""Policies that are asked after every arrival: what they answer holds, and nothing is waited for in vain."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

import pytest

from moo_infer.core.errors import MooInferError
from moo_infer.core.seen import Answer, Call
from moo_infer.interfaces import Policy
from moo_infer.policy.live.inference import Inference
from moo_infer.policy.live.outcome import answer


@dataclass(frozen=True)
class AtExactly(Policy):
    """Answers where so many answers are there, and waits where there are more or fewer."""

    name: ClassVar[str] = "at-exactly"
    arrivals: ClassVar[bool] = True

    n: int
    calls: int = 4

    @property
    def most(self):
        return {"small": 5}

    def decide(self, seen, /):
        if seen.n("small") == self.n:
            return Answer("one-call")
        return Call({} if seen.n("small") else {"small": self.calls})


class Endpoint:
    """Brings answers one after the other; more of them than are waited for come although they are cancelled."""

    def __init__(self):
        self.asked = 0

    def split(self, model, times, /):
        return [1] * times

    async def __call__(self, model, question, times, /):
        self.asked += 1
        own = self.asked
        try:
            await asyncio.sleep(0.05 * own)
        except asyncio.CancelledError:
            asyncio.current_task().uncancel()
        return [Inference(str(own))]


def test_what_was_answered_holds_although_more_came():
    outcome = asyncio.run(asyncio.wait_for(answer(AtExactly(2), "2 + 2?", Endpoint()), 20))
    assert (outcome.text, outcome.ending, outcome.seen.n("small")) == ("1", "answered", 4)


def test_a_policy_that_waits_where_nothing_is_on_its_way_is_refused():
    with pytest.raises(MooInferError, match="waits for more answers"):
        asyncio.run(asyncio.wait_for(answer(AtExactly(5), "2 + 2?", Endpoint()), 20))
