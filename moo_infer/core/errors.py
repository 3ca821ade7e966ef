"""What can go wrong, in words. Every message is one sentence a user can act on."""

import math
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

__all__ = [
    "MissingColumn",
    "MooInferError",
    "NeedsOneCurve",
    "NoChoice",
    "NoSelection",
    "NotExact",
    "NothingPossible",
    "SelectionWarning",
    "by_accident",
    "in_one_line",
    "in_short",
    "listed",
    "located",
    "out_of_reach",
    "printable",
    "unknown",
]

LONGEST = 380  # characters of a message: with what the command writes before it, five lines of a terminal
END = 100  # of these, what is kept of the end of a longer one, where the reason stands
# Products and squares of numbers between these neither overflow nor vanish; nothing that is measured lies beyond.
LARGEST_NUMBER, SMALLEST_NUMBER = 1e15, 1e-30
LARGEST_TOTAL = 1e30  # of what is paid once for all queries, such as the operations of a training
LISTED = 30  # records in a message
OVERSIGHTS = 0.02  # share of records that may be odd in the same way: more are no accident


class MooInferError(Exception):
    """Bad input or a part that misbehaves: what was given, what is allowed, where it stands."""

    def __str__(self) -> str:
        return in_short(Exception.__str__(self))  # a sentence, whatever was quoted in it; KeyError would quote it


class NoSelection(MooInferError):
    """Raised by a selector that has no answer on the rows it was given; the message is the reason."""


class NeedsOneCurve(NoSelection):
    """Raised by a selector that goes along the curve of one model under one aggregator, and was given several."""


class NoChoice(MooInferError):
    """Raised by an aggregator that takes none of the inferences as its answer; the message is the reason.

    A live run has to deliver an answer, so it refuses such an aggregator before the first call.
    """


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
        clause = f", needed by {wanted_by}" if wanted_by else ""
        super().__init__(f"the draws have no column {column!r}{clause}; columns: {', '.join(self.available)}")

    def __reduce__(self) -> tuple[type, tuple[str, tuple[str, ...], str]]:
        return MissingColumn, (self.column, self.available, self.wanted_by)  # by default: of the message alone


class NotExact(MooInferError):
    """A part does not know a moment exactly; what it lacks is simulated, and reports say so.

    >>> raise NotExact("the law of the tokens is not known")
    Traceback (most recent call last):
    moo_infer.core.errors.NotExact: the law of the tokens is not known
    """


class SelectionWarning(UserWarning):
    """A selector answered, but its answer should be read with care; reports show the message."""


def printable(text: str) -> str:
    r"""Escape what a terminal would execute instead of showing: control characters, direction marks, line ends.

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


def in_short(text: object) -> str:
    """Write text `in_one_line`, and of what is longer than 380 characters the beginning and the end.

    >>> len(in_short("a name of many letters " * 100))
    380
    """
    line = in_one_line(text)
    return line if len(line) <= LONGEST else f"{line[: LONGEST - END - 5]} ... {line[-END:]}"


def out_of_reach(number: float, most: float = LARGEST_NUMBER, /) -> str:
    """Return a sentence where a finite number is too large or too small to compute with, else "".

    >>> out_of_reach(1e308), out_of_reach(-1e-320), out_of_reach(0.0)
    ('must be at most 1e+15, got 1e+308', 'must be 0 or at least 1e-30, got -1e-320', '')
    """
    if most < abs(number) < math.inf:
        return f"must be at most {most:g}, got {number!r:.40}"
    if 0 < abs(number) < SMALLEST_NUMBER:
        return f"must be 0 or at least {SMALLEST_NUMBER:g}, got {number!r:.40}"
    return ""


def by_accident(n: int, /) -> float:
    """Return how many of n records may be odd by accident; where more are, the file is taken as of another format.

    >>> by_accident(8), by_accident(1000)
    (1.0, 20.0)
    """
    return max(1.0, OVERSIGHTS * n)


def listed(sentences: Sequence[object], count: int | None = None, /) -> str:
    """Join sentences of the form ``place: reason`` into one, each reason once, after all its places.

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
    clauses = [f"{', '.join(where)}: {reason}" if reason else ", ".join(where) for reason, where in places.items()]
    return "; ".join(clauses) + (f"; and {more} more" if more else "")


def located(where: str, reason: str) -> str:
    """Put the place before a reason.

    >>> located("my.yaml", "is empty"), located("", "is empty")
    ('my.yaml: is empty', 'is empty')
    """
    return f"{where}: {reason}" if where else reason


def unknown(kind: str, value: object, available: Iterable[str], where: str = "") -> MooInferError:
    """Build the error for a name that does not exist, the closest existing names first.

    >>> str(unknown("selector", "kneee", ["utopia", "knee-chord", "knee"]))
    "unknown selector 'kneee'; available: knee, knee-chord, utopia"
    """
    names = sorted(available)
    close = get_close_matches(str(value), names, n=3)
    ordered = close + [name for name in names if name not in close]
    prefix = f"{where}: " if where else ""
    return MooInferError(f"{prefix}unknown {kind} {value!r}; available: {', '.join(ordered) or 'none'}")
