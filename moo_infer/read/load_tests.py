"""Reads what load tests of a server or an API write: the files of their tools, and a neutral CSV."""

import json
import math
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from ..core.arguments import typed
from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.errors import MooInferError, listed
from ..core.files import head, lines
from .bounds import refuse_more
from .csv_records import csv_records, in_numbers
from .json_files import entries, json_object
from .load_formats import FORMATS, runs
from .load_runs import NEEDED, RUN_COLUMNS, Document, Row, Run
from .neutral import LONG_S, SLOW_S

__all__ = ["RUN_COLUMNS", "LoadTest", "read"]

READ = (
    f"{FORMATS}, and CSV with the columns {', '.join(RUN_COLUMNS)} (concurrency and ttft_s may be missing) or, of "
    "decoding steps, batch, context, seconds, joules"
)


@dataclass(frozen=True, eq=False)
class LoadTest:
    """Single requests, or means over the requests of a run: n rows. What was not measured is NaN.

    Args:
        concurrency: (n,) requests that were running at the time, > 0, or NaN.
        input_tokens, output_tokens: (n,) >= 0.
        ttft_s: (n,) seconds to the first token, >= 0, or NaN.
        latency_s: (n,) seconds to the last token, > 0.
        means: (n,) whether rows are means over many requests, or one answer for all.
        run: (n,) which run of a load test a row is of; None where each row is of its own.
        remarks: what was left out of files, and what else they do not tell, in sentences.
    """

    concurrency: FloatArray
    input_tokens: FloatArray
    output_tokens: FloatArray
    ttft_s: FloatArray
    latency_s: FloatArray
    means: bool | BoolArray = False
    run: IntArray | None = None
    remarks: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self.latency_s)

    @property
    def single(self) -> BoolArray:
        """(n,) whether rows are single requests."""
        return np.broadcast_to(~np.asarray(self.means, dtype=bool), len(self))

    def where(self, rows: BoolArray, /) -> "LoadTest":
        """Return the rows given (n,)."""
        columns = {name: getattr(self, name)[rows] for name in RUN_COLUMNS}
        run = None if self.run is None else self.run[rows]
        return LoadTest(**columns, means=~self.single[rows], run=run, remarks=self.remarks)

    def averaged(self, rows: BoolArray, /) -> dict[str, FloatArray]:
        """Return the means of runs, by column, over the rows given (n,).

        A mean over requests is what the summary of a run has, so that both ways to write a run say the same.
        """
        run = np.arange(len(self)) if self.run is None else self.run
        _, index, count = np.unique(run[rows], return_inverse=True, return_counts=True)
        return {name: np.bincount(index, weights=getattr(self, name)[rows]) / count for name in RUN_COLUMNS}


@typed()
def read(paths: Iterable[str | Path], /, *, strict: bool = False) -> LoadTest:
    """Read the result files of one or more runs.

    Formats are told apart by their keys: the JSON of ``vllm bench serve --save-result`` (with or without
    ``--save-detailed``, also appended) and of SGLang's ``bench_serving``, of ``guidellm benchmark``, aiperf's
    ``profile_export_aiperf.json`` and ``profile_export.jsonl``, GenAI-Perf's ``profile_export_genai_perf.json``,
    llmperf's ``*_individual_responses.json`` and ``*_summary.json``; and CSV with the columns ``concurrency,
    input_tokens, output_tokens, ttft_s, latency_s`` and perhaps comments (``#``). `load_formats` says where their field
    names were read. All may be gzips.

    Records that cannot be read are left out, all of a file named in one warning. So are, counted, requests and runs
    that their tool marks as no part of the measurement: those that failed, were cancelled or did not end, and warm-up.

    Args:
        paths: files.
        strict: refuse a file with a record that cannot be read.

    Raises:
        MooInferError: for files that cannot be read or are none of these, and where more records of a file cannot be
            read than can.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "log.csv"
    ...     _ = file.write_text("input_tokens,output_tokens,latency_s\\n100,50,1.5\\n")
    ...     read([file]).latency_s
    array([1.5])
    """
    all_runs: list[Run] = []
    remarks: list[str] = []
    refused: list[str] = []
    for path in map(Path, paths):
        try:
            of_file = list(_runs(path))
            remarks += [f"{path}: {sentence}" for sentence in _left_out(of_file, strict)]
        except MooInferError as error:
            refused.append(f"{path}: {error}")
        else:
            all_runs += of_file
    if refused:
        raise MooInferError("; ".join(refused))
    numbered = [(i, run, row) for i, run in enumerate(all_runs) for row in run.rows]
    if not numbered:
        names = ", ".join(map(str, paths)) or "no file"
        raise MooInferError("; ".join([f"{names}: no completed request in it", *remarks]))
    for sentence in remarks:
        warnings.warn(sentence, stacklevel=3)
    rows = [row | ({} if run.concurrency is None else {"concurrency": run.concurrency}) for _, run, row in numbered]
    columns = {name: np.array([row.get(name, math.nan) for row in rows], dtype=np.float64) for name in RUN_COLUMNS}
    means = np.array([run.means for _, run, _ in numbered])
    return LoadTest(**columns, means=means, run=np.array([i for i, _, _ in numbered]), remarks=tuple(remarks))


def _left_out(of_file: Sequence[Run], strict: bool) -> Iterator[str]:
    """Remarks on what is left out of a file, and why.

    Raises:
        MooInferError: where that is more than what stays, or nothing may be.
    """
    odd = [sentence for run in of_file for sentence in run.odd]
    kept = sum(len(run.rows) for run in of_file)
    if odd:
        if strict or len(odd) > kept:
            raise MooInferError(listed(odd))
        in_each = {len(run.odd) for run in of_file if run.odd and run.rows}
        several = sum(bool(run.odd) for run in of_file)
        each = f", {in_each.pop()} in each of {several} runs" if len(in_each) == 1 and several > 1 else ""
        yield f"{len(odd)} of {len(odd) + kept} records are left out{each}: {listed(odd)}"
    skipped = sum((run.skipped for run in of_file), Counter[tuple[str, str]]())
    if skipped:
        yield f"not fitted: {', '.join(f'{n} {one if n == 1 else more}' for (one, more), n in skipped.items())}"
    if pieces := sum(run.one_piece for run in of_file):
        yield (
            f"{pieces} of {kept} answers came in one piece, though of several tokens: their seconds count, but when "
            "their first token came and how long one takes after the other is not known"
        )
    for run in of_file:
        yield from run.remarks
    yield from _slow([row for run in of_file for row in run.rows])


def _slow(rows: Sequence[Row]) -> Iterator[str]:
    """Ask whether seconds are milliseconds, as a log of an evaluation is asked."""
    if not rows:
        return
    seconds = float(np.median([row["latency_s"] for row in rows]))
    each = float(np.median([row["latency_s"] / row["output_tokens"] for row in rows]))
    if seconds > LONG_S or (seconds > SLOW_S and each > 1):
        yield (
            f"the median of latency_s is {seconds:.4g} s, {each:.3g} s per output token: were milliseconds written? "
            "Seconds are read"
        )


def _runs(path: Path) -> Iterator[Run]:
    """The runs in a file."""
    start = head(path)
    refuse_more(path)
    if start.lstrip()[:1] not in (b"{", b"["):
        yield from _csv(path)
        return
    run = Run()
    documents: list[Document] = []
    for where, document in _documents(path):
        if isinstance(document, MooInferError):
            run.odd.append(str(document))
        else:
            documents.append((where, document))
    yield run
    yield from runs(documents)


def _documents(path: Path) -> Iterable[tuple[str, dict[str, Any] | MooInferError]]:
    """Where each JSON object of a file stands: one a line, those of a list, or one over many lines."""
    first, second = ([text for _, text in islice(lines(path), 2)] + [""])[:2]
    if first.startswith("[") or second.startswith("{"):
        return entries(path)
    try:
        json.loads(first)
    except (ValueError, RecursionError):
        return [("record 1", json_object(path))]
    return entries(path)


def _csv(path: Path) -> Iterator[Run]:
    """Rows of a CSV, those of as many requests at a time as one run: whether they are single requests is not said.

    Fitted one by one, short requests would count more than long ones.
    """
    header, records = csv_records(path)
    if missing := [column for column in NEEDED if column not in header]:
        raise MooInferError(
            f"is no CSV with {', '.join(missing)} (its header: {', '.join(header)!r:.60}); read are {READ}"
        )
    of_load: dict[float | None, Run] = {}
    for where, record in records:
        run = Run()
        if isinstance(record, MooInferError):
            run.odd.append(f"{where}: {record}")
        else:
            run.add(where, lambda fields: in_numbers(fields, RUN_COLUMNS), record)
        if run.rows:
            run.concurrency = run.rows[0].get("concurrency")
        if run.concurrency is None or not run.rows:
            yield run
        elif (same := of_load.setdefault(run.concurrency, run)) is not run:
            same.rows += run.rows
            same.one_piece += run.one_piece
    yield from of_load.values()
