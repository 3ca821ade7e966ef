"""The command ``moo-infer fit-latency``: from load tests to the seconds of a server or an API."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..core.errors import printable
from ..core.files import atomic_write
from .files import keep_apart
from .options import Json, Strict, grouped
from .runs import RunOptions

__all__ = ["fit_latency"]


@grouped
def fit_latency(
    *,
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Results of one or more runs.")],
    run: RunOptions,
    kind: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="batch or slots; default batch where concurrency varies, else slots."),
    ] = None,
    strict: Strict = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the YAML there as well.")] = None,
    as_json: Json = False,
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
    from ..calibrate.part_fit import comment

    keep_apart(files, {"--out": out})
    measured = read(files, strict=strict)
    fitted = fit_serving(measured, kind)
    remarks = [comment(sentence) for sentence in measured.remarks]
    named = ", ".join(printable(file.name) for file in files)
    text = "\n".join([f"# fitted to {named}", *remarks, fitted.yaml, ""])
    if out is not None:
        with atomic_write(out) as target:
            target.write_text(text, encoding="utf-8")
    if not as_json:
        return text
    fields = asdict(fitted) | {
        "parameters": {name: {"value": value, "se": se} for name, (value, se) in fitted.parameters.items()},
        "files": [str(file) for file in files],
        "remarks": [*measured.remarks],
        "yaml": text,
        "config": run.config(context),
    }
    return json.dumps({"schema": 1} | fields, indent=2, allow_nan=False)
