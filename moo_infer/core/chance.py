"""A choice at random among what is equal."""

import numpy as np

from .arrays import Array, FloatArray, IntArray

__all__ = ["one_of_each"]


def one_of_each(weights: Array, rng: np.random.Generator) -> IntArray:
    """Draw a column of each row, in proportion to its weights.

    Args:
        weights: (M, K), finite, >= 0; or which columns may be drawn, all alike.
        rng: asked for M numbers, whatever the weights are.

    Returns:
        (M,), the number of a column whose weight is not 0; -1 where all are.

    >>> one_of_each(np.array([[0, 3, 0], [0, 0, 0], [0, 0, 2]]), np.random.default_rng(0))
    array([ 1, -1,  2])
    """
    largest = weights.max(axis=1, keepdims=True)
    # As shares of the largest: sums of very large weights overflow, and a part of the smallest number is that number.
    shares: FloatArray = np.divide(weights, largest, out=np.zeros(weights.shape), where=largest > 0)
    below = np.cumsum(shares, axis=1)
    drawn = rng.random(len(weights)) * below[:, -1]
    column = (below <= drawn[:, None]).sum(axis=1)
    return np.where(largest[:, 0] > 0, column, -1)
