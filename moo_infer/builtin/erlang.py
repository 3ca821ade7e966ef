"""Latency on slots that all queries share: the Erlang C wait, and the slowest of k requests."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.draws import BEFORE, Draws
from ..core.errors import NothingPossible
from ..core.moments import Moments
from ..core.objectives import LATENCY
from ..core.parts import AtLeastOne, NonNegative, Positive
from ..core.rounding import TINY
from ..hookspecs import hookimpl
from ..interfaces import CostModel, InferenceModel
from ..quantities.erlang import KServices
from ..quantities.quantity import Query
from ..quantities.queries import Note

__all__ = ["ErlangC"]

WAIT_BITS = 2.0**26  # of the 53 random bits of a number, half say the wait, half the first service


@dataclass(frozen=True)
class ErlangC(CostModel):
    """Slots that all queries share: each query waits until one is free, then its k requests run at once (M/M/c).

    Queries arrive at random, every one with k requests, so that ``lambda k`` requests arrive in a second; each takes
    exponential seconds, whatever its tokens. The seconds of a query are the wait of Erlang's C formula, and the slowest
    of its k requests: on average ``s (1 + 1/2 + ... + 1/k)``. **Every query pays for the k of the others**, so from
    some k on more arrives than can be served; such k are no candidates, nor are those above the slots, where the
    requests of a query wait for each other.

    That takes requests as independent. The k of a query arrive together, so they wait longer where slots are scarce: in
    a simulation of single events with 32 slots the mean is the same, within 1 %, up to 63 % load, and larger by 7 % at
    69 % load with k = 11, 19 % at 84 % with k = 9, and 18 % at 94 % with k = 3; with as many slots as requests, k = 4,
    by 10 % at 30 % and 42 % at 70 % load. It is stationary: a load lasts for many services.

    Args:
        queries_per_second: lambda, all queries, this one's like the others', >= 0.
        slots: c, the requests that run at a time, >= 1.
        seconds: of a request, on average, > 0.
        calls_per_query: the requests that other queries make on average, > 0; None for the k that is asked. A policy
            needs it: how often it calls is not known beforehand. In the hours of a day (``day:``) it is filled in.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> query = Gaussian(1000, 0, 400, 0, 0.8, 0.1).queries().query
    >>> ErlangC(1.0, slots=32, seconds=10.0).exact(query, np.array([1, 3]), parallelism=1).mean.round(4)
    array([10.    , 21.4844])
    """

    name = "erlang-c"
    objective = LATENCY

    queries_per_second: NonNegative
    slots: AtLeastOne
    seconds: Positive
    calls_per_query: Positive | None = None

    def total(self, draws: Draws, /, *, parallelism: int) -> FloatArray:
        """Seconds until the slowest of the first k is done, (M, K); every wave of a policy waits by itself."""
        if BEFORE in draws and self.calls_per_query is None:
            raise NothingPossible(
                "erlang-c: how busy the slots are depends on how often all queries call them, which a policy decides "
                "for each of them; give calls_per_query"
            )
        noise = draws["noise"]
        of_wait = np.floor(noise[:, :1] * WAIT_BITS)
        own = np.concatenate([noise[:, :1] * WAIT_BITS - of_wait, noise[:, 1:]], axis=1)
        queue = self._queue(np.arange(1, draws.shape[1] + 1))
        wait = np.log(np.maximum(queue.waits, TINY) / ((of_wait + 0.5) / WAIT_BITS)) / queue.rate
        slowest = np.maximum.accumulate(-self.seconds * np.log1p(-own), axis=1)
        return np.asarray(np.maximum(wait, 0.0) + slowest)

    def exact(self, query: Query, k: IntArray, /, *, parallelism: int) -> Moments:
        """Exact moments and quantiles, whatever the tokens."""
        queue = self._queue(k)
        return Moments(queue.mean, queue.std, queue.quantile)

    def notes(self, model: InferenceModel, k: IntArray, /, *, parallelism: int) -> Sequence[Note]:
        """Exclude the k at which more arrives than can be served, and those that have no room."""
        return [Note(why, over) for why, over in self._impossible(k)]

    def _arrivals(self, k: IntArray) -> FloatArray:
        """Requests a second, by k (n,)."""
        calls = k if self.calls_per_query is None else self.calls_per_query * np.ones(len(k))
        return np.asarray(self.queries_per_second * calls)

    def _queue(self, k: IntArray) -> KServices:
        for why, _ in self._impossible(k):
            raise NothingPossible(why)
        return KServices(self.slots, self.seconds, self._arrivals(k), k)

    def _impossible(self, k: IntArray) -> Iterator[tuple[str, BoolArray]]:
        """Sentences on the k that cannot be, and which they are."""
        if (over := self._arrivals(k) * self.seconds >= self.slots).any():
            yield self._too_many(k, over), over
        if (over := k > self.slots).any():
            yield f"erlang-c: k = {k[over].min()} requests cannot run at once on {self.slots} slots", over

    def _too_many(self, k: IntArray, over: BoolArray) -> str:
        """A sentence on the smallest k with too much load; of several draws on the worst."""
        first = k[np.broadcast_to(over, np.broadcast_shapes(over.shape, k.shape)).reshape(-1, len(k)).any(axis=0)].min()
        arrivals = float(np.max(self._arrivals(np.array([first]))))
        where = f"from k = {first} on " if self.calls_per_query is None else ""
        return (
            f"erlang-c: {where}too many queries come: {arrivals:.4g} requests arrive in a second, at most "
            f"{float(np.min(self.slots / self.seconds)):.4g} can be served"
        )


@hookimpl
def register_cost_models() -> list[type[CostModel]]:
    """Register the slots that all queries share."""
    return [ErlangC]
