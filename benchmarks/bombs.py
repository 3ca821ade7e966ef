"""Files that are small on disk and large once they are read: seconds and memory of the refusal, beside an ordinary run.

python benchmarks/bombs.py
"""

import gzip
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl

LOG = str(Path(__file__).parent.parent / "examples" / "log.csv")
MIB = 2**20
LEVELS = "".join(f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 9)}]\n" for i in range(1, 9))
ALIASES = f"l0: &l0 [x, x]\n{LEVELS}"
MODEL = "inference: {kind: gaussian, tokens_in_mean: 1, tokens_in_std: 0, tokens_out_mean: 1, tokens_out_std: 0}"
YAML = {
    "models": "models: *l8\n",
    "a model": "models: {a: *l8}\n",
    "costs": f"models: {{a: {{{MODEL}, costs: *l8}}}}\n",
    "a number": "models: {a: {inference: {kind: gaussian, tokens_in_mean: *l8}, costs: []}}\n",
    "shares": "models: {a: {inference: {kind: difficulty-classes, shares: *l8}, costs: []}}\n",
    "source": f"models: {{a: {{{MODEL}, costs: [], source: *l8}}}}\n",
}


def archive(path: Path, size: int) -> Path:
    """A log of inspect_ai whose one sample is `size` bytes of empty lists."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        file.writestr("header.json", '{"version": 2, "status": "success", "eval": {"model": "m", "task": "t"}}')
        with file.open("samples/a_epoch_1.json", "w") as sample:  # piece by piece: children begin as large as this is
            sample.write(b'{"id": "a", "epoch": 1, "x": [')
            for _ in range(size // MIB):
                sample.write(b"[]," * (MIB // 3))
            sample.write(b"[]]}")
    return path


def parquet_bombs() -> dict[str, dict[str, pl.Expr]]:
    """Columns of 20,000 rows with texts of 1.2 GB."""
    i, text = pl.int_range(20_000), pl.lit("x" * 60_000)
    usual = {"model": pl.lit("m"), "question_id": (i // 4).cast(pl.String), "sample": i % 4 + 1, "correct": i % 2}
    return {
        "one answer": usual | {"answer": text},
        "one question": usual | {"question_id": text, "sample": i},
        "many answers": usual | {"answer": i.cast(pl.String) + text},
    }


def write_parquet_bomb(name: str, path: Path) -> None:
    pl.select(i=pl.int_range(20_000)).select(**parquet_bombs()[name]).write_parquet(path)


def bombs(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Names and command lines."""
    for name, text in YAML.items():
        path = folder / f"{name}.yaml"
        path.write_text(ALIASES + text)
        yield f"YAML aliases in {name}", ["recommend", "--models", str(path)]
    (folder / "prices.yaml").write_text(ALIASES + "acme/small: *l8\n")
    yield "YAML aliases in prices", ["calibrate", LOG, "--prices", str(folder / "prices.yaml")]
    (folder / "itself.yaml").write_text("models: &a {b: *a}\n")
    yield "YAML that contains itself", ["recommend", "--models", str(folder / "itself.yaml")]
    yield ".eval of 300 MB", ["calibrate", str(archive(folder / "log.eval", 300 * MIB))]
    record = b'{"model": "m", "question_id": "q", "sample": 1, "correct": 1, "answer": "' + b"x" * 200 + b'"}\n'
    with gzip.open(folder / "log.jsonl.gz", "wb") as zipped:
        for _ in range(4 * 1024):
            zipped.write(record * (MIB // len(record)))
    yield (
        f".jsonl.gz of 4 GiB ({(folder / 'log.jsonl.gz').stat().st_size / 1e6:.0f} MB)",
        [
            "calibrate",
            str(folder / "log.jsonl.gz"),
        ],
    )
    for name in parquet_bombs():
        path = folder / f"{name}.parquet"
        # In a process of its own: what is started later counts the memory that this one has as its own.
        writer = multiprocessing.get_context("spawn").Process(target=write_parquet_bomb, args=(name, path))
        writer.start()
        writer.join()
        yield f".parquet, {name} ({path.stat().st_size / 1e6:.2f} MB)", ["calibrate", str(path)]
    for name, begins in (("csv", b"model,question_id,sample,correct\n"), ("jsonl", b'{"model": "')):
        with (folder / f"line.{name}").open("wb") as file:
            file.write(begins)
            file.truncate(2**30)
        yield f".{name} of one line of 1 GiB", ["calibrate", str(folder / f"line.{name}")]


def run(words: list[str]) -> tuple[int, str, float, float]:
    """Exit code, last line of standard error, seconds and MiB."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "moo_infer", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    said = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, said.strip().split("\n")[-1], time.perf_counter() - start, used.ru_maxrss / 1024


def main() -> None:
    """Print a line for each."""
    with tempfile.TemporaryDirectory() as name:
        ordinary = {"recommend": run(["models"]), "calibrate": run(["calibrate", LOG, "--bootstrap", "2"])}
        for command, (_, _, seconds, mib) in ordinary.items():
            print(f"{command} on an ordinary file: {seconds:.1f} s, {mib:.0f} MiB")
        for what, words in bombs(Path(name)):
            code, said, seconds, mib = run(words)
            more = mib - ordinary[words[0]][3]
            print(f"{what}: exit {code}, {seconds:.1f} s, {more:+.0f} MiB: {said.replace(name, ''):.110}")


if __name__ == "__main__":
    main()
