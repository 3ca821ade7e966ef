"""Prices and bills on which a wrong number came out, each with the right one; the inputs lie in tests/cases."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from moo_infer import CostModel, Draws, Exact, Registry, load_models
from moo_infer.builtin.answers import OneCall

CASES = Path(__file__).parents[1] / "cases"
WEEKEND = "00:00-01:00, 04:00-06:00 and 10:00-24:00 UTC on Monday to Friday, all day on Saturday and Sunday"


@pytest.fixture
def case(request, monkeypatch, cli):
    """Run commands in the folder of a case, whose number begins the name of the test."""

    def call(folder, *words):
        (place,) = CASES.glob(f"{folder}-*")
        monkeypatch.chdir(place)
        return cli(*words)

    return call


@pytest.fixture
def calibrated(case):
    """Calibrate in the folder of a case: the one model of the JSON, and what people read in one line."""

    def call(folder, *words):
        code, out, err = case(folder, "calibrate", *words, "--json", "--bootstrap", "20")
        assert code == 0, err
        (model,) = json.loads(out)["models"]
        _, text, _ = case(folder, "calibrate", *words, "--bootstrap", "20")
        return model, " ".join(text.split())

    return call


def costs(path, k=(1, 2)):
    """USD of the one profile of a file at some k, without simulation."""
    (profile,) = load_models(path).values()
    column = Exact().estimate(profile, OneCall(), np.array(k), profile.parallelism).columns["cost"]
    assert "mean" not in column.simulated
    return column.mean


def test_prices_of_openrouter(calibrated, tmp_path):
    """0.00135 and 0.00325 USD, the first with 800 cached tokens: 0.0023 on average."""
    out = tmp_path / "p.yaml"
    model, text = calibrated("14", "log.csv", "--prices", "openrouter_models.json", "--out", str(out))
    assert model["mean_cost_usd"] == pytest.approx(0.0023)
    usd = {"input": 1.25e-06, "output": 1e-05, "cached_input": 1.25e-07}
    assert {name: model["price"][f"usd_per_{name}_token"] for name in usd} == usd
    assert "40 % of the input tokens were read from a cache" in text
    assert costs(out, [1]) == pytest.approx([0.0023])


@pytest.mark.parametrize(
    ("words", "usd", "request_usd"),
    [
        (["log.csv", "--prices", "list.json"], 0.0065, 0.005),
        (["sonar.csv", "--prices", "genai-prices", "--date", "2026-11-25"], 0.0135, 0.012),
    ],
)
def test_prices_per_request(calibrated, tmp_path, words, usd, request_usd):
    out = tmp_path / "p.yaml"
    model, _ = calibrated("18", *words, "--out", str(out))
    assert model["mean_cost_usd"] == pytest.approx(usd)
    assert model["price"]["usd_per_request"] == pytest.approx(request_usd)
    assert costs(out) == pytest.approx([usd, 2 * usd])


def test_a_price_of_nothing_is_refused_with_the_entry(case):
    code, out, err = case("19", "calibrate", "log.csv", "--prices", "list.json")
    assert (code, out) == (2, "")
    assert "the list says 0 USD for its entry ollama/llama3.1 (input and output), which is another provider's" in err
    assert "--price MODEL=INPUT,OUTPUT" in err
    code, _, err = case("19", "calibrate", "placeholder.csv", "--prices", "list.json")
    assert code == 2
    assert "the list says 0 USD for its entry acme/thinker (input and output); where it is free indeed, --free" in err


def test_a_price_of_nothing_is_allowed_by_name_and_by_hand(case):
    for words in (["--free", "llama3.1"], ["--price", "llama3.1=0,0"]):
        code, out, err = case("19", "calibrate", "log.csv", "--prices", "list.json", *words, "--json")
        assert code == 0
        assert json.loads(out)["models"][0]["mean_cost_usd"] == 0
        assert ("the entry of another provider (ollama)" in err) == (words[0] == "--free")


@pytest.mark.parametrize(
    ("words", "hours", "others"),
    [
        (["log.csv", "--prices", "list.json"], "35 of 168 hours a week", WEEKEND),
        (["deepseek.csv", "--prices", "genai-prices", "--date", "2026-11-25"], "49 of 168 hours a week",
         "00:00-01:00, 04:00-06:00 and 10:00-24:00 UTC every day"),
    ],
)  # fmt: skip
def test_prices_by_the_hour_are_the_dearest_from_both_lists(calibrated, words, hours, others):
    model, text = calibrated("20", *words)
    assert model["mean_cost_usd"] == pytest.approx(0.0009)
    assert f"cost_usd, 0.0009 USD a call, is at the dearest ({hours}" in text
    assert f"it is 0.00045 USD at {others}" in text
    assert f"at its dearest hours ({hours}" in model["source"]


def test_cached_input_of_the_log_has_its_own_price(calibrated, tmp_path):
    """5000 x 3e-06 + 95000 x 3e-07 + 500 x 1.5e-05, and k times that for k calls."""
    out = tmp_path / "p.yaml"
    model, text = calibrated("21", "log.csv", "--prices", "prices.yaml", "--out", str(out))
    assert model["mean_cost_usd"] == pytest.approx(0.051)
    assert costs(out) == pytest.approx([0.051, 0.102])
    assert (
        "95 % of the input tokens were read from a cache and are billed as such: 0.051 USD a call, not 0.3075" in text
    )


def test_prices_of_cache_writes_are_carried(calibrated, tmp_path):
    """With calls: cached four calls pay 0.00465 USD for a prompt of 1000 tokens."""
    out = tmp_path / "p.yaml"
    for prices in ("list.json", "prices.yaml"):
        calibrated("22", "log.csv", "--prices", prices, "--out", str(out))
        (part,) = (
            c for c in yaml.safe_load(out.read_text())["models"]["acme/writer"]["costs"] if c["kind"] == "api-cost"
        )
        assert float(part["usd_per_cache_write_token"]) == 3.75e-06
        cached = Registry().build(CostModel, part | {"calls": "cached"}, "here")
        four = cached.total(Draws(np.full((1, 4), 1000.0), np.zeros((1, 4)), np.ones((1, 4))), parallelism=1)
        assert four[0, 3] == pytest.approx(0.00465)


def test_an_entry_without_a_price_is_there(case):
    code, _, err = case("23", "calibrate", "log.csv", "--prices", "list.json")
    assert code == 2
    assert "its entry acme/embargoed is there, but has no input price (input_cost_per_token: null)" in err
    assert "closest" not in err


def test_no_call_is_billed_more_than_the_limit_of_output_tokens(case):
    words = ("recommend", "--models", "models.yaml", "--max-cost", "1", "--k", "1", "--selector", "max-accuracy")
    code, out, _ = case("24", *words)
    text = " ".join(out.split())
    assert code == 0
    assert "cost 0.01001 USD" in text
    assert "max_tokens = 1000 cuts 75 % of the answers; 54 % have no visible token" in text
    doubt = (
        "accuracy 0.8 of one call cannot be: with reasoning tokens, which count towards it and come first, max_tokens = "
        "1000 cuts 75 % of the answers; 54 % have no visible token, so that no more than 46 % of single answers can be right"
    )
    assert f" But {doubt}." in text  # in the headline
    document = json.loads(case("24", *words, "--json")[1])
    assert [row["warnings"] for row in (*document["rows"], *document["recommended"])] == [[doubt]] * 2
    assert f"* max-accuracy: {doubt}." in " ".join(case("24", *words, "--details")[1].split())


def test_prompts_that_are_too_short_are_not_cached(case):
    """16 x (200 x 1.25e-06 + 50 x 1e-05), although nobody gave the least length."""
    words = ("recommend", "--models", "models.yaml", "--max-cost", "1", "--k", "16", "--selector", "max-accuracy")
    code, out, _ = case("25", *words)
    text = " ".join(out.split())
    assert code == 0
    assert "cost 0.012 USD" in text
    assert "100 % of the prompts have fewer than min_cacheable_tokens = 1024 tokens, which is assumed" in text
