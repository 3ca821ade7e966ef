"""Prices by the length of the prompt: other prices for long prompts, a cache's price only from a least length."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ..core.arrays import FloatArray
from ..core.parts import NonNegative
from ..interfaces import InferenceModel
from .cuts import SHOWN
from .lengths import percent, share_above

if TYPE_CHECKING:
    from .prices import ApiCost

__all__ = ["SURELY_CACHED", "LongContext", "Prices", "caches", "least_cached", "on_lengths", "prices_at", "steps"]

Prices = tuple[Any, Any, Any, Any]  # of input, output, cache writes and cached input, each a number or an array

AUTOMATIC, WRITTEN = 1024.0, 512.0  # the least prompts that are cached: OpenAI's, and the least of Anthropic's
SURELY_CACHED = 4096.0  # the most that one of Anthropic's models, or of Google's but for one, asks of a prompt


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


def caches(part: "ApiCost") -> bool:
    """Whether any of the input is written to a cache or read from one."""
    shares = np.any(part.cached_input_share) or np.any(part.cache_write_share)
    return part.calls in ("cached", "parallel-writes") or bool(shares)


def least_cached(part: "ApiCost") -> Any:
    """Return how many tokens a prompt must have to be cached."""
    if part.min_cacheable_tokens is not None:
        return part.min_cacheable_tokens
    return AUTOMATIC if part.usd_per_cache_write_token is None else WRITTEN


def prices_at(
    part: "ApiCost", prompt: FloatArray, cached: FloatArray | None = None, written: FloatArray | None = None
) -> Prices:
    """Return the prices of requests by the tokens of their prompt; what is too short to cache pays for input.

    Where a log says how many of them were read from a cache, or written to one, that counts in the place of the share
    of the part.
    """
    (_, current), *longer = _lists(part)
    for above, prices in longer:
        current = tuple(_where(prompt > above, p, f) for p, f in zip(prices, current, strict=True))
    if not caches(part) and cached is None and written is None:
        return current
    usd, output, write, once = current
    enough, made = prompt >= least_cached(part), write
    write, read = _where(enough, write, usd), _where(enough, once, usd)
    held: Any = part.cached_input_share
    new: Any = part.cache_write_share
    from_cache, to_cache = read, write
    if cached is not None:  # what was read is there, however short the prompt
        held, from_cache = cached / np.maximum(prompt, 1), once
    if written is not None:
        new, to_cache = written / np.maximum(prompt, 1), made
    new = np.minimum(new, 1 - held)
    mixed = (1 - held - new) * usd + held * from_cache + new * to_cache
    return mixed, output, (1 - held) * write + held * from_cache, read


def steps(part: "ApiCost") -> list[Any]:
    """Return the longest prompts below each jump of the prices."""
    above: list[Any] = [above for above, _ in _lists(part)[1:]]
    least = least_cached(part)
    return [*above, np.nextafter(least, -np.inf)] if caches(part) and np.any(least) else above


def _where(condition: Any, price: Any, other: Any) -> Any:
    return np.where(condition, price, other)


def _lists(part: "ApiCost") -> list[tuple[float, Prices]]:
    """The price lists, each with the prompt length above which it holds, ascending."""
    lists: list[tuple[float, Any]] = [(-1.0, part)]
    lists += [(t.above_input_tokens, t) for t in sorted(part.long_context, key=lambda t: t.above_input_tokens)]

    def prices(of: Any) -> Prices:
        usd = of.usd_per_input_token
        write, read = of.usd_per_cache_write_token, of.usd_per_cached_input_token
        return usd, of.usd_per_output_token, usd if write is None else write, usd if read is None else read

    return [(above, prices(of)) for above, of in lists]


def on_lengths(part: "ApiCost", model: InferenceModel) -> Iterator[str]:
    """Say how many prompts are too short to be cached, and how many may be where that is not given."""
    is_set, least = part.min_cacheable_tokens is not None, least_cached(part)
    long = share_above(model, "tokens_in", np.nextafter(least, -np.inf))
    if 1 - long >= SHOWN:
        yield (
            f"{percent(1 - long)} of the prompts have fewer than min_cacheable_tokens = {least:g} tokens"
            f"{'' if is_set else ', which is assumed'}: they are not cached and pay the full price"
        )
    longer = share_above(model, "tokens_in", np.nextafter(SURELY_CACHED, -np.inf))
    if not is_set and long - longer >= SHOWN:
        yield (
            f"{percent(long - longer)} of the prompts have {least:g} to {SURELY_CACHED:g} tokens and are taken as "
            "cached; some models cache longer ones alone: give min_cacheable_tokens"
        )
