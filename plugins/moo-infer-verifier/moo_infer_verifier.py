"""Best-of-k with an imperfect verifier: one that accepts and rejects, or one that gives noisy scores.

Both aggregators count what the verifier itself spends: it reads every prompt and answer, and writes a verdict.
"""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from moo_infer import (
    COST,
    LATENCY,
    AccuracyAggregator,
    CostModel,
    Draws,
    Moments,
    MooInferError,
    NoChoice,
    NonNegative,
    NotExact,
    Query,
    Share,
    hookimpl,
)
from moo_infer.builtin.aggregators import MajorityVote
from moo_infer.builtin.costs import LinearCost, LinearLatency

__all__ = ["NoisyScore", "Verification", "Verifier", "VerifierCost", "VerifierLatency"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class VerifierCost(CostModel):
    """USD of k verifications: the verifier reads instructions, prompt and answer, and writes a verdict.

    Args:
        usd_per_input_token, usd_per_output_token: USD per token of the verifier, >= 0.
        instruction_tokens: tokens it reads beside prompt and answer, >= 0.
        verdict_tokens: tokens it writes, >= 0.

    >>> draws = Draws(*np.full((3, 1, 2), 100.0) / [[[1]], [[1]], [[100]]])
    >>> VerifierCost(1e-6, 1e-5, instruction_tokens=50, verdict_tokens=5).total(draws, parallelism=1)
    array([[0.0003, 0.0006]])
    """

    name = "verifier-cost"
    objective = COST

    usd_per_input_token: NonNegative = 0.0
    usd_per_output_token: NonNegative = 0.0
    instruction_tokens: NonNegative = 0.0
    verdict_tokens: NonNegative = 0.0

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """USD of verifying the first k inferences, (M, K)."""
        k = np.arange(1, draws.shape[1] + 1)
        return self._reading.total(draws, parallelism=parallelism) + k * self._each

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact moments where the laws of the token counts are known."""
        return self._reading.exact(query, k, parallelism=parallelism) + k * self._each

    @property
    def _reading(self) -> LinearCost:
        return LinearCost(self.usd_per_input_token, self.usd_per_input_token)

    @property
    def _each(self) -> float:
        return self.usd_per_input_token * self.instruction_tokens + self.usd_per_output_token * self.verdict_tokens


@dataclass(frozen=True)
class VerifierLatency(CostModel):
    """Seconds of k verifications, each where its inference ran: k/P times their mean, the law of `linear-latency`.

    Args:
        seconds_per_input_token, seconds_per_output_token: seconds per token of the verifier, >= 0.
        instruction_tokens: tokens it reads beside prompt and answer, >= 0.
        verdict_tokens: tokens it writes, >= 0.

    >>> draws = Draws(*np.full((3, 1, 2), 100.0) / [[[1]], [[1]], [[100]]])
    >>> VerifierLatency(0.001, 0.01, verdict_tokens=5).total(draws, parallelism=1)
    array([[0.25, 0.5 ]])
    """

    name = "verifier-latency"
    objective = LATENCY

    seconds_per_input_token: NonNegative = 0.0
    seconds_per_output_token: NonNegative = 0.0
    instruction_tokens: NonNegative = 0.0
    verdict_tokens: NonNegative = 0.0

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Seconds of verifying the first k inferences, (M, K)."""
        k = np.arange(1, draws.shape[1] + 1)
        return self._reading.total(draws, parallelism=parallelism) + k * self._each / parallelism

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact moments where the laws of the token counts are known."""
        return self._reading.exact(query, k, parallelism=parallelism) + k * self._each / parallelism

    @property
    def _reading(self) -> LinearLatency:
        return LinearLatency(self.seconds_per_input_token, self.seconds_per_input_token)

    @property
    def _each(self) -> float:
        return (
            self.seconds_per_input_token * self.instruction_tokens + self.seconds_per_output_token * self.verdict_tokens
        )


@dataclass(frozen=True, kw_only=True)
class Verification(AccuracyAggregator):
    """What the aggregators of this package have in common: a verifier that looks at each of the k answers.

    Args:
        usd_per_input_token, usd_per_output_token: USD per token of the verifier, >= 0.
        seconds_per_input_token, seconds_per_output_token: seconds per token of the verifier, >= 0.
        instruction_tokens: tokens it reads beside prompt and answer, >= 0.
        verdict_tokens: tokens it writes for each answer, >= 0.
    """

    usd_per_input_token: NonNegative = 0.0
    usd_per_output_token: NonNegative = 0.0
    seconds_per_input_token: NonNegative = 0.0
    seconds_per_output_token: NonNegative = 0.0
    instruction_tokens: NonNegative = 0.0
    verdict_tokens: NonNegative = 0.0

    @property
    def costs(self) -> Sequence[CostModel]:
        """What the verifier spends: money and seconds, each where it has a price."""
        tokens = self.instruction_tokens, self.verdict_tokens
        money, time = (
            (self.usd_per_input_token, self.usd_per_output_token),
            (self.seconds_per_input_token, self.seconds_per_output_token),
        )
        return (
            *([VerifierCost(*money, *tokens)] if any(map(np.any, money)) else []),
            *([VerifierLatency(*time, *tokens)] if any(map(np.any, time)) else []),
        )

    @abstractmethod
    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """Accuracy of the first k inferences together, (M, K)."""

    def choose(self, draws: Draws, rng: np.random.Generator, /) -> IntArray:
        """Raise NoChoice: numbers describe the verifier, and nothing calls one."""
        raise NoChoice(
            f"{self.name} takes no answer: it describes a verifier by numbers and calls none; top-score takes the "
            "answer with the highest score"
        )


@dataclass(frozen=True)
class Verifier(Verification):
    """The first answer that a verifier accepts, where it accepts right ones and wrong ones by mistake.

    `accuracy` is the probability that an inference is right, or 0 and 1. All k inferences run and are verified. Where
    none is accepted, all k rejected answers vote (as in `majority-vote`), or the last one is taken.

    Exact mean, with independent inferences: accepted is right with ``p TPR / a``, where ``a = p TPR + (1 - p) FPR``,
    something is accepted with ``1 - (1 - a)^k``, and what is rejected is right with ``p (1 - TPR) / (1 - a)``. However
    large k, accuracy tends to no more than ``p TPR / a`` (arXiv 2411.17501).

    Args:
        tpr: share of right answers that are accepted, in [0, 1].
        fpr: share of wrong answers that are accepted, in [0, 1].
        fallback: what is answered where nothing is accepted, ``"vote"`` or ``"last"``.

    The other arguments, by keyword, are what verifying takes; see `Verification`.

    >>> verifier = Verifier(tpr=0.95, fpr=0.10)
    >>> round(verifier.precision(0.4), 6)
    0.863636
    >>> verifier.accepted(0.4, np.array([10])).round(6), verifier.expected_samples(0.4, np.array([10])).round(6)
    (array([0.996967]), array([2.265834]))
    """

    name = "verifier"

    tpr: Share
    fpr: Share
    fallback: Literal["vote", "last"] = "vote"

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """Probability that the answer of the first k inferences is right, (M, K)."""
        accepted = self._accepts(draws.accuracy)
        none_yet = np.cumprod(1.0 - accepted, axis=1)
        before = np.concatenate([np.ones((len(accepted), 1)), none_yet[:, :-1]], axis=1)
        right = np.cumsum(before * draws.accuracy * self.tpr, axis=1)
        rejected = self._right_though_rejected(draws.accuracy)
        if self.fallback == "vote":
            rejected = MajorityVote().aggregate(Draws(accuracy=rejected, columns=draws.columns), rng)
        return np.asarray(np.clip(right + none_yet * rejected, 0.0, 1.0))

    def exact(self, query: Query, k: IntArray, /) -> Moments:
        """Exact mean where the law of the accuracy is known."""
        from scipy.special import betainc

        p = query.accuracy.mean
        accepts, half = self._accepts(p), (k + 1) // 2
        accepted, rejected = 1.0 - (1.0 - accepts) ** k, self._right_though_rejected(p)
        fallback = betainc(half, half, rejected) if self.fallback == "vote" else rejected
        return Moments(accepted * _share(p * self.tpr, accepts) + (1.0 - accepted) * fallback)

    def precision(self, accuracy: float, /) -> float:
        """Accuracy of what is accepted, where inferences are right with probability `accuracy`; 0 where nothing is."""
        _check_share(accuracy)
        return float(_share(accuracy * self.tpr, self._accepts(accuracy)))

    def accepted(self, accuracy: float, k: IntArray, /) -> FloatArray:
        """Return the probability that one of the first k inferences is accepted.

        Args:
            accuracy: probability that an inference is right, in [0, 1].
            k: (n,), >= 1.
        """
        _check_share(accuracy)
        with np.errstate(divide="ignore"):  # where all are accepted: log 0
            return np.asarray(-np.expm1(k * np.log1p(-self._accepts(accuracy))))

    def expected_samples(self, accuracy: float, k: IntArray, /) -> FloatArray:
        """Return the mean number of inferences where sampling stops at the first accepted one.

        Args:
            accuracy: probability that an inference is right, in [0, 1].
            k: (n,), how many there are at most, >= 1.
        """
        accepts = self._accepts(accuracy)
        return self.accepted(accuracy, k) / accepts if accepts > 0 else np.asarray(k, dtype=np.float64)

    def _accepts(self, accuracy: Any) -> Any:
        return accuracy * self.tpr + (1.0 - accuracy) * self.fpr

    def _right_though_rejected(self, accuracy: Any) -> Any:
        return np.clip(_share(accuracy * (1.0 - self.tpr), 1.0 - self._accepts(accuracy)), 0.0, 1.0)


@dataclass(frozen=True)
class NoisyScore(Verification):
    """The inference with the highest score, where scores follow the accuracy only so far.

    The latent model: Z, the normal score of an accuracy, is what the standard normal law has where the law of accuracy
    has A, ``A = F^-1(Phi(Z))``; the score is ``rho Z + sqrt(1 - rho^2) E`` with independent normal noise E. With
    rho = 1 this is best-of-k, with rho = 0 it is one random inference, whatever k.

    Exact: mean, standard deviation and quantiles where the law of accuracy is known, from
    ``P(chosen <= x) = E[Phi((z - sqrt(1 - rho^2) E) / rho)^k]`` at ``z = Phi^-1(F(x))``. In simulation the normal score
    of an inference is that of its rank among all draws, ties in random order.

    Args:
        rho: correlation between the score and the normal score of accuracy, in [0, 1].

    The other arguments, by keyword, are what verifying takes; see `Verification`.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> gpt_5 = Gaussian(1024, 64, 2048, 128, 0.94, 0.02)
    >>> for rho in (0.0, 0.5, 1.0):
    ...     print(rho, NoisyScore(rho).exact(gpt_5.queries().query, np.array([1, 4, 128])).mean.round(6))
    0.0 [0.939992 0.939992 0.939992]
    0.5 [0.939992 0.95027  0.965751]
    1.0 [0.939992 0.960557 0.990955]
    """

    name = "noisy-score"

    rho: Share

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """Accuracy of the highest-scored of the first k inferences, (M, K)."""
        from scipy.special import ndtri

        accuracy = draws.accuracy
        order = np.lexsort((rng.random(accuracy.size), accuracy.ravel()))
        z = np.empty(accuracy.size)
        z[order] = ndtri((np.arange(accuracy.size) + 0.5) / accuracy.size)
        noise = rng.standard_normal(accuracy.shape)
        score = self.rho * z.reshape(accuracy.shape) + np.sqrt(1.0 - self.rho**2) * noise
        highest = score == np.maximum.accumulate(score, axis=1)
        chosen = np.maximum.accumulate(np.where(highest, np.arange(accuracy.shape[1]), 0), axis=1)
        return np.take_along_axis(accuracy, chosen, axis=1)

    def exact(self, query: Query, k: IntArray, /) -> Moments:
        """Exact moments where the law of the accuracy is known."""
        from scipy.special import ndtr, ndtri

        if query.varies("accuracy"):
            raise NotExact("normal scores are those of all queries together")
        law = query.accuracy
        low, high = law.quantile(np.array([1e-18, 1 - 2**-53]))
        x, dx = _panels(0.0, 1.0, 24)
        x, dx = low + (high - low) * x, (high - low) * dx
        below = self._below(np.asarray(ndtri(law.cdf(x))), k)
        first, square = below @ dx, below @ (2 * dx * (high - x))

        def quantile(q: float) -> FloatArray:
            from scipy.optimize import brentq

            def z(n: int) -> float:
                # No lower than the best of n, which has the highest quantile of all that can be chosen.
                highest = float(ndtri(q ** (1 / n))) + 1.0
                return float(brentq(lambda z: self._below(np.array([z]), np.array([n]))[0, 0] - q, -10.0, highest))

            return law.quantile(np.asarray(ndtr([z(int(n)) for n in k])))

        return Moments(high - first, np.sqrt(np.maximum(square - first**2, 0.0)), quantile)

    def _below(self, z: FloatArray, k: IntArray) -> FloatArray:
        """Probability that the inference chosen among k has no higher normal score than z: (n, Z)."""
        from scipy.special import log_ndtr, ndtr

        noise = np.sqrt(1.0 - self.rho**2)
        t, dt = _panels(-9.0, 9.0, 16)
        density = dt * np.exp(-0.5 * t**2) / np.sqrt(2 * np.pi)
        if self.rho**2 >= 0.5:  # an integral over the noise of the chosen one, the lesser part of its score
            others = log_ndtr((z[:, None] - noise * t) / self.rho)
            return np.stack([np.exp(n * others) @ density for n in k])
        weights = k[:, None] * np.exp((k[:, None] - 1) * log_ndtr(t)) * density  # over its score, the highest of k
        return np.asarray(weights @ ndtr((z - self.rho * t[:, None]) / noise))


def _check_share(accuracy: float) -> None:
    if not 0 <= accuracy <= 1:
        raise MooInferError(f"verifier: accuracy: must be in [0, 1], got {accuracy!r}")


def _share(part: Any, whole: Any) -> Any:
    """Part of a whole, 0 where that is nothing."""
    return part / np.where(whole > 0, whole, 1.0)


@cache
def _panels(low: float, high: float, panels: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on [low, high], 16 in each of so many equal panels."""
    x, weights = np.polynomial.legendre.leggauss(16)
    width = (high - low) / panels
    nodes = low + width * (np.arange(panels)[:, None] + (x + 1) / 2)
    return nodes.ravel(), np.tile(width * weights / 2, panels)


@hookimpl
def register_aggregators() -> list[type[AccuracyAggregator]]:
    """Register both."""
    return [Verifier, NoisyScore]
