"""Seconds of a batch API: requests are handed in together, and answered some time within a window."""

from dataclasses import dataclass
from functools import partial

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.draws import Draws
from ..core.errors import MooInferError
from ..core.moments import Moments
from ..core.noise import ratio_at, ratio_moments
from ..core.objectives import LATENCY
from ..core.parts import NonNegative
from ..hookspecs import hookimpl
from ..interfaces import CostModel
from ..quantities.quantity import Query

__all__ = ["BatchWindow"]

DAY_S = 86_400.0


@dataclass(frozen=True)
class BatchWindow(CostModel):
    """A batch API: all requests of a wave are one batch, which is done within a window, whatever is in it.

    Each wave of a policy is a batch of its own and waits again; calls one after the other wait a window each. It is for
    ``api-cost`` with ``calls: batch``. Exact.

    Args:
        seconds: from handing in to the answers, s, >= 0, in any order: quantiles at evenly spaced probabilities, from
            the least to the longest, linear in between. Two of them are a uniform law; by default any time within 24
            hours, which is all that providers promise.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> query = Gaussian(1000, 0, 400, 0, 0.8, 0.1).queries().query
    >>> window = BatchWindow((600, 3600, 86400)).exact(query, np.array([1, 100]), parallelism=1)
    >>> window.mean, window.quantile(0.5)
    (array([23550., 23550.]), array([3600., 3600.]))
    """

    name = "batch-window"
    objective = LATENCY

    seconds: tuple[NonNegative, ...] = (0.0, DAY_S)

    def __post_init__(self) -> None:
        if not len(self.seconds):
            raise MooInferError("seconds: one quantile at least is needed, got none")

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Seconds until the batch of the first k is done, (M, K): the same for every k."""
        return np.asarray(np.zeros(draws.shape) + ratio_at(draws["noise"][:, :1], self.seconds))

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact moments, whatever the tokens."""
        mean, std = ratio_moments(self.seconds)
        each = np.ones(len(k))
        return Moments(mean * each, std * each, partial(_quantile, self.seconds, each))


def _quantile(seconds: tuple[float, ...], each: FloatArray, q: float) -> FloatArray:
    """A quantile at every k: a function by name, so that moments pickle."""
    return np.asarray(ratio_at(np.array(q), seconds) * each)


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    """Register the window of a batch API."""
    return [BatchWindow]
