"""The options of ``recommend`` that say what is decided, and the pipeline that they make."""

import warnings
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from ..core.errors import MooInferError, unknown
from ..pipeline import AGGREGATORS, ESTIMATORS, GOAL, K_MAX, ON_LOGS, SELECTORS, Pipeline, estimator_named
from ..profiles import Scenario
from ..read.profiles import named_day, named_inputs, named_policies, named_workflows
from ..registry import Registry
from ..report.report import Report
from .progress import Progress

__all__ = [
    "DRAWS",
    "CertaintyOptions",
    "GridOptions",
    "LimitOptions",
    "NameOptions",
    "PartOptions",
    "VolumeOptions",
    "pipeline_of",
]

NOTHING_DRAWN = (
    "no model has a log or an uncertain number, so that nothing is drawn: --confidence and --questions change nothing"
)
DRAWS = 200  # a share of them is known to 7 points at most, which is enough to see whether an answer stands


@dataclass(frozen=True, kw_only=True)
class NameOptions:
    """Models to compare, and scenarios."""

    model: Annotated[list[str] | None, typer.Option(metavar="NAME", help="A model; repeatable; default all.")] = None
    scenario: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A scenario; repeatable; default all. Excludes limits."),
    ] = None


@dataclass(frozen=True, kw_only=True)
class LimitOptions:
    """Limits of a scenario of one's own."""

    max_cost: Annotated[str | None, typer.Option(metavar="USD", help="Same as --max cost=USD.")] = None
    max_latency: Annotated[str | None, typer.Option(metavar="S", help="Same as --max latency=S.")] = None
    min_accuracy: Annotated[str | None, typer.Option(metavar="A", help="Same as --min accuracy=A.")] = None
    max_: Annotated[
        list[str] | None,
        typer.Option("--max", metavar="NAME=VALUE", help="Largest acceptable mean; NAME=p95=VALUE for a quantile."),
    ] = None
    min_: Annotated[
        list[str] | None,
        typer.Option("--min", metavar="NAME=VALUE", help="Smallest acceptable mean; NAME=p05=VALUE for a quantile."),
    ] = None

    def scenario(self, named: list[str] | None = None) -> Scenario | None:
        """Return the scenario that the limits make, or None where there are none; they exclude named ones."""
        largest = _side("--max", {"cost": self.max_cost, "latency": self.max_latency}, self.max_ or [])
        smallest = _side("--min", {"accuracy": self.min_accuracy}, self.min_ or [])
        if not (largest or smallest):
            return None
        if named:
            raise MooInferError("--scenario and limits exclude each other; give one of them")
        return Scenario("custom", max=largest, min=smallest)


def _side(flag: str, own: Mapping[str, str | None], free: list[str]) -> dict[str, dict[str, float]]:
    """The limits from one side, by objective and statistic: those with an option of their own, and the others."""
    limits = [(f"{flag}-{name}", name, text) for name, text in own.items() if text is not None]
    for item in free:
        name, equals, text = item.partition("=")
        if not (name and equals):
            raise MooInferError(f"{flag}: must be NAME=VALUE, got {item!r}")
        limits.append((f"{flag} {name}", name, text))
    side: dict[str, dict[str, float]] = {}
    for where, name, text in limits:
        statistic, _, value = text.rpartition("=")
        statistics = side.setdefault(name, {})
        if (statistic or "mean") in statistics:
            raise MooInferError(f"{where}: the {statistic or 'mean'} of {name} is limited twice")
        try:
            statistics[statistic or "mean"] = float(value)
        except ValueError:
            raise MooInferError(f"{where}: must be a number, or a quantile such as p95=2, got {text!r}") from None
    return side


@dataclass(frozen=True, kw_only=True)
class PartOptions:
    """Names of aggregators, selectors and the estimator."""

    aggregator: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help=f"Repeatable; default {' and '.join(ON_LOGS)} on a log, else {', '.join(AGGREGATORS)}."
        ),
    ] = None
    policy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="A policy to try beside them: of the file of --models, a kind, or menu; repeatable."
        ),
    ] = None
    workflow: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A workflow of the file of --models, and no rows of models; repeatable."),
    ] = None
    selector: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"Repeatable; default {', '.join(SELECTORS)}."),
    ] = None
    goal: Annotated[
        str | None,
        typer.Option(metavar="NAME", help=f"The selector that the answer is of, or mixture; default {GOAL}."),
    ] = None
    estimator: Annotated[str, typer.Option(metavar="NAME", help=" or ".join(ESTIMATORS))] = "exact"
    trials: Annotated[int, typer.Option(metavar="M", help="Trials of what is simulated.")] = 10_000
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of what is simulated.")] = 0

    def policies(self, models: Path | None, registry: Registry) -> dict[str, Any]:
        """Return the policies and workflows that are tried, all of the file where none is named, and the day."""
        named = named_policies(models, registry)
        workflows = named_workflows(models, registry)
        for name in self.workflow or ():
            if name not in workflows:
                raise unknown("workflow", name, workflows, "--workflow")
        wanted = {name: workflows[name] for name in self.workflow or workflows}
        if self.workflow and (self.policy or self.aggregator):
            warnings.warn("--workflow leaves out the rows that --policy and --aggregator are about", stacklevel=2)
        policies = self.policy or ([] if self.workflow else [*named])
        alone = {"workflows": wanted, "workflows_alone": bool(self.workflow)}
        return {"policies": policies, "named_policies": named, "day": named_day(models), **alone}


@dataclass(frozen=True, kw_only=True)
class GridOptions:
    """The grid of k to choose from."""

    parallelism: Annotated[
        int | None, typer.Option(metavar="P", help="Inferences at a time; default the profile's.")
    ] = None
    k_max: Annotated[int | None, typer.Option(metavar="K", help=f"Largest k of the grid; default {K_MAX}.")] = None
    k_step: Annotated[
        int | None, typer.Option(metavar="N", help="Step of the grid; default the model's parallelism.")
    ] = None
    k: Annotated[str | None, typer.Option(metavar="1,2,4", help="The grid itself; excludes --k-max, --k-step.")] = None

    def refuse_two_grids(self) -> None:
        """Raise where the grid is given in both ways."""
        if self.k is not None and (self.k_step is not None or self.k_max is not None):
            raise MooInferError("--k and --k-max or --k-step exclude each other; give one of them")

    def values(self) -> list[int] | None:
        """Return the numbers of ``--k``; None without it."""
        try:
            return None if self.k is None else [int(item) for item in self.k.split(",")]
        except ValueError:
            raise MooInferError(f"--k: must be whole numbers separated by commas, got {self.k!r}") from None


@dataclass(frozen=True, kw_only=True)
class CertaintyOptions:
    """Stability of choices, and confidence in limits."""

    stability: Annotated[
        int | None,
        typer.Option(
            metavar="B",
            help="Say how sure each choice is: over B draws of uncertain parameters and of log questions. Default "
            f"{DRAWS} where there are such, 0 for none.",
        ),
    ] = None
    confidence: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Feasible: limits hold in that share of draws of uncertain parameters."),
    ] = None
    questions: Annotated[
        str, typer.Option(metavar="other|same", help="Draws of a log: other questions, or the same ones again.")
    ] = "other"

    def draws(self, report: Report) -> int:
        """Return how many draws say how sure the choices are.

        Warns:
            UserWarning: where draws were asked something, and there are none.
        """
        if not report.redraw and (self.confidence is not None or self.questions == "same") and not self.stability:
            warnings.warn(NOTHING_DRAWN, stacklevel=2)
        if (self.stability or 0) < 0:
            raise MooInferError(f"--stability: must be >= 0, got {self.stability}")
        if self.stability is None:
            return DRAWS if report.redraw else 0
        return self.stability


@dataclass(frozen=True, kw_only=True)
class VolumeOptions:
    """How many queries there will be."""

    volume: Annotated[
        str | None,
        typer.Option(metavar="R|LOW..HIGH", help="Queries over the life, over which what is paid once is spread."),
    ] = None


def pipeline_of(
    models: Path | None,
    parts: PartOptions,
    grid: GridOptions,
    certainty: CertaintyOptions,
    life: VolumeOptions,
    registry: Registry,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Pipeline:
    """Return what decides as the options say.

    Args:
        models: the file with models, scenarios, policies and workflows; None for what is built in.
        parts, grid, certainty, life: the options.
        registry: where kinds are looked up.
        progress: told of every estimation.
        executor: who does its tasks; None for this process.

    Raises:
        MooInferError: for a file that cannot be read, and for unknown names and numbers out of range.
    """
    profiles, scenarios = named_inputs(models, registry)
    grid.refuse_two_grids()
    return Pipeline(
        parts.aggregator or None,
        parts.selector or SELECTORS,
        estimator_named(parts.estimator, parts.trials, parts.seed),
        goal=parts.goal,
        k=grid.values(),
        k_max=K_MAX if grid.k_max is None else grid.k_max,
        k_step=grid.k_step,
        parallelism=grid.parallelism,
        models=profiles,
        scenarios=scenarios,
        confidence=certainty.confidence,
        questions=certainty.questions,  # type: ignore[arg-type]  # checked there
        volume=life.volume,
        registry=registry,
        **parts.policies(models, registry),
        executor=executor,
        progress=progress,
    )
