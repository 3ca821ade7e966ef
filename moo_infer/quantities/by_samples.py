"""Quantities by the samples of questions: k of a question's, without replacement, over all subsets."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.cdf import Cdf, affine
from ..core.draws import Draws
from ..core.errors import MissingColumn, MooInferError, NotExact, NothingPossible
from ..core.moments import CONSTANT, Moments
from .quantity import Factors, Quantity, Query
from .ranked import ranked_of_samples
from .samples import Samples
from .steps import EvenSteps, LargestSteps
from .subsets import all_at_k, best_scored_of_k, largest_of_k, pass_at_k, vote_at_k

__all__ = ["NAMES", "SampleQuery", "draw_samples", "draws_of"]


# Columns that draws bring along, where samples have them.
BROUGHT = ("cached_input_tokens", "cache_write_tokens", "latency_s", "cost_usd", "energy_j")
CHOICE: tuple[Literal["answer", "score"], ...] = ("answer", "score")  # what one answer of several is chosen by
AT_ONCE = 2**22  # random keys in one go; bounds memory
# What a part calls a column, by its name in the neutral table of logs.
NAMES = {"tokens_in": "input_tokens", "tokens_out": "output_tokens", "accuracy": "correct"}


@dataclass(frozen=True, eq=False)
class SampleQuery(Query):
    """The Q questions of a log, at once: what a part says of them is (Q, n).

    Args:
        samples: all scored, and without gaps in the columns that are asked for.

    >>> log = Samples("mine", ["q"], np.zeros(3, int), np.array([1.0, 0, 0]), {"latency_s": np.array([1.0, 2, 6])})
    >>> m = SampleQuery(log)
    >>> m["latency_s"].sum(np.array([1, 3])).mean, m["latency_s"].max(np.array([2])).mean.round(6)
    (array([[3., 9.]]), array([[4.666667]]))
    """

    samples: Samples

    def __getitem__(self, column: str) -> Quantity:
        name = NAMES.get(column, column)
        if name != "correct" and name not in self.samples.columns:
            raise MissingColumn(name, ("correct", *self.samples.columns), f"the samples of {self.samples.model}")
        return Quantity(self, {column: 1.0})

    def values(self, quantity: Quantity, /) -> FloatArray:
        """Return a quantity (N,) of every sample; raises NotExact where its factors are no numbers."""
        if any(np.ndim(c) for c in (quantity.shift, *quantity.factors.values())):
            raise NotExact("a quantity whose factors depend on k, or on draws, is no number of a sample")
        values = np.full(len(self.samples), np.asarray(quantity.shift, dtype=np.float64))
        for name, factor in quantity.factors.items():
            values = values + np.asarray(factor, dtype=np.float64) * self._column(name)
        return values

    def total(self, k: IntArray, sums: Factors, firsts: Factors, shift: Any, /) -> tuple[Any, Any, bool]:
        """Return mean and variance (Q, n): of a finite population, whose columns belong together."""
        n = self.samples.n.astype(np.float64)[:, None]
        left = np.where(k <= n, (n - k) / np.maximum(n - 1, 1), np.nan)  # what drawing without replacement leaves
        terms = []
        mean = shift + np.zeros((len(n), len(k)))
        for name in dict.fromkeys([*sums, *firsts]):
            each, once = np.asarray(sums.get(name, 0.0)), np.asarray(firsts.get(name, 0.0))
            values = self._column(name)
            own = self._by_question(values)
            mean = mean + own * (k * each + once)
            terms.append((values - own[self.samples.question, 0], each, once))
        variance = np.zeros((len(n), len(k)))
        for x, a, b in terms:
            for y, c, d in terms:
                variance = variance + self._by_question(x * y) * ((a * c * k + a * d + b * c) * left + b * d)
        return np.where(k <= n, mean, np.nan), np.maximum(variance, 0.0), False

    def total_cdf(self, k: IntArray, sums: Factors, firsts: Factors, shift: Any, /) -> Cdf | None:
        """Return the cdf where it is that of one sample, or where all samples of every question add up to the total.

        Sums of some samples take too many values: there it is None.
        """
        each, once = ({name: np.asarray(c) for name, c in factors.items() if np.any(c)} for factors in (sums, firsts))
        if any(np.ndim(c) for c in (*each.values(), *once.values())) or k.max() > self.samples.largest_k:
            return None
        if not each or k.max() == 1:
            values = self.values(Quantity(self, {n: each.get(n, 0.0) + once.get(n, 0.0) for n in {**each, **once}}))
            return affine(LargestSteps(values, self.samples.question, np.ones_like(k)), 1.0, shift)
        if once or not (k == self.samples.n.max()).all():
            return None
        total = k * self._by_question(self.values(Quantity(self, each)))
        return affine(EvenSteps(total, np.arange(len(total))), 1.0, shift)

    def largest(self, k: IntArray, quantity: Quantity, /) -> Moments:
        """Return the moments (Q, n) of the largest of k samples, with their cdf."""
        worth = [*quantity.factors] == ["accuracy"] and not np.any(quantity.shift)
        if worth and np.all(quantity.factors["accuracy"] == 1) and not self.samples.graded:
            return self.any_right(k)
        values, question = self.values(quantity), self.samples.question
        cdf = LargestSteps(values, question, k) if k.max() <= self.samples.largest_k else None
        return Moments(*largest_of_k(values, question, k), cdf=cdf)

    def ranked(self, rank: int, k: IntArray, quantity: Quantity, /) -> tuple[FloatArray, FloatArray]:
        """Return mean and mean square (Q, n) of the `rank`-th largest of k samples."""
        return ranked_of_samples(self.values(quantity), self.samples.question, rank, k)

    def constant(self, quantity: Quantity, /) -> bool:
        """Whether the samples of each question are alike."""
        values = self.values(quantity)
        own = self._by_question(values)[self.samples.question, 0]
        return not np.any(np.abs(values - own) > CONSTANT * np.abs(own))

    def any_right(self, k: IntArray, /) -> Moments:
        """Return pass@k."""
        return _yes_or_no(pass_at_k(self.samples.n, self.samples.right, k))

    def all_right(self, k: IntArray, /) -> Moments:
        """Return pass^k."""
        return _yes_or_no(all_at_k(self.samples.n, self.samples.right, k))

    def majority(self, k: IntArray, /) -> Moments:
        """Return the vote of two answers, right and wrong."""
        samples = self.samples
        samples.refuse_grades()
        answers = {"answer": np.where(samples.correct == 1, 0, 1)}
        alike = Samples(samples.model, samples.questions, samples.question, samples.correct, answers)
        return Moments(vote_at_k(alike, k))

    def plurality(self, k: IntArray, /) -> Moments:
        """Return the vote of the answers; raises NothingPossible where there is none."""
        if reason := self.samples.no_choice("answer"):
            raise NothingPossible(f"{self.samples.model}: {reason}")
        return Moments(vote_at_k(self.samples, k))

    def top_score(self, k: IntArray, /) -> Moments:
        """Return the choice by score; raises NothingPossible where there is none."""
        if reason := self.samples.no_choice("score"):
            raise NothingPossible(f"{self.samples.model}: {reason}")
        return Moments(best_scored_of_k(self.samples, k))

    def _column(self, name: str) -> FloatArray:
        return self.samples[NAMES.get(name, name)].astype(np.float64)

    def _by_question(self, values: FloatArray) -> FloatArray:
        """(Q, 1) means of values (N,)."""
        samples = self.samples
        return (np.bincount(samples.question, values, len(samples.questions)) / samples.n)[:, None]


def _yes_or_no(share: FloatArray) -> Moments:
    return Moments(share, np.sqrt(share * (1 - share)))


def draw_samples(
    samples: Samples,
    weights: FloatArray,
    rng: np.random.Generator,
    M: int,
    K: int,
    asked: IntArray | None = None,
    always: Sequence[str] = (),
    /,
) -> Draws:
    """Draw questions by their weights, then samples of each without replacement.

    Answers and scores are brought along only where something can be chosen by them, and other judgements always.

    Args:
        samples: of Q questions, all scored.
        weights: (Q,), >= 0, with the sum 1.
        rng, M, K: as in `InferenceModel.sample`; K is at most the fewest samples of a question.
        asked: (M,), the questions, where they are not to be drawn.
        always: columns that are brought along in any case.

    Raises:
        MooInferError: for a larger K.
    """
    rows_of, _ = _rows(samples)
    S = rows_of.shape[1]
    if samples.largest_k < K:
        raise MooInferError(f"{samples.model}: the log has only {samples.largest_k} samples of a question, not {K}")
    chosen, question = np.empty((M, K), dtype=np.int64), np.empty(M, dtype=np.int64) if asked is None else asked
    step = max(1, AT_ONCE // S)
    for start in range(0, M, step):
        if asked is None:
            question[start : start + step] = rng.choice(len(weights), min(step, M - start), p=weights)
        rows = rows_of[question[start : start + step]]
        order = np.where(rows < 0, 2.0, rng.random(rows.shape)).argsort(axis=1)[:, :K]
        chosen[start : start + step] = np.take_along_axis(rows, order, axis=1)
    return draws_of(samples, chosen, question, always)


def draws_of(samples: Samples, chosen: IntArray, question: IntArray, always: Sequence[str] = (), /) -> Draws:
    """Return draws of samples that are chosen; answers and scores only where something can be chosen by them.

    Args:
        samples: of Q questions, all scored.
        chosen: (M, K), which samples.
        question: (M,), whose they are.
        always: columns that are brought along in any case, where there are such.
    """
    _, brought = _rows(samples)
    brought = (*brought, *(name for name in always if name in samples.columns and name not in brought))
    tokens_in, tokens_out = (
        samples.columns[name][chosen].astype(np.float64) if name in samples.columns else None
        for name in (NAMES["tokens_in"], NAMES["tokens_out"])
    )
    columns = {name: samples.columns[name][chosen] for name in brought}
    columns["question"] = np.broadcast_to(question[:, None], chosen.shape)
    if "score" in columns:
        columns["score"] = np.where(np.isnan(columns["score"]), -np.inf, columns["score"])
    return Draws(tokens_in, tokens_out, samples.correct[chosen], columns)


@lru_cache(maxsize=256)
def _rows(samples: Samples) -> tuple[IntArray, tuple[str, ...]]:
    """(Q, S) which samples a question has, -1 beyond its last; and the columns that draws bring along."""
    n = samples.n
    places = np.arange(n.max()) < n[:, None]
    rows = np.full(places.shape, -1)
    rows[places] = np.arange(len(samples))
    choice = (name for name in CHOICE if not samples.no_choice(name))
    return rows, (*choice, *(name for name in BROUGHT if name in samples.columns), *samples.judgements)
