"""How long the paper's 54 figures take, against as many empty 3-D figures.

Estimating, deciding, drawing and saving of 27 spaces and 27 accuracy curves as PNG, as `moo-infer paper --plot` does,
and beside it what matplotlib takes at least: an empty figure with 3-D axes of the same size and resolution, saved 54
times. One run each, in one process, after one picture of either kind that is not timed. Seconds depend on the machine;
the ratio depends on it less. The target is 90 s on two cores. To repeat:

    python benchmarks/pictures.py
"""

import platform
import tempfile
import time
from collections.abc import Callable

import matplotlib
from matplotlib.figure import Figure

from moo_infer.paper.figures import figures
from moo_infer.plot import write

TARGET = 90.0


def empty() -> Figure:
    figure = Figure(figsize=(9.6, 6.4))
    figure.add_subplot(projection="3d")
    return figure


def seconds(run: Callable[[str], object]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        run(folder)
        return time.perf_counter() - start


def main() -> None:
    count = len(figures())
    blanks = [((f"empty {i}",), empty) for i in range(count)]
    seconds(lambda folder: write([*figures()[:2], blanks[0]], folder))  # imports and fonts
    alone = seconds(lambda folder: write(blanks, folder))
    papers = seconds(lambda folder: write(figures(), folder))
    print(f"Python {platform.python_version()}, matplotlib {matplotlib.__version__}\n")
    print(f"{count} empty 3-D figures    {alone:8.1f} s")
    print(f"{count} figures of the paper {papers:8.1f} s  {papers / alone:.2f} x  (target {TARGET:.0f} s)")


if __name__ == "__main__":
    main()
