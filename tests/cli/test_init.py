"""A first file: it runs as it is, and with what it has as comments."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
SOURCES = [
    [],
    ["--from", "paper"],
    ["--from", "prices.yaml"],
    ["--from", "prices.json", "--model", "acme/m"],
    ["--from", "genai-prices", "--model", "openai/gpt-4o-mini", "--model", "anthropic/claude-sonnet-4-0"],
    ["--from", "log.csv"],
    ["--from", "log.csv", "--model", "acme/small"],
]


@pytest.fixture
def place(tmp_path, monkeypatch):
    for name in ("log.csv", "prices.yaml"):
        shutil.copy(ROOT / "examples" / name, tmp_path)
    entry = {"litellm_provider": "acme", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}
    (tmp_path / "prices.json").write_text(json.dumps({"acme/m": entry, "acme/n": entry}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("source", SOURCES, ids=" ".join)
def test_what_it_writes_runs_and_is_taken_by_the_schema(place, cli, source):
    if "genai-prices" in source:
        pytest.importorskip("genai_prices")
    from jsonschema import Draft202012Validator  # takes long to load

    code, out, err = cli("init", *source, "--out", "my.yaml")
    assert (code, out) == (0, "")
    assert err.startswith("moo-infer: wrote my.yaml\n")
    text = (place / "my.yaml").read_text()
    assert all(len(line) <= 140 or "#" in line or "sha256" in line or "kind" in line for line in text.split("\n"))
    assert [*Draft202012Validator(json.loads(cli("schema")[1])).iter_errors(yaml.safe_load(text))] == []
    code, out, _ = cli("recommend", "--models", "my.yaml", "--stability", "5")
    assert code == 0
    assert ": use " in out


def test_without_out_it_is_printed_but_a_log_keeps_its_samples_beside_it(place, cli):
    code, out, err = cli("init")
    assert (code, err) == (0, "")
    assert cli("init", "--out", "my.yaml")[0] == 0
    assert (place / "my.yaml").read_text().replace("my.yaml", "FILE.yaml").strip() == out.strip()
    code, out, err = cli("init", "--from", "log.csv")
    assert (code, out) == (2, "")
    assert "the samples of a log are kept beside the file; give --out FILE.yaml" in err


def test_its_comments_are_lines_that_run(place, cli):
    lines = cli("init")[1].split("\n")
    start = lines.index("run:")
    own = [line.replace("# ", "", 1).partition("  #")[0] for line in lines[start + 1 :] if line.strip()]
    text = "\n".join([*lines[: start + 1], *own]).replace("[NAME]", "[chat]").replace("model: [chat]", "model: [small]")
    run_section = yaml.safe_load(text)["run"]
    assert {"k_max", "model", "scenario", "max_cost", "max_latency", "goal", "stability", "out"} <= {*run_section}
    for key in ("scenario", "out"):
        del run_section[key]
    (place / "my.yaml").write_text(yaml.safe_dump(yaml.safe_load(text) | {"run": run_section}))
    assert cli("recommend", "--models", "my.yaml", "--stability", "5")[0] == 0
    limits = [line[2:] for line in cli("init", "--from", "prices.yaml")[1].split("\n") if line.startswith("# scen")]
    assert limits == ["scenarios:"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "my.json"], "--out: my.json: must end in .yaml or .yml"),
        (["--out", "no/my.yaml"], "there is no folder"),
        (["--model", "a"], "--model names models of a log or of a list of prices"),
        (["--from", "nothing.csv", "--out", "my.yaml"], "nothing.csv: no such file"),
        (["--from", "nothing.yaml"], "is neither genai-prices nor a file"),
        (["--from", "prices.yaml", "--out", "prices.yaml"], "--out: prices.yaml: would overwrite what is read"),
        (["--from", "log.csv", "--model", "acme/x", "--out", "my.yaml"], "acme/x"),
        (["--from", "prices.yaml", "--model", "acme/x"], "acme/x"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(place, cli, words, message):
    before = sorted(place.iterdir())
    code, out, err = cli("init", *words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert sorted(place.iterdir()) == before


def test_a_long_list_wants_names(place, cli):
    entry = {"litellm_provider": "acme", "mode": "chat", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}
    (place / "long.json").write_text(json.dumps({f"acme/{i}": entry for i in range(30)}))
    code, out, err = cli("init", "--from", "long.json")
    assert (code, out) == (2, "")
    assert "--from long.json: lists 30 models; give those to decide between: --model NAME" in err
