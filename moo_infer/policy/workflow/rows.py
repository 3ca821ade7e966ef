"""A workflow with one option for every stage: what is known of the whole, and trials of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce

import numpy as np

from ...core.arrays import BoolArray, FloatArray, IntArray
from ...core.errors import MooInferError, NotExact, NothingPossible
from ...core.objectives import ACCURACY, LATENCY, TOLERANCE, Objective
from ...workflows import Workflow
from ..replay import Replay
from .options import Known, StageOption
from .paths import Graph, Span
from .rightness import Rightness

__all__ = ["Composed", "Trials", "WorkflowRow", "ended"]

SHARES = 1e-9  # of questions, relative: sums are rounded


def ended(seconds: FloatArray, cap: float) -> BoolArray:
    """Return which runs end by a cap, any shape: one that takes just as long does, as 0.1 + 0.2 s within 0.3 s."""
    return np.asarray(seconds <= cap * (1 + TOLERANCE))


@dataclass(frozen=True, eq=False)
class Composed:
    """What is known exactly of a workflow, given each of Q questions; Q is 1 without a log.

    Args:
        mean: by objective (Q,), accuracy too; without what is not known.
        std: by objective (Q,); likewise.
    """

    mean: dict[str, FloatArray] = field(default_factory=dict)
    std: dict[str, FloatArray] = field(default_factory=dict)

    def add(self, name: str, mean: FloatArray, variance: FloatArray | None, Q: int) -> None:
        """Add an objective."""
        self.mean[name] = np.broadcast_to(mean, (Q,))
        if variance is not None:
            self.std[name] = np.broadcast_to(np.sqrt(np.maximum(variance, 0.0)), (Q,))


@dataclass(frozen=True, eq=False)
class Trials:
    """Runs of a workflow that were drawn.

    Args:
        totals: by objective (M,), accuracy too.
        question: (M,), which question each is about; None without logs of the same questions.
        stages: those of each stage.
    """

    totals: Mapping[str, FloatArray]
    question: IntArray | None
    stages: tuple[Replay, ...]


@dataclass(frozen=True, eq=False)
class WorkflowRow:
    """A workflow with one option for every stage.

    Args:
        name: what the table calls the workflow.
        workflow: which stages wait for which, and what makes it right.
        options: of each stage, in their order.
        objectives: what it consumes.
    """

    name: str
    workflow: Workflow
    options: tuple[StageOption, ...]
    objectives: tuple[Objective, ...]

    def __post_init__(self) -> None:
        for option in self.options:
            for model, others in self._taken[option.stage].items():
                place = option.deployment.models.index(model)
                samples = (option.deployment.samples or ())[place]
                needed = others + option.deployment.most[model]
                if needed > samples.largest_k:
                    raise NothingPossible(
                        f"workflow {self.name!r}: its stages call {model} up to {needed} times in all, each with "
                        f"samples of its own, and its log has {samples.largest_k} of some question"
                    )
        _ = self.weights

    @cached_property
    def graph(self) -> Graph:
        """Which stages wait for which."""
        return Graph(self.workflow.after, self.workflow.order)

    @cached_property
    def rightness(self) -> Rightness:
        """What makes it right."""
        names = self.workflow.names
        return Rightness(names, self.workflow.right, names.index(self.workflow.last))

    @property
    def _logged(self) -> list[StageOption]:
        return [option for option in self.options if option.logged]

    @cached_property
    def questions(self) -> tuple[str, ...]:
        """The questions that all logs have; none where there is no log, or they have none in common."""
        if not self._logged:
            return ()
        first = self._logged[0].deployment.questions
        if all(option.deployment.questions == first for option in self._logged):
            return first
        common = set.intersection(*(set(option.deployment.questions) for option in self._logged))
        return tuple(question for question in first if question in common)

    @cached_property
    def weights(self) -> FloatArray:
        """(Q,) shares of these questions; one query without any. Raises MooInferError where logs do not agree."""
        if not self.questions:
            return np.ones(1)
        shares: list[FloatArray] = []
        for option in self._logged:
            own = option.deployment.weights[self._place(option)]
            shares.append(own / own.sum())
        if not all(np.allclose(own, shares[0], rtol=SHARES) for own in shares[1:]):
            stages = ", ".join(option.stage for option in self._logged)
            raise MooInferError(f"workflow {self.name!r}: {stages} give other weights to the same questions")
        return shares[0]

    def _place(self, option: StageOption) -> IntArray:
        """Where the questions are among those of a stage."""
        place = {question: i for i, question in enumerate(option.deployment.questions)}
        return np.array([place[question] for question in self.questions], dtype=np.int64)

    @cached_property
    def _taken(self) -> dict[str, dict[str, int]]:
        """By stage and model, how many samples of its log stages before it call."""
        before: dict[str, int] = {}
        taken: dict[str, dict[str, int]] = {}
        for option in self.options:
            called = option.deployment.most if option.logged and not option.is_tool else {}
            taken[option.stage] = {model: before[model] for model in called if model in before}
            before |= {model: before.get(model, 0) + n for model, n in called.items()}
        return taken

    @property
    def shares_samples(self) -> bool:
        """Whether two stages draw from the same log, each samples of its own."""
        return bool(self.questions) and any(self._taken.values())

    @property
    def groups(self) -> list[list[int]]:
        """The numbers of stages, together where it is known by question how right they are together."""
        joint = [i for i, option in enumerate(self.options) if option.logged and self.questions]
        return [*([joint] if joint else []), *([i] for i in range(len(self.options)) if i not in joint)]

    def known(self, trials: int, seed: int) -> Composed:
        """Compose what is known of the stages."""
        each = self.known_of_stages(trials, seed)
        found, Q = Composed(), len(self.weights)
        for objective in self.objectives:
            if (span := self._together(self.spans(each, objective), objective)) is not None:
                found.add(objective.name, span.mean, None if self.shares_samples else span.variance, Q)
        if not self.shares_samples and all(ACCURACY.name in known.mean for known in each):
            right = self.rightness.of([known.mean[ACCURACY.name] for known in each])
            squares = [known.square.get(ACCURACY.name) for known in each]
            variance = None
            if not callable(self.workflow.right) and all(square is not None for square in squares):
                variance = self.rightness.of([square for square in squares if square is not None]) - right**2
            found.add(ACCURACY.name, right, variance, Q)
        self._cap(found)
        return found

    def known_of_stages(self, trials: int, seed: int) -> list[Known]:
        """Return what is known of each stage, given each question; over its own where logs have none in common."""
        each = []
        for option in self.options:
            known = option.known(trials, seed)
            if option.logged:
                place = self._place(option) if self.questions else None
                known = known.of(place) if place is not None else known.over(option.deployment.weights)
            each.append(known)
        return each

    def spans(self, each: Sequence[Known], objective: Objective) -> list[Span | None]:
        """Return what each stage takes of an objective; None where its mean is not known."""
        return [self._span(option, known, objective) for option, known in zip(self.options, each, strict=True)]

    def _span(self, option: StageOption, known: Known, objective: Objective) -> Span | None:
        if objective not in option.deployment.costs:  # a tool of which nothing is said
            return Span(np.zeros(1), np.zeros(1))
        if objective.name not in known.mean:
            return None
        return Span.of(known.mean[objective.name], known.variance(objective.name), known.cdf.get(objective.name))

    def _together(self, spans: Sequence[Span | None], objective: Objective) -> Span | None:
        """What stages take together; None where it is not known."""
        each = [span for span in spans if span is not None]
        if len(each) < len(spans):
            return None
        if objective.along == "sum":
            return reduce(Span.__add__, each)
        if all(span.constant for span in each):
            longest = self.graph.longest(np.broadcast_arrays(*(span.mean for span in each)))
            return Span(longest, np.zeros_like(longest))
        try:
            return self.graph.fold(each, Span.__add__, Span.__or__)
        except NotExact:
            return None

    def _cap(self, found: Composed) -> None:
        """Count runs over the cap as failed, where it is known which those are; else forget what they change."""
        cap = self.workflow.cap_seconds
        if cap is None:
            return
        seconds, std = found.mean.pop(LATENCY.name, None), found.std.pop(LATENCY.name, None)
        right = found.mean.pop(ACCURACY.name, None)
        spread = found.std.pop(ACCURACY.name, None)
        if seconds is None or std is None or std.any():
            return
        inside = ended(seconds, cap)
        found.mean[LATENCY.name], found.std[LATENCY.name] = np.minimum(seconds, cap), std
        if right is not None:
            found.mean[ACCURACY.name] = np.where(inside, right, 0.0)
        if spread is not None:
            found.std[ACCURACY.name] = np.where(inside, spread, 0.0)

    def replay(self, trials: int, seed: int, question: IntArray | None = None) -> Trials:
        """Run it on queries that are drawn; about these questions (M,), drawn where None is given."""
        if self.questions and question is None:
            question = np.random.default_rng([seed, 9]).choice(len(self.questions), trials, p=self.weights)
        each = [self._replay_of(option, trials, seed, question) for option in self.options]
        none = np.zeros(trials)
        totals = {}
        for objective in self.objectives:
            parts = [replay.totals.get(objective.name, none) for replay in each]
            totals[objective.name] = np.sum(parts, axis=0) if objective.along == "sum" else self.graph.longest(parts)
        right = self.rightness.of([replay.totals[ACCURACY.name] for replay in each])
        cap = self.workflow.cap_seconds
        if cap is not None:
            right = np.where(ended(totals[LATENCY.name], cap), right, 0.0)
            totals[LATENCY.name] = np.minimum(totals[LATENCY.name], cap)
        return Trials({**totals, ACCURACY.name: right}, question if self.questions else None, tuple(each))

    def _replay_of(self, option: StageOption, trials: int, seed: int, question: IntArray | None) -> Replay:
        if not (option.logged and self.questions):
            return option.replay(trials, seed, None, {})
        assert question is not None
        return option.replay(trials, seed, self._place(option)[question], self._taken[option.stage])
