# examples/plugins/documents.py
from dataclasses import dataclass

import numpy as np

from moo_infer import Bernoulli, Draws, InferenceModel, Lognormal, Positive, Queries, Share, hookimpl


@dataclass(frozen=True)
class Documents(InferenceModel):
    """Short questions, and questions about a document that stands in the prompt."""

    name = "documents"

    share: Share
    document_tokens: Positive
    p: Share

    def queries(self) -> Queries:
        prompts = np.array([[200.0], [200.0 + self.document_tokens]])
        return Queries(
            [1 - self.share, self.share],
            tokens_in=Lognormal(prompts, 0.0),
            tokens_out=Lognormal(500.0, 0.4, cap=2000.0),
            accuracy=Bernoulli(self.p),
        )

    def sample(self, rng: np.random.Generator, M: int, K: int, /) -> Draws:
        return self.queries().draw(rng, M, K)


@hookimpl
def register_inference_models() -> list[type[InferenceModel]]:
    return [Documents]
