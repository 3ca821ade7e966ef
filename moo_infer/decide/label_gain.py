"""What deciding by a label of the questions buys over one decision for all, cross-fitted."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..core.arrays import BoolArray
from ..core.draws import Draws
from ..core.objectives import ACCURACY
from ..interfaces import InferenceModel
from ..quantities.bootstrap import FEW, QuestionHalves
from ..quantities.fieller import student
from ..quantities.queries import Doubt, Note, Queries
from ..quantities.samples import Samples
from .candidates import Candidates
from .choices import Choice
from .crossfit import SPLITS

__all__ = ["LabelGain", "LabelRedraw", "ObjectiveGain", "SomeQuestions", "label_gain"]

LEVEL = 0.95
Halves = Callable[[int, int], Iterator[tuple[Candidates, Candidates]]]
Figures = dict[str, dict[str, float]]  # by objective and question


@dataclass(frozen=True)
class SomeQuestions(InferenceModel):
    """A model on some of the questions of its log.

    Args:
        inference: on all of them.
        samples: those of the questions.
    """

    name = "some-questions"

    inference: InferenceModel
    samples: Samples

    def queries(self) -> Queries:
        """The questions, judged as all of them are."""
        return Queries.of_samples(self.samples, judged=self.inference.queries().judged)

    def notes(self) -> Sequence[Note]:
        """Note what makes the log doubtful, and that there are few questions."""
        doubts = [note for note in self.inference.notes() if isinstance(note.text, Doubt)]
        Q = len(self.samples.questions)
        few = [Note(f"with only {Q} questions, choices look surer than they are")] if Q < FEW else []
        return [*doubts, *few]

    def sample(self, rng: np.random.Generator, M: int, K: int, /) -> Draws:
        """Draw M trials of K inferences."""
        return self.queries().draw(rng, M, K)


@dataclass(frozen=True)
class ObjectiveGain:
    """What deciding by label changes in the mean of an objective.

    Args:
        one: the mean with one choice for all.
        by_label: the mean with a choice for every value.
        value: the second minus the first.
        stderr: of that, over the questions, and over how they were split.
        low, high: its 95 % interval, had other questions been asked.
    """

    one: float
    by_label: float
    value: float
    stderr: float
    low: float
    high: float

    @property
    def told_apart(self) -> bool:
        """Whether the interval is without 0."""
        return not self.low <= 0 <= self.high

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**vars(self), "told_apart": self.told_apart}


@dataclass(frozen=True)
class LabelGain:
    """What deciding by label buys: chosen on one half of the questions of every value, scored on the other.

    Args:
        halves: on how many halves a choice for all was made.
        questions: how many were scored, at most, in a split into halves.
        undecided: in which share of the halves a value had no row within the limits, and took the one for all.
        objectives: by name; without those that are simulated.
    """

    halves: int
    questions: int
    undecided: float
    objectives: Mapping[str, ObjectiveGain]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        whole = {"halves": self.halves, "questions": self.questions, "undecided": self.undecided, "level": LEVEL}
        return {**whole, **{name: gain.to_dict() for name, gain in self.objectives.items()}}


@dataclass(frozen=True, eq=False)
class LabelRedraw:
    """A value of a label: its questions, and what gives tables of halves of them; None where nothing can be chosen."""

    questions: Sequence[str]
    halves: Halves | None

    def split(self, splits: int, seed: int) -> BoolArray:
        """(2 splits, Q) which questions are in a half and not in the other; the only one of a value is in both."""
        drawn = QuestionHalves(self.questions, 2 * splits, seed).weights > 0
        other = drawn.reshape(splits, 2, -1)[:, ::-1].reshape(2 * splits, -1)
        return np.asarray(drawn & ~other)


@dataclass(eq=False)
class _Scores:
    """What questions are worth and cost, by objective and split, each scored where it was not chosen on."""

    pairs: dict[str, dict[int, list[tuple[float, float]]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    simulated: set[str] = field(default_factory=set)

    def add(self, split: int, objectives: Iterable[str], questions: Iterable[str], one: Figures, of: Figures) -> None:
        """Score the row for all and that of the value on some questions."""
        asked = [*questions]
        for name in objectives:
            if name not in one or name not in of:
                self.simulated.add(name)
                continue
            both = [(one[name][q], of[name][q]) for q in asked if q in one[name] and q in of[name]]
            self.pairs[name][split] += both

    def gains(self) -> dict[str, ObjectiveGain]:
        """Return the gain in every objective that is known question by question."""
        found = {}
        for name, splits in self.pairs.items():
            scored = [np.array(pairs) for pairs in splits.values() if len(pairs) > 1]
            if name in self.simulated or not scored:
                continue
            one, of = np.mean([pairs.mean(axis=0) for pairs in scored], axis=0).tolist()
            each = [pairs[:, 1] - pairs[:, 0] for pairs in scored]
            within = np.array([apart.var(ddof=1) / len(apart) for apart in each])
            between = (np.array([apart.mean() for apart in each]) - (of - one)) ** 2
            value, stderr = of - one, float(np.sqrt(np.mean(within + between)))
            reach = student(LEVEL, min(map(len, each)) - 1) * stderr
            found[name] = ObjectiveGain(one, of, value, stderr, value - reach, value + reach)
        return found


def label_gain(
    whole: Halves,
    values: Sequence[LabelRedraw],
    choose: Callable[[Candidates], Choice],
    seed: int,
    splits: int = SPLITS,
) -> LabelGain | None:
    """Choose for all and for every value on one half of the questions, and score both on the other, both ways.

    The variance of the mean difference is that over questions, plus that over splits of the questions into halves,
    which make other choices (Chernozhukov et al., Econom. J. 21, 2018, C1-C68, definition 3.3).

    Args:
        whole: gives tables of halves of all questions.
        values: of the label.
        choose: makes a choice of a table.
        seed: of the halves.
        splits: of the questions into halves.

    Returns:
        None where nothing can be chosen for all, or no question can be scored.
    """
    scores, made, undecided = _Scores(), 0, []
    asked = [value for value in values if value.halves is not None]
    if not asked:
        return None
    alone = [value.split(splits, seed) for value in asked]
    tables = zip(*(_in_turn(of.halves(splits, seed)) for of in asked if of.halves is not None), strict=True)
    kept: dict[tuple[int, tuple[tuple[int, float], ...]], Figures] = {}
    for half, (table, own) in enumerate(zip(_in_turn(whole(splits, seed)), tables, strict=True)):
        if not (one := choose(table)).parts:
            continue
        made += 1
        figures = _figures(one, -1, kept)
        for place, (value, drawn) in enumerate(zip(asked, own, strict=True)):
            choice = choose(drawn)
            undecided.append(not choice.parts)
            mine = _figures(choice, place, kept) if choice.parts else figures
            scored = [value.questions[i] for i in np.flatnonzero(alone[place][half ^ 1]).tolist()]
            scores.add(half // 2, [o.name for o in table.objectives], scored, figures, mine)
    gains = scores.gains()
    if not gains or ACCURACY.name not in gains:
        return None
    questions = max(map(len, scores.pairs[ACCURACY.name].values()))
    return LabelGain(made, questions, float(np.mean(undecided)), gains)


def _in_turn(halves: Iterator[tuple[Candidates, Candidates]]) -> Iterator[Candidates]:
    return (table for pair in halves for table in pair)


def _figures(choice: Choice, place: int, kept: dict[tuple[int, tuple[tuple[int, float], ...]], Figures]) -> Figures:
    """The means of a choice given each question, by objective; tables of all halves have the same rows."""
    rows = tuple((int(part.row), weight) for part, weight in choice.parts if part.row is not None)
    if (place, rows) not in kept:
        table, found = choice.candidates, Figures()
        for objective in table.objectives:
            each = [(table.row(row).objectives[objective.name].by_question, weight) for row, weight in rows]
            if all(of is not None for of, _ in each):
                shared = set.intersection(*(set(of or ()) for of, _ in each))
                found[objective.name] = {q: sum(weight * (of or {})[q] for of, weight in each) for q in shared}
        kept[place, rows] = found
    return kept[place, rows]
