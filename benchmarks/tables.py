"""How long many models in one table and one table of many rows take, beside what they take at least.

Many models: deciding (`Pipeline.run`), text and JSON of 500, 1,000 and 2,000 of them, and the exponent between the
first and the last; beside them, one after the other, as many pipelines of 50 models each take. A large table: 1e6 rows
of three objectives, made with `Candidates.from_means`, its front and ten selectors, beside moocore's search for the
front alone.
Processor seconds of one process; parts are imported beforehand. The targets are an exponent of 1.1, and 1.5 times
moocore and 0.3 s. To repeat:

    python benchmarks/tables.py [MODELS ...]
"""

import dataclasses
import math
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice

import moocore  # type: ignore[import-untyped]  # it has no types
import numpy as np
import numpy.typing as npt

from moo_infer import ACCURACY, COST, LATENCY, Candidates, ModelProfile, Pipeline, Registry, Selector, builtin_models
from moo_infer.builtin.inference import Gaussian
from moo_infer.core.errors import NoSelection

SELECTORS = (
    "max-accuracy", "max-cube", "utopia", "knee", "knee-chord", "min-cost", "asf", "pseudo-weights", "cheapest-within",
    "weighted-sum",
)  # fmt: skip
ROWS, FEW = 10**6, 50


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def profiles(count: int) -> dict[str, ModelProfile]:
    """Models of different accuracies."""
    given, rng = builtin_models()["gpt-5"], np.random.default_rng(0)
    assert isinstance(given.inference, Gaussian)
    accuracies = rng.uniform(0.2, 0.9, count).tolist()
    return {
        f"m{i}": dataclasses.replace(
            given, name=f"m{i}", inference=dataclasses.replace(given.inference, accuracy_mean=accuracy)
        )
        for i, accuracy in enumerate(accuracies)
    }


def decide(models: Mapping[str, ModelProfile]) -> None:
    report = Pipeline(models=models).run()
    str(report)
    report.to_json()


def select(means: npt.NDArray[np.float64], registry: Registry) -> None:
    table = Candidates.from_means([COST, LATENCY, ACCURACY], means)
    for name in SELECTORS:
        try:
            registry.get(Selector, name).select(table)
        except NoSelection:
            continue


def main() -> None:
    warnings.simplefilter("ignore")
    decide(profiles(5))
    counts = [int(text) for text in sys.argv[1:]] or [500, 1000, 2000]
    taken = []
    for count in counts:
        models = profiles(count)
        taken.append(seconds(partial(decide, models)))
        print(f"{count:6d} models: {taken[-1]:6.2f} s")
    parts = [dict(islice(models.items(), start, start + FEW)) for start in range(0, count, FEW)]
    apart = sum(seconds(partial(decide, some)) for some in parts)
    exponent = math.log(taken[-1] / taken[0]) / math.log(counts[-1] / counts[0])
    print(f"exponent {exponent:.2f}; {taken[-1] / apart:.2f} x the same {count} models, {FEW} at a time")
    rng, registry = np.random.default_rng(0), Registry()
    means = rng.uniform([0.01, 0.1, 0.0], [1.0, 5.0, 1.0], (ROWS, 3))
    select(means[:1000], registry)
    losses = means * [1, 1, -1] + [0, 0, 1]
    alone = min(seconds(lambda: moocore.is_nondominated(losses)) for _ in range(3))
    all_of_it = min(seconds(lambda: select(means, registry)) for _ in range(3))
    print(f"{ROWS:.0e} rows, table, front and {len(SELECTORS)} selectors: {all_of_it:.2f} s")
    print(f"moocore's front alone: {alone:.2f} s; {(all_of_it - 0.3) / alone:.2f} x and 0.3 s")


if __name__ == "__main__":
    main()
