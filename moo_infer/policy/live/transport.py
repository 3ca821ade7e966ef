"""The HTTP client of live calls: it follows no redirect, tells nothing unasked, and reads no endless body."""

import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import cache
from ssl import SSLContext

import httpx2
import openai

from ...core.call_settings import CallSettings
from ...core.errors import MooInferError
from ...profiles import ModelProfile

__all__ = ["MOST_BYTES", "BodyTooLong", "http_client", "openai_client", "refuse_uncallable", "silence"]

MOST_BYTES = 4 * 2**20  # of a body; a million characters of text fit in
HEARD = {b"content-type", b"retry-after"}  # of a response; cookies would be kept, and sent again
TOLD = {"host", "content-type", "content-length", "accept", "user-agent", "authorization", "connection"}
NO_KEY = "no-key"  # stands where a client must have one; no request says it
POOL = 8  # connections of a pool, which looks at all of them for every request: at 64 that took a fifth of the time
TALKATIVE = ("openai", "httpx2", "httpcore2", "httpx", "httpcore")  # they log headers, addresses or bodies


class BodyTooLong(httpx2.ReadError):
    """A body has more bytes than are read."""


class _Bounded(httpx2.AsyncByteStream):
    """A body that ends with an error where it is too long, and says when it is done with."""

    def __init__(self, stream: httpx2.AsyncByteStream, done: Callable[[], None]) -> None:
        self._stream, self._done = stream, done

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = MOST_BYTES
        async for chunk in self._stream:
            left -= len(chunk)
            if left < 0:
                raise BodyTooLong("the body is too long")
            yield chunk

    async def aclose(self) -> None:
        self._done()
        await self._stream.aclose()


class _Guarded(httpx2.AsyncBaseTransport):
    """A transport that sends no header but those that a call needs, unpacks nothing, and reads no body of a refusal.

    Requests go to the pool of connections that has the fewest on their way.
    """

    def __init__(self, pools: Sequence[httpx2.AsyncBaseTransport]) -> None:
        self._pools, self._busy = pools, [0] * len(pools)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        kept = [(name, value) for name, value in request.headers.raw if name.decode("ascii").lower() in TOLD]
        kept = [(name, value) for name, value in kept if value != f"Bearer {NO_KEY}".encode()]
        request.headers = httpx2.Headers([*kept, (b"Accept-Encoding", b"identity")])
        number = self._busy.index(min(self._busy))
        done = self._taken(number)
        try:
            response = await self._pools[number].handle_async_request(request)
        except BaseException:
            done()
            raise
        headers = [(name, value) for name, value in response.headers.raw if name.lower() in HEARD]
        assert isinstance(response.stream, httpx2.AsyncByteStream)  # as those of asynchronous transports are
        stream: httpx2.AsyncByteStream = _Bounded(response.stream, done)
        if not response.is_success:  # its status says all that counts, however long, slow or torn its body is
            await stream.aclose()
            stream = httpx2.ByteStream(b"")
        return httpx2.Response(response.status_code, headers=headers, stream=stream, extensions=response.extensions)

    def _taken(self, number: int) -> Callable[[], None]:
        """Count a request of a pool, and return what counts that it is done with; more often says nothing new."""
        self._busy[number] += 1
        left = [1]

        def done() -> None:
            self._busy[number] -= left[0]
            left[0] = 0

        return done

    async def aclose(self) -> None:
        for pool in self._pools:
            await pool.aclose()


def http_client(connections: int, /) -> httpx2.AsyncClient:
    """Return a client with so many connections, which takes nothing from the environment and follows no redirect."""
    limits = httpx2.Limits(max_connections=POOL, max_keepalive_connections=POOL)
    pools = [
        httpx2.AsyncHTTPTransport(verify=_trusted(), trust_env=False, limits=limits)
        for _ in range(-(-connections // POOL))
    ]
    return httpx2.AsyncClient(transport=_Guarded(pools), trust_env=False, follow_redirects=False)


@cache
def _trusted() -> SSLContext:
    """Whom this machine trusts, read once: it takes longer than a hundred requests."""
    return httpx2.create_ssl_context(trust_env=False)


class _Client(openai.AsyncOpenAI):
    """A client whose headers are its own: that of openai adds, and replaces by, what the environment says."""

    @property
    def default_headers(self) -> dict[str, str | openai.Omit]:
        return {"Accept": "application/json", "Content-Type": "application/json", "User-Agent": self.user_agent}


def openai_client(settings: CallSettings, key: str | None, http: httpx2.AsyncClient, /) -> openai.AsyncOpenAI:
    """Return a client that tries once, and sends nothing that the environment says.

    Args:
        settings: where it calls.
        key: the API key; without one no request has an Authorization header.
        http: what makes the requests.
    """
    return _Client(
        api_key=key or NO_KEY,  # without one it would look into the environment
        base_url=settings.base_url,
        max_retries=0,
        timeout=settings.timeout_s,
        http_client=http,
    )


def problem_of(settings: CallSettings, /) -> str:
    """Return why no call can be made as settings say: the address, or the key, which is not repeated; "" for nothing.

    >>> problem_of(CallSettings(base_url="http://256.256.256.256/v1"))
    'base_url: no host can be called so, or it is too long'
    """
    try:
        httpx2.URL(settings.base_url)
    except httpx2.InvalidURL:
        return "base_url: no host can be called so, or it is too long"
    if (variable := settings.key_env) is None:
        return ""
    key = os.environ.get(variable)
    if not key:
        return f"key_env: the environment has no {variable}"
    if not key.isascii() or not key.isprintable() or key != key.strip():
        return (
            f"key_env: {variable} holds no key: it has blanks around it, ends of lines, or letters that are not ASCII"
        )
    return ""


def silence() -> None:
    """Keep the libraries that make the requests from logging below warnings, whatever they were told.

    Their records hold addresses, headers and prompts.
    """
    known = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in TALKATIVE]
    for name in {*TALKATIVE, *known}:
        logger = logging.getLogger(name)
        logger.setLevel(max(logging.WARNING, logger.level))


def refuse_uncallable(profiles: Mapping[str, ModelProfile], /) -> None:
    """Raise MooInferError for a profile that does not say how it is called, or so that no call can be made."""
    for name, profile in profiles.items():
        if profile.call is None:
            raise MooInferError(f"{name}: call: missing; a live call needs base_url, model and max_tokens there")
        if problem := problem_of(profile.call):
            raise MooInferError(f"{name}: call: {problem}")
