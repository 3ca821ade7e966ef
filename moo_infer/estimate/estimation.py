"""The estimation of a curve as a task, for whoever does it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from ..core.errors import MissingColumn, MooInferError, NothingPossible
from ..core.objectives import ACCURACY
from ..core.tasks import Workers
from .curves import HIGH, LOW, Curve
from .monte_carlo import Estimator
from .setup import Setup

__all__ = ["CurveSource", "estimated"]


class CurveSource(Protocol):
    """What a curve is estimated from, where it is no `Setup`: a policy, a workflow, a model over a day."""

    def curve(self, estimator: Estimator, /) -> Curve:
        """Estimate the curve."""
        ...


def estimated(
    sources: Iterable[Setup | CurveSource], estimator: Estimator, workers: Workers
) -> Iterator[Curve | MooInferError]:
    """Estimate curves, in the order of what they are estimated from; an error where one is not possible.

    Args:
        sources: what they are estimated from.
        estimator: fills them.
        workers: who does it.

    Raises:
        MooInferError: for a part that misbehaves.
    """
    return workers.run(_Estimation(estimator, workers.executor is not None), sources)


@dataclass(frozen=True)
class _Estimation:
    """Estimates a curve.

    Args:
        estimator: fills it.
        travels: whether it goes to another process then, which would have to ask the parts again for what is not
            computed before.
    """

    estimator: Estimator
    travels: bool

    def __call__(self, source: Setup | CurveSource) -> Curve | MooInferError:
        try:
            curve = self.estimator.curve(source) if isinstance(source, Setup) else source.curve(self.estimator)
            _ = curve.columns[ACCURACY.name].mean  # simulated here where it has to be
            for column in curve.columns.values() if self.travels else ():
                _ = column.mean, column.std, column.quantile(LOW), column.quantile(HIGH), column.simulated
        except (NothingPossible, MissingColumn) as error:
            return error
        return curve
