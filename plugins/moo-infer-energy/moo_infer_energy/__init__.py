"""Energy and carbon of k inferences: cost models for `moo_infer`, with parameters fitted to measurements."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt
from annotated_types import Ge

from moo_infer import (
    ENERGY,
    AtLeastOne,
    CostModel,
    Draws,
    InferenceModel,
    Moments,
    NonNegative,
    Note,
    Objective,
    Positive,
    Query,
    hookimpl,
)
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.decoding import DecodeSteps, check_batch_sizes, measured_notes, prefill_moments, prefilled
from moo_infer.builtin.fixed import first_calls

from .fits import Fit, fits

__all__ = ["CARBON", "BatchEnergy", "Carbon", "Fit", "TokenEnergy", "fits"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

CARBON = Objective("carbon", unit="gCO2")
JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True)
class TokenEnergy(CostModel):
    """Joules linear in tokens: what a service that is always busy takes, whatever k.

    Args:
        joules_per_input_token: J, >= 0.
        joules_per_output_token: J, >= 0.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> model = Gaussian(1000, 50, 400, 100, 0.8, 0.1)
    >>> TokenEnergy(0.01, 0.4).exact(model.queries().query, np.array([1, 4]), parallelism=1).mean.round(6).tolist()
    [170.000299, 680.001195]
    """

    name = "token-energy"
    objective = ENERGY

    joules_per_input_token: NonNegative
    joules_per_output_token: NonNegative

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Joules of the first k inferences, (M, K)."""
        return self._linear.total(draws, parallelism=parallelism)

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact moments where the laws of the token counts are known."""
        return self._linear.exact(query, k, parallelism=parallelism)

    @property
    def _linear(self) -> LinearCost:
        return LinearCost(self.joules_per_input_token, self.joules_per_output_token)


@dataclass(frozen=True)
class BatchEnergy(CostModel):
    """Joules of k inferences decoded in one batch, at ``e(B) = a + b / B`` per output token in a batch of B.

    A decoding step reads the weights once (b) and makes one token for each of the B sequences in the batch (a each).
    The k inferences of a query start together and leave the batch as they end, so on an otherwise idle machine the
    total is ``a sum(L_i) + b max(L_i)``: the first inference pays b, the others little more than a. Beside `B0` other
    sequences a step's b is shared by all, n of the query's own pay ``b n / (B0 + n)``; the larger B0, the closer to
    linear in k.

    What attention reads is added by `joules_per_context_token`: step t of an inference reads ``tokens_in + t - 1``
    tokens. Joules of a step, as they are measured, hold the watts of an idle machine already; `idle_watts` are for the
    seconds between two queries, of a GPU that is reserved for them.

    Exact: the mean, ``k a E[L] + b int E[n(t) / (B0 + n(t))] dt`` with n(t) binomial, where the laws of the token
    counts are known; with B0 = 0 also on a log, over all subsets of k samples of a question, unless answers to one
    question have prompts of their own. Simulated: `batch_sizes` beside other sequences.

    Args:
        joules_per_output_token: a, J per sequence and step, >= 0.
        joules_per_decode_step: b, J per step of the whole batch, >= 0.
        joules_per_input_token: prefill, J per token of the prompt, >= 0.
        other_sequences: B0, sequences of other queries in the batch, >= 0.
        prefill: ``shared``: the prompt is processed once for all k (n = k, prefix caching); ``each``: once per
            inference (k calls without a cache).
        joules_per_prefill: J of a prefill, whatever its prompt, >= 0.
        joules_per_context_token: J per step, sequence and token that attention reads for it, >= 0.
        context_bucket: tokens that attention reads for every sequence in every step, > 0; None: those that are there.
        batch_sizes: sizes of a batch that an engine pads to, ascending; a step costs what the next of them costs that
            is not smaller. A batch beyond the last is not padded. None of them: no padding.
        idle_watts: W of the machine while nothing runs, >= 0.
        idle_seconds: s between the end of a query and the begin of the next, >= 0: what is reserved for it besides. A
            policy pays for it with its first call.
        largest_measured_batch, largest_measured_context, largest_measured_prompt: what the numbers were fitted up to,
            sequences, tokens that attention reads and tokens of a prefill, > 0. k and prompts beyond are no candidates;
            None: nothing is excluded.

    Raises:
        MooInferError: for `batch_sizes` that do not ascend.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> energy = BatchEnergy(joules_per_output_token=0.067, joules_per_decode_step=3.16)  # Llama-3.1-8B on one H100
    >>> query = Gaussian(1000, 50, 400, 0, 0.8, 0.1).queries().query
    >>> energy.exact(query, np.array([1, 4, 16]), parallelism=1).mean.round(1)
    array([1290.8, 1371.2, 1692.8])
    """

    name = "batch-energy"
    objective = ENERGY

    joules_per_output_token: NonNegative
    joules_per_decode_step: NonNegative
    joules_per_input_token: NonNegative = 0.0
    other_sequences: NonNegative = 0.0
    prefill: Literal["shared", "each"] = "shared"
    joules_per_prefill: NonNegative = 0.0
    joules_per_context_token: NonNegative = 0.0
    context_bucket: Positive | None = None
    batch_sizes: tuple[AtLeastOne, ...] = ()
    idle_watts: NonNegative = 0.0
    idle_seconds: NonNegative = 0.0
    largest_measured_batch: Positive | None = None
    largest_measured_context: Positive | None = None
    largest_measured_prompt: Positive | None = None

    def __post_init__(self) -> None:
        check_batch_sizes(self.batch_sizes)

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Joules of the first k inferences, (M, K)."""
        prefill = prefilled(self.joules_per_prefill, self.joules_per_input_token, self.prefill, draws)
        return prefill + self._steps.total(draws) + self._idle * first_calls(draws)

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact mean where the laws of the token counts are known, or the samples of a log; everything where b = 0."""
        prefill = prefill_moments(self.joules_per_prefill, self.joules_per_input_token, self.prefill, query, k)
        return prefill + self._idle * np.ones(len(k)) + self._steps.exact(query, k)

    def notes(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Sequence[Note]:
        """Exclude what lies beyond the measured steps; say how many answers outgrow the bucket."""
        return measured_notes(self, model, k)

    @property
    def _idle(self) -> float:
        """Joules between two queries."""
        return self.idle_watts * self.idle_seconds

    @property
    def _steps(self) -> DecodeSteps:
        """Joules of the decoding steps, as far as the query pays for them."""
        return DecodeSteps(
            self.joules_per_decode_step,
            self.joules_per_output_token,
            self.joules_per_context_token,
            self.other_sequences,
            self.batch_sizes,
            self.context_bucket,
            own_share=True,
        )


@dataclass(frozen=True)
class Carbon(CostModel):
    """Grams of CO2 (equivalent) of `BatchEnergy`, from the carbon intensity of the grid and the PUE of the building.

    Args:
        grid_gco2_per_kwh: carbon intensity of the electricity, gCO2 per kWh, >= 0.
        joules_per_output_token, joules_per_decode_step, joules_per_input_token, other_sequences: see `BatchEnergy`;
            without `joules_per_decode_step` the energy is linear in output tokens.
        pue: power usage effectiveness, energy of the building per energy of the computers, >= 1.
        prefill, joules_per_prefill, joules_per_context_token, context_bucket, batch_sizes, idle_watts, idle_seconds,
            largest_measured_batch, largest_measured_context, largest_measured_prompt: see `BatchEnergy`.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> carbon = Carbon(grid_gco2_per_kwh=400, joules_per_output_token=0.4, pue=1.2)
    >>> query = Gaussian(1000, 50, 400, 0, 0.8, 0.1).queries().query
    >>> carbon.exact(query, np.array([1, 4]), parallelism=1).mean.round(6)
    array([0.021333, 0.085333])
    """

    name = "carbon"
    objective = CARBON

    grid_gco2_per_kwh: NonNegative
    joules_per_output_token: NonNegative
    joules_per_decode_step: NonNegative = 0.0
    joules_per_input_token: NonNegative = 0.0
    other_sequences: NonNegative = 0.0
    pue: Annotated[float, Ge(1)] = 1.0
    prefill: Literal["shared", "each"] = "shared"
    joules_per_prefill: NonNegative = 0.0
    joules_per_context_token: NonNegative = 0.0
    context_bucket: Positive | None = None
    batch_sizes: tuple[AtLeastOne, ...] = ()
    idle_watts: NonNegative = 0.0
    idle_seconds: NonNegative = 0.0
    largest_measured_batch: Positive | None = None
    largest_measured_context: Positive | None = None
    largest_measured_prompt: Positive | None = None

    def __post_init__(self) -> None:
        check_batch_sizes(self.batch_sizes)

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """GCO2 of the first k inferences, (M, K)."""
        return self._grams_per_joule * self._energy.total(draws, parallelism=parallelism)

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact what is exact of the energy."""
        return self._grams_per_joule * self._energy.exact(query, k, parallelism=parallelism)

    def notes(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Sequence[Note]:
        """Exclude what lies beyond the measured steps; say how many answers outgrow the bucket."""
        return measured_notes(self, model, k)

    @property
    def _energy(self) -> BatchEnergy:
        return BatchEnergy(**{field.name: getattr(self, field.name) for field in fields(BatchEnergy)})

    @property
    def _grams_per_joule(self) -> float:
        return self.pue * self.grid_gco2_per_kwh / JOULES_PER_KWH


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    """Register energy and carbon."""
    return [TokenEnergy, BatchEnergy, Carbon]
