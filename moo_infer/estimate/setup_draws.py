"""Draws of what is uncertain in a setup."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np

from ..core.arrays import FloatArray
from ..quantities.bootstrap import QuestionDraws, QuestionHalves, resampled
from .calls import guarded
from .setup import Setup

__all__ = ["QUESTIONS", "Asked", "Questions", "SetupDraws"]

Questions = Literal["other", "same"]
QUESTIONS: tuple[Questions, ...] = ("other", "same")  # questions of a log, had it been made again
Asked = Literal["other", "same", "halves"]


@dataclass(frozen=True, eq=False)
class SetupDraws:
    """Draws of what is uncertain in a setup: numbers of its profile, and which questions were asked.

    Args:
        setup: at the given values.
        values: (B,) by path.
        questions: which questions of a log were asked; None without one.
        again: whether their samples are drawn anew, and not the questions.
        seed: of the draws.
    """

    setup: Setup
    values: Mapping[str, FloatArray]
    questions: QuestionDraws | None
    again: bool
    seed: int

    @classmethod
    def of(cls, setup: Setup, B: int, seed: int, asked: Asked) -> "SetupDraws | None":
        """Draw; None where nothing is uncertain."""
        values, names = {} if asked == "halves" else setup.profile.draw(B, seed), setup.queries.questions
        draws = QuestionHalves if asked == "halves" else QuestionDraws
        questions = draws(names, B, seed) if len(names) > 1 else None
        if not values and questions is None:
            return None
        again = asked == "same" and questions is not None
        return cls(replace(setup, k=setup.k[setup.notes.possible]), values, questions, again, seed)

    def values_of(self, b: int) -> dict[str, float]:
        """Return the numbers of one draw, by path."""
        return {path: float(values[b]) for path, values in self.values.items()}

    def __getitem__(self, b: int) -> Setup:
        drawn = self.setup.with_values(self.values_of(b))
        if self.questions is None:
            return drawn
        if self.again:
            samples = drawn.queries.samples
            assert samples is not None
            rng = np.random.default_rng([self.seed, 5, b, *samples.model.encode("utf-8", "surrogatepass")])
            return drawn.with_samples(resampled(samples, rng))
        low, high = self.questions.pseudo[b].tolist()
        return drawn.with_weights(self.questions.weights[b], (low, high))

    def together(self, chunk: range) -> Setup:
        """Return a setup whose profile holds the (B, 1) numbers of B draws."""
        drawn = {path: values[chunk.start : chunk.stop, None] for path, values in self.values.items()}
        return guarded(partial(self.setup.with_values, drawn), self.setup.profile.name)

    @property
    def separate(self) -> bool:
        """Whether the draws are to be asked for one after the other: queries differ, or notes exclude some k."""
        largest = {path: float(values.max()) for path, values in self.values.items()}  # a spread may start at 0
        differ = self.setup.queries.differ or self.setup.with_values(largest).queries.differ
        return differ or self.setup.notes.bounded

    @property
    def weights_alone(self) -> bool:
        """Whether all that a draw changes is how the questions of a log weigh."""
        return self.questions is not None and not (self.values or self.again or self.setup.notes.bounded)
