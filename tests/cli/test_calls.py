"""Profiles that say how they are called, as typed: lists, decisions, runs that are written down, and calibration."""

import json

import pytest
import yaml

from moo_infer import MooInferError, load_models
from moo_infer.calibrate import calibrated, read_log
from moo_infer.explore.start import named_parts
from moo_infer.registry import Registry

MODELS = """
models:
  small:
    call: {base_url: "http://127.0.0.1:8000/v1", temperature: 0.7, max_tokens: 100, extract: "mine.py:last"}
    costs: [{kind: linear-cost, usd_per_input_token: 1.0e-6, usd_per_output_token: 2.0e-6}]
    variants:
      cot: {call: {template: "{question}\\nThink: {hint}"}}
  large:
    inference: {kind: gaussian, tokens_in_mean: 1000, tokens_in_std: 50, tokens_out_mean: 500, tokens_out_std: 50, accuracy_mean: 0.8, accuracy_std: 0.1}
    costs: [{kind: linear-cost, usd_per_input_token: 1.0e-6, usd_per_output_token: 2.0e-6}]
"""
LOG = "model,variant,question_id,sample,correct,input_tokens,output_tokens\n" + "".join(
    f"{model},{variant},q{q},{s},{(q + s) % 2},{100 + q},{50 + s}\n"
    for model, variant in (("small", ""), ("small", "cot"), ("other", ""))
    for q in range(3)
    for s in range(2)
)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with models and a log of two of them and another, which is where commands run."""
    (tmp_path / "my.yaml").write_text(MODELS)
    (tmp_path / "log.csv").write_text(LOG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_models_lists_what_was_not_measured(folder, cli):
    code, text, _ = cli("models", "--models", "my.yaml")
    assert code == 0
    assert text.count("not measured") == 2
    listed = {model["name"]: model for model in json.loads(cli("models", "--models", "my.yaml", "--json")[1])["models"]}
    assert [*listed] == ["small", "small/cot", "large"]
    assert listed["small/cot"]["inference"] is None
    assert listed["small/cot"]["call"]["model"] == "small"
    assert listed["large"]["call"] is None
    hashes = {model["call"]["sent_hash"] for model in listed.values() if model["call"]}
    assert len(hashes) == 2


def test_recommend_refuses_what_was_not_measured_and_names_the_others(folder, cli):
    for chosen in ([], ["--model", "small/cot"], ["--model", "small", "--model", "large"]):
        code, text, error = cli("recommend", "--models", "my.yaml", *chosen)
        assert (code, text) == (2, "")
        assert "no inference model: moo-infer sample makes a first log of it, and calibrate a profile" in error
        assert error.endswith("those that have one: --model large\n")
    assert cli("recommend", "--models", "my.yaml", "--model", "large")[0] == 0


def test_what_recommend_writes_down_has_the_calls_and_decides_the_same(folder, cli):
    (folder / "runs").mkdir()
    assert cli("recommend", "--models", "my.yaml", "--model", "large", "--out", "first.json",
               "--write-run", "runs/run.yaml")[0] == 0  # fmt: skip
    written = yaml.safe_load((folder / "runs" / "run.yaml").read_text())
    assert written["models"]["small"]["call"]["extract"] == "../mine.py:last"
    assert [*written["models"]["small"]["variants"]] == ["cot"]
    assert cli("recommend", "--models", "runs/run.yaml", "--out", "second.json")[0] == 0
    first, second = (json.loads((folder / name).read_text()) for name in ("first.json", "second.json"))
    assert first["headline"] == second["headline"]
    assert [*load_models(folder / "first.json")] == ["small", "small/cot", "large"]


def test_explore_shows_what_was_measured(folder):
    registry = Registry()
    assert [*named_parts("my.yaml", registry)[0]] == ["large"]
    (folder / "called.yaml").write_text("models: {small: {call: {}}}")
    with pytest.raises(MooInferError, match="^small has no inference model"):
        named_parts("called.yaml", registry)


def test_calibrate_carries_calls_and_prices_over(folder, cli):
    (folder / "out").mkdir()
    code, text, error = cli("calibrate", "log.csv", "--models", "my.yaml", "--price", "other=1e-6,1e-6",
                            "--out", "out/new.yaml", "--bootstrap", 20)  # fmt: skip
    assert code == 0
    assert "warning: large is a profile of which the log has no samples: left out" in error
    assert "no profile of that name" in " ".join(text.split())
    old, new = load_models("my.yaml"), load_models("out/new.yaml")
    assert [*new] == ["small", "small/cot", "other"]
    assert new["other"].call is None
    for name in ("small", "small/cot"):
        assert new[name].measured
        assert new[name].call.sent_hash == old[name].call.sent_hash
        assert (new[name].costs[0].usd_per_input_token, new[name].costs[0].usd_per_output_token) == (1e-6, 2e-6)
    assert new["small"].call.extract == "out/../mine.py:last"
    assert cli("recommend", "--models", "out/new.yaml", "--stability", 0)[0] == 0


def test_a_variant_with_a_cap_is_called_with_it(folder, cli):
    words = ("calibrate", "log.csv", "--models", "my.yaml", "--model", "small", "--bootstrap", 20)
    code, _, _ = cli(*words, "--max-tokens", 2, "--out", "new.yaml")
    assert code == 0
    old, new = load_models("my.yaml"), load_models("new.yaml")
    cut = new["small/max-tokens-2"]
    assert (new["small"].call.max_tokens, cut.call.max_tokens) == (100, 2)
    assert (cut.call.model, cut.call.template) == (old["small"].call.model, old["small"].call.template)
    assert cut.costs[0].usd_per_output_token == 2e-6
    code, _, error = cli(*words, "--max-tokens", 200)
    assert code == 2
    assert "small: max-tokens-200: its profile calls it with max_tokens = 100, so that the log says nothing of" in error


def test_a_price_that_is_given_wins_over_that_of_the_profile(folder, cli):
    code, text, _ = cli("calibrate", "log.csv", "--models", "my.yaml", "--model", "small", "--price", "small=5e-6,5e-6",
                        "--json", "--bootstrap", 20)  # fmt: skip
    assert code == 0
    (small,) = json.loads(text)["models"]
    assert small["price"]["usd_per_input_token"] == 5e-6
    assert small["call"]["max_tokens"] == 100


def test_of_two_prices_in_a_profile_none_is_taken_unless_one_is_given(folder, cli):
    price = "{kind: linear-cost, usd_per_input_token: 1.0e-6, usd_per_output_token: 2.0e-6}"
    (folder / "two.yaml").write_text(f"models: {{small: {{call: {{}}, costs: [{price}, {price}]}}}}")
    words = ("calibrate", "log.csv", "--models", "two.yaml", "--model", "small", "--bootstrap", 20)
    code, _, error = cli(*words)
    assert code == 2
    assert "small: costs: linear-cost and linear-cost are two prices of its tokens" in error
    assert cli(*words, "--price", "small=1e-6,1e-6")[0] == 0


def test_a_calibration_with_calls_that_is_written_down_is_repeated(folder, cli):
    words = ("calibrate", "log.csv", "--models", "my.yaml", "--model", "small", "--json", "--bootstrap", 20)
    code, first, error = cli(*words, "--write-run", "run.yaml")
    assert (code, error) == (0, "moo-infer: wrote run.yaml\n")
    again = json.loads(cli("calibrate", "--models", "run.yaml")[1])
    assert again["models"] == json.loads(first)["models"]


def test_calibrate_does_not_write_over_the_models_that_it_reads(folder, cli):
    code, _, error = cli("calibrate", "log.csv", "--models", "my.yaml", "--out", "my.yaml")
    assert code == 2
    assert "would overwrite what is read" in error
    assert (folder / "my.yaml").read_text() == MODELS


def test_from_python_profiles_are_an_argument(folder):
    with pytest.warns(UserWarning, match="^large is a profile of which the log has no samples"):
        small, cot, other = calibrated(read_log("log.csv"), profiles=load_models("my.yaml"))
    assert small.price.source == "profile small"
    assert cot.call.template.endswith("{hint}")
    assert (other.call, other.price) == (None, None)


def test_a_log_without_tokens_takes_the_call_and_says_that_it_cannot_take_the_price(folder):
    (folder / "bare.csv").write_text("model,question_id,sample,correct\nsmall,q1,1,1\nsmall,q1,2,0\n")
    profiles = {"small": load_models("my.yaml")["small"]}
    (small,) = calibrated(read_log("bare.csv"), profiles=profiles)
    assert small.price is None
    assert small.call is profiles["small"].call
    assert any("the price of its profile is not carried over" in note for note in small.notes)
