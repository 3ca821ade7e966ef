"""What is simulated at a k does not depend on the other k of the grid."""

import copy
import pickle
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moo_infer import (
    AccuracyAggregator,
    CostModel,
    Draws,
    InferenceModel,
    MissingColumn,
    ModelProfile,
    MonteCarlo,
    Pipeline,
    Registry,
)
from moo_infer.builtin.aggregators import BestOfK
from moo_infer.builtin.difficulty import Beta
from moo_infer.builtin.latencies import Slots
from moo_infer.builtin.queueing import Loaded
from moo_infer.builtin.rate_limits import RateLimited
from moo_infer.core.streams import BROADCAST, WHOLE, WITHOUT_SIZE, Streams
from moo_infer.estimate.monte_carlo import BLOCK, simulate
from moo_infer.estimate.setup import Setup
from moo_infer.testing import MODELS

REGISTRY = Registry(entry_points=False)
ANSWERS = Beta(
    mean=0.3, concentration=2.0, wrong_agreement=0.3, unsolvable=0.1, tokens_in_mean=100, tokens_in_cv=0.2,
    tokens_out_mean=50, tokens_out_cv_between=0.3, tokens_out_cv_within=0.4,
)  # fmt: skip
RATIOS = (0.8, 1.0, 1.7)
COSTS = (
    *(REGISTRY.get(CostModel, name) for name in ("logged-cost", "logged-latency", "logged-energy")),
    *(
        REGISTRY.get(CostModel, f"{name}:{numbers}")
        for name, numbers in (
            ("linear-cost", "usd_per_input_token=1e-6,usd_per_output_token=1e-5"),
            ("linear-latency", "seconds_per_input_token=1e-4,seconds_per_output_token=0.001"),
            ("sequential", "seconds_per_input_token=1e-4,seconds_per_output_token=0.001"),
            ("slowest-of-k", "seconds_per_input_token=1e-4,seconds_per_output_token=0.001"),
            ("batch", "itl_base_s=0.006,itl_per_sequence_s=0.0001"),
        )
    ),
    Slots(1e-4, 1e-3, 0.3, RATIOS),
    RateLimited(1e-4, 1e-3, 0.3, RATIOS, requests_per_minute=60, tokens_per_minute=20_000),
    Loaded(0.5, 500, 90, itl_base_s=0.007, itl_per_sequence_s=4e-5, max_batch=40, max_queue=50),
)
AGGREGATORS = tuple(REGISTRY.get(AccuracyAggregator, name) for name in REGISTRY.names(AccuracyAggregator))


def figures(model, part, k, trials=2 * BLOCK + 7):
    """Mean, standard deviation and a quantile at k = 4, where the grid is `k`."""
    cost = isinstance(part, CostModel)
    profile = ModelProfile("mine", model, (part,) if cost else ())
    table = Pipeline(BestOfK() if cost else part, estimator=MonteCarlo(trials, 3), k=k, parallelism=2).candidates(
        profile
    )
    name = part.objective.name if cost else "accuracy"
    at = list(table.k).index(4)
    return [table.column(name, statistic)[at] for statistic in ("mean", "std", "p95", "stderr")]


@pytest.mark.parametrize("part", [*AGGREGATORS, *COSTS], ids=lambda part: part.name)
@pytest.mark.parametrize("model", [*MODELS.values(), ANSWERS], ids=[*MODELS, "answers"])
def test_no_built_in_part_gives_another_figure_on_another_grid(model, part):
    largest = model.queries().largest_k or 130
    try:
        alone = figures(model, part, [4])
    except MissingColumn as error:
        pytest.skip(str(error))
    for k in ([1, 4, largest], range(1, 20), [2, 4, 5]):
        np.testing.assert_array_equal(figures(model, part, k), alone)


def test_the_figures_of_the_papers_model_do_not_depend_on_the_grid():
    alone, among, all_of_them = (
        Pipeline(estimator=MonteCarlo(), k=k).candidates("gpt-5").means[place]
        for k, place in (([4], 0), ([4, 1000], 0), (range(1, 201), 3))
    )
    np.testing.assert_array_equal(alone, among)
    np.testing.assert_array_equal(alone, all_of_them)


@dataclass(frozen=True)
class Naive(InferenceModel):
    """A model as people write it, on a query that its inferences share."""

    name = "naive"

    def sample(self, rng, M, K, /):
        p = rng.beta(2.0, 1.0, (M, 1))
        tokens = rng.normal(np.linspace(100, 200, M)[:, None], 10.0, size=(M, K))
        return Draws(
            rng.integers(1, 90, M)[:, None] * np.ones((M, K)), np.abs(tokens), rng.binomial(1, p, (M, K)) * 1.0
        )


@dataclass(frozen=True)
class Chancy(AccuracyAggregator):
    name = "chancy"

    def aggregate(self, draws, rng, /):
        return np.maximum.accumulate((rng.random(draws.accuracy.shape) < 0.3) * draws.accuracy, axis=1)


def test_parts_of_others_need_not_know():
    for part in (BestOfK(), Chancy(), Slots(1e-4, 1e-3)):
        np.testing.assert_array_equal(figures(Naive(), part, [4]), figures(Naive(), part, [1, 4, 100]))


def test_blocks_are_independent_of_each_other():
    """Each has numbers of its own, so that twice as many trials say more."""
    totals = simulate(
        Setup(ModelProfile("mine", Naive(), ()), BestOfK(), np.array([1]), 1), 4 * BLOCK, 0, ["accuracy"]
    ).totals
    blocks = totals["accuracy"].reshape(4, BLOCK)
    assert np.abs(np.corrcoef(blocks)[np.triu_indices(4, 1)]).max() < 0.2


M = 7
CALLS = {
    "random": (), "standard_normal": (), "standard_exponential": (), "standard_cauchy": (),
    "chisquare": (3.0,), "exponential": (2.0,), "geometric": (0.3,), "logseries": (0.6,), "pareto": (3.0,),
    "poisson": (4.0,), "power": (2.0,), "rayleigh": (1.0,), "standard_gamma": (2.0,), "standard_t": (4.0,),
    "weibull": (2.0,), "zipf": (3.0,),
    "beta": (2.0, 3.0), "binomial": (9, 0.4), "f": (3.0, 4.0), "gamma": (2.0, 3.0), "gumbel": (0.0, 1.0),
    "integers": (0, 1000), "laplace": (0.0, 1.0), "logistic": (0.0, 1.0), "lognormal": (0.0, 1.0),
    "negative_binomial": (4, 0.4), "noncentral_chisquare": (3.0, 1.0), "normal": (0.0, 1.0), "uniform": (0.0, 1.0),
    "vonmises": (0.0, 1.0), "wald": (1.0, 1.0),
    "hypergeometric": (9, 8, 7), "noncentral_f": (3.0, 4.0, 1.0), "triangular": (0.0, 1.0, 2.0),
    "choice": (5,), "dirichlet": ([1.0, 2.0],), "multinomial": (9, [0.3, 0.7]),
    "multivariate_hypergeometric": ([5, 4], 3), "multivariate_normal": ([0.0, 1.0], [[1.0, 0.5], [0.5, 1.0]]),
}  # fmt: skip


def test_every_method_that_takes_a_size_is_known():
    public = {name for name in dir(np.random.Generator) if not name.startswith("_")} - {"bit_generator", "spawn"}
    assert public == {*BROADCAST, *WHOLE, *WITHOUT_SIZE}
    assert set(CALLS) == {*BROADCAST, *WHOLE}


@pytest.mark.parametrize("name", CALLS)
def test_the_first_columns_are_the_same_however_many_there_are(name):
    """The size given by position, by name, or not at all; with numbers, or arrays that broadcast to it."""

    def drawn(K, by_name, parameters):
        rng = Streams(5, (), M)
        rng.random((M, K))
        method = getattr(rng, name)
        return method(*parameters, size=(M, K)) if by_name else method(*parameters, (M, K))

    for by_name in (False, True):
        whole = drawn(6, by_name, CALLS[name])
        assert whole.shape[:2] == (M, 6)
        np.testing.assert_array_equal(drawn(2, by_name, CALLS[name]), whole[:, :2])
    if name not in BROADCAST or not CALLS[name]:
        return
    each = [np.full((M, 1), value) for value in CALLS[name]]
    np.testing.assert_array_equal(drawn(6, True, each), whole)
    rng = Streams(5, (), M)
    rng.random((M, 6))
    np.testing.assert_array_equal(getattr(rng, name)(*(np.full((M, 6), value) for value in CALLS[name])), whole)


def test_copies_go_on_where_the_original_is():
    rng = Streams(5, (1,), 3)
    rng.random((3, 2))
    copies = [pickle.loads(pickle.dumps(rng)), copy.deepcopy(rng), copy.copy(rng)]
    expected = [rng.random((3, 4)).tolist(), rng.spawn(1)[0].random(3).tolist()]
    for again in copies:
        assert [again.random((3, 4)).tolist(), again.spawn(1)[0].random(3).tolist()] == expected


def test_bits_for_others_are_of_the_seed_and_the_key():
    first, again, other = (Streams(5, key, 3).bit_generator.random_raw(4).tolist() for key in ((1,), (1,), (2,)))
    assert first == again != other


def test_a_parameter_belongs_to_its_trial():
    rng = Streams(0, (), M)
    assert rng.normal(np.arange(M)[:, None] * 100.0, 1.0, (M, 3)).round(-2).tolist() == [
        [100.0 * i] * 3 for i in range(M)
    ]
    assert rng.normal(np.arange(3) * 100.0, 1.0, (M, 3)).round(-2).tolist() == [[0.0, 100.0, 200.0]] * M
    assert rng.normal(scale=0.0, loc=np.arange(3.0), size=(M, 3)).tolist() == [[0.0, 1.0, 2.0]] * M
    assert rng.integers(0, np.arange(1, M + 1)[:, None], (M, 40), endpoint=True).max(axis=1).tolist() == [
        *range(1, M + 1)
    ]


def test_what_has_another_shape_is_drawn_as_numpy_draws_it():
    rng, again = Streams(0, (), M), Streams(0, (), M)
    assert isinstance(rng.random(), float)
    assert rng.random(M).shape == (M,)
    assert rng.random((3, 4, 5)).shape == (3, 4, 5)
    assert rng.random((M, 4, 5)).shape == (M, 4, 5)
    out = np.empty((M, 3))
    assert rng.random(out=out) is out
    assert sorted(rng.permutation(9)) == [*range(9)]
    assert len(rng.bytes(5)) == 5
    shuffled = np.arange(30)
    rng.shuffle(shuffled)
    assert shuffled.tolist() != [*range(30)]
    assert rng.permuted(np.arange(30)).tolist() != [*range(30)]
    assert isinstance(rng, np.random.Generator)
    assert again.random() == Streams(0, (), M).random()


def test_streams_are_reproducible_and_differ():
    first = Streams(1, (0,), M).random((M, 3))
    np.testing.assert_array_equal(first, Streams(1, (0,), M).random((M, 3)))
    rng = Streams(1, (0,), M)
    children = [child.random((M, 3)) for child in rng.spawn(2)]
    others = [Streams(2, (0,), M).random((M, 3)), Streams(1, (1,), M).random((M, 3)), *children, rng.random((M, 3))]
    rng.random()
    others.append(rng.random((M, 3)))
    assert len({array.tobytes() for array in [first, *others]}) == len(others) + 1


@given(seed=st.integers(0, 2**64), trials=st.integers(1, 50), few=st.integers(1, 9), more=st.integers(1, 60))
def test_more_columns_leave_the_first_alone(seed, trials, few, more):
    few, more = sorted((few, more))
    short, long = (Streams(seed, (0, 1), trials).normal(0.5, 0.1, (trials, K)) for K in (few, more))
    np.testing.assert_array_equal(short, long[:, :few])
