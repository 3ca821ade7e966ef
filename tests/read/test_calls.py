"""The keys call and variants of models in a file."""

import json
import os

import pytest
import yaml

from moo_infer import MooInferError, Registry, load_models
from moo_infer.core.call_settings import CallSettings
from moo_infer.read.config import sections
from moo_infer.read.json_schema import json_schema
from moo_infer.read.profile_prices import price_of

REGISTRY = Registry(entry_points=False)
SECRET = "sk-hunter2"
LINEAR = {"kind": "linear-cost", "usd_per_input_token": 1e-6, "usd_per_output_token": 2e-6}
GAUSSIAN = {
    "kind": "gaussian",
    "tokens_in_mean": 1000,
    "tokens_in_std": 50,
    "tokens_out_mean": 500,
    "tokens_out_std": 50,
    "accuracy_mean": 0.8,
    "accuracy_std": 0.1,
}


@pytest.fixture
def read(tmp_path):
    """Read models, as they stand in a file."""

    def call(models, name="my.yaml"):
        path = tmp_path / name
        path.write_text(yaml.safe_dump({"models": models}, sort_keys=False))
        return load_models(path, REGISTRY)

    return call


@pytest.fixture
def refusal(read):
    """Why models are refused, behind the name of the file."""

    def call(models):
        with pytest.raises(MooInferError) as refused:
            read(models)
        return str(refused.value).partition("my.yaml: ")[2]

    return call


def test_a_profile_may_consist_of_a_call_and_a_price(read):
    (profile,) = read({"small": {"call": {"temperature": "1e-1"}, "costs": [LINEAR]}}).values()
    assert profile.call == CallSettings(model="small", temperature=0.1)
    assert not profile.measured
    assert price_of(profile).part["usd_per_output_token"] == 2e-6


def test_a_measured_profile_may_have_a_call_too(read):
    (profile,) = read({"small": {"inference": GAUSSIAN, "costs": [LINEAR], "call": {}}}).values()
    assert profile.measured
    assert profile.call.model == "small"


def test_a_variant_has_the_call_of_its_model_but_for_what_differs(read):
    call = {"base_url": "http://h/v1", "temperature": 1, "max_tokens": 100, "extra": {"a": 1}, "system": "s"}
    variants = {
        "cot": {"call": {"template": "{question} Think.", "system": None, "extra": {"b": 2}}},
        "own": {"call": {"model": "other"}, "costs": [], "parallelism": 2},
    }
    small = {"call": call, "costs": [LINEAR], "parallelism": 8, "source": "s", "variants": variants}
    models = read({"small": small, "large": {"inference": GAUSSIAN, "costs": []}})
    assert [*models] == ["small", "small/cot", "small/own", "large"]
    cot, own = models["small/cot"], models["small/own"]
    assert cot.call == CallSettings(
        base_url="http://h/v1",
        model="small",
        temperature=1.0,
        max_tokens=100,
        extra={"b": 2},
        template="{question} Think.",
    )
    assert (cot.name, cot.model, cot.variant, cot.parallelism) == ("small/cot", "small", "cot", 8)
    assert cot.costs == models["small"].costs
    assert (own.call.model, own.costs, own.parallelism) == ("other", (), 2)


def test_a_variant_never_has_the_accuracy_of_its_model(read):
    small = {"inference": GAUSSIAN, "costs": [LINEAR], "call": {}, "variants": {"cot": {"call": {"system": "s"}}}}
    models = read({"small": small})
    assert [profile.measured for profile in models.values()] == [True, False]
    small["variants"]["cot"]["inference"] = GAUSSIAN | {"accuracy_mean": {"value": 0.9, "se": 0.01}}
    cot = read({"small": small})["small/cot"]
    assert cot.inference.accuracy_mean == 0.9
    assert [*cot.uncertain] == ["inference.accuracy_mean"]


def test_how_sure_a_price_is_is_inherited_with_it(read):
    price = LINEAR | {"usd_per_input_token": {"value": 1e-6, "se": 1e-7}}
    models = read({"small": {"call": {}, "costs": [price], "variants": {"cot": {"call": {"system": "s"}}}}})
    assert [[*profile.uncertain] for profile in models.values()] == [["costs[0].usd_per_input_token"]] * 2


def small_with(**variant):
    return {"small": {"call": {}, "variants": {"cot": variant}}}


@pytest.mark.parametrize(
    ("models", "message"),
    [
        (small_with(call={"temperature": -1}), "small: variants: cot: call: temperature: must be >= 0, got -1"),
        (small_with(call={"temp": 1}), "small: variants: cot: call: unknown key 'temp'; keys: api, base_url, model, "),
        (small_with(call={"extra": {"n": 2}}), "small: variants: cot: call: extra: must not hold n, "),
        (small_with(call={"billed_when_cancelled": "yes"}), "small: variants: cot: call: billed_when_cancelled: must"),
        (small_with(call=5), "small: variants: cot: call: must be a mapping such as {base_url: "),
        (small_with(parallelism=2), "small: variants: cot: missing call or inference; keys: "),
        (small_with(call={}, variants={}), "small: variants: cot: unknown key 'variants'; keys: "),
        ({"small": {"call": {"max_tokens": 0}}}, "small: call: max_tokens: must be >= 1, got 0"),
        ({"small": {"call": {}, "variants": {}}}, "small: variants: must be a mapping of names, got {}"),
        ({"small": {"call": {}, "variants": {1: {"call": {}}}}}, "small: variants: names must be text, got 1; "),
        ({"small": {"costs": []}}, "small: missing inference; keys: inference, costs, "),
        ({"small": {"call": {}, "inference": GAUSSIAN}}, "small: missing costs; keys: inference, costs, "),
        (small_with(call={}) | {"small/cot": {"call": {}}}, "small: variants: cot: there is another model called "),
        ({"small/cot": {"call": {}}} | small_with(call={}), "small: variants: cot: there is another model called "),
        (
            {
                "a": {"call": {}, "variants": {"b/c": {"call": {}}}},
                "a/b": {"call": {}, "variants": {"c": {"call": {}}}},
            },
            "a/b: variants: c: there is another model called 'a/b/c'",
        ),
        (
            {"small": {"call": {}, "costs": [LINEAR], "variants": {"cot": {"call": {}, "costs": [{"kind": "x"}]}}}},
            "small: variants: cot: costs[0]: unknown cost model 'x'",
        ),
    ],
)
def test_refusals_name_the_place(refusal, models, message):
    assert refusal(models)[: len(message)] == message


@pytest.mark.parametrize(
    "call",
    [
        {"key": SECRET},
        {"api_key": SECRET},
        {"key_env": SECRET},
        {"key_env": {"key": SECRET}},
        {"base_url": f"https://me:{SECRET}@host/v1"},
        {"base_url": f"https://host/v1?key={SECRET}"},
        {"extra": {"api_key": SECRET}},
        {"extra_query": {"key": SECRET}},
        {"extra_query": {"code": [SECRET]}},
        SECRET,
        [SECRET],
    ],
)
def test_no_refusal_of_a_file_repeats_a_secret(refusal, call):
    for models in ({"small": {"call": call}}, small_with(call=call)):
        sentence = refusal(models)
        assert sentence.startswith("small: ")
        assert SECRET not in sentence


def test_the_file_in_extract_starts_from_the_folder_and_moves_with_a_run(read, tmp_path):
    call = {"extract": "mine/answers.py:last_line"}
    models = {"small": {"call": call, "variants": {"cot": {"call": {"extract": "own.py:f"}}, "a": {"call": {}}}}}
    found = {name: profile.call.extract for name, profile in read(models).items()}
    last, own = f"{tmp_path}/mine/answers.py:last_line", f"{tmp_path}/own.py:f"
    assert found == {"small": last, "small/cot": own, "small/a": last}
    (tmp_path / "runs").mkdir()
    moved = sections(tmp_path / "my.yaml", REGISTRY, tmp_path / "runs")
    small = moved["models"]["small"]
    assert small["call"]["extract"] == "../mine/answers.py:last_line"
    assert small["variants"]["cot"]["call"]["extract"] == "../own.py:f"
    (tmp_path / "runs" / "again.json").write_text(json.dumps({"schema": 1, "config": moved}))
    again = load_models(tmp_path / "runs" / "again.json", REGISTRY)
    paths = {name: os.path.normpath(profile.call.extract) for name, profile in again.items()}
    assert paths == found
    assert {name: p.call.sent_hash for name, p in again.items()} == {
        n: p.call.sent_hash for n, p in read(models).items()
    }


def test_the_schema_says_what_a_call_may_hold():
    from jsonschema import Draft202012Validator

    schema = Draft202012Validator(json_schema(REGISTRY))
    whole = {"small": {"call": CallSettings(model="m", extra={"a": 1}).to_dict(), "costs": [LINEAR]}}
    assert schema.is_valid({"models": whole | small_with(call={"temperature": "1e-1", "system": None})})
    for wrong in ({"key": "k"}, {"shape": "x"}, {"base_url": "http://a:b@c"}, {"extra": {"n": 1}}, {"template": "x"}):
        assert not schema.is_valid({"models": {"small": {"call": wrong}}})
        assert not schema.is_valid({"models": small_with(call=wrong)})
    assert not schema.is_valid({"models": {"small": {"costs": []}}})
    assert not schema.is_valid({"models": small_with(parallelism=2)})
    assert not schema.is_valid({"models": {"small": {"call": {}, "variants": {}}}})


@pytest.mark.parametrize(
    ("costs", "part"),
    [
        ([], None),
        ([{"kind": "linear-latency", "seconds_per_input_token": 0, "seconds_per_output_token": 1}], None),
        ([LINEAR], {"kind": "api-cost", "usd_per_input_token": 1e-6, "usd_per_output_token": 2e-6}),
        (
            [LINEAR | {"kind": "api-cost", "usd_per_request": 0.01, "usd_per_cached_input_token": 1e-7, "max_tokens": 9}
             | {"long_context": [{"above_input_tokens": 9, "usd_per_input_token": 1, "usd_per_output_token": 2}]}],
            {"kind": "api-cost", "usd_per_input_token": 1e-6, "usd_per_output_token": 2e-6, "usd_per_request": 0.01}
            | {"usd_per_cached_input_token": 1e-7}
            | {"long_context": [{"above_input_tokens": 9.0, "usd_per_input_token": 1.0, "usd_per_output_token": 2.0}]},
        ),
    ],
)  # fmt: skip
def test_the_price_of_a_profile_is_that_of_its_tokens(read, costs, part):
    price = price_of(read({"small": {"call": {}, "costs": costs}})["small"])
    assert (None if price is None else price.part) == part
    assert not (price and price.remarks)


def test_what_a_price_leaves_out_of_a_cost_model_is_said_and_two_prices_are_refused(read):
    cost = LINEAR | {"kind": "api-cost", "batch_discount": 0.5, "reasoning_tokens": 9}
    price = price_of(read({"small": {"call": {}, "costs": [cost]}})["small"])
    assert price.remarks == ("of api-cost in its profile the prices are taken, not reasoning_tokens, batch_discount",)
    with pytest.raises(MooInferError, match="^small: costs: api-cost and linear-cost are two prices"):
        price_of(read({"small": {"call": {}, "costs": [cost, LINEAR]}})["small"])
