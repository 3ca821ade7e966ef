"""Quantiles over queries that differ by laws, from the mixed cdf."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from moo_infer import Exact, Lognormal, ModelProfile, Queries
from moo_infer.builtin.answers import OneCall
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.difficulty import Beta, DifficultyClasses
from moo_infer.builtin.latencies import Batch, Sequential, SlowestOfK
from moo_infer.builtin.lengths import LognormalLengths
from moo_infer.core.errors import NotExact
from moo_infer.core.uncertainty import Uncertain
from moo_infer.estimate.monte_carlo import simulate
from moo_infer.estimate.setup import Setup
from moo_infer.estimate.setup_draws import SetupDraws
from moo_infer.quantities.largest import largest
from moo_infer.quantities.laws import Bernoulli

K = np.array([1, 4, 16])
LENGTHS = {
    "tokens_in_mean": 400.0, "tokens_in_cv": 0.5, "tokens_out_mean": 900.0, "tokens_out_cv_between": 0.7,
    "tokens_out_cv_within": 0.4,
}  # fmt: skip
CALL = SlowestOfK(2e-4, 8e-3, 0.5)
QUANTILES = (0.001, 0.025, 0.5, 0.95, 0.999)
MODELS = {
    "lognormal": LognormalLengths(accuracy_mean=0.7, **LENGTHS),
    "beta": Beta(mean=0.6, concentration=2, **LENGTHS),
    "difficulty classes": DifficultyClasses(shares=(0.5, 0.5), p=(0.9, 0.2), **LENGTHS),
    "cut": LognormalLengths(accuracy_mean=0.7, max_tokens=2500, **LENGTHS | {"tokens_in_cv": 0.0}),
    "alike prompts": LognormalLengths(accuracy_mean=0.7, **LENGTHS | {"tokens_in_cv": 0.0}),
}


def setup(model, *costs, k=K, **uncertain):
    return Setup(ModelProfile("mine", model, costs, uncertain=uncertain), OneCall(), k, 2)


def latency(model, *costs, k=K):
    return Exact(trials=2000).curve(setup(model, *costs, k=k)).columns["latency"]


def sigma(cv):
    return np.sqrt(np.log1p(cv**2))


@pytest.mark.parametrize("model", MODELS.values(), ids=list(MODELS))
def test_quantiles_are_those_of_trials(model, monkeypatch):
    column = latency(model, CALL)
    trials = simulate(setup(model, CALL), 20_000, 7, ["latency"])["latency"]
    monkeypatch.setattr("moo_infer.estimate.monte_carlo.simulate", None)  # calling it fails
    assert column.simulated == ()
    for q in QUANTILES:
        x, slack = column.quantile(q), 4 * np.sqrt(q * (1 - q) / len(trials))
        assert (np.mean(trials <= x * (1 + 1e-9), axis=0) >= q - slack).all()
        assert (np.mean(trials < x * (1 - 1e-9), axis=0) <= q + slack).all()


@pytest.mark.parametrize("q", QUANTILES)
def test_one_call_without_prompts_has_the_quantiles_of_a_lognormal_law(q):
    model = replace(MODELS["lognormal"], tokens_in_mean=0.0, tokens_in_cv=0.0)
    both = np.hypot(sigma(0.7), sigma(0.4))
    expected = 0.5 + 8e-3 * 900 * np.exp(both * ndtri(q) - both**2 / 2)
    assert latency(model, CALL, k=np.array([1])).quantile(q) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("cv", [0.15, 0.2, 0.27, 0.4, 0.6, 1.5])
def test_the_mixed_cdf_at_a_quantile_is_q(cv):
    """By two thousand equal steps over mean lengths, for each of a hundred prompts."""
    model = replace(MODELS["lognormal"], tokens_out_cv_within=cv)
    z = np.linspace(-8, 8, 2001)
    weights = np.exp(-0.5 * z**2) / np.exp(-0.5 * z**2).sum()
    prompts = 400 * np.exp(sigma(0.5) * z[::20] - sigma(0.5) ** 2 / 2)
    of_prompts = weights[::20] / weights[::20].sum()
    means = 900 * np.exp(sigma(0.7) * z - sigma(0.7) ** 2 / 2)
    for q in (0.025, 0.5, 0.95):
        for k, x in zip(K.tolist(), latency(model, CALL).quantile(q), strict=True):
            share = 0.0
            for prompt, weight in zip(prompts, of_prompts, strict=True):
                tokens = max(x - 0.5 - 2e-4 * prompt, 0.0) / 8e-3
                with np.errstate(divide="ignore"):
                    share += weight * (weights @ ndtr(np.log(tokens / means) / sigma(cv) + sigma(cv) / 2) ** k)
            assert share == pytest.approx(q, abs=2e-5)


def test_what_is_cut_off_has_the_cut_as_its_quantile():
    model = LognormalLengths(accuracy_mean=0.7, max_tokens=1000, **LENGTHS | {"tokens_in_cv": 0.0})
    assert latency(model, CALL).quantile(0.95) == pytest.approx(np.full(3, 0.5 + 2e-4 * 400 + 8.0), rel=1e-9)


def test_what_turns_out_not_to_vary_is_its_own_quantile():
    column = latency(MODELS["cut"], Batch(itl_base_s=0.0, itl_per_sequence_s=0.0, ttft_seconds=0.2))
    assert column.simulated == ()
    for values in (column.mean, column.quantile(0.025), column.quantile(0.95)):
        np.testing.assert_allclose(values, 0.2, rtol=1e-9)


def test_among_those_cut_prompts_alone_count_so_that_it_is_simulated():
    model = LognormalLengths(accuracy_mean=0.7, max_tokens=2500, **LENGTHS)
    assert latency(model, CALL).simulated == ("high",)


@pytest.mark.parametrize(
    ("model", "call"),
    [
        (replace(MODELS["lognormal"], tokens_out_cv_within=0.0), CALL),
        (replace(MODELS["lognormal"], tokens_out_cv_within=0.01), CALL),
        (MODELS["lognormal"], SlowestOfK(1.0, 1e-6)),
        (MODELS["lognormal"], Sequential(0.0, 1.0)),
    ],
    ids=["no length varies", "hardly one does", "prompts alone count", "sums"],
)
def test_where_no_quadrature_is_fine_enough_quantiles_are_simulated_and_listed(model, call):
    column = latency(model, call)
    assert {"low", "high"} <= {*column.simulated}
    trials = simulate(setup(model, call), 2000, 0, ["latency"])["latency"]
    np.testing.assert_array_equal(column.quantile(0.95), np.quantile(trials, 0.95, axis=0))


def test_quantiles_that_turn_out_unknown_are_simulated_beside_what_is_so_anyway():
    """Only the cost is known to be simulated before the quantile of the latency is asked for."""
    model = replace(MODELS["lognormal"], tokens_out_cv_within=0.01)
    curve = Exact(trials=500).curve(setup(model, CALL, LinearCost(1e-6, 1e-5)))
    trials = simulate(setup(model, CALL, LinearCost(1e-6, 1e-5)), 500, 0, ["cost", "latency"])
    for name in ("cost", "latency"):
        np.testing.assert_array_equal(curve.columns[name].quantile(0.9), np.quantile(trials[name], 0.9, axis=0))


def test_quantiles_of_draws_are_those_of_each_draw_alone():
    uncertain = {
        "inference.tokens_out_cv_within": Uncertain(low=0.15, high=0.9),
        "inference.tokens_out_mean": Uncertain(low=100.0, high=900.0),
        "costs[0].overhead_s": Uncertain(low=0.0, high=9.0),
    }
    of = setup(MODELS["lognormal"], CALL, **uncertain)
    draws = SetupDraws.of(of, 6, 0, "other")
    for b, curve in enumerate(Exact().redraw(of, 6, 0)):
        alone = Exact().curve(draws[b]).columns["latency"]
        assert curve.columns["latency"].simulated == ()
        np.testing.assert_allclose(curve.columns["latency"].quantile(0.95), alone.quantile(0.95), rtol=1e-6)


def test_an_axis_has_finer_quadratures_up_to_an_end():
    (axis,) = MODELS["alike prompts"].queries().axes
    sizes = []
    for level in range(5):
        fine, half = axis.for_cdfs(level)
        assert fine.weights.sum() == pytest.approx(1)
        assert half.sum() == pytest.approx(1)
        assert abs(2 * np.count_nonzero(half) - len(half)) == 1
        sizes.append(len(half))
    assert sizes == [19, 37, 73, 145, 289]
    assert axis.for_cdfs(5) is None
    assert MODELS["alike prompts"].queries().grid(frozenset(["tokens_out"]), [5]) is None


def test_the_largest_of_right_and_wrong_is_whether_one_is_right():
    p = np.array([[0.0], [1e-12], [0.3], [1.0]])
    found = largest(Bernoulli(p), K)
    np.testing.assert_allclose(found.mean, 1 - (1 - p) ** K, rtol=1e-4, atol=1e-18)
    np.testing.assert_allclose(found.mean[1], 1e-12 * K, rtol=1e-9)
    np.testing.assert_allclose(found.std, np.sqrt(found.mean * (1 - p) ** K), rtol=1e-12)
    np.testing.assert_allclose(found.cdf(np.full(3, 0.5)), (1 - p) ** K, rtol=1e-12)


def test_parts_that_take_no_arrays_have_no_mixed_quantiles():
    class OneByOne(SlowestOfK):
        def exact(self, query, k, /, *, parallelism):
            float(query.tokens_out.mean)
            return super().exact(query, k, parallelism=parallelism)

    column = latency(MODELS["alike prompts"], OneByOne(2e-4, 8e-3))
    assert column.simulated == ("low", "high")
    with pytest.raises(NotExact, match="many queries at once"):
        Exact().moments(setup(MODELS["alike prompts"], OneByOne(2e-4, 8e-3)))["latency"].quantile(0.9)


def test_queries_that_may_stand_for_others_have_no_mixed_quantiles():
    """Nodes of a quadrature: three mean lengths in place of all there are."""
    queries = Queries([0.2, 0.6, 0.2], tokens_out=Lognormal(np.array([[300.0], [700.0], [1600.0]]), 0.4))
    assert queries.grid(frozenset(["tokens_out"]), [0]) is None
