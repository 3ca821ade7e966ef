"""From nothing to a first log, a calibrated profile and a policy that runs, against a model on this machine.

The model is a fake one that speaks the protocol of OpenAI's chat completions, so that nothing is paid. To do the same
with a real one, put its address, the name of the variable with the key, and its prices into models.yaml.
"""

import json
import tempfile
from pathlib import Path

from moo_infer.cli import run
from moo_infer.testing import FakeEndpoint, FakeRequest, SeededAnswers

HARD = 3  # every third question has larger numbers

MODELS = """
models:
  small:
    call:
      base_url: {base_url}
      template: "{{question}} Answer with a number."
      max_tokens: 100
      extract: last-number
    costs: [{{kind: linear-cost, usd_per_input_token: 1.0e-07, usd_per_output_token: 4.0e-07}}]
    variants:
      cot: {{call: {{template: "{{question}} Think step by step, then answer with a number."}}}}
"""


def question(i: int) -> dict[str, str]:
    a, b = (17 * i + 3, 23 * i + 7) if i % HARD == 0 else (i + 2, 2 * i + 1)
    text = f"What is {a} + {b}?"
    return {"question_id": f"q{i}", "question": text, "target": str(a + b), "task": "hard" if i % HARD == 0 else "easy"}


def target(request: FakeRequest) -> str:
    a, _, b = request.prompt.split("?")[0].split()[2:]
    return str(int(a) + int(b))


def p_right(request: FakeRequest) -> float:
    """How likely the fake model is right: less on larger numbers, more where it thinks first."""
    hard = len(target(request)) > 3
    return (0.4 if hard else 0.8) + (0.15 if "step by step" in request.prompt else 0.0)


def moo_infer(*words: str) -> None:
    print(f"\n$ moo-infer {' '.join(words)}", flush=True)
    if code := run(words):
        raise SystemExit(code)


def main() -> None:
    answers = SeededAnswers(target, p=p_right)
    with tempfile.TemporaryDirectory() as name, FakeEndpoint(answers) as fake:
        folder = Path(name)
        questions, models, log, mine = (
            str(folder / file) for file in ("questions.jsonl", "models.yaml", "log.jsonl", "mine.yaml")
        )
        Path(questions).write_text("".join(json.dumps(question(i)) + "\n" for i in range(60)), encoding="utf-8")
        Path(models).write_text(MODELS.format(base_url=fake.base_url), encoding="utf-8")

        # A first log: eight samples a question of the model and its variant.
        moo_infer("sample", questions, "--models", models, "--samples", "8", "--out", log, "--yes")
        # What it says, as profiles with accuracy, tokens and seconds; how the models are called goes along.
        moo_infer("calibrate", log, "--models", models, "--out", mine)
        # The decision, policies among the candidates.
        two = "two-then-more:k=8"
        moo_infer("recommend", "--models", mine, "--policy", two, "--policy", "vote-until-decided:k=8,waves=[3,2,3]")
        # And the policy at work, within a budget.
        out = str(folder / "run.jsonl")
        policy = f"{two},model=small/cot"
        moo_infer("run", questions, "--models", mine, "--policy", policy, "--out", out, "--budget", "0.05")
        # Of a log whose calls depended on answers, only the first wave says what the model is worth.
        moo_infer("calibrate", out)


if __name__ == "__main__":
    main()
