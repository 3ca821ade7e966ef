"""Machines for a load: against all mixes in plain numbers, and against single events."""

import heapq
from itertools import product
from math import factorial

import numpy as np
import pytest

from moo_infer import Limit, MooInferError, NoSelection
from moo_infer.decide.capacity import MachineKind, capacity

BIG = MachineKind("big", slots=16, seconds=8.0, usd_per_hour=3.0, available=4, idle_watts=150, busy_watts=700)
SMALL = MachineKind("small", slots=4, seconds=12.0, usd_per_hour=0.5, available=6, idle_watts=30, busy_watts=80)


def seconds(worst, statistic="mean"):
    return Limit("latency", worst, "max", statistic)


def waits(c, a):
    last = a**c / factorial(c) * c / (c - a)
    return last / (sum(a**n / factorial(n) for n in range(c)) + last)


def slow(kinds, arrivals, k, usd_per_kwh):
    """By mix its price and the mean seconds of a query."""
    for counts in product(*(range(kind.available + 1) for kind in kinds)):
        served = [n * kind.slots / kind.seconds for n, kind in zip(counts, kinds, strict=True)]
        if not sum(served) or (busy := arrivals * k / sum(served)) >= 1:
            continue
        mean = watts = usd = 0.0
        for n, kind, of in zip(counts, kinds, served, strict=True):
            usd += n * kind.usd_per_hour
            watts += n * (kind.idle_watts + busy * (kind.busy_watts - kind.idle_watts))
            if n:
                c, own = n * kind.slots, arrivals * k * of / sum(served)
                slowest = kind.seconds * sum(1 / i for i in range(1, k + 1))
                mean += of / sum(served) * (waits(c, own * kind.seconds) / (c / kind.seconds - own) + slowest)
        yield counts, usd + watts / 1000 * usd_per_kwh, mean


@pytest.mark.parametrize(("arrivals", "k", "worst"), [(1.0, 3, 20.0), (1.0, 3, 17.0), (0.4, 1, 8.5), (2.0, 3, 22.0)])
def test_no_cheaper_mix_is_within_the_limit(arrivals, k, worst):
    found = capacity([BIG, SMALL], arrivals, [seconds(worst)], k=k, usd_per_kwh=0.3)
    mixes = {counts: (usd, mean) for counts, usd, mean in slow([BIG, SMALL], arrivals, k, 0.3)}
    usd, mean = mixes[tuple(found.counts.values())]
    assert (found.usd_per_hour, found.seconds["mean"]) == (pytest.approx(usd), pytest.approx(mean))
    assert mean <= worst
    assert usd == pytest.approx(min(usd for usd, mean in mixes.values() if mean <= worst))


def events(kinds, counts, arrivals, k, queries, rng):
    """Queries that go to a kind at random, each kind with a queue of its own."""
    pools = [[0.0] * (n * kind.slots) for n, kind in zip(counts, kinds, strict=True)]
    served = np.array([len(pool) / kind.seconds for pool, kind in zip(pools, kinds, strict=True)])
    clock, took = 0.0, []
    for _ in range(queries):
        clock += rng.exponential(1 / arrivals)
        i = rng.choice(len(kinds), p=served / served.sum())
        ends = []
        for of in rng.exponential(kinds[i].seconds, k):
            ends.append(max(heapq.heappop(pools[i]), clock) + of)
            heapq.heappush(pools[i], ends[-1])
        took.append(max(ends) - clock)
    return np.array(took[queries // 10 :])


def test_its_seconds_are_those_of_single_events():
    found = capacity([BIG, SMALL], 1.5, [seconds(40.0, "p95")], k=1)
    took = events([BIG, SMALL], found.counts.values(), 1.5, 1, 60_000, np.random.default_rng(0))
    assert found.seconds["mean"] == pytest.approx(took.mean(), rel=0.03)
    assert found.seconds["p95"] == pytest.approx(np.quantile(took, 0.95), rel=0.03)
    assert found.seconds["p95"] <= 40.0


def test_slots_alone_are_machines_with_one_slot():
    """At 10 erlangs 13 of them wait 0.95 s on average, and 14 of them 0.44 s."""
    slot = MachineKind("slot", slots=1, seconds=10.0, usd_per_hour=1.0, available=40)
    assert capacity([slot], 1.0, [seconds(10.9)]).counts == {"slot": 14}
    assert (waits(13, 10) * 10 / 3, waits(14, 10) * 10 / 4) == (
        pytest.approx(0.95, abs=0.01),
        pytest.approx(0.435, abs=0.01),
    )


def test_a_limit_on_a_quantile_takes_more_machines_than_one_on_the_mean():
    loose, tight = (capacity([BIG], 2.0, [limit], k=2) for limit in (seconds(30.0), seconds(30.0, "p95")))
    assert loose.counts["big"] <= tight.counts["big"]
    assert tight.seconds["p95"] <= 30.0


def test_machines_of_a_kind_have_room_for_the_requests_of_a_query():
    """On one slot three requests take three services, and not the slowest of them."""
    kinds = [machine(name="small", available=4), machine(name="large", slots=3, usd_per_hour=9.0)]
    found = capacity(kinds, 0.01, [seconds(1.9)], k=3)
    assert found.counts == {"small": 3, "large": 0}
    with pytest.raises(NoSelection, match="no kind of machines has 7 slots"):
        capacity(kinds, 0.01, [seconds(9.0)], k=7)


def test_of_mixes_that_cost_the_same_but_for_rounding_the_one_with_the_fewest_slots_is_taken():
    assert 3 * 0.1 > 0.3
    kinds = [machine(name="large", slots=4, usd_per_hour=0.3), machine(name="small", usd_per_hour=0.1, available=3)]
    assert capacity(kinds, 2.5, [seconds(100)]).counts == {"large": 0, "small": 3}


def machine(**changes):
    return MachineKind(**({"name": "m", "slots": 1, "seconds": 1.0, "usd_per_hour": 1.0, "available": 2} | changes))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: capacity([], 1.0, [seconds(1)]), "kinds: must be a list of MachineKind objects"),
        (lambda: capacity([BIG, BIG], 1.0, [seconds(20)]), "kinds: 'big' is there 2 times"),
        (lambda: capacity([BIG], 0.0, [seconds(20)]), "queries_per_second: must be finite and > 0, got 0.0"),
        (lambda: capacity([BIG], float("nan"), [seconds(20)]), "queries_per_second: must be finite and > 0, got nan"),
        (lambda: capacity([BIG], 1.0, []), "limits: one on latency at least is needed"),
        (lambda: capacity([BIG], 1.0, [Limit("cost", 1, "max")]), "limits are on latency, .* got 'cost'"),
        (lambda: capacity([BIG], 1.0, [20]), r"limits\[0\]: must be a Limit object, got 20"),
        (lambda: capacity([BIG], 1.0, [seconds(20)], k=0), "k: must be >= 1, got 0"),
        (lambda: capacity([BIG], 1.0, [seconds(20)], usd_per_kwh=-1), "usd_per_kwh: must be finite and >= 0, got -1"),
        (lambda: capacity([BIG], 100.0, [seconds(20)]), "all machines together serve 8 requests a second, and 100 arrive"),
        (lambda: capacity([BIG], 1.0, [seconds(5)]), "no mix of the machines meets latency <= 5; one request takes 8 s"),
        (lambda: machine(slots=0), "m: slots: must be >= 1, got 0"),
        (lambda: machine(seconds=float("inf")), "m: seconds: must be finite, got inf"),
        (lambda: machine(idle_watts=2.0, busy_watts=1.0), "m: busy_watts must be >= idle_watts = 2"),
        (lambda: machine(name=" "), "a kind of machines needs a name"),
        (lambda: machine(slots=10_000, available=100), "m: at most 100,000 slots of a kind"),
        (lambda: capacity([machine(name=n, available=99) for n in "abc"], 1.0, [seconds(2)]), "make 1,000,000 mixes"),
    ],
)  # fmt: skip
def test_what_is_refused(call, sentence):
    with pytest.raises((MooInferError, NoSelection), match=sentence):
        call()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("share", [1.0, 1 - 1e-16, 1 - 1e-15])
def test_machines_that_are_full_but_for_rounding_serve_no_more(share):
    kinds = [MachineKind("a", 8, 7.0, 1.0, 2), MachineKind("b", 6, 0.7, 2.0, 2), MachineKind("c", 4, 1.1, 3.0, 2)]
    arrivals = (8 / 7.0 + 6 / 0.7 + 4 / 1.1) * share
    found = capacity(kinds, arrivals, [seconds(1e6)])
    assert found.busy < 0.99
