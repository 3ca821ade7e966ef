"""Moments over queries that differ, from those given the query."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .interfaces import Draws, InferenceModel, Law, Moments, Queries

__all__ = ["mixed", "relevant", "rows"]

FloatArray = npt.NDArray[np.float64]
LAWS = {"tokens_in", "tokens_out", "accuracy"}


def mixed(weights: FloatArray, mean: FloatArray, std: FloatArray | None) -> Moments:
    """Return moments over queries.

    Args:
        weights: (Q,), shares of the queries.
        mean, std: (Q, n) given the query, or (n,) where they do not depend on it; `std` may be None.

    >>> moments = mixed(np.array([0.5, 0.5]), np.array([[1.0], [3.0]]), np.array([[0.0], [0.0]]))
    >>> moments.mean, moments.std
    (array([2.]), array([1.]))
    """
    given = np.broadcast_to(mean, (len(weights), mean.shape[-1]))
    total = weights @ given
    if std is None:
        return Moments(total)
    variance = weights @ (np.broadcast_to(std, given.shape) ** 2 + (given - total) ** 2)
    return Moments(total, np.sqrt(variance))


def relevant(queries: Queries, exact: Callable[[InferenceModel], object]) -> Queries:
    """Return the queries that a part can tell apart, by the laws it reads.

    Lengths and difficulty that vary independently make a product of queries; a part that reads the accuracy alone need
    not be asked for every length.

    Args:
        queries: all of them.
        exact: asks the part for its moments. It is asked for one query, to see what it reads; where that is more than
            laws, all queries stay.
    """
    watched = _Watched(rows(queries.model, slice(0, 1)))
    exact(watched)
    read: set[str] = watched.__dict__["read"]
    laws = [getattr(queries.model, name) for name in sorted(read)] if read <= LAWS else []
    if not laws or not all(law is None or is_dataclass(law) for law in laws):
        return queries
    code = np.zeros(len(queries.weights), dtype=np.int64)
    for law in laws:
        for value in _values(law).values():
            if np.ndim(value) == 2 and len(value) > 1:
                _, place = np.unique(value[:, 0], return_inverse=True)
                _, code = np.unique(code * (place.max() + 1) + place, return_inverse=True)
    _, first = np.unique(code, return_index=True)
    return Queries(np.bincount(code, queries.weights), rows(queries.model, first))


def rows(model: InferenceModel, which: Any) -> InferenceModel:
    """Return the model given some queries out of a model with (Q, 1) fields; plain numbers where it is one."""
    changes = {name: value[which] for name, value in _values(model).items() if np.ndim(value) == 2}
    changes = {name: float(value[0, 0]) if len(value) == 1 else value for name, value in changes.items()}
    part: Any = model
    found: InferenceModel = replace(part, **changes) if changes else model
    return found


def _values(of: Any) -> dict[str, Any]:
    return {f.name: getattr(of, f.name) for f in fields(of)} if is_dataclass(of) else {}


class _Watched(InferenceModel):
    """Stands in for a model, and remembers what is asked of it."""

    def __init__(self, model: InferenceModel) -> None:
        self.__dict__.update(model=model, read=set())

    def __getattr__(self, name: str) -> Any:
        self.__dict__["read"].add(name)
        return getattr(self.__dict__["model"], name)

    @property  # type: ignore[misc]  # so that it is an instance of whatever the model is
    def __class__(self) -> type:
        return type(self.__dict__["model"])

    @property
    def tokens_in(self) -> Law | None:
        law: Law | None = self.__getattr__("tokens_in")
        return law

    @property
    def tokens_out(self) -> Law | None:
        law: Law | None = self.__getattr__("tokens_out")
        return law

    @property
    def accuracy(self) -> Law | None:
        law: Law | None = self.__getattr__("accuracy")
        return law

    def sample(self, rng: np.random.Generator, M: int, K: int, /) -> Draws:
        draws: Draws = self.__getattr__("sample")(rng, M, K)
        return draws
