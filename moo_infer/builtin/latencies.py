"""How long k calls take: one after the other, so many at a time, all at once, or in one batch of a machine's own."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from ..core.draws import Draws
from ..core.moments import Moments
from ..core.noise import noisy_sum, ratio_at, ratio_moments
from ..core.objectives import LATENCY
from ..core.parts import NonNegative, Positive
from ..hookspecs import hookimpl
from ..interfaces import CostModel, InferenceModel
from ..quantities.laws import ClippedNormal, Law
from ..quantities.subsets import largest_of_k, total_of_k
from .costs import LinearLatency, tokens_of

__all__ = ["Batch", "Calls", "Sequential", "Slots", "SlowestOfK", "largest", "scheduled"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

RARE, SURE = 1e-18, 1 - 2**-53  # probabilities that stand for 0 and 1
AT_ONCE = 1024  # values of k in one go; bounds memory


@dataclass(frozen=True)
class Calls(CostModel):
    """What the parts for a service share: the seconds of one call, linear in its tokens, times a ratio of its own.

    The line ``overhead_s + seconds_per_input_token * tokens_in + seconds_per_output_token * tokens_out`` is what a call
    takes, whatever else runs; with `ratios` it takes their quantile at the column ``noise`` of the draws times as long.

    Args:
        seconds_per_input_token: s, >= 0.
        seconds_per_output_token: s, >= 0.
        overhead_s: what every call takes besides (network, routing, time in a queue), s, >= 0.
        ratios: of the seconds of calls and of the line, > 0, in any order: quantiles at evenly spaced probabilities,
            from the smallest to the largest, linear in between. A call draws one whatever its tokens and whatever the
            other calls draw. None of them: calls take what the line says.
    """

    objective = LATENCY
    vectorised = True

    seconds_per_input_token: NonNegative
    seconds_per_output_token: NonNegative
    overhead_s: NonNegative = 0.0
    ratios: tuple[Positive, ...] = ()

    @abstractmethod
    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Seconds until the first k calls are done, (M, K)."""

    def seconds(self, draws: Draws, /) -> FloatArray:
        """Seconds of every call by itself, (M, K)."""
        tokens = self.seconds_per_input_token * draws.tokens_in + self.seconds_per_output_token * draws.tokens_out
        line = np.asarray(self.overhead_s + tokens)
        return line * ratio_at(draws["noise"], self.ratios) if len(self.ratios) else line

    def one_after_the_other(self, model: InferenceModel, k: IntArray, /) -> Moments | None:
        """Moments of the sum of k calls, where the laws of the token counts are known, or their samples."""
        ratio, spread = ratio_moments(self.ratios)
        lines, one = self._lines(model, k), self._lines(model, np.array([1]))
        if lines is None or one is None:
            return None
        return noisy_sum(lines, one, k, self.ratios) if spread else _moved(lines, 0.0, ratio)

    def all_at_once(self, model: InferenceModel, k: IntArray, /) -> Moments | None:
        """Moments of the slowest of k calls, where the law of a call follows from those of its token counts.

        That is so where only one of the two varies, or both are normal, and nothing else varies; of one call they are
        those of a sum.
        """
        ratio, spread = ratio_moments(self.ratios)
        if spread:
            return self.one_after_the_other(model, k) if k.max() == 1 else None
        slowest = self._slowest_line(model, k)
        return None if slowest is None else _moved(slowest, 0.0, ratio)

    def _lines(self, model: InferenceModel, k: IntArray) -> Moments | None:
        """Moments of the sum of k lines."""
        linear = LinearLatency(self.seconds_per_input_token, self.seconds_per_output_token)
        moments = linear.exact(model, k, parallelism=1)
        return None if moments is None else _moved(moments, np.asarray(self.overhead_s * k), 1.0)

    def _slowest_line(self, model: InferenceModel, k: IntArray) -> Moments | None:
        """Moments of the largest of k lines."""
        if model.logged is not None:
            samples_in, samples_out = tokens_of(model.logged)
            tokens = self.seconds_per_input_token * samples_in + self.seconds_per_output_token * samples_out
            return _moved(Moments(*largest_of_k(tokens, model.logged.question, k)), self.overhead_s, 1.0)
        tokens_in, tokens_out = model.tokens_in, model.tokens_out
        if tokens_in is None or tokens_out is None:
            return None
        per_in, per_out = self.seconds_per_input_token, self.seconds_per_output_token
        if not np.any(per_in * tokens_in.std):
            return _moved(largest(tokens_out, k), self.overhead_s + per_in * tokens_in.mean, per_out)
        if not np.any(per_out * tokens_out.std):
            return _moved(largest(tokens_in, k), self.overhead_s + per_out * tokens_out.mean, per_in)
        if not (tokens_in.normal and tokens_out.normal):
            return None
        mean = per_in * tokens_in.mean + per_out * tokens_out.mean
        both = ClippedNormal(mean, np.hypot(per_in * tokens_in.std, per_out * tokens_out.std))
        return _moved(largest(both, k), self.overhead_s, 1.0)


@dataclass(frozen=True)
class Sequential(Calls):
    """Calls one after the other, whatever P: seconds add up.

    Exact as far as `linear-latency` with P = 1 is; with `ratios` that vary, mean and standard deviation.

    Args:
        seconds_per_input_token, seconds_per_output_token, overhead_s, ratios: the seconds of one call; see `Calls`.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> chat = Gaussian(1000, 0, 400, 100, 0.8, 0.1)
    >>> Sequential(0.0001, 0.01, overhead_s=0.3).exact(chat, np.array([1, 4]), parallelism=8).mean.round(2).tolist()
    [4.4, 17.6]
    """

    name = "sequential"

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Seconds until the first k calls are done, (M, K)."""
        return np.cumsum(self.seconds(draws), axis=1)

    def exact(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Moments | None:
        """Exact moments where the laws of the token counts are known, or their samples."""
        return self.one_after_the_other(model, k)


@dataclass(frozen=True)
class SlowestOfK(Calls):
    """All calls at once, whatever P: the slowest decides.

    Exact where the law of a call is known, which is where only one of its token counts varies or both are normal:
    the mean and standard deviation of the largest of k by quadrature, its quantiles ``F^-1(q^(1/k))``. With `ratios`
    that vary, simulated for k > 1.

    Args:
        seconds_per_input_token, seconds_per_output_token, overhead_s, ratios: the seconds of one call; see `Calls`.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> chat = Gaussian(1000, 0, 400, 100, 0.8, 0.1)
    >>> SlowestOfK(0.0001, 0.01).exact(chat, np.array([1, 4, 16]), parallelism=1).mean.round(3).tolist()
    [4.1, 5.129, 5.866]
    """

    name = "slowest-of-k"

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Seconds until the slowest of the first k calls is done, (M, K)."""
        return np.maximum.accumulate(self.seconds(draws), axis=1)

    def exact(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Moments | None:
        """Exact moments where the law of a call is known."""
        return self.all_at_once(model, k)


@dataclass(frozen=True)
class Slots(Calls):
    """P calls at a time: the next starts as soon as one ends (list scheduling).

    Slower than ``k / P`` calls, because the last ones run while other slots are idle already, and faster than waves
    of P that wait for each other. Exact in every trial; moments are simulated except with one slot (as `sequential`),
    where nothing waits (no k above P, as `slowest-of-k`), and where all calls take equally long.

    Args:
        seconds_per_input_token, seconds_per_output_token, overhead_s, ratios: the seconds of one call; see `Calls`.

    >>> draws = Draws(np.zeros((1, 4)), np.array([[3.0, 1.0, 1.0, 5.0]]), np.ones((1, 4)))
    >>> Slots(0.0, 1.0).total(draws, parallelism=2)
    array([[3., 3., 3., 7.]])
    """

    name = "slots"

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Seconds until the first k calls are done, (M, K)."""
        return scheduled(self.seconds(draws), parallelism)

    def exact(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Moments | None:
        """Exact moments with one slot, where no call waits, and where calls do not vary."""
        if parallelism == 1:
            return self.one_after_the_other(model, k)
        slowest = self.all_at_once(model, k)
        alike = slowest is not None and slowest.std is not None and not slowest.std.any() and model.logged is None
        if slowest is None or not (k.max() <= parallelism or alike):
            return None
        return _moved(slowest, 0.0, np.ceil(k / parallelism))


@dataclass(frozen=True)
class Batch(CostModel):
    """One continuous batch on a machine of one's own, where a decoding step takes ``alpha + beta * B`` in a batch of B.

    The k inferences of a query start together, whatever P, and leave the batch as they end: the shortest in a batch of
    ``B0 + k``, the longest in one of ``B0 + 1``. Step by step that adds up to
    ``T = prefill + (alpha + beta * B0) * max(L_i) + beta * sum(L_i)``, so further inferences cost little while beta is
    small beside alpha. It holds while the machine has room for all k; the B0 others stay as many throughout.

    Exact: the mean, where the law of the output tokens is known; everything where beta is 0 or lengths do not vary.

    Args:
        itl_base_s: alpha, s per decoding step (inter-token latency) of an empty batch, >= 0.
        itl_per_sequence_s: beta, s per step and sequence in the batch, >= 0.
        ttft_seconds: prefill, the time to the first token of one sequence, s, >= 0.
        prefill: ``shared``: the prompt is processed once for all k (n = k, prefix caching); ``each``: once per
            sequence, one after the other.
        other_sequences: B0, sequences of other queries in the batch, >= 0.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> llama = Batch(itl_base_s=0.0065, itl_per_sequence_s=0.000079)  # Llama-3.1-8B on one H100
    >>> llama.exact(Gaussian(1000, 50, 396, 119, 0.8, 0.1), np.array([1, 4, 16]), parallelism=1).mean.round(3).tolist()
    [2.605, 3.495, 4.441]
    """

    name = "batch"
    objective = LATENCY
    vectorised = True

    itl_base_s: NonNegative
    itl_per_sequence_s: NonNegative
    ttft_seconds: NonNegative = 0.0
    prefill: Literal["shared", "each"] = "shared"
    other_sequences: NonNegative = 0.0

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Seconds until the longest of the first k inferences is done, (M, K)."""
        longest = np.maximum.accumulate(draws.tokens_out, axis=1)
        together = np.cumsum(draws.tokens_out, axis=1)
        k = np.arange(1, draws.tokens_out.shape[1] + 1)
        return np.asarray(self._first_token(k) + self._step * longest + self.itl_per_sequence_s * together)

    def exact(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Moments | None:
        """Exact mean where the law of the output tokens is known."""
        if model.logged is not None:
            _, tokens = tokens_of(model.logged)
            longest, together = (of(tokens, model.logged.question, k)[0] for of in (largest_of_k, total_of_k))
            return Moments(self._first_token(k) + self._step * longest + self.itl_per_sequence_s * together)
        lengths = model.tokens_out
        if lengths is None:
            return None
        rest = self._first_token(k) + self.itl_per_sequence_s * lengths.mean * k
        moments = _moved(largest(lengths, k), rest, self._step)
        fixed = not np.any(self.itl_per_sequence_s) or not np.any(lengths.std)
        return moments if fixed else Moments(moments.mean)

    @property
    def _step(self) -> float:
        """Seconds of a step without the k inferences themselves."""
        return self.itl_base_s + self.itl_per_sequence_s * self.other_sequences

    def _first_token(self, k: IntArray) -> FloatArray:
        """Seconds until k sequences are prefilled, (n,)."""
        return np.asarray(self.ttft_seconds * (k if self.prefill == "each" else np.ones(len(k))))


def scheduled(seconds: FloatArray, slots: int, /, allowed: FloatArray | None = None) -> FloatArray:
    """Return when the first k of the calls are done, for every k, where so many run at a time: (M, K).

    Calls start in their order, each as soon as a slot is free.

    Args:
        seconds: (M, K) seconds of each call.
        slots: how many run at a time, >= 1.
        allowed: (M, K) seconds before which a call must not start; None where it always may.

    >>> scheduled(np.array([[3.0, 1.0, 1.0, 5.0]]), 2)
    array([[3., 3., 3., 7.]])
    """
    done = np.array(seconds)
    if allowed is not None:
        done[:, :slots] += allowed[:, :slots]
    free, trial = done[:, :slots].copy(), np.arange(len(done))  # when each slot is free again
    for i in range(slots, done.shape[1]):
        first = free.argmin(axis=1)
        start = free[trial, first]
        done[:, i] += start if allowed is None else np.maximum(start, allowed[:, i])
        free[trial, first] = done[:, i]
    return np.maximum.accumulate(done, axis=1)


def largest(law: Law, k: IntArray, /) -> Moments:
    """Moments of the largest of k independent draws, exact by quadrature.

    Between its ends the quantile function of the law should be smooth; steps at the ends are exact.

    Args:
        law: of one draw; or B laws at once, with (B, 1) parameters.
        k: (n,) how many draws, >= 1.

    Returns:
        Moments (n,), or (B, n): mean, standard deviation, and quantiles ``F^-1(q^(1/k))``.

    >>> print(largest(ClippedNormal(0.0, 1.0), np.array([1, 2])).mean.round(6) + 0.0)
    [0.      0.56419]
    """
    from scipy.special import log_ndtr, ndtr, ndtri

    low, high = np.split(law.quantile(np.array([RARE, SURE])), 2, axis=-1)
    # With x = F^-1(Phi(z)), E max = int x d Phi(z)^k over what lies between the steps at the ends, and the steps.
    start = np.clip(ndtri(law.cdf(low)), ndtri(RARE), ndtri(SURE))
    end = np.clip(ndtri(law.cdf(np.nextafter(high, -np.inf))), start, ndtri(SURE))
    t, weights = _nodes()
    z, weights = start + (end - start) * t, (end - start) * weights
    x = np.concatenate([low, law.quantile(ndtr(z)), high], axis=-1)[..., None, :]
    density = weights * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)

    def moments(n: FloatArray) -> tuple[FloatArray, FloatArray]:
        inside = n * np.exp((n - 1) * log_ndtr(z)[..., None, :]) * density[..., None, :]
        below, above = (n * log_ndtr(bound)[..., None, :] for bound in (start, end))
        mass = np.concatenate([np.exp(below), inside, -np.expm1(above)], axis=-1)
        mean = (mass * x).sum(axis=-1)
        variance = (mass * (x - mean[..., None]) ** 2).sum(axis=-1)
        flat = np.asarray(law.std) == 0
        return np.where(flat, law.mean, mean), np.where(flat, 0.0, np.sqrt(variance))

    parts = [moments(k[i : i + AT_ONCE, None].astype(np.float64)) for i in range(0, len(k), AT_ONCE)]
    mean, std = (np.concatenate(statistic, axis=-1) for statistic in zip(*parts, strict=True))
    return Moments(mean, std, lambda q: law.quantile(q ** (1 / k)))


@cache
def _nodes() -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights on [0, 1]."""
    x, weights = np.polynomial.legendre.leggauss(200)
    return (x + 1) / 2, weights / 2


def _moved(moments: Moments, shift: float | FloatArray, scale: float | FloatArray) -> Moments:
    """Moments of ``shift + scale * X``, scale >= 0."""
    quantile: Callable[[float], FloatArray] | None = moments.quantile
    return Moments(
        shift + scale * moments.mean,
        None if moments.std is None else scale * moments.std,
        None if quantile is None else lambda q: shift + scale * quantile(q),
    )


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    """Register the parts for latency that do without the paper's k / P."""
    return [Batch, Sequential, SlowestOfK, Slots]
