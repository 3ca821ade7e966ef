"""Exact evaluation by counts, against the recursion over subsets, closed forms and logs of eighty samples."""

import csv
import gzip
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.special import comb

from moo_infer import (
    AccuracyAggregator,
    Answer,
    Call,
    CostModel,
    Exact,
    ModelProfile,
    MooInferError,
    NotExact,
    Pipeline,
    Policy,
    Samples,
    Seen,
)
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.builtin.policies import (
    AdaptiveConsistency,
    Fixed,
    TwoRounds,
    TwoThenMore,
    VoteUntilDecided,
    Windows,
    beta_lead,
    dirichlet_lead,
)
from moo_infer.builtin.stages import Cascade, FirstAccepted, Stage
from moo_infer.builtin.stopping import ByLabel, WorthIt
from moo_infer.core.errors import NothingPossible
from moo_infer.policy import counting, kinds
from moo_infer.policy.by_counts import by_counts
from moo_infer.policy.deployment import Deployment
from moo_infer.policy.exact import by_subsets, evaluated
from moo_infer.policy.looks import ComparedNoise, CountedVotes
from moo_infer.policy.replay import replayed

COSTS = (LoggedCost(), LoggedLatency())


def log(name, n, *, others=6, apart=0, both_ways=False):
    """A log with blanks, ties and answers that were given equally often; the same answer may be judged both ways."""
    rng = np.random.default_rng([*name.encode()])
    question = np.repeat(np.arange(len(n)), n)
    N = len(question)
    answer = rng.integers(-1, others, N)
    right = (answer == 1) & (rng.random(N) < (0.7 if both_ways else 1.0))
    columns = {name: rng.random(N) for name in ("score", "latency_s", "cost_usd")}
    answer = np.where(answer >= 0, answer + apart, answer)
    columns |= {
        "answer": answer,
        "answer_key": answer,
        "input_tokens": np.full(N, 10.0),
        "output_tokens": rng.random(N) * 100,
    }
    return Samples(name, [f"{'maths' if i % 2 else 'law'}:{i}" for i in range(len(n))], question, right * 1.0, columns)


def deployment(policy, registry, samples, costs=COSTS):
    profiles = {log.model: ModelProfile(log.model, Empirical(log), costs) for log in samples}
    return Deployment.of(policy, profiles, None, registry)


LOGS = {
    "votes": (log("small", (6, 7, 6)), log("large", (7, 6, 6))),
    "judged both ways": (log("small", (6, 7, 5), both_ways=True), log("large", (5, 6, 6), both_ways=True)),
    "no answer in common": (log("small", (6, 6)), log("large", (6, 7), apart=90)),
}


@dataclass(frozen=True)
class Majority(Policy):
    """A policy of somebody else: counts the votes of two models, calls one of them again later."""

    name = "majority"

    @property
    def most(self):
        return {"small": 4, "large": 2}

    def decide(self, seen, /):
        small, large = seen.n("small"), seen.n("large")
        if not small:
            return Call({"small": 2})
        if seen.votes("small").sum() and seen.votes("small")[0] < 2 and not large:
            return Call({"large": 1})
        if large == 1 and small == 2:
            return Call({"small": 2, "large": 1}) if max(seen.votes()) < 2 else Answer()
        return Answer(of=("small",))


@dataclass(frozen=True)
class Named(Policy):
    """Looks at which answers they are."""

    name = "named"

    @property
    def most(self):
        return {"small": 5}

    def decide(self, seen, /):
        done = seen.n("small") == 5 or 1 in seen.column("small", "answer").tolist()
        return Answer() if done else Call({"small": 1})


@dataclass(frozen=True)
class LowestCode(AccuracyAggregator):
    """Takes the answer with the lowest code, which renaming would change."""

    name = "lowest-code"

    def aggregate(self, draws, rng, /):
        answer = np.where(draws["answer"] < 0, 99, draws["answer"])
        lowest = np.minimum.accumulate(answer, axis=1)
        same = answer[:, :, None] == lowest[:, None, :]
        before = np.arange(answer.shape[1])[:, None] <= np.arange(answer.shape[1])
        taken = same & before
        return (taken * draws.accuracy[:, :, None]).sum(axis=1) / taken.sum(axis=1)


@dataclass(frozen=True)
class Onward(Policy):
    """Calls one model until two answers agree, and then another without looking back."""

    name = "onward"

    @property
    def most(self):
        return {"small": 4, "large": 3}

    def decide(self, seen, /):
        model = "large" if seen.n("large") else "small"
        if seen.n(model) and seen.votes(model)[0] == 2:
            return Answer(of=(model,))
        if seen.n(model) < self.most[model]:
            return Call({model: 1})
        return Answer(of=("large",)) if seen.n("large") else Call({"large": 1})


@dataclass(frozen=True)
class Careless(Policy):
    """Catches all errors, and goes on."""

    name = "careless"

    @property
    def most(self):
        return {"small": 4}

    def decide(self, seen, /):
        try:
            agree = seen.n("small") > 1 and seen.votes()[0] == seen.n("small")
        except Exception:
            agree = False
        return Answer() if seen.n("small") == 4 or agree else Call({"small": 1})


POLICIES = [
    Fixed(4, model="small"),
    Fixed(3, LowestCode(), "small"),
    Fixed(3, {"kind": "top-score"}, "small"),
    VoteUntilDecided(5, (3, 1), model="small"),
    VoteUntilDecided(5, (1,), model="small"),
    TwoThenMore(5, model="small"),
    AdaptiveConsistency(0.9, 5, model="small"),
    AdaptiveConsistency(0.7, 5, (2, 1), "dirichlet", model="small"),
    TwoRounds(2, 3, 0.8, model="small"),
    FirstAccepted(k=4, model="small"),
    FirstAccepted(k=4, score_above=0.7, model="small"),
    FirstAccepted((Stage("small", 3), Stage("large", 2))),
    Cascade(Stage("small", 2), Stage("large", 1)),
    Cascade(Stage("small", 3), Stage("large", 3), agree=2),
    Cascade(Stage("small", 2), Stage("large", 1), score_above=0.6),
    WorthIt(1.0, (0.5, 1.5), 0.2, k=5, model="small"),
    ByLabel("task", {"maths": Fixed(3)}, TwoThenMore(4), "small"),
    Majority(),
    Named(),
    Onward(),
    Careless(),
]


@pytest.mark.parametrize("logs", LOGS)
@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_counts_say_what_subsets_say(policy, logs, registry):
    of = deployment(policy, registry, LOGS[logs])
    expected, found = by_subsets(of), by_counts(of)
    assert {"accuracy", "cost"} <= found.mean.keys()
    for name in found.mean:
        np.testing.assert_allclose(found.mean[name], expected.mean[name], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.square[name], expected.square[name], rtol=1e-9, atol=1e-12)
    for kind in ("calls", "waves", "endings"):
        for key, share in getattr(expected, kind).items():
            np.testing.assert_allclose(getattr(found, kind).get(key, 0.0), share, atol=1e-12)


def test_votes_are_an_array_that_is_counted_as_far_as_it_is_looked_at():
    looked = []

    def one(place):
        looked.append(place)
        return [3, 1][place]

    def every():
        looked.append("all")
        return np.array([3, 1, 0, 0])

    votes = CountedVotes(one, every)
    assert (votes[0], votes[np.int64(1)]) == (3, 1)
    assert looked == [0, 1]
    assert (votes[2], votes[-1], votes[:2].tolist()) == (0, 0, [3, 1])
    assert (sum(votes), votes.sum(), max(votes), len(votes), votes.shape, [*votes]) == (4, 4, 3, 4, (4,), [3, 1, 0, 0])
    assert (votes - 1).tolist() == (-1 + votes).tolist() == [2, 0, -1, -1]
    assert np.append(votes, 5).tolist() == [3, 1, 0, 0, 5]
    assert np.add(votes, votes).tolist() == [6, 2, 0, 0]
    assert repr(votes) == "array([3, 1, 0, 0])"
    with pytest.raises(AttributeError):
        _ = votes._nothing
    assert looked.count(0) == 1


def test_noise_may_be_compared_and_nothing_else():
    compared = []
    noise = ComparedNoise(np.array([[0.25, 0.75]]), lambda others: compared.extend(np.unique(others)))
    assert (noise < 0.5).tolist() == [[True, False]]
    assert (noise[0] >= np.array([0.1, 0.9])).tolist() == [True, False]
    assert compared == [0.5, 0.1, 0.9]
    assert noise.shape == (1, 2)
    for bad in (lambda: noise + 1, lambda: np.sort(noise), lambda: np.less.outer(noise, noise)):
        with pytest.raises(NotExact, match="noise"):
            bad()


@pytest.mark.parametrize(
    ("policy", "known"),
    [
        (AdaptiveConsistency(k=5, model="small"), True),  # one call at a time: seconds add
        (Cascade(Stage("small", 2), Stage("large", 2)), True),  # every model is called once
        (VoteUntilDecided(5, (3, 2), model="small"), False),  # the slowest of a second wave
    ],
)
def test_seconds_are_known_by_counts_where_they_add_or_a_model_is_called_once(policy, known, registry):
    assert ("latency" in by_counts(deployment(policy, registry, LOGS["votes"])).mean) == known


def test_waves_arrivals_and_money_so_far_are_not_counted(registry):
    for policy in (Windows(2, 4, model="small"), VoteUntilDecided(4, arrivals=True, model="small")):
        with pytest.raises(NotExact):
            by_counts(deployment(policy, registry, LOGS["votes"]))


def test_stages_of_cascades_of_real_models_say_what_subsets_say(gpqa, registry):
    names = [*gpqa][:3]
    for first in names:
        for then in names:
            for k in (2, 3, 5):
                if first == then:
                    continue
                of = Deployment.of(Cascade(Stage(first, k), Stage(then)), gpqa, None, registry)
                expected, found = by_subsets(of), by_counts(of, whole=True)
                for name, mean in expected.mean.items():
                    np.testing.assert_allclose(found.mean[name], mean, rtol=1e-9, atol=1e-12)
                    np.testing.assert_allclose(found.square[name], expected.square[name], rtol=1e-9, atol=1e-12)


def checked(n, right, k, tp, fp):
    """E[calls] and P(accepted is right) of a checker that errs, by hypergeometric products."""
    calls = worth = 0.0
    for i in range(k):  # i rejected ones, of which r are right, before the next
        for r in range(max(0, i - (n - right)), min(i, right) + 1):
            before = comb(right, r) * comb(n - right, i - r) / comb(n, i) * (1 - tp) ** r * (1 - fp) ** (i - r)
            calls += before
            worth += before * (right - r) / (n - i) * tp
    return calls, worth


@pytest.mark.parametrize(("tp", "fp"), [(0.95, 0.1), (1.0, 0.0), (0.6, 0.6), (0.0, 0.3)])
def test_a_checker_that_errs_is_exact_by_hypergeometric_products(tp, fp, registry):
    n, right = (30, 30, 30, 30), (0, 3, 17, 30)
    correct = np.concatenate([np.arange(size) < r for size, r in zip(n, right, strict=True)]) * 1.0
    columns = {"cost_usd": np.ones(len(correct)), "latency_s": np.ones(len(correct))}
    samples = Samples("small", [*"abcd"], np.repeat(np.arange(4), 30), correct, columns)
    of = deployment(FirstAccepted(k=12, true_positive=tp, false_positive=fp, model="small"), registry, [samples])
    found = evaluated(of)
    expected = [checked(30, r, 12, tp, fp) for r in right]
    np.testing.assert_allclose(found.mean["cost"], [calls for calls, _ in expected], rtol=1e-12)
    np.testing.assert_allclose(found.mean["latency"], found.mean["cost"], rtol=1e-12)
    np.testing.assert_allclose(found.mean["accuracy"], [worth for _, worth in expected], rtol=1e-12, atol=1e-15)


def test_a_checker_with_two_stages_is_that_of_replay(registry):
    stages = (Stage("small", 3), Stage("large", 2))
    of = deployment(FirstAccepted(stages, true_positive=0.8, false_positive=0.2), registry, LOGS["votes"])
    found = evaluated(of)
    assert not len(found.replayed)
    drawn = replayed(of, 10_000, 0).totals
    for name, mean in found.mean.items():
        assert abs(drawn[name].mean() - mean.mean()) <= 4 * drawn[name].std() / np.sqrt(10_000), name


@dataclass(frozen=True)
class NoiseAdded(AccuracyAggregator):
    """Computes with noise, which is more than comparing it."""

    name = "noise-added"

    def aggregate(self, draws, rng, /):
        return np.clip(draws.accuracy + draws["noise"], 0.0, 1.0)


def test_noise_that_is_computed_with_is_simulated(registry):
    found = evaluated(deployment(Fixed(2, NoiseAdded(), "small"), registry, LOGS["votes"]))
    assert sorted(found.mean) == ["cost", "latency"]


@dataclass(frozen=True)
class Fee(CostModel):
    """A fee for every wave."""

    name = "fee"
    objective = LoggedCost.objective

    def total(self, draws, /, *, parallelism):
        return 1.0 + np.cumsum(draws["cost_usd"], axis=1)


def test_what_is_no_sum_of_calls_is_left_out_by_counts_and_refused_in_waves(registry):
    many = [log("small", (30, 30))]
    of = deployment(AdaptiveConsistency(k=20, model="small"), registry, many, (Fee(), LoggedLatency()))
    assert sorted(evaluated(of).mean) == ["accuracy", "latency"]
    with pytest.raises(MooInferError, match="'fee' of small"):
        replayed(of, 100, 0)


@pytest.mark.parametrize("limits", [{"LARGEST": 200}, {"SPENT": 0, "LATER": 200}], ids=["one question", "in all"])
def test_questions_with_too_many_states_are_replayed_and_the_column_is_listed(registry, monkeypatch, limits):
    samples = [log("small", (24, 24, 24), others=2), log("small", (24,) * 3, others=9)]
    columns = {name: np.concatenate([each[name][: 24 * 2] for each in samples]) for name in samples[0].columns}
    correct = np.concatenate([each.correct[: 24 * 2] for each in samples])
    both = Samples("small", [*"abcd"], np.repeat(np.arange(4), 24), correct, columns)
    of = deployment(AdaptiveConsistency(k=24, model="small"), registry, [both])
    exact = evaluated(of)
    assert not len(exact.replayed)
    for name, limit in limits.items():
        monkeypatch.setattr(counting, name, limit)
    found = evaluated(of, 8_000, 1)
    assert found.replayed.tolist() == [2, 3]
    for name, mean in found.mean.items():
        np.testing.assert_allclose(mean[:2], exact.mean[name][:2], rtol=1e-12)
        error = np.sqrt((found.square[name] - mean**2)[2:] / found.times)
        assert (np.abs(mean - exact.mean[name])[2:] <= 4 * error + 0.005).all(), name  # and what is too rare to be seen
    assert sum(found.endings.values()) == pytest.approx(np.ones(4))
    models = {"small": ModelProfile("small", Empirical(both), COSTS)}
    table = Pipeline(k=[1], models=models, policies=of.policy, registry=registry, estimator=Exact(8_000, 1))
    row = table.candidates().where(aggregator="adaptive-consistency").row(0)
    assert {"accuracy.mean", "cost.mean", "cost.std"} <= set(row.simulated)
    assert row.objectives["accuracy"].mean == pytest.approx(found.mean["accuracy"].mean())
    assert 0 < row.objectives["cost"].stderr_simulation < 0.1


def test_a_question_with_too_many_kinds_is_replayed(registry, monkeypatch):
    monkeypatch.setattr(kinds, "WIDEST", 5)
    of = deployment(
        AdaptiveConsistency(k=7, model="small"),
        registry,
        [
            log("small", (9, 9, 9), others=3),
        ],
    )
    assert not len(by_counts(of).replayed)
    wide = log("small", (9, 9, 9), others=9)
    of = deployment(AdaptiveConsistency(k=7, model="small"), registry, [wide])
    found, exact = by_counts(of, 60_000), by_subsets(of)
    assert len(found.replayed)
    for name, mean in found.mean.items():
        error = np.sqrt(np.maximum(found.square[name] - mean**2, 0.0) / 20_000)
        assert (np.abs(mean - exact.mean[name]) <= 4 * error + 1e-9).all(), name


@pytest.mark.parametrize(
    ("counts", "decided"), [((4,), True), ((3,), False), ((5, 0), True), ((7, 1), True), ((8, 3, 3), False)]
)
def test_against_one_other_answer_dirichlet_is_beta(counts, decided):
    seen = Seen({"small": {"answer": np.repeat(np.arange(len(counts)), counts)}})
    policy = AdaptiveConsistency(k=40, prior="dirichlet", model="small")
    assert isinstance(policy.decide(seen), Answer) == decided
    if len(counts) <= 2:
        assert policy.decide(seen) == AdaptiveConsistency(k=40, model="small").decide(seen)
    else:
        assert dirichlet_lead(counts) <= beta_lead(*counts[:2])


def boinf(data, name, model):
    """The log of a model with 80 samples of every question."""
    rows = defaultdict(list)
    with gzip.open(data / "boinf" / f"{name}.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            if row["model"] == model:
                rows[row["question_id"]].append(row)
    every = [row for own in rows.values() for row in own]
    code = {text: i for i, text in enumerate(dict.fromkeys(row["answer"] for row in every if row["answer"]))}
    columns = {
        "answer": np.array([code.get(row["answer"], -1) for row in every]),
        "output_tokens": np.array([float(row["output_tokens"]) for row in every]),
        "cost_usd": np.array([float(row["output_tokens"]) for row in every]) / 1e6,
    }
    question = np.repeat(np.arange(len(rows)), [len(own) for own in rows.values()])
    return Samples(model, [*rows], question, np.array([float(row["correct"]) for row in every]), columns)


@pytest.mark.parametrize(
    ("name", "accuracy", "calls", "p95"), [("gpqa_diamond", 0.716, 17.3, 80), ("math500", 0.951, 6.0, 12)]
)
def test_adaptive_consistency_on_logs_of_eighty_samples(data, registry, monkeypatch, name, accuracy, calls, p95):
    """Figures of a simulation by other people's code, to its error; hard questions are replayed here, to save time."""
    monkeypatch.setattr(counting, "LARGEST", 2**11)
    of = deployment(
        AdaptiveConsistency(k=80, model="gpt-oss-20b"), registry, [boinf(data, name, "gpt-oss-20b")], (LoggedCost(),)
    )
    found = evaluated(of)
    assert 0 < len(found.replayed) < 0.2 * len(of.questions)
    assert found.mean["accuracy"].mean() == pytest.approx(accuracy, abs=0.0015)
    mean = sum(n * share.mean() for n, share in found.calls.items())
    assert mean == pytest.approx(calls, abs=0.3)
    counts = sorted(found.calls)
    reached = np.cumsum([found.calls[n].mean() for n in counts])
    assert counts[int(np.argmax(reached >= 0.95))] == p95


def test_answers_of_several_models_without_texts_are_refused_by_counts_too(registry):
    logs = [replace(of, columns={n: c for n, c in of.columns.items() if n != "answer_key"}) for of in LOGS["votes"]]
    for evaluate in (by_subsets, by_counts):
        with pytest.raises(NothingPossible, match="compares answers of small with those of large: the answers of"):
            evaluate(deployment(Majority(), registry, logs))
