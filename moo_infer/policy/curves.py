"""A policy as a curve of the table: exact where it is known, replayed where not, and drawn anew like any other."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import repeat

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.cdf import Cdf
from ..core.errors import NotExact
from ..core.moments import Moments
from ..estimate.course import Course
from ..estimate.curve_draws import CurveDraws
from ..estimate.curves import Column, Curve, Trials
from ..estimate.exact import Asked, Exact
from ..estimate.monte_carlo import Estimator
from ..profiles import ModelProfile
from ..quantities.bootstrap import QuestionDraws, QuestionHalves
from .by_law import ByLaw, evaluated_by_law, moments_by_law
from .by_question import ByQuestion, moments_of
from .deployment import Deployment
from .exact import evaluated
from .partly_simulated import PartlySimulated
from .redraws import QuestionReplays, ReplayedCdf, centre
from .replay import Replay, replayed

__all__ = ["PolicySetup"]


@dataclass(frozen=True, eq=False)
class PolicySetup:
    """What a curve of a policy is estimated from.

    Args:
        name: what the table calls the policy.
        deployments: the policy at n numbers of samples, over the same models.
        texts: (n,), what makes each of them again.
    """

    name: str
    deployments: tuple[Deployment, ...]
    texts: tuple[str, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models."""
        return self.deployments[0].models

    @property
    def questions(self) -> tuple[str, ...]:
        """The questions of the logs; none without logs."""
        return self.deployments[0].questions if self.deployments[0].samples is not None else ()

    @property
    def profiles(self) -> tuple[ModelProfile, ...]:
        """Those of the models."""
        return tuple(setup.profile for setup in self.deployments[0].setups.values())

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of the columns of the table."""
        return (*self.deployments[0].worths, *(objective.name for objective in self.deployments[0].costs))

    def curve(self, estimator: Estimator, /) -> Curve:
        """Estimate the curve."""
        simulated = _Simulated(self.deployments, estimator.trials, estimator.seed)
        rows = _known(self.deployments, estimator) if isinstance(estimator, Exact) else None
        columns = {name: self._column(rows, simulated, name) for name in self.objectives}
        setups = self.deployments[0].setups.values()
        courses = map(self._course, range(len(self.texts)), rows.rows if rows else simulated.replays)
        return replace(
            self._curve(columns),
            remarks=tuple(
                dict.fromkeys([*self.deployments[0].doubts, *self._remarks(rows.rows if rows else simulated.replays)])
            ),
            supported=next(iter(setups)).profile.largest_k if len(setups) == 1 else None,
            courses=tuple(courses),
        )

    def redraw(self, estimator: Estimator, B: int, seed: int, questions: Asked = "other") -> CurveDraws:
        """Estimate the curve for B draws of what is uncertain in it; arguments as in `Exact.redraw`."""
        halves = questions == "halves"
        setups = self.deployments[0].setups.items()
        drawn = {model: {} if halves else setup.profile.draw(B, seed) for model, setup in setups}
        several = len(self.questions) > 1
        if several and questions == "same":
            return CurveDraws(B, partial(self._again, estimator, B, seed, drawn))
        draws = QuestionHalves if halves else QuestionDraws
        weights = draws(self.questions, B, seed) if several else None
        if weights is None and not any(drawn.values()):
            curve = self.curve(estimator)
            return CurveDraws(B, lambda some: repeat(curve, len(some)))
        return CurveDraws(B, partial(self._reweighed, estimator, drawn, weights, {}))

    def _reweighed(
        self,
        estimator: Estimator,
        drawn: Mapping[str, Mapping[str, FloatArray]],
        draws: QuestionDraws | None,
        kept: "dict[int, _Evaluated]",
        some: range,
    ) -> Iterator[Curve]:
        """Curves of draws of numbers, and of the weights of questions; these need one evaluation for all draws."""
        numbers = any(drawn.values())
        for b in some:
            place = b if numbers else 0
            of = kept.get(place)
            if of is None:
                of = _Evaluated.of(_with_values(self.deployments, drawn, b), len(self.questions), estimator)
                kept.clear()
                kept[place] = of
            if draws is None:
                simulated = _Simulated(of.deployments, estimator.trials, estimator.seed)
                yield self._curve({name: self._column(of.rows, simulated, name) for name in self.objectives})
                continue
            low, high = draws.pseudo[b].tolist()
            given = of.rows, of.trials, of.deployments[0]
            weights = draws.weights[b], (low, high)
            yield self._curve({name: Column(_reweighed(*given, name, *weights)) for name in self.objectives})

    def _again(
        self, estimator: Estimator, B: int, seed: int, drawn: Mapping[str, Mapping[str, FloatArray]], some: range
    ) -> Iterator[Curve]:
        """Curves of samples that were drawn with replacement; their means are moved to have that of the log itself."""
        curve = self.curve(estimator)
        curves = []
        for b in range(B):
            deployments = [of.drawn_anew(b, seed) for of in _with_values(self.deployments, drawn, b)]
            curves.append(replace(self, deployments=tuple(deployments)).curve(estimator))
        centre(curves, curve, self.deployments[0].worths)
        yield from curves[some.start : some.stop]

    def _remarks(self, known: Sequence[ByQuestion | ByLaw | Replay]) -> Iterator[str]:
        """What the models have to say, and what is to be said of the questions and answers that it is evaluated on."""
        yield from (text for setup in self.deployments[0].setups.values() for text in setup.notes.texts)
        yield from (remark for of in self.deployments for remark in of.remarks)
        if any(each.of_two for each in known if isinstance(each, ByLaw | Replay)):
            yield self.deployments[0].of_two

    @property
    def _shares(self) -> FloatArray:
        """(Q,) of the questions."""
        return self.deployments[0].weights if self.questions else np.zeros(0)

    def _column(self, rows: "_Rows | None", simulated: "_Simulated", name: str) -> Column:
        moments = rows.moments(name, self._shares) if rows else None
        error = rows.simulation_error(name, self._shares) if rows and moments else None
        return Column(moments, simulated, name) if error is None else PartlySimulated(moments, simulated, name, error)

    def _curve(self, columns: Mapping[str, Column]) -> Curve:
        k = np.array([sum(of.most.values()) for of in self.deployments], dtype=np.int64)
        P = max(setup.parallelism for setup in self.deployments[0].setups.values())
        return Curve(" > ".join(self.models), self.name, P, k, columns)

    def _course(self, i: int, known: ByQuestion | ByLaw | Replay) -> Course:
        if isinstance(known, Replay):
            M = len(known.waves)
            endings = {n: count / M for n, count in Counter(map(tuple, known.n.tolist())).items()}
            waves = {n: count / M for n, count in Counter(known.waves.tolist()).items()}
        else:
            shares = self._shares if isinstance(known, ByQuestion) else np.ones(1)
            endings = {n: float(shares @ np.atleast_1d(share)) for n, share in known.endings.items()}
            waves = {n: float(shares @ np.atleast_1d(share)) for n, share in known.waves.items()}
        answering = tuple(sorted(self.deployments[i].answering))
        return Course.of(self.texts[i], self.models, endings, waves, answering)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Exact evaluations at n numbers of samples: on questions of logs, or by laws."""

    rows: list[ByQuestion] | list[ByLaw]

    def moments(
        self, objective: str, weights: FloatArray, pseudo: tuple[float, float] = (0.0, 0.0), cdf: Cdf | None = None
    ) -> Moments | None:
        """Return the moments of an objective; None where they are not known."""
        on_questions = [row for row in self.rows if isinstance(row, ByQuestion)]
        if on_questions:
            return moments_of(on_questions, objective, weights, pseudo, cdf)
        return moments_by_law([row for row in self.rows if isinstance(row, ByLaw)], objective)

    def simulation_error(self, objective: str, weights: FloatArray) -> FloatArray | None:
        """Return (n,) standard errors that are due to replay; None where nothing is replayed."""
        on_questions = [row for row in self.rows if isinstance(row, ByQuestion)]
        if not any(len(row.replayed_of(objective)) for row in on_questions):
            return None
        return np.sqrt([row.simulation_variance(objective, weights) for row in on_questions])


def _known(deployments: Sequence[Deployment], estimator: Estimator) -> _Rows | None:
    """Evaluate exactly; None where one of the policies is not known exactly."""
    try:
        if deployments[0].samples is None:
            return _Rows([evaluated_by_law(of) for of in deployments])
        return _Rows([evaluated(of, estimator.trials, estimator.seed) for of in deployments])
    except NotExact:
        return None


@dataclass(frozen=True, eq=False)
class _Evaluated:
    """A policy at n numbers of samples, evaluated: exactly where it is known, and on each question."""

    deployments: tuple[Deployment, ...]
    rows: _Rows | None
    trials: QuestionReplays

    @classmethod
    def of(cls, deployments: tuple[Deployment, ...], questions: int, estimator: Estimator) -> "_Evaluated":
        """Evaluate."""
        trials = QuestionReplays(partial(_totals, deployments, estimator.seed), questions, estimator.trials)
        return cls(deployments, _known(deployments, estimator), trials)


def _with_values(
    deployments: Sequence[Deployment], drawn: Mapping[str, Mapping[str, FloatArray]], b: int
) -> tuple[Deployment, ...]:
    """The same with the numbers of a draw."""
    values = {model: {path: float(of[b]) for path, of in own.items()} for model, own in drawn.items()}
    return tuple(of.with_values(values) for of in deployments) if any(drawn.values()) else tuple(deployments)


@dataclass(frozen=True, eq=False)
class _Simulated:
    """Trials of a curve, replayed when the first of them is asked for.

    Args:
        deployments: the policy at n numbers of samples.
        trials, seed: as in `replayed`.
    """

    deployments: Sequence[Deployment]
    trials: int
    seed: int

    @cached_property
    def replays(self) -> list[Replay]:
        """One at each number of samples."""
        return [replayed(of, self.trials, self.seed) for of in self.deployments]

    def __getitem__(self, objective: str, /) -> FloatArray:
        """Return the (M, n) totals of an objective."""
        return np.stack([replay.totals[objective] for replay in self.replays], axis=1)

    def stderr(self, objective: str, /) -> FloatArray:
        """(n,) standard errors of a mean over the questions of a log; NaN without one."""
        question = self.replays[0].question
        return Trials({objective: self[objective]}, question, len(self.deployments[0].questions)).stderr(objective)


def _totals(deployments: Sequence[Deployment], seed: int, question: IntArray) -> dict[str, FloatArray]:
    """Totals (M, n) of a policy at n numbers of samples, about these questions (M,)."""
    each = [replayed(of, len(question), seed, question).totals for of in deployments]
    return {name: np.stack([totals[name] for totals in each], axis=1) for name in each[0]}


def _reweighed(
    rows: _Rows | None,
    trials: QuestionReplays,
    first: Deployment,
    objective: str,
    weights: FloatArray,
    pseudo: tuple[float, float],
) -> Moments:
    """Moments with other weights of the questions: exact where they are known, else of trials of each question."""
    cdf = ReplayedCdf(trials, objective)
    exact = rows.moments(objective, weights, pseudo, cdf) if rows else None
    if exact:
        return exact
    totals = trials.totals(objective)
    simulated = [
        ByQuestion(first.questions, first.shares, {objective: own.mean(axis=0)}, {objective: (own**2).mean(axis=0)})
        for own in np.moveaxis(totals, 2, 0)
    ]
    moments = moments_of(simulated, objective, weights, pseudo, cdf)
    assert moments is not None
    return moments
