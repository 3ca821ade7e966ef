"""Pareto fronts: of one table by pymoo, which is asked nowhere else, and of many small ones at once."""

import numpy as np
import numpy.typing as npt

from ..core.errors import MooInferError

__all__ = ["front", "fronts"]

# Rows for which all pairs are compared, in all tables at once: less than what it takes to ask for one table at a time.
SMALL = 64


def front(losses: npt.NDArray[np.float64], /) -> npt.NDArray[np.intp]:
    """Find the rows that no other row dominates; of equal rows only the first.

    Args:
        losses: (n, m), less is better in every column, no NaN.

    Returns:
        Row numbers in ascending order.

    Raises:
        MooInferError: for NaN, which would corrupt the front silently.

    >>> front(np.array([[1.0, 3.0], [2.0, 2.0], [2.0, 3.0], [1.0, 3.0]])).tolist()
    [0, 1]
    """
    _refuse_nan(losses)
    steps = losses[1:] - losses[:-1]
    if (steps < 0).all(axis=0).any() and (steps > 0).all(axis=0).any():  # one always falls, another always rises
        return np.arange(len(losses))
    # Importing pymoo takes longer than everything else in a plain run, so only those who need a front pay for it.
    from pymoo.util.nds.non_dominated_sorting import find_non_dominated

    rows = np.asarray(find_non_dominated(losses), dtype=np.intp)  # type: ignore[no-untyped-call]  # pymoo has no types
    if len(set(losses[rows, 0].tolist())) == len(rows):  # the first objective already tells all rows apart
        return rows
    _, first = np.unique(losses[rows], axis=0, return_index=True)
    return rows[np.sort(first)]


def fronts(losses: npt.NDArray[np.float64], rows: npt.NDArray[np.bool_], /) -> npt.NDArray[np.bool_]:
    """Find the fronts of B tables.

    Args:
        losses: (B, n, m), less is better in every column, no NaN.
        rows: (B, n), which rows of each table count.

    Returns:
        (B, n), which rows are on the front of their table.

    Raises:
        MooInferError: for NaN in a row that counts.

    >>> losses = np.array([[[1.0, 3.0], [2.0, 2.0], [2.0, 3.0], [1.0, 3.0]]])
    >>> fronts(losses, np.array([[True, True, True, True]])), fronts(losses, np.array([[False, False, True, True]]))
    (array([[ True,  True, False, False]]), array([[False, False, False,  True]]))
    """
    _refuse_nan(losses[rows])
    best = rows.copy()
    if losses.shape[1] > SMALL:
        for of_table, points in zip(best, losses, strict=True):
            places = np.flatnonzero(of_table)
            of_table[:] = False
            if len(places):
                of_table[places[front(points[places])]] = True
        return best
    columns = np.ascontiguousarray(np.moveaxis(losses, 2, 0))
    columns[:, ~rows] = np.inf  # dominates nothing
    for j in range(losses.shape[1]):
        no_worse, no_better = columns[:, :, j, None] <= columns, columns[:, :, j, None] >= columns
        equal = np.asarray(no_better.all(axis=0))
        equal[:, j + 1 :] = False  # of equal rows the first is on the front
        best &= ~no_worse.all(axis=0) | equal
    return best


def _refuse_nan(losses: npt.NDArray[np.float64]) -> None:
    if count := int(np.isnan(losses).sum()):
        raise MooInferError(f"Pareto front: losses hold {count} NaN")
