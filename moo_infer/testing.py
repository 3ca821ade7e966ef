"""The contract of each interface, as test classes that the author of a plugin subclasses.

Needs pytest. Give the one fixture, and every test of the contract runs on your part::

    from moo_infer.testing import SelectorContract

    class TestMine(SelectorContract):
        @pytest.fixture
        def selector(self):
            return Mine()

What a part does not promise is switched off with a class attribute (`scale_invariant`, `ignores_dominated`,
`monotone`, `nested`).
"""

import warnings
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from .builtin.inference import Gaussian
from .candidates import Candidates
from .columns import Column, Estimate
from .errors import NoSelection, SelectionWarning
from .interfaces import AccuracyAggregator, CostModel, Draws, InferenceModel, Moments, Selector
from .objectives import ACCURACY, Limit, Objective

__all__ = ["AggregatorContract", "CostModelContract", "InferenceModelContract", "SelectorContract"]

FloatArray = npt.NDArray[np.float64]
GPT_5 = Gaussian(1024, 64, 2048, 128, 0.94, 0.02)
CLOSE = 5.0  # standard errors between what is exact and what is simulated
TRIALS = 4000


class SelectorContract:
    """What every selector keeps.

    Attributes:
        scale_invariant: the answer does not change when an objective and its limit are scaled together.
        ignores_dominated: the answer does not change when dominated rows are added.
    """

    scale_invariant = True
    ignores_dominated = True

    @pytest.fixture
    def selector(self) -> Selector:
        """Return the selector under test."""
        raise NotImplementedError("give the fixture 'selector'")

    def test_has_a_name(self, selector: Selector) -> None:
        """The name is what people type."""
        assert isinstance(selector.name, str)
        assert selector.name == selector.name.strip() != ""

    def test_answers_with_a_row_or_a_reason(self, selector: Selector) -> None:
        """One, two, three and many rows, tied, constant, single-objective, a pool, four objectives."""
        for label, table in _tables():
            answer = _answer(selector, table)
            if isinstance(answer, str):
                assert answer.strip(), f"NoSelection without a reason on {label}"
            else:
                assert 0 <= answer < len(table), f"row {answer} of {len(table)} on {label}"

    def test_gives_the_same_answer_again(self, selector: Selector) -> None:
        """No hidden state and no randomness of its own."""
        for _, table in _tables():
            assert _answer(selector, table) == _answer(selector, table)

    def test_leaves_the_table_alone(self, selector: Selector) -> None:
        """The table is shared by all selectors."""
        for _, table in _tables():
            before = [table.means.copy(), table.losses.copy(), table.k.copy(), table.front.copy()]
            _answer(selector, table)
            for old, new in zip(before, [table.means, table.losses, table.k, table.front], strict=True):
                np.testing.assert_array_equal(old, new)

    def test_does_not_depend_on_units(self, selector: Selector) -> None:
        """Dollars or cents: an objective and its limit scaled together change nothing."""
        if not self.scale_invariant:
            pytest.skip("this selector does not promise it")
        k, cost, accuracy = _bent(12)
        for factor in (1e-3, 1e3):
            answers = [
                _answer(selector, _limited(k, np.stack([cost * f, k / 4.0, accuracy], axis=1), 20.0 * f))
                for f in (1.0, factor)
            ]
            assert answers[0] == answers[1]

    def test_ignores_dominated_rows(self, selector: Selector) -> None:
        """Rows that are worse than another in everything are no alternative."""
        if not self.ignores_dominated:
            pytest.skip("this selector does not promise it")
        k, cost, accuracy = _bent(12)
        good = np.stack([cost, k / 4.0, accuracy], axis=1)
        bad = np.stack([cost[-3:] + 2, k[-3:] / 4.0 + 3, accuracy[-1] - [0.03, 0.04, 0.05]], axis=1)
        more_k = np.concatenate([k, k[-1] + np.array([1, 2, 3])])
        assert _answer(selector, _limited(k, good)) == _answer(selector, _limited(more_k, np.vstack([good, bad])))


class InferenceModelContract:
    """What every inference model keeps."""

    @pytest.fixture
    def model(self) -> InferenceModel:
        """Return the inference model under test."""
        raise NotImplementedError("give the fixture 'model'")

    def test_draws_what_was_asked_for(self, model: InferenceModel) -> None:
        """(M, K) everywhere, tokens finite and not negative, accuracy in [0, 1]."""
        for M, K in ((1, 1), (3, 1), (1, 5), (7, 4)):
            draws = model.sample(np.random.default_rng(0), M, K)
            assert isinstance(draws, Draws)
            assert draws.accuracy.shape == (M, K)
            for name in ("tokens_in", "tokens_out"):
                assert np.isfinite(draws[name]).all()
                assert (draws[name] >= 0).all()
            assert ((draws.accuracy >= 0) & (draws.accuracy <= 1)).all()

    def test_is_reproducible_from_a_generator(self, model: InferenceModel) -> None:
        """The same generator gives the same draws, and no other randomness is used."""
        first, second = (model.sample(np.random.default_rng(7), 5, 6) for _ in range(2))
        for name in ("tokens_in", "tokens_out", "accuracy", *first.columns):
            np.testing.assert_array_equal(first[name], second[name])

    def test_laws_agree_with_draws(self, model: InferenceModel) -> None:
        """Where a law is named, its mean, standard deviation and quantiles are those of the draws."""
        draws = model.sample(np.random.default_rng(1), TRIALS, 2)
        for name, law in (
            ("tokens_in", model.tokens_in),
            ("tokens_out", model.tokens_out),
            ("accuracy", model.accuracy),
        ):
            if law is None:
                continue
            values = draws[name][:, 0]
            _close(law.mean, values, f"mean of {name}")
            assert law.std == pytest.approx(values.std(), rel=0.1, abs=1e-12)
            for q in (0.1, 0.5, 0.9):
                x = law.quantile(np.array([q]))
                assert law.cdf(x)[0] >= q - 1e-9
                assert np.mean(values <= x[0]) >= q - CLOSE * np.sqrt(q * (1 - q) / TRIALS)


class CostModelContract:
    """What every cost model keeps.

    Attributes:
        monotone: the total never falls when another inference is added.
    """

    monotone = True

    @pytest.fixture
    def cost_model(self) -> CostModel:
        """Return the cost model under test."""
        raise NotImplementedError("give the fixture 'cost_model'")

    @pytest.fixture
    def model(self) -> InferenceModel:
        """Return an inference model that brings the columns the cost model needs."""
        return GPT_5

    def test_has_an_objective(self, cost_model: CostModel) -> None:
        """Its unit and direction are data of the column."""
        assert isinstance(cost_model.objective, Objective)
        assert cost_model.objective.name != ACCURACY.name

    def test_totals_are_finite_and_grow(self, cost_model: CostModel, model: InferenceModel) -> None:
        """(M, K), whatever the parallelism."""
        for M, K in ((1, 1), (5, 1), (1, 6), (5, 6)):
            for parallelism in (1, 4):
                total = cost_model.total(model.sample(np.random.default_rng(0), M, K), parallelism=parallelism)
                assert np.shape(total) == (M, K)
                assert np.isfinite(total).all()
                if self.monotone:
                    assert (np.diff(total, axis=1) >= -1e-12 * np.abs(total[:, 1:])).all()

    def test_a_total_knows_nothing_of_later_inferences(self, cost_model: CostModel, model: InferenceModel) -> None:
        """Column k-1 belongs to the first k inferences."""
        draws = model.sample(np.random.default_rng(0), 4, 8)
        whole = cost_model.total(draws, parallelism=2)
        for k in (1, 3, 8):
            np.testing.assert_allclose(cost_model.total(_first(draws, k), parallelism=2), whole[:, :k], rtol=1e-12)

    def test_exact_agrees_with_simulation(self, cost_model: CostModel, model: InferenceModel) -> None:
        """Mean, standard deviation and quantiles, where they are claimed."""
        k = np.array([1, 4, 16])
        for parallelism in (1, 4):
            total = cost_model.total(model.sample(np.random.default_rng(2), TRIALS, 16), parallelism=parallelism)
            _agrees(cost_model.exact(model, k, parallelism=parallelism), total[:, k - 1])


class AggregatorContract:
    """What every accuracy aggregator keeps.

    Attributes:
        nested: what the first k inferences are worth does not depend on later ones (nor on how many there are).
    """

    nested = True

    @pytest.fixture
    def aggregator(self) -> AccuracyAggregator:
        """Return the aggregator under test."""
        raise NotImplementedError("give the fixture 'aggregator'")

    @pytest.fixture
    def model(self) -> InferenceModel:
        """Return an inference model that brings the columns the aggregator needs."""
        return GPT_5

    def test_accuracies_are_shares(self, aggregator: AccuracyAggregator, model: InferenceModel) -> None:
        """(M, K), in [0, 1]."""
        for M, K in ((1, 1), (5, 1), (1, 6), (5, 6)):
            rng = np.random.default_rng(0)
            accuracy = aggregator.aggregate(model.sample(rng, M, K), rng)
            assert np.shape(accuracy) == (M, K)
            assert ((accuracy >= -1e-12) & (accuracy <= 1 + 1e-12)).all()

    def test_is_reproducible_from_a_generator(self, aggregator: AccuracyAggregator, model: InferenceModel) -> None:
        """The same generator gives the same answer, and no other randomness is used."""
        draws = model.sample(np.random.default_rng(0), 4, 8)
        first, second = (aggregator.aggregate(draws, np.random.default_rng(3)) for _ in range(2))
        np.testing.assert_array_equal(first, second)

    def test_an_accuracy_knows_nothing_of_later_inferences(
        self, aggregator: AccuracyAggregator, model: InferenceModel
    ) -> None:
        """Column k-1 belongs to the first k inferences."""
        if not self.nested:
            pytest.skip("this aggregator does not promise it")
        draws = model.sample(np.random.default_rng(0), 4, 8)
        whole = aggregator.aggregate(draws, np.random.default_rng(3))
        for k in (1, 3, 8):
            first = aggregator.aggregate(_first(draws, k), np.random.default_rng(3))
            np.testing.assert_allclose(first, whole[:, :k], rtol=1e-12)

    def test_costs_are_cost_models(self, aggregator: AccuracyAggregator) -> None:
        """What aggregating spends is counted like everything else."""
        assert all(isinstance(cost, CostModel) for cost in aggregator.costs)

    def test_exact_agrees_with_simulation(self, aggregator: AccuracyAggregator, model: InferenceModel) -> None:
        """Mean, standard deviation and quantiles, where they are claimed."""
        k = np.array([1, 4, 16])
        draws = model.sample(np.random.default_rng(2), TRIALS, 16)
        accuracy = aggregator.aggregate(draws, np.random.default_rng(3))
        _agrees(aggregator.exact(model, k), accuracy[:, k - 1])


COST = Objective("cost", "USD")
LATENCY = Objective("latency", "s")
ENERGY = Objective("energy", "J")


def _bent(n: int) -> tuple[npt.NDArray[np.int64], FloatArray, FloatArray]:
    """Return n rows with a bend in the middle: k, cost, accuracy."""
    k = np.arange(1, n + 1, dtype=np.int64)
    cost = k.astype(np.float64)
    return k, cost, 1 - 0.5 * np.exp(-cost / 3.0)


def _limited(k: npt.NDArray[np.int64], means: FloatArray, max_cost: float = 20.0) -> Candidates:
    table = Candidates.from_means([COST, LATENCY, ACCURACY], means, k=k)
    limits = [Limit("cost", max_cost, "max"), Limit("latency", 20.0, "max"), Limit("accuracy", 0.1, "min")]
    return table.feasible(limits)


def _tables() -> Iterator[tuple[str, Candidates]]:
    three = [COST, LATENCY, ACCURACY]
    for n in (1, 2, 3, 40):
        k, cost, accuracy = _bent(n)
        means = np.stack([cost, cost / 4, accuracy], axis=1)
        yield f"{n} rows", Candidates.from_means(three, means, k=k)
        yield f"{n} rows with limits", _limited(k, np.stack([cost / 4, cost / 8, accuracy], axis=1))
        yield f"{n} equal rows", Candidates.from_means(three, np.tile([1.0, 2.0, 0.9], (n, 1)), k=k)
        yield f"{n} rows, one objective", Candidates.from_means([ACCURACY], accuracy[:, None], k=k)
        yield (
            f"{n} rows, constant latency",
            Candidates.from_means(three, np.stack([cost, np.ones(n), accuracy], axis=1), k=k),
        )
        yield (
            f"{n} rows, free",
            Candidates.from_means(three, np.stack([0 * cost, 0 * cost, accuracy], axis=1), k=k),
        )
        yield (
            f"{n} rows, four objectives",
            Candidates.from_means([*three, ENERGY], np.stack([cost, cost / 4, accuracy, cost**1.5], axis=1), k=k),
        )
        yield (
            f"{n} rows, falling accuracy",
            Candidates.from_means(three, np.stack([cost, cost / 4, accuracy[::-1]], axis=1), k=k),
        )
    yield "a pool of two models", _pool()


def _pool() -> Candidates:
    k, cost, accuracy = _bent(5)

    def estimate(model: str, factor: float) -> Estimate:
        columns = {"cost": cost * factor, "latency": cost, "accuracy": accuracy ** (1 / factor)}
        known = {
            name: Column(Moments(v, 0 * v, lambda q, v=v: v), lambda v=v: v[None])  # type: ignore[misc]  # v is bound
            for name, v in columns.items()
        }
        return Estimate(model, "aggregator", 1, k, known)

    return Candidates([COST, LATENCY, ACCURACY], [estimate("small", 1.0), estimate("large", 3.0)])


def _answer(selector: Selector, table: Candidates) -> int | str:
    """Return the row, or the reason."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SelectionWarning)
        try:
            return selector.select(table)
        except NoSelection as error:
            return str(error)


def _first(draws: Draws, k: int) -> Draws:
    columns = {name: column[:, :k] for name, column in draws.columns.items()}
    return Draws(draws.tokens_in[:, :k], draws.tokens_out[:, :k], draws.accuracy[:, :k], columns)


def _close(exact: float, values: FloatArray, what: str) -> None:
    error = CLOSE * values.std() / np.sqrt(len(values)) + 1e-9 * abs(exact) + 1e-12
    assert abs(values.mean() - exact) <= error, f"{what}: exact {exact:g}, simulated {values.mean():g}"


def _agrees(moments: Moments | None, values: FloatArray) -> None:
    """Compare exact moments with (M, n) simulated values."""
    if moments is None:
        return
    for j in range(values.shape[1]):
        _close(float(moments.mean[j]), values[:, j], "mean")
        # Where nearly all trials are equal, the few others are too few to measure a spread.
        if moments.std is not None and np.ptp(np.quantile(values[:, j], [0.025, 0.975])) > 0:
            assert moments.std[j] == pytest.approx(values[:, j].std(), rel=0.1, abs=1e-9)
        if moments.quantile is not None:
            for q in (0.025, 0.5, 0.975):
                x = float(moments.quantile(q)[j])
                slack = CLOSE * np.sqrt(q * (1 - q) / len(values))
                tiny = 1e-9 * max(abs(x), 1e-9)
                assert np.mean(values[:, j] <= x + tiny) >= q - slack
                assert np.mean(values[:, j] < x - tiny) <= q + slack
