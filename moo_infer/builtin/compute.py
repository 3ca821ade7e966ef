"""What k inferences take of compute, in floating-point operations."""

from dataclasses import dataclass

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.draws import Draws
from ..core.moments import Moments
from ..core.objectives import COMPUTE
from ..core.parts import Positive
from ..hookspecs import hookimpl
from ..interfaces import CostModel
from ..quantities.quantity import Query

__all__ = ["LinearFlops"]

PER_PARAMETER = 2  # of a forward pass: one multiplication and one addition


@dataclass(frozen=True)
class LinearFlops(CostModel):
    """Compute: two operations for every active parameter and every token.

    What attention adds, which grows with the length of the context, is left out: a few percent while the context is
    shorter than six times the width of the model (Kaplan et al. 2020, arXiv 2001.08361, section 2.1).

    Args:
        active_parameters: N, > 0: those that take part in a token; of a mixture of experts fewer than it has.
        count_prompt: whether the tokens of the prompt count, each inference its own; where not, output alone does.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> olmo_1b = Gaussian(100, 0, 30, 0, 0.33, 0)
    >>> LinearFlops(1e9).exact(olmo_1b.queries().query, np.array([1, 8]), parallelism=1).mean
    array([2.60e+11, 2.08e+12])
    """

    name = "linear-flops"
    objective = COMPUTE

    active_parameters: Positive
    count_prompt: bool = True

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """FLOP of the first k inferences, (M, K)."""
        tokens = draws.tokens_in + draws.tokens_out if self.count_prompt else draws.tokens_out
        return self._per_token * np.cumsum(tokens, axis=1)

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact moments of what is linear in tokens."""
        tokens = query.tokens_in + query.tokens_out if self.count_prompt else query.tokens_out
        return (self._per_token * tokens).sum(k)

    @property
    def _per_token(self) -> float:
        return PER_PARAMETER * self.active_parameters


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    """Register the compute of a forward pass."""
    return [LinearFlops]
