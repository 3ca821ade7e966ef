"""Answers of several models: compared by their texts, however each model's are coded, or not at all."""

import csv
from collections import Counter
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pytest

from moo_infer import Answer, Call, ModelProfile, MooInferError, Pipeline, Policy, Samples, load_models
from moo_infer.builtin.empirical import Empirical, LoggedCost, LoggedLatency
from moo_infer.builtin.stages import Cascade, Stage
from moo_infer.calibrate import calibrated, read_log, save
from moo_infer.policy.deployment import Deployment
from moo_infer.policy.exact import evaluated
from moo_infer.policy.replay import replayed
from moo_infer.quantities.answer_keys import spelt_apart, unlike_answers

TARGETS = ["9", "7", "12", "0.5", "3"]
# What each model says beside the target; the texts of a come early in the alphabet, so that codes of its own differ.
OTHERS = {"a": ["1", "2", ""], "b": ["2", "8", "aa"], "c": ["1", "zz", " 2 "]}
SPELT = {"a": "{}", "b": " {} ", "c": "{}"}


def rows(n=4, shift=0):
    rng = np.random.default_rng(shift)
    for m, (model, others) in enumerate(OTHERS.items()):
        for q, target in enumerate(TARGETS):
            for i in range(n):
                right = rng.random() < 0.5
                answer = SPELT[model].format(target) if right else others[rng.integers(3)]
                took = {"cost_usd": 0.01 * (1 + m + i), "latency_s": 1.0 + rng.random()}
                yield {
                    "model": model,
                    "question_id": f"q{q}",
                    "sample": i,
                    "correct": int(right),
                    "answer": answer,
                } | took


def write(path, table):
    table = list(table)
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, table[0])
        writer.writeheader()
        writer.writerows(table)
    return path


def profiles(*paths):
    logs = [samples for path in paths for samples in read_log(path).samples()]
    return {log.model: ModelProfile(log.model, Empirical(log), (LoggedCost(), LoggedLatency())) for log in logs}


def by_text(table, first, then, needed):
    """Accuracy and calls of a cascade by question, from the texts themselves: every choice of samples once."""
    found = []
    for q in dict.fromkeys(row["question_id"] for row in table):
        own = {m: [r for r in table if (r["model"], r["question_id"]) == (m, q)] for m in OTHERS}
        worth, calls = [], []
        for some in chosen([own[model] for model, _ in first], [k for _, k in first]):
            texts = Counter(text for row in some if (text := row["answer"].strip()))
            if texts and max(texts.values()) >= needed:
                worth.append(voted(some))
                calls.append(len(some))
            else:
                worth.append(np.mean([voted(last) for last in combinations(own[then[0]], then[1])]))
                calls.append(len(some) + then[1])
        found.append((np.mean(worth), np.mean(calls)))
    return np.array(found).T


def chosen(pools, numbers):
    if not pools:
        yield ()
        return
    for some in combinations(pools[0], numbers[0]):
        for others in chosen(pools[1:], numbers[1:]):
            yield (*some, *others)


def voted(some):
    """What the vote is worth: the mean verdict of the samples with the most frequent texts, ties at random."""
    votes = {}
    for row in some:
        if text := row["answer"].strip():
            votes.setdefault(text, []).append(row["correct"])
    if not votes:
        return 0.0
    most = max(map(len, votes.values()))
    return float(np.mean([np.mean(v) for v in votes.values() if len(v) == most]))


CASES = [
    ((("a", 1), ("b", 1)), ("c", 1), 2),
    ((("a", 2), ("b", 1)), ("c", 2), 2),
]


@pytest.mark.parametrize(("first", "then", "needed"), CASES)
@pytest.mark.parametrize("files", [1, 3])
def test_answers_agree_where_their_texts_do(tmp_path, registry, first, then, needed, files):
    table = list(rows())
    if files == 1:
        paths = [write(tmp_path / "log.csv", table)]
    else:
        paths = [write(tmp_path / f"{m}.csv", [row for row in table if row["model"] == m]) for m in OTHERS]
    made = profiles(*paths)
    codes = [[*made[m].queries.samples["answer"]] for m in ("a", "b")]
    assert codes[0] != codes[1]  # by numbers of their own they agree elsewhere
    policy = Cascade(tuple(Stage(*each) for each in first), Stage(*then), agree=needed)
    of = Deployment.of(policy, made, None, registry)
    found = evaluated(of)
    accuracy, calls = by_text(table, first, then, needed)
    np.testing.assert_allclose(found.mean["accuracy"], accuracy, rtol=1e-12)
    np.testing.assert_allclose(sum(n * share for n, share in found.calls.items()), calls, rtol=1e-12)
    drawn = replayed(of, 20_000, 0)
    assert abs(drawn.totals["accuracy"].mean() - accuracy.mean()) < 4 * drawn.totals["accuracy"].std() / 20_000**0.5
    assert abs(drawn.n.sum(axis=1).mean() - calls.mean()) < 4 * drawn.n.sum(axis=1).std() / 20_000**0.5


@dataclass(frozen=True)
class Panel(Policy):
    """One vote each of some models."""

    name = "panel"
    models: tuple[str, ...] = ()

    @property
    def most(self):
        return dict.fromkeys(self.models, 1)

    def decide(self, seen, /):
        return Answer() if seen.n(self.models[0]) else Call(dict.fromkeys(self.models, 1))


@pytest.mark.parametrize("n", [1, 3])
def test_a_vote_over_models_counts_texts_even_where_no_model_has_two_samples(tmp_path, registry, n):
    table = list(rows(n, shift=5))
    made = profiles(write(tmp_path / "log.csv", table))
    of = Deployment.of(Panel(("b", "a", "c")), made, None, registry)
    expected = [
        np.mean([voted(some) for some in chosen([[r for r in own if r["model"] == m] for m in "bac"], [1, 1, 1])])
        for q in range(len(TARGETS))
        for own in [[row for row in table if row["question_id"] == f"q{q}"]]
    ]
    np.testing.assert_allclose(evaluated(of).mean["accuracy"], expected, rtol=1e-12)
    drawn = replayed(of, 20_000, 0).totals["accuracy"]
    assert abs(drawn.mean() - np.mean(expected)) < 4 * drawn.std() / 20_000**0.5 + 1e-12


def test_what_calibrate_writes_tells_which_answers_are_the_same(tmp_path, registry):
    table = list(rows())
    path = write(tmp_path / "log.csv", table)
    save(calibrated(read_log(path)), tmp_path / "own.yaml")
    made = load_models(tmp_path / "own.yaml", registry)
    policy = Cascade((Stage("a"), Stage("b")), Stage("c"))
    found = evaluated(Deployment.of(policy, made, None, registry))
    np.testing.assert_allclose(found.mean["accuracy"], by_text(table, (("a", 1), ("b", 1)), ("c", 1), 2)[0], rtol=1e-12)


def samples(model, answer, correct, key=None, n=3):
    question = np.repeat(np.arange(len(answer) // n), n)
    columns = {"answer": np.array(answer)} | ({} if key is None else {"answer_key": np.array(key)})
    columns |= {"cost_usd": np.ones(len(answer)), "latency_s": np.ones(len(answer))}
    return Samples(model, [f"q{i}" for i in range(len(answer) // n)], question, np.array(correct, float), columns)


RIGHT = [1, 1, 0] * 3
REFUSED = [
    (
        samples("a", [0, 0, 1] * 3, RIGHT),
        samples("b", [0, 0, 1] * 3, RIGHT),
        "the answers of a are numbers of its own, without the texts that they stand for",
    ),
    (
        samples("a", [0, 0, 1] * 3, RIGHT, [5, 5, 6] * 3),
        samples("b", [0, 0, 1] * 3, RIGHT, [7, 7, 8] * 3),
        "in 0 of the 3 questions that both answer rightly is a right answer of a written as one of b: they are spelt in "
        "other ways, or choices are shuffled",
    ),
]


@pytest.mark.parametrize(("first", "second", "reason"), REFUSED)
@pytest.mark.parametrize("policy", [Cascade((Stage("a"), Stage("b")), Stage("c")), Panel(("a", "b"))], ids=repr)
def test_answers_that_cannot_be_compared_are_refused_in_a_sentence(first, second, reason, policy, registry):
    then = samples("c", [0, 0, 1] * 3, RIGHT)
    made = {log.model: ModelProfile(log.model, Empirical(log), (LoggedCost(),)) for log in (first, second, then)}
    with pytest.raises(MooInferError, match=f"policy '{policy.name}' compares answers of a with those of b: {reason}"):
        Pipeline(k=[1], models=made, policies=[policy], registry=registry).candidates()
    with pytest.raises(MooInferError, match=reason):
        replayed(Deployment.of(policy, made, None, registry), 100, 0)


def test_models_whose_answers_are_not_compared_need_no_texts(registry):
    logs = [samples(model, [0, 0, 1] * 3, RIGHT) for model in ("a", "b")]
    made = {log.model: ModelProfile(log.model, Empirical(log), (LoggedCost(),)) for log in logs}
    found = evaluated(Deployment.of(Cascade(Stage("a", 2), Stage("b")), made, None, registry))
    # Two of a's three samples agree in a third of the draws, and are right; else one of b's is right in two of three.
    assert found.mean["accuracy"].mean() == pytest.approx(1 / 3 + 2 / 3 * 2 / 3)


def test_letters_that_are_shuffled_for_each_run_are_not_compared(gpqa):
    """Choices have other letters in each run, and equal letters are no equal answers: every pair of runs is refused."""
    logs = [profile.queries.samples for profile in gpqa.values()]
    logs = [replace(log, columns={**log.columns, "answer_key": log["answer"]}) for log in logs]
    for pair in combinations(logs, 2):
        assert "they are spelt in other ways, or choices are shuffled" in unlike_answers(*pair)


def test_right_answers_that_are_spelt_in_several_ways_are_said():
    first = samples("a", [0, 0, 1] * 3, RIGHT, [5, 5, 6, 5, 5, 6, 7, 7, 6])
    second = samples("b", [0, 0, 1] * 3, RIGHT, [5, 5, 6, 5, 5, 6, 8, 8, 6])
    assert unlike_answers(first, second) == ""
    assert spelt_apart(first, second) == (
        "in 1 of the 3 questions that both answer rightly, no right answer of a is written as one of b: that they "
        "agree is a lower bound"
    )
    assert spelt_apart(first, first) == ""
