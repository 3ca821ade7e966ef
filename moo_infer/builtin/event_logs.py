"""Reads the events that OpenAI's evals record."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..core.errors import MooInferError
from ..core.files import called_after
from ..hookspecs import hookimpl
from ..interfaces import LogReader
from ..read.json_files import beginnings, entries, first_record
from .logs import Row, named_or_only

__all__ = ["OpenAIEvals"]

MATCH = "match"  # the event that says whether an answer is right


@dataclass(frozen=True)
class OpenAIEvals(LogReader):
    """What ``oaieval`` of OpenAI's evals records: a line for the run, one for every event, one for the report.

    Field names are those of evals/record.py, evals/base.py and evals/completion_fns/openai.py (commit 4bfc1f5): in the
    first line ``spec`` with ``completion_fns``, the first of which is the model; events with ``sample_id`` (which holds
    the evaluation's name), ``type`` and ``data``. A ``match`` says ``correct`` and ``expected``; where it has
    ``sampled``, that is the answer (``picked`` is not: it is empty for wrong answers). Tokens are those of the
    ``usage`` of all ``sampling`` events of a sample, where all have it and the run has one model. An ``error`` without
    a match is a sample that failed. A run has one sample a question; give the files of several runs, each with a seed
    of its own. Seconds are not in these files.

    Args:
        metric: ``match``, or a metric of the ``metrics`` events; default matches where there are any, otherwise the
            only metric.
    """

    name = "openai-evals"

    metric: str = ""

    def recognises(self, head: bytes, path: Path, /) -> bool:
        """By the run's line, or the keys of an event."""
        for begun in beginnings(head, path):
            record = first_record(begun)
            spec = record.get("spec")
            if isinstance(spec, dict) and {"completion_fns", "eval_name"} & spec.keys():
                return True
            if {"run_id", "event_id", "sample_id", "type"} <= record.keys():
                return True
        return False

    def read(self, path: Path, /) -> Iterator[Row | MooInferError]:
        """Yield a row for every sample."""
        models: list[str] = []
        samples: dict[str, _Sample] = {}
        for where, record in entries(path):
            if isinstance(record, MooInferError):
                yield record
                continue
            spec = record.get("spec")
            if isinstance(spec, dict) and isinstance(spec.get("completion_fns"), list):
                models = [str(name) for name in spec["completion_fns"]]
            if "type" not in record or "final_report" in record or spec is not None:
                continue
            name, data = record.get("sample_id"), record.get("data")
            if not isinstance(name, str) or not name.strip() or not isinstance(data, dict):
                yield MooInferError(f"{where}: an event needs a sample_id and data")
                continue
            samples.setdefault(name, _Sample()).take(str(record["type"]), data)
        names = list(dict.fromkeys(key for sample in samples.values() for key in sample.metrics))
        metric = self._metric(names, any(sample.matches for sample in samples.values()))
        for name, sample in samples.items():
            try:
                row = sample.row(metric, len(models) == 1)
            except MooInferError as error:
                yield MooInferError(f"sample {name}: {error}")
            else:
                yield {"model": models[0] if models else called_after(path), "question_id": name, "sample": 0, **row}

    def _metric(self, names: list[str], matched: bool) -> str:
        """The metric that says what is right: the one asked for, or the events of matches, or the only one."""
        metric = self.metric or (MATCH if matched else named_or_only("", names, "metric", self.name))
        if metric != MATCH:
            named_or_only(metric, [*names, *[MATCH] * matched], "metric", self.name)
        elif not matched:
            raise MooInferError(f"has no event of type {MATCH}; metrics: {', '.join(names) or 'none'}")
        return metric


@dataclass
class _Sample:
    """The events of a sample."""

    matches: list[Mapping[str, Any]] = field(default_factory=list)
    metrics: dict[str, Any] = field(default_factory=dict)
    samplings: list[Mapping[str, Any]] = field(default_factory=list)
    failed: bool = False

    def take(self, kind: str, data: Mapping[str, Any]) -> None:
        """Take an event."""
        if kind == MATCH:
            self.matches.append(data)
        elif kind == "metrics":
            self.metrics |= {str(key): value for key, value in data.items() if isinstance(value, int | float | str)}
        elif kind == "sampling":
            self.samplings.append(data)
        elif kind == "error":
            self.failed = True

    def row(self, metric: str, alone: bool) -> Row:
        """What is known of the sample; `alone`: all its events are of the evaluated model."""
        match = self.matches[0] if self.matches else {}
        answer, expected = match.get("sampled"), match.get("expected")
        row: Row = {"answer": answer if isinstance(answer, str) else None}
        row["fingerprint"] = None if expected is None else str(expected)
        if metric == MATCH:
            if len(self.matches) > 1:
                raise MooInferError(f"has {len(self.matches)} matches, so that it is not known which of them counts")
            if not self.matches and not self.failed:
                raise MooInferError("has no match")
            correct = match.get("correct")
            if self.matches and not isinstance(correct, bool):
                raise MooInferError(f"correct must be true or false, got {correct!r:.40}")
            row["correct"] = correct
        elif metric in self.metrics or self.failed:
            row["correct"] = self.metrics.get(metric)
        else:
            raise MooInferError(f"has no metric {metric!r}")
        usages = [sampling.get("usage") for sampling in self.samplings]
        if alone and usages and all(isinstance(usage, dict) for usage in usages):
            for name, key in (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")):
                counts = [usage.get(key) for usage in usages if isinstance(usage, dict)]
                if all(isinstance(count, int) for count in counts):
                    row[name] = sum(count for count in counts if isinstance(count, int))
        return row


@hookimpl
def register_log_readers() -> list[type[LogReader]]:
    """Register the reader."""
    return [OpenAIEvals]
