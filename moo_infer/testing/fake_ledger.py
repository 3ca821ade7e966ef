"""What a fake endpoint knows of the requests that came: how many, when, and what they cost."""

import threading
from array import array
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from ..core.errors import unknown
from .fake_replies import FakeRequest, Reply

__all__ = ["FakeExchange", "Ledger", "Usage"]


@dataclass(frozen=True)
class FakeExchange:
    """A request and what was made of it, kept where `keep=True`.

    Args:
        request: as it arrived.
        reply: what was generated, after its fault; None where nothing was.
        fault: the name of what went wrong, or None.
    """

    request: FakeRequest
    reply: Reply | None
    fault: str | None


@dataclass
class Usage:
    """What one model has generated so far; all of it is billed.

    Args:
        requests: that generated something.
        prompt_tokens: of all of them, cached ones too.
        cached_tokens: of these, read from a cache.
        completion_tokens: of all of them.
    """

    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0


class Ledger:
    """Counts, written by the thread of the endpoint and read by others; what grows is 16 bytes a request.

    Args:
        keep: whether requests and replies are kept.
    """

    def __init__(self, *, keep: bool) -> None:
        self.keep, self.lock = keep, threading.Lock()
        self.in_flight = 0
        self.clear()

    def clear(self) -> None:
        """Forget all but the requests that are in flight."""
        with self.lock:
            self.answered, self.most_in_flight = 0, self.in_flight
            self.faults: Counter[str] = Counter()
            self.usages: defaultdict[str, Usage] = defaultdict(Usage)
            self.exchanges: list[FakeExchange] = []
            self.arrivals, self.tokens = array("d"), array("q")
            # By a hash, as prompts are not kept: requests, and texts given, of a model and a prompt.
            self.attempts: Counter[int] = Counter()
            self.given: Counter[int] = Counter()

    def arrived(self, second: float) -> int:
        """Count a request that was read to its end, and return its number."""
        with self.lock:
            self.arrivals.append(second)
            self.tokens.append(0)
            self.in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight)
            return len(self.arrivals) - 1

    def went_wrong(self, fault: str) -> None:
        """Count a fault."""
        with self.lock:
            self.faults[fault] += 1

    def generated(self, number: int, model: str, reply: Reply) -> None:
        """Bill what was generated for a request."""
        read, written = reply.prompt_tokens or 0, reply.completion_tokens or 0
        with self.lock:
            usage = self.usages[model]
            usage.requests += 1
            usage.prompt_tokens += read
            usage.cached_tokens += reply.cached_tokens
            usage.completion_tokens += written
            if number < len(self.tokens):  # it was not cleared meanwhile
                self.tokens[number] = read + written

    def left(self, *, answered: bool) -> None:
        """Count a request that is done with."""
        with self.lock:
            self.in_flight -= 1
            self.answered += answered

    def billed_usd(self, prices: Mapping[str, tuple[float, ...]]) -> float:
        """Return the bill; see `FakeEndpoint.billed_usd`."""
        usd = 0.0
        with self.lock:
            for model, usage in self.usages.items():
                if model not in prices:
                    raise unknown("model", model, prices, "prices")
                per_input, per_output, *per_cached = prices[model]
                usd += (usage.prompt_tokens - usage.cached_tokens) * per_input + usage.completion_tokens * per_output
                usd += usage.cached_tokens * (per_cached[0] if per_cached else per_input)
        return usd

    def busiest(self, seconds: float) -> tuple[int, int]:
        """Return the most requests, and the most tokens, that came within so many seconds."""
        with self.lock:
            arrivals, tokens = self.arrivals[:], self.tokens[:]
        most, most_tokens, start, within = 0, 0, 0, 0
        for end, second in enumerate(arrivals):
            within += tokens[end]
            while arrivals[start] <= second - seconds:
                within -= tokens[start]
                start += 1
            most, most_tokens = max(most, end - start + 1), max(most_tokens, within)
        return most, most_tokens
