"""The command ``moo-infer calibrate``: from logs of evaluations to estimates and profiles."""

import json
import shlex
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import printable
from ..read.config import files_read, sections
from ..read.profiles import named_inputs
from ..report.text import laid_out
from .calibrate_options import (
    BootstrapOptions,
    ReadOptions,
    ShapeOptions,
    VariantOptions,
    judged_ways,
    profile_options,
)
from .files import keep_apart, named_files
from .options import Json, PictureOptions, grouped, registry_with
from .price_options import PriceOptions
from .progress import progress_bar
from .runs import RunOptions

if TYPE_CHECKING:
    from ..calibrate.profiles import Calibration
    from ..calibrate.variants import VariantFamily
    from ..read.log import Log
    from ..read.log_parts import LogParts

__all__ = ["calibrate"]


@grouped
def calibrate(
    *,
    context: typer.Context,
    logs: Annotated[list[str], typer.Argument(metavar="LOG...", help="Logs; NAME=LOG renames the model in it.")],
    run: RunOptions,
    reading: ReadOptions,
    stream: Annotated[
        bool,
        typer.Option(
            "--stream",
            help="For tables larger than memory: sort their rows by model into a temporary folder, and hold one "
            "model at a time. Profiles are fitted (--inference beta or lognormal); variants are not compared.",
        ),
    ] = False,
    judged: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=down|up",
            help="A column that judges answers in [0, 1], and which way is better, as unsafe=down; repeatable.",
        ),
    ] = None,
    model: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A model; repeatable; default all.")] = None,
    pricing: PriceOptions,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write profiles there, as YAML.")] = None,
    shape: ShapeOptions,
    table: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the neutral table: .csv, .jsonl (.gz) or .parquet.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a picture of each model into a folder as well.")
    ] = None,
    draws: BootstrapOptions,
    variants: VariantOptions,
    plugin_files: Annotated[
        list[Path] | None,
        typer.Option("--plugin-file", metavar="FILE", help="A Python file with plugins; repeatable."),
    ] = None,
    as_json: Json = False,
) -> str:
    """Estimate from logs of evaluations what k calls are worth and take, and write profiles for recommend.

    Reads logs of inspect_ai, lm-evaluation-harness, HumanEval, EvalPlus, BigCodeBench, LiveCodeBench, OpenAI evals and
    NeMo-Skills, and a table with the columns model, question_id, sample, correct and what else is known: answer, score,
    input_tokens, output_tokens, latency_s, cost_usd, energy_j, ... Several files of one model are further samples.

    \b
    Examples:
      moo-infer calibrate log.csv
      moo-infer calibrate log.csv --price acme/small=1e-7,4e-7 --model acme/small --out profiles.yaml
      moo-infer calibrate log.csv --price acme/small=0.1,0.4 --per-million
      moo-infer calibrate mine.csv --column question_id=prompt_id --column latency_s=latency_ms/1000
      moo-infer calibrate graded.eval --scale 0,10
      moo-infer calibrate high=run1.eval low=run2.eval --prices genai-prices --date 2025-10-30 --out profiles.yaml
      moo-infer calibrate log.jsonl --models my.yaml --out measured.yaml
      moo-infer calibrate log.csv --prices genai-prices --max-tokens 2000 --max-tokens 8000 --out profiles.yaml
      moo-infer calibrate low=run1.eval high=run2.eval --base low --by subject
      moo-infer calibrate log.csv --judged unsafe=down --judged format_ok=up --out profiles.yaml
      moo-infer calibrate large.parquet --stream --inference beta --out profiles.yaml

    Of models in the file of --models that are called as in the log, how they are called and their prices go into the
    profiles as well.
    """
    from ..calibrate.profiles import calibrated
    from ..calibrate.yaml_out import entries, samples_path, save
    from ..read.log import Log, ending_of_table
    from ..read.profile_prices import is_priced

    if table is not None:
        ending_of_table(table)
    pricing.refuse_without_prices()
    shape.refuse_calls_without_their_number()
    on, room = pricing.date_of_prices(), PictureOptions(plot=plot).room()
    registry = registry_with(plugin_files)
    read = [*named_files([*logs, *pricing.sources]), *files_read(run.models, registry)]
    keep_apart(read, {"--table": table, "--out": out}, {"--out": samples_path(out) if out else None})
    profiles = named_inputs(run.models, registry)[0]
    profiles = {name: of for name, of in profiles.items() if name in model} if profiles and model else profiles
    options = profile_options(shape, draws, judged_ways(judged or []))
    if stream:
        unread = {"--judged": judged, "--table": table, "--base": variants.base, "--by": variants.by}
        opened = reading.parts(logs, model or [], unread, out if options.inference == "empirical" else None)
    else:
        opened = reading.whole(logs, registry, [*options.judged], model or [])
    with opened as log, progress_bar() as progress:
        prices = pricing.by_model(log, on, [name for name, of in (profiles or {}).items() if is_priced(of)])
        calibrations = calibrated(log, prices, options, profiles=profiles, progress=progress)
        compared = [] if stream else variants.families(calibrations, draws)
    # The table appears only when the profiles are there, so that it is all or nothing.
    with log.written(table) if table is not None and isinstance(log, Log) else nullcontext():
        files = [*([] if table is None else [table]), *([] if out is None else save(calibrations, out))]
    if room and plot:
        files += room.write([((c.summary.model,), partial(room.log_curves, c.summary)) for c in calibrations], plot)
    samples = next((file for file in files if file.suffix == ".parquet" and file != table), None)
    config = run.config(context, partial(sections, run.models, registry) if profiles else None)
    config["models"] = entries(calibrations, samples, Path())
    if as_json:
        return _as_json(log, calibrations, compared, files, config)
    return _as_text([*calibrations, *compared], calibrations, files, out)


def _as_json(
    log: "Log | LogParts",
    calibrations: "Sequence[Calibration]",
    compared: "Sequence[VariantFamily]",
    files: Sequence[Path],
    config: Mapping[str, Any],
) -> str:
    document: dict[str, Any] = {"schema": 1, "sources": [asdict(source) for source in log.sources]}
    document |= {
        "models": [calibration.to_dict() for calibration in calibrations],
        "variants": [family.to_dict() for family in compared],
        "refused": [{"model": model, "reason": why} for model, why in log.refused.items()],
        "files": [str(file) for file in files],
        "config": config,
    }
    return json.dumps(document, indent=2, allow_nan=False)


def _as_text(
    shown: "Sequence[Calibration | VariantFamily]",
    calibrations: "Sequence[Calibration]",
    files: Sequence[Path],
    out: Path | None,
) -> str:
    from ..calibrate.yaml_out import recommending

    text = laid_out([block for of in shown for block in of.blocks()])
    text += f"Written: {', '.join(printable(str(file)) for file in files)}\n" if files else ""  # not to be broken
    return text + (f"To decide: {printable(recommending(calibrations, shlex.quote(str(out))))}\n" if out else "")
