"""Prints examples/efforts.csv: an invented model at three efforts on 200 questions of two tasks, 2 samples each.

More thinking helps with proofs and harms recall; the highest effort thinks twice as long and gains nothing. Run it as
``python examples/make_efforts.py > examples/efforts.csv``.
"""

import csv
import sys

import numpy as np

QUESTIONS, SAMPLES = 200, 2
USD_PER_TOKEN = 2e-6
EFFORTS = {"low": (0.0, 300), "medium": (1.0, 700), "high": (1.0, 1400)}  # thinking, tokens of an answer
TASKS = {"proofs": (-0.6, 1.6), "recall": (1.2, -0.9)}  # how easy, how much thinking helps
HEADER = ("model", "variant", "question_id", "task", "sample", "correct", "input_tokens", "output_tokens", "cost_usd")


def main() -> None:
    rng = np.random.default_rng(22)
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(HEADER)
    difficulty, prompt = rng.normal(0.0, 1.2, QUESTIONS), rng.integers(60, 240, QUESTIONS)
    for effort, (thinking, tokens) in EFFORTS.items():
        for q in range(QUESTIONS):
            task = [*TASKS][q % 2]
            easy, helps = TASKS[task]
            solved = 1 / (1 + np.exp(difficulty[q] - easy - helps * thinking))
            for sample in range(1, SAMPLES + 1):
                out = round(tokens * np.exp(0.2 * difficulty[q] + rng.normal(-0.08, 0.4)))
                usd = f"{USD_PER_TOKEN * (0.25 * prompt[q] + out):.3g}"
                table.writerow(
                    ["tutor", effort, f"q{q + 1:03}", task, sample, int(rng.random() < solved), prompt[q], out, usd]
                )


if __name__ == "__main__":
    main()
