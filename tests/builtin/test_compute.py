"""Compute: FLOP of k inferences, as an objective beside money, seconds and joules."""

import numpy as np
import pytest

from moo_infer import COMPUTE, Draws, ModelProfile, MooInferError, Pipeline
from moo_infer.builtin.compute import LinearFlops
from moo_infer.builtin.costs import LinearCost
from moo_infer.builtin.inference import Gaussian

MODEL = Gaussian(100, 10, 30, 5, 0.6, 0)


def test_a_token_takes_two_operations_for_every_active_parameter():
    draws = Draws(np.full((1, 3), 100.0), np.array([[30.0, 10.0, 20.0]]), np.zeros((1, 3)))
    np.testing.assert_array_equal(LinearFlops(1e9).total(draws, parallelism=1), [[2.6e11, 4.8e11, 7.2e11]])
    output_alone = LinearFlops(1e9, count_prompt=False)
    np.testing.assert_array_equal(output_alone.total(draws, parallelism=1), [[6e10, 8e10, 1.2e11]])


def test_its_moments_are_those_of_the_sum_of_tokens():
    moments = LinearFlops(1e9).exact(MODEL.queries().query, np.array([1, 4]), parallelism=1)
    np.testing.assert_allclose(moments.mean, [2 * 130e9, 8 * 130e9], rtol=1e-9)
    np.testing.assert_allclose(moments.std, 2e9 * np.sqrt([125, 500]), rtol=1e-6)


def test_it_is_a_column_like_any_other_and_can_be_limited():
    profile = ModelProfile("small", MODEL, [LinearFlops(1e9), LinearCost(1e-6, 1e-6)])
    pipeline = Pipeline("best-of-k", "max-accuracy", k=[1, 2, 4])
    table = pipeline.candidates(profile)
    assert [o.name for o in table.objectives] == ["accuracy", "compute", "cost"]
    assert table.objectives[1] is COMPUTE
    np.testing.assert_allclose(table.column("compute"), [2.6e11, 5.2e11, 1.04e12], rtol=1e-9)


@pytest.mark.parametrize("parameters", [0.0, -1e9, float("nan"), float("inf"), "many", True])
def test_parameters_are_a_positive_number(parameters):
    with pytest.raises(MooInferError, match="active_parameters"):
        ModelProfile("small", MODEL, [LinearFlops(parameters)])
