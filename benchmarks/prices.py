"""Whether entries of price lists cost here what the packages behind the lists say (docs/calibration.md).

Needs both packages; nothing is downloaded by the script. Takes a quarter of a minute::

    pip install genai-prices litellm
    python benchmarks/prices.py

Every entry that answers with text is billed for requests on both sides of the prompt lengths at which prices change,
with input of which none or some was read from a cache, or some or all written to one, or both, and output of which none
or some was reasoning; those whose prices depend on the hour at every hour of a week. The names of entries that do not
answer with text must have no price.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
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
from moo_infer.read.price_lists import Entry, PriceList
from moo_infer.read.prices import found_price

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

WEDNESDAY = datetime(2026, 11, 25, 2, tzinfo=UTC)  # at this hour those that depend on it are the dearest
WEEK = [WEDNESDAY + timedelta(hours=hours, minutes=15) for hours in range(7 * 24)]
SAME = 1e-12  # relative difference of two bills that are the same
LENGTHS = (1000, 50_000, 130_000, 200_000, 210_000, 280_000, 600_000)  # of prompts, tokens
OUTPUT = 700  # tokens
# Shares of the prompt that were read from a cache, and written to one, and of the output that was reasoning.
SHAPES = ((0, 0, 0), (0.8, 0, 0), (0, 1, 0), (0.3, 0.6, 0), (0, 0, 0.4), (0.5, 0.2, 1))
COLUMNS = ("input_tokens", "output_tokens", "cached_input_tokens", "cache_write_tokens", "reasoning_tokens")
Theirs = Callable[[str, datetime, Sequence[int]], float]


def requests(price: Price) -> FloatArray:
    """Tokens by column and request."""
    own = [int(tier["above_input_tokens"]) + more for tier in price.long_context for more in (0, 1, 2)]
    return np.array(
        [
            (length, OUTPUT, int(read * length), int(written * length), int(reasoning * OUTPUT))
            for length in (*LENGTHS, *own)
            for read, written, reasoning in SHAPES
        ],
        dtype=float,
    ).T


def billed(price: Price, tokens: FloatArray) -> tuple[FloatArray, BoolArray]:
    """USD of the requests, as logs and as profiles are billed, and which of them are refused."""
    by_column = dict(zip(COLUMNS, tokens, strict=True))
    refused = np.any([case.among(by_column) for case in price.unpriced], axis=0) & np.ones(tokens.shape[1], dtype=bool)
    usd = price.usd(*tokens[:4])
    part = Registry().build(CostModel, price.part, "price")
    of_cache = {name: by_column[name][:, None] for name in COLUMNS[2:4]}
    draws = Draws(tokens[0][:, None], tokens[1][:, None], np.ones((len(usd), 1)), of_cache)
    np.testing.assert_allclose(part.total(draws, parallelism=1)[:, 0], usd, rtol=SAME)
    return usd, refused


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
        tokens = requests(price)
        usd, refused = billed(price, tokens)
        expected = np.array([theirs(name, WEDNESDAY, request) for request in tokens.T.astype(int).tolist()])
        wrong = ~np.isclose(usd, expected, rtol=SAME, atol=0) & ~refused
        if wrong.any():
            counts["OTHERWISE"] += 1
            print(f"{name}: {usd[wrong][0]!r}, not {expected[wrong][0]!r} for {tokens.T[wrong][0].astype(int)}")
        elif price.hours and not same_at_all_hours(name, price, theirs):
            counts["OTHERWISE at other hours"] += 1
            print(f"{name}: is otherwise at other hours")
        else:
            have = "; ".join(f"{case.have}: {case.why.partition(';')[0]}" for case in price.unpriced)
            have = re.sub(r"[0-9.e-]+(?= USD| tokens)", "...", have)
            counts["the same" + (f" but for samples that are refused, which have {have}" if have else "")] += 1
    print(f"{title}: {len(names)} entries that answer with text")
    for what, count in counts.most_common():
        print(f"  {count:5d} {what}")


def same_at_all_hours(name: str, price: Price, theirs: Theirs) -> bool:
    """Whether the bills of the package over a week are those at the dearest hours, and at the others that are said."""
    known = [price, *(other for _, other in price.other_hours)]
    tokens = requests(price)
    bills = [np.where(billed(price, tokens)[1], 0.0, one.usd(*tokens[:4])) for one in known]
    for hour in WEEK:
        usd = np.array([theirs(name, hour, request) for request in tokens.T.astype(int).tolist()])
        usd[billed(price, tokens)[1]] = 0.0
        if not any(np.allclose(usd, bill, rtol=SAME, atol=0) for bill in bills):
            return False
    return True


def genai() -> None:
    """The package genai-prices."""
    from genai_prices import Usage
    from genai_prices.data import providers

    entries = {f"{owner.id}/{model.id}": (owner, model) for owner in providers for model in owner.models}

    def theirs(name: str, when: datetime, request: Sequence[int]) -> float:
        owner, model = entries[name]
        tokens_in, tokens_out, read, written, reasoning = (number or None for number in request)
        usage = Usage(
            input_tokens=tokens_in,
            output_tokens=tokens_out,
            cache_read_tokens=read,
            cache_write_tokens=written,
            output_reasoning_tokens=reasoning,
        )
        return float(model.calc_price(usage, owner, genai_request_timestamp=when).total_price)

    compared(f"genai-prices {version('genai-prices')}", genai_prices(WEDNESDAY.date()), list(entries), theirs)


def litellm() -> None:
    """LiteLLM's list, as its package ships and reads it."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm.litellm_core_utils.llm_cost_calc.utils as calculator
    from litellm import cost_per_token, model_cost
    from litellm.types.utils import CompletionTokensDetailsWrapper, PromptTokensDetailsWrapper, Usage

    path = Path(calculator.litellm.__file__).parent / "model_prices_and_context_window_backup.json"
    names = [name for name, entry in model_cost.items() if entry.get("mode") in MODES]

    def theirs(name: str, when: datetime, request: Sequence[int]) -> float:
        tokens_in, tokens_out, read, written, reasoning = request
        calculator.current_billing_time = lambda: when
        usage = Usage(
            prompt_tokens=tokens_in,
            completion_tokens=tokens_out,
            total_tokens=tokens_in + tokens_out,
            prompt_tokens_details=PromptTokensDetailsWrapper(cached_tokens=read, cache_creation_tokens=written),
            completion_tokens_details=CompletionTokensDetailsWrapper(reasoning_tokens=reasoning),
        )
        return float(sum(cost_per_token(name, custom_llm_provider=provider(name), usage_object=usage)))

    def provider(name: str) -> str | None:
        named = str(model_cost[name]["litellm_provider"])
        if name.startswith(f"{named}/{named}/"):  # with the provider beside it, the package takes one of these away
            return None
        return "vertex_ai" if named.startswith("vertex_ai") else named.replace("bedrock_converse", "bedrock")

    listed = litellm_list(path, json.loads(path.read_text(encoding="utf-8")))
    compared(f"LiteLLM {version('litellm')}", listed, names, theirs)
    others = [name for name, entry in model_cost.items() if entry.get("mode") not in MODES]
    priced = {name: entry for name in others if isinstance(entry := listed.look_up(name), Entry)}
    unsaid = [name for name, entry in priced.items() if "it has no mode" not in " ".join(entry.remarks)]
    print(f"  of {len(others)} other entries, {len(priced) - len(unsaid)} have a price and no mode, which is said, and")
    print(f"  {len(unsaid)} have a price although they are of another mode, or it is not said: {', '.join(unsaid)}")


if __name__ == "__main__":
    genai()
    litellm()
