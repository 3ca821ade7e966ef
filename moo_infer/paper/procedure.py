"""The procedure of the paper's authors as their published code has it, vectorised.

For every k a new generator ``default_rng(seed + k)``; in a trial k input lengths, then k output lengths, then k
accuracies; 300 trials; k = P, 2 P, ..., 128; token counts clipped to [1, 16 mu] and [1, 16 L_in]; latency k/P times the
mean; the knee from the cross product of cost and latency alone. The stream of `standard_normal((M, 3, k))` is the same
as theirs, so the numbers are too.

Cost and latency are both nearly linear in k, so that cross product measures Monte Carlo noise; where their coefficients
are exactly proportional (GPT-5 Mini) it measures the rounding of the last bit. That part lives here and nowhere else.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..builtin.costs import LinearCost, LinearLatency
from ..builtin.inference import Gaussian
from ..core.arrays import FloatArray, IntArray, Rows
from ..core.errors import MooInferError
from ..profiles import ModelProfile, Scenario

__all__ = ["SELECTORS", "TRIALS", "Trajectory", "select", "simulate"]

SELECTORS = ("max-accuracy", "max-cube", "utopia", "knee")
TRIALS = 300  # this and the next two as published
SEED = 42
K_MAX = 128


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Means over trials of one model along k, and the standard deviation of its accuracy, each (n,)."""

    k: IntArray
    cost: FloatArray
    latency: FloatArray
    accuracy: FloatArray
    accuracy_std: FloatArray


def simulate(profiles: Sequence[ModelProfile], *, seed: int = SEED, trials: int = TRIALS) -> list[Trajectory]:
    """Simulate every model as the authors do.

    Args:
        profiles: models with the paper's parts (gaussian, linear-cost, linear-latency) and one common parallelism.
        seed: of the first generator; that of k is ``seed + k``.
        trials: M.

    Raises:
        MooInferError: for a profile with other parts, or different parallelisms.
    """
    parallelism = profiles[0].parallelism
    k = np.arange(parallelism, K_MAX + 1, parallelism)
    figures = np.empty((len(profiles), 4, len(k)))
    parts = [_parts(profile, parallelism) for profile in profiles]
    for n, size in enumerate(k):
        z = np.random.default_rng(seed + int(size)).standard_normal((trials, 3, size))
        for i, (model, cost, latency) in enumerate(parts):
            tokens_in = np.clip(model.tokens_in_mean + model.tokens_in_std * z[:, 0], 1, 16 * model.tokens_in_mean)
            tokens_out = np.clip(model.tokens_out_mean + model.tokens_out_std * z[:, 1], 1, 16 * tokens_in)
            usd = cost.usd_per_input_token * tokens_in + cost.usd_per_output_token * tokens_out
            seconds = latency.seconds_per_input_token * tokens_in + latency.seconds_per_output_token * tokens_out
            best = np.clip(model.accuracy_mean + model.accuracy_std * z[:, 2], 0.0, 1.0).max(axis=1)
            figures[i, :, n] = (
                usd.sum(axis=1).mean(),
                ((size / parallelism) * seconds.mean(axis=1)).mean(),
                best.mean(),
                best.std(),
            )
    return [Trajectory(k, *columns) for columns in figures]


def select(trajectory: Trajectory, scenario: Scenario) -> dict[str, int | None]:
    """Choose as the authors do: for each of their four selectors a place along the trajectory, or None."""
    limits = {limit.objective: limit.worst for limit in scenario.limits}
    cost, latency, accuracy = trajectory.cost, trajectory.latency, trajectory.accuracy
    c, t = cost / limits["cost"], latency / limits["latency"]
    feasible = np.flatnonzero(
        (cost <= limits["cost"]) & (latency <= limits["latency"]) & (accuracy >= limits["accuracy"])
    )
    if not len(feasible):
        return dict.fromkeys(SELECTORS)
    volume = np.maximum(1 - c, 0) * np.maximum(1 - t, 0) * accuracy
    points = np.stack([cost, latency, -accuracy], axis=1)[feasible]
    worse = np.all(points[:, None] >= points, axis=2) & np.any(points[:, None] > points, axis=2)
    front = feasible[~worse.any(axis=1)]
    distance = np.linalg.norm(np.stack([c, t, 1 - accuracy], axis=1)[front], axis=1)
    return {
        "max-accuracy": int(feasible[np.argmax(accuracy[feasible])]),
        "max-cube": int(feasible[np.argmax(volume[feasible])]),
        "utopia": int(front[np.argmin(distance)]),
        "knee": _knee(front, np.stack([c, t, accuracy], axis=1)[front]),
    }


def _knee(front: Rows, points: FloatArray) -> int | None:
    """Their curvature: three dimensions in the length of p', but only two in the cross product."""
    if len(front) < 3:
        return None
    first = (points[2:] - points[:-2]) / 2
    second = points[2:] - 2 * points[1:-1] + points[:-2]
    cross = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    return int(front[1 + np.argmax(cross / np.linalg.norm(first, axis=1) ** 3)])


def _parts(profile: ModelProfile, parallelism: int) -> tuple[Gaussian, LinearCost, LinearLatency]:
    cost = next((part for part in profile.costs if isinstance(part, LinearCost)), None)
    latency = next((part for part in profile.costs if isinstance(part, LinearLatency)), None)
    if not isinstance(profile.inference, Gaussian) or cost is None or latency is None or len(profile.costs) != 2:
        raise MooInferError(f"{profile.name}: the authors' procedure needs gaussian, linear-cost and linear-latency")
    if profile.parallelism != parallelism:
        raise MooInferError(
            f"{profile.name}: the authors' procedure needs one parallelism, got {profile.parallelism} and {parallelism}"
        )
    return profile.inference, cost, latency
