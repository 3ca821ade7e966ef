"""The files of a run: what was started, what ended, and nothing paid twice."""

import asyncio
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...core.errors import MooInferError
from .inference import Stopped
from .question import Question
from .rows import is_number, is_text, is_whole, parsed

__all__ = ["Journal", "LineFile", "OpenCall", "journal_of", "locked", "number_of", "synced"]

SYNC_S = 0.2  # what a power cut may take at most
WRITTEN = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


def journal_of(out: Path, /) -> Path:
    """Return where the journal of a log stands: beside it.

    >>> journal_of(Path("log.jsonl")).name
    'log.jsonl.journal'
    """
    return out.with_name(out.name + ".journal")


class LineFile:
    """A file of lines that are added whole: in the hands of the system at once, on the disk a moment later.

    Args:
        path: the file; made where it is not there.
        private: whether nobody else may read it.
    """

    def __init__(self, path: Path, *, private: bool = False) -> None:
        self.path = path
        try:
            self.descriptor = os.open(
                path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600 if private else 0o666
            )
            if private:
                os.fchmod(self.descriptor, 0o600)
        except OSError as error:
            raise MooInferError(f"{path}: cannot be written: {error.strerror}") from None
        self.unsynced = False

    def add(self, *lines: Mapping[str, Any]) -> None:
        """Add lines, all or none of them.

        Raises:
            Stopped: where the disk takes no more.
        """
        content = b"".join(WRITTEN.encode(line).encode() + b"\n" for line in lines)
        size = os.fstat(self.descriptor).st_size
        written = 0
        try:
            while written < len(content):
                written += os.write(self.descriptor, content[written:])
        except OSError as error:
            with suppress(OSError):
                os.ftruncate(self.descriptor, size)
            raise Stopped("disk", f"{self.path}: cannot be written: {error.strerror}") from None
        self.unsynced = True

    def sync(self) -> None:
        """Bring it to the disk.

        Raises:
            Stopped: where that fails.
        """
        if not self.unsynced:
            return
        self.unsynced = False
        try:
            os.fsync(self.descriptor)
        except OSError as error:
            raise Stopped("disk", f"{self.path}: cannot be brought to the disk: {error.strerror}") from None

    def lines(self) -> Iterator[bytes]:
        """Yield all whole lines, each without its end."""
        with self.path.open("rb") as file:
            yield from (line[:-1] for line in file if line.endswith(b"\n"))

    def drop_torn_line(self) -> int:
        """Drop what stands behind the last line end, and return how many bytes that were."""
        size = os.fstat(self.descriptor).st_size
        end, step = size, 65_536
        while end > 0:
            start = max(0, end - step)
            place = os.pread(self.descriptor, end - start, start).rfind(b"\n")
            if place >= 0:
                end = start + place + 1
                break
            end = start
        os.ftruncate(self.descriptor, end)
        return size - end

    def cut(self, size: int) -> None:
        """Keep the first bytes alone."""
        os.ftruncate(self.descriptor, size)

    def close(self) -> None:
        """Close it; nothing happens the second time."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def locked(file: LineFile, /) -> None:
    """Keep other processes out for as long as this one lives.

    Raises:
        MooInferError: where another one has it, and where the system has no such locks.
    """
    try:
        import fcntl
    except ImportError:
        raise MooInferError("run and sample need locks of files (flock), which this system has not") from None
    try:
        fcntl.flock(file.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise MooInferError(f"{file.path}: another process is running this; wait for its end, or stop it") from None


@dataclass
class OpenCall:
    """A call that was started and has no row yet.

    Args:
        question_id: what it is about.
        rows: how many it brings.
        usd: dollars of each of its requests at most, as far as nothing better is known.
    """

    question_id: str
    rows: int
    usd: list[float] = field(default_factory=list)


@dataclass(eq=False)
class Journal:
    """What was started: a line for every request before it is sent, and one for each that brought nothing.

    Args:
        file: where it stands.
        open: calls that have no row yet, by their ids.
        calls: how many calls there were, as their ids count them.
        granted: dollars that questions may take, by their ids, where they share a budget.
    """

    file: LineFile
    open: dict[str, OpenCall] = field(default_factory=dict)
    calls: int = 0
    granted: dict[str, float] = field(default_factory=dict)

    def grant(self, question: Question, usd: float, /) -> None:
        """Take down what a question may take of the budget, before it takes anything."""
        self.file.add({"question_id": question.id, "grant_usd": usd})
        self.granted[question.id] = usd

    def sent(self, call: str, model: str, question: Question, times: int, usd: float, at: str, /) -> None:
        """Take down that a request is about to be sent, and what it may cost."""
        about = {"call": call, "model": model, "question_id": question.id, "times": times}
        self.file.add({**about, "largest_usd": usd, "at": at})
        self._open(call, question.id, times).usd.append(usd)

    def lost(self, call: str, usd: float, /) -> None:
        """Take down that the last request of a call brought nothing, and what it counts."""
        self.file.add({"call": call, "lost_usd": usd})
        self.open[call].usd[-1] = usd

    def brings(self, call: str, rows: int, /) -> None:
        """Take down how many rows of a call follow in the log, where these are not as many as were asked for."""
        if call in self.open and rows != self.open[call].rows:
            self.file.add({"call": call, "rows": rows})
            self.open[call].rows = rows

    def ended(self, call: str, /) -> None:
        """Forget a call that has its rows."""
        self.open.pop(call, None)

    def read(self, lines: Iterable[bytes], /) -> int:
        """Read the lines of an earlier run, and return how many requests they tell of.

        Raises:
            MooInferError: for a line that no run wrote.
        """
        count = 0
        for number, line in enumerate(lines, 2):
            entry = parsed(line) or {}
            try:
                count += self._read(entry)
            except (AttributeError, KeyError, TypeError, ValueError, IndexError):
                raise MooInferError(f"{self.file.path}: line {number}: no run wrote this") from None
        return count

    def _read(self, entry: Mapping[str, Any]) -> bool:
        """Read a line, and return whether it tells of a request."""
        if "grant_usd" in entry:
            if not (is_text(entry["question_id"]) and is_number(entry["grant_usd"])):
                raise ValueError
            self.granted[entry["question_id"]] = entry["grant_usd"]
            return False
        call, sent = entry["call"], "largest_usd" in entry
        if sent:
            self._open(call, entry["question_id"], entry["times"]).usd.append(entry["largest_usd"])
            self.calls = max(self.calls, number_of(call) + 1)
        elif "rows" in entry:
            self.open[call].rows = entry["rows"]
        else:
            self.open[call].usd[-1] = entry["lost_usd"]
        of = self.open[call]
        if not (is_text(of.question_id) and is_whole(of.rows) and is_number(of.usd[-1])):
            raise ValueError
        return sent

    def _open(self, call: str, question_id: str, rows: int) -> OpenCall:
        return self.open.setdefault(call, OpenCall(question_id, rows))

    def lost_by_question(self) -> dict[str, float]:
        """Return what calls that have no row count, by the id of their question."""
        usd: dict[str, float] = {}
        for call in self.open.values():
            usd[call.question_id] = usd.get(call.question_id, 0.0) + sum(call.usd)
        return usd

    @property
    def lost_requests(self) -> int:
        """Requests of calls that have no row."""
        return sum(len(call.usd) for call in self.open.values())

    @property
    def lost_usd(self) -> float:
        """What these count."""
        return sum((sum(call.usd) for call in self.open.values()), 0.0)


def number_of(call: str, /) -> int:
    """Return the number of a call, which stands behind what it sends: no two of a run have the same.

    >>> number_of("54c626e9c567-7")
    7

    Raises:
        ValueError: for what is no id of a call.
    """
    sent, _, number = call.rpartition("-")
    if not sent or not (number.isascii() and number.isdigit()):
        raise ValueError(f"{call!r:.60} is no id of a call")
    return int(number)


async def synced(files: Sequence[LineFile], failed: Callable[[Stopped], None], /) -> None:
    """Bring files to the disk again and again, all that waits at once; no request waits for it.

    Args:
        files: those that are added to.
        failed: told where a disk takes no more.
    """
    while True:
        await asyncio.sleep(SYNC_S / 2)
        try:
            await asyncio.to_thread(_sync, files)
        except Stopped as error:
            failed(error)


def _sync(files: Sequence[LineFile]) -> None:
    for file in files:
        file.sync()
