import tracemalloc
from dataclasses import dataclass, replace

import numpy as np
import pytest

from moo_infer import (
    COST,
    AccuracyAggregator,
    CostModel,
    Draws,
    Exact,
    InferenceModel,
    MissingColumn,
    ModelProfile,
    Moments,
    MonteCarlo,
    MooInferError,
    Objective,
    Pipeline,
    Samples,
    builtin_models,
)
from moo_infer.builtin.aggregators import Coverage
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.difficulty import DifficultyClasses
from moo_infer.builtin.empirical import Empirical
from moo_infer.core.uncertainty import Uncertain
from moo_infer.estimate.curves import HIGH, LOW, Column
from moo_infer.estimate.rows import Statistics
from moo_infer.estimate.setup import Setup

GRID = np.arange(4, 129, 4)


@pytest.mark.parametrize("aggregator", ["best-of-k", "coverage", "majority-vote"])
def test_monte_carlo_means_are_within_four_standard_errors_of_exact(aggregator):
    exact = Pipeline(aggregator).candidates()
    simulated = Pipeline(aggregator, estimator=MonteCarlo(2000, seed=5)).candidates()
    for objective in ("accuracy", "cost", "latency"):
        error = np.abs(simulated.column(objective) - exact.column(objective))
        # Where nearly every trial gave 1, the measured error is no measure; what one trial in M can move is.
        floor = 5.0 / 2000 * (1 - exact.column(objective)) + 1e-12 if objective == "accuracy" else 0.0
        allowed = 4 * simulated.column(objective, "stderr_simulation") + floor
        saturated = (objective == "accuracy") & (exact.column(objective) > 0.999)
        assert (error <= np.where(saturated, np.maximum(allowed, 1e-3), allowed)).all(), objective


def test_exact_and_simulated_spread_agree():
    exact = Pipeline().candidates(["gpt-5", "qwen3-max"])
    simulated = Pipeline(estimator=MonteCarlo(4000)).candidates(["gpt-5", "qwen3-max"])
    for objective in ("accuracy", "cost", "latency"):
        for statistic in ("std", "low", "high", "p50"):
            np.testing.assert_allclose(
                simulated.column(objective, statistic),
                exact.column(objective, statistic),
                rtol=0.08 if statistic == "std" else 0.02,
            )


def test_the_same_seed_gives_the_same_table_and_another_model_changes_nothing():
    alone = Pipeline(estimator=MonteCarlo(50, 3)).candidates("gpt-5")
    again = Pipeline(estimator=MonteCarlo(50, 3)).candidates(["qwen3-max", "gpt-5"]).where(model="gpt-5")
    other = Pipeline(estimator=MonteCarlo(50, 4)).candidates("gpt-5")
    np.testing.assert_array_equal(alone.means, again.means)
    assert (alone.means != other.means).any()


def test_one_nested_draw_serves_every_k():
    """A(k) never falls because of noise, in any trial; and all aggregators see the same inferences."""
    table = Pipeline(["best-of-k", "coverage"], estimator=MonteCarlo(40), k=range(1, 30)).candidates("gpt-5")
    best, coverage = (table.where(aggregator=name) for name in ("best-of-k", "coverage"))
    assert (np.diff(best.trials[:, :, 0], axis=1) >= 0).all()
    np.testing.assert_array_equal(best.column("cost"), coverage.column("cost"))


def test_blocks_bound_memory(profile):
    tracemalloc.start()
    Pipeline(estimator=MonteCarlo(3000), k=[10, 2000]).candidates(profile())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 150 * 2**20  # drawing all at once would take 3000 x 2000 x 3 x 8 B = 144 MB for the draws alone


def test_exact_lists_what_it_simulates():
    table = Pipeline(["best-of-k", "coverage", "majority-vote"], estimator=Exact(trials=100)).candidates("gpt-5")
    listed = {
        name: table.where(aggregator=name).row(0).simulated for name in ("best-of-k", "coverage", "majority-vote")
    }
    assert listed == {
        "best-of-k": (),
        "coverage": ("accuracy.low", "accuracy.high"),
        "majority-vote": ("accuracy.std", "accuracy.low", "accuracy.high"),
    }
    vote = table.where(aggregator="majority-vote")
    assert np.isnan([vote.column("accuracy", of) for of in ("stderr", "stderr_simulation")]).all()
    assert np.isfinite(vote.column("accuracy", "std")).all()


def test_nothing_is_simulated_that_is_not_asked_for(monkeypatch):
    monkeypatch.setattr("moo_infer.estimate.monte_carlo.simulate", None)
    table = Pipeline("majority-vote").candidates("gpt-5")
    assert table.column("cost", "low").shape == table.column("accuracy").shape
    with pytest.raises(TypeError, match="not callable"):
        table.column("accuracy", "low")


def test_saturated_accuracy_says_that_its_error_is_not_measurable():
    report = Pipeline(selectors="max-accuracy", estimator=MonteCarlo(100)).run("nemotron-h-47b", "proposal-writing")
    choice = report["max-accuracy"]
    assert choice.accuracy.mean == 1.0
    assert choice.warnings == (
        "accuracy: each of the 100 trials gave 1, so the error of the mean cannot be measured with that many trials",
    )


def test_any_grid_of_k(profile):
    table = Pipeline(k=[7, 1, 1, 100]).candidates(profile())
    assert table.k.tolist() == [1, 7, 100]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MonteCarlo(0), "trials: must be >= 1, got 0"),
        (lambda: MonteCarlo(2.5), "trials: must be a whole number >= 1, got 2.5"),
        (lambda: MonteCarlo(True), "trials: must be a whole number >= 1, got True"),
        (lambda: Exact(seed=-1), "seed: must be a whole number >= 0, got -1"),
    ],
)
def test_nonsense_is_refused_in_words(make, message):
    with pytest.raises(MooInferError, match=message):
        make()


@dataclass(frozen=True)
class Fee(CostModel):
    name = "fee"
    objective = COST
    usd: float = 0.5

    def total(self, draws, /, *, parallelism):
        return np.full(draws.accuracy.shape, self.usd)

    def exact(self, model, k, /, *, parallelism):
        return Moments(np.full(k.shape, self.usd), np.zeros(k.shape), lambda q: np.full(k.shape, self.usd))


def test_cost_models_of_one_objective_add_up(profile):
    base, fee = profile(), profile(extra=(Fee(),))
    for estimator in ("exact", MonteCarlo(100)):
        plain, more = (Pipeline(estimator=estimator, k=[1, 5]).candidates(p) for p in (base, fee))
        for statistic in ("mean", "low", "high"):
            np.testing.assert_allclose(more.column("cost", statistic), plain.column("cost", statistic) + 0.5)
        np.testing.assert_allclose(more.column("cost", "std"), plain.column("cost", "std"))
    assert Pipeline(k=[1]).candidates(fee).row(0).simulated == ()


def test_two_random_parts_of_one_objective_have_an_exact_mean_and_a_simulated_spread(profile):
    twice = profile(extra=(LinearCost(1e-5, 1e-5),))
    table = Pipeline(k=[1, 4], estimator=Exact(4000)).candidates(twice)
    assert table.row(0).simulated == ("cost.std", "cost.low", "cost.high")
    single = Pipeline(k=[1, 4]).candidates(profile())
    np.testing.assert_allclose(table.column("cost"), 2 * single.column("cost"))
    np.testing.assert_allclose(table.column("cost", "std"), 2 * single.column("cost", "std"), rtol=0.05)


@dataclass(frozen=True)
class Judged(AccuracyAggregator):
    """The best of k, and a judge that charges for every answer it reads."""

    name = "judged"

    @property
    def costs(self):
        return (LinearCost(0.0, 1e-6),)

    def aggregate(self, draws, rng, /):
        return np.maximum.accumulate(draws.accuracy, axis=1)


def test_an_aggregator_pays_for_what_it_spends():
    table = Pipeline(["best-of-k", Judged()], k=[4], estimator=Exact(100)).candidates("gpt-5")
    cost = table.column("cost")
    assert cost[1] - cost[0] == pytest.approx(4 * 2048 * 1e-6)


def bad(**methods):
    """An aggregator made of what is given."""
    return type("Bad", (AccuracyAggregator,), {"name": "bad", "aggregate": lambda self, d, r: d.accuracy, **methods})()


def bad_cost(**methods):
    body = {"name": "bad", "objective": COST, "total": lambda self, d, *, parallelism: d.accuracy, **methods}
    return type("BadCost", (CostModel,), body)()


def bad_model(sample):
    return type("BadModel", (InferenceModel,), {"name": "bad", "sample": sample})()


@pytest.mark.parametrize(
    ("aggregator", "message"),
    [
        (
            bad(aggregate=lambda s, d, r: d.accuracy[:, :1]),
            r"aggregator 'bad' must return \(M, K\) of shape \(5, 8\), got \(5, 1\)",
        ),
        (
            bad(aggregate=lambda s, d, r: d.accuracy * np.nan),
            r"aggregator 'bad' must return \(M, K\) of finite numbers, got nan in column 0",
        ),
        (bad(aggregate=lambda s, d, r: d.accuracy + 1), r"aggregator 'bad' must give accuracies in \[0, 1\]"),
        (
            bad(exact=lambda s, m, k: Moments(np.ones(1))),
            r"must return an exact mean of shape \(2,\), got \(1,\)",
        ),
        (
            bad(exact=lambda s, m, k: Moments(k * np.inf)),
            "must return an exact mean of finite numbers, got inf in column 0",
        ),
    ],
)
def test_an_aggregator_that_misbehaves_is_named(aggregator, message, profile):
    with pytest.raises(MooInferError, match=message):
        Pipeline(aggregator, estimator=Exact(5), k=[4, 8]).candidates(profile())


def test_the_missing_column_and_who_needs_it_are_named(profile):
    needy = bad(aggregate=lambda s, d, r: d["score"])
    with pytest.raises(
        MissingColumn,
        match="no column 'score', needed by aggregator 'bad' from inference model 'gaussian' of 'mine'; columns: tokens_in",
    ):
        Pipeline(needy, estimator=Exact(5), k=[1]).candidates(profile())


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        (
            bad_cost(total=lambda s, d, *, parallelism: 1.0),
            r"cost model 'bad' must return \(M, K\) of shape \(5, 8\), got \(\)",
        ),
        (bad_cost(objective=Objective("accuracy")), "but 'accuracy' is already"),
        (bad_cost(objective=Objective("cost", "EUR")), "but 'cost' is already Objective.*unit='USD'"),
    ],
)
def test_a_cost_model_that_misbehaves_is_named(cost, message, profile):
    with pytest.raises(MooInferError, match=message):
        Pipeline(estimator=MonteCarlo(5), k=[4, 8]).candidates(profile(extra=(cost,)))


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (lambda s, rng, M, K: None, "inference model 'bad' of 'x' must return Draws, got NoneType"),
        (lambda s, rng, M, K: Draws(*np.ones((3, M, 1))), r"shape \(M, K\) = \(5, 8\), got \(5, 1\)"),
        (lambda s, rng, M, K: Draws(*2 * np.ones((3, M, K))), r"must draw accuracy in \[0, 1\], got 2 to 2"),
        (
            lambda s, rng, M, K: Draws(*-np.ones((3, M, K))),
            "must draw tokens_in finite and >= 0, got -1 to -1",
        ),
        (
            lambda s, rng, M, K: Draws(*np.full((3, M, K), np.nan)),
            "must draw tokens_in finite and >= 0, got nan to nan",
        ),
    ],
)
def test_an_inference_model_that_misbehaves_is_named(sample, message):
    with pytest.raises(MooInferError, match=message):
        Pipeline(estimator=MonteCarlo(5), k=[4, 8]).candidates(ModelProfile("x", bad_model(sample), ()))


def test_a_model_without_laws_is_simulated(profile):
    def sample(self, rng, M, K):
        return Draws(np.full((M, K), 10.0), np.full((M, K), 20.0), rng.random((M, K)))

    unknown = replace(profile(), inference=bad_model(sample))
    table = Pipeline(estimator=Exact(3000), k=[1, 3]).candidates(unknown)
    assert "accuracy.mean" in table.row(0).simulated
    np.testing.assert_allclose(table.column("accuracy"), [0.5, 0.75], atol=0.03)
    assert (table.column("accuracy", "stderr_simulation") > 0).all()


def test_profiles_are_not_touched():
    models = builtin_models()
    before = repr(models)
    Pipeline(models=models, estimator=MonteCarlo(10)).run()
    assert repr(models) == before


def test_blocks_differ_and_none_is_lost(monkeypatch, profile):
    monkeypatch.setattr("moo_infer.estimate.monte_carlo.BLOCK", 64)
    exact = Pipeline(k=[1, 4]).candidates(profile())
    table = Pipeline(estimator=MonteCarlo(1000), k=[1, 4]).candidates(profile())  # 62 blocks of 16, one of 8
    for objective in ("accuracy", "cost", "latency"):
        trials = table.trials[:, 0, table.index(objective)]
        assert len(np.unique(trials)) > 900
        error = np.abs(table.column(objective) - exact.column(objective))
        assert (error <= 4 * table.column(objective, "stderr_simulation")).all()


def test_the_aggregator_draws_from_a_stream_of_its_own(profile):
    seen = []

    def aggregate(self, draws, rng, /):
        seen.append((draws.tokens_in.copy(), rng.normal(1000, 50, draws.tokens_in.shape)))
        return draws.accuracy

    Pipeline(bad(aggregate=aggregate), estimator=MonteCarlo(50), k=[3]).candidates(profile())
    tokens, own = seen[0]
    assert np.abs(tokens - own).min() > 0


class Failing(CostModel):
    name = "failing"
    objective = COST

    def total(self, draws, /, *, parallelism):
        return {}["price"]


def test_what_a_part_raises_names_the_part(profile):
    with pytest.raises(MooInferError, match="cost model 'failing' fails: KeyError: 'price'"):
        Pipeline(estimator=MonteCarlo(5), k=[1]).candidates(profile(extra=(Failing(),)))
    broken = bad(exact=lambda s, m, k: 1 / 0)
    with pytest.raises(MooInferError, match="aggregator 'bad' on 'mine' fails: ZeroDivisionError"):
        Pipeline(broken, k=[1]).candidates(profile())


@pytest.mark.parametrize(
    ("exact", "message"),
    [
        (lambda s, m, k: (k, k), "must return exact Moments, or raise NotExact where they are not known, got tuple"),
        (lambda s, m, k: Moments(0.5 + 0 * k, -1.0 + 0 * k), "must return an exact std >= 0, got -1"),
        (lambda s, m, k: Moments(8.0 + 0 * k), r"must return an exact mean in \[0, 1\], got 8 to 8"),
        (lambda s, m, k: Moments(0.5 + 0j * k), "must return an exact mean of numbers, got complex128"),
        (
            lambda s, m, k: Moments(0.5 + 0 * k, np.array([0.0, np.nan])),
            "exact std of finite numbers, got nan in column 1",
        ),
    ],
)
def test_exact_moments_that_cannot_be_are_refused(exact, message, profile):
    with pytest.raises(MooInferError, match=message):
        Pipeline(bad(exact=exact), k=[4, 8]).candidates(profile())


@pytest.mark.parametrize("quantile", [lambda q: 0.5, lambda q: np.array([0.5, np.nan])])
def test_exact_quantiles_that_cannot_be_are_refused(quantile, profile):
    part = bad(exact=lambda s, m, k: Moments(0.5 + 0 * k, 0.0 * k, quantile))
    table = Pipeline(part, k=[4, 8]).candidates(profile())
    with pytest.raises(MooInferError, match="aggregator 'bad' on 'mine' must return an exact quantile of"):
        table.column("accuracy", "low")


@pytest.mark.parametrize("kind", ["one query", "classes of queries", "a log"])
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 1), (3, 2), (1, 1, 2), (1, 2, 2)])
@pytest.mark.parametrize("statistic", ["mean", "std", "quantile"])
def test_moments_of_a_wrong_shape_are_refused_whatever_the_queries(kind, shape, statistic, profile):
    models = {
        "one query": profile().inference,
        "classes of queries": DifficultyClasses(shares=(0.5, 0.5), p=(0.9, 0.2)),
        "a log": Empirical(Samples("mine", ["a", "b"], np.repeat([0, 1], 8), np.tile([0.0, 1], 8))),
    }
    right, wrong = np.full(2, 0.5), np.full(shape, 0.5)
    given = {"mean": right, "std": right, "quantile": lambda q: right}
    given[statistic] = wrong if statistic != "quantile" else lambda q: wrong
    part = bad(exact=lambda s, m, k: Moments(given["mean"], given["std"], given["quantile"]))
    profile = ModelProfile("mine", models[kind], ())
    if statistic == "quantile" and kind != "one query":
        return  # quantiles given a query are not used
    with pytest.raises(MooInferError, match=f"aggregator 'bad' on 'mine' must return an exact {statistic} of shape"):
        Exact().estimate(profile, part, np.array([4, 8]), 1).columns["accuracy"].quantile(0.5)


def test_a_mean_costs_no_simulation(monkeypatch):
    monkeypatch.setattr("moo_infer.estimate.monte_carlo.simulate", None)
    report = Pipeline("majority-vote").run("gpt-5", "essay-feedback")
    assert report["utopia"].accuracy.mean > 0.9
    assert "essay-feedback: use gpt-5" in report.to_text()


def test_a_draw_is_simulated_with_its_own_numbers_and_has_its_own_quantiles(profile):
    paths = ("inference.accuracy_mean", "costs[0].usd_per_output_token")
    mine = replace(profile(), uncertain=dict(zip(paths, (Uncertain(se=0.05), Uncertain(se=1e-6)), strict=True)))
    k, values = np.array([1, 4]), mine.draw(3, 7)
    for b, drawn in enumerate(Exact(200).redraw(Setup(mine, Coverage(), k, 1), 3, 7)):
        alone = Exact(200).estimate(
            mine.with_values({path: float(v[b]) for path, v in values.items()}), Coverage(), k, 1
        )
        assert drawn.columns["accuracy"].simulated == ("low", "high")
        low, expected = (e.columns["accuracy"].quantile(0.1) for e in (drawn, alone))
        np.testing.assert_array_equal(low, expected)
        assert "low" not in drawn.columns["cost"].simulated
        dearest, expected = (e.columns["cost"].quantile(0.9) for e in (drawn, alone))
        np.testing.assert_allclose(dearest, expected, rtol=1e-12)


def test_exact_quantiles_are_asked_for_once_by_all_rows():
    asked = []
    column = Column(Moments(np.ones(3), np.zeros(3), lambda q: asked.append(q) or np.ones(3)))
    for place in range(3):
        figures = Statistics(column, place)
        assert (figures.low, figures.high, column.simulated) == (1.0, 1.0, ())
    assert sorted(asked) == [LOW, HIGH]


def test_a_setup_of_which_every_k_can_be_had_is_asked_as_it_is():
    setup = Setup(builtin_models()["gpt-5"], Coverage(), GRID, 4)
    assert setup.possible() is setup
