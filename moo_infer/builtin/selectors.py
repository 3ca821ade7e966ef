"""The paper's four selectors, a knee inside the front, the cheapest and the fastest row."""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..core.arrays import BoolArray, FloatArray
from ..core.errors import MooInferError, NeedsOneCurve, NoSelection, SelectionWarning
from ..core.objectives import ACCURACY, COST, LATENCY
from ..core.parts import Positive
from ..core.rounding import DECIMALS, TINY, significant
from ..hookspecs import hookimpl
from ..interfaces import Selector
from .fronts import Front, FrontSelector, least

if TYPE_CHECKING:
    from ..decide.candidates import Candidates

__all__ = ["Knee", "KneeChord", "Kneedle", "MaxAccuracy", "MaxCube", "MinCost", "MinLatency", "Utopia", "require"]


@dataclass(frozen=True)
class MaxAccuracy(FrontSelector):
    """The highest accuracy within the limits, whatever it costs (paper, eqs 9-19: maximal accuracy).

    Adding a model cannot reverse the order of the others.

    >>> from moo_infer import Candidates
    >>> table = Candidates.from_means([COST, ACCURACY], [[1, 0.90], [2, 0.95], [3, 0.95]])
    >>> MaxAccuracy().select(table)
    1
    """

    name = "max-accuracy"

    def select(self, candidates: "Candidates", /) -> int:
        """Return the row of least accuracy loss."""
        return least(self, candidates)

    def scores(self, front: Front, /) -> FloatArray:
        """Losses of accuracy, (..., F)."""
        return front.loss(ACCURACY.name)


@dataclass(frozen=True)
class MinCost(FrontSelector):
    """The cheapest row within the limits. Adding a model cannot reverse the order of the others.

    >>> from moo_infer import Candidates
    >>> MinCost().select(Candidates.from_means([COST], [[2], [1]]))
    1
    """

    name = "min-cost"

    def select(self, candidates: "Candidates", /) -> int:
        """Return the row of least cost; raises NoSelection where the table has no cost."""
        return least(self, candidates)

    def scores(self, front: Front, /) -> FloatArray:
        """Losses of cost, (..., F)."""
        return front.loss(COST.name)


@dataclass(frozen=True)
class MinLatency(FrontSelector):
    """The fastest row within the limits. Adding a model cannot reverse the order of the others.

    >>> from moo_infer import Candidates
    >>> MinLatency().select(Candidates.from_means([LATENCY], [[2], [1]]))
    1
    """

    name = "min-latency"

    def select(self, candidates: "Candidates", /) -> int:
        """Return the row of least latency; raises NoSelection where the table has no latency."""
        return least(self, candidates)

    def scores(self, front: Front, /) -> FloatArray:
        """Losses of latency, (..., F)."""
        return front.loss(LATENCY.name)


@dataclass(frozen=True)
class MaxCube(FrontSelector):
    """The largest box between the row and the limits: prod(1 - loss) (paper, eqs 9-19: maximal cube volume).

    With cost, latency and accuracy that is (1 - C/C_max) (1 - T/T_max) A. An objective that is the same in all rows is
    left out of the product: at its limit it would make every volume 0. Adding a model cannot reverse the order of the
    others where every objective has a limit; without one, the scale is the largest mean of the table.

    >>> from moo_infer import Limit
    >>> from moo_infer import Candidates
    >>> table = Candidates.from_means([COST, ACCURACY], [[0.1, 0.6], [0.4, 0.95], [0.9, 0.99]])
    >>> MaxCube().select(table.feasible([Limit("cost", 1.0, "max")]))
    1
    """

    name = "max-cube"

    def select(self, candidates: "Candidates", /) -> int:
        """Return the row of largest volume; of equal volumes one that nothing dominates."""
        return least(self, candidates)

    def scores(self, front: Front, /) -> FloatArray:
        """Volumes below 0, (..., F)."""
        sides = np.where(front.differ[..., None, :], np.maximum(1.0 - front.losses, 0.0), 1.0)
        return -significant(sides.prod(axis=-1))


@dataclass(frozen=True)
class Utopia(FrontSelector):
    """The Pareto row closest to the utopia point, where every objective is ideal (paper, eqs 15-16).

    Adding a model cannot reverse the order of the others where every objective has a limit; without one, the scale is
    the largest mean of the table.

    >>> from moo_infer import Candidates
    >>> table = Candidates.from_means([COST, ACCURACY], [[0.1, 0.6], [0.4, 0.95], [0.9, 0.99]])
    >>> Utopia().select(table)
    0
    """

    name = "utopia"

    def select(self, candidates: "Candidates", /) -> int:
        """Return the row of the front with the smallest Euclidean norm of its losses."""
        return least(self, candidates)

    def scores(self, front: Front, /) -> FloatArray:
        """Squares of the norms, (..., F)."""
        return significant(np.vecdot(front.losses, front.losses))


@dataclass(frozen=True)
class Knee(FrontSelector):
    """The Pareto row of maximal curvature ``sqrt(|p'|^2 |p''|^2 - (p'.p'')^2) / |p'|^3`` (paper, eqs 17-19).

    p(k) are the losses along the front of one model; derivatives are central differences in k. On exact values the
    curvature of the paper's models falls from the start, so its maximum is the second feasible k: the selector warns
    where the maximum lies at the edge of the range. `knee-chord` gives an interior answer. A second model makes a pool,
    and a pool has no curve: there is no answer over several models.

    >>> front = [[1, 0.60], [2, 0.90], [3, 0.92], [4, 0.93], [5, 0.935]]
    >>> from moo_infer import Candidates
    >>> table = Candidates.from_means([COST, ACCURACY], front)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", SelectionWarning)
    ...     int(table.k[Knee().select(table)])
    2
    """

    name = "knee"

    def select(self, candidates: "Candidates", /) -> int:
        """Return the row of the sharpest bend; raises NoSelection without a curve of at least 3 Pareto rows."""
        chosen = int(self.scores(candidates.on_front).argmin())
        k = candidates.k[candidates.front]
        if chosen in (1, len(k) - 2):
            warnings.warn(
                "the curvature is largest at the edge of the feasible range, so this may be no bend; "
                f"see knee-chord (k = {k[chosen]:g} of {k[0]:g} to {k[-1]:g})",
                SelectionWarning,
                stacklevel=2,
            )
        return int(candidates.front[chosen])

    def scores(self, front: Front, /) -> FloatArray:
        """Curvatures below 0, as shares of the largest, (..., F); infinite at the ends, which have none."""
        steps, slopes, straight = _slopes(front)
        before, after, back, ahead = steps[..., :-1, :], steps[..., 1:, :], slopes[..., :-1, :], slopes[..., 1:, :]
        first = (back * after + ahead * before) / (before + after)
        second = 2 * (ahead - back) / (before + after)
        # |p''| across p', over |p'|^2: eq 18 without the difference of two products that nearly cancel.
        speed = np.maximum(np.vecdot(first, first), TINY)[..., None]
        across = (second - first * (np.vecdot(first, second)[..., None] / speed)) / speed
        curvature = np.vecdot(across, across)
        largest = curvature.max(axis=-1, keepdims=True)
        return _inside(-(curvature / np.where(largest == 0, 1.0, largest)).round(DECIMALS), straight)


@dataclass(frozen=True)
class KneeChord(FrontSelector):
    """The Pareto row farthest from the chord between the ends of the front, every objective scaled to [0, 1] on it.

    The distance form of the knee (Das 1999, Structural Optimization 18; Kneedle, Satopaa et al. 2011). It depends on
    both ends of the feasible range, so it moves with the limits. A second model makes a pool, and a pool has no curve.

    >>> front = [[1, 0.60], [2, 0.90], [3, 0.92], [4, 0.93], [5, 0.935]]
    >>> from moo_infer import Candidates
    >>> table = Candidates.from_means([COST, ACCURACY], front)
    >>> int(table.k[KneeChord().select(table)])
    2
    """

    name = "knee-chord"

    def select(self, candidates: "Candidates", /) -> int:
        """Return the farthest interior row; raises NoSelection without a curve of at least 3 Pareto rows."""
        return least(self, candidates)

    def scores(self, front: Front, /) -> FloatArray:
        """Distances from the chord below 0, (..., F); infinite at its ends."""
        *_, straight = _slopes(front)
        low, high = front.losses.min(axis=-2, keepdims=True), front.losses.max(axis=-2, keepdims=True)
        # An objective in which the front agrees is 0 everywhere, and adds nothing to a distance.
        points = (front.losses - low) / np.where(high > low, high - low, 1.0)
        offsets = points - points[..., :1, :]
        chord = offsets[..., -1:, :]
        along = np.vecdot(offsets, chord) / np.vecdot(chord, chord)
        distance = np.linalg.norm(offsets - along[..., None] * chord, axis=-1)
        return _inside(-distance[..., 1:-1].round(DECIMALS), straight)


@dataclass(frozen=True)
class Kneedle(Selector):
    """The knee of accuracy along k that the library kneed finds (Satopaa et al. 2011), for comparison.

    It sees accuracy and k alone, no price, and needs the package kneed (extra ``kneed``). A second model makes a pool,
    and a pool has no curve.

    Args:
        sensitivity: how many flat steps it wants to see before it calls a knee, > 0.
    """

    name = "kneedle"

    sensitivity: Positive = 1.0

    def select(self, candidates: "Candidates", /) -> int:
        """Return the knee; raises NoSelection where there is none, and MooInferError without the package."""
        _slopes(candidates.on_front)  # refuses what has no bend
        front = candidates.front
        k, accuracy = candidates.k[front], candidates.column(ACCURACY.name)[front]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where it finds no knee it warns; that is our NoSelection
            try:
                from kneed import KneeLocator
            except ImportError:
                raise MooInferError(
                    "selector 'kneedle' needs the package kneed; install moo-infer with the extra [kneed]"
                ) from None
            knee = KneeLocator(k, accuracy, S=self.sensitivity, curve="concave", direction="increasing").knee
        if knee is None:
            raise NoSelection("finds no knee of accuracy along k")
        return int(front[np.flatnonzero(k == knee)[0]])


def require(candidates: "Candidates", *objectives: str) -> None:
    """Raise NoSelection where the table lacks one of the objectives a selector is about."""
    for objective in objectives:
        if objective not in [o.name for o in candidates.objectives]:
            raise NoSelection(f"needs the objective {objective}, which the table does not have")


def _slopes(front: Front) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Steps in k and slopes between the rows of a single curve, and in which tables they are a straight line."""
    if front.curves > 1:
        raise NeedsOneCurve(f"needs one model under one aggregator, and here are {front.curves}")
    if (length := front.k.shape[-1]) < 3:
        raise NoSelection(f"needs at least 3 Pareto rows, and there {_are(length)}")
    steps = np.diff(front.k.astype(np.float64), axis=-1)[..., None]
    slopes = np.diff(front.losses, axis=-2) / steps
    # The slopes of a straight line differ by rounding: they are differences of losses, which are about 1.
    first = slopes[..., :1, :]
    straight = np.asarray((np.abs(slopes - first) <= 1e-12 + 1e-9 * np.abs(first)).all(axis=(-2, -1)))
    if straight.all():
        raise NoSelection("needs a bend, and the front is a straight line")
    return steps, slopes, straight


def _inside(scores: FloatArray, straight: BoolArray) -> FloatArray:
    """Scores of all rows from those of all but the ends; NaN for straight lines."""
    ends = np.full((*scores.shape[:-1], 1), np.inf)
    return np.where(straight[..., None], np.nan, np.concatenate([ends, scores, ends], axis=-1))


def _are(count: int) -> str:
    return "is 1" if count == 1 else f"are {count}"


@hookimpl
def register_selectors() -> list[type[Selector]]:
    """Register the selectors of the paper, knee-chord and the two minima."""
    return [MaxAccuracy, MaxCube, Utopia, Knee, KneeChord, Kneedle, MinCost, MinLatency]
