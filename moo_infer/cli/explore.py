"""The command ``moo-infer explore``: a page with sliders."""

import warnings
from typing import Annotated, Any

import typer

from .options import ModelsFile, PluginFiles
from .recommend_options import LimitOptions
from .run_options import MAIN
from .runs import said

__all__ = ["explore"]

DECIDING = {"by", "confidence", "goal", "k_step", "policy", "questions", "volume", "workflow"}  # without a control


def explore(
    context: typer.Context,
    models: ModelsFile = None,
    plugin_files: PluginFiles = None,
    port: Annotated[int, typer.Option(metavar="N", min=1, max=65535, help="Of this machine alone.")] = 8866,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Whether to open a browser.")] = True,
) -> None:
    """Serve a page with sliders for limits and everything else, until it is interrupted (extra notebook).

    It opens with what a file says under run: models, limits, k_max, estimator, aggregators and selectors.

    \b
    Examples:
      moo-infer explore
      moo-infer explore --models my.yaml --no-browser --port 9000
    """
    from ..explore.server import serve

    run = {} if models is None else said(context, models, MAIN)
    several = ["model"] * (len(run.get("model", ())) > 1)  # there is one of a file, or all of them
    if unheeded := sorted([*run.keys() & DECIDING, *several]):
        warnings.warn(f"the explorer does without {', '.join(unheeded)} of run:", stacklevel=2)
    plugin_files = plugin_files or run.get("plugin_files", [])
    if code := serve(models, plugin_files, _start(run), port=port, browser=browser):
        raise typer.Exit(code)


def _start(run: dict[str, Any]) -> Any:
    """What a run of ``recommend`` sets the controls to."""
    from ..explore.start import Start

    limits = LimitOptions(**{name: run[name] for name in LimitOptions.__dataclass_fields__ if name in run})
    own = limits.scenario(run.get("scenario"))
    grid = [int(k) for k in run.get("k", "").split(",") if k]
    started = {
        "model": run["model"][0] if len(run.get("model", ())) == 1 else "",
        "scenario": run.get("scenario", [""])[0],
        "max": own.max if own else {},
        "min": own.min if own else {},
        "aggregators": run.get("aggregator"),
        "selectors": run.get("selector"),
        "estimator": run.get("estimator"),
        "trials": run.get("trials"),
        "seed": run.get("seed"),
        "k_max": max(grid, default=run.get("k_max")),
        "parallelism": run.get("parallelism"),
    }
    return Start(**{name: value for name, value in started.items() if value is not None})
