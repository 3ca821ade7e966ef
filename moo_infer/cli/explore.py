"""The command ``moo-infer explore``: a page with sliders."""

from typing import Annotated

import typer

from .options import ModelsFile, PluginFiles

__all__ = ["explore"]


def explore(
    models: ModelsFile = None,
    plugin_files: PluginFiles = None,
    port: Annotated[int, typer.Option(metavar="N", min=1, max=65535, help="Of this machine alone.")] = 8866,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Whether to open a browser.")] = True,
) -> None:
    """Serve a page with sliders for limits and everything else, until it is interrupted (extra notebook).

    \b
    Examples:
      moo-infer explore
      moo-infer explore --models my.yaml --no-browser --port 9000
    """
    from ..explore.explore import serve

    if code := serve(models, plugin_files or [], port=port, browser=browser):
        raise typer.Exit(code)
