"""What it costs to say how sure an answer is, against the answer itself.

All 27 cells of the paper with its four selectors, in one process:

- 1000 draws of uncertain parameters (accuracy and output price of every model) against 1000 plain exact answers, each
  by a new `Pipeline` with registry, models and scenarios loaded beforehand (measured on 50, times 20);
- B = 1000 bootstrap draws of the trials of a Monte Carlo answer (M = 300 as in the paper, and the default 10,000)
  against that answer.

Seconds depend on the machine; the ratios depend on it less. It takes about half a minute. To repeat:

    python benchmarks/stability.py
"""

import time
from dataclasses import replace

from moo_infer import MonteCarlo, Pipeline, Registry, builtin_models, builtin_scenarios
from moo_infer.core.uncertainty import Uncertain
from moo_infer.paper.procedure import SELECTORS

DRAWS = 1000
ANSWERS = 50


def main() -> None:
    registry, scenarios = Registry(entry_points=False), builtin_scenarios()
    certain = builtin_models(registry)
    uncertain = {"inference.accuracy_mean": Uncertain(se=0.01), "costs[0].usd_per_output_token": Uncertain(se=1e-7)}
    models = {name: replace(profile, uncertain=uncertain) for name, profile in certain.items()}
    Pipeline(selectors=SELECTORS, models=certain, scenarios=scenarios, registry=registry).run()

    start = time.process_time()
    for _ in range(ANSWERS):
        Pipeline(selectors=SELECTORS, models=models, scenarios=scenarios, registry=registry).run()
    plain = (time.process_time() - start) * DRAWS / ANSWERS
    report = Pipeline(selectors=SELECTORS, models=models, scenarios=scenarios, registry=registry).run()
    start = time.process_time()
    report.stability(DRAWS)
    drawn = time.process_time() - start

    print(f"{'what':54}{'seconds':>9}{'ratio':>8}{'target':>9}")
    print(f"{f'{DRAWS} plain exact answers':54}{plain:9.2f}")
    print(f"{f'{DRAWS} draws of uncertain parameters':54}{drawn:9.2f}{drawn / plain:8.2f}{'<= 0.7':>9}")
    for trials in (300, 10_000):
        pipeline = Pipeline(
            selectors=SELECTORS, estimator=MonteCarlo(trials), models=certain, scenarios=scenarios, registry=registry
        )
        start = time.process_time()
        report = pipeline.run()
        answer = time.process_time() - start
        start = time.process_time()
        report.stability(DRAWS)
        bootstrap = time.process_time() - start
        print(f"{f'Monte Carlo answer, M = {trials}':54}{answer:9.3f}")
        print(f"{f'B = {DRAWS} bootstrap of it':54}{bootstrap:9.2f}{bootstrap / answer:8.1f}{'<= 40':>9}")


if __name__ == "__main__":
    main()
