"""Moments over queries that differ, from those given the query."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .interfaces import InferenceModel, Moments

__all__ = ["mixed", "rows"]

FloatArray = npt.NDArray[np.float64]


def mixed(weights: FloatArray, mean: FloatArray, std: FloatArray | None) -> Moments:
    """Return moments over queries.

    Args:
        weights: (Q,), shares of the queries.
        mean, std: (Q, n) given the query; `std` may be None.

    >>> moments = mixed(np.array([0.5, 0.5]), np.array([[1.0], [3.0]]), np.array([[0.0], [0.0]]))
    >>> moments.mean, moments.std
    (array([2.]), array([1.]))
    """
    total = weights @ mean
    return Moments(total, None if std is None else np.sqrt(weights @ (std**2 + (mean - total) ** 2)))


def rows(model: InferenceModel, which: slice) -> InferenceModel:
    """Return the model given some queries out of a model with (Q, 1) fields; plain numbers where it is one."""
    part: Any = model
    values = {f.name: getattr(part, f.name) for f in fields(part)} if is_dataclass(part) else {}
    chosen = {name: value[which] for name, value in values.items() if np.ndim(value) == 2}
    changes = {name: float(v[0, 0]) if len(v) == 1 else v for name, v in chosen.items()}
    found: InferenceModel = replace(part, **changes) if changes else model
    return found
