"""What the best mixture of options is worth, and the prices of the limits: the linear program of an allocation."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.errors import MooInferError, NoSelection
from ..core.objectives import TOLERANCE
from .menus import Menus, listed_limits, within

__all__ = ["Relaxation", "integer_plan", "relaxed", "relaxed_plans"]

EXACTLY = 1e-10  # the smallest tolerance that HiGHS takes
ASIDE = 1e-7  # of a limit: where options meet it exactly its price has a jump, and is taken on either side of that
MOST_COLUMNS = 200  # plans that are added to a program one by one; about ten a limit are
SECONDS = 60.0  # that an integer program may take
TIGHTER = 2e-6  # of a limit: HiGHS takes what is 1e-6 above it for met, and so a little less is asked for


@dataclass(frozen=True)
class Relaxation:
    """What the best mixture of options is worth: shares of the options of each group meet the limits on average.

    Args:
        value: of the whole; no plan is worth more.
        prices: (m,), what one more unit of each limit adds to it.
        prices_below: (m,), what one unit less takes from it, infinity where nothing is cheaper.
    """

    value: float
    prices: FloatArray
    prices_below: FloatArray


def relaxed(menus: Menus) -> Relaxation:
    """Return the best mixture of options of menus.

    With one limit it is read off the steps up the hulls; with several it is a linear program, which HiGHS solves.

    Raises:
        NoSelection: where no mixture meets the limits.
    """
    if not menus.limits:
        return Relaxation(float(np.nanmax(menus.values, axis=1).sum()), menus.worst, menus.worst)
    if len(menus.limits) == 1:
        return _by_hulls(menus)
    group, option = menus.columns
    above, below = (_prices(menus.values[group, option], menus.costs[group, option], group, w) for w in _aside(menus))
    if above is None:
        raise NoSelection(f"no plan meets {listed_limits(menus.limits)} together, though each can be met alone")
    best = np.nanmax(menus.values - menus.costs @ above, axis=1).sum()  # a bound at any prices, however exact they are
    return Relaxation(float(best + above @ menus.worst), above, np.full(len(above), np.inf) if below is None else below)


def relaxed_plans(values: FloatArray, spent: FloatArray, worst: FloatArray, best: int) -> Relaxation:
    """Return the best mixture of whole plans.

    Args:
        values, spent: (C,) and (C, m), of all plans.
        worst: (m,), the limits.
        best: a plan within them.
    """
    if not len(worst):
        return Relaxation(float(values[best]), worst, worst)
    least = [int(j) for j in spent.argmin(axis=0)]
    columns, prices = [best, *least], []
    for limits in (worst * (1 + ASIDE), worst * (1 - ASIDE)):
        found: FloatArray | None = None
        for _ in range(MOST_COLUMNS):
            found = _prices(values[columns], spent[columns], np.zeros(len(columns), np.int64), limits)
            if found is None:
                break
            worth = values - spent @ found
            new = int(worth.argmax())
            if worth[new] <= worth[columns].max() + TOLERANCE * max(abs(float(worth[new])), 1.0):
                break
            columns.append(new)
        prices.append(np.full(len(worst), np.inf) if found is None else found)
    above, below = prices
    return Relaxation(float((values - spent @ above).max() + above @ worst), above, below)


def integer_plan(menus: Menus, tolerance: float) -> tuple[IntArray | None, float]:
    """Return the plan (G,) that an integer program finds, None for none within its time, and a bound.

    Args:
        menus: with limits.
        tolerance: the gap, as a share of the bound, that is good enough.

    Raises:
        NoSelection: where no plan meets the limits.
    """
    bound = np.inf
    for tight in (1.0, 1 - TIGHTER):
        found = _integers(menus, tight, tolerance)
        if found.status == 2 and tight == 1.0:
            raise NoSelection(f"no plan meets {listed_limits(menus.limits)} together, though each can be met alone")
        if tight == 1.0 and found.mip_dual_bound is not None:
            bound = -float(found.mip_dual_bound) * _unit(menus.values)
        if found.x is None:
            break
        group, option = menus.columns
        taken = np.flatnonzero(found.x > 0.5)
        plan = np.zeros(len(menus.values), dtype=np.int64)
        plan[group[taken]] = option[taken]
        if within(menus.whole(plan[None])[1][0], menus.worst):
            return plan, bound
    return None, bound


def _integers(menus: Menus, tight: float, tolerance: float) -> Any:
    from scipy.optimize import (
        Bounds,
        LinearConstraint,
        milp,
    )  # slow to load

    group, option = menus.columns
    scale = _scale(menus.worst)
    limits = LinearConstraint((menus.costs[group, option] / scale).T, ub=menus.worst / scale * tight * (1 + TOLERANCE))
    return milp(
        -menus.values[group, option] / _unit(menus.values),
        integrality=np.ones(len(group), dtype=np.int64),
        bounds=Bounds(0, 1),
        constraints=[LinearConstraint(_one_each(group), 1, 1), limits],
        options={"mip_rel_gap": tolerance, "time_limit": SECONDS},
    )


def _by_hulls(menus: Menus) -> Relaxation:
    climb, limit = menus.climb, float(menus.worst[0])
    full = climb.within(limit)
    value = climb.value + float(climb.gain[:full].sum())
    left = limit - climb.cost - float(climb.take[:full].sum())
    above = float(climb.slope[full]) if full < len(climb.slope) else 0.0
    below = above
    if abs(left) <= TOLERANCE * limit:  # options alone take all of it
        below = float(climb.slope[full - 1]) if full else np.inf
    return Relaxation(value + above * max(left, 0.0), np.array([above]), np.array([below]))


def _prices(values: FloatArray, taken: FloatArray, group: IntArray, worst: FloatArray) -> FloatArray | None:
    """The prices (m,) of limits on what options (N,) of some groups take (N, m); None where no mixture meets them."""
    from scipy.optimize import linprog

    scale, unit = _scale(worst), _unit(values)
    found = linprog(
        -values / unit,
        A_ub=(taken / scale).T,
        b_ub=worst / scale * (1 + TOLERANCE),
        A_eq=_one_each(group),
        b_eq=np.ones(int(group.max()) + 1),
        method="highs-ipm",  # with 2,000 menus of 20 options a second, where the simplex method takes 16
        options={"primal_feasibility_tolerance": EXACTLY, "dual_feasibility_tolerance": EXACTLY},
    )
    if found.status == 2:
        return None
    if found.status != 0:
        raise MooInferError(f"the linear program of the allocation has no solution: {found.message}")
    return np.abs(np.asarray(found.ineqlin.marginals)) * unit / scale


def _one_each(group: IntArray) -> Any:
    """The rows of a program by which each group has one option."""
    from scipy.sparse import coo_array

    rows = (np.ones(len(group)), (group, np.arange(len(group))))
    return coo_array(rows, shape=(int(group.max()) + 1, len(group))).tocsr()


def _scale(worst: FloatArray) -> FloatArray:
    """(m,) by which limits are divided: tolerances of HiGHS are for numbers around 1."""
    return np.where(worst > 0, worst, 1.0)


def _unit(values: FloatArray) -> float:
    """The largest value of an option, by which they are divided."""
    return float(np.nanmax(np.abs(values))) or 1.0


def _aside(menus: Menus) -> Iterator[FloatArray]:
    """The limits, loosened and tightened a little."""
    yield menus.worst * (1 + ASIDE)
    yield menus.worst * (1 - ASIDE)
