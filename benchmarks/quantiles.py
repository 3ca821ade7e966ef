"""What a limit on a 95 % quantile costs in draws of what is uncertain, against simulating every draw.

Ten models, each with a limit on the 95 % quantile of the seconds at k = 1 ... 16:

- logs of 200 questions with 16 samples each, all calls at once: exact, 1000 draws of the questions (target: 3 s);
- the same with four calls at a time (`slots`): every question simulated once, weighed anew in each of 1000 draws
  (target: 5 s);
- fitted profiles (`beta`, `lognormal`, `difficulty-classes`), all calls at once, lengths, prices and seconds uncertain:
  the cdf mixed over queries, 50 draws (target: 3 s);
- the same with a bill that cuts outputs at 2000 tokens, 50 draws (target: 3 s);
- the same with seconds that vary around their line (`ratios`), which are simulated in every draw, 50 draws (target:
  3 s).

Targets are those of a machine that does nothing else.

Each is timed as `recommend --stability` does it, selectors included; beside it a few of the same draws with 10,000
trials each, scaled up. Processor seconds, of one process. It takes about a minute. To repeat:

    python benchmarks/quantiles.py
"""

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from moo_infer import CostModel, Exact, ModelProfile, Pipeline, Samples, Scenario
from moo_infer.builtin.aggregators import BestOfK
from moo_infer.builtin.difficulty import Beta, DifficultyClasses
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.builtin.latencies import SlowestOfK
from moo_infer.builtin.lengths import LognormalLengths
from moo_infer.builtin.prices import ApiCost
from moo_infer.core.uncertainty import Uncertain
from moo_infer.estimate.monte_carlo import simulate
from moo_infer.estimate.setup import Setup
from moo_infer.estimate.setup_draws import SetupDraws

MODELS, QUESTIONS, SAMPLES, SIMULATED = 10, 200, 16, 3
K = np.arange(1, SAMPLES + 1)
RATIOS = tuple(np.linspace(0.6, 1.8, 20).tolist())  # of the seconds of calls and of the line


def log(i: int) -> Samples:
    """Questions that differ in difficulty and in length."""
    rng = np.random.default_rng(i)
    question = np.repeat(np.arange(QUESTIONS), SAMPLES)
    right = (rng.random(len(question)) < rng.beta(1, 1, QUESTIONS)[question]).astype(np.float64)
    seconds = rng.lognormal(1.0, 0.6, QUESTIONS)[question] * rng.lognormal(0.0, 0.3, len(question))
    columns = {"latency_s": seconds, "cost_usd": 1e-3 * seconds}
    return Samples(f"model-{i}", [f"q{j}" for j in range(QUESTIONS)], question, right, columns)


def logged(*costs: CostModel) -> list[ModelProfile]:
    return [ModelProfile(f"model-{i}", Empirical(log(i)), costs, parallelism=4) for i in range(MODELS)]


def fitted(longest: float | None = None, ratios: tuple[float, ...] = ()) -> list[ModelProfile]:
    lengths: dict[str, Any] = {
        "tokens_in_mean": 150, "tokens_in_cv": 0.38, "tokens_out_mean": 900, "tokens_out_cv_between": 0.7,
        "tokens_out_cv_within": 0.41,
    }  # fmt: skip
    models = (
        Beta(mean=0.6, concentration=2, **lengths),
        LognormalLengths(accuracy_mean=0.6, accuracy_std=0.2, **lengths),
        DifficultyClasses(shares=(0.5, 0.5), p=(0.9, 0.2), **lengths),
    )
    uncertain = {
        "inference.tokens_out_mean": Uncertain(se=40.0),
        "inference.tokens_out_cv_between": Uncertain(se=0.07),
        "inference.tokens_out_cv_within": Uncertain(se=0.018),
        "costs[1].seconds_per_output_token": Uncertain(se=1e-4),
    }
    costs = (ApiCost(5e-7, 2e-6, max_tokens=longest), SlowestOfK(2e-4, 0.0077, 0.49, ratios))
    return [ModelProfile(f"model-{i}", models[i % 3], costs, parallelism=4, uncertain=uncertain) for i in range(MODELS)]


def row(what: str, profiles: Sequence[ModelProfile], seconds: float, draws: int, target: float) -> None:
    """Print how long the draws take, and how long it would be by simulation."""
    scenario = Scenario("limited", max={"latency": {"p95": seconds}})
    models, aggregator = {p.name: p for p in profiles}, BestOfK()
    pipeline = Pipeline(models=models, aggregators=aggregator, scenarios={"limited": scenario}, k=K)
    start = time.process_time()
    pipeline.run().stability(draws)
    taken = time.process_time() - start
    start = time.process_time()
    for profile in profiles:
        drawn = SetupDraws.of(Setup(profile, aggregator, K, profile.parallelism), SIMULATED, 0, "other")
        assert drawn is not None
        for b in range(SIMULATED):
            np.quantile(simulate(drawn[b], Exact().trials, 0, ["latency"])["latency"], 0.95, axis=0)
    simulated = (time.process_time() - start) * draws / SIMULATED
    print(f"{what:40}{draws:7}{taken:10.2f}{f'<= {target:g}':>9}{simulated:12.1f}{simulated / taken:9.1f}", flush=True)


def main() -> None:
    print(f"{'what':40}{'draws':>7}{'seconds':>10}{'target':>9}{'simulated':>12}{'ratio':>9}")
    row("logs, all calls at once", logged(LoggedCost(), LoggedLatency()), 12.0, 1000, 3)
    row("logs, four calls at a time", logged(LoggedCost(), LoggedLatency("slots")), 20.0, 1000, 5)
    row("fitted profiles, all calls at once", fitted(), 25.0, 50, 3)
    row("fitted profiles, outputs cut on the bill", fitted(longest=2000), 25.0, 50, 3)
    row("fitted profiles, seconds with ratios", fitted(ratios=RATIOS), 25.0, 50, 3)


if __name__ == "__main__":
    main()
