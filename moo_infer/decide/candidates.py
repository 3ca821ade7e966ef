"""Candidates: the table every selector, report and picture reads."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from operator import attrgetter, methodcaller
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..builtin.fronts import Front
from ..core.arrays import FloatArray, IntArray, Rows
from ..core.errors import MooInferError, unknown
from ..core.objectives import Limit, Objective
from ..estimate.curves import STATISTICS, Column, Curve, known_columns
from ..estimate.rows import Row, Statistics, unmeasured
from ..quantities.queries import Doubt
from . import front as pareto
from .losses import limited, shortfalls
from .losses import losses as losses_of

if TYPE_CHECKING:
    import polars

__all__ = ["Candidates"]


class Candidates:
    """A table: one row a deployment (model, aggregator, k, P), one column an objective.

    Rows are ordered by k, then by the order of the models. Made by a `Pipeline`, or from numbers with `from_means`;
    `feasible` and `where` give smaller tables that read the same curves, and whose `rows` are row numbers of the
    whole table.
    """

    def __init__(self, objectives: Sequence[Objective], curves: Sequence[Curve]) -> None:
        if not curves:
            raise MooInferError("a table of candidates needs at least one curve")
        names = [o.name for o in objectives]
        if twice := {name for name in names if names.count(name) > 1}:
            raise MooInferError(f"objectives must have different names, got {', '.join(sorted(twice))} twice")
        self.objectives = tuple(objectives)
        self.limits: tuple[Limit, ...] = ()
        self.rows: Rows = np.arange(sum(len(curve.k) for curve in curves))
        self._curves = tuple(curves)
        self._numbers = {curve: i for i, curve in enumerate(self._curves)}
        number = np.repeat(np.arange(len(curves)), [len(curve.k) for curve in curves])
        place = np.concatenate([np.arange(len(curve.k)) for curve in curves])
        k = np.concatenate([curve.k for curve in curves])
        order = np.argsort(k, kind="stable")  # of equal k in the order of the curves
        possible = [np.ones(len(c.k), dtype=bool) if c.possible is None else c.possible for c in curves]
        self._possible = np.concatenate(possible)[order]
        self._curve, self._place, self.k = number[order], place[order], k[order]
        # A column in one piece of memory: what is asked of columns reads them alone.
        self.means = np.array([self._gather(attrgetter("mean"), name) for name in names]).T
        # The scale of an objective without a limit: its largest mean in the whole table, before limits.
        largest = shortfalls(self.objectives, self.means, self._name).max(axis=0)
        self._scales = np.array([s if o.scale is None else o.scale for o, s in zip(objectives, largest, strict=True)])
        self._lock()

    @classmethod
    def from_means(
        cls,
        objectives: Sequence[Objective],
        means: npt.ArrayLike,
        *,
        k: npt.ArrayLike | None = None,
        model: str = "model",
        aggregator: str = "aggregator",
        parallelism: int = 1,
        stderr: Mapping[str, npt.ArrayLike] | None = None,
    ) -> "Candidates":
        """Make a table of one model from numbers that are known, for example measured ones.

        Args:
            objectives: m objectives.
            means: (n, m) values in the units of the objectives, finite.
            k: (n,) numbers of inferences, >= 1; default 1 to n.
            model, aggregator, parallelism: the same for every row.
            stderr: by objective (n,) standard errors of the means, >= 0, where they are known.

        Raises:
            MooInferError: where shapes do not fit, and for standard errors that are none.

        >>> table = Candidates.from_means([Objective("cost", "USD")], [[0.1], [0.2]])
        >>> table.column("cost")
        array([0.1, 0.2])
        """
        values = np.array(means, dtype=np.float64)
        if values.ndim != 2 or values.shape[1] != len(objectives):
            raise MooInferError(f"means must be (n, {len(objectives)}), a column an objective, got {values.shape}")
        given = np.arange(1, len(values) + 1) if k is None else np.asarray(k)
        if given.shape != (len(values),):
            raise MooInferError(f"k must be ({len(values)},) like the rows of means, got {given.shape}")
        ks = given.astype(np.int64)
        if not len(ks) or (ks != given).any() or (ks < 1).any() or not np.diff(np.sort(ks)).all():
            raise MooInferError(f"k must be different whole numbers >= 1, at least one, got {given.tolist()}")
        columns = known_columns([o.name for o in objectives], values, stderr or {})
        return cls(objectives, [Curve(model, aggregator, parallelism, ks, columns)])

    def __len__(self) -> int:
        return len(self.k)

    def __repr__(self) -> str:
        names = ", ".join(o.name for o in self.objectives)
        return f"<Candidates: {len(self)} rows, {len(self.curves)} curves, objectives {names}>"

    @property
    def model(self) -> npt.NDArray[np.str_]:
        """(n,) names of the models."""
        return np.array([curve.model for curve in self._curves])[self._curve]

    @property
    def aggregator(self) -> npt.NDArray[np.str_]:
        """(n,) names of the aggregators."""
        return np.array([curve.aggregator for curve in self._curves])[self._curve]

    @property
    def parallelism(self) -> IntArray:
        """(n,) how many inferences run at a time."""
        return np.array([curve.parallelism for curve in self._curves])[self._curve]

    @cached_property
    def curves(self) -> tuple[Curve, ...]:
        """The curves (model, aggregator) that the rows belong to, in the order given."""
        return tuple(self._curves[i] for i in np.flatnonzero(np.bincount(self._curve)).tolist())

    def curve(self, i: int, /) -> Curve:
        """Return the curve that a row belongs to."""
        return self._curves[int(self._curve[i])]

    def on(self, curve: Curve, /) -> npt.NDArray[np.bool_]:
        """(n,) which rows belong to a curve."""
        return np.equal(self._curve, self._numbers[curve])

    def of(self, curve: Curve, /) -> "Candidates":
        """Keep the rows of a curve; the scales of the losses stay."""
        return self.take(self._rows_of[self._numbers[curve]])

    @cached_property
    def _rows_of(self) -> list[Rows]:
        """Row numbers by number of the curve, found for all curves at once."""
        counts = np.bincount(self._curve, minlength=len(self._curves))
        return np.split(np.argsort(self._curve, kind="stable"), np.cumsum(counts)[:-1])

    @property
    def models(self) -> tuple[str, ...]:
        """The models of the curves, each once."""
        return tuple(dict.fromkeys(curve.model for curve in self.curves))

    @property
    def aggregators(self) -> tuple[str, ...]:
        """The aggregators of the curves, each once."""
        return tuple(dict.fromkeys(curve.aggregator for curve in self.curves))

    def extrapolated(self, i: int, /) -> str:
        """Say that the k of a row is beyond what its model's source supports; nothing where it is not."""
        return self.curve(i).extrapolated(int(self.k[i]))

    def doubts(self, i: int, /) -> list[str]:
        """Return why figures of a row cannot be right, in sentences without their ends, as its parts say."""
        return [remark for remark in self.curve(i).remarks if isinstance(remark, Doubt)]

    def index(self, objective: str, /) -> int:
        """Return the column number of an objective; raises MooInferError, naming those there are."""
        for j, candidate in enumerate(self.objectives):
            if candidate.name == objective:
                return j
        raise unknown("objective", objective, [o.name for o in self.objectives])

    def column(self, objective: str, /, statistic: str = "mean") -> FloatArray:
        """Return (n,) values of an objective, in its unit.

        Args:
            objective: its name.
            statistic: ``mean``, ``std``, ``low``, ``high`` (2.5 and 97.5 % quantiles over trials), ``stderr`` (of the
                mean, over the questions of a log), ``stderr_simulation`` (of a simulated mean), both NaN where there
                is none; or any quantile as a percentage, for example ``p95``.
        """
        means = self.means[:, self.index(objective)]
        return means if statistic == "mean" else self._gather(methodcaller("statistic", statistic), objective)

    def paired_stderr(self, objective: str, i: int, /) -> FloatArray:
        """(n,) standard errors of differences from the mean of a row, over the questions of both logs; NaN without."""
        column, place = self.curve(i).columns[objective], int(self._place[i])
        ask = methodcaller("paired_stderr", column, place)
        return self._gather(ask, objective) if column.of_questions else np.full(len(self), np.nan)

    @cached_property
    def losses(self) -> FloatArray:
        """(n, m) means in minimisation form, 0 = ideal, 1 = the limit (paper, eq 16).

        The scale is the limit's; without a limit the largest mean in the whole table. Rounded to twelve significant
        digits, so that equal is equal however far away the limit is.
        """
        losses = losses_of(self.objectives, self.means, self._scales)
        losses.flags.writeable = False
        return losses

    @property
    def scales(self) -> dict[str, float]:
        """By what the losses of each objective are divided, in its unit."""
        return {o.name: float(scale) for o, scale in zip(self.objectives, self._scales, strict=True)}

    def loss(self, objective: str, /) -> FloatArray:
        """(n,) losses of one objective."""
        return self.losses[:, self.index(objective)]

    @cached_property
    def front(self) -> Rows:
        """Row numbers of the Pareto front, in ascending order; of equal rows the first."""
        front = pareto.front(self.losses)
        front.flags.writeable = False
        return front

    @cached_property
    def on_front(self) -> Front:
        """The rows of the Pareto front, as selectors that look at them alone see them."""
        names, on_limits = tuple(o.name for o in self.objectives), {limit.objective for limit in self.limits}
        rows, differ = self.take(self.front), self.losses.max(axis=0) > self.losses.min(axis=0)
        return Front(names, rows.losses, rows.k, differ, len(self.curves), on_limits, rows.paired_stderr)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock()  # arrays forget it where they are pickled

    @property
    def trials(self) -> FloatArray | None:
        """(M, n, m) simulated totals where every mean is simulated, else None."""
        if any("mean" not in curve.columns[o.name].simulated for curve in self._curves for o in self.objectives):
            return None
        return np.stack([self._gather(attrgetter("trials"), o.name) for o in self.objectives], axis=2)

    def met(self, limits: Sequence[Limit], /) -> npt.NDArray[np.bool_]:
        """(n,) whether a row meets all limits (paper, eq 8).

        Raises:
            MooInferError: for a limit on an unknown objective, in the wrong direction or better than ideal.
        """
        met = self._possible.copy()
        for limit in limits:
            limit.check(self.objectives[self.index(limit.objective)])
            met &= limit.excess(self.column(limit.objective, limit.statistic)) <= 0
        return met

    def feasible(self, limits: Sequence[Limit], /, *, sure: npt.NDArray[np.bool_] | None = None) -> "Candidates":
        """Keep the rows that meet all limits, and take the limits as scales of the losses (paper, eqs 8 and 16).

        Args:
            limits: the limits.
            sure: (n,) of rows to keep at most, for example those that meet the limits with enough confidence.

        Raises:
            MooInferError: for a limit on an unknown objective, in the wrong direction or better than ideal.
        """
        return self.kept(self.met(limits) & (True if sure is None else sure), limits)

    def kept(self, met: npt.NDArray[np.bool_], limits: Sequence[Limit], /) -> "Candidates":
        """Keep rows (n,) of which it is known that they meet all limits; see `feasible`."""
        view = self.take(np.flatnonzero(met))
        view.__dict__.pop("losses", None)  # their scales are others
        view._scales, view.limits = limited(self.objectives, self._scales, limits), tuple(limits)
        return view

    def take(self, rows: Rows, /) -> "Candidates":
        """Keep rows by number, in the order given; the scales of the losses stay."""
        view = object.__new__(Candidates)
        view.objectives, view.limits = self.objectives, self.limits
        view._curves, view._numbers = self._curves, self._numbers
        view._scales, view.rows = self._scales, self.rows[rows]
        view._curve, view._place, view.k = self._curve[rows], self._place[rows], self.k[rows]
        view._possible, view.means = self._possible[rows], self.means[rows]
        if "losses" in self.__dict__:
            view.__dict__["losses"] = self.losses[rows]
        view._lock()
        return view

    def where(self, *, model: str | None = None, aggregator: str | None = None) -> "Candidates":
        """Keep the rows of a model, an aggregator, or both; the scales of the losses stay."""
        for what, name, known in (
            ("model", model, [curve.model for curve in self._curves]),
            ("aggregator", aggregator, [curve.aggregator for curve in self._curves]),
        ):
            if name is not None and name not in known:
                raise unknown(what, name, set(known))
        wanted = [model in (None, c.model) and aggregator in (None, c.aggregator) for c in self._curves]
        return self.take(np.flatnonzero(np.array(wanted)[self._curve]))

    def _name(self, i: int) -> str:
        """What errors call a row."""
        return f"{self.curve(i).model} at k = {self.k[i]}"

    def row(self, i: int, /) -> Row:
        """Every figure of one row."""
        curve, place = self.curve(i), int(self._place[i])
        statistics, simulated, warnings = {}, [], [*self.doubts(i)]
        for objective in self.objectives:
            column = curve.columns[objective.name]
            statistics[objective.name] = figures = Statistics(column, place)
            simulated += [f"{objective.name}.{statistic}" for statistic in column.simulated]
            warnings += unmeasured(objective, figures)
        k, P = int(curve.k[place]), curve.parallelism
        return Row(*curve.label, k, P, statistics, tuple(simulated), tuple(warnings))

    def to_frame(self, statistics: Sequence[str] = STATISTICS) -> "polars.DataFrame":
        """Return the rows as a polars frame; what is unknown is null.

        Columns are ``row`` of the whole table, ``model``, ``aggregator``, ``k``, ``parallelism``; ``cost.mean`` and its
        like, in the objective's unit; ``simulated``, which of mean, std, low and high are (a quantile is where low is);
        and ``extrapolated``, whether k is beyond what the model supports. `statistics` are any that `column` takes.

        >>> table = Candidates.from_means([Objective("cost", "USD")], [[0.1], [0.2]])
        >>> table.to_frame(["mean", "p95"]).select("k", "cost.mean", "cost.p95").rows()
        [(1, 0.1, 0.1), (2, 0.2, 0.2)]
        """
        import polars

        simulated = [
            ", ".join(f"{name}.{statistic}" for name, column in curve.columns.items() for statistic in column.simulated)
            for curve in self._curves
        ]
        names = ("model", "aggregator", "k", "parallelism")
        cells: dict[str, Any] = {"row": self.rows} | {name: getattr(self, name) for name in names}
        cells |= {f"{o.name}.{s}": self.column(o.name, s) for o in self.objectives for s in statistics}
        extrapolated = [bool(self.extrapolated(i)) for i in range(len(self))]
        cells |= {"simulated": np.array(simulated)[self._curve], "extrapolated": extrapolated}
        return polars.DataFrame(cells, nan_to_null=True)

    def _repr_html_(self) -> str:
        return self.to_frame(["mean"])._repr_html_()

    def __iter__(self) -> Iterator[Row]:
        return map(self.row, range(len(self)))

    def _lock(self) -> None:
        """Make the arrays read-only: the table is shared by all selectors."""
        computed = [self.__dict__[name] for name in ("losses", "front") if name in self.__dict__]
        for array in (self.means, self.k, self.rows, *computed):
            array.flags.writeable = False

    def _gather(self, statistic: Callable[[Column], FloatArray], objective: str) -> FloatArray:
        """Collect a statistic (..., n) of the curves into the order of the rows."""
        first = self._curve[0] if len(self) else 0  # without rows any curve says the shape
        if (self._curve == first).all():  # as those of a model have, which are asked most often
            return statistic(self._curves[first].columns[objective])[..., self._place]
        numbers = np.flatnonzero(np.bincount(self._curve))
        parts = [statistic(self._curves[i].columns[objective]) for i in numbers.tolist()]
        starts = np.zeros(len(self._curves), dtype=np.intp)
        starts[numbers] = np.cumsum([0, *(part.shape[-1] for part in parts[:-1])])
        return np.concatenate(parts, axis=-1)[..., starts[self._curve] + self._place]
