"""How long the command line takes to say anything, against importing NumPy alone.

Whole processes, the median of 15 runs each, taken in turn. Seconds depend on the machine; the ratio depends on it less.
The target for `moo-infer --help` is 3 times `python -c "import numpy"`. To repeat:

    python benchmarks/startup.py
"""

import statistics
import subprocess
import sys
import time

RUNS = 15
COMMANDS = {
    'python -c "import numpy"': ["-c", "import numpy"],
    'python -c "import moo_infer"': ["-c", "import moo_infer"],
    "moo-infer --help": [
        "-c",
        "import sys; sys.argv = ['moo-infer', '--help']; from moo_infer.cli import main; main()",
    ],
}


def main() -> None:
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, arguments in COMMANDS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    alone = next(iter(medians.values()))
    for name, median in medians.items():
        print(f"{name:32}{median:8.3f} s{median / alone:8.2f} x")


if __name__ == "__main__":
    main()
