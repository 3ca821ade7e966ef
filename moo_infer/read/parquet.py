"""How large a Parquet file is once it is read, from the headers of its pages and the lengths of its texts.

A page says how long it is unpacked, and a text that stands a thousand times takes a thousand times its length: both
are small on disk. The headers are in Thrift's compact protocol; the format is Apache's parquet-format, README.md.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

__all__ = ["page_sizes", "unpacked_bytes"]

HEADER = 2**20  # bytes that are read of a page for its header, which may hold statistics
NUMBER = 8  # bytes of a number in memory, at most
# Types of the compact protocol.
TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
DEPTH = 64  # of headers within headers; those of Parquet have six


def page_sizes(path: Path, /) -> Iterator[int]:
    """Yield how many bytes each page of a Parquet file has when it is unpacked, as its header says.

    Nothing is unpacked. A file that is damaged ends where it can no longer be read.
    """
    try:
        with path.open("rb") as file:
            file.seek(-8, os.SEEK_END)
            length = int.from_bytes(file.read(4), "little")
            file.seek(-8 - length, os.SEEK_END)
            groups = _Reader(file.read(length)).struct().get(4, [])
            chunks = [chunk[3] for group in groups for chunk in group[1]]
            for chunk in chunks:
                at = min(offset for offset in (chunk.get(9), chunk.get(11)) if offset)  # pages of data, dictionary
                end = at + _size(chunk[7])
                while at < end:
                    file.seek(at)
                    reader = _Reader(file.read(HEADER))
                    page = reader.struct()
                    yield _size(page[2])
                    at += reader.at + _size(page[3])
    except (OSError, ValueError, IndexError, KeyError, TypeError, AttributeError):
        return  # whoever reads it says that it is damaged


def _size(field: object) -> int:
    """A field that counts bytes; a damaged one may be of any type, or lead back."""
    if type(field) is not int or field < 0:
        raise ValueError
    return field


class _Reader:
    """Reads the compact protocol: structs as mappings from the numbers of fields."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at, self.depth = data, 0, 0

    def struct(self) -> dict[int, Any]:
        """Read a struct, to its stop byte."""
        if self.depth > DEPTH:
            raise ValueError
        self.depth += 1
        fields: dict[int, Any] = {}
        number = 0
        while kind := self._byte():
            number = number + (kind >> 4) if kind >> 4 else self._zigzag()
            fields[number] = self._value(kind & 15)
        self.depth -= 1
        return fields

    def _value(self, kind: int, *, within: bool = False) -> Any:
        if kind in (TRUE, FALSE):
            return self._byte() == TRUE if within else kind == TRUE
        if kind == BYTE:
            return self._byte()
        if kind in (I16, I32, I64):
            return self._zigzag()
        if kind in (DOUBLE, BINARY):
            length = 8 if kind == DOUBLE else self._varint()
            self.at += length
            return None  # no text or fraction is asked for
        if kind in (LIST, SET):
            head = self._byte()
            count = self._varint() if head >> 4 == 15 else head >> 4
            return self._several([head & 15] * self._possible(count))
        if kind == MAP:
            count = self._possible(self._varint())
            kinds = self._byte() if count else 0
            return self._several([kinds >> 4, kinds & 15] * count)
        if kind == STRUCT:
            return self.struct()
        raise ValueError

    def _several(self, kinds: list[int]) -> list[Any]:
        return [self._value(kind, within=True) for kind in kinds]

    def _possible(self, count: int) -> int:
        """A number of entries, each of which has a byte at least."""
        if count > len(self.data) - self.at:
            raise ValueError
        return count

    def _byte(self) -> int:
        self.at += 1
        return self.data[self.at - 1]

    def _varint(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 63:
                raise ValueError

    def _zigzag(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)


def unpacked_bytes(frame: "pl.LazyFrame", /) -> float:
    """Return how many bytes the texts and lists of a lazy frame have, every repetition counted."""
    import polars as pl

    counts = [_bytes(pl.col(name), dtype) for name, dtype in frame.collect_schema().items()]
    sizes = [count.sum().alias(str(i)) for i, count in enumerate(counts)]
    return float(sum(frame.select(sizes).collect(engine="streaming").row(0))) if sizes else 0.0


def _bytes(column: "pl.Expr", dtype: Any) -> "pl.Expr":
    """The bytes of every value of a column; a missing one has none."""
    import polars as pl

    if dtype == pl.String:
        count = column.str.len_bytes()
    elif dtype in (pl.Categorical, pl.Enum):
        count = column.cat.len_bytes()
    elif dtype == pl.Binary:
        count = column.bin.size()
    elif dtype in (pl.List, pl.Array):
        values = column.arr.to_list() if dtype == pl.Array else column
        count = values.list.eval(_bytes(pl.element(), dtype.inner) + NUMBER).list.sum()
    elif dtype == pl.Struct:
        fields = [_bytes(column.struct.field(field.name), field.dtype) for field in dtype.fields]
        count = pl.sum_horizontal(NUMBER, *fields)
    else:
        return pl.when(column.is_not_null()).then(float(NUMBER)).otherwise(0.0)
    return count.cast(pl.Float64).fill_null(0.0)
