"""The command ``moo-infer init``: a first file of models, limits and a run, with comments."""

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..core.documents import to_yaml
from ..core.errors import MooInferError, printable
from ..core.files import atomic_write, refuse_unwritable
from ..read.profiles import builtin_file
from ..registry import Registry
from .files import keep_apart
from .loudness import LOG

if TYPE_CHECKING:
    pass

__all__ = ["init"]

STARTING, PAPER, GENAI_PRICES = "starting.yaml", "paper", "genai-prices"
MOST = 20  # models of a list that are taken without being named
HEAD = """\
# yaml-language-server: $schema=moo-infer.schema.json
# For an editor that completes and checks: moo-infer schema > moo-infer.schema.json
# To decide: moo-infer recommend --models {name}
"""
RUN = """
# What is not typed: every long option of recommend, with _ in place of -. What is typed wins.
run:
  k_max: {k_max}
  # model: [NAME]               # some of the models; default all
  # scenario: [NAME]            # some of the scenarios; or limits here:
  # max_cost: 0.01              # USD a query
  # max_latency: {{p95: 30}}      # seconds, of 95 % of queries
  # min_accuracy: 0.9
  # goal: cheapest-within       # the selector that answers; others: moo-infer plugins
  # stability: 200              # draws that say how sure the answer is
  # out: [report.html, report.json]
"""
LIMITS = """
# The worst that is acceptable, on the mean or on a quantile.
# scenarios:
#   chat: {max: {cost: 0.02, latency: {p95: 30}}, min: {accuracy: 0.8}}
"""
SECONDS = """\
      # Seconds are in no list of prices. Measured ones: moo-infer fit-latency; by hand:
      # - {kind: linear-latency, seconds_per_input_token: 0, seconds_per_output_token: 0.004}
"""
# What a price does not say of a model: wide, so that the answer says how unsure it is.
UNKNOWN = {
    "kind": "gaussian",
    "tokens_in_mean": {"low": 200, "high": 2000},
    "tokens_in_std": 20,
    "tokens_out_mean": {"low": 100, "high": 1000},
    "tokens_out_std": 10,
    "accuracy_mean": {"low": 0.5, "high": 0.9},
    "accuracy_std": 0.1,
}


def init(
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="paper|LOG|PRICES",
            help="The paper's models; a log of evaluations; or a list of prices: a file, or genai-prices.",
        ),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="A model of a log or a list; repeatable; default all.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE.yaml", help="Write it there, not to standard output.")
    ] = None,
) -> str | None:
    """Write a first file of models, limits and a run, with comments that say what each is.

    \b
    Examples:
      moo-infer init > my.yaml
      moo-infer init --from paper --out paper.yaml
      moo-infer init --from log.csv --out measured.yaml
      moo-infer init --from genai-prices --model openai/gpt-4o-mini --model anthropic/claude-sonnet-4-0
    """
    if out is not None:
        if out.suffix.lower() not in (".yaml", ".yml"):
            raise MooInferError(f"--out: {out}: must end in .yaml or .yml")
        keep_apart([Path(source)] if source else [], {"--out": out})
        refuse_unwritable(out)
    if model and source in (None, PAPER):
        raise MooInferError("--model names models of a log or of a list of prices; give --from LOG or --from PRICES")
    if source is not None and source != PAPER and not _is_price_list(source):
        _from_log(source, model or [], out)
        return None
    text = _text(source, model or [], out.name if out else "FILE.yaml")
    if out is None:
        return text
    with atomic_write(out) as draft:
        draft.write_text(text, encoding="utf-8")
    LOG.warning("wrote %s", printable(str(out)))
    return None


def _is_price_list(source: str) -> bool:
    """Whether a source is a list of prices, not a log."""
    path = Path(source)
    if source == GENAI_PRICES or path.suffix.lower() in (".yaml", ".yml"):
        return True
    if path.suffix.lower() != ".json":
        return False
    from ..read.prices import priced_models

    try:
        priced_models(path, date.today())
    except MooInferError:
        return False
    return True


def _text(source: str | None, models: Sequence[str], name: str) -> str:
    """A file that needs no other."""
    head = HEAD.format(name=printable(name))
    if source is None:
        return head + builtin_file(STARTING).read_text(encoding="utf-8") + RUN.format(k_max=32)
    if source == PAPER:
        parts = [builtin_file(part).read_text(encoding="utf-8") for part in ("models.yaml", "scenarios.yaml")]
        return head + "\n".join(parts) + RUN.format(k_max=128)
    return head + "models:\n" + "".join(_priced(source, models)) + LIMITS + RUN.format(k_max=32)


def _priced(source: str, models: Sequence[str]) -> Iterable[str]:
    """Models of a list of prices, each as it stands in a file."""
    from ..read.prices import find_prices, priced_models

    today = date.today()
    if not models:
        models = priced_models(source, today)
        if len(models) > MOST:
            raise MooInferError(
                f"--from {source}: lists {len(models):,} models; give those to decide between: --model NAME"
            )
    for model, price in find_prices(models, source, today).items():
        yield f"  {to_yaml(model)}:\n"
        yield f"    source: {to_yaml(f'prices: {price.source}; tokens and accuracy are not known')}\n"
        yield "    # Not known: replace the ranges by what you measured (moo-infer init --from LOG).\n"
        yield f"    inference: {to_yaml(UNKNOWN)}\n"
        yield f"    costs:\n      - {to_yaml(price.part)}\n{SECONDS}"


def _from_log(source: str, models: Sequence[str], out: Path | None) -> None:
    """Write what a log says of its models, and beside it their samples."""
    if out is None:
        raise MooInferError(f"--from {source}: the samples of a log are kept beside the file; give --out FILE.yaml")
    from ..calibrate.profiles import calibrated
    from ..calibrate.yaml_out import save
    from ..read.logs import read_log

    log = read_log([source], registry=Registry())
    calibrations = calibrated(log.with_models(list(models)) if models else log)
    reach = max(calibration.largest_k for calibration in calibrations)
    for path in save(calibrations, out, tail=LIMITS + RUN.format(k_max=reach)):
        LOG.warning("wrote %s", printable(str(path)))
