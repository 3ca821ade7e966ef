"""Variants of a model as their logs have them: which belong together, and what each question takes them on average."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..core.arrays import BoolArray, FloatArray
from ..core.errors import MooInferError
from ..core.objectives import COST
from ..core.rounding import significant
from ..quantities.samples import Samples
from .cleaning import GAPS

__all__ = ["MEASURES", "Level", "families", "ordered"]

ALL_TOKENS, OUTPUT = "tokens", "output_tokens"
MEASURES = {COST.name: ("cost_usd",), ALL_TOKENS: ("input_tokens", "output_tokens"), OUTPUT: ("output_tokens",)}


@dataclass(frozen=True, eq=False)
class Level:
    """A model that is compared with others as their variant, such as a level of effort.

    Args:
        samples: its scored samples.
    """

    samples: Samples

    @classmethod
    def of(cls, samples: Samples) -> "Level":
        """Take a log; raises MooInferError where none of its samples is scored."""
        if not len(samples.scored):
            raise MooInferError(f"{samples.model}: none of its {len(samples)} samples is right or wrong")
        return cls(samples.scored)

    @property
    def model(self) -> str:
        """Its name."""
        return self.samples.model

    @cached_property
    def place(self) -> Mapping[str, int]:
        """Which row a question is."""
        return {question: row for row, question in enumerate(self.samples.questions)}

    @cached_property
    def right(self) -> FloatArray:
        """(Q,) shares of right answers, or mean grades."""
        of = self.samples
        return np.bincount(of.question, of.correct, len(of.questions)) / of.n

    def labels(self, name: str, questions: Sequence[str]) -> list[str]:
        """Return the values of a label of some questions; "" where it is not known."""
        values = self.samples.labels.get(name)
        return [values[self.place[question]] if values else "" for question in questions]

    def lacking(self, measure: str) -> int:
        """Return how many samples lack a measure."""
        return int((~self._known(measure)).sum())

    def knows(self, measure: str) -> bool:
        """Whether at most a tenth of the samples lack a measure."""
        return self.lacking(measure) <= GAPS * len(self.samples)

    def means(self, measure: str) -> FloatArray:
        """Return (Q,) means of a measure over the samples that have it; NaN where none has."""
        of, known = self.samples, self._known(measure)
        total = np.sum([of.columns[name][known] for name in MEASURES[measure]], axis=0)
        count = np.bincount(of.question[known], minlength=len(of.questions))
        sums = np.bincount(of.question[known], total, len(of.questions))
        return np.asarray(np.where(count > 0, sums / np.maximum(count, 1), np.nan))

    def _known(self, measure: str) -> BoolArray:
        return np.asarray(np.all([self.samples.known(name) for name in MEASURES[measure]], axis=0))


def families(models: Sequence[str], /) -> dict[str | None, tuple[str, ...]]:
    """Return the models that are variants of one another, by the name of what they are variants of.

    ``a/x`` is a variant of ``a`` where that is a model, else of what stands before its last slash. That model is the
    first of its family; one without others is none.

    >>> families(["gpt", "gpt/low", "gpt/high", "acme/small", "acme/large", "lone/one", "other"])
    {'gpt': ('gpt', 'gpt/low', 'gpt/high'), 'acme': ('acme/small', 'acme/large')}
    """
    found: dict[str, list[str]] = {}
    for name in models:
        parts = name.split("/")
        before = ["/".join(parts[:i]) for i in range(1, len(parts))]
        base = next((start for start in before if start in models), before[-1] if before else "")
        if base:
            found.setdefault(base, [base] if base in models else []).append(name)
    return {base: tuple(members) for base, members in found.items() if len(members) > 1}


def ordered(levels: Sequence[Level], /) -> tuple[str | None, list[Level]]:
    """Return levels by what they take, and in which measure: money where all know it, else tokens.

    It is that of the questions which all have answered, and where there are none of their own. None, and the levels as
    they stand, where nothing is known of all.
    """
    shared = set.intersection(*({*level.place} for level in levels))
    for measure in MEASURES:
        if not all(level.knows(measure) for level in levels):
            continue
        taken = []
        for level in levels:
            means = level.means(measure)
            rows = [level.place[question] for question in shared if not math.isnan(means[level.place[question]])]
            taken.append(float(np.nanmean(means[sorted(rows)] if rows else means)))
        return measure, [levels[i] for i in np.argsort(significant(taken), kind="stable")]
    return None, list(levels)
