"""Choices in many tables of the same rows at once: those of draws."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice

import numpy as np

from ..builtin.fronts import Front, FrontSelector
from ..core.arrays import BoolArray, FloatArray, IntArray, Rows
from ..core.errors import NoSelection
from ..interfaces import Selector
from ..profiles import Scenario
from .candidates import Candidates
from .choices import FeasibleShares, Key, decide
from .front import fronts
from .losses import limited, losses

__all__ = ["ChosenRows", "DrawnChoices", "choices_of_draws"]

SIZE = 2**20  # means at a time: 8 MiB
TABLES = 256  # at a time; there are no more in memory

Asked = tuple[Scenario, FeasibleShares | None]
ChosenRows = tuple[FloatArray, list[tuple[Key, int | None]]]  # means (rows, m), and what was chosen under each key


@dataclass(frozen=True)
class DrawnChoices:
    """What is asked of the table of every draw: what is chosen, and some means.

    Args:
        asked, selectors, curves: as in `choices_of_draws`.
        rows: those whose means are kept.
    """

    asked: tuple[Asked, ...]
    selectors: tuple[Selector, ...]
    rows: tuple[int, ...]
    curves: bool

    def __call__(self, tables: Iterable[Candidates]) -> Iterator[ChosenRows]:
        """Return the means of the rows, and what each selector chose, of every table."""
        for table, chosen in choices_of_draws(tables, self.asked, self.selectors, curves=self.curves):
            yield table.means[list(self.rows)], chosen


def choices_of_draws(
    tables: Iterable[Candidates], asked: Sequence[Asked], selectors: Sequence[Selector], *, curves: bool = True
) -> Iterator[tuple[Candidates, list[tuple[Key, int | None]]]]:
    """Choose in the table of every draw, as `moo_infer.decide.choices.decide` does, but without reasons and warnings.

    Selectors that look at the front alone choose in many tables at once; others in one after the other.

    Args:
        tables: of the draws; they have the same rows in the same order.
        asked: scenarios, and how surely each row meets their limits, where that counts.
        selectors: who chooses.
        curves: whether to choose on every (model, aggregator) as well.

    Returns:
        For every table what each selector chose in each scenario: a row number, or None.
    """
    draws = iter(tables)
    at_once = [selector for selector in selectors if isinstance(selector, FrontSelector)]
    others = [selector for selector in selectors if not isinstance(selector, FrontSelector)]
    while first := next(draws, None):
        size = min(max(SIZE // first.means.size, 1), TABLES)
        block = [first, *islice(draws, size - 1)]
        chosen = [_one_by_one(table, asked, others, curves) for table in block]
        for scenario, sure in asked if at_once else ():
            for key, rows in _at_once(Drawn(block, scenario, sure), at_once, curves):
                for listed, row in zip(chosen, rows.tolist(), strict=True):
                    listed.append((key, None if row < 0 else row))
        yield from zip(block, chosen, strict=True)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Tables of draws in a scenario.

    Args:
        tables: B of them, of n rows and m objectives.
        scenario: the limits.
        sure: how surely each row meets them, where that counts.
    """

    tables: Sequence[Candidates]
    scenario: Scenario
    sure: FeasibleShares | None

    @cached_property
    def met(self) -> BoolArray:
        """(B, n) which rows are feasible."""
        first, met = self.tables[0], np.stack([table.met(()) for table in self.tables])
        for limit in self.scenario.limits:
            j = first.index(limit.objective)
            limit.check(first.objectives[j])
            if limit.statistic == "mean":
                values = self.means[..., j]
            else:
                values = np.stack([table.column(limit.objective, limit.statistic) for table in self.tables])
            met &= limit.excess(values) <= 0
        return met & self.sure.enough if self.sure else met

    @cached_property
    def means(self) -> FloatArray:
        """(B, n, m)."""
        return np.stack([table.means for table in self.tables])

    @cached_property
    def losses(self) -> FloatArray:
        """(B, n, m) by the limits."""
        objectives = self.tables[0].objectives
        scales = np.array([list(table.scales.values()) for table in self.tables])
        return losses(objectives, self.means, limited(objectives, scales, self.scenario.limits)[:, None, :])

    @cached_property
    def curve(self) -> IntArray:
        """(n,) numbers of the curves of the rows."""
        table = self.tables[0]
        return np.asarray(np.argmax([table.on(curve) for curve in table.curves], axis=0))


def _one_by_one(
    table: Candidates, asked: Sequence[Asked], selectors: Sequence[Selector], curves: bool
) -> list[tuple[Key, int | None]]:
    """What selectors choose in one table; nothing where there are none."""
    if not selectors:
        return []
    decided = [decide(table, of, selectors, explain=False, sure=sure, curves=curves) for of, sure in asked]
    choices = [c for _, by_curve, pooled in decided for of in (*by_curve.values(), pooled) for c in of]
    return [(choice.key, choice.row) for choice in choices]


def _at_once(drawn: Drawn, selectors: Sequence[FrontSelector], curves: bool) -> Iterator[tuple[Key, IntArray]]:
    """By choice (B,) row numbers, -1 where there is none."""
    table, everything = drawn.tables[0], np.arange(len(drawn.curve))
    of_curves = [(curve.label, everything[drawn.curve == i]) for i, curve in enumerate(table.curves)] if curves else []
    for whose, rows in [*of_curves, ((None, None), everything)]:
        groups = list(_fronts(drawn, rows))
        for selector in selectors:
            yield (drawn.scenario.name, selector.name, *whose), _on_fronts(selector, groups, len(drawn.tables))


def _fronts(drawn: Drawn, rows: Rows) -> Iterator[tuple[Rows, Rows, Front]]:
    """Fronts of some rows that are equally long: of which draws (D,), the row numbers (D, F), and the fronts."""
    met, points = drawn.met[:, rows], drawn.losses[:, rows]
    on_front = fronts(points, met)
    inside = met[..., None]
    differ = np.where(inside, points, -np.inf).max(axis=1) > np.where(inside, points, np.inf).min(axis=1)
    lengths = on_front.sum(axis=1)
    numbers = np.unique(drawn.curve[rows])
    curves = np.sum([met[:, drawn.curve[rows] == i].any(axis=1) for i in numbers], axis=0)
    names, k = tuple(o.name for o in drawn.tables[0].objectives), drawn.tables[0].k
    on_limits = {limit.objective for limit in drawn.scenario.limits}
    for length, count in np.unique(np.column_stack([lengths, curves])[lengths > 0], axis=0).tolist():
        draws = np.flatnonzero((lengths == length) & (curves == count))
        places = np.nonzero(on_front[draws])[1].reshape(len(draws), length)
        chosen, of_rows = rows[places], points[draws[:, None], places]
        errors = partial(_paired_stderr, [drawn.tables[b] for b in draws.tolist()], chosen)
        yield draws, chosen, Front(names, of_rows, k[chosen], differ[draws], count, on_limits, errors)


def _paired_stderr(tables: Sequence[Candidates], rows: Rows, objective: str, best: IntArray) -> FloatArray:
    """(D, F) standard errors of differences from the rows at places (D,) among rows (D, F); see `Front`."""
    each = zip(tables, rows, best.tolist(), strict=True)
    return np.stack([table.take(of).paired_stderr(objective, place) for table, of, place in each])


def _on_fronts(selector: FrontSelector, groups: Sequence[tuple[Rows, Rows, Front]], B: int) -> IntArray:
    """(B,) rows that a selector chooses, -1 where there is none."""
    chosen = np.full(B, -1)
    for draws, rows, front in groups:
        try:
            scores = selector.scores(front)
        except NoSelection:
            continue
        best = np.arange(len(draws)), scores.argmin(axis=1)
        chosen[draws] = np.where(np.isnan(scores[best]), -1, rows[best])
    return chosen
