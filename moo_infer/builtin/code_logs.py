"""Readers of what the scorers of programs write: HumanEval, EvalPlus, BigCodeBench, LiveCodeBench.

Answers are not read where they are programs: these differ in their text, whatever they do. Models are called as the
files, without what the tools add to the names, or as the folder where nothing is left.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ..core.errors import MooInferError
from ..core.files import called_after
from ..hookspecs import hookimpl
from ..interfaces import LogReader
from ..read.json_files import beginnings, document, entries, first_record, json_object
from .logs import Row, each

__all__ = ["BigCodeBench", "EvalPlus", "HumanEval", "LiveCodeBench"]

PASSED = ("pass", "success")  # of EvalPlus: since February 2024, and before
STATUS = ("pass", "fail", "timeout", "timed out", "success", "failed")


@dataclass(frozen=True)
class HumanEval(LogReader):
    """What the scorer of HumanEval writes, ``*_results.jsonl``: several lines of one task are its samples, in order.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "mine_samples.jsonl_results.jsonl"
    ...     _ = file.write_text('{"task_id": "t/0", "completion": "", "result": "passed", "passed": true}')
    ...     [*HumanEval().read(file)]
    [{'model': 'mine', 'question_id': 't/0', 'sample': 0, 'correct': True}]
    """

    name = "human-eval"

    def recognises(self, head: bytes, path: Path, /) -> bool:
        """By the keys task_id and passed."""
        return any({"task_id", "passed"} <= first_record(begun).keys() for begun in beginnings(head, path))

    def read(self, path: Path, /) -> Iterator[Row | MooInferError]:
        """Yield a row for every record."""
        taken: Counter[str] = Counter()
        model = called_after(path)

        def scored(record: dict[str, Any]) -> Iterator[Row]:
            task, correct = str(record["task_id"]), record.get("passed")
            if not isinstance(correct, bool):
                raise MooInferError("passed is neither true nor false; only scored samples can be read")
            yield {"model": model, "question_id": task, "sample": taken[task], "correct": correct}
            taken[task] += 1

        yield from each(entries(path), scored)


@dataclass(frozen=True)
class EvalPlus(LogReader):
    """What EvalPlus writes, ``*_eval_results.json``: the samples of every task with the status of its tests.

    Since February 2024 (commit 1034038) a task is a list of samples with ``base_status`` and ``plus_status``; before, a
    mapping with ``base`` and ``plus``, lists of [status, details] for each sample, and ``files`` or ``nfiles``
    (evalplus/evaluate.py at cb474bc and e650fda).

    Args:
        tests: ``plus`` for the samples that pass all tests, ``base`` for those that pass the original ones.
    """

    name = "evalplus"

    tests: Literal["plus", "base"] = "plus"

    def recognises(self, head: bytes, path: Path, /) -> bool:
        """By a mapping ``eval`` of tasks, whose samples have more than one status."""
        return any(_tasks(begun) is not None and not _has_one_status(begun) for begun in beginnings(head, path))

    def read(self, path: Path, /) -> Iterator[Row | MooInferError]:
        """Yield a row for every sample of every task."""
        model = called_after(path)
        tasks = _results(path)
        statuses = [(task, *sample) for task, samples in tasks.items() for sample in _numbered(task, samples)]
        plus = any(isinstance(status, Mapping) and status.get("plus") is not None for _, _, _, status in statuses)
        if self.tests == "plus" and statuses and not plus:
            raise MooInferError("only base tests were run; name the format: --format evalplus:tests=base")

        def scored(entry: dict[str, Any]) -> Iterator[Row]:
            correct = _passed(entry["base"])
            if correct and self.tests == "plus":
                correct = _passed(entry["plus"])
            yield {"model": model, "question_id": entry["task"], "sample": entry["sample"], "correct": correct}

        yield from each(
            (
                (where, status if isinstance(status, MooInferError) else {**status, "task": task, "sample": i})
                for task, where, i, status in statuses
            ),
            scored,
        )


@dataclass(frozen=True)
class BigCodeBench(LogReader):
    """What BigCodeBench writes, ``*_eval_results.json``: the samples of every task with the ``status`` of its tests.

    Field names are those of bigcodebench/evaluate.py (version 0.2.5, commit 47eff25): ``eval``, a mapping of tasks to
    lists of samples with ``task_id``, ``solution``, ``status`` and ``details``. The model is what stands
    before ``--bigcodebench-`` in the name of the file, as in the tool itself.
    """

    name = "bigcodebench"

    def recognises(self, head: bytes, path: Path, /) -> bool:
        """By a mapping ``eval`` of tasks, whose samples have one status."""
        return any(_tasks(begun) is not None and _has_one_status(begun) for begun in beginnings(head, path))

    def read(self, path: Path, /) -> Iterator[Row | MooInferError]:
        """Yield a row for every sample of every task."""
        model = called_after(path)

        def scored(sample: dict[str, Any]) -> Iterator[Row]:
            correct = _passed(sample["status"])
            yield {"model": model, "question_id": sample["task"], "sample": sample["sample"], "correct": correct}

        def samples() -> Iterator[tuple[str, dict[str, Any] | MooInferError]]:
            for task, listed in _results(path).items():
                if not isinstance(listed, list):
                    yield task, MooInferError(f"{task}: must be a list of samples")
                    continue
                for i, sample in enumerate(listed):
                    where = f"{task}, sample {i + 1}"
                    if isinstance(sample, dict):
                        yield where, {"status": sample.get("status"), "task": task, "sample": i}
                    else:
                        yield where, MooInferError(f"{where}: must be an object")

        yield from each(samples(), scored)


@dataclass(frozen=True)
class LiveCodeBench(LogReader):
    """What LiveCodeBench writes, ``*_eval_all.json``: a list of questions, each with the grades of its samples.

    Field names are those of lcb_runner/benchmarks (commit 28fef95): ``question_id``, ``graded_list``, and by scenario
    ``code_list`` (programs, which are no answers), or ``pred_list`` (answers) with ``id`` (code execution) or
    ``test_id`` (test output prediction), which belong to the name of the question. Self-repair has
    ``original_code_list``; its questions are called ``repair:...``. The model is the folder where the file is called as
    lcb_runner calls it (``Scenario.codegeneration_10_0.2_eval_all.json``), otherwise the file.
    """

    name = "livecodebench"

    def recognises(self, head: bytes, path: Path, /) -> bool:
        """By a list of objects with question_id and graded_list."""
        for begun in beginnings(head, path):
            if isinstance(begun, list) and {"question_id", "graded_list"} <= first_record(begun).keys():
                return True
        return False

    def read(self, path: Path, /) -> Iterator[Row | MooInferError]:
        """Yield a row for every sample of every question."""
        model = called_after(path)
        records = document(path)
        if not isinstance(records, list):
            raise MooInferError("must be a list of questions")
        taken: Counter[str] = Counter()

        def graded(record: dict[str, Any]) -> Iterator[Row]:
            question, grades, answers = _question(record), record["graded_list"], record.get("pred_list")
            if not isinstance(grades, list) or not all(isinstance(grade, bool) for grade in grades):
                raise MooInferError(f"graded_list must be a list of true and false, got {grades!r:.60}")
            if answers is not None and len(answers) != len(grades):
                raise MooInferError(f"{len(answers)} answers in pred_list, but {len(grades)} grades in graded_list")
            rows: list[Row] = []
            for i, grade in enumerate(grades):
                rows.append({"model": model, "question_id": question, "sample": taken[question] + i, "correct": grade})
                if answers is not None:
                    rows[-1]["answer"] = None if answers[i] is None else str(answers[i])
            taken[question] += len(grades)
            yield from rows

        def questions() -> Iterator[tuple[str, dict[str, Any] | MooInferError]]:
            for i, record in enumerate(records, 1):
                where = f"question {i}"
                yield where, record if isinstance(record, dict) else MooInferError(f"{where}: must be an object")

        yield from each(questions(), graded)


def _question(record: Mapping[str, Any]) -> str:
    """What a question of LiveCodeBench is called."""
    question = str(record["question_id"])
    if "original_code_list" in record:
        return f"repair:{question}"
    if "pred_list" in record and "test_id" in record:
        return f"{question}:{record['test_id']}"
    if "pred_list" in record and "id" in record:
        return f"{question}:{record['id']}"
    return question


def _tasks(begun: object) -> Mapping[str, Any] | None:
    """The tasks of a file of results, or None where it is none."""
    tasks = begun.get("eval") if isinstance(begun, dict) else None
    if not isinstance(begun, dict) or not isinstance(tasks, dict):
        return None
    if {"version", "status"} <= begun.keys() or {"model", "task"} <= tasks.keys():  # the header of inspect_ai
        return None
    return tasks if not tasks or any(isinstance(of, list | dict) for of in tasks.values()) else None


def _has_one_status(begun: Any) -> bool:
    """Whether the samples have one status; where that cannot be seen yet, by the names of the tasks."""
    tasks = _tasks(begun) or {}
    samples = [sample for of in tasks.values() if isinstance(of, list) for sample in of]
    keys = {key for sample in samples if isinstance(sample, dict) for key in sample}
    if keys & {"base_status", "plus_status", "status"}:
        return not keys & {"base_status", "plus_status"}
    return any(str(task).startswith("BigCodeBench/") for task in tasks)


def _results(path: Path) -> Mapping[str, Any]:
    """The tasks of a file of results."""
    tasks = json_object(path).get("eval")
    if not isinstance(tasks, dict):
        raise MooInferError("has no mapping of tasks called eval")
    return tasks


def _numbered(task: str, samples: object) -> Iterator[tuple[str, int, Mapping[str, Any] | MooInferError]]:
    """Where every sample of a task of EvalPlus stands, its number, and its status in the two sets of tests."""
    if isinstance(samples, dict):  # of 2023
        base, plus = samples.get("base"), samples.get("plus") or []
        if not isinstance(base, list) or not isinstance(plus, list) or (plus and len(plus) != len(base)):
            yield task, 0, MooInferError(f"{task}: must have as many results in base as in plus")
            return
        for i, result in enumerate(base):
            yield f"{task}, sample {i + 1}", i, {"base": _first(result), "plus": _first(plus[i]) if plus else None}
        return
    if not isinstance(samples, list):
        yield task, 0, MooInferError(f"{task}: must be a list of samples")
        return
    for i, sample in enumerate(samples):
        where = f"{task}, sample {i + 1}"
        if isinstance(sample, dict):
            yield where, i, {"base": sample.get("base_status"), "plus": sample.get("plus_status")}
        else:
            yield where, i, MooInferError(f"{where}: must be an object")


def _first(result: object) -> object:
    """The status out of [status, details]."""
    return result[0] if isinstance(result, list) and result else result


def _passed(status: object) -> bool:
    if status is None:
        raise MooInferError("has no status: were its tests run?")
    if status not in STATUS:
        raise MooInferError(f"the status must be one of {', '.join(STATUS)}, got {status!r:.40}")
    return status in PASSED


@hookimpl
def register_log_readers() -> list[type[LogReader]]:
    """Register the four readers."""
    return [HumanEval, EvalPlus, BigCodeBench, LiveCodeBench]
