"""The JSON schema of files: it takes what the commands take, and refuses what they refuse for its form."""

import copy
import json
import random
import re
import shutil
from pathlib import Path

import pytest
import typer.main
import yaml

from moo_infer import (
    MooInferError,
    Registry,
    load_models,
    load_policies,
    load_scenarios,
    load_workflows,
    plugin_file,
)
from moo_infer.cli.app import app, run
from moo_infer.cli.run_section import accepted_run, run_schema
from moo_infer.cli.runs import RunCommand
from moo_infer.read.json_schema import json_schema
from moo_infer.read.profiles import file_of_models, load_day, read_document
from moo_infer.read.schema import Context, read_classes
from moo_infer.sweep.grid import Grid

ROOT = Path(__file__).parent.parent.parent
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMANDS = {
    name: command for name, command in typer.main.get_command(app).commands.items() if isinstance(command, RunCommand)
}
PLUGINS = [ROOT / "examples" / "plugins" / f"{name}.py" for name in ("coin", "water")]


@pytest.fixture(scope="module")
def registry():
    return Registry(*map(plugin_file, PLUGINS))


@pytest.fixture(scope="module")
def draft():
    """The class of validators: imported here, as loading it takes seconds, and not where tests are collected."""
    from jsonschema import Draft202012Validator

    return Draft202012Validator


@pytest.fixture(scope="module")
def validator(registry, draft):
    return draft(json_schema(registry, run_schema(COMMANDS)))


def documents():
    """Every document with models, scenarios or policies that examples, docs and tests hold."""
    texts = {path: path.read_text() for path in [*ROOT.glob("examples/*.yaml"), *ROOT.glob("plugins/*/*.yaml")]}
    for page in [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("plugins/*/README.md")]:
        texts |= {f"{page.name}-{i}": text for i, text in enumerate(BLOCK.findall(page.read_text()))}
    texts |= {path: path.read_text() for path in ROOT.glob("tests/**/*.yaml")}
    for name, text in texts.items():
        document = yaml.safe_load(text)
        if isinstance(document, dict) and {"models", "scenarios", "policies", "workflows", "queries", "run"} & {
            *document
        }:
            yield pytest.param(document, id=str(name).rpartition("/")[2])


def taken(document, registry, folder):
    """What the commands say of a document: nothing, or why they refuse it."""
    path = folder / "file.yaml"
    path.write_text(yaml.safe_dump(document))
    try:
        load_scenarios(path)
        load_policies(path, registry)
        load_workflows(path, registry)
        read_classes(read_document(path), str(path), Context(registry, folder))
        file_of_models(path)
        load_models(path, registry) if "models" in document else None
        load_day(path)
        accepted_run(COMMANDS, document.get("run"), str(path))
        if document.get("grid") is not None:
            Grid.of(document["grid"], ["models"], [*document["grid"]], str(path))
    except MooInferError as error:
        return str(error)
    return ""


def test_it_is_a_schema_of_2020_12_that_the_command_prints(capsys, draft):
    assert run(["schema"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    draft.check_schema(printed)
    assert run(["schema", "--plugin-file", str(PLUGINS[1])]) == 0
    assert "water" in json.loads(capsys.readouterr().out)["$defs"]


def found():
    return list(documents())


def test_there_are_documents():
    assert len(found()) >= 10


@pytest.mark.parametrize("document", found())
def test_it_takes_every_document_of_examples_docs_and_tests(document, validator):
    assert [error.message for error in validator.iter_errors(document)] == []


def places(node, path=()):
    """Every place in a document, deepest last."""
    yield path
    if isinstance(node, dict):
        for key, value in node.items():
            yield from places(value, (*path, key))
    elif isinstance(node, list):
        for i, value in enumerate(node):
            yield from places(value, (*path, i))


WRONG = ["x", True, -5, {"low": 1}, [1, "a"], {"value": 1, "sd": 2}, [], {}]


def mutated(document, rng):
    """A document with one thing changed: a key misspelt, added or left out, or another value."""
    document = copy.deepcopy(document)
    path = rng.choice([path for path in places(document) if path])
    parent = document
    for step in path[:-1]:
        parent = parent[step]
    what = rng.choice(["value", "misspelt", "left out", "added"])
    if what == "value" or not isinstance(parent, dict):
        parent[path[-1]] = rng.choice(WRONG)
    elif what == "misspelt":
        parent[f"{path[-1]}x"] = parent.pop(path[-1])
    elif what == "left out":
        del parent[path[-1]]
    else:
        parent["surplus"] = 1
    return document


def test_it_refuses_what_the_commands_refuse_for_its_form_and_nothing_else(validator, registry, tmp_path):
    """300 changed documents; what the commands refuse for the meaning of several numbers together is not form."""
    shutil.copy(ROOT / "examples" / "log.csv", tmp_path)
    rng = random.Random(0)
    given = [param.values[0] for param in found()]
    meaning = (
        " needs ",
        "is either ",
        ": give ",
        "a law has ",
        "the checker is ",
        "unknown model ",
        " at least is needed",
        "cannot be read",
    )
    refused = 0
    for _ in range(300):
        document = mutated(rng.choice(given), rng)
        if not document:
            continue  # neither models nor scenarios
        said = taken(document, registry, tmp_path)
        errors = [error.message for error in validator.iter_errors(document)]
        if not said:
            assert errors == [], (document, errors[0][:300])
            continue
        if not any(word in said for word in meaning):
            refused += 1
            assert errors, (said, document)
    assert refused >= 250
