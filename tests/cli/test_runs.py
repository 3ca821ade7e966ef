"""Runs that are written down: a command line, the file that says the same, and the same report, byte for byte."""

import json
import random
import shutil
from pathlib import Path

import pytest
import typer.main
import yaml

from moo_infer import load_models
from moo_infer.cli.app import app
from moo_infer.cli.run_options import key_of, options

pytestmark = pytest.mark.usefixtures("sketches")
ROOT = Path(__file__).parent.parent.parent
COMMANDS = typer.main.get_command(app).commands

# What can be typed for every option: texts, by its name in a file; several where it is repeatable.
RECOMMEND = {
    "volume": ["1e6"],
    "by": ["task"],
    "model": ["small", "large"],
    "scenario": ["strict"],
    "max_cost": ["0.01", "p95=0.02"],
    "max_latency": ["100", "p95=60"],
    "min_accuracy": ["0.1", "p05=0"],
    "max": ["latency=p99=500", "cost=1e-1"],
    "min": ["accuracy=0.2"],
    "aggregator": ["one-call", "plurality-vote", "noisy-score:rho=0.5"],
    "policy": ["fixed:k=4,aggregator=best-of-k", "fixed:k=2,aggregator=one-call"],
    "workflow": ["agent"],
    "selector": ["max-accuracy", "asf:weights={accuracy: 3, cost: 0.5}", "net-value:usd_per_right_answer=2"],
    "goal": ["utopia", "mixture"],
    "estimator": ["exact", "monte-carlo"],
    "trials": ["200", "300"],
    "seed": ["7"],
    "parallelism": ["2"],
    "k_max": ["8"],
    "k_step": ["2"],
    "k": ["1,2,4", "4"],
    "stability": ["0", "20"],
    "confidence": ["0.5"],
    "questions": ["same"],
    "details": [None],
    "selectors": [None],
    "plugin_file": ["coin.py"],
    "workers": ["1"],
    "axes": ["cost,latency,accuracy"],
    "plot": ["pictures"],
    "format": ["svg"],
    "out": ["r.json", "r.md"],
    "json": [None],
}
CALIBRATE = {
    "format": ["table"],
    "column": ["latency_s=latency_s*2"],
    "score_key": ["correct"],
    "right_if": [">= 0.5"],
    "scale": ["0,1"],
    "merge_right": [None],
    "max_log_bytes": ["1000000"],
    "strict": [None],
    "stream": [None],
    "judged": ["unsafe=down"],
    "model": ["acme/small"],
    "prices": ["prices.yaml"],
    "price": ["acme/small=1e-7,4e-7"],
    "per_million": [None],
    "free": ["acme/small"],
    "date": ["2026-01-01"],
    "inference": ["empirical", "beta", "lognormal"],
    "calls": ["at-once", "sequential", "slots"],
    "parallelism": ["2"],
    "min_samples": ["2"],
    "k_max": ["4"],
    "extrapolate": [None],
    "max_tokens": ["500", "20s"],
    "max_seconds": ["20"],
    "base": ["acme/small"],
    "by": ["task"],
    "bootstrap": ["50"],
    "seed": ["3"],
    "plugin_file": ["coin.py"],
    "out": ["profiles.yaml"],
    "table": ["table.csv"],
    "plot": ["pictures"],
    "json": [None],
}
PAPER = {"details": [None], "json": [None], "plot": ["pictures"], "format": ["svg"], "out": ["paper.json"]}
SAYABLE = {"recommend": RECOMMEND, "calibrate": CALIBRATE, "paper": PAPER}

MODELS = """
models:
  small: &small
    parallelism: 2
    inference: {kind: gaussian, tokens_in_mean: 100, tokens_in_std: 1, tokens_out_mean: {low: 190, high: 210},
                tokens_out_std: 5, accuracy_mean: {value: 0.6, se: 0.05}, accuracy_std: 0.1}
    costs:
      - {kind: linear-cost, usd_per_input_token: 1e-6, usd_per_output_token: 2e-6}
      - {kind: linear-latency, seconds_per_input_token: 1e-3, seconds_per_output_token: 0.02}
  large: *small
scenarios:
  strict: {max: {cost: 0.01, latency: {p95: 200}}, min: {accuracy: 0.3}}
"""
WORKFLOW = "workflows: {agent: {stages: {plan: {policy: {kind: fixed, model: small, k: 1, aggregator: one-call}}}}}"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with models, a log, prices and a plugin, which commands run in."""
    for name in ("log.csv", "prices.yaml", "plugins/coin.py"):
        shutil.copy(ROOT / "examples" / name, tmp_path)
    (tmp_path / "my.yaml").write_text(MODELS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def without_command(text):
    return {key: value for key, value in json.loads(text).items() if key != "command"}


@pytest.mark.parametrize("name", SAYABLE)
def test_every_option_can_be_said_in_a_file(name):
    there = {of.key for of in options(COMMANDS[name]).values()}
    assert there - {"logs"} == {*SAYABLE[name]}


def typed(name, said):
    """The words of a command line."""
    command = {of.key: of for of in options(COMMANDS[name]).values()}
    return [
        word
        for key, texts in said.items()
        for text in texts
        for word in ([command[key].flag] if text is None else [command[key].flag, text])
    ]


def drawn(name, rng, pictures):
    """Some options with some of their values; pictures take their time."""
    own = {of.key: of for of in options(COMMANDS[name]).values()}
    keys = sorted(SAYABLE[name].keys() & own.keys() - (set() if pictures else {"plot", "format", "axes"}))
    said = {}
    for key in rng.sample(keys, rng.randint(1, 7)) + ["plot"] * pictures:
        texts = SAYABLE[name][key]
        said[key] = rng.sample(texts, rng.randint(1, len(texts)) if own[key].many else 1)
    return said


@pytest.mark.parametrize("name", ["recommend", "calibrate"])
def test_a_command_line_a_file_and_the_same_report(name, place, cli):
    """Of ten command lines, whatever they say; what is refused is refused from a file, too, and nothing is written."""
    (place / "my.yaml").write_text(MODELS + WORKFLOW)
    rng, decided = random.Random({"recommend": 1, "calibrate": 5}[name]), 0
    quick = {"recommend": {"k": ["1,2,4"], "stability": ["5"]}, "calibrate": {"bootstrap": ["20"]}}[name]
    given = {"recommend": ["--models", "my.yaml"], "calibrate": ["log.csv"]}[name]
    for i in range(10):
        said = drawn(name, rng, pictures=i == 7)
        excluded = {"k"} if {"k_max", "k_step"} & {*said} else set()
        said |= {key: texts for key, texts in quick.items() if key not in {*said} | excluded}
        words = [name, *given, *typed(name, said | {"json": [None]})]
        before = cli(*words, "--write-run", f"run{i}.yaml")
        if before[0] == 2:  # options that exclude each other
            assert not (place / f"run{i}.yaml").exists()
            continue
        decided += 1
        after = cli(name, "--models", f"run{i}.yaml")
        assert after[0] == before[0], (words, after[2])
        assert without_command(after[1]) == without_command(before[1]), words
        if i % 5:
            continue
        again = cli(name, "--models", f"run{i}.yaml", "--write-run", "again.yaml")
        assert again[0] == before[0]
        assert (place / "again.yaml").read_text().replace("again.yaml", f"run{i}.yaml") == (
            place / f"run{i}.yaml"
        ).read_text()
    assert decided >= 3


def test_the_text_is_the_same_too_and_that_of_the_paper(place, cli):
    words = ["recommend", "--models", "my.yaml", "--max-cost", "0.01", "--details", "--stability", "20"]
    code, out, _ = cli(*words, "--write-run", "run.yaml")
    assert cli("recommend", "--models", "run.yaml")[:2] == (code, out)
    before = cli("paper", "--details", "--json", "--write-run", "paper.yaml")
    assert yaml.safe_load((place / "paper.yaml").read_text()) == {"run": {"paper": {"details": True, "json": True}}}
    assert cli("paper", "--models", "paper.yaml")[:2] == before[:2]


def test_config_is_the_file_and_reports_are_read_back(place, cli):
    _, out, _ = cli("recommend", "--models", "my.yaml", "--max-cost", "0.01", "--json", "--write-run", "run.yaml")
    document = json.loads(out)
    assert document["config"] == yaml.safe_load((place / "run.yaml").read_text())
    assert list(document["config"]) == ["models", "scenarios", "run"]
    (place / "report.json").write_text(out)
    again = cli("recommend", "--models", "report.json")
    assert without_command(again[1]) == without_command(out)
    (place / "listed.json").write_text(cli("models", "--models", "my.yaml", "--json")[1])
    assert {*load_models("listed.json")} == {"small", "large"}
    assert load_models("listed.json")["small"].uncertain == load_models("my.yaml")["small"].uncertain
    built_in = cli("recommend", "--model", "gpt-5", "--json")[1]
    (place / "built-in.json").write_text(built_in)
    assert without_command(cli("recommend", "--models", "built-in.json")[1]) == without_command(built_in)


@pytest.mark.parametrize("inference", ["empirical", "beta"])
def test_what_calibrate_writes_is_read_back(place, cli, inference):
    (place / "sub").mkdir()
    words = ["calibrate", "log.csv", "--inference", inference, "--json", "--out", "sub/profiles.yaml"]
    code, out, _ = cli(*words)
    assert code == 0
    (place / "calibrated.json").write_text(out)
    words = ["--max-latency", "100", "--stability", "0", "--json"]
    from_yaml = cli("recommend", "--models", "sub/profiles.yaml", *words)
    from_json = cli("recommend", "--models", "calibrated.json", *words)
    assert without_command(from_json[1]) == without_command(from_yaml[1])


def test_samples_that_were_not_written_are_missed_in_words(place, cli):
    (place / "calibrated.json").write_text(cli("calibrate", "log.csv", "--json")[1])
    code, out, err = cli("recommend", "--models", "calibrated.json")
    assert (code, out) == (2, "")
    assert "calibrated.json: models: holds none; calibrate --out FILE.yaml keeps the samples they draw from" in err


def test_a_report_without_config_is_refused_as_a_source_of_models(place, cli):
    (place / "r.json").write_text('{"schema": 1, "headline": []}')
    code, _, err = cli("recommend", "--models", "r.json")
    assert code == 2
    assert "r.json: is a report that does not say its models (no config); give the YAML it came from" in err


def written(place, run, name="run.yaml"):
    (place / name).write_text(MODELS + "run:" + (f"\n{run}" if "\n" in run else f" {run}\n"))
    return name


def config(cli, *words):
    """What a run is told, by key, but for the draws, of which there are none: nobody looks at them."""
    code, out, err = cli("recommend", *words, "--stability", "0", "--json")
    assert code in (0, 3), err
    run = json.loads(out)["config"]["run"]
    assert run.pop("stability") == 0
    return run


def test_what_is_typed_wins(place, cli):
    name = written(
        place, "{max_cost: 0.5, max: {latency: 30, cost: {p95: 2}}, k_max: 8, model: [small], details: true}"
    )
    assert config(cli, "--models", name) == {
        "model": ["small"],
        "max_cost": 0.5,
        "max": ["latency=30", "cost=p95=2"],
        "k_max": 8,
        "details": True,
        "json": True,
    }
    assert config(cli, "--models", name, "--k", "1,2")["k"] == "1,2"
    assert "k_max" not in config(cli, "--models", name, "--k", "1,2")
    typed = config(cli, "--models", name, "--max-cost", "0.1", "--model", "large", "--no-details")
    assert typed == {"model": ["large"], "max_cost": 0.1, "max": ["latency=30"], "k_max": 8, "json": True}
    assert config(cli, "--models", name, "--max", "latency=p95=9")["max"] == ["cost=p95=2", "latency=p95=9"]
    by_scenario = config(cli, "--models", name, "--scenario", "strict")
    assert by_scenario == {"model": ["small"], "scenario": ["strict"], "k_max": 8, "details": True, "json": True}
    name = written(place, "{scenario: strict}")
    assert config(cli, "--models", name, "--max-cost", "1") == {"max_cost": 1, "json": True}


def test_a_file_may_say_things_in_its_own_way(place, cli):
    name = written(
        place, "{max_latency: {p95: 60}, k: [1, 2, 4], model: small, selector: [{kind: asf, weights: {cost: 2}}]}"
    )
    assert config(cli, "--models", name) == {
        "model": ["small"],
        "max_latency": "p95=60",
        "selector": ["asf:weights={cost: 2}"],
        "k": "1,2,4",
        "json": True,
    }


def test_policies_of_a_file_are_written_down_too(place, cli):
    (place / "my.yaml").write_text(MODELS + "policies: {mine: {kind: fixed, k: 4, aggregator: best-of-k}}\n")
    words = ["--models", "my.yaml", "--max-cost", "0.1", "--stability", "0", "--json"]
    before = cli("recommend", *words, "--write-run", "run.yaml")
    assert before[0] == 0
    document = json.loads(before[1])
    assert "mine" in {row["aggregator"] for row in document["rows"]}
    assert document["config"]["policies"] == {"mine": {"kind": "fixed", "k": 4, "aggregator": "best-of-k"}}
    assert without_command(cli("recommend", "--models", "run.yaml")[1]) == without_command(before[1])
    name = written(place, "{policy: [{kind: fixed, k: 2, aggregator: {kind: noisy-score, rho: 0.5}}]}")
    assert config(cli, "--models", name)["policy"] == ["fixed:k=2,aggregator={kind: noisy-score, rho: 0.5}"]


def test_a_run_may_take_its_models_from_another_file_and_paths_start_from_the_file(place, cli):
    (place / "sub").mkdir()
    (place / "sub" / "run.yaml").write_text(
        "scenarios: {loose: {max: {cost: 5}}}\nrun: {models: ../my.yaml, out: report.json, plugin_file: ../coin.py}\n"
    )
    code, _, err = cli("recommend", "--models", "sub/run.yaml")
    assert (code, err) == (0, "moo-infer: wrote sub/report.json\n")
    document = json.loads((place / "sub" / "report.json").read_text())
    assert [scenario["name"] for scenario in document["scenarios"]] == ["loose"]
    assert {*document["config"]["models"]} == {"small", "large"}
    assert document["config"]["run"] == {"plugin_file": ["coin.py"]}
    cli("recommend", "--models", "sub/run.yaml", "--write-run", "sub/again.yaml")
    again = yaml.safe_load((place / "sub" / "again.yaml").read_text())
    assert again["run"] == {"plugin_file": ["../coin.py"], "out": ["report.json"]}


def test_samples_are_found_from_wherever_a_run_is_written(place, cli):
    (place / "a").mkdir()
    (place / "b").mkdir()
    assert cli("calibrate", "log.csv", "--out", "a/profiles.yaml")[0] == 0
    words = ["--models", "a/profiles.yaml", "--max-latency", "100", "--stability", "10", "--json"]
    before = cli("recommend", *words, "--write-run", "b/run.yaml")
    assert without_command(cli("recommend", "--models", "b/run.yaml")[1]) == without_command(before[1])
    samples = yaml.safe_load((place / "b/run.yaml").read_text())["models"]["acme/small"]["inference"]["samples"]
    assert samples.startswith("../a/profiles.samples-")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("{k_maxx: 3}", "run.yaml: run: unknown key 'k_maxx'; keys: models, model, scenario"),
        ("{k_maxx: 3}", "did you mean k_max?"),
        ("{k_max: x}", "run.yaml: run: k_max: must be a whole number, got 'x'"),
        ("{k_max: true}", "run.yaml: run: k_max: must be a number, got True"),
        ("{k_max: 0}", "run.yaml: run: k_max"),
        ("{details: 1}", "run.yaml: run: details: must be true or false, got 1"),
        ("{max_cost: {p95: 1, mean: 2}}", "run.yaml: run: max_cost: must be one entry such as {p95: 60}, got 2"),
        ("{max_cost: lots}", "run.yaml: run: max_cost: must be a number, or a quantile such as p95=2, got 'lots'"),
        ("{max: {latency: lots}}", "run.yaml: run: max latency: must be a number"),
        ("{model: true}", "run.yaml: run: model.0: must be text, got True"),
        ("[a]", "run.yaml: run: must be a mapping of options, got ['a']"),
        ("{paper: 3}", "run.yaml: run: paper: must be a mapping of options, got 3"),
        ("{paper: {detail: true}}", "run.yaml: run: paper: unknown key 'detail'; keys: details"),
        ("{calibrate: {bootstrap: 0}}", "run.yaml: run: calibrate: bootstrap: must be >= 1, got 0"),
        ("{models: my.yaml}", "run.yaml: run: models: the file has models of its own"),
        ("{k: [1, 2], k_max: 3}", "--k and --k-max or --k-step exclude each other"),
    ],
)
def test_what_a_file_says_wrongly_is_refused_in_one_sentence(place, cli, said, message):
    code, out, err = cli("recommend", "--models", written(place, said))
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_run_is_written_whole_or_not_at_all(place, cli):
    for name, message in (
        ("run.txt", "--write-run: run.txt: must end in .yaml or .yml"),
        ("nowhere/run.yaml", "there is no folder"),
        ("my.yaml", "--write-run: my.yaml: would overwrite what is read"),
    ):
        code, out, err = cli("recommend", "--models", "my.yaml", "--write-run", name)
        assert (code, out) == (2, "")
        assert message in err
    assert (place / "my.yaml").read_text() == MODELS


def test_infeasible_runs_are_written_down_too(place, cli):
    code, _, _ = cli("recommend", "--models", "my.yaml", "--max-cost", "1e-9", "--write-run", "run.yaml")
    assert code == 3
    assert cli("recommend", "--models", "run.yaml")[0] == 3


def test_the_schema_knows_runs(place, cli):
    from jsonschema import Draft202012Validator  # takes long to load

    validator = Draft202012Validator(json.loads(cli("schema")[1]))
    for said in (
        "{max_latency: {p95: 60}, k: [1, 2, 4], model: small, selector: [{kind: asf, weights: {cost: 2}}]}",
        "{max: {latency: {p95: 3}}, details: true, stability: 20, paper: {details: true}, calibrate: {logs: [log.csv]}}",
        "",
        "{fit_latency: {files: [a.json]}, compare: {logs: a.csv}, explore: {port: 9000, browser: false}}",
    ):
        assert [e.message for e in validator.iter_errors(yaml.safe_load(MODELS + f"run: {said}"))] == []
    for said in (
        "{k_maxx: 3}",
        "{k_max: x}",
        "{details: 1}",
        "{paper: {detail: true}}",
        "[a]",
        "{calibrate: {bootstrap: 0}}",
    ):
        assert [*validator.iter_errors(yaml.safe_load(MODELS + f"run: {said}"))], said


def test_a_run_alone_is_for_the_built_in_models(place, cli):
    (place / "alone.yaml").write_text("run: {model: gpt-5, scenario: medical-ai, k_max: 16}\n")
    code, out, _ = cli("recommend", "--models", "alone.yaml")
    assert (code, out) == cli("recommend", "--model", "gpt-5", "--scenario", "medical-ai", "--k-max", "16")[:2]


def test_every_command_that_is_told_something_has_a_mapping_of_its_own_name():
    told = {key_of(name) for name, command in COMMANDS.items() if hasattr(command, "_invoked")}
    assert told == {
        "recommend",
        "paper",
        "explore",
        "calibrate",
        "compare",
        "fit_latency",
        "lifetime",
        "allocate",
        "run",
        "sample",
    }
