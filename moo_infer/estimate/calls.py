"""Calls into parts: whatever they raise becomes an error that names them, and what they return is checked."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.cdf import Cdf
from ..core.draws import Draws
from ..core.errors import MissingColumn, MooInferError, NoChoice
from ..core.moments import CONSTANT, Moments
from ..interfaces import AccuracyAggregator, CostModel

__all__ = ["AT_ONCE", "Part", "agree", "checked_moments", "chosen", "guarded", "in_arrays", "numbers"]


Result = TypeVar("Result")
Part = AccuracyAggregator | CostModel
AT_ONCE = 2**14  # draws of parameters, or queries, times values of k in one go: a few arrays of 128 KiB


def guarded(call: Callable[[], Result], who: str) -> Result:
    """Call into a part; whatever it raises becomes an error that names it."""
    try:
        return call()
    except (MooInferError, MemoryError):
        raise
    except OverflowError as error:
        raise MooInferError(f"{who} fails: its numbers are too large or too small to be computed with") from error
    except Exception as error:
        raise MooInferError(f"{who} fails: {type(error).__name__}: {error}") from error


def numbers(given: object, shape: tuple[int, ...], what: str, rows: int = 1) -> FloatArray:
    """Real finite numbers of a shape, or of as many rows of it."""
    allowed = shape if rows == 1 else (rows, *shape)
    if given is None:
        raise MooInferError(f"{what} of shape {allowed}, got None")
    array = np.asarray(given)
    if array.shape not in (shape, (1, *shape), (rows, *shape)):
        raise MooInferError(f"{what} of shape {allowed}, got {array.shape}")
    if rows == 1:
        array = array.reshape(shape)
    if array.dtype.kind not in "fiu":
        raise MooInferError(f"{what} of numbers, got {array.dtype}")
    values = array.astype(np.float64, copy=False)
    if not np.isfinite(values).all():
        column = int(np.argwhere(~np.isfinite(values))[0][-1])
        raise MooInferError(f"{what} of finite numbers, got {values[~np.isfinite(values)][0]} in column {column}")
    return values


def chosen(aggregator: AccuracyAggregator, draws: Draws, rng: np.random.Generator) -> IntArray:
    """Ask an aggregator which inference of each trial it takes as its answer, checked: (M,), -1 for none.

    Args:
        aggregator: that answers.
        draws: (M, K), with the columns that are known of the inferences; without `accuracy` where nobody judged them.
        rng: draws among equals.

    Raises:
        NoChoice: where it takes none of them, and where it takes what is right and nobody says what that is.
        MissingColumn: where it needs another column that is not known.
        NothingPossible: where it takes what is right, and inferences are graded.
    """
    who, (M, K) = f"aggregator {aggregator.name!r}", draws.shape
    if K == 0:
        return np.full(M, -1)
    try:
        given = np.asarray(guarded(partial(aggregator.choose, draws, rng), who))
    except MissingColumn as error:
        if error.column == "accuracy":
            raise NoChoice(
                f"{who} takes what a checker says is right, and there is none: give targets or a checker"
            ) from None
        raise MissingColumn(error.column, error.available, who) from None
    rule = f"{who} must choose a column of each of {M} trials, {K} inferences each: whole numbers (M,) in [-1, {K - 1}]"
    if given.shape != (M,) or given.dtype.kind not in "iu":
        raise MooInferError(f"{rule}, got {given.dtype} {given.shape}")
    if M and not (given.min() >= -1 and given.max() < K):
        raise MooInferError(f"{rule}, got {given.min()} to {given.max()}")
    return given.astype(np.int64, copy=False)


def checked_moments(compute: Callable[[], Moments], k: IntArray, part: Part, who: str, rows: int) -> Moments:
    """Ask a part for exact moments of so many queries or draws at once, and refuse what cannot be one."""
    moments = guarded(compute, who)
    if not isinstance(moments, Moments):
        raise MooInferError(
            f"{who} must return exact Moments, or raise NotExact where they are not known, got {type(moments).__name__}"
        )
    mean = numbers(moments.mean, k.shape, f"{who} must return an exact mean", rows)
    std = None if moments.std is None else numbers(moments.std, k.shape, f"{who} must return an exact std", rows)
    if std is not None and std.min() < 0:
        raise MooInferError(f"{who} must return an exact std >= 0, got {std.min():g}")
    if isinstance(part, AccuracyAggregator) and (mean.min() < -1e-9 or mean.max() > 1 + 1e-9):
        raise MooInferError(f"{who} must return an exact mean in [0, 1], got {mean.min():g} to {mean.max():g}")
    if not isinstance(moments.cdf, Cdf | None):
        raise MooInferError(f"{who} must return a cdf that is a Cdf, or None, got {type(moments.cdf).__name__}")
    exact = moments.quantile
    quantile = None if exact is None else partial(_quantile, exact, k.shape, who, rows)
    return Moments(mean, std, quantile, None if moments.cdf is None else _CheckedCdf(moments.cdf, k.shape, who, rows))


@dataclass(frozen=True, eq=False)
class _CheckedCdf(Cdf):
    """A cdf that a part gives, checked."""

    of: Cdf
    shape: tuple[int, ...]
    who: str
    rows: int

    def __call__(self, x: FloatArray, /) -> FloatArray:
        return numbers(guarded(partial(self.of, x), self.who), self.shape, f"{self.who} must return a cdf", self.rows)

    def quantile(self, weights: FloatArray, q: float, mean: FloatArray, std: FloatArray, /) -> FloatArray:
        found = guarded(partial(self.of.quantile, weights, q, mean, std), self.who)
        return numbers(found, self.shape, f"{self.who} must return a cdf with quantiles")

    def quantiles(self, weights: FloatArray, q: float, mean: FloatArray, std: FloatArray, /) -> FloatArray:
        found = guarded(partial(self.of.quantiles, weights, q, mean, std), self.who)
        return numbers(found, mean.shape, f"{self.who} must return a cdf with quantiles")


def _quantile(exact: Callable[[float], Any], shape: tuple[int, ...], who: str, rows: int, q: float) -> FloatArray:
    """Return a quantile that a part gives, checked: a function by name, so that moments pickle."""
    return numbers(guarded(partial(exact, q), who), shape, f"{who} must return an exact quantile", rows)


def in_arrays(
    ask: Callable[[slice, int], Moments | None], rows: int, step: int, who: str, *, check: bool = True
) -> Iterator[tuple[int, Moments | None]]:
    """Ask for rows of queries or draws, so many at a time; one by one where the part does not take arrays.

    A part that does gives the same of the first and the last row alone; one that does not, but answers, is refused.
    Who has seen that of a part need not `check` it again.

    Yields:
        How many rows there are, and their moments.
    """
    for start in range(0, rows, step):
        count = min(step, rows - start)
        try:
            moments = ask(slice(start, start + count), count)
        except MooInferError:
            if count == 1:
                raise
            yield from ((1, ask(slice(i, i + 1), 1)) for i in range(start, start + count))
            continue
        if check and moments is not None and count > 1:
            for i in (0, count - 1):
                agree(moments, i, count, ask(slice(start + i, start + i + 1), 1), who)
        yield count, moments


def agree(moments: Moments | None, row: int, count: int, alone: Moments | None, who: str) -> None:
    """Refuse moments of many rows at once that are others than those of a row alone."""
    if moments is None or alone is None:
        return
    rounding = CONSTANT * float(np.abs(alone.mean).max())  # of deviations too, where they are none
    for name in ("mean", "std"):
        together, one = getattr(moments, name), getattr(alone, name)
        if together is None or one is None:
            continue
        got = together[row] if np.ndim(together) == 2 and len(together) == count else np.ravel(together)
        if not np.allclose(got, np.ravel(one), rtol=1e-6, atol=rounding):
            raise MooInferError(
                f"{who} gives another {name} for (B, 1) numbers at once than for each of them: its exact moments must "
                "be array operations, or raise an error where they are none"
            )
