"""The command ``moo-infer diff``: what changed between two nights."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import MooInferError
from ..report.diff import diff as changes_of
from ..report.diff import read_document
from ..report.sweep_diff import diff_sweeps
from ..report.text import laid_out
from ..sweep.results import read_sweep
from .options import Json
from .outputs import ENDINGS, Out, refuse_unwritable, report_writers, write_all
from .terminal import CHANGED, Answer, columns

__all__ = ["diff"]


def diff(
    old: Annotated[
        Path,
        typer.Argument(
            metavar="OLD", help="What recommend --json or calibrate --json wrote, or the folder of a sweep."
        ),
    ],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The same, later.")],
    ignore_noise: Annotated[
        bool, typer.Option("--ignore-noise", help="End with 0 where the choice changed within noise.")
    ] = False,
    out: Out = None,
    as_json: Json = False,
) -> Answer:
    """Say what changed between two reports, calibrations or sweeps, and which changes are more than noise.

    Exit code 4 where the choice of a scenario is another one, is possible no more or again, or where a scenario is new
    or gone; 0 where not. Numbers are compared question by question where both name the same ones, by their intervals
    otherwise.

    \b
    Examples:
      moo-infer diff monday.json tuesday.json
      moo-infer diff monday.json tuesday.json --ignore-noise --json
      moo-infer diff results.monday results.tuesday
    """
    refuse_unwritable(out, ENDINGS, [old, new])
    if old.is_dir() or new.is_dir():
        if other := next((path for path in (old, new) if not path.is_dir()), None):
            raise MooInferError(f"{other}: must be the folder of a sweep, as the other one is")
        found = diff_sweeps(read_sweep(old), read_sweep(new))
    else:
        found = changes_of(read_document(old), read_document(new))
    code = CHANGED * found.changed(ignore_noise=ignore_noise)
    document = {"schema": 1, "old": str(old), "new": str(new), **found.to_dict()}
    text = json.dumps(document, indent=2, allow_nan=False)
    rows = found.to_dict()["numbers"]
    write_all(out, report_writers("moo-infer diff", lambda: text, found.blocks, lambda: rows))
    if as_json:
        return Answer(text, code)
    return Answer(laid_out(found.blocks(), columns()), code)
