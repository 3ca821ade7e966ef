"""The command ``moo-infer calibrate``: from logs of evaluations to estimates and profiles."""

import json
import shlex
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import MooInferError, printable
from ..core.objectives import BETTER
from ..read.config import sections
from ..read.profiles import named_inputs
from ..registry import Registry
from ..report.text import laid_out
from .files import keep_apart
from .options import Json, Strict, grouped, registry_with
from .price_options import PriceOptions
from .progress import progress_bar
from .runs import RunOptions

if TYPE_CHECKING:
    from ..calibrate.options import ProfileOptions
    from ..calibrate.profiles import Calibration
    from ..read.log import Log

__all__ = ["calibrate"]


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """How logs are read."""

    format: Annotated[
        str | None, typer.Option(metavar="NAME", help="A log reader; default the one that knows the file.")
    ] = None
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=COLUMN", help="What a table calls a column, perhaps /1000 or *2; repeatable."),
    ] = None
    score_key: Annotated[
        str,
        typer.Option("--score-key", metavar="KEY", help="Of scores that are mappings or lists: which entry counts."),
    ] = ""
    right_if: Annotated[
        str, typer.Option("--right-if", metavar="RULE", help='Which scores are right: ">= 7"; >=, <=, >, < or ==.')
    ] = ""
    scale: Annotated[
        str, typer.Option(metavar="LOW,HIGH", help="Scores are grades from the worst to the best: 0,10.")
    ] = ""
    merge_right: Annotated[
        bool, typer.Option("--merge-right", help="Take the right answers to a question as one, spelt in several ways.")
    ] = False
    max_log_bytes: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Bytes of a log, unpacked; default 1 GiB, or 40 times its packed size."),
    ] = None
    strict: Strict = False

    def log(self, paths: Sequence[str], registry: Registry, judged: Sequence[str] = ()) -> "Log":
        """Read logs into the neutral table, with further columns that say how else answers were judged."""
        from ..read.grading import Grading
        from ..read.logs import read_log

        return read_log(
            paths,
            self.format,
            registry,
            grading=Grading(self.score_key, self.right_if, _ends(self.scale)),
            columns=_columns(self.column or []),
            judged=judged,
            merge_right=self.merge_right,
            max_log_bytes=self.max_log_bytes,
            strict=self.strict,
        )


@dataclass(frozen=True, kw_only=True)
class ShapeOptions:
    """How profiles are made, and how far k goes."""

    inference: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of the profiles: empirical, beta or lognormal; default empirical."),
    ] = None
    calls: Annotated[
        str, typer.Option(metavar="SHAPE", help="How k calls are made: at-once, slots (P at a time) or sequential.")
    ] = "at-once"
    parallelism: Annotated[
        int | None, typer.Option(metavar="P", help="Calls at a time, for --calls slots, and the step of k.")
    ] = None
    min_samples: Annotated[int, typer.Option(metavar="N", help="Leave out questions with fewer scored samples.")] = 1
    k_max: Annotated[
        int | None,
        typer.Option(metavar="K", help="The largest k of estimates and profiles; default what the log supports."),
    ] = None
    extrapolate: Annotated[
        bool,
        typer.Option(
            "--extrapolate", help="Go beyond the samples of a question where a law can be had, marked as such."
        ),
    ] = False

    def refuse_calls_without_their_number(self) -> None:
        """Raise where calls are made in slots without their number, or a number of slots is given for other calls."""
        if (self.calls == "slots") != (self.parallelism is not None):
            raise MooInferError(f"--calls slots and --parallelism belong together, got --calls {self.calls}")


@dataclass(frozen=True, kw_only=True)
class BootstrapOptions:
    """How intervals are drawn."""

    bootstrap: Annotated[
        int, typer.Option(metavar="B", min=1, max=100_000, help="Draws of the bootstrap over questions.")
    ] = 1000
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the bootstrap.")] = 0


@grouped
def calibrate(
    *,
    context: typer.Context,
    logs: Annotated[list[str], typer.Argument(metavar="LOG...", help="Logs; NAME=LOG renames the model in it.")],
    run: RunOptions,
    reading: ReadOptions,
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
      moo-infer calibrate log.csv --judged unsafe=down --judged format_ok=up --out profiles.yaml

    Of models in the file of --models that are called as in the log, how they are called and their prices go into the
    profiles as well.
    """
    from ..calibrate.profiles import calibrated
    from ..calibrate.yaml_out import entries, samples_path, save
    from ..read.log import ending_of_table
    from ..read.profile_prices import is_priced

    if table is not None:
        ending_of_table(table)
    pricing.refuse_without_prices()
    shape.refuse_calls_without_their_number()
    on = pricing.date_of_prices()
    read_too = [Path(log.partition("=")[2]) for log in logs if "=" in log]
    read_too += [Path(path) for path in (pricing.prices, run.models) if path is not None]
    outputs = {"--table": table, "--out": out}
    keep_apart([*map(Path, logs), *read_too], outputs, {"--out": samples_path(out) if out else None})
    registry = registry_with(plugin_files)
    profiles = named_inputs(run.models, registry)[0]
    profiles = {name: of for name, of in profiles.items() if name in model} if profiles and model else profiles
    ways = _judged(judged or [])
    log = reading.log(logs, registry, [*ways])
    log = log.with_models(model) if model else log
    prices = pricing.by_model(log, on, [name for name, of in (profiles or {}).items() if is_priced(of)])
    with progress_bar() as progress:
        calibrations = calibrated(log, prices, _options(shape, draws, ways), profiles=profiles, progress=progress)
    # The table appears only when the profiles are there, so that it is all or nothing.
    with nullcontext() if table is None else log.written(table):
        files = [] if out is None else save(calibrations, out)
    files = files if table is None else [table, *files]
    if plot is not None:
        from ..plot import log_curves, write

        files += write([((c.summary.model,), partial(log_curves, c.summary)) for c in calibrations], plot)
    samples = next((file for file in files if file.suffix == ".parquet" and file != table), None)
    config = run.config(context, partial(sections, run.models, registry) if profiles else None)
    config["models"] = entries(calibrations, samples, Path())
    return _as_json(log, calibrations, files, config) if as_json else _as_text(calibrations, files, out)


def _options(shape: ShapeOptions, draws: BootstrapOptions, judged: Mapping[str, str]) -> "ProfileOptions":
    """The options of profiles from the command line; extrapolation takes `beta` unless a model is named."""
    from ..calibrate.options import ProfileOptions

    return ProfileOptions(
        inference=shape.inference or ("beta" if shape.extrapolate else "empirical"),
        calls=shape.calls,
        parallelism=1 if shape.parallelism is None else shape.parallelism,
        extrapolate=shape.extrapolate,
        min_samples=shape.min_samples,
        k_max=shape.k_max,
        judged=judged,
        B=draws.bootstrap,
        seed=draws.seed,
    )


def _as_json(
    log: "Log", calibrations: "Sequence[Calibration]", files: Sequence[Path], config: Mapping[str, Any]
) -> str:
    document: dict[str, Any] = {"schema": 1, "sources": [asdict(source) for source in log.sources]}
    document |= {
        "models": [calibration.to_dict() for calibration in calibrations],
        "refused": [{"model": model, "reason": why} for model, why in log.refused.items()],
        "files": [str(file) for file in files],
        "config": config,
    }
    return json.dumps(document, indent=2, allow_nan=False)


def _as_text(calibrations: "Sequence[Calibration]", files: Sequence[Path], out: Path | None) -> str:
    from ..calibrate.yaml_out import recommending

    text = laid_out([block for calibration in calibrations for block in calibration.blocks()])
    text += f"Written: {', '.join(printable(str(file)) for file in files)}\n" if files else ""  # not to be broken
    return text + (f"To decide: {printable(recommending(calibrations, shlex.quote(str(out))))}\n" if out else "")


def _columns(options: list[str]) -> dict[str, str]:
    """The names that a table has for the columns of the neutral table, from NAME=COLUMN."""
    columns: dict[str, str] = {}
    for item in options:
        name, equals, column = (part.strip() for part in item.partition("="))
        if not (name and equals and column) or name in columns:
            rule = "each name is given once" if name in columns else "must be NAME=COLUMN"
            raise MooInferError(f"--column: {rule}, got {item!r}")
        columns[name] = column
    return columns


def _judged(options: list[str]) -> dict[str, str]:
    """Which way is better of each column that judges answers, from NAME=down or NAME=up."""
    ways: dict[str, str] = {}
    for item in options:
        name, _, better = (part.strip() for part in item.rpartition("="))
        if not name or better not in BETTER or name in ways:
            rule = "each name is given once" if name in ways else f"must be NAME={' or NAME='.join(BETTER)}"
            raise MooInferError(f"--judged: {rule}, got {item!r}")
        ways[name] = better
    return ways


def _ends(text: str) -> tuple[float, float] | None:
    """The worst and the best score of a scale."""
    if not text:
        return None
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise MooInferError(f"--scale: must be LOW,HIGH, two numbers, got {text!r}") from None
    return low, high
