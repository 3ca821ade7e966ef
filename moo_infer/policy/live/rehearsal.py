"""A policy is rehearsed before money is spent: what it, and who answers, would ask for in vain."""

from collections.abc import Iterable, Mapping

import numpy as np

from ...core.errors import MissingColumn, MooInferError
from ...core.seen import Answer, Call
from ...estimate.calls import chosen
from ...interfaces import AccuracyAggregator, Policy
from ...registry import Registry
from ..decisions import decision, most_calls
from .course import Course, Sample
from .inference import Inference
from .outcome import Judge, aggregator, described
from .question import Question
from .wave import waits_in_vain

__all__ = ["rehearse"]

MOST_CALLS = 10_000  # of one question: they are all held in memory while it is decided
CURES = {  # what brings a column that a policy, or who answers, needs
    "correct": "targets or --check",
    "accuracy": "targets or --check",
    "score": "a --check that gives scores",
}


def rehearse(policy: Policy, questions: Iterable[Question], judges: Mapping[str, Judge], registry: Registry, /) -> None:
    """Let a policy decide about questions whose answers all agree, and all differ, and choose one.

    Questions with the same keys are alike: one of each kind is rehearsed.

    Raises:
        MooInferError: where it, or who answers, needs what no live call brings: scores without a checker that gives
            them, verdicts without targets, labels that a question lacks; and for more than 10,000 calls of a question.
    """
    if (most := sum(most_calls(policy).values())) > MOST_CALLS:
        raise MooInferError(
            f"policy {policy.name!r} may make {most:,} calls a question; a run makes {MOST_CALLS:,} at most"
        )
    kinds = {
        frozenset({*question.fields, *(["target"] if question.target is not None else [])}): question
        for question in questions
    }
    for question in kinds.values():
        for agree in (True, False):
            _rehearse(policy, question, judges, registry, agree=agree)


def _rehearse(
    policy: Policy, question: Question, judges: Mapping[str, Judge], registry: Registry, *, agree: bool
) -> None:
    most = most_calls(policy)
    judged = any(judge.knows(question) for judge in judges.values())
    scored = any(judge.check.function is not None for judge in judges.values())
    course = Course(question, {"load": 0, **described(question)}, judged)
    try:
        while not isinstance(decided := decision(policy, course.seen(), most), Answer):
            if not decided.times:
                raise waits_in_vain(policy)
            course.begin(decided.times)
            course.add(_invented(course, decided, agree=agree, scored=scored))
        draws, samples = course.draws(decided.of)
        if samples:
            part = aggregator(decided, registry)
            chosen(part, draws, np.random.default_rng(0))
            _refuse_spending(part)
    except MissingColumn as error:
        needed = error.wanted_by or f"policy {policy.name!r}"
        cure = f"give {CURES[error.column]}" if error.column in CURES else "another policy does without"
        raise MooInferError(
            f"question {question.id!r:.60}: a live run has no {error.column!r}, which {needed} needs; {cure}"
        ) from None


def _invented(course: Course, call: Call, *, agree: bool, scored: bool) -> list[Sample]:
    """Samples that a call might bring: with the same answer each, or each with another."""
    before = len(course.samples)
    models = [model for model, times in call.times.items() for _ in range(int(times))]
    inference = Inference("", output_tokens=1, latency_s=0.0, cost_usd=0.0)
    correct, score = (False if course.judged else None), (0.0 if scored else None)
    return [
        Sample(model, inference, "same" if agree else str(before + i), correct, score) for i, model in enumerate(models)
    ]


def _refuse_spending(part: AccuracyAggregator) -> None:
    """Refuse an aggregator that spends something itself: a run counts what calls cost, and would be silent about it."""
    if part.costs:
        spends = ", ".join(cost.objective.name for cost in part.costs)
        raise MooInferError(f"aggregator {part.name!r} spends {spends} itself, which a live run does not count")
