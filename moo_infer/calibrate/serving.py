"""Fits the seconds of a server or an API to measurements, and writes them as parts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MooInferError, unknown
from .load_tests import Measured

__all__ = ["KINDS", "Fitted", "fit_batch", "fit_itl", "fit_serving", "fit_slots"]

FloatArray = npt.NDArray[np.float64]

POINTS = 3  # the fewest that leave something over to judge a fit by
HUBER = 1.345  # residuals beyond so many standard deviations count less
NORMAL_MAD = 0.6745  # median of |z| of a standard normal z


@dataclass(frozen=True)
class Fitted:
    """Parameters of a part, with standard errors.

    Args:
        kind: the part's name.
        parameters: (value, standard error) by field.
        points: how many measurements were used.
        error: mean absolute error of the fit: relative, of ITL for ``batch``, of a call's seconds for ``slots``, of
            quantiles of the output tokens for ``lognormal``; for ``beta`` of pass@k itself.
        about: more about it, in words.
    """

    kind: str
    parameters: Mapping[str, tuple[float, float]]
    points: int
    error: float
    about: str

    @property
    def part(self) -> dict[str, Any]:
        """The part of a profile: ``{"kind": ..., field: {"value": ..., "se": ...}, ...}``."""
        return {"kind": self.kind} | {name: {"value": v, "se": se} for name, (v, se) in self.parameters.items()}

    @property
    def yaml(self) -> str:
        """Lines to put under ``costs`` of a model, with where they come from."""
        fields = [f"{name}: {{value: {value:.5g}, se: {se:.2g}}}" for name, (value, se) in self.parameters.items()]
        return f"# {self.points} points, mean error {100 * self.error:.1f} %; {self.about}\n" + (
            f"- {{{', '.join([f'kind: {self.kind}', *fields])}}}"
        )


def fit_itl(batch: npt.ArrayLike, itl_s: npt.ArrayLike, /) -> tuple[tuple[float, float], tuple[float, float], float]:
    """Fit ``ITL(B) = alpha + beta B`` by relative least squares, alpha and beta >= 0.

    Args:
        batch: (n,) sequences in the batch, > 0, n >= 3.
        itl_s: (n,) seconds between two tokens of a sequence, > 0.

    Returns:
        (alpha, its standard error), (beta, its standard error), and the mean absolute relative error.

    >>> B = np.array([1.0, 8.0, 64.0])
    >>> (alpha, _), (beta, _), error = fit_itl(B, 0.0065 + 7.9e-05 * B)
    >>> round(alpha, 9), round(beta, 9), round(error, 9)
    (0.0065, 7.9e-05, 0.0)
    """
    B, itl = np.asarray(batch, dtype=np.float64), np.asarray(itl_s, dtype=np.float64)
    values, errors, residual = _solved(np.stack([1 / itl, B / itl], axis=1), np.ones(len(itl)))
    alpha, beta = zip(values.tolist(), errors.tolist(), strict=True)
    return alpha, beta, float(np.abs(residual).mean())


def fit_batch(measured: Measured, /) -> Fitted:
    """Fit ``batch``: ITL from concurrency, and the time to the first token, by relative least squares.

    Raises:
        MooInferError: for fewer than three different concurrencies with known times to the first token.
    """
    known = np.isfinite(measured.concurrency) & np.isfinite(measured.ttft_s) & (measured.output_tokens > 1)
    batch, ttft = measured.concurrency[known], measured.ttft_s[known]
    different = len(np.unique(batch))
    if different < POINTS:
        raise MooInferError(
            f"batch: at least {POINTS} different concurrencies with ttft_s are needed to fit ITL(B), got {different}; "
            "give the files of several runs, or fit slots to single requests"
        )
    itl = (measured.latency_s[known] - ttft) / (measured.output_tokens[known] - 1)
    if (itl <= 0).any() or (ttft <= 0).any():
        raise MooInferError("batch: needs 0 < ttft_s < latency_s; answers that were not streamed show no ITL")
    alpha, beta, error = fit_itl(batch, itl)
    (first,), (first_se,), residual = (found.tolist() for found in _solved((1 / ttft)[:, None], np.ones(len(ttft))))
    about = (
        f"ITL at concurrency {batch.min():g} to {batch.max():g}; TTFT off by {100 * np.mean(np.abs(residual)):.0f} %"
    )
    parameters = {"itl_base_s": alpha, "itl_per_sequence_s": beta, "ttft_seconds": (first, first_se)}
    return Fitted("batch", parameters, len(batch), error, about)


def fit_slots(measured: Measured, /) -> Fitted:
    """Fit ``slots``: the seconds of a call, ``overhead + s_in tokens_in + s_out tokens_out``, none negative.

    Errors are relative to the call, and those far out count less (Huber), so that a few hiccups do not matter.

    Raises:
        MooInferError: for means instead of single requests, and for fewer than three of them.
    """
    if measured.means:
        raise MooInferError("slots: needs single requests, got means over runs; vLLM writes them with --save-detailed")
    y = measured.latency_s
    if len(y) < POINTS + 1:
        raise MooInferError(f"slots: at least {POINTS + 1} requests are needed to fit three numbers, got {len(y)}")
    names = ["seconds_per_output_token", "overhead_s", "seconds_per_input_token"]
    columns: dict[str, FloatArray] = {
        names[0]: measured.output_tokens,
        names[1]: np.ones(len(y)),
        names[2]: measured.input_tokens,
    }
    used: list[str] = []
    for name in names:  # what others say already (a constant length) is left to them
        scaled = np.stack([columns[n] / max(float(np.linalg.norm(columns[n])), 1e-300) for n in [*used, name]], axis=1)
        if np.linalg.matrix_rank(scaled, tol=1e-6) == len(used) + 1:
            used.append(name)
    X = np.stack([columns[name] for name in used], axis=1)
    predicted, weights = y, np.ones(len(y))
    for _ in range(50):
        values, errors, _ = _solved(X / predicted[:, None], y / predicted, weights)
        before, predicted = predicted, np.maximum(X @ values, 1e-6 * y)
        residual = y / predicted - 1
        spread = max(float(np.median(np.abs(residual))) / NORMAL_MAD, 1e-9)
        weights = np.minimum(1.0, HUBER * spread / np.maximum(np.abs(residual), 1e-300))
        if np.allclose(before, predicted, rtol=1e-9):
            break
    parameters = dict.fromkeys(sorted(names), (0.0, 0.0))
    parameters |= {name: (float(v), float(e)) for name, v, e in zip(used, values, errors, strict=True)}
    error = float(np.abs(predicted / y - 1).mean())
    about = "seconds of a call; " + (
        f"{', '.join(left)} not told apart: lengths do not vary"
        if (left := [n for n in names if n not in used])
        else f"{measured.output_tokens.min():g} to {measured.output_tokens.max():g} output tokens"
    )
    return Fitted("slots", parameters, len(y), error, about)


KINDS = {"batch": fit_batch, "slots": fit_slots}


def fit_serving(measured: Measured, kind: str | None = None, /) -> Fitted:
    """Fit what the measurements are of: ``batch`` where concurrency varies, else ``slots``; or the kind given.

    Raises:
        MooInferError: for an unknown kind, and where too little was measured.

    >>> n = np.array([1.0, 4.0, 16.0])
    >>> itl = 0.01 + 0.001 * n
    >>> measured = Measured(n, np.full(3, 100.0), np.full(3, 51.0), np.full(3, 0.2), 0.2 + 50 * itl)
    >>> print({name: round(value, 6) for name, (value, _) in fit_serving(measured).parameters.items()})
    {'itl_base_s': 0.01, 'itl_per_sequence_s': 0.001, 'ttft_seconds': 0.2}
    """
    if kind is not None and kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    if kind is None:
        varied = len(np.unique(measured.concurrency[np.isfinite(measured.concurrency + measured.ttft_s)])) >= POINTS
        kind = "batch" if varied or measured.means else "slots"
    return KINDS[kind](measured)


def _solved(
    X: FloatArray, y: FloatArray, weights: FloatArray | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Non-negative least squares: values, standard errors (as if there were no bounds), and residuals."""
    from scipy.optimize import nnls

    root = np.ones(len(y)) if weights is None else np.sqrt(weights)
    scale = np.linalg.norm(X, axis=0)
    A, b = X / scale * root[:, None], y * root
    values = nnls(A, b)[0]
    variance = float(((A @ values - b) ** 2).sum()) / max(len(y) - X.shape[1], 1)
    errors = np.sqrt(np.diag(np.linalg.inv(A.T @ A)) * variance)
    return values / scale, errors / scale, X @ (values / scale) - y
