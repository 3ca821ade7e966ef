"""Least squares with few points: coefficients, their errors, and what is left over."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.arrays import FloatArray
from ..core.errors import LARGEST_NUMBER, MooInferError
from ..core.numeric import numbers_of
from ..quantities.fieller import student
from ..report.wording import Block, TextTable, to_html

__all__ = ["ROUNDING", "Coefficient", "Regression", "numbers", "regression"]

ROUNDING = 1e-12  # of the largest value: what is smaller is due to floats, no scatter and no growth
DEPENDENT = 1e-9  # columns whose part that the others do not explain is smaller, in proportion, say nothing apart


@dataclass(frozen=True)
class Coefficient:
    """A coefficient of a regression.

    Args:
        value: the coefficient.
        stderr: its standard error, by the scatter of the points.
        t: value over standard error; infinite where the points show no scatter.
        low, high: its interval.
        told_apart: whether the interval leaves out 0.
    """

    value: float
    stderr: float
    t: float
    low: float
    high: float
    told_apart: bool


@dataclass(frozen=True)
class Regression:
    """What least squares found.

    Args:
        coefficients: by name.
        n: how many points.
        scatter: standard deviation of the points about the fit, with `freedom` in the denominator.
        freedom: points less coefficients, >= 1.
        r2: share of the variance of y that the fit explains; NaN where y does not vary.
        confidence: of the intervals, in (0, 1).
    """

    coefficients: Mapping[str, Coefficient]
    n: int
    scatter: float
    freedom: int
    r2: float
    confidence: float

    def __getitem__(self, name: str) -> Coefficient:
        return self.coefficients[name]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "coefficients": {
                name: {key: number if math.isfinite(number) else None for key, number in vars(of).items()}
                for name, of in self.coefficients.items()
            },
            "n": self.n,
            "scatter": self.scatter,
            "r2": self.r2 if math.isfinite(self.r2) else None,
            "confidence": self.confidence,
        }

    def blocks(self) -> list[Block]:
        """What people read: a row a coefficient, and how well the fit explains the points."""
        rows: list[tuple[str, ...]] = []
        for name, of in self.coefficients.items():
            apart = "told apart from 0" if of.told_apart else "not told apart from 0"
            rows.append((name, f"{of.value:.6g}", f"[{of.low:.3g}, {of.high:.3g}]", f"{of.t:.2f}", apart))
        table = TextTable(("", "value", f"{100 * self.confidence:g} % interval", "t", ""), tuple(rows))
        return [table, f"{self.n} points, R2 {self.r2:.3f}, scatter {self.scatter:.3g}."]

    def _repr_html_(self) -> str:
        return to_html(self.blocks())


def regression(columns: Mapping[str, FloatArray], y: FloatArray, confidence: float = 0.95) -> Regression:
    """Fit y as a sum of columns by least squares, every point with the same weight.

    Args:
        columns: by the name of the coefficient, (n,) each; a constant is a column of ones.
        y: (n,).
        confidence: of the intervals (Student's law), in (0, 1).

    Raises:
        MooInferError: for no more points than columns, and where a column is a sum of others.

    >>> x = np.array([0.0, 1.0, 2.0, 3.0])
    >>> fitted = regression({"slope": x, "intercept": np.ones(4)}, np.array([1.0, 2.0, 4.0, 5.0]))
    >>> round(fitted["slope"].value, 3), round(fitted["slope"].t, 2), round(fitted.r2, 3)
    (1.4, 9.9, 0.98)
    """
    table, n, p = np.column_stack([*columns.values()]), len(y), len(columns)
    if n <= p:
        raise MooInferError(f"a fit of {p} numbers needs at least {p + 1} points, got {n}")
    norms = np.linalg.norm(table, axis=0)
    q, r = np.linalg.qr(table / np.where(norms > 0, norms, 1.0))
    if (np.abs(np.diag(r)) < DEPENDENT).any():
        listed = ", ".join(columns)
        raise MooInferError(f"the points do not tell {listed} apart: a column does not vary, or follows from others")
    inverse = np.linalg.inv(r) / norms[:, None]
    values, reach_of_rounding = inverse @ (q.T @ y), np.sqrt((inverse**2).sum(axis=1)) * ROUNDING * np.abs(y).max()
    values = np.where(np.abs(values) <= reach_of_rounding, 0.0, values)
    left = y - table @ values
    left = np.where(np.abs(left) <= ROUNDING * np.abs(y).max(), 0.0, left)
    scatter = float(np.sqrt(left @ left / (n - p)))
    total = float(((y - y.mean()) ** 2).sum())
    r2 = 1 - float(left @ left) / total if total > 0 else math.nan
    errors = scatter * np.sqrt((inverse**2).sum(axis=1))
    reach = student(confidence, n - p)
    found = {}
    for name, value, error in zip(columns, values.tolist(), errors.tolist(), strict=True):
        t = value / error if error > 0 else math.copysign(math.inf, value) if value else 0.0
        low, high = value - reach * error, value + reach * error
        found[name] = Coefficient(value, error, t, low, high, not low <= 0 <= high)
    return Regression(found, n, scatter, n - p, r2, confidence)


def numbers(values: object, name: str, n: int | None = None, *, positive: bool = False) -> FloatArray:
    """Return numbers as an array (n,), or raise MooInferError saying which one is not allowed.

    Args:
        values: a sequence of numbers.
        name: what they are, for messages.
        n: how many there must be; None for any.
        positive: whether they must be > 0; such numbers may be as large as 1e300, others up to 1e15 in size.

    >>> numbers([1.0, -2.0], "flops", positive=True)
    Traceback (most recent call last):
    moo_infer.core.errors.MooInferError: flops[1]: must be > 0 and at most 1e+300, got -2.0
    """
    array = numbers_of(values, name)
    if array.ndim != 1 or (n is not None and len(array) != n):
        raise MooInferError(f"{name}: must have the shape ({'n' if n is None else n},), got {array.shape}")
    if positive:
        allowed, rule = (array > 0) & (array <= 1e300), "must be > 0 and at most 1e+300"
    else:
        allowed, rule = np.abs(array) <= LARGEST_NUMBER, f"must be a number of at most {LARGEST_NUMBER:g} in size"
    if not allowed.all():
        i = int(np.argmin(allowed))
        raise MooInferError(f"{name}[{i}]: {rule}, got {array[i]}")
    return array
