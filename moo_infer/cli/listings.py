"""The commands ``moo-infer plugins``, ``models`` and ``scenarios``: what can be called by name."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..pipeline import Pipeline
from ..profiles import ModelProfile, Scenario
from ..read.config import files_read, sections
from ..read.profiles import builtin_models, builtin_scenarios, named_inputs
from ..registry import Plugin, Registry
from ..report.text import laid_out
from ..report.wording import Cell, TextTable
from .options import Json, ModelsFile, PluginFiles, registry_with
from .outputs import ENDINGS, Out, refuse_unwritable, report_writers, write_all

__all__ = ["list_models", "list_plugins", "list_scenarios"]


def list_plugins(plugin_files: PluginFiles = None, out: Out = None, as_json: Json = False) -> str:
    """List every part that can be called by name, its parameters, and the package it comes from.

    \b
    Examples:
      moo-infer plugins
      moo-infer plugins --plugin-file my.py
      MOO_INFER_DISABLE=some-package moo-infer plugins
    """
    refuse_unwritable(out, ENDINGS)
    plugins = registry_with(plugin_files).plugins()
    table = TextTable(("kind", "name", "what it is", "from"), tuple(map(_plugin, plugins)), labels=4)
    return _listing("plugins", [asdict(plugin) for plugin in plugins], table, out, as_json)


def list_models(
    models: ModelsFile = None, plugin_files: PluginFiles = None, out: Out = None, as_json: Json = False
) -> str:
    """List the model profiles, with what one inference is worth and consumes.

    \b
    Examples:
      moo-infer models
      moo-infer models --models my.yaml
    """
    registry = registry_with(plugin_files)
    refuse_unwritable(out, ENDINGS, files_read(models, registry))
    profiles = list((named_inputs(models, registry)[0] or builtin_models(registry)).values())
    listed = [
        {"name": p.name, "source": p.source, "largest_k": p.largest_k, "extrapolate_to": p.extrapolate_to}
        | p.to_dict()
        | {"call": None if p.call is None else p.call.to_dict() | {"sent_hash": p.call.sent_hash}}
        for p in profiles
    ]
    header = ("model", "P", "one inference", "source")
    table = TextTable(header, tuple(_model(profile, registry) for profile in profiles), labels=4)
    return _listing("models", listed, table, out, as_json, config=sections(models, registry, Path()))


def list_scenarios(models: ModelsFile = None, out: Out = None, as_json: Json = False) -> str:
    """List the scenarios and their limits.

    \b
    Example:
      moo-infer scenarios
    """
    refuse_unwritable(out, ENDINGS, [models])
    scenarios = list((named_inputs(models, None)[1] or builtin_scenarios()).values())
    listed = [{"name": s.name, "limits": [asdict(limit) for limit in s.limits], "source": s.source} for s in scenarios]
    table = TextTable(("scenario", "limits", "source"), tuple(map(_scenario, scenarios)), labels=3)
    return _listing("scenarios", listed, table, out, as_json)


def _plugin(plugin: Plugin) -> tuple[Cell, ...]:
    summary = plugin.summary.split(" (")[0].split(": ")[0]
    parameters = [f":{', '.join(plugin.parameters)}"] if plugin.parameters else []
    return plugin.kind, plugin.name, (summary, *parameters), f"{plugin.package} {plugin.version}".rstrip()


def _model(profile: ModelProfile, registry: Registry) -> tuple[Cell, ...]:
    if not profile.measured:
        return profile.name, str(profile.parallelism), ("not measured",), profile.source
    table = Pipeline(k=[1], parallelism=1, registry=registry).candidates(profile)
    means = [f"{o.name} {table.column(o.name)[0]:.4g} {o.unit}".strip() for o in table.objectives]
    return profile.name, str(profile.parallelism), tuple(means), profile.source


def _scenario(scenario: Scenario) -> tuple[Cell, ...]:
    return scenario.name, tuple(str(limit) for limit in scenario.limits), scenario.source


def _listing(
    what: str, listed: list[dict[str, Any]], table: TextTable, out: Iterable[Path] | None, as_json: bool, **more: Any
) -> str:
    """The answer of a command that lists, written to files as well."""
    text = json.dumps({"schema": 1, what: listed, **more}, indent=2, allow_nan=False)
    write_all(out, report_writers(f"moo-infer {what}", lambda: text, lambda: [table], lambda: listed))
    return text if as_json else laid_out([table]).strip("\n")
