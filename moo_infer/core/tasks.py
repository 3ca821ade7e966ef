"""Runs a function on many items with any `concurrent.futures.Executor`: every item once, whatever happens to a worker.

What a task gives depends on its function and its item alone, so that results do not depend on who made them, or in
which order.
"""

import os
import pickle
import platform
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from threading import Lock
from typing import Any, Generic, TypeVar

from .errors import MooInferError
from .parcels import Parcel, packed

__all__ = ["Workers", "restarting", "run_tasks"]

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT = 256  # tasks that are with the workers at a time: enough for a cluster, few enough to keep in memory
REPEATS = 3  # of one task after the death of a worker: who dies at the fourth attempt too would do so for ever
RECORDING = Lock()  # of warnings, which is for all threads of a worker: Python has one list of filters


def restarting(executor: Executor | None) -> Executor | None:
    """Return an executor that survives the death of a worker; of other kinds than pools of processes, itself."""
    if executor is None:
        return None
    from .process_pool import ProcessPool, ProcessPoolExecutor  # takes a moment to load, and most runs have none

    return ProcessPool.of(executor) if isinstance(executor, ProcessPoolExecutor) else executor


def run_tasks(
    function: Callable[[Item], Result], items: Iterable[Item], executor: Executor | None, *, ordered: bool = True
) -> Iterator[tuple[int, Result]]:
    """Call a function on every item, and yield (number of the item, result).

    Warnings of the workers are given here. Items are taken as they are needed, a few hundred ahead.

    Args:
        function: what is done, picklable where there is an executor. A worker may keep it from task to task, so that
            what it remembers must not change results.
        items: what it is done to, likewise.
        executor: who does it; None for this process, one item after the other.
        ordered: whether results come in the order of the items, and not as they are ready.

    Raises:
        MooInferError: for what does not pickle, and where workers are of another version, lack a package, or die again
            and again. What the function raises is raised here too.

    >>> dict(run_tasks(len, ["a", "bcd"], None))
    {0: 1, 1: 3}
    """
    if executor is None:
        yield from ((i, function(item)) for i, item in enumerate(items))
        return
    tasks: _Tasks[Item] = _Tasks(executor, packed(function), {}, {})
    done: dict[int, Any] = {}
    following = 0
    try:
        for i, result in tasks.results(enumerate(items)):
            if not ordered:
                yield i, result
                continue
            done[i] = result
            while following in done:
                yield following, done.pop(following)
                following += 1
    finally:
        tasks.cancel()
        _kept.cache_clear()  # where threads of this process were the workers


@dataclass(frozen=True, eq=False)
class Workers:
    """Who does tasks; copies and pickles are without the executor, so that this process does them there.

    Args:
        executor: as in `run_tasks`.
    """

    executor: Executor | None = None

    def __getstate__(self) -> dict[str, None]:
        return {"executor": None}

    def run(
        self, function: Callable[[Item], Result], items: Iterable[Item], /, *, together: int = 1
    ) -> Iterator[Result]:
        """Yield the results in the order of the items; see `run_tasks`.

        Args:
            function: what is done.
            items: what it is done to.
            together: how many items make a task; what these share is sent and computed once.
        """
        if self.executor is None:
            return map(function, items)
        rest = iter(items)
        pieces = iter(lambda: tuple(islice(rest, together)), ())
        tasks = run_tasks(_ForEach(function), pieces, self.executor)
        return (result for _, results in tasks for result in results)


@dataclass(frozen=True)
class _ForEach(Generic[Item, Result]):
    """Calls a function on each of some items."""

    function: Callable[[Item], Result]

    def __call__(self, items: tuple[Item, ...]) -> list[Result]:
        return [self.function(item) for item in items]


@dataclass(frozen=True, eq=False)
class _Tasks(Generic[Item]):
    """Tasks that are with an executor.

    Args:
        executor: who does them.
        function: packed.
        attempts: by number of the item, how often it was given to a worker that died.
        pending: by future, the number of the item and the item, packed.
    """

    executor: Executor
    function: Parcel
    attempts: dict[int, int]
    pending: "dict[Future[Any], tuple[int, Parcel]]"

    def results(self, items: Iterator[tuple[int, Item]]) -> Iterator[tuple[int, Any]]:
        """Yield results as they are ready."""
        for i, item in items:
            self._submit(i, packed(item))
            if len(self.pending) >= IN_FLIGHT:
                yield from self._ready()
        while self.pending:
            yield from self._ready()

    def cancel(self) -> None:
        """Take back what no worker has begun."""
        for future in self.pending:
            future.cancel()

    def _submit(self, i: int, item: Parcel) -> None:
        try:
            self.pending[self.executor.submit(_perform, self.function, item, _process())] = i, item
        except BrokenExecutor as error:
            raise MooInferError(f"the workers have ended: {error}") from error
        except RuntimeError as error:  # it was shut down
            raise MooInferError(f"the executor takes no tasks: {error}") from error

    def _ready(self) -> Iterator[tuple[int, Any]]:
        """Yield what is ready, after one was waited for; give what was lost to another worker."""
        ready, _ = wait(self.pending, return_when=FIRST_COMPLETED)
        lost = []
        for future in ready:
            i, item = self.pending.pop(future)
            try:
                result, raised, caught = future.result()
            except BrokenExecutor:
                lost.append((i, item))
                continue
            except Exception as error:  # whatever an executor raises; errors of the function are results
                raise MooInferError(f"the workers failed: {type(error).__name__}: {error}") from error
            for warning in caught:
                warnings.warn_explicit(*warning)
            if raised is not None:
                raise raised
            yield i, result
        for i, item in sorted(lost, key=lambda task: task[0]):
            self.attempts[i] = self.attempts.get(i, 0) + 1
            if self.attempts[i] > REPEATS:
                raise MooInferError(
                    f"a worker process ended in the middle of its work, {self.attempts[i]} times at the same task; "
                    "it may lack memory: take fewer workers"
                )
            self._submit(i, item)


def _perform(
    function: Parcel, item: Parcel, client: tuple[str, int]
) -> tuple[Any, Exception | None, list[tuple[Any, ...]]]:
    """Do a task: its result, what it raised, and its warnings; those of a thread of the client are given there."""
    if client == _process():
        return *_outcome(function, item), []
    with RECORDING, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result, raised = _outcome(function, item)
    return result, raised, [(w.message, w.category, w.filename, w.lineno) for w in caught]


def _outcome(function: Parcel, item: Parcel) -> tuple[Any, Exception | None]:
    """What a task gives, or what it raised."""
    try:
        return _kept(function)(item.unpacked()), None
    except Exception as error:
        return None, error if _comes_back(error) else MooInferError(f"{type(error).__name__}: {error}")


def _process() -> tuple[str, int]:
    """Which process this is, among those of all machines."""
    return platform.node(), os.getpid()


@lru_cache(maxsize=1)
def _kept(function: Parcel) -> Any:
    """The function of a run, kept by a worker from task to task with what it has computed for all of them."""
    return function.unpacked()


def _comes_back(error: Exception) -> bool:
    """Whether an exception survives the way to another process."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return False
    return True
