"""Estimators by their names."""

from collections.abc import Mapping

from ..core.errors import unknown
from .exact import Exact
from .monte_carlo import Estimator, MonteCarlo

__all__ = ["ESTIMATORS", "estimator_named"]

ESTIMATORS: Mapping[str, type[Exact] | type[MonteCarlo]] = {e.name: e for e in (Exact, MonteCarlo)}


def estimator_named(name: str, /, trials: int = 10_000, seed: int = 0) -> Estimator:
    """Return an estimator by its name.

    Args:
        name: a key of ``ESTIMATORS``.
        trials: M, of what is simulated, >= 1.
        seed: of what is simulated, >= 0.

    Raises:
        MooInferError: for an unknown name and numbers out of range.

    >>> estimator_named("exact", 200)
    Exact(trials=200, seed=0)
    """
    if not isinstance(name, str) or name not in ESTIMATORS:
        raise unknown("estimator", name, ESTIMATORS)
    return ESTIMATORS[name](trials, seed)
