"""Stability of choices: how often each row is chosen over bootstrap resamples or draws of uncertain parameters."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.objectives import Objective
from ..estimate.at_load import DaySetup
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
from .volume import Volume, fixed_costs

__all__ = ["ChoiceShare", "DrawSource", "Redraw", "Stability", "Tried", "resample", "tally"]

Tried = PolicySetup | DayPolicy | WorkflowSetup  # what curves of policies and workflows are estimated from
DrawSource = Literal["parameters", "simulation"]


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
    choices: Iterable[tuple[Candidates, Sequence[tuple[Key, int | None]]]],
    table: Candidates,
    source: DrawSource,
    met: Mapping[str, BoolArray],
    rows: Sequence[int] = (),
) -> Stability:
    """Count what was chosen.

    Args:
        choices: for every draw its table, and what each selector chose: a row number of `table`, or None.
        table: the rows.
        source: what was drawn.
        met: by scenario (n,), which rows meet its limits.
        rows: those whose means are kept.
    """
    counts: dict[Key, Counter[int | None]] = defaultdict(Counter)
    means: list[FloatArray] = []
    for drawn, chosen in choices:
        means.append(drawn.means[list(rows)])
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
    """

    estimator: Exact
    objectives: Sequence[Objective]
    setups: Sequence[Setup | DaySetup | Tried]
    questions: Questions = "other"
    volume: Volume | None = None

    def __call__(self, B: int, seed: int) -> Iterator[Candidates]:
        """Return B tables."""
        return self._tables(B, seed, self.questions)

    def met(self, scenarios: Sequence[Scenario], B: int, seed: int) -> dict[str, FloatArray]:
        """Return by scenario the share of B tables in which each row meets the limits, (n,)."""
        met: FloatArray = np.zeros(())
        for table in self(B, seed):
            met = met + [table.met(scenario.limits) for scenario in scenarios]
        return dict(zip((scenario.name for scenario in scenarios), met / B, strict=True))

    def halves(self, S: int, seed: int) -> Iterator[tuple[Candidates, Candidates]]:
        """Return S pairs of tables, of one half of the questions and of the other."""
        tables = self._tables(2 * S, seed, "halves")
        return zip(tables, tables, strict=True)

    def _tables(self, B: int, seed: int, questions: Asked) -> Iterator[Candidates]:
        given = B, seed, questions
        redrawn = [
            self.estimator.redraw(of, *given) if isinstance(of, Setup) else of.redraw(self.estimator, *given)
            for of in self.setups
        ]
        shares = self._shares(B, seed, questions)
        for b, curves in enumerate(zip(*redrawn, strict=True)):
            added = ({name: float(of[b]) for name, of in share.items()} for share in shares)
            yield Candidates(self.objectives, list(map(raised, curves, added)))

    def _shares(self, B: int, seed: int, questions: Asked) -> list[dict[str, FloatArray]]:
        """By curve and objective (B,) what a query pays of what is paid once; halves are of the given numbers."""
        models = [[of.profile] if isinstance(of, Setup) else of.profiles for of in self.setups]
        if self.volume is None:
            return [{} for _ in models]
        if questions != "halves":
            return [self.volume.shares(profiles, B, seed) for profiles in models]
        queries = self.volume.queries
        return [{n: np.full(B, cost / queries) for n, cost in fixed_costs(profiles).items()} for profiles in models]


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
