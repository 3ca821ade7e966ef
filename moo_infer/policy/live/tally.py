"""What a run has come to: questions, inferences, money."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ...core.objectives import LATENCY
from .course import Sample
from .outcome import Outcome

__all__ = ["STOPPED", "RunResult", "Tally", "answer_line"]

STOPPED = "stopped"  # the ending of a question that a run did not come to the end of


@dataclass(eq=False)
class Tally:
    """Counts and sums of a run, as they grow; of questions that ended it keeps no more.

    Args:
        questions: how many there are.
        delivers: whether questions are answered; samples alone are not.
        unjudged: answers that a checker, which there is, said nothing of.
    """

    questions: int
    delivers: bool = True
    done: int = 0
    unanswered: list[str] = field(default_factory=list)
    judged: int = 0
    unjudged: int = 0
    right: float = 0.0
    samples: int = 0
    requests: int = 0
    cost_usd: float = 0.0
    lost_usd: float = 0.0
    billed_usd: float = 0.0

    def count(self, samples: Iterable[Sample], /) -> None:
        """Add inferences."""
        for sample in samples:
            of = sample.inference
            self.samples += 1
            self.requests += of.requests
            self.lost_usd += of.lost_usd
            self.cost_usd += of.cost_usd or 0.0
            self.billed_usd += (of.cost_usd or 0.0) if of.billed else 0.0

    def end(self, question_id: str, outcome: Outcome, /) -> None:
        """Add a question that ended."""
        self.done += 1
        if outcome.nothing_came:
            self.unanswered.append(question_id)
        elif self.delivers and outcome.correct is not None:
            self.judged += 1
            self.right += outcome.correct
        elif self.delivers and outcome.course.judged:
            self.unjudged += 1

    @property
    def accuracy(self) -> float | None:
        """Of delivered answers, questions alike; None where nothing says what is right."""
        return self.right / self.judged if self.judged else None

    @property
    def spent_usd(self) -> float:
        """Of all rows, what was lost on the way too."""
        return self.cost_usd + self.lost_usd

    def in_short(self, spent_usd: float) -> str:
        """Say money and accuracy so far."""
        return f"{spent_usd:.4g} USD" + ("" if self.accuracy is None else f", accuracy {self.accuracy:.3f}")


@dataclass(frozen=True)
class RunResult:
    """What a run came to.

    Args:
        tally: counts and sums.
        lost_requests, lost_usd: of calls that have no row.
        stopped: why it ended before its end; None where it did not.
        sentence: what happened, in words.
        resumed: whether it went on from an earlier one.
    """

    tally: Tally
    lost_requests: int
    lost_usd: float
    stopped: str | None
    sentence: str
    resumed: bool

    @property
    def spent_usd(self) -> float:
        """Dollars that count as spent: never below the bill of the provider."""
        return self.tally.spent_usd + self.lost_usd

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        tally = self.tally
        return {
            "questions": tally.questions,
            "answered": tally.questions - len(tally.unanswered),
            "unanswered": list(tally.unanswered),
            "accuracy": tally.accuracy,
            "samples": tally.samples,
            "requests": tally.requests + self.lost_requests,
            "lost": {"requests": self.lost_requests, "usd": self.lost_usd},
            "spent_usd": self.spent_usd,
            "billed_usd": tally.billed_usd,
            "stopped": self.stopped,
            "resumed": self.resumed,
        }


def answer_line(question_id: str, outcome: Outcome | None, samples: Iterable[Sample] = ()) -> dict[str, Any]:
    """Return the line of a question: what was delivered, and what it took.

    Args:
        question_id: which one.
        outcome: what came of it; None where the run was stopped before it ended.
        samples: what came until then, where it was stopped.
    """
    held = list(samples) if outcome is None else [sample for step in outcome.trace for sample in step.samples]
    ending = STOPPED if outcome is None else "nothing" if outcome.nothing_came else outcome.ending
    return {
        "question_id": question_id,
        "answer": None if outcome is None else outcome.answer,
        "correct": None if outcome is None or outcome.nothing_came else outcome.correct,
        "calls": len(held),
        "waves": len({sample.wave for sample in held}),
        "ending": ending,
        "cost_usd": sum((sample.inference.spent_usd for sample in held), 0.0),
        "latency_s": None if outcome is None else outcome.spent[LATENCY.name],
    }
