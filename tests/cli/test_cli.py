import json
import os
import re
import shutil
import subprocess
import sys

import pytest

MODEL = """
models:
  mine:
    inference: {kind: gaussian, tokens_in_mean: 1000, tokens_in_std: 50, tokens_out_mean: 500, tokens_out_std: 50, accuracy_mean: 0.8, accuracy_std: 0.1}
    costs:
      - {kind: linear-cost, usd_per_input_token: 1.0e-06, usd_per_output_token: 1.0e-05}
      - {kind: linear-latency, seconds_per_input_token: 0.0, seconds_per_output_token: 0.01}
"""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "my.yaml"
    path.write_text(MODEL)
    return path


def test_recommend_answers_on_the_built_in_profiles(cli):
    code, out, err = cli("recommend")
    assert (code, err) == (0, "")
    assert out.startswith("essay-feedback: use nemotron-nano-9b-v2 with k = 16 samples, best-of-k (4 at a")
    assert max(map(len, out.splitlines())) <= 80


def test_json_stands_alone_on_standard_output_with_the_command(cli):
    code, out, err = cli("recommend", "--scenario", "medical-ai", "--model", "gpt-5", "--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert document["command"] == "moo-infer recommend --scenario medical-ai --model gpt-5 --json"
    assert [row["k"] for row in document["rows"]] == [40, 28, 28, 32, 32]


def test_limits_make_one_scenario_named_custom(cli):
    flags = [
        "--max-cost",
        "0.5",
        "--max-latency",
        "60",
        "--min-accuracy",
        "0.93",
        "--model",
        "gpt-5",
        "--json",
    ]
    document = json.loads(cli("recommend", *flags)[1])
    assert document["scenarios"][0]["name"] == "custom"
    assert [row["k"] for row in document["rows"]] == [20, 4, 4, 8, 8]
    free = [
        "--max",
        "cost=0.5",
        "--max",
        "latency=60",
        "--min",
        "accuracy=0.93",
        "--model",
        "gpt-5",
        "--json",
    ]
    again = json.loads(cli("recommend", *free)[1])
    assert again["rows"] == document["rows"]


def test_limits_on_quantiles(cli):
    document = json.loads(cli("recommend", "--max-latency", "p95=60", "--max", "cost=p50=0.5", "--json")[1])
    limits = {limit["objective"]: limit["statistic"] for limit in document["scenarios"][0]["limits"]}
    assert limits == {"latency": "p95", "cost": "p50"}


def test_every_flag_of_the_grid_and_the_estimator(cli):
    flags = [
        "--estimator",
        "monte-carlo",
        "--trials",
        "50",
        "--seed",
        "7",
        "--parallelism",
        "2",
        "--k-max",
        "10",
    ]
    document = json.loads(cli("recommend", *flags, "--selector", "max-accuracy", "--json")[1])
    assert document["estimator"] == {"name": "monte-carlo", "trials": 50, "seed": 7}
    assert {row["parallelism"] for row in document["rows"] if row["k"]} == {2}
    assert max(row["k"] for row in document["rows"] if row["k"]) == 10
    steps = json.loads(cli("recommend", "--max-cost", "9", "--k-step", "50", "--selector", "max-accuracy", "--json")[1])
    assert steps["rows"][0]["k"] == 100
    grid = json.loads(cli("recommend", "--max-cost", "9", "--k", "8,1,2", "--selector", "max-accuracy", "--json")[1])
    assert grid["rows"][0]["k"] == 8


def test_models_of_a_file_replace_the_built_in_ones(cli, mine):
    code, out, _ = cli("recommend", "--models", mine, "--max-cost", "0.05", "--aggregator", "coverage")
    assert code == 0
    assert "custom: use mine with k = " in out
    assert (
        cli("recommend", "--models", mine, "--model", "gpt-5")[2]
        == "moo-infer: unknown model 'gpt-5'; available: mine\n"
    )


def test_scenarios_of_a_file_come_first(cli, mine):
    mine.write_text(MODEL + "scenarios: {chat: {max: {cost: 0.05}}}")
    assert "chat: use mine" in cli("recommend", "--models", mine)[1]
    assert "chat" in cli("scenarios", "--models", mine)[1]


def test_confidence_1_asks_that_limits_hold_in_every_draw(cli, mine):
    """One call costs 0.006 to 0.011 USD: two may be within 0.02 USD, one always is."""
    mine.write_text(
        MODEL.replace("usd_per_output_token: 1.0e-05", "usd_per_output_token: {low: 1.0e-05, high: 2.0e-05}")
    )
    flags = ["--models", mine, "--max-cost", "0.02", "--selector", "max-accuracy"]
    assert "with k = 2 samples" in cli("recommend", *flags)[1]
    code, out, err = cli("recommend", *flags, "--confidence", "1")
    assert (code, err) == (0, "")
    assert "with k = 1 sample" in out
    assert (
        "A row is feasible where it meets the limits as given, and in at least 100 % of the draws of the uncertain parameters."
        in out.replace("\n", " ")
    )


def test_nothing_feasible_is_an_answer(cli):
    code, out, err = cli("recommend", "--max-latency", "1", "--max-cost", "0.001")
    assert (code, err) == (3, "")
    assert "no recommendation: nothing is feasible" in out


def test_a_file_of_scenarios_alone_goes_with_the_built_in_models(cli, tmp_path):
    path = tmp_path / "limits.yaml"
    path.write_text("scenarios: {chat: {max: {cost: 0.05, latency: 20}}}")
    code, out, err = cli("recommend", "--models", path, "--model", "gpt-5-nano")
    assert (code, err) == (0, "")
    assert out.startswith("chat: use gpt-5-nano with k = ")
    path.write_text("{}")
    assert cli("recommend", "--models", path)[0] == 2


def test_details(cli):
    assert "Per sample: cost 0.02176 USD" in cli("recommend", "--model", "gpt-5", "--details")[1]


@pytest.mark.parametrize("command", ["plugins", "models", "scenarios"])
def test_lists_are_for_people_and_for_programs(cli, command):
    code, out, _ = cli(command)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    document = json.loads(cli(command, "--json")[1])
    assert document["schema"] == 1
    assert document[command]


def test_what_the_lists_hold(cli):
    assert "latency 10.75 s" in cli("models")[1]
    assert "best-of-k" in cli("plugins")[1]
    assert "moo-infer 0.1.0" in cli("plugins")[1]
    models = json.loads(cli("models", "--json")[1])["models"]
    assert models[0]["inference"]["kind"] == "gaussian"
    assert models[0]["costs"][0]["usd_per_output_token"] == 1e-5


def test_the_papers_tables(cli):
    code, out, _ = cli("paper")
    assert code == 0
    assert out.startswith("The authors' procedure gives 107 of the 108 published k.\n")
    assert max(map(len, out.splitlines())) <= 80
    assert max(map(len, cli("paper", "--details")[1].splitlines())) <= 80


def test_version_and_help(cli):
    code, out, err = cli("--version")
    assert (code, err) == (0, "")
    assert out.startswith("moo-infer 0.1.0\nPython 3.")
    assert re.search(r"^numpy \d", out, re.M)
    for command in ("recommend", "paper", "plugins", "models", "scenarios"):
        code, out, _ = cli(command, "--help")
        assert code == 0
        assert cli(command, "-h") == (0, out, "")
        assert f"moo-infer {command}" in out.split("Options")[0].split("\n", 2)[2], "an example"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--model gpt-6", "unknown model 'gpt-6'; available: gpt-5, "),
        ("--scenario chat", "unknown scenario 'chat'; available: "),
        ("--selector kneee", "unknown selector 'kneee'; available: knee, "),
        ("--aggregator best", "unknown aggregator 'best'; available: best-of-k, "),
        ("--estimator bayes", "unknown estimator 'bayes'; available: exact, monte-carlo"),
        (
            "--max energy=1",
            "scenario 'custom': unknown objective 'energy'; available: accuracy, cost, latency",
        ),
        ("--max-cost -1", "scenario 'custom': limit on cost: must be in [0, inf), got -1"),
        ("--max-cost nan", "custom: limit on cost: must be finite, got nan"),
        ("--max-latency inf", "custom: limit on latency: must be finite, got inf"),
        ("--min-accuracy 1.5", "limit on accuracy: must be in [0, 1], got 1.5"),
        ("--min-accuracy -0.5", "limit on accuracy: must be in [0, 1], got -0.5"),
        ("--max-cost cheap", "--max-cost: must be a number, or a quantile such as p95=2, got 'cheap'"),
        ("--max-cost q95=1", "limit on cost: must be the mean or a percentile such as p95, got 'q95'"),
        ("--max cost", "--max: must be NAME=VALUE, got 'cost'"),
        ("--max =1", "--max: must be NAME=VALUE, got '=1'"),
        ("--max-cost 1 --max cost=2", "--max cost: the mean of cost is limited twice"),
        ("--max accuracy=0.9", "limit on accuracy: higher is better, so it takes a min, got max 0.9"),
        ("--scenario medical-ai --max-cost 1", "--scenario and limits exclude each other; give one of them"),
        ("--k 1,2 --k-max 4", "--k and --k-max or --k-step exclude each other; give one of them"),
        ("--k 1,x", "--k: must be whole numbers separated by commas, got '1,x'"),
        ("--k 0", "k: must be >= 1, got 0"),
        ("--k-max 0", "k_max: must be >= 1, got 0"),
        ("--k-step 0", "k_step: must be >= 1, got 0"),
        ("--parallelism 0", "parallelism: must be >= 1, got 0"),
        ("--parallelism 200", "gpt-5: the parallelism P = 200 is above k_max = 128"),
        ("--trials 0", "trials: must be >= 1, got 0"),
        ("--trials many", "Invalid value for '--trials'"),
        ("--seed -1", "seed: must be a whole number >= 0, got -1"),
        ("--models nowhere.yaml", "nowhere.yaml: no such file"),
        ("--models .", ".: must be a file, is a folder"),
        ("--frobnicate", "No such option: --frobnicate"),
        ("--model gpt-5 --model gpt-5", "model 'gpt-5' is given 2 times; names must differ"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(cli, arguments, message):
    code, out, err = cli("recommend", *arguments.split())
    assert (code, out) == (2, "")
    assert err.startswith("moo-infer: ")
    assert message in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_an_unknown_command(cli):
    code, _, err = cli("recomend")
    assert code == 2
    assert "recomend" in err


def test_a_broken_plugin_is_one_line_on_standard_error(cli, monkeypatch):
    class Broken:
        name, dist = "broken", None

        def load(self):
            raise ImportError("gone")

    broken = Broken()
    monkeypatch.setattr("moo_infer.registry._installed", lambda: [broken])
    code, out, err = cli("recommend", "--json")
    assert code == 0
    json.loads(out)
    assert (
        err == "moo-infer: warning: plugin 'broken' of package '' cannot be loaded and is skipped: ImportError: gone\n"
    )


def test_the_installed_command_runs():
    command = shutil.which("moo-infer", path=str(__import__("pathlib").Path(sys.executable).parent))
    assert command
    done = subprocess.run([command, "recommend", "--selector", "knee"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    done = subprocess.run(
        f"{command} recommend --json | head -1", shell=True, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("{\n", "")


def test_a_terminal_without_the_characters_gets_the_rest():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    code = "import sys; sys.argv[1:] = ['recommend', '--details', '--model', 'gpt-5']; from moo_infer.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, "")


def test_too_little_memory_is_one_sentence(cli, monkeypatch):
    def candidates(*_):
        raise MemoryError

    monkeypatch.setattr("moo_infer.pipeline.Candidates", candidates)
    assert cli("recommend")[2].startswith("moo-infer: not enough memory for this grid")


PLUGIN = """
from dataclasses import dataclass
import numpy as np
from moo_infer import CostModel, Objective, Selector, hookimpl

@dataclass(frozen=True)
class Last(Selector):
    name = "last"
    def select(self, candidates, /):
        return len(candidates) - 1

@dataclass(frozen=True)
class Water(CostModel):
    name = "water"
    objective = Objective("water", unit="l")
    litres: float
    def total(self, draws, /, *, parallelism):
        return np.cumsum(np.full(draws.accuracy.shape, self.litres), axis=1)

@hookimpl
def register_selectors():
    return [Last]

@hookimpl
def register_cost_models():
    return [Water]
"""


def test_plugin_file_loads_one_file_in_every_command_that_calls_parts_by_name(cli, mine, tmp_path):
    plugin = tmp_path / "my.py"
    plugin.write_text(PLUGIN)
    mine.write_text(MODEL + "      - {kind: water, litres: 0.5}\n")
    wet = ("--models", mine, "--plugin-file", plugin)
    listed = json.loads(cli("plugins", "--plugin-file", plugin, "--json")[1])["plugins"]
    assert {(p["kind"], p["name"]) for p in listed if p["package"] == str(plugin)} == {
        ("selector", "last"),
        ("cost model", "water"),
    }
    assert "water 0.5 l" in cli("models", *wet)[1]
    code, out, _ = cli("recommend", *wet, "--max", "water=5", "--selector", "last", "--json")
    assert (code, json.loads(out)["rows"][0]["k"]) == (0, 10)
    code, _, err = cli("recommend", "--models", mine)
    assert code == 2
    assert err.startswith(f"moo-infer: {mine}: mine: costs[2]: unknown cost model 'water'; available: ")
    assert cli("recommend", "--plugin-file", tmp_path / "none.py")[0] == 2


def test_plugins_shows_what_stands_behind_the_colon(cli):
    assert ":usd_per_right" in cli("plugins")[1]
    listed = {p["name"]: p for p in json.loads(cli("plugins", "--json")[1])["plugins"]}
    assert listed["linear-cost"]["parameters"] == ["usd_per_input_token", "usd_per_output_token"]
    assert listed["knee"]["parameters"] == []


def test_two_settings_of_one_part_are_told_apart(cli):
    names = ["asf:weights.accuracy=3", "asf", "asf:weights.accuracy=3,weights.cost=0.5"]
    flags = [word for name in names for word in ("--selector", name)]
    document = json.loads(cli("recommend", "--model", "gpt-5", "--scenario", "medical-ai", *flags, "--json")[1])
    assert [row["selector"] for row in document["rows"]] == [
        "asf:weights.accuracy=3.0",
        "asf",
        "asf:weights.accuracy=3.0,weights.cost=0.5",
    ]
    code, _, err = cli("recommend", "--selector", "knee", "--selector", "knee")
    assert (code, err) == (2, "moo-infer: selector 'knee' is given 2 times; names must differ\n")


def test_no_line_on_standard_error_is_longer_than_five_of_a_terminal(cli, tmp_path):
    log = tmp_path / "log.csv"
    rows = [f"{'m' * 900},q{q},{i},{i % 2}\n" for q in range(3) for i in (1, 2)]
    log.write_text("model,question_id,sample,correct,laten\n" + "".join(row.replace("\n", ",1\n") for row in rows))
    for words in (("calibrate", log, "--k-max", "9", "--bootstrap", "2"), ("calibrate", log, "--model", "x" * 900)):
        _, _, err = cli(*words)
        assert err
        assert max(map(len, err.splitlines())) <= 400


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--confidence", "0.9"], "nothing is drawn: --confidence and --questions change nothing"),
        (["--questions", "same"], "nothing is drawn: --confidence and --questions change nothing"),
        (["--volume", "100"], "Nothing is paid once, so that the number of queries changes nothing."),
    ],
)
def test_an_option_that_changes_nothing_says_so(cli, options, sentence):
    words = ["recommend", "--model", "gpt-5", "--scenario", "essay-feedback", "--k", "4"]
    code, out, err = cli(*words, *options)
    assert code == 0
    assert sentence in " ".join(f"{out} {err}".split())
    assert sentence not in " ".join("".join(cli(*words)[1:]).split())
