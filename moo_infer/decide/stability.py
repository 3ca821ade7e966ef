"""Stability of choices: how often each row is chosen over bootstrap resamples or draws of uncertain parameters."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Generic, Literal, TypeVar

import numpy as np

from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.objectives import Objective
from ..core.tasks import Workers
from ..estimate.at_load import DaySetup
from ..estimate.curve_draws import CurveDraws, ranges
from ..estimate.curves import HIGH, LOW, Column
from ..estimate.exact import Asked, Exact, Questions
from ..estimate.raised import raised
from ..estimate.setup import Setup
from ..policy.curves import PolicySetup
from ..policy.day import DayPolicy
from ..policy.workflow.curves import WorkflowSetup
from ..profiles import Scenario
from .candidates import Candidates
from .choices import Key
from .redrawn import ChosenRows
from .volume import Volume, fixed_costs

__all__ = ["ChoiceShare", "DrawSource", "Redraw", "Stability", "Tried", "of_draws", "resample", "tally"]

Tried = PolicySetup | DayPolicy | WorkflowSetup  # what curves of policies and workflows are estimated from
DrawSource = Literal["parameters", "simulation"]
T = TypeVar("T")


@dataclass(frozen=True)
class ChoiceShare:
    """The share of the draws in which a row was chosen; without row, model and k: the share in which none was."""

    row: int | None
    model: str | None
    aggregator: str | None
    k: int | None
    share: float


@dataclass(frozen=True)
class Stability:
    """How often each row is chosen over draws of uncertain parameters, log questions, or simulated trials.

    Args:
        source: ``parameters``: numbers of the profiles are uncertain; ``simulation``: so many trials were simulated,
            and others could have been (bootstrap, Efron 1979).
        draws: B, how many draws.
        shares: by (scenario, selector, model, aggregator), the last two None for the pool; largest share first.
        broken: by the same, in which share of the draws the choice breaks a limit on the given values: the risk that
            it breaks one in truth, as the given values stand to a draw as the truth does to them.
        means: by row number of those that are chosen on the given values, for each of m objectives: between which two
            values its mean is in 95 % of the draws.
    """

    source: DrawSource
    draws: int
    shares: Mapping[Key, tuple[ChoiceShare, ...]]
    broken: Mapping[Key, float]
    means: Mapping[int, tuple[tuple[float, float], ...]] = field(default_factory=dict)

    def to_dict(self, key: Key) -> dict[str, Any] | None:
        """Return the JSON form of one choice's stability."""
        if key not in self.shares:
            return None
        shares = [{"model": s.model, "aggregator": s.aggregator, "k": s.k, "share": s.share} for s in self.shares[key]]
        return {"source": self.source, "draws": self.draws, "shares": shares, "broken": self.broken[key]}


def tally(
    choices: Iterable[ChosenRows],
    table: Candidates,
    source: DrawSource,
    met: Mapping[str, BoolArray],
    rows: Sequence[int] = (),
) -> Stability:
    """Count what was chosen.

    Args:
        choices: for every draw what `DrawnChoices` gives.
        table: the rows.
        source: what was drawn.
        met: by scenario (n,), which rows meet its limits.
        rows: those whose means were kept.
    """
    counts: dict[Key, Counter[int | None]] = defaultdict(Counter)
    means: list[FloatArray] = []
    for drawn, chosen in choices:
        means.append(drawn)
        for key, row in chosen:
            counts[key][row] += 1
    draws = len(means)
    shares = {
        key: tuple(
            _share(table, row, count / draws)
            for row, count in sorted(counter.items(), key=lambda item: (-item[1], item[0] is None, item[0] or 0))
        )
        for key, counter in counts.items()
    }
    broken = {
        key: sum(share.share for share in listed if share.row is not None and not met[key[0]][share.row])
        for key, listed in shares.items()
    }
    low, high = np.quantile(np.stack(means), [LOW, HIGH], axis=0).tolist() if rows else ([], [])
    ends = [tuple(zip(*of_row, strict=True)) for of_row in zip(low, high, strict=True)]
    return Stability(source, draws, shares, broken, dict(zip(rows, ends, strict=True)))


@dataclass(frozen=True, eq=False)
class Resampled:
    """The trials of a column drawn anew.

    Args:
        column: whose trials.
        weights: (M,) how often each was drawn.
    """

    column: Column
    weights: IntArray

    def __getitem__(self, objective: str, /) -> FloatArray:
        """Return the (M, n) totals."""
        return self.column.trials[np.repeat(np.arange(len(self.weights)), self.weights)]

    def stderr(self, objective: str, /) -> FloatArray:
        """(n,) standard errors of the mean over the questions of a log: those of the column."""
        return self.column.stderr


@dataclass(frozen=True, eq=False)
class Redraw:
    """Gives tables for draws of uncertain parameters and of log questions.

    Args:
        estimator: fills them.
        objectives: their columns.
        setups: of each curve, in their order.
        questions: of logs: ``other`` ones might have been asked, or the ``same`` ones again.
        volume: of queries, over which what is paid once is spread; None where it is not.
        workers: who makes them, some draws each.
    """

    estimator: Exact
    objectives: Sequence[Objective]
    setups: Sequence[Setup | DaySetup | Tried]
    questions: Questions = "other"
    volume: Volume | None = None
    workers: Workers = field(default_factory=Workers, repr=False)

    def __call__(self, B: int, seed: int) -> Iterator[Candidates]:
        """Return B tables."""
        return self.drawn(B, seed, self.questions).tables(range(B))

    def map(self, look: Callable[[Iterator[Candidates]], Iterable[T]], B: int, seed: int) -> Iterator[T]:
        """Return what a function makes of B tables, in their order; it is given some of them at a time.

        So many draws are a task, but for those of the ``same`` questions, whose means are moved by what all of them are
        together.
        """
        same = self.questions == "same"
        pieces = [range(B)] if same else ranges(range(B))
        results = (Workers() if same else self.workers).run(_Look(self, look, B, seed), pieces)
        return (result for piece in results for result in piece)

    def met(self, scenarios: Sequence[Scenario], B: int, seed: int) -> dict[str, FloatArray]:
        """Return by scenario the share of B tables in which each row meets the limits, (n,)."""
        met: FloatArray = np.zeros(())
        for of_draw in self.map(partial(_met, scenarios), B, seed):
            met = met + of_draw
        return dict(zip((scenario.name for scenario in scenarios), met / B, strict=True))

    def halves(self, S: int, seed: int) -> Iterator[tuple[Candidates, Candidates]]:
        """Return S pairs of tables, of one half of the questions and of the other."""
        tables = self.drawn(2 * S, seed, "halves").tables(range(2 * S))
        return zip(tables, tables, strict=True)

    def drawn(self, B: int, seed: int, questions: Asked) -> "TableDraws":
        """Return B draws of the table."""
        given = B, seed, questions
        curves = [
            self.estimator.redraw(of, *given) if isinstance(of, Setup) else of.redraw(self.estimator, *given)
            for of in self.setups
        ]
        return TableDraws(self.objectives, curves, self._shares(*given))

    def _shares(self, B: int, seed: int, questions: Asked) -> list[dict[str, FloatArray]]:
        """By curve and objective (B,) what a query pays of what is paid once; halves are of the given numbers."""
        models = [[of.profile] if isinstance(of, Setup) else of.profiles for of in self.setups]
        if self.volume is None:
            return [{} for _ in models]
        if questions != "halves":
            return [self.volume.shares(profiles, B, seed) for profiles in models]
        queries = self.volume.queries
        return [{n: np.full(B, cost / queries) for n, cost in fixed_costs(profiles).items()} for profiles in models]


@dataclass(frozen=True, eq=False)
class TableDraws:
    """Draws of a table.

    Args:
        objectives: its columns.
        curves: draws of each curve.
        shares: by curve and objective (B,), what a query pays of what is paid once.
    """

    objectives: Sequence[Objective]
    curves: Sequence[CurveDraws]
    shares: Sequence[Mapping[str, FloatArray]]

    def tables(self, some: range) -> Iterator[Candidates]:
        """Return the tables of some of the draws."""
        for b, curves in zip(some, zip(*(of.among(some) for of in self.curves), strict=True), strict=True):
            added = ({name: float(of[b]) for name, of in share.items()} for share in self.shares)
            yield Candidates(self.objectives, list(map(raised, curves, added)))


@dataclass(frozen=True, eq=False)
class _Look(Generic[T]):
    """Looks at the tables of some of B draws; arguments as in `Redraw.map`."""

    redraw: Redraw
    look: Callable[[Iterator[Candidates]], Iterable[T]]
    B: int
    seed: int

    @cached_property
    def drawn(self) -> TableDraws:
        """All of them, for every task that a worker is given."""
        return self.redraw.drawn(self.B, self.seed, self.redraw.questions)

    def __call__(self, some: range) -> list[T]:
        return list(self.look(self.drawn.tables(some)))


def _met(scenarios: Sequence[Scenario], tables: Iterable[Candidates]) -> Iterator[BoolArray]:
    """(scenarios, n) which rows of each table meet the limits."""
    return (np.array([table.met(scenario.limits) for scenario in scenarios]) for table in tables)


def of_draws(
    redraw: Callable[[int, int], Iterator[Candidates]],
    look: Callable[[Iterator[Candidates]], Iterable[T]],
    B: int,
    seed: int,
) -> Iterable[T]:
    """Return what a function makes of B tables of whoever gives them; see `Redraw.map`."""
    return redraw.map(look, B, seed) if isinstance(redraw, Redraw) else look(redraw(B, seed))


def resample(table: Candidates, B: int, seed: int = 0) -> Iterator[Candidates]:
    """Bootstrap the trials of a simulated table: B tables whose means are those of trials drawn with replacement.

    All models share their trials' numbers, because they share their random numbers. Means of all B tables are one
    matrix product of (B, M) weights and (M, n m) totals; quantiles are computed where a limit asks for them.
    """
    columns = [curve.columns[o.name] for curve in table.curves for o in table.objectives]
    simulated = [column for column in columns if "mean" in column.simulated]
    M = len(simulated[0].trials)
    weights = np.random.default_rng([seed, 2]).multinomial(M, np.full(M, 1 / M), size=B)
    means = (weights / M) @ np.concatenate([column.trials for column in simulated], axis=1)
    splits = np.cumsum([column.trials.shape[1] for column in simulated])[:-1]
    blocks = {id(column): block for column, block in zip(simulated, np.split(means, splits, axis=1), strict=True)}

    def redrawn(column: Column, b: int) -> Column:
        if id(column) not in blocks:
            return column
        drawn = Column(None, Resampled(column, weights[b]))
        drawn.mean = blocks[id(column)][b]  # computed above, for all draws at once
        return drawn

    for b in range(B):
        curves = [replace(c, columns={name: redrawn(of, b) for name, of in c.columns.items()}) for c in table.curves]
        yield Candidates(table.objectives, curves)


def _share(table: Candidates, row: int | None, share: float) -> ChoiceShare:
    if row is None:
        return ChoiceShare(None, None, None, None, share)
    model, aggregator = table.curve(row).label
    return ChoiceShare(row, model, aggregator, int(table.k[row]), share)
