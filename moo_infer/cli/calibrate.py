"""The commands ``moo-infer calibrate`` and ``moo-infer fit-latency``: from logs to profiles."""

import json
import shlex
from contextlib import nullcontext
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.errors import MooInferError, printable
from ..core.files import aside
from ..registry import Registry, plugin_file
from ..report.text import laid_out
from .files import keep_apart
from .progress import progress_bar

__all__ = ["calibrate", "fit_latency"]


def fit_latency(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Results of one or more runs.")],
    kind: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="batch or slots; default batch where concurrency varies, else slots."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse a file with a record that cannot be read.")] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the YAML there as well.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, alone, on standard output.")] = False,
) -> str:
    """Fit the seconds of a server or an API to a load test, and print the YAML for a model's costs.

    Reads the JSON of vLLM bench, SGLang, guidellm, aiperf, GenAI-Perf and llmperf, and CSV with the columns
    concurrency, input_tokens, output_tokens, ttft_s, latency_s. Of single requests it fits a line in the tokens and, as
    ratios to it, what tokens do not explain; typical_s is their mean by the line alone, waited_s as measured, with rare
    delays. Concurrency is how many requests ran, not how many might have.

    \b
    Examples:
      moo-infer fit-latency concurrency-1.json concurrency-8.json concurrency-64.json
      moo-infer fit-latency requests.csv --kind slots --out slots.yaml
    """
    from ..calibrate import fit_serving, read
    from ..calibrate.fit_latency import comment

    keep_apart(files, {"--out": out})
    measured = read(files, strict=strict)
    fitted = fit_serving(measured, kind)
    remarks = [comment(sentence) for sentence in measured.remarks]
    named = ", ".join(printable(file.name) for file in files)
    text = "\n".join([f"# fitted to {named}", *remarks, fitted.yaml, ""])
    if out is not None:
        with aside(out) as place:
            place.write_text(text, encoding="utf-8")
    if not as_json:
        return text
    found = asdict(fitted) | {
        "parameters": {name: {"value": value, "se": se} for name, (value, se) in fitted.parameters.items()},
        "files": [str(file) for file in files],
        "remarks": [*measured.remarks],
        "yaml": text,
    }
    return json.dumps({"schema": 1} | found, indent=2, allow_nan=False)


def calibrate(
    logs: Annotated[list[str], typer.Argument(metavar="LOG...", help="Logs; NAME=LOG renames the model in it.")],
    format: Annotated[
        str | None, typer.Option(metavar="NAME", help="A log reader; default the one that knows the file.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=COLUMN", help="What a table calls a column, perhaps /1000 or *2; repeatable."),
    ] = None,
    score_key: Annotated[
        str,
        typer.Option("--score-key", metavar="KEY", help="Of scores that are mappings or lists: which entry counts."),
    ] = "",
    right_if: Annotated[
        str, typer.Option("--right-if", metavar="RULE", help='Which scores are right: ">= 7"; >=, <=, >, < or ==.')
    ] = "",
    scale: Annotated[
        str, typer.Option(metavar="LOW,HIGH", help="Scores are grades from the worst to the best: 0,10.")
    ] = "",
    merge_right: Annotated[
        bool, typer.Option("--merge-right", help="Take the right answers to a question as one, spelt in several ways.")
    ] = False,
    max_log_bytes: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Bytes of a log, unpacked; default 1 GiB, or 40 times its packed size."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse a file with a record that cannot be read.")] = False,
    model: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A model; repeatable; default all.")] = None,
    prices: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="genai-prices; LiteLLM's list or proxy configuration; OpenRouter's /models; YAML with USD per token.",
        ),
    ] = None,
    price: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL=IN,OUT", help="By hand, USD per token; repeatable; wins over --prices."),
    ] = None,
    per_million: Annotated[
        bool, typer.Option("--per-million", help="Prices by hand are USD per million tokens.")
    ] = False,
    free: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL", help="Costs nothing, where a list says 0 USD; repeatable."),
    ] = None,
    day: Annotated[
        str | None, typer.Option("--date", metavar="YYYY-MM-DD", help="Whose prices hold; default today.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write profiles there, as YAML.")] = None,
    inference: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of the profiles: empirical, beta or lognormal; default empirical."),
    ] = None,
    calls: Annotated[
        str, typer.Option(metavar="SHAPE", help="How k calls are made: at-once, slots (P at a time) or sequential.")
    ] = "at-once",
    parallelism: Annotated[
        int | None, typer.Option(metavar="P", help="Calls at a time, for --calls slots, and the step of k.")
    ] = None,
    min_samples: Annotated[int, typer.Option(metavar="N", help="Leave out questions with fewer scored samples.")] = 1,
    k_max: Annotated[
        int | None,
        typer.Option(metavar="K", help="The largest k of estimates and profiles; default what the log supports."),
    ] = None,
    extrapolate: Annotated[
        bool,
        typer.Option(
            "--extrapolate", help="Go beyond the samples of a question where a law can be had, marked as such."
        ),
    ] = False,
    table: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the neutral table: .csv, .jsonl (.gz) or .parquet.")
    ] = None,
    bootstrap: Annotated[
        int, typer.Option(metavar="B", min=1, max=100_000, help="Draws of the bootstrap over questions.")
    ] = 1000,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the bootstrap.")] = 0,
    plugin_files: Annotated[
        list[Path] | None,
        typer.Option("--plugin-file", metavar="FILE", help="A Python file with plugins; repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, alone, on standard output.")] = False,
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
    """
    from ..calibrate.profiles import calibrated
    from ..calibrate.yaml_out import beside, recommending, save
    from ..read.grading import Grading
    from ..read.log import ending_of_table
    from ..read.logs import read_log
    from ..read.prices import by_hand, find_prices

    if table is not None:
        ending_of_table(table)
    if (per_million or free) and prices is None and not price:
        raise MooInferError(f"{'--per-million' if per_million else '--free'} is about prices; give --prices or --price")
    if day is not None and prices is None:
        raise MooInferError("--date is the day whose prices hold; give --prices as well")
    if (calls == "slots") != (parallelism is not None):
        raise MooInferError(f"--calls slots and --parallelism belong together, got --calls {calls}")
    on = _day(day)
    read_too = [Path(log.partition("=")[2]) for log in logs if "=" in log] + ([] if prices is None else [Path(prices)])
    keep_apart([*map(Path, logs), *read_too], {"--table": table, "--out": out}, {"--out": beside(out) if out else None})
    log = read_log(
        logs,
        format,
        Registry(*(plugin_file(path) for path in plugin_files or [])),
        grading=Grading(score_key, right_if, _ends(scale)),
        columns=_columns(column or []),
        merge_right=merge_right,
        max_log_bytes=max_log_bytes,
        strict=strict,
    )
    log = log.only(model) if model else log
    priced = None
    if prices is not None or price:
        given = by_hand(price or [], "--price", per_million)
        # A renamed model has its price under its own name, unless the new one was given a price by hand.
        names = {m: m for m in log.frame["model"].unique(maintain_order=True)}
        called = {m: {s.called for s in log.sources if m in s.models} for m in names}
        names |= {m: own.pop() for m, own in called.items() if len(own) == 1 and own != {""} and m not in given}
        costless = [names.get(m, m) for m in free or []]
        found_prices = find_prices(list(names.values()), prices, on, given, free=costless, per_million=per_million)
        priced = {model: found_prices[name] for model, name in names.items()}
    with progress_bar() as progress:
        found = calibrated(
            log,
            priced,
            inference=inference or ("beta" if extrapolate else "empirical"),
            calls=calls,
            parallelism=1 if parallelism is None else parallelism,
            extrapolate=extrapolate,
            min_samples=min_samples,
            k_max=k_max,
            B=bootstrap,
            seed=seed,
            progress=progress,
        )
    # The table appears only when the profiles are there, so that it is all or nothing.
    with nullcontext() if table is None else log.written(table):
        files = [] if out is None else save(found, out)
    files = files if table is None else [table, *files]
    if as_json:
        document: dict[str, Any] = {"sources": [asdict(source) for source in log.sources]}
        document |= {"models": [calibration.to_dict() for calibration in found], "files": [str(file) for file in files]}
        return json.dumps({"schema": 1} | document, indent=2, allow_nan=False)
    text = laid_out([block for calibration in found for block in calibration.blocks()])
    text += f"Written: {', '.join(printable(str(file)) for file in files)}\n" if files else ""  # not to be broken
    return text + (f"To decide: {printable(recommending(found, shlex.quote(str(out))))}\n" if out else "")


def _columns(given: list[str]) -> dict[str, str]:
    """What a table calls the columns of the neutral table."""
    found: dict[str, str] = {}
    for item in given:
        name, equals, column = (part.strip() for part in item.partition("="))
        if not (name and equals and column) or name in found:
            what = "each name is given once" if name in found else "must be NAME=COLUMN"
            raise MooInferError(f"--column: {what}, got {item!r}")
        found[name] = column
    return found


def _ends(text: str) -> tuple[float, float] | None:
    """The worst and the best score of a scale."""
    if not text:
        return None
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise MooInferError(f"--scale: must be LOW,HIGH, two numbers, got {text!r}") from None
    return low, high


def _day(text: str | None) -> date:
    try:
        return date.today() if text is None else date.fromisoformat(text)
    except ValueError:
        raise MooInferError(f"--date: must be YYYY-MM-DD, got {text!r}") from None
