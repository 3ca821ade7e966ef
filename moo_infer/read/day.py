"""The section ``day`` of a file: numbers by hour, however they are written."""

import math
import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from ..core.day import HOURS, Day
from ..core.entries import Entry, JsonSchema, refused

__all__ = ["DayEntry", "by_hour"]

SPAN = re.compile(r"(\d{1,2})(?:-(\d{1,2}))?")
NUMBER = JsonSchema().float_schema({"type": "float"})
FORMS = {
    "anyOf": [
        *NUMBER["anyOf"],
        {"type": "array", "items": NUMBER, "minItems": HOURS, "maxItems": HOURS},
        {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": NUMBER,
            "propertyNames": {"pattern": f"^{SPAN.pattern}$"},
        },
    ]
}


def by_hour(value: Any) -> tuple[float, ...]:
    """Return 24 numbers: one for all hours, a list of 24, or a mapping of hours and spans of them.

    Raises:
        PydanticCustomError: for other forms, and for an hour that is there twice or not at all.

    >>> by_hour({"0-8": 0.2, "8-22": 1.0, "22-24": 0.4})[7:9]
    (0.2, 1.0)
    """
    if isinstance(value, Mapping):
        return _of_spans(value)
    if isinstance(value, list | tuple):
        if len(value) != HOURS:
            raise refused(f"must be {HOURS} numbers, one an hour, got {len(value)}")
        return tuple(_number(of, f"hour {hour}: ") for hour, of in enumerate(value))
    return (_number(value, ""),) * HOURS


def _of_spans(value: Mapping[Any, Any]) -> tuple[float, ...]:
    hours: dict[int, float] = {}
    for key, of in value.items():
        span = SPAN.fullmatch(str(key))
        start, end = (int(span[1]), int(span[2] or int(span[1]) + 1)) if span else (0, 0)
        if not 0 <= start < end <= HOURS:
            raise refused(f"hours are 0 to 23, or spans of them such as 8-20, got {key!r:.40}")
        for hour in range(start, end):
            if hour in hours:
                raise refused(f"hour {hour} is given twice")
            hours[hour] = _number(of, f"{key}: ")
    if missing := [hour for hour in range(HOURS) if hour not in hours]:
        raise refused(f"hour {missing[0]} is not given")
    return tuple(hours[hour] for hour in range(HOURS))


def _number(value: Any, where: str) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)  # YAML takes 1e-6 for text
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise refused(f"{where}must be a finite number, got {value!r:.40}")
    return number


Hours = Annotated[tuple[float, ...], BeforeValidator(by_hour), WithJsonSchema(FORMS)]


class DayEntry(Entry):
    """Arrivals by hour, and what electricity costs and emits then: a number, 24 of them, or a mapping of spans."""

    queries_per_second: Hours
    usd_per_kwh: Hours | None = None
    gco2_per_kwh: Hours | None = None

    def day(self) -> Day:
        """Return the day that it describes."""
        return Day(self.queries_per_second, self.usd_per_kwh, self.gco2_per_kwh)
