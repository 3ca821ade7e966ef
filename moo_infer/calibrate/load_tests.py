"""Reads what load tests of a server or an API write: vLLM bench, guidellm, aiperf, and a neutral CSV."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MooInferError

__all__ = ["COLUMNS", "Measured", "read"]

FloatArray = npt.NDArray[np.float64]

COLUMNS = ("concurrency", "input_tokens", "output_tokens", "ttft_s", "latency_s")
NEEDED = ("input_tokens", "output_tokens", "latency_s")
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0}
FORMATS = (
    "vLLM bench (--save-result), guidellm and aiperf JSON, and CSV with the columns "
    f"{', '.join(COLUMNS)} (concurrency and ttft_s may be missing)"
)

Row = dict[str, float]


@dataclass(frozen=True, eq=False)
class Measured:
    """Single requests, or means over the requests of a run: n rows. What was not measured is NaN.

    Args:
        concurrency: (n,) requests that were running at the time, > 0, or NaN.
        input_tokens, output_tokens: (n,) >= 0.
        ttft_s: (n,) seconds to the first token, >= 0, or NaN.
        latency_s: (n,) seconds to the last token, > 0.
        means: whether rows are means over many requests.
    """

    concurrency: FloatArray
    input_tokens: FloatArray
    output_tokens: FloatArray
    ttft_s: FloatArray
    latency_s: FloatArray
    means: bool = False

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.latency_s)


def read(paths: Sequence[str | Path], /) -> Measured:
    """Read the result files of one or more runs.

    Formats are told apart by their keys: the JSON of ``vllm bench serve --save-result`` (with or without
    ``--save-detailed``, also appended), of ``guidellm benchmark`` (0.5), aiperf's ``profile_export_aiperf.json`` and
    ``profile_export.jsonl`` (0.5), and CSV with the columns ``concurrency, input_tokens, output_tokens, ttft_s,
    latency_s`` and perhaps comments (``#``). Requests that failed are left out.

    Raises:
        MooInferError: for files that cannot be read or are none of these, and for numbers that cannot be.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "log.csv"
    ...     _ = file.write_text("input_tokens,output_tokens,latency_s\\n100,50,1.5\\n")
    ...     read([file]).latency_s
    array([1.5])
    """
    rows, means = [], False
    for path in paths:
        name = Path(path).name
        for where, row, is_mean in _rows(_text(path), name):
            rows.append(_checked(row, f"{name}: {where}"))
            means |= is_mean
    if not rows:
        raise MooInferError(f"{', '.join(Path(path).name for path in paths) or 'no file'}: no completed request in it")
    columns = {name: np.array([math.nan if row.get(name) is None else row[name] for row in rows]) for name in COLUMNS}
    return Measured(**columns, means=means)


def _text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise MooInferError(f"{path}: must be a text file; read are {FORMATS}") from None
    except OSError as error:
        raise MooInferError(f"{path}: cannot be read: {error.strerror}") from None


def _rows(text: str, name: str) -> Iterator[tuple[str, Row, bool]]:
    """Rows of one file: where each stands, its numbers, and whether they are means."""
    if not text.strip():
        raise MooInferError(f"{name}: is empty; read are {FORMATS}")
    if text.lstrip()[0] not in "{[":
        yield from _csv(text, name)
        return
    for i, document in enumerate(_documents(text, name)):
        if not isinstance(document, Mapping):
            raise MooInferError(f"{name}: must hold JSON objects, got {document!r:.40}; read are {FORMATS}")
        found = [(kind, reader) for kind, keys, reader in _READERS if any(key <= document.keys() for key in keys)]
        if not found:
            there = ", ".join(list(document)[:6]) or "none"
            raise MooInferError(f"{name}: is of no known format (its keys: {there}); read are {FORMATS}")
        kind, reader = found[0]
        try:
            yield from reader(document, f"record {i + 1}")
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, ZeroDivisionError) as error:
            what = f"{error.args[0]!r} is missing" if isinstance(error, KeyError) else str(error)
            raise MooInferError(f"{name}: record {i + 1}: looks like {kind}, but {what}") from None


def _documents(text: str, name: str) -> Iterable[Any]:
    """One JSON document, a list of them, or one a line."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        try:
            return [json.loads(line) for line in text.splitlines() if line.strip()]
        except json.JSONDecodeError:
            raise MooInferError(f"{name}: is no JSON: {error.msg} in line {error.lineno}") from None
    return found if isinstance(found, list) else [found]


def _csv(text: str, name: str) -> Iterator[tuple[str, Row, bool]]:
    lines = [(i, line) for i, line in enumerate(text.splitlines(), 1) if not line.startswith("#")]
    rows = csv.DictReader((line for _, line in lines), skipinitialspace=True)
    header = [column.strip() for column in rows.fieldnames or ()]
    if missing := [column for column in NEEDED if column not in header]:
        raise MooInferError(
            f"{name}: is no CSV with {', '.join(missing)} (its header: {', '.join(header)!r:.60}); read are {FORMATS}"
        )
    rows.fieldnames = header
    for row in rows:
        given = {column: row[column] for column in COLUMNS if column in header and (row[column] or "").strip()}
        where = f"line {lines[rows.line_num - 1][0]}"
        try:
            numbers = {column: float(value) for column, value in given.items()}
        except ValueError as error:
            raise MooInferError(f"{name}: {where}: {error}") from None
        yield where, numbers, False


def _vllm(run: Mapping[str, Any], where: str) -> Iterator[tuple[str, Row, bool]]:
    concurrency = run.get("max_concurrency")
    if "ttfts" in run and "itls" in run:
        answered = zip(run["input_lens"], run["output_lens"], run["ttfts"], run["itls"], strict=True)
        errors = run.get("errors") or [""] * len(run["ttfts"])
        rows = [(row, error) for row, error in zip(answered, errors, strict=True)]
        for i, ((tokens_in, tokens_out, ttft, itl), error) in enumerate(rows):
            if not error and tokens_out:
                row = {"input_tokens": tokens_in, "output_tokens": tokens_out, "ttft_s": ttft}
                known = {} if concurrency is None else {"concurrency": concurrency}
                yield f"{where}: request {i + 1}", row | known | {"latency_s": ttft + sum(itl)}, False
        return
    tokens_in, tokens_out = (run[f"total_{side}_tokens"] / run["completed"] for side in ("input", "output"))
    ttft = run["mean_ttft_ms"] / 1000
    step = run["mean_tpot_ms"] if "mean_tpot_ms" in run else run["mean_itl_ms"]
    seconds = ttft + (tokens_out - 1) * step / 1000
    if concurrency is None:  # as many as came in a second, times how long they stayed
        concurrency = run["request_throughput"] * seconds
    row = {"concurrency": concurrency, "input_tokens": tokens_in, "output_tokens": tokens_out}
    yield where, row | {"ttft_s": ttft, "latency_s": seconds}, True


def _guidellm(report: Mapping[str, Any], where: str) -> Iterator[tuple[str, Row, bool]]:
    for i, run in enumerate(report["benchmarks"]):
        here = f"benchmark {i + 1}"

        def mean(metric: str, metrics: Mapping[str, Any] = run["metrics"]) -> float:
            value: float = metrics[metric]["successful"]["mean"]
            return value

        concurrency = mean("request_concurrency")
        requests = (run.get("requests") or {}).get("successful") or []
        for j, request in enumerate(requests):
            row = {
                "concurrency": concurrency,
                "input_tokens": request["prompt_tokens"],
                "output_tokens": request["output_tokens"],
                "latency_s": request["request_latency"],
            }
            first = request.get("time_to_first_token_ms")
            known = {} if first is None else {"ttft_s": first / 1000}
            yield f"{here}: request {j + 1}", row | known, False
        if not requests:
            row = {
                "concurrency": concurrency,
                "input_tokens": mean("prompt_token_count"),
                "output_tokens": mean("output_token_count"),
                "ttft_s": mean("time_to_first_token_ms") / 1000,
                "latency_s": mean("request_latency"),
            }
            yield here, row, True


def _aiperf(run: Mapping[str, Any], where: str) -> Iterator[tuple[str, Row, bool]]:
    latency = _seconds(run["request_latency"], "avg")
    concurrency = ((run.get("input_config") or {}).get("loadgen") or {}).get("concurrency")
    if not isinstance(concurrency, int | float):
        concurrency = run["request_throughput"]["avg"] * latency
    row = {
        "concurrency": concurrency,
        "input_tokens": run["input_sequence_length"]["avg"],
        "output_tokens": run["output_sequence_length"]["avg"],
        "latency_s": latency,
    }
    if first := run.get("time_to_first_token"):
        row["ttft_s"] = _seconds(first, "avg")
    yield where, row, True


def _aiperf_record(record: Mapping[str, Any], where: str) -> Iterator[tuple[str, Row, bool]]:
    metrics = record["metrics"]
    if record.get("error") or (record["metadata"] or {}).get("was_cancelled"):
        return
    row = {
        "input_tokens": metrics["input_sequence_length"]["value"],
        "output_tokens": metrics["output_sequence_length"]["value"],
        "latency_s": _seconds(metrics["request_latency"], "value"),
    }
    if first := metrics.get("time_to_first_token"):
        row["ttft_s"] = _seconds(first, "value")
    yield where, row, False


def _seconds(metric: Mapping[str, Any], statistic: str) -> float:
    value: float = metric[statistic] * SECONDS[metric.get("unit", "ms")]
    return value


_READERS = (  # what it is called, one of the sets of keys that it has, and what reads it
    ("guidellm", ({"benchmarks"},), _guidellm),
    ("a record of aiperf", ({"metadata", "metrics"},), _aiperf_record),
    ("vLLM bench", ({"mean_ttft_ms"}, {"ttfts", "itls"}), _vllm),
    ("aiperf", ({"request_latency", "output_sequence_length"},), _aiperf),
)


def _checked(row: Row, where: str) -> Row:
    least = {
        "concurrency": "> 0",
        "input_tokens": ">= 0",
        "output_tokens": ">= 1",
        "ttft_s": ">= 0",
        "latency_s": "> 0",
    }
    for name, rule in least.items():
        value = row.get(name)
        if value is None:
            if name in NEEDED:
                raise MooInferError(f"{where}: {name} is missing")
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise MooInferError(f"{where}: {name}: must be a finite number, got {value!r:.40}")
        bound = float(rule.split()[1])
        if value < bound or (value == bound and not rule.startswith(">=")):
            raise MooInferError(f"{where}: {name}: must be {rule}, got {value:g}")
    if row.get("ttft_s", 0.0) > row["latency_s"]:
        raise MooInferError(f"{where}: ttft_s = {row['ttft_s']:g} is more than latency_s = {row['latency_s']:g}")
    return row
