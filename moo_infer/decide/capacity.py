"""How many machines, of which kinds, serve a load within limits on the seconds of a query."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..core.arguments import typed
from ..core.arrays import BoolArray, FloatArray, IntArray
from ..core.errors import MooInferError, NoSelection
from ..core.objectives import LATENCY, TOLERANCE, Limit, quantile_of
from ..core.parts import AtLeastOne, NonNegative, Positive, at_least_one, refuse_unfit
from ..core.rounding import significant
from ..quantities.erlang import KServices, ServicesCdf, harmonic

__all__ = ["Capacity", "MachineKind", "capacity"]

MOST_PLANS = 200_000  # that are looked at, some seconds
AT_ONCE = 512  # plans whose quantiles are searched for together
MOST_SLOTS = 100_000  # of one kind: Erlang's recursion takes a step for each


@dataclass(frozen=True)
class MachineKind:
    """A kind of machines, such as a GPU with a model on it.

    Args:
        name: what it is called.
        slots: requests that run on one at a time, >= 1.
        seconds: of a request on it, on average, exponential, > 0.
        usd_per_hour: of one, busy or not, >= 0.
        available: the most there may be, >= 1.
        idle_watts, busy_watts: what one takes where no slot is busy, and where all are, >= 0; in between it grows with
            the busy slots.

    Raises:
        MooInferError: for numbers out of range, and busy machines that take less than idle ones.
    """

    name: str
    slots: AtLeastOne
    seconds: Positive
    usd_per_hour: NonNegative
    available: AtLeastOne
    idle_watts: NonNegative = 0.0
    busy_watts: NonNegative = 0.0

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise MooInferError(f"a kind of machines needs a name, got {self.name!r:.60}")
        refuse_unfit(MachineKind, vars(self), self.name)
        if self.busy_watts < self.idle_watts:
            raise MooInferError(f"{self.name}: busy_watts must be >= idle_watts = {self.idle_watts:g}")
        if self.slots * self.available > MOST_SLOTS:
            raise MooInferError(
                f"{self.name}: at most {MOST_SLOTS:,} slots of a kind can be computed with, got "
                f"{self.slots * self.available:,}"
            )


@dataclass(frozen=True)
class Capacity:
    """Machines that serve a load.

    Args:
        counts: by kind, how many; kinds of which none is taken are there with 0.
        usd_per_hour: of the machines and their electricity.
        watts: on average.
        busy: the share of the slots that are busy on average, the same of all kinds.
        seconds: by statistic (``mean``, and those that are limited), of a query.
        plans: how many mixes there are.
    """

    counts: dict[str, int]
    usd_per_hour: float
    watts: float
    busy: float
    seconds: dict[str, float]
    plans: int = field(repr=False)


@typed("kinds", "limits")
def capacity(
    kinds: Sequence[MachineKind],
    queries_per_second: float,
    limits: Sequence[Limit],
    /,
    *,
    k: int = 1,
    usd_per_kwh: float = 0.0,
) -> Capacity:
    """Return the cheapest mix of machines that serves a load within limits.

    Each kind is a queue of its own (M/M/c): a query, all k requests of it, goes to one of them at random, in proportion
    to what each can serve, so that all are equally busy. One queue for machines of different speeds would wait less;
    there is no closed form of it. Its seconds are the wait, and the slowest of k requests; see the cost model
    ``erlang-c``. So machines of a kind have k slots together at least, or there are none of it.

    Args:
        kinds: of machines.
        queries_per_second: > 0.
        limits: on the mean or on quantiles of the seconds of a query.
        k: requests of each query, >= 1.
        usd_per_kwh: of electricity, where the price of the machines does not hold it, >= 0.

    Returns:
        The cheapest mix; of those that cost the same, the one with the fewest slots, then with most of the first kinds.

    Raises:
        NoSelection: where no mix serves the load within the limits.
        MooInferError: for numbers out of range, kinds of one name, limits on something else, and more than 200,000
            mixes.

    >>> gpus = [MachineKind("big", slots=16, seconds=8.0, usd_per_hour=3.0, available=8),
    ...         MachineKind("small", slots=4, seconds=12.0, usd_per_hour=0.5, available=8)]
    >>> found = capacity(gpus, 1.0, [Limit("latency", 20.0, "max")], k=3)
    >>> found.counts, found.usd_per_hour, round(found.seconds["mean"], 2)
    ({'big': 1, 'small': 5}, 5.5, 18.97)
    """
    k = at_least_one(k, "k")
    _check(kinds, limits, {"queries_per_second": queries_per_second}, usd_per_kwh)
    counts = _mixes(kinds, k)
    slots = counts * [kind.slots for kind in kinds]
    seconds = np.array([kind.seconds for kind in kinds])
    served = slots / seconds  # requests a second
    with np.errstate(divide="ignore"):
        busy = queries_per_second * k / served.sum(axis=1)
    idle, full = (np.array([getattr(kind, name) for kind in kinds]) for name in ("idle_watts", "busy_watts"))
    watts = counts @ idle + np.where(np.isfinite(busy), busy, 0.0) * (counts @ (full - idle))
    usd = counts @ [kind.usd_per_hour for kind in kinds] + watts / 1000 * usd_per_kwh
    order = np.lexsort((slots.sum(axis=1), significant(usd)))
    order = order[busy[order] < 1 - TOLERANCE]  # who is full but for rounding waits for ever
    if not len(order):
        raise NoSelection(
            f"all machines together serve {served.max(axis=0).sum():.4g} requests a second, and "
            f"{queries_per_second * k:.4g} arrive"
        )
    for start in range(0, len(order), AT_ONCE):
        some = order[start : start + AT_ONCE]
        pools = _Pools(slots[some], seconds, queries_per_second * k, k)
        if (met := pools.met(limits)).any():
            i = int(np.argmax(met))
            statistics = dict.fromkeys(["mean", *(limit.statistic for limit in limits)])
            return Capacity(
                {kind.name: int(n) for kind, n in zip(kinds, counts[some[i]], strict=True)},
                float(usd[some[i]]),
                float(watts[some[i]]),
                float(busy[some[i]]),
                {name: pools.statistic(name, i) for name in statistics},
                len(counts),
            )
    raise NoSelection(
        f"no mix of the machines meets {' and '.join(map(str, limits))}; one request takes "
        f"{seconds.min():g} s on average where nothing waits, and the slowest of {k} "
        f"{seconds.min() * float(harmonic(k)):.4g} s"
    )


@dataclass(frozen=True, eq=False)
class _Pools:
    """Mixes of machines, each kind of which is a queue of its own.

    Args:
        slots: (n, kinds).
        seconds: (kinds,) of a request.
        arrivals: requests a second.
        k: of a query.
    """

    slots: IntArray
    seconds: FloatArray
    arrivals: float
    k: int

    @property
    def shares(self) -> FloatArray:
        """(n, kinds) of the queries."""
        served = self.slots / self.seconds
        return np.asarray(served / served.sum(axis=1, keepdims=True))

    def queues(self, rows: IntArray) -> KServices:
        """Return the queues of some mixes, (n kinds,); one of no slots gets one, and no query."""
        slots, shares = self.slots[rows], self.shares[rows]
        seconds = np.broadcast_to(self.seconds, slots.shape).ravel()
        arrivals = (self.arrivals * shares).ravel()
        return KServices(np.maximum(slots, 1).ravel(), seconds, arrivals, np.full(slots.size, self.k))

    def means(self, rows: IntArray) -> FloatArray:
        """Return the mean seconds of a query (n,)."""
        shares = self.shares[rows]
        return np.asarray((shares * self.queues(rows).mean.reshape(shares.shape)).sum(axis=1))

    def beyond(self, x: float, rows: IntArray) -> FloatArray:
        """Return the share of the queries that take more than x seconds (n,)."""
        shares = self.shares[rows]
        tails = self.queues(rows).tail(np.full(shares.size, x)).reshape(shares.shape)
        return np.asarray((shares * tails).sum(axis=1))

    def met(self, limits: Sequence[Limit]) -> BoolArray:
        """Return which mixes meet all limits (n,); tails are asked of those whose means do."""
        met = np.ones(len(self.slots), dtype=bool)
        for limit in sorted(limits, key=lambda limit: limit.statistic != "mean"):
            rows = np.flatnonzero(met)
            if limit.statistic == "mean":
                met[rows] = limit.excess(self.means(rows)) <= 0
            else:
                q = quantile_of(limit.statistic)
                met[rows] = Limit(LATENCY.name, 1 - q, "max").excess(self.beyond(limit.worst, rows)) <= 0
        return met

    def statistic(self, name: str, i: int) -> float:
        """Return the mean or a quantile of the seconds of a mix."""
        row = np.array([i])
        if name == "mean":
            return float(self.means(row)[0])
        queues, shares = self.queues(row), self.shares[i]
        mean = np.array([self.means(row)[0]])
        std = np.sqrt(shares @ (queues.std**2 + (queues.mean - mean) ** 2))
        return float(_MixedCdf(queues).quantile(shares, quantile_of(name), mean, np.array([std]))[0])


class _MixedCdf(ServicesCdf):
    """The cdf in each of several queues, (Q, 1)."""

    def __call__(self, x: FloatArray, /) -> FloatArray:
        return 1.0 - self.services.tail(np.broadcast_to(np.ravel(x), self.services.k.shape))[:, None]


def _mixes(kinds: Sequence[MachineKind], k: int) -> IntArray:
    """All mixes (n, kinds) of one machine at least, those with most of the first kinds first.

    Kinds that are there have room for the k requests of a query, which would wait for each other otherwise.
    """
    sizes = [kind.available + 1 for kind in kinds]
    if (plans := math.prod(sizes)) > MOST_PLANS:
        raise MooInferError(
            f"the machines make {plans:,} mixes, of which {MOST_PLANS:,} are looked at; fewer kinds, or fewer of each"
        )
    counts: IntArray = np.stack(np.unravel_index(np.arange(plans), sizes), axis=1)[::-1]
    room = (counts == 0) | (counts * [kind.slots for kind in kinds] >= k)
    counts = counts[counts.any(axis=1) & room.all(axis=1)]
    if not len(counts):
        raise NoSelection(f"no kind of machines has {k} slots, and so many requests of a query run at once")
    return counts


def _check(kinds: Sequence[MachineKind], limits: Sequence[Limit], load: dict[str, float], usd_per_kwh: float) -> None:
    if not kinds or any(not isinstance(kind, MachineKind) for kind in kinds):
        raise MooInferError(f"kinds: must be a list of MachineKind objects, at least one, got {kinds!r:.80}")
    names = [kind.name for kind in kinds]
    if twice := [name for name in names if names.count(name) > 1]:
        raise MooInferError(f"kinds: {twice[0]!r} is there {names.count(twice[0])} times")
    for limit in limits:
        if not isinstance(limit, Limit):
            raise MooInferError(f"limits: must be a list of Limit objects, got {limits!r:.80}")
        if limit.objective != LATENCY.name:
            raise MooInferError(f"limits are on {LATENCY.name}, the seconds of a query, got {limit.objective!r:.60}")
        limit.check(LATENCY)
    if not limits:
        raise MooInferError(f"limits: one on {LATENCY.name} at least is needed; without any, queries may wait for ever")
    for name, value in {**load, "usd_per_kwh": usd_per_kwh}.items():
        is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)
        if not is_number or value < 0 or (name in load and value == 0):
            raise MooInferError(f"{name}: must be finite and {'> 0' if name in load else '>= 0'}, got {value!r:.40}")
