"""One option of each of many menus, so that the whole is worth most within limits: a multiple-choice knapsack."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..core.arguments import typed
from ..core.arrays import FloatArray, IntArray
from ..core.errors import MooInferError, NoSelection
from ..core.numeric import numbers_of
from ..core.objectives import TOLERANCE
from ..core.parts import AtLeastOne, NonNegative, at_least_one
from ..core.rounding import significant
from .menus import Menus, limits_of, listed_limits, refuse_too_little, within
from .relaxation import Relaxation, integer_plan, relaxed, relaxed_plans

__all__ = ["Allocation", "allocate", "best_plan"]

FEW = 100_000  # plans of a sum that are all looked at, in a tenth of a second
MOST_PLANS = 1_000_000  # of what is no sum
AT_ONCE = 50_000  # plans that are evaluated together
GAP = 1e-4  # of the bound: who is nearer to it looks no further
MOST_GROUPS = 500  # for which a gap of the dual is closed by an integer program: seconds, not minutes

Method = Literal["enumeration", "dual", "milp"]
Evaluate = Callable[[IntArray], tuple[npt.ArrayLike, npt.ArrayLike]]


@dataclass(frozen=True, eq=False)
class Allocation:
    """An option of each of G groups.

    Args:
        choices: (G,), their numbers.
        value: of the whole.
        spent: by limit, what the whole takes.
        shadow_prices: by limit, what one more unit of it alone adds to the value of the best mixture of options; empty
            where that is not known, of more than 1,000,000 plans of a workflow.
        prices_below: by limit, what one unit less takes from that: where a plan takes a limit exactly, every price
            between the two gives this plan.
        bound: no plan within the limits is worth more.
        mixture: what the best mixture of options is worth, with limits met on average; not below `bound` but for
            rounding, and NaN where shadow prices are not known.
        upgrades: (G,), of each group the option whose gain for one more unit of the first limit is largest, from its
            choice on; -1 where none is worth more.
        rates: (G,), that gain; infinity where it takes nothing more of the first limit, 0 where there is none.
        method: ``enumeration``, ``dual`` or ``milp``.
    """

    choices: IntArray
    value: float
    spent: Mapping[str, float]
    shadow_prices: Mapping[str, float]
    prices_below: Mapping[str, float]
    bound: float
    mixture: float
    upgrades: IntArray
    rates: FloatArray
    method: Method

    @property
    def gap(self) -> float:
        """How far the value may be from the best one, as a share of the bound; 0 where it is the best."""
        missing = self.bound - self.value
        size = max(abs(self.bound), abs(self.value))
        return missing / size if missing > TOLERANCE * size else 0.0


@typed()
def allocate(
    values: Sequence[npt.ArrayLike] | FloatArray,
    costs: Sequence[npt.ArrayLike] | FloatArray,
    limits: Mapping[str, float],
    weights: npt.ArrayLike | None = None,
    *,
    groups: Sequence[str] | None = None,
    tolerance: NonNegative = GAP,
) -> Allocation:
    """Choose one option of each group, so that the sum of their values is largest within limits on sums of their costs.

    Up to 100,000 plans are all looked at. Beyond, one limit has a price: at each price every group takes the option
    with the largest value less the price of what it takes, and the price at which they fill the limit is searched for;
    what is left then buys what fits. Where that leaves a gap above the tolerance, up to 500 groups go to an integer
    program, as do several limits.

    What multiplies is given as logarithms: stages that must all be right, the misses of independent samples. Where the
    slowest of parallel branches counts, each path is a limit of its own. What adds up in neither way takes `best_plan`.

    Args:
        values: by group (n,), or (G, n): what each option is worth, finite; n may differ.
        costs: by group (n, m), or (G, n, m), in the order of the limits, finite and >= 0; with one limit also (n,).
        limits: by name, the most that all groups together may take, finite and >= 0.
        weights: (G,), by which values and costs of each group are multiplied, such as shares or numbers of queries,
            >= 0 and not all 0; None for 1.
        groups: (G,), their names, for errors; None for their numbers.
        tolerance: the gap, as a share of the bound, that is good enough.

    Returns:
        The allocation. Of plans that are worth the same the one is taken that takes least of the first limit.

    Raises:
        NoSelection: where no plan meets the limits, with what the cheapest one takes.
        MooInferError: for numbers that are none, infinite, or negative where they must not be.

    Source:
        Kellerer, Pferschy and Pisinger, Knapsack Problems (2004), chapter 11.

    >>> easy, hard = [0.90, 0.95, 0.96], [0.30, 0.60, 0.80]  # accuracy of 1, 3 and 9 samples
    >>> usd = [0.01, 0.03, 0.09]
    >>> found = allocate([easy, hard], [usd, usd], {"cost": 0.04}, weights=[0.7, 0.3])
    >>> found.choices.tolist(), round(found.value, 6), round(found.spent["cost"], 6), found.gap
    ([0, 2], 0.87, 0.034, 0.0)
    """
    menus = Menus.of(values, costs, limits, weights, groups)
    refuse_too_little(menus.least, menus.limits)
    relaxation = relaxed(menus)
    if np.log(menus.sizes).sum() <= math.log(FEW):
        plans = _plans(menus.sizes, 0, math.prod(menus.sizes.tolist()))
        best = _best(*menus.whole(plans), menus.limits)
        return _of_sums(menus, plans[best], relaxation, "enumeration")
    if len(menus.limits) > 1:
        plan, bound = integer_plan(menus, tolerance)
        if plan is None:
            raise NoSelection(
                f"no plan that meets {listed_limits(menus.limits)} was found in the time that it may take"
            )
        return _of_sums(menus, plan, relaxation, "milp", bound)
    found = _of_sums(menus, _by_price(menus), relaxation, "dual", relaxation.value)
    if found.gap <= tolerance or len(menus.values) > MOST_GROUPS:
        return found
    plan, bound = integer_plan(menus, tolerance)
    better = found if plan is None else _of_sums(menus, _filled(menus, plan), relaxation, "milp", bound)
    return better if better.value > found.value else replace(found, bound=max(found.value, min(bound, found.bound)))


@typed()
def best_plan(sizes: Sequence[AtLeastOne], evaluate: Evaluate, limits: Mapping[str, float]) -> Allocation:
    """Choose one option of each group where the whole is no sum: up to 1,000,000 plans are all looked at.

    Args:
        sizes: (G,), how many options each group has, >= 1.
        evaluate: gives what plans (C, G), each a row of option numbers, are worth (C,), and what they take (C, m) in
            the order of the limits; finite numbers. It is asked for up to 50,000 plans at once.
        limits: by name, the most that the whole may take, finite and >= 0.

    Returns:
        The allocation. Of plans that are worth the same the one is taken that takes least of the first limit.

    Raises:
        NoSelection: where no plan meets the limits, with what the cheapest one takes.
        MooInferError: for more plans, and for what is not finite.

    >>> def slower_of_two(plans):
    ...     p, seconds = np.array([[0.5, 0.9], [0.6, 0.8]]), np.array([[1.0, 4.0], [2.0, 3.0]])
    ...     return p[[0, 1], plans].prod(axis=1), seconds[[0, 1], plans].max(axis=1, keepdims=True)
    >>> found = best_plan([2, 2], slower_of_two, {"latency": 3.0})
    >>> found.choices.tolist(), found.value, dict(found.spent)
    ([0, 1], 0.4, {'latency': 3.0})
    """
    known = limits_of(limits)
    sizes = [at_least_one(size, f"sizes[{g}]") for g, size in enumerate(sizes)]
    count = math.prod(sizes) if sizes else 0
    if not 1 <= count <= MOST_PLANS:
        raise MooInferError(f"there must be 1 to {MOST_PLANS:,} plans to look at, got {count:,} ({len(sizes)} groups)")
    starts = range(0, count, AT_ONCE)
    parts = [_evaluated(evaluate, _plans(sizes, i, min(i + AT_ONCE, count)), len(known)) for i in starts]
    values, spent = np.concatenate([v for v, _ in parts]), np.concatenate([c for _, c in parts])
    worst = np.array([*known.values()], dtype=np.float64)
    refuse_too_little(spent.min(axis=0), known)
    best = _best(values, spent, known)
    choices = _plans(sizes, best, best + 1)[0]
    relaxation = relaxed_plans(values, spent, worst, best)
    found = _allocation(choices, float(values[best]), spent[best], known, relaxation, "enumeration")
    gains, more = np.full((len(sizes), max(sizes)), np.nan), np.full((len(sizes), max(sizes)), np.nan)
    for g, n in enumerate(sizes):
        others = np.repeat(choices[None], n, axis=0)
        others[:, g] = np.arange(n)
        same = np.ravel_multi_index(tuple(others.T), tuple(sizes))
        v, c = values[same], spent[same]
        gains[g, :n], more[g, :n] = beyond(v, values[best]), beyond(c, spent[best])[:, 0] if known else 0.0
    return with_upgrades(found, gains, more)


def _plans(sizes: npt.ArrayLike, start: int, end: int) -> IntArray:
    """(C, G), plans by their number: the last group changes from one to the next."""
    shape = tuple(np.asarray(sizes).tolist())
    return np.stack(np.unravel_index(np.arange(start, end), shape), axis=1).astype(np.int64)


def _evaluated(evaluate: Evaluate, plans: IntArray, m: int) -> tuple[FloatArray, FloatArray]:
    """What plans are worth (C,) and take (C, m), as a function gives it."""
    given = evaluate(plans)
    if not isinstance(given, tuple) or len(given) != 2:
        raise MooInferError(f"evaluate: must give what plans are worth and what they take, got {given!r:.80}")
    values, spent = (numbers_of(part, "evaluate") for part in given)
    for what, part, shape in (("are worth", values, (len(plans),)), ("take", spent, (len(plans), m))):
        if part.shape != shape:
            raise MooInferError(f"what plans {what} must have the shape {shape}, got {part.shape}")
        if not np.isfinite(part).all():
            raise MooInferError(f"what plans {what} must be finite, got {part[~np.isfinite(part)][0]}")
    return values, spent


def _best(values: FloatArray, spent: FloatArray, limits: Mapping[str, float]) -> int:
    """The plan within limits that is worth most, and of equals the one that takes least."""
    fits = np.flatnonzero(within(spent, np.array([*limits.values()], dtype=np.float64)))
    if not len(fits):
        raise NoSelection(f"no plan meets {listed_limits(limits)} together, though each can be met alone")
    rounded = significant(values[fits])
    ties = fits[rounded == rounded.max()]
    return int(ties[np.lexsort(significant(spent[ties]).T[::-1])[0]] if len(limits) else ties[0])


def _by_price(menus: Menus) -> IntArray:
    """(G,), the options at the price at which they fill the one limit; what is left then buys the largest gains."""
    if not menus.limits:
        return np.asarray(np.nanargmax(menus.values, axis=1))
    return _filled(menus, menus.climb.after(menus.climb.within(float(menus.worst[0]))))


def _filled(menus: Menus, choices: IntArray) -> IntArray:
    """(G,), options after what they leave of the one limit has bought the largest gains, one after the other."""
    limit, choices = float(menus.worst[0]), choices.copy()
    g, cost, value = np.arange(len(choices)), menus.costs[:, :, 0], significant(menus.values)
    while True:
        left = limit * (1 + TOLERANCE) - math.fsum(cost[g, choices])
        gain = value - value[g, choices][:, None]
        more = cost - cost[g, choices][:, None]
        gain = np.where((more <= left) & (gain > 0), gain, 0.0)
        if not (most := gain.max()):
            return choices
        group, option = np.unravel_index(np.where(gain == most, more, np.inf).argmin(), gain.shape)
        choices[group] = option


def _of_sums(
    menus: Menus, choices: IntArray, relaxation: Relaxation, method: Method, bound: float | None = None
) -> Allocation:
    """What a plan comes to where values and costs add up; without a bound it is the best one."""
    g = np.arange(len(choices))
    spent = np.array([math.fsum(column) for column in menus.costs[g, choices].T])
    value = math.fsum(menus.values[g, choices])
    found = _allocation(choices, value, spent, menus.limits, relaxation, method, bound)
    gains = beyond(menus.values, menus.values[g, choices][:, None])
    more = beyond(menus.costs, menus.costs[g, choices][:, None])[:, :, 0] if menus.limits else np.zeros(gains.shape)
    return with_upgrades(found, gains, more)


def _allocation(
    choices: IntArray,
    value: float,
    spent: FloatArray,
    limits: Mapping[str, float],
    relaxation: Relaxation,
    method: Method,
    bound: float | None = None,
) -> Allocation:
    none = np.full(len(choices), -1), np.zeros(len(choices))

    def named(of: FloatArray) -> dict[str, float]:
        return dict(zip(limits, of.tolist(), strict=True))

    known = value if bound is None else max(value, min(bound, relaxation.value))
    prices = named(relaxation.prices), named(relaxation.prices_below)
    return Allocation(choices, value, named(spent), *prices, known, max(relaxation.value, value), *none, method)


def beyond(values: FloatArray, chosen: FloatArray | float) -> FloatArray:
    """By how much values are above what is chosen; 0 where that is rounding."""
    more = np.asarray(values - chosen)
    return np.where(np.abs(more) <= TOLERANCE * np.maximum(np.abs(values), np.abs(chosen)), 0.0, more)


def with_upgrades(found: Allocation, gains: FloatArray, more: FloatArray) -> Allocation:
    """Add which option of each group gains most for what it takes more of the first limit: (G, n), NaN for none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = np.where(gains > 0, np.where(more > 0, gains / more, np.inf), 0.0)
    rates = np.nan_to_num(rates, nan=0.0, posinf=np.inf)
    best = rates.argmax(axis=1)
    rate = rates[np.arange(len(rates)), best]
    return replace(found, upgrades=np.where(rate > 0, best, -1), rates=rate)
