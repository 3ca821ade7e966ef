"""The prices of OpenRouter: what its API answers at ``/models``."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import MooInferError
from .hours import DAY, DAYS, ByLength, dearest, minutes
from .price_lists import CACHED, INPUT, OUTPUT, WRITE, Entry, Names, PriceList, checksum

__all__ = ["is_openrouter", "openrouter"]

KEYS = {INPUT: "prompt", OUTPUT: "completion", CACHED: "input_cache_read", WRITE: "input_cache_write"}
HOURS = ("utc_start", "utc_end", "utc_days")


def is_openrouter(document: Mapping[str, Any], /) -> bool:
    """Whether it is a list of models as OpenRouter's API gives it."""
    data = document.get("data")
    return isinstance(data, list) and any(isinstance(model, Mapping) and "pricing" in model for model in data)


def openrouter(path: Path, document: Mapping[str, Any], /) -> PriceList:
    """Return OpenRouter's prices, given the file and what it holds.

    USD per token as text; ``overrides`` are prices of longer prompts, or of hours of the week.
    """
    models = {str(model["id"]): model for model in document["data"] if isinstance(model, Mapping) and "id" in model}
    for model in [*models.values()]:  # with the date of its version
        models.setdefault(str(model.get("canonical_slug") or model["id"]), model)

    def alike(names: Sequence[str]) -> bool:
        return all(models[name].get("pricing") == models[names[0]].get("pricing") for name in names)

    known = Names({name: (name.partition("/")[0], name.partition("/")[2]) for name in models}, {}, alike)

    def look_up(model: str) -> Entry | str | None:
        found = known.find(model) or known.find(model.removeprefix("openrouter/"))
        if found is None or isinstance(found, str):
            return found
        try:
            kinds = (models[found[0]].get("architecture") or {}).get("output_modalities") or ["text"]
            if "text" not in kinds:
                return f"its entry {found[0]} is there, but answers with {' and '.join(map(str, kinds))}, not with text"
            return _entry(found[0], models[found[0]].get("pricing") or {}, found[1])
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            raise MooInferError(f"{path}: {found[0]}: pricing is not as OpenRouter writes it") from None

    return PriceList(f"OpenRouter's list {path.name} (sha256 {checksum(path)}, without dates)", list(models), look_up)


def _entry(name: str, pricing: Mapping[str, Any], foreign: str) -> Entry | str:
    """The prices of a model, or why there are none."""
    base = _usd(pricing)
    if missing := [KEYS[field] for field in (INPUT, OUTPUT) if field not in base]:
        return f"its entry {name} is there, but has no price of {' and '.join(missing)}"
    if min(base.values()) < 0:
        return f"its entry {name} says {min(base.values()):g}, which means that the model it chooses has the price"
    overrides = pricing.get("overrides") or ()
    longer = {int(over["min_prompt_tokens"]): _usd(over) for over in overrides if "min_prompt_tokens" in over}
    other = [over for over in overrides if "min_prompt_tokens" not in over]
    if any(not {*HOURS} & over.keys() for over in other):
        return f"its entry {name} has prices under conditions that are not known: {', '.join(sorted(other[0]))}"

    def lists(usd: Mapping[str, Any]) -> ByLength:
        by_length: ByLength = {-1: dict(usd)}
        for above in sorted(longer):
            by_length[above] = by_length[max(by_length)] | longer[above]
        return by_length

    rest = np.ones(7 * DAY, dtype=bool)
    alternatives = []
    for over in other:
        inside = rest & _minutes(over)
        rest &= ~inside
        alternatives.append((inside, lists(base | _usd(over))))
    usd, hours, others = dearest([*alternatives, (rest, lists(base))])
    billed = (*KEYS.values(), "request", "overrides")
    extras = {key: float(usd) for key, usd in pricing.items() if key not in billed and usd is not None}
    text = ", ".join(f"{key}: {usd:g}" for key, usd in extras.items() if usd and usd not in (base[INPUT], base[OUTPUT]))
    remarks = (f"the list has more beside the prices of tokens ({text}), which is not in the bill",) if text else ()
    return Entry(name, usd, float(pricing.get("request") or 0), None, remarks, foreign, hours, others)


def _usd(pricing: Mapping[str, Any]) -> dict[str, float]:
    return {field: float(pricing[key]) for field, key in KEYS.items() if pricing.get(key) is not None}


def _minutes(over: Mapping[str, Any]) -> Any:
    """The minutes of the week at which a price of hours holds; times are whole numbers HHMM."""
    start, end = (int(over.get(key, 0)) for key in ("utc_start", "utc_end"))
    days = [[name.lower() for name in DAYS].index(str(day).lower()) for day in over.get("utc_days", DAYS)]
    return minutes([(start // 100 * 60 + start % 100, end // 100 * 60 + end % 100)], days)
