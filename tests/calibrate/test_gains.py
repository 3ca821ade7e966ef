"""What variants gain over a base and how long their answers are: closed forms, simulation, `compare`, and a study."""

import csv
import json
import math

import numpy as np
import pytest

from moo_infer import MooInferError, Samples
from moo_infer.calibrate import (
    changes_nothing,
    compare,
    length_multiplier,
    paired_gains,
    paired_length_multiplier,
    published_gains,
)
from moo_infer.calibrate.differences import holm
from moo_infer.report.text import laid_out


@pytest.fixture(scope="module")
def study(data):
    def rows(name):
        with (data / "strategies" / name).open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    return rows


def column(rows, name):
    return np.array([float(row[name]) for row in rows])


def test_a_published_gain_is_that_of_a_z_test():
    found = published_gains(["maths"], [0.60], [0.50], [0.03], [0.04])["maths"]
    assert (found.value, found.stderr, found.z) == pytest.approx((0.1, 0.05, 2.0))
    assert (found.low, found.high) == pytest.approx((0.1 - 1.959964 * 0.05, 0.1 + 1.959964 * 0.05))
    assert found.p == pytest.approx(math.erfc(2 / math.sqrt(2)))
    assert found.real
    assert found.smallest == pytest.approx((1.959964 + 0.841621) * 0.05)


def test_overall_every_label_counts_the_same():
    found = published_gains(["a", "b"], [0.6, 0.4], [0.5, 0.41], [0.03, 0.0], [0.04, 0.02])
    assert found.overall.value == pytest.approx((0.1 - 0.01) / 2)
    assert found.overall.stderr == pytest.approx(math.hypot(0.05, 0.02) / 2)


def test_p_values_of_rows_are_corrected_and_intervals_are_not():
    labels = [f"task {i}" for i in range(10)]
    errors = np.full(10, 0.02)
    found = published_gains(labels, [0.56] + [0.5] * 9, [0.5] * 10, errors, errors)
    alone = published_gains(["task 0"], [0.56], [0.5], [0.02], [0.02])["task 0"]
    assert found["task 0"].p == pytest.approx(10 * alone.p)
    assert (alone.real, found["task 0"].real) == (True, False)
    assert (found["task 0"].low, found.better, found.worse) == (alone.low, ("task 0",), ())
    assert "about 0.5 of 10 would seem to" in " ".join(found.sentences())


def test_holm_is_the_slow_way_too():
    p = np.random.default_rng(0).random(12) ** 3
    order = np.argsort(p)
    slow = [max(min(1.0, (12 - j) * p[order[j]]) for j in range(np.flatnonzero(order == i)[0] + 1)) for i in range(12)]
    assert holm(p.tolist()) == pytest.approx(slow)
    assert holm([]) == []


def test_without_noise_a_gain_is_certain_and_none_is_none():
    found = published_gains(["a", "b"], [0.6, 0.5], [0.5, 0.5], [0, 0], [0, 0])
    assert [(gain.real, gain.z) for gain in found.rows.values()] == [(True, None), (False, None)]
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_strategy_that_helps_one_task_and_hurts_another_is_called_so():
    found = published_gains(["maths", "law", "art"], [0.7, 0.3, 0.5], [0.5, 0.5, 0.5], [0.02] * 3, [0.02] * 3)
    assert found.helps_and_hurts
    text = " ".join(laid_out(found.blocks(), 120).split())
    assert "It helps with maths and hurts with law: decide by label." in text
    assert "The variant gains +0.00 points" in text
    assert "not told apart from nothing; the smallest gain that would be seen in 80 % of cases is" in text
    assert "<table" in found._repr_html_()
    assert not published_gains(["maths", "law"], [0.7, 0.49], [0.5, 0.5], [0.02] * 2, [0.02] * 2).helps_and_hurts


def test_paired_gains_are_the_differences_that_compare_finds():
    rng = np.random.default_rng(0)
    names, question = [f"q{i}" for i in range(60)], np.repeat(np.arange(60), 3)
    logs = [Samples(m, names, question, (rng.random(180) < p) * 1.0) for m, p in (("a", 0.8), ("b", 0.7))]
    shares = [log.right / log.n for log in logs]
    found = paired_gains(*shares, names, ["x", "y"] * 30, B=2000, seed=1)
    assert found.overall == compare(logs, k=1, B=2000, seed=1).pairs[0]["accuracy"]
    half = [
        Samples(log.model, names[::2], np.repeat(np.arange(30), 3), log.correct.reshape(60, 3)[::2].ravel())
        for log in logs
    ]
    alone = compare(half, k=1, B=2000, seed=1).pairs[0]["accuracy"]
    assert (found["x"].value, found["x"].low, found["x"].high) == (alone.value, alone.low, alone.high)
    assert paired_gains(*shares, names, B=2000, seed=1)["all"] == found.overall


def test_pairing_narrows_the_interval_where_the_same_questions_are_hard():
    rng = np.random.default_rng(0)
    hard = rng.beta(0.5, 0.5, 400)
    right = [(rng.random((400, 8)) < p[:, None]).mean(1) for p in (hard, np.clip(hard + 0.05, 0, 1))]
    errors = [[of.std(ddof=1) / 20] for of in right]
    apart = published_gains(["all"], [right[1].mean()], [right[0].mean()], errors[1], errors[0]).overall
    paired = paired_gains(right[1], right[0], [f"q{i}" for i in range(400)]).overall
    assert paired.value == pytest.approx(apart.value)
    assert paired.high - paired.low < 0.5 * (apart.high - apart.low)


def test_a_multiplier_is_a_ratio_of_means_and_no_mean_of_ratios():
    found = length_multiplier([100.0, 140.0], [50.0, 1.0], [0, 0], [0, 0])
    assert found.to_dict() == pytest.approx(dict.fromkeys(("value", "low", "high"), 240 / 51))
    by_items = length_multiplier([100.0, 140.0], [50.0, 1.0], [0, 0], [0, 0], [3, 1])
    assert by_items.value == pytest.approx((3 * 100 + 140) / (3 * 50 + 1))
    assert length_multiplier([100.0], [50.0], [1.0], [10.0]).low == pytest.approx(1.4358, abs=1e-4)
    assert length_multiplier([100.0], [50.0], [1.0], [26.0]).to_dict()["high"] is None


@pytest.mark.parametrize("paired", [True, False])
def test_intervals_of_multipliers_hold_the_truth_in_95_of_100_cases(paired):
    """Words are skewed; long questions are long for both."""
    rng, held, widths = np.random.default_rng(0), [], []
    for _ in range(1500):
        question = rng.normal(0, 0.5, (2, 200))
        base = np.exp(3 + question[0] + rng.normal(0, 0.3, 200))
        variant = np.exp(4 + question[0 if paired else 1] + rng.normal(0, 0.3, 200))
        if paired:
            found = paired_length_multiplier(variant, base)
        else:
            errors = [[of.std(ddof=1) / math.sqrt(200)] for of in (variant, base)]
            found = length_multiplier([variant.mean()], [base.mean()], *errors)
        held.append(found.holds(math.e))
        widths.append(found.high - found.low)
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)  # 3.5 standard errors
    assert bool(np.mean(widths) < 0.5) is paired


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": []}, "labels: must not be empty"),
        ({"labels": ["a", "a"]}, "labels: must be different, got 'a' twice"),
        ({"variant": [0.5]}, r"variant: must have the shape \(2,\), got \(1,\)"),
        ({"variant": [0.5, math.nan]}, r"variant\[1\]"),
        ({"base": [0.5, 1.5]}, r"base\[1\]: must be between 0 and 1, got 1.5"),
        ({"base_stderr": [0.1, -0.1]}, r"base_stderr\[1\]: must be >= 0, got -0.1"),
        ({"confidence": 1.0}, "confidence: must be between 0 and 1"),
    ],
)
def test_tables_that_are_not_allowed_are_refused(change, message):
    table = {"labels": ["a", "b"], "variant": [0.5, 0.6], "base": [0.4, 0.4]}
    table |= {"variant_stderr": [0.1, 0.1], "base_stderr": [0.1, 0.1]}
    with pytest.raises(MooInferError, match=message):
        published_gains(**(table | change))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paired_gains([], [], []), "questions: must not be empty"),
        (lambda: paired_gains([1, 1], [0, 1], ["q", "q"]), "questions: must be different"),
        (lambda: paired_gains([1, 1], [0, 1], ["p", "q"], ["x"]), "labels: must be as many as questions, 2, got 1"),
        (lambda: paired_gains([1, 1], [0, 1], ["p", "q"], confidence=0), "confidence: must be between 0 and 1"),
        (lambda: paired_gains([1, 2], [0, 1], ["p", "q"]), r"variant\[1\]: must be between 0 and 1"),
        (lambda: length_multiplier(1.0, [1], [0], [0]), r"variant: must be a list or an array, got 1.0"),
        (lambda: length_multiplier([], [], [], []), "no cell with a weight"),
        (lambda: length_multiplier([1], [1], [0], [0], [0]), "no cell with a weight"),
        (lambda: length_multiplier([1], [0], [0], [0]), "all its lengths are 0"),
        (lambda: length_multiplier([1], [-1], [0], [0]), r"base\[0\]: must be >= 0"),
        (lambda: paired_length_multiplier([1], [1]), "needs at least 2 questions, got 1"),
        (lambda: paired_length_multiplier([1, 2], [0, 0]), "all its lengths are 0"),
    ],
)
def test_arrays_that_are_not_allowed_are_refused(call, message):
    with pytest.raises(MooInferError, match=message):
        call()


def test_gains_of_chain_of_thought_in_the_study(study):
    options = study("options.csv")
    cot, standard = ([row for row in options if row["strategy"] == of] for of in ("cot", "standard"))
    labels = [f"{row['model']} {row['checkpoint']}" for row in cot]
    assert labels == [f"{row['model']} {row['checkpoint']}" for row in standard]
    scores = [column(rows, name) for name in ("score", "score_se") for rows in (cot, standard)]
    found = published_gains(labels, *scores)
    olmo, llama = found["OLMo-1B-0724-hf main"], found["Llama-3.2-1B main"]
    assert (f"{olmo.value:.8f}", f"{olmo.stderr:.5f}", f"{olmo.z:.2f}") == ("0.00453563", "0.00540", "0.84")
    assert (olmo.real, olmo.low < 0 < olmo.high) == (False, True)
    assert (f"{llama.value:.7f}", f"{llama.z:.2f}") == ("-0.0146865", "-2.66")
    assert (found.better, found.worse) == ((), ("Llama-3.2-1B main",))


def test_gains_by_task_in_the_study(study):
    rows = study("per_task.csv")
    labels = [f"{row['model']} {row['checkpoint']} {row['task']}" for row in rows]
    names = ("accuracy_cot", "accuracy_standard", "stderr_cot", "stderr_standard")
    found = published_gains(labels, *(column(rows, name) for name in names))
    large = [gain for gain in found.rows.values() if abs(gain.z) > 2]
    assert (len(found.rows), len(large)) == (63, 10)
    assert [sum(gain.value > 0 for gain in large), sum(gain.value < 0 for gain in large)] == [5, 5]
    assert (len(found.better), len(found.worse)) == (5, 5)
    assert [label for label, gain in found.rows.items() if gain.real] == ["Llama-3.2-1B main MMLU"]
    assert not found.helps_and_hurts
    assert "about 3.2 of 63 would seem to" in " ".join(found.sentences())


def test_word_multipliers_in_the_study(study):
    rows = [row for row in study("per_task.csv") if row["words_mean_cot"] and row["words_mean_standard"]]
    assert len(rows) == 48

    def multiplier(of, *, by_items=False):
        items = [np.sqrt(column(of, f"n_items_{s}")) for s in ("cot", "standard")]
        means = [column(of, f"words_mean_{s}") for s in ("cot", "standard")]
        errors = [column(of, f"words_std_{s}") / n for s, n in zip(("cot", "standard"), items, strict=True)]
        return length_multiplier(*means, *errors, items[0] ** 2 if by_items else None)

    found = multiplier(rows)
    assert f"{found.value:.6f}" == "2.716683"
    assert found.low < 2.7167 < found.high
    assert f"{multiplier(rows, by_items=True).value:.3f}" == "2.968"
    assert f"{multiplier([row for row in rows if row['task'] == 'MMLU']).value:.6f}" == "37.955690"
    olmo = [row for row in rows if (row["model"], row["checkpoint"]) == ("OLMo-1B-0724-hf", "main")]
    assert f"{multiplier(olmo).value:.6f}" == "1.440281"


@pytest.mark.parametrize(
    ("levels", "runs", "figure", "ends", "money", "real"),
    [
        ("low, medium", ("oD4Jpoi75KWChqTPDaN9aB", "MuhtxxvALeZZ37cSG5CVcc"), "+.0518", (0.026, 0.079), "1.85", True),
        (
            "medium, high",
            ("MuhtxxvALeZZ37cSG5CVcc", "3Q6osT8EYezayG7yfxkSpr"),
            "+.0032",
            (-0.012, 0.017),
            "1.77",
            False,
        ),
        ("high, xhigh", ("3Q6osT8EYezayG7yfxkSpr", "Ejo6Fy7XYxUDcCwbejfcYX"), "+.0322", (0.010, 0.058), "3.73", True),
    ],
)
def test_a_ladder_of_efforts_has_a_level_that_changes_nothing(data, levels, runs, figure, ends, money, real):
    """GPT-5.2 on GPQA Diamond at 1.75 and 14 USD per million tokens."""
    import polars as pl

    log = pl.scan_csv(data / "epoch_gpqa" / "samples_gpqa_diamond.csv.gz", infer_schema_length=None)
    usd = (pl.col("tokens_in") * 1.75 + pl.col("tokens_out_billed") * 14).mean() / 1e6
    base, variant = (
        log.filter(pl.col("run_id") == run)
        .group_by("question_id")
        .agg(pl.col("correct").mean(), usd=usd)
        .sort("question_id")
        .collect()
        for run in runs
    )
    questions = base["question_id"].to_list()
    assert variant["question_id"].to_list() == questions
    gain = paired_gains(variant["correct"].to_numpy(), base["correct"].to_numpy(), questions).overall
    assert f"{gain.value:+.4f}".replace("0.", ".") == figure, levels
    assert (gain.low, gain.high) == pytest.approx(ends, abs=0.003)
    assert gain.real is real
    more = paired_length_multiplier(variant["usd"].to_numpy(), base["usd"].to_numpy())
    assert f"{more.value:.2f}" == money
    assert changes_nothing(gain, more) is not real
