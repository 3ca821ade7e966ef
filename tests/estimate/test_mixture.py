from dataclasses import dataclass

import numpy as np
import pytest
from scipy.stats import norm

from moo_infer import (
    ClippedNormal,
    CostModel,
    Draws,
    Exact,
    InferenceModel,
    Lognormal,
    ModelProfile,
    Moments,
    MooInferError,
    NotExact,
    Objective,
    Queries,
)
from moo_infer.builtin.aggregators import Coverage
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.lengths import LognormalLengths
from moo_infer.builtin.prices import ApiCost, LongContext
from moo_infer.quantities.quadrature import nodes
from moo_infer.quantities.queries import law_rows

K = np.array([1, 4])
ASKED = []  # how many queries a part was asked for, one entry a call


@dataclass(frozen=True)
class Varied(InferenceModel):
    """Three lengths and two difficulties; given both, all is constant."""

    name = "varied"

    def queries(self):
        lengths = Queries([0.2, 0.3, 0.5], tokens_out=ClippedNormal(np.array([[100.0], [200.0], [400.0]]), 0.0))
        right = Queries([0.6, 0.4], accuracy=ClippedNormal(np.array([[0.9], [0.2]]), 0.0))
        return lengths * right * Queries(tokens_in=ClippedNormal(10.0, 0.0))

    def sample(self, rng, M, K, /):
        out = np.repeat(rng.choice([100.0, 200.0, 400.0], (M, 1), p=[0.2, 0.3, 0.5]), K, axis=1)
        right = np.repeat(rng.choice([0.9, 0.2], (M, 1), p=[0.6, 0.4]), K, axis=1)
        return Draws(np.full((M, K), 10.0), out, right)


@dataclass(frozen=True)
class Reads(CostModel):
    """A cost that reads what it is told to."""

    name = "reads"
    objective = Objective("effort")
    what: str

    def total(self, draws, /, *, parallelism):
        each = {"tokens_out": draws.tokens_out, "nothing": np.ones(draws.accuracy.shape)}
        return np.cumsum(each[self.what], axis=1)

    def exact(self, query, k, /, *, parallelism):
        each = query.tokens_out.mean if self.what == "tokens_out" else 1.0
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
    assert ([1, 3, 1, 1] if what == "tokens_out" else [1]) == ASKED  # a probe, all three, the first and the last alone


def test_what_is_mixed_is_what_is_simulated():
    for part in (Reads("tokens_out"), Coverage(), LinearCost(1e-3, 1e-3)):
        found = moments(part)
        draws = Varied().sample(np.random.default_rng(3), 40_000, 4)
        values = (
            part.total(draws, parallelism=1) if isinstance(part, CostModel) else part.aggregate(draws, np.random)
        )[:, K - 1]
        np.testing.assert_allclose(found.mean, values.mean(axis=0), rtol=0.02)
        np.testing.assert_allclose(found.std, values.std(axis=0), rtol=0.02)


def test_parts_that_take_no_arrays_are_asked_query_by_query():
    @dataclass(frozen=True)
    class Slow(Reads):
        def exact(self, query, k, /, *, parallelism):
            moments = super().exact(query, k, parallelism=parallelism)
            return Moments(moments.mean, moments.std) if query.tokens_out.mean > 0 else moments  # no truth of an array

    together, alone = moments(Reads("tokens_out")), moments(Slow("tokens_out"))
    assert ASKED == [1, 3, 1, 1, 1]
    np.testing.assert_allclose(alone.mean, together.mean, rtol=1e-14)
    np.testing.assert_allclose(alone.std, together.std, rtol=1e-14)


def test_parts_that_answer_otherwise_with_arrays_are_refused():
    @dataclass(frozen=True)
    class Wrong(Reads):
        def exact(self, query, k, /, *, parallelism):
            return Moments(k * np.mean(query.tokens_out.mean))

    with pytest.raises(MooInferError, match="gives another mean for \\(B, 1\\) numbers at once"):
        _ = moments(Wrong("tokens_out")).mean


def test_many_queries_are_asked_for_in_parts(monkeypatch):
    whole = moments(Reads("tokens_out"))
    monkeypatch.setattr("moo_infer.estimate.exact.AT_ONCE", 4)  # two queries at two values of k
    parts = moments(Reads("tokens_out"))
    assert ASKED == [1, 2, 1, 1, 1]
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-14)


def test_only_axes_that_a_part_reads_are_mixed():
    for part, sizes in ((Coverage(), 2), (LinearCost(1e-3, 1e-3), 3), (LinearCost(1e-3, 0.0), 1)):
        assert moments(part).simulated == ("low", "high") if sizes > 1 else moments(part).simulated == ()


def test_where_other_queries_matter_nothing_is_mixed():
    @dataclass(frozen=True)
    class Ranked(Coverage):
        def exact(self, query, k, /):
            if query.varies("accuracy"):
                raise NotExact("ranks are those of all queries together")
            return super().exact(query, k)

    assert moments(Coverage()).simulated == ("low", "high")
    assert "mean" in moments(Ranked()).simulated


def test_two_axes_at_once_are_a_product():
    @dataclass(frozen=True)
    class Both(Reads):
        def exact(self, query, k, /, *, parallelism):
            return Moments(k * query.tokens_out.mean * query.accuracy.mean)

    np.testing.assert_allclose(moments(Both("nothing")).mean, K * 280.0 * 0.62, rtol=1e-12)


def test_prices_that_jump_over_prompts_are_integrated_piece_by_piece():
    """Against the lognormal law of all prompts, above and below the step."""
    model = LognormalLengths(tokens_in_mean=500, tokens_in_cv=0.8, tokens_out_mean=100, accuracy_mean=0.8)
    tier = LongContext(600, 2e-6, 0.0)
    column = moments(ApiCost(1e-6, 0.0, long_context=(tier,)), model)
    law = Lognormal(500.0, 0.8)
    values, weights = nodes(law, [600.0])
    each = np.where(values > 600, 2e-6, 1e-6) * values
    mean, square = weights @ each, weights @ each**2
    np.testing.assert_allclose(column.mean, K * mean, rtol=1e-9)
    np.testing.assert_allclose(column.std, K * np.sqrt(square - mean**2), rtol=1e-7)


def test_rows_of_a_law():
    law = ClippedNormal(np.array([[1.0], [2.0], [3.0]]), 0.0)
    assert law_rows(law, slice(1, 2)).loc == 2.0
    assert law_rows(law, slice(1, 3)).loc.tolist() == [[2.0], [3.0]]


@pytest.mark.parametrize(
    ("weights", "laws", "message"),
    [
        ([0.5, 0.6], {}, "weights must be shares"),
        ([], {}, "weights must be shares"),
        ([-0.5, 1.5], {}, "weights must be shares"),
        ([0.5, 0.5], {"accuracy": ClippedNormal(np.array([[0.1], [0.2], [0.3]]), 0.0)}, "along 2 weights"),
    ],
)
def test_queries_that_are_none_are_refused(weights, laws, message):
    with pytest.raises(MooInferError, match=message):
        Queries(weights, **laws)


@pytest.mark.parametrize("within", [0.0, 0.3])
def test_a_cut_of_the_bill_alone_is_integrated_piece_by_piece(within):
    """The closed form of E[min(V, 1000)] for a lognormal V; the inference model itself cuts nothing."""
    model = LognormalLengths(
        tokens_in_mean=500,
        tokens_out_mean=900,
        tokens_out_cv_between=0.8,
        tokens_out_cv_within=within,
        accuracy_mean=0.8,
    )
    column = moments(ApiCost(0.0, 1.0, max_tokens=1000.0), model)
    sigma = np.sqrt(np.log(1.64 * (1 + within**2)))
    d = np.log(1000 / 900) / sigma + sigma / 2
    np.testing.assert_allclose(column.mean, K * (900 * norm.cdf(d - sigma) + 1000 * norm.sf(d)), rtol=1e-7)


def test_moments_of_ten_thousandths_of_a_cent_are_compared_too():
    @dataclass(frozen=True)
    class Wrong(Reads):
        def exact(self, query, k, /, *, parallelism):
            return Moments(1e-12 * k * np.mean(query.tokens_out.mean))

    with pytest.raises(MooInferError, match="gives another mean"):
        _ = moments(Wrong("tokens_out")).mean


@pytest.mark.parametrize(
    "make",
    [
        lambda: Queries(accuracy=ClippedNormal(np.array([0.1, 0.2]), 0.0)),
        lambda: Queries([0.5, 0.5], accuracy=ClippedNormal(np.array([0.1, 0.2]), 0.0)),
        lambda: Queries(accuracy=ClippedNormal(np.array([[0.1, 0.2]]), 0.0)),
    ],
)
def test_numbers_of_queries_that_could_be_those_of_k_are_refused(make):
    with pytest.raises(MooInferError, match=r"the law of accuracy must be plain, or \(Q, 1\)"):
        make()


def test_a_law_whose_spread_alone_differs_differs():
    lengths = Queries([0.5, 0.5], tokens_out=ClippedNormal(100.0, np.array([[0.0], [5.0]])))
    assert [*lengths.axes[0].laws] == ["tokens_out"]


def test_one_column_differs_in_one_way():
    right = Queries([0.5, 0.5], accuracy=ClippedNormal(np.array([[0.1], [0.2]]), 0.0))
    with pytest.raises(MooInferError, match="both factors have accuracy"):
        right * right
