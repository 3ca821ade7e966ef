"""Fits the seconds of a server or an API to measurements, and writes them as parts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from ..core.arguments import typed
from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.errors import MooInferError, unknown
from ..core.noise import condensed
from ..read.load_tests import LoadTest
from .part_fit import POINTS, Fit, loads_apart, solved, triangle
from .regression import numbers

__all__ = ["KINDS", "fit_batch", "fit_itl", "fit_serving", "fit_slots"]

HUBER = 1.345  # residuals beyond so many standard deviations count less
NORMAL_MAD = 0.6745  # median of |z| of a standard normal z
SLOPES = {"seconds_per_output_token": "output_tokens", "seconds_per_input_token": "input_tokens"}
NEGLIGIBLE = 0.01  # share of a call's seconds that a slope may be uncertain by without a word
FEW = 100  # requests of which fewer than five lie beyond the 95 % quantile


@typed()
def fit_itl(batch: npt.ArrayLike, itl_s: npt.ArrayLike, /) -> tuple[tuple[float, float], tuple[float, float], float]:
    """Fit ``ITL(B) = alpha + beta B`` by relative least squares, alpha and beta >= 0.

    Errors are relative to what was measured: where that scatters by 10 %, numbers are about 2 % too low.

    Args:
        batch: (n,) sequences in the batch, > 0, n >= 3.
        itl_s: (n,) seconds between two tokens of a sequence, > 0.

    Returns:
        (alpha, its standard error), (beta, its standard error), and the mean absolute relative error.

    Raises:
        MooInferError: for fewer points, and numbers that are not > 0 or cannot be fitted together.

    >>> B = np.array([1.0, 8.0, 64.0])
    >>> (alpha, _), (beta, _), error = fit_itl(B, 0.0065 + 7.9e-05 * B)
    >>> round(alpha, 9), round(beta, 9), round(error, 9)
    (0.0065, 7.9e-05, 0.0)
    """
    B = numbers(batch, "batch", positive=True)
    itl = numbers(itl_s, "itl_s", len(B), positive=True)
    if len(B) < POINTS:
        raise MooInferError(f"batch: at least {POINTS} points are needed to fit ITL(B), got {len(B)}")
    with np.errstate(over="ignore"):  # what overflows is refused below
        X = np.stack([1 / itl, B / itl], axis=1)
    values, errors, residual = solved(X, np.ones(len(itl)))
    alpha, beta = zip(values.tolist(), errors.tolist(), strict=True)
    return alpha, beta, float(np.abs(residual).mean())


@typed()
def fit_batch(measured: LoadTest, /) -> Fit:
    """Fit ``batch``: ITL from concurrency, and the time to the first token, by relative least squares.

    Each run counts once, by the means of its requests, so that its summary and its single requests give one answer: ITL
    is its seconds after the first tokens over its tokens after the first.

    Raises:
        MooInferError: for fewer than three different concurrencies with known times to the first token.
    """
    known = _with_load(measured)
    runs = measured.averaged(known)
    longer = runs["output_tokens"] > 1
    batch, ttft, tokens, seconds = (
        runs[name][longer] for name in ("concurrency", "ttft_s", "output_tokens", "latency_s")
    )
    loads = loads_apart(batch)
    if len(loads) < POINTS:
        there = f" ({', '.join(f'{load:.4g}' for load in loads)})" if len(loads) else ""
        raise MooInferError(
            f"batch: at least {POINTS} different concurrencies with ttft_s are needed to fit ITL(B), got {len(loads)}"
            f"{there}; give the files of several runs, or fit slots to single requests"
        )
    itl = (seconds - ttft) / (tokens - 1)
    if (itl <= 0).any() or (ttft <= 0).any():
        raise MooInferError("batch: needs 0 < ttft_s < latency_s; answers that were not streamed show no ITL")
    alpha, beta, error = fit_itl(batch, itl)
    (first,), (first_se,), residual = (found.tolist() for found in solved((1 / ttft)[:, None], np.ones(len(ttft))))
    said = [
        f"ITL at concurrency {batch.min():.4g} to {batch.max():.4g}",
        *([f"{len(batch)} runs, each by the mean of its requests"] if len(batch) < known.sum() else []),
        f"TTFT off by {100 * np.mean(np.abs(residual)):.0f} %",
        *([f"{unused} points without concurrency or ttft_s not used"] if (unused := int((~known).sum())) else []),
    ]
    parameters = {"itl_base_s": alpha, "itl_per_sequence_s": beta, "ttft_seconds": (first, first_se)}
    return Fit("batch", parameters, int(known.sum()), error, "; ".join(said))


def _with_load(measured: LoadTest) -> BoolArray:
    """(n,) of which the concurrency and the time to the first token are known."""
    known: BoolArray = np.isfinite(measured.concurrency) & np.isfinite(measured.ttft_s)
    return known


@typed()
def fit_slots(measured: LoadTest, groups: IntArray | None = None, /) -> Fit:
    """Fit ``slots``: the seconds of a call, ``overhead + s_in tokens_in + s_out tokens_out``, none negative.

    Errors are relative to the call, and those far out count less (Huber), so that a few hiccups do not matter to the
    line. They are in its `ratios`: quantiles of measured over fitted seconds, in which every call counts by its fitted
    seconds, so that fitted seconds times ratios are on average what was waited.

    Where outputs vary too little to tell the overhead from the seconds of a token, all is left to the tokens, and said;
    so is a slope whose standard error is as large as itself.

    Args:
        measured: four or more single requests; means over runs among them are not used.
        groups: (n,) of requests that have something in common. Standard errors are then those of a jackknife that
            leaves out one group after the other, else those of the regression.

    Raises:
        MooInferError: for means instead of single requests, and for fewer than four of them.
    """
    single = measured.single
    if len(single) and not single.any():
        raise MooInferError("slots: needs single requests, got means over runs; vLLM writes them with --save-detailed")
    said = _not_used(measured, single)
    if not single.all():
        measured, groups = measured.where(single), None if groups is None else groups[single]
    y = measured.latency_s
    if len(y) < POINTS + 1:
        raise MooInferError(f"slots: at least {POINTS + 1} requests are needed to fit three numbers, got {len(y)}")
    columns = {
        "seconds_per_output_token": measured.output_tokens,
        "overhead_s": np.ones(len(y)),
        "seconds_per_input_token": measured.input_tokens,
    }
    X, names = np.stack([*columns.values()], axis=1), [*columns]
    del columns  # of a million requests everything that is held twice counts
    used = _told_apart(X)
    X, names = X[:, used], [names[i] for i in used]
    line, seconds = _line(X, names, y, y)
    slope, se = _with_errors(line, X, y, seconds).get(
        "seconds_per_output_token", (0.0, 0.0)
    )  # not there where all outputs are 0
    if "overhead_s" in names and _unsure(slope, se) and 2 * se * measured.output_tokens.mean() >= y.mean():
        kept = [name != "overhead_s" for name in names]  # a token takes from nothing to all of the seconds
        X, names = X[:, kept], [name for name in names if name != "overhead_s"]
        line, seconds = _line(X, names, y, seconds)
    found = _with_errors(line, X, y, seconds) if groups is None else _jackknifed(line, X, y, seconds, groups)
    parameters = dict.fromkeys(sorted(["overhead_s", *SLOPES]), (0.0, 0.0)) | found
    ratios = tuple(float(f"{ratio:.4g}") for ratio in condensed(y / seconds, seconds))
    fitted = Fit(
        "slots",
        parameters,
        points=len(y),
        error=float(np.abs(seconds / y - 1).mean()),
        about=f"seconds of a call; {_between(measured.output_tokens)} output tokens",
        ratios=() if set(ratios) == {1.0} else ratios,
        typical_s=float(seconds.mean()),
        waited_s=float(y.mean()),
    )
    return replace(fitted, about="; ".join([fitted.about, *said, *_untold(measured, found), *_waited(fitted)]))


def _not_used(measured: LoadTest, single: BoolArray) -> list[str]:
    """Say which of what was measured makes no difference to seconds of a call."""
    said = []
    loads = loads_apart(measured.concurrency[single])
    if len(loads) > 1:
        said.append(
            f"of loads from {loads[0]:.4g} to {loads[-1]:.4g} requests at a time, which this makes no difference of"
        )
    if unused := int((~single).sum()):
        said.append(f"{unused} means over runs not used")
    return said


def _jackknifed(
    line: Mapping[str, float], X: FloatArray, y: FloatArray, seconds: FloatArray, groups: IntArray
) -> dict[str, tuple[float, float]]:
    """The numbers of a line, with standard errors of a jackknife that leaves out one group after the other.

    They are as if there were no bounds: a number that is 0 without any of the groups would be taken as certain.
    """
    without = []
    for group in np.unique(groups):
        kept = groups != group
        some = X[kept]
        used = _told_apart(some)
        some = some if len(used) == len(line) else some[:, used]
        without.append(_line(some, [[*line][i] for i in used], y[kept], seconds[kept], signed=True)[0])
    errors = {
        name: float(np.sqrt((len(without) - 1) * np.var([found.get(name, 0.0) for found in without]))) for name in line
    }
    return {name: (value, errors[name]) for name, value in line.items()}


def _line(
    X: FloatArray, names: Sequence[str], y: FloatArray, predicted: FloatArray, *, signed: bool = False
) -> tuple[dict[str, float], FloatArray]:
    """Fit seconds (n,) by a line in the columns of X: numbers by name, which may be negative if `signed`, and seconds.

    The steps start from what is `predicted`, with the same weight for all.
    """
    weights, least = np.ones(len(y)), 0.1 * predicted if signed else 1e-6 * y
    for _ in range(50):
        values, _, _ = solved(X, y, np.sqrt(weights) / predicted, signed=signed)
        before, predicted = predicted, np.maximum(X @ values, least)  # a line may be negative; we divide by it
        residual = np.abs(y / predicted - 1)
        weights = np.minimum(1.0, _bound(residual) / np.maximum(residual, 1e-300))
        if np.allclose(before, predicted, rtol=1e-9):
            break
    return dict(zip(names, values.tolist(), strict=True)), predicted


def _bound(residual: FloatArray) -> float:
    """How large (n,) errors may be before they count less."""
    # A perfect fit has no spread and residuals of 0: the bounds keep the weights at 1 then.
    return HUBER * max(float(np.median(residual)) / NORMAL_MAD, 1e-9)


def _with_errors(
    line: Mapping[str, float], X: FloatArray, y: FloatArray, predicted: FloatArray
) -> dict[str, tuple[float, float]]:
    """The numbers of a line with the standard errors of an M-estimate (Huber, Robust Statistics, 1981, ch. 7)."""
    residual = y / predicted - 1
    bound = _bound(np.abs(residual))
    cut = np.clip(residual, -bound, bound)
    # How the sum of cut errors changes with the line, which stands in the errors and in what they are relative to.
    slope = float((np.where(np.abs(residual) <= bound, 1 + residual, 0.0) + cut).mean())
    R = triangle(X / predicted[:, None])
    scale = np.linalg.norm(R, axis=0)
    spread = np.diag(np.linalg.inv((R / scale).T @ (R / scale)))
    variance = float((cut**2).sum()) / max(len(y) - X.shape[1], 1) / slope**2
    errors = np.sqrt(spread * variance) / scale
    return {name: (value, float(error)) for (name, value), error in zip(line.items(), errors, strict=True)}


def _told_apart(X: FloatArray) -> list[int]:
    """Columns of a regression without those that the ones before say already, as a constant length says what 1 does."""
    R = triangle(X)
    scaled = R / np.maximum(np.linalg.norm(R, axis=0), 1e-300)  # a column of zeros has no norm
    used: list[int] = []
    for i in range(X.shape[1]):
        # 1e-6: measured columns that differ by less are the same one.
        if np.linalg.matrix_rank(scaled[:, [*used, i]], tol=1e-6) == len(used) + 1:
            used.append(i)
    return used


def _unsure(value: float, se: float) -> bool:
    return 0 < se >= value


def _untold(measured: LoadTest, found: Mapping[str, tuple[float, float]]) -> list[str]:
    """What the lengths do not tell."""
    said = []
    if "overhead_s" not in found:
        said.append(
            f"overhead_s and seconds_per_output_token not told apart: outputs of {_between(measured.output_tokens)} "
            "tokens vary too little, so the tokens are given all seconds, which holds at such lengths only"
        )
    if "seconds_per_input_token" not in found:
        said.append("seconds_per_input_token not told apart: lengths do not vary")
    for slope, name in SLOPES.items():
        tokens = getattr(measured, name)
        value, se = found.get(slope, (0.0, 0.0))
        if _unsure(value, se) and 2 * se * tokens.mean() > NEGLIGIBLE * measured.latency_s.mean():
            said.append(
                f"{slope} = {value:.2g} (se {se:.2g}) not told apart from 0 by {_between(tokens)} {name}, so take it "
                "for such lengths only"
            )
    return said


def _waited(fitted: Fit) -> list[str]:
    """How long calls took, as a rule and with all delays."""
    said = (
        f"mean seconds of a call: typical_s = {fitted.typical_s:.3g} by the fit alone, which makes little of rare "
        f"delays; waited_s = {fitted.waited_s:.3g} as measured, with all of them"
    )
    few = fitted.ratios and fitted.points < FEW
    return [said, f"{fitted.points} requests say little of rare delays"] if few else [said]


def _between(values: FloatArray) -> str:
    low, high = f"{values.min():g}", f"{values.max():g}"
    return low if low == high else f"{low} to {high}"


KINDS = {"batch": fit_batch, "slots": fit_slots}


@typed()
def fit_serving(measured: LoadTest, kind: str | None = None, /) -> Fit:
    """Fit what the measurements are of: ``batch`` where concurrency varies, else ``slots``; or the kind given.

    Raises:
        MooInferError: for an unknown kind, and where too little was measured.

    >>> n = np.array([1.0, 4.0, 16.0])
    >>> itl = 0.01 + 0.001 * n
    >>> measured = LoadTest(n, np.full(3, 100.0), np.full(3, 51.0), np.full(3, 0.2), 0.2 + 50 * itl)
    >>> print({name: round(value, 6) for name, (value, _) in fit_serving(measured).parameters.items()})
    {'itl_base_s': 0.01, 'itl_per_sequence_s': 0.001, 'ttft_seconds': 0.2}
    """
    if kind is not None and kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    if kind is None:
        varied = len(loads_apart(measured.concurrency[_with_load(measured)])) >= POINTS
        kind = "batch" if varied or not measured.single.any() else "slots"
    return KINDS[kind](measured)
