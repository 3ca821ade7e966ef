"""Energy and carbon of k inferences: cost models for `moo_infer`, with parameters fitted to measurements."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from annotated_types import Ge

from moo_infer import ENERGY, CostModel, Draws, Law, Moments, NonNegative, Objective, Query, hookimpl
from moo_infer.builtin.costs import LinearCost

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

    Exact: the mean, ``k a E[L] + b int E[n(t) / (B0 + n(t))] dt`` with n(t) binomial, where the law of the output
    tokens is known; with B0 = 0 also on a log, over all subsets of k samples of a question.

    Args:
        joules_per_output_token: a, J per sequence and step, >= 0.
        joules_per_decode_step: b, J per step of the whole batch, >= 0.
        joules_per_input_token: J, for every inference (a prompt that is not shared), >= 0.
        other_sequences: B0, sequences of other queries in the batch, >= 0.

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

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Joules of the first k inferences, (M, K)."""
        linear = self._linear.total(draws, parallelism=parallelism)
        return linear + self.joules_per_decode_step * self._steps(draws.tokens_out)

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact mean where the law of the output tokens is known, or the samples of a log; everything where b = 0."""
        linear, b = self._linear.exact(query, k, parallelism=parallelism), self.joules_per_decode_step
        if not np.any(b):
            return linear
        if not np.any(self.other_sequences):
            return linear + b * query.tokens_out.max(k)
        return Moments(linear.mean + b * _expected_steps(query.tokens_out, k, self))

    @property
    def _linear(self) -> TokenEnergy:
        return TokenEnergy(self.joules_per_input_token, self.joules_per_output_token)

    def _steps(self, lengths: FloatArray) -> FloatArray:
        """Decoding steps that the first k inferences pay for, (M, K): their share of every step until the last ends."""
        if self.other_sequences == 0:
            return np.maximum.accumulate(lengths, axis=1)
        steps = np.empty(lengths.shape)
        for k in range(1, lengths.shape[1] + 1):
            running = np.arange(k, 0, -1.0)
            ends = np.sort(lengths[:, :k], axis=1)
            steps[:, k - 1] = np.diff(ends, axis=1, prepend=0.0) @ (running / (self.other_sequences + running))
        return steps


@dataclass(frozen=True)
class Carbon(CostModel):
    """Grams of CO2 (equivalent) of `BatchEnergy`, from the carbon intensity of the grid and the PUE of the building.

    Args:
        grid_gco2_per_kwh: carbon intensity of the electricity, gCO2 per kWh, >= 0.
        joules_per_output_token, joules_per_decode_step, joules_per_input_token, other_sequences: see `BatchEnergy`;
            without `joules_per_decode_step` the energy is linear in tokens.
        pue: power usage effectiveness, energy of the building per energy of the computers, >= 1.

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

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """GCO2 of the first k inferences, (M, K)."""
        return self._grams_per_joule * self._energy.total(draws, parallelism=parallelism)

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact what is exact of the energy."""
        return self._grams_per_joule * self._energy.exact(query, k, parallelism=parallelism)

    @property
    def _energy(self) -> BatchEnergy:
        return BatchEnergy(
            self.joules_per_output_token,
            self.joules_per_decode_step,
            self.joules_per_input_token,
            self.other_sequences,
        )

    @property
    def _grams_per_joule(self) -> float:
        return self.pue * self.grid_gco2_per_kwh / JOULES_PER_KWH


def _expected_steps(law: Law, k: IntArray, energy: BatchEnergy) -> FloatArray:
    """Return the expectation of `BatchEnergy._steps` at the n values of k: (n,), or (B, n) for B laws at once.

    While n of k inferences run, they pay n / (B0 + n) of a step; n is binomial with the share that runs still.
    """
    others = np.asarray(energy.other_sequences, dtype=np.float64)
    low, high = np.split(law.quantile(np.array([1e-18, 1 - 2**-53])), 2, axis=-1)
    x, weights = _panels(np.linspace(0.0, 1.0, 13 if others.any() else 25), 16)
    runs = 1.0 - law.cdf(low + (high - low) * x)  # (..., T): the share of inferences longer than that
    steps: FloatArray = low * k / (others + k) + (high - low) * (_paid(k, runs, others) @ weights)
    return steps


def _paid(k: IntArray, runs: FloatArray, others: FloatArray) -> FloatArray:
    """Return the (..., n, T) shares of a step that k (n,) inferences pay for, of which so many (..., T) run still."""
    if not others.any():
        return np.asarray(1.0 - (1.0 - runs[..., None, :]) ** k[:, None])
    # E[n / (B0 + n)] = k S I(k), I(k) = int_0^1 (1 - v)^B0 (1 - S v)^(k-1) dv, and by parts
    # (B0 + k) I(k) = 1 + (k - 1) (1 - S) I(k-1): of terms > 0 alone, so nothing is lost to rounding.
    ended, integral = 1.0 - runs, np.zeros_like(runs + others)
    paid = np.repeat(integral[..., None, :], len(k), axis=-2)
    for n in range(1, int(k.max()) + 1):
        integral = (1.0 + (n - 1) * ended * integral) / (others + n)
        paid[..., k == n, :] = (n * runs * integral)[..., None, :]
    return paid


def _panels(edges: FloatArray, order: int) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights, so many in each panel between two edges."""
    x, weights = np.polynomial.legendre.leggauss(order)
    width = np.diff(edges)[:, None]
    return (edges[:-1, None] + width * (x + 1) / 2).ravel(), (width * weights / 2).ravel()


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    """Register energy and carbon."""
    return [TokenEnergy, BatchEnergy, Carbon]
