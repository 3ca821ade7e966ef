from dataclasses import dataclass, replace

import numpy as np
import pytest

from moo_infer import AccuracyAggregator, CostModel, Draws, Exact, InferenceModel, ModelProfile, Moments, Objective
from moo_infer.builtin.aggregators import Coverage
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.inference import Gaussian
from moo_infer.estimate.mixture import rows
from moo_infer.interfaces import Queries

K = np.array([1, 4])
ASKED = []  # how many queries a part was asked for, one entry a call


@dataclass(frozen=True)
class Varied(InferenceModel):
    """Three lengths and two difficulties; given both, all is constant."""

    name = "varied"

    def queries(self, of, /):
        given = Gaussian(10.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        if of == "tokens":
            lengths = np.array([[100.0], [200.0], [400.0]])
            return Queries(np.array([0.2, 0.3, 0.5]), replace(given, tokens_out_mean=lengths))
        return Queries(np.array([0.6, 0.4]), replace(given, accuracy_mean=np.array([[0.9], [0.2]])))

    def sample(self, rng, M, K, /):
        out = np.repeat(rng.choice([100.0, 200.0, 400.0], (M, 1), p=[0.2, 0.3, 0.5]), K, axis=1)
        right = np.repeat(rng.choice([0.9, 0.2], (M, 1), p=[0.6, 0.4]), K, axis=1)
        return Draws(np.full((M, K), 10.0), out, right)


@dataclass(frozen=True)
class Reads(CostModel):
    """A cost that reads what it is told to."""

    name = "reads"
    objective = Objective("effort")
    vectorised = True
    what: str

    def total(self, draws, /, *, parallelism):
        each = {"tokens_out": draws.tokens_out, "nothing": np.ones(draws.accuracy.shape)}
        return np.cumsum(each[self.what], axis=1)

    def exact(self, model, k, /, *, parallelism):
        each = model.tokens_out.mean if self.what == "tokens_out" else 1.0
        ASKED.append(np.size(each))
        return Moments(k * each, 0.0 * k * each)


def moments(part, model=Varied()):
    ASKED.clear()
    costs, aggregator = ((part,), Coverage()) if isinstance(part, CostModel) else ((), part)
    column = part.objective.name if isinstance(part, CostModel) else "accuracy"
    return Exact(trials=20_000).estimate(ModelProfile("m", model, costs), aggregator, K, 1).columns[column]


@pytest.mark.parametrize(("what", "mean", "variance"), [("tokens_out", 280.0, 15_600.0), ("nothing", 1.0, 0.0)])
def test_a_cost_model_is_asked_for_queries_of_all_lengths_at_once(what, mean, variance):
    found = moments(Reads(what))
    np.testing.assert_allclose(found.mean, K * mean, rtol=1e-12)
    np.testing.assert_allclose(found.std, K * np.sqrt(variance), rtol=1e-12)
    assert [3 if what == "tokens_out" else 1] == ASKED


def test_what_is_mixed_is_what_is_simulated():
    for part in (Reads("tokens_out"), Coverage(), LinearCost(1e-3, 1e-3)):
        found = moments(part)
        draws = Varied().sample(np.random.default_rng(3), 40_000, 4)
        values = (
            part.total(draws, parallelism=1) if isinstance(part, CostModel) else part.aggregate(draws, np.random)
        )[:, K - 1]
        np.testing.assert_allclose(found.mean, values.mean(axis=0), rtol=0.02)
        np.testing.assert_allclose(found.std, values.std(axis=0), rtol=0.02)


def test_parts_that_are_not_vectorised_are_asked_query_by_query():
    @dataclass(frozen=True)
    class Slow(Reads):
        vectorised = False

    together, alone = moments(Reads("tokens_out")), moments(Slow("tokens_out"))
    assert ASKED == [1] * 3
    np.testing.assert_allclose(alone.mean, together.mean, rtol=1e-14)
    np.testing.assert_allclose(alone.std, together.std, rtol=1e-14)


def test_many_queries_are_asked_for_in_parts(monkeypatch):
    whole = moments(Reads("tokens_out"))
    monkeypatch.setattr("moo_infer.estimate.calls.AT_ONCE", 4)  # two queries at two values of k
    parts = moments(Reads("tokens_out"))
    assert ASKED == [2, 1]
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-14)


def test_where_other_queries_matter_nothing_is_mixed():
    @dataclass(frozen=True)
    class Ranked(Coverage):
        per_query = False

    assert moments(Coverage()).simulated == ("low", "high")
    assert "mean" in moments(Ranked()).simulated
    assert AccuracyAggregator.per_query


def test_rows_of_a_model():
    model = Gaussian(10.0, 0.0, np.array([[1.0], [2.0], [3.0]]), 0.0, 0.5, 0.0)
    assert rows(model, slice(1, 2)) == replace(model, tokens_out_mean=2.0)
    assert rows(model, slice(1, 3)).tokens_out_mean.tolist() == [[2.0], [3.0]]
