"""Starts the command ``moo-infer``, also as ``python -m moo_infer``.

A module of its own, because what the command needs takes a moment to load: who stops it meanwhile gets a sentence.
"""

import os
import signal
from types import FrameType

__all__ = ["main"]

INTERRUPTED = 130


def main() -> None:
    """Load the command line and run it."""
    before = signal.signal(signal.SIGINT, _stop)
    from .cli import main as run

    signal.signal(signal.SIGINT, before)
    run()


def _stop(number: int, frame: FrameType | None) -> None:
    """Say so and end at once: an exception might be caught by whatever is being imported."""
    os.write(2, b"moo-infer: stopped\n")
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
