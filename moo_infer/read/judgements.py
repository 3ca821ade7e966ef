"""Checks how answers were judged: against the target of their question, and against each other."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..core.errors import MooInferError
from ..quantities.samples import KEYS, SHARED

if TYPE_CHECKING:
    import polars as pl

__all__ = ["merged", "settled", "several_targets"]

DIGITS = 15  # of a number that a float holds apart from all others


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

    An answer that is the target, but for white space around it, or the same number, is right. One that is not is wrong
    where the judge accepted nothing but targets as right whenever it was of one mind; where it accepted other
    spellings, such an answer stays as it was judged.
    """
    import polars as pl

    if not {"answer", "target"} <= {*frame.columns} or frame["correct"].dtype != pl.Boolean:
        return frame, []
    answer, target = (pl.col(name).str.strip_chars() for name in ("answer", "target"))
    numbers = [
        pl.when(text.str.len_chars() <= DIGITS).then(text).cast(pl.Float64, strict=False) for text in (answer, target)
    ]
    hit = (answer == target) | (numbers[0] == numbers[1]).fill_null(False)
    judged = frame.with_columns(answer.alias("answer"), hit.alias("hit")).with_row_index("row")
    judged = judged.filter(pl.col("hit").is_not_null() & pl.col("correct").is_not_null() & (pl.col("answer") != ""))
    each = [*KEYS, "answer"]
    judged = judged.with_columns(
        (pl.col("correct").any() & ~pl.col("correct").all()).over(each).alias("both"),
        pl.col("correct").all().over(each).alias("right"),
    )
    judged = judged.with_columns((~pl.col("right") | pl.col("hit")).all().over("model").alias("literal"))
    rows = judged.filter(pl.col("both") & (pl.col("hit") | pl.col("literal")))
    remarks = []
    for (model,), of in rows.unique(each, maintain_order=True).group_by("model", maintain_order=True):
        right = int(of["hit"].sum())
        remarks.append(
            f"{len(of)} answers of {model} were judged both right and wrong: {right} of them are the target of their "
            f"question and count as right, {len(of) - right} are not and count as wrong"
        )
    if not len(rows):
        return frame, []
    correct = frame["correct"].scatter(rows["row"], rows["hit"])
    return frame.with_columns(correct), remarks


def merged(frame: "pl.DataFrame", /) -> "tuple[pl.DataFrame, list[str]]":
    """Take the right answers of a question as one, which is spelt in several ways, and say so.

    Right is what was judged right more often than wrong among the samples of the model. All get the spelling that most
    samples have, the first of those alike.

    Raises:
        MooInferError: where no answer is known, and where scores are grades, which do not say what is right.
    """
    import polars as pl

    if "answer" not in frame.columns:
        raise MooInferError("--merge-right (merge_right=True) needs the column answer, which no log has")
    if frame["correct"].dtype != pl.Boolean:
        raise MooInferError(
            "--merge-right (merge_right=True) needs samples that are right or wrong, but they are graded; a threshold "
            "makes them so (--right-if)"
        )
    each = [*KEYS, "answer"]
    table = frame.with_columns(pl.col("answer").str.strip_chars())
    right = (
        table.filter((pl.col("answer") != "") & pl.col("correct").is_not_null())
        .group_by(each, maintain_order=True)
        .agg(pl.col("correct").mean().alias("share"), pl.len().alias("number"))
        .filter(pl.col("share") > 0.5)
        .sort("number", descending=True, maintain_order=True)
        .with_columns(pl.first("answer").over(KEYS).alias("spelling"), pl.len().over(KEYS).alias("ways"))
        .filter(pl.col("ways") > 1)
    )
    spelt = table.select(each).join(right.select(*each, "spelling"), on=each, how="left", maintain_order="left")
    wrong = table.filter((pl.col("answer") != "") & ~pl.col("correct")).group_by(each).agg(pl.len().alias("number"))
    wrong = wrong.filter(pl.col("number").sum().over(KEYS) > 1)
    remarks = []
    for (model,), of in right.group_by("model", maintain_order=True):
        number = wrong.filter(pl.col("model") == model)["number"].to_numpy()
        apart = number[number > 1].sum() < SHARED * number.sum()
        remarks.append(
            f"{of.select('question_id').n_unique()} questions of {model} have several right answers, {len(of)} in all: "
            "in each they are taken as one; wrong ones stay as they are written, so that where these differ in "
            "spelling alone the vote is an upper bound"
            + ("; nearly all of them differ, so that two right ones win any vote" if apart else "")
        )
    answer = pl.Series("answer", spelt["spelling"]).fill_null(frame["answer"])
    return frame.with_columns(answer), remarks
