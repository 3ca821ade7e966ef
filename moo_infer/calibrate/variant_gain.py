"""What a variant of a model gains over another one, and how many times as much it takes, on the same questions."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from ..core.arrays import FloatArray
from ..quantities.bootstrap import FEW
from ..quantities.fieller import Estimate
from .differences import too_few
from .gains import Gains, changes_nothing, paired_gains, paired_length_multiplier
from .levels import MEASURES, Level

__all__ = ["LevelPair", "VariantGain", "plain"]


@dataclass(frozen=True)
class VariantGain:
    """What a variant gains over another model on the questions that both answered, and what it takes.

    Args:
        variant, base: names of models.
        questions: how many both answered, all of which weigh the same.
        gains: in accuracy, by label and overall. Whether the overall gain is told apart is corrected for how many such
            comparisons there are (Holm).
        multipliers: how many times as much the variant takes: ``cost`` (money), ``tokens`` (with the prompt),
            ``output_tokens``; a ratio of means over questions. Without what is not known.
        by_label: the same by value of the label.
        notes: what to know, in words.
    """

    variant: str
    base: str
    questions: int
    gains: Gains
    multipliers: Mapping[str, Estimate]
    by_label: Mapping[str, Mapping[str, Estimate]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def taken(self) -> str | None:
        """In what the variant is called dearer: money, where that is not known tokens, else None."""
        return next((name for name in MEASURES if name in self.multipliers), None)

    @property
    def changes_nothing(self) -> bool | None:
        """Whether it takes more and its gain is not told apart from none; None where nothing says what it takes."""
        return None if self.taken is None else changes_nothing(self.gains.overall, self.multipliers[self.taken])

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "variant": self.variant,
            "base": self.base,
            "questions": self.questions,
            "gains": self.gains.to_dict(),
            "multipliers": plain(self.multipliers),
            "multipliers_by_label": {value: plain(of) for value, of in self.by_label.items()},
            "changes_nothing": self.changes_nothing,
            "helps_and_hurts": self.gains.helps_and_hurts,
            "notes": list(self.notes),
        }


def plain(multipliers: Mapping[str, Estimate]) -> dict[str, Any]:
    """Return the JSON form of multipliers; None for what is not known."""
    return {name: multipliers[name].to_dict() if name in multipliers else None for name in MEASURES}


@dataclass(frozen=True, eq=False)
class LevelPair:
    """Two levels that share questions, and how they are compared; see `compare_variants`."""

    variant: Level
    base: Level
    label: str | None
    B: int
    seed: int
    confidence: float

    @cached_property
    def questions(self) -> list[str]:
        """Those that both answered."""
        return [question for question in self.base.place if question in self.variant.place]

    @property
    def gain(self) -> VariantGain:
        """What the variant gains and takes."""
        one, other = (self._of_questions(level, level.right) for level in (self.variant, self.base))
        labels = self._labels
        values = {value: np.array([of == value for of in labels]) for value in dict.fromkeys(labels) if value}
        gains = replace(self._gains(one, other, [*range(len(one))], None), rows={})
        if known := [i for i, value in enumerate(labels) if value]:
            gains = replace(gains, rows=self._gains(one, other, known, [labels[i] for i in known]).rows)
        return VariantGain(
            self.variant.model,
            self.base.model,
            len(self.questions),
            gains,
            self._multipliers(np.ones(len(one), dtype=bool)),
            {value: self._multipliers(rows) for value, rows in values.items()},
            tuple(self._notes(labels)),
        )

    def _gains(self, one: FloatArray, other: FloatArray, rows: list[int], labels: list[str] | None) -> Gains:
        names = [self.questions[i] for i in rows]
        return paired_gains(one[rows], other[rows], names, labels, self.B, self.seed, self.confidence)

    def _of_questions(self, level: Level, means: FloatArray) -> FloatArray:
        return means[[level.place[question] for question in self.questions]]

    @cached_property
    def _labels(self) -> list[str]:
        """The label of each question that both answered; "" where it is not known, or they differ."""
        if self.label is None:
            return []
        both = [level.labels(self.label, self.questions) for level in (self.variant, self.base)]
        return [one or other if "" in (one, other) or one == other else "" for one, other in zip(*both, strict=True)]

    @cached_property
    def _taken(self) -> dict[str, tuple[FloatArray, FloatArray]]:
        """By measure that both know, (Q,) means of the variant and of the base; NaN where a question lacks it."""
        return {
            measure: (
                self._of_questions(self.variant, self.variant.means(measure)),
                self._of_questions(self.base, self.base.means(measure)),
            )
            for measure in MEASURES
            if self.variant.knows(measure) and self.base.knows(measure)
        }

    def _multipliers(self, rows: Any) -> dict[str, Estimate]:
        """How many times as much is taken on some questions, where at least two of them know it."""
        found = {}
        for measure, (one, other) in self._taken.items():
            known = rows & np.isfinite(one) & np.isfinite(other)
            if known.sum() > 1 and other[known].any():
                found[measure] = paired_length_multiplier(one[known], other[known], self.confidence)
        return found

    def _notes(self, labels: Sequence[str]) -> Iterator[str]:
        shared = len(self.questions)
        for level in (self.variant, self.base):
            if more := len(level.place) - shared:
                yield f"{level.model} answered {more} more questions, which do not count"
        yield from too_few(self.B, len({*labels} - {""}), self.confidence)
        if left := labels.count(""):
            yield f"{left} of {shared} questions have no {self.label}: they count overall alone"
        for measure, (one, other) in self._taken.items():
            if lacking := int((~(np.isfinite(one) & np.isfinite(other))).sum()):
                yield f"{lacking} of {shared} questions lack {measure} and do not count in its multiplier"
        if shared < FEW:
            yield f"with fewer than {FEW} questions the intervals of tokens and money are too narrow"
