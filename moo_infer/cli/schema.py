"""The command ``moo-infer schema``: what a YAML file may hold, for editors."""

import json

from .options import PluginFiles, registry_with

__all__ = ["schema"]


def schema(plugin_files: PluginFiles = None) -> str:
    """Print the JSON schema of files with models, scenarios and policies: every kind there is, plugins too.

    Editors complete and check a file that begins with the line
    # yaml-language-server: $schema=moo-infer.schema.json

    \b
    Examples:
      moo-infer schema > moo-infer.schema.json
      moo-infer schema --plugin-file my.py
    """
    from ..read.json_schema import json_schema

    return json.dumps(json_schema(registry_with(plugin_files)), indent=1, allow_nan=False)
