"""Latency under load: the seconds of a query on a server that also serves other queries."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge

from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.draws import BEFORE, Draws
from ..core.errors import NotExact, NothingPossible
from ..core.moments import Moments
from ..core.objectives import LATENCY
from ..core.parts import AtLeastOne, NonNegative, Positive
from ..hookspecs import hookimpl
from ..interfaces import CostModel, InferenceModel
from ..quantities.laws import Law
from ..quantities.quadrature import RARE, SURE, legendre
from ..quantities.quantity import Query
from ..quantities.queries import Note
from .decoding import check_batch_sizes, of_longest, padded, ranked_sums

__all__ = ["Loaded"]

AT_ONCE = 2**18  # laws, times nodes, times values of k in one go; bounds memory
FAR = 8.2  # standard deviations, beyond which doubles know no quantile
ORDER = 150  # nodes a panel: the longest of 1000 is right to 1e-9, of 10^5 to 1e-6; with 100, to 1e-6 and 1e-4
NOTABLE = 1e-3  # share of refused queries that is worth a word
ALIKE = 0.2  # relative difference between the lengths of the traffic and of the model


@dataclass(frozen=True)
class Loaded(CostModel):
    """A server under load: queries arrive at random, each with k sequences, and share its continuous batch.

    The server is that of inferno (llm-d): with n sequences in the batch each of them takes
    ``s(n) = gamma + delta tokens_in n + (tokens_out - 1) (alpha + beta n)`` seconds, so ``n / s(n)`` end in a second.
    Arrivals are Poisson, every query of the traffic brings k sequences at once, and beyond the largest batch they wait
    in a queue: a state-dependent M/M/1/K queue with bulk arrivals, solved exactly. **Every query pays for the k of the
    others**, so from some k on more arrives than can be served; such k are no candidates.

    A query that finds m sequences runs with them to the end of its longest: its prefill and ``batch`` with the m as the
    others, who are taken to be replaced as they end. Where m + k do not fit, the query first waits, all k together, for
    as many to end at the full rate, and then decodes in a full batch. For k = 1 without a queue the mean of that is
    exactly Little's law on the queue; for more it is an approximation. Against a simulation of single events, at 30 to
    84 % load and k = 1, 4 and 8, the mean is off by at most 6 %, the 95 % quantile by 6 % (of padded batches 9 %) up to
    74 % load and by 21 % at 84 %.

    Attention reads what each sequence has read and written so far, which `itl_per_context_token_s` adds: of the traffic
    ``mean_tokens_in + mean_tokens_out / 2`` tokens on average, of the query's own what they have, unless the batch is
    full.

    Engines pad a batch to the sizes they captured, `batch_sizes`: with n sequences a step takes what the next larger
    size takes. Beside the query a place that is padded reads as much as one of the query's own, so that an idle server
    is a `batch`; a larger k never takes less.

    The mean is exact given that description, where the law of the output tokens is known and nothing is padded. All
    else comes from simulation, over lengths and over what a query finds: the share of queries that find no more is
    the ``noise`` of its first call.

    Args:
        queries_per_second: lambda, all queries of the server, this one's like the others', > 0.
        mean_tokens_in, mean_tokens_out: lengths of an average sequence of the traffic, > 0.
        itl_base_s: alpha, s per decoding step (inter-token latency) of an empty batch, > 0.
        itl_per_sequence_s: beta, s per step and sequence in the batch, >= 0.
        prefill_base_s: gamma, s, >= 0.
        prefill_per_token_s: delta, s per token of the prompt and sequence in the batch, >= 0.
        max_batch: the most sequences in the batch, >= 1.
        max_queue: the most sequences that wait, >= 0; a query that does not fit any more is refused.
        calls_per_query: the sequences that every other query brings, all at once, >= 1; None for the k that is asked.
            A policy needs it, and makes as many calls itself in one wave. In the hours of a day (``day:``) it is filled
            in.
        itl_per_context_token_s: s per step, sequence in the batch and token that attention reads for it, >= 0.
        context_bucket: tokens that attention reads for every sequence in every step, > 0, where an engine pads contexts
            to a fixed length; None: those that are there.
        batch_sizes: sizes of a batch that an engine pads to (CUDA graphs), ascending; see `Batch`.

    Raises:
        MooInferError: for `batch_sizes` that do not ascend.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> model = Gaussian(1024, 0, 512, 0, 0.8, 0.1)
    >>> h100 = Loaded(10, 1024, 512, itl_base_s=0.006958, itl_per_sequence_s=4.2e-5, prefill_base_s=0.0052,
    ...               prefill_per_token_s=2e-6)
    >>> h100.exact(model.queries().query, np.array([1, 2, 4]), parallelism=1).mean.round(2).tolist()
    [4.69, 6.8, 46.79]
    >>> h100.notes(model, np.array([1, 2, 4]), parallelism=1)[0].excludes.tolist()
    [False, False, True]
    """

    name = "loaded"
    objective = LATENCY

    queries_per_second: Positive
    mean_tokens_in: Positive
    mean_tokens_out: Positive
    itl_base_s: Positive
    itl_per_sequence_s: NonNegative
    prefill_base_s: NonNegative = 0.0
    prefill_per_token_s: NonNegative = 0.0
    max_batch: AtLeastOne = 256
    max_queue: Annotated[int, Ge(0)] = 1000
    calls_per_query: AtLeastOne | None = None
    itl_per_context_token_s: NonNegative = 0.0
    context_bucket: Positive | None = None
    batch_sizes: tuple[AtLeastOne, ...] = ()

    def __post_init__(self) -> None:
        check_batch_sizes(self.batch_sizes)

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Seconds until the longest of the first k is done, (M, K); every trial draws a load at arrival."""
        K = draws.shape[1]
        if BEFORE in draws and (self.calls_per_query != K or draws[BEFORE].any()):
            raise NothingPossible(
                "loaded: how busy the server is depends on how often all queries call it, which a policy decides for "
                "each of them; a fixed k is known"
            )
        states = _states(self, tuple(self._others(np.arange(1, K + 1)).tolist()))
        running = np.stack([np.searchsorted(no_more, draws["noise"][:, 0]) for no_more in states.no_more.T], axis=1)
        running = np.minimum(running, states.most)
        steps = np.maximum(draws.tokens_out - 1, 0.0)  # prefill gives the first token
        longest = np.maximum.accumulate(steps, axis=1)
        own = self._of_own(draws.tokens_in, steps, steps**2)
        own = self._padded(draws.tokens_in, own, steps, running) if self.batch_sizes else np.cumsum(own, axis=1)
        seconds = self._seconds(running, np.arange(1, K + 1), draws.tokens_in[:, :1], longest, own)
        # One more of the others may take the place of padding that was taken to read more.
        return np.maximum.accumulate(seconds, axis=1) if self.batch_sizes else seconds

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact mean where the laws of the token counts are known and nothing is padded."""
        if self.batch_sizes:
            raise NotExact("how full a padded batch is while a query runs is not known")
        tokens_in, tokens_out = query.tokens_in, query.tokens_out
        base, prompt, of_longest, of_own = _per_token(self, tuple(k.tolist()), tuple(self._others(k).tolist()))
        steps, squares = _steps(tokens_out, np.append(1, k))
        own = k * self._of_own(tokens_in.mean, steps[..., :1], squares[..., :1])
        return Moments(base + prompt * tokens_in.mean + of_longest * steps[..., 1:] + of_own * own)

    def notes(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Sequence[Note]:
        """Exclude where more arrives than can be served; say what is refused, and how the traffic differs."""
        others = self._others(k)
        possible = (self.queries_per_second * others < self._most_served) & (k <= self.max_batch)
        notes = [Note(self._on_the_load(k, possible), ~possible)]
        if possible.any():
            refused = _states(self, tuple(others[possible].tolist())).refused
            if (refused > NOTABLE).any():
                first = int(np.argmax(refused > NOTABLE))
                share, at = f"{100 * refused[first]:.2g} %", int(k[possible][first])
                notes.append(
                    Note(f"loaded: at k = {at} a full queue of {self.max_queue} refuses {share} of the queries")
                )
        draws = model.sample(np.random.default_rng(0), 1000, 1)
        for name, mean in (("tokens_in", self.mean_tokens_in), ("tokens_out", self.mean_tokens_out)):
            own = float(draws[name].mean())
            if abs(own - mean) > ALIKE * mean:
                notes.append(Note(f"loaded: the traffic has mean_{name} = {mean:g}, the model's own are {own:.4g}"))
        return notes

    def _on_the_load(self, k: IntArray, possible: BoolArray) -> str:
        """A sentence on the smallest k with too much load, and the reason; "" where every k can be served."""
        if possible.all():
            return ""
        first = int(k[~possible].min())
        arrive = self.queries_per_second * float(self._others(np.array([first]))[0])
        if arrive >= self._most_served:
            why = f"{arrive:.4g} sequences arrive in a second, at most {self._most_served:.4g} can be served"
        else:
            why = f"a batch has room for {self.max_batch} sequences"
        return f"loaded: from k = {first} on {self.queries_per_second:g} queries a second are too many: {why}"

    def _others(self, k: IntArray) -> IntArray:
        """Sequences that each other query brings, by the k of this one (n,)."""
        return k if self.calls_per_query is None else np.full_like(k, self.calls_per_query)

    @property
    def _most_served(self) -> float:
        """Sequences a second of a full batch."""
        return float(self._served(np.array([self.max_batch]))[0])

    def _served(self, n: IntArray) -> FloatArray:
        """Sequences that end in a second with n in the system."""
        n = np.minimum(n, self.max_batch)
        prefill = self.prefill_base_s + self.prefill_per_token_s * self.mean_tokens_in * n
        steps = max(self.mean_tokens_out - 1, 0.0)  # prefill gives the first token
        seconds = prefill + steps * (self.itl_base_s + self._per_other * padded(n, self.batch_sizes))
        return np.asarray(np.divide(n, seconds, out=np.full(np.shape(n), np.inf), where=seconds > 0))

    @property
    def _per_other(self) -> float:
        """Seconds a step for each sequence of the traffic."""
        context = self.context_bucket or self.mean_tokens_in + self.mean_tokens_out / 2
        return self.itl_per_sequence_s + self.itl_per_context_token_s * context

    def _of_own(self, tokens_in: Any, steps: Any, squares: Any) -> Any:
        """Seconds that an own sequence adds to its steps, by their number and its square, or by means of these."""
        context = self.itl_per_context_token_s
        if self.context_bucket is not None or not context:
            return (self.itl_per_sequence_s + context * (self.context_bucket or 0.0)) * steps
        return self.itl_per_sequence_s * steps + context * (tokens_in * steps + (squares + steps) / 2)

    def _padded(self, prompts: FloatArray, own: FloatArray, steps: FloatArray, running: IntArray) -> FloatArray:
        """Seconds that the first k own sequences add to their steps with the places that are padded, (M, K)."""
        running = np.minimum(running, self.max_batch)  # with more of them the batch is full throughout
        sequences = np.arange(self.max_batch + own.shape[1] + 1)
        sizes = padded(sequences, self.batch_sizes)
        beside = (sizes - sequences)[running] * of_longest(own, steps)  # which are padded without the query, too
        grown = np.diff(sizes)
        read = self.itl_per_context_token_s * (self.context_bucket is None)
        if not read or not np.ptp(prompts, axis=1).any():
            return np.asarray(beside + ranked_sums(steps, (grown, own), running=running))
        # Each sequence reads its own prompt once, and places that are padded read that of the longest.
        others = ranked_sums(steps, (grown - 1, own - read * prompts * steps), running=running)
        prompt = of_longest(prompts, steps) * read * ranked_sums(steps, (grown - 1, steps), running=running)
        return np.asarray(beside + np.cumsum(own, axis=1) + others + prompt)

    def _seconds(
        self, running: IntArray, k: IntArray, tokens_in: FloatArray | float, longest: FloatArray, own: FloatArray
    ) -> FloatArray:
        """Seconds of a query that arrives at `running` sequences, by the steps of its longest; the arrays broadcast."""
        over = np.maximum(running + k - self.max_batch, 0)
        prefill = self.prefill_base_s + self.prefill_per_token_s * tokens_in * np.minimum(running + k, self.max_batch)
        alone = (self.itl_base_s + self._per_other * running) * longest + own
        full = (self.itl_base_s + self._per_other * padded(self.max_batch, self.batch_sizes)) * longest
        return np.asarray(over / self._most_served + prefill + np.where(over > 0, full, alone))


@dataclass(frozen=True)
class _States:
    """Number of sequences in the system when an accepted query arrives.

    Args:
        seen: (S, n) shares of such queries by the sequences they find, for n values of k.
        no_more: (S, n) shares of those that find no more.
        most: (n,) the most sequences one finds.
        refused: (n,) share of the queries that are refused.
    """

    seen: FloatArray
    no_more: FloatArray
    most: IntArray
    refused: FloatArray


@lru_cache(maxsize=64)
def _states(server: Loaded, k: tuple[int, ...]) -> _States:
    """Stationary law of the number of sequences, by balance across the cut between n and n + 1.

    Upwards go queries that find n - k + 1 to n sequences and fit, downwards the sequences that end: so the shares
    follow one after the other from that of the empty server.
    """
    bulk, S = np.array(k), server.max_batch + server.max_queue
    ends = server._served(np.arange(1, S + 1))
    fit = np.maximum(S - bulk, 0)  # the most a query may find; k > S never fits and is not possible
    below = np.zeros((S + 2, len(bulk)))  # sums of shares of states < n, up to a factor
    below[1] = 1.0
    column = np.arange(len(bulk))
    for n in range(S):
        last, first = np.minimum(n, fit), np.maximum(n - bulk + 1, 0)
        arriving = np.where(first <= last, below[last + 1, column] - below[np.minimum(first, last), column], 0.0)
        below[n + 2] = below[n + 1] + server.queries_per_second * arriving / ends[n]
        if below[n + 2].max() > 1e200:
            below[: n + 3] /= below[n + 2]
    shares = np.diff(below, axis=0) / below[-1]
    taken = np.where(np.arange(S + 1)[:, None] <= fit, shares, 0.0)
    total = taken.sum(axis=0)
    return _States(taken / total, np.cumsum(taken / total, axis=0), fit, 1.0 - total)


@lru_cache(maxsize=64)
def _per_token(server: Loaded, k: tuple[int, ...], others: tuple[int, ...]) -> tuple[FloatArray, ...]:
    """Mean seconds at n values of k, (n,) each: of no tokens, per prompt token, step of the longest, own second."""
    seen = _states(server, others).seen
    running, bulk = np.arange(len(seen))[:, None], np.array(k)

    def mean(tokens_in: float, longest: float, own: float) -> FloatArray:
        seconds = server._seconds(running, bulk, tokens_in, np.array(longest), np.array(own))
        return np.asarray((seen * seconds).sum(axis=0))

    base = mean(0.0, 0.0, 0.0)
    return base, *(mean(*unit) - base for unit in np.eye(3))


def _steps(law: Law, k: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the mean decoding steps of the longest of k, ``int max(F^-1(Phi(z)) - 1, 0) d Phi(z)^k``, and mean square.

    They are (n,) each, or (B, n) for B laws at once, with (B, 1) parameters.
    """
    from scipy.special import log_ndtr, ndtr, ndtri

    bounds = law.quantile(np.array([RARE, SURE]))
    ends = np.concatenate([np.maximum(bounds[..., :1], 1.0), np.nextafter(bounds[..., 1:], -np.inf)], axis=-1)
    far = np.full((*ends.shape[:-1], 1), FAR)
    edges = np.sort(np.clip(np.concatenate([-far, ndtri(law.cdf(ends)), far], axis=-1), -FAR, FAR), axis=-1)
    t, dt = legendre(ORDER)  # in each of the panels, between which the integrand is smooth
    start, width = edges[..., :-1, None], np.diff(edges)[..., None]
    z = (start + width * t).reshape(*ends.shape[:-1], -1)
    weights = (width * dt).reshape(z.shape)
    below, tails = log_ndtr(z)[..., None, :], (-0.5 * z**2)[..., None, :]
    steps = np.maximum(law.quantile(np.minimum(ndtr(z), SURE)) - 1, 0.0)[..., None, :]
    mean, square = np.empty((2, *z.shape[:-1], len(k)))
    some = max(1, AT_ONCE // z.size)
    for i in range(0, len(k), some):
        density = weights[..., None, :] * np.exp((k[i : i + some, None] - 1.0) * below + tails)  # up to a factor
        sums = density.sum(axis=-1)
        mean[..., i : i + some] = np.vecdot(density, steps) / sums
        square[..., i : i + some] = np.vecdot(density, steps**2) / sums
    return mean, square


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    """Register the server under load."""
    return [Loaded]
