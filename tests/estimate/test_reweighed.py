"""Draws of the questions of a log where something is simulated: each question once, weighed anew in every draw."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from moo_infer import AccuracyAggregator, Exact, ModelProfile, Samples
from moo_infer.builtin.answers import OneCall
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.builtin.latencies import Slots
from moo_infer.core.uncertainty import Uncertain
from moo_infer.estimate import reweighed
from moo_infer.estimate.monte_carlo import simulate
from moo_infer.estimate.setup import Setup
from moo_infer.estimate.setup_draws import SetupDraws
from moo_infer.quantities.bootstrap import question_weights

K = np.array([1, 3, 6])
LATENCY, COST = "latency", "cost"
LOGGED = (LoggedCost(), LoggedLatency("slots"))


def log(Q=12, n=6, seed=0):
    rng = np.random.default_rng(seed)
    question = np.repeat(np.arange(Q), n)
    columns = {
        "input_tokens": rng.integers(10, 90, Q)[question] * 1.0,
        "output_tokens": rng.integers(10, 900, Q * n) * 1.0,
        "latency_s": rng.gamma(2.0, 1.0 + question),
        "cost_usd": rng.gamma(2.0, 0.01 + 0.001 * question),
    }
    right = (rng.random(Q * n) < rng.beta(1, 1, Q)[question]) * 1.0
    return Samples("mine", [f"q{i}" for i in range(Q)], question, right, columns)


@dataclass(frozen=True)
class Unknown(AccuracyAggregator):
    """Whether more than one of k is right, which is simulated."""

    name = "unknown"

    def aggregate(self, draws, rng, /):
        return (np.cumsum(draws.accuracy, axis=1) > 1) * 1.0


def setup(samples=None, aggregator=None, costs=LOGGED, **uncertain):
    profile = ModelProfile("mine", Empirical(samples or log()), costs, uncertain=uncertain)
    return Setup(profile, aggregator or OneCall(), K, 2)


def assert_near(got, trials, q):
    """A quantile within four standard errors, of both simulations."""
    slack = 4 * np.sqrt(2 * q * (1 - q) / len(trials))
    assert (np.mean(trials <= got * (1 + 1e-12), axis=0) >= q - slack).all()
    assert (np.mean(trials < got * (1 - 1e-12), axis=0) <= q + slack).all()


def test_every_draw_is_as_if_it_had_been_simulated_alone():
    M = 20_000
    estimator, of = Exact(M, 5), setup(aggregator=Unknown())
    draws = SetupDraws.of(of, 4, 3, "other")
    for b, curve in enumerate(estimator.redraw(of, 4, 3)):
        trials = simulate(draws[b], M, 11, ["accuracy", LATENCY, COST])
        for name in ("accuracy", LATENCY, COST):
            column, values = curve.columns[name], trials[name]
            assert (np.abs(column.mean - values.mean(axis=0)) <= 6 * values.std(axis=0) / np.sqrt(M) + 1e-12).all(), (
                name
            )
            squares = (values - values.mean(axis=0)) ** 2
            slack = 6 * squares.std(axis=0) / np.sqrt(M) + 1e-12
            assert (np.abs(column.std**2 - squares.mean(axis=0)) <= slack).all(), name
            for q in (0.05, 0.5, 0.95):
                assert_near(column.quantile(q), values, q)


def test_each_question_is_simulated_once_and_only_where_that_is_asked_for(monkeypatch):
    calls = []
    monkeypatch.setattr(reweighed, "simulate", lambda *given: calls.append(given) or simulate(*given))
    monkeypatch.setattr("moo_infer.estimate.monte_carlo.simulate", None)  # calling it fails
    curves = [*Exact(1000).redraw(setup(), 30, 0)]
    assert [curve.columns["accuracy"].mean.shape for curve in curves] == [(3,)] * 30
    assert not calls
    for curve in curves:
        column = curve.columns[LATENCY]
        assert column.quantile(0.95).shape == column.std.shape == column.stderr.shape == (3,)
        assert curve.columns[COST].quantile(0.95).shape == (3,)
    assert [given[1] for given in calls] == [12 * 84]  # as many of every question: at least 1000 in all


def test_many_questions_have_some_trials_each():
    trials = reweighed.QuestionTrials(setup(log(Q=300)), 100, 0, (LATENCY,))
    assert trials.each == reweighed.FEWEST
    assert trials.moments[LATENCY].mean.shape == (300, 3)


def test_all_the_weight_on_a_question_is_that_question_alone():
    samples = log()
    alone = setup(samples.where(samples.question == 4))
    seconds = simulate(alone, 20_000, 1, [LATENCY])[LATENCY]
    trials = reweighed.QuestionTrials(setup(samples), 120_000, 0, (LATENCY,))
    found = trials.mixed(LATENCY, setup(samples).with_weights(np.eye(12)[4]))
    assert (np.abs(found.mean - seconds.mean(axis=0)) < 6 * seconds.std(axis=0) / 100).all()
    assert_near(found.quantile(0.9), seconds[:10_000], 0.9)


def test_what_a_draw_changes_besides_the_weights_is_simulated_anew():
    slots = Slots(1e-4, 1e-3, overhead_s=5.0)
    of = setup(costs=(LoggedCost(), slots), **{"costs[1].overhead_s": Uncertain(low=0.0, high=50.0)})
    draws = SetupDraws.of(of, 3, 0, "other")
    for b, curve in enumerate(Exact(2000).redraw(of, 3, 0)):
        expected = Exact(2000).curve(draws[b])
        np.testing.assert_array_equal(curve.columns[LATENCY].mean, expected.columns[LATENCY].mean)
        assert isinstance(curve.columns[COST], reweighed.ReweighedColumn)


def test_errors_over_questions_leave_out_what_the_trials_of_each_add():
    """They are those of exact means, though each question is simulated with a few trials only."""
    samples = log(Q=200)
    every = Setup(setup(samples).profile, OneCall(), np.array([1]), 2)  # one call: exact beside simulated
    trials = reweighed.QuestionTrials(every, 1000, 0, (LATENCY,))
    for weights in question_weights(samples.questions, 3, 1):
        drawn = every.with_weights(weights)
        exact = Exact().curve(drawn).columns[LATENCY]
        simulated = reweighed.ReweighedColumn(
            type(exact)(None, None, LATENCY), trials, partial(trials.mixed, LATENCY, drawn)
        )
        assert simulated.stderr == pytest.approx(exact.stderr, rel=0.1)
        assert abs(simulated.mean - exact.mean) < 5 * simulated.stderr_simulation
        assert np.isnan(
            reweighed.ReweighedColumn(exact, trials, partial(trials.mixed, LATENCY, drawn)).stderr_simulation
        )


def test_what_does_not_differ_between_questions_has_no_error_over_them():
    samples = log(Q=40)
    alike = Samples("mine", samples.questions, samples.question, np.tile([0.0, 1, 1, 0, 1, 0], 40), samples.columns)
    of = setup(alike, Unknown())
    stderr = next(iter(Exact(400).redraw(of, 1, 0))).columns["accuracy"].stderr
    assert np.isnan(stderr).any() or (stderr < 0.02).all()
