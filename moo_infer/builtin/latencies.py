"""Seconds of k calls: one after the other, P at a time, all at once, or as one batch on a machine of one's own."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.draws import Draws
from ..core.errors import NotExact
from ..core.moments import Moments
from ..core.noise import noisy_sum, ratio_at, ratio_moments
from ..core.objectives import LATENCY
from ..core.parts import AtLeastOne, NonNegative, Positive
from ..hookspecs import hookimpl
from ..interfaces import CostModel, InferenceModel
from ..quantities.quantity import Quantity, Query
from ..quantities.queries import Note
from .decoding import DecodeSteps, check_batch_sizes, measured_notes, prefill_moments, prefilled

__all__ = ["Batch", "Calls", "Sequential", "Slots", "SlowestOfK", "scheduled"]


@dataclass(frozen=True)
class Calls(CostModel):
    """Base of the parts for a service: the seconds of one call are linear in its tokens, times a random ratio.

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

    def call(self, query: Query, /) -> Quantity:
        """Return the line: the seconds of a call before its ratio."""
        line = self.seconds_per_input_token * query.tokens_in + self.seconds_per_output_token * query.tokens_out
        return self.overhead_s + line

    def one_after_the_other(self, query: Query, k: IntArray, /) -> Moments:
        """Moments of the sum of k calls."""
        call, (ratio, spread) = self.call(query), ratio_moments(self.ratios)
        total = call.sum(k)
        return noisy_sum(total, call.sum(np.array([1])), k, self.ratios) if spread else ratio * total

    def all_at_once(self, query: Query, k: IntArray, /) -> Moments:
        """Moments of the slowest of k calls; where ratios vary, of one call alone."""
        ratio, spread = ratio_moments(self.ratios)
        if not spread:
            return ratio * self.call(query).max(k)
        if k.max() > 1:
            raise NotExact("the slowest of calls whose seconds vary around their line is not known")
        return self.one_after_the_other(query, k)


@dataclass(frozen=True)
class Sequential(Calls):
    """Calls one after the other, whatever P: seconds add up.

    Exact as far as `linear-latency` with P = 1 is; with `ratios` that vary, mean and standard deviation.

    Args:
        seconds_per_input_token, seconds_per_output_token, overhead_s, ratios: the seconds of one call; see `Calls`.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> chat = Gaussian(1000, 0, 400, 100, 0.8, 0.1).queries().query
    >>> Sequential(0.0001, 0.01, overhead_s=0.3).exact(chat, np.array([1, 4]), parallelism=8).mean.round(2).tolist()
    [4.4, 17.6]
    """

    name = "sequential"

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Seconds until the first k calls are done, (M, K)."""
        return np.cumsum(self.seconds(draws), axis=1)

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact moments where the laws of the token counts are known, or their samples."""
        return self.one_after_the_other(query, k)


@dataclass(frozen=True)
class SlowestOfK(Calls):
    """All calls at once, whatever P: the slowest decides.

    Exact where the laws of both token counts are known: the mean and standard deviation of the largest of k by
    quadrature, its quantiles ``F^-1(q^(1/k))``, or those of the cdf over queries that differ. On a log exact too. With
    `ratios` that vary, simulated for k > 1.

    Args:
        seconds_per_input_token, seconds_per_output_token, overhead_s, ratios: the seconds of one call; see `Calls`.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> chat = Gaussian(1000, 0, 400, 100, 0.8, 0.1).queries().query
    >>> SlowestOfK(0.0001, 0.01).exact(chat, np.array([1, 4, 16]), parallelism=1).mean.round(3).tolist()
    [4.1, 5.129, 5.866]
    """

    name = "slowest-of-k"

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Seconds until the slowest of the first k calls is done, (M, K)."""
        return np.maximum.accumulate(self.seconds(draws), axis=1)

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact moments where the law of a call is known."""
        return self.all_at_once(query, k)


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

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact moments with one slot, where no call waits, and where calls do not vary."""
        if parallelism == 1:
            return self.one_after_the_other(query, k)
        if k.max() <= parallelism:
            return self.all_at_once(query, k)
        call, (ratio, spread) = self.call(query), ratio_moments(self.ratios)
        if spread or not call.constant:
            raise NotExact("when the calls of more than P are done is not known")
        return ratio * np.ceil(k / parallelism) * call.first(k)


@dataclass(frozen=True)
class Batch(CostModel):
    """One continuous batch on a machine of one's own, where a decoding step takes ``alpha + beta * B`` in a batch of B.

    The k inferences of a query start together, whatever P, and leave the batch as they end: the shortest in a batch of
    ``B0 + k``, the longest in one of ``B0 + 1``. Step by step that adds up to
    ``T = prefill + (alpha + beta * B0) * max(L_i) + beta * sum(L_i)``, so further inferences cost little while beta is
    small beside alpha. It holds while the machine has room for all k; the B0 others stay as many throughout.

    Attention reads what each sequence has read and written so far, which `itl_per_context_token_s` adds: step t of an
    inference reads ``tokens_in + t - 1`` tokens, and each of the others as many.

    Exact: the mean, where the laws of the token counts are known, and on a log, unless answers to one question have
    prompts of their own; everything where lengths do not vary, and where only the longest matters (beta and the context
    term 0).

    Args:
        itl_base_s: alpha, s per decoding step (inter-token latency) of an empty batch, >= 0.
        itl_per_sequence_s: beta, s per step and sequence in the batch, >= 0.
        ttft_seconds: prefill, the time to the first token of one sequence, whatever its prompt, s, >= 0.
        prefill: ``shared``: the prompt is processed once for all k (n = k, prefix caching); ``each``: once per
            sequence, one after the other (k calls without a cache).
        other_sequences: B0, sequences of other queries in the batch, >= 0.
        prefill_per_token_s: what a token of the prompt adds to the prefill, s, >= 0.
        itl_per_context_token_s: s per step, sequence in the batch and token that attention reads for it, >= 0.
        context_bucket: tokens that attention reads for every sequence in every step, > 0, where an engine pads contexts
            to a fixed length; None: those that are there.
        batch_sizes: sizes of a batch that an engine pads to (CUDA graphs), ascending: a step costs what the next of
            them that is not smaller costs. A batch beyond the last is not padded. None of them: no padding.
        largest_measured_batch, largest_measured_context, largest_measured_prompt: what the numbers were fitted up to,
            sequences, tokens that attention reads and tokens of a prefill, > 0. k and prompts beyond are no candidates;
            None: nothing is excluded.

    Raises:
        MooInferError: for `batch_sizes` that do not ascend.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> llama = Batch(itl_base_s=0.0065, itl_per_sequence_s=0.000079)  # Llama-3.1-8B on one H100
    >>> chat = Gaussian(1000, 50, 396, 119, 0.8, 0.1).queries().query
    >>> llama.exact(chat, np.array([1, 4, 16]), parallelism=1).mean.round(3).tolist()
    [2.605, 3.495, 4.441]
    >>> far = Batch(itl_base_s=0.0065, itl_per_sequence_s=0.000079, itl_per_context_token_s=4.4e-8)
    >>> far.exact(chat, np.array([1, 4, 16]), parallelism=1).mean.round(3).tolist()
    [2.627, 3.58, 4.779]
    """

    name = "batch"
    objective = LATENCY

    itl_base_s: NonNegative
    itl_per_sequence_s: NonNegative
    ttft_seconds: NonNegative = 0.0
    prefill: Literal["shared", "each"] = "shared"
    other_sequences: NonNegative = 0.0
    prefill_per_token_s: NonNegative = 0.0
    itl_per_context_token_s: NonNegative = 0.0
    context_bucket: Positive | None = None
    batch_sizes: tuple[AtLeastOne, ...] = ()
    largest_measured_batch: Positive | None = None
    largest_measured_context: Positive | None = None
    largest_measured_prompt: Positive | None = None

    def __post_init__(self) -> None:
        check_batch_sizes(self.batch_sizes)

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Seconds until the longest of the first k inferences is done, (M, K)."""
        return prefilled(self.ttft_seconds, self.prefill_per_token_s, self.prefill, draws) + self._steps.total(draws)

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact mean where the laws of the token counts are known."""
        prefill = prefill_moments(self.ttft_seconds, self.prefill_per_token_s, self.prefill, query, k)
        return prefill + self._steps.exact(query, k)

    def notes(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Sequence[Note]:
        """Exclude what lies beyond the measured steps; say how many answers outgrow the bucket."""
        return measured_notes(self, model, k)

    @property
    def _steps(self) -> DecodeSteps:
        """Seconds of the decoding steps."""
        return DecodeSteps(
            self.itl_base_s,
            self.itl_per_sequence_s,
            self.itl_per_context_token_s,
            self.other_sequences,
            self.batch_sizes,
            self.context_bucket,
        )


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


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    """Register the parts for latency that do without the paper's k / P."""
    return [Batch, Sequential, SlowestOfK, Slots]
