"""Curves of draws that weigh the questions of a log anew: moments over the questions, of all draws at once."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from ..core.arrays import FloatArray
from ..core.moments import Moments
from ..quantities.bootstrap import QuestionDraws
from .curve_draws import TOGETHER
from .curves import Column, Curve
from .mixture import MixedQuantile, QuestionMoments, mixed, summed_by_question
from .monte_carlo import Estimator, Simulation
from .reweighed import QuestionTrials, ReweighedColumn
from .same_questions import SameQuestions
from .setup_draws import SetupDraws

__all__ = ["WeighedCurves", "WeighedMoments"]

BLOCK = TOGETHER  # draws whose quantiles are searched for together, by one worker
# Where less than that is left of squares around a centre, they are taken around the mean: a spread loses four digits.
CANCELLED = 1e-4


@dataclass(frozen=True, eq=False)
class WeighedMoments:
    """Moments over the questions of a log in each of B draws.

    Args:
        given: (Q, n), those given each question, with their cdf where it is known.
        draws: which questions were asked, Q of them.
        share: whether means are shares of right answers, which are drawn with pseudo-questions.

    >>> given = Moments(np.array([[1.0], [3.0]]), np.array([[0.0], [0.0]]))
    >>> weighed = WeighedMoments(given, QuestionDraws(["q1", "q2"], 5, seed=0))
    >>> weighed.mean.shape, float(weighed[4].mean[0]) == float(weighed.mean[4, 0])
    ((5, 1), True)
    """

    given: Moments
    draws: QuestionDraws
    share: bool = False
    _quantiles: dict[tuple[float, int], FloatArray] = field(default_factory=dict, init=False, repr=False)

    def __getitem__(self, b: int) -> QuestionMoments:
        """Return the moments of one draw."""
        std = None if self.std is None else self.std[b]
        quantile = None if std is None or self.given.cdf is None else partial(self.quantile, b)
        return QuestionMoments(
            self.mean[b],
            std,
            quantile,
            weights=self._weights[b],
            by_question=self.given.mean,
            questions=self.draws.questions,
            share=self.share,
        )

    @cached_property
    def _weights(self) -> FloatArray:
        """(B, Q), looked up once: every draw asks for its own."""
        return self.draws.weights

    @cached_property
    def mean(self) -> FloatArray:
        """(B, n) expectations."""
        low, high = self._pseudo
        return np.asarray((self.draws.weights @ self.given.mean + high) / (1.0 + low + high))

    @cached_property
    def std(self) -> FloatArray | None:
        """(B, n) standard deviations over trials."""
        if self.given.std is None:
            return None
        (low, high), centre = self._pseudo, self.given.mean.mean(axis=0)
        squares = self.given.std**2 + (self.given.mean - centre) ** 2
        around = (self.draws.weights @ squares + low * centre**2 + high * (1 - centre) ** 2) / (1.0 + low + high)
        variance = around - (self.mean - centre) ** 2
        for b in np.flatnonzero((variance < CANCELLED * around).any(axis=1)).tolist():
            variance[b] = self._around_mean(b, self.given.std)
        return np.asarray(np.sqrt(variance))

    def quantile(self, b: int, q: float) -> FloatArray:
        """Return the (n,) quantiles of one draw; those of the draws beside it are searched for with them."""
        cdf, std = self.given.cdf, self.given.std
        assert cdf is not None
        assert std is not None
        if self.share:  # what is searched for is another share in every draw
            weights = self.draws.weights[b]
            own = mixed(weights, self.given.mean, std)
            assert own.std is not None
            low, high = self.draws.pseudo[b].tolist()
            return MixedQuantile(cdf, weights, own.mean, own.std, (low, high))(q)
        assert self.std is not None
        key = q, b // BLOCK
        if key not in self._quantiles:
            some = slice(key[1] * BLOCK, (key[1] + 1) * BLOCK)
            self._quantiles[key] = cdf.quantiles(self.draws.weights[some], q, self.mean[some], self.std[some])
        found: FloatArray = self._quantiles[key][b % BLOCK]
        return found

    @cached_property
    def _pseudo(self) -> FloatArray:
        """(2, B, 1) weights of what is all 0 and of what is all 1."""
        return self.draws.pseudo.T[:, :, None] if self.share else np.zeros((2, 1, 1))

    def _around_mean(self, b: int, std: FloatArray) -> FloatArray:
        """(n,) variances of one draw."""
        low, high = np.broadcast_to(self._pseudo, (2, len(self.mean), 1))[:, b, 0]
        mean = self.mean[b]
        squares = self.draws.weights[b] @ (std**2 + (self.given.mean - mean) ** 2)
        return np.asarray((squares + low * mean**2 + high * (1 - mean) ** 2) / (1.0 + low + high))


@dataclass(frozen=True, eq=False)
class DrawnSource:
    """What a draw gives where more than its moments is asked for: simulated trials, and intervals.

    Args:
        estimator: of the curve.
        draws, b: which draw of what.
        missing: the objectives of which something is simulated.
    """

    estimator: Estimator
    draws: SetupDraws
    b: int
    missing: tuple[str, ...]

    def __getitem__(self, objective: str, /) -> FloatArray:
        """Return the (M, n) totals of an objective."""
        return self._simulation[objective]

    def stderr(self, objective: str, /) -> FloatArray:
        """Return (n,) standard errors of a mean over the questions."""
        return self._simulation.stderr(objective)

    def intervals(self, objective: str, means: QuestionMoments, level: float) -> FloatArray:
        """Return (2, n) ends of the intervals of means; see `SameQuestions.intervals`."""
        return self._again.intervals(objective, means, level)

    @cached_property
    def _again(self) -> SameQuestions:
        return SameQuestions(self.draws[self.b], self.estimator.moments)

    @cached_property
    def _simulation(self) -> Simulation:
        return Simulation(self.draws[self.b], self.estimator.trials, self.estimator.seed, self.missing, {})


@dataclass(frozen=True, eq=False)
class WeighedCurves:
    """Curves of draws that weigh the questions of a log anew.

    Args:
        estimator: of the curves.
        draws: of the questions.
        given: by objective what each part says of every question, (Q, n); None where it is simulated.
        trials: of every question, where something is simulated.
    """

    estimator: Estimator
    draws: SetupDraws
    given: Mapping[str, Sequence[Moments | None]]
    trials: QuestionTrials | None

    def __iter__(self) -> Iterator[Curve]:
        assert self.draws.questions is not None
        return map(self.curve, range(self.draws.questions.B))

    def curve(self, b: int, /) -> Curve:
        """Return the curve of one draw."""
        setup = self.draws.setup
        exact = {
            name: summed_by_question([None if of is None else of[b] for of in each])
            for name, each in self._exact.items()
        }
        missing = tuple(n for n, m in exact.items() if m is None or m.std is None or m.quantile is None)
        source = DrawnSource(self.estimator, self.draws, b, missing)
        columns = {name: self._column(name, moments, source, b) for name, moments in exact.items()}
        possible = np.ones(len(setup.k), dtype=bool)
        names = setup.profile.name, setup.aggregator.name
        return Curve(*names, setup.parallelism, setup.k, columns, possible=possible)

    def _column(self, name: str, moments: Moments | None, source: DrawnSource, b: int) -> Column:
        column = Column(moments, source, name, source)
        if self.trials is None or name not in self.trials.objectives:
            return column
        return ReweighedColumn(column, self.trials, partial(self._of_trials, name, b))

    @cached_property
    def _exact(self) -> dict[str, list[WeighedMoments | None]]:
        return {
            name: [None if of is None else self._weighed(name, of) for of in each] for name, each in self.given.items()
        }

    def _of_trials(self, name: str, b: int) -> QuestionMoments:
        """Moments of simulated totals in one draw."""
        if name not in self._simulated:
            assert self.trials is not None
            self._simulated[name] = self._weighed(name, self.trials.moments[name])
        return self._simulated[name][b]

    @cached_property
    def _simulated(self) -> dict[str, WeighedMoments]:
        return {}

    def _weighed(self, name: str, given: Moments) -> WeighedMoments:
        assert self.draws.questions is not None
        return WeighedMoments(given, self.draws.questions, self.draws.setup.queries.is_share(name))
