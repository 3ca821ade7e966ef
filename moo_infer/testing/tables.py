"""Tables of candidates that selectors are tried on."""

import warnings
from collections.abc import Iterator

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.errors import MooInferError, NoSelection, SelectionWarning
from ..core.objectives import ACCURACY, COST, ENERGY, LATENCY, Limit
from ..decide.candidates import Candidates
from ..estimate.curves import Column, Curve
from ..interfaces import Selector

__all__ = ["answer_of", "row_of", "tables"]


def _bent(n: int) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return n rows with a bend in the middle: k, cost, accuracy."""
    k = np.arange(1, n + 1, dtype=np.int64)
    cost = k.astype(np.float64)
    return k, cost, 1 - 0.5 * np.exp(-cost / 3.0)


def _limited(k: IntArray, means: FloatArray, max_cost: float = 20.0) -> Candidates:
    table = Candidates.from_means([COST, LATENCY, ACCURACY], means, k=k)
    limits = [Limit("cost", max_cost, "max"), Limit("latency", 20.0, "max"), Limit("accuracy", 0.1, "min")]
    return table.feasible(limits)


def tables() -> Iterator[tuple[str, Candidates]]:
    """Tables of all shapes, by what is special about them."""
    three = [COST, LATENCY, ACCURACY]
    for n in (1, 2, 3, 40):
        k, cost, accuracy = _bent(n)
        means = np.stack([cost, cost / 4, accuracy], axis=1)
        yield f"{n} rows", Candidates.from_means(three, means, k=k)
        yield f"{n} rows with limits", _limited(k, np.stack([cost / 4, cost / 8, accuracy], axis=1))
        yield f"{n} equal rows", Candidates.from_means(three, np.tile([1.0, 2.0, 0.9], (n, 1)), k=k)
        yield f"{n} rows, one objective", Candidates.from_means([ACCURACY], accuracy[:, None], k=k)
        yield (
            f"{n} rows, constant latency",
            Candidates.from_means(three, np.stack([cost, np.ones(n), accuracy], axis=1), k=k),
        )
        yield (
            f"{n} rows, only accuracy differs, the best in the middle",
            Candidates.from_means(three, np.stack([np.ones(n), np.ones(n), np.roll(accuracy, n // 2)], axis=1), k=k),
        )
        yield (
            f"{n} rows at the limit of latency",
            _limited(k, np.stack([cost[::-1] / 4, np.full(n, 20.0), accuracy], axis=1)),
        )
        yield (
            f"{n} rows, free",
            Candidates.from_means(three, np.stack([0 * cost, 0 * cost, accuracy], axis=1), k=k),
        )
        yield (
            f"{n} rows, four objectives",
            Candidates.from_means([*three, ENERGY], np.stack([cost, cost / 4, accuracy, cost**1.5], axis=1), k=k),
        )
        yield (
            f"{n} rows, the best ones with the largest standard errors",
            Candidates.from_means(three, means, k=k, stderr={"accuracy": np.linspace(0.001, 0.2, n)}),
        )
        yield (
            f"{n} rows, falling accuracy",
            Candidates.from_means(three, np.stack([cost, cost / 4, accuracy[::-1]], axis=1), k=k),
        )
    yield "a pool of two models", _pool()


def _pool() -> Candidates:
    k, cost, accuracy = _bent(5)

    def curve(model: str, factor: float) -> Curve:
        columns = {"cost": cost * factor, "latency": cost, "accuracy": accuracy ** (1 / factor)}
        return Curve(model, "aggregator", 1, k, {name: Column.constant(v) for name, v in columns.items()})

    return Candidates([COST, LATENCY, ACCURACY], [curve("small", 1.0), curve("large", 3.0)])


def answer_of(selector: Selector, table: Candidates) -> int | str:
    """Return the row, or the reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelectionWarning)
        try:
            return selector.select(table)
        except NoSelection as error:
            return str(error)
        except MooInferError as error:
            raise AssertionError(
                f"select must answer with a row, or raise NoSelection, on {table!r}; got {type(error).__name__}: "
                f"{error}. A table need not have the objectives that a selector reads: ask candidates.objectives"
            ) from error


def row_of(selector: Selector, table: Candidates) -> int | None:
    """Return the row; None for any reason, as that may show figures in their units."""
    answer = answer_of(selector, table)
    return None if isinstance(answer, str) else answer
