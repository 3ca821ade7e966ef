"""What k inferences are worth together: the best, at least one right, all of them, or the majority."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.draws import Draws
from ..core.moments import Moments
from ..hookspecs import hookimpl
from ..interfaces import AccuracyAggregator, InferenceModel
from ..quantities.laws import Bernoulli
from ..quantities.samples import Samples
from ..quantities.subsets import all_at_k, largest_of_k, pass_at_k, vote_at_k

__all__ = ["AllOfK", "BestOfK", "Coverage", "MajorityVote"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class BestOfK(AccuracyAggregator):
    """The best of k graded qualities, chosen by a perfect judge (paper, eq 3).

    Use it where `accuracy` is a quality (a rubric score of an essay) and something picks the best answer. Where
    `accuracy` is the probability to be right, use `coverage` or `majority-vote`: the best of k probabilities is not the
    probability that one of k answers is right.

    Exact: mean ``1 - int_0^1 F(x)^k dx``, second moment ``1 - int_0^1 2x F(x)^k dx``, quantiles ``F^-1(q^(1/k))``.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> BestOfK().exact(Gaussian(1024, 64, 2048, 128, 0.94, 0.02), np.array([4, 128])).mean.round(10).tolist()
    [0.9605569671, 0.9909553948]
    """

    name = "best-of-k"
    vectorised = True

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """Accuracy of the best of the first k inferences, (M, K)."""
        return np.maximum.accumulate(draws.accuracy, axis=1)

    def exact(self, model: InferenceModel, k: IntArray, /) -> Moments | None:
        """Exact moments where the law of the accuracy is known."""
        law = model.accuracy
        if model.logged is not None and model.logged.graded:
            return Moments(*largest_of_k(model.logged.correct, model.logged.question, k))
        if model.logged is not None or isinstance(law, Bernoulli):
            return Coverage().exact(model, k)  # the best of right and wrong
        if law is None:
            return None
        # Below the first bound F^k is nothing, above the second it is 1 up to k * 1e-16.
        low, high = np.split(law.quantile(np.array([1e-18, 1 - 2**-53])), 2, axis=-1)
        x, weights = _nodes()
        x, weights = low + (high - low) * x, (high - low) * weights
        # E (high - best)^2 rather than E best^2: where the best is close to its bound, nothing cancels.
        integrands = np.stack([weights, 2 * weights * (high - x)], axis=-1)
        with np.errstate(divide="ignore"):
            log_cdf = np.log(law.cdf(x))[..., None, :]
        powers = (np.exp(k[i : i + 4096, None] * log_cdf) for i in range(0, len(k), 4096))
        integrals = np.concatenate([power @ integrands for power in powers], axis=-2)
        first, square = integrals[..., 0], integrals[..., 1]
        mean = high - first
        std = np.sqrt(np.maximum(square - first**2, 0.0))
        return Moments(mean, std, lambda q: law.quantile(q ** (1 / k)))


@dataclass(frozen=True)
class Coverage(AccuracyAggregator):
    """At least one of k inferences is right, and a perfect checker finds it: 1 - prod(1 - A_i), also called pass@k.

    Use it where answers can be checked (unit tests, proofs) and `accuracy` is the probability that an inference is
    right, or 0 and 1.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> Coverage().exact(Gaussian(1024, 64, 2048, 128, 0.4, 0.0), np.array([1, 2, 8])).mean.round(6)
    array([0.4     , 0.64    , 0.983204])
    """

    name = "coverage"
    vectorised = True

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """Probability that one of the first k inferences is right, (M, K)."""
        return np.asarray(1.0 - np.cumprod(1.0 - draws.accuracy, axis=1), dtype=np.float64)

    def exact(self, model: InferenceModel, k: IntArray, /) -> Moments | None:
        """Exact mean and standard deviation where the law of the accuracy is known."""
        law = model.accuracy
        if model.logged is not None:
            right = pass_at_k(model.logged.n, model.logged.right, k)
            return Moments(right, np.sqrt(right * (1 - right)))
        if law is None:
            return None
        wrong, std = _product(1.0 - law.mean, law.std, k)
        return Moments(1.0 - wrong, std)


@dataclass(frozen=True)
class AllOfK(AccuracyAggregator):
    """All k inferences are right: prod(A_i), also called pass^k.

    Use it where one wrong answer of k is one too many: an agent that serves k customers, a job that runs every night.
    It is a measure of reliability (tau-bench, Yao et al., arXiv 2406.12045), with `accuracy` the probability that an
    inference is right, or 0 and 1. It falls with k, so that within limits the smallest k is both cheapest and best:
    read it along k, or limit it at the k that is needed (``--k 8 --min-accuracy 0.9``).

    >>> from moo_infer.builtin.inference import Gaussian
    >>> AllOfK().exact(Gaussian(1024, 64, 2048, 128, 0.9, 0.0), np.array([1, 2, 8])).mean.round(6)
    array([0.9     , 0.81    , 0.430467])
    """

    name = "all-of-k"
    vectorised = True

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """Probability that all of the first k inferences are right, (M, K)."""
        return np.asarray(np.cumprod(draws.accuracy, axis=1), dtype=np.float64)

    def exact(self, model: InferenceModel, k: IntArray, /) -> Moments | None:
        """Exact mean and standard deviation where the law of the accuracy is known."""
        law = model.accuracy
        if model.logged is not None:
            right = all_at_k(model.logged.n, model.logged.right, k)
            return Moments(right, np.sqrt(right * (1 - right)))
        return None if law is None else Moments(*_product(law.mean, law.std, k))


@dataclass(frozen=True)
class MajorityVote(AccuracyAggregator):
    """More than half of k inferences give the right answer; ties are broken at random (self-consistency, two answers).

    Use it where answers can be compared but not checked, and `accuracy` is the probability that an inference is right,
    or 0 and 1. Inference i is right with probability A_i: a Poisson binomial in every trial. All wrong answers count as
    one, so with many different wrong answers the vote does better than this.

    Exact mean: with independent inferences that are right with mean probability p, the regularised incomplete beta
    function I_p(h, h) with h = ceil(k / 2). An even k gives no more than the odd number below it.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> MajorityVote().exact(Gaussian(1024, 64, 2048, 128, 0.6, 0.0), np.array([1, 3, 5, 11])).mean.round(6)
    array([0.6     , 0.648   , 0.68256 , 0.753498])
    """

    name = "majority-vote"
    vectorised = True

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """Probability that the vote of the first k inferences is right, (M, K)."""
        M = len(draws.accuracy)
        # A few hundred trials at a time, so that their counts stay in the processor's cache.
        blocks = [draws.accuracy[i : i + 256].T for i in range(0, M, 256)]
        return np.concatenate([_majority(right) for right in blocks], axis=1).T

    def exact(self, model: InferenceModel, k: IntArray, /) -> Moments | None:
        """Exact mean where the law of the accuracy is known."""
        from scipy.special import betainc

        law = model.accuracy
        if model.logged is not None:
            return Moments(vote_at_k(_right_or_wrong(model.logged), k))
        if law is None:
            return None
        half = (k + 1) // 2
        return Moments(np.asarray(betainc(half, half, law.mean)))


def _product(mean: Any, std: Any, k: IntArray) -> tuple[FloatArray, FloatArray]:
    """Mean and standard deviation of a product of k independent factors that are alike and not negative."""
    n = k.astype(np.float64)
    # Var prod = (mean^2 + std^2)^k - mean^2k, so that nothing cancels where the two are close.
    relative = std / np.where(mean > 0, mean, 1.0)  # always 0: no spread either
    with np.errstate(over="ignore"):  # nearly always 0: all of the variance is the first term
        variance = (mean**2 + std**2) ** n * -np.expm1(-n * np.log1p(relative**2))
    return mean**n, np.sqrt(variance)


def _right_or_wrong(samples: Samples) -> Samples:
    """Samples whose answers are nothing but right or wrong."""
    samples.refuse_grades()
    answers = {"answer": np.where(samples.correct == 1, 0, 1)}
    return Samples(samples.model, samples.questions, samples.question, samples.correct, answers)


def _majority(right: FloatArray) -> FloatArray:
    """Probability that more than half of the first k are right, plus half of a tie: (K, M) to (K, M)."""
    K, M = right.shape
    wrong = 1.0 - right
    # count[c] is the probability that c of the inferences so far are right, for every trial.
    count, moved = np.zeros((K + 1, M)), np.empty((K + 1, M))
    count[0] = 1.0
    result = np.empty((K, M))
    for k in range(1, K + 1):
        np.multiply(count[:k], right[k - 1], out=moved[:k])
        count[:k] *= wrong[k - 1]
        count[1 : k + 1] += moved[:k]
        count[k // 2 + 1 : k + 1].sum(axis=0, out=result[k - 1])
        if k % 2 == 0:
            result[k - 1] += 0.5 * count[k // 2]
    return np.minimum(result, 1.0)


@cache
def _nodes() -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on [0, 1]: 24 panels of 16, so that steep F^k are resolved anywhere."""
    panels, order = 24, 16
    x, weights = np.polynomial.legendre.leggauss(order)
    nodes = (np.arange(panels)[:, None] + (x + 1) / 2) / panels
    return nodes.ravel(), np.tile(weights / 2 / panels, panels)


@hookimpl
def register_aggregators() -> list[type[AccuracyAggregator]]:
    """Register best-of-k of the paper, coverage, all of k, and majority vote."""
    return [BestOfK, Coverage, AllOfK, MajorityVote]
