"""Prices of the tokens and requests of one model, in USD."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.arguments import check_fields
from ..core.arrays import FloatArray
from ..core.errors import MooInferError, out_of_reach
from .price_lists import CACHED, INPUT, OUTPUT, USD, WRITE, Unpriced

__all__ = ["Price"]

QUESTIONED = 0.01  # USD per token; the dearest models on any list are below a tenth of it
LONGER = ("above_input_tokens", *USD)


@dataclass(frozen=True)
class Price:
    """What the tokens of a model cost.

    Args:
        usd_per_input_token, usd_per_output_token: USD per token (not per million), >= 0.
        usd_per_cached_input_token: USD per input token read from a cache, >= 0, or None where it is not known.
        long_context: prices of the whole request where the prompt is longer: mappings with ``above_input_tokens``
            and the same prices, as the cost model ``api-cost`` takes them.
        source: where it comes from, in words: list, version, entry, date.
        usd_per_cache_write_token: USD per input token written to a cache, >= 0, or None where it is that of input.
        usd_per_request: USD for every request beside its tokens, >= 0.
        min_cacheable_tokens: the least prompt that is cached, >= 0, or None where it is not known.
        remarks: what is to be known about it, in words.
        hours: how many hours of the week it holds, in words, where prices depend on the hour: the dearest.
        other_hours: other hours in words, and the price that holds then.
        unpriced: samples for which it is no price.

    Raises:
        MooInferError: for numbers that are none, not finite or negative.

    Warns:
        UserWarning: for more than 0.01 USD per token, which is rather a price per million tokens.

    >>> Price(5e-08, 4e-07, source="by hand").part
    {'kind': 'api-cost', 'usd_per_input_token': 5e-08, 'usd_per_output_token': 4e-07}
    """

    usd_per_input_token: float
    usd_per_output_token: float
    usd_per_cached_input_token: float | None = None
    long_context: tuple[Mapping[str, float], ...] = ()
    source: str = ""
    usd_per_cache_write_token: float | None = None
    usd_per_request: float = 0.0
    min_cacheable_tokens: float | None = None
    remarks: tuple[str, ...] = ()
    hours: str = ""
    other_hours: tuple[tuple[str, "Price"], ...] = ()
    unpriced: tuple[Unpriced, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self, "price", ("source", "hours"))
        if not isinstance(self.long_context, list | tuple):
            raise MooInferError(f"price: long_context: must be a list of mappings, got {self.long_context!r:.60}")
        where = self.source or "price"
        high = []
        for name in (*USD, "usd_per_request", "min_cacheable_tokens"):
            if getattr(self, name) is not None or name in (INPUT, OUTPUT, "usd_per_request"):
                object.__setattr__(self, name, _number(getattr(self, name), f"{where}: {name}"))
                high += [name] * (name in USD and getattr(self, name) > QUESTIONED)
        object.__setattr__(self, "long_context", tuple(_longer(tier, where) for tier in self.long_context))
        if high:
            usd = getattr(self, high[0])
            warnings.warn(
                f"{where}: {high[0]}: {usd:g} USD per token is much: if it is USD per million tokens, give "
                f"{usd / 1e6:g}",
                stacklevel=3,
            )

    @property
    def part(self) -> dict[str, Any]:
        """The cost part of a profile: ``{"kind": "api-cost", "usd_per_input_token": ..., ...}``."""
        prices = {name: getattr(self, name) for name in USD if getattr(self, name) is not None}
        tiers = {"long_context": [dict(tier) for tier in self.long_context]} if self.long_context else {}
        request = {"usd_per_request": self.usd_per_request} if self.usd_per_request else {}
        least = {} if self.min_cacheable_tokens is None else {"min_cacheable_tokens": self.min_cacheable_tokens}
        return {"kind": "api-cost", **prices, **request, **least, **tiers}

    def usd(
        self,
        input_tokens: FloatArray,
        output_tokens: FloatArray,
        cached_tokens: FloatArray | None = None,
        written_tokens: FloatArray | None = None,
        /,
    ) -> FloatArray:
        """USD of single requests of so many tokens (N,), of which some (N,) were read from a cache or written to one.

        Those cost as much as other input where their price is not known.

        >>> longer = {"above_input_tokens": 900, "usd_per_input_token": 2e-06, "usd_per_output_token": 4e-06}
        >>> price = Price(1e-06, 2e-06, 1e-07, long_context=(longer,))
        >>> price.usd(np.array([500.0, 1000]), np.array([10.0, 10]), np.array([400.0, 0])).round(5)
        array([0.00016, 0.00204])
        """
        zero = np.zeros_like(input_tokens)
        cached, written = (zero if tokens is None else tokens for tokens in (cached_tokens, written_tokens))
        usd = np.full(np.shape(input_tokens), self.usd_per_request)
        lists = [{"above_input_tokens": -1.0, **{name: getattr(self, name) for name in USD}}, *self.long_context]
        per_input, per_output, per_cached, per_written = (np.zeros_like(usd) for _ in range(4))
        for prices in sorted(lists, key=lambda tier: tier["above_input_tokens"]):
            longer = input_tokens > prices["above_input_tokens"]
            read, write = prices.get(CACHED), prices.get(WRITE)
            for of, price in (
                (per_input, prices[INPUT]),
                (per_output, prices[OUTPUT]),
                (per_cached, prices[INPUT] if read is None else read),
                (per_written, prices[INPUT] if write is None else write),
            ):
                of[longer] = price
        return (
            usd
            + per_input * (input_tokens - cached - written)
            + per_cached * cached
            + per_written * written
            + per_output * output_tokens
        )

    def at_most_saved(self, cached_tokens: FloatArray, input_tokens: FloatArray, /) -> FloatArray:
        """USD (N,) by which requests would be cheaper, were so many of their tokens read from a cache.

        Where that price is not known, were they free.
        """
        zero = np.zeros_like(input_tokens)
        if self.usd_per_cached_input_token is not None:
            return self.usd(input_tokens, zero) - self.usd(input_tokens, zero, cached_tokens)
        return (self.usd(input_tokens, zero) - self.usd_per_request) * cached_tokens / np.maximum(input_tokens, 1)


def _longer(tier: Any, where: str) -> dict[str, float]:
    """The prices of longer prompts, checked."""
    if not isinstance(tier, Mapping):
        raise MooInferError(f"{where}: long_context: must be mappings with above_input_tokens, got {tier!r:.60}")
    for key in tier:
        if key not in LONGER:
            raise MooInferError(f"{where}: long_context: unknown key {key!r}; keys: {', '.join(LONGER)}")
    if missing := [key for key in LONGER[:3] if key not in tier]:
        raise MooInferError(f"{where}: long_context: missing {', '.join(missing)}")
    return {key: _number(usd, f"{where}: {key}") for key, usd in tier.items()}


def _number(value: Any, where: str) -> float:
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise MooInferError(f"{where}: must be a finite number >= 0, got {value!r:.60}")
    if problem := out_of_reach(number):
        raise MooInferError(f"{where}: {problem}")
    return number
