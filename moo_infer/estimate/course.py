"""What a policy does with queries: a part of the facts of a row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

__all__ = ["Course", "StageCourse", "mean_and_tail"]

TAIL = 0.95  # of the quantile of calls and waves
SHOWN = 4  # endings that a sentence names


@dataclass(frozen=True)
class StageCourse:
    """What a stage of a workflow does.

    Args:
        name: of the stage.
        policy: the text that makes its policy again, or ``tool``.
        label: what reports call that, beside its models.
        models: those it calls; none of a tool.
        k: its calls at most.
        after: the stages that it waits for.
        means: by objective, accuracy too.
        start, finish: when it starts and when it is done, on average, in seconds.
        slack: by how much it could be done later, on average, and the whole would be done as early; in seconds.
        critical: the share of queries in which the whole would be done earlier if it were.
        answering: the aggregators that answer, each as its text.
    """

    name: str
    policy: str
    label: str
    models: tuple[str, ...]
    k: int
    after: tuple[str, ...]
    means: Mapping[str, float]
    start: float
    finish: float
    slack: float
    critical: float
    answering: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        names = ("policy", "k", "start", "finish", "slack", "critical")
        known = {name: getattr(self, name) for name in names}
        listed = {"models": list(self.models), "after": list(self.after), "means": dict(self.means)}
        return {"stage": self.name, **known, **listed}


@dataclass(frozen=True)
class Course:
    """What a policy does with the queries of a row.

    Args:
        policy: the text that makes the policy again.
        models: those it calls.
        calls, waves: mean and 95 % quantile of how many calls, and waves of them at once, a query takes.
        endings: shares of the queries by the calls after which they are answered, the largest first.
        sentence: the same in words.
        answering: the aggregators that answer, each as its text.
        after: shares of the queries by the calls of each model after which they are answered.
        in_waves: shares of the queries by how many waves they take.
        workflow: its name; "" of a policy.
        plan: gives its stages; None of a policy.
        bounds: between which two values the accuracy of a workflow is, whatever the dependence of its stages; None
            where nothing is assumed of it, or they are not known.
    """

    policy: str
    models: tuple[str, ...]
    calls: tuple[float, float]
    waves: tuple[float, float]
    endings: tuple[tuple[str, float], ...]
    sentence: str = ""
    answering: tuple[str, ...] = ()
    after: Mapping[tuple[int, ...], float] = field(default_factory=dict, repr=False, compare=False)
    in_waves: Mapping[int, float] = field(default_factory=dict, repr=False, compare=False)
    workflow: str = ""
    plan: Callable[[], tuple[StageCourse, ...]] | None = field(default=None, repr=False, compare=False)
    bounds: tuple[float, float] | None = None

    @cached_property
    def stages(self) -> tuple[StageCourse, ...]:
        """The stages of a workflow; none of a policy."""
        return () if self.plan is None else self.plan()

    @classmethod
    def of(
        cls,
        policy: str,
        models: tuple[str, ...],
        endings: Mapping[tuple[int, ...], float],
        waves: Mapping[int, float],
        answering: tuple[str, ...] = (),
    ) -> "Course":
        """Make it of the shares of the queries by the calls of each model, and by how many waves they take.

        >>> Course.of("two-then-more:k=8", ("small",), {(2,): 0.75, (8,): 0.25}, {1: 0.75, 2: 0.25})
        Course(policy='two-then-more:k=8', models=('small',), calls=(3.5, 8.0), waves=(1.25, 2.0), \
endings=(('2 samples', 0.75), ('8 samples', 0.25)), \
sentence='answers after 2 samples for 75 % of queries, asks 6 more for the rest', answering=(), workflow='', \
bounds=None)
        """
        calls: dict[int, float] = {}
        for n, share in endings.items():
            calls[sum(n)] = calls.get(sum(n), 0.0) + share
        largest = sorted(((share, n) for n, share in endings.items() if share > 0), key=lambda end: (-end[0], end[1]))
        named = tuple((_calls(models, n), share) for share, n in largest)
        sentence = _in_words(models, {n: share for share, n in largest})
        ends = mean_and_tail(calls), mean_and_tail(waves)
        return cls(policy, models, *ends, named, sentence, answering, after=dict(endings), in_waves=dict(waves))

    @property
    def of_each(self) -> dict[str, float]:
        """How often a query calls each model on average."""
        return {model: sum(n[j] * share for n, share in self.after.items()) for j, model in enumerate(self.models)}


def mean_and_tail(shares: Mapping[int, float]) -> tuple[float, float]:
    """Return the mean and the 95 % quantile of a number, from the share of each."""
    numbers = np.array(sorted(shares), dtype=np.float64)
    share = np.array([shares[int(number)] for number in numbers])
    reached = np.cumsum(share) >= TAIL - 1e-12  # shares are rounded
    return float(numbers @ share), float(numbers[int(reached.argmax()) if reached.any() else -1])


def _in_words(models: tuple[str, ...], endings: Mapping[tuple[int, ...], float]) -> str:
    """After how many calls which shares are answered, the fewest calls first; of many endings the largest ones."""
    shown = sorted([*endings][:SHOWN], key=lambda n: (sum(n), n))
    if len(endings) == 1:
        return f"answers after {_calls(models, shown[0])} for all queries"
    first, *others = shown
    sentence = f"answers after {_calls(models, first)} for {_percent(endings[first])} of queries"
    if len(endings) == 2 and all(a <= b for a, b in zip(first, others[0], strict=True)):
        more = tuple(b - a for a, b in zip(first, others[0], strict=True))
        asked = f"{more[0]} more" if len(models) == 1 else f"for {_calls(models, more)}"
        return f"{sentence}, asks {asked} for the rest"
    rest = len(endings) > len(shown)
    last = others[-1:] if not rest else []
    middle = [f"after {_number(models, n)} for {_percent(endings[n])}" for n in others if n not in last]
    end = f"after {_number(models, last[0])}" if last else f"after others, {max(map(sum, endings))} calls at most,"
    return f"{', '.join([sentence, *middle])} and {end} for the rest"


def _number(models: tuple[str, ...], n: tuple[int, ...]) -> str:
    return str(n[0]) if len(models) == 1 else _calls(models, n)


def _percent(share: float) -> str:
    if share < 0.005:
        return "less than 1 %"
    return f"{100 * share:.0f} %" if share <= 0.995 or share == 1.0 else "more than 99 %"


def _calls(models: tuple[str, ...], n: tuple[int, ...]) -> str:
    """Calls of each model, in words."""
    called = [(model, times) for model, times in zip(models, n, strict=True) if times]
    if not called:
        return "no call"
    samples = f"{called[0][1]} sample{'s' * (called[0][1] != 1)}"
    if len(models) == 1:
        return samples
    return " and ".join([f"{samples} of {called[0][0]}", *(f"{times} of {model}" for model, times in called[1:])])
