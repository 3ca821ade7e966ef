"""What reading a log of a million samples, and calibrating it, take beside polars reading and grouping the same file.

10 models x 1000 questions x 100 samples in Parquet, with answers, tokens and seconds. Polars alone reads the file and
counts the right samples of every model and question; `read_log` reads it, checks every value, hashes the file and looks
for duplicates, `samples` makes the arrays of every model, and pass@k is computed for every k up to 100. The target is
at most three times the time of polars alone. The same rows in another order, which have to be sorted, and as a zipped
CSV are shown for comparison. Median of 15 runs, taken in turns.

`calibrate` makes profiles of it: votes, intervals of a bootstrap of 1000 draws over questions, tokens and seconds, for
k up to 16 and 100. The target is at most six times that of polars, from which it is far, 96 and 635 times: answers are
drawn at random here, so that no two questions have the same votes, and the votes without each sample, from which the
intervals of the same questions come, take most of it. Median of 3 runs. It takes five minutes. To repeat:

    python benchmarks/logs.py
"""

import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from moo_infer import Registry
from moo_infer.calibrate import ProfileOptions, calibrated, read_log
from moo_infer.quantities.subsets import mean_pass_at_k

MODELS, QUESTIONS, SAMPLES, RUNS, TARGET = 10, 1000, 100, 15, 3
K_MAX, CALIBRATIONS, OF_CALIBRATION = (16, 100), 3, 6
ROWS = MODELS * QUESTIONS * SAMPLES
REGISTRY = Registry(entry_points=False)


def table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    tokens = rng.lognormal(7, 0.8, ROWS).astype(np.int64)
    return pl.DataFrame(
        {
            "model": np.repeat([f"maker/model-{i}" for i in range(MODELS)], QUESTIONS * SAMPLES),
            "question_id": np.tile(np.repeat([f"question-{i}" for i in range(QUESTIONS)], SAMPLES), MODELS),
            "sample": np.tile(np.arange(SAMPLES), MODELS * QUESTIONS),
            "correct": rng.random(ROWS) < 0.6,
            "answer": rng.choice(list("ABCDEFGH"), ROWS),
            "input_tokens": rng.integers(50, 900, ROWS),
            "output_tokens": tokens,
            "latency_s": 0.3 + 0.01 * tokens,
        }
    )


def alone(file: Path) -> None:
    pl.read_parquet(file).group_by("model", "question_id").agg(pl.col("correct").sum(), pl.len())


def ours(file: Path) -> None:
    log = read_log(file, registry=REGISTRY)
    for samples in log.samples():
        scored = samples.scored
        mean_pass_at_k(scored.n, scored.right, np.arange(1, SAMPLES + 1))


def calibration(file: Path, k_max: int) -> None:
    calibrated(read_log(file, registry=REGISTRY), options=ProfileOptions(k_max=k_max))


def seconds(jobs: list[Callable[[], None]], runs: int = RUNS) -> list[float]:
    """Median of several runs of each, taken in turns so that a busy machine is busy for all."""
    taken: list[list[float]] = [[] for _ in jobs]
    for _ in range(runs):
        for job, times in zip(jobs, taken, strict=True):
            start = time.perf_counter()
            job()
            times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in taken]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / name for name in ("log.parquet", "mixed.parquet", "log.csv.gz")]
        frame = table()
        frame.write_parquet(files[0])
        frame.sample(fraction=1.0, shuffle=True, seed=0).write_parquet(files[1])
        read_log(files[0], registry=REGISTRY).write(files[2])
        print(f"{ROWS} samples; Python {platform.python_version()}, polars {pl.__version__}\n")
        print(f"{'':44} {'seconds':>8} {'x polars':>9}")
        jobs: list[Callable[[], None]] = [lambda: alone(files[0]), *(partial(ours, file) for file in files)]
        taken = seconds(jobs)
        labels = (f"in order (target <= {TARGET})", "in another order", "zipped CSV")
        for label, each in zip(
            ["polars: read and group", *(f"read_log and pass@k: {of}" for of in labels)], taken, strict=True
        ):
            print(f"{label:44} {each:8.3f} {each / taken[0]:9.2f}")
        jobs = [lambda: alone(files[0]), *(partial(calibration, files[0], k) for k in K_MAX)]
        taken = seconds(jobs, CALIBRATIONS)
        for k, each in zip(K_MAX, taken[1:], strict=True):
            label = f"calibrate, k up to {k} (target <= {OF_CALIBRATION})"
            print(f"{label:44} {each:8.3f} {each / taken[0]:9.2f}")


if __name__ == "__main__":
    main()
