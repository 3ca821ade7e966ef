"""A call on its way, and who is told of its requests."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from .inference import Inference
from .ledger import Ledger
from .question import Question

if TYPE_CHECKING:
    from .openai_endpoint import OpenAIEndpoint

__all__ = ["LiveCall", "Nobody", "Recorder", "Within"]


class Recorder(Protocol):
    """Who is told of every request before it is sent, and of what it cost where it brought nothing."""

    def sent(self, call: str, model: str, question: Question, times: int, usd: float, at: str, /) -> None:
        """Take down that a request is about to be sent, and what it may cost."""

    def lost(self, call: str, usd: float, /) -> None:
        """Take down that the last request of a call brought nothing, and what it counts."""


@dataclass(frozen=True)
class Nobody:
    """Keeps no record."""

    def sent(self, call: str, model: str, question: Question, times: int, usd: float, at: str, /) -> None:
        """Forget it."""

    def lost(self, call: str, usd: float, /) -> None:
        """Forget it."""


@dataclass(eq=False)
class LiveCall:
    """A call on its way: one request, and again where that brings nothing.

    Args:
        model, question, times: what is called.
        messages: what is sent.
        most_tokens: input and output tokens of a request at most.
        most_usd: dollars of a request at most.
        ledgers: the budgets that a request has to fit into.
        id: what the log calls it.
    """

    model: str
    question: Question
    times: int
    messages: list[dict[str, str]]
    most_tokens: tuple[int, int | None]
    most_usd: float
    ledgers: tuple[Ledger, ...]
    id: str
    requests: int = 0
    lost_usd: float = 0.0
    started: float | None = None
    started_at: str | None = None

    def without_text(self, why: str, *, latency_s: float | None = None) -> tuple[Inference, ...]:
        """Return the inferences that did not come."""
        first = Inference(
            why=why,
            failed=True,
            latency_s=latency_s,
            lost_usd=self.lost_usd,
            call=self.id,
            requests=self.requests,
            started_at=self.started_at,
        )
        return (first, *[replace(first, lost_usd=0.0, requests=0)] * (self.times - 1))


@dataclass(frozen=True, eq=False)
class Within:
    """An endpoint with a budget of its own beside that of all calls."""

    endpoint: "OpenAIEndpoint"
    ledger: Ledger

    def split(self, model: str, times: int, /) -> Sequence[int]:
        """Return the sizes of the requests that bring so many inferences."""
        return self.endpoint.split(model, times)

    async def __call__(self, model: str, question: Question, times: int, /) -> Sequence[Inference]:
        """Call a model within both budgets."""
        return await self.endpoint.called(model, question, times, (self.ledger, self.endpoint.ledger))
