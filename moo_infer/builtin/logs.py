"""Readers of the neutral table and of the results of HumanEval and EvalPlus."""

import csv
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import MooInferError
from ..files import head, lines, records
from ..hookspecs import hookimpl
from ..interfaces import LogReader
from ..samples import COLUMNS, REQUIRED

if TYPE_CHECKING:
    import polars

__all__ = ["EvalPlus", "HumanEval", "Table", "document", "model_of_file", "one", "share", "warn_of_partial"]

Row = dict[str, object]

PARQUET = b"PAR1"
FIRST = 100  # records whose keys are looked at


@dataclass(frozen=True)
class Table(LogReader):
    """The neutral table itself: CSV, JSON lines (both also zipped by gzip) or Parquet, told apart by their content.

    The columns ``model``, ``question_id``, ``sample`` and ``correct`` are needed, other columns than those of the
    neutral table are not read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "log.csv"
    ...     _ = file.write_text("model,question_id,sample,correct\\nmine,q1,1,true\\n")
    ...     Table().recognises(file.read_bytes(), file), Table().read(file).collect().rows()
    (True, [('mine', 'q1', '1', 'true')])
    """

    name = "table"

    def recognises(self, head: bytes, path: Path, /) -> bool:
        """Whether at least two of the four needed columns are there."""
        return sum(name in REQUIRED for name in _columns(head, path)) >= 2

    def read(self, path: Path, /) -> "polars.LazyFrame":
        """Scan the file; text stays text, for whoever checks it."""
        import polars as pl

        start = head(path)
        if start.startswith(PARQUET):
            return pl.scan_parquet(path, glob=False)
        if not start.lstrip().startswith(b"{"):
            frame = pl.scan_csv(path, infer_schema=False, glob=False).rename(str.strip)
            if twice := [name for name, n in Counter(_columns(start, path)).items() if n > 1 and name in COLUMNS]:
                raise MooInferError(f"the header has {twice[0]} twice")
            return frame
        names = list(dict.fromkeys(name for _, record in islice(records(path), FIRST) for name in record))
        kept = [name for name in COLUMNS if name in names or name not in REQUIRED]
        frame = pl.scan_ndjson(Path(_literal(path)), schema=dict.fromkeys(kept, pl.String))
        return frame.with_columns(pl.lit(None).alias(name) for name in names if name not in COLUMNS)


def _literal(path: Path) -> str:
    """A pattern that this path alone matches."""
    return re.sub(r"[*?\[]", lambda found: f"[{found[0]}]", str(path))


def _columns(start: bytes, path: Path) -> list[str]:
    """The names of columns, as far as they can be seen at the beginning of a table."""
    import polars as pl

    if start.startswith(PARQUET):
        try:
            return pl.scan_parquet(path, glob=False).collect_schema().names()
        except (pl.exceptions.PolarsError, OSError):  # cut off, but nothing else
            return list(REQUIRED)
    line = start.decode("utf-8", errors="replace").lstrip().split("\n")[0]
    if line.startswith("{"):
        with suppress(ValueError, RecursionError):
            return list(json.loads(line))
        return re.findall(r'"(\w+)"\s*:', re.split(r"[{\[]", line[1:])[0])  # as far as its keys are surely its own
    try:
        return [name.strip() for row in islice(csv.reader([line]), 1) for name in row]
    except csv.Error:  # no text
        return []


@dataclass(frozen=True)
class HumanEval(LogReader):
    """What the scorer of HumanEval writes, ``*_results.jsonl``: several lines of one task are its samples, in order.

    The model is called as the file, without ``samples`` and ``results``, or as the folder where nothing is left.
    Answers are not read: programs differ in their text, whatever they do.

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
        return head.lstrip().startswith(b"{") and b'"task_id"' in head and re.search(rb'"passed"\s*:', head) is not None

    def read(self, path: Path, /) -> Iterator[Row]:
        """Yield a row for every line."""
        taken: Counter[str] = Counter()
        model = model_of_file(path)
        for number, record in records(path):
            if missing := [key for key in ("task_id", "passed") if key not in record]:
                raise MooInferError(f"line {number}: {missing[0]} is missing; only scored samples can be read")
            task = str(record["task_id"])
            yield {"model": model, "question_id": task, "sample": taken[task], "correct": record["passed"]}
            taken[task] += 1


@dataclass(frozen=True)
class EvalPlus(LogReader):
    """What EvalPlus writes, ``*_eval_results.json``: the samples of every task with the status of its tests.

    The model is called as the file, without ``eval_results``, or as the folder where nothing is left. Answers are not
    read: programs differ in their text, whatever they do.

    Args:
        tests: ``plus`` for the samples that pass all tests, ``base`` for those that pass the original ones.
    """

    name = "evalplus"

    tests: Literal["plus", "base"] = "plus"

    def recognises(self, head: bytes, path: Path, /) -> bool:
        """By a mapping ``eval`` of tasks, first or after the date."""
        return (
            re.match(rb'\s*\{\s*("(date|hash)"\s*:\s*"[^"]*"\s*,\s*)*"eval"\s*:\s*\{\s*"[^"]*"\s*:\s*\[', head)
            is not None
        )

    def read(self, path: Path, /) -> Iterator[Row]:
        """Yield a row for every sample of every task."""
        model = model_of_file(path)
        for task, samples in document(path)["eval"].items():
            for i, sample in enumerate(samples):
                try:
                    status = [sample["base_status"]] + ([sample["plus_status"]] if self.tests == "plus" else [])
                except (KeyError, TypeError):
                    raise MooInferError(f"{task}: sample {i + 1} lacks base_status or plus_status") from None
                if None in status:
                    raise MooInferError(f"{task}: only base tests were run; name the format evalplus:tests=base")
                correct = all(each == "pass" for each in status)
                yield {"model": model, "question_id": task, "sample": i, "correct": correct}


def document(path: Path) -> dict[str, Any]:
    """Return the one JSON object of a file, or of a gzip of it.

    Raises:
        MooInferError: for what is none, or is cut off.
    """
    text = "\n".join(line for _, line in lines(path))
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f": {error.msg} in line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise MooInferError(f"is no JSON, or is cut off{where}") from None
    if not isinstance(found, dict):
        raise MooInferError(f"must be a JSON object, got {text:.40}")
    return found


def model_of_file(path: Path) -> str:
    """Return what a file of results is called after: its name without what tools add to it, or its folder."""
    name, before = path.name, ""
    while name != before:
        before = name
        name = re.sub(r"(^|[._-])(jsonl|json|gz|eval_results|results|samples)$", "", name)
    return name or path.resolve().parent.name


def share(value: object) -> float | None:
    """Return a score in [0, 1]; None for one that is NaN.

    Raises:
        MooInferError: for other scores.
    """
    number = float(value) if isinstance(value, int | float) else -1.0
    if number != number:
        return None
    if not 0 <= number <= 1:
        raise MooInferError(f"the score {value!r:.40} is neither right nor wrong; allowed are numbers from 0 to 1")
    return number


def warn_of_partial(partial: int, path: Path) -> None:
    """Say how many scores between 0 and 1 count as wrong."""
    if partial:
        warnings.warn(f"{path}: {partial} samples are partly right and count as wrong", stacklevel=3)


def one(asked: str, there: Iterable[str], what: str, name: str) -> str:
    """Return the one that was asked for, or the only one.

    Raises:
        MooInferError: listing those there are.
    """
    different = list(dict.fromkeys(there))
    if asked and asked not in different:
        raise MooInferError(f"has no {what} {asked!r}; there are: {', '.join(different) or 'none'}")
    if not asked and len(different) != 1:
        several = (
            f"several {what}s ({', '.join(different)}); name one: {name}:{what}=..." if different else f"no {what}"
        )
        raise MooInferError(f"has {several}")
    return asked or different[0]


@hookimpl
def register_log_readers() -> list[type[LogReader]]:
    """Register the three readers."""
    return [Table, HumanEval, EvalPlus]
