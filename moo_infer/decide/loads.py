"""The best row for each load, such as a table load -> k, under limits over the queries of all loads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..builtin.by_load import ByLoad, UpTo
from ..builtin.policies import Fixed
from ..core.arguments import typed
from ..core.arrays import FloatArray
from ..core.errors import MooInferError, NoSelection
from ..core.numeric import numbers_of
from ..core.objectives import ACCURACY, COST, TOLERANCE, Limit
from ..interfaces import Policy
from ..policy.mixture import constraint, limit_name
from ..registry import Registry
from .allocate import Allocation, allocate
from .candidates import Candidates

__all__ = ["RowByLoad", "best_by_load"]


@dataclass(frozen=True, eq=False)
class RowByLoad:
    """A row for each load.

    Args:
        tables: by load, the least first.
        shares: by load, of the queries.
        rows: by load, the row number in its table.
        allocation: how they were found: the bound, and the gap to it.
    """

    tables: Mapping[float, Candidates] = field(repr=False)
    shares: Mapping[float, float]
    rows: Mapping[float, int]
    allocation: Allocation = field(repr=False)

    @property
    def k(self) -> dict[float, int]:
        """The numbers of inferences by load."""
        return {load: int(self.tables[load].k[row]) for load, row in self.rows.items()}

    @cached_property
    def means(self) -> dict[str, float]:
        """The mean over the queries, by objective."""
        names = [objective.name for objective in next(iter(self.tables.values())).objectives]
        return {
            name: sum(self.shares[load] * float(self.tables[load].column(name)[row]) for load, row in self.rows.items())
            for name in names
        }

    def policy(self, registry: Registry | None = None) -> ByLoad:
        """Return the policy ``by-load`` of these rows: ``fixed`` where k inferences are made whatever they say.

        Args:
            registry: where policies are looked up; default everything installed. Aggregators are called by their
                names, with the values that their fields have by default.
        """
        each = [(load, _policy(self.tables[load], row, registry)) for load, row in self.rows.items()]
        if len(each) == 1:
            raise MooInferError(f"there is one load alone, {each[0][0]:g}, and nothing to tell queries apart by")
        return ByLoad(tuple(UpTo(load, policy) for load, policy in each[:-1]), each[-1][1])


@typed()
def best_by_load(
    tables: Mapping[float, Candidates], shares: Mapping[float, float], limits: Sequence[Limit] = (), /
) -> RowByLoad:
    """Choose a row for each load, so that the mean accuracy over all queries is largest within limits.

    A k at a load is worth what it is where all queries of that load take it: k raises the load itself. Queries of one
    load do not wait for those of another, as if each load lasted.

    Args:
        tables: by load, the rows there: ``Pipeline(day=day.at(load)).candidates()``.
        shares: by load, the share of the queries that come then, with the sum 1: ``day.shares``.
        limits: on the mean over the queries of all loads, or on their quantile (a share of all queries is beyond it).
            Where accuracy alone is limited, the cheapest rows are sought (in the first other objective that is
            consumed, where the tables have no cost).

    Raises:
        NoSelection: where no rows meet the limits together.
        MooInferError: for loads that differ, shares that are no shares, and limits that do not fit the tables.

    >>> def table(seconds):
    ...     from moo_infer import LATENCY
    ...     return Candidates.from_means([LATENCY, ACCURACY], [[seconds[0], 0.7], [seconds[1], 0.78]], k=[1, 3])
    >>> found = best_by_load({0.2: table([10, 18]), 1.0: table([12, 40])}, {0.2: 0.7, 1.0: 0.3},
    ...                      [Limit("latency", 18.0, "max")])
    >>> found.k, round(found.means["accuracy"], 6), round(found.means["latency"], 6)
    ({0.2: 3, 1.0: 1}, 0.756, 16.2)
    """
    for load in (*tables, *shares):
        if isinstance(load, bool) or not isinstance(load, int | float | np.number):
            raise MooInferError(f"tables and shares must be by loads, which are numbers, got {load!r:.40}")
    loads = sorted(tables)
    if not loads or loads != sorted(shares):
        raise MooInferError(f"tables and shares must be of the same loads, got {loads} and {sorted(shares)}")
    weights = numbers_of([shares[load] for load in loads], "shares")
    if not (np.isfinite(weights).all() and (weights >= 0).all() and abs(weights.sum() - 1) <= 1e-9):  # sums are rounded
        raise MooInferError(f"shares: must be >= 0 with the sum 1, got {[*map(float, weights)]}")
    each = [tables[load].feasible(()) for load in loads]
    names = [objective.name for objective in each[0].objectives]
    for load, table in zip(loads, each, strict=True):
        if [objective.name for objective in table.objectives] != names or not len(table):
            raise MooInferError(f"the table of the load {load:g} must have rows, and the objectives {', '.join(names)}")
        for limit in limits:
            limit.check(table.objectives[table.index(limit.objective)])
    if ACCURACY.name not in names:
        raise NoSelection(f"needs the objective {ACCURACY.name}, which the tables do not have")
    found = _allocated(each, loads, weights, limits)
    rows = {load: int(table.rows[i]) for load, table, i in zip(loads, each, found.choices, strict=True)}
    return RowByLoad(
        {load: tables[load] for load in loads}, dict(zip(loads, weights.tolist(), strict=True)), rows, found
    )


def _allocated(
    tables: Sequence[Candidates], loads: Sequence[float], weights: FloatArray, limits: Sequence[Limit]
) -> Allocation:
    consumed = [o.name for o in tables[0].objectives if o.direction == "min" and o.scale is None]
    cheapest = COST.name if COST.name in consumed else next(iter(consumed), "")
    if not (cheapest and limits and all(limit.objective == ACCURACY.name for limit in limits)):
        cheapest = ""
    values = [-table.column(cheapest) if cheapest else table.column(ACCURACY.name) for table in tables]
    costs: list[list[FloatArray]] = [[] for _ in tables]
    worst = {}
    for j, limit in enumerate(limits):
        of_tables, bounds = zip(*(constraint(table, np.arange(len(table)), limit) for table in tables), strict=True)
        zero = min(0.0, *(float(of.min()) for of in of_tables))  # an allocation takes nothing negative
        for of_level, of in zip(costs, of_tables, strict=True):
            of_level.append(of - zero)
        noise = TOLERANCE * abs(bounds[0]) if zero else 0.0  # that of the limit, not of what is left of it
        worst[f"{j}: {limit_name(limit)}"] = bounds[0] - zero + noise
    try:
        if any(of < 0 for of in worst.values()):
            raise NoSelection("a limit is beyond what any row reaches")
        taken = [
            np.stack(of, axis=1) if limits else np.zeros((len(table), 0))
            for of, table in zip(costs, tables, strict=True)
        ]
        return allocate(values, taken, worst, weights, groups=[f"{load:g} a second" for load in loads])
    except NoSelection:
        listed = " and ".join(map(str, limits))
        raise NoSelection(f"nothing is feasible: no row for each load meets {listed} over all queries") from None


def _policy(table: Candidates, row: int, registry: Registry | None) -> Policy:
    """The policy of a row."""
    curve, k = table.curve(row), int(table.k[row])
    course = curve.course(k)
    if course is None:
        return Fixed(k, curve.aggregator, curve.model)
    return (registry or Registry()).get(Policy, course.policy)
