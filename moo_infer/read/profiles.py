"""Reads model profiles, scenarios, policies and workflows from YAML, and from what commands wrote as JSON."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.arguments import typed
from ..core.day import Day
from ..core.documents import read_json, read_yaml
from ..core.errors import MooInferError
from ..profiles import ModelProfile, Scenario
from ..registry import Registry
from ..workflows import Workflow

if TYPE_CHECKING:
    from .classes import QueryClassEntry

__all__ = [
    "builtin_file",
    "builtin_models",
    "builtin_scenarios",
    "file_of_models",
    "load_day",
    "load_models",
    "load_policies",
    "load_scenarios",
    "load_workflows",
    "named_classes",
    "named_day",
    "named_inputs",
    "named_policies",
    "named_workflows",
    "read_document",
]

EXPECTED = "the keys models, scenarios, policies, workflows, queries, day, run or grid"
SECTIONS = {"scenarios", "policies", "workflows", "queries", "day", "run", "grid"}  # of a file for the built-in models


@typed()
def load_models(path: str | Path, registry: Registry | None = None) -> dict[str, ModelProfile]:
    """Read model profiles from a YAML file.

    The keys of ``models`` become the names. The configuration file of the paper's authors (``c_in``, ``mu_Lin``, ...)
    is recognised by its keys and read as it is. What ``recommend``, ``calibrate`` and ``models`` wrote as JSON is read
    too: its key ``config``.

    Args:
        path: the file.
        registry: where kinds are looked up; default everything installed.

    Raises:
        MooInferError: naming the file, the model and the key, what is allowed and what was given.
    """
    path = Path(path)
    document = read_document(path)
    from .schema import Context, read_models  # with pydantic, which takes longer to import than a run without files

    models = read_models(document, str(path), Context(registry or Registry(), path.parent))
    if not models:
        raise MooInferError(f"{path}: missing models; keys: {', '.join(map(str, document)) or 'none'}")
    return models


@typed()
def load_scenarios(path: str | Path) -> dict[str, Scenario]:
    """Read the scenarios of a YAML file; none where it has no key ``scenarios``.

    Raises:
        MooInferError: naming the file, the scenario and the key, what is allowed and what was given.
    """
    path = Path(path)
    document = read_document(path)
    from .schema import read_scenarios

    return read_scenarios(document, str(path))


def file_of_models(path: str | Path) -> Path | None:
    """Return where the models of a file are: in itself, or in another that its run names; None where it has none.

    A file without models has scenarios, policies, workflows, queries, a day or a run for the built-in ones.

    Raises:
        MooInferError: for what cannot be read.
    """
    path = Path(path)
    document = read_document(path)
    run = document.get("run")
    other = run.get("models") if isinstance(run, Mapping) else None
    if document.get("models") == {}:
        raise MooInferError(f"{path}: models: holds none; calibrate --out FILE.yaml keeps the samples they draw from")
    if other is None:
        return None if "models" not in document and SECTIONS & {*document} else path
    if "models" in document:
        raise MooInferError(f"{path}: run: models: the file has models of its own, so it cannot name another's")
    if not isinstance(other, str):
        raise MooInferError(f"{path}: run: models: must be the path of a file, got {other!r:.80}")
    return path.parent / other


def named_inputs(
    path: Path | None, registry: Registry | None
) -> tuple[dict[str, ModelProfile] | None, dict[str, Scenario] | None]:
    """Profiles and scenarios that can be called by name: those of the file where it has some, else None: built-in."""
    if path is None:
        return None, None
    source = file_of_models(path)
    scenarios = load_scenarios(path) or (load_scenarios(source) if source else None) or None
    return (None if registry is None or source is None else load_models(source, registry)), scenarios


def named_policies(path: Path | None, registry: Registry) -> dict[str, Mapping[str, Any]]:
    """Policies that can be called by name: those of the file, or else of the file that has its models."""
    if path is None:
        return {}
    source = file_of_models(path)
    return load_policies(path, registry) or (load_policies(source, registry) if source else {})


def named_classes(path: Path, registry: Registry) -> "dict[str, QueryClassEntry]":
    """Return the classes of queries of a file, or else of the file that has its models; none without a key ``queries``.

    Raises:
        MooInferError: naming the file, the class and the key, what is allowed and what was given.
    """
    from .schema import Context, read_classes

    source = file_of_models(path)
    for file in dict.fromkeys((path, source or path)):
        if found := read_classes(read_document(file), str(file), Context(registry, file.parent)):
            return found
    return {}


@typed()
def load_policies(path: str | Path, registry: Registry | None = None) -> dict[str, Mapping[str, Any]]:
    """Read the policies of a YAML file, each a mapping with its kind and fields; none without a key ``policies``.

    Raises:
        MooInferError: naming the file, the policy and the key, what is allowed and what was given.
    """
    path = Path(path)
    document = read_document(path)
    from .schema import Context, read_policies

    return read_policies(document, str(path), Context(registry or Registry(), path.parent))


def load_day(path: str | Path) -> Day | None:
    """Read the day of a YAML file: arrivals by hour, and what electricity costs and emits; None without one.

    Raises:
        MooInferError: naming the file, the key and the hour, what is allowed and what was given.
    """
    path = Path(path)
    document = read_document(path)
    if document.get("day") is None:
        return None
    from .schema import read_day

    return read_day(document, str(path))


def named_day(path: Path | None) -> Day | None:
    """Return the day of the file, or else of the file that has its models; None where there is none."""
    if path is None:
        return None
    source = file_of_models(path)
    return load_day(path) or (load_day(source) if source else None)


def named_workflows(path: Path | None, registry: Registry) -> dict[str, Workflow]:
    """Workflows that can be called by name: those of the file, or else of the file that has its models."""
    if path is None:
        return {}
    source = file_of_models(path)
    return load_workflows(path, registry) or (load_workflows(source, registry) if source else {})


@typed()
def load_workflows(path: str | Path, registry: Registry | None = None) -> dict[str, Workflow]:
    """Read the workflows of a YAML file; none without a key ``workflows``.

    Raises:
        MooInferError: naming the file, the workflow and the key, what is allowed and what was given.
    """
    path = Path(path)
    document = read_document(path)
    from .schema import Context, read_workflows

    return read_workflows(document, str(path), Context(registry or Registry(), path.parent))


@typed()
def builtin_models(registry: Registry | None = None) -> dict[str, ModelProfile]:
    """Return the nine profiles of the paper (Table 3)."""
    return load_models(builtin_file("models.yaml"), registry)


def builtin_scenarios() -> dict[str, Scenario]:
    """Return the three scenarios of the paper."""
    return load_scenarios(builtin_file("scenarios.yaml"))


def builtin_file(name: str) -> Path:
    """Return the path of a file that comes with the package."""
    return Path(str(files("moo_infer") / "builtin" / name))


def read_document(path: Path) -> Mapping[str, Any]:
    """Return the sections of a file, as they were parsed: of YAML, or of what a command wrote as JSON.

    Raises:
        MooInferError: for what cannot be read, and for a report that does not say its models.
    """
    document = read_json(path) if path.suffix.lower() == ".json" else read_yaml(path, EXPECTED)
    if not isinstance(document, Mapping):
        raise MooInferError(f"{path}: must be a mapping with {EXPECTED}, got {document!r:.60}")
    if "schema" not in document:
        return document
    config = document.get("config")
    if not isinstance(config, Mapping):
        raise MooInferError(f"{path}: is a report that does not say its models (no config); give the YAML it came from")
    return config
