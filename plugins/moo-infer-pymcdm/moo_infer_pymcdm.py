"""Selectors of multi-criteria decision analysis, over the library pymcdm: TOPSIS, VIKOR, PROMETHEE II and SPOTIS.

They rank the rows of the Pareto front, so dominated rows change nothing. Every objective is a criterion, its direction
the objective's; one in which the whole front agrees is left out. pymcdm is imported when one is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from moo_infer import Candidates, MooInferError, NoSelection, Positive, Selector, Share, hookimpl
from moo_infer.builtin.scalarisations import objective_weights

__all__ = ["SPOTIS", "TOPSIS", "VIKOR", "PrometheeII"]

FloatArray = npt.NDArray[np.float64]
TIE = 1e-12  # a range of regrets that is rounding noise
PAIRS = 5000  # rows of which all pairs still fit into memory


@dataclass(frozen=True)
class TOPSIS(Selector):
    """Closest to the best and farthest from the worst of the front at once (Hwang and Yoon 1981), min-max normalised.

    Adding a model can reverse the order of the others.

    Args:
        weights: importance of an objective by name, > 0; those not named weigh 1.

    >>> from moo_infer import Objective
    >>> from moo_infer import ACCURACY
    >>> table = Candidates.from_means([Objective("cost"), ACCURACY], [[0.1, 0.6], [0.3, 0.95], [0.9, 0.99]])
    >>> TOPSIS().select(table), TOPSIS({"accuracy": 9}).select(table), TOPSIS({"cost": 9}).select(table)
    (1, 2, 0)
    """

    name = "topsis"

    weights: Mapping[str, Positive] = field(default_factory=dict)

    def select(self, candidates: Candidates, /) -> int:
        """Return the row of the front with the largest relative closeness."""
        problem = _Problem(candidates, self.weights, self.name)
        if problem.trivial:
            return problem.first
        from pymcdm import methods

        return problem.best(-methods.TOPSIS()(*problem.criteria))


@dataclass(frozen=True)
class VIKOR(Selector):
    """The compromise between the weighted sum of regrets and the largest of them (Duckstein and Opricovic 1980).

    Adding a model can reverse the order of the others.

    Args:
        weights: importance of an objective by name, > 0; those not named weigh 1.
        v: weight of the sum (the majority) against the largest regret (the veto), in [0, 1].

    >>> from moo_infer import Objective
    >>> from moo_infer import ACCURACY
    >>> table = Candidates.from_means([Objective("cost"), ACCURACY], [[0.1, 0.6], [0.3, 0.95], [0.9, 0.99]])
    >>> VIKOR().select(table), VIKOR({"accuracy": 20}).select(table)
    (1, 2)
    """

    name = "vikor"

    weights: Mapping[str, Positive] = field(default_factory=dict)
    v: Share = 0.5

    def select(self, candidates: Candidates, /) -> int:
        """Return the row of the front with the least Q."""
        problem = _Problem(candidates, self.weights, self.name)
        if problem.trivial:
            return problem.first
        from pymcdm import methods

        matrix, weights, types = problem.criteria
        best, worst = np.where(
            types > 0, [matrix.max(axis=0), matrix.min(axis=0)], [matrix.min(axis=0), matrix.max(axis=0)]
        )
        regrets = weights * (matrix - best) / (worst - best)
        if min(np.ptp(regrets.sum(axis=1)), np.ptp(regrets.max(axis=1))) > TIE:
            return problem.best(methods.VIKOR(v=self.v)(matrix, weights, types))
        # All rows tie in one of the two measures, and VIKOR divides by its range: with the best and the worst of every
        # criterion as two more rows there is one, and the other measure decides.
        with_ends = np.concatenate([matrix, [best, worst]])
        q = methods.VIKOR(v=self.v)(with_ends, weights, types, validation=False)[:-2]
        return problem.best(q)


@dataclass(frozen=True)
class PrometheeII(Selector):
    """The largest net flow of pairwise preferences (Brans and Vincke 1985), linear between two thresholds.

    Adding a model can reverse the order of the others.

    Args:
        weights: importance of an objective by name, > 0; those not named weigh 1.
        indifference: a difference up to that share of an objective's range on the front counts nothing, in [0, 1].
        preference: from that share of the range on it counts fully, in [0, 1], > `indifference`.

    Raises:
        MooInferError: where `indifference` is not below `preference`.

    >>> from moo_infer import Objective
    >>> from moo_infer import ACCURACY
    >>> table = Candidates.from_means([Objective("cost"), ACCURACY], [[0.1, 0.6], [0.3, 0.95], [0.9, 0.99]])
    >>> PrometheeII().select(table), PrometheeII({"accuracy": 20}).select(table)
    (1, 2)
    """

    name = "promethee-ii"

    weights: Mapping[str, Positive] = field(default_factory=dict)
    indifference: Share = 0.0
    preference: Share = 1.0

    def __post_init__(self) -> None:
        if not self.indifference < self.preference:
            raise MooInferError(
                f"promethee-ii: indifference must be < preference, got {self.indifference!r} and {self.preference!r}"
            )

    def select(self, candidates: Candidates, /) -> int:
        """Return the row of the front with the largest net flow; raises NoSelection above 5000 rows."""
        problem = _Problem(candidates, self.weights, self.name)
        if problem.trivial:
            return problem.first
        if len(problem.front) > PAIRS:
            raise NoSelection(f"compares every pair of Pareto rows, at most {PAIRS} rows, got {len(problem.front)}")
        from pymcdm import methods

        matrix, weights, types = problem.criteria
        span = np.ptp(matrix, axis=0)
        method = methods.PROMETHEE_II("vshape_2", p=self.preference * span, q=self.indifference * span)
        return problem.best(-method(matrix, weights, types))


@dataclass(frozen=True)
class SPOTIS(Selector):
    """Closest to the ideal by the weighted sum of losses, within fixed bounds (Dezert et al. 2020).

    The bounds of an objective are its ideal and its limit (without a limit: the largest mean of the table; of accuracy
    always 0 and 1), so adding a model cannot reverse the order of the others where every objective has a limit.

    Args:
        weights: importance of an objective by name, > 0; those not named weigh 1.

    >>> from moo_infer import Objective
    >>> from moo_infer import ACCURACY
    >>> table = Candidates.from_means([Objective("cost"), ACCURACY], [[0.1, 0.6], [0.3, 0.95], [0.9, 0.99]])
    >>> SPOTIS().select(table), SPOTIS({"cost": 9}).select(table)
    (1, 0)
    """

    name = "spotis"

    weights: Mapping[str, Positive] = field(default_factory=dict)

    def select(self, candidates: Candidates, /) -> int:
        """Return the row of the front with the least distance."""
        problem = _Problem(candidates, self.weights, self.name)
        if problem.trivial:
            return problem.first
        from pymcdm import methods

        return problem.best(methods.SPOTIS(problem.bounds)(*problem.criteria))


class _Problem:
    """The front as a decision problem: criteria that tell rows apart, weights that sum to 1, directions as +-1."""

    def __init__(self, candidates: Candidates, weights: Mapping[str, float], owner: str) -> None:
        all_weights = objective_weights(weights, candidates, owner)
        self.front = candidates.front
        telling = np.ptp(candidates.losses[self.front], axis=0) > 0
        self.first, self.trivial = int(self.front[0]), not telling.any()
        self._objectives = [o for o, tells in zip(candidates.objectives, telling, strict=True) if tells]
        self._matrix = candidates.means[self.front][:, telling]
        relative = all_weights[telling] / all_weights[telling].max() if telling.any() else all_weights[telling]
        self._weights = relative / relative.sum()
        self._scales = candidates.scales

    @property
    def criteria(self) -> tuple[FloatArray, FloatArray, npt.NDArray[np.int64]]:
        """Matrix (rows, criteria), weights and types, as every method of pymcdm takes them."""
        return self._matrix, self._weights, np.array([-o.sign for o in self._objectives])

    @property
    def bounds(self) -> FloatArray:
        """(criteria, 2) from the ideal to the scale of the losses, or to the worst row where that is beyond it."""
        ends = np.array([[o.best, o.best + o.sign * self._scales[o.name]] for o in self._objectives])
        return np.stack(
            [
                np.minimum(ends.min(axis=1), self._matrix.min(axis=0)),
                np.maximum(ends.max(axis=1), self._matrix.max(axis=0)),
            ],
            axis=1,
        )

    def best(self, scores: FloatArray) -> int:
        """Row number of the least score; of equal ones the first."""
        return int(self.front[np.argmin(np.round(scores, 12))])


@hookimpl
def register_selectors() -> list[type[Selector]]:
    """Register the four."""
    return [TOPSIS, VIKOR, PrometheeII, SPOTIS]
