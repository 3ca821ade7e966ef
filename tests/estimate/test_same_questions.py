"""Intervals of means, had the same questions of a log been asked again: for parts of any kind, by leaving samples out."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_infer import ModelProfile, MonteCarlo, Pipeline, Samples
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.calibrate.intervals import QuestionMeans
from moo_infer.quantities import left_out
from moo_infer.quantities.bootstrap import QuestionDraws, resampled
from moo_infer.quantities.left_out import LeftOut
from moo_infer.quantities.subsets import pass_at_k, vote_at_k
from moo_infer.quantities.within import largest_variance, pass_variance, vote_variance

K = np.arange(1, 6)


def log(seed=0, Q=8, least=6, most=9):
    rng = np.random.default_rng(seed)
    n = rng.integers(least, most, Q)
    question = np.repeat(np.arange(Q), n)
    answer = rng.integers(-1, 3, len(question))
    columns = {"answer": answer, "latency_s": rng.lognormal(size=len(question)), "cost_usd": rng.random(len(question))}
    return Samples("mine", [f"q{i}" for i in range(Q)], question, (answer == 0) * 1.0, columns)


def table(samples, aggregator="plurality-vote", estimator="exact", k=K):
    profile = ModelProfile("mine", Empirical(samples), (LoggedCost(), LoggedLatency()))
    return Pipeline(aggregator, estimator=estimator, k=k.tolist()).candidates(profile)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**20))
def test_they_are_those_that_calibration_gives(seed):
    samples = log(seed)
    means = QuestionMeans(samples, QuestionDraws(samples.questions, 200, 0), K, 0.95)
    for aggregator, interval in (
        ("coverage", means.counted(pass_at_k, pass_variance)),
        ("plurality-vote", means.share(vote_at_k(samples, K), vote_variance(samples, K))),
    ):
        column = table(samples, aggregator).curves[0].columns["accuracy"]
        np.testing.assert_allclose(column.same_questions, [interval.same_low, interval.same_high], atol=1e-9)


@pytest.mark.parametrize("name", ["latency", "cost"])
def test_what_is_consumed_has_them_too(name):
    samples = log()
    column = table(samples).curves[0].columns[name]
    if name == "latency":
        variance = largest_variance(samples["latency_s"], samples.question, K).sum(axis=0) / len(samples.questions) ** 2
    else:
        each = [samples["cost_usd"][samples.question == q] for q in range(len(samples.questions))]
        variance = K**2 * sum(of.var(ddof=1) / len(of) for of in each) / len(each) ** 2
    low, high = column.same_questions
    np.testing.assert_allclose((high - low) / 2, 1.959964 * np.sqrt(variance), rtol=1e-6)


def test_samples_of_long_logs_are_left_out_together(monkeypatch):
    samples = log(Q=60, least=12, most=13)
    alone = LeftOut(samples)
    assert (alone.parts == 12).all()
    monkeypatch.setattr(left_out, "AT_MOST", 6 * len(samples))
    together = LeftOut(samples)
    assert (together.parts == 6).all()
    assert (together.samples.n == 10).all()
    p = [np.bincount(f.samples.question, f.samples.correct) / f.samples.n for f in (alone, together)]
    one, other = (f.variance(of[:, None]).sum() for f, of in zip((alone, together), p, strict=True))
    assert other == pytest.approx(one, rel=0.2)  # the same on average


def test_they_hold_for_a_log_that_is_drawn_again_and_again():
    rng, samples = np.random.default_rng(1), log(3, Q=40, least=20, most=21)
    truth = table(samples, "one-call", k=K[:1]).column("accuracy")[0]
    held = 0
    for _ in range(200):
        low, high = (
            table(resampled(samples, rng), "one-call", k=K[:1]).curves[0].columns["accuracy"].same_questions[:, 0]
        )
        held += low <= truth <= high
    assert held >= 180


def test_where_no_sample_can_be_left_out_or_nothing_is_exact_there_are_none():
    samples = log(least=5, most=6)
    known = np.isfinite(table(samples).curves[0].columns["accuracy"].same_questions)
    np.testing.assert_array_equal(known, [[True, True, True, True, False]] * 2)  # k = n
    for none in (table(samples, estimator=MonteCarlo(50)), Pipeline(k=[1]).candidates("gpt-5")):
        assert np.isnan(none.curves[0].columns["cost"].same_questions).all()
        assert next(iter(none)).objectives["cost"].same_questions is None


def test_answers_that_are_all_alike_leave_a_little_open():
    samples = log()
    right = Samples("mine", samples.questions, samples.question, np.ones(len(samples)), samples.columns)
    low, high = table(right, "coverage").curves[0].columns["accuracy"].same_questions[:, 0]
    assert (1 - low, high) == (pytest.approx(1 - 0.05 ** (1 / len(samples))), 1.0)


def test_a_pickle_gives_the_same():
    curve = table(log()).curves[0]
    again = pickle.loads(pickle.dumps(curve)).columns["cost"].same_questions
    np.testing.assert_array_equal(again, curve.columns["cost"].same_questions)


def test_a_log_that_is_drawn_again_is_voted_on_where_its_samples_can_be():
    """By chance those that agree may all be gone; that says nothing about the log."""
    answer = np.array([0, 1, 2, 2, -1, -1, 2, 2, -1, 0, 2])
    columns = {"answer": answer}
    samples = Samples("mine", ["a", "b", "c"], np.repeat([0, 1, 2], [3, 5, 3]), (answer == 0) * 1.0, columns)
    drawn = [resampled(samples, np.random.default_rng(seed)) for seed in range(200)]
    assert any(Samples(of.model, of.questions, of.question, of.correct, of.columns).no_choice("answer") for of in drawn)
    assert not any(of.no_choice("answer") or pickle.loads(pickle.dumps(of)).no_choice("answer") for of in drawn)
