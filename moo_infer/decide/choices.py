"""Decisions: what every selector chooses in every scenario, or why it chooses nothing."""

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import methodcaller
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.errors import MooInferError, NeedsOneCurve, NoSelection, SelectionWarning
from ..estimate.course import Course
from ..estimate.curves import STATISTICS
from ..estimate.rows import Row, Statistics
from ..interfaces import Selector
from ..profiles import Scenario
from .candidates import Candidates
from .infeasible import infeasible

__all__ = ["Choice", "FeasibleShares", "Key", "choose", "decide"]

Key = tuple[str, str, str | None, str | None]  # scenario, selector, model and aggregator (None: the pool)
NOTHING = "nothing is feasible"


@dataclass(frozen=True, eq=False)
class FeasibleShares:
    """In which share of the draws of uncertain parameters the rows of a table meet the limits of a scenario.

    Args:
        shares: (n,), in [0, 1].
        confidence: the share that is enough.
        draws: how many draws those were.
    """

    shares: npt.NDArray[np.float64]
    confidence: float
    draws: int

    @property
    def enough(self) -> npt.NDArray[np.bool_]:
        """(n,) whether the limits are met with enough confidence."""
        return self.shares >= self.confidence - 1e-12  # a share such as 19 / 20 is rounded, and so is 0.95


@dataclass(frozen=True)
class Choice:
    """What a selector chose, or why it chose nothing.

    The figures of an objective are attributes too: ``choice.accuracy.mean``.

    Args:
        scenario, selector: whose choice it is.
        model, aggregator: of the chosen row; None for a choice over a pool that found none.
        candidates: the table.
        row: row number in it, or None.
        remarks: what the selector warns of.
        reason: why there is no choice; empty where there is one.
        pooled: whether it was made over all models and aggregators, not over one (model, aggregator) alone.
        applicable: whether the selector takes such rows at all; not so where it needs one curve and there are several.
    """

    scenario: str
    selector: str
    model: str | None
    aggregator: str | None
    candidates: Candidates = field(repr=False)
    row: int | None = None
    remarks: tuple[str, ...] = field(default=(), repr=False)
    reason: str = ""
    pooled: bool = field(default=False, repr=False)
    applicable: bool = field(default=True, repr=False)

    @property
    def key(self) -> Key:
        """The key by which choices in several tables are compared: scenario, selector, model and aggregator."""
        whose = (None, None) if self.pooled else (self.model, self.aggregator)
        return self.scenario, self.selector, *whose

    @property
    def k(self) -> int | None:
        """Number of inferences, or None where there is no choice."""
        return None if self.row is None else int(self.candidates.k[self.row])

    @property
    def parts(self) -> tuple[tuple["Choice", float], ...]:
        """What gets which share of the queries: all of them the chosen row; empty where there is no choice."""
        return () if self.row is None else ((self, 1.0),)

    @property
    def parallelism(self) -> int | None:
        """P of the chosen row, or None."""
        return None if self.row is None else self.candidates.curve(self.row).parallelism

    @property
    def course(self) -> Course | None:
        """What the policy of the chosen row does with queries; None where no policy made it, or nothing is chosen."""
        return None if self.row is None or self.k is None else self.candidates.curve(self.row).course(self.k)

    @cached_property
    def figures(self) -> Row | None:
        """Every figure of the chosen row, or None."""
        return None if self.row is None else self.candidates.row(self.row)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What to know about the choice."""
        return self.remarks + (self.figures.warnings if self.figures else ())

    def __getattr__(self, name: str) -> Statistics:
        if name.startswith("_") or name not in [o.name for o in self.candidates.objectives]:
            raise AttributeError(f"a choice has no attribute {name!r}")
        if self.figures is None:
            raise AttributeError(f"there is no choice, so no {name}: {self.reason}")
        return self.figures.objectives[name]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; unknown figures are None."""
        fields: dict[str, Any] = {
            "scenario": self.scenario,
            "model": self.model,
            "aggregator": self.aggregator,
            "selector": self.selector,
            "k": self.k,
            "parallelism": self.parallelism,
        } | _of_course(self.course)
        if self.figures is None:
            return fields | {"objectives": None, "simulated": [], "warnings": [], "reason": self.reason}
        return fields | {
            "objectives": {
                name: {key: _or_none(getattr(figures, key)) for key in STATISTICS}
                for name, figures in self.figures.objectives.items()
            },
            "simulated": list(self.figures.simulated),
            "warnings": list(self.warnings),
        }


def decide(
    table: Candidates,
    scenario: Scenario,
    selectors: Sequence[Selector],
    *,
    explain: bool = True,
    sure: FeasibleShares | None = None,
    curves: bool = True,
) -> tuple[Candidates, dict[tuple[str, str], tuple[Choice, ...]], tuple[Choice, ...]]:
    """Let every selector choose in a scenario: per (model, aggregator), and over the whole pool.

    Args:
        table: the whole table.
        scenario: the limits.
        selectors: who chooses.
        explain: whether to look for the reason where nothing is feasible.
        sure: how surely each row meets the limits, where that counts.
        curves: whether to choose on every (model, aggregator) as well.

    Returns:
        The pool of feasible rows; by (model, aggregator) a choice a selector; and a choice a selector over the pool.

    Raises:
        MooInferError: for limits that do not fit the table, and where a selector fails.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SelectionWarning)
        try:
            pool = table.feasible(scenario.limits, sure=sure.enough if sure else None)
        except MooInferError as error:
            raise MooInferError(f"scenario {scenario.name!r}: {error}") from None
        _ = pool.losses  # computed once, for all models

        def choices(rows: Callable[[Candidates], Candidates], nothing: Choice) -> tuple[Choice, ...]:
            view = rows(pool)
            if not len(view):
                nothing = replace(nothing, reason=_why(rows(table), scenario, sure) if explain else NOTHING)
            return tuple(choose(s, view, nothing, caught) for s in selectors)

        by_curve = {
            curve.label: choices(
                methodcaller("of", curve), Choice(scenario.name, "", curve.model, curve.aggregator, table)
            )
            for curve in (table.curves if curves else ())
        }
        pooled = choices(lambda whole: whole, Choice(scenario.name, "", None, None, table, pooled=True))
    for warning in caught:
        if not issubclass(warning.category, SelectionWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return pool, by_curve, pooled


def choose(selector: Selector, view: Candidates, nothing: Choice, caught: Sequence[warnings.WarningMessage]) -> Choice:
    """Ask one selector; `nothing` says whose choice it is, and why there is none where nothing is feasible."""
    if nothing.reason:
        return replace(nothing, selector=selector.name)
    before = len(caught)
    try:
        answer = selector.select(view)
    except NoSelection as error:
        reason, applicable = str(error).strip() or "gave no reason", not isinstance(error, NeedsOneCurve)
        return replace(nothing, selector=selector.name, reason=reason, applicable=applicable)
    except MooInferError:
        raise
    except Exception as error:
        raise MooInferError(f"selector {selector.name!r} fails: {type(error).__name__}: {error}") from error
    if isinstance(answer, bool) or not isinstance(answer, int | np.integer) or not 0 <= answer < len(view):
        raise MooInferError(
            f"selector {selector.name!r} must answer with a row number from 0 to {len(view) - 1}, got {answer!r}"
        )
    row, table = int(view.rows[answer]), nothing.candidates
    remarks = tuple(str(w.message) for w in caught[before:] if issubclass(w.category, SelectionWarning))
    curve = table.curve(row)
    if beyond := curve.extrapolated(int(table.k[row])):
        remarks += (beyond,)
    return Choice(nothing.scenario, selector.name, *curve.label, table, row, remarks, pooled=nothing.pooled)


def _why(table: Candidates, scenario: Scenario, sure: FeasibleShares | None) -> str:
    """Why nothing is feasible."""
    if sure and table.met(scenario.limits).any():
        shares = sure.shares[table.rows]
        best = int(np.argmax(shares))
        return (
            f"nothing meets the limits in {100 * sure.confidence:g} % of the draws; the surest row does in "
            f"{100 * shares[best]:.3g} % ({table.model[best]}, {table.aggregator[best]}, k = {table.k[best]})"
        )
    reason = infeasible(table, scenario.limits)
    return f"{reason}; so on the given values, not in {100 * sure.confidence:g} % of the draws" if sure else reason


def _of_course(course: Course | None) -> dict[str, Any]:
    """The JSON form of what a policy does; None without one."""
    if course is None:
        return dict.fromkeys(("policy", "models", "calls", "waves", "endings", "stages", "bounds"))
    return {
        "policy": course.policy,
        "models": list(course.models),
        "calls": dict(zip(("mean", "p95"), course.calls, strict=True)),
        "waves": dict(zip(("mean", "p95"), course.waves, strict=True)),
        "endings": [{"what": what, "share": share} for what, share in course.endings],
        "stages": [stage.to_dict() for stage in course.stages] if course.workflow else None,
        "bounds": course.bounds and [*course.bounds],
    }


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
