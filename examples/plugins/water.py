# examples/plugins/water.py
from dataclasses import dataclass

import numpy as np

from moo_infer import CostModel, Draws, Moments, NonNegative, Objective, Query, hookimpl


@dataclass(frozen=True)
class Water(CostModel):
    """Cooling water: so much for every generated token."""

    name = "water"
    objective = Objective("water", unit="ml")

    ml_per_output_token: NonNegative

    def total(self, draws: Draws, /, *, parallelism: int) -> np.ndarray:
        return np.cumsum(self.ml_per_output_token * draws.tokens_out, axis=1)

    def exact(self, query: Query, k: np.ndarray, /, *, parallelism: int) -> Moments:
        return (self.ml_per_output_token * query.tokens_out).sum(k)


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    return [Water]
