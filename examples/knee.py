"""What the published knee measures: every number of docs/knee.md, and its picture.

Run it as it is for the numbers; name a file, for example docs/knee.png, for the picture too. It takes about a minute.
"""

import sys
from collections import Counter
from dataclasses import dataclass

from moo_infer import MonteCarlo, Pipeline, builtin_models, builtin_scenarios
from moo_infer.paper import procedure

MODEL, SCENARIO = "gpt-5-nano", "medical-ai"
PROFILE, LIMITED = builtin_models()[MODEL], builtin_scenarios()[SCENARIO]
SEEDS = [42 + 1000 * i for i in range(1000)]
NESTED_SEEDS = SEEDS[:100]


@dataclass(frozen=True)
class Spread:
    """How often each k was the knee over seeds."""

    label: str
    counts: Counter[int]

    def __str__(self) -> str:
        total = sum(self.counts.values())
        k, most = self.counts.most_common(1)[0]
        return (
            f"{self.label}: {len(self.counts)} different k, from {min(self.counts)} to {max(self.counts)}; "
            f"the most frequent, {k}, in {100 * most / total:.1f} % of {total} seeds"
        )


def authors_knee(seed: int) -> int | None:
    """The authors' own procedure: 300 trials, a new generator for each k, cost and latency in the cross product."""
    trajectory = procedure.simulate([PROFILE], seed=seed)[0]
    index = procedure.select(trajectory, LIMITED)["knee"]
    return None if index is None else int(trajectory.k[index])


def authors_spread() -> Spread:
    """That procedure with many seeds."""
    return Spread("the authors' procedure", Counter(k for seed in SEEDS if (k := authors_knee(seed)) is not None))


def nested_spread() -> Spread:
    """Eq 18 as printed, in three dimensions, on nested draws of 300 trials."""
    counts: Counter[int] = Counter()
    for seed in NESTED_SEEDS:
        choice = Pipeline(selectors="knee", estimator=MonteCarlo(300, seed)).run(PROFILE, LIMITED)["knee"]
        if choice.k is not None:
            counts[choice.k] += 1
    return Spread("eq 18 on nested draws", counts)


def picture(path: str, authors: Spread, nested: Spread) -> None:
    """Bars of how often each k is the knee; the exact knee and knee-chord as lines."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    report = Pipeline(selectors=["knee", "knee-chord"]).run(MODEL, SCENARIO)
    for spread, shift, colour, hatch in ((authors, -0.8, "#0072B2", ""), (nested, 0.8, "#E69F00", "//")):
        total = sum(spread.counts.values())
        ks = sorted(spread.counts)
        shares = [100 * spread.counts[k] / total for k in ks]
        label = f"{spread.label} ({total} seeds)"
        axes.bar(
            [k + shift for k in ks], shares, 1.5, color=colour, hatch=hatch, edgecolor="black", lw=0.4, label=label
        )
    for name, style in (("knee", "--"), ("knee-chord", ":")):
        k = report[name].k
        if k is not None:
            axes.axvline(k, color="black", ls=style, label=f"{name} on exact values: k = {k}")
    title = f"{MODEL} in {SCENARIO}: another seed, another knee"
    axes.set(xlabel="k chosen as the knee", ylabel="share of seeds, %", title=title)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=120)


def main() -> None:
    authors, nested = authors_spread(), nested_spread()
    print(f"{MODEL}, {SCENARIO}")
    print(authors)
    print(nested)
    report = Pipeline(selectors=["max-accuracy", "knee", "knee-chord"]).run(None, None)
    knees = [c for c in report.rows if c.selector == "knee" and c.k is not None]
    edges = sum("at the edge" in remark for c in knees for remark in c.remarks)
    second = sum(
        c.k == int(report.candidates.where(model=c.model).feasible(builtin_scenarios()[c.scenario].limits).k[1])
        for c in knees
    )
    print(f"exact values: the knee is the second feasible k in {second} of {len(knees)} cells, at the edge in {edges}")
    for name in ("knee", "knee-chord"):
        print(f"exact {name}: k = {report[SCENARIO, MODEL, name].k}")
    chords = [report["essay-feedback", model, "knee-chord"].k for model in ("gpt-5", "gpt-5-mini", "gpt-5-nano")]
    print(f"exact knee-chord of the GPT-5 family in essay-feedback: {', '.join(map(str, chords))}")
    if len(sys.argv) > 1 and sys.argv[1].endswith(".png"):
        picture(sys.argv[1], authors, nested)


if __name__ == "__main__":
    main()
