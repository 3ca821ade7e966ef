"""Decision maps: which row a selector chooses under every pair of two budgets."""

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from ..core.arguments import typed
from ..core.arrays import BoolArray, FloatArray
from ..core.errors import MooInferError, SelectionWarning, unknown
from ..core.objectives import Limit, Objective
from ..core.parts import at_least_one
from ..interfaces import Selector
from ..profiles import Scenario
from .candidates import Candidates
from .choices import Choice, FeasibleShares, choose

if TYPE_CHECKING:
    from ..report.report import Report

__all__ = ["DecisionMap", "decision_map"]

DECADE = 10.0  # budgets that span more than this are spaced evenly in their logarithm


@dataclass(frozen=True, eq=False)
class DecisionMap:
    """What a selector chooses over the whole pool under nx x ny pairs of budgets.

    Args:
        x, y: names of the two objectives.
        x_values, y_values: (nx,) and (ny,) budgets, ascending, in the units of the objectives.
        rows: (ny, nx) row numbers of `candidates`, -1 where nothing is chosen.
        feasible: (ny, nx) whether any row meets the limits; where one does and nothing is chosen, the selector found
            no answer.
        candidates: the whole table.
        scenario: whose other limits hold everywhere.
        selector: who chooses.
        limits: the limits on `x` and `y` that the budgets stand in for: those of the scenario, else None.
        statistics: on what of `x` and `y` the budgets are, ``mean`` or a quantile such as ``p95``.
        reason: what the selector said most often where it found no answer; empty where it always found one.
    """

    x: str
    y: str
    x_values: FloatArray
    y_values: FloatArray
    rows: npt.NDArray[np.intp]
    feasible: BoolArray
    candidates: Candidates = field(repr=False)
    scenario: Scenario
    selector: str
    limits: tuple[Limit | None, Limit | None]
    statistics: tuple[str, str]
    reason: str = ""

    @property
    def labels(self) -> dict[tuple[str, str], tuple[int, ...]]:
        """The k that are chosen somewhere, ascending, by (model, aggregator) in the order of the table."""
        chosen = [int(row) for row in np.unique(self.rows) if row >= 0]
        ks_by_label: dict[tuple[str, str], tuple[int, ...]] = {}
        for curve in self.candidates.curves:
            if ks := sorted(int(self.candidates.k[row]) for row in chosen if self.candidates.curve(row) is curve):
                ks_by_label[curve.label] = tuple(ks)
        return ks_by_label


@typed()
def decision_map(
    report: "Report", x: str, y: str, *, scenario: str | None = None, selector: str | None = None, size: int = 60
) -> DecisionMap:
    """Ask a selector under every pair of two budgets.

    The budgets take the place of the scenario's limits on `x` and `y`, and are on what those limit: the mean, unless
    the scenario limits a quantile (where it limits several statistics of an objective, the first makes room for the
    budget). Its other limits, and the confidence of the report, stay. Budgets reach from the tightest that admits
    anything to the worst value of any candidate, and always include the scenario's own limit.

    Args:
        report: whose pooled table is decided over.
        x, y: two different objectives of the table.
        scenario: a scenario of the report; may be left out where there is one.
        selector: a selector of the report; None for its headline.
        size: how many budgets of each, >= 2.

    Raises:
        MooInferError: for names that the report does not have, and a size below 2.

    >>> from moo_infer import Pipeline
    >>> report = Pipeline(selectors="max-accuracy").run(["gpt-5-nano", "nemotron-nano-9b-v2"], "essay-feedback")
    >>> found = decision_map(report, "cost", "latency", size=20)
    >>> found.rows.shape, [model for model, _ in found.labels]
    ((20, 20), ['gpt-5-nano', 'nemotron-nano-9b-v2'])
    """
    table, outcome = report.candidates, report.outcome(scenario)
    chosen = outcome.scenario
    asked = {s.name: s for s in report.selectors}
    name = report.headline if selector is None else selector
    if name not in asked:
        raise unknown("selector", name, asked)
    objectives = [table.objectives[table.index(objective)] for objective in (x, y)]
    if x == y:
        raise MooInferError(f"a decision map needs two different objectives, got {x!r} twice")
    if at_least_one(size, "size") < 2:
        raise MooInferError(f"size: must be >= 2, got {size}")
    own = [next((limit for limit in chosen.limits if limit.objective == o.name), None) for o in objectives]
    others = [limit for limit in chosen.limits if limit not in own]
    axes = [
        _budgets(table, objective, limit, table.met(others), size)
        for objective, limit in zip(objectives, own, strict=True)
    ]
    for objective, axis in zip(objectives, axes, strict=True):
        for limit in axis:
            limit.check(objective)
    open_to = _admitted(report, outcome.sure, axes, others)
    feasible: BoolArray = np.asarray(open_to.any(axis=2))
    nothing = Choice(chosen.name, name, None, None, table)
    rows, reason = _chosen(asked[name], nothing, axes, others, open_to)
    return DecisionMap(
        x=x,
        y=y,
        x_values=np.array([float(limit.worst) for limit in axes[0]]),
        y_values=np.array([float(limit.worst) for limit in axes[1]]),
        rows=rows,
        feasible=feasible,
        candidates=table,
        scenario=chosen,
        selector=name,
        limits=(own[0], own[1]),
        statistics=(axes[0][0].statistic, axes[1][0].statistic),
        reason=reason,
    )


def _chosen(
    selector: Selector, nothing: Choice, axes: Sequence[Sequence[Limit]], others: Sequence[Limit], open_to: BoolArray
) -> tuple[npt.NDArray[np.intp], str]:
    """(ny, nx) the row that is chosen under two budgets, -1 for none, and the reason that was given most often.

    Args:
        selector: who chooses.
        nothing: what it answers before it was asked.
        axes: the budgets across and up.
        others: the limits that hold everywhere.
        open_to: (ny, nx, n) which rows meet them all.
    """
    rows = np.full(open_to.shape[:2], -1, dtype=np.intp)
    reasons: Counter[str] = Counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SelectionWarning)
        for j, i in np.argwhere(open_to.any(axis=2)):
            limits = [axes[0][i], axes[1][j], *others]
            choice = choose(selector, nothing.candidates.kept(open_to[j, i], limits), nothing, caught)
            if choice.row is None:
                reasons[choice.reason] += 1
            else:
                rows[j, i] = choice.row
    for warning in caught:
        if not issubclass(warning.category, SelectionWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return rows, reasons.most_common(1)[0][0] if reasons else ""


def _budgets(table: Candidates, objective: Objective, own: Limit | None, met: BoolArray, size: int) -> list[Limit]:
    """Limits on an objective, from the tightest that admits anything to the worst value there is, ascending."""
    limit = own or Limit(objective.name, objective.best, "max" if objective.direction == "min" else "min")
    values = table.column(objective.name, limit.statistic)
    away = np.maximum(objective.shortfall(values), 0.0)  # what is better than ideal is so by rounding
    ends = [float(away[met].min() if met.any() else away.min()), float(away.max())]
    if own:
        ends += [float(objective.shortfall(float(own.worst)))]
    near, far = min(ends), max(ends)
    if near == far:  # a single value: show what twice its distance from the ideal would do
        far = 2 * near or objective.scale or 1.0
    if objective.scale is not None:
        far = min(far, objective.scale)
    low, high = sorted(objective.best + objective.sign * end for end in (near, far))
    spaced = np.geomspace if low > 0 and high > DECADE * low else np.linspace
    worst = spaced(low, high, size)
    worst[[0, -1]] = low, high
    if own:  # the budget closest to the scenario's own limit becomes that limit
        worst[np.argmin(np.abs(worst - own.worst))] = own.worst
    return [replace(limit, worst=float(value)) for value in worst]


def _admitted(
    report: "Report", sure: FeasibleShares | None, axes: Sequence[Sequence[Limit]], others: Sequence[Limit]
) -> BoolArray:
    """(ny, nx, n) which rows meet the limits, with the requested confidence, if any."""

    def met(table: Candidates) -> BoolArray:
        x, y = (
            np.stack([limit.excess(table.column(limit.objective, limit.statistic)) <= 0 for limit in axis])
            for axis in axes
        )
        admitted: BoolArray = y[:, None] & x[None, :] & table.met(others)
        return admitted

    admitted = met(report.candidates)
    if sure is None or report.redraw is None:
        return admitted
    counts = np.zeros(admitted.shape, dtype=np.int32)
    for drawn in report.redraw(sure.draws, report.estimator.seed):
        counts += met(drawn)
    return admitted & replace(sure, shares=counts / sure.draws).enough
