"""The contract of aggregators."""

import numpy as np
import pytest

from ..core.objectives import ACCURACY
from ..core.parts import check
from ..interfaces import AccuracyAggregator, CostModel, InferenceModel
from ..profiles import ModelProfile
from .agreement import assert_agreement, assert_redraws
from .contract import Contract, check_part
from .models import (
    MODELS,
    aggregator_rng,
    draws_of,
    first_inferences,
    global_randomness,
    sampled,
    skipped_without_columns,
    unchanged,
)

__all__ = ["AggregatorContract"]


class AggregatorContract(Contract):
    """The contract of accuracy aggregators.

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
        for draws in draws_of(model):
            with skipped_without_columns():
                accuracy = np.asarray(aggregator.aggregate(draws, aggregator_rng(draws, 0)))
            assert accuracy.shape == draws.accuracy.shape, "an accuracy for each of the first k, in every trial: (M, K)"
            low, high = accuracy.min(), accuracy.max()  # a mean of values at 0 or 1 may leave them by rounding
            assert low >= -1e-12, f"accuracies are in [0, 1], got {low:g}"
            assert high <= 1 + 1e-12, f"accuracies are in [0, 1], got {high:g}"

    def test_is_a_part(self, aggregator: AccuracyAggregator) -> None:
        """A name that people can type, and fields that nobody changes."""
        check_part(aggregator)

    def test_leaves_the_draws_alone(self, aggregator: AccuracyAggregator, model: InferenceModel) -> None:
        """The draws are shared by all parts."""
        for draws in draws_of(model):
            with unchanged(draws), skipped_without_columns():
                aggregator.aggregate(draws, aggregator_rng(draws, 0))

    def test_is_reproducible_from_a_generator(self, aggregator: AccuracyAggregator, model: InferenceModel) -> None:
        """The same generator gives the same answer, and no other randomness is used."""
        before = global_randomness()
        draws = sampled(model, 0, 4, 8)
        with skipped_without_columns():
            first, second = (aggregator.aggregate(draws, aggregator_rng(draws, 3)) for _ in range(2))
        np.testing.assert_array_equal(first, second)
        assert global_randomness() == before

    def test_an_accuracy_knows_nothing_of_later_inferences(
        self, aggregator: AccuracyAggregator, model: InferenceModel
    ) -> None:
        """Column k-1 belongs to the first k inferences."""
        if not self.nested:
            pytest.skip("nested is not promised")
        draws = sampled(model, 0, 100, 8)
        with skipped_without_columns():
            whole = aggregator.aggregate(draws, aggregator_rng(draws, 3))
        for k in (1, 3, 8):
            first = aggregator.aggregate(first_inferences(draws, k), aggregator_rng(draws, 3))
            hint = "column k-1 belongs to the first k; random numbers for each inference: rng.random((M, K))"
            np.testing.assert_allclose(first, whole[:, :k], rtol=1e-12, err_msg=hint)

    def test_costs_are_cost_models(self, aggregator: AccuracyAggregator) -> None:
        """What aggregating spends is counted like everything else."""
        for i, cost in enumerate(aggregator.costs):
            check(cost, CostModel, f"costs[{i}]")

    def test_exact_agrees_with_simulation(self, aggregator: AccuracyAggregator, model: InferenceModel) -> None:
        """Mean, standard deviation and quantiles, where they are claimed: as the estimator asks for them."""
        objectives = [ACCURACY.name, *(cost.objective.name for cost in aggregator.costs)]
        assert_agreement(ModelProfile("contract", model, ()), aggregator, 1, objectives)

    def test_draws_of_uncertain_parameters_are_those_of_one_at_a_time(
        self, aggregator: AccuracyAggregator, model: InferenceModel
    ) -> None:
        """Three draws of every number of the model, or of the questions of a log, as `--stability` asks for them."""
        assert_redraws(model, (), aggregator)
