"""What the right answers of questions tell of a log, where it knows them: the column ``target``."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..samples import KEYS

if TYPE_CHECKING:
    import polars as pl

__all__ = ["settled", "several_targets"]


def several_targets(frame: "pl.DataFrame", /) -> Iterator[str]:
    """Say where one question has several targets."""
    import polars as pl

    if "target" not in frame.columns:
        return
    of = frame.drop_nulls("target").group_by("question_id", maintain_order=True)
    different = of.agg(pl.col("target").n_unique(), pl.col("model").n_unique()).filter(pl.col("target") > 1)
    if len(different):
        whose = "models" if (different["model"] > 1).any() else "samples"
        first = different["question_id"][0]
        yield f"{len(different)} questions have several targets ({first!r:.60} is one): were {whose} asked the same?"


def settled(frame: "pl.DataFrame", /) -> "tuple[pl.DataFrame, list[str]]":
    """Judge answers that were judged both right and wrong by the target of their question, and say so.

    An answer that is the target, but for white space around it, is right. One that is not is wrong where the judge
    accepted nothing but targets as right whenever it was of one mind; where it accepted other spellings, such an answer
    stays as it was judged.
    """
    import polars as pl

    if not {"answer", "target"} <= {*frame.columns} or frame["correct"].dtype != pl.Boolean:
        return frame, []
    answer, target = (pl.col(name).str.strip_chars() for name in ("answer", "target"))
    judged = frame.with_columns(answer.alias("answer"), (answer == target).alias("hit")).with_row_index("row")
    judged = judged.filter(pl.col("hit").is_not_null() & pl.col("correct").is_not_null() & (pl.col("answer") != ""))
    each = [*KEYS, "answer"]
    judged = judged.with_columns(
        (pl.col("correct").any() & ~pl.col("correct").all()).over(each).alias("both"),
        pl.col("correct").all().over(each).alias("right"),
    )
    judged = judged.with_columns((~pl.col("right") | pl.col("hit")).all().over("model").alias("literal"))
    known = judged.filter(pl.col("both") & (pl.col("hit") | pl.col("literal")))
    said = []
    for (model,), of in known.unique(each, maintain_order=True).group_by("model", maintain_order=True):
        right = int(of["hit"].sum())
        said.append(
            f"{len(of)} answers of {model} were judged both right and wrong: {right} of them are the target of their "
            f"question and count as right, {len(of) - right} are not and count as wrong"
        )
    if not len(known):
        return frame, []
    correct = frame["correct"].scatter(known["row"], known["hit"])
    return frame.with_columns(correct), said
