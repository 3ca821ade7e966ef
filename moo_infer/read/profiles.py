"""Reads model profiles and scenarios from YAML."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

from ..core.documents import read_yaml
from ..core.errors import MooInferError
from ..core.parts import at_least_one
from ..core.uncertainty import uncertain
from ..interfaces import CostModel, InferenceModel, Policy
from ..profiles import ModelProfile, Scenario
from ..registry import Registry

__all__ = ["builtin_models", "builtin_scenarios", "load_models", "load_policies", "load_scenarios"]

Read = TypeVar("Read")


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
    if "models" not in document:
        raise MooInferError(f"{path}: missing models; keys: {', '.join(map(str, document)) or 'none'}")
    registry = registry or Registry()
    return dict(_each(document["models"], f"{path}: models", str(path), partial(_profile, registry, path.parent)))


def load_scenarios(path: str | Path) -> dict[str, Scenario]:
    """Read the scenarios of a YAML file; none where it has no key ``scenarios``.

    Raises:
        MooInferError: naming the file, the scenario and the key, what is allowed and what was given.
    """
    path = Path(path)
    document = _document(path)
    if "scenarios" not in document:
        return {}
    return dict(_each(document["scenarios"], f"{path}: scenarios", str(path), _scenario))


def load_policies(path: str | Path, registry: Registry | None = None) -> dict[str, Mapping[str, Any]]:
    """Read the policies of a YAML file, each a mapping with its kind and fields; none without a key ``policies``.

    Raises:
        MooInferError: naming the file, the policy and the key, what is allowed and what was given.
    """
    path = Path(path)
    document = _document(path)
    if "policies" not in document:
        return {}
    registry = registry or Registry()

    def read(name: str, entry: Mapping[str, Any], where: str) -> Mapping[str, Any]:
        registry.build(Policy, entry, where, path.parent)
        return entry

    return dict(_each(document["policies"], f"{path}: policies", str(path), read))


def builtin_models(registry: Registry | None = None) -> dict[str, ModelProfile]:
    """Return the nine profiles of the paper (Table 3)."""
    return load_models(_builtin("models.yaml"), registry)


def builtin_scenarios() -> dict[str, Scenario]:
    """Return the three scenarios of the paper."""
    return load_scenarios(_builtin("scenarios.yaml"))


def _builtin(name: str) -> Path:
    return Path(str(files("moo_infer") / "builtin" / name))


def _profile(registry: Registry, folder: Path, name: str, entry: Mapping[str, Any], where: str) -> ModelProfile:
    if "c_in" in entry or "mu_Lin" in entry:
        entry = _from_reference(entry, where)
    allowed = ("inference", "costs", "parallelism", "source", "largest_k", "extrapolate_to")
    _refuse_unknown_keys(entry, allowed, where)
    for key in ("inference", "costs"):
        if key not in entry:
            raise MooInferError(f"{where}: missing {key}; keys: {', '.join(allowed)}")
    if not isinstance(entry["costs"], list):
        raise MooInferError(f"{where}: costs: must be a list of cost models, got {entry['costs']!r}")
    parts = {"inference": entry["inference"]} | {f"costs[{i}]": cost for i, cost in enumerate(entry["costs"])}
    return ModelProfile(
        name=name,
        inference=registry.build(InferenceModel, entry["inference"], f"{where}: inference", folder),
        costs=tuple(registry.build(CostModel, c, f"{where}: costs[{i}]", folder) for i, c in enumerate(entry["costs"])),
        parallelism=at_least_one(entry.get("parallelism", 1), f"{where}: parallelism"),
        source=str(entry.get("source", "")),
        largest_k=entry.get("largest_k"),
        extrapolate_to=entry.get("extrapolate_to"),
        uncertain={f"{path}.{key}": u for path, part in parts.items() for key, u in uncertain(part).items()},
    )


# The keys of the authors' configuration file: the part and the field their values go to.
_REFERENCE = {
    "mu_Lin": ("gaussian", "tokens_in_mean"),
    "sigma_Lin": ("gaussian", "tokens_in_std"),
    "mu_Lout": ("gaussian", "tokens_out_mean"),
    "sigma_Lout": ("gaussian", "tokens_out_std"),
    "acc_mean": ("gaussian", "accuracy_mean"),
    "acc_std": ("gaussian", "accuracy_std"),
    "c_in": ("linear-cost", "usd_per_input_token"),
    "c_out": ("linear-cost", "usd_per_output_token"),
    "t_in": ("linear-latency", "seconds_per_input_token"),
    "t_out": ("linear-latency", "seconds_per_output_token"),
}


def _from_reference(entry: Mapping[str, Any], where: str) -> dict[str, Any]:
    _refuse_unknown_keys(entry, (*_REFERENCE, "name", "default_parallel"), where)
    if missing := [key for key in _REFERENCE if key not in entry]:
        raise MooInferError(f"{where}: missing {', '.join(missing)}")
    parts: dict[str, dict[str, Any]] = {}
    for key, (kind, name) in _REFERENCE.items():
        parts.setdefault(kind, {"kind": kind})[name] = entry[key]
    inference, *costs = parts.values()
    return {
        "inference": inference,
        "costs": costs,
        # The authors' code takes 4 where the file says nothing.
        "parallelism": entry.get("default_parallel", 4),
        "source": f"configuration file of the paper's authors: {entry.get('name', '')}".rstrip(": "),
    }


def _scenario(name: str, entry: Mapping[str, Any], where: str) -> Scenario:
    _refuse_unknown_keys(entry, ("max", "min", "source"), where)
    try:
        return Scenario(name, entry.get("max", {}), entry.get("min", {}), str(entry.get("source", "")))
    except MooInferError as error:
        raise MooInferError(f"{where.removesuffix(f': {name}')}: {error}") from None


def _refuse_unknown_keys(entry: Mapping[str, Any], allowed: tuple[str, ...], where: str) -> None:
    for key in entry:
        if key not in allowed:
            raise MooInferError(f"{where}: unknown key {key!r}; keys: {', '.join(allowed)}")


def _each(
    section: object, where: str, file: str, read: Callable[[str, Mapping[str, Any], str], Read]
) -> Iterator[tuple[str, Read]]:
    if not isinstance(section, Mapping) or not section:
        raise MooInferError(f"{where}: must be a mapping of names, got {section!r}")
    for name, entry in section.items():
        if not isinstance(name, str) or not name.strip():
            raise MooInferError(f"{where}: names must be text, got {name!r}; put it in quotes")
        if not isinstance(entry, Mapping):
            raise MooInferError(f"{file}: {name}: must be a mapping, got {entry!r:.80}")
        yield name, read(name, entry, f"{file}: {name}")


def _document(path: Path) -> Mapping[str, Any]:
    document = read_yaml(path, "the keys models or scenarios")
    _refuse_unknown_keys(document, ("models", "scenarios", "policies"), str(path))
    return document
