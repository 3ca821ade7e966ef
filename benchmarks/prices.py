"""Whether entries of price lists cost here what the packages behind the lists say (docs/calibration.md).

Needs both packages; nothing is downloaded by the script. Takes a quarter of a minute::

    pip install genai-prices litellm
    python benchmarks/prices.py

Every entry that answers with text is billed for requests on both sides of the prompt lengths at which prices change,
with input of which none or some was read from a cache, or some or all written to one, on a Wednesday at 02:00 UTC, when
those that depend on the hour are the dearest.
"""

import json
import os
import re
import warnings
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from moo_infer import CostModel, Draws, Registry
from moo_infer.core.errors import MooInferError
from moo_infer.read.genai_list import genai_prices
from moo_infer.read.litellm_list import MODES
from moo_infer.read.litellm_list import litellm as litellm_list
from moo_infer.read.price import Price
from moo_infer.read.price_lists import PriceList
from moo_infer.read.prices import found_price

FloatArray = npt.NDArray[np.float64]

WHEN = datetime(2026, 11, 25, 2, tzinfo=UTC)
# Tokens of the prompt, of the output, and of the prompt read from a cache, and written to one.
REQUESTS = np.array(
    [
        *((1000, 500, 0, 0), (1000, 500, 800, 0), (50_000, 700, 0, 0), (130_000, 1000, 0, 0), (200_000, 1000, 0, 0)),
        *((210_000, 1000, 100_000, 0), (280_000, 900, 0, 0), (600_000, 900, 300_000, 0)),
        *((1000, 500, 0, 1000), (130_000, 700, 0, 130_000), (210_000, 700, 0, 210_000), (600_000, 900, 0, 600_000)),
        *((2000, 500, 800, 700), (130_000, 700, 50_000, 60_000), (600_000, 900, 100_000, 400_000)),
    ],
    dtype=float,
).T
Theirs = Callable[[str, int, int, int, int], float]


def billed(price: Price) -> FloatArray:
    """USD of the requests, as logs and as profiles are billed."""
    tokens_in, tokens_out, read, written = REQUESTS
    usd = price.usd(tokens_in, tokens_out, read, written)
    part = Registry().build(CostModel, price.part, "price")
    of_cache = {"cached_input_tokens": read[:, None], "cache_write_tokens": written[:, None]}
    draws = Draws(tokens_in[:, None], tokens_out[:, None], np.ones((len(usd), 1)), of_cache)
    np.testing.assert_allclose(part.total(draws, parallelism=1)[:, 0], usd, rtol=1e-12)
    return usd


def compared(title: str, listed: PriceList, names: list[str], theirs: Theirs) -> None:
    """Print how many entries cost the same, are refused and why, or differ."""
    counts: Counter[str] = Counter()
    for name in names:
        try:
            price = found_price(listed, name)
        except MooInferError as error:
            _, _, reason = error.args[0].partition(f"{listed.title}: ")
            counts["refused: " + re.sub(r"(?<=entry )\S+ |(?<= any of ).*(?=, whose)|; .*", "", reason)] += 1
            continue
        usd, expected = billed(price), np.array([theirs(name, *map(int, request)) for request in REQUESTS.T])
        cache, said = REQUESTS[2] + REQUESTS[3] > 0, " ".join(price.remarks)
        same = np.isclose(usd, expected, rtol=1e-9)
        if price.usd_per_cache_write_token is None and "written to a cache" not in said:
            same |= REQUESTS[3] > 0  # the entry says nothing of it
        if same.all():
            counts["the same"] += 1
        elif "which is taken as" in said and same[~cache].all():
            counts["the same but for a cache, whose price of 0 is taken as not known, which is said"] += 1
        elif "its own calculator" in said:
            counts["dearer for longer prompts than the package's own calculator takes, which is said"] += 1
        elif "another entry" in said:
            counts["another entry of the same provider than the package takes, which is said"] += 1
        else:
            counts["different, and nothing is said"] += 1
            print(f"{name}: {usd[~same][0]:g}, not {expected[~same][0]:g} for {REQUESTS.T[~same][0].astype(int)}")
    print(f"{title}: {len(names)} entries")
    for what, count in counts.most_common():
        print(f"  {count:5d} {what}")


def genai() -> None:
    """The package genai-prices."""
    from genai_prices import Usage
    from genai_prices.data import providers

    entries = {f"{owner.id}/{model.id}": (owner, model) for owner in providers for model in owner.models}

    def theirs(name: str, tokens_in: int, tokens_out: int, read: int, written: int) -> float:
        owner, model = entries[name]
        cache = {"cache_read_tokens": read or None, "cache_write_tokens": written or None}
        usage = Usage(input_tokens=tokens_in, output_tokens=tokens_out, **cache)
        return float(model.calc_price(usage, owner, genai_request_timestamp=WHEN).total_price)

    compared(f"genai-prices {version('genai-prices')}", genai_prices(WHEN.date()), list(entries), theirs)


def litellm() -> None:
    """LiteLLM's list, as its package ships and reads it."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm.litellm_core_utils.llm_cost_calc.utils as calculator
    from litellm import cost_per_token, model_cost
    from litellm.types.utils import PromptTokensDetailsWrapper, Usage

    calculator.current_billing_time = lambda: WHEN
    path = Path(calculator.litellm.__file__).parent / "model_prices_and_context_window_backup.json"
    names = [name for name, entry in model_cost.items() if entry.get("mode") in MODES]

    def theirs(name: str, tokens_in: int, tokens_out: int, read: int, written: int) -> float:
        details = PromptTokensDetailsWrapper(cached_tokens=read, cache_creation_tokens=written)
        usage = Usage(prompt_tokens=tokens_in, completion_tokens=tokens_out, prompt_tokens_details=details)
        return float(sum(cost_per_token(name, custom_llm_provider=provider(name), usage_object=usage)))

    def provider(name: str) -> str | None:
        named = str(model_cost[name]["litellm_provider"])
        if name.startswith(f"{named}/{named}/"):  # with the provider beside it, the package takes one of these away
            return None
        return "vertex_ai" if named.startswith("vertex_ai") else named.replace("bedrock_converse", "bedrock")

    listed = litellm_list(path, json.loads(path.read_text(encoding="utf-8")))
    compared(f"LiteLLM {version('litellm')}", listed, names, theirs)


if __name__ == "__main__":
    warnings.simplefilter(
        "ignore"
    )  # reasoning tokens with a price of their own are said, and are not in these requests
    genai()
    litellm()
