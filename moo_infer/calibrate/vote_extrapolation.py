"""What votes are worth beyond the samples of a log, by a law of votes."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.arrays import IntArray
from ..core.errors import MooInferError
from ..quantities.samples import Samples
from ..quantities.subsets import vote_at_k
from .intervals import Interval
from .scaling import REACH, VOTE_LAWS, AccuracyCurve, ScalingFit, fit_scaling
from .scaling_laws import spaced

__all__ = ["VoteExtrapolation", "votes_beyond"]


@dataclass(frozen=True, eq=False)
class VoteExtrapolation:
    """vote@k beyond the samples of a question, as far as a law of votes is asked.

    Args:
        law: the law, and how well it predicted what was hidden from it.
        k: (m,), all beyond the samples.
        vote_at_k: (m,), with intervals over questions; that the law may be wrong is not in them.
        unsaid: how many larger k were wanted.
    """

    law: ScalingFit
    k: IntArray
    vote_at_k: Interval
    unsaid: int

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        ends = np.stack([self.vote_at_k.low, self.vote_at_k.high], axis=1).tolist()
        return self.law.to_dict() | {
            "k": self.k.tolist(),
            "vote_at_k": self.vote_at_k.value.tolist(),
            "vote_at_k_interval": ends,
        }

    def sentences(self) -> list[str]:
        """Say it in words."""
        figures = zip(self.k, self.vote_at_k.value, self.vote_at_k.low, self.vote_at_k.high, strict=True)
        listed = ", ".join(f"vote@{k} {value:.4g} [{low:.4g}, {high:.4g}]" for k, value, low, high in figures)
        farther = f"; nothing is said beyond {REACH:g} times the {self.law.largest} samples" if self.unsaid else ""
        return [f"votes extrapolated: {listed}{farther}", str(self.law)]


def votes_beyond(scored: Samples, k: IntArray, *, B: int = 100, seed: int = 0) -> VoteExtrapolation | str:
    """Predict vote@k, or say why that cannot be done; "" where the log has no votes.

    Args:
        scored: samples of one model that are right or wrong.
        k: (m,), ascending, all beyond the samples.
        B, seed: of the bootstrap over questions.
    """
    if scored.graded or scored.no_choice("answer"):
        return ""
    measured = spaced(1, scored.largest_k)
    try:
        curve = AccuracyCurve(measured, vote_at_k(scored, measured), questions=scored.questions)
        law = fit_scaling(curve, VOTE_LAWS, B, seed)
    except MooInferError as error:
        return f"vote@k is not extrapolated: {error}"
    within = k[k <= REACH * scored.largest_k]
    return VoteExtrapolation(law, within, law.predict(within), len(k) - len(within))
