"""What is beyond the samples of a log: coverage by a law, the model of inferences that follows it, and votes."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.arrays import IntArray
from ..core.errors import MooInferError
from ..quantities.samples import Samples
from ..quantities.subsets import mean_pass_at_k
from .beta_binomial import BetaFit, fit_beta_binomial, jeffreys, nearest_beta
from .intervals import Interval
from .law_choice import LawChoice, forward_validated
from .vote_extrapolation import VoteExtrapolation, votes_beyond

__all__ = ["Extrapolation", "extrapolated"]

POINTS = 30  # values of k, log-spaced, where a model of inferences follows a law
ENDS = 1000.0  # how much more the first and the last of them count: both are then met to four digits
WIDTH = 3.92  # standard errors in a 95 % interval


@dataclass(frozen=True, eq=False)
class Extrapolation:
    """pass@k beyond the samples of a question.

    Args:
        chosen: the law, and how well it predicted what was hidden from it.
        k: (m,), powers of two and the largest that is wanted, all beyond the samples.
        pass_at_k: (m,), with intervals over questions; that all laws may be wrong is not in them.
        model: the beta law, with a share that is never solved, that follows the samples and then the law up to the
            largest k: a curve cannot be drawn from, so profiles are made of this. The error of the share is that of
            pass@k at the largest k; those of mean and concentration are as large, in proportion, as in the fit to the
            samples.
        vote: vote@k likewise, or why it is not said; "" where the log has no votes. It is said alone, and no profile
            is made of it.
    """

    chosen: LawChoice
    k: IntArray
    pass_at_k: Interval
    model: BetaFit
    vote: VoteExtrapolation | str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        low, high = self.pass_at_k.low.tolist(), self.pass_at_k.high.tolist()
        return {
            "law": self.chosen.law.name,
            "formula": str(self.chosen.law),
            "intervals_of": [law.name for law in self.chosen.joined],
            "fitted_to": self.chosen.shown,
            "validated_to": self.chosen.largest,
            "rmse": dict(self.chosen.errors),
            "k": self.k.tolist(),
            "pass_at_k": self.pass_at_k.value.tolist(),
            "pass_at_k_interval": [list(ends) for ends in zip(low, high, strict=True)],
            "vote": None if isinstance(self.vote, str) else self.vote.to_dict(),
        }

    def sentences(self) -> list[str]:
        """Say it in words."""
        figures = zip(self.k, self.pass_at_k.value, self.pass_at_k.low, self.pass_at_k.high, strict=True)
        listed = ", ".join(f"pass@{k} {value:.4g} [{low:.4g}, {high:.4g}]" for k, value, low, high in figures)
        off = self.model.pass_at(self.k) - self.pass_at_k.value
        worst = int(np.argmax(np.abs(off)))
        follows = (
            f"recommend follows a beta model, whose pass@k is off from that by at most {abs(off[worst]):.4f} "
            f"(k = {self.k[worst]})"
        )
        votes = list(filter(None, [self.vote])) if isinstance(self.vote, str) else self.vote.sentences()
        return [f"extrapolated: {listed}", str(self.chosen), follows, *votes]


def extrapolated(samples: Samples, K: int, *, B: int = 200, seed: int = 0) -> Extrapolation | str:
    """Predict pass@k up to K, or say why that cannot be done.

    Args:
        samples: of one model.
        K: the largest k, >= 1.
        B, seed: of the bootstrap over questions.
    """
    scored = samples.scored
    n = scored.largest_k
    if n >= K:
        return f"nothing to extrapolate: the log supports k up to {n}"
    try:
        chosen = forward_validated(scored.n, scored.right, scored.questions, seed=seed)
    except MooInferError as error:
        return f"pass@k is not extrapolated: {error}"
    shown = np.array([*(2**i for i in range(31) if n < 2**i < K), K], dtype=np.int64)
    k = np.union1d(np.round(np.geomspace(1, K, POINTS)).astype(np.int64), shown)
    predicted = chosen.predict(k, B, seed)
    at = np.isin(k, shown)
    pass_at_k = Interval(*(getattr(predicted, field)[at] for field in Interval.__match_args__))
    fitted, vote = fit_beta_binomial(scored.n, scored.right), votes_beyond(scored, shown, seed=seed)
    if (scored.right == scored.n).all():  # a curve of ones has nothing to follow, and no spread
        return Extrapolation(chosen, shown, pass_at_k, fitted, vote)
    known = mean_pass_at_k(scored.n, scored.right, np.minimum(k, n))
    weight = np.ones(len(k))
    weight[[0, -1]] = ENDS
    follows = nearest_beta(k, np.where(k <= n, known, predicted.value), weight)
    # Where all questions have been solved the interval is a point, which no share among Q questions is known to.
    _, least = jeffreys(len(scored.questions), True)
    unsolvable_se = max(float(predicted.high[-1] - predicted.low[-1]) / WIDTH, least)
    mean_se = fitted.mean_se / (1 - follows.unsolvable)
    concentration_se = fitted.concentration_se * follows.concentration / fitted.concentration
    model = replace(follows, mean_se=mean_se, concentration_se=concentration_se, unsolvable_se=unsolvable_se)
    return Extrapolation(chosen, shown, pass_at_k, model, vote)
