"""What k inferences cost on GPUs by the hour."""

from dataclasses import dataclass

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.draws import Draws
from ..core.errors import MooInferError
from ..core.moments import Moments
from ..core.objectives import COST
from ..core.parts import AtLeastOne, NonNegative, Positive
from ..hookspecs import hookimpl
from ..interfaces import CostModel
from ..quantities.quantity import Query

__all__ = ["GpuCost"]


@dataclass(frozen=True)
class GpuCost(CostModel):
    """Money for GPUs by the hour, shared by all the output tokens they make meanwhile.

    An output token costs ``usd_per_gpu_hour gpus / 3600`` USD over the tokens per second of all the GPUs together, at
    the batch they are run at: given as measured, or as B / ITL(B) with ITL(B) = alpha + beta B seconds. Hours in which
    the GPUs idle are paid as well: divide by the share of time in which they are busy.

    Args:
        usd_per_gpu_hour: USD, >= 0.
        gpus: how many serve the model together, >= 1.
        output_tokens_per_second: of all sequences together at the operating batch, > 0; or, instead of it:
        itl_base_s: alpha, seconds between two tokens of a sequence, > 0.
        itl_per_sequence_s: beta, seconds for each sequence in the batch, >= 0.
        batch: B, sequences in the batch at the operating point, > 0.

    Raises:
        MooInferError: where neither or both ways to give the throughput are used.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> model = Gaussian(1000, 50, 400, 0, 0.8, 0.1)
    >>> llama = GpuCost(usd_per_gpu_hour=2.5, itl_base_s=0.0065, itl_per_sequence_s=0.000079, batch=64)  # on one H100
    >>> llama.exact(model.queries().query, np.array([1, 16]), parallelism=1).mean.round(7)
    array([5.020e-05, 8.025e-04])
    """

    name = "gpu-cost"
    objective = COST

    usd_per_gpu_hour: NonNegative
    gpus: AtLeastOne = 1
    output_tokens_per_second: Positive | None = None
    itl_base_s: Positive | None = None
    itl_per_sequence_s: NonNegative | None = None
    batch: Positive | None = None

    def __post_init__(self) -> None:
        steps = (self.itl_base_s, self.itl_per_sequence_s, self.batch)
        measured = self.output_tokens_per_second is not None
        if measured == all(step is not None for step in steps) or (measured and any(s is not None for s in steps)):
            raise MooInferError(
                "the throughput is either output_tokens_per_second, or itl_base_s, itl_per_sequence_s and batch, got "
                + (", ".join(f for f in _THROUGHPUT if getattr(self, f) is not None) or "none of them")
            )

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """USD of the first k inferences, (M, K)."""
        return np.cumsum(self._usd_per_output_token * draws.tokens_out, axis=1)

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact moments where the law of the output tokens is known."""
        return (self._usd_per_output_token * query.tokens_out).sum(k)

    @property
    def _usd_per_output_token(self) -> float:
        throughput = self.output_tokens_per_second
        if self.itl_base_s is not None and self.itl_per_sequence_s is not None and self.batch is not None:
            throughput = self.batch / (self.itl_base_s + self.itl_per_sequence_s * self.batch)
        assert throughput is not None  # one of the two is given
        return self.usd_per_gpu_hour * self.gpus / 3600 / throughput


_THROUGHPUT = ("output_tokens_per_second", "itl_base_s", "itl_per_sequence_s", "batch")


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    """Register the GPUs by the hour."""
    return [GpuCost]
