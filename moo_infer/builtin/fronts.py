"""Selectors that look at the Pareto front alone: they choose in one table, or in as many as there are draws at once."""

from abc import abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.errors import NoSelection
from ..interfaces import Selector

if TYPE_CHECKING:
    from ..decide.candidates import Candidates

__all__ = ["Front", "FrontSelector", "least"]


@dataclass(frozen=True, eq=False)
class Front:
    """The Pareto front of a table, or those of B tables, which are equally long.

    Args:
        names: of the m objectives.
        losses: (F, m) or (B, F, m), of the rows on it, in their order.
        k: (F,) or (B, F), of these rows.
        differ: (m,) or (B, m), whether the rows of the whole table differ in an objective.
        curves: how many (model, aggregator) the table has.
        limited: the objectives that are limited.
        paired_stderr: gives standard errors (..., F) of the differences of an objective's means from those of the rows
            () or (B,) at places on it, over the questions of logs; NaN where no questions are known.
    """

    names: tuple[str, ...]
    losses: FloatArray
    k: IntArray
    differ: BoolArray
    curves: int
    limited: Collection[str]
    paired_stderr: Callable[[str, Any], FloatArray]

    def loss(self, objective: str) -> FloatArray:
        """(..., F) losses of one objective; raises NoSelection where there is none of this name."""
        if objective not in self.names:
            raise NoSelection(f"needs the objective {objective}, which the table does not have")
        return self.losses[..., self.names.index(objective)]


class FrontSelector(Selector):
    """Chooses the row of the front with the least score; of equal scores the first."""

    @abstractmethod
    def scores(self, front: Front, /) -> FloatArray:
        """Score the rows, (..., F), NaN in tables in which there is no choice; raises NoSelection("why") for all."""


def least(selector: FrontSelector, candidates: "Candidates") -> int:
    """Return the row of a table that a selector chooses."""
    return int(candidates.front[selector.scores(candidates.on_front).argmin()])
