"""A policy is rehearsed before money is spent: what it, and who answers, would ask for in vain."""

from collections.abc import Iterable, Mapping

import numpy as np

from ...core.errors import MissingColumn, MooInferError
from ...core.seen import Answer
from ...estimate.calls import chosen
from ...interfaces import Policy
from ...registry import Registry
from ..decisions import decision, most_calls
from .course import Course, Sample
from .inference import Inference
from .outcome import Judge, aggregator, described
from .question import Question
from .wave import waits_in_vain

__all__ = ["rehearse"]


def rehearse(policy: Policy, questions: Iterable[Question], judges: Mapping[str, Judge], registry: Registry, /) -> None:
    """Let a policy decide about questions whose answers all agree, and all differ, and choose one.

    Questions with the same keys are alike: one of each kind is rehearsed.

    Raises:
        MooInferError: where it, or who answers, needs what no live call brings: scores without a checker that gives
            them, verdicts without targets, labels that a question lacks.
    """
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
    course = Course(
        question, {"load": 0, **described(question)}, any(judge.knows(question) for judge in judges.values())
    )
    scored = any(judge.check.function is not None for judge in judges.values())
    where = f"question {question.id!r:.60}: a live run"
    try:
        while not isinstance(decided := decision(policy, course.seen(), most), Answer):
            times = decided.times
            if not times:
                raise waits_in_vain(policy)
            course.begin(times)
            came = sum(times.values())
            before = len(course.samples)
            course.add(
                [
                    Sample(
                        model,
                        Inference("", output_tokens=1, latency_s=0.0, cost_usd=0.0),
                        "same" if agree else str(before + i),
                        False if course.judged else None,
                        0.0 if scored else None,
                    )
                    for i, model in zip(range(came), (m for m, n in times.items() for _ in range(int(n))), strict=True)
                ]
            )
        draws, samples = course.draws(decided.of)
        if samples:
            part = aggregator(decided, registry)
            chosen(part, draws, np.random.default_rng(0))
            if part.costs:
                spends = ", ".join(cost.objective.name for cost in part.costs)
                raise MooInferError(f"aggregator {part.name!r} spends {spends} itself, which a live run does not count")
    except MissingColumn as error:
        needed = error.wanted_by or f"policy {policy.name!r}"
        cure = {
            "correct": "targets or --check",
            "accuracy": "targets or --check",
            "score": "a --check that gives scores",
        }
        raise MooInferError(
            f"{where} has no {error.column!r}, which {needed} needs; "
            f"{'give ' + cure[error.column] if error.column in cure else 'another policy does without'}"
        ) from None
