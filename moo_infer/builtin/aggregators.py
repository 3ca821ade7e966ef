"""What k inferences are worth together: the best, at least one right, all of them, or the majority."""

from dataclasses import dataclass

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.chance import one_of_each
from ..core.draws import Draws
from ..core.errors import NoChoice, NothingPossible
from ..core.moments import Moments
from ..hookspecs import hookimpl
from ..interfaces import AccuracyAggregator
from ..quantities.majority import majority_of_first
from ..quantities.quantity import Query

__all__ = ["AllOfK", "BestOfK", "Coverage", "MajorityVote"]


@dataclass(frozen=True)
class BestOfK(AccuracyAggregator):
    """The best of k graded qualities, chosen by a perfect judge (paper, eq 3).

    Use it where `accuracy` is a quality (a rubric score of an essay) and something picks the best answer. Where
    `accuracy` is the probability to be right, use `coverage` or `majority-vote`: the best of k probabilities is not the
    probability that one of k answers is right.

    Exact: mean ``1 - int_0^1 F(x)^k dx``, second moment ``1 - int_0^1 2x F(x)^k dx``, quantiles ``F^-1(q^(1/k))``.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> gpt_5 = Gaussian(1024, 64, 2048, 128, 0.94, 0.02).queries().query
    >>> BestOfK().exact(gpt_5, np.array([4, 128])).mean.round(10).tolist()
    [0.9605569671, 0.9909553948]
    """

    name = "best-of-k"

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """Accuracy of the best of the first k inferences, (M, K)."""
        return np.maximum.accumulate(draws.accuracy, axis=1)

    def exact(self, query: Query, k: IntArray, /) -> Moments:
        """Exact moments where the law of the accuracy is known."""
        return query.accuracy.max(k)

    def choose(self, draws: Draws, rng: np.random.Generator, /) -> IntArray:
        """One of the best, (M,)."""
        return one_of_each(draws.accuracy == draws.accuracy.max(axis=1, keepdims=True), rng)


@dataclass(frozen=True)
class Coverage(AccuracyAggregator):
    """At least one of k inferences is right, and a perfect checker finds it: 1 - prod(1 - A_i), also called pass@k.

    Use it where answers can be checked (unit tests, proofs) and `accuracy` is the probability that an inference is
    right, or 0 and 1.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> Coverage().exact(Gaussian(1024, 64, 2048, 128, 0.4, 0.0).queries().query, np.array([1, 2, 8])).mean.round(6)
    array([0.4     , 0.64    , 0.983204])
    """

    name = "coverage"

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """Probability that one of the first k inferences is right, (M, K)."""
        return np.asarray(1.0 - np.cumprod(1.0 - draws.accuracy, axis=1), dtype=np.float64)

    def exact(self, query: Query, k: IntArray, /) -> Moments:
        """Exact mean and standard deviation where the law of the accuracy is known."""
        return query.accuracy.any(k)

    def choose(self, draws: Draws, rng: np.random.Generator, /) -> IntArray:
        """One of those that are right, (M,); raises NothingPossible for what is neither right nor wrong."""
        if not np.isin(draws.accuracy, (0.0, 1.0)).all():
            raise NothingPossible(
                "coverage takes an answer that a checker accepts, and here inferences are graded; best-of-k takes the "
                "best of them"
            )
        return one_of_each(draws.accuracy, rng)


@dataclass(frozen=True)
class AllOfK(AccuracyAggregator):
    """All k inferences are right: prod(A_i), also called pass^k.

    Use it where one wrong answer of k is one too many: an agent that serves k customers, a job that runs every night.
    It is a measure of reliability (tau-bench, Yao et al., arXiv 2406.12045), with `accuracy` the probability that an
    inference is right, or 0 and 1. It falls with k, so that within limits the smallest k is both cheapest and best:
    read it along k, or limit it at the k that is needed (``--k 8 --min-accuracy 0.9``).

    >>> from moo_infer.builtin.inference import Gaussian
    >>> AllOfK().exact(Gaussian(1024, 64, 2048, 128, 0.9, 0.0).queries().query, np.array([1, 2, 8])).mean.round(6)
    array([0.9     , 0.81    , 0.430467])
    """

    name = "all-of-k"

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """Probability that all of the first k inferences are right, (M, K)."""
        return np.asarray(np.cumprod(draws.accuracy, axis=1), dtype=np.float64)

    def exact(self, query: Query, k: IntArray, /) -> Moments:
        """Exact mean and standard deviation where the law of the accuracy is known."""
        return query.accuracy.all(k)

    def choose(self, draws: Draws, rng: np.random.Generator, /) -> IntArray:
        """Raise NoChoice: no inference is right as often as all of them are."""
        raise NoChoice("all-of-k takes no answer: it says how often all of k inferences are right")


@dataclass(frozen=True)
class MajorityVote(AccuracyAggregator):
    """More than half of k inferences give the right answer; ties are broken at random (self-consistency, two answers).

    Use it where answers can be compared but not checked, and `accuracy` is the probability that an inference is right,
    or 0 and 1. Inference i is right with probability A_i: a Poisson binomial in every trial. All wrong answers count as
    one, so with many different wrong answers the vote does better than this.

    Exact mean: with independent inferences that are right with mean probability p, the regularised incomplete beta
    function I_p(h, h) with h = ceil(k / 2). An even k gives no more than the odd number below it.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> query = Gaussian(1024, 64, 2048, 128, 0.6, 0.0).queries().query
    >>> MajorityVote().exact(query, np.array([1, 3, 5, 11])).mean.round(6)
    array([0.6     , 0.648   , 0.68256 , 0.753498])
    """

    name = "majority-vote"

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """Probability that the vote of the first k inferences is right, (M, K)."""
        return majority_of_first(draws.accuracy.T).T

    def exact(self, query: Query, k: IntArray, /) -> Moments:
        """Exact mean where the law of the accuracy is known."""
        return query.accuracy.majority(k)

    def choose(self, draws: Draws, rng: np.random.Generator, /) -> IntArray:
        """Raise NoChoice: who knows which inferences are right needs no vote."""
        raise NoChoice(
            "majority-vote takes no answer: it counts right and wrong ones and compares none; plurality-vote takes the "
            "answer that most inferences give"
        )


@hookimpl
def register_aggregators() -> list[type[AccuracyAggregator]]:
    """Register best-of-k of the paper, coverage, all of k, and majority vote."""
    return [BestOfK, Coverage, AllOfK, MajorityVote]
