"""Reads the samples of lm-evaluation-harness."""

import json
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import MooInferError
from ..files import records
from ..hookspecs import hookimpl
from ..interfaces import LogReader
from .logs import one, share, warn_of_partial

__all__ = ["LMEval"]

Row = dict[str, object]

INVALID = "[invalid]"  # what a filter of lm-evaluation-harness answers where it finds nothing
MEANS = ("exact_match", "pass@1")  # of its metrics, those that are the mean over repeats
CLOSE = 1e-9
DATED = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[\d.-]+)\.jsonl")  # of lm-evaluation-harness


@dataclass(frozen=True)
class LMEval(LogReader):
    """The ``samples_*.jsonl`` of lm-evaluation-harness (``--log_samples``): a record for every document and filter.

    Repeats of a document are its samples where each was scored: where the metric is a list, or the filter kept an
    answer for each repeat and the metric is the mean over them. Where the filter keeps one answer of several, only
    that was scored; then there is one sample a document, and a warning says so: a filter that votes makes it worth more
    than one call. The question is called ``task:document``, the model as in the ``results_*.json`` beside the file,
    otherwise as the folder. An answer in which the filter found nothing, ``[invalid]``, is blank. Tokens and seconds
    are not in these files.

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
        scored = [_Scored.of(record, number) for number, record in records(path)]
        chosen = one(self.filter, (each.filter for each in scored), "filter", self.name)
        scored = [each for each in scored if each.filter == chosen]
        metric = one(self.metric, (name for each in scored for name in each.metrics), "metric", self.name)
        model, task = _harness_model(path), DATED.fullmatch(path.name.removesuffix(".gz"))
        taken: Counter[str] = Counter()
        alone = partial = 0
        for each in scored:
            question = f"{task['task']}:{each.document}" if task else each.document
            repeats = each.repeats(metric)
            alone += len(repeats) < each.n
            for value, answer in repeats:
                partial += value is not None and 0 < value < 1
                correct = None if value is None else value == 1
                answer = None if answer == INVALID else answer
                row: Row = {"model": model, "question_id": question, "sample": taken[question], "correct": correct}
                yield row | {"answer": answer}
                taken[question] += 1
        if alone:
            warnings.warn(
                f"{path}: {alone} documents were repeated, but {metric} with the filter {chosen!r} scored one answer "
                "of each; they have one sample, worth more than one call where the filter votes",
                stacklevel=2,
            )
        warn_of_partial(partial, path)


@dataclass(frozen=True)
class _Scored:
    """What matters of a record: metrics of one document, the answers that a filter kept of n repeats."""

    filter: str
    document: str
    n: int
    kept: tuple[str, ...]
    target: str
    metrics: Mapping[str, Any]

    @classmethod
    def of(cls, record: Mapping[str, Any], number: int) -> "_Scored":
        try:
            n, kept = 1, tuple[str, ...]()
            if len(record["resps"]) == 1 and isinstance(record["resps"][0][0], str):  # otherwise choices of a question
                found = record["filtered_resps"][0]
                kept = tuple(map(str, found)) if isinstance(found, list) else (str(found),)
                n = len(kept) if len(kept) > 1 else len(record["resps"][0])
            names = record.get("metrics") or [
                key for key, value in record.items() if key != "doc_id" and _is_score(value)
            ]
            metrics = {name: record[name] for name in names if _is_score(record[name])}
            document, target = str(record["doc_id"]), str(record["target"])
            return cls(str(record.get("filter", "none")), document, n, kept, target, metrics)
        except (KeyError, TypeError, IndexError) as error:
            what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
            raise MooInferError(f"line {number}: looks like a record of lm-evaluation-harness, but {what}") from None

    def repeats(self, metric: str) -> list[tuple[float | None, str | None]]:
        """Value and answer of every repeat that was scored; a value is None where it is NaN."""
        try:
            score, answers = self.metrics[metric], [*self.kept] if len(self.kept) == self.n else [None] * self.n
            if isinstance(score, list):
                return [(share(value), answer) for value, answer in zip(score, answers, strict=True)]
            if self.n > 1 and len(self.kept) == self.n:
                right = [answer == self.target for answer in self.kept]
                if abs(sum(right) - self.n * score) < CLOSE:
                    return [*zip(map(float, right), answers, strict=True)]
                if (
                    metric in MEANS and abs(self.n * score - round(self.n * score)) < CLOSE
                ):  # which are right is unknown
                    return [(float(i < round(self.n * score)), None) for i in range(self.n)]
            return [(share(score), self.kept[0] if len(self.kept) == 1 else None)]
        except KeyError:
            raise MooInferError(f"document {self.document}: has no metric {metric!r}") from None
        except MooInferError as error:
            raise MooInferError(f"document {self.document}: {metric}: {error}") from None
        except ValueError:
            raise MooInferError(f"document {self.document}: {metric} has not as many values as repeats") from None


def _is_score(value: object) -> bool:
    """Whether a metric is a number, or one for each repeat."""
    return all(isinstance(each, int | float) for each in (value if isinstance(value, list) else [value]))


def _harness_model(path: Path) -> str:
    """The model's name in the results beside a file of samples, or the folder's name."""
    dated = DATED.fullmatch(path.name.removesuffix(".gz"))
    same = [path.with_name(f"results_{dated['date']}.json")] if dated else []
    for results in [*same, *sorted(path.parent.glob("results_*.json"))]:
        with suppress(OSError, ValueError, TypeError, KeyError):
            if name := str(json.loads(results.read_text(encoding="utf-8"))["model_name"] or ""):
                return name
    return path.resolve().parent.name


@hookimpl
def register_log_readers() -> list[type[LogReader]]:
    """Register the reader."""
    return [LMEval]
