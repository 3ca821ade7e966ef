"""A policy that runs: it calls, sees what comes, and answers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from types import MappingProxyType
from typing import Any

import numpy as np

from ...core.errors import MooInferError
from ...core.objectives import LATENCY
from ...core.seen import Answer, Seen
from ...estimate.calls import chosen
from ...interfaces import AccuracyAggregator, Policy
from ...profiles import ModelProfile
from ...quantities.labels import TASK
from ...read.labels import as_label
from ...registry import Registry
from ..decisions import decision, most_calls
from .check import Checker, checker
from .course import Course, Sample, Step
from .extract import TEXT_LIMIT, Extracted, Extractor, extractor
from .inference import Endpoint, Inference
from .question import Question
from .wave import SECONDS, Deadline, Wave

__all__ = ["ANSWERED", "Judge", "LiveQuery", "Outcome", "aggregator", "answer", "described", "judges"]

ANSWERED = "answered"  # how a question ends, but for limits
Describe = Callable[[Question], Mapping[str, object]]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of a question.

    Args:
        text: of the inference that is taken, whole; None where there is none.
        course: what was called and what came.
        spent: by objective, in its unit.
        answer: what was taken out of the text; None for a blank.
        correct: what a checker says of it; None where there is none.
        ending: ``answered``, or which limit ended it: ``money`` or ``seconds``.
        sample: the inference that is taken; None where there is none.
    """

    text: str | None
    course: Course
    spent: Mapping[str, float]
    answer: str | None = None
    correct: float | bool | None = None
    ending: str = ANSWERED
    sample: Sample | None = None

    @property
    def seen(self) -> Seen:
        """What the policy saw in the end."""
        return self.course.seen()

    @property
    def trace(self) -> tuple[Step, ...]:
        """Its decisions, and what each brought."""
        return tuple(self.course.steps)

    @property
    def nothing_came(self) -> bool:
        """Whether the endpoint brought no answer of a model, not even a bad one."""
        return all(sample.inference.failed for step in self.trace for sample in step.samples)


@dataclass(frozen=True, eq=False)
class Judge:
    """Reads answers out of texts, and says what is right.

    Args:
        extract: takes the answer out of a text.
        check: judges it.
    """

    extract: Extractor
    check: Checker

    async def sample(self, inference: Inference, model: str, question: Question) -> Sample:
        """Return an inference with its answer and verdict."""
        if inference.failed:
            return Sample(model, inference, why=inference.why)
        extracted = Extracted(None) if inference.text is None else await self.extract.awaited(inference.text)
        verdict = await self.check.awaited(extracted.answer, question)
        return Sample(
            model,
            inference,
            extracted.answer,
            verdict.correct,
            inference.score if verdict.score is None else verdict.score,
            "; ".join(filter(None, (inference.why, extracted.why, verdict.why))),
        )

    def knows(self, question: Question) -> bool:
        """Whether it says what is right of answers to a question."""
        return self.check.function is not None or question.target is not None


def described(question: Question, /) -> dict[str, object]:
    """Return what is known of a question before: its id, its task, its length in characters, and its labels.

    The task is the label of that name, or what stands before a colon in the id, as in logs; labels are texts as there.

    >>> described(Question.of({"question_id": "sums:1", "question": "2 + 2?", "level": 3}))
    {'question': 'sums:1', 'task': 'sums', 'length': 6, 'level': '3'}
    """
    task, colon, _ = question.id.partition(":")
    labels = {name: as_label(value) for name, value in question.labels.items()}
    first = {"question": question.id, TASK: task if colon else "", "length": len(question.text)}
    return {**first, **{name: value for name, value in labels.items() if name != TASK or value != ""}}


async def answer(
    policy: Policy,
    query: "Question | Mapping[str, object] | str",
    endpoint: Endpoint,
    /,
    *,
    extract: "str | Callable[[str], Any] | None" = None,
    check: "str | Callable[..., Any] | None" = None,
    describe: Describe = described,
    most_usd: float | None = None,
    most_seconds: float | None = None,
    registry: Registry | None = None,
    seed: int = 0,
) -> Outcome:
    """Answer a question as a policy decides, against a live endpoint.

    Args:
        policy: who decides; it names its models.
        query: the question: text, a mapping with the keys ``question``, ``question_id``, ``target`` and labels, or a
            `Question`.
        endpoint: what calls the models.
        extract: how the answer is taken out of a text: see `moo_infer.policy.live.extract`; default all of it.
        check: what is right: see `moo_infer.policy.live.check`; default what equals the target, where there is one.
        describe: what the policy knows of the question before: ``seen.query``, beside ``load``, how many requests of
            the endpoint are on their way.
        most_usd: dollars that the question may take, > 0; the endpoint must be one that keeps budgets.
        most_seconds: seconds that it may take, > 0; calls on their way are cancelled then, and it answers from what
            there is.
        registry: where aggregators are looked up; default everything installed.
        seed: of ties and random choices; together with the id of the question.

    Raises:
        MooInferError: for what the policy may not decide, an aggregator that says no answer, limits that are not > 0,
            and an endpoint that brings no inferences.

    >>> import asyncio
    >>> from moo_infer.builtin.policies import TwoThenMore
    >>> async def seven(model, question, times, /):
    ...     return [Inference("7", cost_usd=0.001, latency_s=1.0)] * times
    >>> outcome = asyncio.run(answer(TwoThenMore(8, "small"), "What is 3 + 4?", seven))
    >>> outcome.text, len(outcome.trace), outcome.spent["cost"], outcome.spent["latency"]
    ('7', 1, 0.002, 1.0)
    """
    for name, value in (("most_usd", most_usd), ("most_seconds", most_seconds)):
        if value is not None and not value > 0:
            raise MooInferError(f"{name}: must be > 0, got {value!r:.40}")
    own = judges(most_calls(policy), extract, check, getattr(endpoint, "profiles", {}))
    live = LiveQuery(policy, endpoint, own, registry or _everything())
    question = Question.of(query)
    return await live.outcome(question, describe=describe, most_usd=most_usd, most_seconds=most_seconds, seed=seed)


def judges(
    models: Iterable[str],
    extract: "str | Callable[[str], Any] | None",
    check: "str | Callable[..., Any] | None",
    profiles: Mapping[str, ModelProfile] = MappingProxyType({}),
    /,
) -> dict[str, Judge]:
    """Return who reads and judges the texts of models; what is not said here, their profiles say."""
    made = {}
    for model in models:
        call = profiles[model].call if model in profiles else None
        spec = extract if extract is not None or call is None else call.extract
        own = extractor(spec, text_limit=TEXT_LIMIT if call is None else call.text_limit)
        made[model] = Judge(own, checker(check, own))
    return made


@lru_cache(maxsize=1)
def _everything() -> Registry:
    return Registry()


@dataclass(frozen=True, eq=False)
class LiveQuery:
    """A policy that runs against an endpoint.

    Args:
        policy: who decides.
        endpoint: what calls.
        judges: by model, who reads and judges what it writes.
        registry: where aggregators are looked up.
        record: told of samples as they come, before the next decision.
    """

    policy: Policy
    endpoint: Endpoint
    judges: Mapping[str, Judge]
    registry: Registry
    record: Callable[[Question, Sequence[Sample]], None] = field(default=lambda question, samples: None)

    async def outcome(
        self,
        question: Question,
        before: Sequence[Sample] = (),
        *,
        describe: Describe = described,
        most_usd: float | None = None,
        most_seconds: float | None = None,
        seed: int = 0,
    ) -> Outcome:
        """Go on from the samples that there are, if any, until the policy answers.

        Args:
            question: the question.
            before: samples of an earlier run, which are not asked for again.
            describe, most_usd, most_seconds, seed: as in `answer`; nothing may be left of the dollars.
        """
        most, ending = most_calls(self.policy), ANSWERED
        known = {"load": getattr(self.endpoint, "load", 0), **describe(question)}
        course = Course(question, known, any(judge.knows(question) for judge in self.judges.values()))
        endpoint = self.endpoint if most_usd is None else _within(self.endpoint, most_usd - _spent(before))
        budget = None if most_usd is None else getattr(endpoint, "ledger", None)
        wave = Wave(self.policy, endpoint, course, self._taken_in, list(before), budget)
        deadline = Deadline(most_seconds)
        while not isinstance(decided := wave.answer or decision(self.policy, course.seen(), most), Answer):
            if deadline.over(course):
                ending = SECONDS
                break
            if limit := await wave.run(decided, deadline.left(course)):
                ending = limit
                break
        by = decided if isinstance(decided, Answer) else Answer()
        return self._answered(course, by, ending, deadline, seed)

    async def _taken_in(self, course: Course, model: str, inferences: Sequence[Inference]) -> None:
        """Read and judge what came, add it to the course, and record it."""
        judged = [await self.judges[model].sample(of, model, course.question) for of in inferences]
        self.record(course.question, course.add(judged))

    def _answered(self, course: Course, by: Answer, ending: str, deadline: "Deadline", seed: int) -> Outcome:
        draws, samples = course.draws(by.of)
        taken: Sample | None = None
        if samples:
            digest = blake2b(course.question.id.encode(), digest_size=8).digest()
            rng = np.random.default_rng([seed, int.from_bytes(digest)])
            column = int(chosen(aggregator(by, self.registry), draws, rng)[0])
            taken = samples[column] if column >= 0 else None
        spent = course.spent()
        if ending == SECONDS:
            spent[LATENCY.name] = max(spent[LATENCY.name], deadline.seconds)
        correct = None if taken is None else taken.correct
        if taken is None or taken.inference.failed:  # a blank, which is wrong where anything says what is right
            correct = False if course.judged else None
        return Outcome(
            None if taken is None else taken.inference.text,
            course,
            MappingProxyType(spent),
            None if taken is None else taken.answer,
            correct,
            ending,
            taken,
        )


def aggregator(by: Answer, registry: Registry, /) -> AccuracyAggregator:
    """Return who answers."""
    if isinstance(by.by, AccuracyAggregator):
        return by.by
    if isinstance(by.by, str):
        return registry.get(AccuracyAggregator, by.by)
    return registry.build(AccuracyAggregator, by.by, "aggregator")


def _within(endpoint: Endpoint, most_usd: float) -> Endpoint:
    within = getattr(endpoint, "within", None)
    if within is None:
        raise MooInferError("most_usd: this endpoint keeps no budget; one with the method within(most_usd) does")
    limited: Endpoint = within(max(0.0, most_usd))
    return limited


def _spent(samples: Sequence[Sample]) -> float:
    return sum(sample.inference.spent_usd for sample in samples)
