"""How much faster the package decides than plain loops over the paper's equations.

Every row makes the same decisions: nine models x three scenarios x the four selectors of the paper,
k = 4, 8, ..., 128.

- Baseline 1 transcribes the paper's equations plainly and simulates 300 trials, trial by trial, for every
  selector of every scenario and model: 108 simulations.
- Baseline 2 is the same loop, simulated once per model and read by all scenarios and selectors: 9 of them.
- Exact and nested Monte Carlo are a new `Pipeline` in every run, with registry, models and scenarios loaded
  beforehand, so that nothing but estimating and deciding is timed. They also decide over all models together.
- The authors' procedure is `moo_infer.paper.procedure`.

The baselines run once, the others several times, of which the best counts, in processor seconds. Imports are not
timed. Exact is meant to take 4 ms at most, and nested Monte Carlo twice the time of its normal numbers. Seconds
depend on the machine; the ratios depend on it less. It takes about a minute. To repeat:

    python benchmarks/speed.py
"""

import math
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from moo_infer import Exact, ModelProfile, MonteCarlo, Pipeline, Registry, Scenario, builtin_models, builtin_scenarios
from moo_infer.builtin.costs import LinearCost, LinearLatency
from moo_infer.builtin.inference import Gaussian
from moo_infer.paper import procedure

SELECTORS = ("max-accuracy", "max-cube", "utopia", "knee")
TRIALS, SEED, P, K_MAX = 300, 42, 4, 128
REQUIRED = {"Exact": 2000, "nested Monte Carlo": 400, "the authors' procedure": 50}

Point = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Numbers:
    """A row of the paper's Table 3, in its symbols: c and t are cost and seconds per token, in and out."""

    accuracy_mean: float
    accuracy_std: float
    c_in: float
    c_out: float
    t_in: float
    t_out: float


@dataclass(frozen=True)
class Deployment:
    """Means over trials at one k (eq 7)."""

    k: int
    cost: float
    latency: float
    accuracy: float


@dataclass(frozen=True)
class Limits:
    """What a scenario allows (eq 8)."""

    cost: float
    latency: float
    accuracy: float


def numbers(profile: ModelProfile) -> Numbers:
    model, (cost, latency) = profile.inference, profile.costs
    assert isinstance(model, Gaussian)
    assert isinstance(cost, LinearCost)
    assert isinstance(latency, LinearLatency)
    return Numbers(
        accuracy_mean=model.accuracy_mean,
        accuracy_std=model.accuracy_std,
        c_in=cost.usd_per_input_token,
        c_out=cost.usd_per_output_token,
        t_in=latency.seconds_per_input_token,
        t_out=latency.seconds_per_output_token,
    )


def limits(scenario: Scenario) -> Limits:
    return Limits(**{limit.objective: limit.worst for limit in scenario.limits})


def simulated(model: Numbers) -> list[Deployment]:
    """Eqs 1-7: draw, combine and average, one trial after the other."""
    deployments = []
    for k in range(P, K_MAX + 1, P):
        rng = np.random.default_rng(SEED + k)
        cost = latency = accuracy = 0.0
        for _ in range(TRIALS):
            tokens_in = np.maximum(rng.normal(1024, 64, k), 1)
            tokens_out = np.maximum(rng.normal(2048, 128, k), 1)
            quality = np.clip(rng.normal(model.accuracy_mean, model.accuracy_std, k), 0, 1)
            cost += float(np.sum(model.c_in * tokens_in + model.c_out * tokens_out))
            latency += k / P * float(np.mean(model.t_in * tokens_in + model.t_out * tokens_out))
            accuracy += float(np.max(quality))
        deployments.append(Deployment(k, cost / TRIALS, latency / TRIALS, accuracy / TRIALS))
    return deployments


def within(deployments: Sequence[Deployment], limit: Limits) -> list[Deployment]:
    """Eq 8."""
    return [
        d for d in deployments if d.cost <= limit.cost and d.latency <= limit.latency and d.accuracy >= limit.accuracy
    ]


def dominates(a: Deployment, b: Deployment) -> bool:
    no_worse = a.cost <= b.cost and a.latency <= b.latency and a.accuracy >= b.accuracy
    return no_worse and (a.cost < b.cost or a.latency < b.latency or a.accuracy > b.accuracy)


def pareto_front(deployments: Sequence[Deployment]) -> list[Deployment]:
    return [b for b in deployments if not any(dominates(a, b) for a in deployments)]


def point(d: Deployment, limit: Limits) -> Point:
    """Eq 16: scaled by the limits, 0 is ideal."""
    return np.array([d.cost / limit.cost, d.latency / limit.latency, 1 - d.accuracy])


def max_accuracy(feasible: Sequence[Deployment], limit: Limits) -> int:
    return max(feasible, key=lambda d: d.accuracy).k


def max_cube(feasible: Sequence[Deployment], limit: Limits) -> int:
    return max(feasible, key=lambda d: (1 - d.cost / limit.cost) * (1 - d.latency / limit.latency) * d.accuracy).k


def utopia(feasible: Sequence[Deployment], limit: Limits) -> int:
    """Eqs 15 and 16: the front's point closest to where everything is ideal."""
    return min(pareto_front(feasible), key=lambda d: float(np.linalg.norm(point(d, limit)))).k


def knee(feasible: Sequence[Deployment], limit: Limits) -> int | None:
    """Eqs 17-19: the front's point of largest curvature, by finite differences."""
    front = pareto_front(feasible)
    points = [point(d, limit) for d in front]
    best, sharpest = None, -math.inf
    for i in range(1, len(front) - 1):
        first = (points[i + 1] - points[i - 1]) / 2
        second = points[i + 1] - 2 * points[i] + points[i - 1]
        area = float((first @ first) * (second @ second) - (first @ second) ** 2)
        curvature = math.sqrt(max(area, 0.0)) / float(np.linalg.norm(first)) ** 3
        if curvature > sharpest:
            best, sharpest = front[i].k, curvature
    return best


RULES: Mapping[str, Callable[[Sequence[Deployment], Limits], int | None]] = {
    "max-accuracy": max_accuracy,
    "max-cube": max_cube,
    "utopia": utopia,
    "knee": knee,
}


def chosen(deployments: Sequence[Deployment], limit: Limits, selector: str) -> int | None:
    feasible = within(deployments, limit)
    return RULES[selector](feasible, limit) if feasible else None


def baseline_1(models: Sequence[Numbers], scenarios: Sequence[Limits]) -> list[int | None]:
    return [
        chosen(simulated(model), limit, selector) for limit in scenarios for model in models for selector in SELECTORS
    ]


def baseline_2(models: Sequence[Numbers], scenarios: Sequence[Limits]) -> list[int | None]:
    tables = [simulated(model) for model in models]
    return [chosen(table, limit, selector) for limit in scenarios for table in tables for selector in SELECTORS]


def authors_procedure(models: Sequence[ModelProfile], scenarios: Sequence[Scenario]) -> list[int | None]:
    choices: list[int | None] = []
    trajectories = procedure.simulate(models, seed=SEED, trials=TRIALS)
    for scenario in scenarios:
        for trajectory in trajectories:
            places = procedure.select(trajectory, scenario)
            choices += [None if (i := places[s]) is None else int(trajectory.k[i]) for s in SELECTORS]
    return choices


def normals() -> None:
    """Draw as many normal numbers as nested Monte Carlo does: three an inference, for nine models."""
    for _ in range(9):
        np.random.default_rng(SEED).standard_normal((3, TRIALS, K_MAX))


def seconds(run: Callable[[], object], times: int) -> float:
    """Return the best of several runs, in processor seconds."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        run()
        taken.append(time.process_time() - start)
    return min(taken)


def main() -> None:
    registry = Registry(entry_points=False)
    profiles, scenarios = builtin_models(registry), builtin_scenarios()
    models, allowed = [numbers(p) for p in profiles.values()], [limits(s) for s in scenarios.values()]

    def decide(estimator: Exact | MonteCarlo) -> object:
        return Pipeline(
            selectors=SELECTORS, estimator=estimator, models=profiles, scenarios=scenarios, registry=registry
        ).run()

    runs: dict[str, tuple[Callable[[], object], int]] = {
        "Exact": (lambda: decide(Exact()), 20),
        "nested Monte Carlo": (lambda: decide(MonteCarlo(trials=TRIALS, seed=SEED)), 20),
        "the authors' procedure": (
            lambda: authors_procedure(list(profiles.values()), list(scenarios.values())),
            5,
        ),
        "baseline 2 (9 simulations)": (lambda: baseline_2(models, allowed), 1),
        "baseline 1 (108 simulations)": (lambda: baseline_1(models, allowed), 1),
    }
    runs["the normals of nested Monte Carlo"] = (normals, 20)
    decide(Exact())  # imports pymoo and scipy
    taken = {what: seconds(run, times) for what, (run, times) in runs.items()}

    cells = len(models) * len(allowed)
    print(f"{cells} cells x {len(SELECTORS)} selectors")
    print(f"Python {platform.python_version()}, NumPy {np.__version__}\n")
    print(f"{'':34} {'runs':>5} {'seconds':>9} {'x baseline 1':>13} {'required':>9} {'x baseline 2':>13}")
    one, two = taken["baseline 1 (108 simulations)"], taken["baseline 2 (9 simulations)"]
    for what, spent in reversed(taken.items()):
        required = f">= {REQUIRED[what]}" if what in REQUIRED else "-"
        print(f"{what:34} {runs[what][1]:5} {spent:9.4f} {one / spent:13.1f} {required:>9} {two / spent:13.1f}")


if __name__ == "__main__":
    main()
