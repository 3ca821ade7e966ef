"""The comparison as text for people, 80 columns wide."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ..report.text import laid_out
from ..report.wording import Block, TextTable
from .claims import Claim, Figure
from .sources import PRINTED_DECIMALS, PaperChoice

if TYPE_CHECKING:
    from .comparison import Comparison

__all__ = ["blocks", "write"]

# What is computed bears more digits than were printed: four in a cell, so that it can be told how a print was rounded;
# three in a claim, as in the text (300 trials leave a standard error of 0.0006 on an accuracy).
CELL_DECIMALS = {"accuracy": 4, "cost": 4, "latency": 2}
CLAIM_DECIMALS = {"k": 0, "cells": 0, "accuracy": 3, "accuracy_std": 3, "cost": 3, "latency": 1, "ratio": 2}
CLAIM_DECIMALS |= {"share": 2, "accuracy_lost": 3}


def write(comparison: "Comparison", *, details: bool) -> str:
    """Write how the tables agree, then a table a scenario, then a table a claim."""
    return laid_out(blocks(comparison, details=details))


def blocks(comparison: "Comparison", *, details: bool) -> list[Block]:
    """Return how the tables agree, then a table a scenario, then a table a claim."""
    names = [source.name for source in comparison.sources]
    listed: list[Block] = [
        *_agreement(comparison),
        "Exact values have no noise; the authors' knee, from 300 trials, is mostly noise.",
        "",
        f"k: {'|'.join(names)}, a dot where it is the published one",
    ]
    for scenario in comparison.scenarios:
        listed += ["", scenario.name, *(_figures if details else _ks)(comparison, scenario.name)]
    listed += ["", "The paper's claims: first | second; ratio: second / first; -: no figure there"]
    for claim in comparison.claims:
        listed += ["", f"{claim.number}. {claim.statement}", *_claim(claim, names)]
    return [*listed, *(_rules(comparison) if details else ())]


def _agreement(comparison: "Comparison") -> Iterator[str]:
    yield f"The authors' procedure gives {comparison.k_reproduced} of the {len(comparison.cells)} published k."
    for c in comparison.cells:
        if (published := _k(c.published)) != (own := _k(c.reproduced)):
            yield f"Not {c.scenario}, {c.model}, {c.selector}: {own} for {published}."
    printed = comparison.printed
    yield f"It gives {printed['equal']} of the {printed['figures']} figures beside those k to the printed digit."
    for other in printed["others"]:
        figure = other["figure"]
        own = f"{other['reproduced']:.{CELL_DECIMALS[figure]}f}"
        printed_text = f"{other['published']:.{PRINTED_DECIMALS[figure]}f}"
        yield f"Not {other['scenario']}, {other['model']}, {other['selector']}: {figure} {own} for {printed_text}."
    yield ""


def _ks(comparison: "Comparison", scenario: str) -> Iterator[Block]:
    rows: dict[str, list[str]] = {}
    for cell in comparison.cells:
        if cell.scenario == scenario:
            published, *others = (_k(choice) for choice in (cell.published, cell.reproduced, cell.exact))
            shown = [published, *("." if k == published else k for k in others)]
            rows.setdefault(cell.model, []).append("|".join(k.rjust(3) for k in shown))
    selectors = dict.fromkeys(cell.selector for cell in comparison.cells)
    yield TextTable(("model", *selectors), tuple((model, *ks) for model, ks in rows.items()))


def _figures(comparison: "Comparison", scenario: str) -> Iterator[Block]:
    for name in PRINTED_DECIMALS:
        rows = [
            (
                f"{cell.model} {cell.selector}",
                _beside_k(cell.published, name, PRINTED_DECIMALS),
                *(_beside_k(choice, name, CELL_DECIMALS) for choice in (cell.reproduced, cell.exact)),
            )
            for cell in comparison.cells
            if cell.scenario == scenario
        ]
        yield TextTable((name, *(source.name for source in comparison.sources)), tuple(rows))


def _claim(claim: Claim, names: list[str]) -> Iterator[Block]:
    """Write a table, or one for each scenario where a claim is about several."""
    several = len({figure.scenario for figure in claim.figures}) > 1
    for scenario, figures in groupby(claim.figures, key=lambda figure: figure.scenario):
        rows = []
        for line, group in groupby(figures, key=lambda figure: figure.line):
            abreast = list(group)
            between = " ± " if abreast[-1].quantity == "accuracy_std" else " | "
            stated = [figure.stated or "-" for figure in abreast]
            by_source = [[_shown(figure, name) for figure in abreast] for name in names]
            rows.append((line, *(between.join(cells) for cells in (stated, *by_source))))
        yield TextTable((scenario or "" if several else "", "stated", *names), tuple(rows))


def _shown(figure: Figure, name: str) -> str:
    value = figure.by_source[name]
    decimals = CLAIM_DECIMALS | PRINTED_DECIMALS if name == "published" else CLAIM_DECIMALS
    return "-" if value is None else f"{value:.{decimals[figure.quantity]}f}"


def _rules(comparison: "Comparison") -> Iterator[Block]:
    yield ""
    yield "Claim 7 cell by cell: the k that each rule takes, and what it breaks or misses"
    names = [source.name for source in comparison.sources if source.curves]
    rows = [
        (f"{h['scenario']}, {h['model']}", h["heuristic"], *(_outcome(h[name]) for name in names))
        for h in comparison.heuristics
    ]
    yield TextTable(("cell", "rule", *names), tuple(rows), labels=2)


def _outcome(outcome: Mapping[str, Any]) -> str:
    if outcome["breaks"]:
        broken = ", ".join(f"breaks {b['objective']} by {b['excess']:.3g}" for b in outcome["breaks"])
        return f"{outcome['k']}: {broken}"
    return f"{outcome['k']}: misses {outcome['accuracy_left']:.4f}"


def _k(choice: PaperChoice | None) -> str:
    return "-" if choice is None else str(choice.k)


def _beside_k(choice: PaperChoice | None, name: str, decimals: Mapping[str, int]) -> str:
    return "-" if choice is None else f"{getattr(choice, name):.{decimals[name]}f} (k = {choice.k})"
