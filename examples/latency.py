"""How long k calls take under each deployment, and which decisions of the paper change: what docs/serving.md shows.

Run it as it is for the numbers; name a folder, for example docs, for latency.png too.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import numpy as np

from moo_infer import Candidates, CostModel, ModelProfile, Pipeline, Report, builtin_models, builtin_scenarios
from moo_infer.builtin.costs import LinearLatency
from moo_infer.builtin.inference import Gaussian
from moo_infer.builtin.latencies import Batch, Sequential, Slots, SlowestOfK
from moo_infer.builtin.queueing import Loaded

P = 4
CHAT = Gaussian(1000, 0, 396, 119, 0.8, 0.1)  # answers of 396 tokens, give or take 30 %
CALL = (0.0, 0.0066, 0.05)  # seconds per input token, per output token, and besides
LLAMA = Batch(itl_base_s=0.0065, itl_per_sequence_s=0.000079, ttft_seconds=0.05)  # Llama-3.1-8B on one H100
DEPLOYMENTS: Mapping[str, CostModel] = {
    "one call after the other": Sequential(*CALL),
    "k / P, as in the paper": LinearLatency(0.0, 0.0066),
    "service, 4 calls at a time": Slots(*CALL),
    "own GPU, a query in 4 s": Loaded(
        0.25, 1000, 396, LLAMA.itl_base_s, LLAMA.itl_per_sequence_s, prefill_base_s=LLAMA.ttft_seconds
    ),
    "own GPU, beside 256 others": replace(LLAMA, other_sequences=256),
    "own GPU, idle": LLAMA,
    "service, n = k": SlowestOfK(*CALL),
}
SHOWN = (1, 4, 16, 64)
SHARE = 0.079 / (6.5 + 0.079)  # of a step's time on an otherwise idle machine, what its one sequence takes
MEASURED_CV = 0.24  # median variation of answers to the same prompt; the paper's is 0.06


def tables() -> Iterator[tuple[str, Candidates]]:
    """Every deployment at k = 1 to 64."""
    pipeline = Pipeline(k=range(1, 65), parallelism=P)
    for name, part in DEPLOYMENTS.items():
        yield name, pipeline.candidates(ModelProfile(name, CHAT, (part,)))


def picture(path: Path) -> None:
    """Mean latency over k as lines, the 95 % quantile as dots."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, NullLocator

    figure = Figure(figsize=(8.5, 5), layout="constrained")
    axes = figure.subplots()
    colours = ("#666666", "#000000", "#D55E00", "#E69F00", "#CC79A7", "#0072B2", "#009E73")  # Okabe and Ito's
    for (name, table), colour in zip(tables(), colours, strict=True):
        mean, p95 = table.column("latency"), table.column("latency", "p95")
        axes.plot(table.k, mean, "--" if "paper" in name else "-", color=colour, lw=2)
        axes.plot(table.k, p95, ":", color=colour, lw=1)
        if "paper" in name:  # its end is that of another line
            axes.text(2, 1, name, color=colour, va="center")
        else:
            axes.text(68, float(mean[-1]), name, color=colour, va="center")
    axes.plot([], [], "-", color="black", label="mean")
    axes.plot([], [], ":", color="black", lw=1, label="95 % quantile")
    axes.set(xscale="log", yscale="log", xlim=(1, 64), xlabel="k", ylabel="latency (s)")
    axes.set_title("k answers of 396 tokens, give or take 30 %, P = 4", loc="left")
    for axis, ticks in ((axes.xaxis, [1, 2, 4, 8, 16, 32, 64]), (axes.yaxis, [1, 2, 5, 10, 20, 50, 100, 200])):
        axis.set_ticks(ticks)
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, loc="upper left")
    figure.savefig(path, dpi=110)


def changed(profile: ModelProfile, how: str, cv: float | None) -> ModelProfile:
    """Return a profile of the paper whose single inference takes as long as before, and k as long as they do."""
    model, (cost, latency) = profile.inference, profile.costs
    assert isinstance(model, Gaussian)
    assert isinstance(latency, LinearLatency)
    prompt, token = latency.seconds_per_input_token, latency.seconds_per_output_token
    parts: Mapping[str, CostModel] = {
        "k / P": latency,
        "slots": Slots(prompt, token),
        "batch": Batch((1 - SHARE) * token, SHARE * token, ttft_seconds=prompt * model.tokens_in_mean),
    }
    if cv is not None:
        model = replace(model, tokens_out_std=cv * model.tokens_out_mean)
    return replace(profile, inference=model, costs=(cost, parts[how]))


def decided(how: str, cv: float | None = None) -> Report:
    """Return the decisions of the nine profiles in the three scenarios."""
    models = {name: changed(p, how, cv) for name, p in builtin_models().items()}
    return Pipeline(models=models, scenarios=builtin_scenarios()).run()


def main() -> None:
    print(f"seconds: mean (95 % quantile){'':5}" + "".join(f"{f'k = {k}':>16}" for k in SHOWN))
    for name, table in tables():
        places = np.searchsorted(table.k, SHOWN)
        mean, p95 = (table.column("latency", statistic)[places] for statistic in ("mean", "p95"))
        cells = [f"{m:.2f} ({q:.2f})" for m, q in zip(mean, p95, strict=True)]
        print(f"{name:32}" + "".join(f"{cell:>16}" for cell in cells))

    paper = decided("k / P").rows
    runs = {"slots": decided("slots"), "batch": decided("batch")}
    runs |= {f"{how}, cv {MEASURED_CV}": decided(how, MEASURED_CV) for how in ("slots", "batch")}
    selectors = list(dict.fromkeys(choice.selector for choice in paper))
    print(f"\n{'changed, of 27':16}" + "".join(f"{name:>16}" for name in runs))
    for selector in selectors:
        counts = [
            sum(old.k != new.k for old, new in zip(paper, run.rows, strict=True) if old.selector == selector)
            for run in runs.values()
        ]
        print(f"{selector:16}" + "".join(f"{count:16}" for count in counts))
    for how in ("slots", "batch"):
        print(f"\n{f'{how}, k of k / P > k':37}" + "".join(f"{selector:>14}" for selector in selectors))
        pairs = list(zip(paper, runs[how].rows, strict=True))
        for (scenario, model), cell in groupby(pairs, key=lambda pair: (pair[0].scenario, pair[0].model)):
            moves = [f"{old.k or '-'} > {new.k or '-'}" if old.k != new.k else "" for old, new in cell]
            if any(moves):
                print(f"{scenario:17}{model:20}{''.join(f'{move:>14}' for move in moves)}".rstrip())
    if len(sys.argv) > 1 and Path(sys.argv[1]).is_dir():
        picture(Path(sys.argv[1]) / "latency.png")


if __name__ == "__main__":
    main()
