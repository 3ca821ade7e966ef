"""States of a recursion, with their chances and what was spent until then."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core.arrays import Array, FloatArray, IntArray

__all__ = ["Frontier"]


@dataclass(frozen=True, eq=False)
class Frontier:
    """States in which the same numbers of calls were made, with their chances.

    Args:
        question: (S,).
        masks: (S, m), which samples of each model were seen.
        chance: (S,), given the question.
        first, second: (S, J), chance times what was spent of each objective, and times its square.
        last: (S, m), which samples the last call brought; None where that is not told apart.
    """

    question: IntArray
    masks: IntArray
    chance: FloatArray
    first: FloatArray
    second: FloatArray
    last: IntArray | None = None

    def __getitem__(self, rows: Array | slice) -> "Frontier":
        last = None if self.last is None else self.last[rows]
        sums = self.first[rows], self.second[rows]
        return Frontier(self.question[rows], self.masks[rows], self.chance[rows], *sums, last)

    @classmethod
    def joined(cls, parts: "Sequence[Frontier]") -> "Frontier":
        """Put several into one."""
        if len(parts) == 1:
            return parts[0]
        last = [part.last for part in parts if part.last is not None]
        return cls(
            np.concatenate([part.question for part in parts]),
            np.concatenate([part.masks for part in parts]),
            np.concatenate([part.chance for part in parts]),
            np.concatenate([part.first for part in parts]),
            np.concatenate([part.second for part in parts]),
            np.concatenate(last) if last else None,
        )

    def merged(self, bits: Sequence[int]) -> "Frontier":
        """Return each set of samples once, however it came about."""
        key = self.question
        for j, n in enumerate(bits):
            key = (key << n) | self.masks[:, j]
        different, first, which = np.unique(key, return_index=True, return_inverse=True)
        if len(different) == len(key):
            return replace(self, last=None)
        J = self.first.shape[1]
        weights = np.concatenate([self.chance[:, None], self.first, self.second], axis=1)
        columns = [np.bincount(which, column, len(different)) for column in weights.T]
        sums: FloatArray = np.stack(columns, axis=1).astype(np.float64)
        return Frontier(self.question[first], self.masks[first], sums[:, 0], sums[:, 1 : 1 + J], sums[:, 1 + J :])
