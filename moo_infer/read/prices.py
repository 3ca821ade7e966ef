"""What tokens cost: from the genai-prices package, from a list, or by hand. USD per token throughout."""

import json
import os
import warnings
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

from ..core.arguments import typed
from ..core.documents import read_yaml
from ..core.errors import MooInferError, unknown
from ..core.files import limited_text
from .by_hand import BY_HAND, FLAG, by_hand
from .genai_list import GENAI_PRICES, genai_prices
from .litellm_list import KEYS, litellm, litellm_proxy
from .openrouter_list import is_openrouter, openrouter
from .price import Price
from .price_lists import CACHED, INPUT, OUTPUT, USD, WRITE, Entry, PriceList, Unpriced, same_name

__all__ = ["Price", "by_hand", "find_prices", "from_genai_prices", "from_litellm"]

MOST_BYTES = 2**26  # of a list; LiteLLM's has a fortieth of it
CACHE = (  # prices of a cache, the columns of a log that they are for, and what these tokens are
    (CACHED, "cached_input_tokens", "cached input"),
    (WRITE, "cache_write_tokens", "input written to a cache"),
)


@typed()
def find_prices(
    models: Iterable[str],
    source: str | Path | None,
    on: date,
    overrides: Mapping[str, Price] | None = None,
    *,
    free: Collection[str] = (),
    per_million: bool = False,
) -> dict[str, Price]:
    """Find the price of every model.

    Args:
        models: names as logs have them: ``openai/gpt-5-nano-2025-08-07``, ``gpt-5-nano``, ``openai/azure/gpt-4o``.
        source: ``"genai-prices"``, the path of LiteLLM's list or of a configuration of its proxy, of what OpenRouter
            answers at ``/models``, or of prices by hand (see `by_hand`), or None.
        on: the day of the calls; of a list with dates, the price in force then is taken.
        overrides: prices that win over the source, by model.
        free: models of which a price of 0 in a list is taken at its word; for others it is refused, because that is how
            lists write what they do not know: all of the model, or, where only reads or writes of a cache cost 0,
            samples that have such tokens.
        per_million: prices by hand in a file are USD per million tokens.

    Raises:
        MooInferError: naming all models without a price, and why; for overrides of other models, and for sources that
            cannot be read.

    Warns:
        UserWarning: for models that were matched to an entry of quite another name, or of a provider that their name
            does not tell.

    >>> find_prices(["mine"], None, date(2026, 1, 1), by_hand(["mine=1e-06,2e-06"]))["mine"].source
    'given by hand: mine=1e-06,2e-06'
    """
    models, given = list(dict.fromkeys(models)), dict(overrides or {})
    for named, where in ((given, "prices by hand"), (free, "models that cost nothing")):
        for model in named:
            if model not in models:
                raise unknown("model", model, models, where)
    if set(models) - set(given):
        by_file, listed = _opened(source, on, per_million)
        if per_million and not by_file and not given:
            raise MooInferError(
                f"--per-million (per_million=True) is about prices by hand; {listed.title} has its own unit"
            )
        given = {model: price for model, price in by_file.items() if model in models} | given
    else:
        listed = _NOTHING
    _refuse_idle(free, given)
    found = {model: listed.look_up(model) for model in models if model not in given}
    reasons = {model: _refused(model, entry, model in free) for model, entry in found.items()}
    if refused := {model: reason for model, reason in reasons.items() if reason != ""}:
        raise MooInferError(f"{listed.without(refused)}; give {'it' if len(refused) == 1 else 'them'} by hand: {FLAG}")
    entries = {model: entry for model, entry in found.items() if isinstance(entry, Entry)}
    if others := [f"{model} as {entry.name}" for model, entry in entries.items() if not same_name(model, entry.name)]:
        warnings.warn(
            f"{listed.title} prices {', '.join(others)}; where that is another model, give its price by hand",
            stacklevel=3,
        )
    for model, entry in entries.items():
        if entry.foreign:
            warnings.warn(
                f"{listed.title} prices {model} as {entry.name}, the entry of another provider ({entry.foreign}) than "
                f"the log names; where that did not serve it, give its price by hand: --price {model}=INPUT,OUTPUT",
                stacklevel=3,
            )
    prices = {model: _priced(entry, listed.title, model in free) for model, entry in entries.items()} | given
    return {model: prices[model] for model in models}


def _refuse_idle(free: Collection[str], given: Collection[str]) -> None:
    """Refuse models that are said to be free though no list is asked for their price."""
    if idle := [model for model in free if model in given]:
        raise MooInferError(f"--free (free=...) is about 0 USD in a list; the price of {idle[0]} is given by hand")


def priced_models(source: str | Path, on: date) -> list[str]:
    """Return the names in a list of prices; see `find_prices` for the sources.

    Raises:
        MooInferError: for a source that cannot be read or is no list of prices.
    """
    return list(_opened(source, on)[1].names)


@typed()
def from_genai_prices(model: str, on: date, provider: str | None = None) -> Price:
    """Return the price of a model in force on a day, from the package genai-prices; nothing is downloaded.

    Where a price depends on the time of day, the dearest is taken. Prices of longer prompts hold for the whole request
    there too.

    Args:
        model: with the provider before it (``google/gemini-2.5-flash``), or a name that tells the provider.
        on: the day.
        provider: the provider, where the name is not to be asked.

    Raises:
        MooInferError: where the package is not installed, for an unknown model, naming the closest there are, and for
            one that has no price, or one of 0.

    >>> price = from_genai_prices("openai/gpt-4o-mini-2024-07-18", date(2025, 8, 1))
    >>> price.usd_per_input_token, price.usd_per_output_token
    (1.5e-07, 6e-07)
    """
    return found_price(genai_prices(on, provider), model)


@typed()
def from_litellm(path: str | Path, model: str) -> Price:
    """Return the price of a model from LiteLLM's ``model_prices_and_context_window.json``.

    Entries of the modes chat, responses and completion are read, at the standard rate (not that of batches or priority)
    and at the dearest hours. The list has no dates: it is the price when the file was written.

    Args:
        path: the file.
        model: an entry, or a name as logs have it, with or without the provider.

    Raises:
        MooInferError: for a file that cannot be read or is no such list, for an unknown model, naming the closest, and
            for one that has no price, or one of 0.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "list.json"
    ...     entry = {"litellm_provider": "acme", "mode": "chat", "input_cost_per_token": 1e-06}
    ...     _ = file.write_text(json.dumps({"acme/m": entry | {"output_cost_per_token": 2e-06}}))
    ...     from_litellm(file, "m").part
    {'kind': 'api-cost', 'usd_per_input_token': 1e-06, 'usd_per_output_token': 2e-06}
    """
    return found_price(litellm(Path(path), _json(Path(path))), model)


_NOTHING = PriceList("what was given by hand", (), lambda model: None)  # where no list was named


def _opened(source: str | Path | None, on: date, per_million: bool = False) -> tuple[dict[str, Price], PriceList]:
    """Prices by hand that a source holds, and the list that it is."""
    if source is None:
        return {}, _NOTHING
    if str(source) == GENAI_PRICES:
        return {}, genai_prices(on)
    path = Path(source)
    if not os.path.exists(path):
        raise MooInferError(f"prices {str(source)!r}: is neither {GENAI_PRICES} nor a file")
    document = _json(path) if path.suffix == ".json" else read_yaml(path, f"prices, such as {BY_HAND}")
    if "model_list" in document:
        return {}, litellm_proxy(path, document)
    if is_openrouter(document):
        return {}, openrouter(path, document)
    kinds = {key for entry in document.values() if isinstance(entry, Mapping) for key in entry}
    if kinds & {"litellm_provider", *KEYS.values()}:
        return {}, litellm(path, document)
    if path.suffix == ".json" and not kinds & set(USD):
        raise MooInferError(
            f"{path}: is neither LiteLLM's price list nor OpenRouter's, nor prices by hand, such as {BY_HAND}"
        )
    prices = by_hand(document, f"{path}: by hand", per_million)
    return prices, PriceList(str(path), list(prices), lambda model: None)


def found_price(listed: PriceList, model: str, /) -> Price:
    """Return the price of a model from a list that was opened; raises MooInferError where it has none."""
    entry = listed.look_up(model)
    if not isinstance(entry, Entry) or _zero(model, entry):
        raise MooInferError(f"{listed.without({model: _refused(model, entry)})}; give it by hand: {FLAG}")
    return _priced(entry, listed.title)


def _refused(model: str, entry: Entry | str | None, free: bool = False) -> str | None:
    """Why there is no price: nothing where there is one, None where there is no entry."""
    if isinstance(entry, Entry):
        return "" if free else _zero(model, entry)
    return entry


def _zero(model: str, entry: Entry) -> str:
    """Why an entry is refused that costs nothing; nothing where it has prices."""
    zeros = [name for name in (INPUT, OUTPUT) if any(not usd[name] for usd in entry.lists.values())]
    if not zeros:
        return ""
    whose = f", which is another provider's ({entry.foreign}) than the log names" if entry.foreign else ""
    kinds = " and ".join("input" if name == INPUT else "output" for name in zeros)
    return (
        f"the list says 0 USD for its entry {entry.name} ({kinds}){whose}; where it is free indeed, --free {model} "
        "allows that"
    )


def _priced(entry: Entry, title: str, free: bool = False) -> Price:
    remarks, unpriced = list(entry.remarks), list(entry.unpriced)
    first, *longer = (usd if free else _without_unknown_zeros(usd) for _, usd in sorted(entry.lists.items()))
    for field, column, what in CACHE:
        if not free and any(usd[INPUT] and not usd.get(field, 1) for usd in entry.lists.values()):
            why = f"the list says 0 USD for {what}"
            remarks.append(f"{why}, which is taken as not known")
            unpriced.append(
                Unpriced({column: 0}, f"{why}; where that is free indeed, --free with the name of the model allows it")
            )
    tiers = [{"above_input_tokens": a, **usd} for a, usd in zip(sorted(entry.lists)[1:], longer, strict=True)]
    source = f"{title}, entry {entry.name}"
    return Price(
        **first,
        long_context=tuple(tiers),
        source=source if not entry.hours else f"{source}, at its dearest hours ({entry.hours})",
        usd_per_request=entry.usd_per_request,
        min_cacheable_tokens=entry.min_cacheable_tokens,
        remarks=tuple(remarks),
        hours=entry.hours,
        other_hours=tuple(
            (hours, _priced(Entry(entry.name, lists, entry.usd_per_request), title, free))
            for hours, lists in entry.other_hours
        ),
        unpriced=tuple(unpriced),
    )


def _without_unknown_zeros(usd: Mapping[str, Any]) -> dict[str, Any]:
    """Prices without those of a cache that are 0 beside input that costs something.

    Lists write so what they do not know.
    """
    return {name: price for name, price in usd.items() if price or not usd[INPUT] or name not in (CACHED, WRITE)}


def _json(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(limited_text(path, MOST_BYTES))
    except MooInferError as error:
        raise MooInferError(f"{path}: {error}") from None
    except json.JSONDecodeError as error:
        raise MooInferError(f"{path}: is no JSON: {error.msg} in line {error.lineno}") from None
    except (ValueError, RecursionError):  # a number of too many digits, or lists within lists
        raise MooInferError(f"{path}: must be a JSON text") from None
    if isinstance(document, list):
        document = {"data": document}  # of OpenRouter, without what stands around it
    if not isinstance(document, Mapping):
        raise MooInferError(f"{path}: must be a JSON object with a price for every model, got {document!r:.60}")
    return document
