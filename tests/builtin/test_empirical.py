"""A log as an inference model: exact over all subsets of its samples, against every subset one by one."""

from dataclasses import dataclass
from itertools import combinations, permutations

import numpy as np
import pytest

from moo_infer import (
    Draws,
    Exact,
    ModelProfile,
    Moments,
    MonteCarlo,
    MooInferError,
    Pipeline,
    Registry,
    Samples,
    Scenario,
)
from moo_infer.builtin.aggregators import AllOfK, BestOfK, Coverage, MajorityVote
from moo_infer.builtin.answers import OneCall, PluralityVote, TopScore
from moo_infer.builtin.costs import LinearCost, LinearLatency
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedEnergy, LoggedLatency
from moo_infer.builtin.inference import Gaussian
from moo_infer.builtin.latencies import Batch, Sequential, Slots, SlowestOfK
from moo_infer.builtin.prices import ApiCost, LongContext
from moo_infer.builtin.rate_limits import RateLimited
from moo_infer.core.errors import NothingPossible
from moo_infer.core.uncertainty import Uncertain
from moo_infer.estimate.setup import Setup
from moo_infer.interfaces import AccuracyAggregator, CostModel
from moo_infer.quantities.bootstrap import QuestionDraws, question_weights

K = np.array([1, 2, 3, 4])


def log(Q=4, n=5, seed=0, model="mine", **without):
    """Q questions of n samples, half of them right, answers of three letters; seconds and tokens differ."""
    rng = np.random.default_rng(seed)
    question = np.repeat(np.arange(Q), n)
    answer = rng.integers(-1, 3, Q * n)
    columns = {
        "answer": answer,
        "score": rng.integers(0, 4, Q * n).astype(float),
        "input_tokens": np.repeat(rng.integers(10, 90, Q), n).astype(float),
        "output_tokens": rng.integers(10, 900, Q * n).astype(float),
        "latency_s": rng.gamma(2.0, 3.0, Q * n),
        "cost_usd": rng.gamma(2.0, 0.01, Q * n),
        "energy_j": rng.gamma(2.0, 100.0, Q * n),
    }
    columns = {name: column for name, column in columns.items() if name not in without}
    right = np.where(answer < 0, 0.0, (answer == 0) * 1.0)
    return Samples(model, [f"q{i}" for i in range(Q)], question, right, columns)


def over_all_orders(part, samples, k, *, P=2):
    """Mean and standard deviation of a part over every question and every order of its samples, one by one."""
    totals = []
    for q in range(len(samples.questions)):
        of = samples.where(samples.question == q)
        rows = np.array(list(permutations(range(len(of)), k)))
        draws = Draws(
            of["input_tokens"][rows],
            of["output_tokens"][rows],
            of.correct[rows],
            {name: column[rows] for name, column in of.columns.items()},
        )
        if isinstance(part, CostModel):
            totals.append(part.total(draws, parallelism=P)[:, -1])
        else:
            totals.append(part.aggregate(draws, np.random.default_rng(0))[:, -1])
    return np.mean(totals), np.std(totals)


AGGREGATORS = [OneCall(), Coverage(), AllOfK(), BestOfK(), MajorityVote(), PluralityVote(), TopScore()]
COSTS = [
    LoggedCost(),
    LoggedEnergy(),
    *(LoggedLatency(calls) for calls in ("at-once", "sequential")),
    LinearCost(1e-6, 1e-5),
    LinearLatency(1e-3, 1e-2),
    *(ApiCost(1e-3, 1e-5, calls, usd_per_cached_input_token=1e-4) for calls in ("parallel", "n", "cached")),
    ApiCost(1e-3, 1e-5, batch_discount=0.5, long_context=(LongContext(50, 1.0, 2.0),)),
    Sequential(1e-3, 1e-2, 0.5),
    SlowestOfK(1e-3, 1e-2, 0.5),
    Batch(0.01, 0.001, ttft_seconds=0.3),
]


@pytest.mark.parametrize("part", [*AGGREGATORS, *COSTS], ids=repr)
def test_moments_are_those_over_every_subset_of_the_samples(part):
    samples = log(n=4)
    if isinstance(part, AccuracyAggregator):
        found = Exact().moments(Setup(ModelProfile("mine", Empirical(answered(samples)), ()), part, K, 2))["accuracy"]
        samples = answered(samples)
    else:
        found = Exact().moments(Setup(ModelProfile("mine", Empirical(samples), (part,)), OneCall(), K, 2))[
            part.objective.name
        ]
    expected = np.array([over_all_orders(part, samples, k) for k in K.tolist()])
    assert found.mean == pytest.approx(expected[:, 0], rel=1e-12)
    if found.std is not None:
        assert found.std == pytest.approx(expected[:, 1], rel=1e-9, abs=1e-12)


def answered(samples):
    """The samples without blanks, because a vote needs answers; every third of them is C."""
    answer = np.where(samples["answer"] < 0, 2, samples["answer"])
    return Samples(
        samples.model, samples.questions, samples.question, samples.correct, {**samples.columns, "answer": answer}
    )


@pytest.mark.parametrize("calls", ["at-once", "slots", "sequential"])
@pytest.mark.parametrize("P", [1, 2, 8])
def test_logged_seconds_are_exact_or_simulated_and_agree(calls, P):
    profile = ModelProfile("mine", Empirical(log()), (LoggedLatency(calls), LoggedCost()))
    exact, simulated = (
        e.estimate(profile, Coverage(), np.array([1, 3, 5]), P).columns for e in (Exact(), MonteCarlo(20_000, 3))
    )
    for name in ("latency", "cost", "accuracy"):
        assert (
            np.abs(exact[name].mean - simulated[name].mean) <= 5 * simulated[name].stderr_simulation + 1e-12
        ).all(), name
        assert exact[name].std == pytest.approx(simulated[name].std, rel=0.05, abs=1e-3), name
        for q in (0.025, 0.5, 0.95):
            share, slack = (
                np.mean(simulated[name].trials <= exact[name].quantile(q), axis=0),
                5 * np.sqrt(q * (1 - q) / 20_000),
            )
            assert (share >= q - slack).all(), (name, q)
            assert (np.mean(simulated[name].trials < exact[name].quantile(q), axis=0) <= q + slack).all(), (name, q)
    sums = calls == "sequential" or (calls, P) == ("slots", 1)
    unknown = ("low", "high") if sums else ()
    assert exact["latency"].simulated == (("mean", "std", "low", "high") if (calls, P) == ("slots", 2) else unknown)


def test_slots_are_no_shortcut_where_all_samples_are_taken():
    """The slowest of all n samples does not vary, but the calls do."""
    samples = log(n=4)
    parts = Slots(1e-3, 1e-2), LoggedLatency("slots")
    for part in parts:
        profile = ModelProfile("mine", Empirical(samples), (part,))
        (found,) = Exact().estimate(profile, Coverage(), np.array([4]), 2).columns["latency"].mean
        assert found == pytest.approx(over_all_orders(part, samples, 4)[0], rel=0.02)


def test_prompts_on_both_sides_of_a_price_step_are_simulated():
    samples = log(n=4)
    tokens = np.where(np.arange(16) % 2, 20.0, 90.0)
    samples = Samples(
        "mine", samples.questions, samples.question, samples.correct, {**samples.columns, "input_tokens": tokens}
    )
    part = ApiCost(1e-3, 1e-5, "n", long_context=(LongContext(50, 2e-3, 1e-4),))
    profile = ModelProfile("mine", Empirical(samples), (part,))
    column = Exact().estimate(profile, Coverage(), np.array([3]), 1).columns["cost"]
    assert "mean" in column.simulated
    assert column.mean[0] == pytest.approx(over_all_orders(part, samples, 3)[0], rel=0.02)


def test_tokens_that_are_not_known_are_not_free():
    for name in ("input_tokens", "output_tokens"):
        profile = ModelProfile("mine", Empirical(log(**{name: True})), (LinearCost(1e-6, 1e-5),))
        for estimator, column in (("exact", name), ("monte-carlo", name.replace("put_tokens", ""))):
            column = column if estimator == "exact" else f"tokens_{column}"
            with pytest.raises(MooInferError, match=f"no column '{column}'"):
                Pipeline(["coverage"], estimator=estimator, k=[1]).run(profile, Scenario("any"))


def test_unknown_scores_are_chosen_only_where_no_other_is_there():
    samples = log(Q=3, n=10)
    score = samples["score"].copy()
    score[[0, 11]] = np.nan
    samples = Samples("mine", samples.questions, samples.question, samples.correct, {**samples.columns, "score": score})
    profile = ModelProfile("mine", Empirical(samples), ())
    exact, simulated = (
        e.estimate(profile, TopScore(), np.array([1, 3]), 1).columns["accuracy"] for e in (Exact(), MonteCarlo(20_000))
    )
    assert (np.abs(exact.mean - simulated.mean) <= 5 * simulated.stderr_simulation).all()


def test_a_cost_that_does_not_depend_on_the_model_is_the_same_for_all_questions():
    @dataclass(frozen=True)
    class Fee(LoggedCost):
        name = "fee"

        def total(self, draws, /, *, parallelism):
            return np.full(draws.accuracy.shape, 0.5)

        def exact(self, model, k, /, *, parallelism):
            return Moments(np.full(len(k), 0.5), np.zeros(len(k)))

    report = Pipeline(["coverage"], k=[1, 2]).run(ModelProfile("mine", Empirical(log()), (Fee(),)), Scenario("any"))
    assert report.candidates.column("cost").tolist() == [0.5, 0.5]


def test_rate_limits_are_asked_only_for_k_that_the_log_has():
    limited = RateLimited(1e-4, 1e-3, requests_per_minute=60)
    report = Pipeline(["coverage"]).run(ModelProfile("mine", Empirical(log()), (limited,)), Scenario("any"))
    assert report.candidates.k.tolist() == [1, 2, 3, 4, 5]


def test_an_uncertain_price_beside_a_log_is_drawn_with_its_questions():
    uncertain = {"costs[0].usd_per_output_token": Uncertain(se=1e-6)}
    profile = ModelProfile("mine", Empirical(log()), (LinearCost(0.0, 1e-5),), uncertain=uncertain)
    k = np.array([1, 3])
    redrawn = list(Exact().redraw(Setup(profile, Coverage(), k, 1), 30, 5))
    prices = profile.draw(30, 5)["costs[0].usd_per_output_token"]
    weights = question_weights([f"q{i}" for i in range(4)], 30, 5)
    tokens = np.array([log()["output_tokens"][log().question == q].mean() for q in range(4)])
    assert [e.columns["cost"].mean[1] for e in redrawn] == pytest.approx(3 * prices * (weights @ tokens))


def test_logs_that_are_all_right_or_hold_failures_say_what_that_means():
    samples = log(Q=3, n=4)
    ones = np.ones(12)
    ones[0] = np.nan
    remarks = [n.text for n in Empirical(Samples("mine", samples.questions, samples.question, ones)).notes()]
    assert remarks[0] == "1 of 12 samples failed; neither they nor what they took is counted"
    (note,) = Empirical(answered(samples)).notes()
    assert note.text == "with only 3 questions, choices look surer than they are"
    assert remarks[1] == note.text


def test_draws_take_no_sample_twice():
    samples = log(Q=3, n=5)
    draws = Empirical(samples).sample(np.random.default_rng(0), 200, 5)
    drawn = {tuple(sorted(row)) for row in draws["latency_s"]}
    assert drawn == {tuple(sorted(samples["latency_s"][samples.question == q])) for q in range(3)}


def test_questions_with_more_samples_give_no_more_candidates_than_those_with_the_fewest():
    samples = log(Q=2, n=5)
    fewer = samples.where(np.arange(10) != 7)
    profile = ModelProfile("mine", Empirical(fewer), (LoggedCost(),))
    table = Pipeline(["coverage"], k=[1, 4, 5, 6]).run(profile, Scenario("any"))
    assert table.candidates.k.tolist() == [1, 4]
    assert "mine: no k above 4, the largest that its source supports." in table.to_text()
    right = [fewer.correct[fewer.question == q] for q in range(2)]
    expected = np.mean([np.mean([any(s) for s in combinations(r, 4)]) for r in right])
    assert table.candidates.column("accuracy")[1] == pytest.approx(expected)


def test_nothing_is_possible_where_every_k_is_beyond_the_log():
    profile = ModelProfile("mine", Empirical(log(n=3)), (LoggedCost(),))
    with pytest.raises(NothingPossible, match="no k above 3, the largest that its source supports"):
        Pipeline(["coverage"], k=[4, 8]).run(profile, Scenario("any"))


def test_failed_samples_and_columns_with_gaps_are_left_out():
    samples = log(Q=2, n=5)
    correct, seconds = samples.correct.copy(), samples["latency_s"].copy()
    correct[0], seconds[3] = np.nan, np.nan
    model = Empirical(
        Samples("mine", samples.questions, samples.question, correct, {**samples.columns, "latency_s": seconds})
    )
    assert model.queries().largest_k == 4
    assert "latency_s" not in model.sample(np.random.default_rng(0), 2, 2).columns
    with pytest.raises(MooInferError, match="no column 'latency_s'"):
        Pipeline(["coverage"], k=[1]).run(ModelProfile("mine", model, (LoggedLatency(),)), Scenario("any"))


def test_a_log_without_a_scored_sample_is_refused():
    with pytest.raises(MooInferError, match="mine: none of the 2 samples is right or wrong"):
        Empirical(Samples("mine", ["q"], np.array([0, 0]), np.array([np.nan, np.nan])))


def test_models_that_cannot_vote_are_left_out_of_a_comparison_aloud():
    profiles = [
        ModelProfile(name, Empirical(samples), (LoggedCost(),))
        for name, samples in (("a", answered(log(model="a"))), ("b", log(model="b", answer=True)))
    ]
    with pytest.warns(UserWarning, match="left out: b: no vote"):
        report = Pipeline(["one-call", "plurality-vote"], k=[1, 3]).run(profiles, Scenario("any"))
    assert [c.label for c in report.candidates.curves] == [
        ("a", "one-call"),
        ("a", "plurality-vote"),
        ("b", "one-call"),
    ]


def test_a_vote_beside_a_model_without_answers_is_left_out_aloud():
    plain = ModelProfile("plain", Gaussian(100, 0, 100, 0, 0.8, 0.1), (LinearCost(0.0, 1e-6),))
    logged = ModelProfile("logged", Empirical(answered(log())), (LoggedCost(),))
    with pytest.warns(UserWarning, match="left out: the draws have no column 'answer'"):
        report = Pipeline(["one-call", "plurality-vote"], k=[1, 3]).run([plain, logged], Scenario("any"))
    assert ("plain", "plurality-vote") not in [c.label for c in report.candidates.curves]
    assert len([c.label for c in report.candidates.curves]) == 3


def test_redraws_weigh_the_questions_as_the_bootstrap_does():
    samples = log()
    profile = ModelProfile("mine", Empirical(samples), (LoggedCost(), LoggedLatency()))
    k = np.array([1, 3, 5])
    redrawn = list(Exact().redraw(Setup(profile, Coverage(), k, 1), 20, 7))
    questions = QuestionDraws(samples.questions, 20, 7)
    per_question = np.stack(
        [
            Exact()
            .estimate(
                ModelProfile("q", Empirical(samples.where(samples.question == q)), (LoggedCost(),)), Coverage(), k, 1
            )
            .columns["accuracy"]
            .mean
            for q in range(4)
        ]
    )
    assert np.stack([e.columns["accuracy"].mean for e in redrawn]) == pytest.approx(questions.shares(per_question))
    quantile = [e.columns["latency"].quantile(0.9)[0] for e in redrawn[:5]]  # simulated with those weights
    assert len(set(quantile)) > 1


def test_models_that_answered_the_same_questions_are_resampled_together():
    report = Pipeline(["coverage"], ["max-accuracy"], k=[3]).run(
        [ModelProfile(name, Empirical(log(model=name)), (LoggedCost(),)) for name in ("a", "b")], Scenario("any")
    )
    assert report.stability(50).shares[("any", "max-accuracy", None, None)][0].share == 1.0


def test_one_question_says_so_and_gives_no_stability():
    profile = ModelProfile("mine", Empirical(log(Q=1)), (LoggedCost(),))
    report = Pipeline(["coverage"], k=[1, 2]).run(profile, Scenario("any"))
    assert report.stability(10) is None
    assert "one question says nothing of others" in report.to_text()


def test_a_vote_in_draws_with_more_than_two_answers():
    rng = np.random.default_rng(5)
    answer = rng.integers(-1, 4, (300, 7))
    draws = Draws(np.ones((300, 7)), np.ones((300, 7)), (answer == 2) * 1.0, {"answer": answer})
    found = PluralityVote().aggregate(draws, rng)
    for row, right in zip(answer, found, strict=True):
        for k in range(1, 8):
            counts = np.bincount(row[:k][row[:k] >= 0], minlength=4)
            winners = np.flatnonzero(counts == counts.max()) if counts.any() else []
            assert right[k - 1] == pytest.approx((2 in winners) / max(len(winners), 1))


def test_the_new_parts_can_be_called_by_name():
    registry = Registry(entry_points=False)
    assert registry.get(AccuracyAggregator, "plurality-vote") == PluralityVote()
    assert registry.get(CostModel, "logged-latency:calls=slots") == LoggedLatency("slots")
