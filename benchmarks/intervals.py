"""How often the two intervals of a log hold (docs/calibration.md).

Other questions: logs of 10 to 198 questions are drawn from four populations of 3,000. These questions: the samples of
Best-of-infinity, in the folder that MOO_INFER_DATA names, are split in two at random; the interval from the first n is
held against what the others say, whose own variance is added. With 400 repetitions it takes about an hour::

    python benchmarks/intervals.py other 400
    python benchmarks/intervals.py same 400
"""

import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from moo_infer.calibrate import summarise
from moo_infer.core.arrays import FloatArray, IntArray
from moo_infer.quantities.samples import Samples
from moo_infer.quantities.subsets import pass_at_k, vote_at_k
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
                print(
                    f"{n:2}  {k:3}   {what}   {100 * shares[:, j].mean():6.1f}   {100 * shares[:, j].min():6.1f}{ratio}",
                    flush=True,
                )


def _holds(seen: tuple[FloatArray, FloatArray], hidden: tuple[FloatArray, FloatArray]) -> FloatArray:
    (estimate, variance), (truth, its_variance) = seen, hidden
    return np.asarray(np.abs(estimate - truth) <= Z * np.sqrt(variance + its_variance), dtype=np.float64)


def speed() -> None:
    """Both intervals at all k to 32, 500 questions of 80 samples."""
    for _, log in list(logs())[:7]:
        for what, of in (("with votes", log), ("without", replace(log, columns={}))):
            start = time.perf_counter()
            summarise(of, np.arange(1, 33))
            print(f"{log.model} {what}: {time.perf_counter() - start:.3f} s")


if __name__ == "__main__":
    part, repetitions = (*sys.argv[1:], "other")[0], int((*sys.argv[2:], 400)[0])
    if part == "other":
        other(repetitions)
    elif part == "same":
        same(repetitions, int((*sys.argv[3:], repetitions)[0]))
    else:
        speed()
