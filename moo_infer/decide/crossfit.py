"""How much better a choice looks on the questions that it was made on than on others."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.objectives import ACCURACY
from ..profiles import Scenario
from .candidates import Candidates
from .choices import Choice
from .stability import Redraw

__all__ = ["Optimism", "cross_fitted", "halves_of"]

SPLITS = 20  # of the questions into halves, each of which is chosen on and scored on
FEWEST = 20  # questions, below which a half says little


@dataclass(frozen=True)
class Optimism:
    """What a choice loses where it is scored on one half of the questions and was made on the other.

    Args:
        halves: how many choices were made so.
        accuracy: the mean of the accuracy where it was chosen, less that on the other half.
        ratios: by other objective, the mean on the other half over that where it was chosen.
        broken: the share of the choices that break a limit on the other half.
    """

    halves: int
    accuracy: float
    ratios: Mapping[str, float]
    broken: float

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "halves": self.halves,
            "accuracy": self.accuracy,
            "ratios": dict(self.ratios),
            "limits_broken": self.broken,
        }


def halves_of(redraw: Redraw | None, questions: Sequence[int], seed: int) -> list[tuple[Candidates, Candidates]]:
    """Return tables of halves of the questions; none, with a warning, where there are too few.

    Args:
        redraw: gives them; None where nothing is drawn anew.
        questions: how many questions each log has.
        seed: of the draws.
    """
    least = min(questions, default=0)
    if redraw is None or least < FEWEST:
        warnings.warn(
            f"the choice among the policies of the menu is not cross-fitted: that takes logs with {FEWEST} "
            f"questions at least, and here there are {least}",
            stacklevel=4,
        )
        return []
    return list(redraw.halves(SPLITS, seed))


def cross_fitted(
    halves: Iterable[tuple[Candidates, Candidates]], scenario: Scenario, choose: Callable[[Candidates], Choice]
) -> Optimism | None:
    """Choose on one half of the questions and score on the other, both ways.

    Args:
        halves: pairs of tables with the same rows.
        scenario: whose limits.
        choose: makes a choice of a table.

    Returns:
        None where nothing was feasible on any half, and without halves.
    """
    here, there, broken = [], [], []
    for pair in halves:
        for table, other in (pair, pair[::-1]):
            parts = [(part.row, weight) for part, weight in choose(table).parts if part.row is not None]
            if not parts:
                continue
            rows, weights = np.array([row for row, _ in parts]), np.array([weight for _, weight in parts])
            here.append(weights @ table.means[rows])
            there.append(weights @ other.means[rows])
            broken.append(not _meets(other, scenario, rows, weights))
    if not here:
        return None
    chosen, scored = np.mean(here, axis=0), np.mean(there, axis=0)
    place = table.index(ACCURACY.name)
    ratios = {
        o.name: float(scored[j] / chosen[j]) for j, o in enumerate(table.objectives) if j != place and chosen[j] > 0
    }
    return Optimism(len(here), float(chosen[place] - scored[place]), ratios, float(np.mean(broken)))


def _meets(table: Candidates, scenario: Scenario, rows: IntArray, weights: FloatArray) -> bool:
    """Whether a row, or the means of a mixture of some, keep the limits."""
    if len(rows) == 1:
        return bool(table.met(scenario.limits)[rows[0]])
    means = [limit for limit in scenario.limits if limit.statistic == "mean"]
    return all(limit.excess(weights @ table.column(limit.objective)[rows]) <= 0 for limit in means)
