"""Every code block of README and docs, and every script in examples, runs."""

import csv
import importlib
import inspect
import io
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
import zipfile
from collections import Counter
from contextlib import redirect_stdout
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from moo_infer import hookspecs
from moo_infer.cli import run
from moo_infer.hookspecs import KINDS

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("plugins/*/README.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language):
    for page in PAGES:
        for i, (kind, text) in enumerate(BLOCK.findall(page.read_text())):
            if kind == language:
                yield pytest.param(page, text, id=f"{page.relative_to(ROOT)}-{i}")


def test_every_block_says_its_language():
    for page in PAGES:
        for kind, text in BLOCK.findall(page.read_text()):
            assert kind in ("python", "shell", "yaml", "text", "toml", "csv"), text


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with what a checkout has of the files that commands read, and nothing that others left behind."""
    for name in ("examples", "plugins"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "examples" / "plugins")  # where pytest, given a file there, looks first
    return tmp_path


def test_files_that_the_pages_show_are_the_ones_that_are_shipped():
    """A block of them opens with the path."""
    shown = set()
    for page in PAGES:
        for kind, text in BLOCK.findall(page.read_text()):
            if kind in ("yaml", "python", "csv") and (named := re.match(r"# (\S+\.(yaml|py|csv))\n", text)):
                assert (ROOT / named[1]).read_text() == text, named[1]
                shown.add(ROOT / named[1])
    assert len(shown) >= 23
    assert {*ROOT.glob("examples/plugins/*.py")} <= shown


@pytest.mark.parametrize(("page", "text"), [*blocks("python")])
def test_python_blocks(page, text, folder, capsys):
    """They run, and print what stands in the comments behind their prints."""
    if text.startswith("# test_"):
        named = text.split()[1]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", named], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        return
    exec(compile(text, str(page), "exec"), {"__name__": "__main__"})
    promised = re.findall(r"^print\(.*\)  # (.*)$", text, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == promised


def shell_blocks():
    """With the text block right after, if there is one: it begins what the last command prints."""
    for page in PAGES:
        for i, ((kind, text), (after, output)) in enumerate(pairwise([*BLOCK.findall(page.read_text()), ("", "")])):
            if kind == "shell":
                shown = output.removesuffix("...\n") if after == "text" else ""
                yield pytest.param(text, shown, id=f"{page.relative_to(ROOT)}-{i}")


@pytest.mark.parametrize(("text", "shown"), [*shell_blocks()])
def test_shell_blocks_run_and_print_what_the_pages_show(text, shown, folder, capsys, sketches):
    """Every moo-infer command in them; what installs or tests is run by the continuous integration."""
    for line in text.splitlines():
        for command in line.split("#")[0].split("&&"):
            words = shlex.split(command)
            if words[:2] == ["moo-infer", "explore"]:
                words.append("--help")  # it serves until it is interrupted; tests/browser opens it
            capsys.readouterr()
            if words[:1] == ["moo-infer"]:
                assert run(words[1:]) == 0, command
            else:
                assert not words or words[0] in ("pip", "pytest", "python", "git", "cd"), command
    printed = output_of(ROOT / words[1]) if shown and words[:1] == ["python"] else capsys.readouterr().out
    assert printed.startswith(shown)


def test_pages_show_what_commands_print():
    assert sum(bool(block.values[1]) for block in shell_blocks()) >= 3


KNEE = ROOT / "examples" / "knee.py"
# The knees of the authors' procedure by seed, which take half a minute; run this file as a script to write them anew.
KNEES = ROOT / "tests" / "golden" / "knees.csv"


def knees():
    with KNEES.open(encoding="utf-8", newline="") as file:
        return {int(row["seed"]): int(row["k"]) for row in csv.DictReader(file)}


def test_the_knees_that_are_written_down_are_those_of_the_authors_procedure():
    script, written = runpy.run_path(str(KNEE)), knees()
    assert list(written) == script["SEEDS"]
    some = script["SEEDS"][::25]
    assert {seed: script["authors_knee"](seed) for seed in some} == {seed: written[seed] for seed in some}


@cache
def output_of(script):
    """What a script prints, with the knees that are written down; each runs once."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        if script == KNEE:
            main = runpy.run_path(str(script))["main"]
            main.__globals__["authors_knee"] = knees().get
            main()
        else:
            runpy.run_path(str(script), run_name="__main__")
    return printed.getvalue()


ELSEWHERE = {"measure_gpu.py"}  # needs PyTorch and a GPU; tests/calibrate/test_measure_gpu.py runs it on a CPU


@pytest.mark.parametrize(
    "script",
    sorted(path for path in ROOT.glob("examples/*.py") if path.name not in ELSEWHERE),
    ids=lambda path: path.name,
)
def test_examples(script, folder):
    before = set(os.listdir(folder))
    assert output_of(script).strip()
    assert set(os.listdir(folder)) == before


PLUGINS = (ROOT / "docs" / "plugins.md").read_text()


@pytest.mark.parametrize(("kind", "hook"), [(kind, hook) for kind, (_, hook) in KINDS.items()], ids=lambda x: str(x))
def test_the_guide_has_every_hook_and_method_with_its_signature(kind, hook):
    """A heading per hook; below it the one abstract method, and an example that implements the hook."""
    headings = re.findall(r"^### `(.*)`$", PLUGINS, re.MULTILINE)
    assert len(headings) == len(KINDS)
    signature = str(inspect.signature(getattr(hookspecs, hook))).replace("moo_infer.interfaces.", "")
    assert f"{hook}{signature}" in headings
    section = PLUGINS.split(f"### `{hook}")[1].split("###")[0]
    (method,) = [name for name in kind.__abstractmethods__ if inspect.isfunction(getattr(kind, name))]
    written = str(inspect.signature(getattr(kind, method)))
    written = re.sub(r"moo_infer(\.[a-z_]+)+\.", "", written).replace("numpy.random._generator", "np.random")
    written = written.replace("pathlib.", "")
    written = re.sub(r"numpy\.ndarray\[.*\]\]", "FloatArray", written)
    assert f"`{method}{written}`" in section
    assert re.search(rf"```python\n.*?@hookimpl\ndef {hook}\(\)", section, re.DOTALL)


@pytest.mark.parametrize("module", ["moo_infer", "moo_infer.testing", "moo_infer.quantities.subsets"])
def test_the_list_of_what_is_public_is_complete(module):
    """Every public name stands in a table of its module, once, and no other name does."""
    page = (ROOT / "docs" / "api.md").read_text()
    section = page.split(f"## `{module}`\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`.*?`) \|", section, re.MULTILINE)
    assert sorted(name for cell in cells for name in re.findall(r"`(\w+)`", cell)) == sorted(
        importlib.import_module(module).__all__
    )


GUIDE = """
from coin import Coin
from differ import Differ
from documents import Documents
from judged import Judged
from settled import Settled
from water import Water

from moo_infer.testing import (
    AggregatorContract, CostModelContract, InferenceModelContract, PolicyContract, SelectorContract
)

class TestModels(InferenceModelContract):
    instances = (Coin(800, 400, 0.7), Documents(0.3, 4000.0, 0.8))

class TestWater(CostModelContract):
    instances = (Water(0.01),)

class TestJudged(AggregatorContract):
    instances = (Judged(), Judged(0.0))

class TestSettled(SelectorContract):
    instances = (Settled(), Settled(0.02))

class TestDiffer(PolicyContract):
    instances = (Differ(), Differ("mine", 5), Differ(k=2), Differ(k=1))
"""


def test_the_parts_of_the_guide_keep_their_contracts(folder):
    """Those that it does not test itself."""
    (folder / "test_guide.py").write_text(GUIDE)
    command = [sys.executable, "-m", "pytest", "-q", "test_guide.py"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "examples" / "plugins"), *sys.path])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout


def test_eleven_lines_of_toml_make_a_package(folder):
    """Built and unpacked where Python looks for packages, the plugin of the guide is found."""
    (toml,) = [text for kind, text in BLOCK.findall(PLUGINS) if kind == "toml"]
    assert len(toml.splitlines()) == 11
    package, site = folder / "package", folder / "site"
    package.mkdir()
    (package / "pyproject.toml").write_text(toml)
    (package / "quorum.py").write_text((ROOT / "examples" / "plugins" / "quorum.py").read_text())
    build = "from hatchling.build import build_wheel; print(build_wheel('.'))"
    done = subprocess.run([sys.executable, "-c", build], cwd=package, capture_output=True, text=True, check=True)
    zipfile.ZipFile(package / done.stdout.split()[-1]).extractall(site)
    command = [sys.executable, "-c", "from moo_infer.cli import main; main()", "plugins", "--json"]
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    found = {p["name"]: p for p in json.loads(done.stdout)["plugins"]}["quorum"]
    assert (found["kind"], found["package"], found["version"]) == ("aggregator", "quorum", "0.1.0")


def test_the_picture_of_the_knee(tmp_path):
    script = runpy.run_path(str(KNEE))
    spread = script["Spread"]("few", Counter({24: 3, 60: 1}))
    assert str(spread) == "few: 2 different k, from 24 to 60; the most frequent, 24, in 75.0 % of 4 seeds"
    script["picture"](str(tmp_path / "knee.png"), spread, spread)
    assert (tmp_path / "knee.png").stat().st_size > 10_000


def test_the_picture_of_the_latencies(tmp_path):
    script = runpy.run_path(str(ROOT / "examples" / "latency.py"))
    script["picture"](tmp_path / "latency.png")
    assert (tmp_path / "latency.png").stat().st_size > 10_000


def test_the_published_knee_over_1000_seeds():
    """About 26 different k, none with more than 8 %."""
    line = output_of(KNEE).splitlines()[1]
    different, share = re.fullmatch(r".*: (\d+) different k, .* in ([\d.]+) % of 1000 seeds", line).groups()
    assert abs(int(different) - 26) <= 1
    assert float(share) <= 8


if __name__ == "__main__":
    knee = runpy.run_path(str(KNEE))
    lines = [f"{seed},{knee['authors_knee'](seed)}" for seed in knee["SEEDS"]]
    KNEES.write_text("\n".join(["seed,k", *lines, ""]), encoding="utf-8")
