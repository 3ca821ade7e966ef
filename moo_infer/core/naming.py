"""Looks up what is given by name or as an object, one or many."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from .errors import MooInferError, unknown

__all__ = ["listed_items", "look_up", "refuse_twice"]


class HasName(Protocol):
    """What has a name."""

    @property
    def name(self) -> str:
        """What it is called."""
        ...


Named = TypeVar("Named", bound=HasName)


def look_up(
    kind: type[Named], known: Mapping[str, Named], given: str | Named | Iterable[str | Named] | None, what: str
) -> tuple[Named, ...]:
    """Return objects of a kind, those given by name from a mapping; all of it where nothing is given.

    Raises:
        MooInferError: for unknown names, nothing in a list, and names that are there twice.
    """
    items = (
        [given] if isinstance(given, str | kind) else listed_items(list(known) if given is None else given, f"{what}s")
    )
    found = []
    for item in items:
        if isinstance(item, kind):
            found.append(item)
        elif isinstance(item, str) and item in known:
            found.append(known[item])
        else:
            raise unknown(what, item, known)
    refuse_twice([item.name for item in found], what)
    return tuple(found)


def listed_items(given: object, what: str, allowed: str = "names or objects, one or many") -> list[Any]:
    """Return what is in a list, refusing an empty one, text and mappings."""
    if not isinstance(given, Iterable) or isinstance(given, str | Mapping):
        raise MooInferError(f"{what}: must be {allowed}, got {given!r:.80}")
    items = list(given)
    if not items:
        raise MooInferError(f"{what}: at least one is needed, got none")
    return items


def refuse_twice(names: Sequence[str], what: str) -> None:
    """Raise where a name is there twice."""
    for name, count in Counter(names).items():
        if count > 1:
            raise MooInferError(f"{what} {name!r} is given {count} times; names must differ")
