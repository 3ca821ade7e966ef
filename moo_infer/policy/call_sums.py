"""What calls consume where that is the sum of what each takes alone: moments by how many of each kind there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.errors import NotExact
from ..estimate.setup import Part
from .kinds import Kinds
from .pool import Pool, asked

__all__ = ["CallSums", "call_sums"]

PROBED = 50  # questions on which calls alone are compared with several at once
ROUNDING = 1e-9  # of totals, relative: sums in another order


def singles(pool: Pool, parts: Sequence[Part], parallelism: int, *, several: bool) -> FloatArray:
    """Return what each sample takes alone (N,).

    Args:
        pool: the samples of a model.
        parts: cost models of one objective.
        parallelism: P.
        several: whether calls are made together and sums of them are compared, else one by one.

    Raises:
        NotExact: where it depends on the calls before, or several together take something else than their sum.
    """
    samples = pool.samples
    every, question = np.arange(len(samples))[:, None], samples.question

    def total(rows: IntArray, of: IntArray, before: int) -> FloatArray:
        draws = pool.draws(of, rows, before)
        return sum((asked(part, draws, parallelism=parallelism) for part in parts), np.zeros(len(rows)))

    alone = total(every, question, 0)
    some = np.arange(0, len(samples.questions), max(1, len(samples.questions) // PROBED))
    n = samples.largest_k
    first = pool.start[some]
    if n > 1 and not np.allclose(total(first[:, None], some, n - 1), alone[first], rtol=ROUNDING, atol=0):
        raise NotExact("a call that takes another thing after others")
    for k in sorted({2, n // 2 + 1, n} if several and n > 1 else ()):
        rows = first[:, None] + np.arange(k)
        if not np.allclose(total(rows, some, 0), alone[rows].sum(axis=1), rtol=ROUNDING, atol=0):
            raise NotExact("several calls that take something else than their sum")
    return alone


def call_sums(
    kinds: Kinds, model: int, pool: Pool, parts: Sequence[Part], parallelism: int, *, several: bool
) -> "CallSums":
    """Return what calls of a model take by how many of each kind there are, made once; arguments as in `singles`."""
    known = kinds.kept.setdefault(("call sums", model, parallelism, several), [])
    found = next((sums for given, sums in known if given == list(parts)), None)
    if found is None:
        values = singles(pool, parts, parallelism, several=several)
        found = CallSums(kinds, model, values, pool.samples.question)
        known.append((list(parts), found))
    assert isinstance(found, CallSums)
    return found


@dataclass(frozen=True, eq=False)
class CallSums:
    """Moments of the sum of numbers over the samples of a model that were seen, by how many of each kind there are.

    Which samples of a kind they are is random, and so is which of several kinds that are alike is which.

    Args:
        kinds: of the models that were called.
        model: whose samples.
        values: (N,).
        question: (N,) which question each sample is about.
    """

    kinds: Kinds
    model: int
    values: FloatArray
    question: IntArray

    @cached_property
    def _columns(self) -> IntArray:
        return self.kinds.columns(self.model)

    @cached_property
    def _of_kinds(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """(Q, K) mean of a kind, and of those alike with it; what samples within and kinds between add to variances."""
        size = self.kinds.size[:, self._columns].astype(np.float64)
        Q, K = size.shape
        place = self.question * K + self.kinds.of_sample[self.model]

        def sums(values: FloatArray) -> FloatArray:
            return np.bincount(place, values, Q * K).reshape(Q, K).astype(np.float64)

        mean = sums(self.values) / np.maximum(size, 1)
        apart = self.values - mean.ravel()[place]
        within = sums(apart**2) / np.maximum(size, 1) / np.maximum(size - 1, 1)
        group = self.kinds.group[:, self._columns]
        group = (group - group.min()).ravel()
        members = self.kinds.members[:, self._columns]

        def over_alike(values: FloatArray) -> FloatArray:
            return np.asarray(np.bincount(group, values.ravel())[group].reshape(Q, K))

        centre = over_alike(mean) / members
        between = over_alike((mean - centre) ** 2) / np.maximum(members - 1, 1)
        return centre, over_alike(within) / members, between

    def moments(self, question: IntArray, x: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return means and variances (S,) in states (S, K L) of questions (S,)."""
        K, L = len(self.kinds.model), self.kinds.cells
        seen = x.reshape(len(x), K, L)[:, self._columns].sum(axis=2, dtype=np.float64)
        centre, within, between = (each[question] for each in self._of_kinds)
        size = self.kinds.size[question][:, self._columns]
        mean = (seen * centre).sum(axis=1)
        variance = (within * seen * (size - seen)).sum(axis=1)
        if between.any():
            variance += (between * seen**2).sum(axis=1)
            first = ~self.kinds.alike[question][:, self._columns]
            members = self.kinds.members[question][:, self._columns]
            together = np.zeros(len(x))
            for i in range(seen.shape[1]):  # the square of what a group has, a kind after the other
                before = np.where(first[:, i], 0.0, together)
                together = before + seen[:, i]
                variance -= between[:, i] / members[:, i] * (together**2 - before**2)
        return mean, np.maximum(variance, 0.0)
