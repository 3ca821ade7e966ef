"""Selectors from pymoo's scalarisations; pymoo is imported when they are used."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..core.arrays import FloatArray
from ..core.errors import unknown
from ..core.parts import Positive
from ..core.rounding import DECIMALS, significant
from ..hookspecs import hookimpl
from ..interfaces import Selector

if TYPE_CHECKING:
    from ..decide.candidates import Candidates

__all__ = ["AchievementScalarisation", "PseudoWeights", "objective_weights"]


@dataclass(frozen=True)
class AchievementScalarisation(Selector):
    """The Pareto row whose largest weighted loss is least: min max_j w_j loss_j (Wierzbicki 1980), over pymoo's ASF.

    Adding a model cannot reverse the order of the others where every objective has a limit; without one, the scale is
    the largest mean of the table.

    Args:
        weights: importance of an objective by name, > 0; those not named weigh 1.

    >>> from moo_infer import COST
    >>> from moo_infer.core.objectives import ACCURACY
    >>> from moo_infer import Candidates
    >>> table = Candidates.from_means([COST, ACCURACY], [[0.1, 0.6], [0.4, 0.95], [0.9, 0.99]])
    >>> AchievementScalarisation().select(table), AchievementScalarisation({"accuracy": 100}).select(table)
    (0, 2)
    """

    name = "asf"

    weights: Mapping[str, Positive] = field(default_factory=dict)

    def select(self, candidates: "Candidates", /) -> int:
        """Return the row of the front with the least scalarised loss; raises MooInferError for unknown weights."""
        from pymoo.decomposition.asf import ASF

        front, weights = candidates.front, objective_weights(self.weights, candidates, self.name)
        # pymoo divides by its weights, so that a larger one matters less; ours multiply.
        values = ASF()(candidates.losses[front], 1.0 / weights)
        return int(front[np.argmin(significant(values))])


@dataclass(frozen=True)
class PseudoWeights(Selector):
    """The Pareto row whose pseudo-weights come closest to the weights asked for (Deb 2001, section 8.1), over pymoo.

    The pseudo-weight of an objective is how far a row is from the worst value of the front in it, as a share of all
    objectives: asking for 0.6, 0.2, 0.2 picks the row whose strengths are in that proportion. Adding a model can
    reverse the order of the others, because it can move the best and the worst value of the front.

    Args:
        weights: importance of an objective by name, > 0; those not named weigh 1.

    >>> from moo_infer import COST
    >>> from moo_infer.core.objectives import ACCURACY
    >>> from moo_infer import Candidates
    >>> table = Candidates.from_means([COST, ACCURACY], [[0.1, 0.6], [0.4, 0.95], [0.9, 0.99]])
    >>> PseudoWeights().select(table), PseudoWeights({"accuracy": 20}).select(table)
    (1, 2)
    """

    name = "pseudo-weights"

    weights: Mapping[str, Positive] = field(default_factory=dict)

    def select(self, candidates: "Candidates", /) -> int:
        """Return the row of the front; raises MooInferError for unknown weights."""
        front, weights = candidates.front, objective_weights(self.weights, candidates, self.name)
        losses = candidates.losses[front]
        # An objective in which the whole front agrees has no strength to share.
        telling = np.ptp(losses, axis=0) > 0
        if not telling.any():
            return int(front[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # importing pymoo.mcdm warns about a move within scipy
            from pymoo.mcdm.pseudo_weights import PseudoWeights as Decision
        _, strengths = Decision(weights[telling])(losses[:, telling], return_pseudo_weights=True)
        share = weights[telling] / weights[telling].sum()
        return int(front[np.argmin(np.round(np.abs(strengths - share).sum(axis=1), DECIMALS))])


def objective_weights(weights: Mapping[str, float], candidates: "Candidates", selector: str) -> FloatArray:
    """Return (m,) weights in the order of the columns, 1 where none is given; refuse those of unknown objectives."""
    names = [objective.name for objective in candidates.objectives]
    for name in weights:
        if name not in names:
            raise unknown("objective", name, names, f"{selector}: weights")
    return np.array([float(weights.get(name, 1.0)) for name in names])


@hookimpl
def register_selectors() -> list[type[Selector]]:
    """Register the scalarisations."""
    return [AchievementScalarisation, PseudoWeights]
