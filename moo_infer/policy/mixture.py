"""Mixtures of rows: each query goes to one of a few deployments at random, in shares that fill the budgets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from ..core.arguments import typed
from ..core.arrays import FloatArray, Rows
from ..core.errors import MooInferError, NoSelection
from ..core.objectives import ACCURACY, COST, TOLERANCE, Limit, quantile_of
from ..estimate.curves import Column
from ..estimate.mixed_column import MixedColumn, share_within
from ..estimate.rows import Statistics

if TYPE_CHECKING:
    from ..decide.candidates import Candidates

__all__ = ["MIXTURE", "Mixture", "constraint", "limit_name", "mix"]

MIXTURE = "mixture"
EXACTLY = 1e-10  # the smallest tolerance that HiGHS takes; its default, 1e-7, is seen in the seventh digit of accuracy
LEAST = 1e-12  # of a weight: less is rounding
LOOSER = 1e-7  # of a limit on a mean, beyond which its price is taken: at a row it changes, and HiGHS gives any number
STEP = 0.01  # of a limit on a quantile, over which its price is taken: between the steps of a cdf it would be 0
ROOM = 1e-7  # of a share below a smallest quantile, so that the smallest x with a share above it is beyond the limit


@dataclass(frozen=True, eq=False)
class Mixture:
    """Rows of a table and the shares of the queries that go to them, drawn at random for every query.

    Args:
        candidates: the table.
        rows: (r,), their row numbers in the whole table, the largest share first.
        weights: (r,), in (0, 1], with the sum 1.
        shadow_prices: by limit (``"cost"``, ``"p95 latency"``), the accuracy that one more unit of the limit buys, as
            for one more USD a query; where accuracy alone is limited, the USD that one unit less of accuracy saves.
            Never negative, 0 where a limit leaves room. It holds for small changes: a cent may be more than that. On a
            quantile it is an average over the next 1 % of the limit.
        cheapest: the objective that is least, where accuracy alone is limited; else empty, and accuracy is largest.
    """

    candidates: "Candidates" = field(repr=False)
    rows: Rows
    weights: FloatArray
    shadow_prices: Mapping[str, float]
    cheapest: str = ""

    @cached_property
    def objectives(self) -> Mapping[str, Statistics]:
        """Every figure of the mixture, by objective: means and standard deviations, quantiles, and intervals.

        Intervals, had other questions of a log been asked, are there where the logs of all rows have the same ones.
        """
        names = [objective.name for objective in self.candidates.objectives]
        places = [int(np.flatnonzero(self.candidates.rows == row)[0]) for row in self.rows]
        return {
            name: Statistics(MixedColumn([_part(self.candidates, i, name) for i in places], self.weights), 0)
            for name in names
        }


@typed()
def mix(candidates: "Candidates", limits: Sequence[Limit], /) -> Mixture:
    """Find the mixture of rows that is most accurate within limits.

    A single row leaves a part of a budget unspent: the next better one is above it. Sending some queries to a row above
    the limit and the others to one below spends all of it, on average over the queries. It is a linear program over
    the rows, which HiGHS solves; at most as many rows get a share as there are limits, and one more. A limit on a
    quantile is one on the mixture's own: the share of its queries within the limit is the mean of its rows' shares.

    Args:
        candidates: the table; rows above a limit count too.
        limits: on means and quantiles. Where accuracy alone is limited, the cheapest mixture is sought (in the first
            other objective that is consumed, where the table has no cost); without limits, the most accurate row.

    Raises:
        NoSelection: where no mixture meets the limits, and without accuracy in the table.
        MooInferError: for a limit on an unknown objective, in the wrong direction or better than ideal.

    >>> from moo_infer import Candidates, Limit
    >>> table = Candidates.from_means([COST, ACCURACY], [[1.0, 0.60], [2.0, 0.65], [3.0, 0.80]])
    >>> mixture = mix(table, [Limit("cost", 2.5, "max")])
    >>> mixture.rows.tolist(), mixture.weights.round(6).tolist(), round(mixture.objectives["accuracy"].mean, 6)
    ([2, 0], [0.75, 0.25], 0.75)
    >>> round(mixture.shadow_prices["cost"], 6)  # accuracy for one more USD a query
    0.1
    """
    for limit in limits:
        limit.check(candidates.objectives[candidates.index(limit.objective)])
    names = [objective.name for objective in candidates.objectives]
    if ACCURACY.name not in names:
        raise NoSelection(f"needs the objective {ACCURACY.name}, which the table does not have")
    possible = candidates.feasible(())
    if not len(possible):
        raise NoSelection("nothing is feasible: the table has no row that can be had")
    on_means = all(limit.statistic == "mean" for limit in limits)
    rows = possible.front if on_means else np.arange(len(possible))  # who is worse in all means may be better at p95
    consumed = [o.name for o in candidates.objectives if o.direction == "min" and o.scale is None]
    others = [name for name in (COST.name, *consumed) if name in consumed]
    cheapest = others[0] if others and limits and all(limit.objective == ACCURACY.name for limit in limits) else ""
    goal = -possible.column(cheapest)[rows] if cheapest else possible.column(ACCURACY.name)[rows]
    limits = list(dict.fromkeys(limits))  # of a limit that is there twice, one alone loosened would buy nothing
    program = _Program(goal, tuple(constraint(possible, rows, limit) for limit in limits))
    solution = program.solve()
    if solution is None:
        raise NoSelection(_why(possible, limits))
    order = np.argsort(-solution.weights, kind="stable")
    order = order[solution.weights[order] > LEAST]
    weights = solution.weights[order] / solution.weights[order].sum()
    prices: dict[str, float] = {}
    for j, limit in enumerate(limits):
        if limit.statistic == "mean":
            price = program.price(j, solution)
        else:
            price = _price_of_quantile(possible, rows, limit, program, j, solution.value)
        prices[limit_name(limit)] = max(price, prices.get(limit_name(limit), 0.0))
    return Mixture(candidates, possible.rows[rows[order]], weights, prices, cheapest)


def limit_name(limit: Limit, /) -> str:
    """Name what is limited: an objective, and the statistic where it is no mean.

    >>> limit_name(Limit("latency", 60, "max", "p95"))
    'p95 latency'
    """
    return limit.objective if limit.statistic == "mean" else f"{limit.statistic} {limit.objective}"


@dataclass(frozen=True, eq=False)
class _Solution:
    """Weights (n,), the goal's value (more is better), and what one more unit of each limit on a mean adds to it."""

    weights: FloatArray
    value: float
    prices: list[float]


@dataclass(frozen=True, eq=False)
class _Program:
    """A linear program over rows.

    Args:
        goal: (n,), of which a mixture is to have most.
        constraints: values (n,) whose mean must not be above a bound.
    """

    goal: FloatArray
    constraints: tuple[tuple[FloatArray, float], ...]

    def solve(self) -> _Solution | None:
        """Find the best weights; None where nothing meets the constraints."""
        from scipy.optimize import linprog  # loaded only where it is needed: it takes longer than all of this package

        unit = float(np.abs(self.goal).max()) or 1.0
        scales = [_scale(*each) for each in self.constraints]
        scaled = [
            (values / scale, bound / scale) for (values, bound), scale in zip(self.constraints, scales, strict=True)
        ]
        found = linprog(
            -self.goal / unit,
            A_ub=np.array([values for values, _ in scaled]) if scaled else None,
            b_ub=np.array([bound for _, bound in scaled]) if scaled else None,
            A_eq=np.ones((1, len(self.goal))),
            b_eq=np.ones(1),
            method="highs-ds",  # the simplex method ends in a corner, where few weights are not 0
            options={"primal_feasibility_tolerance": EXACTLY, "dual_feasibility_tolerance": EXACTLY},
        )
        if found.status == 2:
            return None
        if found.status != 0:
            raise MooInferError(f"the linear program of the mixture has no solution: {found.message}")
        slopes = [float(slope) for slope in found.ineqlin.marginals] if scaled else []
        prices = [abs(slope) * unit / scale for slope, scale in zip(slopes, scales, strict=True)]
        weights = np.asarray(found.x, dtype=np.float64)
        return _Solution(weights, float(self.goal @ weights), prices)

    def loosened(self, j: int, values: FloatArray, bound: float) -> _Solution | None:
        """Solve it with a looser constraint in place of the j-th."""
        return replace(self, constraints=(*self.constraints[:j], (values, bound), *self.constraints[j + 1 :])).solve()

    def price(self, j: int, solution: _Solution) -> float:
        """Return what one more unit of a limit on a mean adds to the goal, from the limit on.

        Where a row meets the limit exactly, one unit less is worth another sum, and the marginals of the program are
        any number between: those of a limit that is a little looser are not.
        """
        values, bound = self.constraints[j]
        step = LOOSER * _scale(values, bound)
        if values @ solution.weights < bound - step:
            return 0.0
        looser = self.loosened(j, values, bound + step)
        return 0.0 if looser is None else looser.prices[j]


def _scale(values: FloatArray, bound: float) -> float:
    """The size of a constraint, by which it is divided."""
    return abs(bound) or float(np.abs(values).max()) or 1.0


def constraint(candidates: "Candidates", rows: Rows, limit: Limit) -> tuple[FloatArray, float]:
    """Return (n,) values of some rows whose mean over the queries must not be above a bound, for the limit to hold.

    A limit on a quantile is one on the share of the queries beyond it.
    """
    if limit.statistic == "mean":
        sign = 1.0 if limit.sense == "max" else -1.0
        return sign * candidates.column(limit.objective)[rows], sign * limit.worst
    q = quantile_of(limit.statistic)
    noise = TOLERANCE * abs(limit.worst)
    worst = limit.worst + noise if limit.sense == "max" else np.nextafter(limit.worst - noise, -np.inf)
    shares = np.array([share_within(*_part(candidates, int(i), limit.objective), worst, q) for i in rows])
    if limit.sense == "max":
        return -shares[:, 0], -q
    alone = limit.excess(candidates.column(limit.objective, limit.statistic)[rows]) <= 0
    return np.where(alone, np.minimum(shares[:, 1], q - ROOM), shares[:, 1]), q - ROOM


def _part(candidates: "Candidates", i: int, objective: str) -> tuple[Column, int]:
    """Return the column that a row belongs to, and which of its rows it is."""
    curve = candidates.curve(i)
    return curve.columns[objective], int(np.searchsorted(curve.k, candidates.k[i]))


def _price_of_quantile(
    candidates: "Candidates", rows: Rows, limit: Limit, program: _Program, j: int, value: float
) -> float:
    """Return by how much the goal grows, for each unit by which a limit on a quantile is loosened by a little."""
    step = STEP * abs(limit.worst)
    if not step:
        return 0.0
    looser = replace(limit, worst=limit.worst + (step if limit.sense == "max" else -step))
    solution = program.loosened(j, *constraint(candidates, rows, looser))
    return 0.0 if solution is None else max((solution.value - value) / step, 0.0)


def _why(candidates: "Candidates", limits: Sequence[Limit]) -> str:
    """Say why no mixture meets the limits."""
    beyond = []
    for limit in limits:
        values = candidates.column(limit.objective, limit.statistic)
        if (limit.excess(values) > 0).all():
            best = values.min() if limit.sense == "max" else values.max()
            unit = candidates.objectives[candidates.index(limit.objective)].unit
            beyond.append(f"{limit} fails in every row, the best of which has {f'{best:.4g} {unit}'.rstrip()}")
    if beyond:
        return f"nothing is feasible, mixed or not: {' and '.join(beyond)}"
    return f"nothing is feasible: each limit can be met, but no mixture meets {' and '.join(map(str, limits))} together"
