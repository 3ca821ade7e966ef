"""What training and what longer answers bring, side by side."""

from collections.abc import Sequence

import numpy as np

from ..core.arguments import typed
from ..core.arrays import FloatArray
from ..core.errors import MooInferError
from .regression import Regression, numbers, regression

__all__ = ["iso_flop"]

Numbers = Sequence[float] | FloatArray


@typed()
def iso_flop(flops: Numbers, length: Numbers, scores: Numbers, confidence: float = 0.95) -> Regression:
    """Fit the scores of models under one strategy by y = alpha ln F + beta W + delta.

    Where the interval of `beta` holds 0 the points do not show that longer answers help; such models differ in more
    than their lengths, so that one which is told apart is no proof either. Fit every strategy by itself, with its own
    scores.

    Args:
        flops: (n,) training FLOP F of the models, > 0.
        length: (n,) mean words or tokens W of a request, >= 0.
        scores: (n,) of the same strategy; n >= 4.
        confidence: of the intervals (Student's law, n - 3 degrees of freedom), in (0, 1).

    Returns:
        Coefficients ``alpha``, ``beta``, ``delta`` with standard errors, t values and intervals.

    Raises:
        MooInferError: for fewer points, values that are not allowed, and lengths or FLOP that do not vary.

    >>> fitted = iso_flop([1e20, 1e21, 1e22, 1e23, 1e24], [20, 60, 30, 10, 40], [0.30, 0.37, 0.39, 0.44, 0.49])
    >>> {name: (round(of.value, 4), round(of.t, 1)) for name, of in fitted.coefficients.items()}
    {'alpha': (0.0197, 18.1), 'beta': (0.0005, 2.2), 'delta': (-0.6166, -11.0)}
    """
    F = numbers(flops, "flops", positive=True)
    W, y = numbers(length, "length", len(F)), numbers(scores, "scores", len(F))
    if len(W) and W.min() < 0:
        raise MooInferError(f"length[{int(W.argmin())}]: must be >= 0, got {W.min()}")
    return regression({"alpha": np.log(F), "beta": W, "delta": np.ones(len(F))}, y, confidence)
