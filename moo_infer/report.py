"""Reports: every choice with its figures or its reason, as objects, text and JSON."""

import io
import json
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from .candidates import STATISTICS, Candidates, Row, Statistics
from .errors import MooInferError, NoSelection, SelectionWarning, unknown
from .feasibility import infeasible
from .interfaces import Selector
from .objectives import Limit
from .parts import at_least_one
from .profiles import Scenario
from .stability import Key, Source, Stability, resample, tally

if TYPE_CHECKING:
    from rich.console import RenderableType

    from .estimators import Estimator

__all__ = ["Choice", "Report", "decide", "render"]

SCHEMA = 1
NOTHING = "nothing is feasible"
WIDTH = 80
SELECTORS_ABREAST = 5


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
    """

    scenario: str
    selector: str
    model: str | None
    aggregator: str | None
    candidates: Candidates = field(repr=False)
    row: int | None = None
    remarks: tuple[str, ...] = field(default=(), repr=False)
    reason: str = ""

    @property
    def k(self) -> int | None:
        """Number of inferences, or None where there is no choice."""
        return None if self.row is None else int(self.candidates.k[self.row])

    @property
    def parallelism(self) -> int | None:
        """P of the chosen row, or None."""
        return None if self.row is None else int(self.candidates.parallelism[self.row])

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
        found: dict[str, Any] = {
            "scenario": self.scenario,
            "model": self.model,
            "aggregator": self.aggregator,
            "selector": self.selector,
            "k": self.k,
            "parallelism": self.parallelism,
        }
        if self.figures is None:
            return found | {"objectives": None, "simulated": [], "warnings": [], "reason": self.reason}
        return found | {
            "objectives": {
                name: {key: _or_none(getattr(figures, key)) for key in STATISTICS}
                for name, figures in self.figures.objectives.items()
            },
            "simulated": list(self.figures.simulated),
            "warnings": list(self.warnings),
        }


def decide(
    table: Candidates, scenarios: Sequence[Scenario], selectors: Sequence[Selector], *, explain: bool = True
) -> tuple[tuple[Choice, ...], tuple[Choice, ...]]:
    """Let every selector choose in every scenario: per (model, aggregator), and over the whole pool.

    Args:
        table: the whole table.
        scenarios: the limits.
        selectors: who chooses.
        explain: whether to look for the reason where nothing is feasible.
    """
    rows: list[Choice] = []
    recommended: list[Choice] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SelectionWarning)
        for scenario in scenarios:
            try:
                pool = table.feasible(scenario.limits)
            except MooInferError as error:
                raise MooInferError(f"scenario {scenario.name!r}: {error}") from None
            _ = pool.losses  # computed once, for all models
            for model, aggregator in table.labels:
                view = pool.where(model=model, aggregator=aggregator)
                nothing = Choice(scenario.name, "", model, aggregator, table)
                if not len(view):
                    curve = table.where(model=model, aggregator=aggregator) if explain else None
                    nothing = replace(nothing, reason=infeasible(curve, scenario.limits) if curve else NOTHING)
                rows += [_choose(s, view, nothing, caught) for s in selectors]
            nothing = Choice(scenario.name, "", None, None, table)
            if not len(pool):
                nothing = replace(nothing, reason=infeasible(table, scenario.limits) if explain else NOTHING)
            recommended += [_choose(s, pool, nothing, caught) for s in selectors]
    for warning in caught:
        if not issubclass(warning.category, SelectionWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return tuple(rows), tuple(recommended)


def _choose(selector: Selector, view: Candidates, nothing: Choice, caught: Sequence[warnings.WarningMessage]) -> Choice:
    """Ask one selector; `nothing` says whose choice it is, and why there is none where nothing is feasible."""
    if nothing.reason:
        return replace(nothing, selector=selector.name)
    before = len(caught)
    try:
        answer = selector.select(view)
    except NoSelection as error:
        return replace(nothing, selector=selector.name, reason=str(error).strip() or "gave no reason")
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
    return Choice(nothing.scenario, selector.name, *table.label(row), table, row, remarks)


@dataclass(frozen=True)
class Report:
    """The choices of a run.

    Args:
        candidates: the whole table, before limits.
        scenarios: the scenarios, in order.
        estimator: what filled the table.
        rows: a choice per scenario, model, aggregator and selector.
        recommended: a choice per scenario and selector, over all models and aggregators.
        headline: the selector whose pooled choice opens the text.
        selectors: who chose.
        redraw: gives tables for B draws of uncertain parameters and a seed, or None where no parameter is uncertain.
        stable: how sure the choices are, or None where that was not asked for.

    >>> from moo_infer import Pipeline
    >>> report = Pipeline(selectors=["utopia", "knee-chord"]).run(["gpt-5", "gpt-5-nano"], "essay-feedback")
    >>> report["utopia"].model, report["gpt-5", "knee-chord"].k
    ('gpt-5-nano', 8)
    >>> report["knee-chord"].reason
    'needs a single curve, and this pool holds 2'
    """

    candidates: Candidates = field(repr=False)
    scenarios: tuple[Scenario, ...]
    estimator: "Estimator"
    rows: tuple[Choice, ...] = field(repr=False)
    recommended: tuple[Choice, ...] = field(repr=False)
    headline: str
    selectors: tuple[Selector, ...] = field(default=(), repr=False)
    redraw: Callable[[int, int], Iterator[Candidates]] | None = field(default=None, repr=False)
    stable: Stability | None = field(default=None, repr=False)

    def stability(self, B: int = 1000, seed: int = 0, source: Source | None = None) -> Stability | None:
        """Measure how often each row would have been chosen over B draws of what is uncertain.

        Args:
            B: number of draws, >= 1.
            seed: of the draws.
            source: ``parameters`` (uncertain numbers of the profiles) or ``simulation`` (a bootstrap of the trials);
                None for the first of them that there is.

        Returns:
            None where nothing is uncertain.

        Raises:
            MooInferError: for fewer than one draw, and for a source that is not there.

        >>> from moo_infer import MonteCarlo, Pipeline
        >>> report = Pipeline(selectors="max-accuracy", estimator=MonteCarlo(300)).run("gpt-5", "essay-feedback")
        >>> stability = report.stability(100)
        >>> stability.source, sum(s.share for s in stability.shares["essay-feedback", "max-accuracy", None, None])
        ('simulation', 1.0)
        """
        at_least_one(B, "draws")
        there: list[Source] = ["parameters"] if self.redraw else []
        if any("mean" in c.simulated for e in self.candidates.estimates for c in e.columns.values()):
            there.append("simulation")
        if source is not None and source not in there:
            raise unknown("source of uncertainty", source, there)
        if not there:
            return None
        chosen = source or there[0]
        redraw = self.redraw if chosen == "parameters" and self.redraw else partial(resample, self.candidates)
        tables = redraw(B, seed)
        return tally((self._chosen(table) for table in tables), self.candidates, chosen)

    def with_stability(self, B: int = 1000, seed: int = 0, source: Source | None = None) -> "Report":
        """Return the report with a column that says how sure each choice is; see `stability`."""
        return replace(self, stable=self.stability(B, seed, source))

    def _chosen(self, table: Candidates) -> list[tuple[Key, int | None]]:
        rows, recommended = decide(table, self.scenarios, self.selectors, explain=False)
        return [(_key(c, pooled=False), c.row) for c in rows] + [(_key(c, pooled=True), c.row) for c in recommended]

    def __getitem__(self, names: str | tuple[str, ...]) -> Choice:
        """Return one choice: ``[selector]`` over the pool, ``[model, selector]`` of one model.

        With several scenarios or aggregators name them too, in any order before the selector.

        Raises:
            MooInferError: for a name that does not occur, and where the names leave several choices.
        """
        *given, selector = (names,) if isinstance(names, str) else names
        labels = {"scenario": [s.name for s in self.scenarios]}
        labels |= {what: list(dict.fromkeys(getattr(c, what) for c in self.rows)) for what in ("model", "aggregator")}
        wanted: dict[str, str] = {}
        for name in given:
            what = next((w for w, known in labels.items() if name in known and w not in wanted), None)
            if what is None:
                raise unknown(
                    "scenario, model or aggregator", name, [known for names in labels.values() for known in names]
                )
            wanted[what] = name
        return self.choice(selector, **wanted)

    def choice(
        self,
        selector: str,
        *,
        scenario: str | None = None,
        model: str | None = None,
        aggregator: str | None = None,
    ) -> Choice:
        """Return one choice; without model and aggregator, that over the pool."""
        pooled = model is None and aggregator is None
        wanted = {"scenario": scenario, "model": model, "aggregator": aggregator}
        choices = [c for c in (self.recommended if pooled else self.rows) if c.selector == selector]
        if not choices:
            raise unknown("selector", selector, {c.selector for c in self.rows})
        for what, name in wanted.items():
            if name is not None and not (pooled and what != "scenario"):
                known = {getattr(c, what) for c in choices}
                choices = [c for c in choices if getattr(c, what) == name]
                if not choices:
                    raise unknown(what, name, known)
        if len(choices) > 1:
            open_ones = [w for w in wanted if wanted[w] is None and len({getattr(c, w) for c in choices}) > 1]
            raise MooInferError(
                f"{selector!r} has {len(choices)} choices here; name the {' and the '.join(open_ones)} as well"
            )
        return choices[0]

    def to_dict(self, command: str | None = None) -> dict[str, Any]:
        """Return the JSON form (schema 1).

        Args:
            command: the command line that made the report, or None.
        """
        estimator: dict[str, Any] = {"name": self.estimator.name}
        if self.estimator.name != "exact":
            estimator |= {"trials": self.estimator.trials, "seed": self.estimator.seed}
        return {
            "schema": SCHEMA,
            "command": command,
            "estimator": estimator,
            "simulation": {"trials": self.estimator.trials, "seed": self.estimator.seed} if self._simulated else None,
            "scenarios": [
                {
                    "name": s.name,
                    "limits": [_limit(limit) for limit in s.limits],
                    "scales": self.candidates.feasible(s.limits).scales,
                }
                for s in self.scenarios
            ],
            "rows": [choice.to_dict() | self._stability_of(choice, pooled=False) for choice in self.rows],
            "recommended": [choice.to_dict() | self._stability_of(choice, pooled=True) for choice in self.recommended],
        }

    def _stability_of(self, choice: Choice, *, pooled: bool) -> dict[str, Any]:
        return {"stability": self.stable.to_dict(_key(choice, pooled=pooled)) if self.stable else None}

    def to_json(self, command: str | None = None) -> str:
        """Return the JSON text; NaN never occurs in it."""
        return json.dumps(self.to_dict(command), indent=2, allow_nan=False)

    def to_text(self, *, details: bool = False) -> str:
        """Return the text for people, 80 columns wide: the headline, then a table per scenario.

        Args:
            details: every figure of every choice instead of the k alone.
        """
        blocks: list[RenderableType] = [self._headline(s) for s in self.scenarios]
        for scenario in self.scenarios:
            blocks += ["", *(_details(self, scenario) if details else _compact(self, scenario))]
        blocks += self._notes()
        return render(*blocks)

    def __str__(self) -> str:
        return self.to_text()

    def _headline(self, scenario: Scenario) -> str:
        choice = self.choice(self.headline, scenario=scenario.name)
        if choice.row is None:
            return f"{scenario.name}: no recommendation: {choice.reason}."
        means = zip(self.candidates.objectives, self.candidates.means[choice.row], strict=True)
        figures = ", ".join(f"{o.name} {mean:.4g} {o.unit}".rstrip() for o, mean in means)
        models, aggregators = (len(set(names)) for names in zip(*self.candidates.labels, strict=True))
        pool = [f"{n} {what}" for n, what in ((models, "models"), (aggregators, "aggregators")) if n > 1]
        among = f" among {' x '.join(pool)}" if pool else ""
        return (
            f"{scenario.name}: use {choice.model} with k = {choice.k} samples, {choice.aggregator} "
            f"({choice.parallelism} at a time): {figures} on average"
            f" (the {self.headline} choice{among})."
        )

    def _notes(self) -> list[str]:
        notes = []
        for scenario in self.scenarios:
            limited = {limit.objective for limit in scenario.limits}
            free = [o for o in self.candidates.objectives if o.scale is None and o.name not in limited]
            scales = self.candidates.feasible(scenario.limits).scales
            listed = ", ".join(f"{o.name} by {scales[o.name]:.4g} {o.unit}".rstrip() for o in free)
            if free:
                notes.append(f"{scenario.name}: scaled by the largest mean, for want of a limit: {listed}.")
        if len(set(self.candidates.labels)) > len({model for model, _ in self.candidates.labels}):
            notes.append("Accuracy means what each aggregator makes of it; compare aggregators only where that agrees.")
        if self.estimator.name != "exact":
            notes.append(f"Simulated with {self.estimator.trials} trials, seed {self.estimator.seed}.")
        elif any(
            f"{limit.objective}.low" in self._simulated
            for s in self.scenarios
            for limit in s.limits
            if limit.statistic != "mean"
        ):
            notes.append(
                f"Limited quantiles are simulated, {self.estimator.trials} trials, seed {self.estimator.seed}."
            )
        return ["", *notes] if notes else []

    @property
    def _simulated(self) -> set[str]:
        """What comes from simulation anywhere in the table, as ``objective.statistic``."""
        return {
            f"{name}.{statistic}"
            for estimate in self.candidates.estimates
            for name, column in estimate.columns.items()
            for statistic in column.simulated
        }


def render(*blocks: "RenderableType") -> str:
    """Render blocks of text and tables, 80 columns wide, without colour or trailing blanks."""
    from rich.console import Console

    console = Console(file=io.StringIO(), width=WIDTH, color_system=None, highlight=False, markup=False, emoji=False)
    for block in blocks:
        console.print(block)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]  # the StringIO from above
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def _key(choice: Choice, *, pooled: bool) -> Key:
    if pooled:
        return choice.scenario, choice.selector, None, None
    return choice.scenario, choice.selector, choice.model, choice.aggregator


def _or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _limit(limit: Limit) -> dict[str, Any]:
    return {"objective": limit.objective, "statistic": limit.statistic, "worst": float(limit.worst)}


def _title(scenario: Scenario, candidates: Candidates) -> str:
    units = {o.name: o.unit for o in candidates.objectives}
    limits = ", ".join(f"{limit} {units.get(limit.objective, '')}".rstrip() for limit in scenario.limits)
    return f"{scenario.name}: k within {limits}" if limits else f"{scenario.name}: k without limits"


def _compact(report: Report, scenario: Scenario) -> "list[RenderableType]":
    """Models down, selectors across, k in the cells; what is marked or missing stands below."""
    from rich import box
    from rich.table import Table

    choices = [c for c in report.rows if c.scenario == scenario.name]
    pooled = [c for c in report.recommended if c.scenario == scenario.name]
    selectors = list(dict.fromkeys(c.selector for c in choices))
    several = len({c.aggregator for c in choices}) > 1
    blocks: list[RenderableType] = [_title(scenario, report.candidates)]
    for start in range(0, len(selectors), SELECTORS_ABREAST):
        abreast = selectors[start : start + SELECTORS_ABREAST]
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
        table.add_column("model", overflow="fold")
        if several:
            table.add_column("aggregator", overflow="fold")
        for selector in abreast:
            table.add_column(selector, justify="right", overflow="fold")
        for model, aggregator in report.candidates.labels:
            cells = {c.selector: _cell(c) for c in choices if (c.model, c.aggregator) == (model, aggregator)}
            label = [model, aggregator] if several else [model]
            table.add_row(*label, *(cells[selector] for selector in abreast))
        blocks.append(table)
    if len(report.candidates.labels) > 1:
        named = [f"{c.selector}: {c.model}{f' {c.aggregator}' * several} k = {_cell(c)}" for c in pooled if c.k]
        if named:
            blocks.append(f"Over all: {'; '.join(named)}.")
    return blocks + _footnotes([*choices, *(pooled if len(report.candidates.labels) > 1 else [])])


def _cell(choice: Choice) -> str:
    return "-" if choice.k is None else f"{choice.k}{'*' * bool(choice.remarks)}"


def _footnotes(choices: Sequence[Choice]) -> "list[RenderableType]":
    """Remarks and reasons, each once; the figures in parentheses are left to the details."""
    remarks: dict[tuple[str, str], int] = {}
    reasons: dict[tuple[str, str], list[str]] = {}
    for choice in choices:
        for remark in choice.remarks:
            key = (choice.selector, remark.split(" (")[0])
            remarks[key] = remarks.get(key, 0) + 1
        if choice.k is None:
            who = choice.model or "over all"
            reasons.setdefault((who, choice.reason), []).append(choice.selector)
    notes = [f"* {selector}: {remark} ({count} cells)." for (selector, remark), count in remarks.items()]
    for (who, reason), selectors in reasons.items():
        every = len(set(selectors)) == len({c.selector for c in choices}) > 1
        notes.append(f"- {who}: {reason if every else f'{_and(selectors)}: {reason}'}.")
    return list(notes)


def _and(names: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(names))


def _details(report: Report, scenario: Scenario) -> "list[RenderableType]":
    """Every figure: mean and standard deviation, 95 % range over trials, and the mean per inference."""
    from rich import box
    from rich.table import Table

    groups = {
        f"{model}, {aggregator}": [
            c for c in report.rows if (c.scenario, c.model, c.aggregator) == (scenario.name, model, aggregator)
        ]
        for model, aggregator in report.candidates.labels
    }
    if len(groups) > 1:
        groups["over all"] = [c for c in report.recommended if c.scenario == scenario.name]
    blocks: list[RenderableType] = [_title(scenario, report.candidates)]
    for label, group in groups.items():
        table = Table(box=box.SIMPLE_HEAD, title=label, title_justify="left", pad_edge=False, padding=(0, 1))
        table.add_column("selector", overflow="fold")
        table.add_column("k", justify="right")
        for o in report.candidates.objectives:
            table.add_column(f"{o.name} {o.unit}".strip(), justify="right", overflow="fold")
        chosen = [choice for choice in group if choice.figures]
        for choice in chosen:
            whose = "\n".join(filter(None, (choice.selector, choice.model, choice.aggregator)))
            name = whose if label == "over all" else choice.selector
            cells = [_figures(choice, o.name) for o in report.candidates.objectives]
            table.add_row(name, _cell(choice), *cells)
        blocks += ["", table] if chosen else ["", label]
        reasons: dict[str, list[str]] = {}
        for choice in group:
            blocks += [f"* {choice.selector}: {warning}." for warning in choice.warnings]
            if choice.row is None:
                reasons.setdefault(choice.reason, []).append(choice.selector)
        blocks += [f"- {_and(selectors)}: {reason}." for reason, selectors in reasons.items()]
    legend = "Each cell: mean ± standard deviation over trials, [2.5 %, 97.5 %], mean per inference"
    simulated = any(c.figures and c.figures.simulated for group in groups.values() for c in group)
    return [*blocks, "", f"{legend}{'; ~ simulated' * simulated}."]


def _figures(choice: Choice, objective: str) -> str:
    assert choice.figures is not None
    s = choice.figures.objectives[objective]

    def number(statistic: str) -> str:
        value = float(getattr(s, statistic))
        tilde = "~" * (f"{objective}.{statistic}" in choice.figures.simulated)  # type: ignore[union-attr]  # checked above
        return f"{tilde}{value:.4g}" if math.isfinite(value) else "?"

    lines = [f"{number('mean')} ± {number('std')}", f"[{number('low')}, {number('high')}]"]
    if choice.candidates.objectives[choice.candidates.index(objective)].scale is None:
        lines.append(f"{s.mean / choice.figures.k:.4g} each")
    return "\n".join(lines)
