"""Kills commands at random moments while they write over an older result: what is left must be the old one or the new.

Moments lie within the whole run, or with ``--late`` within its last part, where files are written. Commands run in
forks of a process that has loaded the package, so that what is killed is work and not imports. Takes a minute::

    python benchmarks/kills.py [--kills 25] [--seed 0] [--late]
"""

import argparse
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path

import yaml

LOG = Path(__file__).parent.parent / "examples" / "log.csv"
RUNS = "".join(
    f"{c},100,{50 + 7 * i},0.1,{0.1 + 0.01 * (50 + 7 * i) * (1 + c / 50)}\n" for c in (1, 4, 16) for i in range(9)
)
SMALL = ["recommend", "--scenario", "essay-feedback", "--model", "gpt-5", "--k-max", "12"]
FORKS = multiprocessing.get_context("forkserver")
LOADED = [
    *("moo_infer.cli", "moo_infer.calibrate", "moo_infer.plot.files", "moo_infer.report.html"),
    *("jinja2", "polars", "pydantic", "rich.console", "scipy.optimize"),
]
LATE = 0.85  # share of a run after which it writes


def commands(folder: Path) -> dict[str, tuple[list[str], list[str], Path]]:
    """By name: what makes the old result, what makes the new one, and where both are written."""
    for name, runs in (("runs.csv", RUNS), ("fewer.csv", RUNS[: RUNS.rindex("16,100,106")])):
        (folder / name).write_text("concurrency,input_tokens,output_tokens,ttft_s,latency_s\n" + runs)
    calibrate = ["calibrate", str(LOG), "--bootstrap", "2", "--out", str(folder / "p.yaml")]
    fit, out = ["fit-latency", str(folder / "runs.csv")], ["--out", str(folder / "fit.yaml")]
    html, plot = [*SMALL, "--out", str(folder / "r.html")], [*SMALL, "--plot", str(folder / "pictures")]
    longer = [word if word != "12" else "16" for word in SMALL]
    return {
        "calibrate --out": ([*calibrate, "--model", "acme/small"], calibrate, folder / "p.yaml"),
        "recommend --out": ([*longer, *html[len(SMALL) :]], html, folder / "r.html"),
        "recommend --plot": ([*longer, *plot[len(SMALL) :]], plot, folder / "pictures"),
        "fit-latency --out": (["fit-latency", str(folder / "fewer.csv"), *out], [*fit, *out], folder / "fit.yaml"),
    }


def state(place: Path) -> object:
    """All that a result is: a file, with the samples that it names, or the files of a folder."""
    if place.is_dir():
        return {path.name: path.read_bytes() for path in place.iterdir()}
    text = place.read_bytes()
    if place.name != "p.yaml":
        return text
    samples = {model["inference"]["samples"] for model in yaml.safe_load(text)["models"].values()}
    return text, {name: (place.parent / name).read_bytes() for name in samples}


def run_silently(words: list[str]) -> None:
    """Run a command line in this process, which ends with it."""
    from moo_infer.cli import run

    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    sys.exit(run(words))


def started(words: list[str]) -> BaseProcess:
    """Start a command line."""
    FORKS.set_forkserver_preload(LOADED)
    process = FORKS.Process(target=run_silently, args=(words,))
    process.start()
    return process


def finished(words: list[str], place: Path) -> object:
    """Run a command line to its end and return what it wrote."""
    process = started(words)
    process.join()
    if process.exitcode:
        raise SystemExit(f"exit {process.exitcode}: {' '.join(words)}")
    return state(place)


def killed(old: list[str], new: list[str], place: Path, moments: list[float]) -> Counter[str]:
    """Count what is left by kills at these shares of the seconds that a run takes.

    The older result is made once; before each kill its folder is put back as it was.
    """
    folder = place.parent
    results = {"new": finished(new, place)}
    start = time.perf_counter()
    results["old"] = finished(old, place)
    took = time.perf_counter() - start
    left: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        before = shutil.copytree(folder, Path(name) / "before")
        for moment in moments:
            process = started(new)
            time.sleep(took * moment)
            process.kill()
            process.join()
            found = state(place)
            what = next((name for name, result in results.items() if result == found), "neither")
            left[what] += 1
            shutil.rmtree(folder)
            shutil.copytree(before, folder)
    return left


def main() -> None:
    """Print a line for each command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--late", action="store_true")
    given = parser.parse_args()
    rng = random.Random(given.seed)
    with tempfile.TemporaryDirectory() as name:
        for what, (old, new, place) in commands(Path(name)).items():
            moments = [rng.uniform(LATE if given.late else 0.0, 1.1) for _ in range(given.kills)]
            left = killed(old, new, place, moments)
            print(
                f"{what}: old {left['old']}, new {left['new']}, neither {left['neither']} of {given.kills}", flush=True
            )


if __name__ == "__main__":
    main()
