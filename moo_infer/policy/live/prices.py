"""What a call costs, and what it may cost at most."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...core.errors import MooInferError
from ...profiles import ModelProfile
from ...read.price import Price
from ...read.price_lists import CACHED, INPUT, OUTPUT, USD

__all__ = ["Tariff", "refuse_unpriced"]

TIER = ("above_input_tokens", *USD)


@dataclass(frozen=True)
class Tariff:
    """What single requests cost, by a price: plain numbers, for a run asks thousands of times.

    Args:
        tiers: from the longest prompts to the shortest: above how many input tokens USD per token of input, output and
            cached input hold.
        usd_per_request: beside the tokens.

    >>> tariff = Tariff.of(Price(1e-06, 2e-06, 1e-07))
    >>> round(tariff.usd(100, 10, 50), 12), round(tariff.largest_usd(100, 10), 12)
    (7.5e-05, 0.00012)
    """

    tiers: tuple[tuple[float, float, float, float], ...]
    usd_per_request: float = 0.0

    @classmethod
    def of(cls, price: Price, /) -> "Tariff":
        """Return the tariff of a price; cached input costs what input does where nothing else is said."""
        lists: list[Mapping[str, Any]] = [{TIER[0]: -1.0, **{name: getattr(price, name) for name in USD}}]
        tiers = [
            (of[TIER[0]], of[INPUT], of[OUTPUT], of[INPUT] if of.get(CACHED) is None else of[CACHED])
            for of in (*lists, *price.long_context)
        ]
        return cls(tuple(sorted(tiers, reverse=True)), price.usd_per_request)

    def usd(self, input_tokens: int, output_tokens: int, cached_tokens: int = 0, /) -> float:
        """Return the dollars of one request."""
        per_input, per_output, per_cached = next(tier[1:] for tier in self.tiers if input_tokens > tier[0])
        tokens = per_input * (input_tokens - cached_tokens) + per_cached * cached_tokens + per_output * output_tokens
        return self.usd_per_request + tokens

    def largest_usd(self, input_tokens: int, output_tokens: int, /) -> float:
        """Return the dollars of one request at most, with a prompt of any length up to `input_tokens`.

        Prices of longer prompts may be lower ones, and cached input may cost more: the dearest counts.

        >>> round(Tariff(((100, 1e-07, 2e-06, 1e-07), (-1, 1e-06, 2e-06, 1e-06))).largest_usd(150, 10), 12)
        0.00012
        """
        dearest, above = 0.0, float(input_tokens)
        for least, per_input, per_output, per_cached in self.tiers:
            if least < input_tokens:
                dearest = max(dearest, max(per_input, per_cached) * above + per_output * output_tokens)
                above = least
        return self.usd_per_request + dearest


def refuse_unpriced(models: Mapping[str, ModelProfile], prices: Mapping[str, Price], /) -> None:
    """Raise MooInferError where the largest price of a call is not known: without a price, or without max_tokens."""
    for name, profile in models.items():
        if name not in prices:
            cure = "give --price, --prices, or linear-cost or api-cost in its profile"
            raise MooInferError(f"{name}: its calls have no price; {cure}, or --unpriced to call without bound")
        if profile.call is None or profile.call.max_tokens is None:
            cure = "give call: max_tokens, or --unpriced to call without bound"
            raise MooInferError(f"{name}: its calls have no largest price, for answers may be of any length; {cure}")
