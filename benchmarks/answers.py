"""What an answer is worth on other questions: regret, and broken budgets (docs/calibration.md).

Runs of Epoch AI on GPQA Diamond with a price (the folder that MOO_INFER_DATA names): one call, and votes of 1 to n, on
99 questions drawn with replacement, scored on all 198, under 24 budgets of dollars and seconds::

    python benchmarks/answers.py 50
"""

import os
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from calibration import runs  # type: ignore[import-not-found]  # the script beside this one

from moo_infer import ModelProfile, Pipeline, Scenario
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.quantities.samples import Samples

BUDGETS = [(c, s) for c in np.geomspace(0.003, 1, 6) for s in np.geomspace(30, 1000, 4)]
QUESTIONS = 99
RULES = ("cheapest-within", "utopia", "max-accuracy")


def drawn(log: Samples, times: dict[str, int]) -> Samples:
    """The log of questions that were drawn, some of them several times."""
    rows, question = [], []
    names: list[str] = []
    for i, name in enumerate(log.questions):
        for copy in range(times.get(name, 0)):
            mine = np.flatnonzero(log.question == i)
            rows.append(mine)
            question.append(np.full(len(mine), len(names)))
            names.append(f"{name}#{copy}")
    chosen = np.concatenate(rows)
    columns = {name: column[chosen] for name, column in log.columns.items()}
    return Samples(log.model, names, np.concatenate(question), log.correct[chosen], columns)


def models(logs: list[Samples]) -> list[ModelProfile]:
    return [ModelProfile(log.model, Empirical(log), (LoggedCost(), LoggedLatency())) for log in logs]


def main(draws: int) -> None:
    every = runs(Path(os.environ["MOO_INFER_DATA"], "epoch_gpqa"))
    logs = [run for run in every if all(run.scored.known(name).all() for name in ("cost_usd", "latency_s"))]
    scenarios = [Scenario(f"{c:.3g} {s:.3g}", max={"cost": c, "latency": s}) for c, s in BUDGETS]
    whole = Pipeline(k_max=16).candidates(models(logs))
    place = {(*whole.curve(i).label, int(whole.k[i])): i for i in range(len(whole))}
    accuracy, names = whole.column("accuracy"), sorted({name for log in logs for name in log.questions})
    best = {s.name: accuracy[whole.met(s.limits)].max(initial=-1.0) for s in scenarios}
    found: dict[tuple[str, float | None], list[tuple[float, bool]]] = defaultdict(list)
    rng = np.random.default_rng(0)
    for _ in range(draws):
        asked = rng.choice(names, QUESTIONS)
        times = {name: int(count) for name, count in zip(*np.unique(asked, return_counts=True), strict=True)}
        some = models([drawn(log, times) for log in logs])
        for aggregators, confidence in ((None, None), (None, 0.8), ("one-call", None)):
            pipeline = Pipeline(aggregators, RULES, k_max=16, confidence=confidence, draws=200)
            report = pipeline.run(some, scenarios)
            for choice in report.recommended:
                row = place.get((str(choice.model), str(choice.aggregator), choice.k or 0))
                if row is None or best[choice.scenario] < 0:
                    continue
                limits = report.outcome(choice.scenario).scenario.limits
                kept = all(limit.excess(whole.column(limit.objective))[row] <= 0 for limit in limits)
                rule = choice.selector if aggregators is None else f"{choice.selector}, {aggregators}"
                found[rule, confidence].append((best[choice.scenario] - accuracy[row], kept))
    print(f"{len(logs)} runs, {draws} draws of {QUESTIONS} questions, {len(BUDGETS)} budgets")
    print(
        "selector                    confidence   decisions   mean regret of those that keep it, points   budget broken"
    )
    for (selector, confidence), tally in found.items():
        regret, kept = np.array(tally).T
        shown = "means" if confidence is None else f"{confidence:g}"
        mean, broken = 100 * regret[kept == 1].mean(), 100 * (1 - kept.mean())
        print(f"{selector:27} {shown:10} {len(kept):11} {mean:28.2f} points {broken:13.1f} %")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
