"""The command ``moo-infer recommend``: from models and limits to a decision."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from ..core.errors import MooInferError
from ..read.config import files_read, sections
from ..report.markdown import markdown
from ..report.report import Report
from .options import Json, PictureOptions, PluginFiles, grouped, registry_with
from .outputs import ENDINGS, Out, Writer, frame_writers, refuse_unwritable, text_writer, write_all
from .progress import Progress, progress_bar
from .recommend_options import (
    CertaintyOptions,
    GridOptions,
    LimitOptions,
    NameOptions,
    PartOptions,
    VolumeOptions,
    pipeline_of,
)
from .runs import RunOptions
from .terminal import NOT_FEASIBLE, Answer, columns
from .workers import Workers, executor_of

__all__ = ["recommend"]


@dataclass(frozen=True, kw_only=True)
class SpaceOptions(PictureOptions):
    """Pictures with spaces whose axes can be named."""

    axes: Annotated[
        str | None, typer.Option(metavar="X,Y,Z", help="Objectives of the pictured space; default two and accuracy.")
    ] = None

    def check(self) -> None:
        """Raise where there is no place for pictures, or nothing that draws them."""
        if self.axes is not None and self.plot is None:
            raise MooInferError("--axes is about pictures; give --plot DIR as well")
        self.room()

    def save(self, report: Report, progress: Progress | None) -> None:
        """Write the pictures of a report, where they are wanted."""
        room = self.room()
        if room and self.plot:
            axes = None if self.axes is None else [name.strip() for name in self.axes.split(",")]
            room.save(report, self.plot, self.picture_format or "png", axes=axes, progress=progress)


@grouped
def recommend(
    *,
    context: typer.Context,
    run: RunOptions,
    names: NameOptions,
    limits: LimitOptions,
    parts: PartOptions,
    grid: GridOptions,
    certainty: CertaintyOptions,
    life: VolumeOptions,
    by: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="Decide by a label of the log (task) as well, and say what that buys."),
    ] = None,
    details: Annotated[bool, typer.Option("--details", help="Every figure of every choice.")] = False,
    selectors: Annotated[
        bool, typer.Option("--selectors", help="The k of every model and selector, in place of the contenders.")
    ] = False,
    plugin_files: PluginFiles = None,
    workers: Workers = None,
    pictures: SpaceOptions,
    out: Out = None,
    as_json: Json = False,
) -> Answer:
    """Recommend a model, a number of samples k and an aggregator within limits.

    \b
    Examples:
      moo-infer recommend
      moo-infer recommend --models my.yaml --max-cost 0.50 --max-latency 60
      moo-infer recommend --scenario medical-ai --model gpt-5 --details
      moo-infer recommend --scenario medical-ai --plot pictures --format svg
      moo-infer recommend --selector net-value:usd_per_right_answer=2 --max-cost 1
      moo-infer recommend --models my.yaml --policy vote-until-decided --policy two-then-more:k=8
      moo-infer recommend --models my.yaml --max-cost 0.02 --by task
      moo-infer recommend --out report.html --out report.json

    What can be named: moo-infer models, scenarios, plugins. A selector, aggregator or policy takes its parameters
    behind a colon.
    """
    registry = registry_with(plugin_files)
    custom = limits.scenario(names.scenario)
    pictures.check()
    with executor_of(workers) as executor, progress_bar() as progress:
        pipeline = pipeline_of(run.models, parts, grid, certainty, life, registry, progress, executor)
        refuse_unwritable(out, ENDINGS, files_read(run.models, registry))
        report = pipeline.run(names.model or None, custom or names.scenario or None, by)
        if draws := certainty.draws(report):
            over_all = certainty.stability is None  # what is said unasked is about the answer alone
            report = report.with_stability(draws, parts.seed, progress=progress, over_all=over_all)
        pictures.save(report, progress)
        command = shlex.join(["moo-infer", *context.find_root().obj])
        config = run.config(context, lambda folder: sections(run.models, registry, folder))
        write_all(out, _writers(report, command, config))
        code = 0 if any(outcome.decided for outcome in report.outcomes) else NOT_FEASIBLE
        if as_json:
            return Answer(report.to_json(command, config), code)
        return Answer(report.to_text(details=details, by_selector=selectors or None, width=columns()), code)


def _writers(report: Report, command: str, config: Mapping[str, Any]) -> dict[str, Writer]:
    """What writes the report, by the endings of files."""
    return {
        ".json": text_writer(lambda: report.to_json(command, config) + "\n"),
        **frame_writers(report.to_frame),
        ".html": text_writer(lambda: report.to_html(command)),
        ".md": text_writer(lambda: markdown(report)),
    }
