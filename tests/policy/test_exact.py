"""Exact evaluation against one order of the samples after the other."""

from collections import Counter
from dataclasses import dataclass, replace
from itertools import combinations, permutations, product
from types import MappingProxyType

import numpy as np
import pytest

from moo_infer import (
    AccuracyAggregator,
    Answer,
    Call,
    CostModel,
    Draws,
    ModelProfile,
    MooInferError,
    NotExact,
    Pipeline,
    Policy,
    Samples,
    Seen,
)
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedEnergy, LoggedLatency
from moo_infer.builtin.policies import AdaptiveConsistency, Fixed, TwoRounds, TwoThenMore, VoteUntilDecided, Windows
from moo_infer.builtin.stages import Cascade, FirstAccepted, Stage
from moo_infer.core.draws import BEFORE
from moo_infer.core.errors import NothingPossible
from moo_infer.policy.deployment import Deployment
from moo_infer.policy.exact import evaluated
from moo_infer.policy.replay import replayed
from moo_infer.quantities.by_samples import draws_of


def log(name, n=(4, 5), seed=0):
    """A log of a few questions, with blanks and ties, and other numbers of samples for each."""
    rng = np.random.default_rng([seed, *name.encode()])
    question = np.repeat(np.arange(len(n)), n)
    N = len(question)
    answer = rng.integers(-1, 3, N)
    columns = {
        "answer": answer,
        "score": rng.random(N),
        "latency_s": rng.random(N),
        "cost_usd": rng.random(N),
        "energy_j": rng.random(N),
    }
    return Samples(name, [f"maths:{i}" for i in range(len(n))], question, (answer == 1) * 1.0, columns)


COSTS = (LoggedCost(), LoggedLatency())


def on_log(name, samples, costs=COSTS):
    """A profile of a log."""
    return ModelProfile(name, Empirical(samples), costs)


PROFILES = {name: on_log(name, log(name)) for name in ("small", "large")}


def deployment(policy, registry, profiles=PROFILES):
    return Deployment.of(policy, profiles, None, registry)


def by_orders(of):
    """The same figures, from every order of the samples of every question, a step at a time.

    Orders that differ in samples behind the most that a policy calls are one.
    """
    means, squares, calls, waves = {}, {}, Counter(), Counter()
    for q in range(len(of.questions)):
        own = [np.flatnonzero(samples.question == q).tolist() for samples in of.samples]
        most = [min(of.policy.most[model], len(rows)) for model, rows in zip(of.models, own, strict=True)]
        orders = list(product(*map(permutations, own, most)))
        for order in orders:
            totals, n, w = one_order(of, q, [list(rows) for rows in order])
            for name, value in totals.items():
                means.setdefault(name, np.zeros(len(of.questions)))[q] += value / len(orders)
                squares.setdefault(name, np.zeros(len(of.questions)))[q] += value**2 / len(orders)
            calls[n] += 1 / len(orders) / len(of.questions)
            waves[w] += 1 / len(orders) / len(of.questions)
    return means, squares, calls, waves


def one_order(of, q, order):
    taken = dict.fromkeys(of.models, 0)
    totals = {objective.name: 0.0 for objective in of.costs}
    seen_waves = []
    while True:
        rows = {m: order[j][: taken[m]] for j, m in enumerate(of.models)}
        shown = {m: columns(of.samples[j], rows[m]) for j, m in enumerate(of.models) if taken[m]}
        decided = of.policy.decide(Seen(shown, spent=totals, query=of.known[q], waves=seen_waves))
        if isinstance(decided, Answer):
            totals["accuracy"] = worth(of, decided, q, rows)
            return totals, sum(taken.values()), len(seen_waves)
        wave = {m: order[of.models.index(m)][taken[m] : taken[m] + times] for m, times in decided.times.items()}
        for objective, each in of.costs.items():
            spent = [
                sum(total(of, part, j, q, wave[m], taken[m]) for part in each[j])
                for j, m in enumerate(of.models)
                if m in wave
            ]
            totals[objective.name] += sum(spent) if objective.along == "sum" else max(spent)
        seen_waves.append(Seen({m: columns(of.samples[of.models.index(m)], own) for m, own in wave.items()}))
        for m, times in decided.times.items():
            taken[m] += times


def columns(samples, rows):
    return {"correct": samples.correct[rows], **{name: column[rows] for name, column in samples.columns.items()}}


def draws(samples, rows, q, before=0):
    plain = draws_of(samples, np.array([rows]), np.array([q]))
    return Draws(columns={**plain, BEFORE: np.full((1, len(rows)), before)})


def total(of, part, j, q, rows, before):
    return float(part.total(draws(of.samples[j], rows, q, before), parallelism=1)[0, -1])


def worth(of, answer, q, rows):
    models = [m for m in answer.of or of.models if rows[m]]
    if not models:
        return 0.0
    each = [draws(of.samples[of.models.index(m)], rows[m], q) for m in models]
    joint = Draws(columns={name: np.concatenate([d[name] for d in each], axis=1) for name in each[0]})
    return float(of.aggregator(answer).aggregate(joint, np.random.default_rng(0))[0, -1])


@dataclass(frozen=True)
class UntilSpent(Policy):
    """Calls one more until so many dollars are spent."""

    name = "until-spent"
    usd: float = 1.0
    model: str = "small"

    @property
    def most(self):
        return {self.model: 4}

    def decide(self, seen, /):
        done = seen.n(self.model) == 4 or seen.spent("cost") > self.usd
        return Answer() if done else Call({self.model: 1})


@dataclass(frozen=True)
class UntilGood(Policy):
    """Calls one more until a score is good; the best answers."""

    name = "until-good"

    @property
    def most(self):
        return {"small": 3}

    def decide(self, seen, /):
        done = seen.n("small") == 3 or (seen.column("small", "score") > 0.7).any()
        return Answer("top-score") if done else Call({"small": 1})


@dataclass(frozen=True)
class Both(Policy):
    """Calls two models at once, then the one that has more votes once more, and answers from both."""

    name = "both"

    @property
    def most(self):
        return {"small": 3, "large": 2}

    def decide(self, seen, /):
        if not seen.n("small"):
            return Call({"small": 2, "large": 1})
        if seen.n("small") == 3 or seen.n("large") == 2:
            return Answer("one-call", of=("large",)) if seen.n("large") == 1 else Answer("coverage")
        return Call({"small": 1} if seen.votes("small")[0] > seen.votes("large")[0] else {"large": 1})


POLICIES = [
    Fixed(3, model="small"),
    Fixed(2, {"kind": "top-score"}, model="small"),
    VoteUntilDecided(4, (3, 1), model="small"),
    VoteUntilDecided(4, (1,), model="large"),
    TwoThenMore(4, model="small"),
    AdaptiveConsistency(0.8, 4, model="small"),
    AdaptiveConsistency(0.7, 4, (2, 1), "dirichlet", model="small"),
    Windows(2, 4, model="small"),
    TwoRounds(2, 2, 0.8, model="small"),
    FirstAccepted(k=3, model="small"),
    FirstAccepted(k=3, score_above=0.7, model="small"),
    FirstAccepted((Stage("small", 2), Stage("large", 2))),
    Cascade(Stage("small", 2), Stage("large", 1)),
    Cascade(Stage("small", 3), Stage("large", 2), agree=2),
    Cascade(Stage("small", 2), Stage("large", 1), score_above=0.6),
    UntilSpent(),
    UntilGood(),
    Both(),
]


@pytest.mark.parametrize("policy", POLICIES, ids=repr)
def test_exact_is_the_mean_over_all_orders_of_the_samples(policy, registry):
    of = deployment(policy, registry)
    found = evaluated(of)
    means, squares, calls, waves = by_orders(of)
    assert found.mean.keys() == means.keys()
    for name in means:
        np.testing.assert_allclose(found.mean[name], means[name], rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(found.square[name], squares[name], rtol=1e-12, atol=1e-14)
    assert {n: share.mean() for n, share in found.calls.items() if share.any()} == pytest.approx(dict(calls))
    assert {n: share.mean() for n, share in found.waves.items() if share.any()} == pytest.approx(dict(waves))
    assert sum(found.endings.values()) == pytest.approx(np.ones(len(of.questions)))


@dataclass(frozen=True)
class Fee(CostModel):
    """A fee for every query, and so much for a call."""

    name = "fee"
    objective = LoggedCost.objective
    fee: float = 1.0
    knows: bool = False

    def total(self, draws, /, *, parallelism):
        first = (draws[BEFORE][:, :1] == 0) if self.knows else 1.0
        return self.fee * first + np.cumsum(draws["cost_usd"], axis=1)


def test_a_fee_that_several_waves_would_pay_twice_is_refused_and_one_that_knows_of_calls_before_is_not(registry):
    profiles = {"small": on_log("small", log("small"), (Fee(), LoggedLatency()))}
    with pytest.raises(
        MooInferError, match="policy 'two-then-more': 'fee' of small: 2 calls and then 2 more take .* at once"
    ):
        evaluated(deployment(TwoThenMore(4, model="small"), registry, profiles))
    evaluated(deployment(Fixed(4, model="small"), registry, profiles))  # one wave
    profiles = {"small": on_log("small", log("small"), (Fee(knows=True), LoggedLatency()))}
    of = deployment(TwoThenMore(4, model="small"), registry, profiles)
    np.testing.assert_allclose(evaluated(of).mean["cost"], by_orders(of)[0]["cost"], rtol=1e-12)


@dataclass(frozen=True)
class Random(AccuracyAggregator):
    """Draws random numbers."""

    name = "random"

    def aggregate(self, draws, rng, /):
        return rng.random(draws.accuracy.shape)


@dataclass(frozen=True)
class Late(Policy):
    """Looks at what the first of several calls brought."""

    name = "late"

    @property
    def most(self):
        return {"small": 3}

    def decide(self, seen, /):
        done = seen.n("small") == 3 or (len(seen.waves) > 1 and seen.waves[0].votes()[0])
        return Answer() if done else Call({"small": 1})


def test_what_is_no_function_of_sets_of_samples_is_not_exact(registry):
    found = evaluated(deployment(Fixed(2, Random(), "small"), registry))
    assert sorted(found.mean) == ["cost", "latency"]
    found = evaluated(deployment(Fixed(2, "one-call", "small"), registry))  # which of them is the first?
    assert sorted(found.mean) == ["cost", "latency"]
    profiles = {"small": replace(on_log("small", log("small"), (LoggedCost(), LoggedLatency("slots"))), parallelism=2)}
    assert sorted(evaluated(deployment(Fixed(3, model="small"), registry, profiles)).mean) == ["accuracy", "cost"]
    with pytest.raises(NotExact, match="looks at what calls before the last one brought"):
        evaluated(deployment(Late(), registry))


def test_a_fourth_objective_is_summed_along_waves_and_models(registry):
    costs = (LoggedCost(), LoggedLatency(), LoggedEnergy())
    profiles = {name: on_log(name, log(name), costs) for name in ("small", "large")}
    of = deployment(Both(), registry, profiles)
    assert [objective.along for objective in of.costs] == ["sum", "longest-path", "sum"]
    np.testing.assert_allclose(evaluated(of).mean["energy"], by_orders(of)[0]["energy"], rtol=1e-12)


def test_models_that_answered_other_questions_too_are_compared_on_the_common_ones(registry):
    small = log("small", (4, 4, 4))
    large = log("large", (4, 4))
    turned = Samples("large", ["maths:2", "maths:0"], large.question, large.correct, large.columns)
    of = deployment(
        Cascade(Stage("small", 2), Stage("large", 1)),
        registry,
        {"small": on_log("small", small), "large": on_log("large", turned)},
    )
    assert of.questions == ("maths:0", "maths:2")
    assert of.samples[1].correct.tolist() == [*large.correct[4:], *large.correct[:4]]
    np.testing.assert_allclose(evaluated(of).mean["accuracy"], by_orders(of)[0]["accuracy"], rtol=1e-12)


def test_what_cannot_be_evaluated_is_refused_in_a_sentence(registry, profile):
    cascade = Cascade(Stage("small", 2), Stage("large", 1))
    with pytest.raises(MooInferError, match="policy 'cascade': unknown model 'large'; available: small"):
        deployment(cascade, registry, {"small": PROFILES["small"]})
    with pytest.raises(MooInferError, match="policy 'cascade' calls several models, and large has no log"):
        deployment(cascade, registry, {"small": PROFILES["small"], "large": profile("large")})
    others = Samples(
        "large", ["other"], np.zeros(2, int), np.ones(2), {"cost_usd": np.ones(2), "latency_s": np.ones(2)}
    )
    with pytest.raises(MooInferError, match="the logs of small, large have no question in common"):
        deployment(cascade, registry, {"small": PROFILES["small"], "large": on_log("large", others)})
    with pytest.raises(
        NothingPossible, match="'fixed' calls small up to 5 times, and its log has 4 samples of some question"
    ):
        deployment(Fixed(5, model="small"), registry)
    with pytest.raises(
        MooInferError, match="small and large are not priced in the same objectives; one of them has no latency"
    ):
        evaluated(deployment(cascade, registry, {**PROFILES, "large": on_log("large", log("large"), (LoggedCost(),))}))


@pytest.mark.parametrize("billed", ["share", "full", "none"])
def test_arrivals_are_those_of_the_calls_alone(registry, billed):
    """Against a plain loop over subsets."""
    policy = VoteUntilDecided(3, arrivals=True, cancelled_billed=billed, model="small")
    found = evaluated(deployment(policy, registry))
    samples = log("small")
    seconds, dollars, answer = (samples[name] for name in ("latency_s", "cost_usd", "answer"))
    for q in range(len(samples.questions)):
        figures = []
        for chosen in combinations(np.flatnonzero(samples.question == q), 3):
            order = np.array(sorted(chosen, key=lambda i: seconds[i]))
            decided = [t for t in (1, 2, 3) if t == 3 or is_decided(answer[order[:t]], 3)]
            arrived, cancelled = order[: decided[0]], order[decided[0] :]
            end = seconds[arrived].max()
            share = {"share": end / seconds[cancelled], "full": 1.0, "none": 0.0}[billed]
            figures.append((end, dollars[arrived].sum() + (dollars[cancelled] * share).sum(), len(arrived)))
        end, usd, calls = np.mean(figures, axis=0)
        assert (found.mean["latency"][q], found.mean["cost"][q]) == pytest.approx((end, usd), rel=1e-12)
        assert sum(n * share[q] for n, share in found.calls.items()) == pytest.approx(calls)


def test_cancelled_calls_take_the_joules_of_the_seconds_that_ran(registry):
    """Whatever is billed for them; all of them end at 1 s, where the third arrives."""
    columns = {"answer": np.array([0, 0, 0, 1]), "latency_s": np.array([0.5, 0.8, 1.0, 4.0])}
    columns |= {"energy_j": np.array([1.0, 2.0, 3.0, 40.0]), "cost_usd": np.ones(4)}
    costs = (LoggedCost(), LoggedLatency(), LoggedEnergy())
    profile = on_log("small", Samples("small", ["q"], np.zeros(4, int), np.array([1.0, 1, 1, 0]), columns), costs)
    for billed, usd in (("share", 3.25), ("full", 4.0), ("none", 3.0)):
        policy = VoteUntilDecided(4, arrivals=True, cancelled_billed=billed, model="small")
        of = deployment(policy, registry, {"small": profile})
        exact, drawn = evaluated(of).mean, replayed(of, 2, 0).totals
        for found in ({name: mean[0] for name, mean in exact.items()}, {name: of[0] for name, of in drawn.items()}):
            assert (found["cost"], found["energy"]) == pytest.approx((usd, 1 + 2 + 3 + 40 / 4), rel=1e-12)


def rounded(name, parts):
    """A log whose seconds are full parts of one, so that some of them are equal; all where it is one part."""
    samples = log(name)
    seconds = np.ceil(parts * samples["latency_s"]) / parts
    return replace(samples, columns={**samples.columns, "latency_s": seconds})


@pytest.mark.parametrize("parts", [2, 1], ids=["some", "all"])
def test_answers_that_arrive_at_the_same_time_arrive_in_any_order(registry, parts):
    """Against a plain loop over subsets and orders."""
    policy, samples = VoteUntilDecided(3, arrivals=True, model="small"), rounded("small", parts)
    found = evaluated(deployment(policy, registry, {"small": on_log("small", samples, COSTS)}))
    seconds, dollars, answer = (samples[name] for name in ("latency_s", "cost_usd", "answer"))
    tied = 0
    for q in range(len(samples.questions)):
        figures = []
        for chosen in combinations(np.flatnonzero(samples.question == q), 3):
            orders = [np.array(order) for order in permutations(chosen) if (np.diff(seconds[list(order)]) >= 0).all()]
            tied += len(orders) > 1
            each = []
            for order in orders:
                t = next(t for t in (1, 2, 3) if t == 3 or is_decided(answer[order[:t]], 3))
                end = seconds[order[t - 1]]
                cancelled = (dollars[order[t:]] * end / seconds[order[t:]]).sum()
                each.append((end, dollars[order[:t]].sum() + cancelled, t))
            figures.append(np.mean(each, axis=0))
        end, usd, calls = np.mean(figures, axis=0)
        assert (found.mean["latency"][q], found.mean["cost"][q]) == pytest.approx((end, usd), rel=1e-12)
        assert sum(n * share[q] for n, share in found.calls.items()) == pytest.approx(calls)
    assert tied > 0


FREE_TEXTS = {
    "nearly all answers to a question differ: 4 different ones among 4": [0, 1, 2, 3],
    "nearly all answers to a question differ: 2 different ones among 2": [0, 1, -1, -1],
    "no question has two answers": [-1, -1, -1, -1],
}


@pytest.mark.parametrize("reason", FREE_TEXTS)
@pytest.mark.parametrize(
    "policy", [Windows(2, 2, "small"), TwoThenMore(2, "small"), AdaptiveConsistency(0.5, 2, model="small")], ids=str
)
def test_answers_that_hardly_ever_agree_are_not_voted_on_by_tables_or_runs(registry, policy, reason):
    answer = np.array(FREE_TEXTS[reason])
    columns = {"answer": answer, "latency_s": np.arange(1.0, 5.0), "cost_usd": np.ones(4)}
    models = {
        "small": on_log("small", Samples("small", ["a", "b"], np.repeat([0, 1], 2), (answer == 0) * 1.0, columns))
    }
    pipeline = Pipeline(aggregators=["one-call"], k=[1], models=models, policies=[policy], registry=registry)
    for ask in (pipeline.candidates, pipeline.run):
        with pytest.raises(
            NothingPossible, match=f"policy '{policy.name}' compares answers of small: no vote, .*{reason}"
        ):
            ask()
    of = deployment(policy, registry, models)
    with pytest.raises(NothingPossible, match=reason):
        replayed(of, 100, 0)


@pytest.mark.parametrize(
    "cascade", [Cascade(Stage("small", 2), Stage("large")), Cascade(Stage("small"), Stage("large"), score_above=0.5)]
)
def test_one_call_of_a_model_is_compared_with_nothing(registry, cascade):
    """Two samples of a question of the second model differ; it is called once."""
    right = {"small": [0, 0, 1, 1, 1, 0], "large": [1, 0, 1, 0]}
    models = {}
    for name, question in {"small": [0, 0, 1, 1, 2, 2], "large": [0, 0, 1, 2]}.items():
        answer, n = 1 - np.array(right[name]), len(question)
        columns = {"answer": answer, "answer_key": answer, "score": 0.8 - 0.8 * answer}
        columns |= {"latency_s": np.ones(n), "cost_usd": np.ones(n)}
        models[name] = on_log(name, Samples(name, ["a", "b", "c"], np.array(question), (answer == 0) * 1.0, columns))
    of = deployment(cascade, registry, models)
    found, drawn = evaluated(of), replayed(of, 20_000, 0)
    assert drawn.totals["accuracy"].mean() == pytest.approx(found.mean["accuracy"].mean(), abs=0.015)


@dataclass(frozen=True)
class FirstSample(Policy):
    """Calls two models and answers with the first sample of them."""

    name = "first-sample"
    most = MappingProxyType({"small": 2, "large": 1})

    def decide(self, seen, /):
        return Answer("one-call") if seen.n("large") else Call(self.most)


@dataclass(frozen=True)
class FirstOfSame(Policy):
    """Calls a model twice and answers with the first sample, after both have arrived."""

    name = "first-of-same"
    arrivals = True
    most = MappingProxyType({"small": 2})

    def decide(self, seen, /):
        return (Call(self.most), Call({}), Answer("one-call"))[seen.n("small")]


def test_what_heeds_the_order_of_samples_of_later_questions_alone_is_no_exact_number(registry):
    """Questions with as many samples are looked at together; those of the first are all right."""
    right = np.array([1, 1, 1, 0, 0.0])
    columns = {"latency_s": np.ones(5), "cost_usd": np.ones(5)}
    models = {"small": on_log("small", Samples("small", ["a", "b"], np.array([0, 0, 1, 1, 1]), right, columns))}
    for _ in range(2):  # what was refused is not kept
        assert "accuracy" not in evaluated(deployment(FirstOfSame(), registry, models)).mean


def test_what_heeds_the_order_of_samples_of_several_models_is_no_exact_number(registry):
    found = evaluated(deployment(FirstSample(), registry))
    assert "accuracy" not in found.mean
    assert "cost" in found.mean


@dataclass(frozen=True)
class FirstOfTwo(Policy):
    """Answers with whatever arrives first."""

    name = "first-of-two"
    arrivals = True
    most = MappingProxyType({"small": 1, "large": 1})

    def decide(self, seen, /):
        first = [model for model in self.most if seen.n(model)]
        return Answer("one-call", tuple(first)) if first else Call(self.most)


def test_models_that_answer_at_the_same_time_are_as_likely_the_first(registry):
    models = {name: on_log(name, rounded(name, 1), COSTS) for name in ("small", "large")}
    of = deployment(FirstOfTwo(), registry, models)
    found, drawn = evaluated(of), replayed(of, 4000, 0)
    alone = [evaluated(deployment(Fixed(1, model=name), registry, models)) for name in models]
    np.testing.assert_allclose(found.mean["accuracy"], np.mean([each.mean["accuracy"] for each in alone], axis=0))
    assert drawn.n.mean(axis=0) == pytest.approx([0.5, 0.5], abs=0.04)


@dataclass(frozen=True)
class UntilRight(Policy):
    """Waits for a right answer of two models that are called twice each."""

    name = "until-right"
    arrivals = True
    cancelled_billed = "none"
    most = MappingProxyType({"small": 2, "large": 2})

    def decide(self, seen, /):
        calls = sum(seen.n(model) for model in self.most)
        if not calls:
            return Call(self.most)
        right = any(0 in seen.column(model, "answer") for model in self.most if seen.n(model))
        return Answer("best-of-k") if right or calls == 4 else Call({})


def test_what_is_paid_for_is_what_was_seen(registry):
    """Small is right for 1 dollar or wrong for 100, at the same time as large, which is always wrong, for nothing."""
    wrong_first = {"answer": np.array([0, 1]), "cost_usd": np.array([1.0, 100.0]), "latency_s": np.ones(2)}
    nothing = {"answer": np.array([2, 2]), "cost_usd": np.zeros(2), "latency_s": np.ones(2)}
    models = {
        name: on_log(name, Samples(name, ["q"], np.zeros(2, int), (columns["answer"] == 0) * 1.0, columns))
        for name, columns in {"small": wrong_first, "large": nothing}.items()
    }
    of = deployment(UntilRight(), registry, models)
    assert evaluated(of).mean["cost"] == pytest.approx([51.0])  # 1 or 101, as likely
    totals = replayed(of, 4000, 0).totals["cost"]
    assert {*totals.tolist()} == {1.0, 101.0}
    assert totals.mean() == pytest.approx(51.0, abs=4 * 50 / 4000**0.5)


def test_many_that_arrive_at_the_same_time_are_exact_as_long_as_their_sets_can_be_gone_through(registry, monkeypatch):
    samples, times = rounded("small", 1), 3  # twelve samples of a question and more, all of which arrive together
    again = np.repeat(np.arange(len(samples)), times)
    columns = {name: column[again] for name, column in samples.columns.items()}
    more = Samples("small", samples.questions, samples.question[again], samples.correct[again], columns)
    of = deployment(
        VoteUntilDecided(9, arrivals=True, model="small"), registry, {"small": on_log("small", more, COSTS)}
    )
    found, drawn = evaluated(of), replayed(of, 20_000, 0)
    for name, totals in drawn.totals.items():
        assert abs(totals.mean() - found.mean[name].mean()) <= 4 * totals.std() / np.sqrt(len(totals)) + 1e-12
    with monkeypatch.context() as fewer:
        fewer.setattr("moo_infer.policy.arrivals.BITS", 17)
        with pytest.raises(NotExact, match="more calls at once than a number has bits"):
            evaluated(of)
    monkeypatch.setattr("moo_infer.policy.arrivals.MANY", 1000)
    with pytest.raises(NotExact, match="more sets of answers that arrive at the same time"):
        evaluated(of)


def test_a_cascade_by_score_needs_one_scored_sample_of_a_question():
    models = {}
    for name, right in {"small": [0, 1, 0], "large": [1, 1, 0]}.items():
        columns = {"answer": 1 - np.array(right), "score": np.array([0.2, 0.7, 0.9])}
        columns |= {"latency_s": np.arange(1.0, 4.0), "cost_usd": np.ones(3)}
        models[name] = on_log(name, Samples(name, ["a", "b", "c"], np.arange(3), np.array(right) * 1.0, columns))
    cascade = Cascade(Stage("small"), Stage("large"), score_above=0.5)
    report = Pipeline(aggregators=["one-call"], k=[1], models=models, policies=[cascade]).run()
    row = next(row for row in report.candidates if row.aggregator == "cascade")
    assert row.objectives["accuracy"].mean == pytest.approx(2 / 3)  # a is passed on, and right then; c is not
    assert row.objectives["cost"].mean == pytest.approx(4 / 3)
    assert row.objectives["cost"].high == pytest.approx(2.0)


def is_decided(answers, k):
    first, second = Seen({"small": {"answer": answers}}).votes()[:2]
    return first - second > k - len(answers)


@dataclass(frozen=True)
class Arrives(Policy):
    """Decides at arrivals what it was told to."""

    name = "arrives"
    arrivals = True
    after: object = None

    @property
    def most(self):
        return {"small": 3}

    def decide(self, seen, /):
        return self.after if seen.n("small") or not self.after else Call({"small": 2})


def test_what_a_policy_at_arrivals_may_not_do(registry):
    with pytest.raises(MooInferError, match="policy 'arrives' calls more after 1 answers arrived"):
        evaluated(deployment(Arrives(Call({"small": 1})), registry))
    with pytest.raises(MooInferError, match="policy 'arrives' waits for more answers after all 2 arrived"):
        evaluated(deployment(Arrives(Call({})), registry))
    slots = {"small": on_log("small", log("small"), (LoggedCost(), LoggedLatency("sequential")))}
    with pytest.raises(MooInferError, match="'logged-latency' of small: 3 calls at once do not take the slowest"):
        evaluated(deployment(VoteUntilDecided(3, arrivals=True, model="small"), registry, slots))
    unpriced = {"small": on_log("small", log("small"), (LoggedCost(),))}
    with pytest.raises(MooInferError, match="no cost model says how long a call takes alone"):
        evaluated(deployment(VoteUntilDecided(3, arrivals=True, model="small"), registry, unpriced))
