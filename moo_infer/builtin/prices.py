"""What k inferences cost in money: an API's price list and the shape of the call, or GPUs by the hour."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from ..errors import MooInferError
from ..hookspecs import hookimpl
from ..interfaces import CostModel, Draws, InferenceModel, Law, Moments
from ..parts import AtLeastOne, NonNegative, Positive, Share
from ..samples import Samples
from ..subsets import total_of_k
from .costs import COST, LinearCost, tokens_of

__all__ = ["ApiCost", "GpuCost", "LongContext"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Prices = tuple[Any, Any, Any, Any]  # of input, output, cache writes and cached input, each a number or an array


@dataclass(frozen=True)
class LongContext:
    """Prices of requests with longer prompts: of the whole request, as price lists have it.

    Args:
        above_input_tokens: prompts with more tokens than this, >= 0.
        usd_per_input_token, usd_per_output_token: USD per token, >= 0.
        usd_per_cache_write_token, usd_per_cached_input_token: USD per token, >= 0; default the input price.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    above_input_tokens: NonNegative
    usd_per_input_token: NonNegative
    usd_per_output_token: NonNegative
    usd_per_cache_write_token: NonNegative | None = None
    usd_per_cached_input_token: NonNegative | None = None


@dataclass(frozen=True)
class ApiCost(CostModel):
    """Money for k samples of one prompt from an API, by the shape of the call.

    How often the prompt is billed depends on how the samples are asked for:

    ==============  ==================================================================
    ``n``           one request with n = k: the prompt once
    ``parallel``    k requests at once: the prompt k times (the paper's bill)
    ``cached``      k requests, the first writes a cache: once written, k - 1 times read
    ``sequential``  k requests one after the other: the prompt k times
    ==============  ==================================================================

    Every sample pays for its own output and, at the output price, for its reasoning tokens. The K inferences of a query
    share their prompt: ``n`` and ``cached`` bill the first inference's.

    Args:
        usd_per_input_token, usd_per_output_token: USD per token (not per million), >= 0.
        calls: the shape of the call, see above.
        usd_per_cached_input_token: USD per input token read from a cache, >= 0; needed by ``cached``.
        usd_per_cache_write_token: USD per input token written to a cache, >= 0; default the input price.
        reasoning_tokens_per_output_token: hidden tokens for every visible one, >= 0.
        reasoning_tokens: hidden tokens of every inference beside those, >= 0.
        long_context: prices of longer prompts, any number of `LongContext`; the longest that is exceeded holds.
        batch_discount: share taken off the whole bill where requests may wait (a batch API), in [0, 1].

    Raises:
        MooInferError: for ``cached`` without a price of cached input.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> gpt_5 = Gaussian(1024, 64, 2048, 128, 0.94, 0.02)
    >>> for calls in ("parallel", "n"):
    ...     print(calls, ApiCost(1.25e-06, 1e-05, calls).exact(gpt_5, np.array([16]), parallelism=4).mean.round(6))
    parallel [0.34816]
    n [0.32896]
    """

    name = "api-cost"
    objective = COST
    vectorised = True

    usd_per_input_token: NonNegative
    usd_per_output_token: NonNegative
    calls: Literal["n", "parallel", "cached", "sequential"] = "parallel"
    usd_per_cached_input_token: NonNegative | None = None
    usd_per_cache_write_token: NonNegative | None = None
    reasoning_tokens_per_output_token: NonNegative = 0.0
    reasoning_tokens: NonNegative = 0.0
    long_context: tuple[LongContext, ...] = ()
    batch_discount: Share = 0.0

    def __post_init__(self) -> None:
        if self.calls == "cached" and self.usd_per_cached_input_token is None:
            raise MooInferError(
                "calls: cached needs usd_per_cached_input_token, the price of input read from the cache"
            )
        above = [tier.above_input_tokens for tier in self.long_context]
        if len(set(above)) < len(above):
            raise MooInferError(f"long_context: above_input_tokens must differ, got {', '.join(map(str, above))}")

    @property
    def per_query(self) -> bool:
        """Whether all prompts have the same prices; a quadrature over prompts would miss a step between lists."""
        return not self.long_context

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """USD of the first k inferences, (M, K)."""
        K = draws.accuracy.shape[1]
        prompt = draws.tokens_in[:, :1] if self._shares_prompt else draws.tokens_in
        prices = self._prices(prompt)
        outputs = np.cumsum(prices[1] * self._billed(draws.tokens_out), axis=1)
        inputs = prompt * self._per_prompt_token(prices, np.arange(1, K + 1))
        kept: FloatArray = (1 - self.batch_discount) * (
            (inputs if self._shares_prompt else np.cumsum(inputs, axis=1)) + outputs
        )
        return kept

    def exact(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Moments | None:
        """Exact moments where the laws of the token counts are known; quantiles where all of it is normal."""
        if model.logged is not None:
            return self._on_a_log(model.logged, k)
        tokens_in, tokens_out = model.tokens_in, model.tokens_out
        if tokens_in is None or tokens_out is None:
            return None
        prices = self._same_for_all(tokens_in)
        if prices is None:
            return self._over_prompts(tokens_in, tokens_out, k)
        n, kept = k.astype(np.float64), 1 - self.batch_discount
        per_prompt_token = self._per_prompt_token(prices, n)
        times = 1.0 if self._shares_prompt else n  # prompts that differ
        hidden = 1 + self.reasoning_tokens_per_output_token
        mean = kept * (
            times * per_prompt_token * tokens_in.mean + n * prices[1] * self._billed(np.asarray(tokens_out.mean))
        )
        std = kept * np.hypot(
            np.sqrt(times) * per_prompt_token * tokens_in.std, np.sqrt(n) * prices[1] * hidden * tokens_out.std
        )
        if not (tokens_in.normal and tokens_out.normal):
            return Moments(mean, std)
        return Moments(mean, std, _normal(mean, std))

    def _on_a_log(self, samples: Samples, k: IntArray) -> Moments | None:
        """Moments given a question of a log: exact mean; spread too where its prompts are equally long."""
        tokens_in, tokens_out = tokens_of(samples)
        prices, kept = self._prices(tokens_in), 1 - self.batch_discount
        outputs = prices[1] * self._billed(tokens_out)
        if not self._shares_prompt:
            mean, std = total_of_k(tokens_in * prices[0] + outputs, samples.question, k)
            return Moments(kept * mean, kept * std)
        one = np.ones(1, dtype=np.int64)
        lists = [total_of_k(price * np.ones(len(samples)), samples.question, one) for price in prices]
        if any((std > 1e-9 * mean).any() for mean, std in lists):
            return None  # the list that holds is that of the first prompt
        mean, std = total_of_k(outputs, samples.question, k)
        # The prompt is the first inference's, which is any of the samples.
        first, rest = (
            total_of_k(tokens_in * self._per_prompt_token(prices, n), samples.question, one) for n in (1.0, 2.0)
        )
        mean = kept * (mean + first[0] + (k - 1) * (rest[0] - first[0]))
        return Moments(mean, None if first[1].any() else kept * std)

    @property
    def _shares_prompt(self) -> bool:
        return self.calls in ("n", "cached")

    def _billed(self, tokens_out: FloatArray) -> FloatArray:
        return (1 + self.reasoning_tokens_per_output_token) * tokens_out + self.reasoning_tokens

    def _per_prompt_token(self, prices: Prices, k: Any) -> Any:
        """USD for a token of a prompt: of the one that k share, or of each one's own."""
        if self.calls == "cached":
            return prices[2] + prices[3] * (k - 1)
        return prices[0]

    def _lists(self) -> list[tuple[float, Prices]]:
        """The price lists, each with the prompt length above which it holds, ascending."""
        lists: list[tuple[float, Any]] = [(-1.0, self)]
        lists += [(t.above_input_tokens, t) for t in sorted(self.long_context, key=lambda t: t.above_input_tokens)]

        def prices(of: Any) -> Prices:
            usd = of.usd_per_input_token
            write, read = of.usd_per_cache_write_token, of.usd_per_cached_input_token
            return usd, of.usd_per_output_token, usd if write is None else write, usd if read is None else read

        return [(above, prices(of)) for above, of in lists]

    def _prices(self, prompt: FloatArray) -> Prices:
        """Prices of requests by the tokens of their prompt."""
        (_, found), *longer = self._lists()
        for above, prices in longer:
            found = tuple(np.where(prompt > above, p, f) for p, f in zip(prices, found, strict=True))
        return found

    def _same_for_all(self, tokens_in: Law) -> Prices | None:
        """The prices where all prompts of a law fall under one list, or None."""
        for above, _ in self._lists()[1:]:
            shorter = tokens_in.cdf(np.asarray(above, dtype=np.float64))
            if np.any((shorter > 1e-15) & (shorter < 1 - 1e-15)):
                return None
        return self._prices(np.asarray(tokens_in.mean, dtype=np.float64))

    def _over_prompts(self, tokens_in: Law, tokens_out: Law, k: IntArray) -> Moments:
        """Moments by a quadrature over the length of the prompt, in panels between the price lists."""
        edges = [tokens_in.cdf(np.asarray(above, dtype=np.float64)) for above, _ in self._lists()[1:]]
        edges = [np.zeros_like(edges[0]), *edges, np.ones_like(edges[0])]
        nodes, weights = _graded(edges)  # (T,) or (B, T)
        prompt = tokens_in.quantile(np.clip(nodes, 1e-300, 1 - 2**-53))[..., None, :]  # beside the values of k
        n = k[:, None] if self._shares_prompt else np.ones((1, 1))
        own = replace(self, **{f.name: _column(getattr(self, f.name)) for f in fields(self)})
        prices = own._prices(prompt)
        spread = prices[1] * (1 + own.reasoning_tokens_per_output_token) * _column(tokens_out.std)
        given = prompt * own._per_prompt_token(prices, n) + n * prices[1] * own._billed(_column(tokens_out.mean))
        mean = np.sum(weights[..., None, :] * given, axis=-1)
        variance = np.sum(weights[..., None, :] * (n * spread**2 + (given - mean[..., None]) ** 2), axis=-1)
        times = 1 if self._shares_prompt else k
        kept = 1 - self.batch_discount
        return Moments(kept * times * mean, kept * np.sqrt(times * variance))


@dataclass(frozen=True)
class GpuCost(CostModel):
    """Money for GPUs by the hour, shared by all the output tokens they make meanwhile.

    An output token costs ``usd_per_gpu_hour gpus / 3600`` USD over the tokens per second of all the GPUs together, at
    the batch they are run at: given as measured, or as B / ITL(B) with ITL(B) = alpha + beta B seconds. Hours in which
    the GPUs idle are paid as well: divide by the share of time in which they are busy.

    Args:
        usd_per_gpu_hour: USD, >= 0.
        gpus: how many serve the model together, >= 1.
        output_tokens_per_second: of all sequences together at the operating batch, > 0; or, instead of it:
        itl_base_s: alpha, seconds between two tokens of a sequence, > 0.
        itl_per_sequence_s: beta, seconds for each sequence in the batch, >= 0.
        batch: B, sequences in the batch at the operating point, > 0.

    Raises:
        MooInferError: where neither or both ways to give the throughput are used.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> model = Gaussian(1000, 50, 400, 0, 0.8, 0.1)
    >>> llama = GpuCost(usd_per_gpu_hour=2.5, itl_base_s=0.0065, itl_per_sequence_s=0.000079, batch=64)  # on one H100
    >>> llama.exact(model, np.array([1, 16]), parallelism=1).mean.round(7)
    array([5.020e-05, 8.025e-04])
    """

    name = "gpu-cost"
    objective = COST
    vectorised = True

    usd_per_gpu_hour: NonNegative
    gpus: AtLeastOne = 1
    output_tokens_per_second: Positive | None = None
    itl_base_s: Positive | None = None
    itl_per_sequence_s: NonNegative | None = None
    batch: Positive | None = None

    def __post_init__(self) -> None:
        steps = (self.itl_base_s, self.itl_per_sequence_s, self.batch)
        measured = self.output_tokens_per_second is not None
        if measured == all(step is not None for step in steps) or (measured and any(s is not None for s in steps)):
            raise MooInferError(
                "the throughput is either output_tokens_per_second, or itl_base_s, itl_per_sequence_s and batch, got "
                + (", ".join(f for f in _THROUGHPUT if getattr(self, f) is not None) or "none of them")
            )

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """USD of the first k inferences, (M, K)."""
        return LinearCost(0.0, self._usd_per_output_token).total(draws, parallelism=parallelism)

    def exact(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Moments | None:
        """Exact moments where the laws of the token counts are known."""
        return LinearCost(0.0, self._usd_per_output_token).exact(model, k, parallelism=parallelism)

    @property
    def _usd_per_output_token(self) -> float:
        throughput = self.output_tokens_per_second
        if self.itl_base_s is not None and self.itl_per_sequence_s is not None and self.batch is not None:
            throughput = self.batch / (self.itl_base_s + self.itl_per_sequence_s * self.batch)
        assert throughput is not None  # one of the two is given
        return self.usd_per_gpu_hour * self.gpus / 3600 / throughput


_THROUGHPUT = ("output_tokens_per_second", "itl_base_s", "itl_per_sequence_s", "batch")


def _column(value: Any) -> Any:
    """(B, 1) numbers as (B, 1, 1); anything else as it is."""
    return value[..., None] if isinstance(value, np.ndarray) and value.ndim == 2 else value


def _normal(mean: FloatArray, std: FloatArray) -> Callable[[float], FloatArray]:
    def quantile(q: float) -> FloatArray:
        from scipy.special import ndtri

        return np.asarray(mean + std * float(ndtri(q)))

    return quantile


def _graded(edges: list[FloatArray]) -> tuple[FloatArray, FloatArray]:
    """Gauss-Legendre nodes and weights between edges, in panels that shrink towards each of them."""
    steep = 0.5 ** np.arange(40, 0, -1)
    panels = np.concatenate([[0.0], steep, 1 - steep[-2::-1], [1.0]])
    x, w = np.polynomial.legendre.leggauss(8)
    width = np.diff(panels)[:, None]
    nodes, weights = (panels[:-1, None] + width * (x + 1) / 2).ravel(), (width * w / 2).ravel()
    spans = [(low, high - low) for low, high in pairwise(edges)]
    ends = [np.atleast_1d(low) + np.atleast_1d(span) * nodes for low, span in spans]
    shares = [np.atleast_1d(span) * weights for _, span in spans]
    return np.concatenate(ends, axis=-1), np.concatenate(shares, axis=-1)


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    """Register the price list and the GPUs."""
    return [ApiCost, GpuCost]
