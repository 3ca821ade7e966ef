"""From a log and prices to a decision: what moo-infer calibrate and recommend do, in Python.

Takes examples/log.csv, an invented evaluation of three models (see make_log.py), and invented prices.
"""

import tempfile
from datetime import date
from pathlib import Path

from moo_infer import Pipeline, Scenario, load_models
from moo_infer.calibrate import calibrated, find_prices, read_log, save

HERE = Path(__file__).parent


def main() -> None:
    log = read_log(HERE / "log.csv")
    day = date(2026, 1, 2)
    prices = find_prices([samples.model for samples in log.samples()], HERE / "prices.yaml", day)
    models = calibrated(log, prices, on=day)
    for model in models:
        print(f"{model.kept.model}: {model.summary.remarks()[-1]}")

    with tempfile.TemporaryDirectory() as folder:
        path, _ = save(models, Path(folder) / "profiles.yaml")
        profiles = load_models(path)
        within = Scenario("chat", max={"cost": 0.015, "latency": 30})
        print()
        print(Pipeline(models=profiles).run(None, within).with_stability(200))


if __name__ == "__main__":
    main()
