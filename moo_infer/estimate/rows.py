"""The figures of one row of the table."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from ..core.arrays import FloatArray
from ..core.objectives import Objective
from .curves import HIGH, LOW, Column

__all__ = ["Row", "Statistics", "unmeasured"]


@dataclass(frozen=True, eq=False)
class Statistics:
    """The figures of one objective in one row, in the objective's unit; NaN where unknown.

    Nothing is simulated before a figure is asked for that needs it.
    """

    column: Column = field(repr=False)
    place: int = field(repr=False)

    @property
    def mean(self) -> float:
        """The expectation."""
        return float(self.column.mean[self.place])

    @property
    def std(self) -> float:
        """The standard deviation over trials."""
        return float(self.column.std[self.place])

    @property
    def low(self) -> float:
        """The 2.5 % quantile over trials."""
        return self.quantile(LOW)

    @property
    def high(self) -> float:
        """The 97.5 % quantile over trials."""
        return self.quantile(HIGH)

    @property
    def stderr(self) -> float:
        """The standard error of the mean over the questions of a log: others might have been asked; NaN without one."""
        return float(self.column.stderr[self.place])

    @property
    def stderr_simulation(self) -> float:
        """The Monte Carlo standard error of a simulated mean; NaN where the mean is exact."""
        return float(self.column.stderr_simulation[self.place])

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean, had other questions of the log been asked; None without one."""
        return _ends(self.column.other_questions[:, self.place])

    @property
    def same_questions(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean, had the questions of the log been asked again; None where it is not known."""
        return _ends(self.column.same_questions[:, self.place])

    @property
    def by_question(self) -> dict[str, float] | None:
        """The means given each question of a log, by its name; None without one."""
        return self.column.by_question(self.place)

    def quantile(self, q: float, /) -> float:
        """Any quantile over trials."""
        return float(self.column.quantile(q)[self.place])


def _ends(interval: FloatArray) -> tuple[float, float] | None:
    low, high = interval.tolist()
    return None if math.isnan(low) else (low, high)


def unmeasured(objective: Objective, figures: Statistics, /) -> Iterator[str]:
    """Say which error of the mean cannot be measured, as all trials or all questions have the same value."""
    if objective.scale is None:
        return
    mean, column = figures.mean, figures.column
    if "mean" in column.simulated and mean == objective.best and figures.std == 0:
        yield (
            f"{objective.name}: each of the {len(column.trials)} trials gave {mean:g}, so the error of the mean cannot "
            "be measured with that many trials"
        )
    if figures.stderr == 0:
        yield (
            f"{objective.name}: it is the same for all questions of the log, so that what others would change cannot "
            "be measured"
        )


@dataclass(frozen=True, eq=False)
class Row:
    """One deployment of the table, with every figure."""

    model: str
    aggregator: str
    k: int
    parallelism: int
    objectives: Mapping[str, Statistics]
    simulated: tuple[str, ...]
    warnings: tuple[str, ...]
