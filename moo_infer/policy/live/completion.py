"""What a server says of a completion, read with distrust: choices, and the tokens that it bills."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .inference import Inference

__all__ = ["Completion", "Garbled", "Usage", "evenly", "read_completion"]

MOST_TOKENS = 2**53  # above it floats, which dollars are, know no whole numbers; no request has as many

NO_CHOICE, NO_TEXT = "the response has no choice", "the response has no text"
NO_USAGE = "the response says no usage, so that its largest price counts"


class Garbled(Exception):
    """What came is no completion: cut off, no JSON, or JSON of something else."""


@dataclass(frozen=True)
class Usage:
    """The tokens of a request, all its choices together.

    Args:
        input_tokens: of the prompt, >= 1.
        output_tokens: all that are billed, reasoning too, >= 0.
        cached_input_tokens: of the prompt, read from a cache; None where that is not said.
        reasoning_tokens: of the output; None where that is not said.
    """

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int | None = None
    reasoning_tokens: int | None = None


@dataclass(frozen=True)
class Completion:
    """What a response says.

    Args:
        texts: of each choice its text, or None, and why there is none.
        usage: None where the response says nothing that can be one.
    """

    texts: tuple[tuple[str | None, str], ...]
    usage: Usage | None

    def inferences(self, asked: int, usd: float | None, **common: Any) -> tuple[Inference, ...]:
        """Return an inference for each choice; where there is none, one without text for each that was asked for.

        Tokens and dollars of the request are shared among them, as evenly as whole numbers go.

        Args:
            asked: how many choices were asked for; more of them are not taken.
            usd: dollars of the request, None where they are not known.
            common: what is the same for all of them; requests and lost dollars are those of the first.
        """
        texts = self.texts[:asked] or ((None, NO_CHOICE),) * asked
        n, usage = len(texts), self.usage
        of_first = {name: common.pop(name) for name in ("requests", "lost_usd")}
        rows = []
        for i, (text, why) in enumerate(texts):
            unsaid = NO_USAGE if usage is None and usd is not None else ""
            own: dict[str, Any] = common | {name: value * (i == 0) for name, value in of_first.items()}
            own |= {} if usage is None else _share(usage, n, i)
            own |= {"why": "; ".join(filter(None, (why, unsaid))), "billed": usage is not None}
            rows.append(Inference(text, cost_usd=None if usd is None else usd / n, **own))
        return tuple(rows)


def _share(usage: Usage, n: int, i: int) -> dict[str, int | None]:
    """The share of one of n inferences in the tokens of their request."""
    counts = {name: getattr(usage, name) for name in Usage.__annotations__}
    return {name: None if count is None else [*evenly(count, n)][i] for name, count in counts.items()}


def evenly(total: int, n: int, /) -> Iterator[int]:
    """Share a whole number among n as evenly as whole numbers go.

    >>> list(evenly(11, 4))
    [3, 3, 3, 2]
    """
    each, left = divmod(total, n)
    return (each + (i < left) for i in range(n))


def read_completion(body: bytes, text_limit: int, /) -> Completion:
    """Read the body of a response to a request for chat completions.

    Args:
        body: as it came.
        text_limit: characters of a text; a longer one is dropped.

    Raises:
        Garbled: where it is no JSON of a completion.

    >>> body = b'{"choices": [{"message": {"content": "7"}}], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}'
    >>> completion = read_completion(body, 100)
    >>> completion.texts, completion.usage.input_tokens, completion.usage.output_tokens
    ((('7', ''),), 9, 1)
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):  # a number of thousands of digits is a ValueError, too
        raise Garbled from None
    choices = document.get("choices") if isinstance(document, dict) else None
    if not isinstance(choices, list):
        raise Garbled
    return Completion(tuple(_text(choice, text_limit) for choice in choices), _usage(document.get("usage")))


def _text(choice: Any, text_limit: int) -> tuple[str | None, str]:
    """The text of a choice, or why it has none."""
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(message, dict):
        return None, NO_TEXT
    content = message.get("content")
    if message.get("refusal") and not content:
        return None, "the model refused"
    if not isinstance(content, str) or not content.strip():
        return None, NO_TEXT
    if len(content) > text_limit:
        return None, f"the text is longer than {text_limit} characters"
    return content.encode("utf-8", "replace").decode("utf-8"), ""  # without halves of characters, which no file takes


def _usage(said: Any) -> Usage | None:
    """The tokens as a response says them; None where these are no counts."""
    if not isinstance(said, dict):
        return None
    input_tokens, output_tokens = _count(said.get("prompt_tokens")), _count(said.get("completion_tokens"))
    if not input_tokens or output_tokens is None:
        return None
    cached = _count(_within(said.get("prompt_tokens_details"), "cached_tokens"))
    reasoning = _count(_within(said.get("completion_tokens_details"), "reasoning_tokens"))
    return Usage(
        input_tokens,
        output_tokens,
        cached if cached is not None and cached <= input_tokens else None,
        reasoning if reasoning is not None and reasoning <= output_tokens else None,
    )


def _within(details: Any, name: str) -> Any:
    return details.get(name) if isinstance(details, dict) else None


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else None
