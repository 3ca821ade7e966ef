"""Differences between ways to answer, as they are found by `compare`, and as people read them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.arrays import FloatArray
from ..core.errors import unknown
from ..core.objectives import ACCURACY, COST, LATENCY
from ..quantities.fieller import student
from ..report.wording import Block, Cell, TextTable, to_html

if TYPE_CHECKING:
    import polars

__all__ = ["POWER", "TOKENS", "UNITS", "Comparison", "Difference", "Pair", "chance_of_none", "holm", "too_few"]

TOKENS = "output_tokens"
POWER = 0.8  # how surely a difference shows that "this log shows": the custom of the field (Cohen 1988)
POINTS = 0.03  # of accuracy, at which the power is said
UNITS = {o.name: o.unit for o in (ACCURACY, COST, LATENCY)} | {TOKENS: "tokens"}


@dataclass(frozen=True)
class Difference:
    """How far two ways to answer are apart in one measure, on the same questions.

    Args:
        measure: ``accuracy``, ``cost`` (USD), ``latency`` (s, of the slowest of k calls), ``output_tokens``, or one of
            the last three with ``_per_right``: over the accuracy, what a right answer takes.
        first, second: what each gives on the common questions.
        value: first minus second.
        low, high: the interval, had other questions been asked.
        p: two-sided, of no difference; with Holm's correction for all comparisons of the measure.
        real: whether they are told apart, at the level of the interval.
        smallest: the smallest difference that this log shows in 80 % of the cases.
        more, less: in which shares of the questions the first gives more, and less; None per right answer.
        power: how likely this log shows a difference of 3 points of accuracy; None for other measures.
        stderr: of the value, had other questions been asked.
    """

    measure: str
    first: float
    second: float
    value: float
    low: float
    high: float
    p: float
    real: bool
    smallest: float
    more: float | None = None
    less: float | None = None
    power: float | None = None
    stderr: float | None = None

    @classmethod
    def of(
        cls,
        measure: str,
        values: tuple[float, float],
        stderr: float,
        ends: tuple[float, float],
        p: float,
        confidence: float,
        *,
        shares: tuple[float | None, float | None] = (None, None),
        real: bool | None = None,
    ) -> "Difference":
        """Put a difference together, with what it could have shown.

        Args:
            measure: its name.
            values: of the first and of the second.
            stderr: of their difference.
            ends: of its interval.
            p: two-sided, of no difference.
            confidence: of the interval, in (0, 1).
            shares: of the questions on which the first gives more, and less.
            real: whether they are told apart; None for what p says by itself.
        """
        from scipy.special import ndtr, ndtri

        z = student(confidence)
        power = float(ndtr(POINTS / stderr - z) + ndtr(-POINTS / stderr - z)) if stderr > 0 else 1.0
        return cls(
            measure,
            *values,
            values[0] - values[1],
            *ends,
            p,
            p <= 1 - confidence if real is None else real,
            (z + float(ndtri(POWER))) * stderr,
            *shares,
            power if measure == ACCURACY.name else None,
            stderr,
        )

    @classmethod
    def of_draws(
        cls,
        measure: str,
        values: tuple[float, float],
        draws: FloatArray,
        confidence: float,
        *,
        shares: tuple[float | None, float | None] = (None, None),
        p: float | None = None,
        real: bool | None = None,
    ) -> "Difference":
        """Take interval, error and, unless it is given, p from draws (B,) of the difference."""
        low, high = np.quantile(draws, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
        chance = chance_of_none(draws) if p is None else p
        return cls.of(measure, values, float(draws.std()), (low, high), chance, confidence, shares=shares, real=real)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form, without the measure."""
        names = [name for name in Difference.__dataclass_fields__ if name != "measure"]
        return {name: getattr(self, name) for name in names} | {"unit": self.unit}

    @property
    def z(self) -> float | None:
        """The value in standard errors; None where there is no error."""
        return self.value / self.stderr if self.stderr else None

    @property
    def unit(self) -> str:
        """Of the measure."""
        measure = self.measure.removesuffix("_per_right")
        return UNITS[measure] + " per right answer" * (measure != self.measure)


@dataclass(frozen=True)
class Pair:
    """Two ways to answer, and how they differ.

    Args:
        first, second: their names.
        questions: how many both answered.
        differences: one a measure.
    """

    first: str
    second: str
    questions: int
    differences: tuple[Difference, ...]

    def __getitem__(self, measure: str) -> Difference:
        for difference in self.differences:
            if difference.measure == measure:
                return difference
        raise unknown("measure", measure, [difference.measure for difference in self.differences])


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Args:
        pairs: every two models, and of each model its vote against one call.
        tied_with_best: the model whose single call is the most accurate on the common questions of all, and those not
            told apart from it; empty where there is only one.
        questions: how many questions all have answered.
        confidence: of all intervals, in (0, 1).
        notes: what to know about it, in words.
    """

    pairs: tuple[Pair, ...]
    tied_with_best: tuple[str, ...]
    questions: int
    confidence: float
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "confidence": self.confidence,
            "questions": self.questions,
            "tied_with_best": list(self.tied_with_best),
            "pairs": [
                {
                    "first": pair.first,
                    "second": pair.second,
                    "questions": pair.questions,
                    "differences": {d.measure: d.to_dict() for d in pair.differences},
                    "verdict": verdict(pair, self.confidence),
                }
                for pair in self.pairs
            ],
            "notes": list(self.notes),
        }

    def to_frame(self) -> "polars.DataFrame":
        """Return a polars frame, a row a pair and measure; columns are the fields of `Pair` and `Difference`."""
        import polars

        rows = [
            {"first_name": pair.first, "second_name": pair.second, "questions": pair.questions, "measure": d.measure}
            | d.to_dict()
            for pair in self.pairs
            for d in pair.differences
        ]
        return polars.DataFrame(rows, infer_schema_length=None)

    def blocks(self) -> list[Block]:
        """What people read: a table a pair, and whether its difference is real."""
        level = f"{100 * self.confidence:g} %"
        found: list[Block] = [f"Differences on the same questions; {level} intervals, had other questions been asked."]
        for pair in self.pairs:
            rows: list[tuple[Cell, ...]] = []
            for d in pair.differences:
                apart: Cell = (_number(d.value, "+"), f"[{_number(d.low, '+')}, {_number(d.high, '+')}]")
                unit = f", {UNITS[d.measure]}" if d.measure in (COST.name, LATENCY.name) else ""
                cells = (_number(d.first), _number(d.second), apart, "real" if d.real else "-")
                rows.append((f"{d.measure.replace('_', ' ')}{unit}", *cells))
            caption = f"{pair.first} against {pair.second}, on {pair.questions} question{'s' * (pair.questions > 1)}:"
            header = ("", "first", "second", "difference", f"at {level}")
            found += [TextTable(header, tuple(rows), 1, caption), verdict(pair, self.confidence), ""]
        best = ", ".join(self.tied_with_best)
        if len(self.tied_with_best) > 1:
            found.append(f"Of one call each, tied with the best in accuracy: {best}.")
        elif best:
            found.append(f"Of one call each, the best in accuracy, told apart from all others: {best}.")
        return [*found, *(f"{note}." for note in self.notes)]

    def _repr_html_(self) -> str:
        return to_html(self.blocks())


def chance_of_none(draws: FloatArray) -> float:
    """Return p of no difference: twice the share of draws (B,) on the rarer side, what was found counted as a draw."""
    sides = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
    return min(1.0, 2 * (sides + 1) / (len(draws) + 1))


def holm(p: Sequence[float]) -> list[float]:
    """Correct p-values for how many there are (Holm, Scand. J. Stat. 6, 1979, 65-70).

    >>> holm([0.04, 0.01, 0.5])
    [0.08, 0.03, 0.5]
    """
    corrected, largest = [0.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        largest = max(largest, min(1.0, (len(p) - rank) * p[i]))
        corrected[i] = largest
    return corrected


def too_few(B: int, comparisons: int, confidence: float) -> list[str]:
    """Say that none of so many differences can be told apart, where the smallest p of B draws is too large for that.

    >>> too_few(10_000, 324, 0.95)[0][:82]
    '10000 draws are too few for 324 comparisons, of which none is told apart from none'
    >>> too_few(10_000, 250, 0.95)
    []
    """
    if comparisons * 2 / (B + 1) <= 1 - confidence:
        return []
    least = math.ceil(2 * comparisons / (1 - confidence))
    return [
        f"{B} draws are too few for {comparisons} comparisons, of which none is told apart from none, however large it "
        f"is: --bootstrap {least} (B={least}) or more, or compare fewer"
    ]


def _number(value: float, sign: str = "") -> str:
    """Three digits, and no powers of ten in thousands of tokens."""
    return f"{value:{sign},.0f}" if 1000 <= abs(value) < 1e9 else f"{value:{sign}.3g}"


def verdict(pair: Pair, confidence: float) -> str:
    """Say in a sentence whether the difference in accuracy is real, and what the log could have shown."""
    d = pair[ACCURACY.name]
    of_cases = f"in {100 * POWER:.0f} % of cases, one of 3 points in {100 * (d.power or 0):.0f} %"
    least = f"a difference of {100 * d.smallest:.1f} points" if d.smallest <= 1 else "no difference"
    shows = f"this log shows {least} {of_cases}"
    if d.value == 0:
        return f"{pair.first} and {pair.second} are equally often right; {shows}."
    forth = d.value > 0
    better, other = (pair.first, pair.second) if forth else (pair.second, pair.first)
    low, high = (d.low, d.high) if forth else (-d.high, -d.low)
    more, less = (d.more, d.less) if forth else (d.less, d.more)
    by = f"{better} is ahead of {other} by {100 * abs(d.value):.1f} points ({100 * low:+.1f} to {100 * high:+.1f})"
    often = f"{100 * (more or 0):.0f} % of the questions, less often on {100 * (less or 0):.0f} %"
    flips = f"it is right more often on {often}"
    chance = "that may be chance" + " among as many comparisons" * (low > 0)
    real = f"that is real at {100 * confidence:g} %" if d.real else chance
    return f"{by}: {real}; {flips}." if d.real else f"{by}: {real}; {flips}; {shows}."
