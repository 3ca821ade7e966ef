"""Questions of a live run: every line is one, or says why it is none."""

import gzip
import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moo_infer import MooInferError
from moo_infer.policy.live.question import Question, read_questions

LINE = {"question_id": "q1", "question": "What is 6 x 7?", "target": "42", "task": "sums"}


@pytest.fixture
def written(tmp_path):
    """Write lines, objects or texts, and read them."""

    def write(*lines):
        path = tmp_path / "questions.jsonl"
        path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
        return read_questions(path)

    return write


def test_a_line_is_a_question_with_labels(written):
    (question,) = written(LINE)
    assert (question.id, question.text, question.target) == ("q1", "What is 6 x 7?", "42")
    assert question.fields == LINE
    assert question.labels == {"task": "sums"}


def test_blank_lines_and_a_byte_order_mark_say_nothing(written):
    assert [
        question.id for question in written("\ufeff" + json.dumps(LINE), "", "  ", LINE | {"question_id": "q2"})
    ] == [
        "q1",
        "q2",
    ]


def test_a_gzip_is_read(tmp_path):
    path = tmp_path / "questions.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(LINE).encode()))
    assert [question.id for question in read_questions(path)] == ["q1"]


def test_numbers_become_their_text_and_stay_numbers_in_the_fields(written):
    (question,) = written(LINE | {"question_id": 7, "target": 0.5})
    assert (question.id, question.target) == ("7", "0.5")
    assert (question.fields["question_id"], question.fields["target"]) == (7, 0.5)


def test_a_whole_number_is_one_as_a_column_with_gaps_has_it(written):
    targets = {42.0: "42", -7.0: "-7", 1e300: "1e+300", 42.5: "42.5"}
    assert [written(LINE | {"target": target})[0].target for target in targets] == [*targets.values()]


@pytest.mark.parametrize(
    "line", [{"question_id": "q", "question": "?"}, {"question_id": "q", "question": "?", "target": None}]
)
def test_a_target_may_be_absent(written, line):
    assert written(line)[0].target is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "must be JSON: Expecting property name enclosed in double quotes at character 2"),
        ("[]", "must be a JSON object, got []"),
        ('"text"', 'must be a JSON object, got "text"'),
        ({"question_id": "a"}, "question is missing: the text that is asked"),
        ({"question": "?"}, "question_id is missing: what the question is called"),
        (LINE | {"question": " \t"}, r"question must be a text that is not blank, got ' \t'"),
        (LINE | {"question": 5}, "question must be a text that is not blank, got 5"),
        (LINE | {"question": None}, "question must be a text that is not blank, got None"),
        (LINE | {"question_id": ""}, "question_id must be a text that is not blank, or a whole number, got ''"),
        (LINE | {"question_id": 1.5}, "question_id must be a text that is not blank, or a whole number, got 1.5"),
        (LINE | {"question_id": True}, "question_id must be a text that is not blank, or a whole number, got True"),
        (LINE | {"question_id": None}, "question_id must be a text that is not blank, or a whole number, got None"),
        (LINE | {"target": True}, "target must be a text or a number, or absent, got True"),
        (LINE | {"target": ["42"]}, "target must be a text or a number, or absent, got ['42']"),
        (LINE, "question_id 'q1' is that of line 1"),
        ('{"question_id": "a", "question": "?", "question": "!"}', "duplicate key 'question'"),
        ('{"question_id": "a", "question": "?", "x": {"y": 1, "y": 2}}', "duplicate key 'y'"),
        ('{"question_id": "a", "question": "?", "x": NaN}', "holds NaN, which is no number of JSON"),
        ('{"question_id": "a", "question": "?", "x": -Infinity}', "holds -Infinity, which is no number of JSON"),
        ('{"question_id": "a", "question": "?", "x": 1e999}', "holds 1e999, which is no number of JSON"),
        (
            '{"question_id": "a", "question": "?", "x": ' + "9" * 309 + "}",
            "holds a whole number of more than 308 digits; write it as text",
        ),
        (
            '{"question_id": "a", "question": "?", "x": ' + "9" * 100_000 + "}",
            "holds a whole number of more than 308 digits; write it as text",
        ),
        ('{"question_id": "a", "question": "?", "x": ' + "[" * 30 + "]" * 30 + "}", "'x': must not be nested deeper than 20 levels"),
        ('{"question_id": "a", "question": "?", "x": ' + "[" * 200_000 + "]" * 200_000 + "}", "must not be nested deeper than 20 levels"),
        ('{"question_id": "a", "question": "\\ud800"}', r"'question': must be text of whole characters, has half of one (\\ud800)"),
        ('{"question_id": "a", "question": "?", "x": ["\\udfff"]}', r"'x': must be text of whole characters, has half of one (\\ud800)"),
    ],
    ids=lambda value: None if isinstance(value, dict) else str(value)[:40],
)  # fmt: skip
def test_what_is_no_question_is_refused_with_the_number_of_its_line(written, line, reason):
    with pytest.raises(MooInferError) as error:
        written(LINE, "", line)
    assert str(error.value).endswith(f"questions.jsonl: line 3: {reason}".replace("\\\\", "\\"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (json.dumps(LINE).encode("utf-16"), "must be UTF-8 text, is UTF-16"),
        (b'{"question_id": "caf\xe9"}', "line 1: must be UTF-8 text"),
        pytest.param(gzip.compress(json.dumps(LINE).encode())[:-12], "the gzip is cut off after line 0", id="cut off"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, content, reason):
    path = tmp_path / "questions.jsonl"
    path.write_bytes(content)
    with pytest.raises(MooInferError) as error:
        read_questions(path)
    assert str(error.value) == f"{path}: {reason}"


def test_what_unpacks_to_far_more_is_refused(tmp_path):
    path = tmp_path / "questions.jsonl.gz"
    path.write_bytes(gzip.compress(b" " * 2**26))
    with pytest.raises(MooInferError, match="unpacks") as error:
        read_questions(path)
    assert "--max-log-bytes" not in str(error.value)


def test_no_file_is_refused(tmp_path):
    with pytest.raises(MooInferError, match="no such file"):
        read_questions(tmp_path / "none.jsonl")


def test_a_question_is_made_of_what_there_is():
    question = Question.of(LINE)
    assert Question.of(question) is question
    assert question.fields == LINE
    text = Question.of("What is 6 x 7?")
    assert (text.id, text.target, text.fields) == ("", None, {"question": "What is 6 x 7?"})
    assert Question("q1", "?", "42").fields == {"question_id": "q1", "question": "?", "target": "42"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (5, "a question must be a text, a mapping or a Question, got 5"),
        (" ", "question must be a text that is not blank, got ' '"),
        ({"target": "42"}, "question is missing: the text that is asked"),
        ({"question": "?", 5: 6}, "keys must be text, got 5"),
        ({"question": "?", "x": float("nan")}, "'x': must be finite, got nan"),
        (
            {"question": "?", "target": 10**5000},
            "'target': has a whole number of more than 308 digits; write it as text",
        ),
    ],
)
def test_what_could_be_no_line_is_no_question(value, reason):
    with pytest.raises(MooInferError) as error:
        Question.of(value)
    assert str(error.value) == reason


def test_questions_pickle_and_can_be_told_apart_in_a_set():
    question = Question.of(LINE)
    assert pickle.loads(pickle.dumps(question)) == question
    assert len({question, Question.of(LINE), Question.of("?")}) == 2


TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT.filter(str.strip), TEXT, st.dictionaries(TEXT, TEXT | st.integers(-(10**9), 10**9) | st.booleans()))
def test_any_text_comes_through_unchanged(tmp_path_factory, text, target, labels):
    line = labels | {"question_id": "q", "question": text, "target": target}
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    for ascii_only in (True, False):
        path.write_text(json.dumps(line, ensure_ascii=ascii_only), encoding="utf-8", newline="\n")
        (question,) = read_questions(path)
        assert (question.text, question.target, question.fields) == (text, target, line)
