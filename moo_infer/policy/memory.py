"""What is told apart among the samples of a query: no more than is looked at, so that states are as few as can be."""

from collections.abc import Collection

from ..core.errors import NotExact
from .kinds import Told

__all__ = ["Memory", "Remember"]

Called = frozenset[int]  # the numbers of the models that were called so far


class Remember(NotExact):
    """Something is looked at that states do not tell apart so far.

    Args:
        called: the models that were called until then.
        model: whose samples.
        columns: what has to be told apart, by names of the neutral table, or ``noise``.
        named: whether answers are looked at by more than how many of them are equal.
        cuts: where ``noise`` is compared.
    """

    def __init__(
        self,
        called: Called,
        model: int,
        columns: Collection[str] = (),
        *,
        named: bool = False,
        cuts: Collection[float] = (),
    ) -> None:
        super().__init__(f"states that do not tell {', '.join(columns) or 'answers'} apart")
        self.called, self.model, self.columns = called, model, tuple(columns)
        self.named, self.cuts = named, tuple(cuts)


class Memory:
    """Columns by which the samples of each model are told apart, by the set of models that were called so far.

    What is looked at after some models were called is told apart until then, and forgotten from the next model on:
    stages of a cascade are states of their own.
    """

    def __init__(self) -> None:
        self._needs: set[tuple[Called, int, str]] = set()
        self.named = False
        self.cuts: tuple[float, ...] = ()

    def add(self, need: Remember) -> None:
        """Tell something apart from now on."""
        self._needs |= {(need.called, need.model, column) for column in need.columns}
        self.named |= need.named
        self.cuts = tuple(sorted({*self.cuts, *need.cuts}))

    def columns(self, called: Called, model: int, /) -> frozenset[str]:
        """Return what is told apart of a model after these were called."""
        return frozenset(column for later, j, column in self._needs if j == model and called <= later)

    def told(self, called: Called, forgotten: Called, /) -> list[Told]:
        """Return what is told apart of each model after these were called, some of which are forgotten."""
        each = {j: self.columns(called, j) for j in sorted(called)}
        return [
            Told(j, columns, not self.named and not self._voting_together(j))
            for j, columns in each.items()
            if columns or j not in forgotten
        ]

    def _voting_together(self, model: int) -> bool:
        """Whether the answers of a model are looked at beside those of another."""
        answers = [(called, j) for called, j, column in self._needs if column == "answer"]
        return any(j != model and "answer" in self.columns(called, model) for called, j in answers if model in called)

    def ever(self, model: int, /) -> frozenset[str]:
        """Return what is told apart of a model at any time."""
        return self.columns(frozenset(), model)
