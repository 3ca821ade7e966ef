"""What the answer that an aggregator delivers is worth by another judgement than whether it is right."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ..core.arrays import Array, FloatArray, IntArray
from ..core.draws import Draws
from ..core.errors import NoChoice, NotExact, NothingPossible
from ..core.moments import Moments
from ..core.noise import with_noise
from ..interfaces import AccuracyAggregator
from ..quantities.by_samples import SampleQuery, draws_of
from ..quantities.judged import JudgedQuery
from ..quantities.quantity import Query
from .calls import chosen

__all__ = ["Delivered"]

ALWAYS = ("noise", "question")  # of every inference, or of none
# Choices that are compared where nothing may be drawn: two answers that are as likely are told apart but for 2^-31.
COMPARED = 32


@dataclass(frozen=True)
class Delivered(AccuracyAggregator):
    """What the answer that an aggregator chooses is worth by a column of the draws; 0 where it chooses none.

    Who does not look at what is right says it where `accuracy` is that column. Of the others, one of the inferences
    that are the same in all that they look at is the answer, each as likely, so that it is worth their mean.

    Args:
        of: whose answer it is.
        column: by which it is judged, (M, K) in [0, 1].

    >>> from moo_infer.builtin.aggregators import BestOfK
    >>> draws = Draws(accuracy=np.array([[0.0, 1, 1]]), columns={"unsafe": np.array([[0.0, 0, 1]])})
    >>> Delivered(BestOfK(), "unsafe").aggregate(draws, np.random.default_rng(0))
    array([[0. , 0. , 0.5]])
    """

    name: ClassVar[str] = "delivered"

    of: AccuracyAggregator
    column: str

    def aggregate(self, draws: Draws, rng: np.random.Generator, /) -> FloatArray:
        """What the answer of the first k is worth, (M, K)."""
        shown = Shown.of(draws)
        self._chosen(shown, np.random.default_rng(0))
        if "accuracy" not in shown.read:
            return self.of.aggregate(Shown.of(draws, worth=self.column), rng)
        K = draws.shape[1]
        return np.stack([self._of_first(draws, k, rng) for k in range(1, K + 1)], axis=1)

    def exact(self, query: Query, k: IntArray, /) -> Moments:
        """Exact moments on the questions of a log, where the aggregator says them."""
        if not isinstance(query, SampleQuery):
            raise NotExact("laws do not say how else answers are judged")
        samples = query.samples
        first = np.arange(min(int(k.max()), int(samples.n[0])))[None]
        rng = np.random.default_rng(0)
        self._chosen(with_noise(draws_of(samples, first, np.zeros(1, dtype=np.int64)), rng), rng)
        return self.of.exact(JudgedQuery(samples, self.column), k)

    def _chosen(self, draws: Draws, rng: np.random.Generator) -> IntArray:
        """Which inference is the answer (M,); raises NothingPossible where none ever is."""
        try:
            return chosen(self.of, draws, rng)
        except NoChoice as error:
            raise NothingPossible(
                f"{self.column} is judged of the answer that is delivered, and {error}; take another aggregator, or "
                f"leave {self.column} out of what is judged"
            ) from None

    def _of_first(self, draws: Draws, k: int, rng: np.random.Generator) -> FloatArray:
        """What the answer of the first k is worth, (M,)."""
        try:
            return self._of_one(draws, k, rng)
        except NotExact:
            values = [self._of_one(draws, k, np.random.default_rng(seed)) for seed in range(COMPARED)]
            if all(np.array_equal(value, values[0]) for value in values[1:]):
                return values[0]
            raise

    def _of_one(self, draws: Draws, k: int, rng: np.random.Generator) -> FloatArray:
        shown = Shown.of(draws, k=k)
        answer = self._chosen(shown, rng)[:, None]
        alike = np.broadcast_to(np.arange(k), shown.shape) == answer
        if "noise" not in shown.read:  # which is another for every inference
            alike = np.broadcast_to(answer >= 0, shown.shape)
            for name in shown.read:
                column = draws[name][:, :k]
                alike = alike & (column == np.take_along_axis(column, np.maximum(answer, 0), axis=1))
        worth = np.where(alike, draws[self.column][:, :k], 0.0).sum(axis=1)
        return np.asarray(worth / np.maximum(alike.sum(axis=1), 1))


class Shown(Draws):
    """Draws as an aggregator is shown them: it is noted what is read, and another column may stand for the accuracy."""

    read: set[str]
    _draws: Draws | None = None
    _worth: str
    _k: int | None

    @classmethod
    def of(cls, draws: Draws, *, worth: str = "accuracy", k: int | None = None) -> "Shown":
        """Return the first k of draws (M, K), or all of them, of which nothing was read so far.

        Args:
            draws: of which they are.
            worth: the column that stands for the accuracy.
            k: how many.
        """
        shown = object.__new__(cls)
        fields: dict[str, object] = {"_draws": draws, "_worth": worth, "_k": k, "read": set()}
        for name, value in fields.items():
            object.__setattr__(shown, name, value)
        return shown

    @property
    def columns(self) -> Draws:  # a mapping, which notes what is read
        """The columns by name."""
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """(M, k)."""
        assert self._draws is not None
        M, K = self._draws.shape
        return M, K if self._k is None else self._k

    def __getitem__(self, column: str) -> Array:
        """Return a column (M, k) by name."""
        assert self._draws is not None
        self.read.add(column)
        return self._draws[self._worth if column == "accuracy" else column][:, : self._k]

    def __iter__(self) -> Iterator[str]:
        assert self._draws is not None
        return iter(self._draws)

    def __len__(self) -> int:
        """Return how many columns there are."""
        assert self._draws is not None
        return len(self._draws)
