"""What a policy does with queries: a part of the facts of a row."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Course"]

TAIL = 0.95  # of the quantile of calls and waves


@dataclass(frozen=True)
class Course:
    """What a policy does with the queries of a row.

    Args:
        policy: the text that makes the policy again.
        models: those it calls.
        calls, waves: mean and 95 % quantile of how many calls, and waves of them at once, a query takes.
        endings: shares of the queries by the calls after which they are answered, the largest first.
    """

    policy: str
    models: tuple[str, ...]
    calls: tuple[float, float]
    waves: tuple[float, float]
    endings: tuple[tuple[str, float], ...]

    @classmethod
    def of(
        cls,
        policy: str,
        models: tuple[str, ...],
        endings: Mapping[tuple[int, ...], float],
        waves: Mapping[int, float],
    ) -> "Course":
        """Make it of the shares of the queries by the calls of each model, and by how many waves they take.

        >>> Course.of("two-then-more:k=8", ("small",), {(2,): 0.75, (8,): 0.25}, {1: 0.75, 2: 0.25})
        Course(policy='two-then-more:k=8', models=('small',), calls=(3.5, 8.0), waves=(1.25, 2.0), \
endings=(('2 samples', 0.75), ('8 samples', 0.25)))
        """
        calls: dict[int, float] = {}
        for n, share in endings.items():
            calls[sum(n)] = calls.get(sum(n), 0.0) + share
        largest = sorted(((share, n) for n, share in endings.items() if share > 0), key=lambda end: (-end[0], end[1]))
        named = tuple((_calls(models, n), share) for share, n in largest)
        return cls(policy, models, _mean_and_tail(calls), _mean_and_tail(waves), named)


def _mean_and_tail(shares: Mapping[int, float]) -> tuple[float, float]:
    numbers = np.array(sorted(shares), dtype=np.float64)
    share = np.array([shares[int(number)] for number in numbers])
    reached = np.cumsum(share) >= TAIL - 1e-12  # shares are rounded
    return float(numbers @ share), float(numbers[int(reached.argmax()) if reached.any() else -1])


def _calls(models: tuple[str, ...], n: tuple[int, ...]) -> str:
    """Calls of each model, in words."""
    if len(models) == 1:
        return f"{n[0]} sample{'s' * (n[0] != 1)}"
    return ", ".join(f"{times} {model}" for model, times in zip(models, n, strict=True) if times) or "no call"
