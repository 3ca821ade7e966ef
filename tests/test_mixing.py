from dataclasses import dataclass, replace

import numpy as np
import pytest

from moo_infer import AccuracyAggregator, CostModel, Draws, Exact, InferenceModel, ModelProfile, Moments, Objective
from moo_infer.builtin.aggregators import Coverage
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.inference import Gaussian
from moo_infer.interfaces import Queries
from moo_infer.mixing import IndependentQueries, relevant, rows

K = np.array([1, 4])
ASKED = []  # how many queries a part was asked for, one entry a call


@dataclass(frozen=True)
class Varied(InferenceModel):
    """Three lengths and two difficulties; given both, all is constant."""

    name = "varied"

    @property
    def queries(self):
        given = Gaussian(10.0, 0.0, 0.0, 0.0, 0.0, 0.0)
        lengths = np.array([0.2, 0.3, 0.5]), {"tokens_out_mean": np.array([100.0, 200.0, 400.0])}
        return IndependentQueries(given, lengths, (np.array([0.6, 0.4]), {"accuracy_mean": np.array([0.9, 0.2])}))

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
        each = {
            "tokens_out": draws.tokens_out,
            "both": draws.tokens_out * draws.accuracy,
            "field": draws.tokens_out,
            "nothing": np.ones(draws.accuracy.shape),
        }
        return np.cumsum(each[self.what], axis=1)

    def exact(self, model, k, /, *, parallelism):
        each = {
            "tokens_out": lambda: model.tokens_out.mean,
            "both": lambda: model.tokens_out.mean * model.accuracy.mean,
            "field": lambda: model.tokens_out_mean,
            "nothing": lambda: 1.0,
        }[self.what]()
        ASKED.append(np.size(each))
        return Moments(k * each, 0.0 * k * each)


def moments(part, model=Varied()):
    ASKED.clear()
    costs, aggregator = ((part,), Coverage()) if isinstance(part, CostModel) else ((), part)
    column = part.objective.name if isinstance(part, CostModel) else "accuracy"
    return Exact(trials=20_000).estimate(ModelProfile("m", model, costs), aggregator, K, 1).columns[column]


@pytest.mark.parametrize(
    ("what", "mean", "variance", "asked"),
    [
        ("tokens_out", 280.0, 15_600.0, 3),
        ("both", 280.0 * 0.62, (0.6 * 0.81 + 0.4 * 0.04) * 94_000 - (280 * 0.62) ** 2, 6),
        ("field", 280.0, 15_600.0, 6),
        ("nothing", 1.0, 0.0, 1),
    ],
)
def test_a_part_is_asked_for_the_queries_it_can_tell_apart(what, mean, variance, asked):
    found = moments(Reads(what))
    np.testing.assert_allclose(found.mean, K * mean, rtol=1e-12)
    np.testing.assert_allclose(found.std, K * np.sqrt(variance), rtol=1e-12)
    assert ASKED[0] == 1  # to see what it reads
    assert ASKED[-1] == asked


def test_what_is_mixed_is_what_is_simulated():
    for part in (Reads("both"), Reads("tokens_out"), Coverage(), LinearCost(1e-3, 1e-3)):
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

    together, alone = moments(Reads("both")), moments(Slow("both"))
    assert ASKED == [1] * 7
    np.testing.assert_allclose(alone.mean, together.mean, rtol=1e-14)
    np.testing.assert_allclose(alone.std, together.std, rtol=1e-14)


def test_many_queries_are_asked_for_in_parts(monkeypatch):
    whole = moments(Reads("both"))
    monkeypatch.setattr("moo_infer.estimators.AT_ONCE", 8)  # four queries at two values of k
    parts = moments(Reads("both"))
    assert ASKED == [1, 4, 2]
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-14)


def test_a_part_that_looks_at_the_class_of_a_model_sees_it():
    seen = []
    relevant(Varied().queries, lambda model: seen.append(isinstance(model, Gaussian)))
    assert seen == [True]


def test_queries_given_as_they_are_stay_so():
    queries = Queries(np.array([0.5, 0.5]), Gaussian(10.0, 0.0, 10.0, 0.0, np.array([[0.1], [0.9]]), 0.0))
    assert relevant(queries, lambda model: model.tokens_in) is queries


def test_a_law_that_hides_its_numbers_may_be_another_for_every_query():
    class Hidden:
        mean, std, normal = 1.0, 0.0, True

    @dataclass(frozen=True)
    class Model(Gaussian):
        @property
        def tokens_in(self):
            return Hidden()

    queries = IndependentQueries(Model(1, 0, 1, 0, 1, 0), (np.array([0.5, 0.5]), {"tokens_in_mean": np.array([1, 2])}))
    assert len(relevant(queries, lambda model: model.tokens_in).weights) == 2
    assert len(relevant(queries, lambda model: model.accuracy).weights) == 1


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
