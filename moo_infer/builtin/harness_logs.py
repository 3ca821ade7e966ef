"""Reads the samples of lm-evaluation-harness."""

import json
import math
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import comb
from pathlib import Path
from typing import Any

from ..core.errors import MooInferError, by_accident
from ..core.files import limited_text
from ..hookspecs import hookimpl
from ..interfaces import LogReader
from ..quantities.labels import TASK
from ..read.json_files import beginnings, entries, first_record
from .logs import Row, each, named_or_only

__all__ = ["LMEval"]

INVALID = "[invalid]"  # what a filter of lm-evaluation-harness answers where it finds nothing
CLOSE = 1e-6  # a mean may have been written with the digits of a 32-bit float
MOST_RESULTS = 2**26  # bytes of a file of results, with the settings of all tasks
MANY = 5  # documents from which on it is odd that no mean over repeats lies between 0 and 1
DATED = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[\d.-]+)\.jsonl")  # of lm-evaluation-harness
PASS_AT = re.compile(r"pass(?:@|_at_)(\d+)", re.IGNORECASE)  # some of k are right
PASS_HAT = re.compile(r"pass(?:\^|_hat_)(\d+)", re.IGNORECASE)  # all of k are right
CHOSEN = re.compile(r"(?:maj|majority|cons|consensus|vote|best|bon)(?:_vote|_of)?(?:@|_at_|_)\d+", re.IGNORECASE)
ROUNDED = 0.1  # of the step from one mean over repeats to the next: values may have been written with fewer digits
# Keys of a record that are no metrics.
OTHER = {"doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "filter", "metrics"} | {
    f"{of}_hash" for of in ("doc", "prompt", "target")
}


@dataclass(frozen=True)
class LMEval(LogReader):
    """The ``samples_*.jsonl`` of lm-evaluation-harness (``--log_samples``): a record for every document and filter.

    Repeats of a document are its samples where each was scored: where the metric is a list, or the filter kept an
    answer for each repeat. A metric that is one number is then the mean over the repeats, or pass@k or pass^k of them
    where its name says so; how many are right follows from it, and where it does not (as from maj@k), the file is
    refused. Which ones are right is known where as many answers are the target; where that is not known of some
    document, no answers are read. Where the filter keeps one answer of several, only that was scored; then there is one
    sample a document, and a warning says so: a filter that votes makes it worth more than one call.

    The question is called ``task:document``, the model as in the ``results_*.json`` beside the file, otherwise as the
    folder. An answer in which the filter found nothing, ``[invalid]``, is blank; a document without a score failed.
    Tokens and seconds are not in these files.

    Args:
        filter: which filter's records; default the only one.
        metric: what says whether an answer is right; default the only one.
    """

    name = "lm-eval"

    filter: str = ""
    metric: str = ""

    def recognises(self, head: bytes, path: Path, /) -> bool:
        """By the key doc_id and another one of its records."""
        for begun in beginnings(head, path):
            keys = first_record(begun).keys()
            if "doc_id" in keys and keys & {"doc", "resps", "filtered_resps", "doc_hash"}:
                return True
        return False

    def read(self, path: Path, /) -> Iterator[Row | MooInferError]:
        """Yield a row for every sample that was scored by itself."""
        records = [*entries(path)]
        readable = [record for _, record in records if isinstance(record, dict)]
        chosen = (
            named_or_only(self.filter, (_filter(record) for record in readable), "filter", self.name)
            if readable
            else ""
        )
        if self.filter:
            records = [(where, r) for where, r in records if isinstance(r, MooInferError) or _filter(r) == chosen]
        readable = [record for record in readable if _filter(record) == chosen]
        metric = self._metric(readable) if readable else ""
        over_repeats = _is_over_repeats(readable, metric)
        documents: list[_Document] = []

        def scored(record: dict[str, Any]) -> Iterator[Row]:
            if _filter(record) != chosen:
                raise MooInferError(f"has the filter {_filter(record)!r}, unlike the others")
            documents.append(_Document.of(record, metric, over_repeats))
            return iter(())

        yield from each(records, scored)  # what cannot be read
        yield from _not_following(documents, metric)
        documents = [document for document in documents if not document.reason]
        model, dated = _harness_model(path), DATED.fullmatch(path.name.removesuffix(".gz"))
        answers = all(document.answers is not None for document in documents)
        taken: Counter[str] = Counter()
        for document in documents:
            question = f"{dated['task']}:{document.name}" if dated else document.name
            for i, score in enumerate(document.scores):
                answer = document.answers[i] if answers and document.answers else None
                row: Row = {"model": model, "question_id": question, "sample": taken[question], "correct": score}
                row |= {"answer": None if answer == INVALID else answer, "fingerprint": document.fingerprint}
                yield row | ({TASK: dated["task"]} if dated else {})
                taken[question] += 1
        for sentence in _odd(documents, metric, chosen, over_repeats):
            warnings.warn(f"{path}: {sentence}", stacklevel=2)

    def _metric(self, records: Sequence[dict[str, Any]]) -> str:
        """The metric that was asked for, or the only one that has a score anywhere."""
        metrics = [name for record in records for name in _metrics(record)]
        names = list(dict.fromkeys(metrics))
        if self.metric in names:
            return self.metric
        scores = {name: [record[name] for record in records if name in record] for name in names}
        with_scores = [name for name in names if any(map(_is_score, scores[name]))]
        with_scores = with_scores or [name for name in names if all(value is None for value in scores[name])]
        if not with_scores and names and not self.metric:
            shown = ", ".join(f"{name} is {scores[name][0]!r:.30}" for name in names if scores[name])
            raise MooInferError(f"has no metric that is a number ({shown}); name one: --format {self.name}:metric=NAME")
        return named_or_only(self.metric, (name for name in metrics if name in with_scores), "metric", self.name)


@dataclass(frozen=True)
class _Document:
    """The samples of a document: what the filter kept of its n repeats, and their scores.

    Args:
        name: the number of the document.
        fingerprint: what tells it from others of its number.
        n: how many repeats there were.
        value: what stands in the metric.
        scores: of the samples.
        answers: of the samples; None where it is not known which of them are right.
        reason: why the scores do not follow from the value; otherwise "".
        ambiguous: whether several numbers of right repeats give the value.
        averaged: whether the value is of several repeats.
        differ: whether the answers that it is of differ.
    """

    name: str
    fingerprint: str
    n: int
    value: object
    scores: Sequence[object]
    answers: Sequence[str] | None
    reason: str = ""
    ambiguous: bool = False
    averaged: bool = False
    differ: bool = False

    @classmethod
    def of(cls, record: dict[str, Any], metric: str, over_repeats: bool) -> "_Document":
        """Read a record; `over_repeats`: the metric is over all repeats although the filter kept one answer."""
        name, target = record["doc_id"], record.get("target")
        if name is None or isinstance(name, dict | list):
            raise MooInferError(f"doc_id must be a number or a name, got {name!r:.40}")
        if metric not in record:
            raise MooInferError(f"document {name}: has no metric {metric!r}")
        name, target, value = str(name), None if target is None else str(target), record[metric]
        mark = str(record.get("doc_hash") or target)
        n, kept = _repeats(record)
        answers = kept or [""] * n
        if isinstance(value, list):
            if len(value) != n:
                raise MooInferError(f"document {name}: {metric} has {len(value)} values for {n} repeats")
            return cls(name, mark, n, value, value, answers if len(answers) == n else [""] * n)
        mean = _number(value)
        if value is None or (mean is not None and math.isnan(mean)):
            return cls(name, mark, n, value, [None] * (n if over_repeats else len(answers)), answers)
        if n == 1 or not (len(kept) == n or over_repeats):
            return cls(name, mark, n, value, [value], answers[:1])
        if mean is None:
            raise MooInferError(
                f"document {name}: {metric}: {value!r:.40} is no number, nor one for each of {n} repeats"
            )
        if not 0 <= mean <= 1:
            raise MooInferError(f"document {name}: {metric}: {value!r:.40} is no mean of {n} repeats, right or wrong")
        right, reason, ambiguous = _right(n, mean, metric)
        hits = [answer == target for answer in answers]
        if right not in (0, n) and (sum(hits) != right or len(answers) != n):
            scores, matched = [float(i < right) for i in range(n)], None
        else:
            scores, matched = ([float(hit) for hit in hits] if right not in (0, n) else [float(right > 0)] * n), answers
        return cls(name, mark, n, value, scores, matched, reason, ambiguous, True, len({*kept}) > 1)


def _repeats(record: dict[str, Any]) -> tuple[int, list[str]]:
    """How many repeats were scored, and what the filter kept of them; nothing where a document has several requests."""
    answered, kept = record["resps"], record["filtered_resps"]
    if len(answered) != 1 or not answered[0] or not isinstance(answered[0][0], str):  # choices of one question
        return 1, []
    filtered = kept[0]
    if not isinstance(filtered, list):
        return len(answered[0]), [str(filtered)]
    return (len(filtered) if len(filtered) > 1 else len(answered[0])), [str(each) for each in filtered]


def _is_over_repeats(records: Sequence[dict[str, Any]], metric: str) -> bool:
    """Whether a metric is one number over the repeats although the filter kept one answer.

    It is where its name says so, or where nothing but a mean over the repeats fits its values.
    """
    values = []
    for record in records:
        with suppress(KeyError, TypeError, IndexError):
            n, kept = _repeats(record)
            value = record[metric]
            if n > 1 and len(kept) != n and not isinstance(value, list) and (mean := _number(value)) is not None:
                values.append((n, mean))
    if _named(metric)[0] > 1:
        return bool(values)
    whole = all(0 <= mean <= 1 and not _right(n, mean, metric)[1] for n, mean in values)
    return whole and any(0 < mean < 1 for _, mean in values)


def _named(metric: str) -> tuple[int, str]:
    """The k of a metric that is called pass@k or pass^k, and which of them; 1 for a mean."""
    for pattern, name in ((PASS_AT, "pass@"), (PASS_HAT, "pass^")):
        if match := pattern.search(metric):
            return int(match[1]), f"{name}{match[1]}"
    return 1, "mean"


def _right(n: int, value: float, metric: str) -> tuple[int, str, bool]:
    """How many of n repeats are right, by their mean, or by pass@k or pass^k where the metric is called so; or why not.

    The last one says whether several numbers of right repeats are possible.
    """
    if CHOSEN.search(metric):
        return 0, f"{metric} is of one answer that was chosen from {n} repeats", True
    k, name = _named(metric)
    if not 1 <= k <= n:
        return 0, f"of {n} repeats nothing is {metric}", False
    if name.startswith("pass@"):
        by_right = [1 - comb(n - c, k) / comb(n, k) for c in range(n + 1)]
    else:
        by_right = [comb(c, k) / comb(n, k) for c in range(n + 1)]  # the mean where k is 1
    counts = [c for c, expected in enumerate(by_right) if _is_written_as(expected, value, n)]
    if len(counts) == 1:
        return counts[0], "", False
    if counts:
        return 0, f"{metric} = {value:g} of {n} repeats may be {counts[0]} to {counts[-1]} that are right", True
    return 0, f"{metric} = {value:g} is no {name} of {n} repeats that are right or wrong", False


def _is_written_as(expected: float, value: float, n: int) -> bool:
    """Whether a number computed from n repeats may have been rounded to that value in a file."""
    if abs(expected - value) < CLOSE:
        return True
    digits = repr(value).partition(".")[2]
    return digits.isdecimal() and 10.0 ** -len(digits) * n <= ROUNDED and round(expected, len(digits)) == value


def _not_following(documents: Sequence[_Document], metric: str) -> Iterator[MooInferError]:
    """Refuse documents whose metric does not say how many repeats are right, unless one is odd by accident."""
    odd = [document for document in documents if document.reason]
    if len(odd) > by_accident(len(documents)) or len(odd) == len(documents) > 0 or any(d.ambiguous for d in odd):
        raise MooInferError(
            f"how many repeats are right does not follow from {metric} in {len(odd)} of {len(documents)} documents: "
            f"document {odd[0].name}: {odd[0].reason}; another metric or filter may tell: --format lm-eval:metric=NAME"
        )
    yield from (MooInferError(f"document {document.name}: {document.reason}") for document in odd)


def _odd(documents: Sequence[_Document], metric: str, chosen: str, over_repeats: bool) -> Iterator[str]:
    """What to know about the documents."""
    if over_repeats:
        k, name = _named(metric)
        why = "is called so" if k > 1 else "lies between 0 and 1"
        yield (
            f"the filter {chosen!r} kept one answer of several, but {metric} {why}: it is read as the {name} over the "
            "repeats"
        )
    if alone := sum(len(document.scores) < document.n for document in documents):
        yield (
            f"{alone} documents were repeated, but {metric} with the filter {chosen!r} scored one answer of each; they "
            "have one sample, worth more than one call where the filter votes"
        )
    averaged = [document for document in documents if document.averaged]
    if unknown := sum(document.answers is None for document in averaged):
        yield (
            f"{metric} is taken over the repeats of a document; which of them are right is not known of {unknown} "
            f"documents, so that answers are not read"
        )
    differ = [document for document in averaged if document.differ]
    if len(differ) >= MANY and all(len({*document.scores}) == 1 for document in averaged) and _some_right(differ):
        yield (
            f"all repeats are right or all are wrong in each of {len(averaged)} documents, although answers differ in "
            f"{len(differ)}: was {metric} taken over the repeats, as is read, or of one of them?"
        )


def _some_right(documents: Sequence[_Document]) -> bool:
    return any(document.scores[0] for document in documents)


def _filter(record: dict[str, Any]) -> str:
    return str(record.get("filter", "none"))


def _metrics(record: dict[str, Any]) -> list[str]:
    """The names of the metrics of a record, which older versions do not list."""
    names = record.get("metrics")
    if isinstance(names, list):
        return [str(name) for name in names]
    return [name for name, value in record.items() if name not in OTHER and _is_score(value)]


def _is_score(value: object) -> bool:
    """Whether a metric is a number, or one for each repeat."""
    if isinstance(value, list):
        present = [each for each in value if each is not None]
        return bool(present) and all(_number(each) is not None for each in present)
    return _number(value) is not None


def _number(value: object) -> float | None:
    """A number, also as lm-evaluation-harness writes what is no JSON: numpy's true as the text "True"."""
    if isinstance(value, str):
        value = {"True": 1.0, "False": 0.0}.get(value.strip(), value)
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None


def _harness_model(path: Path) -> str:
    """The model's name in the results beside a file of samples, or the folder's name."""
    dated = DATED.fullmatch(path.name.removesuffix(".gz"))
    same = [path.with_name(f"results_{dated['date']}.json")] if dated else []
    for results in [*same, *sorted(path.parent.glob("results_*.json"))]:
        with suppress(MooInferError, OSError, ValueError, TypeError, KeyError, RecursionError):
            if name := str(json.loads(limited_text(results, MOST_RESULTS))["model_name"] or ""):
                return name
    return Path(os.path.realpath(path)).parent.name


@hookimpl
def register_log_readers() -> list[type[LogReader]]:
    """Register the reader."""
    return [LMEval]
