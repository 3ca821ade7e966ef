"""What a fake endpoint is asked and what it answers; and two models ready to use: of a known accuracy, and of a log."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from ..core.errors import MooInferError

if TYPE_CHECKING:  # they load NumPy, which takes longer than all else here
    from ..core.parts import AtLeastOne, NonNegative, Share

__all__ = ["Answers", "FakeRequest", "LogAnswers", "Reply", "SeededAnswers", "answered", "text_of"]

SPREAD = 9  # wrong answers to a question of which nothing else is known
LETTERS = "ABCD"  # of a multiple choice


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


@dataclass(frozen=True)
class SeededAnswers:
    """A model that is right with a known probability, independently each time.

    Which texts are right depends on the seed, the model, the prompt and how often it was asked, not on who asked first:
    whatever the concurrency, runs are alike.

    Args:
        targets: the right answer by prompt, or a function of the request.
        p: probability in [0, 1] that a text is right, or a function of the request.
        seed: of the answers.
        wrong: how many wrong answers there are to a question, each as likely as the others. They are the next whole
            numbers where the target is one, other letters where it is one of A to D, else `not TARGET (1)`.

    >>> model = SeededAnswers({"6 x 7?": "42"}, p=0.8)
    >>> texts = [model(FakeRequest({"messages": [{"content": "6 x 7?"}]}, number=i)) for i in range(1000)]
    >>> texts.count("42") / 1000
    0.807
    """

    targets: Mapping[str, str] | Callable[[FakeRequest], str]
    p: "Share | Callable[[FakeRequest], float]" = 0.8
    seed: int = 0
    wrong: "AtLeastOne" = SPREAD

    def __post_init__(self) -> None:
        if not callable(self.p) and not 0 <= self.p <= 1:
            raise MooInferError(f"p: must be in [0, 1], got {self.p!r:.40}")
        if self.wrong < 1:
            raise MooInferError(f"wrong: must be at least 1, got {self.wrong!r:.40}")

    def __call__(self, request: FakeRequest) -> str:
        """Answer once."""
        target = self._target(request)
        p = self.p(request) if callable(self.p) else self.p
        key = f"{self.seed}\0{request.model}\0{request.number}\0{request.prompt}"
        drawn = int.from_bytes(hashlib.blake2b(key.encode("utf-8", "replace"), digest_size=8).digest())
        u = drawn / 2**64
        if u < p:
            return target
        return _wrong(target, int((u - p) / (1 - p) * self.wrong), self.wrong)

    def _target(self, request: FakeRequest) -> str:
        if callable(self.targets):
            return self.targets(request)
        if request.prompt not in self.targets:
            raise MooInferError("targets have no such prompt; give a function that finds the question in it")
        return self.targets[request.prompt]


def _wrong(target: str, i: int, most: int) -> str:
    """Return wrong answer i of so many; rounding may make i one too large."""
    i = min(i, most - 1)
    try:
        return str(int(target) + 1 + i)
    except ValueError:
        others = [letter for letter in LETTERS if letter != target]
        return others[i % len(others)] if target in LETTERS and len(target) == 1 else f"not {target} ({i + 1})"


class LogAnswers:
    """A model that serves the samples of a log in their order, with their tokens; after the last the first again.

    Args:
        rows: of the neutral table: `model`, `question_id`, `answer`, `input_tokens`, `output_tokens`, and where they
            are known `sample` (the order), `cached_input_tokens`, `reasoning_tokens`, `latency_s`. An answer that is
            None is a choice without content.
        key: (model, question_id) of a request; by default its model, and its prompt.
        text: the column with the text that is sent.
        seconds_per_second: of delay, for every logged second of the slowest sample, >= 0.

    Raises:
        MooInferError: where the log has no samples of what is asked for.

    >>> log = [{"model": "small", "question_id": "6 x 7?", "answer": "42", "input_tokens": 9, "output_tokens": 3}]
    >>> LogAnswers(log)(FakeRequest({"messages": [{"content": "6 x 7?"}]}, model="small")).rows
    (0,)
    """

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        key: Callable[[FakeRequest], tuple[str, str]] | None = None,
        *,
        text: str = "answer",
        seconds_per_second: float = 0.0,
    ) -> None:
        self.rows, self.key, self.text, self.seconds_per_second = rows, key, text, seconds_per_second
        self._at: dict[tuple[str, str], list[int]] = {}
        for i in sorted(range(len(rows)), key=lambda i: rows[i].get("sample") or 0):
            self._at.setdefault((rows[i]["model"], str(rows[i]["question_id"])), []).append(i)

    def __call__(self, request: FakeRequest) -> Reply:
        """Serve as many samples as are asked for."""
        model, question_id = self.key(request) if self.key else (request.model, request.prompt)
        numbers = self._at.get((model, str(question_id)))
        if not numbers:
            raise MooInferError(f"the log has no samples of model {model!r:.40} and question {question_id!r:.40}")
        served = tuple(numbers[(request.number + i) % len(numbers)] for i in range(request.n))
        rows = [self.rows[i] for i in served]
        seconds = max(row.get("latency_s") or 0.0 for row in rows) * self.seconds_per_second
        return Reply(
            tuple(row.get(self.text) for row in rows),
            prompt_tokens=rows[0].get("input_tokens"),
            completion_tokens=_sum(rows, "output_tokens"),
            cached_tokens=rows[0].get("cached_input_tokens") or 0,
            reasoning_tokens=_sum(rows, "reasoning_tokens") or 0,
            delay_s=seconds or None,
            rows=served,
        )


def _sum(rows: Sequence[Mapping[str, Any]], column: str) -> int | None:
    values = [row.get(column) for row in rows]
    return None if None in values else sum(int(value) for value in values if value is not None)
