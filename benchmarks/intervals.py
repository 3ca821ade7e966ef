"""How often the two intervals of a log hold (docs/calibration.md).

Other questions: logs of 10 to 198 questions are drawn from four populations of 3,000. These questions: the samples of
Best-of-infinity, in the folder that MOO_INFER_DATA names, are split in two at random; the interval from the first n is
held against what the others say, whose own variance is added. With 400 repetitions it takes about an hour::

    python benchmarks/intervals.py other 400
    python benchmarks/intervals.py same 400
    python benchmarks/intervals.py risk 100
"""

import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from calibration import runs  # type: ignore[import-not-found]  # the script beside this one

from moo_infer.calibrate import summarise
from moo_infer.core.arrays import Array, FloatArray, IntArray
from moo_infer.quantities.samples import Samples
from moo_infer.quantities.subsets import largest_of_k, pass_at_k, vote_at_k
from moo_infer.quantities.within import pass_variance, vote_variance

POPULATIONS = ((0.4, 1.0), (0.8, 0.6), (0.95, 0.5), (0.6, 5.0))  # mean and concentration of p over questions
QUESTIONS = (10, 22, 45, 198)
Z = 1.959963984540054  # the normal quantile of 97.5 %


def population(mean: float, concentration: float, rng: np.random.Generator) -> FloatArray:
    """(3000, 6) shares of the right answer, which is the first, and of five wrong ones."""
    p = rng.beta(mean * concentration, (1 - mean) * concentration, 3000)
    return np.column_stack([p, (1 - p)[:, None] * rng.dirichlet(np.full(5, 0.4), 3000)])


def answers(shares: FloatArray, n: int, rng: np.random.Generator) -> IntArray:
    """(Q, n) answers drawn by the shares of each question."""
    drawn: IntArray = (rng.random((len(shares), n, 1)) > shares.cumsum(axis=1)[:, None, :-1]).sum(axis=2)
    return drawn


def vote_of_eight(shares: FloatArray, rng: np.random.Generator) -> float:
    """How often a vote of eight is right over the whole population: 400 votes of every question."""
    counts = rng.multinomial(8, shares, size=(400, len(shares)))
    most = counts.max(axis=2, keepdims=True)
    tied = (counts == most).sum(axis=2)
    return float(((counts[..., 0] == most[..., 0]) / tied).mean())


def log_of(answer: IntArray) -> Samples:
    """A log of answers (Q, n), of which 0 is right."""
    Q, n = answer.shape
    names, question = [f"q{i}" for i in range(Q)], np.repeat(np.arange(Q), n)
    return Samples("drawn", names, question, (answer == 0).ravel() * 1.0, {"answer": answer.ravel()})


def other(repetitions: int) -> None:
    """Coverage of the interval for other questions."""
    print("questions   mean and concentration   pass@1   pass@8   vote@8   (share of intervals that hold, %)")
    held: dict[int, list[FloatArray]] = defaultdict(list)
    for mean, concentration in POPULATIONS:
        rng = np.random.default_rng(int(1000 * mean))
        shares = population(mean, concentration, rng)
        p = shares[:, 0]
        truth = np.array([p.mean(), (1 - (1 - p) ** 8).mean(), vote_of_eight(shares, rng)])
        for Q in QUESTIONS:
            inside = np.zeros((repetitions, 3))
            for i in range(repetitions):
                drawn = rng.choice(len(shares), Q, replace=False)
                summary = summarise(log_of(answers(shares[drawn], 8, rng)), [1, 8], seed=i)
                curves = ((summary.pass_at_k, 0), (summary.pass_at_k, 1), (summary.vote_at_k, 1))
                for j, (curve, at) in enumerate(curves):
                    assert curve is not None
                    inside[i, j] = curve.low[at] <= truth[j] <= curve.high[at]
            held[Q].append(100 * inside.mean(axis=0))
            print(
                f"{Q:9}   {mean:.2f}, {concentration:3.1f}              {'   '.join(f'{x:6.1f}' for x in held[Q][-1])}",
                flush=True,
            )
    for Q, cells in held.items():
        print(f"{Q:9}   all: mean {np.mean(cells):.1f}, worst cell {np.min(cells):.1f}")


def logs() -> Iterator[tuple[str, Samples]]:
    """The 24 logs of Best-of-infinity."""
    import polars as pl

    for name in ("math500", "gpqa_diamond", "aime2024"):
        frame = pl.read_csv(Path(os.environ["MOO_INFER_DATA"], "boinf", f"{name}.csv.gz"), infer_schema_length=None)
        for _, rows in frame.sort("question_id", "sample").group_by("model", maintain_order=True):
            codes = rows.select(
                question=pl.col("question_id").rank("dense") - 1,
                answer=pl.when(pl.col("answer").fill_null("") != "").then(pl.col("answer").rank("dense")).otherwise(-1),
                correct=pl.col("correct").cast(pl.Float64),
            )
            question, answer = (codes[column].to_numpy().astype(np.int64) for column in ("question", "answer"))
            names = [str(i) for i in range(question.max() + 1)]
            yield name, Samples(name, names, question, codes["correct"].to_numpy(), {"answer": answer})


def split(log: Samples, n: int, rng: np.random.Generator) -> tuple[Samples, Samples]:
    """N samples of every question at random, and the others."""
    order = np.lexsort((rng.random(len(log)), log.question))
    place = np.empty(len(log), dtype=np.int64)
    place[order] = np.arange(len(log)) - np.repeat(np.cumsum(log.n) - log.n, log.n)
    return log.where(place < n), log.where(place >= n)


def same(repetitions: int, votes: int) -> None:
    """Coverage of the interval for these questions."""
    print(" n    k   what     mean   worst cell   (share of intervals that hold, %)   width / plain normal")
    every = list(logs())
    for n in (4, 8, 16, 32):
        ks = np.unique([1, 2, n // 4, n // 2])
        ks = ks[(ks >= 1) & (ks <= n // 2)]
        inside = {"pass": np.zeros((len(every), len(ks))), "vote": np.zeros((len(every), len(ks)))}
        width = np.zeros(len(every))
        for i, (_, log) in enumerate(every):
            rng = np.random.default_rng(i)
            for repetition in range(repetitions):
                seen, hidden = split(log, n, rng)
                if not repetition:
                    curve = summarise(seen, ks, B=2).pass_at_k
                    assert curve is not None
                    p = seen.right / seen.n
                    plain = Z * np.sqrt((p * (1 - p) / (n - 1)).sum()) / len(p)
                    width[i] = (curve.same_high[0] - curve.same_low[0]) / 2 / plain
                Q = len(seen.questions)
                both = [
                    (pass_at_k(of.n, of.right, ks).mean(axis=0), pass_variance(of.n, of.right, ks).sum(axis=0) / Q**2)
                    for of in (seen, hidden)
                ]
                inside["pass"][i] += _holds(*both) / repetitions
                if repetition < votes:
                    both = [
                        (vote_at_k(of, ks).mean(axis=0), vote_variance(of, ks).sum(axis=0) / Q**2)
                        for of in (seen, hidden)
                    ]
                    inside["vote"][i] += _holds(*both) / min(votes, repetitions)
        for what, shares in inside.items():
            for j, k in enumerate(ks):
                ratio = f"{width.max():20.3f}" if what == "pass" and k == 1 else ""
                mean, worst = 100 * shares[:, j].mean(), 100 * shares[:, j].min()
                print(f"{n:2}  {k:3}   {what}   {mean:6.1f}   {worst:6.1f}{ratio}", flush=True)


def _holds(seen: tuple[FloatArray, FloatArray], hidden: tuple[FloatArray, FloatArray]) -> FloatArray:
    (estimate, variance), (truth, its_variance) = seen, hidden
    return np.asarray(np.abs(estimate - truth) <= Z * np.sqrt(variance + its_variance), dtype=np.float64)


def tables(folder: Path) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(R, 198) accuracy, USD and seconds by question, of one call and of votes of 1 ... n of every run with a price."""
    found: list[list[FloatArray]] = [[], [], []]
    every = [run for run in runs(folder) if run.known("cost_usd").any() and run.known("latency_s").any()]
    names = sorted({name for run in every for name in run.questions})
    for run in every:
        scored = run.scored
        k = np.arange(1, min(scored.largest_k, 16) + 1)
        place = [names.index(name) for name in scored.questions]
        usd, seconds = np.nan_to_num(scored["cost_usd"]), np.nan_to_num(scored["latency_s"])
        worth = pass_at_k(scored.n, scored.right, [1])
        if not scored.no_choice("answer"):
            worth = vote_at_k(scored, k)
        k = k[: worth.shape[1]]
        costs = np.bincount(scored.question, usd)[:, None] / scored.n[:, None] * k
        slowest = largest_of_k(seconds, scored.question, k)[0]
        for of, values in zip(found, (worth, costs, slowest), strict=True):
            whole = np.full((len(k), len(names)), np.nan)
            whole[:, place] = values.T
            of.append(whole)
    accuracy, cost, latency = (np.concatenate(of) for of in found)
    return accuracy, cost, latency


def risk(repetitions: int) -> None:
    """How often a budget is broken, as stated and in truth, and how often a stated share is that of the best row."""
    accuracy, cost, latency = tables(Path(os.environ["MOO_INFER_DATA"], "epoch_gpqa"))
    known = np.isfinite(accuracy)
    whole = [np.nan_to_num(table) for table in (accuracy, cost, latency)]
    budgets = [(c, s) for c in np.geomspace(0.003, 1, 6) for s in np.geomspace(30, 1000, 4)]

    def means(weights: FloatArray) -> list[FloatArray]:
        """(3, B, R) means with weights (B, 198) of the questions."""
        with np.errstate(invalid="ignore"):
            return [np.where(of := weights @ known.T, weights @ table.T / of, np.nan) for table in whole]

    def chosen(tables: list[FloatArray], usd: float, seconds: float) -> tuple[Array, Array]:
        """(B,) the most accurate row within the budgets, and whether there is one."""
        met: Array = (tables[1] <= usd) & (tables[2] <= seconds)
        best: Array = np.where(met, tables[0], -1.0).argmax(axis=1)
        return best, np.asarray(met.any(axis=1))

    truth = means(np.ones((1, known.shape[1])))
    print(
        f"{len(accuracy)} rows; questions   decisions   stated risk   true   with the given values of the choice itself"
    )
    for Q in (22, 45, 99):
        rng = np.random.default_rng(Q)
        stated, plain, true = [], [], []
        shares: list[tuple[float, bool]] = []
        for _ in range(repetitions):
            times = np.bincount(rng.integers(0, known.shape[1], Q), minlength=known.shape[1]).astype(np.float64)
            given, redrawn = means(times[None]), means(rng.standard_gamma(np.tile(times, (400, 1))))
            for usd, seconds in budgets:
                (row,), (any_row,) = chosen(given, usd, seconds)
                if not any_row:
                    continue
                rows, feasible = chosen(redrawn, usd, seconds)
                breaks = (given[1][0] > usd) | (given[2][0] > seconds)
                stated.append(np.mean(breaks[rows] & feasible))
                plain.append(np.mean((redrawn[1][:, row] > usd) | (redrawn[2][:, row] > seconds)))
                true.append(truth[1][0, row] > usd or truth[2][0, row] > seconds)
                (best,), _ = chosen(truth, usd, seconds)
                shares.append((float(np.mean(rows == row)), row == best))
        figures = f"{100 * np.mean(stated):11.1f} % {100 * np.mean(true):4.1f} % {100 * np.mean(plain):11.1f} %"
        print(f"{Q:20} {len(true):11} {figures}")
        stated_share, right = np.array(shares, dtype=np.float64).T
        for low, high in pairwise((0.0, 0.2, 0.35, 0.5, 0.65, 0.8, 1.01)):
            some = (stated_share >= low) & (stated_share < high)
            if some.any():
                figures = f"stated {stated_share[some].mean():.2f}, the best in truth {right[some].mean():.2f}"
                print(f"      share {low:.2f} to {min(high, 1):.2f}: {figures} ({some.sum()} decisions)")


def speed() -> None:
    """Both intervals at all k to 32, 500 questions of 80 samples."""
    for _, log in list(logs())[:7]:
        for what, of in (("with votes", log), ("without", replace(log, columns={}))):
            start = time.perf_counter()
            summarise(of, np.arange(1, 33))
            print(f"{log.model} {what}: {time.perf_counter() - start:.3f} s")


if __name__ == "__main__":
    part, *numbers = sys.argv[1:] or ["other"]
    repetitions = int(numbers[0]) if numbers else 400
    if part == "other":
        other(repetitions)
    elif part == "same":
        same(repetitions, int(numbers[1]) if len(numbers) > 1 else repetitions)
    elif part == "risk":
        risk(repetitions)
    else:
        speed()
