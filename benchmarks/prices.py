"""Whether entries of price lists cost here what the packages behind the lists say (docs/calibration.md).

Needs both packages; nothing is downloaded by the script. Takes a quarter of a minute::

    pip install genai-prices litellm
    python benchmarks/prices.py

Every entry that answers with text is billed for requests on both sides of the prompt lengths at which prices change,
with and without input from a cache, on a Wednesday at 02:00 UTC, when those that depend on the hour are the dearest.
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

from moo_infer.calibrate.genai_list import genai_prices
from moo_infer.calibrate.litellm_list import litellm as litellm_list
from moo_infer.calibrate.prices import found_price
from moo_infer.errors import MooInferError

WHEN = datetime(2026, 11, 25, 2, tzinfo=UTC)
# Tokens of the prompt, of the output, and of the prompt from a cache.
REQUESTS = np.array(
    [
        *((1000, 500, 0), (1000, 500, 800), (50_000, 700, 0), (130_000, 1000, 0), (200_000, 1000, 0)),
        *((210_000, 1000, 100_000), (280_000, 900, 0), (600_000, 900, 300_000)),
    ],
    dtype=float,
).T


def compared(
    title: str, names: list[str], ours: Callable[[str], object], theirs: Callable[[str, int, int, int], float]
) -> None:
    """Print how many entries cost the same, are refused and why, or differ."""
    counts: Counter[str] = Counter()
    different = []
    for name in names:
        try:
            price = ours(name)
        except MooInferError as error:
            _, _, reason = str(error).partition("): " if "sha256" in str(error) else ": ")
            counts["refused: " + re.sub(r"(?<=entry )\S+ |; .*", "", reason)] += 1
            continue
        usd = price.usd(*REQUESTS)  # type: ignore[attr-defined]
        expected = np.array([theirs(name, *map(int, request)) for request in REQUESTS.T])
        cached = REQUESTS[2] > 0
        if np.allclose(usd, expected, rtol=1e-9):
            counts["the same"] += 1
        elif price.remarks and np.allclose(usd[~cached], expected[~cached], rtol=1e-9):  # type: ignore[attr-defined]
            counts["the same but for cached input, whose price of 0 is taken as not known, which is said"] += 1
        elif any("its own calculator" in remark for remark in price.remarks):  # type: ignore[attr-defined]
            counts["dearer for longer prompts than the package's own calculator takes, which is said"] += 1
        else:
            counts["different"] += 1
            different.append(name)
    print(f"{title}: {len(names)} entries")
    for what, count in counts.most_common():
        print(f"  {count:5d} {what}")
    for name in different:
        print(f"        {name}")


def genai() -> None:
    """The package genai-prices."""
    from genai_prices import Usage
    from genai_prices.data import providers

    entries = {f"{owner.id}/{model.id}": (owner, model) for owner in providers for model in owner.models}

    def theirs(name: str, tokens_in: int, tokens_out: int, cached: int) -> float:
        owner, model = entries[name]
        usage = Usage(input_tokens=tokens_in, output_tokens=tokens_out, cache_read_tokens=cached or None)
        return float(model.calc_price(usage, owner, genai_request_timestamp=WHEN).total_price)

    title = f"genai-prices {version('genai-prices')}"
    listed = genai_prices(WHEN.date())
    compared(title, list(entries), lambda name: found_price(listed, name), theirs)


def litellm() -> None:
    """LiteLLM's list, as its package ships and reads it."""
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm.litellm_core_utils.llm_cost_calc.utils as calculator
    from litellm import cost_per_token, model_cost
    from litellm.types.utils import PromptTokensDetailsWrapper, Usage

    calculator.current_billing_time = lambda: WHEN
    path = Path(calculator.litellm.__file__).parent / "model_prices_and_context_window_backup.json"
    names = [name for name, entry in model_cost.items() if entry.get("mode") in ("chat", "responses")]

    def theirs(name: str, tokens_in: int, tokens_out: int, cached: int) -> float:
        provider = model_cost[name]["litellm_provider"]
        provider = "vertex_ai" if provider.startswith("vertex_ai") else provider.replace("bedrock_converse", "bedrock")
        details = PromptTokensDetailsWrapper(cached_tokens=cached) if cached else None
        usage = Usage(prompt_tokens=tokens_in, completion_tokens=tokens_out, prompt_tokens_details=details)
        usd = cost_per_token(name, tokens_in, tokens_out, custom_llm_provider=provider, usage_object=usage)
        return float(sum(usd))

    listed = litellm_list(path, json.loads(path.read_text(encoding="utf-8")))
    compared(f"LiteLLM {version('litellm')}", names, lambda name: found_price(listed, name), theirs)


if __name__ == "__main__":
    warnings.simplefilter(
        "ignore"
    )  # reasoning tokens with a price of their own are said, and are not in these requests
    genai()
    litellm()
