"""The decision as a function of how many queries there will be: the cheapest of lines F + R c."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from ..core.arguments import typed
from ..core.arrays import BoolArray, FloatArray, Rows
from ..core.errors import MooInferError
from ..core.numeric import numbers_of
from ..core.objectives import TOLERANCE, Limit
from ..core.parts import AtLeastZero
from ..estimate.raised import Raised
from ..profiles import ModelProfile
from .candidates import Candidates
from .stability import of_draws
from .volume import drawn_fixed_costs, fixed_costs, models_of

__all__ = ["BreakEven", "Lifetime", "Segment", "break_even", "lifetime", "segments"]

LOW, HIGH = 0.025, 0.975  # ends of the 95 % intervals


@dataclass(frozen=True)
class Segment:
    """From one number of queries to another (infinity where there is no end) a row is the cheapest."""

    start: float
    end: float
    row: int


@dataclass(frozen=True)
class BreakEven:
    """From which number of queries on the dearer of two rows at the start is the cheaper one.

    Args:
        first: row number of the one that takes less once.
        then: row number of the other.
        queries: infinity for never.
        interval: in which the number from which on `then` is the cheaper one is in 95 % of the draws of what is
            uncertain; None where nothing was drawn.
    """

    first: int
    then: int
    queries: float
    interval: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Lifetime:
    """The cheapest row for every number of queries.

    Args:
        candidates: the whole table, whose means leave out what is paid once.
        objective: the name of what is spent.
        limits: on rows; those on the objective itself hold for c + F / R.
        once: (n,) F of each row, what all its models take once.
        each: (n,) c of each row, the mean of a query.
        segments: in the order of the numbers of queries; none where no row meets the limits.
        options: of each model, or policy, the row that takes least of a query within the other limits.
        break_evens: of all pairs of the options.
    """

    candidates: Candidates = field(repr=False)
    objective: str
    limits: tuple[Limit, ...]
    once: FloatArray = field(repr=False)
    each: FloatArray = field(repr=False)
    segments: tuple[Segment, ...]
    options: tuple[int, ...]
    break_evens: tuple[BreakEven, ...] = field(repr=False)

    def pair(self, one: int, other: int) -> BreakEven:
        """Return the break-even of two options, in any order."""
        return next(b for b in self.break_evens if {b.first, b.then} == {one, other})


def break_even(first: object, each_first: object, then: object, each_then: object) -> FloatArray:
    """Return from which number of queries on the option that takes more once is the cheaper one.

    Args:
        first, each_first: what one option takes once, and for every query; any shape.
        then, each_then: the same of the other.

    Returns:
        (F_then - F_first) / (c_first - c_then): 0 where both take the same once, infinity for never.

    >>> break_even(0, 2.0, 10, 0.5).tolist(), break_even(0, 0.5, 10, 0.5).tolist()
    (6.666666666666667, inf)
    """
    more = numbers_of(then, "then") - numbers_of(first, "first")
    less = numbers_of(each_first, "each_first") - numbers_of(each_then, "each_then")
    pays = (more * np.sign(less) > 0) | ((more == 0) & (less != 0))
    return np.where(pays, more / np.where(less == 0, 1.0, less), np.inf)


def segments(once: FloatArray, each: FloatArray, starts: FloatArray) -> tuple[Segment, ...]:
    """Return the lower envelope of lines F + R c, over R from 0 on.

    Args:
        once: (n,) F.
        each: (n,) c.
        starts: (n,) the least R for which a line may be chosen, infinity for none.

    >>> for segment in segments(np.array([0.0, 10.0, 4.0]), np.array([2.0, 0.5, 1.9]), np.zeros(3)):
    ...     print(segment)
    Segment(start=0.0, end=6.666666666666667, row=0)
    Segment(start=6.666666666666667, end=inf, row=1)
    """
    once, each, starts = numbers_of(once, "once"), numbers_of(each, "each"), numbers_of(starts, "starts")
    if once.ndim != 1 or not once.shape == each.shape == starts.shape:
        raise MooInferError(
            f"once, each and starts: must have one shape (n,), got {once.shape}, {each.shape} and {starts.shape}"
        )
    found: list[Segment] = []
    R = float(starts.min(initial=math.inf))
    while math.isfinite(R):
        row = _cheapest(once, each, starts, R)
        end = min(_overtaken(once, each, starts, row, R), default=math.inf)
        if end > R:
            if found and found[-1].row == row:
                found[-1] = Segment(found[-1].start, end, row)
            else:
                found.append(Segment(R, end, row))
        R = end
    return tuple(found)


def _cheapest(once: FloatArray, each: FloatArray, starts: FloatArray, R: float) -> int:
    """The cheapest row directly after R: of those that cost the same there, the one with the least slope."""
    open_ones = np.flatnonzero(starts <= R * (1 + TOLERANCE))  # those of one start but for rounding come in together
    totals = once[open_ones] + R * each[open_ones]
    ties = open_ones[totals <= totals.min() * (1 + TOLERANCE)]
    return int(ties[np.lexsort((ties, once[ties], each[ties]))[0]])


def _overtaken(once: FloatArray, each: FloatArray, starts: FloatArray, row: int, R: float) -> Iterator[float]:
    """Where other rows become cheaper than one, beyond R."""
    for i in np.flatnonzero(np.isfinite(starts)).tolist():
        crossing = float(break_even(once[row], each[row], once[i], each[i]))
        if each[i] < each[row]:
            at = max(crossing if math.isfinite(crossing) else 0.0, float(starts[i]))
        elif starts[i] < (crossing if each[i] > each[row] else math.inf if once[i] < once[row] else 0.0):
            at = float(starts[i])
        else:
            continue
        if at > R * (1 + TOLERANCE):
            yield at


@typed()
def lifetime(
    table: Candidates,
    profiles: Sequence[ModelProfile],
    objective: str,
    limits: Sequence[Limit] = (),
    redraw: Callable[[int, int], Iterator[Candidates]] | None = None,
    *,
    draws: AtLeastZero = 0,
    seed: AtLeastZero = 0,
) -> Lifetime:
    """Decide as a function of the number of queries.

    Args:
        table: its means without what is paid once.
        profiles: its models.
        objective: the name of what is spent: money, or compute.
        limits: as of a scenario.
        redraw: gives tables for draws of what is uncertain, as a report has it; None where nothing is.
        draws: how many of them, 0 for none.
        seed: of the draws.

    Raises:
        MooInferError: for an objective that the table lacks, limits that do not fit it, and a table with shares of what
            is paid once in it.
    """
    column = table.objectives[table.index(objective)]
    if column.direction != "min" or column.scale is not None:
        raise MooInferError(f"lifetime is of what is spent, cost or compute, got {objective!r}")
    if any(isinstance(curve.columns[objective], Raised) for curve in table.curves):
        raise MooInferError(
            "lifetime spreads what is paid once by itself; give it a table that was made without volume"
        )
    others = [limit for limit in limits if limit.objective != objective]
    own = [limit for limit in limits if limit.objective == objective]
    table.met(own)  # refuses limits that do not fit
    named = {profile.name: profile for profile in profiles}
    by_curve = {curve: fixed_costs(models_of(curve, named)).get(objective, 0.0) for curve in table.curves}
    once = np.array([by_curve[table.curve(i)] for i in range(len(table))])
    each, open_ones = table.column(objective), table.met(others)
    options = tuple(_options(table, each, open_ones))
    rows = np.array(options, dtype=np.intp)
    look = partial(_totals, objective, rows)
    totals = [*of_draws(redraw, look, draws, seed)] if redraw and draws and options else []
    paid = np.zeros((len(totals), len(options)))
    for j, row in enumerate(options if totals else ()):
        paid[:, j] = drawn_fixed_costs(models_of(table.curve(row), named), draws, seed).get(objective, 0.0)
    pairs = _pairs(options, once, each, (paid, np.array(totals)) if totals else None)
    starts = np.where(open_ones, _starts(table, own, once), np.inf)
    return Lifetime(table, objective, tuple(limits), once, each, segments(once, each, starts), options, tuple(pairs))


def _totals(objective: str, rows: Rows, tables: Iterable[Candidates]) -> Iterator[FloatArray]:
    """What some rows take of an objective in each table."""
    return (table.column(objective)[rows] for table in tables)


def _starts(table: Candidates, limits: Sequence[Limit], once: FloatArray) -> FloatArray:
    """(n,) from which R on a query's share of what is paid once fits into the limits, beside what it takes itself."""
    starts = np.zeros(len(table))
    for limit in limits:
        room = -limit.excess(table.column(limit.objective, limit.statistic))
        fits = np.where(once == 0, np.where(room >= 0, 0.0, np.inf), np.inf)
        starts = np.maximum(starts, np.divide(once, room, out=fits, where=(room > 0) & (once > 0)))
    return starts


def _options(table: Candidates, each: FloatArray, open_ones: BoolArray) -> Iterator[int]:
    """Of every model, and of every policy, the row within the limits that takes least of a query."""
    rows: dict[tuple[str, ...], int] = {}
    for i in np.flatnonzero(open_ones).tolist():
        curve = table.curve(i)
        key = curve.label if curve.courses else (curve.model,)
        if key not in rows or each[i] < each[rows[key]]:
            rows[key] = i
    yield from rows.values()


def _pairs(
    options: Sequence[int], once: FloatArray, each: FloatArray, drawn: tuple[FloatArray, FloatArray] | None
) -> Iterator[BreakEven]:
    """All pairs of options, the one first that takes less once."""
    order = sorted(range(len(options)), key=lambda j: (once[options[j]], -each[options[j]], options[j]))
    for n, i in enumerate(order):
        for j in order[n + 1 :]:
            one, other = options[i], options[j]
            queries = float(break_even(once[one], each[one], once[other], each[other]))
            interval = None
            if drawn is not None:
                F, c = drawn
                interval = _interval(_cheaper_from(F[:, i], c[:, i], F[:, j], c[:, j]))
            yield BreakEven(one, other, queries, interval)


def _cheaper_from(first: FloatArray, each_first: FloatArray, then: FloatArray, each_then: FloatArray) -> FloatArray:
    """From which number of queries on the second option is the cheaper one, also where a draw of it takes less once."""
    less = each_first - each_then
    at_once = np.where((less > 0) | ((less == 0) & (then < first)), 0.0, np.inf)
    return np.where(then > first, break_even(first, each_first, then, each_then), at_once)


def _interval(queries: FloatArray) -> tuple[float, float]:
    low, high = np.quantile(queries, [LOW, HIGH], method="nearest").tolist()  # never takes part: no mean of infinities
    return low, high
