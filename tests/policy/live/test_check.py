"""Answers are judged, and what is no verdict says so instead of being one."""

import asyncio
import threading

import numpy as np
import pytest

from moo_infer import MooInferError
from moo_infer.policy.live.check import Verdict, checker
from moo_infer.policy.live.extract import extractor
from moo_infer.policy.live.question import Question

QUESTION = Question("q1", "What is 6 x 7?", "42")


@pytest.mark.parametrize(
    ("spec", "text", "target", "correct"),
    [
        ("last-number", "It costs 1000.00 dollars", "$1,000", True),
        ("last-number", "It is 5", "#### 5", True),
        ("last-number", "It is 6", "5", False),
        ("last-number", "It is 3", "three", False),
        ("boxed", "\\boxed{0.5}", "\\frac{1}{2}", True),
        ("boxed", "\\boxed{Paris}", " Paris ", True),
        ("boxed", "\\boxed{x}", "so \\boxed{x}", True),
        ("letter", "The answer is (C).", "C", True),
        ("letter", "The answer is (C).", "c) Paris", True),
        ("letter", "The answer is (C).", "Paris", False),
        ("regex:#### (.*)", "#### 7", "6 + 1 #### 7", True),
        ("regex:#### (.*)", "#### 7", "7", True),
        (None, " Paris\n", "Paris ", True),
        (None, "paris", "Paris", False),
        (None, "1,000", "1000", False),
        (lambda text: 1000, "", "1,000.0", True),
        (lambda text: "unknown", "", "no target of this form", False),
    ],
)
def test_an_answer_is_right_where_it_is_the_target_in_one_form(spec, text, target, correct):
    take = extractor(spec)
    assert checker("equal", take)(take(text).answer, Question("q", "?", target)) == Verdict(correct)
    assert checker(None, take)(take(text).answer, Question("q", "?", target)) == Verdict(correct)


def test_a_function_does_not_read_targets():
    """One that gives every text the same answer would make every answer right."""
    take = extractor(lambda text: "none")
    assert checker("equal", take)("none", QUESTION) == Verdict(False)


def test_a_blank_is_wrong_where_there_is_a_target_and_nothing_is_known_where_there_is_none():
    assert checker()(None, QUESTION) == Verdict(False)
    for answer in (None, "42"):
        assert checker()(answer, Question("q", "?")) == Verdict(None)


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        (True, Verdict(True)),
        (False, Verdict(False)),
        (None, Verdict(None)),
        (0.25, Verdict(0.25)),
        (1, Verdict(1.0)),
        (np.bool_(True), Verdict(True)),
        (np.float32(0.5), Verdict(0.5)),
        ({"correct": True, "score": 7}, Verdict(True, 7.0)),
        ({"correct": 0.5}, Verdict(0.5)),
        ({"score": -1.5}, Verdict(None, -1.5)),
        ({}, Verdict(None)),
    ],
)
def test_a_function_judges(value, verdict):
    result = checker(lambda answer, question: value)("42", QUESTION)
    assert result == verdict
    assert type(result.correct) is type(verdict.correct)


def test_a_function_is_given_the_answer_and_the_question_and_blanks_too():
    asked = []
    check = checker(lambda answer, question: asked.append((answer, question)))
    check("42", QUESTION), check(None, QUESTION)
    assert asked == [("42", QUESTION), (None, QUESTION)]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (
            1.5,
            "the function must return True, False, a number from 0 to 1, None, or a mapping with correct and score, returned a number outside",
        ),
        (
            -1,
            "the function must return True, False, a number from 0 to 1, None, or a mapping with correct and score, returned a number outside",
        ),
        (float("nan"), "the verdict of the function must be a finite number"),
        pytest.param(10**400, "OverflowError in <lambda>", id="401 digits"),
        ("secret", "the verdict of the function must be a number, is str"),
        (["secret"], "the verdict of the function must be a number, is list"),
        ({"correct": True, "score": float("inf")}, "the score of the function must be a finite number"),
        ({"correct": True, "score": True}, "the score of the function must be a number, is bool"),
        ({"correct": "secret"}, "the verdict of the function must be a number, is str"),
        ({"secret": 1}, "the function returned 1 keys besides correct and score"),
    ],
)
def test_what_is_no_verdict_is_not_taken_for_one(value, why):
    assert checker(lambda answer, question: value)("42", QUESTION) == Verdict(None, why=f"check: {why}")


def test_an_exception_names_its_type_alone():
    def raising(answer, question):
        raise ValueError(question.text)

    assert checker(raising)("42", QUESTION) == Verdict(None, why="check: ValueError in raising")


def test_a_function_is_found_in_a_file_and_called_in_a_thread(tmp_path):
    (tmp_path / "mine.py").write_text("def judge(answer, question):\n    return question.target == answer\n")
    check = checker(f"{tmp_path}/mine.py:judge", extractor())
    assert asyncio.run(check.awaited("42", QUESTION)) == Verdict(True)
    threads = []
    asyncio.run(checker(lambda *given: threads.append(threading.current_thread())).awaited("42", QUESTION))
    assert threads[0] is not threading.main_thread()
    with pytest.raises(MooInferError, match="check: .*mine.py has no function 'nothing'"):
        checker(f"{tmp_path}/mine.py:nothing")
    assert asyncio.run(checker().awaited("42", QUESTION)) == Verdict(True)


@pytest.mark.parametrize("spec", ["", "Equal", "mine.py", 5])
def test_other_names_are_refused(spec):
    with pytest.raises(MooInferError, match="check: must be equal or FILE.py:FUNCTION, got"):
        checker(spec)


def test_a_checker_stays_what_it_is():
    check = checker()
    assert checker(check) is check
