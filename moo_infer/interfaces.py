"""The extension points: the only file the author of a plugin has to read.

Six interfaces with one abstract method each (a policy also says how far it goes). Write a final frozen dataclass whose
fields are the parameters of your part, give it a `name`, and return the class from the hook of its kind (see
`moo_infer.hookspecs`). Ranges of fields stand in their annotations (`NonNegative`, `Positive`, `Share`, `AtLeastOne` of
`moo_infer`), and are checked where the part enters. Where B draws of uncertain parameters are asked for at once, fields
are (B, 1) arrays, and `exact` gives (B, n), as array operations do; a part that cannot is asked B times.
Shapes: M trials of K inferences on one query each, n values of k; column k-1 of what a part returns is of the first k.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from .core.arrays import FloatArray, IntArray
from .core.draws import Draws
from .core.errors import MooInferError, NoChoice, NotExact
from .core.moments import Moments
from .core.objectives import Objective
from .core.seen import Answer, Call, Seen
from .quantities.quantity import Query
from .quantities.queries import Note, Queries

if TYPE_CHECKING:
    import polars

    from .decide.candidates import Candidates

__all__ = ["AccuracyAggregator", "CostModel", "InferenceModel", "LogReader", "Policy", "Selector"]


class InferenceModel(ABC):
    """One stochastic inference: tokens in, tokens out, accuracy (paper, eqs 1-2).

    **Subclassing.** Give `sample`. Redefine `queries` where the laws of the columns are known, which makes moments
    exact: given the query, they promise that inferences are independent, and so are the columns. Then
    ``return self.queries().draw(rng, M, K)`` is all of `sample`.

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

    def queries(self) -> Queries:
        """Return the laws of the columns, and how they differ from query to query; nothing is known by default."""
        return Queries()

    def notes(self) -> Sequence[Note]:
        """Return what to know about the draws; reports say it with the model's name."""
        return ()

    @abstractmethod
    def sample(self, rng: np.random.Generator, M: int, K: int, /) -> Draws:
        """Draw M trials of K inferences, using no randomness but `rng`.

        Arrays (M, K) drawn from the `rng` of an estimator begin with the same columns whatever K is, so that figures at
        a k do not depend on the rest of a grid; see `moo_infer.core.streams`.
        """


class CostModel(ABC):
    """What k inferences consume of one objective: money, seconds, joules, ... (paper, eqs 4-6).

    Cost models of the same objective in one profile add up; those of money, seconds, joules and compute share the
    objectives COST, LATENCY, ENERGY and COMPUTE of `moo_infer`.

    **Subclassing.** Give `objective` and `total`. Redefine `exact` where moments follow from the quantities of a query.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class FlatEnergy(CostModel):
    ...     name = "flat-energy"
    ...     objective = Objective("energy", unit="J")
    ...     joules: float = 100.0
    ...     def total(self, draws, /, *, parallelism):
    ...         return np.cumsum(np.full(draws.shape, self.joules), axis=1)
    >>> FlatEnergy().total(Draws(*np.ones((3, 1, 4))), parallelism=1)
    array([[100., 200., 300., 400.]])
    """

    name: ClassVar[str]
    objective: ClassVar[Objective]

    @abstractmethod
    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Total of the first k, for every k: (M, K), finite; `parallelism` >= 1 is how many run at a time."""

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact moments of the total at the n values of `k`; raises NotExact where they must be simulated."""
        raise NotExact(f"cost model {self.name!r} does not say its moments")

    def notes(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Sequence[Note]:
        """Return what to know about the totals at the n values of `k`, and which k cannot be had: no candidates."""
        return ()


class AccuracyAggregator(ABC):
    """What k inferences are worth together (paper, eq 3): the column ``accuracy`` of the table.

    **Subclassing.** Give `aggregate`. Redefine `exact` where moments follow from the quantities of a query, `costs`
    where the aggregator spends something itself (a verifier's tokens, a judge's seconds), and `choose` where one of the
    inferences is its answer, so that it can answer in a live run.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class RunningMean(AccuracyAggregator):
    ...     name = "running-mean"
    ...     def aggregate(self, draws, rng, /):
    ...         return np.cumsum(draws.accuracy, axis=1) / np.arange(1, draws.shape[1] + 1)
    >>> RunningMean().aggregate(Draws(*np.array([[[9, 9.0]], [[9, 9.0]], [[1, 0.0]]])), np.random.default_rng(0))
    array([[1. , 0.5]])
    """

    name: ClassVar[str]

    @property
    def costs(self) -> Sequence[CostModel]:
        """What aggregating itself consumes, added to the costs of the profile."""
        return ()

    @abstractmethod
    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """Accuracy of the first k inferences together, for every k: (M, K), in [0, 1]."""

    def exact(self, query: Query, k: IntArray, /) -> Moments:
        """Exact moments of the accuracy at the n values of `k`; raises NotExact where they must be simulated."""
        raise NotExact(f"aggregator {self.name!r} does not say its moments")

    def choose(self, draws: Draws, rng: np.random.Generator, /) -> IntArray:
        """Which of its K inferences is the answer of each trial: (M,) column numbers, -1 where there is no answer.

        Its accuracy, 0 for -1, is in the mean what `aggregate` gives for all K; `rng` draws among equals. In a live run
        ``accuracy`` is what a checker says, and missing without one: who compares answers or scores does not read it.
        """
        raise NoChoice(f"aggregator {self.name!r} does not say which of the inferences is its answer (choose)")


class Policy(ABC):
    """Decides, after everything seen of one query, to call a model some more times or to answer.

    A policy is one more row of the table: its calls are priced by the cost models of the profiles, a wave at a time,
    and its answers are worth what an aggregator makes of the samples, so that limits and selectors read it as any row.

    **Subclassing.** Give `decide` and `most`. `decide` reads nothing but `seen` and the fields of the policy; it is
    asked many times, about queries in any order, and says the same whenever it sees the same. A field ``model`` (text,
    default "") is filled with every model of the run in turn; without one the policy names its models itself. A field
    ``k`` with a default is tried at every k of the run where it is left out.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class AskAgain(Policy):
    ...     name = "ask-again"
    ...     model: str = ""
    ...     @property
    ...     def most(self):
    ...         return {self.model: 3}
    ...     def decide(self, seen, /):
    ...         if (n := seen.n(self.model)) == 0:
    ...             return Call({self.model: 2})
    ...         return Answer() if n == 3 or seen.votes()[0] == 2 else Call({self.model: 1})
    >>> AskAgain("small").decide(Seen({"small": {"answer": [4, 7]}}))
    Call(times={'small': 1})
    """

    name: ClassVar[str]
    arrivals: ClassVar[bool] = False
    """Whether it is asked after every arrival: ``Call({})`` then waits for the next, an Answer cancels the rest."""

    @property
    @abstractmethod
    def most(self) -> Mapping[str, int]:
        """The most calls of each model, >= 1, by its name; the k of the row is their sum."""

    @abstractmethod
    def decide(self, seen: Seen, /) -> Call | Answer:
        """Call models some more times, all at once, or answer from what was seen."""


class Selector(ABC):
    """A rule that picks one row of a table of feasible candidates (paper, eqs 9-19).

    **Subclassing.** Give `select`. Losses (`candidates.losses`, 0 = ideal, less is better) treat every objective alike;
    `candidates.front` holds the row numbers of the Pareto front. Of equal rows take the first. Rows are ordered by k; a
    table may have several `candidates.curves`, and lack an objective.

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
    for a sample that failed), and where the log has them ``answer`` (text or None), ``score``, ``input_tokens`` (all,
    cached ones too), ``cached_input_tokens`` (of these, read from a cache), ``cache_write_tokens`` (of these, written
    to one), ``output_tokens`` (all billed, reasoning too), ``reasoning_tokens`` (of these), ``latency_s``,
    ``cost_usd``, ``energy_j``, ``target`` (the right answer, if compared letter by letter) and ``fingerprint`` (another
    for another question; not kept). A run whose calls follow from answers has ``wave`` (0, 1, ...; estimates are of 0
    alone), ``call`` (its request), ``requests``, ``lost_usd`` (of tries in vain), ``why`` (no answer: ``cancelled``)
    and ``started_at``. The task is part of ``question_id``, and given as ``task`` too; short texts alike for all rows
    of a question are labels. The caller checks rows: ``correct`` may be any number, text, mapping or list that a
    threshold, scale or key may be given for. A row without ``sample`` is numbered, one without ``model`` called after
    the file. A MooInferError in place of a record says where and why it is left out.

    **Subclassing.** Give `read`. Redefine `recognises` where content tells files, so that nobody has to name one.

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
