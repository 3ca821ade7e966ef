"""The command ``moo-infer allocate``: one budget over classes of queries, or limits of a query over stages."""

import json
import math
import shlex
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import MooInferError, unknown
from ..core.objectives import COST
from ..core.version import __version__
from ..decide.candidates import Candidates
from ..decide.choices import Choice
from ..decide.volume import fixed_costs
from ..pipeline import K_MAX, NO_LIMITS, Pipeline
from ..profiles import ModelProfile
from ..read.config import files_read, sections
from ..read.profiles import builtin_models, named_classes, named_inputs, named_policies, named_workflows
from ..registry import Registry
from ..report.fleet import blocks, document
from ..report.json import row
from ..report.report import Report
from ..report.text import laid_out
from ..report.wording import remarks
from .options import Json, PictureOptions, PluginFiles, grouped, registry_with
from .outputs import ENDINGS, Out, refuse_unwritable, report_writers, write_all
from .progress import progress_bar
from .recommend_options import GridOptions, LimitOptions
from .runs import RunOptions
from .stages import Decided, stages_decided
from .terminal import NOT_FEASIBLE, Answer, columns
from .workers import Workers, executor_of

if TYPE_CHECKING:
    from ..decide.fleet import FleetAllocation, QueryClass
    from ..read.classes import QueryClassEntry

__all__ = ["allocate"]

ALONE = "one-call"  # of the rows that a pipeline makes beside those of policies, the cheapest to estimate
Known = Mapping[str, Mapping[str, Any]]


@grouped
def allocate(
    *,
    context: typer.Context,
    models: Annotated[
        Path, typer.Argument(metavar="FILE.yaml", help="Models, policies, and classes of queries or a workflow.")
    ],
    budget: Annotated[float | None, typer.Option(metavar="USD", help="What all queries may cost together.")] = None,
    queries: Annotated[int | None, typer.Option(metavar="N", min=1, help="How many there are.")] = None,
    workflow: Annotated[
        str | None, typer.Option(metavar="NAME", help="The workflow whose stages are decided on, where it has several.")
    ] = None,
    limits: LimitOptions,
    grid: GridOptions,
    plugin_files: PluginFiles = None,
    workers: Workers = None,
    pictures: PictureOptions,
    out: Out = None,
    write_run: Annotated[
        Path | None, typer.Option("--write-run", metavar="FILE.yaml", help="Write down this run, to be repeated.")
    ] = None,
    as_json: Json = False,
) -> Answer:
    """Choose a policy for each class of queries within one budget, or for each stage of a workflow within one query.

    The classes stand in the file, each with its share, its models and the policies that it may take:

    \b
      queries:
        easy: {share: 0.7, models: {small: small-easy}, policies: [{kind: fixed, model: small}]}
        hard: {share: 0.3, models: {small: small-hard}, policies: [{kind: fixed, model: small}]}

    A policy without its k is tried at every k. Limits, such as --max-latency, are on every single row.

    Of a file with workflows and without a budget the stages are decided on, so that most queries are answered rightly
    and one takes no more than the limits on average: --max-cost, --max-latency, --max.

    \b
    Examples:
      moo-infer allocate my.yaml --budget 1000 --queries 50000
      moo-infer allocate my.yaml --budget 1000 --queries 50000 --max-latency p95=20 --plot pictures --json
      moo-infer allocate examples/agent.yaml --max-cost 0.05 --max-latency 40
    """
    grid.refuse_two_grids()
    if workflow is not None and (budget is not None or queries is not None):
        raise MooInferError("--workflow and --budget or --queries exclude each other: stages share limits of one query")
    registry = registry_with(plugin_files)
    refuse_unwritable(out, ENDINGS, files_read(models, registry))
    room = pictures.room()
    with executor_of(workers) as executor:
        if workflow is not None or (budget is None and queries is None and named_workflows(models, registry)):
            decided = stages_decided(models, registry, limits, grid, workflow, executor)
        else:
            decided = _classes_decided(models, registry, limits, grid, (budget, queries), executor)
    if room and pictures.plot and decided.picture:
        room.write([decided.picture(room)], pictures.plot, pictures.picture_format or "png")
    command = shlex.join(["moo-infer", *context.find_root().obj])
    whole = {"schema": 1, "command": command, "version": __version__, **decided.document}
    whole["config"] = RunOptions(models=models, write_run=write_run).config(
        context, lambda folder: sections(models, registry, folder)
    )
    text = json.dumps(whole, indent=2, allow_nan=False)
    write_all(out, report_writers(command, lambda: text, decided.blocks, lambda: decided.rows))
    return Answer(text if as_json else laid_out(decided.blocks(), columns()), 0 if decided.rows else NOT_FEASIBLE)


def _classes_decided(
    path: Path,
    registry: Registry,
    limits: LimitOptions,
    grid: GridOptions,
    shared: tuple[float | None, int | None],
    executor: Executor | None,
) -> Decided:
    """A row for each class of queries of a file; `shared` are the USD for all queries, and how many there are."""
    from ..decide.fleet import allocate_classes

    budget, queries = shared
    if budget is None or queries is None:
        raise MooInferError("classes of queries share a budget: give --budget USD and --queries N")
    if not 0 < budget < math.inf:
        raise MooInferError(f"--budget: must be a finite number of USD > 0, got {budget:g}")
    own = limits.scenario()
    reports = _reports(path, registry, grid, executor)
    classes = [one for one, _ in reports.values()]
    found = allocate_classes(classes, budget, queries, own.limits if own else ())
    notes = _notes(found, reports)
    whole = {**document(found, _rows(found, reports)), "notes": notes}

    def picture(room: Any) -> Any:
        return ("allocation",), partial(room.allocation, found)

    return Decided(whole, partial(blocks, found, notes), _frame(whole["choices"]), picture if found.rows else None)


def _reports(
    path: Path, registry: Registry, grid: GridOptions, executor: Executor | None
) -> "dict[str, tuple[QueryClass, Report]]":
    """Each class of queries of a file, and the report on what its policies do."""
    from ..decide.fleet import QueryClass, other_sum

    profiles, _ = named_inputs(path, registry)
    known = builtin_models(registry) if profiles is None else profiles
    named, made = named_policies(path, registry), {}
    classes = named_classes(path, registry)
    if not classes:
        raise MooInferError(
            f"{path}: missing queries; a class of queries has a share and policies, see allocate --help"
        )
    if problem := other_sum(entry.share for entry in classes.values()):
        raise MooInferError(f"{path}: {problem}")
    with progress_bar() as progress:
        for done, (name, entry) in enumerate(classes.items()):
            if progress:
                progress(done, len(classes), name)
            try:
                report = _pipeline(entry, known, named, registry, grid, executor).run(None, NO_LIMITS)
            except MooInferError as error:
                raise MooInferError(f"{path}: {name}: {error}") from None
            own = [curve for curve in report.candidates.curves if curve.courses]
            made[name] = QueryClass(name, entry.share, Candidates(report.candidates.objectives, own)), report
    return made


def _pipeline(
    entry: "QueryClassEntry",
    known: Mapping[str, ModelProfile],
    named: Known,
    registry: Registry,
    grid: GridOptions,
    executor: Executor | None,
) -> Pipeline:
    """What estimates the policies of a class, its models called as its policies call them."""
    called = {name: name for name in known} if entry.models is None else entry.models
    for model in called.values():
        if model not in known:
            raise unknown("model", model, known, "models")
    return Pipeline(
        ALONE,
        "max-accuracy",
        k=grid.values(),
        k_max=K_MAX if grid.k_max is None else grid.k_max,
        k_step=grid.k_step,
        parallelism=grid.parallelism,
        models={name: replace(known[model], name=name) for name, model in called.items()},
        registry=registry,
        policies=[_text(policy) for policy in entry.policies],
        named_policies=named,
        executor=executor,
    )


def _text(policy: str | Mapping[str, Any]) -> str:
    """A policy as it is named: its kind, with its fields behind a colon."""
    from ..policy.tried import flow

    if isinstance(policy, str):
        return policy
    fields = ",".join(f"{name}={flow(value)}" for name, value in policy.items() if name != "kind")
    return f"{policy['kind']}:{fields}" if fields else str(policy["kind"])


def _rows(found: "FleetAllocation", reports: "Mapping[str, tuple[QueryClass, Report]]") -> dict[str, dict[str, Any]]:
    """The chosen rows as `recommend` has them."""
    rows = {}
    for one, chosen in zip(found.classes, found.rows, strict=bool(found.rows)):
        report, curve = reports[one.name][1], one.table.curve(chosen)
        table = report.candidates
        number = int((table.on(curve) & (table.k == one.table.k[chosen])).argmax())
        outcome = report.outcomes[0]
        remarks = tuple(filter(None, (table.extrapolated(number),)))
        choice = Choice(outcome.scenario.name, "allocate", *curve.label, table, number, remarks, pooled=True)
        rows[one.name] = row(report, outcome, choice)
    return rows


def _notes(found: "FleetAllocation", reports: "Mapping[str, tuple[QueryClass, Report]]") -> list[str]:
    """What parts say of their rows, and what chosen models cost once, which is in no figure."""
    said = dict.fromkeys(note for _, report in reports.values() for note in remarks(report))
    for one, chosen in zip(found.classes, found.rows, strict=bool(found.rows)):
        course = one.table.curve(chosen).course(int(one.table.k[chosen]))
        called = [p for p in reports[one.name][1].profiles if course and p.name in course.models]
        if once := fixed_costs(called).get(COST.name):
            said[f"Class {one.name} pays {once:.6g} USD once, which is in no figure."] = None
    return [*said]


def _frame(choices: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row a class."""
    return [{"class": name, **of} for name, of in choices.items()]
