import numpy as np
import pytest

from moo_infer import (
    AccuracyAggregator,
    Exact,
    MonteCarlo,
    MooInferError,
    NoSelection,
    Pipeline,
    Scenario,
    Selector,
)
from moo_infer.builtin.aggregators import BestOfK, MajorityVote
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.preferences import WeightedSum
from moo_infer.builtin.selectors import Knee, Utopia
from moo_infer.estimate.monte_carlo import Estimator


class Counting(Exact):
    calls: list = []  # noqa: RUF012 - shared on purpose, it counts

    def moments(self, setup):
        self.calls.append((setup.profile.name, setup.aggregator.name))
        return super().moments(setup)


def test_each_model_and_aggregator_is_estimated_once():
    Counting.calls.clear()
    pipeline = Pipeline(["best-of-k", "coverage"], estimator=Counting())
    for scenarios in (None, "medical-ai", Scenario("mine", {"cost": 1})):
        pipeline.run(["gpt-5", "qwen3-max"], scenarios)
    expected = [(m, a) for m in ("gpt-5", "qwen3-max") for a in ("best-of-k", "coverage")]
    assert Counting.calls == expected


def test_names_or_objects_one_or_many(profile):
    by_name = Pipeline("best-of-k", "utopia", "exact").run("gpt-5", "essay-feedback")
    pipeline = Pipeline([BestOfK()], [Utopia()], Exact())
    by_object = pipeline.run([pipeline.models["gpt-5"]], [pipeline.scenarios["essay-feedback"]])
    assert by_name.to_dict() == by_object.to_dict()
    mixed = Pipeline(["best-of-k", MajorityVote()], ["utopia", Knee()]).run(["gpt-5", profile()], Scenario("s"))
    assert len(mixed.rows) == 2 * 2 * 2


def test_the_grid_is_the_multiples_of_p_up_to_k_max(profile):
    assert Pipeline().candidates(profile(parallelism=3)).k.tolist() == list(range(3, 129, 3))
    assert Pipeline(k_max=10, k_step=5).candidates(profile()).k.tolist() == [5, 10]
    assert Pipeline(k_max=9, parallelism=4).candidates(profile()).k.tolist() == [4, 8]
    assert Pipeline(k_max=1).candidates(profile()).k.tolist() == [1]
    both = Pipeline(k_max=6).candidates([profile("a", parallelism=2), profile("b", parallelism=3)])
    assert list(zip(both.model, both.k.tolist(), strict=True)) == [
        ("a", 2),
        ("b", 3),
        ("a", 4),
        ("a", 6),
        ("b", 6),
    ]


def test_parallelism_divides_latency(profile):
    slow, fast = (Pipeline(parallelism=p, k=[4]).candidates(profile()) for p in (1, 4))
    assert slow.column("latency") == pytest.approx(4 * fast.column("latency"))
    assert fast.parallelism.tolist() == [4]


def test_progress_is_told():
    told = []
    Pipeline(progress=lambda *args: told.append(args)).candidates(["gpt-5", "qwen3-max"])
    assert told == [(0, 2, "gpt-5, best-of-k"), (1, 2, "qwen3-max, best-of-k")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pipeline("best"), "unknown aggregator 'best'; available: best-of-k, all-of-k, coverage"),
        (lambda: Pipeline(selectors="kneee"), "unknown selector 'kneee'; available: knee,"),
        (lambda: Pipeline(selectors=[]), "selectors: at least one is needed, got none"),
        (lambda: Pipeline(selectors=7), "selectors: must be names or objects, one or many, got 7"),
        (lambda: Pipeline(selectors=[7]), "selectors: must be a Selector object, got 7"),
        (lambda: Pipeline(selectors=Knee), "selectors: must be names or objects"),
        (lambda: Pipeline(selectors=[Knee]), r"selectors: must be a Selector object.*write Knee\(...\)"),
        (lambda: Pipeline(selectors=["knee", Knee()]), "selector 'knee' is given 2 times; names must differ"),
        (lambda: Pipeline(estimator="bayes"), "unknown estimator 'bayes'; available: exact, monte-carlo"),
        (lambda: Pipeline(estimator=None), "unknown estimator None"),
        (lambda: Pipeline(k_max=0), "k_max: must be >= 1, got 0"),
        (lambda: Pipeline(k_max=2.0), "k_max: must be a whole number >= 1, got 2.0"),
        (lambda: Pipeline(k_step=0), "k_step: must be >= 1, got 0"),
        (lambda: Pipeline(parallelism=0), "parallelism: must be >= 1, got 0"),
        (lambda: Pipeline(k=[]), "k: at least one is needed, got none"),
        (lambda: Pipeline(k=[0]), "k: must be >= 1, got 0"),
        (lambda: Pipeline(parallelism=200).run(), "gpt-5: the parallelism P = 200 is above k_max = 128"),
        (lambda: Pipeline(k_step=200).run(), "k_step = 200 is above k_max = 128"),
        (lambda: Pipeline(k_max=2**31 - 1).run(), "in steps of 4 gives 536,870,911 values of k, of which 250,000 are"),
        (
            lambda: Pipeline(k=[2**31 - 1], estimator="monte-carlo").run("gpt-5"),
            "gpt-5: 10,000 trials at 1 values of k up to 2,147,483,647 are too many to simulate",
        ),
        (
            lambda: Pipeline(k=[4], estimator=MonteCarlo(trials=2**31 - 1)).run("gpt-5"),
            "2,147,483,647 trials at 1 values of k up to 4 are too many to simulate",
        ),
        (lambda: Pipeline().run("gpt-6"), "unknown model 'gpt-6'; available: gpt-5, "),
        (lambda: Pipeline().run([]), "models: at least one is needed, got none"),
        (lambda: Pipeline().run(["gpt-5", "gpt-5"]), "model 'gpt-5' is given 2 times; names must differ"),
        (lambda: Pipeline().run(None, "medical"), "unknown scenario 'medical'; available: medical-ai, "),
        (lambda: Pipeline().run(None, Scenario("s", {"cost": -1})), r"scenario 's': limit on cost: must be in \[0, inf\), got -1"),
        (lambda: Pipeline().run(None, Scenario("s", {"accuracy": 1})), "higher is better, so it takes a min"),
        (lambda: Pipeline().run(None, Scenario("s", {}, {"accuracy": 2})), r"limit on accuracy: must be in \[0, 1\], got 2"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_in_words(make, message):
    with pytest.raises(MooInferError, match=message):
        make()


def answering(answer):
    def select(self, candidates, /):
        if isinstance(answer, Exception):
            raise answer
        return answer

    return type("Answering", (Selector,), {"name": "answering", "select": select})()


@pytest.mark.parametrize("answer", [-1, 32, 1.5, None, True, "0"])
def test_a_selector_that_answers_nonsense_is_named(answer):
    with pytest.raises(MooInferError, match="selector 'answering' must answer with a row number from 0 to 31, got"):
        Pipeline(selectors=answering(answer)).run("gpt-5", Scenario("s"))


def test_a_selector_may_answer_with_any_integer_and_decline_with_a_reason():
    report = Pipeline(selectors=answering(np.int64(3))).run("gpt-5", Scenario("s"))
    assert report["answering"].k == 16
    report = Pipeline(selectors=answering(NoSelection("too hot"))).run("gpt-5", Scenario("s"))
    assert (report["answering"].k, report["answering"].reason) == (None, "too hot")


def test_foreign_warnings_pass_through():
    class Loud(Selector):
        name = "loud"

        def select(self, candidates, /):
            import warnings

            warnings.warn("old API", FutureWarning, stacklevel=1)
            return 0

    with pytest.warns(FutureWarning, match="old API"):
        report = Pipeline(selectors=Loud()).run("gpt-5", Scenario("s"))
    assert report["loud"].warnings == ()


def test_estimators_are_final_but_one_may_bring_ones_own(profile):
    assert isinstance(MonteCarlo(3), Estimator)
    assert Pipeline(estimator=Counting()).run(profile(), Scenario("s"))["utopia"].k


class Spends(AccuracyAggregator):
    name = "spends"

    def aggregate(self, draws, rng, /):
        return draws.accuracy


def spending(costs):
    return type("Spends", (Spends,), {"costs": property(costs) if callable(costs) else costs})()


class NoObjective(LinearCost):
    objective = None


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        (LinearCost(0, 0), r"aggregator 'spends': costs must be a property that gives a list of cost models, got LinearCost\("),
        ([1.5], r"aggregator 'spends': costs\[0\]: must be a CostModel object, got 1.5"),
        ([LinearCost], r"aggregator 'spends': costs\[0\]: must be a CostModel object, got .*LinearCost.* \(a class: write LinearCost"),
        ([LinearCost(-1e-7, 0)], r"costs\[0\]: linear-cost: usd_per_input_token: must be >= 0, got -1e-07"),
        ([NoObjective(0, 0)], r"costs\[0\]: needs a class attribute objective of type Objective"),
        (lambda self: self.nothing, r"aggregator 'spends': costs fails: AttributeError: "),
    ],
)  # fmt: skip
def test_what_an_aggregator_spends_is_checked_where_it_enters(costs, message):
    with pytest.raises(MooInferError, match=message):
        Pipeline(spending(costs))


def test_settings_of_one_class_have_names_of_their_own():
    pipeline = Pipeline(selectors=[WeightedSum(), WeightedSum({"accuracy": 2.0})])
    assert [s.name for s in pipeline.selectors] == ["weighted-sum", "weighted-sum:weights.accuracy=2.0"]
    assert WeightedSum.name == WeightedSum({"accuracy": 2.0}).name == "weighted-sum", "the class keeps its own"
    report = pipeline.run("gpt-5", "essay-feedback")
    assert report["weighted-sum:weights.accuracy=2.0"].k
