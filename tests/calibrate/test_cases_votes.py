"""Votes over answers that are texts, spelt in several ways, or judged both ways, each with the right numbers."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from moo_infer.calibrate import read_log

CASES = Path(__file__).parents[1] / "cases"
ESSAYS = CASES / "15-vote-on-free-text" / "essays.csv"
FRACTIONS = CASES / "16-vote-same-answer-written-differently" / "fractions.csv"
JUDGED = CASES / "17-one-answer-judged-both-ways" / "judge.csv"


@pytest.fixture
def calibrated(cli):
    """The one model of what calibrate says in JSON, and its warnings."""

    def call(*words):
        code, out, err = cli("calibrate", "--bootstrap", "20", "--json", *words)
        assert code == 0, err
        return json.loads(out)["models"][0], " ".join(err.split())

    return call


def written(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return path


def rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def remarks(model):
    return " ".join(model["remarks"])


def test_no_vote_is_given_where_all_answers_differ(calibrated):
    model, _ = calibrated(ESSAYS)
    assert model["vote_at_k"] is None
    assert "no vote, because nearly all answers to a question differ: 100 different ones among 100" in remarks(model)
    assert "does not help" not in remarks(model)


@pytest.mark.parametrize(("alike", "voted"), [(0, False), (2, False), (4, False), (6, True), (50, True)])
def test_nearly_all_is_where_fewer_than_one_in_twenty_has_the_answer_of_another(alike, voted, calibrated, tmp_path):
    table = rows(ESSAYS)
    for i in range(0, alike, 2):  # the first two samples of a question
        table[2 * i]["answer"] = table[2 * i + 1]["answer"] = "the same"
    model, _ = calibrated(written(tmp_path / "essays.csv", table))
    assert (model["vote_at_k"] is not None) == voted


def test_recommend_says_why_there_is_no_vote(cli, tmp_path):
    profiles = tmp_path / "profiles.yaml"
    assert cli("calibrate", ESSAYS, "--out", profiles)[0] == 0
    code, _, err = cli("recommend", "--models", profiles, "--aggregator", "plurality-vote", "--json")
    assert code == 2
    assert "nearly all answers to a question differ" in " ".join(err.split())


def test_right_answers_in_several_spellings_are_counted_and_the_vote_is_a_lower_bound(calibrated):
    model, _ = calibrated(FRACTIONS)
    assert model["vote_at_k"] == pytest.approx([0.6, 0.6, 0.5, 0.3, 0], abs=1e-12)
    assert "25 of 25 questions have several right answers" in remarks(model)
    assert "lower bound" in remarks(model)
    assert "with answers as they are written, plurality vote does not help" in remarks(model)


def test_right_answers_taken_as_one_vote_together(calibrated):
    # By hand, over the pairs, triples and fours of 3 right and 2 wrong ones that agree.
    model, err = calibrated(FRACTIONS, "--merge-right")
    assert model["vote_at_k"] == pytest.approx([0.6, 0.6, 0.7, 0.7, 1.0], abs=1e-12)
    assert "25 questions of m have several right answers, 75 in all: in each they are taken as one" in err
    assert "several right answers" not in remarks(model)


def test_a_profile_of_answers_taken_as_one_keeps_them_so(cli, tmp_path):
    profiles = tmp_path / "profiles.yaml"
    assert cli("calibrate", FRACTIONS, "--merge-right", "--out", profiles)[0] == 0
    words = (
        "--aggregator",
        "plurality-vote",
        "--k",
        "5",
        "--selector",
        "max-accuracy",
        "--min-accuracy",
        "0.5",
        "--json",
    )
    code, out, err = cli("recommend", "--models", profiles, *words)
    assert code == 0, err
    assert json.loads(out)["rows"][0]["objectives"]["accuracy"]["mean"] == pytest.approx(1)


def test_answers_judged_both_ways_are_counted_with_the_bounds_of_the_vote(calibrated):
    model, _ = calibrated(JUDGED)
    assert model["vote_at_k"][-1] == pytest.approx(2 / 3)
    assert "25 answers were judged both right and wrong" in remarks(model)
    assert "vote@5 is 0.000 where answers that were judged both ways are wrong and 1.000 where they are" in (
        remarks(model)
    )


def test_targets_settle_what_was_judged_both_ways(calibrated, tmp_path):
    table = [row | {"target": "112"} for row in rows(JUDGED)]
    model, err = calibrated(written(tmp_path / "judge.csv", table))
    assert model["vote_at_k"][-1] == 1
    assert "judged both right and wrong" not in remarks(model)
    assert "25 answers of m were judged both right and wrong: 25 of them are the target" in err


def test_a_target_that_is_written_as_another_number_is_the_same(calibrated, tmp_path):
    def judged(answer, target):
        table = [
            {"model": "m", "question_id": f"q{q}", "sample": i, "correct": c, "answer": a, "target": target}
            for q in range(20)
            for i, (a, c) in enumerate([(answer, 1), (answer, 0), ("3", 0)])
        ]
        return calibrated(written(tmp_path / "log.csv", table))[0]["pass_at_k"][0]

    for answer, target in (("4.0", "4"), (" 4", "4.00"), ("1e3", "1000"), ("a", "a ")):
        assert judged(answer, target) == pytest.approx(2 / 3)
    for answer, target in (("5", "4"), ("9007199254740993", "9007199254740992"), ("four", "4")):
        assert judged(answer, target) == 0


def test_the_vote_is_no_verdict_where_right_answers_are_blank(calibrated, tmp_path):
    table = [
        {"model": "m", "question_id": f"q{q}", "sample": i, "correct": int(i < 2), "answer": "" if i < 2 else "x"}
        for q in range(20)
        for i in range(4)
    ]
    model, _ = calibrated(written(tmp_path / "log.csv", table))
    assert model["vote_at_k"] == [0, 0, 0, 0]
    assert "with answers as they are written, plurality vote does not help" in remarks(model)
    assert "40 of 40 samples whose answer is blank were judged right" in remarks(model)


def test_where_no_two_wrong_answers_are_alike_that_two_right_ones_win_is_said(calibrated, tmp_path):
    def essays(wrong):
        return [
            {
                "model": "m",
                "question_id": f"q{q}",
                "sample": i,
                "correct": i % 2,
                "answer": f"{i}{q}" if i % 2 else wrong(i),
            }
            for q in range(20)
            for i in range(4)
        ]

    for wrong, apart in ((str, True), (lambda i: "x", False)):
        _, err = calibrated(written(tmp_path / "log.csv", essays(wrong)), "--merge-right")
        assert ("nearly all of them differ, so that two right ones win any vote" in err) == apart


def merged(tmp_path, *samples):
    names = ("model", "question_id", "sample", "correct", "answer")
    table = [
        dict(zip(names, ("m", q, i, correct, answer), strict=True)) for i, (q, correct, answer) in enumerate(samples)
    ]
    with pytest.warns(UserWarning, match="taken as one"):
        log = read_log(written(tmp_path / "log.csv", table), merge_right=True)
    return log.frame["answer"].to_list()


def test_the_most_frequent_spelling_is_kept_and_other_questions_stay(tmp_path):
    samples = [("a", 1, "0.5"), ("a", 1, "1/2"), ("a", 1, " 1/2 "), ("a", 0, "2"), ("b", 0, "0.5"), ("b", 1, "7")]
    assert merged(tmp_path, *samples) == ["1/2", "1/2", "1/2", "2", "0.5", "7"]


def test_what_was_mostly_judged_wrong_is_no_right_answer(tmp_path):
    samples = [("a", 1, "3"), ("a", 1, "x"), ("a", 1, "y"), ("a", 0, "y"), ("a", 0, "3"), ("a", 0, "3")]
    assert merged(tmp_path, *samples, ("a", 1, "x"), ("a", 1, "z"))[:6] == ["3", "x", "y", "y", "3", "3"]


def test_blanks_and_failed_samples_are_no_answers_to_merge(tmp_path):
    samples = [("a", 1, "x"), ("a", 1, ""), ("a", 1, "y"), ("a", None, "y"), ("a", None, "w")]
    assert merged(tmp_path, *samples) == ["x", None, "x", "x", "w"]


@pytest.mark.parametrize(
    ("answers", "correct", "message"),
    [
        (None, [1, 0], "needs the column answer, which no log has"),
        (["a", "b"], [0.5, 0.2], "needs samples that are right or wrong, but they are graded"),
    ],
)
def test_nothing_is_merged_without_answers_or_with_grades(answers, correct, message, cli, tmp_path):
    table = [{"model": "m", "question_id": "q", "sample": i, "correct": c} for i, c in enumerate(correct)]
    for row, answer in zip(table, answers or (), strict=False):
        row["answer"] = answer
    code, out, err = cli("calibrate", written(tmp_path / "log.csv", table), "--merge-right", "--scale", "0,1")
    assert (code, out) == (2, "")
    assert message in " ".join(err.split())


def test_merging_never_lowers_the_vote_where_wrong_answers_are_few(cli, tmp_path):
    """With one wrong answer a question, more votes for the right one never hurt."""
    rng = np.random.default_rng(5)
    table = [
        {
            "model": "m",
            "question_id": q,
            "sample": i,
            "correct": int(right),
            "answer": rng.choice(["x", "y"]) if right else "w",
        }
        for q in range(20)
        for i, right in enumerate(rng.random(6) < 0.6)
    ]
    path = written(tmp_path / "log.csv", table)
    curves = []
    for words in ((), ("--merge-right",)):
        _, out, _ = cli("calibrate", path, "--bootstrap", "20", "--json", *words)
        curves.append(json.loads(out)["models"][0]["vote_at_k"])
    assert (np.array(curves[1]) >= np.array(curves[0]) - 1e-12).all()
    assert curves[1][5] > curves[0][5]
