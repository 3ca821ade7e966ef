"""How long the paper's 54 figures, a moved slider and a page to share take, against empty 3-D figures.

Estimating, deciding, drawing and saving of 27 spaces and 27 accuracy curves as PNG, as `moo-infer paper --plot` does,
and beside it what matplotlib takes at least: an empty figure with 3-D axes of the same size and resolution, saved 54
times. One run each, in one process, after one picture of either kind that is not timed. Seconds depend on the machine;
the ratio depends on it less. The target is 90 s on two cores. Then every limit of the explorer is moved 20 times for
each picture (the median counts; target 250 ms for answer, tables and space, 200 ms with a decision
map), and the page of `moo-infer recommend --out` is written (target 2.6 MB). To repeat:

    python benchmarks/pictures.py
"""

import platform
import statistics
import tempfile
import time
from collections.abc import Callable

import matplotlib
from matplotlib.figure import Figure

from moo_infer import Pipeline
from moo_infer.explore.explore import PICTURES, Explorer
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


def move(explorer: Explorer) -> float:
    """Median seconds of a moved limit, until answer, tables and picture are there."""
    taken = []
    for slider in explorer.limits.values():
        steps = slider.options[:: max(1, len(slider.options) // 20)]
        for _, value in steps[:20]:
            start = time.perf_counter()
            slider.value = value
            taken.append(time.perf_counter() - start)
        slider.value = steps[len(steps) // 2][1]
    return statistics.median(taken)


def main() -> None:
    count = len(figures())
    blanks = [((f"empty {i}",), empty) for i in range(count)]
    seconds(lambda folder: write([*figures()[:2], blanks[0]], folder))  # imports and fonts
    alone = seconds(lambda folder: write(blanks, folder))
    papers = seconds(lambda folder: write(figures(), folder))
    print(f"Python {platform.python_version()}, matplotlib {matplotlib.__version__}\n")
    print(f"{count} empty 3-D figures    {alone:8.1f} s")
    print(f"{count} figures of the paper {papers:8.1f} s  {papers / alone:.2f} x  (target {TARGET:.0f} s)")
    one = alone / count
    explorer = Explorer()
    for model in ("gpt-5", "all models"):
        explorer.model.value = model
        for picture in PICTURES:
            explorer.picture.value = picture
            taken = move(explorer)
            print(f"a moved slider, {model}, {picture}: {1e3 * taken:.0f} ms, {taken / one:.2f} x an empty 3-D figure")
    print(f"the page of nine models and three scenarios: {len(Pipeline().run().to_html().encode()) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
