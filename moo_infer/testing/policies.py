"""The contract of policies."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from ..core.arrays import Array
from ..core.seen import Answer, Call, Seen
from ..interfaces import AccuracyAggregator, Policy
from ..policy.decisions import decision, most_calls, of_model
from ..registry import Registry
from .contract import Contract, check_part

__all__ = ["PolicyContract"]

QUERIES = 100
CHANCES = (0.0, 0.4, 0.8, 1.0)  # that an answer to a query is the right one
WRONG = 4  # different wrong answers
BLANK = 0.1  # share of answers

NAMES = ("answer", "correct", "score", "output_tokens", "latency_s", "cost_usd", "energy_j", "noise")

Columns = Mapping[str, Array]


@dataclass(frozen=True)
class _Step:
    """What was seen of a query, wave by wave, and what was decided then."""

    waves: tuple[Mapping[str, Columns], ...]
    query: Mapping[str, object]
    decided: Call | Answer

    def seen(self, rng: np.random.Generator) -> Seen:
        """Return what was seen, the samples of each wave in another order."""
        return _seen([{m: _reordered(of, rng) for m, of in wave.items()} for wave in self.waves], self.query)


class PolicyContract(Contract):
    """The contract of policies: queries are run through one as far as it goes, of known chances to be right.

    Attributes:
        query: what is known of every query before, for a policy that reads it.
        model: the name that is given to the model of a policy over one model.
    """

    fixture = "policy"
    query: ClassVar[Mapping[str, object]] = {}
    model = "small"

    @pytest.fixture
    def policy(self) -> Policy:
        """Return the policy under test."""
        raise NotImplementedError("list `instances`, or give the fixture 'policy'")

    def test_is_a_part(self, policy: Policy) -> None:
        """A name that people can type, and fields that nobody changes."""
        check_part(policy)

    def test_ends_within_its_most(self, policy: Policy) -> None:
        """It answers every query, calls its own models alone, once at least, and decides alike when asked twice."""
        ends = [steps[-1].decided for steps in self._runs(policy)]
        assert all(isinstance(end, Answer) for end in ends), "every query is answered in the end"

    def test_answers_by_an_aggregator_that_there_is(self, policy: Policy) -> None:
        """Its name, with fields behind a colon, a mapping with its kind, or the object."""
        registry = Registry()
        for answer in (step.decided for steps in self._runs(policy) for step in steps):
            if isinstance(answer, Answer) and isinstance(answer.by, str):
                registry.get(AccuracyAggregator, answer.by)
            elif isinstance(answer, Answer) and isinstance(answer.by, Mapping):
                registry.build(AccuracyAggregator, answer.by, "aggregator")

    def test_the_order_of_samples_does_not_matter(self, policy: Policy) -> None:
        """What a wave brought is a set."""
        bound, most = self._bound(policy)
        rng = np.random.default_rng(1)
        for step in (step for steps in self._runs(policy) for step in steps):
            assert decision(bound, step.seen(rng), most) == step.decided, "the samples of a wave are a set"

    def test_a_query_changes_nothing_of_another(self, policy: Policy) -> None:
        """Asked about the same queries from the last to the first, it decides the same of each."""
        bound, most = self._bound(policy)
        for step in reversed([step for steps in self._runs(policy) for step in steps]):
            assert decision(bound, _seen(step.waves, step.query), most) == step.decided, "nothing is kept in between"

    def _bound(self, policy: Policy) -> tuple[Policy, dict[str, int]]:
        bound = of_model(policy, self.model)
        return bound, most_calls(bound)

    def _runs(self, policy: Policy) -> Iterator[list[_Step]]:
        """By query the steps until it answers."""
        bound, most = self._bound(policy)
        for i in range(QUERIES):
            rng = np.random.default_rng(i)
            calls = {model: _columns(rng, n, CHANCES[i % len(CHANCES)]) for model, n in most.items()}
            waves: list[Mapping[str, Columns]] = []
            taken, waiting = dict.fromkeys(most, 0), dict.fromkeys(most, 0)
            steps: list[_Step] = []
            while not (steps and isinstance(steps[-1].decided, Answer)):
                decided = decision(bound, _seen(waves, self.query), most)
                steps.append(_Step(tuple(waves), self.query, decided))
                for model, times in decided.times.items() if isinstance(decided, Call) else ():
                    waiting[model] += times
                brought = _arrived(waiting) if policy.arrivals else waiting
                waves.append({m: _part(calls[m], taken[m], n) for m, n in brought.items() if n})
                for model, n in dict(brought).items():
                    taken[model], waiting[model] = taken[model] + n, waiting[model] - n
            yield steps


def _arrived(waiting: Mapping[str, int]) -> dict[str, int]:
    """One of the calls that are on their way."""
    model = next((model for model, n in waiting.items() if n), None)
    return {} if model is None else {model: 1}


def _columns(rng: np.random.Generator, n: int, chance: float) -> dict[str, Array]:
    """Columns of n samples; the right answer is 0."""
    right = rng.random(n) < chance
    answer = np.where(right, 0, rng.integers(1, 1 + WRONG, n))
    blank = rng.random(n) < BLANK
    given = {
        "answer": np.where(blank, -1, answer),
        "correct": np.where(blank, 0.0, right),
        "score": np.where(blank, np.nan, rng.random(n)),
        "output_tokens": rng.integers(10, 1000, n).astype(np.float64),
    }
    return {name: given.get(name, rng.random(n)) for name in NAMES}


def _part(columns: Columns, start: int, n: int) -> dict[str, Array]:
    return {name: column[start : start + n] for name, column in columns.items()}


def _reordered(columns: Columns, rng: np.random.Generator) -> dict[str, Array]:
    order = rng.permutation(len(next(iter(columns.values()))))
    return {name: column[order] for name, column in columns.items()}


def _seen(waves: Sequence[Mapping[str, Columns]], query: Mapping[str, object]) -> Seen:
    models = dict.fromkeys(model for wave in waves for model in wave)
    samples = {m: {c: np.concatenate([w[m][c] for w in waves if m in w]) for c in NAMES} for m in models}
    spent = {"cost": sum(float(of["cost_usd"].sum()) for of in samples.values())}
    return Seen(samples, spent=spent, query=query, waves=[Seen(wave) for wave in waves])
