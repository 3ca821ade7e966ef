"""What each question of a run may spend of its one budget."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from ...core.errors import MooInferError
from ..budget import BudgetManager, Spread
from .course import Sample
from .inference import Stopped
from .journal import Journal
from .question import Question

__all__ = ["Grants"]


@dataclass(frozen=True, eq=False)
class Grants:
    """Grants each question of a run its share of the budget, and takes down in the journal what it was.

    In a run that goes on, a question has the grant that it had before, so that it comes to the same end; until then its
    grant counts as spent.

    Args:
        manager: of the budget.
        journal: of the run.
    """

    manager: BudgetManager
    journal: Journal

    @classmethod
    def of(
        cls,
        spread: Spread | None,
        budget: float | None,
        questions: Sequence[Question],
        journal: Journal,
        told: Callable[[str], None],
    ) -> "Grants | None":
        """Return the grants of a run; None where its questions share no budget.

        Raises:
            MooInferError: for a spread without a budget, and grants of other questions in the journal.
        """
        if spread is None:
            return None
        if budget is None:
            raise MooInferError("spread: there is no budget that questions could share")
        manager = BudgetManager(budget, [question.id for question in questions], spread, told=told)
        manager.take_over(journal.granted)
        return cls(manager, journal)

    def most_usd(self, question: Question, limit: float | None, stop: Stopped | None, /) -> float:
        """Return how many dollars a question may take: its grant, and no more than the limit of all questions.

        Args:
            question: which one.
            limit: dollars of any question at most; None for no limit.
            stop: why no further call may be made, None where one may. A question that would begin then waits for its
                grant until the run goes on, so that it gets what those before it leave.

        Raises:
            Stopped: where it has no grant and no further call may be made, or the disk takes no more.
        """
        grant = self.manager.granted.get(question.id)
        if grant is None:
            if stop is not None:
                raise stop
            grant = self.manager.grant(question.id)
            self.journal.grant(question, grant)
        return grant if limit is None else min(grant, limit)

    def settle(self, question: Question, samples: Iterable[Sample], /) -> None:
        """Take down what a question that ended took, calls without a row too; what it left goes to later ones."""
        lost = self.journal.lost_by_question().get(question.id, 0.0)
        self.manager.settle(question.id, sum((sample.inference.spent_usd for sample in samples), lost))
