"""A policy with the models it calls: what one evaluation needs to know."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from itertools import combinations
from typing import Any

import numpy as np

from ..core.arrays import FloatArray
from ..core.errors import MooInferError, NothingPossible, unknown
from ..core.objectives import ACCURACY, Objective
from ..core.seen import Answer
from ..estimate.delivered import Delivered
from ..estimate.setup import Setup
from ..interfaces import AccuracyAggregator, CostModel, Policy
from ..profiles import ModelProfile
from ..quantities.answer_keys import coded_alike, spelt_apart, unlike_answers
from ..quantities.bootstrap import resampled
from ..quantities.labels import TASK, labels_by_question
from ..quantities.queries import Doubt
from ..quantities.samples import Samples
from ..registry import Registry
from .decisions import most_calls
from .filling import filled
from .joint import brought
from .tried import text_of

__all__ = ["Deployment"]

# Measured on the 462 pairs of 22 models that answered 198 questions: two samples of the first, else one of the other.
INDEPENDENT = (
    "are taken as independent: without answers to the same questions nobody knows which are hard for both; where it is "
    "known, that overrated cascades by 2.2 points of accuracy on average and by up to 5.4, and put the money for the "
    "second model at 0.55 of what it was"
)
SHARES = 1e-9  # of questions, relative: sums are rounded


@dataclass(frozen=True, eq=False)
class Deployment:
    """A policy with the models it calls.

    Args:
        policy: who decides; its model is named.
        setups: by model, those it calls: profiles and how many of their calls run at a time.
        registry: where aggregators are looked up.
        compared: numbers of the models whose answers were compared with each other.
        answering: who answered, each as its text.
        alike: by model, the samples of several models with answers that are coded alike.
        resampled: whether samples are drawn anew of those of another one, which said what can be compared.
        situation: what is known of every query before, by name, such as the load.
    """

    policy: Policy
    setups: Mapping[str, Setup]
    registry: Registry
    compared: set[tuple[int, int]] = field(default_factory=set, repr=False)
    answering: set[str] = field(default_factory=set, repr=False)
    alike: Mapping[str, Samples] = field(default_factory=dict, repr=False)
    resampled: bool = False
    situation: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        policy: Policy,
        profiles: Mapping[str, ModelProfile],
        parallelism: int | None,
        registry: Registry,
        situation: Mapping[str, object] | None = None,
    ) -> "Deployment":
        """Find the models of a policy by their names.

        Raises:
            MooInferError: for a model that is not there, and for several that did not answer the same questions.
            NothingPossible: where a log has too few samples.
        """
        placeholder = registry.get(AccuracyAggregator, "one-call")  # the aggregators are those that the policy names
        setups = {}
        for model, calls in most_calls(policy).items():
            if model not in profiles:
                raise unknown("model", model, profiles, f"policy {policy.name!r}")
            profile = profiles[model]
            k = np.array([calls], dtype=np.int64)
            setups[model] = Setup(profile, placeholder, k, parallelism or profile.parallelism)
        alike = _coded_alike(profiles) if len(setups) > 1 else {}
        made = cls(filled(policy, setups), setups, registry, alike=alike, situation=situation or {})
        made._check()
        return made

    def _check(self) -> None:
        for model, calls in self.most.items():
            largest = self.setups[model].queries.largest_k
            if largest is not None and calls > largest:
                raise NothingPossible(
                    f"{self.name} calls {model} up to {calls} times, and its log has {largest} samples of some question"
                )
            if not self.setups[model].notes.possible.all():
                raise NothingPossible(
                    f"{self.name} calls {model} up to {calls} times, which cannot be had: "
                    f"{self.setups[model].notes.why or 'its cost models say no more'}"
                )
        if len(self.setups) > 1:
            self._refuse_one_log()
            logs = [setup.queries.samples is not None for setup in self.setups.values()]
            for model, setup in self.setups.items() if any(logs) or self._differing else ():
                if setup.queries.samples is None:
                    raise MooInferError(
                        f"{self.name} calls several models, and {model} has no log: what they do together is known "
                        "from answers to the same questions alone. Fitted apart, they lose that hard questions are "
                        "hard for all of them: cascades then look 1.9 points more accurate on average, up to 15, and "
                        "calls of the dear model cost 0.6 of what they do"
                    )
            if any(logs) and not self.questions:
                raise MooInferError(f"{self.name}: the logs of {', '.join(self.setups)} have no question in common")

        _ = self.weights

    def _refuse_one_log(self) -> None:
        """Refuse two models for one query that draw from the same samples, as a model and its variant with a cap do."""
        drawn: dict[str, Any] = {
            model: setup.profile.inference
            for model, setup in self.setups.items()
            if hasattr(setup.profile.inference, "cut_from")
        }
        for one, other in combinations(drawn, 2):
            first, second = drawn[one], drawn[other]
            cut = first.cut_from or second.cut_from
            alike = first.samples == second.samples and {cut} == {of.cut_from or of.model for of in (first, second)}
            if cut and alike and any({one, other} <= called for called in _for_one_query(self.policy)):
                raise NothingPossible(
                    f"{self.name} calls {one} and {other}, which are drawn from the same samples, so that what they "
                    "give together is not known; sample one of them by itself (moo-infer sample)"
                )

    @cached_property
    def weights(self) -> FloatArray:
        """(Q,) shares of the questions that all logs have; raises MooInferError where the logs do not agree on them."""
        shares: list[FloatArray] = []
        for setup in self.setups.values():
            own = setup.queries.weights
            if tuple(setup.queries.questions) != self.questions:
                place = {name: i for i, name in enumerate(setup.queries.questions)}
                own = own[[place[name] for name in self.questions]]
            shares.append(own / own.sum())
        if not all(np.allclose(own, shares[0], rtol=SHARES) for own in shares[1:]):
            raise MooInferError(f"{self.name}: {', '.join(self.setups)} give other weights to the same questions")
        return shares[0]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is to be said of the questions and answers that it is evaluated on."""
        sentences = []
        for model, setup in self.setups.items():
            if (of := len(setup.queries.questions)) > len(self.questions):
                sentences.append(
                    f"{self.name} is evaluated on the {len(self.questions)} questions that the logs of "
                    f"{' and '.join(self.setups)} have in common, and rows of {model} on {of}"
                )
        logs = self.samples or ()
        sentences += [spelt_apart(logs[i], logs[j]) for i, j in sorted(self.compared)]
        return tuple(filter(None, sentences))

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What is not known of several models without logs of the same questions."""
        if len(self.models) < 2 or self.samples is not None:
            return ()
        return (Doubt(f"{' and '.join(self.models)} {INDEPENDENT}"),)

    @property
    def of_two(self) -> str:
        """What is to be said where answers are of two kinds, for want of others."""
        return (
            f"policies take all wrong answers of {self.models[0]} as one, as its profile does not say how they "
            "differ: a vote is one of right against wrong"
        )

    @property
    def _differing(self) -> bool:
        """Whether queries of laws differ in difficulty."""
        axes = [axis for setup in self.setups.values() for axis in setup.queries.axes]
        return any("accuracy" in axis.laws and np.ptp(axis.laws["accuracy"].mean) > 0 for axis in axes)

    @property
    def name(self) -> str:
        """What errors call it."""
        return f"policy {self.policy.name!r}"

    @cached_property
    def most(self) -> dict[str, int]:
        """The most calls of each model."""
        return most_calls(self.policy)

    @property
    def models(self) -> tuple[str, ...]:
        """Names of the models, in the order of `most`."""
        return tuple(self.setups)

    @cached_property
    def questions(self) -> tuple[str, ...]:
        """The questions that all logs have, in the order of the first; none without logs."""
        logs = [setup.queries.questions for setup in self.setups.values()]
        if all(questions == logs[0] for questions in logs):
            return tuple(logs[0])
        common = reduce(set.intersection, (set(questions) for questions in logs))
        return tuple(question for question in logs[0] if question in common)

    @cached_property
    def samples(self) -> tuple[Samples, ...] | None:
        """The samples of each model on these questions, in their order, answers coded alike; None without logs."""
        logs = [self.alike.get(model, setup.queries.samples) for model, setup in self.setups.items()]
        known = [_on(log, self.questions) for log in logs if log is not None]
        return tuple(known) if len(known) == len(logs) else None

    def unlike(self, models: Sequence[int]) -> str:
        """Say why answers of some models, by their numbers, cannot be compared; "" where they can."""
        if self.samples is None or self.resampled:
            return ""
        for i in models:
            given = self.samples[i]
            # A single sample of a model is compared with those of other models alone.
            compared = self.most[self.models[i]] > 1 and "answer" in given and "answer" not in brought(given)
            if reason := given.no_choice("answer") if compared else "":
                return f"{self.name} compares answers of {self.models[i]}: {reason}"
        self.compared.update(combinations(sorted(models), 2))
        for i, j in combinations(sorted(models), 2):
            if reason := unlike_answers(self.samples[i], self.samples[j]):
                return f"{self.name} compares answers of {self.models[i]} with those of {self.models[j]}: {reason}"
        return ""

    @cached_property
    def known(self) -> list[dict[str, object]]:
        """What is known of each question before: its name, the task in it before a colon, its labels, the situation."""
        logs = [setup.queries.samples for setup in self.setups.values()]
        labels = labels_by_question([log for log in logs if log is not None])
        none = dict.fromkeys((name for of in labels.values() for name in of), "")
        tasks = [name.partition(":")[0] if ":" in name else "" for name in self.questions]
        named = zip(self.questions, tasks, strict=True)
        return [
            {"question": name, **none, TASK: task, **labels.get(name, {}), **self.situation} | {"question": name}
            for name, task in named
        ]

    @cached_property
    def costs(self) -> dict[Objective, tuple[list[CostModel], ...]]:
        """By objective the cost models of each model.

        Raises:
            MooInferError: where one has an objective that another lacks.
        """
        held = [setup.costs for setup in self.setups.values()]
        for setup, costs in zip(self.setups.values(), held, strict=True):
            if missing := [objective.name for objective in held[0] if objective not in costs] + [
                objective.name for objective in costs if objective not in held[0]
            ]:
                raise MooInferError(
                    f"{self.name}: {self.models[0]} and {setup.profile.name} are not priced in the same objectives; "
                    f"one of them has no {missing[0]}"
                )
        return {objective: tuple(costs[objective] for costs in held) for objective in held[0]}

    @cached_property
    def judged(self) -> tuple[Objective, ...]:
        """How answers are judged otherwise; raises MooInferError where those of the models are not judged alike."""
        held = {model: setup.queries.judged for model, setup in self.setups.items()}
        first = held[self.models[0]]
        for model, own in held.items():
            if {*own} != {*first}:
                listed = " and ".join(", ".join(o.name for o in judged) or "nothing" for judged in (first, own))
                raise MooInferError(
                    f"{self.name}: {self.models[0]} and {model} are not judged alike beside their accuracy: by {listed}"
                )
        return first

    @property
    def worths(self) -> tuple[str, ...]:
        """Names of the objectives that say what an answer is worth."""
        return (ACCURACY.name, *(objective.name for objective in self.judged))

    @cached_property
    def shares(self) -> frozenset[str]:
        """Those of them that are shares of yes and no on all logs."""
        every = [setup.queries for setup in self.setups.values()]
        return frozenset(name for name in self.worths if all(queries.is_share(name) for queries in every))

    def worth(self, answer: Answer, objective: str) -> AccuracyAggregator:
        """Return what says how much an answer is worth by one of these."""
        aggregator = self.aggregator(answer)
        return aggregator if objective == ACCURACY.name else Delivered(aggregator, objective)

    def aggregator(self, answer: Answer) -> AccuracyAggregator:
        """Return who answers; raises MooInferError where it spends what the models have no cost model for."""
        if isinstance(answer.by, AccuracyAggregator):
            part = answer.by
        elif isinstance(answer.by, str):
            part = self.registry.get(AccuracyAggregator, answer.by)
        else:
            part = self.registry.build(AccuracyAggregator, answer.by, "aggregator")
        if missing := [cost.objective.name for cost in part.costs if cost.objective not in self.costs]:
            raise MooInferError(
                f"{self.name}: {part.name} spends {missing[0]}, for which {self.models[0]} has no cost model; "
                "candidates are compared in the same objectives"
            )
        self.answering.add(text_of(part))
        return part

    def with_values(self, values: Mapping[str, Mapping[str, Any]]) -> "Deployment":
        """Return the same with other numbers in the profiles, by model and path."""
        return replace(self, setups={m: setup.with_values(values.get(m, {})) for m, setup in self.setups.items()})

    def with_samples(self, samples: Sequence[Samples]) -> "Deployment":
        """Return the same with other samples of each model."""
        drawn = zip(self.setups.items(), samples, strict=True)
        return replace(self, setups={model: setup.with_samples(of) for (model, setup), of in drawn}, alike={})

    def drawn_anew(self, b: int, seed: int) -> "Deployment":
        """Return the same with samples drawn anew, as the rows of the table that no policy made draw them."""
        assert self.samples is not None
        names = [samples.model.encode("utf-8", "surrogatepass") for samples in self.samples]
        rngs = [np.random.default_rng([seed, 5, b, *name]) for name in names]
        drawn = [resampled(samples, rng) for samples, rng in zip(self.samples, rngs, strict=True)]
        return replace(self.with_samples(drawn), resampled=True)


def _for_one_query(policy: Policy) -> list[set[str]]:
    """The models that one query may be sent to, for every policy that the label of a query may choose."""
    policies = getattr(policy, "policies", None)
    if isinstance(policies, Mapping):
        return [{*of.most} for of in (*policies.values(), getattr(policy, "otherwise", policy))]
    return [{*policy.most}]


def _coded_alike(profiles: Mapping[str, ModelProfile]) -> dict[str, Samples]:
    """The logs of all models of a run, so that every policy over several of them reads the same samples."""
    logs = {model: log for model, profile in profiles.items() if (log := profile.queries.samples) is not None}
    return dict(zip(logs, coded_alike(tuple(logs.values())), strict=True))


def _on(samples: Samples, questions: Sequence[str]) -> Samples:
    """The samples of some questions, in their order."""
    if tuple(samples.questions) == tuple(questions):
        return samples
    place = {name: i for i, name in enumerate(questions)}
    question = np.array([place.get(name, -1) for name in samples.questions])[samples.question]
    order = np.argsort(question, kind="stable")[np.count_nonzero(question < 0) :]
    columns = {name: column[order] for name, column in samples.columns.items()}
    return Samples(samples.model, questions, question[order], samples.correct[order], columns)
