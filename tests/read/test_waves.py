"""Logs of runs that decided what to call as answers came: which rows no answer decided on."""

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moo_infer import MooInferError, Registry
from moo_infer.calibrate import COLUMNS, read_log
from moo_infer.quantities.provenance import provenance

REGISTRY = Registry(entry_points=False)
NAMES = ("model", "question_id", "sample", "correct", "answer", "wave", "call", "requests", "lost_usd", "why")
ROWS = [
    ("small", "q1", 0, 1, "a", 0, "r1", 1, 0.5, None),
    ("small", "q1", 1, 1, "a", 0, "r1", 0, 0.0, None),
    ("small", "q2", 0, 0, "b", 0, "r2", 1, 0.0, None),
    ("small", "q2", 1, None, None, 0, "r3", 4, 0.25, "given up after 4 tries"),
    ("small", "q2", 2, 1, "a", 1, "r4", 1, 0.0, None),
    ("large", "q2", 0, 1, "a", 2, "r5", 1, 0.0, None),
]


def read(*paths, **options):
    return read_log(list(paths), registry=REGISTRY, **options)


def written(path, rows=ROWS, names=NAMES):
    """A log with a row a line, each with `started_at`."""
    records = [dict(zip(names, row, strict=True)) | {"started_at": "2026-01-02T03:04:05Z"} for row in rows]
    if path.name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    else:
        frame = pl.DataFrame(records, infer_schema_length=None)
        frame.write_parquet(path) if path.suffix == ".parquet" else frame.write_csv(path)
    return path


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_columns_of_a_run_are_read_from_every_table(tmp_path, ending):
    log = read(written(tmp_path / f"log.{ending}"))
    assert set(log.frame.columns) == {*NAMES, "started_at"} <= {*COLUMNS}
    types = [log.frame.schema[name] for name in NAMES[5:]]
    assert types == [pl.Int64, pl.String, pl.Int64, pl.Float64, pl.String]
    assert log.frame["wave"].to_list() == [0, 0, 0, 0]
    assert log.left_out.select("model", "wave", "call", "reason").rows() == [
        ("small", 1, "r4", "later"),
        ("large", 2, "r5", "later"),
    ]
    assert log.sources[0].rows == 6


def test_samples_are_those_of_the_first_wave_and_say_what_is_left_out(tmp_path):
    log = read(written(tmp_path / "log.jsonl"))
    (small,) = log.samples()
    assert (small.model, len(small), small.n.tolist(), small.scored.n.tolist()) == ("small", 4, [2, 2], [2, 1])
    assert small.left_out == ("1 of 5 samples are of later waves, which earlier answers decided on, and are left out",)
    assert small.request_sizes.tolist() == [2, 2, 1, 1]
    assert log.refused == {
        "large": "all its samples are of later waves than 0: the answers of another model chose its questions, so that nothing "
        "is estimated of it and it is not compared; moo-infer sample, or run --explore SHARE, asks without such a choice"
    }
    shared, lost = provenance(small)[1:]
    assert shared.startswith("2 of 4 samples came in requests of up to 2 answers, which share their tokens and dollars")
    assert lost == "0.75 USD were lost in tries that brought nothing, 0.188 USD a sample: costs are without them"


def test_a_log_without_waves_has_nothing_left_out(tmp_path):
    log = read(written(tmp_path / "log.jsonl", [row[:5] for row in ROWS], NAMES[:5]))
    assert (log.left_out, log.refused) == (None, {})
    assert [(of.model, len(of), of.left_out, provenance(of)) for of in log.samples()] == [
        ("small", 5, (), []),
        ("large", 1, (), []),
    ]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "csv.gz", "parquet"])
def test_a_table_that_is_written_has_all_rows_and_is_read_as_the_log_was(tmp_path, ending):
    log = read(written(tmp_path / "log.jsonl"))
    log.write(tmp_path / f"table.{ending}")
    again = read(tmp_path / f"table.{ending}")
    assert again.frame.equals(log.frame)
    assert again.left_out.equals(log.left_out)


def test_questions_with_a_cancelled_call_are_left_out_with_all_their_rows(tmp_path):
    cancelled = [
        ("small", "q3", 0, 1, "a", 0, "r6", 1, 0.0, None),
        ("small", "q3", 1, None, None, 0, "r7", 1, 0.0, "cancelled"),
        ("large", "q3", 0, 1, "a", 0, "r8", 1, 0.0, None),
    ]
    log = read(written(tmp_path / "log.jsonl", [*ROWS, *cancelled]))
    (small,) = log.samples()
    assert small.questions == ("q1", "q2")
    assert small.left_out[1].startswith(
        "1 of 3 questions have a cancelled call and are left out, because answers decided"
    )
    assert "the other 2 are those that were not decided early" in small.left_out[1]
    assert log.refused["large"].startswith("1 of its questions have a cancelled call, and all its other samples are of")
    only = read(written(tmp_path / "only.jsonl", cancelled))
    message = (
        r"small: all its 1 questions have a cancelled call: answers .*; large: all its 1 questions have a cancelled"
    )
    with pytest.raises(MooInferError, match=message):
        only.samples()


def test_what_another_file_says_of_a_question_with_a_cancelled_call_stays(tmp_path):
    """Else a run whose answers decided nothing would lose its easy questions."""
    asked = [("small", f"q{i}", s, 1, "a") for i in range(3) for s in range(2)]
    run = [
        ("small", "q1", 0, 1, "a", 0, "r1", 1, 0.0, None),
        ("small", "q1", 1, None, None, 0, "r2", 1, 0.0, "cancelled"),
    ]
    with pytest.warns(UserWarning, match="further samples"):
        log = read(written(tmp_path / "a.jsonl", asked, NAMES[:5]), written(tmp_path / "b.jsonl", run))
    (small,) = log.samples()
    assert small.n.tolist() == [2, 2, 2]
    assert log.frame["wave"].to_list() == [0] * 6


def test_a_file_without_waves_beside_one_with_waves_is_as_a_first_wave(tmp_path):
    asked = [("large", f"q{i}", s, s, "a") for i in (1, 2) for s in range(2)]
    with pytest.warns(UserWarning, match="further samples"):
        log = read(written(tmp_path / "a.jsonl", asked, NAMES[:5]), written(tmp_path / "b.jsonl"))
    large, small = log.samples()
    assert (large.n.tolist(), small.n.tolist(), log.refused) == ([2, 2], [2, 2], {})
    assert large.left_out == ("1 of 5 samples are of later waves, which earlier answers decided on, and are left out",)
    log.write(tmp_path / "both.parquet")
    assert [of.n.tolist() for of in read(tmp_path / "both.parquet").samples()] == [[2, 2], [2, 2]]


def test_requests_of_two_files_are_two_though_they_have_one_name(tmp_path):
    def run(latency):
        return [("small", "q", 0, 1, "a", 0, "1", latency), ("small", "r", 0, 1, "a", 0, " ", latency)]

    names = (*NAMES[:7], "latency_s")
    paths = [written(tmp_path / f"{x}.jsonl", run(x + 0.1234), names) for x in (1, 2)]
    with pytest.warns(UserWarning, match="further samples"):
        (small,) = read(*paths).samples()
    assert small.request_sizes.tolist() == [1, 1, 1, 1]
    assert small["call"].tolist()[2:] == [-1, -1]


def test_answers_of_one_request_are_not_taken_for_a_file_that_was_written_twice(tmp_path):
    rows = [("small", f"q{q}", s, 1, "a", 0, f"r{q}", q + 0.12345) for q in range(9) for s in range(4)]
    assert len(read(written(tmp_path / "log.jsonl", rows, (*NAMES[:7], "latency_s"))).frame) == 36


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (None, "wave is blank"),
        (-1, "wave: must be a whole number"),
        (0.5, "wave: must be a"),
        ("x", r"wave: .* got 'x'"),
    ],
)
def test_a_row_that_does_not_say_its_wave_is_left_out_and_named(tmp_path, wave, message):
    rows = [*ROWS, ("small", "q1", 2, 1, "a", wave, "r9", 1, 0.0, None)]
    with pytest.warns(UserWarning, match=rf"row 7 \(question 'q1'\): {message}"):
        log = read(written(tmp_path / "log.jsonl", rows))
    assert len(log.frame) == 4
    with pytest.raises(MooInferError, match=message):
        read(tmp_path / "log.jsonl", strict=True)


def test_some_models_may_be_chosen_though_nothing_is_estimated_of_them(tmp_path):
    log = read(written(tmp_path / "log.jsonl"))
    assert [*log.with_models(["small"]).refused] == []
    assert [of.model for of in log.with_models(["small", "large"]).samples()] == ["small"]
    with pytest.raises(MooInferError, match="^large: all its samples are of later waves"):
        log.with_models(["large"]).samples()
    with pytest.raises(MooInferError, match="unknown model 'medium'; available: large, small"):
        log.with_models(["medium"])


ROW = st.tuples(
    st.sampled_from(["a", "b"]),
    st.sampled_from(["q1", "q2", "q3"]),
    st.sampled_from([True, False, None]),
    st.sampled_from(["x", "y", None]),
    st.integers(0, 2),
    st.sampled_from(["cancelled", "refused", None]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(ROW, min_size=1, max_size=30))
def test_samples_are_those_of_the_log_without_what_answers_decided_on(tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("log")
    names = ("model", "question_id", "correct", "answer", "wave", "why", "sample")
    records = [(*row, i) for i, row in enumerate(rows)]
    cancelled = {row[1] for row in rows if row[5] == "cancelled"}
    first = [row for row in records if row[4] == 0 and row[1] not in cancelled]
    log = read(written(folder / "all.jsonl", records, names))
    if not first:
        with pytest.raises(MooInferError, match="nothing is estimated"):
            log.samples()
        return
    found, expected = (
        {of.model: of for of in logged.samples()}
        for logged in (log, read(written(folder / "first.jsonl", first, names)))
    )
    assert found.keys() == expected.keys()
    for model, other in expected.items():
        one = found[model]
        assert sorted(one.questions) == sorted(other.questions)  # in the order of the whole log, which may differ
        assert [*one] == [*other]
        for i, question in enumerate(other.questions):
            here, there = one.question == one.questions.index(question), other.question == i
            for column in {*other} - {"answer"}:  # codes within a model; the key is the same in every log
                np.testing.assert_array_equal(one[column][here], other[column][there], column)
    assert {*log.refused} == {row[0] for row in rows} - {row[0] for row in first}
