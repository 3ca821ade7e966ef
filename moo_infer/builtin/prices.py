"""What k inferences cost in money: an API's price list and the shape of the call."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.draws import BEFORE, Draws
from ..core.errors import MooInferError, NotExact
from ..core.moments import CONSTANT, Moments, normal_quantile
from ..core.objectives import COST
from ..core.parts import AtLeastOne, NonNegative, Positive, Share
from ..hookspecs import hookimpl
from ..interfaces import CostModel, InferenceModel
from ..quantities.by_samples import SampleQuery
from ..quantities.laws import Law, cut_to
from ..quantities.quadrature import NOTHING, moments_of, nodes
from ..quantities.quantity import Query
from ..quantities.queries import Note
from ..quantities.samples import Samples
from ..quantities.subsets import total_of_k
from .cuts import SHOWN, on_cuts
from .lengths import percent
from .tiers import LongContext, Prices, caches, on_lengths, prices_at, steps

__all__ = ["ApiCost", "LongContext"]

CACHED, WRITTEN = "cached_input_tokens", "cache_write_tokens"  # columns of a log
ROUNDING = 1e-5  # shares are written with six digits
HALF = 0.5  # what OpenAI, Anthropic and Google take off for batches that may take 24 hours
IN_A_BATCH = "api-cost: the answers of a batch may take a day; batch-window says the seconds"


@dataclass(frozen=True)
class ApiCost(CostModel):
    """Money for k samples of one prompt from an API, by the shape of the call.

    How often the prompt is billed depends on how the samples are asked for:

    ===================  ==================================================================
    ``n``                requests with n = `n_max`, or one with n = k: the prompt once each
    ``parallel``         k requests at once: the prompt k times (the paper's bill)
    ``parallel-writes``  the same with a cache that none finds written: k times written
    ``cached``           k requests, the first writes a cache: once written, k - 1 times read
    ``sequential``       k requests one after the other: the prompt k times
    ``batch``            k requests of a batch API, at half price: the prompt k times
    ===================  ==================================================================

    Every sample pays for its own output and, at the output price, for its reasoning tokens: with v visible ones
    min((1 + r) v + h, `max_tokens`), because reasoning counts towards the limit. The K inferences of a query share
    their prompt: ``n`` and ``cached`` bill the first inference's.

    Args:
        usd_per_input_token, usd_per_output_token: USD per token (not per million), >= 0.
        calls: the shape of the call, see above.
        usd_per_cached_input_token: USD per input token read from a cache, >= 0; needed by ``cached``.
        usd_per_cache_write_token: USD per input token written to a cache, >= 0; default the input price.
        reasoning_tokens_per_output_token: r, hidden tokens for every visible one, >= 0.
        reasoning_tokens: h, hidden tokens of every inference beside those, >= 0.
        long_context: prices of longer prompts, any number of `LongContext`; the longest that is exceeded holds.
        batch_discount: share taken off the whole bill where requests may wait (a batch API), in [0, 1]; default a half
            for ``batch``, and nothing for the others.
        n_max: the largest n of a request, for ``n``, >= 1; default no limit.
        usd_per_request: USD for every request beside its tokens, >= 0.
        max_tokens: the most output tokens that an inference is billed for, reasoning included, > 0. In a profile it
            is that of the inference model, where that has one.
        min_cacheable_tokens: prompts with fewer tokens are neither written to a cache nor read from one, >= 0; default
            1024, as with OpenAI, and where writes have a price of their own 512, the least of Anthropic's.
        cached_input_share: share of the tokens of every prompt that a cache already holds (the system prompt of all
            queries), in [0, 1]. A log with ``cached_input_tokens`` says it for every sample, and counts instead.
        cache_write_share: share of the tokens of every prompt that is written to a cache, in [0, 1]; ``cached`` and
            ``parallel-writes`` write all that is not read. A log with ``cache_write_tokens`` counts instead.

    Raises:
        MooInferError: for ``cached`` or a share without its price, for shares of more than 1 together, and for `n_max`
            with another shape than ``n``.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> gpt_5 = Gaussian(1024, 64, 2048, 128, 0.94, 0.02).queries().query
    >>> for calls in ("parallel", "n"):
    ...     print(calls, ApiCost(1.25e-06, 1e-05, calls).exact(gpt_5, np.array([16]), parallelism=4).mean.round(6))
    parallel [0.34816]
    n [0.32896]
    """

    name = "api-cost"
    objective = COST

    usd_per_input_token: NonNegative
    usd_per_output_token: NonNegative
    calls: Literal["n", "parallel", "parallel-writes", "cached", "sequential", "batch"] = "parallel"
    usd_per_cached_input_token: NonNegative | None = None
    usd_per_cache_write_token: NonNegative | None = None
    reasoning_tokens_per_output_token: NonNegative = 0.0
    reasoning_tokens: NonNegative = 0.0
    long_context: tuple[LongContext, ...] = ()
    batch_discount: Share | None = None
    n_max: AtLeastOne | None = None
    usd_per_request: NonNegative = 0.0
    max_tokens: Positive | None = None
    min_cacheable_tokens: NonNegative | None = None
    cached_input_share: Share = 0.0
    cache_write_share: Share = 0.0

    def __post_init__(self) -> None:
        for needs, name in ((self.calls == "cached", "calls: cached"), (self.cached_input_share, "cached_input_share")):
            if np.any(needs) and self.usd_per_cached_input_token is None:
                raise MooInferError(f"{name} needs usd_per_cached_input_token, the price of input read from the cache")
        if np.any(self.cache_write_share) and self.usd_per_cache_write_token is None:
            raise MooInferError(
                "cache_write_share needs usd_per_cache_write_token, the price of input written to a cache"
            )
        if np.any((both := self.cached_input_share + self.cache_write_share) > 1 + ROUNDING):
            rule = "cached_input_share and cache_write_share: must be <= 1 together"
            raise MooInferError(f"{rule}, got {np.max(both):g}")
        if self.n_max is not None and self.calls != "n":
            raise MooInferError(f"n_max is the largest n of a request and belongs to calls: n, got calls: {self.calls}")
        above = [tier.above_input_tokens for tier in self.long_context]
        if len(set(above)) < len(above):
            raise MooInferError(f"long_context: above_input_tokens must differ, got {', '.join(map(str, above))}")

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """USD of the first k inferences, (M, K)."""
        n = np.arange(1, draws.shape[1] + 1)
        first = slice(1 if self._shares_prompt else None)
        prompt, before = draws.tokens_in[:, first], draws[BEFORE][:, :1] if BEFORE in draws else 0
        prices = prices_at(
            self, prompt, *(draws[name][:, first] if name in draws else None for name in (CACHED, WRITTEN))
        )
        outputs = np.cumsum(prices[1] * self._billed(draws.tokens_out), axis=1)
        inputs = prompt * self._per_prompt_token(prices, n, before)
        kept: FloatArray = self._kept * (
            (inputs if self._shares_prompt else np.cumsum(inputs, axis=1))
            + outputs
            + self.usd_per_request * self._requests(n)
        )
        return kept

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact moments where the laws of the token counts are known, and on a log; see `_by_laws`, `_on_a_log`."""
        if isinstance(query, SampleQuery):  # the one part that asks: what it bills of a sample is linear in no column
            return self._on_a_log(query.samples, k)
        if above := steps(self):
            query.bending(tokens_in=above)
        if self.max_tokens is not None:
            query.bending(tokens_out=[self._longest])
        return self._by_laws(query.tokens_in, query.law(query.tokens_out), k)

    def _by_laws(self, tokens_in: Law, tokens_out: Law, k: IntArray) -> Moments:
        """Moments where the prompts follow one law and the outputs another; quantiles where all of it is normal."""
        outputs = self._billed_of(tokens_out)
        prices = self._same_for_all(tokens_in)
        if prices is None:
            return self._over_prompts(tokens_in, outputs, k)
        n, kept = k.astype(np.float64), self._kept
        per_prompt_token = self._per_prompt_token(prices, n)
        times = 1.0 if self._shares_prompt else n  # prompts that differ
        billed, spread, normal = outputs
        mean = kept * (
            times * per_prompt_token * tokens_in.mean
            + n * prices[1] * billed
            + self.usd_per_request * self._requests(n)
        )
        std = kept * np.hypot(np.sqrt(times) * per_prompt_token * tokens_in.std, np.sqrt(n) * prices[1] * spread)
        if not (tokens_in.normal and normal):
            return Moments(mean, std)
        return Moments(mean, std, partial(normal_quantile, mean, std))

    def notes(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Sequence[Note]:
        """Note how many answers the limit of output tokens cuts, and which input tokens no cache makes cheaper."""
        sentences = [*on_cuts(self, model), *([IN_A_BATCH] if self.calls == "batch" else [])]
        if caches(self):
            sentences += on_lengths(self, model)
        samples = model.queries().samples
        for name, done, price in (
            (CACHED, "read from a cache; they are billed in full", "usd_per_cached_input_token"),
            (WRITTEN, "written to a cache; they are billed as other input", "usd_per_cache_write_token"),
        ):
            if samples is not None and name in samples.columns and getattr(self, price) is None:
                share = samples[name].sum() / max(samples["input_tokens"].sum(), 1)
                if share >= SHOWN:
                    sentences.append(
                        f"{percent(share)} of the input tokens of the log were {done}, because {price} is not given"
                    )
        return [Note(sentence) for sentence in sentences]

    def _on_a_log(self, samples: Samples, k: IntArray) -> Moments:
        """Moments given a question of a log: exact mean; spread too where its prompts are equally long."""
        tokens_in, tokens_out = (samples[name].astype(np.float64) for name in ("input_tokens", "output_tokens"))
        prices = prices_at(self, tokens_in, samples.columns.get(CACHED), samples.columns.get(WRITTEN))
        kept = self._kept
        outputs = prices[1] * self._billed(tokens_out)
        own = tokens_in * self._per_prompt_token(prices, np.ones(1))
        if not self._shares_prompt:
            mean, std = total_of_k(own + outputs + self.usd_per_request, samples.question, k)
            return Moments(kept * mean, kept * std)
        k_one = np.ones(1, dtype=np.int64)
        lists = [total_of_k(price * np.ones(len(samples)), samples.question, k_one) for price in prices]
        if any((std > CONSTANT * mean).any() for mean, std in lists):
            raise NotExact("the prices that hold are those of the first prompt")
        mean, std = total_of_k(outputs, samples.question, k)
        # The prompt is the first inference's, which is any of the samples.
        first, spread = total_of_k(own, samples.question, k_one)
        again, _ = total_of_k(tokens_in * (prices[3] if self.calls == "cached" else prices[0]), samples.question, k_one)
        requests = self._requests(k)
        times = k if self.calls == "cached" else requests
        mean = kept * (mean + first + (times - 1) * again + self.usd_per_request * requests)
        return Moments(mean, None if (spread > CONSTANT * first).any() else kept * std)

    @property
    def _kept(self) -> Any:
        """The share of the bill that is paid."""
        usual = HALF if self.calls == "batch" else 0.0
        return 1 - (usual if self.batch_discount is None else self.batch_discount)

    @property
    def _shares_prompt(self) -> bool:
        return self.calls in ("n", "cached")

    @property
    def _reasons(self) -> bool:
        return bool(np.any(self.reasoning_tokens_per_output_token) or np.any(self.reasoning_tokens))

    @property
    def _longest(self) -> Any:
        """The visible tokens of the longest output that is not cut; negative where reasoning alone is too long."""
        cap = np.inf if self.max_tokens is None else self.max_tokens
        return (cap - self.reasoning_tokens) / (1 + self.reasoning_tokens_per_output_token)

    def _requests(self, k: Any) -> Any:
        """How many requests bring k inferences."""
        if self.calls != "n":
            return k
        return np.ones_like(k) if self.n_max is None else np.ceil(k / self.n_max)

    def _billed(self, tokens_out: FloatArray) -> FloatArray:
        """Output tokens on the bill, by visible ones."""
        tokens: FloatArray = (1 + self.reasoning_tokens_per_output_token) * tokens_out + self.reasoning_tokens
        return tokens if self.max_tokens is None else np.minimum(tokens, self.max_tokens)

    def _billed_of(self, tokens_out: Law) -> tuple[Any, Any, bool]:
        """Mean and standard deviation of the output tokens on the bill, and whether their law is normal."""
        each = 1 + self.reasoning_tokens_per_output_token
        linear = each * tokens_out.mean + self.reasoning_tokens, each * tokens_out.std, tokens_out.normal
        if self.max_tokens is None:
            return linear
        longest = np.asarray(self._longest)
        whole = tokens_out.cdf(longest)
        if np.all(whole > 1 - NOTHING):
            return linear
        if law := cut_to(tokens_out, longest):
            mean: Any = each * law.mean + self.reasoning_tokens
            std: Any = np.where(whole > NOTHING, each * law.std, 0.0)[()]
        else:
            mean, std = moments_of(self._billed, tokens_out, [longest])
        return mean, std, bool(np.all(std <= CONSTANT * mean))

    def _per_prompt_token(self, prices: Prices, k: Any, before: Any = 0) -> Any:
        """USD for a token of a prompt: of the one that k share, or of each one's own; a cache may be written before."""
        if self.calls == "cached":
            return np.where(before, prices[3], prices[2]) + prices[3] * (k - 1)
        if self.calls == "n":
            return prices[0] * self._requests(k)
        return prices[2] if self.calls == "parallel-writes" else prices[0]

    def _same_for_all(self, tokens_in: Law) -> Prices | None:
        """The prices where all prompts of a law fall under one list, or None."""
        for step in steps(self):
            shorter = tokens_in.cdf(np.asarray(step, dtype=np.float64))
            if np.any((shorter > NOTHING) & (shorter < 1 - NOTHING)):
                return None
        return prices_at(self, np.asarray(tokens_in.mean, dtype=np.float64))

    def _over_prompts(self, tokens_in: Law, outputs: tuple[Any, Any, bool], k: IntArray) -> Moments:
        """Moments by a quadrature over the length of the prompt, in panels between the jumps of the prices."""
        values, weights = nodes(tokens_in, steps(self))  # (T,) or (B, T)
        prompt, weights = values[..., None, :], weights[..., None, :]  # beside the values of k
        n = k[:, None].astype(np.float64) if self._shares_prompt else np.ones((1, 1))
        own = replace(self, **{f.name: _column(getattr(self, f.name)) for f in fields(self)})
        prices, (billed, spread) = prices_at(own, prompt), map(_column, outputs[:2])
        by_prompt = (
            prompt * own._per_prompt_token(prices, n) + n * prices[1] * billed + own.usd_per_request * own._requests(n)
        )
        mean = np.sum(weights * by_prompt, axis=-1)
        variance = np.sum(weights * (n * (prices[1] * spread) ** 2 + (by_prompt - mean[..., None]) ** 2), axis=-1)
        times = 1 if self._shares_prompt else k
        kept = self._kept
        return Moments(kept * times * mean, kept * np.sqrt(times * variance))


def _column(value: Any) -> Any:
    """(B, 1) numbers as (B, 1, 1); anything else as it is."""
    return value[..., None] if isinstance(value, np.ndarray) and value.ndim == 2 else value


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    """Register the price list."""
    return [ApiCost]
