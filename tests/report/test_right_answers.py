"""What a right answer takes: a ratio of means, of every objective and of tokens."""

import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from moo_infer import (
    CostModel,
    Draws,
    InferenceModel,
    ModelProfile,
    MonteCarlo,
    Objective,
    Pipeline,
    Queries,
    Samples,
    Scenario,
)
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.difficulty import Beta
from moo_infer.builtin.empirical import Empirical, LoggedCost
from moo_infer.builtin.inference import Gaussian
from moo_infer.builtin.lengths import LognormalLengths

ANY = Scenario("any")
PLAIN = Gaussian(1000, 0, 500, 0, 0.5, 0.0)


def rows(model, *costs, aggregator="coverage", k=(2,), **given):
    """The report of one model whose largest k is chosen, and the JSON of that choice."""
    costs = costs or (LinearCost(1e-6, 1e-5),)
    report = Pipeline(aggregator, "max-accuracy", k=k, **given).run(ModelProfile("mine", model, costs), ANY)
    return report, json.loads(report.to_json())["rows"][0]


def test_it_is_the_mean_of_the_k_inferences_over_the_mean_accuracy():
    report, row = rows(PLAIN)
    assert row["per_right"] == pytest.approx({"cost": 2 * 0.006 / 0.75, "tokens": 3000 / 0.75})
    assert list(row["per_right"]) == ["cost", "tokens"]
    assert report.per_right(report["max-accuracy"]) == pytest.approx(row["per_right"])


def test_every_pooled_choice_has_it_too():
    report = Pipeline(["coverage", "one-call"], ["max-accuracy", "knee"], k=[1, 2]).run(
        [ModelProfile(name, PLAIN, (LinearCost(1e-6, 1e-5),)) for name in ("a", "b")], ANY
    )
    document = json.loads(report.to_json())
    for row in document["rows"] + document["recommended"]:
        if row["k"] is None:
            assert row["per_right"] is None
            continue
        accuracy = row["objectives"]["accuracy"]["mean"]
        assert row["per_right"]["cost"] == pytest.approx(row["objectives"]["cost"]["mean"] / accuracy)
        assert row["per_right"]["tokens"] == pytest.approx(1500 * row["k"] / accuracy)
    assert any(row["k"] is None for row in document["rows"])


@dataclass(frozen=True)
class Water(CostModel):
    name = "water"
    objective = Objective("water", unit="ml")

    def total(self, draws, /, *, parallelism):
        return np.cumsum(np.full(draws.accuracy.shape, 7.0), axis=1)


@dataclass(frozen=True)
class Speed(CostModel):
    """Not what inferences take: more of it is better."""

    name = "speed"
    objective = Objective("speed", unit="tok/s", direction="max", ideal=1000.0)

    def total(self, draws, /, *, parallelism):
        return np.full(draws.accuracy.shape, 90.0)


@dataclass(frozen=True)
class OwnTokens(CostModel):
    """Counts other tokens than those of the inferences."""

    name = "own-tokens"
    objective = Objective("tokens")

    def total(self, draws, /, *, parallelism):
        return np.cumsum(np.full(draws.accuracy.shape, 30.0), axis=1)


def test_a_fourth_objective_has_an_entry():
    _, row = rows(PLAIN, LinearCost(1e-6, 1e-5), Water(), Speed())
    assert row["per_right"] == pytest.approx({"cost": 0.016, "water": 14 / 0.75, "speed": None, "tokens": 4000})


def test_an_objective_of_that_name_is_what_counts():
    _, row = rows(PLAIN, OwnTokens())
    assert row["per_right"] == pytest.approx({"tokens": 60 / 0.75})


def test_nothing_is_right_so_nothing_is_known():
    _, row = rows(replace(PLAIN, accuracy_mean=0.0))
    assert row["per_right"] == {"cost": None, "tokens": None}


@pytest.mark.parametrize("estimator", ["exact", MonteCarlo(50)])
def test_tokens_of_queries_that_differ_are_those_of_all_queries(estimator):
    model = LognormalLengths(
        tokens_in_mean=500, tokens_in_cv=0.4, tokens_out_mean=2000, tokens_out_cv_between=0.8, accuracy_mean=0.5
    )
    _, row = rows(model, estimator=estimator, k=[3])
    assert row["per_right"]["tokens"] == pytest.approx(3 * 2500 / row["objectives"]["accuracy"]["mean"], rel=1e-6)
    assert "per_right.tokens" not in row["simulated"]


def log(**without):
    rng = np.random.default_rng(2)
    question = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2])
    columns = {
        "input_tokens": rng.integers(10, 90, 9) * 1.0,
        "output_tokens": rng.integers(100, 900, 9) * 1.0,
        "cost_usd": rng.random(9),
    }
    kept = {name: column for name, column in columns.items() if name not in without}
    return Samples("mine", ["a", "b", "c"], question, np.array([1.0, 0, 0, 1, 1, 0, 0, 1, 0]), kept)


def test_tokens_of_a_log_weigh_questions_alike_as_its_dollars_do():
    samples = log()
    each = samples["input_tokens"] + samples["output_tokens"]
    mean = np.mean([each[samples.question == q].mean() for q in range(3)])
    report, row = rows(Empirical(samples), LoggedCost())
    assert row["per_right"]["tokens"] == pytest.approx(2 * mean / row["objectives"]["accuracy"]["mean"])
    assert row["per_right"]["cost"] == pytest.approx(
        report["max-accuracy"].cost.mean / report["max-accuracy"].accuracy.mean
    )


@pytest.mark.parametrize("model", [Empirical(log(output_tokens=True)), Beta(a=1, b=1)], ids=["log", "no lengths"])
def test_tokens_that_are_not_known_are_null_and_not_0(model):
    _, row = rows(model, Water())
    assert row["per_right"]["tokens"] is None
    assert row["per_right"]["water"] > 0


@dataclass(frozen=True)
class Longer(InferenceModel):
    """Every further inference is 100 tokens longer than the one before; no law says so."""

    name = "longer"
    lengths: bool = True

    def sample(self, rng, M, K, /):
        out = np.tile(100.0 * np.arange(1, K + 1), (M, 1))
        return Draws(np.zeros((M, K)), out if self.lengths else None, (rng.random((M, K)) < 0.5) * 1.0)


def test_tokens_without_a_law_are_simulated_for_every_k_and_said_to_be():
    _, row = rows(Longer(), Water(), k=[3], estimator=MonteCarlo(400))
    assert row["per_right"]["tokens"] == pytest.approx(600 / row["objectives"]["accuracy"]["mean"])
    assert "per_right.tokens" in row["simulated"]
    _, row = rows(Longer(lengths=False), Water(), k=[3])
    assert row["per_right"]["tokens"] is None
    assert "per_right.tokens" not in row["simulated"]


def test_a_report_that_simulates_tokens_alone_says_with_how_many_trials():
    @dataclass(frozen=True)
    class Known(Longer):
        def queries(self):
            return Queries(accuracy=PLAIN.queries().law("accuracy"))

        def sample(self, rng, M, K, /):
            draws = super().sample(rng, M, K)
            return Draws(draws.tokens_in, draws.tokens_out, np.full((M, K), 0.5))

    @dataclass(frozen=True)
    class Free(Water):
        def exact(self, query, k, /, *, parallelism):
            return LinearCost(0.001, 0.0).exact(PLAIN.queries().query, k, parallelism=parallelism)

    report, row = rows(Known(), Free(), aggregator="best-of-k")
    assert row["simulated"] == ["per_right.tokens"]
    assert report.to_dict()["simulation"] == {"trials": 10_000, "seed": 0}


def test_the_details_say_it_once_for_selectors_that_choose_the_same():
    report = Pipeline(selectors=["max-cube", "utopia", "max-accuracy"]).run("gpt-5", "essay-feedback")
    text = report.to_text(details=True).replace("\n", " ")
    choice = report["utopia"]
    tokens = report.per_right(choice)["tokens"]
    assert text.count(f"Per right answer: cost {choice.cost.mean / choice.accuracy.mean:.4g} USD") == 1
    assert "k = 4: max-cube, utopia" in text
    assert f"tokens {tokens:.0f}." in text
    assert "Per right answer: the mean of the k inferences over the mean accuracy; per sample: over k." in text
    assert "per right answer" not in report.to_text()
