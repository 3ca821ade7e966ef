"""A column of which some questions are exact and the others replayed: listed as simulated."""

from functools import cached_property

from ..core.arrays import FloatArray
from ..core.moments import Moments
from ..estimate.curves import Column, TrialSource

__all__ = ["PartlySimulated"]


class PartlySimulated(Column):
    """One objective of a policy at n numbers of samples, on questions some of which have too many states.

    Args:
        moments: over all questions.
        source, objective: as of any column.
        error: (n,) standard errors of the means that are due to replay.
    """

    def __init__(self, moments: Moments | None, source: TrialSource, objective: str, error: FloatArray) -> None:
        super().__init__(moments, source, objective)
        self._error = error

    @cached_property
    def stderr_simulation(self) -> FloatArray:
        """(n,) Monte Carlo standard errors of the means."""
        return self._error

    @property
    def simulated(self) -> tuple[str, ...]:
        """The statistics that come from simulation."""
        return ("mean", "std", *(name for name in super().simulated if name not in ("mean", "std")))
