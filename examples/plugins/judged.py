# examples/plugins/judged.py
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from moo_infer import AccuracyAggregator, CostModel, Draws, hookimpl
from moo_infer.builtin.aggregators import BestOfK
from moo_infer.builtin.costs import LinearCost


@dataclass(frozen=True)
class Judged(AccuracyAggregator):
    """The best of k by a perfect judge who reads every answer at a price."""

    name = "judged"

    usd_per_token_read: float = 1e-7

    @property
    def costs(self) -> Sequence[CostModel]:
        return [LinearCost(self.usd_per_token_read, self.usd_per_token_read)]

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> np.ndarray:
        return np.maximum.accumulate(draws.accuracy, axis=1)

    def choose(self, draws: Draws, rng: np.random.Generator, /) -> np.ndarray:
        return BestOfK().choose(draws, rng)


@hookimpl
def register_aggregators() -> list[type[AccuracyAggregator]]:
    return [Judged]
