"""The paper's inference model."""

from dataclasses import dataclass

import numpy as np

from ..core.draws import Draws
from ..core.parts import NonNegative, Share
from ..hookspecs import hookimpl
from ..interfaces import InferenceModel
from ..quantities.laws import ClippedNormal
from ..quantities.queries import Queries

__all__ = ["Gaussian"]


@dataclass(frozen=True)
class Gaussian(InferenceModel):
    """Independent normal token lengths and accuracy (paper, eqs 1-2).

    Token counts are clipped at 1 from below and accuracy to [0, 1]; the moments are those after clipping.

    Args:
        tokens_in_mean, tokens_in_std: tokens of the prompt, >= 0.
        tokens_out_mean, tokens_out_std: generated tokens, >= 0.
        accuracy_mean: quality, or probability to be right, of one inference, in [0, 1].
        accuracy_std: its standard deviation from inference to inference before clipping, in [0, 1].

    >>> gpt_5 = Gaussian(1024, 64, 2048, 128, 0.94, 0.02)
    >>> gpt_5.sample(np.random.default_rng(0), 1000, 8).accuracy.mean().round(3)
    np.float64(0.94)
    """

    name = "gaussian"

    tokens_in_mean: NonNegative
    tokens_in_std: NonNegative
    tokens_out_mean: NonNegative
    tokens_out_std: NonNegative
    accuracy_mean: Share
    accuracy_std: Share

    def queries(self) -> Queries:
        """All queries are alike."""
        return Queries(
            tokens_in=ClippedNormal(self.tokens_in_mean, self.tokens_in_std, low=1.0),
            tokens_out=ClippedNormal(self.tokens_out_mean, self.tokens_out_std, low=1.0),
            accuracy=ClippedNormal(self.accuracy_mean, self.accuracy_std, low=0.0, high=1.0),
        )

    def sample(self, rng: np.random.Generator, M: int, K: int, /) -> Draws:
        """Draw M trials of K inferences."""
        tokens_in = rng.normal(self.tokens_in_mean, self.tokens_in_std, (M, K))
        tokens_out = rng.normal(self.tokens_out_mean, self.tokens_out_std, (M, K))
        accuracy = rng.normal(self.accuracy_mean, self.accuracy_std, (M, K))
        # In place: memory for another large array takes as long as drawing it.
        np.maximum(tokens_in, 1.0, out=tokens_in)
        np.maximum(tokens_out, 1.0, out=tokens_out)
        np.clip(accuracy, 0.0, 1.0, out=accuracy)
        return Draws(tokens_in, tokens_out, accuracy)


@hookimpl
def register_inference_models() -> list[type[InferenceModel]]:
    """Register the model of the paper."""
    return [Gaussian]
