"""Laws of scaling: an accuracy as a function of k, and what each of them has to offer."""

from abc import ABC, abstractmethod
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from ..core.arrays import FloatArray, IntArray

__all__ = ["POINTS", "ScalingLaw", "spaced"]

POINTS = 30  # values of k, log-spaced, that a curve is fitted and judged at


class ScalingLaw(ABC):
    """An accuracy as a function of k, in [0, 1] for every k.

    **Subclassing.** Give `through`, `predict`, `limit`, `numbers` and `of`, and a `name`; a law that has to be searched
    for, also `refitted`.
    """

    name: ClassVar[str]

    @classmethod
    @abstractmethod
    def through(cls, k: IntArray, accuracy: FloatArray) -> Self:
        """Return the law that is nearest to a curve.

        Args:
            k: (m,), ascending, >= 1.
            accuracy: (m,), in [0, 1].
        """

    def refitted(self, k: IntArray, accuracy: FloatArray) -> Self:
        """Return the law of this kind that is nearest to another curve like its own; a search may begin here."""
        return self.through(k, accuracy)

    @abstractmethod
    def predict(self, k: npt.ArrayLike) -> FloatArray:
        """Return the accuracy at k (m,), >= 1: (m,), in [0, 1]."""

    @property
    @abstractmethod
    def limit(self) -> float:
        """What the accuracy comes to as k grows."""

    @property
    @abstractmethod
    def numbers(self) -> tuple[float, ...]:
        """All that the law consists of."""

    @classmethod
    @abstractmethod
    def of(cls, *numbers: float) -> Self:
        """Return the law that consists of these `numbers`."""


def spaced(first: int, last: int) -> IntArray:
    """Return up to 30 log-spaced whole numbers.

    >>> spaced(1, 12).tolist()
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]
    """
    return np.unique(np.round(np.geomspace(first, last, POINTS)).astype(np.int64))
