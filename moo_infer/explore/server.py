"""A server in a process of its own, which ends with the command that started it."""

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

__all__ = ["until_stopped"]

TEMPLATES = Path(__file__).parent / "jupyter"  # a folder as those in JUPYTER_PATH


def until_stopped(command: Sequence[str]) -> int:
    """Run a server until it ends, or until this process is to end: then the server ends first, with its kernels."""
    templates = os.pathsep.join(filter(None, [str(TEMPLATES), os.environ.get("JUPYTER_PATH")]))
    # In a session of its own it gets no Ctrl-C beside ours, and stops once.
    server = subprocess.Popen(command, env=os.environ | {"JUPYTER_PATH": templates}, start_new_session=True)
    stopped = 0

    def stop(number: int, frame: object) -> None:
        nonlocal stopped
        stopped = number
        server.terminate()

    signals = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop) for number in signals]
    try:
        code = server.wait()
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
        if server.poll() is None:
            server.kill()
    return 128 + stopped if stopped else code  # as shells report a program that a signal ended
