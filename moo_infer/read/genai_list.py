"""The prices of the package genai-prices."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import numpy as np

from ..core.errors import MooInferError
from .hours import DAY, ByLength, dearest
from .price_lists import CACHED, INPUT, OUTPUT, REASONING, WRITE, Entry, PriceList, Unpriced, served

__all__ = ["GENAI_PRICES", "genai_prices"]

GENAI_PRICES = "genai-prices"
# What logs call a provider, where the package knows it by another name only.
PROVIDERS = {
    "azure_ai": "azure",
    "azureai": "azure",
    "fireworks_ai": "fireworks",
    "foundry": "azure",
    "grok": "x-ai",
    "zhipu": "zhipuai",
}
MTOK = {"input_mtok": INPUT, "output_mtok": OUTPUT, "cache_read_mtok": CACHED, "cache_write_mtok": WRITE}
# On the bill of tokens of text, or said elsewhere; a cache keeps for an hour only what it is told to.
BILLED = (*MTOK, "requests_kcount", "output_reasoning_mtok", "cache_write_1h_mtok")


def genai_prices(on: date, provider: str | None = None, /) -> PriceList:
    """Return the prices of the package genai-prices that were in force on a day, at the dearest hours of it.

    Args:
        on: the day.
        provider: of all models; default what stands before the slash in a name, or what the name tells.

    Raises:
        MooInferError: where the package is not installed.
    """
    try:
        from genai_prices import Usage, calc_price
        from genai_prices.data import providers
    except ImportError:
        raise MooInferError(
            f"prices of {GENAI_PRICES} need that package (>= 0.0.21), which is not installed: "
            "pip install 'moo-infer[prices]'"
        ) from None
    title = f"{GENAI_PRICES} {version(GENAI_PRICES)}, in force on {on:%Y-%m-%d}"
    midnight = datetime(on.year, on.month, on.day, tzinfo=UTC)

    entries = {f"{owner.id}/{listed.id}": (owner, listed) for owner in providers for listed in owner.models}

    def look_up(model: str) -> Entry | str | None:
        prefix, rest = served(model)
        asked: list[tuple[str | None, str]] = [(provider, model), (provider, rest)]
        if provider is None:
            asked = [(None if prefix is None else PROVIDERS.get(prefix.lower(), prefix), rest)]
        for owner, name in asked:
            try:
                call = calc_price(Usage(), name, provider_id=owner, genai_request_timestamp=midnight)
            except LookupError:
                continue
            # A cloud may have the prices of the maker in the place of its own.
            entry_name = next(entry for entry, (_, listed) in entries.items() if listed is call.model)
            foreign = "" if any(call.model is own for own in call.provider.models) else entries[entry_name][0].id
            return _entry(entry_name, call.model, midnight, foreign)
        if provider is None and model in entries:  # the package goes by what APIs call a model
            return _entry(model, entries[model][1], midnight, "")
        return None

    return PriceList(title, list(entries), look_up)


def _entry(name: str, model: Any, midnight: datetime, foreign: str) -> Entry | str:
    """The prices of a model, or why there are none."""
    if isinstance(model.prices, list) and any(hasattr(price.constraint, "start_time") for price in model.prices):
        by_minute = [model.get_prices(midnight + timedelta(minutes=minute)) for minute in range(DAY)]
    else:
        by_minute = [model.get_prices(midnight)] * DAY
    different: list[Any] = []
    for price in by_minute:
        different += [price] * (price not in different)
    alternatives = []
    for price in different:
        if missing := [key for key in ("input_mtok", "output_mtok") if getattr(price, key) is None]:
            return f"its entry {name} is there, but has no price of text ({', '.join(missing)})"
        same = np.array([one is price or one == price for one in by_minute])
        alternatives.append((np.tile(same, 7), _by_length(price)))
    usd, hours, others = dearest(alternatives)
    hours += ", every day, as this list knows no days of the week" if hours else ""
    beside = [
        f"{key}: {usd:g} USD"
        for key, usd in vars(different[0]).items()
        if key not in BILLED
        and isinstance(usd, Decimal)
        and usd
        and usd not in (different[0].input_mtok, different[0].output_mtok)
    ]
    told = f"the list has prices beside those of tokens of text ({', '.join(beside)}), which are not in the bill"
    remarks = (told,) if beside else ()
    own = [
        f"reasoning tokens have a price of their own there, {float(getattr(hidden, 'base', hidden)) / 10**6:g} USD"
        for price in different
        if (hidden := getattr(price, "output_reasoning_mtok", None)) not in (None, price.output_mtok)
    ]
    unpriced = tuple(Unpriced({REASONING: 0}, why) for why in own[:1])
    requests = max((float(price.requests_kcount or 0) for price in different), default=0.0) / 1000
    return Entry(
        name, usd, requests, remarks=remarks, foreign=foreign, hours=hours, other_hours=others, unpriced=unpriced
    )


def _by_length(prices: Any) -> ByLength:
    """Prices per token by the prompt length above which they hold; -1 for the shortest."""
    usd_per_million: Mapping[str, Any] = {
        field: getattr(prices, key) for key, field in MTOK.items() if getattr(prices, key) is not None
    }
    tiers = {field: getattr(price, "tiers", ()) for field, price in usd_per_million.items()}
    lists: ByLength = {}
    for above in sorted({-1, *(tier.start for steps in tiers.values() for tier in steps)}):
        lists[above] = {}
        for field, steps in tiers.items():
            reached = [step.price for step in sorted(steps, key=lambda s: s.start) if step.start <= above]
            price = usd_per_million[field]
            lists[above][field] = float((reached[-1] if reached else getattr(price, "base", price)) / 10**6)
    return lists
