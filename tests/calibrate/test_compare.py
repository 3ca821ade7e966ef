"""Whether one model is better than another: against closed forms, slow references, and models that are equal."""

import json
from itertools import pairwise

import numpy as np
import pytest

from moo_infer import MooInferError
from moo_infer.calibrate import compare
from moo_infer.cli import run
from moo_infer.quantities.bootstrap import QuestionDraws
from moo_infer.quantities.samples import Samples
from moo_infer.report.text import laid_out


def log(name, p, Q=40, n=6, seed=0, **columns):
    rng = np.random.default_rng(seed)
    correct = (rng.random((Q, n)) < np.broadcast_to(np.reshape(p, (-1, 1)), (Q, 1))) * 1.0
    arrays = {key: np.asarray(of(rng, (Q, n))).ravel() for key, of in columns.items()}
    return Samples(name, [f"q{i}" for i in range(Q)], np.repeat(np.arange(Q), n), correct.ravel(), arrays)


def by_question(samples, values):
    return np.array([values[samples.question == q].mean() for q in range(len(samples.questions))])


def test_a_difference_is_that_of_the_means_by_question_and_its_interval_that_of_the_draws():
    a, b = log("a", 0.7, seed=1), log("b", 0.5, seed=2)
    difference = compare([a, b], B=2000, seed=3).pairs[0]["accuracy"]
    apart = by_question(a, a.correct) - by_question(b, b.correct)
    draws = QuestionDraws(a.questions, 2000, 3).differences(apart[:, None])[:, 0]
    assert difference.value == pytest.approx(apart.mean())
    assert (difference.low, difference.high) == pytest.approx(np.quantile(draws, [0.025, 0.975]))
    assert (difference.more, difference.less) == pytest.approx(((apart > 0).mean(), (apart < 0).mean()))


def test_with_many_questions_the_interval_is_that_of_a_paired_t_test():
    hard = np.linspace(0.05, 0.95, 2000)
    a, b = log("a", hard, Q=2000, seed=1), log("b", hard, Q=2000, seed=2)
    difference = compare([a, b], B=4000).pairs[0]["accuracy"]
    apart = by_question(a, a.correct) - by_question(b, b.correct)
    error = apart.std(ddof=1) / np.sqrt(2000)
    assert difference.high - difference.low == pytest.approx(2 * 1.96 * error, rel=0.06)
    assert difference.smallest == pytest.approx((1.96 + 0.8416) * error, rel=0.06)


def test_tokens_seconds_dollars_and_what_a_right_answer_takes_are_compared_too():
    columns = {"output_tokens": lambda rng, shape: rng.integers(50, 100, shape).astype(float)}
    columns |= {
        "latency_s": lambda rng, shape: rng.lognormal(size=shape),
        "cost_usd": lambda rng, shape: rng.random(shape),
    }
    a, b = log("a", 0.8, seed=1, **columns), log("b", 0.4, seed=2, **columns)
    pair = compare([a, b]).pairs[0]
    for measure, column in (("cost", "cost_usd"), ("latency", "latency_s"), ("output_tokens", "output_tokens")):
        assert pair[measure].value == pytest.approx(a[column].mean() - b[column].mean())
        right = a[column].mean() / a.correct.mean() - b[column].mean() / b.correct.mean()
        assert pair[f"{measure}_per_right"].value == pytest.approx(right)
    assert pair["cost_per_right"].unit == "USD per right answer"


def test_equal_models_are_rarely_told_apart_and_the_same_log_never():
    a = log("a", 0.95, Q=22, seed=5)
    same = Samples("b", a.questions, a.question, a.correct)
    assert not compare([a, same]).pairs[0]["accuracy"].real
    told = [
        compare([log("a", 0.95, Q=22, n=8, seed=i), log("b", 0.95, Q=22, n=8, seed=1000 + i)], B=500)
        .pairs[0]["accuracy"]
        .real
        for i in range(100)
    ]
    assert np.mean(told) <= 0.08


def test_several_comparisons_are_corrected_as_holm_does():
    logs = [log(name, p, seed=i) for i, (name, p) in enumerate((("a", 0.5), ("b", 0.56), ("c", 0.62), ("d", 0.7)))]
    alone = {
        (one.model, other.model): compare([one, other]).pairs[0]["accuracy"].p
        for one in logs
        for other in logs
        if one is not other
    }
    pairs = compare(logs).pairs
    raw = [alone[pair.first, pair.second] for pair in pairs]
    order, corrected = np.argsort(raw), np.empty(6)
    corrected[order] = np.minimum(1, np.maximum.accumulate([(6 - i) * raw[j] for i, j in enumerate(order)]))
    assert [pair["accuracy"].p for pair in pairs] == pytest.approx(corrected)
    assert all(pair["accuracy"].real == (pair["accuracy"].p <= 0.05) for pair in pairs)


def test_the_best_is_tied_with_those_it_is_not_told_apart_from():
    found = compare([log("low", 0.2, seed=1), log("good", 0.8, seed=2), log("as good", 0.8, seed=3)])
    assert {*found.tied_with_best} == {"good", "as good"}
    assert "Of one call each, tied with the best in accuracy: " in laid_out(found.blocks())


def test_nothing_is_the_best_of_one_model():
    rng, right = np.random.default_rng(1), (np.random.default_rng(2).random(160) < 0.6) * 1.0
    answers = {"answer": np.where(right > 0, 0, rng.integers(1, 4, 160))}
    found = compare([Samples("alone", [f"q{i}" for i in range(40)], np.repeat(np.arange(40), 4), right, answers)])
    assert found.tied_with_best == ()
    assert "best" not in laid_out(found.blocks())


def test_a_vote_is_compared_with_one_call_on_the_same_samples():
    answers = {"answer": lambda rng, shape: np.zeros(shape, dtype=np.int64)}
    a = log("a", 0.7, seed=1, **answers)
    voted = Samples("a", a.questions, a.question, a.correct, {"answer": np.where(a.correct == 1, 0, 1)})
    (pair,) = compare([voted], k=5).pairs
    assert (pair.first, pair.second) == ("a, vote of 5", "a")
    assert pair["accuracy"].value > 0


def test_only_common_questions_count_and_what_is_left_out_is_said():
    a, b = log("a", 0.7, seed=1), log("b", 0.6, seed=2)
    fewer = b.where(b.question < 25)
    found = compare([a, fewer])
    assert found.questions == found.pairs[0].questions == 25
    assert "15 of a" in found.notes[0]
    alone = compare([a.where(a.question < 25), fewer])
    assert alone.pairs[0]["accuracy"] == found.pairs[0]["accuracy"]


@pytest.mark.parametrize(
    ("logs", "options", "message"),
    [
        ([log("a", 0.5)], {}, "compare: needs two models, or answers of one to vote on"),
        (
            [log("a", 0.5), log("b", 0.5)],
            {"k": 3},
            "k = 3: no vote can be compared: no vote, because no question has two answers",
        ),
        ([log("a", 0.5), log("b", 0.5)], {"confidence": 1.0}, "confidence: must be between 0 and 1, got 1.0"),
        ([log("a", 0.5), log("b", 0.5)], {"k": 0}, "k: must be >= 1, got 0"),
        (
            [log("a", 0.5), Samples("b", ["other"], np.zeros(2, int), np.ones(2))],
            {},
            "a and b have no question in common",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(logs, options, message):
    with pytest.raises(MooInferError, match=message):
        compare(logs, **options)


def test_the_command_line_says_it_in_words_and_in_json(capsys):
    words = [
        "compare",
        "examples/log.csv",
        "--prices",
        "examples/prices.yaml",
        "--model",
        "acme/small",
        "--model",
        "acme/large",
    ]
    assert run(words) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "acme/large is ahead of acme/small by 19.7 points (+13.1 to +26.4): that is real at 95 %" in text
    assert run([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == 1
    assert document["tied_with_best"] == ["acme/large"]
    names = [(pair["first"], pair["second"]) for pair in document["pairs"]]
    assert names[:2] == [("acme/small", "acme/large"), ("acme/small, vote of 7", "acme/large, vote of 7")]
    cost = document["pairs"][0]["differences"]["cost"]
    assert cost["low"] < cost["value"] < cost["high"] < 0
    assert run(["compare", "examples/log.csv", "--model", "nobody"]) == 2
    assert "unknown model 'nobody'" in capsys.readouterr().err


def test_a_frame_has_a_row_a_pair_and_measure():
    frame = compare([log("a", 0.5, seed=1), log("b", 0.5, seed=2)]).to_frame()
    assert frame.rows(named=True)[0]["measure"] == "accuracy"
    assert {"first_name", "second_name", "questions", "value", "low", "high", "p", "real"} <= {*frame.columns}


def test_more_questions_show_smaller_differences():
    smallest = [
        compare([log("a", 0.6, Q=Q, seed=1), log("b", 0.6, Q=Q, seed=2)]).pairs[0]["accuracy"].smallest
        for Q in (20, 80, 320)
    ]
    assert all(few > many for few, many in pairwise(smallest))


def test_three_models_without_a_question_that_all_have_are_refused():
    logs = [log(name, 0.5, seed=i) for i, name in enumerate("abc")]
    apart = [one.where(one.question % 3 != i) for i, one in enumerate(logs)]
    with pytest.raises(MooInferError, match="compare: a, b, c have no question in common"):
        compare(apart)


def test_what_some_samples_lack_is_not_compared_and_that_is_said():
    seconds = {"latency_s": lambda rng, shape: rng.random(shape)}
    a, b = log("a", 0.7, seed=1, **seconds), log("b", 0.6, seed=2, **seconds)
    gap = {"latency_s": np.where(np.arange(len(b)) == 3, np.nan, b["latency_s"])}
    found = compare([a, Samples("b", b.questions, b.question, b.correct, gap)])
    assert "latency" not in [difference.measure for difference in found.pairs[0].differences]
    assert "latency is not compared: samples of b lack it" in found.notes


def test_what_rounding_alone_tells_apart_is_the_same():
    same = {"cost_usd": lambda rng, shape: np.full(shape, 0.1)}  # 3 and 7 of these have other means, in floats
    pair = compare([log("a", 0.5, n=3, seed=1, **same), log("b", 0.5, n=7, seed=2, **same)], B=100).pairs[0]
    assert (pair["cost"].value, pair["cost"].low, pair["cost"].high, pair["cost"].real) == (0, 0, 0, False)
    assert (pair["cost"].more, pair["cost"].less, pair["cost"].p) == (0, 0, 1)


def test_a_vote_that_is_worth_one_call_is_right_no_more_often():
    answers = np.array(
        [[0, 1, 2], [0, 0, 1]]
    )  # of three different ones a vote takes one at random, in floats 5e-17 more
    columns = {"answer": np.repeat(answers, [3, 1], axis=0).ravel()}
    question = np.repeat(np.arange(4), 3)
    samples = Samples("a", [f"q{i}" for i in range(4)], question, (columns["answer"] == 0) * 1.0, columns)
    (pair,) = compare([samples], B=100).pairs
    assert (pair["accuracy"].more, pair["accuracy"].less) == (0.25, 0)


def test_draws_that_are_too_few_for_so_many_models_are_named():
    logs = [log(f"m{i}", 0.05 + 0.1 * i, seed=i) for i in range(10)]
    few, enough = compare(logs, B=1000), compare(logs, B=1800)
    assert few.tied_with_best[-1] == "m8"  # of 45 differences none can be real: 45 * 2 / 1001 is more than 0.05
    assert len(few.tied_with_best) == 10
    assert not any(difference.real for pair in few.pairs for difference in pair.differences)
    (note,) = (note for note in few.notes if "draws" in note)
    assert note.startswith("1000 draws are too few for 45 comparisons")
    assert "--bootstrap 1800 (B=1800)" in note
    assert "that may be chance among as many comparisons; " in few._repr_html_()
    assert len(enough.tied_with_best) < 10
    assert not any("draws" in note for note in enough.notes)


@pytest.mark.parametrize("Q", [1, 2, 3, 5])
def test_few_questions_that_all_differ_in_the_same_direction_tell_nothing_apart(Q):
    """Of two equal models that is so with the chance 2^(1 - Q), which no share of draws of them can be below."""
    seconds = (
        {"latency_s": lambda rng, shape: rng.random(shape)},
        {"latency_s": lambda rng, shape: 5 + rng.random(shape)},
    )
    a, b = (log(name, 0.5, Q=Q, seed=i, **of) for i, (name, of) in enumerate(zip("ab", seconds, strict=True)))
    difference = compare([a, b], B=2000).pairs[0]["latency"]
    assert (difference.p, difference.real) == (2.0 ** (1 - Q), False)


def test_what_a_log_of_one_question_shows_is_no_more_than_100_points():
    text = laid_out(compare([log("a", 0.0, Q=1), log("b", 0.0, Q=1)], B=500, confidence=0.99).blocks(), 80)
    assert "a against b, on 1 question:" in text
    assert "this log shows no difference in 80 % of cases" in " ".join(text.split())
