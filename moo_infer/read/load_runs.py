"""One run of a load test, and functions that read numbers from the JSON of such files."""

import math
import sys
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..core.errors import MooInferError

__all__ = [
    "FAILED",
    "LARGEST",
    "NEEDED",
    "RUN_COLUMNS",
    "Document",
    "Row",
    "Run",
    "number",
    "number_or_none",
    "optional",
    "refuse_out_of_range",
]

RUN_COLUMNS = ("concurrency", "input_tokens", "output_tokens", "ttft_s", "latency_s")
NEEDED = ("input_tokens", "output_tokens", "latency_s")
LEAST = {  # of a row, and whether it may be that
    "concurrency": (0, False),
    "input_tokens": (0, True),
    "output_tokens": (1, True),
    "ttft_s": (0, True),
    "latency_s": (0, False),
}

SMALLEST = 1e-12  # of the same: less is no measurement, and the inverse of its square would overflow
LARGEST = 1e12  # tokens, requests or seconds: more are a mistake, and squares of them would cancel in a fit
ROUNDING = 1e-9  # seconds of a request are a difference of clock readings in one place and written in another
READABLE = sys.float_info.max / 2**30  # so that sums of a billion numbers and their differences are finite, too
FAILED = ("failed request", "failed requests")

Row = dict[str, float]
Document = tuple[str, Mapping[str, Any]]  # where it stands in a file, and the JSON object


@dataclass
class Run:
    """One run of a load test: its single requests, or one row of their means.

    Args:
        means: whether the row is a mean over the requests of the run.
        rows: numbers by their columns, those of `NEEDED` and perhaps ttft_s.
        concurrency: requests that were running at a time, on average; None where the file does not tell.
        odd: why records cannot be read, each a sentence ``place: reason``.
        skipped: how many requests or runs the tool itself marks as no part of the measurement, by what one of them and
            several are called.
        remarks: what else is to be known of the run.
        one_piece: how many answers of several tokens came in one piece, so that their last token came with their first:
            nothing is known of their first one, nor of the time between tokens. Their seconds count.
    """

    means: bool = False
    rows: list[Row] = field(default_factory=list)
    concurrency: float | None = None
    odd: list[str] = field(default_factory=list)
    skipped: Counter[tuple[str, str]] = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)
    one_piece: int = 0

    @property
    def mean_s(self) -> float:
        """The mean seconds of a request."""
        return math.fsum(row["latency_s"] for row in self.rows) / len(self.rows)

    def add(self, where: str, read: Callable[[Any], Row], record: object, /) -> bool:
        """Add the row that is read from a record, or why it cannot be; return whether it was added."""
        try:
            row = _in_range(read(record))
        except MooInferError as error:
            self.odd.append(f"{where}: {error}")
            return False
        if row["output_tokens"] > 1 and row.get("ttft_s", 0.0) >= (1 - ROUNDING) * row["latency_s"]:
            del row["ttft_s"]
            self.one_piece += 1
        self.rows.append(row)
        return True


def _in_range(row: Row) -> Row:
    """The row.

    Raises:
        MooInferError: for what is missing, is no finite number, or cannot be.
    """
    refuse_out_of_range(row, LEAST, NEEDED)
    if row.get("ttft_s", 0.0) > row["latency_s"]:
        raise MooInferError(f"ttft_s = {row['ttft_s']:g} is more than latency_s = {row['latency_s']:g}")
    return row


def refuse_out_of_range(row: Row, least: Mapping[str, tuple[float, bool]], needed: Collection[str], /) -> None:
    """Refuse a row without what is needed, or with a number that cannot have been measured.

    Args:
        row: numbers by column.
        least: of each column, and whether it may be that.
        needed: columns.
    """
    for name, (smallest, allowed) in least.items():
        value = row.get(name)
        if value is None:
            if name in needed:
                raise MooInferError(f"{name} is missing")
            continue
        if not abs(value) <= LARGEST:
            bound = "a finite number" if not math.isfinite(value) else f"at most {LARGEST:g}"
            raise MooInferError(f"{name}: must be {bound}, got {value:g}")
        if 0 < abs(value) < SMALLEST:
            raise MooInferError(f"{name}: must be {'0 or ' * allowed}at least {SMALLEST:g}, got {value:.3g}")
        if value < smallest or (value == smallest and not allowed):
            raise MooInferError(f"{name}: must be {'>=' if allowed else '>'} {smallest}, got {value:g}")


def number(record: object, /, *path: str) -> float:
    """Return the number at a path of keys.

    Raises:
        MooInferError: where it is missing, null or no finite number.

    >>> number({"metrics": {"ttft": {"avg": 48.0}}}, "metrics", "ttft", "avg")
    48.0
    """
    value, reason = _looked_up(record, path)
    if reason:
        raise MooInferError(reason)
    return _finite(value, path)


def optional(record: object, /, *path: str) -> float | None:
    """Return the number at a path of keys, or None where it is missing or null.

    Raises:
        MooInferError: where it is no finite number.
    """
    value, reason = _looked_up(record, path)
    return None if reason else _finite(value, path)


def number_or_none(record: object, /, *path: str) -> float | None:
    """Return the number at a path of keys, or None where there is none."""
    try:
        return optional(record, *path)
    except MooInferError:
        return None


def _looked_up(record: object, path: tuple[str, ...]) -> tuple[object, str]:
    """The value at a path of keys, or the reason why there is none."""
    value = record
    for i, key in enumerate(path):
        if not isinstance(value, Mapping):
            return None, f"{'.'.join(path[:i]) or 'it'}: must be a JSON object, got {value!r:.40}"
        here = ".".join(path[: i + 1])
        if key not in value:
            return None, f"{here} is missing"
        value = value[key]
        if value is None:
            return None, f"{here} is null"
    return value, ""


def _finite(value: object, path: tuple[str, ...]) -> float:
    # NaN and integers that no float can hold compare as not less
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= READABLE:
        raise MooInferError(f"{'.'.join(path)}: must be a finite number, got {value!r:.40}")
    return value
