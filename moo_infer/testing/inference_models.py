"""The contract of inference models."""

import numpy as np
import pytest

from ..core.draws import Draws
from ..estimate.mixture import mixed
from ..interfaces import InferenceModel
from .agreement import CLOSE, TRIALS, assert_close
from .contract import Contract, check_part
from .models import SHAPES, global_randomness, sampled

__all__ = ["InferenceModelContract"]


class InferenceModelContract(Contract):
    """The contract of inference models.

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
        check_part(model)

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
        before = global_randomness()
        first, second = (model.sample(np.random.default_rng(7), 5, 6) for _ in range(2))
        for name in first:
            np.testing.assert_array_equal(first[name], second[name])
        assert global_randomness() == before

    def test_the_first_inferences_are_the_same_however_many_are_drawn(self, model: InferenceModel) -> None:
        """So that what is simulated at k = 4 does not depend on whether k = 1000 is asked for as well."""
        if not self.nested:
            pytest.skip("nested is not promised")
        M, K = 101, 8
        whole = sampled(model, 5, M, K)
        hint = "draw arrays of (M, K), or of M trials that share a number, in calls whose order does not depend on K"
        for k in (1, 3):
            first = sampled(model, 5, M, k)
            for name, column in first.items():
                np.testing.assert_array_equal(column, whole[name][:, :k], err_msg=f"{name}: {hint}")

    def test_laws_agree_with_draws(self, model: InferenceModel) -> None:
        """Where a law is named, its mean, standard deviation and quantiles are those of the draws."""
        draws = model.sample(np.random.default_rng(1), TRIALS, 2)
        for name, law in model.queries().laws.items():
            values = draws[name][:, 0]
            assert_close(law.mean, values, f"mean of {name}")
            # A sampled std has an error of a few percent; 1e-12 is for a law without spread, where both are 0.
            assert law.std == pytest.approx(values.std(), rel=0.1, abs=1e-12)
            for q in (0.1, 0.5, 0.9):
                x = law.quantile(np.array([q]))
                assert law.cdf(x)[0] >= q - 1e-9  # the cdf of a quantile is its share but for rounding
                assert np.mean(values <= x[0]) >= q - CLOSE * np.sqrt(q * (1 - q) / TRIALS)

    def test_queries_agree_with_draws(self, model: InferenceModel) -> None:
        """Where queries differ: mean and standard deviation of one inference, and of the sum of two on one query."""
        draws = model.sample(np.random.default_rng(1), TRIALS, 2)
        for axis in model.queries().axes:
            assert axis.weights.min() >= 0
            assert axis.weights.sum() == pytest.approx(1)
            for name, law in axis.laws.items():
                mean, std = (np.broadcast_to(values, (len(axis.weights), 1)) for values in (law.mean, law.std))
                for k in (1, 2):
                    values, exact = draws[name][:, :k].sum(axis=1), mixed(axis.weights, k * mean, np.sqrt(k) * std)
                    assert_close(float(exact.mean[0]), values, f"mean of {name}, sum of {k}")
                    assert exact.std is not None
                    assert exact.std[0] == pytest.approx(values.std(), rel=0.1, abs=1e-9), f"std of {name}, sum of {k}"
