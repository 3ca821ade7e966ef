"""What simulating `slots` costs beside drawing the lengths of its calls, and the slowest of k by quadrature.

M = 10,000 trials of 128 calls, lognormal lengths with a coefficient of variation of 0.5; the total of the first k for
every k to 128. The target is at most 30 times the time to draw the lengths, whatever the number of slots. Best of five
runs. It takes a few seconds. To repeat:

    python benchmarks/latency.py
"""

import math
import platform
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from moo_infer.builtin.latencies import scheduled
from moo_infer.quantities.largest import largest
from moo_infer.quantities.laws import ClippedNormal

M, K, RUNS, TARGET = 10_000, 128, 5, 30
SIGMA = math.sqrt(math.log1p(0.5**2))


def seconds(run: Callable[[], object]) -> float:
    taken = []
    for _ in range(RUNS):
        start = time.perf_counter()
        run()
        taken.append(time.perf_counter() - start)
    return min(taken)


def main() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.lognormal(-(SIGMA**2) / 2, SIGMA, (M, K))
    draw = seconds(lambda: rng.lognormal(-(SIGMA**2) / 2, SIGMA, (M, K)))
    print(f"M = {M}, k = 1 to {K}; Python {platform.python_version()}, NumPy {np.__version__}\n")
    print(f"{'':32} {'seconds':>9} {'x drawing':>10}")
    print(f"{'drawing the lengths':32} {draw:9.4f} {1:10.1f}")
    for slots in (1, 4, 16, 64):
        taken = seconds(partial(scheduled, lengths, slots))
        print(f"{f'slots, P = {slots} (target <= {TARGET})':32} {taken:9.4f} {taken / draw:10.1f}")
    exact = seconds(lambda: largest(ClippedNormal(1.0, 0.2), np.arange(1, K + 1)))
    print(f"{'slowest of k by quadrature':32} {exact:9.4f} {exact / draw:10.1f}")


if __name__ == "__main__":
    main()
