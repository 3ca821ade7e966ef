"""How long the command line takes to say anything, against importing NumPy alone.

Whole processes, processor seconds, the median of 15 runs each, taken in turn. Seconds depend on the machine; the ratio
depends on it less. `moo-infer recommend` imports `scipy.special`, and typer, which imports pydantic; they have rows of
their own, so that it can be seen what is left to save. To repeat:

    python benchmarks/startup.py
"""

import resource
import statistics
import subprocess
import sys

RUNS = 15
COMMANDS = {
    'python -c "import numpy"': ["-c", "import numpy"],
    'python -c "import moo_infer"': ["-c", "import moo_infer"],
    'python -c "import scipy.special"': ["-c", "import scipy.special"],
    'python -c "import typer, pydantic"': ["-c", "import typer, pydantic.main"],
    "moo-infer --help": ["-m", "moo_infer", "--help"],
    "moo-infer recommend": ["-m", "moo_infer", "recommend"],
}
TARGETS = {"moo-infer --help": 3.0, "moo-infer recommend": 3.5}  # times importing NumPy


def processor_seconds(arguments: list[str]) -> float:
    """Of a Python process, those of the system for it as well."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(RUNS):
        for name, arguments in COMMANDS.items():
            seconds[name].append(processor_seconds(arguments))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    alone = next(iter(medians.values()))
    for name, median in medians.items():
        target = f"   target <= {TARGETS[name]:g}" if name in TARGETS else ""
        print(f"{name:36}{median:8.3f} s{median / alone:8.2f} x{target}")


if __name__ == "__main__":
    main()
