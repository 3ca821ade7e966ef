"""Labels of questions, such as their task or difficulty: which columns of a log are such, and what they say.

A label is a short text that all rows of a question share. What may be the text of a prompt or an answer is none.
"""

import math
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ..core.errors import by_accident
from ..quantities.labels import TASK
from ..quantities.samples import COLUMNS, FINGERPRINT
from .waves import REASON

if TYPE_CHECKING:
    import polars as pl

__all__ = ["as_label", "candidates", "label_names", "label_of", "labelled", "named_as_label", "short_labels"]

# Names that say that a column is a label, however many values it has.
KNOWN = (TASK, "subject", "difficulty", "category", "domain", "topic", "subset", "level", "language", "dataset")
# Last words of names of columns with texts that belong to nobody else, or that name single rows.
TEXTS = {
    *("prompt", "question", "problem", "statement", "text", "input", "inputs", "query", "message", "messages", "doc"),
    *("context", "passage", "instruction", "instructions", "choices", "options", "output", "outputs", "response"),
    *("responses", "completion", "completions", "generation", "generations", "content", "reasoning", "rationale"),
    *("explanation", "comment", "solution", "answer", "answers", "target", "reference", "id", "uuid", "key", "user"),
    *("name", "email", "path", "url", "error", "seed", "epoch", "time", "timestamp", "date"),
}
BLANK = ("", "nan", "null")  # as data frames write what is missing
WORD = re.compile(r"[a-z]+")
FRACTION = r"^[+-]?\d*\.\d*[1-9]\d*([eE][+-]?\d+)?$"
LONGEST = 60  # characters of a label; a sentence has more
MOST = 200  # values of a label; more are no groups that anything is decided by
FIRST = 1000  # rows that are looked at before a column is read as a whole


def named_as_label(name: str, /) -> bool:
    """Return whether a column of that name may be a label.

    >>> [named_as_label(name) for name in ("task", "question_type", "task_name", "prompt", "question_id", "correct")]
    [True, True, True, False, False, False]
    """
    words = WORD.findall(name.lower())
    if not words or name in (*COLUMNS, FINGERPRINT, REASON):
        return False
    return words[-1] not in TEXTS or (words[-1] == "name" and not {*words}.isdisjoint(KNOWN))


def label_of(value: object, /) -> str | None:
    """Return a value as a label, None for a blank one.

    Raises:
        ValueError: where it is none.
    """
    if isinstance(value, float):
        value = None if math.isnan(value) else int(value) if value.is_integer() else value
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int) or len(text := str(value).strip()) > LONGEST:
        raise ValueError
    return None if text.lower() in BLANK else text


def as_label(value: object, /) -> object:
    """Return a value of a question as its label is in a log: a text, "" for a blank; what is no label as it is.

    >>> [as_label(value) for value in (" easy ", 3, 3.0, None, 0.25, True)]
    ['easy', '3', '3', '', 0.25, True]
    """
    try:
        return value if isinstance(value, float) and not value.is_integer() else label_of(value) or ""
    except ValueError:
        return value


def candidates(frame: "pl.LazyFrame", names: Iterable[str], /) -> list[str]:
    """Return which columns of a lazy frame may be labels, by their names, types and first rows."""
    import polars as pl

    schema = frame.collect_schema()
    kinds = (pl.String, pl.Categorical, pl.Enum)
    named = [n for n in names if named_as_label(n) and (schema[n].is_integer() or schema[n] in kinds)]
    first = frame.select(pl.col(name).cast(pl.String) for name in named).head(FIRST).collect()
    return [name for name in named if _is_short(first[name])]


def short_labels(frame: "pl.DataFrame", /) -> "pl.DataFrame":
    """Return the columns of a frame, beside those of the neutral table, that may be labels; blanks are null."""
    import polars as pl

    named = [name for name in frame.columns if named_as_label(name) and frame.schema[name] != pl.Null]
    text = pl.col(named).cast(pl.String).str.strip_chars()
    known = ~text.str.to_lowercase().is_in(BLANK)
    texts = frame.select(pl.when(known).then(text).name.keep()) if named else frame.select()
    return texts.select(name for name in named if _is_label(texts[name].drop_nulls()))


def _is_label(texts: "pl.Series") -> bool:
    """Whether known values are short and few; numbers with a fraction are measured."""
    return _is_short(texts) and 1 <= texts.n_unique() <= MOST and not texts.str.contains(FRACTION).all()


def _is_short(texts: "pl.Series") -> bool:
    longest: Any = texts.str.len_chars().max()
    return longest is None or longest <= LONGEST


def label_names(frame: "pl.DataFrame", /) -> list[str]:
    """Return the names of the labels of a log, which are its texts beside those of the neutral table."""
    import polars as pl

    return [name for name, dtype in frame.schema.items() if dtype == pl.String and named_as_label(name)]


def labelled(frame: "pl.DataFrame", /) -> "tuple[pl.DataFrame, list[str]]":
    """Give all rows of a question its labels, whatever model or file they are of, and say what differs among them.

    Few questions of which a label differs have none. Where it differs for many, or nearly every question has a value
    of its own, the column is no label.

    >>> import polars as pl
    >>> rows = {"question_id": ["a", "a", "b", "c"], "task": ["sums", None, "sums", "law"], "worker": [1, 2, 1, 2]}
    >>> labelled(pl.DataFrame(rows).cast({"worker": pl.String}))[0].to_dict(as_series=False)
    {'question_id': ['a', 'a', 'b', 'c'], 'task': ['sums', 'sums', 'sums', 'law']}
    """
    import polars as pl

    names, remarks = label_names(frame), list[str]()
    if not names:
        return frame, remarks
    of = pl.col(names).drop_nulls()
    groups = frame.group_by("question_id", maintain_order=True)
    each = groups.agg(of.n_unique().name.suffix("\0n"), of.first())
    kept = []
    for name in names:
        several = each.filter(pl.col(f"{name}\0n") > 1)["question_id"]
        few = len(several) <= by_accident(len(each))
        if len(several) and (few or name in KNOWN):
            remarks.append(_differs(name, several, len(each), few=few))
        one = pl.when(pl.col(f"{name}\0n") <= 1).then(pl.col(name)).alias(name)
        values = each.select(one).to_series().drop_nulls().n_unique()
        if few and values and (name in KNOWN or values == 1 or 2 * values <= len(each)):
            kept.append(one)
    of_questions = each.select("question_id", *kept)
    rows = frame.drop(names)
    return rows.join(of_questions, on="question_id", how="left", maintain_order="left") if kept else rows, remarks


def _differs(name: str, questions: "pl.Series", of: int, *, few: bool) -> str:
    which = f"question {questions[0]!r:.60}" + (f" and of {len(questions) - 1} others" if len(questions) > 1 else "")
    left = "these questions have no label" if few else "it is no label here"
    cure = "; where question_id begins anew in every task, give questions names of their own" * (name == TASK)
    return f"{name} differs among the rows of {which}, {len(questions)} of {of}: {left}{cure}"
