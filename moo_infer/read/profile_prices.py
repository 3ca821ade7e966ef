"""The prices of tokens that profiles hold in their cost models, as prices of single requests."""

from dataclasses import asdict, fields
from typing import Any

from ..core.errors import MooInferError
from ..profiles import ModelProfile
from .by_hand import FIELDS, FLAG
from .price import Price

__all__ = ["is_priced", "price_of"]

KINDS = ("linear-cost", "api-cost")  # what a provider bills for tokens; other costs are of machines and judges


def is_priced(profile: ModelProfile, /) -> bool:
    """Whether a cost model of a profile says what its tokens cost."""
    return any(cost.name in KINDS for cost in profile.costs)


def price_of(profile: ModelProfile, /) -> Price | None:
    """Return what the tokens of a model cost by its profile; None where it has no cost model that says it.

    Raises:
        MooInferError: where two of its cost models say it.

    >>> from moo_infer import builtin_models
    >>> price_of(builtin_models()["gpt-5"]).part
    {'kind': 'api-cost', 'usd_per_input_token': 1.25e-06, 'usd_per_output_token': 1e-05}
    """
    priced: list[Any] = [cost for cost in profile.costs if cost.name in KINDS]
    if len(priced) > 1:
        names = " and ".join(cost.name for cost in priced)
        raise MooInferError(f"{profile.name}: costs: {names} are two prices of its tokens; give one, or {FLAG}")
    if not priced:
        return None
    (cost,) = priced
    usd = {name: getattr(cost, name) for name in FIELDS if hasattr(cost, name)}
    tiers = [{key: usd for key, usd in asdict(tier).items() if usd is not None} for tier in usd.get("long_context", ())]
    # What is said of the shape of calls and of hidden tokens is in the usage of a real request already.
    others = [of.name for of in fields(cost) if of.name not in (*FIELDS, "max_tokens")]
    left = [name for name in others if getattr(cost, name) != getattr(type(cost), name)]
    remark = f"of {cost.name} in its profile the prices are taken, not {', '.join(left)}"
    return Price(
        **usd | {"long_context": tuple(tiers)},
        source=f"profile {profile.name}" + (f" ({profile.source})" if profile.source else ""),
        remarks=(remark,) if left else (),
    )
