"""LiteLLM's prices: its list of models, and the configuration of its proxy."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from ..core.errors import MooInferError
from .hours import DAY, DAYS, ByLength, dearest, minutes
from .price_lists import CACHED, INPUT, OUTPUT, REASONING, WRITE, Entry, Names, PriceList, Unpriced, checksum, served

__all__ = ["KEYS", "litellm", "litellm_proxy"]

KEYS = {  # by the field they go to, the names of prices in LiteLLM's list
    INPUT: "input_cost_per_token",
    OUTPUT: "output_cost_per_token",
    CACHED: "cache_read_input_token_cost",
    WRITE: "cache_creation_input_token_cost",
}
MODES = ("chat", "responses", "completion")  # of entries that answer with text
LONGER = re.compile(rf"({'|'.join(KEYS.values())})_above_(\d+)(k?)_tokens")
HIDDEN = "output_cost_per_reasoning_token"
PRICE = re.compile(r"cost|pric")  # in the names of all prices, of which the bill does not know all
BILLED = (
    *KEYS.values(),
    "input_cost_per_request",
    HIDDEN,
    "tiered_pricing",
    "off_peak_pricing",
)
ALIKE = re.compile(r"(in|out)put_dbu_cost_per_token")  # the same price in units of Databricks
UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)  # by prices of another form
# What logs call a provider, where the list calls it otherwise, or has the same models of the same cloud twice.
PROVIDERS = {
    "alibaba": ("dashscope",),
    "amazon-bedrock": ("bedrock", "bedrock_mantle"),
    "aws": ("bedrock", "bedrock_mantle"),
    "azure": ("azure", "azure_ai"),
    "azure_ai": ("azure_ai", "azure"),
    "azureai": ("azure_ai", "azure"),
    "bedrock": ("bedrock", "bedrock_mantle"),
    "fireworks": ("fireworks_ai",),
    "foundry": ("azure_ai", "azure"),
    "google": ("gemini", "vertex_ai"),
    "grok": ("xai",),
    "moonshotai": ("moonshot",),
    "together": ("together_ai",),
    "vertex": ("vertex_ai", "gemini"),
    "vertex_ai": ("vertex_ai", "gemini"),
    "x-ai": ("xai",),
    "zhipu": ("zai",),
}
FLAT = ("perplexity",)  # whose longer prompts and written caches LiteLLM's own calculator bills as other input
REACHED = ("xai",)  # whose longer prompts begin with the length that others exceed
HALF_CACHED = (
    "fireworks_ai",
)  # whose cached input is billed at half the price where the list has none, as LiteLLM does


def litellm(path: Path, document: Mapping[str, Any], /) -> PriceList:
    """Return LiteLLM's prices, given the file, and what it holds; those of entries that answer with text.

    Raises:
        MooInferError: where it has none.
    """
    others = {name: entry for name, entry in document.items() if name != "sample_spec" and isinstance(entry, Mapping)}
    if not (entries := _of_text(others)):
        raise MooInferError(f"{path}: is no price list of LiteLLM: no entry has the mode {' or '.join(MODES)}")

    def alike(names: Sequence[str]) -> bool:
        first, *rest = (_bill(name, entries[name]) for name in names)
        return all(bill == first for bill in rest)

    known = Names(
        {name: (_provider(name, entry), _bare(name, entry)) for name, entry in entries.items()}, PROVIDERS, alike
    )

    def look_up(model: str) -> Entry | str | None:
        if model in others and model not in entries:
            return f"its entry {model} is there, but of the mode {others[model].get('mode', 'none')}, not of text"
        provider, rest = served(model)
        found = known.find(model)
        if found is None and provider is not None:  # as LiteLLM calls the ways to Bedrock
            found = known.find(f"{provider}/{re.sub(r'^(converse|invoke)/', '', rest)}")
        if found is None or isinstance(found, str):
            return found
        name, foreign = found
        owner = _provider(name, entries[name])
        if f"{owner}/{name}" in entries and not name.startswith(f"{owner}/"):
            name = f"{owner}/{name}"  # as LiteLLM itself takes that first
        priced = _entry(path, name, entries[name], owner, foreign)
        if not isinstance(priced, Entry):
            return priced
        remarks = [
            f"the list has another entry of the same provider, {twin}, whose prices differ"
            for twin in known.twins(name)[:1]
        ]
        if "mode" not in entries[name]:
            remarks.append(f"the list does not say whether its entry {name} answers with text: it has no mode")
        return replace(priced, remarks=(*priced.remarks, *remarks))

    return PriceList(f"LiteLLM's list {path.name} (sha256 {checksum(path)}, without dates)", list(entries), look_up)


def _of_text(others: Mapping[str, Any]) -> dict[str, Any]:
    """The entries that answer with text, by all their names."""
    entries = {name: entry for name, entry in others.items() if entry.get("mode") in MODES or _is_text(entry)}
    for name, entry in others.items():
        if (other := str(entry.get("alias_of"))) in entries:
            entries[name] = entries[other]
        if name in entries and isinstance(aliases := entry.get("aliases"), list):
            entries |= {str(alias): entry for alias in aliases if alias not in others}
    return entries


def litellm_proxy(path: Path, document: Mapping[str, Any], /) -> PriceList:
    """Return the prices that a configuration of LiteLLM's proxy sets, by the names of its ``model_list``.

    They stand in ``litellm_params`` or in ``model_info`` of a deployment.

    Raises:
        MooInferError: for a file of another form.
    """
    deployments = document["model_list"]
    if not isinstance(deployments, list) or not all(_is_deployment(entry) for entry in deployments):
        raise MooInferError(f"{path}: model_list must be a list of mappings with model_name and litellm_params")

    def look_up(model: str) -> Entry | str | None:
        called = {model, served(model)[1]}  # a harness names the API by which it speaks to the proxy
        meant = [(str(entry["model_name"]), entry) for entry in deployments if str(entry["model_name"]) in called]
        meant = meant or [(model, entry) for entry in deployments if entry["litellm_params"].get("model") == model]
        prices = [_deployed(path, name, entry) for name, entry in meant]
        if len(prices) > 1 and any(other != prices[0] for other in prices):
            return f"{len(prices)} deployments are called {meant[0][0]}, whose prices differ or are missing"
        return prices[0] if prices else None

    names = [str(entry["model_name"]) for entry in deployments]
    return PriceList(
        f"LiteLLM's configuration {path.name} (sha256 {checksum(path)})", list(dict.fromkeys(names)), look_up
    )


def _is_deployment(value: Any) -> bool:
    return isinstance(value, Mapping) and "model_name" in value and isinstance(value.get("litellm_params"), Mapping)


def _deployed(path: Path, name: str, deployment: Mapping[str, Any]) -> Entry | str:
    """The prices that a deployment of some name sets, or why there are none."""
    params, info = deployment["litellm_params"], deployment.get("model_info")
    info = info if isinstance(info, Mapping) else {}
    prices = [
        {key: value for key, value in of.items() if "_cost" in str(key) or "pric" in str(key)} for of in (info, params)
    ]
    if different := [key for key, value in prices[0].items() if prices[1].get(key, value) != value]:
        return f"{different[0]} of {name} differs between litellm_params and model_info"
    if not any(prices):
        return (
            f"its entry {name} is there, but sets no price: LiteLLM takes that of {params.get('model', name)} from its "
            "own list, model_prices_and_context_window.json"
        )
    if (mode := info.get("mode", MODES[0])) not in MODES:
        return f"its entry {name} is there, but of the mode {mode}, not of text"
    provider = str(params.get("custom_llm_provider") or str(params.get("model", "")).partition("/")[0])
    return _entry(path, str(name), {**prices[0], **prices[1]}, provider, "")


def _is_text(entry: Mapping[str, Any]) -> bool:
    """Whether an entry without a mode has prices of text."""
    return "mode" not in entry and {KEYS[INPUT], KEYS[OUTPUT]} <= entry.keys()


def _provider(name: str, entry: Mapping[str, Any]) -> str:
    """Who serves an entry; the products of a cloud are one."""
    provider = str(entry.get("litellm_provider") or name.partition("/")[0])
    return re.sub(r"^(?:(vertex_ai)-.*|(bedrock)_converse|(cohere)_chat)$", r"\1\2\3", provider)


def _bare(name: str, entry: Mapping[str, Any]) -> str:
    """What the provider calls the model of an entry."""
    first, slash, rest = name.partition("/")
    of = {_provider(name, entry), str(entry.get("litellm_provider", ""))}
    return rest if slash and {first, first.replace("-", "_")} & of else name


def _entry(path: Path, name: str, entry: Mapping[str, Any], provider: str, foreign: str) -> Entry | str:
    """The prices of an entry, or why there are none."""
    try:
        lists = _from_keys(entry, provider)
        if missing := [KEYS[field] for field in (INPUT, OUTPUT) if lists[-1].get(field) is None]:
            told = " and ".join(key.partition("_")[0] for key in missing)
            given = ", ".join(f"{key}: {'null' if key in entry else 'absent'}" for key in missing)
            return f"its entry {name} is there, but has no {told} price ({given})"
        usd, hours, others = _by_hour(lists, entry.get("off_peak_pricing") or {})
        beside = [f"{key}: {_worded(entry[key])}" for key in _beside(entry)]
        request, least = _number(entry.get("input_cost_per_request")), _number(entry.get("prompt_cache_min_tokens"))
        unpriced = [*_reasoning(entry, lists)]
    except UNREADABLE:
        raise MooInferError(f"{path}: {name}: prices are not as LiteLLM writes them") from None
    if provider in FLAT:
        why = "the list has another price for that than LiteLLM's own calculator, which bills it as any other input"
        unpriced += [Unpriced({"input_tokens": above}, why) for above in sorted(lists)[1:2]]
        if any(prices.get(WRITE) for prices in lists.values()):
            unpriced.append(Unpriced({"cache_write_tokens": 0}, why))
    remarks = []
    if beside:
        remarks.append(
            f"the list has prices beside those of tokens of text ({', '.join(beside)}), which are not in the bill"
        )
    return Entry(name, usd, request or 0.0, least, tuple(remarks), foreign, hours, others, tuple(unpriced))


def _bill(name: str, entry: Mapping[str, Any]) -> Any:
    """What entries have in common by which all requests cost the same; one of another form is like no other."""
    try:
        lists = _from_keys(entry, _provider(name, entry))
    except UNREADABLE:
        return name
    by_length = {above: {field: usd for field, usd in prices.items() if usd} for above, prices in lists.items()}
    return by_length, entry.get("off_peak_pricing"), entry.get("input_cost_per_request")


def _beside(entry: Mapping[str, Any]) -> Iterator[str]:
    """The keys of prices that are not on a bill of tokens of text: of searches, sessions, images, sound.

    Those at other service tiers, which begin with the key of the standard rate, are left out.
    """
    text = [entry.get(KEYS[INPUT]), entry.get(KEYS[OUTPUT])]
    for key, usd in entry.items():
        variant = key in BILLED or any(key.startswith(f"{of}_") for of in (*BILLED, *entry) if PRICE.search(of))
        if PRICE.search(key) and usd and usd not in text and not variant and not ALIKE.fullmatch(key):
            yield key


def _worded(value: Any) -> str:
    """A price, or its range where it depends on something else."""
    if not isinstance(value, Mapping):
        return f"{value} USD"
    ends = sorted({float(usd) for usd in value.values()})
    return f"{' to '.join(f'{end:g}' for end in dict.fromkeys((ends[0], ends[-1])))} USD"


def _from_keys(entry: Mapping[str, Any], provider: str) -> ByLength:
    """Prices per token by the prompt length above which they hold, with what LiteLLM takes where one is missing."""
    base = {field: usd for field, key in KEYS.items() if (usd := _number(entry.get(key))) is not None}
    if (hit := _number(entry.get("input_cost_per_token_cache_hit"))) is not None:  # its older name
        base.setdefault(CACHED, hit)
    if provider in HALF_CACHED and INPUT in base:
        base.setdefault(CACHED, base[INPUT] / 2)
    lists: ByLength = {-1: base}
    fields = {key: field for field, key in KEYS.items()}
    longer = sorted(
        (int(match[2]) * (1000 if match[3] else 1), fields[match[1]], _number(entry[match[0]]))
        for match in map(LONGER.fullmatch, map(str, entry))
        if match and entry[match[0]] is not None
    )
    for length, field, usd in longer:
        above = length - 1 if provider in REACHED else length
        lists.setdefault(above, dict(lists[max(lists)]))[field] = usd
    for tier in entry.get("tiered_pricing") or ():
        start = int(tier.get("range", [0])[0])
        own = {field: _number(tier[key]) for field, key in KEYS.items() if tier.get(key) is not None}
        if INPUT in own:
            lists[start or -1] = {OUTPUT: base.get(OUTPUT)} | own  # the first stands in the place of the entry's own
    return lists


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        raise ValueError
    return None if value is None else float(value)


def _reasoning(entry: Mapping[str, Any], lists: ByLength) -> Iterator[Unpriced]:
    """The samples with reasoning tokens that have a price of their own: all, or those of longer prompts."""
    own, off_peak = _number(entry.get(HIDDEN)), entry.get("off_peak_pricing") or {}
    rates: dict[int, float | None] = dict.fromkeys(lists, own)
    for tier in entry.get("tiered_pricing") or ():
        if (start := int(tier.get("range", [0])[0]) or -1) in rates:
            rates[start] = _number(tier.get(HIDDEN, None if KEYS[OUTPUT] in tier else own))
    different = [above for above, usd in rates.items() if usd not in (None, lists[above].get(OUTPUT))]
    cheaper = _number(off_peak.get(HIDDEN, own))
    if cheaper not in (None, _number(off_peak.get(KEYS[OUTPUT], own))):
        different, rates[-1] = [-1], cheaper
    if different:
        above = min(different)
        longer = {"input_tokens": above} if above >= 0 else {}
        why = f"reasoning tokens have a price of their own there, {rates[above]:g} USD"
        yield Unpriced({**longer, REASONING: 0}, why)


def _by_hour(lists: ByLength, off_peak: Mapping[str, Any]) -> tuple[ByLength, str, tuple[tuple[str, ByLength], ...]]:
    """The prices of the dearest hours, how many these are, and the others; off-peak ones hold for all prompts."""
    cheaper = {field: usd for field, key in KEYS.items() if (usd := _number(off_peak.get(key))) is not None}
    inside = np.zeros(7 * DAY, dtype=bool)
    rules = [{"hours_utc": off_peak.get("hours_utc")}, *(off_peak.get("windows") or ())]
    zone = off_peak.get("weekday_timezone")
    try:
        calendar = ZoneInfo(zone) if zone else None
    except (ValueError, ZoneInfoNotFoundError):
        calendar = None  # UTC, as LiteLLM takes it
    for rule in rules:
        windows = rule.get("hours_utc") or ()
        spans = [_span(window) for window in ([windows] if isinstance(windows, str) else windows)]
        inside |= minutes(spans, range(7) if rule.get("weekdays") is None else _weekdays(rule["weekdays"]), calendar)
    return dearest([(~inside, lists), (inside, {above: usd | cheaper for above, usd in lists.items()})])


def _span(window: str) -> tuple[int, int]:
    """Minutes of ``HH:MM-HH:MM``."""
    start, end = (int(hour) * 60 + int(minute) for hour, minute in (clock.split(":") for clock in window.split("-")))
    return start % DAY, end % DAY


def _weekdays(days: Sequence[Any]) -> Iterator[int]:
    """Days of the week from 0, given as 1 for Monday or by their names."""
    for day in days:
        if isinstance(day, str):
            yield [name[:3].lower() for name in DAYS].index(day.strip().lower()[:3])
        else:
            yield int(day) - 1
