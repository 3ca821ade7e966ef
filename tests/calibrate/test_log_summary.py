import csv
import gzip
import json
from collections import defaultdict
from itertools import combinations

import numpy as np
import pytest

from moo_infer import MooInferError
from moo_infer.calibrate import summarise
from moo_infer.calibrate.report import tabled
from moo_infer.quantities.samples import Samples
from moo_infer.quantities.subsets import best_scored_of_k, vote_at_k
from moo_infer.report.text import laid_out


def log(correct, name="mine", **columns):
    """A log with a row of samples for each question; NaN failed."""
    correct = np.array(correct, dtype=np.float64)
    Q, n = correct.shape
    arrays = {column: np.array(values).reshape(-1) for column, values in columns.items()}
    return Samples(name, [f"q{i}" for i in range(Q)], np.repeat(np.arange(Q), n), correct.ravel(), arrays)


def drawn(Q=60, n=8, seed=0, right=0.6):
    """Questions that differ, with answers out of four, the first of which is right."""
    rng = np.random.default_rng(seed)
    p = rng.beta(3 * right, 3 * (1 - right), (Q, 1))
    answer = np.where(rng.random((Q, n)) < p, 0, rng.integers(1, 4, (Q, n)))
    tokens = rng.integers(100, 1000, (Q, n)) * 1.0
    return log(answer == 0, answer=answer, output_tokens=tokens, latency_s=tokens / 100, score=rng.random((Q, n)))


def test_everything_is_estimated_for_every_k_that_all_questions_have():
    summary = summarise(drawn(Q=60, n=8))
    assert summary.k.tolist() == list(range(1, 9))
    assert (summary.questions, summary.samples, summary.scored, summary.failed) == (60, 480, 480, 0)
    for curve in (summary.pass_at_k, summary.vote_at_k, summary.best_scored_at_k, summary.slowest_of_k_s):
        assert curve.value.shape == curve.low.shape == curve.high.shape == curve.stderr.shape == (8,)
        assert (curve.low < curve.value).all()
        assert (curve.value < curve.high).all()
    assert summary.mean_output_tokens.low < summary.mean_output_tokens.value < summary.mean_output_tokens.high
    assert summary.mean_cost_usd is summary.mean_energy_j is summary.mean_input_tokens is None


def test_one_call_is_worth_the_share_of_right_samples():
    samples = drawn()
    summary = summarise(samples)
    for curve in (summary.pass_at_k, summary.vote_at_k, summary.best_scored_at_k):
        assert curve.value[0] == pytest.approx(samples.correct.mean())
    assert summary.slowest_of_k_s.value[0] == pytest.approx(summary.mean_output_tokens.value / 100)


def test_intervals_cover_what_is_true():
    truth = 1 - 1.2 / 3.0  # of questions from Beta(1.8, 1.2)
    inside = 0
    for seed in range(100):
        one = summarise(drawn(Q=80, n=2, seed=seed), k=[1], B=200).pass_at_k
        inside += one.low[0] <= truth <= one.high[0]
    assert inside >= 88


def test_samples_of_a_question_are_not_taken_for_questions():
    """Eight times the same sample of every question say no more than one."""
    few, many = log(np.arange(20)[:, None] < 12), log(np.repeat(np.arange(20)[:, None] < 12, 8, axis=1))
    assert summarise(few).pass_at_k.low[0] == pytest.approx(summarise(many).pass_at_k.low[0])


def test_models_are_resampled_with_the_same_questions():
    """The difference of two models that answer alike is sure, however unsure both are."""
    first, second = drawn(seed=1), drawn(seed=1)
    assert summarise(first).pass_at_k.low.tolist() == summarise(second).pass_at_k.low.tolist()
    assert summarise(first, seed=5).pass_at_k.low.tolist() != summarise(second).pass_at_k.low.tolist()


def test_failed_samples_count_nowhere_and_are_counted_aloud():
    correct = [[1, 0, np.nan], [1, np.nan, 1], [np.nan] * 3]
    tokens = [[1.0, 2.0, 99.0], [3.0, 99.0, np.nan], [99.0] * 3]
    summary = summarise(log(correct, output_tokens=tokens))
    assert (summary.questions, summary.unscored, summary.samples, summary.failed) == (2, 1, 9, 5)
    assert summary.k.tolist() == [1, 2]
    assert summary.pass_at_k.value.tolist() == [0.75, 1.0]
    assert summary.mean_output_tokens.value == 2.0
    assert summary.remarks()[:2] == [
        "5 of 9 samples failed: they count neither as right nor as wrong",
        "1 of 3 questions have only such samples",
    ]


def test_a_larger_k_is_of_the_questions_that_have_so_many_samples():
    correct = [[1, 0, 0, 0], [1, 1, np.nan, np.nan], [0, 0, 0, np.nan]]
    summary = summarise(log(correct), k=[4, 2])
    assert summary.k.tolist() == [2, 4]
    assert summary.pass_at_k.value == pytest.approx([(0.5 + 1 + 0) / 3, 1.0])
    assert summary.to_dict()["pass_at_k_interval"][1] == [None, None]


def test_pass_at_k_of_groups_is_that_of_single_questions():
    """Questions with the same counts are resampled as one row; every draw must be the same as without."""
    rng = np.random.default_rng(0)
    correct = np.where(rng.random((40, 5)) < 0.1, np.nan, rng.random((40, 5)) < 0.4)
    correct[:, 0] = 1
    samples = log(correct, answer=np.where(correct == 1, 0, -1))  # a vote of such answers is right as soon as one is
    summary = summarise(samples, k=[1, 2, 3])
    for of in ("value", "low", "high", "stderr"):
        assert getattr(summary.vote_at_k, of) == pytest.approx(getattr(summary.pass_at_k, of))


@pytest.mark.parametrize("blank", [0.05, 0.11, 0.5, 0.9])
def test_blanks_abstain_however_many_there_are(blank):
    """There is no share of blanks from which on the vote is gone: it is that of the answers that are left."""
    samples = drawn(Q=40, n=8)
    answer = np.where(np.random.default_rng(1).random(320) < blank, -1, samples["answer"])
    columns = {"answer": answer, "score": np.where(answer < 0, np.nan, samples["score"])}
    summary = summarise(Samples("mine", samples.questions, samples.question, (answer == 0) * 1.0, columns))
    few = Samples("mine", samples.questions, samples.question, (answer == 0) * 1.0, columns)
    assert summary.vote_at_k.value == pytest.approx(vote_at_k(few, summary.k).mean(axis=0))
    assert summary.best_scored_at_k.value == pytest.approx(best_scored_of_k(few, summary.k).mean(axis=0))
    share = f"{(answer < 0).sum()} of 320 samples ({100 * (answer < 0).mean():.3g} %) have no "
    assert [remark.split(":")[0] for remark in summary.remarks()[:2]] == [f"{share}answer", f"{share}score"]


def test_no_vote_where_no_question_has_two_answers():
    summary = summarise(log([[1, 0]] * 3, answer=[[0, -1], [-1, 1], [-1, -1]], score=[[0.1, np.nan]] * 3))
    assert summary.vote_at_k is summary.vote_gain is summary.best_scored_at_k is None
    assert summary.remarks()[:2] == [
        "no vote, because no question has two answers",
        "no choice by score, because no question has two scores",
    ]


def test_all_of_k_are_right_in_the_share_of_the_subsets():
    correct = [[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1]]
    summary = summarise(log(correct))
    subsets = [
        np.mean([[all(row[i] for i in some) for some in combinations(range(4), k)] for row in correct])
        for k in range(1, 5)
    ]
    assert summary.all_at_k.value == pytest.approx(subsets)
    assert (summary.all_at_k.low <= summary.all_at_k.value).all()
    told = summary.to_dict()
    assert told["all_at_k"] == pytest.approx(subsets)
    assert np.shape(told["all_at_k_interval"]) == (4, 2)


def test_all_at_k_is_pass_at_k_of_the_wrong_ones():
    """That all are right is that none is wrong, with the same intervals from the other side."""
    samples = drawn()
    right, wrong = (
        summarise(Samples("mine", samples.questions, samples.question, correct))
        for correct in (samples.correct, 1 - samples.correct)
    )
    for one, other in (("value", "value"), ("low", "high"), ("high", "low"), ("stderr", "stderr")):
        mirrored = getattr(wrong.pass_at_k, other) if one == "stderr" else 1 - getattr(wrong.pass_at_k, other)
        # The two pseudo-questions of the bootstrap are drawn apart, so the ends mirror each other but for their noise.
        assert getattr(right.all_at_k, one) == pytest.approx(mirrored, abs=1e-12 if one == "value" else 0.01)


def test_where_all_questions_are_alike_both_intervals_still_have_a_width():
    summary = summarise(log([[1, 1, 1, 1]] * 20))
    assert summary.pass_at_k.value.tolist() == summary.pass_at_k.high.tolist() == [1.0] * 4
    assert summary.pass_at_k.low[0] == pytest.approx(0.88, abs=0.02)  # Jeffreys: the beta law (20.5, 0.5)
    assert summary.pass_at_k.same_low[0] == pytest.approx(0.05 ** (1 / 80))  # p^80 = 5 %


def test_more_curves_than_fit_abreast_stand_in_a_second_table():
    text = laid_out(tabled(summarise(drawn())))
    headers = [line.split() for line in text.splitlines() if line.startswith(" k ")]
    assert headers == [["k", "pass@k", "all@k", "vote@k", "by", "score"], ["k", "slowest,", "s"]]
    assert max(map(len, text.splitlines())) <= 80


def test_the_dictionary_is_json_without_nan():
    columns = {"answer": [[0, 1]] * 3, "latency_s": [[1.0, np.nan], [np.nan, np.nan], [2.0, 3.0]]}
    told = json.loads(json.dumps(summarise(log([[1, 0]] * 3, **columns)).to_dict(), allow_nan=False))
    assert told["pass_at_k"] == pytest.approx([0.5, 1.0])
    assert told["slowest_of_k_s"] == [1.75, None]  # only one question has two times
    assert told["slowest_of_k_s_interval"][1] == [None, None]
    assert told["mean_latency_s"] == 2.0
    assert told["best_scored_at_k"] is told["best_scored_at_k_interval"] is told["mean_cost_usd"] is None
    assert {f"{name}_interval" for name in told if name.startswith(("mean", "pass", "vote", "best", "slow"))} & set(
        told
    )


def test_one_question_has_no_interval():
    summary = summarise(log([[1, 0, 1]], answer=[[0, 1, 0]]))
    assert summary.to_dict()["pass_at_k_interval"] == [[None, None]] * 3
    assert summary.remarks()[0] == "one question: nothing tells what others would give"
    assert not any("nan" in remark for remark in summary.remarks())


@pytest.mark.parametrize(
    ("right", "verdict"),
    [(0.75, "plurality vote helps: vote@9"), (0.05, "plurality vote does not help: vote@9")],
)
def test_it_is_said_whether_a_vote_helps(right, verdict):
    rng = np.random.default_rng(0)
    correct = rng.random((200, 9)) < right
    assert summarise(log(correct, answer=~correct * 1)).remarks()[-1].startswith(verdict)


def test_it_is_said_where_nobody_can_tell_whether_a_vote_helps():
    correct = np.array([[1, 1, 0]] * 6 + [[1, 0, 0]] * 5)
    remark = summarise(log(correct, answer=1 - correct)).remarks()[-1]
    assert remark.startswith("whether plurality vote helps cannot be told: vote@3 0.545")
    assert "against 0.515 for one call" in remark


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": [5]}, "mine: k must be in 1 ... 2, its samples a question, got \\[5\\]"),
        ({"k": [0]}, "k: must be a list of whole numbers >= 1, got \\[0\\]"),
        ({"k": []}, "k must be in 1 ... 2"),
        ({"confidence": 1.0}, "confidence: must be between 0 and 1, got 1.0"),
        ({"B": 0}, "B: must be >= 1"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(MooInferError, match=message):
        summarise(log([[1, 0]]), **options)


@pytest.mark.parametrize("correct", [np.empty((0, 2)), [[np.nan, np.nan]]])
def test_a_log_without_a_right_or_wrong_sample_is_refused(correct):
    with pytest.raises(MooInferError, match="mine: none of its . samples is right or wrong"):
        summarise(log(correct))


@pytest.fixture(scope="module")
def gpqa(data):
    """The runs of real logs, with what each must give: by measure and k."""
    folder = data / "epoch_gpqa"
    with (folder / "prices.csv").open() as file:
        prices = {row["run_id"]: row for row in csv.DictReader(file)}
    rows = defaultdict(list)
    with gzip.open(folder / "samples_gpqa_diamond.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            rows[row["run_id"]].append(row)
    expected = defaultdict(dict)
    with (folder / "expected.csv").open() as file:
        for row in csv.DictReader(file):
            expected[row["run_id"]][row["metric"], int(row["k"])] = float(row["value"])
    return {run: (_samples(own, prices[run]), expected[run]) for run, own in rows.items()}


def _samples(rows, price):
    rows.sort(key=lambda row: row["question_id"])
    questions, question = np.unique([row["question_id"] for row in rows], return_inverse=True)
    number = {name: np.array([float(row[name] or "nan") for row in rows]) for name in (
        "correct", "tokens_in", "tokens_out", "tokens_out_billed", "working_time_s"
    )}  # fmt: skip
    usd_in, usd_out = (float(price[f"{way}_usd_per_mtok"] or "nan") * 1e-6 for way in ("input", "output"))
    columns = {
        "answer": np.array([" ABCDEFGH".index(row["answer"] or " ") - 1 for row in rows]),
        "input_tokens": number["tokens_in"],
        "output_tokens": number["tokens_out_billed"],
        "latency_s": number["working_time_s"],
        "cost_usd": usd_in * number["tokens_in"] + usd_out * number["tokens_out_billed"],
        "energy_j": number["tokens_out"],  # no joules are logged: the tokens instead
    }
    return Samples(rows[0]["run_id"], list(questions), question, number["correct"], columns)


def test_every_number_of_real_logs(gpqa):
    measures = {
        "pass_at_k": ("pass_at_k", 1e-9),
        "maj_at_k": ("vote_at_k", 1e-9),
        "e_max_working_time_s": ("slowest_of_k_s", 1e-9),
        "mean_tokens_in": ("mean_input_tokens", 1e-9),
        "mean_tokens_out_billed": ("mean_output_tokens", 1e-9),
        "mean_tokens_out_raw": ("mean_energy_j", 1e-9),
        "mean_working_time_s": ("mean_latency_s", 1e-9),
        "mean_cost_usd": ("mean_cost_usd", 1e-6),
    }
    compared = 0
    for run, (samples, expected) in gpqa.items():
        asked = sorted({k for _, k in expected})
        summary = summarise(samples, k=asked, B=2)
        for (metric, k), value in expected.items():
            if metric not in measures:
                continue
            name, tolerance = measures[metric]
            found = getattr(summary, name).value
            found = found[asked.index(k)] if found.ndim else found
            assert found == pytest.approx(value, rel=tolerance), (run, metric, k)
            compared += 1
        if asked[-1] > 1:
            assert (summary.vote_at_k is not None) == (("maj_at_k", 1) in expected), run
    assert compared == 823


def test_the_headline_numbers_of_real_logs(gpqa):
    nano = summarise(gpqa["2pSDjMSGDh4HsAxkqUuNQP"][0])
    assert nano.vote_at_k.value[[0, 1, 3, 7]].round(6).tolist() == [0.694444, 0.700216, 0.713757, 0.724747]
    assert nano.pass_at_k.value[7].round(6) == 0.863636
    assert nano.slowest_of_k_s.value[7].round(1) == 172.2
    assert nano.mean_cost_usd.value.round(6) == 0.004879
    assert any(remark.startswith("plurality vote helps: vote@8 0.725") for remark in nano.remarks())
    turbo = summarise(gpqa["eZaQhpbhbzbo3sbKGS5Efa"][0])
    assert turbo.vote_at_k.value[[0, 7, 15]].round(6).tolist() == [0.271780, 0.267210, 0.269781]
    assert turbo.pass_at_k.value[15].round(6) == 0.792929
    assert any(remark.startswith("plurality vote does not help: vote@16 0.270") for remark in turbo.remarks())
