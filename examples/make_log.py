"""Prints examples/log.csv: an invented evaluation, three models on 60 questions, 8 samples each.

Questions differ in difficulty, alike for all models; wrong answers to a question are drawn from a few favourites. Half
a per cent of the samples fail. Run it as ``python examples/make_log.py > examples/log.csv``.
"""

import csv
import sys

import numpy as np

QUESTIONS, SAMPLES = 60, 8
MODELS = {  # skill, tokens of an answer, seconds per token
    "acme/small": (0.3, 300, 0.004),
    "acme/medium": (1.0, 700, 0.008),
    "acme/large": (1.9, 1500, 0.015),
}
HEADER = ("model", "question_id", "sample", "correct", "answer", "input_tokens", "output_tokens", "latency_s")


def main() -> None:
    rng = np.random.default_rng(2510)
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(HEADER)
    difficulty = rng.normal(0.0, 1.6, QUESTIONS)
    right_answer = rng.integers(10, 990, QUESTIONS)
    prompt = rng.integers(60, 240, QUESTIONS)
    for model, (skill, tokens, seconds) in MODELS.items():
        own = rng.normal(0.0, 0.7, QUESTIONS)  # what this model finds hard
        for q in range(QUESTIONS):
            solved = 1 / (1 + np.exp(difficulty[q] + own[q] - skill))
            longer = np.exp(0.35 * difficulty[q])
            favourites = right_answer[q] + rng.choice([-100, -10, -1, 1, 2, 10, 100], 4, replace=False)
            for sample in range(1, SAMPLES + 1):
                right = rng.random() < solved
                answer = right_answer[q] if right else rng.choice(favourites, p=[0.5, 0.25, 0.15, 0.1])
                out = round(tokens * longer * np.exp(rng.normal(-0.08, 0.4)))
                wait = 0.4 + seconds * out * np.exp(rng.normal(-0.02, 0.2))
                row = [int(right), answer, prompt[q], out, f"{wait:.2f}"]
                failed = rng.random() < 0.005
                table.writerow([model, f"q{q + 1:02}", sample, *(["", "", "", "", ""] if failed else row)])


if __name__ == "__main__":
    main()
