"""The command ``moo-infer fit-latency``: from load tests and tables of steps to the seconds and joules of a server."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..core.errors import MooInferError, printable
from ..core.files import atomic_write
from .files import keep_apart
from .options import Json, Strict, grouped
from .runs import RunOptions

if TYPE_CHECKING:
    from ..calibrate import Fit

__all__ = ["fit_latency"]

PACKAGE = "batch-energy is a part of the package moo-infer-energy"


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
    energy: Annotated[
        bool, typer.Option("--energy", help="Of tables of steps, fit batch-energy to their joules.")
    ] = False,
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="Of tables of steps, let k and lengths go beyond what was measured.")
    ] = False,
    strict: Strict = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the YAML there as well.")] = None,
    as_json: Json = False,
) -> str:
    """Fit the seconds of a server or an API to a load test, and print the YAML for a model's costs.

    Reads the JSON of vLLM bench, SGLang, guidellm, aiperf, GenAI-Perf and llmperf, and CSV with the columns
    concurrency, input_tokens, output_tokens, ttft_s, latency_s. Of single requests it fits a line in the tokens and, as
    ratios to it, what tokens do not explain; typical_s is their mean by the line alone, waited_s as measured, with rare
    delays. Concurrency is how many requests ran, not how many might have.

    Reads tables of a GPU, too: decoding steps (batch, context, seconds, joules), prefills (tokens, seconds, joules),
    idle watts (watts), and the configurations of ML.ENERGY, a setup each. Seconds make batch, joules batch-energy.

    \b
    Examples:
      moo-infer fit-latency concurrency-1.json concurrency-8.json concurrency-64.json
      moo-infer fit-latency requests.csv --kind slots --out slots.yaml
      moo-infer fit-latency steps.csv prefill.csv --energy
    """
    from ..calibrate import holds_steps
    from ..calibrate.part_fit import comment

    if out is not None and out.suffix.lower() not in (".yaml", ".yml"):
        raise MooInferError(f"--out: {out}: must end in .yaml or .yml")
    keep_apart(files, {"--out": out})
    if any(map(holds_steps, files)):
        if kind not in (None, "batch"):
            raise MooInferError(f"--kind {kind}: of tables of steps batch is fitted, or with --energy batch-energy")
        fits, remarks = _of_steps(files, energy=energy, extrapolate=extrapolate, strict=strict)
    else:
        for option, given in (("--energy", energy), ("--extrapolate", extrapolate)):
            if given:
                raise MooInferError(f"{option}: is for tables of steps, and {files[0]} is none")
        fits, remarks = _of_load_tests(files, kind, strict=strict)
    named = ", ".join(printable(file.name) for file in files)
    text = "\n".join([f"# fitted to {named}", *map(comment, remarks), *(fitted.yaml for fitted in fits), ""])
    if out is not None:
        with atomic_write(out) as target:
            target.write_text(text, encoding="utf-8")
    if not as_json:
        return text
    described = [_described(fitted) for fitted in fits]
    fields = described[0] | {
        "fits": described,
        "files": [str(file) for file in files],
        "remarks": remarks,
        "yaml": text,
        "config": run.config(context),
    }
    return json.dumps({"schema": 1} | fields, indent=2, allow_nan=False)


def _of_load_tests(files: Sequence[Path], kind: str | None, *, strict: bool) -> tuple[list["Fit"], list[str]]:
    from ..calibrate import fit_serving, read

    measured = read(files, strict=strict)
    return [fit_serving(measured, kind)], [*measured.remarks]


def _of_steps(files: Sequence[Path], *, energy: bool, extrapolate: bool, strict: bool) -> tuple[list["Fit"], list[str]]:
    from ..calibrate import fit_setups, read_steps

    measured = read_steps(files, strict=strict)
    fits, remarks = fit_setups(measured, energy=energy, extrapolate=extrapolate)
    return fits, [*measured[0].remarks, *remarks, *([PACKAGE] if energy else [])]


def _described(fitted: "Fit") -> dict[str, Any]:
    """The JSON form of a fit."""
    numbers = {name: {"value": value, "se": se} for name, (value, se) in fitted.parameters.items()}
    return asdict(fitted) | {"parameters": numbers}
