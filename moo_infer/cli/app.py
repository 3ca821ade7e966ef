"""The command line: ``moo-infer recommend | calibrate | fit-latency | explore | paper | plugins | models | ...``."""

import io
import json
import os
import shlex
import sys
import warnings
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stdout
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import MooInferError, in_short, printable, unknown
from ..core.version import __version__
from ..pipeline import AGGREGATORS, ESTIMATORS, K_MAX, SELECTORS, Pipeline
from ..profiles import ModelProfile, Scenario
from ..read.profiles import builtin_models, builtin_scenarios, load_models, load_scenarios
from ..registry import Registry, plugin_file
from ..report.text import laid_out
from ..report.wording import Cell, Table
from .calibrate import calibrate, fit_latency
from .files import keep_apart
from .progress import progress_bar

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["main", "run"]

app = typer.Typer(
    help="""Which LLM, how many samples k, aggregated how - under budgets of money, seconds, joules and accuracy.

    \b
    Example:
      moo-infer recommend --max-cost 0.50 --max-latency 60 --min-accuracy 0.93
    """,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

INTERRUPTED = 130
# The usage error of whichever click typer brings along.
USAGE_ERROR: type[Exception] = typer.BadParameter.__mro__[1]

Json = Annotated[bool, typer.Option("--json", help="Print JSON, alone, on standard output.")]
Models = Annotated[
    Path | None,
    typer.Option("--models", metavar="FILE", help="YAML with models to use instead of the built-in ones."),
]
PluginFiles = Annotated[
    list[Path] | None,
    typer.Option("--plugin-file", metavar="FILE", help="A Python file with plugins, not packaged; repeatable."),
]
Plot = Annotated[Path | None, typer.Option("--plot", metavar="DIR", help="Write pictures into a folder as well.")]
Format = Annotated[
    str | None, typer.Option("--format", metavar="NAME", help="Of the pictures: png, svg or pdf; default png.")
]


def main() -> None:
    """Entry point of the command."""
    if sys.stderr is None:  # closed: there is nobody to tell
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # until the process ends
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that lacks a character still gets the rest
    code = run(sys.argv[1:])
    if code == INTERRUPTED:
        os._exit(code)  # Python would end by the signal instead where it came while a class was being made by `exec`
    sys.exit(code)


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code: 0, or 2 with one sentence on standard error.

    Commands return their text. What plugins print meanwhile goes to standard error, so that JSON stands alone.
    """
    if given := next((argument for argument in arguments if "\0" in argument), None):
        return _fail(f"an argument must not hold a NUL character, got {given!r:.80}")
    asks_for_help = not arguments or {"--help", "--version"} & set(arguments)
    with warnings.catch_warnings(), ExitStack() as stack:
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = lambda message, *_, **__: typer.echo(
            f"moo-infer: warning: {in_short(message)}", err=True
        )
        if not asks_for_help:
            stack.enter_context(redirect_stdout(sys.stderr))
        try:
            answer = app(args=list(arguments), prog_name="moo-infer", standalone_mode=False, obj=list(arguments))
        except MooInferError as error:
            return _fail(str(error))
        except USAGE_ERROR as error:
            return _fail(getattr(error, "format_message", error.__str__)().rstrip("."))
        except MemoryError:
            return _fail("not enough memory for this grid and number of trials; try a smaller --k-max, or --k")
        except typer.Exit as stop:
            return stop.exit_code
        except (KeyboardInterrupt, typer.Abort):
            return _fail("stopped", INTERRUPTED)
    if answer == INTERRUPTED:
        return _fail("stopped", INTERRUPTED)
    if isinstance(answer, str):
        if sys.stdout is None:
            return _fail("cannot write the answer: standard output is closed")
        try:
            typer.echo("\n".join(map(printable, answer.rstrip("\n").split("\n"))))
            sys.stdout.flush()
        except BrokenPipeError:  # whoever read the output, for example head, has had enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            return _fail(f"cannot write the answer: {error.strerror}")
    return 0


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    if version:
        typer.echo(f"moo-infer {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


@app.command()
def recommend(
    context: typer.Context,
    models: Models = None,
    model: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A model; repeatable; default all.")] = None,
    scenario: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A scenario; repeatable; default all. Excludes limits."),
    ] = None,
    max_cost: Annotated[str | None, typer.Option(metavar="USD", help="Same as --max cost=USD.")] = None,
    max_latency: Annotated[str | None, typer.Option(metavar="S", help="Same as --max latency=S.")] = None,
    min_accuracy: Annotated[str | None, typer.Option(metavar="A", help="Same as --min accuracy=A.")] = None,
    max_: Annotated[
        list[str] | None,
        typer.Option("--max", metavar="NAME=VALUE", help="Largest acceptable mean; NAME=p95=VALUE for a quantile."),
    ] = None,
    min_: Annotated[
        list[str] | None,
        typer.Option("--min", metavar="NAME=VALUE", help="Smallest acceptable mean; NAME=p05=VALUE for a quantile."),
    ] = None,
    aggregator: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"Repeatable; default {', '.join(AGGREGATORS)}."),
    ] = None,
    selector: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"Repeatable; default {', '.join(SELECTORS)}."),
    ] = None,
    estimator: Annotated[str, typer.Option(metavar="NAME", help=" or ".join(ESTIMATORS))] = "exact",
    trials: Annotated[int, typer.Option(metavar="M", help="Trials of what is simulated.")] = 10_000,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of what is simulated.")] = 0,
    parallelism: Annotated[
        int | None, typer.Option(metavar="P", help="Inferences at a time; default the profile's.")
    ] = None,
    k_max: Annotated[int | None, typer.Option(metavar="K", help=f"Largest k of the grid; default {K_MAX}.")] = None,
    k_step: Annotated[
        int | None, typer.Option(metavar="N", help="Step of the grid; default the model's parallelism.")
    ] = None,
    k: Annotated[str | None, typer.Option(metavar="1,2,4", help="The grid itself; excludes --k-max, --k-step.")] = None,
    stability: Annotated[
        int | None, typer.Option(metavar="B", help="Say how sure each choice is, over B draws of what is uncertain.")
    ] = None,
    confidence: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Feasible: limits hold in that share of draws of uncertain parameters."),
    ] = None,
    details: Annotated[bool, typer.Option("--details", help="Every figure of every choice.")] = False,
    plugin_files: PluginFiles = None,
    plot: Plot = None,
    picture_format: Format = None,
    axes: Annotated[
        str | None, typer.Option(metavar="X,Y,Z", help="Objectives of the pictured space; default two and accuracy.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write a page to share, one file; extra html.")
    ] = None,
    as_json: Json = False,
) -> str:
    """Recommend a model, a number of samples k and an aggregator within limits.

    \b
    Examples:
      moo-infer recommend
      moo-infer recommend --models my.yaml --max-cost 0.50 --max-latency 60
      moo-infer recommend --scenario medical-ai --model gpt-5 --details
      moo-infer recommend --scenario medical-ai --plot pictures --format svg
      moo-infer recommend --selector net-value:usd_per_right_answer=2 --max-cost 1
      moo-infer recommend --html report.html

    What can be named: moo-infer models, scenarios, plugins. A selector or aggregator takes its parameters behind a
    colon.
    """
    registry = _registry(plugin_files)
    profiles, scenarios = _known(models, registry)
    custom = _custom([("cost", max_cost), ("latency", max_latency)], [("accuracy", min_accuracy)], max_, min_)
    if custom and scenario:
        raise MooInferError("--scenario and limits exclude each other; give one of them")
    if k is not None and (k_step is not None or k_max is not None):
        raise MooInferError("--k and --k-max or --k-step exclude each other; give one of them")
    if estimator not in ESTIMATORS:
        raise unknown("estimator", estimator, ESTIMATORS)
    if axes is not None and plot is None:
        raise MooInferError("--axes is about pictures; give --plot DIR as well")
    pictures = _pictures(plot, picture_format)
    if html:
        from ..report.html import ready, save

        logs = [getattr(profile.inference, "samples", None) for profile in profiles.values()]
        keep_apart([models, *(log for log in logs if isinstance(log, Path))], {"--html": html})
        ready(html)
    with progress_bar() as progress:
        pipeline = Pipeline(
            aggregator or AGGREGATORS,
            selector or SELECTORS,
            ESTIMATORS[estimator](trials, seed),
            k=None if k is None else _grid(k),
            k_max=K_MAX if k_max is None else k_max,
            k_step=k_step,
            parallelism=parallelism,
            models=profiles,
            scenarios=scenarios,
            confidence=confidence,
            registry=registry,
            progress=progress,
        )
        report = pipeline.run(model or None, custom or scenario or None)
        if stability is not None:
            report = report.with_stability(stability, seed, progress=progress)
        if pictures and plot:
            chosen = None if axes is None else [name.strip() for name in axes.split(",")]
            pictures.save(report, plot, picture_format or "png", axes=chosen, progress=progress)
        if html:
            save(report, html, _command(context))
        return report.to_json(_command(context)) if as_json else report.to_text(details=details)


@app.command()
def paper(
    context: typer.Context,
    details: Annotated[bool, typer.Option("--details", help="Accuracy, cost and latency of every cell.")] = False,
    plot: Plot = None,
    picture_format: Format = None,
    as_json: Json = False,
) -> str:
    """Compare Tables 4-6 of arXiv 2510.18905 and its claims: published, reproduced by its authors' procedure, exact.

    \b
    Examples:
      moo-infer paper
      moo-infer paper --json
      moo-infer paper --plot figures

    The pictures are the space and the accuracy of every model in every scenario, on exact values.
    """
    from ..paper import compare

    pictures = _pictures(plot, picture_format)
    comparison = compare()
    if pictures and plot:
        from ..paper.figures import figures

        with progress_bar() as progress:
            pictures.write(figures(), plot, picture_format or "png", progress)
    return comparison.to_json() if as_json else comparison.to_text(details=details)


@app.command()
def explore(
    models: Models = None,
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


app.command()(calibrate)
app.command()(fit_latency)


@app.command()
def plugins(plugin_files: PluginFiles = None, as_json: Json = False) -> str:
    """List every part that can be called by name, its parameters, and the package it comes from.

    \b
    Examples:
      moo-infer plugins
      moo-infer plugins --plugin-file my.py
      MOO_INFER_DISABLE=some-package moo-infer plugins
    """
    found = _registry(plugin_files).plugins()
    if as_json:
        return _json({"plugins": [asdict(plugin) for plugin in found]})
    rows = []
    for p in found:
        summary = p.summary.split(" (")[0].split(": ")[0]
        parameters = [f":{', '.join(p.parameters)}"] if p.parameters else []
        rows.append((p.kind, p.name, (summary, *parameters), f"{p.package} {p.version}".rstrip()))
    return _table(("kind", "name", "what it is", "from"), rows)


@app.command("models")
def list_models(models: Models = None, plugin_files: PluginFiles = None, as_json: Json = False) -> str:
    """List the model profiles, with what one inference is worth and consumes.

    \b
    Examples:
      moo-infer models
      moo-infer models --models my.yaml
    """
    registry = _registry(plugin_files)
    profiles, _ = _known(models, registry)
    if as_json:
        return _json({"models": [_profile(profile) for profile in profiles.values()]})
    rows = []
    for profile in profiles.values():
        table = Pipeline(k=[1], parallelism=1, registry=registry).candidates(profile)
        means = [f"{o.name} {table.column(o.name)[0]:.4g} {o.unit}".strip() for o in table.objectives]
        rows.append((profile.name, str(profile.parallelism), tuple(means), profile.source))
    return _table(("model", "P", "one inference", "source"), rows)


@app.command("scenarios")
def list_scenarios(models: Models = None, as_json: Json = False) -> str:
    """List the scenarios and their limits.

    \b
    Example:
      moo-infer scenarios
    """
    _, found = _known(models, None)
    if as_json:
        listed = [
            {"name": s.name, "limits": [asdict(limit) for limit in s.limits], "source": s.source}
            for s in found.values()
        ]
        return _json({"scenarios": listed})
    rows = [(s.name, tuple(str(limit) for limit in s.limits), s.source) for s in found.values()]
    return _table(("scenario", "limits", "source"), rows)


def _fail(message: str, code: int = 2) -> int:
    typer.echo(f"moo-infer: {in_short(message)}", err=True)
    return code


def _pictures(folder: Path | None, format: str | None) -> "ModuleType | None":
    """Return what draws where pictures are wanted; whatever is wrong with that is said before the work starts."""
    if folder is None and format is None:
        return None
    from .. import plot

    if format is not None and format not in plot.FORMATS:
        raise unknown("format", format, plot.FORMATS, "--format")
    if folder is None:
        raise MooInferError("--format is about pictures; give --plot DIR as well")
    return plot


def _registry(plugin_files: list[Path] | None) -> Registry:
    """Everything installed, and the plugins of files that are not."""
    return Registry(*(plugin_file(path) for path in plugin_files or []))


def _known(path: Path | None, registry: Registry | None) -> tuple[dict[str, ModelProfile], dict[str, Scenario]]:
    """Profiles and scenarios that can be called by name: those of the file where it has some."""
    if path is None:
        return (builtin_models(registry) if registry else {}), builtin_scenarios()
    return (load_models(path, registry) if registry else {}), load_scenarios(path) or builtin_scenarios()


def _custom(
    largest: list[tuple[str, str | None]],
    smallest: list[tuple[str, str | None]],
    max_: list[str] | None,
    min_: list[str] | None,
) -> Scenario | None:
    """Build the scenario that limits on the command line make, or None where there are none."""
    sides: list[dict[str, dict[str, float]]] = []
    for flag, given, free in (("--max", largest, max_), ("--min", smallest, min_)):
        pairs = [(f"{flag}-{name}", name, text) for name, text in given if text is not None]
        for item in free or []:
            name, equals, text = item.partition("=")
            if not (name and equals):
                raise MooInferError(f"{flag}: must be NAME=VALUE, got {item!r}")
            pairs.append((f"{flag} {name}", name, text))
        side: dict[str, dict[str, float]] = {}
        for where, name, text in pairs:
            statistic, _, value = text.rpartition("=")
            statistics = side.setdefault(name, {})
            if (statistic or "mean") in statistics:
                raise MooInferError(f"{where}: the {statistic or 'mean'} of {name} is limited twice")
            try:
                statistics[statistic or "mean"] = float(value)
            except ValueError:
                raise MooInferError(f"{where}: must be a number, or a quantile such as p95=2, got {text!r}") from None
        sides.append(side)
    return Scenario("custom", max=sides[0], min=sides[1]) if any(sides) else None


def _grid(text: str) -> list[int]:
    try:
        return [int(item) for item in text.split(",")]
    except ValueError:
        raise MooInferError(f"--k: must be whole numbers separated by commas, got {text!r}") from None


def _command(context: typer.Context) -> str:
    return shlex.join(["moo-infer", *context.find_root().obj])


def _profile(profile: ModelProfile) -> dict[str, Any]:
    def part(of: Any) -> dict[str, Any]:
        return {"kind": of.name} | ({f.name: getattr(of, f.name) for f in fields(of)} if is_dataclass(of) else {})

    return {
        "name": profile.name,
        "parallelism": profile.parallelism,
        "source": profile.source,
        "inference": part(profile.inference),
        "costs": [part(cost) for cost in profile.costs],
    }


def _json(document: dict[str, Any]) -> str:
    return json.dumps({"schema": 1} | document, indent=2, allow_nan=False, default=_plain)


def _plain(value: object) -> str:
    return str(value) if isinstance(value, Path) else repr(value)


def _table(header: tuple[str, ...], rows: Sequence[tuple[Cell, ...]]) -> str:
    return laid_out([Table(header, tuple(rows), labels=len(header))]).strip("\n")
