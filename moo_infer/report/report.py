"""Report: the choices of a run, as objects, text and JSON."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from ..core.errors import MooInferError, unknown
from ..core.objectives import Limit
from ..core.parts import at_least_one
from ..decide.candidates import Candidates
from ..decide.choices import Choice, Held, decide
from ..decide.infeasible import Relaxation, relaxations
from ..decide.stability import Key, Share, Source, Stability, resample, tally
from ..interfaces import AccuracyAggregator, Selector
from ..profiles import ModelProfile, Scenario
from .per_right import MeanTokens, per_right
from .text import write
from .wording import notebook, notes

if TYPE_CHECKING:
    from ..estimate.estimators import Estimator

__all__ = ["Report"]

SCHEMA = 1


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
        held: by scenario, how surely rows meet its limits, where a confidence was asked for.
        stable: how sure the choices are, or None where that was not asked for.
        profiles: the models, as they were given.
        aggregators: how answers were combined.

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
    held: Mapping[str, Held] | None = field(default=None, repr=False)
    stable: Stability | None = field(default=None, repr=False)
    profiles: tuple[ModelProfile, ...] = field(default=(), repr=False)
    aggregators: tuple[AccuracyAggregator, ...] = field(default=(), repr=False)

    def stability(
        self,
        B: int = 1000,
        seed: int = 0,
        source: Source | None = None,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> Stability | None:
        """Measure how often each row would have been chosen over B draws of what is uncertain.

        Args:
            B: number of draws, >= 1.
            seed: of the draws.
            source: ``parameters`` (uncertain numbers of the profiles) or ``simulation`` (a bootstrap of the trials);
                None for the first of them that there is.
            progress: told (done, total, what) before every draw.

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

        def choices() -> Iterator[list[tuple[Key, int | None]]]:
            for done, table in enumerate(redraw(B, seed)):
                if progress:
                    progress(done, B, "how sure")
                yield self._chosen(table)

        return tally(choices(), self.candidates, chosen)

    def with_stability(
        self,
        B: int = 1000,
        seed: int = 0,
        source: Source | None = None,
        progress: Callable[[int, int, str], None] | None = None,
    ) -> "Report":
        """Return the report with a column that says how sure each choice is; see `stability`."""
        return replace(self, stable=self.stability(B, seed, source, progress))

    def _chosen(self, table: Candidates) -> list[tuple[Key, int | None]]:
        rows, recommended = decide(table, self.scenarios, self.selectors, explain=False, held=self.held)
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
        simulated = bool(self.simulated) or any(tokens.simulated for tokens in self._tokens.values())
        return {
            "schema": SCHEMA,
            "command": command,
            "estimator": estimator,
            "simulation": {"trials": self.estimator.trials, "seed": self.estimator.seed} if simulated else None,
            "remarks": [
                {"model": e.model, "aggregator": e.aggregator, "remark": remark}
                for e in self.candidates.estimates
                for remark in e.remarks
            ],
            "notes": notes(self),
            "models": [
                {"name": p.name, "source": p.source, "largest_k": p.largest_k, "extrapolate_to": p.extrapolate_to}
                for p in self.profiles
            ],
            "scenarios": [
                {
                    "name": s.name,
                    "limits": [_limit(limit) for limit in s.limits],
                    "scales": self.candidates.feasible(s.limits).scales,
                    "loosened": [self._loosened(relaxation) for relaxation in self.relaxations(s)],
                }
                for s in self.scenarios
            ],
            "rows": [self._row(choice, pooled=False) for choice in self.rows],
            "recommended": [self._row(choice, pooled=True) for choice in self.recommended],
        }

    def _row(self, choice: Choice, *, pooled: bool) -> dict[str, Any]:
        """The JSON form of a choice, with its stability and the quantiles that are limited."""
        each = self.per_right(choice)
        found = choice.to_dict() | {
            "per_right": None if each is None else {n: v if math.isfinite(v) else None for n, v in each.items()},
            "stability": self.stable.to_dict(_key(choice, pooled=pooled)) if self.stable else None,
        }
        if choice.model in self._tokens and self._tokens[choice.model].simulated and each:
            found["simulated"].append("per_right.tokens")
        limits = next(s.limits for s in self.scenarios if s.name == choice.scenario)
        for limit in limits if choice.row is not None else ():
            if limit.statistic != "mean":
                value = self.candidates.column(limit.objective, limit.statistic)[choice.row]
                found["objectives"][limit.objective][limit.statistic] = float(value)
                if f"{limit.objective}.low" in found["simulated"]:
                    found["simulated"].append(f"{limit.objective}.{limit.statistic}")
        return found

    def per_right(self, choice: Choice) -> dict[str, float] | None:
        """Return what a right answer takes where a choice is followed, by objective and in ``tokens``; None without.

        It is the mean of the k inferences over the mean accuracy, a ratio of means; NaN where it is not known.

        >>> from moo_infer import Pipeline
        >>> report = Pipeline(selectors="utopia").run("gpt-5", "essay-feedback")
        >>> {name: round(value, 4) for name, value in report.per_right(report["utopia"]).items()}
        {'cost': 0.0906, 'latency': 11.1935, 'tokens': 12792.5781}
        """
        if choice.k is None or choice.model is None:
            return None
        tokens = self._tokens.get(choice.model)
        return per_right(choice, math.nan if tokens is None else tokens.of(choice.k))

    @cached_property
    def _tokens(self) -> dict[str, MeanTokens]:
        """Mean tokens of every model that is chosen, at every k it is chosen with."""
        chosen = {
            p.name: [c.k for c in (*self.rows, *self.recommended) if c.model == p.name and c.k is not None]
            for p in self.profiles
        }
        return {
            p.name: MeanTokens(p, chosen[p.name], self.estimator.trials, self.estimator.seed)
            for p in self.profiles
            if chosen[p.name]
        }

    def relaxations(self, scenario: Scenario) -> list[Relaxation]:
        """Return for each limit of a scenario what loosening it alone would do, over the whole table."""
        return relaxations(self.candidates, scenario.limits)

    def shares(self, choice: Choice, *, pooled: bool) -> tuple[Share, ...]:
        """Return how often each row was chosen in the place of a choice; empty where that was not asked for."""
        return self.stable.shares.get(_key(choice, pooled=pooled), ()) if self.stable else ()

    def _loosened(self, relaxation: Relaxation) -> dict[str, Any]:
        found: dict[str, Any] = _limit(relaxation.limit)
        if relaxation.row is None or relaxation.needs is None:
            return found | {"needs": None, "model": None, "aggregator": None, "k": None, "buys": {}}
        model, aggregator = self.candidates.label(relaxation.row)
        return found | {
            "needs": float(relaxation.needs.worst),
            "model": model,
            "aggregator": aggregator,
            "k": int(self.candidates.k[relaxation.row]),
            "buys": {name: {"now": now, "then": then} for name, (now, then) in relaxation.buys.items()},
        }

    def to_json(self, command: str | None = None) -> str:
        """Return the JSON text; NaN never occurs in it."""
        return json.dumps(self.to_dict(command), indent=2, allow_nan=False)

    def to_text(self, *, details: bool = False) -> str:
        """Return the text for people, 80 columns wide: the headline, then a table per scenario.

        Args:
            details: every figure of every choice instead of the k alone.
        """
        return write(self, details=details)

    def to_html(self, command: str | None = None) -> str:
        """Return a page to share: one HTML text with tables and pictures to turn, which loads nothing.

        Args:
            command: the command line that made the report, or None.

        Raises:
            MooInferError: where jinja2 or plotly is missing (extra ``html``).
        """
        from .html import page

        return page(self, command)

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        """The answer and the compact tables, for notebooks."""
        return notebook(self)

    @property
    def simulated(self) -> set[str]:
        """What comes from simulation anywhere in the table, as ``objective.statistic``."""
        return {
            f"{name}.{statistic}"
            for estimate in self.candidates.estimates
            for name, column in estimate.columns.items()
            for statistic in column.simulated
        }


def _key(choice: Choice, *, pooled: bool) -> Key:
    if pooled:
        return choice.scenario, choice.selector, None, None
    return choice.scenario, choice.selector, choice.model, choice.aggregator


def _limit(limit: Limit) -> dict[str, Any]:
    return {"objective": limit.objective, "statistic": limit.statistic, "worst": float(limit.worst)}
