"""The contract of each interface, as test classes that the author of a plugin subclasses.

Needs pytest. List your parts, and every test of the contract runs on each of them::

    from moo_infer.testing import SelectorContract

    class TestMine(SelectorContract):
        instances = (Mine(), Mine(share=0.3))

One part may come from the fixture of its kind instead (`selector`, `aggregator`, `cost_model`, `model`, `reader`). A
test asks that every parameter with a default is set to something else in one of the instances.

Aggregators and cost models are asked **as the product asks them**, through the estimators: on queries that are all
alike, on lengths and difficulties that differ, and on a log (`MODELS`), at their parameters and at three draws of them.
Where a part needs a column that a model does not bring, the test is skipped. Give the fixture `model` where yours needs
others.

What a part does not promise is switched off with a class attribute (`scale_invariant`, `ignores_dominated`,
`efficient`, `monotone`, `nested`).
"""

import dataclasses
import inspect
import math
import random
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

import numpy as np
import numpy.typing as npt
import pytest

from .builtin.answers import OneCall
from .builtin.difficulty import DifficultyClasses
from .builtin.empirical import Empirical
from .builtin.inference import Gaussian
from .builtin.lengths import LognormalLengths
from .calibrate.reading import read_log
from .candidates import Candidates
from .columns import Column, Estimate
from .errors import MissingColumn, MooInferError, NoSelection, NothingPossible, SelectionWarning
from .estimators import Exact, simulate
from .files import HEAD, head
from .interfaces import AccuracyAggregator, CostModel, Draws, InferenceModel, LogReader, Moments, Selector
from .mixing import mixed
from .noise import with_noise
from .objectives import ACCURACY, Limit, Objective
from .parts import NAME, Uncertain, check, unfit
from .profiles import ModelProfile
from .samples import COLUMNS, FINGERPRINT, Samples
from .streams import Streams

__all__ = [
    "MODELS",
    "AggregatorContract",
    "CostModelContract",
    "InferenceModelContract",
    "LogReaderContract",
    "SelectorContract",
]

FloatArray = npt.NDArray[np.float64]
SHAPES = ((1, 1), (5, 1), (1, 2), (3, 3), (1, 6), (5, 6))  # of draws: (M, K)
CLOSE = 5.0  # standard errors between what is exact and what is simulated
TRIALS = 4000
K = np.array([1, 4, 16])  # where exact and simulated moments are compared
DATACLASS = "__dataclass_params__"


def _log() -> Samples:
    """Five questions with 24 samples each and every column; answer 0 is the right one."""
    rng = np.random.default_rng(0)
    answer = np.concatenate([rng.choice(4, 24, p=[p, *np.full(3, (1 - p) / 3)]) for p in (0.9, 0.7, 0.5, 0.3, 0.05)])
    columns = {
        "answer": answer,
        "score": rng.normal(size=120) + (answer == 0),
        "input_tokens": np.repeat(rng.integers(50, 500, 5), 24),
        "output_tokens": rng.integers(50, 500, 120),
        "latency_s": rng.gamma(2.0, 3.0, 120),
        "cost_usd": rng.gamma(2.0, 0.01, 120),
        "energy_j": rng.gamma(2.0, 50.0, 120),
    }
    return Samples("log", [f"q{i}" for i in range(5)], np.repeat(np.arange(5), 24), (answer == 0) * 1.0, columns)


MODELS: Mapping[str, InferenceModel] = {
    "gaussian": Gaussian(1024, 64, 2048, 128, 0.94, 0.02),
    "lognormal": LognormalLengths(
        tokens_in_mean=500,
        tokens_in_cv=0.4,
        tokens_out_mean=900,
        tokens_out_cv_between=0.5,
        tokens_out_cv_within=0.3,
        max_tokens=2500,
        accuracy_mean=0.8,
        accuracy_std=0.1,
    ),
    "difficulty classes": DifficultyClasses(
        shares=(0.5, 0.3, 0.2), p=(0.9, 0.55, 0.1), tokens_in_mean=300, tokens_out_mean=90, tokens_out_cv_within=0.4
    ),
    "a log": Empirical(_log()),
}


class _Contract:
    """What all contracts share: the parts that are tried.

    Attributes:
        fixture: the name of the fixture that gives one part.
        instances: the parts to try, instead of the fixture.
    """

    fixture: ClassVar[str]
    instances: ClassVar[Sequence[Any]] = ()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Try each of the instances, where they are listed."""
        if self.instances and self.fixture in metafunc.fixturenames:
            metafunc.parametrize(self.fixture, self.instances, ids=lambda part: f"{part!r:.100}")

    def test_every_optional_parameter_is_tried(self) -> None:
        """What nobody sets is not tested."""
        if not self.instances:
            pytest.skip("the parts are not listed in `instances`")
        unset = [
            f"{cls.__name__}.{field.name}"
            for cls in dict.fromkeys(type(part) for part in self.instances)
            for field in _fields(cls)
            if all(_is_default(part, field) for part in self.instances if type(part) is cls)
        ]
        assert not unset, f"give an instance another value than the default of {', '.join(unset)}"


class SelectorContract(_Contract):
    """What every selector keeps.

    Attributes:
        scale_invariant: the answer does not change when an objective and its limit are scaled together.
        ignores_dominated: the answer does not change when dominated rows are added.
        efficient: the answer is a row of the Pareto front.
    """

    fixture = "selector"
    scale_invariant = True
    ignores_dominated = True
    efficient = True

    @pytest.fixture
    def selector(self) -> Selector:
        """Return the selector under test."""
        raise NotImplementedError("list `instances`, or give the fixture 'selector'")

    def test_is_a_part(self, selector: Selector) -> None:
        """A name that people can type, and fields that nobody changes."""
        _is_a_part(selector)

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
            pytest.skip("scale_invariant is not promised")
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
            pytest.skip("ignores_dominated is not promised")
        k, cost, accuracy = _bent(12)
        good = np.stack([cost, k / 4.0, accuracy], axis=1)
        bad = np.stack([cost[-3:] + 2, k[-3:] / 4.0 + 3, accuracy[-1] - [0.03, 0.04, 0.05]], axis=1)
        more_k = np.concatenate([k, k[-1] + np.array([1, 2, 3])])
        assert _answer(selector, _limited(k, good)) == _answer(selector, _limited(more_k, np.vstack([good, bad])))

    def test_answers_with_a_row_that_nothing_dominates(self, selector: Selector) -> None:
        """Where rows tie in what the selector looks at, the other objectives still count."""
        if not self.efficient:
            pytest.skip("efficient is not promised")
        for label, table in _tables():
            answer = _answer(selector, table)
            assert isinstance(answer, str) or answer in table.front, f"takes a dominated row on {label}"


class InferenceModelContract(_Contract):
    """What every inference model keeps.

    Attributes:
        nested: the first k inferences of a trial are the same, however many are drawn.
    """

    fixture = "model"
    nested = True

    @pytest.fixture
    def model(self) -> InferenceModel:
        """Return the inference model under test."""
        raise NotImplementedError("list `instances`, or give the fixture 'model'")

    def test_is_a_part(self, model: InferenceModel) -> None:
        """A name that people can type, and fields that nobody changes."""
        _is_a_part(model)

    def test_draws_what_was_asked_for(self, model: InferenceModel) -> None:
        """(M, K) everywhere, tokens finite and not negative, accuracy in [0, 1]."""
        for M, K in SHAPES:
            draws = model.sample(np.random.default_rng(0), M, K)
            assert isinstance(draws, Draws)
            assert draws.accuracy.shape == (M, K)
            assert "noise" not in draws, "estimators draw the column noise, for every model"
            for name in ("tokens_in", "tokens_out"):
                assert np.isfinite(draws[name]).all()
                assert (draws[name] >= 0).all()
            assert ((draws.accuracy >= 0) & (draws.accuracy <= 1)).all()

    def test_is_reproducible_from_a_generator(self, model: InferenceModel) -> None:
        """The same generator gives the same draws, and no other randomness is used."""
        before = _global_randomness()
        first, second = (model.sample(np.random.default_rng(7), 5, 6) for _ in range(2))
        for name in ("tokens_in", "tokens_out", "accuracy", *first.columns):
            np.testing.assert_array_equal(first[name], second[name])
        assert _global_randomness() == before

    def test_the_first_inferences_are_the_same_however_many_are_drawn(self, model: InferenceModel) -> None:
        """So that what is simulated at k = 4 does not depend on whether k = 1000 is asked for as well."""
        if not self.nested:
            pytest.skip("nested is not promised")
        M, K = 101, 8
        whole = _sample(model, 5, M, K)
        hint = "draw arrays of (M, K), or of M trials that share a number, in calls whose order does not depend on K"
        for k in (1, 3):
            first = _sample(model, 5, M, k)
            for name, column in first.columns.items():
                np.testing.assert_array_equal(column, whole[name][:, :k], err_msg=f"{name}: {hint}")

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

    def test_queries_agree_with_draws(self, model: InferenceModel) -> None:
        """Where queries differ: mean and standard deviation of one inference, and of the sum of two on one query."""
        draws = model.sample(np.random.default_rng(1), TRIALS, 2)
        for of, names in (("tokens", ("tokens_in", "tokens_out")), ("accuracy", ("accuracy",))):
            queries = model.queries(of)  # type: ignore[arg-type]  # one of the two
            if queries is None:
                continue
            weights, given = queries.weights, queries.model
            assert weights.min() >= 0
            assert weights.sum() == pytest.approx(1)
            for name in names:
                law = getattr(given, name)
                if law is None:
                    continue
                mean, std = (np.broadcast_to(values, (len(weights), 1)) for values in (law.mean, law.std))
                for k in (1, 2):
                    values, exact = draws[name][:, :k].sum(axis=1), mixed(weights, k * mean, np.sqrt(k) * std)
                    _close(float(exact.mean[0]), values, f"mean of {name}, sum of {k}")
                    assert exact.std is not None
                    assert exact.std[0] == pytest.approx(values.std(), rel=0.1, abs=1e-9), f"std of {name}, sum of {k}"


class CostModelContract(_Contract):
    """What every cost model keeps.

    Attributes:
        monotone: the total never falls when another inference is added.
    """

    fixture = "cost_model"
    monotone = True

    @pytest.fixture
    def cost_model(self) -> CostModel:
        """Return the cost model under test."""
        raise NotImplementedError("list `instances`, or give the fixture 'cost_model'")

    @pytest.fixture(params=MODELS.values(), ids=list(MODELS))
    def model(self, request: pytest.FixtureRequest) -> InferenceModel:
        """Return the inference models that the cost model is asked about."""
        model: InferenceModel = request.param
        return model

    def test_has_an_objective(self, cost_model: CostModel) -> None:
        """Its unit and direction are data of the column."""
        _is_a_part(cost_model)
        assert isinstance(cost_model.objective, Objective)
        assert cost_model.objective.name != ACCURACY.name

    def test_totals_are_finite_and_grow(self, cost_model: CostModel, model: InferenceModel) -> None:
        """(M, K), whatever the parallelism, also where all inferences are equal."""
        for draws in _draws(model):
            for parallelism in (1, 4):
                with _skipped_without_columns():
                    total = cost_model.total(draws, parallelism=parallelism)
                assert np.shape(total) == draws.accuracy.shape
                assert np.isfinite(total).all()
                if self.monotone:
                    assert (np.diff(total, axis=1) >= -1e-12 * np.abs(total[:, 1:])).all()

    def test_leaves_the_draws_alone_and_gives_the_same_again(
        self, cost_model: CostModel, model: InferenceModel
    ) -> None:
        """The draws are shared by all parts; a total has no randomness of its own."""
        for draws in _draws(model):
            with _unchanged(draws), _skipped_without_columns():
                first, second = (cost_model.total(draws, parallelism=2) for _ in range(2))
            np.testing.assert_array_equal(first, second)

    def test_a_total_knows_nothing_of_later_inferences(self, cost_model: CostModel, model: InferenceModel) -> None:
        """Column k-1 belongs to the first k inferences."""
        draws = _sample(model, 0, 4, 8)
        with _skipped_without_columns():
            whole = cost_model.total(draws, parallelism=2)
        for k in (1, 3, 8):
            np.testing.assert_allclose(cost_model.total(_first(draws, k), parallelism=2), whole[:, :k], rtol=1e-12)

    def test_exact_agrees_with_simulation(self, cost_model: CostModel, model: InferenceModel) -> None:
        """Mean, standard deviation and quantiles, where they are claimed: as the estimator asks for them."""
        for parallelism in (1, 4):
            profile = ModelProfile("contract", model, (cost_model,))
            _agrees(profile, OneCall(), parallelism, [cost_model.objective.name])

    def test_says_what_is_possible(self, cost_model: CostModel, model: InferenceModel) -> None:
        """True or false for every k, and sentences."""
        k = K if model.largest_k is None else K[model.largest_k >= K]
        with _skipped_without_columns():
            possible = np.asarray(cost_model.possible(model, k, parallelism=2))
            remarks = cost_model.remarks(model, k, parallelism=2)
        assert possible.shape == k.shape
        assert possible.dtype == bool
        assert all(isinstance(remark, str) for remark in remarks)

    def test_draws_of_uncertain_parameters_are_those_of_one_at_a_time(
        self, cost_model: CostModel, model: InferenceModel
    ) -> None:
        """Three draws of every number of the part and of the model, as `--stability` asks for them."""
        _redraws(model, (cost_model,), OneCall())


class AggregatorContract(_Contract):
    """What every accuracy aggregator keeps.

    Attributes:
        nested: what the first k inferences are worth does not depend on later ones (nor on how many there are).
    """

    fixture = "aggregator"
    nested = True

    @pytest.fixture
    def aggregator(self) -> AccuracyAggregator:
        """Return the aggregator under test."""
        raise NotImplementedError("list `instances`, or give the fixture 'aggregator'")

    @pytest.fixture(params=MODELS.values(), ids=list(MODELS))
    def model(self, request: pytest.FixtureRequest) -> InferenceModel:
        """Return the inference models that the aggregator is asked about."""
        model: InferenceModel = request.param
        return model

    def test_accuracies_are_shares(self, aggregator: AccuracyAggregator, model: InferenceModel) -> None:
        """(M, K), in [0, 1], also where all inferences are equal, right or wrong."""
        for draws in _draws(model):
            with _skipped_without_columns():
                accuracy = np.asarray(aggregator.aggregate(draws, _rng(draws, 0)))
            assert accuracy.shape == draws.accuracy.shape, "an accuracy for each of the first k, in every trial: (M, K)"
            low, high = accuracy.min(), accuracy.max()
            assert low >= -1e-12, f"accuracies are in [0, 1], got {low:g}"
            assert high <= 1 + 1e-12, f"accuracies are in [0, 1], got {high:g}"

    def test_is_a_part(self, aggregator: AccuracyAggregator) -> None:
        """A name that people can type, and fields that nobody changes."""
        _is_a_part(aggregator)

    def test_leaves_the_draws_alone(self, aggregator: AccuracyAggregator, model: InferenceModel) -> None:
        """The draws are shared by all parts."""
        for draws in _draws(model):
            with _unchanged(draws), _skipped_without_columns():
                aggregator.aggregate(draws, _rng(draws, 0))

    def test_is_reproducible_from_a_generator(self, aggregator: AccuracyAggregator, model: InferenceModel) -> None:
        """The same generator gives the same answer, and no other randomness is used."""
        before = _global_randomness()
        draws = _sample(model, 0, 4, 8)
        with _skipped_without_columns():
            first, second = (aggregator.aggregate(draws, _rng(draws, 3)) for _ in range(2))
        np.testing.assert_array_equal(first, second)
        assert _global_randomness() == before

    def test_an_accuracy_knows_nothing_of_later_inferences(
        self, aggregator: AccuracyAggregator, model: InferenceModel
    ) -> None:
        """Column k-1 belongs to the first k inferences."""
        if not self.nested:
            pytest.skip("nested is not promised")
        draws = _sample(model, 0, 100, 8)
        with _skipped_without_columns():
            whole = aggregator.aggregate(draws, _rng(draws, 3))
        for k in (1, 3, 8):
            first = aggregator.aggregate(_first(draws, k), _rng(draws, 3))
            hint = "column k-1 belongs to the first k; random numbers for each inference: rng.random((M, K))"
            np.testing.assert_allclose(first, whole[:, :k], rtol=1e-12, err_msg=hint)

    def test_costs_are_cost_models(self, aggregator: AccuracyAggregator) -> None:
        """What aggregating spends is counted like everything else."""
        for i, cost in enumerate(aggregator.costs):
            check(cost, CostModel, f"costs[{i}]")

    def test_exact_agrees_with_simulation(self, aggregator: AccuracyAggregator, model: InferenceModel) -> None:
        """Mean, standard deviation and quantiles, where they are claimed: as the estimator asks for them."""
        objectives = [ACCURACY.name, *(cost.objective.name for cost in aggregator.costs)]
        _agrees(ModelProfile("contract", model, ()), aggregator, 1, objectives)

    def test_draws_of_uncertain_parameters_are_those_of_one_at_a_time(
        self, aggregator: AccuracyAggregator, model: InferenceModel
    ) -> None:
        """Three draws of every number of the model, or of the questions of a log, as `--stability` asks for them."""
        _redraws(model, (), aggregator)


class LogReaderContract(_Contract):
    """What every log reader keeps.

    Attributes:
        recognising: a file is known by its content, so that nobody has to name the format.
        truncating: a file of which the second half is missing is noticed.
    """

    fixture = "reader"
    recognising = True
    truncating = True

    @pytest.fixture
    def reader(self) -> LogReader:
        """Return the log reader under test."""
        raise NotImplementedError("list `instances`, or give the fixture 'reader'")

    @pytest.fixture
    def file(self) -> Path:
        """Return a file that the reader can read."""
        raise NotImplementedError("give the fixture 'file'")

    def test_is_a_part(self, reader: LogReader) -> None:
        """A name that people can type, and fields that nobody changes."""
        _is_a_part(reader)

    def test_gives_the_neutral_table(self, reader: LogReader, file: Path) -> None:
        """Columns of the neutral table alone, whose values pass all checks; the same when read again."""
        first, second = (read_log(file, format=reader) for _ in range(2))
        assert len(first.frame) > 0
        assert first.frame.equals(second.frame)
        rows = reader.read(file)
        if hasattr(rows, "collect_schema"):
            names = {*rows.collect_schema().names()}
        else:
            names = {str(name) for row in rows if not isinstance(row, MooInferError) for name in row}
        strange = names - {*COLUMNS, FINGERPRINT}
        assert not strange, f"no columns of the neutral table: {sorted(strange)}"

    def test_knows_its_files(self, reader: LogReader, file: Path) -> None:
        """By their first bytes; other files are not taken for its own."""
        assert not reader.recognises(b"Dear diary,\n\ntoday nothing was measured.\n", file.with_name("diary.txt"))
        if not self.recognising:
            pytest.skip("recognising is not promised")
        start = head(file)
        assert reader.recognises(start, file)
        assert len(start) < HEAD or reader.recognises(start[:4096], file), "4096 bytes must do"

    def test_notices_what_is_cut_off(self, reader: LogReader, file: Path, tmp_path: Path) -> None:
        """Half a file gives an error, not half the samples."""
        if not self.truncating:
            pytest.skip("truncating is not promised")
        whole = file.read_bytes()
        half = tmp_path / file.name
        half.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(MooInferError):
            read_log(half, format=reader)


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
            f"{n} rows, only accuracy differs, the best in the middle",
            Candidates.from_means(three, np.stack([np.ones(n), np.ones(n), np.roll(accuracy, n // 2)], axis=1), k=k),
        )
        yield (
            f"{n} rows at the limit of latency",
            _limited(k, np.stack([cost[::-1] / 4, np.full(n, 20.0), accuracy], axis=1)),
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
    if np.isin(values, (0.0, 1.0)).all():  # what happens in one trial of a thousand may not have been seen
        error = max(error, 3 * CLOSE / len(values))
    assert abs(values.mean() - exact) <= error, (
        f"{what}: exact {exact:.9g}, simulated {values.mean():.9g} +- {error:.2g}"
    )


def _error_of_std(values: FloatArray) -> float:
    """Relative difference to allow between a standard deviation and that of a sample: more where it has long tails."""
    kurtosis = float((((values - values.mean()) / values.std()) ** 4).mean()) if values.std() > 0 else 0.0
    return max(0.1, CLOSE * math.sqrt(max(kurtosis - 1, 0.0) / (4 * len(values))))


def _is_a_part(part: Any) -> None:
    assert isinstance(getattr(part, "name", None), str), "the class needs a name"
    assert NAME.fullmatch(part.name), f"{part.name!r} is not kebab-case"
    assert type(part).name == part.name, "the name belongs to the class, not to the object"
    kind = next(k for k in (Selector, AccuracyAggregator, CostModel, InferenceModel, LogReader) if isinstance(part, k))
    assert not unfit(type(part), kind), unfit(type(part), kind)
    if dataclasses.is_dataclass(part):
        parameters = next(vars(cls)[DATACLASS] for cls in inspect.getmro(type(part)) if DATACLASS in vars(cls))
        assert parameters.frozen, "write @dataclass(frozen=True)"
        assert dataclasses.replace(part) == part  # type: ignore[type-var]  # a part is no class


def _sample(model: InferenceModel, seed: int, M: int, K: int) -> Draws:
    """Draws as estimators make them, with what they add to them."""
    return with_noise(model.sample(Streams(seed, (0,), M), M, K), Streams(seed, (3,), M))


def _rng(draws: Draws, seed: int) -> np.random.Generator:
    """The generator that an aggregator gets from estimators."""
    return Streams(seed, (1,), len(draws.accuracy))


def _draws(model: InferenceModel) -> Iterator[Draws]:
    """Draws of every shape, then such in which all inferences are equal."""
    for M, K in SHAPES:
        yield _sample(model, 0, M, K)
    draws = _sample(model, 0, 4, 5)
    for accuracy in (0.0, 0.5, 1.0):
        same = {name: np.repeat(column[:, :1], 5, axis=1) for name, column in draws.columns.items()}
        tokens_in, tokens_out = (np.repeat(draws[name][:, :1], 5, axis=1) for name in ("tokens_in", "tokens_out"))
        yield Draws(tokens_in, tokens_out, np.full((4, 5), accuracy), same)


@contextmanager
def _unchanged(draws: Draws) -> Iterator[None]:
    before = {name: draws[name].copy() for name in ("tokens_in", "tokens_out", "accuracy", *draws.columns)}
    yield
    for name, values in before.items():
        np.testing.assert_array_equal(draws[name], values, err_msg=f"{name} was modified")


def _global_randomness() -> object:
    """The state of NumPy's and Python's global generators, which no part may use."""
    state = np.random.get_state()  # noqa: NPY002  # looked at
    return [np.asarray(part).tolist() for part in state], random.getstate()


@contextmanager
def _skipped_without_columns() -> Iterator[None]:
    """Skip the test where a part needs what the model does not bring: to say so is the right answer."""
    try:
        yield
    except (MissingColumn, NothingPossible) as error:
        pytest.skip(str(error))


def _is_default(part: Any, field: "dataclasses.Field[Any]") -> bool:
    """Whether an optional field has its default."""
    if field.default is not dataclasses.MISSING:
        return bool(getattr(part, field.name) == field.default)
    factory = field.default_factory
    return factory is not dataclasses.MISSING and bool(getattr(part, field.name) == factory())


def _agrees(profile: ModelProfile, aggregator: AccuracyAggregator, parallelism: int, objectives: list[str]) -> None:
    """Compare what the estimator takes as exact of some objectives with what it simulates."""
    with _skipped_without_columns():
        exact = Exact().estimate(profile, aggregator, K, parallelism)
        trials = simulate(profile, aggregator, exact.k, parallelism, TRIALS, 2, objectives).totals
    for name in objectives:
        column = exact.columns[name]
        known = {"mean", "std", "quantile"} - {"quantile" if s in ("low", "high") else s for s in column.simulated}
        for j, values in enumerate(trials[name].T):
            where = f"{name} at k = {exact.k[j]}, P = {parallelism}"
            if "mean" in known:
                _close(float(column.mean[j]), values, f"mean of {where}")
            # Where nearly all trials are equal, the few others are too few to measure a spread.
            if "std" in known and np.ptp(np.quantile(values, [0.025, 0.975])) > 0:
                assert column.std[j] == pytest.approx(values.std(), rel=_error_of_std(values), abs=1e-9), (
                    f"std of {where}"
                )
            for q in (0.025, 0.5, 0.975) if "quantile" in known else ():
                x = float(column.quantile(q)[j])
                slack = CLOSE * np.sqrt(q * (1 - q) / len(values))
                tiny = 1e-9 * max(abs(x), 1e-9)
                assert np.mean(values <= x + tiny) >= q - slack, f"quantile {q} of {where}"
                assert np.mean(values < x - tiny) <= q + slack, f"quantile {q} of {where}"


def _redraws(model: InferenceModel, costs: tuple[CostModel, ...], aggregator: AccuracyAggregator) -> None:
    """Compare the moments of three draws, asked for as `--stability` does, with those of each draw alone."""
    owners = {"inference": model} | {f"costs[{i}]": cost for i, cost in enumerate(costs)}
    uncertain = {
        f"{owner}.{name}": Uncertain(low=getattr(part, name) / 2, high=getattr(part, name))
        for owner, part in owners.items()
        for name in _numbers_of(part)
    }
    profile = ModelProfile("contract", model, costs, uncertain=uncertain)
    with _skipped_without_columns():
        Exact().estimate(profile, aggregator, K, 2)
    values, models = profile.draw(3, 0), model.resampled(3, 0)
    for b, together in enumerate(Exact().redraw(profile, aggregator, K, 2, 3, 0)):
        drawn = (profile if models is None else profile.of(models[b])).at({p: float(v[b]) for p, v in values.items()})
        alone = Exact().moments(drawn, aggregator, together.k, 2)
        for name, column in together.columns.items():
            one = Column(alone[name], lambda: np.empty((0, 0)))
            # A law that is normal in one draw may not be so in all, so less may be exact of three.
            assert {*one.simulated} <= {*column.simulated}, f"{name}: more is exact of three draws than of one"
            for statistic in ("mean", "std"):
                if statistic not in column.simulated:
                    got, expected = getattr(column, statistic), getattr(one, statistic)
                    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12, err_msg=f"{statistic} of {name}")
            if "low" not in column.simulated:
                np.testing.assert_allclose(column.quantile(0.9), one.quantile(0.9), rtol=1e-9, atol=1e-12)


def _fields(cls: Any) -> "tuple[dataclasses.Field[Any], ...]":
    return dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()


def _numbers_of(part: Any) -> list[str]:
    """The fields that hold one number, which a profile may call uncertain."""
    hints = get_type_hints(type(part))
    numbers = [f.name for f in _fields(type(part)) if hints[f.name] in (float, float | None)]
    return [name for name in numbers if getattr(part, name) is not None]
