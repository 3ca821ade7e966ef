"""What is beyond the samples of a log: coverage by a law that predicts attempts hidden from it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..errors import MooInferError
from ..samples import Samples
from .coverage_laws import Chosen, forward_validated
from .estimates import Estimated

__all__ = ["Extrapolated", "extrapolated"]

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Extrapolated:
    """pass@k beyond the samples of a question.

    Args:
        chosen: the law, and how well it predicted what was hidden from it.
        k: (m,), powers of two and the largest that is wanted, all beyond the samples.
        pass_at_k: (m,), with intervals over questions; that the law may be wrong is not in them.
    """

    chosen: Chosen
    k: IntArray
    pass_at_k: Estimated

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        low, high = self.pass_at_k.low.tolist(), self.pass_at_k.high.tolist()
        return {
            "law": self.chosen.law.name,
            "formula": str(self.chosen.law),
            "fitted_to": self.chosen.shown,
            "validated_to": self.chosen.largest,
            "rmse": dict(self.chosen.errors),
            "k": self.k.tolist(),
            "pass_at_k": self.pass_at_k.value.tolist(),
            "pass_at_k_interval": [list(ends) for ends in zip(low, high, strict=True)],
        }

    def sentences(self) -> list[str]:
        """Say it in words."""
        figures = zip(self.k, self.pass_at_k.value, self.pass_at_k.low, self.pass_at_k.high, strict=True)
        listed = ", ".join(f"pass@{k} {value:.4g} [{low:.4g}, {high:.4g}]" for k, value, low, high in figures)
        return [f"extrapolated: {listed}", str(self.chosen)]


def extrapolated(samples: Samples, K: int, *, B: int = 200, seed: int = 0) -> Extrapolated | str:
    """Predict pass@k up to K, or say why that cannot be done.

    Args:
        samples: of one model.
        K: the largest k, >= 1.
        B, seed: of the bootstrap over questions.
    """
    scored = samples.scored
    first = scored.largest_k + 1
    k = np.unique([*(2**i for i in range(31) if first <= 2**i <= K), *([K] if first <= K else [])]).astype(np.int64)
    if not len(k):
        return f"nothing to extrapolate: the log supports k up to {first - 1}"
    try:
        chosen = forward_validated(scored.n, scored.right, scored.questions, seed=seed)
    except MooInferError as error:
        return f"pass@k is not extrapolated: {error}"
    return Extrapolated(chosen, k, chosen.predict(k, B, seed))
