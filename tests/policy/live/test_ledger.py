"""Money that is set aside before it is spent."""

import asyncio
import random

import pytest

from moo_infer.policy.live.inference import Stopped
from moo_infer.policy.live.ledger import Ledger, OverBudget

SHUT = Stopped("signal", "stopped by a signal")


async def settled():
    """Let every task run until all of them wait."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_request_that_does_not_fit_waits_for_those_on_their_way():
    async def main():
        ledger = Ledger(1.0)
        await ledger.reserve(0.6)
        waiting = asyncio.create_task(ledger.reserve(0.6))
        await settled()
        assert not waiting.done()
        ledger.settle(0.6, 0.4)
        await waiting
        assert (ledger.spent, ledger.reserved, ledger.open) == (0.4, 0.6, 1)

    asyncio.run(main())


def test_a_smaller_request_does_not_wait_for_a_larger_one():
    async def main():
        ledger = Ledger(1.0)
        await ledger.reserve(0.6)
        waiting = asyncio.create_task(ledger.reserve(0.6))
        await settled()
        await asyncio.wait_for(ledger.reserve(0.3), 1)
        waiting.cancel()

    asyncio.run(main())


def test_it_is_over_only_where_nothing_is_on_its_way():
    async def main():
        ledger = Ledger(1.0)
        await ledger.reserve(0.6)
        waiting = [asyncio.create_task(ledger.reserve(0.6)) for _ in range(3)]
        await settled()
        assert not any(task.done() for task in waiting)
        ledger.settle(0.6, 0.5)
        await settled()
        assert all(isinstance(task.exception(), OverBudget) for task in waiting)
        assert str(waiting[0].exception()) == "0.5 of 1 USD are spent, the next may cost 0.6"
        assert waiting[0].exception().ledger is ledger

    asyncio.run(main())


def test_of_two_that_wait_one_goes_and_the_other_waits_for_it():
    async def main():
        ledger = Ledger(1.0)
        await ledger.reserve(0.6)
        waiting = [asyncio.create_task(ledger.reserve(0.6)) for _ in range(2)]
        await settled()
        ledger.settle(0.6, 0.1)
        await settled()
        assert sorted(task.done() for task in waiting) == [False, True]
        ledger.settle(0.6, 0.1)
        await settled()
        assert all(task.done() and not task.exception() for task in waiting)

    asyncio.run(main())


def test_closing_wakes_all_that_wait_and_the_first_reason_stays():
    async def main():
        ledger = Ledger(1.0)
        await ledger.reserve(1.0)
        waiting = [asyncio.create_task(ledger.reserve(0.1)) for _ in range(3)]
        pausing = asyncio.create_task(ledger.pause(1e6))
        await settled()
        ledger.close(SHUT)
        ledger.close(Stopped("disk", "later"))
        await asyncio.wait_for(asyncio.gather(pausing, *waiting, return_exceptions=True), 10)
        assert [task.exception() for task in waiting] == [SHUT] * 3
        with pytest.raises(Stopped, match="signal"):
            await ledger.reserve(0.0)
        await asyncio.wait_for(ledger.pause(1e6), 10)

    asyncio.run(main())


def test_a_pause_outlasts_what_happens_to_money():
    async def main():
        ledger = Ledger(1.0)
        pausing = asyncio.create_task(ledger.pause(0.05))
        begin = asyncio.get_running_loop().time()
        while not pausing.done():
            await ledger.reserve(0.1)
            ledger.settle(0.1, 0.0)
            await asyncio.sleep(0)
        assert asyncio.get_running_loop().time() - begin >= 0.05

    asyncio.run(main())


def test_a_request_that_is_cancelled_while_it_waits_holds_nothing():
    async def main():
        ledger = Ledger(1.0)
        await ledger.reserve(0.9)
        waiting = asyncio.create_task(ledger.reserve(0.5))
        await settled()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert (ledger.reserved, ledger.open) == (0.9, 1)

    asyncio.run(main())


@pytest.mark.parametrize(("usd", "n"), [(0.005, 1000), (0.1, 3), (1 / 3, 3), (1e-7, 10_000), (0.0, 5)])
def test_a_budget_of_n_prices_pays_for_n_calls_and_no_more(usd, n):
    async def main():
        ledger = Ledger(usd * n)
        for _ in range(n):
            await ledger.reserve(usd)
            ledger.settle(usd, usd)
        assert not ledger.fits(usd + 1e-8)

    asyncio.run(main())


def test_without_a_budget_nothing_waits_and_money_is_counted():
    async def main():
        ledger = Ledger()
        for _ in range(100):
            await ledger.reserve(1e9)
        for _ in range(100):
            ledger.settle(1e9, 1.0)
        assert (ledger.spent, ledger.reserved, ledger.open) == (100.0, 0.0, 0)

    asyncio.run(main())


def test_a_budget_that_is_spent_already_pays_for_nothing_but_what_is_free():
    async def main():
        ledger = Ledger(1.0, 2.0)
        with pytest.raises(OverBudget):
            await ledger.reserve(0.0)
        await Ledger(0.0).reserve(0.0)

    asyncio.run(main())


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_spent_and_cancelled_it_stays_within_the_budget(seed):
    draw = random.Random(seed)
    budget, largest = draw.uniform(1, 20), 1.0

    async def call(ledger):
        usd = draw.uniform(0, largest)
        await ledger.reserve(usd)
        spent = usd
        try:
            assert ledger.spent + ledger.reserved <= budget * (1 + 1e-9)
            for _ in range(draw.randint(0, 3)):
                await asyncio.sleep(0)
            spent = draw.uniform(0, usd)
        finally:
            ledger.settle(usd, spent)

    async def main():
        ledger = Ledger(budget)
        tasks = [asyncio.create_task(call(ledger)) for _ in range(100)]
        for task in draw.sample(tasks, 20):
            await asyncio.sleep(0)
            task.cancel()
        ends = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 30)
        errors = [end for end in ends if isinstance(end, Exception)]
        assert all(isinstance(error, OverBudget) for error in errors)
        assert (ledger.open, ledger.reserved) == (0, 0.0)
        assert ledger.spent <= budget
        assert not errors or budget - ledger.spent < largest

    asyncio.run(main())
