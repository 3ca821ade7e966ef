"""The command ``moo-infer sweep``: the same decision at every point of a grid of settings."""

import json
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.errors import printable
from ..core.tasks import run_tasks
from ..core.version import __version__
from ..report.sweeps import blocks, document
from ..report.text import laid_out
from ..sweep.results import Results, read_sweep
from .loudness import LOG
from .options import Json, PictureOptions, PluginFiles, grouped, registry_with
from .progress import progress_bar
from .run_options import MAIN
from .runs import commands, said
from .sweep_plan import Sweep
from .sweep_tasks import planned
from .terminal import NOT_FEASIBLE, Answer, columns
from .workers import Workers, executor_of

__all__ = ["sweep"]

SILENT = 30  # seconds without a word about how far it is


@grouped
def sweep(
    *,
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(metavar="SWEEP.yaml", help="What recommend --models takes, with grid: and lists of values."),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="The folder of the results; it is made if need be.")
    ],
    workers: Workers = None,
    plugin_files: PluginFiles = None,
    pictures: PictureOptions,
    as_json: Json = False,
) -> Answer:
    """Decide at every point of a grid of settings, and keep the decisions as Parquet files in a folder.

    Stopped or killed, it goes on where it was when it is started again. The folder reads as one table.

    \b
    Examples:
      moo-infer sweep sweep.yaml --out results
      moo-infer sweep sweep.yaml --out results --workers 8 --plot pictures
      moo-infer sweep sweep.yaml --out results --workers dask://scheduler:8786
    """
    room = pictures.room()
    told = said(context, file, MAIN)
    files = (*(plugin_files or ()), *map(Path, told.get("plugin_files", ())))
    of = Sweep(file, commands(context)[MAIN], told, files, registry_with([*files]))
    results, before = Results(out), 0
    try:
        with progress_bar() as bar:
            decider = of.decider(bar and (lambda done, total: bar(done, total, "checking")))
            with results.opened():
                done = results.done(of.keys)
                before = len(done)
                with executor_of(workers) as executor, _told(len(of.keys), before, bar) as progress:
                    batches = list(of.batches(done))
                    for i, rows in run_tasks(decider, batches, executor, ordered=False):
                        points = batches[i].points
                        results.write(points[0].number, [point.key for point in points], rows, decider.columns.schema)
                        progress(len(points))
    finally:
        planned.cache_clear()
    frame = read_sweep(out)
    if room and pictures.plot:
        room.write(room.sweep_pictures(frame), pictures.plot, pictures.picture_format or "png")
    LOG.warning("wrote %s", printable(str(out)))
    code = 0 if (frame["state"] == "decided").any() else NOT_FEASIBLE
    if as_json:
        found = {"schema": 1, "command": shlex.join(["moo-infer", *context.find_root().obj]), "version": __version__}
        found |= document(frame, of.grid.values, before) | {"config": of.config}
        return Answer(json.dumps(found, indent=2, allow_nan=False), code)
    return Answer(laid_out(blocks(frame, of.grid.values, before), columns()), code)


@contextmanager
def _told(total: int, before: int, bar: Any) -> Iterator[Callable[[int], None]]:
    """Give what is told of points that are done: on a bar, or in a line now and then, with the time that is left."""
    began = said = time.monotonic()
    done = before

    def progress(points: int) -> None:
        nonlocal done, said
        done += points
        now = time.monotonic()
        left = (now - began) / (done - before) * (total - done)
        if bar:
            bar(done, total, "deciding")
        elif now - said >= SILENT:
            LOG.warning("%s of %s points, about %s left", f"{done:,}", f"{total:,}", _in_words(left))
            said = now

    if bar:
        bar(done, total, "deciding")
    yield progress


def _in_words(seconds: float) -> str:
    """A time as people say it.

    >>> _in_words(40), _in_words(400), _in_words(40_000)
    ('40 s', '7 min', '11 h')
    """
    for unit, size in (("s", 1), ("min", 60)):
        if seconds < 100 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 3600:.0f} h"
