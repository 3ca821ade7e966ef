"""Policies that go from one model to the next: cascades, and calls until a checker accepts one."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import numpy as np

from ..core.arrays import Array, BoolArray, FloatArray, IntArray
from ..core.chance import one_of_each
from ..core.draws import Draws
from ..core.errors import MooInferError, NothingPossible
from ..core.parts import AtLeastOne, Share
from ..core.seen import Answer, Call, Seen
from ..hookspecs import hookimpl
from ..interfaces import AccuracyAggregator, Policy

__all__ = ["Accepted", "Cascade", "Checked", "FirstAccepted", "Stage"]


@dataclass(frozen=True)
class Stage:
    """A model, and how often it is called.

    Args:
        model: its name.
        k: how often, >= 1.
    """

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    model: str
    k: AtLeastOne = 1


@dataclass(frozen=True)
class Accepted(AccuracyAggregator):
    """The accepted inferences of k, any of them: what a checker lets pass; nothing where it accepts none.

    Args:
        score_above: accepted is what has a higher score.
        true_positive, false_positive: how likely a right and a wrong one is accepted, by the column ``noise``.
            Without any of these, accepted is what is right, by a perfect checker.

    >>> draws = Draws(accuracy=np.array([[0.0, 1.0]]), columns={"score": np.array([[0.9, 0.3]])})
    >>> Accepted().aggregate(draws, np.random.default_rng(0)), Accepted(0.5).aggregate(draws, np.random.default_rng(0))
    (array([[0., 1.]]), array([[0., 0.]]))
    """

    name = "accepted"

    score_above: float | None = None
    true_positive: Share | None = None
    false_positive: Share | None = None

    def passed(self, column: Callable[[str], Array], right: str, /) -> BoolArray:
        """Return which inferences are accepted, by their columns; `right` is what that of the verdict is called.

        Raises:
            NothingPossible: where it takes what is right, and inferences are graded.
        """
        if self.score_above is not None:
            return np.asarray(column("score") > self.score_above)
        verdict = column(right)
        if not ((verdict == 0.0) | (verdict == 1.0)).all():
            raise NothingPossible(
                "a checker accepts right answers, and here inferences are graded; score_above accepts what scores more"
            )
        if self.true_positive is None or self.false_positive is None:
            return np.asarray(verdict == 1.0)
        return np.asarray(column("noise") < np.where(verdict == 1.0, self.true_positive, self.false_positive))

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """Accuracy of the accepted ones of the first k, (M, K)."""
        passed = self.passed(draws.__getitem__, "accuracy")
        count = np.cumsum(passed, axis=1)
        worth: FloatArray = np.cumsum(np.where(passed, draws.accuracy, 0.0), axis=1) / np.maximum(count, 1)
        return worth

    def choose(self, draws: Draws, rng: np.random.Generator, /) -> IntArray:
        """One of those that are accepted, (M,); -1 where none is."""
        return one_of_each(self.passed(draws.__getitem__, "accuracy"), rng)


class Checked(Policy):
    """A policy with a checker, of whose answers the accepted one counts."""

    name: ClassVar[str]
    score_above: float | None
    true_positive: float | None
    false_positive: float | None

    def __post_init__(self) -> None:
        shares = (self.true_positive, self.false_positive)
        if (shares[0] is None) != (shares[1] is None) or (self.score_above is not None and shares[0] is not None):
            raise MooInferError("the checker is score_above, or true_positive and false_positive, or perfect")

    @property
    def accepting(self) -> Accepted:
        """What is accepted."""
        return Accepted(self.score_above, self.true_positive, self.false_positive)

    def accepted(self, seen: Seen, model: str) -> bool:
        """Whether an answer of a model was accepted."""
        return bool(seen.n(model) and self.accepting.passed(partial(seen.column, model), "correct").any())


@dataclass(frozen=True)
class FirstAccepted(Checked):
    """One call at a time, until a checker accepts its answer; models or prompts in turn, the cheap ones first.

    Without more the checker is perfect: it knows what is right, as the tests of a program do. Where nothing is accepted
    there is no answer, worth 0.

    Args:
        stages: models in turn, each with its largest number of calls; or:
        k: calls of one model, >= 1.
        score_above: accepted is an answer with a higher score.
        true_positive, false_positive: how likely the checker accepts a right and a wrong answer, in [0, 1].
        model: that model; each of the run in turn where none is named and there are no stages.

    Raises:
        MooInferError: for a model that has two stages, and for two checkers.

    >>> FirstAccepted(k=3, model="small").decide(Seen({"small": {"correct": [0.0]}}))
    Call(times={'small': 1})
    """

    name = "first-accepted"

    stages: tuple[Stage, ...] = ()
    k: AtLeastOne = 8
    score_above: float | None = None
    true_positive: Share | None = None
    false_positive: Share | None = None
    model: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        _refuse_twice(self.stages)

    @property
    def most(self) -> dict[str, int]:
        """The calls of all stages."""
        return {stage.model: stage.k for stage in self._turns}

    @property
    def _turns(self) -> tuple[Stage, ...]:
        return self.stages or (Stage(self.model, self.k),)

    def decide(self, seen: Seen, /) -> Call | Answer:
        """Call the next, unless one was accepted or all are done."""
        for stage in self._turns:
            if self.accepted(seen, stage.model):
                break
            if seen.n(stage.model) < stage.k:
                return Call({stage.model: 1})
        return Answer(self.accepting)


@dataclass(frozen=True)
class Cascade(Policy):
    """A cheap model answers where its samples agree, or where one has a high score; else a dear one answers alone.

    A blank answer is a disagreement.

    Args:
        first: the model that is asked first, and how often; or two, whose answers have to agree with each other too.
        then: the model that a query is handed over to, and how often; the vote of its samples answers.
        agree: how many of the first samples have to agree: ``all``, or a number >= 1.
        score_above: in place of agreement: the query is kept where one of the first samples has a higher score.

    Raises:
        MooInferError: for a model that is there twice, and for more samples that have to agree than there are.

    >>> policy = Cascade((Stage("small", 2),), Stage("large"))
    >>> policy.decide(Seen({"small": {"answer": [4, 7]}}))
    Call(times={'large': 1})
    """

    name = "cascade"

    first: Stage | tuple[Stage, ...]
    then: Stage
    agree: Literal["all"] | AtLeastOne = "all"
    score_above: float | None = None

    def __post_init__(self) -> None:
        if not self._firsts:
            raise MooInferError("first: one model at least is needed, got none")
        _refuse_twice((*self._firsts, self.then))
        if self.agree != "all" and self.agree > self._size:
            raise MooInferError(f"agree: must be <= {self._size}, the samples that there are first, got {self.agree}")

    @property
    def _firsts(self) -> tuple[Stage, ...]:
        return (self.first,) if isinstance(self.first, Stage) else self.first

    @property
    def _size(self) -> int:
        return sum(stage.k for stage in self._firsts)

    @property
    def most(self) -> dict[str, int]:
        """The samples of all models."""
        return {stage.model: stage.k for stage in (*self._firsts, self.then)}

    def decide(self, seen: Seen, /) -> Call | Answer:
        """Call the first, hand over where they do not agree."""
        models = tuple(stage.model for stage in self._firsts)
        if seen.n(self.then.model):
            return Answer(of=(self.then.model,))
        if not seen.n(models[0]):
            return Call({stage.model: stage.k for stage in self._firsts})
        if self._kept(seen, models):
            return Answer(of=models) if self.score_above is None else Answer("top-score", of=models)
        return Call({self.then.model: self.then.k})

    def _kept(self, seen: Seen, models: tuple[str, ...]) -> bool:
        if self.score_above is not None:
            return any(bool((seen.column(model, "score") > self.score_above).any()) for model in models)
        return bool(seen.votes(*models)[0] >= (self._size if self.agree == "all" else self.agree))


def _refuse_twice(stages: tuple[Stage, ...]) -> None:
    names = [stage.model for stage in stages]
    for name in names:
        if names.count(name) > 1:
            raise MooInferError(f"model {name!r} has {names.count(name)} stages; one says how often it is called")


@hookimpl
def register_policies() -> list[type[Policy]]:
    """Register the policies of several stages."""
    return [FirstAccepted, Cascade]
