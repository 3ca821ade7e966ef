"""The one place that asks pymoo for a Pareto front."""

import numpy as np
import numpy.typing as npt

from ..core.errors import MooInferError

__all__ = ["front"]


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
    if np.isnan(losses).any():
        raise MooInferError(f"Pareto front: losses hold {int(np.isnan(losses).sum())} NaN")
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
