"""One budget over classes of queries: which row each class takes, and how that compares with rows for all of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..core.arguments import check_fields, typed
from ..core.arrays import FloatArray, Rows
from ..core.errors import MooInferError, NoSelection
from ..core.objectives import ACCURACY, COST, TOLERANCE, Limit
from ..core.parts import share
from .allocate import Allocation, allocate
from .candidates import Candidates
from .infeasible import infeasible
from .menus import Menus

__all__ = ["FleetAllocation", "Plain", "QueryClass", "Upgrade", "allocate_classes", "budgets", "by_budget", "other_sum"]

SUM = 1e-9  # shares such as .7, .2 and .1 add up to 1 but for a rounding error
STEPS = 60  # budgets of a picture
WIDEST = 4.0  # times the budget, where a picture ends at the latest: it would be too small to be read otherwise


@dataclass(frozen=True, eq=False)
class QueryClass:
    """Queries that are alike.

    Args:
        name: of the class.
        share: of all queries, in (0, 1].
        table: what the models and policies do with its queries; its rows are the options of the class.
    """

    name: str
    share: float
    table: Candidates = field(repr=False)

    def __post_init__(self) -> None:
        check_fields(self, names=("name", "table"))

    def key(self, row: int) -> tuple[str, str, int]:
        """Return what tells whether rows of two classes are the same: model, policy or aggregator, and k."""
        return (*self.table.curve(row).label, int(self.table.k[row]))


@dataclass(frozen=True)
class Upgrade:
    """A better row for a class.

    Args:
        row: its number in the table of the class.
        gain: how much the accuracy over all queries grows.
        usd: what that takes more, a query on average over all of them.
        rate: right answers for one more dollar.
    """

    row: int
    gain: float
    usd: float
    rate: float


@dataclass(frozen=True)
class Plain:
    """Rows that all classes share, whatever the class of a query: one, or a mixture of two.

    Args:
        keys: model, policy or aggregator, and k of each, the one with the largest share first.
        shares: of the queries.
        accuracy: over all queries.
    """

    keys: tuple[tuple[str, str, int], ...]
    shares: tuple[float, ...]
    accuracy: float


@dataclass(frozen=True, eq=False)
class FleetAllocation:
    """A row for every class of queries, or the reason why there is none.

    Args:
        classes: their order is that of the choices.
        budget: USD for all queries.
        queries: how many there are.
        limits: of every single row.
        rows: the chosen row in the table of each class; none where nothing fits.
        allocation: value, bound and mixture as accuracy over all queries, ``cost`` as USD a query; None where nothing
            fits. Its shadow price is how many right answers one more dollar buys.
        shared: by class, the rows of the best mixture and their shares of its queries: one class at most has two.
        upgrades: by class, the row that would gain most for more money; without those that have their best row.
        reason: why nothing fits; "" where it does.
    """

    classes: tuple[QueryClass, ...]
    budget: float
    queries: int
    limits: tuple[Limit, ...]
    rows: tuple[int, ...] = ()
    allocation: Allocation | None = None
    shared: Mapping[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)
    upgrades: Mapping[str, Upgrade] = field(default_factory=dict)
    reason: str = ""

    @property
    def shares(self) -> FloatArray:
        """(G,), of the classes."""
        return np.array([one.share for one in self.classes])

    @cached_property
    def objectives(self) -> dict[str, float]:
        """Means over all queries, of the objectives that the rows of all classes have."""
        names = [o.name for o in self.classes[0].table.objectives if all(_has(c.table, o.name) for c in self.classes)]
        return {name: float(self.shares @ self._chosen(name)) for name in names} if self.rows else {}

    @property
    def usd(self) -> FloatArray:
        """(G,), what the queries of each class cost together."""
        return self.queries * self.shares * self._chosen(COST.name)

    @property
    def usd_std(self) -> float:
        """The standard deviation of the bill, as queries cost differently; NaN where that is not known."""
        each = self._chosen(COST.name, "std")
        return float(np.sqrt(self.queries * self.shares @ each**2))

    @cached_property
    def plain(self) -> Plain | None:
        """The best that one row, or a mixture of two, does for all queries alike; None where classes share none."""
        keys = [{one.key(i): i for i in _options(one.table, self.limits).tolist()} for one in self.classes]
        shared = [key for key in keys[0] if all(key in other for other in keys)]
        if not shared:
            return None
        numbers = np.array([[of[key] for key in shared] for of in keys])
        accuracy, cost = (
            sum(c.share * c.table.column(name)[rows] for c, rows in zip(self.classes, numbers, strict=True))
            for name in (ACCURACY.name, COST.name)
        )
        return _plain(shared, accuracy, cost, self.budget / self.queries)

    def _chosen(self, name: str, statistic: str = "mean") -> FloatArray:
        return np.array([c.table.column(name, statistic)[row] for c, row in zip(self.classes, self.rows, strict=True)])


@typed("classes", "limits")
def allocate_classes(
    classes: Iterable[QueryClass], budget: float, queries: int, limits: Iterable[Limit] = ()
) -> FleetAllocation:
    """Choose a row for every class, so that most queries are answered rightly within a budget for all of them.

    Args:
        classes: with different names; their shares sum to 1, and each has accuracy and cost in its table.
        budget: USD for all queries, > 0.
        queries: how many there are, >= 1.
        limits: which every chosen row meets by itself.

    Raises:
        MooInferError: for names that are there twice, shares that do not sum to 1, tables without cost or accuracy,
            limits that do not fit them, and numbers out of range.

    >>> from moo_infer import Candidates
    >>> objectives = [COST, ACCURACY]
    >>> easy = Candidates.from_means(objectives, [[0.01, 0.90], [0.03, 0.95]])
    >>> hard = Candidates.from_means(objectives, [[0.01, 0.30], [0.03, 0.60]])
    >>> found = allocate_classes([QueryClass("easy", 0.7, easy), QueryClass("hard", 0.3, hard)], 170.0, 10_000)
    >>> found.rows, round(found.objectives["accuracy"], 6), found.usd.round(6).tolist()
    ((0, 1), 0.81, [70.0, 90.0])
    """
    classes, limits = tuple(classes), tuple(limits)
    _refuse(classes, budget, queries)
    options = [_options(one.table, limits) for one in classes]
    nothing = FleetAllocation(classes, float(budget), int(queries), limits)
    for one, rows in zip(classes, options, strict=True):
        if not len(rows):
            reason = f"class {one.name}: {infeasible(one.table, limits) if limits else 'no row of it can be had'}"
            return FleetAllocation(classes, nothing.budget, nothing.queries, limits, reason=reason)
    values, costs = (
        [one.table.column(name)[rows] for one, rows in zip(classes, options, strict=True)]
        for name in (ACCURACY.name, COST.name)
    )
    shares = [one.share for one in classes]
    names = [one.name for one in classes]
    try:
        found = allocate(values, costs, {COST.name: budget / queries}, shares, groups=names)
    except NoSelection:
        least = float(sum(share * cost.min() for share, cost in zip(shares, costs, strict=True))) * queries
        reason = f"the budget of {budget:g} USD is below the cheapest plan, which takes {least:.6g} USD"
        return FleetAllocation(classes, nothing.budget, nothing.queries, limits, reason=reason)
    upgrades = {}
    for g, (one, up) in enumerate(zip(classes, found.upgrades.tolist(), strict=True)):
        now = int(found.choices[g])
        if up >= 0:
            gain, usd = (one.share * float(of[g][up] - of[g][now]) for of in (values, costs))
            upgrades[one.name] = Upgrade(int(options[g][up]), gain, usd, float(found.rates[g]))
    shared = _shared(Menus.of(values, costs, {COST.name: budget / queries}, shares, names), options)
    chosen = tuple(int(own[i]) for own, i in zip(options, found.choices.tolist(), strict=True))
    return FleetAllocation(classes, nothing.budget, nothing.queries, limits, chosen, found, shared, upgrades)


@typed()
def budgets(found: FleetAllocation) -> FloatArray:
    """Return budgets (B,) in USD, from the cheapest plan on, to where every class has its best row or close to that."""
    least, most = 0.0, 0.0
    for one in found.classes:
        rows = _options(one.table, found.limits)
        cost, accuracy = one.table.column(COST.name)[rows], one.table.column(ACCURACY.name)[rows]
        least += one.share * float(cost.min())
        most += one.share * float(cost[accuracy == accuracy.max()].min())
    end = min(max(most * found.queries, found.budget), WIDEST * found.budget)
    start = least * found.queries or end / STEPS  # what is free needs no budget, and there is none of 0
    return np.linspace(start, end, STEPS) * (1 + 1e-9)  # the first is enough, whatever was rounded


@typed()
def by_budget(found: FleetAllocation) -> list[FleetAllocation]:
    """Return the allocation under each of the `budgets`."""
    return [allocate_classes(found.classes, usd, found.queries, found.limits) for usd in budgets(found).tolist()]


def other_sum(shares: Iterable[float]) -> str:
    """Return a sentence where the shares of classes do not sum to 1, else ""."""
    total = sum(shares)
    return "" if abs(total - 1) <= SUM else f"queries: the shares must sum to 1, got {total:.10g}"


def _shared(menus: Menus, options: Sequence[Rows]) -> dict[str, tuple[tuple[int, float], ...]]:
    """The best mixture: each class has its row at the price of the limit, and one of them has two, which fills it."""
    climb, limit = menus.climb, float(menus.worst[0])
    full = climb.within(limit)
    rows: dict[str, tuple[tuple[int, float], ...]] = {
        name: ((int(own[i]), 1.0),)
        for name, own, i in zip(menus.groups, options, climb.after(full).tolist(), strict=True)
    }
    left = limit - climb.cost - float(climb.take[:full].sum())
    if full < len(climb.take) and left > TOLERANCE * limit:
        g, part = int(climb.group[full]), left / float(climb.take[full])
        name = menus.groups[g]
        rows[name] = ((rows[name][0][0], 1 - part), (int(options[g][climb.option[full]]), part))
    return rows


def _plain(keys: Sequence[tuple[str, str, int]], accuracy: FloatArray, cost: FloatArray, limit: float) -> Plain | None:
    """The row, or the mixture of two rows (n,), that is most accurate within a limit on its cost; None for none."""
    fits = cost <= limit * (1 + TOLERANCE)
    below, above = np.flatnonzero(fits), np.flatnonzero(~fits)
    if not len(below):
        return None
    one = int(below[accuracy[below].argmax()])
    part = (limit - cost[below, None]) / (cost[above] - cost[below, None])
    mixed = accuracy[below, None] + part * (accuracy[above] - accuracy[below, None])
    if not mixed.size or mixed.max() <= accuracy[one] + SUM:
        return Plain((keys[one],), (1.0,), float(accuracy[one]))
    i, j = np.unravel_index(mixed.argmax(), mixed.shape)
    parts = [(1 - float(part[i, j]), int(below[i])), (float(part[i, j]), int(above[j]))]
    parts.sort(key=lambda of: -of[0])
    return Plain(tuple(keys[row] for _, row in parts), tuple(share for share, _ in parts), float(mixed.max()))


def _options(table: Candidates, limits: Sequence[Limit]) -> Rows:
    """The rows of a table within limits."""
    return np.flatnonzero(table.met(limits))


def _has(table: Candidates, name: str) -> bool:
    return name in [objective.name for objective in table.objectives]


def _refuse(classes: Sequence[QueryClass], budget: float, queries: int) -> None:
    if not classes:
        raise MooInferError("queries: there must be one class at least, got none")
    names = [one.name for one in classes]
    if twice := [name for name in names if names.count(name) > 1]:
        raise MooInferError(f"queries: class {twice[0]} is there twice; classes must have different names")
    for one in classes:
        share(one.share, f"class {one.name}: share")
        for name in (ACCURACY.name, COST.name):
            if not _has(one.table, name):
                raise MooInferError(f"class {one.name}: its rows need {name}, which no part of them says")
    if problem := other_sum(one.share for one in classes):
        raise MooInferError(problem)
    if not _is_number(budget) or not 0 < budget < np.inf:
        raise MooInferError(f"budget: must be a finite number of USD > 0, got {budget!r:.40}")
    if not _is_number(queries) or not 1 <= queries < np.inf or queries % 1:
        raise MooInferError(f"queries: must be a whole number of at least 1, got {queries!r:.40}")


def _is_number(given: object) -> bool:
    return isinstance(given, int | float | np.number) and not isinstance(given, bool)
