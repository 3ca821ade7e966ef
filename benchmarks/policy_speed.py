"""How long policies take to be evaluated exactly on real logs.

- 8 policies on each of the 22 models of GPQA Diamond that were asked 198 questions eight times, a table of 176 rows:
  by the package, and by replaying 10,000 queries of each.
- All cascades of two of these models: 2, 3 or 5 samples that agree, else one call of the other, 1,386 policies; by
  counts with stages that are forgotten, and 60 of them by subsets of samples of both models, to compare.
- A policy in plain Python over two of them, which looks at single answers.
- Adaptive consistency with up to 40 samples of 500 questions, and with up to 80, from logs of 80 samples.

Seconds are those of one processor, so that other work beside it does not count; they depend on the machine, the ratios
depend on it less. Logs are read beforehand, nothing else is. It takes about
two minutes. To repeat, with the shared data:

    MOO_INFER_DATA=/path/to/data python benchmarks/policy_speed.py
"""

import csv
import gzip
import os
import platform
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from moo_infer import Answer, Call, ModelProfile, Pipeline, Policy, Registry, Samples, Seen
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.builtin.policies import AdaptiveConsistency
from moo_infer.builtin.stages import Cascade, Stage
from moo_infer.policy.deployment import Deployment
from moo_infer.policy.exact import by_subsets, evaluated
from moo_infer.policy.replay import replayed

REGISTRY = Registry(entry_points=False)
EIGHT = (
    "fixed:k=8",
    "vote-until-decided:k=8",
    "vote-until-decided:k=8,waves=[1]",
    "vote-until-decided:k=8,arrivals=true",
    "two-then-more:k=8",
    "adaptive-consistency:k=8",
    "windows:window=2,k=8",
    "first-accepted:k=8",
)

Profiles = dict[str, ModelProfile]


@dataclass(frozen=True)
class Plain(Policy):
    """Three samples; where they do not agree, two of another model, and a third one where these differ too."""

    name = "plain"
    cheap: str
    dear: str

    @property
    def most(self) -> Mapping[str, int]:
        """Three calls of each."""
        return {self.cheap: 3, self.dear: 3}

    def decide(self, seen: Seen, /) -> Call | Answer:
        """Compare the answers."""
        if not seen.n(self.cheap):
            return Call({self.cheap: 3})
        cheap = seen.column(self.cheap, "answer").tolist()
        dear = seen.column(self.dear, "answer").tolist()
        if cheap.count(cheap[0]) == 3:
            return Answer(of=(self.cheap,))
        if len(dear) < 2:
            return Call({self.dear: 2})
        return Answer(of=(self.dear,)) if len(dear) == 3 or dear[0] == dear[1] else Call({self.dear: 1})


def gpqa(data: Path) -> Profiles:
    """The models with prices, seconds and eight scored samples of all questions, of which few are blank."""
    with (data / "prices.csv").open() as file:
        prices = {row["run_id"]: row for row in csv.DictReader(file)}
    runs = defaultdict(list)
    with gzip.open(data / "samples_gpqa_diamond.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            runs[row["run_id"]].append(row)
    profiles = {}
    for run, rows in runs.items():
        price = prices[run]
        if not price["input_usd_per_mtok"] or any(not row["tokens_in"] or not row["working_time_s"] for row in rows):
            continue
        rows = sorted((row for row in rows if row["correct"]), key=lambda row: row["question_id"])
        questions = sorted({row["question_id"] for row in rows})
        place = np.searchsorted(questions, [row["question_id"] for row in rows])
        if (
            len(questions) != 198
            or (np.bincount(place) != 8).any()
            or np.mean([not row["answer"] for row in rows]) > 0.1
        ):
            continue
        usd = [
            float(row["tokens_in"]) * float(price["input_usd_per_mtok"]) / 1e6
            + float(row["tokens_out_billed"]) * float(price["output_usd_per_mtok"]) / 1e6
            for row in rows
        ]
        columns = {
            "answer": np.array(["ABCDEFGHIJ".find(row["answer"]) if row["answer"] else -1 for row in rows]),
            "latency_s": np.array([float(row["working_time_s"]) for row in rows]),
            "cost_usd": np.array(usd),
        }
        right = np.array([float(row["correct"]) for row in rows])
        samples = Samples(run[:4], questions, place.astype(np.int64), right, columns)
        profiles[run[:4]] = ModelProfile(run[:4], Empirical(samples), (LoggedCost(), LoggedLatency()))
    return profiles


def boinf(data: Path, name: str, model: str, n: int) -> Profiles:
    """The first n of 80 samples of every question; a call costs a millionth of a dollar for every token."""
    rows: dict[str, list[dict[str, str]]] = defaultdict(list)
    with gzip.open(data / f"{name}.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            if row["model"] == model and len(rows[row["question_id"]]) < n:
                rows[row["question_id"]].append(row)
    every = [row for own in rows.values() for row in own]
    code = {text: i for i, text in enumerate(dict.fromkeys(row["answer"] for row in every if row["answer"]))}
    columns = {
        "answer": np.array([code.get(row["answer"], -1) for row in every]),
        "cost_usd": np.array([float(row["output_tokens"]) for row in every]) / 1e6,
    }
    question = np.repeat(np.arange(len(rows)), [len(own) for own in rows.values()])
    right = np.array([float(row["correct"]) for row in every])
    return {model: ModelProfile(model, Empirical(Samples(model, [*rows], question, right, columns)), (LoggedCost(),))}


def seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def evaluation(policy: Policy, profiles: Profiles) -> Deployment:
    return Deployment.of(policy, profiles, None, REGISTRY)


def main() -> None:
    data = Path(os.environ["MOO_INFER_DATA"])
    print(f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}\n")
    models = gpqa(data / "epoch_gpqa")
    names = [*models]
    pairs = [(a, b) for a in names for b in names if a != b]
    cascades = [Cascade(Stage(a, k), Stage(b)) for a, b in pairs for k in (2, 3, 5)]

    def table() -> None:
        Pipeline("one-call", k=[1], models=models, policies=EIGHT, registry=REGISTRY).candidates()

    eight = seconds(table)
    print(f"{len(EIGHT)} policies x {len(models)} models, a table: {eight:.2f} s (at most 3)")
    (some,) = [evaluation(AdaptiveConsistency(k=8, model=name), models) for name in names[:1]]
    replay = seconds(lambda: replayed(some, 10_000, 0)) * len(EIGHT) * len(models)
    print(f"    as many replays of 10,000 queries: {replay:.1f} s, {replay / eight:.1f} x")

    models = gpqa(data / "epoch_gpqa")  # so that nothing is known of them
    staged = seconds(lambda: [evaluated(evaluation(policy, models)) for policy in cascades])
    print(f"{len(cascades)} cascades of two models: {staged:.2f} s (at most 2)")
    few = cascades[:: len(cascades) // 60]
    subsets = seconds(lambda: [by_subsets(evaluation(policy, models)) for policy in few]) / len(few)
    print(f"    by subsets: {subsets * len(cascades):.1f} s, {subsets * len(cascades) / staged:.1f} x")

    plain = seconds(lambda: evaluated(evaluation(Plain(names[0], names[1]), models)))
    print(f"a policy in plain Python, 198 questions x 2 models: {plain:.2f} s (at most 5)")

    for n, limit in ((40, " (at most 20)"), (80, "")):
        log = boinf(data / "boinf", "math500", "gpt-oss-20b", n)
        of = evaluation(AdaptiveConsistency(k=n, model="gpt-oss-20b"), log)
        counted = seconds(partial(evaluated, of))
        left = len(evaluated(of).replayed)
        print(f"{n} samples of 500 questions, by counts: {counted:.2f} s{limit}; {left} questions are replayed")


if __name__ == "__main__":
    main()
