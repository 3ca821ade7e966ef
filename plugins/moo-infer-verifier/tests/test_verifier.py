import math
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from moo_infer_verifier import NoisyScore, Verifier, VerifierCost, VerifierLatency

from moo_infer import AccuracyAggregator, Draws, InferenceModel, MooInferError, Pipeline, Registry, Scenario
from moo_infer.builtin.aggregators import BestOfK, Coverage, MajorityVote
from moo_infer.builtin.inference import Gaussian
from moo_infer.testing import MODELS, AggregatorContract, CostModelContract

GPT_5 = Gaussian(1024, 64, 2048, 128, 0.94, 0.02)
CLIPPED = Gaussian(2, 3, 5, 8, 0.9, 0.3)
SURE = Gaussian(10, 0, 10, 0, 0.4, 0.0)
K = np.array([1, 2, 3, 10, 128])


@dataclass(frozen=True)
class Coin(InferenceModel):
    """Right or wrong, without a law: everything is simulated."""

    name = "coin"
    p: float = 0.4

    def sample(self, rng, M, K, /):
        return Draws(np.full((M, K), 10.0), np.full((M, K), 10.0), (rng.random((M, K)) < self.p) * 1.0)


SPENDS = {
    "usd_per_input_token": 1e-7,
    "usd_per_output_token": 1e-6,
    "seconds_per_input_token": 1e-4,
    "seconds_per_output_token": 0.01,
    "instruction_tokens": 50,
    "verdict_tokens": 5,
}
models = pytest.mark.parametrize("model", [GPT_5, CLIPPED, SURE], ids=["gpt-5", "clipped", "sure"])


class TestVerifier(AggregatorContract):
    instances = (
        Verifier(0.95, 0.1),
        Verifier(0.95, 0.1, "last", **SPENDS),
        Verifier(0.0, 0.0),
        Verifier(1.0, 1.0),
        Verifier(1.0, 0.0, "last"),
        Verifier(0.2, 0.6),
    )

    @pytest.fixture(params=[*MODELS.values(), Coin()], ids=[*MODELS, "coin"])
    def model(self, request):
        return request.param


class TestNoisyScore(AggregatorContract):
    nested = False  # normal scores are ranks among all draws

    instances = tuple(NoisyScore(rho, **SPENDS) for rho in (0.0, 0.3, 0.71, 0.95, 1.0))

    @pytest.fixture(params=[*MODELS.values(), Coin()], ids=[*MODELS, "coin"])
    def model(self, request):
        return request.param


@pytest.mark.parametrize("model", [CLIPPED, SURE], ids=["clipped", "sure"])
@pytest.mark.parametrize("aggregator", [*TestVerifier.instances, *TestNoisyScore.instances], ids=str)
def test_they_keep_their_contract_on_other_laws(aggregator, model):
    contract = AggregatorContract()
    contract.test_accuracies_are_shares(aggregator, model)
    contract.test_exact_agrees_with_simulation(aggregator, model)
    contract.test_draws_of_uncertain_parameters_are_those_of_one_at_a_time(aggregator, model)


class TestCosts(CostModelContract):
    instances = (VerifierCost(1e-7, 1e-6, 50, 5), VerifierLatency(1e-4, 0.01, 50, 5))


def test_they_are_found_where_they_are_installed():
    registry = Registry()
    assert registry.get(AccuracyAggregator, "verifier:tpr=0.95,fpr=0.1") == Verifier(0.95, 0.1)
    assert registry.get(AccuracyAggregator, "noisy-score:rho=0.5") == NoisyScore(0.5)


def test_stopping_at_the_first_accepted():
    """TPR 0.95, FPR 0.10, p = 0.4, at most 10 samples: closed forms to the sixth digit."""
    verifier, ten = Verifier(0.95, 0.10), np.array([10])
    assert verifier.expected_samples(0.4, ten) == pytest.approx([2.265834], abs=5e-7)
    assert verifier.accepted(0.4, ten) == pytest.approx([0.996967], abs=5e-7)
    assert verifier.precision(0.4) == pytest.approx(0.863636, abs=5e-7)


def by_hand(verifier, p, k, trials=40_000):
    """The slow and obvious reference: bits, verdicts, a loop over samples."""
    rng = np.random.default_rng(5)
    right, samples, accepted = 0.0, 0, 0
    for _ in range(trials):
        bits = rng.random(k) < p
        verdicts = rng.random(k) < np.where(bits, verifier.tpr, verifier.fpr)
        if verdicts.any():
            first = int(np.argmax(verdicts))
            right, samples, accepted = right + bits[first], samples + first + 1, accepted + 1
        else:
            share = bits.mean()
            vote = 0.5 if share == 0.5 else float(share > 0.5)
            right, samples = right + (vote if verifier.fallback == "vote" else bits[-1]), samples + k
    return right / trials, samples / trials, accepted / trials


@pytest.mark.parametrize("verifier", [Verifier(0.95, 0.1), Verifier(0.5, 0.2, "last"), Verifier(0.3, 0.05)], ids=repr)
def test_samples_accepted_and_right_are_those_of_a_loop(verifier):
    for k in (2, 5):
        right, samples, accepted = by_hand(verifier, 0.4, k)
        assert verifier.exact(SURE.queries().query, np.array([k])).mean == pytest.approx([right], abs=0.01)
        assert verifier.expected_samples(0.4, np.array([k])) == pytest.approx([samples], abs=0.03)
        assert verifier.accepted(0.4, np.array([k])) == pytest.approx([accepted], abs=0.01)


@models
def test_the_ends_of_a_verifier_are_aggregators_we_know(model):
    """A perfect one is coverage; one that rejects all leaves the vote or one sample; one that accepts all, one sample."""
    one = np.full(len(K), model.queries().law("accuracy").mean)
    assert Verifier(1.0, 0.0).exact(model.queries().query, K).mean == pytest.approx(
        Coverage().exact(model.queries().query, K).mean, abs=1e-12
    )
    assert Verifier(0.0, 0.0).exact(model.queries().query, K).mean == pytest.approx(
        MajorityVote().exact(model.queries().query, K).mean, abs=1e-12
    )
    assert Verifier(0.0, 0.0, "last").exact(model.queries().query, K).mean == pytest.approx(one, abs=1e-12)
    assert Verifier(1.0, 1.0).exact(model.queries().query, K).mean == pytest.approx(one, abs=1e-12)


def test_one_that_never_accepts_needs_every_sample():
    verifier = Verifier(0.0, 0.0)
    assert verifier.expected_samples(0.4, K).tolist() == K.tolist()
    assert verifier.precision(0.4) == 0
    assert Verifier(1e-14, 0.0).expected_samples(0.5, np.array([100])) == pytest.approx([100.0], rel=1e-9)
    assert Verifier(1.0, 1.0).expected_samples(0.4, K) == pytest.approx(np.ones(len(K)))


@models
def test_noisy_score_is_best_of_k_at_one_and_a_single_inference_at_zero(model):
    best = BestOfK().exact(model.queries().query, K)
    ends = NoisyScore(1.0).exact(model.queries().query, K), NoisyScore(0.0).exact(model.queries().query, K)
    np.testing.assert_allclose(ends[0].mean, best.mean, atol=1e-9, rtol=0)
    np.testing.assert_allclose(ends[0].std, best.std, atol=1e-7, rtol=0)
    np.testing.assert_allclose(ends[1].mean, model.queries().law("accuracy").mean, atol=1e-9, rtol=0)
    np.testing.assert_allclose(ends[1].std, model.queries().law("accuracy").std, atol=1e-7, rtol=0)
    for q in (0.025, 0.5, 0.975):
        np.testing.assert_allclose(ends[0].quantile(q), best.quantile(q), atol=1e-9)
        np.testing.assert_allclose(
            ends[1].quantile(q), model.queries().law("accuracy").quantile(np.full(len(K), q)), atol=1e-9
        )


@pytest.mark.parametrize("k", [2, 16])
@pytest.mark.parametrize("rho", [0.4, 0.9])
def test_the_mean_is_the_double_integral_of_the_latent_model(rho, k):
    """Another route: over the highest of k scores and the rest of the normal score, without the cdf of accuracy."""
    from scipy.integrate import dblquad

    rest, below = math.sqrt(1 - rho**2), NormalDist().cdf

    def worth(w, s):
        z = rho * s + rest * w
        density = math.exp(-(w**2 + s**2) / 2) / (2 * math.pi)
        return min(max(0.5 + 0.05 * z, 0.0), 1.0) * density * k * below(s) ** (k - 1)

    expected = dblquad(worth, -8, 8, -8, 8, epsabs=1e-9)[0]
    assert NoisyScore(rho).exact(
        replace(SURE, accuracy_mean=0.5, accuracy_std=0.05).queries().query, np.array([k])
    ).mean == pytest.approx(expected, abs=1e-7)


@models
def test_both_integrals_agree_where_they_meet(model):
    low, high = (
        NoisyScore(rho).exact(model.queries().query, np.array([1, 7, 1000]))
        for rho in (0.5**0.5 - 1e-9, 0.5**0.5 + 1e-9)
    )
    np.testing.assert_allclose(low.mean, high.mean, atol=1e-8)
    np.testing.assert_allclose(low.std, high.std, atol=1e-7)


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.floats(0.05, 0.95), st.floats(0.01, 0.4))
def test_a_better_score_is_worth_more_and_one_sample_is_one_sample(one, other, mean, std):
    model = Gaussian(10, 0, 10, 0, mean, std)
    worse, better = (
        NoisyScore(rho).exact(model.queries().query, np.array([1, 5])).mean for rho in sorted((one, other))
    )
    assert worse[0] == pytest.approx(model.queries().law("accuracy").mean, abs=1e-9)
    assert worse[1] <= better[1] + 1e-9


def test_a_probability_is_one():
    for ask in (Verifier(0.9, 0.1).precision, lambda p: Verifier(0.9, 0.1).expected_samples(p, K)):
        with pytest.raises(MooInferError, match="verifier: accuracy: must be in \\[0, 1\\], got 1.7"):
            ask(1.7)


def test_what_the_verifier_spends_is_counted(profile):
    """50 + 1000 + 500 tokens read and 5 written for each of k answers; half of the seconds with two at a time."""
    spends = {"usd_per_input_token": 1e-6, "usd_per_output_token": 1e-5, "seconds_per_output_token": 0.02}
    verifier = Verifier(0.9, 0.1, instruction_tokens=50, verdict_tokens=5, **spends)
    report = Pipeline([verifier, "coverage"], "max-accuracy", k=[1, 8], parallelism=2).run(profile, Scenario("free"))
    table = report.candidates
    for name, each in (("cost", 1550e-6 + 5e-5), ("latency", 5 * 0.02 / 2)):
        more = table.where(aggregator="verifier").column(name) - table.where(aggregator="coverage").column(name)
        assert more == pytest.approx(np.array([1, 8]) * each, rel=1e-9)
    assert [type(cost) for cost in verifier.costs] == [VerifierCost, VerifierLatency]


def test_a_free_verifier_spends_nothing():
    assert NoisyScore(0.5).costs == Verifier(0.9, 0.1, instruction_tokens=100).costs == ()
    assert NoisyScore(0.5, seconds_per_input_token=1e-4).costs == (VerifierLatency(1e-4),)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("verifier", "aggregator 'verifier': missing tpr, fpr"),
        ("verifier:tpr=1.2,fpr=0", "aggregator 'verifier': tpr: must be <= 1, got 1.2"),
        ("verifier:tpr=1,fpr=0,fallback=first", "fallback: must be 'vote' or 'last', got 'first'"),
        ("noisy-score:rho=-0.5", "rho: must be >= 0"),
        ("noisy-score:rho=0.5,verdict_tokens=-1", "verdict_tokens: must be >= 0"),
    ],
)
def test_bad_parameters_are_errors_in_words(name, message):
    with pytest.raises(MooInferError, match=message):
        Pipeline(name).run("gpt-5", "essay-feedback")


@pytest.fixture
def profile():
    from moo_infer import ModelProfile
    from moo_infer.builtin.costs import LinearCost, LinearLatency

    fixed = replace(SURE, tokens_in_mean=1000, tokens_out_mean=500)
    return ModelProfile("mine", fixed, [LinearCost(1e-6, 1e-6), LinearLatency(0.001, 0.001)])
