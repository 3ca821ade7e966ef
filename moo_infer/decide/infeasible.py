"""Why nothing is feasible, which row is nearest, and what loosening one limit would change."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..core.objectives import Limit
from .candidates import Candidates

__all__ = ["Relaxation", "describe", "infeasible", "relaxations"]


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
            by, weaker = _by(candidates, limit, excess[row, j]), _relaxed(limit, excess[row, j])
            hints.append(f"{limit} fails by {by}; {weaker} would do ({_row_name(candidates, row)})")
    if hints:
        return "nothing is feasible: " + ", or ".join(hints)
    relative = excess / np.array([abs(limit.worst) or 1.0 for limit in limits])
    row = int(np.argmin(relative.max(axis=1)))
    failing = [(limit, e) for limit, e in zip(limits, excess[row], strict=True) if e > 0]
    fails = " and ".join(f"{limit} by {_by(candidates, limit, e)}" for limit, e in failing)
    needs = " and ".join(str(_relaxed(limit, e)) for limit, e in failing)
    return (
        f"nothing is feasible, and no limit alone can be loosened to change that: "
        f"the nearest ({_row_name(candidates, row)}) fails {fails}; {needs} would do"
    )


@dataclass(frozen=True)
class Relaxation:
    """The effect of loosening one limit alone.

    Args:
        limit: the limit.
        needs: the limit it would have to become, or None where loosening it alone does nothing.
        row: the row that would then be feasible, or None.
        buys: by objective, the best mean now and that of the row, where the row is better; empty where nothing is
            feasible now.
    """

    limit: Limit
    needs: Limit | None = None
    row: int | None = None
    buys: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def relaxations(candidates: Candidates, limits: Sequence[Limit], /) -> list[Relaxation]:
    """Find for each limit the smallest loosening of it alone that makes a row feasible, or a better row.

    Better is a row that beats every feasible row in some objective other than the limited one: the shadow price of the
    limit, for a table that has only so many rows.

    >>> from moo_infer import Objective
    >>> table = Candidates.from_means([Objective("cost", "USD"), Objective("time", "s")], [[2, 9], [3, 5], [4, 5]])
    >>> relaxations(table, [Limit("cost", 2.5, "max")])[0].buys
    {'time': (9.0, 5.0)}
    """
    excess = [limit.excess(candidates.column(limit.objective, limit.statistic)) for limit in limits]
    met = candidates.met(limits)
    losses, results = candidates.losses, []
    best = losses[met].min(axis=0) if met.any() else np.full(losses.shape[1], np.inf)
    for j, limit in enumerate(limits):
        alone = np.all([e <= 0 for i, e in enumerate(excess) if i != j] or [np.ones(len(candidates), bool)], axis=0)
        better = losses < best
        better[:, candidates.index(limit.objective)] = False
        rows = np.flatnonzero(alone & (excess[j] > 0) & (better.any(axis=1) if met.any() else True))
        if not len(rows):
            results.append(Relaxation(limit))
            continue
        row = int(rows[np.argmin(excess[j][rows])])
        buys = {
            o.name: (float(candidates.means[met, i][np.argmin(losses[met, i])]), float(candidates.means[row, i]))
            for i, o in enumerate(candidates.objectives)
            if met.any() and better[row, i]
        }
        results.append(Relaxation(limit, _relaxed(limit, excess[j][row]), row, buys))
    return results


def describe(candidates: Candidates, relaxation: Relaxation, /) -> str:
    """Describe in a line the effect of loosening one limit alone."""
    if relaxation.row is None or relaxation.needs is None:
        return f"{relaxation.limit}: loosening only this limit changes nothing"
    row_name = _row_name(candidates, relaxation.row)
    if not relaxation.buys:
        return f"{relaxation.limit}: at {relaxation.needs.worst:.4g} something is feasible ({row_name})"
    units = {o.name: o.unit for o in candidates.objectives}
    buys = " and ".join(
        f"{name} becomes {then:.4g} instead of {now:.4g} {units[name]}".rstrip()
        for name, (now, then) in relaxation.buys.items()
    )
    return f"{relaxation.limit}: at {relaxation.needs.worst:.4g} {buys} ({row_name})"


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


def _row_name(candidates: Candidates, row: int) -> str:
    beyond = candidates.extrapolated(row)
    k = f"k = {candidates.k[row]}{f', {beyond}' if beyond else ''}"
    return k if len(candidates.curves) == 1 else f"{candidates.model[row]}, {candidates.aggregator[row]}, {k}"
