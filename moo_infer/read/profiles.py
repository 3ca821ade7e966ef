"""Reads model profiles, scenarios and policies from YAML."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from ..core.documents import read_yaml
from ..core.errors import MooInferError
from ..profiles import ModelProfile, Scenario
from ..registry import Registry

__all__ = ["builtin_models", "builtin_scenarios", "has_models", "load_models", "load_policies", "load_scenarios"]


def load_models(path: str | Path, registry: Registry | None = None) -> dict[str, ModelProfile]:
    """Read model profiles from a YAML file.

    The keys of ``models`` become the names. The configuration file of the paper's authors (``c_in``, ``mu_Lin``, ...)
    is recognised by its keys and read as it is.

    Args:
        path: the file.
        registry: where kinds are looked up; default everything installed.

    Raises:
        MooInferError: naming the file, the model and the key, what is allowed and what was given.
    """
    path = Path(path)
    document = _document(path)
    from .schema import Context, read_models  # with pydantic, which takes longer to import than a run without files

    models = read_models(document, str(path), Context(registry or Registry(), path.parent))
    if not models:
        raise MooInferError(f"{path}: missing models; keys: {', '.join(map(str, document)) or 'none'}")
    return models


def load_scenarios(path: str | Path) -> dict[str, Scenario]:
    """Read the scenarios of a YAML file; none where it has no key ``scenarios``.

    Raises:
        MooInferError: naming the file, the scenario and the key, what is allowed and what was given.
    """
    path = Path(path)
    document = _document(path)
    from .schema import read_scenarios

    return read_scenarios(document, str(path))


def has_models(path: str | Path) -> bool:
    """Whether a YAML file has the key ``models``; one without has scenarios alone, for the built-in models."""
    return "models" in _document(Path(path))


def load_policies(path: str | Path, registry: Registry | None = None) -> dict[str, Mapping[str, Any]]:
    """Read the policies of a YAML file, each a mapping with its kind and fields; none without a key ``policies``.

    Raises:
        MooInferError: naming the file, the policy and the key, what is allowed and what was given.
    """
    path = Path(path)
    document = _document(path)
    from .schema import Context, read_policies

    return read_policies(document, str(path), Context(registry or Registry(), path.parent))


def builtin_models(registry: Registry | None = None) -> dict[str, ModelProfile]:
    """Return the nine profiles of the paper (Table 3)."""
    return load_models(_builtin("models.yaml"), registry)


def builtin_scenarios() -> dict[str, Scenario]:
    """Return the three scenarios of the paper."""
    return load_scenarios(_builtin("scenarios.yaml"))


def _builtin(name: str) -> Path:
    return Path(str(files("moo_infer") / "builtin" / name))


def _document(path: Path) -> Mapping[str, Any]:
    return read_yaml(path, "the keys models, scenarios or policies")
