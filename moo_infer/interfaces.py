"""The extension points: the only file the author of a plugin has to read.

Five interfaces with one abstract method each. Write a final frozen dataclass whose fields are the parameters of
your part, give it a `name`, and return the class from the hook of its kind (see `moo_infer.hookspecs`). Say the range
of a field in its annotation (`moo_infer.parts`: NonNegative, Positive, Share, AtLeastOne); it is checked where the part
enters.

A part whose exact moments are made of array operations may set `vectorised`: its fields are then (B, 1) arrays where B
draws of uncertain parameters are asked for at once, and `exact` gives (B, n). All others are asked B times.

Shapes are written with M trials, K inferences in a trial, n values of k. The K columns of a trial are K inferences on
the same query; column k-1 of what a part returns belongs to the first k of them, so one draw serves every k.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from .errors import MissingColumn, MooInferError
from .objectives import Objective
from .samples import Samples

if TYPE_CHECKING:
    import polars

    from .candidates import Candidates

__all__ = [
    "AccuracyAggregator",
    "CostModel",
    "Doubt",
    "Draws",
    "InferenceModel",
    "Law",
    "LogReader",
    "Moments",
    "Queries",
    "Selector",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Array = npt.NDArray[Any]


class Doubt(str):
    """A remark that a figure of the table cannot be right: it is said beside every choice, not only once below.

    >>> Doubt("the accuracy cannot be: all answers are blank")
    'the accuracy cannot be: all answers are blank'
    """

    __slots__ = ()


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Draws:
    """M x K simulated inferences: named columns (M, K). The arrays are read-only views of those given.

    They print, pickle and can be replaced; ``Draws(accuracy=x, columns=draws.columns)`` is the same draws with another
    accuracy.

    Args:
        tokens_in: (M, K), tokens of the prompt, >= 0; None where they are not known, and asking for them raises
            MissingColumn.
        tokens_out: (M, K), generated tokens, >= 0; or None likewise.
        accuracy: (M, K), what an inference is worth by itself, in [0, 1]: a quality where answers are graded, 0 or 1
            where they are right or wrong. Never a question's solve probability repeated K times.
        columns: more (M, K) arrays by name, where the model has them: ``answer`` (integer code, -1 = blank),
            ``score``, ``cached_input_tokens`` and ``cache_write_tokens`` (of `tokens_in`, those read from a cache and
            those written to one), ``latency_s``, ``cost_usd``, ``energy_j``, ``question`` (which one of a log a trial
            is about). Estimators add ``noise``, uniform in
            [0, 1), for parts whose totals depend on more than the model knows; a model must not bring it. The three
            above may stand here too; where both are given, the argument counts. Afterwards `columns` holds all of them.

    Raises:
        MooInferError: where the arrays are not all (M, K), or there is no accuracy.

    >>> draws = Draws(np.full((2, 3), 100.0), np.full((2, 3), 500.0), np.ones((2, 3)))
    >>> draws
    <Draws of (M, K) = (2, 3): tokens_in, tokens_out, accuracy>
    >>> draws["tokens_out"].shape
    (2, 3)
    >>> draws["score"]
    Traceback (most recent call last):
    moo_infer.errors.MissingColumn: the draws have no column 'score'; columns: tokens_in, tokens_out, accuracy
    """

    columns: Mapping[str, Array]

    def __init__(
        self,
        tokens_in: FloatArray | None = None,
        tokens_out: FloatArray | None = None,
        accuracy: FloatArray | None = None,
        columns: Mapping[str, Array] = MappingProxyType({}),
    ) -> None:
        named = {"tokens_in": tokens_in, "tokens_out": tokens_out, "accuracy": accuracy}
        given = {name: columns.get(name) if array is None else array for name, array in named.items()}
        given |= {name: array for name, array in columns.items() if name not in named}
        if given["accuracy"] is None:
            raise MooInferError("draws: accuracy must be given, (M, K) numbers in [0, 1], got None")
        shape = np.shape(given["accuracy"])
        if len(shape) != 2:
            raise MooInferError(f"draws: accuracy must be (M, K), got {shape}")
        arrays = {}
        for name, array in given.items():
            if array is None:
                continue
            if np.shape(array) != shape:
                raise MooInferError(f"draws: {name} must be (M, K) = {shape} like accuracy, got {np.shape(array)}")
            arrays[name] = np.asarray(array).view()
            arrays[name].flags.writeable = False
        object.__setattr__(self, "columns", MappingProxyType(arrays))

    @property
    def tokens_in(self) -> FloatArray:
        """(M, K), tokens of the prompt; raises MissingColumn where they are not known."""
        return self["tokens_in"]

    @property
    def tokens_out(self) -> FloatArray:
        """(M, K), generated tokens; raises MissingColumn where they are not known."""
        return self["tokens_out"]

    @property
    def accuracy(self) -> FloatArray:
        """(M, K), what an inference is worth by itself."""
        return self["accuracy"]

    def __getitem__(self, column: str) -> Array:
        """Return a column (M, K) by name; raises MissingColumn, naming those there are."""
        if column not in self.columns:
            raise MissingColumn(column, self.columns)
        return self.columns[column]

    def __contains__(self, column: str) -> bool:
        """Whether there is such a column."""
        return column in self.columns

    def __repr__(self) -> str:
        return f"<Draws of (M, K) = {self.accuracy.shape}: {', '.join(self.columns)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Draws, (None, None, None, dict(self.columns))  # a MappingProxyType does not pickle


@dataclass(frozen=True, eq=False)
class Moments:
    """What is known exactly of a quantity at n values of k; what is None is simulated where it is asked for.

    Args:
        mean: (n,), the expectation.
        std: (n,), the standard deviation over trials, or None.
        quantile: takes q in (0, 1), gives (n,) quantiles over trials; or None.
    """

    mean: FloatArray
    std: FloatArray | None = None
    quantile: Callable[[float], FloatArray] | None = None


class Law(Protocol):
    """The distribution of one quantity of one inference, independent of the other quantities and inferences.

    Between its ends the cdf is continuous; steps may stand at the two ends alone, as clipping makes them.
    """

    @property
    def mean(self) -> float:
        """The expectation."""

    @property
    def std(self) -> float:
        """The standard deviation."""

    @property
    def normal(self) -> bool:
        """Whether the law is normal up to a mass of 1e-12, so that sums of such laws are normal too."""

    def cdf(self, x: FloatArray, /) -> FloatArray:
        """P(X <= x), any shape."""

    def quantile(self, q: FloatArray, /) -> FloatArray:
        """The smallest x with P(X <= x) >= q, any shape."""


@dataclass(frozen=True, eq=False)
class Queries:
    """Queries that differ: a quadrature over what the inferences of a query share.

    Args:
        weights: (Q,), shares of the queries, >= 0, with the sum 1.
        model: the model given the query: numbers that differ from query to query are (Q, 1) arrays. Its laws hold
            given the query, and inferences are independent given it. Or a model whose `logged` are samples of Q
            questions.
    """

    weights: FloatArray
    model: "InferenceModel"


class InferenceModel(ABC):
    """One stochastic inference: tokens in, tokens out, accuracy (paper, eqs 1-2).

    **Subclassing.** Give `sample`. Redefine the properties `tokens_in`, `tokens_out` and `accuracy` where their laws
    are known; naming them promises that inferences and quantities are independent, and makes moments exact. Where they
    are so only given the query (some queries are harder, or get longer answers), redefine `queries` instead.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Coin(InferenceModel):
    ...     name = "coin"
    ...     p: float = 0.5
    ...     def sample(self, rng, M, K, /):
    ...         return Draws(np.full((M, K), 100.0), np.full((M, K), 10.0), (rng.random((M, K)) < self.p) * 1.0)
    >>> Coin(0.9).sample(np.random.default_rng(0), 2, 3).accuracy
    array([[1., 1., 1.],
           [1., 1., 0.]])
    """

    name: ClassVar[str]
    vectorised: ClassVar[bool] = False

    @property
    def tokens_in(self) -> Law | None:
        """The law of the tokens of a prompt, or None."""
        return None

    @property
    def tokens_out(self) -> Law | None:
        """The law of the generated tokens of an inference, or None."""
        return None

    @property
    def accuracy(self) -> Law | None:
        """The law of what an inference is worth, or None."""
        return None

    @property
    def logged(self) -> Samples | None:
        """The samples that inferences are drawn from without replacement, given one of their questions; or None.

        Where it is asked for moments of such a model, a part gives (Q, n): over all subsets of k samples of each
        question. `moo_infer.subsets` has the usual ones.
        """
        return None

    @property
    def largest_k(self) -> int | None:
        """The largest number of inferences of one query that can be drawn; None where there is no end."""
        return None

    def resampled(self, B: int, seed: int, /) -> "Sequence[InferenceModel] | None":
        """Return B models as other logs of as many questions would give them; None where no log stands behind.

        They differ in the weights of their `queries` alone, so that moments given a query are computed once.
        """
        return None

    def queries(self, of: Literal["tokens", "accuracy"], /) -> Queries | None:
        """Return queries that differ in that, or None where all are alike.

        Moments are mixed over them: those of an aggregator over queries that differ in accuracy, those of a cost model
        over queries that differ in tokens.
        """
        return None

    def remarks(self) -> Sequence[str]:
        """Return what to know about the draws, in words; reports say it with the model's name."""
        return ()

    @abstractmethod
    def sample(self, rng: np.random.Generator, M: int, K: int, /) -> Draws:
        """Draw M trials of K inferences, using no randomness but `rng`.

        Arrays (M, K) drawn from the `rng` of an estimator begin with the same columns whatever K is, so that what is
        simulated at a k does not depend on the rest of the grid; see `moo_infer.streams`.
        """


class CostModel(ABC):
    """What k inferences consume of one objective: money, seconds, joules, ... (paper, eqs 4-6).

    Cost models of the same objective in one profile add up; those of money and seconds share the objectives COST and
    LATENCY of `moo_infer.builtin.costs`.

    **Subclassing.** Give `objective` and `total`. Redefine `exact` where mean, std or quantiles follow from the model's
    laws.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class FlatEnergy(CostModel):
    ...     name = "flat-energy"
    ...     objective = Objective("energy", unit="J")
    ...     joules: float = 100.0
    ...     def total(self, draws, /, *, parallelism):
    ...         return np.cumsum(np.full(draws.accuracy.shape, self.joules), axis=1)
    >>> FlatEnergy().total(Draws(*np.ones((3, 1, 4))), parallelism=1)
    array([[100., 200., 300., 400.]])
    """

    name: ClassVar[str]
    vectorised: ClassVar[bool] = False
    objective: ClassVar[Objective]

    @abstractmethod
    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Total of the first k inferences, for every k: (M, K), in the objective's unit, finite.

        `parallelism` is how many inferences run at a time, >= 1.
        """

    def exact(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Moments | None:
        """Exact moments of the total at the n values of `k`, or None where they must be simulated."""
        return None

    @property
    def per_query(self) -> bool:
        """Whether moments given a query may be mixed by a quadrature; not where they jump with a query's tokens.

        Where not, `exact` is asked about the model itself, whose laws are then None where queries differ.
        """
        return True

    def possible(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> BoolArray:
        """(n,) whether so many inferences can be had at all; the others are no candidates, whatever the limits."""
        return np.ones(len(k), dtype=bool)

    def remarks(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Sequence[str]:
        """Return what to know about the totals at the n values of `k`, in words; reports name the model with it.

        A `Doubt` among them is shown beside every choice.
        """
        return ()


class AccuracyAggregator(ABC):
    """What k inferences are worth together (paper, eq 3): the column ``accuracy`` of the table.

    **Subclassing.** Give `aggregate`. Redefine `exact` where moments follow from the model's laws, and `costs` where
    the aggregator spends something itself (a verifier's tokens, a judge's seconds).

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class RunningMean(AccuracyAggregator):
    ...     name = "running-mean"
    ...     def aggregate(self, draws, rng, /):
    ...         return np.cumsum(draws.accuracy, axis=1) / np.arange(1, draws.accuracy.shape[1] + 1)
    >>> RunningMean().aggregate(Draws(*np.array([[[9, 9.0]], [[9, 9.0]], [[1, 0.0]]])), np.random.default_rng(0))
    array([[1. , 0.5]])
    """

    name: ClassVar[str]
    vectorised: ClassVar[bool] = False

    @property
    def per_query(self) -> bool:
        """Whether moments given a query may be mixed over queries; not where other queries matter to the answer."""
        return True

    @property
    def costs(self) -> Sequence[CostModel]:
        """What aggregating itself consumes, added to the costs of the profile."""
        return ()

    @abstractmethod
    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """Accuracy of the first k inferences together, for every k: (M, K), in [0, 1]."""

    def exact(self, model: InferenceModel, k: IntArray, /) -> Moments | None:
        """Exact moments of the accuracy at the n values of `k`, or None where they must be simulated."""
        return None


class Selector(ABC):
    """A rule that picks one row of a table of feasible candidates (paper, eqs 9-19).

    **Subclassing.** Give `select`. Losses (`candidates.losses`, 0 = ideal, less is better) treat every objective alike;
    `candidates.front` holds the row numbers of the Pareto front. Of equal rows take the first.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Fewest(Selector):
    ...     name = "fewest"
    ...     def select(self, candidates, /):
    ...         return int(np.argmin(candidates.k))
    >>> from moo_infer import Candidates
    >>> Fewest().select(Candidates.from_means([Objective("cost")], [[2.0], [3.0]], k=[4, 8]))
    0
    """

    name: ClassVar[str]

    @abstractmethod
    def select(self, candidates: "Candidates", /) -> int:
        """Answer with a row number of `candidates` (at least one row), or raise NoSelection with the reason."""


class LogReader(ABC):
    """Reads the log of an evaluation into the neutral table: one row a sample.

    A row is a mapping with the keys ``model``, ``question_id``, ``sample`` and ``correct`` (1, 0, true, false, or None
    for a sample that failed), and where the log has them ``answer`` (text; None where there is none), ``score``,
    ``input_tokens`` (all of them, cached ones too), ``cached_input_tokens`` (of these, read from a cache),
    ``cache_write_tokens`` (of these, written to one), ``output_tokens`` (all that are billed, reasoning too),
    ``reasoning_tokens`` (of these), ``latency_s``, ``cost_usd`` and ``energy_j``, ``target`` (text: the
    right answer, where it is compared with answers letter for letter) and ``fingerprint`` (text that is another for
    another question; it is not kept). Whoever asks checks the rows, and reads scores: ``correct`` may be any number,
    text, mapping or list that a user may give a threshold, a scale or a key for. The task is part of ``question_id``,
    so that two tasks have no question in common. A row without ``sample`` is numbered, one without ``model`` is called
    after the file. In place of the rows of a record that cannot be read, give a MooInferError that says where it stands
    and why: it is left out, and its sentence is shown.

    **Subclassing.** Give `read`. Redefine `recognises` where files can be told by their content, so that nobody has to
    name the format.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Marks(LogReader):
    ...     name = "marks"
    ...     def read(self, path, /):
    ...         for i, mark in enumerate(path.read_text().split()):
    ...             yield {"model": "pupil", "question_id": "q", "sample": i, "correct": mark == "+"}
    """

    name: ClassVar[str]

    def recognises(self, head: bytes, path: Path, /) -> bool:
        """Whether a file is of this format, by its first bytes (at least 4096 of them, or all; unzipped if .gz)."""
        return False

    @abstractmethod
    def read(self, path: Path, /) -> "Iterable[Mapping[str, object] | MooInferError] | polars.LazyFrame":
        """Rows of the neutral table, or a lazy frame with its columns; raises MooInferError for what cannot be read."""
