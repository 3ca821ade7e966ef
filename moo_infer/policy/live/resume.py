"""The files of a run, opened anew or where an earlier one stopped."""

import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from ...core.errors import MooInferError
from .course import Sample
from .inference import Stopped
from .journal import Journal, LineFile, journal_of, locked, number_of
from .question import Question
from .rows import parsed, sample_of

__all__ = ["Files", "fingerprint"]

HASH = "run"  # the key of the journal's first line that tells runs apart


def fingerprint(parts: Mapping[str, Any], /) -> str:
    """Return a hash of what makes a run: another one does not go on where this one stopped.

    >>> fingerprint({"seed": 0}) == fingerprint({"seed": 0}), len(fingerprint({"seed": 1}))
    (True, 64)
    """
    return sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


@dataclass(eq=False)
class Files:
    """Log, journal, answers and texts of a run; a context manager.

    Args:
        out: the log, a row an inference.
        run: what `fingerprint` gave.
        variants: by profile the variant of a model that it is; "" for none.
        answers_path: where a line a question goes; None for nowhere.
        texts_path: where prompts and completions go, for nobody else to read; None for nowhere.
    """

    out: Path
    run: str
    variants: Mapping[str, str]
    answers_path: Path | None = None
    texts_path: Path | None = None
    log: LineFile = field(init=False)
    journal: Journal = field(init=False)
    answers: LineFile | None = field(default=None, init=False)
    texts: LineFile | None = field(default=None, init=False)
    resumed: bool = field(default=False, init=False)
    _torn: list[str] = field(default_factory=list, init=False)

    def __enter__(self) -> "Files":
        path, opened = journal_of(self.out), []
        had_log, had_journal = os.path.lexists(self.out), os.path.lexists(path)
        if had_log and not had_journal:
            raise MooInferError(f"{self.out}: is there already, without {path.name}: no run of this tool to go on with")
        try:
            opened.append(file := LineFile(path))
            locked(file)
            self._begin(file)
            opened.append(log := LineFile(self.out))
            self.log, self.journal = log, Journal(file)
            self._drop_torn_line(log)
            if self.texts_path is not None:
                opened.append(texts := LineFile(self.texts_path, private=True))
                self.texts = texts
                if self.resumed:  # what stands there otherwise is somebody else's
                    self._drop_torn_line(texts)
            if self.answers_path is not None:
                opened.append(answers := LineFile(self.answers_path))
                answers.cut(0)
                self.answers = answers
        except BaseException:
            for one in opened:
                one.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for file in self.all:
            file.close()

    @property
    def all(self) -> list[LineFile]:
        """All of them."""
        return [file for file in (self.journal.file, self.log, self.answers, self.texts) if file is not None]

    def _begin(self, file: LineFile) -> None:
        """Write the first line, or see that it is that of this run."""
        self._drop_torn_line(file)
        first = next(file.lines(), None)
        if first is None:
            if self.out.exists() and self.out.stat().st_size:
                raise MooInferError(f"{file.path}: is empty, and {self.out.name} is not: no run to go on with")
            file.add({"schema": 1, HASH: self.run})
            return
        header = parsed(first)
        if header is None or HASH not in header:
            raise MooInferError(f"{file.path}: is no journal of a run")
        if header[HASH] != self.run:
            raise MooInferError(
                f"{self.out}: holds another run: questions, what is sent, policy, prices, seed or options differ; "
                "take another --out, or the same command"
            )
        self.resumed = True

    def _drop_torn_line(self, file: LineFile) -> None:
        if dropped := file.drop_torn_line():
            self._torn.append(f"{file.path}: a line that was cut off is dropped, {dropped} bytes")

    def read(self, questions: Sequence[Question], told: Callable[[str], None]) -> dict[str, list[Sample]]:
        """Return what an earlier run brought, by the id of the question, and tell what is to be known of it.

        Raises:
            MooInferError: for files that no run wrote.
        """
        lines = self.journal.file.lines()
        next(lines, None)
        requests = self.journal.read(lines)
        rows = self._rows({question.id for question in questions})
        for _, sample in rows:
            self.journal.ended(sample.inference.call)
        for sentence in self._torn:
            told(sentence)
        if self.resumed and (rows or requests):
            told(f"going on with {self.out}: {len(rows)} rows are there")
        if self.journal.open:
            told(
                f"{len(self.journal.open)} calls were started and brought no row: they count as spent, "
                f"{self.journal.lost_usd:.6g} USD"
            )
        by_question: dict[str, list[Sample]] = {}
        for name, sample in rows:
            by_question.setdefault(name, []).append(sample)
        return by_question

    def _rows(self, known: Collection[str]) -> list[tuple[str, Sample]]:
        """The rows of the log, but for those of a last request of several that were not all written."""
        rows: list[tuple[str, Sample]] = []
        size, start = 0, 0  # bytes of the rows so far, and where those of the last call begin
        for number, line in enumerate(self.log.lines(), 1):
            row, where = parsed(line), f"{self.out}: line {number}"
            if row is None:
                raise MooInferError(f"{where}: no run wrote this")
            try:
                sample = sample_of(row)
                if call := sample.inference.call:
                    self.journal.calls = max(self.journal.calls, number_of(call) + 1)
            except (MooInferError, ValueError) as error:
                raise MooInferError(f"{where}: {error}") from None
            if row["question_id"] not in known:
                raise MooInferError(f"{where}: question {row['question_id']!r:.60} is none of this run")
            if not rows or rows[-1][1].inference.call != sample.inference.call:
                start = size
            size += len(line) + 1
            rows.append((row["question_id"], sample))
        return self._whole(rows, start)

    def _whole(self, rows: list[tuple[str, Sample]], start: int) -> list[tuple[str, Sample]]:
        """Drop the rows of the last call where some of them are missing: it counts as started and not ended."""
        last = rows[-1][1].inference.call if rows else ""
        if last not in self.journal.open:
            return rows
        n = sum(sample.inference.call == last for _, sample in rows)
        if n >= self.journal.open[last].rows:
            return rows
        self.log.cut(start)
        self._torn.append(f"{self.out}: the last request has {n} of {self.journal.open[last].rows} rows: dropped")
        return rows[:-n]

    def sync(self, failed: Callable[[Stopped], None]) -> None:
        """Bring everything to the disk."""
        for file in self.all:
            try:
                file.sync()
            except Stopped as error:
                failed(error)
