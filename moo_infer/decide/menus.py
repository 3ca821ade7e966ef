"""Menus of options, one of which is taken from each: what they may hold, and the steps up their hulls."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.arrays import FloatArray, IntArray
from ..core.errors import MooInferError, NoSelection, out_of_reach
from ..core.numeric import numbers_of
from ..core.objectives import TOLERANCE
from ..core.rounding import significant

__all__ = ["Climb", "Menus", "limits_of", "listed_limits", "refuse_too_little", "within"]


@dataclass(frozen=True, eq=False)
class Menus:
    """G groups with menus of at most n options each, and m limits of the whole.

    Args:
        values: (G, n), what each option adds to the value of the whole; NaN where a group has fewer options.
        costs: (G, n, m), what each takes of each limit, >= 0; NaN where a group has fewer options.
        limits: by name, in the order of the costs.
        groups: (G,), their names.
    """

    values: FloatArray
    costs: FloatArray
    limits: Mapping[str, float]
    groups: tuple[str, ...]

    @classmethod
    def of(
        cls,
        values: Sequence[npt.ArrayLike] | FloatArray,
        costs: Sequence[npt.ArrayLike] | FloatArray,
        limits: Mapping[str, float],
        weights: npt.ArrayLike | None = None,
        groups: Sequence[str] | None = None,
    ) -> "Menus":
        """Check what is given, and weigh it; the arguments are those of `allocate`."""
        worst = limits_of(limits)
        G, m = len(values), len(worst)
        if not G or len(costs) != G:
            raise MooInferError(f"there must be values and costs of each group, got {G} and {len(costs)}")
        names = tuple(map(str, range(G) if groups is None else groups))
        if len(names) != G:
            raise MooInferError(f"there must be a name for each of {G} groups, got {len(names)}")
        w = _weights(weights, names)
        if isinstance(values, np.ndarray) and isinstance(costs, np.ndarray) and values.ndim == 2:
            all_values, all_costs = numbers_of(values), numbers_of(costs)
            all_costs = all_costs[..., None] if all_costs.ndim == 2 and m == 1 else all_costs
            if not all_values.size:
                raise MooInferError(f"each group must have options, got values of shape {all_values.shape}")
            _refuse_odd(all_values, all_costs, m, names)
        else:
            each = [_menu(v, c, m, name) for v, c, name in zip(values, costs, names, strict=True)]
            n = max(len(own) for own, _ in each)
            all_values, all_costs = np.full((G, n), np.nan), np.full((G, n, m), np.nan)
            for g, (own, taken) in enumerate(each):
                all_values[g, : len(own)], all_costs[g, : len(own)] = own, taken
        return cls(all_values * w[:, None], all_costs * w[:, None, None], worst, names)

    @cached_property
    def sizes(self) -> IntArray:
        """(G,), how many options each has."""
        return np.asarray(np.isfinite(self.values).sum(axis=1))

    @cached_property
    def worst(self) -> FloatArray:
        """(m,), the limits."""
        return np.array([*self.limits.values()], dtype=np.float64)

    def whole(self, plans: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return what plans (C, G) are worth (C,) and take (C, m)."""
        g = np.arange(len(self.values))
        return self.values[g, plans].sum(axis=1), self.costs[g, plans].sum(axis=1)

    @cached_property
    def least(self) -> FloatArray:
        """(m,), what the plan takes that takes least of each limit."""
        return np.asarray(np.nanmin(self.costs, axis=1).sum(axis=0))

    @cached_property
    def hulls(self) -> tuple[IntArray, IntArray]:
        """The corners of the least concave function above each menu, from its cheapest option to its best one.

        Returns:
            Options (G, n), and how many corners there are (G,).
        """
        G, n = self.values.shape
        rounded = significant(self.values)  # who is better by a rounding error alone is no better
        order = np.lexsort((-rounded, self.costs[:, :, 0]), axis=1)  # the options that are not there come last
        cost = np.take_along_axis(self.costs[:, :, 0], order, 1).T
        value = np.take_along_axis(rounded, order, 1).T
        corner = np.zeros((n, G), dtype=np.int64)
        v, c, size = np.zeros((n, G)), np.zeros((n, G)), np.zeros(G, dtype=np.int64)
        for j in range(n):
            new = np.flatnonzero(np.isfinite(value[j]) & ((size == 0) | (value[j] > v[size - 1, np.arange(G)])))
            looked = new[size[new] >= 2]
            while len(looked):  # a corner that is not above the line between its neighbours is none
                x, y, top = value[j, looked], cost[j, looked], size[looked] - 1
                b_v, b_c, a_v, a_c = v[top, looked], c[top, looked], v[top - 1, looked], c[top - 1, looked]
                looked = looked[(b_v - a_v) * (y - b_c) <= (x - b_v) * (b_c - a_c)]
                size[looked] -= 1
                looked = looked[size[looked] >= 2]
            at = size[new], new
            corner[at], v[at], c[at] = order[new, j], value[j, new], cost[j, new]
            size[new] += 1
        return corner.T, size

    @cached_property
    def climb(self) -> "Climb":
        """The steps up all hulls, the steepest first: bisection on the price of the limit is a search in them."""
        corners, size = self.hulls
        v, c = np.take_along_axis(self.values, corners, 1), np.take_along_axis(self.costs[:, :, 0], corners, 1)
        there = np.arange(1, v.shape[1]) < size[:, None]
        gain, take = np.diff(v, axis=1), np.diff(c, axis=1)
        slope = np.divide(gain, take, out=np.full(gain.shape, np.inf), where=take > 0)
        slope = np.minimum.accumulate(np.where(there, slope, -np.inf), axis=1)  # rounding must not change their order
        g, i = np.nonzero(there)
        order = np.argsort(-slope[g, i], kind="stable")
        g, i = g[order], i[order]
        base = corners[:, 0], float(v[:, 0].sum()), float(c[:, 0].sum())
        return Climb(g, corners[g, i + 1], gain[g, i], take[g, i], slope[g, i], *base)

    @cached_property
    def columns(self) -> tuple[IntArray, IntArray]:
        """Group and option (N,) of all that is there."""
        group, option = np.nonzero(np.isfinite(self.values))
        return group, option


@dataclass(frozen=True, eq=False)
class Climb:
    """S steps up the hulls of all menus, the steepest first, and where they start.

    Args:
        group, option: (S,), whose step, and to which option.
        gain, take, slope: (S,), what it adds to the value and to the cost, and their quotient.
        base: (G,), the cheapest option of each group.
        value, cost: of all these.
    """

    group: IntArray
    option: IntArray
    gain: FloatArray
    take: FloatArray
    slope: FloatArray
    base: IntArray
    value: float
    cost: float

    def within(self, limit: float) -> int:
        """Return how many steps fit into a limit, one after the other."""
        return int(np.searchsorted(self.cost + np.cumsum(self.take), limit * (1 + TOLERANCE), side="right"))

    def after(self, steps: int) -> IntArray:
        """Return the option (G,) of each group after some steps."""
        choices = self.base.copy()
        choices[self.group[:steps]] = self.option[:steps]  # of several, the last one holds
        return choices


def within(spent: FloatArray, worst: FloatArray) -> Any:
    """Whether amounts (..., m) are within limits (m,): what a plan takes may be exactly a limit.

    0.1 + 0.2 is above 0.3 by one bit: sums are compared as limits of tables are, to 1e-12 of the limit.
    """
    return (spent <= worst * (1 + TOLERANCE)).all(axis=-1)


def refuse_too_little(least: FloatArray, limits: Mapping[str, float]) -> None:
    """Raise where a limit is below the plan that takes least of it (m,).

    Raises:
        NoSelection: naming that amount.
    """
    short = [
        f"{name} <= {worst:g} is below the cheapest plan, which takes {_above(amount)}"
        for (name, worst), amount in zip(limits.items(), least.tolist(), strict=True)
        if amount > worst * (1 + TOLERANCE)
    ]
    if short:
        raise NoSelection("; ".join(short))


def limits_of(limits: Mapping[str, float]) -> dict[str, float]:
    """Return limits as numbers, refusing what is none."""
    if not isinstance(limits, Mapping):
        raise MooInferError(f"limits: must be a mapping such as {{NAME: NUMBER}}, got {limits!r:.40}")
    for name, worst in limits.items():
        if isinstance(worst, bool) or not isinstance(worst, int | float | np.number) or not 0 <= worst < math.inf:
            raise MooInferError(f"limit on {name}: must be a finite number >= 0, got {worst!r:.40}")
    return {name: float(worst) for name, worst in limits.items()}


def listed_limits(limits: Mapping[str, float]) -> str:
    """Write limits in words."""
    return " and ".join(f"{name} <= {worst:g}" for name, worst in limits.items())


def _above(amount: float) -> str:
    """An amount in six digits, not below it: who gives as much can have the plan."""
    shown = float(f"{amount:.6g}")
    return f"{shown if shown >= amount else shown + 10.0 ** (math.floor(math.log10(amount)) - 5):.6g}"


def _weights(weights: npt.ArrayLike | None, names: Sequence[str]) -> FloatArray:
    w = np.ones(len(names)) if weights is None else numbers_of(weights, "weights")
    if w.shape != (len(names),):
        raise MooInferError(f"weights: there must be one for each of {len(names)} groups, got shape {w.shape}")
    for name, weight in zip(names, w.tolist(), strict=True):
        if not 0 <= weight < math.inf:
            raise MooInferError(f"{name}: weight: must be a finite number >= 0, got {weight}")
    if not w.any():
        raise MooInferError("weights: at least one must be above 0, got 0 for all")
    return w


def _menu(values: npt.ArrayLike, costs: npt.ArrayLike, m: int, name: str) -> tuple[FloatArray, FloatArray]:
    """The options of one group, as (n,) and (n, m)."""
    v = numbers_of(values, name)
    if v.ndim != 1 or not v.size:
        raise MooInferError(f"{name}: must have options, got values of shape {v.shape}")
    c = numbers_of(costs, name)
    if c.size != v.size * m or len(c) != len(v):
        raise MooInferError(f"{name}: must have {m} costs for each of {len(v)} options, got shape {c.shape}")
    c = c.reshape(len(v), m)
    _refuse_odd(v[None], c[None], m, [name])
    return v, c


def _refuse_odd(values: FloatArray, costs: FloatArray, m: int, names: Sequence[str]) -> None:
    """Refuse what is no number, infinite, negative where it must not be, or too large to be computed with."""
    if costs.shape != (*values.shape, m):
        raise MooInferError(f"costs must have the shape {(*values.shape, m)}, got {costs.shape}")
    for what, numbers, fine, allowed in (
        ("its value", values, np.isfinite(values), "must be a finite number"),
        ("its cost", costs, np.isfinite(costs) & (costs >= 0), "must be a finite number >= 0"),
    ):
        if not fine.all():
            g, o, *_ = np.argwhere(~fine)[0].tolist()
            raise MooInferError(f"{names[g]}: option {o}: {what} {allowed}, got {numbers[~fine][0]}")
        if numbers.size and (problem := out_of_reach(float(np.abs(numbers).max()))):
            raise MooInferError(f"of an option {what} {problem}")
