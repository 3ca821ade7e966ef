"""Reads the logs of inspect_ai, without inspect_ai."""

import copy
import json
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MooInferError
from ..files import head
from ..hookspecs import hookimpl
from ..interfaces import LogReader
from .logs import document, one, share, warn_of_partial

__all__ = ["InspectAI"]

ZIP = b"PK\x03\x04"
ZSTANDARD = 93  # the compression of newer logs, which zipfile knows since Python 3.14 only
MARKS = {"c": 1.0, "p": 0.5, "i": 0.0, "n": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
APART = ("google", "vertex", "grok", "xai")  # providers whose reasoning was logged beside the output
SAMPLE = re.compile(r"samples/.*_epoch_\d+(\.json|/sample\.json)")
KEPT = ("id", "epoch", "scores", "model_usage", "working_time", "error", "invalidation")


@dataclass(frozen=True)
class InspectAI(LogReader):
    """Logs of inspect_ai, ``.eval`` or ``.json``: epochs are the samples of a question.

    Samples that failed, were invalidated or were not scored are neither right nor wrong; partial scores count as
    wrong, and a warning counts them. Tokens and dollars are those of the evaluated model, without graders and tools;
    seconds are the working time, without waits for rate limits. Input includes cached tokens, output includes
    reasoning: what was logged apart (older logs of Google and xAI) is added, as the logged total of tokens tells.

    Args:
        scorer: which scorer says whether an answer is right; default the only one.
    """

    name = "inspect-ai"

    scorer: str = ""

    def recognises(self, head: bytes, path: Path, /) -> bool:
        """By the first member of the ZIP, or the first keys of the JSON."""
        if head.startswith(ZIP):
            return (
                re.match(rb"(_journal/|samples/|header\.json|summaries\.json|reductions\.json)", head[30:]) is not None
            )
        return re.match(rb'\s*\{\s*"version"\s*:\s*\d+\s*,\s*"status"\s*:\s*"', head) is not None

    def read(self, path: Path, /) -> Iterator[dict[str, object]]:
        """Yield a row for every sample."""
        header, samples = _zipped(path) if head(path).startswith(ZIP) else _plain(path)
        try:
            model = str(header["eval"]["model"])
        except (KeyError, TypeError):
            raise MooInferError("the header names no model") from None
        if not samples:
            raise MooInferError(f"holds no samples (its status: {header.get('status', 'started')})")
        if (status := header.get("status", "started")) != "success":
            warnings.warn(f"{path}: the status of the log is {status!r}: samples may be missing", stacklevel=2)
        scorer = one(self.scorer, (name for sample in samples for name in sample["scores"] or ()), "scorer", self.name)
        others = {name for sample in samples for name in sample["model_usage"] or () if name != model}
        if others:
            warnings.warn(f"{path}: tokens of other models are not counted: {', '.join(sorted(others))}", stacklevel=2)
        partial = 0
        for sample in samples:
            where = f"sample {sample['id']!r:.60}, epoch {sample['epoch']}"
            try:
                score = (sample["scores"] or {}).get(scorer) or {"value": float("nan")}
                failed = sample["error"] is not None or sample["invalidation"] is not None
                value = None if failed else _value(score["value"])
                usage = _usage((sample["model_usage"] or {}).get(model), model.split("/")[0])
            except MooInferError as error:
                raise MooInferError(f"{where}: {error}") from None
            except (KeyError, TypeError, AttributeError) as error:
                raise MooInferError(f"{where}: cannot be read: {error}") from None
            partial += value is not None and 0 < value < 1
            yield {
                "model": model,
                "question_id": sample["id"],
                "sample": sample["epoch"],
                "correct": None if value is None else value == 1,
                "answer": score.get("answer"),
                "latency_s": sample["working_time"],
                **usage,
            }
        warn_of_partial(partial, path)


def _plain(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The header and the samples of a JSON log."""
    log = document(path)
    return log, [_kept(sample) for sample in log.get("samples") or ()]


def _zipped(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The header and the samples of a ZIP log; while it runs, a log has a beginning and no header."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            header = next((name for name in ("header.json", "_journal/start.json") if name in names), None)
            if header is None:
                raise MooInferError("is a ZIP without header.json, no log of inspect_ai")
            members = [name for name in dict.fromkeys(archive.namelist()) if SAMPLE.fullmatch(name)]
            return _member(archive, header), [_kept(_member(archive, name)) for name in members]
    except zipfile.BadZipFile as error:
        raise MooInferError(f"is damaged or cut off: {error}") from None


def _kept(sample: Mapping[str, Any]) -> dict[str, Any]:
    """What is needed of a sample, so that its messages need not be kept."""
    return {name: sample.get(name) for name in KEPT}


def _member(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    """A JSON object of a ZIP."""
    info = archive.getinfo(name)
    try:
        if info.compress_type == ZSTANDARD:
            text: str | bytes = _unpacked(archive, info)
        else:
            text = archive.read(info)
        found = json.loads(text)
    except (ValueError, RecursionError, EOFError, OSError) as error:
        raise MooInferError(f"{name}: is damaged: {error}") from None
    except NotImplementedError as error:
        raise MooInferError(f"{name}: {error}; write the log anew with `inspect log convert --to json`") from None
    if not isinstance(found, dict):
        raise MooInferError(f"{name}: must be a JSON object")
    return found


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    """The text of a member that polars unpacks: its bytes, taken as if they were stored."""
    import polars as pl

    stored = copy.copy(info)
    stored.compress_type, stored.file_size = zipfile.ZIP_STORED, info.compress_size
    del stored.CRC  # it is that of the text
    with archive.open(stored) as file:
        return "\n".join(pl.read_lines(file.read()).to_series().to_list())


def _value(given: object) -> float | None:
    """A score as a number in [0, 1], as inspect_ai takes letters and words; None for NaN."""
    if isinstance(given, str):
        if given.lower() in MARKS:
            return MARKS[given.lower()]
        try:
            return share(float(given))
        except ValueError:
            raise MooInferError(f"the score {given!r:.40} is neither right nor wrong") from None
    return share(given)


def _usage(usage: Mapping[str, Any] | None, provider: str) -> dict[str, object]:
    """Tokens and dollars of a sample: all of the input, all of the output.

    Cached tokens were part of the input in older logs of some providers, and reasoning was none of the output in older
    logs of others. Where the tokens have a total, the reading that adds up is taken.
    """
    if not usage:
        return {}
    tokens_in, tokens_out = usage["input_tokens"], usage["output_tokens"]
    read, reasoning = usage.get("input_tokens_cache_read"), usage.get("reasoning_tokens")
    cached = (read or 0) + (usage.get("input_tokens_cache_write") or 0)
    readings = [(cached, 0), (0, 0)]
    if provider in APART and reasoning:
        readings = [(cached, reasoning), (cached, 0), (0, reasoning)]
    total = usage.get("total_tokens")
    fit = (reading for reading in readings if tokens_in + tokens_out + sum(reading) == total)
    more_in, more_out = next(fit, readings[0])
    return {
        "input_tokens": tokens_in + more_in,
        "cached_input_tokens": read,
        "output_tokens": tokens_out + more_out,
        "reasoning_tokens": reasoning,
        "cost_usd": usage.get("total_cost"),
    }


@hookimpl
def register_log_readers() -> list[type[LogReader]]:
    """Register the reader."""
    return [InspectAI]
