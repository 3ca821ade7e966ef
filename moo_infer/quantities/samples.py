"""What a model answered: the log of an evaluation with repeated samples, as arrays."""

from collections.abc import ItemsView, Iterator, KeysView, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..core.arguments import check_fields
from ..core.arrays import Array, BoolArray, FloatArray, IntArray
from ..core.errors import MissingColumn, MooInferError, NothingPossible

__all__ = [
    "ANSWER_KEY",
    "CALL",
    "COLUMNS",
    "FINGERPRINT",
    "KEYS",
    "REQUIRED",
    "RUN",
    "SHARED",
    "STARTED",
    "TOKENS",
    "VARIANT",
    "WAVE",
    "WHY",
    "Samples",
]

# The neutral table of logs; what they mean stands at `moo_infer.LogReader`.
KEYS = ("model", "question_id")
REQUIRED = (*KEYS, "sample", "correct")
TOKENS = ("input_tokens", "cached_input_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens")
VARIANT = "variant"  # of a model: a prompting strategy, an effort; read as a part of the model's name
ANSWER_KEY = "answer_key"  # of samples: a number of the text of an answer, the same in every log
FINGERPRINT = "fingerprint"  # what tells questions of one name apart; not kept
WAVE, CALL, WHY, STARTED = "wave", "call", "why", "started_at"  # of a run that decides what to call as answers come
RUN = (WAVE, CALL, "requests", "lost_usd", WHY, STARTED)
COLUMNS = (*REQUIRED, "answer", "target", "score", *TOKENS, "latency_s", "cost_usd", "energy_j", VARIANT, *RUN)

SHARED = 0.05  # fewer samples whose answer another one of the question has: texts, which no vote can count
CHOICES = {"answer": "vote", "score": "choice by score"}
ABSTAIN: Mapping[Literal["answer", "score"], str] = {
    "answer": "in a vote they abstain",
    "score": "they are chosen only where no other is there, and then count as wrong",
}


@dataclass(frozen=True, eq=False)
class Answers:
    """The A different answers of a model to its questions, and how they were judged; blanks are none.

    Args:
        question: (A,) which question an answer belongs to, ascending.
        samples: (A,) how many samples gave it.
        right: (A,) how many of these were judged right; or their grades, added up.
    """

    question: IntArray
    samples: IntArray
    right: FloatArray

    @property
    def judged_both_ways(self) -> BoolArray:
        """(A,) those judged right and wrong."""
        both: BoolArray = (self.right > 0) & (self.right < self.samples)
        return both

    @property
    def several_right(self) -> int:
        """How many questions have several answers that were judged right more often than wrong."""
        return int((np.bincount(self.question[2 * self.right > self.samples]) > 1).sum())


@dataclass(frozen=True, eq=False)
class Samples:
    """N samples of one model on Q questions, those of a question beside each other. Arrays become read-only views.

    They are read by column as data frames are: ``samples["score"]``, ``"score" in samples``, ``dict(samples)``; `len`
    is N. They pickle, and ``dataclasses.replace(samples, columns={**samples.columns, "score": x})`` is the same samples
    with another column.

    Args:
        model: its name.
        questions: (Q,) names of the questions.
        question: (N,) which question a sample answers, ascending, in 0 ... Q - 1.
        correct: (N,) 1 right, 0 wrong, NaN neither (the sample failed); or grades in [0, 1].
        columns: (N,) more arrays by their name in the neutral table: ``answer`` (integer code within the model,
            -1 = blank), ``answer_key`` (>= 0, the same for the same text whoever gave it: what answers of several
            models are compared by), ``score``, ``input_tokens``, ``cached_input_tokens``, ``cache_write_tokens``,
            ``output_tokens``, ``reasoning_tokens``, ``latency_s``, ``cost_usd``, ``energy_j``; NaN = unknown; of a run
            ``wave``, ``call`` (integer code of the request that brought a sample, -1 = unknown), ``requests``,
            ``lost_usd``. Others are judgements beside `correct`, by names of their own.
        left_out: what of its log is not here because answers decided on it, in words.
        labels: by name (``task``) Q texts, what is known of each question before it is asked; "" for unknown.

    Raises:
        MooInferError: for arrays and labels of other lengths, questions that are not ascending, and grades out of
            range.

    >>> samples = Samples("mine", ["q1", "q2"], np.array([0, 0, 0, 1, 1]), np.array([1.0, 0, 0, 1, np.nan]))
    >>> samples.scored.n, samples.scored.right
    (array([3, 1]), array([1, 1]))
    >>> list(samples), len(samples)
    (['correct'], 5)
    """

    model: str
    questions: Sequence[str]
    question: IntArray
    correct: FloatArray
    columns: Mapping[str, Array] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    labels: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self, names=("model", "questions", "columns", "left_out", "labels"))
        for name in ("question", "correct"):
            object.__setattr__(self, name, _read_only(getattr(self, name)))
        columns = {name: _read_only(array) for name, array in self.columns.items()}
        object.__setattr__(self, "columns", MappingProxyType(columns))
        object.__setattr__(self, "questions", tuple(self.questions))
        object.__setattr__(self, "left_out", tuple(self.left_out))
        labels = {name: tuple(values) for name, values in self.labels.items()}
        object.__setattr__(self, "labels", MappingProxyType(labels))
        for name, values in labels.items():
            if len(values) != len(self.questions):
                Q = len(self.questions)
                raise MooInferError(f"{self.model}: the label {name} must have {Q} values, got {len(values)}")
        for name, array in self.items():
            if array.shape != self.question.shape:
                raise MooInferError(
                    f"{self.model}: {name} must have the shape of question, {self.question.shape}, got {array.shape}"
                )
        if len(self.question) and ((self.question[1:] < self.question[:-1]).any() or self.question[0] < 0):
            raise MooInferError(f"{self.model}: question must be ascending and >= 0")
        if len(self.question) and self.question[-1] >= len(self.questions):
            raise MooInferError(f"{self.model}: question must be < {len(self.questions)}, got {self.question[-1]}")
        if not np.all(((self.correct >= 0) & (self.correct <= 1)) | np.isnan(self.correct)):
            raise MooInferError(f"{self.model}: correct must be in [0, 1] or NaN; other grades belong to score")

    def __reduce__(self) -> tuple[Any, ...]:
        columns, labels = dict(self.columns), dict(self.labels)  # a MappingProxyType does not pickle
        return Samples, (self.model, self.questions, self.question, self.correct, columns, self.left_out, labels)

    def __repr__(self) -> str:
        return f"<Samples of {self.model}: {len(self)} on {len(self.questions)} questions>"

    def __len__(self) -> int:
        """Return how many samples there are."""
        return len(self.question)

    def __getitem__(self, column: str) -> Array:
        """Return a column (N,) by name; raises MissingColumn, naming those there are."""
        named = self._named
        if column not in named:
            raise MissingColumn(column, named, f"the samples of {self.model}")
        return named[column]

    def __contains__(self, column: object) -> bool:
        """Whether there is such a column."""
        return column in self._named

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def keys(self) -> KeysView[str]:
        """Return the names of the columns: ``correct``, then those of `columns`."""
        return self._named.keys()

    def items(self) -> ItemsView[str, Array]:
        """Return the columns (N,) with their names."""
        return self._named.items()

    @property
    def _named(self) -> Mapping[str, Array]:
        return {"correct": self.correct, **self.columns}

    def where(self, kept: BoolArray, /) -> "Samples":
        """Return the samples of a mask (N,), with the questions that still have some."""
        if kept.all() and self.n.all():  # as of most logs: columns of a million samples are not copied
            return self
        left, question = np.unique(self.question[kept], return_inverse=True)
        return Samples(
            self.model,
            [self.questions[i] for i in left],
            question.astype(np.int64),
            self.correct[kept],
            {name: array[kept] for name, array in self.columns.items()},
            self.left_out,
            {name: [values[i] for i in left] for name, values in self.labels.items()},
        )

    @cached_property
    def scored(self) -> "Samples":
        """The samples that are right or wrong or graded, with the questions that have some."""
        return self.where(np.isfinite(self.correct))

    @cached_property
    def n(self) -> IntArray:
        """(Q,) how many samples a question has."""
        return np.bincount(self.question, minlength=len(self.questions)).astype(np.int64)

    @cached_property
    def scored_n(self) -> IntArray:
        """(Q,) how many of them are right or wrong or graded."""
        known = np.isfinite(self.correct)
        return np.bincount(self.question[known], minlength=len(self.questions)).astype(np.int64)

    @cached_property
    def right(self) -> IntArray:
        """(Q,) how many of them are right; raises NothingPossible where they are graded."""
        self.refuse_grades()
        return np.bincount(self.question, weights=np.nan_to_num(self.correct), minlength=len(self.questions)).astype(
            np.int64
        )

    def known(self, column: str, /) -> BoolArray:
        """(N,) which samples have a value of a column: a number, or an answer that is not blank."""
        if column not in self.columns:
            return np.zeros(len(self), dtype=bool)
        values = self.columns[column]
        known: BoolArray = values >= 0 if column in ("answer", CALL) else np.isfinite(values)
        return known

    @property
    def judgements(self) -> tuple[str, ...]:
        """The columns that the neutral table does not have: how samples were judged otherwise."""
        return tuple(name for name in self.columns if name not in (*COLUMNS, ANSWER_KEY))

    def single(self, column: str, /) -> bool:
        """Whether some samples have a value of a column, and no two of a question do."""
        known = self.known(column)
        return bool(known.any()) and int(np.bincount(self.question[known]).max()) < 2

    def no_choice(self, column: Literal["answer", "score"], /) -> str:
        """Say why nothing can be chosen among samples by their answers (a vote) or by their scores; "" where it can.

        >>> texts = {"answer": np.arange(4)}
        >>> Samples("mine", ["q1", "q2"], np.array([0, 0, 1, 1]), np.ones(4), texts).no_choice("answer")
        'no vote, because nearly all answers to a question differ: 4 different ones among 4'
        """
        if not (np.bincount(self.question[self.known(column)]) >= 2).any():
            return f"no {CHOICES[column]}, because no question has two {column}s"
        if column != "answer":
            return ""
        answers = self.answers
        of_several = np.bincount(answers.question, answers.samples)[answers.question] > 1
        different, among = int(of_several.sum()), int(answers.samples[of_several].sum())
        if answers.samples[answers.samples > 1].sum() >= SHARED * among:
            return ""
        return f"no vote, because nearly all answers to a question differ: {different} different ones among {among}"

    @cached_property
    def caveats(self) -> tuple[str, ...]:
        """What votes and choices by score leave out, and what is odd in how answers were judged, in words."""
        said = []
        for column, abstain in ABSTAIN.items():
            known = self.known(column)
            if reason := self.no_choice(column) if known.any() else "":
                said.append(reason)
            elif known.any() and not known.all():
                lacking, of = int((~known).sum()), len(self)
                said.append(f"{lacking} of {of} samples ({100 * lacking / of:.3g} %) have no {column}: {abstain}")
        if self.graded or not self.known("answer").any():
            return tuple(said)
        if both := int(self.answers.judged_both_ways.sum()):
            said.append(f"{both} answers were judged both right and wrong, so that some of these judgements are errors")
        if (several := self.answers.several_right) and not self.no_choice("answer"):
            said.append(
                f"{several} of {len(self.questions)} questions have several right answers: where they mean the same, "
                "the vote is a lower bound (calibrate --merge-right takes them as one)"
            )
        return tuple(said)

    @cached_property
    def answers(self) -> "Answers":
        """The different answers, question by question; raises MissingColumn where there are none."""
        known = self.known("answer") & np.isfinite(self.correct)
        question, answer = self.question[known], self["answer"][known].astype(np.int64)
        of_all = question * (answer.max(initial=0) + 1) + answer
        different, first, which = np.unique(of_all, return_index=True, return_inverse=True)
        return Answers(
            question=question[first],
            samples=np.bincount(which, minlength=len(different)).astype(np.int64),
            right=np.bincount(which, self.correct[known], minlength=len(different)).astype(np.float64),
        )

    @cached_property
    def request_sizes(self) -> IntArray:
        """(N,) how many samples the request brought that brought this one; 1 where requests are not known.

        Tokens, dollars and seconds are counted for a request, so that samples of one share them.
        """
        sizes, known = np.ones(len(self), dtype=np.int64), self.known(CALL)
        if known.any():
            call = self.columns[CALL][known].astype(np.int64)
            of_all = self.question[known] * (call.max() + 1) + call
            _, which, times = np.unique(of_all, return_inverse=True, return_counts=True)
            sizes[known] = times[which]
        return sizes

    @cached_property
    def graded(self) -> bool:
        """Whether some samples are neither right nor wrong but graded between."""
        return bool(((self.correct > 0) & (self.correct < 1)).any())

    def refuse_grades(self) -> None:
        """Raise NothingPossible where samples are graded: nothing then says which of them are right."""
        if self.graded:
            raise NothingPossible(
                f"{self.model}: its samples are graded, not right or wrong, so that no pass@k, coverage, vote or "
                "fit is known; best-of-k and one-call are, or a threshold makes grades right or wrong (--right-if)"
            )

    @property
    def largest_k(self) -> int:
        """The largest number of samples that every question has."""
        return int(self.n.min(initial=2**31 - 1)) if len(self.questions) else 0


def _read_only(given: npt.ArrayLike) -> Array:
    view = np.asarray(given).view()
    view.flags.writeable = False
    return view
