"""What a fake endpoint does wrong, each by a name, and when it does it."""

import json
import math
import random
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import cache
from typing import Literal, TypeAlias

from ..core.errors import MooInferError, unknown
from .fake_replies import FakeRequest, Reply

__all__ = ["FAULTS", "STATUS", "WAYS", "Faults", "Plan", "Response", "Way", "bomb", "changed", "refused"]

MB = 2**20
BOMB_MB = 256  # that a bomb of a quarter of a megabyte becomes
SUMS = 1e-9  # by which probabilities that sum to 1 may miss it

Way: TypeAlias = Literal["whole", "never", "no-byte", "half", "slow"]
Change: TypeAlias = Callable[[Reply, FakeRequest], Reply]
Faults: TypeAlias = Mapping[str, float] | Sequence[str | None] | Callable[[FakeRequest], str | None]


@dataclass(frozen=True)
class Response:
    """Bytes for a client, and how they are sent.

    Args:
        status: of HTTP.
        body: what stands below the headers.
        headers: besides the type and the length of the body.
        delay_s: seconds before the first byte.
        way: `whole`; `never`, until the client goes; `no-byte`, the connection is cut in place of an answer; `half`, it
            is cut in the middle of the body; `slow`, a little at a time.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    way: Way = "whole"


_SAID = {
    "429": "too many requests, with Retry-After in seconds",
    "429-date": "the same, with Retry-After as a date",
    "429-bare": "the same, without Retry-After",
    "500": "internal error",
    "503": "overloaded, with Retry-After in seconds",
    "408": "the request took too long",
    "307": "go to another host, `elsewhere`",
    "time-out": "never answers; the connection stays until the client goes",
    "dropped": "the connection is cut before the first byte",
    "dropped-body": "the connection is cut in the middle of the body",
    "truncated-json": "a whole response whose JSON is cut in its middle",
    "slow-stream": "bytes come one after the other over `slow_s` seconds in all, without a long pause",
    "no-usage": "no account of the tokens",
    "negative-usage": "tokens below 0",
    "text-usage": "tokens as words",
    "no-prompt-tokens": "0 tokens of the prompt",
    "one-choice": "one choice, however many are asked for",
    "fewer-choices": "one choice less than is asked for, but one at least",
    "empty-choices": "no choices",
    "no-content": "choices whose text is null",
    "refusal": "choices that are refusals",
    "text-2mb": "a first text of 2 MB",
    "text-10mb": "a first text of 10 MB",
    "body-5mb": "a usual text, in a body of more than 5 MB",
    "gzip-bomb": f"a compressed body, {BOMB_MB} MB when it is unpacked",
    "too-many-tokens": "more tokens generated, and billed, than `max_tokens` allows",
}
_ECHOES = (400, 401, 403, 404, 422, 500)
FAULTS: Mapping[str, str] = _SAID | {
    f"echo-{status}": f"status {status}, with the key and the prompt in the body" for status in _ECHOES
}
STATUS: Mapping[str, int] = {
    "429": 429,
    "429-date": 429,
    "429-bare": 429,
    "500": 500,
    "503": 503,
    "408": 408,
    "307": 307,
}
WAYS: Mapping[str, Way] = {"time-out": "never", "dropped": "no-byte", "dropped-body": "half", "slow-stream": "slow"}
_GZIP = b"\x1f\x8b\x08" + bytes(6) + b"\xff"  # deflated, no name, no date, no system
_SECRETS = ("authorization", "api-key", "x-api-key")


class Plan:
    """Which request meets which fault.

    Args:
        faults: probabilities by name, with a sum of at most 1; or what the first requests meet, in the order of their
            arrival, None for nothing; or a function of the request.
        seed: of what is drawn.
        elsewhere: whether there is another host to send clients to.

    Raises:
        MooInferError: for names that do not exist, and for probabilities that cannot be.

    >>> Plan(["429", None]).fault(FakeRequest({}, total=0))
    '429'
    >>> Plan({"429": 0.6, "500": 0.6})
    Traceback (most recent call last):
    moo_infer.core.errors.MooInferError: probabilities of faults must sum to at most 1, got 1.2
    """

    def __init__(self, faults: Faults, seed: int = 0, *, elsewhere: bool = False) -> None:
        self.faults, self.elsewhere = faults, elsewhere
        if not callable(faults):
            for name in faults:
                if name is not None:
                    self._check(name)
        if isinstance(faults, Mapping):
            _check_probabilities(faults)
        self._draw = random.Random(seed).random

    def fault(self, request: FakeRequest) -> str | None:
        """Return what goes wrong with a request, or None."""
        if callable(self.faults):
            name = self.faults(request)
            if name is not None:
                self._check(name)
            return name
        if not isinstance(self.faults, Mapping):
            return self.faults[request.total] if request.total < len(self.faults) else None
        if not self.faults:
            return None
        u = self._draw()
        for name, probability in self.faults.items():
            if u < probability:
                return name
            u -= probability
        return None

    def _check(self, name: str) -> None:
        if name not in FAULTS:
            raise unknown("fault", name, FAULTS)
        if name == "307" and not self.elsewhere:
            raise MooInferError("fault '307' sends clients to another host: give `elsewhere`, its base URL")


def _check_probabilities(faults: Mapping[str, float]) -> None:
    for name, p in faults.items():
        if isinstance(p, bool) or not isinstance(p, int | float) or not 0 <= p <= 1:
            raise MooInferError(f"the probability of fault {name!r} must be in [0, 1], got {p!r:.40}")
    if math.fsum(faults.values()) > 1 + SUMS:
        raise MooInferError(f"probabilities of faults must sum to at most 1, got {math.fsum(faults.values()):g}")


def refused(fault: str, request: FakeRequest, retry_after_s: float, elsewhere: str) -> Response | None:
    """Return the response of a fault that generates nothing; None for other faults.

    Args:
        fault: a name of `FAULTS`.
        request: what is refused.
        retry_after_s: seconds that a 429 and a 503 ask to wait.
        elsewhere: the base URL of the other host.
    """
    if fault.startswith("echo-"):
        said = [f"{name}: {request.headers[name]}" for name in _SECRETS if name in request.headers]
        sentence = f"cannot serve {', '.join(said) or 'a request without a key'} with the prompt {request.prompt}"
        return Response(int(fault.removeprefix("echo-")), error(sentence))
    if fault not in STATUS:
        return None
    headers = {}
    if fault in ("429", "503"):
        headers["Retry-After"] = f"{retry_after_s:g}"
    elif fault == "429-date":
        headers["Retry-After"] = _date_in(retry_after_s)
    elif fault == "307":
        headers["Location"] = elsewhere.rstrip("/") + "/chat/completions"
    return Response(STATUS[fault], error(FAULTS[fault]), headers)


def _date_in(seconds: float) -> str:
    """Write a time of HTTP, which has whole seconds: the next one."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=math.ceil(seconds)), usegmt=True)


def error(message: str) -> bytes:
    """Write an error as such servers do.

    >>> error("overloaded")
    b'{"error": {"message": "overloaded", "type": "fake", "param": null, "code": null}}'
    """
    return json.dumps({"error": {"message": message, "type": "fake", "param": None, "code": None}}).encode()


def changed(reply: Reply, fault: str, request: FakeRequest) -> Reply:
    """Return what a fault makes of a reply; faults that lie in how it is sent leave it alone."""
    if fault in ("one-choice", "fewer-choices"):
        return reply.first(1 if fault == "one-choice" else max(1, len(reply.texts) - 1))
    change = _CHANGES.get(fault)
    return change(reply.filled(request), request) if change else reply


def _account(usage: object) -> Change:
    return lambda reply, _: replace(reply, usage=usage)


def _without_prompt_tokens(reply: Reply, _: FakeRequest) -> Reply:
    written = reply.completion_tokens
    return replace(reply, usage={"prompt_tokens": 0, "completion_tokens": written, "total_tokens": written})


def _long(megabytes: int) -> Change:
    def change(reply: Reply, request: FakeRequest) -> Reply:
        text = "long" * (megabytes * MB // 4)
        tokens = len(text) // 4 if request.max_tokens is None else request.max_tokens * len(reply.texts)
        return replace(reply, texts=(text, *reply.texts[1:]), completion_tokens=tokens)

    return change


def _too_many_tokens(reply: Reply, request: FakeRequest) -> Reply:
    allowed = (request.max_tokens or 0) * len(reply.texts)
    return replace(reply, completion_tokens=max(reply.completion_tokens or 0, allowed) + 1)


_CHANGES: Mapping[str, Change] = {
    "no-usage": _account({}),
    "negative-usage": _account({"prompt_tokens": -5, "completion_tokens": -7, "total_tokens": -12}),
    "text-usage": _account({"prompt_tokens": "many", "completion_tokens": "few", "total_tokens": "some"}),
    "no-prompt-tokens": _without_prompt_tokens,
    "empty-choices": lambda reply, _: replace(reply, texts=(), rows=()),
    "no-content": lambda reply, _: replace(reply, texts=(None,) * len(reply.texts)),
    "refusal": lambda reply, _: replace(reply, refusal="I cannot help with that."),
    "text-2mb": _long(2),
    "text-10mb": _long(10),
    "body-5mb": lambda reply, _: replace(reply, extra={"padding": " " * (5 * MB)}),
    "too-many-tokens": _too_many_tokens,
}


@cache
def _blanks() -> tuple[bytes, int]:
    """The blanks of a bomb, compressed without an end, and their checksum."""
    blanks = b" " * MB
    part = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    checksum = 0
    for _ in range(BOMB_MB):
        checksum = zlib.crc32(blanks, checksum)
    # After a full flush nothing refers to what came before, so that the same bytes may stand there again.
    return (part.compress(blanks) + part.flush(zlib.Z_FULL_FLUSH)) * BOMB_MB, checksum


def bomb(body: bytes) -> bytes:
    """Compress a body behind 256 MB of blanks, which JSON allows, with gzip: into a quarter of a megabyte.

    >>> len(bomb(b"{}")) < 2**19
    True
    """
    blanks, checksum = _blanks()
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    end = packer.compress(body) + packer.flush()
    numbers = zlib.crc32(body, checksum), (BOMB_MB * MB + len(body)) % 2**32
    return b"".join((_GZIP, blanks, end, *(number.to_bytes(4, "little") for number in numbers)))
