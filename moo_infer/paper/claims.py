"""The seven claims of the paper's text in figures: as stated, and what each source gives for them.

Where the text says "at the knee", every source is asked for its own knee. Claim 6 names the k, so every source is asked
for that k.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .heuristics import HEURISTICS
from .sources import PaperChoice, PaperSource

__all__ = ["Claim", "Figure", "claims", "knee_savings"]

LABELS = {"k": "k", "accuracy": "accuracy", "cost": "cost, USD", "latency": "latency, s"}


@dataclass(frozen=True)
class Figure:
    """One number of a claim.

    Args:
        scenario: where; None for all cells.
        claim: what it is, in words.
        line: the same in few words; figures that follow each other with one line are read side by side.
        quantity: what kind of number: ``k``, ``accuracy``, ``accuracy_std``, ``cost`` (USD), ``latency`` (s),
            ``ratio``, ``share``, ``accuracy_lost`` or ``cells``.
        stated: the number in the text, with its digits; None where the text gives none.
        by_source: by source, its number; None where it cannot give one.
    """

    scenario: str | None
    claim: str
    line: str
    quantity: str
    stated: str | None
    by_source: Mapping[str, float | None]


@dataclass(frozen=True)
class Claim:
    """A claim of the text.

    Args:
        number: 1 to 7.
        statement: what the text says, in short.
        figures: its numbers.
    """

    number: int
    statement: str
    figures: tuple[Figure, ...]

    def to_rows(self) -> list[dict[str, Any]]:
        """Return a JSON object for every figure."""
        return [
            {
                "number": self.number,
                "statement": self.statement,
                "scenario": figure.scenario,
                "claim": figure.claim,
                "quantity": figure.quantity,
                "stated": None if figure.stated is None else float(figure.stated),
                **figure.by_source,
            }
            for figure in self.figures
        ]


@dataclass(frozen=True)
class Pair:
    """Two deployments (model, selector) that the text sets against each other (claims 1 to 4).

    Args:
        scenario: where.
        first: what it praises.
        second: what it praises that against.
        praise: in what respect.
        figures: by quantity, the numbers that the text gives for both.
        ratios: by objective, how many times more the second takes.
    """

    scenario: str
    first: tuple[str, str]
    second: tuple[str, str]
    praise: str
    figures: Mapping[str, tuple[str, str]]
    ratios: Mapping[str, str]


PAIRS = (
    Pair(
        "essay-feedback",
        ("gpt-5-nano", "knee"),
        ("gpt-5", "max-accuracy"),
        "more accurate, at about 1/7 of the cost",
        {"k": ("56", "16"), "accuracy": ("0.990", "0.98"), "cost": ("0.05", "0.35"), "latency": ("30.1", "43.1")},
        {"cost": "7"},
    ),
    Pair(
        "medical-ai",
        ("nemotron-nano-9b-v2", "max-accuracy"),
        ("nemotron-ultra-253b", "max-accuracy"),
        "four times cheaper, ten times faster",
        {"k": ("52", "72"), "cost": ("0.117", "0.479"), "latency": ("33.5", "386.9")},
        {"cost": "4", "latency": "10"},
    ),
    Pair(
        "proposal-writing",
        ("qwen3-max", "knee"),
        ("qwen3-max", "max-accuracy"),
        "half the cost and latency, for 1 % of accuracy",
        {"k": ("56", "108"), "accuracy": ("0.99", "1.00"), "cost": ("0.33", "0.63"), "latency": ("240.8", "464.6")},
        {"cost": "2", "latency": "2"},
    ),
    Pair(
        "proposal-writing",
        ("gpt-5-nano", "knee"),
        ("gpt-5", "knee"),
        "more accurate, cheaper and faster",
        {"k": ("56", "24"), "accuracy": ("0.99", "0.98"), "cost": ("0.05", "0.52"), "latency": ("30.1", "64.5")},
        {},
    ),
)
GPT_5 = (  # claim 6: scenario, k, accuracy, its standard deviation, cost in USD, latency in seconds
    ("essay-feedback", 16, "0.977", "0.011", "0.349", "43.1"),
    ("essay-feedback", 4, "0.960", "0.014", "0.087", "10.8"),
    ("essay-feedback", 8, "0.968", "0.012", "0.174", "21.5"),
    ("medical-ai", 36, "0.982", "0.009", "0.783", "96.7"),
    ("medical-ai", 32, "0.982", "0.010", "0.696", "86.0"),
    ("medical-ai", 28, "0.980", "0.010", "0.609", "75.2"),
    ("proposal-writing", 28, "0.980", "0.010", "0.609", "75.2"),
    ("proposal-writing", 24, "0.979", "0.010", "0.522", "64.5"),
    ("proposal-writing", 8, "0.968", "0.012", "0.174", "21.5"),
)


def claims(sources: Sequence[PaperSource], heuristics: Sequence[Mapping[str, Any]]) -> tuple[Claim, ...]:
    """Return the seven claims, with the figures of every source.

    Args:
        sources: published, reproduced and exact.
        heuristics: what `moo_infer.paper.heuristics` finds.
    """
    pairs = [
        Claim(
            number,
            f"{pair.scenario}: {' at '.join(pair.first)} | {' at '.join(pair.second)}: {pair.praise}",
            tuple(_pair(pair, sources)),
        )
        for number, pair in enumerate(PAIRS, 1)
    ]
    savings = "63 % of the latency and 58 % of the cost of max-accuracy, with accuracy within 1-2 %"
    cells = len(heuristics) // len(HEURISTICS)
    rules = (
        "a fixed k, or the best accuracy within cost alone or latency alone, breaks limits or misses a feasible k "
        f"(breaks: cells of {cells}; misses: other cells in which a more accurate k meets all limits | mean gain)"
    )
    return (
        *pairs,
        Claim(5, f"the knee saves, over all cells that have one, {savings}", tuple(_savings(sources))),
        Claim(6, "gpt-5 in more digits, at the k that the text names", tuple(_digits(sources))),
        Claim(7, rules, tuple(_rules(sources, heuristics))),
    )


def knee_savings(source: PaperSource) -> dict[str, float]:
    """Return what the knee saves of max-accuracy's cost and latency: the mean share over the cells with a knee."""
    return {
        name: float(np.mean([1 - getattr(knee, name) / getattr(most, name) for knee, most in _knees(source)]))
        for name in ("cost", "latency")
    }


def _knees(source: PaperSource) -> list[tuple[PaperChoice, PaperChoice]]:
    """Return the knee and the choice of max-accuracy in every cell that has a knee."""
    return [
        (knee, most)
        for (scenario, model, selector), knee in source.choices.items()
        if selector == "knee" and knee and (most := source.choices[scenario, model, "max-accuracy"])
    ]


def _pair(pair: Pair, sources: Sequence[PaperSource]) -> Iterator[Figure]:
    for quantity, stated in pair.figures.items():
        for (model, selector), figure in zip((pair.first, pair.second), stated, strict=True):
            yield Figure(
                pair.scenario,
                f"{LABELS[quantity]} of {model} at {selector}, {pair.scenario}",
                LABELS[quantity],
                quantity,
                figure,
                {s.name: s.value(pair.scenario, model, selector, quantity) for s in sources},
            )
    for objective, times in pair.ratios.items():
        first, second = (
            [source.value(pair.scenario, *deployment, objective) for source in sources]
            for deployment in (pair.first, pair.second)
        )
        yield Figure(
            pair.scenario,
            f"{objective} of {' at '.join(pair.second)} / {' at '.join(pair.first)}, {pair.scenario}",
            f"{objective} ratio",
            "ratio",
            times,
            {s.name: b / a if a and b else None for s, a, b in zip(sources, first, second, strict=True)},
        )


def _savings(sources: Sequence[PaperSource]) -> Iterator[Figure]:
    where = "over the cells with a knee"
    stated = {"latency": "0.63", "cost": "0.58"}
    for objective, share in stated.items():
        yield Figure(
            None,
            f"{objective} that the knee saves against max-accuracy, share, mean {where}",
            f"{objective} saved, mean",
            "share",
            share,
            {source.name: knee_savings(source)[objective] for source in sources},
        )
    for objective, share in stated.items():
        sums = {
            source.name: np.sum([[getattr(c, objective) for c in pair] for pair in _knees(source)], axis=0)
            for source in sources
        }
        yield Figure(
            None,
            f"{objective} that the knee saves against max-accuracy, share of the sum {where}",
            f"{objective} saved, of the sum",
            "share",
            share,
            {name: float(1 - knee / most) for name, (knee, most) in sums.items()},
        )
    for word, summary in (("mean", np.mean), ("largest", np.max)):
        yield Figure(
            None,
            f"accuracy that the knee loses against max-accuracy, {word} {where} (stated: within 1-2 %)",
            f"accuracy lost, {word}",
            "accuracy_lost",
            "0.02",
            {s.name: float(summary([most.accuracy - knee.accuracy for knee, most in _knees(s)])) for s in sources},
        )


def _digits(sources: Sequence[PaperSource]) -> Iterator[Figure]:
    for scenario, k, *stated in GPT_5:
        for quantity, figure in zip(("accuracy", "accuracy_std", "cost", "latency"), stated, strict=True):
            label = LABELS.get(quantity, "standard deviation of accuracy")
            yield Figure(
                scenario,
                f"{label} of gpt-5 with k = {k}, {scenario}",
                f"k = {k}: {'accuracy' if quantity.startswith('accuracy') else 'USD | s'}",
                quantity,
                figure,
                {source.name: source.value(scenario, "gpt-5", k, quantity) for source in sources},
            )


def _rules(sources: Sequence[PaperSource], heuristics: Sequence[Mapping[str, Any]]) -> Iterator[Figure]:
    for rule in HEURISTICS:
        short = rule.removeprefix("accuracy against ")
        cells = [h for h in heuristics if h["heuristic"] == rule]
        taken = {source.name: [cell[source.name] for cell in cells if source.name in cell] for source in sources}
        left = {name: [t["accuracy_left"] for t in outcomes if t["accuracy_left"]] for name, outcomes in taken.items()}
        yield Figure(
            None,
            f"{rule}: cells of {len(cells)} in which it breaks a limit",
            f"{short}: breaks",
            "cells",
            None,
            {name: sum(bool(t["breaks"]) for t in outcomes) if outcomes else None for name, outcomes in taken.items()},
        )
        yield Figure(
            None,
            f"{rule}: cells of {len(cells)} in which it meets the limits, and another k that does is more accurate",
            f"{short}: misses",
            "cells",
            None,
            {name: len(left[name]) if outcomes else None for name, outcomes in taken.items()},
        )
        yield Figure(
            None,
            f"{rule}: accuracy that those k have more, mean of those cells",
            f"{short}: misses",
            "accuracy_lost",
            None,
            {name: float(np.mean(missed)) if missed else None for name, missed in left.items()},
        )
