"""How well a calibration predicts: unseen samples, and decisions on unseen questions (docs/calibration.md).

Reads the logs of Epoch AI on GPQA Diamond, the counts of Large Language Monkeys and the samples of Best-of-infinity
from the folder that MOO_INFER_DATA names. Takes about half an hour::

    python benchmarks/calibration.py            # all parts
    python benchmarks/calibration.py few        # laws of coverage, fitted to 4 samples, predicting 80 to 160
    python benchmarks/calibration.py laws       # laws of coverage, fitted to 4 and 100 attempts, predicting 10,000
    python benchmarks/calibration.py samples    # calibrated on samples 1 to 4, predicting 8
    python benchmarks/calibration.py decisions  # chosen on half of the questions, scored on the other half
"""

import os
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.optimize import curve_fit

from moo_infer import Candidates, Exact, ModelProfile, Pipeline, Samples, Scenario
from moo_infer.builtin.aggregators import Coverage
from moo_infer.builtin.answers import PluralityVote
from moo_infer.builtin.difficulty import Beta
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.builtin.selectors import MaxAccuracy
from moo_infer.calibrate import BetaBinomial, CoverageLaw, ExponentiatedPowerLaw, fit_beta, forward_validated
from moo_infer.calibrate.beta_binomial import BetaFit, fit_beta_binomial
from moo_infer.calibrate.extrapolation import Extrapolation, extrapolated
from moo_infer.core.uncertainty import Uncertain
from moo_infer.quantities.subsets import mean_pass_at_k, vote_at_k

SHOWN, HIDDEN = 4, 8
COSTS, SECONDS = np.geomspace(0.003, 0.1, 4), np.geomspace(30, 1000, 4)
SPLITS, DRAWS = 50, 200
FEWS, MANY, SEEDS = (4, 100), 10_000, 30  # attempts that laws see and predict, and how often
SETS = ("math500", "gpqa_diamond", "aime2024")
FEW_SEEDS = {4: 5}  # samples that laws see, and how often they are drawn


@dataclass(frozen=True)
class BetaAlone(CoverageLaw):
    """The beta-binomial law alone."""

    name = "beta-binomial alone"
    law: BetaFit

    @classmethod
    def fit(cls, n: npt.ArrayLike, c: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Self:
        """Fit it to counts."""
        return cls(fit_beta_binomial(n, c, weights))

    def predict(self, k: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return pass@k."""
        return self.law.pass_at(k)


LAWS: dict[str, tuple[type[CoverageLaw], ...]] = {
    "as calibrate predicts": (BetaBinomial, ExponentiatedPowerLaw),
    "beta-binomial alone": (BetaAlone,),
    "exp(-a k^-b)": (ExponentiatedPowerLaw,),
}


def runs(folder: Path) -> Iterator[Samples]:
    """Every run, with dollars at its list price where there is one."""
    log = pl.read_csv(folder / "samples_gpqa_diamond.csv.gz", infer_schema_length=None)
    prices = {row["run_id"]: row for row in pl.read_csv(folder / "prices.csv").iter_rows(named=True)}
    for (run,), rows in log.sort("question_id", "epoch").group_by("run_id", maintain_order=True):
        questions = rows["question_id"].unique(maintain_order=True)
        answers = rows["answer"].cast(pl.Enum(rows["answer"].drop_nulls().unique())).to_physical()
        tokens_in, tokens_out = (rows[name].cast(pl.Float64) for name in ("tokens_in", "tokens_out_billed"))
        price = prices[str(run)]
        columns: dict[str, Any] = {
            "answer": answers.cast(pl.Int64).fill_null(-1).to_numpy(),
            "latency_s": rows["working_time_s"].to_numpy(),
        }
        if price["input_usd_per_mtok"] is not None:
            usd = tokens_in * price["input_usd_per_mtok"] + tokens_out * price["output_usd_per_mtok"]
            columns["cost_usd"] = (usd / 1e6).to_numpy()
        place = rows["question_id"].cast(pl.Enum(questions)).to_physical().cast(pl.Int64).to_numpy()
        yield Samples(str(run), questions.to_list(), place, rows["correct"].cast(pl.Float64).to_numpy(), columns)


def first(samples: Samples, n: int) -> Samples:
    """The first n scored samples of every question that has as many."""
    scored = samples.scored
    place = np.arange(len(scored)) - np.repeat(np.cumsum(scored.n) - scored.n, scored.n)
    kept = scored.where((place < n) & (scored.n >= n)[scored.question])
    return replace(kept, columns={"answer": kept["answer"]})


def vote(profile: ModelProfile, k: int, trials: int, seed: int = 0) -> float:
    return float(Exact(trials, seed).estimate(profile, PluralityVote(), np.array([k]), 1).columns["accuracy"].mean[0])


def predicted(samples: Samples) -> dict[str, tuple[float, float, float]]:
    """pass@8 and vote@8 from a few samples, with 95 % intervals: by the law of coverage, and by the fitted model."""
    fitted = fit_beta(samples)
    values = {name: value for name, (value, _) in fitted.parameters.items()}
    uncertain = {f"inference.{name}": Uncertain(se=se) for name, (_, se) in fitted.parameters.items() if se}
    profile = ModelProfile(samples.model, Beta(**values), (), uncertain=uncertain)
    law = extrapolated(samples, HIDDEN)
    assert isinstance(law, Extrapolation), law
    found = {"pass@8, law": tuple(float(of[-1]) for of in (law.pass_at_k.value, law.pass_at_k.low, law.pass_at_k.high))}
    drawn = [profile.with_values({p: float(v[b]) for p, v in profile.draw(100).items()}) for b in range(100)]

    def interval(of: Callable[[ModelProfile], float], value: float) -> tuple[float, float, float]:
        low, high = np.quantile([of(one) for one in drawn], [0.025, 0.975])
        return value, float(low), float(high)

    def coverage(of: ModelProfile) -> float:
        return float(Exact().estimate(of, Coverage(), np.array([HIDDEN]), 1).columns["accuracy"].mean[0])

    found["pass@8, beta"] = interval(coverage, coverage(profile))
    if "wrong_agreement" in values:
        found["vote@8, beta"] = interval(lambda of: vote(of, HIDDEN, 2000, 1), vote(profile, HIDDEN, 40_000))
    return found  # type: ignore[return-value]  # three numbers each


def samples_part(logs: list[Samples]) -> None:
    errors: dict[str, list[float]] = {}
    inside: dict[str, list[bool]] = {}
    for log in logs:
        scored = log.scored
        if scored.n.max() < HIDDEN:
            continue
        true = {"pass@8": float(mean_pass_at_k(scored.n, scored.right, [HIDDEN])[0])}
        if not scored.no_choice("answer"):
            true["vote@8"] = float(np.nanmean(vote_at_k(scored, [HIDDEN])))
        for name, (value, low, high) in predicted(first(log, SHOWN)).items():
            if (measure := name.split(",")[0]) in true:
                errors.setdefault(name, []).append(value - true[measure])
                inside.setdefault(name, []).append(low <= true[measure] <= high)
        few = first(log, SHOWN)
        known = {"pass@8": float(mean_pass_at_k(few.n, few.right, [SHOWN])[0])}
        known["vote@8"] = float(np.mean(vote_at_k(few, [SHOWN])))
        for measure, value in true.items():
            errors.setdefault(f"{measure}, as at 4", []).append(known[measure] - value)
    print(f"calibrated on samples 1 to {SHOWN} of each question, predicting {HIDDEN}")
    print("what            runs   RMSE    bias    95 % intervals hold")
    for name, error in sorted(errors.items()):
        held = f"{100 * np.mean(inside[name]):.0f} %" if name in inside else ""
        rmse = np.sqrt(np.mean(np.square(error)))
        print(f"{name:15} {len(error):4}   {rmse:.4f}  {np.mean(error):+.4f}  {held}")


def profiles(logs: list[Samples], chosen: set[str]) -> list[ModelProfile]:
    """Profiles of the runs on some of the questions."""
    made = []
    for log in logs:
        mine = log.where(np.isin(log.question, [i for i, q in enumerate(log.questions) if q in chosen]))
        made.append(ModelProfile(log.model, Empirical(mine), (LoggedCost(), LoggedLatency())))
    return made


def table(logs: list[Samples], chosen: set[str]) -> Candidates:
    return Pipeline(["one-call", "plurality-vote"], k_max=16).candidates(profiles(logs, chosen))


def decisions_part(logs: list[Samples]) -> None:
    names = sorted({question for log in logs for question in log.questions})
    grid = [Scenario(f"{c:.3g} {s:.3g}", max={"cost": c, "latency": s}) for c in COSTS for s in SECONDS]
    rng = np.random.default_rng(0)
    whole = table(logs, set(names))
    settings: list[float | None] = [None, 0.8, 0.9, 0.95, 0.99]
    tallies: dict[tuple[str, float | None], list[tuple[float, bool]]] = {}
    nothing: dict[tuple[str, float | None], int] = {}
    for _ in range(SPLITS):
        half = set(rng.permutation(names)[: len(names) // 2])
        other = table(logs, set(names) - half)
        places = {(*other.curve(i).label, int(other.k[i])): i for i in range(len(other))}
        on_a_limit = rng.choice(len(whole), 16, replace=False)  # limits that a candidate just meets on all questions
        tight = [
            Scenario(f"tight {i}", max={name: float(whole.column(name)[row]) for name in ("cost", "latency")})
            for i, row in enumerate(on_a_limit)
        ]
        for what, scenarios in (("16 budgets", grid), ("just met", tight)):
            report = Pipeline(
                ["one-call", "plurality-vote"], ["max-accuracy"], k_max=16, confidence=0.95, draws=DRAWS
            ).run(profiles(logs, half), scenarios)
            for scenario, confidence in product(scenarios, settings):
                feasible = other.feasible(scenario.limits)
                if not len(feasible):
                    continue
                held = report.outcome(scenario.name).sure
                sure = held.shares >= confidence if held and confidence is not None else None
                pool = report.candidates.feasible(scenario.limits, sure=sure)
                if not len(pool):
                    nothing[what, confidence] = nothing.get((what, confidence), 0) + 1
                    continue
                row = int(pool.rows[MaxAccuracy().select(pool)])
                place = places.get((*report.candidates.curve(row).label, int(report.candidates.k[row])))
                if place is None:  # one half lacks a sample of the other's
                    continue
                regret = feasible.column("accuracy").max() - other.column("accuracy")[place]
                broken = not other.met(scenario.limits)[place]
                tallies.setdefault((what, confidence), []).append((100 * regret, broken))
    print(f"(run, k) chosen on half of the questions, scored on the other half: {len(logs)} runs, {SPLITS} splits")
    print("budgets      confidence   decisions   none   mean regret, points   budget broken")
    for (what, confidence), tally in sorted(tallies.items(), key=lambda item: (item[0][0], item[0][1] or 0)):
        regret, broken = np.mean(tally, axis=0)
        shown = "means" if confidence is None else f"{confidence:g}"
        none = nothing.get((what, confidence), 0)
        print(f"{what:12} {shown:12} {len(tally):9} {none:6} {regret:21.2f} {100 * broken:13.1f} %")


def cells(folder: Path) -> Iterator[tuple[str, npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Samples and right ones of every question, for every model on every set: 24 cells."""
    for name in SETS:
        log = pl.read_csv(folder / f"{name}.csv.gz", infer_schema_length=None)
        counts = log.group_by("model", "question_id", maintain_order=True).agg(pl.len(), pl.col("correct").sum())
        for _, rows in counts.group_by("model", maintain_order=True):
            yield name, rows["len"].cast(pl.Int64).to_numpy(), rows["correct"].to_numpy()


def few_part(folder: Path) -> None:
    every = list(cells(folder))
    print(f"pass@n of {len(every)} cells from a few samples drawn at random; n = 80 to 160, all there are")
    print(
        "set            samples  law                     RMSE    of a draw        bias    width   95 % intervals hold"
    )
    for few, seeds in FEW_SEEDS.items():
        rows: dict[tuple[str, str], list[list[tuple[float, float, bool]]]] = {}
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            for name, n, c in every:
                shown, seen = np.full(len(n), few), rng.hypergeometric(c, n - c, few)
                k, true = int(n.max()), float(np.mean(c > 0))
                for law, among in LAWS.items():
                    predicted = forward_validated(shown, seen, laws=among).predict([k])
                    value, low, high = predicted.value[0], predicted.low[0], predicted.high[0]
                    draws = rows.setdefault((name, law), [[] for _ in range(seeds)])
                    draws[seed].append((value - true, high - low, bool(low <= true <= high)))
                asis = rows.setdefault((name, "as at the samples"), [[] for _ in range(seeds)])
                asis[seed].append((float(np.mean(seen > 0)) - true, np.nan, False))
        for (name, law), draws in rows.items():
            error, width, held = np.moveaxis(np.array(draws), 2, 0)
            one = np.sqrt(np.mean(error**2, axis=1))
            shares = f"{100 * held.mean():.0f} %" if law != "as at the samples" else ""
            print(
                f"{name:14} {few:6}   {law:22} {np.sqrt(np.mean(error**2)):.4f}  {one.min():.4f} to {one.max():.4f}  "
                f"{error.mean():+.4f}  {width.mean():.3f}   {shares}"
            )
        for law in LAWS:
            number = np.array(sum(np.array(rows[name, law])[:, :, 2].sum(axis=1) for name in SETS))
            print(
                f"{few} samples, {law}: intervals hold in {number.mean():.1f} of {len(every)} cells, least "
                f"{number.min():.0f}, all but at most one in {np.sum(number >= len(every) - 1)} of {seeds} draws"
            )


def laws_part(folder: Path) -> None:
    counts = pl.read_csv(folder / "counts_original.csv.gz").group_by("model", maintain_order=True)
    models = [(rows["n"].to_numpy(), rows["c"].to_numpy()) for _, rows in counts]
    for few in FEWS:
        laws_from(models, few)


def laws_from(models: list[tuple[Any, Any]], few: int) -> None:
    k = np.arange(1, few + 1)
    errors: dict[str, list[float]] = {}
    held: dict[str, list[bool]] = {}
    used = 0
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        off: dict[str, list[float]] = {}
        for n, c in models:
            shown, seen = np.full(len(n), few), rng.hypergeometric(c, n - c, few)
            if not seen.any():  # no law without a right attempt
                continue
            used += 1
            (true,) = mean_pass_at_k(n, c, [MANY])
            for law, among in LAWS.items():
                predicted = forward_validated(shown, seen, laws=among).predict([MANY])
                off.setdefault(law, []).append(predicted.value[0] - true)
                held.setdefault(law, []).append(bool(predicted.low[0] <= true <= predicted.high[0]))
            if few < FEWS[-1]:
                continue
            curve = mean_pass_at_k(shown, seen, k)
            (a, b, constant), _ = curve_fit(
                lambda k, a, b, c: a * k**b + c, k, curve, p0=(curve[0], 0.5, 0.0), maxfev=10**5
            )
            off.setdefault("a k^b + c", []).append(a * MANY**b + constant - true)
        for law, values in off.items():
            errors.setdefault(law, []).append(float(np.sqrt(np.mean(np.square(values)))))
    print(f"fitted to {few} attempts a problem, predicting pass@{MANY}: RMSE over {len(models)} models, {SEEDS} times")
    print(f"({used} of {SEEDS * len(models)} have a right attempt to fit to)")
    print("law                       mean   least   most   at most 0.05   95 % intervals hold")
    for law, found in errors.items():
        good = sum(error <= 0.05 for error in found)
        share = f"{100 * np.mean(held[law]):.0f} %" if law in held else ""
        print(f"{law:24} {np.mean(found):5.3f}   {min(found):5.3f}  {max(found):5.3f}   {good} of {SEEDS}   {share}")


def main() -> None:
    data = Path(os.environ["MOO_INFER_DATA"])
    parts = sys.argv[1:] or ["few", "laws", "samples", "decisions"]
    if "few" in parts:
        few_part(data / "boinf")
    if "laws" in parts:
        laws_part(data / "monkeys")
    logs = list(runs(data / "epoch_gpqa")) if {"samples", "decisions"} & set(parts) else []
    warnings.simplefilter("ignore")  # runs that cannot vote are left out, and said so
    if "samples" in parts:
        samples_part(logs)
    if "decisions" in parts:
        complete = [log for log in logs if "cost_usd" in log.columns and np.isfinite(log.scored["latency_s"]).all()]
        decisions_part([log for log in complete if np.isfinite(log.scored["cost_usd"]).all()])


if __name__ == "__main__":
    main()
