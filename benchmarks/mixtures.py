"""What a mixture of rows is worth against the best single row, on other questions (docs/policies.md).

Runs of Epoch AI on GPQA Diamond (the folder that MOO_INFER_DATA names) with a price, tokens and seconds, all 198
questions with 8 scored samples, and at least 90 % answered: 22 runs. Sorted by the mean cost of a call, the i-th, the
(i + 8)th and the (i + 15)th make a pool, i = 1 to 5, with votes of 1 to 8. Both are chosen on half of the questions
under a limit on the mean cost, and scored on the other half, under 8 limits from 1.05 times the cheapest call to the
dearest one::

    python benchmarks/mixtures.py 40
"""

import os
import sys
from pathlib import Path

import numpy as np
from calibration import runs  # type: ignore[import-not-found]  # the script beside this one

from moo_infer import Candidates, Limit, ModelProfile, Pipeline
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.core.arrays import FloatArray
from moo_infer.policy.mixture import mix
from moo_infer.quantities.samples import Samples

SAMPLES, BUDGETS, POOLS, APART = 8, 8, 5, (0, 8, 15)


def complete(log: Samples) -> bool:
    """Whether a run is one of the 22."""
    known = "cost_usd" in log.columns and all(log.known(name).all() for name in ("cost_usd", "latency_s"))
    return known and len(log.questions) == 198 and (log.scored.n == SAMPLES).all() and log.known("answer").mean() >= 0.9


def table(logs: list[Samples], asked: set[str]) -> Candidates:
    """Votes of 1 to 8 on some questions."""
    some = [log.where(np.isin(log.question, [i for i, q in enumerate(log.questions) if q in asked])) for log in logs]
    models = [ModelProfile(log.model, Empirical(log), (LoggedCost(), LoggedLatency())) for log in some]
    return Pipeline("plurality-vote", k_max=SAMPLES).candidates(models)


def gains(pool: list[Samples], halves: int, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    """For every half and limit: points that the mixture gains, its cost and that of the row, each over the limit."""
    names = sorted({name for log in pool for name in log.questions})
    calls = [float(log["cost_usd"].mean()) for log in pool]
    found = []
    for _ in range(halves):
        half = set(rng.permutation(names)[: len(names) // 2])
        seen, other = table(pool, half), table(pool, set(names) - half)
        for budget in np.geomspace(1.05 * min(calls), max(calls), BUDGETS):
            limits = [Limit("cost", float(budget), "max")]
            met = np.flatnonzero(seen.met(limits))
            if not len(met):
                continue
            row, mixture = met[np.argmax(seen.column("accuracy")[met])], mix(seen, limits)
            mixed = {o: mixture.weights @ other.column(o)[mixture.rows] for o in ("accuracy", "cost")}
            gain = 100 * (mixed["accuracy"] - other.column("accuracy")[row])
            found.append((gain, mixed["cost"] / budget, other.column("cost")[row] / budget))
    return found


def main(halves: int) -> None:
    logs = [log for log in runs(Path(os.environ["MOO_INFER_DATA"], "epoch_gpqa")) if complete(log)]
    logs.sort(key=lambda log: float(log["cost_usd"].mean()))
    print(f"{len(logs)} runs, {halves} halves, {BUDGETS} limits")
    print("pool   gain, points   of the limit spent: by the mixture   by the row   more than the limit: mixture   row")
    every = []
    for i in range(POOLS):
        found = np.array(gains([logs[i + apart] for apart in APART], halves, np.random.default_rng(i)))
        every.append(found)
        print(f"{i + 1:4} {line(found)}")
    print(f"mean {line(np.concatenate(every))}")
    means = [found[:, 0].mean() for found in every]
    print(f"over the pools {np.mean(means):+.2f} points, {min(means):+.1f} to {max(means):+.1f}")


def line(found: FloatArray) -> str:
    """The means of a pool."""
    gain, mixed, single = found.T
    beyond = f"{100 * (mixed > 1).mean():17.0f} % {100 * (single > 1).mean():14.0f} %"
    return f"{gain.mean():+14.2f} {100 * mixed.mean():31.0f} % {100 * single.mean():10.0f} % {beyond}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
