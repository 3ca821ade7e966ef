"""The three sources of the paper's figures: its tables as printed, its authors' procedure, exact values."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from typing import Any

import numpy as np

from ..decide.candidates import Candidates
from ..pipeline import Pipeline
from ..profiles import ModelProfile, Scenario
from . import procedure

__all__ = ["PRINTED_DECIMALS", "Columns", "PaperChoice", "PaperSource", "choice_at", "exact", "published", "reproduced"]

PRINTED_DECIMALS = {"accuracy": 2, "cost": 2, "latency": 1}  # in Tables 4 to 6
Columns = Mapping[str, Any]  # k, accuracy, accuracy_std, cost (USD), latency (s): (n,) each


@dataclass(frozen=True)
class PaperChoice:
    """A chosen k with its mean accuracy, cost (USD) and latency (s).

    Args:
        k: number of inferences, >= 1.
        accuracy: mean, in [0, 1].
        cost: mean, USD.
        latency: mean, seconds.
        accuracy_std: standard deviation of the accuracy; None where the source does not say (the paper's tables).
    """

    k: int
    accuracy: float
    cost: float
    latency: float
    accuracy_std: float | None = None


@dataclass(frozen=True)
class PaperSource:
    """Where figures come from.

    Args:
        name: ``published``, ``reproduced`` or ``exact``.
        choices: by (scenario, model, selector); None where there is no choice.
        curves: by model, the means at every k; none where a source gives its choices alone.
    """

    name: str
    choices: Mapping[tuple[str, str, str], PaperChoice | None]
    curves: Mapping[str, Columns]

    def value(self, scenario: str, model: str, chosen: str | int, quantity: str) -> float | None:
        """Return one figure, or None where the source does not say.

        Args:
            scenario: its name.
            model: its name.
            chosen: a selector, or a k; where the source has no curve, a k that one of its cells has.
            quantity: a field of `PaperChoice`.
        """
        if isinstance(chosen, str):
            choice = self.choices[scenario, model, chosen]
        elif model in self.curves:
            columns = self.curves[model]
            choice = choice_at(columns, int(np.flatnonzero(columns["k"] == chosen)[0]))
        else:
            cells = [c for (s, m, _), c in self.choices.items() if (s, m) == (scenario, model)]
            choice = next((cell for cell in cells if cell is not None and cell.k == chosen), None)
        return None if choice is None else getattr(choice, quantity)


def published() -> PaperSource:
    """Read Tables 4-6 of arXiv 2510.18905, digit for digit as printed; the file holds nothing else.

    >>> published().choices["essay-feedback", "gpt-5", "knee"]
    PaperChoice(k=8, accuracy=0.97, cost=0.17, latency=21.5, accuracy_std=None)
    """
    with (files(__package__) / "tables.csv").open(encoding="utf-8") as lines:
        choices = {
            (row["scenario"], row["model"], row["selector"]): PaperChoice(
                int(row["k"]), float(row["accuracy"]), float(row["cost_usd"]), float(row["latency_s"])
            )
            if row["k"]
            else None
            for row in csv.DictReader(lines)
        }
    return PaperSource("published", choices, {})


def reproduced(profiles: Mapping[str, ModelProfile], scenarios: Mapping[str, Scenario]) -> PaperSource:
    """Run the authors' procedure."""
    trajectories = dict(zip(profiles, procedure.simulate(list(profiles.values())), strict=True))
    curves = {model: {f.name: getattr(t, f.name) for f in fields(t)} for model, t in trajectories.items()}
    choices = {
        (scenario.name, model, selector): None if index is None else choice_at(curves[model], index)
        for scenario in scenarios.values()
        for model, trajectory in trajectories.items()
        for selector, index in procedure.select(trajectory, scenario).items()
    }
    return PaperSource("reproduced", choices, curves)


def exact(profiles: Mapping[str, ModelProfile], scenarios: Mapping[str, Scenario]) -> PaperSource:
    """Decide on exact moments, with the selectors of the same names."""
    report = Pipeline(selectors=procedure.SELECTORS, models=profiles, scenarios=scenarios).run()
    table = _columns(report.candidates)
    choices = {
        (scenario, model, selector): None if choice.row is None else choice_at(table, choice.row)
        for scenario in scenarios
        for model in profiles
        for selector in procedure.SELECTORS
        for choice in [report[scenario, model, selector]]
    }
    curves = {model: _columns(report.candidates.where(model=model)) for model in profiles}
    return PaperSource("exact", choices, curves)


def choice_at(columns: Columns, index: int) -> PaperChoice:
    """Return one place of a curve as a choice."""
    return PaperChoice(
        int(columns["k"][index]),
        *(float(columns[name][index]) for name in ("accuracy", "cost", "latency", "accuracy_std")),
    )


def _columns(candidates: Candidates) -> Columns:
    means = {name: candidates.column(name) for name in ("accuracy", "cost", "latency")}
    return {"k": candidates.k, "accuracy_std": candidates.column("accuracy", "std")} | means
