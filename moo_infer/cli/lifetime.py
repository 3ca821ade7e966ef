"""The command ``moo-infer lifetime``: the decision as a function of how many queries there will be."""

import json
import shlex
from functools import partial
from typing import Annotated

import typer

from ..core.errors import MooInferError, unknown
from ..core.objectives import COMPUTE, COST
from ..core.version import __version__
from ..pipeline import K_MAX, NO_LIMITS, Pipeline
from ..profiles import Scenario
from ..read.config import files_read, sections
from ..read.profiles import named_day, named_inputs, named_policies
from ..report.lifetime import blocks, document
from ..report.text import laid_out
from .options import Json, PictureOptions, PluginFiles, grouped, registry_with
from .outputs import ENDINGS, Out, refuse_unwritable, report_writers, write_all
from .progress import progress_bar
from .recommend_options import DRAWS, GridOptions, LimitOptions, NameOptions
from .runs import RunOptions
from .terminal import NOT_FEASIBLE, Answer, columns
from .workers import Workers, executor_of

__all__ = ["lifetime"]

SPENT = (COST.name, COMPUTE.name)


@grouped
def lifetime(
    *,
    context: typer.Context,
    run: RunOptions,
    of: Annotated[str, typer.Option(metavar="NAME", help="What is spent: cost or compute.")] = COST.name,
    names: NameOptions,
    limits: LimitOptions,
    aggregator: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Repeatable; as in recommend.")] = None,
    policy: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Repeatable; as in recommend.")] = None,
    grid: GridOptions,
    draws: Annotated[
        int, typer.Option(metavar="B", min=0, max=100_000, help="Draws of what is uncertain, 0 for no intervals.")
    ] = DRAWS,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Seed of the draws.")] = 0,
    plugin_files: PluginFiles = None,
    workers: Workers = None,
    pictures: PictureOptions,
    out: Out = None,
    as_json: Json = False,
) -> Answer:
    """Say which row is the cheapest within limits for how many queries, and where two of them break even.

    What is paid once (fixed-cost: per_deployment) counts the less, the more queries there are.

    \b
    Examples:
      moo-infer lifetime --models my.yaml --min-accuracy 0.8
      moo-infer lifetime --models my.yaml --of compute --min accuracy=0.3 --out life.html --plot pictures
    """
    from ..decide.lifetime import lifetime as decided

    if of not in SPENT:
        raise unknown("--of", of, SPENT)
    registry = registry_with(plugin_files)
    profiles, scenarios = named_inputs(run.models, registry)
    scenario = limits.scenario(names.scenario) or _scenario(scenarios, names.scenario)
    grid.refuse_two_grids()
    room = pictures.room()
    refuse_unwritable(out, ENDINGS, files_read(run.models, registry))
    policies = named_policies(run.models, registry)
    with executor_of(workers) as executor, progress_bar() as progress:
        pipeline = Pipeline(
            aggregator or None,
            k=grid.values(),
            k_max=K_MAX if grid.k_max is None else grid.k_max,
            k_step=grid.k_step,
            parallelism=grid.parallelism,
            models=profiles,
            scenarios=scenarios,
            registry=registry,
            policies=policy or [*policies],
            named_policies=policies,
            day=named_day(run.models),
            executor=executor,
            progress=progress,
        )
        report = pipeline.run(names.model or None, scenario)
        chosen, redraw = report.scenarios[0], report.redraw
        found = decided(report.candidates, report.profiles, of, chosen.limits, redraw, draws=draws, seed=seed)
    if room and pictures.plot:
        picture = (chosen.name, "lifetime"), partial(room.lifetime, found)
        room.write([picture], pictures.plot, pictures.picture_format or "png")
    command = shlex.join(["moo-infer", *context.find_root().obj])
    whole = {"schema": 1, "command": command, "version": __version__, "scenario": chosen.name, **document(found)}
    config = run.config(context, lambda folder: sections(run.models, registry, folder))
    whole |= {"draws": draws if redraw else 0, "seed": seed, "config": config}
    text = json.dumps(whole, indent=2, allow_nan=False)
    write_all(out, report_writers(command, lambda: text, lambda: blocks(found), lambda: whole["segments"]))
    return Answer(text if as_json else laid_out(blocks(found), columns()), 0 if found.segments else NOT_FEASIBLE)


def _scenario(scenarios: dict[str, Scenario] | None, named: list[str] | None) -> str | Scenario:
    """The one scenario that holds: that which is named, or the only one of the file; no limits where there is none."""
    there = named or list(scenarios or ())
    if len(there) > 1:
        raise MooInferError(f"a lifetime is decided in one scenario, give one --scenario of {', '.join(there)}")
    return there[0] if there else NO_LIMITS
