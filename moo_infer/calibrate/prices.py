"""What tokens cost: from the genai-prices package, from LiteLLM's list, or by hand. USD per token throughout."""

import json
import math
import os
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..documents import read_yaml
from ..errors import MooInferError, unknown
from ..files import limited_text
from .price_lists import GENAI_PRICES, PRICES, ByLength, PriceList, genai_prices, litellm, same_name

__all__ = ["Price", "by_hand", "find_prices", "from_genai_prices", "from_litellm"]

FloatArray = npt.NDArray[np.float64]

MOST_BYTES = 2**26  # of a list; LiteLLM's has a fortieth of it
QUESTIONED = 0.01  # USD per token; the dearest models on any list are below a tenth of it
BY_HAND = "model: {usd_per_input_token: 5e-08, usd_per_output_token: 4e-07}"


@dataclass(frozen=True)
class Price:
    """What the tokens of a model cost.

    Args:
        usd_per_input_token, usd_per_output_token: USD per token (not per million), >= 0.
        usd_per_cached_input_token: USD per input token read from a cache, >= 0, or None where it is not known.
        long_context: prices of the whole request where the prompt is longer: mappings with ``above_input_tokens``
            and the same prices, as the cost model ``api-cost`` takes them.
        source: where it comes from, in words: list, version, entry, date.

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

    def __post_init__(self) -> None:
        where = self.source or "price"
        high = []
        for name in PRICES:
            if getattr(self, name) is not None or name != "usd_per_cached_input_token":
                object.__setattr__(self, name, _usd(getattr(self, name), f"{where}: {name}"))
                high += [name] * (getattr(self, name) > QUESTIONED)
        tiers = tuple({key: _usd(usd, f"{where}: {key}") for key, usd in tier.items()} for tier in self.long_context)
        object.__setattr__(self, "long_context", tiers)
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
        known = {name: getattr(self, name) for name in PRICES if getattr(self, name) is not None}
        tiers = {"long_context": [dict(tier) for tier in self.long_context]} if self.long_context else {}
        return {"kind": "api-cost", **known, **tiers}

    def usd(self, input_tokens: FloatArray, output_tokens: FloatArray, /) -> FloatArray:
        """USD of single requests of so many tokens (N,), at the list price: discounts of caches are ignored.

        >>> longer = {"above_input_tokens": 900, "usd_per_input_token": 2e-06, "usd_per_output_token": 4e-06}
        >>> Price(1e-06, 2e-06, long_context=(longer,)).usd(np.array([500.0, 1000]), np.array([10.0, 10])).round(5)
        array([0.00052, 0.00204])
        """
        usd: FloatArray = self.usd_per_input_token * input_tokens + self.usd_per_output_token * output_tokens
        for tier in sorted(self.long_context, key=lambda tier: tier["above_input_tokens"]):
            longer = tier["usd_per_input_token"] * input_tokens + tier["usd_per_output_token"] * output_tokens
            usd = np.where(input_tokens > tier["above_input_tokens"], longer, usd)
        return usd


def find_prices(
    models: Iterable[str],
    source: str | Path | None,
    on: date,
    overrides: Mapping[str, Price] | None = None,
) -> dict[str, Price]:
    """Find the price of every model.

    Args:
        models: names as logs have them: ``openai/gpt-5-nano-2025-08-07``, ``gpt-5-nano``.
        source: ``"genai-prices"``, the path of a LiteLLM JSON or of prices by hand (see `by_hand`), or None.
        on: the day of the calls; of a list with dates, the price in force then is taken.
        overrides: prices that win over the source, by model.

    Raises:
        MooInferError: naming all models without a price; for overrides of other models, and for sources that cannot
            be read.

    Warns:
        UserWarning: for models that were matched to an entry of quite another name.

    >>> find_prices(["mine"], None, date(2026, 1, 1), by_hand(["mine=1e-06,2e-06"]))["mine"].source
    'given by hand: mine=1e-06,2e-06'
    """
    models, given = list(dict.fromkeys(models)), dict(overrides or {})
    for model in given:
        if model not in models:
            raise unknown("model", model, models, "prices by hand")
    if set(models) - set(given):
        by_file, listed = _opened(source, on)
        given = {model: price for model, price in by_file.items() if model in models} | given
    else:
        listed = _NOTHING
    found = {model: listed.look_up(model) for model in models if model not in given}
    if missing := [model for model, entry in found.items() if entry is None]:
        raise listed.without(missing)
    matched = {model: entry for model, entry in found.items() if entry is not None}
    if others := [f"{model} as {name}" for model, (name, _) in matched.items() if not same_name(model, name)]:
        warnings.warn(
            f"{listed.title} prices {', '.join(others)}; where that is another model, give its price by hand",
            stacklevel=2,
        )
    prices = {model: _priced(*entry, listed.title) for model, entry in matched.items()} | given
    return {model: prices[model] for model in models}


def from_genai_prices(model: str, on: date, provider: str | None = None) -> Price:
    """Return the price of a model in force on a day, from the package genai-prices; nothing is downloaded.

    Where a price depends on the time of day, that at noon (UTC) is taken. Prices of longer prompts hold for the whole
    request there too.

    Args:
        model: with the provider before it (``google/gemini-2.5-flash``), or a name that tells the provider.
        on: the day.
        provider: the provider, where the name is not to be asked.

    Raises:
        MooInferError: where the package is not installed, and for an unknown model, naming the closest there are.

    >>> price = from_genai_prices("openai/gpt-4o-mini-2024-07-18", date(2025, 8, 1))
    >>> price.usd_per_input_token, price.usd_per_output_token
    (1.5e-07, 6e-07)
    """
    return _found(genai_prices(on, provider), model)


def from_litellm(path: str | Path, model: str) -> Price:
    """Return the price of a model from LiteLLM's ``model_prices_and_context_window.json``.

    Entries of the modes chat and responses are read, at the standard rate (not that of batches or priority). The list
    has no dates: it is the price when the file was written.

    Args:
        path: the file.
        model: an entry, or a name as logs have it, with or without the provider.

    Raises:
        MooInferError: for a file that cannot be read or is no such list, and for an unknown model, naming the closest.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "list.json"
    ...     entry = {"litellm_provider": "acme", "mode": "chat", "input_cost_per_token": 1e-06}
    ...     _ = file.write_text(json.dumps({"acme/m": entry | {"output_cost_per_token": 2e-06}}))
    ...     from_litellm(file, "m").part
    {'kind': 'api-cost', 'usd_per_input_token': 1e-06, 'usd_per_output_token': 2e-06}
    """
    return _found(litellm(Path(path), _json(Path(path))), model)


def by_hand(given: Mapping[str, Any] | Iterable[str], where: str = "given by hand") -> dict[str, Price]:
    """Return prices by model.

    Args:
        given: a mapping ``{model: {usd_per_input_token, usd_per_output_token, usd_per_cached_input_token}}``, the last
            one optional, or texts ``MODEL=INPUT,OUTPUT``; USD per token.
        where: where it stands, the beginning of messages and of sources.

    Raises:
        MooInferError: for unknown or missing keys, text of another form, a model twice, and numbers that are none.

    >>> by_hand({"mine": {"usd_per_input_token": "1e-6"}})
    Traceback (most recent call last):
    moo_infer.errors.MooInferError: given by hand: mine: missing usd_per_output_token
    """
    if not isinstance(given, Mapping):
        return _parsed(given, where)
    prices = {}
    for model, entry in given.items():
        here = f"{where}: {model}"
        if not isinstance(entry, Mapping):
            raise MooInferError(f"{here}: must be a mapping such as {BY_HAND}, got {entry!r:.60}")
        for key in entry:
            if key not in PRICES:
                raise MooInferError(f"{here}: unknown key {key!r}; keys: {', '.join(PRICES)}")
        if missing := [key for key in list(PRICES)[:2] if key not in entry]:
            raise MooInferError(f"{here}: missing {', '.join(missing)}")
        usd: dict[str, Any] = {str(key): value for key, value in entry.items()}  # the check of the price comes now
        prices[str(model)] = Price(**usd, long_context=(), source=here)
    return prices


def _parsed(texts: Iterable[str], where: str) -> dict[str, Price]:
    prices: dict[str, Price] = {}
    for text in texts:
        model, _, numbers = text.rpartition("=")
        usd: list[Any] = numbers.split(",")  # made numbers by the check of the price
        if not model.strip() or len(usd) != 2:
            raise MooInferError(
                f"{where}: must be MODEL=INPUT,OUTPUT in USD per token, such as gpt-5-nano=5e-08,4e-07, got {text!r}"
            )
        if model in prices:
            raise MooInferError(f"{where}: {model} stands there twice")
        prices[model] = Price(usd[0], usd[1], source=f"{where}: {text}")
    return prices


_NOTHING = PriceList("what was given by hand", (), lambda model: None)  # where no list was named


def _opened(source: str | Path | None, on: date) -> tuple[dict[str, Price], PriceList]:
    """Prices by hand that a source holds, and the list that it is."""
    if source is None:
        return {}, _NOTHING
    if str(source) == GENAI_PRICES:
        return {}, genai_prices(on)
    path = Path(source)
    if not os.path.exists(path):
        raise MooInferError(f"prices {str(source)!r}: is neither {GENAI_PRICES} nor a file")
    document = _json(path) if path.suffix == ".json" else read_yaml(path, f"prices, such as {BY_HAND}")
    kinds = {key for entry in document.values() if isinstance(entry, Mapping) for key in entry}
    if kinds & {"litellm_provider", *PRICES.values()}:
        return {}, litellm(path, document)
    if path.suffix == ".json" and not kinds & set(PRICES):
        raise MooInferError(f"{path}: is neither LiteLLM's price list nor prices by hand, such as {BY_HAND}")
    prices = by_hand(document, f"{path}: by hand")
    return prices, PriceList(str(path), list(prices), lambda model: None)


def _found(listed: PriceList, model: str) -> Price:
    entry = listed.look_up(model)
    if entry is None:
        raise listed.without([model])
    return _priced(*entry, listed.title)


def _priced(entry: str, lists: ByLength, title: str) -> Price:
    first, *longer = sorted(lists)
    tiers = [{"above_input_tokens": float(above), **lists[above]} for above in longer]
    return Price(**lists[first], long_context=tuple(tiers), source=f"{title}, entry {entry}")


def _json(path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(limited_text(path, MOST_BYTES))
    except MooInferError as error:
        raise MooInferError(f"{path}: {error}") from None
    except json.JSONDecodeError as error:
        raise MooInferError(f"{path}: is no JSON: {error.msg} in line {error.lineno}") from None
    except (ValueError, RecursionError):  # a number of too many digits, or lists within lists
        raise MooInferError(f"{path}: must be a JSON text") from None
    if not isinstance(document, Mapping):
        raise MooInferError(f"{path}: must be a JSON object with a price for every model, got {document!r:.60}")
    return document


def _usd(given: Any, where: str) -> float:
    try:
        number = math.nan if isinstance(given, bool) else float(given)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not 0 <= number < math.inf:
        raise MooInferError(f"{where}: must be a finite number >= 0, got {given!r:.60}")
    return number
