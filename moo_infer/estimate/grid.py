"""The numbers of inferences that are considered."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..core.arrays import IntArray
from ..core.errors import MooInferError
from ..core.parts import at_least_one
from ..profiles import ModelProfile

__all__ = ["Grid", "values_of_k"]

MOST_VALUES = 250_000  # of k: rows of a curve, nine of which take half a gigabyte


@dataclass(frozen=True, eq=False)
class Grid:
    """Which numbers of inferences of a model are considered.

    Args:
        k: (n,), the same for all models; None for the multiples of a step.
        k_max: up to which.
        k_step: the step; None for how many inferences of a model run at a time.
    """

    k: IntArray | None
    k_max: int
    k_step: int | None

    def __call__(self, profile: ModelProfile, parallelism: int, /) -> IntArray:
        """Return the numbers for a model, ascending; raises MooInferError where there are none, or too many."""
        if self.k is not None:
            return self.k
        step = self.k_step or parallelism
        if step > self.k_max:
            what = f"k_step = {step}" if self.k_step else f"{profile.name}: the parallelism P = {step}"
            raise MooInferError(f"{what} is above k_max = {self.k_max}, so no multiple of it is left to choose from")
        if (values := self.k_max // step) > MOST_VALUES:
            raise MooInferError(
                f"k_max = {self.k_max} in steps of {step} gives {values:,} values of k, of which {MOST_VALUES:,} are "
                "allowed; a larger step (--k-step, k_step) or some values (--k, k) reach further"
            )
        return np.arange(step, self.k_max + 1, step, dtype=np.int64)


def values_of_k(given: Iterable[object], where: str, /) -> IntArray:
    """Return numbers >= 1 as an array (n,), ascending, each once.

    >>> values_of_k([8, 4, 4], "k")
    array([4, 8])
    """
    return np.array(sorted({at_least_one(value, where) for value in given}), dtype=np.int64)
