"""Grades: what a log says of them, what is refused of them, and what a recommendation makes of them."""

import itertools
import json
import re

import numpy as np
import pytest

from moo_infer import Exact, ModelProfile, MonteCarlo, Registry
from moo_infer.builtin.aggregators import BestOfK, Coverage, MajorityVote
from moo_infer.builtin.answers import OneCall, PluralityVote, TopScore
from moo_infer.builtin.empirical import Empirical
from moo_infer.calibrate import fit_beta, read_log, summarise
from moo_infer.calibrate.extrapolation import extrapolated
from moo_infer.cli import run
from moo_infer.core.errors import MooInferError, NothingPossible
from moo_infer.read.grading import Grading

REGISTRY = Registry(entry_points=False)
K = np.array([1, 2, 3, 4])


def graded(rng, Q=6, n=5):
    """Rows of a table with grades of 0 to 10."""
    return [
        {
            "model": "m",
            "question_id": f"q{q}",
            "sample": i,
            "correct": float(rng.integers(0, 11)),
            "score": rng.random(),
        }
        | {"answer": str(rng.integers(3)), "cost_usd": rng.random(), "latency_s": rng.random()}
        for q in range(Q)
        for i in range(n)
    ]


@pytest.fixture
def table(file):
    rows = graded(np.random.default_rng(3))
    return rows, file("\n".join(map(json.dumps, rows)), "log.jsonl")


def samples_of(path):
    (samples,) = read_log(path, registry=REGISTRY, grading=Grading(scale=(0, 10))).samples()
    return samples


def subsets(rows, k, of):
    """Mean over questions of the mean over all subsets of k."""
    own = {}
    for row in rows:
        own.setdefault(row["question_id"], []).append(row)
    return np.mean([np.mean([of(chosen) for chosen in itertools.combinations(rows, k)]) for rows in own.values()])


def test_estimates_of_grades_are_the_mean_best_of_all_subsets(table):
    rows, path = table
    found = summarise(samples_of(path), K, B=5)
    best = [subsets(rows, k, lambda chosen: max(row["correct"] for row in chosen) / 10) for k in K]
    np.testing.assert_allclose(found.best_at_k.value, best, rtol=1e-12)
    by_score = [subsets(rows, k, lambda c: max(c, key=lambda row: row["score"])["correct"] / 10) for k in K]
    np.testing.assert_allclose(found.best_scored_at_k.value, by_score, rtol=1e-12)
    assert found.pass_at_k is found.vote_at_k is found.vote_gain is None
    assert found.to_dict()["pass_at_k"] is None


@pytest.mark.parametrize("aggregator", [BestOfK(), OneCall(), TopScore()])
def test_what_grades_are_worth_is_exact_and_simulated_alike(table, aggregator):
    rows, path = table
    profile = ModelProfile("m", Empirical(samples_of(path)), ())
    exact = Exact().estimate(profile, aggregator, K, 1).columns["accuracy"]
    drawn = MonteCarlo(20_000).estimate(profile, aggregator, K, 1).columns["accuracy"]
    np.testing.assert_allclose(exact.mean, drawn.mean, atol=5 * drawn.std.max() / np.sqrt(20_000))
    np.testing.assert_allclose(exact.std, drawn.std, rtol=0.05)
    first = [subsets(rows, k, lambda chosen: np.mean([row["correct"] for row in chosen]) / 10) for k in K]
    if aggregator == OneCall():
        np.testing.assert_allclose(exact.mean, first, rtol=1e-12)


@pytest.mark.parametrize("aggregator", [Coverage(), MajorityVote(), PluralityVote()])
@pytest.mark.parametrize("estimator", [Exact(), MonteCarlo(100)])
def test_what_needs_right_and_wrong_is_refused(table, aggregator, estimator):
    profile = ModelProfile("m", Empirical(samples_of(table[1])), ())
    with pytest.raises(NothingPossible, match="m: its samples are graded, not right or wrong, so that no pass@k"):
        estimator.estimate(profile, aggregator, K, 1)


def test_fits_and_laws_of_coverage_need_right_and_wrong(table):
    samples = samples_of(table[1])
    with pytest.raises(MooInferError, match="its samples are graded"):
        fit_beta(samples)
    assert "pass@k is not extrapolated: m: its samples are graded" in extrapolated(samples, 64)


def test_a_profile_of_grades_is_written_read_and_decided_with(capsys, table, tmp_path):
    rows, path = table
    out, again = tmp_path / "p.yaml", tmp_path / "again.csv"
    words = ["calibrate", str(path), "--scale", "0,10", "--bootstrap", "20", "--out", str(out), "--table", str(again)]
    assert run(words) == 0
    text = capsys.readouterr().out
    assert "best@k" in text
    assert "pass@k" not in text
    words = [
        "recommend",
        "--models",
        str(out),
        "--selector",
        "max-accuracy",
        "--k-step",
        "1",
        "--max-cost",
        "2",
        "--json",
    ]
    assert run(words) == 0
    (row,) = json.loads(capsys.readouterr().out)["recommended"]
    best = subsets(rows, row["k"], lambda chosen: max(r["correct"] for r in chosen) / 10)
    assert row["objectives"]["accuracy"]["mean"] == pytest.approx(best, rel=1e-12)
    assert run([*words, "--aggregator", "coverage"]) == 2
    assert "its samples are graded" in capsys.readouterr().err
    assert run(["calibrate", str(again), "--json"]) == 2
    assert "--scale" in capsys.readouterr().err
    assert run(["calibrate", str(again), "--scale", "0,1", "--json", "--bootstrap", "20"]) == 0
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert model["best_at_k"][0] == pytest.approx(np.mean([r["correct"] for r in rows]) / 10, rel=1e-12)


def test_models_with_grades_and_models_without_are_written_together(capsys, tmp_path, file):
    rows = graded(np.random.default_rng(4)) + [
        r | {"model": "n", "correct": 10.0 * (r["sample"] % 2)} for r in graded(np.random.default_rng(5))
    ]
    path = file("\n".join(map(json.dumps, rows)), "log.jsonl")
    assert run(["calibrate", str(path), "--scale", "0,10", "--out", str(tmp_path / "p.yaml"), "--json"]) == 0
    models = json.loads(capsys.readouterr().out)["models"]
    assert [model["pass_at_k"] is None for model in models] == [True, False]
    assert "--aggregator plurality-vote" in (tmp_path / "p.yaml").read_text()
    assert run(["calibrate", str(path), "--scale", "0,10", "--model", "m", "--out", str(tmp_path / "m.yaml")]) == 0
    assert f"--models {tmp_path}/m.yaml --aggregator one-call --aggregator best-of-k" in capsys.readouterr().out
    assert run(["recommend", "--models", str(tmp_path / "p.yaml"), "--selector", "max-accuracy", "--json"]) == 0


@pytest.mark.parametrize(
    ("grading", "score", "grade"),
    [
        (Grading(), True, 1.0),
        (Grading(), "False", 0.0),
        (Grading(), " 1 ", 1.0),
        (Grading(), 0.25, 0.25),
        (Grading(), "nan", None),
        (Grading(), "", None),
        (Grading(), None, None),
        (Grading(scale=(0, 100)), 62.5, 0.625),
        (Grading(scale=(-1, 1)), "-1", 0.0),
        (Grading(scale=(5, 1)), 4, 0.25),
        (Grading(scale=(0, 1)), 1 + 1e-12, 1.0),
        (Grading(right_if="== pass"), "pass", 1.0),
        (Grading(right_if="== pass"), "fail", 0.0),
        (Grading(right_if="== pass"), "Timeout", 0.0),
        (Grading(right_if="== pass"), "wrong", 0.0),
        (Grading(right_if="== no"), "No", 1.0),
        (Grading(right_if="== no"), "fail", 0.0),  # both are wrong by themselves
        (Grading(right_if="== true"), True, 1.0),
        (Grading(right_if="== true"), "1", 1.0),
        (Grading(), "Yes", 1.0),
        (Grading(), " PASSED ", 1.0),
        (Grading(), "incorrect", 0.0),
        (Grading(), "Wrong", 0.0),
        (Grading(), "100%", 1.0),
        (Grading(), "85 %", 0.85),
        (Grading(), "0/3", 0.0),
        (Grading(), "7 / 10", 0.7),
        (Grading(right_if=">= 70%"), "7/10", 1.0),
        (Grading(right_if=">= 7/10"), "69.9%", 0.0),
        (Grading(right_if=">= 0.7"), "70%", 1.0),
        (Grading(scale=(0, 1)), "62.5%", 0.625),
        (Grading(right_if="<= 0.5"), "0.5", 1.0),
        (Grading(key="a"), '{"a": 1, "b": 0}', 1.0),
        (Grading(key="a.b"), {"a.b": 0, "a": {"b": 1}}, 0.0),
        (Grading(key="a.1"), {"a": [0, 1]}, 1.0),
        (Grading(key="a", scale=(0, 10)), {"a": None}, None),
    ],
)
def test_scores(grading, score, grade):
    assert grading(score) == grade


@pytest.mark.parametrize(
    "score", [10**400, -(10**400), float("inf"), "1e999", {"a": 1}, [], [1], object(), b"1", "\u0661"]
)
def test_scores_that_cannot_be_read_are_refused_in_a_sentence(score):
    for grading in (Grading(), Grading(scale=(0, 10)), Grading(key="b")):
        with pytest.raises(MooInferError, match="the score"):
            grading(score)


@pytest.mark.parametrize(
    ("grading", "score", "said"),
    [
        (Grading(right_if=">= 70"), "85%", r"the score '85%' is a share of 1, 0.85, but --right-if \">= 70\" is not of shares"),
        (Grading(scale=(0, 10)), "7/10", "the score '7/10' is a share of 1, 0.7, but --scale 0,10 is not of shares"),
        (Grading(scale=(-1, 1)), "0%", "a share of 1, 0, but --scale -1,1 is not"),
        (Grading(), "7/0", "the score '7/0' is neither right nor wrong"),
        (Grading(), "110%", "the score 1.1 is neither right nor wrong, not from 0 to 1"),
        (Grading(), "C", "the score 'C' is neither right nor wrong"),  # the choice that is right?
        (Grading(), "yes, mostly", "the score 'yes, mostly' is neither right nor wrong"),
        (Grading(right_if=">= 0.5"), "great", "the score 'great' is no number"),
    ],
)  # fmt: skip
def test_scores_of_which_it_is_not_clear_what_they_say_are_refused(grading, score, said):
    with pytest.raises(MooInferError, match=said):
        grading(score)


@pytest.mark.parametrize(
    "name", ["pass@8", "Pass@16", "pass^4", "pass_at_10", "maj@5", "majority_vote@3", "best_of_4", "mean@4", "metrics.pass@k", "bon_64"]
)  # fmt: skip
def test_scores_of_several_samples_are_none_of_one(name):
    with pytest.raises(MooInferError, match=rf"--score-key: {re.escape(name)} is of several samples together"):
        Grading(key=name)


@pytest.mark.parametrize(
    "name", ["pass@1", "pass_2", "recall@5", "compass@4", "best", "any_of", "all", "0", "pass_at_1"]
)
def test_other_scores_may_be_of_one(name):
    assert Grading(key=name).key == name


def test_a_column_of_scores_of_several_samples_is_refused(capsys, file):
    path = str(file("question_id,pass@8\nq1,1\nq2,0\n"))
    assert run(["calibrate", path, "--column", "correct=pass@8"]) == 2
    assert "--column correct: pass@8 is of several samples together, but a row is one" in capsys.readouterr().err


def test_counts_are_no_scores(capsys, file):
    counts = [0, 1, 1, 0, 8, 3, 1, 0, 1, 1]
    path = str(file("question_id,n,num_correct\n" + "".join(f"q{q},8,{c}\n" for q, c in enumerate(counts))))
    assert run(["calibrate", path]) == 2
    assert "--column correct" not in capsys.readouterr().err
    assert run(["calibrate", path, "--column", "correct=num_correct"]) == 2
    assert "the score 8 is neither right nor wrong" in capsys.readouterr().err


@pytest.mark.parametrize(
    "marks", [("yes", "no"), ("Pass", "Fail"), ("correct", "incorrect"), ("100%", "0%"), ("1/1", "0/1")]
)
def test_tables_with_words_for_right_and_wrong_are_read(capsys, file, marks):
    rows = "".join(f"q{i % 4},{marks[i % 3 > 0]}\n" for i in range(12))
    assert run(["calibrate", str(file("question_id,correct\n" + rows)), "--json", "--bootstrap", "2"]) == 0
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert model["pass_at_k"] == pytest.approx([1 / 3, 2 / 3, 1])


def test_shares_are_grades(capsys, file):
    path = str(file("question_id,correct\n" + "".join(f"q{i % 4},{i % 11}/10\n" for i in range(12))))
    assert run(["calibrate", path]) == 2
    assert '--right-if ">= 0.5"' in capsys.readouterr().err
    for option, value in ((["--scale", "0,1"], 5.5 / 12), (["--right-if", ">= 50%"], 6 / 12)):
        assert run(["calibrate", path, *option, "--json", "--bootstrap", "2"]) == 0
        (model,) = json.loads(capsys.readouterr().out)["models"]
        assert (model["best_at_k"] or model["pass_at_k"])[0] == pytest.approx(value)


@pytest.mark.parametrize(
    ("scores", "rule", "scale"),
    [
        ([0, 0.25, 0.75, 0.5], ">= 0.5", "0,1"),
        ([1, -1, 1, -1], "> 0", "-1,1"),
        ([3, 9, 7, 0], ">= 7", "0,10"),
        ([35, 90, 0, 70], ">= 70", "0,100"),
        ([500, -20, 20, 3], ">= 500", "-20,500"),
    ],
)
def test_the_options_in_the_message_fit_the_scores_and_can_be_given_as_they_stand(capsys, file, scores, rule, scale):
    rows = [{"question_id": f"q{i}", "correct": scores[i % 4]} for i in range(12)]
    path = str(file("\n".join(map(json.dumps, rows)), "log.jsonl"))
    assert run(["calibrate", path]) == 2
    said = capsys.readouterr().err
    assert f'--right-if "{rule}"' in said
    assert f"--scale {scale} " in said
    right = [eval(f"{score} {rule}") for score in scores]
    for option, values in ((["--right-if", rule], right), (["--scale", scale], grades(scores, scale))):
        assert run(["calibrate", path, *option, "--json", "--bootstrap", "2"]) == 0
        (model,) = json.loads(capsys.readouterr().out)["models"]
        assert (model["best_at_k"] or model["pass_at_k"])[0] == pytest.approx(np.mean(values))


def grades(scores, scale):
    low, high = map(float, scale.split(","))
    return [(score - low) / (high - low) for score in scores]


def test_a_key_that_leads_to_several_parts_is_named_with_what_comes_before(capsys, file):
    rows = [{"question_id": f"q{i}", "correct": {"quality": {"overall": [i % 2, 3]}}} for i in range(4)]
    path = str(file("\n".join(map(json.dumps, rows)), "log.jsonl"))
    options = []
    for key in ("quality", "quality.overall", "quality.overall.0"):
        assert run(["calibrate", path, *options]) == 2
        assert f"--score-key {key} " in capsys.readouterr().err
        options = ["--score-key", key]
    assert run(["calibrate", path, *options]) == 0


def test_marks_are_named_where_all_scores_are_text_and_not_where_one_is_odd(capsys, file):
    rows = [{"question_id": f"q{i}", "correct": f"{i % 7} stars"} for i in range(20)]
    assert run(["calibrate", str(file("\n".join(map(json.dumps, rows)), "log.jsonl"))]) == 2
    assert capsys.readouterr().err.count("a mark says what is right") == 2
    rows = [{"question_id": f"q{i}", "correct": "?" if i == 3 else i % 2} for i in range(20)]
    assert run(["calibrate", str(file("\n".join(map(json.dumps, rows)), "log.jsonl"))]) == 0
    said = capsys.readouterr().err
    assert "the score '?' is neither right nor wrong" in said
    assert "a mark" not in said


@pytest.mark.parametrize("rule", [">= nan", "== nan", "<= inf", "> 1e999", "< -inf"])
def test_scores_are_compared_with_numbers_that_are_finite(rule):
    with pytest.raises(MooInferError, match="--right-if: must compare with a finite number, got"):
        Grading(right_if=rule)
