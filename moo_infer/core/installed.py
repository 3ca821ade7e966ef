"""Entry points of what is installed, kept: to look them up opens a file of every package there is."""

import os
import sys
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points

__all__ = ["installed_entries"]


def installed_entries(group: str, /) -> list[EntryPoint]:
    """Return the entry points of a group, sorted by name.

    They are looked up again where the path of modules has changed since, or a folder of it: to install a package writes
    into one.
    """
    return list(_entries(group, tuple((folder, _changed(folder)) for folder in sys.path)))


@lru_cache(maxsize=4)
def _entries(group: str, _folders: tuple[tuple[str, int], ...]) -> tuple[EntryPoint, ...]:
    return tuple(sorted(entry_points(group=group), key=lambda entry: entry.name))


def _changed(folder: str) -> int:
    """When a folder changed last, in nanoseconds; 0 where there is none."""
    with suppress(OSError):
        return os.stat(folder or ".").st_mtime_ns
    return 0
