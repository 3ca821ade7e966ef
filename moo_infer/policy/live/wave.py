"""One decision carried out: calls that are made at once, and what came of them."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ...core.errors import MooInferError
from ...core.objectives import LATENCY
from ...core.seen import Answer, Call
from ...interfaces import Policy
from ..decisions import decision, most_calls
from .course import BOUGHT, Course, Sample
from .inference import CANCELLED, Endpoint, Inference
from .ledger import Ledger, OverBudget

__all__ = ["MONEY", "SECONDS", "Deadline", "Wave", "waits_in_vain"]

MONEY, SECONDS = "money", "seconds"  # limits that end a question

TakeIn = Callable[[Course, str, Sequence[Inference]], Coroutine[Any, Any, None]]


@dataclass(frozen=True)
class Deadline:
    """Seconds that a question may take."""

    most: float | None
    start: float = field(default_factory=lambda: asyncio.get_running_loop().time())

    @property
    def seconds(self) -> float:
        """The limit; 0 where there is none."""
        return self.most or 0.0

    def left(self, course: Course) -> float | None:
        """Seconds that are left: those of earlier runs, by its samples, count too."""
        if self.most is None:
            return None
        return self.most - max(asyncio.get_running_loop().time() - self.start, course.spent()[LATENCY.name])

    def over(self, course: Course) -> bool:
        """Whether nothing is left."""
        left = self.left(course)
        return left is not None and left <= 0


@dataclass(eq=False)
class Wave:
    """Carries out the decisions of a policy, one after the other.

    Args:
        policy: who decides.
        endpoint: what calls.
        course: the question.
        take_in: reads, judges and records what came.
        stock: samples of an earlier run, which take the place of calls.
        budget: that of the question; None for none. What does not fit into another one stops more than the question.
        answer: what a policy that is asked after every arrival has answered, whatever came after that.
    """

    policy: Policy
    endpoint: Endpoint
    course: Course
    take_in: TakeIn
    stock: list[Sample]
    budget: Ledger | None = None
    answer: Answer | None = field(default=None, init=False)
    _over: bool = field(default=False, init=False)  # whether the budget of the question is
    _ended: bool = field(default=False, init=False)  # whether nothing is waited for any more

    async def run(self, call: Call, seconds: float | None, /) -> str:
        """Make calls, and wait for what they bring; return the limit that ends the question, or "".

        Args:
            call: which models, how often.
            seconds: after which those on their way are cancelled; None for no limit.
        """
        if not call.times:
            raise waits_in_vain(self.policy)
        self._ended = False
        self.course.begin(call.times)
        there = [sample for model, times in call.times.items() for sample in self._from_stock(model, times)]
        self.course.add(there)
        if any(sample.cancelled for sample in there):  # it ended before
            return "" if self._answers() else SECONDS
        tasks = [
            asyncio.create_task(self._bring(model, size))
            for model, times in call.times.items()
            if (left := int(times) - sum(sample.model == model for sample in there)) > 0
            for size in self._split(model, left)
        ]
        try:
            waited = self._until_answered(tasks, seconds) if self.policy.arrivals else _until_all(tasks, seconds)
            in_time = await waited
            await self._end(tasks)
        except BaseException:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            raise
        if not in_time:
            return SECONDS
        return MONEY if self._over and not self._answers() else ""

    def _answers(self) -> bool:
        """Whether a policy that is asked after every arrival answers now, whatever is still on its way."""
        if not self.policy.arrivals or all(sample.cancelled for sample in self.course.steps[-1].samples):
            return False
        decided = decision(self.policy, self.course.seen(), most_calls(self.policy))
        if not isinstance(decided, Answer) and decided.times:
            raise MooInferError(f"policy {self.policy.name!r} calls some more while others are on their way")
        self.answer = decided if isinstance(decided, Answer) else None
        return self.answer is not None

    async def _until_answered(self, tasks: Iterable[asyncio.Task[None]], seconds: float | None) -> bool:
        """Wait for one after the other, until the policy answers; whether that was in time."""
        pending = set(tasks)
        loop = asyncio.get_running_loop()
        end = None if seconds is None else loop.time() + seconds
        while True:
            if self._answers():
                return True
            if not pending:
                return True
            left = None if end is None else max(0.0, end - loop.time())
            done, pending = await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                return False

    async def _end(self, tasks: Sequence[asyncio.Task[None]]) -> None:
        """Cancel what is on its way, and raise what went wrong, once nothing is."""
        self._ended = True
        for task in tasks:
            task.cancel(CANCELLED)
        await asyncio.gather(*tasks, return_exceptions=True)
        errors = [error for task in tasks if not task.cancelled() and (error := task.exception())]
        for error in errors:
            if not (isinstance(error, OverBudget) and error.ledger is self.budget):
                raise error
        self._over = bool(errors)

    async def _bring(self, model: str, times: int) -> None:
        """Call a model until so many inferences came."""
        while times > 0:
            inferences: Sequence[Inference] = [Inference(why=CANCELLED, failed=True, requests=0)] * times
            with _cancelled_alone():
                if not self._ended:
                    inferences = await self.endpoint(model, self.course.question, times)
            if not inferences:
                raise MooInferError(
                    f"the endpoint brought nothing for {times} calls of {model!r}; one at least is needed"
                )
            if strangers := [of for of in inferences if not isinstance(of, Inference)]:
                raise MooInferError(f"the endpoint must bring each answer as an Inference, got {strangers[0]!r:.40}")
            await _to_its_end(self.take_in(self.course, model, list(inferences)[:times]))
            times -= len(inferences)

    def _split(self, model: str, times: int) -> Sequence[int]:
        split = getattr(self.endpoint, "split", None)
        return [times] if split is None else split(model, times)

    def _from_stock(self, model: str, times: int) -> list[Sample]:
        """Take samples of an earlier run, those of this decision, in their order."""
        wave = len(self.course.steps) - 1
        there = [sample for sample in self.stock if sample.model == model and sample.wave in (wave, BOUGHT)][
            : int(times)
        ]
        taken = {id(sample) for sample in there}
        self.stock = [sample for sample in self.stock if id(sample) not in taken]
        return there


def waits_in_vain(policy: Policy, /) -> MooInferError:
    """Say that nothing is on its way any more."""
    return MooInferError(f"policy {policy.name!r} waits for more answers after all of them arrived")


async def _until_all(tasks: Sequence[asyncio.Task[None]], seconds: float | None) -> bool:
    """Wait for all; whether that was in time."""
    if not tasks:
        return True
    _, pending = await asyncio.wait(tasks, timeout=seconds)
    return not pending


async def _to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Wait for what must not be left half done, although it is cancelled meanwhile: it was paid for."""
    task = asyncio.create_task(work)
    while not task.done():
        with _cancelled_alone():
            await asyncio.shield(task)
    task.result()


@contextmanager
def _cancelled_alone() -> Iterator[None]:
    """Go on where a call is cancelled because nobody waits for its answer; whatever else stops the work, does."""
    try:
        yield
    except asyncio.CancelledError as error:
        if error.args != (CANCELLED,):
            raise
        if task := asyncio.current_task():
            task.uncancel()
