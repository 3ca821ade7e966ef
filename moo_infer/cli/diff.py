"""The command ``moo-infer diff``: what changed between two nights."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ..report.diff import diff as changes_of
from ..report.diff import read_document
from ..report.markdown import to_markdown
from ..report.text import laid_out
from .options import Json
from .outputs import Out, refuse_unwritable, text_writer, write_all
from .terminal import CHANGED, Answer, columns

__all__ = ["diff"]


def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD.json", help="What recommend --json or calibrate --json wrote.")],
    new: Annotated[Path, typer.Argument(metavar="NEW.json", help="The same, later.")],
    ignore_noise: Annotated[
        bool, typer.Option("--ignore-noise", help="End with 0 where the choice changed within noise.")
    ] = False,
    out: Out = None,
    as_json: Json = False,
) -> Answer:
    """Say what changed between two reports, or two calibrations, and which changes are more than noise.

    Exit code 4 where the choice of a scenario is another one, is possible no more or again, or where a scenario is new
    or gone; 0 where not. Numbers are compared question by question where both name the same ones, by their intervals
    otherwise.

    \b
    Examples:
      moo-infer diff monday.json tuesday.json
      moo-infer diff monday.json tuesday.json --ignore-noise --json
    """
    refuse_unwritable(out, (".json", ".md"), [old, new])
    found = changes_of(read_document(old), read_document(new))
    code = CHANGED * found.changed(ignore_noise=ignore_noise)
    document = {"schema": 1, "old": str(old), "new": str(new), **found.to_dict()}
    text = json.dumps(document, indent=2, allow_nan=False)
    write_all(out, {".json": text_writer(lambda: text + "\n"), ".md": text_writer(lambda: to_markdown(found.blocks()))})
    if as_json:
        return Answer(text, code)
    return Answer(laid_out(found.blocks(), columns()), code)
