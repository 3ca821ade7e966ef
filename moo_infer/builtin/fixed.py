"""What does not grow with tokens: costs of a deployment, a query and a batch, and the start of a cold machine."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.draws import BEFORE, Draws
from ..core.errors import MooInferError
from ..core.moments import Moments
from ..core.objectives import COMPUTE, COST, LATENCY, Objective
from ..core.parts import AtLeastOne, Large, NonNegative
from ..hookspecs import hookimpl
from ..interfaces import CostModel
from ..quantities.quantity import Query, Total

__all__ = ["ColdStart", "FixedCost"]

OBJECTIVES = {objective.name: objective for objective in (COST, COMPUTE)}


@dataclass(frozen=True)
class FixedCost(CostModel):
    """Money or compute that a deployment, a query, or a batch of inferences takes as a whole.

    What a deployment takes is no part of the total of k inferences: it is spread over the queries of its life where
    their number is given (`Pipeline(volume=...)`, ``--volume``), and ``moo-infer lifetime`` decides by it.

    Args:
        objective: ``cost`` (USD) or ``compute`` (FLOP).
        per_deployment: once, before the first query: training, fine-tuning, a reserved GPU, an integration; from 0 to
            1e30, in the unit of the objective.
        per_query: for every query with an inference of the model, whatever k, >= 0.
        per_batch: for every batch that is begun, >= 0; with `batch`. Each wave of a policy begins one.
        batch: how many inferences fit into one, >= 1.
        reserved_gpu: whether `per_deployment` pays for the GPUs of the model; a profile with ``gpu-cost``, which pays
            for them by the hour, is refused then.

    Raises:
        MooInferError: for another objective, for `per_batch` or `batch` without the other, and for a reserved GPU that
            is not paid in money.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> query = Gaussian(100, 0, 30, 0, 0.33, 0).queries().query
    >>> part = FixedCost(per_deployment=5000, per_query=0.01, per_batch=0.002, batch=4)
    >>> part.exact(query, np.array([1, 4, 5]), parallelism=1).mean
    array([0.012, 0.012, 0.014])
    """

    name = "fixed-cost"

    objective: Literal["cost", "compute"] | Objective = COST  # type: ignore[assignment,misc]  # an object's own
    per_deployment: Large = 0.0
    per_query: NonNegative = 0.0
    per_batch: NonNegative = 0.0
    batch: AtLeastOne | None = None
    reserved_gpu: bool = False

    def __post_init__(self) -> None:
        given: Any = self.objective
        if (OBJECTIVES.get(given) if isinstance(given, str) else given) not in OBJECTIVES.values():
            raise MooInferError(f"objective: must be cost or compute, got {given!r:.80}")
        object.__setattr__(self, "objective", OBJECTIVES[given] if isinstance(given, str) else given)
        if np.any(self.per_batch) and self.batch is None:
            raise MooInferError("per_batch needs batch, how many inferences fit into one")
        if self.batch is not None and not np.any(self.per_batch):
            raise MooInferError("batch belongs to per_batch, what one takes")
        if self.reserved_gpu and not (self.objective == COST and np.any(self.per_deployment)):
            raise MooInferError("reserved_gpu needs objective: cost and per_deployment, the money for the GPU")

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """What the first k inferences take, (M, K); the query is paid for with the first call of a policy."""
        k = np.arange(1, draws.shape[1] + 1)
        each: FloatArray = self._batches(k) + self.per_query * first_calls(draws)
        return np.zeros(draws.shape) + each

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact moments: nothing varies."""
        return Total.of(query, k, {}, {}, self.per_query + self._batches(k))

    def _batches(self, k: IntArray) -> Any:
        return self.per_batch * np.ceil(k / (self.batch or 1))


@dataclass(frozen=True)
class ColdStart(CostModel):
    """Seconds until a machine that was off can begin, before the first inference of a query.

    It adds to what the inferences themselves take; later calls of a policy find the machine warm.

    Args:
        seconds: from the request to the start of the first inference, >= 0.

    >>> draws = Draws(*np.ones((3, 1, 2)))
    >>> ColdStart(20.0).total(draws, parallelism=1)
    array([[20., 20.]])
    """

    name = "cold-start"
    objective = LATENCY

    seconds: NonNegative

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Seconds before the first k inferences, (M, K)."""
        return np.full(draws.shape, self.seconds) * first_calls(draws)

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact moments: nothing varies."""
        return Total.of(query, k, {}, {}, self.seconds * np.ones(len(k)))


def first_calls(draws: Draws, /) -> FloatArray:
    """Return for which trials no call of the model came before for the query: (M, 1) of 1.0 and 0.0."""
    before = draws[BEFORE][:, :1] if BEFORE in draws else np.zeros((draws.shape[0], 1))
    return np.where(before == 0, 1.0, 0.0)


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    """Register what does not grow with tokens."""
    return [FixedCost, ColdStart]
