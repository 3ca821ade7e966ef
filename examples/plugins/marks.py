# examples/plugins/marks.py
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from moo_infer import LogReader, MooInferError, hookimpl


@dataclass(frozen=True)
class Marks(LogReader):
    """Our own evaluations: for every question the marks of its answers, out of ten.

    Args:
        enough: the mark from which on an answer is right, in 1 ... 10.
    """

    name = "marks"

    enough: int = 5

    def recognises(self, head: bytes, path: Path, /) -> bool:
        return head.startswith(b'{"pupil":')

    def read(self, path: Path, /) -> Iterator[dict[str, object]]:
        try:
            report = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise MooInferError(f"is no JSON: {error}") from None
        for question, marks in report["marks"].items():
            for i, mark in enumerate(marks):
                row = {"model": report["pupil"], "question_id": question, "sample": i}
                yield row | {"correct": mark >= self.enough, "score": mark / 10}


@hookimpl
def register_log_readers() -> list[type[LogReader]]:
    return [Marks]
