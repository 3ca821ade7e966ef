"""States of queries on models of laws, whose inferences are right or wrong: how many there are of each kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Self

import numpy as np

from ..core.arrays import Array, FloatArray, IntArray
from ..core.errors import NotExact
from ..core.seen import NOTHING
from .kinds import NOISE
from .looks import ComparedNoise
from .memory import Remember
from .states import States

__all__ = ["Branch", "LawKinds", "LawStates"]

Waves = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class LawKinds:
    """Kinds of inferences: right or wrong, by the part of [0, 1) in which its noise compares alike.

    Args:
        cuts: where noise is compared.
    """

    cuts: tuple[float, ...] = ()

    @property
    def edges(self) -> FloatArray:
        """(L + 1,) ends of the parts."""
        return np.array([0.0, *[cut for cut in self.cuts if 0 < cut < 1], 1.0])

    @property
    def number(self) -> int:
        """How many kinds there are, 2 L: the right ones first."""
        return 2 * (len(self.edges) - 1)

    def chances(self, p: FloatArray, /) -> FloatArray:
        """Return how likely each kind is (2 L, Q), where inferences are right with probability p (Q,)."""
        share = np.diff(self.edges)[:, None]
        return np.concatenate([share * p, share * (1 - p)])


class LawStates(States):
    """S states, whatever the query.

    Args:
        models: names.
        kinds: of inferences.
        x: (S, m, 2 L) how many of each kind each model brought.
        last: those of the last wave, or None.
        n, waves: calls of each model, and by wave.
        situation: what is known of every query before.
    """

    def __init__(
        self,
        models: tuple[str, ...],
        kinds: LawKinds,
        x: IntArray,
        last: IntArray | None,
        n: tuple[int, ...],
        waves: Waves | None,
        situation: Mapping[str, object] = NOTHING,
    ) -> None:
        super().__init__(models, n, waves)
        self._kinds, self._x, self._last, self._situation = kinds, x, last, situation
        self.read: set[str] = set()  # columns that were looked at

    def __len__(self) -> int:
        return len(self._x)

    def column(self, model: int, name: str, wave: int | None, /) -> Array:
        """Return answers, 0 right and 1 wrong; or which are right; or noise that may be compared."""
        if name not in ("answer", "correct", NOISE):
            raise NotExact(f"the column {name}, by a law")
        self.read.add(name)
        x = self._x
        if wave is not None:
            if self._last is None or wave != len(self.history) - 1:
                raise NotExact("a policy looks at what calls before the last one brought")
            x = self._last
        kind = self._which(x[:, model], self.calls(model, wave))
        if name == NOISE:
            shown: object = self.noise(kind)
            return shown  # type: ignore[return-value]  # an array as far as it may be looked at
        wrong = kind >= self._kinds.number // 2
        return wrong.astype(np.int64) if name == "answer" else 1.0 - wrong

    def _which(self, x: IntArray, n: int) -> IntArray:
        """The kind of each inference (S, n)."""
        return np.repeat(np.tile(np.arange(x.shape[1]), len(x)), x.ravel()).reshape(len(x), n)

    def noise(self, kind: IntArray) -> ComparedNoise:
        """Return noise of inferences of some kinds."""
        edges, known = self._kinds.edges, {*self._kinds.cuts}

        def compared(others: Array) -> None:
            cuts = set(np.unique(others).tolist())
            if not cuts <= known:
                raise Remember(frozenset(), 0, [NOISE], cuts=cuts)

        return ComparedNoise(((edges[:-1] + edges[1:]) / 2)[kind % (len(edges) - 1)], compared)

    def kinds(self, models: list[int]) -> IntArray:
        """Return the kind of each inference of some models (S, n)."""
        return np.concatenate([self._which(self._x[:, j], self.n[j]) for j in models], axis=1)

    def spent(self, objective: str, /) -> FloatArray:
        """Lengths are not known here."""
        raise NotExact(f"what was spent of {objective} so far, by a law")

    @property
    def question(self) -> IntArray:
        """Nothing tells queries apart."""
        return np.zeros(len(self), dtype=np.int64)

    def known(self, state: int, /) -> Mapping[str, object]:
        """What is known of every query before."""
        return self._situation


@dataclass(frozen=True, eq=False)
class Branch:
    """States with their chances.

    Args:
        x: (S, m, 2 L), how many of each kind each model brought.
        chance: (S, Q), given each query.
        last: those of the last wave.
    """

    x: IntArray
    chance: FloatArray
    last: IntArray

    @classmethod
    def start(cls, models: int, kinds: LawKinds, Q: int) -> Self:
        """Return queries before any call."""
        none = np.zeros((1, models, kinds.number), dtype=np.int64)
        return cls(none, np.ones((1, Q)), none)

    @classmethod
    def joined(cls, parts: "list[Branch]") -> "Branch":
        """Put several into one."""
        return Branch(
            np.concatenate([part.x for part in parts]),
            np.concatenate([part.chance for part in parts]),
            np.concatenate([part.last for part in parts]),
        )

    def __getitem__(self, rows: IntArray) -> "Branch":
        return Branch(self.x[rows], self.chance[rows], self.last[rows])

    def merged(self) -> "Branch":
        """Return each state once, whatever the last wave brought."""
        different, which = np.unique(self.x, axis=0, return_inverse=True)
        chance = np.zeros((len(different), self.chance.shape[1]))
        np.add.at(chance, which.ravel(), self.chance)
        return Branch(different, chance, different)

    def followed(self, wave: tuple[int, ...], kinds: LawKinds, p: FloatArray) -> "Branch":
        """Return the states that follow a wave, where inferences of models are right with probability p (m, Q)."""
        brought, share = self._wave(wave, kinds, p)
        x = (self.x[:, None] + brought).reshape(-1, *self.x.shape[1:])
        chance = (self.chance[:, None] * share).reshape(len(x), -1)
        return Branch(x, chance, np.tile(brought, (len(self.x), 1, 1)))

    def _wave(self, wave: tuple[int, ...], kinds: LawKinds, p: FloatArray) -> tuple[IntArray, FloatArray]:
        """What a wave may bring (R, m, 2 L), and how likely that is (R, Q)."""
        each = [_outcomes(w, kinds.chances(p[j])) for j, w in enumerate(wave)]
        brought = np.array(list(product(*(own.tolist() for own, _ in each))), dtype=np.int64)
        share = np.ones((1, p.shape[1]))
        for _, own in each:
            share = (share[:, None] * own).reshape(-1, p.shape[1])
        return brought, share


def _outcomes(w: int, chances: FloatArray) -> tuple[IntArray, FloatArray]:
    """How many of w inferences may be of each kind (R, C), and how likely that is (R, Q): multinomial."""
    from scipy.special import comb

    C = len(chances)
    rows: list[list[int]] = [[]]
    for _ in range(C - 1):
        rows = [[*row, r] for row in rows for r in range(w - sum(row) + 1)]
    x = np.array([[*row, w - sum(row)] for row in rows], dtype=np.int64)
    left = w - np.cumsum(x, axis=1) + x
    ways = np.prod(comb(left, x), axis=1)
    return x, ways[:, None] * np.prod(chances ** x[:, :, None], axis=1)
