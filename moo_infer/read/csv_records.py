"""Rows of a CSV as mappings from column to text, and texts as numbers."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from ..core.errors import MooInferError
from ..core.files import csv_rows, lines

__all__ = ["CsvRecord", "csv_records", "in_numbers"]

CsvRecord = tuple[str, Mapping[str, str] | MooInferError]  # where it stands, and its fields or why there are none


def csv_records(path: Path, /) -> tuple[list[str], Iterator[CsvRecord]]:
    """Return the header of a CSV, none where there is no line, and its rows; comments (``#``) are left out.

    Args:
        path: a file of text, or a gzip of one.
    """
    rows = csv_rows(((i, text) for i, text in lines(path) if not text.startswith("#")), blank_first=True)
    _, names = next(rows, (0, []))
    header = [] if isinstance(names, MooInferError) else [column.strip() for column in names]

    def records() -> Iterator[CsvRecord]:
        for i, row in rows:
            if isinstance(row, MooInferError):
                yield f"line {i}", row
            elif len(row) > len(header):
                wide = f"has {len(row)} fields, but the header names {len(header)}"
                yield f"line {i}", MooInferError(wide)
            else:
                yield f"line {i}", dict(zip(header, row, strict=False))

    return header, records()


def in_numbers(record: Mapping[str, str], columns: Iterable[str], /) -> dict[str, float]:
    """Return the numbers in some columns of a record, those that are there.

    Raises:
        MooInferError: for a text that is no number.

    >>> in_numbers({"batch": " 8", "note": "warm", "joules": ""}, ["batch", "joules"])
    {'batch': 8.0}
    """
    texts = {column: text.strip() for column in columns if (text := record.get(column, "")).strip()}
    numbers = {}
    for column, text in texts.items():
        try:
            numbers[column] = float(text)
        except ValueError:
            raise MooInferError(f"{column}: must be a number, got {text!r:.40}") from None
    return numbers
