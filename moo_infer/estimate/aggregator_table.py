"""The curves of all models of a run under all aggregators."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ..core.day import Day
from ..core.errors import MooInferError
from ..core.objectives import Limit
from ..core.tasks import Workers
from ..profiles import ModelProfile
from .at_load import DaySetup
from .curves import Curve
from .estimation import estimated
from .monte_carlo import Estimator
from .setup import Setup

__all__ = ["AggregatorTable"]

LOG = logging.getLogger(__name__)
Key = tuple[ModelProfile, str]


@dataclass(frozen=True, eq=False)
class AggregatorTable:
    """The curves of models under aggregators, each estimated once.

    Args:
        estimator: fills the curves.
        day: over whose loads curves are; None where the load is that of the profiles.
        workers: who estimates.
    """

    estimator: Estimator
    day: Day | None = None
    workers: Workers = field(default_factory=Workers)
    _made: dict[Key, Curve] = field(default_factory=dict, repr=False)

    def curves(
        self,
        setups: Sequence[Setup],
        limits: Sequence[Limit] = (),
        progress: Callable[[int, int, str], None] | None = None,
    ) -> tuple[list[Curve], list[MooInferError]]:
        """Return the curves, and why some are missing.

        Args:
            setups: of the curves.
            limits: on statistics that will be asked for.
            progress: told (done, total, what comes next).
        """
        curves, impossible = list[Curve](), list[MooInferError]()
        missing = [setup for setup in setups if _key(setup) not in self._made]
        results = estimated(map(self._source, missing), self.estimator, self.workers, limits)
        for done, setup in enumerate(setups):
            LOG.info("estimating %s at %d values of k", setup.name, len(setup.k))
            if progress:
                progress(done, len(setups), f"{setup.profile.name}, {setup.aggregator.name}")
            curve = self._made.get(_key(setup)) or next(results)
            if isinstance(curve, MooInferError):
                impossible.append(curve)
                continue
            curves.append(self._made.setdefault(_key(setup), curve))
        return curves, impossible

    def redrawn(self, setups: Sequence[Setup]) -> list[Setup | DaySetup]:
        """Return what the curves are drawn anew from; setups that can serve no k have none."""
        return [self._source(setup) for setup in setups if _key(setup) in self._made]

    def _source(self, setup: Setup) -> Setup | DaySetup:
        return setup if self.day is None else DaySetup(setup, self.day)


def _key(setup: Setup) -> Key:
    return setup.profile, setup.aggregator.name
