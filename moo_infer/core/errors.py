"""What can go wrong, in words. Every message is one sentence a user can act on."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

__all__ = [
    "MissingColumn",
    "MooInferError",
    "NoSelection",
    "NothingPossible",
    "SelectionWarning",
    "by_accident",
    "in_one_line",
    "listed",
    "printable",
    "unknown",
]

LONGEST = 400  # characters of a message: five lines of a terminal
END = 100  # of these, what is kept of the end of a longer one, where the reason stands
LISTED = 30  # records in a message
OVERSIGHTS = 0.02  # share of records that may be odd in the same way: more are no accident


class MooInferError(Exception):
    """Bad input or a part that misbehaves: what was given, what is allowed, where it stands."""

    def __str__(self) -> str:
        text = in_one_line(Exception.__str__(self))  # a sentence, whatever was quoted in it; KeyError would quote it
        return text if len(text) <= LONGEST else f"{text[: LONGEST - END - 5]} ... {text[-END:]}"


class NoSelection(MooInferError):
    """Raised by a selector that has no answer on the rows it was given; the message is the reason."""


class NothingPossible(MooInferError):
    """A model can serve none of the numbers of inferences that were asked for."""


class MissingColumn(MooInferError, KeyError):
    """A part asked the draws for a column that the inference model does not bring; a KeyError, as mappings raise it.

    Args:
        column: the column that was asked for.
        available: the columns there are.
        wanted_by: the part that needs it, in words; the estimators fill it in.
    """

    def __init__(self, column: str, available: Iterable[str], wanted_by: str = "") -> None:
        self.column, self.available, self.wanted_by = column, tuple(available), wanted_by
        who = f", needed by {wanted_by}" if wanted_by else ""
        super().__init__(f"the draws have no column {column!r}{who}; columns: {', '.join(self.available)}")

    def __reduce__(self) -> tuple[type, tuple[str, tuple[str, ...], str]]:
        return MissingColumn, (self.column, self.available, self.wanted_by)  # by default: of the message alone


class SelectionWarning(UserWarning):
    """A selector answered, but its answer should be read with care; reports show the message."""


def printable(text: str) -> str:
    r"""Escape what a terminal would act on instead of showing it: control characters, direction marks, line ends.

    >>> printable("gpt\x1b[2J\u202e5")
    'gpt\\x1b[2J\\u202e5'
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def in_one_line(text: object) -> str:
    r"""Write text in one line: line ends and tabs become blanks, and the rest `printable`.

    >>> in_one_line("first\n  second\x1b[2J")
    'first second\\x1b[2J'
    """
    return printable(re.sub(r"[ \t\r\n]+", " ", str(text)).strip())


def by_accident(n: int, /) -> float:
    """Return how many of n records may be odd in the same way by accident; of more, the file is another than it seems.

    >>> by_accident(8), by_accident(1000)
    (1.0, 20.0)
    """
    return max(1.0, OVERSIGHTS * n)


def listed(sentences: Sequence[object], count: int | None = None, /) -> str:
    """Return sentences of the form ``place: reason`` as one, every reason with the places where it holds.

    Args:
        sentences: the first 30 are shown.
        count: how many there are in all, where not all are given.

    >>> listed(["line 2: x is missing", "line 5: is no JSON", "line 9: x is missing"])
    'line 2, line 9: x is missing; line 5: is no JSON'
    """
    places: dict[str, list[str]] = {}
    for sentence in sentences[:LISTED]:
        place, _, reason = str(sentence).partition(": ")
        places.setdefault(reason, []).append(place)
    more = (count or len(sentences)) - min(len(sentences), LISTED)
    said = [f"{', '.join(where)}: {reason}" if reason else ", ".join(where) for reason, where in places.items()]
    return "; ".join(said) + (f"; and {more} more" if more else "")


def unknown(what: str, given: object, available: Iterable[str], where: str = "") -> MooInferError:
    """Build the error for a name that does not exist, the closest existing names first.

    >>> str(unknown("selector", "kneee", ["utopia", "knee-chord", "knee"]))
    "unknown selector 'kneee'; available: knee, knee-chord, utopia"
    """
    names = sorted(available)
    close = get_close_matches(str(given), names, n=3)
    ordered = close + [name for name in names if name not in close]
    prefix = f"{where}: " if where else ""
    return MooInferError(f"{prefix}unknown {what} {given!r}; available: {', '.join(ordered) or 'none'}")
