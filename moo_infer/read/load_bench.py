"""Runs of vLLM bench and of SGLang's bench_serving."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..core.errors import MooInferError
from .load_runs import FAILED, Document, Row, Run, number, number_or_none

__all__ = ["bench_runs"]

BUNDLED = 1.25  # mean_itl over mean_tpot from which chunks hold several tokens: else they differ by their weights alone


def bench_runs(documents: Sequence[Document], /) -> Iterator[Run]:
    """Yield the runs of vLLM bench, and of SGLang's bench_serving, which writes the same fields and `concurrency`.

    Field names were read in vLLM's ``vllm/benchmarks/serve.py`` (009e6d4), with and without ``--save-detailed``, and in
    SGLang's ``sglang/benchmark/serving.py`` (0.5.23), with and without ``--output-details``. Both cap what runs by a
    semaphore, so ``max_concurrency`` is the most that may run; ``max_concurrent_requests`` is the most that did.

    Args:
        documents: where each JSON object stands, and the object.
    """
    for where, document in documents:
        run = Run(means=not {"ttfts", "itls"} <= document.keys())
        if run.means:
            failed = number_or_none(document, "failed")
            if failed is None:  # older versions do not count them
                failed = (number_or_none(document, "num_prompts") or 0) - (number_or_none(document, "completed") or 0)
            run.skipped[FAILED] += max(int(failed), 0)
            if number_or_none(document, "completed") != 0:
                run.add(where, _bench_means, document)
        else:
            _bench_requests(document, where, run)
        if run.rows:
            run.concurrency = _bench_concurrency(document, run.mean_s)
            if run.concurrency is None and number_or_none(document, "max_concurrency") is not None:
                run.remarks.append(
                    f"{where}: max_concurrency is a cap, and neither request_throughput nor duration says how many ran"
                )
        yield run


def _bench_means(document: Mapping[str, Any]) -> Row:
    completed = number(document, "completed")
    tokens_in, tokens_out = (number(document, f"total_{side}_tokens") / completed for side in ("input", "output"))
    ttft = number(document, "mean_ttft_ms") / 1000
    seconds = _bench_seconds(document)
    if seconds is None:
        seconds = ttft + max(tokens_out - 1, 0.0) * _bench_step(document)
    return {"input_tokens": tokens_in, "output_tokens": tokens_out, "latency_s": seconds, "ttft_s": ttft}


def _bench_step(document: Mapping[str, Any]) -> float:
    """Seconds between two tokens, averaged over tokens.

    That is `mean_itl_ms` where each chunk holds one token; `mean_tpot_ms` averages over requests, and is for a token
    where chunks hold several, as with speculative decoding.
    """
    tpot, itl = (number_or_none(document, f"mean_{name}_ms") for name in ("tpot", "itl"))
    if itl is None or (tpot is not None and itl > BUNDLED * tpot):
        itl = number(document, "mean_tpot_ms")
    return itl / 1000


def _bench_seconds(document: Mapping[str, Any]) -> float | None:
    """Mean seconds of a request: vLLM's name, where it was asked for, or SGLang's."""
    for name in ("mean_e2el_ms", "mean_e2e_latency_ms"):
        if (milliseconds := number_or_none(document, name)) is not None:
            return milliseconds / 1000
    return None


def _bench_concurrency(document: Mapping[str, Any], mean_s: float) -> float | None:
    """Requests that ran: the field of SGLang, or Little's law; at most what they were limited to."""
    ran = number_or_none(document, "concurrency")
    if ran is None:
        per_second = number_or_none(document, "request_throughput")
        completed, duration = number_or_none(document, "completed"), number_or_none(document, "duration")
        if per_second is None and completed is not None and duration:
            per_second = completed / duration
        if per_second is None:
            return None
        ran = per_second * (_bench_seconds(document) or mean_s)
    caps = [number_or_none(document, "max_concurrency"), number_or_none(document, "max_concurrent_requests")]
    return min([ran, *(cap for cap in caps if cap)])


def _bench_requests(document: Mapping[str, Any], where: str, run: Run) -> None:
    names = ("input_lens", "output_lens", "ttfts", "itls")
    columns: list[Any] = [document.get(name) for name in names]
    lengths = {len(column) if isinstance(column, list) else -1 for column in columns}
    n = lengths.pop()
    errors = document.get("errors") or [""] * n
    if lengths or n < 0 or not isinstance(errors, list) or len(errors) != n:
        run.odd.append(f"{where}: {', '.join(names)} must be lists of the same length")
        return
    for i, values in enumerate(zip(*columns, strict=True)):
        request = dict(zip(names, values, strict=True))
        if errors[i] or request["output_lens"] == 0:
            run.skipped[FAILED] += 1
        else:
            run.add(f"{where} request {i + 1}", _bench_request, request)


def _bench_request(request: Mapping[str, Any]) -> Row:
    ttft = number(request, "ttfts")
    steps = request["itls"]
    if not isinstance(steps, list):
        raise MooInferError(f"itls: must be a list, got {steps!r:.40}")
    seconds = ttft + math.fsum(number({"itls": step}, "itls") for step in steps)
    tokens_in, tokens_out = number(request, "input_lens"), number(request, "output_lens")
    return {"input_tokens": tokens_in, "output_tokens": tokens_out, "latency_s": seconds, "ttft_s": ttft}
