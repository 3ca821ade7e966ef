"""Rows of a log reader before any check: values as they are, and why records were left out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import MooInferError
from ..quantities.samples import COLUMNS, FINGERPRINT
from .labels import label_of, named_as_label

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Raw", "framed", "tabulated"]

NEUTRAL = {*COLUMNS, FINGERPRINT}


@dataclass
class Raw:
    """Rows of the neutral table as a reader gave them.

    Args:
        frame: the columns of the neutral table without `correct`, and those that may be labels; other columns as names,
            without values.
        scores: what stands in `correct`, a value a row, or None where it is not there.
        odd: why records were left out, in words.
        text: the file, where it has a row a line, so that a last row that cannot be read may be cut off; or None.
    """

    frame: "pl.DataFrame"
    scores: "Sequence[object] | pl.Series | None"
    odd: list[str] = field(default_factory=list)
    text: Path | None = None


def framed(frame: "pl.DataFrame", text: Path | None, /) -> Raw:
    """Take a frame with columns of the neutral table, and the file of `Raw`."""
    if "correct" not in frame.columns:
        return Raw(frame, None, text=text)
    return Raw(frame.drop("correct"), frame["correct"], text=text)


def tabulated(rows: Iterable[Mapping[str, object] | MooInferError], judged: Sequence[str] = (), /) -> Raw:
    """Put rows of the neutral table into a frame, with keys that may be labels; others stay as names, without values.

    Args:
        rows: of a log reader.
        judged: names of further columns.

    Raises:
        MooInferError: for a row that is no mapping.
    """
    import polars as pl

    as_they_are = {*NEUTRAL, *judged}
    values: dict[str, list[object]] = {}
    others: dict[str, None] = {}
    odd: list[str] = []
    n = 0
    for row in rows:
        if isinstance(row, MooInferError):
            odd.append(str(row))
            continue
        n += 1
        if not isinstance(row, Mapping):
            raise MooInferError(f"row {n}: must be a mapping, got {row!r:.40}")
        for name in [name for name in row if name not in values]:
            if name in as_they_are or (name not in others and named_as_label(str(name))):
                values[name] = [None] * (n - 1)
            else:
                others[str(name)] = None
        for name, column in [*values.items()]:
            try:
                column.append(row.get(name) if name in as_they_are else label_of(row.get(name)))
            except ValueError:
                del values[name]
                others[name] = None
    scores = values.pop("correct", None)
    frame = pl.DataFrame([_series(name, column) for name, column in values.items()])
    return Raw(frame.with_columns(pl.lit(None).alias(name) for name in others), scores, odd)


def _series(name: str, values: list[object]) -> "pl.Series":
    import polars as pl

    try:
        return pl.Series(name, values, strict=True)
    except (TypeError, OverflowError, UnicodeError, pl.exceptions.PolarsError):  # of several types: as in a CSV
        texts = [None if value is None else _text(value) for value in values]
        return pl.Series(name, texts, dtype=pl.String)


def _text(value: object) -> str:
    """Text that can be written: JSON may hold halves of characters."""
    return str(value).encode("utf-8", "replace").decode("utf-8")
