"""Losses: means in minimisation form, of one table or of many at once."""

from collections.abc import Callable, Sequence

import numpy as np

from ..core.arrays import FloatArray
from ..core.errors import MooInferError
from ..core.objectives import TOLERANCE, Limit, Objective
from ..core.rounding import significant

__all__ = ["limited", "losses", "shortfalls"]


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


def shortfalls(objectives: Sequence[Objective], means: FloatArray, name: Callable[[int], str]) -> FloatArray:
    """(n, m) how far means (n, m) are from their ideals, in their units; `name` says whose a row is.

    Raises:
        MooInferError: for means that are not finite, or better than ideal by more than rounding.
    """
    if not np.isfinite(means).all():
        i, j = np.argwhere(~np.isfinite(means))[0].tolist()
        raise MooInferError(f"{objectives[j].name} of {name(i)} must be finite, got {means[i, j]}")
    shortfall = np.array([o.shortfall(means[:, j]) for j, o in enumerate(objectives)]).T
    if (better := np.argwhere(shortfall < -TOLERANCE * np.maximum(np.abs(means), 1.0))).size:
        i, j = better[0].tolist()
        raise MooInferError(
            f"{objectives[j].name} of {name(i)} is {means[i, j]:g}, better than its ideal {objectives[j].best:g}"
        )
    return shortfall
