"""Reads what NeMo-Skills writes: one generation of every problem of a benchmark, judged."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import MooInferError
from ..core.files import called_after
from ..hookspecs import hookimpl
from ..interfaces import LogReader
from ..quantities.labels import TASK
from ..read.json_files import beginnings, entries, first_record
from .logs import Row, each, named_or_only

__all__ = ["NeMoSkills"]

SYMBOLIC, JUDGE = "symbolic_correct", "judge_correct"
JUDGEMENTS = (SYMBOLIC, "judgement", "is_correct", "is_correct-plus")  # keys that say whether a generation is right
RESULTS = re.compile(r"(tmp-)?eval-results")
PLACE = ""  # no key of a record: its place in the file
CHUNK = re.compile(r"_chunk_(\d+)")


@dataclass(frozen=True)
class NeMoSkills(LogReader):
    """What NeMo-Skills writes, ``output.jsonl`` or ``output-rs0.jsonl``: the problems of a benchmark, one sample each.

    Field names are those of nemo_skills/inference/generate.py and model/base.py (``generation``,
    ``num_generated_tokens``, ``num_input_tokens``, ``num_reasoning_tokens``), evaluation/evaluator
    (``predicted_answer``, ``expected_answer``, ``symbolic_correct``, ``is_correct``, ``is_correct-plus``) and
    evaluation/metrics (``judgement``, ``reward_model_score``), at commit 0b012df. A judgement is right where
    "Judgement:" is followed by yes, as in the tool itself. Every random seed is a file of its own: give them all, and
    they are the samples of the problems. A problem is called after its folder, the benchmark, and its place in the
    file, as the tool counts them. The model is not in the file: it is called after the folder around ``eval-results``,
    otherwise after the file. Seconds are not read, because ``generation_time`` holds the wait for other requests too.

    Args:
        metric: what says whether a generation is right: ``symbolic_correct``, ``judge_correct``, ``is_correct`` or
            ``is_correct-plus``; default the only one.
    """

    name = "nemo-skills"

    metric: str = ""

    def recognises(self, head: bytes, path: Path, /) -> bool:
        """By a generation and its judgement."""
        for begun in beginnings(head, path):
            keys = first_record(begun).keys()
            if "generation" in keys and keys & {*JUDGEMENTS}:
                return True
        return False

    def read(self, path: Path, /) -> Iterator[Row | MooInferError]:
        """Yield a row for every generation."""
        records = [*entries(path)]
        names = (key for _, record in records if isinstance(record, dict) for key in JUDGEMENTS if key in record)
        there = [JUDGE if key == "judgement" else key for key in names]
        metric = named_or_only(self.metric, there, "metric", self.name) if there or self.metric else ""
        folder, chunk = Path(os.path.realpath(path)).parent, CHUNK.search(path.name)
        benchmark = f"{folder.name}:chunk {chunk[1]}" if chunk else folder.name
        model = folder.parent.parent.name if RESULTS.fullmatch(folder.parent.name) else called_after(path)

        def judged(record: dict[str, Any]) -> Iterator[Row]:
            position = record.get("_async_position", record[PLACE])
            key = "judgement" if metric == JUDGE else metric
            correct: object = record[key]
            if metric == JUDGE:
                correct = _is_right(correct)
            answer = record.get("predicted_answer")
            yield {
                "model": model,
                "question_id": f"{benchmark}:{position}",
                TASK: folder.name,
                "sample": 0,
                "correct": correct,
                "answer": None if answer is None else str(answer),
                "fingerprint": str((record.get("problem"), record.get("expected_answer"))),
                "score": record.get("reward_model_score"),
                "input_tokens": record.get("num_input_tokens"),
                "output_tokens": record.get("num_generated_tokens"),
                "reasoning_tokens": record.get("num_reasoning_tokens"),
            }

        placed = (
            (where, record if isinstance(record, MooInferError) else {**record, PLACE: position})
            for position, (where, record) in enumerate(records)
        )
        yield from each(placed, judged)


def _is_right(judgement: object) -> bool:
    """Whether a judgement says yes; a judgement that says neither yes nor no counts as no."""
    if not isinstance(judgement, str):
        raise MooInferError(f"judgement must be text, got {judgement!r:.40}")
    verdict = judgement.rpartition("Judgement:")
    return bool(verdict[1]) and verdict[2].strip().lower().startswith("yes")


@hookimpl
def register_log_readers() -> list[type[LogReader]]:
    """Register the reader."""
    return [NeMoSkills]
