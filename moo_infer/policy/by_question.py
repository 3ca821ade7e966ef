"""What a policy does with the queries of each question of a log, and its moments over questions."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.cdf import Cdf
from ..estimate.mixture import QuestionMoments, over_questions
from .deployment import Deployment

__all__ = ["ByQuestion", "moments_of"]

# A variance is a difference of squares, each with an error of 1e-16 of them: below, it is nothing but rounding.
NOTHING = 1e-14


@dataclass(frozen=True, eq=False)
class ByQuestion:
    """Expectations given each question.

    Args:
        questions: Q names.
        shares: the objectives that are shares of yes and no, as of right answers, not grades.
        mean, square: by objective (Q,), expectations and those of squares; without what is not known exactly.
        calls, waves: by their number (Q,), how likely it is.
        endings: by the calls of each model (Q,), how likely it is that the answer comes after these.
        replayed: the questions whose expectations come from replay, and
        times: how often each of them was.
        judged: what was found of other judgements than accuracy, each by itself, by their names.
    """

    questions: Sequence[str]
    shares: frozenset[str]
    mean: dict[str, FloatArray] = field(default_factory=dict)
    square: dict[str, FloatArray] = field(default_factory=dict)
    calls: Mapping[int, FloatArray] = field(default_factory=dict)
    waves: Mapping[int, FloatArray] = field(default_factory=dict)
    endings: Mapping[tuple[int, ...], FloatArray] = field(default_factory=dict)
    replayed: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    times: int = 0
    judged: Mapping[str, "ByQuestion"] = field(default_factory=dict)

    @classmethod
    def of(cls, deployment: Deployment, sums: "Sums") -> "ByQuestion":
        """Return what was found of a policy on logs."""
        found = sums.mean, sums.square, sums.calls, sums.waves, sums.endings
        return cls(deployment.questions, deployment.shares, *found)

    def with_judged(self, judged: Mapping[str, "ByQuestion"]) -> "ByQuestion":
        """Return the same with what was found of other judgements."""
        mean = {name: of.mean[name] for name, of in judged.items() if name in of.mean}
        square = {name: judged[name].square[name] for name in mean}
        return replace(self, mean=self.mean | mean, square=self.square | square, judged=judged)

    def replayed_of(self, objective: str) -> IntArray:
        """Return the questions whose expectations of an objective come from replay."""
        return self.judged.get(objective, self).replayed

    def with_questions(self, questions: IntArray, other: "ByQuestion") -> "ByQuestion":
        """Return the same with what another evaluation says of some questions."""
        Q = len(self.questions)

        def taken(mine: Mapping[Any, FloatArray], theirs: Mapping[Any, FloatArray]) -> dict[Any, FloatArray]:
            both = {key: mine[key].copy() if key in mine else np.zeros(Q) for key in sorted({*mine, *theirs})}
            for key, values in both.items():
                values[questions] = theirs[key][questions] if key in theirs else 0.0
            return both

        return replace(
            self,
            mean=taken(self.mean, other.mean),
            square=taken(self.square, other.square),
            calls=taken(self.calls, other.calls),
            waves=taken(self.waves, other.waves),
            endings=taken(self.endings, other.endings),
        )

    def simulation_variance(self, objective: str, weights: FloatArray) -> float:
        """Return the variance of the mean of an objective over questions (Q,) that is due to replay."""
        replayed, times = self.replayed_of(objective), self.judged.get(objective, self).times
        if not len(replayed):
            return 0.0
        mean, square = (of[objective][replayed] for of in (self.mean, self.square))
        return float(weights[replayed] ** 2 @ np.maximum(square - mean**2, 0.0)) / times


class Sums:
    """Sums by question, as they are found.

    Args:
        Q: how many questions.
        objectives: names, those that are known exactly.
    """

    def __init__(self, Q: int, objectives: Sequence[str]) -> None:
        self.Q = Q
        self.mean = {name: np.zeros(Q) for name in objectives}
        self.square = {name: np.zeros(Q) for name in objectives}
        self.calls: dict[int, FloatArray] = defaultdict(partial(np.zeros, Q))
        self.waves: dict[int, FloatArray] = defaultdict(partial(np.zeros, Q))
        self.endings: dict[tuple[int, ...], FloatArray] = defaultdict(partial(np.zeros, Q))

    def add(self, objective: str, question: IntArray, first: FloatArray, second: FloatArray) -> None:
        """Add chances times values, and times their squares, (S,)."""
        self.mean[objective] += np.bincount(question, first, self.Q)
        self.square[objective] += np.bincount(question, second, self.Q)

    def end(self, question: IntArray, chance: FloatArray, n: tuple[int, ...], waves: int) -> None:
        """Add queries that are answered after n calls of each model in so many waves."""
        share = np.bincount(question, chance, self.Q)
        self.calls[sum(n)] += share
        self.waves[waves] += share
        self.endings[n] += share


def moments_of(
    rows: Sequence[ByQuestion],
    objective: str,
    weights: FloatArray,
    pseudo: tuple[float, float] = (0.0, 0.0),
    cdf: Cdf | None = None,
) -> QuestionMoments | None:
    """Return the moments of an objective over questions, one for each row; None where one is not known.

    Args:
        rows: n evaluations on the same questions.
        objective: its name.
        weights: (Q,), shares of the questions.
        pseudo: weights of two more, at which all is 0 and all is 1, of shares.
        cdf: given each question; None where it is not known.
    """
    if any(objective not in row.mean for row in rows):
        return None
    mean = np.stack([row.mean[objective] for row in rows], axis=1)
    variance = np.stack([row.square[objective] for row in rows], axis=1) - mean**2
    std = np.sqrt(np.where(variance > NOTHING * mean**2, variance, 0.0))
    share = objective in rows[0].shares
    given = pseudo if share else (0.0, 0.0)
    return over_questions(weights, mean, std, given, rows[0].questions, cdf=cdf, share=share)
