"""The samples of one model as arrays."""

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

from moo_infer import MissingColumn, MooInferError, Samples

NAN = np.nan


@pytest.fixture
def samples():
    question, correct = np.array([0, 0, 1, 1, 1, 2]), np.array([1.0, NAN, 0, 1, 1, NAN])
    return Samples("mine", ["a", "b", "c"], question, correct, {"answer": np.array([0, -1, 1, 0, 0, -1])})


def test_questions_count_their_samples_and_right_ones(samples):
    assert samples.n.tolist() == [2, 3, 1]
    assert samples.right.tolist() == [1, 2, 0]
    assert samples.largest_k == 1
    assert len(samples) == 6


def test_scored_samples_are_right_or_wrong_and_questions_without_them_are_gone(samples):
    scored = samples.scored
    assert scored.questions == ("a", "b")
    assert scored.correct.tolist() == [1, 0, 1, 1]
    assert scored["answer"].tolist() == [0, 1, 0, 0]
    assert scored.scored is scored
    assert samples.known("answer").tolist() == [True, False, True, True, True, False]


def test_questions_without_any_sample_are_gone_too():
    samples = Samples("mine", ["a", "b"], np.array([1, 1]), np.array([1.0, 0.0]))
    assert samples.scored.questions == ("b",)


def test_without_answers_none_are_known():
    samples = Samples("mine", ["a"], np.array([0, 0]), np.array([1.0, 0.0]))
    assert not samples.known("answer").any()
    assert samples.no_choice("answer") == "no vote, because no question has two answers"
    assert samples.caveats == ()


@pytest.mark.parametrize(
    ("answer", "score", "said"),
    [
        ([0, 0, 1, 1], [0.5, 0.1, 0.2, 0.3], []),
        ([0, 0, 1, -1], [0.5, 0.1, 0.2, 0.3], ["1 of 4 samples (25 %) have no answer: in a vote they abstain"]),
        ([0, -1, -1, 1], [0.5, 0.1, 0.2, 0.3], ["no vote, because no question has two answers"]),
        (
            [0, 0, 1, 1],
            [0.5, 0.1, NAN, NAN],
            [
                "2 of 4 samples (50 %) have no score: they are chosen only where no other is there, and then count as "
                "wrong"
            ],
        ),
        ([0, 0, 1, 1], [0.5, NAN, 0.2, NAN], ["no choice by score, because no question has two scores"]),
    ],
)
def test_samples_that_abstain_are_counted_and_one_question_with_two_values_is_enough(answer, score, said):
    columns = {"answer": np.array(answer), "score": np.array(score)}
    samples = Samples("mine", ["a", "b"], np.array([0, 0, 1, 1]), np.array([1.0, 1, 0, 0]), columns)
    assert list(samples.caveats) == said
    assert [not samples.no_choice(name) for name in columns] == [
        f"no {what}" not in str(said) for what in ("vote", "cho")
    ]


def test_samples_are_read_by_column_as_data_frames_are(samples):
    assert list(samples) == list(samples.keys()) == ["correct", "answer"]
    assert len(samples) == 6
    assert "answer" in samples
    assert "score" not in samples
    assert list(dict(samples)) == list({**samples}) == ["correct", "answer"]
    assert all(column is samples[name] for name, column in samples.items())


def test_samples_are_read_only_views_and_leave_what_was_given_alone():
    question, correct, answer = np.array([0, 0]), np.array([1.0, 0.0]), np.array([3, 4])
    columns = {"answer": answer}
    samples = Samples("mine", ["a"], question, correct, columns)
    for array in (samples.question, samples.correct, samples["answer"]):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    question[1] = correct[1] = answer[1] = 0
    columns.clear()
    assert samples["answer"].tolist() == [3, 0]
    assert samples.correct.tolist() == [1, 0]


@pytest.mark.parametrize("twin", [lambda s: pickle.loads(pickle.dumps(s)), copy.deepcopy], ids=["pickle", "deep copy"])
def test_samples_are_pickled_copied_and_replaced(samples, twin):
    _ = samples.scored, samples.answers, samples.n
    other = twin(samples)
    assert repr(other) == repr(samples)
    assert other.questions == samples.questions
    for name, column in {"question": samples.question, **samples}.items():
        array = getattr(other, name) if name == "question" else other[name]
        np.testing.assert_array_equal(array, column)
        assert array.dtype == column.dtype
        assert not array.flags.writeable
    assert other.scored["answer"].tolist() == [0, 1, 0, 0]
    changed = replace(samples, columns={**samples.columns, "score": np.arange(6.0)})
    assert list(changed) == ["correct", "answer", "score"]
    assert "score" not in samples


def test_columns_are_got_by_name(samples):
    assert samples["correct"] is samples.correct
    with pytest.raises(
        MissingColumn, match="no column 'score', needed by the samples of mine; columns: correct, answer"
    ):
        samples["score"]


@pytest.mark.parametrize(
    ("question", "correct", "columns", "message"),
    [
        ([0, 1], [1.0], {}, r"mine: correct must have the shape of question, \(2,\), got \(1,\)"),
        ([0, 1], [1.0, 0.0], {"score": [1.0]}, r"mine: score must have the shape of question"),
        ([1, 0], [1.0, 0.0], {}, "mine: question must be ascending and >= 0"),
        ([-1, 0], [1.0, 0.0], {}, "mine: question must be ascending and >= 0"),
        ([0, 2], [1.0, 0.0], {}, "mine: question must be < 2, got 2"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(question, correct, columns, message):
    arrays = {name: np.array(column) for name, column in columns.items()}
    with pytest.raises(MooInferError, match=message):
        Samples("mine", ["a", "b"], np.array(question), np.array(correct), arrays)
