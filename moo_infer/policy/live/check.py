"""How an answer is judged: against its target, or by a function."""

import asyncio
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from numbers import Real

import numpy as np

from ...core.errors import MooInferError
from .extract import Extractor, extractor, file_function, function_name
from .question import Question

__all__ = ["Checker", "Verdict", "checker"]

EXPECTED = "True, False, a number from 0 to 1, None, or a mapping with correct and score"


class Unusable(Exception):
    """What a function returned is no verdict."""


@dataclass(frozen=True)
class Verdict:
    """What an answer is worth.

    Args:
        correct: right or wrong, or a grade in [0, 1]; None = not known.
        score: what a function says besides, any finite number.
        why: the reason where a function gave no verdict.
    """

    correct: bool | float | None
    score: float | None = None
    why: str = ""


@dataclass(frozen=True)
class Checker:
    """Judges answers.

    Calling it does so at once; ``await checker.awaited(answer, question)`` does it in a thread where it
    may take long.

    Args:
        name: how it is called on the command line, or what the function is called.
        extract: what the answers were taken out with; it brings the target to their form.
        function: takes the answer (None = blank) and the question; None: the answer must be the target.

    >>> check = checker("equal", extractor("last-number"))
    >>> check("1000", Question("q1", "How many?", "$1,000")), check(None, Question("q1", "How many?", "7")).correct
    (Verdict(correct=True, score=None, why=''), False)
    """

    name: str
    extract: Extractor = field(repr=False)
    function: Callable[[str | None, Question], object] | None = field(default=None, repr=False)

    @property
    def slow(self) -> bool:
        """Whether it may take long: a function, or a pattern on the target."""
        return self.function is not None or (self.extract.slow and self.extract.of_target is not None)

    def __call__(self, answer: str | None, question: Question, /) -> Verdict:
        """Return the verdict on an answer (None = blank); never raises for an answer."""
        if self.function is None:
            if question.target is None:
                return Verdict(None)
            return Verdict(answer is not None and self.extract.same(answer, question.target))
        try:
            return _verdict(self.function(answer, question))
        except Unusable as error:
            return Verdict(None, why=f"check: {error}")
        except (Exception, SystemExit) as error:  # whatever a foreign function raises; its message may hold the text
            return Verdict(None, why=f"check: {type(error).__name__} in {self.name}")

    async def awaited(self, answer: str | None, question: Question, /) -> Verdict:
        """Return the verdict on an answer, found in a thread where that may take long."""
        return await asyncio.to_thread(self, answer, question) if self.slow else self(answer, question)


def checker(
    spec: str | Callable[[str | None, Question], object] | Checker | None = None,
    extract: Extractor | None = None,
    /,
) -> Checker:
    """Return what judges answers.

    Args:
        spec: ``equal`` (whether the answer is the target; the same without `spec`), ``FILE.py:FUNCTION``, or a function
            of the answer and the `Question`. It returns True or False, a grade in [0, 1], None for not known, or
            ``{"correct": one of these, "score": a number}``; it is called in threads.
        extract: what the answers were taken out with.

    Raises:
        MooInferError: for an unknown name, and a file or function that is not there.
    """
    if isinstance(spec, Checker):
        return spec
    own = extract or extractor()
    if spec is None or spec == "equal":
        return Checker("equal", own)
    if callable(spec):
        return Checker(function_name(spec, "check"), own, spec)
    if function := file_function(spec, "check"):
        return Checker(spec, own, function)
    raise MooInferError(f"check: must be equal or FILE.py:FUNCTION, got {spec!r:.80}")


def _verdict(value: object) -> Verdict:
    if not isinstance(value, Mapping):
        return Verdict(_grade(value))
    if strangers := [name for name in value if name not in ("correct", "score")]:
        raise Unusable(f"the function returned {len(strangers)} keys besides correct and score")
    score = value.get("score")
    return Verdict(_grade(value.get("correct")), None if score is None else _number(score, "score"))


def _grade(value: object) -> bool | float | None:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    grade = _number(value, "verdict")
    if not 0 <= grade <= 1:
        raise Unusable(f"the function must return {EXPECTED}, returned a number outside")
    return grade


def _number(value: object, noun: str) -> float:
    if not isinstance(value, Real) or isinstance(value, bool):
        raise Unusable(f"the {noun} of the function must be a number, is {type(value).__name__}")
    number = float(value)
    if not math.isfinite(number):
        raise Unusable(f"the {noun} of the function must be a finite number")
    return number
