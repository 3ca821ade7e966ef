"""Queries that differ: independent axes, each with weights and with the laws of the columns that differ along it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from ..core.arrays import BoolArray, FloatArray
from ..core.draws import Draws
from ..core.errors import MooInferError, NotExact
from ..core.numeric import numbers_of
from ..core.objectives import ACCURACY, Objective
from .by_law import LawQuery
from .by_samples import SampleQuery, draw_samples
from .judged import is_share
from .laws import Law
from .quantity import Query
from .samples import Samples

__all__ = ["Axis", "Doubt", "Grid", "Note", "Queries", "law_rows"]

MOST_NODES = 2**14  # of axes together: prices that jump over prompts, and cut outputs, take 6,048
NEGLIGIBLE = 1e-12  # weight of a query that changes no cdf: a thousand of them change 1e-9 of it
TINY = 2.0**-54  # in place of a uniform number 0 (numpy's are multiples of 2**-53), where a quantile may be infinite


class Doubt(str):
    """The text of a note that a figure of the table cannot be right: said beside every choice, not only once below.

    >>> Doubt("the accuracy cannot be: all answers are blank")
    'the accuracy cannot be: all answers are blank'
    """

    __slots__ = ()


@dataclass(frozen=True)
class Note:
    """What a part has to say about its figures.

    Args:
        text: one sentence for reports; may be empty where `excludes` says it all.
        excludes: (n,) which of the n values of k cannot be had at all; None where all can.
    """

    text: str
    excludes: BoolArray | None = None


@dataclass(frozen=True, eq=False)
class Axis:
    """What differs from query to query in one way: a quadrature.

    Args:
        weights: (Q,), shares of the queries, >= 0, with the sum 1.
        laws: of the columns that differ along it, given the query: with (Q, 1) parameters.
    """

    weights: FloatArray
    laws: Mapping[str, Law]

    def refined(self, bends: Mapping[str, Sequence[Any]], /) -> "Axis":
        """Return an axis whose quadrature is exact for functions that bend or jump there in a column."""
        return self

    def for_cdfs(self, level: int, /) -> "tuple[Axis, FloatArray] | None":
        """Return an axis whose quadrature is fine enough for cdfs, which are steep, and weights of half its nodes.

        What the two make of a cdf tells how far it is right. None, unless an axis says otherwise: its queries may stand
        for a continuous law, of which few nodes tell mean and standard deviation but no quantile.

        Args:
            level: at each the nodes are twice as many; where there is none, None.
        """
        return None


class Queries:
    """What the queries of a model are: the laws of their columns, and how these differ from query to query.

    A law with (Q, 1) parameters differs along the Q queries whose shares are the weights. Independent ways in which
    queries differ are multiplied.

    Args:
        weights: (Q,), >= 0, with the sum 1; None where all queries are alike.
        laws: by column: ``tokens_in``, ``tokens_out``, ``accuracy``; absent or None where not known. Given the query
            they promise that inferences are independent, and so are the columns.

    Raises:
        MooInferError: for weights that are no shares, and laws that differ along another number of queries.

    >>> from moo_infer import Bernoulli, Lognormal
    >>> hard = Queries([0.7, 0.3], accuracy=Bernoulli(np.array([[0.9], [0.2]])), tokens_in=Lognormal(500.0, 0.0))
    >>> lengths = Queries([0.5, 0.5], tokens_out=Lognormal(np.array([[100.0], [900.0]]), 0.3))
    >>> hard * lengths
    <Queries: accuracy differs along 2, tokens_out differs along 2, tokens_in alike>
    """

    def __init__(self, weights: npt.ArrayLike | None = None, /, **laws: Law | None) -> None:
        known = {name: law for name, law in laws.items() if law is not None}
        if no_laws := {name: law for name, law in known.items() if not hasattr(law, "std")}:
            raise MooInferError(f"queries: must be of laws, got {no_laws!r:.80}")
        shapes = {name: np.shape(np.add(law.mean, law.std)) for name, law in known.items()}
        for name, shape in shapes.items():
            if shape and shape[1:] != (1,):  # (Q,) numbers would be taken for those at Q values of k
                raise MooInferError(f"queries: the numbers of the law of {name} must be plain, or (Q, 1), got {shape}")
        differing = {name: law for name, law in known.items() if weights is not None and shapes[name]}
        self.laws: Mapping[str, Law] = {name: law for name, law in known.items() if name not in differing}
        self.axes: tuple[Axis, ...] = ()
        self.samples: Samples | None = None
        self.judged: tuple[Objective, ...] = ()
        self.pseudo = (0.0, 0.0)
        self.weights: FloatArray = np.ones(1)
        if weights is not None:
            shares = _checked_shares(weights)
            for name in differing:
                if shapes[name] != (len(shares), 1):
                    raise MooInferError(f"queries: {name} must differ along {len(shares)} weights, got {shapes[name]}")
            self.axes = (Axis(shares, differing),)

    @classmethod
    def along(cls, *axes: Axis, **laws: Law | None) -> "Queries":
        """Return queries that differ along axes, with the laws of the columns in which all are alike."""
        queries = cls(**laws)
        queries.axes = axes
        return queries

    @classmethod
    def of_samples(
        cls, samples: Samples, weights: npt.ArrayLike | None = None, /, *, judged: Sequence[Objective] = ()
    ) -> "Queries":
        """Return the questions of a log: k inferences are drawn from the samples of one, without replacement.

        Of objectives that are judged, a column of that name says what an answer is worth, in [0, 1], without gaps.
        """
        Q = len(samples.questions)
        queries = cls()
        queries.samples, queries.judged = samples, tuple(judged)
        queries.weights = np.full(Q, 1 / Q) if weights is None else np.asarray(weights, dtype=np.float64)
        return queries

    def __mul__(self, other: "Queries") -> "Queries":
        if self.samples is not None or other.samples is not None:
            raise MooInferError("queries: those of a log are one axis with all columns, and multiply with no other")
        if both := self._columns & other._columns:
            raise MooInferError(f"queries: both factors have {', '.join(sorted(both))}; ways to differ are independent")
        return Queries.along(*self.axes, *other.axes, **{**self.laws, **other.laws})

    def __repr__(self) -> str:
        if self.samples is not None:
            return f"<Queries: the {len(self.questions)} questions of {self.samples.model}>"
        apart = [f"{' and '.join(a.laws)} differs along {len(a.weights)}" for a in self.axes]
        return f"<Queries: {', '.join([*apart, *(f'{name} alike' for name in self.laws)])}>"

    @property
    def _columns(self) -> set[str]:
        return {*self.laws, *(name for axis in self.axes for name in axis.laws)}

    @property
    def questions(self) -> Sequence[str]:
        """Names of the questions of a log; none by laws."""
        return () if self.samples is None else self.samples.questions

    @property
    def largest_k(self) -> int | None:
        """The fewest samples of a question, where inferences are drawn from them; None where there is no end."""
        return None if self.samples is None else self.samples.largest_k

    @property
    def differ(self) -> bool:
        """Whether queries differ at all."""
        return self.samples is not None or bool(self.axes)

    def reweighted(self, weights: FloatArray, pseudo: tuple[float, float] = (0.0, 0.0), /) -> "Queries":
        """Return the questions of a log with other shares (Q,).

        Args:
            weights: (Q,), >= 0, with the sum 1.
            pseudo: weights of two pseudo-questions beside these, all wrong and all right; see `QuestionDraws`.
        """
        assert self.samples is not None
        queries = Queries.of_samples(self.samples, weights, judged=self.judged)
        queries.pseudo = pseudo
        return queries

    def is_share(self, objective: str, /) -> bool:
        """Whether values of an objective on a log are shares of yes and no: a grade is none."""
        if self.samples is None or objective not in (ACCURACY.name, *(of.name for of in self.judged)):
            return False
        return is_share(self.samples["correct" if objective == ACCURACY.name else objective])

    def pseudo_of(self, objective: str, /) -> tuple[float, float]:
        """Return the weights of the pseudo-questions for an objective: (0, 0) where its values are no shares."""
        return self.pseudo if any(self.pseudo) and self.is_share(objective) else (0.0, 0.0)

    def law(self, column: str, /) -> Law | None:
        """Return the law of a column in which all queries are alike; None where they differ, or it is not known."""
        return self.laws.get(column)

    def draw(self, rng: np.random.Generator, M: int, K: int, /) -> Draws:
        """Draw M trials of K inferences from the laws: what `InferenceModel.sample` of a model with `queries` returns.

        Each trial is about one query, taken by its weight; given the query, every inference takes each column from its
        law, independently. Of a log, the samples of a question are drawn without replacement. Queries that stand for a
        continuous law by a quadrature are drawn as its nodes: means and standard deviations are right, but quantiles
        are coarse.

        Raises:
            MooInferError: where there is no law of the accuracy, or K is above the samples of a question of a log.

        >>> from moo_infer import Bernoulli, Lognormal
        >>> queries = Queries([0.5, 0.5], accuracy=Bernoulli(np.array([[1.0], [0.0]])), tokens_out=Lognormal(90.0, 0.0))
        >>> draws = queries.draw(np.random.default_rng(1), 3, 2)
        >>> draws
        <Draws of (M, K) = (3, 2): tokens_out, accuracy>
        >>> draws.accuracy
        array([[0., 0.],
               [0., 0.],
               [1., 1.]])
        """
        if self.samples is not None:
            return draw_samples(self.samples, self.weights, rng, M, K)
        laws = dict(self.laws)
        for axis in self.axes:
            which = rng.choice(len(axis.weights), M, p=axis.weights / axis.weights.sum())
            laws |= {name: law_rows(law, which) for name, law in axis.laws.items()}
        if "accuracy" not in laws:
            raise MooInferError("queries: a law of the accuracy must be given to draw from them")
        columns = {name: law.quantile(np.maximum(rng.random((M, K)), TINY)) for name, law in laws.items()}
        return Draws(columns=columns)

    @property
    def query(self) -> Query:
        """The one query, where all are alike, or all questions of a log at once; raises NotExact where laws differ."""
        if self.samples is not None:
            return SampleQuery(self.samples)
        if self.axes:
            raise NotExact(f"queries differ: {self!r}")
        return LawQuery(self.laws)

    def product(self, columns: "set[str]", bends: Mapping[str, Sequence[Any]], /) -> Axis | None:
        """Return the axes along which some of the columns differ as one; None where there is none."""
        read = [axis.refined(bends) for axis in self.axes if columns & {*axis.laws}]
        if not read:
            return None
        sizes = [len(axis.weights) for axis in read]
        if len(read) > 1 and np.prod(sizes) > MOST_NODES:
            many = " x ".join(map(str, sizes))
            raise NotExact(f"queries that differ in {len(read)} ways at once are too many: {many}")
        grid = np.meshgrid(*(np.arange(n) for n in sizes), indexing="ij")
        weights = reduce(np.multiply.outer, [axis.weights for axis in read]).ravel()
        laws = {
            name: law_rows(law, rows.ravel())
            for axis, rows in zip(read, grid, strict=True)
            for name, law in axis.laws.items()
        }
        return Axis(weights, laws)

    def grid(self, columns: "frozenset[str]", levels: Sequence[int], /) -> "Grid | None":
        """Return the axes along which some of the columns differ as one that is fine enough for cdfs.

        Args:
            columns: which are read.
            levels: of these axes, as in `Axis.for_cdfs`.

        Returns:
            None where one of them has no such level, or there would be too many queries.
        """
        fine = [axis.for_cdfs(level) for axis, level in zip(self.axes_of(columns), levels, strict=True)]
        known = [axis for axis in fine if axis is not None]
        sizes = [len(axis.weights) for axis, _ in known]
        if len(known) < len(fine) or np.prod(sizes) > MOST_NODES:
            return None
        whole = reduce(np.multiply.outer, [axis.weights for axis, _ in known]).ravel()
        kept = np.flatnonzero(whole > NEGLIGIBLE)
        rows = [index.ravel()[kept] for index in np.meshgrid(*map(np.arange, sizes), indexing="ij")]
        coarse = []
        for i in range(len(known)):
            each = [half if i == j else axis.weights for j, (axis, half) in enumerate(known)]
            coarse.append(_shares(reduce(np.multiply.outer, each).ravel()[kept]))
        laws = {
            name: law_rows(law, at)
            for (axis, _), at in zip(known, rows, strict=True)
            for name, law in axis.laws.items()
        }
        return Grid(_shares(whole[kept]), laws, tuple(coarse))

    def axes_of(self, columns: "frozenset[str]", /) -> list[Axis]:
        """Return the axes along which some of the columns differ."""
        return [axis for axis in self.axes if columns & {*axis.laws}]


@dataclass(frozen=True, eq=False)
class Grid(Axis):
    """Axes as one, fine enough for cdfs.

    Args:
        coarse: (Q,) weights, by which one axis after the other has half as many nodes.
    """

    coarse: tuple[FloatArray, ...]


@dataclass(frozen=True, eq=False)
class Recorder(Mapping[str, Law]):
    """Laws of a query that remember which were read, and where what is made of them bends."""

    laws: Mapping[str, Law]
    differing: frozenset[str] = frozenset()
    read: set[str] = field(default_factory=set)
    bends: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def __getitem__(self, column: str) -> Law:
        self.read.add(column)
        return self.laws[column]

    def __iter__(self) -> Any:
        return iter(self.laws)

    def __len__(self) -> int:
        return len(self.laws)

    def __contains__(self, column: object) -> bool:
        return column in self.laws


def law_rows(law: Law, rows: Any, /) -> Law:
    """Return some of the laws of a law with (Q, 1) parameters: as many, or one with plain numbers."""
    part: Any = law
    values = {f.name: getattr(part, f.name) for f in fields(part)} if is_dataclass(part) else {}
    chosen = {name: value[rows] for name, value in values.items() if np.ndim(value) == 2}
    changes = {name: float(v[0, 0]) if len(v) == 1 else v for name, v in chosen.items()}
    found: Law = replace(part, **changes) if changes else law
    return found


def _shares(weights: FloatArray) -> FloatArray:
    return np.asarray(weights / weights.sum())


def _checked_shares(given: npt.ArrayLike) -> FloatArray:
    weights = numbers_of(given, "queries: weights")
    # Shares are computed, and their sum is rounded: 1e-9 is far above that and far below a wrong share.
    if weights.ndim != 1 or not len(weights) or not (weights >= 0).all() or abs(weights.sum() - 1) > 1e-9:
        shown = np.array2string(weights, threshold=5)
        raise MooInferError(f"queries: weights must be shares (Q,), >= 0 with the sum 1, got {shown}")
    return weights
