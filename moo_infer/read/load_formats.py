"""Runs of load tests as their tools write them: vLLM bench, SGLang, guidellm, aiperf, GenAI-Perf and llmperf.

How many requests ran at once is what was measured, never the cap that a tool was given: a field that says so, or
Little's law, requests a second times the mean seconds of a request. So the summary of a run and its single requests say
the same.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..core.errors import MooInferError
from .load_bench import bench_runs
from .load_runs import FAILED, LARGEST, Document, Row, Run, number, number_or_none, optional

__all__ = ["FORMATS", "runs"]

FORMATS = "vLLM bench (--save-result), SGLang's bench_serving, guidellm, aiperf, GenAI-Perf and llmperf JSON"
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0}

CANCELLED = ("cancelled request", "cancelled requests")
INCOMPLETE = ("incomplete request", "incomplete requests")
WARM_UP = ("request of the warm-up", "requests of the warm-up")
OUTSIDE = ("request of the warm-up or the cool-down", "requests of the warm-up or the cool-down")
CANCELLED_RUN = ("cancelled run", "cancelled runs")
INCOMPLETE_RUN = ("incomplete run", "incomplete runs")


def runs(documents: Iterable[Document], /) -> Iterator[Run]:
    """Yield the runs in the JSON objects of one file, told apart by their keys.

    Field names were read in the sources of their writers:

    - vLLM and SGLang as `bench_runs` says;
    - guidellm 0.8.1, ``schemas/request_stats.py``, ``benchmark/schemas/{benchmark,metrics}.py``;
    - aiperf 0.13.0, ``exporters/metrics_json_exporter.py``, ``post_processors/record_export_jsonl_writer.py``,
      ``common/models/{export_models,record_models}.py``;
    - GenAI-Perf 0.0.16, ``export_data/json_exporter.py``, ``metrics/statistics.py``;
    - llmperf, ``token_benchmark_ray.py``, ``src/llmperf/common_metrics.py`` (f1d6bed): the fields
      ``end_to_end_latency_s``, ``ttft_s``, ``number_input_tokens``, ``number_output_tokens`` and ``error_code`` of
      ``*_individual_responses.json``, their means (``results_ttft_s_mean``, ...) and
      ``results_num_completed_requests_per_min`` of ``*_summary.json``.

    Args:
        documents: where each object stands, and the object.

    >>> record = {"end_to_end_latency_s": 9.5, "ttft_s": 0.6, "number_input_tokens": 550, "number_output_tokens": 150}
    >>> [run.rows for run in runs([("record 1", record)])]
    [[{'input_tokens': 550, 'output_tokens': 150, 'latency_s': 9.5, 'ttft_s': 0.6}]]
    """
    by_reader: dict[int, list[Document]] = {}
    unknown = Run()
    for where, document in documents:
        keys = document.keys()
        index = next((i for i, (_, sets, _) in enumerate(READERS) if any(needed <= keys for needed in sets)), None)
        if index is None:
            there = ", ".join(map(str, list(document)[:6])) or "none"
            unknown.odd.append(f"{where}: is of no known format (its keys: {there}); read are {FORMATS}")
        else:
            by_reader.setdefault(index, []).append((where, document))
    for i, group in by_reader.items():
        name, _, reader = READERS[i]
        for run in reader(group):
            if run.means:
                run.odd = [sentence.replace(": ", f" ({name}): ", 1) for sentence in run.odd]
            if run.concurrency is not None and not 0 < run.concurrency <= LARGEST:
                bounds = f"> 0 and at most {LARGEST:g}"
                run.remarks.append(f"how many requests ran must be {bounds}, got {run.concurrency:g}: it is not known")
                run.concurrency = None
            yield run
    if unknown.odd:
        yield unknown


def _guidellm(documents: Sequence[Document]) -> Iterator[Run]:
    for where, report in documents:
        benchmarks = report["benchmarks"]
        prefix = "" if len(documents) == 1 else f"{where} "
        if not isinstance(benchmarks, list):
            yield Run(odd=[f"{where}: benchmarks: must be a list, got {benchmarks!r:.40}"])
            continue
        for i, benchmark in enumerate(benchmarks, 1):
            if isinstance(benchmark, Mapping):
                yield _guidellm_run(benchmark, f"{prefix}benchmark {i}")
            else:
                yield Run(odd=[f"{prefix}benchmark {i}: must be a JSON object, got {benchmark!r:.40}"])


def _guidellm_run(benchmark: Mapping[str, Any], where: str) -> Run:
    run = Run()
    totals = {
        status: number_or_none(benchmark, "metrics", "request_totals", status) for status in ("errored", "incomplete")
    }
    listed = {status: _listed(benchmark, status) for status in ("successful", "errored", "incomplete")}
    for status, called in (("errored", FAILED), ("incomplete", INCOMPLETE)):
        run.skipped[called] += max(len(listed[status]), int(totals[status] or 0))
    window = number_or_none(benchmark, "start_time"), number_or_none(benchmark, "end_time")
    for i, request in enumerate(listed["successful"], 1):
        if _outside(request, window):
            run.skipped[OUTSIDE] += 1
        else:
            run.add(f"{where} request {i}", _guidellm_request, request)
    if not listed["successful"] and number_or_none(benchmark, "metrics", "request_totals", "successful") != 0:
        run.means = True
        run.add(where, _guidellm_means, benchmark)
    if run.rows:
        run.concurrency = _guidellm_concurrency(benchmark, run.mean_s)
    return run


def _listed(benchmark: Mapping[str, Any], status: str) -> list[Any]:
    """The requests of a status that are in the file."""
    requests = benchmark.get("requests")
    entries = requests.get(status) if isinstance(requests, Mapping) else None
    return entries if isinstance(entries, list) else []


def _outside(request: Any, window: tuple[float | None, float | None]) -> bool:
    """Whether a request lies outside the time that was measured, as the tool itself decides it."""
    if not isinstance(request, Mapping):
        return False
    started, ended = number_or_none(request, "request_start_time"), number_or_none(request, "request_end_time")
    first, last = window
    before = ended is not None and first is not None and ended < first
    return before or (started is not None and last is not None and started > last)


def _guidellm_request(request: Any) -> Row:
    row = {
        "input_tokens": number(request, "prompt_tokens"),
        "output_tokens": number(request, "output_tokens"),
        "latency_s": number(request, "request_latency"),
    }
    return row | _first(optional(request, "time_to_first_token_ms"), 1e-3)


def _guidellm_means(benchmark: Mapping[str, Any]) -> Row:
    mean = {
        name: number(benchmark, "metrics", name, "successful", "mean")
        for name in ("prompt_token_count", "output_token_count", "request_latency", "time_to_first_token_ms")
    }
    return {
        "input_tokens": mean["prompt_token_count"],
        "output_tokens": mean["output_token_count"],
        "latency_s": mean["request_latency"],
        "ttft_s": mean["time_to_first_token_ms"] / 1000,
    }


def _guidellm_concurrency(benchmark: Mapping[str, Any], mean_s: float) -> float | None:
    """Requests that ran: all of them, incomplete ones too, where the tool counted them; or Little's law."""
    metrics = ("metrics", "request_concurrency")
    counted = [number_or_none(benchmark, *metrics, status, "mean") for status in ("total", "successful")]
    if ran := max((mean for mean in counted if mean is not None), default=None):
        return ran
    per_second = number_or_none(benchmark, "metrics", "requests_per_second", "successful", "mean")
    completed, duration = (
        number_or_none(benchmark, "metrics", "request_totals", "successful"),
        number_or_none(benchmark, "duration"),
    )
    if not per_second and duration:
        per_second = (completed or len(_listed(benchmark, "successful"))) / duration
    return per_second * mean_s if per_second else None


def _genai_perf(documents: Sequence[Document]) -> Iterator[Run]:
    """Summaries of aiperf and of GenAI-Perf, whose fields are the same."""
    for where, document in documents:
        run = Run(means=True)
        run.skipped[FAILED] += int(number_or_none(document, "error_request_count", "avg") or 0)
        if document.get("was_cancelled") is True:
            run.skipped[CANCELLED_RUN] += 1
        elif document.get("is_complete") is False:
            run.skipped[INCOMPLETE_RUN] += 1
        else:
            run.add(where, _genai_perf_means, document)
        if run.rows:
            per_second = number_or_none(document, "request_throughput", "avg")
            count = number_or_none(document, "request_count", "avg")
            if per_second is None and count is not None and number_or_none(document, "benchmark_duration", "avg"):
                per_second = count / _seconds(document, "benchmark_duration", "avg")
            if per_second is None:
                run.remarks.append(f"{where}: without request_throughput it is not known how many requests ran")
            else:
                run.concurrency = per_second * run.mean_s
        yield run


def _genai_perf_means(document: Mapping[str, Any]) -> Row:
    row = {
        "input_tokens": number(document, "input_sequence_length", "avg"),
        "output_tokens": number(document, "output_sequence_length", "avg"),
        "latency_s": _seconds(document, "request_latency", "avg"),
    }
    return row | _aiperf_first(document, "avg")


def _aiperf_records(documents: Sequence[Document]) -> Iterator[Run]:
    """Records of aiperf: a run is a phase of profiling."""
    phases: dict[str, list[Document]] = {}
    for where, record in documents:
        metadata = _metadata(record)
        phase = [metadata.get(name) for name in ("profiling_index", "phase_index", "phase_name")]
        phases.setdefault(repr(phase), []).append((where, record))
    for records in phases.values():
        run = Run()
        started = []
        for where, record in records:
            metadata = _metadata(record)
            kinds = {str(metadata.get(name)).lower() for name in ("benchmark_phase", "phase_kind")}
            if "warmup" in kinds:
                run.skipped[WARM_UP] += 1
            elif metadata.get("was_cancelled"):
                run.skipped[CANCELLED] += 1
            elif record.get("error"):
                run.skipped[FAILED] += 1
            elif run.add(where, _aiperf_record, record):
                started.append(number_or_none(metadata, "request_start_ns"))
        stamps = [stamp for stamp in started if stamp is not None]
        if run.rows and len(stamps) == len(started):
            first = min(stamps)
            duration = max(
                (stamp - first) * SECONDS["ns"] + row["latency_s"] for stamp, row in zip(stamps, run.rows, strict=True)
            )
            run.concurrency = len(stamps) / duration * run.mean_s
        yield run


def _metadata(record: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = record["metadata"]
    return metadata if isinstance(metadata, Mapping) else {}


def _aiperf_record(record: Mapping[str, Any]) -> Row:
    row = {
        "input_tokens": number(record, "metrics", "input_sequence_length", "value"),
        "output_tokens": number(record, "metrics", "output_sequence_length", "value"),
        "latency_s": _seconds(record, "metrics", "request_latency", "value"),
    }
    return row | _aiperf_first(record["metrics"], "value")


def _aiperf_first(metrics: Mapping[str, Any], statistic: str) -> Row:
    if optional(metrics, "time_to_first_token", statistic) is None:
        return {}
    return {"ttft_s": _seconds(metrics, "time_to_first_token", statistic)}


def _perf_analyzer(documents: Sequence[Document]) -> Iterator[Run]:
    reason = "is the profile_export.json of Perf Analyzer, which counts no tokens: give profile_export_genai_perf.json"
    yield Run(odd=[f"{where}: {reason}" for where, _ in documents])


def _llmperf(documents: Sequence[Document]) -> Iterator[Run]:
    """Single requests of llmperf; how many ran at once is in its summary alone."""
    run = Run()
    for where, record in documents:
        if record.get("error_code") is not None:
            run.skipped[FAILED] += 1
        else:
            run.add(where, _llmperf_request, record)
    yield run


def _llmperf_summary(documents: Sequence[Document]) -> Iterator[Run]:
    for where, document in documents:
        run = Run(means=True)
        run.skipped[FAILED] += int(number_or_none(document, "results_number_errors") or 0)
        run.add(where, _llmperf_means, document)
        per_minute = number_or_none(document, "results_num_completed_requests_per_min")
        if run.rows and per_minute is not None:
            run.concurrency = per_minute / 60 * run.mean_s
        yield run


def _llmperf_request(record: object) -> Row:
    return _llmperf_row(record, "{}")


def _llmperf_means(document: object) -> Row:
    return _llmperf_row(document, "results_{}_mean")


def _llmperf_row(record: object, called: str) -> Row:
    row = {
        "input_tokens": number(record, called.format("number_input_tokens")),
        "output_tokens": number(record, called.format("number_output_tokens")),
        "latency_s": number(record, called.format("end_to_end_latency_s")),
    }
    return row | _first(optional(record, called.format("ttft_s")), 1.0)


Reader = Callable[[Sequence[Document]], Iterator[Run]]
# What a format is called, sets of keys of which its objects have one, and what reads them; the first that fits counts.
READERS: tuple[tuple[str, tuple[set[str], ...], Reader], ...]
READERS = (
    ("guidellm", ({"benchmarks"},), _guidellm),
    ("a record of aiperf", ({"metadata", "metrics"},), _aiperf_records),
    ("vLLM bench or SGLang", ({"mean_ttft_ms"}, {"ttfts", "itls"}), bench_runs),
    ("aiperf or GenAI-Perf", ({"request_latency", "output_sequence_length"},), _genai_perf),
    ("Perf Analyzer", ({"experiments", "service_kind"},), _perf_analyzer),
    ("llmperf", ({"end_to_end_latency_s", "number_output_tokens"},), _llmperf),
    ("llmperf", ({"results_end_to_end_latency_s_mean"},), _llmperf_summary),
)


def _first(ttft: float | None, unit: float) -> Row:
    """The time to the first token, where it was measured."""
    return {} if ttft is None else {"ttft_s": ttft * unit}


def _seconds(record: Mapping[str, Any], *path: str) -> float:
    """The seconds at a path of keys, beside whose last stands the unit."""
    value = number(record, *path)
    metric: Any = record
    for key in path[:-1]:
        metric = metric[key]
    unit = metric.get("unit", "ms")
    if not isinstance(unit, str) or unit not in SECONDS:
        raise MooInferError(f"{'.'.join(path[:-1])}.unit: must be one of {', '.join(SECONDS)}, got {unit!r:.40}")
    return value * SECONDS[unit]
