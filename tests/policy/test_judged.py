"""Policies where answers are judged otherwise too: against every order of the samples."""

from itertools import permutations, product

import numpy as np
import pytest

from moo_infer import Answer, ModelProfile, MooInferError, Pipeline, Samples, Seen
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.builtin.policies import Fixed, TwoThenMore
from moo_infer.builtin.stages import Cascade, FirstAccepted, Stage
from moo_infer.policy.by_counts import by_counts
from moo_infer.policy.deployment import Deployment
from moo_infer.policy.exact import by_subsets, evaluated
from moo_infer.policy.replay import replayed

JUDGED = {"unsafe": "down", "format_ok": "up"}


def log(name, n=(4, 4), seed=0):
    rng = np.random.default_rng([seed, *name.encode()])
    question = np.repeat(np.arange(len(n)), n)
    N = len(question)
    answer = rng.integers(-1, 3, N)
    columns = {
        "answer": answer,
        "answer_key": answer,
        "score": rng.random(N).round(1),
        "latency_s": rng.random(N),
        "cost_usd": rng.random(N),
        "unsafe": (rng.random(N) < 0.4) * 1.0,
        "format_ok": rng.random(N).round(1),
    }
    return Samples(name, [f"maths:{i}" for i in range(len(n))], question, (answer == 1) * 1.0, columns)


def profiles(judged=JUDGED, **kwargs):
    costs = (LoggedCost(), LoggedLatency())
    return {
        name: ModelProfile(name, Empirical(log(name, **kwargs), judged=judged), costs) for name in ("small", "large")
    }


def by_orders(of, columns):
    """(Q, columns) what the answer is worth, from every order of the samples of every question, a call at a time."""
    means = []
    for q in range(len(of.questions)):
        own = [np.flatnonzero(samples.question == q).tolist() for samples in of.samples]
        values = [one_order(of, q, order, columns) for order in product(*(permutations(rows) for rows in own))]
        means.append(np.mean(values, axis=0))
    return np.array(means)


def one_order(of, q, order, columns):
    taken = dict.fromkeys(of.models, 0)
    while True:
        rows = {m: list(order[j][: taken[m]]) for j, m in enumerate(of.models)}
        shown = {
            m: {"correct": s.correct[rows[m]], **{name: c[rows[m]] for name, c in s.columns.items()}}
            for m, s in zip(of.models, of.samples, strict=True)
            if rows[m]
        }
        decided = of.policy.decide(Seen(shown, query=of.known[q]))
        if isinstance(decided, Answer):
            used = {m: shown[m] for m in decided.of or of.models if m in shown}
            return [worth(of, decided, used, column) for column in columns]
        for m, times in decided.times.items():
            taken[m] += times


def worth(of, answer, shown, column):
    """The mean over what could be the answer, each as likely."""
    if not shown:
        return 0.0
    joint = {name: np.concatenate([s[name] for s in shown.values()]) for name in ("answer", "score", "correct", column)}
    part = of.aggregator(answer)
    if part.name == "plurality-vote":
        given = joint["answer"].tolist()
        votes = {a: given.count(a) for a in {*given} - {-1}}
        first = [a for a, n in votes.items() if n == max(votes.values())]
        return float(np.mean([joint[column][joint["answer"] == a].mean() for a in first])) if first else 0.0
    if part.name == "best-of-k":
        could = joint["correct"] == joint["correct"].max()
    elif part.name == "top-score":
        could = joint["score"] == joint["score"].max()
    else:
        could = joint["correct"] == 1 if part.score_above is None else joint["score"] > part.score_above
    return float(joint[column][could].mean()) if could.any() else 0.0


POLICIES = [
    Fixed(3, model="small"),
    Fixed(3, aggregator="best-of-k", model="small"),
    TwoThenMore(4, model="small"),
    FirstAccepted(k=4, model="small"),
    FirstAccepted(k=4, score_above=0.5, model="small"),
    FirstAccepted((Stage("small", 2), Stage("large", 2))),
    Cascade(Stage("small", 2), Stage("large", 1)),
    Cascade(Stage("small", 1), Stage("large", 2), score_above=0.5),
]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: repr(policy)[:60])
def test_every_way_to_evaluate_a_policy_gives_what_every_order_of_the_samples_gives(policy, registry):
    of = Deployment.of(policy, profiles(), None, registry)
    replay = replayed(of, 6000, 0, np.tile(np.arange(2), 3000))
    ways = evaluated(of), by_subsets(of), by_counts(of)
    for name, expected in zip(JUDGED, by_orders(of, tuple(JUDGED)).T, strict=True):
        for found in ways:
            assert found.mean[name] == pytest.approx(expected, abs=1e-12)
            assert not len(found.replayed)
        for q in range(2):
            values = replay.totals[name][q::2]
            assert abs(values.mean() - expected[q]) < 4 * values.std() / 3000**0.5 + 1e-12


def test_a_checker_that_errs_is_exact_or_replayed_and_said(registry):
    checked = FirstAccepted(k=3, true_positive=0.8, false_positive=0.2, model="small")
    of = Deployment.of(checked, profiles(), None, registry)
    replay = replayed(of, 10_000, 0, np.tile(np.arange(2), 5000))
    for name in JUDGED:
        values = replay.totals[name].reshape(-1, 2)
        found = evaluated(of).mean[name]
        assert (abs(found - values.mean(axis=0)) <= 4 * values.std(axis=0) / 5000**0.5 + 1e-12).all()


def test_a_policy_is_limited_by_what_its_answers_are_judged():
    judged = profiles(n=(5,) * 25)
    pipeline = Pipeline(["one-call", "plurality-vote"], models=judged, k=[1, 3], policies=["first-accepted:k=3"])
    report = pipeline.run(list(judged))
    table = report.candidates
    assert [objective.name for objective in table.objectives] == ["accuracy", "cost", "latency", "unsafe", "format_ok"]
    assert "first-accepted" in table.aggregators
    for name in JUDGED:
        column = table.curve(len(table) - 1).columns[name]
        assert np.isfinite(column.other_questions).all()
    assert report.stability(10).draws == 10


def test_an_answer_that_no_inference_is_leaves_the_policy_out():
    judged = profiles(n=(5,) * 5)
    with pytest.raises(MooInferError, match="unsafe is judged of the answer that is delivered, and all-of-k takes no"):
        Pipeline("one-call", models=judged, k=[1], policies=["fixed:k=3,aggregator=all-of-k"]).candidates(["small"])


def test_models_of_a_policy_are_judged_alike(registry):
    one, other = profiles(), profiles({"unsafe": "down"})
    cascade = Cascade(Stage("small", 2), Stage("large", 1))
    of = Deployment.of(cascade, {"small": one["small"], "large": other["large"]}, None, registry)
    with pytest.raises(MooInferError, match="small and large are not judged alike beside their accuracy: by unsafe, f"):
        evaluated(of)
