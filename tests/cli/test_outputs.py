"""Files that reports are written to, and how much is said on standard error."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

pytestmark = pytest.mark.usefixtures("sketches")
ROOT = Path(__file__).parent.parent.parent
SMALL = ["recommend", "--model", "gpt-5", "--scenario", "essay-feedback", "--k-max", "16"]


def test_a_report_is_written_as_the_ending_of_each_file_says(cli, tmp_path):
    paths = [tmp_path / f"r{ending}" for ending in (".json", ".csv", ".parquet", ".html", ".md")]
    code, out, err = cli(*SMALL, *(word for path in paths for word in ("--out", path)))
    assert (code, err) == (0, "".join(f"moo-infer: wrote {path}\n" for path in paths))
    assert out == cli(*SMALL)[1]
    written = json.loads(paths[0].read_text())
    assert written["headline"] == json.loads(cli(*SMALL, "--json")[1])["headline"]
    for frame in (pl.read_csv(paths[1]), pl.read_parquet(paths[2])):
        assert frame.filter(~pl.col("answer"))["selector"].n_unique() == 5
        assert frame.filter("answer")["selector"].to_list() == ["cheapest-within"]
        assert frame.filter(pl.col("recommended") & (pl.col("selector") == "utopia"))["k"].to_list() == [4]
    assert paths[3].read_text().startswith("<!doctype html>")
    assert paths[4].read_text().startswith("essay-feedback: use gpt-5 with k = ")
    assert "| model | k | accuracy |" in paths[4].read_text()


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("r.txt", "must end in one of .json, .csv, .parquet, .html, .md"),
        ("r", "must end in one of"),
        ("missing/r.json", "there is no folder"),
        ("r.json", "would overwrite what else is written"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_the_work(cli, tmp_path, place, said):
    code, out, err = cli(*SMALL, "--out", tmp_path / "r.json", "--out", tmp_path / place)
    assert (code, out) == (2, "")
    assert said in err
    assert os.listdir(tmp_path) == []


def test_names_are_escaped_in_markdown(cli, tmp_path):
    (tmp_path / "my.yaml").write_text(
        "models: {'a|b <i>*x*': {inference: {kind: gaussian, tokens_in_mean: 1, tokens_in_std: 0, tokens_out_mean: 1, "
        "tokens_out_std: 0, accuracy_mean: 0.5, accuracy_std: 0}, costs: [{kind: linear-cost, usd_per_input_token: 1, "
        "usd_per_output_token: 1}]}}"
    )
    assert cli("recommend", "--models", tmp_path / "my.yaml", "--out", tmp_path / "r.md")[0] == 0
    text = (tmp_path / "r.md").read_text()
    assert r"a\|b &lt;i&gt;\*x\*" in text
    assert "<i>" not in text


def test_compare_and_diff_write_files_too(cli, tmp_path):
    for name in ("old", "new"):
        assert cli(*SMALL, "--out", tmp_path / f"{name}.json")[0] == 0
    code, out, _ = cli(
        "diff", tmp_path / "old.json", tmp_path / "new.json", "--out", tmp_path / "d.md", "--out", tmp_path / "d.json"
    )
    assert code == 0
    assert json.loads((tmp_path / "d.json").read_text())["changed"] is False
    assert (tmp_path / "d.md").read_text().startswith("essay-feedback: still gpt-5, best-of-k, k = ")
    assert cli("diff", tmp_path / "old.json", tmp_path / "new.json", "--out", tmp_path / "old.json")[0] == 2
    words = ("compare", "examples/log.csv", "--k", "1", "--bootstrap", "50")
    code, out, _ = cli(*words, "--out", tmp_path / "c.csv", "--out", tmp_path / "c.json", "--json")
    assert json.loads((tmp_path / "c.json").read_text()) == json.loads(out)
    assert len(pl.read_csv(tmp_path / "c.csv"))


def test_quiet_says_nothing_beside_errors_and_verbose_says_what_is_done(cli, tmp_path):
    assert cli(*SMALL, "--stability", "5")[2].startswith("moo-infer: warning: nothing is uncertain here")
    assert cli(*SMALL, "--stability", "5", "--quiet")[2] == ""
    assert cli("--quiet", *SMALL, "--model", "gpt-6")[2].startswith("moo-infer: unknown model")
    assert "moo-infer: estimating gpt-5 with best-of-k at 4 values of k" in cli("--verbose", *SMALL)[2]
    assert logging.getLogger("moo_infer").handlers == []


def test_python_m_moo_infer_is_the_command():
    done = subprocess.run([sys.executable, "-m", "moo_infer", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("moo-infer 0.1.0\n")


def test_a_shell_can_complete_words():
    environment = os.environ | {
        "_MOO_INFER_COMPLETE": "complete_bash",
        "COMP_WORDS": "moo-infer rec",
        "COMP_CWORD": "1",
    }
    code = "import sys; sys.argv = ['moo-infer']; from moo_infer.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert done.stdout.split() == ["recommend"], done.stderr


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        (["paper"], 321),
        (["models"], 9),
        (["scenarios"], 3),
        (["plugins"], 50),
        (["compare", ROOT / "examples" / "log.csv", "--k", "1", "--bootstrap", "50"], 10),
        (["diff", "old.json", "old.json"], 0),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_every_command_that_reports_writes_all_kinds_of_files(cli, tmp_path, monkeypatch, words, rows):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.json").write_text(cli(*SMALL, "--json")[1])
    paths = [tmp_path / f"r{ending}" for ending in (".json", ".csv", ".parquet", ".html", ".md")]
    code, out, err = cli(*words, *(word for path in paths for word in ("--out", path)))
    assert (code, err) == (0, "".join(f"moo-infer: wrote {path}\n" for path in paths))
    assert out == cli(*words)[1]
    written, printed = json.loads(paths[0].read_text()), json.loads(cli(*words, "--json")[1])
    assert all(written[key] == printed[key] for key in printed.keys() - {"config"})  # which says --json as well
    assert len(pl.read_parquet(paths[2])) >= rows
    assert paths[1].read_text().count("\n") >= rows
    assert paths[3].read_text().startswith("<!doctype html>")
    assert paths[4].read_text().strip()
    assert cli(*words, "--out", tmp_path / "r.txt")[0] == 2


def test_no_file_that_is_read_is_written_over(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    examples = ROOT / "examples"
    log = pl.read_csv(examples / "log.csv").filter(pl.col("question_id") < "q04", pl.col("model") == "acme/small")
    log.write_csv("log.csv")
    prices = "acme/small: {usd_per_input_token: 1.0e-07, usd_per_output_token: 4.0e-07}\n"
    for name in ("prices.yaml", "prices.json"):
        Path(name).write_text(prices if name.endswith("yaml") else json.dumps(yaml.safe_load(prices)))
    priced = ["log.csv", "--prices", "prices.json", "--bootstrap", "9"]
    assert cli("calibrate", *priced, "--out", "p.yaml", "--inference", "empirical")[0] == 0
    (samples,) = (path.name for path in tmp_path.glob("p.samples-*.parquet"))
    Path("run.yaml").write_text("run: {models: p.yaml, k: [1]}\n")
    Path("report.json").write_text(cli("recommend", "--models", "p.yaml", "--k", "1", "--json")[1])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    for words in (
        ["compare", "mine=log.csv", "--out", "log.csv"],
        ["compare", *priced, "--out", "prices.json"],
        ["compare", *priced, "--models", "report.json", "--out", "report.json"],
        ["compare", *priced[:2], "prices.yaml", "--write-run", "prices.yaml"],
        ["calibrate", *priced[:2], "prices.yaml", "--write-run", "prices.yaml"],
        ["calibrate", *priced, "--models", "run.yaml", "--out", "p.yaml"],
        ["lifetime", "--models", "p.yaml", "--k", "1", "--out", samples],
        ["allocate", "p.yaml", "--budget", "1", "--queries", "1", "--out", samples],
        ["models", "--models", "p.yaml", "--out", samples],
        ["recommend", "--models", "run.yaml", "--out", samples],
        ["recommend", "--models", "run.yaml", "--write-run", "p.yaml"],
    ):
        code, out, err = cli(*words)
        assert (code, out) == (2, ""), words
        assert "would overwrite what is read" in err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
