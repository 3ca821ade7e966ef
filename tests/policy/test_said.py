"""What is refused or said of a policy rather than computed in silence: questions, weights, names, objectives, laws."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import pytest

from moo_infer import (
    AccuracyAggregator,
    Answer,
    Call,
    CostModel,
    InferenceModel,
    ModelProfile,
    MooInferError,
    Objective,
    Pipeline,
    Policy,
    Samples,
    load_policies,
)
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.difficulty import DifficultyClasses
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.builtin.policies import Fixed, TwoThenMore
from moo_infer.builtin.stages import Cascade, Stage
from moo_infer.core.errors import NothingPossible
from moo_infer.policy.deployment import Deployment
from moo_infer.policy.exact import evaluated
from moo_infer.policy.replay import replayed
from moo_infer.quantities.queries import Queries


def samples(model, Q=5, n=4, seed=0):
    rng = np.random.default_rng(seed)
    question = np.repeat(np.arange(Q), n)
    right = rng.random(Q * n) < np.linspace(0.2, 0.9, Q)[question]
    columns = {"answer": np.where(right, 0, rng.integers(1, 3, Q * n)), "cost_usd": rng.random(Q * n)}
    return Samples(model, [f"q{i}" for i in range(Q)], question, right * 1.0, columns)


def profile(log):
    return ModelProfile(log.model, Empirical(log), (LoggedCost(),))


def test_questions_that_a_log_lacks_are_said(registry):
    small, large = samples("small"), samples("large", Q=3, seed=1)
    models = {"small": profile(small), "large": profile(large)}
    cascade = Cascade(Stage("small", 2), Stage("large"))
    report = Pipeline("one-call", k=[1], models=models, policies=[cascade], registry=registry).run(scenarios=None)
    said = (
        "policy 'cascade' is evaluated on the 3 questions that the logs of small and large have in common, and rows of "
        "small on 5"
    )
    assert said in report.candidates.where(aggregator="cascade").curves[0].remarks
    assert said in " ".join(report.to_text(details=True).split())


@dataclass(frozen=True, eq=False)
class Weighed(InferenceModel):
    """A log whose questions are asked more or less often."""

    name = "weighed"
    log: Samples
    weights: tuple[float, ...]

    def queries(self):
        return Queries.of_samples(self.log, np.array(self.weights))

    def sample(self, rng, M, K, /):
        return self.queries().draw(rng, M, K)


def test_questions_weigh_what_the_model_says(registry):
    weights = (0.5, 0.2, 0.1, 0.1, 0.1)
    made = ModelProfile("m", Weighed(samples("m"), weights), (LoggedCost(),))
    report = Pipeline("plurality-vote", k=[3], models={"m": made}, policies="fixed:k=3", registry=registry)
    vote, fixed = (report.candidates().where(aggregator=name) for name in ("plurality-vote", "fixed"))
    for name in ("accuracy", "cost"):
        assert fixed.column(name) == pytest.approx(vote.column(name), rel=1e-12)
        assert abs(fixed.column(name, "p95") - vote.column(name, "p95")).max() < 0.05
    of = Deployment.of(TwoThenMore(4, model="m"), {"m": made}, None, registry)
    two = evaluated(of)
    drawn = replayed(of, 20_000, 0).totals["accuracy"]
    assert abs(drawn.mean() - np.array(weights) @ two.mean["accuracy"]) < 4 * drawn.std() / 20_000**0.5
    found = Pipeline(
        "one-call", k=[1], models={"m": made}, policies="two-then-more:k=4", registry=registry
    ).candidates()
    calls = found.where(aggregator="two-then-more").curves[0].courses[0].calls[0]
    assert calls == pytest.approx(sum(n * np.array(weights) @ share for n, share in two.calls.items()), rel=1e-12)


def test_models_that_weigh_the_same_questions_otherwise_are_refused(registry):
    models = {
        "a": ModelProfile("a", Weighed(samples("a"), (0.5, 0.2, 0.1, 0.1, 0.1)), (LoggedCost(),)),
        "b": profile(samples("b", seed=1)),
    }
    with pytest.raises(MooInferError, match="policy 'cascade': a, b give other weights to the same questions"):
        Deployment.of(Cascade(Stage("a", 2), Stage("b")), models, None, registry)


def test_models_that_were_fitted_apart_are_refused_with_the_size_of_the_error(registry):
    law = DifficultyClasses(shares=(0.5, 0.5), p=(0.9, 0.3))
    models = {"a": profile(samples("a")), "b": ModelProfile("b", law, (LoggedCost(),))}
    with pytest.raises(MooInferError, match=r"b has no log: .*1\.9 points more accurate on average, up to 15, .* 0\.6"):
        Deployment.of(Cascade(Stage("a", 2), Stage("b")), models, None, registry)


@dataclass(frozen=True)
class Free(CostModel):
    """Nothing."""

    name = "free"
    objective = Objective("cost", unit="USD")

    def total(self, draws, /, *, parallelism):
        return np.zeros(draws.accuracy.shape)


@pytest.mark.parametrize(
    ("text", "said"), [("two-then-more:k=8", True), ("fixed:k=3", True), ("first-accepted:k=3", False)]
)
@pytest.mark.parametrize("estimator", ["exact", "monte-carlo"])
def test_that_wrong_answers_of_a_law_count_as_one_is_said(registry, text, said, estimator):
    models = {"m": ModelProfile("m", DifficultyClasses(shares=(0.5, 0.5), p=(0.9, 0.3)), (Free(),))}
    table = Pipeline(
        "best-of-k", estimator=estimator, k=[1], models=models, policies=text, registry=registry
    ).candidates()
    (curve,) = table.where(aggregator=text.partition(":")[0]).curves
    found = [remark for remark in curve.remarks if "a vote is one of right against wrong" in remark]
    assert len(found) == (said or estimator == "monte-carlo")


def test_a_policy_called_as_an_aggregator_is_refused(registry, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text("policies: {one-call: {kind: fixed, k: 3}}")
    with pytest.raises(MooInferError, match="policy 'one-call': an aggregator of the run has that name"):
        Pipeline(
            "one-call", k=[1], models={"m": profile(samples("m"))}, policies="one-call",
            named_policies=load_policies(path, registry), registry=registry,
        ).candidates()  # fmt: skip


@dataclass(frozen=True)
class Joules(CostModel):
    """One for each."""

    name = "joules"
    objective = Objective("energy", unit="J")

    def total(self, draws, /, *, parallelism):
        return np.cumsum(np.ones(draws.accuracy.shape), axis=1)


@dataclass(frozen=True)
class Judge(AccuracyAggregator):
    """An aggregator that takes joules."""

    name = "judge"

    @property
    def costs(self):
        return (Joules(),)

    def aggregate(self, draws, rng, /):
        return draws.accuracy


def test_what_an_aggregator_spends_and_the_models_lack_is_refused(registry):
    of = Deployment.of(Fixed(2, Judge(), model="m"), {"m": profile(samples("m"))}, None, registry)
    with pytest.raises(MooInferError, match="policy 'fixed': judge spends energy, for which m has no cost model"):
        evaluated(of)


@dataclass(frozen=True)
class FromNobody(Policy):
    """Answers from a model that it did not call."""

    name = "from-nobody"
    most = MappingProxyType({"m": 1, "other": 1})

    def decide(self, seen, /):
        return Answer(of=("other",)) if seen.n("m") else Call({"m": 1})


def test_an_answer_from_samples_that_there_are_none_of_is_refused(registry):
    models = {name: profile(samples(name)) for name in ("m", "other")}
    with pytest.raises(
        MooInferError, match="answers from samples of other alone, which was not called, after 1 of 'm'"
    ):
        evaluated(Deployment.of(FromNobody(), models, None, registry))


def test_a_label_that_nothing_is_known_by_is_refused(registry):
    text = "by-label:label=subject,policies={maths: {kind: fixed, k: 3}},otherwise={kind: fixed, k: 1}"
    with pytest.raises(
        MooInferError, match="by-label: 'subject' is not known of a query before; known: question, task"
    ):
        Pipeline("one-call", k=[1], models={"m": profile(samples("m"))}, policies=text, registry=registry).candidates()


@dataclass(frozen=True)
class AtMostTwo(CostModel):
    """No more than two at once."""

    name = "at-most-two"
    objective = Objective("cost", unit="USD")

    def total(self, draws, /, *, parallelism):
        return np.cumsum(np.ones(draws.accuracy.shape), axis=1)

    def notes(self, model, k, /, *, parallelism):
        from moo_infer import Note

        return [Note("more than two are turned away", excludes=np.asarray(k) > 2)]


def test_calls_that_a_cost_model_excludes_are_refused(registry):
    made = replace(profile(samples("m")), costs=(AtMostTwo(),))
    with pytest.raises(
        MooInferError, match="calls m up to 4 times, which cannot be had: .*more than two are turned away"
    ):
        Deployment.of(TwoThenMore(4, model="m"), {"m": made}, None, registry)


def test_seconds_of_a_wave_are_those_of_calls_some_at_a_time(registry):
    """P = 2 of five calls, then three: each wave is scheduled by itself, as the static row of as many is."""
    log = samples("m", n=8)
    log = replace(log, columns={**log.columns, "latency_s": np.random.default_rng(2).random(len(log))})
    made = replace(profile(log), costs=(LoggedCost(), LoggedLatency("slots")), parallelism=2)
    for k in (3, 5):
        text = f"fixed:k={k}"
        table = Pipeline("plurality-vote", k=[k], models={"m": made}, policies=text, registry=registry).candidates()
        static, fixed = table.column("latency")
        assert 0 < abs(fixed - static) < 0.02  # both are simulated: what waits for what depends on the order
        one = evaluated(Deployment.of(Fixed(k, model="m"), {"m": made}, 1, registry))
        assert one.mean["latency"].mean() == pytest.approx(k * log["latency_s"].mean())


@dataclass(frozen=True)
class Fee(CostModel):
    """A cent for each answer that is judged."""

    name = "fee"
    objective = Objective("cost", unit="USD")

    def total(self, draws, /, *, parallelism):
        return np.cumsum(np.full(draws.accuracy.shape, 0.01), axis=1)


@dataclass(frozen=True)
class Paid(AccuracyAggregator):
    """The best of k, by a judge who is paid."""

    name = "paid"

    @property
    def costs(self):
        return (Fee(),)

    def aggregate(self, draws, rng, /):
        return np.maximum.accumulate(draws.accuracy, axis=1)


@dataclass(frozen=True)
class Three(Policy):
    """Three calls, and the best of them."""

    name = "three"
    most = MappingProxyType({"m": 3})

    def decide(self, seen, /):
        return Answer(Paid()) if seen.n("m") else Call({"m": 3})


def test_what_finding_the_answer_takes_is_not_left_out_by_a_law(registry):
    made = ModelProfile("m", DifficultyClasses(shares=(0.5, 0.5), p=(0.9, 0.3)), (Free(),))
    table = Pipeline(Paid(), k=[3], models={"m": made}, policies=[Three()], registry=registry).candidates()
    assert table.column("cost") == pytest.approx([0.03, 0.03])


@pytest.mark.parametrize(
    ("text", "judge"),
    [
        ("first-accepted:k=3", "if something tells each answer that is right, and no other"),
        ("worth-it:value=100,k=3", "if something tells each answer that is right, and no other"),
        ("first-accepted:k=3,true_positive=0.9,false_positive=0.1", None),
        ("fixed:k=3,aggregator=coverage", "if you can tell a right one among 3"),
        ("two-then-more:k=4", None),
    ],
)
def test_a_perfect_checker_is_said(registry, text, judge):
    name = text.partition(":")[0]
    report = Pipeline(
        "one-call", "max-accuracy", k=[1], models={"m": profile(samples("m"))}, policies=text, registry=registry
    )
    report = report.run()
    (headline,) = report.to_dict()["headline"]
    if headline["aggregator"] == name:
        assert headline["judge"] == judge
        assert (judge is None) or judge in " ".join(report.to_text().split())
    else:
        assert judge is None


def test_a_checker_of_graded_inferences_is_refused(registry):
    log = samples("m")
    graded = profile(replace(log, correct=np.linspace(0, 1, len(log))))
    with pytest.raises(MooInferError, match="a checker accepts right answers, and here inferences are graded"):
        Pipeline("one-call", k=[1], models={"m": graded}, policies="first-accepted:k=3", registry=registry).candidates()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("cascade:first={model: m, kk: 9},then={model: n}", "policy 'cascade': first.kk: is no key here, got 9"),
        ("cascade:first=[{model: m, kk: 9}],then={model: n}", "policy 'cascade': first.0.kk: is no key here, got 9"),
        ("cascade:first={k: 1},then={model: n}", "policy 'cascade': first.model: is missing, got {'k': 1}"),
        ("cascade:first=m,then={model: n}", "policy 'cascade': first: must be a mapping, got 'm'"),
        ("reservation:scores={low: a, high: 2}", "policy 'reservation': scores.low: must be a number, got 'a'"),
    ],
)
def test_of_a_field_that_may_be_several_things_the_fault_is_that_of_what_it_is_most_like(registry, text, reason):
    with pytest.raises(MooInferError) as error:
        Pipeline(policies=text, registry=registry)
    assert str(error.value) == reason


@pytest.mark.parametrize("estimator", ["exact", "monte-carlo"])
def test_a_log_without_answers_has_no_votes(registry, estimator):
    log = samples("m")
    plain = profile(replace(log, columns={"cost_usd": log["cost_usd"]}))
    with pytest.raises(MooInferError, match="no column 'answer'"):
        Pipeline("one-call", estimator=estimator, k=[1], models={"m": plain}, policies="two-then-more:k=4").candidates()


@dataclass(frozen=True, eq=False)
class Looking(Policy):
    """Calls so often as it makes of what is known of the query; asked at every arrival, where that is said."""

    name = "looking"

    calls: Callable[[Mapping[str, object]], int]
    arrivals: bool = False

    @property
    def most(self):
        return {"m": 3}

    def decide(self, seen):
        n = self.calls(seen.query)
        left = n - seen.n("m")
        return Answer() if left <= 0 else Call({} if self.arrivals and seen.n("m") else {"m": left})


@pytest.mark.parametrize(
    "calls",
    [lambda q: 1 + (q["length"] > 5), lambda q: 1 + (q.get("length", 0) > 5), lambda q: 1 + ("load" in q)],
    ids=["item", "get", "in"],
)
def test_what_is_known_live_alone_is_not_taken_as_missing(registry, calls):
    """With a default in its place a policy would be evaluated that no run is of."""
    of = Deployment.of(Looking(calls), {"m": profile(samples("m"))}, None, registry)
    with pytest.raises(NothingPossible, match=r"'(length|load)' of a query is known in a live run, and not here"):
        evaluated(of)
    with pytest.raises(NothingPossible, match="known: question, task"):
        replayed(of, 20, 0)
    assert evaluated(replace(of, policy=Looking(lambda q: 1 + ("level" in q)))).calls.keys() == {1}


@pytest.mark.parametrize("known", ["question", "task"])
def test_without_logs_nothing_tells_queries_apart(registry, known):
    alike = ModelProfile("m", DifficultyClasses(shares=(1.0,), p=(0.7,)), (LinearCost(1e-6, 1e-6),))
    with pytest.raises(NothingPossible, match=f"'{known}' of a query is known in a live run, .*known: nothing"):
        replayed(Deployment.of(Looking(lambda q: 1 + ("x" in q.get(known, ""))), {"m": alike}, None, registry), 20, 0)


def test_first_calls_that_differ_from_query_to_query_are_not_evaluated_as_if_they_were_alike(registry):
    log = samples("m")
    timed = replace(log, columns={**log.columns, "latency_s": np.arange(1.0, 21.0)})
    models = {"m": ModelProfile("m", Empirical(timed), (LoggedCost(), LoggedLatency()))}
    of = Deployment.of(Looking(lambda q: 1 + (q["question"] > "q2"), arrivals=True), models, None, registry)
    for evaluate in (evaluated, lambda of: replayed(of, 20, 0)):
        with pytest.raises(NothingPossible, match="what it calls at first differs from query to query"):
            evaluate(of)
    alike = Looking(lambda q: 2 + (q["question"] > "z"), arrivals=True)
    assert evaluated(replace(of, policy=alike)).calls.keys() == {2}
