"""What policies are worth against the vote of eight, and cascades against a random mixture (docs/policies.md).

Runs of Epoch AI on GPQA Diamond (the folder that MOO_INFER_DATA names) with a price, tokens and seconds, all 198
questions with 8 scored samples, and at least 90 % answered: 22 runs. Takes about five minutes::

    python benchmarks/policies.py            # all parts
    python benchmarks/policies.py votes      # votes that are cut short, against the vote of 8 of the same run
    python benchmarks/policies.py cascades   # two of the cheap model agree, or one call of the dear one
    python benchmarks/policies.py menu       # the choice among the menu, cross-fitted

A point is 1 % of accuracy. Intervals hold 95 % of 2,000 draws of other questions (Bayesian bootstrap), which all runs
share. Cascades are compared on the half of the questions on which they were not tuned, over 20 halves: the mixture has
the cheap model's and the dear one's votes of 1 to 8 and spends as much as the cascade on the other half; what the two
spend differently here is made good at the price of accuracy that the mixture has there.
"""

import os
import sys
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import numpy as np
from calibration import runs  # type: ignore[import-not-found]  # the script beside this one
from mixtures import complete  # type: ignore[import-not-found]  # likewise

from moo_infer import ModelProfile, Pipeline, Registry, Scenario
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.builtin.stages import Cascade, Stage
from moo_infer.core.arrays import FloatArray
from moo_infer.estimate.rows import Statistics
from moo_infer.policy.deployment import Deployment
from moo_infer.policy.exact import evaluated
from moo_infer.quantities.bootstrap import question_weights

SAMPLES, DRAWS, HALVES = 8, 2000, 20
VOTES = {
    "waves 5, 3, until decided": "vote-until-decided:k=8",
    "waves 4, 4, until decided": "vote-until-decided:k=8,waves=[4, 4]",
    "as they come, until decided": "vote-until-decided:k=8,arrivals=true",
    "two, then six if they differ": "two-then-more:k=8",
    "adaptive consistency .95": "adaptive-consistency:k=8",
    "adaptive consistency .95, waves 3, 1": "adaptive-consistency:k=8,waves=[3, 1]",
    "windows of 4": "windows:window=4,k=8",
}
RATIOS = (3.0, 8.0, 15.0, np.inf)  # of the mean prices of a call
REGISTRY = Registry(entry_points=False)


def profiles() -> dict[str, ModelProfile]:
    """The 22 runs."""
    logs = [log for log in runs(Path(os.environ["MOO_INFER_DATA"], "epoch_gpqa")) if complete(log)]
    return {log.model: ModelProfile(log.model, Empirical(log), (LoggedCost(), LoggedLatency())) for log in logs}


def votes(models: dict[str, ModelProfile]) -> None:
    """Votes that are cut short, against the vote of eight."""
    print(f"{'policy':38} accuracy, points        calls  money  seconds  p95 seconds, of the vote of 8")
    table = Pipeline("plurality-vote", k=[SAMPLES], models=models, policies=[*VOTES.values()]).candidates()
    names = sorted({question for profile in models.values() for question in profile.queries.questions})
    weights = question_weights(names, DRAWS, 0)
    whole = {name: next(i for i, m in enumerate(table.model) if m == name) for name in models}
    for label, text in VOTES.items():
        gains, ratios = [], []
        for i in range(len(table)):
            course = table.curve(i).course(int(table.k[i]))
            if course is None or course.policy != text:
                continue
            row, vote = table.row(i).objectives, table.row(whole[table.model[i]]).objectives
            gains.append(_by_question(row["accuracy"]) - _by_question(vote["accuracy"]))
            tail = row["latency"].quantile(0.95) / vote["latency"].quantile(0.95)
            ratios.append((course.calls[0], *(row[o].mean / vote[o].mean for o in ("cost", "latency")), tail))
        mean = np.mean(gains, axis=0)
        low, high = np.quantile(weights @ mean, [0.025, 0.975])
        calls, money, seconds, tail = np.mean(ratios, axis=0)
        gain = f"{100 * mean.mean():+6.2f} [{100 * low:+.2f}, {100 * high:+.2f}]"
        print(f"{label:38} {gain:22} {calls:5.2f} {money:6.2f} {seconds:8.2f} {tail:12.2f}")


def cascades(models: dict[str, ModelProfile]) -> None:
    """Cascades on the agreement of two, against random mixtures that spend as much."""
    static = {name: _votes(profile) for name, profile in models.items()}
    call = {name: float(of["cost"][:, 0].mean()) for name, of in static.items()}
    names = sorted({question for profile in models.values() for question in profile.queries.questions})
    rng = np.random.default_rng(0)
    halves = [rng.permutation(len(names)) < len(names) // 2 for _ in range(HALVES)]
    found: dict[int, list[FloatArray]] = {}
    slower: dict[int, list[float]] = {}
    for cheap, dear in permutations(models, 2):
        ratio, better = call[dear] / call[cheap], static[dear]["accuracy"][:, 0] - static[cheap]["accuracy"][:, 0]
        if ratio < RATIOS[0] or better.mean() <= 0:
            continue
        which = int(np.searchsorted(RATIOS, ratio, side="right")) - 1
        own = evaluated(Deployment.of(Cascade(Stage(cheap, 2), Stage(dear)), models, None, REGISTRY))
        order = np.argsort(own.questions)
        accuracy, cost, seconds = (own.mean[name][order] for name in ("accuracy", "cost", "latency"))
        rows = [np.concatenate([static[m][name] for m in (cheap, dear)], axis=1) for name in ("accuracy", "cost")]
        gains = []
        for half in halves:
            for tuned in (half, ~half):
                weights, price = _mixed(rows[0][tuned].mean(axis=0), rows[1][tuned].mean(axis=0), cost[tuned].mean())
                spent = cost[~tuned].mean() - rows[1][~tuned].mean(axis=0) @ weights
                gains.append(accuracy[~tuned].mean() - rows[0][~tuned].mean(axis=0) @ weights - price * spent)
        found.setdefault(which, []).append(np.array(gains))
        # The mixture that spends as much, on all questions.
        weights, _ = _mixed(rows[0].mean(axis=0), rows[1].mean(axis=0), cost.mean())
        both = np.concatenate([static[m]["latency"] for m in (cheap, dear)], axis=1)
        slower.setdefault(which, []).append(float(seconds.mean() / (both.mean(axis=0) @ weights)))
    print("price ratio   pairs   points over the mixture at equal money   of pairs, better   seconds of the mixture's")
    for which, gains in sorted(found.items()):
        each = 100 * np.stack(gains).mean(axis=1)
        label = f"{RATIOS[which]:g} to {RATIOS[which + 1]:g}"
        print(
            f"{label:11} {len(each):7} {each.mean():+12.2f}, from {each.min():+.2f} to {each.max():+.2f}"
            f"{100 * (each > 0).mean():17.0f} % {np.mean(slower[which]):18.2f}"
        )


def _votes(profile: ModelProfile) -> dict[str, FloatArray]:
    """(Q, 8) means of votes of 1 to 8, questions in the order of their names."""
    table = Pipeline("plurality-vote", k_max=SAMPLES, models={profile.name: profile}).candidates()
    rows = [table.row(i).objectives for i in range(len(table))]
    return {
        name: np.stack([_by_question(row[name]) for row in rows], axis=1) for name in ("accuracy", "cost", "latency")
    }


def _by_question(statistics: Statistics) -> FloatArray:
    """(Q,) means, questions in the order of their names."""
    known = statistics.by_question or {}
    return np.array([known[question] for question in sorted(known)])


def _price(profile: ModelProfile) -> float:
    """Mean USD of a call."""
    samples = profile.queries.samples
    assert samples is not None
    return float(samples["cost_usd"].mean())


def _mixed(accuracy: FloatArray, cost: FloatArray, budget: float) -> tuple[FloatArray, float]:
    """The weights of the best mixture within a budget, a point of the upper hull of the rows, and its slope there."""
    weights, hull = np.zeros(len(cost)), [int(np.lexsort((-accuracy, cost))[0])]
    while True:
        at = hull[-1]
        further = np.flatnonzero((cost > cost[at]) & (accuracy > accuracy[at]))
        if not len(further):
            break
        slopes = (accuracy[further] - accuracy[at]) / (cost[further] - cost[at])
        hull.append(int(further[np.argmax(slopes)]))
        if cost[hull[-1]] > budget:
            share = (budget - cost[at]) / (cost[hull[-1]] - cost[at])
            weights[[at, hull[-1]]] = 1 - share, share
            return weights, float(slopes.max())
    weights[hull[-1]] = 1.0
    return weights, 0.0


def menu(models: dict[str, ModelProfile]) -> None:
    """The choice among the menu under limits on the cost, of pools of three runs as in benchmarks/mixtures.py."""
    ordered = sorted(models.values(), key=_price)
    print("pool   limit, USD   chosen on all                        accuracy   optimism, points   limit broken")
    for i, pool in enumerate(_pools(ordered)):
        calls = [_price(m) for m in pool]
        for budget in np.geomspace(1.5 * min(calls), max(calls), 3):
            scenario = Scenario("s", {"cost": float(budget)}, {})
            own = {m.name: m for m in pool}
            report = Pipeline("plurality-vote", "max-accuracy", k=range(1, 9), models=own, policies="menu").run(
                scenarios=scenario
            )
            (outcome,) = report.outcomes
            choice, optimism = report["max-accuracy"], outcome.optimism
            assert optimism
            way = choice.course.policy if choice.course else f"{choice.aggregator} k = {choice.k}"
            print(
                f"{i + 1:4} {budget:12.4f}   {way:70.70} {choice.accuracy.mean:.4f} {100 * optimism.accuracy:+12.2f}"
                f"{100 * optimism.broken:14.0f} %"
            )


def _pools(ordered: list[ModelProfile]) -> Iterator[list[ModelProfile]]:
    yield from ([ordered[i + apart] for apart in (0, 8, 15)] for i in range(5))


def main(parts: list[str]) -> None:
    models = profiles()
    print(f"{len(models)} runs")
    for part in (votes, cascades, menu):
        if not parts or part.__name__ in parts:
            print(f"\n{part.__name__}")
            part(models)


if __name__ == "__main__":
    main(sys.argv[1:])
