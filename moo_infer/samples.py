"""What a model answered: the log of an evaluation with repeated samples, as arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import MissingColumn, MooInferError

__all__ = ["COLUMNS", "REQUIRED", "TOKENS", "Samples"]

# The neutral table of logs; what they mean stands at `moo_infer.LogReader`.
REQUIRED = ("model", "question_id", "sample", "correct")
TOKENS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens")
COLUMNS = (*REQUIRED, "answer", "score", *TOKENS, "latency_s", "cost_usd", "energy_j")

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Samples:
    """N samples of one model on Q questions, those of a question beside each other. The arrays are not changed.

    Args:
        model: its name.
        questions: (Q,) names of the questions.
        question: (N,) which question a sample answers, ascending, in 0 ... Q - 1.
        correct: (N,) 1 right, 0 wrong, NaN neither (the sample failed).
        columns: (N,) more arrays by their name in the neutral table: ``answer`` (integer code within the model,
            -1 = blank), ``score``, ``input_tokens``, ``cached_input_tokens``, ``output_tokens``, ``reasoning_tokens``,
            ``latency_s``, ``cost_usd``, ``energy_j``; NaN = unknown.

    Raises:
        MooInferError: for arrays of other lengths, and questions that are not ascending.

    >>> samples = Samples("mine", ["q1", "q2"], np.array([0, 0, 0, 1, 1]), np.array([1.0, 0, 0, 1, np.nan]))
    >>> samples.scored.n, samples.scored.right
    (array([3, 1]), array([1, 1]))
    """

    model: str
    questions: Sequence[str]
    question: IntArray
    correct: FloatArray
    columns: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, array in {"correct": self.correct, **self.columns}.items():
            if np.shape(array) != np.shape(self.question):
                raise MooInferError(
                    f"{self.model}: {name} must have the shape of question, {np.shape(self.question)}, got "
                    f"{np.shape(array)}"
                )
        if len(self.question) and ((self.question[1:] < self.question[:-1]).any() or self.question[0] < 0):
            raise MooInferError(f"{self.model}: question must be ascending and >= 0")
        if len(self.question) and self.question[-1] >= len(self.questions):
            raise MooInferError(f"{self.model}: question must be < {len(self.questions)}, got {self.question[-1]}")
        if not np.all((self.correct == 0) | (self.correct == 1) | np.isnan(self.correct)):
            raise MooInferError(f"{self.model}: correct must be 1, 0 or NaN; other grades belong to score")
        object.__setattr__(self, "questions", tuple(self.questions))
        object.__setattr__(self, "columns", MappingProxyType(dict(self.columns)))

    def __repr__(self) -> str:
        return f"<Samples of {self.model}: {len(self)} on {len(self.questions)} questions>"

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self.question)

    def __getitem__(self, column: str) -> npt.NDArray[Any]:
        """Return a column (N,) by name; raises MissingColumn, naming those there are."""
        if column == "correct":
            return self.correct
        if column not in self.columns:
            raise MissingColumn(column, ("correct", *self.columns), f"the samples of {self.model}")
        return self.columns[column]

    def where(self, kept: BoolArray, /) -> "Samples":
        """Return the samples of a mask (N,), with the questions that still have some."""
        left, question = np.unique(self.question[kept], return_inverse=True)
        return Samples(
            self.model,
            [self.questions[i] for i in left],
            question.astype(np.int64),
            self.correct[kept],
            {name: array[kept] for name, array in self.columns.items()},
        )

    @cached_property
    def scored(self) -> "Samples":
        """The samples that are right or wrong, with the questions that have some."""
        known = np.isfinite(self.correct)
        return self if known.all() and self.n.all() else self.where(known)

    @cached_property
    def n(self) -> IntArray:
        """(Q,) how many samples a question has."""
        return np.bincount(self.question, minlength=len(self.questions)).astype(np.int64)

    @cached_property
    def right(self) -> IntArray:
        """(Q,) how many of them are right."""
        return np.bincount(self.question, weights=np.nan_to_num(self.correct), minlength=len(self.questions)).astype(
            np.int64
        )

    def known(self, column: str, /) -> BoolArray:
        """(N,) which samples have a value of a column: a number, or an answer that is not blank."""
        if column not in self.columns:
            return np.zeros(len(self), dtype=bool)
        values = self.columns[column]
        known: BoolArray = values >= 0 if column == "answer" else np.isfinite(values)
        return known

    def comparable(self, column: str, /) -> bool:
        """Whether there is something to choose from by that column: a question with two values."""
        return bool((np.bincount(self.question[self.known(column)]) >= 2).any())

    def abstentions(self) -> list[str]:
        """Say in words which samples take no part in a vote, or in a choice by score."""
        said = []
        for column, choice, abstain in (
            ("answer", "vote", "in a vote they abstain"),
            ("score", "choice by score", "they are chosen only where no other is there, and then count as wrong"),
        ):
            known = self.known(column)
            if known.any() and not self.comparable(column):
                said.append(f"no {choice}, because no question has two {column}s")
            elif known.any() and not known.all():
                lacking, of = int((~known).sum()), len(self)
                said.append(f"{lacking} of {of} samples ({100 * lacking / of:.3g} %) have no {column}: {abstain}")
        return said

    @property
    def largest_k(self) -> int:
        """The largest number of samples that every question has."""
        return int(self.n.min(initial=2**31 - 1)) if len(self.questions) else 0
