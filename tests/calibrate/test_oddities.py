"""What is said of a log though nothing in it is impossible: its order, blank answers, targets."""

import json
import warnings

import numpy as np
import pytest

from moo_infer import MooInferError, Registry
from moo_infer.calibrate import ProfileOptions, calibrated, read_log
from moo_infer.calibrate.oddities import oddities
from moo_infer.quantities.samples import Samples

REGISTRY = Registry(entry_points=False)


def samples(correct, answer=None):
    correct = np.atleast_2d(np.asarray(correct, dtype=float))
    columns = {} if answer is None else {"answer": np.ravel(answer)}
    Q, n = correct.shape
    return Samples("m", [f"q{i}" for i in range(Q)], np.repeat(np.arange(Q), n), correct.ravel(), columns)


def drawn(seed, Q=40, n=8):
    rng = np.random.default_rng(seed)
    return (rng.random((Q, n)) < rng.random((Q, 1))) * 1.0


def test_a_log_in_the_order_of_its_grades_is_said():
    for seed in range(5):
        (said,) = oddities(samples(np.sort(drawn(seed), axis=1)))
        assert "the log is sorted" in said
        assert "its first samples of a question are no sample of them" in said


def test_a_model_that_changed_while_it_ran_is_said():
    correct = drawn(0)
    correct[:, :4], correct[:, 4:] = correct[:, :4] * 0, correct[:, 4:]
    assert len(oddities(samples(correct))) == 1


def test_samples_in_no_order_are_not_questioned():
    assert [seed for seed in range(300) if oddities(samples(drawn(seed)))] == []


@pytest.mark.parametrize("correct", [np.ones((9, 8)), np.zeros((9, 8)), np.eye(9)[:, :1], np.full((9, 8), 0.5)])
def test_nothing_is_said_where_nothing_can_be(correct):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert oddities(samples(correct)) == []


def test_the_neighbours_of_questions_of_their_own_are_not_compared():
    for n in (1, 2):
        assert oddities(samples(np.repeat(np.arange(2), 100 * n).reshape(-1, n))) == []


def test_blank_answers_that_were_judged_right_are_said(file):
    text = "model,question_id,sample,correct,answer\nm,q,0,1,\nm,q,1,1, \nm,q,2,0,\nm,q,3,1,7\n"
    (model,) = calibrated(read_log(file(text), registry=REGISTRY), options=ProfileOptions(B=2))
    assert any("2 of 3 samples whose answer is blank were judged right" in note for note in model.notes)


def judged(file, rows, name="log.csv"):
    header = "model,question_id,sample,correct,answer,target\n"
    return file(header + "".join(f"m,q{q},{i},{c},{a},{t}\n" for i, (q, c, a, t) in enumerate(rows)), name)


def test_a_target_settles_what_was_judged_both_ways(file):
    rows = [(0, 1, 112, 112), (0, 0, " 112", 112), (0, 0, 7, 112), (1, 1, 7, 112), (1, 0, 7, 112), (1, 0, 5, 112)]
    with pytest.warns(UserWarning, match="2 answers of m were judged both right and wrong: 1 of them are the target"):
        log = read_log(judged(file, rows), registry=REGISTRY)
    assert log.frame["correct"].to_list() == [True, True, False, False, False, False]
    assert "target" not in log.samples()[0].columns


def test_where_the_judge_accepts_other_spellings_a_target_settles_only_what_is_right(file):
    rows = [
        (0, 1, "0.5", "1/2"),
        (1, 1, "0.5", "1/2"),
        (1, 0, "0.5", "1/2"),
        (2, 0, "1/2", "1/2"),
        (2, 1, "1/2", "1/2"),
    ]
    with pytest.warns(UserWarning, match="1 answers of m were judged both right and wrong: 1 of them are the target"):
        log = read_log(judged(file, rows), registry=REGISTRY)
    assert log.frame["correct"].to_list() == [True, True, False, True, True]


def test_where_judgements_agree_targets_change_nothing(file):
    rows = [(0, 1, "0.5", "1/2"), (0, 1, "0.5", "1/2"), (1, 0, "1/2", "1/2"), (2, 0, "", "1/2"), (3, "", "x", "")]
    log = read_log(judged(file, rows), registry=REGISTRY)
    assert log.frame["correct"].to_list() == [True, True, False, False, None]


def test_targets_that_differ_tell_that_questions_are_not_the_same(file):
    rows = [(0, 1, 2, 2), (1, 1, 3, 3)]
    one, two = judged(file, rows), judged(file, [(0, 1, 2, 2), (1, 0, 4, 5)], "two.csv")
    with pytest.raises(MooInferError, match=r"two\.csv: question 'q1' of 'm' is another one than in .*log\.csv"):
        read_log([one, two], registry=REGISTRY)
    with pytest.warns(
        UserWarning, match=r"1 questions have several targets \('q1' is one\): were models asked the same"
    ):
        read_log([one, f"n={two}"], registry=REGISTRY)


NAMES = {"question_id": "prompt_id", "latency_s": "latency_ms/1000", "correct": "Passed", "output_tokens": "kilo * 1e3"}


def renamed(kind):
    rows = [
        {"model": "m", "prompt_id": f"q{q}", "latency_ms": 1234.5 + q, "Passed": q % 2, "kilo": 0.5 + q, "text": "x"}
        for q in (0, 0, 1)
    ]
    if kind == "csv":
        return "\n".join([",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]) + "\n"
    return json.dumps(rows) if kind == "list" else "\n".join(map(json.dumps, rows))


@pytest.mark.parametrize("kind", ["csv", "lines", "list", "parquet"])
def test_a_table_may_call_its_columns_as_it_likes(file, tmp_path, kind):
    import polars as pl

    path = file(renamed("lines" if kind == "parquet" else kind), "log")
    if kind == "parquet":
        pl.read_ndjson(path).write_parquet(path)
    with pytest.warns(UserWarning, match="has no column sample: the rows of a question are numbered in their order"):
        log = read_log(path, registry=REGISTRY, columns=NAMES)
    assert log.frame.to_dict(as_series=False) == {
        "model": ["m"] * 3,
        "question_id": ["q0", "q0", "q1"],
        "sample": [0, 1, 0],
        "correct": [False, False, True],
        "output_tokens": [500, 500, 1500],
        "latency_s": [1.2345, 1.2345, 1.2355],
    }
    with pytest.warns(UserWarning, match="has no column sample"):
        again = read_log(path, registry=REGISTRY, format="table", columns=NAMES)
    assert again.frame.equals(log.frame)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"question_id": "promt_id"},
            r"columns: question_id=promt_id: the file has no such column; is prompt_id meant\? col",
        ),
        ({"latency_s": "latency_ms/0"}, r"is multiplied or divided by a number that is not 0"),
        ({"latency_s": "latency_ms/x"}, r"is multiplied or divided by a number that is not 0"),
        ({"latency_s": "latency_ms/1e999"}, r"is multiplied or divided by a number that is not 0"),
        ({"latency_s": "__import__('os')/2"}, r"the file has no such column"),
        ({"prompt": "prompt_id"}, r"--column: columns: 'prompt' is no column of the neutral table; these are: model, "),
        ({"model": " "}, r"--column: columns: model: must name a column of the file, is blank"),
    ],
)
def test_names_of_columns_that_do_not_fit_are_refused_in_a_sentence(file, columns, message):
    for kind in ("csv", "lines", "list"):
        with pytest.raises(MooInferError, match=message):
            read_log(file(renamed(kind), "log"), registry=REGISTRY, format="table", columns=NAMES | columns)


def test_names_of_columns_are_for_tables(file):
    path = file('{"task_id": "t", "passed": true}\n')
    with pytest.raises(MooInferError, match="--column names columns of tables, but this is human-eval"):
        read_log(path, registry=REGISTRY, columns={"model": "x"})
    with pytest.raises(MooInferError, match="--column names columns of tables, but the format is human-eval"):
        read_log(path, format="human-eval", registry=REGISTRY, columns={"model": "x"})


def test_text_that_is_no_number_is_odd_and_not_unknown(file):
    path = file("model,question_id,sample,correct,ms\nm,q,0,1,1000\nm,q,1,1,slow\nm,q,2,0,\n")
    with pytest.warns(
        UserWarning, match="1 of 3 records are left out: .*latency_s: must be a finite number >= 0, got 'slow'"
    ):
        log = read_log(path, registry=REGISTRY, columns={"latency_s": "ms/1000"})
    assert log.frame["latency_s"].to_list() == [1.0, None]


def test_a_table_without_a_model_is_called_after_its_file_or_as_it_is_named(file):
    path = file("question_id,sample,correct\nq,0,1\n", "acme-large.csv")
    assert read_log(path, registry=REGISTRY).samples()[0].model == "acme-large"
    assert read_log(f"mine={path}", registry=REGISTRY).samples()[0].model == "mine"


def test_a_csv_with_odd_lines_is_read_line_by_line(file):
    text = (
        'model,question_id,sample,correct,answer\nm,q,0,1,"a\n  b"\nm,q,1,1,x,y\nm,q,2,0,"c"d\n\nm,q,3,0,"long '
        + "z" * 200_000
        + '"\nm,q,4\n'
    )
    with pytest.warns(UserWarning, match="2 of 5 records are left out: line 4: has 6 fields, .*; line 5: is no CSV"):
        log = read_log(file(text), registry=REGISTRY)
    assert log.frame["sample"].to_list() == [0, 3, 4]
    assert log.frame["answer"][0] == "a\n  b"
    assert len(log.frame["answer"][1]) > 200_000


@pytest.mark.parametrize("end", ["m,q,1", "m,q,1,tr", "m,q", "m"])
def test_a_csv_that_is_cut_off_is_refused(file, end):
    with pytest.raises(MooInferError, match="is cut off"):
        read_log(file("model,question_id,sample,correct\nm,p,0,true\nm,p,1,false\n" + end), registry=REGISTRY)
