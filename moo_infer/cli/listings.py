"""The commands ``moo-infer plugins``, ``models`` and ``scenarios``: what can be called by name."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ..pipeline import Pipeline
from ..read.profiles import builtin_models, builtin_scenarios
from ..report.text import laid_out
from ..report.wording import Cell, TextTable
from .options import Json, ModelsFile, PluginFiles, named_inputs, registry_with

__all__ = ["list_models", "list_plugins", "list_scenarios"]


def list_plugins(plugin_files: PluginFiles = None, as_json: Json = False) -> str:
    """List every part that can be called by name, its parameters, and the package it comes from.

    \b
    Examples:
      moo-infer plugins
      moo-infer plugins --plugin-file my.py
      MOO_INFER_DISABLE=some-package moo-infer plugins
    """
    plugins = registry_with(plugin_files).plugins()
    if as_json:
        return _json({"plugins": [asdict(plugin) for plugin in plugins]})
    rows = []
    for p in plugins:
        summary = p.summary.split(" (")[0].split(": ")[0]
        parameters = [f":{', '.join(p.parameters)}"] if p.parameters else []
        rows.append((p.kind, p.name, (summary, *parameters), f"{p.package} {p.version}".rstrip()))
    return _table(("kind", "name", "what it is", "from"), rows)


def list_models(models: ModelsFile = None, plugin_files: PluginFiles = None, as_json: Json = False) -> str:
    """List the model profiles, with what one inference is worth and consumes.

    \b
    Examples:
      moo-infer models
      moo-infer models --models my.yaml
    """
    registry = registry_with(plugin_files)
    profiles = named_inputs(models, registry)[0] or builtin_models(registry)
    if as_json:
        return _json({"models": [{"name": p.name, "source": p.source} | p.to_dict() for p in profiles.values()]})
    rows = []
    for profile in profiles.values():
        table = Pipeline(k=[1], parallelism=1, registry=registry).candidates(profile)
        means = [f"{o.name} {table.column(o.name)[0]:.4g} {o.unit}".strip() for o in table.objectives]
        rows.append((profile.name, str(profile.parallelism), tuple(means), profile.source))
    return _table(("model", "P", "one inference", "source"), rows)


def list_scenarios(models: ModelsFile = None, as_json: Json = False) -> str:
    """List the scenarios and their limits.

    \b
    Example:
      moo-infer scenarios
    """
    scenarios = named_inputs(models, None)[1] or builtin_scenarios()
    if as_json:
        listed = [
            {"name": s.name, "limits": [asdict(limit) for limit in s.limits], "source": s.source}
            for s in scenarios.values()
        ]
        return _json({"scenarios": listed})
    rows = [(s.name, tuple(str(limit) for limit in s.limits), s.source) for s in scenarios.values()]
    return _table(("scenario", "limits", "source"), rows)


def _json(document: dict[str, Any]) -> str:
    return json.dumps({"schema": 1} | document, indent=2, allow_nan=False)


def _table(header: tuple[str, ...], rows: Sequence[tuple[Cell, ...]]) -> str:
    return laid_out([TextTable(header, tuple(rows), labels=len(header))]).strip("\n")
