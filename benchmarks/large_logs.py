"""How much memory `calibrate --stream` takes for a log larger than memory, and how long.

Writes a Parquet of 100 models x 10,000 questions x 100 samples, sorted by question and not by model, with answers,
tokens and seconds, and calibrates it in a process of its own, whose largest resident memory is printed. The target is
1 GiB for 1e8 rows; 1.09 GiB and 607 s were seen on two cores. To repeat:

    python benchmarks/large_logs.py --rows 1e8
    python benchmarks/large_logs.py --rows 1e6 --whole     # beside it, the same log read whole
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

MODELS, SAMPLES, GROUPS, K_MAX, ANSWERS = 100, 100, 50, 16, 6


def part(questions: np.ndarray, rng: np.random.Generator) -> pl.DataFrame:
    """All samples of some questions: models one after the other, which is not the order of the file."""
    n = MODELS * len(questions) * SAMPLES
    chance = np.repeat(rng.beta(1.2, 1, MODELS * len(questions)), SAMPLES)
    right = rng.random(n) < chance
    tokens = rng.lognormal(6, 0.8, n).astype(np.int64)
    return pl.DataFrame(
        {
            "model": pl.Series(np.repeat(np.arange(MODELS), len(questions) * SAMPLES)).cast(pl.String),
            "question_id": pl.Series(np.tile(np.repeat(questions, SAMPLES), MODELS)).cast(pl.String),
            "sample": np.tile(np.arange(SAMPLES), MODELS * len(questions)),
            "correct": right,
            "answer": pl.Series(np.where(right, 0, rng.integers(1, ANSWERS, n))).cast(pl.String),
            "input_tokens": rng.integers(50, 900, n),
            "output_tokens": tokens,
            "latency_s": 0.3 + 0.01 * tokens,
        }
    )


def written(file: Path, rows: int) -> int:
    """Write a log of about so many rows; return how many it has."""
    questions = max(rows // (MODELS * SAMPLES), 1)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory(dir=file.parent) as folder:
        groups = np.array_split(np.arange(questions), min(GROUPS, questions))
        for number, group in enumerate(groups):
            part(group, rng).write_parquet(Path(folder) / f"{number:03}.parquet")
        pl.concat([pl.scan_parquet(of) for of in sorted(Path(folder).iterdir())]).sink_parquet(file)
    return questions * MODELS * SAMPLES


def calibrated(file: Path, *options: str) -> tuple[list[dict[str, object]], float, float]:
    """What the command says of the models, its seconds, and those of its processors."""
    command = [sys.executable, "-m", "moo_infer", "calibrate", str(file), "--json", "--inference", "beta"]
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run([*command, "--k-max", str(K_MAX), *options], stdout=subprocess.PIPE, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(ended.stdout)["models"], time.perf_counter() - start, processor


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=float, default=1e8)
    parser.add_argument("--whole", action="store_true", help="read the same log whole too, and compare the numbers")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "log.parquet"
        rows = written(file, int(given.rows))
        print(f"{rows:,} rows, {file.stat().st_size / 2**20:,.0f} MiB")
        streamed, seconds, processor = calibrated(file, "--stream", "--out", str(Path(folder) / "profiles.yaml"))
        most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
        print(f"--stream: {len(streamed)} models, {seconds:,.0f} s ({processor:,.0f} s of processors), {most:.2f} GiB")
        if given.whole:
            whole, seconds, processor = calibrated(file)
            most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
            print(f"whole: {seconds:,.0f} s ({processor:,.0f} s of processors), {most:.2f} GiB")
            print("the same numbers" if whole == streamed else "OTHER NUMBERS")


if __name__ == "__main__":
    main()
