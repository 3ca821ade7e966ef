"""Starts the command ``moo-infer``, also as ``python -m moo_infer``.

A module of its own, because what the command needs takes a moment to load: who stops it meanwhile gets a sentence.
"""

import os

try:
    import gc
    import signal
    from contextlib import suppress
    from types import FrameType
except KeyboardInterrupt:  # from Python's own handler, which is there until `main` sets another
    os.write(2, b"moo-infer: stopped\n")
    os._exit(130)

__all__ = ["main"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
# How many threads multiply matrices, on which the last bit of a product depends: one, so that numbers are the same on
# every machine and with any number of workers, which would wait for each other's threads besides.
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")
# After how many new objects garbage is looked for: what is loaded is none, and there is a lot of it. Looking as often
# as Python does takes a quarter of a short command.
OBJECTS = 20_000


class Terminated(BaseException):
    """A signal came; no SystemExit, which a foreign module may raise, so that whoever loads it goes on without it."""


def main() -> None:
    """Load the command line and run it."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    heeded = [number for number in SIGNALS if before[number] != signal.SIG_IGN]  # a shell may have them ignored
    for number in heeded:
        signal.signal(number, _stop)
    for name in THREADS:
        os.environ.setdefault(name, "1")  # before NumPy is loaded
    gc.set_threshold(OBJECTS)
    from .cli import main as run

    gc.freeze()
    for number in heeded:
        signal.signal(number, before[number] if number == signal.SIGINT else _leave)
    try:
        run()
    except Terminated as stopped:
        raise SystemExit(128 + stopped.args[0]) from None


def _stop(number: int, frame: FrameType | None) -> None:
    """Say so and end at once: an exception might be caught by whatever is being imported."""
    _say()
    os._exit(128 + number)


def _leave(number: int, frame: FrameType | None) -> None:
    """Say so and end as an interrupted command does: drafts of files and processes that were started go."""
    _say()
    raise Terminated(number)


def _say() -> None:
    with suppress(OSError):  # standard error may be closed
        os.write(2, b"moo-infer: stopped\n")


if __name__ == "__main__":
    main()
