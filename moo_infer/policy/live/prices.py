"""What a call costs, and what it may cost at most."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass

import numpy as np

from ...core.errors import MooInferError
from ...core.objectives import COST
from ...profiles import ModelProfile
from ...read.price import Price
from ...read.price_lists import INPUT, OUTPUT, USD

__all__ = ["largest_usd", "price_of", "refuse_unpriced", "usd"]

PRICED = ("linear-cost", "api-cost")  # the cost models that say what tokens of a request cost
TIER = ("above_input_tokens", *USD)


def price_of(profile: ModelProfile, /) -> Price | None:
    """Return what the tokens of a profile cost by its own cost model; None where it says nothing of that.

    Args:
        profile: with one cost model ``linear-cost`` or ``api-cost``. A discount of a batch API is none of a live call.

    Raises:
        MooInferError: where there are several.

    >>> from moo_infer import builtin_models
    >>> price = price_of(builtin_models()["gpt-5"])
    >>> price.usd_per_input_token, price.usd_per_output_token
    (1.25e-06, 1e-05)
    """
    parts = [cost for cost in profile.costs if cost.name in PRICED and cost.objective == COST]
    if not parts:
        return None
    if len(parts) > 1:
        raise MooInferError(f"{profile.name}: costs: a live call has one price, and {len(parts)} cost models say some")
    part = parts[0]
    if not is_dataclass(part):
        return None
    known = {field.name: getattr(part, field.name) for field in fields(part)}
    tiers = (
        tuple(
            {name: usd for name in TIER if (usd := getattr(tier, name)) is not None} for tier in known["long_context"]
        )
        if known.get("long_context")
        else ()
    )
    return Price(
        known[INPUT],
        known[OUTPUT],
        known.get("usd_per_cached_input_token"),
        tiers,
        f"{profile.name}: costs",
        usd_per_request=known.get("usd_per_request", 0.0),
    )


def usd(price: Price, input_tokens: int, output_tokens: int, cached_tokens: int = 0, /) -> float:
    """Return the dollars of one request.

    >>> usd(Price(1e-06, 2e-06, 1e-07), 100, 10, 50)
    7.5e-05
    """
    tokens = (np.array([float(count)]) for count in (input_tokens, output_tokens, cached_tokens))
    return float(price.usd(*tokens)[0])


def largest_usd(price: Price, input_tokens: int, output_tokens: int, /) -> float:
    """Return the dollars of one request at most, with prompts of any length up to `input_tokens`.

    Prices of longer prompts may be lower ones: the dearest length counts.

    >>> cheaper = {"above_input_tokens": 100, "usd_per_input_token": 1e-07, "usd_per_output_token": 2e-06}
    >>> largest_usd(Price(1e-06, 2e-06, long_context=(cheaper,)), 150, 10)
    0.00012
    """
    lengths = [float(input_tokens)]
    lengths += [tier[TIER[0]] for tier in price.long_context if tier[TIER[0]] < input_tokens]
    dearest = max(float(price.usd(np.array([n]), np.array([float(output_tokens)]))[0]) for n in lengths)
    # A provider may bill reads of its cache above plain input; none is known, but the bound holds all the same.
    extra = max(0.0, (price.usd_per_cached_input_token or 0.0) - price.usd_per_input_token) * input_tokens
    return dearest + extra


def refuse_unpriced(models: Mapping[str, ModelProfile], prices: Mapping[str, Price], /) -> None:
    """Raise MooInferError where the largest price of a call is not known: without a price, or without max_tokens."""
    for name, profile in models.items():
        if name not in prices:
            cure = "give --price, --prices, or linear-cost or api-cost in its profile"
            raise MooInferError(f"{name}: its calls have no price; {cure}, or --unpriced to call without bound")
        if profile.call is None or profile.call.max_tokens is None:
            cure = "give call: max_tokens, or --unpriced to call without bound"
            raise MooInferError(f"{name}: its calls have no largest price, for answers may be of any length; {cure}")
