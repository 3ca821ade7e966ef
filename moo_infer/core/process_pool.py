"""Processes of this machine that do tasks."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from concurrent.futures.process import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import connection, get_context, parent_process
from signal import SIG_DFL, SIGINT, SIGTERM, signal
from typing import Any

__all__ = ["ProcessPool", "ProcessPoolExecutor"]


class ProcessPool(Executor):
    """A pool of processes that is started anew where one of them was killed; Python's own takes no tasks after that.

    Args:
        start: gives a pool.
    """

    def __init__(self, start: Callable[[], ProcessPoolExecutor]) -> None:
        self._start, self._pool, self._shut = start, start(), False

    @classmethod
    def of_size(cls, workers: int, /) -> "ProcessPool":
        """Return a pool of so many processes, >= 1. They share nothing: the threads of numpy do not survive a fork."""
        return cls(lambda: ProcessPoolExecutor(workers, get_context("spawn"), _begin))

    @classmethod
    def of(cls, pool: ProcessPoolExecutor, /) -> "ProcessPool":
        """Return one that begins with a pool, and goes on with pools that are made as it was."""
        pools, of = [pool], vars(pool)
        made = of["_max_workers"], of["_mp_context"], of["_initializer"], of["_initargs"]  # which nothing public tells
        return cls(lambda: pools.pop() if pools else ProcessPoolExecutor(*made))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Let a process call a function; see `concurrent.futures.Executor`."""
        try:
            return self._pool.submit(fn, *args, **kwargs)
        except BrokenExecutor:
            if self._shut:
                raise
            self._pool.shutdown(wait=False)
            self._pool = self._start()
            return self._pool.submit(fn, *args, **kwargs)

    def terminate(self) -> None:
        """End the processes in the middle of what they do."""
        for process in list((self._pool._processes or {}).values()):  # which Python has no public name for before 3.14
            process.terminate()
        self.shutdown(wait=False, cancel_futures=True)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes; see `concurrent.futures.Executor`."""
        self._shut = True
        self._pool.shutdown(wait, cancel_futures=cancel_futures)


def _begin() -> None:
    """Let a worker end at signals without a word, and with the process that started it, however that one ends."""
    for number in (SIGINT, SIGTERM):
        signal(number, SIG_DFL)
    parent = parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(parent: int) -> None:
    with suppress(OSError):
        connection.wait([parent])
    os._exit(1)
