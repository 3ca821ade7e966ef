"""How often `compare` is right (docs/calibration.md).

Pairs of models with dependent chances to be right (a Gaussian copula of 0.8) on logs of 10 to 198 questions of four
populations; equal models; and two halves of the samples of one model (Best-of-infinity, in MOO_INFER_DATA)::

    python benchmarks/compare.py drawn 300
    python benchmarks/compare.py halves 500
"""

import sys

import numpy as np
from intervals import POPULATIONS, QUESTIONS, logs, split  # type: ignore[import-not-found]  # the script beside this one
from scipy.special import betaincinv, ndtr

from moo_infer.calibrate import compare
from moo_infer.core.arrays import FloatArray
from moo_infer.quantities.samples import Samples

PAIRS = ((0, 0), (1, 1), (2, 2), (3, 3), (0, 3), (1, 2), (1, 3), (0, 1))


def drawn_log(name: str, p: FloatArray, rng: np.random.Generator) -> Samples:
    """Eight samples of every question."""
    right = (rng.random((len(p), 8)) < p[:, None]).astype(np.float64)
    return Samples(name, [f"q{i}" for i in range(len(p))], np.repeat(np.arange(len(p)), 8), right.ravel())


def drawn(repetitions: int) -> None:
    """Coverage of differences, and how often equal models are told apart."""
    print("questions   coverage: mean   worst pair   equal models told apart: most   power at 3 points, as said: mean")
    for Q in QUESTIONS:
        held, equal, power = np.zeros((3, len(PAIRS)))
        for j, pair in enumerate(PAIRS):
            rng = np.random.default_rng(10 * pair[0] + pair[1])
            normal = rng.standard_normal((3000, 2))
            normal[:, 1] = 0.8 * normal[:, 0] + 0.6 * normal[:, 1]
            p = [
                betaincinv(mean * c, (1 - mean) * c, ndtr(normal[:, i]))
                for i, (mean, c) in enumerate(POPULATIONS[number] for number in pair)
            ]
            truth = p[0].mean() - p[1].mean()
            for i in range(repetitions):
                chosen = rng.choice(3000, Q, replace=False)
                one, other, again = (
                    drawn_log(name, of[chosen], rng) for name, of in (("a", p[0]), ("b", p[1]), ("c", p[0]))
                )
                difference = compare([one, other], B=1000, seed=i).pairs[0]["accuracy"]
                held[j] += difference.low <= truth <= difference.high
                equal[j] += compare([one, again], B=1000, seed=i).pairs[0]["accuracy"].real
                power[j] += difference.power or 0.0
        held, equal, power = (100 * of / repetitions for of in (held, equal, power))
        print(f"{Q:9} {held.mean():16.1f} {held.min():12.1f} {equal.max():30.1f} {power.mean():34.1f}", flush=True)


def halves(repetitions: int) -> None:
    """How often two halves of one model's samples are told apart."""
    every, false = [log for _, log in logs()], 0
    for i in range(repetitions):
        log = every[i % len(every)]
        rng = np.random.default_rng(i)
        first, second = (
            Samples(name, of.questions, of.question, of.correct)
            for name, of in zip("ab", split(log, int(log.n.min()) // 2, rng), strict=True)
        )
        false += compare([first, second], B=1000, seed=i).pairs[0]["accuracy"].real
    print(f"{repetitions} pairs of halves of {len(every)} logs: {100 * false / repetitions:.1f} % are told apart")


if __name__ == "__main__":
    part, *numbers = sys.argv[1:] or ["drawn"]
    {"drawn": drawn, "halves": halves}[part](int(numbers[0]) if numbers else 300)
