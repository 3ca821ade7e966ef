"""What a variant of a model gains over a base, by task or by model, and how much longer its answers are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..core.arguments import typed
from ..core.arrays import FloatArray, Rows
from ..core.errors import MooInferError
from ..core.objectives import ACCURACY
from ..core.parts import AtLeastOne, AtLeastZero
from ..quantities.bootstrap import QuestionDraws
from ..quantities.fieller import Estimate, fieller, student
from ..report.wording import Block, TextTable, to_html
from .differences import Difference, holm, too_few
from .regression import ROUNDING, numbers

__all__ = [
    "Gains",
    "changes_nothing",
    "length_multiplier",
    "paired_gains",
    "paired_length_multiplier",
    "published_gains",
]

Numbers = Sequence[float] | FloatArray


@dataclass(frozen=True)
class Gains:
    """What a variant gains over a base in accuracy.

    Args:
        rows: by label, of a task or a model. The interval of each is its own; ``p`` and ``real`` are corrected for how
            many rows there are (Holm).
        overall: of all together.
        paired: whether both answered the same questions, and these are known one by one.
        confidence: of the intervals, in (0, 1).
        notes: what to know, in words.
    """

    rows: Mapping[str, Difference]
    overall: Difference
    paired: bool
    confidence: float
    notes: tuple[str, ...] = ()

    def __getitem__(self, label: str) -> Difference:
        return self.rows[label]

    @property
    def better(self) -> tuple[str, ...]:
        """Labels where the interval of the gain lies above 0, each seen by itself."""
        return tuple(label for label, gain in self.rows.items() if gain.low > 0)

    @property
    def worse(self) -> tuple[str, ...]:
        """Labels where it lies below 0."""
        return tuple(label for label, gain in self.rows.items() if gain.high < 0)

    @property
    def helps_and_hurts(self) -> bool:
        """Whether it is better for one label and worse for another, also after the correction for their number."""
        signs = {gain.value > 0 for gain in self.rows.values() if gain.real}
        return len(signs) == 2

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "confidence": self.confidence,
            "paired": self.paired,
            "overall": self.overall.to_dict(),
            "rows": {label: gain.to_dict() for label, gain in self.rows.items()},
            "better": list(self.better),
            "worse": list(self.worse),
            "helps_and_hurts": self.helps_and_hurts,
            "notes": list(self.notes),
        }

    def blocks(self) -> list[Block]:
        """What people read: a row a label, how many are better and worse, and what chance alone would make of it."""
        level = f"{100 * self.confidence:g} %"
        header = ("", "base", "variant", "gain", f"{level} interval", "z", "")
        named = {**self.rows, "all": self.overall} if len(self.rows) > 1 else self.rows
        table = TextTable(header, tuple(_cells(label, gain) for label, gain in named.items()))
        return [table, *self.sentences()]

    def sentences(self) -> list[str]:
        """Say it in words."""
        said = [verdict(self.overall, self.confidence)]
        if (n := len(self.rows)) > 1:
            chance = (1 - self.confidence) * n
            each = f"better on {len(self.better)} of {n}, worse on {len(self.worse)}"
            said.append(
                f"Each seen by itself it is {each}; where nothing differs, about {chance:.2g} of {n} would seem to."
            )
        if self.helps_and_hurts:
            better, worse = (
                ", ".join(label for label, gain in self.rows.items() if gain.real and (gain.value > 0) is forth)
                for forth in (True, False)
            )
            said.append(f"It helps with {better} and hurts with {worse}: decide by label.")
        return [*said, *(f"{note}." for note in self.notes)]

    def _repr_html_(self) -> str:
        return to_html(self.blocks())


def verdict(gain: Difference, confidence: float) -> str:
    """Say whether a gain is told apart from none, and if not, what could have been seen."""
    points = f"{100 * gain.value:+.2f} points [{100 * gain.low:+.2f}, {100 * gain.high:+.2f}]"
    if gain.real:
        return f"The variant {'gains' if gain.value > 0 else 'loses'} {points}: told apart at {100 * confidence:g} %."
    least = f"the smallest gain that would be seen in 80 % of cases is {100 * gain.smallest:.2f} points"
    return f"The variant gains {points}: not told apart from nothing; {least}."


def changes_nothing(gain: Difference, more: Estimate) -> bool:
    """Whether a variant takes more and gains nothing that is told apart, as a higher level of effort may.

    Args:
        gain: over the base in accuracy; its interval holds 0.
        more: how many times as much money, or as many tokens, it takes; its interval lies above 1.

    >>> gain = published_gains(["high"], [0.51], [0.50], [0.01], [0.01])["high"]
    >>> changes_nothing(gain, Estimate(1.8, 1.6, 2.0)), changes_nothing(gain, Estimate(1.1, 0.9, 1.3))
    (True, False)
    """
    return gain.low <= 0 <= gain.high and more.low > 1 + ROUNDING


@typed()
def published_gains(
    labels: Sequence[str],
    variant: Numbers,
    base: Numbers,
    variant_stderr: Numbers,
    base_stderr: Numbers,
    confidence: float = 0.95,
) -> Gains:
    """Take gains from a published table, which has scores and their standard errors and no single answers.

    The errors of both add up as if each had been asked questions of its own (unpaired). Where both answered the same
    ones, what is hard for one is mostly hard for the other, and the true error is smaller. Overall every label counts
    the same.

    Args:
        labels: n tasks or models, different ones.
        variant, base: (n,) scores, in [0, 1].
        variant_stderr, base_stderr: (n,) their standard errors, >= 0.
        confidence: of the intervals (normal law), in (0, 1).

    Raises:
        MooInferError: for no rows, values that are not allowed, and labels that repeat.

    >>> found = published_gains(["maths", "law"], [0.60, 0.40], [0.50, 0.41], [0.02, 0.02], [0.02, 0.02])
    >>> [(label, round(gain.value, 2), round(gain.z, 2), gain.real) for label, gain in found.rows.items()]
    [('maths', 0.1, 3.54, True), ('law', -0.01, -0.35, False)]
    """
    names, n = _labels(labels), len(labels)
    scores = [_shares(values, of, n) for values, of in ((variant, "variant"), (base, "base"))]
    given = ((variant_stderr, "variant_stderr"), (base_stderr, "base_stderr"))
    errors = np.hypot(*(_not_negative(values, of, n) for values, of in given))
    z = student(confidence)
    rows = [
        _normal((v, b), e, z, confidence) for v, b, e in zip(*(of.tolist() for of in (*scores, errors)), strict=True)
    ]
    means = float(scores[0].mean()), float(scores[1].mean())
    overall = _normal(means, float(np.sqrt((errors**2).sum())) / n, z, confidence)
    note = "single answers are not known, so both count as asked different questions, which mostly widens the intervals"
    return Gains(_corrected(names, rows, confidence), overall, False, confidence, (note,))


@typed()
def paired_gains(
    variant: Numbers,
    base: Numbers,
    questions: Sequence[str],
    labels: Sequence[str] | None = None,
    B: AtLeastOne = 10_000,
    seed: AtLeastZero = 0,
    confidence: float = 0.95,
) -> Gains:
    """Take gains from the questions that both answered, by the bootstrap over questions that `compare` has.

    Args:
        variant, base: (Q,) shares of right answers of each question, in [0, 1].
        questions: Q names, different ones.
        labels: of each question, its task for instance; None for one row, "all".
        B: draws of the bootstrap, >= 1.
        seed: of the bootstrap, >= 0.
        confidence: of the intervals, in (0, 1).

    Raises:
        MooInferError: for no questions, values that are not allowed, and questions that repeat.

    >>> right = np.random.default_rng(0).random((2, 300)) < np.array([[0.9], [0.6]])
    >>> names = [f"q{i}" for i in range(300)]
    >>> found = paired_gains(*right, names, ["easy", "hard", "hard"] * 100)
    >>> found.better, found.overall.real
    (('easy', 'hard'), True)
    """
    Q = len(_labels(questions, "questions"))
    scores = [_shares(values, of, Q) for values, of in ((variant, "variant"), (base, "base"))]
    of_questions = ["all"] * Q if labels is None else [*labels]
    if len(of_questions) != Q:
        raise MooInferError(f"labels: must be as many as questions, {Q}, got {len(of_questions)}")
    names, of_label = tuple(dict.fromkeys(of_questions)), np.array(of_questions, dtype=object)

    def gain(rows: Rows) -> Difference:
        one, other = (of[rows] for of in scores)
        draws = QuestionDraws([questions[i] for i in rows], B, seed).differences((one - other)[:, None])[:, 0]
        shares = float((one > other).mean()), float((one < other).mean())
        values = float(one.mean()), float(other.mean())
        return Difference.of_draws(ACCURACY.name, values, draws, confidence, shares=shares)

    student(confidence)  # refuses what is no confidence
    gains = [gain(np.flatnonzero(of_label == name)) for name in names]
    overall = gain(np.arange(Q)) if len(names) > 1 else gains[0]
    return Gains(
        _corrected(names, gains, confidence), overall, True, confidence, (*too_few(B, len(names), confidence),)
    )


@typed()
def length_multiplier(
    variant: Numbers,
    base: Numbers,
    variant_stderr: Numbers,
    base_stderr: Numbers,
    weights: Numbers | None = None,
    confidence: float = 0.95,
) -> Estimate:
    """Return how many times as long the answers of a variant are: the ratio of means over the cells of a table.

    A mean of the ratios of cells is another number and says little: a cell where the base answers with one word decides
    it. The interval (Fieller, normal law) is for other items of the same cells, of both apart.

    Args:
        variant, base: (n,) mean words or tokens of cells, >= 0; with the prompt or without it, alike for both.
        variant_stderr, base_stderr: (n,) standard errors of these, >= 0.
        weights: (n,) of the cells, >= 0, such as how many items they have; None for all alike.
        confidence: of the interval, in (0, 1).

    Raises:
        MooInferError: for no cells, values that are not allowed, and where the base has no length.

    >>> found = length_multiplier([100.0, 140.0], [50.0, 1.0], [5.0, 5.0], [2.0, 0.1])
    >>> round(found.value, 2), round(found.low, 2), round(found.high, 2)
    (4.71, 4.28, 5.19)
    """
    v = _not_negative(variant, "variant")
    n, given = len(v), ((base, "base"), (variant_stderr, "variant_stderr"), (base_stderr, "base_stderr"))
    b, v_error, b_error = (_not_negative(values, name, n) for values, name in given)
    w = np.ones(n) if weights is None else _not_negative(weights, "weights", n)
    if not n or w.sum() == 0:
        raise MooInferError("length_multiplier: there is no cell with a weight")
    w = w / w.sum()
    variances = float(w**2 @ v_error**2), float(w**2 @ b_error**2)
    return fieller(float(w @ v), _some(float(w @ b)), variances, quantile=student(confidence))


@typed()
def paired_length_multiplier(variant: Numbers, base: Numbers, confidence: float = 0.95) -> Estimate:
    """Return the ratio of the mean lengths of a variant and a base on the same questions.

    The interval (Fieller, Student's law) is for other questions; that long questions are long for both is in it.

    Args:
        variant, base: (Q,) words or tokens of each question, >= 0; with the prompt or without it, alike for both.
        confidence: of the interval, in (0, 1).

    Raises:
        MooInferError: for fewer than two questions, values that are not allowed, and where the base has no length.

    >>> found = paired_length_multiplier([100.0, 220.0, 310.0, 390.0], [50.0, 100.0, 150.0, 200.0])
    >>> round(found.value, 2), round(found.low, 2), round(found.high, 2)
    (2.04, 1.89, 2.69)
    """
    v = _not_negative(variant, "variant")
    b, Q = _not_negative(base, "base", len(v)), len(v)
    if Q < 2:
        raise MooInferError(f"paired_length_multiplier: needs at least 2 questions, got {Q}")
    table = np.cov(v, b) / Q
    variances = float(table[0, 0]), float(table[1, 1])
    reach = student(confidence, Q - 1)
    return fieller(float(v.mean()), _some(float(b.mean())), variances, float(table[0, 1]), quantile=reach)


def _normal(values: tuple[float, float], stderr: float, z: float, confidence: float) -> Difference:
    from scipy.special import ndtr

    apart = values[0] - values[1]
    p = 2 * float(ndtr(-abs(apart) / stderr)) if stderr > 0 else float(apart == 0)
    ends = apart - z * stderr, apart + z * stderr
    return Difference.of(ACCURACY.name, values, stderr, ends, p, confidence)


def _corrected(names: Sequence[str], gains: Sequence[Difference], confidence: float) -> dict[str, Difference]:
    corrected = holm([gain.p for gain in gains])
    return {
        name: replace(gain, p=p, real=p <= 1 - confidence)
        for name, gain, p in zip(names, gains, corrected, strict=True)
    }


def _cells(label: str, gain: Difference) -> tuple[str, ...]:
    z = "" if gain.z is None else f"{gain.z:.2f}"
    ends = f"[{gain.low:+.4f}, {gain.high:+.4f}]"
    apart = "told apart" if gain.real else "not told apart"
    return label, f"{gain.second:.4f}", f"{gain.first:.4f}", f"{gain.value:+.4f}", ends, z, apart


def _labels(labels: Sequence[str], name: str = "labels") -> tuple[str, ...]:
    if not len(labels):
        raise MooInferError(f"{name}: must not be empty")
    if len({*labels}) < len(labels):
        twice = next(label for i, label in enumerate(labels) if label in labels[:i])
        raise MooInferError(f"{name}: must be different, got {twice!r} twice")
    return tuple(labels)


def _shares(values: Numbers, name: str, n: int) -> FloatArray:
    array = _not_negative(values, name, n)
    if (array > 1).any():
        raise MooInferError(f"{name}[{int(array.argmax())}]: must be between 0 and 1, got {array.max()}")
    return array


def _not_negative(values: Numbers, name: str, n: int | None = None) -> FloatArray:
    array = numbers(values, name, n)
    if (array < 0).any():
        raise MooInferError(f"{name}[{int(array.argmin())}]: must be >= 0, got {array.min()}")
    return array


def _some(length: float) -> float:
    if length == 0:
        raise MooInferError("base: all its lengths are 0, so that no multiplier can be had")
    return length
