import heapq
import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from moo_infer import (
    CostModel,
    Draws,
    InferenceModel,
    ModelProfile,
    MooInferError,
    NotExact,
    Pipeline,
    Queries,
    Registry,
    Scenario,
)
from moo_infer.builtin.costs import LinearLatency
from moo_infer.builtin.inference import Gaussian
from moo_infer.builtin.latencies import Batch, Sequential, Slots, SlowestOfK, scheduled
from moo_infer.quantities.largest import largest
from moo_infer.quantities.laws import ClippedNormal
from moo_infer.quantities.sum_law import SumLaw

K = np.array([1, 2, 4, 8, 16, 32, 64])
CHAT = Gaussian(1000, 0, 400, 100, 0.8, 0.1)
TIGHT = replace(CHAT, tokens_out_std=10)
LLAMA = {"itl_base_s": 0.0065, "itl_per_sequence_s": 0.000079}  # Llama-3.1-8B on one H100


class Lognormal:
    """A law of this mean and coefficient of variation."""

    normal = False

    def __init__(self, mean, cv):
        self.sigma = math.sqrt(math.log1p(cv**2))
        self.mu = math.log(mean) - self.sigma**2 / 2
        self.mean, self.std = mean, mean * cv

    def cdf(self, x):
        with np.errstate(divide="ignore"):
            return ndtr((np.log(x) - self.mu) / self.sigma)

    def quantile(self, q):
        return np.exp(self.mu + self.sigma * ndtri(q))


class Exponential:
    normal, mean, std = False, 1.0, 1.0

    def cdf(self, x):
        return 1 - np.exp(-x)  # 0 for the smallest x

    def quantile(self, q):
        return -np.log1p(-q)


@dataclass(frozen=True)
class Lengths(InferenceModel):
    """Output lengths of a lognormal law, prompts of 1000 tokens."""

    name = "lengths"
    mean: float = 1.0
    cv: float = 0.5

    def queries(self):
        return Queries(tokens_in=ClippedNormal(1000.0, 0.0), tokens_out=Lognormal(self.mean, self.cv))

    def sample(self, rng, M, K, /):
        law = Lognormal(self.mean, self.cv)
        return Draws(np.full((M, K), 1000.0), rng.lognormal(law.mu, law.sigma, (M, K)), np.ones((M, K)))


@pytest.fixture(scope="module")
def calls():
    """1e5 trials of 64 calls whose lengths have the mean 1, by their coefficient of variation."""
    return {cv: Lengths(1.0, cv).sample(np.random.default_rng(11), 100_000, 64) for cv in (0.24, 0.3, 0.5, 1.0)}


def seconds(draws, part, parallelism=1, k=K):
    return part.total(draws, parallelism=parallelism)[:, k - 1].mean(axis=0)


@pytest.mark.parametrize("slots", [1, 2, 4, 7, 40])
def test_the_next_call_takes_the_slot_that_is_free_first(slots):
    """The slow and obvious reference: one heap a trial, started anew for every k."""
    lengths = np.random.default_rng(3).exponential(1.0, (20, 30))
    lengths[5:10] = np.round(lengths[5:10])  # ties, and calls that take no time

    def makespan(calls):
        free = [0.0] * slots
        for call in calls:
            heapq.heappush(free, heapq.heappop(free) + call)
        return max(free)

    expected = [[makespan(trial[:k]) for k in range(1, 31)] for trial in lengths]
    np.testing.assert_array_equal(scheduled(lengths, slots), expected)


def test_four_slots(calls):
    """In units of one call; the paper says 1 and 4, waves that wait for each other take 6.15."""
    for cv, four, sixteen, p95 in ((0.5, 1.54, 4.58, 2.57), (1.0, 1.99, 5.13, 4.55)):
        total = Slots(0, 1).total(calls[cv], parallelism=4)
        assert total[:, [3, 15]].mean(axis=0) == pytest.approx([four, sixteen], rel=0.01)
        assert np.quantile(total[:, 3], 0.95) == pytest.approx(p95, rel=0.02)
    waves = calls[0.5].tokens_out[:, :16].reshape(-1, 4, 4).max(axis=2).sum(axis=1)
    assert waves.mean() == pytest.approx(6.15, rel=0.01)
    assert (waves >= scheduled(calls[0.5].tokens_out[:, :16], 4)[:, -1]).all()


def test_slots_lie_between_a_full_use_of_all_and_one_after_the_other(calls):
    draws = Draws(*(calls[1.0][name][:1000] for name in ("tokens_in", "tokens_out", "accuracy")))
    total = Slots(1e-4, 1, 0.2).total(draws, parallelism=4)
    assert (total >= LinearLatency(1e-4, 1).total(draws, parallelism=4)).all()
    assert (total >= SlowestOfK(1e-4, 1, 0.2).total(draws, parallelism=4)).all()
    assert (total <= Sequential(1e-4, 1, 0.2).total(draws, parallelism=4)).all()


def test_slots_are_exact_with_one_of_them_where_none_waits_and_where_calls_are_alike():
    slots = Slots(0.001, 0.01, 0.5)
    for parallelism, k, like in ((1, K, Sequential), (64, K, SlowestOfK)):
        expected = like(0.001, 0.01, 0.5).exact(TIGHT.queries().query, k, parallelism=1)
        got = slots.exact(TIGHT.queries().query, k, parallelism=parallelism)
        for statistic in ("mean", "std"):
            np.testing.assert_array_equal(getattr(got, statistic), getattr(expected, statistic))
        np.testing.assert_array_equal(got.quantile(0.95), expected.quantile(0.95))
    fixed = slots.exact(replace(CHAT, tokens_out_std=0).queries().query, K, parallelism=4)
    np.testing.assert_allclose(fixed.mean, 5.5 * np.array([1, 1, 1, 2, 4, 8, 16]), rtol=1e-13)
    np.testing.assert_allclose(fixed.quantile(0.95), fixed.mean, rtol=1e-13)
    assert not fixed.std.any()
    with pytest.raises(NotExact):
        slots.exact(CHAT.queries().query, K, parallelism=63)


@pytest.mark.parametrize(
    ("cv", "figures", "p95"),
    [
        (0.10, [1.06, 1.11, 1.15, 1.19, 1.22, 1.26], 1.31),
        (0.24, [1.13, 1.26, 1.38, 1.49, 1.60, 1.70], 1.85),
        (0.37, [1.20, 1.40, 1.60, 1.80, 2.00, 2.20], 2.49),
        (0.54, [1.28, 1.58, 1.90, 2.24, 2.59, 2.96], 3.49),
        (1.00, [1.44, 1.99, 2.66, 3.44, 4.33, 5.37], 6.83),
    ],
)
def test_the_slowest_of_k(cv, figures, p95):
    """For k = 2, 4, ..., 64 in units of one call, and the 95 % quantile at k = 16."""
    moments = SlowestOfK(0, 1).exact(Lengths(1.0, cv).queries().query, K, parallelism=3)
    assert moments.mean == pytest.approx([1, *figures], abs=0.01)
    assert moments.quantile(0.95)[4] == pytest.approx(p95, abs=0.02)


def test_the_slowest_of_k_is_what_is_simulated(calls):
    for cv in (0.24, 1.0):
        moments = SlowestOfK(0.001, 2, 0.5).exact(Lengths(1.0, cv).queries().query, K, parallelism=1)
        total = SlowestOfK(0.001, 2, 0.5).total(calls[cv], parallelism=1)[:, K - 1]
        assert (np.abs(total.mean(axis=0) - moments.mean) < 4 * moments.std / math.sqrt(1e5)).all()
        assert moments.std == pytest.approx(total.std(axis=0), rel=0.05)
        for q in (0.5, 0.95, 0.99):
            assert (total <= moments.quantile(q)).mean(axis=0) == pytest.approx([q] * len(K), abs=0.006)


def test_the_largest_of_k_in_closed_form():
    """Of exponential draws: sums of 1 / i and 1 / i^2. Of two normal ones: 1 / sqrt(pi). Of constants: one."""
    inverse = 1 / np.arange(1.0, 10_001)
    k = np.array([1, 2, 10, 1000, 10_000])
    moments = largest(Exponential(), k)
    np.testing.assert_allclose(moments.mean, np.cumsum(inverse)[k - 1], rtol=1e-9)
    np.testing.assert_allclose(moments.std, np.sqrt(np.cumsum(inverse**2))[k - 1], rtol=1e-8)
    np.testing.assert_allclose(moments.quantile(0.95), -np.log1p(-(0.95 ** (1 / k))), rtol=1e-9)
    two = largest(ClippedNormal(5.0, 3.0), np.array([2]))
    assert two.mean == pytest.approx(5 + 3 / math.sqrt(math.pi), rel=1e-12)
    assert two.std == pytest.approx(3 * math.sqrt(1 - 1 / math.pi), rel=1e-12)
    constant = largest(ClippedNormal(7.0, 0.0), K)
    assert constant.mean.tolist() == [7.0] * 7
    assert constant.std.tolist() == [0.0] * 7


@pytest.mark.parametrize(
    ("law", "grid"),
    [
        (ClippedNormal(3.0, 2.0, low=1.0, high=4.0), np.linspace(1.0, 4.0, 2**20)),
        (ClippedNormal(-2.0, 1.0, low=0.0), np.linspace(0.0, 8.0, 2**20)),
        (Lognormal(1.0, 3.0), np.geomspace(1e-9, 1e9, 2**20)),
    ],
    ids=["cut on both sides", "mostly at its lower bound", "heavy-tailed"],
)
def test_the_largest_of_k_by_another_integral(law, grid):
    """E max = low + int (1 - F^k), E max^2 = low^2 + int 2x (1 - F^k), by trapezia."""
    for k in (1, 3, 50, 2000):
        moments = largest(law, np.array([k]))
        above = 1 - law.cdf(grid) ** k
        mean = grid[0] + np.trapezoid(above, grid)
        square = grid[0] ** 2 + np.trapezoid(2 * grid * above, grid)
        assert moments.mean == pytest.approx(mean, rel=1e-5)
        assert moments.std == pytest.approx(math.sqrt(max(square - mean**2, 0.0)), rel=1e-4, abs=1e-6)


def test_thousands_of_k_at_once_are_those_of_each():
    k = np.arange(1, 3001)
    whole = largest(Lognormal(1.0, 0.5), k)
    for n in (1, 1024, 1025, 3000):
        alone = largest(Lognormal(1.0, 0.5), np.array([n]))
        assert whole.mean[n - 1] == pytest.approx(alone.mean[0], rel=1e-13)
        assert whole.std[n - 1] == pytest.approx(alone.std[0], rel=1e-13)


def test_the_law_of_a_call_is_known_whichever_counts_vary():
    k = np.array([1, 9])
    part = SlowestOfK(0.01, 0.1, 2.0)
    prompts = part.exact(Gaussian(1000, 50, 400, 0, 0.8, 0.1).queries().query, k, parallelism=1)
    np.testing.assert_allclose(prompts.mean, 2 + 40 + 0.01 * largest(ClippedNormal(1000, 50), k).mean, rtol=1e-12)
    cut = part.exact(Gaussian(1000, 500, 400, 0, 0.8, 0.1).queries().query, k, parallelism=1)
    np.testing.assert_allclose(cut.mean, 2 + 40 + 0.01 * largest(ClippedNormal(1000, 500, 1), k).mean, rtol=1e-12)
    both = part.exact(Gaussian(1000, 50, 400, 10, 0.8, 0.1).queries().query, k, parallelism=1)
    total = ClippedNormal(10 + 40 + 2, math.hypot(0.5, 1.0))
    np.testing.assert_allclose(both.mean, largest(total, k).mean, rtol=1e-12)
    np.testing.assert_allclose(both.quantile(0.9), total.quantile(0.9 ** (1 / k)), rtol=1e-12)
    seconds = SumLaw(ClippedNormal(40, 1.0), ClippedNormal(10, 5.0, 0.01))  # at least one token of a prompt
    both = part.exact(Gaussian(1000, 500, 400, 10, 0.8, 0.1).queries().query, k, parallelism=1)
    np.testing.assert_allclose(both.mean, 2 + seconds.largest(k)[0], rtol=1e-10)
    assert (
        SlowestOfK(0, 0.1).exact(Gaussian(1000, 500, 400, 300, 0.8, 0.1).queries().query, k, parallelism=1) is not None
    )


@pytest.mark.parametrize("part", [Slots(1, 1), SlowestOfK(1, 1), Sequential(1, 1), Batch(1, 1)], ids=repr)
def test_nothing_is_exact_without_laws(part):
    class Unknown(InferenceModel):
        def sample(self, rng, M, K, /):
            raise NotImplementedError

    with pytest.raises(NotExact):
        part.exact(Unknown().queries().query, K, parallelism=1)


def test_one_after_the_other_adds_up():
    draws = CHAT.sample(np.random.default_rng(0), 3, 5)
    linear = LinearLatency(0.001, 0.01)
    sequential = Sequential(0.001, 0.01, overhead_s=0.5)
    expected = linear.total(draws, parallelism=1) + 0.5 * np.arange(1, 6)
    np.testing.assert_allclose(sequential.total(draws, parallelism=9), expected)
    exact, without = (part.exact(CHAT.queries().query, K, parallelism=1) for part in (sequential, linear))
    np.testing.assert_allclose(exact.mean, without.mean + 0.5 * K)
    np.testing.assert_allclose(exact.std, without.std)
    assert exact.quantile is None  # a length of 400 +- 100 is cut at 1 in more than 1e-12 of the draws
    quantile = sequential.exact(TIGHT.queries().query, K, parallelism=1).quantile(0.95)
    np.testing.assert_allclose(quantile, 5.5 * K + 1.6448536269514722 * 0.1 * np.sqrt(K), rtol=1e-12)


@pytest.mark.parametrize(
    ("cv", "others", "figures"),
    [
        (0.3, 0, [1.36, 1.57, 1.81, 2.15, 2.68]),
        (0.3, 64, [1.34, 1.52, 1.73, 1.98, 2.35]),
        (1.0, 0, [2.02, 2.72, 3.59, 4.67, 6.08]),
    ],
)
def test_a_batch_of_k(calls, cv, others, figures):
    """For k = 4, 8, ..., 64 relative to one; by quadrature, and on 1e5 trials."""
    batch = Batch(**LLAMA, other_sequences=others)
    exact = batch.exact(Lengths(396.0, cv).queries().query, K, parallelism=1).mean
    assert (exact / exact[0])[2:] == pytest.approx(figures, rel=0.01)
    draws = Draws(calls[cv].tokens_in, 396 * calls[cv].tokens_out, calls[cv].accuracy)
    assert seconds(draws, batch) == pytest.approx(exact, rel=0.006)


def test_a_batch_is_a_sum_over_decoding_steps():
    """The slow and obvious reference: step by step, the longer the more sequences run."""
    lengths = np.random.default_rng(3).integers(1, 40, (5, 7)).astype(float)
    draws = Draws(np.ones((5, 7)), lengths, np.ones((5, 7)))
    for others in (0, 0.5, 6):
        expected = np.zeros((5, 7))
        for trial in range(5):
            for k in range(1, 8):
                for step in range(1, 41):
                    n = int((lengths[trial, :k] >= step).sum())
                    expected[trial, k - 1] += (3 + 0.25 * (others + n)) if n else 0
        total = Batch(3, 0.25, other_sequences=others).total(draws, parallelism=1)
        np.testing.assert_allclose(total, expected, rtol=1e-12)


def test_the_mean_of_a_batch_by_another_integral():
    """The expectation of alpha + beta (B0 + n) while n > 0, n binomial with the share of lengths above t."""
    law = Lognormal(396.0, 0.7)
    for others, k in ((0, 1), (0, 9), (12, 40)):
        n = np.arange(1, k + 1)

        def step(t, n=n, k=k, others=others):
            return float(binom.pmf(n, k, 1 - law.cdf(t)) @ (0.0065 + 0.000079 * (others + n)))

        edges = [1e-9, 100, 300, 600, 1200, 5000, 100_000]
        expected = sum(quad(step, a, b, epsabs=1e-11)[0] for a, b in pairwise(edges))
        batch = Batch(**LLAMA, other_sequences=others)
        exact = batch.exact(Lengths(396.0, 0.7).queries().query, np.array([k]), parallelism=1).mean
        assert exact == pytest.approx(expected, rel=1e-7)


def test_a_prompt_is_prefilled_once_or_for_every_sequence():
    draws = CHAT.sample(np.random.default_rng(0), 2, 6)
    bare = Batch(**LLAMA)
    for prefill, first in (("shared", np.full(6, 0.7)), ("each", 0.7 * np.arange(1, 7))):
        batch = replace(bare, ttft_seconds=0.7, prefill=prefill)
        added = batch.total(draws, parallelism=1) - bare.total(draws, parallelism=1)
        np.testing.assert_allclose(added, np.broadcast_to(first, (2, 6)))
        k = np.arange(1, 7)
        means = [part.exact(CHAT.queries().query, k, parallelism=1).mean for part in (batch, bare)]
        np.testing.assert_allclose(means[0] - means[1], first)


def test_a_batch_is_exact_in_all_where_sequences_do_not_slow_each_other_or_lengths_do_not_vary():
    alone = Batch(0.01, 0, ttft_seconds=0.5).exact(CHAT.queries().query, K, parallelism=1)
    slowest = SlowestOfK(0, 0.01, 0.5).exact(CHAT.queries().query, K, parallelism=1)
    np.testing.assert_allclose(alone.quantile(0.95), slowest.quantile(0.95))
    np.testing.assert_allclose(alone.std, slowest.std)
    fixed = Batch(0.01, 0.001).exact(replace(CHAT, tokens_out_std=0).queries().query, K, parallelism=1)
    np.testing.assert_allclose(fixed.mean, 400 * (0.01 + 0.001 * K))
    np.testing.assert_allclose(fixed.quantile(0.95), fixed.mean)
    assert not fixed.std.any()
    partly = Batch(0.01, 0.001).exact(CHAT.queries().query, K, parallelism=1)
    assert (partly.std, partly.quantile) == (None, None)


@dataclass(frozen=True)
class ShortOrLong(InferenceModel):
    """Half of the queries get answers of 200 tokens, half of 600, give or take 20 %."""

    name = "short-or-long"

    def queries(self):
        mean = np.array([[200.0], [600.0]])
        return Queries([0.5, 0.5], tokens_out=ClippedNormal(mean, 0.2 * mean), tokens_in=ClippedNormal(1000.0, 0.0))

    def sample(self, rng, M, K, /):
        mean = rng.choice([200.0, 600.0], (M, 1))
        return Draws(np.full((M, K), 1000.0), rng.normal(mean, 0.2 * mean, (M, K)), np.ones((M, K)))


@pytest.mark.parametrize("part", [SlowestOfK(0, 0.01), Sequential(0, 0.01), Batch(0.01, 0.0005)], ids=repr)
def test_queries_that_differ_are_mixed(part):
    """What is exact given the query is exact over all of them: the slowest belongs to the query, not to the crowd."""
    profile = ModelProfile("mine", ShortOrLong(), (part,))
    table = Pipeline(k=[1, 4, 16]).candidates(profile)
    assert "latency.mean" not in table.row(0).simulated
    total = part.total(ShortOrLong().sample(np.random.default_rng(0), 40_000, 16), parallelism=4)
    assert table.column("latency") == pytest.approx(total[:, [0, 3, 15]].mean(axis=0), rel=0.02)
    assert table.column("latency", "std") == pytest.approx(total[:, [0, 3, 15]].std(axis=0), rel=0.03)


@pytest.mark.parametrize(
    "part", [Slots(0.0005, 0.005), SlowestOfK(0.0005, 0.005), Sequential(0.0005, 0.005), Batch(0.005, 0.0001)], ids=repr
)
def test_a_limit_on_a_quantile_limits(part):
    """The largest k whose 95 % quantile is within, simulated or exact; p50, p95 and p99 are columns like others."""
    profile = ModelProfile("mine", Gaussian(1024, 64, 2048, 128, 0.9, 0.05), (part,), parallelism=4)
    pipeline = Pipeline(selectors="max-accuracy", k=range(1, 33))
    table = pipeline.candidates(profile)
    median, p95, p99 = (table.column("latency", statistic) for statistic in ("p50", "p95", "p99"))
    assert (np.diff([median, p95, p99], axis=0) > 0).all()
    limit = float(p95[8:10].mean())
    report = pipeline.run(profile, Scenario("s", max={"latency": {"p95": limit}}))
    assert report["max-accuracy"].k == 9


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("batch:itl_base_s=0.01,itl_per_sequence_s=0,prefill=once", "prefill: must be 'shared' or 'each', got 'once'"),
        ("batch:itl_base_s=0.01", "missing itl_per_sequence_s"),
        ("batch:itl_base_s=0.01,itl_per_sequence_s=-1", "itl_per_sequence_s: must be >= 0, got -1"),
        (
            "slots:seconds_per_input_token=0,seconds_per_output_token=1,overhead_s=-2",
            "overhead_s: must be >= 0, got -2",
        ),
    ],
)
def test_what_cannot_be_is_refused(given, message):
    with pytest.raises(MooInferError, match=message):
        Registry().get(CostModel, given)
