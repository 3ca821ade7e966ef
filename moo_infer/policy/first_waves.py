"""The first calls of a model, all at once: what they may bring, and what they consume given what they brought."""

from collections.abc import Sequence
from itertools import combinations
from math import comb

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.errors import NotExact
from ..estimate.setup import Part
from .counted import Counted
from .kinds import Kinds
from .pool import ROWS, Pool, asked

__all__ = ["first_wave", "most_states", "wave_moments"]

LARGEST = 2**21  # samples in all subsets that are gone through
KEPT = 2**18  # of these, samples that are kept for other objectives
PROBED = 200  # subsets whose samples are put into another order
ROUNDING = 1e-9  # of totals, relative: sums in another order


def first_wave(kinds: Kinds, model: int, pool: Pool, w: int) -> Counted:
    """Return what the first w samples of a model may be, of all questions, with their chances; made once."""
    key = ("first wave", w)
    if key not in kinds.kept:
        states = Counted.start(np.arange(len(pool.samples.questions))).told_by(kinds)
        for i in range(w):
            states = states.drawn(kinds, model, pool.samples.n - i)
        kinds.kept[key] = states
    states = kinds.kept[key]
    assert isinstance(states, Counted)
    return states


def most_states(kinds: Kinds, model: int, pool: Pool, w: int) -> int:
    """Return how many states the first w samples of a model may lead to at most, of all questions together."""
    there = (kinds.size[:, kinds.columns(model)] > 0).sum(axis=1).tolist()
    each = zip(there, pool.samples.n.tolist(), strict=True)
    return int(sum(min(comb(of + w - 1, w) if of else 1, comb(n, w)) for of, n in each) * kinds.cells**w)


def wave_moments(
    kinds: Kinds, model: int, pool: Pool, parts: Sequence[Part], w: int, parallelism: int, states: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return means and variances (S,) of what the first w samples of a model consume, in states they brought.

    Args:
        kinds: of this model alone.
        model: its number.
        pool: its samples.
        parts: cost models of one objective.
        w: how many, all at once.
        parallelism: P.
        states: (S,), their codes by these kinds.

    Raises:
        NotExact: where there are too many subsets, or a part tells nothing exactly.
    """
    known = kinds.kept.setdefault(("wave moments", w, parallelism), [])
    found = next((table for given, table in known if given == parts), None)
    if found is None:
        found = _moments(kinds, model, pool, parts, w, parallelism)
        known.append((parts, found))
    code, mean, variance = found
    place = np.searchsorted(code, states)
    return mean[place], variance[place]


def _moments(
    kinds: Kinds, model: int, pool: Pool, parts: Sequence[Part], w: int, parallelism: int
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Codes of states, ascending, with the mean and variance in each, from all subsets."""
    code, which, question, rows = _subsets(kinds, model, pool, w)
    each = [
        _total(pool, parts, question[i : i + ROWS], rows[i : i + ROWS], parallelism) for i in range(0, len(rows), ROWS)
    ]
    total = np.concatenate(each)
    _refuse_order(pool, parts, question[:PROBED], rows[:PROBED], parallelism, total[:PROBED])
    times = np.bincount(which)
    mean = np.bincount(which, total) / times
    return code, mean, np.bincount(which, (total - mean[which]) ** 2) / times


def _subsets(kinds: Kinds, model: int, pool: Pool, w: int) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """All subsets of w samples (S, w) of questions (S,): codes of states, ascending, and in which each of them is."""
    n = pool.samples.n
    if kinds.cells > 1 or not kinds.coded:
        raise NotExact("states without codes")
    if sum(comb(int(size), w) * w for size in n) > LARGEST:
        raise NotExact(f"too many subsets of {w} samples")
    key = ("subsets", w)
    if key not in kinds.kept:
        questions, chosen = [], []
        for size in np.unique(n):
            own = np.flatnonzero(n == size)
            places = np.array(list(combinations(range(size), w)), dtype=np.int64)
            questions.append(np.repeat(own, len(places)))
            chosen.append(pool.start[questions[-1]][:, None] + np.tile(places, (len(own), 1)))
        question, rows = np.concatenate(questions), np.concatenate(chosen)
        x = np.zeros((len(rows), len(kinds.model)), dtype=np.int64)
        for column in kinds.of_sample[model][rows].T:
            x[np.arange(len(rows)), column] += 1
        codes = kinds.codes(question, kinds.keys(question, kinds.sorted(question, x)))
        made = (*np.unique(codes, return_inverse=True), question, rows)
        if rows.size > KEPT:
            return made
        kinds.kept[key] = made
    found: tuple[IntArray, IntArray, IntArray, IntArray] = kinds.kept[key]
    return found


def _total(pool: Pool, parts: Sequence[Part], question: IntArray, rows: IntArray, parallelism: int) -> FloatArray:
    """What calls take (S,), all at once."""
    draws = pool.draws(question, rows, 0)
    return sum((asked(part, draws, parallelism=parallelism) for part in parts), np.zeros(len(question)))


def _refuse_order(
    pool: Pool, parts: Sequence[Part], question: IntArray, rows: IntArray, parallelism: int, total: FloatArray
) -> None:
    """Raise NotExact where the order of samples says what they take."""
    for turned in (rows[:, ::-1], np.roll(rows, 1, axis=1)):
        if not np.allclose(total, _total(pool, parts, question, turned, parallelism), rtol=ROUNDING, atol=0.0):
            raise NotExact("a cost model that heeds the order of samples")
