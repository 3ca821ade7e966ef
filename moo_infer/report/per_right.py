"""Consumption per right answer: money, seconds, joules and tokens of the k inferences, over their accuracy."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.draws import Draws
from ..core.errors import MissingColumn
from ..core.moments import Moments
from ..core.objectives import ACCURACY, Objective
from ..decide.choices import Choice
from ..estimate.curves import Column
from ..estimate.exact import Exact
from ..interfaces import AccuracyAggregator, CostModel
from ..profiles import ModelProfile
from ..quantities.quantity import Query

__all__ = ["TOKENS", "MeanTokens", "TokenCount", "per_right"]

TOKENS = "tokens"


@dataclass(frozen=True)
class TokenCount(CostModel):
    """All tokens of k inferences, prompts and outputs: no objective of a table, but estimated as one.

    >>> TokenCount().total(Draws(*np.array([[[9, 9.0]], [[5, 7.0]], [[1, 0.0]]])), parallelism=1)
    array([[14., 30.]])
    """

    name = "token-count"
    objective = Objective(TOKENS)

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Tokens of the first k inferences, (M, K)."""
        return np.cumsum(draws["tokens_in"] + draws["tokens_out"], axis=1)

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact moments where the laws of the token counts are known, and on a log."""
        return (query.tokens_in + query.tokens_out).sum(k)


@dataclass(frozen=True)
class _Unasked(AccuracyAggregator):
    """A placeholder where an estimate needs an aggregator."""

    name = "unasked"

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        return np.zeros(draws.shape)

    def choose(self, draws: Draws, rng: np.random.Generator, /) -> IntArray:
        return np.full(draws.shape[0], -1)


class MeanTokens:
    """Mean tokens of k inferences of a model; simulated where neither laws nor a log give them.

    Args:
        profile: the model.
        k: those that may be asked for.
        trials, seed: of what is simulated.

    >>> from moo_infer import builtin_models
    >>> round(MeanTokens(builtin_models()["gpt-5"], [1, 4], 1, 0).of(4))
    12288
    """

    def __init__(self, profile: ModelProfile, k: Iterable[int], trials: int, seed: int) -> None:
        counted = replace(profile, costs=(TokenCount(),), uncertain={})
        asked = np.array(sorted(set(k)), dtype=np.int64)
        self._column: Column | None
        try:
            self._column = Exact(trials, seed).estimate(counted, _Unasked(), asked, 1).columns[TOKENS]
            means = self._column.mean
        except MissingColumn:
            self._column, means = None, np.zeros(len(asked))
        # Nothing is asked and answered without tokens: a model with 0 of them was not told any.
        self._means = {int(n): float(mean) if mean > 0 else math.nan for n, mean in zip(asked, means, strict=True)}

    @property
    def simulated(self) -> bool:
        """Whether they come from simulation."""
        return self._column is not None and "mean" in self._column.simulated

    def of(self, k: int, /) -> float:
        """Mean tokens of k inferences together, prompts and outputs; NaN where they are not known."""
        return self._means[k]


def per_right(choice: Choice, tokens: Mapping[str, MeanTokens], /) -> dict[str, float]:
    """Return the mean consumption of a choice, each divided by its mean accuracy.

    A ratio of means: over many queries, what all inferences took by how many answers were right (by their quality,
    where accuracy is one). What an aggregator spends itself is in its objectives; its tokens are not counted.

    Args:
        choice: one that has a row.
        tokens: of the inferences of models, by name; those that are missing are not known.

    Returns:
        By objective, then ``tokens``; NaN where it is not known, nothing is right, more of it is better, or it is a
        share and not consumed.
    """
    assert choice.figures is not None
    table, accuracy = choice.candidates, choice.figures.objectives[ACCURACY.name].mean
    taken = {
        o.name: choice.figures.objectives[o.name].mean if o.direction == "min" and o.scale is None else math.nan
        for o in table.objectives
        if o.name != ACCURACY.name
    }
    taken.setdefault(TOKENS, _tokens(choice, tokens))  # where that is an objective, its own mean counts
    return {name: total / accuracy if accuracy > 0 else math.nan for name, total in taken.items()}


def _tokens(choice: Choice, known: Mapping[str, MeanTokens]) -> float:
    """Mean tokens of all inferences; NaN where they are not known, as those of a policy are not."""
    used = [(None if part.course else known.get(str(part.model)), part.k or 0, weight) for part, weight in choice.parts]
    return sum(weight * (math.nan if of is None else of.of(k)) for of, k, weight in used)
