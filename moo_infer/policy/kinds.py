"""Kinds of samples: those of a question that nothing which is looked at tells apart, and how many there are of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..core.arrays import Array, BoolArray, FloatArray, IntArray
from .pool import Pool

__all__ = ["LARGEST_KEY", "NOISE", "Kinds", "Told", "kinds_of"]

LARGEST_KEY = 61.0  # bits of a number that tells the states of a question apart; one more is for the sign
WIDEST = 256  # kinds of a question; most of its states are too many then
NOISE = "noise"  # the column of what is random beside the samples


class Told(NamedTuple):
    """What the samples of a model are told apart by.

    Args:
        model: its number.
        columns: of the neutral table, or ``noise``.
        interchangeable: whether answers may be renamed: only how many are equal counts, and no other model gives them.
    """

    model: int
    columns: frozenset[str]
    interchangeable: bool


@dataclass(frozen=True, eq=False)
class Kinds:
    """K kinds of the samples of each of Q questions, of the models that were called.

    A state of a query is how many samples of each kind were seen. Where noise is looked at, each kind has L cells, in
    which it compares alike.

    Args:
        model: (K,) whose samples.
        size: (Q, K) how many there are; 0 where a question has fewer kinds.
        sample: (Q, K) the place of one of them among the samples of the model.
        alike: (Q, K) whether a kind may change places with the one before it: only how many answers are equal counts.
        share: (K, L) how likely noise is in each cell.
        noise: (L,) a number in each.
        of_sample: by model (N,), the kind of each of its samples.
        wide: (Q,) the questions with too many kinds, of which nothing is told here.
    """

    model: IntArray
    size: IntArray
    sample: IntArray
    alike: BoolArray
    share: FloatArray
    noise: FloatArray
    of_sample: Mapping[int, IntArray]
    wide: BoolArray
    kept: dict[Any, Any] = field(default_factory=dict, repr=False)  # what was found of them, by who found it

    @property
    def cells(self) -> int:
        """L."""
        return len(self.noise)

    @cached_property
    def place(self) -> IntArray:
        """(Q, K) the place of a kind among those that are alike, from 0."""
        place = np.zeros(self.size.shape, dtype=np.int64)
        for i in range(1, len(self.model)):
            place[:, i] = np.where(self.alike[:, i], place[:, i - 1] + 1, 0)
        return place

    @cached_property
    def members(self) -> IntArray:
        """(Q, K) how many kinds are alike."""
        members = self.place + 1
        for i in range(len(self.model) - 2, -1, -1):
            members[:, i] = np.where(self.alike[:, i + 1], members[:, i + 1], members[:, i])
        return members

    @cached_property
    def group(self) -> IntArray:
        """(Q, K) numbers of groups that are alike, counted through all questions."""
        return np.asarray(np.cumsum(~self.alike).reshape(self.alike.shape) - 1)

    @cached_property
    def digits(self) -> tuple[IntArray, IntArray, FloatArray]:
        """What makes a state one number: the sum over kinds of base * (1 + grow + ... + grow^(x - 1)).

        x samples of m alike kinds of a samples each, in descending order, are m digits below a + 1, or, where that is
        less, how many kinds have more than y of them for each y below a: digits up to m.

        Returns:
            base and grow (Q, K L), and how many bits the number has (Q,).
        """
        Q = len(self.size)
        by_kind, by_count = self.members * np.log2(self.size + 1.0), self.size * np.log2(self.members + 1.0)
        counted = by_count < by_kind
        bits = np.where(counted, by_count, by_kind) * self.cells
        last = self.last
        total = (bits * last).sum(axis=1)
        total = np.where(self.wide, np.inf, total)
        fits = total < LARGEST_KEY
        size, members = np.where(fits[:, None], self.size, 0), np.where(fits[:, None], self.members, 1)
        radix = np.where(counted, (members + 1) ** size, (size + 1) ** members) ** self.cells
        before = np.cumprod(np.where(last, radix, 1), axis=1) // np.where(last, radix, 1)
        base = before * np.where(counted, 1, (size + 1) ** self.place)
        grow = np.where(counted, members + 1, 1)
        inner = (size[:, :, None] + 1) ** np.arange(self.cells)
        return (base[:, :, None] * inner).reshape(Q, -1), np.repeat(grow, self.cells, axis=1), total

    @property
    def coded(self) -> bool:
        """Whether a question and the number of its state make one number."""
        return len(self.size) * self.span < 2**62

    def codes(self, question: IntArray, key: IntArray) -> IntArray:
        """Return one number (S,) for questions and the numbers of their states, where these have codes."""
        return np.asarray(question * self.span + key)

    def keys(self, question: IntArray, x: IntArray) -> IntArray:
        """Return the number of each state (S, K L) of questions (S,)."""
        base, grow, _ = self.digits
        base, grow = base[question], grow[question]
        x = x.astype(np.int64)
        steps = np.where(grow > 1, (grow**x - 1) // np.maximum(grow - 1, 1), x)
        return np.asarray((base * steps).sum(axis=1))

    @cached_property
    def span(self) -> int:
        """One more than the largest number of a state."""
        Q = len(self.size)
        return 1 + int(self.keys(np.arange(Q), np.repeat(self.size, self.cells, axis=1)).max(initial=0))

    @cached_property
    def last(self) -> BoolArray:
        """(Q, K) whether a kind is the last of those that are alike."""
        last = np.ones(self.size.shape, dtype=bool)
        last[:, :-1] = ~self.alike[:, 1:]
        return last

    @cached_property
    def states(self) -> FloatArray:
        """(Q,) how many states there are at most."""
        from scipy.special import gammaln

        a, m = self.size.astype(np.float64), self.members.astype(np.float64)
        ways = gammaln(m + a + 1) - gammaln(m + 1) - gammaln(a + 1)
        return np.asarray(np.exp((np.where(self.last, ways, 0.0) * self.cells).sum(axis=1)))

    def columns(self, model: int) -> IntArray:
        """Return the numbers of the kinds of a model."""
        return np.flatnonzero(self.model == model)

    def part(self, x: IntArray, model: int) -> IntArray:
        """Return what states (S, K L) say of a model."""
        if len(self.of_sample) == 1:
            return x
        return x.reshape(len(x), len(self.model), self.cells)[:, self.columns(model)].reshape(len(x), -1)

    def sorted(self, question: IntArray, x: IntArray) -> IntArray:
        """Put states (S, K) into descending order among kinds that are alike."""
        if not self.alike.any():
            return x
        most = int(self.size.max()) + 1
        group = self.group[question] - self.group[question, :1]
        ordered = np.sort(group * most + (most - 1 - x.astype(np.int64)), axis=1)
        return np.asarray(most - 1 - (ordered - group * most)).astype(x.dtype)


def kinds_of(pools: Sequence[Pool], told: Sequence[Told], cuts: tuple[float, ...]) -> Kinds:
    """Return the kinds of the samples of some models, made once for one model.

    Args:
        pools: the samples of each model.
        told: for each model that was called, what its samples are told apart by.
        cuts: where noise is compared.
    """
    if len(told) == 1:
        return _of_one(pools[told[0].model], told[0], cuts)
    return _joined(pools, told, cuts) if told else _none(len(pools[0].samples.questions))


@lru_cache(maxsize=128)
def _none(Q: int) -> Kinds:
    """Before any call, or where all is forgotten."""
    none = np.zeros((Q, 0), dtype=np.int64)
    return Kinds(none[0], none, none, none.astype(bool), np.zeros((0, 1)), np.full(1, 0.5), {}, np.zeros(Q, dtype=bool))


@lru_cache(maxsize=128)
def _of_one(pool: Pool, told: Told, cuts: tuple[float, ...]) -> Kinds:
    return _joined({told.model: pool}, [told], cuts)


def _joined(pools: Sequence[Pool] | Mapping[int, Pool], told: Sequence[Told], cuts: tuple[float, ...]) -> Kinds:
    noisy = any(NOISE in of.columns for of in told)
    edges = np.array([0.0, *[cut for cut in cuts if noisy and 0 < cut < 1], 1.0])
    L = len(edges) - 1
    each = [_of_model(pools[of.model], of.columns - {NOISE}, of.interchangeable and L == 1) for of in told]
    shares = [np.diff(edges) if NOISE in of.columns else np.eye(1, L)[0] for of in told]
    widths = [size.shape[1] for size, *_ in each]
    return Kinds(
        np.repeat([of.model for of in told], widths),
        np.concatenate([size for size, *_ in each], axis=1),
        np.concatenate([sample for _, sample, *_ in each], axis=1),
        np.concatenate([alike for _, _, alike, *_ in each], axis=1),
        np.repeat(np.array(shares), widths, axis=0),
        (edges[:-1] + edges[1:]) / 2,
        {of.model: of_sample for of, (*_, of_sample, _) in zip(told, each, strict=True)},
        np.any([wide for *_, wide in each], axis=0),
    )


@lru_cache(maxsize=128)
def _of_model(
    pool: Pool, columns: frozenset[str], interchangeable: bool
) -> tuple[IntArray, IntArray, BoolArray, IntArray, BoolArray]:
    """Sizes, samples and whether alike (Q, K); the kind of each sample (N,); and whether these are too many (Q,)."""
    question = pool.samples.question
    columns = columns & {*pool.samples}
    alone = codes(question, *[pool.samples[name] for name in sorted(columns - {"answer"})])
    told = codes(alone, pool.samples["answer"]) if "answer" in columns else alone
    free = np.zeros(len(question), dtype=bool)
    if interchangeable and "answer" in columns:  # an answer that is of several kinds is not: they go together
        given = codes(question, pool.samples["answer"])
        kinds = np.bincount(given[np.unique(told, return_index=True)[1]])
        free = (kinds[given] == 1) & (pool.samples["answer"] >= 0)
    _, first, which, size = np.unique(told, return_index=True, return_inverse=True, return_counts=True)
    owner, class_of, free = question[first], alone[first], free[first]
    order = np.lexsort((size, class_of, ~free, owner))
    owner, class_of, free, size, first = (each[order] for each in (owner, class_of, free, size, first))
    alike = np.zeros(len(order), dtype=bool)
    same = (size[1:] == size[:-1]) & (class_of[1:] == class_of[:-1])  # of one question, as its number is in the class
    alike[1:] = same & free[1:] & free[:-1]
    place = np.arange(len(order)) - np.searchsorted(owner, owner)
    wide = np.bincount(owner) > WIDEST
    place[wide[owner]] = 0
    Q, K = len(pool.samples.questions), int(place.max(initial=0)) + 1
    sizes, samples, likes = np.zeros((Q, K), np.int64), np.zeros((Q, K), np.int64), np.zeros((Q, K), bool)
    sizes[owner, place], samples[owner, place], likes[owner, place] = size, first, alike
    new_place = np.zeros(len(order), dtype=np.int64)
    new_place[order] = place
    return sizes, samples, likes, new_place[which], wide


def codes(first: IntArray, *columns: Array) -> IntArray:
    """Return (N,) integers that are the same where all columns are; a smaller one for a smaller first column."""
    code = np.unique(first, return_inverse=True)[1]
    for column in columns:
        own = np.unique(column, return_inverse=True)[1]
        code = np.unique(code * (int(own.max(initial=0)) + 1) + own, return_inverse=True)[1]
    return np.asarray(code)
