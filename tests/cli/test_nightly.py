"""The script that decides every night, in a shell."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import pytest
import yaml

from moo_infer.cli import run

ROOT = Path(__file__).parent.parent.parent
CI = ROOT / "examples" / "ci"


# A command that hands its words, its folder and where it writes to the test, and ends as the test says.
COMMAND = """#!{python} -IS
import json, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
socket.send_fds(server, [json.dumps([os.getcwd(), *sys.argv[1:]]).encode()], [1, 2])
sys.exit(int(server.recv(10)))
"""


@pytest.fixture
def address():
    """Where commands find the test: a short path, as addresses are no longer than some hundred characters."""
    with tempfile.TemporaryDirectory(prefix="moo") as folder:
        yield str(Path(folder) / "asked")


@pytest.fixture
def nightly(tmp_path, monkeypatch, address):
    """Run the script with the moo-infer that is tested, which is loaded once for all of its commands."""
    command = tmp_path / "bin" / "moo-infer"
    command.parent.mkdir()
    command.write_text(COMMAND.format(python=sys.executable, address=address))
    command.chmod(0o755)
    environment = os.environ | {"PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}"}

    def call(log, prices, *limits):
        words = ["sh", str(CI / "nightly.sh"), str(log), str(prices), str(tmp_path / "kept"), *limits]
        with (
            (tmp_path / "out").open("w+") as out,
            (tmp_path / "err").open("w+") as err,
            subprocess.Popen(words, stdout=out, stderr=err, env=environment, cwd=tmp_path) as script,
        ):
            while script.poll() is None:
                with suppress(TimeoutError):
                    answer(server, monkeypatch)
            return script.returncode, *(Path(stream.name).read_text() for stream in (out, err))

    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        server.settimeout(0.02)
        yield call


def answer(server, monkeypatch):
    """Run the next command that is asked for, as if it were called where it was called."""
    asking, _ = server.accept()
    with asking, ExitStack() as stack, monkeypatch.context() as here:
        said, streams, *_ = socket.recv_fds(asking, 100_000, 2)
        folder, *words = json.loads(said)
        out, err = (stack.enter_context(os.fdopen(stream, "w")) for stream in streams)
        here.chdir(folder)
        with redirect_stdout(out), redirect_stderr(err):
            code = run(words)
        stack.close()
        asking.sendall(b"%d" % code)


def test_nights_are_compared_and_a_choice_that_changed_ends_with_4(nightly, tmp_path):
    log, prices, limits = (
        ROOT / "examples" / "log.csv",
        ROOT / "examples" / "prices.yaml",
        ("--max-cost", "0.015", "--stability", "20"),
    )
    kept = tmp_path / "kept" / "decision.json"
    code, out, err = nightly(log, prices, *limits)
    assert (code, err) == (0, "")
    assert "The first decision is kept" in out
    code, out, err = nightly(log, prices, *limits)
    assert (code, err) == (0, "")
    assert out.startswith("custom: still acme/medium, plurality-vote, k = 7; no number of it changed.")
    before = kept.read_text()
    dear = tmp_path / "dear.yaml"
    listed = yaml.safe_load(prices.read_text())
    listed["acme/medium"] = {name: 100 * value for name, value in listed["acme/medium"].items()}
    dear.write_text(yaml.safe_dump(listed))
    code, out, err = nightly(log, dear, *limits)
    assert code == 4, err
    assert "acme/medium, plurality-vote, k = 7 became" in out
    assert kept.read_text() == before
    assert nightly(log, prices, "--max-cost", "1e-9", "--stability", "0")[0] == 3
    assert nightly(tmp_path / "missing.csv", prices)[0] == 2
    assert json.loads(kept.read_text())["headline"][0]["k"] == 7


def test_the_workflow_runs_the_script():
    workflow = yaml.safe_load((CI / "decide.yml").read_text())
    (job,) = workflow["jobs"].values()
    commands = " ".join(step.get("run", "") for step in job["steps"])
    assert "examples/ci/nightly.sh examples/log.csv examples/prices.yaml" in commands
    assert any(step.get("if") == "steps.decide.outputs.code == '4'" for step in job["steps"])
