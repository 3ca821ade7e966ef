# examples/plugins/quorum.py
from dataclasses import dataclass

import numpy as np

from moo_infer import AccuracyAggregator, AtLeastOne, Draws, Moments, Query, hookimpl


@dataclass(frozen=True)
class Quorum(AccuracyAggregator):
    """At least so many of k inferences are right.

    Args:
        needed: how many, >= 1; 1 is coverage.
    """

    name = "quorum"

    needed: AtLeastOne = 2

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> np.ndarray:
        right = draws.accuracy
        too_few = np.zeros((self.needed, len(right)))  # probability that exactly 0, 1, ... are right so far
        too_few[0] = 1.0
        enough = np.empty(right.shape)
        for i in range(right.shape[1]):
            a = right[:, i]
            too_few[1:] = too_few[1:] * (1 - a) + too_few[:-1] * a
            too_few[0] *= 1 - a
            enough[:, i] = 1 - too_few.sum(axis=0)
        return enough.clip(0, 1)

    def exact(self, query: Query, k: np.ndarray, /) -> Moments:
        from scipy.special import betainc

        others = np.maximum(k - self.needed, 0)
        tail = betainc(self.needed, others + 1, query.accuracy.mean)
        return Moments(np.where(k >= self.needed, tail, 0.0))


@hookimpl
def register_aggregators() -> list[type[AccuracyAggregator]]:
    return [Quorum]
