"""Calls models behind any server that speaks the chat completions of OpenAI's API."""

import asyncio
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING

from ...core.arguments import check_fields
from ...core.call_settings import CallSettings
from ...core.errors import unknown
from ...core.parts import at_least_one
from ...profiles import ModelProfile
from ...read.price import Price
from ...read.profile_prices import price_of
from .calls import LiveCall, Nobody, Recorder, Within
from .completion import Completion, Garbled, read_completion
from .faults import Fault, fault_of, garbled
from .inference import CANCELLED, Inference, Stopped
from .ledger import Ledger
from .pace import Pace
from .packages import refuse_without_packages
from .prices import Tariff, refuse_unpriced
from .question import Question

if TYPE_CHECKING:
    import httpx2
    import openai

__all__ = ["OpenAIEndpoint"]

FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0  # seconds before the second try, doubled with every further one, and their end
PARALLELISM = 8


@dataclass(eq=False)
class OpenAIEndpoint:
    """Calls models of profiles that say how, by the field ``call`` of each; an `Endpoint`.

    Money is bounded before: the largest price of a request is set aside before it is sent, retries anew. Prompts count
    as many tokens as they have bytes, outputs `max_tokens`. What comes is not trusted: no redirect is followed, no
    endless body read, no error repeated in the words of a server.

    Args:
        profiles: by name; those that are called need ``call``.
        prices: by name, in place of what the profiles say.
        ledger: the budget of all calls together.
        parallelism: requests on their way at once, >= 1.
        unpriced: whether models are called whose largest price is not known; it counts as nothing then.
        recorder: who is told of every request.
        ids: numbers of calls.
        seed: of the waits between tries.

    Raises:
        MooInferError: for a profile that does not say how it is called, one whose calls have no largest price, and a
            key that is not in the environment, or that no header can hold.

    An asynchronous context manager, which closes the connections.
    """

    profiles: Mapping[str, ModelProfile]
    prices: Mapping[str, Price] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    parallelism: int = PARALLELISM
    unpriced: bool = False
    recorder: Recorder = field(default_factory=Nobody)
    ids: Iterator[int] = field(default_factory=count)
    seed: int = 0
    _answered: bool = field(default=False, init=False)
    _given_up: int = field(default=0, init=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        check_fields(self, names=("profiles", "prices", "unpriced", "seed"))
        at_least_one(self.parallelism, "parallelism")
        own = {name: price for name, profile in self.profiles.items() if (price := price_of(profile)) is not None}
        self.prices = own | dict(self.prices)
        refuse_without_packages()
        from .transport import refuse_uncallable

        refuse_uncallable(self.profiles)
        if not self.unpriced:
            refuse_unpriced(self.profiles, self.prices)
        self._random = random.Random(self.seed)

    async def __aenter__(self) -> "OpenAIEndpoint":
        return self

    async def __aexit__(self, *_: object) -> None:
        if "_http" in self.__dict__:
            await self._http.aclose()

    @property
    def load(self) -> int:
        """How many requests are on their way."""
        return self.ledger.open

    def split(self, model: str, times: int, /) -> Sequence[int]:
        """Return the sizes of the requests that bring inferences: one of all with shape ``n``, or one for each."""
        return [times] if self._settings(model).shape == "n" else [1] * times

    def within(self, most_usd: float, /) -> Within:
        """Return an endpoint that spends no more than so many dollars."""
        return Within(self, Ledger(most_usd))

    def largest_usd(self, model: str, question: Question, times: int, /) -> float | None:
        """Return what the inferences cost at most, each asked for once; None where that is not known."""
        settings, tariff = self._settings(model), self._tariffs.get(model)
        if tariff is None or settings.max_tokens is None:
            return None
        tokens = settings.most_input_tokens(settings.messages(question.fields))
        return sum(tariff.largest_usd(tokens, settings.max_tokens * n) for n in self.split(model, times))

    async def __call__(self, model: str, question: Question, times: int, /) -> Sequence[Inference]:
        """Call a model, again where that brings nothing.

        Raises:
            OverBudget: where the largest price of a request does not fit into the budget any more.
            Stopped: where the server refuses the key, or has never answered, and where no further call may be made.
        """
        return await self.called(model, question, times, (self.ledger,))

    async def called(
        self, model: str, question: Question, times: int, ledgers: tuple[Ledger, ...], /
    ) -> Sequence[Inference]:
        """Call a model within several budgets."""
        self._enter_loop()
        settings = self._settings(model)
        messages = settings.messages(question.fields)
        tokens = settings.most_input_tokens(messages)
        most_out = None if settings.max_tokens is None else settings.max_tokens * times
        tariff = self._tariffs.get(model)
        most_usd = 0.0 if tariff is None or most_out is None else tariff.largest_usd(tokens, most_out)
        call_id = f"{self._hashes[model]}-{next(self.ids)}"
        call = LiveCall(model, question, times, messages, (tokens, most_out), most_usd, ledgers, call_id)
        try:
            return await self._tried(call, settings)
        except asyncio.CancelledError as error:
            if error.args != (CANCELLED,):
                raise
            if task := asyncio.current_task():
                task.uncancel()  # who cancelled wants to know what it cost, and goes on
            return call.without_text(CANCELLED)

    async def _tried(self, call: LiveCall, settings: CallSettings) -> Sequence[Inference]:
        """Make requests until one brings something, or there were enough."""
        fault = Fault("no request was made")
        for attempt in range(settings.tries):
            if attempt:
                await self.ledger.pause(min(self._wait(attempt, fault), settings.timeout_s))
            result = await self._requested(call, settings)
            if not isinstance(result, Fault):
                return result
            fault = result
            if fault.stops:
                self.ledger.close(Stopped("endpoint", f"{call.model}: {fault.why}; no further call is made"))
                raise self.ledger.stop or AssertionError
            if not fault.again:
                break
        if not self._answered and fault.again:
            self._given_up += 1
            if self._given_up >= self.parallelism:
                told = f"{call.model}: nothing was answered, and the first {self._given_up} calls were given up"
                self.ledger.close(Stopped("endpoint", f"{told}: {fault.why}"))
        return call.without_text(fault.why, latency_s=self._seconds(call))

    def _wait(self, attempt: int, fault: Fault) -> float:
        """Seconds before another try."""
        if fault.retry_after is not None:
            return fault.retry_after
        return min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (attempt - 1)) * self._random.uniform(0.5, 1.0)

    async def _requested(self, call: LiveCall, settings: CallSettings) -> Sequence[Inference] | Fault:
        """Make one request, within rates and budgets."""
        clock = asyncio.get_running_loop().time
        client = self._clients[call.model]  # before the clock runs: to make the first one takes half a second
        async with self._slots:
            pace = self._paces[call.model]
            tokens = float(call.most_tokens[0] + (call.most_tokens[1] or 0))
            await self._ready(call, pace, tokens)
            spent = 0.0
            try:
                at = datetime.now(UTC).isoformat(timespec="milliseconds")
                self.recorder.sent(call.id, call.model, call.question, call.times, call.most_usd, at)
                spent = call.most_usd  # what counts from now on, unless something better is known
                call.started, call.started_at = call.started or clock(), call.started_at or at
                call.requests += 1
                sent = pace.send(clock(), tokens)
                response = await self._sent(client, call, settings)
                if isinstance(response, Fault):
                    billed = response.billed and (settings.billed_when_cancelled or not response.broken_off)
                    spent = call.most_usd if billed else 0.0
                    self._lost(call, spent)
                    return response
                self._answered = True
                spent = self._usd(call, response)
                used = response.usage
                pace.correct(sent, float(used.input_tokens + used.output_tokens) if used else tokens)
                return self._checked(call, response, spent)
            except asyncio.CancelledError:
                spent = call.most_usd if settings.billed_when_cancelled else 0.0
                self._lost(call, spent)
                raise
            finally:
                _settle(call, spent)

    def _lost(self, call: LiveCall, spent: float) -> None:
        call.lost_usd += spent
        self.recorder.lost(call.id, spent)

    async def _ready(self, call: LiveCall, pace: Pace, tokens: float) -> None:
        """Wait for the rate and for money; who waited for money may have to wait for the rate again."""
        clock = asyncio.get_running_loop().time
        while True:
            await pace.wait(clock, self.ledger.pause, tokens)
            await self._reserved(call)
            if pace.delay(clock(), tokens) <= 0:
                return
            _settle(call, 0.0)

    async def _reserved(self, call: LiveCall) -> None:
        """Set the largest price aside in every budget, or in none."""
        held: list[Ledger] = []
        try:
            for ledger in call.ledgers:
                await ledger.reserve(call.most_usd)
                held.append(ledger)
        except BaseException:
            for ledger in held:
                ledger.settle(call.most_usd, 0.0)
            raise

    async def _sent(self, client: "openai.AsyncOpenAI", call: LiveCall, settings: CallSettings) -> Completion | Fault:
        """Send one request, and read what comes."""
        from httpx2 import Response

        body = {**settings.body(), "messages": call.messages, **({"n": call.times} if settings.shape == "n" else {})}
        failure: BaseException | None = None
        try:
            async with asyncio.timeout(settings.timeout_s):
                response = await client.post(
                    "/chat/completions",
                    cast_to=Response,
                    body=body,
                    options={"params": dict(settings.extra_query)},
                )
            return read_completion(response.content, settings.text_limit)
        except Garbled:
            return garbled()
        except Exception as error:  # whatever it is, its words may be the server's
            failure = error
        fault = fault_of(failure, settings.timeout_s)
        return Completion(((None, fault.why),) * call.times, None) if fault.answered else fault

    def _usd(self, call: LiveCall, completion: Completion) -> float:
        """Dollars of a response: by its usage, or at most."""
        tariff, used = self._tariffs.get(call.model), completion.usage
        if used is None or tariff is None:
            return call.most_usd
        return tariff.usd(used.input_tokens, used.output_tokens, used.cached_input_tokens or 0)

    def _checked(self, call: LiveCall, completion: Completion, spent: float) -> Sequence[Inference]:
        """Return the inferences of a response; a server that bills more than it may breaks every bound, so stop."""
        used, (most_in, most_out) = completion.usage, call.most_tokens
        if used and (used.input_tokens > most_in or (most_out is not None and used.output_tokens > most_out)):
            told = f"{used.input_tokens} and {used.output_tokens} tokens, where {most_in} and {most_out} are the most"
            self.ledger.close(Stopped("endpoint", f"{call.model}: the server bills {told}; no further call is made"))
        known = self.prices.get(call.model) is not None and (used is not None or most_out is not None)
        return completion.inferences(
            call.times,
            spent if known else None,
            latency_s=self._seconds(call),
            lost_usd=call.lost_usd,
            requests=call.requests,
            call=call.id,
            started_at=call.started_at,
        )

    def _seconds(self, call: LiveCall) -> float | None:
        return None if call.started is None else asyncio.get_running_loop().time() - call.started

    def _settings(self, model: str) -> CallSettings:
        if model not in self.profiles:
            raise unknown("model", model, self.profiles)
        settings = self.profiles[model].call
        assert settings is not None  # as `__post_init__` has seen
        return settings

    @cached_property
    def _tariffs(self) -> dict[str, Tariff]:
        return {name: Tariff.of(price) for name, price in self.prices.items()}

    @cached_property
    def _hashes(self) -> dict[str, str]:
        return {name: self._settings(name).sent_hash for name in self.profiles}

    def _enter_loop(self) -> None:
        """Forget connections and locks of an event loop that ended: they are of no use in another one."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop = loop
            for name in ("_slots", "_http", "_clients"):
                self.__dict__.pop(name, None)
            self.ledger.wake()

    @cached_property
    def _slots(self) -> asyncio.Semaphore:
        return asyncio.Semaphore(self.parallelism)

    @cached_property
    def _paces(self) -> dict[str, Pace]:
        """By profile; variants of a model behind one server share the rates of that model."""
        shared: dict[tuple[object, ...], Pace] = {}
        paces = {}
        for name in self.profiles:
            of = self._settings(name)
            rates = (of.requests_per_minute, of.tokens_per_minute)
            paces[name] = shared.setdefault((of.base_url, of.key_env, of.model, *rates), Pace(*rates))
        return paces

    @cached_property
    def _http(self) -> "httpx2.AsyncClient":
        from .transport import http_client, silence

        silence()
        return http_client(self.parallelism)

    @cached_property
    def _clients(self) -> "dict[str, openai.AsyncOpenAI]":
        """By profile."""
        from .transport import openai_client

        keys = {name: os.environ.get(self._settings(name).key_env or "") for name in self.profiles}
        return {name: openai_client(self._settings(name), key, self._http) for name, key in keys.items()}


def _settle(call: LiveCall, spent: float) -> None:
    """Give back what was set aside for a request, and count what it cost."""
    for ledger in call.ledgers:
        ledger.settle(call.most_usd, spent)
