from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.integrate import quad

from moo_infer import (
    LATENCY,
    CostModel,
    Draws,
    Exact,
    InferenceModel,
    MissingColumn,
    ModelProfile,
    Moments,
    MonteCarlo,
    MooInferError,
    NotExact,
    Pipeline,
    Registry,
    Samples,
)
from moo_infer.builtin.aggregators import BestOfK, Coverage
from moo_infer.builtin.empirical import Empirical
from moo_infer.builtin.inference import Gaussian
from moo_infer.builtin.latencies import Sequential, Slots, SlowestOfK
from moo_infer.builtin.lengths import LognormalLengths
from moo_infer.builtin.rate_limits import RateLimited
from moo_infer.core.noise import condensed, noisy_sum, ratio_at, ratio_moments
from moo_infer.core.streams import Streams
from moo_infer.estimate.monte_carlo import simulate
from moo_infer.estimate.setup import Setup

K = np.array([1, 4, 8])
RATIOS = (0.5, 0.8, 1.0, 1.2, 3.0)
CHAT = Gaussian(1000, 100, 400, 100, 0.8, 0.1)
CALL = {"seconds_per_input_token": 0.0005, "seconds_per_output_token": 0.01, "overhead_s": 0.3}
LONG_OR_SHORT = LognormalLengths(
    tokens_in_mean=500, tokens_out_mean=400, accuracy_mean=0.8, tokens_out_cv_between=0.8, tokens_out_cv_within=0.3
)
LOG = Samples(
    "logged",
    ["q1", "q2", "q3"],
    np.repeat([0, 1, 2], 12),
    np.tile([1.0, 0.0, 1.0], 12),
    {
        "input_tokens": np.repeat([100.0, 300, 900], 12),
        "output_tokens": np.random.default_rng(3).lognormal(6, 0.6, 36).round(),
    },
)


def texts(notes):
    return [note.text for note in notes]


def test_ratios_are_quantiles_in_any_order_as_numpy_reads_them():
    u = np.random.default_rng(0).random((30, 4))
    np.testing.assert_allclose(ratio_at(u, (1.2, 0.5, 3.0, 0.8, 1.0)), np.quantile(RATIOS, u), rtol=1e-12)
    assert ratio_at(u, (1.5,)).tolist() == np.full(u.shape, 1.5).tolist()


@pytest.mark.parametrize("ratios", [RATIOS, (0.5, 1.5), (2.0,), (2.0, 2.0), tuple(np.geomspace(0.3, 5, 20))])
def test_moments_of_ratios_are_integrals_of_what_is_read(ratios):
    knots = np.linspace(0, 1, len(ratios))
    mean, square = (
        quad(lambda u, n=n: float(ratio_at(np.array(u), ratios)) ** n, 0, 1, points=knots[1:-1], limit=200)[0]
        for n in (1, 2)
    )
    assert ratio_moments(ratios) == pytest.approx((mean, np.sqrt(max(square - mean**2, 0.0))), rel=1e-9, abs=1e-7)
    assert (len(set(ratios)) > 1) == (ratio_moments(ratios)[1] > 0)


@pytest.mark.parametrize(
    "values",
    [
        np.random.default_rng(0).lognormal(0, 0.3, 1000),
        np.append(np.random.default_rng(0).lognormal(0, 0.3, 999), 150.0),
        np.append(np.full(940, 1.0), np.full(60, 8.0)),  # the last but one is a delay too
        np.append(np.full(2, 1.0), np.full(98, 8.0)),
        np.array([0.9, 1.0, 1.1, 1.6]),
        np.array([1.3]),
    ],
    ids=["lognormal", "one far out", "delays of 6 %", "delays of 98 %", "four", "one"],
)
def test_twenty_quantiles_ascend_and_keep_the_mean(values):
    weights = np.random.default_rng(1).random(len(values)) + 0.1
    found = condensed(values, weights)
    assert len(found) == 20
    assert found[0] == values.min()
    assert (np.diff(found) >= 0).all()
    assert ratio_moments(found)[0] == pytest.approx(np.average(values, weights=weights), rel=1e-12)


def test_one_delay_far_out_leaves_the_other_quantiles_alone():
    values = np.random.default_rng(0).lognormal(0, 0.3, 999)
    found = condensed(np.append(values, 150.0), np.ones(1000))
    np.testing.assert_allclose(found[1:19], np.quantile(values, np.arange(1, 19) / 19), rtol=0.01)


def estimated(part, model, estimator, parallelism=4, k=K):
    profile = ModelProfile("mine", model, (part,), parallelism=parallelism)
    return estimator.estimate(profile, Coverage(), k, parallelism).columns["latency"]


@pytest.mark.parametrize(
    "model",
    [CHAT, LONG_OR_SHORT, Empirical(LOG)],
    ids=["gaussian", "queries that differ", "log"],
)
@pytest.mark.parametrize(
    ("part", "parallelism", "k"),
    [
        (Sequential(**CALL, ratios=RATIOS), 4, K),
        (Slots(**CALL, ratios=RATIOS), 1, K),
        (Slots(**CALL, ratios=RATIOS), 4, K[:1]),
        (SlowestOfK(**CALL, ratios=RATIOS), 1, K[:1]),
    ],
    ids=["sequential", "one slot", "one call in slots", "one call"],
)
def test_mean_and_spread_of_a_sum_of_noisy_calls_are_exact(part, parallelism, k, model):
    """By a law, mixed over queries, and by the samples of a log, that are drawn without replacement."""
    exact = estimated(part, model, Exact(), parallelism, k)
    trials = estimated(part, model, MonteCarlo(100_000, seed=5), parallelism, k).trials
    assert exact.simulated == ("low", "high")
    np.testing.assert_array_less(np.abs(trials.mean(axis=0) - exact.mean), 4 * trials.std(axis=0) / np.sqrt(1e5))
    np.testing.assert_allclose(exact.std, trials.std(axis=0), rtol=0.02)


def test_a_sum_of_noisy_calls_in_closed_form():
    """E[R X] = E[R] E[X], and E[(R X)^2] = E[R^2] E[X^2] for each of k independent calls."""
    plain = Sequential(**CALL).exact(CHAT.queries().query, K, parallelism=1)
    noisy = Sequential(**CALL, ratios=(0.5, 1.5)).exact(CHAT.queries().query, K, parallelism=1)
    np.testing.assert_allclose(noisy.mean, plain.mean)
    mean, std = plain.mean[0], plain.std[0]
    np.testing.assert_allclose(noisy.std, np.sqrt(K * ((1 + 1 / 12) * (mean**2 + std**2) - mean**2)))


def test_a_sum_of_unknown_spread_stays_one():
    moments = noisy_sum(Moments(np.array([2.0, 8.0])), Moments(np.array([2.0])), np.array([1, 4]), (0.5, 2.5))
    assert moments.mean.tolist() == [3.0, 12.0]
    assert moments.std is None


def test_what_else_is_noisy_is_simulated():
    for part, parallelism in ((SlowestOfK(**CALL, ratios=RATIOS), 1), (Slots(**CALL, ratios=RATIOS), 64)):
        for model in (CHAT, replace(CHAT, tokens_in_std=0, tokens_out_std=0)):
            with pytest.raises(NotExact):
                part.exact(model.queries().query, K, parallelism=parallelism)
    profile = ModelProfile("mine", CHAT, (Slots(**CALL, ratios=RATIOS),), parallelism=4)
    row = Pipeline("coverage", k=[4], estimator=Exact(100)).candidates(profile).row(0)
    assert {"latency.mean", "latency.std", "latency.low", "latency.high"} <= set(row.simulated)


@pytest.mark.parametrize("part", [Sequential, SlowestOfK, Slots])
def test_one_ratio_makes_all_calls_as_much_longer_and_stays_exact(part):
    for model in (replace(CHAT, tokens_out_std=10), replace(CHAT, tokens_in_std=0)):
        plain, longer = (
            part(**CALL, ratios=ratios).exact(model.queries().query, K, parallelism=8)
            for ratios in ((), (1.25, 1.25, 1.25))
        )
        np.testing.assert_allclose(longer.mean, 1.25 * plain.mean, rtol=1e-14)
        np.testing.assert_allclose(longer.std, 1.25 * plain.std, rtol=1e-14)
        assert (longer.quantile is None) == (plain.quantile is None)
        if plain.quantile is not None:
            np.testing.assert_allclose(longer.quantile(0.95), 1.25 * plain.quantile(0.95), rtol=1e-14)


def test_calls_take_the_line_times_their_ratio():
    draws = Draws(*np.ones((3, 1, 3)), {"noise": np.array([[0.0, 0.5, 0.75]])})
    for part, expected in ((Sequential, [0.5, 1.5, 2.7]), (SlowestOfK, [0.5, 1, 1.2]), (Slots, [0.5, 1, 1.7])):
        total = part(0.4, 0.5, 0.1, ratios=(0.5, 1.0, 1.4)).total(draws, parallelism=2)
        np.testing.assert_allclose(total, [expected])
    limited = RateLimited(0.4, 0.5, 0.1, ratios=(0.5, 1.0, 1.4), requests_per_minute=60)
    np.testing.assert_allclose(limited.total(draws, parallelism=3), [[0.5, 2.0, 3.2]])


def test_a_limited_service_says_which_limit_decides_with_its_noise():
    model = Gaussian(1000, 0, 100, 0, 0.8, 0.1)
    said = texts(RateLimited(0, 0.01, requests_per_minute=100).notes(model, np.arange(1, 20), parallelism=2))
    assert said == ["from k = 2 on, 100 requests per minute decide, not P = 2"]
    slow = RateLimited(0, 0.01, ratios=(0.5, 3.5), requests_per_minute=100)  # two at a time, of 2 s on average
    assert texts(slow.notes(model, np.arange(1, 20), parallelism=2)) == [
        "at k = 2, 100 requests per minute decide, not P = 2"
    ]


@dataclass(frozen=True)
class Wait(CostModel):
    """A third-party part that reads the noise itself."""

    name = "wait"
    objective = LATENCY

    def total(self, draws, /, *, parallelism):
        return np.maximum.accumulate(draws["noise"], axis=1)


def drawn(model, parts=(), trials=500, objectives=("accuracy",), seed=3):
    profile = ModelProfile("mine", model, (Wait(), *parts))
    return simulate(Setup(profile, BestOfK(), K, 1), trials, seed, objectives).totals


@dataclass(frozen=True)
class Constant(InferenceModel):
    name = "constant"
    noisy: bool = False

    def sample(self, rng, M, K, /):
        columns = {"noise": np.zeros((M, K))} if self.noisy else {}
        return Draws(*np.ones((3, M, K)), columns)


def test_every_model_gets_the_same_noise_from_a_stream_of_its_own(monkeypatch):
    """Uniform in [0, 1), and the same for all models of a seed, whatever they draw."""
    monkeypatch.setattr("moo_infer.estimate.monte_carlo.BLOCK", 500)
    u = Streams(3, (3, 0), 500).random((500, 8))
    for model in (CHAT, Constant(), Empirical(LOG)):
        found = drawn(model, objectives=["latency"])["latency"]
        np.testing.assert_array_equal(found, np.maximum.accumulate(u, axis=1)[:, K - 1])


def test_noise_changes_no_other_draw(monkeypatch):
    """What models draw is what their own generator gives."""
    monkeypatch.setattr("moo_infer.estimate.monte_carlo.BLOCK", 500)
    tokens = CHAT.sample(Streams(3, (0, 0), 500), 500, 8)
    expected = np.maximum.accumulate(tokens.accuracy, axis=1)[:, K - 1]
    np.testing.assert_array_equal(drawn(CHAT)["accuracy"], expected)


def test_a_model_must_not_bring_noise_of_its_own():
    with pytest.raises(
        MooInferError, match="^inference model 'constant' of 'mine' must not bring the column 'noise': estimators draw"
    ):
        drawn(Constant(noisy=True))


def test_draws_without_noise_are_too_few_for_ratios():
    draws = CHAT.sample(np.random.default_rng(0), 2, 3)
    assert Slots(**CALL).total(draws, parallelism=2).shape == (2, 3)
    with pytest.raises(MissingColumn, match="the draws have no column 'noise'; columns: tokens_in, tokens_out, accur"):
        Slots(**CALL, ratios=RATIOS).total(draws, parallelism=2)


def test_noise_does_not_make_unknown_tokens_known():
    log = Samples("mine", ["q1", "q2"], np.repeat([0, 1], 8), np.ones(16), {"latency_s": np.ones(16)})
    with pytest.raises(MissingColumn, match="no column 'tokens_in', needed by cost model 'slots' from inference model"):
        simulate(
            Setup(ModelProfile("mine", Empirical(log), (Slots(**CALL, ratios=RATIOS),)), Coverage(), K, 4),
            5,
            0,
            ["latency"],
        )


@pytest.mark.parametrize(
    ("ratios", "message"),
    [
        ([1.0, 0.0], "mine: ratios.1: must be > 0, got 0.0"),
        ([1.0, -2], "mine: ratios.1: must be > 0, got -2"),
        (["much"], "mine: ratios.0: must be a number, got 'much'"),
        ([True], "mine: ratios: must be a number, got True"),
        (1.5, "mine: ratios: .*got 1.5"),
        ([float("nan")], "mine: ratios.0: .*got nan"),
    ],
)
@pytest.mark.parametrize("kind", ["slots", "slowest-of-k", "sequential"])
def test_ratios_that_cannot_be_are_refused(kind, ratios, message):
    given = {"kind": kind, "seconds_per_input_token": 0, "seconds_per_output_token": 0.01, "ratios": ratios}
    with pytest.raises(MooInferError, match=message):
        Registry(entry_points=False).build(CostModel, given, "mine")
