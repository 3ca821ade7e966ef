"""Accuracy of k inferences whose answers are compared or scored, and of a single call."""

from dataclasses import dataclass

import numpy as np

from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.chance import one_of_each
from ..core.draws import Draws
from ..core.moments import Moments
from ..hookspecs import hookimpl
from ..interfaces import AccuracyAggregator
from ..quantities.quantity import Query

__all__ = ["OneCall", "PluralityVote", "TopScore", "WeightedVote"]

TIED = 1e-12  # of sums of weights, relative: in another order they may differ in the last digit


@dataclass(frozen=True)
class OneCall(AccuracyAggregator):
    """The first of k inferences alone, to compare with: more of them cost more and bring nothing.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> OneCall().exact(Gaussian(1024, 64, 2048, 128, 0.94, 0.0).queries().query, np.array([1, 8])).mean.round(6)
    array([0.94, 0.94])
    """

    name = "one-call"

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """Accuracy of the first inference, (M, K)."""
        return np.repeat(draws.accuracy[:, :1], draws.accuracy.shape[1], axis=1)

    def exact(self, query: Query, k: IntArray, /) -> Moments:
        """Exact moments where the law of the accuracy is known."""
        return query.accuracy.first(k)

    def choose(self, draws: Draws, rng: np.random.Generator, /) -> IntArray:
        """The first, (M,)."""
        return np.zeros(draws.shape[0], dtype=np.int64)


@dataclass(frozen=True)
class PluralityVote(AccuracyAggregator):
    """The answer that most of k inferences give; ties are broken at random, blanks abstain (self-consistency).

    Wang et al., arXiv 2203.11171. Needs the column ``answer``: with wrong answers that differ among each other, fewer
    than half can win, so this does better than `majority-vote`. There is no vote where no question of a log has two
    answers, or nearly all differ.

    Exact mean on a log: over all subsets of k samples of each question.

    >>> answers = np.array([[1, 0, 2, 0]])  # the second and the fourth agree, and are right
    >>> draws = Draws(*np.ones((2, 1, 4)), (answers == 0) * 1.0, {"answer": answers})
    >>> PluralityVote().aggregate(draws, np.random.default_rng(0)).round(3)
    array([[0.   , 0.5  , 0.333, 1.   ]])
    """

    name = "plurality-vote"

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """Probability that the vote of the first k inferences is right, (M, K)."""
        answer, right = draws["answer"], draws.accuracy
        M, K = right.shape
        first = _first(answer)  # codes of a trial's own, so that there are no more of them than inferences
        votes, worth, trial = np.zeros((M, K)), np.zeros((M, K)), np.arange(M)
        result = np.zeros((M, K))
        for i in range(K):
            cast = answer[:, i] >= 0
            votes[trial[cast], first[cast, i]] += 1
            worth[trial[cast], first[cast, i]] += right[cast, i]
            most = votes[:, : i + 1].max(axis=1)
            wins = (votes[:, : i + 1] == most[:, None]) & (most > 0)[:, None]
            share = worth[:, : i + 1] / np.maximum(most, 1)[:, None]  # of the winners' inferences that are right
            result[:, i] = (share * wins).sum(axis=1) / np.maximum(wins.sum(axis=1), 1)
        return result

    def exact(self, query: Query, k: IntArray, /) -> Moments:
        """Exact mean given a question of a log."""
        return query.accuracy.plurality(k)

    def choose(self, draws: Draws, rng: np.random.Generator, /) -> IntArray:
        """One of those that gave the answer of most, (M,); -1 where all are blank."""
        vote = np.where(draws["answer"] >= 0, 1.0, 0.0)
        return one_of_each(_of_winners(vote, draws["answer"]), rng)


@dataclass(frozen=True)
class TopScore(AccuracyAggregator):
    """The inference with the highest score of k, ties at random: best-of-k by a verifier or reward model that errs.

    Needs the column ``score``; a score of -inf is unknown, and taken only where no other is there, as wrong. There is
    no choice where no question of a log has two scores.

    >>> draws = Draws(*np.ones((2, 1, 3)), np.array([[1.0, 0, 1]]), {"score": np.array([[0.2, 0.7, 0.5]])})
    >>> TopScore().aggregate(draws, np.random.default_rng(0))
    array([[1., 0., 0.]])
    """

    name = "top-score"

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """Accuracy of the inference with the highest score of the first k, (M, K)."""
        score = draws["score"]
        right = np.where(np.isneginf(score), 0.0, draws.accuracy)
        best = np.maximum.accumulate(score, axis=1)
        tied, worth = np.zeros(len(score)), np.zeros(len(score))
        result = np.empty(right.shape)
        for i in range(right.shape[1]):
            rises = score[:, i] > best[:, i - 1] if i else np.ones(len(score), dtype=bool)
            equal = score[:, i] == best[:, i]
            tied = np.where(rises, 0.0, tied) + equal
            worth = np.where(rises, 0.0, worth) + equal * right[:, i]
            result[:, i] = worth / tied
        return result

    def exact(self, query: Query, k: IntArray, /) -> Moments:
        """Exact mean given a question of a log."""
        return query.accuracy.top(k)

    def choose(self, draws: Draws, rng: np.random.Generator, /) -> IntArray:
        """One of those with the highest score, (M,); -1 where no score is known."""
        score = draws["score"]
        return one_of_each((score == score.max(axis=1, keepdims=True)) & ~np.isneginf(score), rng)


@dataclass(frozen=True)
class WeightedVote(AccuracyAggregator):
    """The answer whose inferences have the highest scores together; ties are broken at random, blanks abstain.

    Scores are weights: a negative one, and one that is not known, counts as 0. Where all do, every answer has one vote.
    (Li et al. 2023, Making Language Models Better Reasoners with Step-Aware Verifier, arXiv 2206.02336.)

    >>> answers, scores = np.array([[0, 1, 1]]), np.array([[0.9, 0.3, 0.4]])
    >>> draws = Draws(accuracy=(answers == 0) * 1.0, columns={"answer": answers, "score": scores})
    >>> WeightedVote().aggregate(draws, np.random.default_rng(0))
    array([[1., 1., 1.]])
    """

    name = "weighted-vote"

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """Probability that the weighted vote of the first k inferences is right, (M, K)."""
        answer, right, score = draws["answer"], draws.accuracy, draws["score"]
        M, K = right.shape
        cast = answer >= 0
        weight = _weights(score, cast)
        first, trial = _first(answer), np.arange(M)
        heard, worth = np.zeros((2, M, K)), np.zeros((2, M, K))  # by weights, and with one vote each
        result = np.zeros((M, K))
        for i in range(K):
            for j, own in enumerate((weight[:, i], cast[:, i] * 1.0)):
                heard[j, trial, first[:, i]] += own
                worth[j, trial, first[:, i]] += cast[:, i] * (right[:, i] if j else own * right[:, i])
            some = heard[0, :, : i + 1].max(axis=1) > 0
            votes, good = (np.where(some[:, None], of[0, :, : i + 1], of[1, :, : i + 1]) for of in (heard, worth))
            most = votes.max(axis=1)
            wins = (votes >= most[:, None] * (1 - TIED)) & (most > 0)[:, None]
            share = np.divide(good, votes, out=np.zeros_like(votes), where=votes > 0)
            result[:, i] = (share * wins).sum(axis=1) / np.maximum(wins.sum(axis=1), 1)
        return np.minimum(result, 1.0)

    def choose(self, draws: Draws, rng: np.random.Generator, /) -> IntArray:
        """One of those that gave the answer with the most weight, by weight, (M,); -1 where all are blank."""
        cast = draws["answer"] >= 0
        weight = _weights(draws["score"], cast)
        vote = np.where(weight.any(axis=1, keepdims=True), weight, cast)
        return one_of_each(_of_winners(vote, draws["answer"]), rng)


def _weights(score: FloatArray, cast: BoolArray) -> FloatArray:
    """What each inference (M, K) weighs by its score; 0 where it gives no vote."""
    return np.where(cast & np.isfinite(score), np.maximum(score, 0.0), 0.0)


def _of_winners(weight: FloatArray, answer: IntArray) -> FloatArray:
    """Weights (M, K) of the inferences whose answer weighs most, and 0 of the others."""
    own = np.arange(len(answer))[:, None], _first(answer)
    heard = np.zeros(weight.shape)
    np.add.at(heard, own, weight)
    return np.where(heard[own] >= heard.max(axis=1, keepdims=True) * (1 - TIED), weight, 0.0)


def _first(codes: IntArray) -> IntArray:
    """Where in its row (M, K) every code stands first."""
    if len(codes) == 1:  # a live answer: a few numbers, for which arrays would take a hundred times as long
        place: dict[int, int] = {}
        return np.array([[place.setdefault(code, i) for i, code in enumerate(codes[0].tolist())]], dtype=np.int64)
    order = np.argsort(codes, axis=1, kind="stable")
    ordered = np.take_along_axis(codes, order, axis=1)
    starts = np.concatenate([np.ones((len(codes), 1), dtype=bool), np.diff(ordered, axis=1) != 0], axis=1)
    heads = np.maximum.accumulate(np.where(starts, np.arange(codes.shape[1]), 0), axis=1)
    first = np.empty_like(order)
    np.put_along_axis(first, order, np.take_along_axis(order, heads, axis=1), axis=1)
    return first


@hookimpl
def register_aggregators() -> list[type[AccuracyAggregator]]:
    """Register one call, the votes on answers, and the choice by score."""
    return [OneCall, PluralityVote, TopScore, WeightedVote]
