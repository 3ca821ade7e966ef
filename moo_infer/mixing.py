"""Moments over queries that differ, from those given the query."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from .interfaces import Draws, InferenceModel, Law, Moments, Queries

__all__ = ["Axis", "IndependentQueries", "mixed", "relevant", "rows"]

FloatArray = npt.NDArray[np.float64]
Axis = tuple[FloatArray, Mapping[str, FloatArray]]


class IndependentQueries(Queries):
    """Queries that differ in several independent ways: in difficulty, say, and in length.

    They stand for the product of the quadratures. Parts are asked only for the ways they can tell apart, so the axes
    may be fine.

    Args:
        model: the model given a query, but for the fields of the axes.
        axes: for each way the weights (Q,), >= 0 with the sum 1, and values (Q,) by field of the model.

    >>> from moo_infer.builtin.inference import Gaussian
    >>> weights = np.array([0.5, 0.5])
    >>> short_and_long = weights, {"tokens_out_mean": np.array([100.0, 900.0])}
    >>> easy_and_hard = weights, {"accuracy_mean": np.array([0.9, 0.4])}
    >>> queries = IndependentQueries(Gaussian(500, 0, 1, 0, 1, 0), short_and_long, easy_and_hard)
    >>> queries.weights, queries.model.accuracy_mean.ravel()
    (array([0.25, 0.25, 0.25, 0.25]), array([0.9, 0.4, 0.9, 0.4]))
    """

    def __init__(self, model: InferenceModel, *axes: Axis) -> None:
        self.__dict__.update(given=model, axes=axes)

    @cached_property
    def weights(self) -> FloatArray:
        """(Q,), shares of the queries."""
        weights = np.ones(1)
        for more, _ in self.axes:
            weights = np.outer(weights, more).ravel()
        return weights

    @cached_property
    def model(self) -> InferenceModel:
        """The model given the query, with (Q, 1) fields."""
        places = np.indices([len(weights) for weights, _ in self.axes]).reshape(len(self.axes), len(self.weights))
        return _replace(
            self.given,
            {
                name: values[place][:, None]
                for (_, fields), place in zip(self.axes, places, strict=True)
                for name, values in fields.items()
            },
        )

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The ways in which they differ."""
        axes: tuple[Axis, ...] = self.__dict__["axes"]
        return axes

    @property
    def given(self) -> InferenceModel:
        """The model given a query, but for the fields of the axes."""
        model: InferenceModel = self.__dict__["given"]
        return model


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


def relevant(queries: Queries, exact: Callable[[InferenceModel], object]) -> Queries:
    """Return the queries that a part can tell apart, by the laws it reads.

    Args:
        queries: all of them.
        exact: asks the part for its moments. It is asked for one query, to see what it reads; where that is no law,
            all queries stay.
    """
    if not isinstance(queries, IndependentQueries):
        return queries
    first = {name: float(values[0]) for _, fields in queries.axes for name, values in fields.items()}
    one = _replace(queries.given, first)
    watched = _Watched(one)
    exact(watched)
    read: set[str] = watched.__dict__["read"]
    if not read:
        return queries

    def told_apart(axis: Axis) -> bool:
        along = _replace(one, {name: values[:, None] for name, values in axis[1].items()})
        return any(_varies(getattr(along, name)) for name in read)

    return IndependentQueries(one, *filter(told_apart, queries.axes))


def rows(model: InferenceModel, which: slice) -> InferenceModel:
    """Return the model given some queries out of a model with (Q, 1) fields; plain numbers where it is one."""
    values = {name: value[which] for name, value in _values(model).items() if np.ndim(value) == 2}
    return _replace(model, {name: float(v[0, 0]) if len(v) == 1 else v for name, v in values.items()})


def _replace(model: Any, changes: Mapping[str, object]) -> InferenceModel:
    found: InferenceModel = replace(model, **changes) if changes else model
    return found


def _values(of: Any) -> dict[str, Any]:
    return {f.name: getattr(of, f.name) for f in fields(of)} if is_dataclass(of) else {}


def _varies(law: Law | None) -> bool:
    """Whether a law is several at once; what does not show its numbers is taken to be."""
    return law is not None and (not is_dataclass(law) or any(np.ndim(value) for value in _values(law).values()))


class _Watched(InferenceModel):
    """Stands in for a model, and remembers what is asked of it."""

    def __init__(self, model: InferenceModel) -> None:
        self.__dict__.update(watched=model, read=set())

    def __getattr__(self, name: str) -> Any:
        self.__dict__["read"].add(name)
        return getattr(self.__dict__["watched"], name)

    @property  # type: ignore[misc]  # so that it is an instance of whatever the model is
    def __class__(self) -> type:
        return type(self.__dict__["watched"])

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
