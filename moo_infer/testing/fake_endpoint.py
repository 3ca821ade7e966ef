"""A fake endpoint that speaks the chat completions of OpenAI over real HTTP, for tests and for trying things out."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from types import TracebackType
from typing import Any

from ..core.errors import MooInferError
from .fake_faults import WAYS, Faults, Plan, Response, bomb, changed, error, refused
from .fake_http import Connection
from .fake_ledger import FakeExchange, Ledger, Usage
from .fake_replies import Answers, FakeRequest, Reply, answered, text_of

__all__ = ["FakeEndpoint"]

BACKLOG = 4096  # connections that wait to be accepted: clients open many at once


class FakeEndpoint:
    """A server on this machine that answers as OpenAI's chat completions do, and knows afterwards what was asked.

    It listens on a free port of 127.0.0.1 while its `with` block runs, in a thread of its own. It writes nothing
    anywhere, and keeps prompts and keys only where `keep` says so.

    Args:
        answers: a function of the `FakeRequest` that gives a text or a `Reply`; or by prompt (the last message) a text,
            a `Reply`, or several texts that are given in turn. A function that gives texts is asked once for each
            choice. It runs in the thread of the server. What it raises is answered with status 500, and raised where
            the block ends.
        faults: names of `FAULTS` with the probability of each, their sum at most 1; or what the first requests meet, in
            the order of their arrival, None for nothing; or a function of the request that gives a name or None.
        seed: of which requests meet a fault.
        delay_s: seconds before an answer, >= 0; a `Reply` may have its own. Refusals by status come at once.
        elsewhere: the base URL that `307` sends clients to.
        retry_after_s: seconds that 429 and 503 ask to wait, >= 0.
        slow_s: seconds that a `slow-stream` takes in all, >= 0.
        bills_500: whether a status 500 comes after the answer was generated, and is billed.
        keep: whether `exchanges` keeps requests and replies.

    Raises:
        MooInferError: for faults that do not exist or cannot be; and at the end of the block, where `answers` failed.

    >>> import json, urllib.request
    >>> with FakeEndpoint({"What is 6 x 7?": "42"}, faults=["429"]) as fake:
    ...     body = {"model": "small", "messages": [{"role": "user", "content": "What is 6 x 7?"}]}
    ...     request = urllib.request.Request(f"{fake.base_url}/chat/completions", json.dumps(body).encode())
    ...     try:
    ...         urllib.request.urlopen(request)
    ...     except urllib.error.HTTPError as error:
    ...         print(error.code, error.headers["Retry-After"])
    ...         error.close()
    ...     with urllib.request.urlopen(request) as response:
    ...         answer = json.load(response)
    429 1
    >>> answer["choices"][0]["message"]["content"], answer["usage"]["prompt_tokens"]
    ('42', 5)
    >>> fake.requests, fake.answered, dict(fake.faults)
    (2, 1, {'429': 1})
    >>> fake.billed_usd({"small": (1e-6, 8e-6)})  # of an input and an output token
    1.3e-05
    """

    def __init__(
        self,
        answers: Answers,
        faults: Faults = (),
        *,
        seed: int = 0,
        delay_s: float = 0.0,
        elsewhere: str | None = None,
        retry_after_s: float = 1.0,
        slow_s: float = 10.0,
        bills_500: bool = False,
        keep: bool = False,
    ) -> None:
        for name, seconds in {"delay_s": delay_s, "retry_after_s": retry_after_s, "slow_s": slow_s}.items():
            if not 0 <= seconds < float("inf"):
                raise MooInferError(f"{name}: must be a number >= 0, got {seconds!r:.40}")
        self._answers, self._plan = answers, Plan(faults, seed, elsewhere=elsewhere is not None)
        self._delay_s, self._retry_after_s, self._slow_s = delay_s, retry_after_s, slow_s
        self._elsewhere, self._bills_500 = elsewhere or "", bills_500
        self._ledger = Ledger(keep=keep)
        self._connections: set[Connection] = set()
        self._failure: Exception | None = None
        self._thread: threading.Thread | None = None
        self._base_url = ""

    def __enter__(self) -> "FakeEndpoint":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()
        if failure is None and self._failure is not None:
            reason = f"the answers of the fake endpoint failed: {type(self._failure).__name__}: {self._failure}"
            raise MooInferError(reason) from self._failure

    def start(self) -> None:
        """Listen; `with` does it.

        Raises:
            MooInferError: where it listens already.
        """
        if self._thread is not None:
            raise MooInferError("the fake endpoint listens already")
        listening: Future[str] = Future()
        thread = threading.Thread(target=self._run, args=(listening,), name="fake endpoint", daemon=True)
        thread.start()
        self._base_url = listening.result()
        self._thread = thread

    def _run(self, listening: "Future[str]") -> None:
        try:
            asyncio.run(self._listen(listening))
        except BaseException as failure:  # who waits for it has to know of any
            if listening.done():
                raise
            listening.set_exception(failure)

    async def _listen(self, listening: "Future[str]") -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._began = time.monotonic()
        server = await self._loop.create_server(self._connection, "127.0.0.1", 0, backlog=BACKLOG)
        listening.set_result(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
        await self._stop.wait()
        server.close()
        for connection in [*self._connections]:
            connection.transport.abort()
        await asyncio.sleep(0)  # connections say good-bye in the next round

    def close(self) -> None:
        """Cut all connections and stop to listen; `with` does it. Nothing happens where it does not listen."""
        if self._thread is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        self._thread = None

    def _connection(self) -> Connection:
        return Connection(self._respond, self._left, self._slow_s, self._connections)

    def _left(self, whole: bool) -> None:
        self._ledger.left(answered=whole)

    def _respond(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Response:
        number = self._ledger.arrived(time.monotonic() - self._began)
        try:
            if method != "POST" or not path.split("?")[0].endswith("/chat/completions"):
                return Response(404, error("there is POST /v1/chat/completions alone"))
            try:
                asked = json.loads(body)
            except ValueError:
                return Response(400, error("the body is no JSON"))
            if wrong := _wrong(asked):
                return Response(400, error(wrong))
            return self._serve(asked, headers, path, number)
        except Exception as failure:  # of somebody's function
            self._failure = self._failure or failure
            return Response(500, error("the answers of the fake endpoint failed"))

    def _serve(self, asked: dict[str, Any], headers: Mapping[str, str], path: str, number: int) -> Response:
        ledger = self._ledger
        model, key = asked["model"], hash((asked["model"], text_of(asked["messages"][-1])))
        request = FakeRequest(asked, headers, path, model, ledger.given[key], ledger.attempts[key], number)
        ledger.attempts[key] += 1
        fault = self._plan.fault(request)
        refusal = None
        if fault is not None:
            ledger.went_wrong(fault)
            refusal = refused(fault, request, self._retry_after_s, self._elsewhere)
            if refusal and not (self._bills_500 and fault == "500"):
                return self._kept(refusal, request, None, fault)
        reply = answered(self._answers, request)
        if fault is not None:
            reply = changed(reply, fault, request)
        reply = reply.filled(request)
        ledger.given[key] += len(reply.texts)
        ledger.generated(number, request.model, reply)
        response = refusal or self._response(reply, request, fault)
        return self._kept(response, request, reply, fault)

    def _kept(self, response: Response, request: FakeRequest, reply: Reply | None, fault: str | None) -> Response:
        if self._ledger.keep:
            self._ledger.exchanges.append(FakeExchange(request, reply, fault))
        return response

    def _response(self, reply: Reply, request: FakeRequest, fault: str | None) -> Response:
        body, headers = reply.body, reply.headers
        if body is None:
            body = json.dumps(reply.json(request.total, request.model)).encode()
        if fault == "truncated-json":
            body = body[: len(body) // 2]
        elif fault == "gzip-bomb":
            body, headers = bomb(body), {**headers, "Content-Encoding": "gzip"}
        delay_s = self._delay_s if reply.delay_s is None else reply.delay_s
        return Response(reply.status, body, headers, delay_s, WAYS.get(fault, "whole") if fault else "whole")

    @property
    def base_url(self) -> str:
        """What clients are given, as `http://127.0.0.1:49152/v1`.

        Raises:
            MooInferError: where it does not listen.
        """
        if self._thread is None:
            raise MooInferError("the fake endpoint does not listen: use it in a `with` block")
        return self._base_url

    @property
    def requests(self) -> int:
        """How many requests of HTTP arrived and were read to their end, whatever became of them."""
        return len(self._ledger.arrivals)

    @property
    def answered(self) -> int:
        """How many got a whole response with status 200, whatever stood in it, while their client was there."""
        return self._ledger.answered

    @property
    def faults(self) -> Mapping[str, int]:
        """How often each fault was met."""
        with self._ledger.lock:
            return Counter(self._ledger.faults)

    @property
    def usages(self) -> Mapping[str, Usage]:
        """What was generated, by model: requests and tokens."""
        with self._ledger.lock:
            return {model: replace(usage) for model, usage in self._ledger.usages.items()}

    @property
    def in_flight(self) -> int:
        """How many requests arrived and have not left: neither answered nor given up."""
        return self._ledger.in_flight

    @property
    def most_in_flight(self) -> int:
        """The most that were in flight at a time."""
        return self._ledger.most_in_flight

    @property
    def arrivals_s(self) -> Sequence[float]:
        """When each request had arrived, in seconds after `start`, ascending."""
        with self._ledger.lock:
            return self._ledger.arrivals.tolist()

    @property
    def exchanges(self) -> Sequence[FakeExchange]:
        """Requests and replies in the order in which they came; empty without `keep`."""
        with self._ledger.lock:
            return tuple(self._ledger.exchanges)

    def busiest(self, seconds: float = 60.0) -> tuple[int, int]:
        """Return the most requests, and the most tokens read and written for them, that came within so many seconds."""
        return self._ledger.busiest(seconds)

    def billed_usd(self, prices: Mapping[str, tuple[float, ...]]) -> float:
        """Return what a provider asks for who bills all that was generated, also what was cut, dropped or never sent.

        What is refused by its status (429, 3xx, 4xx, 503, 500 but for `bills_500`) generates nothing.

        Args:
            prices: by model, dollars of an input token, of an output token, and of an input token from a cache where
                that has a price of its own.

        Raises:
            MooInferError: for a model that was asked and has no price.
        """
        return self._ledger.billed_usd(prices)

    def clear(self) -> None:
        """Forget all requests, and begin to count anew: numbers of texts and a list of faults too."""
        self._ledger.clear()


def _wrong(asked: object) -> str:
    """Return what a body lacks, or "" where it can be served."""
    if not isinstance(asked, dict) or not isinstance(asked.get("model"), str):
        return "the body must be an object with a model"
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(message, dict) for message in messages):
        return "messages must be objects, at least one"
    for name in ("n", "max_tokens", "max_completion_tokens"):
        value = asked.get(name)
        if value is not None and (type(value) is not int or value < 1):
            return f"{name} must be a whole number >= 1"
    return "there is no streaming here" if asked.get("stream") else ""
