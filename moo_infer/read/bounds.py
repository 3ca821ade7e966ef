"""How much of a file is read: archives and compressed files are small on disk and may be huge unpacked."""

import zipfile
import zlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import MooInferError
from ..core.files import panics_as_errors
from .parquet import page_sizes, unpacked_bytes

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "MAX_LOG_BYTES",
    "PART",
    "allowed_bytes",
    "refuse_large_parts",
    "refuse_long_texts",
    "refuse_more",
    "zstandard_bound",
]

MAX_LOG_BYTES = 2**30  # of a log, unpacked: some ten million samples, or the transcripts of a long evaluation
PART = 4  # a line, or a member of an archive, is held at once, with several copies: at most this part of it all
RATIO = 40  # logs shrink to a fifth to a thirtieth of their size; bombs to a thousandth
SMALL = 2**24  # bytes that no ratio is asked of: a few samples that say the same shrink further
BLOCK = 2**20  # bytes at a time
ZSTANDARD_BLOCK = 2**17  # the most that a block of Zstandard may stand for (RFC 8878, 3.1.1.2.4)
GZIP, ZIP, PARQUET, ZSTANDARD = b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"\x28\xb5\x2f\xfd"
BEGINNING = 64  # bytes that say how a file is packed; zlib has but two of its own, which a text may begin with
ROW = 64  # bytes of a row of Parquet in memory, at least: a million that are alike take a kilobyte on disk


def allowed_bytes(size: int, most: int | None = None, /) -> int:
    """Return how many bytes a file may have when it is unpacked.

    Args:
        size: of the packed file, in bytes.
        most: what the user allows; default 1 GiB, and where that is less 40 times the size, but 16 MiB always.

    >>> allowed_bytes(1_000_000), allowed_bytes(1_000_000, 2**33)
    (40000000, 8589934592)
    """
    return most if most is not None else min(MAX_LOG_BYTES, max(SMALL, RATIO * size))


def refuse_more(path: Path, most: int | None = None, /) -> None:
    """Refuse a log that would take more memory than a log should, before any of it is kept.

    The bytes of a gzip are counted as they are unpacked, those of a ZIP as its directory has them (no more are unpacked
    later). A line, a member of a ZIP, or a page of Parquet has at most a quarter of 1 GiB, or of `most`. Of Parquet
    the rows are counted, at 64 bytes each, and its pages as their headers have them; its texts by `refuse_long_texts`.

    Args:
        path: a file that is there.
        most: bytes, as in `allowed_bytes`.

    Raises:
        MooInferError: saying how large the file is and how more is allowed.
    """
    size, whole = path.stat().st_size, MAX_LOG_BYTES if most is None else most
    longest = whole // PART
    begins = _beginning(path)
    if begins.startswith(ZIP):
        _refuse_large_members(path, size, allowed_bytes(size, most), longest)
    elif begins.startswith(GZIP):
        _refuse_long_gzip(path, size, allowed_bytes(size, most), longest)
    elif size > whole:
        raise _too_large(f"has {size:,} bytes, of which {whole:,} are allowed")
    elif begins.startswith(PARQUET):
        usual = 0 if most is not None else RATIO * size  # transcripts, in columns that are not read
        _refuse_large_pages(path, max(whole, usual), max(longest, min(whole, usual)))
        _refuse_many_rows(path, whole)
    elif size > longest:
        _refuse_long_lines(path, longest)


def refuse_large_parts(path: Path, most: int | None = None, /) -> None:
    """Refuse a table, read row by row, of which a line or a page of Parquet is larger than should be held at once.

    Args:
        path: a file that is there.
        most: bytes, as in `allowed_bytes`; a part may have a quarter.

    Raises:
        MooInferError: saying what is too large, or that it is packed.
    """
    longest, begins = (MAX_LOG_BYTES if most is None else most) // PART, _beginning(path)
    if begins.startswith((GZIP, ZIP)):
        raise MooInferError("is packed, and tables that are read in parts (--stream) must not be")
    if not begins.startswith(PARQUET):
        _refuse_long_lines(path, longest)
        return
    for size in page_sizes(path):
        if size > longest:
            raise _too_large(f"has a page that unpacks to {size:,} bytes, of which {longest:,} are allowed")


def _beginning(path: Path) -> bytes:
    """The first bytes of a file; refuses what polars would unpack unasked, however much that is."""
    with path.open("rb") as file:
        begins = file.read(BEGINNING)
    packed = begins.startswith(ZSTANDARD)
    if begins.startswith(b"x"):
        with suppress(zlib.error):
            zlib.decompressobj().decompress(begins)
            packed = True
    if packed:
        raise MooInferError("is packed as Zstandard or zlib, which is not read; gzip is")
    return begins


def _too_large(reason: str) -> MooInferError:
    return MooInferError(f"{reason}; --max-log-bytes N (max_log_bytes=N) raises the bound")


def _refuse_large_members(path: Path, size: int, allowed: int, longest: int) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [(info.filename, info.file_size) for info in archive.infolist()]
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        return  # whoever reads it says so
    if (total := sum(length for _, length in members)) > allowed:
        raise _too_large(f"unpacks from {size:,} to {total:,} bytes, of which {allowed:,} are allowed")
    for name, length in members:
        if length > longest:
            raise _too_large(f"{name:.60} in it unpacks to {length:,} bytes, of which {longest:,} are allowed")


def refuse_long_texts(frame: "pl.LazyFrame", most: int | None = None, /) -> None:
    """Refuse what is read of a Parquet file where its texts are longer than allowed, every repetition counted.

    Args:
        frame: the columns that are read, lazily.
        most: bytes, as in `allowed_bytes`.
    """
    allowed = MAX_LOG_BYTES if most is None else most
    if (total := unpacked_bytes(frame)) > allowed:
        raise _too_large(f"unpacks to texts and lists of {total:,.0f} bytes, of which {allowed:,} are allowed")


def _refuse_large_pages(path: Path, allowed: int, longest: int) -> None:
    total = 0
    for size in page_sizes(path):
        total += size
        if size > longest:
            raise _too_large(f"has a page that unpacks to {size:,} bytes, of which {longest:,} are allowed")
        if total > allowed:
            raise _too_large(f"has pages that unpack to more than the {allowed:,} bytes that are allowed")


def _refuse_many_rows(path: Path, allowed: int) -> None:
    import polars as pl

    try:
        with panics_as_errors():
            rows = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
    except (pl.exceptions.PolarsError, OSError):
        return  # whoever reads it says so
    if rows * ROW > allowed:
        raise _too_large(f"has {rows:,} rows, of which {allowed // ROW:,} are allowed; calibrate --stream reads more")


def _refuse_long_gzip(path: Path, size: int, allowed: int, longest: int) -> None:
    """Count the bytes of all members of a gzip, and those of its longest line."""
    total = line = 0
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    with path.open("rb") as file:
        packed = file.read(BLOCK)
        while packed:
            try:
                block = unpacker.decompress(packed, BLOCK)
            except zlib.error:
                return  # whoever reads it says where it is damaged
            total += len(block)
            line = _line(line, block)
            if total > allowed:
                raise _too_large(f"unpacks from {size:,} to more than the {allowed:,} bytes that are allowed")
            if line > longest:
                raise _too_large(f"has a line of more than {longest:,} bytes")
            packed = unpacker.unconsumed_tail
            if unpacker.eof:
                packed = unpacker.unused_data
                unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
            packed = packed or file.read(BLOCK)


def _refuse_long_lines(path: Path, longest: int) -> None:
    line = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            line = _line(line, block)
            if line > longest:
                raise _too_large(f"has a line of more than {longest:,} bytes")


def _line(line: int, block: bytes) -> int:
    """How long the line is that a block leaves open."""
    end = block.rfind(b"\n")
    return line + len(block) if end < 0 else len(block) - end - 1


def zstandard_bound(packed: bytes, /) -> int:
    """Return the most bytes that frames of Zstandard may stand for, by the headers of their blocks (RFC 8878).

    Nothing is unpacked. Damaged frames are counted as far as they can be read.

    >>> zstandard_bound(bytes.fromhex("28b52ffd20000300" + "0f61"))  # one block: "a", 122,880 times
    122880
    """
    total = at = 0
    while at + 4 <= len(packed):
        magic = int.from_bytes(packed[at : at + 4], "little")
        at += 4
        if 0x184D2A50 <= magic <= 0x184D2A5F:  # a frame to skip, with its length
            at += 4 + int.from_bytes(packed[at : at + 4], "little")
            continue
        if magic != 0xFD2FB528 or at >= len(packed):
            break
        descriptor = packed[at]
        single, flag = descriptor >> 5 & 1, descriptor >> 6
        at += 1 + (not single) + (0, 1, 2, 4)[descriptor & 3] + ((1 if single else 0), 2, 4, 8)[flag]
        last = False
        while not last and at + 3 <= len(packed):
            header = int.from_bytes(packed[at : at + 3], "little")
            last, kind, length = bool(header & 1), header >> 1 & 3, header >> 3
            at += 3 + (1 if kind == 1 else length)  # a block of one repeated byte holds that byte alone
            total += length if kind in (0, 1) else ZSTANDARD_BLOCK
        at += 4 * (descriptor >> 2 & 1)
    return total
