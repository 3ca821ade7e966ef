"""Parameters of a part as they are fitted, the lines of YAML they become, and the least squares behind them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any

import numpy as np

from ..core.arrays import FloatArray
from ..core.errors import MooInferError, printable

__all__ = ["POINTS", "Fit", "comment", "loads_apart", "solved", "triangle"]

POINTS = 3  # the fewest that leave something over to judge a fit by
ROWS = 2**12  # of a block that is made triangular, few enough for a cache: six times as fast as all rows at once
BLOCKS = 64  # in one go, as they are copied
SAME = 1.05  # loads no further apart are one: what ran is measured, and differs a little where nothing was changed


@dataclass(frozen=True)
class Fit:
    """Parameters of a part, with standard errors.

    Args:
        kind: the part's name.
        parameters: (value, standard error) by field.
        points: how many measurements were used.
        error: mean absolute error of the fit: relative, of ITL for ``batch``, of a step's joules for ``batch-energy``,
            of a call's seconds for ``slots``, of quantiles of the output tokens for ``lognormal``; for ``beta`` of
            pass@k itself.
        about: more about it, in words.
        ratios: for ``slots``, the quantiles of measured over fitted seconds, the field `ratios` of the part; none where
            all measured seconds are the fitted ones.
        typical_s: for ``slots``, the mean seconds of a call by the fit alone, to which rare delays matter little.
        waited_s: for ``slots``, the mean seconds of a call as measured, rare delays included; that of the part with its
            ratios.
        settings: other fields of the part: how far it was measured, and what was measured by itself.
        setup: which of several setups was measured; "" for one.
    """

    kind: str
    parameters: Mapping[str, tuple[float, float]]
    points: int
    error: float
    about: str
    ratios: tuple[float, ...] = ()
    typical_s: float | None = None
    waited_s: float | None = None
    settings: Mapping[str, float] = field(default_factory=dict)
    setup: str = ""

    @property
    def part(self) -> dict[str, Any]:
        """The part of a profile: ``{"kind": ..., field: {"value": ..., "se": ...}, ...}``."""
        numbers = {name: {"value": v, "se": se} for name, (v, se) in self.parameters.items()}
        return {"kind": self.kind} | numbers | ({"ratios": [*self.ratios]} if self.ratios else {}) | {**self.settings}

    @property
    def yaml(self) -> str:
        """Lines to put under ``costs`` of a model, with where they come from."""
        fields = [f"{name}: {{value: {value:.5g}, se: {se:.2g}}}" for name, (value, se) in self.parameters.items()]
        fields += [f"ratios: [{', '.join(f'{ratio:g}' for ratio in self.ratios)}]"] if self.ratios else []
        fields += [f"{name}: {value:.6g}" for name, value in self.settings.items()]
        head = f"{self.points} points, mean error {100 * self.error:.1f} %; {self.about}"
        head = f"{self.setup}: {head}" if self.setup else head
        return "\n".join([comment(head), f"- {{{', '.join([f'kind: {self.kind}', *fields])}}}"])


def comment(sentence: str, /) -> str:
    """Return a sentence as lines of a comment in YAML."""
    return "\n".join(
        wrap(printable(sentence), 120, initial_indent="# ", subsequent_indent="#   ", break_long_words=False)
    )


def solved(
    X: FloatArray, y: FloatArray, roots: FloatArray | None = None, /, *, signed: bool = False
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Solve non-negative least squares: values, standard errors (as if there were no bounds), and residuals.

    Args:
        X: (n, p), a column for each value.
        y: (n,).
        roots: (n,) square roots of the weights of the rows; None for 1 each.
        signed: whether values may be negative.

    Raises:
        MooInferError: where rounding leaves nothing of some values.
    """
    from scipy.optimize import nnls

    both = np.column_stack([X, y])
    if roots is not None:
        both *= roots[:, None]
    try:
        R = triangle(both)
        A, b = R[:, :-1], R[:, -1]
        scale = np.linalg.norm(A, axis=0)
        with np.errstate(invalid="ignore"):
            A = A / scale
        values = np.linalg.lstsq(A, b)[0] if signed else nnls(A, b)[0]
        spread = np.diag(np.linalg.inv(A.T @ A))
    except (RuntimeError, ValueError):  # no solution after many steps, or one without information; or no numbers
        spread = np.full(X.shape[1], np.nan)
    if not (spread > 0).all():
        raise MooInferError("the measurements cannot be fitted together: their lengths or times are too far apart")
    variance = float(((A @ values - b) ** 2).sum()) / max(len(y) - X.shape[1], 1)
    errors = np.sqrt(spread * variance)
    return values / scale, errors / scale, X @ (values / scale) - y


def triangle(A: FloatArray, /) -> FloatArray:
    """Return R of A = QR: a few rows that say of any combination of the columns how long it is.

    Args:
        A: (n, p).

    Returns:
        (min(n, p), p).

    >>> A = np.random.default_rng(0).random((1000, 2))
    >>> print(np.allclose(np.linalg.norm(triangle(A) @ [3, -1]), np.linalg.norm(A @ [3, -1])))
    True
    """
    rows = ROWS * BLOCKS
    while len(A) > ROWS:  # the triangles of blocks below each other, until they are one block
        some = (A[i : i + rows] for i in range(0, len(A), rows))
        A = np.concatenate([triangle for of in some for triangle in _triangles(of)])
    return np.asarray(np.linalg.qr(A, mode="r"))


def _triangles(A: FloatArray) -> Iterator[FloatArray]:
    """R of each whole block of rows, and the rows that are left."""
    whole = len(A) // ROWS * ROWS
    yield from np.linalg.qr(A[:whole].reshape(-1, ROWS, A.shape[1]), mode="r")
    yield A[whole:]


def loads_apart(loads: FloatArray, /) -> list[float]:
    """Return the loads that are further apart than 5 %, ascending, of each the lowest."""
    apart: list[float] = []
    for load in np.unique(loads[np.isfinite(loads)]).tolist():
        if not apart or load > SAME * apart[-1]:
            apart.append(load)
    return apart
