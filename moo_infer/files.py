"""Opens files that people have, perhaps zipped, cut off, in another encoding; and writes files whole or not at all.

Errors of reading say where, not in which file.
"""

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from .errors import MooInferError

__all__ = ["HEAD", "aside", "head", "lines", "records"]

HEAD = 65_536  # bytes by which a format is recognised
UTF16 = (b"\xff\xfe", b"\xfe\xff")
GZIP = b"\x1f\x8b"


def head(path: Path, /) -> bytes:
    """Return the first 65,536 bytes of a file, unzipped where it is a gzip, without a byte order mark.

    Raises:
        MooInferError: for what is no file, cannot be read, is UTF-16 or empty.
    """
    if path.is_dir():
        raise MooInferError("must be a file, is a folder")
    if path.exists() and not path.is_file():
        raise MooInferError("must be a file; what comes through a pipe can be read only once, so save it first")
    try:
        with path.open("rb") as file:
            found = file.read(HEAD)
    except FileNotFoundError:
        raise MooInferError("no such file") from None
    except OSError as error:
        raise MooInferError(f"cannot be read: {error.strerror}") from None
    if found.startswith(GZIP):
        try:
            found = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(found, HEAD)
        except zlib.error:
            raise MooInferError("is no valid gzip") from None
    found = found.removeprefix(b"\xef\xbb\xbf")
    if found.startswith(UTF16):
        raise MooInferError("must be UTF-8 text, is UTF-16")
    if not found.strip():
        raise MooInferError("is empty")
    return found


def lines(path: Path, /) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of every line that is not blank, of a UTF-8 file or a gzip of one.

    Raises:
        MooInferError: for a gzip that is cut off or damaged, and for other encodings.
    """
    with path.open("rb") as file:
        zipped = file.read(2) == GZIP
    number = 0
    try:
        with gzip.open(path, "rb") if zipped else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if text := line.decode("utf-8-sig" if number == 1 else "utf-8").strip():
                    yield number, text
    except UnicodeDecodeError:
        raise MooInferError(f"line {number}: must be UTF-8 text") from None
    except EOFError:
        raise MooInferError(f"the gzip is cut off after line {number}") from None
    except (zlib.error, gzip.BadGzipFile):
        raise MooInferError(f"the gzip is damaged after line {number}") from None


def records(path: Path, /, *, nan: bool = True) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the number of a line and the JSON object in it, for every line that is not blank.

    Args:
        path: the file.
        nan: whether NaN and Infinity pass, which are no JSON but what Python writes.

    Raises:
        MooInferError: naming the line that is broken or holds no object; see also `lines`.
    """
    for number, text in lines(path):
        try:
            record = json.loads(text, parse_constant=None if nan else _refuse)
        except (ValueError, RecursionError) as error:
            what = error.msg if isinstance(error, json.JSONDecodeError) else "cannot be parsed"
            raise MooInferError(f"line {number}: is no JSON: {what}") from None
        if not isinstance(record, dict):
            raise MooInferError(f"line {number}: must be a JSON object, got {text:.40}")
        yield number, record


@contextmanager
def aside(place: Path, /) -> Iterator[Path]:
    """Give a path to write to, which takes its place when all that is done meanwhile went well, and is gone if not.

    Raises:
        MooInferError: where nothing can be written there.
    """
    if place.is_dir():
        raise MooInferError(f"{place}: cannot be written: is a folder")
    try:
        with TemporaryDirectory(prefix=".moo-infer-", dir=place.parent) as folder:
            yield Path(folder) / place.name
            (Path(folder) / place.name).replace(place)
    except OSError as error:
        raise MooInferError(f"{place}: cannot be written: {error.strerror or error}") from None


def _refuse(constant: str) -> None:
    """JSON has no NaN, whatever Python writes."""
    raise json.JSONDecodeError(f"{constant} is no number there; write null", constant, 0)
