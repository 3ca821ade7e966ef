"""Reads what decoding steps and prefills of a GPU took: tables of one's own, and the configurations of ML.ENERGY."""

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..core.arguments import typed
from ..core.arrays import FloatArray
from ..core.errors import MooInferError, listed
from ..core.files import head
from .bounds import refuse_more
from .csv_records import csv_records, in_numbers
from .load_runs import Row, refuse_out_of_range

__all__ = ["StepTable", "holds_steps", "read_steps"]

SETUP = ("model_id", "task", "gpu_model", "num_gpus")  # of ML.ENERGY: what its setups differ in
LABELS = (*SETUP, "weight_precision")
PREFILLS = {"one": 1.0, "two": 2.0, "four": 4.0, "eight": 8.0, "sixteen": 16.0}
SLOW_STEP_S = 1.0  # seconds of a step that are questioned; the slowest of the public ones takes a tenth


@dataclass(frozen=True, eq=False)
class StepTable:
    """Decoding steps of a model on a machine, (n,), and its prefills, (p,). What was not measured is NaN.

    Args:
        batch: (n,) sequences in the batch, >= 1.
        context: (n,) tokens that attention reads for each of them, >= 0, or NaN.
        seconds: (n,) of a step, > 0, or NaN.
        joules: (n,) of a step of the whole batch, > 0, or NaN.
        prompt: (p,) tokens of a prompt, > 0.
        prefills: (p,) how many prompts were processed one after the other, >= 1.
        prefill_seconds, prefill_joules: (p,) of all of them, > 0, or NaN.
        idle_watts: of the machine while nothing runs, >= 0, or NaN.
        labels: which of several setups of a file this is; none where there is one.
        remarks: what was left out of files, in sentences.
    """

    batch: FloatArray
    context: FloatArray
    seconds: FloatArray
    joules: FloatArray
    prompt: FloatArray = field(default_factory=lambda: np.empty(0))
    prefills: FloatArray = field(default_factory=lambda: np.empty(0))
    prefill_seconds: FloatArray = field(default_factory=lambda: np.empty(0))
    prefill_joules: FloatArray = field(default_factory=lambda: np.empty(0))
    idle_watts: float = math.nan
    labels: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the setup is called, "" where there is one.

        >>> nothing = np.empty(0)
        >>> labels = {"model_id": "acme/Small", "task": "chat", "gpu_model": "H100", "num_gpus": "2"}
        >>> StepTable(nothing, nothing, nothing, nothing, labels=labels).name
        'small-chat-h100x2'
        """
        if not self.labels:
            return ""
        model, task, gpu, gpus = (self.labels[name] for name in SETUP)
        return f"{model.split('/')[-1]}-{task}-{gpu}x{gpus}".lower()


@dataclass(frozen=True, eq=False)
class _Form:
    """A form of table: columns of which one tells it, bounds of its numbers, and what it cannot be without."""

    told_by: frozenset[str]
    least: Mapping[str, tuple[float, bool]]
    needed: tuple[str, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)  # a name of others, and what it is here


STEPS = _Form(
    frozenset({"batch", "B"}),
    {"batch": (1, True), "context": (0, True), "seconds": (0, False), "joules": (0, False)},
    ("batch", "context", "seconds"),
    {"B": "batch"},
)
PROMPTS = _Form(
    frozenset({"tokens"}),
    {"tokens": (0, False), "prefills": (1, True), "seconds": (0, False), "joules": (0, False)},
    ("tokens", "seconds"),
    {"what": "prefills"},
)
IDLE = _Form(frozenset({"watts"}), {"watts": (0, True)}, ("watts",))
ML_ENERGY = _Form(
    frozenset({"avg_batch_size"}),
    {"avg_batch_size": (0, False), "median_itl_ms": (0, False), "energy_per_token_joules": (0, False)},
    ("avg_batch_size", "median_itl_ms", "energy_per_token_joules", *LABELS),
)
FORMS = (ML_ENERGY, STEPS, PROMPTS, IDLE)  # steps may have watts, too


@typed()
def holds_steps(path: str | Path, /) -> bool:
    """Say whether a file is a table of steps, prefills or idle watts, by its header."""
    try:
        return head(Path(path)).lstrip()[:1] not in (b"{", b"[") and _form(csv_records(Path(path))[0]) is not None
    except MooInferError:
        return False


@typed()
def read_steps(paths: Iterable[str | Path], /, *, strict: bool = False) -> list[StepTable]:
    """Read tables of what was measured on a GPU; all CSV, perhaps gzips, with comments (``#``) and further columns.

    Told apart by their columns: steps have ``batch, context, seconds`` and perhaps ``joules`` (``B`` is ``batch``);
    prefills ``tokens, seconds`` and perhaps ``joules`` and ``prefills``, how many were processed one after the other
    (``what``, in words, is that, too); an idle machine ``watts``. All files of these are one setup. The table of
    configurations of the ML.ENERGY leaderboard, with ``avg_batch_size, median_itl_ms, energy_per_token_joules,
    model_id, task, gpu_model, num_gpus, weight_precision``, holds many, in the order in which they come.

    Records that cannot be read are left out, all of a file named in one warning.

    Args:
        paths: files.
        strict: refuse a file with a record that cannot be read.

    Raises:
        MooInferError: for files that cannot be read or are none of these, where more records of a file cannot be read
            than can, and for ML.ENERGY's setups beside others.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "steps.csv"
    ...     _ = file.write_text("B,context,seconds\\n1,512,0.0088\\n8,512,0.0094\\n")
    ...     read_steps([file])[0].batch
    array([1., 8.])
    """
    tables: dict[_Form, list[tuple[Row, dict[str, str]]]] = {form: [] for form in FORMS}
    remarks, refused = [], []
    for path in map(Path, paths):
        try:
            form, rows, odd = _rows(path)
            if odd and (strict or len(odd) > len(rows)):
                raise MooInferError(listed(odd))
        except MooInferError as error:
            refused.append(f"{path}: {error}")
            continue
        tables[form] += rows
        if odd:
            remarks.append(f"{path}: {len(odd)} of {len(odd) + len(rows)} records are left out: {listed(odd)}")
    if refused:
        raise MooInferError("; ".join(refused))
    if not any(tables.values()):
        raise MooInferError(f"{', '.join(map(str, paths)) or 'no file'}: no measurement in it")
    for sentence in remarks:
        warnings.warn(sentence, stacklevel=3)
    if tables[ML_ENERGY]:
        if any(rows for form, rows in tables.items() if form is not ML_ENERGY):
            raise MooInferError("setups of ML.ENERGY are of many machines, other tables of one: fit them apart")
        return [*_setups(tables[ML_ENERGY], tuple(remarks))]
    return [_one_setup({form: [row for row, _ in rows] for form, rows in tables.items()}, remarks)]


def _form(header: Sequence[str]) -> _Form | None:
    return next((form for form in FORMS if form.told_by & {*header}), None)


def _rows(path: Path) -> tuple[_Form, list[tuple[Row, dict[str, str]]], list[str]]:
    """The form of a file, its rows with their labels, and why others cannot be read."""
    head(path)
    refuse_more(path)
    header, records = csv_records(path)
    form = _form(header)
    if form is None:
        raise MooInferError(
            f"is no table of steps, prefills or idle watts (its header: {', '.join(header)!r:.60}), and load tests are "
            "fitted apart"
        )
    names = [form.renamed.get(name, name) for name in header]
    wanted = {*form.least, *form.needed}
    if twice := [name for name in dict.fromkeys(names) if name in wanted and names.count(name) > 1]:
        raise MooInferError(f"has two columns for {', '.join(twice)} (its header: {', '.join(header)!r:.80})")
    if missing := [name for name in form.needed if name not in names]:
        raise MooInferError(f"lacks the columns {', '.join(missing)} (its header: {', '.join(header)!r:.80})")
    rows, odd = [], []
    for where, record in records:
        try:
            if isinstance(record, MooInferError):
                raise record
            rows.append(_row(form, {form.renamed.get(name, name): text for name, text in record.items()}))
        except MooInferError as error:
            odd.append(f"{where}: {error}")
    return form, rows, odd


def _row(form: _Form, record: dict[str, str]) -> tuple[Row, dict[str, str]]:
    if form is PROMPTS and (word := record.get("prefills", "").strip()) in PREFILLS:
        record = {**record, "prefills": f"{PREFILLS[word]:g}"}
    row = in_numbers(record, form.least)
    refuse_out_of_range(row, form.least, form.needed if form is not ML_ENERGY else ("avg_batch_size",))
    labels = {name: record.get(name, "").strip() for name in LABELS} if form is ML_ENERGY else {}
    if blank := [name for name, text in labels.items() if not text]:
        raise MooInferError(f"{', '.join(blank)} is missing")
    return row, labels


def _setups(rows: Sequence[tuple[Row, dict[str, str]]], remarks: tuple[str, ...]) -> Iterator[StepTable]:
    """A table for each model, task, GPU and number of GPUs; a step makes a token for each sequence of the batch."""
    setups: dict[tuple[str, ...], list[tuple[Row, dict[str, str]]]] = {}
    for row, labels in rows:
        setups.setdefault(tuple(labels[name] for name in SETUP), []).append((row, labels))
    for of_setup in setups.values():
        column = _columns([row for row, _ in of_setup])
        batch = column("avg_batch_size")
        yield StepTable(
            batch=batch,
            context=np.full(len(batch), math.nan),
            seconds=column("median_itl_ms") / 1000,
            joules=column("energy_per_token_joules") * batch,
            labels=of_setup[0][1],
            remarks=remarks,
        )


def _one_setup(rows: Mapping[_Form, Sequence[Row]], remarks: list[str]) -> StepTable:
    step, prompt = _columns(rows[STEPS]), _columns(rows[PROMPTS])
    seconds = step("seconds")
    if len(seconds) and (median := float(np.median(seconds))) > SLOW_STEP_S:
        remarks.append(f"the median of seconds is {median:.4g} s a step: were milliseconds written? Seconds are read")
        warnings.warn(remarks[-1], stacklevel=4)
    return StepTable(
        batch=step("batch"),
        context=step("context"),
        seconds=seconds,
        joules=step("joules"),
        prompt=prompt("tokens"),
        prefills=prompt("prefills", 1.0),
        prefill_seconds=prompt("seconds"),
        prefill_joules=prompt("joules"),
        idle_watts=float(np.mean(_columns(rows[IDLE])("watts"))) if rows[IDLE] else math.nan,
        remarks=tuple(remarks),
    )


def _columns(rows: Sequence[Row]) -> Callable[..., FloatArray]:
    """A function from the name of a column to its numbers, and a number where there is none."""

    def column(name: str, otherwise: float = math.nan) -> FloatArray:
        return np.array([row.get(name, otherwise) for row in rows], dtype=np.float64)

    return column
