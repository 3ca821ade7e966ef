"""How long a sweep takes with one worker and with two, whose results are the same to the byte.

The sweep: budgets and policies over models with logs of QUESTIONS questions and 16 samples of each, with DRAWS draws of
the questions at every point. Wall-clock seconds of whole commands. The target is 1.7 times as fast with two workers, on
two cores that nobody else uses. To repeat:

    python benchmarks/sweeps.py [MODELS QUESTIONS DRAWS]
"""

import io
import sys
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


def main(models: int = 4, questions: int = 100, draws: int = 200) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        log(models, questions).write_csv(folder / "log.csv")
        seconds("calibrate", folder / "log.csv", "--out", folder / "models.yaml")
        budgets = np.geomspace(3e-4, 1e-2, BUDGETS).round(6).tolist()
        sweep = {
            "run": {"models": "models.yaml", "stability": draws},
            "grid": {"policy": [*POLICIES], "max_cost": budgets},
        }
        (folder / "sweep.yaml").write_text(yaml.safe_dump(sweep))
        taken = {}
        for workers in (1, 2):
            out = folder / f"results{workers}"
            taken[workers] = seconds("sweep", folder / "sweep.yaml", "--out", out, "--workers", workers)
            print(f"{workers} worker{'s' * (workers > 1)}: {taken[workers]:.1f} s")
        same = content(folder / "results1") == content(folder / "results2")
        print(f"{taken[1] / taken[2]:.2f} times as fast with two, the results {'the same' if same else 'DIFFERENT'}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
