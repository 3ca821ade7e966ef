"""Least squares, as they are written down: all rows at once."""

import numpy as np
import pytest
from scipy.optimize import nnls

from moo_infer import MooInferError
from moo_infer.calibrate.part_fit import BLOCKS, ROWS, solved, triangle


@pytest.mark.parametrize("rows", [1, 3, ROWS, ROWS + 1, 2 * ROWS, ROWS * BLOCKS + 5, 3 * ROWS * BLOCKS])
def test_a_triangle_has_the_products_of_its_columns(rows):
    A = np.random.default_rng(0).normal(2, 1, (rows, 3))
    R = triangle(A)
    assert R.shape == (min(rows, 3), 3)
    np.testing.assert_allclose(R.T @ R, A.T @ A, rtol=1e-10)


@pytest.mark.parametrize(("rows", "slopes"), [(6, (1.0, 2.0)), (20_000, (1e-3, 2.0)), (20_000, (-1.0, 2.0))])
def test_it_is_the_solution_of_all_rows_at_once(rows, slopes):
    """Also where a slope would be negative and is 0; with every row goes the square root of its weight."""
    rng = np.random.default_rng(1)
    X, weights = rng.gamma(2, 300, (rows, 2)), rng.random(rows)
    y = X @ slopes + rng.normal(0, 5, rows)
    root = np.sqrt(weights)
    values, errors, residuals = solved(X, y, root)
    expected, norm = nnls(X * root[:, None], y * root)
    np.testing.assert_allclose(values, expected, rtol=1e-9, atol=1e-12)
    covariance = np.linalg.inv(X.T @ (weights[:, None] * X)) * norm**2 / (rows - 2)
    np.testing.assert_allclose(errors, np.sqrt(np.diag(covariance)), rtol=1e-8)
    np.testing.assert_allclose(residuals, X @ expected - y, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("column", [np.zeros(9), np.full(9, np.nan), np.arange(9.0)])
def test_columns_that_say_nothing_of_their_own_are_refused(column):
    with pytest.raises(MooInferError, match="cannot be fitted together"):
        solved(np.stack([np.arange(9.0), column], axis=1), np.ones(9))
