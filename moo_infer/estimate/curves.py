"""Interval curves, their columns, and the figures of one row."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.errors import MooInferError, NotExact, unknown
from ..core.moments import Moments
from ..core.objectives import quantile_of
from .course import Course
from .mixture import QuestionMoments, between_questions
from .same_questions import Again

__all__ = [
    "HIGH",
    "LOW",
    "STATISTICS",
    "Column",
    "Curve",
    "MomentSource",
    "TrialSource",
    "Trials",
    "known_columns",
]


LEVEL = 0.95  # of the intervals of means
LOW, HIGH = 0.025, 0.975  # the quantiles behind `low` and `high`: the central 95 % over queries (paper, eq 7)
STATISTICS = ("mean", "std", "low", "high", "stderr", "stderr_simulation")


@dataclass(frozen=True, eq=False)
class Trials:
    """M simulated trials.

    Args:
        totals: by objective (M, n), at the n values of k.
        question: (M,), which question of a log each trial is about; None where that is not known.
        questions: Q, how many the log has; 0 without one.
    """

    totals: Mapping[str, FloatArray]
    question: IntArray | None = None
    questions: int = 0

    def __getitem__(self, objective: str) -> FloatArray:
        """Return the (M, n) totals of an objective."""
        return self.totals[objective]

    def stderr(self, objective: str) -> FloatArray:
        """(n,) standard errors of a mean over the questions of the log; NaN where these are not known."""
        totals = self.totals[objective]
        if self.question is None or not self.questions:
            return np.full(totals.shape[1], np.nan)
        return between_questions(totals, self.question, self.questions)


class TrialSource(Protocol):
    """Where a column gets simulated totals from: `Trials`, or what simulates them when it is asked."""

    def __getitem__(self, objective: str, /) -> FloatArray:
        """Return the (M, n) totals of an objective."""
        ...

    def stderr(self, objective: str, /) -> FloatArray:
        """Return (n,) standard errors of a mean over the questions of a log; NaN without one."""
        ...


class MomentSource:
    """The exact moments of a curve by objective. Where it was pickled, the parts are asked for them again.

    A part may answer with a function that does not pickle, such as a lambda; the part itself does.

    Args:
        ask: asks the parts; gives the same every time.
        moments: what it gives, where that is known already.
    """

    def __init__(
        self,
        ask: Callable[[], Mapping[str, Moments | None]],
        moments: Mapping[str, Moments | None] | None = None,
    ) -> None:
        self._ask = ask
        if moments is not None:
            self.moments = moments

    @cached_property
    def moments(self) -> Mapping[str, Moments | None]:
        """What the parts answered."""
        return self._ask()

    @cached_property
    def _quantiles(self) -> dict[tuple[str, float], FloatArray]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        return {"_ask": self._ask}

    def quantile(self, objective: str, q: float) -> FloatArray:
        """Return exact quantiles (n,); or (B, n), of all draws at once and kept, as each of them asks for its own."""
        if (objective, q) not in self._quantiles:
            moments = self.moments[objective]
            assert moments is not None
            assert moments.quantile is not None
            self._quantiles[objective, q] = moments.quantile(q)
        return self._quantiles[objective, q]

    def of(self, objective: str, draw: int | None = None) -> Moments | None:
        """Return the moments of an objective; of one draw where they are (B, n), for all draws at once."""
        moments = self.moments[objective]
        if moments is None:
            return None
        quantile = None if moments.quantile is None else ExactQuantile(self, objective, draw)
        if draw is None:
            return replace(moments, quantile=quantile)
        return Moments(_drawn(moments.mean, draw), None if moments.std is None else _drawn(moments.std, draw), quantile)


@dataclass(frozen=True, eq=False)
class ExactQuantile:
    """Exact quantiles (n,) of an objective; arguments as in `MomentSource.of`."""

    source: MomentSource
    objective: str
    draw: int | None

    def __call__(self, q: float) -> FloatArray:
        values = self.source.quantile(self.objective, q)
        return values if self.draw is None else _drawn(values, self.draw)


def _drawn(values: FloatArray, draw: int) -> FloatArray:
    """Return (n,) values of one draw out of (B, n), or of (n,) where they are the same for all draws."""
    return values[draw] if np.ndim(values) == 2 and len(values) > 1 else np.ravel(values)


@dataclass(frozen=True, eq=False)
class ConstantQuantile:
    """Quantiles (n,) of what does not vary over trials."""

    values: FloatArray

    def __call__(self, q: float) -> FloatArray:
        return self.values


class Column:
    """One objective of one (model, aggregator) at n values of k: exact where known, simulated where not.

    Args:
        moments: what is known exactly.
        source: gives trials; asked only for what is not known exactly. None where everything is.
        objective: what it calls this one.
        again: gives intervals, had the questions of a log been asked again; None without one.
    """

    def __init__(
        self,
        moments: Moments | None,
        source: TrialSource | None = None,
        objective: str = "",
        again: Again | None = None,
    ) -> None:
        self._moments, self._source, self._objective, self._again = moments, source, objective, again
        self._quantiles: dict[float, FloatArray] = {}
        self._known: dict[float, FloatArray | None] = {}  # exact quantiles, None where one is not

    @classmethod
    def constant(cls, values: FloatArray, stderr: FloatArray | None = None) -> "Column":
        """Return the column of (n,) numbers that do not vary over trials, with (n,) standard errors where known."""
        column = cls(Moments(values, np.zeros(len(values)), ConstantQuantile(values)))
        if stderr is not None:
            column.stderr = stderr
        return column

    @cached_property
    def trials(self) -> FloatArray:
        """(M, n) simulated totals."""
        if self._source is None:
            raise MooInferError("numbers that are given have no trials, only what is known of them")
        return self._source[self._objective]

    @cached_property
    def mean(self) -> FloatArray:
        """(n,) expectations."""
        return self._moments.mean if self._moments else np.asarray(self.trials.mean(axis=0))

    @cached_property
    def std(self) -> FloatArray:
        """(n,) standard deviations over trials; NaN where one trial cannot tell."""
        if self._moments and self._moments.std is not None:
            return self._moments.std
        if len(self.trials) < 2:
            return np.full(self.trials.shape[1], np.nan)
        return np.asarray(self.trials.std(axis=0, ddof=1))

    @cached_property
    def stderr(self) -> FloatArray:
        """(n,) standard errors of the mean over the questions of a log: others might have been asked; NaN without."""
        if isinstance(self._moments, QuestionMoments):
            return self._moments.stderr
        if self._moments or self._source is None:
            return np.full_like(self.mean, np.nan)
        return self._source.stderr(self._objective)

    @property
    def of_questions(self) -> bool:
        """Whether means given each question of a log are known."""
        return isinstance(self._moments, QuestionMoments)

    def paired_stderr(self, other: "Column", place: int, /) -> FloatArray:
        """(n,) standard errors of the differences from one mean of another column; NaN where no questions are known."""
        mine, theirs = self._moments, other._moments
        if not isinstance(mine, QuestionMoments) or not isinstance(theirs, QuestionMoments):
            return np.full_like(self.mean, np.nan)
        return mine.paired_stderr(theirs, place)

    def by_question(self, place: int, /) -> dict[str, float] | None:
        """Return a mean given each question of a log, by its name; None without one."""
        known = self._moments
        if not isinstance(known, QuestionMoments) or not known.questions:
            return None
        return dict(zip(known.questions, known.by_question[:, place].tolist(), strict=True))

    @cached_property
    def other_questions(self) -> FloatArray:
        """(2, n) ends of the 95 % intervals of the means, had other questions been asked; NaN without a log."""
        known = self._moments.intervals(LEVEL) if isinstance(self._moments, QuestionMoments) else None
        return np.full((2, len(self.mean)), np.nan) if known is None else known

    @cached_property
    def same_questions(self) -> FloatArray:
        """(2, n) ends likewise, had the questions of the log been asked again; NaN where it is not known."""
        if self._again is None or not isinstance(self._moments, QuestionMoments):
            return np.full((2, len(self.mean)), np.nan)
        return self._again.intervals(self._objective, self._moments, LEVEL)

    @cached_property
    def stderr_simulation(self) -> FloatArray:
        """(n,) Monte Carlo standard errors of a simulated mean; NaN where it is exact."""
        return np.full_like(self.mean, np.nan) if self._moments else self.std / np.sqrt(len(self.trials))

    def quantile(self, q: float, /) -> FloatArray:
        """(n,) quantiles over trials."""
        if q not in self._quantiles:
            exact = self._exact_quantile(q)
            self._quantiles[q] = np.quantile(self.trials, q, axis=0) if exact is None else exact
        return self._quantiles[q]

    def _exact_quantile(self, q: float) -> FloatArray | None:
        """Return exact quantiles (n,); None where they are not known. Every row of a report asks for the same ones."""
        if q not in self._known:
            known = None
            if self._moments is not None and self._moments.quantile is not None:
                with suppress(NotExact):  # of laws that differ it may turn out only now
                    known = self._moments.quantile(q)
            self._known[q] = known
        return self._known[q]

    def statistic(self, name: str, /) -> FloatArray:
        """(n,) values of a statistic: one of ``STATISTICS``, or a quantile as a percentage such as ``p95``.

        Raises:
            MooInferError: for what is no statistic.
        """
        if not isinstance(name, str):
            raise MooInferError(f"statistic: must be a name such as mean or p95, got {name!r}")
        if name in ("low", "high"):
            return self.quantile(LOW if name == "low" else HIGH)
        values: FloatArray = getattr(self, name) if name in STATISTICS else self.quantile(quantile_of(name))
        return values

    @cached_property
    def simulated(self) -> tuple[str, ...]:
        """The statistics that come from simulation."""
        if self._moments is None:
            return ("mean", "std", "low", "high")
        missing = ("std",) if self._moments.std is None else ()
        return (*missing, *(name for name, q in (("low", LOW), ("high", HIGH)) if self._exact_quantile(q) is None))


def known_columns(names: Sequence[str], means: FloatArray, stderr: Mapping[str, npt.ArrayLike]) -> dict[str, Column]:
    """Return the columns, by objective, of (n, m) means that are known; some with (n,) standard errors.

    Raises:
        MooInferError: for standard errors that are none.
    """
    errors = {name: np.array(error, dtype=np.float64) for name, error in stderr.items()}
    for name, error in errors.items():
        if name not in names:
            raise unknown("objective", name, names)
        if error.shape != means.shape[:1] or not (np.isfinite(error) & (error >= 0)).all():
            raise MooInferError(f"stderr: {name}: must be {len(means)} finite numbers >= 0, got {error.tolist()!r:.80}")
    return {name: Column.constant(mean, errors.get(name)) for name, mean in zip(names, means.T, strict=True)}


@dataclass(frozen=True, eq=False)
class Curve:
    """One model under one aggregator, estimated once at all its k.

    Args:
        model, aggregator: their names.
        parallelism: P, how many inferences run at a time.
        k: (n,) ascending numbers of inferences.
        columns: by objective.
        remarks: what its parts have to say, in sentences without their ends.
        possible: (n,) which k can be had in a draw of parameters; None for all.
        supported: the largest k that the model's source supports, beyond which all is extrapolated; None for no end.
        courses: of a policy, one for each k; none where k inferences are made whatever they say.
    """

    model: str
    aggregator: str
    parallelism: int
    k: IntArray
    columns: Mapping[str, Column]
    remarks: tuple[str, ...] = ()
    possible: BoolArray | None = None
    supported: int | None = None
    courses: Sequence[Course] = ()

    @property
    def label(self) -> tuple[str, str]:
        """The names of model and aggregator."""
        return self.model, self.aggregator

    def course(self, k: int, /) -> Course | None:
        """Return what the policy does at k; None without one."""
        return self.courses[int(np.searchsorted(self.k, k))] if self.courses else None

    def extrapolated(self, k: int, /) -> str:
        """Say that k is beyond what the model's source supports; nothing where it is not."""
        beyond = self.supported is not None and k > self.supported
        return f"extrapolated beyond k = {self.supported} (to {k})" if beyond else ""
