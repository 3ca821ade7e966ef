"""The paper's cost and latency, linear in tokens."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..core.draws import Draws
from ..core.moments import Moments
from ..core.objectives import COST, LATENCY
from ..core.parts import NonNegative
from ..hookspecs import hookimpl
from ..interfaces import CostModel, InferenceModel
from ..quantities.samples import Samples
from ..quantities.subsets import total_of_k

__all__ = ["LinearCost", "LinearLatency"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LinearCost(CostModel):
    """Money: every inference pays for its own prompt and its own output (paper, eqs 4 and 5).

    Args:
        usd_per_input_token: USD per token (not per million), >= 0.
        usd_per_output_token: USD per token (not per million), >= 0.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> gpt_5 = Gaussian(1024, 64, 2048, 128, 0.94, 0.02)
    >>> LinearCost(1.25e-06, 1e-05).exact(gpt_5, np.array([1, 8]), parallelism=4).mean
    array([0.02176, 0.17408])
    """

    name = "linear-cost"
    objective = COST
    vectorised = True

    usd_per_input_token: NonNegative
    usd_per_output_token: NonNegative

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """USD of the first k inferences, (M, K)."""
        return _total(draws, self.usd_per_input_token, self.usd_per_output_token)

    def exact(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Moments | None:
        """Exact moments where the laws of the token counts are known."""
        return _moments(model, k, self.usd_per_input_token, self.usd_per_output_token)


@dataclass(frozen=True)
class LinearLatency(CostModel):
    """Seconds: k/P times the mean of the k inferences (paper, eqs 4 and 6).

    The paper's law; it lets k < P inferences finish sooner than one.

    Args:
        seconds_per_input_token: >= 0.
        seconds_per_output_token: >= 0.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> gpt_5 = Gaussian(1024, 64, 2048, 128, 0.94, 0.02)
    >>> LinearLatency(0.0005, 0.005).exact(gpt_5, np.array([4, 8]), parallelism=4).mean
    array([10.752, 21.504])
    """

    name = "linear-latency"
    objective = LATENCY
    vectorised = True

    seconds_per_input_token: NonNegative
    seconds_per_output_token: NonNegative

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Seconds until the first k inferences are done, (M, K)."""
        return _total(draws, self.seconds_per_input_token / parallelism, self.seconds_per_output_token / parallelism)

    def exact(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Moments | None:
        """Exact moments where the laws of the token counts are known."""
        return _moments(
            model, k, self.seconds_per_input_token / parallelism, self.seconds_per_output_token / parallelism
        )


def _total(draws: Draws, per_input_token: float, per_output_token: float) -> FloatArray:
    return np.cumsum(per_input_token * draws.tokens_in + per_output_token * draws.tokens_out, axis=1)


def tokens_of(samples: Samples) -> tuple[FloatArray, FloatArray]:
    """Return the tokens in and out (N,) of samples; raises MissingColumn where the log does not know them."""
    tokens_in, tokens_out = (samples[name].astype(np.float64) for name in ("input_tokens", "output_tokens"))
    return tokens_in, tokens_out


def _moments(model: InferenceModel, k: IntArray, per_input_token: float, per_output_token: float) -> Moments | None:
    """Moments of a sum of k inferences, each linear in its tokens."""
    if model.logged is not None:
        samples_in, samples_out = tokens_of(model.logged)
        each = per_input_token * samples_in + per_output_token * samples_out
        return Moments(*total_of_k(each, model.logged.question, k))
    tokens_in, tokens_out = model.tokens_in, model.tokens_out
    if tokens_in is None or tokens_out is None:
        return None
    n = k.astype(np.float64)
    mean = n * (per_input_token * tokens_in.mean + per_output_token * tokens_out.mean)
    std = np.sqrt(n) * np.hypot(per_input_token * tokens_in.std, per_output_token * tokens_out.std)
    if not (tokens_in.normal and tokens_out.normal):
        return Moments(mean, std)

    def quantile(q: float) -> FloatArray:
        from scipy.special import ndtri

        return np.asarray(mean + std * float(ndtri(q)))

    return Moments(mean, std, quantile)


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    """Register the two cost models of the paper."""
    return [LinearCost, LinearLatency]
