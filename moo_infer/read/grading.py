"""Grades of the scores of a log: right or wrong, as they are, by a threshold, or on a scale."""

import json
import math
import operator
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from ..core.arguments import check_fields
from ..core.arrays import FloatArray
from ..core.errors import MooInferError

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Grading", "Unreadable", "advice", "graded", "number", "refuse_several"]

RIGHT = ("true", "yes", "pass", "passed", "correct", "right")
WRONG = ("false", "no", "fail", "failed", "incorrect", "wrong")
WORDS = dict.fromkeys(RIGHT, 1.0) | dict.fromkeys(WRONG, 0.0)  # no letters: "C" may be the choice that is right
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|nan|[-+]?inf(inity)?", re.ASCII)
SHARE = re.compile(r"(\d+\.?\d*|\.\d+)\s*(%|/\s*(\d+\.?\d*|\.\d+))", re.ASCII)  # 85 %, 7/10
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
RULE = re.compile(r"\s*(>=|<=|==|>|<)\s*(.*\S)\s*", re.DOTALL)
# Names of scores that several samples have together: pass@8, pass^k, maj@8, mean_at_8, best_of_n. pass_2 may be one.
SEVERAL = re.compile(
    r"(?<![a-z])(?:(?:pass|any|all|mean|avg|worst)(?:@|\^|_at_|_hat_|_of_)"
    r"|(?:maj|majority|cons|consensus|vote|best|bon)(?:_vote|_of)?(?:@|_at_|_))"
    r"(?:0*(?:[2-9]|1\d)\d*|[kn](?![a-z]))",
    re.IGNORECASE,
)
ROUNDING = 1e-9  # by which a grade may leave its scale
LISTED = 8  # keys in a message
USUAL = ((0, 1, ">= 0.5"), (-1, 1, "> 0"), (0, 10, ">= 7"), (0, 100, ">= 70"))  # scales, and a threshold on each


class Unreadable(MooInferError):
    """A score that is neither right nor wrong.

    Args:
        reason: why, in words.
        advice: which option would help, or nothing.
        score: the number that it is, where options for numbers would help.
    """

    def __init__(self, reason: str, advice: str = "", score: float | None = None) -> None:
        self.reason, self.advice, self.score = reason, advice, score
        super().__init__(f"{reason}; {advice}" if advice else reason)


@dataclass(frozen=True)
class Grading:
    """How scores are read. Without arguments: 1 and true are right, 0 and false wrong, what is between is partly right.

    So are pass and fail, passed and failed, yes and no, correct and incorrect, right and wrong, in any case; ``85%``
    and ``7/10`` are the numbers 0.85 and 0.7.

    Args:
        key: which entry of scores that are mappings or lists; a dot leads into an entry: ``quality.overall``, ``0``.
        right_if: a comparison with a number, or ``==`` with a text: ``>= 7``. What meets it is right, else wrong.
        scale: (low, high): the worst and the best score. Scores become grades, (score - low) / (high - low).

    Raises:
        MooInferError: for a comparison that cannot be read, a scale without extent, and for both together.

    >>> Grading(right_if=">= 7")(8.5), Grading(scale=(0, 10))(8.5), Grading(key="ok")({"ok": True, "style": 0.2})
    (1.0, 0.85, 1.0)
    """

    key: str = ""
    right_if: str = ""
    scale: tuple[float, float] | None = None
    says_nothing: ClassVar[frozenset[str]] = frozenset({"", "nan", "none", "null"})

    def __post_init__(self) -> None:
        check_fields(self, "grading")
        refuse_several(self.key, "--score-key")
        if self.right_if and self.scale is not None:
            raise MooInferError("--right-if says what is right, --scale what a grade is; give one of them")
        if self.right_if:
            sign, bound = self._rule
            if isinstance(bound, str) and sign != "==":
                raise MooInferError(f"--right-if: {sign} compares with a number, got {self.right_if!r}")
            if isinstance(bound, float) and not math.isfinite(bound):
                raise MooInferError(f"--right-if: must compare with a finite number, got {self.right_if!r}")
        if self.scale is not None:
            ends = tuple(self.scale)
            if len(ends) != 2 or not all(_finite(end) for end in ends) or ends[0] == ends[1]:
                raise MooInferError(f"--scale: must be LOW,HIGH, two different numbers, got {self.scale!r}")
            object.__setattr__(self, "scale", (float(ends[0]), float(ends[1])))

    @property
    def _compares_with(self) -> str:
        """The right side of the comparison."""
        match = RULE.fullmatch(self.right_if)
        return "" if match is None else match[2]

    @property
    def _rule(self) -> tuple[str, float | str]:
        match = RULE.fullmatch(self.right_if)
        if match is None:
            raise MooInferError(
                f"--right-if: must be one of {', '.join(COMPARISONS)} and a number, got {self.right_if!r}"
            )
        bound = number(match[2])
        return match[1], match[2] if bound is None else bound

    def __call__(self, score: object, /) -> float | None:
        """Return the grade of a score, in [0, 1]; None for one that says nothing.

        Raises:
            Unreadable: for what cannot be read, saying which option would help.
        """
        score = self._picked(_parsed(score))
        if isinstance(score, Mapping | list | tuple):
            raise _several(score, self.key)
        if score is None or (isinstance(score, str) and score.strip().lower() in self.says_nothing):
            return None
        value = number(score)
        if value is not None and math.isnan(value):
            return None
        if isinstance(score, str) and SHARE.fullmatch(score.strip()):
            self._refuse_units(score)
        if self.right_if:
            return self._compared(score, value)
        if value is None:
            mark = f'a mark says what is right: --right-if "== {score:.20}"' if isinstance(score, str) else ""
            shown = f"{score!r:.40}" if isinstance(score, str) else f"{score!s:.40}"
            raise Unreadable(f"the score {shown} is neither right nor wrong", mark)
        if self.scale is not None:
            low, high = self.scale
            grade = (value - low) / (high - low)
            if not -ROUNDING <= grade <= 1 + ROUNDING:
                raise Unreadable(f"the score {value:g} is outside the scale {low:g} to {high:g}")
            return min(max(grade, 0.0), 1.0)
        if not 0 <= value <= 1:
            fault = f"the score {value:g} is neither right nor wrong, not from 0 to 1"
            raise Unreadable(fault, advice([value]), value)
        return value

    def _compared(self, score: object, value: float | None) -> float:
        """Whether a score meets the comparison, 1 or 0; texts are compared as texts, whatever a word means."""
        sign, bound = self._rule
        word, text = self._compares_with.lower(), score.strip().lower() if isinstance(score, str) else ""
        if sign == "==" and word in WORDS and text and (value is None or text in WORDS):
            return float(text == word)
        operand = value if isinstance(bound, float) else score.strip() if isinstance(score, str) else None
        if operand is None:
            kind = "number" if isinstance(bound, float) else "text"
            raise Unreadable(f"the score {score!r:.40} is no {kind}, but --right-if compares with {bound!r}")
        return float(COMPARISONS[sign](operand, bound))

    def _refuse_units(self, score: str) -> None:
        """Refuse to take 85% and 7/10, which are shares of 1, for 85 and 7 of a scale or a threshold."""
        bound = self._rule[1] if self.right_if else 0.0
        if (isinstance(bound, float) and abs(bound) > 1) or {*(self.scale or (0.0, 1.0))} != {0.0, 1.0}:
            option = f'--right-if "{self.right_if}"' if self.right_if else "--scale {:g},{:g}".format(*self.scale or ())
            fault = f"the score {score!r:.40} is a share of 1, {number(score):.4g}, but {option} is not of shares"
            raise Unreadable(fault, 'a threshold is written so: --right-if ">= 70%"; the scale so: --scale 0,1')

    def _picked(self, score: object) -> object:
        """The entry of a score that the key names."""
        if not self.key:
            return score
        if not isinstance(score, Mapping | list | tuple):
            if score is None or math.isnan(number(score) or 0.0):
                return None
            raise Unreadable(f"the score {score!r:.40} has no keys, so that none is called {self.key!r}")
        if isinstance(score, Mapping) and self.key in score:
            return score[self.key]
        entry: Any = score
        for name in self.key.split("."):
            if isinstance(entry, Mapping) and name in entry:
                entry = entry[name]
            elif isinstance(entry, list | tuple) and name.isdecimal() and int(name) < len(entry):
                entry = entry[int(name)]
            else:
                raise Unreadable(f"the score has no key {self.key!r}; keys: {_keys(score)}")
        return entry


def refuse_several(name: str, option: str, /) -> None:
    """Refuse a score over several samples, by its name, as pass@8.

    >>> refuse_several("pass@1", "--score-key")
    >>> refuse_several("pass@8", "--score-key")
    Traceback (most recent call last):
    moo_infer.core.errors.MooInferError: --score-key: pass@8 is of several samples together, but a row is one of them
    """
    if SEVERAL.search(name):
        raise MooInferError(f"{option}: {name:.60} is of several samples together, but a row is one of them")


def graded(
    scores: "Sequence[object] | pl.Series | None", n: int, grading: Grading, /
) -> tuple[FloatArray, dict[int, Unreadable]]:
    """Return (n,) grades in [0, 1] of n scores, NaN where there is none, and which cannot be read, with the reason."""
    import polars as pl

    if isinstance(scores, pl.Series) and (scores.dtype.is_numeric() or scores.dtype in (pl.Boolean, pl.String)):
        different, code = _different(scores)
        grades, unread = graded(different, len(different), grading)
        rows = np.flatnonzero(np.isin(code, list(unread))) if unread else ()
        return grades[code], {int(row): unread[int(code[row])] for row in rows}
    grades, unread = np.full(n, np.nan), dict[int, Unreadable]()
    for row, score in enumerate(scores.to_list() if isinstance(scores, pl.Series) else scores or ()):
        try:
            grade = grading(score)
        except Unreadable as error:
            unread[row] = error
        else:
            grades[row] = np.nan if grade is None else grade
    return grades, unread


def _different(scores: "pl.Series") -> tuple[list[Any], npt.NDArray[np.intp]]:
    """The different values of a column, so that each is read once, and which of them every row has."""
    import polars as pl

    if scores.dtype != pl.String:
        values, code = np.unique(scores.cast(pl.Float64).fill_null(np.nan).to_numpy(), return_inverse=True)
        return values.tolist(), code
    texts = scores.drop_nulls().unique()
    which = scores.cast(pl.Enum(texts)).to_physical().cast(pl.Int64).fill_null(len(texts))
    return [*texts, None], which.to_numpy().astype(np.intp)


def advice(scores: Sequence[float], /) -> str:
    """Return which options read numbers other than 0 and 1, for a usual scale that has all of them, or their own.

    >>> advice([-1.0, 1.0]).partition("graded ")[2]
    'accuracy of it: --scale -1,1 (scale=(-1, 1))'
    """
    finite = [score for score in scores if math.isfinite(score)] or [0.0]
    low, high = min(finite), max(finite)
    own = (min(low, 0.0), max(high, 0.0), f">= {high:g}")
    worst, best, rule = next((usual for usual in USUAL if usual[0] <= low and high <= usual[1]), own)
    return (
        f'a threshold says from where on it is right: --right-if "{rule}" (right_if="{rule}"); a scale from the worst '
        f"to the best makes graded accuracy of it: --scale {worst:g},{best:g} (scale=({worst:g}, {best:g}))"
    )


def number(value: object, /) -> float | None:
    """Return a number, or the one a text is; None for what is none. Numbers too large for a float are infinite.

    >>> number("1e3"), number("85 %"), number("7/10"), number("Pass"), number("great")
    (1000.0, 0.85, 0.7, 1.0, None)
    """
    if isinstance(value, str):
        text = value.strip().lower()
        if text in WORDS:
            return WORDS[text]
        if share := SHARE.fullmatch(text):
            of = float(share[3] or 100)
            return float(share[1]) / of if of else None
        if not NUMBER.fullmatch(text):
            return None
        value = text
    elif not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]  # a text does not overflow
    except ValueError:
        return None


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _parsed(score: object) -> object:
    """A score that is the text of a JSON object or list, as a table has it."""
    if isinstance(score, str) and score.lstrip().startswith(("{", "[")):
        with suppress(ValueError, RecursionError):
            return json.loads(score)
    return score


def _keys(score: "Mapping[Any, Any] | Sequence[Any]") -> str:
    names = list(map(str, score if isinstance(score, Mapping) else range(len(score))))
    return ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "") or "none"


def _several(score: "Mapping[Any, Any] | Sequence[Any]", key: str) -> Unreadable:
    """What to do with a score that has several parts, to which a key has led."""
    begun = f"{key}." if key else ""
    if isinstance(score, Mapping):
        first = begun + str(next(iter(score), "correct"))
        fault, advice = (
            f"the score is a mapping with the keys {_keys(score)}",
            f"--score-key {first} (score_key={first!r})",
        )
        return Unreadable(fault, f"name the one that says whether the answer is right: {advice}")
    fault, path = f"the score is a list of {len(score)}", f"{begun}0"
    return Unreadable(
        fault,
        f"name the place of the one that says whether the answer is right: --score-key {path} (score_key={path!r})",
    )
