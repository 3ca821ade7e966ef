"""Decisions of a policy, checked: whatever it may not do is refused in a sentence that names it."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..core.errors import MissingColumn, MooInferError, unknown
from ..core.seen import Answer, Call, Seen
from ..estimate.calls import guarded
from ..interfaces import AccuracyAggregator, Policy

__all__ = ["decision", "most_calls", "of_model"]


def of_model(policy: Policy, model: str, /) -> Policy:
    """Return a policy whose model was left open, over that model; any other policy as it is."""
    part: Any = policy
    is_open = dataclasses.is_dataclass(policy) and getattr(policy, "model", None) == "" and "" in most_calls(policy)
    return dataclasses.replace(part, model=model) if is_open else policy


def most_calls(policy: Policy, /) -> dict[str, int]:
    """Return the most calls of each model, checked.

    Raises:
        MooInferError: where `most` is no mapping of names to whole numbers >= 1, or empty.
    """
    most: Any = guarded(lambda: policy.most, f"policy {policy.name!r}")
    if not isinstance(most, Mapping) or not most:
        raise MooInferError(
            f"policy {policy.name!r}: most must be a mapping of models to their calls, got {most!r:.80}"
        )
    for model, calls in most.items():
        if not isinstance(model, str) or isinstance(calls, bool) or not isinstance(calls, int) or calls < 1:
            rule = "most must give each model a whole number of calls >= 1"
            raise MooInferError(f"policy {policy.name!r}: {rule}, got {model!r}: {calls!r}")
    return dict(most)


def decision(policy: Policy, seen: Seen, most: Mapping[str, int], /) -> Call | Answer:
    """Ask a policy, and refuse what it may not decide.

    Args:
        policy: who decides.
        seen: what it sees.
        most: the most calls of each model, as `most_calls` gives them.

    Raises:
        MooInferError: where it decides otherwise when it is asked twice, calls a model that is not in `most`, calls
            nothing, or calls more than that.
    """
    name = f"policy {policy.name!r}"
    decided, again = _asked(policy, seen, name), _asked(policy, seen, name)
    if decided != again:
        raise MooInferError(f"{name} decides otherwise when it is asked twice: {decided!r:.80}, then {again!r:.80}")
    if isinstance(decided, Answer):
        _check_answer(decided, seen, most, name)
        return decided
    if not isinstance(decided, Call) or not isinstance(decided.times, Mapping):
        raise MooInferError(f"{name} must decide with a Call or an Answer, got {decided!r:.80}")
    _check_call(decided, seen, most, name)
    if not decided.times and not (policy.arrivals and any(seen.n(model) < most[model] for model in most)):
        raise MooInferError(f"{name} calls nothing and does not answer, {_after(seen, most)}")
    return decided


def _asked(policy: Policy, seen: Seen, name: str) -> Call | Answer:
    try:
        return guarded(lambda: policy.decide(seen), name)
    except MissingColumn as error:
        raise MissingColumn(error.column, error.available, error.wanted_by or name) from None


def _check_answer(answer: Answer, seen: Seen, most: Mapping[str, int], name: str) -> None:
    if not isinstance(answer.by, str | Mapping | AccuracyAggregator):
        raise MooInferError(f"{name}: an Answer is by an aggregator or its name, got {answer.by!r:.80}")
    for model in answer.of:
        if model not in most:
            raise unknown("model", model, most, f"{name}: answers from a model that is none of its own")
    if answer.of and any(map(seen.n, most)) and not any(map(seen.n, answer.of)):
        raise MooInferError(
            f"{name} answers from samples of {', '.join(answer.of)} alone, which was not called, {_after(seen, most)}"
        )


def _check_call(call: Call, seen: Seen, most: Mapping[str, int], name: str) -> None:
    for model, times in call.times.items():
        if model not in most:
            raise unknown("model", model, most, f"{name}: calls a model that is none of its own")
        if isinstance(times, bool) or not hasattr(times, "__index__"):
            raise MooInferError(f"{name}: calls are whole numbers, got {times!r} of {model!r}")
        if times < 1:
            raise MooInferError(f"{name} asks for {times} calls of {model!r}; a Call is of one at least, or it answers")
        if seen.n(model) + times > most[model]:
            raise MooInferError(
                f"{name} does not end within its most: {_after(seen, most)}, it asks for {times} more of {model!r}, "
                f"of which {most[model]} are the most"
            )


def _after(seen: Seen, most: Mapping[str, int]) -> str:
    """Say how many calls there were."""
    calls = [f"{seen.n(model)} of {model!r}" for model in most if seen.n(model)]
    return f"after {' and '.join(calls)}" if calls else "before any call"
