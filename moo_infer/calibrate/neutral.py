"""What must hold for the columns of the neutral table."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ..errors import MooInferError
from ..samples import COLUMNS, REQUIRED, TOKENS

if TYPE_CHECKING:
    import polars as pl

__all__ = ["checked", "tabulated"]

TEXTS = ("model", "question_id", "answer")
WHOLE = ("sample", *TOKENS)
RIGHT, WRONG = ("1", "true", "1.0"), ("0", "false", "0.0")
LARGEST = 2**53  # beyond, whole numbers are not told apart by a float
LISTED = 30  # column names in a message
LOOKED_AT = 10_000  # samples for a median
LONG_S, SLOW_S = 600.0, 60.0  # seconds of a sample that are questioned, the second where a token takes more than one


def tabulated(rows: Iterable[Mapping[str, object]], /) -> "pl.DataFrame":
    """Put rows of the neutral table into a frame; keys that are no columns stay as names, without their values.

    Raises:
        MooInferError: for a row that is no mapping.
    """
    import polars as pl

    values: dict[str, list[object]] = {}
    others: dict[str, None] = {}
    n = 0
    for n, row in enumerate(rows, 1):
        if not isinstance(row, Mapping):
            raise MooInferError(f"row {n}: must be a mapping, got {row!r:.40}")
        for name in row.keys() - values.keys():
            if name in COLUMNS:
                values[name] = [None] * (n - 1)
            else:
                others[str(name)] = None
        for name, column in values.items():
            column.append(row.get(name))
    frame = pl.DataFrame([_series(name, column) for name, column in values.items()])
    return frame.with_columns(pl.lit(None).alias(name) for name in others) if n else pl.DataFrame(schema=REQUIRED)


def _series(name: str, values: list[object]) -> "pl.Series":
    import polars as pl

    try:
        return pl.Series(name, values, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):  # of several types: as a CSV would hold them
        return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)


def checked(raw: "pl.DataFrame", /) -> "tuple[pl.DataFrame, list[str]]":
    """Return the columns of the neutral table that say something, with fixed types and in range, and what is odd.

    Text is String, `correct` Boolean, token counts and `sample` Int64, other numbers Float64; blanks are null. What is
    possible but odd is said in sentences.

    Raises:
        MooInferError: naming the row (counted from 1) and the column, what is allowed and what was given.
    """
    names = raw.columns
    if missing := [name for name in REQUIRED if name not in names]:
        given = [name for name in names if name not in COLUMNS or raw[name].null_count() < len(raw)]
        there = ", ".join(given[:LISTED]) + (", ..." if len(given) > LISTED else "")
        raise MooInferError(f"missing {', '.join(missing)}; columns: {there or 'none'}")
    if not len(raw):
        raise MooInferError("holds no samples")
    kept = [name for name in COLUMNS if name in REQUIRED or (name in names and raw[name].null_count() < len(raw))]
    values, wrong = {}, {}
    for name in kept:
        values[name], refused = _value(name, raw.schema[name])
        if refused is not None:
            wrong[name] = refused
    found = raw.select(expression.any().alias(name) for name, expression in wrong.items()).row(0, named=True)
    if refused_by := [name for name, any_wrong in found.items() if any_wrong]:
        name = refused_by[0]
        row = raw.select(wrong[name].arg_max()).item()
        given = raw[name][row]
        shown = f"must be {_rule(name)}, got {given!r:.60}" if given is not None else "is blank"
        raise MooInferError(f"{_place(raw, row)}: {name}: {shown}")
    frame = raw.select(expression.alias(name) for name, expression in values.items())
    said = [name for name in kept if name in REQUIRED or frame[name].null_count() < len(frame)]
    return frame.select(said), [*_misspelt(names), *_odd(frame)]


def _value(name: str, dtype: Any) -> "tuple[pl.Expr, pl.Expr | None]":
    """The value of a column, and where it is refused."""
    import polars as pl

    column = pl.col(name)
    if dtype == pl.Null:
        return column.cast(_type(name)), pl.lit(name == "sample")
    if name in TEXTS:
        if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
            raise MooInferError(f"{name}: must be text, got {dtype}")
        return column.cast(pl.String), None
    if dtype == pl.String:
        column = column.str.strip_chars()
        column = pl.when(column != "").then(column)
    if name == "correct":
        if dtype == pl.Boolean:
            return column, None
        if dtype == pl.String:
            right, false = column.str.to_lowercase().is_in(RIGHT), column.str.to_lowercase().is_in(WRONG)
        elif dtype.is_numeric():
            right, false = column == 1, column == 0
        else:
            raise MooInferError(f"correct: must be {_rule('correct')}, got {dtype}")
        return right, column.is_not_null() & ~(right | false)
    if not (dtype.is_numeric() or dtype == pl.String):
        raise MooInferError(f"{name}: must be numbers, got {dtype}")
    number = column if dtype.is_integer() else column.cast(pl.Float64, strict=False)
    refused = number.is_null() if name == "sample" else column.is_not_null() & number.is_null()
    if name != "score":
        refused |= number < 0
    if name in WHOLE:
        refused |= number > LARGEST
    if not dtype.is_integer():
        refused |= ~number.is_finite()
        if name in WHOLE:
            refused |= number != number.floor()
    return number.cast(_type(name), strict=False), refused.fill_null(False)


def _type(name: str) -> Any:
    import polars as pl

    if name in TEXTS:
        return pl.String
    return pl.Boolean if name == "correct" else pl.Int64 if name in WHOLE else pl.Float64


def _rule(name: str) -> str:
    if name == "correct":
        return "0, 1, true, false or blank"
    if name in WHOLE:
        return "a whole number from 0 to 2^53"
    return "a finite number" if name == "score" else "a finite number >= 0"


def _place(frame: "pl.DataFrame", row: int) -> str:
    return f"row {row + 1} (question {str(frame['question_id'][row])!r:.60})"


def _misspelt(names: list[str]) -> Iterator[str]:
    """Columns whose names are nearly those of columns that are not there."""
    absent = [name for name in COLUMNS if name not in names]
    for name in names:
        plain = name.strip().lower()
        begun = [column for column in absent if column.startswith(f"{plain}_")]
        if name not in COLUMNS and (close := begun or get_close_matches(plain, absent, n=1, cutoff=0.8)):
            yield f"column {name!r} is not read; is {close[0]} meant?"


def _odd(frame: "pl.DataFrame") -> Iterator[str]:
    """Compare columns with each other: refuse what cannot be, say what is odd."""
    import polars as pl

    if {"cached_input_tokens", "input_tokens"} <= {*frame.columns}:
        more = frame.select((pl.col("cached_input_tokens") > pl.col("input_tokens")).fill_null(False)).to_series()
        if more.any():
            row = more.arg_max() or 0
            cached, given = frame["cached_input_tokens"][row], frame["input_tokens"][row]
            raise MooInferError(
                f"{_place(frame, row)}: cached_input_tokens = {cached} is more than input_tokens = {given}, which are "
                "all of them, cached ones too"
            )
    if {"reasoning_tokens", "output_tokens"} <= {*frame.columns}:
        more = frame.select((pl.col("reasoning_tokens") > pl.col("output_tokens")).fill_null(False)).to_series()
        if more.any():
            yield (
                f"{more.sum()} of {len(frame)} samples have more reasoning_tokens than output_tokens, which are all "
                "that are billed, reasoning too; were they counted apart?"
            )
    if "latency_s" in frame.columns:
        some = frame.gather_every(1 + len(frame) // LOOKED_AT)
        seconds = pl.col("latency_s")
        tokens = pl.col("output_tokens") if "output_tokens" in frame.columns else pl.lit(None, dtype=pl.Int64)
        median, each = some.select(seconds.median(), (seconds / tokens.clip(1)).median().alias("each")).row(0)
        if median is not None and (median > LONG_S or (median > SLOW_S and (each or 0) > 1)):
            rate = f", {each:.3g} s per output token" if each is not None else ""
            yield f"the median of latency_s is {median:.4g} s{rate}: were milliseconds written? Seconds are read."
