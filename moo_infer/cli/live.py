"""The commands ``moo-infer run`` and ``moo-infer sample``: live calls, by a policy or for a first log."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.errors import MooInferError, unknown
from ..interfaces import AccuracyAggregator, Policy
from ..read.config import sections
from ..read.profiles import named_policies
from ..registry import Registry
from .live_setup import CallOptions, LiveSetup, MoneyOptions
from .options import Json, PluginFiles, grouped
from .price_options import PriceOptions
from .runs import RunOptions
from .terminal import Answer

__all__ = ["run", "sample"]


@grouped
def run(
    *,
    context: typer.Context,
    questions: Annotated[Path, typer.Argument(metavar="QUESTIONS.jsonl", help="A question a line.")],
    run: RunOptions,
    policy: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Who decides: a policy of the file, or a kind."),
    ] = None,
    calls: CallOptions,
    money: MoneyOptions,
    answers: Annotated[
        Path | None, typer.Option(metavar="FILE.jsonl", help="A line a question: what was delivered, and its price.")
    ] = None,
    max_cost: Annotated[float | None, typer.Option(metavar="USD", help="One question may cost this much.")] = None,
    max_latency: Annotated[float | None, typer.Option(metavar="S", help="One question may take this long.")] = None,
    spread: Annotated[
        str | None,
        typer.Option(metavar="uniform|front|back", help="How questions share the budget; later ones get what is left."),
    ] = None,
    explore: Annotated[
        float, typer.Option(metavar="SHARE", min=0, max=1, help="Of the questions, whose calls are all made at once.")
    ] = 0.0,
    pricing: PriceOptions,
    plugin_files: PluginFiles = None,
    as_json: Json = False,
) -> Answer:
    """Answer questions live as a policy decides, within budgets, and write the log that calibrates next.

    The same command goes on where it stopped: nothing that was paid for is asked again. Exit code 5 where a budget or a
    signal stopped it.

    \b
    Examples:
      moo-infer run questions.jsonl --models my.yaml --policy two-then-more:k=8,model=small --out log.jsonl --budget 5
      moo-infer run questions.jsonl --models my.yaml --policy fixed:k=3,model=small --out log.jsonl --answers out.jsonl
      moo-infer run questions.jsonl --models my.yaml --policy fixed:k=3,model=m --out l.jsonl --budget 5 --spread front
    """
    money.refuse([questions, run.models], answers)
    if spread is not None:
        _refuse_spread(spread, money.budget)
    for flag, limit in (("--max-cost", max_cost), ("--max-latency", max_latency)):
        if limit is not None and not 0 < limit < float("inf"):
            raise MooInferError(f"{flag}: must be a finite number > 0, got {limit:g}")
    setup = LiveSetup.of(questions, run.models, calls, money, pricing, plugin_files)
    decides, name = _policy(policy or [], run.models, setup.registry, [*calls.chosen(setup.profiles)])
    models = _models_of(decides, setup, calls)
    decides = _filled(decides, setup)
    judges = setup.judges(models)
    from ..policy.live.rehearsal import rehearse

    rehearse(decides, setup.questions, judges, setup.registry)
    limits: dict[str, Any] = {"most_usd": max_cost, "most_seconds": max_latency, "explore": explore}
    limits |= {"spread": spread} if spread else {}  # without it a run is what it was before there was such an option
    result = setup.go("run", decides, judges, answers, **limits)
    config = run.config(context, lambda folder: sections(run.models, setup.registry, folder))
    report = setup.report("run", name, result) | {"spread": spread, "config": config}
    return setup.answer(report, result, as_json=as_json)


@grouped
def sample(
    *,
    context: typer.Context,
    questions: Annotated[Path, typer.Argument(metavar="QUESTIONS.jsonl", help="A question a line.")],
    run: RunOptions,
    samples: Annotated[int, typer.Option(metavar="N", min=1, max=10_000, help="Inferences a question and model.")],
    calls: CallOptions,
    money: MoneyOptions,
    yes: Annotated[bool, typer.Option("--yes", help="Start without being asked.")] = False,
    pricing: PriceOptions,
    plugin_files: PluginFiles = None,
    as_json: Json = False,
) -> Answer:
    """Ask every model and variant N times a question: the way to a first log, which calibrate reads.

    Its largest price is said before it starts. The same command goes on where it stopped.

    \b
    Examples:
      moo-infer sample questions.jsonl --models my.yaml --samples 8 --out log.jsonl --yes
      moo-infer calibrate log.jsonl --models my.yaml --out calibrated.yaml
    """
    from ..policy.live.run import AtOnce

    money.refuse([questions, run.models])
    setup = LiveSetup.of(questions, run.models, calls, money, pricing, plugin_files)
    models = _models_of(AtOnce(dict.fromkeys(calls.chosen(setup.profiles), samples)), setup, calls)
    setup.announce(models, samples)
    if not yes and not _agreed():
        raise MooInferError("sample: nothing was called; --yes starts without being asked")
    result = setup.go("sample", AtOnce(dict.fromkeys(models, samples)), setup.judges(models))
    config = run.config(context, lambda folder: sections(run.models, setup.registry, folder))
    return setup.answer(setup.report("sample", None, result) | {"config": config}, result, as_json=as_json)


def _refuse_spread(spread: str, budget: float | None) -> None:
    """Raise where questions cannot share the budget so."""
    from ..policy.budget import SPREADS

    if spread not in SPREADS:
        raise unknown("--spread", spread, SPREADS)
    if not budget:
        raise MooInferError("--spread: questions share a budget; give --budget USD, above 0, as well")


def _agreed() -> bool:
    """Ask whoever sits at the terminal; nobody agrees where there is none."""
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return typer.confirm("Start?", default=False, err=True)


def _models_of(policy: Policy, setup: LiveSetup, calls: CallOptions) -> list[str]:
    """The models that a policy calls, checked."""
    from ..policy.decisions import most_calls

    models = [*most_calls(policy)] if policy.most else []
    for name in models:
        if name not in setup.profiles:
            raise unknown("model", name, setup.profiles, f"policy {policy.name!r}")
        if calls.model and name not in calls.model:
            raise MooInferError(f"policy {policy.name!r} calls {name}, which --model leaves out")
    if not models:
        raise MooInferError("--models: no model of the file says how it is called (call:)")
    setup.refuse_uncallable(models)
    return models


def _filled(policy: Policy, setup: LiveSetup) -> Policy:
    """The policy with the numbers that it leaves open and its models know, as it is evaluated."""
    import numpy as np

    from ..estimate.setup import Setup
    from ..policy.decisions import most_calls
    from ..policy.filling import filled

    one_call = setup.registry.get(AccuracyAggregator, "one-call")  # of no use: the policy names who answers
    most = {model: calls for model, calls in most_calls(policy).items() if setup.profiles[model].measured}
    return filled(
        policy,
        {
            model: Setup(setup.profiles[model], one_call, np.array([calls]), setup.profiles[model].parallelism)
            for model, calls in most.items()
        },
    )


def _policy(given: Sequence[str], path: Path | None, registry: Registry, models: Sequence[str]) -> tuple[Policy, str]:
    """The policy that decides, over the one model that is left where it names none, and its text."""
    from ..policy.decisions import most_calls, of_model
    from ..policy.tried import MENU, text_of, tried

    if len(given) != 1 or given[0] == MENU:
        what = "menu is many of them" if MENU in given else f"got {len(given)}"
        raise MooInferError(f"--policy: a run has exactly one, {what}; moo-infer plugins lists kinds")
    policy = tried(given[0], registry, named_policies(path, registry))[0].policy
    if "" in most_calls(policy):
        if len(models) != 1:
            known = ", ".join(models) or "none that says how it is called"
            raise MooInferError(f"--policy {given[0]}: which model? give model=NAME or one --model; models: {known}")
        policy = of_model(policy, models[0])
    return policy, text_of(policy)
