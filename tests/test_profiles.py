import pytest

from moo_infer import (
    CallSettings,
    ModelProfile,
    MooInferError,
    Pipeline,
    Registry,
    Scenario,
    builtin_models,
    builtin_scenarios,
    load_models,
    load_scenarios,
)
from moo_infer.builtin.costs import LinearCost, LinearLatency
from moo_infer.builtin.inference import Gaussian

REGISTRY = Registry(entry_points=False)
MODEL = """
models:
  mine:
    parallelism: 2
    source: "a test"
    inference: {kind: gaussian, tokens_in_mean: 1000, tokens_in_std: 50, tokens_out_mean: 500, tokens_out_std: 50, accuracy_mean: 0.8, accuracy_std: 0.1}
    costs:
      - {kind: linear-cost, usd_per_input_token: 1e-6, usd_per_output_token: 1.0e-05}
      - {kind: linear-latency, seconds_per_input_token: 0, seconds_per_output_token: 0.01}
"""


@pytest.fixture
def read(tmp_path):
    def call(text, name="my.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return load_models(path, REGISTRY)

    return call


def test_the_nine_profiles_and_three_scenarios_of_the_paper():
    models, scenarios = builtin_models(), builtin_scenarios()
    assert list(models) == [
        "gpt-5",
        "gpt-5-mini",
        "gpt-5-nano",
        "nemotron-ultra-253b",
        "nemotron-h-47b",
        "nemotron-nano-9b-v2",
        "qwen3-max",
        "qwen3-next-80b-a3b",
        "qwen3-30b-a3b",
    ]
    assert models["gpt-5"].inference == Gaussian(1024, 64, 2048, 128, 0.94, 0.02)
    assert models["gpt-5"].costs == (LinearCost(1.25e-6, 1e-5), LinearLatency(0.0005, 0.005))
    assert {m.parallelism for m in models.values()} == {4}
    assert all("Table 3" in m.source for m in models.values())
    assert {name: [str(limit) for limit in scenario.limits] for name, scenario in scenarios.items()} == {
        "essay-feedback": ["cost <= 0.5", "latency <= 60", "accuracy >= 0.93"],
        "medical-ai": ["cost <= 0.95", "latency <= 3600", "accuracy >= 0.98"],
        "proposal-writing": ["cost <= 0.65", "latency <= 1800", "accuracy >= 0.96"],
    }
    assert [scenario.source for scenario in scenarios.values()] == [
        f"arXiv 2510.18905, Table {number}" for number in (4, 5, 6)
    ]


def test_the_configuration_file_of_the_authors_loads_unchanged(data):
    theirs, ours = load_models(data / "reference_config.yaml", REGISTRY), builtin_models(REGISTRY)
    assert list(theirs)[:2] == ["gpt5", "gpt5-mini"]
    for their, our in zip(theirs.values(), ours.values(), strict=True):
        assert (their.inference, their.costs, their.parallelism) == (
            our.inference,
            our.costs,
            our.parallelism,
        )
    assert "GPT-5" in theirs["gpt5"].source
    reports = [Pipeline(models=models).run() for models in (theirs, ours)]
    assert [c.k for c in reports[0].rows] == [c.k for c in reports[1].rows]


def test_a_file_of_ones_own(read):
    profile = read(MODEL)["mine"]
    assert (profile.name, profile.parallelism, profile.source) == ("mine", 2, "a test")
    assert profile.costs[0].usd_per_input_token == 1e-6  # YAML takes 1e-6 for text


def test_an_uncertain_number_stands_for_its_value_or_middle(read):
    text = MODEL.replace("accuracy_mean: 0.8", "accuracy_mean: {value: 0.7, se: 0.01}").replace(
        "tokens_in_mean: 1000", "tokens_in_mean: {low: 900, high: 1200}"
    )
    inference = read(text)["mine"].inference
    assert (inference.accuracy_mean, inference.tokens_in_mean) == (0.7, 1050.0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("usd_per_input_token: 1e-6", "usd_per_input_token: -1e-6", "my.yaml: mine: costs[0]: usd_per_input_token: must be >= 0, got -1e-06"),
        ("usd_per_input_token: 1e-6", "usd_per_input_token: -1.0e-06", "my.yaml: mine: costs[0]: usd_per_input_token: must be >= 0, got -1e-06"),
        ("usd_per_input_token: 1e-6", "usd_per_input_token: true", "usd_per_input_token: must be a number, got True"),
        ("usd_per_input_token: 1e-6", "usd_per_input_token: .nan", "usd_per_input_token: must be"),
        ("usd_per_input_token: 1e-6", "usd_per_input_token: .inf", "usd_per_input_token: must be finite, got inf"),
        ("usd_per_input_token: 1e-6", "usd_per_input_token: cheap", "usd_per_input_token: must be a number, got 'cheap'"),
        ("usd_per_input_token: 1e-6", "usd_per_input_token: [1]", "usd_per_input_token: must be a number, got [1]"),
        ("usd_per_input_token: 1e-6", "usd_per_input_token: null", "usd_per_input_token: must be a number, got None"),
        ("usd_per_input_token: 1e-6, ", "", "my.yaml: mine: costs[0]: missing usd_per_input_token; given: usd_per_output_token"),
        ("seconds_per_output_token: 0.01", "seconds_per_output_token: -1", "mine: costs[1]: seconds_per_output_token: must be >= 0, got -1"),
        ("usd_per_input_token", "usd_per_token", "costs[0]: unknown key 'usd_per_token'; keys: usd_per_input_token, usd_per_output_token"),
        ("accuracy_mean: 0.8", "accuracy_mean: 1.2", "my.yaml: mine: inference: accuracy_mean: must be <= 1, got 1.2"),
        ("accuracy_mean: 0.8", "accuracy_mean: -0.2", "inference: accuracy_mean: must be >= 0, got -0.2"),
        ("accuracy_std: 0.1", "accuracy_std: -0.1", "inference: accuracy_std: must be >= 0, got -0.1"),
        ("accuracy_mean: 0.8", "accuracy_mean: {value: 0.8, sd: 1}", "accuracy_mean: must be a number, {value, se} or {low, high}, got keys value, sd"),
        ("accuracy_mean: 0.8", "accuracy_mean: {value: 0.8, se: -1}", "accuracy_mean: se: must be >= 0, got -1"),
        ("accuracy_mean: 0.8", "accuracy_mean: {low: 0.8, high: 0.7}", "accuracy_mean: low must be <= high, got 0.8 > 0.7"),
        ("accuracy_mean: 0.8", "accuracy_mean: {value: yes}", "accuracy_mean: value: must be a number, got True"),
        ("accuracy_mean: 0.8", "accuracy_mean: {value: a, se: 1}", "accuracy_mean: value: must be a number, got 'a'"),
        ("kind: gaussian", "kind: gausian", "my.yaml: mine: inference: unknown inference model 'gausian'; available: gaussian"),
        ("kind: gaussian, ", "", "my.yaml: mine: inference: missing kind; available: beta"),
        ("kind: linear-cost", "kind: 7", "my.yaml: mine: costs[0]: unknown cost model 7; available: "),
        ("parallelism: 2", "parallelism: 0", "my.yaml: mine: parallelism: must be >= 1, got 0"),
        ("parallelism: 2", "parallelism: 1.5", "my.yaml: mine: parallelism: must be a whole number >= 1, got 1.5"),
        ("parallelism: 2", "parallelism: true", "my.yaml: mine: parallelism: must be a whole number >= 1, got True"),
        ("parallelism: 2", "parallel: 2", "my.yaml: mine: unknown key 'parallel'; keys: inference, costs, parallelism, source"),
        ("parallelism: 2", "parallelism: 2\n    parallelism: 3", "my.yaml: line 5: duplicate key 'parallelism'"),
        ("models:", "model:", "my.yaml: unknown key 'model'; keys: models, scenarios, policies"),
        ("    parallelism: 2", "    parallelism: !!python/object/apply:os.system ['ls']", "my.yaml: line 4: could not determine a constructor for the tag"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_file_is_named_with_its_place(read, old, new, message):
    assert old in MODEL
    with pytest.raises(MooInferError) as error:
        read(MODEL.replace(old, new))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "my.yaml: is empty; expected the keys models, scenarios, policies, workflows, queries, day, run or grid"),
        ("# nothing", "my.yaml: is empty"),
        ("- a\n- b", "my.yaml: must be a mapping with the keys models, scenarios, policies, workflows, queries, day, run or grid, got a list"),
        ("hello", "my.yaml: must be a mapping with the keys models, scenarios, policies, workflows, queries, day, run or grid, got 'hello'"),
        ("models: [a]", "my.yaml: models: must be a mapping of names, got ['a']"),
        ("models: {}", "my.yaml: models: must be a mapping of names, got {}"),
        ("models:", "my.yaml: models: must be a mapping of names, got None"),
        ("models: {a: 1}", "my.yaml: a: must be a mapping, got 1"),
        ("models: {a: {costs: []}}", "my.yaml: a: missing inference; keys: inference, costs"),
        ("models: {a: {inference: {kind: gaussian}}}", "my.yaml: a: missing costs"),
        ("models: {a: {inference: 1, costs: []}}", "my.yaml: a: inference: must be a mapping with a kind, got 1"),
        ("models: {a: {inference: {kind: gaussian}, costs: {}}}", "my.yaml: a: costs: must be a list of cost models, got {}"),
        ("models: {a: {inference: {kind: gaussian}, costs: []}}", "my.yaml: a: inference: missing tokens_in_mean"),
        ("scenarios: {}", "my.yaml: missing models; keys: scenarios"),
        ("models: {a: {c_in: 1}}", "my.yaml: a: missing mu_Lin, sigma_Lin"),
        ("models: {a: {c_in: 1, price: 2}}", "my.yaml: a: unknown key 'price'; keys: mu_Lin"),
        ("models: {a: 1", "my.yaml: line 2: did not find expected"),
        ("models: \x00", "my.yaml: must be YAML"),
        ("a: &x [*x]", "my.yaml: line 1: *x contains itself"),
        ("models: {5: {}, '5': {}}", "my.yaml: line 1: duplicate key '5'"),
    ],
)  # fmt: skip
def test_a_file_of_the_wrong_shape_is_refused_in_one_sentence(read, text, message):
    with pytest.raises(MooInferError) as error:
        read(text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_no_text_file_is_refused(tmp_path):
    (tmp_path / "picture.yaml").write_bytes(b"\x89PNG\xff\xfe")
    for path, message in (
        (tmp_path / "picture.yaml", "must be UTF-8 text"),
        (tmp_path, "must be a file, is a folder"),
        (tmp_path / "none.yaml", "no such file"),
    ):
        with pytest.raises(MooInferError, match=message):
            load_models(path, REGISTRY)


def test_scenarios_of_a_file(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("scenarios: {chat: {max: {latency: {p95: 2, mean: 1e-0}, cost: 1e-3}, min: {accuracy: 0.5}}}")
    limits = load_scenarios(path)["chat"].limits
    assert [str(limit) for limit in limits] == [
        "p95 latency <= 2",
        "latency <= 1",
        "cost <= 0.001",
        "accuracy >= 0.5",
    ]
    path.write_text(MODEL)
    assert load_scenarios(path) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{chat: {max: {cost: .inf}}}", "s.yaml: chat: limit on cost: must be finite, got inf"),
        ("{chat: {max: {cost: .nan}}}", "s.yaml: chat: limit on cost: must be finite, got nan"),
        ("{chat: {max: {cost: yes}}}", "s.yaml: chat: limit on cost: must be a number, got True"),
        ("{chat: {max: {cost: cheap}}}", "s.yaml: chat: limit on cost: must be a number, got 'cheap'"),
        ("{chat: {max: {cost: {q95: 1}}}}", "s.yaml: chat: limit on cost: must be the mean or a percentile such as p95, got 'q95'"),
        ("{chat: {max: [cost]}}", "s.yaml: chat: max: must be a mapping of objectives to limits, got ['cost']"),
        ("{chat: {most: {cost: 1}}}", "s.yaml: chat: unknown key 'most'; keys: max, min, source"),
        ("{chat: 3}", "s.yaml: chat: must be a mapping, got 3"),
        ("[chat]", "s.yaml: scenarios: must be a mapping of names, got ['chat']"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_a_scenario_is_named(tmp_path, text, message):
    path = tmp_path / "s.yaml"
    path.write_text(f"scenarios: {text}")
    with pytest.raises(MooInferError) as error:
        load_scenarios(path)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ModelProfile("", Gaussian(1, 0, 1, 0, 1, 0), ()), "a model profile needs a name, got ''"),
        (lambda: ModelProfile("x", LinearCost(0, 0), ()), "x: inference: must be an InferenceModel object"),
        (lambda: ModelProfile("x", Gaussian, ()), r"got <class.*Gaussian'> \(a class: write Gaussian\(...\)\)"),
        (lambda: ModelProfile("x", Gaussian(1, 0, 1, 0, 1, 0), ["free"]), r"x: costs\[0\]: must be a CostModel object, got 'free'"),
        (lambda: ModelProfile("x", Gaussian(1, 0, 1, 0, 2, 0), ()), "x: inference: gaussian: accuracy_mean: must be <= 1, got 2"),
        (lambda: ModelProfile("x", Gaussian(1, 0, 1, 0, 1, float("nan")), ()), "x: inference: gaussian: accuracy_std: must be"),
        (lambda: ModelProfile("x", Gaussian(1, 0, 1, 0, 1, 0), (), 0), "x: parallelism: must be >= 1, got 0"),
        (lambda: Scenario(" "), "a scenario needs a name, got ' '"),
        (lambda: Scenario("s", {"cost": None}), "s: limit on cost: must be a number, got None"),
    ],
)  # fmt: skip
def test_objects_are_checked_as_files_are(make, message):
    with pytest.raises(MooInferError, match=message):
        make()


EXTREME = """
models:
  a:
    inference: {{kind: {kind}, tokens_in_mean: 1, tokens_out_mean: 10, {fields}}}
    costs: [{{kind: linear-cost, usd_per_input_token: 1, usd_per_output_token: 1}},
            {{kind: linear-latency, seconds_per_input_token: 1, seconds_per_output_token: 1}}]
"""


def test_minus_zero_is_zero(tmp_path, cli):
    fields = "tokens_in_std: -0.0, tokens_out_std: -0.0, accuracy_mean: 0.9, accuracy_std: -0.0"
    (tmp_path / "my.yaml").write_text(EXTREME.format(kind="gaussian", fields=fields))
    assert cli("recommend", "--models", tmp_path / "my.yaml", "--k", "1", "--estimator", "monte-carlo")[0] == 0


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid value")  # errors here, on a command line they are not
def test_numbers_that_a_part_cannot_compute_with_are_refused_in_words(tmp_path, cli):
    (tmp_path / "my.yaml").write_text(EXTREME.format(kind="beta", fields="mean: 0.6, concentration: 1e300"))
    code, _, err = cli("recommend", "--models", tmp_path / "my.yaml", "--k", "1,2")
    assert code == 2
    assert "a: inference: concentration: must be at most 1e+15, got 1e+300" in err


CALLED = ModelProfile("small", call=CallSettings())


def test_a_profile_may_say_nothing_but_how_it_is_called():
    assert not CALLED.measured
    assert CALLED.call.model == "small"
    assert CALLED.costs == ()


def test_a_model_is_called_what_the_profile_is_without_its_variant():
    variant = ModelProfile("acme/small/cot", call=CallSettings(), variant="cot")
    assert (variant.model, variant.call.model) == ("acme/small", "acme/small")
    assert ModelProfile("acme/small", call=CallSettings()).call.model == "acme/small"
    assert ModelProfile("small", call=CallSettings(model="small-2026")).call.model == "small-2026"


def test_nothing_is_decided_about_a_model_that_was_not_measured():
    with pytest.raises(MooInferError, match=r"^small has no inference model: moo-infer sample .* a profile$"):
        Pipeline(registry=REGISTRY).run(CALLED)
    known = {"small": CALLED} | {name: builtin_models(REGISTRY)[name] for name in ("gpt-5", "gpt-5-mini")}
    for models in (None, "small", ["gpt-5", "small"]):
        with pytest.raises(MooInferError, match=r"those that have one: --model gpt-5"):
            Pipeline(registry=REGISTRY, models=known).run(models, "essay-feedback")
    assert Pipeline(registry=REGISTRY, models=known).run("gpt-5", "essay-feedback")["knee"].k


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "small: needs an inference model, or a call"),
        ({"call": {}}, "small: call: must be a CallSettings object, got dict"),
        (
            {"call": CallSettings(), "variant": "cot"},
            "small: variant: must be the end of the name, after a /, got 'cot'",
        ),
        ({"call": CallSettings(), "variant": "small"}, "small: variant: must be the end of the name, after a /"),
    ],
)
def test_a_call_that_is_none_and_a_variant_of_another_name_are_refused(given, message):
    with pytest.raises(MooInferError, match=f"^{message}"):
        ModelProfile("small", **given)
