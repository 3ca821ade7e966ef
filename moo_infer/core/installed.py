"""What is installed, kept: to look it up opens files of every package there is.

It is looked up again where the path of modules has changed since, or a folder of it: to install a package writes into
one.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points, packages_distributions

__all__ = ["installed_entries", "packages_with"]

PLUGINS = "moo_infer"  # the group of entry points
Folders = tuple[tuple[str, int], ...]  # of the path of modules, with when each of them changed last, in nanoseconds


def installed_entries(group: str, /) -> list[EntryPoint]:
    """Return the entry points of a group, sorted by name."""
    return list(_entries(group, _folders()))


def packages_with(module: str, /) -> Sequence[str]:
    """Return the names of the installed packages that bring a module of the top level."""
    if found := _packages(_folders()).get(module, ()):
        return found
    # A package that is installed in place lists no files, but says where its plugin is.
    return [e.dist.name for e in installed_entries(PLUGINS) if e.dist and e.module.partition(".")[0] == module]


@lru_cache(maxsize=4)
def _entries(group: str, _: Folders) -> tuple[EntryPoint, ...]:
    return tuple(sorted(entry_points(group=group), key=lambda entry: entry.name))


@lru_cache(maxsize=4)
def _packages(_: Folders) -> Mapping[str, Sequence[str]]:
    return packages_distributions()


def _folders() -> Folders:
    return tuple((folder, _changed(folder)) for folder in sys.path)


def _changed(folder: str) -> int:
    """When a folder changed last; 0 where there is none."""
    with suppress(OSError):
        return os.stat(folder or ".").st_mtime_ns
    return 0
