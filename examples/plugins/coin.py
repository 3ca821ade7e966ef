# examples/plugins/coin.py
from dataclasses import dataclass

import numpy as np

from moo_infer import Draws, InferenceModel, NonNegative, Share, hookimpl


@dataclass(frozen=True)
class Coin(InferenceModel):
    """Right or wrong, with token counts that never vary."""

    name = "coin-flip"

    prompt_tokens: NonNegative
    answer_tokens: NonNegative
    p: Share

    def sample(self, rng: np.random.Generator, M: int, K: int, /) -> Draws:
        same = np.ones((M, K))
        return Draws(
            self.prompt_tokens * same, self.answer_tokens * same, (rng.random((M, K)) < self.p).astype(np.float64)
        )


@hookimpl
def register_inference_models() -> list[type[InferenceModel]]:
    return [Coin]
