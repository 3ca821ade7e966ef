"""A curve over a day: the mixture of those at each load, with what electricity costs and emits then."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from typing import cast

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.day import CARBON, JOULES_PER_KWH, Day, Level
from ..core.errors import MooInferError, NothingPossible
from ..core.moments import Moments
from ..core.objectives import COST, ENERGY, Objective
from .curve_draws import CurveDraws
from .curves import STATISTICS, Column, Curve
from .mixture import QuestionMoments
from .monte_carlo import Estimator

__all__ = ["DayColumn", "at_levels", "draws_over_day", "objectives_over", "over_day"]


@dataclass(frozen=True, eq=False)
class Term:
    """What one column of the curve at a load adds to a column over the day.

    Args:
        column: of the curve at the load.
        places: (n,) which of its rows.
        factor: by which its values count.
        share: of the queries, that come at this load.
        trials: how many of its trials are taken.
    """

    column: Column
    places: IntArray
    factor: float
    share: float
    trials: int

    @property
    def moments(self) -> Moments | None:
        """What is known exactly."""
        known = self.column._moments
        if known is None:
            return None
        std = None if known.std is None else known.std[self.places]
        return self.factor * Moments(known.mean[self.places], std)

    def weighted(self, values: FloatArray) -> FloatArray:
        """Return what (n_l,) values of the column add to the mean over the day: (n,)."""
        return self.share * self.factor * values[self.places]


class DayColumn(Column):
    """One objective over a day, at n values of k: its mean as exact as its parts, its quantiles simulated.

    Args:
        levels: by load, the terms that add up.
    """

    def __init__(self, levels: Sequence[Sequence[Term]]) -> None:
        self.levels = tuple(map(tuple, levels))
        super().__init__(_moments(self.levels), None)

    @property
    def _terms(self) -> Iterator[Term]:
        return (term for terms in self.levels for term in terms)

    @cached_property
    def trials(self) -> FloatArray:
        """(M, n) simulated totals: of each load as many as its share of the queries."""
        some = [terms for terms in self.levels if terms[0].trials]
        return np.concatenate(
            [sum(t.factor * t.column.trials[: t.trials][:, t.places] for t in terms) for terms in some]
        )

    @cached_property
    def mean(self) -> FloatArray:
        """(n,) expectations."""
        return np.asarray(sum(term.weighted(term.column.mean) for term in self._terms))

    @cached_property
    def stderr(self) -> FloatArray:
        """(n,) standard errors of the mean over the questions of a log, which are the same at all loads."""
        if isinstance(self._moments, QuestionMoments):
            return self._moments.stderr
        return np.asarray(sum(term.weighted(term.column.stderr) for term in self._terms))

    @cached_property
    def stderr_simulation(self) -> FloatArray:
        """(n,) Monte Carlo standard errors; loads are simulated apart. NaN where all is exact."""
        errors = np.array([term.weighted(term.column.stderr_simulation) for term in self._terms])
        return np.where(np.isnan(errors).all(axis=0), np.nan, np.sqrt(np.nansum(errors**2, axis=0)))

    @property
    def simulated(self) -> tuple[str, ...]:
        """The statistics that come from simulation."""
        of_parts = {name for term in self._terms for name in term.column.simulated if name == "mean"}
        names = {*super().simulated, *of_parts}
        return tuple(name for name in STATISTICS if name in names)


def _moments(levels: Sequence[Sequence[Term]]) -> Moments | None:
    """Mix what is known exactly; by question where all terms are of the same questions."""
    known = [[term.moments for term in terms] for terms in levels]
    if any(moments is None for of_level in known for moments in of_level):
        return None
    each = [reduce(lambda a, b: a + b, cast(list[Moments], of_level)) for of_level in known]
    shares = np.array([terms[0].share for terms in levels])
    mean = shares @ [moments.mean for moments in each]
    std = None
    if all(moments.std is not None for moments in each):
        squares = [cast(FloatArray, moments.std) ** 2 + (moments.mean - mean) ** 2 for moments in each]
        std = np.sqrt(shares @ squares)
    asked = [(term, term.column._moments) for terms in levels for term in terms]
    first = asked[0][1]
    if not isinstance(first, QuestionMoments) or not all(_same_questions(first, of) for _, of in asked):
        return Moments(mean, std)
    each_question = [
        term.share * term.factor * cast(QuestionMoments, of).by_question[:, term.places] for term, of in asked
    ]
    return QuestionMoments(
        mean,
        std,
        weights=first.weights,
        by_question=np.sum(each_question, axis=0),
        questions=first.questions,
        share=first.share,
    )


def _same_questions(first: QuestionMoments, other: Moments | None) -> bool:
    return (
        isinstance(other, QuestionMoments)
        and other.share == first.share
        and list(other.questions) == list(first.questions)
        and np.array_equal(other.weights, first.weights)
    )


def objectives_over(day: Day | None, there: tuple[Objective, ...], /) -> tuple[Objective, ...]:
    """Return the columns of a table over a day: those that are there, and money and carbon of electricity.

    Raises:
        MooInferError: where electricity has a price or an intensity and no cost model says the joules, and where a cost
            model says the carbon already.
    """
    if day is None:
        return there
    names = [objective.name for objective in there]
    given = [name for name in ("usd_per_kwh", "gco2_per_kwh") if getattr(day, name) is not None]
    if given and ENERGY.name not in names:
        raise MooInferError(f"day: {given[0]} needs the joules of a query, and no cost model says its {ENERGY.name}")
    if day.gco2_per_kwh is not None and CARBON.name in names:
        raise MooInferError(
            f"day: gco2_per_kwh says the {CARBON.name} of the {ENERGY.name}, and a cost model says it too; give one of "
            "them"
        )
    money = (COST,) if day.usd_per_kwh is not None and COST.name not in names else ()
    return (*there, *money, *((CARBON,) if day.gco2_per_kwh is not None else ()))


def at_levels(estimator: Estimator, day: Day, /) -> list[Estimator]:
    """Return an estimator for each load, with as many of the trials as its share of the queries, drawn apart."""
    return [
        replace(estimator, trials=max(1, trials), seed=estimator.seed + i)
        for i, trials in enumerate(_trials(day, estimator.trials))
    ]


def draws_over_day(drawn: Sequence[CurveDraws], day: Day, M: int, /) -> CurveDraws:
    """Return the draws of the curve over a day, from those at each load; arguments as in `over_day`."""
    return CurveDraws(
        drawn[0].B,
        lambda some: (over_day(curves, day, M) for curves in zip(*(of.among(some) for of in drawn), strict=True)),
    )


def over_day(curves: Sequence[Curve], day: Day, M: int, /) -> Curve:
    """Return the curve over a day.

    Args:
        curves: at each load of the day, in its order.
        day: whose.
        M: trials over the day.

    Raises:
        NothingPossible: where no k can be had at all loads.
    """
    busiest = curves[-1]
    k = reduce(np.intersect1d, [curve.k for curve in curves])
    if not len(k):
        raise NothingPossible(
            f"{busiest.model}: none of the numbers of inferences can be had at every load of the day: "
            f"{'; '.join(busiest.remarks) or 'each load has others'}"
        )
    places = [np.searchsorted(curve.k, k) for curve in curves]
    counts = _trials(day, M)
    columns: dict[str, list[list[Term]]] = {}
    for curve, level, place, trials in zip(curves, day.levels, places, counts, strict=True):
        for name, parts in _parts(curve.columns, level).items():
            terms = [Term(column, place, factor, level.share, trials) for column, factor in parts]
            columns.setdefault(name, []).append(terms)
    possible = [curve.possible[p] for curve, p in zip(curves, places, strict=True) if curve.possible is not None]
    return replace(
        busiest,
        k=k,
        columns={name: DayColumn(levels) for name, levels in columns.items()},
        remarks=(day.sentence, *busiest.remarks),
        possible=np.logical_and.reduce(possible) if possible else None,
    )


def _parts(columns: Mapping[str, Column], level: Level) -> dict[str, list[tuple[Column, float]]]:
    """By objective, the columns that add up at a load, and by which factor each counts."""
    parts = {name: [(column, 1.0)] for name, column in columns.items()}
    for objective, per_kwh in ((COST, level.usd_per_kwh), (CARBON, level.gco2_per_kwh)):
        if per_kwh is not None:
            parts.setdefault(objective.name, []).append((columns[ENERGY.name], per_kwh / JOULES_PER_KWH))
    return parts


def _trials(day: Day, M: int) -> list[int]:
    """How many of M trials each load gets: its share, rounded so that they are M together."""
    ends = np.rint(np.cumsum([level.share for level in day.levels]) * M).astype(int)
    return [int(n) for n in np.diff(ends, prepend=0)]
