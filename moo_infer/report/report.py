"""Report: the choices of a run, as objects, text, JSON, frames and a page."""

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from ..core.arguments import typed_methods
from ..core.errors import MooInferError, unknown
from ..core.parts import AtLeastZero, at_least_one
from ..decide.candidates import Candidates
from ..decide.choices import Choice
from ..decide.redrawn import ChosenRows, DrawnChoices
from ..decide.stability import ChoiceShare, DrawSource, Stability, of_draws, resample, tally
from ..decide.volume import Volume
from ..interfaces import AccuracyAggregator, Selector
from ..profiles import ModelProfile, Scenario
from .answer import notebook
from .by_label import blocks as of_label
from .facts import Outcome, shortest_names
from .frames import choices_frame
from .json import document
from .per_right import MeanTokens, per_right
from .text import WIDTH, write
from .wording import NOTHING_UNCERTAIN, notes

if TYPE_CHECKING:
    import polars

    from ..estimate.exact import Questions
    from ..estimate.monte_carlo import Estimator
    from .by_label import LabelDecision

__all__ = ["Report"]


@typed_methods("outcome", "stability", "choice", "to_json", "to_text", "to_html")
@dataclass(frozen=True)
class Report:
    """The choices of a run.

    Args:
        candidates: the whole table, before limits.
        outcomes: what was found in each scenario, in order.
        estimator: what filled the table.
        headline: the selector whose pooled choice opens the text.
        selectors: who chose.
        by_selector: whether the tables show what each of them chose, because they were named.
        goal_named: whether the one that opens the text is among those that were asked for.
        questions: of logs, had they been made again: ``other`` ones, or the ``same``.
        redraw: gives tables for B draws of uncertain parameters and a seed, or None where no parameter is uncertain.
        stable: how sure the choices are, or None where that was not asked for.
        profiles: the models, as they were given.
        aggregators: how answers were combined.
        volume: of queries over the life, over which what is paid once is spread; None where it is not.
        by: decisions by a label of the questions, beside these for all; None where that was not asked for.

    >>> from moo_infer import Pipeline
    >>> report = Pipeline(selectors=["utopia", "knee-chord"]).run(["gpt-5", "gpt-5-nano"], "essay-feedback")
    >>> report["utopia"].model, report["gpt-5", "knee-chord"].k
    ('gpt-5-nano', 8)
    >>> report["knee-chord"].reason
    'needs one model under one aggregator, and here are 2'
    """

    candidates: Candidates = field(repr=False)
    outcomes: tuple[Outcome, ...]
    estimator: "Estimator"
    headline: str
    selectors: tuple[Selector, ...] = field(default=(), repr=False)
    by_selector: bool = False
    goal_named: bool = True
    redraw: Callable[[int, int], Iterator[Candidates]] | None = field(default=None, repr=False)
    questions: "Questions" = "other"
    stable: Stability | None = field(default=None, repr=False)
    profiles: tuple[ModelProfile, ...] = field(default=(), repr=False)
    aggregators: tuple[AccuracyAggregator, ...] = field(default=(), repr=False)
    volume: Volume | None = None
    by: "LabelDecision | None" = field(default=None, repr=False)

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """The scenarios, in order."""
        return tuple(outcome.scenario for outcome in self.outcomes)

    @property
    def rows(self) -> tuple[Choice, ...]:
        """A choice per scenario, model, aggregator and selector that was asked for."""
        return tuple(c for outcome in self.outcomes for c in outcome.of_curves if c.selector in self.asked)

    @property
    def recommended(self) -> tuple[Choice, ...]:
        """A choice per scenario and selector that was asked for, over all models and aggregators."""
        return tuple(c for outcome in self.outcomes for c in outcome.pooled if c.selector in self.asked)

    @property
    def asked(self) -> tuple[str, ...]:
        """The selectors that were asked for; the one that opens the report is among them where it was named."""
        return tuple(s.name for s in self.selectors if self.goal_named or s.name != self.headline)

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each model is among the profiles, by its name."""
        return {profile.name: place for place, profile in enumerate(self.profiles)}

    @property
    def confidence(self) -> float | None:
        """In which share of the draws limits have to hold, or None where the given values alone count."""
        return next((outcome.sure.confidence for outcome in self.outcomes if outcome.sure), None)

    def outcome(self, scenario: str | None = None) -> Outcome:
        """Return the results of a scenario; its name may be left out where there is one."""
        outcomes = {outcome.scenario.name: outcome for outcome in self.outcomes}
        if scenario is None and len(outcomes) > 1:
            raise MooInferError(f"the report holds {len(outcomes)} scenarios; name one of them: {', '.join(outcomes)}")
        if scenario is not None and scenario not in outcomes:
            raise unknown("scenario", scenario, outcomes)
        return self.outcomes[0] if scenario is None else outcomes[scenario]

    def stability(
        self,
        B: int = 1000,
        seed: AtLeastZero = 0,
        source: DrawSource | None = None,
        progress: Callable[[int, int, str], None] | None = None,
        *,
        over_all: bool = False,
    ) -> Stability | None:
        """Count how often each row is chosen over B draws of uncertain parameters, log questions, or simulated trials.

        Args:
            B: number of draws, >= 1.
            seed: of the draws.
            source: ``parameters`` (uncertain numbers of the profiles) or ``simulation`` (a bootstrap of the trials);
                None for the first of them that there is.
            progress: told (done, total, what) before every draw.
            over_all: of the choices over all models alone, which is faster where there are many.

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
        there: list[DrawSource] = ["parameters"] if self.redraw else []
        if any("mean" in c.simulated for curve in self.candidates.curves for c in curve.columns.values()):
            there.append("simulation")
        if source is not None and source not in there:
            raise unknown("source of uncertainty", source, there)
        chosen = source or next(iter(there), None)
        if chosen is None:
            return None
        asked = tuple((outcome.scenario, outcome.sure) for outcome in self.outcomes)
        rows = {c.row for outcome in self.outcomes for c in (*outcome.of_curves, *outcome.pooled)}
        kept = tuple(sorted(row for row in rows if row is not None))
        look = DrawnChoices(asked, self.selectors, kept, curves=not over_all)
        redraw = self.redraw if chosen == "parameters" and self.redraw else partial(resample, self.candidates)

        def choices() -> Iterator[ChosenRows]:
            for done, of_draw in enumerate(of_draws(redraw, look, B, seed)):
                if progress:
                    progress(done, B, "how sure")
                yield of_draw

        met = {outcome.scenario.name: self.candidates.met(outcome.scenario.limits) for outcome in self.outcomes}
        return tally(choices(), self.candidates, chosen, met, kept)

    def with_stability(
        self,
        B: int = 1000,
        seed: AtLeastZero = 0,
        source: DrawSource | None = None,
        progress: Callable[[int, int, str], None] | None = None,
        *,
        over_all: bool = False,
    ) -> "Report":
        """Return the report with a column that says how sure each choice is; see `stability`.

        Warns:
            UserWarning: where nothing is uncertain.
        """
        stable = self.stability(B, seed, source, progress, over_all=over_all)
        if stable is None:
            warnings.warn(NOTHING_UNCERTAIN, stacklevel=2)
        return replace(self, stable=stable)

    def __getitem__(self, names: str | tuple[str, ...]) -> Choice:
        """Return one choice: ``[selector]`` over the pool, ``[model, selector]`` of one model.

        With several scenarios or aggregators name them too, in any order before the selector.

        Raises:
            MooInferError: for a name that does not occur, and where the names leave several choices.
        """
        *others, selector = names or ("",) if isinstance(names, tuple) else (names,)
        labels = {"scenario": [s.name for s in self.scenarios]}
        labels |= {kind: list(dict.fromkeys(getattr(c, kind) for c in self.rows)) for kind in ("model", "aggregator")}
        wanted: dict[str, str] = {}
        for name in others:
            kind = next((w for w, options in labels.items() if name in options and w not in wanted), None)
            if kind is None:
                raise unknown(
                    "scenario, model or aggregator", name, [options for names in labels.values() for options in names]
                )
            wanted[kind] = name
        return self.choice(selector, **wanted)

    def _ipython_key_completions_(self) -> list[str | tuple[str, ...]]:
        """The shortest names of every choice, for the completion of ``report[`` in IPython and notebooks."""
        return shortest_names(self)

    def choice(
        self,
        selector: str,
        *,
        scenario: str | None = None,
        model: str | None = None,
        aggregator: str | None = None,
    ) -> Choice:
        """Return one choice; without model and aggregator, that over the pool."""
        pooled = model is aggregator is None
        wanted = {"scenario": scenario, "model": model, "aggregator": aggregator}
        there = [c for outcome in self.outcomes for c in (outcome.over_all if pooled else outcome.of_curves)]
        choices = [c for c in there if c.selector == selector]
        if not choices:
            raise unknown("selector", selector, {c.selector for c in there})
        for kind, name in wanted.items():
            options = {getattr(c, kind) for c in choices}
            if name is not None and name not in options:
                raise unknown(kind, name, options)
            choices = [c for c in choices if name in (None, getattr(c, kind))]
        if len(choices) > 1:
            asked = ["scenario"] if pooled else [kind for kind, name in wanted.items() if name is None]
            open_ones = [kind for kind in asked if len({getattr(c, kind) for c in choices}) > 1]
            raise MooInferError(
                f"{selector!r} has {len(choices)} choices here; name the {' and the '.join(open_ones)} as well"
            )
        return choices[0]

    def to_dict(self, command: str | None = None, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the JSON form (schema 1); `command` made the report, `config` repeats it as a file has it."""
        return document(self, command, config)

    def to_frame(self) -> "polars.DataFrame":
        """Return a polars frame, a row a choice; what is unknown is null.

        Columns are ``scenario``; ``answer``, whether the choice opens the report; ``recommended``, whether it is over
        all models and aggregators; ``selector``, ``model``, ``aggregator``, ``k``; ``row`` of the candidates;
        ``reason`` why there is none; ``remarks``; ``stability``, the share of draws in which the same row was chosen;
        ``mixture``, shares and rows of one; ``per_right.cost`` and its like; and what `Candidates.to_frame` has, with
        every quantile that is limited. An answer that no named selector chose stands at the end.

        >>> from moo_infer import Pipeline
        >>> frame = Pipeline(selectors="utopia").run(["gpt-5", "gpt-5-nano"], "essay-feedback").to_frame()
        >>> frame.filter("recommended").select("selector", "model", "k").rows()
        [('utopia', 'gpt-5-nano', 4)]
        """
        return choices_frame(self)

    def per_right(self, choice: Choice) -> dict[str, float] | None:
        """Return the consumption per right answer of a choice, by objective and in ``tokens``; None without a choice.

        It is the mean of the inferences over the mean accuracy, a ratio of means; NaN where it is not known, as the
        tokens of a policy are not.

        >>> from moo_infer import Pipeline
        >>> report = Pipeline(selectors="utopia").run("gpt-5", "essay-feedback")
        >>> {name: round(value, 4) for name, value in report.per_right(report["utopia"]).items()}
        {'cost': 0.0906, 'latency': 11.1935, 'tokens': 12792.5781}
        """
        if choice.k is None or choice.model is None:
            return None
        return per_right(choice, self.tokens)

    @cached_property
    def tokens(self) -> dict[str, MeanTokens]:
        """Mean tokens of every model that is chosen, at every k it is chosen with."""
        mixed = [part for outcome in self.outcomes if outcome.mixture for part, _ in outcome.mixture.parts]
        choices = [*mixed, *(c for outcome in self.outcomes for c in (*outcome.of_curves, *outcome.pooled))]
        chosen: dict[str, set[int]] = {}
        for choice in choices:
            if choice.k is not None and choice.course is None:
                chosen.setdefault(str(choice.model), set()).add(choice.k)
        trials, seed = self.estimator.trials, self.estimator.seed
        return {p.name: MeanTokens(p, k, trials, seed) for p in self.profiles if (k := chosen.get(p.name))}

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What holds for all choices: remarks of the parts, scales, draws, and what is simulated with which seed."""
        return tuple(notes(self))

    def shares(self, choice: Choice) -> tuple[ChoiceShare, ...]:
        """Return how often each row was chosen in the place of a choice; empty where that was not asked for."""
        return self.stable.shares.get(choice.key, ()) if self.stable else ()

    def drawn(self, choice: Choice, objective: str) -> tuple[float, float] | None:
        """Return where the mean of a choice is in 95 % of the draws of `stable`; None where nothing was drawn."""
        ends = self.stable.means.get(choice.row) if self.stable and choice.row is not None else None
        return None if ends is None else ends[self.candidates.index(objective)]

    def to_json(self, command: str | None = None, config: Mapping[str, Any] | None = None) -> str:
        """Return the JSON text, see `to_dict`; NaN never occurs in it."""
        return json.dumps(self.to_dict(command, config), indent=2, allow_nan=False)

    def to_text(self, *, details: bool = False, by_selector: bool | None = None, width: int = WIDTH) -> str:
        """Return the text for people: the headline, then a table per scenario.

        Args:
            details: every figure of every choice, in place of the contenders.
            by_selector: the k of every model and selector, as in the paper, in place of the contenders; None for what
                `by_selector` of the report says, and for False with `details`.
            width: of a line, in characters.
        """
        of_each = self.by_selector and not details if by_selector is None else by_selector
        return write(self, details=details, by_selector=of_each, width=width)

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
        return notebook(self, of_label(self))

    @property
    def simulated(self) -> set[str]:
        """The simulated statistics of the table, as ``objective.statistic``."""
        columns = [item for curve in self.candidates.curves for item in curve.columns.items()]
        return {f"{name}.{statistic}" for name, column in columns for statistic in column.simulated}
