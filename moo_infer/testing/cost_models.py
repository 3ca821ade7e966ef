"""The contract of cost models."""

import numpy as np
import pytest

from ..builtin.answers import OneCall
from ..core.objectives import ACCURACY, Objective
from ..interfaces import CostModel, InferenceModel
from ..profiles import ModelProfile
from ..quantities.queries import Note
from .agreement import K, assert_agreement, assert_redraws
from .contract import Contract, check_part
from .models import MODELS, draws_of, first_inferences, sampled, skipped_without_columns, unchanged

__all__ = ["CostModelContract"]


class CostModelContract(Contract):
    """The contract of cost models.

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
        check_part(cost_model)
        assert isinstance(cost_model.objective, Objective)
        assert cost_model.objective.name != ACCURACY.name

    def test_totals_are_finite_and_grow(self, cost_model: CostModel, model: InferenceModel) -> None:
        """(M, K), whatever the parallelism, also where all inferences are equal."""
        for draws in draws_of(model):
            for parallelism in (1, 4):
                with skipped_without_columns():
                    total = cost_model.total(draws, parallelism=parallelism)
                assert np.shape(total) == draws.accuracy.shape
                assert np.isfinite(total).all()
                if self.monotone:
                    # The last of many equal terms may be added in another order than the ones before.
                    assert (np.diff(total, axis=1) >= -1e-12 * np.abs(total[:, 1:])).all()

    def test_leaves_the_draws_alone_and_gives_the_same_again(
        self, cost_model: CostModel, model: InferenceModel
    ) -> None:
        """The draws are shared by all parts; a total has no randomness of its own."""
        for draws in draws_of(model):
            with unchanged(draws), skipped_without_columns():
                first, second = (cost_model.total(draws, parallelism=2) for _ in range(2))
            np.testing.assert_array_equal(first, second)

    def test_a_total_knows_nothing_of_later_inferences(self, cost_model: CostModel, model: InferenceModel) -> None:
        """Column k-1 belongs to the first k inferences."""
        draws = sampled(model, 0, 4, 8)
        with skipped_without_columns():
            whole = cost_model.total(draws, parallelism=2)
        for k in (1, 3, 8):  # sums over other shapes may add in another order: equal but for rounding
            np.testing.assert_allclose(
                cost_model.total(first_inferences(draws, k), parallelism=2), whole[:, :k], rtol=1e-12
            )

    def test_exact_agrees_with_simulation(self, cost_model: CostModel, model: InferenceModel) -> None:
        """Mean, standard deviation and quantiles, where they are claimed: as the estimator asks for them."""
        for parallelism in (1, 4):
            profile = ModelProfile("contract", model, (cost_model,))
            assert_agreement(profile, OneCall(), parallelism, [cost_model.objective.name])

    def test_notes_are_sentences_and_exclude_some_k(self, cost_model: CostModel, model: InferenceModel) -> None:
        """Text, and true or false for every k where some cannot be had."""
        most = model.queries().largest_k
        k = K if most is None else K[most >= K]
        with skipped_without_columns():
            notes = cost_model.notes(model, k, parallelism=2)
        for note in notes:
            assert isinstance(note, Note)
            assert isinstance(note.text, str)
            if note.excludes is not None:
                assert note.excludes.shape == k.shape
                assert note.excludes.dtype == bool

    def test_draws_of_uncertain_parameters_are_those_of_one_at_a_time(
        self, cost_model: CostModel, model: InferenceModel
    ) -> None:
        """Three draws of every number of the part and of the model, as `--stability` asks for them."""
        assert_redraws(model, (cost_model,), OneCall())
