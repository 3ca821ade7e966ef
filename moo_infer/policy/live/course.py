"""One question under way: what was called, what came, and what a policy sees of it."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any

import numpy as np

from ...core.arrays import Array
from ...core.draws import Draws
from ...core.objectives import COST, ENERGY, LATENCY, Objective
from ...core.seen import Seen
from .inference import CANCELLED, Inference
from .question import Question

__all__ = ["BOUGHT", "Course", "Sample", "Step"]

BOUGHT = -1  # the wave of a sample that is there before anything is decided

OPTIONAL = ("energy_j", "output_tokens", "latency_s", "cost_usd")  # where all samples of a model have them
SPENT = ((COST, "spent_usd"), (LATENCY, "latency_s"), (ENERGY, "energy_j"))


@dataclass(frozen=True)
class Sample:
    """An inference, read and judged: a row of the log.

    Args:
        model: who answered.
        inference: as it came.
        answer: what was taken out of its text; None for a blank.
        correct: what a checker says; None where there is none, or the endpoint failed.
        score: how good a checker, or the endpoint, takes it to be.
        why: why there is no answer, or what is odd; "" otherwise.
        wave: after how many decisions it was called for, from 0.
        number: which of the model's inferences on the question it is, from 0.
    """

    model: str
    inference: Inference
    answer: str | None = None
    correct: float | bool | None = None
    score: float | None = None
    why: str = ""
    wave: int = 0
    number: int = 0

    @property
    def cancelled(self) -> bool:
        """Whether nobody waited for it: a policy does not see it."""
        return self.inference.why == CANCELLED


@dataclass(frozen=True)
class Step:
    """A decision, and what it brought.

    Args:
        times: how often each model was called.
        samples: what came, and what was cancelled.
    """

    times: Mapping[str, int]
    samples: list[Sample] = field(default_factory=list)


@dataclass(eq=False)
class Course:
    """Everything about one question so far.

    Args:
        question: the question.
        known: what is known of it before, by name.
        judged: whether a checker says what is right; what it says nothing of is not right then.
        steps: decisions and what they brought.
    """

    question: Question
    known: Mapping[str, object] = field(default_factory=dict)
    judged: bool = False
    steps: list[Step] = field(default_factory=list)
    _codes: dict[str, int] = field(default_factory=dict, init=False, repr=False)
    _numbers: Counter[str] = field(default_factory=Counter, init=False, repr=False)  # of samples, by model
    _ended: list[Seen] = field(default_factory=list, init=False, repr=False)  # what was seen of all steps but the last

    @property
    def samples(self) -> list[Sample]:
        """All that came, in order; not what was cancelled."""
        return [sample for step in self.steps for sample in step.samples if not sample.cancelled]

    def begin(self, times: Mapping[str, int], /) -> None:
        """Add a decision."""
        self.steps.append(Step({model: int(n) for model, n in times.items()}))

    def add(self, samples: Sequence[Sample], /) -> list[Sample]:
        """Add what came of the last decision, and return it with its numbers; earlier ones have theirs."""
        numbered = []
        for sample in samples:
            numbered.append(replace(sample, wave=len(self.steps) - 1, number=self._numbers[sample.model]))
            self._numbers[sample.model] += 1
        self.steps[-1].samples.extend(numbered)
        return numbered

    def seen(self) -> Seen:
        """Return what a policy sees."""
        columns = [self._columns(_came(step.samples)) for step in self.steps[len(self._ended) :]]
        waves = [*self._ended, *map(Seen, columns)]
        self._ended = waves[:-1]
        of_all = columns[0] if len(waves) == 1 else self._columns(self.samples)
        return Seen(of_all, spent=self.spent(), query=self.known, waves=waves)

    def spent(self) -> dict[str, float]:
        """Return dollars, seconds and joules so far: sums, but for seconds the longest of each step."""
        return {
            objective.name: sum(
                (_along(objective, [getattr(of.inference, name) for of in step.samples]) for step in self.steps), 0.0
            )
            for objective, name in SPENT
        }

    def draws(self, models: Sequence[str] = ()) -> tuple[Draws, list[Sample]]:
        """Return the samples of some models (default all) as one trial (1, K), and these, in the order of its columns.

        Accuracy is what a checker says, where it says something of all of them.
        """
        taken = [sample for sample in self.samples if not models or sample.model in models]
        order = {model: i for i, model in enumerate(self._called)}
        taken.sort(key=lambda sample: (order[sample.model], sample.number))
        columns = self._of(taken)
        if "correct" in columns:
            columns["accuracy"] = columns.pop("correct")
        return Draws(columns={name: column[None, :] for name, column in columns.items()}), taken

    def _columns(self, samples: Iterable[Sample]) -> dict[str, dict[str, Array]]:
        by_model: dict[str, list[Sample]] = {model: [] for model in self._called}
        for sample in samples:
            by_model[sample.model].append(sample)
        return {model: self._of(own) for model, own in by_model.items() if own}

    @property
    def _called(self) -> list[str]:
        """The models in the order of the decisions: that of arrivals is another one when a question is resumed."""
        return [*dict.fromkeys(model for step in self.steps for model in step.times)]

    def _of(self, samples: Sequence[Sample]) -> dict[str, Array]:
        """Columns (n,) of samples: those that all of them have."""
        columns: dict[str, Any] = {"answer": [self._code(sample.answer) for sample in samples]}
        inferences = [sample.inference for sample in samples]
        values = {name: [getattr(of, name) for of in inferences] for name in OPTIONAL}
        values |= {"score": _scores(samples)}
        if self.judged:
            values["correct"] = [sample.correct or 0.0 for sample in samples]
        columns |= {name: np.array(column, dtype=np.float64) for name, column in values.items() if None not in column}
        return columns | {"answer": np.array(columns["answer"], dtype=np.int64)}

    def _code(self, answer: str | None) -> int:
        return -1 if answer is None else self._codes.setdefault(answer, len(self._codes))


def _scores(samples: Sequence[Sample]) -> list[float | None]:
    """Scores, -inf where one is not known, although others are, or nothing came."""
    scores = [sample.score for sample in samples]
    unknown = any(score is not None for score in scores) or all(sample.inference.failed for sample in samples)
    return [-math.inf if score is None and unknown else score for score in scores]


def _came(samples: Iterable[Sample]) -> list[Sample]:
    return [sample for sample in samples if not sample.cancelled]


def _along(objective: Objective, values: Sequence[float | None]) -> float:
    """What a step takes of an objective, as far as it is known."""
    known = [value for value in values if value is not None]
    return reduce(max if objective.along == "longest-path" else lambda a, b: a + b, known, 0.0)
