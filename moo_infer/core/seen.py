"""What a policy sees of one query, and what it may decide."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .arrays import Array, IntArray
from .errors import MissingColumn

if TYPE_CHECKING:
    from ..interfaces import AccuracyAggregator

__all__ = ["LIVE", "NOTHING", "Answer", "Call", "Seen"]

NOTHING: Mapping[str, Any] = MappingProxyType({})
LIVE = ("question", "task", "length", "load")  # what a live run knows of every query before, beside its labels


@dataclass(frozen=True)
class Call:
    """Call models some more times, all at once.

    Args:
        times: how often, >= 1, by the name of the model.

    >>> Call({"small/cot": 1, "small/program": 1})
    Call(times={'small/cot': 1, 'small/program': 1})
    """

    times: Mapping[str, int]


@dataclass(frozen=True)
class Answer:
    """Stop, and answer from what was seen.

    Args:
        by: the aggregator that answers: its name, with fields behind a colon (``"noisy-score:rho=0.5"``), a mapping
            with its ``kind`` and fields, or the object.
        of: the models whose samples it takes; all where none is named.

    >>> Answer(of=("large",))
    Answer(by='plurality-vote', of=('large',))
    """

    by: "str | Mapping[str, object] | AccuracyAggregator" = "plurality-vote"
    of: tuple[str, ...] = field(default=())


class Seen:
    """One query so far, read-only: what was answered, what it took, and what was known of the query before.

    The samples of a model are a set: the order in which they are listed says nothing.

    Args:
        samples: by model its samples, by column (n,): ``answer`` (integer codes, -1 = blank; those of several models
            are equal where the texts are, as far as these are known), ``score``, ``output_tokens``, ``latency_s``,
            ``cost_usd``, ``energy_j``; and ``correct``, what a checker says. Every sample has an answer or a verdict:
            its column says how many there are.
        spent: by objective, in its unit.
        query: what is known of the query before, by name; labels are texts.
        waves: what each call so far brought, in order.

    >>> seen = Seen({"small": {"answer": [2, 0, 2, -1]}}, spent={"cost": 0.02})
    >>> seen.n("small"), seen.n("large"), seen.votes(), seen.spent("cost")
    (4, 0, array([2, 1, 0, 0]), 0.02)
    """

    def __init__(
        self,
        samples: Mapping[str, Mapping[str, npt.ArrayLike]] = NOTHING,
        *,
        spent: Mapping[str, float] = NOTHING,
        query: Mapping[str, object] = NOTHING,
        waves: "Sequence[Seen]" = (),
    ) -> None:
        self._samples = {
            model: {name: np.asarray(column) for name, column in columns.items()} for model, columns in samples.items()
        }
        self._spent, self._query, self._waves = spent, query, tuple(waves)

    @property
    def query(self) -> Mapping[str, object]:
        """What is known of the query before: its name, its task, its labels; live its length and the load, too."""
        return self._query

    @property
    def waves(self) -> "Sequence[Seen]":
        """What each call so far brought, the last one at the end."""
        return self._waves

    def n(self, model: str, /) -> int:
        """Return how many samples there are of a model; 0 of one that was not called."""
        return max((len(column) for column in self._samples.get(model, NOTHING).values()), default=0)

    def votes(self, *models: str) -> IntArray:
        """Return how many samples of some models (default all) gave equal answers: descending, 0, 0 appended.

        Blank answers are left out.
        """
        counts: Counter[int] = Counter()  # of few answers, for which sorting arrays takes ten times as long
        for model in models or self._samples:
            if self.n(model):
                counts.update(code for code in self.column(model, "answer").tolist() if code >= 0)
        return np.array([*sorted(counts.values(), reverse=True), 0, 0])

    def column(self, model: str, name: str, /) -> Array:
        """Return a column (n,) of the samples of a model; raises MissingColumn, naming those there are."""
        columns = self._samples.get(model)
        if columns is None:
            return np.zeros(0)
        if name not in columns:
            raise MissingColumn(name, columns, "a policy")
        return columns[name]

    def spent(self, objective: str, /) -> float:
        """Return what the calls so far consumed of an objective, in its unit: of money, seconds, joules."""
        return float(self._spent.get(objective, 0.0))
