"""What the delivered answer is worth by other judgements of a log: against every subset of the samples."""

import pickle
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_infer import AccuracyAggregator, Exact, Limit, ModelProfile, MonteCarlo, MooInferError, Pipeline, Samples
from moo_infer.builtin.aggregators import AllOfK, BestOfK, Coverage, MajorityVote
from moo_infer.builtin.answers import OneCall, PluralityVote, TopScore, WeightedVote
from moo_infer.builtin.empirical import Empirical, LoggedCost
from moo_infer.builtin.stages import Accepted
from moo_infer.core.chance import one_of_each
from moo_infer.core.errors import NothingPossible
from moo_infer.estimate.calls import chosen
from moo_infer.estimate.delivered import Delivered
from moo_infer.estimate.setup import Setup
from moo_infer.quantities.by_samples import draws_of

K = np.arange(1, 5)
JUDGED = {"unsafe": "down", "format_ok": "up"}


def log(seed=0, n=(4, 6, 5), graded=False):
    """A log of a few questions with blanks, missing scores and ties, one judgement of 0 and 1 and one of grades."""
    rng = np.random.default_rng(seed)
    question = np.repeat(np.arange(len(n)), n)
    N = len(question)
    score = rng.integers(0, 3, N) * 1.0
    score[rng.random(N) < 0.3] = np.nan
    columns = {
        "answer": rng.integers(-1, 3, N),
        "score": score,
        "cost_usd": rng.random(N),
        "unsafe": (rng.random(N) < 0.4) * 1.0,
        "format_ok": rng.random(N).round(1),
    }
    correct = rng.integers(0, 3, N) / 2 if graded else (rng.random(N) < 0.5) * 1.0
    return Samples("mine", [f"q{i}" for i in range(len(n))], question, correct, columns)


def profile(samples, judged=JUDGED):
    return ModelProfile("mine", Empirical(samples, judged=judged), (LoggedCost(),))


def winners(name, samples, rows):
    """The rows that could be the answer, and how likely each is."""
    answer, score, correct = samples["answer"][rows], samples["score"][rows], samples.correct[rows]
    if name == "one-call":
        return np.array([1.0] + [0.0] * (len(rows) - 1))
    if name == "plurality-vote":
        votes = {a: int((answer == a).sum()) for a in {*answer.tolist()} - {-1}}
        first = [a for a, n in votes.items() if n == max(votes.values())]
        return np.array([1 / votes[a] / len(first) if a in first else 0.0 for a in answer.tolist()])
    equal = {
        "top-score": score == np.nanmax(np.append(score, -9.0)),
        "best-of-k": correct == correct.max(),
        "coverage": correct == 1,
        "accepted": correct == 1,
    }[name]
    return equal / max(equal.sum(), 1)


def enumerated(name, samples, column, k):
    """The mean over questions, subsets of k of their samples, and the samples that could be the answer of each."""
    means = []
    for q in range(len(samples.questions)):
        own = np.flatnonzero(samples.question == q)
        subsets = [np.array(rows) for rows in combinations(own, k)]
        if name == "one-call":  # any of them may come first
            means.append(samples[column][own].mean())
            continue
        means.append(np.mean([winners(name, samples, rows) @ samples[column][rows] for rows in subsets]))
    return float(np.mean(means))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**20))
@pytest.mark.parametrize("part", [OneCall(), PluralityVote(), TopScore(), BestOfK(), Coverage()], ids=lambda p: p.name)
def test_they_are_exact_over_all_subsets(part, seed):
    samples = log(seed)
    if samples.no_choice("answer") or samples.no_choice("score"):
        return
    columns = Exact().estimate(profile(samples), part, K, 1).columns
    for name in JUDGED:
        assert "mean" not in columns[name].simulated
        assert columns[name].mean == pytest.approx([enumerated(part.name, samples, name, k) for k in K], abs=1e-12)


def test_unsafe_of_a_vote_of_3_and_of_the_best_of_3_by_hand():
    # Of 4 subsets of 3, {a a b}, {a a c}, {a b c} twice: in the last every answer may win.
    answer, correct = np.array([0, 0, 1, 2]), np.array([1.0, 1, 0, 0])
    columns = {"answer": answer, "unsafe": np.array([1.0, 0, 1, 0])}
    samples = Samples("mine", ["q"], np.zeros(4, dtype=int), correct, columns)
    vote, best = (
        Exact().estimate(ModelProfile("mine", Empirical(samples, judged={"unsafe": "down"})), part, np.array([3]), 1)
        for part in (PluralityVote(), BestOfK())
    )
    assert vote.columns["unsafe"].mean[0] == pytest.approx((1 / 2 + 1 / 2 + 2 / 3 + 1 / 3) / 4, abs=1e-12)
    assert best.columns["unsafe"].mean[0] == pytest.approx((1 / 2 + 1 / 2 + 1 + 0) / 4, abs=1e-12)


def test_the_best_of_graded_samples_is_exact():
    samples = log(3, graded=True)
    columns = Exact().estimate(profile(samples), BestOfK(), K, 1).columns
    for name in JUDGED:
        assert columns[name].mean == pytest.approx([enumerated("best-of-k", samples, name, k) for k in K], abs=1e-12)


@pytest.mark.parametrize("part", [PluralityVote(), TopScore(), WeightedVote(), BestOfK(), Coverage(), Accepted()])
def test_they_are_what_is_chosen_and_simulation_agrees(part):
    samples = log(5)
    exact = Exact(trials=4000).estimate(profile(samples), part, K, 1).columns
    simulated = MonteCarlo(trials=4000).estimate(profile(samples), part, K, 1).columns
    rng = np.random.default_rng(0)
    for i, k in enumerate(K):
        question = np.tile(np.arange(3), 4000)
        rows = [rng.permutation(np.flatnonzero(samples.question == q))[:k] for q in question]
        draws = draws_of(samples, np.array(rows), question)
        answer = chosen(part, draws, rng)
        for name in JUDGED:
            value = np.where(answer < 0, 0.0, draws[name][np.arange(len(rows)), answer])
            for columns in (exact, simulated):
                error = np.hypot(value.std() / len(value) ** 0.5, np.nan_to_num(columns[name].stderr_simulation[i]))
                assert abs(columns[name].mean[i] - value.mean()) < 4.5 * error


def test_simulation_of_questions_is_within_its_error():
    samples = log(8)
    exact, simulated = (e.estimate(profile(samples), BestOfK(), K, 1).columns for e in (Exact(), MonteCarlo()))
    for name in JUDGED:
        assert (abs(exact[name].mean - simulated[name].mean) < 4 * simulated[name].stderr_simulation).all()


@pytest.mark.parametrize("part", [AllOfK(), MajorityVote()], ids=lambda p: p.name)
def test_who_takes_no_answer_is_refused(part):
    for estimator in (Exact(), MonteCarlo(trials=10)):
        with pytest.raises(NothingPossible, match=rf"unsafe is judged of the answer .* {part.name} takes no answer"):
            _ = estimator.estimate(profile(log()), part, K, 1).columns["unsafe"].mean
    with pytest.warns(UserWarning, match=f"left out: unsafe is judged .* {part.name}"):
        table = Pipeline([part, OneCall()], k=K.tolist()).candidates(profile(log()))
    assert table.aggregators == ("one-call",)


@dataclass(frozen=True)
class Averaged(AccuracyAggregator):
    """Says what k are worth on average, and takes none."""

    name = "averaged"

    def aggregate(self, draws, rng, /):
        return np.cumsum(draws.accuracy, axis=1) / np.arange(1, draws.shape[1] + 1)

    def exact(self, query, k, /):
        return query.accuracy.first(k)


def test_who_does_not_say_what_it_chooses_is_refused_though_its_moments_are_known():
    with pytest.raises(NothingPossible, match="aggregator 'averaged' does not say which of the inferences"):
        Exact().estimate(profile(log()), Averaged(), K, 1)


@dataclass(frozen=True)
class Hybrid(AccuracyAggregator):
    """The best that a checker knows; without one, the one with the highest score: it asks what there is."""

    name = "hybrid"

    def aggregate(self, draws, rng, /):
        return BestOfK().aggregate(draws, rng)

    def choose(self, draws, rng, /):
        return (BestOfK() if "accuracy" in draws else TopScore()).choose(draws, rng)


@dataclass(frozen=True)
class Softly(AccuracyAggregator):
    """One at random, the better the likelier: it looks at what is right, and draws."""

    name = "softly"

    def aggregate(self, draws, rng, /):
        weight = 1 + draws.accuracy
        return np.cumsum(weight * draws.accuracy, axis=1) / np.cumsum(weight, axis=1)

    def choose(self, draws, rng, /):
        return one_of_each(1 + draws.accuracy, rng)


@pytest.mark.parametrize(("part", "like"), [(Hybrid(), "best-of-k"), (Softly(), None)])
def test_who_may_look_at_what_is_right_is_simulated_by_what_it_chooses(part, like):
    samples = log(11)
    column = Exact(trials=20_000).estimate(profile(samples), part, K, 1).columns["unsafe"]
    assert "mean" in column.simulated
    expected = []
    for k in K:
        of = []
        for q in range(3):
            subsets = [list(rows) for rows in combinations(np.flatnonzero(samples.question == q), k)]
            weights = [1 + samples.correct[rows] if like is None else winners(like, samples, rows) for rows in subsets]
            of.append(np.mean([w @ samples["unsafe"][r] / w.sum() for w, r in zip(weights, subsets, strict=True)]))
        expected.append(np.mean(of))
    assert (abs(column.mean - expected) < 4 * column.stderr_simulation).all()


def test_nothing_that_is_delivered_is_worth_0():
    blank = Samples(
        "mine",
        ["q1", "q2"],
        np.repeat([0, 1], 3),
        np.zeros(6),
        {"answer": np.array([-1, -1, -1, 0, 0, 1]), "ok": np.ones(6)},
    )
    columns = Exact().estimate(ModelProfile("mine", Empirical(blank, judged={"ok": "up"})), PluralityVote(), K[:3], 1)
    assert columns.columns["ok"].mean.tolist() == [0.5, 0.5, 0.5]
    columns = Exact().estimate(ModelProfile("mine", Empirical(blank, judged={"ok": "up"})), Coverage(), K[:3], 1)
    assert columns.columns["ok"].mean.tolist() == [0.0, 0.0, 0.0]


def test_the_objectives_are_shares_in_their_direction():
    table = Pipeline("plurality-vote", k=[1, 3]).candidates(profile(log()))
    unsafe, ok = table.objectives[2:]
    assert [(o.name, o.direction, o.best, o.scale) for o in (unsafe, ok)] == [
        ("unsafe", "min", 0.0, 1.0),
        ("format_ok", "max", 1.0, 1.0),
    ]
    assert table.loss("unsafe") == pytest.approx(table.column("unsafe"), abs=1e-12)
    assert table.loss("format_ok") == pytest.approx(1 - table.column("format_ok"), abs=1e-12)
    worst = table.column("unsafe").mean()
    kept = table.feasible([Limit("unsafe", worst, "max"), Limit("format_ok", 0.01, "min")])
    assert (kept.column("unsafe") <= worst).all()
    with pytest.raises(MooInferError, match="limit on format_ok: higher is better, so it takes a min"):
        table.feasible([Limit("format_ok", 0.5, "max")])


def test_shares_have_the_intervals_of_shares_and_grades_have_not():
    samples = log(2, n=(6,) * 30)
    never = replace(samples, columns={**samples.columns, "unsafe": np.zeros(180)})
    columns = Pipeline("plurality-vote", k=[3]).candidates(profile(never)).curves[0].columns
    low, high = columns["unsafe"].other_questions[:, 0]
    assert low == 0
    assert 0.01 < high < 0.15  # although none of 180 samples was unsafe: the rule of three says 0.1
    low, high = columns["format_ok"].other_questions[:, 0]
    assert low < columns["format_ok"].mean[0] < high
    setup = Setup(profile(never), PluralityVote(), np.array([3]), 1)
    draws = [curve.columns["unsafe"].mean[0] for curve in Exact().redraw(setup, 100, 0)]
    assert 0 < np.mean(draws) < 0.1


@pytest.mark.parametrize("questions", ["other", "same"])
@pytest.mark.parametrize("aggregator", ["plurality-vote", "weighted-vote", "best-of-k"])
def test_draws_keep_their_mean_in_the_middle(questions, aggregator):
    samples = log(4, n=(6,) * 25)
    pipeline = Pipeline(aggregator, k=[3], questions=questions, estimator=Exact(trials=1000))
    report = pipeline.run(profile(samples))
    drawn = [table.column("unsafe")[0] for table in report.redraw(60, 0)]
    mean = report.candidates.column("unsafe")[0]
    assert np.std(drawn) > 0
    assert abs(np.mean(drawn) - mean) < 0.05
    assert report.stability(20).draws == 20


def test_they_are_drawn_with_the_samples_and_pickle():
    model = Empirical(log(), judged=JUDGED)
    draws = model.sample(np.random.default_rng(0), 5, 3)
    assert {"unsafe", "format_ok"} <= {*draws}
    assert pickle.loads(pickle.dumps(model)).judged == JUDGED
    shown = Delivered(BestOfK(), "unsafe").aggregate(draws, np.random.default_rng(0))
    assert shown.shape == (5, 3)


@pytest.mark.parametrize(
    ("judged", "message"),
    [
        ({"unsafe": "sideways"}, "unsafe: which way is better must be down or up, got 'sideways'"),
        ({"accuracy": "up"}, "accuracy: a judgement needs a name of its own"),
        ({"cost": "down"}, "cost: a judgement needs a name of its own"),
        ({"score": "up"}, "judged: score is a column of the neutral table"),
        ({"toxic": "down"}, "mine: judged: not all scored samples have 'toxic'; all have: unsafe, format_ok"),
    ],
)
def test_what_cannot_be_judged_is_refused(judged, message):
    with pytest.raises(MooInferError, match=message):
        Empirical(log(), judged=judged)


@pytest.mark.parametrize(("value", "message"), [(np.nan, "not all scored samples have 'unsafe'"), (7.0, "got 7"), (-1.0, "got -1")])  # fmt: skip
def test_a_judgement_that_is_missing_or_out_of_range_is_refused(value, message):
    samples = log()
    unsafe = samples["unsafe"].copy()
    unsafe[3] = value
    with pytest.raises(MooInferError, match=message):
        Empirical(replace(samples, columns={**samples.columns, "unsafe": unsafe}), judged={"unsafe": "down"})


def test_models_that_are_judged_otherwise_are_not_compared():
    one, other = profile(log()), ModelProfile("other", Empirical(log(1), judged={"unsafe": "up"}), (LoggedCost(),))
    with pytest.raises(MooInferError, match="'unsafe' is .* for mine with one-call, but"):
        Pipeline("one-call", k=[1]).candidates([one, other])
    lacking = ModelProfile("other", Empirical(log(1), judged={"unsafe": "down"}), (LoggedCost(),))
    with pytest.raises(MooInferError, match="other with one-call has no judgement of format_ok, which mine with"):
        Pipeline("one-call", k=[1]).candidates([one, lacking])
