"""A day of arrivals: how many queries come in each hour, and what electricity costs and emits then."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from .errors import MooInferError
from .objectives import Objective

__all__ = ["CARBON", "HOURS", "JOULES_PER_KWH", "LOAD", "Day", "Level"]

HOURS = 24
JOULES_PER_KWH = 3.6e6
LOAD = "queries_per_second"  # the field of cost models, and what policies know of a query before
CARBON = Objective("carbon", unit="gCO2")  # as cost models of carbon have it, so that these are in one column


@dataclass(frozen=True)
class Level:
    """Hours with one load and one price of electricity.

    Args:
        queries_per_second: the load, > 0.
        share: of the queries of the day that come in these hours.
        usd_per_kwh, gco2_per_kwh: of electricity; None where nothing is said of it.
    """

    queries_per_second: float
    share: float
    usd_per_kwh: float | None = None
    gco2_per_kwh: float | None = None


@dataclass(frozen=True)
class Day:
    """What comes in each of the 24 hours of a day, on average over days; within an hour the load is steady.

    Args:
        queries_per_second: by hour, >= 0, not all of them 0.
        usd_per_kwh: by hour, what electricity costs; None: it is in no price, or in others.
        gco2_per_kwh: by hour, >= 0, the carbon intensity of the grid; None: not known.

    Raises:
        MooInferError: for other than 24 numbers, numbers that are not finite or < 0, and a day without queries.

    >>> day = Day((1.0,) * 12 + (3.0,) * 12)
    >>> [(level.queries_per_second, level.share) for level in day.levels]
    [(1.0, 0.25), (3.0, 0.75)]
    >>> day.shares
    {1.0: 0.25, 3.0: 0.75}
    """

    queries_per_second: Sequence[float]
    usd_per_kwh: Sequence[float] | None = None
    gco2_per_kwh: Sequence[float] | None = None

    def __post_init__(self) -> None:
        for name in (LOAD, "usd_per_kwh", "gco2_per_kwh"):
            if (hours := getattr(self, name)) is not None or name == LOAD:
                object.__setattr__(self, name, _hours(name, hours))
        if not any(self.queries_per_second):
            raise MooInferError(f"day: {LOAD}: no query comes in any hour")

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """Hours that are alike, the least load first; hours without queries are left out."""
        none = (None,) * HOURS
        hours = zip(self.queries_per_second, self.usd_per_kwh or none, self.gco2_per_kwh or none, strict=True)
        alike = Counter(hours)
        total = math.fsum(self.queries_per_second)
        found = [Level(load, n * load / total, usd, gco2) for (load, usd, gco2), n in alike.items() if load > 0]
        return tuple(sorted(found, key=lambda level: level.queries_per_second))

    @property
    def shares(self) -> dict[float, float]:
        """The share of the queries that come at each load, the least load first."""
        shares: dict[float, float] = {}
        for level in self.levels:
            shares[level.queries_per_second] = shares.get(level.queries_per_second, 0.0) + level.share
        return shares

    def at(self, load: float, /) -> "Day":
        """Return the day of the hours with one load alone.

        Raises:
            MooInferError: where no hour has it.
        """
        if load not in self.queries_per_second or not load:
            known = ", ".join(f"{known:g}" for known in self.shares)
            raise MooInferError(f"day: no hour has {load!r:.40} queries a second; loads: {known}")
        return replace(self, queries_per_second=tuple(load if own == load else 0.0 for own in self.queries_per_second))

    @property
    def sentence(self) -> str:
        """What reports say of it."""
        loads = [*self.shares]
        span = f"{loads[0]:g}" if len(loads) == 1 else f"{loads[0]:g} to {loads[-1]:g}"
        return (
            f"figures are means over the queries of a day with {span} queries a second, each hour as if its load lasted"
        )


def _hours(name: str, hours: object) -> tuple[float, ...]:
    given = tuple(hours) if isinstance(hours, Sequence) and not isinstance(hours, str) else ()
    if len(given) != HOURS:
        raise MooInferError(f"day: {name}: must be {HOURS} numbers, one an hour, got {hours!r:.60}")
    for hour, value in enumerate(given):
        number = value if isinstance(value, int | float) and not isinstance(value, bool) else math.nan
        if not (math.isfinite(number) and (number >= 0 or name == "usd_per_kwh")):
            allowed = "a finite number" if name == "usd_per_kwh" else "finite and >= 0"  # prices of power may be < 0
            raise MooInferError(f"day: {name}: hour {hour}: must be {allowed}, got {value!r:.40}")
    return tuple(float(value) for value in given)
