"""What k samples took on an H100, beside what fits to its decoding steps say and what the paper's rule says.

The steps and prefills in examples/h100 are fitted, as fit-latency does; whole queries, which were measured apart, are
compared with the fits, by the lengths that were logged. The paper takes k samples as k times the joules and k / P times
the seconds of one. With MOO_INFER_DATA, the machines of ML.ENERGY are fitted, too. It takes a few seconds. To repeat:

    python benchmarks/gpu.py [FOLDER]

A folder, such as docs, gets the picture gpu.png.
"""

import csv
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from moo_infer import CostModel, Draws, Registry
from moo_infer.builtin.lengths import LognormalLengths
from moo_infer.calibrate import fit_setups, fit_steps, read_steps
from moo_infer.core.arrays import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MEASURED = Path(__file__).parent.parent / "examples" / "h100"
PROMPT, BUCKET, P = 512, 2048, 4
SIZES = [1, 2, 4, 8, 16, 32, 64]
LAW = LognormalLengths(
    tokens_in_mean=PROMPT, tokens_out_mean=300, tokens_out_cv_within=0.5, max_tokens=1500,
    accuracy_mean=0.8, accuracy_std=0.1,
)  # fmt: skip
PREFILL = {"seconds": "ttft_seconds", "joules": "joules_per_prefill"}


@dataclass(frozen=True, eq=False)
class Queries:
    """R whole queries of k samples: lengths (R, k), and what each took (R,)."""

    lengths: FloatArray
    seconds: FloatArray
    joules: FloatArray

    @property
    def draws(self) -> Draws:
        """What a cost model reads of them."""
        return drawn(self.lengths)


def drawn(lengths: FloatArray) -> Draws:
    return Draws(np.full(lengths.shape, float(PROMPT)), lengths, np.ones(lengths.shape))


def rows(name: str) -> list[dict[str, str]]:
    with (MEASURED / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def queries() -> Mapping[int, Queries]:
    """The measured queries by k."""
    lengths = {(row["k"], row["repetition"]): [float(n) for n in row["lengths"].split()] for row in rows("lengths.csv")}
    by_k = {}
    for k, of_k in groupby(rows("queries.csv"), key=lambda row: row["k"]):
        repeated = list(of_k)
        seconds, joules = (np.array([float(row[name]) for row in repeated]) for name in PREFILL)
        by_k[int(k)] = Queries(np.array([lengths[k, row["repetition"]] for row in repeated]), seconds, joules)
    return by_k


def fitted_parts(column: str) -> tuple[CostModel, CostModel]:
    """The part fitted to the steps, with the prefill that the queries had, and the same without batch sizes."""
    (steps,) = read_steps([MEASURED / "steps.csv"])
    fitted = fit_steps(steps, energy=column == "joules")
    (prefill,) = (row for row in rows("prefill.csv") if (row["what"], row["tokens"]) == ("one", f"{PROMPT}"))
    fields = {name: value for name, (value, _) in fitted.parameters.items()} | {PREFILL[column]: float(prefill[column])}
    given = {"kind": fitted.kind, **fields, **fitted.settings, "context_bucket": BUCKET}
    registry = Registry()
    padded, bare = (registry.build(CostModel, given | more, "fitted") for more in ({"batch_sizes": SIZES}, {}))
    return padded, bare


def of_all(part: CostModel, draws: Draws) -> FloatArray:
    """What all k samples of each query take, (R,)."""
    return part.total(draws, parallelism=1)[:, -1]


def by_the_paper(part: CostModel, lengths: FloatArray, column: str) -> FloatArray:
    """What each sample takes alone, added up; the seconds divided by P."""
    alone = of_all(part, drawn(lengths.reshape(-1, 1))).reshape(lengths.shape).sum(axis=1)
    return np.asarray(alone / P if column == "seconds" else alone)


def steps() -> None:
    (table,) = read_steps([MEASURED / "steps.csv", MEASURED / "prefill.csv"])
    for energy in (False, True):
        print(fit_steps(table, energy=energy).yaml)


def whole_queries(column: str) -> None:
    """Means over the repetitions of each k, and of a law of lengths."""
    padded, bare = fitted_parts(column)
    measured = queries()
    print(f"\n{column + ' of a query':36}" + "".join(f"{f'k = {k}':>24}" for k in measured))
    taken = {k: getattr(query, column) for k, query in measured.items()}
    cells = [f"{of.mean():.4g} ({of.min():.4g} to {of.max():.4g})" for of in taken.values()]
    print(f"{'measured (lowest to highest)':36}" + "".join(f"{cell:>24}" for cell in cells))
    says = {
        "by the fits": {k: of_all(padded, query.draws) for k, query in measured.items()},
        "by the fits, without batch sizes": {k: of_all(bare, query.draws) for k, query in measured.items()},
        "by the paper's rule": {k: by_the_paper(padded, query.lengths, column) for k, query in measured.items()},
    }
    for name, of_k in says.items():
        cells = [f"{of.mean():,.4g} ({100 * (of.mean() / taken[k].mean() - 1):+.1f} %)" for k, of in of_k.items()]
        print(f"{name:36}" + "".join(f"{cell:>24}" for cell in cells))
    mean = padded.exact(LAW.queries().query, np.array([*measured]), parallelism=1).mean
    print(f"{'by the fits, of a law of lengths':36}" + "".join(f"{value:24.4g}" for value in mean))


def prefills() -> None:
    """What n = 8 saves against 8 calls without a cache."""
    table = {(row["what"], row["tokens"]): row for row in rows("prefill.csv")}
    eight, one = table["eight", "2048"], table["one", "2048"]
    saved = [
        f"{float(eight[name]) - float(one[name]):.3g} {unit}" for name, unit in (("seconds", "s"), ("joules", "J"))
    ]
    print(f"\nn = 8 saves seven prefills of 2,048 tokens: {' and '.join(saved)}, measured")


def machines(path: Path) -> None:
    tables = read_steps([path])
    for energy, what in ((False, "seconds"), (True, "joules")):
        fits, _ = fit_setups(tables, energy=energy)
        print(
            f"ML.ENERGY, {len(fits)} machines: {what} off by {100 * np.median([f.error for f in fits]):.1f} % (median)"
        )


def picture(path: Path) -> None:
    """Measured queries, the fits at their lengths and over a law of lengths, and the paper's rule."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5), layout="constrained")
    columns = (("seconds", [1, 2, 5, 10, 20, 50]), ("joules", [500, 1000, 2000, 5000, 10_000, 20_000, 50_000]))
    for axes, (column, ticks) in zip(figure.subplots(1, 2), columns, strict=True):
        panel(axes, column, ticks)
    figure.suptitle("k answers to one question, in one batch on an H100", x=0.01, ha="left", weight="bold")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
    figure.savefig(path, dpi=110)


def panel(axes: "Axes", column: str, ticks: list[int]) -> None:
    """One column against k."""
    from matplotlib.ticker import FuncFormatter, NullLocator

    k, part, blue = np.arange(1, 65), fitted_parts(column)[0], "#0072B2"
    mean = part.exact(LAW.queries().query, k, parallelism=1).mean
    trials = part.total(LAW.sample(np.random.default_rng(0), 4000, 64), parallelism=1)
    paper = mean[0] * k / (P if column == "seconds" else 1)
    for size, query in queries().items():
        taken = getattr(query, column)
        x = np.full(len(taken), size)
        axes.plot(x, taken, "o", color="black", ms=4.5, mew=0, label="measured" if size == 1 else None)
        says = "foretold from single decoding steps, for the same answers" if size == 1 else None
        axes.plot(x, of_all(part, query.draws), "o", mfc="none", mec=blue, ms=9, mew=1.2, label=says)
    axes.plot(k, mean, color=blue, lw=2, label="foretold on average, for answers of mean 300 tokens")
    band = np.quantile(trials, [0.05, 0.95], axis=0)
    axes.fill_between(k, *band, color=blue, alpha=0.15, lw=0, label="9 of 10 queries")
    axes.plot(k, paper, "--", color="#D55E00", lw=2)
    share = f"k / {P}" if column == "seconds" else "k"
    axes.text(10, paper[-1] * 0.7, f"the paper's rule:\n{share} times one", color="#D55E00", ha="right", va="center")
    of_one, by_rule = mean[-1] / mean[0], paper[-1] / mean[0]
    axes.set_title(f"64 answers: {of_one:.1f} times the {column} of one, not {by_rule:.0f} times")
    axes.set(xscale="log", yscale="log", xlim=(0.85, 75), xlabel="answers, k", ylabel=f"{column} of the whole query")
    for axis, shown in ((axes.xaxis, [1, 4, 16, 64]), (axes.yaxis, ticks)):
        axis.set_ticks(shown)
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.spines[["top", "right"]].set_visible(False)


def main() -> None:
    steps()
    for column in PREFILL:
        whole_queries(column)
    prefills()
    if folder := os.environ.get("MOO_INFER_DATA"):
        machines(Path(folder) / "mlenergy" / "configs.csv")
    if len(sys.argv) > 1:
        picture(Path(sys.argv[1]) / "gpu.png")


if __name__ == "__main__":
    main()
