"""What the rightness of stages makes of the whole: where it is independent, and whatever the dependence."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ...core.arrays import FloatArray
from ...core.errors import MooInferError

__all__ = ["Rightness", "frechet_bounds"]


@dataclass(frozen=True, eq=False)
class Rightness:
    """What makes a workflow right.

    Args:
        names: of its n stages.
        rule: ``all``, ``last``, or a function of a mapping of the names to True or False.
        last: the number of the stage that no other waits for.
    """

    names: tuple[str, ...]
    rule: str | Callable[[Mapping[str, bool]], bool]
    last: int

    def of(self, right: Sequence[FloatArray]) -> FloatArray:
        """Return how likely the whole is right, any shape, from how likely each stage is, independently.

        >>> Rightness(("a", "b"), lambda right: right["a"] or right["b"], 1).of([np.array([0.5]), np.array([0.8])])
        array([0.9])
        """
        if self.rule == "all":
            return np.asarray(np.prod(np.broadcast_arrays(*right), axis=0))
        if self.rule == "last":
            return np.asarray(right[self.last])
        whole = np.zeros(np.broadcast_shapes(*map(np.shape, right)))
        for case, worth in self.cases:
            if worth:
                each = [p if yes else 1.0 - p for p, yes in zip(right, case, strict=True)]
                whole = whole + np.prod(np.broadcast_arrays(*each), axis=0)
        return whole

    @property
    def cases(self) -> list[tuple[tuple[bool, ...], float]]:
        """Whether each stage is right, and what the whole is worth then, in all 2^n cases."""
        return [(case, self._worth(case)) for case in product((False, True), repeat=len(self.names))]

    def _worth(self, case: tuple[bool, ...]) -> float:
        right = dict(zip(self.names, case, strict=True))
        if not callable(self.rule):
            return float(case[self.last] if self.rule == "last" else all(case))
        try:
            worth: Any = self.rule(right)
        except Exception as error:
            raise MooInferError(f"right: the function fails for {right}: {type(error).__name__}: {error}") from error
        if not isinstance(worth, bool | np.bool_) and worth not in (0, 1):
            raise MooInferError(f"right: the function must say True or False, got {worth!r:.80} for {right}")
        return float(worth)


def frechet_bounds(rightness: Rightness, groups: Sequence[tuple[Sequence[int], FloatArray]], /) -> tuple[float, float]:
    """Return between which two values the whole is right, whatever the dependence between groups of stages.

    For ``all`` these are Frechet's: max(0, sum p - (n - 1)) and min p; for a function they are found by linear
    programming over its cases (Boole's problem, Hailperin 1965).

    Args:
        rightness: what makes the whole right.
        groups: the numbers of their stages, and how likely each of the 2^m cases of these m is, in the order of
            `product`, the first stage changing slowest.

    >>> both = Rightness(("a", "b"), "all", 1)
    >>> frechet_bounds(both, [([0], np.array([0.3, 0.7])), ([1], np.array([0.2, 0.8]))])
    (0.5, 0.7)
    """
    if rightness.rule == "all":
        p = [float(chances[-1]) for _, chances in groups]
        return max(0.0, round(sum(p) - (len(p) - 1), 12)), min(p)
    if rightness.rule == "last":
        stages, chances = next(group for group in groups if rightness.last in group[0])
        place = [*stages].index(rightness.last)
        yes = [case[place] for case in product((False, True), repeat=len(stages))]
        return (float(chances[yes].sum()),) * 2
    return _by_linear_program(rightness, groups)


def _by_linear_program(rightness: Rightness, groups: Sequence[tuple[Sequence[int], FloatArray]]) -> tuple[float, float]:
    from scipy.optimize import linprog  # takes 0.1 s to import

    cases = rightness.cases
    worth = np.array([worth for _, worth in cases])
    equal, sums = [], []
    for stages, chances in groups:
        for own, chance in zip(product((False, True), repeat=len(stages)), chances, strict=True):
            equal.append([tuple(case[i] for i in stages) == own for case, _ in cases])
            sums.append(chance)
    ends = []
    for sign in (1.0, -1.0):
        found = linprog(sign * worth, A_eq=np.array(equal, dtype=np.float64), b_eq=np.array(sums), method="highs")
        if found.status != 0:
            raise MooInferError(f"right: the bounds of the workflow are not found: {found.message}")
        ends.append(float(np.clip(sign * float(found.fun or 0.0), 0.0, 1.0)))
    return ends[0], ends[1]
