"""The contract of inference models."""

import numpy as np
import pytest

from ..core.draws import Draws
from ..estimate.mixture import mixed
from ..interfaces import InferenceModel
from .agreement import CLOSE, TRIALS, assert_close
from .contract import Contract, check_part
from .models import SHAPES, no_global_randomness, sampled

__all__ = ["InferenceModelContract"]

KNOWN = (  # columns of which no number is negative
    *("tokens_in", "tokens_out", "accuracy", "cached_input_tokens", "cache_write_tokens"),
    *("latency_s", "cost_usd", "energy_j", "question"),
)


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
        """(M, K) everywhere, finite and not negative but for scores and answers, accuracy in [0, 1]."""
        for M, K in SHAPES:
            draws = model.sample(np.random.default_rng(0), M, K)
            assert isinstance(draws, Draws), f"sample must return Draws, got {type(draws).__name__}"
            assert "accuracy" in draws, f"what an inference is worth must be drawn, got {', '.join(draws)} alone"
            got = draws.shape
            assert got == (M, K), f"M trials of K inferences are arrays of (M, K) = {(M, K)}, got {got}"
            assert "noise" not in draws, "estimators draw the column noise, for every model"
            assert draws.accuracy.max() <= 1, f"accuracies are in [0, 1], got {draws.accuracy.max():g}"
            for name, column in draws.items():
                if name == "score":
                    assert not np.isnan(column).any(), "score: a missing one is -inf, got NaN"
                elif name == "answer":
                    assert column.dtype.kind in "iu", f"answer: whole numbers, got {column.dtype}"
                    assert column.min() >= -1, f"answer: -1 is a blank, others are >= 0, got {column.min()}"
                elif name in KNOWN:
                    assert np.isfinite(column).all(), f"{name} must be finite"
                    assert column.min() >= 0, f"{name} must be >= 0, got {column.min():g}"

    def test_is_reproducible_from_a_generator(self, model: InferenceModel) -> None:
        """The same generator gives the same draws, and no other randomness is used."""
        with no_global_randomness():
            first, second = (model.sample(np.random.default_rng(7), 5, 6) for _ in range(2))
        for name in first:
            hint = f"the same generator must give the same {name}"
            np.testing.assert_array_equal(first[name], second[name], err_msg=hint)

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
            assert name in draws, f"queries() has a law of {name}, and the draws have no such column"
            values = draws[name][:, 0]
            assert_close(law.mean, values, f"mean of {name}")
            # A sampled std has an error of a few percent; 1e-12 is for a law without spread, where both are 0.
            assert law.std == pytest.approx(values.std(), rel=0.1, abs=1e-12), f"std of {name}"
            for q in (0.1, 0.5, 0.9):
                x = law.quantile(np.array([q]))
                # The cdf of a quantile is its share but for rounding.
                assert law.cdf(x)[0] >= q - 1e-9, f"the law of {name} has less than {q} below its quantile {q}"
                below = np.mean(values <= x[0])
                assert below >= q - CLOSE * np.sqrt(q * (1 - q) / TRIALS), (
                    f"{name}: the quantile {q} of the law is {x[0]:g}, and {below:.3f} of the draws lie below"
                )

    def test_queries_agree_with_draws(self, model: InferenceModel) -> None:
        """Where queries differ: mean and standard deviation of one inference, and of the sum of two on one query."""
        draws = model.sample(np.random.default_rng(1), TRIALS, 2)
        for axis in model.queries().axes:
            assert axis.weights.min() >= 0, f"weights of queries are shares, >= 0, got {axis.weights.min():g}"
            assert axis.weights.sum() == pytest.approx(1), f"weights of queries must have the sum 1, got {axis.weights}"
            for name, law in axis.laws.items():
                assert name in draws, f"queries() has a law of {name}, and the draws have no such column"
                mean, std = (np.broadcast_to(values, (len(axis.weights), 1)) for values in (law.mean, law.std))
                for k in (1, 2):
                    values, exact = draws[name][:, :k].sum(axis=1), mixed(axis.weights, k * mean, np.sqrt(k) * std)
                    assert_close(float(exact.mean[0]), values, f"mean of {name}, sum of {k}")
                    assert exact.std is not None  # that of laws is known
                    assert exact.std[0] == pytest.approx(values.std(), rel=0.1, abs=1e-9), f"std of {name}, sum of {k}"
