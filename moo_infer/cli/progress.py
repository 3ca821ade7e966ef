"""A bar on standard error for long work."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..core.errors import printable
from .loudness import LOG

__all__ = ["Progress", "progress_bar"]

Progress = Callable[[int, int, str], None]  # told (done, total, what comes next)


@contextmanager
def progress_bar() -> Iterator[Progress | None]:
    """Show a bar on standard error where somebody is looking at it."""
    if not sys.stderr.isatty() or not LOG.isEnabledFor(logging.WARNING):
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("estimating", total=None)

        def update(done: int, total: int, description: str) -> None:
            bar.update(task, completed=done, total=total, description=escape(printable(description)))

        yield update
