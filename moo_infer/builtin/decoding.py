"""What the decoding steps of one continuous batch take, in seconds or in joules: the sum over steps in closed form."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Protocol

import numpy as np

from ..core.arrays import FloatArray, IntArray
from ..core.draws import Draws
from ..core.errors import MooInferError, NotExact
from ..core.moments import Moments
from ..interfaces import InferenceModel
from ..quantities.laws import Law
from ..quantities.quadrature import HIGH, LOW, panels
from ..quantities.quantity import Quantity, Query
from ..quantities.queries import Note

__all__ = [
    "DecodeSteps",
    "check_batch_sizes",
    "measured_notes",
    "of_longest",
    "padded",
    "prefill_moments",
    "prefilled",
    "ranked_sums",
]

SIZES = 64  # of a batch from which on simulation is faster than as many quadratures
# Normal scores between -8.8 and 8.2, in which lengths are a smooth function: means are right to 1e-11 then, also of
# lognormal lengths whose coefficient of variation is 4.
PANELS, ORDER = 16, 16
BEYOND = 0.01  # share of inferences that may outgrow what was measured, or the bucket, without a word


@dataclass(frozen=True)
class DecodeSteps:
    """Steps of a batch of B sequences, ``base + (per_sequence + per_context_token * context) * B`` each.

    The k inferences of a query start together and leave the batch as they end. Step t of an inference reads its prompt
    and what it has written before, ``context = tokens_in + t - 1``. With L_(1) >= L_(2) >= ... the lengths, r of them
    run for L_(r) steps, so each of two steps that differ in how many run is counted by its difference: the sum over
    steps is one over the k lengths.

    Args:
        base: of a step, whatever runs, >= 0.
        per_sequence: for each of the B sequences, >= 0.
        per_context_token: for each sequence and token that attention reads, >= 0.
        other_sequences: B0, sequences of other queries in the batch, >= 0, as many throughout; each is taken to read
            as many tokens as one of the query.
        batch_sizes: ascending; B counts as the next of them that is not smaller. Beyond the last B counts as it is. A
            place that is padded reads the prompt of the longest inference.
        context_bucket: tokens that every sequence reads in every step; None for its own context.
        own_share: whether n of the query's own inferences take ``n / (B0 + n)`` of a step, as of joules; else all of
            it, as of seconds.

    >>> draws = Draws(np.full((1, 2), 10.0), np.array([[3.0, 2.0]]), np.ones((1, 2)))
    >>> DecodeSteps(1.0, 0.5, 0.01).total(draws)  # 1.5 + .1, 1.5 + .11, 1.5 + .12; then 2 + .2, 2 + .22, 1.5 + .12
    array([[4.83, 6.04]])
    """

    base: Any
    per_sequence: Any
    per_context_token: Any = 0.0
    other_sequences: Any = 0.0
    batch_sizes: Sequence[int] = ()
    context_bucket: float | None = None
    own_share: bool = False

    def total(self, draws: Draws, /) -> FloatArray:
        """Of the first k inferences, (M, K)."""
        lengths = draws.tokens_out
        read = _read(draws.tokens_in, lengths) if self._reads else np.zeros((1, 1))
        tokens, context = (np.diff(column, prepend=0.0) for column in self._of(np.arange(1, lengths.shape[1] + 1)))
        padded_places = len(self.batch_sizes) and self._reads and np.ptp(draws.tokens_in, axis=1).any()
        if padded_places and not np.allclose(context[1:], self.per_context_token, rtol=1e-12, atol=0.0):
            # Ranks stand for places; each inference reads its own prompt once, and all other places the longest's.
            own = self.per_context_token * np.cumsum(draws.tokens_in * lengths, axis=1)
            others = ranked_sums(lengths, (context - self.per_context_token, lengths))
            written = ranked_sums(lengths, (tokens, lengths), (context, lengths * (lengths - 1) / 2))
            return np.asarray(own + of_longest(draws.tokens_in, lengths) * others + written)
        if _even(tokens) and _even(context):
            return np.asarray(_first_and_each(tokens, lengths) + _first_and_each(context, read, lengths))
        return ranked_sums(lengths, (tokens, lengths), (context, read))

    def exact(self, query: Query, k: IntArray, /) -> Moments:
        """Exact mean where the laws of the token counts are known, or samples whose prompts are alike; see `batch`.

        Raises:
            NotExact: where prompts of a question differ by samples, for more than 64 batch sizes, and for a share of
                steps that are padded or shared by others and read a context.
        """
        lengths = query.tokens_out
        tokens, context = self._of(k)
        if lengths.constant and (not self._reads or query.tokens_in.constant):
            length = lengths.first(k).mean
            read = _read(query.tokens_in.first(k).mean, length) if self._reads else 0.0
            known: Moments = 0.0 * lengths.first(k) + (tokens * length + context * read)
            return known
        shared = self.own_share and np.any(self.other_sequences)
        if len(self.batch_sizes):
            if shared:
                raise NotExact("a share of padded steps is not known")
            return self._padded(query, k)
        total: Moments = lengths.sum(k) * self._each
        if self._reads:
            total = total + Moments(self.per_context_token * k * _reading(query, 1, np.array([1])) + 0.0 * total.mean)
        if shared:
            if not np.any(self.base):
                return total
            return total + Moments(self.base * _shared_steps(lengths, k, self.other_sequences))
        if np.any(once := self.base + self._each * self._beside):
            total = total + lengths.max(k) * once
        if self._reads and np.any(self._beside):
            total = total + Moments(self.per_context_token * self._beside * _reading(query, 1, k))
        return total

    @property
    def _reads(self) -> bool:
        """Whether the context of an inference makes a difference."""
        return bool(np.any(self.per_context_token)) and self.context_bucket is None

    @property
    def _each(self) -> Any:
        """What a sequence takes of a step, whatever it has read."""
        return self.per_sequence + self.per_context_token * (self.context_bucket or 0.0)

    @property
    def _beside(self) -> Any:
        """Sequences of other queries that the query waits for."""
        return 0.0 if self.own_share else self.other_sequences

    def _of(self, n: IntArray) -> tuple[Any, Any]:
        """What the query takes of a step with n (n,) inferences of its own, and of it for each token of context."""
        running = n + self.other_sequences
        share = n / running if self.own_share else np.ones(len(n))
        batch = share * padded(running, self.batch_sizes)
        context = batch * self.per_context_token if self._reads else 0.0 * batch
        return share * self.base + batch * self._each, context

    def _padded(self, query: Query, k: IntArray) -> Moments:
        """Mean over the ranks at which a step gets dearer: those where the next batch size begins.

        Which ranks count for a k follows from k and the batch sizes alone, whatever other k are asked for.
        """
        if len(self.batch_sizes) > SIZES or np.size(self.other_sequences) > 1:
            raise NotExact(f"a mean over more than {SIZES} sizes of a batch, or several loads at once, is not known")
        others = float(np.asarray(self.other_sequences).item())
        R = max(int(self.batch_sizes[-1] - others), 0)  # the most that are padded
        tokens, context = (np.diff(column, axis=-1, prepend=0.0) for column in self._of(np.arange(1, R + 2)))
        all_alike = k > R  # then all beyond R take as much each: what all k take so, less that of the first R
        each, each_read = self._each, self.per_context_token if self._reads else 0.0
        mean = all_alike * (each * query.tokens_out.sum(k).mean)
        if self._reads:
            mean = mean + all_alike * (each_read * k * _reading(query, 1, np.array([1])))
        for i in range(min(R + 1, int(k.max()))):
            of_token, of_read = (column[..., i : i + 1] for column in (tokens, context))
            counts = (k > i) & (np.any(of_token) or np.any(of_read) or all_alike)
            if not counts.any():
                continue
            taken = (of_token - all_alike[counts] * each) * query.tokens_out.ranked(i + 1, k[counts])[0]
            if self._reads:
                taken = taken + (of_read - all_alike[counts] * each_read) * _reading(query, i + 1, k[counts])
            grown = np.zeros((*taken.shape[:-1], len(k)))
            grown[..., counts] = taken
            mean = mean + grown
        return Moments(mean)


def _read(tokens_in: Any, tokens_out: Any) -> Any:
    """Tokens that attention reads over all steps of an inference."""
    return tokens_in * tokens_out + tokens_out * (tokens_out - 1) / 2


def _reading(query: Query, rank: int, k: IntArray) -> Any:
    """Mean of the tokens that the `rank`-th longest of k reads, (n,) or (B, n)."""
    prompt: Quantity = query.tokens_in
    tokens_in = prompt.first(k).mean if prompt.constant else prompt.mean  # by samples NotExact where prompts differ
    mean, square = query.tokens_out.ranked(rank, k)
    return tokens_in * mean + (square - mean) / 2


def _even(steps: FloatArray) -> bool:
    """Whether every sequence after the first adds as much to a step."""
    return bool(np.allclose(steps[1:], steps[1:2], rtol=1e-12, atol=0.0))


def _first_and_each(steps: FloatArray, column: FloatArray, by: FloatArray | None = None) -> Any:
    """Sum over sequences, (M, K), where the longest of the first k takes steps[0] and every other one steps[1]."""
    each = steps[1] if len(steps) > 1 else steps[0]
    if not (steps[0] or each):
        return 0.0
    longest = np.maximum.accumulate(column, axis=1) if by is None else of_longest(column, by)
    return (steps[0] - each) * longest + each * np.cumsum(column, axis=1)


def ranked_sums(
    lengths: FloatArray, /, *counted: tuple[FloatArray, FloatArray], running: IntArray | None = None
) -> FloatArray:
    """Return ``sum_r weights[r - 1] * column_(r)`` over the first k, (M, K), where r counts from the longest on.

    Args:
        lengths: (M, K) what ranks them.
        counted: pairs of weights (R,) and a column (M, K) or (1, 1), whose sums are added up.
        running: (M, K) how many others rank before all of the first k, for every k; None: nobody.

    >>> ranked_sums(np.array([[3.0, 2.0, 7.0]]), (np.array([1.0, 0.5, 0.0]), np.array([[10.0, 20.0, 40.0]])))
    array([[10., 20., 45.]])
    """
    order = np.argsort(-lengths, axis=1)
    columns = [np.take_along_axis(column + 0.0 * lengths, order, axis=1) for _, column in counted]
    weights = [np.append(0.0, some) for some, _ in counted]  # the first one for those that come after k
    total = np.empty(lengths.shape)
    for k in range(1, lengths.shape[1] + 1):
        first = order < k
        before = 0 if running is None else running[:, k - 1 : k]
        rank = np.where(first, before + np.cumsum(first, axis=1), 0)
        total[:, k - 1] = sum(np.vecdot(some[rank], column) for some, column in zip(weights, columns, strict=True))
    return total


def of_longest(column: FloatArray, lengths: FloatArray, /) -> FloatArray:
    """Return the entry of the longest of the first k, (M, K).

    >>> of_longest(np.array([[10.0, 20.0, 40.0]]), np.array([[3.0, 2.0, 7.0]]))
    array([[10., 10., 40.]])
    """
    longest = np.maximum.accumulate(lengths, axis=1)
    place = np.maximum.accumulate(np.where(lengths == longest, np.arange(lengths.shape[1]), 0), axis=1)
    return np.take_along_axis(column, place, axis=1)


def padded(running: Any, batch_sizes: Sequence[int], /) -> Any:
    """Return the size of the batch that a step of so many sequences costs.

    >>> padded(np.array([1, 3, 5]), (2, 4)).tolist()
    [2.0, 4.0, 5.0]
    """
    sizes = np.append(np.asarray(batch_sizes, dtype=np.float64), np.inf)
    size = sizes[np.searchsorted(sizes, running)]
    return np.where(np.isfinite(size), size, running)


def check_batch_sizes(sizes: Sequence[int], /) -> None:
    """Refuse sizes that do not ascend."""
    if any(a >= b for a, b in pairwise(sizes)):
        raise MooInferError(f"batch_sizes: must ascend, got {', '.join(map(str, sizes))}"[:200])


def prefilled(base: Any, per_token: Any, prefill: str, draws: Draws, /) -> FloatArray:
    """Return what the prefill of the first k takes, (M, K): of one prompt, or of each."""
    each = base + per_token * draws.tokens_in if np.any(per_token) else np.full(draws.shape, base)
    return np.cumsum(each, axis=1) if prefill == "each" else each[:, :1] + 0.0 * each


def prefill_moments(base: Any, per_token: Any, prefill: str, query: Query, k: IntArray, /) -> Moments:
    """Return the moments of the same."""
    each: Quantity = per_token * query.tokens_in + base if np.any(per_token) else 0.0 * query.tokens_out + base
    return each.sum(k) if prefill == "each" else each.first(k)


class MeasuredSteps(Protocol):
    """A cost model that knows how far its steps were measured."""

    name: ClassVar[str]

    @property
    def other_sequences(self) -> Any:
        """Sequences that run beside it."""

    @property
    def context_bucket(self) -> Any:
        """Tokens that every step reads, or None."""

    @property
    def largest_measured_batch(self) -> Any:
        """Sequences up to which steps were measured, or None."""

    @property
    def largest_measured_context(self) -> Any:
        """Tokens of context likewise."""

    @property
    def largest_measured_prompt(self) -> Any:
        """Tokens of a prompt likewise."""


def measured_notes(part: MeasuredSteps, model: InferenceModel, k: IntArray, /) -> Sequence[Note]:
    """Exclude k, contexts and prompts that exceed what was measured; say how many answers outgrow the bucket."""
    notes = []
    most, bucket, longest = part.largest_measured_batch, part.context_bucket, part.largest_measured_context
    if most is not None and (beyond := k + part.other_sequences > most).any():
        sentence = f"steps were measured up to largest_measured_batch = {most:g} sequences, which k = {k[beyond].min()}"
        notes.append(Note(f"{part.name}: {sentence} exceeds", beyond))
    if bucket is None and longest is None and part.largest_measured_prompt is None:
        return notes
    draws = model.sample(np.random.default_rng(0), 1000, 1)
    context = draws.tokens_in + draws.tokens_out
    if bucket is not None:
        if (share := float((context > bucket).mean())) > BEYOND:
            notes.append(Note(f"{part.name}: {share:.0%} of prompts with answers outgrow context_bucket = {bucket:g}"))
        context = np.maximum(context, bucket)
    for tokens, of, field, measured, what in (
        (context, "steps", "largest_measured_context", longest, "prompts with answers"),
        (draws.tokens_in, "prefills", "largest_measured_prompt", part.largest_measured_prompt, "prompts"),
    ):
        if measured is not None and (share := float((tokens > measured).mean())) > BEYOND:
            sentence = f"{of} were measured up to {field} = {measured:g} tokens, which {share:.0%} of the {what} exceed"
            notes.append(Note(f"{part.name}: {sentence}", np.full(len(k), True)))
    return notes


def _shared_steps(law: Law, k: IntArray, other_sequences: Any) -> FloatArray:
    """Return the mean of the steps that the query pays for, (n,), or (B, n) for B laws at once.

    While n of k inferences run, they pay n / (B0 + n) of a step; n is binomial with the share that runs still.
    """
    from scipy.special import ndtr

    others = np.asarray(other_sequences, dtype=np.float64)
    # Panels as wide as the law is there: even ones would lose it in the first, where its tail is long.
    edges = law.quantile(ndtr(np.linspace(LOW, HIGH, PANELS + 1)))
    x, dx = panels(ORDER, edges)
    paid = _paid(k, 1.0 - law.cdf(x), others)  # of the inferences that are longer than x
    steps: FloatArray = edges[..., :1] * k / (others + k) + np.vecdot(paid, dx[..., None, :])
    return steps


def _paid(k: IntArray, runs: FloatArray, others: FloatArray) -> FloatArray:
    """Return the (..., n, T) shares of a step that k (n,) inferences pay for, of which so many (..., T) run still."""
    # E[n / (B0 + n)] = k S I(k), I(k) = int_0^1 (1 - v)^B0 (1 - S v)^(k-1) dv, and by parts
    # (B0 + k) I(k) = 1 + (k - 1) (1 - S) I(k-1): of terms > 0 alone, so nothing is lost to rounding.
    ended, integral = 1.0 - runs, np.zeros_like(runs + others)
    paid = np.repeat(integral[..., None, :], len(k), axis=-2)
    for n in range(1, int(k.max()) + 1):
        integral = (1.0 + (n - 1) * ended * integral) / (others + n)
        paid[..., k == n, :] = (n * runs * integral)[..., None, :]
    return paid
