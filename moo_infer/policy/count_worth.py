"""What answers are worth in states that count samples of each kind."""

from dataclasses import dataclass

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.draws import Draws
from ..interfaces import AccuracyAggregator
from ..quantities.by_samples import NAMES
from .count_states import Evaluation, compared_noise, samples_of
from .counted import Counted, unique_rows
from .joint import SEEN, joint
from .kinds import NOISE, Kinds
from .memory import Called, Remember
from .pool import NoisyDraws, asked, refuse_order

__all__ = ["CountWorth"]

PROBED = 200  # states whose samples are put into another order, and whose answers are renamed
ROUNDING = 1e-9  # of what an answer is worth
ROWS = 2**21  # samples that an aggregator is shown at once
KEPT = 2**12  # states whose worth is kept for other policies


@dataclass(frozen=True, eq=False)
class CountWorth:
    """What an aggregator makes of the samples that were seen.

    Args:
        evaluation: who asks.
        kinds: by which states count.
        aggregator: who answers.
        taken: the models from whose samples it does.
        n: calls of each model.
    """

    evaluation: Evaluation
    kinds: Kinds
    aggregator: AccuracyAggregator
    taken: tuple[int, ...]
    n: tuple[int, ...]

    def of(self, states: Counted) -> FloatArray:
        """Return what answers are worth in states (S,).

        Raises:
            Remember: where the aggregator looks at what they do not tell apart.
            NotExact: where it heeds the order of samples, or draws random numbers.
        """
        if len(states) > KEPT or not self.kinds.coded:
            return self._asked(states, self._checked(states))
        known = self.kinds.kept.setdefault(("worth", self.taken, tuple(self.n[j] for j in self.taken)), [])
        found = next((i for i, (given, *_) in enumerate(known) if given == self.aggregator), None)
        if found is None:
            read = self._checked(states)
            known.append((self.aggregator, read, np.zeros(0, np.int64), np.zeros(0)))
            found = len(known) - 1
        _, read, codes, worth = known[found]
        self._refuse_untold(read)
        code = self.kinds.codes(states.question, states.key)
        place = np.minimum(np.searchsorted(codes, code), max(len(codes) - 1, 0))
        new = np.flatnonzero(codes[place] != code) if len(codes) else np.arange(len(code))
        if len(new):
            first = self.kinds.kept.get(("first wave", self.n[self.taken[0]]))
            more = states[new] if first is None or len(codes) or len(self.taken) > 1 else first
            codes = np.append(codes, self.kinds.codes(more.question, more.key))
            codes, place = np.unique(codes, return_index=True)
            worth = np.append(worth, self._asked(more, read))[place]
            if len(codes) <= 4 * KEPT:
                known[found] = (self.aggregator, read, codes, worth)
            place = np.searchsorted(codes, code)
        found_worth: FloatArray = worth[place]
        return found_worth

    @property
    def _called(self) -> Called:
        return frozenset(j for j, calls in enumerate(self.n) if calls)

    def _refuse_untold(self, read: set[str]) -> None:
        """Raise Remember where a column that was read is not told apart."""
        columns = {NAMES.get(name, name) for name in read}
        for j in self.taken:
            there = {NOISE, *self.evaluation.pools[j].samples}
            if missing := columns & there - self.evaluation.memory.columns(self._called, j):
                raise Remember(self._called, j, missing)

    def _checked(self, states: Counted) -> set[str]:
        """Ask about some states, and return what is read of them."""
        few = states[:: max(1, len(states) // PROBED)]
        worth, read = self._ask(few)
        self._refuse_untold(read)
        refuse_order(self.aggregator, worth, self._ask(few, turned=True)[0])
        plain = "answer" not in read or self.evaluation.memory.named
        if not plain and not np.allclose(worth, self._ask(few, renamed=True)[0], rtol=ROUNDING, atol=0.0):
            raise Remember(self._called, self.taken[0], ["answer"], named=True)
        return read

    def _asked(self, states: Counted, read: set[str]) -> FloatArray:
        """Ask about all states, once about those that are alike."""
        first, which = self._alike(states) if "question" not in read else (np.arange(len(states)), slice(None))
        some = states[first]
        step = max(1, ROWS // sum(self.n[j] for j in self.taken))
        each = [self._ask(some[slice(i, i + step)])[0] for i in range(0, len(some), step)]
        return np.concatenate(each)[which]

    def _ask(self, states: Counted, *, turned: bool = False, renamed: bool = False) -> tuple[FloatArray, set[str]]:
        """Show one sample of each kind as often as it was seen; in the other order, or with other names of answers."""
        evaluation, order = self.evaluation, slice(None, None, -1 if turned else 1)
        each = [samples_of(self.kinds, states, j, self.n[j]) for j in self.taken]
        rows, cells = ([pair[i][:, order] for pair in each] for i in (0, 1))
        pools = [evaluation.pools[j] for j in self.taken]
        each_model = [pool.shown(states.question, of, SEEN) for pool, of in zip(pools, rows, strict=True)]
        draws = joint(each_model, evaluation.of.unlike(self.taken))
        if renamed and "answer" in draws:
            answer = draws["answer"]
            draws = Draws(columns={**draws, "answer": np.where(answer >= 0, answer.max() - answer, -1)})
        noise = self.kinds.noise[np.concatenate(cells, axis=1)]
        shown = NoisyDraws.of(draws, compared_noise(evaluation, self._called, [*self.taken], noise))
        return asked(self.aggregator, shown), shown.read

    def _alike(self, states: Counted) -> tuple[IntArray, IntArray]:
        """Places of states that are worth different things, and for each state which of these it is like."""
        every, columns = np.arange(len(states)), self.kinds.columns(self.taken[0])
        memory = self.evaluation.memory
        if len(self.taken) > 1 or memory.named or self.kinds.cells > 1:
            return every, every
        label = self._labels(columns)
        if label is None:
            return every, every
        width = int(label.max(initial=0)) + 1
        x = self.kinds.part(states.x, self.taken[0]).astype(np.int64)
        return unique_rows(np.sort(np.where(x > 0, x * width + label[states.question], 0), axis=1))

    def _labels(self, columns: IntArray) -> IntArray | None:
        """(Q, K) what kinds are but for the name of the answer; None where one answer is of several kinds."""
        pool = self.evaluation.pools[self.taken[0]]
        told = self.evaluation.memory.columns(self._called, self.taken[0])
        sample, there = self.kinds.sample[:, columns], self.kinds.size[:, columns] > 0
        label = np.zeros(sample.shape, dtype=np.int64)
        for name in sorted(told - {"answer", NOISE}):
            own = np.unique(pool.samples[name], return_inverse=True)[1]
            label = label * (int(own.max()) + 1) + own[sample]
        if "answer" not in told:
            return label
        given = np.where(there, pool.samples["answer"][sample], -1)
        ordered = np.sort(given, axis=1)
        twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
        return None if twice.any() else 2 * label + (given >= 0)
