"""How sure a mean is: over the questions of a log, which might have been others, and by its simulation."""

import json
from dataclasses import dataclass
from math import sqrt

import numpy as np
import pytest

from moo_infer import (
    Exact,
    ModelProfile,
    MonteCarlo,
    NotExact,
    Pipeline,
    Samples,
    Scenario,
)
from moo_infer.builtin.aggregators import AllOfK, Coverage, MajorityVote
from moo_infer.builtin.answers import OneCall, PluralityVote, TopScore
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.difficulty import Beta
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.builtin.preferences import CheapestWithin
from moo_infer.estimate.mixture import between_questions
from moo_infer.estimate.monte_carlo import simulate
from moo_infer.estimate.setup import Setup
from moo_infer.estimate.setup_draws import SetupDraws
from moo_infer.quantities.bootstrap import question_weights
from moo_infer.quantities.within import pass_variance

K = np.array([1, 3, 6])
ANY = Scenario("any")


def log(Q=40, n=6, seed=0):
    """Questions that differ in difficulty, length and price."""
    rng = np.random.default_rng(seed)
    question = np.repeat(np.arange(Q), n)
    answer = np.where(rng.random(Q * n) < rng.beta(1, 1, Q)[question], 0, rng.integers(1, 3, Q * n))
    columns = {
        "answer": answer,
        "score": rng.random(Q * n),
        "input_tokens": rng.integers(10, 90, Q)[question] * 1.0,
        "output_tokens": rng.integers(10, 900, Q * n) * 1.0,
        "latency_s": rng.gamma(2.0, 1.0 + question),
        "cost_usd": rng.gamma(2.0, 0.01 + 0.001 * question),
    }
    return Samples("mine", [f"q{i}" for i in range(Q)], question, (answer == 0) * 1.0, columns)


def profile(samples, *costs):
    return ModelProfile(samples.model, Empirical(samples), costs)


def columns(samples, aggregator=None, *costs, estimator=None):
    estimator = estimator or Exact()
    return estimator.estimate(profile(samples, *costs), aggregator or OneCall(), K, 1).columns


def question_by_question(samples, aggregator, *costs, of="accuracy"):
    """(Q, n) means of a log with one question alone."""
    alone = (samples.where(samples.question == q) for q in range(len(samples.questions)))
    return np.array([columns(one, aggregator, *costs)[of].mean for one in alone])


AGGREGATORS = [OneCall(), Coverage(), AllOfK(), MajorityVote(), PluralityVote(), TopScore()]


@pytest.mark.parametrize("aggregator", AGGREGATORS, ids=lambda part: part.name)
def test_the_standard_error_is_that_of_a_mean_of_as_many_questions(aggregator):
    samples = log()
    column = columns(samples, aggregator)["accuracy"]
    expected = question_by_question(samples, aggregator).std(axis=0, ddof=1) / sqrt(40)
    assert column.stderr == pytest.approx(expected, rel=1e-12)
    assert np.isnan(column.stderr_simulation).all()


def test_parts_of_one_objective_add_question_by_question_before_the_spread_is_taken():
    """What is dear in tokens is not what was billed: errors of the parts neither add nor are they independent."""
    samples = log()
    parts = LoggedCost(), LinearCost(1e-5, 1e-4)
    both = columns(samples, None, *parts)["cost"]
    by_question = [question_by_question(samples, OneCall(), part, of="cost") for part in parts]
    assert both.stderr == pytest.approx(sum(by_question).std(axis=0, ddof=1) / sqrt(40), rel=1e-12)
    alone = [columns(samples, None, part)["cost"].stderr for part in parts]
    assert not np.allclose(both.stderr, sum(alone), rtol=0.05)


@pytest.mark.parametrize("model", [Beta(a=1, b=1), log(Q=1)], ids=["a law of queries", "one question"])
def test_without_several_questions_of_a_log_there_is_none(model):
    made = ModelProfile("mine", Empirical(model) if isinstance(model, Samples) else model, ())
    report = Pipeline(["coverage", "one-call"], "max-accuracy", k=[1, 3]).run(made, ANY)
    assert np.isnan(report.candidates.column("accuracy", "stderr")).all()
    assert np.isnan(report["max-accuracy"].accuracy.stderr)
    accuracy = json.loads(report.to_json())["rows"][0]["objectives"]["accuracy"]
    assert (accuracy["stderr"], accuracy["stderr_simulation"]) == (None, None)


def test_an_error_of_0_says_that_it_could_not_be_measured():
    samples = log()
    right = Samples(
        "mine", samples.questions, samples.question, (np.arange(240) % 6 > 0) * 1.0, {"cost_usd": np.full(240, 0.1)}
    )
    report = Pipeline(["coverage"], "max-accuracy", k=[1, 2]).run(profile(right, LoggedCost()), ANY)
    choice = report["max-accuracy"]
    assert (choice.k, choice.accuracy.stderr, choice.cost.stderr) == (2, 0.0, 0.0)
    (warning,) = choice.warnings
    assert warning.startswith("accuracy: it is the same for all questions of the log, so that what others would change")


@dataclass(frozen=True)
class Unknown(Coverage):
    """A third-party aggregator, which knows nothing exactly."""

    name = "unknown"

    def exact(self, query, k, /):
        raise NotExact("not known")


@pytest.mark.parametrize("simulated", [MonteCarlo(20_000), Exact(20_000)], ids=lambda estimator: estimator.name)
def test_where_the_mean_is_simulated_both_errors_are_known(simulated):
    samples = log(Q=60)
    exact = columns(samples, Coverage())["accuracy"]
    found = columns(samples, Unknown(), estimator=simulated)["accuracy"]
    assert "mean" in found.simulated
    assert found.stderr == pytest.approx(exact.stderr, rel=0.05)
    assert found.stderr_simulation == pytest.approx(found.std / sqrt(20_000), rel=1e-12)


def test_money_and_seconds_simulated_on_a_log_are_as_unsure_as_exact_ones():
    samples, parts = log(Q=60), (LoggedCost(), LinearCost(1e-5, 1e-4), LoggedLatency())
    exact, simulated = (columns(samples, None, *parts, estimator=e) for e in (Exact(), MonteCarlo(20_000)))
    for name in ("cost", "latency"):
        assert simulated[name].stderr == pytest.approx(exact[name].stderr, rel=0.05)


def test_fewer_trials_than_questions_still_tell_how_questions_differ():
    """On average over seeds; a single one is off, but not by what trials about the same question differ."""
    samples = log(Q=400)
    exact = columns(samples)["accuracy"].stderr
    found = [columns(samples, estimator=MonteCarlo(300, seed))["accuracy"].stderr for seed in range(40)]
    assert np.sqrt(np.nanmean(np.square(found), axis=0)) == pytest.approx(exact, rel=0.15)


def test_what_trials_do_not_show_is_not_known():
    alike = np.random.default_rng(0).permutation(np.tile([0.0, 1.0], 50))[:, None]
    question = np.repeat(np.arange(50), 2)
    same = np.tile([[0.0], [1.0]], (50, 1))  # all questions have the same mean
    assert np.isnan(between_questions(same, question, 50)).all()
    assert np.isnan(between_questions(alike, np.arange(100), 100)).all()  # no question twice
    assert np.isnan(between_questions(alike, np.zeros(100, dtype=int), 1)).all()


def test_the_component_between_questions_is_that_of_means_without_noise():
    """Without spread within questions the analysis of variance leaves the variance of their means."""
    means = np.array([1.0, 4.0, 2.0, 9.0])
    question = np.tile(np.arange(4), 5)
    found = between_questions(means[question][:, None], question, 4)
    assert found == pytest.approx(means.std(ddof=1) / 2)


def test_a_model_that_does_not_say_its_questions_gives_no_error_over_them():
    @dataclass(frozen=True)
    class Nameless(Empirical):
        def sample(self, rng, M, K, /):
            draws = super().sample(rng, M, K)
            kept = {name: column for name, column in draws.columns.items() if name != "question"}
            return type(draws)(draws.tokens_in, draws.tokens_out, draws.accuracy, kept)

    made = ModelProfile("mine", Nameless(log()), ())
    found = MonteCarlo(1000).estimate(made, Coverage(), K, 1).columns["accuracy"]
    assert np.isnan(found.stderr).all()
    assert (found.stderr_simulation > 0).all()


def test_draws_of_the_questions_have_the_errors_of_their_weights():
    samples = log(Q=30)
    by_question = question_by_question(samples, Coverage())
    weights = question_weights(samples.questions, 5, 3)
    drawn = Exact().redraw(Setup(profile(samples), Coverage(), K, 1), 5, 3)
    for w, estimate in zip(weights, drawn, strict=True):
        mean = w @ by_question
        variance = w @ (by_question - mean) ** 2 / (1 - w @ w)
        assert estimate.columns["accuracy"].stderr == pytest.approx(np.sqrt(variance / 30), rel=1e-9)


def within(samples, standard_errors, estimator="exact"):
    selector = CheapestWithin(within=0.0, standard_errors=standard_errors)
    return Pipeline("coverage", selector, estimator, k=K.tolist()).run(profile(samples, LoggedCost()), ANY)


def test_the_cheapest_within_standard_errors_reads_those_of_the_paired_differences():
    samples = log()
    by_question = question_by_question(samples, Coverage())
    best = by_question.shape[1] - 1
    paired = (by_question[:, [best]] - by_question).std(axis=0, ddof=1) / np.sqrt(len(by_question))
    accuracy = by_question.mean(axis=0)
    chosen = {times: within(samples, times)["cheapest-within"].k for times in (0, 1, 5)}
    for times, k in chosen.items():
        assert k == K[np.flatnonzero(accuracy >= accuracy[best] - times * paired - 1e-12)[0]]
    assert chosen[0] >= chosen[1] >= chosen[5] < chosen[0]


def test_paired_errors_of_two_logs_are_over_the_questions_that_both_have():
    one, other = log(seed=1), log(seed=2)
    fewer = other.where(other.question < 20)
    models = [profile(one), ModelProfile("other", Empirical(fewer), ())]
    table = Pipeline("coverage", k=[1, 3]).candidates([ModelProfile("mine", models[0].inference, ()), models[1]])
    apart = question_by_question(one, Coverage())[:20] - question_by_question(fewer, Coverage())
    errors = table.paired_stderr("accuracy", 0)
    assert errors[0] == 0
    assert errors[1] == pytest.approx(apart[:, 0].std(ddof=1) / np.sqrt(20))


def test_without_questions_the_cheapest_within_takes_its_margin():
    made = ModelProfile("mine", Beta(a=1, b=1, tokens_in_mean=100, tokens_out_mean=100), (LinearCost(1e-6, 1e-5),))
    report = Pipeline("coverage", CheapestWithin(within=0.02), k=range(1, 40)).run(made, ANY)
    accuracy = report.candidates.column("accuracy")
    assert report["cheapest-within"].k == 1 + np.flatnonzero(accuracy >= accuracy[-1] - 0.02)[0]


def test_where_accuracy_alone_is_limited_the_cheapest_that_meets_it_is_taken():
    report = Pipeline("coverage", "cheapest-within", k=range(1, 7)).run(
        profile(log(), LoggedCost()), Scenario("s", min={"accuracy": 0.5})
    )
    assert report["cheapest-within"].k == report.outcome("s").pool.k.min()


def test_the_details_show_the_errors_that_are_known():
    samples = log()
    text = within(samples, 1).to_text(details=True)
    low, high = within(samples, 1)["cheapest-within"].accuracy.interval
    assert f"[{low:.3g}, {high:.3g}]" in text
    assert "other questions: where the mean would be, had other questions been asked" in text.replace("\n", " ")
    assert "simulation error" not in text
    text = within(samples, 1, MonteCarlo(100)).to_text(details=True)
    assert f" {within(samples, 1, MonteCarlo(100))['cheapest-within'].accuracy.stderr_simulation:.2g} " in text
    assert "simulation error: Monte Carlo error of the mean" in text.replace("\n", " ")
    text = Pipeline().run("gpt-5", "essay-feedback").to_text(details=True)
    assert "questions" not in text


def test_draws_of_the_same_questions_keep_what_the_log_says_on_average_and_spread_as_its_samples_do():
    samples = log()
    setup = Setup(profile(samples), Coverage(), K, 1)
    given = Exact().moments(setup)["accuracy"].mean
    drawn = np.stack([c.columns["accuracy"].mean for c in Exact().redraw(setup, 400, 0, "same")])
    assert drawn.mean(axis=0) == pytest.approx(given, abs=2e-3)  # moved to it, but for what is cut off at 0 and 1
    within = pass_variance(samples.n, samples.right, [1])[:, 0].sum() / len(samples.questions) ** 2
    assert drawn[:, 0].std() == pytest.approx(np.sqrt(within), rel=0.2)
    other = np.stack([c.columns["accuracy"].mean for c in Exact().redraw(setup, 400, 0)])
    assert drawn[:, 0].std() < other[:, 0].std()


def test_simulated_accuracies_of_a_draw_hold_its_pseudo_questions():
    samples = log()
    setup = Setup(profile(samples), Coverage(), K, 1).with_weights(
        np.full(len(samples.questions), 1 / len(samples.questions)), (0.1, 0.3)
    )
    exact = Exact().moments(setup)["accuracy"]
    simulated = simulate(setup, 20_000, 1, ["accuracy"])["accuracy"]
    assert simulated.mean(axis=0) == pytest.approx(exact.mean, abs=0.012)
    assert simulated.std(axis=0) == pytest.approx(exact.std, rel=0.05)


@pytest.mark.parametrize("questions", ["other", "same"])
def test_quantiles_of_draws_of_a_log_are_those_of_each_draw_alone_and_nothing_is_simulated(monkeypatch, questions):
    monkeypatch.setattr("moo_infer.estimate.monte_carlo.simulate", None)  # calling it fails
    setup = Setup(profile(log(Q=30), LoggedLatency(), LoggedCost()), OneCall(), K, 1)
    draws = SetupDraws.of(setup, 6, 3, questions)
    for b, curve in enumerate(Exact().redraw(setup, 6, 3, questions)):
        alone = Exact().curve(draws[b]).columns
        for q in (0.05, 0.95):
            np.testing.assert_array_equal(curve.columns["latency"].quantile(q), alone["latency"].quantile(q))
            np.testing.assert_array_equal(curve.columns["accuracy"].quantile(q), alone["accuracy"].quantile(q))


def test_quantiles_of_an_accuracy_hold_the_pseudo_questions():
    samples = log(Q=30)
    low, high = 0.3, 0.2
    weights = question_weights(samples.questions, 1, 3)[0]
    setup = Setup(profile(samples), OneCall(), K, 1).with_weights(weights, (low, high))
    accuracy = Exact().curve(setup).columns["accuracy"]
    wrong = 1 - accuracy.mean[0]
    assert (accuracy.quantile(wrong - 1e-9) == 0).all()
    assert (accuracy.quantile(wrong + 1e-9) == 1).all()
    assert (accuracy.quantile(0.01) == 0).all()
    assert (accuracy.quantile(0.99) == 1).all()
