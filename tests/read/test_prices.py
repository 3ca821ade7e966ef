import csv
import json
import re
import sys
import warnings
from datetime import UTC, date, datetime
from importlib.metadata import version

import numpy as np
import pytest
import yaml

from moo_infer import CostModel, MooInferError, Registry
from moo_infer.read.genai_list import genai_prices
from moo_infer.read.price_lists import CACHED, INPUT, OUTPUT, USD, WRITE
from moo_infer.read.prices import Price, _priced, by_hand, find_prices, from_genai_prices, from_litellm

DAY = date(2025, 8, 1)
CHAT = {"litellm_provider": "acme", "mode": "chat", "input_cost_per_token": 1e-06, "output_cost_per_token": 2e-06}
LITELLM = {
    "sample_spec": CHAT | {"mode": "one of: chat, embedding"},
    "acme/small": CHAT,
    "acme/embed": CHAT | {"mode": "embedding"},
    "acme/long": CHAT
    | {
        "mode": "responses",
        "cache_read_input_token_cost": 1e-07,
        "input_cost_per_token_above_128k_tokens": 3e-06,
        "output_cost_per_token_above_128k_tokens": 4e-06,
        "input_cost_per_token_above_128k_tokens_batches": 9e-06,
        "input_cost_per_token_batches": 5e-07,
    },
    "dashscope/tiers": {
        "litellm_provider": "dashscope",
        "mode": "chat",
        "tiered_pricing": [
            {"range": [0, 256000.0], "input_cost_per_token": 4e-07, "output_cost_per_token": 1.2e-06},
            {"range": [256000.0, 1000000.0], "input_cost_per_token": 1.2e-06, "output_cost_per_token": 3.6e-06},
        ],
    },
    "plain-4": CHAT | {"litellm_provider": "openai"},
    "one/twice": CHAT | {"litellm_provider": "one"},
    "two/twice": CHAT | {"litellm_provider": "two"},
    "free-input": {"litellm_provider": "acme", "mode": "chat", "output_cost_per_token": 2e-06},
}


@pytest.fixture
def litellm(tmp_path):
    (tmp_path / "list.json").write_text(json.dumps(LITELLM))
    return tmp_path / "list.json"


def written(tmp_path, content, name="mine.yaml"):
    (tmp_path / name).write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return tmp_path / name


def per_million(price):
    return round(price.usd_per_input_token * 1e6, 9), round(price.usd_per_output_token * 1e6, 9)


@pytest.mark.parametrize("name", ["openai/gpt-4o-mini-2024-07-18", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"])
def test_names_as_logs_have_them_find_their_price(name):
    price = from_genai_prices(name, DAY)
    assert per_million(price) == (0.15, 0.6)
    assert price.usd_per_cached_input_token == 7.5e-08
    assert price.source == (f"genai-prices {version('genai-prices')}, in force on 2025-08-01, entry openai/gpt-4o-mini")


def test_the_price_in_force_on_the_day_is_taken():
    """o3 became cheaper by four fifths in June 2025."""
    before, after = (from_genai_prices("openai/o3-2025-04-16", day) for day in (date(2025, 5, 1), DAY))
    assert (per_million(before), per_million(after)) == ((10, 40), (2, 8))


def test_where_nights_are_cheaper_the_price_is_that_of_the_day():
    price = from_genai_prices("deepseek/deepseek-chat", date(2025, 5, 1))
    assert per_million(price) == (0.27, 1.1)
    ((hours, cheaper),) = price.other_hours
    assert (hours, per_million(cheaper)) == ("00:00-00:30 and 16:30-24:00 UTC every day", (0.135, 0.55))
    assert price.hours == "112 of 168 hours a week, every day, as this list knows no days of the week"


def test_a_provider_can_be_given_beside_the_name():
    alone = from_genai_prices("gemini-2.5-pro", DAY, provider="google")
    assert alone == from_genai_prices("google/gemini-2.5-pro", DAY, provider="google")
    assert alone == from_genai_prices("google/gemini-2.5-pro", DAY)


def test_prices_of_longer_prompts_become_long_context():
    price = from_genai_prices("google/gemini-2.5-pro", DAY)
    (tier,) = price.long_context
    assert tier["above_input_tokens"] == 200_000
    assert (tier["usd_per_input_token"], tier["usd_per_output_token"]) == (2.5e-06, 1.5e-05)
    part = Registry().build(CostModel, price.part, "mine")
    assert part.long_context[0].usd_per_output_token == 1.5e-05
    assert (part.usd_per_input_token, part.calls) == (1.25e-06, "parallel")


def test_without_the_package_a_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    with pytest.raises(MooInferError, match=r"not installed: pip install 'moo-infer\[prices\]'$"):
        from_genai_prices("gpt-4o", DAY)


def test_an_unknown_model_is_an_error_with_the_closest_names():
    with pytest.raises(MooInferError, match=r"no price of openai/gpt-4o-minni \(closest: openai/gpt-4o-mini.* --price"):
        from_genai_prices("openai/gpt-4o-minni", DAY)


@pytest.mark.parametrize("name", ["vllm/gpt-4o", "epoch/gpt-4o", "openai/text-embedding-3-nothing"])
def test_what_somebody_else_serves_has_no_price_of_the_maker(name):
    with pytest.raises(MooInferError, match=f"^no price of {name}"):
        from_genai_prices(name, DAY)


def test_another_name_than_the_models_own_is_said():
    with pytest.warns(
        UserWarning, match="prices google/gemini-2.0-flash-thinking-exp-01-21 as google/gemini-2.0-flash;"
    ):
        find_prices(["google/gemini-2.0-flash-thinking-exp-01-21", "gpt-4o-2024-08-06"], "genai-prices", DAY)


def test_all_list_prices_of_the_public_logs(data):
    """Two of the 75 were priced there under a name without -pre-release, and need a price by hand."""
    if version("genai-prices") != "0.2.3":
        pytest.skip("the prices there are those of genai-prices 0.2.3")
    agree, differ = 0, set()
    with (data / "epoch_gpqa" / "prices.csv").open() as file:
        for row in csv.DictReader(file):
            if row["match_kind"] not in ("exact", "alias") or not row["price_source"].startswith("genai-prices"):
                continue
            try:
                price = from_genai_prices(row["model"], date.fromisoformat(row["run_date"]))
                listed = float(row["input_usd_per_mtok"]), float(row["output_usd_per_mtok"])
                assert per_million(price) == pytest.approx(listed, rel=1e-12)
                assert price.source.endswith(f"entry {row['matched_entry']}")
                agree += 1
            except MooInferError:
                differ.add(row["model"])
    assert (agree, differ) == (71, {"openai/gpt-5.5-pre-release", "openai/gpt-5.5-pro-pre-release"})


@pytest.mark.parametrize("name", ["acme/small", "small", "openai/plain-4", "plain-4"])
def test_litellm_names_with_and_without_provider(litellm, name):
    assert per_million(from_litellm(litellm, name)) == (1, 2)


def test_litellm_prices_of_longer_prompts(litellm):
    price = from_litellm(litellm, "acme/long")
    assert price.usd_per_cached_input_token == 1e-07
    longer = {"above_input_tokens": 128_000, "usd_per_input_token": 3e-06, "usd_per_output_token": 4e-06}
    assert price.long_context == (longer | {"usd_per_cached_input_token": 1e-07},)
    tiers = from_litellm(litellm, "alibaba/tiers")
    assert per_million(tiers) == (0.4, 1.2)
    longer = {"above_input_tokens": 256_000, "usd_per_input_token": 1.2e-06, "usd_per_output_token": 3.6e-06}
    assert tiers.long_context == (longer,)
    Registry().build(CostModel, tiers.part, "mine")


def test_the_source_of_a_litellm_price_names_the_file_and_the_entry(litellm):
    assert "list.json (sha256 " in (source := from_litellm(litellm, "small").source)
    assert source.endswith("without dates), entry acme/small")


@pytest.mark.parametrize("name", ["sample_spec", "acme/embed", "twice", "other/small", "free-input"])
def test_what_litellm_has_no_one_text_price_for_is_an_error(litellm, name):
    with pytest.raises(MooInferError, match=f"^no price of {name}"):
        from_litellm(litellm, name)


HIDDEN = "output_cost_per_reasoning_token"


def refused(price, **tokens):
    """Which of the cases without a price a sample belongs to."""
    columns = {"input_tokens": 1000.0, "reasoning_tokens": 0.0} | tokens
    return [case.why for case in price.unpriced if case.among({name: np.array([n]) for name, n in columns.items()})[0]]


def test_samples_with_reasoning_tokens_have_no_price_where_these_have_one_of_their_own(tmp_path):
    price = only(tmp_path, CHAT | {HIDDEN: 4e-06})
    assert per_million(price) == (1, 2)
    assert refused(price) == []
    said = ["reasoning tokens have a price of their own there, 4e-06 USD"]
    assert refused(price, reasoning_tokens=1.0) == refused(price, reasoning_tokens=np.nan) == said
    assert only(tmp_path, CHAT | {HIDDEN: 2e-06}).unpriced == ()


@pytest.mark.parametrize(
    ("entry", "above", "usd"),
    [
        ({HIDDEN: 2e-06, "output_cost_per_token_above_200k_tokens": 3e-06}, 200_000, 2e-06),
        ({"tiered_pricing": [{"range": [0, 100], "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6},
                             {"range": [100, 200], "input_cost_per_token": 2e-6, HIDDEN: 7e-06}]}, 100, 7e-06),
        ({HIDDEN: 2e-06, "off_peak_pricing": {"hours_utc": "16:00-17:00", "output_cost_per_token": 1e-06}}, None, 2e-06),
        ({"off_peak_pricing": {"hours_utc": "16:00-17:00", HIDDEN: 5e-07}}, None, 5e-07),
    ],
)  # fmt: skip
def test_reasoning_tokens_may_have_a_price_of_their_own_for_longer_prompts_or_at_some_hours_alone(
    tmp_path, entry, above, usd
):
    price = only(tmp_path, CHAT | entry)
    said = [f"reasoning tokens have a price of their own there, {usd:g} USD"]
    assert refused(price, input_tokens=(above or 0) + 1.0, reasoning_tokens=1.0) == said
    assert refused(price, input_tokens=(above or 0) + 1.0) == []
    if above:
        assert refused(price, input_tokens=float(above), reasoning_tokens=1.0) == []


def test_what_litellms_own_calculator_bills_otherwise_than_its_list_has_no_price(tmp_path):
    """The calculator of its package for perplexity knows neither lengths nor writes to a cache."""
    longer = CHAT | {"litellm_provider": "perplexity", "input_cost_per_token_above_272k_tokens": 2e-06}
    price = only(tmp_path, longer | {"cache_creation_input_token_cost": 1.25e-06})
    assert refused(price, input_tokens=272_000.0) == []
    (said,) = refused(price, input_tokens=272_001.0)
    assert (
        said == "the list has another price for that than LiteLLM's own calculator, which bills it as any other input"
    )
    assert refused(price, cache_write_tokens=1.0) == [said]
    assert refused(only(tmp_path, longer), cache_write_tokens=1.0) == []
    assert only(tmp_path, longer | {"litellm_provider": "acme"}).unpriced == ()


def test_entries_of_another_mode_have_no_price_although_others_of_that_name_have(tmp_path):
    entries = {"acme/embed": CHAT | {"mode": "embedding"}, "gateway/acme/embed": CHAT | {"litellm_provider": "gateway"}}
    entries |= {"bare": {key: value for key, value in CHAT.items() if key != "mode"}}
    file = written(tmp_path, json.dumps(entries), "list.json")
    with pytest.raises(MooInferError, match="its entry acme/embed is there, but of the mode embedding, not of text"):
        from_litellm(file, "acme/embed")
    said = "the list does not say whether its entry bare answers with text: it has no mode"
    assert from_litellm(file, "bare").remarks == (said,)


def test_other_names_of_a_litellm_entry_have_its_price(tmp_path):
    entries = {"acme/m": CHAT | {"aliases": ["acme/m-now", "acme/n"]}, "acme/n": CHAT | {"input_cost_per_token": 3e-06}}
    entries |= {"acme/latest": {"alias_of": "acme/n", "litellm_provider": "acme"}}
    file = written(tmp_path, json.dumps(entries), "list.json")
    for name, usd in (("acme/m", 1), ("acme/m-now", 1), ("acme/n", 3), ("acme/latest", 3)):
        assert per_million(from_litellm(file, name)) == (usd, 2)


def test_the_kind_of_a_file_is_told_by_its_content(litellm, tmp_path):
    yours = {"small": {"usd_per_input_token": 5e-07, "usd_per_output_token": "1e-6"}}
    for name, text in (("mine.yaml", yaml.safe_dump(yours)), ("mine.json", json.dumps(yours))):
        price = find_prices(["small"], written(tmp_path, text, name), DAY)["small"]
        assert per_million(price) == (0.5, 1)
        assert price.source == f"{tmp_path / name}: by hand: small"
    assert per_million(find_prices(["acme/small"], litellm, DAY)["acme/small"]) == (1, 2)


def test_a_price_by_hand_wins(litellm):
    overrides = by_hand(["small=5e-07,7e-07", "of=mine=1e-9,0"])
    found = find_prices(["small", "of=mine", "acme/long"], litellm, DAY, overrides)
    assert list(found) == ["small", "of=mine", "acme/long"]
    assert per_million(found["small"]) == (0.5, 0.7)
    assert found["small"].source == "given by hand: small=5e-07,7e-07"
    assert found["of=mine"].usd_per_output_token == 0


def test_all_models_without_a_price_are_named_at_once(litellm):
    with pytest.raises(MooInferError, match=r"no price of acme/smal \(closest: acme/small.*\), qqq in .*--price M"):
        find_prices(["acme/smal", "acme/small", "qqq"], litellm, DAY)
    with pytest.raises(MooInferError, match="no price of a, b in what was given by hand"):
        find_prices(["a", "b", "c"], None, DAY, by_hand(["c=0,0"]))


def test_a_price_for_a_model_that_is_not_there_is_an_error(litellm):
    with pytest.raises(MooInferError, match="prices by hand: unknown model 'smal'; available: small"):
        find_prices(["small"], litellm, DAY, by_hand(["smal=1e-6,1e-6"]))


def test_a_price_per_million_is_questioned():
    with pytest.warns(UserWarning, match=r"small: usd_per_output_token: 0.4 USD per token is much: .* give 4e-07$"):
        by_hand({"small": {"usd_per_input_token": 5e-08, "usd_per_output_token": 0.4}})
    Price(0.01, 0.01)


@pytest.mark.parametrize("number", [-1e-6, float("nan"), float("inf"), True, "cheap", None, [1]], ids=repr)
def test_numbers_that_are_no_price_are_refused(number):
    with pytest.raises(MooInferError, match="^price: usd_per_input_token: must be a finite number >= 0, got "):
        Price(number, 1e-6)
    with pytest.raises(
        MooInferError, match="^given by hand: m: usd_per_output_token: must be a finite number >= 0, got"
    ):
        by_hand({"m": {"usd_per_input_token": 1e-6, "usd_per_output_token": number}})
    if number is not None:
        with pytest.raises(MooInferError, match="^price: usd_per_cached_input_token: must be a finite number"):
            Price(1e-6, 1e-6, number)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("small", "must be MODEL=INPUT,OUTPUT in USD per token, .* got 'small'"),
        ("=1,2", "must be MODEL=INPUT"),
        ("small=1e-6", "must be MODEL=INPUT"),
        ("small=1e-6,x", "small=1e-6,x: usd_per_output_token: must be a finite number >= 0, got 'x'"),
    ],
)
def test_text_of_another_form_is_refused(text, message):
    with pytest.raises(MooInferError, match=f"^given by hand: {message}"):
        by_hand([text])


def test_a_model_that_was_given_twice_is_refused():
    with pytest.raises(MooInferError, match="given by hand: small stands there twice"):
        by_hand(["small=1e-6,1e-6", "small=2e-6,1e-6"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "{}", "is neither LiteLLM's price list nor OpenRouter's, nor prices by hand"),
        ("a.json", '{"m": {"price": 3}}', "is neither LiteLLM's price list nor OpenRouter's, nor prices by hand"),
        ("a.json", "[1]", "is neither LiteLLM's price list nor OpenRouter's, nor prices by hand"),
        ("a.json", "1", "must be a JSON object with a price for every model, got 1"),
        ("a.json", '{"m": ', "is no JSON: .* in line 1"),
        (
            "a.json",
            '{"m": {"litellm_provider": "x", "mode": "embedding"}}',
            "is no price list of LiteLLM: no entry has the mode chat",
        ),
        ("a.yaml", "- 1", "must be a mapping with prices, such as model: .usd_per_input_token: .* got a list"),
        ("a.yaml", "", "is empty; expected prices, such as model"),
        ("a.yaml", {"m": 3}, "by hand: m: must be a mapping such as model: .*, got 3"),
        ("a.yaml", {"m": {"usd_per_input_token": 1e-6}}, "by hand: m: missing usd_per_output_token"),
        (
            "a.yaml",
            {"m": {"input": 1e-6}},
            "by hand: m: unknown key 'input'; keys: usd_per_input_token, usd_per_output",
        ),
        ("a.yaml", "m: {a: 1}\nm: {a: 2}", "line 2: duplicate key 'm'"),
    ],
)
def test_files_that_are_no_price_list_are_refused(tmp_path, name, content, message):
    file = written(tmp_path, content, name)
    with pytest.raises(MooInferError, match=f"{name}: {message}"):
        find_prices(["m"], file, DAY)


def test_tiers_of_another_shape_are_refused(tmp_path):
    file = written(tmp_path, json.dumps({"m": CHAT | {"tiered_pricing": [3]}}), "list.json")
    with pytest.raises(MooInferError, match="list.json: m: prices are not as LiteLLM writes them"):
        from_litellm(file, "m")


@pytest.mark.parametrize(
    "odd", [{"input_cost_per_token": "cheap"}, {"input_cost_per_request": "x"}, {"prompt_cache_min_tokens": [1]},
            {"output_cost_per_token_above_200k_tokens": "x"}, {"search_context_cost_per_query": {"a": "x"}}, {"alias_of": [1], "input_cost_per_token": True}],
    ids=str,
)  # fmt: skip
def test_prices_that_are_no_numbers_are_refused(tmp_path, odd):
    with pytest.raises(MooInferError, match="list.json: acme/m: prices are not as LiteLLM writes them"):
        only(tmp_path, CHAT | odd)


def test_a_source_that_is_no_file_is_an_error():
    with pytest.raises(MooInferError, match="prices 'genaiprices': is neither genai-prices nor a file"):
        find_prices(["m"], "genaiprices", DAY)


def test_every_entry_of_genai_prices_costs_what_the_package_says_or_is_refused_in_words():
    """At lengths on both sides of all tiers, with and without cached input, on a morning when all are dearest."""
    from genai_prices import Usage
    from genai_prices.data import providers

    morning = datetime(2026, 11, 25, 2, tzinfo=UTC)
    listed = genai_prices(morning.date())
    tokens = [(1000, 800), (130_000, 0), (200_000, 0), (210_000, 9), (600_000, 300_000)]
    equal, refused = 0, 0
    for owner in providers:
        for model in owner.models:
            entry = listed.look_up(f"{owner.id}/{model.id}")
            if isinstance(entry, str):
                assert "is there, but has no price of text" in entry
                refused += 1
                continue
            price = _priced(entry, "")
            for n, cached in tokens:
                usage = Usage(input_tokens=n, output_tokens=500, cache_read_tokens=cached or None)
                expected = float(model.calc_price(usage, owner, genai_request_timestamp=morning).total_price)
                ours = price.usd(np.array([float(n)]), np.array([500.0]), np.array([float(cached)]))
                assert ours[0] == pytest.approx(expected, rel=1e-12), entry.name
            equal += 1
    assert equal > 2 * refused > 0


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("openai/azure/gpt-4o", "openai/gpt-4o"),
        ("azureai/gpt-4o", "openai/gpt-4o"),
        ("azure_ai/gpt-4o-2024-08-06", "openai/gpt-4o"),
        ("anthropic/bedrock/us.anthropic.claude-3-5-sonnet-20241022-v2:0", "aws/regional.anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ("anthropic/vertex/claude-3-5-sonnet-v2@20241022", "google/claude-3-5-sonnet"),
        ("google/vertex/gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("vertex_ai/gemini-2.5-pro", "google/gemini-2.5-pro"),
        ("openai-api/groq/llama-3.3-70b-versatile", "groq/llama-3.3-70b-versatile"),
    ],
)  # fmt: skip
def test_names_of_clouds_find_their_price_in_genai_prices(name, entry):
    assert from_genai_prices(name, DAY).source.endswith(f"entry {entry}")


def test_a_cloud_that_has_the_prices_of_the_maker_is_said():
    with pytest.warns(
        UserWarning, match=r"prices openai/azure/gpt-4o as openai/gpt-4o, the entry of another prov.* \(openai\)"
    ):
        find_prices(["openai/azure/gpt-4o"], "genai-prices", DAY)


CLOUDS = {
    name: CHAT | {"litellm_provider": provider}
    for name, provider in {
        "gpt-9": "openai",
        "azure/gpt-9": "azure",
        "azure/gpt-9-mini": "azure",
        "azure_ai/phi-9": "azure_ai",
        "anthropic.claude-9-20290101-v1:0": "bedrock_converse",
        "us.anthropic.claude-9-20290101-v1:0": "bedrock",
        "vertex_ai/claude-9@20290101": "vertex_ai-anthropic_models",
        "claude-9-20290101": "anthropic",
        "gemini-9": "vertex_ai-language-models",
        "gemini/gemini-9": "gemini",
        "gemini/gemini-9-flash": "gemini",
        "xai/grok-9-0709": "xai",
        "fireworks_ai/accounts/fireworks/models/r9": "fireworks_ai",
        "deepinfra/meta/llama-9": "deepinfra",
        "ollama/llama-9": "ollama",
        "o9-2029-01-01": "openai",
        "o9-2029-02-02": "openai",
    }.items()
}
CLOUDS["o9-2029-02-02"] = CLOUDS["o9-2029-02-02"] | {"input_cost_per_token": 5e-06}
CLOUDS["gpt-latest"] = {"alias_of": "gpt-9"}
CLOUDS["mine"] = {"input_cost_per_token": 1e-06, "output_cost_per_token": "2e-6"}


@pytest.mark.parametrize(
    ("name", "entry", "foreign"),
    [
        ("openai/gpt-9", "gpt-9", ""),
        ("openai/azure/gpt-9", "azure/gpt-9", ""),
        ("openai/azure/gpt-9-mini-2029-03-03", "azure/gpt-9-mini", ""),
        ("azure/gpt-9", "azure/gpt-9", ""),
        ("azure_ai/gpt-9", "azure/gpt-9", "azure"),
        ("azureai/phi-9", "azure_ai/phi-9", ""),
        ("openai/azure/phi-9", "azure_ai/phi-9", "azure_ai"),
        ("openai/vertex/gpt-9", "gpt-9", "openai"),  # the maker's, where the cloud has none
        ("anthropic/bedrock/anthropic.claude-9-20290101-v1:0", "anthropic.claude-9-20290101-v1:0", ""),
        ("bedrock/us.anthropic.claude-9-20290101-v1:0", "us.anthropic.claude-9-20290101-v1:0", ""),
        ("bedrock/converse/anthropic.claude-9-20290101-v1:0", "anthropic.claude-9-20290101-v1:0", ""),
        ("aws/anthropic.claude-9-20290101-v1:0", "anthropic.claude-9-20290101-v1:0", ""),
        ("anthropic/vertex/claude-9@20290101", "vertex_ai/claude-9@20290101", ""),
        ("vertex_ai/claude-9", "vertex_ai/claude-9@20290101", ""),
        ("anthropic/claude-9", "claude-9-20290101", ""),
        ("google/vertex/gemini-9", "gemini-9", ""),
        ("google/vertex/gemini-9-flash", "gemini/gemini-9-flash", "gemini"),
        ("google/gemini-9", "gemini/gemini-9", ""),
        ("gemini-9", "gemini-9", ""),
        ("grok/grok-9", "xai/grok-9-0709", ""),
        ("x-ai/grok-9-latest", "xai/grok-9-0709", ""),
        ("fireworks/accounts/fireworks/models/r9", "fireworks_ai/accounts/fireworks/models/r9", ""),
        ("meta/llama-9", "deepinfra/meta/llama-9", "deepinfra"),
        ("Meta/Llama-9", "deepinfra/meta/llama-9", "deepinfra"),
        ("llama-9", "ollama/llama-9", "ollama"),
        ("openai/o9-2029-01-01", "o9-2029-01-01", ""),
        ("gpt-latest", "gpt-latest", ""),
        ("mine", "mine", ""),
    ],
)  # fmt: skip
def test_names_of_clouds_find_their_price_in_litellm(tmp_path, name, entry, foreign):
    file = written(tmp_path, json.dumps(CLOUDS), "list.json")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        price = find_prices([name], file, DAY)[name]
    assert price.source.endswith(f"entry {entry}")
    assert [f"({foreign})" in str(warning.message) for warning in said] == [True] * bool(foreign)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "openai/o9",
            r"no price of openai/o9 in .*: it may be any of o9-2029-01-01, o9-2029-02-02, whose providers or prices",
        ),
        ("o9-2029-03-03", "it may be any of o9-2029-01-01, o9-2029-02-02"),
        ("vllm/meta/llama-9", r"no price of vllm/meta/llama-9 \(closest"),
        ("openai/azure/nothing", "no price of openai/azure/nothing in"),
    ],
)
def test_names_that_may_mean_several_models_or_none_are_refused(tmp_path, name, message):
    with pytest.raises(MooInferError, match=message):
        find_prices([name], written(tmp_path, json.dumps(CLOUDS), "list.json"), DAY)


def test_the_same_model_at_several_providers_is_nobodys(litellm):
    with pytest.raises(
        MooInferError, match="twice in .*: it may be any of one/twice, two/twice, whose providers or prices"
    ):
        find_prices(["twice"], litellm, DAY)
    with pytest.warns(
        UserWarning, match=r"prices small as acme/small, the entry of another provider \(acme\) than the log"
    ):
        find_prices(["small"], litellm, DAY)


FREE = CHAT | {"input_cost_per_token": 0, "output_cost_per_token": 0.0}


@pytest.mark.parametrize(
    ("entry", "what"),
    [(FREE, "input and output"), (FREE | {"output_cost_per_token": 1e-6}, "input"), (FREE | {"input_cost_per_token": 1e-6}, "output"),
     (FREE | {"tiered_pricing": [{"range": [0, 10], "input_cost_per_token": 0, "output_cost_per_token": 0}]}, "input and output")],
)  # fmt: skip
def test_a_price_of_nothing_is_refused_unless_it_is_allowed(tmp_path, entry, what):
    file = written(tmp_path, json.dumps({"acme/m": entry, "acme/small": CHAT}), "list.json")
    message = re.escape(
        f"the list says 0 USD for its entry acme/m ({what}); where it is free indeed, --free acme/m allows that; give it by hand"
    )
    for ask in (lambda: find_prices(["acme/m", "acme/small"], file, DAY), lambda: from_litellm(file, "acme/m")):
        with pytest.raises(MooInferError, match=f"^no price of acme/m in .*: {message}"):
            ask()
    find_prices(["acme/m"], file, DAY, free=["acme/m"])
    assert find_prices(["acme/m"], file, DAY, by_hand(["acme/m=0,0"]))["acme/m"].usd_per_output_token == 0
    assert find_prices(["m"], written(tmp_path, {"m": {INPUT: 0, OUTPUT: 0}}), DAY)["m"].usd_per_input_token == 0
    with pytest.raises(MooInferError, match="models that cost nothing: unknown model 'other'"):
        find_prices(["acme/m"], file, DAY, free=["other"])


def test_all_reasons_are_named_at_once(tmp_path):
    file = written(
        tmp_path,
        json.dumps({"a": FREE, "b": CHAT | {"output_cost_per_token": None}, "c": CHAT | {"mode": "rerank"}, "e": CHAT}),
        "list.json",
    )
    with pytest.raises(MooInferError) as error:
        find_prices(["a", "b", "c", "zzz", "e"], file, DAY)
    assert "no price of a, b, c, zzz in LiteLLM's list" in str(error.value)
    message = error.value.args[0]  # of which a terminal shows the beginning and the end
    assert "says 0 USD for its entry a" in message
    assert "its entry b is there, but has no output price (output_cost_per_token: null)" in message
    assert "its entry c is there, but of the mode rerank, not of text" in message
    assert message.endswith("give them by hand: --price MODEL=INPUT,OUTPUT in USD per token")


def only(tmp_path, entry, name="acme/m"):
    return from_litellm(written(tmp_path, json.dumps({name: entry}), "list.json"), name)


def test_prices_of_caches_and_requests_are_carried(tmp_path):
    entry = CHAT | {
        "cache_read_input_token_cost": 1e-07,
        "cache_creation_input_token_cost": 1.25e-06,
        "cache_creation_input_token_cost_above_200k_tokens": 2.5e-06,
        "output_cost_per_token_above_128k_tokens": 4e-06,
        "input_cost_per_request": 0.005,
        "prompt_cache_min_tokens": 4096,
        "search_context_cost_per_query": {"search_context_size_low": 0.005, "search_context_size_high": 0.01},
    }
    price = only(tmp_path, entry)
    base = {INPUT: 1e-06, OUTPUT: 2e-06, CACHED: 1e-07, WRITE: 1.25e-06}
    assert price.part == {"kind": "api-cost", **base, "usd_per_request": 0.005, "min_cacheable_tokens": 4096, "long_context": [
        {"above_input_tokens": 128_000, **base, OUTPUT: 4e-06},
        {"above_input_tokens": 200_000, **base, OUTPUT: 4e-06, WRITE: 2.5e-06},
    ]}  # fmt: skip
    assert price.remarks == (
        "the list has prices beside those of tokens of text (search_context_cost_per_query: 0.005 to 0.01 USD), which are not in the bill",
    )
    Registry().build(CostModel, price.part | {"calls": "cached"}, "mine")


def test_a_cache_for_nothing_is_taken_as_not_known(tmp_path):
    price = only(tmp_path, CHAT | {"cache_read_input_token_cost": 0.0, "cache_creation_input_token_cost": 0})
    assert (price.usd_per_cached_input_token, price.usd_per_cache_write_token) == (None, None)
    assert price.remarks == (
        "the list says 0 USD for cached input, which is taken as not known",
        "the list says 0 USD for input written to a cache, which is taken as not known",
    )
    why = "the list says 0 USD for {}; where that is free indeed, --free with the name of the model allows it"
    assert refused(price) == []
    assert refused(price, cached_input_tokens=9.0) == [why.format("cached input")]
    assert refused(price, cache_write_tokens=9.0) == [why.format("input written to a cache")]
    free = find_prices(["acme/m"], tmp_path / "list.json", DAY, free=["acme/m"])["acme/m"]
    assert (free.usd_per_cached_input_token, free.usd_per_cache_write_token) == (0, 0)
    assert (free.remarks, free.unpriced) == ((), ())


def test_prices_of_what_is_no_text_are_said(tmp_path):
    images = {"input_cost_per_image": 0.001, "output_cost_per_image": 0.13, "input_cost_per_image_token": 1e-06}
    entry = CHAT | images | {"input_cost_per_audio_token": 4e-05, "input_cost_per_audio_token_batches": 2e-05}
    assert only(tmp_path, entry).remarks == (
        "the list has prices beside those of tokens of text (input_cost_per_image: 0.001 USD, output_cost_per_image: "
        "0.13 USD, input_cost_per_audio_token: 4e-05 USD), which are not in the bill",
    )


def test_prices_of_other_service_and_units_are_not_said(tmp_path):
    more = {"input_cost_per_token_flex": 5e-07, "cache_creation_input_token_cost_above_1hr": 2e-06}
    assert only(tmp_path, CHAT | more | {"input_dbu_cost_per_token": 1e-05, "output_cost_per_image": 0}).remarks == ()


def test_prices_of_genai_prices_that_are_not_of_tokens_of_text_are_said():
    price = from_genai_prices("perplexity/sonar-deep-research", date(2026, 11, 25))
    assert "(web_searches_kcount: 5 USD)" in price.remarks[0]
    assert refused(price, reasoning_tokens=1.0) == ["reasoning tokens have a price of their own there, 3e-06 USD"]
    assert refused(price) == []


def test_prices_per_request_that_the_list_should_not_have_are_said(tmp_path):
    said = "beside those of tokens of text (cost_per_request: 0.01 USD), which"
    assert said in only(tmp_path, CHAT | {"cost_per_request": 0.01}).remarks[0]


def test_a_price_of_nothing_for_longer_prompts_is_refused(tmp_path):
    entry = CHAT | {"input_cost_per_token_above_128k_tokens": 0, "output_cost_per_token_above_128k_tokens": 3e-06}
    with pytest.raises(
        MooInferError, match=r"the list says 0 USD for its entry acme/m \(input\); where it is free indeed"
    ):
        only(tmp_path, entry)


def test_completions_are_text(tmp_path):
    assert only(tmp_path, CHAT | {"mode": "completion"}).usd_per_input_token == 1e-06


def test_another_version_than_the_logs_is_said(tmp_path):
    """Versions of one model have had prices that differ by a factor of 2."""
    entries = {"m-9-2029-05-13": CHAT, "gemini-9-flash": CHAT, "l-latest": CHAT, "k-001": CHAT}
    file = written(tmp_path, json.dumps(entries), "list.json")
    for name, entry in (("acme/m-9-2029-08-06", "m-9-2029-05-13"), ("gemini-9-flash-preview-05-20", "gemini-9-flash")):
        with pytest.warns(UserWarning, match=f"prices {name} as {entry}; where that is another model"):
            find_prices([name], file, DAY)
    for name in ("m-9", "gemini-9-flash-001", "l-2029-01-01", "k"):
        find_prices([name], file, DAY)


def test_another_entry_of_the_same_provider_is_said_where_its_prices_differ(tmp_path):
    entries = {"m": CHAT, "acme/m": CHAT | {"input_cost_per_token": 3e-06}, "n": CHAT, "acme/n": CHAT | {"rpm": 5}}
    entries["acme/n"] |= {"cache_creation_input_token_cost": 0, "input_cost_per_token_batches": 5e-07}
    file = written(tmp_path, json.dumps(entries), "list.json")
    said = "the list has another entry of the same provider, m, whose prices differ"
    price = from_litellm(file, "m")  # as LiteLLM takes the one with the provider before it
    assert (price.remarks, per_million(price)) == ((said,), (3, 2))
    assert from_litellm(file, "n").remarks == (
        "the list says 0 USD for input written to a cache, which is taken as not known",
    )
    assert from_litellm(file, "ACME/n").usd_per_input_token == 1e-06
    with pytest.raises(MooInferError, match="it may be any of m, acme/m"):
        from_litellm(file, "ACME/m")
    entries = {"acme/acme/m": CHAT, "acme/m": CHAT | {"input_cost_per_token": 3e-06}}  # are two models
    file = written(tmp_path, json.dumps(entries), "list.json")
    assert [per_million(from_litellm(file, name))[0] for name in entries] == [1, 3]


def test_what_litellm_takes_where_its_list_says_nothing(tmp_path):
    assert only(tmp_path, CHAT | {"litellm_provider": "fireworks_ai"}).usd_per_cached_input_token == 5e-07
    assert only(tmp_path, CHAT | {"input_cost_per_token_cache_hit": 2e-07}).usd_per_cached_input_token == 2e-07
    tier = {"input_cost_per_token_above_200k_tokens": 3e-06}
    assert only(tmp_path, CHAT | {"litellm_provider": "xai"} | tier).long_context[0]["above_input_tokens"] == 199_999
    tiers = [{"range": [0, 100], "input_cost_per_token": 1e-6}, {"range": [100, 200], "input_cost_per_token": 2e-6}]
    price = only(tmp_path, CHAT | {"cache_read_input_token_cost": 1e-7, "tiered_pricing": tiers})
    assert price.usd_per_cached_input_token is None  # a tier says all but the price of its output
    assert price.long_context == ({"above_input_tokens": 100.0, INPUT: 2e-06, OUTPUT: 2e-06},)


OFF_PEAK = {"input_cost_per_token": 5e-07, "output_cost_per_token": 1e-06}


@pytest.mark.parametrize(
    ("block", "hours", "others"),
    [
        ({"hours_utc": "16:30-00:30"}, "112 of 168 hours a week", "00:00-00:30 and 16:30-24:00 UTC every day"),
        ({"hours_utc": ["00:00-08:00"], "windows": [{"hours_utc": "00:00-00:00", "weekdays": ["sat", "Sunday"]}]},
         "80 of 168 hours a week", "00:00-08:00 UTC on Monday to Friday, all day on Saturday and Sunday"),
        ({"windows": [{"hours_utc": "00:00-00:00", "weekdays": [6, 7]}], "weekday_timezone": "Asia/Shanghai"},
         "120 of 168 hours a week", "16:00-24:00 UTC on Friday, all day on Saturday, 00:00-16:00 UTC on Sunday"),
    ],
)  # fmt: skip
def test_off_peak_prices_of_litellm(tmp_path, block, hours, others):
    price = only(tmp_path, CHAT | {"off_peak_pricing": OFF_PEAK | block})
    assert (per_million(price), price.hours) == ((1, 2), hours)
    ((words, cheaper),) = price.other_hours
    assert (words, per_million(cheaper)) == (others, (0.5, 1))
    assert price.source.endswith(f"entry acme/m, at its dearest hours ({hours})")
    for odd in (
        {"hours_utc": "noon"},
        {"windows": [{"hours_utc": "1:00-2:00", "weekdays": ["holiday"]}]},
        {"windows": [3]},
    ):
        with pytest.raises(MooInferError, match="acme/m: prices are not as LiteLLM writes them"):
            only(tmp_path, CHAT | {"off_peak_pricing": OFF_PEAK | odd})


PROXY = {
    "model_list": [
        {"model_name": "fast", "litellm_params": {"model": "azure/my-deployment", "api_key": "os.environ/KEY",
                                                  "input_cost_per_token": "1e-6", "output_cost_per_token": 2e-6}},
        {"model_name": "slow", "litellm_params": {"model": "openai/slow-9"},
         "model_info": {"mode": "chat", "input_cost_per_token": 3e-6, "output_cost_per_token": 4e-6,
                        "cache_read_input_token_cost": 3e-7, "input_cost_per_token_above_200k_tokens": 6e-6}},
        {"model_name": "plain", "litellm_params": {"model": "openai/gpt-9"}, "model_info": {"id": "1"}},
        {"model_name": "torn", "litellm_params": {"model": "openai/t", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6},
         "model_info": {"input_cost_per_token": 2e-6}},
        {"model_name": "both", "litellm_params": {"model": "a/1", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}},
        {"model_name": "both", "litellm_params": {"model": "a/2", "input_cost_per_token": 2e-6, "output_cost_per_token": 1e-6}},
        {"model_name": "twin", "litellm_params": {"model": "a/3", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}},
        {"model_name": "twin", "litellm_params": {"model": "a/4", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}},
        {"model_name": "embed", "litellm_params": {"model": "a/5", "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6},
         "model_info": {"mode": "embedding"}},
        {"model_name": "own", "litellm_params": {"model": "hosted_vllm/own", "input_cost_per_token": 0, "output_cost_per_token": 0}},
    ],
    "litellm_settings": {"drop_params": True},
}  # fmt: skip


@pytest.mark.parametrize("name", ["config.yaml", "config.json"])
def test_prices_of_a_litellm_proxy(tmp_path, name):
    file = written(tmp_path, yaml.safe_dump(PROXY) if name.endswith("yaml") else json.dumps(PROXY), name)
    found = find_prices(["fast", "openai/slow", "azure/my-deployment", "twin"], file, DAY)
    assert [per_million(price) for price in found.values()] == [(1, 2), (3, 4), (1, 2), (1, 1)]
    slow = found["openai/slow"]
    assert (slow.usd_per_cached_input_token, slow.long_context[0][INPUT]) == (3e-7, 6e-6)
    assert slow.source.startswith("LiteLLM's configuration config.")
    for model, message in {
        "plain": "its entry plain is there, but sets no price: LiteLLM takes that of openai/gpt-9 from its own list",
        "torn": "input_cost_per_token of torn differs between litellm_params and model_info",
        "both": "2 deployments are called both, whose prices differ or are missing",
        "own": "says 0 USD for its entry own",
        "embed": "its entry embed is there, but of the mode embedding, not of text",
        "slwo": r"\(closest: slow",
    }.items():
        with pytest.raises(MooInferError, match=message):
            find_prices([model], file, DAY)


OPENROUTER = {
    "data": [
        {"id": "acme/chat", "canonical_slug": "acme/chat-20260101", "pricing": {
            "prompt": "0.000001", "completion": "0.000002", "request": "0.01", "input_cache_read": "0.0000001",
            "input_cache_write": "0.00000125", "web_search": "0.005", "internal_reasoning": "0.000002",
            "overrides": [{"min_prompt_tokens": 200000, "prompt": "0.000002", "completion": "0.000003"}]}},
        {"id": "acme/chat:free", "pricing": {"prompt": "0", "completion": "0"}},
        {"id": "openrouter/auto", "pricing": {"prompt": "-1", "completion": "-1"}},
        {"id": "acme/night", "pricing": {"prompt": "0.000001", "completion": "0.000002", "input_cache_read": "0", "overrides": [
            {"utc_start": 100, "utc_end": 430, "utc_days": ["monday"], "prompt": "0.000003", "completion": "0.000006"},
            {"utc_start": 430, "utc_end": 100, "prompt": "0.000001", "completion": "0.000002"}]}},
        {"id": "acme/odd", "pricing": {"prompt": "0.000001", "completion": "0.000002", "overrides": [{"region": "eu", "prompt": "1"}]}},
        {"id": "acme/none", "pricing": {"prompt": None, "completion": "0.000002"}},
        {"id": "acme/paint", "architecture": {"output_modalities": ["image"]}, "pricing": {"prompt": "0.000001", "completion": "0.000002"}},
        {"id": "acme/broken", "pricing": {"prompt": "cheap", "completion": "0.000002"}},
    ]
}  # fmt: skip


@pytest.mark.parametrize("name", ["acme/chat", "openrouter/acme/chat", "acme/chat-20260101", "acme/chat-20260202"])
def test_prices_of_openrouter(tmp_path, name):
    price = find_prices([name], written(tmp_path, json.dumps(OPENROUTER), "models.json"), DAY)[name]
    base = {INPUT: 1e-06, OUTPUT: 2e-06, CACHED: 1e-07, WRITE: 1.25e-06}
    longer = {"above_input_tokens": 200_000.0, **base, INPUT: 2e-06, OUTPUT: 3e-06}
    assert price.part == {"kind": "api-cost", **base, "usd_per_request": 0.01, "long_context": [longer]}
    assert price.remarks == (
        "the list has more beside the prices of tokens (web_search: 0.005), which is not in the bill",
    )
    assert price.source.startswith("OpenRouter's list models.json (sha256 ")


def test_prices_of_openrouter_by_the_hour_and_those_that_are_none(tmp_path):
    file = written(tmp_path, json.dumps(OPENROUTER), "models.json")
    price = find_prices(["acme/night"], file, DAY)["acme/night"]
    assert (per_million(price), price.hours, price.usd_per_cached_input_token) == (
        (3, 6),
        "3.5 of 168 hours a week",
        None,
    )
    assert [per_million(cheaper) for _, cheaper in price.other_hours] == [(1, 2)]
    for model, message in {
        "acme/chat:free": "says 0 USD for its entry acme/chat:free",
        "openrouter/auto": "says -1, which means that the model it chooses has the price",
        "acme/odd": "has prices under conditions that are not known: prompt, region",
        "acme/none": "its entry acme/none is there, but has no price of prompt",
        "acme/paint": "its entry acme/paint is there, but answers with image, not with text",
        "acme/broken": "models.json: acme/broken: pricing is not as OpenRouter writes it",
        "chat": r"^no price of .*closest: .*acme/chat|prices chat as acme/chat",
    }.items():
        with pytest.raises((MooInferError, UserWarning), match=message):
            find_prices([model], file, DAY)


def test_prices_by_hand_may_say_all_that_bills_know(tmp_path):
    longer = {"above_input_tokens": 1000, INPUT: 2e-6, OUTPUT: 4e-6, CACHED: 2e-7}
    mine = {INPUT: "1e-6", OUTPUT: 2e-6, CACHED: 1e-7, WRITE: 1.25e-6, "usd_per_request": 0.01,
            "min_cacheable_tokens": 2048, "long_context": [longer]}  # fmt: skip
    price = find_prices(["m"], written(tmp_path, {"m": mine}), DAY)["m"]
    assert price.part == {"kind": "api-cost", **mine, INPUT: 1e-6}
    thousand = find_prices(
        ["m"], written(tmp_path, {"m": {k: 1e6 * float(v) if k in USD else v for k, v in mine.items()}
                                  | {"long_context": [{k: 1e6 * v if k in USD else v for k, v in longer.items()}]}}),
        DAY, per_million=True,
    )["m"]  # fmt: skip
    assert (thousand.usd_per_request, thousand.min_cacheable_tokens) == (0.01, 2048)
    for name in USD:
        assert getattr(thousand, name) == pytest.approx(getattr(price, name))
        if name in longer:
            assert thousand.long_context[0][name] == pytest.approx(longer[name])
    assert thousand.source.endswith("by hand: m (per million tokens)")


@pytest.mark.parametrize(
    ("tier", "message"),
    [
        (3, "long_context: must be mappings with above_input_tokens, got 3"),
        ({INPUT: 1, OUTPUT: 1}, "long_context: missing above_input_tokens"),
        (
            {"above_input_tokens": 1, INPUT: 1, OUTPUT: 1, "cheaper": 1},
            "long_context: unknown key 'cheaper'; keys: above_input",
        ),
        ({"above_input_tokens": 1, INPUT: -1, OUTPUT: 1}, f"{INPUT}: must be a finite number >= 0, got -1"),
    ],
)
def test_longer_prompts_of_another_form_are_refused(tier, message):
    with pytest.raises(MooInferError, match=message):
        by_hand({"m": {INPUT: 1e-6, OUTPUT: 1e-6, "long_context": [tier]}})


def test_prices_per_million_are_those_per_token():
    assert per_million(by_hand(["m=0.05,0.4"], per_million=True)["m"]) == (0.05, 0.4)
    with pytest.warns(UserWarning, match="4e-07 USD per million tokens is little: was it USD per token?"):
        by_hand(["m=5e-8,4e-7"], per_million=True)
    with pytest.raises(MooInferError, match="must be a finite number >= 0, got 'x'"):
        by_hand(["m=x,1"], per_million=True)
    with pytest.raises(MooInferError, match="in USD per million tokens, such as gpt-5-nano=0.05,0.4, got 'm=1'"):
        by_hand(["m=1"], per_million=True)


def test_a_list_has_its_own_unit(litellm):
    with pytest.raises(
        MooInferError, match="--per-million .* is about prices by hand; LiteLLM's list .* has its own unit"
    ):
        find_prices(["acme/small"], litellm, DAY, per_million=True)
    given = by_hand(["plain-4=1,2"], per_million=True)
    found = find_prices(["acme/small", "plain-4"], litellm, DAY, given, per_million=True)
    assert [per_million(price) for price in found.values()] == [(1, 2), (1, 2)]


HUGE = "9" * 400
LITELLM_HUGE = {
    "a price": {"input_cost_per_token": int(HUGE)},
    "a price of longer prompts": {"input_cost_per_token_above_128k_tokens": int(HUGE)},
    "a request": {"input_cost_per_request": -int(HUGE)},
    "a prompt that is cached": {"prompt_cache_min_tokens": int(HUGE)},
    "a tier": {"tiered_pricing": [{"range": [0, 1], "input_cost_per_token": int(HUGE)}]},
    "a range": {"tiered_pricing": [{"range": [float("inf"), 1], "input_cost_per_token": 1e-6}]},
}


@pytest.mark.parametrize("odd", LITELLM_HUGE.values(), ids=LITELLM_HUGE)
def test_numbers_of_litellm_that_no_float_holds_are_refused(tmp_path, odd):
    with pytest.raises(MooInferError, match="list.json: acme/m: prices are not as LiteLLM writes them"):
        only(tmp_path, CHAT | odd)


def test_lengths_of_litellm_that_no_float_holds_are_refused(tmp_path):
    with pytest.raises(MooInferError, match="above_input_tokens: must be a finite number >= 0, got 9999"):
        only(tmp_path, CHAT | {f"input_cost_per_token_above_{HUGE}_tokens": 1e-6})


OPENROUTER_HUGE = {
    "a price": {"prompt": int(HUGE)},
    "a request": {"request": int(HUGE)},
    "images": {"image": int(HUGE)},
    "a length": {"overrides": [{"min_prompt_tokens": float("inf"), "prompt": "2e-6"}]},
}


@pytest.mark.parametrize("odd", OPENROUTER_HUGE.values(), ids=OPENROUTER_HUGE)
def test_numbers_of_openrouter_that_no_float_holds_are_refused(tmp_path, odd):
    pricing = {"prompt": "1e-6", "completion": "2e-6"} | odd
    file = written(tmp_path, json.dumps({"data": [{"id": "acme/m", "pricing": pricing}]}), "list.json")
    with pytest.raises(MooInferError, match="list.json: acme/m: pricing is not as OpenRouter writes it"):
        find_prices(["acme/m"], file, DAY)


@pytest.mark.parametrize("number", [HUGE, "1e400", "1e1000000", "1e99999999999999999999"], ids=lambda n: n[:12])
def test_prices_by_hand_that_no_float_holds_are_refused(number):
    for per_million in (False, True):
        with pytest.raises(MooInferError, match="usd_per_input_token: must be a finite number >= 0, got"):
            by_hand({"m": {"usd_per_input_token": number, "usd_per_output_token": "1"}}, per_million=per_million)
