"""Lists of what tokens cost: the genai-prices package, and LiteLLM's file."""

import hashlib
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..errors import MooInferError

__all__ = ["GENAI_PRICES", "PRICES", "PriceList", "genai_prices", "litellm", "same_name"]

ByLength = dict[int, dict[str, Any]]  # USD per token by field, by the prompt length above which they hold; -1: any

GENAI_PRICES = "genai-prices"
MODES = ("chat", "responses")  # of LiteLLM's entries: those that answer with text
FLAG = "--price MODEL=INPUT,OUTPUT in USD per token"
# What logs call a provider, where lists call it otherwise.
GENAI_PROVIDERS = {"grok": "x-ai", "zhipu": "zhipuai"}
LITELLM_PROVIDERS = {
    "alibaba": "dashscope",
    "azureai": "azure_ai",
    "fireworks": "fireworks_ai",
    "google": "gemini",
    "grok": "xai",
    "together": "together_ai",
    "vertex": "vertex_ai",
    "zhipu": "zai",
}
PRICES = {  # by the field they go to, their names in LiteLLM's list
    "usd_per_input_token": "input_cost_per_token",
    "usd_per_output_token": "output_cost_per_token",
    "usd_per_cached_input_token": "cache_read_input_token_cost",
}
# Dates and stages at the end of a name: gpt-5-nano-2025-08-07, claude-sonnet-4-20250514, gpt-4-0314, grok-3-beta.
STAGE = re.compile(r"([-.@](\d{4}-\d\d-\d\d|\d{8}|\d{6}|\d\d-\d\d|\d{3,4}|latest|preview|beta|exp|0))+$")


@dataclass(frozen=True)
class PriceList:
    """A price list.

    Args:
        title: list, version and date, in words.
        names: of its entries.
        look_up: takes a model's name; gives the entry for it and its prices by prompt length, or None.
    """

    title: str
    names: Sequence[str]
    look_up: Callable[[str], tuple[str, ByLength] | None]

    def without(self, models: Sequence[str], /) -> MooInferError:
        """Build the error for models that it does not have, with the closest names."""
        close = [get_close_matches(model, self.names, n=3) for model in models]
        said = [f"{m} (closest: {', '.join(names)})" if names else m for m, names in zip(models, close, strict=True)]
        return MooInferError(f"no price of {', '.join(said)} in {self.title}; give it by hand: {FLAG}")


def genai_prices(on: date, provider: str | None = None, /) -> PriceList:
    """Return the prices of the package genai-prices that were in force at noon (UTC) of a day.

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
    noon = datetime(on.year, on.month, on.day, 12, tzinfo=UTC)

    def look_up(model: str) -> tuple[str, ByLength] | None:
        prefix, _, rest = model.partition("/")
        asked: list[tuple[str | None, str]] = [(provider, model), (provider, rest)]
        if provider is None:
            asked = [(GENAI_PROVIDERS.get(prefix, prefix), rest)] if rest else [(None, model)]
        for owner, name in asked:
            try:
                call = calc_price(
                    Usage(input_tokens=0, output_tokens=0), name, provider_id=owner, genai_request_timestamp=noon
                )
            except LookupError:
                continue
            listed = call.model_price
            usd = dict(zip(PRICES, (listed.input_mtok, listed.output_mtok, listed.cache_read_mtok), strict=True))
            if listed.input_mtok is not None and listed.output_mtok is not None:
                return f"{call.provider.id}/{call.model.id}", _from_tiers(usd)
        return None

    return PriceList(title, [f"{owner.id}/{model.id}" for owner in providers for model in owner.models], look_up)


def litellm(path: Path, document: Mapping[str, Any], /) -> PriceList:
    """Return LiteLLM's prices, given the file and what it holds; those of entries that answer with text.

    Raises:
        MooInferError: where it has none.
    """
    entries = {
        name: entry
        for name, entry in document.items()
        if name != "sample_spec" and isinstance(entry, Mapping) and entry.get("mode") in MODES
    }
    if not entries:
        raise MooInferError(f"{path}: is no price list of LiteLLM: no entry has the mode {' or '.join(MODES)}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    title = f"LiteLLM's list {path.name} (sha256 {digest}, without dates)"

    def look_up(model: str) -> tuple[str, ByLength] | None:
        prefix, _, rest = model.partition("/")
        owner = LITELLM_PROVIDERS.get(prefix, prefix)
        names = [model, f"{owner}/{rest}"]
        if rest and str(entries.get(rest, {}).get("litellm_provider", "")).startswith(owner):
            names.append(rest)
        ends = [name for name in entries if name.endswith(f"/{model}")]
        name = next((name for name in [*names, *(ends if len(ends) == 1 else [])] if name in entries), None)
        if name is None:
            return None
        try:
            lists = _from_keys(entries[name])
        except (AttributeError, IndexError, KeyError, TypeError, ValueError):
            raise MooInferError(f"{path}: {name}: tiered_pricing is not as LiteLLM writes it") from None
        if hidden := _reasoning_price(entries[name]):
            warnings.warn(
                f"{path}: {name}: reasoning tokens at {hidden} USD are taken at the price of other output", stacklevel=3
            )
        return (name, lists) if lists else None

    return PriceList(title, list(entries), look_up)


def same_name(model: str, entry: str, /) -> bool:
    """Whether two names differ by no more than provider, date and stage.

    >>> same_name("openai/gpt-4o-2024-08-06", "gpt-4o"), same_name("gemini-1.5-flash-8b", "gemini-1.5-flash")
    (True, False)
    """
    return _plain(model) == _plain(entry)


def _from_tiers(usd_per_million: Mapping[str, Any]) -> ByLength:
    """Prices per token by the prompt length above which they hold; -1 for the shortest."""
    tiers = {name: getattr(price, "tiers", ()) for name, price in usd_per_million.items() if price is not None}
    lists: ByLength = {}
    for above in sorted({-1, *(tier.start for steps in tiers.values() for tier in steps)}):
        lists[above] = {}
        for name, steps in tiers.items():
            reached = [step.price for step in sorted(steps, key=lambda s: s.start) if step.start <= above]
            price = usd_per_million[name]
            lists[above][name] = float((reached[-1] if reached else getattr(price, "base", price)) / 10**6)
    return lists


def _from_keys(entry: Mapping[str, Any]) -> ByLength:
    """Prices per token by the prompt length above which they hold; none where input or output has no price."""
    steps = [(-1, entry, "")]
    for key in entry:
        if found := re.fullmatch(r"input_cost_per_token(_above_(\d+)k_tokens)", key):
            steps.append((1000 * int(found[2]), entry, found[1]))
    for tier in entry.get("tiered_pricing") or ():
        start = int(tier.get("range", [0])[0])
        steps.append((start or -1, tier, ""))  # the first list stands in the place of the entry's own
    lists: ByLength = {}
    for above, at, suffix in sorted(steps, key=lambda step: step[0]):
        usd = {name: at.get(key + suffix) for name, key in PRICES.items()}
        lists.setdefault(above, dict(lists.get(-1, {}))).update(
            {n: value for n, value in usd.items() if value is not None}
        )
    return lists if set(list(PRICES)[:2]) <= lists[-1].keys() else {}


def _reasoning_price(entry: Mapping[str, Any]) -> Any:
    """What reasoning tokens cost where that is not the price of other output."""
    for at in (entry, *(entry.get("tiered_pricing") or ())):
        if at.get("output_cost_per_reasoning_token") not in (None, at.get("output_cost_per_token")):
            return at["output_cost_per_reasoning_token"]
    return None


def _plain(name: str) -> str:
    """A model's name without provider, dates and stages."""
    return STAGE.sub("", name.lower().rpartition("/")[2].replace(".", "-"))
