"""The section ``grid:`` of a file: settings, and the values that each of them takes."""

import itertools
import json
import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from ..core.errors import MooInferError, unknown

__all__ = ["EVERY", "MOST", "Grid", "changed"]

MOST = 1_000_000  # points; the keys of so many take 100 MB
EVERY = "*"  # in a path: every entry
INDEX = re.compile(r"\[(\d+|\*)\]")
Keys = tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """A grid of settings: every value of each with every value of the others, the last one changing fastest.

    Args:
        values: by key, the values. A key is an option of `recommend` with _ in place of -, or the path of an entry of
            the file, such as ``models.small.parallelism``.

    >>> list(Grid({"seed": [0, 1], "max_cost": [0.1]}).points())
    [{'seed': 0, 'max_cost': 0.1}, {'seed': 1, 'max_cost': 0.1}]
    """

    values: Mapping[str, Sequence[Any]]

    @classmethod
    def of(cls, section: Any, sections: Collection[str], settings: Collection[str], where: str) -> "Grid":
        """Check what a file says.

        Args:
            section: what stands behind ``grid:``.
            sections: of the file, whose entries may be named.
            settings: the options that may be named.
            where: the beginning of every message.

        Raises:
            MooInferError: naming the key, what is allowed and what was given.
        """
        if not isinstance(section, Mapping) or not section:
            raise MooInferError(f"{where}: must be a mapping of settings and lists of values, got {section!r:.80}")
        for key, values in section.items():
            if not isinstance(key, str):
                raise MooInferError(f"{where}: {key!r:.80}: must be the name of a setting")
            if "." not in key and key not in settings:
                close = get_close_matches(key, settings, n=1)
                raise MooInferError(
                    f"{where}: unknown setting {key!r:.80}; {f'did you mean {close[0]!r}? ' if close else ''}allowed: "
                    f"{', '.join(settings)}, and paths such as models.NAME.parallelism"
                )
            if "." in key and key.partition(".")[0] not in sections:
                raise unknown("section", key.partition(".")[0], sections, f"{where}: {key}")
            if not isinstance(values, list) or not values:
                raise MooInferError(f"{where}: {key}: must be a list of at least one value, got {values!r:.80}")
            texts = [_canonical(value, f"{where}: {key}") for value in values]
            if len({*texts}) < len(texts):
                twice = next(v for v, text in zip(values, texts, strict=True) if texts.count(text) > 1)
                raise MooInferError(f"{where}: {key}: the value {twice!r:.80} stands there twice")
        grid = cls({key: tuple(values) for key, values in section.items()})
        if len(grid) > MOST:
            raise MooInferError(f"{where}: must have at most {MOST:,} points, has {len(grid):,}")
        return grid

    def __len__(self) -> int:
        return math.prod(len(values) for values in self.values.values())

    @property
    def paths(self) -> list[str]:
        """The keys that are paths of entries of the file."""
        return [key for key in self.values if "." in key]

    def points(self) -> Iterator[dict[str, Any]]:
        """Yield the settings of every point."""
        for values in itertools.product(*self.values.values()):
            yield dict(zip(self.values, values, strict=True))


def _canonical(value: Any, where: str) -> str:
    """A value as a text by which it is compared; None is no value of an option, which is not given then."""
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError):
        raise MooInferError(f"{where}: must be texts, finite numbers, lists or mappings, got {value!r:.80}") from None


def changed(document: Mapping[str, Any], settings: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return a document with other values at some paths; the given one stays as it is.

    Args:
        document: sections, as they were parsed.
        settings: by path, the value. The names in a path are divided by dots; ``*`` is every entry of a mapping, and an
            entry of a list is named by its kind or its number: ``costs.loaded.arrivals``, ``costs[0].arrivals``. The
            last name may be new, as for a field that has its default.
        where: the beginning of every message.

    Raises:
        MooInferError: for a path that leads nowhere.

    >>> models = {"small": {"costs": [{"kind": "loaded", "load": 1}]}, "gpt-4.1": {"costs": []}}
    >>> changed({"models": models}, {"models.*.costs.loaded.load": 2}, "grid")["models"]["small"]["costs"]
    [{'kind': 'loaded', 'load': 2}]
    >>> changed({"models": models}, {"models.gpt-4.1.parallelism": 8}, "grid")["models"]["gpt-4.1"]
    {'costs': [], 'parallelism': 8}
    """
    new = deepcopy(dict(document))
    for path, value in settings.items():
        steps = INDEX.sub(r".\1", path)
        if not _put(new, steps, value):
            raise MooInferError(f"{where}: {path}: leads nowhere: {_nearest(new, steps)}")
    return new


def _put(node: Any, path: str, value: Any) -> int:
    """Put a value at a path below a node; returns at how many places."""
    if isinstance(node, list):
        name, _, rest = path.partition(".")
        places = _named(node, name)
        if rest:
            return sum(_put(node[place], rest, value) for place in places)
        for place in places:
            node[place] = deepcopy(value)
        return len(places)
    if not isinstance(node, dict):
        return 0
    name, _, rest = path.partition(".")
    if name == EVERY and rest:
        return sum(_put(entry, rest, value) for entry in node.values())
    inside = _longest(node, path)
    if inside is None:
        if rest or name == EVERY:
            return 0
        node[name] = deepcopy(value)
        return 1
    rest = path[len(inside) + 1 :]
    if rest:
        return _put(node[inside], rest, value)
    node[inside] = deepcopy(value)
    return 1


def _named(entries: Sequence[Any], name: str) -> list[int]:
    """The places of the entries of a list with a number, or of a kind."""
    if name.isascii() and name.isdigit():
        return [int(name)] if int(name) < len(entries) else []
    kinds = [entry.get("kind") if isinstance(entry, Mapping) else None for entry in entries]
    return [place for place, kind in enumerate(kinds) if name in (EVERY, kind)]


def _longest(node: Mapping[Any, Any], path: str) -> str | None:
    """The longest name of an entry that a path begins with: names may have dots in them."""
    names = [key for key in node if isinstance(key, str) and f"{path}.".startswith(f"{key}.")]
    return max(names, key=len, default=None)


def _nearest(node: Any, path: str) -> str:
    """Say how far a path leads, and what there is."""
    way: list[str] = []
    while path:
        if isinstance(node, Mapping):
            inside = _longest(node, path)
            name = path.partition(".")[0] if inside is None else inside
            there: list[Any] = [*node]
            below = next(iter(node.values()), None) if name == EVERY else node.get(name)
        elif isinstance(node, list):
            name = path.partition(".")[0]
            there = [entry.get("kind", i) if isinstance(entry, Mapping) else i for i, entry in enumerate(node)]
            below = next((node[place] for place in _named(node, name)), None)
        else:
            break
        if below is None:
            listed = ", ".join(map(str, there)) or "nothing"
            return f"there is no {name!r}{f' in {chr(46).join(way)}' if way else ''}; there is: {listed}"
        way.append(name)
        path, node = path[len(name) + 1 :], below
    return f"{'.'.join(way)} has no entries"
