"""One budget over many queries: what each may spend, whatever the order in which they come and what they leave."""

import json
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from ..core.arguments import check_fields, refuse_unlike
from ..core.arrays import FloatArray
from ..core.documents import read_json
from ..core.errors import MooInferError, unknown
from ..core.files import atomic_write
from ..core.naming import listed_items, refuse_twice

__all__ = ["SPREADS", "BudgetManager", "Spread", "spread_weights", "weights_at_price"]

Spread = Literal["uniform", "front", "back", "front-geometric", "back-geometric"]
SPREADS: tuple[Spread, ...] = get_args(Spread)
RATIO = 0.5  # of geometric weights: each is worth all that come after it
JOURNAL = "budget"  # the key of a journal that tells it from other files


def spread_weights(spread: Spread, n: int, ratio: float | None = None) -> list[float]:
    """Return weights (n,) by which n queries share a budget.

    Args:
        spread: ``uniform``; ``front`` and ``back``, which fall and rise linearly, the least being 1; or
            ``front-geometric`` and ``back-geometric``.
        n: queries, >= 1.
        ratio: of a geometric weight to the one that is next and larger, in (0, 1]; None for 0.5.

    Raises:
        MooInferError: for another spread, and a ratio out of range or of a spread that has none.

    >>> spread_weights("front", 5), spread_weights("back-geometric", 3)
    ([5.0, 4.0, 3.0, 2.0, 1.0], [0.25, 0.5, 1.0])
    """
    if spread not in SPREADS:
        raise unknown("spread", spread, SPREADS)
    shape = spread.partition("-")[2]
    if ratio is not None and not shape:
        raise MooInferError(f"ratio: spread {spread} has none, got {ratio!r:.40}")
    if ratio is not None and not 0 < ratio <= 1:
        raise MooInferError(f"ratio: must be in (0, 1], got {ratio!r:.40}")
    if spread == "uniform":
        return [1.0] * n
    front = [(RATIO if ratio is None else ratio) ** i for i in range(n)] if shape else [float(n - i) for i in range(n)]
    return front[::-1] if spread.startswith("back") else front


def weights_at_price(values: npt.ArrayLike, costs: npt.ArrayLike, price: float) -> FloatArray:
    """Return what each query would spend at a shadow price: weights by which queries share a budget.

    Args:
        values: (Q, n), what n options of each query are worth.
        costs: (Q, n) or (n,), what they cost, USD, >= 0.
        price: what a dollar has to buy, in the unit of the values, >= 0, such as `Allocation.shadow_prices`.

    Returns:
        (Q,), the cost of the option with the largest value - price * cost, the cheapest of equals.

    Raises:
        MooInferError: for numbers out of range.

    >>> weights_at_price([[0.0, 0.9, 0.99], [0.0, 0.3, 0.51]], [0.0, 1.0, 2.0], 0.2).tolist()
    [1.0, 2.0]
    """
    value = np.asarray(values, dtype=np.float64)
    try:
        cost = np.broadcast_to(np.asarray(costs, dtype=np.float64), value.shape)
    except ValueError:
        raise MooInferError(f"costs must have the shape of the values {value.shape}, or that of a row") from None
    fine = np.isfinite(value).all() and (np.isfinite(cost) & (cost >= 0)).all()
    if value.ndim != 2 or not value.size or not fine or not 0 <= price < math.inf:
        raise MooInferError(f"values must be finite (Q, n), costs and price finite and >= 0, got price {price!r:.40}")
    net = value - price * cost
    best = net == net.max(axis=1, keepdims=True)
    return np.asarray(np.where(best, cost, np.inf).min(axis=1))


@dataclass(eq=False)
class BudgetManager:
    """Grants each of some queries a part of one budget, in any order, several of them at a time.

    A grant is what is left of the budget, times the weight of the query by the sum of the weights of those without a
    grant. What is left has neither what was settled in it, nor what is granted and not settled. So the budget is never
    exceeded as long as no query exceeds its grant; where one does, later grants are smaller, and that is told. Sums are
    exact, and grants are rounded down.

    Args:
        budget: of all queries, > 0; dollars, or whatever is spent.
        names: of the queries, each another one; numbers are names too.
        spread: the weights: a name, as `spread_weights` has it, or (Q,) numbers >= 0, not all 0.
        ratio: of geometric weights; None for 0.5.
        refunds: whether what a query leaves of its grant goes to later ones.
        journal: a file, written whole after every grant and every settlement, from which a manager that is made again
            goes on; for one process at a time. A query without a settlement counts as having spent its grant.
            None for no file.
        told: told in a sentence what is to be known; by default as a warning.

    Raises:
        MooInferError: for a budget, weights or names that cannot be, and for the journal of another budget.

    >>> manager = BudgetManager(100.0, ["a", "b", "c", "d", "e"])
    >>> for name, wanted in {"a": 10, "b": 30, "c": 20, "d": 5, "e": 50}.items():
    ...     granted = manager.grant(name)
    ...     manager.settle(name, min(wanted, granted))
    ...     print(name, granted)
    a 20.0
    b 22.5
    c 22.5
    d 23.75
    e 42.5
    """

    budget: float
    names: Sequence[str | int]
    spread: Spread | Sequence[float] = "uniform"
    ratio: float | None = None
    refunds: bool = True
    journal: Path | None = None
    told: Callable[[str], None] = field(default=lambda sentence: warnings.warn(sentence, stacklevel=3), repr=False)
    weights: Mapping[str, float] = field(init=False, repr=False)
    granted: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    settled: dict[str, float] = field(default_factory=dict, init=False, repr=False)
    _charged: Fraction = field(default=Fraction(0), init=False, repr=False)
    _waiting: Fraction = field(default=Fraction(0), init=False, repr=False)  # the weights of those without a grant

    def __post_init__(self) -> None:
        check_fields(self, names=("spread", "ratio", "refunds", "journal", "told"))
        self.budget = _amount(self.budget, "budget", above=0.0)
        listed = listed_items(self.names, "names", "a list of names")
        refuse_unlike(listed, list[str | int], "names")
        names = [str(name) for name in listed]
        refuse_twice(names, "query")
        self.names = names
        self.weights = self._weights()
        self._waiting = sum(map(Fraction, self.weights.values()), Fraction(0))
        if self.journal is not None:
            self.journal = Path(self.journal)
            if self.journal.exists():
                self._go_on(self.journal)

    @property
    def open(self) -> Mapping[str, float]:
        """What is granted and not settled, by query: after a restart these may have spent it."""
        return {name: usd for name, usd in self.granted.items() if name not in self.settled}

    @property
    def left(self) -> float:
        """What is neither spent nor granted, >= 0."""
        return max(0.0, _rounded_down(Fraction(self.budget) - self._charged))

    def grant(self, query: str | int, /) -> float:
        """Return how much a query may spend.

        Raises:
            MooInferError: for an unknown name, and for one that has its grant, which it may have spent by now.
        """
        name = self._known(query)
        if name in self.granted:
            raise MooInferError(
                f"query {name!r}: has its grant of {self.granted[name]:g} already, which may be spent by now"
            )
        weight = Fraction(self.weights[name])
        left = Fraction(self.budget) - self._charged
        usd = _rounded_down(left * weight / self._waiting) if left > 0 and weight else 0.0
        self._write({**self.granted, name: usd}, self.settled)
        self._granted(name, usd)
        return usd

    def settle(self, query: str | int, spent: float, /) -> None:
        """Take down what a query spent in the end.

        Raises:
            MooInferError: for an unknown name, a query without a grant, a second settlement, and no amount >= 0.
        """
        name = self._to_settle(query)
        spent = _amount(spent, f"query {name!r}: spent")
        self._write(self.granted, {**self.settled, name: spent})
        self._settled(name, spent)
        over = spent - self.granted[name]
        if over > 0:
            beyond = (
                "" if self._charged <= Fraction(self.budget) else f", and the budget of {self.budget:g} is exceeded"
            )
            self.told(
                f"query {name!r} spent {spent:g} of a grant of {self.granted[name]:g}: {over:g} is taken from later "
                f"grants{beyond}"
            )

    def take_over(self, granted: Mapping[str, float], settled: Mapping[str, float] = MappingProxyType({})) -> None:
        """Go on from what was granted and settled before.

        Raises:
            MooInferError: for unknown names, what was granted already, and what is no amount >= 0.
        """
        for query, usd in granted.items():
            if (name := self._known(query)) in self.granted:
                raise MooInferError(f"query {name!r}: is granted already")
            self._granted(name, _amount(usd, f"query {name!r}: grant"))
        for query, spent in settled.items():
            name = self._to_settle(query)
            self._settled(name, _amount(spent, f"query {name!r}: spent"))

    def _known(self, query: str | int) -> str:
        if (name := str(query)) not in self.weights:
            raise unknown("query", name, list(self.weights))
        return name

    def _to_settle(self, query: str | int) -> str:
        if (name := self._known(query)) not in self.granted:
            raise MooInferError(f"query {name!r}: has no grant that could be settled")
        if name in self.settled:
            raise MooInferError(f"query {name!r}: is settled already, with {self.settled[name]:g}")
        return name

    def _granted(self, name: str, usd: float) -> None:
        self.granted[name] = usd
        self._charged += Fraction(usd)
        self._waiting -= Fraction(self.weights[name])

    def _settled(self, name: str, spent: float) -> None:
        self.settled[name] = spent
        granted = Fraction(self.granted[name])
        self._charged += (Fraction(spent) if self.refunds else max(Fraction(spent), granted)) - granted

    def _weights(self) -> dict[str, float]:
        n = len(self.names)
        if isinstance(self.spread, str):
            numbers: Sequence[float] = spread_weights(self.spread, n, self.ratio)
        elif self.ratio is not None:
            raise MooInferError(f"ratio: weights that are given have none, got {self.ratio!r:.40}")
        else:
            numbers = list(self.spread)
        if len(numbers) != n:
            raise MooInferError(f"spread: there must be a weight for each of {n} queries, got {len(numbers)}")
        weights = {str(q): _amount(w, f"query {q!r}: weight") for q, w in zip(self.names, numbers, strict=True)}
        if not any(weights.values()):
            raise MooInferError("spread: at least one weight must be above 0, got 0 for all")
        return weights

    def _write(self, granted: Mapping[str, float], settled: Mapping[str, float]) -> None:
        """Write the journal, before anybody can act on what it says."""
        if self.journal is not None:
            with atomic_write(self.journal) as draft:
                draft.write_text(
                    json.dumps(self._agreed() | {"granted": granted, "settled": settled}), encoding="utf-8"
                )

    def _agreed(self) -> dict[str, Any]:
        """What a journal and the manager that goes on from it must agree in."""
        return {"schema": 1, JOURNAL: self.budget, "refunds": self.refunds, "weights": self.weights}

    def _go_on(self, journal: Path) -> None:
        """Take over what a journal says."""
        document = read_json(journal)
        if not isinstance(document, Mapping) or JOURNAL not in document:
            raise MooInferError(f"{journal}: is no journal of a budget")
        for key, own in self._agreed().items():
            if document.get(key) != own:
                raise MooInferError(f"{journal}: holds another budget: its {key} differs; take another journal")
        try:
            self.take_over(document["granted"], document["settled"])
        except (KeyError, AttributeError, MooInferError) as error:
            raise MooInferError(f"{journal}: is damaged: {error}") from None


def _amount(number: object, where: str, *, above: float | None = None) -> float:
    """A number >= 0, or > 0."""
    fine = isinstance(number, int | float | np.number) and not isinstance(number, bool)
    if not fine or not 0 <= float(number) < math.inf or float(number) == above:  # type: ignore[arg-type]
        raise MooInferError(f"{where}: must be a finite number {'>=' if above is None else '>'} 0, got {number!r:.40}")
    return float(number)  # type: ignore[arg-type]


def _rounded_down(exact: Fraction) -> float:
    """The largest float that is not above a number."""
    nearest = float(exact)
    return math.nextafter(nearest, -math.inf) if Fraction(nearest) > exact else nearest
