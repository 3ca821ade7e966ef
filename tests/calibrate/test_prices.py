import csv
import json
import sys
from datetime import date
from importlib.metadata import version

import pytest
import yaml

from moo_infer import CostModel, MooInferError, Registry
from moo_infer.calibrate.prices import Price, by_hand, find_prices, from_genai_prices, from_litellm

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
    "one/twice": CHAT,
    "two/twice": CHAT,
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
    assert per_million(from_genai_prices("deepseek/deepseek-chat", date(2025, 5, 1))) == (0.27, 1.1)


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


def test_a_price_of_reasoning_tokens_of_their_own_is_questioned(tmp_path):
    file = written(tmp_path, json.dumps({"m": CHAT | {"output_cost_per_reasoning_token": 4e-06}}), "list.json")
    with pytest.warns(UserWarning, match="m: reasoning tokens at 4e-06 USD are taken at the price of other output"):
        assert per_million(from_litellm(file, "m")) == (1, 2)


def test_the_kind_of_a_file_is_told_by_its_content(litellm, tmp_path):
    yours = {"small": {"usd_per_input_token": 5e-07, "usd_per_output_token": "1e-6"}}
    for name, text in (("mine.yaml", yaml.safe_dump(yours)), ("mine.json", json.dumps(yours))):
        price = find_prices(["small"], written(tmp_path, text, name), DAY)["small"]
        assert per_million(price) == (0.5, 1)
        assert price.source == f"{tmp_path / name}: by hand: small"
    assert per_million(find_prices(["small"], litellm, DAY)["small"]) == (1, 2)


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
        ("a.json", "{}", "is neither LiteLLM's price list nor prices by hand"),
        ("a.json", '{"m": {"price": 3}}', "is neither LiteLLM's price list nor prices by hand"),
        ("a.json", "[1]", r"must be a JSON object with a price for every model, got \[1\]"),
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
    with pytest.raises(MooInferError, match="list.json: m: tiered_pricing is not as LiteLLM writes it"):
        from_litellm(file, "m")


def test_a_source_that_is_no_file_is_an_error():
    with pytest.raises(MooInferError, match="prices 'genaiprices': is neither genai-prices nor a file"):
        find_prices(["m"], "genaiprices", DAY)
