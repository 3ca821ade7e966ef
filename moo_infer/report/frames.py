"""A report as a polars frame."""

from typing import TYPE_CHECKING, Any

from ..estimate.curves import STATISTICS

if TYPE_CHECKING:
    import polars

    from ..decide.choices import Choice
    from .report import Report

__all__ = ["choices_frame"]

FIRST = ("scenario", "recommended", "selector", "model", "aggregator", "k")


def choices_frame(report: "Report") -> "polars.DataFrame":
    """Return a row a choice, with its figures; see `Report.to_frame`."""
    import polars as pl

    quantiles = [limit.statistic for s in report.scenarios for limit in s.limits if limit.statistic != "mean"]
    figures = report.candidates.to_frame((*STATISTICS, *dict.fromkeys(quantiles))).drop("model", "aggregator")
    texts = ("scenario", "selector", "model", "aggregator", "reason", "remarks", "policy")
    choices = pl.DataFrame(
        [_cells(report, choice) for choice in (*report.rows, *report.recommended)],
        schema_overrides={"row": pl.Int64}
        | dict.fromkeys(("stability", "calls", "waves"), pl.Float64)
        | dict.fromkeys(texts, pl.String),
        infer_schema_length=None,
    ).fill_nan(None)
    frame = choices.join(figures, on="row", how="left", maintain_order="left")
    return frame.select(*FIRST, pl.exclude(FIRST))


def _cells(report: "Report", choice: "Choice") -> dict[str, Any]:
    shares = report.shares(choice)
    return {
        "scenario": choice.scenario,
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
    } | {f"per_right.{name}": value for name, value in (report.per_right(choice) or {}).items()}
