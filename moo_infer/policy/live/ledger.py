"""Money that is bounded before it is spent: what is reserved, what is spent, and what is left."""

import asyncio
from dataclasses import dataclass, field

from ...core.budgets import pays
from ...core.errors import MooInferError
from .inference import Stopped

__all__ = ["Ledger", "OverBudget"]


class OverBudget(MooInferError):
    """A request does not fit into the budget of its question, or of the run.

    Args:
        ledger: whose budget it is.
        sentence: what was wanted and what is left, in words.
    """

    def __init__(self, ledger: "Ledger", sentence: str) -> None:
        self.ledger = ledger
        super().__init__(sentence)


@dataclass(eq=False)
class Ledger:
    """A budget in USD and what happens to it: each request reserves its largest price before it is sent.

    Args:
        budget: the most that is spent, USD, >= 0; None for no limit.
        spent: what was spent before, USD.

    >>> ledger = Ledger(1.0)
    >>> asyncio.run(ledger.reserve(0.75))
    >>> ledger.settle(0.75, 0.5)
    >>> ledger.spent, ledger.fits(0.5), ledger.fits(0.51)
    (0.5, True, False)
    """

    budget: float | None = None
    spent: float = 0.0
    reserved: float = field(default=0.0, init=False)
    open: int = field(default=0, init=False)
    stop: Stopped | None = field(default=None, init=False)
    _change: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)

    def fits(self, usd: float, /) -> bool:
        """Whether a request of so many dollars can be made now."""
        return self.budget is None or pays(self.budget, self.spent + self.reserved + usd)

    async def reserve(self, usd: float, /) -> None:
        """Set dollars aside; wait where only requests on their way hold the money.

        Raises:
            OverBudget: where nothing is on its way and it does not fit.
            Stopped: where no further request may be made.
        """
        while self.stop is not None or not self.fits(usd):
            if self.stop is not None:
                raise self.stop
            if not self.open:
                raise OverBudget(
                    self, f"{self.spent:.6g} of {self.budget:g} USD are spent, the next may cost {usd:.6g}"
                )
            await self._change.wait()
        self.reserved += usd
        self.open += 1

    def settle(self, usd: float, spent: float, /) -> None:
        """Give back what was set aside for a request, and count what it cost."""
        self.open -= 1
        # Nothing is on its way: what is left are rounding errors of the sums.
        self.reserved = max(0.0, self.reserved - usd) if self.open else 0.0
        self.spent += spent
        self.wake()

    def close(self, stop: Stopped, /) -> None:
        """Let no further request be made; the first reason stays."""
        self.stop = self.stop or stop
        self.wake()

    def wake(self) -> None:
        """Let whoever waits look again."""
        self._change.set()
        self._change = asyncio.Event()

    async def pause(self, seconds: float, /) -> None:
        """Wait, but no longer than until no further request may be made."""
        end = asyncio.get_running_loop().time() + seconds
        while self.stop is None and (left := end - asyncio.get_running_loop().time()) > 0:
            try:
                await asyncio.wait_for(self._change.wait(), left)
            except TimeoutError:
                return
