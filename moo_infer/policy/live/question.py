"""The questions of a live run, and the file they stand in."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...core.arguments import check_fields
from ...core.errors import MooInferError, located
from ...core.files import head, lines
from ...read.bounds import refuse_more

__all__ = ["Question", "read_questions"]

OWN = ("question_id", "question", "target")  # the other keys are labels
DEPTH = 20  # levels of nesting of a label; the sensible ones have three
DIGITS = 308  # of whole numbers: the largest float has one more


@dataclass(frozen=True)
class Question:
    """One question, as a line of QUESTIONS.jsonl has it.

    Args:
        id: what it is called; "" where it has no name.
        text: what is asked.
        target: the right answer, where it is known.
        fields: every key of its line as it was given; where none are given, the three above.

    >>> question = Question.of({"question_id": 7, "question": "What is 6 x 7?", "target": 42, "task": "sums"})
    >>> question.id, question.target, question.labels
    ('7', '42', {'task': 'sums'})
    >>> Question.of("What is 6 x 7?").fields
    {'question': 'What is 6 x 7?'}
    """

    id: str
    text: str
    target: str | None = None
    fields: Mapping[str, object] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        check_fields(self, "a question")
        if not self.fields:
            known = zip(OWN, (self.id or None, self.text, self.target), strict=True)
            object.__setattr__(self, "fields", {name: value for name, value in known if value is not None})

    @property
    def labels(self) -> dict[str, object]:
        """What is known of the question besides its id, text and target."""
        return {name: value for name, value in self.fields.items() if name not in OWN}

    @classmethod
    def of(cls, value: "Question | Mapping[str, object] | str", /) -> "Question":
        """Return a question as it is, made from a mapping like a line of a file, or from its text.

        A mapping may lack ``question_id``, which is "" then.

        Raises:
            MooInferError: for a mapping that could be no line, a blank text, and anything else.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            value = {"question": value}
        if not isinstance(value, Mapping):
            raise MooInferError(f"a question must be a text, a mapping or a Question, got {value!r:.60}")
        return _question({"question_id": ""} | dict(value), dict(value))


def read_questions(path: str | Path, /) -> list[Question]:
    r"""Read the questions of a file: a JSON object a line, in UTF-8, or a gzip of that.

    Args:
        path: lines ``{"question_id": text, "question": text, "target": text or absent, ...}``; whole numbers become
            text as ids, numbers as targets (42.0 is 42), and other keys are labels.

    Raises:
        MooInferError: naming the line, for what is no such line and for an id that is there twice; for an empty file,
            and what cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder, "questions.jsonl")
    ...     _ = file.write_text('{"question_id": "q1", "question": "What is 6 x 7?", "target": "42"}\n')
    ...     [question.target for question in read_questions(file)]
    ['42']
    """
    path = Path(path)
    try:
        head(path)
        refuse_more(path)
    except MooInferError as error:
        raise MooInferError(f"{path}: {str(error).partition(';')[0]}") from None
    try:
        return [*_read(path)]
    except MooInferError as error:
        raise MooInferError(f"{path}: {error}") from None
    except OSError as error:
        raise MooInferError(f"{path}: cannot be read: {error.strerror}") from None


def _read(path: Path) -> Iterator[Question]:
    first: dict[str, int] = {}
    for number, line in lines(path):
        try:
            fields = _parsed(line)
            question = _question(fields, fields)
        except MooInferError as error:
            raise MooInferError(f"line {number}: {error}") from None
        if question.id in first:
            raise MooInferError(f"line {number}: question_id {question.id!r:.80} is that of line {first[question.id]}")
        first[question.id] = number
        yield question
    if not first:
        raise MooInferError("is empty")


def _parsed(line: str) -> dict[str, Any]:
    """The object of a line; what JSON does not know, or nobody can write again, is refused."""
    try:
        value = json.loads(
            line, parse_constant=_no_number, parse_float=_finite, parse_int=_whole, object_pairs_hook=_mapping
        )
    except json.JSONDecodeError as error:
        raise MooInferError(f"must be JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise MooInferError(f"must not be nested deeper than {DEPTH} levels") from None
    if not isinstance(value, dict):
        raise MooInferError(f"must be a JSON object, got {line:.40}")
    return value


def _question(named: Mapping[str, object], fields: Mapping[str, object]) -> Question:
    """Check the fields of a line, and make its question."""
    if stranger := next((name for name in named if not isinstance(name, str)), None):
        raise MooInferError(f"keys must be text, got {stranger!r:.60}")
    for name, value in named.items():
        _refuse_unwritable(name, value)
    if "question" not in named:
        raise MooInferError("question is missing: the text that is asked")
    text, called = named["question"], named.get("question_id")
    if not isinstance(text, str) or not text.strip():
        raise MooInferError(f"question must be a text that is not blank, got {text!r:.60}")
    if "question_id" not in named:
        raise MooInferError("question_id is missing: what the question is called")
    blank = isinstance(called, str) and not called.strip() and "question_id" in fields
    if blank or not isinstance(called, str | int) or isinstance(called, bool):
        raise MooInferError(f"question_id must be a text that is not blank, or a whole number, got {called!r:.60}")
    target = named.get("target")
    if isinstance(target, bool) or not isinstance(target, str | int | float | None):
        raise MooInferError(f"target must be a text or a number, or absent, got {target!r:.60}")
    if isinstance(target, float) and target.is_integer() and abs(target) < 2**53:  # 42.0, as tables have it
        target = int(target)
    return Question(str(called), text, None if target is None else str(target), fields)


def _refuse_unwritable(name: str, value: object) -> None:
    """Refuse halves of characters, which no file of UTF-8 can hold, and what is nested too deeply."""
    pending: list[tuple[object, int]] = [(name, 1), (value, 1)]
    while pending:
        part, depth = pending.pop()
        if isinstance(part, str) and not part.isascii() and any("\ud800" <= letter <= "\udfff" for letter in part):
            raise MooInferError(located(f"{name!r:.60}", "must be text of whole characters, has half of one (\\ud800)"))
        if isinstance(part, float) and not math.isfinite(part):
            raise MooInferError(f"{name!r:.60}: must be finite, got {part}")
        if isinstance(part, int) and abs(part) >= 10**DIGITS:
            raise MooInferError(f"{name!r:.60}: has a whole number of more than {DIGITS} digits; write it as text")
        if isinstance(part, Mapping):
            pending += [(entry, depth + 1) for pair in part.items() for entry in pair]
        elif isinstance(part, list | tuple):
            pending += [(entry, depth + 1) for entry in part]
        if depth > DEPTH:
            raise MooInferError(f"{name!r:.60}: must not be nested deeper than {DEPTH} levels")


def _no_number(name: str) -> float:
    raise MooInferError(f"holds {name:.20}, which is no number of JSON")


def _finite(text: str) -> float:
    return value if math.isfinite(value := float(text)) else _no_number(text)


def _whole(text: str) -> int:
    if len(text.lstrip("-")) > DIGITS:
        raise MooInferError(f"holds a whole number of more than {DIGITS} digits; write it as text")
    return int(text)


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for name, value in pairs:
        if name in mapping:
            raise MooInferError(f"duplicate key {name!r:.80}")
        mapping[name] = value
    return mapping
