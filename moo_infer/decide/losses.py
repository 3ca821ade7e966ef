"""Losses: means in minimisation form, of one table or of many at once."""

from collections.abc import Sequence

import numpy as np

from ..core.arrays import FloatArray
from ..core.objectives import Limit, Objective
from ..core.rounding import significant

__all__ = ["limited", "losses"]


def losses(objectives: Sequence[Objective], means: FloatArray, scales: FloatArray) -> FloatArray:
    """(..., n, m) losses of means (..., n, m) by scales (..., 1, m) or (m,); see `Candidates.losses`."""
    ideal, sign = np.array([(o.best, o.sign) for o in objectives]).T
    scales = np.where(scales > 0, scales, 1.0)  # a scale of 0: every value there is ideal
    return significant(sign * (means - ideal) / scales, np.abs(ideal) / scales)


def limited(objectives: Sequence[Objective], scales: FloatArray, limits: Sequence[Limit]) -> FloatArray:
    """Return the scales (..., m), those of limits in place of those of the table."""
    scales = scales.copy()
    for j, objective in enumerate(objectives):
        worst = [abs(limit.worst - objective.best) for limit in limits if limit.objective == objective.name]
        if worst and objective.scale is None:
            scales[..., j] = min(worst)
    return scales
