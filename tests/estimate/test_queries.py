"""Queries that differ, what is possible, and what parts have to say."""

from dataclasses import dataclass

import numpy as np
import pytest

from moo_infer import (
    Draws,
    Exact,
    InferenceModel,
    ModelProfile,
    MonteCarlo,
    MooInferError,
    Note,
    Pipeline,
    Queries,
    Scenario,
)
from moo_infer.builtin.aggregators import Coverage
from moo_infer.builtin.costs import LinearCost
from moo_infer.core.parts import NonNegative
from moo_infer.core.uncertainty import Uncertain
from moo_infer.quantities.laws import ClippedNormal


@dataclass(frozen=True)
class Hard(InferenceModel):
    """Three in four queries are solved with 0.8, the others never; their answers are of 100 and 300 tokens."""

    name = "hard"

    p: float | None = None
    tokens: float | None = None

    def queries(self):
        prompt = ClippedNormal(10.0, 0.0)
        if self.p is not None:
            return Queries(
                tokens_in=prompt, tokens_out=ClippedNormal(self.tokens, 5.0), accuracy=ClippedNormal(self.p, 0.0)
            )
        tokens = ClippedNormal(np.array([[100.0], [300.0]]), 5.0)
        return Queries(
            [0.75, 0.25], tokens_in=prompt, tokens_out=tokens, accuracy=ClippedNormal(np.array([[0.8], [0.0]]), 0.0)
        )

    def notes(self):
        return [Note("one query in four is never solved")]

    def sample(self, rng, M, K, /):
        solved = (rng.random((M, 1)) < 0.75) * np.ones((M, K))
        tokens = rng.normal(np.where(solved, 100.0, 300.0), 5.0)
        return Draws(np.full((M, K), 10.0), tokens, (rng.random((M, K)) < 0.8 * solved) * 1.0)


class OneByOne(Coverage):
    name = "one-by-one"

    def exact(self, query, k, /):
        float(query.accuracy.mean)  # fails for arrays
        return super().exact(query, k)


class FewOnly(LinearCost):
    name = "few-only"

    def notes(self, model, k, /, *, parallelism):
        text = f"no more than {6 * parallelism} at a time" if k.max() > 6 * parallelism else ""
        return [Note(text, k > 6 * parallelism)]


def test_moments_are_mixed_over_queries_that_differ():
    """Coverage 3/4 (1 - 0.2^k); the variance of k answers' tokens is k 5^2 within and k^2 times that of 100 and 300."""
    k = np.array([1, 2, 8])
    profile = ModelProfile("m", Hard(), [LinearCost(0.0, 1.0)])
    for aggregator in (Coverage(), OneByOne()):
        columns = Exact().estimate(profile, aggregator, k, 1).columns
        np.testing.assert_allclose(columns["accuracy"].mean, 0.75 * (1 - 0.2**k), rtol=1e-12)
        np.testing.assert_allclose(columns["accuracy"].std, np.sqrt(0.75 * 0.25) * (1 - 0.2**k), rtol=1e-12)
        np.testing.assert_allclose(columns["cost"].mean, 150.0 * k, rtol=1e-12)
        np.testing.assert_allclose(columns["cost"].std, np.sqrt(25.0 * k + 7500.0 * k**2), rtol=1e-12)
        assert columns["cost"].simulated == ("low", "high")
    simulated = MonteCarlo(20_000).estimate(profile, Coverage(), k, 1).columns
    for name in ("accuracy", "cost"):
        np.testing.assert_allclose(simulated[name].mean, columns[name].mean, rtol=0.02)
    np.testing.assert_allclose(simulated["cost"].std, columns["cost"].std, rtol=0.03)


def test_what_models_say_stands_in_the_report():
    report = Pipeline(models={"m": ModelProfile("m", Hard(), [LinearCost(0.0, 1.0)])}).run("m", Scenario("free"))
    assert "m: one query in four is never solved." in report.to_text()
    assert report.to_dict()["remarks"] == [
        {"model": "m", "aggregator": "best-of-k", "remark": "one query in four is never solved"}
    ]


@pytest.mark.parametrize("estimator", [Exact(), MonteCarlo(100)])
def test_what_cannot_be_had_is_no_candidate(estimator):
    uncertain = {"costs[0].usd_per_output_token": Uncertain(se=0.1)}
    profile = ModelProfile("m", Hard(0.5, 100.0), [FewOnly(0.0, 1.0)], uncertain=uncertain)
    report = Pipeline("coverage", "max-accuracy", estimator, k=[1, 4, 8, 16]).run(profile, Scenario("free"))
    assert report.candidates.k.tolist() == [1, 4]
    assert "m: one query in four is never solved.\nm: no more than 6 at a time." in report.to_text()
    assert {s.k for s in report.stability(20).shares["free", "max-accuracy", None, None]} == {4}
    message = "m: none of the numbers of inferences can be had: no more than 6 at a time"
    with pytest.raises(MooInferError, match=message):
        Pipeline("coverage", k=[8, 16]).run(profile, Scenario("free"))


def test_an_uncertain_number_of_a_model_with_queries_is_drawn_query_by_query():
    uncertain = {"costs[0].usd_per_output_token": Uncertain(low=0.5, high=1.5)}
    profile = ModelProfile("m", Hard(), [LinearCost(0.0, 1.0)], uncertain=uncertain)
    report = Pipeline("coverage", "max-accuracy", k=[1, 2, 4]).run(profile, Scenario("s", {"cost": 300.0}))
    shares = {s.k: s.share for s in report.stability(200).shares["s", "max-accuracy", None, None]}
    assert set(shares) == {1, 2}
    assert shares[2] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("excludes", [np.array([True]), np.array([1, 1]), "none"])
def test_what_is_no_answer_to_what_is_excluded_is_refused(excludes):
    broken = type("Broken", (FewOnly,), {"notes": lambda *_, **__: [Note("", excludes)], "name": "broken"})(0.0, 1.0)
    with pytest.raises(MooInferError, match="cost model 'broken' on 'm': excludes must be"):
        Pipeline("coverage", k=[1, 2]).run(ModelProfile("m", Hard(0.5, 100.0), [broken]), Scenario("free"))


def test_one_model_that_can_serve_nothing_is_left_out_with_a_warning():
    fine = ModelProfile("fine", Hard(0.5, 100.0), [LinearCost(0.0, 1.0)], uncertain={"inference.p": Uncertain(se=0.1)})
    none = ModelProfile("none", Hard(0.5, 100.0), [FewOnly(0.0, 1.0)])
    with pytest.warns(UserWarning, match="left out: none: none of the numbers of inferences can be had"):
        report = Pipeline("coverage", "max-accuracy", k=[8, 16]).run([none, fine], Scenario("free"))
    assert report["max-accuracy"].model == "fine"
    assert {s.k for s in report.stability(10).shares["free", "max-accuracy", None, None]} == {16}


@dataclass(frozen=True)
class Capacity(LinearCost):
    name = "capacity"

    most: NonNegative = 6.0

    def notes(self, model, k, /, *, parallelism):
        return [Note("", k > self.most)]


def test_what_a_draw_cannot_serve_is_not_chosen_in_it():
    """Between 2 and 6 at most: k = 4 can be had in half of the draws; without limits and with them."""
    costs = [Capacity(0.0, 1.0, 6.0)]
    profile = ModelProfile("m", Hard(0.5, 100.0), costs, uncertain={"costs[0].most": Uncertain(low=2.0, high=6.0)})
    pipeline = Pipeline("coverage", "max-accuracy", k=[1, 4])
    for scenario in (Scenario("s"), Scenario("s", {"cost": 1e6})):
        shares = {
            s.k: s.share for s in pipeline.run(profile, scenario).stability(400).shares["s", "max-accuracy", None, None]
        }
        assert shares[4] == pytest.approx(0.5, abs=0.1)
        assert shares[1] == pytest.approx(0.5, abs=0.1)
    surely = Pipeline("coverage", "max-accuracy", k=[1, 4], confidence=0.9, draws=200)
    assert surely.run(profile, Scenario("s", {"cost": 1e6}))["max-accuracy"].k == 1
