"""The script that decides every night, in a shell."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
CI = ROOT / "examples" / "ci"


@pytest.fixture
def nightly(tmp_path):
    """Run the script with the moo-infer that is tested."""
    command = tmp_path / "bin" / "moo-infer"
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable}\nimport sys\nfrom moo_infer.cli import main\nmain()\n")
    command.chmod(0o755)
    environment = os.environ | {
        "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }

    def call(log, prices, *limits):
        words = ["sh", str(CI / "nightly.sh"), str(log), str(prices), str(tmp_path / "kept"), *limits]
        return subprocess.run(words, capture_output=True, text=True, env=environment, check=False, cwd=tmp_path)

    return call


def test_nights_are_compared_and_a_choice_that_changed_ends_with_4(nightly, tmp_path):
    log, prices, limits = (
        ROOT / "examples" / "log.csv",
        ROOT / "examples" / "prices.yaml",
        ("--max-cost", "0.015", "--stability", "20"),
    )
    kept = tmp_path / "kept" / "decision.json"
    first = nightly(log, prices, *limits)
    assert (first.returncode, first.stderr) == (0, "")
    assert "The first decision is kept" in first.stdout
    second = nightly(log, prices, *limits)
    assert (second.returncode, second.stderr) == (0, "")
    assert second.stdout.startswith("custom: still acme/medium, plurality-vote, k = 7; no number of it changed.")
    before = kept.read_text()
    dear = tmp_path / "dear.yaml"
    listed = yaml.safe_load(prices.read_text())
    listed["acme/medium"] = {name: 100 * value for name, value in listed["acme/medium"].items()}
    dear.write_text(yaml.safe_dump(listed))
    third = nightly(log, dear, *limits)
    assert third.returncode == 4, third.stderr
    assert "acme/medium, plurality-vote, k = 7 became" in third.stdout
    assert kept.read_text() == before
    assert nightly(log, prices, "--max-cost", "1e-9", "--stability", "0").returncode == 3
    assert nightly(tmp_path / "missing.csv", prices).returncode == 2
    assert json.loads(kept.read_text())["headline"][0]["k"] == 7


def test_the_workflow_runs_the_script():
    workflow = yaml.safe_load((CI / "decide.yml").read_text())
    (job,) = workflow["jobs"].values()
    commands = " ".join(step.get("run", "") for step in job["steps"])
    assert "examples/ci/nightly.sh examples/log.csv examples/prices.yaml" in commands
    assert any(step.get("if") == "steps.decide.outputs.code == '4'" for step in job["steps"])
