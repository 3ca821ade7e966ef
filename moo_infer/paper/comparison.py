"""Tables 4-6 and the claims drawn from them: published, reproduced by the authors' procedure, exact."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..candidates import Candidates
from ..objectives import Limit
from ..pipeline import Pipeline
from ..profiles import Scenario, builtin_models, builtin_scenarios
from ..report import Report
from ..text import render
from . import procedure

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["Cell", "Choice", "Comparison", "compare"]

Source = Literal["published", "reproduced", "exact"]
SOURCES: tuple[Source, ...] = ("published", "reproduced", "exact")
COMPUTED: tuple[Source, ...] = ("reproduced", "exact")
FIXED_K = 16


@dataclass(frozen=True)
class Choice:
    """A chosen k with its mean accuracy, cost (USD) and latency (s)."""

    k: int
    accuracy: float
    cost: float
    latency: float


@dataclass(frozen=True)
class Cell:
    """One cell of Tables 4-6; None where there is no choice."""

    scenario: str
    model: str
    selector: str
    published: Choice | None
    reproduced: Choice | None
    exact: Choice | None


@dataclass(frozen=True)
class Comparison:
    """All cells, and what they say about the paper's claims.

    >>> from moo_infer.paper import compare
    >>> comparison = compare()
    >>> len(comparison.cells), comparison.k_reproduced
    (108, 107)
    """

    cells: tuple[Cell, ...]
    heuristics: tuple[dict[str, Any], ...]

    @property
    def k_reproduced(self) -> int:
        """How many published k the authors' procedure gives."""
        return sum(_k(cell.published) == _k(cell.reproduced) for cell in self.cells)

    def saving(self, source: Source) -> dict[str, float]:
        """Mean share of cost and latency the knee saves against maximal accuracy, over the cells with a knee."""
        pairs = [
            (getattr(knee, source), getattr(most, source))
            for (_, _), (knee, most) in self._pairs("knee", "max-accuracy")
            if getattr(knee, source) is not None
        ]
        return {
            name: float(np.mean([1 - getattr(knee, name) / getattr(most, name) for knee, most in pairs]))
            for name in ("cost", "latency")
        }

    def claims(self) -> list[dict[str, Any]]:
        """Return the paper's claims in words, each with what was stated and the three figures."""
        savings: dict[str, dict[str, float]] = {source: self.saving(source) for source in SOURCES}
        claims: list[dict[str, Any]] = [
            {
                "claim": f"{name} that the knee saves against max-accuracy, share, mean over the cells with a knee",
                "stated": stated,
                **{source: figures[name] for source, figures in savings.items()},
            }
            for name, stated in (("latency", 0.63), ("cost", 0.58))
        ]
        nano, ultra = ("gpt-5-nano", "knee"), ("nemotron-nano-9b-v2", "max-accuracy")
        for text, stated, scenario, name, above, below in (
            ("cost of GPT-5 (max-accuracy) / GPT-5 Nano (knee), essay-feedback", 7.0, "essay-feedback",
             "cost", ("gpt-5", "max-accuracy"), nano),
            ("cost of Nemotron Ultra / Nemotron Nano at max-accuracy, medical-ai", 4.0, "medical-ai",
             "cost", ("nemotron-ultra-253b", "max-accuracy"), ultra),
            ("latency of Nemotron Ultra / Nemotron Nano at max-accuracy, medical-ai", 10.0,
             "medical-ai", "latency", ("nemotron-ultra-253b", "max-accuracy"), ultra),
        ):  # fmt: skip
            ratios: dict[str, float] = {
                source: getattr(self._one(scenario, *above, source), name)
                / getattr(self._one(scenario, *below, source), name)
                for source in SOURCES
            }
            claims.append({"claim": text, "stated": stated, **ratios})
        return claims

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form (schema 1)."""
        return {
            "schema": 1,
            "cells": [asdict(cell) for cell in self.cells],
            "summary": {
                "cells": len(self.cells),
                "k_reproduced": self.k_reproduced,
                "knee_saving": {source: self.saving(source) for source in SOURCES},
                "claims": self.claims(),
                "heuristics": list(self.heuristics),
            },
        }

    def to_json(self) -> str:
        """Return the JSON text."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def to_text(self, *, details: bool = False) -> str:
        """Return the text for people, 80 columns wide.

        Args:
            details: accuracy, cost and latency of every cell, and the heuristics cell by cell.
        """
        other = [cell for cell in self.cells if _k(cell.published) != _k(cell.reproduced)]
        blocks: list[RenderableType] = [
            f"The authors' procedure gives {self.k_reproduced} of the {len(self.cells)} published k.",
            *(f"Not {c.scenario}, {c.model}, {c.selector}: {_k(c.reproduced)} for {_k(c.published)}." for c in other),
            "The published figures are rebuilt from that procedure and what is known of the page.",
            "",
            "Exact values have no noise; the authors' knee, from 300 trials, is mostly noise.",
            "",
            "k: published|reproduced|exact, a dot where it is the published one",
        ]
        for scenario in dict.fromkeys(cell.scenario for cell in self.cells):
            blocks += ["", scenario, *(self._detailed(scenario) if details else [self._table(scenario)])]
        return render(*blocks, "", self._claims_table(), "", *self._heuristics_blocks(details))

    def _table(self, scenario: str) -> "RenderableType":
        selectors = list(dict.fromkeys(cell.selector for cell in self.cells))
        rows: dict[str, list[str]] = {}
        for cell in self.cells:
            if cell.scenario == scenario:
                ks = [_k(cell.published), _k(cell.reproduced), _k(cell.exact)]
                shown = [str(ks[0] or "-"), *("." if k == ks[0] else str(k or "-") for k in ks[1:])]
                rows.setdefault(cell.model, []).append("|".join(text.rjust(3) for text in shown))
        return _grid(["model", *selectors], [[model, *cells] for model, cells in rows.items()])

    def _detailed(self, scenario: str) -> "Iterator[RenderableType]":
        for name, form in (("accuracy", ".3f"), ("cost", ".4f"), ("latency", ".1f")):
            rows = [
                [
                    f"{cell.model} {cell.selector}",
                    *(_shown(getattr(cell, source), name, form) for source in SOURCES),
                ]
                for cell in self.cells
                if cell.scenario == scenario
            ]
            yield _grid([name, *SOURCES], rows)

    def _claims_table(self) -> "RenderableType":
        rows = [[c["claim"], f"{c['stated']:.2g}", *(f"{c[source]:.2f}" for source in SOURCES)] for c in self.claims()]
        return _grid(["the paper's claims", "stated", *SOURCES], rows)

    def _heuristics_blocks(self, details: bool) -> "Iterator[RenderableType]":
        yield "What 1-D and 2-D heuristics miss, on exact values:"
        for rule in dict.fromkeys(h["heuristic"] for h in self.heuristics):
            found = [h["exact"] for h in self.heuristics if h["heuristic"] == rule]
            broken = [f for f in found if f["breaks"]]
            left = [f["accuracy_left"] for f in found if not f["breaks"] and f["accuracy_left"] > 0]
            yield (
                f"- {rule}: breaks a limit in {len(broken)} of {len(found)} cells"
                + (
                    f"; leaves {np.mean(left):.4f} accuracy on the table on average in {len(left)} others."
                    if left
                    else "."
                )
            )
        if not details:
            return
        rows = [
            [f"{h['scenario']}, {h['model']}", h["heuristic"], *(_missed(h[source]) for source in COMPUTED)]
            for h in self.heuristics
        ]
        yield _grid(["cell", "heuristic", *COMPUTED], rows)

    def _pairs(self, first: str, second: str) -> "Iterator[tuple[tuple[str, str], tuple[Cell, Cell]]]":
        cells = {(c.scenario, c.model, c.selector): c for c in self.cells}
        for scenario, model in dict.fromkeys((c.scenario, c.model) for c in self.cells):
            yield (scenario, model), (cells[scenario, model, first], cells[scenario, model, second])

    def _one(self, scenario: str, model: str, selector: str, source: Source) -> Choice:
        found = next(c for c in self.cells if (c.scenario, c.model, c.selector) == (scenario, model, selector))
        choice: Choice = getattr(found, source)
        return choice


def compare() -> Comparison:
    """Run the authors' procedure and the exact decision on the paper's inputs, and set both beside its tables."""
    profiles, scenarios = builtin_models(), builtin_scenarios()
    trajectories = procedure.simulate(list(profiles.values()))
    pipeline = Pipeline(selectors=procedure.SELECTORS, models=profiles, scenarios=scenarios)
    report = pipeline.run()
    published = _published()
    cells = []
    curves = dict(zip(profiles, trajectories, strict=True))
    for scenario in scenarios.values():
        for model, trajectory in curves.items():
            for selector, place in procedure.select(trajectory, scenario).items():
                cells.append(
                    Cell(
                        scenario.name,
                        model,
                        selector,
                        published[scenario.name, model, selector],
                        None if place is None else _at(_curve(trajectory), place),
                        _exact(report, scenario.name, model, selector),
                    )
                )
    exact = {model: report.candidates.where(model=model) for model in profiles}
    heuristics = [
        {"scenario": scenario.name, "model": model, "heuristic": rule}
        | {
            "reproduced": _heuristic(rule, _curve(curves[model]), scenario),
            "exact": _heuristic(rule, _columns(exact[model]), scenario),
        }
        for scenario in scenarios.values()
        for model in profiles
        for rule in HEURISTICS
    ]
    return Comparison(tuple(cells), tuple(heuristics))


HEURISTICS: Mapping[str, str | None] = {
    f"fixed k = {FIXED_K}": None,
    "accuracy against cost alone": "cost",
    "accuracy against latency alone": "latency",
}
Columns = Mapping[str, Any]  # k, accuracy, cost, latency: (n,) each


def _heuristic(rule: str, columns: Columns, scenario: Scenario) -> dict[str, Any]:
    """What a rule that looks at no more than one budget takes, and what that breaks or leaves.

    The rules in two dimensions take the highest accuracy that their one budget allows.
    """
    budget = HEURISTICS[rule]
    if budget is None:
        place = int(np.flatnonzero(columns["k"] == FIXED_K)[0])
    else:
        limit = next(limit for limit in scenario.limits if limit.objective == budget)
        affordable = np.flatnonzero(limit.excess(columns[budget]) <= 0)
        place = int(affordable[np.argmax(np.round(columns["accuracy"][affordable], 12))])
    broken = [limit for limit in scenario.limits if limit.excess(columns[limit.objective])[place] > 0]
    met = np.all([limit.excess(columns[limit.objective]) <= 0 for limit in scenario.limits], axis=0)
    best = float(columns["accuracy"][met].max()) if met.any() else None
    choice = _at(columns, place)
    return {
        **asdict(choice),
        "breaks": [_broken(limit, columns, place) for limit in broken],
        "accuracy_left": None if broken or best is None else max(best - choice.accuracy, 0.0),
    }


def _broken(limit: Limit, columns: Columns, place: int) -> dict[str, Any]:
    excess = float(limit.excess(columns[limit.objective])[place])
    return {"objective": limit.objective, "worst": limit.worst, "excess": excess}


def _missed(found: Mapping[str, Any]) -> str:
    if found["breaks"]:
        return f"{found['k']}: " + ", ".join(f"breaks {b['objective']} by {b['excess']:.3g}" for b in found["breaks"])
    return f"{found['k']}: leaves {found['accuracy_left']:.4f}"


def _published() -> dict[tuple[str, str, str], Choice | None]:
    text = (files(__package__) / "tables.csv").read_text(encoding="utf-8")
    rows = csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))
    return {
        (row["scenario"], row["model"], row["selector"]): Choice(
            int(row["k"]), float(row["accuracy"]), float(row["cost"]), float(row["latency"])
        )
        if row["k"]
        else None
        for row in rows
    }


def _exact(report: Report, scenario: str, model: str, selector: str) -> Choice | None:
    choice = report.choice(selector, scenario=scenario, model=model)
    return None if choice.row is None else _at(_columns(report.candidates), choice.row)


def _curve(trajectory: procedure.Trajectory) -> Columns:
    return {name: getattr(trajectory, name) for name in ("k", "accuracy", "cost", "latency")}


def _columns(candidates: Candidates) -> Columns:
    return {"k": candidates.k} | {name: candidates.column(name) for name in ("accuracy", "cost", "latency")}


def _at(columns: Columns, place: int) -> Choice:
    accuracy, cost, latency = (float(columns[name][place]) for name in ("accuracy", "cost", "latency"))
    return Choice(int(columns["k"][place]), accuracy, cost, latency)


def _k(choice: Choice | None) -> int | None:
    return None if choice is None else choice.k


def _shown(choice: Choice | None, name: str, form: str) -> str:
    return "-" if choice is None else f"{getattr(choice, name):{form}} (k = {choice.k})"


def _grid(header: Sequence[str], rows: Sequence[Sequence[str]]) -> "RenderableType":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for i, name in enumerate(header):
        table.add_column(name, justify="left" if i == 0 else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table
