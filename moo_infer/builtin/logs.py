"""Readers of logs with one record a line: the neutral table, lm-evaluation-harness, HumanEval; and EvalPlus."""

import csv
import json
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..calibrate.files import head, lines, records
from ..calibrate.neutral import COLUMNS, REQUIRED
from ..errors import MooInferError
from ..hookspecs import hookimpl
from ..interfaces import LogReader

if TYPE_CHECKING:
    import polars

__all__ = ["EvalPlus", "HumanEval", "LMEval", "Table"]

Row = dict[str, object]

PARQUET = b"PAR1"
FIRST = 100  # records whose keys are looked at
DATED = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[\d.-]+)\.jsonl")  # of lm-evaluation-harness


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
        return re.findall(r'"(\w+)"\s*:', line)
    return [name.strip() for row in islice(csv.reader([line]), 1) for name in row]


@dataclass(frozen=True)
class LMEval(LogReader):
    """The ``samples_*.jsonl`` of lm-evaluation-harness (``--log_samples``): a record for every document and filter.

    Repeats of a document are its samples where each was scored: where the metric is a list, or the filter kept an
    answer for each repeat and comparing them with the target gives the metric. Where the filter keeps one answer of
    several, only that was scored; then there is one sample a document, and a warning says so: for a filter that votes
    it is worth more than one call. The question is called ``task:document``, the model as in the ``results_*.json``
    beside the file, otherwise as the folder. Tokens and seconds are not in these files.

    Args:
        filter: which filter's records; default the only one.
        metric: what says whether an answer is right; default the only one.
    """

    name = "lm-eval"

    filter: str = ""
    metric: str = ""

    def recognises(self, head: bytes, path: Path, /) -> bool:
        """By the first keys of the first record."""
        return re.match(rb'\s*\{\s*"doc_id"\s*:\s*[^,]+,\s*"doc"\s*:', head) is not None

    def read(self, path: Path, /) -> Iterator[Row]:
        """Yield a row for every sample that was scored by itself."""
        scored = [self._scored(record, number) for number, record in records(path)]
        chosen = one(self.filter, [of for of, _, _ in scored], "filter", self.name)
        metrics = [metric for of, _, values in scored if of == chosen for metric in values]
        metric = one(self.metric, metrics, "metric", self.name)
        model, task = _harness_model(path), DATED.fullmatch(path.name.removesuffix(".gz"))
        taken: Counter[str] = Counter()
        alone = partial = 0
        for of, document, values in scored:
            if of != chosen:
                continue
            if metric not in values:
                raise MooInferError(f"document {document}: has no metric {metric!r}")
            question = f"{task['task']}:{document}" if task else document
            repeats, answers, complete = values[metric]
            alone += not complete
            for value, answer in zip(repeats, answers, strict=True):
                partial += value is not None and 0 < value < 1
                yield {
                    "model": model,
                    "question_id": question,
                    "sample": taken[question],
                    "correct": None if value is None else value == 1,
                    "answer": answer,
                }
                taken[question] += 1
        if alone:
            warnings.warn(
                f"{path}: {alone} documents were repeated, but only one answer of each was scored by {metric} with the "
                f"filter {chosen!r}: they have one sample, which is worth more than one call where the filter votes",
                stacklevel=2,
            )
        warn_of_partial(partial, path)

    def _scored(self, record: Mapping[str, Any], number: int) -> tuple[str, str, dict[str, Any]]:
        """The filter, the document, and for each metric its values, answers and whether all repeats are in them."""
        try:
            n = len(record["resps"][0]) if len(record["resps"]) == 1 else 1  # several requests are several choices
            kept = record["filtered_resps"][0] if len(record["resps"]) == 1 else None
            names = record.get("metrics") or [key for key in record if isinstance(record[key], int | float)]
            values = {
                name: found
                for name in names
                if name != "doc_id" and (found := _repeats(record[name], kept, str(record["target"]), n)) is not None
            }
            return str(record.get("filter", "none")), str(record["doc_id"]), values
        except (KeyError, TypeError, IndexError) as error:
            what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
            raise MooInferError(f"line {number}: looks like a record of lm-evaluation-harness, but {what}") from None


def _repeats(
    score: object, kept: object, target: str, n: int
) -> tuple[list[float | None], list[str | None], bool] | None:
    """Values of a metric, answers, and whether they are those of all n repeats; None where it is no such metric."""
    each = [str(answer) for answer in kept] if isinstance(kept, list) else None
    if isinstance(score, list):
        if n == 1 or len(score) != n or not all(isinstance(value, int | float) for value in score):
            return None
        return [share(value) for value in score], list(each or []) if each and len(each) == n else [None] * n, True
    if not isinstance(score, int | float):
        return None
    if each is not None and len(each) == n > 1:
        right = [answer == target for answer in each]
        if abs(sum(right) / n - score) < 1e-9:
            return [float(value) for value in right], list(each), True
    answer = kept if isinstance(kept, str) else each[0] if each and len(each) == 1 else None
    return [share(score)], [answer], n == 1


def _harness_model(path: Path) -> str:
    """The model's name in the results beside a file of samples, or the folder's name."""
    dated = DATED.fullmatch(path.name.removesuffix(".gz"))
    same = [path.with_name(f"results_{dated['date']}.json")] if dated else []
    for results in [*same, *sorted(path.parent.glob("results_*.json"))]:
        with suppress(OSError, ValueError, TypeError, KeyError):
            if name := str(json.loads(results.read_text(encoding="utf-8"))["model_name"] or ""):
                return name
    return path.resolve().parent.name


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
    """Register the four readers."""
    return [Table, LMEval, HumanEval, EvalPlus]
