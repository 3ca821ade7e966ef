"""Every code block of README and docs, and every script in examples, runs."""

import io
import os
import re
import runpy
import shlex
from collections import Counter
from contextlib import redirect_stdout
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

from moo_infer.cli import run

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
            assert kind in ("python", "shell", "yaml", "text", "toml"), text


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files that the pages show, named in their first line."""
    for page in PAGES:
        for kind, text in BLOCK.findall(page.read_text()):
            if kind == "yaml" and (named := re.match(r"# (\S+\.yaml)", text)):
                (tmp_path / named[1]).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("page", "text"), [*blocks("python")])
def test_python_blocks(page, text, folder, capsys):
    """They run, and print what stands in the comments behind their prints."""
    exec(compile(text, str(page), "exec"), {"__name__": "__main__"})
    promised = re.findall(r"^print\(.*\)  # (.*)$", text, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == promised


@pytest.mark.parametrize(("page", "text"), [*blocks("shell")])
def test_shell_blocks(page, text, folder, capsys):
    """Every moo-infer command in them; what installs or tests is run by the continuous integration."""
    for line in text.splitlines():
        for command in line.split("#")[0].split("&&"):
            words = shlex.split(command)
            if words[:1] == ["moo-infer"]:
                assert run(words[1:]) == 0, command
            else:
                assert not words or words[0] in ("pip", "pytest", "python", "git", "cd"), command


@cache
def output_of(script):
    """What a script prints; some take a minute, so each runs once."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        runpy.run_path(str(script), run_name="__main__")
    return printed.getvalue()


@pytest.mark.parametrize("script", sorted(ROOT.glob("examples/*.py")), ids=lambda path: path.name)
def test_examples(script, folder):
    before = set(os.listdir(folder))
    assert output_of(script).strip()
    assert set(os.listdir(folder)) == before


def test_what_the_pages_show_is_what_the_commands_print(folder, capsys):
    """A text block right after a shell block begins what the last command of that block prints."""
    found = 0
    for page in PAGES:
        for (kind, text), (after, output) in pairwise(BLOCK.findall(page.read_text())):
            if (kind, after) != ("shell", "text"):
                continue
            command, *words = shlex.split(text.strip().splitlines()[-1])
            if command == "python":
                printed = output_of(ROOT / words[0])
            else:
                capsys.readouterr()
                assert run(words) == 0
                printed = capsys.readouterr().out
            assert printed.startswith(output.removesuffix("...\n")), page
            found += 1
    assert found >= 3


def test_the_picture_of_the_knee(tmp_path):
    script = runpy.run_path(str(ROOT / "examples" / "knee.py"))
    spread = script["Spread"]("few", Counter({24: 3, 60: 1}))
    assert str(spread) == "few: 2 different k, from 24 to 60; the most frequent, 24, in 75.0 % of 4 seeds"
    script["picture"](str(tmp_path / "knee.png"), spread, spread)
    assert (tmp_path / "knee.png").stat().st_size > 10_000


def test_the_published_knee_over_1000_seeds():
    """About 27 different k, none with more than 8 %."""
    line = output_of(ROOT / "examples" / "knee.py").splitlines()[1]
    different, share = re.fullmatch(r".*: (\d+) different k, .* in ([\d.]+) % of 1000 seeds", line).groups()
    assert abs(int(different) - 27) <= 1
    assert float(share) <= 8
