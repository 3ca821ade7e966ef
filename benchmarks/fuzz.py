"""Feeds damaged files of all kinds to the command line, in processes of their own, and counts what goes wrong.

Takes about half an hour for 50,000 inputs on two cores::

    python benchmarks/fuzz.py [--inputs 50000] [--seed 1] [--kind NAME]
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "fixtures" / "logs"))

SLOW_S, LARGE_MIB = 5.0, 1024.0
BATCH = 100


def tried(task: tuple[str, int, int]) -> list[tuple[str, str, int]]:
    """What goes wrong with a batch of inputs of a kind: the kind, what, and the number of the input."""
    from fuzzing import KINDS, complaint, fuzzed  # type: ignore[import-not-found]  # it lies with the tests

    name, seed, start = task
    found = []
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        for number in range(start, start + BATCH):
            words = fuzzed(KINDS[name], np.random.default_rng([seed, number]), Path(folder))
            before = time.process_time()
            what = complaint(words)
            if (took := time.process_time() - before) > SLOW_S:
                what = what or f"{took:.1f} CPU s"
            if (used := resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024) > LARGE_MIB:
                what = what or f"{used:.0f} MiB"
            if what:
                found.append((name, what, number))
    return found


def main() -> None:
    """Run all and print what went wrong."""
    from fuzzing import KINDS

    parser = argparse.ArgumentParser()
    parser.add_argument("--inputs", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=list(KINDS))
    given = parser.parse_args()
    names = [given.kind] if given.kind else list(KINDS)
    batches = -(-given.inputs // (BATCH * len(names)))
    tasks = [(name, given.seed, BATCH * i) for i in range(batches) for name in names]
    wrong: list[tuple[str, str, int]] = []
    with multiprocessing.get_context("spawn").Pool(2, maxtasksperchild=20) as pool:
        for done in pool.imap_unordered(tried, tasks):
            wrong += done
    print(f"{len(tasks) * BATCH} inputs of {len(names)} kinds, seed {given.seed}: {len(wrong)} went wrong")
    for (name, what), n in Counter((name, what) for name, what, _ in wrong).most_common(40):
        first = next(number for kind, why, number in wrong if (kind, why) == (name, what))
        print(f"{n:6} {name} (first: {first}): {what}")


if __name__ == "__main__":
    main()
