"""The command ``moo-infer fit-latency``."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from .errors import MooInferError

__all__ = ["fit_latency"]


def fit_latency(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Results of one or more runs.")],
    kind: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="batch or slots; default batch where concurrency varies, else slots."),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the YAML there as well.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, alone, on standard output.")] = False,
) -> str:
    r"""Fit the seconds of a server or an API to a load test, and print the YAML for a model's costs.

    Reads the JSON of vLLM bench, guidellm and aiperf, and CSV with the columns concurrency, input_tokens,
    output_tokens, ttft_s, latency_s.

    \b
    Examples:
      moo-infer fit-latency concurrency-1.json concurrency-8.json concurrency-64.json
      moo-infer fit-latency requests.csv --kind slots --out slots.yaml
    """
    from .calibrate import fit_serving, read

    fitted = fit_serving(read(files), kind)
    text = f"# fitted to {', '.join(file.name for file in files)}\n{fitted.yaml}\n"
    if out is not None:
        try:
            out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise MooInferError(f"--out: {out}: cannot be written: {error.strerror}") from None
    if not as_json:
        return text
    found = asdict(fitted) | {
        "parameters": {name: {"value": value, "se": se} for name, (value, se) in fitted.parameters.items()},
        "files": [str(file) for file in files],
        "yaml": text,
    }
    return json.dumps({"schema": 1} | found, indent=2, allow_nan=False)
