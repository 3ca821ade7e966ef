"""The estimation of a curve as a task, for whoever does it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..core.errors import MissingColumn, MooInferError, NothingPossible
from ..core.objectives import ACCURACY, Limit
from ..core.tasks import Workers
from .curves import Curve
from .monte_carlo import Estimator
from .setup import Setup

__all__ = ["CurveSource", "estimated"]


class CurveSource(Protocol):
    """What a curve is estimated from, where it is no `Setup`: a policy, a workflow, a model over a day."""

    def curve(self, estimator: Estimator, /) -> Curve:
        """Estimate the curve."""
        ...


def estimated(
    sources: Iterable[Setup | CurveSource],
    estimator: Estimator,
    workers: Workers,
    limits: Sequence[Limit] = (),
    *,
    together: int = 1,
) -> Iterator[Curve | MooInferError]:
    """Estimate curves, in the order of what they are estimated from; an error where one is not possible.

    Args:
        sources: what they are estimated from.
        estimator: fills them.
        workers: who does it.
        limits: on statistics that will be asked for.
        together: how many curves are a task.

    Raises:
        MooInferError: for a part that misbehaves.
    """
    asked = frozenset((limit.objective, limit.statistic) for limit in limits)
    return workers.run(_Estimation(estimator, asked if workers.executor else None), sources, together=together)


@dataclass(frozen=True)
class _Estimation:
    """Estimates a curve.

    Args:
        estimator: fills it.
        asked: objectives and statistics that will be asked for, where the curve goes to another process then, which
            would have to ask the parts again for what is not computed before; None where it stays.
    """

    estimator: Estimator
    asked: frozenset[tuple[str, str]] | None

    def __call__(self, source: Setup | CurveSource) -> Curve | MooInferError:
        try:
            curve = self.estimator.curve(source) if isinstance(source, Setup) else source.curve(self.estimator)
            _ = curve.columns[ACCURACY.name].mean  # simulated here where it has to be
            asked = self.asked or ()
            for name, column in curve.columns.items() if self.asked is not None else ():
                _ = column.mean, column.std, column.simulated
                for statistic in ("low", "high", *(of for objective, of in asked if objective == name)):
                    column.statistic(statistic)
        except (NothingPossible, MissingColumn) as error:
            return error
        return curve
