"""Slots that all queries share: Erlang C, in closed form, in trials and event by event."""

import heapq

import numpy as np
import pytest

from moo_infer import Draws, ModelProfile, MooInferError, Pipeline
from moo_infer.builtin.difficulty import DifficultyClasses
from moo_infer.builtin.erlang import ErlangC
from moo_infer.builtin.inference import Gaussian
from moo_infer.core.draws import BEFORE
from moo_infer.core.errors import NothingPossible
from moo_infer.core.noise import with_noise

MODEL = DifficultyClasses(shares=(1.0,), p=(0.7,), tokens_in_mean=100, tokens_out_mean=100)
QUERY = Gaussian(100, 0, 100, 0, 0.7, 0.0).queries().query


def drawn(M, K):
    rng = np.random.default_rng(0)
    return with_noise(MODEL.sample(rng, M, K), rng)


def events(part, k, queries, rng):
    """Seconds of queries whose k requests take the slots that are free first."""
    free, clock, took = [0.0] * part.slots, 0.0, []
    for _ in range(queries):
        clock += rng.exponential(1 / part.queries_per_second)
        ends = []
        for seconds in rng.exponential(part.seconds, k):
            ends.append(max(heapq.heappop(free), clock) + seconds)
            heapq.heappush(free, ends[-1])
        took.append(max(ends) - clock)
    return np.array(took[queries // 10 :])


@pytest.mark.parametrize(
    ("queries_per_second", "k", "seconds"),
    [(0.2, 11, 30.2294065816), (1.0, 1, 10.0000000114), (0.2, 3, 18.3333333333), (1.0, 3, 21.4844469427)],
)
def test_a_wait_and_the_slowest_of_k(queries_per_second, k, seconds):
    """The figures of 32 slots and exponential services of 10 s."""
    part = ErlangC(queries_per_second, slots=32, seconds=10.0)
    assert part.exact(QUERY, np.array([k]), parallelism=1).mean[0] == pytest.approx(seconds, abs=1e-8)


@pytest.mark.parametrize(("queries_per_second", "k"), [(2.9, 1), (0.4, 5), (1.0, 2)])
def test_it_is_what_single_events_do_while_slots_are_not_scarce(queries_per_second, k):
    part = ErlangC(queries_per_second, slots=32, seconds=10.0)
    took = events(part, k, 60_000, np.random.default_rng(1))
    moments = part.exact(QUERY, np.array([k]), parallelism=1)
    assert moments.mean[0] == pytest.approx(took.mean(), rel=0.03)
    assert moments.quantile(0.95)[0] == pytest.approx(np.quantile(took, 0.95), rel=0.03)


@pytest.mark.parametrize(
    ("slots", "queries_per_second", "k", "longer"),
    [(32, 0.2, 11, 0.07), (32, 0.3, 9, 0.19), (32, 1.0, 3, 0.18), (4, 0.03, 4, 0.10), (4, 0.07, 4, 0.42)],
)
def test_single_events_take_longer_by_what_is_said_where_slots_are_scarce(slots, queries_per_second, k, longer):
    part = ErlangC(queries_per_second, slots=slots, seconds=10.0)
    took = events(part, k, 40_000, np.random.default_rng(1)).mean()
    assert took / part.exact(QUERY, np.array([k]), parallelism=1).mean[0] - 1 == pytest.approx(longer, abs=0.02)


def test_trials_have_the_moments_that_are_known():
    part = ErlangC(1.0, slots=32, seconds=10.0)
    totals = part.total(drawn(200_000, 3), parallelism=1)
    moments = part.exact(QUERY, np.array([1, 2, 3]), parallelism=1)
    assert totals.mean(axis=0) == pytest.approx(moments.mean, rel=0.01)
    assert totals.std(axis=0) == pytest.approx(moments.std, rel=0.01)
    assert np.quantile(totals, 0.95, axis=0) == pytest.approx(moments.quantile(0.95), rel=0.01)


def test_k_at_which_more_arrives_than_is_served_are_no_candidates():
    profile = ModelProfile("small", MODEL, [ErlangC(1.0, slots=32, seconds=10.0)])
    table = Pipeline("majority-vote", k=[1, 3, 5]).candidates(profile)
    assert table.k.tolist() == [1, 3]
    (remark,) = table.curve(0).remarks
    assert remark == (
        "erlang-c: from k = 5 on too many queries come: 5 requests arrive in a second, at most 3.2 can be served"
    )
    with pytest.raises(MooInferError, match="too many queries come"):
        ErlangC(1.0, slots=32, seconds=10.0).total(drawn(2, 4), parallelism=1)


def test_k_above_the_slots_are_no_candidates():
    """The requests of a query wait for each other there: eight on two idle slots take 6 / 2 + 1 + 1 / 2 services."""
    part = ErlangC(0.001, slots=2, seconds=1.0)
    assert events(part, 8, 20_000, np.random.default_rng(0)).mean() == pytest.approx(4.5, rel=0.03)
    table = Pipeline("majority-vote", k=[1, 2, 8]).candidates(ModelProfile("small", MODEL, [part]))
    assert table.k.tolist() == [1, 2]
    assert table.curve(0).remarks == ("erlang-c: k = 8 requests cannot run at once on 2 slots",)
    with pytest.raises(NothingPossible, match="k = 3 requests cannot run at once on 2 slots"):
        part.total(drawn(2, 8), parallelism=1)


def test_a_policy_needs_to_say_how_often_queries_call():
    draws = drawn(5, 2)
    wave = Draws(columns={**draws, BEFORE: np.zeros((5, 2), dtype=np.int64)})
    part = ErlangC(1.0, slots=32, seconds=10.0)
    with pytest.raises(NothingPossible, match="give calls_per_query"):
        part.total(wave, parallelism=1)
    told = ErlangC(1.0, slots=32, seconds=10.0, calls_per_query=2.5)
    assert told.total(wave, parallelism=1).shape == (5, 2)
    waits = told.exact(QUERY, np.array([1, 2]), parallelism=1).mean - [10.0, 15.0]
    assert waits[0] == pytest.approx(waits[1])  # that of 2.5 requests a second, whatever the query calls itself


@pytest.mark.filterwarnings("error")
def test_slots_that_nobody_else_calls_keep_nobody_waiting():
    totals = ErlangC(0.0, slots=3, seconds=2.0).total(drawn(4000, 3), parallelism=1)
    assert totals.mean(axis=0) == pytest.approx([2.0, 3.0, 2 * (1 + 1 / 2 + 1 / 3)], rel=0.1)
