"""Simulated inferences as named columns."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from .arrays import Array, FloatArray
from .errors import MissingColumn, MooInferError

__all__ = ["BEFORE", "Draws"]

BEFORE = "calls_before"  # the column that says how many calls of the model a policy has made for the query before


@dataclass(frozen=True, eq=False, repr=False, init=False)
class Draws(Mapping[str, Array]):
    """M x K simulated inferences: a mapping of named columns (M, K). The arrays are read-only views of those given.

    They print, pickle and can be replaced: ``dataclasses.replace(draws, accuracy=x)`` is the same draws with another
    accuracy, and ``Draws(columns={**draws, "score": x})`` with one more column.

    Args:
        tokens_in: (M, K), tokens of the prompt, >= 0; None where they are not known, and asking for them raises
            MissingColumn.
        tokens_out: (M, K), generated tokens, >= 0; or None likewise.
        accuracy: (M, K), what an inference is worth by itself, in [0, 1]: a quality where answers are graded, 0 or 1
            where they are right or wrong. Never a question's solve probability repeated K times. None where nobody
            judged them, as in a live run without a checker.
        columns: more (M, K) arrays by name, where the model has them: ``answer`` (integer code, -1 = blank),
            ``score`` (-inf where one is missing), ``cached_input_tokens`` and ``cache_write_tokens`` (of `tokens_in`,
            those read from a cache and those written to one), ``latency_s``, ``cost_usd``, ``energy_j``, ``question``
            (which one of a log a trial is about). Estimators add ``noise``, uniform in [0, 1), for parts whose totals
            depend on more than the model knows; a model must not bring it. The three above may stand here too; where
            both are given, the argument counts. Afterwards `columns` holds all of them.

    Raises:
        MooInferError: where the arrays are not all (M, K), or there is none.

    >>> draws = Draws(np.full((2, 3), 100.0), np.full((2, 3), 500.0), np.ones((2, 3)))
    >>> draws
    <Draws of (M, K) = (2, 3): tokens_in, tokens_out, accuracy>
    >>> draws["tokens_out"].shape, "score" in draws, len(draws)
    ((2, 3), False, 3)
    >>> draws["score"]
    Traceback (most recent call last):
    moo_infer.core.errors.MissingColumn: the draws have no column 'score'; columns: tokens_in, tokens_out, accuracy
    """

    columns: Mapping[str, Array]

    def __init__(
        self,
        tokens_in: FloatArray | None = None,
        tokens_out: FloatArray | None = None,
        accuracy: FloatArray | None = None,
        columns: Mapping[str, Array] = MappingProxyType({}),
    ) -> None:
        if not isinstance(columns, Mapping):
            raise MooInferError(f"draws: columns must be a mapping of arrays, got {columns!r:.80}")
        arrays: dict[str, Any] = {"tokens_in": tokens_in, "tokens_out": tokens_out, "accuracy": accuracy}
        arrays |= {name: array for name, array in columns.items() if arrays.get(name) is None}
        views = {name: np.asarray(array).view() for name, array in arrays.items() if array is not None}
        if not views:
            raise MooInferError("draws: one column must be given, (M, K), got none")
        like = "accuracy" if "accuracy" in views else next(iter(views))
        shape = views[like].shape
        if len(shape) != 2:
            raise MooInferError(f"draws: {like} must be (M, K), got {shape}")
        for name, view in views.items():
            if view.shape != shape:
                raise MooInferError(f"draws: {name} must be (M, K) = {shape} like {like}, got {view.shape}")
            view.flags.writeable = False
        object.__setattr__(self, "columns", MappingProxyType(views))

    @property
    def shape(self) -> tuple[int, int]:
        """(M, K), whichever columns there are."""
        M, K = next(iter(self.columns.values())).shape
        return M, K

    @property
    def tokens_in(self) -> FloatArray:
        """(M, K), tokens of the prompt; raises MissingColumn where they are not known."""
        return self["tokens_in"]

    @property
    def tokens_out(self) -> FloatArray:
        """(M, K), generated tokens; raises MissingColumn where they are not known."""
        return self["tokens_out"]

    @property
    def accuracy(self) -> FloatArray:
        """(M, K), what an inference is worth by itself; raises MissingColumn where nobody judged them."""
        return self["accuracy"]

    def __getitem__(self, column: str) -> Array:
        """Return a column (M, K) by name; raises MissingColumn, naming those there are."""
        if column not in self.columns:
            raise MissingColumn(column, self.columns)
        return self.columns[column]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def __len__(self) -> int:
        """Return how many columns there are."""
        return len(self.columns)

    __eq__, __hash__ = object.__eq__, object.__hash__  # two arrays are not simply equal or not

    def __repr__(self) -> str:
        return f"<Draws of (M, K) = {self.shape}: {', '.join(self)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Draws, (None, None, None, dict(self))  # a MappingProxyType does not pickle
