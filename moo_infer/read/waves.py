"""Which rows of a log no answer decided on: those of the first wave, of questions without a cancelled call.

Who asks again where answers differ, or stops where they agree, has more samples of hard questions than of easy ones: an
average over all of them is not that of the model.
"""

from typing import TYPE_CHECKING

from ..quantities.queries import Doubt
from ..quantities.samples import WAVE, WHY

if TYPE_CHECKING:
    import polars as pl

__all__ = ["CANCELLED", "REASON", "marked", "parted", "refusals", "sentences"]

REASON = "reason"  # why a row is left out; a column between reading and parting
LATER, CANCELLED = "later", "cancelled"  # the reasons; the second is also what `why` says of such a call
CURE = "moo-infer sample, or run --explore SHARE, asks without such a choice"


def marked(frame: "pl.DataFrame", /) -> "pl.DataFrame":
    """Add the column `REASON` to the rows of one file, where some of them are to be left out; null for the others.

    A question with a cancelled call is left out as a whole: which of its answers arrived was decided by answers. What
    other files say of it stays.
    """
    import polars as pl

    later, cancelled = pl.lit(False), pl.lit(False)
    if WAVE in frame.columns:
        later = (pl.col(WAVE) > 0).fill_null(False)
    if WHY in frame.columns:
        cancelled = (pl.col(WHY).str.strip_chars() == CANCELLED).fill_null(False).any().over("question_id")
    reason = pl.when(cancelled).then(pl.lit(CANCELLED)).when(later).then(pl.lit(LATER))
    with_reasons = frame.with_columns(reason.alias(REASON))
    return with_reasons if with_reasons[REASON].null_count() < len(frame) else frame


def parted(frame: "pl.DataFrame", /) -> "tuple[pl.DataFrame, pl.DataFrame | None]":
    """Return the rows to estimate from, and those that are left out, with their reasons; None for none.

    Rows of a file without waves are as those of a first wave.
    """
    import polars as pl

    if WAVE in frame.columns:
        frame = frame.with_columns(pl.col(WAVE).fill_null(0))
    if REASON not in frame.columns:
        return frame, None
    return frame.filter(pl.col(REASON).is_null()).drop(REASON), frame.filter(pl.col(REASON).is_not_null())


def sentences(kept: "pl.DataFrame", left_out: "pl.DataFrame", /) -> list[str]:
    """Say what of a model is left out, from its rows of both kinds.

    >>> import polars as pl
    >>> left = pl.DataFrame({"question_id": ["q"] * 6, "reason": ["later"] * 6})
    >>> sentences(pl.DataFrame({"question_id": ["q", "q"]}), left)
    ['6 of 8 samples are of later waves, which earlier answers decided on, and are left out']
    """
    import polars as pl

    later = int((left_out[REASON] == LATER).sum())
    cancelled = left_out.filter(pl.col(REASON) == CANCELLED)["question_id"].n_unique()
    others = kept["question_id"].n_unique()
    said = []
    if later:
        said.append(
            f"{later} of {len(kept) + len(left_out)} samples are of later waves, which earlier answers decided on, and "
            "are left out"
        )
    if cancelled:
        said.append(
            Doubt(
                f"{cancelled} of {cancelled + others} questions have a cancelled call and are left out, because "
                f"answers decided which of their calls ended; the other {others} are those that were not decided "
                f"early, likely hard ones, unless they were drawn at random: {CURE}"
            )
        )
    return said


def refusals(kept: "pl.DataFrame", left_out: "pl.DataFrame | None", /) -> dict[str, str]:
    """Say by model why nothing is estimated of those of which no row is kept.

    >>> import polars as pl
    >>> kept = pl.DataFrame({"model": ["small"], "question_id": ["q1"]})
    >>> refusals(kept, pl.DataFrame({"model": ["large"], "question_id": ["q1"], "reason": ["later"]}))["large"]
    ... # doctest: +ELLIPSIS
    'all its samples are of later waves than 0: the answers of another model chose its questions, so that ...'
    """
    import polars as pl

    found: dict[str, str] = {}
    if left_out is None:
        return found
    there = {*kept["model"].unique()}
    for (model,), rows in left_out.group_by("model", maintain_order=True):
        if model in there:
            continue
        cancelled = rows.filter(pl.col(REASON) == CANCELLED)["question_id"].n_unique()
        if cancelled == rows["question_id"].n_unique():
            why = f"all its {cancelled} questions have a cancelled call: answers decided which calls ended"
        else:
            others = f"{cancelled} of its questions have a cancelled call, and all its other samples"
            which = others if cancelled else "all its samples"
            why = f"{which} are of later waves than 0: the answers of another model chose its questions"
        found[str(model)] = f"{why}, so that nothing is estimated of it and it is not compared; {CURE}"
    return found
