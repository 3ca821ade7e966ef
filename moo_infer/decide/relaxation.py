"""What the best mixture of options is worth, and the prices of the limits: the linear program of an allocation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.errors import MooInferError, NoSelection
from ..core.objectives import TOLERANCE
from .menus import Menus, listed_limits, within

__all__ = ["Relaxation", "integer_plan", "relaxed", "relaxed_plans"]

EXACTLY = 1e-10  # the smallest tolerance that HiGHS takes
ASIDE = 1e-7  # of a limit: where options meet it exactly its price has a jump, and is taken on either side of that
MOST_COLUMNS = 200  # plans that are added to a program one by one; about ten a limit are
MOST_BY_SIMPLEX = 5_000  # options: a tenth of a second; 40,000 take 16 s, and 1 s in the interior, less exactly
SECONDS = 60.0  # that an integer program may take
TIGHTER = 2e-6  # of a limit: HiGHS takes what is 1e-6 above it for met, and so a little less is asked for


@dataclass(frozen=True)
class Relaxation:
    """What the best mixture of options is worth: shares of the options of each group meet the limits on average.

    Args:
        value: of the whole; no plan is worth more.
        prices: (m,), what one more unit of each limit alone adds to it.
        prices_below: (m,), what one unit less of it alone takes from it, infinity where no mixture takes less of it
            and no more of the others.
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
    values, taken = menus.values[group, option], menus.costs[group, option]
    scale = _scale(menus.worst, taken.max(axis=0))
    found = _on_either_side(lambda limits: _prices(values, taken, group, limits, scale), menus.worst, scale)
    if found is None:
        raise NoSelection(f"no plan meets {listed_limits(menus.limits)} together, though each can be met alone")
    together, above, below = found
    best = np.nanmax(menus.values - menus.costs @ together, axis=1).sum()  # a bound at any prices, exact or not
    return Relaxation(float(best + together @ menus.worst), above, below)


def relaxed_plans(values: FloatArray, spent: FloatArray, worst: FloatArray, best: int) -> Relaxation:
    """Return the best mixture of whole plans.

    Args:
        values, spent: (C,) and (C, m), of all plans.
        worst: (m,), the limits.
        best: a plan within them.
    """
    if not len(worst):
        return Relaxation(float(values[best]), worst, worst)
    scale = _scale(worst, spent.max(axis=0))
    columns = [best, int((spent / scale).max(axis=1).argmin()), *(int(i) for i in spent.argmin(axis=0))]
    found = _on_either_side(lambda limits: _prices_of_plans(values, spent, limits, scale, columns), worst, scale)
    if found is None:  # by rounding alone, as the best plan is within the limits
        return Relaxation(float(values[best]), np.zeros(len(worst)), np.full(len(worst), np.inf))
    together, above, below = found
    return Relaxation(float((values - spent @ together).max() + together @ worst), above, below)


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


def _on_either_side(
    prices: Callable[[FloatArray], FloatArray | None], worst: FloatArray, scale: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray] | None:
    """The prices (m,) with all limits loosened a little, and of each with it alone loosened and tightened a little.

    What two limits buy together, none of them may buy alone: the first give the tighter bound, the others say what more
    of one limit is worth. None where no mixture meets the loosened limits.
    """
    together = prices(worst + ASIDE * scale)
    if together is None:
        return None
    above, below = together.copy(), np.full(len(worst), np.inf)
    for j, step in enumerate(np.diag(ASIDE * scale)):
        looser = prices(worst + step) if len(worst) > 1 else together
        tighter = prices(worst - step)
        above[j] = together[j] if looser is None else looser[j]
        below[j] = np.inf if tighter is None else tighter[j]
    return together, above, below


def _prices_of_plans(
    values: FloatArray, spent: FloatArray, limits: FloatArray, scale: FloatArray, columns: list[int]
) -> FloatArray | None:
    """The prices (m,) of limits on mixtures of all plans, None where none meets them.

    Args:
        values, spent: (C,) and (C, m), of all plans.
        limits, scale: (m,), the limits, and by what they are divided.
        columns: plans to begin with, to which those are added that the program needs.
    """
    found: FloatArray | None = None
    for _ in range(MOST_COLUMNS):
        alike = np.zeros(len(columns), np.int64)
        found = _prices(values[columns], spent[columns], alike, limits, scale)
        if found is None:  # other plans may meet them: one that takes nothing fills in, and is to have the least share
            last, taken = np.append(0.0 * alike, -1.0), np.vstack([spent[columns], 0.0 * limits])
            filled = _prices(last, taken, np.append(alike, 0), limits, scale)
            if filled is None:
                return None
            worth = -spent @ filled
        else:
            worth = values - spent @ found
        new = int(worth.argmax())
        if worth[new] <= worth[columns].max() + TOLERANCE * max(abs(float(worth[new])), 1.0):
            break
        columns.append(new)
    return found


def _prices(
    values: FloatArray, taken: FloatArray, group: IntArray, limits: FloatArray, scale: FloatArray
) -> FloatArray | None:
    """The prices (m,) of limits on what options (N,) of some groups take (N, m); None where no mixture meets them."""
    from scipy.optimize import linprog

    unit = _unit(values)
    methods: tuple[Literal["highs-ds", "highs-ipm"], ...] = ("highs-ds", "highs-ipm")
    if len(values) > MOST_BY_SIMPLEX:
        methods = methods[::-1]
    for method in methods:  # one fails in a few degenerate programs, and the other one solves them
        found = linprog(
            -values / unit,
            A_ub=(taken / scale).T,
            b_ub=limits / scale * (1 + TOLERANCE),
            A_eq=_one_each(group),
            b_eq=np.ones(int(group.max()) + 1),
            method=method,
            options={"primal_feasibility_tolerance": EXACTLY, "dual_feasibility_tolerance": EXACTLY},
        )
        if found.status == 2:
            return None
        if found.status == 0:
            return np.abs(np.asarray(found.ineqlin.marginals)) * unit / scale
    raise MooInferError(f"the linear program of the allocation has no solution: {found.message}")


def _one_each(group: IntArray) -> Any:
    """The rows of a program by which each group has one option."""
    from scipy.sparse import coo_array

    rows = (np.ones(len(group)), (group, np.arange(len(group))))
    return coo_array(rows, shape=(int(group.max()) + 1, len(group))).tocsr()


def _scale(worst: FloatArray, largest: FloatArray | float = 1.0) -> FloatArray:
    """(m,) by which limits are divided, as tolerances of HiGHS are for numbers around 1.

    Args:
        worst: (m,), the limits.
        largest: that an option takes of each, for limits of 0.
    """
    return np.where(worst > 0, worst, np.where(np.asarray(largest) > 0, largest, 1.0))


def _unit(values: FloatArray) -> float:
    """The largest value of an option, by which they are divided."""
    return float(np.nanmax(np.abs(values))) or 1.0
