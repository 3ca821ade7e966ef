"""How nested Monte Carlo grows with the largest k: time per draw and peak memory should stay level.

One model (gpt-5), best-of-k, M = 1000 trials, 40 values of k in geometric steps up to 10^3, 10^4 and 10^5. A
draw is one simulated inference (two token counts and an accuracy), so there are M x k_max of them. Time is
the best of five runs; memory is the peak of what Python and NumPy allocate, traced in a run of its own, as
tracing costs time. The target is that the largest and the smallest of a column differ by no more than 30 %.
Exact on the same grids is shown for comparison: it draws nothing. It takes about a minute. To repeat:

    python benchmarks/growth.py
"""

import platform
import time
import tracemalloc

import numpy as np
import numpy.typing as npt

from moo_infer import Exact, ModelProfile, MonteCarlo, Pipeline, Registry, builtin_models

MODEL, TRIALS, SIZE, RUNS = "gpt-5", 1000, 40, 5
K_MAX = (10**3, 10**4, 10**5)
REGISTRY = Registry(entry_points=False)


def grid(k_max: int) -> npt.NDArray[np.int64]:
    """Return `SIZE` different k: the coarsest geometric steps that leave so many after rounding."""
    steps = SIZE
    while True:
        k = np.unique(np.rint(np.geomspace(1, k_max, steps)).astype(np.int64))
        if len(k) >= SIZE:
            return k
        steps += 1


def estimate(profile: ModelProfile, estimator: Exact | MonteCarlo, k: npt.NDArray[np.int64]) -> None:
    Pipeline("best-of-k", "max-accuracy", estimator, k=k, registry=REGISTRY).candidates(profile)


def seconds(profile: ModelProfile, estimator: Exact | MonteCarlo, k: npt.NDArray[np.int64]) -> float:
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        estimate(profile, estimator, k)
        taken.append(time.perf_counter() - start)
    return min(taken)


def peak(profile: ModelProfile, estimator: Exact | MonteCarlo, k: npt.NDArray[np.int64]) -> float:
    """Return the peak in MiB."""
    tracemalloc.start()
    estimate(profile, estimator, k)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 2**20


def main() -> None:
    profile, grids = builtin_models(REGISTRY)[MODEL], [grid(k_max) for k_max in K_MAX]
    simulation, exact = MonteCarlo(trials=TRIALS, seed=42), Exact()
    for estimator in (simulation, exact):  # imports, and memory that is asked for the first time
        estimate(profile, estimator, grids[0])

    print(f"{MODEL}, best-of-k, M = {TRIALS}; Python {platform.python_version()}, NumPy {np.__version__}\n")
    print("Nested Monte Carlo")
    print(f"{'k_max':>8} {'values of k':>12} {'draws':>12} {'seconds':>9} {'ns per draw':>12} {'peak MiB':>9}")
    times, peaks = [], []
    for k_max, k in zip(K_MAX, grids, strict=True):
        draws = TRIALS * k_max
        taken = seconds(profile, simulation, k)
        times.append(taken / draws * 1e9)
        peaks.append(peak(profile, simulation, k))
        print(f"{k_max:8} {len(k):12} {draws:12} {taken:9.3f} {times[-1]:12.1f} {peaks[-1]:9.1f}")
    ratios = [max(values) / min(values) for values in (times, peaks)]
    print(f"{'largest / smallest (target <= 1.30)':>44} {ratios[0]:12.2f} {ratios[1]:9.2f}")

    print("\nExact")
    print(f"{'k_max':>8} {'values of k':>12} {'seconds':>9} {'peak MiB':>9}")
    for k_max, k in zip(K_MAX, grids, strict=True):
        print(f"{k_max:8} {len(k):12} {seconds(profile, exact, k):9.4f} {peak(profile, exact, k):9.1f}")


if __name__ == "__main__":
    main()
