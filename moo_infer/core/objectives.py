"""Objectives and limits: the meaning of a column of the table, and its worst acceptable value."""

import math
import sys
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from .arguments import check_fields
from .arrays import FloatArray
from .errors import MooInferError, out_of_reach

__all__ = ["ACCURACY", "BETTER", "COMPUTE", "COST", "ENERGY", "LATENCY", "Limit", "Objective", "judged_objective"]

Value = TypeVar("Value", float, FloatArray)

# Rounding noise of sums like 4 * 0.02176: values this close to each other (relative) count as equal.
TOLERANCE = 1e-12
LARGEST_LIMIT = 1e300  # people write large numbers for "none"; beyond, losses would overflow


@dataclass(frozen=True)
class Objective:
    """What a column of the table measures, and which way is better.

    Args:
        name: the name people type, for example ``"energy"``.
        unit: the unit of the values, for example ``"J"``; empty for a share.
        direction: ``"min"`` where less is better, ``"max"`` where more is.
        ideal: the best conceivable value, the coordinate of the utopia point (paper, eq 16); by default 0, and to be
            given where more is better.
        scale: the distance from `ideal` to the worst conceivable value where there is one (1 for a share in
            [0, 1]); None where the limit of a scenario sets the scale, as for all that is consumed.
        along: how models that are called at once compose: ``"sum"`` where what each consumes adds up (money, joules),
            ``"longest-path"`` where the slowest counts (seconds). Calls one after the other add up in both.

    Raises:
        MooInferError: for an unknown direction or `along`, or an `ideal` or `scale` that is not a finite number.

    >>> carbon = Objective("carbon", unit="gCO2")
    >>> carbon.direction, carbon.ideal
    ('min', 0.0)
    """

    name: str
    unit: str = ""
    direction: Literal["min", "max"] = "min"
    ideal: float | None = None
    scale: float | None = None
    along: Literal["sum", "longest-path"] = "sum"

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise MooInferError(f"an objective needs a name, got {self.name!r}")
        check_fields(self, f"objective {self.name!r}")
        if self.direction not in ("min", "max"):
            raise MooInferError(f"objective {self.name!r}: direction must be min or max, got {self.direction!r}")
        if self.along not in ("sum", "longest-path"):
            raise MooInferError(f"objective {self.name!r}: along must be sum or longest-path, got {self.along!r}")
        if self.ideal is None and self.direction == "max":
            raise MooInferError(
                f"objective {self.name!r}: where more is better, give the ideal, the best conceivable value"
            )
        object.__setattr__(self, "ideal", 0.0 if self.ideal is None else self.ideal)
        if not math.isfinite(self.best):
            raise MooInferError(f"objective {self.name!r}: ideal must be finite, got {self.ideal!r}")
        if self.scale is not None and not (math.isfinite(self.scale) and self.scale > 0):
            raise MooInferError(f"objective {self.name!r}: scale must be finite and > 0, got {self.scale!r}")

    def __str__(self) -> str:
        return self.name

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: object) -> Any:
        """Let fields of parts hold objects alone: files name objectives, and pydantic would take a mapping."""
        from pydantic_core.core_schema import is_instance_schema  # with pydantic, which asks for this

        return is_instance_schema(cls)

    @property
    def best(self) -> float:
        """The ideal, as a number."""
        return float(self.ideal or 0.0)

    @property
    def sign(self) -> int:
        """+1 where less is better, -1 where more is."""
        return 1 if self.direction == "min" else -1

    def shortfall(self, values: Value, /) -> Value:
        """How far values (a number, or any shape) are from the ideal, in the objective's unit; 0 is ideal."""
        return self.sign * (values - self.best)


ACCURACY = Objective("accuracy", direction="max", ideal=1.0, scale=1.0)
COST = Objective("cost", unit="USD")
LATENCY = Objective("latency", unit="s", along="longest-path")
ENERGY = Objective("energy", unit="J")
COMPUTE = Objective("compute", unit="FLOP")
BETTER = ("down", "up")  # which way an answer is better that is judged by another column of a log than accuracy


def judged_objective(name: str, better: str) -> Objective:
    """Return the objective of another judgement of answers than whether they are right, in [0, 1].

    Args:
        name: of the column of a log, and of the objective.
        better: ``"down"`` where 0 is best (unsafe), ``"up"`` where 1 is (format_ok).

    Raises:
        MooInferError: for another word, and for a name that other objectives have.

    >>> judged_objective("unsafe", "down")
    Objective(name='unsafe', unit='', direction='min', ideal=0.0, scale=1.0, along='sum')
    """
    if better not in BETTER:
        raise MooInferError(f"{name}: which way is better must be down or up, got {better!r}")
    if name in (known := [each.name for each in (ACCURACY, COST, LATENCY, ENERGY, COMPUTE)]):
        raise MooInferError(f"{name}: a judgement needs a name of its own; {', '.join(known)} are objectives already")
    return Objective(name, direction="max" if better == "up" else "min", ideal=float(better == "up"), scale=1.0)


@dataclass(frozen=True)
class Limit:
    """The worst acceptable value of an objective (paper, eq 8).

    Args:
        objective: name of the objective.
        worst: the worst acceptable value, in the objective's unit; finite.
        sense: ``"max"``: values must not be above `worst`; ``"min"``: not below.
        statistic: what is held against `worst`: ``"mean"`` (the paper), or a quantile over trials written as a
            percentage, for example ``"p95"``.

    Raises:
        MooInferError: for an unknown sense or statistic, or a `worst` that is not a finite number.

    >>> print(Limit("latency", 2.0, "max", "p95"))
    p95 latency <= 2
    """

    objective: str
    worst: float
    sense: Literal["max", "min"]
    statistic: str = "mean"

    def __post_init__(self) -> None:
        if not isinstance(self.objective, str) or not self.objective.strip():
            raise MooInferError(f"a limit needs the name of an objective, got {self.objective!r:.80}")
        if not isinstance(self.sense, str) or self.sense not in ("max", "min"):
            raise MooInferError(f"limit on {self.objective}: must be a max or a min, got {self.sense!r}")
        if isinstance(self.worst, bool) or not isinstance(self.worst, int | float | np.number):
            raise MooInferError(f"limit on {self.objective}: must be a number, got {self.worst!r}")
        if not abs(self.worst) <= sys.float_info.max:
            raise MooInferError(f"limit on {self.objective}: must be finite, got {self.worst!r:.40}")
        if problem := out_of_reach(float(self.worst), LARGEST_LIMIT):
            raise MooInferError(f"limit on {self.objective}: {problem}")
        if not isinstance(self.statistic, str) or self.statistic != "mean":
            quantile_of(self.statistic, f"limit on {self.objective}")

    def __str__(self) -> str:
        sign = "<=" if self.sense == "max" else ">="
        prefix = "" if self.statistic == "mean" else f"{self.statistic} "
        return f"{prefix}{self.objective} {sign} {self.worst:g}"

    def excess(self, values: FloatArray, /) -> FloatArray:
        """How far values (any shape) are beyond the limit, in the objective's unit; <= 0 where it is met."""
        excess: FloatArray = (values - self.worst) if self.sense == "max" else (self.worst - values)
        return np.where(np.abs(excess) <= TOLERANCE * abs(self.worst), 0.0, excess)

    def check(self, objective: Objective) -> None:
        """Refuse a limit that makes no sense for its objective.

        Raises:
            MooInferError: where the sense is against the objective's direction, or the value is better than ideal.
        """
        if self.sense == objective.direction:
            better, other = ("higher", "min") if objective.direction == "max" else ("lower", "max")
            raise MooInferError(
                f"limit on {self.objective}: {better} is better, so it takes a {other}, got {self.sense} {self.worst:g}"
            )
        shortfall = objective.shortfall(float(self.worst))
        if shortfall < 0 or (objective.scale is not None and shortfall > objective.scale):
            bounds = sorted([objective.best, objective.best + objective.sign * (objective.scale or math.inf)])
            allowed = f"in [{bounds[0]:g}, {bounds[1]:g}]".replace("inf]", "inf)").replace("[-inf", "(-inf")
            raise MooInferError(f"limit on {self.objective}: must be {allowed}, got {float(self.worst)!r}")


def quantile_of(statistic: str, where: str = "statistic") -> float:
    """Read ``"p95"`` as 0.95.

    Raises:
        MooInferError: for anything but p and a percentage between 0 and 100, both excluded.

    >>> quantile_of("p95")
    0.95
    """
    try:
        percent = float(statistic[1:]) if isinstance(statistic, str) and statistic[:1] == "p" else math.nan
    except ValueError:
        percent = math.nan
    if not 0 < percent < 100:
        raise MooInferError(f"{where}: must be the mean or a percentile such as p95, got {statistic!r}")
    return percent / 100
