"""Draws that weigh the questions of a log anew: what is said of all draws at once is what each of them says alone."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from moo_infer import Exact, ModelProfile, Samples
from moo_infer.builtin.aggregators import BestOfK
from moo_infer.builtin.answers import OneCall
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.core.cdf import NormalCdf
from moo_infer.core.moments import Moments
from moo_infer.estimate.mixture import over_questions
from moo_infer.estimate.setup import Setup
from moo_infer.estimate.setup_draws import SetupDraws
from moo_infer.estimate.weighed import BLOCK, WeighedMoments
from moo_infer.quantities.bootstrap import QuestionDraws, QuestionHalves
from moo_infer.quantities.steps import EvenSteps

K = np.array([1, 3, 6])
LOGGED = (LoggedCost(), LoggedCost(), LoggedLatency())


def log(Q=12, n=6, seed=0):
    rng = np.random.default_rng(seed)
    question = np.repeat(np.arange(Q), n)
    columns = {"latency_s": rng.gamma(2.0, 1.0 + question), "cost_usd": rng.gamma(2.0, 0.01 + 0.001 * question)}
    right = (rng.random(Q * n) < rng.beta(1, 1, Q)[question]) * 1.0
    return Samples("mine", [f"q{i}" for i in range(Q)], question, right, columns)


def setup(aggregator):
    return Setup(ModelProfile("mine", Empirical(log()), LOGGED), aggregator, K, 4)


def assert_alike(curve, alone):
    """In what is exact; what is simulated comes from other trials."""
    for name, column in curve.columns.items():
        expected, exact = alone.columns[name], not alone.columns[name].simulated
        for statistic in ("mean", "stderr", *(("std", "p95", "low", "p50") if exact else ())):
            of_all = expected.statistic(statistic)
            np.testing.assert_allclose(column.statistic(statistic), of_all, rtol=1e-12, atol=1e-15, err_msg=name)
        if exact:
            np.testing.assert_allclose(column.same_questions, expected.same_questions, rtol=1e-12)


@pytest.mark.parametrize("questions", ["other", "halves"])
@pytest.mark.parametrize("aggregator", [BestOfK(), OneCall()], ids=lambda part: part.name)
def test_each_curve_is_that_of_a_log_whose_questions_weigh_so(questions, aggregator):
    """What parts say of all samples of a question is known to its quantiles, also what two of them add up to."""
    of, B = setup(aggregator), 5
    draws = SetupDraws.of(of, B, 3, questions)
    assert draws.weights_alone
    assert not Exact(200).curve(draws[0]).columns["latency"].simulated
    for b, curve in enumerate(Exact(200).redraw(of, B, 3, questions)):
        assert_alike(curve, Exact(200).curve(draws[b]))


def test_draws_of_another_kind_do_more_than_weigh():
    assert not SetupDraws.of(setup(OneCall()), 2, 0, "same").weights_alone


@pytest.mark.parametrize("kind", [QuestionDraws, QuestionHalves])
@pytest.mark.parametrize("share", [False, True])
def test_draws_beyond_a_block_are_mixed_as_alone(share, kind):
    rng = np.random.default_rng(0)
    mean, Q = rng.random((7, 3)), 7
    given = Moments(mean, rng.random((7, 3)), cdf=EvenSteps(mean, np.arange(7)))
    draws = kind([f"q{i}" for i in range(Q)], BLOCK + 3, 1)
    weighed = WeighedMoments(given, draws, share)
    for b in (0, 1, BLOCK - 1, BLOCK, BLOCK + 2):
        pseudo = tuple(draws.pseudo[b]) if share else (0.0, 0.0)
        alone = over_questions(draws.weights[b], mean, given.std, pseudo, draws.questions, cdf=given.cdf, share=share)
        np.testing.assert_allclose(weighed[b].mean, alone.mean, rtol=1e-13)
        np.testing.assert_allclose(weighed[b].std, alone.std, rtol=1e-12)
        for q in (0.05, 0.5, 0.95):
            np.testing.assert_array_equal(weighed[b].quantile(q), alone.quantile(q))


def test_a_cdf_that_is_searched_draw_by_draw_gives_the_same():
    rng = np.random.default_rng(0)
    given = Moments(rng.random((7, 2)), 0.1 + rng.random((7, 2)))
    given = replace(given, cdf=NormalCdf(given.mean, given.std))
    draws = QuestionDraws([f"q{i}" for i in range(7)], 4, 1)
    for b in range(4):
        alone = over_questions(draws.weights[b], given.mean, given.std, cdf=given.cdf)
        np.testing.assert_allclose(WeighedMoments(given, draws)[b].quantile(0.9), alone.quantile(0.9), rtol=1e-9)


@pytest.mark.parametrize("far", [0.0, 1.0, 1e4])
def test_a_spread_is_not_lost_beside_the_distance_of_a_draw_from_the_others(far):
    """All questions of one half are alike, or nearly so, and far from those of the other half."""
    names = [f"q{i}" for i in range(8)]
    draws = QuestionHalves(names, 2, 0)
    first = draws.weights[0] > 0
    for apart in (0.0, 1e-3):
        mean = (np.where(first, far, 0.0) + apart * np.arange(8))[:, None]
        given = Moments(mean, np.zeros((8, 1)))
        for b in range(2):
            alone = over_questions(draws.weights[b], mean, given.std)
            np.testing.assert_allclose(WeighedMoments(given, draws).std[b], alone.std, rtol=1e-12)


def test_curves_of_draws_pickle():
    curve = next(iter(Exact(200).redraw(setup(OneCall()), 2, 0)))
    assert_alike(pickle.loads(pickle.dumps(curve)), curve)
