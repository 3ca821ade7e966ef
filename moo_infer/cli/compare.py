"""The command ``moo-infer compare``: which of several models is better, on the same questions."""

import json
from dataclasses import asdict, replace
from typing import Annotated

import typer

from ..core.errors import MooInferError
from ..read.config import files_read
from ..report.text import laid_out
from .calibrate_options import ReadOptions
from .files import named_files
from .options import Json, PluginFiles, grouped, registry_with
from .outputs import ENDINGS, Out, refuse_unwritable, report_writers, write_all
from .price_options import PriceOptions
from .runs import RunOptions
from .terminal import columns

__all__ = ["compare"]


@grouped
def compare(
    *,
    context: typer.Context,
    logs: Annotated[list[str], typer.Argument(metavar="LOG...", help="Logs; NAME=LOG renames the model in it.")],
    run: RunOptions,
    reading: ReadOptions,
    model: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A model; repeatable; default all.")] = None,
    k: Annotated[
        int | None, typer.Option(metavar="K", help="Calls that vote; 1 for no votes; default what the logs support.")
    ] = None,
    pricing: PriceOptions,
    bootstrap: Annotated[
        int, typer.Option(metavar="B", min=1, max=100_000, help="Draws of the bootstrap over questions.")
    ] = 10_000,
    confidence: Annotated[float, typer.Option(metavar="SHARE", help="Of the intervals, between 0 and 1.")] = 0.95,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the bootstrap.")] = 0,
    plugin_files: PluginFiles = None,
    out: Out = None,
    as_json: Json = False,
) -> str:
    """Say which of several models is better on the same questions, and whether a vote is better than one call.

    Differences in accuracy, dollars, seconds, tokens, and what a right answer takes, each with its interval and whether
    it is real, corrected for how many are compared; and how small a difference the log could have shown.

    \b
    Examples:
      moo-infer compare log.csv
      moo-infer compare log.csv --model acme/small --model acme/large --prices prices.yaml
      moo-infer compare old=before.eval new=after.eval --k 1
    """
    from ..calibrate.bills import billed
    from ..calibrate.compare import compare as compared

    registry = registry_with(plugin_files)
    read = [*named_files([*logs, *pricing.sources]), *files_read(run.models, registry)]
    refuse_unwritable(out, ENDINGS, read)
    pricing.refuse_without_prices()
    on = pricing.date_of_prices()
    log = reading.log(logs, registry)
    log = log.with_models(model) if model else log
    prices = pricing.by_model(log, on) or {}
    bills = [billed(of, prices[of.model]) if of.model in prices else (of, []) for of in log.samples()]
    samples = [with_cost for with_cost, _ in bills]
    refused = [f"{of}: {why}" for of, why in log.refused.items()]
    try:
        found = compared(samples, k, bootstrap, seed, confidence)
    except MooInferError as error:
        raise MooInferError("; ".join([str(error), *refused])) from error
    about_prices = [f"{of.model}: {note}" for of, notes in bills for note in notes]
    found = replace(found, notes=(*found.notes, *refused, *about_prices))
    document = {"schema": 1, "sources": [asdict(source) for source in log.sources]}
    document |= {"models": [of.model for of in samples], **found.to_dict(), "config": run.config(context)}
    text = json.dumps(document, indent=2, allow_nan=False)
    writers = report_writers("moo-infer compare", lambda: text, found.blocks, lambda: found.to_frame().to_dicts())
    write_all(out, writers)
    return text if as_json else laid_out(found.blocks(), columns())
