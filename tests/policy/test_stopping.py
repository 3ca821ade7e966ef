"""Policies that weigh a call against its price, by label, and the numbers that models fill in."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from moo_infer import CostModel, Draws, InferenceModel, ModelProfile, MooInferError, Objective, Pipeline, Samples, Seen
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.builtin.policies import Fixed, TwoThenMore
from moo_infer.builtin.stopping import Box, ByLabel, Reservation, ScoreLaw, WorthIt, reserve
from moo_infer.policy.deployment import Deployment
from moo_infer.policy.exact import evaluated
from moo_infer.policy.filling import filled
from moo_infer.policy.replay import replayed

UNIFORM = ScoreLaw(low=0.0, high=1.0)


def test_reserves_are_those_of_weitzman():
    assert reserve(UNIFORM, 0.02) == pytest.approx(0.8, abs=1e-12)
    assert reserve(ScoreLaw(mean=0.94, std=0.02), 0.001) == pytest.approx(0.965111634, abs=5e-10)
    assert reserve(ScoreLaw(mean=0.90, std=0.08), 0.002) == pytest.approx(1.025513, abs=5e-7)
    assert reserve(ScoreLaw(mean=0.92, std=0.03), 0.0005) == pytest.approx(0.972136, abs=5e-7)
    assert reserve(ScoreLaw(values=(0.0, 1.0)), 0.25) == pytest.approx(0.5)
    assert reserve(UNIFORM, 0.7) == pytest.approx(-0.2)  # not worth a call at all unless what is there is worse


def test_models_are_called_in_the_order_of_their_reserves():
    boxes = (
        Box("a", 0.001, 1, ScoreLaw(mean=0.94, std=0.02)),
        Box("b", 0.002, 1, ScoreLaw(mean=0.90, std=0.08)),
        Box("c", 0.0005, 1, ScoreLaw(mean=0.92, std=0.03)),
    )
    policy = Reservation(models=boxes)
    assert policy.decide(Seen()).times == {"b": 1}
    assert policy.decide(Seen({"b": {"score": [0.95]}})).times == {"c": 1}
    assert policy.decide(Seen({"b": {"score": [0.9722]}})).by == "top-score"
    assert policy.decide(Seen({"b": {"score": [np.nan]}, "c": {"score": [0.9]}})).times == {"a": 1}


@dataclass(frozen=True)
class Scored(InferenceModel):
    """Scores that are uniform, and what an inference is worth."""

    name = "scored"

    def sample(self, rng, M, K, /):
        score = rng.random((M, K))
        return Draws(accuracy=score, columns={"score": score})


@dataclass(frozen=True)
class Price(CostModel):
    """The same for every call."""

    name = "price"
    objective = Objective("cost", unit="USD")
    usd: float = 0.02

    def total(self, draws, /, *, parallelism):
        return np.cumsum(np.full(draws.accuracy.shape, self.usd), axis=1)


@pytest.mark.parametrize(("k", "value"), [(6, 0.77004069), (10, 0.79219097), (20, 0.79956079)])
def test_what_reservation_is_worth_of_uniform_scores(registry, k, value):
    profile = ModelProfile("m", Scored(), (Price(),))
    drawn = replayed(
        Deployment.of(Reservation(scores=UNIFORM, k=k, model="m", price=0.02), {"m": profile}, None, registry),
        4_000,
        0,
    )
    net = drawn.totals["accuracy"] - drawn.totals["cost"]
    assert abs(net.mean() - value) <= 4 * net.std() / np.sqrt(4_000)


def log(n=6, Q=3):
    rng = np.random.default_rng(0)
    question = np.repeat(np.arange(Q), n)
    right = rng.random(Q * n) < np.repeat([0.2, 0.5, 0.9], n)
    columns = {
        "answer": np.where(right, 0, 1),
        "score": rng.random(Q * n),
        "cost_usd": rng.random(Q * n),
        "latency_s": rng.random(Q * n),
    }
    return Samples("m", ["maths:1", "law:1", "maths:2"], question, right * 1.0, columns)


LOGGED = ModelProfile("m", Empirical(log()), (LoggedCost(), LoggedLatency()))


def test_what_is_left_open_is_filled_from_the_model(registry):
    of = Deployment.of(Reservation(k=6, model="m"), {"m": LOGGED}, None, registry)
    assert of.policy.price == pytest.approx(log()["cost_usd"].mean())
    assert of.policy.scores == tuple(np.sort(log()["score"]))
    worth = Deployment.of(WorthIt(2.0, k=4, model="m"), {"m": LOGGED}, None, registry).policy
    a, b = worth.prior
    assert a / (a + b) == pytest.approx((log().right.sum() + 0.5) / 19)
    assert worth.price == pytest.approx(log()["cost_usd"].mean())
    nested = ByLabel("task", {"maths": WorthIt(2.0, k=4)}, Fixed(2), model="m")
    assert filled(nested, of.setups).policies["maths"].prior == worth.prior
    assert filled(Fixed(2, model="m"), of.setups) == Fixed(2, model="m")
    boxes = Deployment.of(Reservation(models=(Box("m", 0.5, 2),)), {"m": LOGGED}, None, registry).policy.models
    assert (boxes[0].price, len(boxes[0].scores)) == (0.5, 18)


def test_a_model_that_does_not_know_it_is_refused_in_a_sentence(registry):
    with pytest.raises(MooInferError, match="m: without a log the law of its scores has to be given"):
        Deployment.of(Reservation(model="m"), {"m": ModelProfile("m", Scored(), (Price(),))}, None, registry)
    with pytest.raises(MooInferError, match="m: no cost model says what a call costs, so its price has to be given"):
        Deployment.of(WorthIt(2.0, model="m"), {"m": replace(LOGGED, costs=(LoggedLatency(),))}, None, registry)
    plain = replace(log(), columns={**log().columns, "score": np.full(18, np.nan)})
    with pytest.raises(MooInferError, match="m: its log has no scores"):
        Deployment.of(
            Reservation(model="m", k=6), {"m": ModelProfile("m", Empirical(plain), LOGGED.costs)}, None, registry
        )
    for bad in ({"low": 0.0}, {"low": 0.0, "high": 1.0, "mean": 0.5}, {"low": 1.0, "high": 0.0}, {}):
        with pytest.raises(MooInferError, match="scores: "):
            ScoreLaw(**bad)
    with pytest.raises(MooInferError, match="models: 'a' is there 2 times"):
        Reservation(models=(Box("a"), Box("a")))


def test_a_policy_by_label_is_that_of_each_label(registry):
    three, two = Fixed(3), TwoThenMore(4)
    of = Deployment.of(ByLabel("task", {"maths": three}, two, "m"), {"m": LOGGED}, None, registry)
    found = evaluated(of)
    each = [evaluated(Deployment.of(replace(p, model="m"), {"m": LOGGED}, None, registry)) for p in (three, two)]
    for name, mean in found.mean.items():
        np.testing.assert_allclose(
            mean, np.where([True, False, True], each[0].mean[name], each[1].mean[name]), rtol=1e-12
        )
    assert of.most == {"m": 4}


def test_labels_of_a_log_are_known_of_its_questions(registry):
    """Of the first two questions alone: the third has no label, and is asked as all others are."""
    labelled = replace(log(), labels={"task": ["law", "maths", ""], "level": ["easy", "hard", ""]})
    profile = replace(LOGGED, inference=Empirical(labelled))
    for label, value, expected in (
        ("task", "law", (3, 2, 2)),
        ("task", "maths", (2, 3, 3)),
        ("level", "hard", (2, 3, 2)),
    ):
        of = Deployment.of(ByLabel(label, {value: Fixed(3)}, Fixed(2), "m"), {"m": profile}, None, registry)
        cost = [3 if known[label] == value else 2 for known in of.known]
        assert cost == list(expected)
        assert sum(n * share for n, share in evaluated(of).calls.items()).tolist() == cost


def test_by_label_is_written_in_one_line(registry):
    text = "by-label:label=task,policies={maths: {kind: fixed, k: 3}},otherwise={kind: two-then-more, k: 4}"
    table = Pipeline(k=[1], models={"m": LOGGED}, policies=text, registry=registry).candidates()
    assert table.where(aggregator="by-label").curves[0].courses[0].policy == text
    with pytest.raises(MooInferError, match="by-label'?: policies.maths: unknown policy 'fixt'"):
        Pipeline(
            policies="by-label:label=task,policies={maths: {kind: fixt}},otherwise={kind: fixed}", registry=registry
        )
    with pytest.raises(MooInferError, match="vote-until-decided is asked at every arrival, which by-label is not"):
        Pipeline(
            policies="by-label:label=task,policies={},otherwise={kind: vote-until-decided, arrivals: true}",
            registry=registry,
        )


def test_models_may_be_called_in_another_order_than_they_are_listed():
    def of(name, n, seed):
        rng, question = np.random.default_rng(seed), np.repeat(np.arange(len(n)), n)
        drawn = {"answer": rng.integers(0, 2, len(question)), "score": 0.27 * rng.random(len(question))}
        drawn |= {"latency_s": rng.random(len(question)), "cost_usd": rng.random(len(question))}
        samples = Samples(name, [f"q{i}" for i in range(len(n))], question, (np.arange(len(question)) % 2) * 1.0, drawn)
        return ModelProfile(name, Empirical(samples), (LoggedCost(), LoggedLatency()))

    models = {"small": of("small", (2, 3), 0), "large": of("large", (2, 2), 1)}
    boxes = {"small": (0.1, 0.4, 0.9), "large": (0.2, 0.95)}
    both = [
        tuple(Box(name, 0.3, 1, boxes[name]) for name in order) for order in (("small", "large"), ("large", "small"))
    ]
    means = [
        [
            row.objectives["accuracy"].mean
            for row in Pipeline(
                aggregators=["one-call"], k=[1], models=models, policies=[Reservation(models=of_boxes)]
            ).candidates()
            if row.aggregator == "reservation"
        ]
        for of_boxes in both
    ]
    assert 0 < means[0][0] < 1
    assert means[0] == pytest.approx(means[1])
