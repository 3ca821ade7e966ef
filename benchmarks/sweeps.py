"""How long a sweep takes with one worker and with two, whose results are the same to the byte.

The sweep: budgets and policies over models with logs of QUESTIONS questions and 16 samples of each, with DRAWS draws of
the questions at every point. Wall-clock seconds of whole commands. The target is 1.7 times as fast with two workers, on
two cores that nobody else uses. To repeat:

    python benchmarks/sweeps.py [--dask] [MODELS QUESTIONS DRAWS]
"""

import argparse
import io
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import polars as pl
import yaml

from moo_infer.cli.app import run

BUDGETS, POLICIES = 40, ("fixed:k=2", "fixed:k=3", "fixed:k=4", "two-then-more:k=6")
COLUMNS = ("model", "question_id", "sample", "correct", "answer", "input_tokens", "output_tokens", "cost_usd")


def log(models: int, questions: int) -> pl.DataFrame:
    """Answers of some models to the same questions, each with a difficulty of its own."""
    rng = np.random.default_rng(0)
    difficulty = rng.normal(size=questions)
    rows = []
    for model in range(models):
        right = rng.random((questions, 16)) < 1 / (1 + np.exp(-(difficulty[:, None] + 0.2 * model)))
        wrong = rng.integers(3, size=right.shape)
        for question in range(questions):
            for sample in range(16):
                correct = bool(right[question, sample])
                answer = "right" if correct else f"wrong{wrong[question, sample]}"
                tokens = int(300 * rng.lognormal(0, 0.5))
                cost = 1e-6 * (1 + model) * tokens
                rows.append((f"m{model}", f"q{question}", sample, int(correct), answer, 100, tokens, cost))
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def seconds(*arguments: object) -> float:
    start = time.perf_counter()
    with redirect_stdout(io.StringIO()):
        code = run([*map(str, arguments), "--quiet"])
    if code:
        raise SystemExit(code)
    return time.perf_counter() - start


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def sweep_of(folder: Path, models: int, questions: int, draws: int) -> Path:
    """The file of a sweep in `folder`, beside its models."""
    log(models, questions).write_csv(folder / "log.csv")
    seconds("calibrate", folder / "log.csv", "--out", folder / "models.yaml")
    sweep = {
        "run": {"models": "models.yaml", "stability": draws},
        "grid": {"policy": [*POLICIES], "max_cost": np.geomspace(3e-4, 1e-2, BUDGETS).round(6).tolist()},
    }
    file = folder / "sweep.yaml"
    file.write_text(yaml.safe_dump(sweep))
    return file


def compare(file: Path, workers: dict[str, str]) -> None:
    """Print the seconds with each of the named workers, and whether the results are those of the first."""
    alone = 0.0
    results: list[dict[str, bytes]] = []
    for name, asked in workers.items():
        out = file.with_name(f"results{len(results)}")
        taken = seconds("sweep", file, "--out", out, "--workers", asked)
        alone = alone or taken
        results.append(content(out))
        same = "the same" if results[-1] == results[0] else "DIFFERENT"
        print(f"{name}: {taken:.1f} s, {alone / taken:.2f} times as fast, the results {same}")


def main(dask: bool, models: int = 4, questions: int = 100, draws: int = 1000) -> None:
    with tempfile.TemporaryDirectory() as place:
        file = sweep_of(Path(place), models, questions, draws)
        workers = {"one process": "1", "two processes": "2"}
        if not dask:
            compare(file, workers)
            return
        from distributed import LocalCluster

        with LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
            compare(file, workers | {"two of Dask": cluster.scheduler_address.replace("tcp", "dask")})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--dask", action="store_true")
    parser.add_argument("sizes", type=int, nargs="*")
    wanted = parser.parse_args()
    main(wanted.dask, *wanted.sizes)
