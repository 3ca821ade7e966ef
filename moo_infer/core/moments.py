"""What is known exactly of a quantity at n values of k."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Moments"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moments:
    """What is known exactly of a quantity at n values of k; what is None is simulated where it is asked for.

    Args:
        mean: (n,), the expectation.
        std: (n,), the standard deviation over trials, or None.
        quantile: takes q in (0, 1), gives (n,) quantiles over trials; or None.
    """

    mean: FloatArray
    std: FloatArray | None = None
    quantile: Callable[[float], FloatArray] | None = None
