"""Why nothing is feasible, and the nearest limit that would change it."""

import math
from collections.abc import Sequence

import numpy as np

from .candidates import Candidates
from .objectives import Limit

__all__ = ["infeasible"]


def infeasible(candidates: Candidates, limits: Sequence[Limit], /) -> str:
    """Say which limits no row meets together, by how much, and which value would work.

    Args:
        candidates: a table of which no row meets all limits.
        limits: the limits.

    >>> from moo_infer import Objective
    >>> table = Candidates.from_means([Objective("cost", "USD")], [[2.0], [3.0]])
    >>> infeasible(table, [Limit("cost", 1.5, "max")])
    'nothing is feasible: cost <= 1.5 fails by 0.5 USD (33 %); cost <= 2 would do (k = 1)'
    """
    excess = np.stack([limit.excess(candidates.column(limit.objective, limit.statistic)) for limit in limits], axis=1)
    missed = excess > 0
    hints = []
    for j, limit in enumerate(limits):
        rest = np.flatnonzero(~np.delete(missed, j, axis=1).any(axis=1))
        if len(rest):
            row = int(rest[np.argmin(excess[rest, j])])
            by = _by(candidates, limit, excess[row, j])
            hints.append(f"{limit} fails by {by}; {_relaxed(limit, excess[row, j])} would do ({_who(candidates, row)})")
    if hints:
        return "nothing is feasible: " + ", or ".join(hints)
    relative = excess / np.array([abs(limit.worst) or 1.0 for limit in limits])
    row = int(np.argmin(relative.max(axis=1)))
    failing = [(limit, e) for limit, e in zip(limits, excess[row], strict=True) if e > 0]
    fails = " and ".join(f"{limit} by {_by(candidates, limit, e)}" for limit, e in failing)
    needs = " and ".join(str(_relaxed(limit, e)) for limit, e in failing)
    return (
        f"nothing is feasible, and no limit alone can be loosened to change that: "
        f"the nearest ({_who(candidates, row)}) fails {fails}; {needs} would do"
    )


def _by(candidates: Candidates, limit: Limit, excess: float) -> str:
    unit = candidates.objectives[candidates.index(limit.objective)].unit
    percent = 100 * excess / abs(limit.worst) if limit.worst else 0.0
    form = ".2g" if percent < 10 else ".0f" if percent < 1e5 else ".2g"
    share = f" ({percent:{form}} %)" if percent else ""
    return f"{excess:.3g}{' ' if unit else ''}{unit}{share}"


def _relaxed(limit: Limit, excess: float) -> Limit:
    """Return the limit that is just met, rounded outwards to 4 digits so that it works when it is typed in."""
    exact = limit.worst + excess if limit.sense == "max" else limit.worst - excess
    digits = 3 - math.floor(math.log10(abs(exact))) if exact else 0
    away = math.ceil if limit.sense == "max" else math.floor
    rounded = away(round(exact * 10.0**digits, 6)) / 10.0**digits
    if Limit(limit.objective, rounded, limit.sense).excess(np.array([exact]))[0] > 0:
        rounded += math.copysign(10.0**-digits, excess if limit.sense == "max" else -excess)
    return Limit(limit.objective, rounded, limit.sense, limit.statistic)


def _who(candidates: Candidates, row: int) -> str:
    k = f"k = {candidates.k[row]}"
    return k if candidates.curves == 1 else f"{candidates.model[row]}, {candidates.aggregator[row]}, {k}"
