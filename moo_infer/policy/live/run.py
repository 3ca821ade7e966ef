"""A policy, or plain sampling, over many questions: budgets kept, every inference a row, nothing paid twice."""

import asyncio
import math
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any, ClassVar

import numpy as np

from ...core.seen import Answer, Call, Seen
from ...interfaces import Policy
from ...profiles import ModelProfile
from ...read.price import Price
from ...registry import Registry
from ..budget import Spread
from ..decisions import most_calls
from .course import BOUGHT, Sample
from .grants import Grants
from .inference import Inference, Stopped
from .journal import synced
from .ledger import Ledger, OverBudget
from .openai_endpoint import OpenAIEndpoint
from .outcome import ANSWERED, Judge, LiveQuery, Outcome
from .question import Question
from .resume import Files
from .rows import row_of
from .tally import RunResult, Tally, answer_line

__all__ = ["AtOnce", "LiveRun"]

GRACE_S = 30.0  # that calls on their way are awaited once a run is told to stop

Told = Callable[[str], None]


@dataclass(frozen=True)
class AtOnce(Policy):
    """All calls of several models at once, whatever they say: plain sampling.

    Args:
        calls: by model, how often.
    """

    name: ClassVar[str] = "at-once"

    calls: Mapping[str, int]

    @property
    def most(self) -> Mapping[str, int]:
        """All of them."""
        return self.calls

    def decide(self, seen: Seen, /) -> Call | Answer:
        """Call, then answer."""
        return Answer("one-call") if any(map(seen.n, self.calls)) else Call(self.calls)


@dataclass(eq=False)
class LiveRun:
    """A run over many questions.

    Args:
        policy: who decides; `AtOnce` for plain sampling.
        questions: in their order; each has another id.
        profiles: by name, those that are called.
        prices: by name.
        judges: by model, who reads and judges what it writes.
        registry: where aggregators are looked up.
        files: log, journal and answers.
        parallelism: requests on their way at once, over all questions, >= 1.
        budget: USD that the run may spend, what was spent before it was stopped too; None for no limit.
        unpriced: whether models are called whose largest price is not known.
        explore: share of the questions, drawn at random, of which all calls are made at once, in [0, 1].
        most_usd, most_seconds: dollars and seconds of one question at most; None for no limit.
        spread: how the questions share the budget, in their order; None where each may take all that is left.
        seed: of random choices.
        told: told what is to be known, in sentences.
        progress: told (done, total, money and accuracy so far) after every question.
    """

    policy: Policy
    questions: Sequence[Question]
    profiles: Mapping[str, ModelProfile]
    prices: Mapping[str, Price]
    judges: Mapping[str, Judge]
    registry: Registry
    files: Files
    parallelism: int = 8
    budget: float | None = None
    unpriced: bool = False
    explore: float = 0.0
    most_usd: float | None = None
    most_seconds: float | None = None
    spread: Spread | None = None
    seed: int = 0
    told: Told = field(default=lambda sentence: None)
    progress: Callable[[int, int, str], None] | None = None
    _tally: Tally = field(init=False)
    _stopped: dict[str, list[Sample]] = field(default_factory=dict, init=False)
    _lost: Mapping[str, float] = field(default_factory=dict, init=False)  # by question, of calls without a row
    _grants: Grants | None = field(default=None, init=False)
    _broken: BaseException | None = field(default=None, init=False)

    def go(self) -> RunResult:
        """Run to the end, or until something stops it.

        Raises:
            MooInferError: for a policy that decides what it may not, and for files of another run.
        """
        self._tally = Tally(len(self.questions), delivers=not isinstance(self.policy, AtOnce))
        with self.files:
            before = self.files.read(self.questions, self.told)
            for samples in before.values():
                self._tally.count(samples)
            self._lost = self.files.journal.lost_by_question()
            self._grants = Grants.of(self.spread, self.budget, self.questions, self.files.journal, self.told)
            result = asyncio.run(self._run(before))
        places = {question.id: place for place, question in enumerate(self.questions)}
        self._tally.unanswered.sort(key=places.__getitem__)
        if self._broken:
            raise self._broken
        return result

    async def _run(self, before: dict[str, list[Sample]]) -> RunResult:
        journal = self.files.journal
        ledger = Ledger(self.budget, self._tally.spent_usd + journal.lost_usd)
        endpoint = OpenAIEndpoint(
            self.profiles,
            self.prices,
            ledger,
            self.parallelism,
            self.unpriced,
            journal,
            count(journal.calls),
            self.seed,
        )
        syncing = asyncio.create_task(synced(self.files.all, ledger.close))
        open_ones = iter(self.questions)
        explored = self._explored()
        async with endpoint:
            workers = [
                asyncio.create_task(self._work(open_ones, before, endpoint, ledger, explored))
                for _ in range(min(self.parallelism, len(self.questions)))
            ]
            with self._signals(ledger, workers):
                await asyncio.gather(*workers, return_exceptions=True)
        syncing.cancel()
        await asyncio.gather(syncing, return_exceptions=True)
        self._broken = self._broken or next((e for w in workers if not w.cancelled() and (e := w.exception())), None)
        for question in open_ones:  # workers that were cancelled have left some
            self._leave(question, before.pop(question.id, []))
        self._write(ledger, *(answer_line(name, None, held) for name, held in self._stopped.items()))
        self.files.sync(ledger.close)
        stop = ledger.stop
        return RunResult(
            self._tally,
            journal.lost_requests,
            journal.lost_usd,
            stop.reason if stop else None,
            stop.sentence if stop else "",
            self.files.resumed,
        )

    async def _work(
        self,
        open_ones: Iterator[Question],
        before: dict[str, list[Sample]],
        endpoint: OpenAIEndpoint,
        ledger: Ledger,
        explored: frozenset[str],
    ) -> None:
        """Take one question after the other."""
        for question in open_ones:
            samples = before.pop(question.id, [])
            held = list(samples)
            query = LiveQuery(self.policy, endpoint, self.judges, self.registry, lambda q, s: self._record(q, s, held))  # noqa: B023
            try:
                left = self._left_usd(question, ledger)
                outcome = await self._outcome(query, question, samples, left, explore=question.id in explored)
                self._tally.end(question.id, outcome)
                if self._grants:
                    self._grants.settle(question, held)
                self._write(ledger, answer_line(question.id, outcome))
            except OverBudget as error:
                ledger.close(Stopped("budget", str(error)))
                self._leave(question, held)
            except Stopped as error:
                ledger.close(error)
                self._leave(question, held)
            except asyncio.CancelledError:
                self._leave(question, held)
                raise
            except Exception as error:
                ledger.close(Stopped("error", str(error)))
                self._broken = self._broken or error
                self._leave(question, held)
            if self.progress:
                spent = self.files.journal.lost_usd + self._tally.spent_usd
                self.progress(self._tally.done, len(self.questions), self._tally.in_short(spent))

    def _left_usd(self, question: Question, ledger: Ledger) -> float | None:
        """Dollars that a question may take beside those that it lost before; None for no limit."""
        most = self.most_usd if self._grants is None else self._grants.most_usd(question, self.most_usd, ledger.stop)
        return None if most is None else most - self._lost.get(question.id, 0.0)

    async def _outcome(
        self, query: LiveQuery, question: Question, samples: Sequence[Sample], left: float | None, *, explore: bool
    ) -> Outcome:
        limits: dict[str, Any] = {"most_usd": left, "most_seconds": self.most_seconds}
        if not explore:
            return await query.outcome(question, samples, seed=self.seed, **limits)
        all_at_once = replace(query, policy=AtOnce(most_calls(self.policy)))
        bought = await all_at_once.outcome(question, samples, seed=self.seed, **limits)
        held = [
            replace(sample, wave=BOUGHT) for step in bought.trace for sample in step.samples if not sample.cancelled
        ]
        looked = replace(query, endpoint=_Nobody(), record=lambda question, samples: None)
        outcome = await looked.outcome(question, held, seed=self.seed, most_usd=math.inf)
        ending = outcome.ending if outcome.ending == ANSWERED else bought.ending
        return replace(outcome, spent=bought.spent, course=bought.course, ending=ending)

    def _explored(self) -> frozenset[str]:
        """The ids of the questions of which all calls are made at once."""
        n = len(self.questions)
        order = np.random.default_rng([self.seed, 13]).permutation(n)
        return frozenset(self.questions[i].id for i in order[: round(self.explore * n)])

    def _record(self, question: Question, samples: Sequence[Sample], held: list[Sample]) -> None:
        """Write the rows of samples, before anything is decided by them."""
        for call, rows in Counter(sample.inference.call for sample in samples).items():
            self.files.journal.brings(call, rows)
        self.files.log.add(*(row_of(question, sample, self.files.variants) for sample in samples))
        for call in {sample.inference.call for sample in samples}:
            self.files.journal.ended(call)
        self._tally.count(samples)
        held.extend(samples)
        if self.files.texts:  # at last: what was paid for has its row, whatever becomes of this file
            self.files.texts.add(*(self._text(question, sample) for sample in samples))

    def _text(self, question: Question, sample: Sample) -> dict[str, Any]:
        """Return prompt and completion of a sample."""
        call = self.profiles[sample.model].call
        return {
            "question_id": question.id,
            "model": sample.model,
            "sample": sample.number,
            "call": sample.inference.call,
            "messages": call.messages(question.fields) if call else [],
            "text": sample.inference.text,
        }

    def _leave(self, question: Question, held: list[Sample]) -> None:
        """Take down that a question did not come to its end."""
        self._tally.unanswered.append(question.id)
        self._stopped[question.id] = held

    def _write(self, ledger: Ledger, *lines: Mapping[str, Any]) -> None:
        """Write lines of answers; where the disk takes no more the question has its answer all the same."""
        try:
            if self.files.answers:
                self.files.answers.add(*lines)
        except Stopped as error:
            ledger.close(error)

    @contextmanager
    def _signals(self, ledger: Ledger, workers: Sequence["asyncio.Task[None]"]) -> Iterator[None]:
        """Stop softly when told to: no new calls, those on their way are awaited for a while."""
        loop, told = asyncio.get_running_loop(), False

        def leave() -> None:
            for worker in workers:
                worker.cancel()

        def stop() -> None:
            nonlocal told
            if told:
                leave()
                return
            told = True
            ledger.close(Stopped("signal", "stopped by a signal"))
            self.told(f"stopping: calls on their way are awaited for up to {GRACE_S:g} s; a second signal ends that")
            loop.call_later(GRACE_S, leave)

        before = {}
        try:
            for number in (signal.SIGINT, signal.SIGTERM):
                handler = signal.getsignal(number)
                if handler != signal.SIG_IGN:  # a shell may have them ignored
                    loop.add_signal_handler(number, stop)
                    before[number] = handler
        except (ValueError, NotImplementedError, RuntimeError):
            before = {}  # not in the main thread: whoever runs there sees to signals
        try:
            yield
        finally:
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)


@dataclass(eq=False)
class _Nobody:
    """Whom an explored question calls: what was not bought at once, its limits did not let it have."""

    ledger: Ledger = field(default_factory=Ledger)

    def within(self, most_usd: float, /) -> "_Nobody":
        """Return the same: there is nothing to spend on."""
        return self

    async def __call__(self, model: str, question: Question, times: int, /) -> Sequence[Inference]:
        """Bring nothing."""
        raise OverBudget(self.ledger, f"{times} more calls of {model!r} were decided than were made at once")
