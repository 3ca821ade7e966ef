"""What a fake endpoint is asked, and what it answers."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from ..core.errors import MooInferError

if TYPE_CHECKING:  # it loads NumPy, which takes longer than all else here
    from ..core.parts import NonNegative

__all__ = ["Answers", "FakeRequest", "Reply", "answered", "text_of"]


@dataclass(frozen=True)
class FakeRequest:
    """A request that has arrived.

    Args:
        body: the JSON that was sent.
        headers: by their names in small letters, the key among them.
        path: of the request, as `/v1/chat/completions`.
        model: the name of the model that is asked for.
        number: texts that this model gave to this prompt before; the first to be given now has this number.
        attempt: requests with this model and prompt that arrived before, those that failed too.
        total: requests that arrived before, whatever they asked.
    """

    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    model: str = ""
    number: int = 0
    attempt: int = 0
    total: int = 0

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        """The messages, the oldest first."""
        messages: Sequence[Mapping[str, Any]] = self.body.get("messages", ())
        return messages

    @property
    def n(self) -> int:
        """How many choices are asked for."""
        return int(self.body.get("n") or 1)

    @property
    def max_tokens(self) -> int | None:
        """The largest number of tokens of one choice, if it is limited."""
        most = self.body.get("max_completion_tokens", self.body.get("max_tokens"))
        return None if most is None else int(most)

    @property
    def prompt(self) -> str:
        """The text of the last message."""
        return text_of(self.messages[-1]) if self.messages else ""

    @property
    def prompt_tokens(self) -> int:
        """The words of all messages, which stand for tokens here: at least 1."""
        return max(1, sum(len(text_of(message).split()) for message in self.messages))


def text_of(message: Mapping[str, Any]) -> str:
    """Return the text of a message, which may come in parts.

    >>> text_of({"content": [{"type": "text", "text": "6 x 7?"}]})
    '6 x 7?'
    """
    content = message.get("content") or ""
    return content if isinstance(content, str) else " ".join(str(part.get("text", "")) for part in content)


@dataclass(frozen=True)
class Reply:
    """What a request is answered with.

    Args:
        texts: one a choice; None is a choice without content.
        prompt_tokens: >= 0; None counts the words of the messages.
        completion_tokens: of all choices together, >= 0; None counts words, and cuts texts after `max_tokens` of them.
        cached_tokens: of the prompt, read from a cache.
        reasoning_tokens: of the completion.
        finish_reason: of all choices; None is `stop`, or `length` of a text that was cut.
        refusal: stands in every choice in place of its text.
        delay_s: seconds before it is sent, >= 0; None is the delay of the endpoint.
        usage: what is said of the tokens in place of what is true; {} leaves it out.
        status: of HTTP. What is not 200 generates no tokens, unless they are given here.
        body: sent as it is, in place of all that.
        headers: of HTTP, further ones.
        extra: further keys of the JSON.
        rows: the rows of a log that are served, one a text.

    Raises:
        MooInferError: for a text in place of several, and a delay that cannot be.

    >>> request = FakeRequest({"messages": [{"content": "What is 6 x 7?"}], "max_tokens": 3})
    >>> reply = Reply(("The answer is 42",)).filled(request)
    >>> reply.texts, reply.finish_reason, reply.prompt_tokens, reply.completion_tokens
    (('The answer is',), 'length', 5, 3)
    """

    texts: Sequence[str | None] = ()
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    finish_reason: str | None = None
    refusal: str | None = None
    delay_s: "NonNegative | None" = None
    usage: object = None
    status: int = 200
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, object] = field(default_factory=dict)
    rows: Sequence[int] = ()

    def __post_init__(self) -> None:
        if isinstance(self.texts, str):
            raise MooInferError("texts of a Reply must be a tuple, one text a choice, got one text")
        if self.delay_s is not None and not 0 <= self.delay_s < math.inf:
            raise MooInferError(f"delay_s of a Reply must be a number >= 0, got {self.delay_s!r:.40}")

    def filled(self, request: FakeRequest) -> "Reply":
        """Return it with the tokens that the request took, as they are billed."""
        if self.status != 200:
            return replace(self, prompt_tokens=self.prompt_tokens or 0, completion_tokens=self.completion_tokens or 0)
        read = request.prompt_tokens if self.prompt_tokens is None else self.prompt_tokens
        if self.completion_tokens is not None:
            return self if self.prompt_tokens is not None else replace(self, prompt_tokens=read)
        texts, written, most = self.texts, 0, request.max_tokens
        reason = self.finish_reason
        for i, text in enumerate(texts):
            words = (text or "").split()
            if most is not None and len(words) > most:
                texts = (*texts[:i], " ".join(words[:most]), *texts[i + 1 :])
                reason = reason or "length"
                words = words[:most]
            written += max(1, len(words))
        return replace(self, texts=texts, prompt_tokens=read, completion_tokens=written, finish_reason=reason)

    def first(self, k: int) -> "Reply":
        """Return its first k texts, with their share of the tokens, rounded up."""
        if k >= len(self.texts):
            return self
        share = k / len(self.texts)
        tokens = self.completion_tokens
        return replace(
            self,
            texts=self.texts[:k],
            rows=self.rows[:k],
            completion_tokens=None if tokens is None else -int(-tokens * share // 1),
            reasoning_tokens=int(self.reasoning_tokens * share),
        )

    def json(self, number: int, model: str) -> dict[str, object]:
        """Return what a client reads, of the answer with this number; tokens must be `filled` in."""
        reason = self.finish_reason or "stop"
        choices = [
            {
                "index": i,
                "message": {
                    "role": "assistant",
                    "content": text if self.refusal is None else None,
                    "refusal": self.refusal,
                },
                "logprobs": None,
                "finish_reason": reason,
            }
            for i, text in enumerate(self.texts)
        ]
        answer: dict[str, object] = {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "created": 0,
            "model": model,
            "choices": choices,
        }
        usage = self._account() if self.usage is None else self.usage
        if usage != {}:
            answer["usage"] = usage
        return {**answer, **self.extra} if self.extra else answer

    def _account(self) -> dict[str, object]:
        read, written = self.prompt_tokens or 0, self.completion_tokens or 0
        return {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
            "prompt_tokens_details": {"cached_tokens": self.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": self.reasoning_tokens},
        }


Answers: TypeAlias = Callable[[FakeRequest], str | Reply] | Mapping[str, str | Reply | Sequence[str]]


def answered(answers: Answers, request: FakeRequest) -> Reply:
    """Ask for the reply to a request: a text is one choice, and those for further choices are asked for one by one.

    Args:
        answers: a function, or by prompt a text, a reply, or several texts that are given in turn.
        request: what is asked.

    Raises:
        MooInferError: where a mapping does not have the prompt, or a function gives something else.

    >>> answered({"Even?": ["yes", "no"]}, FakeRequest({"messages": [{"content": "Even?"}], "n": 3}, number=1)).texts
    ('no', 'yes', 'no')
    """
    texts: list[str] = []
    for i in range(request.n):
        made = _answer(answers, replace(request, number=request.number + i) if i else request)
        if isinstance(made, Reply):
            if i:
                raise MooInferError("answers gave a text for the first choice and a Reply for another one")
            return made
        if not isinstance(made, str):
            raise MooInferError(f"answers must give a text or a Reply, got {made!r:.40}")
        texts.append(made)
    return Reply(tuple(texts))


def _answer(answers: Answers, request: FakeRequest) -> str | Reply:
    if not isinstance(answers, Mapping):
        return answers(request)
    if request.prompt not in answers:
        raise MooInferError("answers have no such prompt; give a function that finds the question in it")
    known = answers[request.prompt]
    return known if isinstance(known, str | Reply) else known[request.number % len(known)]
