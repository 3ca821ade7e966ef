from dataclasses import replace

import numpy as np
import pytest
from scipy import integrate, special, stats

from moo_infer import (
    AccuracyAggregator,
    Exact,
    InferenceModel,
    ModelProfile,
    MonteCarlo,
    MooInferError,
    Pipeline,
    Registry,
    Scenario,
)
from moo_infer.builtin.aggregators import BestOfK, Coverage, MajorityVote
from moo_infer.builtin.costs import LinearCost, LinearLatency
from moo_infer.builtin.difficulty import Beta, DifficultyClasses
from moo_infer.builtin.lengths import LognormalLengths
from moo_infer.core.uncertainty import Uncertain
from moo_infer.estimate.setup import Setup

LENGTHS = {
    "tokens_in_mean": 500.0,
    "tokens_in_cv": 0.3,
    "tokens_out_mean": 2000.0,
    "tokens_out_cv_between": 0.8,
    "tokens_out_cv_within": 0.24,
    "max_tokens": 9000.0,
}
TWO = DifficultyClasses(shares=(0.6, 0.4), p=(0.85, 0.4))
K = np.array([1, 2, 5, 16])
models = pytest.mark.parametrize(
    "model",
    [
        Beta(a=0.5, b=1.5),
        Beta(a=2.0, b=0.7, unsolvable=0.2, **LENGTHS),
        TWO,
        replace(TWO, **LENGTHS),
        DifficultyClasses(shares=(0.5, 0.3, 0.2), p=(1.0, 0.3, 0.0)),
    ],
    ids=repr,
)


def profile(model, costs=(), uncertain=()):
    return ModelProfile("m", model, costs, 4, uncertain=dict(uncertain))


def accuracy(model, aggregator, k):
    return Exact().estimate(profile(model), aggregator, np.asarray(k), 1).columns["accuracy"]


def test_coverage_of_a_beta_law_to_the_sixth_digit():
    found = accuracy(Beta(a=0.5, b=1.5), Coverage(), [1, 2, 10, 100, 1000]).mean
    np.testing.assert_allclose(found, [0.25, 0.375, 0.663624, 0.887861, 0.964340], atol=5e-7)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (0.5, 1.5),
        (0.05, 1),
        (0.05, 0.05),
        (0.05, 20),
        (0.01, 0.5),
        (0.3, 100),
        (1, 1),
        (0.5, 0.5),
        (2, 3),
        (5, 0.1),
        (30, 5),
        (200, 300),
        (1e5, 1e5),
    ],
)
def test_coverage_is_that_of_the_closed_form(a, b):
    k = np.array([1, 2, 3, 10, 64, 128, 500, 1000, 3000, 10_000])
    closed = -np.expm1(special.betaln(a, b + k) - special.betaln(a, b))
    found = accuracy(Beta(a=a, b=b), Coverage(), k)
    np.testing.assert_allclose(found.mean, closed, rtol=1e-9)
    np.testing.assert_allclose(found.std, np.sqrt(closed * (1 - closed)), rtol=1e-6, atol=1e-7)


def test_what_no_inference_solves_bounds_coverage():
    alone, bounded = (accuracy(Beta(a=2, b=2, unsolvable=u), Coverage(), [1, 10_000]).mean for u in (0.0, 0.3))
    np.testing.assert_allclose(bounded, 0.7 * alone, rtol=1e-12)
    assert bounded[1] == pytest.approx(0.7, abs=1e-6)


@pytest.mark.parametrize(("a", "b"), [(0.5, 1.5), (0.2, 0.1), (4, 3), (40, 30)])
def test_the_vote_over_a_beta_law_is_that_of_adaptive_quadrature(a, b):
    """Over q with p = q^(1 / a), so that the density has no pole at 0, and likewise from the other side."""

    def voted(k):
        half = (k + 1) // 2
        below = integrate.quad(
            lambda q: special.betainc(half, half, q ** (1 / a)) * (1 - q ** (1 / a)) ** (b - 1), 0, 0.5**a, epsabs=0
        )[0]
        above = integrate.quad(
            lambda q: special.betainc(half, half, 1 - q ** (1 / b)) * (1 - q ** (1 / b)) ** (a - 1),
            0,
            0.5**b,
            epsabs=0,
        )[0]
        return (below / a + above / b) / special.beta(a, b)

    k = [1, 3, 8, 51, 128, 1001]
    np.testing.assert_allclose(accuracy(Beta(a=a, b=b), MajorityVote(), k).mean, [voted(n) for n in k], rtol=1e-8)


@models
def test_the_best_of_right_and_wrong_is_coverage(model):
    best, any_right = (accuracy(model, aggregator, K) for aggregator in (BestOfK(), Coverage()))
    np.testing.assert_allclose(best.mean, any_right.mean, rtol=1e-14)
    np.testing.assert_allclose(best.std, any_right.std, rtol=1e-12)


def test_a_vote_over_two_classes_rises_and_falls():
    found = accuracy(TWO, MajorityVote(), np.arange(1, 102, 2)).mean
    by_hand = [0.6 * stats.binom.sf(k // 2, k, 0.85) + 0.4 * stats.binom.sf(k // 2, k, 0.4) for k in range(1, 102, 2)]
    np.testing.assert_allclose(found, by_hand, rtol=1e-12)
    assert found[2] == pytest.approx(0.711009, abs=5e-7)
    assert found[-1] == pytest.approx(0.6084, abs=5e-5)


def test_selectors_see_where_the_vote_is_best():
    mine = profile(replace(TWO, tokens_in_mean=100.0, tokens_out_mean=500.0), [LinearCost(1e-6, 1e-5)])
    pipeline = Pipeline("majority-vote", ["max-accuracy", "utopia"], k=range(1, 102, 2))
    report = pipeline.run(mine, Scenario("free"))
    assert report["max-accuracy"].k == 5
    assert report["max-accuracy"].accuracy.mean == pytest.approx(0.711009, abs=5e-7)
    assert set(report.candidates.k[report.candidates.front]) == {1, 3, 5}
    assert report["utopia"].k <= 5


AGGREGATORS = [
    "coverage",
    "best-of-k",
    "majority-vote",
    "verifier:tpr=0.9,fpr=0.1",
    "verifier:tpr=0.6,fpr=0.2,fallback=last",
]


@models
@pytest.mark.parametrize("name", AGGREGATORS)
def test_exact_and_simulated_agree(model, name):
    if name.startswith("verifier"):
        pytest.importorskip("moo_infer_verifier")
    aggregator = Registry().get(AccuracyAggregator, name)
    costs = (LinearCost(1e-6, 1e-5), LinearLatency(1e-4, 1e-3))
    exact, simulated = (
        e.estimate(profile(model, costs), aggregator, K, 4).columns for e in (Exact(), MonteCarlo(20_000, seed=5))
    )
    for objective in exact:
        drawn = simulated[objective]
        slack = 4.5 * drawn.std / np.sqrt(20_000) + 1e-4 * exact[objective].mean + 1e-12
        assert (np.abs(exact[objective].mean - drawn.mean) <= slack).all(), objective
        assert "mean" not in exact[objective].simulated


def test_noisy_scores_are_simulated_where_queries_differ():
    """They rank among all queries; given one query they would be another score."""
    pytest.importorskip("moo_infer_verifier")
    scores = Registry().get(AccuracyAggregator, "noisy-score:rho=0.5")
    assert "mean" in accuracy(TWO, scores, K).simulated
    assert (
        "mean"
        not in accuracy(LognormalLengths(tokens_in_mean=1, tokens_out_mean=1, accuracy_mean=0.5), scores, K).simulated
    )


def test_lengths_and_difficulty_are_independent():
    """Money does not know the difficulty, nor accuracy the length."""
    costs = (LinearCost(1e-6, 1e-5),)
    lognormal = LognormalLengths(accuracy_mean=0.5, **LENGTHS)
    for model in (Beta(a=0.5, b=1.5, **LENGTHS), replace(TWO, **LENGTHS)):
        ours, theirs = (
            Exact().estimate(profile(m, costs), Coverage(), K, 1).columns["cost"] for m in (model, lognormal)
        )
        np.testing.assert_allclose(ours.mean, theirs.mean, rtol=1e-13)
        np.testing.assert_allclose(ours.std, theirs.std, rtol=1e-12)
        assert model.notes() == lognormal.notes()
    plain, long = (accuracy(Beta(a=0.5, b=1.5, **lengths), Coverage(), K).mean for lengths in ({}, LENGTHS))
    np.testing.assert_array_equal(plain, long)


def test_inferences_are_right_or_wrong_and_queries_easy_or_hard():
    draws = Beta(a=0.5, b=1.5, unsolvable=0.2).sample(np.random.default_rng(0), 40_000, 4)
    assert set(np.unique(draws.accuracy)) == {0.0, 1.0}
    assert not draws.tokens_in.any()
    both = (draws.accuracy[:, :2] == 1).all(axis=1).mean()
    assert both == pytest.approx(0.8 * 0.5 * 1.5 / (2 * 3), abs=0.01)  # E p^2 = a (a + 1) / ((a + b) (a + b + 1))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "beta", "a": 0, "b": 1}, "mine: a: must be > 0, got 0"),
        ({"kind": "beta", "a": 1, "b": 1, "unsolvable": 1}, "mine: unsolvable: must be < 1, got 1"),
        ({"kind": "beta", "a": 1}, "mine: beta: give a and b, or mean and concentration, got a"),
        ({"kind": "beta"}, "mine: beta: give a and b, or mean and concentration, got neither"),
        ({"kind": "beta", "a": 1, "concentration": 2}, "mine: beta: give a and b, or mean .* got a, concentration"),
        ({"kind": "beta", "a": 1, "b": 1, "mean": 0.5, "concentration": 2}, "mine: beta: .* got a, b, mean, conc"),
        ({"kind": "beta", "mean": 1.0, "concentration": 2}, "mine: mean: must be < 1, got 1"),
        ({"kind": "beta", "mean": 0.5, "concentration": 0}, "mine: concentration: must be > 0, got 0"),
        ({"kind": "beta", "a": 1, "b": 1, "wrong_agreement": 1.5}, "mine: wrong_agreement: must be <= 1, got 1.5"),
        ({"kind": "difficulty-classes", "shares": [1], "p": [0.5, 0.2]}, "shares and p: must be as many, got 1 and 2"),
        ({"kind": "difficulty-classes", "shares": [0.5, 0.4], "p": [0.5, 0.2]}, "shares: must have the sum 1, got 0.9"),
        ({"kind": "difficulty-classes", "shares": [], "p": []}, "shares: must have the sum 1, got 0"),
        ({"kind": "difficulty-classes", "shares": [1], "p": [1.5]}, "mine: p.0: must be <= 1, got 1.5"),
        ({"kind": "difficulty-classes", "shares": 1, "p": 0.5}, "mine: shares: "),
    ],
)
def test_bad_parameters_are_errors_in_words(given, message):
    with pytest.raises(MooInferError, match=f"^mine: .*{message.removeprefix('mine: ')}"):
        Registry().build(InferenceModel, given, "mine")


def test_a_beta_law_is_also_given_by_its_mean_and_concentration():
    one, other = Beta(a=0.5, b=1.5, unsolvable=0.1), Beta(mean=0.25, concentration=2.0, unsolvable=0.1)
    for aggregator in (Coverage(), MajorityVote()):
        np.testing.assert_allclose(
            accuracy(one, aggregator, K).mean, accuracy(other, aggregator, K).mean, rtol=1e-13, atol=0
        )
    draws = [model.sample(np.random.default_rng(3), 20, 4).accuracy for model in (one, other)]
    np.testing.assert_array_equal(*draws)


def test_uncertain_mean_and_concentration_are_drawn():
    uncertain = {"inference.mean": Uncertain(se=0.05), "inference.concentration": Uncertain(low=1.0, high=4.0)}
    mine = profile(Beta(mean=0.25, concentration=2.0), uncertain=uncertain)
    drawn = mine.draw(5, 0)
    for b, table in enumerate(Exact().redraw(Setup(mine, Coverage(), K, 1), 5, 0)):
        mean, s = (float(drawn[f"inference.{name}"][b]) for name in ("mean", "concentration"))
        alone = accuracy(Beta(a=mean * s, b=(1 - mean) * s), Coverage(), K).mean
        np.testing.assert_allclose(table.columns["accuracy"].mean, alone, rtol=1e-12)


def answers(agreement, M=40_000, K=6, seed=1):
    draws = Beta(mean=0.3, concentration=2.0, wrong_agreement=agreement).sample(np.random.default_rng(seed), M, K)
    np.testing.assert_array_equal(draws["answer"] == 0, draws.accuracy == 1)
    return draws["answer"]


@pytest.mark.parametrize("agreement", [0.05, 0.3, 0.9])
def test_two_wrong_answers_agree_as_often_as_was_asked_for_wherever_they_stand(agreement):
    found = answers(agreement)
    for i, j in ((0, 1), (0, 5), (2, 4), (4, 5)):
        wrong = (found[:, i] > 0) & (found[:, j] > 0)
        rate = np.mean(found[wrong, i] == found[wrong, j])
        assert abs(rate - agreement) < 4.5 * np.sqrt(agreement * (1 - agreement) / wrong.sum())


def test_wrong_answers_are_partitioned_as_ewens_has_it():
    """Of queries with three wrong answers: all the same with 2 / ((theta + 1) (theta + 2)), all different with theta^2."""
    theta, found = 1 / 0.4 - 1, answers(0.4, K=3)
    kinds = found[(found > 0).all(axis=1)].max(axis=1)
    shares = np.bincount(kinds, minlength=4)[1:] / len(kinds)
    expected = np.array([2, 3 * theta, theta**2]) / ((theta + 1) * (theta + 2))
    np.testing.assert_allclose(shares, expected, atol=4.5 * 0.5 / np.sqrt(len(kinds)))


def test_at_the_ends_all_wrong_answers_differ_or_all_are_the_same():
    different, same = answers(0.0, M=500, K=20), answers(1.0, M=500, K=20)
    wrong = different > 0
    np.testing.assert_array_equal(different[wrong], np.cumsum(wrong, axis=1)[wrong])
    np.testing.assert_array_equal(np.unique(same), [0, 1])


def test_codes_of_wrong_answers_count_up_without_gaps():
    found = answers(0.3, M=2000, K=10)
    before = np.maximum.accumulate(np.pad(found, ((0, 0), (1, 0)))[:, :-1], axis=1)
    assert (found <= before + 1).all()


def test_answers_leave_the_other_draws_as_they_are():
    plain, told = (
        Beta(mean=0.3, concentration=2.0, wrong_agreement=g, **LENGTHS).sample(np.random.default_rng(0), 50, 8)
        for g in (None, 0.5)
    )
    for name in ("tokens_in", "tokens_out", "accuracy"):
        np.testing.assert_array_equal(plain[name], told[name])
    assert "answer" not in plain
    agreed = Beta(mean=0.3, concentration=2.0, wrong_agreement=1.0).sample(np.random.default_rng(0), 50, 5)
    assert set(np.unique(agreed["answer"])) == {0, 1}


def test_uncertain_numbers_of_a_beta_law_are_drawn():
    uncertain = {"inference.a": Uncertain(low=0.3, high=0.7)}
    mine = profile(Beta(a=0.5, b=1.5, tokens_out_mean=1000.0), (LinearCost(1e-6, 1e-5),), uncertain)
    (drawn,) = mine.draw(5, 0).values()
    tables = Exact().redraw(Setup(mine, Coverage(), K, 1), 5, 0)
    for a, table in zip(drawn, tables, strict=True):
        alone = accuracy(Beta(a=float(a), b=1.5), Coverage(), K).mean
        np.testing.assert_allclose(table.columns["accuracy"].mean, alone, rtol=1e-12)
    report = Pipeline("coverage", "max-accuracy", k=range(1, 20)).run(mine, Scenario("s", {"cost": 0.1}))
    assert report.stability(20).source == "parameters"
