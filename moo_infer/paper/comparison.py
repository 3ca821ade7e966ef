"""Tables 4-6 and the claims drawn from them: published, reproduced by the authors' procedure, exact."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ..profiles import Scenario
from ..read.profiles import builtin_models, builtin_scenarios
from .claims import Claim, claims, knee_savings
from .heuristics import heuristics
from .sources import PRINTED_DECIMALS, PaperChoice, PaperSource, exact, published, reproduced
from .text import blocks, write

if TYPE_CHECKING:
    import polars

    from ..report.wording import Block

__all__ = ["Cell", "Comparison", "compare"]


@dataclass(frozen=True)
class Cell:
    """One cell of Tables 4-6; None where there is no choice."""

    scenario: str
    model: str
    selector: str
    published: PaperChoice | None
    reproduced: PaperChoice | None
    exact: PaperChoice | None


@dataclass(frozen=True)
class Comparison:
    """All cells, and what they say about the paper's claims.

    Args:
        scenarios: the three of the paper.
        published: its tables.
        reproduced: what its authors' procedure gives.
        exact: the same decisions on exact values.

    >>> from moo_infer.paper import compare
    >>> comparison = compare()
    >>> len(comparison.cells), comparison.k_reproduced
    (108, 107)
    >>> [claim.number for claim in comparison.claims]
    [1, 2, 3, 4, 5, 6, 7]
    """

    scenarios: tuple[Scenario, ...]
    published: PaperSource
    reproduced: PaperSource
    exact: PaperSource

    @property
    def sources(self) -> tuple[PaperSource, PaperSource, PaperSource]:
        """The three, in the order in which they are shown."""
        return self.published, self.reproduced, self.exact

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The cells of the tables, in their order."""
        return tuple(Cell(*key, *(source.choices[key] for source in self.sources)) for key in self.published.choices)

    @property
    def k_reproduced(self) -> int:
        """How many published k the authors' procedure gives."""
        return sum(
            (cell.published and cell.published.k) == (cell.reproduced and cell.reproduced.k) for cell in self.cells
        )

    @cached_property
    def printed(self) -> dict[str, Any]:
        """How many figures the cells of equal k have; which of them the procedure does not give as printed."""
        figures, others = 0, []
        for cell in self.cells:
            if cell.published is None or cell.reproduced is None or cell.published.k != cell.reproduced.k:
                continue
            for name, decimals in PRINTED_DECIMALS.items():
                figures += 1
                published, own = getattr(cell.published, name), getattr(cell.reproduced, name)
                if round(own, decimals) != published:
                    others.append(
                        {"scenario": cell.scenario, "model": cell.model, "selector": cell.selector, "figure": name}
                        | {"published": published, "reproduced": own}
                    )
        return {"figures": figures, "equal": figures - len(others), "others": others}

    @cached_property
    def heuristics(self) -> tuple[dict[str, Any], ...]:
        """The choices of rules in one and two dimensions for every model and scenario, and the limits these break."""
        return tuple(heuristics(self.scenarios, self.sources))

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """The seven claims of the text."""
        return claims(self.sources, self.heuristics)

    def to_dict(self, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the JSON form (schema 1); `config` is what repeats the command, as a file has it."""
        return {
            "schema": 1,
            "cells": [asdict(cell) for cell in self.cells],
            "summary": {
                "cells": len(self.cells),
                "k_reproduced": self.k_reproduced,
                "printed": self.printed,
                "knee_saving": {source.name: knee_savings(source) for source in self.sources},
                "claims": [row for claim in self.claims for row in claim.to_rows()],
                "heuristics": list(self.heuristics),
            },
            "config": config,
        }

    def to_json(self, config: Mapping[str, Any] | None = None) -> str:
        """Return the JSON text, see `to_dict`."""
        return json.dumps(self.to_dict(config), indent=2, allow_nan=False)

    def to_frame(self) -> "polars.DataFrame":
        """Return the cells as a polars frame, a row a cell and source: scenario, model, selector, source, k, means."""
        import polars as pl

        rows = [
            {"scenario": cell.scenario, "model": cell.model, "selector": cell.selector, "source": source.name}
            | asdict(choice)
            for cell in self.cells
            for source in self.sources
            if (choice := getattr(cell, source.name)) is not None
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def blocks(self, *, details: bool = False) -> "list[Block]":
        """Return the sentences and tables of `to_text`."""
        return blocks(self, details=details)

    def to_text(self, *, details: bool = False) -> str:
        """Return the text for people, 80 columns wide.

        Args:
            details: accuracy, cost and latency of every cell, and the rules of claim 7 cell by cell.
        """
        return write(self, details=details)


def compare() -> Comparison:
    """Run the authors' procedure and the exact decision on the paper's inputs, and set both beside its tables."""
    profiles, scenarios = builtin_models(), builtin_scenarios()
    return Comparison(
        tuple(scenarios.values()), published(), reproduced(profiles, scenarios), exact(profiles, scenarios)
    )
