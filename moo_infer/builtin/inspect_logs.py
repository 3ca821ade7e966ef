"""Reads the logs of inspect_ai, without inspect_ai."""

import copy
import hashlib
import json
import re
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import MooInferError
from ..core.files import head, panics_as_errors
from ..hookspecs import hookimpl
from ..interfaces import LogReader
from ..quantities.labels import TASK
from ..read.bounds import zstandard_bound
from ..read.json_files import beginnings, json_object
from .inspect_calls import Calls
from .logs import Row, each, named_or_only

__all__ = ["InspectAI"]

ZIP = b"PK\x03\x04"
ZSTANDARD = 93  # the compression of newer logs, which zipfile knows since Python 3.14 only
MARKS = {"c": 1.0, "p": 0.5, "i": 0.0, "n": 0.0}  # of inspect_ai: correct, partly, incorrect, no answer
SLACK = 2**24  # bytes by which the bound may be above the true size: blocks may be flushed before they are full
MEMBER = "samples/"
PIECE = re.compile(r"_epoch_\d+/(?!sample\.json$)")  # of a sample that is stored in several members
Entry = tuple[str, dict[str, Any] | MooInferError]


@dataclass(frozen=True)
class InspectAI(LogReader):
    """Logs of inspect_ai, ``.eval`` or ``.json``: epochs are the samples of a question, which is called ``task:id``.

    Samples that failed, were invalidated or were not scored are neither right nor wrong. Tokens and dollars are those
    of the evaluated model, without graders and tools; seconds are the working time, without waits for rate limits.
    Input includes cached tokens, output includes reasoning: what was logged apart (older logs of Google and xAI) is
    added, as the logged total of tokens tells. Calls that came from the cache of inspect_ai itself count with the
    tokens they had when they were made; the seconds of such a sample are those of its calls and tools.

    Args:
        scorer: which scorer says whether an answer is right; default the only one.
    """

    name = "inspect-ai"

    scorer: str = ""

    def recognises(self, head: bytes, path: Path, /) -> bool:
        """By the first member of the ZIP, or the keys of the JSON."""
        if head.startswith(ZIP):
            return (
                re.match(rb"(_journal/|samples/|header\.json|summaries\.json|reductions\.json)", head[30:]) is not None
            )
        return any(_is_header(begun) for begun in beginnings(head, path))

    def read(self, path: Path, /) -> Iterator[Row | MooInferError]:
        """Yield a row for every sample."""
        log = _zipped(path) if head(path).startswith(ZIP) else _plain(path)
        header = log.header
        try:
            model, task = str(header["eval"]["model"]), str(header["eval"].get("task") or "")
        except (KeyError, TypeError, AttributeError):
            raise MooInferError("the header names no model") from None
        samples = [
            (where, entry if isinstance(entry, MooInferError) else _kept(entry, model)) for where, entry in log.entries
        ]
        if not samples:
            raise MooInferError(f"holds no samples (its status: {header.get('status', 'started')})")
        read = [sample for _, sample in samples if isinstance(sample, dict)]
        scorer = (
            named_or_only(self.scorer, (name for sample in read for name in sample["scores"]), "scorer", self.name)
            if read
            else ""
        )
        for sentence in _oddities(log, samples, model):
            warnings.warn(f"{path}: {sentence}", stacklevel=2)

        def scored(sample: dict[str, Any]) -> Iterator[Row]:
            score = sample["scores"].get(scorer) or {}
            failed = sample["error"] is not None or sample["invalidation"] is not None
            answer = score.get("answer")
            yield {
                "model": model,
                "question_id": f"{task}:{sample['id']}" if task and sample["id"] is not None else sample["id"],
                TASK: task,
                "sample": sample["epoch"],
                "correct": None if failed else _marked(score.get("value")),
                "answer": None if answer is None else str(answer),
                "fingerprint": sample["fingerprint"],
                **sample["calls"].taken(),
            }

        yield from each(samples, scored)


def _oddities(log: "_Log", samples: Sequence[tuple[str, dict[str, Any] | MooInferError]], model: str) -> list[str]:
    """Remarks on a log: what is missing in it, and what is counted in an unexpected way."""
    sentences = []
    if log.unread:
        sentences.append(f"{log.unread} members of the ZIP under {MEMBER} are no JSON and are not read")
    if log.claimed > len(samples):
        sentences.append(f"the log says that it has {log.claimed} samples, but {len(samples)} are in it")
    if (status := log.header.get("status", "started")) != "success":
        sentences.append(f"the status of the log is {status!r}: samples may be missing")
    read = [sample for _, sample in samples if isinstance(sample, dict)]
    if others := {name for sample in read for name in sample["models"] if name != model}:
        sentences.append(f"tokens of other models are not counted: {', '.join(sorted(others))}")
    if cached := sum(sample["calls"].cached for sample in read):
        sentences.append(
            f"{cached} samples came from the cache of inspect_ai, all or in part: tokens are those that their "
            "calls had when they were made, and seconds those of their calls and tools, where the log knows them"
        )
    return sentences


def _is_header(begun: object) -> bool:
    """Whether a document begins as a log does, by which keys there are."""
    if not isinstance(begun, dict) or "eval" not in begun:
        return False
    of = begun["eval"]
    return {"version", "status"} <= begun.keys() or (isinstance(of, dict) and {"model", "task"} <= of.keys())


@dataclass(frozen=True)
class _Log:
    """A log as it is stored.

    Args:
        header: what it says of the whole.
        entries: where each sample stands, and the sample; those of a ZIP are read one by one.
        claimed: how many samples it says it has.
        unread: how many members of a ZIP might be samples but are none.
    """

    header: dict[str, Any]
    entries: Iterable[Entry]
    claimed: int
    unread: int = 0


def _plain(path: Path) -> _Log:
    """A JSON log."""
    log = json_object(path)
    samples = log.get("samples") or []
    if not isinstance(samples, list):
        raise MooInferError("samples must be a list")
    entries = []
    for i, sample in enumerate(samples, 1):
        odd = MooInferError(f"sample {i} of the list: must be an object")
        entries.append((_where(sample), sample) if isinstance(sample, dict) else (str(i), odd))
    return _Log(log, entries, _claimed(log))


def _zipped(path: Path) -> _Log:
    """A ZIP log; while it runs, a log has a beginning and no header."""
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        reason = f": {error}" if isinstance(error, zipfile.BadZipFile) else ""
        raise MooInferError(f"is damaged or cut off{reason}") from None
    with archive:
        names = list(dict.fromkeys(archive.namelist()))
        start = next((name for name in ("header.json", "_journal/start.json") if name in names), None)
        if start is None:
            raise MooInferError("is a ZIP without header.json, no log of inspect_ai")
        header, claimed = _member(archive, start), 0
        if "summaries.json" in names:
            with suppress(MooInferError):
                summaries = _parsed(archive, "summaries.json")
                claimed = len(summaries) if isinstance(summaries, list) else 0
    under = [name for name in names if name.startswith(MEMBER) and not name.endswith("/") and not PIECE.search(name)]
    samples = [name for name in under if name.endswith(".json")]
    return _Log(header, _members(path, samples), claimed or _claimed(header), len(under) - len(samples))


def _members(path: Path, names: Iterable[str]) -> Iterator[Entry]:
    """The samples of a ZIP, of which none is kept here."""
    with zipfile.ZipFile(path) as archive:
        for name in names:
            try:
                sample = _member(archive, name)
            except MooInferError as error:
                yield name, error
            else:
                yield _where(sample), sample


def _claimed(header: Mapping[str, Any]) -> int:
    """How many samples the header says that there are; 0 where it does not."""
    results = header.get("results")
    completed = results.get("completed_samples") if isinstance(results, dict) else 0
    return completed if isinstance(completed, int) else 0


def _where(sample: Mapping[str, Any]) -> str:
    return f"sample {sample.get('id')!r:.60}, epoch {sample.get('epoch')!r:.20}"


def _kept(sample: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The part of a sample that is used later, so that its messages need not be kept."""
    usage, scores = sample.get("model_usage"), sample.get("scores")
    return {
        "id": sample.get("id"),
        "epoch": sample.get("epoch"),
        "fingerprint": _fingerprint(sample),
        "scores": {
            name: {key: score[key] for key in ("value", "answer") if key in score}
            for name, score in (scores.items() if isinstance(scores, dict) else ())
            if isinstance(score, dict)
        },
        "error": sample.get("error"),
        "invalidation": sample.get("invalidation"),
        "models": list(usage) if isinstance(usage, dict) else [],
        "calls": Calls.of(sample, model),
    }


def _fingerprint(sample: Mapping[str, Any]) -> str:
    """The question and its target. The numbers that messages get in every run are left out."""
    asked = sample.get("input")
    if isinstance(asked, list):
        asked = [(m.get("role"), m.get("content")) if isinstance(m, dict) else m for m in asked]
    text = json.dumps([asked, sample.get("choices"), sample.get("target")])
    return hashlib.sha256(text.encode()).hexdigest()


def _member(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    """A JSON object of a ZIP."""
    value = _parsed(archive, name)
    if not isinstance(value, dict):
        raise MooInferError(f"{name}: must be a JSON object")
    return value


def _parsed(archive: zipfile.ZipFile, name: str) -> Any:
    """A JSON document of a ZIP."""
    info = archive.getinfo(name)
    try:
        if info.compress_type == ZSTANDARD:
            text: str | bytes = _unpacked(archive, info)
        else:
            text = archive.read(info)
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = f": {error.msg}" if isinstance(error, json.JSONDecodeError) else ""
        raise MooInferError(f"{name}: is damaged: it is no JSON{reason}") from None
    except NotImplementedError as error:
        raise MooInferError(f"{name}: {error}; write the log anew with `inspect log convert --to json`") from None
    except (EOFError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error):  # RuntimeError: encrypted
        raise MooInferError(f"{name}: is damaged: it cannot be unpacked") from None


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    """The text of a member that polars unpacks: its bytes, taken as if they were stored."""
    import polars as pl

    stored = copy.copy(info)
    stored.compress_type, stored.file_size = zipfile.ZIP_STORED, info.compress_size
    del stored.CRC  # it is that of the text
    with archive.open(stored) as file:
        packed = file.read()
    if (most := zstandard_bound(packed)) > info.file_size + SLACK:
        raise MooInferError(
            f"{info.filename:.60}: is damaged: up to {most:,} bytes, its directory has {info.file_size:,}"
        )
    try:
        with panics_as_errors():
            return "\n".join(pl.read_lines(packed).to_series().to_list())
    except pl.exceptions.PolarsError:
        raise MooInferError(f"{info.filename:.60}: is damaged: it cannot be unpacked") from None


def _marked(score: object) -> object:
    """A score with letters as inspect_ai takes them; other values as they are."""
    if isinstance(score, str):
        return MARKS.get(score.strip().lower(), score)
    if isinstance(score, dict):
        return {key: _marked(value) for key, value in score.items()}
    return [_marked(value) for value in score] if isinstance(score, list) else score


@hookimpl
def register_log_readers() -> list[type[LogReader]]:
    """Register the reader."""
    return [InspectAI]
