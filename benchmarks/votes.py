"""What votes of many samples take, and how that grows.

- vote@k of 30 questions with 1000, 2000 and 4000 samples each of 8 answers, at every k: exact over all subsets. Beside
  it random orders of 2000 samples, 2000 of each question, which have a standard error;
- `majority-vote` by simulation of 1000 trials (gpt-5's accuracies, and ones of 0.5) at every k up to 1000, 2000 and
  4000. Beside it all counts of right answers at every k up to 2000.

Seconds are of the processor. The exponent is of the last doubling. It takes about a minute. To repeat:

    python benchmarks/votes.py
"""

import time
from collections.abc import Callable
from functools import partial
from math import log2
from typing import Any

import numpy as np

from moo_infer import Draws, Samples
from moo_infer.builtin.aggregators import MajorityVote
from moo_infer.core.arrays import FloatArray, IntArray
from moo_infer.quantities.subsets import vote_at_k

QUESTIONS, ANSWERS, ORDERS, TRIALS = 30, 8, 2000, 1000
SIZES = (1000, 2000, 4000)


def answers(n: int) -> IntArray:
    """(Q, n), from a few that are likely to eight that are about equally so; the first one is right."""
    rng = np.random.default_rng(24)
    return np.stack([rng.choice(ANSWERS, n, p=rng.dirichlet(np.full(ANSWERS, 0.7))) for _ in range(QUESTIONS)])


def exact(n: int) -> FloatArray:
    """(n,), mean over the questions, at every k."""
    given = answers(n).ravel()
    names = [f"q{i}" for i in range(QUESTIONS)]
    samples = Samples("m", names, np.repeat(np.arange(QUESTIONS), n), (given == 0) * 1.0, {"answer": given})
    return np.asarray(vote_at_k(samples, np.arange(1, n + 1)).mean(axis=0))


def by_random_orders(n: int) -> tuple[FloatArray, FloatArray]:
    """(n,) and (n,), mean over the questions at every k, and its standard error."""
    rng, means, variances = np.random.default_rng(1), np.zeros(n), np.zeros(n)
    for of_question in answers(n):
        total, squares = np.zeros(n), np.zeros(n)
        for _ in range(ORDERS):
            order = rng.permutation(of_question)
            votes = np.cumsum(order == np.arange(ANSWERS)[:, None], axis=1)
            won = votes == votes.max(axis=0)
            worth = won[0] / won.sum(axis=0)
            total += worth
            squares += worth**2
        mean = total / ORDERS
        means += mean / QUESTIONS
        variances += (squares / ORDERS - mean**2) / ORDERS / QUESTIONS**2
    return means, np.sqrt(variances)


def majority(accuracy: FloatArray) -> FloatArray:
    """(M, K), as a simulation asks for it."""
    return MajorityVote().aggregate(Draws(accuracy, accuracy, accuracy), np.random.default_rng(0))


def by_all_counts(accuracy: FloatArray) -> FloatArray:
    """(M, K), from the probabilities of every number of right answers."""
    M, K = accuracy.shape
    count, shares = np.zeros((K + 2, M)), np.empty((K, M))
    count[0] = 1.0
    for k, right in enumerate(accuracy.T, 1):
        moved = count[:k] * right
        count[:k] *= 1 - right
        count[1 : k + 1] += moved
        shares[k - 1] = count[k // 2 + 1 : k + 1].sum(axis=0) + (0.5 * count[k // 2] if k % 2 == 0 else 0.0)
    return shares.T


def accuracies(mean: float, std: float, K: int) -> FloatArray:
    return np.clip(np.random.default_rng(2).normal(mean, std, (TRIALS, K)), 0.0, 1.0)


def votes_of(mean: float, std: float, K: int) -> FloatArray:
    return majority(accuracies(mean, std, K))


def timed(function: Callable[[], Any]) -> tuple[float, Any]:
    start = time.process_time()
    result = function()
    return time.process_time() - start, result


def line(what: str, seconds: float, ratio: str = "", target: str = "") -> None:
    print(f"{what:62}{seconds:9.2f}{ratio:>10}{target:>20}")


def grown(what: str, run: Callable[[int], FloatArray], targets: tuple[str, ...]) -> dict[int, tuple[float, FloatArray]]:
    runs: dict[int, tuple[float, FloatArray]] = {}
    for size, target in zip(SIZES, targets, strict=True):
        runs[size] = timed(partial(run, size))
        line(f"{what}{size}", runs[size][0], target=target)
    print(f"{'  exponent':62}{log2(runs[SIZES[-1]][0] / runs[SIZES[-2]][0]):9.2f}")
    return runs


def main() -> None:
    print(f"{'what':62}{'seconds':>9}{'ratio':>10}{'target':>20}")
    votes = grown(f"vote@k, {QUESTIONS} questions, every k, n = ", exact, ("", "<= 3 s", "<= 10 s"))
    seconds, (mean, stderr) = timed(partial(by_random_orders, 2000))
    line(f"{ORDERS} random orders, n = 2000", seconds, f"{votes[2000][0] / seconds:.3f}")
    told = stderr > 1e-5  # elsewhere too few orders differ
    off = np.abs(votes[2000][1] - mean)[told] / stderr[told]
    print(f"  standard error {stderr.max():.1e}; {off.mean():.2f} of them apart on average, {off.max():.1f} at most\n")

    majority(accuracies(0.9, 0.02, 64))
    for name, law, targets in (
        ("gpt-5", (0.94, 0.02), ("", "", "<= 1 s, <= 1.2")),
        ("right half of the time", (0.5, 0.0), ("", "", "")),
    ):
        runs = grown(f"majority-vote, {name}, K = ", partial(votes_of, *law), targets)
        seconds, shares = timed(partial(by_all_counts, accuracies(*law, 2000)))
        line("all counts, K = 2000", seconds, f"{runs[2000][0] / seconds:.3f}")
        print(f"  apart by {np.abs(runs[2000][1] - shares).max():.0e} at most\n")


if __name__ == "__main__":
    main()
