"""The command ``moo-infer paper``: published results beside those of the authors' procedure and exact ones."""

from functools import partial
from typing import Annotated

import typer

from .options import Json, PictureOptions, grouped
from .outputs import ENDINGS, Out, refuse_unwritable, report_writers, write_all
from .progress import progress_bar
from .runs import RunOptions

__all__ = ["paper"]


@grouped
def paper(
    *,
    context: typer.Context,
    run: RunOptions,
    details: Annotated[bool, typer.Option("--details", help="Accuracy, cost and latency of every cell.")] = False,
    pictures: PictureOptions,
    out: Out = None,
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

    room = pictures.room()
    refuse_unwritable(out, ENDINGS)
    comparison = compare()
    if room and pictures.plot:
        from ..paper.figures import figures

        with progress_bar() as progress:
            room.write(figures(), pictures.plot, pictures.picture_format or "png", progress)
    text = comparison.to_json(run.config(context))
    blocks = partial(comparison.blocks, details=details)
    write_all(out, report_writers("moo-infer paper", lambda: text, blocks, lambda: comparison.to_frame().to_dicts()))
    return text if as_json else comparison.to_text(details=details)
