"""How much a command says on standard error, by the logger ``moo_infer``; and what is installed."""

import logging
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, requires, version

__all__ = ["LOG", "LOUDNESS", "installed", "told"]

LOG = logging.getLogger("moo_infer")
LOUDNESS = {"--quiet": logging.ERROR, "--verbose": logging.INFO}


@contextmanager
def told(level: int) -> Iterator[None]:
    """Write what is logged from a level on to standard error, until the end of the block."""
    handler, before = logging.StreamHandler(sys.stderr), LOG.level
    handler.setFormatter(logging.Formatter("moo-infer: %(message)s"))
    LOG.addHandler(handler)
    LOG.setLevel(level)
    try:
        yield
    finally:
        LOG.removeHandler(handler)
        LOG.setLevel(before)


def installed() -> Iterator[str]:
    """Say in lines which Python this is, and which packages that moo_infer knows are there."""
    yield f"Python {platform.python_version()}"
    try:
        needed = requires("moo-infer") or ()
    except PackageNotFoundError:  # run from its source
        return
    for name in sorted({re.split(r"[\s;\[<>=!~(]", requirement)[0].lower() for requirement in needed}):
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
