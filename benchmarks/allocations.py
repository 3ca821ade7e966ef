"""How long an allocation takes: 5,000 queries with menus of 20 options each under one budget.

By prices, as the package does it, and the bound alone by linprog (HiGHS, interior points; the simplex method
takes ten times as long). The ratio depends less on the machine than the seconds do. To repeat, in about half a minute:

    python benchmarks/allocations.py
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array

from moo_infer.decide.allocate import allocate

G, N = 5000, 20
TIMES = 5  # of which the fastest counts: other work beside it only adds


def fastest(task: Callable[[], Any], times: int) -> tuple[float, Any]:
    """Return seconds of one processor, and what the task returns."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        found = task()
        seconds.append(time.process_time() - start)
    return min(seconds), found


def bound(values: Any, costs: Any, limit: float) -> float:
    """Return the value of the linear program."""
    one: Any = coo_array((np.ones(G * N), (np.repeat(np.arange(G), N), np.arange(G * N)))).tocsr()
    found = linprog(
        -values.ravel(), A_ub=costs.ravel()[None], b_ub=[limit], A_eq=one, b_eq=np.ones(G), method="highs-ipm"
    )
    return -float(found.fun or 0.0)


def main() -> None:
    """Print a line for menus at random, and one for menus on which more costs more."""
    rng = np.random.default_rng(0)
    for name in ("at random", "rising"):
        values, costs = rng.random((G, N)), rng.random((G, N))
        if name == "rising":
            values.sort(axis=1)
            costs.sort(axis=1)
        limit = 0.3 * G
        own, found = fastest(partial(allocate, values, costs, {"cost": limit}), TIMES)
        other, linear = fastest(partial(bound, values, costs, limit), 1)
        print(
            f"{name}: {own:.3f} s, linprog {other:.2f} s, {other / own:.0f} times; bounds differ by "
            f"{abs(found.bound / linear - 1):.1g}, gap {found.gap:.2g} ({found.method})"
        )


if __name__ == "__main__":
    main()
