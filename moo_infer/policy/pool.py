"""The samples of a model on the questions of a log, and tables of what parts make of subsets of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from itertools import combinations
from typing import Any, NoReturn, Self

import numpy as np

from ..core.arrays import Array, FloatArray, IntArray
from ..core.draws import BEFORE, Draws
from ..core.errors import MissingColumn, NotExact
from ..estimate.calls import guarded, numbers
from ..estimate.setup import Part, part_name
from ..interfaces import AccuracyAggregator
from ..quantities.by_samples import NAMES, draws_of
from ..quantities.samples import Samples
from .joint import JointDraws, brought
from .looks import ComparedNoise

__all__ = ["LARGEST", "NoisyDraws", "Pool", "Recorded", "Subsets", "asked", "pool_of", "refuse_order"]

LARGEST = 2**22  # subsets of a log's questions, for each of which a table has a number: 32 MiB
ROWS = 2**15  # subsets that a part is asked about at once
PROBED, FEW = 200, 20  # subsets whose samples are put into another order, at first and whenever more are asked about
ROUNDING = 1e-9  # of totals, relative: sums in another order


class _NoRandomness:
    """In place of a generator: what an aggregator draws is no function of the samples."""

    def __getattr__(self, name: str) -> NoReturn:
        raise NotExact("an aggregator that draws random numbers")


@dataclass(frozen=True, eq=False)
class Subsets:
    """Subsets of up to `size` samples, each a mask: bit i says whether the i-th is in it.

    Args:
        size: n, the most samples of a question.
    """

    size: int

    @cached_property
    def members(self) -> IntArray:
        """(2^n, n), which samples are in a subset, ascending; what stands behind them means nothing."""
        bits = np.arange(2**self.size)[:, None] >> np.arange(self.size) & 1
        return np.argsort(1 - bits, axis=1, kind="stable")

    @lru_cache(maxsize=256)  # noqa: B019 - there are 22 sizes at most, and each lives as long as the process
    def of(self, n: int, t: int) -> IntArray:
        """Return all subsets of t of the first n samples, as masks."""
        return np.array([sum(1 << i for i in chosen) for chosen in combinations(range(n), t)], dtype=np.int64)

    @lru_cache(maxsize=256)  # noqa: B019
    def extensions(self, n: int, t: int, w: int) -> tuple[IntArray, IntArray]:
        """Return which w of the n samples may follow after t of them.

        Returns:
            (2^n,) the row of a subset of t; and (rows, C(n - t, w)) masks of those that may follow.
        """
        before, after = self.of(n, t), self.of(n, w)
        free = (before[:, None] & after) == 0
        row = np.zeros(2**n, dtype=np.int64)
        row[before] = np.arange(len(before))
        return row, after[np.nonzero(free)[1]].reshape(len(before), -1)


@lru_cache(maxsize=32)
def subsets_of(size: int) -> Subsets:
    """Return the subsets of up to `size` samples, made once."""
    return Subsets(size)


@dataclass(frozen=True, eq=False)
class Pool:
    """Samples of one model, and tables of what parts make of subsets of them.

    Args:
        samples: all scored.
    """

    samples: Samples
    _tables: list[tuple[Any, tuple[Any, ...], FloatArray]] = field(default_factory=list, repr=False)

    @cached_property
    def start(self) -> IntArray:
        """(Q,) the first sample of each question."""
        return np.cumsum(self.samples.n) - self.samples.n

    @property
    def size(self) -> int:
        """The most samples of a question."""
        return int(self.samples.n.max())

    @property
    def subsets(self) -> Subsets:
        """The subsets of the samples of a question."""
        return subsets_of(self.size)

    @property
    def small(self) -> bool:
        """Whether all subsets can be gone through."""
        return self.size < 40 and len(self.samples.questions) * 2**self.size <= LARGEST

    def rows(self, question: IntArray, masks: IntArray, t: int, /) -> IntArray:
        """Return which samples are in subsets of t of questions, (S, t)."""
        return self.start[question][:, None] + self.subsets.members[masks, :t]

    def column(self, name: str, rows: IntArray, /) -> Array:
        """Return a column of samples, by its name in the neutral table."""
        return self.samples[NAMES.get(name, name)][rows]

    def totals(
        self, part: Part, question: IntArray, masks: IntArray, t: int, *, before: int = 0, parallelism: int = 1
    ) -> FloatArray:
        """Return what a part makes of subsets of t samples of questions, (S,): each is asked about once.

        Args:
            part: a cost model or an aggregator.
            question, masks: (S,), the subsets.
            t: how many samples each has, >= 1.
            before: how many calls of the model the query had before.
            parallelism: P, for a cost model.

        Raises:
            NotExact: where it is no function of the set of samples: it reads noise, draws, or heeds their order.
        """
        ask = partial(asked, part, parallelism=parallelism)
        # Asked of every size: calls that wait for one another take as long in any order where there are few of them.
        reads_before = self._table(part, ("reads", parallelism, t), (1,))
        if np.isnan(reads_before[0]):
            self._probe(part, ask, question, masks, t, reads_before)
        key = (parallelism, before if reads_before[0] else 0)
        table = self._table(part, key, (len(self.samples.questions), 2**self.size))
        values = table[question, masks]
        if (unknown := np.isnan(values)).any():
            places = np.unique(question[unknown] * 2**self.size + masks[unknown])
            for some in np.array_split(places, -(-len(places) // ROWS)):
                q, mask = some // 2**self.size, some % 2**self.size
                rows, few = self.rows(q, mask, t), slice(None, None, max(1, len(some) // FEW))
                found = ask(self.draws(q, rows, before))
                # Of other questions than the first ones, maybe.
                refuse_order(part, found[few], ask(self.draws(q[few], rows[few, ::-1], before)))
                table[q, mask] = found
            values = table[question, masks]
        return values

    def draws(self, question: IntArray, rows: IntArray, before: int, /) -> Draws:
        """Return samples (S, t) of questions (S,) as parts see them, after so many calls of the model before."""
        draws = self.shown(question, rows, brought(self.samples))
        return Draws(columns={**draws, BEFORE: np.full(rows.shape, before)})

    def shown(self, question: IntArray, rows: IntArray, always: Sequence[str], /) -> Draws:
        """Return samples (S, t) of questions (S,) as aggregators see them, with some columns in any case."""
        return draws_of(self.samples, rows, question, always)

    def _probe(
        self,
        part: Part,
        ask: Callable[[Draws], FloatArray],
        question: IntArray,
        masks: IntArray,
        t: int,
        reads_before: FloatArray,
    ) -> None:
        """Raise where a part heeds the order of samples; note whether it reads how many calls there were before."""
        some = slice(None, None, max(1, len(masks) // PROBED))
        rows = self.rows(question[some], masks[some], t)
        draws = Recorded.watched(self.draws(question[some], rows, 0))
        values = ask(draws)
        for turned in (rows[:, ::-1], np.roll(rows, 1, axis=1)):
            refuse_order(part, values, ask(self.draws(question[some], turned, 0)))
        reads_before[0] = float(BEFORE in draws.read)

    def _table(self, part: Part, key: tuple[Any, ...], shape: tuple[int, ...]) -> FloatArray:
        for known, of, table in self._tables:
            if of == key and (known is part or known == part):
                return table
        self._tables.append((part, key, np.full(shape, np.nan)))
        return self._tables[-1][2]


class Recorded(JointDraws):
    """Draws that remember which columns were read."""

    read: set[str]

    @classmethod
    def watched(cls, draws: Draws) -> Self:
        """Return the same draws, of which nothing was read so far."""
        recorded = cls(columns=draws)
        object.__setattr__(recorded, "read", set())
        object.__setattr__(recorded, "unlike", getattr(draws, "unlike", ""))
        return recorded

    def __getitem__(self, column: str) -> Array:
        self.read.add(column)
        return super().__getitem__(column)

    def __contains__(self, column: object) -> bool:
        self.read.add(str(column))
        return super().__contains__(column)


class NoisyDraws(Recorded):
    """Draws whose noise may be compared, and nothing else."""

    noise: ComparedNoise

    @classmethod
    def of(cls, draws: Draws, noise: ComparedNoise) -> Self:
        """Return the same draws with noise."""
        noisy = cls.watched(draws)
        object.__setattr__(noisy, "noise", noise)
        return noisy

    def __getitem__(self, column: str) -> Array:
        if column != "noise":
            return super().__getitem__(column)
        self.read.add(column)
        shown: object = self.noise
        return shown  # type: ignore[return-value]  # an array as far as it may be looked at


@lru_cache(maxsize=64)
def pool_of(samples: Samples) -> Pool:
    """Return the pool of samples, made once, so that all policies read the same tables."""
    return Pool(samples)


def refuse_order(part: Part, values: FloatArray, turned: FloatArray, /) -> None:
    """Raise where a part makes something else of the same samples in another order.

    Raises:
        NotExact: naming the part.
    """
    if not np.allclose(values, turned, rtol=ROUNDING, atol=0.0):
        raise NotExact(f"{part_name(part)} heeds the order of samples")


def asked(part: Part, draws: Draws, *, parallelism: int = 1) -> FloatArray:
    """Ask a part about the whole of each row of draws (M, K): (M,), checked.

    Raises:
        NotExact: where it reads noise, or draws random numbers.
    """
    name = part_name(part)
    try:
        if isinstance(part, AccuracyAggregator):
            rng: Any = _NoRandomness()
            values = guarded(partial(part.aggregate, draws, rng), name)
        else:
            values = guarded(partial(part.total, draws, parallelism=parallelism), name)
    except MissingColumn as error:
        if error.column == "noise":
            raise NotExact(f"{name} reads noise") from None
        raise MissingColumn(error.column, error.available, name) from None
    whole = numbers(values, draws.accuracy.shape, f"{name} must return (M, K)")[:, -1]
    return np.clip(whole, 0.0, 1.0) if isinstance(part, AccuracyAggregator) else whole
