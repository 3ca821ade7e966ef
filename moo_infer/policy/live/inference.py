"""One answer of an endpoint as it comes, what it took, and the protocol that brings it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ...core.arguments import check_fields
from ...core.errors import MooInferError
from .question import Question

__all__ = ["CANCELLED", "Endpoint", "Inference", "Stopped"]

AMOUNTS = ("latency_s", "cost_usd", "lost_usd", "energy_j")
CANCELLED = "cancelled"  # why there is no answer, where it was not waited for


class Stopped(MooInferError):
    """Raised where no further call may be made.

    Args:
        reason: ``budget``, ``signal``, ``disk`` or ``endpoint``.
        sentence: what happened, in words.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        self.reason, self.sentence = reason, sentence
        super().__init__(sentence)

    def __reduce__(self) -> tuple[type, tuple[str, str]]:
        return Stopped, (self.reason, self.sentence)


@dataclass(frozen=True)
class Inference:
    """One run of a model on one question, as an endpoint brings it; None where something is not known.

    Args:
        text: what the model wrote; None where there is nothing.
        why: why there is no text, or what is odd about it.
        failed: whether the endpoint failed, so that nothing is known of the model; a refusal is an answer.
        input_tokens, cached_input_tokens, output_tokens, reasoning_tokens: as they are billed, >= 0; of one request
            that brought several inferences the sums are shared among them.
        latency_s: seconds from the first request to the answer, >= 0.
        cost_usd: dollars of this answer, >= 0.
        lost_usd: dollars of tries that brought nothing, >= 0.
        score: how good the endpoint takes the answer to be; larger is better.
        energy_j: joules, >= 0.
        call: the id of the call that brought it.
        requests: requests that were made for the call, retries too; 0 where another inference of the call has them.
        started_at: when the first of them was sent, UTC, ISO 8601.
        billed: whether `cost_usd` follows from what the endpoint says of its tokens.

    Raises:
        MooInferError: for seconds, dollars and joules that are no finite numbers >= 0.

    >>> Inference("7", cost_usd=0.001).text
    '7'
    """

    text: str | None = None
    why: str = ""
    failed: bool = False
    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    latency_s: float | None = None
    cost_usd: float | None = None
    lost_usd: float = 0.0
    score: float | None = None
    energy_j: float | None = None
    call: str = ""
    requests: int = 1
    started_at: str | None = None
    billed: bool = False

    def __post_init__(self) -> None:
        check_fields(self, "an inference")
        for name in AMOUNTS:
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise MooInferError(f"{name} of an inference: must be a finite number >= 0, got {value!r:.40}")

    @property
    def spent_usd(self) -> float:
        """Dollars of the answer and of what was lost on the way."""
        return (self.cost_usd or 0.0) + self.lost_usd


class Endpoint(Protocol):
    """What calls a model: any async function of these arguments is one.

    It may have two methods beside, which are asked where they are there. ``split(model, times)`` gives the sizes of the
    requests that bring so many inferences, so that each is taken in as it comes; without it there is one.
    ``within(most_usd)`` gives an endpoint that spends no more on one question.

    >>> async def echo(model: str, query: Question, times: int, /) -> Sequence[Inference]:
    ...     return [Inference(query.text)] * times
    >>> endpoint: Endpoint = echo
    """

    async def __call__(self, model: str, query: Question, times: int, /) -> Sequence[Inference]:
        """Call a model so many times on a question; fewer inferences, one at least, are asked for again.

        Where it is cancelled it may return what that cost, as inferences without text.
        """
