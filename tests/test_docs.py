"""Every code block of README and docs, and every script in examples, runs."""

import os
import re
import runpy
import shlex
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


@pytest.mark.parametrize("script", sorted(ROOT.glob("examples/*.py")), ids=lambda path: path.name)
def test_examples(script, folder, capsys):
    before = set(os.listdir(folder))
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out.strip()
    assert set(os.listdir(folder)) == before


def test_what_the_readme_shows_is_what_the_commands_print(folder, capsys):
    """A text block right after a shell block of one moo-infer command begins what that command prints."""
    found = 0
    for page in PAGES:
        kinds = BLOCK.findall(page.read_text())
        for (kind, text), (after, output) in pairwise(kinds):
            if kind == "shell" and after == "text":
                capsys.readouterr()
                assert run(shlex.split(text.strip().splitlines()[-1])[1:]) == 0
                assert capsys.readouterr().out.startswith(output.removesuffix("...\n")), page
                found += 1
    assert found
