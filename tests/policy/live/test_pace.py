"""Rates: in no minute are there more requests, or more tokens."""

import asyncio
import random

import pytest
from live_runs import MAX_TOKENS, profile, questions, quick

from moo_infer.policy.live.ledger import Ledger
from moo_infer.policy.live.openai_endpoint import OpenAIEndpoint
from moo_infer.policy.live.pace import MINUTE, Pace
from moo_infer.testing import FakeEndpoint
from moo_infer.testing.fake_replies import Reply


class Clock:
    """A clock that goes on where somebody pauses."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    async def pause(self, seconds):
        self.now += seconds
        await asyncio.sleep(0)


def sent(pace, tokens, corrected=lambda tokens: tokens):
    """When requests of so many tokens are sent, one after the other as soon as they may be."""
    clock, at = Clock(), []

    async def main():
        for of in tokens:
            await pace.wait(clock, clock.pause, of)
            assert pace.delay(clock.now, of) == 0
            at.append((clock.now, corrected(of)))
            pace.correct(pace.send(clock.now, of), at[-1][1])

    asyncio.run(main())
    return at


def busiest(at):
    """The most requests, and the most tokens, within any minute; by all pairs."""
    windows = [[of for of in at if start <= of[0] < start + MINUTE] for start, _ in at]
    return max(map(len, windows)), max(sum(tokens for _, tokens in window) for window in windows)


@pytest.mark.parametrize("rate", [1, 2, 7, 30])
def test_no_minute_has_more_requests(rate):
    at = sent(Pace(requests_per_minute=rate), [5.0] * 50)
    assert busiest(at)[0] == rate
    assert at[-1][0] == pytest.approx((49 // rate) * MINUTE)


@pytest.mark.parametrize("seed", range(10))
def test_no_minute_has_more_tokens_as_they_were(seed):
    draw = random.Random(seed)
    at = sent(Pace(12, 1000), [draw.uniform(1, 900) for _ in range(60)], lambda tokens: tokens * draw.uniform(0.1, 1))
    requests, tokens = busiest(at)
    assert requests <= 12
    assert tokens <= 1000


def test_a_request_above_the_rate_by_itself_goes_alone():
    at = sent(Pace(tokens_per_minute=100), [10.0, 500.0, 10.0])
    assert [moment for moment, _ in at] == [0.0, MINUTE, 2 * MINUTE]


def test_a_rate_below_one_a_minute_is_one_a_minute():
    assert [moment for moment, _ in sent(Pace(requests_per_minute=0.5), [1.0] * 3)] == [0.0, MINUTE, 2 * MINUTE]


def test_without_rates_nothing_waits_and_nothing_is_kept():
    pace = Pace()
    assert {moment for moment, _ in sent(pace, [1e9] * 1000)} == {0.0}
    assert not pace._sent


def test_what_is_corrected_late_changes_no_later_minute():
    pace = Pace(tokens_per_minute=100)
    first = pace.send(0.0, 90.0)
    assert pace.delay(10.0, 50.0) == MINUTE - 10
    pace.correct(first, 20.0)
    assert pace.delay(10.0, 50.0) == 0.0
    assert pace.delay(MINUTE + 1, 100.0) == 0.0
    pace.correct(first, 90.0)
    assert pace.delay(MINUTE + 1, 100.0) == 0.0


def test_a_request_that_waited_for_money_waits_for_its_minute_again():
    """Others are sent meanwhile."""

    async def main():
        clock = Clock()
        with FakeEndpoint(lambda request: Reply(("42",), delay_s=0.05)) as fake:
            own = profile(fake.base_url, requests_per_minute=2)
            endpoint = OpenAIEndpoint({"small": own}, ledger=Ledger(1.5 * 1.3e-4))
            endpoint.ledger.pause = clock.pause
            pace = endpoint._paces["small"]
            sent = pace.send
            moments = []
            pace.send = lambda now, tokens: (moments.append(clock.now), sent(clock.now, tokens))[1]
            pace.delay = lambda now, tokens: Pace.delay(pace, clock.now, tokens)
            async with endpoint:
                await asyncio.gather(*(endpoint("small", questions(1)[0], 1) for _ in range(5)))
        return moments

    with quick():
        moments = asyncio.run(main())
    assert busiest([(moment, 0) for moment in moments])[0] == 2


def arrived(monkeypatch, n, seconds, **rates):
    """What a server saw of n requests in the busiest so many seconds, where a minute has so many."""
    monkeypatch.setattr("moo_infer.policy.live.pace.MINUTE", seconds + 1.0)
    with quick(), FakeEndpoint(lambda request: "42") as fake:
        endpoint = OpenAIEndpoint({"small": profile(fake.base_url, **rates)}, parallelism=32)

        async def main():
            async with endpoint:
                await asyncio.gather(*(endpoint("small", question, 1) for question in questions(n)))

        asyncio.run(main())
        assert fake.requests == n
        return fake.busiest(seconds)


def test_a_server_sees_no_more_requests_in_a_minute_whatever_the_first_ones_need_to_get_there(monkeypatch):
    assert arrived(monkeypatch, 50, 1.0, requests_per_minute=20)[0] <= 20


def test_a_server_sees_no_more_tokens_in_a_minute(monkeypatch):
    most = 14 + 16 + MAX_TOKENS  # of a request: bytes of its prompt, what stands around it, and the answer
    requests, tokens = arrived(monkeypatch, 12, 1.0, tokens_per_minute=5 * most)
    assert tokens <= 5 * most
    assert requests < 12


def test_who_is_woken_goes_on():
    """A run that stops wakes those that wait, and says so in the next step."""
    pace = Pace(requests_per_minute=1)
    pace.send(0.0, 1.0)

    async def woken(seconds):
        await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(pace.wait(lambda: 1.0, woken, 1.0), 5))
