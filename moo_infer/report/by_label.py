"""Decisions by a label of the questions, such as their task, beside the one for all; as facts, text and JSON."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import MissingColumn, MooInferError, NothingPossible, unknown
from ..core.objectives import ACCURACY
from ..decide.candidates import Candidates
from ..decide.choices import Choice, decide
from ..decide.label_gain import LabelGain, LabelRedraw, ObjectiveGain, SomeQuestions, label_gain
from ..decide.mixed import choose_mixture
from ..decide.stability import Redraw
from ..decide.volume import fixed_costs
from ..profiles import ModelProfile
from ..quantities.bootstrap import FEW
from ..quantities.labels import label_named, several_tasks
from ..quantities.samples import Samples
from .answer import answer
from .json import row
from .mixed import percent
from .wording import Block, Cell, TextTable

if TYPE_CHECKING:
    import polars

    from .report import Report

__all__ = ["LabelDecision", "LabelValue", "blocks", "decided_by", "document"]

MOST = 20  # values that are shown
Run = Callable[..., "Report"]  # of profiles, and of a scenario by the name `scenarios`


@dataclass(frozen=True)
class LabelValue:
    """The decision for the questions with one value of a label.

    Args:
        value: of the label.
        questions: how many have it.
        weight: their share of all that have a value.
        report: of these questions alone; None where nothing can be decided.
        reason: why that is so; else "".
    """

    value: str
    questions: int
    weight: float
    report: "Report | None" = field(repr=False)
    reason: str = ""

    @property
    def choice(self) -> Choice | None:
        """What opens its report."""
        return None if self.report is None else answer(self.report, self.report.outcomes[0])


@dataclass(frozen=True)
class LabelDecision:
    """Decisions by a label, and what they buy over one decision for all.

    Args:
        label: its name.
        values: a decision each, in the order of the log.
        gain: cross-fitted; None where nothing can be said of it.
        notes: what to know, in words.
    """

    label: str
    values: tuple[LabelValue, ...]
    gain: LabelGain | None
    notes: tuple[str, ...] = ()

    def __getitem__(self, value: str) -> LabelValue:
        for of in self.values:
            if of.value == value:
                return of
        raise unknown(self.label, value, [of.value for of in self.values])

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return document(self)

    def to_frame(self) -> "polars.DataFrame":
        """Return a polars frame, a row a value: ``value``, ``questions``, ``weight``, and the figures of its choice."""
        import polars

        rows = []
        for of in self.values:
            choice = of.choice
            figures = choice.figures.objectives if choice and choice.figures else {}
            about = {name: getattr(choice, name, None) for name in ("model", "aggregator", "k")}
            means = {f"{name}.mean": figure.mean for name, figure in figures.items()}
            rows.append({"value": of.value, "questions": of.questions, "weight": of.weight} | about | means)
        return polars.DataFrame(rows, infer_schema_length=None)


def decided_by(label: str, report: "Report", run: Run) -> LabelDecision:
    """Decide for the questions of every value of a label, under the same limits as for all.

    Args:
        label: its name.
        report: of all questions, in one scenario.
        run: decides for some profiles in some scenarios.

    Raises:
        MooInferError: for models without a log, an unknown label, several scenarios, and what is paid once spread over
            a volume.
    """
    if without := [profile.name for profile in report.profiles if profile.queries.samples is None]:
        raise MooInferError(f"by {label}: needs the log of every model (empirical), and {', '.join(without)} has none")
    if len(report.outcomes) > 1:
        names = ", ".join(outcome.scenario.name for outcome in report.outcomes)
        raise MooInferError(f"by {label}: is decided in one scenario, give one --scenario of {names}")
    if report.volume is not None and fixed_costs(report.profiles):
        raise MooInferError(f"by {label}: several models each pay what is paid once, so that it takes no volume")
    logs = [log for profile in report.profiles if (log := profile.queries.samples) is not None]
    value_of, about = _values(logs, label_named(logs, label))
    scenario = report.outcomes[0].scenario
    whole = len(value_of)
    values = []
    for value in dict.fromkeys(value_of.values()):
        asked = [question for question, of in value_of.items() if of == value]
        found, reason = _of_value(report.profiles, {*asked}, partial(run, scenarios=scenario))
        values.append((LabelValue(value, len(asked), len(asked) / whole, found, reason), asked))
    redraws = [LabelRedraw(asked, _halves(of.report)) for of, asked in values]
    whole_halves = _halves(report)
    gain = whole_halves and label_gain(whole_halves, redraws, partial(_choose, report), report.estimator.seed)
    return LabelDecision(label, tuple(of for of, _ in values), gain or None, tuple(about))


def _values(logs: Sequence[Samples], label: str) -> tuple[dict[str, str], list[str]]:
    """The value of every question that has one, and remarks on the others."""
    found: dict[str, str] = {}
    differ: set[str] = set()
    every = dict.fromkeys(question for log in logs for question in log.questions)
    for log in logs:
        for question, value in zip(log.questions, log.labels.get(label, ()), strict=False):
            if value and found.setdefault(question, value) != value:
                differ.add(question)
    known = {question: found[question] for question in every if question in found and question not in differ}
    about = several_tasks(logs, label)
    if left := len(every) - len(known):
        about.append(f"{left} of {len(every)} questions have no {label}, or several: the choice for all serves them")
    return known, about


def _of_value(
    profiles: Sequence[ModelProfile], questions: set[str], run: "Callable[..., Report]"
) -> "tuple[Report | None, str]":
    """Decide for some questions, among the models that answered some of them; or say why nothing can be decided."""
    some = []
    for profile in profiles:
        log = profile.queries.samples
        assert log is not None
        kept = np.array([question in questions for question in log.questions])[log.question]
        if kept.any():
            some.append(replace(profile, inference=SomeQuestions(profile.inference, log.where(kept))))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what is left out is said of all questions
        try:
            return run(some), ""
        except (NothingPossible, MissingColumn) as error:
            return None, str(error)


def _halves(report: "Report | None") -> Any:
    return report.redraw.halves if report and isinstance(report.redraw, Redraw) else None


def _choose(report: "Report", table: Candidates) -> Choice:
    """What opens a report on another table."""
    outcome = report.outcomes[0]
    if outcome.mixture is not None:
        return choose_mixture(table, outcome.scenario)
    goal = next(selector for selector in report.selectors if selector.name == report.headline)
    return decide(table, outcome.scenario, [goal], explain=False, curves=False)[2][0]


def document(found: LabelDecision) -> dict[str, Any]:
    """Return the JSON form: by value the keys of a row, and the gain."""
    values = []
    for of in found.values:
        about = {"value": of.value, "questions": of.questions, "weight": of.weight}
        if of.report is None or of.choice is None:
            empty = dict.fromkeys(("model", "aggregator", "selector", "k", "parallelism", "objectives"))
            values.append(about | empty | {"simulated": [], "warnings": [], "reason": of.reason})
        else:
            values.append(about | row(of.report, of.report.outcomes[0], of.choice))
    gain = found.gain and found.gain.to_dict()
    return {"label": found.label, "values": values, "gain": gain, "verdict": verdict(found), "notes": list(found.notes)}


def blocks(report: "Report") -> list[Block]:
    """Return what people read of the decisions by label; nothing without them."""
    found = report.by
    if found is None:
        return []
    most = sorted(found.values, key=lambda of: -of.questions)[:MOST]
    whole = answer(report, report.outcomes[0])
    rows: list[tuple[Cell, ...]] = [_cells(report, of.value, str(of.questions), of.choice) for of in most]
    rows.append(_cells(report, "one for all", str(sum(of.questions for of in found.values)), whole))
    others = [o for o in report.candidates.objectives if o != ACCURACY]
    header = (found.label, "questions", "model", "k", ACCURACY.name, *(f"{o.name} {o.unit}".strip() for o in others))
    said: list[Block] = ["", TextTable(header, tuple(rows), 1, f"By {found.label}:")]
    if left := len(found.values) - len(most):
        said.append(f"{left} more values of {found.label} are left out; --json has all.")
    said += [
        f"{found.label} {of.value}: no recommendation: {of.reason or (of.choice.reason if of.choice else '')}."
        for of in most
        if of.choice is None or not of.choice.parts
    ]
    limited = f"Limits hold for each {found.label} by itself. " * bool(report.outcomes[0].scenario.limits)
    return [*said, limited + verdict(found), *(f"{note[0].upper()}{note[1:]}." for note in found.notes)]


def _cells(report: "Report", value: str, questions: str, choice: Choice | None) -> tuple[Cell, ...]:
    """The figures of a choice."""
    figures = choice.figures.objectives if choice and choice.figures else None
    if choice is None or figures is None:
        return value, questions, "-", "-", *("-" for _ in report.candidates.objectives)
    several = len(report.candidates.aggregators) > 1
    models: Cell = (str(choice.model), str(choice.aggregator)) if several else str(choice.model)
    if len(choice.parts) > 1:
        models = tuple(f"{percent(weight)} {part.model}, {part.aggregator}" for part, weight in choice.parts)
    accuracy: Cell = f"{figures[ACCURACY.name].mean:.4g}"
    if interval := figures[ACCURACY.name].interval:
        accuracy = f"{figures[ACCURACY.name].mean:.3f}", f"[{interval[0]:.3f}, {interval[1]:.3f}]"
    others = [f"{figures[o.name].mean:.4g}" for o in report.candidates.objectives if o != ACCURACY]
    return value, questions, models, str(choice.k), accuracy, *others


def verdict(found: LabelDecision) -> str:
    """Say what deciding by label buys, and that it is noise where it is."""
    few = [of.value for of in found.values if of.questions < FEW]
    values = f" {len(few)} of {len(found.values)} values have fewer than {FEW} questions"
    doubt = f"{values}, and their choices are mostly chance." if few else ""
    ways = {tuple((c.model, c.aggregator, c.k) for c, _ in of.choice.parts) if of.choice else () for of in found.values}
    same = f" Every {found.label} takes the same row." if len(ways) == 1 and () not in ways else ""
    gain = found.gain
    if gain is None:
        return f"What deciding by {found.label} buys cannot be cross-fitted here.{same}{doubt}"
    figures = "; ".join(
        f"{name} {of.by_label:.4g} in place of {of.one:.4g} ({of.value:+.3g} [{of.low:+.3g}, {of.high:+.3g}])"
        for name, of in gain.objectives.items()
    )
    share = f" In {100 * gain.undecided:.0f} % of these halves a value had no row within the limits"
    undecided = f"{share}, and took the one for all." if gain.undecided else ""
    if left := sum(of.questions for of in found.values) - gain.questions:
        undecided += f" {left} questions could not be scored."
    return (
        f"Deciding by {found.label} in place of one choice for all, chosen on one half of the questions and scored on "
        f"the other: {figures}. {_worth(found.label, gain.objectives)}{undecided}{same}{doubt}"
    )


def _worth(label: str, objectives: Any) -> str:
    """Say which differences are told apart from none."""
    accuracy: ObjectiveGain = objectives[ACCURACY.name]
    apart = [name for name, of in objectives.items() if of.told_apart and name != ACCURACY.name]
    changes = [f"{'less' if objectives[name].value < 0 else 'more'} {name}" for name in apart]
    taken = f" That it takes {' and '.join(changes)} is told apart." if changes else ""
    if not accuracy.told_apart:
        enough = "" if changes else ": as far as this log tells one choice for all will do"
        return f"The difference in accuracy is not told apart from noise{enough}.{taken}"
    way = "buys" if accuracy.value > 0 else "loses"
    return f"It {way} {abs(100 * accuracy.value):.2f} points of accuracy, told apart at 95 %.{taken}"
