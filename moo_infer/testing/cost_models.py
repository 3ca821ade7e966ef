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
from .models import (
    MODELS,
    assert_some_model,
    draws_of,
    first_inferences,
    sampled,
    skipped_without_columns,
    unchanged,
)

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
        objective = getattr(cost_model, "objective", None)
        assert isinstance(objective, Objective), f"the class needs an objective, an Objective, got {objective!r:.60}"
        assert objective.name != ACCURACY.name, "accuracy is what aggregators say; no cost model has that objective"

    def test_some_model_brings_what_it_needs(self, cost_model: CostModel) -> None:
        """Of the models on which it is tried, not all are skipped."""
        if next(cls for cls in type(self).__mro__ if "model" in vars(cls)) is not CostModelContract:
            pytest.skip("the fixture 'model' gives others")
        assert_some_model(lambda draws: cost_model.total(draws, parallelism=1))

    def test_totals_are_finite_and_grow(self, cost_model: CostModel, model: InferenceModel) -> None:
        """(M, K), whatever the parallelism, also where all inferences are equal."""
        for draws in draws_of(model):
            for parallelism in (1, 4):
                with skipped_without_columns(model):
                    total = cost_model.total(draws, parallelism=parallelism)
                shape = draws.accuracy.shape
                assert np.shape(total) == shape, f"a total of the first k for every k: {shape}, got {np.shape(total)}"
                assert np.isfinite(total).all(), "totals must be finite"
                if self.monotone:
                    # The last of many equal terms may be added in another order than the ones before.
                    assert (np.diff(total, axis=1) >= -1e-12 * np.abs(total[:, 1:])).all(), (
                        "the total of the first k must not fall with k: totals, not what each inference takes. If it "
                        "may fall, set monotone = False in the contract"
                    )

    def test_leaves_the_draws_alone_and_gives_the_same_again(
        self, cost_model: CostModel, model: InferenceModel
    ) -> None:
        """The draws are shared by all parts; a total has no randomness of its own."""
        for draws in draws_of(model):
            with unchanged(draws), skipped_without_columns(model):
                first, second = (cost_model.total(draws, parallelism=2) for _ in range(2))
            np.testing.assert_array_equal(first, second, err_msg="the same draws must give the same totals")

    def test_a_total_knows_nothing_of_later_inferences(self, cost_model: CostModel, model: InferenceModel) -> None:
        """Column k-1 belongs to the first k inferences."""
        draws = sampled(model, 0, 4, 8)
        with skipped_without_columns(model):
            whole = cost_model.total(draws, parallelism=2)
        for k in (1, 3, 8):  # sums over other shapes may add in another order: equal but for rounding
            first = cost_model.total(first_inferences(draws, k), parallelism=2)
            hint = "column k-1 belongs to the first k: it must not read what comes later"
            np.testing.assert_allclose(first, whole[:, :k], rtol=1e-12, err_msg=hint)

    def test_exact_agrees_with_simulation(self, cost_model: CostModel, model: InferenceModel) -> None:
        """Mean, standard deviation and quantiles, where they are claimed: as the estimator asks for them."""
        for parallelism in (1, 4):
            profile = ModelProfile("contract", model, (cost_model,))
            assert_agreement(profile, OneCall(), parallelism, [cost_model.objective.name])

    def test_notes_are_sentences_and_exclude_some_k(self, cost_model: CostModel, model: InferenceModel) -> None:
        """Text, and true or false for every k where some cannot be had."""
        most = model.queries().largest_k
        k = K if most is None else K[most >= K]
        with skipped_without_columns(model):
            notes = cost_model.notes(model, k, parallelism=2)
        for note in notes:
            assert isinstance(note, Note), f"notes must be of the class Note, got {note!r:.60}"
            assert isinstance(note.text, str), f"the text of a note is a sentence, got {note.text!r:.60}"
            if note.excludes is not None:
                got = f"got {note.excludes.dtype} of {note.excludes.shape}"
                assert note.excludes.shape == k.shape, f"excludes: (n,) = {k.shape}, one for every k, {got}"
                assert note.excludes.dtype == bool, f"excludes: true or false for every k, {got}"

    def test_draws_of_uncertain_parameters_are_those_of_one_at_a_time(
        self, cost_model: CostModel, model: InferenceModel
    ) -> None:
        """Three draws of every number of the part and of the model, as `--stability` asks for them."""
        assert_redraws(model, (cost_model,), OneCall())
