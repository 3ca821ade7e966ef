"""Prices given by hand: in a file of one's own, or on the command line."""

import warnings
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from ..core.arguments import typed
from ..core.errors import MooInferError
from .price import Price
from .price_lists import INPUT, OUTPUT, USD

__all__ = ["BY_HAND", "FIELDS", "FLAG", "by_hand"]

BY_HAND = "model: {usd_per_input_token: 5e-08, usd_per_output_token: 4e-07}"
FLAG = "--price MODEL=INPUT,OUTPUT in USD per token"
FIELDS = (*USD, "usd_per_request", "min_cacheable_tokens", "long_context")
LITTLE = 1e-10  # USD per token; a tenth of a thousandth of a dollar for a million of them, less than any model costs


@typed()
def by_hand(
    entries: Mapping[str, Any] | Iterable[str], where: str = "given by hand", per_million: bool = False
) -> dict[str, Price]:
    """Return prices by model.

    Args:
        entries: a mapping by model, ``{model: {usd_per_input_token, usd_per_output_token}}``, which may also have
            ``usd_per_cached_input_token``, ``usd_per_cache_write_token``, ``usd_per_request``, ``min_cacheable_tokens``
            and ``long_context``; or texts ``MODEL=INPUT,OUTPUT``. USD per token.
        where: where it stands, the beginning of messages and of sources.
        per_million: the prices of tokens are USD per million tokens.

    Raises:
        MooInferError: for unknown or missing keys, text of another form, a model twice, and numbers that are none.

    Warns:
        UserWarning: for prices that rather have the other unit.

    >>> by_hand({"mine": {"usd_per_input_token": "1e-6"}})
    Traceback (most recent call last):
    moo_infer.core.errors.MooInferError: given by hand: mine: missing usd_per_output_token
    >>> by_hand(["mine=0.05,0.4"], per_million=True)["mine"].part
    {'kind': 'api-cost', 'usd_per_input_token': 5e-08, 'usd_per_output_token': 4e-07}
    """
    if not isinstance(entries, Mapping):
        return _parsed(entries, where, per_million)
    prices = {}
    for model, entry in entries.items():
        here = f"{where}: {model}"
        if not isinstance(entry, Mapping):
            raise MooInferError(f"{here}: must be a mapping such as {BY_HAND}, got {entry!r:.60}")
        for key in entry:
            if key not in FIELDS:
                raise MooInferError(f"{here}: unknown key {key!r}; keys: {', '.join(FIELDS)}")
        if missing := [key for key in (INPUT, OUTPUT) if key not in entry]:
            raise MooInferError(f"{here}: missing {', '.join(missing)}")
        usd: dict[str, Any] = {str(key): value for key, value in entry.items()}  # the check of the price comes now
        usd["long_context"] = tuple(usd.get("long_context") or ())
        prices[str(model)] = _price(usd, here, per_million)
    return prices


def _parsed(texts: Iterable[str], where: str, per_million: bool) -> dict[str, Price]:
    prices: dict[str, Price] = {}
    for text in texts:
        model, _, numbers = text.rpartition("=")
        usd: list[Any] = numbers.split(",")  # made numbers by the check of the price
        if not model.strip() or len(usd) != 2:
            unit, example = ("USD per million tokens", "0.05,0.4") if per_million else ("USD per token", "5e-08,4e-07")
            raise MooInferError(
                f"{where}: must be MODEL=INPUT,OUTPUT in {unit}, such as gpt-5-nano={example}, got {text!r}"
            )
        if model in prices:
            raise MooInferError(f"{where}: {model} stands there twice")
        prices[model] = _price({INPUT: usd[0], OUTPUT: usd[1]}, f"{where}: {text}", per_million)
    return prices


def _price(fields: Mapping[str, Any], source: str, per_million: bool) -> Price:
    if not per_million:
        return Price(**fields, source=source)
    source += " (per million tokens)"
    usd = {key: _per_token(value) if key in USD else value for key, value in fields.items()}
    usd["long_context"] = tuple(
        {key: _per_token(value) if key in USD else value for key, value in tier.items()}
        if isinstance(tier, Mapping)
        else tier
        for tier in fields.get("long_context", ())
    )
    price = Price(**usd, source=source)
    if 0 < price.usd_per_output_token < LITTLE:
        warnings.warn(
            f"{source}: {OUTPUT}: {price.usd_per_output_token * 1e6:g} USD per million tokens is little: was it USD "
            "per token?",
            stacklevel=5,
        )
    return price


def _per_token(value: Any) -> Any:
    """USD per token of USD per million; what is no number is left for the check of the price."""
    try:
        return value if isinstance(value, bool) else float(Decimal(str(value)) / 10**6)  # 0.05 as 5e-08
    except ArithmeticError:  # no number, or one whose power of ten has six digits and more
        return value
