"""The command ``moo-infer schema``: what a YAML file may hold, for editors."""

import json

import typer

from .options import PluginFiles, registry_with
from .runs import commands

__all__ = ["schema"]


def schema(context: typer.Context, plugin_files: PluginFiles = None) -> str:
    """Print the JSON schema of files with models, scenarios, policies and a run: every kind there is, plugins too.

    Editors complete and check a file that begins with the line
    # yaml-language-server: $schema=moo-infer.schema.json

    \b
    Examples:
      moo-infer schema > moo-infer.schema.json
      moo-infer schema --plugin-file my.py
    """
    from ..read.json_schema import json_schema
    from .run_section import run_schema

    run = run_schema(commands(context))
    return json.dumps(json_schema(registry_with(plugin_files), run), indent=1, allow_nan=False)
