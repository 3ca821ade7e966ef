"""A workflow as a curve of the table: one row, exact where it is known, replayed where not, and drawn anew."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import repeat

import numpy as np

from ...core.arrays import FloatArray, IntArray
from ...core.cdf import Cdf
from ...core.moments import Moments
from ...core.objectives import ACCURACY
from ...estimate.curve_draws import CurveDraws
from ...estimate.curves import Column, ConstantQuantile, Curve
from ...estimate.curves import Trials as CurveTrials
from ...estimate.exact import Asked, Exact
from ...estimate.mixture import over_questions
from ...estimate.monte_carlo import Estimator
from ...profiles import ModelProfile
from ...quantities.bootstrap import QuestionDraws, QuestionHalves
from ...quantities.steps import EvenSteps
from ..redraws import QuestionReplays, ReplayedCdf, centre
from .course import assumed, course_of
from .rows import Composed, Trials, WorkflowRow

__all__ = ["WorkflowSetup"]


@dataclass(frozen=True, eq=False)
class WorkflowSetup:
    """What a curve of a workflow is estimated from.

    Args:
        label: what the table calls its model and its aggregator.
        row: the workflow with one option for every stage.
    """

    label: tuple[str, str]
    row: WorkflowRow

    @property
    def questions(self) -> tuple[str, ...]:
        """The questions of the logs; none without logs."""
        return self.row.questions

    @property
    def profiles(self) -> tuple[ModelProfile, ...]:
        """Those of the models, each once; tools are none."""
        named: dict[str, ModelProfile] = {}
        for option in self.row.options:
            named |= {} if option.is_tool else {m: s.profile for m, s in option.deployment.setups.items()}
        return tuple(named.values())

    @property
    def uncertain(self) -> bool:
        """Whether numbers of its models and tools are, or its questions might have been others."""
        return len(self.questions) > 1 or any(option.uncertain for option in self.row.options)

    def curve(self, estimator: Estimator, /) -> Curve:
        """Estimate the curve."""
        doubt, bounds = assumed(self.row, estimator.trials, estimator.seed)
        remarks: list[str] = [doubt] if doubt else []
        for option in self.row.options:
            of = option.deployment
            remarks += [*of.doubts, *(text for setup in of.setups.values() for text in setup.notes.texts), *of.remarks]
            if option.known(estimator.trials, estimator.seed).of_two:
                remarks.append(of.of_two)
        remarks += self._remarks
        course = course_of(self.row, estimator.trials, estimator.seed, bounds)
        return replace(self._curve(self._columns(estimator)), remarks=tuple(dict.fromkeys(remarks)), courses=(course,))

    @property
    def _remarks(self) -> Iterator[str]:
        """What is to be said of its logs."""
        row = self.row
        logged = [option for option in row.options if option.logged]
        for option in logged if row.questions else ():
            if len(option.deployment.questions) > len(row.questions):
                yield (
                    f"{row.name} is evaluated on the {len(row.questions)} questions that the logs of its stages have "
                    f"in common, and {option.stage} has {len(option.deployment.questions)}"
                )
        if len(logged) > 1 and not row.questions:
            yield f"{row.name}: the logs of {', '.join(option.stage for option in logged)} have no question in common"
        for option in row.options:
            if option.is_tool:
                missing = [o.name for o in row.objectives if o not in option.deployment.costs]
                if missing:
                    yield f"{row.name}: of {option.stage} nothing is known of {', '.join(missing)}, which is left out"

    def _columns(self, estimator: Estimator) -> dict[str, Column]:
        known = self.row.known(estimator.trials, estimator.seed) if isinstance(estimator, Exact) else Composed()
        simulated = _Simulated(self.row, estimator.trials, estimator.seed)
        weights = self.row.weights
        return {name: Column(self._moments(known, name, weights), simulated, name) for name in self._objectives}

    @property
    def _objectives(self) -> tuple[str, ...]:
        return (ACCURACY.name, *(objective.name for objective in self.row.objectives))

    def _moments(
        self,
        known: Composed,
        name: str,
        weights: FloatArray,
        pseudo: tuple[float, float] = (0.0, 0.0),
        cdf: Cdf | None = None,
    ) -> Moments | None:
        if name not in known.mean:
            return None
        mean, std = known.mean[name][:, None], known.std[name][:, None] if name in known.std else None
        still = std is not None and not std.any()
        if not self.questions:
            return Moments(mean[0], None if std is None else std[0], ConstantQuantile(mean[0]) if still else None)
        cdf = EvenSteps(mean, np.arange(len(mean))) if still else cdf
        share = name == ACCURACY.name and not self._graded
        return over_questions(weights, mean, std, pseudo if share else (0.0, 0.0), self.questions, cdf=cdf, share=share)

    @property
    def _graded(self) -> bool:
        """Whether accuracies are grades, not shares of right answers."""
        return any(log.graded for option in self.row.options for log in option.deployment.samples or ())

    def _curve(self, columns: Mapping[str, Column]) -> Curve:
        k = np.array([max(1, sum(option.k for option in self.row.options))], dtype=np.int64)
        setups = [s for option in self.row.options for s in option.deployment.setups.values() if not option.is_tool]
        return Curve(*self.label, max((setup.parallelism for setup in setups), default=1), k, columns)

    def redraw(self, estimator: Estimator, B: int, seed: int, questions: Asked = "other") -> CurveDraws:
        """Estimate the curve for B draws of what is uncertain in it; arguments as in `Exact.redraw`."""
        several = len(self.questions) > 1
        if several and questions == "same":
            return CurveDraws(B, partial(self._again, estimator, B, seed))
        of_questions = QuestionHalves if questions == "halves" else QuestionDraws
        draws = of_questions(self.questions, B, seed) if several else None
        uncertain = questions != "halves" and any(o.uncertain for o in self.row.options)
        if draws is None and not uncertain:
            curve = self.curve(estimator)
            return CurveDraws(B, lambda some: repeat(curve, len(some)))

        def drawn(b: int) -> WorkflowSetup:
            return replace(self, row=self._drawn(B, seed, b)) if uncertain else self

        return CurveDraws(B, partial(_each_drawn, drawn, uncertain, draws, estimator, {}))

    def _again(self, estimator: Estimator, B: int, seed: int, some: range) -> Iterator[Curve]:
        """Curves of samples that were drawn with replacement; their means are moved to have that of the log itself."""
        given = self.curve(estimator)
        rows = (self._drawn(B, seed, b, again=True) for b in range(B))
        curves = [self._curve(replace(self, row=row)._columns(estimator)) for row in rows]
        centre(curves, given, (ACCURACY.name,))
        yield from curves[some.start : some.stop]

    def _reweighed(
        self,
        known: Composed,
        trials: QuestionReplays,
        name: str,
        weights: FloatArray,
        pseudo: tuple[float, float],
    ) -> Moments:
        """Moments with other weights of the questions: exact where they are known, else of trials of each question."""
        cdf = ReplayedCdf(trials, name)
        if name not in known.mean or name not in known.std:
            totals = trials.totals(name)[:, :, 0]
            mean = known.mean.get(name, totals.mean(axis=0))
            known = Composed({name: mean}, {name: totals.std(axis=0)})
        moments = self._moments(known, name, weights, pseudo, cdf)
        assert moments is not None
        return moments

    def _drawn(self, B: int, seed: int, b: int, *, again: bool = False) -> WorkflowRow:
        """The row with the numbers of a draw, and with samples drawn anew where they are."""
        options = tuple(option.drawn(B, seed, b, again=again) for option in self.row.options)
        return replace(self.row, options=options)


@dataclass(frozen=True, eq=False)
class _Simulated:
    """Trials of a curve, replayed when the first of them is asked for; arguments as in `WorkflowRow.replay`."""

    row: WorkflowRow
    trials: int
    seed: int

    @cached_property
    def _trials(self) -> Trials:
        return self.row.replay(self.trials, self.seed)

    def __getitem__(self, objective: str, /) -> FloatArray:
        """Return the (M, 1) totals of an objective."""
        return self._trials.totals[objective][:, None]

    def stderr(self, objective: str, /) -> FloatArray:
        """(1,) standard error of a mean over the questions of a log; NaN without one."""
        known = self._trials
        return CurveTrials({objective: self[objective]}, known.question, len(self.row.questions)).stderr(objective)


def _each_drawn(
    drawn: Callable[[int], WorkflowSetup],
    uncertain: bool,
    draws: QuestionDraws | None,
    estimator: Estimator,
    kept: dict[int, tuple[WorkflowSetup, QuestionReplays, Composed]],
    some: range,
) -> Iterator[Curve]:
    """Curves of draws of numbers, and of the weights of questions; these need one evaluation for all draws."""
    for b in some:
        place = b if uncertain else 0
        made = kept.get(place)
        if made is None:
            setup = drawn(b)
            replay = partial(_totals, setup.row, estimator.seed)
            trials = QuestionReplays(replay, max(len(setup.questions), 1), estimator.trials)
            exact = isinstance(estimator, Exact)
            made = setup, trials, setup.row.known(estimator.trials, estimator.seed) if exact else Composed()
            kept.clear()
            kept[place] = made
        setup, trials, known = made
        if draws is None:
            yield setup._curve(setup._columns(estimator))
            continue
        low, high = draws.pseudo[b].tolist()
        each = {n: setup._reweighed(known, trials, n, draws.weights[b], (low, high)) for n in setup._objectives}
        yield setup._curve({name: Column(moments) for name, moments in each.items()})


def _totals(row: WorkflowRow, seed: int, question: IntArray) -> dict[str, FloatArray]:
    """Totals (M, 1) about these questions (M,)."""
    return {name: totals[:, None] for name, totals in row.replay(len(question), seed, question).totals.items()}
