"""Requests and tokens a minute."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

__all__ = ["Pace"]

# Seconds in which requests are counted: a minute, and one more, for a request may be on its way that much longer than a
# later one. The first ones open their connections; without it a server saw twice the rate a minute after the start.
MINUTE = 61.0


@dataclass(eq=False)
class Pace:
    """Keeps requests, and the tokens of them, below a rate: in no minute do more of them arrive.

    Args:
        requests_per_minute, tokens_per_minute: the most that arrive in any 60 s, where they are at most a second on
            their way, > 0; None for no limit.
    """

    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    _sent: deque[list[float]] = field(default_factory=deque, init=False, repr=False)
    _tokens: float = field(default=0.0, init=False, repr=False)

    def delay(self, now: float, tokens: float, /) -> float:
        """Return how many seconds a request of so many tokens has to wait.

        >>> pace = Pace(requests_per_minute=1)
        >>> _ = pace.send(0.0, 10)
        >>> pace.delay(15.0, 10), pace.delay(61.0, 10)
        (46.0, 0.0)
        """
        while self._sent and self._sent[0][0] <= now - MINUTE:
            self._tokens -= self._sent.popleft()[1]
        requests, total = len(self._sent), self._tokens
        for at, of in self._sent:
            if self._fits(requests, total, tokens):
                break
            requests, total, wait = requests - 1, total - of, at + MINUTE - now
            if self._fits(requests, total, tokens) or not requests:
                return wait  # a request that is larger than the limit by itself goes alone
        return 0.0

    def _fits(self, requests: int, total: float, tokens: float) -> bool:
        few = self.requests_per_minute is None or requests + 1 <= max(1.0, self.requests_per_minute)
        return few and (self.tokens_per_minute is None or total + tokens <= self.tokens_per_minute)

    def send(self, now: float, tokens: float, /) -> list[float]:
        """Count a request, and return what `correct` takes."""
        if self.requests_per_minute is None and self.tokens_per_minute is None:
            return [now, tokens]
        self._sent.append([now, tokens])
        self._tokens += tokens
        return self._sent[-1]

    def correct(self, sent: list[float], tokens: float, /) -> None:
        """Put the tokens that a request had in the place of those it might have had."""
        if self._sent and sent[0] >= self._sent[0][0]:
            self._tokens += tokens - sent[1]
        sent[1] = tokens

    async def wait(self, clock: Callable[[], float], pause: Callable[[float], Awaitable[None]], tokens: float) -> None:
        """Wait until a request of so many tokens may be sent."""
        while (delay := self.delay(clock(), tokens)) > 0:
            before = clock()
            await pause(delay)
            if clock() - before < delay / 2:  # woken: no further request may be made, which the next step says
                return
