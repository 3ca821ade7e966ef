"""A report as a polars frame."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ..core.objectives import quantile_of
from ..decide.mixed import MixedChoice
from ..estimate.curves import STATISTICS
from .answer import answer

if TYPE_CHECKING:
    import polars

    from ..decide.choices import Choice
    from .report import Report

__all__ = ["choices_frame"]

FIRST = ("scenario", "answer", "recommended", "selector", "model", "aggregator", "k")
TEXTS = ("scenario", "selector", "model", "aggregator", "reason", "remarks", "policy", "mixture")


def choices_frame(report: "Report") -> "polars.DataFrame":
    """Return a row a choice, with its figures; see `Report.to_frame`."""
    import polars as pl

    quantiles = [limit.statistic for s in report.scenarios for limit in s.limits if limit.statistic != "mean"]
    statistics = (*STATISTICS, *dict.fromkeys(quantiles))
    figures = report.candidates.to_frame(statistics).drop("model", "aggregator")
    answers = {outcome.scenario.name: answer(report, outcome) for outcome in report.outcomes}
    asked = [*report.rows, *report.recommended]
    further = [choice for choice in answers.values() if not any(choice is other for other in asked)]
    choices = pl.DataFrame(
        [_cells(report, choice, answers[choice.scenario]) for choice in (*asked, *further)],
        schema_overrides={"row": pl.Int64}
        | dict.fromkeys(("stability", "calls", "waves"), pl.Float64)
        | dict.fromkeys(TEXTS, pl.String),
        infer_schema_length=None,
    ).fill_nan(None)
    frame = choices.join(figures, on="row", how="left", maintain_order="left")
    if mixed := [dict(_figures(choice, statistics)) for choice in further if isinstance(choice, MixedChoice)]:
        theirs = pl.DataFrame(mixed, schema={name: figures.schema[name] for name in figures.columns if name != "row"})
        those = pl.concat([frame.tail(len(mixed)).select(choices.columns), theirs.fill_nan(None)], how="horizontal")
        frame = pl.concat([frame.head(-len(mixed)), those])
    return frame.select(*FIRST, pl.exclude(FIRST))


def _cells(report: "Report", choice: "Choice", opens: "Choice") -> dict[str, Any]:
    shares = report.shares(choice)
    parts = choice.parts if isinstance(choice, MixedChoice) else ()
    return {
        "scenario": choice.scenario,
        "answer": choice is opens,
        "recommended": choice.pooled,
        "selector": choice.selector,
        "model": choice.model,
        "aggregator": choice.aggregator,
        "row": choice.row,
        "reason": choice.reason or None,
        "remarks": "; ".join(choice.warnings) or None,
        "stability": sum(s.share for s in shares if s.row == choice.row) if shares else None,
        "policy": choice.course and choice.course.policy,
        "calls": choice.course and choice.course.calls[0],
        "waves": choice.course and choice.course.waves[0],
        "mixture": "; ".join(f"{w!r} of {c.model}, {c.aggregator}, k = {c.k}" for c, w in parts) or None,
    } | {f"per_right.{name}": value for name, value in (report.per_right(choice) or {}).items()}


def _figures(choice: MixedChoice, statistics: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """What `Candidates.to_frame` has of a row, of a mixture of rows; nothing where there is none."""
    row = choice.figures
    if row is None:
        return
    yield from (("k", row.k), ("parallelism", choice.parallelism))
    for name, of in row.objectives.items():
        for statistic in statistics:
            own = statistic in STATISTICS
            yield f"{name}.{statistic}", getattr(of, statistic) if own else of.quantile(quantile_of(statistic))
    yield "simulated", ", ".join(row.simulated)
    yield "extrapolated", any(choice.candidates.extrapolated(c.row) for c, _ in choice.parts if c.row is not None)
