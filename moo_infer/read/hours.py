"""Prices that depend on the hour: at which hours of the week, in words, and which of them are the dearest."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import numpy as np

from ..core.arrays import BoolArray

__all__ = ["ByLength", "dearest", "in_words", "minutes"]

ByLength = dict[int, dict[str, Any]]  # USD per token by field, by the prompt length above which they hold; -1: any

DAY = 24 * 60  # minutes
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)  # the start of any week
CACHE = ("usd_per_cached_input_token", "usd_per_cache_write_token")  # where they are not given, input costs as much


def minutes(
    spans: Iterable[tuple[int, int]], days: Iterable[int] = range(7), calendar: tzinfo | None = None
) -> BoolArray:
    """Return which minutes of a week, from Monday 00:00 UTC on, lie in one of the spans.

    Args:
        spans: minutes of a day in UTC, from the first until before the second; over midnight where the second is not
            larger, and the whole day where they are equal.
        days: of the week, 0 for Monday.
        calendar: whose days these are; default those of UTC.

    >>> int(minutes([(16 * 60, 60)], days=[0]).sum()) / 60
    9.0
    """
    minute = np.arange(7 * DAY)
    of_day = minute % DAY
    inside = np.zeros(7 * DAY, dtype=bool)
    for start, end in spans:
        inside |= (start <= of_day) & (of_day < end) if start < end else (of_day >= start) | (of_day < end)
    if calendar is None:
        weekday = minute // DAY
    else:  # days begin at full minutes everywhere
        weekday = np.array([(MONDAY + timedelta(minutes=int(m))).astimezone(calendar).weekday() for m in minute])
    return inside & np.isin(weekday, list(days))


def in_words(inside: BoolArray) -> str:
    """Say which minutes of a week they are.

    >>> in_words(minutes([(0, 60), (600, 0)], range(5)) | minutes([(0, 0)], [5, 6]))
    '00:00-01:00 and 10:00-24:00 UTC on Monday to Friday, all day on Saturday and Sunday'
    """
    by_spans: dict[str, list[int]] = {}
    for day, part in enumerate(inside.reshape(7, DAY)):
        ends = np.flatnonzero(np.diff(np.concatenate([[0], part.astype(np.int8), [0]])))
        spans = [f"{_clock(start)}-{_clock(end)}" for start, end in ends.reshape(-1, 2)]
        if spans:
            words = "all day" if spans == ["00:00-24:00"] else f"{_listed(spans)} UTC"
            by_spans.setdefault(words, []).append(day)
    return ", ".join(
        f"{spans} every day" if len(days) == 7 else f"{spans} on {_days(days)}" for spans, days in by_spans.items()
    )


def dearest(
    alternatives: Sequence[tuple[BoolArray, ByLength]],
) -> tuple[ByLength, str, tuple[tuple[str, ByLength], ...]]:
    """Return the prices of the dearest hours, how many these are in words, and the others with their hours.

    Where no hour is the dearest in everything, it is the dearest of each price.

    Args:
        alternatives: minutes of the week, and the prices that hold then.

    >>> cheap, dear = {-1: {"usd_per_input_token": 1e-06}}, {-1: {"usd_per_input_token": 2e-06}}
    >>> night = minutes([(22 * 60, 6 * 60)])
    >>> prices, hours, others = dearest([(night, cheap), (~night, dear)])
    >>> prices, hours, others[0][0]
    ({-1: {'usd_per_input_token': 2e-06}}, '112 of 168 hours a week', '00:00-06:00 and 22:00-24:00 UTC every day')
    """
    held: list[tuple[BoolArray, ByLength]] = []
    for inside, lists in alternatives:
        same = next((i for i, (_, other) in enumerate(held) if other == lists), None)
        if same is not None:
            held[same] = held[same][0] | inside, lists
        elif inside.any():
            held.append((inside, lists))
    if len(held) == 1:
        return held[0][1], "", ()
    highest = _highest([lists for _, lists in held])
    hours = [float(inside.sum()) / 60 for inside, lists in held if lists == highest]
    duration = f"{hours[0]:g} of 168 hours a week" if hours else "the dearest of each price at any hour"
    others = tuple((in_words(inside), lists) for inside, lists in held if lists != highest)
    return highest, duration, others


def _highest(alternatives: Sequence[ByLength]) -> ByLength:
    """The highest of each price, at every prompt length at which one of the alternatives changes."""
    highest: ByLength = {}
    for above in sorted({above for lists in alternatives for above in lists}):
        at = [lists[max(start for start in lists if start <= above)] for lists in alternatives]
        fields = dict.fromkeys(field for usd in at for field in usd)
        highest[above] = {field: max(_price(usd, field) for usd in at) for field in fields}
    return highest


def _price(usd: Mapping[str, float], field: str) -> float:
    return usd.get(field, usd.get("usd_per_input_token", 0.0) if field in CACHE else 0.0)


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _listed(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _days(days: Sequence[int]) -> str:
    """Days of the week in words, three or more in a row as a range."""
    runs: list[list[int]] = []
    for day in days:
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    words = []
    for run in runs:
        names = [DAYS[day] for day in run]
        words += [f"{names[0]} to {names[-1]}"] if len(run) > 2 else names
    return _listed(words)
