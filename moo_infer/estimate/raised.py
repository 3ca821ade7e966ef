"""A curve to which every query adds the same: its share of what is paid once."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

from ..core.arrays import FloatArray
from .curves import Column, Curve

__all__ = ["Raised", "raised"]


class Raised(Column):
    """A column whose values are all higher by the same amount; spreads and standard errors stay.

    Args:
        column: as it is without.
        by: how much higher, in the unit of the objective.
    """

    def __init__(self, column: Column, by: float) -> None:
        super().__init__(column._moments, column._source, column._objective, column._again)
        self.column, self.by = column, by

    @cached_property
    def trials(self) -> FloatArray:
        """(M, n) simulated totals."""
        return self.column.trials + self.by

    @cached_property
    def mean(self) -> FloatArray:
        """(n,) expectations."""
        return self.column.mean + self.by

    @cached_property
    def std(self) -> FloatArray:
        """(n,) standard deviations over trials."""
        return self.column.std

    @cached_property
    def stderr_simulation(self) -> FloatArray:
        """(n,) Monte Carlo standard errors of a simulated mean."""
        return self.column.stderr_simulation

    @cached_property
    def other_questions(self) -> FloatArray:
        """(2, n) ends of the 95 % intervals of the means, had other questions been asked."""
        return self.column.other_questions + self.by

    @cached_property
    def same_questions(self) -> FloatArray:
        """(2, n) ends likewise, had the questions of the log been asked again."""
        return self.column.same_questions + self.by

    def by_question(self, place: int, /) -> dict[str, float] | None:
        """Return a mean given each question of a log, by its name; None without one."""
        known = self.column.by_question(place)
        return None if known is None else {question: value + self.by for question, value in known.items()}

    @property
    def simulated(self) -> tuple[str, ...]:
        """The statistics that come from simulation."""
        return self.column.simulated

    def _exact_quantile(self, q: float) -> FloatArray | None:
        exact = self.column._exact_quantile(q)
        return None if exact is None else exact + self.by


def raised(curve: Curve, by: Mapping[str, float]) -> Curve:
    """Return a curve with higher columns.

    Args:
        curve: as it is without.
        by: how much higher, by objective; those that are not named stay.
    """
    columns = {name: Raised(column, by[name]) if by.get(name) else column for name, column in curve.columns.items()}
    return replace(curve, columns=columns)
