"""Reads files that may be zipped, cut off or in another encoding; writes files whole or not at all.

Errors of reading say where, not in which file.
"""

import csv
import gzip
import os
import re
import stat
import sys
import threading
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile

from .errors import MooInferError

__all__ = [
    "GZIP",
    "HEAD",
    "atomic_write",
    "called_after",
    "csv_rows",
    "ends_open",
    "exchanged",
    "head",
    "limited_text",
    "lines",
    "panics_as_errors",
    "refuse_other_than_files",
    "refuse_unwritable",
    "whole_lines",
]

HEAD = 65_536  # bytes by which a format is recognised
UTF16 = (b"\xff\xfe", b"\xfe\xff")
GZIP = b"\x1f\x8b"
PANIC = b" panicked at "  # in what Rust reports of a panic
REPORTS = threading.RLock()  # standard error is one for all threads
# What the tools whose results are read add to the name of a model, or call a file that is named after nothing.
ADDED = re.compile(
    r"(^|[._-])(csv|parquet|jsonl|json|gz|eval_results|eval_all|results|samples)$"
    r"|^Scenario\.[a-z]+_\d+_[\d.]+(_cot)?$|^output(-rs\d+)?(_chunk_\d+)?$"
)


def refuse_other_than_files(path: Path, /) -> None:
    """Raise MooInferError for paths that are not regular files: pipes and devices may never end."""
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):  # the last for a name with a NUL
        raise MooInferError("no such file") from None
    except OSError as error:  # a loop of links, a name that is too long, a folder that may not be entered
        raise MooInferError(f"cannot be read: {error.strerror}") from None
    if stat.S_ISDIR(mode):
        raise MooInferError("must be a file, is a folder")
    if not stat.S_ISREG(mode):
        raise MooInferError("must be a file; what comes through a pipe can be read only once, so save it first")


def limited_text(path: Path, most: int, /) -> str:
    """Return the text of a small file in UTF-8, without a byte order mark.

    Args:
        path: the file.
        most: bytes that it may have.

    Raises:
        MooInferError: for what is no file, cannot be read, is larger, or no UTF-8.
    """
    refuse_other_than_files(path)
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise MooInferError(f"has more than {most:,} bytes, the most that is read of such a file")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MooInferError("must be UTF-8 text") from None
    except OSError as error:
        raise MooInferError(f"cannot be read: {error.strerror}") from None


def head(path: Path, /) -> bytes:
    """Return the first 65,536 bytes of a file, unzipped where it is a gzip, without a byte order mark.

    Raises:
        MooInferError: for what is no file, cannot be read, is UTF-16 or empty.
    """
    refuse_other_than_files(path)
    try:
        with path.open("rb") as file:
            content = file.read(HEAD)
    except OSError as error:
        raise MooInferError(f"cannot be read: {error.strerror}") from None
    if content.startswith(GZIP):
        try:
            content = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(content, HEAD)
        except zlib.error:
            raise MooInferError("is no valid gzip") from None
    content = content.removeprefix(b"\xef\xbb\xbf")
    if content.startswith(UTF16):
        raise MooInferError("must be UTF-8 text, is UTF-16")
    if not content.strip():
        raise MooInferError("is empty")
    return content


def lines(path: Path, /) -> Iterator[tuple[int, str]]:
    """Yield the number and the text of every line that is not blank, of a UTF-8 file or a gzip of one.

    Raises:
        MooInferError: for a gzip that is cut off or damaged, and for other encodings.
    """
    yield from ((number, text.strip()) for number, text in whole_lines(path) if text.strip())


def whole_lines(path: Path, /) -> Iterator[tuple[int, str]]:
    """Yield what `lines` does, with blank lines and the white space around them."""
    with path.open("rb") as file:
        zipped = file.read(2) == GZIP
    number = 0
    try:
        with gzip.open(path, "rb") if zipped else path.open("rb") as file:
            for number, line in enumerate(file, 1):
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError:
        raise MooInferError(f"line {number}: must be UTF-8 text") from None
    except EOFError:
        raise MooInferError(f"the gzip is cut off after line {number}") from None
    except (zlib.error, gzip.BadGzipFile):
        raise MooInferError(f"the gzip is damaged after line {number}") from None


def csv_rows(
    numbered: Iterable[tuple[int, str]], /, *, blank_first: bool = False
) -> Iterator[tuple[int, list[str] | MooInferError]]:
    """Yield the number of the line at which each row of a CSV ends, and its fields, or why it has none.

    Args:
        numbered: lines with their numbers, as `lines` gives them.
        blank_first: whether blanks before a field are none of it, so that a quote may stand behind them.

    Raises:
        MooInferError: for a quote that does not end, as where a file is cut off.
    """
    csv.field_size_limit(2**31 - 1)  # answers may be long; the module's own limit is 128 KiB
    number = 0

    def texts() -> Iterator[str]:
        nonlocal number
        for line, text in numbered:
            number = line
            yield text

    rows = csv.reader(texts(), strict=True, skipinitialspace=blank_first)
    while True:
        try:
            fields = next(rows, None)
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise MooInferError(f"line {number}: is no CSV: a quote does not end") from None
            reason = "a line ends within a field" if "new-line" in str(error) else error
            yield number, MooInferError(f"is no CSV: {reason}")
        else:
            if fields is None:
                return
            yield number, fields


def ends_open(path: Path, /) -> bool:
    """Whether the last line of a file, or of a gzip of it, does not end, as where it is cut off."""
    with path.open("rb") as file:
        zipped = file.read(2) == GZIP
    last = b""
    with gzip.open(path, "rb") if zipped else path.open("rb") as file:
        while block := file.read(2**20):
            last = block[-1:]
    return last != b"\n"


def called_after(path: Path, /) -> str:
    """Return what a file of results is called after: its name without what tools add to it, or its folder.

    >>> called_after(Path("gpt-4_samples.jsonl_results.jsonl")), called_after(Path("runs/mine/eval_results.json"))
    ('gpt-4', 'mine')
    """
    name, before = path.name.split("--bigcodebench-")[0], ""
    while name != before:
        before = name
        name = ADDED.sub("", name)
    return name or Path(os.path.realpath(path)).parent.name


@contextmanager
def panics_as_errors() -> Iterator[None]:
    """Let polars read a file that may be damaged: where it panics, its ComputeError is raised.

    A panic is no Exception, and Rust reports it on the standard error of the process before anybody can catch it. So
    what is written there meanwhile is held back: it appears afterwards, or not at all where a panic is reported in it.
    """
    import polars as pl

    with REPORTS, _standard_error_held_back():
        try:
            yield
        except pl.exceptions.PanicException:
            raise pl.exceptions.ComputeError("it is damaged") from None


@contextmanager
def _standard_error_held_back() -> Iterator[None]:
    with ExitStack() as opened:
        held = None
        with suppress(OSError):  # it is closed, or nothing can be written elsewhere
            own = os.dup(2)
            opened.callback(os.close, own)
            held = opened.enter_context(TemporaryFile())
            os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            if held is not None:
                os.dup2(own, 2)
                held.seek(0)
                written = held.read()
                if PANIC not in written:
                    with suppress(OSError), open(2, "wb", closefd=False) as standard_error:
                        standard_error.write(written)


def refuse_unwritable(path: Path, /) -> None:
    """Raise, before any work, where a file could not be written.

    Raises:
        MooInferError: for a path that is a folder or no file, and a folder that does not exist.
    """
    if os.path.isdir(path):  # these answer where those of Path raise, for example for a name that is too long
        raise MooInferError(f"{path}: must be a file to write, is a folder")
    target = os.path.realpath(path)  # a link still, where links go round in a loop
    if os.path.lexists(target) and not os.path.isfile(target):
        raise MooInferError(f"{path}: must be a file to write")
    if not os.path.isdir(path.parent):
        raise MooInferError(f"{path}: there is no folder {str(path.parent)!r}")


@contextmanager
def atomic_write(path: Path, /) -> Iterator[Path]:
    """Yield a temporary path to write to: it replaces `path` at the end of the block, and is deleted where that raises.

    Raises:
        MooInferError: where nothing can be written there.
    """
    target = Path(os.path.realpath(path))  # a link stays one
    if os.path.lexists(target) and not os.path.isfile(target):  # a link is left there only by a loop
        raise MooInferError(f"{path}: cannot be written: is {'a folder' if os.path.isdir(target) else 'no file'}")
    try:
        with TemporaryDirectory(prefix=".moo-infer-", dir=target.parent) as folder:
            yield Path(folder) / target.name
            (Path(folder) / target.name).replace(target)
    except OSError as error:
        raise MooInferError(f"{path}: cannot be written: {error.strerror or error}") from None


def exchanged(first: Path, second: Path, /) -> bool:
    """Exchange two folders in one step; returns False, with nothing changed, where the system cannot.

    Python has no name for it: ``renameat2(2)`` of Linux, ``renamex_np(2)`` of macOS. Some file systems lack it.
    """
    import ctypes

    swap, here = 2, -100  # RENAME_EXCHANGE and RENAME_SWAP are both 2; AT_FDCWD of Linux: paths as they are
    names = os.fsencode(first), os.fsencode(second)
    try:
        if sys.platform == "linux":
            return bool(ctypes.CDLL(None).renameat2(here, names[0], here, names[1], ctypes.c_uint(swap)) == 0)
        if sys.platform == "darwin":
            return bool(ctypes.CDLL(None).renamex_np(*names, ctypes.c_uint(swap)) == 0)
    except AttributeError:  # an older C library
        pass
    return False
