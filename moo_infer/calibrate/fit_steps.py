"""Fits seconds or joules of decoding steps and prefills, and writes them as ``batch`` or ``batch-energy``."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.arguments import typed
from ..core.arrays import FloatArray
from ..core.errors import MooInferError
from ..read.step_tables import StepTable
from .part_fit import POINTS, Fit, loads_apart, solved

__all__ = ["fit_setups", "fit_steps"]

TOLD_APART = 0.05  # share of a column that the others do not say, from which a fit by it is more than one by noise
SPARE = 2  # steps beyond the numbers that are fitted, the fewest to judge a fit by


@dataclass(frozen=True)
class _Part:
    """A part, and its fields: of a step, of each sequence and token that is read in it; of a prefill and its tokens."""

    kind: str
    column: str
    base: str
    per_sequence: str
    per_context_token: str
    prefill: str
    per_prompt_token: str


BATCH = _Part(
    "batch",
    "seconds",
    "itl_base_s",
    "itl_per_sequence_s",
    "itl_per_context_token_s",
    "ttft_seconds",
    "prefill_per_token_s",
)
ENERGY = _Part(
    "batch-energy",
    "joules",
    "joules_per_decode_step",
    "joules_per_output_token",
    "joules_per_context_token",
    "joules_per_prefill",
    "joules_per_input_token",
)
Parameters = dict[str, tuple[float, float]]


@typed()
def fit_steps(measured: StepTable, /, *, energy: bool = False, extrapolate: bool = False) -> Fit:
    """Fit ``base + (per_sequence + per_context_token * context) * B`` to steps, and a line to prefills.

    By least squares relative to what was measured, none negative: where that scatters by 10 %, numbers are about 2 %
    too low. The term of the context is left out, and that is said, where contexts are not known or vary too little to
    tell it apart from the other two. Prefills are fitted to those of one prompt; runs of several are compared with it.

    Args:
        measured: steps at three or more batch sizes that are 5 % apart, two more than numbers that are fitted.
        energy: fit ``batch-energy`` to their joules, else ``batch`` to their seconds.
        extrapolate: leave out how far was measured, so that k, contexts and prompts beyond are candidates.

    Raises:
        MooInferError: for fewer, and where joules are asked for and not there.

    >>> B, context = np.array([1.0, 8, 64, 1, 8, 64]), np.repeat([512.0, 2048], 3)
    >>> steps = StepTable(B, context, 0.009 + 1e-5 * B + 4e-8 * B * context, np.full(6, np.nan))
    >>> fitted = fit_steps(steps)
    >>> print({name: float(f"{value:.6g}") for name, (value, _) in fitted.parameters.items()})
    {'itl_base_s': 0.009, 'itl_per_sequence_s': 1e-05, 'itl_per_context_token_s': 4e-08}
    >>> print(fitted.settings)
    {'largest_measured_batch': 64, 'largest_measured_context': 2048.0}
    """
    part = ENERGY if energy else BATCH
    taken: FloatArray = measured.joules if energy else measured.seconds
    known = np.isfinite(taken)
    if not known.any():
        raise MooInferError(f"{part.kind}: no decoding step with batch, context and {part.column} was measured")
    batch, context, taken = measured.batch[known], measured.context[known], taken[known]
    line, said = _line_of_steps(part, batch, context, taken)
    prefill, of_prefill = _line_of_prefills(part, measured)
    settings = {} if extrapolate else _measured(batch, context, measured, bool(prefill))
    if energy and math.isfinite(measured.idle_watts):
        settings["idle_watts"] = measured.idle_watts
        of_prefill.append("idle_watts count for the seconds between queries, idle_seconds, which are yours to add")
    if unused := int((~known).sum()):
        said.append(f"{unused} steps without {part.column} not used")
    return Fit(
        part.kind,
        line.parameters | prefill,
        points=len(taken),
        error=float(np.abs(line.off).mean()),
        about="; ".join([*said, *of_prefill]),
        settings=settings,
        setup=measured.name,
    )


@typed()
def fit_setups(
    measured: Sequence[StepTable], /, *, energy: bool = False, extrapolate: bool = False
) -> tuple[list[Fit], list[str]]:
    """Fit every setup of a file as `fit_steps` does; return the fits, and sentences on setups that have too few steps.

    Raises:
        MooInferError: where none can be fitted.
    """
    fits, reasons = [], []
    for setup in measured:
        try:
            fits.append(fit_steps(setup, energy=energy, extrapolate=extrapolate))
        except MooInferError as error:
            reasons.append((setup.name, str(error)))
    if not fits:
        raise MooInferError("; ".join(f"{name}: {reason}" if name else reason for name, reason in reasons[:POINTS]))
    if reasons:
        names = ", ".join(name for name, _ in reasons)
        return fits, [f"{len(reasons)} of {len(measured)} setups have too few batch sizes and are left out: {names}"]
    return fits, []


@dataclass(frozen=True)
class _Line:
    """What least squares found: numbers with standard errors, and errors (n,), relative to what was measured."""

    parameters: Parameters
    off: FloatArray

    def errors(self, where: Callable[[int], str]) -> str:
        """Say how large they are; `where` names a point."""
        size = np.abs(self.off)
        worst = int(size.argmax())
        return f"median error {_percent(np.median(size))}, worst {_percent(size[worst])} ({where(worst)})"


def _line(columns: Mapping[str, FloatArray], taken: FloatArray) -> _Line:
    values, errors, off = solved(np.stack([*columns.values()], axis=1) / taken[:, None], np.ones(len(taken)))
    return _Line(dict(zip(columns, zip(values.tolist(), errors.tolist(), strict=True), strict=True)), off)


def _line_of_steps(part: _Part, batch: FloatArray, context: FloatArray, taken: FloatArray) -> tuple[_Line, list[str]]:
    """The numbers of a step, and what is to be known of them."""
    if len(loads := loads_apart(batch)) < POINTS:
        there = f" ({', '.join(f'{load:.4g}' for load in loads)})"
        raise MooInferError(f"{part.kind}: steps at {POINTS} or more batch sizes are needed, got {len(loads)}{there}")
    columns, said = {part.base: np.ones(len(batch)), part.per_sequence: batch}, []
    read, known = batch * context, bool(np.isfinite(context).all())
    if known and _told_apart(read, columns, taken):
        columns[part.per_context_token] = read
    else:
        why = f"contexts of {_between(context)} tokens vary too little" if known else "contexts are not known"
        said.append(f"{part.per_context_token} not told apart: {why}, so use the others at such lengths only")
    if len(taken) < (needed := len(columns) + SPARE):
        numbers = f"{needed} steps are needed to fit {len(columns)} numbers"
        raise MooInferError(f"{part.kind}: at least {numbers}, got {len(taken)}")
    line = _line(columns, taken)
    opening = [f"{part.column} of a step; batch {_between(batch)}"]
    if known:
        opening += [f"context {_between(context)}", f"at most {read.max():g} tokens in a batch"]
    at = (lambda i: f"batch {batch[i]:g}, context {context[i]:g}") if known else (lambda i: f"batch {batch[i]:g}")
    if batch.min() > 1:
        said.append(f"below a batch of {batch.min():.4g}, as of one sequence alone, it is extrapolated")
    for name, (value, se) in line.parameters.items():
        if 0 < se >= value:
            said.append(f"{name} = {value:.2g} (se {se:.2g}) not told apart from 0")
    return line, [*opening, line.errors(at), *said]


def _line_of_prefills(part: _Part, measured: StepTable) -> tuple[Parameters, list[str]]:
    """The numbers of a prefill, and what is to be known of them; none where none was measured."""
    taken = getattr(measured, f"prefill_{part.column}") / measured.prefills
    if not (known := np.isfinite(taken)).any():
        return {}, [] if measured.labels else ["no prefills were measured: they take nothing here"]
    alone = known & (measured.prefills == 1)
    used = alone if alone.any() else known
    tokens = measured.prompt[used]
    columns = {part.prefill: np.ones(len(tokens))}
    said = [f"prefills of {_between(tokens)} tokens"]
    if _told_apart(tokens, columns, taken[used]):
        columns[part.per_prompt_token] = tokens
    else:
        said.append(f"{part.per_prompt_token} not told apart: use the other at such prompts only")
    line = _line(columns, taken[used])
    few = len(tokens) <= len(columns)
    said.append("too few to judge the line by" if few else line.errors(lambda i: f"{tokens[i]:g} tokens"))
    values = [value for value, _ in line.parameters.values()]
    for i in np.flatnonzero(known & ~used):
        error = float(np.dot(values, [1.0, measured.prompt[i]][: len(values)]) / taken[i]) - 1
        several = f"{measured.prefills[i]:g} of {measured.prompt[i]:g} tokens, one after the other"
        said.append(f"{several}, not fitted: the line says {_percent(abs(error))} {'more' if error > 0 else 'less'}")
    return line.parameters, said


def _measured(batch: FloatArray, context: FloatArray, measured: StepTable, prefills: bool) -> dict[str, float]:
    """The fields of a part that say how far it was measured."""
    # An average of 127.98 is that of a batch of 128.
    most: dict[str, float] = {"largest_measured_batch": math.ceil(batch.max())}
    if np.isfinite(context).all():
        most["largest_measured_context"] = float(context.max())
    if prefills:
        most["largest_measured_prompt"] = float(measured.prompt.max())
    return most


def _told_apart(column: FloatArray, others: Mapping[str, FloatArray], taken: FloatArray) -> bool:
    """Whether a column says something that the others do not, enough for least squares relative to `taken`."""
    own = column / taken
    table = np.stack([other / taken for other in others.values()], axis=1)
    left = own - table @ np.linalg.lstsq(table, own, rcond=None)[0]
    return bool(np.linalg.norm(left) > TOLD_APART * np.linalg.norm(own))


def _between(values: FloatArray) -> str:
    low, high = f"{values.min():g}", f"{values.max():g}"
    return low if low == high else f"{low} to {high}"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
