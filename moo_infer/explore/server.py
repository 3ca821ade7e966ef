"""The explorer as a page: a server in a process of its own, which ends with the command that started it."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from ..core.errors import MooInferError
from ..core.plugin_files import plugin_file
from ..registry import Registry
from .start import Start, named_parts, refuse_unknown

__all__ = ["serve", "until_stopped"]

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


def serve(
    models: Path | None = None,
    plugin_files: Sequence[Path] = (),
    start: Start | None = None,
    *,
    port: int = 8866,
    browser: bool = True,
) -> int:
    """Serve an `Explorer` as a page, with Voila, until it is interrupted.

    Args:
        models: a YAML file, or None for the nine models of the paper.
        plugin_files: Python files with plugins that are not packaged.
        start: what the controls are set to; None for the defaults.
        port: of this machine alone, 1 to 65535.
        browser: whether to open a browser.

    Returns:
        The exit code of the server.

    Raises:
        MooInferError: for files that cannot be read, a port in use, and where Voila is missing (extra ``notebook``).
    """
    if find_spec("voila") is None:
        raise MooInferError("the page needs voila: pip install 'moo-infer[notebook]'")
    registry = Registry(*(plugin_file(path) for path in plugin_files))
    refuse_unknown(start or Start(), *named_parts(models, registry), registry)  # better now than on the page
    with socket.socket() as taken:
        if taken.connect_ex(("127.0.0.1", port)) == 0:
            raise MooInferError(f"port {port} is in use; give another one")
    args = {"models": models and str(models.resolve()), "plugin_files": [str(path.resolve()) for path in plugin_files]}
    source = "from moo_infer.explore.explore import Explorer\nfrom moo_infer.explore.start import Start\n"
    source += f"Explorer(**{args!r}, start={start or Start()!r})"
    cell: dict[str, object] = {
        "cell_type": "code",
        "source": source,
        "metadata": {},
        "outputs": (),
        "execution_count": None,
        "id": "page",
    }
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernelspec": kernel}, "cells": [cell]}
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, "moo_infer.ipynb")
        page.write_text(json.dumps(document), encoding="utf-8")
        command = [sys.executable, "-m", "voila", str(page), f"--port={port}", "--Voila.ip=127.0.0.1"]
        return until_stopped([*command, "--template=moo_infer", *([] if browser else ["--no-browser"])])
