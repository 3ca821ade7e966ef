"""What a sweep found, in short: as data and as people read it."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..core.objectives import ACCURACY
from .wording import Block, TextTable

if TYPE_CHECKING:
    import polars

__all__ = ["blocks", "document", "settings_of"]

MOST = 20  # lines of a table
REASONS = 3  # why points were refused, that are shown
STATES = ("decided", "infeasible", "refused")


def settings_of(frame: "polars.DataFrame", /) -> list[str]:
    """Return the columns of the settings: those between the key of the task and what became of it."""
    return frame.columns[1 : frame.columns.index("state")]


def document(frame: "polars.DataFrame", grid: Mapping[str, Sequence[Any]], before: int) -> dict[str, Any]:
    """Return the JSON form.

    Args:
        frame: what `moo_infer.read_sweep` gives.
        grid: by setting, its values.
        before: how many points were there already.
    """
    return {
        "grid": {key: [*values] for key, values in grid.items()},
        "points": frame["task"].n_unique(),
        "before": before,
        "rows": len(frame),
        "states": _states(frame),
        "chosen": _chosen(frame).to_dicts(),
        "refused": _reasons(frame).to_dicts(),
    }


def blocks(frame: "polars.DataFrame", grid: Mapping[str, Sequence[Any]], before: int) -> list[Block]:
    """Return what people read; arguments as in `document`."""
    points, states = frame["task"].n_unique(), _states(frame)
    varied = ", ".join(f"{len(values):,} of {key}" for key, values in grid.items())
    found = ", ".join(f"{count:,} {state}" for state, count in states.items() if count)
    there = f" {before:,} of the points were there before." if before else ""
    listed: list[Block] = [f"{points:,} points: {varied}. {len(frame):,} decisions: {found}.{there}"]
    chosen = _chosen(frame)
    if len(chosen):
        figures = [column for column in chosen.columns if column.endswith(".low")]
        rows = tuple(
            (
                str(row["model"]),
                str(row["aggregator"]),
                f"{row['decisions']:,}",
                _span(row["k.low"], row["k.high"]),
                *(_span(row[name], row[name.removesuffix("low") + "high"]) for name in figures if name != "k.low"),
            )
            for row in chosen.head(MOST).to_dicts()
        )
        header = ("model", "aggregator", "decisions", "k", *(name[:-4] for name in figures if name != "k.low"))
        listed += ["", TextTable(header, rows, labels=2, caption="What was chosen, and between which means:")]
        if left := len(chosen) - len(rows):
            listed.append(f"{left:,} more; --json has all.")
    if reasons := _reasons(frame).to_dicts():
        shown = [f"{reason['points']:,} points: {reason['reason']}" for reason in reasons[:REASONS]]
        listed.append(("Refused:", *shown, *[f"{len(reasons) - REASONS:,} more reasons"] * (len(reasons) > REASONS)))
    return listed


def _states(frame: "polars.DataFrame") -> dict[str, int]:
    counts = dict(frame["state"].value_counts().iter_rows())
    return {state: counts.get(state, 0) for state in STATES}


def _chosen(frame: "polars.DataFrame") -> "polars.DataFrame":
    """By model and aggregator, how often they were chosen, and between which k and means; most often first."""
    import polars as pl

    means = [column for column in frame.columns if column.endswith(".mean")]
    means.sort(key=lambda column: column != f"{ACCURACY.name}.mean")
    spans = [("k", "k"), *((column.removesuffix(".mean"), column) for column in means)]
    ends = [
        of
        for name, column in spans
        for of in (pl.min(column).alias(f"{name}.low"), pl.max(column).alias(f"{name}.high"))
    ]
    decided = frame.filter(pl.col("state") == "decided")
    grouped = decided.group_by("model", "aggregator", maintain_order=True).agg(pl.len().alias("decisions"), *ends)
    return grouped.sort("decisions", descending=True, maintain_order=True)


def _reasons(frame: "polars.DataFrame") -> "polars.DataFrame":
    """Why points were refused, most often first."""
    import polars as pl

    refused = frame.filter(pl.col("state") == "refused").group_by("reason", maintain_order=True)
    return refused.agg(pl.len().alias("points")).sort("points", descending=True, maintain_order=True)


def _span(low: float | None, high: float | None) -> str:
    """A range of values; one value where its ends are the same.

    >>> _span(1, 8), _span(0.5, 0.5), _span(None, None)
    ('1 to 8', '0.5', '')
    """
    if low is None or high is None:
        return ""
    ends = f"{low:.4g}", f"{high:.4g}"
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)
