"""The paper's cost and latency, linear in tokens."""

from dataclasses import dataclass

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.draws import Draws
from ..core.moments import Moments
from ..core.objectives import COST, LATENCY
from ..core.parts import NonNegative
from ..hookspecs import hookimpl
from ..interfaces import CostModel
from ..quantities.quantity import Query

__all__ = ["LinearCost", "LinearLatency"]


@dataclass(frozen=True)
class LinearCost(CostModel):
    """Money: every inference pays for its own prompt and its own output (paper, eqs 4 and 5).

    Args:
        usd_per_input_token: USD per token (not per million), >= 0.
        usd_per_output_token: USD per token (not per million), >= 0.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> gpt_5 = Gaussian(1024, 64, 2048, 128, 0.94, 0.02)
    >>> LinearCost(1.25e-06, 1e-05).exact(gpt_5.queries().query, np.array([1, 8]), parallelism=4).mean
    array([0.02176, 0.17408])
    """

    name = "linear-cost"
    objective = COST

    usd_per_input_token: NonNegative
    usd_per_output_token: NonNegative

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """USD of the first k inferences, (M, K)."""
        return _total(draws, self.usd_per_input_token, self.usd_per_output_token)

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact moments of what is linear in tokens."""
        each = self.usd_per_input_token * query.tokens_in + self.usd_per_output_token * query.tokens_out
        return each.sum(k)


@dataclass(frozen=True)
class LinearLatency(CostModel):
    """Seconds: k/P times the mean of the k inferences (paper, eqs 4 and 6).

    The paper's law; it lets k < P inferences finish sooner than one.

    Args:
        seconds_per_input_token: >= 0.
        seconds_per_output_token: >= 0.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> gpt_5 = Gaussian(1024, 64, 2048, 128, 0.94, 0.02)
    >>> LinearLatency(0.0005, 0.005).exact(gpt_5.queries().query, np.array([4, 8]), parallelism=4).mean
    array([10.752, 21.504])
    """

    name = "linear-latency"
    objective = LATENCY

    seconds_per_input_token: NonNegative
    seconds_per_output_token: NonNegative

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Seconds until the first k inferences are done, (M, K)."""
        return _total(draws, self.seconds_per_input_token / parallelism, self.seconds_per_output_token / parallelism)

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact moments of what is linear in tokens."""
        each = self.seconds_per_input_token * query.tokens_in + self.seconds_per_output_token * query.tokens_out
        return (each / parallelism).sum(k)


def _total(draws: Draws, per_input_token: float, per_output_token: float) -> FloatArray:
    total = np.multiply(per_input_token, draws.tokens_in, dtype=np.float64)  # whole numbers of both as well
    total += per_output_token * draws.tokens_out
    return np.cumsum(total, axis=1, out=total)


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    """Register the two cost models of the paper."""
    return [LinearCost, LinearLatency]
